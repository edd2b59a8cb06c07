/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_base.h>

#include "observe.h"
#include "watch.h"

static const char usage[] =
	"Usage: labyrinth-observe watch [OPTIONS]\n\n"
	"Counts the running kernel's refused page allocations and dropped packets, and says which "
	"of\n"
	"them go together. Ends after --duration, or at SIGINT with the report.\n\n"
	"  -d, --duration=TIME     how long (default: until a signal comes)\n"
	"  -i, --interval=TIME     between two samples (10ms; 1ms to 60s)\n"
	"  -p, --period=TIME       a line of figures so often on standard error (1s; 0: none)\n"
	"  -n, --dev=NAME          a network device to watch; more than once for more. Default: "
	"those\n"
	"                          with hardware behind them, and if there are none all but lo\n"
	"  -j, --json=FILE         write the report with all series\n"
	"  -H, --html=FILE         write the report for people\n"
	"  -f, --format=FORMAT     of standard output: table (default) or json\n"
	"      --latency-every=N   time one of N atomic allocations (16; 0: none)\n"
	"      --stacks=N          sorts of failure to show with their stacks (3)\n"
	"      --lags=N            longest lag of the correlation, samples (10)\n"
	"      --tau=N             a drop within N samples after a failure belongs to it (10)\n"
	"      --gap=N             silent samples that part two bursts (5)\n"
	"      --seed=N            of the resampling (1)\n"
	"  -h, --help              show this and leave\n\n"
	"TIME is a number with ns, us, ms, s, m or h. Needs CAP_BPF and CAP_PERFMON, and gives up "
	"all\n"
	"capabilities once the programs are loaded.\n";

enum {
	OPT_LATENCY = 256,
	OPT_STACKS,
	OPT_LAGS,
	OPT_TAU,
	OPT_GAP,
	OPT_SEED,
};

static const struct option longs[] = {
	{"duration", required_argument, NULL, 'd'},
	{"interval", required_argument, NULL, 'i'},
	{"period", required_argument, NULL, 'p'},
	{"dev", required_argument, NULL, 'n'},
	{"json", required_argument, NULL, 'j'},
	{"html", required_argument, NULL, 'H'},
	{"format", required_argument, NULL, 'f'},
	{"latency-every", required_argument, NULL, OPT_LATENCY},
	{"stacks", required_argument, NULL, OPT_STACKS},
	{"lags", required_argument, NULL, OPT_LAGS},
	{"tau", required_argument, NULL, OPT_TAU},
	{"gap", required_argument, NULL, OPT_GAP},
	{"seed", required_argument, NULL, OPT_SEED},
	{"help", no_argument, NULL, 'h'},
	{NULL},
};

/* "10ms"; "0" needs no unit. @return 0, -EINVAL */
static int
parse_time(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	char *end;
	double v;

	errno = 0;
	v = strtod(text, &end);
	/* written so that NaN is refused */
	if (end == text || errno || !(v >= 0 && v < 1e9))
		return -EINVAL;
	if (v == 0 && *end == '\0') {
		*ns = 0;
		return 0;
	}
	for (size_t i = 0; i < LAB_ARRAY_SIZE(units); i++) {
		if (!strcmp(end, units[i].name) && v * units[i].ns < 1e18) {
			*ns = (uint64_t)(v * units[i].ns + 0.5);
			return 0;
		}
	}
	return -EINVAL;
}

static int
take_time(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *ns)
{
	if (parse_time(text, ns) == 0 && *ns >= min && *ns <= max)
		return OBSERVE_OK;
	return observe_usage_error("watch",
		"--%s: '%s' is no time from %g ms to %g s, such as 10ms or 2s", option, text,
		(double)min / 1e6, (double)max / 1e9);
}

static int
take_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && !errno && *out >= min &&
		*out <= max)
		return OBSERVE_OK;
	return observe_usage_error("watch", "--%s: '%s' is no number from %llu to %llu", option,
		text, (unsigned long long)min, (unsigned long long)max);
}

static int
take_device(struct watch_opts *o, const char *name)
{
	if (o->nr_devices == WATCH_MAX_DEVICES)
		return observe_usage_error(
			"watch", "--dev: %u devices are the most", WATCH_MAX_DEVICES);
	o->device[o->nr_devices++] = name;
	return OBSERVE_OK;
}

static int
take_counts(struct watch_opts *o, int c, const char *text)
{
	uint64_t v = 0;
	int rc;

	switch (c) {
	case OPT_LATENCY:
		rc = take_number("latency-every", text, 0, 1000000, &v);
		o->latency_every = (unsigned int)v;
		return rc;
	case OPT_STACKS:
		rc = take_number("stacks", text, 0, WATCH_MAX_STACKS, &v);
		o->stacks = (unsigned int)v;
		return rc;
	case OPT_LAGS:
		rc = take_number("lags", text, 0, LAB_CORR_MAX_LAGS - 1, &v);
		o->corr.lag_max = (int)v;
		return rc;
	case OPT_TAU:
		rc = take_number("tau", text, 0, 10000, &v);
		o->corr.tau = v;
		return rc;
	case OPT_GAP:
		rc = take_number("gap", text, 1, 10000, &v);
		o->corr.burst_gap = v;
		return rc;
	default:
		return take_number("seed", text, 0, UINT64_MAX, &o->corr.seed);
	}
}

static int
take(struct watch_opts *o, int c, const char *text)
{
	const uint64_t year = 365ull * 24 * 3600 * 1000000000;

	switch (c) {
	case 'd':
		return take_time("duration", text, 1000000, year, &o->duration_ns);
	case 'i':
		return take_time("interval", text, 1000000, 60000000000, &o->interval_ns);
	case 'p':
		return take_time("period", text, 0, year, &o->period_ns);
	case 'n':
		return take_device(o, text);
	case 'j':
		o->json = text;
		return OBSERVE_OK;
	case 'H':
		o->html = text;
		return OBSERVE_OK;
	case 'f':
		if (lab_format_parse(text, &o->format) == 0)
			return OBSERVE_OK;
		return observe_usage_error(
			"watch", "--format: '%s' is neither table nor json", text);
	case '?':
		return observe_usage_error("watch", "wrong option");
	default:
		return take_counts(o, c, text);
	}
}

int
watch_parse(struct watch *w, int argc, char **argv, bool *leave)
{
	struct watch_opts *o = &w->opt;
	int c, rc = OBSERVE_OK;

	*o = (struct watch_opts){.interval_ns = 10000000,
		.period_ns = 1000000000,
		.latency_every = 16,
		.stacks = 3,
		.corr = lab_corr_opts_default()};
	*leave = false;
	while (rc == OBSERVE_OK &&
		(c = getopt_long(argc, argv, "d:i:p:n:j:H:f:h", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			*leave = true;
			return OBSERVE_OK;
		}
		rc = take(o, c, optarg);
	}
	if (rc == OBSERVE_OK && optind < argc)
		rc = observe_usage_error("watch", "'%s' is no option", argv[optind]);
	*leave = rc != OBSERVE_OK;
	return rc;
}
