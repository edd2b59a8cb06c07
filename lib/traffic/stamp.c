/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include "traffic_priv.h"

/*
 * Frames are written and read as bytes: a frame that comes from outside may be anything, and
 * nothing in it is aligned.
 */

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u
#define IPPROTO_UDP_   17u
#define IP_OFF         14u
#define UDP_OFF        34u

static inline uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint64_t
get48(const uint8_t *p)
{
	return (uint64_t)get16(p) << 32 | (uint64_t)get16(p + 2) << 16 | get16(p + 4);
}

static inline void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
put48(uint8_t *p, uint64_t v)
{
	put16(p, (uint32_t)(v >> 32));
	put16(p + 2, (uint32_t)(v >> 16));
	put16(p + 4, (uint32_t)v);
}

void
frame_template_init(
	struct frame_template *t, uint32_t flow, const uint8_t *src_mac, const uint8_t *dst_mac)
{
	uint8_t *h = t->headers, *ip = h + IP_OFF, *udp = h + UDP_OFF;

	memset(t, 0, sizeof(*t));
	memcpy(h, dst_mac, 6);
	memcpy(h + 6, src_mac, 6);
	put16(h + 12, ETHERTYPE_IPV4);
	ip[0] = 0x45;
	put16(ip + 6, 0x4000); /* don't fragment */
	ip[8] = 64;
	ip[9] = IPPROTO_UDP_;
	/* RFC 2544 gives 198.18.0.0/15 to tests of this kind: one /16 a side. */
	put16(ip + 12, 198u << 8 | 18);
	put16(ip + 14, flow);
	put16(ip + 16, 198u << 8 | 19);
	put16(ip + 18, flow);
	put16(udp, 1024 + (flow & 0x7fff));
	put16(udp + 2, LAB_STAMP_UDP_PORT);
	for (unsigned int i = 0; i < 20; i += 2)
		t->ip_sum += get16(ip + i);
}

static void
stamp_put(uint8_t *p, const struct lab_stamp *s)
{
	put16(p, LAB_STAMP_MAGIC);
	p[2] = s->run;
	p[3] = s->kind;
	put16(p + 4, s->flow);
	put48(p + 6, s->seq);
	put48(p + 12, s->t_ns);
}

void
frame_write(uint8_t *frame, const struct frame_template *t, uint32_t len, const struct lab_stamp *s)
{
	uint32_t sum = t->ip_sum + (len - IP_OFF);

	memcpy(frame, t->headers, FRAME_HEADERS);
	put16(frame + IP_OFF + 2, len - IP_OFF);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(frame + IP_OFF + 10, ~sum & 0xffff);
	put16(frame + UDP_OFF + 4, len - UDP_OFF);
	stamp_put(frame + FRAME_HEADERS, s);
}

int
lab_stamp_frame(uint8_t *frame, uint32_t len, const struct lab_stamp *s)
{
	static const uint8_t src[6] = {2, 0, 0, 0, 0, 1}, dst[6] = {2, 0, 0, 0, 0, 2};
	struct frame_template t;

	if (len < LAB_FRAME_MIN || len > LAB_FRAME_MAX || s->flow >= LAB_FLOWS_MAX)
		return -EINVAL;
	frame_template_init(&t, s->flow, src, dst);
	frame_write(frame, &t, len, s);
	memset(frame + FRAME_HEADERS + LAB_STAMP_LEN, 0, len - FRAME_HEADERS - LAB_STAMP_LEN);
	return 0;
}

/** Offset of the IPv4 header; 0: there is none. */
static uint32_t
find_ipv4(const uint8_t *frame, uint32_t len)
{
	uint32_t off = 12;

	for (int tags = 0; tags < 3 && off + 2 <= len; tags++, off += 4) {
		uint32_t type = get16(frame + off);

		if (type == ETHERTYPE_IPV4)
			return off + 2;
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			return 0;
	}
	return 0;
}

/** The UDP payload of an unfragmented IPv4 datagram on the stamps' port; *end: where it ends. */
static uint32_t
find_payload(const uint8_t *frame, uint32_t len, uint32_t *end)
{
	uint32_t ip = find_ipv4(frame, len), ihl, total;

	if (ip == 0 || ip + 20 > len || frame[ip] >> 4 != 4)
		return 0;
	ihl = (frame[ip] & 15u) * 4;
	total = get16(frame + ip + 2);
	if (ihl < 20 || total < ihl + 8 || ip + ihl + 8 > len)
		return 0;
	if (frame[ip + 9] != IPPROTO_UDP_ || (get16(frame + ip + 6) & 0x3fff) != 0)
		return 0;
	/* A forwarder may have swapped the two ends. */
	if (get16(frame + ip + ihl) != LAB_STAMP_UDP_PORT &&
		get16(frame + ip + ihl + 2) != LAB_STAMP_UDP_PORT)
		return 0;
	*end = RTE_MIN(len, ip + total);
	return ip + ihl + 8;
}

int
lab_stamp_read_bytes(const uint8_t *frame, uint32_t len, struct lab_stamp *out)
{
	uint32_t end = 0, off = find_payload(frame, len, &end);
	const uint8_t *p = frame + off;

	if (off == 0 || off + LAB_STAMP_LEN > end || get16(p) != LAB_STAMP_MAGIC)
		return -ENOMSG;
	if (p[3] != LAB_STAMP_DATA && p[3] != LAB_STAMP_END)
		return -ENOMSG;
	out->run = p[2];
	out->kind = p[3];
	out->flow = get16(p + 4);
	out->seq = get48(p + 6);
	out->t_ns = get48(p + 12);
	return 0;
}

int
lab_stamp_read(const struct rte_mbuf *m, struct lab_stamp *out)
{
	return lab_stamp_read_bytes(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, out);
}
