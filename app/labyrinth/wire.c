/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Wire ports: making, starting, stopping. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_mempool.h>
#include <lab_page.h>
#include <lab_report.h>

#include "app.h"
#include "wire.h"
#include "wire_spec.h"

struct wire_port {
	struct wire_spec spec;
	struct lab_wire *wire;
	struct lab_sink *sink;
	struct rte_mempool *mp;
	uint16_t id;
	unsigned int number; /* wires before it; tells traffic of equal text apart */
	bool posted;
};

/* The wire's memory causes: the gates' names without "none". */
static const char *const *
cause_names(void)
{
	static const char *names[LAB_NR_CAUSES];

	for (unsigned int i = 1; i < LAB_NR_CAUSES; i++)
		names[i - 1] = lab_cause_name(i);
	return names;
}

static int
cause_of_refusal(void *arg, struct rte_mempool *mp)
{
	enum lab_cause cause = lab_mempool_last_cause();

	RTE_SET_USED(arg);
	RTE_SET_USED(mp);
	return (int)cause - 1; /* none: -1, "nombuf" */
}

static int
make(struct app *app, struct wire_port *wp)
{
	struct lab_wire_config cfg = {
		.name = wp->spec.name,
		.socket = -1,
		.nb_queues = app->opt.rxq,
		.rxd = wp->spec.rxd,
		.txd = wp->spec.txd,
		.refill_thresh = wp->spec.thresh,
		.pools = {wp->mp},
		.arrival = wp->spec.arrival,
		.clock = &app->clock,
		.tx_rate = wp->spec.tx_rate,
		.scatter = wp->spec.scatter,
		.pcap_contents = wp->spec.contents,
		.flow_base = wp->spec.flow_base,
		.tx_sink = wp->sink,
		.cause_names = cause_names(),
		.nb_causes = LAB_NR_CAUSES - 1,
		.cause_fn = lab_mempool_is(wp->mp) ? cause_of_refusal : NULL,
	};
	char err[256] = "";
	int rc;

	cfg.arrival.seed = app_seed(app, wp->spec.arrival.seed, wp->number);
	rc = lab_wire_create(&wp->wire, &cfg, &wp->id, err, sizeof(err));
	if (rc)
		return cmd_fail(
			app, rc, "wire %s: %s", wp->spec.name, err[0] ? err : strerror(-rc));
	return 0;
}

static int
adopt(struct app *app, struct wire_port *wp)
{
	struct port *p = &app->ports.p[wp->id];
	int rc = port_add(app, wp->id);

	p->wire = wp;
	snprintf(p->pool, sizeof(p->pool), "%s", wp->spec.pool);
	return rc;
}

#define WIRE_FOREACH(app, wp)                                                                      \
	for (uint16_t wire_i = 0; wire_i < RTE_MAX_ETHPORTS; wire_i++)                             \
		if (((wp) = (app)->ports.p[wire_i].known ? (app)->ports.p[wire_i].wire : NULL) !=  \
			NULL)

static unsigned int
count(const struct app *app)
{
	struct wire_port *wp;
	unsigned int n = 0;

	WIRE_FOREACH (app, wp)
		n++;
	return n;
}

int
wire_attach(struct app *app, const char *text)
{
	struct wire_port *wp = calloc(1, sizeof(*wp));
	int rc;

	if (wp == NULL)
		return -ENOMEM;
	rc = wire_spec_parse(app, text, &wp->spec);
	if (rc)
		goto fail;
	wp->mp = pool_get(app, wp->spec.pool[0] ? wp->spec.pool : NULL);
	if (wp->mp == NULL) {
		rc = -ENOENT;
		goto fail;
	}
	wp->number = count(app);
	if (wp->spec.sink) {
		rc = lab_sink_create(&wp->sink, NULL);
		if (rc)
			goto fail;
	}
	rc = make(app, wp);
	if (rc)
		goto fail;
	printf("Port %u is attached: wire %s\n", wp->id, wp->spec.name);
	return adopt(app, wp);
fail:
	lab_sink_destroy(wp->sink);
	free(wp);
	return rc;
}

static int
post(struct app *app, struct wire_port *wp)
{
	int rc;

	if (wp->posted)
		return 0;
	rc = lab_wire_start(wp->wire);
	if (rc)
		return cmd_fail(
			app, rc, "wire %s does not start: %s", wp->spec.name, strerror(-rc));
	wp->posted = true;
	return 0;
}

int
wire_port_started(struct app *app, struct wire_port *wp)
{
	return app->clock.kind == LAB_CLOCK_VIRTUAL ? post(app, wp) : 0;
}

void
wire_port_stopped(struct app *app, struct wire_port *wp)
{
	RTE_SET_USED(app);
	if (wp->posted)
		lab_wire_stop(wp->wire);
	wp->posted = false;
}

void
wire_port_close(struct app *app, struct wire_port *wp)
{
	wire_port_stopped(app, wp);
	lab_wire_destroy(wp->wire);
	lab_sink_destroy(wp->sink);
	free(wp);
}

bool
wires_any(const struct app *app)
{
	struct wire_port *wp;

	WIRE_FOREACH (app, wp)
		return true;
	return false;
}

int
wires_resume(struct app *app)
{
	struct wire_port *wp;
	int rc = 0;

	WIRE_FOREACH (app, wp) {
		if (rc == 0 && app->ports.p[wp->id].started)
			rc = post(app, wp);
	}
	return rc;
}

void
wires_pause(struct app *app)
{
	struct wire_port *wp;

	if (app->clock.kind == LAB_CLOCK_VIRTUAL)
		return;
	WIRE_FOREACH (app, wp)
		wire_port_stopped(app, wp);
}

/* All are taken away before the first is made anew, so that each gets its own number again. */
int
wires_restart(struct app *app)
{
	struct wire_port *list[RTE_MAX_ETHPORTS], *wp;
	bool started[RTE_MAX_ETHPORTS];
	unsigned int n = 0;
	int rc = 0;

	fwd_free(app);
	WIRE_FOREACH (app, wp) {
		started[n] = app->ports.p[wp->id].started;
		list[n++] = wp;
	}
	for (unsigned int i = 0; i < n; i++) {
		wire_port_stopped(app, list[i]);
		/* this stops the port, too */
		lab_wire_destroy(list[i]->wire);
		app->ports.p[list[i]->id].known = false;
		if (list[i]->sink)
			lab_sink_reset(list[i]->sink);
	}
	for (unsigned int i = 0; i < n && rc == 0; i++) {
		rc = make(app, list[i]);
		if (rc == 0)
			rc = adopt(app, list[i]);
		if (rc == 0 && started[i])
			rc = port_start(app, list[i]->id);
	}
	return rc;
}

void
wires_step(struct app *app, uint64_t now_ns)
{
	struct wire_port *wp;

	WIRE_FOREACH (app, wp) {
		if (wp->posted)
			lab_wire_step(wp->wire, now_ns);
	}
}

bool
wires_starved(const struct app *app)
{
	struct wire_port *wp;

	WIRE_FOREACH (app, wp) {
		if (lab_wire_starved(wp->wire))
			return true;
	}
	return false;
}

uint64_t
wires_next_event(const struct app *app)
{
	uint64_t next = UINT64_MAX, t;
	struct wire_port *wp;

	WIRE_FOREACH (app, wp) {
		t = wp->posted ? lab_wire_next_event(wp->wire) : UINT64_MAX;
		next = RTE_MIN(next, t);
	}
	return next;
}

struct lab_wire *
wire_of(const struct wire_port *wp)
{
	return wp->wire;
}

const struct lab_sink *
wire_sink(const struct wire_port *wp)
{
	return wp->sink;
}

const struct rte_mempool *
wire_pool(const struct wire_port *wp)
{
	return wp->mp;
}

int
wire_port_counts(const struct wire_port *wp, struct port_counts *out)
{
	struct lab_wire_stats s;

	lab_wire_stats_get(wp->wire, &s);
	memset(out, 0, sizeof(*out));
	out->ipackets = s.taken;
	out->ibytes = s.taken_bytes;
	out->opackets = s.tx_packets;
	out->obytes = s.tx_bytes;
	/* what a NIC counts: arrivals without a descriptor as missed, refused refills as nombuf */
	for (unsigned int i = 0; i < lab_wire_nb_drops(wp->wire); i++)
		out->imissed += s.drops[i];
	for (unsigned int i = 0; i <= LAB_WIRE_MAX_CAUSES; i++)
		out->rx_nombuf += s.refill_refused[i];
	return 0;
}

json_t *
wire_json(const struct wire_port *wp)
{
	json_t *drops = json_object(), *refused = json_object(), *out;
	struct lab_wire_stats s;
	char arrival[256];

	lab_wire_stats_get(wp->wire, &s);
	for (unsigned int i = 0; i < lab_wire_nb_drops(wp->wire); i++) {
		const char *name = lab_wire_drop_name(wp->wire, i);

		if (s.drops[i])
			json_object_set_new(drops, name, lab_json_u64(s.drops[i]));
		if (i >= LAB_WIRE_MEMORY && s.refill_refused[i - LAB_WIRE_MEMORY])
			json_object_set_new(
				refused, name, lab_json_u64(s.refill_refused[i - LAB_WIRE_MEMORY]));
	}
	lab_arrival_format(&wp->spec.arrival, arrival, sizeof(arrival));
	out = json_pack("{si ss ss ss so so so so so so so so so so so so}", "port", wp->id, "wire",
		wp->spec.name, "pool", wp->mp->name, "arrival", arrival, "offered",
		lab_json_u64(s.offered), "taken", lab_json_u64(s.taken), "filled",
		lab_json_u64(s.filled), "drops", drops, "posted", lab_json_u64(s.posted), "bare",
		lab_json_u64(s.bare), "refills", lab_json_u64(s.refills), "refill_refused", refused,
		"tx_packets", lab_json_u64(s.tx_packets), "tx_pending", lab_json_u64(s.tx_pending),
		"late", lab_json_u64(s.late), "max_lag_ns", lab_json_u64(s.max_lag_ns));
	if (out && wp->sink)
		json_object_set_new(out, "sink", sink_json(wp->sink));
	return out;
}

void
wire_port_xstats(const struct wire_port *wp, json_t *xstats)
{
	json_t *w = wire_json(wp), *group;
	const char *key, *names[] = {"drops", "refill_refused"};
	char name[64];
	json_t *v;

	json_object_foreach (w, key, v) {
		if (json_is_integer(v)) {
			snprintf(name, sizeof(name), "wire_%s", key);
			json_object_set(xstats, name, v);
		}
	}
	for (unsigned int i = 0; i < 2; i++) {
		group = json_object_get(w, names[i]);
		json_object_foreach (group, key, v) {
			snprintf(name, sizeof(name), "wire_%s_%s", i ? "refused" : "drop", key);
			json_object_set(xstats, name, v);
		}
	}
	json_decref(w);
}
