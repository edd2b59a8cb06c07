/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Configuring, starting and stopping. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "app.h"
#include "wire.h"

#define RSS_HF (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP)

int
port_socket(uint16_t id)
{
	int socket = rte_eth_dev_socket_id(id);

	return socket < 0 ? 0 : socket;
}

unsigned int
ports_count(const struct app *app)
{
	unsigned int n = 0;

	PORT_FOREACH (app, id)
		n++;
	return n;
}

bool
ports_any_started(const struct app *app)
{
	PORT_FOREACH (app, id) {
		if (app->ports.p[id].started)
			return true;
	}
	return false;
}

int
port_parse(struct app *app, const char *text, bool all, uint16_t *id)
{
	char list[128] = "";
	size_t used = 0;
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (all && !strcmp(text, "all")) {
		*id = RTE_MAX_ETHPORTS;
		return 0;
	}
	if (end != text && *end == '\0' && v < RTE_MAX_ETHPORTS && app->ports.p[v].known) {
		*id = v;
		return 0;
	}
	PORT_FOREACH (app, p) {
		if (used < sizeof(list) - 8)
			used += snprintf(list + used, sizeof(list) - used, " %u", p);
	}
	return cmd_fail(app, -ENODEV, "no port '%s'; there are:%s%s", text, used ? list : " none",
		all ? " all" : "");
}

int
port_add(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];

	if (p->known)
		return 0;
	memset(p, 0, sizeof(*p));
	ledger_forget_port(app, id);
	p->known = true;
	p->promisc = true;
	rte_eth_macaddr_get(id, &p->mac);
	fwd_changed(app);
	return 0;
}

int
ports_probe(struct app *app)
{
	uint16_t id;

	RTE_ETH_FOREACH_DEV (id)
		port_add(app, id);
	return 0;
}

/* The limits that a PMD would only answer with -EINVAL. */
static int
check_limits(struct app *app, uint16_t id, const struct rte_eth_dev_info *info)
{
	const struct options *o = &app->opt;

	if (o->rxq > info->max_rx_queues || o->txq > info->max_tx_queues)
		return cmd_fail(app, -EINVAL,
			"port %u (%s) has at most %u Rx and %u Tx queues; %u and %u are asked for "
			"(port config all rxq|txq)",
			id, info->driver_name, info->max_rx_queues, info->max_tx_queues, o->rxq,
			o->txq);
	if (o->max_pkt_len && info->max_rx_pktlen && o->max_pkt_len > info->max_rx_pktlen)
		return cmd_fail(app, -EINVAL,
			"port %u (%s) takes frames of at most %u bytes; --max-pkt-len is %u", id,
			info->driver_name, info->max_rx_pktlen, o->max_pkt_len);
	return 0;
}

static uint16_t
mtu_of(uint32_t frame, const struct rte_eth_dev_info *info)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	return frame > overhead ? frame - overhead : 0;
}

static void
make_conf(const struct options *o, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	if (o->max_pkt_len) {
		conf->rxmode.mtu = mtu_of(o->max_pkt_len, info);
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	}
	conf->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (o->rxq > 1 && (info->flow_type_rss_offloads & RSS_HF)) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & RSS_HF;
	}
}

static int
setup_queues(struct app *app, uint16_t id, const struct rte_eth_dev_info *info)
{
	const struct options *o = &app->opt;
	struct port *p = &app->ports.p[id];
	int rc = 0;

	/* 0: what the PMD would choose */
	p->nb_rxd = o->rxd                               ? o->rxd
		    : info->default_rxportconf.ring_size ? info->default_rxportconf.ring_size
							 : 512;
	p->nb_txd = o->txd                               ? o->txd
		    : info->default_txportconf.ring_size ? info->default_txportconf.ring_size
							 : 512;
	rte_eth_dev_adjust_nb_rx_tx_desc(id, &p->nb_rxd, &p->nb_txd);
	for (uint16_t q = 0; q < o->rxq && rc == 0; q++)
		rc = rte_eth_rx_queue_setup(id, q, p->nb_rxd, port_socket(id), NULL, p->mp);
	if (rc)
		return cmd_fail(app, rc, "port %u: Rx queues with %u descriptors: %s", id,
			p->nb_rxd, rte_strerror(-rc));
	for (uint16_t q = 0; q < o->txq && rc == 0; q++)
		rc = rte_eth_tx_queue_setup(id, q, p->nb_txd, port_socket(id), NULL);
	if (rc)
		return cmd_fail(app, rc, "port %u: Tx queues with %u descriptors: %s", id,
			p->nb_txd, rte_strerror(-rc));
	p->nb_rxq = o->rxq;
	p->nb_txq = o->txq;
	return 0;
}

static int
configure(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	int rc = rte_eth_dev_info_get(id, &info);

	if (rc)
		return cmd_fail(
			app, rc, "port %u tells nothing about itself: %s", id, rte_strerror(-rc));
	rc = check_limits(app, id, &info);
	if (rc)
		return rc;
	p->mp = pool_get(app, p->pool[0] ? p->pool : NULL);
	if (p->mp == NULL)
		return -ENOMEM;
	make_conf(&app->opt, &info, &conf);
	rc = rte_eth_dev_configure(id, app->opt.rxq, app->opt.txq, &conf);
	if (rc)
		return cmd_fail(app, rc, "port %u (%s) refuses %u Rx and %u Tx queues, MTU %u: %s",
			id, info.driver_name, app->opt.rxq, app->opt.txq, conf.rxmode.mtu,
			rte_strerror(-rc));
	return setup_queues(app, id, &info);
}

/* The lock is that of the counters: the sampler's thread reads them too. */
static void
find_ring(struct app *app, uint16_t id)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(id, &info))
		return;
	pthread_mutex_lock(&app->ports.lock);
	kernel_ring_find(&app->ports.p[id].ring, &info);
	pthread_mutex_unlock(&app->ports.lock);
}

static void
close_ring(struct app *app, uint16_t id)
{
	pthread_mutex_lock(&app->ports.lock);
	kernel_ring_close(&app->ports.p[id].ring);
	pthread_mutex_unlock(&app->ports.lock);
}

static int
start_one(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	int rc;

	if (p->started)
		return 0;
	printf("Configuring Port %u (socket %d)\n", id, port_socket(id));
	rc = configure(app, id);
	if (rc)
		return rc;
	rc = rte_eth_dev_start(id);
	if (rc)
		return cmd_fail(app, rc, "port %u does not start: %s", id, rte_strerror(-rc));
	find_ring(app, id);
	if (p->promisc)
		rte_eth_promiscuous_enable(id);
	rte_eth_macaddr_get(id, &p->mac);
	p->started = true;
	if (p->wire) {
		rc = wire_port_started(app, p->wire);
		if (rc)
			return rc;
	}
	rte_ether_format_addr(mac, sizeof(mac), &p->mac);
	printf("Port %u: %s\n", id, mac);
	return 0;
}

/* Apply fn to one port or to all. */
static int
each(struct app *app, uint16_t id, int (*fn)(struct app *app, uint16_t id))
{
	int rc = 0;

	if (id < RTE_MAX_ETHPORTS)
		return fn(app, id);
	PORT_FOREACH (app, p) {
		if (rc == 0)
			rc = fn(app, p);
	}
	return rc;
}

static int
not_while_forwarding(struct app *app)
{
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	return 0;
}

int
port_start(struct app *app, uint16_t id)
{
	int rc = not_while_forwarding(app);

	if (rc)
		return rc;
	fwd_changed(app);
	return each(app, id, start_one);
}

void
ports_check_links(struct app *app)
{
	printf("Checking link statuses...\n");
	for (unsigned int wait = 0; wait < 9; wait++) {
		unsigned int down = 0;

		PORT_FOREACH (app, id) {
			struct rte_eth_link link = {0};

			if (app->ports.p[id].started && rte_eth_link_get_nowait(id, &link) == 0)
				down += link.link_status == RTE_ETH_LINK_DOWN;
		}
		if (down == 0)
			break;
		rte_delay_us_sleep(100000);
	}
}

static int
stop_one(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];
	int rc;

	if (!p->started)
		return 0;
	if (p->wire)
		wire_port_stopped(app, p->wire);
	else if (p->promisc)
		/* of a port over a kernel interface, the flag would stay when we are gone */
		rte_eth_promiscuous_disable(id);
	close_ring(app, id);
	rc = rte_eth_dev_stop(id);
	if (rc && rc != -ENOTSUP)
		return cmd_fail(app, rc, "port %u does not stop: %s", id, rte_strerror(-rc));
	p->started = false;
	return 0;
}

int
port_stop(struct app *app, uint16_t id)
{
	int rc = not_while_forwarding(app);

	if (rc)
		return rc;
	/* streams may hold packets of the ports' pools and know their addresses */
	fwd_free(app);
	return each(app, id, stop_one);
}

static int
reset_one(struct app *app, uint16_t id)
{
	int rc;

	if (app->ports.p[id].started)
		return cmd_fail(app, -EBUSY, "Port %u is not stopped", id);
	rc = rte_eth_dev_reset(id);
	if (rc)
		return cmd_fail(app, rc, "port %u cannot be reset: %s", id, rte_strerror(-rc));
	return 0;
}

int
port_reset(struct app *app, uint16_t id)
{
	int rc = not_while_forwarding(app);

	return rc ? rc : each(app, id, reset_one);
}

static int
close_one(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];
	int rc = 0;

	if (p->started)
		return cmd_fail(app, -EBUSY, "Port %u is not stopped", id);
	if (p->wire)
		wire_port_close(app, p->wire);
	else
		rc = rte_eth_dev_close(id);
	if (rc)
		return cmd_fail(app, rc, "port %u does not close: %s", id, rte_strerror(-rc));
	p->known = false;
	fwd_changed(app);
	return 0;
}

int
port_close(struct app *app, uint16_t id)
{
	int rc = not_while_forwarding(app);

	return rc ? rc : each(app, id, close_one);
}
