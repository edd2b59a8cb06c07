/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A zone's head from the texts of /proc. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_record.h"

#define LINE_LEN 256

/** Copy the line at text. @return the next one, NULL at the end */
static const char *
take_line(const char *text, char line[LINE_LEN])
{
	size_t len = strcspn(text, "\n");

	if (*text == '\0')
		return NULL;
	snprintf(line, LINE_LEN, "%.*s", (int)len, text);
	return text[len] != '\0' ? text + len + 1 : text + len;
}

/** "Node 0, zone   Normal" @return what follows, or NULL */
static const char *
zone_line(const char *line, int *node, char name[16])
{
	int len = 0;

	if (sscanf(line, "Node %d, zone %15[^ ,]%n", node, name, &len) != 2 || len == 0)
		return NULL;
	return line + len;
}

static void
take_protection(const char *line, struct lab_trace_head *h)
{
	char *end;

	if (strncmp(line, "        protection: (", 21) != 0 || h->nr_reserves > 0)
		return;
	for (line += 21; h->nr_reserves < LAB_TRACE_MAX_RESERVES; line = end + 2) {
		unsigned long v = strtoul(line, &end, 10);

		if (end == line)
			return;
		h->reserve[h->nr_reserves++] = v;
		if (*end != ',')
			return;
	}
}

static void
take_pcp(const char *line, struct lab_trace_head *h, unsigned int *cpu)
{
	unsigned int v;

	if (sscanf(line, " cpu: %u", &v) == 1 && v < LAB_MAX_CPUS) {
		*cpu = v;
		h->nr_cpus = v >= h->nr_cpus ? v + 1 : h->nr_cpus;
		h->has_pcp = true;
	} else if (h->has_pcp && sscanf(line, " count: %u", &v) == 1) {
		h->pcp[*cpu].count = v;
	} else if (h->has_pcp && sscanf(line, " high: %u", &v) == 1) {
		h->pcp[*cpu].high = v;
	} else if (h->has_pcp && sscanf(line, " batch: %u", &v) == 1) {
		h->pcp[*cpu].batch = v;
	}
}

static void
take_figure(const char *line, struct lab_trace_head *h, unsigned long *boost, unsigned int *seen)
{
	const struct {
		const char *format;
		unsigned long *to;
	} figures[] = {{" boost %lu", boost}, {" min %lu", &h->min}, {" low %lu", &h->low},
		{" high %lu", &h->high}, {" spanned %lu", &h->spanned},
		{" managed %lu", &h->managed}, {" start_pfn: %lu", &h->start}};

	for (unsigned int i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		unsigned long v;

		if (!(*seen & 1U << i) && sscanf(line, figures[i].format, &v) == 1) {
			*figures[i].to = v;
			*seen |= 1U << i;
		}
	}
}

/** One zone's part, whose first line is behind. @return where the next one begins */
static const char *
take_zone(const char *text, struct lab_trace_head *h)
{
	char line[LINE_LEN], name[16];
	unsigned long boost = 0;
	unsigned int seen = 0, cpu = 0;
	const char *next;
	int node;

	while ((next = take_line(text, line)) != NULL && !zone_line(line, &node, name)) {
		take_figure(line, h, &boost, &seen);
		take_protection(line, h);
		take_pcp(line, h, &cpu);
		text = next;
	}
	h->min -= boost < h->min ? boost : h->min;
	h->low -= boost < h->low ? boost : h->low;
	h->high -= boost < h->high ? boost : h->high;
	return text;
}

int
lab_record_parse_zoneinfo(const char *text, const char *zone, int node, struct lab_trace_head *h)
{
	struct lab_trace_head *best = calloc(2, sizeof(*best)), *one = best + 1;
	char line[LINE_LEN];
	const char *next;
	int rc;

	if (best == NULL)
		return -ENOMEM;
	while ((next = take_line(text, line)) != NULL) {
		text = next;
		memset(one, 0, sizeof(*one));
		if (!zone_line(line, &one->node, one->zone))
			continue;
		text = take_zone(text, one);
		if ((zone != NULL && strcmp(zone, one->zone) != 0) ||
			(node >= 0 && node != one->node) || one->managed <= best->managed)
			continue;
		*best = *one;
	}
	rc = best->managed > 0 ? 0 : -ENOENT;
	if (rc == 0) {
		memcpy(best->kernel, h->kernel, sizeof(best->kernel));
		*h = *best;
	}
	free(best);
	return rc;
}

/* ------------------------------------------------------------- free blocks */

/** Numbers of a line, ">100000" for what nobody counted on. @return how many */
static unsigned int
take_numbers(const char *s, unsigned long *out, unsigned int max)
{
	unsigned int n = 0;

	for (; n < max; n++) {
		char *end;

		s += strspn(s, " >");
		out[n] = strtoul(s, &end, 10);
		if (end == s || out[n] > LAB_TRACE_MAX_FRAMES)
			break;
		s = end;
	}
	return n;
}

static int
type_of(const char *name)
{
	static const char *const names[LAB_MIGRATE_TYPES] = {
		"Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate"};

	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		if (strcmp(name, names[mt]) == 0)
			return mt;
	return -1;
}

static bool
is_zone(const struct lab_trace_head *h, int node, const char *name)
{
	return node == h->node && strcmp(name, h->zone) == 0;
}

/** "Number of blocks type     Unmovable      Movable ..." @return types named */
static unsigned int
take_columns(const char *line, int column[LAB_MIGRATE_TYPES])
{
	char name[16];
	unsigned int n = 0;
	int len;

	for (line += strlen("Number of blocks type");
		n < LAB_MIGRATE_TYPES && sscanf(line, " %15s%n", name, &len) == 1; line += len)
		column[n++] = type_of(name);
	return n;
}

int
lab_record_parse_pagetypeinfo(const char *text, struct lab_trace_head *h)
{
	int column[LAB_MIGRATE_TYPES], node;
	unsigned int columns = 0, found = 0;
	char line[LINE_LEN], name[16], type[16];
	const char *next, *rest;

	while ((next = take_line(text, line)) != NULL) {
		unsigned long v[LAB_NR_ORDERS] = {0};
		int len = 0, mt;

		text = next;
		if (strncmp(line, "Number of blocks type", 21) == 0)
			columns = take_columns(line, column);
		rest = zone_line(line, &node, name);
		if (rest == NULL || !is_zone(h, node, name))
			continue;
		if (sscanf(rest, ", type %15s%n", type, &len) == 1 && (mt = type_of(type)) >= 0) {
			if (take_numbers(rest + len, h->free[mt], LAB_NR_ORDERS) != LAB_NR_ORDERS)
				return -EINVAL;
			found++;
		} else if (columns > 0 && take_numbers(rest, v, columns) == columns) {
			for (unsigned int i = 0; i < columns; i++)
				if (column[i] >= 0)
					h->pageblocks[column[i]] = v[i];
			h->has_types = found > 0;
		}
	}
	return h->has_types ? 0 : -ENOENT;
}

int
lab_record_parse_buddyinfo(
	const char *text, const struct lab_trace_head *h, unsigned long blocks[LAB_NR_ORDERS])
{
	char line[LINE_LEN], name[16];
	const char *next, *rest;
	int node;

	while ((next = take_line(text, line)) != NULL) {
		rest = zone_line(line, &node, name);
		if (rest != NULL && is_zone(h, node, name) &&
			take_numbers(rest, blocks, LAB_NR_ORDERS) == LAB_NR_ORDERS)
			return 0;
		text = next;
	}
	return -ENOENT;
}

unsigned long
lab_record_parse_boost(const char *text, const struct lab_trace_head *h)
{
	char line[LINE_LEN], name[16];
	bool ours = false;
	unsigned long boost;
	const char *next;
	int node;

	while ((next = take_line(text, line)) != NULL) {
		text = next;
		if (zone_line(line, &node, name))
			ours = is_zone(h, node, name);
		else if (ours && sscanf(line, " boost %lu", &boost) == 1)
			return boost <= h->managed ? boost : h->managed;
	}
	return 0;
}

void
lab_record_adjust(struct lab_trace_head *h, const unsigned long blocks[LAB_NR_ORDERS])
{
	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		unsigned long sum = 0, less;

		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			sum += h->free[mt][order];
		if (sum <= blocks[order])
			h->free[LAB_MIGRATE_MOVABLE][order] += blocks[order] - sum;
		for (int mt = LAB_MIGRATE_TYPES; mt-- > 0 && sum > blocks[order]; sum -= less) {
			less = sum - blocks[order];
			less = less < h->free[mt][order] ? less : h->free[mt][order];
			h->free[mt][order] -= less;
		}
	}
}
