/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_RECORD_H
#define LAB_RECORD_H

/**
 * @file lab_record.h
 * Recording what a zone of the running kernel serves, refuses and takes back, as a trace of lab_trace.h.
 *
 * The programs stand on raw tracepoints, which show a page by its address. Where the kernel's table of pages lies is
 * found out, not assumed: pages that this process touches are seen by the programs and have their frame
 * number in /proc/self/pagemap. Without CAP_SYS_ADMIN the kernel hides those numbers; on x86-64 the
 * table begins at a multiple of 1 GiB, which is enough for machines whose memory ends below 64 GiB.
 *
 * Errors: 0 or a negative errno. One thread; no signal handler.
 */

#include "lab_trace.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAB_RECORD_WHY_LEN 160

/** What to record. */
struct lab_record_opts {
	const char *zone;     /**< NULL: the zone of the node with most managed frames */
	int node;             /**< -1: any */
	uint64_t interval_ns; /**< between two samples */
	size_t ring_len; /**< bytes for events that wait to be written: a power of two, of pages; 0: 32 MiB */
	FILE *out; /**< stays the caller's */
};

struct lab_record; /**< opaque */

/** Read the zone's marks and shape from the text of /proc/zoneinfo. The parsers touch nothing but `h`.
 *  @param zone,node as in struct lab_record_opts; `h` gets the zone that was found. @return 0; -ENOENT; -EINVAL. */
int lab_record_parse_zoneinfo(
	const char *text, const char *zone, int node, struct lab_trace_head *h);

/** Read the free blocks by type of the zone that `h` names from the text of /proc/pagetypeinfo. @return 0, -ENOENT */
int lab_record_parse_pagetypeinfo(const char *text, struct lab_trace_head *h);

/** Read its free blocks from the text of /proc/buddyinfo. @return 0, -ENOENT */
int lab_record_parse_buddyinfo(
	const char *text, const struct lab_trace_head *h, unsigned long blocks[LAB_NR_ORDERS]);

/** Read its watermark_boost from the text of /proc/zoneinfo. @return pages; 0: none, or not told */
unsigned long lab_record_parse_boost(const char *text, const struct lab_trace_head *h);

/** Make the free blocks by type add up to those of a buddyinfo that was read later. */
void lab_record_adjust(struct lab_trace_head *h, const unsigned long blocks[LAB_NR_ORDERS]);

/**
 * Load the programs and find the zone; nothing is recorded yet. Afterwards no capability is needed.
 * @param why out: what is missing, of LAB_RECORD_WHY_LEN bytes.
 * @return 0; -EPERM, -ENOTSUP (this kernel or machine does not let it); -ENOENT (no such zone); others.
 */
int lab_record_open(struct lab_record **r, const struct lab_record_opts *opts, char *why);

/** The zone that is recorded. */
const struct lab_trace_head *lab_record_head(const struct lab_record *r);

/** Begin: write the head, where the free blocks lie, and the first sample. Where they lie takes some 20 ms a GiB of the zone to
 *  read, and is not known if this process could not read /proc/kpageflags when it opened the recording (it is root's). */
int lab_record_begin(struct lab_record *r);

/** Write what came since; take a sample if one is due. To be called every few milliseconds. @return 0, -EIO ... */
int lab_record_step(struct lab_record *r);

/** Where the free blocks lay at the beginning, and how well that is known. */
struct lab_record_places {
	bool known;              /**< else the trace has no places, and the rest is 0 */
	unsigned long frames;    /**< of free blocks, by the places that were written */
	unsigned long buddyinfo; /**< the same by /proc/buddyinfo, as it was at that moment */
	uint64_t ns;             /**< that reading all frames took */
};

/** To be asked for once it has begun. */
void lab_record_places(const struct lab_record *r, struct lab_record_places *out);

/** ns since the beginning. */
uint64_t lab_record_elapsed(const struct lab_record *r);

/** End: write the last sample and the end line. @param counts out, may be NULL */
int lab_record_end(struct lab_record *r, struct lab_trace_counts *counts);

/** NULL is fine. */
void lab_record_close(struct lab_record *r);

#ifdef __cplusplus
}
#endif

#endif /* LAB_RECORD_H */
