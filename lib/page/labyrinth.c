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
#include "frame_ops.h"
#include "gate.h"
#include "zone.h"

/** Pages that move between a stack and the store at once. */
#define BATCH 64U
/** Of what is free at most this part goes to one stack at once, so that little memory is not spread
 *  over idle CPUs. */
#define BATCH_FRACTION 16U

/* ----------------------------------------------------------------- layout */

/** The order of a block is kept with its first frame and "inside" with the others, 4 bits each, for
 *  blocks of two frames and more: 0 stands for a single frame, so those cost no write. */
#define INSIDE  15U
#define OFFLINE 14U

static size_t
stack_bytes(unsigned int nr_cpus)
{
	return (size_t)nr_cpus * LAB_NR_STACKS * sizeof(struct percpu_stack);
}

static size_t
orders_bytes(unsigned long nr_pages)
{
	return ((nr_pages + 127) / 128) * LAB_CACHE_LINE;
}

static void
set_stacks(struct lab_zone *z, unsigned char *at, unsigned int nr_cpus)
{
	for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
		z->stacks[i] = (struct percpu){
			.stack = (struct percpu_stack *)at + i,
			.stride = LAB_NR_STACKS * sizeof(struct percpu_stack),
			.nr_cpus = nr_cpus,
		};
}

static size_t
labyrinth_layout(
	struct lab_zone *z, unsigned char *meta, unsigned int nr_cpus, unsigned long nr_pages)
{
	size_t store = frames_size(nr_pages), orders = orders_bytes(nr_pages);

	if (z != NULL) {
		z->store = (struct frames *)meta;
		z->orders = meta + store;
		set_stacks(z, meta + store + orders, nr_cpus);
		frames_init(z->store, nr_pages, true);
	}
	return store + orders + stack_bytes(nr_cpus);
}

/* ------------------------------------------------------- orders of blocks */

static unsigned int
order_at(const struct lab_zone *z, uint32_t pfn)
{
	uint8_t two = __atomic_load_n(&z->orders[pfn / 2], __ATOMIC_RELAXED);

	return pfn & 1 ? two >> 4 : two & 15U;
}

static void
set_order_at(struct lab_zone *z, uint32_t pfn, unsigned int value)
{
	uint8_t *two = &z->orders[pfn / 2], old = __atomic_load_n(two, __ATOMIC_RELAXED), new;

	/* the other half may be another block's */
	do
		new = pfn & 1 ? (old & 0x0f) | (uint8_t)(value << 4)
			      : (old & 0xf0) | (uint8_t)value;
	while (!__atomic_compare_exchange_n(
		two, &old, new, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/** Name the frames of a block of two or more. They are the caller's: nobody else writes them. */
static void
name_block(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (order == 0)
		return;
	memset(&z->orders[pfn / 2], INSIDE << 4 | INSIDE, (1U << order) / 2);
	__atomic_store_n(&z->orders[pfn / 2], (uint8_t)(INSIDE << 4 | order), __ATOMIC_RELAXED);
}

static void
unname_block(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (order > 0)
		memset(&z->orders[pfn / 2], 0, (1U << order) / 2);
}

/* --------------------------------------------------------------- counting */

static struct lab_counts *
counts_here(struct lab_zone *z)
{
	return &lab_pcp_here(z)->n;
}

static void
add(_Atomic uint64_t *n, uint64_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

/**
 * The free pages changed: open or close the short way of requests, which stands open while they would
 * pass the gate; a request that finds it closed asks the gate. kswapd is woken at the low mark, for
 * those who go the short way do not.
 */
static void
changed(struct lab_zone *z, long pages)
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

static bool
has_stacks(const struct lab_zone *z)
{
	return z->stack_owner == lab_process_id();
}

/* ----------------------------------------------------------------- stacks */

static uint32_t
pfn_of(const struct lab_zone *z, const void *page)
{
	return (uint32_t)(((uintptr_t)page - (uintptr_t)z->base) >> LAB_PAGE_SHIFT);
}

static void
to_store(struct lab_zone *z, void *const *pages, unsigned int n)
{
	uint32_t pfn[BATCH];

	for (unsigned int i = 0; i < n; i++)
		pfn[i] = pfn_of(z, pages[i]);
	lab_event_add(z, bad_free, frames_free_batch(z->store, pfn, n));
	changed(z, n);
}

static unsigned int
batch_now(const struct lab_zone *z)
{
	unsigned long part = rd(&z->nr_free) / BATCH_FRACTION;

	return part >= BATCH ? BATCH : part < 1 ? 1 : (unsigned int)part;
}

/** Take pages back from the stacks of all CPUs. @return pages. */
static unsigned long
labyrinth_drain(struct lab_zone *z)
{
	unsigned long pages = 0;
	void *stolen[BATCH];
	unsigned int n;

	if (!has_stacks(z))
		return 0;
	for (unsigned int i = 0; i < LAB_NR_STACKS; i++) {
		while ((n = percpu_steal(&z->stacks[i], stolen, BATCH)) > 0) {
			add(&z->stolen, n);
			to_store(z, stolen, n);
			pages += n;
		}
	}
	return pages;
}

/** Fetch pages from the store: the first is the caller's, the others wait on this CPU's stack. */
static uint32_t
refill(struct lab_zone *z, unsigned int mt, unsigned int n)
{
	uint32_t pfn[BATCH];
	void *page[BATCH];
	unsigned int got;

	got = frames_alloc_batch(z->store, mt, n, pfn, &lab_pcp_here(z)->cursor);
	if (got == 0)
		return LAB_NO_PFN;
	changed(z, -(long)got);
	for (unsigned int i = 1; i < got; i++)
		page[i] = lab_frame_address(z, pfn[got - i]);
	if (got > 1) {
		if (percpu_push(&z->stacks[mt], page + 1, got - 1))
			add(&z->refilled, got - 1);
		else
			to_store(z, page + 1, got - 1);
		add(&lab_pcp_here(z)->refill, 1);
	}
	return pfn[0];
}

/* --------------------------------------------------------------- requests */

static uint32_t
take_single(struct lab_zone *z, const struct lab_request *rq)
{
	uint32_t pfn;
	void *page;

	if (has_stacks(z)) {
		page = percpu_pop_one(&z->stacks[rq->mt]);
		if (page != NULL)
			return pfn_of(z, page);
		percpu_reopen(&z->stacks[rq->mt]);
		/* the gate let one page through, not a batch */
		pfn = refill(z, rq->mt, rd(&z->open) ? batch_now(z) : 1);
	} else {
		pfn = refill(z, rq->mt, 1);
	}
	if (pfn != LAB_NO_PFN)
		add(&counts_here(z)->alloc[0], 1);
	return pfn;
}

static uint32_t
take_block(struct lab_zone *z, const struct lab_request *rq)
{
	uint32_t pfn = frames_alloc(z->store, rq->order, rq->mt, &lab_pcp_here(z)->cursor);

	if (pfn == FRAMES_NONE)
		return LAB_NO_PFN;
	changed(z, -(1L << rq->order));
	name_block(z, pfn, rq->order);
	add(&counts_here(z)->alloc[rq->order], 1);
	return pfn;
}

static uint32_t
labyrinth_take(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	uint32_t pfn = rq->order == 0 ? take_single(z, rq) : take_block(z, rq);

	(void)alloc_flags;
	if (lab_unlikely(pfn == LAB_NO_PFN) && labyrinth_drain(z) > 0)
		pfn = rq->order == 0 ? take_single(z, rq) : take_block(z, rq);
	return pfn;
}

static unsigned int
labyrinth_bulk(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	unsigned int n, void **pages)
{
	unsigned int got = 0;

	if (has_stacks(z) && n <= PERCPU_SLOTS && percpu_pop(&z->stacks[rq->mt], pages, n))
		return n;
	for (; got < n; got++) {
		uint32_t pfn = labyrinth_take(z, rq, alloc_flags);

		if (pfn == LAB_NO_PFN)
			break;
		pages[got] = lab_frame_address(z, pfn);
	}
	return got;
}

/* ------------------------------------------------------------------ frees */

/** Half of a full stack goes to the store. The pages leave through this function's own memory, so an
 *  interruption that finds the stack half empty finds it right. */
static void
flush(struct lab_zone *z, unsigned int mt)
{
	void *pages[BATCH];

	for (unsigned int i = 0; i < PERCPU_SLOTS / 2 / BATCH; i++) {
		if (!percpu_pop(&z->stacks[mt], pages, BATCH))
			return;
		add(&z->flushed, BATCH);
		add(&lab_pcp_here(z)->drain_pages, BATCH);
		to_store(z, pages, BATCH);
	}
}

static int
give_single(struct lab_zone *z, uint32_t pfn)
{
	unsigned int mt = frames_class(z->store, pfn);
	void *page = lab_frame_address(z, pfn);

	if (order_at(z, pfn) != 0)
		return -EINVAL;
	if (frames_free_now(z->store, pfn))
		return -EALREADY;
	if (has_stacks(z) && rd(&z->open)) {
		if (percpu_push_one(&z->stacks[mt], page))
			return 0;
		percpu_reopen(&z->stacks[mt]);
		flush(z, mt);
		if (percpu_push_one(&z->stacks[mt], page))
			return 0;
	}
	if (frames_free(z->store, pfn, 0) < 0)
		return -EALREADY;
	changed(z, 1);
	add(&counts_here(z)->free[0], 1);
	return 0;
}

static int
labyrinth_give(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	int ret;

	if (order == 0)
		return give_single(z, pfn);
	if (frames_free_now(z->store, pfn))
		return -EALREADY;
	if (order_at(z, pfn) != order)
		return -EINVAL;
	unname_block(z, pfn, order);
	ret = frames_free(z->store, pfn, order);
	if (ret == 0) {
		changed(z, 1L << order);
		add(&counts_here(z)->free[order], 1);
	}
	return ret;
}

static int
labyrinth_split(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (frames_free_now(z->store, pfn) || order_at(z, pfn) != order)
		return -EINVAL;
	unname_block(z, pfn, order);
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
	if (order_at(z, start) == OFFLINE)
		for (uint32_t pfn = start; pfn < end; pfn++)
			set_order_at(z, pfn, 0);
	frames_online(z->store, start, end - start);
	changed(z, (long)(end - start));
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
	return order_at(z, pfn) == OFFLINE;
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
		unsigned int order = order_at(z, pfn);

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
		if (!is_offline(z, pfn))
			set_order_at(z, pfn, 0);
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
		changed(z, 1L << b->order);
	} else if (b->state == LAB_BLOCK_ALLOCATED) {
		name_block(z, b->pfn, b->order);
	}
}

static void
labyrinth_set_offline(struct lab_zone *z)
{
	memset(z->orders, OFFLINE << 4 | OFFLINE, orders_bytes(z->spanned));
}

static bool
check_blocks(const struct lab_zone *z, char *why, size_t len)
{
	for (uint32_t pfn = 0; pfn < z->spanned;) {
		struct lab_block b = labyrinth_block_at(z, pfn);
		unsigned int order = order_at(z, pfn);

		if (order == INSIDE || (b.state == LAB_BLOCK_FREE && order != 0) ||
			pfn & ((1U << b.order) - 1)) {
			snprintf(why, len, "frame %u, order %u, should start a block", pfn, order);
			return false;
		}
		for (uint32_t i = 1; b.state == LAB_BLOCK_ALLOCATED && i < 1U << b.order; i++)
			if (order_at(z, pfn + i) != INSIDE || frames_free_now(z->store, pfn + i)) {
				snprintf(why, len, "frame %u is not inside of block %u", pfn + i,
					pfn);
				return false;
			}
		pfn += 1U << b.order;
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
	return frames_is_valid(z->store, rd(&z->nr_free), why, len) && check_blocks(z, why, len);
}

/** What went through the stacks: the CPUs count pops, the rest follows. */
static void
labyrinth_stats(const struct lab_zone *z, struct lab_zone_stats *out)
{
	uint64_t popped = 0, held = 0;

	for (unsigned int i = 0; i < LAB_NR_STACKS; i++) {
		popped += percpu_popped(&z->stacks[i]);
		held += percpu_count(&z->stacks[i]);
	}
	out->pcp_hit = popped - rd(&z->flushed);
	out->alloc[0] += popped - rd(&z->flushed);
	out->free[0] += popped + held + rd(&z->stolen) - rd(&z->refilled);
}

const struct lab_frame_ops lab_labyrinth_ops = {
	.layout = labyrinth_layout,
	.take = labyrinth_take,
	.bulk = labyrinth_bulk,
	.give = labyrinth_give,
	.split = labyrinth_split,
	.drain = labyrinth_drain,
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
	.stats = labyrinth_stats,
};
