/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A saved zone is read into memory and checked whole; only then does the zone change. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "format.h"

#define FRAME_UNMANAGED 0xff /* states of a frame while the blocks are laid out */
#define FRAME_EMPTY     0xfe
#define FRAME_INSIDE    0xfd
#define FRAME_HELD      0x80 /* else: the order of the free block that starts here */

struct loader {
	struct lab_tenants *t;
	struct words w;
	unsigned long managed, uncovered;
	uint64_t clock;
	uint8_t *frame; /* a state each, FRAME_* */
	uint8_t *pageblock_mt;
	unsigned long nr_pageblocks;
	struct lab_block *blocks; /* the free ones in their order, then the holds */
	unsigned long nr_free, nr_holds;
	struct hold *holds;
};

/* --------------------------------------------------------------- the header */

static int
read_shape(struct loader *l)
{
	uint64_t version = 0, spanned = 0, managed = 0;
	int rc = words_line(&l->w);

	rc = rc != 0 ? rc : words_keyword(&l->w, ZONE_MAGIC);
	rc = rc != 0 ? rc : words_number(&l->w, "version", UINT32_MAX, &version);
	rc = rc != 0 ? rc : words_end(&l->w);
	if (rc == 0 && version != ZONE_VERSION)
		return words_fail(&l->w, -EINVAL, "version %" PRIu64 " is not known, only %d",
			version, ZONE_VERSION);
	rc = rc != 0 ? rc : words_key(&l->w, "spanned", UINT32_MAX, &spanned);
	if (rc == 0 && spanned != l->t->spanned)
		return words_fail(&l->w, -ERANGE,
			"%" PRIu64 " frames spanned, but the zone spans %lu", spanned,
			l->t->spanned);
	rc = rc != 0 ? rc : words_key(&l->w, "managed", UINT32_MAX, &managed);
	if (rc == 0 && managed != l->managed)
		return words_fail(&l->w, -ERANGE,
			"%" PRIu64 " frames managed, but the zone manages %lu", managed,
			l->managed);
	return rc != 0 ? rc : words_key(&l->w, "clock", UINT32_MAX, &l->clock);
}

/** CMA belongs to the zone's configuration, and nobody isolates pageblocks of a saved zone. */
static int
check_pageblock(struct loader *l, unsigned long i, unsigned int mt)
{
	bool is_cma =
		lab_pageblock_migratetype(l->t->zone, i * LAB_PAGEBLOCK_PAGES) == LAB_MIGRATE_CMA;

	if (mt == LAB_MIGRATE_HIGHATOMIC && (i + 1) * LAB_PAGEBLOCK_PAGES > l->t->spanned)
		return words_fail(
			&l->w, -EINVAL, "pageblock %lu: highatomic, but the zone's end cuts it", i);
	if (mt == LAB_MIGRATE_ISOLATE)
		return words_fail(&l->w, -EINVAL, "pageblock %lu: isolated", i);
	if (is_cma != (mt == LAB_MIGRATE_CMA))
		return words_fail(&l->w, -ERANGE, "pageblock %lu: is%s CMA in the zone", i,
			is_cma ? "" : " not");
	return 0;
}

/** "U*12": a run of pageblocks of a type. */
static int
read_run(struct loader *l, char *w, unsigned long *have)
{
	char *star = strchr(w, '*');
	uint64_t n = 0;
	unsigned int mt = 0;
	int rc;

	if (star == NULL || !words_parse(star + 1, l->nr_pageblocks - *have, &n) || n == 0)
		return words_fail(&l->w, -EINVAL, "'%.20s' is not a run of at most %lu pageblocks",
			w, l->nr_pageblocks - *have);
	*star = '\0';
	rc = words_letter(&l->w, w, LAB_MIGRATE_TYPES, &mt);
	for (; rc == 0 && n > 0; n--) {
		rc = check_pageblock(l, *have, mt);
		l->pageblock_mt[(*have)++] = (uint8_t)mt;
	}
	return rc;
}

static int
read_pageblocks(struct loader *l)
{
	unsigned long have = 0;
	uint64_t n = 0;
	int rc = words_key(&l->w, "pageblocks", UINT32_MAX, &n);

	if (rc == 0 && n != l->nr_pageblocks)
		return words_fail(&l->w, -ERANGE, "%" PRIu64 " pageblocks, but the zone has %lu", n,
			l->nr_pageblocks);
	while (rc == 0 && have < l->nr_pageblocks) {
		rc = words_line(&l->w);
		rc = rc != 0 ? rc : words_keyword(&l->w, "mt");
		if (rc == 0 && l->w.rest == NULL)
			return words_fail(&l->w, -EINVAL, "no pageblocks");
		while (rc == 0 && l->w.rest != NULL) {
			char *w = words_next(&l->w);

			rc = w != NULL ? read_run(l, w, &have)
				       : words_fail(&l->w, -EINVAL, "a space too many");
		}
	}
	return rc;
}

/* --------------------------------------------------------------- the blocks */

/** Lay a block out. @param mark FRAME_HELD or the order of a free one. */
static int
place(struct loader *l, uint64_t pfn, unsigned int order, uint8_t mark)
{
	if (pfn & (order_pages(order) - 1))
		return words_fail(
			&l->w, -EINVAL, "frame %" PRIu64 " is not aligned to order %u", pfn, order);
	for (uint64_t i = pfn; i < pfn + order_pages(order); i++) {
		if (i >= l->t->spanned || l->frame[i] == FRAME_UNMANAGED)
			return words_fail(
				&l->w, -ERANGE, "frame %" PRIu64 " is not of the zone", i);
		if (l->frame[i] != FRAME_EMPTY)
			return words_fail(&l->w, -EINVAL, "frame %" PRIu64 " is in two blocks", i);
		l->frame[i] = FRAME_INSIDE;
	}
	l->frame[pfn] = mark;
	l->uncovered -= order_pages(order);
	return 0;
}

static int
check_free(struct loader *l, uint64_t pfn, unsigned int order, unsigned int mt)
{
	unsigned long first = pfn / LAB_PAGEBLOCK_PAGES;
	unsigned long last = (pfn + order_pages(order) - 1) / LAB_PAGEBLOCK_PAGES;

	for (unsigned long i = first; i <= last; i++)
		if (l->pageblock_mt[i] != mt)
			return words_fail(&l->w, -EINVAL,
				"frame %" PRIu64 ": its pageblock is of type %c", pfn,
				ZONE_LETTERS[l->pageblock_mt[i]]);
	return 0;
}

static int
read_free_block(struct loader *l, unsigned int order, unsigned int mt, uint64_t nr)
{
	uint64_t pfn = 0;
	int rc = words_number(&l->w, "frame", UINT32_MAX, &pfn);

	if (rc == 0 && l->nr_free == nr)
		return words_fail(
			&l->w, -EINVAL, "more than the %" PRIu64 " free blocks announced", nr);
	rc = rc != 0 ? rc : place(l, pfn, order, (uint8_t)order);
	rc = rc != 0 ? rc : check_free(l, pfn, order, mt);
	if (rc == 0)
		l->blocks[l->nr_free++] = (struct lab_block){.pfn = pfn,
			.order = (uint8_t)order,
			.migratetype = (uint8_t)mt,
			.state = LAB_BLOCK_FREE};
	return rc;
}

static int
read_free(struct loader *l)
{
	uint64_t nr = 0, order = 0;
	unsigned int mt = 0;
	int rc = words_key(&l->w, "free", l->managed, &nr);

	while (rc == 0 && l->nr_free < nr) {
		rc = words_line(&l->w);
		rc = rc != 0 ? rc : words_keyword(&l->w, "f");
		rc = rc != 0 ? rc : words_letter(&l->w, words_next(&l->w), LAB_MIGRATE_TYPES, &mt);
		rc = rc != 0 ? rc : words_number(&l->w, "order", LAB_MAX_ORDER, &order);
		do {
			rc = rc != 0 ? rc : read_free_block(l, (unsigned int)order, mt, nr);
		} while (rc == 0 && l->w.rest != NULL);
	}
	return rc;
}

static int
read_hold(struct loader *l)
{
	uint64_t pfn = 0, order = 0, birth = 0, death = 0;
	unsigned int mt = 0;
	int rc = words_line(&l->w);

	rc = rc != 0 ? rc : words_keyword(&l->w, "h");
	rc = rc != 0 ? rc : words_letter(&l->w, words_next(&l->w), TENANT_TYPES, &mt);
	rc = rc != 0 ? rc : words_number(&l->w, "frame", UINT32_MAX, &pfn);
	rc = rc != 0 ? rc : words_number(&l->w, "order", LAB_MAX_ORDER, &order);
	rc = rc != 0 ? rc : words_number(&l->w, "birth", UINT32_MAX, &birth);
	rc = rc != 0 ? rc : words_number(&l->w, "death", UINT32_MAX, &death);
	rc = rc != 0 ? rc : words_end(&l->w);
	rc = rc != 0 ? rc : place(l, pfn, (unsigned int)order, FRAME_HELD);
	if (rc != 0)
		return rc;
	l->blocks[l->nr_free + l->nr_holds] = (struct lab_block){.pfn = pfn,
		.order = (uint8_t)order,
		.migratetype = (uint8_t)mt,
		.state = LAB_BLOCK_ALLOCATED};
	l->holds[l->nr_holds++] = (struct hold){.pfn = (uint32_t)pfn,
		.birth = (uint32_t)birth,
		.death = (uint32_t)death,
		.order = (uint8_t)order};
	return 0;
}

static int
read_holds(struct loader *l)
{
	uint64_t nr = 0;
	int rc = words_key(&l->w, "holds", l->managed, &nr);

	if (rc == 0 && nr > l->t->max_blocks)
		return words_fail(&l->w, -ENOSPC, "%" PRIu64 " holds, but room for %lu", nr,
			l->t->max_blocks);
	if (rc == 0 && nr > 0) {
		l->holds = malloc(nr * sizeof(*l->holds));
		if (l->holds == NULL)
			return words_fail(&l->w, -ENOMEM, "no memory for %" PRIu64 " holds", nr);
	}
	while (rc == 0 && l->nr_holds < nr)
		rc = read_hold(l);
	return rc;
}

static int
read_end(struct loader *l)
{
	int rc = words_line(&l->w);

	rc = rc != 0 ? rc : words_keyword(&l->w, "end");
	rc = rc != 0 ? rc : words_end(&l->w);
	if (rc == 0 && getc_unlocked(l->w.in) != EOF) {
		l->w.line++;
		return words_fail(&l->w, -EINVAL, "something follows the end");
	}
	if (rc == 0 && l->uncovered > 0)
		return words_fail(
			&l->w, -EINVAL, "%lu managed frames are in no block", l->uncovered);
	return rc;
}

/* ---------------------------------------------------------- merged, applied */

/** Types that a free block of pageblock_order or more merges over. */
static bool
types_merge(const struct loader *l, unsigned long a, unsigned long b)
{
	unsigned int x = l->pageblock_mt[a / LAB_PAGEBLOCK_PAGES];
	unsigned int y = l->pageblock_mt[b / LAB_PAGEBLOCK_PAGES];

	return x == y || (x < LAB_MIGRATE_PCPTYPES && y < LAB_MIGRATE_PCPTYPES);
}

/** A buddy allocator never leaves two free buddies apart. */
static int
check_merged(struct loader *l)
{
	for (unsigned long i = 0; i < l->nr_free; i++) {
		const struct lab_block *b = &l->blocks[i];
		unsigned long buddy = b->pfn ^ order_pages(b->order);

		if (b->order == LAB_MAX_ORDER || buddy >= l->t->spanned ||
			l->frame[buddy] != b->order)
			continue;
		if (b->order < LAB_PAGEBLOCK_ORDER || types_merge(l, b->pfn, buddy))
			return words_fail(&l->w, -EINVAL,
				"free frames %lu and %lu are buddies of order %u, not merged",
				b->pfn, buddy, b->order);
	}
	return 0;
}

static int
note_frames(const struct lab_block *b, void *arg)
{
	struct loader *l = arg;
	unsigned long end = b->pfn + order_pages(b->order);

	for (unsigned long i = b->pfn; i < end && i < l->t->spanned; i++)
		l->frame[i] = b->state == LAB_BLOCK_OFFLINE ? FRAME_UNMANAGED : FRAME_EMPTY;
	return 0;
}

static int
prepare(struct loader *l)
{
	struct lab_zone_info info;
	struct lab_tenants *t = l->t;

	lab_zone_info_get(t->zone, &info);
	l->managed = l->uncovered = info.managed;
	l->nr_pageblocks = zone_pageblocks(t);
	l->frame = malloc(t->spanned + 1);
	l->pageblock_mt = calloc(l->nr_pageblocks + 1, 1);
	l->blocks = malloc((l->managed + 1) * sizeof(*l->blocks));
	if (l->frame == NULL || l->pageblock_mt == NULL || l->blocks == NULL)
		return words_fail(
			&l->w, -ENOMEM, "no memory to read a zone of %lu frames", t->spanned);
	memset(l->frame, FRAME_UNMANAGED, t->spanned);
	lab_zone_walk(t->zone, note_frames, l);
	return 0;
}

static int
apply(struct loader *l)
{
	struct lab_tenants *t = l->t;
	uint32_t before;
	int rc;

	lab_drain_all_pages(t->zone);
	if (zone_has_others(t))
		return words_fail(&l->w, -EBUSY, "others than the tenants hold blocks of the zone");
	tenants_put_all(t);
	lab_drain_all_pages(t->zone);
	before = lab_owner_set(t->owner);
	rc = lab_zone_restore(
		t->zone, l->blocks, l->nr_free + l->nr_holds, l->pageblock_mt, l->nr_pageblocks);
	lab_owner_set(before);
	if (rc != 0)
		return words_fail(&l->w, rc, "the zone refused the state");
	for (unsigned long i = 0; i < l->nr_holds; i++)
		hold_add(t, (enum lab_migratetype)l->blocks[l->nr_free + i].migratetype,
			&l->holds[i]);
	t->allocs += l->nr_holds;
	t->clock = (uint32_t)l->clock;
	return 0;
}

static int
load_locked(struct loader *l)
{
	int rc = prepare(l);

	rc = rc != 0 ? rc : read_shape(l);
	rc = rc != 0 ? rc : read_pageblocks(l);
	rc = rc != 0 ? rc : read_free(l);
	rc = rc != 0 ? rc : read_holds(l);
	rc = rc != 0 ? rc : read_end(l);
	rc = rc != 0 ? rc : check_merged(l);
	return rc != 0 ? rc : apply(l);
}

int
lab_age_load(struct lab_tenants *t, FILE *in, char *err, size_t errlen)
{
	struct loader l = {.t = t, .w = {.in = in, .err = err, .errlen = errlen}};
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = load_locked(&l);
	pthread_mutex_unlock(&t->lock);
	free(l.frame);
	free(l.pageblock_mt);
	free(l.blocks);
	free(l.holds);
	return rc;
}
