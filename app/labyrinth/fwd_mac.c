/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include "app.h"

static unsigned int
mac_burst(struct fwd_stream *fs)
{
	const struct rte_ether_addr *own = &fs->app->ports.p[fs->tx_port].mac;
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n = fwd_rx(fs, pkts);

	for (uint16_t i = 0; i < n; i++) {
		struct rte_ether_hdr *eth = rte_pktmbuf_mtod(pkts[i], struct rte_ether_hdr *);

		rte_ether_addr_copy(&fs->peer, &eth->dst_addr);
		rte_ether_addr_copy(own, &eth->src_addr);
	}
	fwd_tx(fs, pkts, n);
	return n;
}

static struct fwd_engine mac_engine = {
	.name = "mac",
	.help = "forward with the Tx port's address as source and the peer's as destination",
	.burst = mac_burst,
};
FWD_ENGINE(mac_engine);
