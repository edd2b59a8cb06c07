/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef ZONE_FIXTURE_H
#define ZONE_FIXTURE_H

/**
 * @file zone_fixture.h
 * Zones in known states, for the tests of the allocator.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

/** A request that no watermark holds back, to bring a zone into a state. */
#define GFP_ANY         (LAB_GFP_NOWAIT | __LAB_GFP_MEMALLOC)
#define GFP_ANY_MOVABLE (GFP_ANY | __LAB_GFP_MOVABLE)
#define PAGEBLOCK       LAB_PAGEBLOCK_PAGES
#define KB(pages)       ((long)(pages)*4)

#define assert_valid(z)                                                                            \
	do {                                                                                       \
		char why_[200] = "";                                                               \
		if (!lab_zone_is_valid((z), why_, sizeof(why_)))                                   \
			fail_msg("%s", why_);                                                      \
	} while (0)

static inline struct lab_zone *
make_zone(const struct lab_zone_config *cfg)
{
	struct lab_zone *z = NULL;

	assert_int_equal(lab_zone_create(&z, cfg), 0);
	assert_non_null(z);
	assert_valid(z);
	return z;
}

/** The plainest zone: no per-CPU lists, no boost, the given min mark. */
static inline struct lab_zone_config
plain_config(unsigned long nr_pages, unsigned long min_pages)
{
	struct lab_zone_config cfg = lab_zone_config_default(nr_pages);

	cfg.no_pcp = true;
	cfg.watermark_boost_factor = 0;
	cfg.min_free_kbytes = KB(min_pages);
	return cfg;
}

static inline struct lab_zone *
make_plain_zone(unsigned long nr_pages, unsigned long min_pages)
{
	struct lab_zone_config cfg = plain_config(nr_pages, min_pages);

	return make_zone(&cfg);
}

static inline struct lab_zone_info
zone_info(struct lab_zone *z)
{
	struct lab_zone_info info;

	lab_zone_info_get(z, &info);
	return info;
}

static inline struct lab_zone_stats
zone_stats(struct lab_zone *z)
{
	struct lab_zone_stats stats;

	lab_zone_stats_get(z, &stats);
	return stats;
}

static inline unsigned long
free_pages(struct lab_zone *z)
{
	return zone_info(z).nr_free;
}

/** Allocate movable pages, in large blocks while it can, until `left` are free. */
static inline void
take_down_to(struct lab_zone *z, unsigned long left)
{
	unsigned int order = LAB_MAX_ORDER;

	while (free_pages(z) > left) {
		while (free_pages(z) - left < 1UL << order)
			order--;
		if (lab_alloc_pages(z, GFP_ANY_MOVABLE, order) == NULL) {
			assert_true(order > 0);
			order--;
		}
	}
	assert_int_equal(free_pages(z), left);
}

/* --------------------------------------------- states written down by hand */

#define MAX_BLOCKS 65536

/** A state under construction, in order of address. */
struct state {
	struct lab_block blocks[MAX_BLOCKS];
	size_t nr_blocks;
	uint8_t types[256];
	size_t nr_types;
	unsigned long pfn; /**< where the next block goes */
};

static inline void
state_block(struct state *s, unsigned int order, uint8_t mt, uint8_t block_state)
{
	assert_true(s->nr_blocks < MAX_BLOCKS);
	s->blocks[s->nr_blocks++] = (struct lab_block){
		.pfn = s->pfn, .order = order, .migratetype = mt, .state = block_state};
	s->pfn += 1UL << order;
}

/** n allocated frames of requests of type mt. */
static inline void
state_used(struct state *s, unsigned long n, uint8_t mt)
{
	for (; n > 0; n--)
		state_block(s, 0, mt, LAB_BLOCK_ALLOCATED);
}

static inline void
state_free(struct state *s, unsigned int order, uint8_t mt)
{
	state_block(s, order, mt, LAB_BLOCK_FREE);
}

/** Begin a pageblock of type mt. */
static inline void
state_pageblock(struct state *s, uint8_t mt)
{
	assert_int_equal(s->pfn % PAGEBLOCK, 0);
	s->types[s->nr_types++] = mt;
}

static inline void
state_used_pageblock(struct state *s, uint8_t type, uint8_t mt)
{
	state_pageblock(s, type);
	state_block(s, LAB_PAGEBLOCK_ORDER, mt, LAB_BLOCK_ALLOCATED);
}

/** The rest of the pageblock, in use. */
static inline void
state_fill(struct state *s, uint8_t mt)
{
	state_used(s, s->nr_types * PAGEBLOCK - s->pfn, mt);
}

static inline void
state_apply(struct lab_zone *z, struct state *s)
{
	assert_int_equal(lab_zone_restore(z, s->blocks, s->nr_blocks, s->types, s->nr_types), 0);
	assert_valid(z);
	memset(s, 0, sizeof(*s));
}

#endif /* ZONE_FIXTURE_H */
