/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef WIRE_RIG_H
#define WIRE_RIG_H

/** @file wire_rig.h A wire in virtual time with what a test needs around it. */

#include "eal_env.h"

struct rig {
	struct lab_clock clock;
	struct lab_wire_config cfg;
	struct lab_wire *w;
	uint16_t port;
	char name[16];
	char err[160];
};

static unsigned int nr_rigs;

static inline void
rig_config(struct rig *r, struct rte_mempool *mp, const char *arrivals)
{
	memset(r, 0, sizeof(*r));
	lab_clock_init(&r->clock, LAB_CLOCK_VIRTUAL);
	/* A name of its own, so that a test that fails does not fail the next. */
	snprintf(r->name, sizeof(r->name), "t%u", ++nr_rigs);
	r->cfg.name = r->name;
	r->cfg.socket = SOCKET_ID_ANY;
	r->cfg.clock = &r->clock;
	r->cfg.pools[0] = mp;
	if (lab_arrival_parse(arrivals, &r->cfg.arrival, r->err, sizeof(r->err)) != 0)
		fail_msg("%s: %s", arrivals, r->err);
}

static inline void
rig_up(struct rig *r)
{
	if (lab_wire_create(&r->w, &r->cfg, &r->port, r->err, sizeof(r->err)) != 0)
		fail_msg("%s", r->err);
	port_up(r->port, r->cfg.nb_queues ? r->cfg.nb_queues : 1, r->cfg.pools[0]);
	assert_int_equal(lab_wire_start(r->w), 0);
}

static inline void
rig_down(struct rig *r)
{
	lab_wire_destroy(r->w);
	r->w = NULL;
}

static inline void
rig_check(struct rig *r)
{
	if (!lab_wire_is_valid(r->w, r->err, sizeof(r->err)))
		fail_msg("%s", r->err);
}

/** Let ns pass and everything arrive. */
static inline void
rig_pass(struct rig *r, uint64_t ns)
{
	lab_clock_advance(&r->clock, ns);
	lab_wire_step(r->w, lab_clock_now(&r->clock));
}

/** Poll one queue and free what came. */
static inline uint16_t
rig_poll(struct rig *r, uint16_t queue, uint16_t burst)
{
	struct rte_mbuf *pkts[512];
	uint16_t n = rte_eth_rx_burst(r->port, queue, pkts, burst);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static inline struct lab_wire_stats
rig_stats(struct rig *r)
{
	struct lab_wire_stats s;

	lab_wire_stats_get(r->w, &s);
	return s;
}

/** Of memory without a known cause: the last entry in use. */
static inline uint64_t
rig_nombuf(struct rig *r)
{
	struct lab_wire_stats s = rig_stats(r);

	return s.drops[lab_wire_nb_drops(r->w) - 1];
}

/** All mbufs are back, those in this lcore's cache included. */
#define assert_pool_full(mp) assert_int_equal(rte_mempool_avail_count(mp), (mp)->size)

#endif /* WIRE_RIG_H */
