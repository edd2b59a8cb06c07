/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_H
#define APP_H

/**
 * @file app.h
 * The application's state, in one struct that everybody is handed. A part is declared in the header
 * of the file that looks after it.
 */

#include <stdbool.h>
#include <stdint.h>

#include <lab_base.h>
#include <lab_traffic.h>

#include "arms.h"
#include "cli.h"
#include "fwd.h"
#include "ledger.h"
#include "options.h"
#include "pool.h"
#include "port.h"
#include "sampler.h"
#include "vtime.h"
#include "warnings.h"

struct app {
	int argc;
	char **argv;
	struct options opt;
	struct cli cli;
	struct pools pools;
	struct ports ports;
	struct fwd fwd;
	struct lab_clock clock;
	struct vtime vtime;
	struct ledger_base ledger;
	struct sampler sampler;
	struct warnings warnings;
	struct arms arms;
	uint64_t idle_due_ns; /**< when the periodic statistics are next */
};

/** The seed of one random thing: the run's, its own, and its number. */
uint64_t app_seed(const struct app *app, uint64_t own, uint64_t index);

/** How long the shell may wait for input, in ms; -1: for ever. */
int app_idle_ms(const struct app *app);

/** What is to be done while nobody types: the periodic statistics. */
void app_idle(struct app *app);

#endif /* APP_H */
