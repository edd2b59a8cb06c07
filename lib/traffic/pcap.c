/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "traffic_priv.h"

struct loader {
	struct lab_pcap *p;
	pcap_t *pcap;
	size_t cap_packets, cap_data;
	uint64_t first_ns;
	char *err;
	size_t err_len;
};

static uint32_t
hash_bytes(uint32_t h, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x01000193u; /* FNV-1a */
	return h;
}

/** What a NIC's RSS would hash: the 5-tuple, of fragments and other protocols the addresses. The end
 *  mixes the bits, as callers take a few of either end. */
static uint32_t
packet_hash(const uint8_t *d, uint32_t n)
{
	uint32_t h = 0x811c9dc5u, off = 14, type = n >= 14 ? (uint32_t)d[12] << 8 | d[13] : 0;

	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8) && n >= off + 4; tags++) {
		type = (uint32_t)d[off + 2] << 8 | d[off + 3];
		off += 4;
	}
	if (type == 0x0800 && n >= off + 20) {
		uint32_t ihl = (d[off] & 15u) * 4,
			 frag = ((uint32_t)d[off + 6] << 8 | d[off + 7]) & 0x3fff;
		bool ports = (d[off + 9] == 6 || d[off + 9] == 17) && frag == 0 && ihl >= 20 &&
			     n >= off + ihl + 4;

		h = hash_bytes(hash_bytes(h, d + off + 12, 8), d + off + 9, 1);
		h = ports ? hash_bytes(h, d + off + ihl, 4) : h;
	} else if (type == 0x86dd && n >= off + 40) {
		bool ports = (d[off + 6] == 6 || d[off + 6] == 17) && n >= off + 44;

		h = hash_bytes(hash_bytes(h, d + off + 8, 32), d + off + 6, 1);
		h = ports ? hash_bytes(h, d + off + 40, 4) : h;
	} else {
		h = hash_bytes(h, d, n < 12 ? n : 12);
	}
	h = (h ^ (h >> 16)) * 0x85ebca6bu;
	h = (h ^ (h >> 13)) * 0xc2b2ae35u;
	return h ^ (h >> 16);
}

static int
grow(void **mem, size_t *cap, size_t want, size_t size, size_t first)
{
	size_t n = *cap == 0 ? first : *cap;
	void *p;

	if (want <= *cap)
		return 0;
	while (n < want)
		n *= 2;
	p = realloc(*mem, n * size);
	if (p == NULL)
		return -ENOMEM;
	*mem = p;
	*cap = n;
	return 0;
}

static int
loader_reserve(struct loader *l, uint32_t caplen)
{
	struct lab_pcap *p = l->p;

	if (p->nr_packets >= LAB_PCAP_MAX_PACKETS)
		return fail(
			l->err, l->err_len, -E2BIG, "more than %u packets", LAB_PCAP_MAX_PACKETS);
	if (p->data_len + caplen > LAB_PCAP_MAX_BYTES)
		return fail(l->err, l->err_len, -E2BIG, "more than %lu captured bytes",
			LAB_PCAP_MAX_BYTES);
	if (grow((void **)&p->packets, &l->cap_packets, p->nr_packets + 1, sizeof(*p->packets),
		    256) ||
		grow((void **)&p->data, &l->cap_data, p->data_len + caplen, 1, 65536))
		return fail(
			l->err, l->err_len, -ENOMEM, "no memory after %zu packets", p->nr_packets);
	return 0;
}

/** Time of a packet since the first. One that steps back, as captures of several CPUs do, is put at its
 *  predecessor's time: an arrival process never goes back. */
static uint64_t
loader_time(struct loader *l, const struct pcap_pkthdr *h)
{
	struct lab_pcap *p = l->p;
	uint64_t last = p->nr_packets ? p->packets[p->nr_packets - 1].t_ns : 0;
	/* With nanosecond precision libpcap keeps nanoseconds in tv_usec. */
	uint64_t t = (uint64_t)h->ts.tv_sec * LAB_NS_PER_S + (uint64_t)h->ts.tv_usec;

	if (p->nr_packets == 0)
		l->first_ns = t;
	if (t < l->first_ns + last) {
		p->stepped_back++;
		return last;
	}
	return t - l->first_ns;
}

static int
loader_add(struct loader *l, const struct pcap_pkthdr *h, const u_char *data)
{
	struct lab_pcap *p = l->p;
	struct lab_pcap_packet *pkt;
	int rc;

	if (h->len == 0 || h->len > LAB_FRAME_MAX || h->caplen > h->len)
		return fail(l->err, l->err_len, -EBADMSG,
			"packet %zu: %u of %u bytes captured; a frame has 1 to %u",
			p->nr_packets + 1, h->caplen, h->len, LAB_FRAME_MAX);
	/* A file's seconds and fraction are 32 bits each; anything else is damage. */
	if (h->ts.tv_sec < 0 || h->ts.tv_sec > UINT32_MAX || h->ts.tv_usec < 0 ||
		(uint64_t)h->ts.tv_usec >= LAB_NS_PER_S)
		return fail(l->err, l->err_len, -EBADMSG, "packet %zu: impossible time",
			p->nr_packets + 1);
	rc = loader_reserve(l, h->caplen);
	if (rc != 0)
		return rc;
	pkt = &p->packets[p->nr_packets];
	pkt->t_ns = loader_time(l, h);
	pkt->len = h->len;
	pkt->caplen = h->caplen;
	pkt->hash = packet_hash(data, h->caplen);
	pkt->offset = (uint32_t)p->data_len;
	if (h->caplen > 0)
		memcpy(p->data + p->data_len, data, h->caplen);
	p->data_len += h->caplen;
	p->nr_packets++;
	return 0;
}

static int
loader_run(struct loader *l)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int got, rc = 0;

	if (pcap_datalink(l->pcap) != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(pcap_datalink(l->pcap));

		return fail(l->err, l->err_len, -EPROTONOSUPPORT, "link type %s is not Ethernet",
			name ? name : "(unknown)");
	}
	while (rc == 0 && (got = pcap_next_ex(l->pcap, &h, &data)) == 1)
		rc = loader_add(l, h, data);
	if (rc != 0)
		return rc;
	if (got == PCAP_ERROR)
		return fail(l->err, l->err_len, -EBADMSG, "after %zu packets: %s", l->p->nr_packets,
			pcap_geterr(l->pcap));
	if (l->p->nr_packets == 0)
		return fail(l->err, l->err_len, -ENODATA, "no packet");
	return 0;
}

int
lab_pcap_load_stream(struct lab_pcap *p, FILE *f, char *err, size_t len)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct loader l = {.p = p, .err = err, .err_len = len};
	int rc;

	memset(p, 0, sizeof(*p));
	l.pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (l.pcap == NULL) {
		fclose(f);
		return fail(err, len, -EBADMSG, "%s", why);
	}
	rc = loader_run(&l);
	pcap_close(l.pcap); /* closes f too */
	if (rc != 0)
		lab_pcap_free(p);
	return rc;
}

int
lab_pcap_load(struct lab_pcap *p, const char *file, char *err, size_t len)
{
	char why[256] = "";
	FILE *f = fopen(file, "rbe");
	int rc = f == NULL ? -errno : 0;

	memset(p, 0, sizeof(*p));
	if (f == NULL)
		return fail(err, len, rc, "%s: %s", file, strerror(-rc));
	rc = lab_pcap_load_stream(p, f, why, sizeof(why));
	return rc == 0 ? 0 : fail(err, len, rc, "%s: %s", file, why);
}

void
lab_pcap_free(struct lab_pcap *p)
{
	free(p->packets);
	free(p->data);
	memset(p, 0, sizeof(*p));
}
