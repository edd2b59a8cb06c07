/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "lab_page.h"

/* The kernel stops counting a free list here. */
#define PAGETYPEINFO_CAP 100000UL

static const struct {
	const char *name;
	char letter; /* as in the free blocks of warn_alloc */
} types[LAB_MIGRATE_TYPES] = {
	[LAB_MIGRATE_UNMOVABLE] = {"Unmovable", 'U'},
	[LAB_MIGRATE_MOVABLE] = {"Movable", 'M'},
	[LAB_MIGRATE_RECLAIMABLE] = {"Reclaimable", 'E'},
	[LAB_MIGRATE_HIGHATOMIC] = {"HighAtomic", 'H'},
	[LAB_MIGRATE_CMA] = {"CMA", 'C'},
	[LAB_MIGRATE_ISOLATE] = {"Isolate", 'I'},
};

static unsigned long
to_kb(unsigned long pages)
{
	return pages << (LAB_PAGE_SHIFT - 10);
}

static unsigned long
blocks_of_order(const struct lab_free_counts *counts, unsigned int order)
{
	unsigned long n = 0;

	for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++)
		n += counts->blocks[order][type];
	return n;
}

void
lab_zone_buddyinfo(struct lab_zone *zone, FILE *out)
{
	struct lab_free_counts counts;
	struct lab_zone_info info;

	lab_zone_info_get(zone, &info);
	lab_zone_free_counts(zone, &counts);
	fprintf(out, "Node %d, zone %8s ", info.node, info.name);
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++)
		fprintf(out, "%6lu ", blocks_of_order(&counts, order));
	fputc('\n', out);
}

/* ----------------------------------------------------------- pagetypeinfo */

/** The pageblocks of which no frame is online have no type to count. */
struct online_map {
	unsigned char *online; /* one a pageblock */
	unsigned long nr;
};

static int
mark_online(const struct lab_block *b, void *arg)
{
	struct online_map *map = arg;
	unsigned long first = b->pfn >> LAB_PAGEBLOCK_ORDER;
	unsigned long last = (b->pfn + (1UL << b->order) - 1) >> LAB_PAGEBLOCK_ORDER;

	for (unsigned long i = first; i <= last && i < map->nr; i++)
		map->online[i] |= b->state != LAB_BLOCK_OFFLINE;
	return 0;
}

/** Count the span's pageblocks by type; without memory for the map, the offline ones too. */
static void
count_pageblocks(struct lab_zone *zone, const struct lab_zone_info *info,
	unsigned long count[LAB_MIGRATE_TYPES])
{
	struct online_map map = {
		.nr = (info->spanned + LAB_PAGEBLOCK_PAGES - 1) >> LAB_PAGEBLOCK_ORDER};

	if (info->present < info->spanned)
		map.online = calloc(map.nr, 1);
	if (map.online != NULL)
		lab_zone_walk(zone, mark_online, &map);
	memset(count, 0, LAB_MIGRATE_TYPES * sizeof(count[0]));
	for (unsigned long i = 0; i < map.nr; i++) {
		if (map.online == NULL || map.online[i])
			count[lab_pageblock_migratetype(zone, i << LAB_PAGEBLOCK_ORDER)]++;
	}
	free(map.online);
}

/** A kernel without CMA has no such type, and a zone without it shows none. */
static bool
type_shown(unsigned int type, const unsigned long pageblocks[LAB_MIGRATE_TYPES])
{
	return type != LAB_MIGRATE_CMA || pageblocks[LAB_MIGRATE_CMA] > 0;
}

static void
print_free_of_type(const struct lab_zone_info *info, const struct lab_free_counts *counts,
	unsigned int type, FILE *out)
{
	fprintf(out, "Node %4d, zone %8s, type %12s ", info->node, info->name, types[type].name);
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		unsigned long n = counts->blocks[order][type];

		if (n >= PAGETYPEINFO_CAP)
			fprintf(out, ">%6lu ", PAGETYPEINFO_CAP);
		else
			fprintf(out, "%6lu ", n);
	}
	fputc('\n', out);
}

void
lab_zone_pagetypeinfo(struct lab_zone *zone, FILE *out)
{
	unsigned long pageblocks[LAB_MIGRATE_TYPES];
	struct lab_free_counts counts;
	struct lab_zone_info info;

	lab_zone_info_get(zone, &info);
	lab_zone_free_counts(zone, &counts);
	count_pageblocks(zone, &info, pageblocks);

	fprintf(out, "Page block order: %d\nPages per block:  %lu\n\n", LAB_PAGEBLOCK_ORDER,
		LAB_PAGEBLOCK_PAGES);
	fprintf(out, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++)
		fprintf(out, "%6u ", order);
	fputc('\n', out);
	for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++) {
		if (type_shown(type, pageblocks))
			print_free_of_type(&info, &counts, type, out);
	}

	fprintf(out, "\n%-23s", "Number of blocks type ");
	for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++) {
		if (type_shown(type, pageblocks))
			fprintf(out, "%12s ", types[type].name);
	}
	fprintf(out, "\nNode %d, zone %8s ", info.node, info.name);
	for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++) {
		if (type_shown(type, pageblocks))
			fprintf(out, "%12lu ", pageblocks[type]);
	}
	fputc('\n', out);
}

/* --------------------------------------------------------------- zoneinfo */

static unsigned long
cma_pages(struct lab_zone *zone, const struct lab_zone_info *info)
{
	unsigned long count[LAB_MIGRATE_TYPES];

	count_pageblocks(zone, info, count);
	return count[LAB_MIGRATE_CMA] << LAB_PAGEBLOCK_ORDER;
}

static void
print_marks(struct lab_zone *zone, const struct lab_zone_info *info, FILE *out)
{
	fprintf(out, "\n  pages free     %lu", info->nr_free);
	fprintf(out, "\n        boost    %lu", info->boost);
	fprintf(out, "\n        min      %lu", info->wmark.min + info->boost);
	fprintf(out, "\n        low      %lu", info->wmark.low + info->boost);
	fprintf(out, "\n        high     %lu", info->wmark.high + info->boost);
	if (info->linux_version != LAB_LINUX_6_1)
		fprintf(out, "\n        promo    %lu", info->wmark.promo + info->boost);
	fprintf(out, "\n        spanned  %lu", info->spanned);
	fprintf(out, "\n        present  %lu", info->present);
	fprintf(out, "\n        managed  %lu", info->managed);
	fprintf(out, "\n        cma      %lu", cma_pages(zone, info));
	fprintf(out, "\n        protection: (%lu", info->lowmem_reserve[0]);
	for (unsigned int i = 1; i < LAB_NR_ZONE_TYPES; i++)
		fprintf(out, ", %lu", info->lowmem_reserve[i]);
	fputc(')', out);
}

/** The zone's counters in the kernel's order; what a zone of frames has not is 0. */
static void
print_counters(struct lab_zone *zone, const struct lab_zone_info *info, FILE *out)
{
	static const char *const none[] = {"nr_zone_inactive_anon", "nr_zone_active_anon",
		"nr_zone_inactive_file", "nr_zone_active_file", "nr_zone_unevictable",
		"nr_zone_write_pending", "nr_mlock", "nr_bounce"};
	struct lab_zone_stats stats;
	uint64_t hits = 0;

	lab_zone_stats_get(zone, &stats);
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++)
		hits += stats.alloc[order];
	fprintf(out, "\n      %-12s %lu", "nr_free_pages", info->nr_free);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(none); i++)
		fprintf(out, "\n      %-12s 0", none[i]);
	fprintf(out, "\n      %-12s %lu", "nr_free_cma", info->nr_free_cma);
	fprintf(out, "\n      %-12s %lu", "numa_hit", (unsigned long)hits);
	fprintf(out, "\n      %-12s 0", "numa_miss");
	fprintf(out, "\n      %-12s 0", "numa_foreign");
	fprintf(out, "\n      %-12s 0", "numa_interleave");
	fprintf(out, "\n      %-12s %lu", "numa_local", (unsigned long)hits);
	fprintf(out, "\n      %-12s 0", "numa_other");
}

static void
print_pageset(struct lab_zone *zone, const struct lab_zone_info *info, unsigned int cpu, FILE *out)
{
	struct lab_pcp_info pcp;

	if (lab_zone_pcp_info(zone, cpu, &pcp) != 0)
		return;
	fprintf(out, "\n    cpu: %u", cpu);
	if (info->linux_version == LAB_LINUX_6_1) {
		fprintf(out, "\n              count: %d", pcp.count);
		fprintf(out, "\n              high:  %d", pcp.high);
		fprintf(out, "\n              batch: %d", pcp.batch);
	} else {
		fprintf(out, "\n              count:    %d", pcp.count);
		fprintf(out, "\n              high:     %d", pcp.high);
		fprintf(out, "\n              batch:    %d", pcp.batch);
		fprintf(out, "\n              high_min: %d", pcp.high_min);
		fprintf(out, "\n              high_max: %d", pcp.high_max);
	}
	/* The kernel's counters lag by up to this much; a zone's are exact. */
	fprintf(out, "\n  vm stats threshold: 0");
}

void
lab_zone_zoneinfo(struct lab_zone *zone, FILE *out)
{
	struct lab_zone_info info;

	lab_zone_info_get(zone, &info);
	fprintf(out, "Node %d, zone %8s", info.node, info.name);
	print_marks(zone, &info, out);
	if (info.managed == 0) { /* as of a zone without memory, the kernel tells no more */
		fputc('\n', out);
		return;
	}
	print_counters(zone, &info, out);
	fprintf(out, "\n  pagesets");
	for (unsigned int cpu = 0; cpu < info.nr_cpus; cpu++)
		print_pageset(zone, &info, cpu, out);
	fprintf(out, "\n  node_unreclaimable:  0\n  start_pfn:           0\n");
}

/* ------------------------------------------------------------- warn_alloc */

static void
print_headline(const struct lab_refusal *r, const char *comm, FILE *out)
{
	/* The kernel knows an OOM victim from its task, so no mask of its shows that. */
	lab_gfp_t gfp = r->gfp & ~__LAB_GFP_OOM_VICTIM;
	char flags[512] = "";

	if (gfp != 0)
		lab_gfp_format(gfp, flags, sizeof(flags));
	fprintf(out, "%s: page allocation failure: order:%u, mode:0x%x(%s), nodemask=(null)", comm,
		r->order, gfp, flags);
	fprintf(out, ",cpuset=/,mems_allowed=0\n");
}

/** The sums over all zones; pages of kinds that a zone of frames has not are 0. */
static void
print_sums(const struct lab_zone_info *info, FILE *out)
{
	fprintf(out, "active_anon:0 inactive_anon:0 isolated_anon:0\n"
		     " active_file:0 inactive_file:0 isolated_file:0\n"
		     " unevictable:0 dirty:0 writeback:0\n"
		     " slab_reclaimable:0 slab_unreclaimable:0\n"
		     " mapped:0 shmem:0 pagetables:0\n"
		     " sec_pagetables:0 bounce:0\n"
		     " kernel_misc_reclaimable:0\n");
	fprintf(out, " free:%lu free_pcp:%lu free_cma:%lu\n", info->nr_free, info->nr_pcp,
		info->nr_free_cma);
}

static void
print_node(const struct lab_zone_info *info, FILE *out)
{
	fprintf(out,
		"Node %d active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB"
		" unevictable:0kB isolated(anon):0kB isolated(file):0kB mapped:0kB dirty:0kB"
		" writeback:0kB shmem:0kB writeback_tmp:0kB kernel_stack:0kB pagetables:0kB"
		" sec_pagetables:0kB all_unreclaimable? no\n",
		info->node);
}

static void
print_zone(const struct lab_zone_info *info, unsigned long local_pcp, FILE *out)
{
	fprintf(out, "Node %d %s free:%lukB boost:%lukB min:%lukB low:%lukB high:%lukB", info->node,
		info->name, to_kb(info->nr_free), to_kb(info->boost),
		to_kb(info->wmark.min + info->boost), to_kb(info->wmark.low + info->boost),
		to_kb(info->wmark.high + info->boost));
	fprintf(out, " reserved_highatomic:%luKB", to_kb(info->nr_highatomic));
	fprintf(out, " active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB"
		     " unevictable:0kB writepending:0kB");
	fprintf(out, " present:%lukB managed:%lukB mlocked:0kB bounce:0kB", to_kb(info->present),
		to_kb(info->managed));
	fprintf(out, " free_pcp:%lukB local_pcp:%lukB free_cma:%lukB\n", to_kb(info->nr_pcp),
		to_kb(local_pcp), to_kb(info->nr_free_cma));

	fprintf(out, "lowmem_reserve[]:");
	for (unsigned int i = 0; i < LAB_NR_ZONE_TYPES; i++)
		fprintf(out, " %lu", info->lowmem_reserve[i]);
	fputc('\n', out);
}

/** "N*4kB (UM) ", the letters naming the lists that have blocks of the order. */
static void
print_order(const struct lab_free_counts *counts, unsigned int order, FILE *out)
{
	unsigned long n = blocks_of_order(counts, order);

	fprintf(out, "%lu*%lukB ", n, to_kb(1) << order);
	if (n == 0)
		return;
	fputc('(', out);
	for (unsigned int type = 0; type < LAB_MIGRATE_TYPES; type++) {
		if (counts->blocks[order][type])
			fputc(types[type].letter, out);
	}
	fputs(") ", out);
}

static void
print_free_blocks(const struct lab_zone_info *info, const struct lab_free_counts *counts, FILE *out)
{
	unsigned long pages = 0;

	fprintf(out, "Node %d %s: ", info->node, info->name);
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		print_order(counts, order, out);
		pages += blocks_of_order(counts, order) << order;
	}
	fprintf(out, "= %lukB\n", to_kb(pages));
}

/* Who holds the zone: not the kernel's, which has page_owner for it. */
#define WARN_OWNERS 8U

static void
print_owners(struct lab_zone *zone, FILE *out)
{
	struct lab_owner_info o[WARN_OWNERS];
	unsigned int n = lab_zone_owners_top(zone, o, WARN_OWNERS);

	if (n > 0)
		fprintf(out, "Owners, most pages first:\n");
	for (unsigned int i = 0; i < n; i++) {
		fprintf(out, " %lukB in %lu blocks by %s", to_kb(o[i].pages), o[i].blocks,
			o[i].name);
		if (o[i].blocks > 0)
			fprintf(out, ", oldest %.3fs, median %.3fs", (double)o[i].oldest_ns / 1e9,
				(double)o[i].median_ns / 1e9);
		fputc('\n', out);
	}
}

void
lab_warn_alloc(struct lab_zone *zone, const struct lab_refusal *r, const char *comm, FILE *out)
{
	struct lab_pcp_info pcp = {0};
	struct lab_free_counts counts;
	struct lab_zone_info info;

	if (r->gfp & __LAB_GFP_NOWARN)
		return;
	lab_zone_info_get(zone, &info);
	lab_zone_free_counts(zone, &counts);
	print_headline(r, comm, out);
	fprintf(out, "Mem-Info:\n");
	print_sums(&info, out);
	print_node(&info, out);
	lab_zone_pcp_info(zone, r->cpu, &pcp);
	print_zone(&info, pcp.count, out);
	print_free_blocks(&info, &counts, out);
	fprintf(out, "0 total pagecache pages\n");
	fprintf(out, "%lu pages RAM\n0 pages HighMem/MovableOnly\n%lu pages reserved\n",
		info.present, info.present - info.managed);
	print_owners(zone, out);
}
