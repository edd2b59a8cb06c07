/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "format.h"

#define PFNS_A_LINE 32

struct free_blocks {
	struct lab_block *b;
	unsigned long nr, max, pages;
};

static int
is_others(const struct lab_block *b, void *arg)
{
	const struct lab_tenants *t = arg;
	struct hold_ref r;

	if (b->state == LAB_BLOCK_PCP)
		return 1;
	return b->state == LAB_BLOCK_ALLOCATED &&
	       (!hold_at(t, b->pfn, &r) || hold_of(t, r)->order != b->order);
}

bool
zone_has_others(struct lab_tenants *t)
{
	return lab_zone_walk(t->zone, is_others, t) != 0;
}

static int
note_free(const struct lab_block *b, void *arg)
{
	struct free_blocks *f = arg;

	if (f->nr == f->max)
		return 1;
	f->b[f->nr++] = *b;
	f->pages += order_pages(b->order);
	return 0;
}

static void
write_pageblocks(struct lab_tenants *t, FILE *out)
{
	unsigned long n = zone_pageblocks(t), i = 0;

	fprintf(out, "pageblocks %lu\n", n);
	while (i < n) {
		fputs("mt", out);
		for (int runs = 0; runs < PFNS_A_LINE && i < n; runs++) {
			enum lab_migratetype mt =
				lab_pageblock_migratetype(t->zone, i * LAB_PAGEBLOCK_PAGES);
			unsigned long first = i;

			while (i < n &&
				lab_pageblock_migratetype(t->zone, i * LAB_PAGEBLOCK_PAGES) == mt)
				i++;
			fprintf(out, " %c*%lu", ZONE_LETTERS[mt], i - first);
		}
		fputc('\n', out);
	}
}

static void
write_free(const struct free_blocks *f, FILE *out)
{
	unsigned int in_line = 0;

	fprintf(out, "free %lu", f->nr);
	for (unsigned long i = 0; i < f->nr; i++) {
		const struct lab_block *b = &f->b[i], *last = i > 0 ? b - 1 : NULL;

		if (last == NULL || in_line == PFNS_A_LINE || last->order != b->order ||
			last->migratetype != b->migratetype) {
			fprintf(out, "\nf %c %u", ZONE_LETTERS[b->migratetype], b->order);
			in_line = 0;
		}
		fprintf(out, " %lu", b->pfn);
		in_line++;
	}
	fputc('\n', out);
}

static void
write_holds(const struct lab_tenants *t, FILE *out)
{
	fprintf(out, "holds %lu\n", t->blocks);
	for (int mt = 0; mt < TENANT_TYPES; mt++)
		for (unsigned long i = 0; i < t->nr[mt]; i++) {
			const struct hold *h = &t->holds[mt][i];

			fprintf(out, "h %c %" PRIu32 " %u %" PRIu32 " %" PRIu32 "\n",
				ZONE_LETTERS[mt], h->pfn, h->order, h->birth, h->death);
		}
}

static int
save_locked(struct lab_tenants *t, struct free_blocks *f, FILE *out)
{
	struct lab_zone_info info;

	lab_drain_all_pages(t->zone);
	if (zone_has_others(t))
		return -EBUSY;
	lab_zone_info_get(t->zone, &info);
	lab_zone_walk_free(t->zone, note_free, f);
	/* Somebody allocated or freed between the two walks. */
	if (f->pages + t->pages != info.managed)
		return -EBUSY;
	fprintf(out, ZONE_MAGIC " %d\nspanned %lu\nmanaged %lu\nclock %" PRIu32 "\n", ZONE_VERSION,
		t->spanned, info.managed, t->clock);
	write_pageblocks(t, out);
	write_free(f, out);
	write_holds(t, out);
	fputs("end\n", out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}

int
lab_age_save(struct lab_tenants *t, FILE *out)
{
	struct free_blocks f = {.max = t->spanned};
	int rc;

	f.b = malloc((f.max + 1) * sizeof(*f.b));
	if (f.b == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	rc = save_locked(t, &f, out);
	pthread_mutex_unlock(&t->lock);
	free(f.b);
	return rc;
}
