/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* What a request and a free of a labyrinth zone do at most, also on the way to a refusal while others keep pages
 * moving, and in a zone of any size. Steps are counted in builds that assert: words of the store (frames_steps), and
 * those of the caches and the reserve (percpu_steps). */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "depot.h"
#include "frames.h"
#include "lab_base.h"
#include "lab_page.h"
#include "stacks.h"
#include "zone.h"

static unsigned int nr_cpus;

/* Frames that nobody touches, so that a zone can be large. */
static struct lab_zone *
make(unsigned long nr_pages, bool caches)
{
	struct lab_zone_config cfg = lab_zone_config_default(nr_pages);
	struct lab_zone *z;

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.nr_cpus = nr_cpus;
	cfg.min_free_kbytes = 0;
	cfg.no_pcp = !caches;
	cfg.reserve[0] = 64;
	cfg.base = mmap(NULL, nr_pages * LAB_PAGE_SIZE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(cfg.base, MAP_FAILED);
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	return z;
}

static void
destroy(struct lab_zone *z)
{
	struct lab_zone_info info;
	char why[200] = "";

	lab_zone_info_get(z, &info);
	if (!lab_zone_is_valid(z, why, sizeof(why)))
		fail_msg("%s", why);
	lab_zone_destroy(z);
	munmap(info.base, info.spanned * LAB_PAGE_SIZE);
}

/* ------------------------------------------------------------------ counting */

struct most {
	unsigned long frames, caches;
};

static void
begin(void)
{
	frames_steps = 0;
	percpu_steps = 0;
}

static void
end(struct most *most)
{
	most->frames = frames_steps > most->frames ? frames_steps : most->frames;
	most->caches = percpu_steps > most->caches ? percpu_steps : most->caches;
}

/* Blocks that this process's stacks and depots have room for. */
static unsigned long
room(const struct lab_zone *z)
{
	unsigned long blocks = LAB_NR_DEPOTS * DEPOT_SLOTS * DEPOT_BATCH;

	for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
		blocks += nr_cpus * z->sets[0].stack[i].slots;
	return blocks;
}

/* The header's arithmetic: two passes at the low mark, one at min, LAB_SETTLE_PASSES behind visits to the caches. */
#define PASSES (3 + LAB_SETTLE_PASSES)

static unsigned long
most_frames(const struct lab_zone *z)
{
	return PASSES * FRAMES_MAX_STEPS + LAB_SETTLE_PASSES * room(z) * FRAMES_FREE_STEPS;
}

/* A visit adds up twice, counts each stack, and takes in batches what it counted: each batch closes, and what others take
 * meanwhile lowers a count once. */
static unsigned long
most_caches(const struct lab_zone *z)
{
	unsigned long slots = LAB_NR_DEPOTS * DEPOT_SLOTS, stacks = LAB_NR_STACKS * nr_cpus;
	unsigned long batches = room(z) / DEPOT_BATCH + LAB_NR_STACKS;
	unsigned long batch = nr_cpus * (1 + PERCPU_CLOSE_TRIES + 2 * PERCPU_MAX_SLOTS);
	unsigned long depots = slots * (1 + 2 * DEPOT_SLOTS + 1);

	return LAB_SETTLE_PASSES * (2 * (stacks + slots) + stacks + batches * batch + depots) +
	       PASSES * 3 * slots + LAB_RESERVE_MAX;
}

/* ------------------------------------------------- refused while pages move */

#define PAGES  16384U
#define KEPT   512U
#define ASKED  (LAB_ASSERT_TIER >= 1 ? 1500 : 4000)
#define ORDERS (LAB_STACK_MAX_ORDER + 1)

struct mover {
	struct lab_zone *z;
	_Atomic bool stop;
	unsigned long rounds;
};

/* More than a stack holds of each order and of two kinds: stacks and depots fill and run dry. */
static void *
move(void *arg)
{
	static void *page[ORDERS][2 * KEPT];
	struct mover *m = arg;

	for (; !atomic_load(&m->stop); m->rounds++) {
		lab_gfp_t gfp = LAB_GFP_ATOMIC | (m->rounds & 1 ? __LAB_GFP_MOVABLE : 0);

		for (unsigned int o = 0; o < ORDERS; o++)
			for (unsigned int i = 0; i < 2 * KEPT >> o; i++)
				page[o][i] = lab_alloc_pages(m->z, gfp, o);
		for (unsigned int o = 0; o < ORDERS; o++)
			for (unsigned int i = 0; i < 2 * KEPT >> o; i++)
				lab_assert_always(lab_free_pages(m->z, page[o][i], o) == 0);
	}
	return NULL;
}

/* One page of each pageblock stays in use, so that no block of order 9 can be there, and much is free that can move. */
static void
keep_one_in_each(struct lab_zone *z)
{
	static void *page[PAGES];
	unsigned int n = 0;

	while (n < PAGES && (page[n] = lab_alloc_pages(z, LAB_GFP_NOWAIT, 0)) != NULL)
		n++;
	for (unsigned int i = 0; i < n; i++)
		if (lab_page_to_pfn(z, page[i]) % LAB_PAGEBLOCK_PAGES != 0)
			assert_int_equal(lab_free_pages(z, page[i], 0), 0);
}

static void
test_refused_while_pages_move(void **state)
{
	struct mover m = {.z = make(PAGES, true)};
	struct most most = {0};
	struct lab_zone_stats s;
	unsigned int refused = 0;
	pthread_t thread;

	keep_one_in_each(m.z);
	pthread_create(&thread, NULL, move, &m);
	for (unsigned int i = 0; i < ASKED; i++) {
		begin();
		refused += lab_alloc_pages(m.z, LAB_GFP_ATOMIC, LAB_PAGEBLOCK_ORDER) == NULL;
		end(&most);
	}
	atomic_store(&m.stop, true);
	pthread_join(thread, NULL);
	lab_zone_stats_get(m.z, &s);
	print_message(
		"at most %lu of %lu steps in the store, %lu of %lu in caches; %lu contended\n",
		most.frames, most_frames(m.z), most.caches, most_caches(m.z),
		(unsigned long)s.contended);
	assert_int_equal(refused, ASKED);
	assert_true(most.frames <= most_frames(m.z));
	assert_true(most.caches <= most_caches(m.z));
	assert_true(most.caches > 0 || LAB_ASSERT_TIER == 0 || !percpu_available());
	lab_drain_all_pages(m.z);
	destroy(m.z);
}

/* What is there is served, however little a visit brings home: all of it lies in caches first. */
static void
test_refused_alone(void **state)
{
	static void *page[PAGES];
	struct lab_zone *z = make(PAGES, true);
	struct most most = {0};
	struct lab_zone_stats s;
	unsigned int n = 0, got = 0;

	while (n < PAGES - 64)
		page[n++] = lab_alloc_page_gfp_atomic(z);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	/* none of this order is cached, and pages of each pageblock are */
	while (lab_alloc_pages(z, LAB_GFP_NOWAIT, LAB_PAGEBLOCK_ORDER) != NULL)
		got++;
	assert_int_equal(got, (PAGES - 64) / LAB_PAGEBLOCK_PAGES);
	while (lab_alloc_page_gfp_atomic(z) != NULL)
		got++;
	begin();
	assert_null(lab_alloc_page_gfp_atomic(z));
	end(&most);
	lab_zone_stats_get(z, &s);
	print_message("alone %lu steps in the store, %lu in caches\n", most.frames, most.caches);
	assert_int_equal(s.contended, 0);
	assert_true(most.frames <= 4 * FRAMES_STEPS);
	destroy(z);
}

/* --------------------------------------------------------- zones of any size */

#define BURST 2500U /* more than a stack and its depot hold */
#define CHURN 40U

struct size {
	unsigned int log,
		levels; /* of the pages; of the tree above the children, eight below each word */
	bool caches;
	struct most alloc, free;
};

static void
give(struct lab_zone *z, void *page, struct most *most)
{
	begin();
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	end(most);
}

/* Fill it, then keep it at 95%: each child has a few free pages then. */
static void
churn(struct size *s)
{
	unsigned long pages = 1UL << s->log, n = 0;
	struct lab_zone *z = make(pages, s->caches);
	void **held = calloc(pages + 1, sizeof(*held));
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	while ((held[n] = lab_alloc_pages(z, LAB_GFP_NOWAIT, 0)) != NULL)
		n++;
	assert_int_equal(n, pages - 64);
	for (unsigned long i = 0; i < pages / 20; i++) {
		uint64_t k = lab_rng_below(&rng, n);

		give(z, held[k], &s->free);
		held[k] = held[--n];
	}
	for (unsigned int i = 0; i < CHURN * BURST; i++) {
		uint64_t k = lab_rng_below(&rng, n);

		if (i / BURST % 2 == 0) {
			give(z, held[k], &s->free);
			held[k] = held[--n];
			continue;
		}
		begin();
		held[n] = lab_alloc_page_gfp_atomic(z);
		end(&s->alloc);
		assert_non_null(held[n++]);
	}
	free(held);
	destroy(z);
}

/* ThreadSanitizer has nothing to see here, and takes its time. */
static bool
is_slow(unsigned int log)
{
#ifdef __SANITIZE_THREAD__
	return log > 16;
#else
	return log > 22;
#endif
}

static void
measure(struct size *s)
{
	churn(s);
	print_message("2^%u frames, caches %s: a request %lu + %lu steps, a free %lu + %lu\n",
		s->log, s->caches ? "on" : "off", s->alloc.frames, s->alloc.caches, s->free.frames,
		s->free.caches);
}

/* From 2 GiB on a search looks at the same number of words, but for one on the way down and one on the way up for each
 * level of the tree, of which there are eight at the most; a free swaps a word of each. */
static void
test_size(void **state)
{
	struct size s[] = {{16, 3}, {19, 4}, {20, 4}, {22, 5}};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(s) && !is_slow(s[i].log); i++) {
		measure(&s[i]);
		assert_true(s[i].alloc.frames <= FRAMES_STEPS);
		assert_true(s[i].free.frames <= FRAMES_FREE_STEPS);
		assert_true(s[i].free.frames <= s[0].free.frames + 2 * (s[i].levels - s[0].levels));
		assert_true(i < 2 || s[i].alloc.frames <= s[1].alloc.frames + 16);
		assert_true(s[i].free.frames > 0 || LAB_ASSERT_TIER == 0);
	}
}

/* With caches one request in many fills its stack, from FETCHES children, and one free empties half of it: three batches
 * of pages, each perhaps of a child of its own. */
static void
test_size_with_caches(void **state)
{
	const unsigned int fetches = 16, flushed = 3 * DEPOT_BATCH;
	struct size s[] = {{16, 3, true}, {20, 4, true}, {22, 5, true}};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(s) && !is_slow(s[i].log); i++) {
		const struct most *alloc = &s[i].alloc, *free = &s[i].free;

		measure(&s[i]);
		assert_true(alloc->frames <= fetches * FRAMES_STEPS);
		assert_true(alloc->caches <= 2 * PERCPU_MAX_SLOTS);
		/* the page's row, its child's eight, a word of the class's map; two for a level */
		assert_true(free->frames <= flushed * (10 + 2 * s[i].levels));
		assert_true(free->caches <= 2 * PERCPU_MAX_SLOTS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_while_pages_move),
		cmocka_unit_test(test_refused_alone),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_size_with_caches),
	};

	nr_cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
