/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose_proc.c
 * /proc/zoneinfo, buddyinfo and pagetypeinfo, which say of now what a message says of then.
 */
#include <errno.h>
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

/** A text's words, one after the other. */
struct words {
	const char *p, *end;
};

static struct words
words_of(const char *text)
{
	return (struct words){text, text != NULL ? text + strlen(text) : text};
}

static bool
next(struct words *w, struct diag_token *t)
{
	return w->p != NULL && diag_token_next(&w->p, w->end, t);
}

static long
number(const struct diag_token *t)
{
	const char *s = t->s;

	/* pagetypeinfo stops counting at ">100000" */
	if (t->len > 1 && *s == '>')
		s++;
	return diag_number(s, t->s + t->len, NULL);
}

/** "Node 0, zone Normal" behind the word "Node". @return NULL if it is none of the zones known here */
static struct lab_diag_zone *
read_zone(struct words *w, struct lab_diag_report *r)
{
	struct diag_token node, word, name;
	long n;
	int type;

	if (!next(w, &node) || !next(w, &word) || !diag_token_is(&word, "zone") || !next(w, &name))
		return NULL;
	n = number(&node);
	if (name.s[name.len - 1] == ',')
		name.len--;
	type = diag_zone_type(name.s, name.len);
	if (n < 0 || n >= 1 << 20 || type < 0)
		return NULL;
	return diag_zone_get(r, (int)n, (enum lab_diag_zone_type)type);
}

/* ----------------------------------------------------------------- zoneinfo */

static long *
figure(struct lab_diag_zone *z, const struct diag_token *key)
{
	const struct {
		const char *key;
		long *field;
	} figures[] = {{"free", &z->free}, {"boost", &z->boost}, {"min", &z->min}, {"low", &z->low},
		{"high", &z->high}, {"present", &z->present}, {"managed", &z->managed},
		{"nr_free_cma", &z->free_cma}, {"nr_free_highatomic", &z->free_highatomic}};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(figures); i++) {
		if (diag_token_is(key, figures[i].key))
			return figures[i].field;
	}
	return NULL;
}

static void
read_protection(struct words *w, struct lab_diag_zone *z)
{
	struct diag_token t;

	while (next(w, &t)) {
		const char *s = *t.s == '(' ? t.s + 1 : t.s;
		long v = diag_number(s, t.s + t.len, NULL);

		if (v >= 0 && z->nr_reserves < LAB_DIAG_MAX_RESERVES)
			z->lowmem_reserve[z->nr_reserves++] = v;
		if (v < 0 || t.s[t.len - 1] == ')')
			return;
	}
}

/** One "key value" of a zone; "count:" adds up what the CPUs hold. */
static void
read_value(struct words *w, struct lab_diag_zone *z, const struct diag_token *key)
{
	struct words at = *w;
	struct diag_token value;
	long *field = figure(z, key), v;

	if (diag_token_is(key, "protection:")) {
		read_protection(w, z);
		return;
	}
	if (!next(&at, &value))
		return;
	v = number(&value);
	if (v < 0)
		return;
	if (field != NULL && *field == LAB_DIAG_UNKNOWN)
		*field = v;
	if (diag_token_is(key, "count:") && z->free_pcp < DIAG_MAX_FIGURE)
		z->free_pcp = (z->free_pcp == LAB_DIAG_UNKNOWN ? 0 : z->free_pcp) + v;
}

static void
read_zoneinfo(const char *text, struct lab_diag_report *r)
{
	struct words w = words_of(text);
	struct lab_diag_zone *z = NULL;
	struct diag_token t;

	while (next(&w, &t)) {
		if (diag_token_is(&t, "Node"))
			z = read_zone(&w, r);
		else if (z != NULL)
			read_value(&w, z, &t);
	}
}

/** A zone without memory has no free list and plays no part. */
static void
drop_empty_zones(struct lab_diag_report *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->nr_zones; i++) {
		const struct lab_diag_zone *z = &r->zones[i];

		if (z->managed != 0 && z->present != 0)
			r->zones[n++] = *z;
	}
	r->nr_zones = n;
}

/* -------------------------------------------------- buddyinfo, pagetypeinfo */

/** The numbers behind a zone's name. @return how many */
static unsigned int
read_numbers(struct words *w, long *out, unsigned int max)
{
	struct words at = *w;
	struct diag_token t;
	unsigned int n = 0;

	while (n < max && next(&at, &t)) {
		long v = number(&t);

		if (v < 0)
			break;
		out[n++] = v;
		*w = at;
	}
	return n;
}

static void
read_buddyinfo(const char *text, struct lab_diag_report *r)
{
	struct words w = words_of(text);
	long count[LAB_DIAG_NR_ORDERS];
	struct lab_diag_zone *z;
	struct diag_token t;

	while (next(&w, &t)) {
		if (!diag_token_is(&t, "Node"))
			continue;
		z = read_zone(&w, r);
		if (z == NULL)
			continue;
		for (unsigned int i = 0, n = read_numbers(&w, count, LAB_DIAG_NR_ORDERS); i < n;
			i++) {
			z->blocks[i] = (unsigned long)count[i];
			z->has_blocks = true;
		}
	}
}

static int
migratetype(const struct diag_token *t)
{
	static const char *const names[LAB_MIGRATE_TYPES] = {
		"Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate"};

	for (int i = 0; i < LAB_MIGRATE_TYPES; i++) {
		if (diag_token_is(t, names[i]))
			return i;
	}
	return diag_token_is(t, "Reserve") ? LAB_MIGRATE_UNMOVABLE : -1;
}

static void
read_free_of_type(struct words *w, struct lab_diag_zone *z)
{
	long count[LAB_DIAG_NR_ORDERS];
	struct diag_token t;
	int type;

	if (!next(w, &t))
		return;
	type = migratetype(&t);
	if (type < 0)
		return;
	for (unsigned int i = 0, n = read_numbers(w, count, LAB_DIAG_NR_ORDERS); i < n; i++) {
		z->typed[i][type] += (unsigned long)count[i];
		if (count[i] > 0)
			z->types[i] |= 1U << type;
		z->has_types = true;
	}
}

/** Where the types' counts differ from buddyinfo's, which was read a moment before: then only which
 *  types have blocks is taken from here. */
static void
reconcile(struct lab_diag_zone *z)
{
	for (unsigned int o = 0; o < LAB_DIAG_NR_ORDERS; o++) {
		unsigned long sum = 0;

		for (unsigned int t = 0; t < LAB_MIGRATE_TYPES; t++)
			sum += z->typed[o][t];
		if (sum != z->blocks[o])
			memset(z->typed[o], 0, sizeof(z->typed[o]));
	}
}

/** The table of pageblocks: the fourth number is HighAtomic's. */
static void
read_pageblocks(struct words *w, struct lab_diag_zone *z, long pageblock)
{
	long count[LAB_MIGRATE_TYPES];

	if (read_numbers(w, count, LAB_MIGRATE_TYPES) > LAB_MIGRATE_HIGHATOMIC && pageblock > 0 &&
		count[LAB_MIGRATE_HIGHATOMIC] < DIAG_MAX_FIGURE / pageblock)
		z->reserved_highatomic = count[LAB_MIGRATE_HIGHATOMIC] * pageblock;
}

static void
read_pagetypeinfo(const char *text, struct lab_diag_report *r)
{
	struct words w = words_of(text);
	struct lab_diag_zone *z;
	long pageblock = 0;
	struct diag_token t;

	while (next(&w, &t)) {
		if (diag_token_is(&t, "block:") && next(&w, &t)) {
			pageblock = number(&t);
			if (pageblock > 1 << 20)
				pageblock = 0;
			continue;
		}
		if (!diag_token_is(&t, "Node"))
			continue;
		z = read_zone(&w, r);
		if (z == NULL)
			continue;
		struct words at = w;

		if (next(&at, &t) && diag_token_is(&t, "type")) {
			w = at;
			read_free_of_type(&w, z);
		} else {
			read_pageblocks(&w, z, pageblock);
		}
	}
	for (unsigned int i = 0; i < r->nr_zones; i++)
		reconcile(&r->zones[i]);
}

/* ------------------------------------------------------------------ settings */

static long
setting(const char *text)
{
	struct words w = words_of(text);
	struct diag_token t;

	return next(&w, &t) ? number(&t) : LAB_DIAG_UNKNOWN;
}

/** lowmem_reserve_ratio has a number for each zone that the kernel was built with; zoneinfo lists them all,
 *  Device perhaps apart. */
static void
read_ratios(const char *text, struct lab_diag_report *r)
{
	struct words w = words_of(text);
	long ratio[LAB_DIAG_NR_TYPES];
	unsigned int n = read_numbers(&w, ratio, LAB_DIAG_NR_TYPES), i = 0;
	bool seen[LAB_DIAG_NR_TYPES] = {[LAB_DIAG_NORMAL] = true, [LAB_DIAG_MOVABLE] = true};

	for (unsigned int z = 0; z < r->nr_zones; z++)
		seen[r->zones[z].type] = true;
	for (unsigned int t = 0; t < LAB_DIAG_DEVICE; t++)
		i += seen[t];
	if (i != n && i + 1 != n)
		return;
	i = 0;
	for (unsigned int t = 0; t < LAB_DIAG_DEVICE; t++)
		r->ratio[t] = seen[t] ? ratio[i++] : LAB_DIAG_UNKNOWN;
}

static void
read_release(const char *text, struct lab_diag_report *r)
{
	struct words w = words_of(text);
	struct diag_token t;

	if (next(&w, &t))
		diag_read_release(r, t.s, t.len);
}

void
lab_diag_update_blocks(const char *buddyinfo, struct lab_diag_report *r)
{
	read_buddyinfo(buddyinfo, r);
}

int
lab_diag_read_proc(const struct lab_diag_proc *proc, struct lab_diag_report *r)
{
	lab_diag_report_init(r);
	r->source = LAB_DIAG_PROC;
	read_zoneinfo(proc->zoneinfo, r);
	read_buddyinfo(proc->buddyinfo, r);
	read_pagetypeinfo(proc->pagetypeinfo, r);
	read_ratios(proc->lowmem_reserve_ratio,
		r); /* before the empty zones go, which have a number too */
	drop_empty_zones(r);
	read_release(proc->osrelease, r);
	r->min_free_kbytes = setting(proc->min_free_kbytes);
	r->watermark_scale_factor = setting(proc->watermark_scale_factor);
	return r->nr_zones > 0 ? 0 : -EINVAL;
}
