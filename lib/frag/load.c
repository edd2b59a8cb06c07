/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A saved zone is read into memory and checked whole; only then does the zone change. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "format.h"

#define FRAME_UNMANAGED 0xff /* states of a frame while the blocks are laid out */
#define FRAME_EMPTY     0xfe
#define FRAME_INSIDE    0xfd
#define FRAME_HELD      0x80 /* else: the order of the free block that starts here */

struct loader {
	struct lab_tenants *t;
	FILE *in;
	unsigned long line;
	char text[ZONE_LINE_MAX];
	char *rest; /* what is left of the line */
	char *err;
	size_t errlen;
	unsigned long managed, uncovered;
	uint64_t clock;
	uint8_t *frame; /* a state each, FRAME_* */
	uint8_t *pageblock_mt;
	unsigned long nr_pageblocks;
	struct lab_block *blocks; /* the free ones in their order, then the holds */
	unsigned long nr_free, nr_holds;
	struct hold *holds;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct loader *l, int rc, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->err == NULL || l->errlen == 0)
		return rc;
	n = snprintf(l->err, l->errlen, "line %lu: ", l->line);
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < l->errlen)
		vsnprintf(l->err + n, l->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return rc;
}

/* -------------------------------------------------------------------- words */

static int
next_line(struct loader *l)
{
	size_t len = 0;
	int c;

	l->line++;
	while ((c = getc_unlocked(l->in)) != EOF && c != '\n') {
		if (c < ' ' || c > '~')
			return fail(l, -EINVAL, "byte 0x%02x in a text file", (unsigned int)c);
		if (len == sizeof(l->text) - 1)
			return fail(l, -EINVAL, "longer than %d bytes", ZONE_LINE_MAX - 1);
		l->text[len++] = (char)c;
	}
	l->text[len] = '\0';
	l->rest = l->text;
	if (c == EOF && ferror(l->in))
		return fail(l, -EIO, "the file cannot be read");
	if (c == EOF)
		return fail(l, -EINVAL, "the file ends here");
	return 0;
}

/** Take the next word. NULL: there is none, or two spaces, or one at the end. */
static char *
word(struct loader *l)
{
	char *w = l->rest;

	if (w == NULL || *w == '\0' || *w == ' ')
		return NULL;
	l->rest = strchr(w, ' ');
	if (l->rest != NULL)
		*l->rest++ = '\0';
	return w;
}

static bool
parse_number(const char *w, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (w == NULL || *w == '\0')
		return false;
	for (; *w != '\0'; w++) {
		if (*w < '0' || *w > '9' || v > max / 10)
			return false;
		v = v * 10 + (uint64_t)(*w - '0');
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

static int
number(struct loader *l, const char *what, uint64_t max, uint64_t *out)
{
	if (parse_number(word(l), max, out))
		return 0;
	return fail(l, -EINVAL, "%s: expected a number up to %" PRIu64, what, max);
}

static int
keyword(struct loader *l, const char *key)
{
	const char *w = word(l);

	if (w != NULL && strcmp(w, key) == 0)
		return 0;
	return fail(l, -EINVAL, "expected '%s', found '%.20s'", key, w != NULL ? w : "");
}

static int
line_end(struct loader *l)
{
	return l->rest == NULL ? 0 : fail(l, -EINVAL, "more words than expected");
}

/** A line of a keyword and a number. */
static int
key_number(struct loader *l, const char *key, uint64_t max, uint64_t *out)
{
	int rc = next_line(l);

	rc = rc != 0 ? rc : keyword(l, key);
	rc = rc != 0 ? rc : number(l, key, max, out);
	return rc != 0 ? rc : line_end(l);
}

static int
letter(struct loader *l, const char *w, unsigned int nr, unsigned int *mt)
{
	const char *p = w != NULL && w[0] != '\0' ? strchr(ZONE_LETTERS, w[0]) : NULL;

	if (p == NULL || w[1] != '\0' || (unsigned int)(p - ZONE_LETTERS) >= nr)
		return fail(l, -EINVAL, "expected a migratetype of %.*s, found '%.20s'", (int)nr,
			ZONE_LETTERS, w != NULL ? w : "");
	*mt = (unsigned int)(p - ZONE_LETTERS);
	return 0;
}

/* --------------------------------------------------------------- the header */

static int
read_shape(struct loader *l)
{
	uint64_t version = 0, spanned = 0, managed = 0;
	int rc = next_line(l);

	rc = rc != 0 ? rc : keyword(l, ZONE_MAGIC);
	rc = rc != 0 ? rc : number(l, "version", UINT32_MAX, &version);
	rc = rc != 0 ? rc : line_end(l);
	if (rc == 0 && version != ZONE_VERSION)
		return fail(l, -EINVAL, "version %" PRIu64 " is not known, only %d", version,
			ZONE_VERSION);
	rc = rc != 0 ? rc : key_number(l, "spanned", UINT32_MAX, &spanned);
	if (rc == 0 && spanned != l->t->spanned)
		return fail(l, -ERANGE, "%" PRIu64 " frames spanned, but the zone spans %lu",
			spanned, l->t->spanned);
	rc = rc != 0 ? rc : key_number(l, "managed", UINT32_MAX, &managed);
	if (rc == 0 && managed != l->managed)
		return fail(l, -ERANGE, "%" PRIu64 " frames managed, but the zone manages %lu",
			managed, l->managed);
	return rc != 0 ? rc : key_number(l, "clock", UINT32_MAX, &l->clock);
}

/** CMA belongs to the zone's configuration, and nobody isolates pageblocks of a saved zone. */
static int
check_pageblock(struct loader *l, unsigned long i, unsigned int mt)
{
	bool is_cma =
		lab_pageblock_migratetype(l->t->zone, i * LAB_PAGEBLOCK_PAGES) == LAB_MIGRATE_CMA;

	if (mt == LAB_MIGRATE_HIGHATOMIC && (i + 1) * LAB_PAGEBLOCK_PAGES > l->t->spanned)
		return fail(l, -EINVAL, "pageblock %lu: highatomic, but the zone's end cuts it", i);
	if (mt == LAB_MIGRATE_ISOLATE)
		return fail(l, -EINVAL, "pageblock %lu: isolated", i);
	if (is_cma != (mt == LAB_MIGRATE_CMA))
		return fail(
			l, -ERANGE, "pageblock %lu: is%s CMA in the zone", i, is_cma ? "" : " not");
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

	if (star == NULL || !parse_number(star + 1, l->nr_pageblocks - *have, &n) || n == 0)
		return fail(l, -EINVAL, "'%.20s' is not a run of at most %lu pageblocks", w,
			l->nr_pageblocks - *have);
	*star = '\0';
	rc = letter(l, w, LAB_MIGRATE_TYPES, &mt);
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
	int rc = key_number(l, "pageblocks", UINT32_MAX, &n);

	if (rc == 0 && n != l->nr_pageblocks)
		return fail(l, -ERANGE, "%" PRIu64 " pageblocks, but the zone has %lu", n,
			l->nr_pageblocks);
	while (rc == 0 && have < l->nr_pageblocks) {
		rc = next_line(l);
		rc = rc != 0 ? rc : keyword(l, "mt");
		if (rc == 0 && l->rest == NULL)
			return fail(l, -EINVAL, "no pageblocks");
		while (rc == 0 && l->rest != NULL) {
			char *w = word(l);

			rc = w != NULL ? read_run(l, w, &have)
				       : fail(l, -EINVAL, "a space too many");
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
		return fail(l, -EINVAL, "frame %" PRIu64 " is not aligned to order %u", pfn, order);
	for (uint64_t i = pfn; i < pfn + order_pages(order); i++) {
		if (i >= l->t->spanned || l->frame[i] == FRAME_UNMANAGED)
			return fail(l, -ERANGE, "frame %" PRIu64 " is not of the zone", i);
		if (l->frame[i] != FRAME_EMPTY)
			return fail(l, -EINVAL, "frame %" PRIu64 " is in two blocks", i);
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
			return fail(l, -EINVAL, "frame %" PRIu64 ": its pageblock is of type %c",
				pfn, ZONE_LETTERS[l->pageblock_mt[i]]);
	return 0;
}

static int
read_free_block(struct loader *l, unsigned int order, unsigned int mt, uint64_t nr)
{
	uint64_t pfn = 0;
	int rc = number(l, "frame", UINT32_MAX, &pfn);

	if (rc == 0 && l->nr_free == nr)
		return fail(l, -EINVAL, "more than the %" PRIu64 " free blocks announced", nr);
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
	int rc = key_number(l, "free", l->managed, &nr);

	while (rc == 0 && l->nr_free < nr) {
		rc = next_line(l);
		rc = rc != 0 ? rc : keyword(l, "f");
		rc = rc != 0 ? rc : letter(l, word(l), LAB_MIGRATE_TYPES, &mt);
		rc = rc != 0 ? rc : number(l, "order", LAB_MAX_ORDER, &order);
		do {
			rc = rc != 0 ? rc : read_free_block(l, (unsigned int)order, mt, nr);
		} while (rc == 0 && l->rest != NULL);
	}
	return rc;
}

static int
read_hold(struct loader *l)
{
	uint64_t pfn = 0, order = 0, birth = 0, death = 0;
	unsigned int mt = 0;
	int rc = next_line(l);

	rc = rc != 0 ? rc : keyword(l, "h");
	rc = rc != 0 ? rc : letter(l, word(l), TENANT_TYPES, &mt);
	rc = rc != 0 ? rc : number(l, "frame", UINT32_MAX, &pfn);
	rc = rc != 0 ? rc : number(l, "order", LAB_MAX_ORDER, &order);
	rc = rc != 0 ? rc : number(l, "birth", UINT32_MAX, &birth);
	rc = rc != 0 ? rc : number(l, "death", UINT32_MAX, &death);
	rc = rc != 0 ? rc : line_end(l);
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
	int rc = key_number(l, "holds", l->managed, &nr);

	if (rc == 0 && nr > l->t->max_blocks)
		return fail(
			l, -ENOSPC, "%" PRIu64 " holds, but room for %lu", nr, l->t->max_blocks);
	if (rc == 0 && nr > 0) {
		l->holds = malloc(nr * sizeof(*l->holds));
		if (l->holds == NULL)
			return fail(l, -ENOMEM, "no memory for %" PRIu64 " holds", nr);
	}
	while (rc == 0 && l->nr_holds < nr)
		rc = read_hold(l);
	return rc;
}

static int
read_end(struct loader *l)
{
	int rc = next_line(l);

	rc = rc != 0 ? rc : keyword(l, "end");
	rc = rc != 0 ? rc : line_end(l);
	if (rc == 0 && getc_unlocked(l->in) != EOF) {
		l->line++;
		return fail(l, -EINVAL, "something follows the end");
	}
	if (rc == 0 && l->uncovered > 0)
		return fail(l, -EINVAL, "%lu managed frames are in no block", l->uncovered);
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
			return fail(l, -EINVAL,
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
		return fail(l, -ENOMEM, "no memory to read a zone of %lu frames", t->spanned);
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
		return fail(l, -EBUSY, "others than the tenants hold blocks of the zone");
	tenants_put_all(t);
	lab_drain_all_pages(t->zone);
	before = lab_owner_set(t->owner);
	rc = lab_zone_restore(
		t->zone, l->blocks, l->nr_free + l->nr_holds, l->pageblock_mt, l->nr_pageblocks);
	lab_owner_set(before);
	if (rc != 0)
		return fail(l, rc, "the zone refused the state");
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
	struct loader l = {.t = t, .in = in, .err = err, .errlen = errlen};
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
