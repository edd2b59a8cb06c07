/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The commands of the telemetry socket, asked as a client of it asks them.
 */
#include "test_eal.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include <lab_frag.h>

#define N 500

static int sock = -1;
static struct rte_mempool *pool, *other;

static bool
client_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char hello[1024];

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/dpdk_telemetry.v2",
		rte_eal_get_runtime_dir());
	sock = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	return sock >= 0 && connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	       read(sock, hello, sizeof(hello)) > 0;
}

/* The answer to "/labyrinth/what[,params]"; the caller owns it. */
static json_t *
ask(const char *what, const char *params)
{
	static char reply[65536];
	char command[1024];
	json_t *all, *answer;
	ssize_t n;

	snprintf(command, sizeof(command), "/labyrinth/%s%s%s", what, *params != '\0' ? "," : "",
		params);
	assert_true(write(sock, command, strlen(command)) > 0);
	n = read(sock, reply, sizeof(reply) - 1);
	assert_true(n > 0);
	reply[n] = '\0';
	all = json_loads(reply, 0, NULL);
	if (all == NULL)
		fail_msg("%s: not JSON: %s", command, reply);
	*strchrnul(command, ',') = '\0';
	answer = json_incref(json_object_get(all, command));
	json_decref(all);
	assert_non_null(answer);
	return answer;
}

static json_int_t
integer(const json_t *answer, const char *key)
{
	const json_t *v = json_object_get(answer, key);

	if (!json_is_integer(v))
		fail_msg("no number \"%s\" in %s", key, json_dumps(answer, 0));
	return json_integer_value(v);
}

static void
expect_error(const char *what, const char *params, const char *part)
{
	json_t *a = ask(what, params);
	const char *error = json_string_value(json_object_get(a, "error"));

	if (error == NULL || strstr(error, part) == NULL)
		fail_msg("%s,%s: %s does not say \"%s\"", what, params, json_dumps(a, 0), part);
	json_decref(a);
}

static void
info_lists_and_describes(void **state)
{
	json_t *a = ask("info", "");
	const json_t *pools = json_object_get(a, "pools");

	assert_int_equal(json_array_size(pools), 2);
	assert_null(json_object_get(a, "pool"));
	json_decref(a);
	a = ask("info", "tel");
	assert_string_equal(json_string_value(json_object_get(a, "ops")), LAB_MEMPOOL_OPS_BUDDY);
	assert_int_equal(integer(a, "size"), N);
	assert_int_equal(integer(a, "free_objects"), N);
	assert_int_equal(integer(a, "order"), 1);
	assert_int_equal(integer(a, "block_bytes"), 8192);
	assert_int_equal(integer(a, "zones"), 1);
	assert_string_equal(
		json_string_value(json_object_get(a, "gfp")), "GFP_ATOMIC|__GFP_NOWARN");
	json_decref(a);
}

static void
zone_is_what_the_library_says(void **state)
{
	json_t *a = ask("zone", "tel");
	const json_t *blocks = json_object_get(a, "free_blocks");
	json_int_t free = 0;
	struct lab_zone_info info;

	lab_zone_info_get(lab_mempool_zone(pool), &info);
	assert_int_equal(integer(a, "managed"), 2 * N);
	assert_int_equal(integer(a, "free"), info.nr_free);
	assert_int_equal(json_array_size(blocks), LAB_NR_ORDERS);
	for (size_t o = 0; o < LAB_NR_ORDERS; o++)
		free += json_integer_value(json_array_get(blocks, o)) << o;
	assert_int_equal(free, info.nr_free);
	json_decref(a);
	json_decref(ask("zone", "tel,zone=0"));
	expect_error("zone", "tel,zone=1", "zone 1");
	expect_error("zone", "tel,nonsense", "nonsense");
}

static void
failures_are_counted(void **state)
{
	static void *objs[N + 1];
	json_t *a;

	assert_int_equal(rte_mempool_generic_get(pool, objs, N + 1, NULL), -ENOBUFS);
	a = ask("failures", "tel,reset=1");
	assert_int_equal(integer(json_object_get(a, "refused"), "exhausted"), 1);
	assert_int_equal(integer(a, "failed_with_free"), 1);
	assert_int_equal(integer(a, "refused_objects"), N + 1);
	assert_int_equal(json_array_size(json_object_get(a, "recent")), 1);
	json_decref(a);
	a = ask("failures", "tel");
	assert_int_equal(integer(json_object_get(a, "refused"), "exhausted"), 0);
	assert_int_equal(integer(json_object_get(a, "zone_refused"), "exhausted"), 1);
	json_decref(a);
	expect_error("failures", "tel,reset=2", "reset");
}

static void
indices_of_a_fresh_pool(void **state)
{
	json_t *a = ask("frag", "tel");

	assert_int_equal(json_array_size(json_object_get(a, "unusable")), LAB_NR_ORDERS);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(a, "unusable"), 0)), 0);
	assert_int_equal(
		json_integer_value(json_array_get(json_object_get(a, "extfrag"), 0)), -1000);
	json_decref(a);
}

static void
settings_change_or_do_not(void **state)
{
	static void *objs[N];
	json_t *a = ask("set", "tel,min_free_kbytes=400,gfp=KERNEL");
	unsigned int n;

	assert_int_equal(integer(a, "min_free_kbytes"), 400);
	json_decref(a);
	n = test_take_all(pool, objs, N);
	/* refused when free - 1 <= 100 pages: 100 are left, 50 objects */
	assert_int_equal(n, N - 50);
	test_put_all(pool, objs, n);
	expect_error("set", "tel,min_free_kbytes=2001", "0 to 2000");
	expect_error("set", "tel,order=2", "order");
	expect_error("set", "tel,min_free_kbytes=0,x=1", "x");
	expect_error("set", "tel", "what to set");
	a = ask("info", "tel");
	assert_int_equal(integer(a, "min_free_kbytes"), 400);
	json_decref(a);
	json_decref(ask("set", "tel,min_free_kbytes=0,gfp=ATOMIC|NOWARN"));
}

static void
injection_starts_and_stops(void **state)
{
	static void *objs[N];
	json_t *a = ask("inject", "tel,ppm=1000000,times=3");

	assert_int_equal(integer(a, "inject_ppm"), 1000000);
	assert_int_equal(integer(a, "inject_times"), 3);
	json_decref(a);
	for (int i = 0; i < 3; i++)
		assert_int_equal(test_take_all(pool, objs, 1), 0);
	assert_int_equal(test_take_all(pool, objs, 1), 1);
	test_put_all(pool, objs, 1);
	json_decref(ask("inject", "tel,inject_ppm=1000000,inject_times=-1"));
	assert_int_equal(test_take_all(pool, objs, 1), 0);
	a = ask("inject", "tel");
	assert_int_equal(integer(a, "inject_ppm"), 0);
	json_decref(a);
	assert_int_equal(test_take_all(pool, objs, 1), 1);
	test_put_all(pool, objs, 1);
	expect_error("inject", "tel,ppm=x", "inject_ppm");
}

static void
check_stamp(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	*(uint64_t *)arg += *(uint64_t *)obj != 0x5151515151515151ULL;
}

static void
write_stamp(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	*(uint64_t *)obj = 0x5151515151515151ULL;
}

/* Half of the zone goes to tenants, who write nothing, and comes back. */
static void
ageing_and_release(void **state)
{
	uint64_t changed = 0;
	json_t *a;

	rte_mempool_obj_iter(pool, write_stamp, NULL);
	a = ask("age", "tel,model=churn,occupancy=0.5,seed=3");
	assert_string_equal(json_string_value(json_object_get(a, "result")), "reached");
	assert_int_equal(integer(a, "occupancy_permille"), 500);
	assert_int_equal(integer(a, "held_pages"), N);
	json_decref(a);
	assert_true(rte_mempool_avail_count(pool) <= N / 2);
	assert_ptr_equal(lab_tenants_zone(lab_mempool_tenants(pool)), lab_mempool_zone(pool));
	a = ask("age", "tel,release=100");
	assert_true(integer(a, "released_pages") >= 100);
	json_decref(a);
	json_decref(ask("age", "tel,release=all"));
	assert_int_equal(rte_mempool_avail_count(pool), N);
	rte_mempool_obj_iter(pool, check_stamp, &changed);
	assert_int_equal(changed, 0);
	expect_error("age", "tel", "release=all");
	expect_error("age", "tel,release=x", "release=x");
	expect_error("age", "tel,churn,touch=on", "touch");
	expect_error("age", "tel,nonsense", "nonsense");
}

/* The log's text, which another thread writes meanwhile. */
static bool
log_says(int fd, const char *text)
{
	static char all[8192];

	for (int i = 0; i < 200; i++) {
		ssize_t n = pread(fd, all, sizeof(all) - 1, 0);

		all[n > 0 ? n : 0] = '\0';
		if (strstr(all, text) != NULL)
			return true;
		usleep(20000);
	}
	return false;
}

/* Free pages meet the low mark of 125: once, before the first refusal, and in the log. */
static void
warnings_come_first(void **state)
{
	static void *objs[N];
	struct rte_mempool *mp = test_pool("early", N, 5000, 0, NULL);
	unsigned int n = 0;
	FILE *log = tmpfile();
	json_t *a = ask("warnings", "early");
	json_int_t before = integer(a, "count");

	json_decref(a);
	assert_int_equal(rte_openlog_stream(log), 0);
	assert_int_equal(rte_log_set_level_pattern("mempool.labyrinth", RTE_LOG_WARNING), 0);
	json_decref(ask("set", "early,min_free_kbytes=400"));
	while (rte_mempool_generic_get(mp, &objs[n], 1, NULL) == 0) {
		a = ask("warnings", "early,zone=0");
		assert_int_equal(integer(a, "low"), 125);
		assert_int_equal(integer(a, "count") - before, integer(a, "free") <= 125);
		json_decref(a);
		n++;
	}
	a = ask("warnings", "early");
	assert_int_equal(integer(a, "count"), before + 1);
	assert_int_equal(integer(a, "pool_count"), before + 1);
	assert_int_equal(integer(a, "last_free"), 124);
	assert_true(integer(a, "last_ns") > 0);
	assert_string_equal(json_string_value(json_object_get(a, "armed")), "no");
	json_decref(a);
	assert_true(log_says(fileno(log), "pool early: down to 124 free pages"));
	rte_log_set_level_pattern("mempool.labyrinth", RTE_LOG_ALERT);
	rte_openlog_stream(NULL);
	fclose(log);
	rte_mempool_generic_put(mp, objs, n, NULL);
	expect_error("warnings", "early,zone=1", "zone 1");
	rte_mempool_free(mp);
}

/* A dead process's caches are shown in test_secondary.c. */
static void
reclaim_needs_a_dead_process(void **state)
{
	struct rte_mempool *mp = test_pool("dead", N, 2000, 0, "allocator=labyrinth");
	char own[64];
	void *obj;

	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), 0);
	rte_mempool_generic_put(mp, &obj, 1, NULL);
	snprintf(own, sizeof(own), "dead,pid=%d", (int)getpid());
	expect_error("reclaim", own,
		lab_mempool_reclaim(mp, (uint32_t)getpid()) == -EBUSY ? "is alive"
								      : "has no caches");
	expect_error(
		"reclaim", "dead,pid=2147483647", "process 2147483647 has no caches in pool dead");
	expect_error("reclaim", "dead", "is not pid=N");
	expect_error("reclaim", "dead,pid=0", "is not pid=N");
	expect_error("reclaim", "dead,pid=2147483648", "is not pid=N");
	expect_error("reclaim", "dead,pid=-1", "is not pid=N");
	expect_error("reclaim", "tel,pid=7", "pool tel: the buddy allocator has no caches");
	rte_mempool_free(mp);
}

static void
owners_are_told(void **state)
{
	uint32_t before = lab_owner_set(LAB_OWNER_RXQ(0, 2));
	const json_t *first;
	void *objs[7];
	json_t *a;

	expect_error("owners", "tel", "/labyrinth/set,tel,owners=on");
	a = ask("set", "tel,owners=on");
	assert_string_equal(json_string_value(json_object_get(a, "owners")), "on");
	assert_string_equal(json_string_value(json_object_get(a, "guard")), "off");
	json_decref(a);
	assert_int_equal(test_take_all(pool, objs, 7), 7);
	lab_owner_set(before);
	a = ask("owners", "tel,n=1");
	assert_string_equal(json_string_value(json_object_get(a, "pool")), "tel");
	assert_int_equal(json_object_size(a), 2);
	first = json_object_get(a, "1");
	assert_string_equal(json_string_value(json_object_get(first, "owner")), "port 0 rxq 2");
	assert_int_equal(integer(first, "id"), LAB_OWNER_RXQ(0, 2));
	assert_int_equal(integer(first, "blocks"), 7);
	assert_int_equal(integer(first, "pages"), 14);
	assert_in_range(integer(first, "oldest_ms"), 0, 60000);
	json_decref(a);
	test_put_all(pool, objs, 7);
	a = ask("owners", "tel");
	assert_int_equal(json_object_size(a), 1);
	json_decref(a);
	expect_error("owners", "tel,n=0", "n=1 to");
	json_decref(ask("set", "tel,owners=off"));
}

/* The pool goes while tenants hold a part of it. */
static void
pools_die_with_their_tenants(void **state)
{
	struct rte_mempool *mp = test_pool("dying", 200, 5000, 0, NULL);

	json_decref(ask("age", "dying,model=scatter,occupancy=0.9,seed=1"));
	assert_true(rte_mempool_avail_count(mp) < 200);
	rte_mempool_free(mp);
	expect_error("age", "dying,release=all", "dying");
}

static void
pools_must_be_named_right(void **state)
{
	expect_error("zone", "", "2 pools");
	expect_error("zone", "nobody", "nobody");
	expect_error("set", "boost=1", "2 pools");
	expect_error("info",
		"a very long name that no pool could ever have, as EAL allows 26 bytes "
		"of a name, and that would not fit in an answer of telemetry",
		"no pool");
}

static int
start(void **state)
{
	pool = test_pool("tel", N, 5000, 0, NULL);
	other = test_pool("tel2", 4, 64, 0, NULL);
	return pool == NULL || other == NULL;
}

static int
stop(void **state)
{
	char dir[256], path[300];

	rte_mempool_free(pool);
	rte_mempool_free(other);
	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	close(sock);
	rte_eal_cleanup();
	snprintf(path, sizeof(path), "%s/dpdk_telemetry.v2", dir);
	unlink(path); /* EAL does so at the program's end, and leaves the folder */
	rmdir(dir);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(info_lists_and_describes),
		cmocka_unit_test(zone_is_what_the_library_says),
		cmocka_unit_test(failures_are_counted),
		cmocka_unit_test(indices_of_a_fresh_pool),
		cmocka_unit_test(settings_change_or_do_not),
		cmocka_unit_test(injection_starts_and_stops),
		cmocka_unit_test(ageing_and_release),
		cmocka_unit_test(warnings_come_first),
		cmocka_unit_test(reclaim_needs_a_dead_process),
		cmocka_unit_test(owners_are_told),
		cmocka_unit_test(pools_die_with_their_tenants),
		cmocka_unit_test(pools_must_be_named_right),
	};
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "--file-prefix=labtel%d", (int)getpid());
	test_eal_start_with("test_telemetry", prefix);
	if (!client_connect()) {
		printf("SKIP: no telemetry socket: %s\n", strerror(errno));
		return TEST_SKIP;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
