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

	if (lab_likely(n > 1 && pop_many(z, gfp, order, n, pages)))
		return n;
	while (got < n && (pages[got] = lab_alloc_pages(z, gfp, order)) != NULL)
		got++;
	return got;
}

/** Are all of them addresses at which blocks of the zone start? Sums of bits, without a comparison for each, so
 *  that the compiler looks at several at once: an offset below the zone is negative, and what remains from one
 *  beyond the last block is; both have the low bits of a block's start, or do not. */
static inline __attribute__((always_inline)) bool
are_inside(const struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	uintptr_t bytes = LAB_PAGE_SIZE << order, bits = 0;
	uintptr_t last = ((uintptr_t)rd(&z->unwatched) << LAB_PAGE_SHIFT) - bytes;

	for (unsigned int i = 0; i < n; i++) {
		uintptr_t off = lab_offset_of(z, pages[i]);

		bits |= off | (last - off);
	}
	return (intptr_t)bits >= 0 && (bits & (bytes - 1)) == 0;
}

#ifdef __x86_64__
static __attribute__((noinline, target("avx2"))) bool
are_inside_avx2(const struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	return are_inside(z, pages, order, n);
}
#endif

static inline bool
all_inside(const struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return are_inside_avx2(z, pages, order, n);
#endif
	return are_inside(z, pages, order, n);
}

/** A burst goes to the stack of the first one's kind. @return false: one by one. */
static inline bool
push_many(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	struct lab_stack_set *set = lab_known_set(z);
	uint32_t pfn = lab_pfn_of(z, pages[0]);
	unsigned int mt;

	if (lab_unlikely(!rd(&z->open) || order > LAB_STACK_MAX_ORDER || set == NULL))
		return false;
	if (lab_unlikely(!all_inside(z, pages, order, n)) || lab_check_block(z, pfn, order) != 0)
		return false;
	mt = lab_class_of(z, pfn);
	if (lab_likely(mt == LAB_MIGRATE_UNMOVABLE)) /* a branch, as in free.c */
		return percpu_push(
			&set->stack[lab_stack_index(order, LAB_MIGRATE_UNMOVABLE)], pages, n);
	return percpu_push(&set->stack[lab_stack_index(order, mt)], pages, n);
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

unsigned int
lab_free_pages_many(struct lab_zone *z, void *const *pages, unsigned int order, unsigned int n)
{
	if (lab_likely(n - 2 <= CHUNK - 2 && push_many(z, pages, order, n)))
		return n;
	return free_chunks(z, pages, order, n);
}
