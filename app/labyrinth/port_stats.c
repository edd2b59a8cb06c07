/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Counters of ports, as totals that never fall. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_report.h>

#include "app.h"
#include "wire.h"

#define NR_COUNTS (sizeof(struct port_counts) / sizeof(uint64_t))

void
port_counts_sub(struct port_counts *from, const struct port_counts *c)
{
	for (size_t i = 0; i < NR_COUNTS; i++)
		((uint64_t *)from)[i] -= ((const uint64_t *)c)[i];
}

static int
read_raw(const struct port *p, uint16_t id, struct port_counts *raw)
{
	struct rte_eth_stats s;
	int rc;

	if (p->wire)
		return wire_port_counts(p->wire, raw);
	rc = rte_eth_stats_get(id, &s);
	if (rc)
		return rc;
	*raw = (struct port_counts){s.ipackets, s.opackets, s.ibytes, s.obytes, s.imissed,
		s.ierrors, s.oerrors, s.rx_nombuf};
	return 0;
}

/* A PMD may begin again from 0: memif does when its peer leaves. What it had said until then stays
 * counted. */
static void
keep_total(struct port *p, const struct port_counts *raw)
{
	const uint64_t *now = (const uint64_t *)raw, *last = (const uint64_t *)&p->raw;
	uint64_t *restarts = (uint64_t *)&p->restarts;
	bool fell = false;

	for (size_t i = 0; i < NR_COUNTS; i++)
		fell |= now[i] < last[i];
	if (fell) {
		for (size_t i = 0; i < NR_COUNTS; i++)
			restarts[i] += last[i];
		p->restarted = true;
	}
	p->raw = *raw;
}

int
port_counts(struct app *app, uint16_t id, struct port_counts *out)
{
	struct port *p = &app->ports.p[id];
	struct port_counts raw;
	int rc;

	pthread_mutex_lock(&app->ports.lock);
	rc = read_raw(p, id, &raw);
	kernel_ring_read(&p->ring);
	raw.imissed += p->ring.drops;
	if (rc == 0)
		keep_total(p, &raw);
	for (size_t i = 0; i < NR_COUNTS; i++)
		((uint64_t *)out)[i] =
			((const uint64_t *)&p->raw)[i] + ((const uint64_t *)&p->restarts)[i];
	pthread_mutex_unlock(&app->ports.lock);
	return rc;
}

int
port_stats(struct app *app, uint16_t id, struct port_counts *out)
{
	int rc = port_counts(app, id, out);

	port_counts_sub(out, &app->ports.p[id].base);
	return rc;
}

void
port_stats_clear(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];

	port_counts(app, id, &p->base);
	p->shown.t_ns = 0;
}

/* Rates since the last time they were shown; nothing the first time. */
static json_t *
rates(struct app *app, uint16_t id, const struct port_counts *n)
{
	struct port *p = &app->ports.p[id];
	uint64_t now = lab_clock_now(&app->clock), dt = now - p->shown.t_ns;
	const struct port_counts *was = &p->shown.n;
	double s = p->shown.t_ns && dt ? 1e9 / dt : 0;
	json_t *out = json_pack("{sI sI sI sI}", "rx_pps",
		(json_int_t)((n->ipackets - was->ipackets) * s), "rx_bps",
		(json_int_t)((n->ibytes - was->ibytes) * s * 8), "tx_pps",
		(json_int_t)((n->opackets - was->opackets) * s), "tx_bps",
		(json_int_t)((n->obytes - was->obytes) * s * 8));

	p->shown.t_ns = now;
	p->shown.n = *n;
	return out;
}

json_t *
port_stats_json(struct app *app, uint16_t id)
{
	struct port_counts n;

	port_stats(app, id, &n);
	return json_pack("{si so so so so so so so so so}", "port", id, "rx_packets",
		lab_json_u64(n.ipackets), "rx_missed", lab_json_u64(n.imissed), "rx_bytes",
		lab_json_u64(n.ibytes), "rx_errors", lab_json_u64(n.ierrors), "rx_nombuf",
		lab_json_u64(n.rx_nombuf), "tx_packets", lab_json_u64(n.opackets), "tx_errors",
		lab_json_u64(n.oerrors), "tx_bytes", lab_json_u64(n.obytes), "throughput",
		rates(app, id, &n));
}

static json_int_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

void
port_print_stats(const json_t *ports)
{
	const char *border = "########################";
	const json_t *o, *t;
	size_t i;

	json_array_foreach (ports, i, o) {
		t = json_object_get(o, "throughput");
		printf("\n  %s NIC statistics for port %-2d %s\n", border, (int)num(o, "port"),
			border);
		printf("  RX-packets: %-10" PRId64 " RX-missed: %-10" PRId64 " RX-bytes:  %-" PRId64
		       "\n  RX-errors: %-" PRId64 "\n  RX-nombuf:  %-10" PRId64
		       "\n  TX-packets: %-10" PRId64 " TX-errors: %-10" PRId64
		       " TX-bytes:  %-" PRId64 "\n",
			(int64_t)num(o, "rx_packets"), (int64_t)num(o, "rx_missed"),
			(int64_t)num(o, "rx_bytes"), (int64_t)num(o, "rx_errors"),
			(int64_t)num(o, "rx_nombuf"), (int64_t)num(o, "tx_packets"),
			(int64_t)num(o, "tx_errors"), (int64_t)num(o, "tx_bytes"));
		printf("\n  Throughput (since last show)\n");
		printf("  Rx-pps: %12" PRId64 "          Rx-bps: %12" PRId64
		       "\n  Tx-pps: %12" PRId64 "          Tx-bps: %12" PRId64 "\n",
			(int64_t)num(t, "rx_pps"), (int64_t)num(t, "rx_bps"),
			(int64_t)num(t, "tx_pps"), (int64_t)num(t, "tx_bps"));
		printf("  "
		       "###########################################################################"
		       "#"
		       "\n");
	}
}

void
ports_print_stats(struct app *app)
{
	json_t *all = json_array();

	PORT_FOREACH (app, id)
		json_array_append_new(all, port_stats_json(app, id));
	port_print_stats(all);
	json_decref(all);
}

json_t *
port_xstats_json(struct app *app, uint16_t id)
{
	int n = rte_eth_xstats_get_names(id, NULL, 0), rc;
	struct rte_eth_xstat_name *names = calloc(RTE_MAX(n, 1), sizeof(*names));
	struct rte_eth_xstat *values = calloc(RTE_MAX(n, 1), sizeof(*values));
	json_t *out = NULL, *xstats = json_object();

	if (n < 0 || names == NULL || values == NULL)
		goto out;
	rc = rte_eth_xstats_get_names(id, names, n);
	if (rc != n || rte_eth_xstats_get(id, values, n) != n)
		goto out;
	for (int i = 0; i < n; i++)
		json_object_set_new(
			xstats, names[values[i].id].name, lab_json_u64(values[i].value));
	if (app->ports.p[id].wire)
		wire_port_xstats(app->ports.p[id].wire, xstats);
	out = json_pack("{si sO}", "port", id, "xstats", xstats);
out:
	if (out == NULL)
		cmd_fail(app, -EIO, "port %u: Cannot get xstats", id);
	json_decref(xstats);
	free(names);
	free(values);
	return out;
}

void
port_print_xstats(const json_t *ports)
{
	const json_t *o, *v;
	const char *key;
	size_t i;

	json_array_foreach (ports, i, o) {
		printf("###### NIC extended statistics for port %-2d\n", (int)num(o, "port"));
		json_object_foreach (json_object_get(o, "xstats"), key, v)
			printf("%s: %" PRId64 "\n", key, (int64_t)json_integer_value(v));
	}
}
