/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_valid.c
 * The validator finds what is broken on purpose, each kind by itself.
 */
#include "zone_fixture.h"

#include "buddy.h"
#include "zone.h"

/** A used zone with something of everything. */
static struct lab_zone *
make_used_zone(void)
{
	struct lab_zone_config cfg = lab_zone_config_default(8192);
	struct lab_zone *z;
	void *pages[4];

	cfg.nr_cpus = 2;
	cfg.cma_pages = 512;
	z = make_zone(&cfg);
	lab_cpu_set(0);
	for (unsigned int i = 0; i < 40; i++)
		assert_non_null(lab_alloc_pages(z, i % 2 ? GFP_ANY : GFP_ANY_MOVABLE, i % 6));
	for (int i = 0; i < 4; i++) /* and with pages on the lists */
		pages[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
	assert_valid(z);
	return z;
}

static void
check_broken(struct lab_zone *z, const char *part)
{
	char why[200] = "", cut[8];

	assert_false(lab_zone_is_valid(z, why, sizeof(why)));
	if (strstr(why, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, part);
	assert_false(lab_zone_is_valid(z, NULL, 0));
	memset(cut, 'x', sizeof(cut));
	assert_false(lab_zone_is_valid(z, cut, 4));
	assert_int_equal(cut[3], 0);
	assert_int_equal(cut[4], 'x');
}

/** Change something, see it found, change it back. */
#define BREAK(z, lvalue, value, part)                                                              \
	do {                                                                                       \
		__typeof__(lvalue + 0) was_ = lvalue;                                              \
		lvalue = (value);                                                                  \
		check_broken((z), (part));                                                         \
		lvalue = was_;                                                                     \
		assert_valid(z);                                                                   \
	} while (0)

/** A free block, of an order if that is not negative. */
static uint32_t
some_free(const struct lab_zone *z, int order)
{
	for (int o = order < 0 ? 1 : order; o <= (order < 0 ? LAB_MAX_ORDER : order); o++) {
		for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
			if (z->free_list[mt][o].head != LAB_NO_PFN)
				return z->free_list[mt][o].head;
		}
	}
	fail();
	return 0;
}

static uint32_t
some_allocated(const struct lab_zone *z, unsigned int order)
{
	for (uint32_t pfn = 0; pfn < z->spanned; pfn++) {
		uint32_t w = lab_frame_word(z, pfn);

		if (lab_word_state(w) == LAB_FRAME_ALLOCATED && lab_word_order(w) == order)
			return pfn;
	}
	fail();
	return 0;
}

static void
test_counters(void **state)
{
	struct lab_zone *z = make_used_zone();

	BREAK(z, z->nr_free, 17, "nr_free");
	BREAK(z, z->nr_free_cma, 17, "nr_free_cma");
	BREAK(z, z->nr_free_highatomic, 17, "nr_free_highatomic");
	BREAK(z, z->nr_reserved_highatomic, 512, "nr_reserved_highatomic");
	BREAK(z, z->managed, 8191, "managed");
	BREAK(z, z->wmark[LAB_ALLOC_WMARK_LOW], 1, "marks");
	BREAK(z, z->magic, 0, "no zone");
	lab_zone_destroy(z);
}

static void
test_words(void **state)
{
	struct lab_zone *z = make_used_zone();
	uint32_t block = some_free(z, -1), used = some_allocated(z, 4);
	struct lab_frame *f = z->frames;

	BREAK(z, f[block].word, 0, "should start a block");
	BREAK(z, f[block].word, 0xff, "should start a block");
	BREAK(z, f[block + 1].word, lab_word(LAB_FRAME_FREE, 0, LAB_MIGRATE_MOVABLE, 0), "inside");
	BREAK(z, f[block].word, lab_word(LAB_FRAME_ALLOCATED, lab_word_order(f[block].word), 0, 0),
		"list");
	BREAK(z, f[used].word, lab_word(LAB_FRAME_ALLOCATED, 5, 0, 0), "");
	BREAK(z, f[used].word, lab_word(LAB_FRAME_ALLOCATED, 3, 0, 0), "should start a block");
	BREAK(z, f[used].word, lab_word(LAB_FRAME_ALLOCATED, 4, LAB_MIGRATE_CMA, 0), "type");
	BREAK(z, f[used].word, lab_word(LAB_FRAME_PCP, 4, 0, 0), "PCP block");
	BREAK(z, f[used].word, lab_word(LAB_FRAME_ALLOCATED, 11, 0, 0), "should start a block");
	BREAK(z, f[used].word, lab_word(LAB_FRAME_OFFLINE, 0, 0, 0), "should start a block");
	lab_zone_destroy(z);
}

static void
test_lists(void **state)
{
	struct lab_zone *z = make_used_zone();
	struct lab_list *l = &z->free_list[LAB_MIGRATE_MOVABLE][LAB_MAX_ORDER];
	struct lab_frame *f = z->frames;

	assert_true(l->count > 1);
	BREAK(z, l->count, l->count + 1, "list");
	BREAK(z, l->count, l->count - 1, "list");
	BREAK(z, l->head, f[l->head].next, "link back");
	BREAK(z, l->tail, l->head, "list");
	BREAK(z, f[l->head].next, l->head, "link back"); /* a cycle ends all the same */
	BREAK(z, f[l->head].prev, 0, "link back");
	BREAK(z, f[l->tail].next, z->spanned + 3, "holds frame");
	BREAK(z, z->nonempty[LAB_MIGRATE_MOVABLE], 0, "bit of type");
	BREAK(z, z->nonempty[LAB_MIGRATE_HIGHATOMIC], 1, "bit of type");
	lab_zone_destroy(z);
}

static void
test_types(void **state)
{
	struct lab_zone *z = make_used_zone();
	uint32_t pb = some_free(z, LAB_MAX_ORDER) >> LAB_PAGEBLOCK_ORDER;

	BREAK(z, z->pageblock_mt[pb], LAB_MIGRATE_RECLAIMABLE, "pageblocks are not");
	BREAK(z, z->pageblock_mt[pb + 1], LAB_MIGRATE_RECLAIMABLE, "pageblocks are not");
	BREAK(z, z->pageblock_mt[pb], LAB_MIGRATE_ISOLATE, "has type");
	lab_zone_destroy(z);
}

static void
test_pcp(void **state)
{
	struct lab_zone *z = make_used_zone();
	struct lab_pcp *p = &z->pcp[0];
	unsigned int i = 0;
	uint32_t used;

	while (p->lists[i].count == 0)
		i++;
	BREAK(z, p->count, p->count + 1, "CPU 0");
	BREAK(z, p->lists[i].count, p->lists[i].count - 1, "list");
	BREAK(z, p->on, false, "off");
	BREAK(z, z->frames[p->lists[i].head].word,
		lab_word(LAB_FRAME_ALLOCATED, lab_pcp_list_order(i), 0, 0), "list");
	/* a page that is on no list at all */
	used = some_allocated(z, 0);
	BREAK(z, z->frames[used].word, lab_word(LAB_FRAME_PCP, 0, 0, 0), "PCP lists hold");
	lab_zone_destroy(z);
}

/** Free buddies that were not merged. */
static void
test_apart(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);

	lab_spin_lock(&z->lock);
	lab_buddy_del(z, 0, 10, LAB_MIGRATE_MOVABLE);
	lab_buddy_place(z, 0, 9);
	lab_buddy_place(z, 512, 9);
	lab_buddy_account(z, LAB_MIGRATE_MOVABLE, -1024);
	lab_spin_unlock(&z->lock);
	check_broken(z, "apart from its buddy");
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_pcp),
		cmocka_unit_test(test_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
