/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Memory of a pool: its data, its zones, and the chunks that become their frames.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysinfo.h>

#include <rte_common.h>
#include <rte_errno.h>

#include "mempool_private.h"

#define ALIGN_CHEAP ((size_t)1 << 16)

#define PAGE_ALIGN_UP(x) RTE_ALIGN_CEIL((uintptr_t)(x), LAB_PAGE_SIZE)

/* A chunk that would lose an object by the zone's alignment gets a zone of its own from this size. */
#define OWN_ZONE_BLOCKS 16

/* ---------------------------------------------------------- sizes of an object */

/*
 * Bytes of an object without the padding that DPDK adds to spread objects over memory channels:
 * blocks are spread by color, and the padding would push full-page elements to the next order.
 */
size_t
lab_pool_object_bytes(const struct rte_mempool *mp)
{
	struct rte_mempool_objsz size;

	return rte_mempool_calc_obj_size(mp->elt_size, mp->flags | RTE_MEMPOOL_F_NO_SPREAD, &size);
}

/* Smallest order of at least `least` whose block holds an object; -E2BIG over LAB_MAX_ORDER. */
static int
object_order(const struct rte_mempool *mp, unsigned int least)
{
	size_t bytes = lab_pool_object_bytes(mp);

	for (unsigned int order = least; order <= LAB_MAX_ORDER; order++)
		if (bytes <= LAB_PAGE_SIZE << order)
			return (int)order;
	return -E2BIG;
}

/* Cache lines by which an object can move in its block, a power of two, less one. */
static uint32_t
color_mask(const struct rte_mempool *mp, unsigned int order)
{
	size_t lines =
		((LAB_PAGE_SIZE << order) - lab_pool_object_bytes(mp)) / RTE_CACHE_LINE_SIZE + 1;
	size_t most = LAB_PAGE_SIZE / RTE_CACHE_LINE_SIZE;

	if ((mp->flags & RTE_MEMPOOL_F_NO_SPREAD) != 0)
		return 0;
	return rte_align32prevpow2((uint32_t)RTE_MIN(lines, most)) - 1;
}

/* ------------------------------------------------------------ pool_data */

/* Memory that other processes map too. The name is the pool's address: unique while it lives. */
const struct rte_memzone *
lab_pool_reserve(const struct rte_mempool *mp, const char *what, unsigned int i, size_t len)
{
	char name[RTE_MEMZONE_NAMESIZE];
	const struct rte_memzone *mz;

	snprintf(name, sizeof(name), "LAB%s%u_%" PRIxPTR, what, i, (uintptr_t)mp);
	mz = rte_memzone_reserve_aligned(name, len, mp->socket_id, 0, RTE_CACHE_LINE_SIZE);
	if (mz == NULL)
		mz = rte_memzone_reserve_aligned(name, len, SOCKET_ID_ANY, 0, RTE_CACHE_LINE_SIZE);
	if (mz != NULL)
		memset(mz->addr, 0, len);
	return mz;
}

static unsigned int
highest_lcore(void)
{
	unsigned int lcore, highest = 0;

	RTE_LCORE_FOREACH (lcore)
		highest = lcore;
	return highest;
}

static void
pool_init(struct lab_pool *p, struct rte_mempool *mp, const struct rte_memzone *mz,
	const struct lab_mempool_settings *s, unsigned int order)
{
	p->gfp = s->gfp;
	p->order = order;
	p->shift = LAB_PAGE_SHIFT + order;
	p->color_mask = color_mask(mp, order);
	p->header_size = mp->header_size;
	rte_spinlock_init(&p->lock);
	p->settings = *s;
	p->mz = mz;
	p->mp = mp;
	p->nr_cpus = highest_lcore() + 1;
	if (s->allocator == LAB_ALLOCATOR_LABYRINTH) /* its caches are the kernel's CPUs' */
		p->nr_cpus = RTE_MAX(p->nr_cpus, (unsigned int)get_nprocs_conf());
	p->nr_cpus = RTE_MIN(p->nr_cpus, (unsigned int)LAB_MAX_CPUS);
	p->magic = LAB_POOL_MAGIC;
}

/* By the name that the pool's ops were registered under. */
static enum lab_allocator
ops_allocator(const struct rte_mempool *mp)
{
	return strcmp(rte_mempool_get_ops(mp->ops_index)->name, LAB_MEMPOOL_OPS) == 0
		       ? LAB_ALLOCATOR_LABYRINTH
		       : LAB_ALLOCATOR_BUDDY;
}

/* The settings that the pool will have, checked against its size. @return its order. */
static int
pool_plan(const struct rte_mempool *mp, struct lab_mempool_settings *s, char *err, size_t len)
{
	int ret = lab_settings_load(mp->name, mp->pool_config, s, err, len), order;

	if (ret != 0)
		return ret;
	lab_settings_resolve(s, ops_allocator(mp));
	order = object_order(mp, s->order);
	if (order < 0) {
		snprintf(err, len, "an object of %zu bytes is larger than a block of order %d",
			lab_pool_object_bytes(mp), LAB_MAX_ORDER);
		return -EINVAL;
	}
	ret = lab_pool_check_settings((unsigned long)mp->size << order, s, err, len);
	return ret != 0 ? ret : order;
}

int
lab_pool_alloc(struct rte_mempool *mp)
{
	struct lab_mempool_settings s;
	char err[LAB_MEMPOOL_ERR_LEN];
	const struct rte_memzone *mz;
	int order = pool_plan(mp, &s, err, sizeof(err));

	if (order < 0) {
		LAB_LOG(ERR, "pool %s: %s", mp->name, err);
		return order;
	}
	mz = lab_pool_reserve(mp, "P", 0, sizeof(struct lab_pool));
	if (mz == NULL) {
		LAB_LOG(ERR, "pool %s: no memory for %zu bytes of pool data", mp->name,
			sizeof(struct lab_pool));
		return -ENOMEM;
	}
	pool_init(mz->addr, mp, mz, &s, (unsigned int)order);
	mp->pool_data = mz->addr;
	lab_pool_warn_reserve(mp->name, &s);
	return 0;
}

static void
zone_drop(struct lab_pool_zone *z)
{
	lab_pool_unwatch_zone(z);
	lab_zone_destroy(z->zone);
	rte_memzone_free(z->meta);
	rte_memzone_free(z->watch);
	z->watch = NULL;
}

/* Forget all memory: what the frames were is gone or going. */
static void
pool_drop_zones(struct lab_pool *p)
{
	lab_pool_background_stop(p);
	lab_pool_drop_tenants(p);
	for (uint32_t i = 0; i < p->nr_zones; i++)
		zone_drop(&p->zones[i]);
	p->nr_zones = 0;
	p->extents.nr = 0;
}

void
lab_pool_free(struct rte_mempool *mp)
{
	struct lab_pool *p = mp->pool_data;

	if (p == NULL)
		return;
	lab_mempool_telemetry_lock();
	mp->pool_data = NULL;
	p->magic = 0;
	pool_drop_zones(p);
	rte_memzone_free(p->mz);
	lab_mempool_telemetry_unlock();
}

/* -------------------------------------------------------- calc_mem_size */

/* Also asked before the pool has its data (and while it loses it). */
static int
pool_order(const struct rte_mempool *mp)
{
	const struct lab_pool *p = mp->pool_data;
	struct lab_mempool_settings s;
	char err[LAB_MEMPOOL_ERR_LEN];

	return p != NULL ? (int)p->order : pool_plan(mp, &s, err, sizeof(err));
}

/*
 * A block an object. Blocks of up to a page are aligned so that none crosses a page; larger ones
 * only need to be contiguous, and are aligned as far as it is cheap, so that chunks that a page
 * break splits are in phase with each other.
 */
ssize_t
lab_pool_calc_mem_size(const struct rte_mempool *mp, uint32_t obj_num, uint32_t pg_shift,
	size_t *min_chunk_size, size_t *align)
{
	int order = pool_order(mp);
	size_t block;

	if (order < 0)
		return order;
	block = LAB_PAGE_SIZE << order;
	*min_chunk_size = block;
	*align = RTE_MAX((size_t)1 << pg_shift, ALIGN_CHEAP);
	*align = RTE_MIN(block, *align);
	return (ssize_t)(block * obj_num);
}

/* ----------------------------------------------------------------- zones */

struct memzone_search {
	uintptr_t addr;
	uintptr_t end; /* out: 0 if no memzone holds addr */
};

static void
memzone_holds(const struct rte_memzone *mz, void *arg)
{
	struct memzone_search *s = arg;
	uintptr_t start = (uintptr_t)mz->addr;

	if (s->addr - start < mz->len)
		s->end = start + mz->len;
}

/*
 * End of the span of a zone that starts at base with a chunk up to end. With physical addresses a
 * pool arrives in many small chunks: the zone spans ahead to the end of the memzone, or, in memory of
 * somebody else's, as far as the objects that are still missing would reach.
 */
static uintptr_t
span_end(const struct lab_pool *p, uintptr_t base, uintptr_t end)
{
	struct memzone_search s = {.addr = base};
	uintptr_t want = (uintptr_t)(p->mp->size - p->mp->populated_size) << p->shift;

	rte_memzone_walk(memzone_holds, &s);
	if (s.end != 0) /* some of it may be lost at page breaks */
		want = RTE_MIN(2 * want, (s.end & ~(LAB_PAGE_SIZE - 1)) - base);
	return RTE_MAX(base + want, end);
}

static struct lab_zone_config
zone_config(const struct lab_pool *p, uintptr_t base, uintptr_t end)
{
	const struct lab_mempool_settings *s = &p->settings;
	struct lab_zone_config cfg = lab_zone_config_default((end - base) >> LAB_PAGE_SHIFT);

	cfg.node = p->mp->socket_id < 0 ? 0 : p->mp->socket_id;
	cfg.allocator = (enum lab_allocator)s->allocator;
	cfg.nr_processes = LAB_MAX_PROCESSES;
	cfg.linux_version = s->linux_version;
	cfg.base = (void *)base;
	cfg.offline = true;
	cfg.keep_content = true; /* objects are initialised once */
	cfg.nr_cpus = p->nr_cpus;
	cfg.no_pcp = !s->pcp;
	cfg.min_free_kbytes = 0;
	cfg.watermark_scale_factor = s->watermark_scale_factor;
	cfg.watermark_boost_factor = (int)s->watermark_boost_factor;
	cfg.lowmem_reserve[lab_gfp_zone(s->gfp)] = s->lowmem_reserve;
	return cfg;
}

static int
zone_make(struct lab_pool *p, struct lab_pool_zone *z, uintptr_t base, uintptr_t end)
{
	struct lab_zone_config cfg = zone_config(p, base, end);
	uintptr_t meta;
	int ret;

	cfg.meta_len = lab_zone_meta_size(&cfg);
	z->meta = lab_pool_reserve(p->mp, "Z", p->nr_zones, cfg.meta_len);
	if (z->meta == NULL)
		return -ENOMEM;
	meta = (uintptr_t)z->meta->addr;
	if (meta > base && meta < end) /* spanned too far ahead */
		cfg.nr_pages = (meta - base) >> LAB_PAGE_SHIFT;
	cfg.meta = z->meta->addr;
	ret = lab_zone_create(&z->zone, &cfg);
	if (ret != 0) {
		rte_memzone_free(z->meta);
		return ret;
	}
	z->base = base;
	z->spanned = cfg.nr_pages;
	z->managed = 0;
	return 0;
}

/* A further zone, which starts with the chunk [base, end). @return its index. */
static int
zone_add(struct lab_pool *p, uintptr_t base, uintptr_t end)
{
	struct lab_pool_zone *z = &p->zones[p->nr_zones];
	int ret;

	if (p->nr_zones == LAB_MEMPOOL_MAX_ZONES)
		return -ENOSPC;
	ret = zone_make(p, z, base, span_end(p, base, end));
	if (ret != 0)
		return ret;
	ret = lab_pool_apply_inject(p, p->nr_zones, &p->settings);
	if (ret == 0)
		ret = lab_pool_apply_watch(p, p->nr_zones, &p->settings);
	if (ret != 0) {
		zone_drop(z);
		return ret;
	}
	lab_pool_watch_zone(z);
	__atomic_store_n(&p->nr_zones, p->nr_zones + 1, __ATOMIC_RELEASE);
	return (int)p->nr_zones - 1;
}

static unsigned long
blocks_between(const struct lab_pool *p, uintptr_t start, uintptr_t end)
{
	return start < end ? (end - start) >> p->shift : 0;
}

/* First block of a zone at or after addr. */
static uintptr_t
zone_block_at(const struct lab_pool *p, const struct lab_pool_zone *z, uintptr_t addr)
{
	return z->base + RTE_ALIGN_CEIL(addr - z->base, lab_pool_block_bytes(p));
}

/* A run of blocks in a zone. */
struct chunk {
	uintptr_t start; /* of the first block */
	unsigned long blocks;
	uint32_t zone;
};

/* Blocks that zone i would hold of the memory [addr, end), at most max. */
static struct chunk
chunk_in_zone(
	const struct lab_pool *p, uint32_t i, uintptr_t addr, uintptr_t end, unsigned long max)
{
	const struct lab_pool_zone *z = &p->zones[i];
	uintptr_t z_end = z->base + (z->spanned << LAB_PAGE_SHIFT);
	struct chunk c = {.zone = i};

	if (addr < z->base || addr >= z_end)
		return c;
	end = RTE_MIN(end, z_end);
	c.start = zone_block_at(p, z, addr);
	c.blocks = blocks_between(p, c.start, end);
	c.blocks = RTE_MIN(c.blocks, max);
	return c;
}

/*
 * Choose a zone for the memory [addr, end): one that spans it, unless that would cost objects that a
 * zone of its own would hold; small pieces (physical addresses, small pages) are not worth a zone.
 * @return 0 also if it holds no object.
 */
static int
chunk_plan(struct lab_pool *p, uintptr_t addr, uintptr_t end, unsigned long max, struct chunk *c)
{
	unsigned long own = blocks_between(p, addr, end);
	int zone;

	*c = (struct chunk){0};
	own = RTE_MIN(own, max);
	if (own == 0)
		return 0;
	for (uint32_t i = 0; i < p->nr_zones; i++) {
		uintptr_t z_end = p->zones[i].base + (p->zones[i].spanned << LAB_PAGE_SHIFT);
		bool spans = addr >= p->zones[i].base && end <= z_end;

		*c = chunk_in_zone(p, i, addr, end, max);
		if (c->blocks == own || (spans && own < OWN_ZONE_BLOCKS))
			return 0;
	}
	zone = zone_add(p, addr, addr + (own << p->shift));
	if (zone < 0)
		return zone;
	*c = chunk_in_zone(p, (uint32_t)zone, addr, end, max);
	return 0;
}

/* -------------------------------------------------------------- populate */

static void
objects_init(const struct lab_pool *p, const struct chunk *c, uintptr_t vaddr, rte_iova_t iova,
	rte_mempool_populate_obj_cb_t *obj_cb, void *arg)
{
	uintptr_t base = p->zones[c->zone].base;

	for (unsigned long i = 0; i < c->blocks; i++) {
		uintptr_t block = c->start + (i << p->shift);
		uintptr_t color = ((block - base) >> p->shift) & p->color_mask;
		uintptr_t obj = block + (color << 6) + p->header_size;

		obj_cb(p->mp, arg, (void *)obj,
			iova == RTE_BAD_IOVA ? RTE_BAD_IOVA : iova + (obj - vaddr));
	}
}

/* Objects are initialised before their frames can be handed out. */
static int
chunk_online(struct lab_pool *p, const struct chunk *c, uintptr_t vaddr, rte_iova_t iova,
	rte_mempool_populate_obj_cb_t *obj_cb, void *arg)
{
	struct lab_pool_zone *z = &p->zones[c->zone];
	unsigned long frames = c->blocks << p->order;
	uintptr_t end = c->start + (c->blocks << p->shift);
	int ret;

	if (lab_extent_overlaps(&p->extents, c->start, end))
		return -EEXIST;
	ret = lab_extent_add(&p->extents, c->start, end, c->zone);
	if (ret != 0)
		return ret;
	objects_init(p, c, vaddr, iova, obj_cb, arg);
	ret = lab_zone_online(z->zone, (void *)c->start, frames);
	if (ret != 0)
		return ret;
	z->managed += frames;
	ret = lab_pool_apply_marks(p, c->zone);
	return ret != 0 ? ret : lab_pool_apply_reserve(p, c->zone);
}

static int
pool_add_chunk(struct lab_pool *p, unsigned int max_objs, uintptr_t vaddr, rte_iova_t iova,
	size_t len, rte_mempool_populate_obj_cb_t *obj_cb, void *arg)
{
	struct chunk c;
	int ret;

	if (p->mp->nb_mem_chunks == 0 && p->nr_zones > 0) /* its memory was taken back */
		pool_drop_zones(p);
	ret = chunk_plan(p, PAGE_ALIGN_UP(vaddr), vaddr + len, max_objs, &c);
	if (ret == 0 && c.blocks > 0)
		ret = chunk_online(p, &c, vaddr, iova, obj_cb, arg);
	if (ret == 0)
		ret = lab_pool_background_start(p);
	return ret != 0 ? ret : (int)c.blocks;
}

static const char *
populate_error(int err)
{
	switch (err) {
	case -EEXIST:
		return "part of it was added before";
	case -ENOSPC:
		return "the pool's memory is in too many pieces";
	case -ENOMEM:
		return "no memory for the zone's metadata";
	default:
		return strerror(-err);
	}
}

int
lab_pool_populate(struct rte_mempool *mp, unsigned int max_objs, void *vaddr, rte_iova_t iova,
	size_t len, rte_mempool_populate_obj_cb_t *obj_cb, void *obj_cb_arg)
{
	struct lab_pool *p = mp->pool_data;
	int ret;

	rte_spinlock_lock(&p->lock);
	ret = pool_add_chunk(p, max_objs, (uintptr_t)vaddr, iova, len, obj_cb, obj_cb_arg);
	rte_spinlock_unlock(&p->lock);
	if (ret < 0)
		LAB_LOG(ERR, "pool %s: cannot add the %zu bytes at %p: %s", mp->name, len, vaddr,
			populate_error(ret));
	return ret;
}
