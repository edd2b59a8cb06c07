/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* A labyrinth zone with stacks, depots and a reserve that several processes share: what one cannot reach of the others',
 * and what is left when one is killed or stopped in the midst of anything. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "depot.h"
#include "lab_base.h"
#include "lab_page.h"
#include "percpu.h"
#include "stacks.h"
#include "zone.h"

#define PAGES   32768U
#define RESERVE 16U /* blocks of order 1 */
#define SLOTS   2048U

/* A process, or a thread, that works on the zone, in memory that the others see. */
struct sharer {
	struct lab_zone *z;
	_Atomic bool stop;
	_Atomic unsigned long rounds;
	_Atomic long announced; /* pages that it has, or is taking or giving back */
	_Atomic uint32_t
		record[SLOTS]; /* what it has for certain: the frame << 4 | order | 8; 0: nothing */
};

static struct lab_zone_config cfg;
static struct lab_zone *z;
static struct sharer *sharer;
static unsigned int nr_cpus;

static void *
map_shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static int
setup(void **state)
{
	cfg = lab_zone_config_default(PAGES);
	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.nr_cpus = nr_cpus;
	cfg.nr_processes = 2;
	cfg.min_free_kbytes = 0;
	cfg.reserve[1] = RESERVE;
	cfg.meta_len = lab_zone_meta_size(&cfg);
	cfg.meta = map_shared(cfg.meta_len);
	cfg.base = map_shared(PAGES * LAB_PAGE_SIZE);
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	sharer = map_shared(sizeof(*sharer));
	sharer->z = z;
	return 0;
}

static int
teardown(void **state)
{
	lab_zone_destroy(z);
	munmap(cfg.meta, cfg.meta_len);
	munmap(cfg.base, PAGES * LAB_PAGE_SIZE);
	munmap(sharer, sizeof(*sharer));
	return 0;
}

static struct lab_zone_info
info(void)
{
	struct lab_zone_info i;

	lab_zone_info_get(z, &i);
	return i;
}

static void
assert_valid(void)
{
	char why[200] = "";

	if (!lab_zone_is_valid(z, why, sizeof(why)))
		fail_msg("%s", why);
}

/* ------------------------------------------------------------------- sharers */

static void
take(struct sharer *s, unsigned int slot, lab_gfp_t gfp, unsigned int order)
{
	void *page;

	atomic_fetch_add(&s->announced, 1L << order);
	page = lab_alloc_pages(s->z, gfp, order);
	if (page == NULL)
		atomic_fetch_sub(&s->announced, 1L << order);
	else
		atomic_store(
			&s->record[slot], (uint32_t)lab_page_to_pfn(s->z, page) << 4 | 8 | order);
}

/* What the record says is given back; it says so no more before that. */
static void
give(struct sharer *s, unsigned int slot)
{
	uint32_t r = atomic_exchange(&s->record[slot], 0);
	unsigned int order = r & 7;

	if (r == 0)
		return;
	lab_assert_always(lab_free_pages(s->z, lab_pfn_to_page(s->z, r >> 4), order) == 0);
	atomic_fetch_sub(&s->announced, 1L << order);
}

static void
refill_reserve(struct sharer *s)
{
	const unsigned int budget = 2 * RESERVE;

	atomic_fetch_add(&s->announced, budget);
	lab_zone_background(s->z, budget);
	atomic_fetch_sub(&s->announced, budget);
}

/* More of an order than a stack holds, or fewer, and all of it goes back: stacks and depots fill and run dry. */
static void
use(struct sharer *s, struct lab_rng *rng)
{
	unsigned int order = lab_rng_below(rng, 2) ? 0 : (unsigned int)lab_rng_below(rng, 5);
	unsigned int n = (unsigned int)lab_rng_below(rng, SLOTS >> order) + 1;
	lab_gfp_t gfp = LAB_GFP_ATOMIC | (lab_rng_below(rng, 2) ? __LAB_GFP_MOVABLE : 0);

	for (unsigned int i = 0; i < n; i++)
		take(s, i, gfp, order);
	if (lab_rng_below(rng, 4) == 0)
		lab_drain_all_pages(s->z);
	refill_reserve(s);
	for (unsigned int i = 0; i < n; i++)
		give(s, i);
	atomic_fetch_add(&s->rounds, 1);
}

static void
work(struct sharer *s, uint64_t seed)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, seed);
	while (!atomic_load(&s->stop))
		use(s, &rng);
}

static pid_t
fork_sharer(uint64_t seed)
{
	pid_t pid;

	atomic_store(&sharer->stop, false);
	atomic_store(&sharer->announced, 0);
	pid = fork();
	if (pid == 0) {
		work(sharer, seed);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void
wait_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* ---------------------------------------------------------- another's caches */

/* What a process can have in its caches at the most; the header says so. */
static unsigned long
most_cached(void)
{
	return 5616UL * nr_cpus + 6144;
}

static void
assert_most_cached(void)
{
	unsigned long pages = LAB_NR_DEPOTS * DEPOT_SLOTS * DEPOT_BATCH;

	for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
		pages += (unsigned long)nr_cpus * z->sets[0].stack[i].slots << lab_stack_order(i);
	assert_int_equal(pages, most_cached());
}

enum order { FILL = 'f', TAKE = 't', DRAIN = 'd' };

/* A process that does as it is told, and says when it has. */
static void
obey(int in, int out)
{
	static void *page[3000];
	char c;

	while (read(in, &c, 1) == 1) {
		unsigned long cached = info().nr_pcp;

		if (c == DRAIN)
			lab_assert_always(lab_drain_all_pages(z) == cached);
		for (unsigned int i = 0; c == FILL && i < 3000; i++)
			lab_assert_always((page[i] = lab_alloc_page_gfp_atomic(z)) != NULL);
		for (unsigned int i = 0; c == FILL && i < 3000; i++)
			lab_assert_always(lab_free_pages(z, page[i], 0) == 0);
		/* what is cached is for itself, down to the last page */
		for (unsigned int i = 0; c == TAKE && i < cached; i++)
			lab_assert_always((page[i] = lab_alloc_page_gfp_atomic(z)) != NULL);
		for (unsigned int i = 0; c == TAKE && i < cached; i++)
			lab_assert_always(lab_free_pages(z, page[i], 0) == 0);
		lab_assert_always(write(out, &c, 1) == 1);
	}
	_exit(0);
}

static int to_other, from_other;

static pid_t
fork_other(void)
{
	int in[2], out[2];
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		close(in[1]);
		obey(in[0], out[1]);
	}
	assert_true(pid > 0);
	close(in[0]);
	close(out[1]);
	to_other = in[1];
	from_other = out[0];
	return pid;
}

static void
tell(char c)
{
	assert_int_equal(write(to_other, &c, 1), 1);
	assert_int_equal(read(from_other, &c, 1), 1);
}

/* Take every page that can be had. @return how many. */
static unsigned int
take_free(void **page)
{
	unsigned int n = 0;

	while (n < PAGES && (page[n] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0)) != NULL)
		n++;
	return n;
}

static void
give_free(void **page, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	lab_drain_all_pages(z);
}

/* What another living process caches is out of reach, and told. */
static void
test_others_caches(void **state)
{
	const unsigned int all = PAGES - 2 * RESERVE;
	static void *page[PAGES + 1];
	unsigned long cached;
	unsigned int n;
	pid_t pid = fork_other();

	assert_most_cached();
	tell(FILL);
	cached = info().nr_pcp;
	assert_true(cached > 0 && cached <= most_cached());
	n = take_free(page);
	assert_int_equal(n, all - cached);
	assert_int_equal(info().nr_pcp, cached); /* refused, and none of them was touched */
	assert_int_equal(info().nr_free, 0);
	assert_int_equal(lab_zone_reclaim(z, (uint32_t)pid), -EBUSY);
	tell(TAKE);
	/* while nothing is free, what it frees is everybody's */
	assert_true(info().nr_free > 0);
	assert_int_equal(info().nr_free + info().nr_pcp, cached);
	tell(DRAIN);
	assert_int_equal(info().nr_pcp, 0);
	n += take_free(page + n);
	assert_int_equal(n, all);
	give_free(page, n);
	tell(FILL);
	cached = info().nr_pcp;
	n = take_free(page);
	assert_int_equal(n, all - cached);
	kill(pid, SIGKILL);
	wait_end(pid);
	assert_null(lab_alloc_page_gfp_atomic(z)); /* nobody's, until somebody says so */
	assert_int_equal(lab_zone_reclaim(z, (uint32_t)pid), cached);
	n += take_free(page + n);
	assert_int_equal(n, all);
	give_free(page, n);
	assert_int_equal(info().nr_free, all);
	assert_valid();
	close(to_other);
	close(from_other);
}

/* --------------------------------------------------------------- killed */

#define KILLS 50

/* Somewhere in its work. */
static void
kill_one(uint64_t seed, struct lab_rng *rng)
{
	unsigned long rounds = atomic_load(&sharer->rounds);
	pid_t pid = fork_sharer(seed);

	while (atomic_load(&sharer->rounds) == rounds)
		usleep(200);
	usleep((useconds_t)lab_rng_below(rng, 10000));
	kill(pid, SIGKILL);
	wait_end(pid);
	assert_true(lab_zone_reclaim(z, (uint32_t)pid) >= 0);
}

/* What the process had for certain goes back. @return pages of which nobody knows whether it had them. */
static unsigned long
inherit(void)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		give(sharer, slot);
	lab_drain_all_pages(z);
	lab_zone_background(z, 2 * RESERVE);
	return (unsigned long)atomic_load(&sharer->announced);
}

static void
test_killed(void **state)
{
	unsigned long missing = 0, unknown = 0;
	static void *page[PAGES + 1];
	struct lab_zone_stats s = {0};
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	for (unsigned int i = 0; i < KILLS; i++) {
		unsigned int n;

		kill_one(i, &rng);
		unknown += inherit();
		lab_zone_stats_get(z, &s);
		missing = PAGES - info().nr_free - info().nr_reserve;
		assert_true(missing <= unknown + s.lost_pages);
		assert_int_equal(info().nr_pcp, 0);
		assert_valid();
		n = take_free(page);
		assert_int_equal(info().nr_free, 0);
		give_free(page, n);
		assert_int_equal(n + info().nr_reserve + missing, PAGES);
	}
	print_message("%u killed: %lu pages missing of %lu that they had in hand and %lu lost\n",
		KILLS, missing, unknown, (unsigned long)s.lost_pages);
	assert_int_equal(s.bad_free, 0);
}

/* --------------------------------------------------------------- stopped */

#define STOPS 60

/* Pages that are on the way to or from stacks. */
static unsigned long
moving(void)
{
	unsigned long pages = 0;

	for (unsigned int s = 0; s < z->nr_sets; s++)
		for (unsigned int i = 0; i < LAB_NR_STACKS; i++)
			pages += (uint32_t)percpu_moves(&z->sets[s].stack[i]);
	return pages;
}

/* While the other one stands still, wherever that is: all that it neither has nor caches is there, as blocks of any
 * order, and what is given back is there again. */
static void
use_what_is_left(void **page)
{
	unsigned long theirs, n;

	lab_drain_all_pages(z);
	theirs = (unsigned long)atomic_load(&sharer->announced) + info().nr_pcp + moving();
	n = take_free(page);
	assert_true(n + info().nr_reserve + theirs >= PAGES);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	for (unsigned int order = 1; order <= 3; order++) {
		void *block = lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE, order);

		assert_non_null(block);
		assert_int_equal(lab_free_pages(z, block, order), 0);
	}
	lab_zone_background(z, 2 * RESERVE);
}

static void
assert_whole(void)
{
	struct lab_zone_stats s;

	lab_drain_all_pages(z);
	lab_zone_background(z, 2 * RESERVE);
	lab_zone_stats_get(z, &s);
	assert_int_equal(atomic_load(&sharer->announced), 0);
	assert_int_equal(s.bad_free, 0);
	assert_int_equal(s.lost_pages, 0);
	assert_int_equal(info().nr_pcp, 0);
	assert_int_equal(lab_zone_reserve_held(z, 1), RESERVE);
	assert_int_equal(info().nr_free, PAGES - 2 * RESERVE);
	assert_valid();
}

static void
test_a_stopped_process(void **state)
{
	static void *page[PAGES + 1];
	pid_t pid = fork_sharer(7);
	struct lab_rng rng;
	int status;

	lab_rng_seed(&rng, 2);
	for (unsigned int i = 0; i < STOPS; i++) {
		usleep((useconds_t)lab_rng_below(&rng, 4000));
		kill(pid, SIGSTOP);
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		assert_true(WIFSTOPPED(status));
		use_what_is_left(page);
		kill(pid, SIGCONT);
	}
	atomic_store(&sharer->stop, true);
	wait_end(pid);
	assert_true(atomic_load(&sharer->rounds) > 0);
	assert_true(lab_zone_reclaim(z, (uint32_t)pid) >= 0);
	assert_whole();
}

static _Atomic bool held_back, let_go;

static void
hold(int sig)
{
	atomic_store(&held_back, true);
	while (!atomic_load(&let_go))
		usleep(100);
	atomic_store(&held_back, false);
}

static void *
work_in_thread(void *arg)
{
	work(arg, 11);
	return NULL;
}

/* A thread of the same process, stopped by a handler that waits: its stacks are everybody's. */
static void
test_a_stopped_thread(void **state)
{
	static void *page[PAGES + 1];
	struct lab_rng rng;
	pthread_t thread;

	lab_rng_seed(&rng, 3);
	signal(SIGUSR1, hold);
	atomic_store(&sharer->stop, false);
	assert_int_equal(pthread_create(&thread, NULL, work_in_thread, sharer), 0);
	for (unsigned int i = 0; i < STOPS; i++) {
		usleep((useconds_t)lab_rng_below(&rng, 4000));
		atomic_store(&let_go, false);
		pthread_kill(thread, SIGUSR1);
		while (!atomic_load(&held_back))
			usleep(50);
		use_what_is_left(page);
		atomic_store(&let_go, true);
		while (atomic_load(&held_back))
			usleep(50);
	}
	atomic_store(&sharer->stop, true);
	pthread_join(thread, NULL);
	assert_whole();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_others_caches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stopped_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stopped_thread, setup, teardown),
	};

	if (!percpu_available()) {
		printf("skipped: no restartable sequences here (rseq, membarrier, x86-64, no "
		       "ThreadSanitizer)\n");
		return 77;
	}
	nr_cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
