/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* A page handed out as zero is zero, whoever zeroed it and when, and however much is freed dirty meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"
#include "percpu.h"
#include "zero.h"

#define ZERO (LAB_GFP_ATOMIC | __LAB_GFP_ZERO)

#define assert_valid(z)                                                                            \
	do {                                                                                       \
		char why_[200] = "";                                                               \
		if (!lab_zone_is_valid((z), why_, sizeof(why_)) ||                                 \
			!lab_zero_is_true((z), why_, sizeof(why_)))                                \
			fail_msg("%s", why_);                                                      \
	} while (0)

static struct lab_zone_config
config(unsigned long nr_pages, bool stacks)
{
	struct lab_zone_config cfg = lab_zone_config_default(nr_pages);

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	cfg.min_free_kbytes = 0;
	cfg.no_pcp = !stacks;
	return cfg;
}

/** Memory full of garbage, aligned to a block of the largest order. */
static void *
garbage(unsigned long nr_pages)
{
	void *p = aligned_alloc(LAB_PAGE_SIZE << LAB_MAX_ORDER,
		(nr_pages * LAB_PAGE_SIZE + (LAB_PAGE_SIZE << LAB_MAX_ORDER) - 1) &
			~((LAB_PAGE_SIZE << LAB_MAX_ORDER) - 1));

	assert_non_null(p);
	memset(p, 0xa5, nr_pages * LAB_PAGE_SIZE);
	return p;
}

/** A zone of dirty pages. */
static struct lab_zone *
make(unsigned long nr_pages, bool stacks, unsigned long target)
{
	struct lab_zone_config cfg = config(nr_pages, stacks);
	struct lab_zone *z;

	cfg.base = garbage(nr_pages);
	cfg.zero_target = target;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	return z;
}

static void
unmake(struct lab_zone *z)
{
	void *base = lab_pfn_to_page(z, 0);

	assert_int_equal(lab_zone_destroy(z), 0);
	free(base);
}

static struct lab_zone_stats
stats(struct lab_zone *z)
{
	struct lab_zone_stats s;

	lab_zone_stats_get(z, &s);
	return s;
}

static struct lab_zone_info
info(struct lab_zone *z)
{
	struct lab_zone_info i;

	lab_zone_info_get(z, &i);
	return i;
}

static void
zero_all(struct lab_zone *z)
{
	for (unsigned int idle = 0; idle < 100; idle++)
		while (lab_zone_background(z, 64) > 0)
			idle = 0;
}

static bool
is_zero(const void *block, unsigned int order)
{
	const uint64_t *p = block;

	for (size_t i = 0; i < (LAB_PAGE_SIZE << order) / sizeof(*p); i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* ------------------------------------------------------------------ rules */

static void
test_off_by_default(void **state)
{
	struct lab_zone *z = make(8192, true, 0);

	assert_int_equal(lab_zone_background(z, 64), 0);
	assert_int_equal(info(z).nr_zeroed, 0);
	assert_int_equal(*(uint64_t *)lab_pfn_to_page(z, 7), 0xa5a5a5a5a5a5a5a5);
	unmake(z);
}

static void
test_who_may_not(void **state)
{
	struct lab_zone_config cfg = config(1024, false);
	struct lab_zone *z;

	cfg.keep_content = true;
	cfg.zero_target = 1;
	assert_int_equal(lab_zone_create(&z, &cfg), -EINVAL);
	cfg.zero_target = 0;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_int_equal(lab_zone_set_zero_target(z, 1), -EPERM);
	assert_int_equal(lab_zone_set_zero_target(z, 0), 0);
	lab_zone_destroy(z);
	cfg = lab_zone_config_default(1024);
	cfg.zero_target = 1;
	assert_int_equal(lab_zone_create(&z, &cfg), -EINVAL);
	cfg.zero_target = 0;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_int_equal(lab_zone_set_zero_target(z, 1), -ENOTSUP);
	assert_int_equal(lab_zone_background(z, 64), 0);
	lab_zone_destroy(z);
}

/* The target is met, not exceeded; what is used is zeroed again. */
static void
target(bool stacks)
{
	struct lab_zone *z = make(16384, stacks, 1000);
	void *page[500];

	zero_all(z);
	assert_int_equal(info(z).nr_zeroed, 1000);
	assert_int_equal(stats(z).zeroed_pages, 1000);
	assert_valid(z);
	for (unsigned int i = 0; i < 500; i++) {
		page[i] = lab_alloc_pages(z, ZERO, 0);
		assert_true(is_zero(page[i], 0));
		memset(page[i], 0xff, LAB_PAGE_SIZE);
	}
	assert_int_equal(stats(z).zero_hit, 500);
	assert_int_equal(stats(z).zero_inline, 0);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	zero_all(z);
	assert_true(info(z).nr_zeroed >= 1000);
	lab_drain_all_pages(z);
	assert_valid(z);
	assert_int_equal(lab_zone_set_zero_target(z, 0), 0);
	assert_int_equal(lab_zone_background(z, 64), 0);
	unmake(z);
}

static void
test_target(void **state)
{
	target(false);
	target(true);
}

/* What a stack of zeroed pages held is zeroed still when it is drained. */
static void
test_drain(void **state)
{
	struct lab_zone *z = make(16384, true, 2000);
	void *page;

	zero_all(z);
	page = lab_alloc_pages(z, ZERO, 0);
	lab_drain_all_pages(z);
	assert_int_equal(info(z).nr_zeroed, 1999);
	assert_valid(z);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	lab_drain_all_pages(z);
	assert_int_equal(info(z).nr_zeroed, 1999);
	unmake(z);
}

/* Memory from the system needs no zeroing, until it has been used. */
static void
test_fresh(void **state)
{
	struct lab_zone_config cfg = config(4096 + 77, true);
	struct lab_zone *z;
	void *block[LAB_NR_ORDERS];

	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_valid(z);
	assert_int_equal(info(z).nr_zeroed, 4096 + 77);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		block[o] = lab_alloc_pages(z, ZERO, o);
		assert_true(is_zero(block[o], o));
		memset(block[o], 1, LAB_PAGE_SIZE << o);
	}
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		assert_int_equal(lab_free_pages(z, block[o], o), 0);
	assert_int_equal(stats(z).zero_hit, LAB_NR_ORDERS);
	assert_int_equal(stats(z).zero_inline, 0);
	lab_drain_all_pages(z);
	assert_valid(z);
	lab_zone_destroy(z);
}

/* Of a block only the dirty pages are cleared. */
static void
test_parts(void **state)
{
	struct lab_zone *z = make(1024, false, 5);
	void *block;

	assert_int_equal(
		lab_zone_background(z, 64), 0); /* the only block of order 10 is left alone */
	lab_zone_set_zero_target(z, 5);
	block = lab_alloc_pages(z, ZERO, 0);
	assert_true(is_zero(block, 0));
	zero_all(z);
	assert_int_equal(info(z).nr_zeroed, 5);
	memset(block, 1, LAB_PAGE_SIZE);
	assert_int_equal(lab_free_pages(z, block, 0), 0);
	block = lab_alloc_pages(z, ZERO, 10);
	assert_true(is_zero(block, 10));
	assert_int_equal(stats(z).zero_inline, 2);
	assert_int_equal(stats(z).zero_inline_pages, 1 + 1024 - 5);
	assert_int_equal(lab_free_pages(z, block, 10), 0);
	unmake(z);
}

/* Once a request was there, the worker puts batches aside for the next ones. They are zero, count for the target, and
 * cost nobody a page. */
static void
test_put_aside(void **state)
{
	struct lab_zone *z;
	void *page[16384 + 1]; /* and the one that is refused */
	unsigned int n = 0;

	if (!percpu_available()) /* no stacks, none put aside */
		skip();
	z = make(16384, true, 2000);
	zero_all(z);
	assert_int_equal(lab_drain_all_pages(z), 0);
	page[n++] = lab_alloc_pages(z, ZERO, 0);
	assert_int_equal(lab_drain_all_pages(z), 63);
	zero_all(z);
	assert_int_equal(info(z).nr_zeroed, 2000);
	assert_true(lab_drain_all_pages(z) >= 512);
	assert_int_equal(info(z).nr_zeroed, 2000);
	assert_valid(z);
	zero_all(z);
	for (; n <= 500; n++) {
		page[n] = lab_alloc_pages(z, ZERO, 0);
		assert_true(is_zero(page[n], 0));
	}
	assert_int_equal(stats(z).zero_inline, 0);
	zero_all(z);
	while ((page[n] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0)) != NULL)
		n++;
	assert_int_equal(n, 16384);
	assert_valid(z);
	while (n > 0)
		assert_int_equal(lab_free_pages(z, page[--n], 0), 0);
	unmake(z);
}

static void
test_bulk(void **state)
{
	for (unsigned int stacks = 0; stacks < 2; stacks++) {
		struct lab_zone *z = make(8192, stacks, 100);
		void *page[300];

		zero_all(z);
		for (unsigned int k = 0; k < 10; k++) {
			unsigned int got = lab_alloc_pages_bulk(z, ZERO, 30, page + k * 30);

			assert_int_equal(got, 30);
		}
		for (unsigned int i = 0; i < 300; i++) {
			assert_true(is_zero(page[i], 0));
			memset(page[i], 1, LAB_PAGE_SIZE);
		}
		assert_int_equal(stats(z).zero_hit + stats(z).zero_inline, 300);
		assert_int_equal(stats(z).zero_hit, 100);
		for (unsigned int i = 0; i < 300; i++)
			assert_int_equal(lab_free_pages(z, page[i], 0), 0);
		lab_drain_all_pages(z);
		assert_valid(z);
		unmake(z);
	}
}

/* Near the high mark no page is in the worker's hands. */
static void
test_stands_aside(void **state)
{
	struct lab_zone *z = make(8192, false, 8192);
	void *page[8192];
	unsigned long high;
	unsigned int n = 0;

	assert_int_equal(lab_zone_set_min_free_kbytes(z, 4000), 0);
	high = info(z).wmark.high;
	while (info(z).nr_free > high + 64)
		page[n++] = lab_alloc_pages(z, LAB_GFP_KERNEL, 0);
	assert_int_equal(lab_zone_background(z, 64), 0);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(lab_free_pages(z, page[--n], 0), 0);
	assert_int_equal(lab_zone_background(z, 64), 64);
	while (n > 0)
		assert_int_equal(lab_free_pages(z, page[--n], 0), 0);
	unmake(z);
}

/* A refusal, after which nobody reclaims, does not end the worker's work. */
static void
test_after_a_refusal(void **state)
{
	struct lab_zone *z = make(2048, true, 100);
	static void *page[2048 + 1];
	unsigned int n = 0;

	while ((page[n] = lab_alloc_page_gfp_atomic(z)) != NULL)
		n++;
	assert_int_equal(stats(z).contended, 0); /* nothing is left in the worker's hands */
	while (n > 0)
		assert_int_equal(lab_free_pages(z, page[--n], 0), 0);
	lab_drain_all_pages(z);
	zero_all(z);
	assert_int_equal(info(z).nr_zeroed, 100);
	unmake(z);
}

/* Guarded mode has the free pages to itself: what was zeroed before is not believed any more. */
static void
test_guarded(void **state)
{
	const struct lab_guard_config guard = {0};
	struct lab_zone *z = make(2048, true, 100);
	uint64_t hits;
	void *page[2];

	zero_all(z);
	assert_int_equal(info(z).nr_zeroed, 100);
	assert_int_equal(lab_zone_set_guard(z, &guard), 0);
	hits = stats(z).zero_hit;
	for (unsigned int i = 0; i < 300; i++) {
		page[0] = lab_alloc_pages(z, ZERO, 0);
		assert_int_equal(lab_alloc_pages_bulk(z, ZERO, 1, page + 1), 1);
		for (unsigned int k = 0; k < 2; k++) {
			assert_true(is_zero(page[k], 0));
			assert_int_equal(lab_free_pages(z, page[k], 0), 0);
		}
		assert_int_equal(lab_zone_background(z, 64), 0);
	}
	assert_int_equal(stats(z).zero_hit, hits);
	unmake(z);
}

/* A zone that is restored knows nothing of its pages. */
static void
test_restore(void **state)
{
	struct lab_zone_config cfg = config(1024, true);
	struct lab_block b = {.order = 10, .state = LAB_BLOCK_FREE};
	const uint8_t types[2] = {0, 0};
	struct lab_zone *z;

	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_int_equal(info(z).nr_zeroed, 1024);
	assert_int_equal(lab_zone_restore(z, &b, 1, types, 2), 0);
	assert_int_equal(info(z).nr_zeroed, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_metadata(void **state)
{
	struct lab_zone_config a = config(1UL << 20, true), b = config(1UL << 21, true);
	size_t bytes = lab_zone_meta_size(&b) - lab_zone_meta_size(&a);

	assert_true(bytes < (1UL << 20)); /* of a further frame */
}

/* ------------------------------------------------------- the same each time */

static uint64_t
run(void)
{
	struct lab_zone *z = make(4096, false, 500);
	uint64_t sum = 0, seed = 9;
	struct lab_rng rng;
	void *held[4096];
	unsigned int n = 0;

	lab_rng_seed(&rng, seed);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int what = lab_rng_below(&rng, 10);

		if (what < 4 && n < 3000) {
			held[n] = lab_alloc_pages(z, what < 2 ? ZERO : LAB_GFP_ATOMIC, 0);
			sum = (sum ^ lab_page_to_pfn(z, held[n++])) * 0x100000001b3;
		} else if (what < 8 && n > 0) {
			unsigned int k = lab_rng_below(&rng, n);

			lab_free_pages(z, held[k], 0);
			held[k] = held[--n];
		} else {
			sum += lab_zone_background(z, 16);
		}
	}
	while (n > 0)
		lab_free_pages(z, held[--n], 0);
	unmake(z);
	return sum;
}

static void
test_deterministic(void **state)
{
	assert_int_equal(run(), run());
}

/* ---------------------------------------------------------------- threads */

#define TAKERS 3

struct party {
	struct lab_zone *z;
	_Atomic bool stop;
	_Atomic unsigned long requests, refused, rounds;
};

struct taker {
	struct party *p;
	uint64_t seed;
	pthread_t thread;
};

/** Take as zero, check, write garbage, give back; now and then several at once. */
static void *
take(void *arg)
{
	struct taker *t = arg;
	struct party *p = t->p;
	struct {
		void *page;
		unsigned int order;
	} held[64];
	unsigned int n = 0;
	struct lab_rng rng;

	lab_rng_seed(&rng, t->seed);
	while (!atomic_load(&p->stop) || n > 0) {
		unsigned int order = lab_rng_below(&rng, 2)   ? 0
				     : lab_rng_below(&rng, 8) ? lab_rng_below(&rng, 5)
							      : lab_rng_below(&rng, 11);
		bool zero = lab_rng_below(&rng, 4) != 0;
		lab_gfp_t gfp = (zero ? ZERO : LAB_GFP_ATOMIC) |
				(lab_rng_below(&rng, 2) ? __LAB_GFP_MOVABLE : 0);

		if (atomic_load(&p->stop) || n == 64 || lab_rng_below(&rng, 2)) {
			if (n == 0)
				continue;
			n--;
			lab_assert_always(lab_free_pages(p->z, held[n].page, held[n].order) == 0);
			continue;
		}
		held[n].page = lab_alloc_pages(p->z, gfp, order);
		held[n].order = order;
		if (held[n].page == NULL) {
			p->refused++;
			continue;
		}
		p->requests += zero;
		lab_assert_always(!zero || is_zero(held[n].page, order));
		memset(held[n].page, 0x5a, LAB_PAGE_SIZE << order);
		n++;
	}
	return NULL;
}

static void *
work(void *arg)
{
	struct party *p = arg;

	while (!atomic_load(&p->stop)) {
		if (lab_zone_background(p->z, 32) == 0)
			usleep(100);
		p->rounds++;
	}
	return NULL;
}

static void
start_takers(struct party *p, struct taker t[TAKERS])
{
	for (unsigned int i = 0; i < TAKERS; i++) {
		t[i] = (struct taker){.p = p, .seed = i + 1};
		assert_int_equal(pthread_create(&t[i].thread, NULL, take, &t[i]), 0);
	}
}

static void
stop_takers(struct party *p, struct taker t[TAKERS])
{
	atomic_store(&p->stop, true);
	for (unsigned int i = 0; i < TAKERS; i++)
		pthread_join(t[i].thread, NULL);
}

static void
check_party(struct party *p)
{
	lab_drain_all_pages(p->z);
	assert_valid(p->z);
	assert_int_equal(info(p->z).nr_free, info(p->z).managed);
	assert_int_equal(stats(p->z).zero_hit + stats(p->z).zero_inline, p->requests);
	assert_true(stats(p->z).zero_hit > 0);
	assert_true(p->requests > 100);
	unmake(p->z);
}

static void
party(bool stacks)
{
	struct party p = {.z = make(16384, stacks, 16384)};
	struct taker t[TAKERS];
	struct lab_background *b[2];

	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(lab_background_start(&b[i], p.z), 0);
	start_takers(&p, t);
	usleep(400000);
	stop_takers(&p, t);
	for (unsigned int i = 0; i < 2; i++)
		lab_background_stop(b[i]);
	assert_true(stats(p.z).background_rounds > 0);
	check_party(&p);
}

static void
test_threads(void **state)
{
	party(false);
	party(true);
}

/* A worker held anywhere stops nobody. */
static _Atomic bool held_back, let_go;

static void
hold(int sig)
{
	atomic_store(&held_back, true);
	while (!atomic_load(&let_go))
		usleep(50);
	atomic_store(&held_back, false);
}

static void
test_a_stopped_worker_stops_nobody(void **state)
{
	struct party p = {.z = make(16384, true, 16384)};
	struct taker t[TAKERS];
	pthread_t worker;

	signal(SIGUSR1, hold);
	start_takers(&p, t);
	assert_int_equal(pthread_create(&worker, NULL, work, &p), 0);
	for (unsigned int i = 0; i < 50; i++) {
		unsigned long before;

		atomic_store(&let_go, false);
		pthread_kill(worker, SIGUSR1);
		while (!atomic_load(&held_back))
			usleep(20);
		before = p.requests;
		while (p.requests < before + 20)
			usleep(20);
		atomic_store(&let_go, true);
		while (atomic_load(&held_back))
			usleep(20);
	}
	stop_takers(&p, t);
	pthread_join(worker, NULL);
	assert_true(p.rounds > 0);
	check_party(&p);
}

/* A handler that interrupts a request for zeros may make one. */
static struct lab_zone *shared;
static _Atomic unsigned long interruptions;

static void
use_shared(void)
{
	for (unsigned int order = 0; order < 4; order += 3) {
		void *block = lab_alloc_pages(shared, ZERO, order);

		lab_assert_always(is_zero(block, order));
		memset(block, 0x5a, LAB_PAGE_SIZE << order);
		lab_assert_always(lab_free_pages(shared, block, order) == 0);
	}
}

static void
interrupt(int sig)
{
	int err = errno;

	use_shared();
	interruptions++;
	errno = err;
}

static void
test_signal_handler(void **state)
{
	struct itimerval it = {{0, 50}, {0, 50}}, off = {{0, 0}, {0, 0}};
	struct lab_background *b;

	shared = make(16384, true, 16384);
	assert_int_equal(lab_background_start(&b, shared), 0);
	signal(SIGALRM, interrupt);
	setitimer(ITIMER_REAL, &it, NULL);
	while (interruptions < 3000) {
		void *page[100];
		unsigned int n = lab_alloc_pages_bulk(shared, ZERO, 100, page);

		for (unsigned int i = 0; i < n; i++) {
			lab_assert_always(is_zero(page[i], 0));
			memset(page[i], 0x5a, LAB_PAGE_SIZE);
		}
		use_shared();
		for (unsigned int i = 0; i < n; i++)
			lab_assert_always(lab_free_pages(shared, page[i], 0) == 0);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	lab_background_stop(b);
	lab_drain_all_pages(shared);
	assert_valid(shared);
	assert_true(stats(shared).zero_hit > 0);
	unmake(shared);
}

/* A worker that is killed takes at most the pages in its hands with it; all others are what they are said
 * to be. */
static void
test_a_killed_worker(void **state)
{
	struct lab_zone_config cfg = config(8192, false);
	unsigned long lost;
	struct lab_zone *z;
	int kills = 0;

	cfg.meta_len = lab_zone_meta_size(&cfg);
	cfg.meta =
		mmap(NULL, cfg.meta_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cfg.base = mmap(NULL, cfg.nr_pages * LAB_PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(cfg.base, 0xa5, cfg.nr_pages * LAB_PAGE_SIZE);
	cfg.zero_target = 8192;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	for (; kills < 20; kills++) {
		void *page[256];
		pid_t child = fork();

		if (child == 0) {
			for (;;)
				lab_zone_background(z, 64);
		}
		for (unsigned int i = 0; i < 256; i++) {
			page[i] = lab_alloc_pages(z, ZERO, 0);
			assert_true(is_zero(page[i], 0));
			memset(page[i], 0x5a, LAB_PAGE_SIZE);
		}
		for (unsigned int i = 0; i < 256; i++)
			assert_int_equal(lab_free_pages(z, page[i], 0), 0);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	assert_true(lab_zero_is_true(z, NULL, 0));
	lost = info(z).managed - info(z).nr_free;
	assert_true(lost <= kills * 8U);
	lab_zone_destroy(z);
	munmap(cfg.base, cfg.nr_pages * LAB_PAGE_SIZE);
	munmap(cfg.meta, cfg.meta_len);
}

static void
test_start_stop(void **state)
{
	struct lab_zone *z = make(8192, true, 4000);

	lab_background_stop(NULL);
	for (unsigned int i = 0; i < 20; i++) {
		struct lab_background *b;

		assert_int_equal(lab_background_start(&b, z), 0);
		if (i == 0)
			for (unsigned int w = 0; w < 5000 && info(z).nr_zeroed < 4000; w++)
				usleep(1000);
		lab_background_stop(b);
	}
	assert_int_equal(info(z).nr_zeroed, 4000);
	assert_valid(z);
	unmake(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_by_default),
		cmocka_unit_test(test_who_may_not),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_put_aside),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_stands_aside),
		cmocka_unit_test(test_after_a_refusal),
		cmocka_unit_test(test_guarded),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_a_stopped_worker_stops_nobody),
		cmocka_unit_test(test_signal_handler),
		cmocka_unit_test(test_a_killed_worker),
		cmocka_unit_test(test_start_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
