/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "check.h"
#include "options.h"

#define ALL_ORDERS ((1U << (LAB_PAGEBLOCK_ORDER + 1)) - 1)

static const char usage[] =
	"Usage: labyrinth-bench [EAL options --] [options]\n\n"
	"Times page-frame allocators against each other: all of them in one process, by turns, on "
	"the\n"
	"same cores. Without \"--\" EAL starts with ordinary memory and the first two CPUs.\n\n"
	"  -a, --allocators=LIST   names or shell patterns joined by ',', e.g. 'ring*,labyrinth'\n"
	"  -p, --patterns=LIST     likewise\n"
	"  -t, --threads=LIST      1, 2 or 1,2 (default: both)\n"
	"  -o, --orders=LIST       of the pattern 'repeat', e.g. 0,3 or 0-9 (default: all)\n"
	"      --pages=N           frames of 4 KiB (default 262144: 1 GiB)\n"
	"      --rounds=N          of each row (default 5)\n"
	"      --time=MS           of each round (default 30)\n"
	"      --retries=N         of a round in which others used the CPU (default 3)\n"
	"      --seed=N            of everything random (default 1)\n"
	"      --pool-order=ORDER  shuffled (default) or plain: as each pool is made\n"
	"      --no-latency        without the second pass, which times single calls\n"
	"      --check             measure what the targets need, and print targets and figures\n"
	"      --markdown          print the tables in Markdown\n"
	"      --json=FILE         write a line of JSON for each row; '-': to stdout, and no "
	"table\n"
	"  -l, --list              show allocators and patterns, and leave\n"
	"  -h, --help              show this and leave\n"
	"      --version           show the version and leave\n\n"
	"docs/bench.md says what the figures mean.\n";

enum {
	OPT_PAGES = 256,
	OPT_ROUNDS,
	OPT_TIME,
	OPT_RETRIES,
	OPT_SEED,
	OPT_POOL_ORDER,
	OPT_NO_LATENCY,
	OPT_CHECK,
	OPT_MARKDOWN,
	OPT_JSON,
	OPT_VERSION
};

static const struct option longs[] = {
	{"allocators", required_argument, NULL, 'a'},
	{"patterns", required_argument, NULL, 'p'},
	{"threads", required_argument, NULL, 't'},
	{"orders", required_argument, NULL, 'o'},
	{"pages", required_argument, NULL, OPT_PAGES},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"time", required_argument, NULL, OPT_TIME},
	{"retries", required_argument, NULL, OPT_RETRIES},
	{"seed", required_argument, NULL, OPT_SEED},
	{"pool-order", required_argument, NULL, OPT_POOL_ORDER},
	{"no-latency", no_argument, NULL, OPT_NO_LATENCY},
	{"check", no_argument, NULL, OPT_CHECK},
	{"markdown", no_argument, NULL, OPT_MARKDOWN},
	{"json", required_argument, NULL, OPT_JSON},
	{"list", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

/* ------------------------------------------------------------------- names */

static const char *
alloc_name(unsigned int i)
{
	return i < bench_nr_allocs ? bench_allocs[i]->name : NULL;
}

static const char *
pattern_name(unsigned int i)
{
	return i < bench_nr_patterns ? bench_patterns[i].name : NULL;
}

static void
print_names(const char *(*name)(unsigned int i))
{
	for (unsigned int i = 0; name(i) != NULL; i++)
		fprintf(stderr, "%s%s", i ? ", " : "", name(i));
	fputc('\n', stderr);
}

/** Bits of the names that a shell pattern fits. */
static uint64_t
names_like(const char *like, const char *(*name)(unsigned int i))
{
	uint64_t found = 0;

	for (unsigned int i = 0; name(i) != NULL; i++)
		found |= (uint64_t)(fnmatch(like, name(i), 0) == 0) << i;
	return found;
}

/** Bits of what a list of shell patterns names. */
static int
names(const char *option, const char *text, const char *(*name)(unsigned int i), uint64_t *bits)
{
	char *copy = strdup(text), *save = NULL;
	uint64_t found = 1;

	*bits = 0;
	for (char *p = copy ? strtok_r(copy, ",", &save) : NULL; p != NULL && found != 0;
		p = strtok_r(NULL, ",", &save)) {
		found = names_like(p, name);
		*bits = found != 0 ? *bits | found : 0;
		if (found == 0) {
			fprintf(stderr, "--%s: there is no '%s'; there are ", option, p);
			print_names(name);
		}
	}
	if (*bits == 0 && found != 0)
		fprintf(stderr, "--%s: the list is empty\n", option);
	free(copy);
	return *bits != 0 ? 0 : -EINVAL;
}

/* ----------------------------------------------------------------- numbers */

static int
number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out >= min &&
		*out <= max)
		return 0;
	fprintf(stderr, "--%s: '%s' is not a number from %llu to %llu\n", option, text,
		(unsigned long long)min, (unsigned long long)max);
	return -EINVAL;
}

static int
uint_option(const char *option, const char *text, uint64_t min, uint64_t max, unsigned int *out)
{
	uint64_t v;
	int ret = number(option, text, min, max, &v);

	if (ret == 0)
		*out = (unsigned int)v;
	return ret;
}

/** "0-3,9" as bits. */
static int
number_list(const char *option, const char *text, unsigned int min, unsigned int max,
	unsigned int *bits)
{
	const char *s = text;
	unsigned int found = 0;

	for (;;) {
		unsigned long from, to;
		char *end;

		from = to = strtoul(s, &end, 10);
		if (*s >= '0' && *s <= '9' && *end == '-') {
			s = end + 1;
			to = strtoul(s, &end, 10);
		}
		if (*s < '0' || *s > '9' || from < min || to > max || from > to ||
			(*end != ',' && *end != '\0')) {
			fprintf(stderr, "--%s: '%s' is not a list of numbers from %u to %u\n",
				option, text, min, max);
			return -EINVAL;
		}
		for (unsigned long n = from; n <= to; n++)
			found |= 1U << n;
		if (*end == '\0')
			break;
		s = end + 1;
	}
	*bits = found;
	return 0;
}

static int
pool_order(struct bench_options *o, const char *text)
{
	if (strcmp(text, "shuffled") != 0 && strcmp(text, "plain") != 0) {
		fprintf(stderr, "--pool-order: '%s' is neither shuffled nor plain\n", text);
		return -EINVAL;
	}
	o->shuffled = text[0] == 's';
	return 0;
}

static int
milliseconds(struct bench_options *o, const char *text)
{
	char *end;

	o->time_ms = strtod(text, &end);
	if (end != text && *end == '\0' && o->time_ms >= 0.01 && o->time_ms <= 60000)
		return 0;
	fprintf(stderr, "--time: '%s' is not a number of milliseconds from 0.01 to 60000\n", text);
	return -EINVAL;
}

/* --------------------------------------------------------------------- all */

static int
parse_one(struct bench_options *o, int c)
{
	uint64_t v;
	int ret;

	switch (c) {
	case 'a':
		return names("allocators", optarg, alloc_name, &o->allocs);
	case 'p':
		return names("patterns", optarg, pattern_name, &o->patterns);
	case 't':
		return number_list("threads", optarg, 1, BENCH_MAX_THREADS, &o->threads);
	case 'o':
		return number_list("orders", optarg, 0, LAB_PAGEBLOCK_ORDER, &o->orders);
	case OPT_PAGES:
		ret = number("pages", optarg, 1024, 1UL << 26, &v);
		o->pages = v;
		return ret;
	case OPT_ROUNDS:
		return uint_option("rounds", optarg, 1, BENCH_MAX_ROUNDS, &o->rounds);
	case OPT_TIME:
		return milliseconds(o, optarg);
	case OPT_RETRIES:
		return uint_option("retries", optarg, 0, 100, &o->retries);
	case OPT_SEED:
		return number("seed", optarg, 0, UINT64_MAX, &o->seed);
	case OPT_POOL_ORDER:
		return pool_order(o, optarg);
	case OPT_NO_LATENCY:
		o->latency = false;
		return 0;
	case OPT_CHECK:
		o->check = true;
		return 0;
	case OPT_MARKDOWN:
		o->markdown = true;
		return 0;
	case OPT_JSON:
		o->json = optarg;
		return 0;
	case 'l':
		options_list();
		return -ECANCELED;
	case 'h':
		fputs(usage, stdout);
		return -ECANCELED;
	case OPT_VERSION:
		printf("labyrinth-bench %s\n", LAB_VERSION);
		return -ECANCELED;
	default:
		return -EINVAL;
	}
}

/** What was not said: everything, or what the targets need. */
static void
complete(struct bench_options *o)
{
	if (o->allocs == 0)
		o->allocs = o->check ? check_allocs() : UINT64_MAX;
	o->only_targets = o->check && o->patterns == 0;
	if (o->patterns == 0)
		o->patterns = UINT64_MAX;
	if (o->orders == 0)
		o->orders = o->check ? 1 : ALL_ORDERS;
	/* the loop itself is always measured beside the others */
	for (unsigned int i = 0; i < bench_nr_allocs; i++)
		if (strcmp(bench_allocs[i]->name, BENCH_ROW_EMPTY) == 0)
			o->allocs |= 1ULL << i;
}

int
options_parse(struct bench_options *o, int argc, char **argv)
{
	int c, ret = 0;

	*o = (struct bench_options){.threads = 1U << 1 | 1U << 2,
		.pages = 262144,
		.rounds = 5,
		.retries = 3,
		.time_ms = 30,
		.seed = 1,
		.shuffled = true,
		.latency = true};
	optind = 1;
	while (ret == 0 && (c = getopt_long(argc, argv, "a:p:t:o:lh", longs, NULL)) != -1)
		ret = parse_one(o, c);
	if (ret == 0 && optind < argc) {
		fprintf(stderr, "'%s' is no option\n", argv[optind]);
		ret = -EINVAL;
	}
	if (ret == -EINVAL)
		fprintf(stderr, "see '%s --help'\n", "labyrinth-bench");
	if (ret == 0)
		complete(o);
	return ret;
}

void
options_list(void)
{
	printf("allocators:\n");
	for (unsigned int i = 0; i < bench_nr_allocs; i++)
		printf("  %-24s %s\n", bench_allocs[i]->name, bench_allocs[i]->what);
	printf("patterns:\n");
	for (unsigned int i = 0; i < bench_nr_patterns; i++) {
		const struct bench_pattern *p = &bench_patterns[i];

		printf("  %-24s %s (%s%s thread%s)\n", p->name, p->what,
			p->min_threads == 1 ? "1" : "",
			p->max_threads == 2 ? (p->min_threads == 1 ? " or 2" : "2") : "",
			p->max_threads > 1 ? "s" : "");
	}
}
