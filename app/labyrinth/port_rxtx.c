/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* `show config rxtx` of a port: its queues as they are set up. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "app.h"

static void
add_thresholds(json_t *queue, const struct rte_eth_thresh *t, uint16_t free_thresh)
{
	json_object_set_new(queue, "free_thresh", json_integer(free_thresh));
	json_object_set_new(queue, "pthresh", json_integer(t->pthresh));
	json_object_set_new(queue, "hthresh", json_integer(t->hthresh));
	json_object_set_new(queue, "wthresh", json_integer(t->wthresh));
}

/* What a PMD does not tell of a queue is what it was asked for: its own defaults. */
static json_t *
rx_queue(const struct port *p, uint16_t id, uint16_t q, const struct rte_eth_dev_info *info)
{
	struct rte_eth_rxq_info rx = {0};
	json_t *out;

	if (rte_eth_rx_queue_info_get(id, q, &rx)) {
		rx.conf = info->default_rxconf;
		rx.nb_desc = p->nb_rxd;
	}
	out = json_pack("{si si so}", "queue", q, "desc", rx.nb_desc, "offloads",
		lab_json_u64(rx.conf.offloads));
	add_thresholds(out, &rx.conf.rx_thresh, rx.conf.rx_free_thresh);
	return out;
}

static json_t *
tx_queue(const struct port *p, uint16_t id, uint16_t q, const struct rte_eth_dev_info *info)
{
	struct rte_eth_txq_info tx = {0};
	json_t *out;

	if (rte_eth_tx_queue_info_get(id, q, &tx)) {
		tx.conf = info->default_txconf;
		tx.nb_desc = p->nb_txd;
	}
	out = json_pack("{si si so si}", "queue", q, "desc", tx.nb_desc, "offloads",
		lab_json_u64(tx.conf.offloads), "rs_thresh", tx.conf.tx_rs_thresh);
	add_thresholds(out, &tx.conf.tx_thresh, tx.conf.tx_free_thresh);
	return out;
}

json_t *
port_rxtx_json(struct app *app, uint16_t id)
{
	const struct port *p = &app->ports.p[id];
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	json_t *rx, *tx;

	if (rte_eth_dev_info_get(id, &info) || rte_eth_dev_conf_get(id, &conf)) {
		cmd_fail(app, -EIO, "port %u tells nothing about itself", id);
		return NULL;
	}
	rx = json_array();
	tx = json_array();
	for (uint16_t q = 0; q < p->nb_rxq; q++)
		json_array_append_new(rx, rx_queue(p, id, q, &info));
	for (uint16_t q = 0; q < p->nb_txq; q++)
		json_array_append_new(tx, tx_queue(p, id, q, &info));
	return json_pack("{si si si si si so so ss so so}", "port", id, "rxq", p->nb_rxq, "txq",
		p->nb_txq, "rxd", p->nb_rxd, "txd", p->nb_txd, "rx_offloads",
		lab_json_u64(conf.rxmode.offloads), "tx_offloads",
		lab_json_u64(conf.txmode.offloads), "pool", p->mp ? p->mp->name : "", "rx_queues",
		rx, "tx_queues", tx);
}

static int64_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
print_queue(const json_t *q, const char *dir)
{
	printf("    %s queue: %" PRId64 "\n", dir, num(q, "queue"));
	printf("      %s desc=%" PRId64 " - %s free threshold=%" PRId64 "\n", dir, num(q, "desc"),
		dir, num(q, "free_thresh"));
	printf("      %s threshold registers: pthresh=%" PRId64 " hthresh=%" PRId64
	       "  wthresh=%" PRId64 "\n",
		dir, num(q, "pthresh"), num(q, "hthresh"), num(q, "wthresh"));
}

void
port_print_rxtx(const json_t *p)
{
	const json_t *q;
	size_t i;

	printf("  port %" PRId64 ": RX queue number: %" PRId64 " Tx queue number: %" PRId64
	       "\n    Rx offloads=0x%" PRIx64 " Tx offloads=0x%" PRIx64 "\n    mempool=%s\n",
		num(p, "port"), num(p, "rxq"), num(p, "txq"), num(p, "rx_offloads"),
		num(p, "tx_offloads"), json_string_value(json_object_get(p, "pool")));
	json_array_foreach (json_object_get(p, "rx_queues"), i, q) {
		print_queue(q, "RX");
		printf("      RX Offloads=0x%" PRIx64 "\n", num(q, "offloads"));
	}
	json_array_foreach (json_object_get(p, "tx_queues"), i, q) {
		print_queue(q, "TX");
		printf("      TX offloads=0x%" PRIx64 " - TX RS bit threshold=%" PRId64 "\n",
			num(q, "offloads"), num(q, "rs_thresh"));
	}
}
