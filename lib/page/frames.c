/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "frames_tree.h"

#include <errno.h>
#include <string.h>

/* ---------------------------------------------------------- one child */

/** Take a block of order <= ROW_ORDER from the row that it spoils least. @return first frame;
 *  FRAMES_LOST. */
static uint32_t
take_in_row(struct frames *f, uint32_t child, unsigned int order, unsigned int *races)
{
	word_t *r = row_of(f, child);

	for (;;) {
		unsigned int best = CHILD_ROWS, least = 16, at;
		uint64_t rows[CHILD_ROWS];

		frames_rows_load(f, child, rows);
		for (unsigned int i = 0; i < CHILD_ROWS; i++) {
			unsigned int fit = row_fit(rows[i]);

			if (fit > order && fit < least) {
				least = fit;
				best = i;
			}
		}
		if (best == CHILD_ROWS)
			return FRAMES_NONE;
		at = best_start(rows[best], order);
		if (swap(&r[best], &rows[best], rows[best] & ~block_mask(at, order)))
			return child * FRAMES_CHILD + best * ROW_FRAMES + at;
		if (frames_race_lost(races))
			return FRAMES_LOST;
	}
}

/** Take whole rows [first, first + n): all or, after giving back what was got, none. */
static bool
take_rows(struct frames *f, uint32_t child, unsigned int first, unsigned int n)
{
	word_t *r = row_of(f, child);
	unsigned int got = 0;

	for (; got < n; got++) {
		uint64_t full = ROW_FULL;

		if (!swap(&r[first + got], &full, 0))
			break;
	}
	if (got == n)
		return true;
	if (got > 0) {
		for (unsigned int i = 0; i < got; i++)
			atomic_store(&r[first + i], ROW_FULL);
		frames_raise(f, child);
	}
	return false;
}

static uint32_t
take_in_child(struct frames *f, uint32_t child, unsigned int order, unsigned int *races)
{
	unsigned int n;

	if (order <= ROW_ORDER)
		return take_in_row(f, child, order, races);
	n = 1U << (order - ROW_ORDER);
	for (unsigned int first = 0; first < CHILD_ROWS; first += n)
		if (take_rows(f, child, first, n))
			return child * FRAMES_CHILD + first * ROW_FRAMES;
	return FRAMES_NONE;
}

static uint32_t
take_pair(struct frames *f, uint32_t child)
{
	if (child + 1 >= f->nr_children || !take_rows(f, child, 0, CHILD_ROWS))
		return FRAMES_NONE;
	if (take_rows(f, child + 1, 0, CHILD_ROWS)) {
		frames_lower(f, child + 1, 0);
		return child * FRAMES_CHILD;
	}
	for (unsigned int i = 0; i < CHILD_ROWS; i++)
		atomic_store(&row_of(f, child)[i], ROW_FULL);
	frames_raise(f, child);
	return FRAMES_NONE;
}

/* ------------------------------------------------------------- classes */

/** Mark or unmark a child in a class's map. The map is a hint: what it misses, the tree finds. */
static void
map_set(struct frames *f, unsigned int class, uint32_t child, bool on)
{
	word_t *w = &map_of(f, class)[child / 64];
	uint64_t bit = 1ULL << (child % 64);

	if (!!(atomic_load_explicit(w, memory_order_relaxed) & bit) == on)
		return;
	STEP();
	if (on)
		atomic_fetch_or_explicit(w, bit, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(w, ~bit, memory_order_relaxed);
}

static inline unsigned int
promise(const struct frames *f, uint32_t child)
{
	return value_at(load(&level_of(f, 0)[child >> FANOUT_LOG]), child & (FANOUT - 1));
}

bool
frames_promises(const struct frames *f, uint32_t child, unsigned int want)
{
	return promise(f, child) >= want;
}

/** Children whose frames a search of a class counts, and ones that it takes out of the class's map. */
#define COUNTED 8U
#define CLEARED 8U

/** Which child: the one that breaks the least large block, and of such ones the fullest, leaves most
 *  whole; the emptiest takes in most of what follows. */
enum which { TIGHTEST, EMPTIEST };

struct best {
	uint32_t child;
	unsigned int value, want;
	unsigned int free; /* its frames, 0 while they were not counted */
	unsigned int counted, cleared;
	enum which which;
};

/** Is a child that promises `value` better than the best so far? */
static void
compare(const struct frames *f, struct best *b, uint32_t child, unsigned int value)
{
	unsigned int nr;

	if (b->child == FRAMES_NONE ||
		(b->which == TIGHTEST ? value < b->value : value > b->value)) {
		b->child = child;
		b->value = value;
		b->free = 0;
		return;
	}
	if (value != b->value || b->counted >= COUNTED || child == b->child)
		return;
	if (b->free == 0) {
		b->free = frames_child_free(f, b->child);
		b->counted++;
	}
	nr = frames_child_free(f, child);
	b->counted++;
	if (b->which == TIGHTEST ? nr < b->free : nr > b->free) {
		b->child = child;
		b->free = nr;
	}
}

/** No better one can come. */
static bool
is_found(const struct best *b)
{
	return b->which == TIGHTEST && b->value == b->want;
}

/** Compare those of eight children of the class whose bits are set; what is full or whole leaves the map. */
static void
look_at(struct frames *f, struct best *b, unsigned int class, uint32_t first, uint64_t bits)
{
	uint64_t word = load(&level_of(f, 0)[first >> FANOUT_LOG]);

	for (; bits != 0; bits &= bits - 1) {
		unsigned int slot = (unsigned int)__builtin_ctzll(bits);
		unsigned int value = value_at(word, slot);

		if (value != 0 && value != WHOLE) {
			if (value >= b->want)
				compare(f, b, first + slot, value);
		} else if (b->cleared < CLEARED) {
			map_set(f, class, first + slot, false);
			b->cleared++;
		}
	}
}

/** Those of the 64 children under a word of the class's map. */
static void
look_under(struct frames *f, struct best *b, unsigned int class, uint32_t word)
{
	uint64_t map = load(&map_of(f, class)[word]), tops = UINT32_MAX;

	/* a word of this level stands above as many children as one of the map */
	if (map != 0 && f->nr_levels > 1)
		tops = load(&level_of(f, 1)[word]);
	for (unsigned int i = 0; i < FANOUT && !is_found(b); i++) {
		uint64_t bits = map >> (i * FANOUT) & (ROW_FULL >> (64 - FANOUT));

		if (bits != 0 && value_at(tops, i) >= b->want)
			look_at(f, b, class, word * 64 + i * FANOUT, bits);
	}
}

/**
 * A child of the class, partly used, that promises `want`. Looks at a few words of the map only, from where
 * the last search ended that found none that fits exactly, so that each has its turn.
 */
static uint32_t
class_search(struct frames *f, unsigned int class, unsigned int want, struct frames_cursor *cur,
	enum which which)
{
	uint32_t word = atomic_load_explicit(&cur->word[class], memory_order_relaxed);
	uint32_t last = atomic_load_explicit(&cur->block[class], memory_order_relaxed) - 1;
	struct best b = {.child = FRAMES_NONE, .want = want, .which = which};

	word = word < f->class_words ? word : 0;
	if (last < f->nr_children && frames_child_class(f, last) == class)
		look_at(f, &b, class, last & ~(FANOUT - 1), 1ULL << (last & (FANOUT - 1)));
	for (unsigned int i = 0; i < CLASS_WORDS && i < f->class_words; i++) {
		look_under(f, &b, class, word);
		if (is_found(&b))
			return b.child;
		word = word + 1 == f->class_words ? 0 : word + 1;
	}
	atomic_store_explicit(&cur->word[class], word, memory_order_relaxed);
	return b.child;
}

/**
 * The child becomes the class's if it is free, as Linux claims a pageblock. What cannot be moved claims
 * also what holds movable blocks: the child cannot become whole by moving any more, so the next of the
 * kind shall rather come here than spoil another one.
 */
static void
claim(struct frames *f, uint32_t child, unsigned int class)
{
	_Atomic uint8_t *c = class_of(f, child);
	unsigned int was = atomic_load_explicit(c, memory_order_relaxed);

	if (was == class)
		return;
	if ((class != FRAMES_MOVABLE && was == FRAMES_MOVABLE) ||
		frames_child_free(f, child) == FRAMES_CHILD) {
		atomic_store_explicit(c, (uint8_t) class, memory_order_relaxed);
		map_set(f, was, child, false);
	}
}

void
frames_set_class(struct frames *f, uint32_t child, unsigned int class)
{
	unsigned int was = frames_child_class(f, child);

	atomic_store_explicit(class_of(f, child), (uint8_t) class, memory_order_relaxed);
	map_set(f, was, child, false);
	map_set(f, class, child, true);
}

/** A used child of another class: of movable blocks last, for they are what can be made whole. */
static uint32_t
other_class(struct frames *f, unsigned int want, unsigned int class, struct frames_cursor *cur)
{
	uint32_t child;

	for (unsigned int c = 0; c < FRAMES_CLASSES; c++) {
		if (c == class || c == FRAMES_MOVABLE)
			continue;
		child = class_search(f, c, want, cur, TIGHTEST);
		if (child != FRAMES_NONE)
			return child;
	}
	return class == FRAMES_MOVABLE ? FRAMES_NONE
				       : class_search(f, FRAMES_MOVABLE, want, cur, EMPTIEST);
}

/**
 * Where to take a block: the cursor's child, a used child of the class, an untouched child, a used child
 * of another class, any child. Once a race was lost, only what the tree says counts.
 */
static uint32_t
pick_child(struct frames *f, unsigned int want, unsigned int class, struct frames_cursor *cur,
	unsigned int *races)
{
	uint32_t child = atomic_load_explicit(&cur->child[class], memory_order_relaxed) - 1;

	if (want == PAIR)
		return frames_search(f, PAIR, races);
	if (*races == FRAMES_RACES) {
		if (child < f->nr_children && frames_child_class(f, child) == class) {
			unsigned int value = promise(f, child);

			if (want == 1 ? value >= want : value == want)
				return child;
		}
		child = class_search(f, class, want, cur, TIGHTEST);
		if (child == FRAMES_NONE)
			child = frames_search(f, WHOLE, races);
		if (child == FRAMES_NONE)
			child = other_class(f, want, class, cur);
		if (child != FRAMES_NONE)
			return child;
	}
	return frames_search(f, want, races);
}

void
frames_took(struct frames *f, uint32_t child, unsigned int class, _Atomic uint32_t *last)
{
	claim(f, child, class);
	map_set(f, class, child, frames_child_class(f, child) == class);
	frames_lower(f, child, 0);
	atomic_store_explicit(last, child + 1, memory_order_relaxed);
}

/* ------------------------------------------------------------------ public */

/** A child that kept less than it promised: say so. @return false if no further try is left. */
static bool
let_down(struct frames *f, uint32_t child, unsigned int want, unsigned int *races)
{
	frames_lower(f, child, 0);
	if (want == PAIR)
		frames_lower(f, child + 1, 0);
	return !frames_race_lost(races);
}

uint32_t
frames_alloc_tagged(
	struct frames *f, unsigned int order, unsigned int class, struct frames_cursor *cur)
{
	unsigned int want = order + 1, races = FRAMES_RACES;

	for (;;) {
		uint32_t child = pick_child(f, want, class, cur, &races), pfn;

		if (child >= FRAMES_LOST)
			return child;
		claim(f, child, class);
		pfn = want == PAIR ? take_pair(f, child) : take_in_child(f, child, order, &races);
		if (pfn < FRAMES_LOST) {
			frames_took(f, child, class, &cur->block[class]);
			return pfn;
		}
		if (!let_down(f, child, want, &races))
			return FRAMES_LOST;
	}
}

uint32_t
frames_alloc(struct frames *f, unsigned int order, unsigned int class, struct frames_cursor *cur)
{
	uint32_t pfn = frames_alloc_tagged(f, order, class, cur);

	if (pfn < FRAMES_LOST)
		frames_untag_block(f, pfn, order);
	return pfn;
}

/** The n lowest bits of those at which a block starts, each with the bits of its block. */
static uint64_t
lowest_blocks(uint64_t row, unsigned int order, unsigned int n)
{
	uint64_t all = starts(row, order), left = all;

	if (order == 0 && n >= ROW_FRAMES)
		return row;
	for (unsigned int k = 0; k < n && left != 0; k++)
		left &= left - 1;
	all &= ~left;
	for (unsigned int o = 0; o < order; o++)
		all |= all << (1U << o);
	return all;
}

static uint64_t
of_kind(const struct frames *f, uint32_t row, enum frames_kind kind)
{
	uint64_t tags;

	if (kind == FRAMES_ANY)
		return ROW_FULL;
	tags = load(&tags_of(f, 0)[row]);
	return kind == FRAMES_ZEROED ? tags : ~tags;
}

/** Take up to n blocks from a row, bounded. @return the bits taken. */
static uint64_t
take_of_row(
	struct frames *f, uint32_t row, unsigned int order, unsigned int n, enum frames_kind kind)
{
	word_t *r = &row_of(f, 0)[row];
	uint64_t old = load(r);

	for (unsigned int i = 0; i < SWAPS; i++) {
		uint64_t take = lowest_blocks(old & of_kind(f, row, kind), order, n);

		if (take == 0)
			return 0;
		if (swap(r, &old, old & ~take)) {
			if (kind != FRAMES_ZEROED)
				frames_untag_row(f, row, take);
			return take;
		}
	}
	return 0;
}

unsigned int
frames_take_pass(struct frames *f, uint32_t child, unsigned int order, unsigned int n,
	uint32_t *pfn, bool whole_rows, enum frames_kind kind)
{
	unsigned int got = 0;

	for (uint32_t row = child * CHILD_ROWS; row < (child + 1) * CHILD_ROWS && got < n; row++) {
		uint64_t take, now = load(&row_of(f, 0)[row]);

		if (now == 0 || (!whole_rows && now == ROW_FULL))
			continue;
		take = take_of_row(f, row, order, n - got, kind);
		for (take = starts(take, order); take != 0; take &= take - 1)
			pfn[got++] = row * ROW_FRAMES + (uint32_t)__builtin_ctzll(take);
	}
	return got;
}

/** Take up to n blocks of a child, broken rows first, and in them the dirty frames: what is zeroed is
 *  worth more to others. */
static unsigned int
take_blocks(struct frames *f, uint32_t child, unsigned int order, unsigned int n, uint32_t *pfn)
{
	bool tags = frames_nr_zeroed(f) != 0;
	unsigned int got = 0;

	for (int whole = 0; whole < 2 && got < n; whole++) {
		if (tags)
			got += frames_take_pass(
				f, child, order, n - got, pfn + got, whole, FRAMES_DIRTY);
		if (got < n)
			got += frames_take_pass(
				f, child, order, n - got, pfn + got, whole, FRAMES_ANY);
	}
	return got;
}

uint32_t
frames_alloc_in(struct frames *f, uint32_t child, unsigned int order)
{
	unsigned int races = FRAMES_RACES;
	uint32_t pfn;

	if (promise(f, child) <= order)
		return FRAMES_NONE;
	pfn = take_in_child(f, child, order, &races);
	frames_lower(f, child, 0);
	if (pfn >= FRAMES_LOST)
		return FRAMES_NONE;
	frames_untag_block(f, pfn, order);
	return pfn;
}

void
frames_leave(struct frames_cursor *cur, uint32_t child)
{
	for (unsigned int class = 0; class < FRAMES_CLASSES; class ++)
		for (int i = 0; i < 2; i++) {
			_Atomic uint32_t *at = i == 0 ? &cur->child[class] : &cur->block[class];

			if (atomic_load_explicit(at, memory_order_relaxed) == child + 1)
				atomic_store_explicit(at, 0, memory_order_relaxed);
		}
}

unsigned int
frames_alloc_batch(struct frames *f, unsigned int order, unsigned int class, unsigned int n,
	uint32_t *pfn, struct frames_cursor *cur)
{
	unsigned int races = FRAMES_RACES;

	for (;;) {
		uint32_t child = pick_child(f, order + 1, class, cur, &races);
		unsigned int got;

		pfn[0] = child;
		if (child >= FRAMES_LOST)
			return 0;
		claim(f, child, class);
		got = take_blocks(f, child, order, n, pfn);
		if (got > 0) {
			frames_took(f, child, class,
				order == 0 ? &cur->child[class] : &cur->block[class]);
			return got;
		}
		if (!let_down(f, child, order + 1, &races)) {
			pfn[0] = FRAMES_LOST;
			return 0;
		}
	}
}

void
frames_freed(struct frames *f, uint32_t child)
{
	frames_raise(f, child);
	map_set(f, frames_child_class(f, child), child, true);
}

static bool
any_free(struct frames *f, uint32_t pfn, unsigned int order)
{
	word_t *r = &row_of(f, 0)[pfn / ROW_FRAMES];

	for (unsigned int i = 0; i < 1U << (order - ROW_ORDER); i++)
		if (load(&r[i]) != 0)
			return true;
	return false;
}

/** Free frames of one row. @return false: one of them is free already. */
static bool
free_in_row(struct frames *f, uint32_t row, uint64_t mask)
{
	word_t *r = &row_of(f, 0)[row];
	uint64_t old = load(r);

	for (unsigned int i = 0; i < SWAPS; i++) {
		if (old & mask)
			return false;
		frames_untag_row(f, row, mask);
		if (swap(r, &old, old | mask))
			return true;
	}
	/* they are the caller's: of all who change the row only one who frees them, too, can be in the way */
	STEP();
	return (atomic_fetch_or(r, mask) & mask) == 0;
}

int
frames_free(struct frames *f, uint32_t pfn, unsigned int order)
{
	uint32_t child = pfn >> FRAMES_CHILD_ORDER;
	word_t *r = &row_of(f, 0)[pfn / ROW_FRAMES];

	if (order > FRAMES_MAX_ORDER || pfn >= f->nr_frames || f->nr_frames - pfn < 1U << order ||
		pfn & ((1U << order) - 1))
		return -EINVAL;
	if (order <= ROW_ORDER) {
		if (!free_in_row(f, pfn / ROW_FRAMES, block_mask(pfn, order)))
			return -EALREADY;
		frames_freed(f, child);
		return 0;
	}
	if (any_free(f, pfn, order))
		return -EALREADY;
	frames_untag_block(f, pfn, order);
	for (unsigned int i = 0; i < 1U << (order - ROW_ORDER); i++)
		atomic_store(&r[i], ROW_FULL);
	frames_freed(f, child);
	if (order > FRAMES_CHILD_ORDER)
		frames_freed(f, child + 1);
	return 0;
}

/** @param tagged the frames keep their tags: they are zeroed. */
static unsigned int
free_batch(struct frames *f, unsigned int order, const uint32_t *pfn, unsigned int n, bool tagged)
{
	unsigned int bad = 0, i = 0;

	while (i < n) {
		uint32_t child = pfn[i] >> FRAMES_CHILD_ORDER;

		while (i < n && pfn[i] >> FRAMES_CHILD_ORDER == child) {
			uint32_t row = pfn[i] / ROW_FRAMES;
			uint64_t mask = 0, was;
			unsigned int asked = 0;

			for (; i < n && pfn[i] / ROW_FRAMES == row; i++, asked += 1U << order)
				mask |= block_mask(pfn[i], order);
			if (!tagged)
				frames_untag_row(f, row, mask);
			STEP();
			was = atomic_fetch_or(&row_of(f, 0)[row], mask);
			bad += asked - (unsigned int)__builtin_popcountll(mask & ~was);
		}
		frames_freed(f, child);
	}
	return bad;
}

unsigned int
frames_free_batch(struct frames *f, unsigned int order, const uint32_t *pfn, unsigned int n)
{
	return free_batch(f, order, pfn, n, false);
}

unsigned int
frames_free_zeroed(struct frames *f, const uint32_t *pfn, unsigned int n)
{
	unsigned int bad = free_batch(f, 0, pfn, n, true);

	for (unsigned int i = 0; i < n; i++)
		frames_map_zeroed(f, pfn[i] >> FRAMES_CHILD_ORDER);
	return bad;
}

int
frames_online(struct frames *f, uint32_t pfn, uint32_t nr)
{
	if (pfn > f->nr_frames || nr > f->nr_frames - pfn)
		return -EINVAL;
	while (nr > 0) {
		uint32_t in_row = ROW_FRAMES - pfn % ROW_FRAMES, n = nr < in_row ? nr : in_row;
		uint64_t mask =
			n == ROW_FRAMES ? ROW_FULL : ((1ULL << n) - 1) << (pfn % ROW_FRAMES);

		atomic_fetch_or(&row_of(f, 0)[pfn / ROW_FRAMES], mask);
		pfn += n;
		nr -= n;
		if (pfn % FRAMES_CHILD == 0 || nr == 0)
			frames_raise(f, (pfn - 1) >> FRAMES_CHILD_ORDER);
	}
	return 0;
}

unsigned int
frames_child_class(const struct frames *f, uint32_t child)
{
	return atomic_load_explicit(class_of(f, child), memory_order_relaxed);
}

bool
frames_free_now(const struct frames *f, uint32_t pfn)
{
	return load(&row_of(f, 0)[pfn / ROW_FRAMES]) >> (pfn % ROW_FRAMES) & 1;
}

unsigned int
frames_class(const struct frames *f, uint32_t pfn)
{
	return frames_child_class(f, pfn >> FRAMES_CHILD_ORDER);
}

unsigned int
frames_largest(const struct frames *f)
{
	unsigned int value =
		frames_word_value(load(level_of(f, f->nr_levels - 1)), f->nr_levels - 1);

	return value < PAIR ? value : PAIR;
}

static bool
all_free(const struct frames *f, uint32_t pfn, unsigned int order)
{
	for (uint32_t i = pfn; i < pfn + (1U << order); i++)
		if (!frames_free_now(f, i))
			return false;
	return true;
}

int
frames_take_at(struct frames *f, uint32_t pfn, unsigned int order)
{
	uint32_t end = pfn + (1U << order);

	if (order > FRAMES_MAX_ORDER || pfn >= f->nr_frames || f->nr_frames - pfn < 1U << order)
		return -EINVAL;
	if (!all_free(f, pfn, order))
		return -EBUSY;
	for (uint32_t i = pfn; i < end; i++)
		atomic_fetch_and(&row_of(f, 0)[i / ROW_FRAMES], ~(1ULL << (i % ROW_FRAMES)));
	frames_untag_block(f, pfn, order);
	for (uint32_t c = pfn >> FRAMES_CHILD_ORDER; c <= (end - 1) >> FRAMES_CHILD_ORDER; c++)
		frames_lower(f, c, 0);
	return 0;
}

const _Atomic uint64_t *
frames_rows(const struct frames *f)
{
	return row_of(f, 0);
}

const _Atomic uint8_t *
frames_classes(const struct frames *f)
{
	return class_of(f, 0);
}
