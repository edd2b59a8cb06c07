/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Blocks held before the recording: the emulated zone has them where the seed laid them. */
#include <string.h>

#include "trace_replay.h"

#define PROBES      256
#define PAIR_PROBES 32

void
trace_hold(struct replay *r, unsigned long pfn, unsigned int order)
{
	memset(&r->held[pfn], HELD_INSIDE, 1UL << order);
	r->held[pfn] = (uint8_t)order;
}

bool
trace_split_held(struct replay *r, unsigned long pfn, unsigned int order)
{
	unsigned long end = pfn + (1UL << order);

	if (end > r->nr_frames)
		return false;
	for (unsigned int k = order + 1; k <= LAB_MAX_ORDER; k++) {
		unsigned long from = pfn & ~((1UL << k) - 1);

		if (r->held[from] != k)
			continue;
		lab_split_page(r->zone, lab_pfn_to_page(r->zone, from), k);
		memset(&r->held[from], 0, 1UL << k);
	}
	for (unsigned long i = pfn; i < end; i += 1UL << r->held[i])
		if (r->held[i] > order)
			return false;
	return true;
}

static void
release_held(struct replay *r, unsigned long pfn, unsigned int order)
{
	unsigned long end = pfn + (1UL << order);

	for (unsigned long i = pfn; i < end;) {
		unsigned int k = r->held[i];

		memset(&r->held[i], NOT_HELD, 1UL << k);
		lab_free_pages(r->zone, lab_pfn_to_page(r->zone, i), k);
		i += 1UL << k;
	}
}

bool
trace_free_held_at(struct replay *r, unsigned long pfn, unsigned int order)
{
	if (!trace_split_held(r, pfn, order))
		return false;
	release_held(r, pfn, order);
	return true;
}

bool
trace_free_held_anywhere(struct replay *r, unsigned int order)
{
	unsigned long blocks = r->nr_frames >> order;

	for (int i = 0; i < PROBES && blocks > 0; i++)
		if (trace_free_held_at(r, lab_rng_below(&r->rng, blocks) << order, order))
			return true;
	return false;
}

/** Choose the pair of pageblocks that stands for a recorded one: of those that stand for none yet the one in the same
 *  place, or one chosen by the seed; best one of which nothing is free, as what comes back there merges as in the kernel. */
static uint32_t
claim_pair(struct replay *r, unsigned long same, unsigned long offset, unsigned int order)
{
	uint32_t ready = NO_PAIR;

	for (int i = 0; i < PAIR_PROBES; i++) {
		unsigned long pair =
			i == 0 && same < r->nr_pairs ? same : lab_rng_below(&r->rng, r->nr_pairs);
		unsigned long pfn = pair * PAIR + offset;

		if (r->pair_taken[pair])
			continue;
		if (r->held[pfn & ~(LAB_PAGEBLOCK_PAGES - 1)] == LAB_PAGEBLOCK_ORDER)
			return (uint32_t)pair;
		if (ready == NO_PAIR && trace_split_held(r, pfn, order))
			ready = (uint32_t)pair;
	}
	return ready;
}

/** Where a recorded frame that was held before lies in the emulated zone. */
static unsigned long
place_of(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long offset = rel % PAIR;
	uint32_t *pair = &r->pair[rel / PAIR];

	if (r->nr_pairs == 0)
		return rel % r->head.managed;
	if (*pair == NO_PAIR) {
		*pair = claim_pair(r, rel / PAIR, offset, order);
		if (*pair == NO_PAIR) /* shared with another one */
			*pair = (uint32_t)lab_rng_below(&r->rng, r->nr_pairs);
		r->pair_taken[*pair] = 1;
	}
	return *pair * PAIR + offset;
}

/** Give back a block that was held before: at its place, near it, or anywhere.
 *  @param rel the recorded frame, from the origin of the map */
bool
trace_free_held(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long size = 1UL << order;
	unsigned long home = place_of(r, rel, order) & ~(size - 1), first = home & ~(PAIR - 1);
	unsigned long near = PAIR / size;

	for (unsigned long i = 0; i < near; i++)
		if (trace_free_held_at(r, first + ((home - first + i * size) & (PAIR - 1)), order))
			return true;
	return trace_free_held_anywhere(r, order);
}
