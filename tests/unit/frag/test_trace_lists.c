/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Replay: the kernel's per-CPU lists, as the trace tells of them. */
#include <math.h>

#include "frag_test.h"
#include "trace_fixture.h"

/** @param listed pages that the CPU's lists have at the beginning */
static void
replay_so(const struct lab_trace_options *o, unsigned int listed, const char *free_blocks,
	const char *events, struct lab_trace_result *res)
{
	const char *at = strstr(small, "free *");
	char all[2048], err[160] = "";

	snprintf(all, sizeof(all), "%.*sfree * %s\ncpus 1\npcp 0 %u 100 10\nevents\n%s",
		(int)(at - small), small, free_blocks, listed, events);
	if (replay(all, o, res, err, sizeof(err)) != 0)
		fail_msg("%s", err);
}

static void
replay_listed(unsigned int listed, const char *free_blocks, const char *events,
	struct lab_trace_result *res)
{
	replay_so(NULL, listed, free_blocks, events, res);
}

/** The per-CPU lists as the trace tells: what is freed is free when it is drained, what lay in a list and is handed out again
 *  changes nothing, and so does what was in the lists at the beginning. */
static void
lists_are_followed(void **state)
{
	static const char text[] = "a 1 0 5000 0 3272 M\n" /* the one page of the beginning */
				   "s 2 1 0 0 1 0 0 0 0 0 0 1 0\n"
				   "a 3 0 5001 0 3272 M\n" /* so this one is a free block */
				   "s 4 0 0 0 1 0 0 0 0 0 0 1 0\n"
				   "f 5 0 5001 0\n" /* into a list */
				   "s 6 0 0 0 1 0 0 0 0 0 0 1 0\n"
				   "a 7 0 5001 0 3272 M\n" /* and out of it */
				   "s 8 0 0 0 1 0 0 0 0 0 0 1 0\n"
				   "f 9 0 5001 0\n"
				   "d 10 0 5001 0 M\n" /* now it is free */
				   "s 11 1 0 0 1 0 0 0 0 0 0 1 0\n"
				   "a 12 0 7168 10 2080 U\n" /* no list takes this order */
				   "s 13 1 0 0 1 0 0 0 0 0 0 0 0\n"
				   "f 14 0 7168 10\n"
				   "s 15 1 0 0 1 0 0 0 0 0 0 1 0\n"
				   "a 16 0 6000 3 3272 M\n"
				   "s 17 1 0 0 0 0 0 0 0 0 0 1 0\n"
				   "end 5 0 3 1 0 0 0 8 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(1, "1 0 0 1 0 0 0 0 0 0 1", text, &res);
	assert_int_equal(res.allocs, 5);
	assert_int_equal(res.from_lists, 2);
	assert_int_equal(res.frees, 3);
	assert_int_equal(res.frees_before + res.frees_unmatched, 0);
	assert_int_equal(res.samples, 8);
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		assert_true(res.order[order].max == 0);
}

/** A listed block may be drained in parts; the rest of it stays there. */
static void
a_listed_block_is_drained_in_parts(void **state)
{
	static const char text[] = "a 1 0 6000 3 3272 M\n"
				   "f 2 0 6000 3\n"
				   "s 3 1 0 0 0 0 0 0 0 0 0 1 0\n"
				   "d 4 0 6004 2 M\n"
				   "s 5 1 0 1 0 0 0 0 0 0 0 1 0\n"
				   "d 6 0 6000 2 M\n"
				   "s 7 1 0 0 1 0 0 0 0 0 0 1 0\n"
				   "end 1 0 1 2 0 0 0 3 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "1 0 0 1 0 0 0 0 0 0 1", text, &res);
	assert_int_equal(res.frees, 1);
	assert_int_equal(res.frees_unmatched, 0);
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		assert_true(res.order[order].max == 0);
}

/** A refill takes blocks that its request did not ask for; they are taken when they leave the free blocks, and not when they
 *  are handed out. */
static void
a_refill_is_taken_at_once(void **state)
{
	static const char text[] =
		"t 1 0 5000 0 M\n"
		"t 1 0 5001 0 M\n"
		"a 2 0 5000 0 3272 M\n"
		"s 3 2 0 0 0 0 0 0 0 0 0 0 0\n"
		"a 4 0 5001 0 3272 M\n"
		"s 5 2 0 0 0 0 0 0 0 0 0 0 0\n"
		"f 6 0 5000 0\n"
		"t 7 0 5000 0 M\n" /* so it was freed past the list */
		"s 8 2 0 0 0 0 0 0 0 0 0 0 0\n"
		"t 9 0 5400 0 U\n" /* a bulk allocation: it is never said to be served */
		"s 10 1 0 0 0 0 0 0 0 0 0 0 0\n"
		"f 11 0 5400 0\n"
		"d 12 0 5400 0 U\n"
		"s 13 2 0 0 0 0 0 0 0 0 0 0 0\n"
		"end 2 0 2 1 0 4 0 5 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "4 0 0 0 0 0 0 0 0 0 0", text, &res);
	assert_int_equal(res.allocs, 2);
	assert_int_equal(res.from_lists, 2);
	assert_int_equal(res.past_lists, 1);
	assert_int_equal(res.unseen + res.reused + res.not_taken + res.frees_unmatched, 0);
	assert_true(res.order[0].max == 0);
}

/** min is 16, so an atomic request is refused at 16 * 3/8 = 6 free frames or fewer. Its gate stands before its refill, and
 *  before what lies in lists. */
static void
the_gate_stands_before_the_refill(void **state)
{
	static const char text[] =
		"t 1 0 5000 0 U\n"
		"t 1 0 5002 0 U\n"
		"t 1 0 5004 0 U\n"
		"a 2 0 5000 0 2080 U\n" /* 7 were free: no refusal, by nobody */
		"r 3 0 0 2080 U\n"      /* 4 are: refused by both */
		"a 4 0 5002 0 2080 U\n" /* out of the list, which does not help */
		"f 5 0 5000 0\n"
		"d 6 0 5000 0 U\n"
		"f 7 0 5002 0\n"
		"d 8 0 5002 0 U\n"
		"d 9 0 5004 0 U\n"
		"r 10 0 0 2080 U\n" /* 7 again: the kernel alone refuses */
		"end 2 2 2 3 0 3 0 0 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "7 0 0 0 0 0 0 0 0 0 0", text, &res);
	assert_int_equal(res.actual, 2);
	assert_int_equal(res.predicted, 2);
	assert_int_equal(res.both, 1);
	assert_int_equal(res.atomic[0].actual, 2);
	assert_int_equal(res.atomic[0].predicted, 2);
	assert_int_equal(res.atomic[0].both, 1);
	assert_int_equal(res.atomic[1].actual + res.atomic[1].predicted, 0);
	assert_int_equal(res.allocs, 2);
	assert_int_equal(res.not_taken, 0);
}

/** What compaction took is held, and comes back as what was held before does. */
static void
compaction_takes_pages(void **state)
{
	static const char text[] = "s 0 0 0 0 2 0 0 0 0 0 0 0 0\n"
				   "c 1 0 4097 8192 8\n"
				   "s 2 0 0 0 1 0 0 0 0 0 0 0 0\n"
				   "c 3 0 4097 8192 8\n"
				   "s 4 0 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 5 0 5000 0\n"
				   "d 6 0 5000 0 M\n"
				   "s 7 1 0 0 0 0 0 0 0 0 0 0 0\n"
				   "end 0 0 1 1 0 0 2 4 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "0 0 0 2 0 0 0 0 0 0 0", text, &res);
	assert_true(res.pages.max == 0 && res.pages.still > 0);
	assert_int_equal(res.frees_before, 1);
	assert_int_equal(res.corrected + res.not_taken + res.frees_unmatched, 0);
	assert_int_equal(res.counts.events[LAB_TRACE_COMPACT], 2);
}

/** What no event tells of is seen at the next sample, and not at the one after it. */
static void
samples_correct_the_free_pages(void **state)
{
	static const char text[] = "s 0 4 0 0 0 0 0 0 0 0 0 0 0\n"
				   "s 1 7 0 0 0 0 0 0 0 0 0 0 0\n"
				   "s 2 7 0 0 0 0 0 0 0 0 0 0 0\n"
				   "s 3 2 0 0 0 0 0 0 0 0 0 0 0\n"
				   "s 4 2 0 0 0 0 0 0 0 0 0 0 0\n"
				   "end 0 0 0 0 0 0 0 5 0 0\n";
	struct lab_trace_options as_told = {.no_correction = true};
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "4 0 0 0 0 0 0 0 0 0 0", text, &res);
	assert_true(fabs(res.pages.mean - (3 + 5) / 5.0) < 1e-9);
	assert_true(res.pages.max == 5);
	assert_int_equal(res.corrected, 8);
	replay_so(&as_told, 0, "4 0 0 0 0 0 0 0 0 0 0", text, &res);
	assert_true(fabs(res.pages.mean - (3 + 3 + 2 + 2) / 5.0) < 1e-9);
	assert_int_equal(res.corrected, 0);
}

/** The kernel had a block where the emulated zone has single pages: one is made, of as many of them. */
static void
a_block_that_is_not_there_is_made(void **state)
{
	static const char text[] = "t 1 0 6000 3 U\n"
				   "a 1 0 6000 3 2080 U\n"
				   "s 2 4 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 3 0 6000 3\n"
				   "d 4 0 6000 3 U\n"
				   "s 5 4 0 0 1 0 0 0 0 0 0 0 0\n"
				   "end 1 0 1 1 0 1 0 2 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "12 0 0 0 0 0 0 0 0 0 0", text, &res);
	assert_int_equal(res.made, 1);
	assert_int_equal(res.not_taken + res.corrected, 0);
	assert_int_equal(res.allocs, 1);
	assert_true(res.pages.max == 0);
	/* and that it had none was a forecast of a refusal */
	assert_int_equal(res.atomic[3].predicted, 1);
	assert_int_equal(res.atomic[3].actual, 0);
}

/** A steal boosts the marks by a pageblock. They stay up while the kernel's do, and atomic requests of an order are held to
 *  3/8 of min + 512; then to 6 pages. */
static void
the_boost_lasts_as_long_as_the_kernels(void **state)
{
	static const char text[] =
		"t 1 0 6000 3 U\n"
		"a 1 0 6000 3 3264 U\n" /* 7 of 8 movable blocks are left: 56 pages */
		"r 2 0 3 2080 U\n"
		"s 3 0 0 0 7 0 0 0 0 0 0 0 512\n"
		"r 4 0 3 2080 U\n"
		"s 5 0 0 0 7 0 0 0 0 0 0 0 0\n"
		"r 6 0 3 2080 U\n"
		"end 1 3 0 0 0 1 0 2 0 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_listed(0, "0 0 0 8 0 0 0 0 0 0 0", text, &res);
	assert_true(res.pages.max == 0);
	assert_int_equal(res.atomic[3].actual, 3);
	assert_int_equal(res.atomic[3].both, 2);
	assert_int_equal(res.made, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_followed),
		cmocka_unit_test(a_listed_block_is_drained_in_parts),
		cmocka_unit_test(a_refill_is_taken_at_once),
		cmocka_unit_test(the_gate_stands_before_the_refill),
		cmocka_unit_test(compaction_takes_pages),
		cmocka_unit_test(samples_correct_the_free_pages),
		cmocka_unit_test(a_block_that_is_not_there_is_made),
		cmocka_unit_test(the_boost_lasts_as_long_as_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
