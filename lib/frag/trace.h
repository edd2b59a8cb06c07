/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_TRACE_H
#define LAB_FRAG_TRACE_H

/* Inside lib/frag only: what the parts of the trace share. */

#include "lab_base.h"
#include "lab_trace.h"

#define TRACE_MAGIC   "labyrinth-trace"
#define TRACE_VERSION 3

/** Keywords of the events, by enum lab_trace_type. */
#define TRACE_KEYS "arfdxtcsp"

/** What is wrong with a head; NULL: nothing. */
const char *trace_head_fault(const struct lab_trace_head *h);

/** A zone's state that has the recorded number of free blocks; the rest is held. */
struct trace_layout {
	struct lab_block *blocks;
	size_t nr;
	uint8_t *pageblock_mt;
	size_t nr_pageblocks;
	uint64_t missed[LAB_NR_ORDERS]; /* free blocks that found no place */
};

/** Lay it out. @param highatomic does the allocator have highatomic blocks? @return 0, -ENOMEM */
int trace_layout_make(struct trace_layout *l, const struct lab_trace_head *h, bool highatomic,
	struct lab_rng *rng);
void trace_layout_fini(struct trace_layout *l);

#endif /* LAB_FRAG_TRACE_H */
