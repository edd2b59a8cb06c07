/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Loops of requests and frees on a labyrinth zone of 256 MiB, to count their instructions:
 *
 *     valgrind --tool=callgrind alloc_loops LOOP
 *
 * LOOP: 0 repeat, 1 bursts of 32, 2 and 3 random replacement at 50% and 88%, 4 fill and drain, 5 random
 * replacement of orders 1 to 4. The frames are never touched. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lab_base.h"
#include "lab_page.h"

#define FRAMES 65536UL

static struct lab_zone *zone;
static void *page[FRAMES];
static unsigned int order[FRAMES];
static struct lab_rng rng;

static void
bursts(unsigned int rounds, unsigned int n)
{
	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int k = 0; k < n; k++)
			page[k] = lab_alloc_page_gfp_atomic(zone);
		for (unsigned int k = 0; k < n; k++)
			lab_free_pages(zone, page[k], 0);
	}
}

static void
replace(unsigned int held, unsigned int rounds, unsigned int max_order)
{
	for (unsigned int i = 0; i < held; i++) {
		order[i] = max_order ? 1 + (unsigned int)lab_rng_below(&rng, max_order) : 0;
		page[i] = lab_alloc_pages(zone, LAB_GFP_ATOMIC, order[i]);
	}
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int k = (unsigned int)lab_rng_below(&rng, held);

		lab_free_pages(zone, page[k], order[k]);
		page[k] = lab_alloc_pages(zone, LAB_GFP_ATOMIC, order[k]);
	}
}

int
main(int argc, char **argv)
{
	struct lab_zone_config cfg = lab_zone_config_default(FRAMES);

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.base = mmap(NULL, FRAMES * LAB_PAGE_SIZE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cfg.base == MAP_FAILED || lab_zone_create(&zone, &cfg) != 0)
		return EXIT_FAILURE;
	lab_rng_seed(&rng, 1);
	switch (argc > 1 ? atoi(argv[1]) : 0) {
	case 0:
		bursts(100000, 1);
		break;
	case 1:
		bursts(5000, 32);
		break;
	case 2:
		replace(32768, 200000, 0);
		break;
	case 3:
		replace(58000, 200000, 0);
		break;
	case 4:
		bursts(1, 60000);
		break;
	case 5:
		replace(6000, 100000, 4);
		break;
	default:
		fprintf(stderr, "usage: alloc_loops 0..5\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
