/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file flexible.c
 * Requests of callers that can live with less than they wish for.
 */
#include "gate.h"
#include "zone.h"

/** What nobody should wait or reach into a reserve for: a caller that will take less gets less first. */
static lab_gfp_t
wish(lab_gfp_t gfp)
{
	const lab_gfp_t urgent = __LAB_GFP_HIGH | __LAB_GFP_MEMALLOC | __LAB_GFP_DIRECT_RECLAIM |
				 __LAB_GFP_NOFAIL | __LAB_GFP_RETRY_MAYFAIL;

	return (gfp & ~urgent) | __LAB_GFP_NOWARN | __LAB_GFP_NORETRY | __LAB_GFP_NOMEMALLOC;
}

/** A call under way. */
struct flexible {
	struct lab_zone *zone;
	lab_gfp_t gfp;
	const struct lab_flexible *want;
	struct lab_blocks *out;
	unsigned int order; /**< the next block's, unless it misses: it only falls */
};

static bool
is_valid(struct lab_zone *z, lab_gfp_t gfp, const struct lab_flexible *want,
	const struct lab_blocks *out)
{
	unsigned long most = 1;
	struct lab_request rq;

	if (!lab_request_init(z, &rq, gfp, want->order) || want->min_order > want->order)
		return false;
	if (want->instead == LAB_INSTEAD_SCATTERED)
		most = 1UL << (want->order - want->min_order);
	return (unsigned int)want->instead <= LAB_INSTEAD_SOME && out->max >= most &&
	       out->piece != NULL;
}

static unsigned long
missing(const struct flexible *f)
{
	return (1UL << f->want->order) - f->out->nr_pages;
}

/** The block must be had: the call is refused otherwise. */
static bool
is_needed(const struct flexible *f)
{
	return f->order == f->want->min_order &&
	       (f->out->nr == 0 || f->want->instead == LAB_INSTEAD_SCATTERED);
}

/** A block of the present order or, as that falls, of the largest that there is. @return 0, or a
 *  negative errno: of a refusal where the block was needed. */
static int
next_block(struct flexible *f)
{
	struct lab_piece *piece = &f->out->piece[f->out->nr];

	for (;;) {
		bool needed = is_needed(f);

		piece->page = needed ? lab_alloc_pages(f->zone, f->gfp, f->order)
				     : lab_alloc_attempt(f->zone, wish(f->gfp), f->order);
		if (piece->page != NULL)
			break;
		if (needed)
			return -errno;
		lab_event(f->zone, graceful_missed);
		if (f->order == f->want->min_order)
			return -ENOSPC;
		f->order--;
	}
	piece->order = f->order;
	f->out->nr++;
	f->out->nr_pages += 1UL << f->order;
	return 0;
}

/** Blocks until there is no more to have or to wish for. Orders only fall, so what is missing is always a
 *  multiple of the present one. */
static int
take(struct flexible *f)
{
	int ret = next_block(f);

	if (f->want->instead == LAB_INSTEAD_SMALLER)
		return ret;
	while (ret == 0 && missing(f) > 0 && f->out->nr < f->out->max)
		ret = next_block(f);
	return ret;
}

static void
count(const struct flexible *f)
{
	struct lab_zone *z = f->zone;

	if (f->out->nr > 1)
		lab_event(z, graceful_scattered);
	else if (f->order < f->want->order)
		lab_event(z, graceful_order[f->order]);
	if (f->want->instead == LAB_INSTEAD_SOME && missing(f) > 0)
		lab_event(z, graceful_partial);
}

int
lab_alloc_pages_flexible(
	struct lab_zone *z, lab_gfp_t gfp, const struct lab_flexible *want, struct lab_blocks *out)
{
	struct flexible f = {.zone = z, .gfp = gfp, .want = want, .out = out, .order = want->order};
	int saved = errno, ret;

	out->nr = 0;
	out->nr_pages = 0;
	if (!is_valid(z, gfp, want, out)) {
		lab_event(z, bad_request);
		return -EINVAL;
	}
	ret = take(&f);
	if (ret != 0 && (out->nr == 0 || want->instead == LAB_INSTEAD_SCATTERED)) {
		lab_free_blocks(z, out);
	} else {
		count(&f);
		ret = 0;
	}
	errno = saved;
	return ret;
}

int
lab_free_blocks(struct lab_zone *z, struct lab_blocks *blocks)
{
	int ret = 0;

	for (unsigned int i = 0; i < blocks->nr; i++) {
		int one = lab_free_pages(z, blocks->piece[i].page, blocks->piece[i].order);

		ret = ret != 0 ? ret : one;
	}
	blocks->nr = 0;
	blocks->nr_pages = 0;
	return ret;
}
