/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/**
 * @file column.c
 * All rows of a column: made, brought into the same state, measured by turns.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "noise.h"
#include "options.h"
#include "signals.h"

struct rows {
	struct bench_row row[BENCH_MAX_ROWS]; /**< those that are not skipped */
	unsigned int nr;
};

static void
progress(const struct bench_env *env, const struct bench_column *c, const char *what,
	unsigned int round)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%s, %u thread%s, order %u: %s", c->pattern->name, c->threads,
		c->threads > 1 ? "s" : "", c->order, what);
	if (round > 0)
		fprintf(stderr, " %u of %u", round, env->opt->rounds);
	fflush(stderr);
}

static void
progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* ------------------------------------------------------------------ making */

static void
threads_free(struct bench_row *row)
{
	for (unsigned int i = 0; i < row->nr_threads; i++) {
		if (row->thread[i] != NULL)
			free(row->thread[i]->held);
		free(row->thread[i]);
		row->thread[i] = NULL;
	}
}

static uint64_t
thread_seed(const struct bench_env *env, const struct bench_column *c, unsigned int index)
{
	uint64_t x = env->opt->seed + (uint64_t)(c->pattern - bench_patterns) * 1000 +
		     c->threads * 100 + c->order * 10 + index;

	return lab_splitmix64(&x);
}

static struct bench_thread *
thread_create(const struct bench_env *env, const struct bench_column *c,
	const struct bench_row *row, unsigned int index)
{
	struct bench_thread *t = aligned_alloc(LAB_CACHE_LINE, sizeof(*t));
	unsigned long capacity = row->result->capacity;

	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->ctx = row->ctx;
	t->alloc = row->alloc;
	t->index = index;
	t->order = c->order;
	t->alone = c->threads == 1;
	t->ring = env->ring;
	t->quota = capacity / c->threads;
	t->slots = (unsigned long)((double)t->quota * c->pattern->fill);
	lab_rng_seed(&t->rng, thread_seed(env, c, index));
	/* the first one also holds all pages for a moment */
	t->held = calloc(index == 0 ? capacity : t->quota, sizeof(*t->held));
	if (t->held == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

/** Memory that a row is going to take from the machine. */
static unsigned long
row_kib(const struct bench_env *env, const struct bench_need *need, unsigned int i)
{
	return env->kept & 1ULL << i ? 0 : need->pages * (bench_allocs[i]->bytes_a_page / 1024);
}

/** What would make a row of no use, before anything is made. */
static bool
unfit(const struct bench_env *env, const struct bench_column *c, const struct bench_alloc *a,
	unsigned long kib, char *why)
{
	if (c->pattern->loop[0] == BENCH_SEND && (a->flags & BENCH_PRIVATE))
		bench_why(why, "each thread has its own pages");
	else if (kib > env->ready_kib)
		snprintf(why, BENCH_WHY, "needs %lu MiB of memory, %lu MiB can be had", kib >> 10,
			env->ready_kib >> 10);
	else
		return false;
	return true;
}

/** The least that a column's loops hold at once. */
static unsigned long
least_blocks(const struct bench_column *c)
{
	enum bench_loop loop = c->pattern->loop[0];

	if (loop == BENCH_SEND)
		return 2 * BENCH_XFER_SLOTS;
	if (loop == BENCH_ZERO || loop == BENCH_NOZERO)
		return BENCH_ZERO_BATCH;
	if (loop == BENCH_BURSTS)
		return (unsigned long)c->threads * BENCH_BURST;
	return 2UL * c->threads;
}

/** The row's threads; those of a row that is of no use are freed again. */
static int
row_threads(const struct bench_env *env, const struct bench_column *c, struct bench_row *row)
{
	struct bench_result *r = row->result;

	if (r->capacity < least_blocks(c)) {
		snprintf(r->why, sizeof(r->why), "%lu blocks are too few, it takes %lu",
			r->capacity, least_blocks(c));
		return -ENOSPC;
	}
	for (unsigned int i = 0; i < c->threads; i++) {
		row->thread[i] = thread_create(env, c, row, i);
		if (row->thread[i] == NULL) {
			bench_why(r->why, "no memory for the bench's own arrays");
			threads_free(row);
			return -ENOMEM;
		}
	}
	return 0;
}

static void
row_create(struct bench_env *env, const struct bench_column *c, const struct bench_need *need,
	struct rows *rows, struct bench_result *r, unsigned int i)
{
	struct bench_row *row = &rows->row[rows->nr];
	const struct bench_alloc *a = bench_allocs[i];
	unsigned long kib = row_kib(env, need, i);

	*row = (struct bench_row){.alloc = a, .result = r, .nr_threads = c->threads};
	r->capacity = need->pages >> need->order;
	if (unfit(env, c, a, kib, r->why) ||
		a->create(a, need, &row->ctx, &r->capacity, r->why) < 0)
		return;
	if (row_threads(env, c, row) < 0) {
		a->destroy(row->ctx);
		return;
	}
	env->ready_kib -= kib;
	if (a->flags & BENCH_KEEPS)
		env->kept |= 1ULL << i;
	rows->nr++;
}

/** Frames that are written to must be there before, for whoever is first would pay for all. */
static void
touch(struct bench_env *env, unsigned long pages)
{
	if (env->touched < pages)
		memset((char *)env->arena + env->touched * LAB_PAGE_SIZE, 0xff,
			(pages - env->touched) * LAB_PAGE_SIZE);
	env->touched = pages > env->touched ? pages : env->touched;
}

static void
rows_create(struct bench_env *env, const struct bench_column *c, struct rows *rows,
	struct bench_result *results)
{
	struct bench_need need = {.pages = env->opt->pages,
		.order = c->order,
		.threads = c->threads,
		.arena = env->arena,
		.writes = c->pattern->writes};

	if (need.writes && need.pages > BENCH_ZERO_PAGES)
		need.pages = BENCH_ZERO_PAGES;
	if (need.writes)
		touch(env, need.pages);
	env->ready_kib = noise_available_kib() / 4 * 3;
	if (env->ready_kib == 0) /* not known: let them try */
		env->ready_kib = ULONG_MAX;
	for (unsigned int i = 0; i < bench_nr_allocs; i++) {
		if (!(env->opt->allocs & 1ULL << i))
			continue;
		row_create(env, c, &need, rows, &results[i], i);
	}
}

static void
rows_destroy(struct bench_env *env, const struct bench_column *c, struct rows *rows)
{
	for (unsigned int i = 0; i < rows->nr; i++) {
		bench_give_back(env, c, &rows->row[i]);
		rows->row[i].alloc->destroy(rows->row[i].ctx);
		threads_free(&rows->row[i]);
	}
}

/* --------------------------------------------------------------- measuring */

/** Again, while others take of the CPU; the cleanest attempt counts. */
static struct bench_sample
measure(struct bench_env *env, const struct bench_column *c, struct bench_row *row)
{
	struct bench_sample best = bench_round(env, c, row, false), s;

	for (unsigned int i = 0; i < env->opt->retries && !best.clean && !signals_pending(); i++) {
		s = bench_round(env, c, row, false);
		if (s.clean || (!best.clean && s.lost < best.lost))
			best = s;
	}
	return best;
}

/** Each round begins with another row, so that none always follows the same one. */
static void
round_run(
	struct bench_env *env, const struct bench_column *c, struct rows *rows, unsigned int round)
{
	for (unsigned int i = 0; i < rows->nr && !signals_pending(); i++) {
		struct bench_row *row = &rows->row[(i + round) % rows->nr];

		row->result->round[round] = measure(env, c, row);
		row->result->rounds = round + 1;
	}
	for (unsigned int i = 0; i < rows->nr && env->opt->latency && !signals_pending(); i++)
		bench_round(env, c, &rows->row[(i + round) % rows->nr], true);
}

static void
counters_reset(struct bench_result *r)
{
	r->refused = r->expected = r->beyond = r->not_zero = r->hist_ticks = 0;
	lab_hist_reset(&r->get);
	lab_hist_reset(&r->put);
}

static void
measure_all(struct bench_env *env, const struct bench_column *c, struct rows *rows)
{
	for (unsigned int i = 0; i < rows->nr && !signals_pending(); i++) {
		progress(env, c, rows->row[i].alloc->name, 0);
		bench_prepare(env, c, &rows->row[i]);
		bench_round(env, c, &rows->row[i], false);
		counters_reset(rows->row[i].result);
	}
	for (unsigned int round = 0; round < env->opt->rounds && !signals_pending(); round++) {
		progress(env, c, "round", round + 1);
		round_run(env, c, rows, round);
	}
	progress_end();
}

int
bench_column_run(
	struct bench_env *env, const struct bench_column *column, struct bench_result *results)
{
	static struct rows rows; /* the main thread's, and large */

	memset(&rows, 0, sizeof(rows));
	for (unsigned int i = 0; i < bench_nr_allocs; i++) {
		memset(&results[i], 0, sizeof(results[i]));
		results[i].alloc = bench_allocs[i];
		results[i].column = column;
	}
	rows_create(env, column, &rows, results);
	measure_all(env, column, &rows);
	rows_destroy(env, column, &rows);
	return signals_pending() ? -EINTR : 0;
}
