/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_reclaim.c
 * Requests that may wait, the reclaimers of processes, and kswapd's rounds.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zone_fixture.h"

#define PAGES 4096UL
#define MIN   1000UL /* gap = max(250, 4) */

/** A page cache: what it holds it can give back. */
struct cache {
	struct lab_zone *z;
	void *pages[PAGES];
	unsigned int nr, calls;
	unsigned long wanted; /**< by the last call */
	unsigned int order;   /**< of the last call */
	unsigned int most;    /**< given back by one call */
	bool allocates;       /**< needs a page itself to do so */
	void *own;
};

static unsigned long
shrink(void *arg, unsigned long nr_pages, unsigned int order)
{
	struct cache *c = arg;
	unsigned long n = 0;

	c->calls++;
	c->wanted = nr_pages;
	c->order = order;
	assert_int_equal(lab_zone_kswapd(c->z), 0); /* does not call back */
	if (c->allocates)
		c->own = lab_alloc_pages(c->z, LAB_GFP_KERNEL, 0);
	for (; n < nr_pages && n < c->most && c->nr > 0; n++)
		assert_int_equal(lab_free_pages(c->z, c->pages[--c->nr], 0), 0);
	if (c->own != NULL)
		assert_int_equal(lab_free_pages(c->z, c->own, 0), 0);
	return n;
}

/** A zone with `left` free pages and the others in the cache. */
static struct lab_zone *
make_cached_zone(struct cache *c, unsigned long left)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	*c = (struct cache){.z = z, .most = PAGES};
	while (free_pages(z) > left)
		c->pages[c->nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_int_equal(lab_zone_set_reclaim(z, shrink, c), 0);
	lab_zone_kswapd(z);
	c->calls = 0;
	return z;
}

static struct cache cache;

static void
test_direct(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	cache = (struct cache){.z = z, .most = PAGES};
	while (free_pages(z) > 1000)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 0)); /* nobody to free anything */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(lab_zone_set_reclaim(z, shrink, &cache), 0);
	assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0)); /* may not wait */
	assert_int_equal(cache.calls, 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 0));
	assert_int_equal(cache.calls, 1);
	assert_int_equal(cache.wanted, 1500 + 1 - 1000); /* up to the high mark and the page */
	assert_int_equal(zone_stats(z).direct_reclaim, 2);
	assert_int_equal(zone_stats(z).reclaimed_pages, 501);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** Little by little: rounds go on while there is progress; NORETRY makes but one. */
static void
test_rounds(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	cache = (struct cache){.z = z, .most = 10};
	while (free_pages(z) > 950)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_int_equal(lab_zone_set_reclaim(z, shrink, &cache), 0);
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL | __LAB_GFP_NORETRY, 0));
	assert_int_equal(cache.calls, 1); /* 960 */
	assert_non_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 0));
	assert_int_equal(cache.calls, 6); /* 970 ... 1010 */
	lab_zone_destroy(z);
}

/** Costly orders are not tried over and over unless RETRY_MAYFAIL asks for it. */
static void
test_costly(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	cache = (struct cache){.z = z, .most = 1};
	while (free_pages(z) > 0)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_int_equal(lab_zone_set_reclaim(z, shrink, &cache), 0);
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 4));
	assert_int_equal(cache.calls, 1);
	assert_int_equal(cache.order, 4);
	cache.calls = 0;
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL | __LAB_GFP_RETRY_MAYFAIL, 4));
	assert_int_equal(cache.calls, 17); /* MAX_RECLAIM_RETRIES and the first */
	lab_zone_destroy(z);
}

/** A reclaimer's own request passes no watermark and reclaims nothing. */
static void
test_reclaimer_allocates(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	cache = (struct cache){.z = z, .most = PAGES, .allocates = true};
	while (free_pages(z) > 1)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_int_equal(lab_zone_set_reclaim(z, shrink, &cache), 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 0));
	assert_int_equal(cache.calls, 1);
	assert_non_null(cache.own);
	lab_zone_destroy(z);
}

/** A request that must not fail makes do with half of min, and does not hang. */
static void
test_nofail(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);
	const lab_gfp_t gfp = LAB_GFP_KERNEL | __LAB_GFP_NOFAIL;

	take_down_to(z, 501);
	assert_non_null(lab_alloc_pages(z, gfp, 0));
	assert_null(lab_alloc_pages(z, gfp, 0));
	assert_int_equal(errno, EAGAIN);
	lab_zone_destroy(z);
}

/** What was freed and lies on another CPU's list is fetched. */
static unsigned long
free_elsewhere(void *arg, unsigned long nr_pages, unsigned int order)
{
	struct cache *c = arg;
	unsigned long n = 0;

	lab_cpu_set(1);
	for (; n < 10 && c->nr > 0; n++)
		assert_int_equal(lab_free_pages(c->z, c->pages[--c->nr], 0), 0);
	lab_cpu_set(0);
	return n;
}

static void
test_drains_lists(void **state)
{
	struct lab_zone_config cfg = plain_config(PAGES, MIN);
	struct lab_zone *z;

	cfg.nr_cpus = 2;
	cfg.no_pcp = false;
	lab_cpu_set(0);
	z = make_zone(&cfg);
	assert_int_equal(lab_zone_set_pcp(z, false), 0);
	cache = (struct cache){.z = z};
	while (free_pages(z) > 1000)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_int_equal(lab_zone_set_pcp(z, true), 0);
	assert_int_equal(lab_zone_set_reclaim(z, free_elsewhere, &cache), 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_KERNEL | __LAB_GFP_NORETRY, 0));
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_kswapd(void **state)
{
	struct lab_zone *z = make_cached_zone(&cache, 1200);

	/* up to the high mark, one page over it: balanced is free > high */
	assert_int_equal(free_pages(z), 1501);
	while (free_pages(z) > 1250)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_false(lab_zone_kswapd_wanted(z));
	cache.pages[cache.nr++] = lab_alloc_pages(z, LAB_GFP_NOWAIT, 0);
	assert_true(lab_zone_kswapd_wanted(z));
	assert_int_equal(lab_zone_kswapd(z), 1501 - 1249);
	assert_int_equal(cache.wanted, 1501 - 1249);
	assert_false(lab_zone_kswapd_wanted(z));
	assert_int_equal(lab_zone_kswapd(z), 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** Woken once until it has run; a fragmented zone wakes kcompactd, and only for who cannot wait. */
static void
test_wake_once(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	take_down_to(z, 1100);
	lab_zone_kswapd(z);
	lab_zone_stats_reset(z);
	for (int i = 0; i < 5; i++)
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(zone_stats(z).slowpath, 5);
	assert_int_equal(zone_stats(z).kswapd_wake, 1);
	lab_zone_destroy(z);
}

static void
test_kcompactd(void **state)
{
	static struct state s;
	struct lab_zone *z = make_plain_zone(8 * PAGEBLOCK, 100);

	for (int i = 0; i < 8; i++) {
		state_pageblock(&s, LAB_MIGRATE_MOVABLE);
		for (int k = 0; k < 255; k++) {
			state_free(&s, 0, LAB_MIGRATE_MOVABLE);
			state_used(&s, 1, LAB_MIGRATE_MOVABLE);
		}
		state_fill(&s, LAB_MIGRATE_MOVABLE);
	}
	state_apply(z, &s);
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 2));
	assert_false(lab_zone_kswapd_wanted(z));
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 2));
	assert_int_equal(zone_stats(z).kcompactd_wake, 1);
	assert_int_equal(zone_stats(z).kswapd_wake, 0);
	assert_true(lab_zone_kswapd_wanted(z));
	lab_zone_destroy(z);
}

/** The child does not call what the parent registered; it may register its own. */
static void
test_processes(void **state)
{
	struct lab_zone_config cfg = plain_config(PAGES, MIN);
	size_t size = lab_zone_meta_size(&cfg);
	struct lab_zone *z;
	int status;
	pid_t pid;

	cfg.meta_len = size;
	cfg.meta = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cfg.base = mmap(NULL, PAGES * LAB_PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	z = make_zone(&cfg);
	cache = (struct cache){.z = z, .most = PAGES};
	while (free_pages(z) > 1000)
		cache.pages[cache.nr++] = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0);
	assert_int_equal(lab_zone_set_reclaim(z, shrink, &cache), 0);
	pid = fork();
	if (pid == 0) {
		bool ok = lab_alloc_pages(z, LAB_GFP_KERNEL, 0) == NULL && cache.calls == 0;

		ok = ok && lab_zone_set_reclaim(z, shrink, &cache) == 0;
		ok = ok && lab_alloc_pages(z, LAB_GFP_KERNEL, 0) != NULL && cache.calls == 1;
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(cache.calls, 0);
	assert_valid(z);
	munmap(cfg.base, PAGES * LAB_PAGE_SIZE);
	munmap(cfg.meta, size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_costly),
		cmocka_unit_test(test_reclaimer_allocates),
		cmocka_unit_test(test_nofail),
		cmocka_unit_test(test_drains_lists),
		cmocka_unit_test(test_kswapd),
		cmocka_unit_test(test_wake_once),
		cmocka_unit_test(test_kcompactd),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
