/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "zero.h"

#include "gate.h"
#include "labyrinth.h"
#include "orders.h"

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#include <emmintrin.h>
#define STREAMING 1
#endif

/** Pages that the worker has in hand at once. They are not free meanwhile, so few. */
#define IN_HAND 8U
/** Free pages over the high mark without which it stands aside: what it has in hand, and what others may take
 *  before it notices. */
#define MARGIN 128U

/* --------------------------------------------------------------- requests */

/** The frames whose bits are 0 are cleared. @return how many those are. */
static unsigned int
clear_others(struct lab_zone *z, uint32_t pfn, uint64_t zero, unsigned int n)
{
	uint64_t dirty = ~zero & (n >= 64 ? UINT64_MAX : (1ULL << n) - 1);
	unsigned int cleared = (unsigned int)__builtin_popcountll(dirty);

	while (dirty != 0) {
		unsigned int start = (unsigned int)__builtin_ctzll(dirty);
		uint64_t after = ~(dirty >> start);
		unsigned int run = after != 0 ? (unsigned int)__builtin_ctzll(after) : 64;

		memset(lab_frame_address(z, pfn + start), 0, (size_t)run << LAB_PAGE_SHIFT);
		/* a carry out of the run clears it */
		dirty &= dirty + (1ULL << start);
	}
	return cleared;
}

/** Guarded mode writes its patterns into free pages and beside objects: nothing is known to be zero. */
static bool
is_guarded(const struct lab_zone *z)
{
	return rd(&z->watched) & LAB_WATCH_GUARD;
}

void
lab_zero_block(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	unsigned int n = 1U << order < 64 ? 1U << order : 64, cleared = 0;

	for (uint32_t i = 0; i < 1U << order; i += n) {
		uint64_t zero = z->store != NULL ? frames_untag(z->store, pfn + i, n) : 0;

		cleared += clear_others(z, pfn + i, is_guarded(z) ? 0 : zero, n);
	}
	if (cleared == 0) {
		lab_event(z, zero_hit);
	} else {
		lab_event(z, zero_inline);
		lab_event_add(z, zero_inline_pages, cleared);
	}
}

/** A page of this CPU's stack. Its tag says so to lab_zero_block(). */
static uint32_t
pop(struct lab_zone *z, struct lab_stack_set *set, unsigned int index)
{
	void *page = set != NULL ? percpu_pop_one(&set->stack[index]) : NULL;
	uint32_t pfn;

	if (page == NULL)
		return LAB_NO_PFN;
	pfn = lab_pfn_of(z, page);
	frames_tag_batch(z->store, &pfn, 1);
	lab_event(z, zero_long_way);
	return pfn;
}

/** Enough of them, wherever they are. If not, the worker is told of the class. */
static bool
are_there(struct lab_zone *z, unsigned int order, unsigned int mt)
{
	struct lab_stack_set *set = lab_own_set(z);

	if (is_guarded(z))
		return false;
	if (frames_nr_zeroed(z->store) >= 1U << order)
		return true;
	if (order == 0 && set != NULL && lab_stacks_stocked(set, lab_zero_stack_index(mt)) != 0)
		return true;
	frames_want_zeroed(z->store, mt);
	return false;
}

void *
lab_zero_short_way(struct lab_zone *z, unsigned int mt)
{
	struct lab_stack_set *set = lab_own_set(z);
	unsigned int index = lab_zero_stack_index(mt);

	if (set == NULL || !are_there(z, 0, mt) || !lab_stacks_fill(z, set, index, 1))
		return NULL;
	return percpu_pop_one(&set->stack[index]);
}

/** This CPU's stack had none: fill it from the frames, but for a page whose tag is left to lab_zero_block(). */
static uint32_t
refill(struct lab_zone *z, const struct lab_request *rq, struct lab_stack_set *set)
{
	unsigned int index = lab_zero_stack_index(rq->mt);
	uint32_t pfn;

	if (set != NULL)
		percpu_reopen(&set->stack[index]);
	if (!are_there(z, 0, rq->mt))
		return LAB_NO_PFN;
	pfn = lab_stacks_refill(z, set, index, rd(&z->open) ? lab_stacks_batch(z, 0) : 1);
	if (pfn != LAB_NO_PFN)
		lab_add(&lab_pcp_here(z)->n.alloc[0], 1);
	return pfn;
}

static uint32_t
take_page(struct lab_zone *z, const struct lab_request *rq)
{
	struct lab_stack_set *set = lab_own_set(z);
	uint32_t pfn = pop(z, set, lab_zero_stack_index(rq->mt));

	return pfn != LAB_NO_PFN ? pfn : refill(z, rq, set);
}

unsigned int
lab_zero_take_pages(struct lab_zone *z, const struct lab_request *rq, unsigned int n, void **pages)
{
	unsigned int index = lab_zero_stack_index(rq->mt), got = 0;
	struct lab_stack_set *set = is_guarded(z) ? NULL : lab_own_set(z);

	if (set != NULL && percpu_pop(&set->stack[index], pages, n))
		return n;
	for (; got < n; got++) {
		uint32_t pfn;

		pages[got] = set != NULL ? percpu_pop_one(&set->stack[index]) : NULL;
		if (pages[got] != NULL)
			continue;
		pfn = refill(z, rq, set);
		if (pfn == LAB_NO_PFN)
			break;
		frames_untag(z->store, pfn, 1);
		lab_event(z, zero_hit);
		pages[got] = lab_frame_address(z, pfn);
	}
	return got;
}

uint32_t
lab_zero_take(struct lab_zone *z, const struct lab_request *rq)
{
	uint32_t pfn;

	if (rq->order == 0)
		return take_page(z, rq);
	if (rq->order > FRAMES_BATCH_ORDER || !are_there(z, rq->order, rq->mt) ||
		frames_alloc_zeroed(
			z->store, rq->order, rq->mt, 1, &pfn, &lab_pcp_here(z)->cursor) == 0)
		return LAB_NO_PFN;
	lab_free_changed(z, -(1L << rq->order));
	lab_name_block(z, pfn, rq->order);
	lab_add(&lab_pcp_here(z)->n.alloc[rq->order], 1);
	return pfn;
}

/* ------------------------------------------------------------- the worker */

/** Past the caches, which the lcores have a better use for. */
static void
zero_page(void *page)
{
#ifdef STREAMING
	__m128i *p = page;

	for (size_t i = 0; i < LAB_PAGE_SIZE / sizeof(*p); i += 4) {
		_mm_stream_si128(p + i, _mm_setzero_si128());
		_mm_stream_si128(p + i + 1, _mm_setzero_si128());
		_mm_stream_si128(p + i + 2, _mm_setzero_si128());
		_mm_stream_si128(p + i + 3, _mm_setzero_si128());
	}
#else
	memset(page, 0, LAB_PAGE_SIZE);
#endif
}

/** Streaming stores are in no order with others: end them before the pages are given back. */
static void
zero_pages(const struct lab_zone *z, const uint32_t *pfn, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		zero_page(lab_frame_address(z, pfn[i]));
#ifdef STREAMING
	_mm_sfence();
#endif
}

/** Over the high mark of whatever request. */
static bool
is_plenty(const struct lab_zone *z)
{
	unsigned long reserve = 0;

	for (int i = 0; i < LAB_NR_ZONE_TYPES; i++) {
		unsigned long pages = rd(&z->lowmem_reserve[i]);

		reserve = pages > reserve ? pages : reserve;
	}
	return rd(&z->nr_free) > lab_mark(z, LAB_ALLOC_WMARK_HIGH) + reserve + MARGIN;
}

unsigned long
lab_zero_count(const struct lab_zone *z)
{
	unsigned long pages = frames_nr_zeroed(z->store);

	/* most of many sets are nobody's */
	for (unsigned int s = 0; s < z->nr_sets; s++)
		for (unsigned int mt = 0; rd(&z->sets[s].process) != 0 && mt < LAB_STACK_TYPES;
			mt++)
			pages += lab_stacks_stocked(&z->sets[s], lab_zero_stack_index(mt));
	return pages;
}

/** Pages to zero now, at most `most`: up to the target, and if nobody is hindered. */
static unsigned int
pages_now(struct lab_zone *z, unsigned int most)
{
	unsigned long target = rd(&z->zero_target), zeroed = lab_zero_count(z);

	if (zeroed >= target || is_guarded(z) || !is_plenty(z))
		return 0;
	most = most < IN_HAND ? most : IN_HAND;
	return target - zeroed < most ? (unsigned int)(target - zeroed) : most;
}

/** Zero up to n pages. What is in hand is told as pages between a stack and the frames are: a request that is to
 *  be refused looks again then. */
static unsigned int
zero_batch(struct lab_zone *z, struct lab_stack_set *set, unsigned int n)
{
	_Atomic uint64_t *moves = NULL;
	uint32_t pfn[IN_HAND];
	unsigned int got;

	if (set != NULL)
		moves = percpu_move_begin(&set->stack[LAB_STACK_ZEROED], n);
	got = frames_zero_some(z->store, n, pfn);
	if (got > 0) {
		lab_free_changed(z, -(long)got);
		zero_pages(z, pfn, got);
		frames_free_zeroed(z->store, pfn, got);
		lab_free_changed(z, got);
	}
	if (moves != NULL)
		percpu_move_end(moves, n);
	return got;
}

/** Batches of zeroed pages are put aside for the requests of each kind that there were: a stack that runs empty takes a
 *  batch as it is, where one from the frames is put together frame by frame. @return pages. */
static unsigned int
put_aside(struct lab_zone *z, struct lab_stack_set *set, unsigned int budget)
{
	unsigned int done = 0;

	for (unsigned int mt = 0; mt < LAB_STACK_TYPES; mt++) {
		unsigned int index = lab_zero_stack_index(mt), got = 1;

		if (percpu_popped(&set->stack[index]) == 0)
			continue;
		while (got > 0 && done < budget && is_plenty(z) && !is_guarded(z)) {
			got = lab_stacks_stock(z, set, index);
			done += got;
		}
	}
	return done;
}

unsigned int
lab_zero_round(struct lab_zone *z, unsigned int budget)
{
	unsigned int done = 0, want, got = 1;
	struct lab_stack_set *set;

	if (z->store == NULL || rd(&z->zero_target) == 0)
		return 0;
	set = lab_own_set(z);
	while (got > 0 && (want = pages_now(z, budget - done)) > 0) {
		got = zero_batch(z, set, want);
		done += got;
	}
	if (done > 0)
		lab_event_add(z, zeroed_pages, done);
	if (set != NULL && done < budget)
		done += put_aside(z, set, budget - done);
	return done;
}

/* --------------------------------------------------------------- settings */

int
lab_zone_set_zero_target(struct lab_zone *z, unsigned long pages)
{
	if (pages > 0 && z->store == NULL)
		return -ENOTSUP;
	if (pages > 0 && z->keep_content)
		return -EPERM;
	wr(&z->zero_target, pages);
	return 0;
}

void
lab_zero_fresh(struct lab_zone *z)
{
	if (z->store != NULL)
		frames_fresh(z->store, 0, z->spanned);
}

/* ---------------------------------------------------------------- checking */

static bool
is_zero(const void *page)
{
	const uint64_t *p = page;

	for (size_t i = 0; i < LAB_PAGE_SIZE / sizeof(*p); i++)
		if (p[i] != 0)
			return false;
	return true;
}

bool
lab_zero_is_true(const struct lab_zone *z, char *why, size_t len)
{
	for (uint32_t pfn = 0; z->store != NULL && pfn < z->spanned; pfn++) {
		if (frames_state(z->store, pfn) == FRAMES_STATE_ZEROED &&
			!is_zero(lab_frame_address(z, pfn))) {
			snprintf(why, len, "frame %u is marked as zeroed and is not", pfn);
			return false;
		}
	}
	return true;
}
