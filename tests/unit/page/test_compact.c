/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Compaction: whose blocks move, which do not, and that nothing is lost on the way, also while others
 * allocate and free. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "lab_watch.h"
#include "zone_fixture.h"

#define CHILD 512UL

/** Blocks of a test, found by their first frame. */
struct owner {
	struct lab_zone *zone;
	pthread_mutex_t lock;
	uint32_t *block; /* by pfn: 1 + order, 0: none here */
	void **slot;     /* by pfn: where the owner keeps the address */
	unsigned char *pinned;
	unsigned long asked, moved;
	bool refuse; /* after having said that it would move */
};

static int
move(void *arg, void *from, void *to, unsigned int order)
{
	struct owner *o = arg;
	unsigned long pfn = lab_page_to_pfn(o->zone, from), there;
	int rc = 0;

	/* nobody calls into the zone under it */
	pthread_mutex_lock(&o->lock);
	o->asked += to == NULL;
	if (o->block[pfn] != 1 + order)
		rc = -ENOENT;
	else if (o->pinned[pfn] || (o->refuse && to != NULL))
		rc = -EBUSY;
	if (rc == 0 && to != NULL) {
		there = lab_page_to_pfn(o->zone, to);
		memcpy(to, from, LAB_PAGE_SIZE << order);
		assert_int_equal(o->block[there], 0);
		o->block[there] = o->block[pfn];
		o->block[pfn] = 0;
		o->slot[there] = o->slot[pfn];
		*(void **)o->slot[there] = to;
		o->moved++;
	}
	pthread_mutex_unlock(&o->lock);
	return rc;
}

static void
owner_init(struct owner *o, struct lab_zone *zone, unsigned long frames)
{
	*o = (struct owner){.zone = zone};
	pthread_mutex_init(&o->lock, NULL);
	o->block = calloc(frames, sizeof(*o->block));
	o->slot = calloc(frames, sizeof(*o->slot));
	o->pinned = calloc(frames, 1);
	assert_true(o->block != NULL && o->slot != NULL && o->pinned != NULL);
	assert_int_equal(lab_zone_set_move(zone, move, o), 0);
}

static void
owner_free(struct owner *o)
{
	free(o->block);
	free(o->slot);
	free(o->pinned);
}

/** Every frame of the block bears the number and its place. */
static void
stamp(void *page, unsigned int order, uint64_t number)
{
	for (unsigned long i = 0; i < 1UL << order; i++) {
		uint64_t mark[2] = {number, i};

		memcpy((char *)page + i * LAB_PAGE_SIZE, mark, sizeof(mark));
	}
}

static void
check_stamp(const void *page, unsigned int order, uint64_t number)
{
	for (unsigned long i = 0; i < 1UL << order; i++) {
		uint64_t mark[2];

		memcpy(mark, (const char *)page + i * LAB_PAGE_SIZE, sizeof(mark));
		assert_int_equal(mark[0], number);
		assert_int_equal(mark[1], i);
	}
}

static bool
own(struct owner *o, lab_gfp_t gfp, void **at, unsigned int order, uint64_t number)
{
	void *page = lab_alloc_pages(o->zone, gfp, order);

	if (page == NULL)
		return false;
	stamp(page, order, number);
	pthread_mutex_lock(&o->lock);
	*at = page;
	o->block[lab_page_to_pfn(o->zone, page)] = 1 + order;
	o->slot[lab_page_to_pfn(o->zone, page)] = at;
	pthread_mutex_unlock(&o->lock);
	return true;
}

static void
disown(struct owner *o, void **at, unsigned int order, uint64_t number)
{
	void *page;

	pthread_mutex_lock(&o->lock);
	page = *at;
	o->block[lab_page_to_pfn(o->zone, page)] = 0;
	pthread_mutex_unlock(&o->lock);
	check_stamp(page, order, number);
	assert_int_equal(lab_free_pages(o->zone, page, order), 0);
}

static struct lab_zone *
zone_of(unsigned long frames, enum lab_allocator allocator)
{
	struct lab_zone_config cfg = lab_zone_config_default(frames);

	cfg.allocator = allocator;
	cfg.min_free_kbytes = 0;
	cfg.nr_cpus = 2;
	return make_zone(&cfg);
}

static void
check_zone(struct lab_zone *zone)
{
	lab_drain_all_pages(zone);
	assert_valid(zone);
}

static struct lab_zone_stats
stats(struct lab_zone *zone)
{
	struct lab_zone_stats s;

	lab_zone_stats_get(zone, &s);
	return s;
}

static unsigned long
whole(struct lab_zone *zone)
{
	struct lab_free_counts c;
	unsigned long n = 0;

	lab_drain_all_pages(zone);
	lab_zone_free_counts(zone, &c);
	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		n += c.blocks[9][mt] + 2 * c.blocks[10][mt];
	return n;
}

/** Four pageblocks of movable frames, of which every third stays. */
#define SPARSE (4 * CHILD)

static unsigned long
make_sparse(struct owner *o, void **page)
{
	unsigned long left = 0;

	lab_zone_set_pcp(o->zone, false);
	for (unsigned long i = 0; i < SPARSE; i++)
		assert_true(own(o, LAB_GFP_HIGHUSER_MOVABLE, &page[i], 0, i));
	for (unsigned long i = 0; i < SPARSE; i++) {
		if (i % 3 == 0) {
			left++;
			continue;
		}
		disown(o, &page[i], 0, i);
		page[i] = NULL;
	}
	return left;
}

static void
drop_sparse(struct owner *o, void **page)
{
	for (unsigned long i = 0; i < SPARSE; i++)
		if (page[i] != NULL)
			disown(o, &page[i], 0, i);
	check_zone(o->zone);
	assert_int_equal(lab_zone_destroy(o->zone), 0);
	owner_free(o);
}

/* -------------------------------------------------------------------- tests */

static void
test_arguments(void **state)
{
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	struct lab_zone *buddy = zone_of(8 * CHILD, LAB_ALLOCATOR_BUDDY);
	struct owner o;

	assert_int_equal(lab_zone_compact(z, 9, 64), -ENOENT);
	owner_init(&o, z, 8 * CHILD);
	assert_int_equal(lab_zone_compact(z, 0, 64), -EINVAL);
	assert_int_equal(lab_zone_compact(z, 11, 64), -EINVAL);
	assert_int_equal(lab_zone_compact(z, 9, 0), -EINVAL);
	assert_int_equal(lab_zone_compact(z, 9, UINT_MAX), -EINVAL);
	assert_int_equal(lab_zone_compact(buddy, 9, 64), -ENOTSUP);
	assert_int_equal(lab_zone_compact(z, 9, 64), 0);
	assert_int_equal(lab_zone_set_move(z, NULL, NULL), 0);
	assert_int_equal(lab_zone_compact(z, 9, 64), -ENOENT);
	owner_free(&o);
	lab_zone_destroy(z);
	lab_zone_destroy(buddy);
}

static unsigned long
reclaim_nothing(void *arg, unsigned long nr_pages, unsigned int order)
{
	(void)nr_pages;
	(void)order;
	++*(int *)arg;
	return 0;
}

/* A process registers both, and takes away one without the other. */
static void
test_beside_reclaim(void **state)
{
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	struct owner o;
	int calls = 0;
	void *page[16];

	assert_int_equal(lab_zone_set_reclaim(z, reclaim_nothing, &calls), 0);
	owner_init(&o, z, 8 * CHILD);
	assert_int_equal(lab_zone_compact(z, 9, 64), 0);
	for (int i = 0; i < 8; i++)
		page[i] = lab_alloc_pages(z, LAB_GFP_KERNEL, 9);
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 9));
	assert_true(calls > 0);
	assert_int_equal(lab_zone_set_reclaim(z, NULL, NULL), 0);
	assert_true(lab_zone_compact(z, 9, 64) != -ENOENT);
	for (int i = 0; i < 8; i++)
		assert_int_equal(lab_free_pages(z, page[i], 9), 0);
	owner_free(&o);
	lab_zone_destroy(z);
}

/* Two of four pageblocks hold all, within a budget a round; the contents are what they were. */
static void
test_makes_whole(void **state)
{
	static void *page[SPARSE];
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	unsigned long left, moved = 0, before;
	struct owner o;
	int rc;

	owner_init(&o, z, 8 * CHILD);
	left = make_sparse(&o, page);
	before = whole(z);
	while ((rc = lab_zone_compact(z, 9, 32)) > 0 || rc == -EAGAIN) {
		assert_true(rc <= 32);
		moved += rc > 0 ? (unsigned long)rc : 0;
		check_zone(z);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(moved, o.moved);
	assert_true(left > CHILD && left < 2 * CHILD);
	assert_int_equal(whole(z), 8 - 2);
	assert_int_equal(before, 4);
	assert_int_equal(stats(z).compact_pages, moved);
	assert_int_equal(stats(z).compact_moves, moved);
	assert_int_equal(stats(z).compact_whole, 2);
	assert_int_equal(stats(z).compact_refused, 0);
	drop_sparse(&o, page);
}

/* What is pinned or not the mover's stays, and so does all that is beside it. */
static void
test_pinned(void **state)
{
	static void *page[SPARSE];
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	unsigned long pfn[4] = {0};
	struct owner o;

	owner_init(&o, z, 8 * CHILD);
	make_sparse(&o, page);
	/* one frame of each pageblock: pinned in two, forgotten by the owner in the others */
	for (unsigned long i = 0; i < SPARSE; i += CHILD - CHILD % 3 + 3) {
		unsigned long at = lab_page_to_pfn(z, page[i]), c = i / CHILD;

		pfn[c] = at;
		o.pinned[at] = c < 2;
		o.block[at] = c < 2 ? 1 : 0;
	}
	for (int i = 0; i < 4; i++)
		assert_true(lab_zone_compact(z, 9, 1000) <= 0);
	assert_int_equal(o.moved, 0);
	assert_true(o.asked > 0);
	/* one becomes free to go */
	o.pinned[pfn[0]] = 0;
	assert_true(lab_zone_compact(z, 9, 1000) > 0);
	assert_int_equal(stats(z).compact_whole, 1);
	drop_sparse(&o, page);
}

/* An owner who changes his mind: the block taken for him goes back. */
static void
test_refused(void **state)
{
	static void *page[SPARSE];
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	struct lab_free_counts before, after;
	struct owner o;

	owner_init(&o, z, 8 * CHILD);
	make_sparse(&o, page);
	lab_zone_free_counts(z, &before);
	o.refuse = true;
	for (int i = 0; i < 4; i++)
		assert_true(lab_zone_compact(z, 9, 1000) <= 0);
	lab_zone_free_counts(z, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(stats(z).compact_refused > 0);
	assert_int_equal(stats(z).compact_moves, 0);
	drop_sparse(&o, page);
}

/* Blocks of every order up to 8 move as blocks, frames in their order. */
static void
test_orders(void **state)
{
	struct lab_zone *z = zone_of(16 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	void *page[256] = {NULL};
	unsigned int order[256], n = 0;
	struct owner o;

	owner_init(&o, z, 16 * CHILD);
	lab_zone_set_pcp(z, false);
	for (; n < 256; n++) {
		order[n] = n % 9;
		if (!own(&o, LAB_GFP_HIGHUSER_MOVABLE, &page[n], order[n], n))
			break;
	}
	for (unsigned int i = 0; i < n; i++)
		if (i % 4 != 0) {
			disown(&o, &page[i], order[i], i);
			page[i] = NULL;
		}
	while (lab_zone_compact(z, 9, 100) != 0)
		continue;
	assert_true(o.moved > 0);
	assert_true(stats(z).compact_pages > stats(z).compact_moves);
	check_zone(z);
	for (unsigned int i = 0; i < n; i++)
		if (page[i] != NULL)
			disown(&o, &page[i], order[i], i);
	check_zone(z);
	assert_int_equal(whole(z), 16);
	assert_int_equal(lab_zone_destroy(z), 0);
	owner_free(&o);
}

/* For order 10 only pageblocks beside a free one are worth the moves. */
static void
test_pairs(void **state)
{
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	static void *page[8 * CHILD];
	struct owner o;

	owner_init(&o, z, 8 * CHILD);
	lab_zone_set_pcp(z, false);
	for (unsigned long i = 0; i < 8 * CHILD; i++)
		assert_true(own(&o, LAB_GFP_HIGHUSER_MOVABLE, &page[i], 0, i));
	/* 0 and 1 half used, 2 free, 3 sparse, the others full */
	for (unsigned long i = 0; i < 8 * CHILD; i++) {
		unsigned long pfn = lab_page_to_pfn(z, page[i]), c = pfn / CHILD;

		if ((c < 2 && pfn % 2) || c == 2 || (c == 3 && pfn % 4)) {
			disown(&o, &page[i], 0, i);
			page[i] = NULL;
		}
	}
	assert_int_equal(lab_zone_compact(z, 10, 1000), CHILD / 4);
	assert_int_equal(stats(z).compact_whole, 1);
	assert_int_equal(lab_zone_compact(z, 10, 1000), 0);
	assert_true(lab_alloc_pages(z, LAB_GFP_KERNEL, 10) == lab_pfn_to_page(z, 2 * CHILD));
	assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, 2 * CHILD), 10), 0);
	for (unsigned long i = 0; i < 8 * CHILD; i++)
		if (page[i] != NULL)
			disown(&o, &page[i], 0, i);
	check_zone(z);
	assert_int_equal(lab_zone_destroy(z), 0);
	owner_free(&o);
}

/* It is one of the works of the background. */
static void
test_background(void **state)
{
	static void *page[SPARSE];
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	struct owner o;

	owner_init(&o, z, 8 * CHILD);
	make_sparse(&o, page);
	assert_int_equal(lab_zone_set_move(z, NULL, NULL), 0);
	assert_int_equal(lab_zone_background(z, 64), 0);
	assert_int_equal(lab_zone_set_move(z, move, &o), 0);
	for (int i = 0; i < 40; i++)
		assert_true(lab_zone_background(z, 64) <= 64);
	assert_int_equal(lab_zone_background(z, UINT_MAX), 0);
	assert_int_equal(whole(z), 6);
	drop_sparse(&o, page);
}

/* Owner tags and guarded mode see a move: the new place says whose it is, the old one is free. */
static void
test_watched(void **state)
{
	static void *page[SPARSE];
	struct lab_zone *z = zone_of(8 * CHILD, LAB_ALLOCATOR_LABYRINTH);
	const struct lab_guard_config guard = {0};
	struct lab_watch_info info;
	struct lab_owner_info who[4];
	unsigned long left;
	unsigned int n;
	uint32_t before;
	struct owner o;
	int rc;

	owner_init(&o, z, 8 * CHILD);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	assert_int_equal(lab_zone_set_guard(z, &guard), 0);
	before = lab_owner_set(77);
	left = make_sparse(&o, page);
	lab_owner_set(78);
	while ((rc = lab_zone_compact(z, 9, 32)) > 0 || rc == -EAGAIN)
		continue;
	assert_true(o.moved > 0);
	assert_int_equal(whole(z), 6);
	n = lab_zone_owners_top(z, who, LAB_ARRAY_SIZE(who));
	assert_int_equal(n, 1);
	assert_int_equal(who[0].owner, 77);
	assert_int_equal(who[0].pages, left);
	lab_owner_set(before);
	for (unsigned long i = 0; i < SPARSE; i++)
		if (page[i] != NULL)
			disown(&o, &page[i], 0, i);
	lab_zone_watch_info(z, &info);
	assert_int_equal(info.guard_findings, 0);
	check_zone(z);
	assert_int_equal(lab_zone_destroy(z), 0);
	owner_free(&o);
}

/* ------------------------------------------------------------- concurrency */

#define WORKERS 2
#define HELD    1500
#define FRAMES  (16 * CHILD)
#define OPS     (LAB_ASSERT_TIER >= 1 ? 50000UL : 500000UL)

struct worker {
	struct owner *o;
	uint64_t seed;
	unsigned long ops, served;
	void *page[HELD];
	unsigned char order[HELD];
	bool held[HELD]; /* the page is under the owner's lock, this is the worker's alone */
};

static _Atomic int running;

/** Long enough, also where the compactors were not scheduled meanwhile: they are to have moved something. */
static bool
is_done(const struct worker *w, unsigned long n)
{
	if (n < w->ops || n % 1024 != 0)
		return false;
	return n >= 100 * w->ops || stats(w->o->zone).compact_moves > 0;
}

/** Allocates and frees random blocks of its own and finds each as it left it. */
static void *
work(void *arg)
{
	struct worker *w = arg;
	uint64_t x = w->seed;

	for (unsigned long n = 0; !is_done(w, n); n++) {
		unsigned int i;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		i = (unsigned int)(x >> 33) % HELD;
		if (w->held[i]) {
			disown(w->o, &w->page[i], w->order[i], w->seed * HELD + i);
			w->held[i] = false;
		} else {
			w->order[i] = (x >> 20) % 8 == 0 ? 3 : 0;
			w->held[i] = own(w->o, LAB_GFP_HIGHUSER_MOVABLE, &w->page[i], w->order[i],
				w->seed * HELD + i);
			w->served += w->held[i];
		}
	}
	for (unsigned int i = 0; i < HELD; i++)
		if (w->held[i])
			disown(w->o, &w->page[i], w->order[i], w->seed * HELD + i);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void *
compact(void *arg)
{
	while (atomic_load(&running) > 0)
		lab_zone_compact(arg, 9, 64);
	return NULL;
}

/* Two compactors among two who allocate and free: each block stays its owner's, with its content. */
static void
test_concurrent(void **state)
{
	struct lab_zone *z = zone_of(FRAMES, LAB_ALLOCATOR_LABYRINTH);
	static struct worker w[WORKERS];
	pthread_t worker[WORKERS], compactor[2];
	struct owner o;

	owner_init(&o, z, FRAMES);
	atomic_store(&running, WORKERS);
	for (unsigned int i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){.o = &o, .seed = i + 1, .ops = OPS};
		assert_int_equal(pthread_create(&worker[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&compactor[i], NULL, compact, z), 0);
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(worker[i], NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(compactor[i], NULL);
	for (unsigned long pfn = 0; pfn < FRAMES; pfn++)
		assert_int_equal(o.block[pfn], 0);
	for (unsigned int i = 0; i < WORKERS; i++)
		assert_true(w[i].served > 0);
	check_zone(z);
	print_message("%lu blocks moved, %lu pageblocks made whole, %lu moves refused\n", o.moved,
		(unsigned long)stats(z).compact_whole, (unsigned long)stats(z).compact_refused);
	assert_true(o.moved > 0);
	assert_int_equal(stats(z).compact_moves, o.moved);
	assert_int_equal(stats(z).bad_free, 0);
	assert_int_equal(whole(z), FRAMES / CHILD);
	assert_int_equal(lab_zone_destroy(z), 0);
	owner_free(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_beside_reclaim),
		cmocka_unit_test(test_makes_whole),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_watched),
		cmocka_unit_test(test_concurrent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
