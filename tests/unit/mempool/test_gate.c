/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Refusals: their causes, their counters, and the settings that make them.
 */
#include "test_eal.h"

#include <pthread.h>
#include <unistd.h>

#define N 1000

static void *objs[N];

static struct lab_mempool_stats
stats(const struct rte_mempool *mp)
{
	struct lab_mempool_stats s;

	assert_int_equal(lab_mempool_stats_get(mp, &s), 0);
	return s;
}

/* How many objects can be had with these settings, and what stops it. */
static void
expect_served(const char *settings, unsigned int elt, unsigned int served, enum lab_cause cause)
{
	struct rte_mempool *mp = test_pool("gate", N, elt, 0, settings);
	unsigned int n;

	if (mp == NULL)
		fail_msg("%s: %s", settings, rte_strerror(rte_errno));
	n = test_take_all(mp, objs, N);
	if (n != served)
		fail_msg("%s: %u served, expected %u", settings, n, served);
	if (n < N) {
		assert_int_equal(lab_mempool_last_cause(), cause);
		assert_int_equal(stats(mp).refused[cause], 1);
		assert_int_equal(rte_mempool_avail_count(mp), N - n);
	}
	test_put_all(mp, objs, n);
	assert_true(rte_mempool_full(mp));
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

/*
 * min = 400 kB = 100 pages. ATOMIC may go to 100 - 50 - 12 = 38 free pages, KERNEL to 100. At order 1 the
 * request's own page but one counts as gone: refused at free - 1 <= mark.
 */
static void
watermarks_as_computed(void **state)
{
	expect_served("", 2000, N, LAB_CAUSE_NONE);
	expect_served("min_free_kbytes=400", 2000, N - 38, LAB_CAUSE_WATERMARK);
	expect_served("min_free_kbytes=400,gfp=KERNEL", 2000, N - 100, LAB_CAUSE_WATERMARK);
	expect_served("min_free_kbytes=400,gfp=NOWAIT", 2000, N - 100, LAB_CAUSE_WATERMARK);
	expect_served(
		"min_free_kbytes=400,gfp=ATOMIC|NOMEMALLOC", 2000, N - 50, LAB_CAUSE_WATERMARK);
	expect_served("min_free_kbytes=400,gfp=KERNEL|MEMALLOC", 2000, N, LAB_CAUSE_NONE);
	expect_served("lowmem_reserve=10", 2000, N - 10, LAB_CAUSE_RESERVE);
	/* 2 pages an object: 38 free pages are 19 objects, 39 - 1 = 38 fails, 40 - 1 passes */
	expect_served("min_free_kbytes=400", 5000, N - 19, LAB_CAUSE_WATERMARK);
}

static void
defaults_serve_every_object_of_any_order(void **state)
{
	for (unsigned int elt = 2000; elt <= 32 * 1024; elt += 7500)
		expect_served("", elt, N, LAB_CAUSE_NONE);
	expect_served("linux=6.1", 9000, N, LAB_CAUSE_NONE);
}

static void
all_or_nothing(void **state)
{
	struct rte_mempool *mp = test_pool("all", N, 2000, 0, NULL);
	void *few[60];

	assert_int_equal(rte_mempool_generic_get(mp, objs, N - 50, NULL), 0);
	assert_int_equal(rte_mempool_generic_get(mp, few, 51, NULL), -ENOBUFS);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_EXHAUSTED);
	assert_int_equal(rte_mempool_avail_count(mp), 50);
	assert_int_equal(stats(mp).failed_with_free, 1);
	assert_int_equal(stats(mp).refused_objects, 51);
	assert_int_equal(rte_mempool_generic_get(mp, few, 50, NULL), 0);
	assert_int_equal(rte_mempool_generic_get(mp, few, 1, NULL), -ENOBUFS);
	assert_int_equal(stats(mp).failed_with_free, 1);
	assert_int_equal(stats(mp).refused[LAB_CAUSE_EXHAUSTED], 2);
	assert_int_equal(stats(mp).dequeues, 2);
	assert_int_equal(stats(mp).dequeued_objects, N);
	test_put_all(mp, few, 50);
	test_put_all(mp, objs, N - 50);
	assert_int_equal(stats(mp).enqueued_objects, N);
	assert_int_equal(lab_mempool_stats_reset(mp), 0);
	assert_int_equal(stats(mp).dequeues + stats(mp).refused_objects, 0);
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

/* rte_mempool_get() keeps objects in the table that it has the ops fill. */
static void
refused_dequeues_write_nothing(void **state)
{
	struct rte_mempool *mp = test_pool("write", 100, 2000, 0, NULL);
	void *table[101];

	memset(table, 0x77, sizeof(table));
	assert_int_equal(rte_mempool_ops_dequeue_bulk(mp, table, 101), -ENOBUFS);
	for (unsigned int i = 0; i < 101; i++)
		assert_true((uintptr_t)table[i] == 0x7777777777777777ULL);
	rte_mempool_free(mp);
}

/* Somebody else holds every second page: half of the pool is free, and no object of two pages. */
static void
fragmented_pools_refuse_by_order(void **state)
{
	struct rte_mempool *mp = test_pool("frag", 100, 5000, 0, NULL);
	struct lab_zone *zone = lab_mempool_zone(mp);
	void *pages[200], *o;
	unsigned int n = 0;

	while (n < 200 && (pages[n] = lab_alloc_pages(zone, LAB_GFP_ATOMIC, 0)) != NULL)
		n++;
	assert_int_equal(n, 200);
	for (unsigned int i = 0; i < n; i++)
		if (lab_page_to_pfn(zone, pages[i]) % 2 == 0)
			assert_int_equal(lab_free_pages(zone, pages[i], 0), 0);
	assert_int_equal(rte_mempool_avail_count(mp), 0);
	assert_int_equal(rte_mempool_generic_get(mp, &o, 1, NULL), -ENOBUFS);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_ORDER);
	assert_int_equal(stats(mp).failed_with_free, 0);
	for (unsigned int i = 0; i < n; i++)
		if (lab_page_to_pfn(zone, pages[i]) % 2 == 1)
			assert_int_equal(lab_free_pages(zone, pages[i], 0), 0);
	assert_int_equal(rte_mempool_avail_count(mp), 100);
	rte_mempool_free(mp);
}

/* -------------------------------------------------------------- injection */

static unsigned int
refusals_of(const char *settings, uint8_t *pattern)
{
	struct rte_mempool *mp = test_pool("inject", N, 2000, 0, settings);
	unsigned int refused = 0;

	assert_non_null(mp);
	for (int i = 0; i < 10 * N; i++) {
		void *o;
		int ret = rte_mempool_generic_get(mp, &o, 1, NULL);

		if (ret == 0)
			rte_mempool_generic_put(mp, &o, 1, NULL);
		else
			refused++;
		if (pattern != NULL)
			pattern[i] = ret != 0;
	}
	assert_int_equal(stats(mp).refused[LAB_CAUSE_INJECTED], refused);
	assert_int_equal(stats(mp).failed_with_free, refused);
	rte_mempool_free(mp);
	return refused;
}

static void
injection(void **state)
{
	static uint8_t a[10 * N], b[10 * N], c[10 * N];
	unsigned int n = refusals_of("inject_ppm=100000,inject_seed=5", a);

	/* binomial(10000, 0.1): 1000 +- 30 */
	assert_in_range(n, 850, 1150);
	assert_int_equal(refusals_of("inject_ppm=100000,inject_seed=5", b), n);
	assert_memory_equal(a, b, sizeof(a));
	refusals_of("inject_ppm=100000,inject_seed=6", c);
	assert_memory_not_equal(a, c, sizeof(a));
	assert_int_equal(refusals_of("inject_ppm=1000000,inject_times=7", NULL), 7);
	assert_int_equal(refusals_of("inject_ppm=1000000,inject_interval=10", NULL), N);
	assert_int_equal(refusals_of("inject_ppm=1000000,inject_min_order=1", NULL), 0);
	assert_int_equal(refusals_of("inject_ppm=0", NULL), 0);
}

/* --------------------------------------------------------------- settings */

static void
expect_creation_fails(const char *settings)
{
	struct rte_mempool *mp = test_pool("refused", N, 2000, 0, settings);

	assert_null(mp);
	assert_int_equal(rte_errno, EINVAL);
}

static void
bad_settings_stop_creation(void **state)
{
	struct rte_mempool *mp;

	expect_creation_fails("nonsense=1");
	expect_creation_fails("min_free_kbytes=2001"); /* half of 1000 pages is 2000 kB */
	mp = test_pool("half", N, 2000, 0, "min_free_kbytes=2000");
	assert_non_null(mp);
	rte_mempool_free(mp);
	setenv(LAB_MEMPOOL_ENV, "boost=x", 1);
	expect_creation_fails(NULL);
	unsetenv(LAB_MEMPOOL_ENV);
	setenv(LAB_MEMPOOL_ENV_CONFIG, "/nonexistent", 1);
	expect_creation_fails(NULL);
	unsetenv(LAB_MEMPOOL_ENV_CONFIG);
}

static struct lab_mempool_settings
settings_of_new(const char *name, const char *config)
{
	struct rte_mempool *mp = test_pool(name, N, 2000, 0, config);
	struct lab_mempool_settings s;

	assert_non_null(mp);
	assert_int_equal(lab_mempool_settings_get(mp, &s), 0);
	rte_mempool_free(mp);
	return s;
}

static void
write_config(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	setenv(LAB_MEMPOOL_ENV_CONFIG, path, 1);
}

/* defaults < [default] < [pool] < environment < program */
static void
sources_have_an_order(void **state)
{
	char path[] = "lab_mempool_test.XXXXXX";
	int fd = mkstemp(path);
	struct lab_mempool_settings s;

	assert_true(fd >= 0);
	close(fd);
	write_config(path, "# a comment\n[default]\nboost = 1\nlowmem_reserve = 1\norder = 1\n\n"
			   "[one]\nlowmem_reserve=2\norder=2\npcp=on\n[two]\nboost=9\n");
	s = settings_of_new("one", NULL);
	assert_int_equal(s.watermark_boost_factor, 1);
	assert_int_equal(s.lowmem_reserve, 2);
	assert_true(s.pcp);
	assert_int_equal(settings_of_new("two", NULL).watermark_boost_factor, 9);
	assert_int_equal(settings_of_new("three", NULL).lowmem_reserve, 1);
	setenv(LAB_MEMPOOL_ENV, "order=3,lowmem_reserve=3", 1);
	s = settings_of_new("one", "order=0");
	assert_int_equal(s.order, 0);
	assert_int_equal(s.lowmem_reserve, 3);
	unsetenv(LAB_MEMPOOL_ENV);
	write_config(path, "[default]\nboost 1\n");
	expect_creation_fails(NULL);
	write_config(path, "[default]\nboost=-1\n");
	expect_creation_fails(NULL);
	write_config(path, "boost=1\n");
	expect_creation_fails(NULL);
	unlink(path);
	unsetenv(LAB_MEMPOOL_ENV_CONFIG);
}

static void
expect_apply_error(struct rte_mempool *mp, const char *text, const char *part)
{
	struct lab_mempool_settings before, after;
	char err[LAB_MEMPOOL_ERR_LEN] = "";

	lab_mempool_settings_get(mp, &before);
	assert_int_equal(lab_mempool_settings_apply(mp, text, err, sizeof(err)), -EINVAL);
	if (strstr(err, part) == NULL)
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, err, part);
	lab_mempool_settings_get(mp, &after);
	test_same_settings(&before, &after);
}

static void
running_pools_can_be_set(void **state)
{
	struct rte_mempool *mp = test_pool("set", N, 2000, 0, NULL);
	char err[LAB_MEMPOOL_ERR_LEN] = "";

	assert_int_equal(
		lab_mempool_settings_apply(mp, "min_free_kbytes=400", err, sizeof(err)), 0);
	assert_int_equal(test_take_all(mp, objs, N), N - 38);
	expect_apply_error(mp, "min_free_kbytes=2001", "2000");
	expect_apply_error(mp, "min_free_kbytes=0,boost=x", "boost=x");
	expect_apply_error(mp, "order=3", "order");
	expect_apply_error(mp, "linux=6.1", "linux");
	assert_int_equal(lab_mempool_settings_apply(mp, "min_free_kbytes=0,pcp=on", NULL, 0), 0);
	test_put_all(mp, objs, N - 38);
	assert_int_equal(rte_mempool_avail_count(mp), N);
	test_zone_valid(mp);
	assert_int_equal(lab_mempool_settings_apply(mp, "pcp=off", NULL, 0), 0);
	assert_int_equal(test_take_all(mp, objs, N), N);
	test_put_all(mp, objs, N);
	assert_int_equal(lab_mempool_settings_apply(mp, "inject_ppm=1000000", NULL, 0), 0);
	assert_int_equal(test_take_all(mp, objs, N), 0);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_INJECTED);
	assert_int_equal(lab_mempool_settings_apply(mp, "inject_ppm=0", NULL, 0), 0);
	assert_int_equal(test_take_all(mp, objs, N), N);
	rte_mempool_free(mp);
}

static void
other_pools_are_not_ours(void **state)
{
	struct rte_mempool *mp = rte_mempool_create_empty("other", 8, 64, 0, 0, SOCKET_ID_ANY, 0);
	struct lab_mempool_stats s;

	assert_non_null(mp);
	if (rte_mempool_set_ops_byname(mp, "ring_mp_mc", NULL) == 0)
		rte_mempool_populate_default(mp);
	assert_false(lab_mempool_is(mp));
	assert_false(lab_mempool_is(NULL));
	assert_null(lab_mempool_zone(mp));
	assert_int_equal(lab_mempool_order(mp), -EINVAL);
	assert_int_equal(lab_mempool_stats_get(mp, &s), -EINVAL);
	assert_int_equal(lab_mempool_settings_apply(mp, "boost=1", NULL, 0), -EINVAL);
	rte_mempool_free(mp);
}

static void *
refused_elsewhere(void *arg)
{
	void *o;

	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_NONE);
	assert_int_equal(rte_mempool_generic_get(arg, &o, 1, NULL), -ENOBUFS);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_INJECTED);
	return NULL;
}

static void
the_cause_is_the_threads_own(void **state)
{
	struct rte_mempool *mp = test_pool("tls", 4, 2000, 0, NULL), *inject;
	pthread_t t;

	inject = test_pool("tls2", 4, 2000, 0, "inject_ppm=1000000");
	assert_int_equal(test_take_all(mp, objs, N), 4);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_EXHAUSTED);
	assert_int_equal(pthread_create(&t, NULL, refused_elsewhere, inject), 0);
	pthread_join(t, NULL);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_EXHAUSTED);
	rte_mempool_free(mp);
	rte_mempool_free(inject);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watermarks_as_computed),
		cmocka_unit_test(defaults_serve_every_object_of_any_order),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(refused_dequeues_write_nothing),
		cmocka_unit_test(fragmented_pools_refuse_by_order),
		cmocka_unit_test(injection),
		cmocka_unit_test(bad_settings_stop_creation),
		cmocka_unit_test(sources_have_an_order),
		cmocka_unit_test(running_pools_can_be_set),
		cmocka_unit_test(other_pools_are_not_ours),
		cmocka_unit_test(the_cause_is_the_threads_own),
	};

	test_eal_start("test_gate");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
