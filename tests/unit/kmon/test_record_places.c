/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Where the free blocks lie: read from a file like /proc/kpageflags, brought forward by events, told as blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab_base.h"
#include "record_places.h"

#define BUDDY (UINT64_C(1) << 10)
#define OTHER (UINT64_C(1) << 5) /* on the LRU */

/* A zone that begins and ends within a chunk: three chunks, the middle one whole. */
#define START   (RECORD_CHUNK - 96)
#define SPANNED (RECORD_CHUNK + 200)
#define END     (START + SPANNED)

struct range {
	unsigned long from, end;
};

struct block {
	unsigned long pfn;
	unsigned int order;
};

/** A file of flags, in which these frames are free. Those beside the span are, too: they are another zone's. */
static int
flags_of(const struct range *range, size_t nr, unsigned long frames)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	for (unsigned long pfn = 0; pfn < frames; pfn++) {
		uint64_t flags = pfn < START || pfn >= END ? BUDDY : OTHER;

		for (size_t i = 0; i < nr; i++)
			if (pfn >= range[i].from && pfn < range[i].end)
				flags = BUDDY | OTHER << 10;
		assert_int_equal(fwrite(&flags, sizeof(flags), 1, f), 1);
	}
	fflush(f);
	fd = dup(fileno(f));
	fclose(f);
	return fd;
}

/** The zone with these frames free; its chunks are read at 100, 200 and 300. */
static void
read_zone(struct record_places *p, const struct range *range, size_t nr, unsigned long frames)
{
	int fd = flags_of(range, nr, frames);

	assert_int_equal(record_places_init(p, START, SPANNED), 0);
	assert_int_equal(record_places_read(p, fd, 100), 1);
	assert_int_equal(record_places_read(p, fd, 200), 1);
	assert_int_equal(record_places_read(p, fd, 300), 1);
	assert_int_equal(record_places_read(p, fd, 400), 0);
	close(fd);
}

static void
check_blocks(const struct record_places *p, const struct block *expected, size_t nr)
{
	unsigned long at = 0, pfn;
	unsigned int order;
	size_t n = 0;

	for (; record_places_next(p, at, &pfn, &order); n++) {
		assert_true(n < nr);
		if (pfn != expected[n].pfn || order != expected[n].order)
			fail_msg("block %zu is %lu of order %u, not %lu of order %u", n, pfn, order,
				expected[n].pfn, expected[n].order);
		at = pfn + (1UL << order);
	}
	assert_int_equal(n, nr);
}

static void
frames_become_the_largest_blocks(void **state)
{
	static const struct range free_frames[] = {
		{START, START + 1},         /* the first frame of the span */
		{4003, 4013},               /* neither end is aligned */
		{4096, 4096 + 3072},        /* three of the largest, not one larger */
		{7296, 7360}, {7424, 7488}, /* each aligned, but not side by side */
		{END - 3, END},             /* up to the span's last frame */
	};
	static const struct block blocks[] = {{START, 0}, {4003, 0}, {4004, 2}, {4008, 2},
		{4012, 0}, {4096, 10}, {5120, 10}, {6144, 10}, {7296, 6}, {7424, 6}, {END - 3, 0},
		{END - 2, 1}};
	struct record_places p;

	(void)state;
	read_zone(&p, free_frames, LAB_ARRAY_SIZE(free_frames), END + 100);
	check_blocks(&p, blocks, LAB_ARRAY_SIZE(blocks));
	record_places_fini(&p);
}

static void
nothing_or_all_may_be_free(void **state)
{
	static const struct range all[] = {{START, END}};
	static const struct block blocks[] = {{START, 5}, {START + 32, 6}, {4096, 10}, {5120, 10},
		{6144, 10}, {7168, 10}, {8192, 6}, {8256, 5}, {8288, 3}};
	struct record_places p;

	(void)state;
	read_zone(&p, NULL, 0, END);
	check_blocks(&p, NULL, 0);
	record_places_fini(&p);
	read_zone(&p, all, 1, END);
	check_blocks(&p, blocks, LAB_ARRAY_SIZE(blocks));
	record_places_fini(&p);
}

static void
what_lies_behind_the_files_end_is_not_free(void **state)
{
	static const struct range all[] = {{START, END}};
	static const struct block blocks[] = {{START, 5}, {START + 32, 6}, {4096, 3}};
	struct record_places p;

	(void)state;
	read_zone(&p, all, 1, 4104);
	check_blocks(&p, blocks, LAB_ARRAY_SIZE(blocks));
	record_places_fini(&p);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct record_places p;

	(void)state;
	assert_int_equal(record_places_init(&p, 0, 0), -EINVAL);
	assert_int_equal(record_places_init(&p, 0, LAB_TRACE_MAX_FRAMES), -EINVAL);
	record_places_fini(&p);
	assert_int_equal(record_places_init(&p, START, SPANNED), 0);
	assert_int_equal(record_places_read(&p, -1, 100), -EBADF);
	record_places_fini(&p);
	record_places_fini(&p);
}

static void
apply(struct record_places *p, enum lab_trace_type type, unsigned long pfn, unsigned int order,
	uint64_t ns)
{
	struct lab_trace_event e = {.type = type, .pfn = pfn, .order = order};

	record_places_apply(p, &e, ns);
}

/** The middle chunk was read at 200. */
static void
later_events_bring_places_forward(void **state)
{
	static const struct range free_frames[] = {{4096, 4112}};
	static const struct block taken[] = {{4096, 2}, {4104, 3}};
	static const struct block given[] = {{4096, 2}, {4104, 3}, {4112, 1}, {4128, 4}};
	static const struct block merged[] = {{4096, 4}, {4112, 1}, {4128, 4}};
	struct record_places p;

	(void)state;
	read_zone(&p, free_frames, 1, END);
	apply(&p, LAB_TRACE_TAKE, 4096, 3, 199); /* the reading has seen it */
	apply(&p, LAB_TRACE_TAKE, 4100, 2, 200);
	check_blocks(&p, taken, LAB_ARRAY_SIZE(taken));
	apply(&p, LAB_TRACE_DRAIN, 4112, 1, 201);
	apply(&p, LAB_TRACE_FREE, 4128, 4, 202); /* no list takes this order */
	apply(&p, LAB_TRACE_FREE, 4192, 3, 203); /* but this one, and the next */
	apply(&p, LAB_TRACE_FREE, 4608, 9, 203);
	check_blocks(&p, given, LAB_ARRAY_SIZE(given));
	apply(&p, LAB_TRACE_DRAIN, 4100, 2, 204); /* meets its buddies again */
	check_blocks(&p, merged, LAB_ARRAY_SIZE(merged));
	record_places_fini(&p);
}

static void
each_chunk_has_its_own_time(void **state)
{
	static const struct block blocks[] = {{START, 5}, {8192, 3}};
	struct record_places p;

	(void)state;
	read_zone(&p, NULL, 0, END);
	apply(&p, LAB_TRACE_DRAIN, START, 5, 150); /* read at 100 */
	apply(&p, LAB_TRACE_DRAIN, 4096, 0, 150);  /* at 200 */
	apply(&p, LAB_TRACE_DRAIN, 8192, 3, 300);
	check_blocks(&p, blocks, LAB_ARRAY_SIZE(blocks));
	record_places_fini(&p);
}

static void
a_chunk_that_is_not_read_yet_is_left_alone(void **state)
{
	int fd = flags_of(NULL, 0, END);
	static const struct block blocks[] = {{START, 0}};
	struct record_places p;

	(void)state;
	assert_int_equal(record_places_init(&p, START, SPANNED), 0);
	assert_int_equal(record_places_read(&p, fd, 100), 1);
	apply(&p, LAB_TRACE_DRAIN, START, 0, 110);
	apply(&p, LAB_TRACE_DRAIN, 5120, 10, 110); /* taken again before its chunk is read */
	assert_int_equal(record_places_read(&p, fd, 200), 1);
	check_blocks(&p, blocks, 1);
	record_places_fini(&p);
	close(fd);
}

/** What a reading saw of its own time is done again, and ends the same. */
static void
events_of_the_readings_time_may_be_done_again(void **state)
{
	static const struct range free_frames[] = {{4096, 4100}};
	static const struct block blocks[] = {{4096, 2}};
	struct record_places p;

	(void)state;
	read_zone(&p, free_frames, 1, END);
	apply(&p, LAB_TRACE_DRAIN, 4096, 2, 200);
	apply(&p, LAB_TRACE_TAKE, 4096, 2, 201);
	apply(&p, LAB_TRACE_DRAIN, 4096, 1, 202);
	apply(&p, LAB_TRACE_DRAIN, 4098, 1, 203);
	check_blocks(&p, blocks, 1);
	record_places_fini(&p);
}

static void
other_events_tell_of_no_place(void **state)
{
	static const enum lab_trace_type types[] = {
		LAB_TRACE_ALLOC, LAB_TRACE_STEAL, LAB_TRACE_COMPACT};
	static const struct range free_frames[] = {{5120, 6144}};
	static const struct block blocks[] = {{5120, 10}};
	struct record_places p;

	(void)state;
	read_zone(&p, free_frames, 1, END);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(types); i++)
		apply(&p, types[i], 5120, 3, 500);
	apply(&p, LAB_TRACE_REFUSE, 0, 3, 500); /* has no frame at all */
	check_blocks(&p, blocks, 1);
	record_places_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_become_the_largest_blocks),
		cmocka_unit_test(nothing_or_all_may_be_free),
		cmocka_unit_test(what_lies_behind_the_files_end_is_not_free),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(later_events_bring_places_forward),
		cmocka_unit_test(each_chunk_has_its_own_time),
		cmocka_unit_test(a_chunk_that_is_not_read_yet_is_left_alone),
		cmocka_unit_test(events_of_the_readings_time_may_be_done_again),
		cmocka_unit_test(other_events_tell_of_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
