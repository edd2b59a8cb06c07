/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Replay of a trace that says where the free blocks lay: its frames are the emulated zone's. */
#include "frag_test.h"
#include "trace_fixture.h"

/** A zone that does not begin at a multiple of the largest block; min is 16 pages. @param pageblocks of highatomic */
static void
replay_so(const struct lab_trace_options *o, unsigned int highatomic, const char *free_highatomic,
	const char *events, struct lab_trace_result *res)
{
	static const char none[] = "0 0 0 0 0 0 0 0 0 0 0";
	char all[4096], err[160] = "";

	snprintf(all, sizeof(all),
		"labyrinth-trace 3\nkernel 6.1.0-37-amd64\nzone Normal\nnode 0\nstart 4608\n"
		"spanned 3584\nmanaged 3500\nmarks 16 20 24\nreserve 0 0 0 0\n"
		"pageblocks 0 6 0 %u 0 0\nfree U %s\nfree M %s\nfree E %s\nfree H %s\nfree C %s\n"
		"free I %s\ncpus 1\npcp 0 0 100 10\nevents\n%s",
		highatomic, none, none, none, free_highatomic ? free_highatomic : none, none, none,
		events);
	if (replay(all, o, res, err, sizeof(err)) != 0)
		fail_msg("%s", err);
}

static void
replay_named(const char *events, struct lab_trace_result *res)
{
	replay_so(NULL, 0, NULL, events, res);
	assert_true(res->named);
}

static void
assert_exact(const struct lab_trace_result *res)
{
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		if (res->order[order].max != 0)
			fail_msg("order %d is off by up to %g", order, res->order[order].max);
	assert_int_equal(res->corrected + res->not_taken, 0);
}

/** What comes back merges with the neighbours that it has, which a replay with places by chance cannot know. */
static void
frames_merge_where_they_lie(void **state)
{
	static const char text[] = "p 0 5000 0\n"
				   "p 0 6146 1\n"
				   "s 0 1 1 0 0 0 0 0 0 0 0 0 0\n"
				   "f 1 0 5001 0\n"
				   "d 2 0 5001 0 M\n"
				   "s 3 0 2 0 0 0 0 0 0 0 0 0 0\n"
				   "f 4 0 6144 0\n"
				   "f 4 0 6145 0\n"
				   "d 5 0 6145 0 M\n"
				   "s 6 1 2 0 0 0 0 0 0 0 0 0 0\n"
				   "d 7 0 6144 0 M\n"
				   "s 8 0 1 1 0 0 0 0 0 0 0 0 0\n"
				   "f 9 0 6148 0\n"
				   "d 9 0 6148 0 M\n" /* beside it, and no buddy */
				   "s 10 1 1 1 0 0 0 0 0 0 0 0 0\n"
				   "end 0 0 4 4 0 0 0 5 2 0\n";
	struct lab_trace_options by_chance = {.no_places = true};
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
	assert_int_equal(res.frees_before, 4);
	replay_so(&by_chance, 0, NULL, text, &res);
	assert_false(res.named);
}

/** The block around a frame that is taken falls apart as the kernel's does, and a block is drained in parts. */
static void
blocks_fall_apart_where_they_are_taken(void **state)
{
	static const char text[] = "p 0 7168 10\n"
				   "s 0 0 0 0 0 0 0 0 0 0 0 1 0\n"
				   "t 1 0 7509 0 M\n"
				   "a 1 0 7509 0 3272 M\n"
				   "s 2 1 1 1 1 1 1 1 1 1 1 0 0\n"
				   "t 3 0 7512 3 M\n"
				   "s 4 1 1 1 0 1 1 1 1 1 1 0 0\n"
				   "a 5 0 7512 3 3272 M\n"
				   "f 6 0 7512 3\n"
				   "d 7 0 7512 2 M\n"
				   "s 8 1 1 2 0 1 1 1 1 1 1 0 0\n"
				   "d 9 0 7516 2 M\n"
				   "s 10 1 1 1 1 1 1 1 1 1 1 0 0\n"
				   "f 11 0 7509 0\n"
				   "d 12 0 7509 0 M\n"
				   "s 13 0 0 0 0 0 0 0 0 0 0 1 0\n"
				   "t 14 0 7168 10 U\n"
				   "a 14 0 7168 10 2080 U\n"
				   "s 15 0 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 16 0 7168 9\n" /* no list takes a half of it at once */
				   "d 16 0 7168 9 U\n"
				   "s 17 0 0 0 0 0 0 0 0 0 1 0 0\n"
				   "f 18 0 7680 8\n"
				   "s 19 0 0 0 0 0 0 0 0 1 1 0 0\n"
				   "end 3 0 4 4 0 3 0 9 1 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
	assert_int_equal(res.allocs, 3);
	assert_int_equal(res.from_lists, 3);
	assert_int_equal(res.unseen + res.past_lists + res.reused + res.frees_unmatched, 0);
}

/** A frame that lay in a list and is taken from the free blocks was freed past the list; one that nobody took was taken. */
static void
the_trace_is_right(void **state)
{
	static const char text[] = "p 0 5000 2\n"
				   "s 0 0 0 1 0 0 0 0 0 0 0 0 0\n"
				   "t 1 0 5000 0 M\n"
				   "a 1 0 5000 0 3272 M\n"
				   "f 2 0 5000 0\n"
				   "t 3 0 5000 0 M\n"
				   "a 3 0 5000 0 3272 M\n"
				   "s 4 1 1 0 0 0 0 0 0 0 0 0 0\n"
				   "a 5 0 5001 0 3272 M\n"
				   "s 6 0 1 0 0 0 0 0 0 0 0 0 0\n"
				   "f 7 0 5002 1\n" /* free, as far as the zone knows */
				   "s 8 0 0 0 0 0 0 0 0 0 0 0 0\n"
				   "end 3 0 2 0 0 2 0 4 1 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
	assert_int_equal(res.past_lists, 1);
	assert_int_equal(res.unseen, 1);
	assert_int_equal(res.from_lists, 2);
}

/** The scanner takes the free blocks of a range from below, until it has enough; held frames are passed over. */
static void
compaction_scans_its_range(void **state)
{
	static const char text[] = "p 0 5120 0\n"
				   "p 0 5124 2\n"
				   "p 0 5136 4\n"
				   "s 0 1 0 1 0 1 0 0 0 0 0 0 0\n"
				   "c 1 0 5120 5632 5\n"
				   "s 2 0 0 0 0 1 0 0 0 0 0 0 0\n"
				   "f 3 0 5120 0\n"
				   "d 3 0 5120 0 M\n"
				   "s 4 1 0 0 0 1 0 0 0 0 0 0 0\n"
				   "end 0 0 1 1 0 0 1 3 3 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
	assert_int_equal(res.frees_unmatched, 0);
}

/** Of a wide range the highest blocks are a guess. One that was wrong is known once others prove to be held. */
static void
a_wrong_guess_is_taken_back(void **state)
{
	static const char text[] = "p 0 5000 0\n"
				   "p 0 7000 0\n"
				   "s 0 2 0 0 0 0 0 0 0 0 0 0 0\n"
				   "c 1 0 4608 8192 1\n" /* 7000 is guessed */
				   "s 2 1 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 3 0 5000 0\n" /* but it was this one */
				   "f 3 0 7001 0\n"
				   "d 4 0 7001 0 M\n"
				   "s 5 0 1 0 0 0 0 0 0 0 0 0 0\n"
				   "end 0 0 2 1 0 0 1 3 2 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
}

/** What no event tells shows in a sample: frames that were freed past a list. */
static void
samples_correct_by_what_was_freed(void **state)
{
	static const char text[] = "p 0 5000 0\n"
				   "s 0 1 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 1 0 5001 0\n"
				   "s 2 0 1 0 0 0 0 0 0 0 0 0 0\n" /* past the list */
				   "s 3 0 1 0 0 0 0 0 0 0 0 0 0\n"
				   "end 0 0 1 0 0 0 0 3 1 0\n";
	struct lab_trace_options as_told = {.no_correction = true};
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_int_equal(res.corrected, 1);
	assert_true(res.pages.max == 1);
	assert_true(res.order[1].max == 1 && res.order[1].mean * 3 == 1);
	replay_so(&as_told, 0, NULL, text, &res);
	assert_int_equal(res.corrected, 0);
	assert_true(res.order[1].mean * 3 == 2);
}

/** Of several it is what was freed first since the last sample, the whole block of it. */
static void
what_was_freed_first_went_past_its_list(void **state)
{
	static const char text[] = "p 0 5000 0\n"
				   "s 0 1 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 1 0 5003 0\n" /* lies in its list: this sample agrees */
				   "s 2 1 0 0 0 0 0 0 0 0 0 0 0\n"
				   "f 3 0 5001 0\n"
				   "f 4 0 6000 0\n"
				   "s 5 0 1 0 0 0 0 0 0 0 0 0 0\n"
				   "s 6 0 1 0 0 0 0 0 0 0 0 0 0\n"
				   "f 7 0 6144 3\n"
				   "f 8 0 6200 0\n"
				   "s 9 0 1 0 1 0 0 0 0 0 0 0 0\n"
				   "s 10 0 1 0 1 0 0 0 0 0 0 0 0\n"
				   "end 0 0 5 0 0 0 0 6 1 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_int_equal(res.corrected, 1 + 8);
	/* off in the samples that tell of it alone: 1 in 0 and in 1, and the block of order 3 */
	assert_true(res.order[0].mean * 6 == 1 && res.order[1].mean * 6 == 1);
	assert_true(res.order[2].max == 0 && res.order[3].mean * 6 == 1);
}

/** Memory that is plugged in comes in large blocks. */
static void
much_is_corrected_in_large_blocks(void **state)
{
	static const char text[] = "p 0 5000 0\n"
				   "s 0 1 0 0 0 0 0 0 0 0 0 0 0\n"
				   "s 1 1 0 0 0 0 0 0 0 0 0 1 0\n"
				   "s 2 1 0 0 0 0 0 0 0 0 0 1 0\n"
				   "end 0 0 0 0 0 0 0 3 1 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_int_equal(res.corrected, 1024);
	assert_true(res.order[10].mean * 3 == 1);
	assert_true(res.order[0].max == 0 && res.order[9].max == 0);
}

/** The fast way of compaction takes a whole block off the end of a list, wherever it lies. A taking shows that it was another one. */
static void
compaction_takes_whole_blocks(void **state)
{
	static const char text[] = "p 0 5008 3\n"
				   "p 0 7000 0\n"
				   "p 0 7004 2\n"
				   "p 0 7016 1\n"
				   "s 0 1 1 1 1 0 0 0 0 0 0 0 0\n"
				   "c 1 0 4608 8192 8\n"
				   "s 2 1 1 1 0 0 0 0 0 0 0 0 0\n"
				   "t 3 0 5012 0 M\n"
				   "s 4 1 1 1 0 0 0 0 0 0 0 0 0\n"
				   "end 0 0 0 0 0 1 1 3 4 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
	assert_int_equal(res.made, 1);
}

/** An atomic block of a higher order, served below the low mark (20), sets its pageblock aside, as far as a zone of that size may. */
static void
atomic_blocks_set_pageblocks_aside(void **state)
{
	static const char text[] = "p 0 6144 4\n"
				   "p 0 6656 1\n"
				   "p 0 7168 3\n"
				   "r 1 0 0 3264 U\n" /* 26 pages */
				   "t 2 0 7168 3 U\n"
				   "a 2 0 7168 3 2080 U\n" /* from there on 18 */
				   "t 3 0 6656 1 U\n"
				   "a 3 0 6656 1 2080 U\n" /* 16, and 512 are kept */
				   "r 4 0 0 2080 U\n"
				   "f 5 0 4608 9\n"
				   "d 5 0 4608 9 M\n"
				   "r 6 0 0 3264 U\n" /* 528 less 512 */
				   "end 2 3 1 1 0 2 0 0 3 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_int_equal(res.other_actual, 2);
	assert_int_equal(res.other_predicted, 1);
	assert_int_equal(res.actual, 1);
	assert_int_equal(res.predicted, 0);
}

/** A pageblock that is wholly free and taken for highatomic lies apart from its buddy. And who holds a block over two pageblocks
 *  can be served a part of it, which is set aside. */
static void
types_part_buddies(void **state)
{
	static const char apart[] = "p 0 5120 9\n"
				    "p 0 5632 9\n"
				    "s 0 0 0 0 0 0 0 0 0 0 2 0 0\n"
				    "t 1 0 5120 0 I\n"
				    "t 2 0 5632 0 C\n"
				    "s 3 2 2 2 2 2 2 2 2 2 0 0 0\n"
				    "end 0 0 0 0 0 2 0 2 2 0\n";
	static const char over_two[] = "p 0 4608 5\n"
				       "p 0 6144 10\n"
				       "t 1 0 6144 10 M\n"
				       "s 2 0 0 0 0 0 1 0 0 0 0 0 0\n"
				       "r 2 0 0 3264 U\n" /* 32 pages, and low is 20 */
				       "t 3 0 4624 4 U\n"
				       "a 3 0 4624 4 3264 U\n" /* 16 pages */
				       "a 3 0 6144 3 2080 U\n"
				       "a 4 0 6144 10 2080 U\n"
				       "f 5 0 4624 4\n"
				       "r 5 0 0 3264 U\n" /* 32 less 512 */
				       "f 6 0 6144 10\n"
				       "end 3 2 2 0 0 2 0 1 2 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_so(NULL, 1, "0 0 0 0 0 0 0 0 0 1 0", apart, &res);
	assert_true(res.named);
	assert_exact(&res);
	replay_named(over_two, &res);
	assert_exact(&res);
	assert_int_equal(res.other_predicted, 1);
}

/** A steal of a part of a pageblock raises the marks at once, and the samples say what they are. */
static void
the_boost_is_the_traces(void **state)
{
	static const char text[] = "p 0 6144 6\n" /* 64 pages */
				   "r 1 0 3 2080 U\n"
				   "x 2 0 6144 9 U\n" /* of a whole one it does not */
				   "r 2 0 3 2080 U\n"
				   "x 2 0 6144 6 U\n"
				   "t 2 0 6144 0 U\n"
				   "r 3 0 3 2080 U\n"
				   "s 4 1 1 1 1 1 1 0 0 0 0 0 0\n"
				   "r 5 0 3 2080 U\n"
				   "s 6 1 1 1 1 1 1 0 0 0 0 0 512\n"
				   "r 7 0 3 2080 U\n"
				   "end 0 5 0 0 2 1 0 2 1 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_named(text, &res);
	assert_exact(&res);
	assert_int_equal(res.atomic[3].actual, 5);
	assert_int_equal(res.atomic[3].both, 2); /* of 3 and 7 */
}

/** The pageblock whose free blocks are the recorded highatomic ones is taken for it: who is not atomic has none of it. */
static void
highatomic_is_where_it_looks_like_it(void **state)
{
	static const char text[] = "p 0 5000 0\n"
				   "p 0 5632 4\n"
				   "p 0 5664 3\n"
				   "p 0 6144 4\n"
				   "r 1 0 0 2080 U\n"
				   "r 2 0 0 3264 U\n" /* 41 pages, all of which are kept */
				   "t 3 0 6144 3 U\n"
				   "a 3 0 6144 3 3264 U\n"
				   "r 4 0 0 3264 U\n"
				   "t 5 0 5664 0 U\n" /* it was given up */
				   "a 5 0 5664 0 3264 U\n"
				   "r 6 0 0 3264 U\n" /* 32 pages, and low is 20 */
				   "end 2 4 0 0 0 2 0 0 4 0\n";
	struct lab_trace_result res;

	(void)state;
	replay_so(NULL, 1, "0 0 0 1 1 0 0 0 0 0 0", text, &res);
	assert_true(res.named);
	assert_int_equal(res.actual, 1);
	assert_int_equal(res.predicted, 0);
	assert_int_equal(res.other_actual, 3);
	assert_int_equal(res.other_predicted, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_merge_where_they_lie),
		cmocka_unit_test(blocks_fall_apart_where_they_are_taken),
		cmocka_unit_test(the_trace_is_right),
		cmocka_unit_test(compaction_scans_its_range),
		cmocka_unit_test(a_wrong_guess_is_taken_back),
		cmocka_unit_test(samples_correct_by_what_was_freed),
		cmocka_unit_test(what_was_freed_first_went_past_its_list),
		cmocka_unit_test(much_is_corrected_in_large_blocks),
		cmocka_unit_test(compaction_takes_whole_blocks),
		cmocka_unit_test(atomic_blocks_set_pageblocks_aside),
		cmocka_unit_test(types_part_buddies),
		cmocka_unit_test(the_boost_is_the_traces),
		cmocka_unit_test(highatomic_is_where_it_looks_like_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
