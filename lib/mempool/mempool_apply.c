/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Settings of a pool, brought to its zones.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mempool_private.h"

#define KB_PER_PAGE (LAB_PAGE_SIZE / 1024)

/* What the pool will have when it is fully populated: shares are of this, so that they add up. */
unsigned long
lab_pool_total_frames(const struct lab_pool *p)
{
	return (unsigned long)p->mp->size << p->order;
}

static unsigned long
min_free_kbytes(unsigned long frames, const struct lab_mempool_settings *s)
{
	return s->min_free_kbytes >= 0 ? (unsigned long)s->min_free_kbytes
				       : lab_min_free_kbytes(frames * KB_PER_PAGE);
}

/* Values that are right or wrong by the pool's size only. An empty pool accepts all. */
int
lab_pool_check_settings(
	unsigned long frames, const struct lab_mempool_settings *s, char *err, size_t err_len)
{
	unsigned long kb = min_free_kbytes(frames, s), most = frames * KB_PER_PAGE / 2;

	if (s->reserve_blocks > 0 && s->allocator == LAB_ALLOCATOR_BUDDY) {
		snprintf(err, err_len,
			"reserve_blocks=%u is not valid here: only the labyrinth allocator keeps "
			"blocks, set "
			"ops or allocator=labyrinth",
			s->reserve_blocks);
		return -EINVAL;
	}
	if (frames == 0 || kb <= most)
		return 0;
	snprintf(err, err_len,
		"min_free_kbytes=%s%lu is not valid: it takes 0 to %lu, half of the pool's %lu kB",
		s->min_free_kbytes < 0 ? "auto, here " : "", kb, most, frames * KB_PER_PAGE);
	return -EINVAL;
}

/* A zone's share of min_free_kbytes, by its size. */
int
lab_pool_apply_marks(struct lab_pool *p, uint32_t zone)
{
	unsigned long frames = lab_pool_total_frames(p);
	unsigned long kb = min_free_kbytes(frames, &p->settings);
	struct lab_pool_zone *z = &p->zones[zone];

	if (frames == 0)
		return 0;
	return lab_zone_set_min_free_kbytes(
		z->zone, (long)((unsigned __int128)kb * z->managed / frames));
}

/* After the marks: what can be spared depends on them. */
int
lab_pool_apply_reserve(struct lab_pool *p, uint32_t zone)
{
	return lab_zone_set_reserve(p->zones[zone].zone, p->order, p->settings.reserve_blocks);
}

static int
zone_apply_gate(struct lab_pool *p, uint32_t i, const struct lab_mempool_settings *s)
{
	struct lab_zone *zone = p->zones[i].zone;
	int ret;

	ret = lab_zone_set_watermark_scale_factor(zone, s->watermark_scale_factor);
	if (ret == 0)
		ret = lab_zone_set_watermark_boost_factor(zone, s->watermark_boost_factor);
	if (ret == 0)
		ret = lab_zone_set_lowmem_reserve(zone, lab_gfp_zone(s->gfp), s->lowmem_reserve);
	if (ret == 0)
		ret = lab_zone_set_pcp(zone, s->pcp);
	if (ret == 0)
		ret = lab_pool_apply_marks(p, i);
	return ret != 0 ? ret : lab_pool_apply_reserve(p, i);
}

/* Each zone has its own sequence, or they would refuse in step. */
int
lab_pool_apply_inject(struct lab_pool *p, uint32_t zone, const struct lab_mempool_settings *s)
{
	struct lab_inject inject = s->inject;

	inject.seed += zone;
	return lab_zone_inject(p->zones[zone].zone, &inject);
}

/* What the settings mean to a zone. */
typedef int (*zone_apply)(
	struct lab_pool *p, uint32_t zone, const struct lab_mempool_settings *settings);

static int
each_zone(struct lab_pool *p, zone_apply apply)
{
	for (uint32_t i = 0; i < p->nr_zones; i++) {
		int ret = apply(p, i, &p->settings);

		if (ret != 0)
			return ret;
	}
	return 0;
}

static int
check_creation_keys(
	const struct lab_pool *p, const struct lab_mempool_settings *s, char *err, size_t err_len)
{
	const char *key = NULL;

	if (s->allocator != p->settings.allocator)
		key = "allocator";
	else if (s->order != p->settings.order)
		key = "order";
	else if (s->linux_version != p->settings.linux_version)
		key = "linux";
	else if (s->background != p->settings.background)
		key = "background";
	if (key == NULL)
		return 0;
	snprintf(err, err_len, "%s cannot change in a running pool: set it before the pool is made",
		key);
	return -EINVAL;
}

static int
apply_groups(struct lab_pool *p, unsigned int groups)
{
	int ret = 0;

	if ((groups & LAB_KEYS_GATE) != 0)
		ret = each_zone(p, zone_apply_gate);
	if (ret == 0)
		__atomic_store_n(&p->gfp, p->settings.gfp, __ATOMIC_RELAXED);
	if (ret == 0 && (groups & LAB_KEYS_INJECT) != 0)
		ret = each_zone(p, lab_pool_apply_inject);
	if (ret == 0 && (groups & LAB_KEYS_WATCH) != 0)
		ret = each_zone(p, lab_pool_apply_watch);
	return ret;
}

/* All that the text says, or nothing; the caller holds the lock. */
int
lab_pool_apply(struct lab_pool *p, const char *text, char *err, size_t err_len)
{
	struct lab_mempool_settings old = p->settings, new = old;
	unsigned int groups = 0;
	int ret = lab_settings_parse(text, &new, &groups, err, err_len);

	if (ret == 0) {
		lab_settings_resolve(&new, p->settings.allocator);
		ret = check_creation_keys(p, &new, err, err_len);
	}
	if (ret == 0)
		ret = lab_pool_check_settings(lab_pool_total_frames(p), &new, err, err_len);
	if (ret != 0)
		return ret;
	p->settings = new;
	ret = apply_groups(p, groups);
	if (ret != 0) {
		p->settings = old;
		apply_groups(p, groups);
		snprintf(err, err_len, "the zone refused: %s", strerror(-ret));
		return ret;
	}
	if (new.reserve_blocks != old.reserve_blocks)
		lab_pool_warn_reserve(p->mp->name, &new);
	return 0;
}
