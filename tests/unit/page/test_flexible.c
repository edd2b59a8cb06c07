/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_flexible.c
 * Callers that can live with less: what they get, what of it counts as a refusal, and that nothing is lost.
 */
#include <signal.h>
#include <sys/time.h>

#include "zone_fixture.h"

#define PAGES 2048UL
#ifdef __SANITIZE_THREAD__
#define STEPS 3000 /* a model, by one thread */
#else
#define STEPS (LAB_ASSERT_TIER >= 2 ? 3000 : 30000) /* each validates the zone then */
#endif

static struct lab_piece piece[PAGES];

static struct lab_zone *
make(enum lab_allocator allocator, unsigned long nr_pages, unsigned long min_pages)
{
	struct lab_zone_config cfg = plain_config(nr_pages, min_pages);

	cfg.allocator = allocator;
	return make_zone(&cfg);
}

/** A zone whose free memory is blocks of one order, every other one of them free. */
static struct lab_zone *
make_pieces(enum lab_allocator allocator, unsigned int order)
{
	struct lab_zone *z = make(allocator, PAGES, 0);

	for (unsigned long i = 0; i < PAGES; i++)
		assert_non_null(lab_alloc_pages(z, GFP_ANY, 0));
	for (unsigned long pfn = 0; pfn < PAGES; pfn++)
		if (!(pfn >> order & 1))
			assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, pfn), 0), 0);
	lab_zone_stats_reset(z);
	return z;
}

static int
ask(struct lab_zone *z, lab_gfp_t gfp, struct lab_flexible want, struct lab_blocks *out)
{
	*out = (struct lab_blocks){.piece = piece, .max = LAB_ARRAY_SIZE(piece)};
	return lab_alloc_pages_flexible(z, gfp, &want, out);
}

static uint64_t
refusals(struct lab_zone *z)
{
	struct lab_zone_stats s = zone_stats(z);
	struct lab_refusal r[2];
	uint64_t n = 0;

	for (int i = 0; i < LAB_NR_CAUSES; i++)
		n += s.refused[i];
	/* what is counted is in the ring, and the other way round */
	assert_int_equal(lab_zone_refusals(z, r, 2), n < 2 ? n : 2);
	return n;
}

#define FOR_EACH_ALLOCATOR(a)                                                                      \
	for (enum lab_allocator a = LAB_ALLOCATOR_BUDDY; a < LAB_NR_ALLOCATORS; a++)

/* ------------------------------------------------------------ one smaller block */

static void
test_smaller(void **state)
{
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 2);
		struct lab_zone_stats s;

		errno = 12345;
		assert_int_equal(
			ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){.order = 5}, &out), 0);
		assert_int_equal(errno, 12345);
		assert_int_equal(out.nr, 1);
		assert_int_equal(out.nr_pages, 4);
		assert_int_equal(piece[0].order, 2);
		assert_int_equal(lab_page_to_pfn(z, piece[0].page) % 4, 0);
		s = zone_stats(z);
		assert_int_equal(s.graceful_order[2], 1);
		assert_int_equal(s.graceful_missed, 3);
		assert_int_equal(s.graceful_scattered + s.graceful_partial, 0);
		assert_int_equal(refusals(z), 0);
		assert_int_equal(lab_free_blocks(z, &out), 0);
		assert_int_equal(out.nr + out.nr_pages, 0);
		/* what is there at once is no fallback */
		assert_int_equal(
			ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){.order = 2}, &out), 0);
		assert_int_equal(lab_free_blocks(z, &out), 0);
		s = zone_stats(z);
		assert_int_equal(s.graceful_order[2], 1);
		assert_int_equal(s.graceful_missed, 3);
		assert_int_equal(free_pages(z), PAGES / 2);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

/** Only the last miss is a refusal, and it is the one of the least order. */
static void
test_refused(void **state)
{
	const struct lab_flexible want[] = {{5, 3, LAB_INSTEAD_SMALLER},
		{5, 3, LAB_INSTEAD_SCATTERED}, {5, 3, LAB_INSTEAD_SOME}};
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 2);

		for (unsigned int i = 0; i < LAB_ARRAY_SIZE(want); i++) {
			struct lab_refusal r;

			assert_int_equal(ask(z, LAB_GFP_ATOMIC, want[i], &out), -ENOSPC);
			assert_int_equal(out.nr + out.nr_pages, 0);
			assert_int_equal(refusals(z), i + 1);
			assert_int_equal(zone_stats(z).graceful_missed, 2 * (i + 1));
			assert_int_equal(lab_zone_refusals(z, &r, 1), 1);
			assert_int_equal(r.order, 3);
			assert_int_equal(r.gfp, LAB_GFP_ATOMIC);
			assert_int_equal(r.verdict.cause, LAB_CAUSE_ORDER);
		}
		assert_int_equal(free_pages(z), PAGES / 2);
		lab_zone_destroy(z);
	}
}

/* ---------------------------------------------------------------- scattered */

static void
test_scattered(void **state)
{
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 2);

		assert_int_equal(ask(z, LAB_GFP_ATOMIC,
					 (struct lab_flexible){5, 1, LAB_INSTEAD_SCATTERED}, &out),
			0);
		assert_int_equal(out.nr, 8);
		assert_int_equal(out.nr_pages, 32);
		for (unsigned int i = 0; i < out.nr; i++)
			assert_int_equal(piece[i].order, 2);
		assert_int_equal(zone_stats(z).graceful_scattered, 1);
		assert_int_equal(zone_stats(z).graceful_missed, 3);
		assert_int_equal(refusals(z), 0);
		assert_int_equal(free_pages(z), PAGES / 2 - 32);
		assert_int_equal(lab_free_blocks(z, &out), 0);
		/* all that is free, and then not one more */
		assert_int_equal(ask(z, LAB_GFP_ATOMIC,
					 (struct lab_flexible){10, 0, LAB_INSTEAD_SCATTERED}, &out),
			0);
		assert_int_equal(out.nr_pages, PAGES / 2);
		assert_int_equal(free_pages(z), 0);
		assert_int_equal(lab_free_pages(z, piece[--out.nr].page, 2), 0);
		assert_int_equal(refusals(z), 0);
		lab_zone_destroy(z);
	}
}

/** All or nothing: what was got is given back when the rest is missing. */
static void
test_scattered_nothing(void **state)
{
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 2);
		void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);

		assert_non_null(page);
		assert_int_equal(ask(z, LAB_GFP_ATOMIC,
					 (struct lab_flexible){10, 2, LAB_INSTEAD_SCATTERED}, &out),
			-ENOMEM); /* 3 of the last 4 pages are free */
		assert_int_equal(out.nr, 0);
		assert_int_equal(refusals(z), 1);
		assert_int_equal(free_pages(z), PAGES / 2 - 1);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

static void
test_some(void **state)
{
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 2);
		void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);

		assert_int_equal(ask(z, LAB_GFP_ATOMIC,
					 (struct lab_flexible){10, 2, LAB_INSTEAD_SOME}, &out),
			0);
		assert_int_equal(out.nr_pages, PAGES / 2 - 4);
		assert_int_equal(zone_stats(z).graceful_partial, 1);
		assert_int_equal(zone_stats(z).graceful_scattered, 1);
		assert_int_equal(refusals(z), 0);
		assert_int_equal(lab_free_blocks(z, &out), 0);
		/* no more than there is room for */
		out.max = 3;
		assert_int_equal(lab_alloc_pages_flexible(z, LAB_GFP_ATOMIC,
					 &(struct lab_flexible){10, 2, LAB_INSTEAD_SOME}, &out),
			0);
		assert_int_equal(out.nr, 3);
		assert_int_equal(lab_free_blocks(z, &out), 0);
		assert_int_equal(lab_free_pages(z, page, 0), 0);
		assert_int_equal(free_pages(z), PAGES / 2);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

/* ------------------------------------------------------------------- rights */

/** min = 1000. A wish ends at the min mark; only what must be had may go below it, to 3/8. */
static void
test_reserve_is_for_the_last(void **state)
{
	const struct {
		unsigned long free;
		int order; /**< got, or refused */
	} rows[] = {{1008, 3}, {1007, 2}, {1004, 2}, {1003, 1}, {1002, 1}, {1001, 0}, {1000, 0},
		{376, 0}, {375, -EAGAIN}};
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		for (unsigned int i = 0; i < LAB_ARRAY_SIZE(rows); i++) {
			struct lab_zone *z = make(a, 32768, 1000);
			int ret;

			take_down_to(z, rows[i].free);
			ret = ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){.order = 3}, &out);
			assert_int_equal(ret < 0 ? ret : (int)piece[0].order, rows[i].order);
			assert_int_equal(refusals(z), ret < 0);
			lab_zone_destroy(z);
		}
	}
}

/** SOME takes one block from the reserve, not all of it. */
static void
test_some_leaves_the_reserve(void **state)
{
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a, 32768, 1000);

		take_down_to(z, 1000);
		assert_int_equal(
			ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){4, 0, LAB_INSTEAD_SOME}, &out),
			0);
		assert_int_equal(out.nr_pages, 1);
		assert_int_equal(free_pages(z), 999);
		assert_int_equal(ask(z, LAB_GFP_ATOMIC,
					 (struct lab_flexible){4, 0, LAB_INSTEAD_SCATTERED}, &out),
			0);
		assert_int_equal(out.nr_pages, 16);
		lab_zone_destroy(z);
	}
}

struct reclaim {
	unsigned int calls;
	unsigned int highest_order;
};

static unsigned long
reclaim(void *arg, unsigned long nr_pages, unsigned int order)
{
	struct reclaim *r = arg;

	r->calls++;
	r->highest_order = order > r->highest_order ? order : r->highest_order;
	return 0;
}

/** Nobody waits for a convenience: only the least order starts reclaim. */
static void
test_only_the_last_waits(void **state)
{
	struct reclaim r = {0};
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 2);

		assert_int_equal(lab_zone_set_reclaim(z, reclaim, &r), 0);
		assert_int_equal(
			ask(z, LAB_GFP_KERNEL, (struct lab_flexible){.order = 6}, &out), 0);
		assert_int_equal(r.calls, 0);
		assert_int_equal(ask(z, LAB_GFP_KERNEL | __LAB_GFP_NORETRY,
					 (struct lab_flexible){6, 3, LAB_INSTEAD_SMALLER}, &out),
			-ENOSPC);
		assert_true(r.calls > 0);
		assert_int_equal(r.highest_order, 3);
		r.calls = 0;
		lab_zone_destroy(z);
	}
}

/** An injected miss of a wish is a miss; of what was needed, a refusal. */
static void
test_inject(void **state)
{
	struct lab_inject once = {.probability_ppm = 1000000, .times = 1, .seed = 1};
	struct lab_inject always = {.probability_ppm = 1000000, .times = -1, .seed = 1};
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make(a, PAGES, 0);

		assert_int_equal(lab_zone_inject(z, &once), 0);
		assert_int_equal(
			ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){.order = 4}, &out), 0);
		assert_int_equal(piece[0].order, 3);
		assert_int_equal(refusals(z), 0);
		assert_int_equal(lab_zone_inject(z, &always), 0);
		assert_int_equal(
			ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){.order = 4}, &out), -EIO);
		assert_int_equal(zone_stats(z).refused[LAB_CAUSE_INJECTED], 1);
		assert_int_equal(refusals(z), 1);
		lab_zone_destroy(z);
	}
}

static void
test_zero(void **state)
{
	struct lab_blocks out;

	FOR_EACH_ALLOCATOR(a)
	{
		struct lab_zone *z = make_pieces(a, 1);

		for (unsigned long i = 0; i < PAGES; i++)
			memset(lab_pfn_to_page(z, i), 0xa5, LAB_PAGE_SIZE);
		assert_int_equal(ask(z, LAB_GFP_ATOMIC | __LAB_GFP_ZERO,
					 (struct lab_flexible){3, 0, LAB_INSTEAD_SCATTERED}, &out),
			0);
		for (unsigned int i = 0; i < out.nr; i++)
			for (unsigned int k = 0; k < LAB_PAGE_SIZE << piece[i].order; k++)
				assert_int_equal(((char *)piece[i].page)[k], 0);
		lab_zone_destroy(z);
	}
}

static void
test_bad(void **state)
{
	struct lab_zone *z = make(LAB_ALLOCATOR_BUDDY, PAGES, 0);
	const struct lab_flexible bad[] = {{11, 0, LAB_INSTEAD_SMALLER},
		{2, 3, LAB_INSTEAD_SMALLER}, {3, 0, (enum lab_instead)3},
		{3, 0, (enum lab_instead) - 1}};
	struct lab_flexible eight = {3, 0, LAB_INSTEAD_SCATTERED};
	struct lab_blocks out;

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(bad); i++)
		assert_int_equal(ask(z, LAB_GFP_ATOMIC, bad[i], &out), -EINVAL);
	assert_int_equal(ask(z, LAB_GFP_ATOMIC | __LAB_GFP_NOFAIL, eight, &out), -EINVAL);
	out = (struct lab_blocks){.piece = piece, .max = 7, .nr = 9};
	assert_int_equal(lab_alloc_pages_flexible(z, LAB_GFP_ATOMIC, &eight, &out), -EINVAL);
	assert_int_equal(out.nr, 0);
	out.max = 8;
	assert_int_equal(lab_alloc_pages_flexible(z, LAB_GFP_ATOMIC, &eight, &out), 0);
	assert_int_equal(lab_free_blocks(z, &out), 0);
	out.max = 0;
	eight.instead = LAB_INSTEAD_SOME;
	assert_int_equal(lab_alloc_pages_flexible(z, LAB_GFP_ATOMIC, &eight, &out), -EINVAL);
	out = (struct lab_blocks){.max = 8};
	assert_int_equal(lab_alloc_pages_flexible(z, LAB_GFP_ATOMIC, &eight, &out), -EINVAL);
	assert_int_equal(zone_stats(z).bad_request, 8);
	assert_int_equal(refusals(z), 0);
	assert_int_equal(free_pages(z), PAGES);
	/* a bad block does not keep the others from going back */
	assert_int_equal(ask(z, LAB_GFP_ATOMIC, (struct lab_flexible){.order = 0}, &out), 0);
	piece[1] = piece[0];
	out.nr = 2;
	assert_int_equal(lab_free_blocks(z, &out), -EALREADY);
	assert_int_equal(free_pages(z), PAGES);
	lab_zone_destroy(z);
}

/* -------------------------------------------------------------------- model */

#define NR_HELD 200

struct held {
	struct lab_piece piece[16];
	struct lab_blocks blocks;
};

struct model {
	struct lab_zone *z;
	struct lab_rng rng;
	struct held held[NR_HELD];
	uint8_t owner[PAGES]; /**< of a frame: held + 1 */
	unsigned long used;
	uint64_t refused, degraded, partial;
};

static void
own(struct model *m, const struct held *h, uint8_t from, uint8_t to)
{
	for (unsigned int i = 0; i < h->blocks.nr; i++) {
		unsigned long pfn = lab_page_to_pfn(m->z, h->piece[i].page);

		assert_int_equal(pfn & ((1UL << h->piece[i].order) - 1), 0);
		for (unsigned long k = pfn; k < pfn + (1UL << h->piece[i].order); k++) {
			assert_int_equal(m->owner[k], from);
			m->owner[k] = to;
		}
	}
}

static struct lab_flexible
random_wish(struct lab_rng *rng)
{
	struct lab_flexible w = {.order = lab_rng_below(rng, 8), .instead = lab_rng_below(rng, 3)};

	w.min_order = lab_rng_below(rng, w.order + 1);
	if (w.instead == LAB_INSTEAD_SCATTERED && w.order - w.min_order > 4)
		w.min_order = w.order - 4;
	return w;
}

/** What was got is what was asked for, or less in the way that was allowed. */
static void
check_got(struct model *m, const struct lab_flexible *w, const struct lab_blocks *b)
{
	unsigned long sum = 0, wish = 1UL << w->order;

	assert_true(b->nr >= 1 && b->nr <= b->max);
	for (unsigned int i = 0; i < b->nr; i++) {
		assert_in_range(b->piece[i].order, w->min_order, w->order);
		assert_true(i == 0 || b->piece[i].order <= b->piece[i - 1].order);
		sum += 1UL << b->piece[i].order;
	}
	assert_int_equal(sum, b->nr_pages);
	if (w->instead == LAB_INSTEAD_SMALLER)
		assert_int_equal(b->nr, 1);
	if (w->instead == LAB_INSTEAD_SCATTERED)
		assert_int_equal(sum, wish);
	assert_true(sum <= wish);
	m->degraded += b->nr > 1 || sum < wish;
	m->partial += w->instead == LAB_INSTEAD_SOME && sum < wish;
}

static void
model_take(struct model *m, unsigned int k)
{
	struct lab_flexible w = random_wish(&m->rng);
	lab_gfp_t gfp = lab_rng_below(&m->rng, 2) ? LAB_GFP_ATOMIC : LAB_GFP_NOWAIT;
	struct held *h = &m->held[k];
	int ret;

	h->blocks = (struct lab_blocks){.piece = h->piece, .max = LAB_ARRAY_SIZE(h->piece)};
	ret = lab_alloc_pages_flexible(m->z, gfp, &w, &h->blocks);
	if (ret == 0) {
		check_got(m, &w, &h->blocks);
		own(m, h, 0, k + 1);
		m->used += h->blocks.nr_pages;
		return;
	}
	m->refused++;
	assert_int_equal(h->blocks.nr, 0);
	assert_int_not_equal(lab_errno_cause(-ret), LAB_CAUSE_NONE);
	/* nobody else is here: what could not be had cannot be had now, and for the same reason */
	if (w.instead != LAB_INSTEAD_SCATTERED)
		assert_int_equal(
			lab_zone_explain(m->z, gfp, w.min_order, NULL), lab_errno_cause(-ret));
}

static void
model_step(struct model *m)
{
	unsigned int k = lab_rng_below(&m->rng, NR_HELD);
	struct held *h = &m->held[k];

	if (h->blocks.nr == 0) {
		model_take(m, k);
		return;
	}
	own(m, h, k + 1, 0);
	m->used -= h->blocks.nr_pages;
	assert_int_equal(lab_free_blocks(m->z, &h->blocks), 0);
}

static void
model_run(enum lab_allocator a, uint64_t seed)
{
	static struct model m;
	struct lab_zone_stats s;
	uint64_t degraded = 0, refused = 0;

	m = (struct model){.z = make(a, PAGES, 64)};
	lab_rng_seed(&m.rng, seed);
	for (unsigned int i = 0; i < STEPS; i++) {
		model_step(&m);
		assert_int_equal(free_pages(m.z), PAGES - m.used);
		if (i % 1000 == 0)
			assert_valid(m.z);
	}
	s = zone_stats(m.z);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		degraded += s.graceful_order[o];
	for (unsigned int c = 0; c < LAB_NR_CAUSES; c++)
		refused += s.refused[c];
	assert_int_equal(degraded + s.graceful_scattered, m.degraded);
	assert_int_equal(s.graceful_partial, m.partial);
	assert_int_equal(refused, m.refused);
	/* the run meant something */
	assert_true(m.degraded > 100 && m.refused > 100 && m.partial > 10);
	for (unsigned int k = 0; k < NR_HELD; k++)
		assert_int_equal(lab_free_blocks(m.z, &m.held[k].blocks), 0);
	assert_int_equal(free_pages(m.z), PAGES);
	assert_valid(m.z);
	assert_int_equal(lab_zone_destroy(m.z), 0);
}

static void
test_model(void **state)
{
	FOR_EACH_ALLOCATOR(a)
	for (uint64_t seed = 1; seed <= 3; seed++)
		model_run(a, seed);
}

/* ------------------------------------------------------------------- handler */

static struct lab_zone *shared;
static volatile sig_atomic_t interruptions;

static void
use_zone(void)
{
	const struct lab_flexible want = {4, 0, LAB_INSTEAD_SCATTERED};
	struct lab_piece p[16];
	struct lab_blocks out = {.piece = p, .max = 16};

	lab_assert_always(lab_alloc_pages_flexible(shared, LAB_GFP_ATOMIC, &want, &out) == 0);
	lab_assert_always(out.nr_pages == 16);
	lab_assert_always(lab_free_blocks(shared, &out) == 0);
}

static void
interrupt(int sig)
{
	int err = errno;

	use_zone();
	interruptions++;
	errno = err;
}

/** On a labyrinth zone of single pages a handler that interrupts the same call makes it again. */
static void
test_signal_handler(void **state)
{
	struct itimerval once = {0}, off = {0};
	struct sigaction sa = {.sa_handler = interrupt, .sa_flags = SA_RESTART};

	shared = make_pieces(LAB_ALLOCATOR_LABYRINTH, 0);
	sigaction(SIGALRM, &sa, NULL);
	while (interruptions < 3000) {
		/* one at a time: a handler that takes longer than a period would starve us */
		sig_atomic_t seen = interruptions;

		once.it_value.tv_usec = 20 + seen % 60;
		setitimer(ITIMER_REAL, &once, NULL);
		while (interruptions == seen)
			use_zone();
	}
	setitimer(ITIMER_REAL, &off, NULL);
	assert_int_equal(free_pages(shared), PAGES / 2);
	assert_true(zone_stats(shared).graceful_scattered > 3000);
	assert_valid(shared);
	lab_zone_destroy(shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smaller),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_scattered),
		cmocka_unit_test(test_scattered_nothing),
		cmocka_unit_test(test_some),
		cmocka_unit_test(test_reserve_is_for_the_last),
		cmocka_unit_test(test_some_leaves_the_reserve),
		cmocka_unit_test(test_only_the_last_waits),
		cmocka_unit_test(test_inject),
		cmocka_unit_test(test_zero),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_signal_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
