/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file stacks.c
 * Whose stacks are where.
 */
#include "stacks.h"

#include "labyrinth.h"
#include "orders.h"

/** Blocks that move between a stack and the frames at once. */
#define BATCH DEPOT_BATCH
/** Batches that fill a stack for one request. */
#define FILL_BATCHES 8
/** Children that are searched for one batch, at most. */
#define FETCHES 16 /* as the header says of lab_alloc_page_gfp_atomic() */
/** Of what is free at most this part goes to one stack at once, so that little memory is not spread
 *  over idle CPUs. */
#define BATCH_FRACTION 16U

/** Blocks that a stack has room for, by order: about the same memory for each. */
static const uint16_t slots_of[LAB_STACK_MAX_ORDER + 1] = {PERCPU_MAX_SLOTS, 240, 112, 48};

/** Zeroed pages are never given back to their stack, so it is as large as a refill. */
static unsigned int
slots(unsigned int index)
{
	return index < LAB_STACK_ZEROED ? slots_of[lab_stack_order(index)] : BATCH;
}

static size_t
cpu_bytes(void)
{
	size_t n = 0;

	for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
		n += percpu_stack_bytes(slots(i));
	return n;
}

static size_t
set_bytes(unsigned int nr_cpus)
{
	return nr_cpus * cpu_bytes() + LAB_NR_DEPOTS * sizeof(struct depot);
}

size_t
lab_stacks_bytes(unsigned int nr_cpus, unsigned int nr_sets)
{
	return nr_sets * set_bytes(nr_cpus);
}

static void
init_set(struct lab_stack_set *set, unsigned char *at, unsigned int nr_cpus)
{
	set->depot = (struct depot *)(at + nr_cpus * cpu_bytes());
	for (unsigned int i = 0; i < LAB_NR_STACKS; i++) {
		struct percpu *p = &set->stack[i];

		p->stack = (struct percpu_stack *)at;
		p->stride = cpu_bytes();
		p->nr_cpus = nr_cpus;
		p->slots = slots(i);
		percpu_init(p);
		at += percpu_stack_bytes(p->slots);
	}
}

void
lab_stacks_init(struct lab_zone *z, unsigned char *at, unsigned int nr_cpus)
{
	for (unsigned int i = 0; i < z->nr_sets; i++)
		init_set(&z->sets[i], at + lab_stacks_bytes(nr_cpus, i), nr_cpus);
}

struct lab_stack_set *
lab_stacks_claim(struct lab_zone *z)
{
	uint32_t me = lab_process_id();

	if (!rd(&z->pcp_on) || !percpu_available())
		return NULL;
	for (unsigned int i = 0; i < z->nr_sets; i++) {
		if (rd(&z->sets[i].process) == me) {
			wr(&lab_set_hint,
				(uint32_t)((unsigned char *)&z->sets[i] - (unsigned char *)z));
			return &z->sets[i];
		}
	}
	for (unsigned int i = 0; i < z->nr_sets; i++) {
		uint32_t nobody = 0;

		if (atomic_compare_exchange_strong(&z->sets[i].process, &nobody, me))
			return &z->sets[i];
	}
	return NULL;
}

void
lab_stacks_add_up(struct lab_zone *z, struct percpu_sum *sum)
{
	struct lab_stack_set *set = lab_own_set(z);

	*sum = (struct percpu_sum){0};
	for (unsigned int i = 0; set != NULL && i < LAB_NR_STACKS; i++)
		percpu_add_up(&set->stack[i], sum);
	for (unsigned int i = 0; set != NULL && i < LAB_NR_DEPOTS; i++)
		depot_add_up(&set->depot[i], sum);
}

/** Where batches of a stack go; NULL if they go to the frames. */
static inline struct depot *
depot_of(const struct lab_stack_set *set, unsigned int index)
{
	if (index >= LAB_STACK_ZEROED)
		return &set->depot[LAB_STACK_TYPES + lab_stack_mt(index)];
	return index < LAB_STACK_TYPES ? &set->depot[index] : NULL;
}

/** How many slots may be used: of what is free a part that is no loss if it lies there. */
static inline unsigned int
depot_slots(const struct lab_zone *z)
{
	return (unsigned int)(rd(&z->nr_free) / BATCH_FRACTION / BATCH);
}

/* ------------------------------------------------------------ to and from */

unsigned int
lab_stacks_batch(const struct lab_zone *z, unsigned int order)
{
	unsigned long part = rd(&z->nr_free) / BATCH_FRACTION >> order;
	unsigned int most = BATCH >> order;

	return part >= most ? most : part < 1 ? 1 : (unsigned int)part;
}

static unsigned int
free_zeroed(struct lab_zone *z, const uint32_t *pfn, unsigned int n)
{
	frames_tag_batch(z->store, pfn, n);
	return frames_free_zeroed(z->store, pfn, n);
}

/** Blocks that were on a stack go back to the frames. */
static void
to_frames(struct lab_zone *z, void *const *pages, unsigned int index, unsigned int n)
{
	unsigned int order = lab_stack_order(index), bad;
	uint32_t pfn[BATCH];

	for (unsigned int i = 0; i < n; i++) {
		pfn[i] = lab_pfn_of(z, pages[i]);
		lab_unname_block(z, pfn[i], order);
	}
	bad = index < LAB_STACK_ZEROED ? frames_free_batch(z->store, order, pfn, n)
				       : free_zeroed(z, pfn, n);
	if (lab_unlikely(bad != 0))
		lab_event_add(z, bad_free, bad);
	lab_free_changed(z, (long)(n << order) - (long)bad);
}

/** The block to be handed out next is the first: on top. @return false if they had to go back. */
static bool
stack_up(struct lab_zone *z, struct lab_stack_set *set, unsigned int index, const uint32_t *pfn,
	unsigned int n)
{
	unsigned int order = lab_stack_order(index);
	void *page[BATCH];

	for (unsigned int i = 0; i < n; i++) {
		page[i] = lab_frame_address(z, pfn[n - 1 - i]);
		lab_name_block(z, pfn[n - 1 - i], order);
	}
	if (percpu_push(&set->stack[index], page, n)) {
		lab_add(&set->refilled[order], n);
		return true;
	}
	to_frames(z, page, index, n);
	return false;
}

/** Zeroed frames; those that somebody had in between go back. */
static unsigned int
fetch_zeroed(struct lab_zone *z, unsigned int mt, unsigned int n, uint32_t *pfn)
{
	struct frames_cursor *cur = &lab_pcp_here(z)->cursor;
	unsigned int got = frames_alloc_zeroed(z->store, 0, mt, n, pfn, cur), zero;

	zero = frames_untag_batch(z->store, pfn, got);
	if (lab_unlikely(zero < got))
		frames_free_batch(z->store, 0, pfn + zero, got - zero);
	return zero;
}

/** From one child after the other: of an aged zone, where each has a few, too. */
static unsigned int
fetch_dirty(struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int n, uint32_t *pfn)
{
	struct frames_cursor *cur = &lab_pcp_here(z)->cursor;
	unsigned int got = 0, more = 1;

	for (unsigned int i = 0; i < FETCHES && got < n && more > 0; i++) {
		more = frames_alloc_batch(z->store, order, mt, n - got, pfn + got, cur);
		got += more;
	}
	return got;
}

/** Take blocks out of the store, of the kind that the stack holds. */
static unsigned int
fetch(struct lab_zone *z, unsigned int index, unsigned int n, uint32_t *pfn)
{
	unsigned int order = lab_stack_order(index), mt = lab_stack_mt(index), got;

	got = index < LAB_STACK_ZEROED ? fetch_dirty(z, order, mt, n, pfn)
				       : fetch_zeroed(z, mt, n, pfn);
	if (got > 0)
		lab_free_changed(z, -(long)(got << order));
	return got;
}

/** A batch of the depot goes on the stack. @param kept if not NULL, gets the last page instead. */
static bool
take_batch(struct lab_zone *z, struct lab_stack_set *set, unsigned int index, void **kept)
{
	struct depot *d = depot_of(set, index);
	unsigned int n;
	void **page = depot_open(d, &n);

	if (page == NULL)
		return false;
	if (kept != NULL)
		*kept = page[--n];
	if (percpu_push(&set->stack[index], page, n))
		lab_add(&set->refilled[0], n);
	else
		to_frames(z, page, index, n);
	depot_close(d, page);
	return true;
}

/** An empty stack is half filled by batches of the depot, as a full one is half emptied: the next time that either is
 *  needed is as far away as can be. @return false: there is none. */
static bool
take_batches(struct lab_zone *z, struct lab_stack_set *set, unsigned int index, void **kept)
{
	struct percpu *p = &set->stack[index];
	unsigned int most = p->slots < 4 * BATCH ? 1 : p->slots / 2 / BATCH, got = 0;
	_Atomic uint64_t *moves;

	if (lab_stacks_stocked(set, index) == 0)
		return false;
	moves = percpu_move_begin(p, most * BATCH);
	while (got < most && take_batch(z, set, index, got == 0 ? kept : NULL))
		got++;
	percpu_move_end(moves, most * BATCH);
	return got > 0;
}

uint32_t
lab_stacks_refill(struct lab_zone *z, struct lab_stack_set *set, unsigned int index, unsigned int n)
{
	unsigned int order = lab_stack_order(index), got;
	_Atomic uint64_t *moves = NULL;
	uint32_t pfn[BATCH];
	void *page;

	if (set == NULL)
		n = 1;
	if (n > 1 && take_batches(z, set, index, &page)) {
		pfn[0] = lab_pfn_of(z, page);
		if (index >= LAB_STACK_ZEROED)
			frames_tag_batch(z->store, pfn, 1);
		return pfn[0];
	}
	if (n > 1)
		moves = percpu_move_begin(&set->stack[index], n << order);
	got = fetch(z, index, n, pfn);
	if (got > 1) {
		stack_up(z, set, index, pfn + 1, got - 1);
		lab_add(&lab_pcp_here(z)->refill, 1);
	}
	if (moves != NULL)
		percpu_move_end(moves, n << order);
	if (got == 0)
		return LAB_NO_PFN;
	if (index >= LAB_STACK_ZEROED)
		frames_tag_batch(z->store, pfn, 1);
	lab_name_block(z, pfn[0], order);
	return pfn[0];
}

unsigned long
lab_stacks_stocked(const struct lab_stack_set *set, unsigned int index)
{
	const struct depot *d = depot_of(set, index);

	return d != NULL ? depot_count(d) : 0;
}

unsigned int
lab_stacks_stock(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	unsigned int slots = depot_slots(z), got;
	struct depot *d = depot_of(set, index);
	_Atomic uint64_t *moves;
	uint32_t pfn[BATCH];
	void *page[BATCH];
	bool put;

	if (depot_full(d, slots))
		return 0;
	moves = percpu_move_begin(&set->stack[index], BATCH);
	got = fetch(z, index, BATCH, pfn);
	for (unsigned int i = 0; i < got; i++)
		page[i] = lab_frame_address(z, pfn[got - 1 - i]);
	put = got > 0 && depot_put(d, page, got, slots);
	if (got > 0 && !put)
		to_frames(z, page, index, got);
	percpu_move_end(moves, BATCH);
	return put ? got : 0;
}

/** One batch more. */
static bool
fill_once(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	unsigned int order = lab_stack_order(index), n = lab_stacks_batch(z, order), got;
	struct percpu *p = &set->stack[index];
	_Atomic uint64_t *moves;
	uint32_t pfn[BATCH];
	bool held;

	if (take_batches(z, set, index, NULL))
		return true;
	moves = percpu_move_begin(p, n << order);
	got = fetch(z, index, n, pfn);
	held = got > 0 && stack_up(z, set, index, pfn, got);
	percpu_move_end(moves, n << order);
	lab_add(&lab_pcp_here(z)->refill, held);
	return held;
}

bool
lab_stacks_fill(struct lab_zone *z, struct lab_stack_set *set, unsigned int index, unsigned int n)
{
	struct percpu *p = &set->stack[index];

	if (n > p->slots)
		return false;
	percpu_reopen(p);
	for (unsigned int i = 0; i < FILL_BATCHES && percpu_here(p) < n; i++) {
		if (!rd(&z->open) || !fill_once(z, set, index))
			return false;
	}
	return true;
}

/** Half of a full stack goes back. The pages leave through this function's own memory, so an
 *  interruption that finds the stack half empty finds it right. */
static void
flush(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	unsigned int order = lab_stack_order(index), n = BATCH >> order;
	struct depot *d = depot_of(set, index);
	struct percpu *p = &set->stack[index];
	void *pages[BATCH];

	for (unsigned int i = 0; i < p->slots / 2 / n; i++) {
		_Atomic uint64_t *moves = percpu_move_begin(p, n << order);
		bool got = percpu_pop(p, pages, n);

		if (got) {
			lab_add(&set->flushed[order], n);
			if (d == NULL || !depot_put(d, pages, n, depot_slots(z))) {
				lab_add(&lab_pcp_here(z)->drain_pages, n << order);
				to_frames(z, pages, index, n);
			}
		}
		percpu_move_end(moves, n << order);
		if (!got)
			return;
	}
}

void
lab_stacks_make_room(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	percpu_reopen(&set->stack[index]);
	flush(z, set, index);
}

/** Up to n blocks, of any CPU. @return how many. */
static unsigned int
drain_blocks(struct lab_zone *z, struct lab_stack_set *set, unsigned int index, unsigned int n)
{
	unsigned int order = lab_stack_order(index), got;
	struct percpu *p = &set->stack[index];
	_Atomic uint64_t *moves = percpu_move_begin(p, BATCH << order);
	void *stolen[BATCH];

	got = percpu_steal(p, stolen, n);
	if (got > 0) {
		lab_add(&set->stolen[order], got);
		to_frames(z, stolen, index, got);
	}
	percpu_move_end(moves, BATCH << order);
	return got;
}

/** As many as lie there now: a request on its way to a refusal is not to run after what others push meanwhile. They
 *  count as held to who adds up, so it is made again for them. */
static unsigned long
drain_stack(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	unsigned long left = percpu_count(&set->stack[index]), blocks = 0;
	unsigned int want, got;

	do {
		want = left < BATCH ? (unsigned int)left : BATCH;
		got = drain_blocks(z, set, index, want);
		blocks += got;
		left -= got;
	} while (left > 0 && got == want);
	return blocks << lab_stack_order(index);
}

/** Likewise: a batch for each slot. */
static unsigned long
drain_depot(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	struct depot *d = depot_of(set, index);
	struct percpu *p = &set->stack[index];
	unsigned long pages = 0;
	void *taken[BATCH];
	unsigned int n = 1;

	for (unsigned int i = 0; i < DEPOT_SLOTS && n > 0; i++) {
		_Atomic uint64_t *moves = percpu_move_begin(p, BATCH);

		n = depot_take(d, taken);
		if (n > 0)
			to_frames(z, taken, index, n);
		pages += n;
		percpu_move_end(moves, BATCH);
	}
	return pages;
}

unsigned long
lab_stacks_drain(struct lab_zone *z)
{
	struct lab_stack_set *set = lab_own_set(z);
	unsigned long pages = 0;

	if (set == NULL)
		return 0;
	for (unsigned int i = 0; i < LAB_NR_STACKS; i++) {
		if (percpu_count(&set->stack[i]) != 0)
			pages += drain_stack(z, set, i);
		if (lab_stacks_stocked(set, i) != 0)
			pages += drain_depot(z, set, i);
	}
	return pages;
}

static unsigned long
dead_moves(const struct lab_stack_set *set)
{
	unsigned long pages = 0;

	for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
		pages += percpu_end_dead_moves(&set->stack[i]);
	return pages;
}

unsigned long
lab_stacks_bury(struct lab_zone *z, struct lab_stack_set *set)
{
	unsigned long pages = 0;
	void *left[BATCH];
	unsigned int n;

	for (unsigned int i = 0; i < LAB_NR_STACKS; i++) {
		unsigned int order = lab_stack_order(i);
		struct depot *d = depot_of(set, i);

		while ((n = percpu_take_dead(&set->stack[i], left, BATCH)) > 0) {
			lab_add(&set->stolen[order], n);
			to_frames(z, left, i, n);
			pages += n << order;
		}
		while (d != NULL && (n = depot_take(d, left)) > 0) {
			to_frames(z, left, i, n);
			pages += n;
		}
		if (d != NULL)
			depot_end_dead(d);
	}
	lab_event_add(z, lost_pages, dead_moves(set));
	wr(&set->process, 0);
	return pages;
}

/* ---------------------------------------------------------------- counting */

unsigned long
lab_stacks_pages(const struct lab_zone *z)
{
	unsigned long pages = 0;

	for (unsigned int s = 0; s < z->nr_sets; s++) {
		for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
			pages += percpu_count(&z->sets[s].stack[i]) << lab_stack_order(i);
		for (unsigned int i = 0; i < LAB_NR_DEPOTS; i++)
			pages += depot_count(&z->sets[s].depot[i]);
	}
	return pages;
}

/** The CPUs count pops, the rest follows: what a stack gave and still holds, it got. */
static void
set_stats(const struct lab_stack_set *set, struct lab_zone_stats *out)
{
	for (unsigned int i = 0; i < LAB_NR_STACKS; i++) {
		uint64_t popped = percpu_popped(&set->stack[i]);

		if (i >= LAB_STACK_ZEROED)
			out->zero_hit += popped;

		out->alloc[lab_stack_order(i)] += popped;
		out->free[lab_stack_order(i)] += popped + percpu_count(&set->stack[i]);
		out->pcp_hit += popped;
	}
	for (unsigned int o = 0; o <= LAB_STACK_MAX_ORDER; o++) {
		out->alloc[o] -= rd(&set->flushed[o]);
		out->pcp_hit -= rd(&set->flushed[o]);
		out->free[o] += rd(&set->stolen[o]) - rd(&set->refilled[o]);
	}
}

void
lab_stacks_stats(const struct lab_zone *z, struct lab_zone_stats *out)
{
	for (unsigned int i = 0; i < z->nr_sets; i++)
		set_stats(&z->sets[i], out);
}

/* ------------------------------------------------------------ the dead's */

/** Counts of free frames until one was made while nothing moved. */
#define RECOUNTS 64U

static uint64_t
all_moves(const struct lab_zone *z)
{
	uint64_t moves = 0;

	for (unsigned int s = 0; s < z->nr_sets; s++)
		for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
			moves += percpu_moves(&z->sets[s].stack[i]);
	return moves;
}

/** Set the count of free frames right. What goes past the stacks is no move: a thread that is stopped all the while between
 *  a block of order 4 or more and its count has it counted twice, until the next time. @return false: something moved. */
static bool
recount(struct lab_zone *z)
{
	unsigned long said = rd(&z->nr_free), frames = frames_nr_free(z->store);
	uint64_t moves = all_moves(z);

	if ((uint32_t)moves != 0 || frames_nr_free(z->store) != frames || rd(&z->nr_free) != said ||
		all_moves(z) != moves)
		return false;
	if (frames != said)
		lab_free_changed(z, (long)frames - (long)said);
	return true;
}

/** Who was killed between the bits of frames and their promise, or their count, left them without. */
static void
mend(struct lab_zone *z)
{
	frames_mend(z->store);
	for (unsigned int i = 0; i < RECOUNTS && !recount(z); i++)
		sched_yield();
}

long
lab_zone_reclaim(struct lab_zone *z, uint32_t pid)
{
	const uint32_t burying = UINT32_MAX;

	for (unsigned int i = 0; pid != 0 && i < z->nr_sets; i++) {
		uint32_t expected = pid;

		if (rd(&z->sets[i].process) != pid)
			continue;
		if (!lab_process_is_gone((pid_t)pid))
			return -EBUSY;
		/* one that buries is enough */
		if (atomic_compare_exchange_strong(&z->sets[i].process, &expected, burying)) {
			long pages = (long)lab_stacks_bury(z, &z->sets[i]);

			mend(z);
			return pages;
		}
	}
	return -ENOENT;
}
