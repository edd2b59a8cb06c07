/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file compact.c
 * Making whole blocks: one sparsely used child (2 MiB) at a time is emptied into holes of fuller ones,
 * block by block, by the owner of the blocks.
 *
 * No lock: that a block is taken and whose it is, only the owner knows, and says so under a lock of
 * its own. What the frame store says here (which child is sparse, where blocks start) is a hint; the only
 * frames written are those of a block taken for the move and of the one that the owner gave up for it. So
 * several compactors, or one that stops for ever, hinder nobody; the latter keeps one block.
 */
#include <limits.h>

#include "frame_ops.h"
#include "labyrinth.h"
#include "orders.h"

/** Children that one round looks at: 1 GiB. A larger zone has several parts. */
#define PART       512U
#define MAX_BUDGET (INT_MAX / 2U)

/** One look at a part of the zone. */
struct part {
	struct lab_zone *zone;
	struct lab_reclaimer owner;
	uint32_t first, nr; /* children */
	uint32_t turn;      /* its number */
	/** Free frames where blocks may be moved to: of those in free blocks of the order and above. */
	uint32_t room[FRAMES_CHILD_ORDER];
	bool quiet;            /* what cannot be moved stayed as it was since the last look */
	bool none_whole;       /* no child is free as a whole */
	uint16_t used[PART];   /* frames, of each child */
	uint16_t by_use[PART]; /* the used ones, the fullest first */
	uint32_t nr_used;
	uint16_t holes
		[PART]; /* of each child that blocks may be moved to: bit o, a free block of order o */
	unsigned int any_holes;
};

/* ---------------------------------------------------------------- looking */

static bool
is_partial(unsigned int used)
{
	return used > 0 && used < FRAMES_CHILD;
}

/** Sort the used children by counting. */
static void
sort_by_use(struct part *p)
{
	uint16_t at[FRAMES_CHILD + 1] = {0}, n = 0;

	for (uint32_t c = 0; c < p->nr; c++)
		at[p->used[c]]++;
	for (unsigned int used = FRAMES_CHILD; used > 0; used--) {
		uint16_t here = at[used];

		at[used] = n;
		n += here;
	}
	p->nr_used = n;
	for (uint32_t c = 0; c < p->nr; c++)
		if (p->used[c] > 0)
			p->by_use[at[p->used[c]]++] = (uint16_t)c;
}

static bool
is_movable(const struct part *p, uint32_t c)
{
	return frames_child_class(p->zone->store, p->first + c) == FRAMES_MOVABLE;
}

/**
 * The holes beside blocks that cannot be moved are for more of their kind: filled with others, they would
 * make these spoil another child. Only where none came or went since the last look they are filled too.
 */
static bool
takes_in(const struct part *p, uint32_t c)
{
	return is_partial(p->used[c]) && (p->quiet || is_movable(p, c));
}

/** Did pages that cannot be moved go through stacks? The sum changes. */
static uint32_t
stack_events(const struct lab_zone *z)
{
	struct percpu_sum sum = {0};

	for (unsigned int i = 0; i < z->nr_sets; i++)
		for (unsigned int s = 0; rd(&z->sets[i].process) != 0 && s < LAB_NR_STACKS; s++)
			if (s % LAB_STACK_TYPES != LAB_MIGRATE_MOVABLE)
				percpu_add_up(&z->sets[i].stack[s], &sum);
	return (uint32_t)(sum.events * 31 + sum.held);
}

/** Note what is in use that cannot be moved. @return whether it is as at the last note. */
static bool
note(struct part *p)
{
	_Atomic uint32_t *seen = &p->zone->compact_seen[p->turn % LAB_COMPACT_SEEN];
	uint32_t now = stack_events(p->zone), before = rd(seen);

	/* FNV-1a; that two differing states meet is unlikely and does no harm */
	for (uint32_t c = 0; c < p->nr; c++)
		now = (now ^ (is_movable(p, c) ? 0 : p->used[c])) * 16777619U;
	wr(seen, now);
	return before == now;
}

static void
look(struct part *p)
{
	p->none_whole = true;
	for (uint32_t c = 0; c < p->nr; c++) {
		p->used[c] =
			(uint16_t)(FRAMES_CHILD - frames_child_free(p->zone->store, p->first + c));
		p->none_whole = p->none_whole && p->used[c] > 0;
	}
	sort_by_use(p);
}

/** A bit for each order below 9 of which the child has a free block.
 *  @param room its frames in free blocks of each order and above are added. */
static unsigned int
holes_of(const struct part *p, uint32_t c, uint32_t room[FRAMES_CHILD_ORDER])
{
	unsigned long blocks[LAB_NR_ORDERS][FRAMES_TYPES] = {0};
	unsigned int holes = 0;
	uint32_t frames = 0;

	frames_count_child(p->zone->store, p->first + c, blocks);
	for (unsigned int o = FRAMES_CHILD_ORDER; o-- > 0;) {
		unsigned long n = 0;

		for (unsigned int class = 0; class < FRAMES_TYPES; class ++)
			n += blocks[o][class];
		holes |= (unsigned int)(n > 0) << o;
		frames += (uint32_t)n << o;
		room[o] += frames;
	}
	return holes;
}

static void
count_room(struct part *p)
{
	memset(p->room, 0, sizeof(p->room));
	p->any_holes = 0;
	for (uint32_t c = 0; c < p->nr; c++) {
		p->holes[c] = 0;
		if (takes_in(p, c))
			p->holes[c] = (uint16_t)holes_of(p, c, p->room);
		p->any_holes |= p->holes[c];
	}
}

/** Are there holes enough for what is in it? Else nothing would become whole. Of a buddy system's holes
 *  that is true if it is for each order and above.
 *  @param need frames in blocks of each order and above. */
static bool
has_room(const struct part *p, uint32_t c, const uint32_t need[FRAMES_CHILD_ORDER])
{
	uint32_t own[FRAMES_CHILD_ORDER] = {0};

	if (takes_in(p, c))
		holes_of(p, c, own);
	for (unsigned int o = 0; o < FRAMES_CHILD_ORDER; o++)
		if (p->room[o] - own[o] < need[o])
			return false;
	return true;
}

static uint32_t
nr_parts(const struct lab_zone *z)
{
	return (lab_nr_pageblocks(z) + PART - 1) / PART;
}

/** The part whose turn it is. */
static void
set_part(struct part *p, uint32_t turn)
{
	uint32_t nr = lab_nr_pageblocks(p->zone);

	p->turn = turn % nr_parts(p->zone);
	p->first = turn % nr_parts(p->zone) * PART;
	p->nr = nr - p->first < PART ? nr - p->first : PART;
}

/* ------------------------------------------------------------- the source */

/** The order of the block that starts at pfn if it is allocated, LAB_NR_ORDERS if it is none. */
static unsigned int
block_order(const struct lab_zone *z, uint32_t pfn)
{
	unsigned int order = frames_free_now(z->store, pfn) ? LAB_NR_ORDERS : lab_order_at(z, pfn);

	return order <= LAB_MAX_ORDER ? order : LAB_NR_ORDERS;
}

/** Would the owner move all that is in the child?
 *  @param need out: frames in blocks of each order and above. */
static bool
may_empty(const struct part *p, uint32_t child, uint32_t need[FRAMES_CHILD_ORDER])
{
	uint32_t pfn = child * FRAMES_CHILD, end = pfn + FRAMES_CHILD;

	memset(need, 0, FRAMES_CHILD_ORDER * sizeof(*need));

	if (end > p->zone->spanned)
		return false;
	while (pfn < end) {
		unsigned int order = block_order(p->zone, pfn);

		if (order < LAB_NR_ORDERS) {
			if (order >= FRAMES_CHILD_ORDER ||
				p->owner.move(p->owner.move_arg, lab_frame_address(p->zone, pfn),
					NULL, order) != 0)
				return false;
			for (unsigned int o = 0; o <= order; o++)
				need[o] += 1U << order;
			pfn += 1U << order;
		} else {
			if (lab_order_at(p->zone, pfn) == LAB_ORDER_OFFLINE)
				return false;
			pfn++;
		}
	}
	return true;
}

/** A whole block of order 10 takes two children: is the other one whole, or may it be emptied next? */
static bool
serves(const struct part *p, uint32_t c, unsigned int order)
{
	uint32_t other = c ^ 1;

	return order <= LAB_PAGEBLOCK_ORDER || (other < p->nr && p->used[other] == 0);
}

/** The child that is emptied with the fewest moves, FRAMES_NONE if there is none. */
static uint32_t
find_source(const struct part *p, unsigned int order)
{
	uint32_t need[FRAMES_CHILD_ORDER];

	for (uint32_t i = p->nr_used; i-- > 0;) {
		uint32_t c = p->by_use[i];

		if (p->used[c] <= p->room[0] && serves(p, c, order) &&
			may_empty(p, p->first + c, need) && has_room(p, c, need))
			return c;
	}
	return FRAMES_NONE;
}

/** What is about to be emptied shall not be what the CPUs take from. */
static void
leave_child(struct lab_zone *z, uint32_t child)
{
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++)
		frames_leave(&z->pcp[cpu].cursor, child);
}

/* ---------------------------------------------------------------- a block */

/** A block in the fullest child that has a hole of just that order. */
static uint32_t
take_hole(struct part *p, uint32_t source, unsigned int order, unsigned int hole)
{
	for (uint32_t i = 0; i < p->nr_used; i++) {
		uint32_t c = p->by_use[i], pfn, unused[FRAMES_CHILD_ORDER] = {0};

		if (c == source || !(p->holes[c] >> hole & 1))
			continue;
		pfn = frames_alloc_in(p->zone->store, p->first + c, order);
		p->holes[c] = (uint16_t)holes_of(p, c, unused);
		p->any_holes |= p->holes[c];
		if (pfn != FRAMES_NONE)
			return pfn;
	}
	p->any_holes &= ~(1U << hole);
	return FRAMES_NONE;
}

/**
 * Where a block goes: into the smallest hole that holds it, so that large ones are left for large blocks.
 * With its frames as few are free as an atomic request still gets by with, so that it is not the move that
 * makes the gate close on one.
 */
static uint32_t
take_target(struct part *p, uint32_t source, unsigned int order)
{
	struct lab_zone *z = p->zone;
	uint32_t pfn = FRAMES_NONE;

	if (rd(&z->nr_free) <= rd(&z->wmark[LAB_ALLOC_WMARK_MIN]) / 2 + (1UL << order))
		return FRAMES_NONE;
	for (unsigned int hole = order; hole < FRAMES_CHILD_ORDER && pfn == FRAMES_NONE; hole++)
		if (p->any_holes >> hole & 1)
			pfn = take_hole(p, source, order, hole);
	if (pfn == FRAMES_NONE)
		return FRAMES_NONE;
	lab_free_changed(z, -(1L << order));
	lab_name_block(z, pfn, order);
	return pfn;
}

/** Past the stacks, or the next request would get the frames that were just made free. Only while frees are
 *  watched it is one like others. */
static void
give_back(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (lab_unlikely(rd(&z->watched) & LAB_WATCH_TAGS)) {
		lab_free_pages(z, lab_frame_address(z, pfn), order);
		return;
	}
	lab_unname_block(z, pfn, order);
	if (frames_free(z->store, pfn, order) == 0)
		lab_free_changed(z, 1L << order);
	else
		lab_event(z, bad_free);
}

static bool
move_block(struct part *p, uint32_t source, uint32_t pfn, unsigned int order)
{
	struct lab_zone *z = p->zone;
	uint32_t to = take_target(p, source, order);

	if (to == FRAMES_NONE)
		return false;
	if (lab_unlikely(rd(&z->watched) & LAB_WATCH_TAGS))
		lab_watch_move(z, pfn, to, order);
	if (p->owner.move(p->owner.move_arg, lab_frame_address(z, pfn), lab_frame_address(z, to),
		    order) != 0) {
		give_back(z, to, order);
		lab_event(z, compact_refused);
		return false;
	}
	give_back(z, pfn, order);
	lab_event(z, compact_moves);
	lab_event_add(z, compact_pages, 1UL << order);
	return true;
}

/** Move the blocks of a child, the largest first: if they find no place, little was moved in vain.
 *  @return pages. */
static unsigned int
empty_child(struct part *p, uint32_t source, unsigned int budget)
{
	uint32_t first = (p->first + source) * FRAMES_CHILD;
	unsigned int pages = 0;

	for (int order = LAB_PAGEBLOCK_ORDER - 1; order >= 0; order--)
		for (uint32_t i = 0; i < FRAMES_CHILD; i += 1U << order) {
			if (block_order(p->zone, first + i) != (unsigned int)order)
				continue;
			if (!move_block(p, source, first + i, (unsigned int)order))
				return pages;
			pages += 1U << order;
			if (pages >= budget)
				return pages;
		}
	return pages;
}

/* ----------------------------------------------- room for what cannot be moved */

/** Frames that shall be free beside what cannot be moved, for more of it. */
#define SLACK 128U
/** Children that are looked through for it in one round. */
#define LOOKS 4U

/** Move out of the child what can be moved. @return pages. */
static unsigned int
clear_child(struct part *p, uint32_t c, unsigned int budget)
{
	uint32_t pfn = (p->first + c) * FRAMES_CHILD, end = pfn + FRAMES_CHILD;
	unsigned int pages = 0;

	while (pfn < end && pfn < p->zone->spanned && pages < budget) {
		unsigned int order = block_order(p->zone, pfn);

		if (order >= FRAMES_CHILD_ORDER) {
			pfn++;
			continue;
		}
		if (p->owner.move(
			    p->owner.move_arg, lab_frame_address(p->zone, pfn), NULL, order) == 0) {
			if (!move_block(p, c, pfn, order))
				break;
			pages += 1U << order;
		}
		pfn += 1U << order;
	}
	return pages;
}

static uint32_t
slack(const struct part *p)
{
	uint32_t frames = 0;

	for (uint32_t c = 0; c < p->nr; c++)
		if (is_partial(p->used[c]) && !is_movable(p, c))
			frames += FRAMES_CHILD - p->used[c];
	return frames;
}

/** The emptiest child of movable blocks becomes one of what cannot be moved. */
static uint32_t
give_up_child(struct part *p)
{
	for (uint32_t i = p->nr_used; i-- > 0;) {
		uint32_t c = p->by_use[i];

		if (is_partial(p->used[c]) && is_movable(p, c)) {
			frames_set_class(p->zone->store, p->first + c, FRAMES_UNMOVABLE);
			return c;
		}
	}
	return FRAMES_NONE;
}

/**
 * While what cannot be moved comes and goes, keep room for it where it is already: move others out of its
 * children, and if no child is whole give up one before requests spoil several. @return pages moved.
 */
static unsigned int
make_slack(struct part *p, unsigned int budget)
{
	_Atomic uint32_t *at = &p->zone->compact_clear;
	uint32_t have = slack(p), c = rd(at), looks = 0;
	unsigned int pages = 0;

	if (have >= SLACK || p->room[0] == 0)
		return 0;
	budget = budget < SLACK - have ? budget : SLACK - have;
	for (uint32_t i = 0; i < p->nr && looks < LOOKS && pages == 0; i++, c++) {
		c = c < p->nr ? c : 0;
		if (p->used[c] == 0 || is_movable(p, c))
			continue;
		looks++;
		pages = clear_child(p, c, budget);
		wr(at, pages > 0 ? c : c + 1);
	}
	if (pages == 0 && p->none_whole) {
		c = give_up_child(p);
		if (c != FRAMES_NONE) {
			wr(at, c);
			pages = clear_child(p, c, budget);
		}
	}
	return pages;
}

/* ------------------------------------------------------------------ public */

/** One child of one part, as far as the budget goes. @return pages moved. */
static unsigned int
compact_part(struct part *p, unsigned int order, unsigned int budget)
{
	uint32_t source;
	unsigned int pages;

	look(p);
	p->quiet = note(p);
	count_room(p);
	pages = p->quiet ? 0 : make_slack(p, budget);
	if (pages > 0) {
		look(p);
		note(p);
		return pages;
	}
	source = find_source(p, order);
	if (source == FRAMES_NONE)
		return 0;
	leave_child(p->zone, p->first + source);
	pages = empty_child(p, source, budget);
	if (pages == 0)
		return 0;
	if (lab_unlikely(rd(&p->zone->watched) & LAB_WATCH_TAGS))
		lab_frame_ops(p->zone)->drain(p->zone);
	look(p);
	note(p);
	if (frames_child_free(p->zone->store, p->first + source) == FRAMES_CHILD)
		lab_event(p->zone, compact_whole);
	return pages;
}

unsigned int
lab_compact_round(struct lab_zone *z, unsigned int budget)
{
	int pages = 0;

	if (rd(&z->nr_movers) > 0)
		pages = lab_zone_compact(
			z, LAB_PAGEBLOCK_ORDER, budget < MAX_BUDGET ? budget : MAX_BUDGET);
	return pages > 0 ? (unsigned int)pages : 0;
}

int
lab_zone_compact(struct lab_zone *z, unsigned int order, unsigned int budget)
{
	struct part p = {.zone = z};
	uint32_t turn, barren;
	unsigned int pages;

	if (order == 0 || order > LAB_MAX_ORDER || budget == 0 || budget > MAX_BUDGET)
		return -EINVAL;
	if (z->store == NULL)
		return -ENOTSUP;
	p.owner = lab_own_reclaimer(z);
	if (p.owner.move == NULL)
		return -ENOENT;
	turn = rd(&z->compact_turn);
	set_part(&p, turn);
	pages = compact_part(&p, order, budget);
	/* pages on stacks are nobody's and stand in the way of whole children */
	if (pages == 0 && lab_frame_ops(z)->drain(z) > 0)
		pages = compact_part(&p, order, budget);
	if (pages > 0) {
		wr(&z->compact_barren, 0);
		return (int)pages;
	}
	wr(&z->compact_turn, turn + 1);
	/* a part that was not quiet is worth another look */
	barren = p.quiet ? rd(&z->compact_barren) + 1 : 0;
	wr(&z->compact_barren, barren);
	return barren < nr_parts(z) ? -EAGAIN : 0;
}
