/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Who holds a pool's objects, and guarded mode: as an application meets them.
 */
#include "test_eal.h"

#include <rte_cycles.h>
#include <rte_log.h>

#include <lab_frag.h>

#include "mempool_private.h"

#define N 300

static char *text;
static size_t text_len;
static FILE *log_stream;

/* What the driver logs from here on. */
static void
log_begin(void)
{
	log_stream = open_memstream(&text, &text_len);
	assert_non_null(log_stream);
	rte_openlog_stream(log_stream);
	rte_log_set_level_pattern("mempool.labyrinth", RTE_LOG_NOTICE);
}

/* Until here; each part must be in it. */
static void
log_expect(const char *const *parts)
{
	rte_openlog_stream(NULL);
	rte_log_set_level_pattern("mempool.labyrinth", RTE_LOG_ALERT);
	fclose(log_stream);
	for (; *parts != NULL; parts++)
		if (strstr(text, *parts) == NULL)
			fail_msg("\"%s\" is not in the log:\n%s", *parts, text);
	free(text);
}

#define LOG_EXPECT(...) log_expect((const char *const[]){__VA_ARGS__, NULL})

static void
log_expect_nothing(void)
{
	rte_openlog_stream(NULL);
	rte_log_set_level_pattern("mempool.labyrinth", RTE_LOG_ALERT);
	fclose(log_stream);
	assert_string_equal(text, "");
	free(text);
}

/* The frame allocator under the pools. */
static const char *allocator;

static struct rte_mempool *
pool(const char *name, unsigned int elt, unsigned int cache, const char *settings)
{
	static char all[256]; /* until the pool is populated */

	snprintf(all, sizeof(all), "allocator=%s,%s", allocator, settings);
	return test_pool(name, N, elt, cache, all);
}

static void
apply(struct rte_mempool *mp, const char *settings)
{
	char err[LAB_MEMPOOL_ERR_LEN] = "";

	if (lab_mempool_settings_apply(mp, settings, err, sizeof(err)) != 0)
		fail_msg("%s: %s", settings, err);
}

static struct lab_watch_info
watch(const struct rte_mempool *mp)
{
	struct lab_watch_info w;

	lab_zone_watch_info(lab_mempool_zone(mp), &w);
	return w;
}

static void *
get(struct rte_mempool *mp, uint32_t owner)
{
	uint32_t before = lab_owner_set(owner);
	void *obj;

	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), 0);
	lab_owner_set(before);
	return obj;
}

static void
put(struct rte_mempool *mp, void *obj)
{
	rte_mempool_generic_put(mp, &obj, 1, NULL);
}

/* ---------------------------------------------------------------- settings */

static void
settings_switch(void **state)
{
	struct rte_mempool *mp = pool("switch", 2000, 0, "");
	struct lab_owner_info o;

	assert_false(watch(mp).owners || watch(mp).guard);
	assert_int_equal(lab_mempool_owners_top(mp, &o, 1), 0);
	apply(mp, "owners=on,guard=1");
	assert_true(watch(mp).owners && watch(mp).guard && watch(mp).guard_keeps);
	assert_false(watch(mp).guard_aborts);
	apply(mp, "guard=abort,owners=off");
	assert_true(!watch(mp).owners && watch(mp).guard_aborts);
	apply(mp, "guard=off");
	assert_false(watch(mp).owners || watch(mp).guard);
	rte_mempool_free(mp);
	mp = pool("switch", 2000, 0, "guard=on,owners=on"); /* its memory was given back */
	assert_true(watch(mp).owners && watch(mp).guard);
	rte_mempool_free(mp);
}

/* ------------------------------------------------------------------ owners */

static struct lab_owner_info
top_of(const struct rte_mempool *mp, uint32_t owner)
{
	struct lab_owner_info o[32];
	unsigned int n = lab_mempool_owners_top(mp, o, 32);

	for (unsigned int i = 0; i < n; i++)
		if (o[i].owner == owner)
			return o[i];
	return (struct lab_owner_info){0};
}

/* An application that says nothing is named by its lcores; in blocks of two pages here. */
static void
owners_are_lcores(void **state)
{
	struct rte_mempool *mp = pool("lcores", 5000, 0, "owners=on");
	struct lab_owner_info o;
	void *objs[10];

	assert_int_equal(test_take_all(mp, objs, 10), 10);
	o = top_of(mp, LAB_OWNER_LCORE(rte_lcore_id()));
	assert_int_equal(o.blocks, 10);
	assert_int_equal(o.pages, 20);
	assert_string_equal(o.name, "lcore 0");
	assert_int_equal(lab_mempool_owner_move(mp, objs[3], 77), 0);
	assert_int_equal(top_of(mp, 77).blocks, 1);
	assert_int_equal(lab_mempool_owner_move(mp, &o, 77), -EINVAL);
	test_put_all(mp, objs, 10);
	assert_int_equal(lab_mempool_owner_move(mp, objs[3], 77), -EINVAL);
	assert_int_equal(lab_mempool_owners_top(mp, &o, 1), 0);
	rte_mempool_free(mp);
}

/* Objects in the lcore's cache are out of the zone: who filled it holds them. */
static void
caches_hold_for_who_filled_them(void **state)
{
	struct rte_mempool *mp = pool("cached", 2000, 32, "owners=on");
	void *obj;

	lab_owner_set(LAB_OWNER_RXQ(0, 1));
	assert_int_equal(rte_mempool_get(mp, &obj), 0);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_in_range(top_of(mp, LAB_OWNER_RXQ(0, 1)).blocks, 2, 65);
	rte_mempool_put(mp, obj);
	rte_mempool_free(mp);
}

/* As if so many seconds had passed since the pool's last report. */
static void
let_pass(struct rte_mempool *mp, unsigned int seconds)
{
	struct lab_pool *p = mp->pool_data;

	assert_true(p->next_warn_tsc > seconds * rte_get_tsc_hz());
	p->next_warn_tsc -= seconds * rte_get_tsc_hz();
}

/* A leak and a hoard beside honest work: the refusal's report names them, with NOWARN too, once in 10 s. */
static void
refusals_name_the_culprits(void **state)
{
	struct rte_mempool *mp = pool("culprits", 2000, 0, "owners=on");
	struct lab_tenants *tenants = lab_mempool_tenants(mp);
	struct lab_age_config age = lab_age_config_default(LAB_AGE_CHURN);
	struct lab_zone *zone = lab_mempool_zone(mp);
	unsigned int leaked = 0;
	uint64_t now = 1000000000;
	void *obj;

	lab_zone_set_time(zone, now);
	age.occupancy = 0.5;
	assert_int_equal(lab_age(tenants, &age, NULL, NULL, NULL), 0);
	log_begin();
	for (;;) {
		lab_zone_set_time(zone, now += 1000000);
		lab_owner_set(LAB_OWNER_RXQ(0, 0));
		if (rte_mempool_generic_get(mp, &obj, 1, NULL) != 0)
			break;
		rte_mempool_generic_put(mp, &obj, 1, NULL);
		lab_owner_set(LAB_OWNER_RXQ(1, 3));
		if (rte_mempool_generic_get(mp, &obj, 1, NULL) == 0)
			leaked++;
	}
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_int_equal(leaked, N / 2);
	LOG_EXPECT("labyrinth: culprits: page allocation failure: order:0",
		"Owners, most pages first:",
		"600kB in 150 blocks by tenants (churn), oldest 0.151s",
		"600kB in 150 blocks by port 1 rxq 3, oldest 0.150s, median 0.0");
	log_begin();
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), -ENOBUFS);
	let_pass(mp, 1);
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), -ENOBUFS);
	log_expect_nothing();
	let_pass(mp, 9);
	lab_zone_set_time(zone, now + 10000000000);
	log_begin();
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), -ENOBUFS);
	LOG_EXPECT("labyrinth: culprits: page allocation failure: order:0",
		"600kB in 150 blocks by port 1 rxq 3, oldest 10.150s");
	log_begin();
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), -ENOBUFS);
	log_expect_nothing();
	rte_mempool_free(mp);
}

/* Without owners, or of an injected refusal, NOWARN is silent as before. */
static void
nowarn_is_silent(void **state)
{
	struct rte_mempool *mp = pool("silent", 2000, 0, "");
	void *objs[N + 1], *obj;

	log_begin();
	assert_int_equal(test_take_all(mp, objs, N + 1), N);
	apply(mp, "owners=on,inject_ppm=1000000");
	test_put_all(mp, objs, N);
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), -ENOBUFS);
	log_expect_nothing();
	rte_mempool_free(mp);
}

/* A reserve that nobody refills: said where it is asked for, with what helps. */
static void
an_idle_reserve_is_named(void **state)
{
	struct rte_mempool *mp;

	log_begin();
	mp = test_pool("idle", N, 2000, 0, "allocator=labyrinth,reserve_blocks=4");
	LOG_EXPECT("labyrinth: pool idle: reserve_blocks=4 with background=off is used up once",
		"make the pool with background=thread");
	log_begin();
	apply(mp, "reserve_blocks=5");
	LOG_EXPECT("reserve_blocks=5 with background=off");
	log_begin();
	apply(mp, "reserve_blocks=0");
	log_expect_nothing();
	rte_mempool_free(mp);
	log_begin();
	mp = test_pool(
		"idle", N, 2000, 0, "allocator=labyrinth,reserve_blocks=4,background=thread");
	apply(mp, "reserve_blocks=5");
	log_expect_nothing();
	rte_mempool_free(mp);
}

/* ------------------------------------------------------------------- guard */

/* Objects are initialised once: whatever the guard does, they are as they were. */
static void
objects_keep_their_content(void **state)
{
	struct rte_mempool *mp = pool("content", 2000, 0, "guard=on");
	void *objs[N];

	log_begin();
	assert_int_equal(test_take_all(mp, objs, N), N);
	for (unsigned int i = 0; i < N; i++)
		memset(objs[i], (int)i, 2000);
	for (unsigned int round = 0; round < 3; round++) {
		test_put_all(mp, objs, N);
		for (unsigned int i = 0; i < N; i++)
			for (unsigned int j = 0; j < 2000; j++)
				assert_int_equal(((unsigned char *)objs[i])[j], (unsigned char)i);
		assert_int_equal(rte_mempool_generic_get(mp, objs, N, NULL), 0);
		for (unsigned int i = 0; i < N; i++)
			memset(objs[i], (int)i, 2000);
	}
	test_put_all(mp, objs, N);
	log_expect_nothing();
	assert_int_equal(watch(mp).guard_findings, 0);
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

/* Every way in which an mbuf's bytes can be hit; `at` from the object's start. */
static void
hit(struct rte_mempool *mp, bool when_free, ssize_t at, const char *what)
{
	void *objs[N];
	unsigned char *o = get(mp, LAB_OWNER_RXQ(0, 1));

	log_begin();
	if (!when_free)
		o[at] ^= 0x40;
	lab_owner_set(LAB_OWNER_TXQ(1, 0));
	put(mp, o);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	if (when_free)
		o[at] ^= 0x40;
	assert_int_equal(test_take_all(mp, objs, N), N);
	test_put_all(mp, objs, N);
	LOG_EXPECT(what, when_free ? "last held by port 0 rxq 1, freed by port 1 txq 0"
				   : "held by port 0 rxq 1");
}

static void
bad_writes_are_found(void **state)
{
	const size_t elt = sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE;
	struct rte_mempool *mp;

	setenv(LAB_MEMPOOL_ENV, "guard=on", 1);
	mp = rte_pktmbuf_pool_create_by_ops("hits", N, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
		SOCKET_ID_ANY,
		strcmp(allocator, "buddy") == 0 ? LAB_MEMPOOL_OPS_BUDDY : LAB_MEMPOOL_OPS);
	unsetenv(LAB_MEMPOOL_ENV);
	assert_non_null(mp);
	hit(mp, true, 0, "pool hits: write after free: page "); /* the mbuf's header */
	hit(mp, true, 200, "write after free");                 /* headroom */
	hit(mp, true, elt - 1, "write after free");             /* the last byte of data */
	hit(mp, true, elt + 8, "write after free");             /* behind it */
	hit(mp, false, elt, "overrun");
	hit(mp, false, elt + 700, "overrun");
	assert_int_equal(watch(mp).guard_findings, 6);
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

static void
underruns_are_found(void **state)
{
	struct rte_mempool *mp = pool("under", 2000, 0, "guard=on");
	uintptr_t base = (uintptr_t)lab_pfn_to_page(lab_mempool_zone(mp), 0);
	void *o;

	/* the object of the first block has nothing before it */
	do
		o = get(mp, 5);
	while (((uintptr_t)o - base) % LAB_PAGE_SIZE < 256);
	log_begin();
	((unsigned char *)o)[-(ssize_t)mp->header_size - 1] = 1;
	put(mp, o);
	LOG_EXPECT("pool under: underrun: page ", "held by owner 0x5");
	rte_mempool_free(mp);
}

static void
bad_puts_are_named(void **state)
{
	struct rte_mempool *mp = pool("puts", 2000, 0, "guard=on");
	struct lab_mempool_stats s;
	uint64_t local[8];
	char *o = get(mp, LAB_OWNER_RXQ(2, 0));

	put(mp, o);
	log_begin();
	put(mp, o);
	put(mp, local);
	put(mp, get(mp, 9));
	o = get(mp, 9);
	put(mp, o + 64);
	LOG_EXPECT("pool puts: double free: page ", "last held by port 2 rxq 0, freed by lcore 0 ",
		"pool puts: foreign free: page ", "found by lcore 0");
	assert_int_equal(watch(mp).guard_findings, 3);
	put(mp, o);
	assert_int_equal(lab_mempool_stats_get(mp, &s), 0);
	assert_int_equal(s.bad_enqueue_objects, 3);
	assert_int_equal(rte_mempool_avail_count(mp), N);
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

/* Tenants come and go in the same zone, with blocks of other orders: nothing to report. */
static void
tenants_are_no_finding(void **state)
{
	struct rte_mempool *mp = pool("shared", 5000, 0, "guard=on");
	struct lab_tenants *tenants = lab_mempool_tenants(mp);
	struct lab_age_config age = lab_age_config_default(LAB_AGE_LIFETIMES);
	void *objs[N];

	log_begin();
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n;

		age.seed = round;
		age.occupancy = 0.5;
		assert_int_equal(lab_age(tenants, &age, NULL, NULL, NULL), 0);
		n = test_take_all(mp, objs, N);
		for (unsigned int i = 0; i < n; i++)
			memset(objs[i], (int)round, 5000);
		test_put_all(mp, objs, n);
	}
	lab_tenants_release(tenants, ULONG_MAX, 1);
	assert_int_equal(test_take_all(mp, objs, N), N);
	test_put_all(mp, objs, N);
	log_expect_nothing();
	assert_int_equal(watch(mp).guard_findings, 0);
	rte_mempool_free(mp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_switch),
		cmocka_unit_test(owners_are_lcores),
		cmocka_unit_test(caches_hold_for_who_filled_them),
		cmocka_unit_test(refusals_name_the_culprits),
		cmocka_unit_test(nowarn_is_silent),
		cmocka_unit_test(an_idle_reserve_is_named),
		cmocka_unit_test(objects_keep_their_content),
		cmocka_unit_test(bad_writes_are_found),
		cmocka_unit_test(underruns_are_found),
		cmocka_unit_test(bad_puts_are_named),
		cmocka_unit_test(tenants_are_no_finding),
	};

	int failed;

	test_eal_start("test_watch");
	allocator = "buddy";
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	allocator = "labyrinth";
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
