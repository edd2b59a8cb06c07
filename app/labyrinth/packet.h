/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_PACKET_H
#define APP_PACKET_H

/** @file packet.h The UDP packets that txonly and flowgen send. */

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

struct app;
struct fwd_stream;

struct packet_headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
};
_Static_assert(sizeof(struct packet_headers) == 42, "the headers lie as they are sent");

/** Headers of a frame of len bytes, RFC 2544's addresses, port 9 (discard). */
void packet_headers(struct packet_headers *h, const struct fwd_stream *fs, uint32_t len);

/** Another destination address: base + flow, checksum included. */
void packet_set_flow(struct packet_headers *h, uint32_t flow);

/** The pool that a stream makes its packets from. */
struct rte_mempool *packet_pool(const struct fwd_stream *fs);

/** Do segments of these lengths fit the pool's mbufs? @return 0 or -EINVAL, message set. */
int packet_check(struct fwd_stream *fs);

#endif /* APP_PACKET_H */
