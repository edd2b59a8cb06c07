/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Where the trace says at which places the free blocks lay, its frames are the emulated zone's (trace_named.c). Else, or for another
 * allocator, the zone takes its own decisions, so a frame of the trace and the one that stands for it differ: a table
 * maps them. What was held before the recording is given back from where the trace says, as the emulated zone spans
 * the same frames; where something else lies there, from a place chosen by the seed. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trace_replay.h"

#define WINDOW_NS UINT64_C(10000000)

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
	out->atomic[e->order].actual += actual;
	out->atomic[e->order].predicted += predicted;
	out->atomic[e->order].both += actual && predicted;
	r->in_window_actual += actual;
	r->in_window_predicted += predicted;
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

/** Served by the kernel: is it, too, by the zone as it stands? Not asked of who may reclaim.
 *  @param v out: the pass that decides it */
static bool
refusal_is_foreseen(struct replay *r, const struct lab_trace_event *e, struct lab_verdict *v)
{
	lab_zone_explain(r->zone, e->gfp & ~CONTENT_FLAGS, e->order, v);
	return lab_gfp_is_atomic(e->gfp) && v->cause != LAB_CAUSE_NONE;
}

/** The kernel gave it, so it is given whatever the forecast was: one error must not make the next. */
static void
follow_alloc(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;
	struct lab_verdict v;
	bool refused = refusal_is_foreseen(r, e, &v);

	trace_takings_done(r, e->cpu, e);
	if (r->named) {
		trace_named_alloc(r, e, v.alloc_flags);
	} else if (!trace_list_gives(r, e, rel)) {
		trace_take(r, rel, e->order, e->gfp);
		trace_list_gives(r, e, rel);
		r->out->unseen++;
	} else {
		r->out->from_lists++;
	}
	r->out->allocs += r->named || r->map[rel] != ABSENT;
	if (refused)
		count_refusal(r, e, false, true);
}

static void
on_alloc(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;
	void *page;

	if (r->follow) {
		follow_alloc(r, e);
		return;
	}
	if (trace_map_frames(r, rel, e->order) > 0) {
		r->out->reused++;
		trace_map_free(r, rel, e->order);
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

	if (refused && !r->named) { /* by name the zone stays as the kernel's is */
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

	if (r->named) {
		trace_named_free(r, e);
		return;
	}
	if (r->follow && trace_list_takes(r, rel, e->order))
		return;
	if (trace_map_frames(r, rel, e->order) > 0) {
		r->out->frees_skipped += r->map[rel] == ABSENT;
		r->out->frees += r->map[rel] != ABSENT;
		trace_map_free(r, rel, e->order);
	} else if (trace_free_held(r, rel, e->order)) {
		r->out->frees_before++;
	} else {
		r->out->frees_unmatched++;
	}
}

static void
add_error(struct lab_trace_error *err, double kernel, double mine, double first)
{
	double diff = mine - kernel;

	err->kernel += kernel;
	err->mean += fabs(diff);
	err->max = fmax(err->max, fabs(diff));
	err->bias += diff;
	err->still += fabs(first - kernel);
}

static void
add_index_error(struct lab_trace_error *err, double index, double index_still)
{
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

	if (r->named)
		lab_zone_set_boost(r->zone, e->boost);
	else if (e->boost == 0) /* nothing to reclaim: takes the boost away, as the kernel's has */
		lab_zone_kswapd(r->zone);
	if (r->out->samples++ == 0)
		memcpy(r->first, e->blocks, sizeof(r->first));
	first = counts_of(r->first);
	lab_zone_free_counts(r->zone, &ours);
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		struct lab_trace_error *err = &r->out->order[order];
		double mine = 0;
		int index = lab_unusable_free_index(&kernel, order);

		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			mine += (double)ours.blocks[order][mt];
		add_error(err, (double)e->blocks[order], mine, (double)r->first[order]);
		add_index_error(err, lab_unusable_free_index(&ours, order) - index,
			lab_unusable_free_index(&first, order) - index);
	}
	add_error(&r->out->pages, (double)kernel.nr_free, (double)ours.nr_free,
		(double)first.nr_free);
	if (r->correct && r->named)
		trace_named_correct(r, (long)kernel.nr_free - (long)ours.nr_free);
	else if (r->correct)
		trace_correct(r, (long)kernel.nr_free - (long)ours.nr_free);
}

/** What the kernel took before this event. */
static void
settle_takings(struct replay *r, const struct lab_trace_event *e)
{
	switch (e->type) {
	case LAB_TRACE_SAMPLE:
		for (unsigned int cpu = 0; cpu < r->head.nr_cpus; cpu++)
			trace_takings_done(r, cpu, NULL);
		break;
	case LAB_TRACE_ALLOC: /* its gate stood before them */
	case LAB_TRACE_STEAL:
	case LAB_TRACE_TAKE:
		break;
	default:
		trace_takings_done(r, e->cpu, NULL);
	}
}

/** What the kernel did to its free blocks beside serving and freeing. */
static void
follow_event(struct replay *r, const struct lab_trace_event *e)
{
	switch (e->type) {
	case LAB_TRACE_DRAIN:
		r->named ? trace_named_drain(r, e) : trace_list_drains(r, e);
		break;
	case LAB_TRACE_COMPACT:
		r->named ? trace_named_compaction(r, e) : trace_compaction_takes(r, e->pages);
		break;
	case LAB_TRACE_TAKE:
		trace_taking_waits(r, e);
		break;
	case LAB_TRACE_STEAL: /* else the emulated zone steals by itself */
		if (r->named)
			trace_named_steal(r, e);
		break;
	default:
		break;
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
	if (r->follow)
		settle_takings(r, e);
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
	default: /* without its lists the emulated zone does all else by itself */
		if (r->follow)
			follow_event(r, e);
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

/** The scale factor that gives a zone of so many frames this distance between the marks. */
static unsigned int
scale_factor(const struct lab_trace_head *h, unsigned long frames)
{
	unsigned long gap = h->low - h->min;
	unsigned long scale = (gap * 10000 + frames - 1) / frames;

	if (gap <= h->min / 4 || scale < 1)
		return 1;
	return scale < 3000 ? (unsigned int)scale : 3000;
}

static int
make_zone(struct replay *r, enum lab_allocator allocator)
{
	struct lab_zone_config cfg = lab_zone_config_default(r->nr_frames);
	unsigned long before = r->head.start - r->origin;
	int rc;

	r->frames = mmap(NULL, r->nr_frames * LAB_PAGE_SIZE, PROT_NONE,
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
	cfg.watermark_scale_factor =
		scale_factor(&r->head, r->named ? r->head.spanned : r->head.managed);
	for (unsigned int i = 0; i < r->head.nr_reserves && i < LAB_NR_ZONE_TYPES; i++)
		cfg.lowmem_reserve[i] = r->head.reserve[i];
	cfg.offline = r->named;
	if (r->named)
		cfg.watermark_boost_factor = 0; /* the trace says it */
	rc = lab_zone_create(&r->zone, &cfg);
	return rc != 0 || !r->named
		       ? rc
		       : lab_zone_online(r->zone, (char *)r->frames + before * LAB_PAGE_SIZE,
				 r->head.spanned);
}

static void
note_held(struct replay *r, const struct trace_layout *l)
{
	memset(r->held, NOT_HELD, r->nr_frames);
	for (size_t i = 0; i < l->nr; i++) {
		const struct lab_block *b = &l->blocks[i];

		if (b->state != LAB_BLOCK_ALLOCATED)
			continue;
		trace_hold(r, b->pfn, b->order);
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
	int rc = r->named ? trace_places_lay_out(r, &l)
			  : trace_layout_make(
				    &l, &r->head, allocator == LAB_ALLOCATOR_BUDDY, &r->rng);

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

	frames = r->head.start - r->origin + r->head.spanned;
	r->follow = r->head.has_pcp && o->pcp == LAB_TRACE_PCP_FOLLOW;
	r->correct = r->follow && !o->no_correction;
	r->named = r->follow && r->places.nr > 0 && o->allocator == LAB_ALLOCATOR_BUDDY;
	r->nr_frames = r->named ? frames : r->head.managed;
	r->held = malloc(r->nr_frames + 1);
	r->flags = calloc(r->nr_frames + 1, 1);
	r->map = calloc(frames + 1, sizeof(*r->map));
	r->map_order = calloc(frames + 1, 1);
	r->nr_pairs = r->head.managed / PAIR;
	r->pair = malloc((frames / PAIR + 1) * sizeof(*r->pair));
	r->pair_taken = calloc(r->nr_pairs + 1, 1);
	r->stock = calloc(r->head.nr_cpus, sizeof(*r->stock));
	r->taking = calloc((size_t)r->head.nr_cpus * TAKINGS, sizeof(*r->taking));
	r->nr_takings = calloc(r->head.nr_cpus, sizeof(*r->nr_takings));
	if (r->held == NULL || r->flags == NULL || r->map == NULL || r->map_order == NULL ||
		r->stock == NULL || r->pair == NULL || r->pair_taken == NULL || r->taking == NULL ||
		r->nr_takings == NULL)
		return -ENOMEM;
	memset(r->pair, 0xff, (frames / PAIR + 1) * sizeof(*r->pair));
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

/** The places come before all other events. @param e out: the first of these @return as lab_trace_read_event() */
static int
read_places(struct replay *r, bool wanted, struct lab_trace_event *e)
{
	int rc;

	while ((rc = lab_trace_read_event(&r->reader, e)) == 1 && e->type == LAB_TRACE_PLACE) {
		rc = wanted ? trace_place_add(&r->places, e->pfn - r->origin, e->order) : 0;
		if (rc != 0)
			return rc;
	}
	return rc;
}

static int
run(struct replay *r, const struct lab_trace_options *o)
{
	struct lab_trace_event e;
	int rc = lab_trace_read_head(&r->reader, &r->head), more;

	if (rc != 0)
		return rc;
	r->origin = r->head.start & ~((1UL << LAB_MAX_ORDER) - 1);
	more = read_places(r, !o->no_places, &e);
	if (more < 0)
		return more;
	rc = set_up(r, o);
	rc = rc != 0 ? rc : lay_out(r, o->allocator);
	if (rc != 0)
		return explain(r, rc);
	for (; more == 1; more = lab_trace_read_event(&r->reader, &e))
		on_event(r, &e);
	rc = more;
	window_close(r);
	return rc;
}

static void
make_means(struct lab_trace_error *e, double n)
{
	e->kernel /= n;
	e->mean /= n;
	e->bias /= n;
	e->still /= n;
	e->index_mean /= n;
	e->index_still /= n;
}

static void
finish(struct replay *r)
{
	double n = r->out->samples > 0 ? (double)r->out->samples : 1;

	for (int order = 0; order < LAB_NR_ORDERS; order++)
		make_means(&r->out->order[order], n);
	make_means(&r->out->pages, n);
	r->out->named = r->named;
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
			munmap(r->frames, r->nr_frames * LAB_PAGE_SIZE);
		free(r->held);
		free(r->flags);
		free(r->places.at);
		free(r->map);
		free(r->map_order);
		free(r->stock);
		free(r->taking);
		free(r->nr_takings);
		free(r->pair);
		free(r->pair_taken);
	}
	free(r);
	free(result);
	return rc;
}
