/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include "wire_priv.h"

/*
 * A sent mbuf goes back to its pool on the lcore that transmits, in a later tx_burst, as with a
 * PMD: freed by the wire it would end in the mempool cache of the wrong lcore, and the pool would
 * look shorter than a NIC's. Until then it holds its descriptor.
 */

static void
tx_clean(struct wire_queue *q)
{
	struct rte_mbuf *m[WIRE_BATCH];
	unsigned int n;

	while ((n = rte_ring_sc_dequeue_burst(q->sent, (void **)m, WIRE_BATCH, NULL)) > 0) {
		rte_pktmbuf_free_bulk(m, n);
		ctr_add(&q->poll.tx_freed, n);
	}
}

/** Runs before each tx_burst: frees what was sent, and lets pass what finds a free descriptor. */
uint16_t
wire_tx_callback(
	uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts, void *hook)
{
	struct wire_queue *q = ((struct wire_hook *)hook)->q;
	uint64_t used;

	if (q == NULL)
		return nb_pkts;
	used = q->poll.tx_enqueued - q->poll.tx_freed;
	if (used + nb_pkts > q->txd || rte_ring_count(q->sent) >= WIRE_BATCH) {
		tx_clean(q);
		used = q->poll.tx_enqueued - q->poll.tx_freed;
	}
	nb_pkts = (uint16_t)RTE_MIN((uint64_t)nb_pkts, q->txd - used);
	/* The PMD takes them all: its ring has room for every free descriptor. */
	ctr_add(&q->poll.tx_enqueued, nb_pkts);
	return nb_pkts;
}

static void
tx_sent(struct lab_wire *w, struct wire_queue *q, struct rte_mbuf **m, unsigned int n, uint64_t now)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	if (w->cfg.tx_sink != NULL)
		lab_sink_rx(w->cfg.tx_sink, m, (uint16_t)n, now);
	ctr_add(&q->line.tx_packets, n);
	ctr_add(&q->line.tx_bytes, bytes);
	rte_ring_sp_enqueue_bulk(q->sent, (void **)m, n, NULL);
}

static unsigned int
tx_unlimited(struct lab_wire *w, uint64_t now)
{
	struct rte_mbuf *m[WIRE_BATCH];
	unsigned int n, sum = 0;

	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		/* A bound on the work of a step: one ring's worth. */
		for (unsigned int left = w->q[i].txd; left > 0; left -= RTE_MIN(left, n)) {
			n = rte_ring_sc_dequeue_burst(w->q[i].tx, (void **)m, WIRE_BATCH, NULL);
			if (n == 0)
				break;
			tx_sent(w, &w->q[i], m, n, now);
			sum += n;
		}
	}
	return sum;
}

/** Begin to send the next frame, round robin over the queues; not before `earliest`. */
static bool
tx_begin(struct lab_wire *w, uint64_t earliest)
{
	double ns;

	for (uint16_t i = 0; i < w->cfg.nb_queues && w->sending == NULL; i++) {
		w->sending_queue = w->next_tx_queue;
		if (++w->next_tx_queue == w->cfg.nb_queues)
			w->next_tx_queue = 0;
		if (rte_ring_sc_dequeue(w->q[w->sending_queue].tx, (void **)&w->sending) != 0)
			w->sending = NULL;
	}
	if (w->sending == NULL)
		return false;
	if (w->tx_end_ns < earliest) { /* the link was idle */
		w->tx_end_ns = earliest;
		w->tx_end_frac = 0;
	}
	ns = w->tx_end_frac + (w->sending->pkt_len + WIRE_FRAME_EXTRA) * w->ns_per_byte;
	w->tx_end_ns += (uint64_t)ns;
	w->tx_end_frac = ns - (double)(uint64_t)ns;
	return true;
}

/** Frames that are out by now. They were queued after the step before, so none began earlier. */
unsigned int
wire_tx_step(struct lab_wire *w, uint64_t now)
{
	unsigned int n = 0;

	if (w->cfg.tx_rate == 0)
		return tx_unlimited(w, now);
	while ((w->sending != NULL || tx_begin(w, w->last_step_ns)) && w->tx_end_ns <= now) {
		tx_sent(w, &w->q[w->sending_queue], &w->sending, 1, w->tx_end_ns);
		w->sending = NULL;
		n++;
	}
	return n;
}

/** Nobody transmits, nobody steps. What was not sent never will be. */
static void
tx_discard(struct wire_queue *q, struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
	ctr_add(&q->line.tx_discarded, 1);
	ctr_add(&q->poll.tx_freed, 1);
}

void
wire_tx_drain(struct lab_wire *w)
{
	struct rte_mbuf *m;

	if (w->sending != NULL)
		tx_discard(&w->q[w->sending_queue], w->sending);
	w->sending = NULL;
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		tx_clean(&w->q[i]);
		while (rte_ring_sc_dequeue(w->q[i].tx, (void **)&m) == 0)
			tx_discard(&w->q[i], m);
	}
}
