/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The reserve of blocks: for atomic requests alone, once they would be refused, and refilled behind them. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

#define PAGES 4096UL

static struct lab_zone_config
config(unsigned int order, unsigned int blocks)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.nr_cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	cfg.min_free_kbytes = 0;
	cfg.reserve[order] = blocks;
	return cfg;
}

static struct lab_zone *
make(unsigned int order, unsigned int blocks)
{
	struct lab_zone_config cfg = config(order, blocks);
	struct lab_zone *z;

	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	return z;
}

static struct lab_zone_info
info(struct lab_zone *z)
{
	struct lab_zone_info i;

	lab_drain_all_pages(z);
	lab_zone_info_get(z, &i);
	return i;
}

static struct lab_zone_stats
stats(struct lab_zone *z)
{
	struct lab_zone_stats s;

	lab_zone_stats_get(z, &s);
	return s;
}

static void
assert_valid(struct lab_zone *z)
{
	char why[200] = "";

	if (!lab_zone_is_valid(z, why, sizeof(why)))
		fail_msg("%s", why);
}

/* Take every free block of the order; they stay with their index in the array. @return how many. */
static unsigned int
take_all(struct lab_zone *z, lab_gfp_t gfp, unsigned int order, void **page, unsigned int n)
{
	unsigned int got = 0;

	while (got < n && (page[got] = lab_alloc_pages(z, gfp, order)) != NULL)
		got++;
	return got;
}

static const lab_gfp_t NOT_ATOMIC = LAB_GFP_NOWAIT;

/* ------------------------------------------------------------------ who has it */

static void
test_at_boot(void **state)
{
	struct lab_zone *z = make(2, 4);

	assert_int_equal(info(z).nr_free, PAGES - 16);
	assert_int_equal(info(z).nr_reserve, 16);
	assert_int_equal(lab_zone_reserve(z, 2), 4);
	assert_int_equal(lab_zone_reserve_held(z, 2), 4);
	assert_int_equal(lab_zone_reserve_held(z, 1), 0);
	assert_int_equal(stats(z).reserve_refill, 4);
	assert_int_equal(stats(z).alloc[2], 0); /* nobody asked for them */
	assert_valid(z);
	assert_int_equal(lab_zone_destroy(z), 0); /* nobody's leak */
}

static void
test_atomic_only(void **state)
{
	static void *page[PAGES];
	struct lab_zone *z = make(2, 4);
	unsigned int n = take_all(z, NOT_ATOMIC, 2, page, PAGES);
	struct lab_verdict v;

	assert_int_equal(n, PAGES / 4 - 4);
	assert_int_equal(errno, ENOMEM);
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 2));
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1)); /* another order's */
	assert_int_equal(lab_zone_explain(z, NOT_ATOMIC, 2, NULL), LAB_CAUSE_EXHAUSTED);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 2, &v), LAB_CAUSE_NONE);
	/* what is no request to this zone gets nothing out of it either */
	assert_int_equal(
		lab_zone_explain(z, LAB_GFP_ATOMIC | __LAB_GFP_DMA, 2, &v), LAB_CAUSE_ORDER);
	assert_int_equal(
		lab_zone_explain(z, LAB_GFP_ATOMIC | __LAB_GFP_DMA | __LAB_GFP_DMA32, 2, &v),
		LAB_CAUSE_ORDER);
	for (unsigned int i = 0; i < 4; i++)
		assert_non_null(page[n + i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 2));
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 2));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 2, &v), LAB_CAUSE_EXHAUSTED);
	assert_int_equal(stats(z).reserve_hit, 4);
	assert_int_equal(lab_zone_reserve_held(z, 2), 0);
	assert_valid(z);
	for (unsigned int i = 0; i < n + 4; i++)
		assert_int_equal(lab_free_pages(z, page[i], 2), 0);
	lab_drain_all_pages(z);
	assert_int_equal(stats(z).alloc[2], n + 4);
	assert_int_equal(stats(z).free[2], n + 4);
	assert_valid(z);
	assert_int_equal(lab_zone_destroy(z), 0);
}

/* Half of the zone is free, but in single pages: what no watermark helps against. */
static void
test_fragmented(void **state)
{
	static void *page[PAGES];
	struct lab_zone *z = make(1, 2);
	unsigned int n = take_all(z, NOT_ATOMIC, 0, page, PAGES);
	struct lab_inject all = {.probability_ppm = 1000000, .times = -1, .seed = 1};

	assert_int_equal(n, PAGES - 4);
	for (unsigned int i = 0; i < n; i++)
		if (lab_page_to_pfn(z, page[i]) % 2 == 0)
			assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	lab_drain_all_pages(z);
	assert_null(lab_alloc_pages(z, NOT_ATOMIC, 1));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(lab_zone_inject(z, &all), 0); /* an injected refusal remains one */
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
	assert_int_equal(errno, EIO);
	assert_int_equal(lab_zone_inject(z, &(struct lab_inject){0}), 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(lab_zone_background(z, 64), 0); /* no block that could refill it */
	assert_int_equal(lab_zone_destroy(z), n - n / 2 + 2);
}

/* -------------------------------------------------------------- behind requests */

static void
test_refill(void **state)
{
	struct lab_zone_config cfg = config(0, 8);
	static void *page[PAGES];
	unsigned int n, low, i;
	struct lab_zone *z;

	cfg.min_free_kbytes = 400; /* min 100, low 125 */
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	low = (unsigned int)info(z).wmark.low;
	assert_int_equal(low, 125);
	n = take_all(z, LAB_GFP_ATOMIC, 0, page, PAGES);
	assert_int_equal(stats(z).reserve_hit, 8); /* its share of min is spent before */
	/* up to the low mark what is free is not the reserve's */
	for (i = 0; info(z).nr_free < low + 1; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	assert_int_equal(lab_zone_background(z, 64), 0);
	for (; info(z).nr_free < low + 4; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	assert_int_equal(lab_zone_background(z, 2), 2); /* the budget */
	assert_int_equal(lab_zone_background(z, 64), 1);
	assert_int_equal(info(z).nr_free, low + 1);
	for (; i < n; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	assert_int_equal(lab_zone_background(z, 64), 5);
	assert_int_equal(lab_zone_background(z, 64), 0);
	assert_int_equal(lab_zone_reserve_held(z, 0), 8);
	assert_valid(z);
	assert_int_equal(lab_zone_destroy(z), 0);
}

static void
test_set(void **state)
{
	struct lab_zone_config cfg = config(3, LAB_RESERVE_MAX + 1);
	struct lab_zone *z = make(0, 0), *none = NULL;

	assert_int_equal(lab_zone_set_reserve(z, LAB_NR_ORDERS, 1), -EINVAL);
	assert_int_equal(lab_zone_set_reserve(z, 0, LAB_RESERVE_MAX + 1), -EINVAL);
	assert_int_equal(lab_zone_set_reserve(z, 0, LAB_RESERVE_MAX), 0);
	assert_int_equal(lab_zone_set_reserve(z, 10, 2), 0);
	assert_int_equal(info(z).nr_free, PAGES - LAB_RESERVE_MAX - 2048);
	assert_int_equal(lab_zone_set_reserve(z, 10, 1), 0);
	assert_int_equal(lab_zone_set_reserve(z, 0, 3), 0);
	assert_int_equal(info(z).nr_free, PAGES - 3 - 1024);
	assert_int_equal(lab_zone_set_reserve(z, 10, 200), 0); /* more than there is */
	assert_int_equal(lab_zone_reserve_held(z, 10), 3);
	assert_int_equal(lab_zone_set_reserve(z, 10, 0), 0);
	assert_int_equal(lab_zone_set_reserve(z, 0, 0), 0);
	assert_int_equal(info(z).nr_free, PAGES);
	assert_valid(z);
	assert_int_equal(lab_zone_destroy(z), 0);
	assert_int_equal(lab_zone_create(&none, &cfg), -EINVAL);
	cfg.reserve[3] = 1;
	cfg.allocator = LAB_ALLOCATOR_BUDDY;
	assert_int_equal(lab_zone_create(&none, &cfg), -EINVAL);
	cfg.reserve[3] = 0;
	assert_int_equal(lab_zone_create(&none, &cfg), 0);
	assert_int_equal(lab_zone_set_reserve(none, 3, 1), -ENOTSUP);
	assert_int_equal(lab_zone_set_reserve(none, 3, 0), 0);
	lab_zone_destroy(none);
}

/* Memory that comes in pieces fills it as far as it goes; a zone that is restored has it again. */
static void
test_online_and_restore(void **state)
{
	struct lab_zone_config cfg = config(4, 6);
	struct lab_block whole[PAGES / 1024];
	uint8_t mt[PAGES / LAB_PAGEBLOCK_PAGES];
	struct lab_zone *z;
	char *base;

	cfg.offline = true;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_int_equal(lab_zone_reserve_held(z, 4), 0);
	base = info(z).base;
	assert_int_equal(lab_zone_online(z, base, 64), 0);
	assert_int_equal(lab_zone_reserve_held(z, 4), 3); /* one block is never spared */
	assert_int_equal(lab_zone_online(z, base + 64 * LAB_PAGE_SIZE, PAGES - 64), 0);
	assert_int_equal(lab_zone_reserve_held(z, 4), 6);
	for (unsigned int i = 0; i < PAGES / 1024; i++)
		whole[i] = (struct lab_block){
			.pfn = i * 1024UL, .order = 10, .migratetype = LAB_MIGRATE_MOVABLE};
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(mt); i++)
		mt[i] = LAB_MIGRATE_MOVABLE;
	assert_int_equal(lab_zone_restore(z, whole, PAGES / 1024, mt, LAB_ARRAY_SIZE(mt)), 0);
	assert_int_equal(lab_zone_reserve_held(z, 4), 6);
	assert_int_equal(info(z).nr_free, PAGES - 96);
	assert_valid(z);
	assert_int_equal(lab_zone_destroy(z), 0);
}

/* --------------------------------------------------------------- all at once */

#define THREADS 3
#define ROUNDS  4000

struct crowd {
	struct lab_zone *z;
	atomic_bool stop;
};

/* More than is free, even for one thread alone: each often has the last one of the reserve. */
static void *
take_and_give(void *arg)
{
	struct crowd *c = arg;
	void *page[26];

	for (unsigned int r = 0; r < ROUNDS; r++) {
		unsigned int n = take_all(c->z, LAB_GFP_ATOMIC, 1, page, 26);

		for (unsigned int i = 0; i < n; i++) {
			*(void **)page[i] = page[i];
			((void **)page[i])[1] = &page[i];
		}
		for (unsigned int i = 0; i < n; i++) {
			lab_assert_always(*(void **)page[i] == page[i]);
			lab_assert_always(((void **)page[i])[1] == &page[i]);
			lab_assert_always(lab_free_pages(c->z, page[i], 1) == 0);
		}
	}
	return NULL;
}

static void *
refill(void *arg)
{
	struct crowd *c = arg;

	while (!c->stop)
		lab_zone_background(c->z, 8);
	return NULL;
}

static void
test_threads(void **state)
{
	struct lab_zone_config cfg = config(1, 12);
	struct crowd c = {0};
	pthread_t thread[THREADS + 2];

	cfg.nr_pages = 64;
	assert_int_equal(lab_zone_create(&c.z, &cfg), 0);
	for (unsigned int i = 0; i < THREADS + 2; i++)
		pthread_create(&thread[i], NULL, i < THREADS ? take_and_give : refill, &c);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	c.stop = true;
	for (unsigned int i = THREADS; i < THREADS + 2; i++)
		pthread_join(thread[i], NULL);
	assert_true(stats(c.z).reserve_hit > 0);
	assert_int_equal(stats(c.z).bad_free, 0);
	lab_drain_all_pages(c.z);
	lab_zone_background(c.z, 64);
	assert_int_equal(lab_zone_reserve_held(c.z, 1), 12);
	assert_int_equal(info(c.z).nr_free, 64 - 24);
	assert_valid(c.z);
	assert_int_equal(lab_zone_destroy(c.z), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_boot),
		cmocka_unit_test(test_atomic_only),
		cmocka_unit_test(test_fragmented),
		cmocka_unit_test(test_refill),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_online_and_restore),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
