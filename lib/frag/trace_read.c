/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A trace is read line by line; nothing of it is kept. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "trace.h"
#include "words.h"

#define MAX_FIGURE (UINT64_C(1) << 62)

static struct words
words_of(const struct lab_trace_reader *r)
{
	return (struct words){.in = r->in, .line = r->line, .err = r->err, .errlen = r->errlen};
}

static int
text(struct words *w, const char *key, char *out, size_t size)
{
	int rc = words_line(w);
	const char *s;

	rc = rc != 0 ? rc : words_keyword(w, key);
	if (rc != 0)
		return rc;
	s = words_next(w);
	if (s == NULL || strlen(s) >= size)
		return words_fail(
			w, -EINVAL, "%s: expected a word of at most %zu bytes", key, size - 1);
	strcpy(out, s);
	return words_end(w);
}

static int
figure(struct words *w, const char *what, unsigned long *out)
{
	uint64_t v = 0;
	int rc = words_number(w, what, LAB_TRACE_MAX_FRAMES, &v);

	*out = v;
	return rc;
}

static int
figures(struct words *w, const char *what, unsigned long *out, unsigned int n)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < n; i++)
		rc = figure(w, what, &out[i]);
	return rc;
}

static int
read_shape(struct words *w, struct lab_trace_head *h)
{
	uint64_t v[4] = {0};
	unsigned long marks[3] = {0};
	int rc = words_key(w, TRACE_MAGIC, UINT32_MAX, &v[0]);

	if (rc == 0 && v[0] != TRACE_VERSION)
		return words_fail(w, -EINVAL, "version %" PRIu64 " is not known, only %d", v[0],
			TRACE_VERSION);
	rc = rc != 0 ? rc : text(w, "kernel", h->kernel, sizeof(h->kernel));
	rc = rc != 0 ? rc : text(w, "zone", h->zone, sizeof(h->zone));
	rc = rc != 0 ? rc : words_key(w, "node", 1023, &v[0]);
	rc = rc != 0 ? rc : words_key(w, "start", UINT64_C(1) << 52, &v[1]);
	rc = rc != 0 ? rc : words_key(w, "spanned", LAB_TRACE_MAX_FRAMES, &v[2]);
	rc = rc != 0 ? rc : words_key(w, "managed", LAB_TRACE_MAX_FRAMES, &v[3]);
	rc = rc != 0 ? rc : words_line(w);
	rc = rc != 0 ? rc : words_keyword(w, "marks");
	rc = rc != 0 ? rc : figures(w, "mark", marks, 3);
	h->node = (int)v[0];
	h->start = v[1];
	h->spanned = v[2];
	h->managed = v[3];
	h->min = marks[0];
	h->low = marks[1];
	h->high = marks[2];
	return rc != 0 ? rc : words_end(w);
}

static int
read_reserves(struct words *w, struct lab_trace_head *h)
{
	int rc = words_line(w);

	rc = rc != 0 ? rc : words_keyword(w, "reserve");
	while (rc == 0 && w->rest != NULL) {
		if (h->nr_reserves == LAB_TRACE_MAX_RESERVES)
			return words_fail(
				w, -EINVAL, "more than %d reserves", LAB_TRACE_MAX_RESERVES);
		rc = figure(w, "reserve", &h->reserve[h->nr_reserves++]);
	}
	return rc;
}

static int
read_free(struct words *w, unsigned int mt, struct lab_trace_head *h)
{
	unsigned int got = 0;
	int rc = words_line(w);

	rc = rc != 0 ? rc : words_keyword(w, "free");
	rc = rc != 0 ? rc : words_letter(w, words_next(w), LAB_MIGRATE_TYPES, &got);
	if (rc == 0 && got != mt)
		return words_fail(w, -EINVAL, "expected type %c", ZONE_LETTERS[mt]);
	rc = rc != 0 ? rc : figures(w, "blocks", h->free[mt], LAB_NR_ORDERS);
	return rc != 0 ? rc : words_end(w);
}

/** "free * ..." alone, or "pageblocks ..." and a line of free blocks a type. */
static int
read_types(struct words *w, struct lab_trace_head *h)
{
	int rc = words_line(w);

	if (rc == 0 && strncmp(w->text, "free ", 5) == 0) {
		rc = words_keyword(w, "free");
		rc = rc != 0 ? rc : words_keyword(w, "*");
		rc = rc != 0 ? rc
			     : figures(w, "blocks", h->free[LAB_MIGRATE_MOVABLE], LAB_NR_ORDERS);
		return rc != 0 ? rc : words_end(w);
	}
	h->has_types = true;
	rc = rc != 0 ? rc : words_keyword(w, "pageblocks");
	rc = rc != 0 ? rc : figures(w, "pageblocks", h->pageblocks, LAB_MIGRATE_TYPES);
	rc = rc != 0 ? rc : words_end(w);
	for (unsigned int mt = 0; rc == 0 && mt < LAB_MIGRATE_TYPES; mt++)
		rc = read_free(w, mt, h);
	return rc;
}

static int
read_pcp(struct words *w, unsigned int cpu, struct lab_trace_head *h)
{
	uint64_t v[4] = {0};
	int rc = words_keyword(w, "pcp");

	for (int i = 0; rc == 0 && i < 4; i++)
		rc = words_number(w, "pcp", INT32_MAX, &v[i]);
	rc = rc != 0 ? rc : words_end(w);
	if (rc == 0 && v[0] != cpu)
		return words_fail(w, -EINVAL, "expected CPU %u", cpu);
	h->pcp[cpu] = (struct lab_trace_pcp){(uint32_t)v[1], (uint32_t)v[2], (uint32_t)v[3]};
	return rc;
}

/** The CPUs, and the line "events" behind them. */
static int
read_cpus(struct words *w, struct lab_trace_head *h)
{
	uint64_t n = 0;
	int rc = words_key(w, "cpus", LAB_MAX_CPUS, &n);

	h->nr_cpus = (unsigned int)n;
	rc = rc != 0 ? rc : words_line(w);
	h->has_pcp = rc == 0 && strncmp(w->text, "pcp ", 4) == 0;
	for (unsigned int i = 0; rc == 0 && h->has_pcp && i < h->nr_cpus; i++) {
		rc = read_pcp(w, i, h);
		rc = rc != 0 ? rc : words_line(w);
	}
	rc = rc != 0 ? rc : words_keyword(w, "events");
	return rc != 0 ? rc : words_end(w);
}

int
lab_trace_read_head(struct lab_trace_reader *r, struct lab_trace_head *h)
{
	struct words w = words_of(r);
	const char *fault;
	int rc;

	memset(h, 0, sizeof(*h));
	rc = read_shape(&w, h);
	rc = rc != 0 ? rc : read_reserves(&w, h);
	rc = rc != 0 ? rc : read_types(&w, h);
	rc = rc != 0 ? rc : read_cpus(&w, h);
	r->line = w.line;
	if (rc != 0)
		return rc;
	fault = trace_head_fault(h);
	if (fault != NULL)
		return words_fail(&w, -EINVAL, "the head: %s", fault);
	r->start = h->start;
	r->spanned = h->spanned;
	r->managed = h->managed;
	r->nr_cpus = h->nr_cpus;
	return 0;
}

/* ------------------------------------------------------------------ events */

static int
read_sample(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	uint64_t pages = 0, boost = 0;
	int rc = figures(w, "blocks", e->blocks, LAB_NR_ORDERS);

	rc = rc != 0 ? rc : words_number(w, "boost", r->managed, &boost);
	e->boost = boost;
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		pages += (uint64_t)e->blocks[order] << order;
	/* Blocks are counted while others come and go, so a little more than there is may be seen. */
	if (rc == 0 && pages > 2 * (uint64_t)r->managed)
		return words_fail(w, -EINVAL, "more frames are free than are managed");
	return rc;
}

static int
read_frame(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	uint64_t pfn = 0, order = 0;
	int rc = 0;

	if (e->type != LAB_TRACE_REFUSE)
		rc = words_number(w, "frame", MAX_FIGURE, &pfn);
	rc = rc != 0 ? rc : words_number(w, "order", LAB_MAX_ORDER, &order);
	e->pfn = pfn;
	e->order = (unsigned int)order;
	if (rc != 0 || e->type == LAB_TRACE_REFUSE)
		return rc;
	if (pfn & ((UINT64_C(1) << order) - 1))
		return words_fail(
			w, -EINVAL, "frame %" PRIu64 " is not aligned to order %u", pfn, e->order);
	if (pfn < r->start || pfn - r->start + (UINT64_C(1) << order) > r->spanned)
		return words_fail(w, -EINVAL, "frame %" PRIu64 " is not of the zone", pfn);
	return 0;
}

/** They are a map of the zone as it was, so nothing has happened yet, and each frame is told of once. */
static int
read_place(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	int rc = read_frame(r, w, e);

	if (rc != 0)
		return rc;
	for (int t = 0; t < LAB_NR_TRACE_TYPES; t++)
		if (t != LAB_TRACE_PLACE && r->seen.events[t] > 0)
			return words_fail(w, -EINVAL, "a place after other events");
	if (e->pfn < r->place_end)
		return words_fail(w, -EINVAL, "frame %lu is not behind the place before it, %lu",
			e->pfn, r->place_end);
	r->place_end = e->pfn + (1UL << e->order);
	return 0;
}

static int
read_compaction(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	uint64_t from = 0, end = 0, pages = 0;
	int rc = words_number(w, "frame", MAX_FIGURE, &from);

	rc = rc != 0 ? rc : words_number(w, "end", MAX_FIGURE, &end);
	rc = rc != 0 ? rc : words_number(w, "pages", r->managed, &pages);
	e->pfn = from;
	e->end = end;
	e->pages = pages;
	if (rc != 0)
		return rc;
	if (from >= end)
		return words_fail(w, -EINVAL, "no frame from %" PRIu64 " to %" PRIu64, from, end);
	if (from < r->start || end - r->start > r->spanned)
		return words_fail(w, -EINVAL,
			"frames %" PRIu64 " to %" PRIu64 " are not of the zone", from, end);
	return 0;
}

static int
read_request(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	uint64_t cpu = 0, gfp = 0;
	int rc = words_number(w, "CPU", r->nr_cpus - 1, &cpu);

	e->cpu = (unsigned int)cpu;
	if (rc == 0 && e->type == LAB_TRACE_COMPACT)
		return read_compaction(r, w, e);
	rc = rc != 0 ? rc : read_frame(r, w, e);
	if (e->type == LAB_TRACE_ALLOC || e->type == LAB_TRACE_REFUSE)
		rc = rc != 0 ? rc : words_number(w, "gfp", UINT32_MAX, &gfp);
	if (e->type != LAB_TRACE_FREE)
		rc = rc != 0 ? rc
			     : words_letter(w, words_next(w), LAB_MIGRATE_TYPES, &e->migratetype);
	e->gfp = (uint32_t)gfp;
	return rc;
}

static int
read_end(struct lab_trace_reader *r, struct words *w)
{
	int rc = 0;

	for (int t = 0; rc == 0 && t < LAB_NR_TRACE_TYPES; t++) {
		rc = words_number(w, "count", MAX_FIGURE, &r->counts.events[t]);
		if (rc == 0 && r->counts.events[t] != r->seen.events[t])
			return words_fail(w, -EINVAL,
				"%" PRIu64 " events of type %c announced, but there were %" PRIu64,
				r->counts.events[t], TRACE_KEYS[t], r->seen.events[t]);
	}
	rc = rc != 0 ? rc : words_number(w, "lost", MAX_FIGURE, &r->counts.lost);
	rc = rc != 0 ? rc : words_end(w);
	if (rc == 0 && getc_unlocked(r->in) != EOF) {
		w->line++;
		return words_fail(w, -EINVAL, "something follows the end");
	}
	return rc;
}

static int
read_by_type(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	switch (e->type) {
	case LAB_TRACE_SAMPLE:
		return read_sample(r, w, e);
	case LAB_TRACE_PLACE:
		return read_place(r, w, e);
	default:
		return read_request(r, w, e);
	}
}

static int
read_line(struct lab_trace_reader *r, struct words *w, struct lab_trace_event *e)
{
	const char *key, *which;
	int rc = words_line(w);

	if (rc != 0)
		return rc;
	key = words_next(w);
	if (key != NULL && strcmp(key, "end") == 0)
		return read_end(r, w);
	which = key != NULL && key[0] != '\0' && key[1] == '\0' ? strchr(TRACE_KEYS, key[0]) : NULL;
	if (which == NULL)
		return words_fail(w, -EINVAL, "expected an event of " TRACE_KEYS " or the end");
	e->type = (enum lab_trace_type)(which - TRACE_KEYS);
	rc = words_number(w, "time", LAB_TRACE_MAX_NS, &e->ns);
	if (rc == 0 && e->ns < r->last_ns)
		return words_fail(w, -EINVAL, "time goes back from %" PRIu64, r->last_ns);
	rc = rc != 0 ? rc : read_by_type(r, w, e);
	rc = rc != 0 ? rc : words_end(w);
	if (rc != 0)
		return rc;
	r->last_ns = e->ns;
	r->seen.events[e->type]++;
	return 1;
}

int
lab_trace_read_event(struct lab_trace_reader *r, struct lab_trace_event *e)
{
	struct words w = words_of(r);
	int rc;

	memset(e, 0, sizeof(*e));
	rc = read_line(r, &w, e);
	r->line = w.line;
	return rc;
}
