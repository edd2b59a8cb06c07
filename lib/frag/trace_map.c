/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Which emulated block stands for a recorded one. */
#include "trace_replay.h"

unsigned int
trace_map_order(const struct replay *r, unsigned long rel)
{
	return r->map_order[rel] & ~IN_LIST;
}

static bool
is_real(uint32_t to)
{
	return to != 0 && to != ABSENT && to != HELD_BEFORE;
}

/** Free what is mapped at a recorded frame. */
static void
free_mapped(struct replay *r, unsigned long rel)
{
	uint32_t to = r->map[rel];

	r->map[rel] = 0;
	if (is_real(to))
		lab_free_pages(r->zone, lab_pfn_to_page(r->zone, to - 1), trace_map_order(r, rel));
	else if (to == HELD_BEFORE)
		r->out->frees_unmatched += !trace_free_held(r, rel, trace_map_order(r, rel));
}

/** Turn the mapped block around a frame into blocks of order 0. @return was there one? */
static bool
split_around(struct replay *r, unsigned long rel)
{
	for (unsigned int k = 0; k <= LAB_MAX_ORDER; k++) {
		unsigned long from = rel & ~((1UL << k) - 1);
		uint32_t to = r->map[from];

		unsigned int order = trace_map_order(r, from);

		if (to == 0 || from + (1UL << order) <= rel)
			continue;
		if (is_real(to) && order > 0)
			lab_split_page(r->zone, lab_pfn_to_page(r->zone, to - 1), order);
		for (unsigned long i = 1UL << order; i-- > 0;) {
			r->map[from + i] = is_real(to) ? to + (uint32_t)i : to;
			r->map_order[from + i] = r->map_order[from] & IN_LIST;
		}
		return true;
	}
	return false;
}

unsigned long
trace_map_frames(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order), n = 0;

	if (r->map[rel] == 0 || trace_map_order(r, rel) > order)
		split_around(r, rel);
	for (unsigned long i = rel; i < end;) {
		unsigned long size = r->map[i] != 0 ? 1UL << trace_map_order(r, i) : 1;

		n += r->map[i] != 0 ? size : 0;
		i += size;
	}
	return n;
}

void
trace_map_free(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order);

	while (rel < end) {
		unsigned long size = r->map[rel] != 0 ? 1UL << trace_map_order(r, rel) : 1;

		if (r->map[rel] != 0)
			free_mapped(r, rel);
		rel += size;
	}
}
