/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file owners_top.c
 * Who holds most: the side table is walked once for the sums, and again for the ages of those that matter.
 */
#include "buddy.h"
#include "watch.h"

/* ------------------------------------------------------------------- sums */

struct sum {
	uint32_t owner; /**< 0: vacant */
	unsigned long pages, blocks;
	uint64_t oldest_ns;
};

/** Sums by owner, found by hashing; the last one takes who finds no place. */
struct sums {
	struct sum s[LAB_OWNERS_MAX + 1];
	unsigned long tagged;
};

static struct sum *
sum_of(struct sums *sums, uint32_t owner)
{
	uint32_t at = owner * 2654435761U >> 24; /* the golden ratio of 2^32 */

	_Static_assert(LAB_OWNERS_MAX == 256, "as many as eight bits tell apart");
	for (unsigned int i = 0; i < LAB_OWNERS_MAX; i++, at++) {
		struct sum *s = &sums->s[at % LAB_OWNERS_MAX];

		if (s->owner == owner && owner != 0)
			return s;
		if (s->owner == 0 && owner != 0) {
			s->owner = owner;
			return s;
		}
	}
	sums->s[LAB_OWNERS_MAX].owner = LAB_OWNER_OTHERS;
	return &sums->s[LAB_OWNERS_MAX];
}

/** For each allocated block that is tagged; a block's other frames are passed over. */
#define FOREACH_BLOCK(z, t, pfn, word)                                                             \
	for (uint32_t pfn = 0, step_; pfn < (z)->spanned; pfn += step_)                            \
		if (word = rd(&(t)->tag[pfn].word),                                                \
			step_ = lab_tag_is_live(word) ? 1U << (lab_tag_state(word) - 1) : 1,       \
			lab_tag_is_live(word))

static void
add_zone(struct sums *sums, const struct lab_zone *z)
{
	const struct lab_tags *t = lab_tags_of(z);
	uint64_t now = lab_tag_now(z), word;

	FOREACH_BLOCK(z, t, pfn, word)
	{
		struct sum *s = sum_of(sums, rd(&t->tag[pfn].owner));
		unsigned long pages = 1UL << (lab_tag_state(word) - 1);
		uint64_t age = lab_tag_age(word, now);

		s->pages += pages;
		s->blocks++;
		s->oldest_ns = age > s->oldest_ns ? age : s->oldest_ns;
		sums->tagged += pages;
	}
}

/** Pages in use, without those that wait in caches. */
static unsigned long
used_pages(const struct lab_zone *z)
{
	unsigned long managed = rd(&z->managed), away = rd(&z->nr_free) + lab_pcp_pages(z);

	return managed > away ? managed - away : 0;
}

/** The entry with most pages, which is then vacant; NULL if all are. */
static struct sum *
largest(struct sums *sums)
{
	struct sum *best = NULL;

	for (unsigned int i = 0; i <= LAB_OWNERS_MAX; i++) {
		struct sum *s = &sums->s[i];

		if (s->pages > 0 && (best == NULL || s->pages > best->pages))
			best = s;
	}
	return best;
}

/* ------------------------------------------------------------------- ages */

/** Ages in steps of an eighth of a power of two, from 2^16 ns on: finer than the clock. */
#define AGE_LEAST  16U
#define AGE_STEPS  8U
#define AGE_PLACES ((64 - LAB_TAG_TIME_SHIFT - AGE_LEAST) * AGE_STEPS + 1)

/** Owners whose ages are counted at once, so that the stack stays small. */
#define AGES_AT_ONCE 8U

struct ages {
	uint32_t owner;
	uint32_t count[AGE_PLACES];
};

static unsigned int
age_place(uint64_t age)
{
	unsigned int log;

	if (age >> AGE_LEAST == 0)
		return 0;
	log = 63 - (unsigned int)__builtin_clzll(age);
	return 1 + (log - AGE_LEAST) * AGE_STEPS +
	       (unsigned int)((age >> (log - 3)) & (AGE_STEPS - 1));
}

/** The middle of a place. */
static uint64_t
place_age(unsigned int place)
{
	unsigned int log = AGE_LEAST + (place - 1) / AGE_STEPS, step = (place - 1) % AGE_STEPS;

	if (place == 0)
		return 1ULL << (AGE_LEAST - 1);
	return (1ULL << log) + (2ULL * step + 1) * (1ULL << (log - 4));
}

static void
add_ages(struct ages *a, unsigned int nr, const struct lab_zone *z)
{
	const struct lab_tags *t = lab_tags_of(z);
	uint64_t now = lab_tag_now(z), word;

	FOREACH_BLOCK(z, t, pfn, word)
	{
		uint32_t owner = rd(&t->tag[pfn].owner);

		for (unsigned int i = 0; i < nr; i++) {
			if (a[i].owner == owner)
				a[i].count[age_place(lab_tag_age(word, now))]++;
		}
	}
}

static uint64_t
median(const struct ages *a)
{
	uint64_t blocks = 0, seen = 0;
	unsigned int place = 0;

	for (unsigned int i = 0; i < AGE_PLACES; i++)
		blocks += a->count[i];
	if (blocks == 0)
		return 0;
	while (seen + a->count[place] <= (blocks - 1) / 2)
		seen += a->count[place++];
	return place_age(place);
}

static void
fill_medians(struct lab_zone *const *zones, unsigned int nr_zones, struct lab_owner_info *out,
	unsigned int n)
{
	struct ages a[AGES_AT_ONCE];

	memset(a, 0, sizeof(a));
	for (unsigned int i = 0; i < n; i++)
		a[i].owner = out[i].owner;
	for (unsigned int i = 0; i < nr_zones; i++)
		add_ages(a, n, zones[i]);
	for (unsigned int i = 0; i < n; i++) {
		out[i].median_ns = median(&a[i]);
		if (out[i].median_ns > out[i].oldest_ns)
			out[i].median_ns = out[i].oldest_ns;
	}
}

/* ----------------------------------------------------------------- public */

/** The largest first; medians are missing yet. */
static unsigned int
fill_sums(struct lab_zone *const *zones, unsigned int nr_zones, struct lab_owner_info *out,
	unsigned int n)
{
	struct sums sums = {0};
	unsigned long used = 0, before = 0;
	unsigned int filled;
	struct sum *s;

	for (unsigned int i = 0; i < nr_zones; i++) {
		before += used_pages(zones[i]);
		add_zone(&sums, zones[i]);
		used += used_pages(zones[i]);
	}
	/* pages that came or went meanwhile are not untagged for that */
	used = used < before ? used : before;
	for (filled = 0; filled < n; filled++) {
		struct lab_owner_info *o = &out[filled];
		unsigned long rest = used > sums.tagged ? used - sums.tagged : 0;

		s = largest(&sums);
		if (rest > 0 && (s == NULL || rest > s->pages)) {
			*o = (struct lab_owner_info){.pages = rest};
			used = 0;
		} else if (s != NULL) {
			*o = (struct lab_owner_info){
				s->owner, "", s->pages, s->blocks, s->oldest_ns, 0};
			s->pages = 0;
		} else {
			break;
		}
		lab_owner_format(zones[0], o->owner, o->name, sizeof(o->name));
	}
	return filled;
}

unsigned int
lab_zones_owners_top(struct lab_zone *const *zones, unsigned int nr_zones,
	struct lab_owner_info *out, unsigned int n)
{
	unsigned int filled;

	for (unsigned int i = 0; i < nr_zones; i++) {
		if (!(rd(&zones[i]->watched) & LAB_WATCH_OWNERS) || lab_tags_of(zones[i]) == NULL)
			return 0;
	}
	filled = nr_zones > 0 ? fill_sums(zones, nr_zones, out, n) : 0;
	for (unsigned int i = 0; i < filled; i += AGES_AT_ONCE) {
		unsigned int m = filled - i < AGES_AT_ONCE ? filled - i : AGES_AT_ONCE;

		fill_medians(zones, nr_zones, out + i, m);
	}
	return filled;
}

unsigned int
lab_zone_owners_top(struct lab_zone *z, struct lab_owner_info *out, unsigned int n)
{
	return lab_zones_owners_top(&z, 1, out, n);
}
