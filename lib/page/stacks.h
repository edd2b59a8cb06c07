/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_STACKS_H
#define LAB_STACKS_H

/**
 * @file stacks.h
 * The per-CPU caches of a zone: for each process that uses it a set of stacks (percpu.h), one for each
 * order up to LAB_STACK_MAX_ORDER and kind of lifetime, and one of zeroed pages for each kind.
 *
 * A set belongs to one process, since restartable sequences end at its border; a process gets one
 * when it first misses it. What a dead process left on its set is anybody's to take back.
 */

#include <sys/types.h>

#include "depot.h"
#include "lab_page.h"
#include "percpu.h"

#pragma GCC visibility push(hidden)

#define LAB_STACK_MAX_ORDER 3
#define LAB_STACK_TYPES     LAB_MIGRATE_PCPTYPES
#define LAB_STACK_ZEROED                                                                           \
	((LAB_STACK_MAX_ORDER + 1) * LAB_STACK_TYPES) /**< the first of zeroed pages */
#define LAB_NR_STACKS (LAB_STACK_ZEROED + LAB_STACK_TYPES)
#define LAB_NR_DEPOTS (2 * LAB_STACK_TYPES)
/** Processes that can have stacks in one zone; others go to the frames each time. */
#define LAB_NR_SETS LAB_MAX_PROCESSES

struct lab_zone;

/** The caches of one process. */
struct lab_stack_set {
	_Atomic uint32_t process; /**< lab_process_id() of whose it is; 0: nobody's */
	struct percpu stack[LAB_NR_STACKS];
	/** Of the stacks of order 0, one for each kind of lifetime; then of zeroed pages likewise. */
	struct depot *depot;
	/** Blocks that the stacks of an order got and gave without a request. */
	_Atomic uint64_t refilled[LAB_STACK_MAX_ORDER + 1], flushed[LAB_STACK_MAX_ORDER + 1],
		stolen[LAB_STACK_MAX_ORDER + 1];
};

static inline unsigned int
lab_stack_index(unsigned int order, unsigned int mt)
{
	return order * LAB_STACK_TYPES + mt;
}

static inline unsigned int
lab_zero_stack_index(unsigned int mt)
{
	return LAB_STACK_ZEROED + mt;
}

static inline unsigned int
lab_stack_order(unsigned int index)
{
	return index < LAB_STACK_ZEROED ? index / LAB_STACK_TYPES : 0;
}

static inline unsigned int
lab_stack_mt(unsigned int index)
{
	return index % LAB_STACK_TYPES;
}

/** Bytes for the stacks of all sets. */
size_t lab_stacks_bytes(unsigned int nr_cpus, unsigned int nr_sets);
/** Place them; the memory is zeroed. */
void lab_stacks_init(struct lab_zone *z, unsigned char *at, unsigned int nr_cpus);
/** This process's set; NULL if it has none, be it that none is left or that the kernel lacks what it
 *  takes. Claims one if it can. Any context. */
struct lab_stack_set *lab_stacks_claim(struct lab_zone *z);
/** Add up this process's stacks. */
void lab_stacks_add_up(struct lab_zone *z, struct percpu_sum *sum);

/** Fetch blocks from the frames: the first is the caller's, up to n - 1 more wait on this CPU's stack.
 *  @param set NULL: fetch one. @param index of the stack; if of zeroed pages, the first page's tag is left to
 *  lab_zero_block(). @return LAB_NO_PFN: there is none. */
uint32_t lab_stacks_refill(
	struct lab_zone *z, struct lab_stack_set *set, unsigned int index, unsigned int n);
/** How many blocks of an order to fetch at once, now. */
unsigned int lab_stacks_batch(const struct lab_zone *z, unsigned int order);
/** Let this CPU's stack hold n blocks, with frames from the store. @return false if it cannot. */
bool lab_stacks_fill(
	struct lab_zone *z, struct lab_stack_set *set, unsigned int index, unsigned int n);
/** Batches for the stack are put aside, ahead of need: one more, if the depot has not all it may have.
 *  @return pages. */
unsigned int lab_stacks_stock(struct lab_zone *z, struct lab_stack_set *set, unsigned int index);
/** Pages of such batches. */
unsigned long lab_stacks_stocked(const struct lab_stack_set *set, unsigned int index);
/** This CPU's stack is full or closed: make room. */
void lab_stacks_make_room(struct lab_zone *z, struct lab_stack_set *set, unsigned int index);
/** Bring the pages of this process's stacks, of every CPU, back to the frames. @return pages. */
unsigned long lab_stacks_drain(struct lab_zone *z);
/** Likewise of a set whose process is dead; the set is nobody's then. @return pages. */
unsigned long lab_stacks_bury(struct lab_zone *z, struct lab_stack_set *set);
/** Pages on the stacks of all processes. */
unsigned long lab_stacks_pages(const struct lab_zone *z);
/** Add what went through the stacks. */
void lab_stacks_stats(const struct lab_zone *z, struct lab_zone_stats *out);

#pragma GCC visibility pop

#endif /* LAB_STACKS_H */
