/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_ZERO_H
#define LAB_ZERO_H

/**
 * @file zero.h
 * __LAB_GFP_ZERO, and pages zeroed ahead of it. Which frames are zero is known to the frame store
 * (frames.h) and, of pages on the stacks of zeroed pages, by where they are.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

struct lab_request;

/** Clear what is not known to be zero of a block that is about to be handed out, and count. */
void lab_zero_block(struct lab_zone *z, uint32_t pfn, unsigned int order);

/** Take a block of zeroed frames for a ZERO request; lab_zero_block() is to follow. The gate let it in.
 *  Bounded, for any context. @return LAB_NO_PFN if none is found: any block will do then. */
uint32_t lab_zero_take(struct lab_zone *z, const struct lab_request *rq);

/** This CPU's stack of zeroed pages, on the short way, was empty: fill it and take one. @return NULL: it cannot be
 *  filled. */
void *lab_zero_short_way(struct lab_zone *z, unsigned int mt);

/** Take up to n zeroed pages, which are counted as hits. @return how many. */
unsigned int lab_zero_take_pages(
	struct lab_zone *z, const struct lab_request *rq, unsigned int n, void **pages);

/** All frames are free and fresh from the system: zero. At creation. */
void lab_zero_fresh(struct lab_zone *z);

/** Pages known to be zero: free ones, and those put aside for requests (lab_stacks_stock()). */
unsigned long lab_zero_count(const struct lab_zone *z);
/** Zero up to `budget` pages, as long as that hinders nobody. @return how many. Any thread. */
unsigned int lab_zero_round(struct lab_zone *z, unsigned int budget);

/** Read every frame that is said to be zero. Nobody uses the zone meanwhile. */
bool lab_zero_is_true(const struct lab_zone *z, char *why, size_t len);

#pragma GCC visibility pop

#endif /* LAB_ZERO_H */
