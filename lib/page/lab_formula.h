/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FORMULA_H
#define LAB_FORMULA_H

/**
 * @file lab_formula.h
 * What needs no zone: sizes and types, GFP flags, the causes of a refusal, Linux's formulas of marks, gates
 * and indices.
 *
 * Included by lab_page.h, whose words on contexts, errors and sources hold here too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ sizes */

#define LAB_PAGE_SHIFT 12
#define LAB_PAGE_SIZE  (1UL << LAB_PAGE_SHIFT)

/** Highest order that can be asked for (Linux's MAX_PAGE_ORDER). */
#define LAB_MAX_ORDER 10
#define LAB_NR_ORDERS (LAB_MAX_ORDER + 1)

/** Order of a pageblock, the unit that has a migratetype (2 MiB on x86). */
#define LAB_PAGEBLOCK_ORDER 9
#define LAB_PAGEBLOCK_PAGES (1UL << LAB_PAGEBLOCK_ORDER)

/** Most CPUs (lcores) that can have a per-CPU list in one zone. */
#define LAB_MAX_CPUS 512

/** Most processes at once that can have per-CPU caches of the labyrinth allocator in one zone. */
#define LAB_MAX_PROCESSES 4

/** Kinds of zones, in the kernel's order: lowmem_reserve[] is indexed by it. */
enum lab_zone_type {
	LAB_ZONE_DMA,
	LAB_ZONE_DMA32,
	LAB_ZONE_NORMAL,
	LAB_ZONE_MOVABLE,
	LAB_NR_ZONE_TYPES,
};

/** Migratetypes, in the kernel's order and with its names in the outputs. */
enum lab_migratetype {
	LAB_MIGRATE_UNMOVABLE,
	LAB_MIGRATE_MOVABLE,
	LAB_MIGRATE_RECLAIMABLE,
	LAB_MIGRATE_PCPTYPES,
	LAB_MIGRATE_HIGHATOMIC = LAB_MIGRATE_PCPTYPES,
	LAB_MIGRATE_CMA,
	LAB_MIGRATE_ISOLATE,
	LAB_MIGRATE_TYPES,
};

/* -------------------------------------------------------------- GFP flags */

/** GFP flags with the bit positions of Linux 6.12, so that printed masks read alike. */
typedef uint32_t lab_gfp_t;

#define __LAB_GFP_DMA            ((lab_gfp_t)0x01)
#define __LAB_GFP_HIGHMEM        ((lab_gfp_t)0x02)
#define __LAB_GFP_DMA32          ((lab_gfp_t)0x04)
#define __LAB_GFP_MOVABLE        ((lab_gfp_t)0x08)
#define __LAB_GFP_RECLAIMABLE    ((lab_gfp_t)0x10)
#define __LAB_GFP_HIGH           ((lab_gfp_t)0x20)
#define __LAB_GFP_IO             ((lab_gfp_t)0x40)
#define __LAB_GFP_FS             ((lab_gfp_t)0x80)
#define __LAB_GFP_ZERO           ((lab_gfp_t)0x100)
#define __LAB_GFP_ATOMIC         ((lab_gfp_t)0x200) /**< only in 6.1; accepted, no effect of its own */
#define __LAB_GFP_DIRECT_RECLAIM ((lab_gfp_t)0x400)
#define __LAB_GFP_KSWAPD_RECLAIM ((lab_gfp_t)0x800)
#define __LAB_GFP_WRITE          ((lab_gfp_t)0x1000)
#define __LAB_GFP_NOWARN         ((lab_gfp_t)0x2000)
#define __LAB_GFP_RETRY_MAYFAIL  ((lab_gfp_t)0x4000)
#define __LAB_GFP_NOFAIL         ((lab_gfp_t)0x8000)
#define __LAB_GFP_NORETRY        ((lab_gfp_t)0x10000)
#define __LAB_GFP_MEMALLOC       ((lab_gfp_t)0x20000)
#define __LAB_GFP_COMP           ((lab_gfp_t)0x40000)
#define __LAB_GFP_NOMEMALLOC     ((lab_gfp_t)0x80000)
#define __LAB_GFP_HARDWALL       ((lab_gfp_t)0x100000)
#define __LAB_GFP_THISNODE       ((lab_gfp_t)0x200000)
#define __LAB_GFP_ACCOUNT        ((lab_gfp_t)0x400000)
/** Not a kernel flag: the caller is an OOM victim (the kernel reads that from the task). */
#define __LAB_GFP_OOM_VICTIM ((lab_gfp_t)0x40000000)

#define __LAB_GFP_RECLAIM        (__LAB_GFP_DIRECT_RECLAIM | __LAB_GFP_KSWAPD_RECLAIM)
#define LAB_GFP_ATOMIC           (__LAB_GFP_HIGH | __LAB_GFP_KSWAPD_RECLAIM)
#define LAB_GFP_NOWAIT           (__LAB_GFP_KSWAPD_RECLAIM | __LAB_GFP_NOWARN)
#define LAB_GFP_KERNEL           (__LAB_GFP_RECLAIM | __LAB_GFP_IO | __LAB_GFP_FS)
#define LAB_GFP_USER             (LAB_GFP_KERNEL | __LAB_GFP_HARDWALL)
#define LAB_GFP_HIGHUSER         (LAB_GFP_USER | __LAB_GFP_HIGHMEM)
#define LAB_GFP_HIGHUSER_MOVABLE (LAB_GFP_HIGHUSER | __LAB_GFP_MOVABLE)

/** True for an atomic request on every kernel version: HIGH set, DIRECT_RECLAIM clear. */
static inline bool
lab_gfp_is_atomic(lab_gfp_t gfp)
{
	return (gfp & (__LAB_GFP_HIGH | __LAB_GFP_DIRECT_RECLAIM)) == __LAB_GFP_HIGH;
}

/** The migratetype that a request asks for: Unmovable, Movable or Reclaimable. */
enum lab_migratetype lab_gfp_migratetype(lab_gfp_t gfp);

/** The highest zone type that a request may use, the index into lowmem_reserve[]. */
enum lab_zone_type lab_gfp_zone(lab_gfp_t gfp);

/**
 * Write a mask as the kernel does: "GFP_ATOMIC|__GFP_NOWARN", unknown bits as hex.
 * @param buf out; always terminated when len > 0.  @return the length needed, as snprintf.
 */
int lab_gfp_format(lab_gfp_t gfp, char *buf, size_t len);

/**
 * Read a mask: names with or without "GFP_"/"__GFP_"/"LAB_" prefix joined by '|', or a number.
 * @return 0, or -EINVAL with *gfp untouched.
 */
int lab_gfp_parse(const char *text, lab_gfp_t *gfp);

/* --------------------------------------------------------------- refusals */

/** Which gate closed. A refusal has exactly one cause; the first that applies, in this order. */
enum lab_cause {
	LAB_CAUSE_NONE,      /**< not refused */
	LAB_CAUSE_INJECTED,  /**< fault injection said so */
	LAB_CAUSE_EXHAUSTED, /**< fewer frames are free than the block has */
	LAB_CAUSE_WATERMARK, /**< free <= the request's share of the watermark, reserves apart */
	LAB_CAUSE_RESERVE,   /**< over the watermark, but for lowmem_reserve or highatomic pages */
	LAB_CAUSE_ORDER,     /**< pages enough, but no usable block of that order */
	LAB_NR_CAUSES,
};

/** "none", "injected", "exhausted", "watermark", "reserve", "order"; NULL if out of range. */
const char *lab_cause_name(enum lab_cause cause);

/** errno of a refusal: injected EIO, exhausted ENOMEM, watermark EAGAIN, reserve EBUSY, order ENOSPC. */
int lab_cause_errno(enum lab_cause cause);

/** The inverse of lab_cause_errno(); LAB_CAUSE_NONE for any other errno (EINVAL ...). */
enum lab_cause lab_errno_cause(int err);

/* ------------------------------------------------ formulas, without a zone */

/** Which kernel's semantics where they differ. */
enum lab_linux {
	LAB_LINUX_6_12, /**< the default: 6.12 and later */
	LAB_LINUX_6_1,
};

/** A zone's marks in pages, without the boost. */
struct lab_watermarks {
	unsigned long min;
	unsigned long low;
	unsigned long high;
	unsigned long promo;
};

/** clamp(sqrt(16 * lowmem_kb), 128, 262144). [calculate_min_free_kbytes] */
unsigned long lab_min_free_kbytes(unsigned long lowmem_kb);

/**
 * The recommendation of transparent huge pages, in kB:
 * min(pageblock * zones * (2 + 3 * 3), lowmem / 20) pages. [set_recommended_min_free_kbytes]
 * @param zones populated zones.  @param lowmem_pages pages of them all.
 */
unsigned long lab_thp_min_free_kbytes(unsigned int zones, unsigned long lowmem_pages);

/**
 * Marks of a zone: gap = max(min/4, managed * scale_factor / 10000), low = min + gap,
 * high = min + 2 gap, promo = min + 3 gap. [__setup_per_zone_wmarks]
 */
struct lab_watermarks lab_watermarks(
	unsigned long managed, unsigned long min_pages, unsigned int scale_factor);

/** managed_above / ratio; 0 if ratio is 0. Kernel ratios: DMA 256, DMA32 256, NORMAL 32. */
unsigned long lab_lowmem_reserve(unsigned long managed_above, unsigned int ratio);

/** PCP batch of a zone: rounddown_pow2(1.5 b) - 1, b = min(managed >> 10, 256) / 4. [zone_batchsize] */
unsigned int lab_zone_batchsize(unsigned long managed);

/** PCP high of a zone in 6.1: max(low_wmark / cpus, 4 * batch); the start of the tuning later. */
unsigned int lab_pcp_high(unsigned long low_wmark, unsigned int cpus, unsigned int batch);

/** Most pages that highatomic may reserve in a zone; see enum lab_linux for the difference. */
unsigned long lab_highatomic_cap(enum lab_linux version, unsigned long managed);

/** What a claim of a part of a pageblock raises the boost of the marks to: by a pageblock, up to boost_factor
 *  ten-thousandths of the high mark, or a pageblock if that is less. 0: it has none, as a zone of under four pageblocks. Pages.
 *  [boost_watermark] */
unsigned long lab_boosted(
	unsigned long boost, unsigned long managed, unsigned long high, unsigned int boost_factor);

/** Bits of how a request passes the watermark; the kernel's ALLOC_*. */
enum lab_alloc_flags {
	LAB_ALLOC_WMARK_MIN = 0x00,
	LAB_ALLOC_WMARK_LOW = 0x01,
	LAB_ALLOC_WMARK_HIGH = 0x02,
	LAB_ALLOC_NO_WATERMARKS = 0x04,
	LAB_ALLOC_WMARK_MASK = 0x03,
	LAB_ALLOC_OOM = 0x08,
	LAB_ALLOC_NON_BLOCK = 0x10,
	LAB_ALLOC_MIN_RESERVE = 0x20,
	LAB_ALLOC_CMA = 0x80,
	LAB_ALLOC_NOFRAGMENT = 0x100,
	LAB_ALLOC_HIGHATOMIC = 0x200,
	LAB_ALLOC_KSWAPD = 0x800,
	LAB_ALLOC_RESERVES =
		LAB_ALLOC_NON_BLOCK | LAB_ALLOC_MIN_RESERVE | LAB_ALLOC_HIGHATOMIC | LAB_ALLOC_OOM,
};

/** ALLOC_* flags of the slow path's request. [gfp_to_alloc_flags] */
unsigned int lab_gfp_to_alloc_flags(lab_gfp_t gfp, unsigned int order);

/** The free counts that the watermark and the indices read. */
struct lab_free_counts {
	unsigned long nr_free; /**< NR_FREE_PAGES: without the pages in PCP lists */
	unsigned long nr_free_cma;
	unsigned long highatomic; /**< nr_reserved_highatomic (6.1) or nr_free_highatomic */
	unsigned long blocks[LAB_NR_ORDERS][LAB_MIGRATE_TYPES]; /**< free blocks */
};

/** What the gate computed; lets a tool show the arithmetic. Pages. */
struct lab_verdict {
	enum lab_cause cause;     /**< LAB_CAUSE_NONE: it would pass */
	unsigned int alloc_flags; /**< LAB_ALLOC_* of the deciding pass */
	long free;     /**< free pages less (1 << order) - 1 and less what is kept back */
	long unusable; /**< pages kept back: highatomic and CMA */
	long mark;     /**< the mark before its fractions, boost included */
	long min;      /**< the mark after them: what free is compared with */
	long lowmem_reserve;
	unsigned long nr_free; /**< free pages before any subtraction */
};

/**
 * The watermark check, as arithmetic alone. [__zone_watermark_ok]
 * Fails iff free <= min + lowmem_reserve, or order > 0 and no usable block of that order.
 * @param mark         pages, boost included
 * @param lowmem_reserve pages, of the request's highest zone type
 * @param v            out, may be NULL
 * @return the cause, LAB_CAUSE_NONE if it passes.
 * Any context: touches nothing but its arguments.
 */
enum lab_cause lab_watermark_ok(const struct lab_free_counts *counts, unsigned int order,
	unsigned long mark, unsigned long lowmem_reserve, unsigned int alloc_flags,
	struct lab_verdict *v);

/**
 * Fragmentation index of an order, times 1000: 0 if there is no free block; -1000 if the request
 * would be served; else 1000 - (1000 + F*1000/2^o)/B. Towards 0: lack of memory; towards 1000:
 * fragmentation. [__fragmentation_index]
 */
int lab_fragmentation_index(const struct lab_free_counts *counts, unsigned int order);

/** Share of free memory unusable for an order, times 1000: 1000 if nothing is free, else
 *  (F - (S << o)) * 1000 / F. [unusable_free_index] */
int lab_unusable_free_index(const struct lab_free_counts *counts, unsigned int order);

#ifdef __cplusplus
}
#endif

#endif /* LAB_FORMULA_H */
