/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <lab_mempool.h>

#include "app.h"
#include "ledger.h"
#include "wire.h"

LAB_DROP_CAUSE(drop_tx_full, "tx_full");
LAB_DROP_CAUSE(drop_missed, "rx_missed");
LAB_DROP_CAUSE(drop_error, "rx_error");
LAB_DROP_CAUSE(drop_stopped, "stopped");
LAB_DROP_CAUSE(drop_nombuf, "nombuf");
LAB_DROP_CAUSE(drop_backpressure, "backpressure");

static const char *
failure_name(unsigned int i)
{
	return i == LEDGER_NOMBUF ? "nombuf" : lab_cause_name(i + 1);
}

bool
ledger_is_memory(const char *cause)
{
	for (unsigned int i = 0; i < LEDGER_NR_FAILURES; i++) {
		if (!strcmp(cause, failure_name(i)))
			return true;
	}
	return false;
}

/* With these PMDs rx_nombuf counts packets; with others, allocations that a ring may well survive. */
static bool
nombuf_is_loss(uint16_t id)
{
	static const char *const drivers[] = {"net_pcap", "net_tap"};
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(id, &info) || info.driver_name == NULL)
		return false;
	for (unsigned int i = 0; i < RTE_DIM(drivers); i++) {
		if (!strcmp(info.driver_name, drivers[i]))
			return true;
	}
	return false;
}

/* Packets that stamps say were sent to this port and never came. */
static uint64_t
lost_by_stamps(const struct app *app, uint16_t id)
{
	const struct fwd *f = &app->fwd;
	struct lab_sink_stats st;
	uint64_t lost = 0;

	if (f->nr_streams == 0 || strcmp(f->streams_engine->name, "sink"))
		return 0;
	for (unsigned int i = 0; i < f->nr_streams; i++) {
		if (f->streams[i].rx_port != id)
			continue;
		lab_sink_stats_get(f->streams[i].priv, &st);
		lost += st.lost;
	}
	return lost;
}

static void
wire_raw(const struct port *p, struct lab_ledger_port *out)
{
	const struct lab_wire *w = wire_of(p->wire);
	struct lab_wire_stats s;

	lab_wire_stats_get(w, &s);
	out->offered = s.offered;
	out->in_flight += s.filled;
	for (unsigned int i = 0; i < lab_wire_nb_drops(w); i++) {
		int cause = lab_drop_cause(lab_wire_drop_name(w, i));

		if (cause >= 0)
			out->drops[cause] += s.drops[i];
	}
}

static void
pmd_raw(struct app *app, uint16_t id, const struct fwd_counts *rx, struct lab_ledger_port *out)
{
	const struct port *p = &app->ports.p[id];
	struct port_counts c;
	uint64_t lost;

	port_counts(app, id, &c);
	out->drops[drop_missed] += c.imissed;
	out->drops[drop_error] += c.ierrors;
	if (nombuf_is_loss(id))
		out->drops[drop_nombuf] += c.rx_nombuf;
	lost = c.imissed + c.ierrors + out->drops[drop_nombuf];
	/* a PMD that began anew has forgotten packets that were received */
	out->offered = (p->restarted ? RTE_MAX(c.ipackets, rx->rx) : c.ipackets) + lost;
	out->offered = RTE_MAX(out->offered, rx->rx + lost_by_stamps(app, id));
}

/* Frames that the kernel put into a ring and the driver has not taken out: they wait there, or went
 * with the ring when the port was stopped. */
static void
kernel_raw(const struct port *p, struct lab_ledger_port *out)
{
	uint64_t waiting;

	if (p->ring.packets <= out->offered)
		return;
	waiting = p->ring.packets - out->offered;
	out->offered = p->ring.packets;
	if (p->ring.nr)
		out->in_flight += waiting;
	else
		out->drops[drop_stopped] += waiting;
}

void
ledger_port_raw(struct app *app, uint16_t id, struct lab_ledger_port *out)
{
	const struct port *p = &app->ports.p[id];
	struct fwd_counts rx;
	uint64_t held;

	fwd_port_counts(app, id, &rx, &held);
	memset(out, 0, sizeof(*out));
	if (p->wire)
		snprintf(out->name, sizeof(out->name), "%s", lab_wire_name(wire_of(p->wire)));
	else
		snprintf(out->name, sizeof(out->name), "port%u", id);
	out->delivered = rx.tx + rx.consumed;
	out->drops[drop_tx_full] = rx.tx_full;
	out->in_flight = held;
	if (p->wire) {
		wire_raw(p, out);
	} else {
		pmd_raw(app, id, &rx, out);
		kernel_raw(p, out);
	}
}

/* What was in flight at the clear arrives after it: it counts as offered anew. */
static void
since(struct lab_ledger_port *p, const struct lab_ledger_port *base)
{
	p->offered -= base->offered - base->in_flight;
	p->delivered -= base->delivered;
	for (unsigned int i = 0; i < LAB_LEDGER_MAX_CAUSES; i++)
		p->drops[i] -= base->drops[i];
}

void
ledger_told(struct app *app, uint16_t id, uint64_t offered)
{
	app->ports.p[id].told = true;
	app->ports.p[id].told_offered = offered;
}

/* What the sender says that it offered and that never reached the port. If it says less than was
 * received, that stays unexplained. */
static void
add_backpressure(const struct port *port, struct lab_ledger_port *p)
{
	uint64_t known = p->delivered + p->in_flight + lab_ledger_drops(p);

	p->offered = port->told_offered;
	if (p->offered > known)
		p->drops[drop_backpressure] += p->offered - known;
}

void
ledger_get(struct app *app, struct lab_ledger *out)
{
	lab_ledger_init(out);
	PORT_FOREACH (app, id) {
		struct lab_ledger_port raw;
		int i;

		ledger_port_raw(app, id, &raw);
		since(&raw, &app->ledger.port[id]);
		if (app->ports.p[id].told)
			add_backpressure(&app->ports.p[id], &raw);
		i = lab_ledger_port_add(out, raw.name);
		if (i >= 0)
			out->port[i] = raw;
	}
}

void
ledger_forget_port(struct app *app, uint16_t id)
{
	memset(&app->ledger.port[id], 0, sizeof(app->ledger.port[id]));
	memset(&app->fwd.closed_rx[id], 0, sizeof(app->fwd.closed_rx[id]));
	memset(&app->fwd.closed_made[id], 0, sizeof(app->fwd.closed_made[id]));
}

void
ledger_clear(struct app *app)
{
	PORT_FOREACH (app, id) {
		ledger_port_raw(app, id, &app->ledger.port[id]);
		app->ports.p[id].told = false;
	}
	ledger_failures_raw(app, app->ledger.failures);
}

static bool
has_wire(const struct app *app, const struct rte_mempool *mp)
{
	PORT_FOREACH (app, id) {
		if (app->ports.p[id].wire && wire_pool(app->ports.p[id].wire) == mp)
			return true;
	}
	return false;
}

/* A wire's refill tells a refusal that left a descriptor bare from one that a smaller request made
 * good; of other pools each refused dequeue counts. */
void
ledger_failures_raw(struct app *app, uint64_t n[LEDGER_NR_FAILURES])
{
	memset(n, 0, LEDGER_NR_FAILURES * sizeof(*n));
	PORT_FOREACH (app, id) {
		const struct port *p = &app->ports.p[id];
		struct lab_wire_stats s;
		struct port_counts c;

		if (p->wire) {
			lab_wire_stats_get(wire_of(p->wire), &s);
			for (unsigned int i = 0; i < LEDGER_NR_FAILURES; i++)
				n[i] += s.refill_refused[i];
		} else if (p->mp && !lab_mempool_is(p->mp)) {
			port_counts(app, id, &c);
			n[LEDGER_NOMBUF] += c.rx_nombuf;
		}
	}
	for (unsigned int i = 0; i < app->pools.nr; i++) {
		struct lab_mempool_stats s;

		if (has_wire(app, app->pools.list[i].mp) ||
			lab_mempool_stats_get(app->pools.list[i].mp, &s))
			continue;
		for (unsigned int c = 1; c < LAB_NR_CAUSES; c++)
			n[c - 1] += s.refused[c];
	}
}

void
ledger_failures(struct app *app, struct lab_report_count out[LEDGER_NR_FAILURES])
{
	uint64_t n[LEDGER_NR_FAILURES];

	ledger_failures_raw(app, n);
	for (unsigned int i = 0; i < LEDGER_NR_FAILURES; i++) {
		uint64_t base = app->ledger.failures[i];

		/* a wire made anew counts from 0 */
		out[i] = (struct lab_report_count){failure_name(i), n[i] - RTE_MIN(base, n[i])};
	}
}

int
ledger_check_wires(struct app *app, const struct lab_ledger *ledger)
{
	PORT_FOREACH (app, id) {
		if (app->ports.p[id].wire == NULL)
			continue;
		for (unsigned int i = 0; i < ledger->nr_ports; i++) {
			const struct lab_ledger_port *p = &ledger->port[i];

			if (strcmp(p->name, lab_wire_name(wire_of(app->ports.p[id].wire))))
				continue;
			if (lab_ledger_unexplained(p) != 0)
				return cmd_fail(app, -EUCLEAN,
					"the ledger of %s does not close: offered %" PRIu64
					", delivered %" PRIu64 ", dropped %" PRIu64
					", in flight %" PRIu64 ", unexplained %" PRId64,
					p->name, p->offered, p->delivered, lab_ledger_drops(p),
					p->in_flight, lab_ledger_unexplained(p));
		}
	}
	return 0;
}

json_t *
ledger_json(struct app *app)
{
	struct lab_report_count failures[LEDGER_NR_FAILURES];
	struct lab_ledger ledger;
	json_t *out;
	int rc;

	fwd_park(app);
	ledger_get(app, &ledger);
	ledger_failures(app, failures);
	fwd_unpark(app);
	out = lab_json_ledger(&ledger);
	if (out)
		json_object_set_new(out, "failures", lab_json_counts(failures, LEDGER_NR_FAILURES));
	rc = ledger_check_wires(app, &ledger);
	if (rc) {
		fprintf(stderr, "labyrinth: %s\n", app->cli.error);
		app->cli.rc = rc;
	}
	return out;
}

static int64_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
print_line(const char *name, const json_t *p)
{
	const char *key;
	json_t *v;

	printf("  %-20s %14" PRId64 " %14" PRId64 " %12" PRId64 " %10" PRId64 " %12" PRId64 "\n",
		name, num(p, "offered"), num(p, "delivered"), num(p, "dropped"),
		num(p, "in_flight"), num(p, "unexplained"));
	json_object_foreach (json_object_get(p, "drops"), key, v)
		printf("  %-20s %43" PRId64 "  %s\n", "", (int64_t)json_integer_value(v), key);
}

void
ledger_print_json(struct app *app, const json_t *shown)
{
	const char *key;
	json_t *v;

	RTE_SET_USED(app);
	printf("\n  ------------------------------------- Ledger "
	       "--------------------------------------\n");
	printf("  %-20s %14s %14s %12s %10s %12s\n", "packets", "offered", "delivered", "dropped",
		"in flight", "unexplained");
	json_object_foreach (json_object_get(shown, "ports"), key, v)
		print_line(key, v);
	print_line("total", shown);
	printf("  Refused allocations:");
	json_object_foreach (json_object_get(shown, "failures"), key, v) {
		if (json_integer_value(v))
			printf(" %s %" PRId64, key, (int64_t)json_integer_value(v));
	}
	printf("\n  ------------------------------------------------------------------------------"
	       "-------\n");
}

int
ledger_print(struct app *app)
{
	json_t *shown;
	int rc;

	app->cli.rc = 0;
	shown = ledger_json(app);
	rc = app->cli.rc;
	if (shown)
		ledger_print_json(app, shown);
	json_decref(shown);
	return rc;
}
