/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Zones on the labyrinth frame allocator: Linux's gate before it, no false refusal behind it. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab_base.h"
#include "frames.h"
#include "lab_page.h"
#include "percpu.h"

/* Does this build, on this kernel, have per-CPU caches? */
static bool caches;

static struct lab_zone *
make(unsigned long nr_pages, long min_free_kbytes, bool stacks)
{
	struct lab_zone_config cfg = lab_zone_config_default(nr_pages);
	struct lab_zone *z;

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	cfg.min_free_kbytes = min_free_kbytes;
	cfg.no_pcp = !stacks;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	return z;
}

static void
assert_valid(struct lab_zone *z)
{
	char why[200] = "";

	if (!lab_zone_is_valid(z, why, sizeof(why)))
		fail_msg("%s", why);
}

static unsigned long
nr_free(struct lab_zone *z)
{
	struct lab_zone_info info;

	lab_zone_info_get(z, &info);
	return info.nr_free;
}

/* ------------------------------------------------------------------- gate */

/* min = 1000 pages: GFP_ATOMIC has 5/8 of them to itself, as with the buddy allocator. */
static void
boundary(bool stacks)
{
	struct lab_zone *z = make(16384, 4000, stacks);
	void *page;

	while ((page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0)) != NULL)
		;
	assert_int_equal(errno, EAGAIN);
	lab_drain_all_pages(z);
	assert_int_equal(nr_free(z), 375);
	assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0));
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 0, NULL), LAB_CAUSE_WATERMARK);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_boundary(void **state)
{
	boundary(false);
	boundary(true);
}

/* Linux reserves a pageblock for each; this allocator has none to reserve. */
static void
test_below_low(void **state)
{
	struct lab_zone *z = make(65536, -1, true);
	struct lab_zone_stats s;
	unsigned long n = 0;

	while (lab_alloc_pages(z, LAB_GFP_ATOMIC, n % 4) != NULL)
		n++;
	lab_zone_stats_get(z, &s);
	assert_true(n > 0 && s.slowpath > 1);
	assert_int_equal(s.highatomic_reserve, 0);
	lab_drain_all_pages(z);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_order_cause(void **state)
{
	struct lab_zone *z = make(1024, 0, false);
	static void *page[1024 + 1];
	unsigned int n = 0;

	while ((page[n] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0)) != NULL)
		n++;
	assert_int_equal(n, 1024);
	assert_int_equal(errno, ENOMEM);
	for (unsigned int i = 0; i < n; i++)
		if (lab_page_to_pfn(z, page[i]) % 2 == 0)
			assert_int_equal(lab_free_pages(z, page[i], 0), 0);
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
	assert_int_equal(errno, ENOSPC);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_bad_frees(void **state)
{
	struct lab_zone *z = make(4096, 0, false);
	struct lab_zone_stats s;
	char *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 3);
	int local;

	assert_int_equal(lab_free_pages(z, &local, 0), -EINVAL);
	assert_int_equal(lab_free_pages(z, page + 1, 3), -EINVAL);
	assert_int_equal(lab_free_pages(z, page, 2), -EINVAL);
	assert_int_equal(lab_free_pages(z, page, 0), -EINVAL);
	assert_int_equal(lab_free_pages(z, page + 4096, 0), -EINVAL);
	assert_int_equal(lab_free_pages(z, page, 3), 0);
	assert_int_equal(lab_free_pages(z, page, 3), -EALREADY);
	assert_int_equal(lab_free_pages(z, page, 0), -EALREADY);
	lab_zone_stats_get(z, &s);
	assert_int_equal(s.bad_free, 7);
	assert_int_equal(lab_zone_destroy(z), 0);
}

/* ------------------------------------------------------------------ model */

struct held {
	void *page;
	unsigned int order;
};

static void
run_model(uint64_t seed, bool stacks)
{
	static struct held held[32768];
	struct lab_zone *z = make(8192 + 77, 0, stacks);
	unsigned long allocs = 0, frees = 0, pages = 0;
	struct lab_zone_stats s;
	unsigned int n = 0;
	struct lab_rng rng;

	lab_rng_seed(&rng, seed);
	for (unsigned int i = 0; i < 40000; i++) {
		if (lab_rng_below(&rng, 100) < (i / 8000 % 2 ? 40U : 60U)) {
			unsigned int order = lab_rng_below(&rng, 3) ? 0 : lab_rng_below(&rng, 11);
			lab_gfp_t gfp = lab_rng_below(&rng, 2) ? LAB_GFP_ATOMIC
							       : LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE;
			void *page = lab_alloc_pages(z, gfp, order);

			if (page == NULL)
				continue;
			held[n++] = (struct held){page, order};
			pages += 1UL << order;
			allocs++;
		} else if (n > 0) {
			unsigned int k = lab_rng_below(&rng, n);

			assert_int_equal(lab_free_pages(z, held[k].page, held[k].order), 0);
			pages -= 1UL << held[k].order;
			held[k] = held[--n];
			frees++;
		}
		if (i % 400 == 0) {
			lab_drain_all_pages(z);
			assert_valid(z);
			assert_int_equal(nr_free(z), 8192 + 77 - pages);
		}
	}
	lab_zone_stats_get(z, &s);
	for (unsigned int o = 1; o < LAB_NR_ORDERS; o++) {
		s.alloc[0] += s.alloc[o];
		s.free[0] += s.free[o];
	}
	assert_int_equal(s.alloc[0], allocs);
	assert_int_equal(s.free[0], frees);
	assert_int_equal(lab_zone_destroy(z), n);
}

static void
test_model(void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		run_model(seed, false);
		run_model(seed, true);
	}
}

/* ---------------------------------------------------- no false refusal */

struct elsewhere {
	struct lab_zone *z;
	void *page[2000];
	int cpu;
};

/* Leaves pages on another CPU's stack. */
static void *
free_elsewhere(void *arg)
{
	struct elsewhere *e = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(e->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (unsigned int i = 0; i < 2000; i++)
		lab_assert_always(lab_free_pages(e->z, e->page[i], 0) == 0);
	return NULL;
}

static void
test_no_page_is_out_of_reach(void **state)
{
	struct elsewhere e = {.z = make(8192, 0, true)};
	unsigned int n = 0;
	pthread_t thread;
	void *page;

	for (unsigned int i = 0; i < 2000; i++)
		e.page[i] = lab_alloc_page_gfp_atomic(e.z);
	for (e.cpu = 0; e.cpu < 2; e.cpu++) {
		pthread_create(&thread, NULL, free_elsewhere, &e);
		pthread_join(thread, NULL);
		for (n = 0; n < 2000; n++)
			assert_non_null(e.page[n] = lab_alloc_page_gfp_atomic(e.z));
	}
	pthread_create(&thread, NULL, free_elsewhere, &e);
	pthread_join(thread, NULL);
	for (n = 0; (page = lab_alloc_page_gfp_atomic(e.z)) != NULL; n++)
		;
	assert_int_equal(n, 8192);
	assert_int_equal(lab_zone_destroy(e.z), 8192);
}

/* -------------------------------------------------------------- freed twice */

/* Of a zone that is 95% full each child has a few pages: a request that fills the stack looks at several. */
static void
test_bounded(void **state)
{
	const unsigned int pages = 65536, searches = 16;
	struct lab_zone *z = make(pages, 0, true);
	void **held = calloc(pages + 1, sizeof(*held)); /* and the one that is refused */
	unsigned long most = 0;
	unsigned int n = 0;
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	while ((held[n] = lab_alloc_page_gfp_atomic(z)) != NULL)
		n++;
	assert_int_equal(n, pages);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t k = lab_rng_below(&rng, n);

		if (n > pages / 100 * 94 &&
			lab_rng_below(&rng, 100) < (n > pages / 100 * 96 ? 90 : 50)) {
			assert_int_equal(lab_free_pages(z, held[k], 0), 0);
			held[k] = held[--n];
			continue;
		}
		frames_steps = 0;
		held[n] = lab_alloc_page_gfp_atomic(z);
		assert_non_null(held[n++]);
		most = frames_steps > most ? frames_steps : most;
	}
	print_message("at most %lu steps\n", most);
	assert_true(most <= (unsigned long)searches * FRAMES_STEPS);
	assert_true(most > 0 || LAB_ASSERT_TIER == 0);
	assert_valid(z);
	free(held);
	lab_zone_destroy(z);
}

static void
test_double_free(void **state)
{
	struct lab_zone *z = make(8192, 0, true);
	struct lab_zone_stats s;
	cpu_set_t before, here;
	void *page[600];

	/* the other CPU's cache is not looked at */
	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
	for (unsigned int order = 0; order <= 4; order++) {
		void *block = lab_alloc_pages(z, LAB_GFP_ATOMIC, order);

		assert_int_equal(lab_free_pages(z, block, order), 0);
		assert_int_equal(lab_free_pages(z, block, order), -EALREADY);
		lab_drain_all_pages(z);
		assert_int_equal(lab_free_pages(z, block, order), -EALREADY);
	}
	/* a page that lies where another one lay before is no double free */
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 600; i++)
			page[i] = lab_alloc_page_gfp_atomic(z);
		for (unsigned int i = 0; i < 600; i++)
			assert_int_equal(lab_free_pages(z, page[round & 1 ? 599 - i : i], 0), 0);
	}
	lab_zone_stats_get(z, &s);
	sched_setaffinity(0, sizeof(before), &before);
	assert_int_equal(s.bad_free, 10);
	lab_drain_all_pages(z);
	assert_int_equal(nr_free(z), 8192);
	assert_valid(z);
	assert_int_equal(lab_zone_destroy(z), 0);
}

/* ------------------------------------------- a handler within an allocation */

/* Set LAB_INTERRUPTIONS for more of them: a million take a minute. Timers fire each WORKERS threads. */
#define WORKERS     2
#define TIMER_NS    40000
#define INTERRUPTED 60000

static struct lab_zone *shared; /* where there are pages */
static struct lab_zone *barren; /* where each request is refused, some by injection */
static struct lab_zone *scarce; /* where there is a reserve, and little else */
static _Atomic unsigned long interruptions, refusals, wanted;

static void
use_reserve(void)
{
	void *page[4];

	for (unsigned int i = 0; i < 4; i++)
		page[i] = lab_alloc_page_gfp_atomic(scarce);
	for (unsigned int i = 0; i < 4; i++)
		lab_assert_always(lab_free_pages(scarce, page[i], 0) == 0);
}

static void
use_zones(void)
{
	void *a = lab_alloc_page_gfp_atomic(shared),
	     *b = lab_alloc_pages(shared, LAB_GFP_ATOMIC, 2);
	void *c = lab_alloc_pages(shared, LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE, 9), *many[8];

	lab_assert_always(a != NULL && b != NULL);
	lab_assert_always(lab_alloc_pages_many(shared, LAB_GFP_ATOMIC, 0, 8, many) == 8);
	lab_assert_always(lab_free_pages(shared, a, 0) == 0);
	lab_assert_always(lab_free_pages(shared, b, 2) == 0);
	lab_assert_always(c == NULL || lab_free_pages(shared, c, 9) == 0);
	lab_assert_always(lab_free_pages_many(shared, many, 0, 8) == 8);
	lab_assert_always(lab_alloc_page_gfp_atomic(barren) == NULL);
	refusals++;
	use_reserve();
}

static void
interrupt(int sig)
{
	int err = errno;

	/* a handler that takes longer than the timer's period leaves no time to notice that it is enough */
	if (interruptions < wanted) {
		use_zones();
		interruptions++;
	}
	errno = err;
}

/* Interrupts the calling thread only. */
static timer_t
start_timer(void)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
	struct itimerspec it = {{0, TIMER_NS}, {0, TIMER_NS}};
	timer_t timer;

	ev._sigev_un._tid = gettid();
	lab_assert_always(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	lab_assert_always(timer_settime(timer, 0, &it, NULL) == 0);
	return timer;
}

static void *
work(void *arg)
{
	timer_t timer = start_timer();
	void *page[300];

	while (interruptions < wanted) {
		for (unsigned int i = 0; i < 300; i++)
			page[i] = lab_alloc_page_gfp_atomic(shared);
		use_zones();
		lab_zone_background(scarce, 8);
		for (unsigned int i = 0; i < 300; i++)
			lab_assert_always(lab_free_pages(shared, page[i], 0) == 0);
	}
	timer_delete(timer);
	return NULL;
}

static void
make_zones(void)
{
	const struct lab_inject some = {.probability_ppm = 300000, .times = -1, .seed = 7};

	shared = make(16384, 0, true);
	barren = make(16, 0, true);
	scarce = make(8, 0, true);
	assert_int_equal(lab_zone_set_reserve(scarce, 0, 6), 0);
	while (lab_alloc_page_gfp_atomic(barren) != NULL)
		;
	lab_zone_stats_reset(barren);
	assert_int_equal(lab_zone_inject(barren, &some), 0);
}

static void
assert_all_refusals_counted(void)
{
	struct lab_refusal last[64];
	struct lab_zone_stats s;
	unsigned int n = lab_zone_refusals(barren, last, 64);

	lab_zone_stats_get(barren, &s);
	assert_int_equal(s.refused[LAB_CAUSE_INJECTED] + s.refused[LAB_CAUSE_EXHAUSTED], refusals);
	assert_true(s.refused[LAB_CAUSE_INJECTED] > refusals / 5 && n > 0);
	for (unsigned int i = 1; i < n; i++)
		assert_true(last[i].seq < last[i - 1].seq);
	print_message("%lu interruptions, %lu refusals\n", interruptions, refusals);
}

static void
assert_reserve_whole(void)
{
	struct lab_zone_stats s;

	lab_drain_all_pages(scarce);
	lab_zone_stats_get(scarce, &s);
	assert_true(s.reserve_hit > 0);
	assert_int_equal(s.bad_free, 0);
	lab_zone_background(scarce, 8);
	assert_int_equal(lab_zone_reserve_held(scarce, 0), 6);
	assert_int_equal(nr_free(scarce), 2);
	assert_valid(scarce);
	assert_int_equal(lab_zone_destroy(scarce), 0);
}

static void
test_signal_handler(void **state)
{
	const char *more = getenv("LAB_INTERRUPTIONS");
	pthread_t thread[WORKERS];

	wanted = more != NULL ? strtoul(more, NULL, 10) : INTERRUPTED;
	make_zones();
	signal(SIGALRM, interrupt);
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	signal(SIGALRM, SIG_IGN);
	assert_all_refusals_counted();
	lab_drain_all_pages(shared);
	assert_valid(shared);
	assert_int_equal(nr_free(shared), 16384);
	assert_int_equal(lab_zone_destroy(shared), 0);
	lab_zone_destroy(barren);
	assert_reserve_whole();
}

/* -------------------------------------------------------- a dead process */

static void
use_and_die(struct lab_zone *z)
{
	void *page[200];

	for (unsigned int i = 0; i < 200; i++)
		page[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, i % 4);
	for (unsigned int i = 0; i < 200; i++)
		lab_free_pages(z, page[i], i % 4);
	kill(getpid(), SIGKILL);
}

static void
test_dead_process(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(8192);
	struct lab_zone_stats s;
	struct lab_zone *z;
	unsigned long n = 0;
	int status;
	pid_t pid;

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	cfg.nr_processes = 2;
	cfg.min_free_kbytes = 0;
	cfg.meta_len = lab_zone_meta_size(&cfg);
	cfg.meta =
		mmap(NULL, cfg.meta_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(cfg.meta, MAP_FAILED);
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_non_null(lab_alloc_page_gfp_atomic(z));
	assert_int_equal(lab_zone_reclaim(z, (uint32_t)getpid()), caches ? -EBUSY : -ENOENT);
	pid = fork();
	if (pid == 0)
		use_and_die(z);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(lab_zone_reclaim(z, (uint32_t)pid) > 0 || !caches);
	assert_int_equal(lab_zone_reclaim(z, (uint32_t)pid), -ENOENT);
	while (lab_alloc_page_gfp_atomic(z) != NULL)
		n++;
	assert_int_equal(n, 8191);
	lab_zone_stats_get(z, &s);
	assert_int_equal(s.lost_pages, 0);
	lab_zone_destroy(z);
	munmap(cfg.meta, cfg.meta_len);
}

/* ---------------------------------------------------------- other ends */

static void
test_online(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(4096);
	struct lab_zone *z;
	unsigned int n = 0;

	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	cfg.min_free_kbytes = 0;
	cfg.offline = true;
	assert_int_equal(lab_zone_create(&z, &cfg), 0);
	assert_null(lab_alloc_page_gfp_atomic(z));
	assert_int_equal(lab_zone_online(z, lab_pfn_to_page(z, 100), 3), 0);
	assert_int_equal(lab_zone_online(z, lab_pfn_to_page(z, 102), 1), -EEXIST);
	assert_int_equal(lab_zone_online(z, lab_pfn_to_page(z, 1000), 1001), 0);
	assert_valid(z);
	while (lab_alloc_page_gfp_atomic(z) != NULL)
		n++;
	assert_int_equal(n, 1004);
	assert_int_equal(lab_zone_destroy(z), 1004);
}

LABYRINTH_DEFINE(grid, 600, .allocator = LAB_ALLOCATOR_LABYRINTH, .min_free_kbytes = 0);

LABYRINTH_DEFINE(nook, 16, .allocator = LAB_ALLOCATOR_LABYRINTH, .min_free_kbytes = 0);

static void
test_static(void **state)
{
	unsigned int n = 0;

	assert_valid(nook);
	while (lab_alloc_pages(nook, LAB_GFP_ATOMIC, 1) != NULL)
		n++;
	assert_int_equal(n, 8);
	n = 0;

	assert_valid(grid);
	while (lab_alloc_page_gfp_atomic(grid) != NULL)
		n++;
	assert_int_equal(n, 600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_below_low),
		cmocka_unit_test(test_order_cause),
		cmocka_unit_test(test_bad_frees),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_no_page_is_out_of_reach),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_double_free),
		cmocka_unit_test(test_signal_handler),
		cmocka_unit_test(test_dead_process),
		cmocka_unit_test(test_online),
		cmocka_unit_test(test_static),
	};

	caches = percpu_available();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
