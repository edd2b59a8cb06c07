/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef FRAG_TEST_H
#define FRAG_TEST_H

/* Zones for the tests of this folder, and measures taken from lab_zone_walk() alone, which the
 * module's own are compared with. */

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_frag.h"

/* Where each step validates the whole zone, zones are smaller and tests that need a large one are
 * left out, as they would take hours. */
#define ALL_CHECKED (LAB_ASSERT_TIER >= 2)
#define ZONE_PAGES  (ALL_CHECKED ? 1024UL : 16384UL)

#define NEEDS_LARGE_ZONE()                                                                         \
	do {                                                                                       \
		if (ALL_CHECKED) {                                                                 \
			print_message("a large zone, and each step validates all of it\n");        \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

struct fixture {
	struct lab_zone *zone;
	struct lab_tenants *t;
	void *base;
	size_t len;
};

static inline struct lab_zone *
new_zone(unsigned long pages, long min_free_kbytes, void *base)
{
	struct lab_zone_config cfg = lab_zone_config_default(pages);
	struct lab_zone *zone;

	cfg.base = base;
	cfg.min_free_kbytes = min_free_kbytes;
	cfg.nr_cpus = 2;
	assert_int_equal(lab_zone_create(&zone, &cfg), 0);
	return zone;
}

/** A zone whose frames fault when they are touched, unless `prot` allows it. */
static inline struct fixture
fixture_new_prot(unsigned long pages, long min_free_kbytes, unsigned long max_blocks, int prot)
{
	struct fixture f = {.len = pages * LAB_PAGE_SIZE};

	f.base = mmap(NULL, f.len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(f.base != MAP_FAILED);
	f.zone = new_zone(pages, min_free_kbytes, f.base);
	assert_int_equal(lab_tenants_create(&f.t, f.zone, max_blocks), 0);
	return f;
}

static inline struct fixture
fixture_new(unsigned long pages)
{
	return fixture_new_prot(pages, -1, 0, PROT_NONE);
}

static inline void
assert_valid(struct lab_zone *zone)
{
	char why[256] = "";

	if (!lab_zone_is_valid(zone, why, sizeof(why)))
		fail_msg("the zone is not valid: %s", why);
}

/** @param leaked blocks that others than the tenants still hold. */
static inline void
fixture_free(struct fixture *f, unsigned long leaked)
{
	assert_valid(f->zone);
	lab_tenants_destroy(f->t);
	lab_drain_all_pages(f->zone);
	assert_valid(f->zone);
	assert_int_equal(lab_zone_destroy(f->zone), leaked);
	munmap(f->base, f->len);
}

/** What a walk finds. */
struct walked {
	unsigned long managed, free, pcp, allocated;
	unsigned long blocks[LAB_NR_ORDERS];
};

static inline int
walk_add(const struct lab_block *b, void *arg)
{
	struct walked *w = arg;
	unsigned long pages = 1UL << b->order;

	w->managed += b->state == LAB_BLOCK_OFFLINE ? 0 : pages;
	w->free += b->state == LAB_BLOCK_FREE ? pages : 0;
	w->pcp += b->state == LAB_BLOCK_PCP ? pages : 0;
	w->allocated += b->state == LAB_BLOCK_ALLOCATED ? pages : 0;
	if (b->state == LAB_BLOCK_FREE)
		w->blocks[b->order]++;
	return 0;
}

static inline struct walked
walk(struct lab_zone *zone)
{
	struct walked w = {0};

	lab_zone_walk(zone, walk_add, &w);
	return w;
}

/** (F - (S << o)) * 1000 / F, by hand. */
static inline int
walked_unusable(const struct walked *w, unsigned int order)
{
	unsigned long suitable = 0;

	for (unsigned int o = order; o < LAB_NR_ORDERS; o++)
		suitable += w->blocks[o] << (o - order);
	return w->free == 0 ? 1000 : (int)((w->free - (suitable << order)) * 1000 / w->free);
}

/** The saved state as a string, which the caller frees. */
static inline char *
saved(struct lab_tenants *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(lab_age_save(t, f), 0);
	fclose(f);
	return text;
}

static inline int
load_text(struct lab_tenants *t, const char *text, char *err, size_t errlen)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int rc;

	assert_non_null(f);
	rc = lab_age_load(t, f, err, errlen);
	fclose(f);
	return rc;
}

static inline struct lab_age_config
config(const char *spec)
{
	struct lab_age_config cfg;
	char err[160] = "";

	if (lab_age_parse(spec, &cfg, err, sizeof(err)) != 0)
		fail_msg("%s: %s", spec, err);
	return cfg;
}

#endif /* FRAG_TEST_H */
