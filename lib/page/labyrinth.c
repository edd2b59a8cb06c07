/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file labyrinth.c
 * The extra quality frame allocator: a lock-free store of frames (frames.h) behind a stack of pages
 * for each CPU and kind of lifetime (percpu.h). No lock is taken, so a thread that stops anywhere
 * stops nobody, and a signal handler may allocate in the midst of an allocation.
 *
 * Pages on a stack count as in use for the watermarks, as Linux's per-CPU lists do; unlike there, a
 * request that would be refused takes them back from every CPU first.
 */
#include "labyrinth.h"

#include "frame_ops.h"
#include "gate.h"
#include "orders.h"
#include "zero.h"

/* ----------------------------------------------------------------- layout */

static size_t
orders_bytes(unsigned long nr_pages)
{
	return ((nr_pages + 127) / 128) * LAB_CACHE_LINE;
}

static size_t
named_bytes(unsigned long nr_pages)
{
	size_t children = (nr_pages + FRAMES_CHILD - 1) / FRAMES_CHILD;

	return (children * sizeof(uint16_t) + LAB_CACHE_LINE - 1) & ~(LAB_CACHE_LINE - 1UL);
}

static size_t
labyrinth_layout(struct lab_zone *z, unsigned char *meta, unsigned int nr_cpus,
	const struct lab_zone_config *cfg)
{
	size_t store = frames_size(cfg->nr_pages), orders = orders_bytes(cfg->nr_pages);
	size_t named = named_bytes(cfg->nr_pages);
	unsigned int sets = cfg->nr_processes ? cfg->nr_processes : 1;

	if (z != NULL) {
		z->store = (struct frames *)meta;
		z->orders = meta + store;
		z->nr_sets = sets;
		z->named = (_Atomic uint16_t *)(meta + store + orders);
		lab_stacks_init(z, meta + store + orders + named, nr_cpus);
		frames_init(z->store, cfg->nr_pages, true);
		z->rows = frames_rows(z->store);
		z->classes = frames_classes(z->store);
	}
	return store + orders + named + lab_stacks_bytes(nr_cpus, sets);
}

/* --------------------------------------------------------------- counting */

static struct lab_counts *
counts_here(struct lab_zone *z)
{
	return &lab_pcp_here(z)->n;
}

void
lab_free_changed(struct lab_zone *z, long pages)
{
	unsigned long free =
		atomic_fetch_add_explicit(&z->nr_free, (unsigned long)pages, memory_order_relaxed) +
		(unsigned long)pages;
	uint8_t open = lab_open(z, free);

	if (rd(&z->open) != open)
		wr(&z->open, open);
	if (lab_unlikely(free <= rd(&z->wmark[LAB_ALLOC_WMARK_LOW])) && pages < 0 &&
		!rd(&z->kswapd_wanted))
		lab_kswapd_wake(z, LAB_GFP_ATOMIC, 0);
}

/* --------------------------------------------------------------- requests */

/** Blocks that stacks keep. */
static uint32_t
take_cached(struct lab_zone *z, const struct lab_request *rq)
{
	struct lab_stack_set *set = lab_own_set(z);
	unsigned int index = lab_stack_index(rq->order, rq->mt);
	uint32_t pfn;
	void *page;

	if (set != NULL) {
		page = percpu_pop_one(&set->stack[index]);
		if (page != NULL)
			return lab_pfn_of(z, page);
		percpu_reopen(&set->stack[index]);
	}
	/* the gate let one block through, not a batch */
	pfn = lab_stacks_refill(z, set, index, rd(&z->open) ? lab_stacks_batch(z, rq->order) : 1);
	if (pfn < FRAMES_LOST)
		lab_add(&counts_here(z)->alloc[rq->order], 1);
	return pfn;
}

static uint32_t
take_block(struct lab_zone *z, const struct lab_request *rq)
{
	struct frames_cursor *cur = &lab_pcp_here(z)->cursor;
	uint32_t pfn = rq->gfp & __LAB_GFP_ZERO
			       ? frames_alloc_tagged(z->store, rq->order, rq->mt, cur)
			       : frames_alloc(z->store, rq->order, rq->mt, cur);

	if (pfn >= FRAMES_LOST)
		return pfn;
	lab_free_changed(z, -(1L << rq->order));
	lab_name_block(z, pfn, rq->order);
	lab_add(&counts_here(z)->alloc[rq->order], 1);
	return pfn;
}

static uint32_t
labyrinth_take(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	uint32_t pfn = LAB_NO_PFN;

	(void)alloc_flags;
	if (lab_unlikely(rq->gfp & __LAB_GFP_ZERO))
		pfn = lab_zero_take(z, rq);
	if (pfn == LAB_NO_PFN)
		pfn = rq->order <= LAB_STACK_MAX_ORDER ? take_cached(z, rq) : take_block(z, rq);
	return pfn < FRAMES_LOST ? pfn : LAB_NO_PFN;
}

static unsigned int
labyrinth_bulk(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	unsigned int n, void **pages, unsigned int *zeroed)
{
	struct lab_stack_set *set;
	unsigned int got = 0;

	if (rq->gfp & __LAB_GFP_ZERO) {
		*zeroed = got = lab_zero_take_pages(z, rq, n, pages);
	} else {
		set = lab_own_set(z);
		if (set != NULL && percpu_pop(&set->stack[lab_stack_index(0, rq->mt)], pages, n))
			return n;
	}
	for (; got < n; got++) {
		uint32_t pfn = labyrinth_take(z, rq, alloc_flags);

		if (pfn == LAB_NO_PFN)
			break;
		pages[got] = lab_frame_address(z, pfn);
	}
	return got;
}

/**
 * Was the refusal true? Yes if no page was on a stack or on the way to or from one at a moment of the
 * pass that failed: `before` was taken before it. If not, they are brought back for another pass.
 */
static bool
labyrinth_settle(struct lab_zone *z, struct percpu_sum *before)
{
	struct percpu_sum now;

	lab_stacks_add_up(z, &now);
	if (before->held == 0 && now.held == 0 && before->events == now.events)
		return true;
	lab_stacks_drain(z);
	lab_stacks_add_up(z, before);
	return false;
}

/* ------------------------------------------------------------------ frees */

/** @return 1 if a stack has it, 0 if it is for the frames; -EALREADY: it lies on this CPU's stack already. That
 *  is looked for where a push stops: at a full stack, and at a page that was the last one pushed. */
static int
give_cached(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	struct lab_stack_set *set = lab_short_way_back(z, order);
	unsigned int index = lab_stack_index(order, lab_class_of(z, pfn));
	void *page = lab_frame_address(z, pfn);

	if (set == NULL)
		return 0;
	if (lab_likely(percpu_push_one(&set->stack[index], page)))
		return 1;
	if (lab_unlikely(percpu_holds(&set->stack[index], page)))
		return -EALREADY;
	lab_stacks_make_room(z, set, index);
	return percpu_push_one(&set->stack[index], page);
}

static int
labyrinth_give(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	int ret = lab_check_block(z, pfn, order);

	if (lab_unlikely(ret != 0))
		return ret;
	ret = give_cached(z, pfn, order);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	lab_unname_block(z, pfn, order);
	ret = frames_free(z->store, pfn, order);
	if (ret == 0) {
		lab_free_changed(z, 1L << order);
		lab_add(&counts_here(z)->free[order], 1);
	}
	return ret;
}

static int
labyrinth_split(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (lab_check_block(z, pfn, order) != 0)
		return -EINVAL;
	lab_unname_block(z, pfn, order);
	return 0;
}

/* --------------------------------------------------------- the whole zone */

static bool
labyrinth_can_take(
	const struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	(void)mt;
	(void)alloc_flags;
	return frames_largest(z->store) > order;
}

static void
labyrinth_online(struct lab_zone *z, uint32_t start, uint32_t end)
{
	if (lab_order_at(z, start) == LAB_ORDER_OFFLINE) {
		for (uint32_t pfn = start; pfn < end; pfn++)
			lab_set_order_at(z, pfn, 0);
		lab_count_named(z, start, end - start, -1);
	}
	frames_online(z->store, start, end - start);
	lab_free_changed(z, (long)(end - start));
}

/** The largest free block stands for all that it could be split into. */
static void
labyrinth_gate_blocks(const struct lab_zone *z, struct lab_free_counts *out)
{
	unsigned int largest = frames_largest(z->store);

	memset(out->blocks, 0, sizeof(out->blocks));
	if (largest > 0)
		out->blocks[largest - 1][LAB_MIGRATE_UNMOVABLE] = 1;
}

/** Type by type, from the pageblocks' classes. Walks the zone: for what people look at. */
static void
labyrinth_count(const struct lab_zone *z, struct lab_free_counts *out)
{
	memset(out->blocks, 0, sizeof(out->blocks));
	frames_count(z->store, out->blocks);
}

static unsigned int
free_order(const struct lab_zone *z, uint32_t pfn)
{
	unsigned int order = 0;

	while (order < LAB_MAX_ORDER && !(pfn & ((2U << order) - 1)) &&
		z->spanned - pfn >= 2U << order) {
		for (uint32_t i = pfn + (1U << order); i < pfn + (2U << order); i++)
			if (!frames_free_now(z->store, i))
				return order;
		order++;
	}
	return order;
}

static bool
is_offline(const struct lab_zone *z, uint32_t pfn)
{
	return lab_order_at(z, pfn) == LAB_ORDER_OFFLINE;
}

static struct lab_block
labyrinth_block_at(const struct lab_zone *z, uint32_t pfn)
{
	struct lab_block b = {.pfn = pfn, .migratetype = frames_class(z->store, pfn)};

	if (frames_free_now(z->store, pfn)) {
		b.state = LAB_BLOCK_FREE;
		b.order = free_order(z, pfn);
	} else if (is_offline(z, pfn)) {
		b.state = LAB_BLOCK_OFFLINE;
	} else {
		unsigned int order = lab_order_at(z, pfn);

		b.state = LAB_BLOCK_ALLOCATED;
		b.order = order > LAB_MAX_ORDER ? 0 : order;
	}
	return b;
}

static int
labyrinth_walk_free(struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg)
{
	int ret = 0;

	for (uint32_t pfn = 0; pfn < z->spanned && ret == 0;) {
		struct lab_block b = labyrinth_block_at(z, pfn);

		if (b.state == LAB_BLOCK_FREE)
			ret = fn(&b, arg);
		pfn += 1U << b.order;
	}
	return ret;
}

static void
labyrinth_reset(struct lab_zone *z)
{
	for (uint32_t pfn = 0; pfn < z->spanned; pfn++) {
		if (!is_offline(z, pfn) && lab_order_at(z, pfn) != 0) {
			lab_set_order_at(z, pfn, 0);
			lab_count_named(z, pfn, 1, -1);
		}
		if (frames_free_now(z->store, pfn))
			frames_take_at(z->store, pfn, 0);
	}
	wr(&z->nr_free, 0);
	wr(&z->open, 0);
}

static void
labyrinth_place(struct lab_zone *z, const struct lab_block *b)
{
	if (b->state == LAB_BLOCK_FREE) {
		frames_online(z->store, b->pfn, 1U << b->order);
		lab_free_changed(z, 1L << b->order);
	} else if (b->state == LAB_BLOCK_ALLOCATED) {
		lab_name_block(z, b->pfn, b->order);
	}
}

static void
labyrinth_set_offline(struct lab_zone *z)
{
	lab_count_named(z, 0, z->spanned, 1);
	memset(z->orders, LAB_ORDER_OFFLINE << 4 | LAB_ORDER_OFFLINE, orders_bytes(z->spanned));
}

static bool
check_blocks(const struct lab_zone *z, char *why, size_t len)
{
	for (uint32_t pfn = 0; pfn < z->spanned;) {
		struct lab_block b = labyrinth_block_at(z, pfn);
		unsigned int order = lab_order_at(z, pfn);

		if (order == LAB_ORDER_INSIDE || (b.state == LAB_BLOCK_FREE && order != 0) ||
			pfn & ((1U << b.order) - 1)) {
			snprintf(why, len, "frame %u, order %u, should start a block", pfn, order);
			return false;
		}
		for (uint32_t i = 1; b.state == LAB_BLOCK_ALLOCATED && i < 1U << b.order; i++)
			if (lab_order_at(z, pfn + i) != LAB_ORDER_INSIDE ||
				frames_free_now(z->store, pfn + i)) {
				snprintf(why, len, "frame %u is not inside of block %u", pfn + i,
					pfn);
				return false;
			}
		pfn += 1U << b.order;
	}
	return true;
}

/** Who was killed while it named frames may have left the count too high. */
static bool
check_named(const struct lab_zone *z, char *why, size_t len)
{
	for (uint32_t pfn = 0; pfn < z->spanned; pfn += FRAMES_CHILD) {
		uint32_t n = 0, said = rd(&z->named[pfn >> FRAMES_CHILD_ORDER]);

		for (uint32_t i = pfn; i < pfn + FRAMES_CHILD && i < z->spanned; i++)
			n += lab_order_at(z, i) != 0;
		if (n > said) {
			snprintf(why, len, "of the child at %u %u frames are named, not %u", pfn, n,
				said);
			return false;
		}
	}
	return true;
}

static bool
labyrinth_is_valid(struct lab_zone *z, char *why, size_t len)
{
	char none[8];

	if (why == NULL) {
		why = none;
		len = sizeof(none);
	}
	if (!frames_is_valid(z->store, rd(&z->nr_free), why, len) || !check_blocks(z, why, len) ||
		!check_named(z, why, len))
		return false;
#if LAB_ASSERT_TIER >= 2
	return lab_zero_is_true(z, why, len);
#else
	return true;
#endif
}

const struct lab_frame_ops lab_labyrinth_ops = {
	.layout = labyrinth_layout,
	.take = labyrinth_take,
	.bulk = labyrinth_bulk,
	.give = labyrinth_give,
	.split = labyrinth_split,
	.drain = lab_stacks_drain,
	.settle = labyrinth_settle,
	.can_take = labyrinth_can_take,
	.online = labyrinth_online,
	.is_offline = is_offline,
	.set_offline = labyrinth_set_offline,
	.gate_blocks = labyrinth_gate_blocks,
	.count = labyrinth_count,
	.block_at = labyrinth_block_at,
	.walk_free = labyrinth_walk_free,
	.reset = labyrinth_reset,
	.place = labyrinth_place,
	.is_valid = labyrinth_is_valid,
	.stats = lab_stacks_stats,
};
