/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef RECORD_SHARED_H
#define RECORD_SHARED_H

/** @file record_shared.h What the recording programs and the process that reads them both know. No header is
 *  included: see kmon_shared.h. */

/** What a record in the ring is; those below RECORD_PAGE as enum lab_trace_type. */
enum record_type {
	RECORD_ALLOC,
	RECORD_REFUSE,
	RECORD_FREE,
	RECORD_DRAIN,
	RECORD_STEAL,
	RECORD_TAKE,
	RECORD_COMPACT,
	RECORD_PAGE, /**< address of a page that was just handed out, to find out where pages lie */
};

/** What the programs do. */
enum record_mode {
	RECORD_OFF,
	RECORD_ADDRESSES, /**< RECORD_PAGE of order 0 alone */
	RECORD_EVENTS,
};

struct record_event {
	unsigned long long ns;   /**< CLOCK_MONOTONIC */
	unsigned long long page; /**< frame number; RECORD_PAGE: address; RECORD_COMPACT: range */
	unsigned int gfp;        /**< RECORD_COMPACT: pages; RECORD_STEAL: order of the request */
	unsigned short cpu;
	unsigned char type;           /**< enum record_type */
	unsigned char order_and_type; /**< order in the low 4 bits, migratetype above */
};

/** The range in which compaction took pages, as `page` of a record: both ends counted from the zone's first frame. A zone spans fewer than
 *  2^30 frames, so 32 bits hold each, and the records of all the other events, which are a thousand times as many, stay
 *  as small as they are. */
static inline unsigned long long
record_range(unsigned long long from, unsigned long long end)
{
	return from << 32 | (unsigned int)end;
}

#endif /* RECORD_SHARED_H */
