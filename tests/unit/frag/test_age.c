/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The models: seeded, on target, honest about what cannot be had. */
#include "frag_test.h"

static const char *const model_names[] = {"churn", "scatter", "lifetimes", "adversary"};

/** The result says what a walk of the zone says. */
static void
assert_result_true(
	struct fixture *f, const struct lab_age_config *cfg, const struct lab_age_result *r)
{
	struct walked w = walk(f->zone);
	struct lab_tenants_info info;

	lab_tenants_info_get(f->t, &info);
	assert_int_equal(w.pcp, 0);
	assert_int_equal(r->managed, w.managed);
	assert_int_equal(r->free, w.free);
	assert_int_equal(r->held_pages, info.pages);
	assert_int_equal(r->held_blocks, info.blocks);
	assert_true(fabs(r->occupancy - 1.0 + (double)w.free / (double)w.managed) < 1e-12);
	assert_true(fabs(r->occupancy_error - r->occupancy + cfg->occupancy) < 1e-12);
	assert_int_equal(r->order, cfg->order);
	assert_int_equal(r->unusable, walked_unusable(&w, cfg->order));
	if (cfg->unusable != LAB_AGE_NO_UNUSABLE)
		assert_int_equal(r->unusable_error, r->unusable - cfg->unusable);
	assert_valid(f->zone);
}

static void
age_to(unsigned long pages, const char *spec)
{
	struct fixture f = fixture_new(pages);
	struct lab_age_config cfg = config(spec);
	struct lab_age_result r;
	int rc = lab_age(f.t, &cfg, &r, NULL, NULL);

	if (rc != 0)
		fail_msg("%lu frames, %s: %d, %s", pages, spec, rc, r.text);
	assert_int_equal(r.reason, LAB_AGE_REACHED);
	assert_result_true(&f, &cfg, &r);
	/* Half a frame is what an occupancy can be off by at best. */
	assert_true(r.occupancy_error <= cfg.occupancy_tolerance + 1.0 / (double)pages);
	assert_true(r.occupancy_error >= -cfg.occupancy_tolerance - 1.0 / (double)pages);
	if (cfg.unusable != LAB_AGE_NO_UNUSABLE)
		assert_true(abs(r.unusable_error) <= cfg.unusable_tolerance);
	assert_true(r.held_pages == r.managed - r.free);
	fixture_free(&f, 0);
}

static void
occupancy_is_reached(void **state)
{
	static const unsigned long sizes[] = {700, 2048, 5000, 16384, 65536};
	const unsigned int nr_sizes = ALL_CHECKED ? 1 : LAB_ARRAY_SIZE(sizes);
	static const char *const targets[] = {"0.1", "0.5", "0.9"};
	char spec[64];

	for (unsigned int s = 0; s < nr_sizes; s++)
		for (unsigned int m = 0; m < LAB_ARRAY_SIZE(model_names); m++)
			for (unsigned int t = 0; t < LAB_ARRAY_SIZE(targets); t++) {
				snprintf(spec, sizeof(spec), "%s,occupancy=%s", model_names[m],
					targets[t]);
				age_to(sizes[s], spec);
			}
}

static void
unusable_is_reached(void **state)
{
	/* One block of the order is at most 10 of 1000 of the free frames in each of these zones. */
	static const struct {
		unsigned long pages;
		const char *target;
	} cases[] = {
		{1024, "occupancy=0.5,unusable=600@2"},
		{1024, "occupancy=0.3,unusable=400@2"},
		{1024, "occupancy=0.7,unusable=300@1"},
		{16384, "occupancy=0.5,unusable=600@2"},
		{16384, "occupancy=0.7,unusable=950@3"},
		{16384, "occupancy=0.9,unusable=300@1"},
		{20000, "occupancy=0.4,unusable=500@5"},
		{65536, "occupancy=0.5,unusable=200@3"},
		{65536, "occupancy=0.8,unusable=800@4"},
		{131072, "occupancy=0.3,unusable=400@9"},
		{131072, "occupancy=0.2,unusable=900@9"},
		{131072, "occupancy=0.05,unusable=750@6"},
	};
	const unsigned int nr_cases = ALL_CHECKED ? 3 : LAB_ARRAY_SIZE(cases);
	char spec[96];

	for (unsigned int c = 0; c < nr_cases; c++)
		for (unsigned int m = 0; m < LAB_ARRAY_SIZE(model_names); m++) {
			snprintf(spec, sizeof(spec), "%s,seed=%u,%s", model_names[m], c + 1,
				cases[c].target);
			age_to(cases[c].pages, spec);
		}
}

static void
the_same_seed_makes_the_same_zone(void **state)
{
	static const char *const targets[] = {"occupancy=0.6", "occupancy=0.6,unusable=700@2"};
	char spec[96];

	for (unsigned int i = 0; i < 2 * LAB_ARRAY_SIZE(model_names); i++) {
		struct lab_age_result r[3];
		char *text[3];

		for (int k = 0; k < 3; k++) {
			struct fixture f = fixture_new(ZONE_PAGES / 2);
			struct lab_age_config cfg;

			snprintf(spec, sizeof(spec), "%s,%s,seed=%d", model_names[i / 2],
				targets[i % 2], k == 2 ? 8 : 7);
			cfg = config(spec);
			assert_int_equal(lab_age(f.t, &cfg, &r[k], NULL, NULL), 0);
			text[k] = saved(f.t);
			fixture_free(&f, 0);
		}
		assert_string_equal(text[0], text[1]);
		assert_string_equal(r[0].text, r[1].text);
		assert_int_equal(r[0].allocs, r[1].allocs);
		assert_int_equal(r[0].steered, r[1].steered);
		assert_string_not_equal(text[0], text[2]);
		for (int k = 0; k < 3; k++)
			free(text[k]);
	}
}

static int
unusable_at(struct lab_zone *zone, unsigned int order)
{
	struct lab_frag_row rows[LAB_NR_ORDERS];

	lab_frag_table(zone, rows);
	return rows[order].unusable;
}

static void
ageing_fragments(void **state)
{
	for (unsigned int m = 0; m < LAB_ARRAY_SIZE(model_names); m++) {
		struct fixture f = fixture_new(ZONE_PAGES);
		struct lab_age_config cfg = config(model_names[m]);
		struct lab_frag_row rows[LAB_NR_ORDERS];
		struct lab_age_result r;

		assert_int_equal(unusable_at(f.zone, LAB_PAGEBLOCK_ORDER), 0);
		assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
		lab_frag_table(f.zone, rows);
		/* A larger block is never more usable than a smaller one. */
		for (int o = 1; o < LAB_NR_ORDERS; o++)
			assert_true(rows[o].unusable >= rows[o - 1].unusable);
		/* Memory that never was full keeps a part that was never used. */
		assert_true(rows[LAB_PAGEBLOCK_ORDER].unusable >
			    (cfg.model == LAB_AGE_LIFETIMES ? 50 : 900));
		fixture_free(&f, 0);
	}
}

/** LLFree's finding for Linux: half of the memory freed page by page leaves no pageblock whole. */
static void
churn_leaves_no_pageblock_whole(void **state)
{
	struct fixture f;
	struct lab_age_config cfg = config("churn,steer=off");
	struct lab_frag_histogram h;

	NEEDS_LARGE_ZONE();
	f = fixture_new(65536);
	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	assert_int_equal(lab_frag_histogram(f.zone, &h), 0);
	assert_int_equal(h.entirely_free, 0);
	fixture_free(&f, 0);
}

static void
scatter_holds_unmovable_everywhere(void **state)
{
	struct fixture f;
	struct lab_age_config cfg = config("scatter,occupancy=0.1,unmovable=0.5");
	struct lab_tenants_info info;
	struct lab_age_result r;

	NEEDS_LARGE_ZONE();
	f = fixture_new(65536);
	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
	lab_tenants_info_get(f.t, &info);
	assert_in_range(
		info.pages_mt[LAB_MIGRATE_UNMOVABLE], info.pages / 2 - 16, info.pages / 2 + 16);
	/* 3277 unmovable pages over 128 pageblocks, 26 each, miss none of them. */
	lab_tenants_reclaim(f.t, ULONG_MAX, 0);
	lab_drain_all_pages(f.zone);
	assert_int_equal(unusable_at(f.zone, LAB_PAGEBLOCK_ORDER), 1000);
	fixture_free(&f, 0);
}

static void
adversary_holds_one_frame_a_block(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config cfg = config("adversary,order=3,occupancy=0.125");
	struct lab_age_result r;

	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
	assert_int_equal(r.held_pages, ZONE_PAGES / 8);
	assert_int_equal(r.unusable, 1000);
	fixture_free(&f, 0);
}

static void
lifetimes_follow_the_sizes(void **state)
{
	struct fixture f;
	struct lab_age_config cfg = config("lifetimes,orders=0:4/3:1,occupancy=0.6");
	struct lab_tenants_info info;

	NEEDS_LARGE_ZONE();
	f = fixture_new(65536);
	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	lab_tenants_info_get(f.t, &info);
	assert_int_equal(info.blocks, info.blocks_order[0] + info.blocks_order[3] +
					      info.blocks_order[1] + info.blocks_order[2]);
	/* One in five; where an order was refused smaller blocks stand for it. */
	assert_in_range(info.blocks_order[3], info.blocks * 16 / 100, info.blocks * 24 / 100);
	fixture_free(&f, 0);
}

/* ------------------------------------------------------------ what cannot be */

static void
expect(struct fixture *f, const char *spec, int rc, enum lab_age_reason reason)
{
	struct lab_age_config cfg = config(spec);
	struct lab_age_result r;
	int got = lab_age(f->t, &cfg, &r, NULL, NULL);

	if (got != rc || r.reason != reason)
		fail_msg("%s: %d, %s; expected %d, %s", spec, got, r.text, rc,
			lab_age_reason_name(reason));
	assert_true(r.text[0] != '\0');
	assert_result_true(f, &cfg, &r);
}

static void
contradictions_change_nothing(void **state)
{
	static const char *const specs[] = {
		"churn,occupancy=0,unusable=1000@9",       /* a free zone is usable */
		"churn,occupancy=0.9999,unusable=100@9",   /* less free than one block */
		"lifetimes,occupancy=0.5,unusable=500@0",  /* every free frame is one frame */
		"scatter,occupancy=0.0001,unusable=900@2", /* too few frames to break so much */
		"adversary,occupancy=1,unusable=0@1",      /* nothing is free */
	};
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config cfg = config("churn");
	char *before, *after;

	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	before = saved(f.t);
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(specs); i++)
		expect(&f, specs[i], -ERANGE, LAB_AGE_IMPOSSIBLE);
	after = saved(f.t);
	assert_string_equal(before, after);
	free(before);
	free(after);
	fixture_free(&f, 0);
}

static void
a_zone_smaller_than_the_order(void **state)
{
	struct fixture f = fixture_new_prot(600, 0, 0, PROT_NONE);

	expect(&f, "churn,occupancy=0.5,unusable=500@10", -ERANGE, LAB_AGE_IMPOSSIBLE);
	expect(&f, "churn,occupancy=0.5,unusable=1000@10", 0, LAB_AGE_REACHED);
	fixture_free(&f, 0);
	f = fixture_new_prot(1, 0, 0, PROT_NONE);
	expect(&f, "churn,occupancy=1", 0, LAB_AGE_REACHED);
	expect(&f, "lifetimes,occupancy=0", 0, LAB_AGE_REACHED);
	fixture_free(&f, 0);
}

static void
the_gate_holds_for_tenants(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_zone_info info;
	struct lab_age_config cfg = config("churn,occupancy=1");
	struct lab_age_result r;

	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), -ENOSPC);
	assert_int_equal(r.reason, LAB_AGE_REFUSED);
	assert_int_equal(r.cause, LAB_CAUSE_WATERMARK);
	assert_true(r.refused > 0);
	lab_zone_info_get(f.zone, &info);
	/* GFP_KERNEL is served while more than min is free, and not below. */
	assert_int_equal(info.nr_free, info.wmark.min);
	assert_result_true(&f, &cfg, &r);
	assert_int_equal(lab_zone_set_min_free_kbytes(f.zone, 0), 0);
	expect(&f, "churn,occupancy=1", 0, LAB_AGE_REACHED);
	expect(&f, "lifetimes,occupancy=0.999", 0, LAB_AGE_REACHED);
	fixture_free(&f, 0);
}

static void
too_few_slots(void **state)
{
	struct fixture f = fixture_new_prot(4096, 0, 100, PROT_NONE);

	expect(&f, "lifetimes,occupancy=0.5,orders=0:1", -ENOSPC, LAB_AGE_NO_SLOT);
	assert_int_equal(walk(f.zone).allocated, 100);
	expect(&f, "lifetimes,occupancy=0.5,orders=8:1", 0, LAB_AGE_REACHED);
	fixture_free(&f, 0);
}

static void
steering_off_is_said(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config cfg = config("lifetimes,occupancy=0.5,unusable=10@4,steer=off");
	struct lab_age_result r;

	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), -ENOSPC);
	assert_int_equal(r.reason, LAB_AGE_NOT_CONVERGED);
	assert_int_equal(r.steered, 0);
	assert_result_true(&f, &cfg, &r);
	cfg.steer = true;
	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
	assert_true(r.steered > 0);
	fixture_free(&f, 0);
}

/** 32 regions, 11469 free frames: one region is 44 of 1000, so 419 is next to 400. */
static void
as_near_as_blocks_allow(void **state)
{
	struct fixture f;
	struct lab_age_config cfg = config("scatter,occupancy=0.3,unusable=400@9");
	struct lab_age_result r;

	NEEDS_LARGE_ZONE();
	f = fixture_new(16384);
	expect(&f, "scatter,occupancy=0.3,unusable=400@9", -ENOSPC, LAB_AGE_TOO_COARSE);
	cfg.unusable_tolerance = 20;
	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
	assert_int_equal(r.unusable, 419);
	fixture_free(&f, 0);
}

/** Large blocks have to be split before an index of small ones can rise at the same occupancy. */
static void
large_holds_are_split(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);

	expect(&f, "churn,occupancy=0.4,orders=8:1,unusable=600@2", 0, LAB_AGE_REACHED);
	expect(&f, "lifetimes,occupancy=0.4,orders=10:1,unusable=900@5", 0, LAB_AGE_REACHED);
	fixture_free(&f, 0);
}

/* ------------------------------------------------------------------- others */

static void
others_are_counted_and_kept(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	void *pages[1024];
	int nr = (int)(ZONE_PAGES / 16);

	/* Blocks of 8 frames: half of the zone. */
	for (int i = 0; i < nr; i++) {
		pages[i] = lab_alloc_pages(f.zone, LAB_GFP_KERNEL, 3);
		assert_non_null(pages[i]);
	}
	expect(&f, "churn,occupancy=0.4", -ERANGE, LAB_AGE_OTHERS);
	expect(&f, "churn,occupancy=0.6,unusable=600@2", 0, LAB_AGE_REACHED);
	expect(&f, "scatter,occupancy=0.8", 0, LAB_AGE_REACHED);
	expect(&f, "adversary,occupancy=0.7,unusable=900@3", 0, LAB_AGE_REACHED);
	expect(&f, "lifetimes,occupancy=0.75", 0, LAB_AGE_REACHED);
	/* Nobody else's block was freed. */
	for (int i = 0; i < nr; i++)
		assert_int_equal(lab_free_pages(f.zone, pages[i], 3), 0);
	fixture_free(&f, 0);
}

static void
an_offline_part_is_left_alone(void **state)
{
	const unsigned long pages = ALL_CHECKED ? 2048 : 8192;
	struct lab_zone_config zc = lab_zone_config_default(pages);
	struct fixture f = {.len = pages * LAB_PAGE_SIZE};

	f.base = mmap(NULL, f.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(f.base != MAP_FAILED);
	zc.base = f.base;
	zc.offline = true;
	assert_int_equal(lab_zone_create(&f.zone, &zc), 0);
	assert_int_equal(lab_tenants_create(&f.t, f.zone, 0), 0);
	struct lab_age_config cfg = config("churn");
	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), -EINVAL); /* nothing is managed */
	assert_int_equal(
		lab_zone_online(f.zone, (char *)f.base + 300 * LAB_PAGE_SIZE, pages - 400), 0);
	expect(&f, "churn,occupancy=0.5,unusable=600@2", 0, LAB_AGE_REACHED);
	expect(&f, "scatter,occupancy=0.3", 0, LAB_AGE_REACHED);
	fixture_free(&f, 0);
}

/* ------------------------------------------------------------------ manners */

static int
cancel_late(void *arg, unsigned long done, unsigned long total)
{
	unsigned int *left = arg;

	assert_true(done <= total);
	return (*left)-- == 0;
}

static void
cancelling_leaves_a_valid_zone(void **state)
{
	for (unsigned int m = 0; m < LAB_ARRAY_SIZE(model_names); m++)
		for (unsigned int calls = 0; calls < 12; calls += 3) {
			struct fixture f = fixture_new(ALL_CHECKED ? 1024 : 65536);
			struct lab_age_config cfg = config(model_names[m]);
			struct lab_age_result r;
			unsigned int left = calls;

			cfg.unusable = 600;
			cfg.order = 2;
			if (lab_age(f.t, &cfg, &r, cancel_late, &left) != 0)
				assert_int_equal(r.reason, LAB_AGE_CANCELLED);
			assert_valid(f.zone);
			fixture_free(&f, 0);
		}
}

struct monotone {
	unsigned long last, calls;
};

static int
watch(void *arg, unsigned long done, unsigned long total)
{
	struct monotone *m = arg;

	assert_true(done >= m->last && done <= total);
	m->last = done;
	m->calls++;
	return 0;
}

static void
progress_rises_to_the_total(void **state)
{
	struct fixture f = fixture_new(ALL_CHECKED ? 2048 : 65536);
	struct lab_age_config cfg = config("churn");
	struct monotone m = {0};

	assert_int_equal(lab_age(f.t, &cfg, NULL, watch, &m), 0);
	assert_true(m.calls > (ALL_CHECKED ? 0 : 10));
	assert_true(m.last > 0);
	fixture_free(&f, 0);
}

static int
age_again(void *arg, unsigned long done, unsigned long total)
{
	struct fixture *f = arg;
	struct lab_age_config cfg = config("churn");

	assert_int_equal(lab_age(f->t, &cfg, NULL, NULL, NULL), -EBUSY);
	assert_int_equal(lab_tenants_step(f->t, 1), 0);
	assert_int_equal(lab_tenants_reclaim(f->t, 1, 0), 0);
	return 0;
}

static void
busy_tenants_do_not_block(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config cfg = config("churn");

	assert_int_equal(lab_age(f.t, &cfg, NULL, age_again, &f), 0);
	fixture_free(&f, 0);
}

static void
bad_configurations_are_refused(void **state)
{
	struct fixture f = fixture_new(1024);
	struct lab_age_config good = config("churn"), cfg;
	struct lab_age_result r;

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		char err[128] = "";                                                                \
		cfg = good;                                                                        \
		change;                                                                            \
		assert_int_equal(lab_age_check(&cfg, err, sizeof(err)), -EINVAL);                  \
		assert_true(err[0] != '\0');                                                       \
		assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), -EINVAL);                     \
	} while (0)

	REFUSED(cfg.model = LAB_NR_AGE_MODELS);
	REFUSED(cfg.occupancy = 1.01);
	REFUSED(cfg.occupancy = -0.01);
	REFUSED(cfg.occupancy = NAN);
	REFUSED(cfg.occupancy_tolerance = -1);
	REFUSED(cfg.unusable = 1001);
	REFUSED(cfg.unusable = -2);
	REFUSED(cfg.unusable_tolerance = -1);
	REFUSED(cfg.order = LAB_MAX_ORDER + 1);
	REFUSED(cfg.rounds = UINT_MAX);
	REFUSED(cfg.round_share = 1.5);
	REFUSED(cfg.unmovable = 0.7; cfg.reclaimable = 0.7);
	REFUSED(memset(cfg.order_weight, 0, sizeof(cfg.order_weight)));
	REFUSED(cfg.order_weight[3] = -1);
	REFUSED(cfg.order_weight[3] = INFINITY);
	REFUSED(cfg.short_life = 0);
	REFUSED(cfg.long_life = NAN);
	REFUSED(cfg.long_share = 2);
	REFUSED(cfg.model = LAB_AGE_ADVERSARY; cfg.order = 0);
	REFUSED(cfg.model = LAB_AGE_SCATTER; cfg.unmovable = 0);
#undef REFUSED
	assert_int_equal(walk(f.zone).allocated, 0);
	fixture_free(&f, 0);
}

static void
pages_are_written_only_when_asked(void **state)
{
	/* Every other test runs on frames that fault when touched. */
	struct fixture f = fixture_new_prot(2048, 0, 0, PROT_READ | PROT_WRITE);
	struct lab_age_config cfg = config("lifetimes,occupancy=0.5,rounds=0,touch=on");
	struct lab_age_result r;
	unsigned long written = 0;

	assert_int_equal(lab_age(f.t, &cfg, &r, NULL, NULL), 0);
	for (unsigned long i = 1; i < 2048; i++) {
		uint64_t v;

		memcpy(&v, (char *)f.base + i * LAB_PAGE_SIZE, sizeof(v));
		assert_true(v == 0 || v == i);
		written += v == i;
	}
	assert_true(written >= 1023);
	fixture_free(&f, 0);
}

static void
tenants_held_before_are_given_back(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config full = config("churn,occupancy=0.9"),
			      none = config("churn,occupancy=0");
	struct lab_age_result r;

	assert_int_equal(lab_age(f.t, &full, &r, NULL, NULL), 0);
	assert_int_equal(lab_age(f.t, &none, &r, NULL, NULL), 0);
	assert_int_equal(r.held_blocks, 0);
	assert_int_equal(walk(f.zone).allocated, 0);
	fixture_free(&f, 0);
}

static void
names_are_complete(void **state)
{
	for (int i = 0; i < LAB_NR_AGE_MODELS; i++) {
		assert_string_equal(lab_age_model_name((enum lab_age_model)i), model_names[i]);
		assert_non_null(lab_age_model_help((enum lab_age_model)i));
	}
	assert_null(lab_age_model_name(LAB_NR_AGE_MODELS));
	for (int i = 0; i < LAB_NR_AGE_REASONS; i++)
		assert_non_null(lab_age_reason_name((enum lab_age_reason)i));
	assert_null(lab_age_reason_name(LAB_NR_AGE_REASONS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(occupancy_is_reached),
		cmocka_unit_test(unusable_is_reached),
		cmocka_unit_test(the_same_seed_makes_the_same_zone),
		cmocka_unit_test(ageing_fragments),
		cmocka_unit_test(churn_leaves_no_pageblock_whole),
		cmocka_unit_test(scatter_holds_unmovable_everywhere),
		cmocka_unit_test(adversary_holds_one_frame_a_block),
		cmocka_unit_test(lifetimes_follow_the_sizes),
		cmocka_unit_test(contradictions_change_nothing),
		cmocka_unit_test(a_zone_smaller_than_the_order),
		cmocka_unit_test(the_gate_holds_for_tenants),
		cmocka_unit_test(too_few_slots),
		cmocka_unit_test(steering_off_is_said),
		cmocka_unit_test(as_near_as_blocks_allow),
		cmocka_unit_test(large_holds_are_split),
		cmocka_unit_test(others_are_counted_and_kept),
		cmocka_unit_test(an_offline_part_is_left_alone),
		cmocka_unit_test(cancelling_leaves_a_valid_zone),
		cmocka_unit_test(progress_rises_to_the_total),
		cmocka_unit_test(busy_tenants_do_not_block),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(pages_are_written_only_when_asked),
		cmocka_unit_test(tenants_held_before_are_given_back),
		cmocka_unit_test(names_are_complete),
	};

	return cmocka_run_group_tests_name("age", tests, NULL, NULL);
}
