/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_RESERVE_H
#define LAB_RESERVE_H

/**
 * @file reserve.h
 * Blocks that wait for the atomic requests that would be refused.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

struct lab_request;

/** A block for a request that everything else has refused; LAB_NO_PFN if it may not have one or none is there.
 *  Looks at each slot of the order once. Any context. */
uint32_t lab_reserve_take(struct lab_zone *z, const struct lab_request *rq);

/** Would it find one now? */
bool lab_reserve_has(const struct lab_zone *z, const struct lab_request *rq);

/** Refill, with at most `budget` pages or one block. @return pages put there. Any thread. */
unsigned int lab_reserve_round(struct lab_zone *z, unsigned int budget);

/** Refill as far as it goes. */
void lab_reserve_fill(struct lab_zone *z);

/** Give everything back, for those who need the zone empty. @return pages. */
unsigned long lab_reserve_drain(struct lab_zone *z);

#pragma GCC visibility pop

#endif /* LAB_RESERVE_H */
