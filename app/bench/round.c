/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/**
 * @file round.c
 * One row's threads: brought into a state, and run for a while.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "bench.h"
#include "noise.h"
#include "options.h"
#include "signals.h"

enum job_kind { JOB_SHUFFLE, JOB_HOLD, JOB_RUN, JOB_GIVE };

/** What the threads of a row do together. */
struct job {
	enum job_kind kind;
	const struct bench_pattern *pattern;
	struct bench_row *row;
	bool timed;
	uint64_t ticks; /**< for how long */
	unsigned int ready;
	bool sent;
	struct worker {
		struct job *job;
		struct bench_thread *thread;
		uint64_t wall, pages;
		double lost;
		long switches;
	} worker[BENCH_MAX_THREADS];
};

void
bench_shuffle(struct bench_thread *t)
{
	for (unsigned long i = t->nr_held; i > 1; i--) {
		unsigned long j = lab_rng_below(&t->rng, i);
		void *page = t->held[j];

		t->held[j] = t->held[i - 1];
		t->held[i - 1] = page;
	}
}

static uint64_t
loop_call(struct bench_thread *t, enum bench_loop loop, bool timed, unsigned long n)
{
	return (*t->alloc->loops)[loop][timed](t, n);
}

/* -------------------------------------------------------------- the states */

/** The order in which a pool hands its pages out is made random. */
static void
do_shuffle(struct bench_thread *t, unsigned long all)
{
	loop_call(t, BENCH_TAKE, false, all);
	bench_shuffle(t);
	loop_call(t, BENCH_GIVE, false, 0);
}

/** Aged: all was handed out, and what is free is scattered over it. */
static void
do_hold(struct bench_thread *t)
{
	loop_call(t, BENCH_TAKE, false, t->quota);
	bench_shuffle(t);
	loop_call(t, BENCH_GIVE, false, t->slots);
	/* a slot for which there was no page stays empty, and is asked for in the run */
	for (unsigned long i = t->nr_held; i < t->slots; i++)
		t->held[i] = NULL;
}

static void
do_give(struct bench_thread *t, bool replaced)
{
	if (replaced)
		t->nr_held = t->slots;
	loop_call(t, BENCH_GIVE, false, 0);
}

/* ----------------------------------------------------------------- running */

static void
counters_reset(struct bench_thread *t)
{
	t->refused = t->expected = t->beyond = t->not_zero = 0;
	t->gets = t->puts = t->get_ticks = t->put_ticks = t->get_parts = t->put_parts = 0;
}

/** All threads start together. Patient, for two of them may share a CPU. */
static void
wait_for_all(struct job *job)
{
	unsigned int spins = 0;

	__atomic_add_fetch(&job->ready, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&job->ready, __ATOMIC_ACQUIRE) < job->row->nr_threads) {
		rte_pause();
		if (++spins % 4096 == 0)
			sched_yield();
	}
}

static void
do_run(struct worker *w)
{
	struct job *job = w->job;
	struct bench_thread *t = w->thread;
	enum bench_loop loop = job->pattern->loop[t->index];
	struct noise_thread then, now;
	uint64_t start, end;

	counters_reset(t);
	wait_for_all(job);
	then = noise_thread_now();
	start = bench_clock();
	if (loop == BENCH_RECEIVE) {
		w->pages = loop_call(t, loop, job->timed, ULONG_MAX);
		end = bench_clock();
	} else {
		do {
			w->pages += loop_call(t, loop, job->timed, job->pattern->chunk);
			end = bench_clock();
		} while (end - start < job->ticks && !signals_pending());
		__atomic_store_n(&job->sent, true, __ATOMIC_RELEASE);
	}
	now = noise_thread_now();
	w->wall = end - start;
	w->lost = noise_lost(&then, &now);
	w->switches = now.switches - then.switches;
}

static int
work(void *arg)
{
	struct worker *w = arg;
	struct bench_thread *t = w->thread;

	lab_cpu_set(t->index);
	switch (w->job->kind) {
	case JOB_SHUFFLE:
		do_shuffle(t, t->alone || !(t->alloc->flags & BENCH_PRIVATE)
				      ? w->job->row->result->capacity
				      : t->quota);
		break;
	case JOB_HOLD:
		do_hold(t);
		break;
	case JOB_RUN:
		do_run(w);
		break;
	case JOB_GIVE:
		do_give(t, w->job->pattern->loop[t->index] == BENCH_REPLACE);
		break;
	}
	return 0;
}

static void
job_run(const struct bench_env *env, struct job *job, unsigned int threads)
{
	for (unsigned int i = threads; i-- > 0;) {
		job->worker[i].job = job;
		job->worker[i].thread = job->row->thread[i];
		job->row->thread[i]->sent = &job->sent;
		if (i > 0)
			rte_eal_remote_launch(work, &job->worker[i], env->lcore[i]);
		else
			work(&job->worker[i]);
	}
	for (unsigned int i = 1; i < threads; i++)
		rte_eal_wait_lcore(env->lcore[i]);
}

void
bench_prepare(struct bench_env *env, const struct bench_column *column, struct bench_row *row)
{
	struct job shuffle = {.kind = JOB_SHUFFLE, .pattern = column->pattern, .row = row};
	struct job hold = {.kind = JOB_HOLD, .pattern = column->pattern, .row = row};
	bool private = row->alloc->flags & BENCH_PRIVATE;

	if (env->opt->shuffled && !(row->alloc->flags & BENCH_ORDERLESS))
		job_run(env, &shuffle, private ? row->nr_threads : 1);
	for (unsigned int i = 0; i < row->nr_threads; i++)
		row->thread[i]->refused = 0;
	if (column->pattern->fill > 0)
		job_run(env, &hold, row->nr_threads);
	for (unsigned int i = 0; i < row->nr_threads; i++)
		row->result->setup_refused += row->thread[i]->refused;
}

void
bench_give_back(struct bench_env *env, const struct bench_column *column, struct bench_row *row)
{
	struct job job = {.kind = JOB_GIVE, .pattern = column->pattern, .row = row};

	job_run(env, &job, row->nr_threads);
}

/* ------------------------------------------------------------- the figures */

/** Ticks a page of parts that were timed by two readings of the clock each. */
static double
part_ticks(const struct bench_env *env, uint64_t ticks, uint64_t parts, uint64_t pages)
{
	double net = (double)ticks - (double)parts * env->clock_ticks;

	return pages == 0 || net < 0 ? 0 : net / (double)pages;
}

/** Figures exist only of what was served: time spent on refusals counts, refusals do not. */
static struct bench_sample
sample_of(const struct bench_env *env, const struct job *job)
{
	struct bench_sample s = {0};
	uint64_t gets = 0, puts = 0, get = 0, put = 0, get_parts = 0, put_parts = 0, wall = 0;

	for (unsigned int i = 0; i < job->row->nr_threads; i++) {
		const struct worker *w = &job->worker[i];
		const struct bench_thread *t = w->thread;

		/* a page that is received has been counted when it was sent */
		if (job->pattern->loop[t->index] != BENCH_RECEIVE) {
			wall += w->wall;
			s.pages += w->pages;
		}
		s.lost = w->lost > s.lost ? w->lost : s.lost;
		s.switches += w->switches;
		gets += t->gets;
		puts += t->puts;
		get += t->get_ticks;
		put += t->put_ticks;
		get_parts += t->get_parts;
		put_parts += t->put_parts;
	}
	if (s.pages == 0)
		return s;
	s.wall = (double)wall / (double)s.pages;
	s.get = part_ticks(env, get, get_parts, gets);
	s.put = part_ticks(env, put, put_parts, puts);
	s.ticks = job->pattern->phased ? s.get + s.put : s.wall;
	return s;
}

static void
count(struct bench_result *r, const struct bench_row *row, uint64_t wall, bool timed)
{
	for (unsigned int i = 0; i < row->nr_threads; i++) {
		struct bench_thread *t = row->thread[i];

		r->refused += t->refused;
		r->expected += t->expected;
		r->beyond += t->beyond;
		r->not_zero += t->not_zero;
		if (timed) {
			lab_hist_merge(&r->get, &t->get_hist);
			lab_hist_merge(&r->put, &t->put_hist);
			lab_hist_reset(&t->get_hist);
			lab_hist_reset(&t->put_hist);
		}
	}
	if (timed)
		r->hist_ticks += wall;
}

struct bench_sample
bench_round(
	struct bench_env *env, const struct bench_column *column, struct bench_row *row, bool timed)
{
	struct job job = {.kind = JOB_RUN,
		.pattern = column->pattern,
		.row = row,
		.timed = timed,
		.ticks = (uint64_t)(env->opt->time_ms * 1e6 * env->ticks_a_ns)};
	struct noise_machine then, now;
	struct bench_sample s;
	uint64_t wall = 0;

	/* what the last round used up is there again */
	if (row->alloc->background != NULL)
		row->alloc->background(row->ctx);
	then = noise_machine_now();
	job_run(env, &job, row->nr_threads);
	now = noise_machine_now();
	s = sample_of(env, &job);
	for (unsigned int i = 0; i < row->nr_threads; i++)
		wall += job.worker[i].wall;
	s.others =
		noise_others(&then, &now, (uint64_t)((double)job.worker[0].wall / env->ticks_a_ns));
	s.steal = now.steal - then.steal;
	s.clean = s.lost <= BENCH_MAX_LOST && s.steal == 0;
	count(row->result, row, wall, timed);
	return s;
}
