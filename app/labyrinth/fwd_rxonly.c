/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <stdio.h>

#include "app.h"

static void
print_packet(const struct fwd_stream *fs, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	char src[RTE_ETHER_ADDR_FMT_SIZE], dst[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(src, sizeof(src), &eth->src_addr);
	rte_ether_format_addr(dst, sizeof(dst), &eth->dst_addr);
	printf("port %u/queue %u: src=%s - dst=%s - type=0x%04x - length=%u - nb_segs=%u\n",
		fs->rx_port, fs->rx_queue, src, dst, rte_be_to_cpu_16(eth->ether_type), m->pkt_len,
		m->nb_segs);
}

static unsigned int
rxonly_burst(struct fwd_stream *fs)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n = fwd_rx(fs, pkts);

	if (unlikely(fs->app->fwd.verbose)) {
		for (uint16_t i = 0; i < n; i++)
			print_packet(fs, pkts[i]);
	}
	fwd_consume(fs, pkts, n);
	return n;
}

static struct fwd_engine rxonly_engine = {
	.name = "rxonly",
	.help = "receive and free; with 'set verbose 1' print a line a packet",
	.burst = rxonly_burst,
};
FWD_ENGINE(rxonly_engine);
