/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A replay in which the emulated zone takes the very frames that the trace names: then what comes back merges as in the
 * kernel. Each frame is free or held; what lies in a per-CPU list is held. Where the trace and the zone do not agree about a
 * frame, something happened without an event, and the trace is right. */
#include <stdlib.h>
#include <string.h>

#include "trace_replay.h"

/** Raises of the marks, as the kernel has them unless somebody set vm.watermark_boost_factor. */
#define BOOST_FACTOR 15000

static void
remember(struct recent *f, unsigned long rel)
{
	f->rel[f->next] = (uint32_t)rel;
	f->next = (f->next + 1) % RECENT;
	f->nr += f->nr < RECENT;
}

/** @return false: none is left */
static bool
forget_newest(struct recent *f, unsigned long *rel)
{
	if (f->nr == 0)
		return false;
	f->nr--;
	f->next = (f->next + RECENT - 1) % RECENT;
	*rel = f->rel[f->next];
	return true;
}

/** @return false: none is left */
static bool
forget_oldest(struct recent *f, unsigned long *rel)
{
	if (f->nr == 0)
		return false;
	*rel = f->rel[(f->next + RECENT - f->nr--) % RECENT];
	return true;
}

static void
mark(struct replay *r, unsigned long rel, unsigned int order, uint8_t set, uint8_t clear)
{
	for (unsigned long i = rel; i < rel + (1UL << order); i++)
		r->flags[i] = (uint8_t)((r->flags[i] & ~clear) | set);
}

/** Take what is free of a block. @return pages */
static unsigned long
take_free(struct replay *r, unsigned long rel, unsigned int order, unsigned int mt)
{
	unsigned long half = (1UL << order) / 2;

	if (memchr(&r->held[rel], NOT_HELD, 1UL << order) == NULL)
		return 0;
	if (lab_zone_take(r->zone, rel, order, (enum lab_migratetype)mt) == 0) {
		trace_hold(r, rel, order);
		return 1UL << order;
	}
	return order == 0
		       ? 0
		       : take_free(r, rel, order - 1, mt) + take_free(r, rel + half, order - 1, mt);
}

/** Give back what is held of a block. @return pages */
static unsigned long
give_held(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long half = (1UL << order) / 2;

	if (trace_free_held_at(r, rel, order))
		return 1UL << order;
	return order == 0 ? 0 : give_held(r, rel, order - 1) + give_held(r, rel + half, order - 1);
}

/* ------------------------------------------------------------------ guesses */

/** Compaction took frames of which the trace does not say which: these, as good as any. */
static void
guess(struct replay *r, unsigned long rel, unsigned int order)
{
	mark(r, rel, order, FRAME_GUESSED, FRAME_LISTED);
	for (unsigned long i = rel; i < rel + (1UL << order); i++)
		remember(&r->guessed, i);
}

/** Some of the guesses were wrong: others are known to be held. @return pages given back */
static unsigned long
take_guesses_back(struct replay *r, unsigned long pages)
{
	unsigned long rel, back = 0;

	while (back < pages && forget_newest(&r->guessed, &rel))
		if (r->flags[rel] & FRAME_GUESSED) {
			r->flags[rel] = 0;
			back += give_held(r, rel, 0);
		}
	return back;
}

/** Of a block that must be held what is free is taken, for it was before, by somebody of whom nothing was told. */
static void
hold_known(struct replay *r, unsigned long rel, unsigned int order)
{
	take_guesses_back(r, take_free(r, rel, order, LAB_MIGRATE_MOVABLE));
}

/* ------------------------------------------------------------------- events */

void
trace_named_take(struct replay *r, unsigned long rel, unsigned int order, unsigned int mt)
{
	unsigned long size = 1UL << order, taken = take_free(r, rel, order, mt);

	if (taken < size && r->flags[rel] & FRAME_GUESSED)
		r->out->made++;
	else if (taken < size && r->flags[rel] & FRAME_LISTED)
		r->out->past_lists++;
	else if (taken < size)
		r->out->reused++;
	mark(r, rel, order, FRAME_LISTED, FRAME_GUESSED);
}

/** An atomic request of a higher order was served below the low mark. The zone's own limit is that of its span, which may have
 *  holes. [reserve_highatomic_pageblock] */
static void
set_aside(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order);
	struct lab_zone_info info;

	trace_split_held(r, rel, order < LAB_PAGEBLOCK_ORDER ? order : LAB_PAGEBLOCK_ORDER);
	for (; rel < end; rel += LAB_PAGEBLOCK_PAGES) {
		lab_zone_info_get(r->zone, &info);
		if (info.nr_highatomic <
			lab_highatomic_cap(lab_trace_linux(r->head.kernel), r->head.managed))
			lab_zone_reserve_highatomic(r->zone, rel);
	}
}

void
trace_named_alloc(struct replay *r, const struct lab_trace_event *e, unsigned int alloc_flags)
{
	unsigned long rel = e->pfn - r->origin;

	if (take_free(r, rel, e->order, lab_gfp_migratetype(e->gfp)) > 0)
		r->out->unseen++;
	else
		r->out->from_lists++;
	mark(r, rel, e->order, FRAME_SEEN, FRAME_LISTED | FRAME_GUESSED);
	if (e->order > 0 && alloc_flags & LAB_ALLOC_HIGHATOMIC)
		set_aside(r, rel, e->order);
}

void
trace_named_free(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;
	bool seen = r->flags[rel] & FRAME_SEEN;

	r->out->frees += seen;
	r->out->frees_before += !seen;
	if (!trace_has_lists(e->order)) {
		r->out->frees_unmatched += give_held(r, rel, e->order) == 0;
		mark(r, rel, e->order, 0, FRAME_SEEN | FRAME_LISTED | FRAME_GUESSED);
		return;
	}
	hold_known(r, rel, e->order);
	mark(r, rel, e->order, FRAME_LISTED, FRAME_SEEN | FRAME_GUESSED);
	for (unsigned long i = rel; i < rel + (1UL << e->order); i++)
		remember(&r->freed, i);
}

void
trace_named_drain(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;

	r->out->frees_unmatched += give_held(r, rel, e->order) == 0;
	mark(r, rel, e->order, 0, FRAME_SEEN | FRAME_LISTED | FRAME_GUESSED);
}

/** The releases before 6.15 do so at each steal, these only where a pageblock was claimed; the next sample tells. */
void
trace_named_steal(struct replay *r, const struct lab_trace_event *e)
{
	struct lab_zone_info info;

	if (e->order >= LAB_PAGEBLOCK_ORDER)
		return;
	lab_zone_info_get(r->zone, &info);
	lab_zone_set_boost(
		r->zone, lab_boosted(info.boost, r->head.managed, r->head.high, BOOST_FACTOR));
}

/* --------------------------------------------------------------- compaction */

/** The order of the free block at a frame, at which no larger one begins; -1: it is held. */
static int
free_order(const struct replay *r, unsigned long rel)
{
	int order = 0;

	if (r->held[rel] != NOT_HELD)
		return -1;
	while (order < LAB_MAX_ORDER && !(rel & ((2UL << order) - 1)) &&
		rel + (2UL << order) <= r->nr_frames) {
		for (unsigned long i = rel + (1UL << order); i < rel + (2UL << order); i++)
			if (r->held[i] != NOT_HELD)
				return order;
		order++;
	}
	return order;
}

/** The scanner goes up through a range and takes each free block whole, until it has enough. @return pages that were not there */
static unsigned long
scan_up(struct replay *r, unsigned long from, unsigned long end, unsigned long pages)
{
	while (from < end && pages > 0) {
		int order = free_order(r, from);

		if (order >= 0 &&
			take_free(r, from, (unsigned int)order, LAB_MIGRATE_MOVABLE) > 0) {
			guess(r, from, (unsigned int)order);
			pages -= pages < 1UL << order ? pages : 1UL << order;
		}
		from += order >= 0 ? 1UL << order : 1;
	}
	return pages;
}

/** Take the highest free frames of a range. @return pages that were not there */
static unsigned long
take_near_end(struct replay *r, unsigned long from, unsigned long end, unsigned long pages)
{
	const uint8_t *last;

	while (pages > 0 && (last = memrchr(&r->held[from], NOT_HELD, end - from)) != NULL) {
		end = (unsigned long)(last - r->held);
		if (take_free(r, end, 0, LAB_MIGRATE_MOVABLE) == 0)
			continue;
		guess(r, end, 0);
		pages--;
	}
	return pages;
}

/** The last block of each order in the free lists, of a range. */
struct tails {
	unsigned long from, end, pfn[LAB_NR_ORDERS];
};

static int
look_at(const struct lab_block *b, void *arg)
{
	struct tails *t = arg;

	if (b->migratetype == LAB_MIGRATE_MOVABLE && b->pfn >= t->from && b->pfn < t->end)
		t->pfn[b->order] = b->pfn;
	return 0;
}

/** The fast way takes a whole block from the tail of a list, then maybe others of lower orders.
 *  [fast_isolate_freepages] @return pages that were not there */
static unsigned long
take_from_tails(struct replay *r, unsigned long from, unsigned long end, unsigned long pages)
{
	struct tails t = {.from = from, .end = end};

	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++)
		t.pfn[order] = end;
	lab_zone_walk_free(r->zone, look_at, &t);
	for (unsigned int order = LAB_NR_ORDERS; order-- > 0;) {
		if (!(pages >> order & 1) || t.pfn[order] == end ||
			take_free(r, t.pfn[order], order, LAB_MIGRATE_MOVABLE) == 0)
			continue;
		guess(r, t.pfn[order], order);
		pages -= 1UL << order;
	}
	return take_near_end(r, from, end, pages);
}

void
trace_named_compaction(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long from = e->pfn - r->origin, end = e->end - r->origin, missing;

	if (end - from <= LAB_PAGEBLOCK_PAGES)
		missing = scan_up(r, from, end, e->pages);
	else
		missing = take_from_tails(r, from, end, e->pages);
	r->out->not_taken += missing;
}

/* --------------------------------------------------------------- correction */

/** Too few are free: guesses were too many, or somebody found a list locked and freed past it; a list gives the newest first,
 *  so it was one of the oldest. Or memory was plugged in, as whole blocks. */
static void
free_some(struct replay *r, unsigned long pages)
{
	unsigned long rel, done = take_guesses_back(r, pages);

	while (done < pages && forget_oldest(&r->freed, &rel))
		if (r->flags[rel] & FRAME_LISTED && give_held(r, rel, 0) > 0) {
			r->flags[rel] = 0;
			done++;
		}
	for (unsigned int order = LAB_NR_ORDERS; order-- > 0;)
		while (pages - done >= 1UL << order && trace_free_held_anywhere(r, order))
			done += 1UL << order;
}

void
trace_named_correct(struct replay *r, long pages)
{
	unsigned long first = r->head.start - r->origin;

	if (pages > 0)
		free_some(r, (unsigned long)pages);
	else if (pages < 0)
		take_near_end(r, first, first + r->head.spanned, (unsigned long)-pages);
	r->freed.nr = 0; /* what was freed later than the sample is another matter */
	r->out->corrected += (uint64_t)labs(pages);
}
