/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file zone.c
 * A zone's making, layout and settings.
 */
#include <assert.h>
#include <sys/mman.h>

#include "buddy.h"
#include "frame_ops.h"
#include "reserve.h"
#include "zero.h"
#include "zone.h"

#define HUGE_PAGE      (2UL << 20)
#define DEFAULT_SCALE  10
#define DEFAULT_BOOST  15000
#define PAGEBLOCK_MASK (LAB_PAGEBLOCK_PAGES - 1)

static_assert(sizeof(struct lab_zone) + LAB_NR_DEPOTS * sizeof(struct depot) <=
		      LAB_ZONE_HEADER_BYTES - 2 * LAB_CACHE_LINE,
	"LAB_ZONE_HEADER_BYTES is too small");
/* The stacks of a CPU take 22,272 bytes more (stacks.c). */
static_assert(
	sizeof(struct lab_pcp) + 22272 <= LAB_ZONE_CPU_BYTES, "LAB_ZONE_CPU_BYTES is too small");
static_assert(sizeof(struct lab_frame) < LAB_FRAME_META_BYTES,
	"LAB_FRAME_META_BYTES must leave room for the pageblocks' types");

/* ----------------------------------------------------------------- layout */

static const struct lab_frame_ops *const ops_table[LAB_NR_ALLOCATORS] = {
	[LAB_ALLOCATOR_BUDDY] = &lab_buddy_ops,
	[LAB_ALLOCATOR_LABYRINTH] = &lab_labyrinth_ops,
};

const struct lab_frame_ops *
lab_frame_ops(const struct lab_zone *z)
{
	return ops_table[z->allocator];
}

static size_t
round_line(size_t n)
{
	return (n + LAB_CACHE_LINE - 1) & ~(size_t)(LAB_CACHE_LINE - 1);
}

static size_t
pcp_offset(void)
{
	return round_line(sizeof(struct lab_zone));
}

static size_t
frames_offset(unsigned int nr_cpus)
{
	return pcp_offset() + nr_cpus * sizeof(struct lab_pcp);
}

static unsigned int
cpus_of(const struct lab_zone_config *cfg)
{
	return cfg->nr_cpus ? cfg->nr_cpus : 1;
}

static size_t
pageblocks_offset(const struct lab_zone_config *cfg)
{
	unsigned int nr_cpus = cpus_of(cfg);

	return frames_offset(nr_cpus) +
	       round_line(ops_table[cfg->allocator]->layout(NULL, NULL, nr_cpus, cfg));
}

size_t
lab_zone_meta_size(const struct lab_zone_config *cfg)
{
	return round_line(pageblocks_offset(cfg) + (cfg->nr_pages >> LAB_PAGEBLOCK_ORDER) + 1);
}

struct lab_zone_config
lab_zone_config_default(unsigned long nr_pages)
{
	return (struct lab_zone_config){
		.type = LAB_ZONE_NORMAL,
		.nr_pages = nr_pages,
		.nr_cpus = 1,
		.min_free_kbytes = -1,
		.watermark_scale_factor = DEFAULT_SCALE,
		.watermark_boost_factor = DEFAULT_BOOST,
	};
}

/* ----------------------------------------------------------------- checks */

static bool
overlap(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return (uintptr_t)a < (uintptr_t)b + b_len && (uintptr_t)b < (uintptr_t)a + a_len;
}

static int
check_memory(const struct lab_zone_config *cfg)
{
	size_t len = cfg->nr_pages << LAB_PAGE_SHIFT;

	if ((uintptr_t)cfg->base & (LAB_PAGE_SIZE - 1))
		return -EINVAL;
	if ((uintptr_t)cfg->meta & (LAB_CACHE_LINE - 1))
		return -EINVAL;
	if ((uintptr_t)cfg->base > UINTPTR_MAX - len)
		return -EINVAL;
	if (cfg->meta == NULL)
		return 0;
	if (cfg->meta_len < lab_zone_meta_size(cfg))
		return -ENOSPC;
	if ((uintptr_t)cfg->meta > UINTPTR_MAX - cfg->meta_len)
		return -EINVAL;
	return cfg->base && overlap(cfg->base, len, cfg->meta, cfg->meta_len) ? -EINVAL : 0;
}

static bool
reserve_is_ok(const struct lab_zone_config *cfg)
{
	unsigned int most = cfg->allocator == LAB_ALLOCATOR_LABYRINTH ? LAB_RESERVE_MAX : 0;

	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		if (cfg->reserve[o] > most)
			return false;
	return true;
}

static int
check_config(const struct lab_zone_config *cfg)
{
	unsigned int scale = cfg->watermark_scale_factor;

	if (cfg->nr_pages == 0 || cfg->nr_pages >= LAB_NO_PFN || cfg->cma_pages > cfg->nr_pages)
		return -EINVAL;
	if ((unsigned int)cfg->type >= LAB_NR_ZONE_TYPES ||
		(unsigned int)cfg->allocator >= LAB_NR_ALLOCATORS ||
		(unsigned int)cfg->linux_version > LAB_LINUX_6_1)
		return -EINVAL;
	if (cfg->zero_target > 0 &&
		(cfg->keep_content || cfg->allocator != LAB_ALLOCATOR_LABYRINTH))
		return -EINVAL;
	if (!reserve_is_ok(cfg))
		return -EINVAL;
	if (cfg->nr_cpus > LAB_MAX_CPUS || cfg->nr_processes > LAB_MAX_PROCESSES || cfg->node < 0)
		return -EINVAL;
	if (cfg->name != NULL && strlen(cfg->name) >= sizeof(((struct lab_zone *)NULL)->name))
		return -EINVAL;
	if (!lab_min_free_is_ok(cfg->min_free_kbytes, cfg->nr_pages) ||
		(scale != 0 && !lab_scale_is_ok(scale)) || cfg->watermark_boost_factor < 0)
		return -EINVAL;
	return check_memory(cfg);
}

/* ----------------------------------------------------------------- memory */

static void *
map(size_t len, int flags)
{
	void *p =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/** Ordinary memory aligned to a huge page: map more and cut the ends off. */
static void *
map_aligned(size_t len)
{
	unsigned char *p = map(len + HUGE_PAGE, MAP_NORESERVE);
	size_t head;

	if (p == NULL)
		return NULL;
	head = -(uintptr_t)p & (HUGE_PAGE - 1);
	if (head != 0)
		munmap(p, head);
	munmap(p + head + len, HUGE_PAGE - head);
	return p + head;
}

static int
map_frames(struct lab_zone *z, const struct lab_zone_config *cfg)
{
	size_t len = (cfg->nr_pages << LAB_PAGE_SHIFT);
	size_t huge_len = (len + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	if (cfg->base != NULL) {
		z->base = cfg->base;
		return 0;
	}
	z->frames_len = huge_len;
	z->own_frames = true;
	z->base = map(huge_len, MAP_HUGETLB);
	z->hugepages = z->base != NULL;
	if (z->base == NULL)
		z->base = map_aligned(huge_len);
	return z->base == NULL ? -ENOMEM : 0;
}

/** Zeroed metadata. What the system maps is zero already, and stays untouched until it is used. */
static struct lab_zone *
map_meta(const struct lab_zone_config *cfg)
{
	size_t len = lab_zone_meta_size(cfg);
	struct lab_zone *z = cfg->meta;

	if (z != NULL) {
		memset(z, 0, len);
		return z;
	}
	z = map(len, MAP_NORESERVE);
	if (z != NULL) {
		z->own_meta = true;
		z->meta_len = len;
	}
	return z;
}

static void
unmap(struct lab_zone *z)
{
	z->magic = 0;
	lab_watch_destroy(z);
	if (z->own_frames && z->base != NULL)
		munmap(z->base, z->frames_len);
	if (z->own_meta)
		munmap(z, z->meta_len);
}

/* ----------------------------------------------------------------- making */

static const char *const type_names[LAB_NR_ZONE_TYPES] = {"DMA", "DMA32", "Normal", "Movable"};

static void
set_layout(struct lab_zone *z, const struct lab_zone_config *cfg)
{
	unsigned char *meta = (unsigned char *)z;

	z->spanned = cfg->nr_pages;
	wr(&z->unwatched, z->spanned);
	z->nr_cpus = cpus_of(cfg);
	z->pcp = (void *)(meta + pcp_offset());
	ops_table[cfg->allocator]->layout(z, meta + frames_offset(z->nr_cpus), z->nr_cpus, cfg);
	z->pageblock_mt = (void *)(meta + pageblocks_offset(cfg));
}

static void
set_settings(struct lab_zone *z, const struct lab_zone_config *cfg)
{
	unsigned int scale = cfg->watermark_scale_factor;

	strcpy(z->name, cfg->name != NULL ? cfg->name : type_names[cfg->type]);
	z->node = cfg->node;
	z->type = cfg->type;
	z->allocator = cfg->allocator;
	z->linux_version = cfg->linux_version;
	z->min_free_kbytes_set = cfg->min_free_kbytes;
	wr(&z->scale_factor, scale ? scale : DEFAULT_SCALE);
	wr(&z->boost_factor, cfg->watermark_boost_factor);
	for (int i = 0; i < LAB_NR_ZONE_TYPES; i++)
		lab_zone_set_lowmem_reserve(z, i, cfg->lowmem_reserve[i]);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		wr(&z->reserve[o].target, cfg->reserve[o]);
	z->keep_content = cfg->keep_content;
	wr(&z->zero_target, cfg->zero_target);
	wr(&z->pcp_on, !cfg->no_pcp);
	/* 6.1 does not know the flag: as if the high mark were always missed. */
	wr(&z->below_high, cfg->linux_version == LAB_LINUX_6_1);
}

static void
set_pageblocks(struct lab_zone *z, unsigned long cma_pages)
{
	unsigned long cma_start = z->spanned, n = lab_nr_pageblocks(z);

	if (cma_pages != 0)
		cma_start = (z->spanned - cma_pages) & ~PAGEBLOCK_MASK;
	for (unsigned long i = 0; i < n; i++)
		wr(&z->pageblock_mt[i], i << LAB_PAGEBLOCK_ORDER < cma_start ? LAB_MIGRATE_MOVABLE
									     : LAB_MIGRATE_CMA);
}

/** Hand frames to the allocator. Locked. */
static void
release_frames(struct lab_zone *z, uint32_t start, uint32_t end)
{
	lab_frame_ops(z)->online(z, start, end);
	inc(&z->managed, end - start);
	z->present += end - start;
}

static void
fill(struct lab_zone *z, bool offline)
{
	if (!offline) {
		release_frames(z, 0, z->spanned);
		if (z->own_frames)
			lab_zero_fresh(z);
		return;
	}
	lab_frame_ops(z)->set_offline(z);
}

int
lab_zone_create(struct lab_zone **zone, const struct lab_zone_config *cfg)
{
	struct lab_zone *z;
	int ret;

	if (zone == NULL || cfg == NULL)
		return -EINVAL;
	ret = check_config(cfg);
	if (ret < 0)
		return ret;
	z = map_meta(cfg);
	if (z == NULL)
		return -ENOMEM;
	ret = map_frames(z, cfg);
	if (ret < 0) {
		unmap(z);
		return ret;
	}
	set_layout(z, cfg);
	set_settings(z, cfg);
	set_pageblocks(z, cfg->cma_pages);
	lab_pcp_init(z);
	fill(z, cfg->offline);
	lab_zone_set_marks(z);
	lab_pcp_setup(z);
	lab_reserve_fill(z);
	z->magic = LAB_ZONE_MAGIC;
	*zone = z;
	lab_assert_zone(z);
	return 0;
}

static int
count_allocated(const struct lab_block *b, void *arg)
{
	if (b->state == LAB_BLOCK_ALLOCATED)
		++*(unsigned long *)arg;
	return 0;
}

unsigned long
lab_zone_destroy(struct lab_zone *z)
{
	unsigned long left = 0;

	if (z == NULL || z->magic != LAB_ZONE_MAGIC)
		return 0;
	lab_reserve_drain(z);
	lab_zone_walk(z, count_allocated, &left);
	unmap(z);
	return left;
}

void
lab_zone_define(struct lab_zone **zone, const struct lab_zone_config *cfg)
{
	int ret = lab_zone_create(zone, cfg);

	if (ret < 0) {
		fprintf(stderr, "labyrinth: zone %s cannot be made: %s\n",
			cfg->name != NULL ? cfg->name : "?", strerror(-ret));
		abort();
	}
}

int
lab_zone_online(struct lab_zone *z, void *base, unsigned long nr_pages)
{
	uintptr_t off = (uintptr_t)base - (uintptr_t)z->base;
	unsigned long start = off >> LAB_PAGE_SHIFT;
	int ret = 0;

	if (off & (LAB_PAGE_SIZE - 1) || nr_pages == 0)
		return -EINVAL;
	if (start >= z->spanned || nr_pages > z->spanned - start)
		return -EINVAL;
	lab_spin_lock(&z->lock);
	for (uint32_t pfn = start; pfn < start + nr_pages && ret == 0; pfn++) {
		if (!lab_frame_ops(z)->is_offline(z, pfn))
			ret = -EEXIST;
	}
	if (ret == 0) {
		release_frames(z, start, start + nr_pages);
		lab_zone_set_marks(z);
	}
	lab_spin_unlock(&z->lock);
	lab_pcp_setup(z);
	lab_reserve_fill(z);
	lab_assert_zone(z);
	return ret;
}
