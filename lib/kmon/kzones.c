/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The free memory as /proc tells it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "lab_kmon.h"
#include "lab_page.h"

_Static_assert(LAB_KZONE_ORDERS == LAB_NR_ORDERS, "the indices are lib/page's");

/* Of a free list; more is nonsense, and would overflow the indices. */
#define MOST_PAGES (UINT64_C(1) << 40)

/* "Node 0, zone   Normal" and what follows it; NULL for another line. */
static const char *
zone_line(const char *line, int *node, char name[16])
{
	int len = 0;

	if (sscanf(line, "Node %d, zone %15s%n", node, name, &len) != 2 || len == 0)
		return NULL;
	return line + len;
}

static int
parse_blocks(struct lab_kzone *z, const char *text)
{
	char *end;

	for (int order = 0; order < LAB_KZONE_ORDERS; order++) {
		while (*text == ' ' || *text == '\t')
			text++;
		if (*text < '0' || *text > '9')
			return -EINVAL;
		errno = 0;
		z->blocks[order] = strtoull(text, &end, 10);
		if (errno || z->blocks[order] > MOST_PAGES >> order)
			return -EINVAL;
		text = end;
	}
	return 0;
}

static const char *
next_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : text + strlen(text);
}

int
lab_kzones_parse_buddyinfo(struct lab_kzones *z, const char *text)
{
	memset(z, 0, sizeof(*z));
	for (; *text; text = next_line(text)) {
		struct lab_kzone zone = {0};
		const char *rest = zone_line(text, &zone.node, zone.name);

		if (rest == NULL || parse_blocks(&zone, rest))
			return -EINVAL;
		if (z->nr == LAB_KZONES_MAX)
			return -E2BIG;
		z->zone[z->nr++] = zone;
	}
	return z->nr ? 0 : -EINVAL;
}

static struct lab_kzone *
find(struct lab_kzones *z, int node, const char *name)
{
	for (unsigned int i = 0; i < z->nr; i++) {
		if (z->zone[i].node == node && !strcmp(z->zone[i].name, name))
			return &z->zone[i];
	}
	return NULL;
}

/* The first of each name in a zone's block is the zone's own. */
static void
take_mark(struct lab_kzone *z, const char *line, unsigned int *seen)
{
	const struct {
		const char *format;
		uint64_t *to;
	} marks[] = {
		{" pages free %" SCNu64, &z->free},
		{" boost %" SCNu64, &z->boost},
		{" min %" SCNu64, &z->min},
		{" low %" SCNu64, &z->low},
		{" high %" SCNu64, &z->high},
		{" managed %" SCNu64, &z->managed},
	};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(marks); i++) {
		uint64_t v;

		if (!(*seen & 1U << i) && sscanf(line, marks[i].format, &v) == 1) {
			*marks[i].to = v;
			*seen |= 1U << i;
		}
	}
	z->has_marks = *seen & 4; /* min */
}

int
lab_kzones_parse_zoneinfo(struct lab_kzones *z, const char *text)
{
	struct lab_kzone *zone = NULL;
	unsigned int seen = 0, zones = 0;

	for (; *text; text = next_line(text)) {
		char name[16], line[128];
		int node;

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
		if (zone_line(line, &node, name)) {
			zone = find(z, node, name);
			seen = 0;
			zones++;
		} else if (zone) {
			take_mark(zone, line, &seen);
		}
	}
	return zones ? 0 : -EINVAL;
}

/* A whole file of /proc, of whatever size, ended by a NUL. */
static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t len = 0;

	if (f == NULL)
		return NULL;
	if (getdelim(&text, &len, '\0', f) < 0) {
		free(text);
		text = NULL;
		errno = EIO;
	}
	fclose(f);
	return text;
}

int
lab_kzones_read(struct lab_kzones *z)
{
	char *buddy = read_file("/proc/buddyinfo"), *zoneinfo;
	int err = buddy ? lab_kzones_parse_buddyinfo(z, buddy) : -errno;

	free(buddy);
	if (err)
		return err;
	zoneinfo = read_file("/proc/zoneinfo");
	err = zoneinfo ? lab_kzones_parse_zoneinfo(z, zoneinfo) : -errno;
	free(zoneinfo);
	return err;
}

void
lab_kzones_sum(const struct lab_kzones *z, uint64_t blocks[LAB_KZONE_ORDERS])
{
	memset(blocks, 0, LAB_KZONE_ORDERS * sizeof(*blocks));
	for (unsigned int i = 0; i < z->nr; i++) {
		for (int order = 0; order < LAB_KZONE_ORDERS; order++)
			blocks[order] += z->zone[i].blocks[order];
	}
}

void
lab_kzones_indices(
	const uint64_t blocks[LAB_KZONE_ORDERS], unsigned int order, int *unusable, int *extfrag)
{
	struct lab_free_counts c = {0};

	for (int o = 0; o < LAB_KZONE_ORDERS; o++) {
		c.blocks[o][LAB_MIGRATE_UNMOVABLE] = blocks[o];
		c.nr_free += blocks[o] << o;
	}
	*unusable = lab_unusable_free_index(&c, order);
	*extfrag = lab_fragmentation_index(&c, order);
}
