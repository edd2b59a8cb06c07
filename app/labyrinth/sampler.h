/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_SAMPLER_H
#define APP_SAMPLER_H

/**
 * @file sampler.h
 * The series: what was offered, dropped and refused in each interval. Driven by virtual time, or in
 * real time by a thread of its own that also does the background work.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <lab_stats.h>

#include "ledger.h"

struct app;

#define SAMPLER_CAPACITY (1u << 16)

/** The series that the correlation and the reports name. */
#define SERIES_OFFERED  "offered"
#define SERIES_REFUSALS "refusals"
#define SERIES_DROPS    "drops"
#define SERIES_MEMORY   "drops.memory"
#define SERIES_WARNINGS "warnings"

/** One reading of everything; the series read from it. */
struct snapshot {
	uint64_t offered, received, delivered, in_flight, drops, drops_memory, refusals, free_pages,
		warnings;
	uint64_t cause[LAB_LEDGER_MAX_CAUSES];
	uint64_t refused[LEDGER_NR_FAILURES];
};

struct sampler {
	struct lab_series_set *set;
	struct snapshot now;
	uint64_t interval_ns;
	uint64_t due_ns;
	bool started; /**< the series have their base */
	/* cost, wall clock */
	uint64_t spent_ns, samples, since_ns, ran_ns;
	pthread_t thread;
	bool threaded;
	uint32_t stop;
};

int sampler_init(struct app *app);
void sampler_fini(struct app *app);

/** Begin the series anew, empty. @return 0 or -errno. */
int sampler_restart(struct app *app);

/** `set sample interval`; begins anew. @return 0 or a negative errno, message set. */
int sampler_set_interval(struct app *app, uint64_t ns);

/** Forwarding begins or has ended: in real time a thread samples meanwhile. */
int sampler_start(struct app *app);
void sampler_stop(struct app *app);

/** Virtual time: take the samples that are due. */
void sampler_step(struct app *app, uint64_t now_ns);
uint64_t sampler_due(const struct app *app);

/** Cost and fill. */
json_t *sampler_json(struct app *app);

#endif /* APP_SAMPLER_H */
