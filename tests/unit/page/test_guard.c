/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_guard.c
 * Guarded mode: each kind of misuse is found, named with its owner, and changes nothing; correct use is
 * never reported.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "watch_fixture.h"

#define MS 1000000ULL
#define A  LAB_OWNER_RXQ(0, 1)
#define B  LAB_OWNER_TENANT(2)

/** What was reported. */
static struct lab_guard_report found[8];
static char text[8][512];
static unsigned int nr_found;
static int report_arg;

static void
note(void *arg, const struct lab_guard_report *r)
{
	lab_assert_always(arg == &report_arg && nr_found < LAB_ARRAY_SIZE(found));
	lab_assert_always(lab_guard_format(r, text[nr_found], sizeof(text[0])) > 0);
	found[nr_found++] = *r;
}

static struct lab_zone *
make_guarded(enum lab_allocator allocator, bool pcp, unsigned long nr_pages, bool keep)
{
	struct lab_guard_config cfg = {.report = note, .arg = &report_arg, .keep = keep};
	struct lab_zone *z = make_watched(allocator, pcp, nr_pages);

	lab_zone_set_time(z, 1000 * MS);
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	nr_found = 0;
	return z;
}

static void *
take(struct lab_zone *z, uint32_t owner, unsigned int order)
{
	uint32_t before = lab_owner_set(owner);
	void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, order);

	lab_owner_set(before);
	assert_non_null(page);
	return page;
}

static int
give(struct lab_zone *z, uint32_t owner, void *page, unsigned int order)
{
	uint32_t before = lab_owner_set(owner);
	int ret = lab_free_pages(z, page, order);

	lab_owner_set(before);
	return ret;
}

/** Every free page is handed out. */
static void
take_all(struct lab_zone *z)
{
	lab_drain_all_pages(z);
	while (lab_alloc_pages(z, LAB_GFP_ATOMIC, 0) != NULL)
		;
}

/** A certain block is handed out. */
static void
take_again(struct lab_zone *z, void *block, unsigned int order)
{
	void *others[256];
	unsigned int n = 0;

	lab_drain_all_pages(z);
	while ((others[n] = take(z, A, order)) != block)
		n++;
	while (n > 0)
		assert_int_equal(give(z, B, others[--n], order), 0);
}

/** There was one finding, whose text has the part. */
static const struct lab_guard_report *
expect(enum lab_guard_kind kind, const char *part)
{
	assert_int_equal(nr_found, 1);
	nr_found = 0;
	assert_int_equal(found[0].kind, kind);
	assert_memory_equal(text[0], lab_guard_kind_name(kind), strlen(lab_guard_kind_name(kind)));
	if (strstr(text[0], part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text[0], part);
	return &found[0];
}

/* ------------------------------------------------------------ bad writes */

static void
write_after_free(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_guarded(allocator, pcp, 256, false);
	unsigned char *page = take(z, A, 0);
	const struct lab_guard_report *r;

	lab_zone_set_time(z, 2000 * MS);
	assert_int_equal(give(z, B, page, 0), 0);
	assert_int_equal(page[0], 0xaa); /* poisoned */
	assert_int_equal(page[LAB_PAGE_SIZE - 1], 0xaa);
	page[1234] = 0xbe;
	page[1236] = 0xef;
	lab_zone_set_time(z, 2250 * MS);
	take_all(z);
	r = expect(LAB_GUARD_WRITE_AFTER_FREE, "byte 1234: be aa ef aa aa aa aa aa aa aa aa aa aa "
					       "aa aa aa; last held by port 0 rxq 1, "
					       "freed by tenant 2 0.250 s ago; found by thread ");
	assert_ptr_equal(r->page, page);
	assert_int_equal(r->owner, A);
	assert_int_equal(r->freed_by, B);
	assert_int_equal(r->offset, 1234);
	assert_true(r->exact);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** A part of a block: the frames of it were freed together, and are handed out apart. */
static void
write_in_block(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_guarded(allocator, pcp, 256, false);
	unsigned char *block = take(z, A, 3), *page;

	assert_int_equal(give(z, A, block, 3), 0);
	block[5 * LAB_PAGE_SIZE + 4095] = 0;
	take_all(z);
	assert_ptr_equal(expect(LAB_GUARD_WRITE_AFTER_FREE, "byte 4095: 00; last")->page,
		block + 5 * LAB_PAGE_SIZE);
	lab_zone_destroy(z);
	/* and the other way round; also cleared pages are looked at before */
	z = make_guarded(allocator, pcp, 64, false);
	block = take(z, A, 3);
	assert_int_equal(lab_split_page(z, block, 3), 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(give(z, A, block + i * LAB_PAGE_SIZE, 0), 0);
	block[0] = 0;
	lab_drain_all_pages(z);
	do
		page = lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_ZERO, 3);
	while (page != NULL && page != block);
	assert_ptr_equal(page, block);
	expect(LAB_GUARD_WRITE_AFTER_FREE, "byte 0: 00 aa");
	for (unsigned int i = 0; i < 8 * LAB_PAGE_SIZE; i++)
		assert_int_equal(block[i], 0);
	lab_zone_destroy(z);
}

/** With `keep`, content stays and a change of it is found, to 512 bytes. */
static void
write_after_free_kept(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_guarded(allocator, pcp, 256, true);
	unsigned char *page = take(z, A, 0);
	const struct lab_guard_report *r;

	for (unsigned int i = 0; i < LAB_PAGE_SIZE; i++)
		page[i] = (unsigned char)(i * 7);
	assert_int_equal(give(z, B, page, 0), 0);
	for (unsigned int i = 0; i < LAB_PAGE_SIZE; i++)
		assert_int_equal(page[i], (unsigned char)(i * 7));
	page[1234] ^= 1;
	take_all(z);
	r = expect(LAB_GUARD_WRITE_AFTER_FREE, ", a byte of 1024 to 1535: ");
	assert_false(r->exact);
	assert_int_equal(r->owner, A);
	assert_int_equal(r->freed_by, B);
	lab_zone_destroy(z);
}

/** Each byte counts: no bit of any can change unseen, for this content. */
static void
test_every_bit_is_sealed(void **state)
{
	struct lab_zone *z = make_guarded(LAB_ALLOCATOR_BUDDY, false, 1, true);
	unsigned char *page = take(z, A, 0);

	memset(page, 0x5a, LAB_PAGE_SIZE);
	for (unsigned int bit = 0; bit < 8 * LAB_PAGE_SIZE; bit += 3) {
		assert_int_equal(give(z, A, page, 0), 0);
		page[bit / 8] ^= 1 << bit % 8;
		take(z, A, 0);
		assert_int_equal(nr_found, bit / 3 < LAB_GUARD_MAX_REPORTS);
		if (nr_found > 0)
			assert_int_equal(found[0].offset, bit / 8 / 512 * 512);
		nr_found = 0;
	}
	{
		struct lab_watch_info w;

		lab_zone_watch_info(z, &w);
		assert_int_equal(w.guard_findings, (8 * LAB_PAGE_SIZE + 2) / 3);
	}
	lab_zone_destroy(z);
}

static void
test_bad_writes(void **state)
{
	FOR_EACH_KIND(write_after_free);
	FOR_EACH_KIND(write_in_block);
	FOR_EACH_KIND(write_after_free_kept);
}

/* ---------------------------------------------------------------- canaries */

static void
asked_for_less(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_guarded(allocator, pcp, 256, false);
	unsigned char *block = take(z, A, 1);
	const struct lab_guard_report *r;

	assert_int_equal(lab_guard_size(z, block, 5000), 0);
	memset(block, 1, 5000);
	assert_int_equal(give(z, A, block, 1), 0);
	assert_int_equal(nr_found, 0); /* what was asked for may be used */
	block = take(z, A, 1);
	assert_int_equal(lab_guard_size(z, block, 5000), 0);
	lab_zone_set_time(z, 1500 * MS);
	block[5003] = 7;
	assert_int_equal(give(z, B, block, 1), 0);
	r = expect(LAB_GUARD_OVERRUN, "byte 5003: 07 cc cc");
	assert_non_null(strstr(text[0], "; held by port 0 rxq 1 0.500 s ago; found by tenant 2"));
	assert_int_equal(r->order, 1);
	assert_int_equal(r->freed_by, LAB_OWNER_UNTAGGED);
	/* the whole block may be used when less was not asked for */
	block = take(z, A, 1);
	memset(block, 1, 2 * LAB_PAGE_SIZE);
	assert_int_equal(give(z, A, block, 1), 0);
	assert_int_equal(nr_found, 0);
	assert_int_equal(lab_guard_size(z, block, 1), -EINVAL); /* free */
	block = take(z, A, 1);
	assert_int_equal(lab_guard_size(z, block + 1, 1), -EINVAL);
	assert_int_equal(lab_guard_size(z, block, 2 * LAB_PAGE_SIZE + 1), -EINVAL);
	assert_int_equal(lab_guard_size(z, block, 2 * LAB_PAGE_SIZE), 0);
	assert_int_equal(lab_guard_size(z, &z, 1), -EINVAL);
	lab_zone_destroy(z);
}

/** Objects of 5000 bytes in blocks of two frames, spread over 8 cache lines. */
static void
objects(enum lab_allocator allocator, bool pcp)
{
	struct lab_guard_config cfg = {.report = note,
		.arg = &report_arg,
		.keep = true,
		.object_bytes = 5000,
		.object_order = 1,
		.colors = 7};
	struct lab_zone *z = make_watched(allocator, pcp, 256);
	unsigned char *block, *object;

	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	nr_found = 0;
	do /* an object that has bytes before it */
		block = take(z, A, 1);
	while ((lab_page_to_pfn(z, block) / 2 & 7) == 0);
	object = block + (lab_page_to_pfn(z, block) / 2 & 7) * 64;
	memset(object, 0, 5000);
	assert_int_equal(give(z, A, block, 1), 0);
	assert_int_equal(nr_found, 0);
	take_again(z, block, 1);
	object[5000] = 1;
	assert_int_equal(give(z, A, block, 1), 0);
	expect(LAB_GUARD_OVERRUN, ": 01 cc");
	take_again(z, block, 1);
	object[-1] = 2;
	assert_int_equal(give(z, A, block, 1), 0);
	expect(LAB_GUARD_UNDERRUN, ": 02; held by port 0 rxq 1");
	object[-1] = 3; /* mended, so found anew: now the block is free */
	take_again(z, block, 1);
	expect(LAB_GUARD_WRITE_AFTER_FREE, ": 03; last held by port 0 rxq 1");
	/* others share the zone with blocks of other orders, which they do not write to */
	assert_int_equal(give(z, A, block, 1), 0);
	lab_drain_all_pages(z);
	for (unsigned int i = 0; i < 2; i++)
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(nr_found, 0);
	lab_zone_destroy(z);
}

static void
test_canaries(void **state)
{
	FOR_EACH_KIND(asked_for_less);
	FOR_EACH_KIND(objects);
}

/* --------------------------------------------------------------- bad frees */

static void
bad_frees(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_guarded(allocator, pcp, 1024, false);
	unsigned char *block = take(z, A, 3), *page = take(z, A, 0);
	void *burst[4];
	int local;

	/* with stacks or lists, the page lies on one of this CPU's now */
	assert_int_equal(give(z, B, page, 0), 0);
	lab_zone_set_time(z, 1010 * MS);
	assert_int_equal(give(z, A, page, 0), -EALREADY);
	expect(LAB_GUARD_DOUBLE_FREE,
		"order 0); last held by port 0 rxq 1, freed by tenant 2 0.010 s "
		"ago; found by port 0 rxq 1");
	assert_int_equal(give(z, B, block, 2), -EINVAL);
	expect(LAB_GUARD_WRONG_FREE,
		"order 3), given back as order 2; held by port 0 rxq 1 0.010 s");
	assert_int_equal(give(z, B, block + 2 * LAB_PAGE_SIZE, 0), -EINVAL);
	assert_ptr_equal(expect(LAB_GUARD_WRONG_FREE,
				 ", given back from its byte 8192 on as order 0; held by")
				 ->page,
		block);
	assert_int_equal(give(z, B, block + 64, 0), -EINVAL);
	expect(LAB_GUARD_FOREIGN_FREE,
		" is not the start of a page of zone Normal; found by tenant 2");
	assert_int_equal(give(z, B, &local, 0), -EINVAL);
	expect(LAB_GUARD_FOREIGN_FREE,
		" is not the start of a page of zone Normal; found by tenant 2");
	lab_guard_foreign(z, &local, 0);
	expect(LAB_GUARD_FOREIGN_FREE, "thread ");
	assert_int_equal(zone_stats(z).bad_free, 5);
	assert_int_equal(give(z, A, block, 3), 0);
	assert_int_equal(give(z, A, block, 3), -EALREADY);
	expect(LAB_GUARD_DOUBLE_FREE, "order 3)");
	/* in a burst, those before it are given back */
	assert_int_equal(lab_alloc_pages_many(z, LAB_GFP_ATOMIC, 0, 3, burst), 3);
	burst[3] = burst[1];
	assert_int_equal(lab_free_pages_many(z, burst, 0, 4), 3);
	assert_int_equal(errno, EALREADY);
	expect(LAB_GUARD_DOUBLE_FREE, "order 0)");
	/* the page was put on the stack once: it is not handed out twice */
	page = take(z, A, 0);
	assert_ptr_not_equal(take(z, A, 0), page);
	assert_int_equal(nr_found, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** What was taken before anybody looked is judged by the allocator. */
static void
taken_before(enum lab_allocator allocator, bool pcp)
{
	struct lab_guard_config cfg = {.report = note, .arg = &report_arg};
	struct lab_zone *z = make_watched(allocator, pcp, 1024);
	unsigned char *block = take(z, A, 3);

	nr_found = 0;
	memset(block, 1, 8 * LAB_PAGE_SIZE);
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	assert_int_equal(give(z, A, block, 2), -EINVAL);
	expect(LAB_GUARD_WRONG_FREE, "held by untagged");
	assert_int_equal(give(z, A, block, 3), 0);
	assert_int_equal(block[0], 1); /* not ours to fill: who knows whose it is by now */
	assert_int_equal(give(z, A, block, 3), -EALREADY);
	expect(LAB_GUARD_DOUBLE_FREE, "last held by untagged, freed by port 0 rxq 1");
	take_all(z);
	assert_int_equal(nr_found, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_bad_frees(void **state)
{
	FOR_EACH_KIND(bad_frees);
	FOR_EACH_KIND(taken_before);
}

/* ------------------------------------------------------------ correct use */

/** Random blocks, written to in full, split now and then, over several switches: nothing is found. */
static void
correct(enum lab_allocator allocator, bool pcp)
{
	struct held {
		void *page;
		unsigned int order;
	};
	struct lab_guard_config cfg = {.report = note, .arg = &report_arg};
	struct lab_zone *z = make_watched(allocator, pcp, 2048 + 77);
	static struct held held[2048 + 77];
	struct lab_rng rng;
	unsigned int n = 0;

	nr_found = 0;
	lab_rng_seed(&rng, 5);
	for (unsigned int i = 0; i < 12000; i++) {
		unsigned int order = lab_rng_below(&rng, 4) ? 0 : lab_rng_below(&rng, 6), at;
		void *page;

		if (i % 2000 == 1000) { /* off and on; keep and poison in turn */
			assert_int_equal(lab_zone_set_guard(z, NULL), 0);
			assert_int_equal(lab_zone_set_owners(z, i % 4000 == 1000), 0);
			cfg.keep = !cfg.keep;
		}
		if (i % 2000 == 1500)
			assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
		if (lab_rng_below(&rng, 100) < (i / 3000 % 2 ? 40U : 60U)) {
			page = lab_alloc_pages(z, LAB_GFP_ATOMIC, order);
			if (page == NULL)
				continue;
			memset(page, (int)i, LAB_PAGE_SIZE << order);
			held[n++] = (struct held){page, order};
		} else if (n > 0) {
			at = lab_rng_below(&rng, n);
			if (held[at].order == 1) {
				page = (char *)held[at].page + LAB_PAGE_SIZE;
				assert_int_equal(lab_split_page(z, held[at].page, 1), 0);
				assert_int_equal(lab_free_pages(z, page, 0), 0);
				held[at].order = 0;
			}
			assert_int_equal(lab_free_pages(z, held[at].page, held[at].order), 0);
			held[at] = held[--n];
		}
	}
	assert_int_equal(nr_found, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_correct_use(void **state)
{
	FOR_EACH_KIND(correct);
}

/** Pages that are zeroed ahead are not taken for pages that somebody wrote to, nor guarded ones for zero. */
static void
test_zeroed(void **state)
{
	struct lab_guard_config cfg = {.report = note, .arg = &report_arg};
	struct lab_zone *z = make_watched(LAB_ALLOCATOR_LABYRINTH, true, 2048);
	unsigned char *page[64];

	nr_found = 0;
	for (unsigned int i = 0; i < 64; i++)
		memset(page[i] = take(z, A, 0), 1, LAB_PAGE_SIZE);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(give(z, A, page[i], 0), 0);
	assert_int_equal(lab_zone_set_zero_target(z, 2048), 0);
	for (int round = 0; round < 3; round++) {
		while (lab_zone_background(z, 64) > 0)
			;
		assert_int_equal(lab_zone_set_guard(z, round < 2 ? &cfg : NULL), 0);
		if (round < 2)
			assert_int_equal(lab_zone_background(z, 64), 0);
		for (unsigned int i = 0; i < 64; i++) {
			page[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_ZERO, 0);
			for (unsigned int j = 0; j < LAB_PAGE_SIZE; j++)
				assert_int_equal(page[i][j], 0);
			memset(page[i], 1, LAB_PAGE_SIZE);
		}
		for (unsigned int i = 0; i < 64; i++)
			assert_int_equal(give(z, A, page[i], 0), 0);
		lab_drain_all_pages(z);
	}
	assert_int_equal(nr_found, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** What happened while guarded mode was off, or looked for something else, is not held against anybody. */
static void
switched(enum lab_allocator allocator, bool pcp)
{
	struct lab_guard_config cfg = {.report = note, .arg = &report_arg};
	struct lab_zone *z = make_guarded(allocator, pcp, 1024, false);
	unsigned char *block = take(z, A, 3);

	assert_int_equal(lab_zone_set_owners(z, true), 0); /* the tags go on */
	assert_int_equal(give(z, A, block, 3), 0);
	assert_int_equal(lab_zone_set_guard(z, NULL), 0);
	take_again(z, block, 3);
	memset(block, 1, 8 * LAB_PAGE_SIZE);
	assert_int_equal(give(z, A, block, 3), 0);
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	take_again(z, block, 3);
	assert_int_equal(nr_found, 0);
	assert_int_equal(give(z, A, block, 3), 0);
	cfg = (struct lab_guard_config){.report = note,
		.arg = &report_arg,
		.keep = true,
		.object_order = 3,
		.object_bytes = 20000};
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	take_again(z, block, 3);
	memset(block, 2, 20000);
	assert_int_equal(give(z, A, block, 3), 0);
	cfg.object_bytes = 10000;
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	take_again(z, block, 3);
	assert_int_equal(nr_found, 0);
	block[10000] = 3;
	assert_int_equal(give(z, A, block, 3), 0);
	expect(LAB_GUARD_OVERRUN, "byte 10000: 03 cc");
	lab_zone_destroy(z);
}

static void
test_switched(void **state)
{
	FOR_EACH_KIND(switched);
}

/** The allocated blocks of a restored state are tagged, and what was free before is still looked at. */
static void
test_restored(void **state)
{
	struct lab_zone *z = make_guarded(LAB_ALLOCATOR_BUDDY, false, 1024, false);
	unsigned char *taken = lab_pfn_to_page(z, 0), *left = lab_pfn_to_page(z, 512);
	struct lab_owner_info o;
	static struct state s;
	uint32_t before;

	assert_int_equal(lab_zone_set_owners(z, true), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 9));
	assert_int_equal(give(z, A, taken, 9) | give(z, A, left, 9), 0);
	state_used_pageblock(&s, LAB_MIGRATE_MOVABLE, LAB_MIGRATE_MOVABLE);
	state_pageblock(&s, LAB_MIGRATE_MOVABLE);
	state_free(&s, 9, LAB_MIGRATE_MOVABLE);
	before = lab_owner_set(B);
	state_apply(z, &s);
	lab_owner_set(before);
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 1);
	assert_int_equal(o.owner, B);
	assert_int_equal(o.pages, 512);
	memset(taken, 1, 512 * LAB_PAGE_SIZE);
	assert_int_equal(give(z, A, taken, 9), 0);
	assert_int_equal(nr_found, 0);
	left[77] = 1;
	take_all(z);
	expect(LAB_GUARD_WRITE_AFTER_FREE, "byte 77: 01 aa");
	lab_zone_destroy(z);
}

static struct lab_zone *shared;

static void *
worker(void *arg)
{
	void *page[32] = {NULL};
	struct lab_rng rng;

	lab_rng_seed(&rng, (uintptr_t)arg);
	for (unsigned int i = 0; i < 10000; i++) {
		void **p = &page[lab_rng_below(&rng, 32)];

		if (*p != NULL) {
			lab_assert_always(lab_free_pages(shared, *p, 0) == 0);
			*p = NULL;
		} else {
			*p = lab_alloc_pages(shared, LAB_GFP_ATOMIC, 0);
			lab_assert_always(*p != NULL);
			memset(*p, 1, LAB_PAGE_SIZE);
		}
	}
	return NULL;
}

static void
threads(enum lab_allocator allocator, bool pcp)
{
	pthread_t t[3];

	for (int keep = 0; keep < 2; keep++) {
		shared = make_guarded(allocator, pcp, 1024, keep);
		for (uintptr_t i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&t[i], NULL, worker, (void *)i), 0);
		for (unsigned int i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
		assert_int_equal(nr_found, 0);
		assert_valid(shared);
		lab_zone_destroy(shared);
	}
}

static void
test_threads(void **state)
{
	FOR_EACH_KIND(threads);
}

static struct {
	void *page;
	_Atomic unsigned int told, freed;
	pthread_barrier_t both;
} race;

static void
count(void *arg, const struct lab_guard_report *r)
{
	lab_assert_always(r->kind == LAB_GUARD_DOUBLE_FREE);
	race.told++;
}

static void *
freer(void *arg)
{
	for (unsigned int i = 0; i < 500; i++) {
		int ret;

		pthread_barrier_wait(&race.both);
		ret = lab_free_pages(shared, race.page, 0);
		lab_assert_always(ret == 0 || ret == -EALREADY);
		race.freed += ret == 0;
		pthread_barrier_wait(&race.both);
		if (arg != NULL)
			race.page = lab_alloc_pages(shared, LAB_GFP_ATOMIC, 0);
	}
	return NULL;
}

/** Two free the same page at once: one does, the other is told. */
static void
two_frees(enum lab_allocator allocator, bool pcp)
{
	struct lab_guard_config cfg = {.report = count};
	pthread_t t;

	shared = make_watched(allocator, pcp, 1024);
	assert_int_equal(lab_zone_set_guard(shared, &cfg), 0);
	race.told = race.freed = 0;
	race.page = lab_alloc_pages(shared, LAB_GFP_ATOMIC, 0);
	pthread_barrier_init(&race.both, NULL, 2);
	assert_int_equal(pthread_create(&t, NULL, freer, NULL), 0);
	freer(&t);
	pthread_join(t, NULL);
	assert_int_equal(race.freed, 500);
	assert_int_equal(race.told, LAB_GUARD_MAX_REPORTS);
	assert_valid(shared);
	lab_zone_destroy(shared);
}

static void
test_two_frees(void **state)
{
	FOR_EACH_KIND(two_frees);
}

/* ------------------------------------------------------------------ ends */

static void
test_config(void **state)
{
	struct lab_zone *z = make_plain_zone(64, 0);
	struct lab_guard_config cfg = {.object_order = LAB_MAX_ORDER + 1};
	struct lab_zone_config zone;
	struct lab_watch_info w;

	assert_int_equal(lab_zone_set_guard(z, &cfg), -EINVAL);
	cfg = (struct lab_guard_config){.object_bytes = 4097};
	assert_int_equal(lab_zone_set_guard(z, &cfg), -EINVAL);
	cfg = (struct lab_guard_config){.object_bytes = 4096, .colors = 1};
	assert_int_equal(lab_zone_set_guard(z, &cfg), -EINVAL);
	cfg = (struct lab_guard_config){.object_bytes = 2000, .colors = 2};
	assert_int_equal(lab_zone_set_guard(z, &cfg), -EINVAL);
	lab_zone_watch_info(z, &w);
	assert_false(w.guard);
	cfg = (struct lab_guard_config){.object_bytes = 4096, .abort = true, .keep = true};
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	lab_zone_watch_info(z, &w);
	assert_true(w.guard && w.guard_aborts && w.guard_keeps);
	assert_int_equal(lab_zone_set_guard(z, NULL), 0);
	lab_zone_watch_info(z, &w);
	assert_false(w.guard);
	assert_null(lab_guard_kind_name(LAB_NR_GUARD_KINDS));
	lab_zone_destroy(z);
	zone = plain_config(64, 0);
	zone.keep_content = true;
	z = make_zone(&zone);
	cfg = (struct lab_guard_config){.abort = true};
	assert_int_equal(lab_zone_set_guard(z, &cfg), 0);
	lab_zone_watch_info(z, &w);
	assert_true(w.guard_keeps); /* nobody asks for it in vain */
	lab_zone_destroy(z);
}

/** Without a function of its own a process gets a line on stderr, and a core if it asked for one. */
static void
test_abort(void **state)
{
	struct lab_guard_config cfg = {.abort = true};
	struct lab_zone *z = make_plain_zone(64, 0);
	char line[600] = "";
	int status, fd[2];
	pid_t child;

	assert_int_equal(pipe(fd), 0);
	child = fork();
	if (child == 0) {
		void *page;

		signal(SIGABRT, SIG_DFL);
		dup2(fd[1], STDERR_FILENO);
		lab_zone_set_guard(z, &cfg);
		page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
		lab_free_pages(z, page, 0);
		lab_free_pages(z, page, 0);
		_exit(0);
	}
	close(fd[1]);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_true(read(fd[0], line, sizeof(line) - 1) > 0);
	close(fd[0]);
	assert_memory_equal(line, "labyrinth: double free: page 0x", 31);
	assert_int_equal(line[strlen(line) - 1], '\n');
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_writes),
		cmocka_unit_test(test_every_bit_is_sealed),
		cmocka_unit_test(test_canaries),
		cmocka_unit_test(test_bad_frees),
		cmocka_unit_test(test_correct_use),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_switched),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_two_frees),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
