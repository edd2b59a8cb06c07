/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_shared.c
 * A zone used by several threads and by several processes at once.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zone_fixture.h"

#define PAGES      (16 * PAGEBLOCK)
#define NR_WORKERS 4
#define NR_HELD    400
#define NR_BOXES   64
#define STEPS      (LAB_ASSERT_TIER >= 2 ? 3000 : 30000) /* each validates the zone then */

/** Checks in workers, where cmocka's cannot be used. */
#define CHECK(cond) lab_assert_always(cond)

/** What the workers share; in shared memory for processes. */
struct shared {
	struct lab_zone *z;
	_Atomic uint64_t
		boxes[NR_BOXES]; /**< blocks handed over: frame number << 4 | order, 0: none */
	_Atomic unsigned int running;
	_Atomic uint64_t refused;
	pthread_barrier_t start;
};

struct held {
	uint64_t *page;
	unsigned int order;
};

struct worker {
	struct shared *s;
	unsigned int id;
	struct lab_rng rng;
	struct held held[NR_HELD];
	unsigned int nr;
};

/** Every block carries its own address: two owners of one frame would be seen. */
static void
mark(struct lab_zone *z, uint64_t *page, unsigned int order)
{
	for (unsigned int i = 0; i < 1U << order; i++)
		page[i * (LAB_PAGE_SIZE / 8)] = lab_page_to_pfn(z, page) << 8 | i;
}

static void
unmark(struct lab_zone *z, uint64_t *page, unsigned int order)
{
	for (unsigned int i = 0; i < 1U << order; i++) {
		CHECK(page[i * (LAB_PAGE_SIZE / 8)] == (lab_page_to_pfn(z, page) << 8 | i));
		page[i * (LAB_PAGE_SIZE / 8)] = ~0UL;
	}
}

static void
give_back(struct lab_zone *z, uint64_t *page, unsigned int order)
{
	unmark(z, page, order);
	CHECK(lab_free_pages(z, page, order) == 0);
}

static void
take(struct worker *w)
{
	static const lab_gfp_t gfp[] = {LAB_GFP_ATOMIC, LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE,
		LAB_GFP_NOWAIT | __LAB_GFP_RECLAIMABLE, LAB_GFP_ATOMIC};
	unsigned int order = lab_rng_below(&w->rng, 4) ? 0 : lab_rng_below(&w->rng, 6);
	uint64_t *page = lab_alloc_pages(w->s->z, gfp[lab_rng_below(&w->rng, 4)], order);

	if (page == NULL) {
		CHECK(lab_errno_cause(errno) != LAB_CAUSE_NONE);
		atomic_fetch_add(&w->s->refused, 1);
		return;
	}
	mark(w->s->z, page, order);
	w->held[w->nr++] = (struct held){page, order};
}

static void
take_bulk(struct worker *w)
{
	void *pages[32];
	unsigned int n = lab_alloc_pages_bulk(w->s->z, LAB_GFP_ATOMIC, 32, pages);

	if (n == 0)
		atomic_fetch_add(&w->s->refused, 1);
	for (unsigned int i = 0; i < n; i++) {
		mark(w->s->z, pages[i], 0);
		w->held[w->nr++] = (struct held){pages[i], 0};
	}
}

/** Give back, or hand over to whoever comes by the same box, as a receiver does to a sender. */
static void
drop(struct worker *w)
{
	unsigned int k = lab_rng_below(&w->rng, w->nr);
	struct held h = w->held[k];
	uint64_t code;

	w->held[k] = w->held[--w->nr];
	if (lab_rng_below(&w->rng, 2)) {
		give_back(w->s->z, h.page, h.order);
		return;
	}
	code = atomic_exchange(&w->s->boxes[lab_rng_below(&w->rng, NR_BOXES)],
		(lab_page_to_pfn(w->s->z, h.page) + 1) << 4 | h.order);
	if (code != 0)
		give_back(w->s->z, lab_pfn_to_page(w->s->z, (code >> 4) - 1), code & 15);
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	lab_rng_seed(&w->rng, w->id);
	if (w->id % 2)
		lab_cpu_set(w->id); /* the others get one by arrival */
	pthread_barrier_wait(&w->s->start);
	for (int i = 0; i < STEPS; i++) {
		bool full = w->nr + 32 >= NR_HELD;

		if (w->nr > 0 && (full || lab_rng_below(&w->rng, 2)))
			drop(w);
		else if (lab_rng_below(&w->rng, 20) == 0)
			take_bulk(w);
		else
			take(w);
	}
	while (w->nr > 0) {
		w->nr--;
		give_back(w->s->z, w->held[w->nr].page, w->held[w->nr].order);
	}
	atomic_fetch_sub(&w->s->running, 1);
	return NULL;
}

/** Everything that is not a request, meanwhile. */
static void *
meddle(void *arg)
{
	static struct lab_refusal refusals[64];
	struct worker *w = arg;
	struct lab_zone *z = w->s->z;
	struct lab_zone_stats stats;
	struct lab_verdict v;
	char why[200] = "";

	lab_rng_seed(&w->rng, w->id);
	pthread_barrier_wait(&w->s->start);
	for (unsigned int i = 0; atomic_load(&w->s->running) > 0; i++) {
		if (!lab_zone_is_valid(z, why, sizeof(why))) {
			fprintf(stderr, "%s\n", why);
			abort();
		}
		lab_drain_all_pages(z);
		lab_zone_kswapd(z);
		lab_zone_set_min_free_kbytes(z, KB(lab_rng_below(&w->rng, PAGES / 4)));
		lab_zone_set_pcp(z, i % 4 != 0);
		lab_zone_unreserve_highatomic(z, i % 2);
		lab_zone_stats_get(z, &stats);
		lab_zone_refusals(z, refusals, 64);
		lab_zone_explain(z, LAB_GFP_ATOMIC, i % 4, &v);
		CHECK(zone_info(z).nr_free <= PAGES);
		sched_yield();
	}
	return NULL;
}

static void
check_end(struct shared *s)
{
	struct lab_zone_stats stats;
	uint64_t causes = 0;

	for (int i = 0; i < NR_BOXES; i++) {
		uint64_t code = s->boxes[i];

		if (code != 0)
			give_back(s->z, lab_pfn_to_page(s->z, (code >> 4) - 1), code & 15);
	}
	lab_drain_all_pages(s->z);
	assert_valid(s->z);
	assert_int_equal(free_pages(s->z), PAGES);
	stats = zone_stats(s->z);
	for (int i = 0; i < LAB_NR_CAUSES; i++)
		causes += stats.refused[i];
	assert_int_equal(causes, s->refused);
	assert_int_equal(stats.bad_free, 0);
	for (int i = 0; i < LAB_NR_ORDERS; i++)
		assert_int_equal(stats.alloc[i], stats.free[i]);
}

static struct worker workers[NR_WORKERS + 1];

static void
run_threads(struct lab_zone_config *cfg)
{
	static struct shared s;
	pthread_t threads[NR_WORKERS + 1];

	memset(&s, 0, sizeof(s));
	s.z = make_zone(cfg);
	s.running = NR_WORKERS;
	pthread_barrier_init(&s.start, NULL, NR_WORKERS + 1);
	for (unsigned int i = 0; i <= NR_WORKERS; i++) {
		workers[i] = (struct worker){.s = &s, .id = i};
		assert_int_equal(pthread_create(&threads[i], NULL, i == NR_WORKERS ? meddle : work,
					 &workers[i]),
			0);
	}
	for (unsigned int i = 0; i <= NR_WORKERS; i++)
		pthread_join(threads[i], NULL);
	check_end(&s);
	assert_int_equal(lab_zone_destroy(s.z), 0);
}

static void
test_threads(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);

	cfg.nr_cpus = 3; /* some share a list */
	run_threads(&cfg);
	cfg.linux_version = LAB_LINUX_6_1;
	cfg.cma_pages = 4 * PAGEBLOCK;
	run_threads(&cfg);
}

/* ------------------------------------------------------------ double frees */

#define NR_RACES (LAB_ASSERT_TIER >= 2 ? 400 : 2000)

struct race {
	struct lab_zone *z;
	void *_Atomic page;
	pthread_barrier_t start;
	_Atomic int won, already;
};

static void *
free_once(void *arg)
{
	struct race *r = arg;

	for (int i = 0; i < NR_RACES; i++) {
		int ret;

		pthread_barrier_wait(&r->start); /* the page is there */
		ret = lab_free_pages(r->z, r->page, 0);
		atomic_fetch_add(ret == 0 ? &r->won : &r->already, ret == 0 || ret == -EALREADY);
		pthread_barrier_wait(&r->start);
	}
	return NULL;
}

/** Of two who free the same page at the same time one is told. */
static void
test_double_free_race(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);
	static struct race r;
	pthread_t threads[2];

	cfg.nr_cpus = 2;
	r.z = make_zone(&cfg);
	pthread_barrier_init(&r.start, NULL, 3);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, free_once, &r), 0);
	for (int i = 0; i < NR_RACES; i++) {
		if (i % 50 == 0)
			lab_zone_set_pcp(r.z, i % 100 == 0);
		r.page = lab_alloc_page_gfp_atomic(r.z);
		assert_non_null(r.page);
		pthread_barrier_wait(&r.start);
		pthread_barrier_wait(&r.start);
		assert_int_equal(r.won, i + 1);
		assert_int_equal(r.already, i + 1);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_valid(r.z);
	assert_int_equal(zone_stats(r.z).bad_free, NR_RACES);
	assert_int_equal(lab_zone_destroy(r.z), 0);
}

/* ------------------------------------------------------- no false refusals */

static void *
split_and_merge(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&w->s->start);
	for (int i = 0; i < STEPS; i++) {
		void *page = lab_alloc_pages(w->s->z, LAB_GFP_NOWAIT, 0);

		CHECK(page != NULL);
		CHECK(lab_free_pages(w->s->z, page, 0) == 0);
	}
	return NULL;
}

/* A block of 1024 pages that another thread is just splitting still counts: with 4096 pages, of which
 * two are ever in use, a mark of 3277 is never missed. */
static void
test_no_false_refusal(void **state)
{
	struct lab_zone_config cfg = plain_config(4096, 2048);
	static struct shared s;
	pthread_t threads[2];

	cfg.watermark_scale_factor = 3000;
	s.z = make_zone(&cfg);
	assert_int_equal(zone_info(s.z).wmark.low, 2048 + 1228);
	pthread_barrier_init(&s.start, NULL, 2);
	for (unsigned int i = 0; i < 2; i++) {
		workers[i] = (struct worker){.s = &s, .id = i};
		assert_int_equal(
			pthread_create(&threads[i], NULL, split_and_merge, &workers[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(zone_stats(s.z).slowpath, 0);
	assert_valid(s.z);
	assert_int_equal(lab_zone_destroy(s.z), 0);
}

/* -------------------------------------------------------------- processes */

static void *
map_shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/** Two processes, frames and metadata at the same address in both. */
static void
test_processes(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);
	struct shared *s = map_shared(sizeof(*s));
	pthread_barrierattr_t attr;
	pid_t pids[2];

	cfg.nr_cpus = 2;
	cfg.meta_len = lab_zone_meta_size(&cfg);
	cfg.meta = map_shared(cfg.meta_len);
	cfg.base = map_shared(PAGES * LAB_PAGE_SIZE);
	s->z = make_zone(&cfg);
	s->running = 2;
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->start, &attr, 2);
	for (unsigned int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			workers[i] = (struct worker){.s = s, .id = 10 + i};
			work(&workers[i]);
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++) {
		int status = -1;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	check_end(s);
	assert_int_equal(lab_zone_destroy(s->z), 0);
	munmap(cfg.base, PAGES * LAB_PAGE_SIZE);
	munmap(cfg.meta, cfg.meta_len);
	munmap(s, sizeof(*s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_double_free_race),
		cmocka_unit_test(test_no_false_refusal),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
