/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Whole blocks stay whole: the labyrinth allocator's placement and compaction against the buddy
 * allocator, on the same seeded workloads. */
#include "frag_test.h"
#include "tenants.h"
#include "whole.h"

/** Zones of 128 MiB: a pageblock is 31 of 1000 of what is free at half occupancy. */
#define FRAMES 32768UL
/** Builds that check more are slow: some workloads. */
#define STEP (LAB_ASSERT_TIER >= 1 ? 13U : 1U)

/**
 * The least index that moving what is movable can reach, with a pageblock's rounding: pageblocks with a frame
 * that cannot be moved are not whole, and at best all that can be moved fills them up.
 */
static int
best_possible(const struct lab_tenants *t, unsigned long free_pages)
{
	static bool stays[FRAMES / LAB_PAGEBLOCK_PAGES];
	unsigned long frames = 0;

	memset(stays, 0, sizeof(stays));
	for (int mt = 0; mt < TENANT_TYPES; mt++)
		for (unsigned long i = 0; mt != LAB_MIGRATE_MOVABLE && i < t->nr[mt]; i++)
			stays[t->holds[mt][i].pfn >> LAB_PAGEBLOCK_ORDER] = true;
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(stays); i++)
		frames += stays[i] ? LAB_PAGEBLOCK_PAGES : 0;
	frames = frames > t->pages ? frames - t->pages : 0;
	return (int)((frames + LAB_PAGEBLOCK_PAGES) * 1000 / free_pages);
}

struct found {
	int during, settled, best;
};

static struct found
unusable_of(const struct whole_workload *load, uint64_t seed, enum lab_allocator allocator)
{
	struct found found;
	bool compact = allocator == LAB_ALLOCATOR_LABYRINTH;
	struct whole_zone w;
	struct whole_state s;

	assert_int_equal(whole_open(&w, allocator, FRAMES, compact), 0);
	whole_run(&w, load, seed);
	whole_measure(&w, &s);
	if (compact) {
		found.during = s.unusable[9];
		whole_settle(&w);
		whole_measure(&w, &s);
		assert_valid(w.zone);
	}
	found.settled = s.unusable[9];
	found.best = best_possible(w.t, s.free_pages);
	assert_int_equal(whole_close(&w), 0);
	return found;
}

/* The share of free memory that is unusable at order 9 is at most a third of the buddy allocator's, once the
 * workload pauses, and of some workloads at their last operation; what it is there is printed beside it. The one
 * excuse is that no movement could do better: the second seed has such a draw (docs/placement.md). */
static void
test_a_third(void **state)
{
	static const uint64_t seeds[] = {1, 6};

	NEEDS_LARGE_ZONE();
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(seeds) * LAB_ARRAY_SIZE(whole_workloads);
		i += STEP) {
		const struct whole_workload *load =
			&whole_workloads[i % LAB_ARRAY_SIZE(whole_workloads)];
		uint64_t seed = seeds[i / LAB_ARRAY_SIZE(whole_workloads)];
		int buddy = unusable_of(load, seed, LAB_ALLOCATOR_BUDDY).settled;
		struct found l = unusable_of(load, seed, LAB_ALLOCATOR_LABYRINTH);
		bool third = 3 * l.settled <= buddy;

		print_message("%4d buddy, %4d labyrinth, %4d settled%s: %s + %lu, seed %lu\n",
			buddy, l.during, l.settled, third ? "" : " (the best possible)", load->spec,
			load->churn, (unsigned long)seed);
		if (!third && l.settled > l.best)
			fail_msg("%d is over a third of %d, and %d is possible", l.settled, buddy,
				l.best);
		if (load->at_once && 3 * l.during > buddy)
			fail_msg("%d at the last operation is over a third of %d", l.during, buddy);
	}
}

/* ------------------------------------------------------------------- tenants */

static struct fixture
labyrinth_new(unsigned long pages, int prot)
{
	struct lab_zone_config cfg = lab_zone_config_default(pages);
	struct fixture f = {.len = pages * LAB_PAGE_SIZE};

	f.base = mmap(NULL, f.len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(f.base != MAP_FAILED);
	cfg.base = f.base;
	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	assert_int_equal(lab_zone_create(&f.zone, &cfg), 0);
	assert_int_equal(lab_tenants_create(&f.t, f.zone, 0), 0);
	return f;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct marks {
	const struct fixture *f;
	uint64_t *mark;
	unsigned long n;
};

static int
add_mark(const struct lab_block *b, void *arg)
{
	struct marks *m = arg;

	for (unsigned long i = 0; b->state == LAB_BLOCK_ALLOCATED && i < 1UL << b->order; i++)
		memcpy(&m->mark[m->n++], (char *)m->f->base + (b->pfn + i) * LAB_PAGE_SIZE,
			sizeof(uint64_t));
	return 0;
}

/** What the held frames begin with, sorted. */
static struct marks
marks_of(const struct fixture *f)
{
	struct marks m = {.f = f, .mark = calloc(f->len / LAB_PAGE_SIZE, sizeof(uint64_t))};

	assert_non_null(m.mark);
	lab_zone_walk(f->zone, add_mark, &m);
	qsort(m.mark, m.n, sizeof(*m.mark), by_number);
	return m;
}

/* A touched frame bears the number of the place where it was born; after the moves each mark is still there
 * once. That the marks lie in the right blocks is what the page tests show. */
static void
test_content_moves(void **state)
{
	const struct lab_compaction on = {.budget = 64, .every = 64};
	struct fixture f = labyrinth_new(ZONE_PAGES, PROT_READ | PROT_WRITE);
	struct lab_age_config cfg = config("churn,occupancy=0.4,touch=on,steer=off," WHOLE_ORDERS);
	struct lab_tenants_info info;
	struct marks before, after;
	unsigned long elsewhere = 0;

	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	assert_int_equal(lab_tenants_set_compaction(f.t, &on), 0);
	before = marks_of(&f);
	assert_true(lab_tenants_compact(f.t, ULONG_MAX) > 0);
	after = marks_of(&f);
	lab_tenants_info_get(f.t, &info);
	assert_true(info.moved > 0);
	assert_int_equal(before.n, info.pages);
	assert_int_equal(after.n, info.pages);
	assert_memory_equal(before.mark, after.mark, before.n * sizeof(uint64_t));
	for (unsigned long pfn = 0; pfn < f.len / LAB_PAGE_SIZE; pfn++) {
		uint64_t mark;

		memcpy(&mark, (char *)f.base + pfn * LAB_PAGE_SIZE, sizeof(mark));
		elsewhere += mark != 0 && mark != pfn;
	}
	assert_true(elsewhere > 0);
	free(before.mark);
	free(after.mark);
	fixture_free(&f, 0);
}

/* A seed is the same zone page by page, moves included. */
static void
test_same_seed(void **state)
{
	const struct lab_compaction on = {.budget = 64, .every = 64};
	struct lab_age_config cfg =
		config("lifetimes,occupancy=0.6,rounds=10,steer=off,seed=7," WHOLE_ORDERS);
	char *text[2];

	for (int i = 0; i < 2; i++) {
		struct lab_churn_config churn = {.rate = 1e6, .seed = 7};
		struct fixture f = labyrinth_new(ZONE_PAGES, PROT_NONE);
		struct lab_tenants_info info;

		assert_int_equal(lab_zone_set_pcp(f.zone, false), 0);
		assert_int_equal(lab_tenants_set_compaction(f.t, &on), 0);
		assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
		assert_int_equal(lab_tenants_set_churn(f.t, &churn), 0);
		for (uint64_t ns = 0; ns < 2000000; ns += 50000)
			lab_tenants_step(f.t, ns);
		assert_true(lab_tenants_compact(f.t, 100) >= 0);
		lab_tenants_info_get(f.t, &info);
		assert_true(ALL_CHECKED || info.moved > 0);
		text[i] = saved(f.t);
		fixture_free(&f, 0);
	}
	assert_string_equal(text[0], text[1]);
	free(text[0]);
	free(text[1]);
}

static void
test_settings(void **state)
{
	const struct lab_compaction on = {.budget = 64, .every = 64}, off = {0};
	const struct lab_compaction never = {.budget = 64};
	const struct lab_compaction huge = {.budget = UINT_MAX, .every = 64};
	struct fixture buddy = fixture_new(ZONE_PAGES);
	struct fixture f = labyrinth_new(ZONE_PAGES, PROT_NONE);

	assert_int_equal(lab_tenants_set_compaction(buddy.t, &on), -ENOTSUP);
	assert_int_equal(lab_tenants_set_compaction(buddy.t, &off), 0);
	assert_int_equal(lab_tenants_compact(buddy.t, ULONG_MAX), -ENOTSUP);
	assert_int_equal(lab_tenants_set_compaction(f.t, &never), -EINVAL);
	assert_int_equal(lab_tenants_set_compaction(f.t, &huge), -EINVAL);
	assert_int_equal(lab_tenants_compact(f.t, ULONG_MAX), -ENOENT);
	assert_int_equal(lab_tenants_set_compaction(f.t, &on), 0);
	assert_int_equal(lab_tenants_compact(f.t, ULONG_MAX), 0);
	assert_int_equal(lab_tenants_set_compaction(f.t, &off), 0);
	assert_int_equal(lab_tenants_compact(f.t, ULONG_MAX), -ENOENT);
	fixture_free(&buddy, 0);
	fixture_free(&f, 0);
}

/* With a target of the index it is met, compaction or not. */
static void
test_target(void **state)
{
	const struct lab_compaction on = {.budget = 64, .every = 64};
	struct fixture f = labyrinth_new(ZONE_PAGES, PROT_NONE);
	struct lab_age_config cfg = config("churn,occupancy=0.8,unusable=600@2");
	struct lab_age_result r;

	assert_int_equal(lab_tenants_set_compaction(f.t, &on), 0);
	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
	assert_int_equal(r.reason, LAB_AGE_REACHED);
	fixture_free(&f, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_third),
		cmocka_unit_test(test_content_moves),
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
