/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_warning.c
 * Early warning: once a crossing of the low mark, before anything is refused, in whatever context.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zone_fixture.h"

#define PAGES 32768UL
#define MIN   1000UL
#define LOW   1250UL
#define HIGH  1500UL
#define STEPS (LAB_ASSERT_TIER >= 2 ? 8000 : 40000) /* each validates the zone then */
#ifdef __SANITIZE_THREAD__
#define TRIPS 20
#else
#define TRIPS (LAB_ASSERT_TIER >= 2 ? 4 : 100)
#endif

struct heard {
	_Atomic unsigned int calls;
	struct lab_warning last;
};

static void
hear(void *arg, const struct lab_warning *w)
{
	struct heard *h = arg;

	h->last = *w;
	h->calls++;
}

static void
hear_count(void *arg, const struct lab_warning *w)
{
	atomic_fetch_add((_Atomic unsigned int *)arg, 1);
}

static struct lab_zone *
make(enum lab_allocator allocator)
{
	struct lab_zone_config cfg = plain_config(PAGES, MIN);

	cfg.allocator = allocator;
	return make_zone(&cfg);
}

#define SMALL 2048UL

static struct lab_zone *
make_small(enum lab_allocator allocator)
{
	struct lab_zone_config cfg = plain_config(SMALL, 100);

	cfg.allocator = allocator;
	return make_zone(&cfg);
}

static struct lab_warnings
warnings(const struct lab_zone *z)
{
	struct lab_warnings w;

	lab_zone_warnings(z, &w);
	return w;
}

#define FOR_EACH_ALLOCATOR(a)                                                                      \
	for (enum lab_allocator a = LAB_ALLOCATOR_BUDDY; a < LAB_NR_ALLOCATORS; a++)

static void *held[PAGES];
static unsigned int nr_held;

static void
take(struct lab_zone *z)
{
	held[nr_held] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
	assert_non_null(held[nr_held++]);
}

static void
give(struct lab_zone *z)
{
	assert_int_equal(lab_free_pages(z, held[--nr_held], 0), 0);
}

/* ------------------------------------------------------------------ crossing */

static void
test_crossing(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a);
		struct heard h = {0};

		nr_held = 0;
		lab_zone_set_time(z, 77);
		assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
		take_down_to(z, LOW + 2);
		assert_true(warnings(z).armed);
		take(z); /* LOW + 1 are free */
		assert_int_equal(h.calls, 0);
		assert_int_equal(warnings(z).count + warnings(z).last_ns, 0);
		take(z);
		assert_int_equal(h.calls, 1);
		assert_ptr_equal(h.last.zone, z);
		assert_int_equal(h.last.seq, 1);
		assert_int_equal(h.last.time_ns, 77);
		assert_int_equal(h.last.free, LOW);
		assert_int_equal(h.last.low, LOW);
		assert_int_equal(h.last.order, 0);
		assert_int_equal(warnings(z).count, 1);
		assert_int_equal(warnings(z).last_ns, 77);
		assert_int_equal(warnings(z).last_free, LOW);
		assert_false(warnings(z).armed);
		lab_zone_destroy(z);
	}
}

/** Up to the high mark nothing is new; above it the next crossing is. */
static void
test_hysteresis(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a);
		struct heard h = {0};

		nr_held = 0;
		assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
		take_down_to(z, HIGH + 2);
		while (free_pages(z) > LOW)
			take(z);
		assert_int_equal(h.calls, 1);
		for (unsigned long top = LOW + 1; top <= HIGH; top += HIGH - LOW - 1) {
			while (free_pages(z) < top)
				give(z);
			while (free_pages(z) > LOW - 10)
				take(z);
			assert_int_equal(h.calls, 1);
			assert_false(warnings(z).armed);
		}
		while (free_pages(z) < HIGH + 1)
			give(z);
		take(z); /* sees HIGH + 1 */
		assert_true(warnings(z).armed);
		assert_int_equal(h.calls, 1);
		while (free_pages(z) > LOW)
			take(z);
		assert_int_equal(h.calls, 2);
		assert_int_equal(h.last.seq, 2);
		lab_zone_destroy(z);
	}
}

/** A block that the marks do not let out though the free pages are above them. */
static void
test_large_request(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a);
		struct heard h = {0};

		assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
		take_down_to(z, HIGH + 100);
		assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 10));
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(h.calls, 1);
		assert_int_equal(h.last.order, 10);
		/* it is not armed again by pages that would not have helped it */
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
		assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 10));
		assert_int_equal(h.calls, 1);
		lab_zone_destroy(z);
	}
}

static void
test_bulk(void **state)
{
	void *pages[64];

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a);
		struct heard h = {0};

		assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
		take_down_to(z, LOW + 65);
		assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 64, pages), 64);
		assert_int_equal(h.calls, 0);
		assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 64, pages), 1);
		assert_int_equal(h.calls, 1);
		lab_zone_destroy(z);
	}
}

/** What the per-CPU lists fetch beside it is gone from the free pages, too. */
static void
test_bulk_refill(void **state)
{
	struct lab_zone *z = make(LAB_ALLOCATOR_BUDDY);
	void *pages[8];

	take_down_to(z, LOW + 9);
	assert_int_equal(lab_zone_set_pcp(z, true), 0);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 8);
	assert_true(free_pages(z) <= LOW);
	assert_int_equal(warnings(z).count, 1);
	lab_zone_destroy(z);
}

/** A miss that is no refusal warns too; want of a block alone does not. */
static void
test_flexible_and_order(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a);
		struct lab_piece piece;
		struct lab_blocks out = {.piece = &piece, .max = 1};

		take_down_to(z, LOW + 100);
		assert_int_equal(lab_alloc_pages_flexible(z, LAB_GFP_ATOMIC,
					 &(struct lab_flexible){.order = 10}, &out),
			0);
		assert_int_equal(warnings(z).count, 1);
		lab_zone_destroy(z);

		z = make_small(a);
		for (unsigned long i = 0; i < SMALL; i++)
			assert_non_null(lab_alloc_pages(z, GFP_ANY, 0));
		assert_int_equal(warnings(z).count, 1);
		for (unsigned long pfn = 0; pfn < SMALL; pfn += 2)
			assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, pfn), 0), 0);
		assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
		assert_int_equal(errno, ENOSPC);
		assert_int_equal(warnings(z).count, 1);
		lab_zone_destroy(z);
	}
}

/* ------------------------------------------------------------------- registry */

static void
test_registry(void **state)
{
	struct lab_zone *z = make(LAB_ALLOCATOR_BUDDY);
	struct heard a = {0}, b = {0};

	nr_held = 0;
	take_down_to(z, HIGH + 2);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(lab_zone_set_warning(z, hear, i % 2 ? &a : &b), 0);
	for (unsigned int round = 1; round <= 2; round++) {
		while (free_pages(z) > LOW)
			take(z);
		assert_int_equal(a.calls, 1);
		assert_int_equal(b.calls, 0);
		assert_int_equal(warnings(z).count, round);
		while (free_pages(z) < HIGH + 2)
			give(z);
		assert_int_equal(lab_zone_set_warning(z, NULL, &b), 0);
	}
	assert_int_equal(lab_zone_set_warning(z, NULL, NULL), 0);
	lab_zone_destroy(z);
}

/** A callback may use the zone: it is past the crossing, and no lock is held. */
static void
use_in_callback(void *arg, const struct lab_warning *w)
{
	void *page = lab_alloc_pages(w->zone, LAB_GFP_ATOMIC, 0);

	assert_non_null(page);
	assert_int_equal(lab_free_pages(w->zone, page, 0), 0);
	assert_int_equal(zone_info(w->zone).nr_free, LOW);
	++*(unsigned int *)arg;
}

static void
test_callback_may_allocate(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a);
		unsigned int calls = 0;

		take_down_to(z, LOW + 1);
		assert_int_equal(lab_zone_set_warning(z, use_in_callback, &calls), 0);
		assert_non_null(lab_alloc_page_gfp_atomic(z));
		assert_int_equal(calls, 1);
		lab_zone_destroy(z);
	}
}

static struct lab_zone *
make_shared(void)
{
	struct lab_zone_config cfg = plain_config(PAGES, MIN);

	cfg.meta_len = lab_zone_meta_size(&cfg);
	cfg.base = mmap(NULL, (PAGES + 512) << LAB_PAGE_SHIFT, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cfg.meta =
		mmap(NULL, cfg.meta_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(cfg.base != MAP_FAILED && cfg.meta != MAP_FAILED);
	return make_zone(&cfg);
}

/** Another process crosses: its own callback hears of it, ours does not, and everybody can read it. */
static void
test_processes(void **state)
{
	struct lab_zone *z = make_shared();
	struct heard h = {0};
	int status;
	pid_t pid;

	take_down_to(z, LOW + 1);
	assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
	pid = fork();
	if (pid == 0) {
		struct heard own = {0};

		lab_assert_always(lab_zone_set_warning(z, hear, &own) == 0);
		lab_assert_always(lab_alloc_page_gfp_atomic(z) != NULL);
		_exit(own.calls == 1 && h.calls == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(h.calls, 0);
	assert_int_equal(warnings(z).count, 1);
	lab_zone_destroy(z);
}

/** Eight living processes have the slots; those of dead ones are given on. */
static void
test_slots(void **state)
{
	struct lab_zone *z = make_shared();
	struct heard h = {0};
	int done[2], ready[2];
	pid_t pid[8];
	char c;

	assert_true(pipe(done) == 0 && pipe(ready) == 0);
	for (unsigned int i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			close(done[1]);
			lab_assert_always(lab_zone_set_warning(z, hear, &h) == 0);
			/* the last slot is changed in place */
			lab_assert_always(lab_zone_set_warning(z, hear, &h) == 0);
			lab_assert_always(write(ready[1], "", 1) == 1);
			_exit(read(done[0], &c, 1) == 0 ? 0 : 1);
		}
		assert_int_equal(read(ready[0], &c, 1), 1);
	}
	assert_int_equal(lab_zone_set_warning(z, hear, &h), -ENOSPC);
	assert_int_equal(lab_zone_set_warning(z, NULL, NULL), 0);
	close(done[1]);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
	assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
	take_down_to(z, LOW);
	assert_int_equal(h.calls, 1);
	lab_zone_destroy(z);
}

/* ------------------------------------------------------------------- property */

struct block {
	void *page;
	unsigned int order;
};

/** Whatever the orders, flags and frees: who is refused for want of pages was warned before, and not armed
 *  since; and a warning is one call. */
static void
run_property(enum lab_allocator a, uint64_t seed)
{
	static const lab_gfp_t gfp[] = {LAB_GFP_ATOMIC, LAB_GFP_NOWAIT,
		LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC};
	static struct block block[8192];
	struct lab_zone_config cfg = plain_config(8192, 200);
	unsigned int n = 0, refused = 0, unwarned = 0;
	struct heard h = {0};
	struct lab_rng rng;
	struct lab_zone *z;

	cfg.allocator = a;
	cfg.no_pcp = seed & 1;
	cfg.watermark_boost_factor = seed & 2 ? 15000 : 0;
	z = make_zone(&cfg);
	assert_int_equal(lab_zone_set_warning(z, hear, &h), 0);
	lab_rng_seed(&rng, seed);
	for (unsigned int i = 0; i < STEPS; i++) {
		bool fill = (i / 2000) % 2 == 0 ? lab_rng_below(&rng, 8) : !lab_rng_below(&rng, 3);

		if (fill && n < LAB_ARRAY_SIZE(block)) {
			unsigned int order = lab_rng_below(&rng, 4) ? 0 : lab_rng_below(&rng, 9);
			uint64_t before = warnings(z).count;
			bool armed = warnings(z).armed;

			block[n].order = order;
			block[n].page = lab_alloc_pages(z, gfp[lab_rng_below(&rng, 4)], order);
			if (block[n].page != NULL)
				n++;
			else if (errno == EAGAIN || errno == ENOMEM) {
				refused++;
				unwarned += warnings(z).armed;
				/* if it was still armed, this request was warned of itself */
				assert_true(!armed || warnings(z).count == before + 1);
			}
			assert_true(warnings(z).count - before <= 1);
		} else if (n > 0) {
			unsigned int k = lab_rng_below(&rng, n);

			assert_int_equal(lab_free_pages(z, block[k].page, block[k].order), 0);
			block[k] = block[--n];
		}
		assert_int_equal(h.calls, warnings(z).count);
	}
	assert_int_equal(unwarned, 0);
	assert_true(refused > 50 && h.calls >= 2);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_property(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	for (uint64_t seed = 1; seed <= (LAB_ASSERT_TIER >= 2 ? 2 : 8); seed++)
		run_property(a, seed);
}

/* -------------------------------------------------------- threads and handlers */

static struct lab_zone *shared;
static _Atomic unsigned int heard_one, heard_two;
static _Atomic bool over;

/** Cross the mark up and down, by as many pages as it takes. */
static void *
cross(void *arg)
{
	void *page[512];

	for (unsigned int i = 0; i < TRIPS; i++) {
		unsigned int n = 0;

		while (n < LAB_ARRAY_SIZE(page) && (page[n] = lab_alloc_page_gfp_atomic(shared)))
			n++;
		while (n > 0)
			lab_assert_always(lab_free_pages(shared, page[--n], 0) == 0);
		/* what lies in caches is not free: over the high mark again */
		lab_drain_all_pages(shared);
	}
	return NULL;
}

static void *
change(void *arg)
{
	bool one = true;

	while (!over) {
		lab_assert_always(lab_zone_set_warning(
					  shared, hear_count, one ? &heard_one : &heard_two) == 0);
		one = !one;
	}
	return NULL;
}

/** Each crossing is one warning and one call, also while the callback is being changed; a pointer never
 *  goes with another one's function. */
static void
test_threads(void **state)
{
	pthread_t thread[3];

	FOR_EACH_ALLOCATOR(a)
	{
		unsigned int calls;

		shared = make(a);
		heard_one = heard_two = 0;
		over = false;
		take_down_to(shared, HIGH + 2);
		assert_int_equal(lab_zone_set_warning(shared, hear_count, &heard_one), 0);
		cross(NULL);
		assert_int_equal(heard_one, TRIPS);
		assert_int_equal(warnings(shared).count, TRIPS);
		/* how often two of them cross depends on how they meet */
		for (unsigned int i = 0; i < 3; i++)
			pthread_create(&thread[i], NULL, i < 2 ? cross : change, NULL);
		for (unsigned int i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
		over = true;
		pthread_join(thread[2], NULL);
		calls = heard_one + heard_two;
		/* one that came while both slots were being written may have gone by */
		assert_in_range(calls, warnings(shared).count * 9 / 10, warnings(shared).count);
		assert_valid(shared);
		lab_zone_destroy(shared);
	}
}

static void
interrupt(int sig)
{
	int err = errno;
	void *page[400];
	unsigned int n = 0;

	while (n < LAB_ARRAY_SIZE(page) && (page[n] = lab_alloc_page_gfp_atomic(shared)))
		n++;
	while (n > 0)
		lab_assert_always(lab_free_pages(shared, page[--n], 0) == 0);
	errno = err;
}

/** A handler crosses while the code that it interrupted registers: nobody waits for anybody. */
static void
test_signal_handler(void **state)
{
	struct itimerval once = {0}, off = {0};
	struct sigaction sa = {.sa_handler = interrupt, .sa_flags = SA_RESTART};

	shared = make(LAB_ALLOCATOR_LABYRINTH);
	heard_one = heard_two = 0;
	take_down_to(shared, HIGH + 50);
	sigaction(SIGALRM, &sa, NULL);
	while (warnings(shared).count < 1000) {
		/* one at a time: a handler that takes longer than a period would starve us */
		uint64_t seen = warnings(shared).count;

		once.it_value.tv_usec = 20 + seen % 60;
		setitimer(ITIMER_REAL, &once, NULL);
		while (warnings(shared).count == seen)
			lab_assert_always(lab_zone_set_warning(shared, hear_count,
						  seen % 2 ? &heard_one : &heard_two) == 0);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	assert_true(heard_one + heard_two > 900);
	lab_zone_destroy(shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_large_request),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_bulk_refill),
		cmocka_unit_test(test_flexible_and_order),
		cmocka_unit_test(test_registry),
		cmocka_unit_test(test_callback_may_allocate),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_signal_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
