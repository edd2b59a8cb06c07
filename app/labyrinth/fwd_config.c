/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Which stream runs where: ports in pairs, queues of the same number, as in testpmd. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "app.h"
#include "wire.h"

static void
list_ports(struct app *app)
{
	struct fwd *f = &app->fwd;
	unsigned int n = 0;

	if (f->nr_ports) {
		for (unsigned int i = 0; i < f->nr_ports; i++) {
			if (app->ports.p[f->ports[i]].known)
				f->used_ports[n++] = f->ports[i];
		}
	} else {
		PORT_FOREACH (app, id)
			f->used_ports[n++] = id;
	}
	if (f->use_ports && f->use_ports < n)
		n = f->use_ports;
	f->nr_used_ports = n;
}

/* Ports i and i + 1 are a pair; an odd last one sends to itself. */
static uint16_t
peer_of(const struct fwd *f, unsigned int i)
{
	unsigned int peer = i ^ 1;

	return f->used_ports[peer < f->nr_used_ports ? peer : i];
}

static int
streams_make(struct app *app)
{
	struct fwd *f = &app->fwd;
	unsigned int queues = RTE_MIN(app->opt.rxq, app->opt.txq), s = 0;

	f->nr_streams = f->nr_used_ports * queues;
	f->streams =
		rte_zmalloc("streams", f->nr_streams * sizeof(*f->streams), RTE_CACHE_LINE_SIZE);
	if (f->streams == NULL) {
		f->nr_streams = 0;
		return cmd_fail(
			app, -ENOMEM, "no memory for %u streams", f->nr_used_ports * queues);
	}
	/* queue by queue, so that several lcores share every port evenly */
	for (unsigned int q = 0; q < queues; q++) {
		for (unsigned int i = 0; i < f->nr_used_ports; i++, s++) {
			struct fwd_stream *fs = &f->streams[s];

			fs->app = app;
			fs->rx_port = f->used_ports[i];
			fs->tx_port = peer_of(f, i);
			fs->rx_queue = q;
			fs->tx_queue = q;
			fs->burst = app->opt.burst;
			fs->peer = app->opt.eth_peer[fs->tx_port];
		}
	}
	return 0;
}

static int
engines_begin(struct app *app)
{
	struct fwd *f = &app->fwd;
	int rc = 0;

	f->streams_engine = f->engine;
	for (unsigned int i = 0; i < f->nr_streams && rc == 0; i++) {
		struct fwd_stream *fs = &f->streams[i];

		rc = f->engine->begin ? f->engine->begin(fs) : 0;
		if (rc && f->engine->end) {
			for (unsigned int j = 0; j < i; j++)
				f->engine->end(&f->streams[j]);
		}
	}
	if (rc) {
		rte_free(f->streams);
		f->streams = NULL;
		f->nr_streams = 0;
	}
	return rc;
}

static void
list_lcores(struct app *app, unsigned int *lcores, unsigned int *n)
{
	struct fwd *f = &app->fwd;
	unsigned int id;

	*n = 0;
	if (f->nr_cores) {
		memcpy(lcores, f->cores, f->nr_cores * sizeof(*lcores));
		*n = f->nr_cores;
		return;
	}
	RTE_LCORE_FOREACH_WORKER (id)
		lcores[(*n)++] = id;
}

/* The streams over `n` lcores; the last ones take one more where it does not come out even. */
static void
spread(struct fwd *f, unsigned int n)
{
	unsigned int each = f->nr_streams / n, more = f->nr_streams % n, at = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct fwd_lcore *lc = &f->lcores[i];

		lc->role = FWD_STREAMS;
		lc->first = at;
		lc->nr = each + (i >= n - more);
		at += lc->nr;
	}
}

static void
lcores_make(struct app *app)
{
	struct fwd *f = &app->fwd;
	unsigned int ids[RTE_MAX_LCORE], n, want = f->use_cores ? f->use_cores : 1;

	list_lcores(app, ids, &n);
	memset(f->lcores, 0, sizeof(f->lcores));
	/* in virtual time, and with a single lcore, everything is the calling thread's */
	if (n == 0 || app->clock.kind == LAB_CLOCK_VIRTUAL) {
		ids[0] = rte_get_main_lcore();
		n = 1;
	}
	want = RTE_MIN(want, n);
	want = want > f->nr_streams ? RTE_MAX(f->nr_streams, 1u) : want;
	spread(f, want);
	f->nr_lcores = want;
	/* the wires have an lcore of their own where one is left */
	if (wires_any(app) && n > want && app->clock.kind == LAB_CLOCK_REAL) {
		f->lcores[want].role = FWD_WIRES;
		f->nr_lcores++;
	}
	for (unsigned int i = 0; i < f->nr_lcores; i++) {
		f->lcores[i].app = app;
		f->lcores[i].lcore = ids[i];
	}
}

static int
check_ports(struct app *app)
{
	struct fwd *f = &app->fwd;

	list_ports(app);
	if (f->nr_used_ports == 0)
		return cmd_fail(app, -ENODEV,
			"no port to forward; give EAL a --vdev, or attach a wire (help ports)");
	for (unsigned int i = 0; i < f->nr_used_ports; i++) {
		if (!app->ports.p[f->used_ports[i]].started)
			return cmd_fail(app, -EINVAL, "Not all ports were started: port %u is not",
				f->used_ports[i]);
	}
	return 0;
}

int
fwd_setup(struct app *app)
{
	struct fwd *f = &app->fwd;
	int rc = check_ports(app);

	if (rc)
		return rc;
	if (f->dirty || f->engine != f->streams_engine) {
		fwd_free(app);
		rc = streams_make(app);
		if (rc == 0)
			rc = engines_begin(app);
		if (rc)
			return rc;
		f->dirty = false;
	}
	for (unsigned int i = 0; i < f->nr_streams; i++) {
		f->streams[i].count_bursts = app->opt.burst_stats;
		f->streams[i].count_cycles = app->opt.core_cycles;
	}
	lcores_make(app);
	return 0;
}

static void
print_lcore(const struct app *app, const struct fwd_lcore *lc)
{
	const struct fwd *f = &app->fwd;
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	if (lc->role == FWD_WIRES) {
		printf("Logical Core %u (socket %u) runs the wires\n", lc->lcore,
			rte_lcore_to_socket_id(lc->lcore));
		return;
	}
	printf("Logical Core %u (socket %u) forwards packets on %u streams:\n", lc->lcore,
		rte_lcore_to_socket_id(lc->lcore), lc->nr);
	for (unsigned int i = lc->first; i < lc->first + lc->nr; i++) {
		const struct fwd_stream *fs = &f->streams[i];

		rte_ether_format_addr(mac, sizeof(mac), &fs->peer);
		printf("  RX P=%u/Q=%u (socket %d) -> TX P=%u/Q=%u (socket %d) peer=%s\n",
			fs->rx_port, fs->rx_queue, port_socket(fs->rx_port), fs->tx_port,
			fs->tx_queue, port_socket(fs->tx_port), mac);
	}
	printf("\n");
}

unsigned int
fwd_nr_cores(const struct app *app)
{
	const struct fwd *f = &app->fwd;
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->nr_lcores; i++)
		n += f->lcores[i].role == FWD_STREAMS;
	return n;
}

void
fwd_print_config(struct app *app)
{
	const struct fwd *f = &app->fwd;

	printf("%s packet forwarding - ports=%u - cores=%u - streams=%u - NUMA support enabled, "
	       "time: %s\n",
		f->engine->name, f->nr_used_ports, fwd_nr_cores(app), f->nr_streams,
		app->clock.kind == LAB_CLOCK_VIRTUAL ? "virtual" : "real");
	for (unsigned int i = 0; i < f->nr_lcores; i++)
		print_lcore(app, &f->lcores[i]);
}
