/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <limits.h>

#include "lab_base.h"
#include "lab_page.h"

#define KB_PER_PAGE (LAB_PAGE_SIZE / 1024)

static unsigned long
min_ul(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

static unsigned long
max_ul(unsigned long a, unsigned long b)
{
	return a > b ? a : b;
}

/** floor(x * mul / div) without overflow of the product. */
static unsigned long
scale(unsigned long x, unsigned long mul, unsigned long div)
{
	return (unsigned long)((unsigned __int128)x * mul / div);
}

/* ----------------------------------------------------------------- sizing */

/** floor(sqrt(x)), digit by digit: a double would round up near the squares of large numbers. */
static unsigned long
isqrt(unsigned long x)
{
	unsigned long root = 0, bit = 1UL << 62;

	for (; bit != 0; bit >>= 2) {
		unsigned long trial = root + bit;

		root >>= 1;
		if (x >= trial) {
			x -= trial;
			root += bit;
		}
	}
	return root;
}

unsigned long
lab_min_free_kbytes(unsigned long lowmem_kb)
{
	unsigned long kb = isqrt(min_ul(lowmem_kb, ULONG_MAX / 16) * 16);

	return min_ul(max_ul(kb, 128), 262144);
}

unsigned long
lab_thp_min_free_kbytes(unsigned int zones, unsigned long lowmem_pages)
{
	unsigned long types = LAB_MIGRATE_PCPTYPES;
	unsigned long pages = LAB_PAGEBLOCK_PAGES * zones * (2 + types * types);

	return min_ul(pages, lowmem_pages / 20) * KB_PER_PAGE;
}

struct lab_watermarks
lab_watermarks(unsigned long managed, unsigned long min_pages, unsigned int scale_factor)
{
	unsigned long gap = max_ul(min_pages / 4, scale(managed, scale_factor, 10000));

	return (struct lab_watermarks){
		.min = min_pages,
		.low = min_pages + gap,
		.high = min_pages + 2 * gap,
		.promo = min_pages + 3 * gap,
	};
}

unsigned long
lab_lowmem_reserve(unsigned long managed_above, unsigned int ratio)
{
	return ratio ? managed_above / ratio : 0;
}

unsigned int
lab_zone_batchsize(unsigned long managed)
{
	unsigned int b = min_ul(managed >> 10, 256) / 4;

	if (b <= 1) /* the formula says 0 then, and every list works with at least 1 */
		return 1;
	b += b / 2;
	return (1U << (31 - __builtin_clz(b))) - 1;
}

unsigned int
lab_pcp_high(unsigned long low_wmark, unsigned int cpus, unsigned int batch)
{
	return min_ul(max_ul(low_wmark / (cpus ? cpus : 1), 4UL * batch), UINT_MAX);
}

unsigned long
lab_highatomic_cap(enum lab_linux version, unsigned long managed)
{
	unsigned long share = managed / 100;

	if (version == LAB_LINUX_6_1)
		return share + LAB_PAGEBLOCK_PAGES;
	if (share < LAB_PAGEBLOCK_PAGES)
		return 0;
	return (share + LAB_PAGEBLOCK_PAGES - 1) & ~(LAB_PAGEBLOCK_PAGES - 1);
}

unsigned long
lab_boosted(
	unsigned long boost, unsigned long managed, unsigned long high, unsigned int boost_factor)
{
	unsigned long max = scale(high, boost_factor, 10000);

	if (boost_factor == 0 || 4 * LAB_PAGEBLOCK_PAGES > managed || max == 0)
		return 0;
	return min_ul(boost + LAB_PAGEBLOCK_PAGES, max_ul(max, LAB_PAGEBLOCK_PAGES));
}

/* -------------------------------------------------------------- watermark */

static long
to_long(unsigned long x)
{
	return x > LONG_MAX ? LONG_MAX : (long)x;
}

/** What is left of a mark for a request with these flags. */
static long
effective_min(long mark, unsigned int alloc_flags)
{
	long min = mark;

	if (alloc_flags & LAB_ALLOC_NO_WATERMARKS)
		return 0;
	if (alloc_flags & LAB_ALLOC_MIN_RESERVE) {
		min -= min / 2;
		if (alloc_flags & LAB_ALLOC_NON_BLOCK)
			min -= min / 4;
	}
	if (alloc_flags & LAB_ALLOC_OOM)
		min -= min / 2;
	return min;
}

static unsigned long
unusable_pages(const struct lab_free_counts *counts, unsigned int alloc_flags)
{
	unsigned long pages = 0;

	if (!(alloc_flags & LAB_ALLOC_RESERVES))
		pages += counts->highatomic;
	if (!(alloc_flags & LAB_ALLOC_CMA))
		pages += counts->nr_free_cma;
	return pages;
}

static bool
usable_type(unsigned int type, unsigned int alloc_flags)
{
	if (type < LAB_MIGRATE_PCPTYPES)
		return true;
	if (type == LAB_MIGRATE_HIGHATOMIC)
		return alloc_flags & (LAB_ALLOC_HIGHATOMIC | LAB_ALLOC_OOM);
	return type == LAB_MIGRATE_CMA && (alloc_flags & LAB_ALLOC_CMA);
}

static bool
has_usable_block(const struct lab_free_counts *counts, unsigned int order, unsigned int alloc_flags)
{
	for (unsigned int o = order; o < LAB_NR_ORDERS; o++) {
		for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++) {
			if (counts->blocks[o][type] && usable_type(type, alloc_flags))
				return true;
		}
	}
	return false;
}

/** The cause, from the numbers in v; the first that applies in the order of enum lab_cause. */
static enum lab_cause
decide(const struct lab_verdict *v, const struct lab_free_counts *counts, unsigned int order)
{
	bool any = v->alloc_flags & LAB_ALLOC_NO_WATERMARKS;
	bool block = has_usable_block(counts, order, v->alloc_flags);
	long limit;

	if (order > LAB_MAX_ORDER)
		return LAB_CAUSE_ORDER;
	if (v->nr_free < 1UL << order)
		return LAB_CAUSE_EXHAUSTED;
	/* Without a watermark nothing is compared: what counts is whether a block can be had. */
	if (any && block)
		return LAB_CAUSE_NONE;
	if (!any && v->free + v->unusable <= v->min)
		return LAB_CAUSE_WATERMARK;
	if (__builtin_add_overflow(v->min, v->lowmem_reserve, &limit) || v->free <= limit)
		return LAB_CAUSE_RESERVE;
	if ((any || order > 0) && !block)
		return LAB_CAUSE_ORDER;
	return LAB_CAUSE_NONE;
}

enum lab_cause
lab_watermark_ok(const struct lab_free_counts *counts, unsigned int order, unsigned long mark,
	unsigned long lowmem_reserve, unsigned int alloc_flags, struct lab_verdict *v)
{
	bool any = alloc_flags & LAB_ALLOC_NO_WATERMARKS;
	long block = 1L << min_ul(order, LAB_MAX_ORDER);
	struct lab_verdict verdict = {
		.alloc_flags = alloc_flags,
		.unusable = to_long(unusable_pages(counts, alloc_flags)),
		.mark = to_long(mark),
		.min = effective_min(to_long(mark), alloc_flags),
		.lowmem_reserve = any ? 0 : to_long(lowmem_reserve),
		.nr_free = counts->nr_free,
	};

	verdict.free = to_long(counts->nr_free) - (block - 1) - verdict.unusable;
	verdict.cause = decide(&verdict, counts, order);
	if (v != NULL)
		*v = verdict;
	return verdict.cause;
}

/* ---------------------------------------------------------------- indices */

struct free_sums {
	unsigned long pages;    /* F */
	unsigned long blocks;   /* B */
	unsigned long suitable; /* S, in units of the order */
};

/** Sums over every free list, of whatever migratetype: the indices know no types. */
static struct free_sums
sum_free(const struct lab_free_counts *counts, unsigned int order)
{
	struct free_sums sum = {0};

	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		unsigned long n = 0;

		for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++)
			n += counts->blocks[o][type];
		sum.blocks += n;
		sum.pages += n << o;
		if (o >= order)
			sum.suitable += n << (o - order);
	}
	return sum;
}

int
lab_fragmentation_index(const struct lab_free_counts *counts, unsigned int order)
{
	struct free_sums sum = sum_free(counts, order);

	if (order > LAB_MAX_ORDER || sum.blocks == 0)
		return 0;
	if (sum.suitable > 0)
		return -1000;
	return 1000 - (int)((1000 + scale(sum.pages, 1000, 1UL << order)) / sum.blocks);
}

int
lab_unusable_free_index(const struct lab_free_counts *counts, unsigned int order)
{
	struct free_sums sum = sum_free(counts, order);

	if (order > LAB_MAX_ORDER || sum.pages == 0)
		return 1000;
	return (int)scale(sum.pages - (sum.suitable << order), 1000, sum.pages);
}
