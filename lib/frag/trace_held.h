/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_TRACE_HELD_H
#define LAB_FRAG_TRACE_HELD_H

/* Inside lib/frag only: a replay, and the blocks that were held before the recording began. */

#include "trace.h"

#define NOT_HELD    0xff /* of a frame; else the order of the held block that begins here */
#define HELD_INSIDE 0xfe
#define PAIR        (1UL << LAB_MAX_ORDER) /* frames of two pageblocks, the largest block */
#define NO_PAIR     UINT32_MAX

struct replay {
	struct lab_trace_reader reader;
	struct lab_trace_head head;
	struct lab_trace_result *out;
	struct lab_zone *zone;
	struct lab_rng rng;
	unsigned long
		origin; /* of the map: the start, rounded down so that blocks are aligned in it */
	void *frames;   /* address space of the emulated zone; nothing is ever touched in it */
	uint8_t *held;
	uint32_t *pair; /* by recorded pair of pageblocks: the emulated one that stands for it */
	uint8_t *pair_taken;
	unsigned long nr_pairs;
	uint32_t *map;      /* emulated frame + 1 of a recorded block's first frame; 0: none */
	uint8_t *map_order; /* of that block, and IN_LIST */
	bool follow;        /* the per-CPU lists as the trace tells */
	uint64_t *stock;    /* pages that each CPU's lists had at the beginning */
	uint64_t window_ns, window, in_window_actual, in_window_predicted;
	unsigned long first[LAB_NR_ORDERS]; /* the first sample */
};

/** Give back a block that was held before: at its place, near it, or anywhere.
 *  @param rel the recorded frame, from the origin of the map. @return false: none of that size was found */
bool trace_free_held(struct replay *r, unsigned long rel, unsigned int order);

/** Give back any, by the seed. */
bool trace_free_held_anywhere(struct replay *r, unsigned int order);

#endif /* LAB_FRAG_TRACE_HELD_H */
