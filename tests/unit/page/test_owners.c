/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_owners.c
 * Owner tags: who holds which blocks since when, against a model and under threads and signals.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "watch_fixture.h"

#define MS 1000000ULL
/** With every operation validated, long lives would take too long. */
#define STEPS (LAB_ASSERT_TIER >= 2 ? 2000U : 20000U)

static struct lab_owner_info
top_of(struct lab_zone *z, uint32_t owner)
{
	struct lab_owner_info o[64];
	unsigned int n = lab_zone_owners_top(z, o, 64);

	for (unsigned int i = 0; i < n; i++) {
		if (o[i].owner == owner)
			return o[i];
	}
	return (struct lab_owner_info){0};
}

/* --------------------------------------------------------------- identity */

static void
test_who_a_thread_is(void **state)
{
	uint32_t self = LAB_OWNER_THREAD((uint32_t)syscall(SYS_gettid));

	assert_int_equal(lab_owner_get(), self);
	assert_int_equal(lab_owner_set_default(LAB_OWNER_LCORE(3)), LAB_OWNER_UNTAGGED);
	assert_int_equal(lab_owner_get(), LAB_OWNER_LCORE(3));
	assert_int_equal(lab_owner_set(7), LAB_OWNER_UNTAGGED);
	assert_int_equal(lab_owner_get(), 7);
	assert_int_equal(lab_owner_set(8), 7);
	assert_int_equal(lab_owner_set(LAB_OWNER_UNTAGGED), 8);
	assert_int_equal(lab_owner_get(), LAB_OWNER_LCORE(3));
	assert_int_equal(lab_owner_set_default(LAB_OWNER_UNTAGGED), LAB_OWNER_LCORE(3));
	assert_int_equal(lab_owner_get(), self);
}

static void
expect_name(const struct lab_zone *z, uint32_t owner, const char *name)
{
	char buf[LAB_OWNER_NAME_LEN], tiny[4];
	int n = lab_owner_format(z, owner, buf, sizeof(buf));

	assert_string_equal(buf, name);
	assert_int_equal(n, strlen(name));
	assert_int_equal(lab_owner_format(z, owner, tiny, sizeof(tiny)), n);
	assert_int_equal(strncmp(tiny, name, 3), 0);
}

static void
test_names(void **state)
{
	struct lab_zone *z = make_plain_zone(64, 0);

	expect_name(z, LAB_OWNER_UNTAGGED, "untagged");
	expect_name(z, LAB_OWNER_OTHERS, "others");
	expect_name(z, LAB_OWNER_LCORE(5), "lcore 5");
	expect_name(z, LAB_OWNER_THREAD(4711), "thread 4711");
	expect_name(z, LAB_OWNER_RXQ(31, 1023), "port 31 rxq 1023");
	expect_name(z, LAB_OWNER_TXQ(0, 2), "port 0 txq 2");
	expect_name(z, LAB_OWNER_TENANT(2), "tenant 2");
	expect_name(z, 0x9f, "owner 0x9f");
	expect_name(z, 0x90000000, "owner 0x90000000");
	assert_int_equal(lab_owner_name(z, 0x9f, "map of the maze"), 0);
	expect_name(z, 0x9f, "map of the maze");
	assert_int_equal(lab_owner_name(z, 0x9f, "a name that is longer than any may be"), 0);
	expect_name(z, 0x9f, "a name that is longer than ");
	assert_int_equal(lab_owner_name(z, 0x9f, NULL), 0);
	expect_name(z, 0x9f, "owner 0x9f");
	assert_int_equal(lab_owner_name(z, LAB_OWNER_UNTAGGED, "x"), -EINVAL);
	for (uint32_t i = 1; i < LAB_OWNER_NAMES; i++)
		assert_int_equal(lab_owner_name(z, 0x1000 + i, "n"), 0);
	assert_int_equal(lab_owner_name(z, 0x2000, "one too many"), -ENOSPC);
	assert_int_equal(lab_owner_name(z, 0x1001, "one of them"), 0);
	expect_name(z, 0x1001, "one of them");
	expect_name(z, 0x2000, "owner 0x2000");
	lab_zone_destroy(z);
}

/* ------------------------------------------------------------------- tags */

static void
off_is_off(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_watched(allocator, pcp, 1024);
	struct lab_owner_info o;
	struct lab_watch_info w;
	void *page;

	lab_zone_watch_info(z, &w);
	assert_false(w.owners || w.guard);
	page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 0);
	assert_int_equal(lab_owner_move(z, page, 7), 0);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	lab_zone_watch_info(z, &w);
	assert_true(w.owners && !w.guard);
	/* taken before: known only as a page in use */
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 1);
	assert_int_equal(o.owner, LAB_OWNER_UNTAGGED);
	assert_int_equal(o.pages, 1);
	assert_int_equal(o.blocks, 0);
	assert_int_equal(lab_owner_move(z, page, 7), -ENOENT);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	lab_drain_all_pages(z);
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 0);
	/* on, off, on: what was tagged before is forgotten */
	page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 3);
	assert_int_equal(lab_zone_set_owners(z, false), 0);
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 0);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 1);
	assert_int_equal(o.owner, LAB_OWNER_UNTAGGED);
	assert_int_equal(o.pages, 8);
	assert_int_equal(lab_free_pages(z, page, 3), 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_off_is_off(void **state)
{
	FOR_EACH_KIND(off_is_off);
}

static void
ages(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_watched(allocator, pcp, 4096);
	struct lab_owner_info o[4];
	void *page[100];

	lab_zone_set_time(z, 1000 * MS);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	lab_owner_set(LAB_OWNER_RXQ(0, 1));
	for (unsigned int i = 0; i < 100; i++) { /* aged 200 ms down to 101 ms at the end */
		lab_zone_set_time(z, (1000 + i) * MS);
		page[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
	}
	lab_owner_set(LAB_OWNER_TENANT(1));
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 8));
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 30, page), 30);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	lab_zone_set_time(z, 1200 * MS);
	assert_int_equal(lab_zone_owners_top(z, o, 4), 2);
	assert_int_equal(o[0].owner, LAB_OWNER_TENANT(1));
	assert_int_equal(o[0].pages, 256 + 30);
	assert_int_equal(o[0].blocks, 31);
	assert_string_equal(o[0].name, "tenant 1");
	assert_int_equal(o[0].oldest_ns, 101 * MS);
	assert_int_equal(o[1].pages, 100);
	assert_int_equal(o[1].oldest_ns, 200 * MS);
	assert_in_range(o[1].median_ns, 150 * MS * 93 / 100, 151 * MS * 107 / 100);
	assert_int_equal(lab_zone_owners_top(z, o, 1), 1); /* no more than asked for */
	/* time that runs back, as a new arm's does, makes nothing old */
	lab_zone_set_time(z, 1);
	assert_int_equal(top_of(z, LAB_OWNER_RXQ(0, 1)).oldest_ns, 0);
	lab_zone_destroy(z);
}

static void
test_ages(void **state)
{
	FOR_EACH_KIND(ages);
}

/** Bursts, and what else there is to ask for. */
static void
bursts(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_watched(allocator, pcp, 4096);
	void *page[40];

	/* some lie on this CPU's stack before anybody looks */
	assert_int_equal(lab_alloc_pages_many(z, LAB_GFP_ATOMIC, 1, 40, page), 40);
	assert_int_equal(lab_free_pages_many(z, page, 1, 40), 40);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	lab_owner_set(1);
	assert_int_equal(lab_alloc_pages_many(z, LAB_GFP_ATOMIC, 1, 40, page), 40);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_int_equal(top_of(z, 1).pages, 80);
	assert_int_equal(top_of(z, 1).blocks, 40);
	assert_int_equal(top_of(z, LAB_OWNER_UNTAGGED).pages, 0);
	assert_int_equal(lab_free_pages_many(z, page, 1, 40), 40);
	assert_int_equal(top_of(z, 1).pages, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_bursts(void **state)
{
	FOR_EACH_KIND(bursts);
}

static void
move_and_split(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_watched(allocator, pcp, 1024);
	char *page;

	assert_int_equal(lab_zone_set_owners(z, true), 0);
	lab_owner_set(1);
	page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 2);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_int_equal(lab_owner_move(z, page, 2), 0);
	assert_int_equal(top_of(z, 1).pages, 0);
	assert_int_equal(top_of(z, 2).pages, 4);
	assert_int_equal(lab_owner_move(z, page, LAB_OWNER_UNTAGGED), -EINVAL);
	assert_int_equal(lab_owner_move(z, page + 1, 3), -EINVAL);
	assert_int_equal(lab_owner_move(z, page - LAB_PAGE_SIZE * 5000, 3), -EINVAL);
	assert_int_equal(lab_split_page(z, page, 2), 0);
	assert_int_equal(top_of(z, 2).pages, 4);
	assert_int_equal(top_of(z, 2).blocks, 4);
	assert_int_equal(lab_owner_move(z, page + LAB_PAGE_SIZE, 3), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(lab_free_pages(z, page + i * LAB_PAGE_SIZE, 0), 0);
	assert_int_equal(top_of(z, 2).pages + top_of(z, 3).pages, 0);
	assert_int_equal(lab_owner_move(z, page, 3), -EINVAL);
	lab_zone_destroy(z);
}

static void
test_move_and_split(void **state)
{
	FOR_EACH_KIND(move_and_split);
}

/** A refused free changes no tag. */
static void
bad_frees(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_watched(allocator, pcp, 1024);
	char *page;

	assert_int_equal(lab_zone_set_owners(z, true), 0);
	lab_owner_set(1);
	page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 3);
	assert_int_equal(lab_free_pages(z, page, 2), -EINVAL);
	assert_int_equal(lab_free_pages(z, page + 1, 3), -EINVAL);
	assert_int_equal(lab_free_pages(z, &page, 0), -EINVAL);
	assert_int_equal(lab_free_pages(z, page, LAB_MAX_ORDER + 1), -EINVAL);
	assert_int_equal(lab_free_pages(z, NULL, 0), 0);
	assert_int_equal(top_of(z, 1).pages, 8);
	assert_int_equal(zone_stats(z).bad_free, 4);
	assert_int_equal(lab_free_pages(z, page, 3), 0);
	lab_drain_all_pages(z); /* the allocator itself has no mark of what lies on a stack */
	assert_int_equal(lab_free_pages(z, page, 3), -EALREADY);
	assert_int_equal(top_of(z, 1).pages, 0);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_bad_frees(void **state)
{
	FOR_EACH_KIND(bad_frees);
}

static void
test_memory(void **state)
{
	struct lab_zone *z = make_plain_zone(1000, 0), *two[2];
	size_t len = lab_zone_watch_size(z);
	unsigned char *mem = aligned_alloc(64, LAB_WATCH_BYTES(1000));
	struct lab_owner_info o;

	assert_true(len <= LAB_WATCH_BYTES(1000));
	memset(mem, 0xff, len);
	assert_int_equal(lab_zone_watch_memory(z, NULL, len), -EINVAL);
	assert_int_equal(lab_zone_watch_memory(z, mem + 8, len), -EINVAL);
	assert_int_equal(lab_zone_watch_memory(z, mem, len - 1), -ENOSPC);
	assert_int_equal(lab_zone_watch_memory(z, mem, len), 0);
	assert_int_equal(lab_zone_watch_memory(z, mem, len), -EEXIST);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(lab_zone_owners_top(z, &o, 1), 1);
	/* two zones as one */
	two[0] = z;
	two[1] = make_plain_zone(1000, 0);
	assert_int_equal(lab_zones_owners_top(two, 2, &o, 1), 0); /* one does not know */
	assert_int_equal(lab_zone_set_owners(two[1], true), 0);
	assert_non_null(lab_alloc_pages(two[1], LAB_GFP_ATOMIC, 2));
	assert_int_equal(lab_zones_owners_top(two, 2, &o, 1), 1);
	assert_int_equal(o.pages, 5);
	assert_int_equal(o.owner, lab_owner_get());
	lab_zone_destroy(two[1]);
	lab_zone_destroy(z);
	free(mem);
}

/** More owners than are told apart: none of their pages is lost. */
static void
test_many_owners(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);
	static struct lab_owner_info o[LAB_OWNERS_MAX + 2];
	unsigned long pages = 0;
	unsigned int n;

	assert_int_equal(lab_zone_set_owners(z, true), 0);
	for (uint32_t i = 1; i <= 1000; i++) {
		lab_owner_set(i);
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	}
	lab_owner_set(LAB_OWNER_UNTAGGED);
	n = lab_zone_owners_top(z, o, LAB_ARRAY_SIZE(o));
	assert_int_equal(n, LAB_OWNERS_MAX + 1);
	assert_int_equal(o[0].owner, LAB_OWNER_OTHERS);
	assert_int_equal(o[0].pages, 1000 - LAB_OWNERS_MAX);
	for (unsigned int i = 0; i < n; i++)
		pages += o[i].pages;
	assert_int_equal(pages, 1000);
	lab_zone_destroy(z);
}

/* ------------------------------------------------------------------ model */

struct held {
	void *page;
	unsigned int order;
	uint32_t owner;
};

static void
compare(struct lab_zone *z, const unsigned long pages[9], const unsigned long blocks[9])
{
	for (uint32_t owner = 1; owner < 9; owner++) {
		struct lab_owner_info o = top_of(z, owner);

		assert_int_equal(o.pages, pages[owner]);
		assert_int_equal(o.blocks, blocks[owner]);
	}
}

/** Random blocks of eight owners; what the zone says of each is what the model says. */
static void
model(enum lab_allocator allocator, bool pcp)
{
	struct lab_zone *z = make_watched(allocator, pcp, 8192 + 77);
	static struct held held[8192 + 77];
	unsigned long pages[9] = {0}, blocks[9] = {0};
	struct lab_rng rng;
	unsigned int n = 0;

	lab_rng_seed(&rng, 11);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	for (unsigned int i = 0; i < STEPS; i++) {
		struct held h = {.order = lab_rng_below(&rng, 3) ? 0 : lab_rng_below(&rng, 8),
			.owner = 1 + lab_rng_below(&rng, 8)};

		if (lab_rng_below(&rng, 100) < (i / (STEPS / 5) % 2 ? 40U : 60U)) {
			lab_owner_set(h.owner);
			h.page = lab_alloc_pages(z, LAB_GFP_ATOMIC, h.order);
			if (h.page == NULL)
				continue;
			held[n++] = h;
			pages[h.owner] += 1UL << h.order;
			blocks[h.owner]++;
		} else if (n > 0) {
			unsigned int at = lab_rng_below(&rng, n);

			h = held[at];
			held[at] = held[--n];
			assert_int_equal(lab_free_pages(z, h.page, h.order), 0);
			pages[h.owner] -= 1UL << h.order;
			blocks[h.owner]--;
		}
		if (i % (STEPS / 10) == 0)
			compare(z, pages, blocks);
	}
	compare(z, pages, blocks);
	assert_int_equal(top_of(z, LAB_OWNER_UNTAGGED).pages, 0);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_model(void **state)
{
	FOR_EACH_KIND(model);
}

/* ---------------------------------------------------- threads and signals */

static struct lab_zone *shared;

/** Each thread is an owner of its own and ends holding a number of pages that is its own, too. */
static void *
worker(void *arg)
{
	uint32_t self = (uint32_t)(uintptr_t)arg;
	void *page[64] = {NULL};
	struct lab_rng rng;

	lab_rng_seed(&rng, self);
	lab_owner_set(self);
	for (unsigned int i = 0; i < STEPS; i++) {
		void **p = &page[lab_rng_below(&rng, 64)];

		if (*p == NULL)
			*p = lab_alloc_pages(shared, LAB_GFP_ATOMIC, 0);
		else if (lab_free_pages(shared, *p, 0) == 0)
			*p = NULL;
	}
	for (unsigned int i = 0; i < 64; i++) {
		if (i >= self && page[i] != NULL)
			lab_assert_always(lab_free_pages(shared, page[i], 0) == 0);
		else if (i < self && page[i] == NULL)
			lab_assert_always(lab_alloc_pages(shared, LAB_GFP_ATOMIC, 0) != NULL);
	}
	return NULL;
}

static void
threads(enum lab_allocator allocator, bool pcp)
{
	pthread_t t[4];

	shared = make_watched(allocator, pcp, 4096);
	assert_int_equal(lab_zone_set_owners(shared, true), 0);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, worker, (void *)(i + 1)), 0);
	for (unsigned int i = 0; i < 50; i++) /* somebody looks meanwhile */
		top_of(shared, 1);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(top_of(shared, i).pages, i);
	assert_valid(shared);
	assert_int_equal(lab_zone_destroy(shared), 10);
}

static void
test_threads(void **state)
{
	FOR_EACH_KIND(threads);
}

#define HANDLER 99U

static void *in_handler[32];
static volatile unsigned int nr_in_handler;
static _Atomic unsigned int interrupted;

static void
on_timer(int sig)
{
	uint32_t before = lab_owner_set(HANDLER);
	unsigned int i = nr_in_handler;

	atomic_fetch_add_explicit(&interrupted, 1, memory_order_relaxed);
	if (i < LAB_ARRAY_SIZE(in_handler)) {
		in_handler[i] = lab_alloc_page_gfp_atomic(shared);
		nr_in_handler = i + 1;
	} else {
		lab_free_pages(shared, lab_alloc_page_gfp_atomic(shared), 0);
	}
	lab_owner_set(before);
}

/** A handler allocates in the midst of an allocation: its pages are its own, the others are not. */
static void
test_signal_handler(void **state)
{
	const struct itimerval every = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	void *page[16];

	shared = make_watched(LAB_ALLOCATOR_LABYRINTH, true, 4096);
	assert_int_equal(lab_zone_set_owners(shared, true), 0);
	signal(SIGALRM, on_timer);
	lab_owner_set(1);
	setitimer(ITIMER_REAL, &every, NULL);
	while (atomic_load_explicit(&interrupted, memory_order_relaxed) < 2000) {
		for (unsigned int i = 0; i < 16; i++)
			page[i] = lab_alloc_pages(shared, LAB_GFP_ATOMIC, 0);
		for (unsigned int i = 0; i < 16; i++)
			assert_int_equal(lab_free_pages(shared, page[i], 0), 0);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_DFL);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	assert_int_equal(top_of(shared, HANDLER).pages, LAB_ARRAY_SIZE(in_handler));
	assert_int_equal(top_of(shared, 1).pages, 0);
	assert_valid(shared);
	lab_zone_destroy(shared);
}

/* --------------------------------------------------------------- processes */

/** A zone and its side table in shared memory: a child's pages bear the child's name. */
static void
test_processes(void **state)
{
	struct lab_zone_config cfg = plain_config(512, 0);
	size_t frames = 512 << LAB_PAGE_SHIFT, meta = lab_zone_meta_size(&cfg);
	size_t len = frames + meta + LAB_WATCH_BYTES(512); /* each part ends a cache line */
	unsigned char *mem =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct lab_owner_info o[2];
	struct lab_zone *z;
	int status;
	pid_t child;

	assert_true(mem != MAP_FAILED);
	cfg.base = mem;
	cfg.meta = mem + frames;
	cfg.meta_len = meta;
	z = make_zone(&cfg);
	assert_int_equal(lab_zone_watch_memory(z, mem + frames + meta, LAB_WATCH_BYTES(512)), 0);
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	child = fork();
	if (child == 0)
		_exit(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1) == NULL);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(lab_zone_owners_top(z, o, 2), 2);
	assert_int_equal(o[0].owner, LAB_OWNER_THREAD((uint32_t)child));
	assert_int_equal(o[0].pages, 2);
	assert_int_equal(o[1].owner, lab_owner_get());
	lab_zone_destroy(z);
	munmap(mem, len);
}

/* ------------------------------------------------------------- post-mortem */

static char *
post_mortem(struct lab_zone *z)
{
	struct lab_refusal r;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(lab_zone_refusals(z, &r, 1), 1);
	lab_warn_alloc(z, &r, "test", f);
	fclose(f);
	return text;
}

/**
 * Three use a zone until it refuses: one works, one hoards (it holds much, all of it old), one leaks (it
 * loses one page in ten of what it works with, so its pages are of all ages). The post-mortem names them
 * and their ages tell which is which.
 */
static void
culprits(enum lab_allocator allocator, bool pcp)
{
	enum { WORKER = LAB_OWNER_RXQ(0, 0), LEAKER = 10, HOARDER = 11 };
	struct lab_zone *z = make_watched(allocator, pcp, 1024);
	void *page[16];
	struct lab_owner_info o;
	uint64_t now = 1000 * MS;
	bool full = false;
	char *text;

	lab_zone_set_time(z, now);
	lab_owner_name(z, LEAKER, "leaker");
	lab_owner_name(z, HOARDER, "hoarder");
	assert_int_equal(lab_zone_set_owners(z, true), 0);
	lab_owner_set(HOARDER);
	for (unsigned int i = 0; i < 32; i++)
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 4));
	while (!full) {
		lab_zone_set_time(z, now += 10 * MS);
		lab_owner_set(LEAKER);
		for (unsigned int i = 0; i < 10; i++) {
			page[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
			if (i > 0)
				lab_free_pages(z, page[i], 0);
		}
		lab_owner_set(WORKER);
		for (unsigned int i = 0; i < 16; i++) {
			page[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
			full |= page[i] == NULL;
		}
		if (full)
			break;
		for (unsigned int i = 0; i < 16; i++)
			lab_free_pages(z, page[i], 0);
	}
	lab_owner_set(LAB_OWNER_UNTAGGED);
	text = post_mortem(z);
	assert_non_null(strstr(text, "test: page allocation failure: order:0"));
	assert_non_null(strstr(text, "Owners, most pages first:\n 2048kB in 32 blocks by hoarder"));
	assert_non_null(strstr(text, " blocks by leaker, oldest "));
	assert_non_null(strstr(text, " blocks by port 0 rxq 0, oldest 0.000s"));
	free(text);
	o = top_of(z, LEAKER);
	assert_true(o.pages > 470);
	assert_true(o.median_ns < o.oldest_ns * 6 / 10); /* goes on */
	o = top_of(z, HOARDER);
	assert_true(o.median_ns > o.oldest_ns * 9 / 10); /* is over */
	lab_zone_destroy(z);
}

static void
test_culprits(void **state)
{
	FOR_EACH_KIND(culprits);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_a_thread_is),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_off_is_off),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_move_and_split),
		cmocka_unit_test(test_bad_frees),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_many_owners),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_signal_handler),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_culprits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
