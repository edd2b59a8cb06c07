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

/** Guarded mode goes over every byte of a block: the loops' chunks would take seconds beyond this. */
#define BENCH_GUARD_MAX_ORDER 3U
/** Blocks of the column's order that a zone with its gate on has in reserve. */
#define BENCH_RESERVE 16U

struct variant {
	enum lab_allocator allocator;
	bool gate; /**< the marks of Linux, and a reserve of blocks where there is one; else none */
	bool owners; /**< blocks carry who took them */
	bool guard;  /**< misuse of blocks is looked for */
};

struct zone {
	struct lab_zone *zone;
	void *meta;
	void *watch;  /**< side table of owners and guard, if one is on */
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

/** A zone that knows of free pages that they are zero; guarded mode, which writes to them, does not. */
static bool
zeroes_ahead(const struct variant *v, const struct bench_need *need)
{
	return need->writes && v->allocator == LAB_ALLOCATOR_LABYRINTH && !v->guard;
}

/** The other rows write to the arena, or trust that nobody touches it. */
static bool
wants_own_frames(const struct variant *v, const struct bench_need *need)
{
	return zeroes_ahead(v, need) || v->guard;
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
	if (zeroes_ahead(v, need))
		cfg.zero_target = need->pages / 4;
	if (v->gate && v->allocator == LAB_ALLOCATOR_LABYRINTH)
		cfg.reserve[need->order] = BENCH_RESERVE;
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
	rte_free(z->watch);
	free(z->frames);
	free(z);
}

/** What is looked at besides; the side table lies where the metadata does. */
static int
watch(struct zone *z, const struct variant *v)
{
	const struct lab_guard_config guard = {0};
	size_t len = lab_zone_watch_size(z->zone);
	int ret;

	if (!v->owners && !v->guard)
		return 0;
	z->watch = rte_zmalloc("bench_watch", len, LAB_CACHE_LINE);
	if (z->watch == NULL)
		return -ENOMEM;
	ret = lab_zone_watch_memory(z->zone, z->watch, len);
	if (ret == 0 && v->owners)
		ret = lab_zone_set_owners(z->zone, true);
	if (ret == 0 && v->guard)
		ret = lab_zone_set_guard(z->zone, &guard);
	return ret;
}

/** The metadata lies in EAL's memory, as that of the mempools does. */
static int
make(struct zone *z, const struct variant *v, const struct bench_need *need,
	struct lab_zone_config *cfg)
{
	int ret;

	if (wants_own_frames(v, need)) {
		ret = map_frames(z, need->pages);
		if (ret < 0)
			return ret;
		cfg->base = z->frames;
	}
	z->meta = rte_zmalloc("bench_zone", cfg->meta_len, LAB_CACHE_LINE);
	if (z->meta == NULL)
		return -ENOMEM;
	cfg->meta = z->meta;
	ret = lab_zone_create(&z->zone, cfg);
	if (ret < 0)
		return ret;
	ret = watch(z, v);
	if (ret < 0)
		lab_zone_destroy(z->zone);
	return ret;
}

static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	const struct variant *v = a->variant;
	struct lab_zone_config cfg = config_of(v, need);
	struct zone *z;
	int ret;

	if (v->guard && need->order > BENCH_GUARD_MAX_ORDER) {
		snprintf(why, BENCH_WHY, "goes over every byte: order %u at most",
			BENCH_GUARD_MAX_ORDER);
		return -EINVAL;
	}
	cfg.meta_len = lab_zone_meta_size(&cfg);
	z = calloc(1, sizeof(*z));
	ret = z != NULL ? make(z, v, need, &cfg) : -ENOMEM;
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

#define ZONE(title, says, ...)                                                                     \
	{                                                                                          \
		.name = title, .what = says, .flags = BENCH_BOUNDED, .loops = &loops,              \
		.variant = &(const struct variant){__VA_ARGS__}, .create = create,                 \
		.destroy = destroy, .background = background,                                      \
	}
#define GUARDED(title, says, ...)                                                                  \
	{                                                                                          \
		.name = title, .what = says, .flags = BENCH_BOUNDED, .loops = &loops,              \
		.variant = &(const struct variant){__VA_ARGS__, .guard = true}, .create = create,  \
		.destroy = destroy, .background = background, .bytes_a_page = LAB_PAGE_SIZE,       \
	}

const struct bench_alloc bench_zones[BENCH_NR_ZONES] = {
	ZONE("buddy", "zone of lib/page, Linux's free lists, no watermarks", LAB_ALLOCATOR_BUDDY),
	ZONE("buddy+gate", "the same with Linux's watermarks and boost", LAB_ALLOCATOR_BUDDY,
		.gate = true),
	ZONE("labyrinth", "zone of lib/page, lock-free, no watermarks", LAB_ALLOCATOR_LABYRINTH),
	ZONE("labyrinth+gate", "the same with Linux's watermarks and boost, and a reserve",
		LAB_ALLOCATOR_LABYRINTH, .gate = true),
	ZONE("labyrinth+owners", "labyrinth with owner tags on", LAB_ALLOCATOR_LABYRINTH,
		.owners = true),
	GUARDED("labyrinth+guard", "labyrinth in guarded mode, on frames of its own",
		LAB_ALLOCATOR_LABYRINTH),
};
