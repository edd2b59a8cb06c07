/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file background.c
 * The work that is done ahead of requests, so that they need not: one bounded round of it, which any
 * thread may do, and a thread that does nothing else.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "reserve.h"
#include "zero.h"
#include "zone.h"

/** Pages of work of one of the thread's rounds. */
#define ROUND 64U
/** With nothing to do the thread sleeps, each time twice as long as before. */
#define SLEEP_MIN_US 1000U
#define SLEEP_MAX_US 64000U

typedef unsigned int (*job_fn)(struct lab_zone *z, unsigned int budget);

/** The most urgent first: what one leaves of the budget is the next one's. */
static const job_fn jobs[] = {
	lab_reserve_round,
	lab_zero_round,
	lab_compact_round,
};

unsigned int
lab_zone_background(struct lab_zone *z, unsigned int budget)
{
	unsigned int done = 0;

	for (size_t i = 0; i < LAB_ARRAY_SIZE(jobs) && done < budget; i++)
		done += jobs[i](z, budget - done);
	if (done > 0)
		lab_event(z, background_rounds);
	return done;
}

/* ----------------------------------------------------------------- thread */

struct lab_background {
	lab_round_fn round;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* under the lock */
};

/** Sleep until it is time or the thread is to stop. @return true if it is. */
static bool
sleep_us(struct lab_background *b, unsigned int us)
{
	struct timespec t;
	int ret = 0;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)us * 1000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_mutex_lock(&b->lock);
	while (!b->stop && ret == 0 && us > 0)
		ret = pthread_cond_timedwait(&b->wake, &b->lock, &t);
	stop = b->stop;
	pthread_mutex_unlock(&b->lock);
	return stop;
}

static void *
run(void *arg)
{
	struct lab_background *b = arg;
	unsigned int us = 0;

	while (!sleep_us(b, us)) {
		if (b->round(b->arg) > 0)
			us = 0;
		else
			us = us == 0 ? SLEEP_MIN_US : us * 2 < SLEEP_MAX_US ? us * 2 : SLEEP_MAX_US;
	}
	return NULL;
}

/** With all signals blocked: they are the application's. */
static int
spawn(struct lab_background *b)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

static void
init_wake(struct lab_background *b)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&b->lock, NULL);
}

static void
drop(struct lab_background *b)
{
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int
lab_background_start_rounds(struct lab_background **out, lab_round_fn round, void *arg)
{
	struct lab_background *b = calloc(1, sizeof(*b));
	int ret;

	if (b == NULL)
		return -ENOMEM;
	b->round = round;
	b->arg = arg;
	init_wake(b);
	ret = spawn(b);
	if (ret < 0) {
		drop(b);
		return ret;
	}
	pthread_setname_np(b->thread, "lab-background");
	*out = b;
	return 0;
}

static unsigned int
zone_round(void *zone)
{
	return lab_zone_background(zone, ROUND);
}

int
lab_background_start(struct lab_background **out, struct lab_zone *z)
{
	return lab_background_start_rounds(out, zone_round, z);
}

void
lab_background_stop(struct lab_background *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	drop(b);
}
