/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/**
 * @file result.c
 * A row's rounds as figures, and as JSON; docs/bench.md says what each member means.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lab_report.h>

#include "bench.h"
#include "options.h"

/* ----------------------------------------------------------------- figures */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static unsigned int
clean_rounds(const struct bench_result *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->rounds; i++)
		n += r->round[i].clean;
	return n;
}

struct bench_figure
bench_figure(const struct bench_result *r, double (*get)(const struct bench_sample *s))
{
	bool all = 2 * clean_rounds(r) <= r->rounds;
	double v[BENCH_MAX_ROUNDS];
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->rounds; i++)
		if ((all || r->round[i].clean) && r->round[i].pages > 0)
			v[n++] = get(&r->round[i]);
	if (n == 0)
		return (struct bench_figure){0};
	qsort(v, n, sizeof(*v), by_value);
	return (struct bench_figure){(v[(n - 1) / 2] + v[n / 2]) / 2, v[0], v[n - 1]};
}

static double
ticks_of(const struct bench_sample *s)
{
	return s->ticks;
}

static double
get_of(const struct bench_sample *s)
{
	return s->get;
}

static double
put_of(const struct bench_sample *s)
{
	return s->put;
}

static double
wall_of(const struct bench_sample *s)
{
	return s->wall;
}

static double
lost_of(const struct bench_sample *s)
{
	return s->lost;
}

static double
others_of(const struct bench_sample *s)
{
	return s->others;
}

/* -------------------------------------------------- the machine set apart */

/** Of the loop alone, what takes this many times its usual is taken for an interruption. */
#define INTERRUPTION 10

/**
 * The calls' histogram without the interruptions of the machine: the empty loop was interrupted, too, and
 * as often in the same time. From the longest calls downwards as many are left out.
 */
static void
set_apart(struct lab_hist *out, const struct bench_result *r, const struct bench_result *empty)
{
	double scale = empty->hist_ticks ? (double)r->hist_ticks / (double)empty->hist_ticks : 0;
	uint64_t from = INTERRUPTION * lab_hist_percentile(&empty->get, 50);
	double owed = 0;

	*out = r->get;
	for (unsigned int i = LAB_HIST_BUCKETS; i-- > lab_hist_index(from);) {
		uint64_t take;

		owed += scale * (double)empty->get.bucket[i];
		take = owed < (double)out->bucket[i] ? (uint64_t)owed : out->bucket[i];
		out->bucket[i] -= take;
		out->count -= take;
		owed -= (double)take;
	}
}

/* -------------------------------------------------------------------- JSON */

static json_t *
rounded(double v)
{
	return json_real(round(v * 1000) / 1000);
}

static json_t *
figure_json(const struct bench_env *env, struct bench_figure f)
{
	json_t *o = json_object();

	json_object_set_new(o, "median", rounded(f.median / env->ticks_a_ns));
	json_object_set_new(o, "min", rounded(f.min / env->ticks_a_ns));
	json_object_set_new(o, "max", rounded(f.max / env->ticks_a_ns));
	return o;
}

static json_t *
hist_json(const struct bench_env *env, const struct lab_hist *h)
{
	static const struct {
		const char *name;
		double percent;
	} points[] = {{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}, {"max", 100}};
	json_t *o = json_object();

	json_object_set_new(o, "calls", lab_json_u64(h->count));
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(points); i++)
		json_object_set_new(o, points[i].name,
			rounded((double)lab_hist_percentile(h, points[i].percent) /
				env->ticks_a_ns));
	return o;
}

static json_t *
latency_json(
	const struct bench_env *env, const struct bench_result *r, const struct bench_result *empty)
{
	json_t *o = json_object();
	struct lab_hist *apart;

	json_object_set_new(o, "get", hist_json(env, &r->get));
	json_object_set_new(o, "put", hist_json(env, &r->put));
	if (empty == NULL || empty->get.count == 0)
		return o;
	json_object_set_new(o, "empty", hist_json(env, &empty->get));
	apart = malloc(sizeof(*apart));
	if (apart != NULL) {
		set_apart(apart, r, empty);
		json_object_set_new(o, "get_apart", hist_json(env, apart));
	}
	free(apart);
	return o;
}

static void
set_column(json_t *o, const struct bench_result *r)
{
	json_object_set_new(o, "row", json_string(r->alloc->name));
	json_object_set_new(o, "pattern", json_string(r->column->pattern->name));
	json_object_set_new(o, "threads", json_integer(r->column->threads));
	json_object_set_new(o, "order", json_integer(r->column->order));
}

static void
set_state(json_t *o, const struct bench_env *env, const struct bench_result *r)
{
	const struct bench_options *opt = env->opt;
	bool shuffled = opt->shuffled && !(r->alloc->flags & BENCH_ORDERLESS);

	json_object_set_new(o, "unit", json_string(r->column->pattern->unit));
	json_object_set_new(o, "capacity", lab_json_u64(r->capacity));
	json_object_set_new(o, "fill", json_real(r->column->pattern->fill));
	json_object_set_new(o, "pool_order", json_string(shuffled ? "shuffled" : "plain"));
	json_object_set_new(o, "seed", lab_json_u64(opt->seed));
}

static void
set_figures(json_t *o, const struct bench_env *env, const struct bench_result *r)
{
	json_object_set_new(o, "ns", figure_json(env, bench_figure(r, ticks_of)));
	if (r->column->pattern->phased) {
		json_object_set_new(o, "get_ns", figure_json(env, bench_figure(r, get_of)));
		json_object_set_new(o, "put_ns", figure_json(env, bench_figure(r, put_of)));
		json_object_set_new(o, "wall_ns", figure_json(env, bench_figure(r, wall_of)));
	}
}

static void
set_counts(json_t *o, const struct bench_result *r)
{
	bool bounded = r->alloc->flags & BENCH_BOUNDED;
	uint64_t pages = 0;

	for (unsigned int i = 0; i < r->rounds; i++)
		pages += r->round[i].pages;
	json_object_set_new(o, "pages", lab_json_u64(pages));
	json_object_set_new(o, "refusals", lab_json_u64(r->refused));
	json_object_set_new(
		o, "false_refusals", lab_json_u64(bounded ? r->refused - r->expected : 0));
	json_object_set_new(o, "setup_refusals", lab_json_u64(bounded ? r->setup_refused : 0));
	json_object_set_new(o, "beyond_capacity", lab_json_u64(r->beyond));
	json_object_set_new(o, "not_zero", lab_json_u64(r->not_zero));
}

static void
set_noise(json_t *o, const struct bench_result *r)
{
	struct bench_figure others = bench_figure(r, others_of);
	unsigned int switches = 0;
	uint64_t steal = 0;

	for (unsigned int i = 0; i < r->rounds; i++) {
		switches += r->round[i].switches;
		steal += r->round[i].steal;
	}
	json_object_set_new(o, "rounds", json_integer(r->rounds));
	json_object_set_new(o, "clean_rounds", json_integer(clean_rounds(r)));
	json_object_set_new(o, "cpu_lost", rounded(bench_figure(r, lost_of).max));
	json_object_set_new(o, "cpu_others", rounded(others.median));
	json_object_set_new(o, "switches", json_integer(switches));
	json_object_set_new(o, "steal_ticks", lab_json_u64(steal));
}

json_t *
bench_result_json(
	const struct bench_env *env, const struct bench_result *r, const struct bench_result *empty)
{
	json_t *o = json_object();

	set_column(o, r);
	if (r->why[0] != '\0') {
		json_object_set_new(o, "skipped", json_string(r->why));
		return o;
	}
	set_state(o, env, r);
	set_figures(o, env, r);
	set_counts(o, r);
	set_noise(o, r);
	if (env->opt->latency)
		json_object_set_new(o, "latency_ns", latency_json(env, r, empty));
	return o;
}
