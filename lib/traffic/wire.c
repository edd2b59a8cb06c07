/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_malloc.h>
#include <rte_thash.h>

#include "wire_priv.h"

#define WIRE_RING_DESCS 1024u
#define WIRE_RING_MAX   32768u

/* ------------------------------------------------------------------ checking */

static int
check_name(const char *name, char *err, size_t len)
{
	size_t n = name == NULL ? 0 : strlen(name);

	if (n == 0 || n > WIRE_NAME_MAX)
		return fail(
			err, len, -EINVAL, "a wire's name has 1 to %u characters", WIRE_NAME_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return fail(err, len, -EINVAL, "name '%s': only letters, digits, _ and -",
				name);
	}
	return 0;
}

static int
check_rings(struct lab_wire_config *c, char *err, size_t len)
{
	c->nb_queues = c->nb_queues == 0 ? 1 : c->nb_queues;
	c->rxd = c->rxd == 0 ? WIRE_RING_DESCS : c->rxd;
	c->txd = c->txd == 0 ? WIRE_RING_DESCS : c->txd;
	c->catch_up_ns = c->catch_up_ns == 0 ? WIRE_CATCH_UP_NS : c->catch_up_ns;
	if (c->refill_thresh == 0)
		c->refill_thresh = c->rxd >= 128 ? 32 : RTE_MAX(c->rxd / 4, 1);
	if (c->nb_queues > LAB_WIRE_MAX_QUEUES)
		return fail(err, len, -EINVAL, "%u queues are more than %u", c->nb_queues,
			LAB_WIRE_MAX_QUEUES);
	if (c->rxd > WIRE_RING_MAX || c->txd > WIRE_RING_MAX)
		return fail(err, len, -EINVAL, "rxd and txd are at most %u", WIRE_RING_MAX);
	if (c->refill_thresh > c->rxd)
		return fail(err, len, -EINVAL, "refill threshold %u is over rxd %u",
			c->refill_thresh, c->rxd);
	if (c->tx_rate != 0 && (c->tx_rate < 1000 || c->tx_rate > 10000000000000ull))
		return fail(
			err, len, -EINVAL, "link rate must be from 1 kbit/s to 10 Tbit/s, or 0");
	return 0;
}

static int
check_pools(const struct lab_wire_config *c, char *err, size_t len)
{
	for (uint16_t i = 0; i < c->nb_queues; i++) {
		const struct rte_mempool *mp = c->pools[c->pools[1] == NULL ? 0 : i];

		if (mp == NULL)
			return fail(err, len, -EINVAL, "queue %u has no pool", i);
		if (rte_pktmbuf_data_room_size((struct rte_mempool *)(uintptr_t)mp) <
			RTE_PKTMBUF_HEADROOM + LAB_FRAME_MIN)
			return fail(err, len, -EINVAL, "pool %s: the data room is below %u bytes",
				mp->name, RTE_PKTMBUF_HEADROOM + LAB_FRAME_MIN);
	}
	return 0;
}

static int
check_config(struct lab_wire_config *c, char *err, size_t len)
{
	int rc = check_name(c->name, err, len);

	if (rc == 0)
		rc = check_rings(c, err, len);
	if (rc == 0)
		rc = check_pools(c, err, len);
	if (rc == 0)
		rc = lab_arrival_check(&c->arrival, err, len);
	if (rc != 0)
		return rc;
	if (c->clock == NULL)
		return fail(err, len, -EINVAL, "a wire needs a clock");
	if (c->flow_base > LAB_FLOWS_MAX || c->arrival.flows > LAB_FLOWS_MAX - c->flow_base)
		return fail(err, len, -EINVAL, "flows %u + %u are more than %u", c->flow_base,
			c->arrival.flows, LAB_FLOWS_MAX);
	if (c->nb_causes > LAB_WIRE_MAX_CAUSES || (c->nb_causes > 0 && c->cause_names == NULL))
		return fail(err, len, -EINVAL, "at most %u causes, each with a name",
			LAB_WIRE_MAX_CAUSES);
	if (c->pcap_contents && c->arrival.kind != LAB_ARRIVAL_PCAP)
		return fail(err, len, -EINVAL, "only arrivals of kind pcap have contents");
	return 0;
}

/* ------------------------------------------------------------------- making */

static int
make_flows(struct lab_wire *w)
{
	/* The key that Microsoft's RSS specification verifies implementations with. */
	static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
		0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4,
		0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
		0x01, 0xfa};
	static const uint8_t src[6] = {2, 0, 0, 0, 0, 1}, dst[6] = {2, 0, 0, 0, 0, 2};
	uint32_t n = w->cfg.arrival.flows;

	w->flows = calloc(n, sizeof(*w->flows));
	w->flow_seq = calloc(n, sizeof(*w->flow_seq));
	if (w->flows == NULL || w->flow_seq == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct frame_template *t = &w->flows[i];
		uint32_t tuple[3];

		frame_template_init(t, w->cfg.flow_base + i, src, dst);
		memcpy(tuple, t->headers + 26, sizeof(tuple)); /* both addresses, both ports */
		for (int j = 0; j < 3; j++)
			tuple[j] = rte_be_to_cpu_32(tuple[j]);
		t->rss = rte_softrss(tuple, 3, key);
		t->queue = w->reta[t->rss & 127];
	}
	return 0;
}

static struct rte_ring *
make_ring(const struct lab_wire *w, uint16_t queue, const char *what, uint16_t descs)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "lw_%s_%s%u", w->name, what, queue);
	return rte_ring_create(
		name, descs, w->cfg.socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int
make_queue(struct lab_wire *w, uint16_t i)
{
	struct wire_queue *q = &w->q[i];

	q->w = w;
	q->index = i;
	q->rxd = w->cfg.rxd;
	q->txd = w->cfg.txd;
	q->thresh = w->cfg.refill_thresh;
	q->pool = w->cfg.pools[w->cfg.pools[1] == NULL ? 0 : i];
	q->room = rte_pktmbuf_data_room_size(q->pool) - RTE_PKTMBUF_HEADROOM;
	q->posted = make_ring(w, i, "p", q->rxd);
	q->rx = make_ring(w, i, "r", q->rxd);
	q->tx = make_ring(w, i, "t", q->txd);
	q->sent = make_ring(w, i, "s", q->txd);
	if (q->posted == NULL || q->rx == NULL || q->tx == NULL || q->sent == NULL)
		return rte_errno == EEXIST ? -EEXIST : -ENOMEM;
	return 0;
}

static int
make_hooks(struct lab_wire *w)
{
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		struct wire_queue *q = &w->q[i];

		q->hook = rte_zmalloc("lab_wire_hook", sizeof(*q->hook), 0);
		if (q->hook == NULL)
			return -ENOMEM;
		q->hook->q = q;
		q->rx_cb = rte_eth_add_rx_callback(w->port, i, wire_rx_callback, q->hook);
		q->tx_cb = rte_eth_add_tx_callback(w->port, i, wire_tx_callback, q->hook);
		if (q->rx_cb == NULL || q->tx_cb == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int
make_port(struct lab_wire *w, char *err, size_t len)
{
	struct rte_ring *rx[LAB_WIRE_MAX_QUEUES], *tx[LAB_WIRE_MAX_QUEUES];
	uint16_t taken;
	int rc;

	snprintf(w->port_name, sizeof(w->port_name), "net_ring_%s", w->name);
	if (rte_eth_dev_get_port_by_name(w->port_name, &taken) == 0)
		return fail(err, len, -EEXIST, "there is a port %s", w->port_name);
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		rc = make_queue(w, i);
		if (rc != 0)
			return fail(err, len, rc, "%s: the rings of queue %u: %s", w->name, i,
				strerror(-rc));
		rx[i] = w->q[i].rx;
		tx[i] = w->q[i].tx;
	}
	rc = rte_eth_from_rings(
		w->name, rx, w->cfg.nb_queues, tx, w->cfg.nb_queues, (unsigned int)w->cfg.socket);
	if (rc < 0)
		return fail(err, len, -ENODEV,
			"%s: rte_eth_from_rings: %s (is the net_ring driver there?)", w->name,
			rte_strerror(rte_errno));
	w->port = (uint16_t)rc;
	rc = make_hooks(w);
	return rc == 0 ? 0 : fail(err, len, rc, "%s: no memory for the port's callbacks", w->name);
}

static int
copy_names(struct lab_wire *w)
{
	strcpy(w->name, w->cfg.name);
	w->cfg.name = w->name;
	for (unsigned int i = 0; i < w->cfg.nb_causes; i++) {
		w->cause_names[i] = strdup(w->cfg.cause_names[i]);
		if (w->cause_names[i] == NULL)
			return -ENOMEM;
	}
	w->cfg.cause_names = (const char *const *)w->cause_names;
	return 0;
}

static int
make_wire(struct lab_wire *w, char *err, size_t len)
{
	int rc;

	for (unsigned int i = 0; i < RTE_DIM(w->reta); i++)
		w->reta[i] = (uint16_t)(i % w->cfg.nb_queues);
	w->ns_per_byte = w->cfg.tx_rate == 0 ? 0 : 8e9 / (double)w->cfg.tx_rate;
	if (copy_names(w) != 0 || make_flows(w) != 0)
		return fail(err, len, -ENOMEM, "no memory");
	rc = lab_arrivals_create(&w->arrivals, &w->cfg.arrival, err, len);
	if (rc != 0)
		return rc;
	if (w->cfg.pcap_contents)
		w->pcap = arrivals_pcap(w->arrivals);
	w->has_next = lab_arrivals_next(w->arrivals, &w->next);
	w->done = !w->has_next;
	return make_port(w, err, len);
}

int
lab_wire_create(struct lab_wire **out, const struct lab_wire_config *cfg, uint16_t *port_id,
	char *err, size_t len)
{
	struct lab_wire_config checked = *cfg;
	struct lab_wire *w;
	int rc = check_config(&checked, err, len);

	*out = NULL;
	if (rc != 0)
		return rc;
	w = rte_zmalloc_socket("lab_wire", sizeof(*w) + checked.nb_queues * sizeof(w->q[0]),
		RTE_CACHE_LINE_SIZE, checked.socket);
	if (w == NULL)
		return fail(err, len, -ENOMEM, "no memory");
	w->cfg = checked;
	w->port = RTE_MAX_ETHPORTS;
	rc = make_wire(w, err, len);
	if (rc != 0) {
		lab_wire_destroy(w);
		return rc;
	}
	*port_id = w->port;
	*out = w;
	return 0;
}

/* ------------------------------------------------------------- start and stop */

int
lab_wire_start(struct lab_wire *w)
{
	if (w->running)
		return -EALREADY;
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++)
		wire_refill(&w->q[i], w->cfg.rxd);
	/* The arrivals go on where the last stop left them. */
	w->last_step_ns = lab_clock_now(w->cfg.clock);
	w->start_ns = w->last_step_ns - w->paused_ns;
	__atomic_store_n(&w->quit, false, __ATOMIC_RELAXED);
	__atomic_store_n(&w->running, true, __ATOMIC_RELEASE);
	return 0;
}

void
lab_wire_stop(struct lab_wire *w)
{
	if (w->running)
		w->paused_ns = w->last_step_ns - w->start_ns;
	__atomic_store_n(&w->running, false, __ATOMIC_RELEASE);
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++)
		wire_rx_drain(&w->q[i]);
	wire_tx_drain(w);
}

/** Real time: note how late the next arrival is, and put the plan off if the wire did not run. */
static void
wire_keep_up(struct lab_wire *w, uint64_t now_ns)
{
	uint64_t due = w->start_ns + w->next.t_ns, lag;

	if (!w->has_next || due >= now_ns)
		return;
	lag = now_ns - due;
	ctr_max(&w->max_lag_ns, lag);
	if (lag > w->cfg.catch_up_ns) {
		ctr_add(&w->slipped_ns, lag - w->cfg.catch_up_ns);
		w->start_ns += lag - w->cfg.catch_up_ns;
	}
}

static unsigned int
wire_rx_step(struct lab_wire *w, uint64_t now_ns)
{
	uint64_t now = now_ns - w->start_ns;
	bool real = w->cfg.clock->kind == LAB_CLOCK_REAL;
	unsigned int n = 0;

	while (w->has_next && w->next.t_ns <= now) {
		if (real && unlikely(now - w->next.t_ns > WIRE_LATE_NS))
			ctr_add(&w->late, 1);
		wire_deliver(w, &w->next);
		w->has_next = lab_arrivals_next(w->arrivals, &w->next);
		n++;
	}
	for (uint16_t i = 0; n > 0 && i < w->cfg.nb_queues; i++) {
		if (w->q[i].line.nr_out > 0)
			wire_flush(&w->q[i]);
	}
	if (unlikely(!w->has_next))
		__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return n;
}

unsigned int
lab_wire_step(struct lab_wire *w, uint64_t now_ns)
{
	unsigned int n;

	if (!w->running || now_ns < w->last_step_ns)
		return 0;
	if (w->cfg.clock->kind == LAB_CLOCK_REAL)
		wire_keep_up(w, now_ns);
	n = wire_rx_step(w, now_ns) + wire_tx_step(w, now_ns);
	w->last_step_ns = now_ns;
	return n;
}

int
lab_wire_run(void *wire)
{
	struct lab_wire *w = wire;

	while (!__atomic_load_n(&w->quit, __ATOMIC_RELAXED)) {
		if (lab_wire_step(w, lab_clock_now(w->cfg.clock)) == 0)
			rte_pause();
	}
	return 0;
}

void
lab_wire_quit(struct lab_wire *w)
{
	__atomic_store_n(&w->quit, true, __ATOMIC_RELAXED);
}

bool
lab_wire_done(const struct lab_wire *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

uint64_t
lab_wire_next_event(const struct lab_wire *w)
{
	uint64_t next = w->has_next ? w->start_ns + w->next.t_ns : UINT64_MAX;

	return w->sending != NULL && w->tx_end_ns < next ? w->tx_end_ns : next;
}

/* ----------------------------------------------------------------- unmaking */

/** ethdev keeps callbacks over the end of a port, and removes only those of configured queues. */
static void
unhook_port(struct lab_wire *w)
{
	struct rte_eth_dev_info info = {0};
	struct rte_eth_conf conf = {0};
	uint16_t n = w->cfg.nb_queues;

	rte_eth_dev_stop(w->port);
	if (rte_eth_dev_info_get(w->port, &info) != 0 || info.nb_rx_queues != n ||
		info.nb_tx_queues != n)
		rte_eth_dev_configure(w->port, n, n, &conf);
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		struct wire_queue *q = &w->q[i];

		if (q->rx_cb != NULL && rte_eth_remove_rx_callback(w->port, i, q->rx_cb) == 0)
			rte_free((void *)(uintptr_t)q->rx_cb);
		if (q->tx_cb != NULL && rte_eth_remove_tx_callback(w->port, i, q->tx_cb) == 0)
			rte_free((void *)(uintptr_t)q->tx_cb);
		rte_free(q->hook);
		q->hook = NULL;
	}
}

static void
release_port(struct lab_wire *w)
{
	uint16_t port;

	if (w->port == RTE_MAX_ETHPORTS)
		return;
	if (rte_eth_dev_get_port_by_name(w->port_name, &port) == 0 && port == w->port) {
		unhook_port(w);
		rte_eth_dev_close(w->port);
	}
	/* Closed by somebody else: the callbacks are still known to ethdev, so the hooks stay for good. */
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		if (w->q[i].hook != NULL)
			w->q[i].hook->q = NULL;
	}
	rte_vdev_uninit(w->port_name);
}

void
lab_wire_destroy(struct lab_wire *w)
{
	if (w == NULL)
		return;
	release_port(w);
	if (w->q[w->cfg.nb_queues - 1].sent != NULL)
		lab_wire_stop(w); /* all rings were made */
	for (uint16_t i = 0; i < w->cfg.nb_queues; i++) {
		rte_ring_free(w->q[i].posted);
		rte_ring_free(w->q[i].rx);
		rte_ring_free(w->q[i].tx);
		rte_ring_free(w->q[i].sent);
	}
	lab_arrivals_destroy(w->arrivals);
	for (unsigned int i = 0; i < LAB_WIRE_MAX_CAUSES; i++)
		free(w->cause_names[i]);
	free(w->flows);
	free(w->flow_seq);
	rte_free(w);
}
