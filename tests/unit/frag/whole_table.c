/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Prints the figures of docs/placement.md: of what is free after a seeded workload, how much lies where no
 * block of an order is, over the buddy allocator, over labyrinth without compaction, with it, and once it
 * has found nothing more to do.
 *
 *     frag_whole_table [frames [seed]] */
#include <stdlib.h>

#include "whole.h"

static void
print_row(const char *name, const struct whole_state *s)
{
	printf("| %s |", name);
	for (unsigned int o = 1; o < LAB_NR_ORDERS; o++)
		printf(" %d |", s->unusable[o]);
	printf(" %.4f | %lu | %lu | %lu |\n", s->occupancy, s->allocs, (unsigned long)s->moved,
		(unsigned long)s->whole);
}

/** @return blocks that leaked. */
static unsigned long
run(const struct whole_workload *load, unsigned long frames, uint64_t seed,
	enum lab_allocator allocator, bool compact)
{
	struct whole_zone w;
	struct whole_state s;

	if (whole_open(&w, allocator, frames, compact) != 0)
		exit(EXIT_FAILURE);
	whole_run(&w, load, seed);
	whole_measure(&w, &s);
	print_row(compact ? "compacting" : lab_allocator_name(allocator), &s);
	if (compact) {
		whole_settle(&w);
		whole_measure(&w, &s);
		print_row("settled", &s);
	}
	return whole_close(&w);
}

int
main(int argc, char **argv)
{
	unsigned long frames = argc > 1 ? strtoul(argv[1], NULL, 10) : 65536, leaked = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	printf("%lu frames, seed %lu: unusable free index of the orders 1 to 10\n", frames,
		(unsigned long)seed);
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(whole_workloads); i++) {
		const struct whole_workload *load = &whole_workloads[i];

		printf("\n`%s`, then %lu blocks replaced\n\n", load->spec, load->churn);
		printf("| | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | occupancy | blocks allocated "
		       "| pages moved | made whole |\n|---|---|---|---|---|---|---|---|---|---|---"
		       "|---|---|---|---|\n");
		leaked += run(load, frames, seed, LAB_ALLOCATOR_BUDDY, false);
		leaked += run(load, frames, seed, LAB_ALLOCATOR_LABYRINTH, false);
		leaked += run(load, frames, seed, LAB_ALLOCATOR_LABYRINTH, true);
	}
	return leaked != 0;
}
