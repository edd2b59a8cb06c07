/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose_zone.c
 * One zone against one request. The arithmetic is lab_watermark_ok()'s; here it meets a text's
 * figures, and the rules that kernels had before those of lab_page.h.
 */
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

static const char *const gate_names[LAB_DIAG_NR_GATES] = {
	[LAB_DIAG_OPEN] = "open",
	[LAB_DIAG_EXHAUSTED] = "exhausted",
	[LAB_DIAG_WATERMARK] = "watermark",
	[LAB_DIAG_LOWMEM_RESERVE] = "lowmem_reserve",
	[LAB_DIAG_HIGHATOMIC] = "highatomic",
	[LAB_DIAG_CMA] = "cma",
	[LAB_DIAG_ORDER] = "order",
	[LAB_DIAG_NOT_ASKED] = "not asked",
	[LAB_DIAG_NO_FIGURES] = "no figures",
};

const char *
lab_diag_gate_name(enum lab_diag_gate gate)
{
	return (unsigned int)gate < LAB_DIAG_NR_GATES ? gate_names[gate] : NULL;
}

/* -------------------------------------------------------------- zone indices */

static unsigned int
types_seen(const struct lab_diag_report *r)
{
	unsigned int seen = 0;

	for (unsigned int i = 0; i < r->nr_zones; i++)
		seen |= 1U << r->zones[i].type;
	return seen;
}

/** The highest zone that a request may use, of those that this machine has. */
static enum lab_diag_zone_type
highest_type(const struct lab_diag_report *r, lab_gfp_t gfp)
{
	enum lab_zone_type type = lab_gfp_zone(gfp);
	unsigned int seen = types_seen(r);

	if (type == LAB_ZONE_DMA)
		return LAB_DIAG_DMA;
	/* a kernel without the zone takes the next lower one that it has */
	if (type == LAB_ZONE_DMA32)
		return seen & 1U << LAB_DIAG_DMA32 || !(seen & 1U << LAB_DIAG_NORMAL)
			       ? LAB_DIAG_DMA32
			       : LAB_DIAG_NORMAL;
	if (type == LAB_ZONE_MOVABLE)
		return LAB_DIAG_MOVABLE;
	return gfp & __LAB_GFP_HIGHMEM ? LAB_DIAG_HIGHMEM : LAB_DIAG_NORMAL;
}

bool
diag_may_use(const struct lab_diag_report *r, const struct lab_diag_zone *z, lab_gfp_t gfp)
{
	return z->type <= highest_type(r, gfp);
}

/**
 * Which kinds of zones the kernel was built with: lowmem_reserve[] has an entry for each, but names
 * none. Normal and Movable are always there; those that the text shows are, or HighMem, which a request for
 * others does not list but which is counted; and as many of the others as are missing, in the order in which they
 * are likely.
 */
static unsigned int
types_built(const struct lab_diag_report *r, unsigned int n)
{
	unsigned int types = types_seen(r) | 1U << LAB_DIAG_NORMAL | 1U << LAB_DIAG_MOVABLE;
	const bool highmem = r->highmem || types & 1U << LAB_DIAG_HIGHMEM;
	const enum lab_diag_zone_type likely_64[] = {
		LAB_DIAG_DMA, LAB_DIAG_DMA32, LAB_DIAG_DEVICE, LAB_DIAG_HIGHMEM};
	const enum lab_diag_zone_type likely_32[] = {
		LAB_DIAG_DMA, LAB_DIAG_DEVICE, LAB_DIAG_DMA32, LAB_DIAG_HIGHMEM};

	if (highmem)
		types |= 1U << LAB_DIAG_HIGHMEM;
	for (unsigned int i = 0; i < 4 && (unsigned int)__builtin_popcount(types) < n; i++)
		types |= 1U << (highmem ? likely_32[i] : likely_64[i]);
	return types;
}

static unsigned int
index_of(unsigned int types, enum lab_diag_zone_type type)
{
	return (unsigned int)__builtin_popcount(types & ((1U << type) - 1));
}

long
diag_lowmem_reserve(const struct lab_diag_report *r, const struct lab_diag_zone *z, lab_gfp_t gfp)
{
	enum lab_diag_zone_type highest = highest_type(r, gfp);
	unsigned int types = types_built(r, z->nr_reserves), i;

	/* the kernel's own zone for it, where a kind was not built */
	while (highest > LAB_DIAG_DMA && !(types & 1U << highest))
		highest--;
	i = index_of(types, highest);
	if (z->nr_reserves == 0)
		return 0;
	return z->lowmem_reserve[i < z->nr_reserves ? i : z->nr_reserves - 1];
}

/* ------------------------------------------------------------------- counts */

static long
known(long v)
{
	return v == LAB_DIAG_UNKNOWN ? 0 : v;
}

/** Spread n blocks over the types that have some; how many each has the message does not say. */
static void
spread(unsigned long *blocks, unsigned long n, unsigned int types)
{
	if (types == 0)
		types = 1U << LAB_MIGRATE_UNMOVABLE;
	for (unsigned int t = 0; t < LAB_MIGRATE_TYPES && n > 0; t++) {
		bool last = (types >> t) == 1;
		unsigned long part = last ? n : 1;

		if (!(types & 1U << t))
			continue;
		blocks[t] += part;
		n -= part;
	}
}

static void
count_order(const struct lab_diag_zone *z, unsigned int order, struct lab_free_counts *out)
{
	unsigned int o = order > LAB_MAX_ORDER ? LAB_MAX_ORDER : order;
	unsigned long n = z->blocks[order] << (order - o), typed = 0;

	for (unsigned int t = 0; t < LAB_MIGRATE_TYPES; t++)
		typed += z->typed[order][t];
	if (typed == 0) {
		spread(out->blocks[o], n, z->types[order]);
		return;
	}
	for (unsigned int t = 0; t < LAB_MIGRATE_TYPES; t++)
		out->blocks[o][t] += z->typed[order][t] << (order - o);
}

/** What the kernel keeps back for high-order atomics, as the rules count it. */
static long
highatomic_pages(const struct lab_diag_zone *z, enum lab_diag_rules rules)
{
	if (rules == LAB_DIAG_RULES_OLD)
		return 0;
	return z->free_highatomic != LAB_DIAG_UNKNOWN ? z->free_highatomic
						      : known(z->reserved_highatomic);
}

static void
count_zone(const struct lab_diag_zone *z, enum lab_diag_rules rules, struct lab_free_counts *out)
{
	memset(out, 0, sizeof(*out));
	out->nr_free = (unsigned long)z->free;
	out->nr_free_cma = (unsigned long)known(z->free_cma);
	out->highatomic = (unsigned long)highatomic_pages(z, rules);
	for (unsigned int order = 0; order < LAB_DIAG_NR_ORDERS; order++)
		count_order(z, order, out);
}

/* --------------------------------------------------------------------- rules */

/** Kernels with a boost that they do not print: what is told of min has it in. */
static bool
hides_boost(const struct lab_diag_report *r)
{
	return r->major == 5 && r->minor <= 15;
}

long
diag_boost(const struct lab_diag_report *r, const struct lab_diag_zone *z)
{
	long most;

	if (z->min <= 0)
		return 0;
	if (z->boost != LAB_DIAG_UNKNOWN)
		return z->boost < z->min ? z->boost : z->min;
	if (!hides_boost(r) || z->low < z->min)
		return 0;
	/* low is over min by a quarter of what min is without it, or by more */
	most = 4 * (z->low - z->min) + 3;
	return z->min > most ? z->min - most : 0;
}

/** An urgent single page is not held to the boost that is in min. */
static long
spared_boost(const struct lab_diag_report *r, const struct lab_diag_zone *z,
	const struct diag_request *rq, unsigned int flags)
{
	if (rq->order > 0 || !(flags & LAB_ALLOC_MIN_RESERVE) || !rq->spared_boost)
		return 0;
	return diag_boost(r, z);
}

/** A rule of old that lab_watermark_ok() has not: a quarter off without half off before. */
static long
old_quarter_off(enum lab_diag_rules rules, unsigned int flags, long mark)
{
	bool off = rules != LAB_DIAG_RULES_6_3 && (flags & LAB_ALLOC_NON_BLOCK) &&
		   !(flags & LAB_ALLOC_MIN_RESERVE);

	return off ? mark - mark / 4 : mark;
}

/** The mark that a request is held to, before its share. */
static unsigned long
mark_of(const struct lab_diag_report *r, const struct lab_diag_zone *z,
	const struct diag_request *rq, unsigned int flags)
{
	long mark = z->min - spared_boost(r, z, rq, flags);

	return (unsigned long)old_quarter_off(rq->rules, flags, mark);
}

long
diag_share(enum lab_diag_rules rules, unsigned int flags, long mark)
{
	struct lab_free_counts none = {0};
	struct lab_verdict v;

	lab_watermark_ok(
		&none, 0, (unsigned long)old_quarter_off(rules, flags, mark), 0, flags, &v);
	return v.min;
}

/**
 * To 4.3 a block had to be left over from every lower order too: with the blocks of orders 0 to o left
 * out, what remains had to be over min >> (o + 1). [__zone_watermark_ok of 2.6.32 to 4.3]
 */
static bool
old_orders_ok(const struct lab_diag_zone *z, const struct diag_request *rq,
	struct lab_diag_zone_verdict *v)
{
	v->old_free = v->v.free;
	v->old_min = v->v.min;
	for (unsigned int o = 0; o < rq->order && o < LAB_DIAG_NR_ORDERS; o++) {
		v->old_free -= (long)(z->blocks[o] << o);
		v->old_min >>= 1;
		if (v->old_free <= v->old_min) {
			v->old_order = (int)o;
			return false;
		}
	}
	return true;
}

/** Of what is kept back, the part that would have been enough. */
static enum lab_diag_gate
kept_gate(const struct lab_free_counts *counts, const struct lab_verdict *v)
{
	if (v->free > v->min)
		return LAB_DIAG_LOWMEM_RESERVE;
	return !(v->alloc_flags & LAB_ALLOC_RESERVES) && counts->highatomic > counts->nr_free_cma
		       ? LAB_DIAG_HIGHATOMIC
		       : LAB_DIAG_CMA;
}

/** No block that the request can use: is there one that is kept from it? */
static enum lab_diag_gate
block_gate(const struct lab_free_counts *counts, unsigned int order)
{
	bool highatomic = false, cma = false;

	for (unsigned int o = order; o < LAB_NR_ORDERS; o++) {
		highatomic |= counts->blocks[o][LAB_MIGRATE_HIGHATOMIC] > 0;
		cma |= counts->blocks[o][LAB_MIGRATE_CMA] > 0;
	}
	return highatomic ? LAB_DIAG_HIGHATOMIC : cma ? LAB_DIAG_CMA : LAB_DIAG_ORDER;
}

static enum lab_diag_gate
gate_of(const struct lab_free_counts *counts, const struct diag_request *rq,
	const struct lab_verdict *v)
{
	switch (v->cause) {
	case LAB_CAUSE_NONE:
		return LAB_DIAG_OPEN;
	case LAB_CAUSE_EXHAUSTED:
		return LAB_DIAG_EXHAUSTED;
	case LAB_CAUSE_WATERMARK:
		return LAB_DIAG_WATERMARK;
	case LAB_CAUSE_RESERVE:
		return kept_gate(counts, v);
	default:
		return block_gate(counts, rq->order);
	}
}

/** May the request take pages of the highatomic reserve, the blocks themselves? The mark alone does not say. */
static bool
may_take_reserve(const struct diag_request *rq, unsigned int flags)
{
	if (flags & (LAB_ALLOC_HIGHATOMIC | LAB_ALLOC_OOM))
		return true;
	return rq->single_from_reserve && rq->order == 0 && (flags & LAB_ALLOC_NON_BLOCK);
}

static int
largest_usable(
	const struct lab_free_counts *counts, const struct diag_request *rq, unsigned int flags)
{
	for (int o = LAB_MAX_ORDER; o >= 0; o--) {
		const unsigned long *b = counts->blocks[o];

		if (b[LAB_MIGRATE_UNMOVABLE] + b[LAB_MIGRATE_MOVABLE] + b[LAB_MIGRATE_RECLAIMABLE] >
				0 ||
			(may_take_reserve(rq, flags) && b[LAB_MIGRATE_HIGHATOMIC] > 0) ||
			((flags & LAB_ALLOC_CMA) && b[LAB_MIGRATE_CMA] > 0))
			return o;
	}
	return -1;
}

/**
 * Of a single page the kernel compares marks and looks at no list: it may let one pass, and find that all that is free is
 * kept from it. [The highatomic reserve counts as free to atomic requests, which up to 6.11 may not have a single page of it]
 */
static enum lab_diag_gate
single_page_gate(const struct lab_free_counts *counts, const struct lab_diag_zone *z,
	const struct diag_request *rq, int largest)
{
	enum lab_diag_gate gate;

	if (rq->order > 0 || !z->has_types || largest >= 0)
		return LAB_DIAG_OPEN;
	gate = block_gate(counts, 0);
	return gate == LAB_DIAG_ORDER ? LAB_DIAG_OPEN : gate;
}

/** By how many pages it failed, or what is left. */
static void
set_distance(struct lab_diag_zone_verdict *v)
{
	long limit = v->v.min + v->v.lowmem_reserve;

	v->lacks = v->spare = 0;
	if (v->v.alloc_flags & LAB_ALLOC_NO_WATERMARKS)
		return;
	if (v->v.free <= limit)
		v->lacks = limit + 1 - v->v.free;
	else if (v->gate == LAB_DIAG_OPEN)
		v->spare = v->v.free - limit - 1;
}

void
diag_judge(const struct lab_diag_report *r, const struct lab_diag_zone *z,
	const struct diag_request *rq, struct lab_diag_zone_verdict *v)
{
	unsigned int flags = diag_alloc_flags(rq->rules, rq->gfp, rq->order);
	struct lab_free_counts counts;

	*v = (struct lab_diag_zone_verdict){
		.gate = LAB_DIAG_NOT_ASKED, .old_order = -1, .largest_order = -1, .unusable = -1};
	if (!diag_may_use(r, z, rq->gfp))
		return;
	v->gate = LAB_DIAG_NO_FIGURES;
	if (z->free == LAB_DIAG_UNKNOWN || z->min == LAB_DIAG_UNKNOWN)
		return;
	count_zone(z, rq->rules, &counts);
	lab_watermark_ok(&counts, rq->order, mark_of(r, z, rq, flags),
		(unsigned long)diag_lowmem_reserve(r, z, rq->gfp), flags, &v->v);
	v->v.mark = z->min - spared_boost(r, z, rq, flags);
	v->gate = gate_of(&counts, rq, &v->v);
	if (z->has_blocks) {
		v->largest_order = largest_usable(&counts, rq, flags);
		v->unusable = lab_unusable_free_index(&counts, rq->order);
		if (v->gate == LAB_DIAG_OPEN)
			v->gate = single_page_gate(&counts, z, rq, v->largest_order);
		if (rq->rules == LAB_DIAG_RULES_OLD && v->gate == LAB_DIAG_OPEN &&
			!old_orders_ok(z, rq, v))
			v->gate = LAB_DIAG_ORDER;
	} else if (v->v.cause == LAB_CAUSE_ORDER) {
		v->gate = LAB_DIAG_NO_FIGURES; /* only the counts of blocks could tell */
	}
	set_distance(v);
}
