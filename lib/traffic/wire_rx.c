/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <string.h>

#include <lab_page.h>

#include "wire_priv.h"

/* ---------------------------------------------------- the poller: refilling */

static unsigned int
refused_cause(struct wire_queue *q)
{
	const struct lab_wire_config *cfg = &q->w->cfg;
	int cause = cfg->cause_fn == NULL ? -1 : cfg->cause_fn(cfg->cause_arg, q->pool);

	return cause < 0 || (unsigned int)cause >= cfg->nb_causes ? wire_nombuf(q->w)
								  : (unsigned int)cause;
}

/** Up to n mbufs, in bulk if it can be, else one by one until the first refusal. */
static unsigned int
refill_alloc(struct wire_queue *q, struct rte_mbuf **m, unsigned int n)
{
	unsigned int i = 0;

	if (rte_pktmbuf_alloc_bulk(q->pool, m, n) == 0)
		return n;
	while (i < n && (m[i] = rte_pktmbuf_alloc(q->pool)) != NULL)
		i++;
	return i;
}

/** Post `want` descriptors; what is refused stays bare and is tried again after the next poll. */
void
wire_refill(struct wire_queue *q, uint32_t want)
{
	uint32_t before = lab_owner_set(LAB_OWNER_RXQ(q->w->port, q->index));
	struct rte_mbuf *m[WIRE_BATCH];
	uint64_t refusal = 0;

	while (want > 0) {
		unsigned int n = RTE_MIN(want, WIRE_BATCH), got = refill_alloc(q, m, n);

		/* Never fails: the ring holds as many as there are descriptors. */
		rte_ring_sp_enqueue_bulk(q->posted, (void **)m, got, NULL);
		ctr_add(&q->poll.refills, got);
		want -= got;
		if (got < n) {
			unsigned int cause = refused_cause(q);

			ctr_add(&q->poll.refused[cause], 1);
			refusal = (uint64_t)cause << 32 | want;
			break;
		}
	}
	lab_owner_set(before);
	__atomic_store_n(&q->poll.refusal, refusal, __ATOMIC_RELEASE);
}

static inline uint64_t
count_descs(const struct wire_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t descs = 0;

	if (!q->w->cfg.scatter)
		return n;
	for (uint16_t i = 0; i < n; i++)
		descs += pkts[i]->nb_segs;
	return descs;
}

static inline uint64_t
count_bytes(struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	return bytes;
}

uint16_t
wire_rx_callback(uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts,
	uint16_t max_pkts, void *hook)
{
	struct wire_queue *q = ((struct wire_hook *)hook)->q;
	uint32_t bare;

	if (q == NULL)
		return nb_pkts;
	ctr_add(&q->poll.taken, nb_pkts);
	ctr_add(&q->poll.taken_bytes, count_bytes(pkts, nb_pkts));
	ctr_add(&q->poll.taken_descs, count_descs(q, pkts, nb_pkts));
	ctr_add(&q->poll.room, max_pkts - nb_pkts);
	bare = q->rxd - (uint32_t)wire_outstanding(q);
	if ((bare >= q->thresh || q->poll.refusal != 0) &&
		__atomic_load_n(&q->w->running, __ATOMIC_ACQUIRE))
		wire_refill(q, bare);
	return nb_pkts;
}

/* ------------------------------------------------------ the wire: attribution */

/** Let the application take in thought what it would have had room for since the last look. */
static void
phantoms_poll(struct wire_queue *q)
{
	uint64_t room = ctr_get(&q->poll.room), polled = room - q->line.room_seen;

	q->line.room_seen = room;
	if (polled >= q->line.phantoms) {
		q->line.phantoms = q->line.phantom_descs = 0;
	} else if (polled > 0) {
		q->line.phantom_descs -= q->line.phantom_descs * polled / q->line.phantoms;
		q->line.phantoms -= polled;
	}
}

/** V is at most posted + refused: more would not fit beside the packets that are really there. That
 *  sum only falls when an arrival takes a descriptor, so clamping then is exact; at a loss it makes
 *  up for what another lcore's counter had not told yet. */
static void
phantoms_clamp(struct wire_queue *q, uint64_t posted)
{
	uint64_t most = posted + (uint32_t)ctr_get(&q->poll.refusal);

	if (q->line.phantom_descs <= most)
		return;
	/* Without scatter a packet has one descriptor. */
	q->line.phantoms =
		q->w->cfg.scatter ? q->line.phantoms * most / q->line.phantom_descs : most;
	q->line.phantom_descs = most;
}

/** An arrival that needs `need` descriptors found only `posted`: why, by the rule in lab_traffic.h. */
static unsigned int
attribute(struct wire_queue *q, uint32_t need, uint64_t posted)
{
	uint64_t refusal = __atomic_load_n(&q->poll.refusal, __ATOMIC_ACQUIRE);

	phantoms_poll(q);
	phantoms_clamp(q, posted);
	if (posted + (uint32_t)refusal < q->line.phantom_descs + need)
		return LAB_WIRE_RING_FULL;
	q->line.phantom_descs += need;
	q->line.phantoms++;
	return LAB_WIRE_MEMORY + (unsigned int)(refusal >> 32);
}

/* -------------------------------------------------------- the wire: arrivals */

static inline void
stash_fill(struct wire_queue *q)
{
	uint64_t n = rte_ring_sc_dequeue_burst(q->posted, (void **)q->line.stash, WIRE_BATCH, NULL);

	for (uint64_t i = 0; i < n; i++)
		rte_prefetch0(q->line.stash[i]);
	__atomic_store_n(&q->line.nr_stash, n, __ATOMIC_RELAXED);
}

/** A posted mbuf; there is one. */
static inline struct rte_mbuf *
stash_pop(struct wire_queue *q)
{
	if (q->line.nr_stash == 0)
		stash_fill(q);
	ctr_add(&q->line.nr_stash, -1ull);
	return q->line.stash[q->line.nr_stash];
}

/** Copy into a chain of `m`'s segments; bytes past n are zero. */
static void
copy_contents(struct rte_mbuf *m, const uint8_t *data, uint32_t n)
{
	for (; m != NULL; m = m->next) {
		uint32_t part = RTE_MIN(n, (uint32_t)m->data_len);

		memcpy(rte_pktmbuf_mtod(m, void *), data, part);
		memset(rte_pktmbuf_mtod_offset(m, void *, part), 0, m->data_len - part);
		data += part;
		n -= part;
	}
}

/** The frame as the NIC would have written it, with the descriptor's status words. */
static inline void
fill(struct lab_wire *w, struct rte_mbuf *m, const struct lab_arrival *a, uint64_t seq)
{
	const struct frame_template *t = &w->flows[a->flow];
	struct lab_stamp s = {.run = w->cfg.run, .kind = LAB_STAMP_DATA};

	m->port = w->port; /* DPDK 22.11's net_ring does not set it */
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	if (w->pcap != NULL) {
		const struct lab_pcap_packet *p = &w->pcap->packets[a->index];

		m->hash.rss = p->hash;
		copy_contents(m, w->pcap->data + p->offset, RTE_MIN(p->caplen, a->len));
		return;
	}
	m->hash.rss = t->rss;
	m->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP;
	s.flow = w->cfg.flow_base + a->flow;
	s.seq = seq;
	s.t_ns = w->start_ns + a->t_ns;
	frame_write(rte_pktmbuf_mtod(m, uint8_t *), t, a->len, &s);
}

static inline struct rte_mbuf *
take_descs(struct wire_queue *q, uint32_t len, uint32_t need)
{
	struct rte_mbuf *m = stash_pop(q), *last = m;

	m->pkt_len = len;
	m->data_len = (uint16_t)RTE_MIN(len, q->room);
	for (uint32_t i = 1; i < need; i++) {
		struct rte_mbuf *seg = stash_pop(q);

		len -= q->room;
		seg->data_len = (uint16_t)RTE_MIN(len, q->room);
		last->next = seg;
		last = seg;
	}
	m->nb_segs = (uint16_t)need;
	return m;
}

void
wire_flush(struct wire_queue *q)
{
	/* Never fails: the ring holds as many packets as there are descriptors. */
	rte_ring_sp_enqueue_bulk(q->rx, (void **)q->line.out, q->line.nr_out, NULL);
	q->line.nr_out = 0;
}

static inline void
accept_arrival(struct lab_wire *w, struct wire_queue *q, const struct lab_arrival *a, uint32_t need,
	uint64_t seq)
{
	struct rte_mbuf *m = take_descs(q, a->len, need);

	fill(w, m, a, seq);
	ctr_add(&q->line.filled, 1);
	ctr_add(&q->line.filled_descs, need);
	q->line.out[q->line.nr_out++] = m;
	if (q->line.nr_out == WIRE_BATCH)
		wire_flush(q);
	if (unlikely(q->line.phantoms != 0)) {
		phantoms_poll(q);
		phantoms_clamp(q, wire_nr_posted(q));
	}
}

/** Posted descriptors, as far as `need` goes; the ring is only looked at when the stash is short. */
static inline uint64_t
posted_for(struct wire_queue *q, uint32_t need)
{
	if (q->line.nr_stash == 0)
		stash_fill(q);
	return q->line.nr_stash >= need ? need : wire_nr_posted(q);
}

static inline uint32_t
descs_needed(const struct wire_queue *q, uint32_t len)
{
	uint32_t need = 1;

	for (; unlikely(len > q->room); len -= q->room)
		need++;
	return need;
}

void
wire_deliver(struct lab_wire *w, const struct lab_arrival *a)
{
	uint16_t queue = w->pcap != NULL ? w->reta[w->pcap->packets[a->index].hash & 127]
					 : w->flows[a->flow].queue;
	struct wire_queue *q = &w->q[queue];
	uint32_t need = descs_needed(q, a->len);
	uint64_t seq = w->flow_seq[a->flow], posted;

	ctr_add(&w->flow_seq[a->flow], 1);
	ctr_add(&q->line.offered, 1);
	ctr_add(&q->line.offered_bytes, a->len);
	if (need > 1 && (!w->cfg.scatter || need > q->rxd)) {
		ctr_add(&q->line.drops[LAB_WIRE_TOO_BIG], 1);
		return;
	}
	posted = posted_for(q, need);
	if (likely(posted >= need))
		accept_arrival(w, q, a, need, seq);
	else
		ctr_add(&q->line.drops[attribute(q, need, posted)], 1);
}

/* ------------------------------------------------------------------- stopping */

/** Give all descriptors back. Nobody polls, nobody steps. */
void
wire_rx_drain(struct wire_queue *q)
{
	struct rte_mbuf *m;

	wire_flush(q);
	while (rte_ring_sc_dequeue(q->rx, (void **)&m) == 0) {
		ctr_add(&q->line.drops[LAB_WIRE_STOPPED], 1);
		ctr_add(&q->line.returned_descs, m->nb_segs);
		ctr_add(&q->poll.unposted, m->nb_segs);
		rte_pktmbuf_free(m);
	}
	for (; q->line.nr_stash > 0; ctr_add(&q->line.nr_stash, -1ull)) {
		ctr_add(&q->poll.unposted, 1);
		rte_pktmbuf_free(q->line.stash[q->line.nr_stash - 1]);
	}
	while (rte_ring_sc_dequeue(q->posted, (void **)&m) == 0) {
		ctr_add(&q->poll.unposted, 1);
		rte_pktmbuf_free(m);
	}
	q->poll.refusal = 0;
	q->line.phantoms = q->line.phantom_descs = 0;
	q->line.room_seen = q->poll.room;
}
