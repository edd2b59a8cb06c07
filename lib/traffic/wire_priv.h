/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef WIRE_PRIV_H
#define WIRE_PRIV_H

/**
 * @file wire_priv.h
 * The wire's inside. Two lcores meet here: the *poller*, which calls rx_burst and tx_burst of the
 * port, and the *wire*, which steps it. They share three single-producer single-consumer rings in
 * either direction and counters that one of them writes; there is no lock and no atomic
 * read-modify-write. In virtual time both are one thread.
 */

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "traffic_priv.h"

#define WIRE_BATCH       32u
#define WIRE_NAME_MAX    16u
#define WIRE_LATE_NS     20000u
#define WIRE_CATCH_UP_NS 100000u
#define WIRE_FRAME_EXTRA 24u /* preamble 8, FCS 4, gap 12 */

struct wire_queue;

/** What the callbacks get: it outlives the queue if somebody closed the port behind our back, as ethdev
 *  then still knows the callbacks. */
struct wire_hook {
	struct wire_queue *q; /* NULL: the wire is gone */
};

/** Written by the poller (and by start and stop, when nobody polls). */
struct wire_poller {
	uint64_t taken; /* packets given to the application */
	uint64_t taken_bytes;
	uint64_t taken_descs; /* descriptors that they held */
	uint64_t refills;     /* mbufs posted */
	uint64_t unposted;    /* of them freed by a stop */
	uint64_t room;        /* sum over the polls of burst size less packets */
	/* The last refill: descriptors that it was refused in the low half, memory cause in the high
	 * half, so that the wire reads both at once. */
	uint64_t refusal;
	uint64_t refused[LAB_WIRE_MAX_CAUSES + 1];
	uint64_t tx_enqueued, tx_freed;
} __rte_cache_aligned;

/** Written by the wire. */
struct wire_line {
	struct rte_mbuf *stash[WIRE_BATCH]; /* posted mbufs fetched from the ring, the last first */
	struct rte_mbuf *out[WIRE_BATCH];   /* filled, not yet in the ring; empty between steps */
	unsigned int nr_out;
	uint64_t nr_stash;
	uint64_t offered, offered_bytes;
	uint64_t filled, filled_descs;
	uint64_t returned_descs; /* filled ones that a stop threw away */
	uint64_t drops[LAB_WIRE_MAX_DROPS];
	/* V of the attribution rule, in descriptors and packets, and how much of the poller's room it has
	 * accounted for. */
	uint64_t phantom_descs, phantoms, room_seen;
	uint64_t tx_packets, tx_bytes, tx_discarded;
} __rte_cache_aligned;

struct wire_queue {
	struct lab_wire *w;
	struct rte_ring *posted; /* poller to wire: empty mbufs */
	struct rte_ring *rx;     /* wire to poller, the port's Rx queue */
	struct rte_ring *tx;     /* poller to wire, the port's Tx queue */
	struct rte_ring *sent;   /* wire to poller: to be freed */
	struct rte_mempool *pool;
	struct wire_hook *hook;
	const struct rte_eth_rxtx_callback *rx_cb, *tx_cb;
	uint32_t room; /* bytes of frame that one mbuf takes */
	uint16_t rxd, txd, thresh, index;
	struct wire_poller poll;
	struct wire_line line;
} __rte_cache_aligned;

struct lab_wire {
	struct lab_wire_config cfg; /* its name and cause names are our copies */
	char name[WIRE_NAME_MAX + 1];
	char port_name[RTE_ETH_NAME_MAX_LEN];
	char *cause_names[LAB_WIRE_MAX_CAUSES];
	uint16_t port;
	bool running; /* between start and stop */
	bool quit;
	bool done;
	struct lab_arrivals *arrivals;
	const struct lab_pcap *pcap; /* of its contents, else NULL */
	struct lab_arrival next;
	bool has_next;
	uint64_t start_ns;  /* clock at the arrivals' 0 */
	uint64_t paused_ns; /* arrivals' time at the last stop */
	uint64_t max_lag_ns, late, slipped_ns;
	struct frame_template *flows;
	uint64_t *flow_seq;
	uint16_t reta[128];
	/* Tx */
	double ns_per_byte;
	struct rte_mbuf *sending;
	uint16_t sending_queue, next_tx_queue;
	uint64_t tx_end_ns; /* when the frame being sent, or the last one, is out */
	double tx_end_frac;
	uint64_t last_step_ns;
	struct wire_queue q[];
};

/* wire_rx.c */
uint16_t wire_rx_callback(uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts,
	uint16_t max_pkts, void *hook);
void wire_refill(struct wire_queue *q, uint32_t want);
void wire_deliver(struct lab_wire *w, const struct lab_arrival *a);
void wire_flush(struct wire_queue *q);
void wire_rx_drain(struct wire_queue *q);

/* wire_tx.c */
uint16_t wire_tx_callback(
	uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts, void *hook);
unsigned int wire_tx_step(struct lab_wire *w, uint64_t now);
void wire_tx_drain(struct lab_wire *w);

/** Index in drops[] and refill_refused[] of a refusal without a known cause. */
static inline unsigned int
wire_nombuf(const struct lab_wire *w)
{
	return w->cfg.nb_causes;
}

/** Descriptors that are posted or filled, as the poller sees it: exact on its lcore. */
static inline uint64_t
wire_outstanding(const struct wire_queue *q)
{
	return q->poll.refills - q->poll.unposted - q->poll.taken_descs;
}

static inline uint64_t
wire_nr_posted(const struct wire_queue *q)
{
	return rte_ring_count(q->posted) + ctr_get(&q->line.nr_stash);
}

#endif /* WIRE_PRIV_H */
