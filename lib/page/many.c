/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file many.c
 * Several blocks of one order at once, for callers that would ask one by one: bursts.
 */
#include "labyrinth.h"

#include "gate.h"
#include "orders.h"

/** Blocks that are moved together. */
#define CHUNK 64U

/** A stack that has fewer than n is filled up first. */
static bool
pop_many(struct lab_zone *z, lab_gfp_t gfp, unsigned int order, unsigned int n, void **pages)
{
	struct percpu *stack = lab_short_way(z, gfp, order);

	if (stack == NULL)
		return false;
	if (lab_likely(percpu_pop(stack, pages, n)))
		return true;
	return lab_stacks_fill(
		       z, lab_own_set(z), (unsigned int)(stack - lab_own_set(z)->stack), n) &&
	       percpu_pop(stack, pages, n);
}

unsigned int
lab_alloc_pages_many(
	struct lab_zone *z, lab_gfp_t gfp, unsigned int order, unsigned int n, void **pages)
{
	unsigned int got = 0;

	if (lab_likely(pop_many(z, gfp, order, n, pages)))
		return n;
	while (got < n && (pages[got] = lab_alloc_pages(z, gfp, order)) != NULL)
		got++;
	return got;
}

/** A run of blocks that go to one stack. @return blocks pushed. */
static unsigned int
push_run(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	struct lab_stack_set *set = lab_short_way_back(z, order);
	unsigned int class = 0, run;

	for (run = 0; run < n && lab_likely(set != NULL); run++) {
		uint32_t pfn = lab_block_pfn(z, pages[run], order);

		if (lab_unlikely(pfn == LAB_NO_PFN) || lab_check_block(z, pfn, order) != 0)
			break;
		if (run == 0)
			class = lab_class_of(z, pfn);
		else if (lab_class_of(z, pfn) != class)
			break;
	}
	return run > 0 && percpu_push(&set->stack[lab_stack_index(order, class)], pages, run) ? run
											      : 0;
}

static bool
can_push(const struct lab_zone *z)
{
	return z->store != NULL && !(rd(&z->watched) & ~LAB_WATCH_INJECT);
}

unsigned int
lab_free_pages_many(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	unsigned int done = 0;

	while (done < n) {
		unsigned int part = n - done < CHUNK ? n - done : CHUNK, run;

		run = lab_likely(can_push(z)) ? push_run(z, pages + done, order, part) : 0;
		done += run;
		if (lab_likely(run > 0))
			continue;
		/* the stack is full, or a block is the other kind's or bad: one is decided alone */
		int ret = lab_free_pages(z, pages[done], order);

		if (lab_unlikely(ret != 0)) {
			errno = -ret;
			return done;
		}
		done++;
	}
	return n;
}
