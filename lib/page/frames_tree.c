/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "frames_tree.h"

#include <string.h>

_Thread_local unsigned long frames_steps;

/* ------------------------------------------------------------------ layout */

static size_t
line_up(size_t n)
{
	return (n + LAB_CACHE_LINE - 1) & ~(size_t)(LAB_CACHE_LINE - 1);
}

static size_t
layout(struct frames *f, uint32_t nr_frames)
{
	uint32_t words;
	size_t off = line_up(sizeof(*f));

	memset(f, 0, sizeof(*f));
	f->nr_frames = nr_frames;
	f->nr_children = (nr_frames + FRAMES_CHILD - 1) >> FRAMES_CHILD_ORDER;
	f->rows_off = off;
	off += (size_t)f->nr_children * CHILD_ROWS * sizeof(word_t);
	words = f->nr_children;
	do {
		words = (words + FANOUT - 1) >> FANOUT_LOG;
		f->level_off[f->nr_levels++] = off;
		off += line_up(words * sizeof(word_t));
	} while (words > 1);
	f->class_words = (f->nr_children + 63) / 64;
	f->map_off = off;
	off += (size_t)FRAMES_CLASSES * f->class_words * sizeof(word_t);
	f->class_off = off;
	off = line_up(off + f->nr_children);
	f->tags_off = off;
	off += (size_t)f->nr_children * CHILD_ROWS * sizeof(word_t);
	f->tag_map_off = off;
	return line_up(off + f->class_words * sizeof(word_t));
}

size_t
frames_size(uint32_t nr_frames)
{
	struct frames f;

	return layout(&f, nr_frames);
}

void
frames_init(struct frames *f, uint32_t nr_frames, bool zeroed)
{
	if (!zeroed)
		memset((void *)f, 0, frames_size(nr_frames));
	layout(f, nr_frames);
}

/* ---------------------------------------------------------------- one child */

/** next_starts() of all rows. @return are there any? */
static inline bool
rows_next(uint64_t rows[CHILD_ROWS], unsigned int order)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < CHILD_ROWS; i++) {
		rows[i] = next_starts(rows[i], order);
		any |= rows[i];
	}
	return any != 0;
}

/** 1 + the order of the largest free block of a child, given its rows: order by order in all of them at once,
 *  for what is used has no large ones. */
static unsigned int
rows_fit(uint64_t rows[CHILD_ROWS])
{
	unsigned int whole = 0;
	uint64_t any = 0;

	for (unsigned int i = 0; i < CHILD_ROWS; i++)
		any |= rows[i];
	if (any == 0)
		return 0;
	for (unsigned int order = 0; order < ROW_ORDER; order++)
		if (!rows_next(rows, order))
			return order + 1;
	for (unsigned int i = 0; i < CHILD_ROWS; i++)
		whole |= (unsigned int)(rows[i] != 0) << i;
	if (whole == 0xff)
		return WHOLE;
	if ((whole & 0x0f) == 0x0f || (whole & 0xf0) == 0xf0)
		return 9;
	return whole & (whole >> 1) & 0x55 ? 8 : 7;
}

void
frames_rows_load(const struct frames *f, uint32_t child, uint64_t rows[CHILD_ROWS])
{
	const word_t *r = row_of(f, child);

	for (unsigned int i = 0; i < CHILD_ROWS; i++)
		rows[i] = load(&r[i]);
}

unsigned int
frames_child_fit(const struct frames *f, uint32_t child)
{
	uint64_t rows[CHILD_ROWS];

	frames_rows_load(f, child, rows);
	return rows_fit(rows);
}

/* ---------------------------------------------------------------- the tree */

unsigned int
frames_word_value(uint64_t w, unsigned int level)
{
	unsigned int max = 0;

	for (unsigned int s = 0; s < FANOUT; s++) {
		unsigned int v = value_at(w, s);

		max = v > max ? v : max;
	}
	if (level == 0 && max == WHOLE)
		for (unsigned int s = 0; s < FANOUT; s += 2)
			if (value_at(w, s) == WHOLE && value_at(w, s + 1) == WHOLE)
				return PAIR;
	return max;
}

/** Swap a child's value up to `value`, counting the version. @return the word; after SWAPS lost races in
 *  a row the slot promises anything, which two steps that cannot be lost make so: searches mend it. */
static uint64_t
raise_slot(word_t *w, unsigned int slot, unsigned int value)
{
	uint64_t old = load(w), new;

	for (unsigned int i = 0; i < SWAPS; i++) {
		unsigned int now = value_at(old, slot);

		new = with_value(old, slot, now > value ? now : value) + VERSION;
		if (swap(w, &old, new))
			return new;
	}
	/* the version first: a lowering that read before it fails, one that reads after sees the frames */
	atomic_fetch_add(w, VERSION);
	return atomic_fetch_or(w, (uint64_t)ANYTHING << (slot * 4)) | (uint64_t)ANYTHING
									      << (slot * 4);
}

void
frames_raise(struct frames *f, uint32_t child)
{
	unsigned int value = frames_child_fit(f, child);
	uint32_t index = child;

	for (unsigned int level = 0; level < f->nr_levels; level++) {
		uint64_t w = raise_slot(
			&level_of(f, level)[index >> FANOUT_LOG], index & (FANOUT - 1), value);

		value = frames_word_value(w, level);
		index >>= FANOUT_LOG;
	}
}

/** @return true if the slot's value was lowered, false if it is right or left to others to mend. */
static bool
lower_slot(struct frames *f, uint32_t index, unsigned int level)
{
	word_t *w = &level_of(f, level)[index >> FANOUT_LOG];
	unsigned int slot = index & (FANOUT - 1);
	uint64_t old = load(w);

	for (unsigned int i = 0; i < SWAPS; i++) {
		/* read after the version: a free that this misses makes the swap fail */
		unsigned int truth =
			level == 0 ? frames_child_fit(f, index)
				   : frames_word_value(
					     load(&level_of(f, level - 1)[index]), level - 1);

		if (value_at(old, slot) <= truth)
			return false;
		if (swap(w, &old, with_value(old, slot, truth)))
			return true;
	}
	return false;
}

void
frames_lower(struct frames *f, uint32_t index, unsigned int level)
{
	for (; level < f->nr_levels && lower_slot(f, index, level); level++)
		index >>= FANOUT_LOG;
}

/** The slot with the least sufficient value, FANOUT if there is none. */
static unsigned int
best_slot(uint64_t w, unsigned int want)
{
	unsigned int best = FANOUT, least = 16;

	for (unsigned int s = 0; s < FANOUT; s++) {
		unsigned int v = value_at(w, s);

		if (v >= want && v < least) {
			least = v;
			best = s;
		}
	}
	return best;
}

static unsigned int
best_pair(uint64_t w)
{
	for (unsigned int s = 0; s < FANOUT; s += 2)
		if (value_at(w, s) >= WHOLE && value_at(w, s + 1) >= WHOLE)
			return s;
	return FANOUT;
}

/** From the root down. @return a child; FRAMES_NONE if the root promises none; FRAMES_LOST if a word on
 *  the way had promised more than there was, which is mended then. */
static uint32_t
descend(struct frames *f, unsigned int want)
{
	uint32_t index = 0;

	for (unsigned int level = f->nr_levels; level-- > 0;) {
		uint64_t w = load(&level_of(f, level)[index]);
		unsigned int slot = level == 0 && want == PAIR ? best_pair(w) : best_slot(w, want);

		if (slot == FANOUT) {
			if (level == f->nr_levels - 1)
				return FRAMES_NONE;
			frames_lower(f, index, level + 1);
			return FRAMES_LOST;
		}
		index = (index << FANOUT_LOG) + slot;
	}
	return index;
}

uint32_t
frames_search(struct frames *f, unsigned int want, unsigned int *races)
{
	uint32_t child;

	do
		child = descend(f, want);
	while (child == FRAMES_LOST && !frames_race_lost(races));
	return child;
}
