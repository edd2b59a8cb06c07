/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_FORMAT_H
#define LAB_FRAG_FORMAT_H

/* Inside lib/frag only: what saving and loading share. docs/zone-format.md is the format. */

#include "tenants.h"
#include "words.h"

#define ZONE_MAGIC   "labyrinth-zone"
#define ZONE_VERSION 1

/** Do blocks stand in the zone that the tenants do not hold? Those in per-CPU lists count as such. */
bool zone_has_others(struct lab_tenants *t);

static inline unsigned long
zone_pageblocks(const struct lab_tenants *t)
{
	return (t->spanned + LAB_PAGEBLOCK_PAGES - 1) / LAB_PAGEBLOCK_PAGES;
}

#endif /* LAB_FRAG_FORMAT_H */
