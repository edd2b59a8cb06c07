/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Background work of a pool: by a thread or a service, that end with the pool. */
#include "test_eal.h"

#include <dirent.h>
#include <unistd.h>

#include <rte_service.h>

/* Threads of this process by the name that the library gives its own. */
static unsigned int
workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		n += fgets(comm, sizeof(comm), f) != NULL && strcmp(comm, "lab-background\n") == 0;
		fclose(f);
	}
	closedir(dir);
	return n;
}

static void
use(struct rte_mempool *mp)
{
	void *obj[32];

	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(rte_mempool_get_bulk(mp, obj, 32), 0);
		rte_mempool_put_bulk(mp, obj, 32);
	}
}

static void
off_by_default(void **state)
{
	struct rte_mempool *mp = test_pool("off", 512, 2048, 0, NULL);

	assert_non_null(mp);
	assert_int_equal(workers(), 0);
	assert_int_equal(rte_service_get_count(), 0);
	rte_mempool_free(mp);
}

static void
a_thread(void **state)
{
	for (unsigned int i = 0; i < 10; i++) {
		struct rte_mempool *mp = test_pool("one", 512, 2048, 0, "background=thread");
		struct rte_mempool *other = test_pool("two", 512, 2048, 0, "background=thread");

		assert_non_null(mp);
		assert_non_null(other);
		use(mp);
		assert_int_equal(workers(), 2);
		rte_mempool_free(mp);
		assert_int_equal(workers(), 1);
		rte_mempool_free(other);
		assert_int_equal(workers(), 0);
	}
}

static void
a_service(void **state)
{
	struct rte_mempool *mp = test_pool("mb", 512, 2048, 0, "background=service");
	uint32_t id;
	int ret;

	assert_non_null(mp);
	assert_int_equal(workers(), 0);
	assert_int_equal(rte_service_get_by_name("labyrinth_mb", &id), 0);
	ret = rte_service_run_iter_on_app_lcore(id, 1);
	assert_true(ret == 0 || ret == -EAGAIN);
	use(mp);
	rte_mempool_free(mp);
	assert_true(rte_service_get_by_name("labyrinth_mb", &id) < 0);
}

/* ----------------------------------------------------------------- reserve */

/* More than the zone's caches can hold: what lies in them cannot refill. */
#define N       4096
#define RESERVE 8
/* A mark of 128 pages, and a reserve: who refills it is said in addition. */
#define MARKS "allocator=labyrinth,min_free_kbytes=512"
#define KEPT  MARKS ",reserve_blocks=8"

static struct lab_zone_stats
stats_of(const struct rte_mempool *mp)
{
	struct lab_zone_stats s;

	lab_zone_stats_get(lab_mempool_zone(mp), &s);
	return s;
}

static unsigned long
nr_free(const struct rte_mempool *mp)
{
	struct lab_zone_info info;

	lab_zone_info_get(lab_mempool_zone(mp), &info);
	return info.nr_free;
}

/* Free pages with which the gate refuses the next get of a pool that has no reserve. */
static unsigned long
refused_at(void)
{
	struct rte_mempool *mp = test_pool("bare", N, 2048, 0, MARKS);
	unsigned long at;
	static void *objs[N];
	unsigned int n;

	assert_non_null(mp);
	n = test_take_all(mp, objs, N);
	assert_in_range(n, 1, N - 1);
	at = nr_free(mp);
	test_put_all(mp, objs, n);
	rte_mempool_free(mp);
	return at;
}

/* All that the gate lets through, and then the reserve: what it serves would have been refused. */
static void
use_reserve(struct rte_mempool *mp, unsigned long refused_at)
{
	uint64_t hits = stats_of(mp).reserve_hit;
	unsigned int n = 0;
	static void *objs[N];

	while (n < N && stats_of(mp).reserve_hit == hits) {
		assert_int_equal(rte_mempool_generic_get(mp, &objs[n], 1, NULL), 0);
		n++;
	}
	assert_int_equal(nr_free(mp), refused_at);
	n += test_take_all(mp, objs + n, N - n);
	assert_int_equal(stats_of(mp).reserve_hit - hits, RESERVE);
	assert_int_equal(lab_zone_reserve_held(lab_mempool_zone(mp), 0), 0);
	assert_int_equal(lab_mempool_last_cause(), LAB_CAUSE_WATERMARK);
	test_put_all(mp, objs, n);
}

static bool
is_refilled(const struct rte_mempool *mp)
{
	for (unsigned int i = 0; i < 5000; i++) {
		if (lab_zone_reserve_held(lab_mempool_zone(mp), 0) == RESERVE)
			return true;
		usleep(1000);
	}
	return false;
}

/* Somebody else does it: this thread only uses the reserve up and waits. */
static void
refilled_again_and_again(struct rte_mempool *mp, unsigned long refused_at)
{
	assert_true(is_refilled(mp));
	for (unsigned int i = 0; i < 5; i++) {
		uint64_t before = stats_of(mp).reserve_refill;

		use_reserve(mp, refused_at);
		assert_true(is_refilled(mp));
		assert_int_equal(stats_of(mp).reserve_refill - before, RESERVE);
	}
	test_zone_valid(mp);
}

static void
a_thread_refills_the_reserve(void **state)
{
	unsigned long at = refused_at();
	struct rte_mempool *mp = test_pool("mb", N, 2048, 0, KEPT ",background=thread");

	assert_non_null(mp);
	refilled_again_and_again(mp, at);
	rte_mempool_free(mp);
}

/* With nobody to refill it, it serves once, and again after it was asked for again. */
static void
off_leaves_the_reserve_empty(void **state)
{
	unsigned long at = refused_at();
	struct rte_mempool *mp = test_pool("mb", N, 2048, 0, KEPT);
	struct lab_zone *zone;
	char err[LAB_MEMPOOL_ERR_LEN];

	assert_non_null(mp);
	zone = lab_mempool_zone(mp);
	assert_int_equal(lab_zone_reserve_held(zone, 0), RESERVE);
	use_reserve(mp, at);
	use(mp);
	assert_int_equal(lab_zone_reserve_held(zone, 0), 0);
	assert_int_equal(lab_mempool_settings_apply(mp, "reserve_blocks=8", err, sizeof(err)), 0);
	assert_int_equal(lab_zone_reserve_held(zone, 0), RESERVE);
	use_reserve(mp, at);
	rte_mempool_free(mp);
}

/* ----------------------------------------------------------- service lcore */

static bool
was_called(uint32_t id)
{
	uint64_t calls = 0;

	for (unsigned int i = 0; i < 5000 && calls == 0; i++) {
		assert_int_equal(rte_service_attr_get(id, RTE_SERVICE_ATTR_CALL_COUNT, &calls), 0);
		usleep(1000);
	}
	return calls > 0;
}

/* A service lcore does the work while the pool is used, and freed. */
static void
a_service_lcore(void **state)
{
	uint32_t id, lcore = rte_get_next_lcore(-1, 1, 0);
	unsigned long at;

	if (lcore >= RTE_MAX_LCORE)
		skip();
	at = refused_at();
	assert_int_equal(rte_service_lcore_add(lcore), 0);
	assert_int_equal(rte_service_lcore_start(lcore), 0);
	for (unsigned int i = 0; i < 10; i++) {
		struct rte_mempool *mp = test_pool("mb", N, 2048, 0, KEPT ",background=service");

		assert_non_null(mp);
		assert_int_equal(rte_service_get_by_name("labyrinth_mb", &id), 0);
		assert_int_equal(rte_service_set_stats_enable(id, 1), 0);
		use_reserve(mp, at);
		assert_int_equal(lab_zone_reserve_held(lab_mempool_zone(mp), 0), 0);
		assert_int_equal(rte_service_map_lcore_set(id, lcore, 1), 0);
		use(mp);
		assert_true(was_called(id));
		refilled_again_and_again(mp, at);
		rte_mempool_free(mp);
	}
	rte_service_lcore_stop(lcore);
	rte_eal_wait_lcore(lcore);
	rte_service_lcore_del(lcore);
}

/* The driver starts nothing; whoever knows the zone does it. */
static void
the_program_itself(void **state)
{
	unsigned long at = refused_at();
	struct rte_mempool *mp = test_pool("mb", N, 2048, 0, KEPT ",background=program");

	assert_non_null(mp);
	assert_int_equal(workers(), 0);
	assert_int_equal(rte_service_get_count(), 0);
	use_reserve(mp, at);
	assert_int_equal(lab_zone_background(lab_mempool_zone(mp), 64), RESERVE);
	assert_true(is_refilled(mp));
	rte_mempool_free(mp);
}

static void
set_at_creation_only(void **state)
{
	struct rte_mempool *mp = test_pool("mb", 512, 2048, 0, "background=thread");
	char err[LAB_MEMPOOL_ERR_LEN];

	assert_non_null(mp);
	assert_int_equal(
		lab_mempool_settings_apply(mp, "background=off", err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "background"));
	assert_int_equal(lab_mempool_settings_apply(mp, "background=thread", err, sizeof(err)), 0);
	rte_mempool_free(mp);
}

/* Objects are initialised once: nobody may zero them. */
static void
content_is_kept(void **state)
{
	struct rte_mempool *mp = test_pool("mb", 512, 2048, 0, "background=thread");
	struct lab_zone_info info;

	assert_non_null(mp);
	lab_zone_info_get(lab_mempool_zone(mp), &info);
	assert_true(info.keep_content);
	assert_true(lab_zone_set_zero_target(lab_mempool_zone(mp), 1) < 0);
	rte_mempool_free(mp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_by_default),
		cmocka_unit_test(a_thread),
		cmocka_unit_test(a_thread_refills_the_reserve),
		cmocka_unit_test(off_leaves_the_reserve_empty),
		cmocka_unit_test(a_service),
		cmocka_unit_test(a_service_lcore),
		cmocka_unit_test(the_program_itself),
		cmocka_unit_test(set_at_creation_only),
		cmocka_unit_test(content_is_kept),
	};

	test_eal_start_on("test_background", "--no-telemetry",
		sysconf(_SC_NPROCESSORS_ONLN) > 1 ? "0,1" : "0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
