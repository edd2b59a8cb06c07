/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file valid.c
 * Checking a whole zone. The frames are read once in order of address, the lists once along their
 * links, and what both say is compared.
 */
#include <stdarg.h>

#include "buddy.h"
#include "frame_ops.h"
#include "zone.h"

/** What the frames say. */
struct sums {
	unsigned long blocks[LAB_MIGRATE_TYPES][LAB_NR_ORDERS];
	unsigned long free, pcp, managed, reserved;
	unsigned long free_of[LAB_MIGRATE_TYPES];
};

static bool __attribute__((format(printf, 3, 4))) fail(char *why, size_t len, const char *fmt, ...)
{
	va_list ap;

	if (why != NULL && len > 0) {
		va_start(ap, fmt);
		vsnprintf(why, len, fmt, ap);
		va_end(ap);
	}
	return false;
}

/* ----------------------------------------------------------------- frames */

static bool
check_inside(const struct lab_zone *z, uint32_t pfn, unsigned int order, char *why, size_t len)
{
	for (uint32_t i = 1; i < 1U << order; i++) {
		uint32_t w = lab_frame_word(z, pfn + i);

		if (w != 0)
			return fail(why, len, "frame %u is inside of block %u but says %#x",
				pfn + i, pfn, w);
	}
	return true;
}

static bool
could_merge(const struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	uint32_t buddy = pfn ^ (1U << order);
	uint32_t w;

	if (order >= LAB_MAX_ORDER || buddy >= z->spanned)
		return false;
	w = lab_frame_word(z, buddy);
	if (lab_word_state(w) != LAB_FRAME_FREE || lab_word_order(w) != order)
		return false;
	return mt == lab_word_mt(w) || (lab_mt_mergeable(mt) && lab_mt_mergeable(lab_word_mt(w)));
}

static bool
check_free(
	const struct lab_zone *z, uint32_t pfn, uint32_t w, struct sums *s, char *why, size_t len)
{
	unsigned int order = lab_word_order(w), mt = lab_word_mt(w);
	uint32_t last = pfn + (1U << order) - 1;

	if (mt >= LAB_MIGRATE_TYPES || mt != lab_pageblock_mt(z, pfn) ||
		mt != lab_pageblock_mt(z, last))
		return fail(
			why, len, "free block %u is of type %u, its pageblocks are not", pfn, mt);
	if (could_merge(z, pfn, order, mt))
		return fail(
			why, len, "free block %u of order %u is apart from its buddy", pfn, order);
	s->blocks[mt][order]++;
	s->free_of[mt] += 1UL << order;
	s->free += 1UL << order;
	return true;
}

static bool
check_head(const struct lab_zone *z, uint32_t pfn, struct sums *s, char *why, size_t len)
{
	uint32_t w = lab_frame_word(z, pfn);
	unsigned int state = lab_word_state(w), order = lab_word_order(w);

	if (state < LAB_FRAME_FREE || state > LAB_FRAME_ALLOCATED || order > LAB_MAX_ORDER)
		return fail(why, len, "frame %u should start a block but says %#x", pfn, w);
	if (pfn & ((1U << order) - 1) || z->spanned - pfn < 1U << order)
		return fail(why, len, "block %u of order %u is misplaced", pfn, order);
	if (state == LAB_FRAME_PCP)
		s->pcp += 1UL << order;
	if (state == LAB_FRAME_PCP && !lab_pcp_order(order))
		return fail(why, len, "PCP block %u is of order %u", pfn, order);
	if (state == LAB_FRAME_FREE && !check_free(z, pfn, w, s, why, len))
		return false;
	if (lab_pageblock_mt(z, pfn) != lab_pageblock_mt(z, pfn + (1U << order) - 1))
		return fail(why, len, "block %u lies on pageblocks of two types", pfn);
	if (state != LAB_FRAME_FREE && lab_word_mt(w) >= LAB_MIGRATE_PCPTYPES)
		return fail(why, len, "block %u has type %u", pfn, lab_word_mt(w));
	s->managed += 1UL << order;
	return check_inside(z, pfn, order, why, len);
}

static bool
check_frames(const struct lab_zone *z, struct sums *s, char *why, size_t len)
{
	for (unsigned long pfn = 0; pfn < z->spanned;) {
		uint32_t w = lab_frame_word(z, pfn);

		if (lab_word_state(w) == LAB_FRAME_OFFLINE) {
			pfn++;
			continue;
		}
		if (!check_head(z, pfn, s, why, len))
			return false;
		pfn += 1UL << lab_word_order(w);
	}
	return true;
}

static bool
check_pageblocks(const struct lab_zone *z, struct sums *s, char *why, size_t len)
{
	for (uint32_t i = 0; i < lab_nr_pageblocks(z); i++) {
		unsigned int mt = rd(&z->pageblock_mt[i]);

		if (mt >= LAB_MIGRATE_ISOLATE)
			return fail(why, len, "pageblock %u has type %u", i, mt);
		if (mt == LAB_MIGRATE_HIGHATOMIC)
			s->reserved += LAB_PAGEBLOCK_PAGES;
	}
	return true;
}

/* ------------------------------------------------------------------ lists */

/** Follow a list: links that agree, blocks of the right kind, as many as it counts. */
static bool
check_list(const struct lab_zone *z, const struct lab_list *l, uint32_t key, unsigned int mt,
	char *why, size_t len)
{
	uint32_t prev = LAB_NO_PFN, n = 0, pfn = l->head;

	for (; pfn != LAB_NO_PFN && n <= rd(&l->count); pfn = z->frames[pfn].next, n++) {
		uint32_t w;

		if (pfn >= z->spanned)
			return fail(why, len, "a list holds frame %u", pfn);
		w = lab_frame_word(z, pfn);
		if (lab_word_key(w) != key || (mt < LAB_MIGRATE_TYPES && lab_word_mt(w) != mt))
			return fail(why, len, "block %u with word %#x is on the list of %#x", pfn,
				w, key);
		if (z->frames[pfn].prev != prev)
			return fail(why, len, "block %u has a wrong link back", pfn);
		prev = pfn;
	}
	if (n != rd(&l->count) || l->tail != prev)
		return fail(why, len, "a list of %#x holds %u blocks and counts %u", key, n,
			rd(&l->count));
	return true;
}

static bool
check_lists(struct lab_zone *z, char *why, size_t len)
{
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
			const struct lab_list *l = &z->free_list[mt][order];
			uint32_t key = lab_word_key(lab_word(LAB_FRAME_FREE, order, 0, 0));

			if (!check_list(z, l, key, mt, why, len))
				return false;
			if ((rd(&z->nonempty[mt]) >> order & 1) != (rd(&l->count) != 0))
				return fail(
					why, len, "bit of type %u, order %u is wrong", mt, order);
		}
	}
	return true;
}

static bool
check_blocks(const struct lab_zone *z, const struct sums *s, char *why, size_t len)
{
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
			uint32_t n = rd(&z->free_list[mt][order].count);

			if (n != s->blocks[mt][order])
				return fail(why, len,
					"list of type %u, order %u has %u of %lu blocks", mt, order,
					n, s->blocks[mt][order]);
		}
	}
	return true;
}

static bool
check_pcp(const struct lab_zone *z, const struct sums *s, char *why, size_t len)
{
	unsigned long pages = 0;

	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++) {
		const struct lab_pcp *p = &z->pcp[cpu];
		unsigned long held = 0;

		for (unsigned int i = 0; i < LAB_PCP_NR_LISTS; i++) {
			unsigned int order = lab_pcp_list_order(i);
			uint32_t key = lab_word_key(lab_word(LAB_FRAME_PCP, order, 0, 0));

			if (!check_list(z, &p->lists[i], key, LAB_MIGRATE_TYPES, why, len))
				return false;
			held += (unsigned long)rd(&p->lists[i].count) << order;
		}
		if (held != (unsigned long)rd(&p->count))
			return fail(why, len, "CPU %u holds %lu pages and counts %d", cpu, held,
				rd(&p->count));
		if (!p->on && held != 0)
			return fail(why, len, "CPU %u holds pages while its lists are off", cpu);
		pages += held;
	}
	if (pages != s->pcp)
		return fail(why, len, "PCP lists hold %lu of %lu pages", pages, s->pcp);
	return true;
}

/* --------------------------------------------------------------- counters */

static bool
check_sums(const struct lab_zone *z, const struct sums *s, char *why, size_t len)
{
	const struct {
		const char *name;
		unsigned long counter, sum;
	} pairs[] = {
		{"nr_free", rd(&z->nr_free), s->free},
		{"nr_free_cma", rd(&z->nr_free_cma), s->free_of[LAB_MIGRATE_CMA]},
		{"nr_free_highatomic", rd(&z->nr_free_highatomic),
			s->free_of[LAB_MIGRATE_HIGHATOMIC]},
		{"nr_reserved_highatomic", rd(&z->nr_reserved_highatomic), s->reserved},
		{"managed", rd(&z->managed), s->managed},
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(pairs); i++) {
		if (pairs[i].counter != pairs[i].sum)
			return fail(why, len, "%s says %lu, the frames %lu", pairs[i].name,
				pairs[i].counter, pairs[i].sum);
	}
	return true;
}

static bool
check_marks(const struct lab_zone *z, char *why, size_t len)
{
	struct lab_watermarks w = lab_watermarks(
		rd(&z->managed), z->min_free_kbytes / (LAB_PAGE_SIZE / 1024), rd(&z->scale_factor));

	if (rd(&z->wmark[LAB_ALLOC_WMARK_MIN]) != w.min ||
		rd(&z->wmark[LAB_ALLOC_WMARK_LOW]) != w.low ||
		rd(&z->wmark[LAB_ALLOC_WMARK_HIGH]) != w.high)
		return fail(why, len, "the marks do not follow from the settings");
	return true;
}

bool
lab_buddy_is_valid(struct lab_zone *z, char *why, size_t len)
{
	struct sums s = {0};

	return check_pageblocks(z, &s, why, len) && check_frames(z, &s, why, len) &&
	       check_lists(z, why, len) && check_blocks(z, &s, why, len) &&
	       check_pcp(z, &s, why, len) && check_sums(z, &s, why, len);
}

bool
lab_zone_is_valid(struct lab_zone *z, char *why, size_t len)
{
	bool ok;

	if (z == NULL || z->magic != LAB_ZONE_MAGIC)
		return fail(why, len, "this is no zone");
	lab_zone_freeze(z);
	ok = lab_frame_ops(z)->is_valid(z, why, len) && check_marks(z, why, len);
	lab_zone_thaw(z);
	return ok;
}
