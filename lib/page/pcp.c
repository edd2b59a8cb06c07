/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file pcp.c
 * Per-CPU lists of orders 0 to 3 and of whole pageblocks. What is on them counts as in use for the
 * watermarks. Their sizes follow 6.1 (fixed high, drains that double) or 6.12 (refills that double, a
 * high that tunes itself).
 */
#include "buddy.h"
#include "gate.h"
#include "zone.h"

#define PCP_HIGH_FRACTION 8 /* 6.12: all lists together hold at most this part of the zone */

__thread unsigned int lab_this_cpu __attribute__((tls_model("initial-exec"))) = LAB_CPU_UNSET;

void
lab_cpu_set(unsigned int cpu)
{
	lab_this_cpu = cpu == LAB_CPU_UNSET ? 0 : cpu;
}

unsigned int
lab_cpu_new(struct lab_zone *z)
{
	lab_this_cpu = atomic_fetch_add_explicit(&z->next_cpu, 1, memory_order_relaxed) &
		       (LAB_CPU_UNSET >> 1);
	return lab_this_cpu;
}

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

static int
max_int(int a, int b)
{
	return a > b ? a : b;
}

static int
clamp_int(int x, int lo, int hi)
{
	return min_int(max_int(x, lo), hi);
}

/* ------------------------------------------------------------------ lists */

static unsigned int
list_index(unsigned int order, unsigned int mt)
{
	if (order <= LAB_PCP_COSTLY_ORDER)
		return order * LAB_MIGRATE_PCPTYPES + mt;
	return LAB_PCP_NR_LOW + (mt == LAB_MIGRATE_MOVABLE);
}

static const uint8_t list_order[LAB_PCP_NR_LISTS] = {
	0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, LAB_PAGEBLOCK_ORDER, LAB_PAGEBLOCK_ORDER};

unsigned int
lab_pcp_list_order(unsigned int index)
{
	return list_order[index];
}

/** The zone's flag that the high mark is missed is taken back once a drain has met it. */
static void
recheck_high(struct lab_zone *z)
{
	const struct lab_request rq = {.order = 0, .highest = LAB_ZONE_MOVABLE};

	if (rd(&z->below_high) && z->linux_version != LAB_LINUX_6_1 &&
		lab_gate_open(z, &rq, lab_mark(z, LAB_ALLOC_WMARK_HIGH), 0))
		wr(&z->below_high, false);
}

static void
drain_list(struct lab_zone *z, struct lab_pcp *p, unsigned int index, int *pages)
{
	struct lab_list *l = &p->lists[index];
	unsigned int order = list_order[index];

	while (*pages > 0 && l->tail != LAB_NO_PFN) {
		uint32_t pfn = l->tail;

		lab_list_del(z->frames, l, pfn);
		lab_frame_set(z, pfn, lab_word(LAB_FRAME_INSIDE, 0, 0, 0));
		lab_buddy_give(z, pfn, order, false);
		dec(&p->count, 1 << order);
		*pages -= 1 << order;
	}
}

/** Give back at least `pages` or all, the coldest first, starting with list `index`. The list's lock
 *  is held. [free_pcppages_bulk] @return pages given back. */
static int
drain(struct lab_zone *z, struct lab_pcp *p, int pages, unsigned int index)
{
	int before = rd(&p->count), left = min_int(pages, before);

	if (left <= 0)
		return 0;
	lab_spin_lock(&z->lock);
	while (left > 0) {
		drain_list(z, p, index, &left);
		index = index + 1 == LAB_PCP_NR_LISTS ? 0 : index + 1;
	}
	lab_spin_unlock(&z->lock);
	inc(&p->drain_pages, before - rd(&p->count));
	return before - rd(&p->count);
}

/* --------------------------------------------------------------- requests */

/** Pages to fetch when a list is empty, and how the list grows. [nr_pcp_alloc] */
static int
refill_size(struct lab_zone *z, struct lab_pcp *p, unsigned int order)
{
	int batch = p->batch;

	if (z->linux_version != LAB_LINUX_6_1) {
		if (p->high < p->batch)
			return 1;
		if (order == 0)
			batch <<= p->alloc_factor;
		if (p->high_min != p->high_max && !rd(&z->below_high))
			p->high = min_int(p->high + batch, p->high_max);
		if (order == 0) {
			int most = max_int(p->high - rd(&p->count) - p->batch, p->batch);

			if (batch <= most && p->alloc_factor < LAB_PCP_BATCH_SCALE_MAX)
				p->alloc_factor++;
			batch = min_int(batch, most);
		}
	}
	return batch > 1 ? max_int(batch >> order, 2) : batch;
}

/** [rmqueue_bulk] */
static void
refill(struct lab_zone *z, struct lab_pcp *p, unsigned int index, unsigned int mt,
	unsigned int alloc_flags)
{
	unsigned int order = list_order[index];
	int n = refill_size(z, p, order);
	uint64_t steals;

	/* Lists are filled for everybody: never from what only some may have. */
	alloc_flags &= ~(LAB_ALLOC_HIGHATOMIC | LAB_ALLOC_OOM | LAB_ALLOC_NON_BLOCK);
	lab_spin_lock(&z->lock);
	steals = rd(&z->ev.steal);
	for (; n > 0; n--) {
		uint32_t pfn = lab_buddy_take(z, order, mt, alloc_flags);

		if (pfn == LAB_NO_PFN)
			break;
		/* Nothing was to be claimed, and each attempt would raise the boost again. */
		if (z->linux_version != LAB_LINUX_6_1 && rd(&z->ev.steal) != steals)
			alloc_flags |= LAB_ALLOC_STEAL;
		lab_frame_set(z, pfn, lab_word(LAB_FRAME_PCP, order, mt, 0));
		lab_list_add_tail(z->frames, &p->lists[index], pfn);
		inc(&p->count, 1 << order);
	}
	lab_spin_unlock(&z->lock);
	inc(&p->refill, 1);
}

/** Take a block off the lists, filling them when empty; their lock is held. [__rmqueue_pcplist] */
uint32_t
lab_pcp_take(struct lab_zone *z, struct lab_pcp *p, unsigned int order, unsigned int mt,
	unsigned int alloc_flags)
{
	unsigned int index = list_index(order, mt);
	struct lab_list *l = &p->lists[index];
	uint32_t pfn = l->head;

	if (lab_likely(pfn != LAB_NO_PFN)) {
		inc(&p->hit, 1);
	} else {
		refill(z, p, index, mt, alloc_flags);
		pfn = l->head;
		if (pfn == LAB_NO_PFN)
			return LAB_NO_PFN;
	}
	lab_list_del(z->frames, l, pfn);
	dec(&p->count, 1 << order);
	return pfn;
}

/** Is a block of this kind on this CPU's lists? */
bool
lab_pcp_has(struct lab_zone *z, unsigned int order, unsigned int mt)
{
	return lab_pcp_order(order) &&
	       rd(&lab_pcp_here(z)->lists[list_index(order, mt)].count) != 0;
}

/* ------------------------------------------------------------------ frees */

/** More blocks of orders 1 to 3 are being freed than asked for: keep none, for they fragment. */
static bool
is_free_high(struct lab_zone *z, struct lab_pcp *p, unsigned int order)
{
	bool costly = order > 0 && order <= LAB_PCP_COSTLY_ORDER;
	bool prev = p->prev_free_high_order;

	if (z->linux_version == LAB_LINUX_6_1)
		return costly && p->free_factor > 0;
	p->prev_free_high_order = costly;
	return costly && prev && p->free_count >= p->batch;
}

/** [nr_pcp_high] of 6.12 */
static int
tuned_high(struct lab_zone *z, struct lab_pcp *p, bool free_high)
{
	int high = p->high = clamp_int(p->high, p->high_min, p->high_max);
	int freed = max_int(p->free_count, p->batch);

	if (free_high) {
		p->high = max_int(high - (p->batch << LAB_PCP_BATCH_SCALE_MAX), p->high_min);
		return 0;
	}
	if (rd(&z->reclaim_active)) {
		p->high = max_int(high - freed, p->high_min);
		return min_int(p->batch << 2, p->high);
	}
	if (p->high_min == p->high_max)
		return high;
	if (rd(&z->below_high)) {
		p->high = max_int(high - freed, p->high_min);
		high = max_int(rd(&p->count), p->high_min);
	} else if (rd(&p->count) >= high) {
		int need = p->free_count + p->batch;

		if (p->high < need)
			p->high = clamp_int(need, p->high_min, p->high_max);
	}
	return high;
}

/** Above how many pages the lists are drained. */
static int
high_now(struct lab_zone *z, struct lab_pcp *p, bool free_high)
{
	if (z->linux_version != LAB_LINUX_6_1)
		return tuned_high(z, p, free_high);
	if (free_high)
		return 0;
	return rd(&z->reclaim_active) ? min_int(p->batch << 2, p->high) : p->high;
}

/** How many pages a drain takes. [nr_pcp_free] */
static int
drain_size(struct lab_zone *z, struct lab_pcp *p, int high, bool free_high)
{
	bool v6_1 = z->linux_version == LAB_LINUX_6_1;
	int most = high - p->batch, n;

	if (free_high)
		return v6_1 ? rd(&p->count)
			    : min_int(rd(&p->count), p->batch << LAB_PCP_BATCH_SCALE_MAX);
	if (high < p->batch)
		return 1;
	if (!v6_1)
		return max_int(min_int(p->free_count, most), p->batch);
	n = p->batch << p->free_factor;
	if (n < most && p->free_factor < LAB_PCP_BATCH_SCALE_MAX)
		p->free_factor++;
	return max_int(min_int(n, most), p->batch);
}

/** Put a freed block, whose word says PCP, on the lists; their lock is held.
 *  [free_unref_page_commit] */
void
lab_pcp_put(
	struct lab_zone *z, struct lab_pcp *p, uint32_t pfn, unsigned int order, unsigned int mt)
{
	unsigned int index = list_index(order, mt);
	bool free_high;
	int high;

	p->alloc_factor >>= 1;
	lab_list_add_head(z->frames, &p->lists[index], pfn);
	inc(&p->count, 1 << order);
	free_high = is_free_high(z, p, order);
	if (p->free_count < p->batch << LAB_PCP_BATCH_SCALE_MAX)
		p->free_count += 1 << order;
	if (lab_likely(!free_high && rd(&p->count) < p->high_min && !rd(&z->reclaim_active) &&
		       !rd(&z->below_high)))
		return; /* what follows would change nothing */
	high = high_now(z, p, free_high);
	if (rd(&p->count) >= high) {
		drain(z, p, drain_size(z, p, high, free_high), index);
		recheck_high(z);
	}
}

/* ------------------------------------------------------------------ zones */

static void
setup_one(struct lab_zone *z, struct lab_pcp *p)
{
	unsigned long managed = rd(&z->managed);
	unsigned int batch = lab_zone_batchsize(managed);
	unsigned int most = managed / PCP_HIGH_FRACTION / z->nr_cpus;

	p->batch = max_int(batch, 1);
	p->high_min = lab_pcp_high(rd(&z->wmark[LAB_ALLOC_WMARK_LOW]), z->nr_cpus, p->batch);
	p->high_max = p->high_min;
	if (z->linux_version != LAB_LINUX_6_1)
		p->high_max = max_int(p->high_min, max_int(most, p->batch << 2));
	p->high = clamp_int(p->high, p->high_min, p->high_max);
}

void
lab_pcp_setup(struct lab_zone *z)
{
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++) {
		struct lab_pcp *p = &z->pcp[cpu];

		lab_spin_lock(&p->lock);
		setup_one(z, p);
		lab_spin_unlock(&p->lock);
	}
}

void
lab_pcp_init(struct lab_zone *z)
{
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++) {
		for (unsigned int i = 0; i < LAB_PCP_NR_LISTS; i++)
			lab_list_init(&z->pcp[cpu].lists[i]);
		z->pcp[cpu].on = rd(&z->pcp_on);
	}
}

unsigned long
lab_pcp_pages(const struct lab_zone *z)
{
	unsigned long pages = 0;

	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++)
		pages += rd(&z->pcp[cpu].count);
	return pages + lab_stacks_pages(z);
}

unsigned long
lab_pcp_drain_all(struct lab_zone *z)
{
	unsigned long pages = 0;

	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++) {
		struct lab_pcp *p = &z->pcp[cpu];

		lab_spin_lock(&p->lock);
		pages += drain(z, p, rd(&p->count), 0);
		lab_spin_unlock(&p->lock);
	}
	return pages;
}

/* Each list has its own switch, under its lock, so that a free that is on its way cannot put a block
 * on a list that has just been drained. */
int
lab_zone_set_pcp(struct lab_zone *z, bool on)
{
	lab_spin_lock(&z->lock);
	wr(&z->pcp_on, on);
	lab_zone_set_open(z);
	lab_spin_unlock(&z->lock);
	if (!on && z->store != NULL)
		lab_stacks_drain(z);
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++) {
		struct lab_pcp *p = &z->pcp[cpu];

		lab_spin_lock(&p->lock);
		p->on = on;
		p->alloc_factor = p->free_factor = 0;
		p->free_count = 0;
		if (!on)
			drain(z, p, rd(&p->count), 0);
		lab_spin_unlock(&p->lock);
	}
	return 0;
}

int
lab_zone_pcp_info(struct lab_zone *z, unsigned int cpu, struct lab_pcp_info *out)
{
	struct lab_pcp *p;

	if (cpu >= z->nr_cpus)
		return -EINVAL;
	p = &z->pcp[cpu];
	lab_spin_lock(&p->lock);
	*out = (struct lab_pcp_info){0};
	if (p->on)
		*out = (struct lab_pcp_info){.count = rd(&p->count),
			.high = p->high,
			.batch = p->batch,
			.high_min = p->high_min,
			.high_max = p->high_max};
	lab_spin_unlock(&p->lock);
	return 0;
}
