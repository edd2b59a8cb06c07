/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* record: a zone's page allocations as a trace. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_kmon.h>
#include <lab_record.h>

#include "../labyrinth/signals.h"
#include "direct_file.h"
#include "observe.h"

#define STEP_NS UINT64_C(2000000) /* the ring is emptied so often */

static const char usage[] =
	"Usage: labyrinth-observe record [OPTIONS]\n\n"
	"Records what one zone of the running kernel serves, refuses and takes back, with its "
	"free\n"
	"blocks at moments between, as a trace that 'labyrinth' replays (replay FILE). Ends after\n"
	"--duration, or at SIGINT with a complete file.\n\n"
	"  -z, --zone=NAME         DMA, DMA32, Normal ... (default: the one with most memory)\n"
	"  -N, --node=N            of this NUMA node (default: any)\n"
	"  -i, --interval=TIME     between two samples of the free blocks (10ms; 1ms to 60s)\n"
	"  -d, --duration=TIME     how long (10s)\n"
	"  -r, --ring=MIB          kernel memory for events that wait to be written: 1, 2, 4 ... "
	"1024\n"
	"                          (32); a ring that overflows loses events, and the trace says "
	"how many\n"
	"  -o, --output=FILE       where to (default: standard output)\n"
	"  -h, --help              show this and leave\n\n"
	"TIME is a number with ms or s. Needs CAP_BPF and CAP_PERFMON, as root also finds out "
	"where\n"
	"the kernel's table of pages lies, and gives up all capabilities once it records.\n";

static const struct option longs[] = {
	{"zone", required_argument, NULL, 'z'},
	{"node", required_argument, NULL, 'N'},
	{"interval", required_argument, NULL, 'i'},
	{"duration", required_argument, NULL, 'd'},
	{"ring", required_argument, NULL, 'r'},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{NULL},
};

struct record_opts {
	struct lab_record_opts record;
	uint64_t duration_ns;
	const char *file;
};

static int
take_time(const char *option, const char *text, double most_s, uint64_t *ns)
{
	char *end;
	double v = strtod(text, &end);
	double unit = strcmp(end, "ms") == 0 ? 1e6 : strcmp(end, "s") == 0 ? 1e9 : NAN;

	/* written so that NaN is refused */
	if (end == text || !(v * unit >= 1e6 && v * unit <= most_s * 1e9))
		return observe_usage_error("record",
			"--%s: '%s' is no time from 1ms to %gs, such as 10ms or 2s", option, text,
			most_s);
	*ns = (uint64_t)(v * unit + 0.5);
	return OBSERVE_OK;
}

static int
take_node(const char *text, int *node)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end != '\0' || v < 0 || v > 1023)
		return observe_usage_error(
			"record", "--node: '%s' is no node from 0 to 1023", text);
	*node = (int)v;
	return OBSERVE_OK;
}

static int
take_ring(const char *text, size_t *len)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end != '\0' || v < 1 || v > 1024 || (v & (v - 1)))
		return observe_usage_error(
			"record", "--ring: '%s' is no power of two from 1 to 1024 (MiB)", text);
	*len = (size_t)v << 20;
	return OBSERVE_OK;
}

static int
take(struct record_opts *o, int c, const char *text)
{
	switch (c) {
	case 'z':
		o->record.zone = text;
		return OBSERVE_OK;
	case 'N':
		return take_node(text, &o->record.node);
	case 'i':
		return take_time("interval", text, 60, &o->record.interval_ns);
	case 'd':
		return take_time("duration", text, 365 * 24 * 3600.0, &o->duration_ns);
	case 'r':
		return take_ring(text, &o->record.ring_len);
	case 'o':
		o->file = text;
		return OBSERVE_OK;
	default:
		return observe_usage_error("record", "wrong option");
	}
}

static int
parse(struct record_opts *o, int argc, char **argv, bool *leave)
{
	int c, rc = OBSERVE_OK;

	*o = (struct record_opts){
		.record = {.node = -1, .interval_ns = 10000000}, .duration_ns = 10000000000};
	while (rc == OBSERVE_OK &&
		(c = getopt_long(argc, argv, "z:N:i:d:r:o:h", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			*leave = true;
			return OBSERVE_OK;
		}
		rc = take(o, c, optarg);
	}
	if (rc == OBSERVE_OK && optind < argc)
		rc = observe_usage_error("record", "'%s' is no option", argv[optind]);
	*leave = rc != OBSERVE_OK;
	return rc;
}

static int
failed(int err, const char *what)
{
	return observe_error("record", "%s: %s", what, strerror(-err));
}

static void
say(const struct lab_record *r, const struct lab_trace_counts *c)
{
	const struct lab_trace_head *h = lab_record_head(r);

	fprintf(stderr,
		"zone %s of node %d: %" PRIu64 " allocations, %" PRIu64 " refusals, %" PRIu64
		" frees, %" PRIu64 " samples; %" PRIu64 " events lost%s\n",
		h->zone, h->node, c->events[LAB_TRACE_ALLOC], c->events[LAB_TRACE_REFUSE],
		c->events[LAB_TRACE_FREE], c->events[LAB_TRACE_SAMPLE], c->lost,
		c->lost > 0 ? ": the trace has gaps (a larger --ring may help)" : "");
}

static int
record(struct lab_record *r, const struct record_opts *o)
{
	uint64_t step = o->record.interval_ns < STEP_NS ? o->record.interval_ns : STEP_NS;
	struct lab_trace_counts counts = {0};
	int err = lab_record_begin(r), end_err;

	if (err)
		return failed(err, "the beginning cannot be recorded");
	while (!err && lab_record_elapsed(r) < o->duration_ns && signals_sleep(step))
		err = lab_record_step(r);
	end_err = lab_record_end(r, &counts);
	err = err ? err : end_err;
	if (err)
		return failed(err, o->file ? o->file : "standard output");
	say(r, &counts);
	return OBSERVE_OK;
}

static int
open_and_record(struct record_opts *o)
{
	char why[LAB_RECORD_WHY_LEN] = "";
	struct lab_record *r = NULL;
	int err = lab_kmon_may(why, sizeof(why)), rc;

	if (!err)
		err = lab_record_open(&r, &o->record, why);
	if (err) {
		observe_error("record", "%s", why[0] ? why : strerror(-err));
		return err == -EPERM || err == -ENOTSUP ? OBSERVE_SKIPPED : OBSERVE_FAILED;
	}
	err = lab_kmon_drop_capabilities();
	rc = err ? failed(err, "capabilities cannot be dropped") : record(r, o);
	lab_record_close(r);
	return rc;
}

int
cmd_record(int argc, char **argv)
{
	bool leave = false;
	struct record_opts o;
	int rc = parse(&o, argc, argv, &leave), err;

	if (leave)
		return rc;
	/* opened by the caller's own right to write, while it is there */
	o.record.out = o.file ? direct_file_create(o.file) : stdout;
	if (o.record.out == NULL)
		return failed(-errno, o.file);
	err = signals_init();
	rc = err ? failed(err, "signals") : open_and_record(&o);
	signals_fini();
	if (o.file && fclose(o.record.out) && rc == OBSERVE_OK)
		rc = failed(-errno, o.file);
	if (o.file && rc == OBSERVE_SKIPPED)
		remove(o.file);
	return rc;
}
