/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The free memory of this machine, read by the pieces of the diagnosis. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_kmon.h"
#include "lab_page.h"

/* Of a free list; more is nonsense, and would overflow the indices. */
#define MOST_PAGES (1UL << 40)

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
lab_kzones_read(struct lab_diag_report *r)
{
	char *zoneinfo = read_file("/proc/zoneinfo"), *buddyinfo = read_file("/proc/buddyinfo");
	const struct lab_diag_proc proc = {.zoneinfo = zoneinfo, .buddyinfo = buddyinfo};
	int err = zoneinfo && buddyinfo ? lab_diag_read_proc(&proc, r) : -errno;

	free(zoneinfo);
	free(buddyinfo);
	return err;
}

int
lab_kzones_update(struct lab_diag_report *r)
{
	char *buddyinfo = read_file("/proc/buddyinfo");

	if (buddyinfo == NULL)
		return -errno;
	lab_diag_update_blocks(buddyinfo, r);
	free(buddyinfo);
	return 0;
}

void
lab_kzones_sum(const struct lab_diag_report *r, unsigned long blocks[LAB_NR_ORDERS])
{
	memset(blocks, 0, LAB_NR_ORDERS * sizeof(*blocks));
	for (unsigned int i = 0; i < r->nr_zones; i++) {
		for (unsigned int order = 0; order < LAB_NR_ORDERS; order++)
			blocks[order] += r->zones[i].blocks[order];
	}
}

void
lab_kzones_indices(
	const unsigned long blocks[LAB_NR_ORDERS], unsigned int order, int *unusable, int *extfrag)
{
	struct lab_free_counts c = {0};

	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		unsigned long n = blocks[o] < MOST_PAGES >> o ? blocks[o] : MOST_PAGES >> o;

		c.blocks[o][LAB_MIGRATE_UNMOVABLE] = n;
		c.nr_free += n << o;
	}
	*unusable = lab_unusable_free_index(&c, order);
	*extfrag = lab_fragmentation_index(&c, order);
}
