/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <string.h>

#include "lab_base.h"
#include "lab_frag.h"

void
lab_frag_table(struct lab_zone *zone, struct lab_frag_row rows[LAB_NR_ORDERS])
{
	struct lab_free_counts counts;
	unsigned long suitable_pages = 0;

	lab_zone_free_counts(zone, &counts);
	for (unsigned int o = LAB_NR_ORDERS; o-- > 0;) {
		struct lab_frag_row *row = &rows[o];

		*row = (struct lab_frag_row){.order = o};
		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			row->free_blocks += counts.blocks[o][mt];
		suitable_pages += row->free_blocks << o;
		row->suitable = suitable_pages >> o;
		row->unusable = lab_unusable_free_index(&counts, o);
		row->extfrag = lab_fragmentation_index(&counts, o);
	}
}

void
lab_frag_table_print(const struct lab_frag_row rows[LAB_NR_ORDERS], FILE *out)
{
	fprintf(out, "%5s %10s %10s %9s %8s\n", "order", "free", "suitable", "unusable", "extfrag");
	for (int o = 0; o < LAB_NR_ORDERS; o++)
		fprintf(out, "%5u %10lu %10lu %9.3f %8.3f\n", rows[o].order, rows[o].free_blocks,
			rows[o].suitable, rows[o].unusable / 1000.0, rows[o].extfrag / 1000.0);
}

/* ---------------------------------------------------------------- histogram */

#define UNMANAGED UINT16_MAX

struct per_block {
	uint16_t *free; /* free frames by pageblock, UNMANAGED while no managed frame was seen */
	unsigned long nr;
};

static int
add_free(const struct lab_block *b, void *arg)
{
	struct per_block *p = arg;
	unsigned long pages = 1UL << b->order, pfn = b->pfn, end = pfn + pages;
	bool is_free = b->state == LAB_BLOCK_FREE || b->state == LAB_BLOCK_PCP;

	if (b->state == LAB_BLOCK_OFFLINE)
		return 0;
	while (pfn < end) {
		unsigned long i = pfn / LAB_PAGEBLOCK_PAGES;
		unsigned long next = (i + 1) * LAB_PAGEBLOCK_PAGES;
		unsigned long n = (next < end ? next : end) - pfn;

		if (p->free[i] == UNMANAGED)
			p->free[i] = 0;
		if (is_free)
			p->free[i] = (uint16_t)(p->free[i] + n);
		pfn += n;
	}
	return 0;
}

int
lab_frag_histogram(struct lab_zone *zone, struct lab_frag_histogram *out)
{
	struct per_block p;
	struct lab_zone_info info;

	lab_zone_info_get(zone, &info);
	p.nr = (info.spanned + LAB_PAGEBLOCK_PAGES - 1) / LAB_PAGEBLOCK_PAGES;
	p.free = malloc((p.nr + 1) * sizeof(*p.free));
	if (p.free == NULL)
		return -ENOMEM;
	memset(p.free, 0xff, p.nr * sizeof(*p.free));
	lab_zone_walk(zone, add_free, &p);
	memset(out, 0, sizeof(*out));
	for (unsigned long i = 0; i < p.nr; i++) {
		if (p.free[i] == UNMANAGED)
			continue;
		out->pageblocks++;
		out->free_pages += p.free[i];
		out->count[p.free[i]]++;
	}
	out->entirely_free = out->count[LAB_PAGEBLOCK_PAGES];
	free(p.free);
	return 0;
}
