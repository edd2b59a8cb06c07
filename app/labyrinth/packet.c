/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <string.h>

#include "app.h"
#include "packet.h"

/* RFC 2544's network for benchmarks: 198.18.0.1 and .2 (DPDK's macro shifts into the sign bit) */
#define IP_SRC 0xc6120001u
#define IP_DST 0xc6120002u

void
packet_headers(struct packet_headers *h, const struct fwd_stream *fs, uint32_t len)
{
	memset(h, 0, sizeof(*h));
	rte_ether_addr_copy(&fs->peer, &h->eth.dst_addr);
	rte_ether_addr_copy(&fs->app->ports.p[fs->tx_port].mac, &h->eth.src_addr);
	h->eth.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	h->ip.version_ihl = RTE_IPV4_VHL_DEF;
	h->ip.time_to_live = 64;
	h->ip.next_proto_id = IPPROTO_UDP;
	h->ip.total_length = rte_cpu_to_be_16(len - sizeof(h->eth));
	h->ip.src_addr = rte_cpu_to_be_32(IP_SRC);
	h->udp.src_port = rte_cpu_to_be_16(9);
	h->udp.dst_port = rte_cpu_to_be_16(9);
	h->udp.dgram_len = rte_cpu_to_be_16(len - sizeof(h->eth) - sizeof(h->ip));
	packet_set_flow(h, 0);
}

void
packet_set_flow(struct packet_headers *h, uint32_t flow)
{
	h->ip.dst_addr = rte_cpu_to_be_32(IP_DST + flow);
	h->ip.hdr_checksum = 0;
	h->ip.hdr_checksum = rte_ipv4_cksum(&h->ip);
}

struct rte_mempool *
packet_pool(const struct fwd_stream *fs)
{
	return fs->app->ports.p[fs->tx_port].mp;
}

int
packet_check(struct fwd_stream *fs)
{
	const struct options *o = &fs->app->opt;
	uint32_t room = rte_pktmbuf_data_room_size(packet_pool(fs)) - RTE_PKTMBUF_HEADROOM;

	for (unsigned int i = 0; i < o->nb_tx_segs; i++) {
		if (o->tx_segs[i] > room)
			return cmd_fail(fs->app, -EINVAL,
				"a segment of %u bytes (set txpkts) does not fit the pool's mbufs, "
				"which have room for %u",
				o->tx_segs[i], room);
	}
	return 0;
}
