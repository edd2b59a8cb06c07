/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * What owner tags and guarded mode cost, for tests/perf/watch_cost.sh to count instructions of:
 * watch_cost ALLOCATOR PCP ORDER off|owners|poison|keep. measured() is what is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_page.h"

#define PAIRS 10000

void measured(struct lab_zone *zone, unsigned int order);

__attribute__((noinline)) void
measured(struct lab_zone *zone, unsigned int order)
{
	for (unsigned int i = 0; i < PAIRS; i++)
		lab_free_pages(zone, lab_alloc_pages(zone, LAB_GFP_ATOMIC, order), order);
}

static int
watch(struct lab_zone *zone, const char *what)
{
	struct lab_guard_config guard = {.keep = strcmp(what, "keep") == 0};

	if (strcmp(what, "off") == 0)
		return 0;
	if (strcmp(what, "owners") == 0)
		return lab_zone_set_owners(zone, true);
	return lab_zone_set_guard(zone, &guard);
}

int
main(int argc, char **argv)
{
	struct lab_zone_config cfg = lab_zone_config_default(65536);
	struct lab_zone *zone;

	if (argc != 5)
		return 2;
	cfg.allocator =
		strcmp(argv[1], "labyrinth") == 0 ? LAB_ALLOCATOR_LABYRINTH : LAB_ALLOCATOR_BUDDY;
	cfg.no_pcp = strcmp(argv[2], "off") == 0;
	if (lab_zone_create(&zone, &cfg) != 0 || watch(zone, argv[4]) != 0)
		return 1;
	measured(zone, (unsigned int)atoi(argv[3]));
	return lab_zone_destroy(zone) != 0;
}
