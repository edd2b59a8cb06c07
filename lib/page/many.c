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

lab_on_line unsigned int
lab_alloc_pages_many(
	struct lab_zone *z, lab_gfp_t gfp, unsigned int order, unsigned int n, void **pages)
{
	unsigned int got = 0;

	if (lab_likely(n > 1 && pop_many(z, gfp, order, n, pages)))
		return n;
	while (got < n && (pages[got] = lab_alloc_pages(z, gfp, order)) != NULL)
		got++;
	return got;
}

/** A burst goes to the stack of the first one's kind. No block is there while frees are watched: its last one would be
 *  before its first. @return false: one by one. */
static inline bool
push_many(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	struct lab_stack_set *set = lab_known_set(z);
	uintptr_t base = (uintptr_t)z->base, bytes = LAB_PAGE_SIZE << order;
	uintptr_t last = base + ((uintptr_t)rd(&z->unwatched) << LAB_PAGE_SHIFT) - bytes;
	uintptr_t pfn = lab_pfn_rotated(z, pages[0]);
	unsigned int mt;

	if (lab_unlikely(!rd(&z->open) || order > LAB_STACK_MAX_ORDER || set == NULL))
		return false;
	if (lab_unlikely(pfn >= rd(&z->unwatched) || lab_check_block(z, (uint32_t)pfn, order) != 0))
		return false;
	mt = lab_class_of(z, (uint32_t)pfn);
	if (lab_likely(mt == LAB_MIGRATE_UNMOVABLE)) /* a branch, as in free.c */
		return percpu_push_blocks(
			&set->stack[lab_stack_index(order, LAB_MIGRATE_UNMOVABLE)], pages, n, base,
			last, bytes);
	return percpu_push_blocks(
		&set->stack[lab_stack_index(order, mt)], pages, n, base, last, bytes);
}

/** One by one until one is refused. */
static unsigned int
free_each(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int ret = lab_free_pages(z, pages[i], order);

		if (lab_unlikely(ret != 0)) {
			errno = -ret;
			return i;
		}
	}
	return n;
}

/** In chunks, and those that a stack does not take one by one. */
static __attribute__((noinline)) unsigned int
free_chunks(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	unsigned int done = 0;

	while (done < n) {
		unsigned int part = n - done < CHUNK ? n - done : CHUNK, freed = part;

		if (lab_unlikely(part == 1 || !push_many(z, pages + done, order, part)))
			freed = free_each(z, pages + done, order, part);
		done += freed;
		if (lab_unlikely(freed < part))
			break;
	}
	return done;
}

lab_on_line unsigned int
lab_free_pages_many(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	if (lab_likely(n - 2 <= CHUNK - 2 && push_many(z, pages, order, n)))
		return n;
	return free_chunks(z, pages, order, n);
}
