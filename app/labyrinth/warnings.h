/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_WARNINGS_H
#define APP_WARNINGS_H

/**
 * @file warnings.h
 * Early warnings of the zones: how many, and how long before the first refusal the first one came.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "pool.h"

struct app;

/** Since the arm began or a zone was last aged: what ageing itself meets is not the packets' doing. */
struct warnings {
	pthread_mutex_t lock;   /**< the sampler's thread looks, commands begin anew */
	uint64_t base;          /**< warnings before */
	uint64_t seq[POOL_MAX]; /**< refusals before, by pool */
	uint64_t count;
	bool already_low; /**< a zone stood at its low mark to begin with: its warning came before */
	uint64_t first_ns, refused_ns; /**< 0: not yet */
	uint64_t began_ns;
};

void warnings_init(struct app *app);

/** An arm begins. */
void warnings_restart(struct app *app);

/** A zone was aged: forget what that met. */
void warnings_forget(struct app *app);

/** Look: each step of virtual time, each millisecond of real time. Prints a line for the first. */
void warnings_poll(struct app *app);

/** Warnings of all zones since they were made. */
uint64_t warnings_count(const struct app *app);

/** {count, already_low, first_ms, first_refusal_ms, lead_ms}: times since the arm began, null where there is none. */
json_t *warnings_json(struct app *app);

#endif /* APP_WARNINGS_H */
