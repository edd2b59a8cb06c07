/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef DEPOT_H
#define DEPOT_H

/**
 * @file depot.h
 * Batches of pages between the stacks of CPUs: what one has too much of another takes whole, without the
 * frames having to take 64 pages apart and put them together again (Bonwick and Adams's depot of magazines,
 * USENIX 2001). Internal to lib/page; of one process, as the stacks are.
 *
 * A batch is put into an empty slot, and taken from a full one, by a swap of the slot's word; between two swaps
 * the slot is somebody's, and others use other slots. So a thread that stops there hinders nobody. Every
 * swap counts the word's version, from which percpu_sum knows that something moved.
 */

#include "percpu.h"

#define DEPOT_SLOTS 16U
#define DEPOT_BATCH 64U

struct depot {
	_Alignas(LAB_CACHE_LINE) _Atomic uint64_t
		word[DEPOT_SLOTS]; /**< version << 8 | pages, or 255: somebody's */
	void *page[DEPOT_SLOTS][DEPOT_BATCH];
};

#pragma GCC visibility push(hidden)

/** Make a full slot one's own. @param n out: how many pages. @return them; NULL: no slot is full. Any context. */
void **depot_open(struct depot *d, unsigned int *n);
/** They have been taken: the slot is empty and nobody's. */
void depot_close(struct depot *d, void **pages);
/** Take a batch. @param out room for DEPOT_BATCH. @return pages; 0: no slot is full. Any context. */
unsigned int depot_take(struct depot *d, void **out);
/** Put n pages, 1 to DEPOT_BATCH, into one of the first `slots` slots. @return false: none is empty. Any context. */
bool depot_put(struct depot *d, void *const *pages, unsigned int n, unsigned int slots);
/** Is none of the first `slots` slots empty? */
bool depot_full(const struct depot *d, unsigned int slots);
/** Pages in full slots. */
unsigned long depot_count(const struct depot *d);
/** Add to what the stacks hold and did. A slot that is somebody's counts by that one's move (percpu_move_begin()). */
void depot_add_up(const struct depot *d, struct percpu_sum *sum);
/** After the end of its process: slots that died with their holder are empty. */
void depot_end_dead(struct depot *d);

#pragma GCC visibility pop

#endif /* DEPOT_H */
