/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file alloc_zone.c
 * The zones of lib/page: each frame allocator alone, and with all that a request means.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <rte_malloc.h>

#include "loops.h"

#define BENCH_FRAMES_ALIGN (4UL << 20)

struct variant {
	enum lab_allocator allocator;
	bool gate; /**< the marks of Linux; else none */
};

struct zone {
	struct lab_zone *zone;
	void *meta;
	void *frames; /**< its own, where the pages' content counts; else those of the arena */
	size_t frames_len;
};

static inline void *
zone_request(struct bench_thread *t, lab_gfp_t more)
{
	struct lab_zone *zone = ((struct zone *)t->ctx)->zone;

	if (t->order == 0 && more == 0)
		return lab_alloc_page_gfp_atomic(zone);
	return lab_alloc_pages(zone, LAB_GFP_ATOMIC | more, t->order);
}

static inline void *
zone_get(struct bench_thread *t)
{
	return zone_request(t, 0);
}

static inline void *
zone_get_zero(struct bench_thread *t)
{
	return zone_request(t, __LAB_GFP_ZERO);
}

static inline void
zone_put(struct bench_thread *t, void *page)
{
	/* a page that is not taken back is lost, and shows as refusals */
	lab_free_pages(((struct zone *)t->ctx)->zone, page, t->order);
}

static inline unsigned int
zone_get_n(struct bench_thread *t, void **pages, unsigned int n)
{
	return lab_alloc_pages_many(
		((struct zone *)t->ctx)->zone, LAB_GFP_ATOMIC, t->order, n, pages);
}

static inline void
zone_put_n(struct bench_thread *t, void **pages, unsigned int n)
{
	lab_free_pages_many(((struct zone *)t->ctx)->zone, pages, t->order, n);
}

static const struct bench_calls calls = {
	.get = zone_get,
	.put = zone_put,
	.get_zero = zone_get_zero,
	.get_n = zone_get_n,
	.put_n = zone_put_n,
};
BENCH_LOOPS(calls)
static const bench_loops loops = BENCH_TABLE;

/** What a service thread does for a zone between two batches. */
static void
background(void *ctx)
{
	while (lab_zone_background(((struct zone *)ctx)->zone, BENCH_ZERO_BATCH) > 0)
		;
}

/** Blocks that atomic requests can have before the gate closes. */
static unsigned long
capacity_of(struct lab_zone *zone, unsigned int order)
{
	struct lab_free_counts counts = {0};
	struct lab_zone_info info;
	struct lab_verdict v;

	lab_zone_info_get(zone, &info);
	counts.nr_free = info.managed;
	counts.blocks[LAB_MAX_ORDER][LAB_MIGRATE_UNMOVABLE] = 1;
	lab_watermark_ok(&counts, order, info.wmark.min, 0,
		lab_gfp_to_alloc_flags(LAB_GFP_ATOMIC, order), &v);
	return (info.managed - (unsigned long)v.min) >> order;
}

/** A zone that knows of free pages that they are zero: the other rows write to the arena. */
static bool
wants_own_frames(const struct variant *v, const struct bench_need *need)
{
	return need->writes && v->allocator == LAB_ALLOCATOR_LABYRINTH;
}

/** Dirty memory, as the arena is in such a column, and like it in huge pages where it can be. */
static int
map_frames(struct zone *z, unsigned long pages)
{
	z->frames_len = pages * LAB_PAGE_SIZE;
	z->frames = aligned_alloc(BENCH_FRAMES_ALIGN,
		(z->frames_len + BENCH_FRAMES_ALIGN - 1) & ~(BENCH_FRAMES_ALIGN - 1));
	if (z->frames == NULL)
		return -ENOMEM;
	madvise(z->frames, z->frames_len, MADV_HUGEPAGE);
	memset(z->frames, 0xff, z->frames_len);
	return 0;
}

static struct lab_zone_config
config_of(const struct variant *v, const struct bench_need *need)
{
	struct lab_zone_config cfg = lab_zone_config_default(need->pages);
	int cpus = get_nprocs_conf();

	cfg.allocator = v->allocator;
	cfg.base = need->arena;
	cfg.nr_cpus = cpus < LAB_MAX_CPUS ? cpus : LAB_MAX_CPUS;
	if (wants_own_frames(v, need))
		cfg.zero_target = need->pages / 4;
	if (!v->gate) {
		cfg.min_free_kbytes = 0;
		cfg.watermark_scale_factor = 1;
		cfg.watermark_boost_factor = 0;
	}
	return cfg;
}

static void
release(struct zone *z)
{
	if (z == NULL)
		return;
	rte_free(z->meta);
	free(z->frames);
	free(z);
}

/** The metadata lies in EAL's memory, as that of the mempools does. */
static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	struct lab_zone_config cfg = config_of(a->variant, need);
	struct zone *z = calloc(1, sizeof(*z));
	int ret = z != NULL ? 0 : -ENOMEM;

	cfg.meta_len = lab_zone_meta_size(&cfg);
	if (ret == 0 && wants_own_frames(a->variant, need)) {
		ret = map_frames(z, need->pages);
		cfg.base = z->frames;
	}
	if (ret == 0) {
		z->meta = rte_zmalloc("bench_zone", cfg.meta_len, LAB_CACHE_LINE);
		cfg.meta = z->meta;
		ret = cfg.meta != NULL ? lab_zone_create(&z->zone, &cfg) : -ENOMEM;
	}
	if (ret < 0) {
		snprintf(why, BENCH_WHY, "no zone of %lu pages with %zu KiB of metadata: %s",
			need->pages, cfg.meta_len >> 10, strerror(-ret));
		release(z);
		return ret;
	}
	*capacity = capacity_of(z->zone, need->order);
	*ctx = z;
	return 0;
}

static void
destroy(void *ctx)
{
	struct zone *z = ctx;

	lab_zone_destroy(z->zone);
	release(z);
}

#define ZONE(title, says, id, with_gate)                                                           \
	{                                                                                          \
		.name = title, .what = says, .flags = BENCH_BOUNDED, .loops = &loops,              \
		.variant = &(const struct variant){id, with_gate}, .create = create,               \
		.destroy = destroy, .background = background,                                      \
	}

const struct bench_alloc bench_zones[BENCH_NR_ZONES] = {
	ZONE("buddy", "zone of lib/page, Linux's free lists, no watermarks", LAB_ALLOCATOR_BUDDY,
		false),
	ZONE("buddy+gate", "the same with Linux's watermarks and boost", LAB_ALLOCATOR_BUDDY, true),
	ZONE("labyrinth", "zone of lib/page, lock-free, no watermarks", LAB_ALLOCATOR_LABYRINTH,
		false),
	ZONE("labyrinth+gate", "the same with Linux's watermarks and boost",
		LAB_ALLOCATOR_LABYRINTH, true),
};
