/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "lab_stats.h"
#include "traffic_priv.h"

#define SINK_FLOWS  4096u
#define SINK_WINDOW 1024u

/** What is known of one flow. Sequence numbers are unwrapped to 64 bits. */
struct flow {
	uint64_t next; /* highest number seen + 1 */
	uint64_t base; /* numbers below it are of no interest: before the last reset */
	uint64_t mark; /* numbers below it are expected: next, or the sender's total */
	uint8_t run, prev_run;
	bool seen, has_prev, ended;
	struct lab_sink_stats stats;
};

struct lab_sink {
	uint32_t flows;
	uint32_t window;
	struct flow *flow;
	uint64_t *bits; /* window bits a flow: number s is bit s mod window */
	struct lab_sink_stats total;
	struct lab_hist latency;
};

/** The counters that a flow and the total share. */
#define COUNT(s, f, field, n)                                                                      \
	do {                                                                                       \
		ctr_add(&(s)->total.field, n);                                                     \
		ctr_add(&(f)->stats.field, n);                                                     \
	} while (0)

int
lab_sink_create(struct lab_sink **out, const struct lab_sink_config *cfg)
{
	uint32_t flows = cfg != NULL && cfg->flows != 0 ? cfg->flows : SINK_FLOWS;
	uint32_t window = cfg != NULL && cfg->window != 0 ? cfg->window : SINK_WINDOW;
	struct lab_sink *s;

	*out = NULL;
	if (flows > LAB_FLOWS_MAX || window < 64 || window > 65536 || (window & (window - 1)) != 0)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->flows = flows;
	s->window = window;
	s->flow = calloc(flows, sizeof(*s->flow));
	s->bits = calloc(flows, window / 8);
	if (s->flow == NULL || s->bits == NULL) {
		lab_sink_destroy(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void
lab_sink_destroy(struct lab_sink *s)
{
	if (s == NULL)
		return;
	free(s->flow);
	free(s->bits);
	free(s);
}

/* ------------------------------------------------------------- the window */

static inline uint64_t *
window_of(struct lab_sink *s, const struct flow *f)
{
	return s->bits + (size_t)(f - s->flow) * (s->window / 64);
}

/** Set number n's bit. @return what it was. */
static inline bool
window_set(const struct lab_sink *s, uint64_t *bits, uint64_t n)
{
	uint64_t *word = &bits[(n & (s->window - 1)) / 64], bit = 1ull << (n & 63);
	bool was = (*word & bit) != 0;

	*word |= bit;
	return was;
}

/** Forget what the bits of numbers from..to-1 said about numbers a window before. */
static void
window_clear(const struct lab_sink *s, uint64_t *bits, uint64_t from, uint64_t to)
{
	if (to - from >= s->window) {
		memset(bits, 0, s->window / 8);
		return;
	}
	for (; from < to && (from & 63) != 0; from++)
		bits[(from & (s->window - 1)) / 64] &= ~(1ull << (from & 63));
	for (; from + 64 <= to; from += 64)
		bits[(from & (s->window - 1)) / 64] = 0;
	for (; from < to; from++)
		bits[(from & (s->window - 1)) / 64] &= ~(1ull << (from & 63));
}

/* --------------------------------------------------------------- one flow */

/** Numbers below `to` are expected from now on. */
static inline void
flow_expect(struct lab_sink *s, struct flow *f, uint64_t to)
{
	if (to <= f->mark)
		return;
	COUNT(s, f, expected, to - f->mark);
	COUNT(s, f, lost, to - f->mark);
	f->mark = to;
}

static inline void
flow_unique(struct lab_sink *s, struct flow *f)
{
	COUNT(s, f, unique, 1);
	COUNT(s, f, lost, -1ull);
}

static void
flow_late(struct lab_sink *s, struct flow *f, uint64_t seq)
{
	uint64_t behind = f->next - 1 - seq;

	if (behind >= s->window) {
		COUNT(s, f, beyond_window, 1);
		return;
	}
	if (window_set(s, window_of(s, f), seq)) {
		COUNT(s, f, duplicates, 1);
		return;
	}
	flow_unique(s, f);
	COUNT(s, f, reordered, 1);
	ctr_max(&f->stats.max_displacement, behind);
	ctr_max(&s->total.max_displacement, behind);
}

static inline void
flow_data(struct lab_sink *s, struct flow *f, uint64_t seq, uint32_t bytes)
{
	COUNT(s, f, received, 1);
	COUNT(s, f, bytes, bytes);
	if (seq < f->next) {
		flow_late(s, f, seq);
		return;
	}
	window_clear(s, window_of(s, f), f->next, seq + 1);
	window_set(s, window_of(s, f), seq);
	f->next = seq + 1;
	flow_expect(s, f, f->next);
	flow_unique(s, f);
}

static void
flow_end(struct lab_sink *s, struct flow *f, uint64_t total)
{
	if (total < f->next)
		return; /* contradicts what was seen; what was seen counts */
	flow_expect(s, f, total);
	if (!f->ended)
		COUNT(s, f, ends, 1);
	f->ended = true;
}

/** A sender began anew: its numbers start at 0 again; what was counted stays. */
static void
flow_new_run(struct lab_sink *s, struct flow *f, uint8_t run)
{
	if (f->seen) {
		f->prev_run = f->run;
		f->has_prev = true;
		COUNT(s, f, runs, 1);
		memset(window_of(s, f), 0, s->window / 8);
		f->next = f->base = f->mark = 0;
		f->ended = false;
	}
	f->seen = true;
	f->run = run;
}

/** The 64-bit number nearest to what is expected next whose low 48 bits are seq. @return false if
 *  it would be negative. */
static inline bool
unwrap(const struct flow *f, uint64_t seq, uint64_t *out)
{
	int64_t step = (int64_t)((seq - f->next) << 16) >> 16;

	*out = f->next + (uint64_t)step;
	return step >= 0 || (uint64_t)-step <= f->next;
}

static inline void
sink_latency(struct lab_sink *s, uint64_t sent, uint64_t now)
{
	uint64_t ns = (now - sent) & LAB_STAMP_MASK48;

	if (ns >> 47)
		ctr_add(&s->total.negative_latency, 1);
	else
		lab_hist_record(&s->latency, ns);
}

void
lab_sink_stamp(struct lab_sink *s, const struct lab_stamp *st, uint32_t bytes, uint64_t now_ns)
{
	struct flow *f = &s->flow[st->flow < s->flows ? st->flow : 0];
	uint64_t seq;

	if (st->flow >= s->flows || (f->has_prev && st->run == f->prev_run)) {
		ctr_add(&s->total.foreign, 1);
		return;
	}
	if (!f->seen || st->run != f->run)
		flow_new_run(s, f, st->run);
	if (!unwrap(f, st->seq, &seq) || seq < f->base) {
		ctr_add(&s->total.foreign, 1);
		return;
	}
	if (st->kind == LAB_STAMP_END) {
		flow_end(s, f, seq);
		return;
	}
	flow_data(s, f, seq, bytes);
	sink_latency(s, st->t_ns, now_ns);
}

void
lab_sink_rx(struct lab_sink *s, struct rte_mbuf *const *pkts, uint16_t n, uint64_t now_ns)
{
	struct lab_stamp st;

	for (uint16_t i = 0; i < n; i++) {
		if (i + 2 < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + 2], const void *));
		if (lab_stamp_read(pkts[i], &st) == 0)
			lab_sink_stamp(s, &st, pkts[i]->pkt_len, now_ns);
		else
			ctr_add(&s->total.unstamped, 1);
	}
}

/* ---------------------------------------------------------------- telling */

static void
stats_copy(struct lab_sink_stats *out, const struct lab_sink_stats *in)
{
	const uint64_t *from = (const uint64_t *)in;
	uint64_t *to = (uint64_t *)out;

	_Static_assert(sizeof(*in) % sizeof(uint64_t) == 0, "counters only");
	for (size_t i = 0; i < sizeof(*in) / sizeof(uint64_t); i++)
		to[i] = ctr_get(&from[i]);
}

void
lab_sink_stats_get(const struct lab_sink *s, struct lab_sink_stats *out)
{
	stats_copy(out, &s->total);
}

int
lab_sink_flow_get(const struct lab_sink *s, uint32_t flow, struct lab_sink_stats *out)
{
	if (flow >= s->flows || !s->flow[flow].seen)
		return -ENOENT;
	stats_copy(out, &s->flow[flow].stats);
	return 0;
}

void
lab_sink_stats_add(struct lab_sink_stats *sum, const struct lab_sink_stats *st)
{
	uint64_t max = sum->max_displacement > st->max_displacement ? sum->max_displacement
								    : st->max_displacement;
	const uint64_t *from = (const uint64_t *)st;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*st) / sizeof(uint64_t); i++)
		to[i] += from[i];
	sum->max_displacement = max;
}

void
lab_sink_reset(struct lab_sink *s)
{
	for (uint32_t i = 0; i < s->flows; i++) {
		struct flow *f = &s->flow[i];

		if (!f->seen)
			continue;
		memset(&f->stats, 0, sizeof(f->stats));
		memset(window_of(s, f), 0, s->window / 8);
		f->base = f->next = f->mark;
		f->ended = false;
	}
	memset(&s->total, 0, sizeof(s->total));
	memset(&s->latency, 0, sizeof(s->latency)); /* zeroed memory is an empty histogram */
}

const struct lab_hist *
lab_sink_latency(const struct lab_sink *s)
{
	return &s->latency;
}
