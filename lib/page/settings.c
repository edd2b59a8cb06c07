/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file settings.c
 * A zone's marks and what sets them; what a zone tells of itself.
 */
#include "buddy.h"
#include "gate.h"
#include "zero.h"
#include "zone.h"

#define MAX_RESERVE (1UL << 62)
#define NEVER       (1UL << 61)

/** From how many free pages on nothing keeps an order-0 request from being served: any request, and an
 *  atomic one, which has the half and the quarter of the min mark to itself. */
void
lab_zone_set_open(struct lab_zone *z)
{
	unsigned long min = rd(&z->wmark[LAB_ALLOC_WMARK_MIN]), most = 0;

	for (int i = 0; i < LAB_NR_ZONE_TYPES; i++) {
		unsigned long reserve = rd(&z->lowmem_reserve[i]);

		most = reserve > most ? reserve : most;
	}
	min -= min / 2;
	most += (1UL << LAB_STACK_MAX_ORDER) - 1; /* for every order that has stacks */
	if (z->store == NULL || !rd(&z->pcp_on) || rd(&z->watched))
		most = NEVER;
	wr(&z->open_above[0], min - min / 4 + most);
	wr(&z->open_above[1], rd(&z->wmark[LAB_ALLOC_WMARK_HIGH]) + most);
	wr(&z->open, lab_open(z, rd(&z->nr_free)));
}

void
lab_watch(struct lab_zone *z, uint8_t what, bool on)
{
	if (on)
		atomic_fetch_or_explicit(&z->watched, what, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&z->watched, (uint8_t)~what, memory_order_relaxed);
	lab_zone_set_open(z);
}

/** [__setup_per_zone_wmarks] */
void
lab_zone_set_marks(struct lab_zone *z)
{
	struct lab_watermarks w;

	z->min_free_kbytes = z->min_free_kbytes_set;
	if (z->min_free_kbytes_set < 0)
		z->min_free_kbytes = lab_min_free_kbytes(rd(&z->managed) * KB_PER_PAGE);
	w = lab_watermarks(rd(&z->managed), z->min_free_kbytes / KB_PER_PAGE, rd(&z->scale_factor));
	wr(&z->wmark[LAB_ALLOC_WMARK_MIN], w.min);
	wr(&z->wmark[LAB_ALLOC_WMARK_LOW], w.low);
	wr(&z->wmark[LAB_ALLOC_WMARK_HIGH], w.high);
	wr(&z->wmark[LAB_NR_WMARKS - 1], w.promo);
	wr(&z->boost, 0); /* it was a share of the old marks */
	lab_zone_set_open(z);
}

int
lab_zone_set_min_free_kbytes(struct lab_zone *z, long kbytes)
{
	if (!lab_min_free_is_ok(kbytes, z->spanned))
		return -EINVAL;
	lab_spin_lock(&z->lock);
	z->min_free_kbytes_set = kbytes;
	lab_zone_set_marks(z);
	lab_spin_unlock(&z->lock);
	lab_pcp_setup(z);
	return 0;
}

int
lab_zone_set_watermark_scale_factor(struct lab_zone *z, unsigned int factor)
{
	if (!lab_scale_is_ok(factor))
		return -EINVAL;
	lab_spin_lock(&z->lock);
	wr(&z->scale_factor, factor);
	lab_zone_set_marks(z);
	lab_spin_unlock(&z->lock);
	lab_pcp_setup(z);
	return 0;
}

int
lab_zone_set_watermark_boost_factor(struct lab_zone *z, unsigned int factor)
{
	if (factor > INT32_MAX)
		return -EINVAL;
	wr(&z->boost_factor, factor);
	return 0;
}

void
lab_zone_set_boost(struct lab_zone *z, unsigned long pages)
{
	lab_spin_lock(&z->lock);
	wr(&z->boost, pages < rd(&z->managed) ? pages : rd(&z->managed));
	lab_spin_unlock(&z->lock);
}

int
lab_zone_set_lowmem_reserve(struct lab_zone *z, enum lab_zone_type highest, unsigned long pages)
{
	if ((unsigned int)highest >= LAB_NR_ZONE_TYPES)
		return -EINVAL;
	/* More than any zone has; more still would overflow in the gate's sums. */
	lab_spin_lock(&z->lock);
	wr(&z->lowmem_reserve[highest], pages < MAX_RESERVE ? pages : MAX_RESERVE);
	lab_zone_set_open(z);
	lab_spin_unlock(&z->lock);
	return 0;
}

/* ------------------------------------------------------------------- info */

static void
get_settings(struct lab_zone *z, struct lab_zone_info *out)
{
	strcpy(out->name, z->name);
	out->node = z->node;
	out->type = z->type;
	out->allocator = z->allocator;
	out->linux_version = z->linux_version;
	out->base = z->base;
	out->min_free_kbytes = z->min_free_kbytes;
	out->watermark_scale_factor = rd(&z->scale_factor);
	out->watermark_boost_factor = rd(&z->boost_factor);
	out->nr_cpus = z->nr_cpus;
	out->hugepages = z->hugepages;
	out->keep_content = z->keep_content;
	out->zero_target = rd(&z->zero_target);
	for (int i = 0; i < LAB_NR_ZONE_TYPES; i++)
		out->lowmem_reserve[i] = rd(&z->lowmem_reserve[i]);
}

static void
get_counts(struct lab_zone *z, struct lab_zone_info *out)
{
	out->spanned = z->spanned;
	out->present = z->present;
	out->managed = rd(&z->managed);
	out->nr_free = rd(&z->nr_free);
	out->nr_free_cma = rd(&z->nr_free_cma);
	out->nr_pcp = lab_pcp_pages(z);
	out->nr_highatomic = rd(&z->nr_reserved_highatomic);
	out->nr_free_highatomic = rd(&z->nr_free_highatomic);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		out->nr_reserve += (unsigned long)lab_zone_reserve_held(z, o) << o;
	out->nr_zeroed = z->store != NULL ? lab_zero_count(z) : 0;
	out->boost = rd(&z->boost);
	out->wmark = (struct lab_watermarks){.min = rd(&z->wmark[LAB_ALLOC_WMARK_MIN]),
		.low = rd(&z->wmark[LAB_ALLOC_WMARK_LOW]),
		.high = rd(&z->wmark[LAB_ALLOC_WMARK_HIGH]),
		.promo = rd(&z->wmark[LAB_NR_WMARKS - 1])};
}

void
lab_zone_info_get(struct lab_zone *z, struct lab_zone_info *out)
{
	struct lab_pcp_info pcp;

	memset(out, 0, sizeof(*out));
	lab_zone_pcp_info(z, 0, &pcp);
	out->pcp_batch = pcp.batch;
	out->pcp_high = pcp.high;
	lab_spin_lock(&z->lock);
	get_settings(z, out);
	get_counts(z, out);
	lab_spin_unlock(&z->lock);
	lab_inject_get(z, &out->inject);
}
