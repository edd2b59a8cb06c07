/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The forward statistics, in testpmd's layout. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#include <lab_report.h>

#include "app.h"

/* Since the last start or clear. */
struct port_fwd {
	struct fwd_counts rx, made;
	struct port_counts port;
	uint64_t held;
};

static void
collect(struct app *app, uint16_t id, struct port_fwd *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned int i = 0; i < app->fwd.nr_streams; i++) {
		const struct fwd_stream *fs = &app->fwd.streams[i];
		struct fwd_counts n = fs->n;

		fwd_counts_sub(&n, &fs->base);
		if (fs->rx_port == id) {
			fwd_counts_add(&out->rx, &n);
			out->held += fs->held;
		}
		if (fs->tx_port == id)
			fwd_counts_add(&out->made, &n);
	}
	port_counts(app, id, &out->port);
	port_counts_sub(&out->port, &app->ports.p[id].fwd_base);
}

/* Counted where it was received, printed where it was sent, as testpmd does. */
static void
tx_of(const struct port_fwd *p, uint64_t *sent, uint64_t *dropped)
{
	*sent = p->made.tx + p->made.made_sent;
	*dropped = p->made.tx_full + p->made.made_tx_full;
}

static json_t *
bursts_json(const uint64_t *bursts)
{
	json_t *out = json_object();
	char key[8];

	for (unsigned int i = 0; i <= APP_MAX_BURST; i++) {
		snprintf(key, sizeof(key), "%u", i);
		if (bursts[i])
			json_object_set_new(out, key, lab_json_u64(bursts[i]));
	}
	return out;
}

static void
sum_bursts(const struct app *app, uint16_t port, bool rx, uint64_t *sum)
{
	memset(sum, 0, (APP_MAX_BURST + 1) * sizeof(*sum));
	for (unsigned int i = 0; i < app->fwd.nr_streams; i++) {
		const struct fwd_stream *fs = &app->fwd.streams[i];

		if ((rx ? fs->rx_port : fs->tx_port) != port)
			continue;
		for (unsigned int b = 0; b <= APP_MAX_BURST; b++)
			sum[b] += rx ? fs->rx_bursts[b] : fs->tx_bursts[b];
	}
}

static json_t *
port_json(struct app *app, uint16_t id, struct port_fwd *total)
{
	uint64_t bursts[APP_MAX_BURST + 1], sent, dropped;
	struct port_fwd p;
	json_t *out;

	collect(app, id, &p);
	tx_of(&p, &sent, &dropped);
	fwd_counts_add(&total->rx, &p.rx);
	fwd_counts_add(&total->made, &p.made);
	total->port.imissed += p.port.imissed;
	total->held += p.held;
	out = json_pack("{si so so so so so so so so}", "port", id, "rx_packets",
		lab_json_u64(p.rx.rx), "rx_dropped", lab_json_u64(p.port.imissed), "rx_nombuf",
		lab_json_u64(p.port.rx_nombuf), "tx_packets", lab_json_u64(sent), "tx_dropped",
		lab_json_u64(dropped), "consumed", lab_json_u64(p.rx.consumed), "held",
		lab_json_u64(p.held), "made_nombuf", lab_json_u64(p.made.nombuf));
	if (app->opt.burst_stats) {
		sum_bursts(app, id, true, bursts);
		json_object_set_new(out, "rx_bursts", bursts_json(bursts));
		sum_bursts(app, id, false, bursts);
		json_object_set_new(out, "tx_bursts", bursts_json(bursts));
	}
	return out;
}

static json_t *
stream_json(const struct app *app, const struct fwd_stream *fs)
{
	struct fwd_counts n = fs->n;
	json_t *out;

	fwd_counts_sub(&n, &fs->base);
	out = json_pack("{si si si si so so so so}", "rx_port", fs->rx_port, "rx_queue",
		fs->rx_queue, "tx_port", fs->tx_port, "tx_queue", fs->tx_queue, "rx_packets",
		lab_json_u64(n.rx), "tx_packets", lab_json_u64(n.tx + n.made_sent), "tx_dropped",
		lab_json_u64(n.tx_full + n.made_tx_full), "held", lab_json_u64(fs->held));
	if (out && app->fwd.streams_engine->stats)
		app->fwd.streams_engine->stats(fs, out);
	return out;
}

json_t *
fwd_stats_json(struct app *app)
{
	const struct fwd *f = &app->fwd;
	json_t *ports = json_array(), *streams = json_array(), *out;
	struct port_fwd total = {0};
	uint64_t sent, dropped;

	for (unsigned int i = 0; i < f->nr_used_ports; i++)
		json_array_append_new(ports, port_json(app, f->used_ports[i], &total));
	for (unsigned int i = 0; i < f->nr_streams; i++)
		json_array_append_new(streams, stream_json(app, &f->streams[i]));
	tx_of(&total, &sent, &dropped);
	out = json_pack("{ss so so s{so so so so so}}", "mode", f->engine->name, "ports", ports,
		"streams", streams, "total", "rx_packets", lab_json_u64(total.rx.rx), "rx_dropped",
		lab_json_u64(total.port.imissed), "tx_packets", lab_json_u64(sent), "tx_dropped",
		lab_json_u64(dropped), "held", lab_json_u64(total.held));
	if (app->opt.core_cycles)
		json_object_set_new(out, "cycles",
			json_pack("{so so si}", "total", lab_json_u64(total.rx.cycles), "packets",
				lab_json_u64(total.rx.rx + total.made.made_sent), "clock_mhz",
				(int)(rte_get_tsc_hz() / 1000000)));
	return out;
}

static int64_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
print_counts(const json_t *o)
{
	printf("  RX-packets: %-14" PRId64 " RX-dropped: %-14" PRId64 "RX-total: %-" PRId64 "\n",
		num(o, "rx_packets"), num(o, "rx_dropped"),
		num(o, "rx_packets") + num(o, "rx_dropped"));
	if (num(o, "rx_nombuf"))
		printf("  RX-nombufs: %-14" PRId64 "\n", num(o, "rx_nombuf"));
	printf("  TX-packets: %-14" PRId64 " TX-dropped: %-14" PRId64 "TX-total: %-" PRId64 "\n",
		num(o, "tx_packets"), num(o, "tx_dropped"),
		num(o, "tx_packets") + num(o, "tx_dropped"));
	if (num(o, "made_nombuf"))
		printf("  TX-nombufs: %-14" PRId64 "\n", num(o, "made_nombuf"));
}

/* "RX-bursts : 98 [0% of 0 pkts + 100% of 32 pkts]": empty ones, the two most frequent sizes, and
 * the rest together. */
static void
print_bursts(const char *label, const json_t *bursts)
{
	int64_t n[APP_MAX_BURST + 1] = {0}, total = 0, rest;
	const json_t *v;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)bursts, key, v) {
		n[atoi(key)] = json_integer_value(v);
		total += json_integer_value(v);
	}
	if (total == 0)
		return;
	rest = total - n[0];
	printf("  %s-bursts : %" PRId64 " [%d%% of 0 pkts", label, total,
		(int)(100 * n[0] / total));
	for (int rank = 0; rank < 2 && rest > 0; rank++) {
		unsigned int best = 1;

		for (unsigned int i = 2; i <= APP_MAX_BURST; i++)
			best = n[i] > n[best] ? i : best;
		printf(" + %d%% of %u pkts", (int)(100 * n[best] / total), best);
		rest -= n[best];
		n[best] = 0;
	}
	if (rest > 0)
		printf(" + %d%% of other", (int)(100 * rest / total));
	printf("]\n");
}

static void
print_streams(const json_t *streams)
{
	const json_t *o;
	size_t i;

	json_array_foreach (streams, i, o) {
		printf("\n  ------- Forward Stats for RX Port=%2d/Queue=%2d -> TX "
		       "Port=%2d/Queue=%2d "
		       "-------\n",
			(int)num(o, "rx_port"), (int)num(o, "rx_queue"), (int)num(o, "tx_port"),
			(int)num(o, "tx_queue"));
		printf("  RX-packets: %-14" PRId64 " TX-packets: %-14" PRId64
		       " TX-dropped: %-14" PRId64 "\n",
			num(o, "rx_packets"), num(o, "tx_packets"), num(o, "tx_dropped"));
		for (int k = 0; k < 2; k++) {
			const json_t *more = json_object_get(o, k ? "sink" : "gen");

			if (more)
				lab_display(more, LAB_FORMAT_TABLE, stdout);
		}
	}
}

static void
print_cycles(const json_t *c)
{
	if (c == NULL || num(c, "packets") == 0)
		return;
	printf("\n  CPU cycles/packet=%.2f (total cycles=%" PRId64 " / total io packets=%" PRId64
	       ") at %" PRId64 " MHz Clock\n",
		(double)num(c, "total") / num(c, "packets"), num(c, "total"), num(c, "packets"),
		num(c, "clock_mhz"));
}

void
fwd_show_print(struct app *app, const json_t *shown)
{
	const json_t *ports = json_object_get(shown, "ports"), *o;
	const json_t *streams = json_object_get(shown, "streams");
	size_t i;

	if (json_array_size(streams) > json_array_size(ports) ||
		(app->fwd.streams_engine && app->fwd.streams_engine->stats))
		print_streams(streams);
	json_array_foreach (ports, i, o) {
		printf("\n  ---------------------- Forward statistics for port %-2d "
		       "----------------------\n",
			(int)num(o, "port"));
		print_counts(o);
		print_bursts("RX", json_object_get(o, "rx_bursts"));
		print_bursts("TX", json_object_get(o, "tx_bursts"));
		printf("  "
		       "---------------------------------------------------------------------------"
		       "-"
		       "\n");
	}
	printf("\n  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++\n");
	print_counts(json_object_get(shown, "total"));
	printf("  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++\n");
	print_cycles(json_object_get(shown, "cycles"));
}

void
fwd_print_stats(struct app *app)
{
	json_t *shown = fwd_stats_json(app);

	if (shown)
		fwd_show_print(app, shown);
	json_decref(shown);
}
