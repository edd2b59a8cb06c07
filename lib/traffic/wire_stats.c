/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <string.h>

#include "wire_priv.h"

static const char *const own_causes[LAB_WIRE_MEMORY] = {"ring_full", "too_big", "stopped"};

/** In this order an arrival that happens meanwhile can be seen as in flight, never as taken and not
 *  offered. */
static void
add_packets(const struct wire_queue *q, struct lab_wire_stats *s)
{
	s->taken += ctr_get(&q->poll.taken);
	s->taken_bytes += ctr_get(&q->poll.taken_bytes);
	for (unsigned int i = 0; i < LAB_WIRE_MAX_DROPS; i++)
		s->drops[i] += ctr_get(&q->line.drops[i]);
	s->filled += rte_ring_count(q->rx);
	s->offered += ctr_get(&q->line.offered);
	s->offered_bytes += ctr_get(&q->line.offered_bytes);
}

static uint64_t
nr_filled_descs(const struct wire_queue *q)
{
	uint64_t gone = ctr_get(&q->poll.taken_descs) + ctr_get(&q->line.returned_descs);

	return ctr_get(&q->line.filled_descs) - gone;
}

static void
add_descs(const struct wire_queue *q, struct lab_wire_stats *s)
{
	uint64_t posted = wire_nr_posted(q);
	uint64_t filled = nr_filled_descs(q);
	uint64_t used = posted + filled;

	s->posted += posted;
	s->filled_descs += filled;
	s->bare += used < q->rxd ? q->rxd - used : 0;
	s->bare_refused += (uint32_t)ctr_get(&q->poll.refusal);
	s->refills += ctr_get(&q->poll.refills);
	for (unsigned int i = 0; i <= LAB_WIRE_MAX_CAUSES; i++)
		s->refill_refused[i] += ctr_get(&q->poll.refused[i]);
}

static void
add_tx(const struct wire_queue *q, struct lab_wire_stats *s)
{
	uint64_t freed = ctr_get(&q->poll.tx_freed), sent = ctr_get(&q->line.tx_packets);
	uint64_t discarded = ctr_get(&q->line.tx_discarded);

	s->tx_packets += sent;
	s->tx_discarded += discarded;
	s->tx_bytes += ctr_get(&q->line.tx_bytes);
	s->tx_unfreed += sent + discarded - freed;
	s->tx_pending +=
		rte_ring_count(q->tx) + (q->w->sending != NULL && q->w->sending_queue == q->index);
}

static void
add_queue(const struct wire_queue *q, struct lab_wire_stats *s)
{
	add_packets(q, s);
	add_descs(q, s);
	add_tx(q, s);
}

void
lab_wire_stats_get(const struct lab_wire *w, struct lab_wire_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++)
		add_queue(&w->q[i], out);
	out->max_lag_ns = ctr_get(&w->max_lag_ns);
	out->late = ctr_get(&w->late);
	out->slipped_ns = ctr_get(&w->slipped_ns);
}

int
lab_wire_queue_stats_get(const struct lab_wire *w, uint16_t queue, struct lab_wire_stats *out)
{
	memset(out, 0, sizeof(*out));
	if (queue >= w->cfg.nb_queues)
		return -EINVAL;
	add_queue(&w->q[queue], out);
	return 0;
}

bool
lab_wire_starved(const struct lab_wire *w)
{
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		if ((uint32_t)ctr_get(&w->q[i].poll.refusal) > 0)
			return true;
	}
	return false;
}

uint64_t
lab_wire_flow_offered(const struct lab_wire *w, uint32_t flow)
{
	return flow < w->cfg.arrival.flows ? ctr_get(&w->flow_seq[flow]) : 0;
}

unsigned int
lab_wire_nb_drops(const struct lab_wire *w)
{
	return LAB_WIRE_MEMORY + w->cfg.nb_causes + 1;
}

const char *
lab_wire_drop_name(const struct lab_wire *w, unsigned int drop)
{
	if (drop < LAB_WIRE_MEMORY)
		return own_causes[drop];
	if (drop < LAB_WIRE_MEMORY + w->cfg.nb_causes)
		return w->cause_names[drop - LAB_WIRE_MEMORY];
	return drop == LAB_WIRE_MEMORY + w->cfg.nb_causes ? "nombuf" : NULL;
}

uint16_t
lab_wire_port(const struct lab_wire *w)
{
	return w->port;
}

const char *
lab_wire_name(const struct lab_wire *w)
{
	return w->name;
}

/* ------------------------------------------------------------------- checking */

static bool
ledger_closes(const struct wire_queue *q, char *why, size_t len)
{
	struct lab_wire_stats s = {0};
	uint64_t sum;

	add_packets(q, &s);
	sum = s.taken + s.filled;
	for (unsigned int i = 0; i < LAB_WIRE_MAX_DROPS; i++)
		sum += s.drops[i];
	if (sum != s.offered)
		fail(why, len, 0, "queue %u: offered %lu, accounted %lu", q->index, s.offered, sum);
	return sum == s.offered;
}

/** The poller's count of descriptors against the rings' and the wire's. */
static bool
descs_close(const struct wire_queue *q, char *why, size_t len)
{
	uint64_t posted = wire_nr_posted(q), mine = wire_outstanding(q);
	uint32_t refused = (uint32_t)q->poll.refusal;
	bool ok = true;

	if (mine != posted + nr_filled_descs(q)) {
		fail(why, len, 0, "queue %u: %lu descriptors in use, %lu posted, %lu filled",
			q->index, mine, posted, nr_filled_descs(q));
		ok = false;
	}
	if (mine > q->rxd || refused > q->rxd - mine) {
		fail(why, len, 0, "queue %u: %lu of %u descriptors in use, %u refused", q->index,
			mine, q->rxd, refused);
		ok = false;
	}
	/* In real time the last look may have been at a counter just about to change. */
	if (q->w->cfg.clock->kind == LAB_CLOCK_VIRTUAL &&
		q->line.phantom_descs > posted + refused) {
		fail(why, len, 0, "queue %u: %lu charged, %lu posted, %u refused", q->index,
			q->line.phantom_descs, posted, refused);
		ok = false;
	}
	return ok;
}

bool
lab_wire_is_valid(const struct lab_wire *w, char *why, size_t len)
{
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		const struct wire_queue *q = &w->q[i];

		if (!ledger_closes(q, why, len) || !descs_close(q, why, len))
			return false;
		if (q->line.nr_out != 0) {
			fail(why, len, 0, "queue %u: %u frames not handed over", i, q->line.nr_out);
			return false;
		}
	}
	return true;
}
