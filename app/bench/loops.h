/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

/**
 * @file loops.h
 * The patterns' loops, written once and compiled once for each kind of allocator, with its calls inlined
 * as they would be in a program that uses it. Each is there twice: as it is, and with the clock read
 * around every call.
 *
 * Whatever is asked for here is within what the allocator has, so each refusal is a false one, but for
 * the request that loop_fill() makes when all is handed out.
 */
#include <string.h>

#include <rte_pause.h>
#include <rte_ring.h>

#include "bench.h"

#define BENCH_INLINE static inline __attribute__((always_inline))

/** An allocator's calls, of a thread. Whole blocks of t->order. */
struct bench_calls {
	void *(*get)(struct bench_thread *t); /**< NULL: refused */
	void (*put)(struct bench_thread *t, void *page);
	void *(*get_zero)(struct bench_thread *t); /**< order 0 */
	unsigned int (*get_n)(
		struct bench_thread *t, void **pages, unsigned int n); /**< how many */
	void (*put_n)(struct bench_thread *t, void **pages, unsigned int n);
};

/** For who has no calls for many. */
#define BENCH_ONE_BY_ONE(get, put)                                                                 \
	BENCH_INLINE unsigned int get##_n(struct bench_thread *t, void **pages, unsigned int n)    \
	{                                                                                          \
		unsigned int got = 0;                                                              \
                                                                                                   \
		while (got < n && (pages[got] = get(t)) != NULL)                                   \
			got++;                                                                     \
		return got;                                                                        \
	}                                                                                          \
	BENCH_INLINE void put##_n(struct bench_thread *t, void **pages, unsigned int n)            \
	{                                                                                          \
		for (unsigned int i = 0; i < n; i++)                                               \
			put(t, pages[i]);                                                          \
	}

/** For who knows no zeroed pages: what its user would do. */
#define BENCH_ZERO_BY_HAND(get)                                                                    \
	BENCH_INLINE void *get##_zero(struct bench_thread *t)                                      \
	{                                                                                          \
		void *page = get(t);                                                               \
                                                                                                   \
		if (page != NULL)                                                                  \
			memset(page, 0, LAB_PAGE_SIZE);                                            \
		return page;                                                                       \
	}

/* ------------------------------------------------------------ single calls */

/** The compiler must take it that somebody uses the page. */
#define BENCH_USED(page) __asm__ volatile("" : "+r"(page))

BENCH_INLINE void *
timed_get(struct bench_thread *t, void *(*get)(struct bench_thread *t), bool timed)
{
	uint64_t at = timed ? bench_clock() : 0;
	void *page = get(t);

	if (timed && page != NULL)
		lab_hist_record(&t->get_hist, bench_clock() - at);
	BENCH_USED(page);
	return page;
}

BENCH_INLINE void
timed_put(struct bench_thread *t, const struct bench_calls *c, void *page, bool timed)
{
	uint64_t at = timed ? bench_clock() : 0;

	c->put(t, page);
	if (timed)
		lab_hist_record(&t->put_hist, bench_clock() - at);
}

BENCH_INLINE unsigned int
timed_get_n(struct bench_thread *t, const struct bench_calls *c, void **pages, bool timed)
{
	uint64_t at = timed ? bench_clock() : 0;
	unsigned int n = c->get_n(t, pages, BENCH_BURST);

	if (timed && n == BENCH_BURST)
		lab_hist_record(&t->get_hist, bench_clock() - at);
	__asm__ volatile("" : : "r"(pages) : "memory");
	t->refused += BENCH_BURST - n;
	return n;
}

BENCH_INLINE void
timed_put_n(struct bench_thread *t, const struct bench_calls *c, void **pages, unsigned int n,
	bool timed)
{
	uint64_t at = timed ? bench_clock() : 0;

	c->put_n(t, pages, n);
	if (timed && n == BENCH_BURST)
		lab_hist_record(&t->put_hist, bench_clock() - at);
}

/** A part that a loop times itself began at `at` and is over. */
BENCH_INLINE void
get_part(struct bench_thread *t, uint64_t at, uint64_t pages)
{
	t->get_ticks += bench_clock() - at;
	t->get_parts++;
	t->gets += pages;
}

BENCH_INLINE void
put_part(struct bench_thread *t, uint64_t at, uint64_t pages)
{
	t->put_ticks += bench_clock() - at;
	t->put_parts++;
	t->puts += pages;
}

/* ------------------------------------------------------------------- loops */

BENCH_INLINE uint64_t
loop_take(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	uint64_t before = t->nr_held;

	while (t->nr_held < n) {
		void *page = timed_get(t, c->get, timed);

		if (page == NULL) {
			t->refused++;
			break;
		}
		t->held[t->nr_held++] = page;
	}
	return t->nr_held - before;
}

BENCH_INLINE uint64_t
loop_give(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	uint64_t before = t->nr_held;

	while (t->nr_held > n) {
		void *page = t->held[--t->nr_held];

		if (page != NULL)
			timed_put(t, c, page, timed);
	}
	return before - t->nr_held;
}

/** One page to and fro: whatever an allocator keeps at hand. */
BENCH_INLINE uint64_t
loop_repeat(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	uint64_t done = 0;

	for (unsigned long i = 0; i < n; i++) {
		void *page = timed_get(t, c->get, timed);

		if (page == NULL) {
			t->refused++;
			continue;
		}
		timed_put(t, c, page, timed);
		done++;
	}
	return done;
}

/** 32 pages in one call, if there is one, as a receive burst takes them. */
BENCH_INLINE uint64_t
loop_bursts(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	void *pages[BENCH_BURST];
	uint64_t done = 0;

	for (unsigned long i = 0; i < n; i += BENCH_BURST) {
		unsigned int got = timed_get_n(t, c, pages, timed);

		timed_put_n(t, c, pages, got, timed);
		done += got;
	}
	return done;
}

/** With all handed out one more is asked for: it must be refused, and the capacity be right. */
BENCH_INLINE void
ask_beyond(struct bench_thread *t, const struct bench_calls *c)
{
	void *page = c->get(t);

	if (page == NULL) {
		t->refused++;
		t->expected++;
	} else {
		t->beyond++;
		c->put(t, page);
	}
}

/** All pages one by one, then all of them back in another order. */
BENCH_INLINE uint64_t
loop_fill(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	uint64_t at = bench_clock(), got;

	(void)n;
	got = loop_take(t, c, t->quota, timed);
	get_part(t, at, got);
	if (t->alone && t->nr_held == t->quota && (t->alloc->flags & BENCH_BOUNDED))
		ask_beyond(t, c);
	bench_shuffle(t);
	at = bench_clock();
	put_part(t, at, loop_give(t, c, 0, timed));
	return got;
}

/** A page chosen at random is given back and another one taken. */
BENCH_INLINE uint64_t
loop_replace(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	uint64_t done = 0;

	for (unsigned long i = 0; i < n; i++) {
		void **slot = &t->held[lab_rng_below(&t->rng, t->slots)];

		/* empty, if the last request for it was refused */
		if (*slot != NULL)
			timed_put(t, c, *slot, timed);
		*slot = timed_get(t, c->get, timed);
		if (*slot == NULL)
			t->refused++;
		else
			done++;
	}
	return done;
}

/** Takes up to 64, gives up to 64 at random back; stays within 1% of what it began with. */
BENCH_INLINE uint64_t
loop_walk(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	unsigned long room = t->quota / 100 + 1;
	unsigned long high = t->slots + room < t->quota ? t->slots + room : t->quota;
	unsigned long low = t->slots > room ? t->slots - room : 1;
	uint64_t done = 0;

	while (done < n) {
		unsigned long take = 1 + lab_rng_below(&t->rng, 64);
		unsigned long give = 1 + lab_rng_below(&t->rng, 64);
		uint64_t refused = t->refused;

		take = t->nr_held + take < high ? t->nr_held + take : high;
		done += loop_take(t, c, take, timed);
		while (give-- > 0 && t->nr_held > low) {
			unsigned long i = lab_rng_below(&t->rng, t->nr_held);
			void *page = t->held[i];

			t->held[i] = t->held[--t->nr_held];
			timed_put(t, c, page, timed);
		}
		if (t->refused != refused)
			break; /* let the caller look at the clock */
	}
	return done;
}

/** The sender's half of a transfer. The ring's own time is outside of what is timed. */
BENCH_INLINE uint64_t
loop_send(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	void *pages[BENCH_BURST];
	uint64_t done = 0;

	for (unsigned long i = 0; i < n; i += BENCH_BURST) {
		uint64_t at = bench_clock();
		unsigned int got = timed_get_n(t, c, pages, timed), sent = 0;

		get_part(t, at, got);
		while (sent < got) {
			sent += rte_ring_sp_enqueue_burst(t->ring, pages + sent, got - sent, NULL);
			if (sent < got)
				rte_pause();
		}
		done += got;
	}
	return done;
}

/** The receiver's half: n pages, or what is left when the sender has ended. */
BENCH_INLINE uint64_t
loop_receive(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	void *pages[BENCH_BURST];
	uint64_t done = 0;

	while (done < n) {
		bool last = __atomic_load_n(t->sent, __ATOMIC_ACQUIRE);
		unsigned int got = rte_ring_sc_dequeue_burst(t->ring, pages, BENCH_BURST, NULL);
		uint64_t at;

		if (got == 0 && last)
			break;
		if (got == 0) {
			rte_pause();
			continue;
		}
		at = bench_clock();
		timed_put_n(t, c, pages, got, timed);
		put_part(t, at, got);
		done += got;
	}
	return done;
}

/** Was it zero, and is it from now on dirty? Not timed. */
static inline void
soil(struct bench_thread *t, void *page)
{
	uint64_t *word = page;
	const size_t last = LAB_PAGE_SIZE / sizeof(*word) - 1;

	if (!(t->alloc->flags & BENCH_SAME))
		t->not_zero += word[0] != 0 || word[last / 2] != 0 || word[last] != 0;
	word[0] = word[last / 2] = word[last] = UINT64_MAX;
}

/** Requests in batches, and only they are timed: in between pages go back dirty and the background works. */
BENCH_INLINE uint64_t
loop_requests(
	struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed, bool zero)
{
	uint64_t done = 0;

	for (unsigned long i = 0; i < n; i += BENCH_ZERO_BATCH) {
		uint64_t at = bench_clock();

		while (t->nr_held < BENCH_ZERO_BATCH) {
			void *page = timed_get(t, zero ? c->get_zero : c->get, timed);

			if (page == NULL) {
				t->refused++;
				break;
			}
			t->held[t->nr_held++] = page;
		}
		get_part(t, at, t->nr_held);
		done += t->nr_held;
		for (unsigned long j = 0; zero && j < t->nr_held; j++)
			soil(t, t->held[j]);
		loop_give(t, c, 0, false);
		if (t->alloc->background != NULL && t->index == 0)
			t->alloc->background(t->ctx);
	}
	return done;
}

BENCH_INLINE uint64_t
loop_zero(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	return loop_requests(t, c, n, timed, true);
}

BENCH_INLINE uint64_t
loop_nozero(struct bench_thread *t, const struct bench_calls *c, unsigned long n, bool timed)
{
	return loop_requests(t, c, n, timed, false);
}

/* ----------------------------------------------------- an allocator's table */

#define BENCH_LOOP_(loop, calls)                                                                   \
	static uint64_t loop##_plain(struct bench_thread *t, unsigned long n)                      \
	{                                                                                          \
		return loop(t, &(calls), n, false);                                                \
	}                                                                                          \
	static uint64_t loop##_timed(struct bench_thread *t, unsigned long n)                      \
	{                                                                                          \
		return loop(t, &(calls), n, true);                                                 \
	}

#define BENCH_PAIR_(loop)                                                                          \
	{                                                                                          \
		loop##_plain, loop##_timed                                                         \
	}

/** Define a file's loops from its static const struct bench_calls; then its table is BENCH_TABLE. */
#define BENCH_LOOPS(calls)                                                                         \
	BENCH_LOOP_(loop_take, calls)                                                              \
	BENCH_LOOP_(loop_give, calls)                                                              \
	BENCH_LOOP_(loop_repeat, calls)                                                            \
	BENCH_LOOP_(loop_bursts, calls)                                                            \
	BENCH_LOOP_(loop_fill, calls)                                                              \
	BENCH_LOOP_(loop_replace, calls)                                                           \
	BENCH_LOOP_(loop_walk, calls)                                                              \
	BENCH_LOOP_(loop_send, calls)                                                              \
	BENCH_LOOP_(loop_receive, calls)                                                           \
	BENCH_LOOP_(loop_zero, calls)                                                              \
	BENCH_LOOP_(loop_nozero, calls)

#define BENCH_TABLE                                                                                \
	{                                                                                          \
		[BENCH_TAKE] = BENCH_PAIR_(loop_take), [BENCH_GIVE] = BENCH_PAIR_(loop_give),      \
		[BENCH_REPEAT] = BENCH_PAIR_(loop_repeat),                                         \
		[BENCH_BURSTS] = BENCH_PAIR_(loop_bursts), [BENCH_FILL] = BENCH_PAIR_(loop_fill),  \
		[BENCH_REPLACE] = BENCH_PAIR_(loop_replace),                                       \
		[BENCH_WALK] = BENCH_PAIR_(loop_walk), [BENCH_SEND] = BENCH_PAIR_(loop_send),      \
		[BENCH_RECEIVE] = BENCH_PAIR_(loop_receive),                                       \
		[BENCH_ZERO] = BENCH_PAIR_(loop_zero), [BENCH_NOZERO] = BENCH_PAIR_(loop_nozero),  \
	}

#endif /* BENCH_LOOPS_H */
