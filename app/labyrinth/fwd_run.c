/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Starting and stopping; the loop of an lcore. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_pause.h>

#include <lab_page.h>

#include "app.h"
#include "wire.h"

/* Buffers that are taken from now on are this stream's, for who asks (show zone owners). */
static void
take_as(const struct fwd_stream *fs, const struct fwd_engine *e)
{
	lab_owner_set(e->makes ? LAB_OWNER_TXQ(fs->tx_port, fs->tx_queue)
			       : LAB_OWNER_RXQ(fs->rx_port, fs->rx_queue));
}

static void
take_as_nobody(void)
{
	lab_owner_set(LAB_OWNER_UNTAGGED);
}

static unsigned int
stream_burst(struct fwd_stream *fs, const struct fwd_engine *e)
{
	uint64_t start, n;

	take_as(fs, e);
	if (!fs->count_cycles)
		return e->burst(fs);
	start = rte_rdtsc();
	n = e->burst(fs);
	if (n)
		fs->n.cycles += rte_rdtsc() - start;
	return n;
}

static void
stand_still(struct fwd_lcore *lc)
{
	const struct fwd *f = &lc->app->fwd;

	__atomic_store_n(&lc->parked, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&f->park, __ATOMIC_ACQUIRE))
		rte_pause();
	__atomic_store_n(&lc->parked, 0, __ATOMIC_RELEASE);
}

static void
streams_loop(struct fwd_lcore *lc, bool step_wires)
{
	const struct fwd *f = &lc->app->fwd;
	const struct fwd_engine *e = f->streams_engine;
	struct fwd_stream *fs = &f->streams[lc->first];

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		if (unlikely(__atomic_load_n(&f->park, __ATOMIC_RELAXED)))
			stand_still(lc);
		if (step_wires)
			wires_step(lc->app, lab_clock_now(&lc->app->clock));
		for (unsigned int i = 0; i < lc->nr; i++)
			stream_burst(&fs[i], e);
	}
}

static void
wires_loop(struct fwd_lcore *lc)
{
	const struct fwd *f = &lc->app->fwd;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		if (unlikely(__atomic_load_n(&f->park, __ATOMIC_RELAXED)))
			stand_still(lc);
		wires_step(lc->app, lab_clock_now(&lc->app->clock));
	}
}

static int
lcore_main(void *arg)
{
	struct fwd_lcore *lc = arg;
	const struct fwd *f = &lc->app->fwd;
	bool wires_apart = f->lcores[f->nr_lcores - 1].role == FWD_WIRES;

	lab_cpu_set(rte_lcore_index(rte_lcore_id()));
	if (lc->role == FWD_WIRES)
		wires_loop(lc);
	else
		/* without an lcore of their own, the first forwarding one moves the wires */
		streams_loop(lc, !wires_apart && lc == &f->lcores[0] && wires_any(lc->app));
	take_as_nobody();
	/* who waits for us to stand still must not wait for ever */
	__atomic_store_n(&lc->parked, 1, __ATOMIC_RELEASE);
	return 0;
}

void
fwd_park(struct app *app)
{
	struct fwd *f = &app->fwd;

	if (!f->threads)
		return;
	__atomic_store_n(&f->park, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < f->nr_lcores; i++) {
		while (!__atomic_load_n(&f->lcores[i].parked, __ATOMIC_ACQUIRE))
			rte_pause();
	}
}

void
fwd_unpark(struct app *app)
{
	struct fwd *f = &app->fwd;

	if (!f->threads)
		return;
	__atomic_store_n(&f->park, 0, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < f->nr_lcores; i++) {
		while (__atomic_load_n(&f->lcores[i].parked, __ATOMIC_ACQUIRE))
			rte_pause();
	}
}

unsigned int
fwd_round(struct app *app)
{
	struct fwd *f = &app->fwd;
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->nr_streams; i++)
		n += stream_burst(&f->streams[i], f->streams_engine);
	take_as_nobody();
	return n;
}

/* Send n bursts of generated packets on every stream before anything is forwarded. */
static int
send_first(struct app *app, unsigned int bursts)
{
	const struct fwd_engine *e = fwd_engine_find("txonly");
	struct fwd *f = &app->fwd;

	for (unsigned int i = 0; i < f->nr_streams; i++) {
		struct fwd_stream *fs = &f->streams[i];
		void *kept = fs->priv;
		int rc = e->begin(fs);

		take_as(fs, e);
		if (rc == 0) {
			for (unsigned int b = 0; b < bursts; b++)
				e->burst(fs);
			e->end(fs);
		}
		fs->priv = kept;
		take_as_nobody();
		if (rc)
			return rc;
	}
	return 0;
}

static int
launch(struct app *app)
{
	struct fwd *f = &app->fwd;

	for (unsigned int i = 0; i < f->nr_lcores; i++) {
		struct fwd_lcore *lc = &f->lcores[i];
		int rc;

		lc->parked = 0;
		rc = rte_eal_remote_launch(lcore_main, lc, lc->lcore);
		if (rc) {
			__atomic_store_n(&f->stop, 1, __ATOMIC_RELEASE);
			rte_eal_mp_wait_lcore();
			return cmd_fail(app, rc, "lcore %u does not start: %s", lc->lcore,
				rte_strerror(-rc));
		}
	}
	f->threads = true;
	return 0;
}

int
fwd_start(struct app *app, unsigned int tx_first)
{
	struct fwd *f = &app->fwd;
	int rc;

	if (f->running)
		return cmd_fail(app, -EBUSY, "Packet forwarding already started");
	rc = fwd_setup(app);
	if (rc)
		return rc;
	if (app->clock.kind == LAB_CLOCK_REAL && rte_lcore_count() < 2)
		return cmd_fail(app, -EINVAL,
			"real time needs an lcore beside the main one, e.g. --lcores 0@0,1@0; "
			"or 'set time virtual'");
	f->run++;
	fwd_clear_stats(app);
	fwd_print_config(app);
	rc = tx_first ? send_first(app, tx_first) : 0;
	if (rc)
		return rc;
	f->stop = 0;
	f->park = 0;
	rc = wires_resume(app);
	if (rc == 0)
		rc = sampler_start(app);
	if (rc == 0 && app->clock.kind == LAB_CLOCK_REAL)
		rc = launch(app);
	if (rc) {
		sampler_stop(app);
		wires_pause(app);
		return rc;
	}
	f->running = true;
	return 0;
}

int
fwd_stop(struct app *app)
{
	struct fwd *f = &app->fwd;

	if (!f->running)
		return cmd_fail(app, -EINVAL, "Packet forwarding not started");
	printf("Telling cores to stop...\n");
	__atomic_store_n(&f->stop, 1, __ATOMIC_RELEASE);
	if (f->threads) {
		printf("Waiting for lcores to finish...\n");
		rte_eal_mp_wait_lcore();
	}
	f->threads = false;
	for (unsigned int i = 0; i < f->nr_streams && f->streams_engine->flush; i++)
		f->streams_engine->flush(&f->streams[i]);
	sampler_stop(app);
	wires_pause(app);
	f->running = false;
	fwd_print_stats(app);
	printf("\nDone.\n");
	return 0;
}
