/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Engines, streams and their counters. */

#include <string.h>

#include <rte_malloc.h>

#include "app.h"

static struct fwd_engine *engines; /* filled by constructors only */

void
fwd_engine_register(struct fwd_engine *e)
{
	struct fwd_engine **p = &engines;

	while (*p && strcmp((*p)->name, e->name) < 0)
		p = &(*p)->next;
	e->next = *p;
	*p = e;
}

const struct fwd_engine *
fwd_engine_find(const char *name)
{
	for (const struct fwd_engine *e = engines; e; e = e->next) {
		if (!strcmp(e->name, name))
			return e;
	}
	return NULL;
}

const struct fwd_engine *
fwd_engines(void)
{
	return engines;
}

void
fwd_init(struct app *app)
{
	struct fwd *f = &app->fwd;

	f->engine = fwd_engine_find("io");
	f->noisy_size = 4096;
	f->noisy_ns = 1000000;
	f->dirty = true;
	lab_arrival_config_default(&f->gen);
}

void
fwd_changed(struct app *app)
{
	app->fwd.dirty = true;
}

#define NR_COUNTS (sizeof(struct fwd_counts) / sizeof(uint64_t))

void
fwd_counts_add(struct fwd_counts *sum, const struct fwd_counts *c)
{
	for (size_t i = 0; i < NR_COUNTS; i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)c)[i];
}

void
fwd_counts_sub(struct fwd_counts *from, const struct fwd_counts *c)
{
	for (size_t i = 0; i < NR_COUNTS; i++)
		((uint64_t *)from)[i] -= ((const uint64_t *)c)[i];
}

void
fwd_port_counts(const struct app *app, uint16_t port, struct fwd_counts *rx, uint64_t *held)
{
	*rx = app->fwd.closed_rx[port];
	*held = 0;
	for (unsigned int i = 0; i < app->fwd.nr_streams; i++) {
		const struct fwd_stream *fs = &app->fwd.streams[i];

		if (fs->rx_port != port)
			continue;
		fwd_counts_add(rx, &fs->n);
		*held += fs->held;
	}
}

void
fwd_port_made(const struct app *app, uint16_t port, struct fwd_counts *made)
{
	*made = app->fwd.closed_made[port];
	for (unsigned int i = 0; i < app->fwd.nr_streams; i++) {
		if (app->fwd.streams[i].tx_port == port)
			fwd_counts_add(made, &app->fwd.streams[i].n);
	}
}

void
fwd_clear_stats(struct app *app)
{
	for (unsigned int i = 0; i < app->fwd.nr_streams; i++) {
		struct fwd_stream *fs = &app->fwd.streams[i];

		fs->base = fs->n;
		memset(fs->rx_bursts, 0, sizeof(fs->rx_bursts));
		memset(fs->tx_bursts, 0, sizeof(fs->tx_bursts));
	}
	PORT_FOREACH (app, id)
		port_counts(app, id, &app->ports.p[id].fwd_base);
}

void
fwd_free(struct app *app)
{
	struct fwd *f = &app->fwd;

	for (unsigned int i = 0; i < f->nr_streams; i++) {
		struct fwd_stream *fs = &f->streams[i];

		if (f->streams_engine->end)
			f->streams_engine->end(fs);
		fwd_counts_add(&f->closed_rx[fs->rx_port], &fs->n);
		fwd_counts_add(&f->closed_made[fs->tx_port], &fs->n);
	}
	rte_free(f->streams);
	f->streams = NULL;
	f->nr_streams = 0;
	f->dirty = true;
}

static void
drop(struct rte_mbuf **pkts, uint16_t n, uint64_t *count)
{
	if (likely(n == 0))
		return;
	*count += n;
	rte_pktmbuf_free_bulk(pkts, n);
}

static uint16_t
tx(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = rte_eth_tx_burst(fs->tx_port, fs->tx_queue, pkts, n);

	if (fs->count_bursts)
		fs->tx_bursts[sent]++;
	return sent;
}

void
fwd_tx(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent;

	if (n == 0)
		return;
	sent = tx(fs, pkts, n);
	fs->n.tx += sent;
	drop(pkts + sent, n - sent, &fs->n.tx_full);
}

uint16_t
fwd_tx_made(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent;

	if (n == 0)
		return 0;
	sent = tx(fs, pkts, n);
	fs->n.made += n;
	fs->n.made_sent += sent;
	drop(pkts + sent, n - sent, &fs->n.made_tx_full);
	return sent;
}

void
fwd_consume(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n)
{
	drop(pkts, n, &fs->n.consumed);
}
