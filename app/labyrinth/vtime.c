/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <time.h>

#include "app.h"
#include "sampler.h"
#include "signals.h"
#include "vtime.h"
#include "wire.h"
#include "zones.h"

uint64_t
vtime_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void
vtime_init(struct app *app)
{
	/* measured for an io round and packet of testpmd on a 2.4 GHz core, rounded */
	app->vtime.poll_ns = 100;
	app->vtime.packet_ns = 50;
}

int
vtime_set(struct app *app, bool is_virtual)
{
	enum lab_clock_kind kind = is_virtual ? LAB_CLOCK_VIRTUAL : LAB_CLOCK_REAL;

	if (kind == app->clock.kind)
		return 0;
	if (app->fwd.running || wires_any(app))
		return cmd_fail(app, -EBUSY,
			"the kind of time is set before wires are attached and forwarding starts");
	lab_clock_init(&app->clock, kind);
	app->vtime.background_due_ns = 0;
	zones_set_time(app, 0);
	/* engines keep times of the clock */
	fwd_changed(app);
	return sampler_restart(app);
}

void
background_step(struct app *app, uint64_t now_ns)
{
	if (now_ns < app->vtime.background_due_ns)
		return;
	app->vtime.background_due_ns = now_ns + BACKGROUND_NS;
	zones_background(app, now_ns);
}

static uint64_t
engines_next(const struct app *app)
{
	const struct fwd *f = &app->fwd;
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < f->nr_streams && f->streams_engine->next_ns; i++)
		next = RTE_MIN(next, f->streams_engine->next_ns(&f->streams[i]));
	return next;
}

/* How far the clock goes after a round of n packets: by its cost, and on to whatever is next. */
static uint64_t
next_moment(struct app *app, uint64_t now, uint64_t end, unsigned int n)
{
	uint64_t at = now + app->vtime.poll_ns + n * app->vtime.packet_ns, next;

	/* A gate says the same until something happens, so polls in between can be left out; but not
	 * where it is the lot that decides, and a ring waits for it. */
	if (n > 0 || (app->vtime.injecting && wires_starved(app)))
		return RTE_MIN(at, end);
	next = RTE_MIN(wires_next_event(app), engines_next(app));
	next = RTE_MIN(next, app->vtime.background_due_ns);
	next = RTE_MIN(next, sampler_due(app));
	at = RTE_MAX(at, next);
	return RTE_MIN(at, end);
}

static void
pass_virtual(struct app *app, uint64_t ns)
{
	uint64_t now = lab_clock_now(&app->clock), end = now + ns, to;

	while (now < end && !signals_pending()) {
		unsigned int n = 0;

		zones_set_time(app, now);
		if (app->fwd.running) {
			wires_step(app, now);
			n = fwd_round(app);
			warnings_poll(app);
			to = next_moment(app, now, end, n);
		} else {
			to = RTE_MIN(app->vtime.background_due_ns, end);
		}
		lab_clock_advance(&app->clock, RTE_MAX(to, now + 1) - now);
		now = lab_clock_now(&app->clock);
		background_step(app, now);
		if (app->fwd.running)
			sampler_step(app, now);
	}
}

int
vtime_pass(struct app *app, uint64_t ns)
{
	if (app->clock.kind == LAB_CLOCK_VIRTUAL)
		pass_virtual(app, ns);
	else
		signals_sleep(ns);
	return signals_pending() ? cmd_fail(app, -EINTR, "interrupted") : 0;
}
