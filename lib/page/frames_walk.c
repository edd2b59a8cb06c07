/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "frames_tree.h"

#include <stdio.h>
#include <string.h>

unsigned int
frames_child_free(const struct frames *f, uint32_t child)
{
	uint64_t rows[CHILD_ROWS];
	unsigned int n = 0;

	frames_rows_load(f, child, rows);
	for (unsigned int i = 0; i < CHILD_ROWS; i++)
		n += (unsigned int)__builtin_popcountll(rows[i]);
	return n;
}

uint32_t
frames_nr_free(const struct frames *f)
{
	uint32_t n = 0;

	for (uint32_t child = 0; child < f->nr_children; child++)
		n += frames_child_free(f, child);
	return n;
}

void
frames_mend(struct frames *f)
{
	for (uint32_t child = 0; child < f->nr_children; child++)
		frames_freed(f, child);
}

bool
frames_count_child(const struct frames *f, uint32_t child, unsigned long (*blocks)[FRAMES_TYPES])
{
	unsigned int whole = 0, class = frames_child_class(f, child);
	uint64_t rows[CHILD_ROWS];

	frames_rows_load(f, child, rows);
	for (unsigned int i = 0; i < CHILD_ROWS; i++) {
		if (rows[i] == ROW_FULL) {
			whole |= 1U << i;
			continue;
		}
		for (unsigned int o = 0; o < ROW_ORDER; o++) {
			uint64_t all = starts(rows[i], o), larger = starts(rows[i], o + 1);

			blocks[o][class] += (unsigned int)__builtin_popcountll(
				all & ~(larger | larger << (1U << o)));
		}
	}
	if (whole == 0xff)
		return true;
	for (unsigned int o = ROW_ORDER, step = 1; o < FRAMES_CHILD_ORDER; o++, step *= 2)
		for (unsigned int i = 0; i < CHILD_ROWS; i += step) {
			unsigned int ones = ((1U << step) - 1) << i;
			unsigned int up = ((1U << 2 * step) - 1) << (i & ~(2 * step - 1));

			blocks[o][class] += (whole & ones) == ones && (whole & up) != up;
		}
	return false;
}

void
frames_count(const struct frames *f, unsigned long (*blocks)[FRAMES_TYPES])
{
	for (uint32_t c = 0; c < f->nr_children; c += 2) {
		bool first = frames_count_child(f, c, blocks);
		bool second = c + 1 < f->nr_children && frames_count_child(f, c + 1, blocks);

		if (first && second) {
			blocks[FRAMES_MAX_ORDER][frames_child_class(f, c)]++;
			continue;
		}
		if (first)
			blocks[FRAMES_CHILD_ORDER][frames_child_class(f, c)]++;
		if (second)
			blocks[FRAMES_CHILD_ORDER][frames_child_class(f, c + 1)]++;
	}
}

static bool
word_is_valid(const struct frames *f, unsigned int level, uint32_t index, char *why, size_t len)
{
	uint64_t w = level_of(f, level)[index];

	for (unsigned int s = 0; s < FANOUT; s++) {
		uint32_t below = index * FANOUT + s;
		uint32_t nr = (f->nr_children - 1) >> (FANOUT_LOG * level);
		unsigned int truth =
			below > nr   ? 0
			: level == 0 ? frames_child_fit(f, below)
				     : frames_word_value(level_of(f, level - 1)[below], level - 1);

		if (value_at(w, s) < truth) {
			snprintf(why, len, "level %u slot %u promises %u, but there is %u", level,
				below, value_at(w, s), truth);
			return false;
		}
	}
	return true;
}

bool
frames_is_valid(const struct frames *f, unsigned long nr_free, char *why, size_t len)
{
	uint32_t words = f->nr_children;
	unsigned long found = 0;

	for (uint32_t c = 0; c < f->nr_children; c++)
		found += frames_child_free(f, c);
	if (found != nr_free) {
		snprintf(why, len, "%lu frames are free, but %lu are counted", found, nr_free);
		return false;
	}
	for (unsigned int level = 0; level < f->nr_levels; level++) {
		words = (words + FANOUT - 1) >> FANOUT_LOG;
		for (uint32_t i = 0; i < words; i++)
			if (!word_is_valid(f, level, i, why, len))
				return false;
	}
	return frames_tags_are_valid(f, why, len);
}
