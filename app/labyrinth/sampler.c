/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "sampler.h"
#include "vtime.h"
#include "zones.h"

#define MAX_SERIES (16 + LAB_LEDGER_MAX_CAUSES + LEDGER_NR_FAILURES)

static int
add_all(struct sampler *s)
{
	struct snapshot *n = &s->now;
	const struct lab_series_value list[] = {
		{SERIES_OFFERED, "packets", LAB_SERIES_COUNTER, &n->offered},
		{"received", "packets", LAB_SERIES_COUNTER, &n->received},
		{"delivered", "packets", LAB_SERIES_COUNTER, &n->delivered},
		{SERIES_DROPS, "packets", LAB_SERIES_COUNTER, &n->drops},
		{SERIES_MEMORY, "packets", LAB_SERIES_COUNTER, &n->drops_memory},
		{SERIES_REFUSALS, "requests", LAB_SERIES_COUNTER, &n->refusals},
		{SERIES_WARNINGS, "warnings", LAB_SERIES_COUNTER, &n->warnings},
		{"in_flight", "packets", LAB_SERIES_GAUGE, &n->in_flight},
		{"free_pages", "pages", LAB_SERIES_GAUGE, &n->free_pages},
	};
	char name[LAB_SERIES_NAME_LEN];
	struct lab_series_value one = {.name = name, .kind = LAB_SERIES_COUNTER};
	int rc = lab_series_add_values(s->set, list, RTE_DIM(list));

	for (unsigned int i = 0; i < lab_drop_cause_count() && rc == 0; i++) {
		snprintf(name, sizeof(name), "drop.%s", lab_drop_cause_name(i));
		one.value = &n->cause[i];
		one.unit = "packets";
		rc = lab_series_add_values(s->set, &one, 1);
	}
	for (unsigned int i = 0; i < LEDGER_NR_FAILURES && rc == 0; i++) {
		snprintf(name, sizeof(name), "refusal.%s",
			i == LEDGER_NOMBUF ? "nombuf" : lab_cause_name(i + 1));
		one.value = &n->refused[i];
		one.unit = "requests";
		rc = lab_series_add_values(s->set, &one, 1);
	}
	return rc;
}

static void
sum_ports(struct app *app, struct snapshot *n)
{
	PORT_FOREACH (app, id) {
		struct lab_ledger_port p;
		struct fwd_counts rx;
		uint64_t held;

		ledger_port_raw(app, id, &p);
		fwd_port_counts(app, id, &rx, &held);
		n->offered += p.offered;
		n->delivered += p.delivered;
		n->in_flight += p.in_flight;
		n->received += rx.rx;
		for (unsigned int i = 0; i < lab_drop_cause_count(); i++)
			n->cause[i] += p.drops[i];
	}
}

static void
take(struct app *app)
{
	struct snapshot n = {0};

	sum_ports(app, &n);
	for (unsigned int i = 0; i < lab_drop_cause_count(); i++) {
		n.drops += n.cause[i];
		if (ledger_is_memory(lab_drop_cause_name(i)))
			n.drops_memory += n.cause[i];
	}
	ledger_failures_raw(app, n.refused);
	for (unsigned int i = 0; i < LEDGER_NR_FAILURES; i++)
		n.refusals += n.refused[i];
	n.free_pages = zones_free_pages(app);
	n.warnings = warnings_count(app);
	app->sampler.now = n;
}

int
sampler_init(struct app *app)
{
	/* the wires' causes must have their series, though no wire has dropped anything yet */
	static const char *const wire_causes[] = {"ring_full", "too_big", "stopped", "nombuf"};

	for (unsigned int i = 0; i < RTE_DIM(wire_causes); i++)
		lab_drop_cause(wire_causes[i]);
	for (unsigned int i = 1; i < LAB_NR_CAUSES; i++)
		lab_drop_cause(lab_cause_name(i));
	app->sampler.interval_ns = 10000000;
	warnings_init(app);
	return sampler_restart(app);
}

void
sampler_fini(struct app *app)
{
	sampler_stop(app);
	lab_series_set_destroy(app->sampler.set);
	app->sampler.set = NULL;
}

int
sampler_restart(struct app *app)
{
	struct sampler *s = &app->sampler;
	int rc;

	lab_series_set_destroy(s->set);
	s->set = NULL;
	s->started = false;
	s->spent_ns = s->samples = s->ran_ns = 0;
	rc = lab_series_set_create(&s->set, s->interval_ns, SAMPLER_CAPACITY, MAX_SERIES);
	return rc ? rc : add_all(s);
}

int
sampler_set_interval(struct app *app, uint64_t ns)
{
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	app->sampler.interval_ns = ns;
	return sampler_restart(app);
}

static void
sample(struct app *app, uint64_t now_ns)
{
	struct sampler *s = &app->sampler;
	uint64_t start = vtime_wall_ns();

	take(app);
	lab_series_sample(s->set, now_ns);
	s->spent_ns += vtime_wall_ns() - start;
	s->samples++;
}

void
sampler_step(struct app *app, uint64_t now_ns)
{
	struct sampler *s = &app->sampler;

	while (now_ns >= s->due_ns) {
		sample(app, s->due_ns);
		s->due_ns += s->interval_ns;
	}
}

uint64_t
sampler_due(const struct app *app)
{
	return app->sampler.due_ns;
}

static void
begin(struct app *app)
{
	struct sampler *s = &app->sampler;
	uint64_t now = lab_clock_now(&app->clock);

	s->since_ns = vtime_wall_ns();
	/* virtual time stood still: the series go on where they were */
	if (s->started && app->clock.kind == LAB_CLOCK_VIRTUAL)
		return;
	if (!s->started) {
		take(app);
		lab_series_start(s->set, now);
	}
	s->started = true;
	s->due_ns = now + s->interval_ns;
}

/* Real time: samples and background work, both on their own beat. */
static void *
thread_main(void *arg)
{
	struct app *app = arg;
	struct sampler *s = &app->sampler;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		uint64_t due = RTE_MIN(s->due_ns, app->vtime.background_due_ns), now;
		struct timespec ts = {due / 1000000000, due % 1000000000};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		now = vtime_wall_ns();
		background_step(app, now);
		warnings_poll(app);
		if (now < s->due_ns)
			continue;
		sample(app, now);
		/* a late thread does not make up samples that nobody took */
		s->due_ns = RTE_MAX(s->due_ns + s->interval_ns, now);
	}
	return NULL;
}

int
sampler_start(struct app *app)
{
	struct sampler *s = &app->sampler;
	int rc;

	begin(app);
	if (app->clock.kind == LAB_CLOCK_VIRTUAL)
		return 0;
	s->stop = 0;
	rc = pthread_create(&s->thread, NULL, thread_main, app);
	if (rc)
		return cmd_fail(app, -rc, "the sampler's thread does not start: %s", strerror(rc));
	pthread_setname_np(s->thread, "lab-sampler");
	s->threaded = true;
	return 0;
}

void
sampler_stop(struct app *app)
{
	struct sampler *s = &app->sampler;

	if (s->since_ns)
		s->ran_ns += vtime_wall_ns() - s->since_ns;
	s->since_ns = 0;
	if (!s->threaded)
		return;
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	s->threaded = false;
	/* the tail of the last interval belongs to the series too */
	sample(app, lab_clock_now(&app->clock));
}

json_t *
sampler_json(struct app *app)
{
	const struct sampler *s = &app->sampler;
	uint64_t ran = s->ran_ns + (s->since_ns ? vtime_wall_ns() - s->since_ns : 0);

	return json_pack("{sf sI sI sI sf sf}", "interval_ms", s->interval_ns / 1e6, "series",
		(json_int_t)lab_series_count(s->set), "samples",
		(json_int_t)lab_series_length(s->set), "lost", (json_int_t)lab_series_lost(s->set),
		"us_a_sample", s->samples ? s->spent_ns / 1e3 / s->samples : 0.0, "cost_percent",
		ran ? 100.0 * s->spent_ns / ran : 0.0);
}
