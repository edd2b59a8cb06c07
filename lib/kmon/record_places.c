/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab_base.h"
#include "record_places.h"

#define KPF_BUDDY                                                                                  \
	10 /* linux/kernel-page-flags.h; of all frames of a free block, not the first alone */
#define PCP_ORDERS  3 /* PAGE_ALLOC_COSTLY_ORDER */
#define CHUNK_WORDS (RECORD_CHUNK / 64)

_Static_assert(RECORD_CHUNK % (1UL << LAB_MAX_ORDER) == 0, "no block lies in two chunks");

int
record_places_init(struct record_places *p, unsigned long start, unsigned long spanned)
{
	size_t chunks;

	*p = (struct record_places){.start = start, .end = start + spanned, .next = start};
	if (spanned == 0 || spanned >= LAB_TRACE_MAX_FRAMES)
		return -EINVAL;
	p->base = start & ~(RECORD_CHUNK - 1);
	chunks = (p->end - p->base + RECORD_CHUNK - 1) / RECORD_CHUNK;
	p->free = calloc(chunks * CHUNK_WORDS, sizeof(*p->free));
	p->read_ns = calloc(chunks, sizeof(*p->read_ns));
	if (p->free != NULL && p->read_ns != NULL)
		return 0;
	record_places_fini(p);
	return -ENOMEM;
}

void
record_places_fini(struct record_places *p)
{
	free(p->free);
	free(p->read_ns);
	*p = (struct record_places){0};
}

static bool
is_free(const struct record_places *p, unsigned long pfn)
{
	unsigned long at = pfn - p->base;

	return p->free[at / 64] >> (at % 64) & 1;
}

static void
mark(struct record_places *p, unsigned long pfn, unsigned int order, bool is_free)
{
	for (unsigned long at = pfn - p->base, n = 1UL << order; n-- > 0; at++) {
		uint64_t bit = UINT64_C(1) << (at % 64);

		p->free[at / 64] = is_free ? p->free[at / 64] | bit : p->free[at / 64] & ~bit;
	}
}

int
record_places_read(struct record_places *p, int kpageflags, uint64_t ns)
{
	uint64_t flags[RECORD_CHUNK];
	unsigned long chunk = (p->next - p->base) / RECORD_CHUNK;
	unsigned long end = p->base + (chunk + 1) * RECORD_CHUNK;
	size_t got;
	ssize_t n;

	if (p->next >= p->end)
		return 0;
	end = end < p->end ? end : p->end;
	n = pread(kpageflags, flags, (end - p->next) * sizeof(flags[0]),
		(off_t)(p->next * sizeof(flags[0])));
	if (n < 0)
		return -errno;
	/* the file ends with memory: what a span has beyond that is not free */
	got = (size_t)n / sizeof(flags[0]);
	for (size_t i = 0; i < got; i++)
		if (flags[i] >> KPF_BUDDY & 1)
			mark(p, p->next + i, 0, true);
	p->read_ns[chunk] = ns;
	p->next = end;
	return 1;
}

/** Does a block that is freed go into a per-CPU list? [pcp_allowed_order] */
static bool
has_lists(unsigned int order)
{
	return order <= PCP_ORDERS || order == LAB_PAGEBLOCK_ORDER;
}

void
record_places_apply(struct record_places *p, const struct lab_trace_event *e, uint64_t ns)
{
	bool gives =
		e->type == LAB_TRACE_DRAIN || (e->type == LAB_TRACE_FREE && !has_lists(e->order));
	uint64_t read_ns;

	if (!gives && e->type != LAB_TRACE_TAKE)
		return;
	read_ns = p->read_ns[(e->pfn - p->base) / RECORD_CHUNK];
	if (read_ns != 0 && ns >= read_ns)
		mark(p, e->pfn, e->order, gives);
}

static bool
all_free(const struct record_places *p, unsigned long pfn, unsigned long n)
{
	for (; n > 0; pfn++, n--)
		if (!is_free(p, pfn))
			return false;
	return true;
}

/** Blocks merge with their buddies whenever both are free, so each is as large as its place lets it be. What could be
 *  the lower half of this one's pair is not free, or it would have been the block's beginning. */
static unsigned int
order_at(const struct record_places *p, unsigned long pfn)
{
	unsigned int order = 0;

	while (order < LAB_MAX_ORDER && !(pfn >> order & 1) &&
		all_free(p, pfn + (1UL << order), 1UL << order))
		order++;
	return order;
}

bool
record_places_next(
	const struct record_places *p, unsigned long at, unsigned long *pfn, unsigned int *order)
{
	for (at = at > p->start ? at : p->start; at < p->end; at = (at | 63) + 1) {
		unsigned long rel = at - p->base;
		uint64_t word = p->free[rel / 64] >> (rel % 64);

		if (word == 0)
			continue;
		*pfn = at + (unsigned long)__builtin_ctzll(word);
		*order = order_at(p, *pfn);
		return true;
	}
	return false;
}
