/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "traffic_priv.h"

#define GEN_BATCH         64u
#define GEN_CATCH_UP_NS   1000000ull
#define GEN_FIRST_SEG_MIN 128u

struct lab_gen {
	struct lab_gen_config cfg;
	struct lab_arrivals *arrivals;
	uint32_t room;                     /* bytes of frame that one mbuf takes */
	bool started, over;                /* over: the arrivals have ended, due may still wait */
	uint64_t start_ns;                 /* of the plan: moved on by every slip */
	struct lab_arrival due[GEN_BATCH]; /* drawn and not yet sent */
	unsigned int nr_due;
	uint64_t *seq; /* next of each flow */
	struct lab_gen_stats stats;
	struct frame_template *templates;
};

static int
gen_check(const struct lab_gen_config *cfg, char *err, size_t len)
{
	uint32_t room;

	if (cfg->pool == NULL || cfg->clock == NULL)
		return fail(err, len, -EINVAL, "a generator needs a pool and a clock");
	room = rte_pktmbuf_data_room_size(cfg->pool);
	if (room < RTE_PKTMBUF_HEADROOM + GEN_FIRST_SEG_MIN)
		return fail(err, len, -EINVAL, "pool %s: a data room of %u is too small",
			cfg->pool->name, room);
	if (cfg->flow_base > LAB_FLOWS_MAX || cfg->arrival.flows > LAB_FLOWS_MAX - cfg->flow_base)
		return fail(err, len, -EINVAL, "flows %u + %u are more than %u", cfg->flow_base,
			cfg->arrival.flows, LAB_FLOWS_MAX);
	return 0;
}

static void
gen_templates(struct lab_gen *g)
{
	static const uint8_t none[6], src[6] = {2, 0, 0, 0, 0, 1}, dst[6] = {2, 0, 0, 0, 0, 2};
	const uint8_t *s = memcmp(g->cfg.src_mac, none, 6) ? g->cfg.src_mac : src;
	const uint8_t *d = memcmp(g->cfg.dst_mac, none, 6) ? g->cfg.dst_mac : dst;

	for (uint32_t i = 0; i < g->cfg.arrival.flows; i++)
		frame_template_init(&g->templates[i], g->cfg.flow_base + i, s, d);
}

int
lab_gen_create(struct lab_gen **out, const struct lab_gen_config *cfg, char *err, size_t len)
{
	struct lab_gen *g;
	int rc = gen_check(cfg, err, len);

	*out = NULL;
	if (rc != 0)
		return rc;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return fail(err, len, -ENOMEM, "no memory");
	g->cfg = *cfg;
	if (g->cfg.catch_up_ns == 0)
		g->cfg.catch_up_ns = GEN_CATCH_UP_NS;
	g->room = rte_pktmbuf_data_room_size(cfg->pool) - RTE_PKTMBUF_HEADROOM;
	rc = lab_arrivals_create(&g->arrivals, &cfg->arrival, err, len);
	if (rc == 0) {
		g->seq = calloc(cfg->arrival.flows, sizeof(*g->seq));
		g->templates = calloc(cfg->arrival.flows, sizeof(*g->templates));
		if (g->seq == NULL || g->templates == NULL)
			rc = fail(err, len, -ENOMEM, "no memory for %u flows", cfg->arrival.flows);
	}
	if (rc != 0) {
		lab_gen_destroy(g);
		return rc;
	}
	gen_templates(g);
	*out = g;
	return 0;
}

void
lab_gen_destroy(struct lab_gen *g)
{
	if (g == NULL)
		return;
	lab_arrivals_destroy(g->arrivals);
	free(g->seq);
	free(g->templates);
	free(g);
}

/** Chain mbufs to m until it holds len bytes, zeroed. */
static int
gen_extend(struct lab_gen *g, struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *last = m;
	uint32_t part = RTE_MIN(len, g->room), left = len - part;

	m->data_len = (uint16_t)part;
	m->pkt_len = len;
	memset(rte_pktmbuf_mtod(m, uint8_t *), 0, part);
	while (left > 0) {
		struct rte_mbuf *seg = rte_pktmbuf_alloc(g->cfg.pool);

		if (seg == NULL)
			return -ENOMEM;
		part = RTE_MIN(left, g->room);
		seg->data_len = (uint16_t)part;
		memset(rte_pktmbuf_mtod(seg, uint8_t *), 0, part);
		last->next = seg;
		last = seg;
		m->nb_segs++;
		left -= part;
	}
	return 0;
}

static int
gen_fill(struct lab_gen *g, struct rte_mbuf *m, uint32_t len, uint32_t flow,
	enum lab_stamp_kind kind, uint64_t now)
{
	struct lab_stamp s = {.run = g->cfg.run, .kind = (uint8_t)kind};
	int rc = gen_extend(g, m, len);

	if (rc != 0)
		return rc;
	s.flow = g->cfg.flow_base + flow;
	s.seq = g->seq[flow];
	s.t_ns = now;
	frame_write(rte_pktmbuf_mtod(m, uint8_t *), &g->templates[flow], len, &s);
	return 0;
}

/** Draw the arrivals that are due, at most n in all. A plan too far behind is moved on, so that what
 *  could not be sent in time does not come as one endless burst. */
static void
gen_draw(struct lab_gen *g, uint64_t now, unsigned int n)
{
	while (g->nr_due < n && !g->over) {
		struct lab_arrival *a = &g->due[g->nr_due];

		if (!lab_arrivals_next(g->arrivals, a)) {
			g->over = true;
			return;
		}
		g->nr_due++;
		if (g->start_ns + a->t_ns > now)
			return;
	}
}

static unsigned int
gen_nr_due(const struct lab_gen *g, uint64_t now, unsigned int n)
{
	unsigned int i = 0;

	while (i < g->nr_due && i < n && g->start_ns + g->due[i].t_ns <= now)
		i++;
	return i;
}

static void
gen_slip(struct lab_gen *g, uint64_t now)
{
	uint64_t behind;

	if (g->nr_due == 0 || g->start_ns + g->due[0].t_ns + g->cfg.catch_up_ns >= now)
		return;
	behind = now - g->cfg.catch_up_ns - (g->start_ns + g->due[0].t_ns);
	g->start_ns += behind;
	ctr_add(&g->stats.slipped_ns, behind);
}

static unsigned int
gen_alloc(struct lab_gen *g, struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int i = 0;

	if (rte_pktmbuf_alloc_bulk(g->cfg.pool, pkts, n) == 0)
		return n;
	while (i < n && (pkts[i] = rte_pktmbuf_alloc(g->cfg.pool)) != NULL)
		i++;
	return i;
}

/** One batch of what is due; *more is cleared when nothing else can be sent now. */
static uint16_t
gen_batch(struct lab_gen *g, struct rte_mbuf **pkts, unsigned int n, uint64_t now, bool *more)
{
	unsigned int due, got, done = 0;
	uint64_t bytes = 0;

	gen_draw(g, now, n);
	gen_slip(g, now);
	due = gen_nr_due(g, now, n);
	got = due == 0 ? 0 : gen_alloc(g, pkts, due);
	while (done < got) {
		const struct lab_arrival *a = &g->due[done];

		if (gen_fill(g, pkts[done], a->len, a->flow, LAB_STAMP_DATA, now) != 0)
			break;
		ctr_add(&g->seq[a->flow], 1);
		bytes += a->len;
		done++;
	}
	if (done < got)
		rte_pktmbuf_free_bulk(&pkts[done], got - done);
	if (done < due)
		ctr_add(&g->stats.nombuf, 1);
	g->nr_due -= done;
	memmove(g->due, g->due + done, g->nr_due * sizeof(g->due[0]));
	ctr_add(&g->stats.packets, done);
	ctr_add(&g->stats.bytes, bytes);
	*more = due == n && done == due;
	return (uint16_t)done;
}

uint16_t
lab_gen_burst(struct lab_gen *g, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t now = lab_clock_now(g->cfg.clock);
	uint16_t done = 0;
	bool more = true;

	if (!g->started) {
		g->started = true;
		g->start_ns = now;
	}
	while (done < n && more)
		done += gen_batch(
			g, pkts + done, RTE_MIN((unsigned int)(n - done), GEN_BATCH), now, &more);
	return done;
}

void
lab_gen_unsent(struct lab_gen *g, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct lab_stamp s;

		bytes += pkts[i]->pkt_len;
		if (lab_stamp_read(pkts[i], &s) == 0 && s.kind == LAB_STAMP_DATA &&
			s.flow - g->cfg.flow_base < g->cfg.arrival.flows)
			ctr_add(&g->seq[s.flow - g->cfg.flow_base], -1ull);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	ctr_add(&g->stats.unsent, n);
	ctr_add(&g->stats.packets, -(uint64_t)n);
	ctr_add(&g->stats.bytes, -bytes);
}

uint16_t
lab_gen_end(struct lab_gen *g, uint32_t *next, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t now = lab_clock_now(g->cfg.clock);
	uint16_t i = 0;

	for (; i < n && *next < g->cfg.arrival.flows; i++, (*next)++) {
		pkts[i] = rte_pktmbuf_alloc(g->cfg.pool);
		if (pkts[i] == NULL)
			break;
		/* The shortest frame always fits the first segment. */
		gen_fill(g, pkts[i], LAB_FRAME_MIN, *next, LAB_STAMP_END, now);
	}
	return i;
}

bool
lab_gen_done(const struct lab_gen *g)
{
	return g->over && g->nr_due == 0;
}

uint64_t
lab_gen_flow_sent(const struct lab_gen *g, uint32_t flow)
{
	return flow < g->cfg.arrival.flows ? ctr_get(&g->seq[flow]) : 0;
}

void
lab_gen_stats_get(const struct lab_gen *g, struct lab_gen_stats *out)
{
	out->packets = ctr_get(&g->stats.packets);
	out->bytes = ctr_get(&g->stats.bytes);
	out->unsent = ctr_get(&g->stats.unsent);
	out->nombuf = ctr_get(&g->stats.nombuf);
	out->slipped_ns = ctr_get(&g->stats.slipped_ns);
}
