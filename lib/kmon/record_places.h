/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef RECORD_PLACES_H
#define RECORD_PLACES_H

/**
 * @file record_places.h
 * Inside lib/kmon only: where the free blocks lie when a recording begins.
 *
 * /proc/kpageflags tells of each frame whether it is in a free block, at some 20 ms a GiB. Meanwhile the zone goes on, so
 * the events of that time are recorded, and each chunk of frames is brought forward by those that came after it was read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lab_trace.h"

/** Frames that are read at once; a multiple of the largest block, so that none lies in two chunks. */
#define RECORD_CHUNK 4096UL

struct record_places {
	unsigned long start, end; /**< the zone's span */
	unsigned long base;       /**< start rounded down to a chunk */
	unsigned long next;       /**< the first frame that was not read yet */
	uint64_t *free;           /**< a bit a frame, from base */
	uint64_t *read_ns; /**< of each chunk: CLOCK_MONOTONIC as its reading began; 0: not read */
};

/** @return 0; -ENOMEM; -EINVAL: a span that no trace has */
int record_places_init(struct record_places *p, unsigned long start, unsigned long spanned);

/** Zero is fine. */
void record_places_fini(struct record_places *p);

/** Read the next chunk from /proc/kpageflags. @param ns the time now, not 0. @return 1; 0: all was read; negative errno */
int record_places_read(struct record_places *p, int kpageflags, uint64_t ns);

/**
 * Bring the chunk of an event's block forward, if it was read before.
 * What a reading may have seen is done again: it ends as the last event of a frame says, either way.
 * @param e an event of the zone: a taking takes a block from the free ones, a drain gives it back, and so does a free of
 * an order that has no per-CPU lists. The others tell nothing of a place.
 * @param ns its time as that of the reading.
 */
void record_places_apply(struct record_places *p, const struct lab_trace_event *e, uint64_t ns);

/** The first free block at or behind a frame, as large as a buddy allocator has merged it. @return false: none */
bool record_places_next(
	const struct record_places *p, unsigned long at, unsigned long *pfn, unsigned int *order);

#endif /* RECORD_PLACES_H */
