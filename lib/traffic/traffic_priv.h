/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef TRAFFIC_PRIV_H
#define TRAFFIC_PRIV_H

/** @file traffic_priv.h What the files of this folder share. */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "lab_traffic.h"

#define LAB_NS_PER_S 1000000000ull

/* A counter has one writer; others read it at any time. */

static inline void
ctr_add(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

static inline uint64_t
ctr_get(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

static inline void
ctr_max(uint64_t *c, uint64_t v)
{
	if (v > *c)
		__atomic_store_n(c, v, __ATOMIC_RELAXED);
}

/** Write an error's text, if somebody wants it. @return code, for `return fail(...)`. */
static inline int __attribute__((format(printf, 4, 5)))
fail(char *err, size_t len, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL || len == 0)
		return code;
	va_start(ap, fmt);
	vsnprintf(err, len, fmt, ap);
	va_end(ap);
	return code;
}

/* ------------------------------------------------------------- frames */

#define FRAME_HEADERS 42u /* Ethernet 14, IPv4 20, UDP 8 */

/** The headers of one flow, made once, so that a frame costs a copy and a checksum's last step. */
struct frame_template {
	uint8_t headers[FRAME_HEADERS];
	uint16_t queue;  /* where RSS sends it */
	uint32_t ip_sum; /* of the IPv4 header without its length, not folded */
	uint32_t rss;
};

void frame_template_init(
	struct frame_template *t, uint32_t flow, const uint8_t *src_mac, const uint8_t *dst_mac);
/** Headers and stamp; the rest of the frame is left as it is. */
void frame_write(
	uint8_t *frame, const struct frame_template *t, uint32_t len, const struct lab_stamp *s);

/** The capture of a process of kind pcap, else NULL. */
const struct lab_pcap *arrivals_pcap(const struct lab_arrivals *a);

#endif /* TRAFFIC_PRIV_H */
