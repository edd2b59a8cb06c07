/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The programs in the kernel, run once for each made-up event (BPF_PROG_TEST_RUN) and attached to nothing: what
 * they count is exactly what the tests gave them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lab_base.h"
#include "lab_kmon.h"

#define ATOMIC  0x820u
#define NOWAIT  0x800u
#define KERNEL  0xcc0u
#define NOWARN  0x2000u
#define NORETRY 0x10000u
#define COMP    0x40000u
#define NOMEM   0x80000u /* NOMEMALLOC */
#define ACCOUNT 0x400000u
#define ATTEMPT (NOWARN | NORETRY | COMP | NOMEM)
#define A_PAGE  0xffffea0000001000u
#define MOVABLE 1u

static struct lab_kmon *kmon;
static char why[200];

/* Time stands still, but where a test says how long an attempt waits: no other load on the machine changes what is counted. */
static int
begin_with(uint64_t attempt_ns)
{
	const struct lab_kmon_opts idle = {
		.idle = true, .attempt_ns = attempt_ns, .window_bits = 63};

	return lab_kmon_open(&kmon, &idle, why, sizeof(why));
}

static int
begin(void **state)
{
	(void)state;
	return begin_with(UINT64_MAX);
}

/* Whatever comes second comes too late. */
static int
begin_impatient(void **state)
{
	(void)state;
	return begin_with(1);
}

static int
end(void **state)
{
	(void)state;
	lab_kmon_close(kmon);
	kmon = NULL;
	return 0;
}

/* On another CPU the program would run in an interrupt, in the name of whoever is there. */
static void
run(enum lab_kmon_program program, unsigned int cpu, const uint64_t args[5])
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(lab_kmon_test_run(kmon, program, cpu, args), 0);
}

static void
alloc_on(unsigned int cpu, uint64_t page, unsigned int order, uint32_t gfp, unsigned int type)
{
	uint64_t args[5] = {page, order, gfp, type, 0};

	run(LAB_KMON_PAGE_ALLOC, cpu, args);
}

static void
request(uint64_t page, unsigned int order, uint32_t gfp)
{
	alloc_on(0, page, order, gfp, 0);
}

static struct lab_kmon_totals
totals(void)
{
	struct lab_kmon_totals t;

	lab_kmon_read(kmon, &t);
	return t;
}

/* Failures of all classes, kinds and orders. */
static uint64_t
failures(const struct lab_kmon_totals *t)
{
	const uint64_t *f = &t->failed[0][0][0];
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(t->failed) / sizeof(*f); i++)
		sum += f[i];
	return sum;
}

static uint64_t
requests(const struct lab_kmon_totals *t)
{
	const uint64_t *r = &t->requests[0][0][0];
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(t->requests) / sizeof(*r); i++)
		sum += r[i];
	return sum;
}

/* All figures of a CPU are added up here, and nothing but these. */
#define FIGURE(member) (offsetof(struct lab_kmon_totals, member) / sizeof(uint64_t))
#define NR_FIGURES     (sizeof(struct lab_kmon_totals) / sizeof(uint64_t))

struct move {
	size_t figure;
	uint64_t by;
};

/* Run a program: the figures of the list move, no other does. The list ends where nothing moves. */
static void
moves(enum lab_kmon_program program, const uint64_t args[5], const struct move *list)
{
	struct lab_kmon_totals before = totals(), after;
	uint64_t b[NR_FIGURES], a[NR_FIGURES];

	run(program, 0, args);
	after = totals();
	memcpy(b, &before, sizeof(b));
	memcpy(a, &after, sizeof(a));
	for (; list->by; list++)
		b[list->figure] += list->by;
	for (size_t i = 0; i < NR_FIGURES; i++) {
		if (a[i] != b[i])
			fail_msg("program %d: figure %zu is %" PRIu64 ", not %" PRIu64, program, i,
				a[i], b[i]);
	}
}

static void
test_served(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(A_PAGE, 0, ATOMIC);
	alloc_on(0, A_PAGE, 2, ATOMIC, MOVABLE);
	request(A_PAGE, 0, NOWAIT);
	request(A_PAGE, 3, KERNEL);
	t = totals();
	assert_int_equal(t.requests[LAB_KMON_ATOMIC][0][0], 1);
	assert_int_equal(t.requests[LAB_KMON_ATOMIC][2][MOVABLE], 1);
	assert_int_equal(t.requests[LAB_KMON_NOWAIT][0][0], 1);
	assert_int_equal(t.requests[LAB_KMON_MAY_SLEEP][3][0], 1);
	assert_int_equal(requests(&t), 4);
	assert_int_equal(failures(&t), 0);
}

static void
remember(const struct lab_kmon_failure *f, void *arg)
{
	*(struct lab_kmon_failure *)arg = *f;
}

static void
test_atomic_failure(void **state)
{
	struct lab_kmon_failure f = {0};
	struct lab_kmon_totals t;
	struct lab_kmon_who who;

	(void)state;
	prctl(PR_SET_NAME, "lab-test");
	alloc_on(0, 0, 2, ATOMIC, MOVABLE);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][2], 1);
	assert_int_equal(failures(&t), 1);
	assert_int_equal(t.details_lost, 0);
	assert_int_equal(lab_kmon_failures(kmon, &who, 1), 1);
	assert_int_equal(who.n, 1);
	assert_int_equal(who.kind, LAB_KMON_TERMINAL);
	assert_int_equal(who.gfp, ATOMIC);
	assert_int_equal(who.order, 2);
	assert_int_equal(who.type, MOVABLE);
	assert_string_equal(who.comm, "lab-test");
	assert_int_equal(lab_kmon_poll(kmon, remember, &f), 1);
	assert_int_equal(f.pid, getpid());
	assert_int_equal(f.gfp, ATOMIC);
	assert_int_equal(f.order, 2);
	assert_int_equal(f.type, MOVABLE);
	assert_string_equal(f.comm, "lab-test");
	assert_int_equal(lab_kmon_poll(kmon, remember, &f), 0);
}

/* The way to the program is in the stack, with its names where they may be read. */
static void
test_stack(void **state)
{
	struct lab_kmon_failure f = {0};
	char symbol[160];
	bool named = false, run_here = false;

	(void)state;
	request(0, 0, ATOMIC);
	assert_int_equal(lab_kmon_poll(kmon, remember, &f), 1);
	assert_in_range(f.frames, 1, LAB_KMON_STACK_DEPTH);
	for (uint32_t i = 0; i < f.frames; i++) {
		assert_true(f.stack[i] >> 63); /* the kernel's half */
		lab_kmon_symbol(kmon, f.stack[i], symbol, sizeof(symbol));
		named |= strchr(symbol, '+') != NULL;
		run_here |= !strncmp(symbol, "bpf_prog_test_run_raw_tp", 24);
	}
	assert_int_equal(named, run_here);
}

/* Who made an attempt is known by all that it asked for, also when its second request is what tells how it ended. */
static void
test_who_attempted(void **state)
{
	struct lab_kmon_who who[4];

	(void)state;
	prctl(PR_SET_NAME, "lab-first");
	alloc_on(0, 0, 3, ATOMIC | ATTEMPT, MOVABLE);
	prctl(PR_SET_NAME, "lab-second");
	request(A_PAGE, 0, ATOMIC);
	assert_int_equal(lab_kmon_failures(kmon, who, 4), 1);
	assert_int_equal(who[0].kind, LAB_KMON_FALLBACK);
	assert_int_equal(who[0].order, 3);
	assert_int_equal(who[0].type, MOVABLE);
	assert_int_equal(who[0].gfp, ATOMIC | ATTEMPT);
	assert_string_equal(who[0].comm, "lab-first");
	alloc_on(0, 0, 3, ATOMIC | ATTEMPT, MOVABLE);
	request(0, 0, ATOMIC);
	request(0, 0, ATOMIC); /* so that the order of the rows is known */
	assert_int_equal(lab_kmon_failures(kmon, who, 4), 3);
	assert_int_equal(who[0].kind, LAB_KMON_TERMINAL);
	assert_int_equal(who[0].order, 0);
	assert_int_equal(who[0].type, 0);
	assert_int_equal(who[0].n, 2);
	for (int i = 1; i < 3; i++) {
		assert_true(who[i].kind == LAB_KMON_SUPERSEDED || who[i].kind == LAB_KMON_FALLBACK);
		assert_int_equal(who[i].order, 3);
		assert_int_equal(who[i].type, MOVABLE);
		assert_int_equal(who[i].n, 1);
	}
	assert_int_not_equal(who[1].kind, who[2].kind);
}

/* More callers than the table has room for: each failure is counted, and those without a row are told of. */
static void
test_more_callers_than_rows(void **state)
{
	enum { CALLERS = 3000 };
	static struct lab_kmon_who who[CALLERS];
	struct lab_kmon_totals t;
	uint64_t sum = 0;
	int n;

	(void)state;
	for (unsigned int twice = 0; twice < 2 * CALLERS; twice++)
		request(0, twice % CALLERS, NOWAIT);
	t = totals();
	n = lab_kmon_failures(kmon, who, CALLERS);
	assert_in_range(n, 1, CALLERS - 1);
	for (int i = 0; i < n; i++) {
		assert_int_equal(who[i].n, 2);
		sum += who[i].n;
	}
	assert_int_equal(failures(&t), 2 * CALLERS);
	assert_int_equal(sum + t.keys_lost, 2 * CALLERS);
	assert_int_equal(lab_kmon_failures(kmon, who, 5), 5);
}

/* Kernel 6.1 has a bit of its own for atomic; NOWARN is what silences the message, not the failure. */
static void
test_flags_of_kernels(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 0, 0xa20);
	request(0, 0, ATOMIC | NOWARN);
	request(0, 1, ATOMIC | NOWARN | NOMEM);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][0], 2);
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][1], 1);
	request(0, 9, KERNEL);
	request(0, 0, NOWAIT | NOWARN);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_MAY_SLEEP][LAB_KMON_TERMINAL][9], 1);
	assert_int_equal(t.failed[LAB_KMON_NOWAIT][LAB_KMON_TERMINAL][0], 1);
	assert_int_equal(failures(&t), 5);
}

static void
test_benign_fallback(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 3, ATOMIC | ATTEMPT);
	t = totals();
	assert_int_equal(failures(&t), 0); /* nobody knows yet */
	request(A_PAGE, 0, ATOMIC);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_FALLBACK][3], 1);
	assert_int_equal(failures(&t), 1);
	request(A_PAGE, 0, ATOMIC);
	t = totals();
	assert_int_equal(failures(&t), 1);
	assert_int_equal(lab_kmon_poll(kmon, NULL, NULL), 0); /* no record of what is benign */
}

static void
test_second_request_fails_too(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 3, ATOMIC | ATTEMPT);
	request(0, 0, ATOMIC);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_SUPERSEDED][3], 1);
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][0], 1);
	assert_int_equal(failures(&t), 2);
}

/* SLUB asks for its order as an attempt and then for its least order in earnest, also when both are 0. */
static void
test_second_request_of_same_order(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 0, ATOMIC | NOWARN | NORETRY | COMP);
	request(0, 0, ATOMIC | NOWARN | COMP);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_SUPERSEDED][0], 1);
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][0], 1);
	request(0, 0, ATOMIC | NOWARN | NORETRY | COMP);
	request(A_PAGE, 0, ATOMIC | NOWARN | COMP);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_FALLBACK][0], 1);
	assert_int_equal(failures(&t), 3);
}

/* An interrupt's allocation between the two has another right, is for more, or is an attempt. */
static void
test_others_in_between(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 3, ATOMIC | ATTEMPT);
	request(A_PAGE, 0, KERNEL);
	request(A_PAGE, 4, ATOMIC);
	request(A_PAGE, 3, ATOMIC | ATTEMPT);
	t = totals();
	assert_int_equal(failures(&t), 0);
	request(A_PAGE, 0, ATOMIC);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_FALLBACK][3], 1);
}

static void
test_second_request_not_seen(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 3, ATOMIC | ATTEMPT);
	request(0, 3, ATOMIC | ATTEMPT);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_UNRESOLVED][3], 1);
	assert_int_equal(failures(&t), 1);
	lab_kmon_settle(kmon, &t);
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_UNRESOLVED][3], 2);
}

static void
test_second_request_too_late(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 3, ATOMIC | ATTEMPT);
	request(A_PAGE, 0, ATOMIC);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_UNRESOLVED][3], 1);
	assert_int_equal(failures(&t), 1);
	request(A_PAGE, 0, ATOMIC);
	lab_kmon_settle(kmon, &t);
	assert_int_equal(failures(&t), 1);
}

/* Two CPUs do not answer for each other. */
static void
test_per_cpu(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	alloc_on(0, 0, 3, ATOMIC | ATTEMPT, 0);
	alloc_on(1, A_PAGE, 0, ATOMIC, 0);
	t = totals();
	assert_int_equal(failures(&t), 0);
	assert_int_equal(t.requests[LAB_KMON_ATOMIC][0][0], 1);
	assert_int_equal(t.requests[LAB_KMON_ATOMIC][3][0], 1);
	alloc_on(0, A_PAGE, 0, ATOMIC, 0);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_FALLBACK][3], 1);
}

static void
test_memcg_is_apart(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	request(0, 0, ATOMIC | ACCOUNT);
	request(0, 0, KERNEL | ACCOUNT);
	t = totals();
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_MEMCG][0], 1);
	assert_int_equal(t.failed[LAB_KMON_MAY_SLEEP][LAB_KMON_MEMCG][0], 1);
	assert_int_equal(failures(&t), 2);
	assert_int_equal(lab_kmon_poll(kmon, NULL, NULL), 0);
}

/* Whatever a kernel passes, no counter beyond the arrays is touched, and every event is counted. */
static void
test_numbers_beyond(void **state)
{
	struct lab_kmon_totals t;

	(void)state;
	alloc_on(0, A_PAGE, 4000000000u, ATOMIC, 4000000000u);
	alloc_on(0, 0, 200, ATOMIC, 99);
	t = totals();
	assert_int_equal(requests(&t), 2);
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][LAB_KMON_ORDERS - 1], 1);
}

/* A storm is counted to the last, and told of so many times a span of time. */
static void
test_storm(void **state)
{
	struct lab_kmon_totals t;
	int told;

	(void)state;
	for (int i = 0; i < 1000; i++)
		request(0, 0, ATOMIC);
	t = totals();
	told = lab_kmon_poll(kmon, NULL, NULL);
	assert_int_equal(t.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][0], 1000);
	assert_int_equal(told, 200);
	assert_int_equal(t.details_lost, 800);
}

static void
test_requests_move_nothing_else(void **state)
{
	const uint64_t served[5] = {A_PAGE, 1, NOWAIT, MOVABLE, 0},
		       refused[5] = {0, 2, KERNEL, 0, 0};

	(void)state;
	moves(LAB_KMON_PAGE_ALLOC, served,
		(const struct move[]){{FIGURE(requests[LAB_KMON_NOWAIT][1][MOVABLE]), 1}, {0}});
	moves(LAB_KMON_PAGE_ALLOC, refused,
		(const struct move[]){{FIGURE(requests[LAB_KMON_MAY_SLEEP][2][0]), 1},
			{FIGURE(failed[LAB_KMON_MAY_SLEEP][LAB_KMON_TERMINAL][2]), 1}, {0}});
}

static void
test_extfrag(void **state)
{
	const uint64_t args[5] = {A_PAGE, 2, 9, 0, 1};

	(void)state;
	moves(LAB_KMON_EXTFRAG, args,
		(const struct move[]){
			{FIGURE(extfrag[0][MOVABLE]), 1}, {FIGURE(extfrag_order[2]), 1}, {0}});
	assert_string_equal(lab_kmon_type_name(kmon, 0), "Unmovable");
	assert_string_equal(lab_kmon_type_name(kmon, 1), "Movable");
	assert_string_equal(lab_kmon_type_name(kmon, 77), "?");
}

/* Each of the plain counters moves its own figure. */
static void
test_counters(void **state)
{
	static const struct {
		enum lab_kmon_program program;
		uint64_t args[5];
		struct move move;
	} all[] = {
		{LAB_KMON_POOL_HOLD, {1, A_PAGE, 7}, {FIGURE(pool_hold), 1}},
		{LAB_KMON_NAPI_POLL, {1, 17, 64}, {FIGURE(polled), 17}},
		{LAB_KMON_NAPI_POLL, {1, 0, 64}, {0, 0}},
		{LAB_KMON_NAPI_POLL, {1, UINT64_MAX, 64}, {0, 0}},
		{LAB_KMON_RECEIVE, {8}, {FIGURE(received), 1}},
		{LAB_KMON_KSWAPD_WAKEUP, {0, 1, 3, ATOMIC}, {FIGURE(kswapd_wakeups), 1}},
		{LAB_KMON_KSWAPD_WAKE, {0, 1, 3}, {FIGURE(kswapd_wakes), 1}},
		{LAB_KMON_COMPACTION_BEGIN, {8, 1, 2, 0}, {FIGURE(compaction_begin), 1}},
		{LAB_KMON_COMPACTION_END, {8, 1, 2, 0, 3}, {FIGURE(compaction_end), 1}},
	};

	(void)state;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(all); i++) {
		const struct move list[] = {all[i].move, {0}};

		moves(all[i].program, all[i].args, list);
	}
}

/* What no program belongs to is not run. */
static void
test_no_such_program(void **state)
{
	const uint64_t args[5] = {0};

	(void)state;
	assert_int_equal(lab_kmon_test_run(kmon, LAB_KMON_COMPACTION_END + 1, 0, args), -EINVAL);
	assert_int_equal(lab_kmon_test_run(kmon, -1, 0, args), -EINVAL);
}

static void
drop(int64_t reason)
{
	/* an skb that cannot be read counts as one that never entered */
	const uint64_t args[5] = {8, 0xffffffff81000000u, (uint64_t)reason, 0, 0};

	assert_true(reason >= 0);
	run(LAB_KMON_KFREE_SKB, 0, args);
}

static void
test_drops_by_reason(void **state)
{
	struct lab_kmon_reason r[8];
	struct lab_kmon_totals t;

	const uint64_t nomem = lab_kmon_reason_find(kmon, "NOMEM");
	const uint64_t args[5] = {8, 0xffffffff81000000u, nomem, 0, 0};

	(void)state;
	moves(LAB_KMON_KFREE_SKB, args,
		(const struct move[]){{FIGURE(drops[0][LAB_KMON_DROP_MEMORY]), 1}, {0}});
	drop(lab_kmon_reason_find(kmon, "SOCKET_RCVBUFF"));
	drop(nomem);
	drop(lab_kmon_reason_find(kmon, "CPU_BACKLOG"));
	drop(lab_kmon_reason_find(kmon, "NETFILTER_DROP"));
	t = totals();
	assert_int_equal(t.drops[0][LAB_KMON_DROP_MEMORY], 2);
	assert_int_equal(t.drops[0][LAB_KMON_DROP_SOCKET], 1);
	assert_int_equal(t.drops[0][LAB_KMON_DROP_BACKLOG], 1);
	assert_int_equal(t.drops[0][LAB_KMON_DROP_OTHER], 1);
	assert_int_equal(lab_kmon_reasons(kmon, r, 8), 4);
	assert_string_equal(r[0].name, "NOMEM");
	assert_int_equal(r[0].elsewhere, 2);
	assert_int_equal(r[0].entered, 0);
	assert_int_equal(lab_kmon_reason_find(kmon, "NO_SUCH_REASON"), -ENOENT);
}

/* Freed without a reason and never received: a socket's own, and no packet lost. */
static void
test_free_is_no_drop(void **state)
{
	struct lab_kmon_reason r[8];
	struct lab_kmon_totals t;

	(void)state;
	drop(lab_kmon_reason_find(kmon, "NOT_SPECIFIED"));
	drop(0); /* not dropped (yet) */
	t = totals();
	assert_int_equal(t.freed, 1);
	for (int d = 0; d < LAB_KMON_NR_DROPS; d++)
		assert_int_equal(t.drops[0][d] + t.drops[1][d], 0);
	assert_int_equal(lab_kmon_reasons(kmon, r, 8), 0);
}

/* Reasons of modules have their subsystem in the high half. */
static void
test_reasons_of_subsystems(void **state)
{
	struct lab_kmon_reason r[8];

	(void)state;
	drop(2 << 16 | 5);
	drop(2 << 16 | 5);
	drop(0x7fff0000 | 9);
	drop(2 << 16 | 0xfff);
	assert_int_equal(lab_kmon_reasons(kmon, r, 8), 3);
	assert_int_equal(r[0].reason, 2 << 16 | 5);
	assert_int_equal(r[0].elsewhere, 2);
	assert_non_null(strstr(r[0].name, "_5"));
}

static void
test_columns(void **state)
{
	const struct lab_kmon_column *c;
	unsigned int n;

	(void)state;
	c = lab_kmon_columns(kmon, &n);
	assert_true(n > 5);
	for (unsigned int i = 0; i < n; i++) {
		assert_non_null(c[i].name);
		assert_true(c[i].on || c[i].why[0]);
	}
	assert_string_equal(c[0].name, "allocations");
	assert_true(c[0].on);
}

/* ------------------------------------------------------- kernels that lack something */

/* With one program that the kernel does that to. */
static int
open_faulty(const char *column, enum lab_kmon_fault_kind kind, bool idle)
{
	const struct lab_kmon_fault fault = {column, kind};
	/* some kernels do not take the programs of latency, which is another way through */
	const struct lab_kmon_opts opts = {
		.latency_every = !strcmp(column, "latency"), .idle = idle, .fault = &fault};

	why[0] = '\0';
	return lab_kmon_open(&kmon, &opts, why, sizeof(why));
}

static const struct lab_kmon_column *
column(const char *name)
{
	unsigned int n;
	const struct lab_kmon_column *c = lab_kmon_columns(kmon, &n);

	for (unsigned int i = 0; i < n; i++) {
		if (!strcmp(c[i].name, name))
			return &c[i];
	}
	fail_msg("no column %s", name);
	return NULL;
}

/* What this kernel counts; without the column of that name. */
static unsigned int
counted(const char *without)
{
	unsigned int n, on = 0;
	const struct lab_kmon_column *c = lab_kmon_columns(kmon, &n);

	for (unsigned int i = 0; i < n; i++)
		on += c[i].on && (without == NULL || strcmp(c[i].name, without));
	return on;
}

/* The one is named with its reason, and the rest counts. */
static void
lacks(const char *name, enum lab_kmon_fault_kind kind, const char *reason)
{
	const uint64_t args[5] = {8};
	unsigned int rest;

	assert_int_equal(open_faulty("none of them", kind, false), 0);
	rest = counted(name);
	end(NULL);
	assert_int_equal(open_faulty(name, kind, false), 0);
	assert_false(column(name)->on);
	if (!strstr(column(name)->why, reason))
		fail_msg("%s: '%s' is not in '%s'", name, reason, column(name)->why);
	assert_int_equal(counted(NULL), rest);
	run(LAB_KMON_KSWAPD_WAKEUP, 0, args);
	assert_in_range(totals().kswapd_wakeups, 1, 1000000);
	end(NULL);
}

static void
test_optional_column(void **state)
{
	(void)state;
	lacks("extfrag", LAB_KMON_FAULT_ABSENT, "has no mm_page_alloc_extfrag to attach to");
	lacks("received", LAB_KMON_FAULT_REFUSED, "the kernel refuses the program: ");
	lacks("pool_hold", LAB_KMON_FAULT_UNATTACHABLE,
		"cannot be attached to no_such_tracepoint: ");
	lacks("latency", LAB_KMON_FAULT_ABSENT, "has no known function to attach to");
	lacks("latency", LAB_KMON_FAULT_REFUSED, "the kernel refuses the program: ");
}

/* The verifier's own words come with it. */
static void
test_words_of_the_verifier(void **state)
{
	const uint64_t args[5] = {8};

	(void)state;
	assert_int_equal(open_faulty("received", LAB_KMON_FAULT_REFUSED, true), 0);
	assert_non_null(strstr(column("received")->why, "btf_id"));
	assert_int_equal(lab_kmon_test_run(kmon, LAB_KMON_RECEIVE, 0, args), -ENOTSUP);
	assert_int_equal(totals().received, 0);
	end(NULL);
}

/* Without one of the two that everything rests upon, there is nothing, and it is said which. */
static void
test_required_column(void **state)
{
	static const struct {
		enum lab_kmon_fault_kind kind;
		const char *words;
	} all[] = {
		{LAB_KMON_FAULT_ABSENT, "cannot be counted: this kernel has no "},
		{LAB_KMON_FAULT_REFUSED, "cannot be counted: the kernel refuses the program: "},
		{LAB_KMON_FAULT_UNATTACHABLE, "cannot be counted: cannot be attached to "},
	};
	static const char *const names[] = {"allocations", "drops"};

	(void)state;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(all); i++) {
		for (size_t n = 0; n < LAB_ARRAY_SIZE(names); n++) {
			assert_int_equal(open_faulty(names[n], all[i].kind, false), -ENOTSUP);
			assert_null(kmon);
			assert_ptr_equal(strstr(why, names[n]), why);
			assert_non_null(strstr(why, all[i].words));
		}
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_served),
		TEST(test_atomic_failure),
		TEST(test_stack),
		TEST(test_who_attempted),
		TEST(test_more_callers_than_rows),
		TEST(test_flags_of_kernels),
		TEST(test_benign_fallback),
		TEST(test_second_request_fails_too),
		TEST(test_second_request_of_same_order),
		TEST(test_others_in_between),
		TEST(test_second_request_not_seen),
		cmocka_unit_test_setup_teardown(test_second_request_too_late, begin_impatient, end),
		TEST(test_per_cpu),
		TEST(test_memcg_is_apart),
		TEST(test_numbers_beyond),
		TEST(test_storm),
		TEST(test_requests_move_nothing_else),
		TEST(test_extfrag),
		TEST(test_counters),
		TEST(test_no_such_program),
		TEST(test_drops_by_reason),
		TEST(test_free_is_no_drop),
		TEST(test_reasons_of_subsystems),
		TEST(test_columns),
		cmocka_unit_test(test_optional_column),
		cmocka_unit_test(test_words_of_the_verifier),
		cmocka_unit_test(test_required_column),
	};
	int err = begin(NULL);

	if (err == -EPERM || err == -ENOTSUP) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	if (err) {
		fprintf(stderr, "%s (%d)\n", why, err);
		return 1;
	}
	end(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
