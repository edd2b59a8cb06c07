/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file named.c
 * Taking a block that the caller names: what another allocator did is done again.
 */
#include "buddy.h"
#include "warning.h"
#include "zone.h"

static uint32_t
take(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	unsigned int asked = lab_mt_mergeable(mt) ? mt : LAB_MIGRATE_UNMOVABLE;

	lab_spin_lock(&z->lock);
	pfn = lab_buddy_take_named(z, pfn, order, mt);
	if (pfn != LAB_NO_PFN) {
		lab_frame_set(z, pfn, lab_word(LAB_FRAME_ALLOCATED, order, asked, 0));
		inc(&z->n.alloc[order], 1);
	}
	lab_spin_unlock(&z->lock);
	return pfn;
}

int
lab_zone_take(struct lab_zone *z, unsigned long pfn, unsigned int order, enum lab_migratetype mt)
{
	if (z->store != NULL)
		return -ENOTSUP;
	if (order > LAB_MAX_ORDER || (unsigned int)mt >= LAB_MIGRATE_TYPES || pfn >= z->spanned ||
		z->spanned - pfn < 1UL << order || pfn & ((1UL << order) - 1))
		return -EINVAL;
	lab_warning_before(z);
	if (take(z, (uint32_t)pfn, order, mt) == LAB_NO_PFN)
		return -EBUSY;
	lab_warning_check(z, rd(&z->nr_free), 0);
	lab_alloc_finish(z, (uint32_t)pfn, order, 0);
	return 0;
}
