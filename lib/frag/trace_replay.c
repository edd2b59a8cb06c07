/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The emulated zone takes its own decisions, so a frame of the trace and the one that stands for it differ: a table
 * maps them. What was held before the recording is given back from where the trace says, as the emulated zone spans
 * the same frames; where something else lies there, from a place chosen by the seed. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trace_held.h"

#define ABSENT UINT32_MAX /* in the map: the emulated zone refused it */
#define HELD_BEFORE                                                                                \
	(UINT32_MAX - 1) /* in the map: in a list, and held since before the recording */
#define IN_LIST   0x80   /* of a mapped block's order: freed, and not drained yet */
#define WINDOW_NS UINT64_C(10000000)

/** Flags that change what happens to the page's content, of which there is none. */
#define CONTENT_FLAGS (__LAB_GFP_ZERO | __LAB_GFP_OOM_VICTIM)

enum lab_linux
lab_trace_linux(const char *release)
{
	int major = 0, minor = 0;

	if (sscanf(release, "%d.%d", &major, &minor) != 2)
		return LAB_LINUX_6_12;
	return major < 6 || (major == 6 && minor <= 6) ? LAB_LINUX_6_1 : LAB_LINUX_6_12;
}

const char *
lab_trace_pcp_name(enum lab_trace_pcp_mode mode)
{
	static const char *const names[LAB_NR_TRACE_PCP_MODES] = {"follow", "model"};

	return (unsigned int)mode < LAB_NR_TRACE_PCP_MODES ? names[mode] : NULL;
}

/* ------------------------------------------------------------- the mapping */

static unsigned int
mapped_order(const struct replay *r, unsigned long rel)
{
	return r->map_order[rel] & ~IN_LIST;
}

static bool
is_real(uint32_t to)
{
	return to != 0 && to != ABSENT && to != HELD_BEFORE;
}

/** Free what is mapped at a recorded frame. */
static void
free_mapped(struct replay *r, unsigned long rel)
{
	uint32_t to = r->map[rel];

	r->map[rel] = 0;
	if (is_real(to))
		lab_free_pages(r->zone, lab_pfn_to_page(r->zone, to - 1), mapped_order(r, rel));
	else if (to == HELD_BEFORE)
		trace_free_held(r, rel, mapped_order(r, rel));
}

/** Turn the mapped block around a frame into blocks of order 0. @return was there one? */
static bool
split_around(struct replay *r, unsigned long rel)
{
	for (unsigned int k = 0; k <= LAB_MAX_ORDER; k++) {
		unsigned long from = rel & ~((1UL << k) - 1);
		uint32_t to = r->map[from];

		unsigned int order = mapped_order(r, from);

		if (to == 0 || from + (1UL << order) <= rel)
			continue;
		if (is_real(to) && order > 0)
			lab_split_page(r->zone, lab_pfn_to_page(r->zone, to - 1), order);
		for (unsigned long i = 1UL << order; i-- > 0;) {
			r->map[from + i] = is_real(to) ? to + (uint32_t)i : to;
			r->map_order[from + i] = r->map_order[from] & IN_LIST;
		}
		return true;
	}
	return false;
}

/** Is all of the range mapped? A block that reaches over an end of it is split. @return frames that are */
static unsigned long
mapped_frames(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order), n = 0;

	if (r->map[rel] == 0 || mapped_order(r, rel) > order)
		split_around(r, rel);
	for (unsigned long i = rel; i < end;) {
		unsigned long size = r->map[i] != 0 ? 1UL << mapped_order(r, i) : 1;

		n += r->map[i] != 0 ? size : 0;
		i += size;
	}
	return n;
}

static void
free_range(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order);

	while (rel < end) {
		unsigned long size = r->map[rel] != 0 ? 1UL << mapped_order(r, rel) : 1;

		if (r->map[rel] != 0)
			free_mapped(r, rel);
		rel += size;
	}
}

/* ---------------------------------------------------------------- refusals */

static void
window_close(struct replay *r)
{
	uint64_t a = r->in_window_actual, p = r->in_window_predicted;

	r->out->coincide += a < p ? a : p;
	r->in_window_actual = r->in_window_predicted = 0;
}

static void
count_refusal(struct replay *r, const struct lab_trace_event *e, bool actual, bool predicted)
{
	struct lab_trace_result *out = r->out;

	if (!lab_gfp_is_atomic(e->gfp)) {
		out->other_actual += actual;
		out->other_predicted += predicted;
		return;
	}
	out->actual += actual;
	out->predicted += predicted;
	out->both += actual && predicted;
	r->in_window_actual += actual;
	r->in_window_predicted += predicted;
}

/* ----------------------------------------------------- lists as recorded */

/** Orders that the kernel's lists take: [pcp_allowed_order] */
static bool
has_lists(const struct replay *r, unsigned int order)
{
	return r->follow && (order <= 3 || order == LAB_PAGEBLOCK_ORDER);
}

/** A block that lay in a list is used again: the free blocks do not change. */
static bool
taken_from_list(struct replay *r, const struct lab_trace_event *e, unsigned long rel)
{
	uint64_t *stock = &r->stock[e->cpu];

	if (r->map[rel] != 0 && r->map_order[rel] == (e->order | IN_LIST)) {
		/* what was held before is so again, and known by that to its next free */
		if (r->map[rel] == HELD_BEFORE)
			r->map[rel] = 0;
		r->map_order[rel] &= ~IN_LIST;
		return true;
	}
	if (mapped_frames(r, rel, e->order) > 0 || *stock < 1UL << e->order)
		return false;
	*stock -= 1UL << e->order; /* one of those that were there at the beginning */
	return true;
}

/** @return false: nothing is known of it, or it is in parts */
static bool
put_in_list(struct replay *r, unsigned long rel, unsigned int order)
{
	if (r->map[rel] == ABSENT || (r->map[rel] != 0 && mapped_order(r, rel) != order))
		return false;
	if (r->map[rel] == 0) {
		if (mapped_frames(r, rel, order) > 0)
			return false;
		r->map[rel] = HELD_BEFORE;
		r->out->frees_before++;
	} else {
		r->out->frees++;
	}
	r->map_order[rel] = (uint8_t)(order | IN_LIST);
	return true;
}

static void
on_drain(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;
	uint64_t *stock = &r->stock[e->cpu], pages = UINT64_C(1) << e->order;

	if (!r->follow)
		return;
	if (mapped_frames(r, rel, e->order) > 0) {
		free_range(r, rel, e->order);
	} else {
		*stock -= *stock < pages ? *stock : pages;
		r->out->frees_unmatched += !trace_free_held(r, rel, e->order);
	}
}

/* ------------------------------------------------------------------ events */

static void *
ask(struct replay *r, const struct lab_trace_event *e)
{
	void *page = lab_alloc_pages(r->zone, e->gfp & ~CONTENT_FLAGS, e->order);

	if (page == NULL && errno == EINVAL)
		r->out->not_for_zone++;
	return page;
}

static void
on_alloc(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;
	void *page;

	if (has_lists(r, e->order) && taken_from_list(r, e, rel)) {
		r->out->allocs++;
		r->out->from_lists++;
		/* the gate stands before the lists, too */
		if (lab_gfp_is_atomic(e->gfp) && lab_zone_explain(r->zone, e->gfp & ~CONTENT_FLAGS,
							 e->order, NULL) != LAB_CAUSE_NONE)
			count_refusal(r, e, false, true);
		return;
	}
	if (mapped_frames(r, rel, e->order) > 0) {
		r->out->reused++;
		free_range(r, rel, e->order);
	}
	page = ask(r, e);
	r->map[rel] = page != NULL ? (uint32_t)lab_page_to_pfn(r->zone, page) + 1 : ABSENT;
	r->map_order[rel] = (uint8_t)e->order;
	r->out->allocs += page != NULL;
	if (page == NULL && errno != EINVAL)
		count_refusal(r, e, false, true);
}

/** A request that the kernel refused: a forecast first, so that one which would be served changes nothing. */
static void
on_refuse(struct replay *r, const struct lab_trace_event *e)
{
	lab_gfp_t gfp = e->gfp & ~CONTENT_FLAGS;
	bool refused = lab_zone_explain(r->zone, gfp, e->order, NULL) != LAB_CAUSE_NONE;

	if (refused) {
		void *page = ask(r, e);

		refused = page == NULL && errno != EINVAL;
		if (page != NULL)
			lab_free_pages(r->zone, page, e->order);
	}
	count_refusal(r, e, true, refused);
}

static void
on_free(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;

	if (has_lists(r, e->order) && put_in_list(r, rel, e->order))
		return;
	if (mapped_frames(r, rel, e->order) > 0) {
		r->out->frees_skipped += r->map[rel] == ABSENT;
		r->out->frees += r->map[rel] != ABSENT;
		free_range(r, rel, e->order);
	} else if (trace_free_held(r, rel, e->order)) {
		r->out->frees_before++;
	} else {
		r->out->frees_unmatched++;
	}
}

static void
add_error(struct lab_trace_error *err, double diff, double still, double index, double index_still)
{
	err->mean += fabs(diff);
	err->max = fmax(err->max, fabs(diff));
	err->bias += diff;
	err->still += fabs(still);
	err->index_mean += fabs(index);
	err->index_max = fmax(err->index_max, fabs(index));
	err->index_still += fabs(index_still);
}

static struct lab_free_counts
counts_of(const unsigned long blocks[LAB_NR_ORDERS])
{
	struct lab_free_counts c = {0};

	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		c.blocks[order][LAB_MIGRATE_MOVABLE] = blocks[order];
		c.nr_free += blocks[order] << order;
	}
	return c;
}

static void
on_sample(struct replay *r, const struct lab_trace_event *e)
{
	struct lab_free_counts ours, kernel = counts_of(e->blocks), first;

	lab_zone_kswapd(
		r->zone); /* nothing to reclaim: takes the boost away, as the kernel's does */
	if (r->out->samples++ == 0)
		memcpy(r->first, e->blocks, sizeof(r->first));
	first = counts_of(r->first);
	lab_zone_free_counts(r->zone, &ours);
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		struct lab_trace_error *err = &r->out->order[order];
		double theirs = (double)e->blocks[order], mine = 0;
		int index = lab_unusable_free_index(&kernel, order);

		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			mine += (double)ours.blocks[order][mt];
		err->kernel += theirs;
		add_error(err, mine - theirs, (double)r->first[order] - theirs,
			lab_unusable_free_index(&ours, order) - index,
			lab_unusable_free_index(&first, order) - index);
	}
}

static void
on_event(struct replay *r, const struct lab_trace_event *e)
{
	uint64_t window = e->ns / r->window_ns;

	if (window != r->window)
		window_close(r);
	r->window = window;
	r->out->ns = e->ns;
	lab_zone_set_time(r->zone, e->ns + 1); /* 0 would be the real clock */
	lab_cpu_set(e->cpu);
	switch (e->type) {
	case LAB_TRACE_ALLOC:
		on_alloc(r, e);
		break;
	case LAB_TRACE_REFUSE:
		on_refuse(r, e);
		break;
	case LAB_TRACE_FREE:
		on_free(r, e);
		break;
	case LAB_TRACE_SAMPLE:
		on_sample(r, e);
		break;
	case LAB_TRACE_DRAIN:
		on_drain(r, e);
		break;
	default: /* the emulated zone steals by itself */
		break;
	}
}

/* ------------------------------------------------------------------ set up */

static enum lab_zone_type
zone_type(const char *name)
{
	static const char *const names[LAB_NR_ZONE_TYPES] = {"DMA", "DMA32", "Normal", "Movable"};

	for (int t = 0; t < LAB_NR_ZONE_TYPES; t++)
		if (strcmp(name, names[t]) == 0)
			return (enum lab_zone_type)t;
	return LAB_ZONE_NORMAL;
}

/** The scale factor that gives this distance between the marks. */
static unsigned int
scale_factor(const struct lab_trace_head *h)
{
	unsigned long gap = h->low - h->min;
	unsigned long scale = (gap * 10000 + h->managed - 1) / h->managed;

	if (gap <= h->min / 4 || scale < 1)
		return 1;
	return scale < 3000 ? (unsigned int)scale : 3000;
}

static int
make_zone(struct replay *r, enum lab_allocator allocator)
{
	struct lab_zone_config cfg = lab_zone_config_default(r->head.managed);

	r->frames = mmap(NULL, r->head.managed * LAB_PAGE_SIZE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->frames == MAP_FAILED) {
		r->frames = NULL;
		return -ENOMEM;
	}
	cfg.base = r->frames;
	cfg.name = r->head.zone;
	cfg.node = r->head.node;
	cfg.type = zone_type(r->head.zone);
	cfg.allocator = allocator;
	cfg.linux_version = lab_trace_linux(r->head.kernel);
	cfg.nr_cpus = r->head.nr_cpus;
	cfg.no_pcp = !r->head.has_pcp || r->follow;
	cfg.keep_content = true;
	cfg.min_free_kbytes = (long)(r->head.min * (LAB_PAGE_SIZE / 1024));
	cfg.watermark_scale_factor = scale_factor(&r->head);
	for (unsigned int i = 0; i < r->head.nr_reserves && i < LAB_NR_ZONE_TYPES; i++)
		cfg.lowmem_reserve[i] = r->head.reserve[i];
	return lab_zone_create(&r->zone, &cfg);
}

static void
note_held(struct replay *r, const struct trace_layout *l)
{
	memset(r->held, NOT_HELD, r->head.managed);
	for (size_t i = 0; i < l->nr; i++) {
		const struct lab_block *b = &l->blocks[i];

		if (b->state != LAB_BLOCK_ALLOCATED)
			continue;
		memset(&r->held[b->pfn], HELD_INSIDE, 1UL << b->order);
		r->held[b->pfn] = b->order;
	}
}

/** What the per-CPU lists held is free memory that buddyinfo does not count. What the emulated zone's lists have no room for
 *  stays held. */
static void
fill_pcp(struct replay *r)
{
	for (unsigned int cpu = 0; r->head.has_pcp && cpu < r->head.nr_cpus; cpu++) {
		uint32_t n = r->head.pcp[cpu].count;
		struct lab_pcp_info info = {0};
		uint32_t room;

		r->stock[cpu] = n;
		if (r->follow)
			continue;
		lab_cpu_set(cpu);
		lab_zone_pcp_info(r->zone, cpu, &info);
		room = info.high_min > info.batch ? (uint32_t)(info.high_min - info.batch) : 0;
		n = n < room ? n : room;
		for (uint32_t i = 0; i < n && i < r->head.managed; i++)
			if (!trace_free_held_anywhere(r, 0))
				break;
	}
}

static int
lay_out(struct replay *r, enum lab_allocator allocator)
{
	struct trace_layout l;
	int rc = trace_layout_make(&l, &r->head, allocator == LAB_ALLOCATOR_BUDDY, &r->rng);

	if (rc != 0)
		return rc;
	rc = lab_zone_restore(r->zone, l.blocks, l.nr, l.pageblock_mt, l.nr_pageblocks);
	memcpy(r->out->not_laid_out, l.missed, sizeof(l.missed));
	note_held(r, &l);
	trace_layout_fini(&l);
	if (rc == 0)
		fill_pcp(r);
	return rc;
}

static int
set_up(struct replay *r, const struct lab_trace_options *o)
{
	unsigned long frames;

	r->origin = r->head.start & ~((1UL << LAB_MAX_ORDER) - 1);
	frames = r->head.start - r->origin + r->head.spanned;
	r->held = malloc(r->head.managed + 1);
	r->map = calloc(frames + 1, sizeof(*r->map));
	r->map_order = calloc(frames + 1, 1);
	r->nr_pairs = r->head.managed / PAIR;
	r->pair = malloc((frames / PAIR + 1) * sizeof(*r->pair));
	r->pair_taken = calloc(r->nr_pairs + 1, 1);
	r->stock = calloc(r->head.nr_cpus, sizeof(*r->stock));
	if (r->held == NULL || r->map == NULL || r->map_order == NULL || r->stock == NULL ||
		r->pair == NULL || r->pair_taken == NULL)
		return -ENOMEM;
	memset(r->pair, 0xff, (frames / PAIR + 1) * sizeof(*r->pair));
	r->follow = r->head.has_pcp && o->pcp == LAB_TRACE_PCP_FOLLOW;
	lab_rng_seed(&r->rng, o->seed);
	return make_zone(r, o->allocator);
}

static int
explain(struct replay *r, int rc)
{
	struct lab_trace_reader *in = &r->reader;

	if (rc != 0 && in->err != NULL && in->errlen > 0)
		snprintf(in->err, in->errlen, "a zone like the trace's cannot be made: %s",
			strerror(-rc));
	return rc == -EINVAL ? -ERANGE : rc;
}

static int
run(struct replay *r, const struct lab_trace_options *o)
{
	struct lab_trace_event e;
	int rc = lab_trace_read_head(&r->reader, &r->head);

	if (rc != 0)
		return rc;
	rc = set_up(r, o);
	rc = rc != 0 ? rc : lay_out(r, o->allocator);
	if (rc != 0)
		return explain(r, rc);
	while ((rc = lab_trace_read_event(&r->reader, &e)) == 1)
		on_event(r, &e);
	window_close(r);
	return rc;
}

static void
finish(struct replay *r)
{
	double n = r->out->samples > 0 ? (double)r->out->samples : 1;

	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		struct lab_trace_error *e = &r->out->order[order];

		e->kernel /= n;
		e->mean /= n;
		e->bias /= n;
		e->still /= n;
		e->index_mean /= n;
		e->index_still /= n;
	}
	r->out->head = r->head;
	r->out->counts = r->reader.counts;
}

int
lab_trace_replay(FILE *in, const struct lab_trace_options *options, struct lab_trace_result *out,
	char *err, size_t errlen)
{
	static const struct lab_trace_options none;
	const struct lab_trace_options *o = options != NULL ? options : &none;
	struct replay *r = calloc(1, sizeof(*r));
	struct lab_trace_result *result = calloc(1, sizeof(*result));
	int rc = -ENOMEM;

	if (r != NULL && result != NULL) {
		r->reader = (struct lab_trace_reader){.in = in, .err = err, .errlen = errlen};
		r->out = result;
		r->window_ns = o->window_ns > 0 ? o->window_ns : WINDOW_NS;
		rc = run(r, o);
	}
	if (rc == 0) {
		finish(r);
		*out = *result;
	}
	if (r != NULL) {
		lab_zone_destroy(r->zone);
		if (r->frames != NULL)
			munmap(r->frames, r->head.managed * LAB_PAGE_SIZE);
		free(r->held);
		free(r->map);
		free(r->map_order);
		free(r->stock);
		free(r->pair);
		free(r->pair_taken);
	}
	free(r);
	free(result);
	return rc;
}
