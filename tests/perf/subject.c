/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The observer and the recorder as their commands run them, and two that show what the method is worth: nothing at all,
 * and a known load. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lab_base.h>
#include <lab_record.h>

#include "../../app/labyrinth/signals.h"
#include "../../app/observe/direct_file.h"
#include "../../app/observe/watch.h"
#include "subject.h"

#define BURN_NS     UINT64_C(200000) /* of BURN_EVERY: 2% of a CPU */
#define BURN_EVERY  UINT64_C(10000000)
#define RECORD_STEP UINT64_C(2000000) /* as cmd_record.c */

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t
subject_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t
subject_cpu(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t
subject_thread_cpu(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int
sleep_on(uint64_t ns)
{
	return signals_sleep(ns) ? 0 : -EINTR;
}

/* ------------------------------------------------------------------------ watch */

static struct watch watch;

static int
open_watch(const char *device, const char *file, char *why)
{
	char name[] = "watch", period[] = "-p0", dev[] = "-n";
	static char copy[32];
	char *argv[] = {name, period, dev, copy, NULL};
	struct lab_kmon_opts opts = {.idle = true};
	bool leave;
	int err;

	snprintf(copy, sizeof(copy), "%s", device ? device : "");
	optind = 1; /* its arguments, not this program's */
	if (watch_parse(&watch, device ? 4 : 2, argv, &leave))
		return -EINVAL;
	opts.latency_every = watch.opt.latency_every;
	err = lab_kmon_open(&watch.kmon, &opts, why, SUBJECT_WHY);
	if (!err)
		err = watch_series_init(&watch);
	if (!err)
		err = lab_nics_open(
			&watch.nics, watch.opt.device, watch.opt.nr_devices, why, SUBJECT_WHY);
	return err;
}

static int
on_watch(char *why)
{
	return watch_begin(&watch, why, SUBJECT_WHY);
}

static int
run_watch(uint64_t ns)
{
	watch.opt.duration_ns = subject_now() - watch.begin_ns + ns;
	return watch_sample_all(&watch);
}

static int
off_watch(void)
{
	lab_kmon_detach(watch.kmon);
	return 0;
}

static void
close_watch(void)
{
	if (watch.samples > 0)
		printf("  %" PRIu64 " samples, each %.1f us, every %.0f ms\n", watch.samples,
			(double)watch.spent_ns / 1e3 / (double)watch.samples,
			(double)watch.opt.interval_ns / 1e6);
	lab_kmon_close(watch.kmon);
	lab_nics_close(watch.nics);
	lab_series_set_destroy(watch.set);
}

/* ----------------------------------------------------------------------- record */

static struct {
	const char *file;
	FILE *out;
	struct lab_record *r;
	struct subject_tally last;
	uint64_t events, lost, ns;
} rec;

static int
open_record(const char *device, const char *file, char *why)
{
	rec.file = file;
	return lab_kmon_may(why, SUBJECT_WHY);
}

static int
on_record(char *why)
{
	struct lab_record_opts opts = {.node = -1, .interval_ns = 10000000};
	int err;

	rec.out = opts.out = direct_file_create(rec.file);
	if (rec.out == NULL)
		return -errno;
	err = lab_record_open(&rec.r, &opts, why);
	if (!err)
		err = lab_record_begin(rec.r);
	rec.ns -= subject_now();
	return err;
}

static int
run_record(uint64_t ns)
{
	uint64_t end = subject_now() + ns;
	int err = 0;

	while (!err && subject_now() < end)
		err = signals_sleep(RECORD_STEP) ? lab_record_step(rec.r) : -EINTR;
	return err;
}

static int
off_record(void)
{
	struct lab_trace_counts counts;
	uint64_t begin = subject_now(), end;
	int err = lab_record_end(rec.r, &counts);

	end = subject_now();
	rec.ns += end;
	rec.last = (struct subject_tally){.lost = counts.lost, .end_ns = end - begin};
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(counts.events); i++)
		rec.last.taken += counts.events[i];
	rec.events += rec.last.taken;
	rec.lost += counts.lost;
	lab_record_close(rec.r);
	rec.r = NULL;
	return fclose(rec.out) ? -errno : err;
}

void
subject_take_tally(struct subject_tally *out)
{
	*out = rec.last;
}

static void
close_record(void)
{
	if (rec.ns > 0)
		printf("  %.0f events recorded a second, %" PRIu64 " lost\n",
			(double)rec.events / ((double)rec.ns / 1e9), rec.lost);
}

/* --------------------------------------------------------- what the method is worth */

static int
open_none(const char *device, const char *file, char *why)
{
	return 0;
}

static int
on_none(char *why)
{
	return 0;
}

static int
off_none(void)
{
	return 0;
}

static void
close_none(void)
{
}

static int
run_burn(uint64_t ns)
{
	uint64_t end = subject_now() + ns;
	int err = 0;

	while (!err && subject_now() < end) {
		uint64_t from = subject_cpu();

		while (subject_cpu() - from < BURN_NS)
			;
		err = sleep_on(BURN_EVERY - BURN_NS);
	}
	return err;
}

static const struct subject subjects[] = {
	{"watch", "the observer, as labyrinth-observe watch runs it", open_watch, on_watch,
		run_watch, off_watch, close_watch},
	{"record", "the recorder, as labyrinth-observe record runs it", open_record, on_record,
		run_record, off_record, close_record},
	{"nothing", "no difference: the method must find none", open_none, on_none, sleep_on,
		off_none, close_none},
	{"burn", "a load of 2% of one CPU: the method must find it", open_none, on_none, run_burn,
		off_none, close_none},
};

const struct subject *
subject_find(const char *name)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(subjects); i++) {
		if (!strcmp(subjects[i].name, name))
			return &subjects[i];
	}
	return NULL;
}
