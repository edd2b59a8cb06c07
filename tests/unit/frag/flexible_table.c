/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What callers that can live with less get out of an aged zone: atomic wishes for blocks of an order, one after the
 * other and none given back, until one is refused; how much of the free memory they had then. Each kind of wish
 * begins from the same zone.
 *
 *     frag_flexible_table [frames [seed]] */
#include <stdlib.h>

#include "whole.h"

#define MAX_ORDER 4

/** Nobody moves anything: what is scattered stays so. */
static const struct whole_workload load = {"scatter,occupancy=0.7," WHOLE_ORDERS, 0};

/** How a wish is made: by lab_alloc_pages(), or with something instead. */
enum kind { PLAIN, SMALLER, SCATTERED, NR_KINDS };
static const char *const names[] = {"lab_alloc_pages()", "SMALLER", "SCATTERED"};

/** @return frames handed out; 0: refused. */
static unsigned long
wish(struct lab_zone *zone, enum kind kind, unsigned int order)
{
	struct lab_piece piece[1 << MAX_ORDER];
	struct lab_blocks got = {.piece = piece, .max = LAB_ARRAY_SIZE(piece)};
	struct lab_flexible want = {.order = order,
		.instead = kind == SMALLER ? LAB_INSTEAD_SMALLER : LAB_INSTEAD_SCATTERED};

	if (kind == PLAIN)
		return lab_alloc_pages(zone, LAB_GFP_ATOMIC, order) != NULL ? 1UL << order : 0;
	return lab_alloc_pages_flexible(zone, LAB_GFP_ATOMIC, &want, &got) == 0 ? got.nr_pages : 0;
}

static void
run(unsigned long frames, uint64_t seed, enum lab_allocator allocator, enum kind kind,
	unsigned int order)
{
	unsigned long pages = 0, blocks = 0, n;
	struct whole_state s;
	struct whole_zone w;

	if (whole_open(&w, allocator, frames, false) != 0)
		exit(EXIT_FAILURE);
	whole_run(&w, &load, seed);
	whole_measure(&w, &s);
	while ((n = wish(w.zone, kind, order)) > 0) {
		pages += n;
		blocks++;
	}
	printf("| %s | %u | %s | %lu | %lu | %.1f%% |\n", lab_allocator_name(allocator), order,
		names[kind], blocks, s.free_pages, (double)pages * 100 / (double)s.free_pages);
	whole_close(&w);
}

int
main(int argc, char **argv)
{
	unsigned long frames = argc > 1 ? strtoul(argv[1], NULL, 10) : 65536;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	printf("%lu frames, seed %lu, `%s`\n\n", frames, (unsigned long)seed, load.spec);
	printf("| allocator | order | wishes by | served | free pages before | of them had |\n"
	       "|---|---|---|---|---|---|\n");
	for (int a = 0; a < LAB_NR_ALLOCATORS; a++)
		for (unsigned int order = 2; order <= MAX_ORDER; order++)
			for (int kind = 0; kind < NR_KINDS; kind++)
				run(frames, seed, (enum lab_allocator)a, (enum kind)kind, order);
	return EXIT_SUCCESS;
}
