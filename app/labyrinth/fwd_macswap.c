/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include "app.h"

static unsigned int
macswap_burst(struct fwd_stream *fs)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n = fwd_rx(fs, pkts);

	for (uint16_t i = 0; i < n; i++) {
		struct rte_ether_hdr *eth = rte_pktmbuf_mtod(pkts[i], struct rte_ether_hdr *);
		struct rte_ether_addr mac = eth->dst_addr;

		eth->dst_addr = eth->src_addr;
		eth->src_addr = mac;
	}
	fwd_tx(fs, pkts, n);
	return n;
}

static struct fwd_engine macswap_engine = {
	.name = "macswap",
	.help = "forward with source and destination address exchanged",
	.burst = macswap_burst,
};
FWD_ENGINE(macswap_engine);
