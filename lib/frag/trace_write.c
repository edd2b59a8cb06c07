/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "trace.h"
#include "words.h"

static bool
is_word(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	if (len == 0 || len == size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

static uint64_t
free_frames(const struct lab_trace_head *h)
{
	uint64_t sum = 0;

	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		for (int order = 0; order < LAB_NR_ORDERS; order++) {
			if (h->free[mt][order] > h->managed)
				return UINT64_MAX;
			sum += (uint64_t)h->free[mt][order] << order;
		}
	return sum;
}

static uint64_t
pageblocks(const struct lab_trace_head *h)
{
	uint64_t sum = 0;

	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		if (h->pageblocks[mt] > h->spanned)
			return UINT64_MAX;
		sum += h->pageblocks[mt];
	}
	return sum;
}

const char *
trace_head_fault(const struct lab_trace_head *h)
{
	if (!is_word(h->kernel, sizeof(h->kernel)) || !is_word(h->zone, sizeof(h->zone)))
		return "the kernel's release or the zone's name is no word";
	if (h->managed == 0 || h->managed > h->spanned || h->spanned >= LAB_TRACE_MAX_FRAMES)
		return "not 0 < managed <= spanned < 2^30 frames";
	if (h->start > UINT64_C(1) << 52)
		return "it starts beyond any memory";
	if (h->node < 0 || h->node > 1023)
		return "no node from 0 to 1023";
	if (h->min > h->low || h->low > h->high || h->high > h->managed)
		return "not min <= low <= high <= managed";
	if (h->nr_reserves > LAB_TRACE_MAX_RESERVES)
		return "too many reserves";
	if (h->nr_cpus == 0 || h->nr_cpus > LAB_MAX_CPUS)
		return "not 1 to 512 CPUs";
	if (free_frames(h) > h->managed)
		return "more frames are free than are managed";
	if (pageblocks(h) > h->spanned / LAB_PAGEBLOCK_PAGES + 2)
		return "more pageblocks than the span has";
	return NULL;
}

static void
write_free(FILE *out, char letter, const unsigned long blocks[LAB_NR_ORDERS])
{
	fprintf(out, "free %c", letter);
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		fprintf(out, " %lu", blocks[order]);
	fputc('\n', out);
}

static void
write_types(FILE *out, const struct lab_trace_head *h)
{
	if (!h->has_types) {
		write_free(out, '*', h->free[LAB_MIGRATE_MOVABLE]);
		return;
	}
	fputs("pageblocks", out);
	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		fprintf(out, " %lu", h->pageblocks[mt]);
	fputc('\n', out);
	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		write_free(out, ZONE_LETTERS[mt], h->free[mt]);
}

int
lab_trace_write_head(FILE *out, const struct lab_trace_head *h)
{
	if (trace_head_fault(h) != NULL)
		return -EINVAL;
	fprintf(out, TRACE_MAGIC " %d\nkernel %s\nzone %s\nnode %d\n", TRACE_VERSION, h->kernel,
		h->zone, h->node);
	fprintf(out, "start %lu\nspanned %lu\nmanaged %lu\nmarks %lu %lu %lu\nreserve", h->start,
		h->spanned, h->managed, h->min, h->low, h->high);
	for (unsigned int i = 0; i < h->nr_reserves; i++)
		fprintf(out, " %lu", h->reserve[i]);
	fputc('\n', out);
	write_types(out, h);
	fprintf(out, "cpus %u\n", h->nr_cpus);
	for (unsigned int i = 0; h->has_pcp && i < h->nr_cpus; i++)
		fprintf(out, "pcp %u %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", i, h->pcp[i].count,
			h->pcp[i].high, h->pcp[i].batch);
	fputs("events\n", out);
	return ferror(out) ? -EIO : 0;
}

int
lab_trace_write_event(FILE *out, const struct lab_trace_event *e)
{
	fprintf(out, "%c %" PRIu64, TRACE_KEYS[e->type], e->ns);
	if (e->type == LAB_TRACE_SAMPLE) {
		for (int order = 0; order < LAB_NR_ORDERS; order++)
			fprintf(out, " %lu", e->blocks[order]);
		fprintf(out, " %lu\n", e->boost);
		return ferror(out) ? -EIO : 0;
	}
	if (e->type == LAB_TRACE_PLACE) {
		fprintf(out, " %lu %u\n", e->pfn, e->order);
		return ferror(out) ? -EIO : 0;
	}
	fprintf(out, " %u", e->cpu);
	if (e->type == LAB_TRACE_COMPACT) {
		fprintf(out, " %lu %lu %lu\n", e->pfn, e->end, e->pages);
		return ferror(out) ? -EIO : 0;
	}
	if (e->type != LAB_TRACE_REFUSE)
		fprintf(out, " %lu", e->pfn);
	fprintf(out, " %u", e->order);
	if (e->type == LAB_TRACE_ALLOC || e->type == LAB_TRACE_REFUSE)
		fprintf(out, " %" PRIu32, e->gfp);
	if (e->type != LAB_TRACE_FREE)
		fprintf(out, " %c", ZONE_LETTERS[e->migratetype]);
	fputc('\n', out);
	return ferror(out) ? -EIO : 0;
}

int
lab_trace_write_end(FILE *out, const struct lab_trace_counts *c)
{
	fputs("end", out);
	for (int t = 0; t < LAB_NR_TRACE_TYPES; t++)
		fprintf(out, " %" PRIu64, c->events[t]);
	fprintf(out, " %" PRIu64 "\n", c->lost);
	return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}
