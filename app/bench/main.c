/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include <lab_report.h>

#include "bench.h"
#include "check.h"
#include "eal.h"
#include "heap.h"
#include "hugefiles.h"
#include "options.h"
#include "signals.h"
#include "table.h"

/** What becomes of a run. */
struct run {
	struct bench_env env;
	struct bench_options opt;
	json_t *about, *rows;
	FILE *json; /**< NULL: none */
	bool quiet; /**< stdout is the JSON's */
};

static int
json_line(struct run *run, const json_t *o)
{
	if (run->json == NULL)
		return 0;
	if (json_dumpf(o, run->json, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0 ||
		fputc('\n', run->json) == EOF || fflush(run->json) == EOF) {
		fprintf(stderr, "labyrinth-bench: %s: %s\n", run->opt.json,
			errno ? strerror(errno) : "cannot be written");
		return -EIO;
	}
	return 0;
}

static const struct bench_result *
result_of(const struct bench_result *results, const char *name)
{
	for (unsigned int i = 0; i < bench_nr_allocs; i++)
		if (strcmp(bench_allocs[i]->name, name) == 0)
			return &results[i];
	return NULL;
}

static int
column_show(struct run *run, const struct bench_result *results)
{
	size_t first = json_array_size(run->rows);
	int ret = 0;

	for (unsigned int i = 0; i < bench_nr_allocs; i++)
		if (run->opt.allocs & 1ULL << i)
			json_array_append_new(
				run->rows, bench_result_json(&run->env, &results[i],
						   result_of(results, BENCH_ROW_EMPTY)));
	table_add_ratios(run->rows, first);
	for (size_t i = first; i < json_array_size(run->rows) && ret == 0; i++)
		ret = json_line(run, json_array_get(run->rows, i));
	if (!run->quiet && !run->opt.markdown && !run->opt.check)
		table_column(run->rows, first, stdout);
	return ret;
}

static bool
is_wanted(const struct run *run, const struct bench_column *c)
{
	const struct bench_pattern *p = c->pattern;

	if (!(run->opt.patterns & 1ULL << (p - bench_patterns)) ||
		!(run->opt.threads & 1U << c->threads))
		return false;
	if (run->opt.only_targets && !check_needs(p->name, c->threads))
		return false;
	if (c->threads < p->min_threads || c->threads > p->max_threads || c->order > p->max_order)
		return false;
	/* by order: how the cost grows, which one thread shows */
	return p->max_order == 0 ||
	       (run->opt.orders & 1U << c->order && (c->order == 0 || c->threads == 1));
}

static int
column_run(struct run *run, const struct bench_column *c, struct bench_result *results)
{
	int ret;

	if (c->threads > run->env.nr_lcores) {
		fprintf(stderr,
			"labyrinth-bench: %s with %u threads is skipped: EAL has %u lcore\n",
			c->pattern->name, c->threads, run->env.nr_lcores);
		return 0;
	}
	ret = bench_column_run(&run->env, c, results);
	return ret < 0 ? ret : column_show(run, results);
}

static int
columns_run(struct run *run)
{
	struct bench_result *results = calloc(bench_nr_allocs, sizeof(*results));
	int ret = results == NULL ? -ENOMEM : 0;
	unsigned int wanted = 0;

	for (unsigned int p = 0; p < bench_nr_patterns; p++)
		for (unsigned int threads = 1; threads <= BENCH_MAX_THREADS; threads++)
			for (unsigned int o = 0; o <= bench_patterns[p].max_order; o++) {
				struct bench_column c = {&bench_patterns[p], threads, o};

				if (ret < 0 || !is_wanted(run, &c))
					continue;
				ret = column_run(run, &c, results);
				wanted++;
			}
	free(results);
	if (ret == 0 && wanted == 0)
		fprintf(stderr,
			"labyrinth-bench: none of the patterns has such a number of threads "
			"and order; see --list\n");
	return ret == 0 && wanted == 0 ? -EINVAL : ret;
}

static void
finish_show(struct run *run)
{
	json_t *targets = run->opt.check ? check_json(run->rows) : NULL;

	if (!run->quiet && run->opt.markdown)
		table_markdown(run->about, run->rows, targets, stdout);
	else if (!run->quiet && targets != NULL)
		lab_display(targets, LAB_FORMAT_TABLE, stdout);
	json_decref(targets);
}

static int
run_all(struct run *run, int argc, char **argv)
{
	int ret = bench_env_init(&run->env, &run->opt);

	if (ret < 0)
		return ret;
	run->about = bench_env_json(&run->env, argc, argv);
	run->rows = json_array();
	if (run->opt.json != NULL) {
		run->quiet = strcmp(run->opt.json, "-") == 0;
		run->json = run->quiet ? stdout : fopen(run->opt.json, "w");
		if (run->json == NULL) {
			fprintf(stderr, "labyrinth-bench: %s: %s\n", run->opt.json,
				strerror(errno));
			return -EIO;
		}
	}
	ret = json_line(run, run->about);
	if (!run->quiet && !run->opt.markdown) {
		lab_display(run->about, LAB_FORMAT_TABLE, stdout);
		fputc('\n', stdout);
	}
	if (ret == 0)
		ret = columns_run(run);
	if (ret == 0)
		finish_show(run);
	json_decref(run->about);
	json_decref(run->rows);
	if (run->json != NULL && !run->quiet && fclose(run->json) != 0)
		ret = -EIO;
	return ret;
}

/** Where "--" stands; 0: nowhere. */
static int
separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return 0;
}

/** Ends by a signal as others expect it of a program that was interrupted. */
static int
exit_code(int ret)
{
	int sig = signals_pending();

	if (sig != 0) {
		fprintf(stderr, "labyrinth-bench: interrupted; what is printed is complete\n");
		return 128 + sig;
	}
	return ret < 0;
}

int
main(int argc, char **argv)
{
	static struct run run;
	int eal = separator(argc, argv), ret;
	char **kept;

	setlocale(LC_CTYPE, "");
	/* what is wrong or only asked for is told before EAL starts */
	ret = options_parse(&run.opt, argc - eal, argv + eal);
	if (ret < 0)
		return ret == -ECANCELED ? 0 : 1;
	heaps_load(argv);
	kept = calloc(argc + 1, sizeof(*kept));
	if (kept == NULL)
		return 1;
	/* EAL moves the arguments about */
	memcpy(kept, argv, argc * sizeof(*argv));
	ret = eal_start(eal, argv);
	if (ret >= 0)
		ret = signals_init();
	if (ret >= 0) {
		ret = exit_code(run_all(&run, argc, kept));
		hugefiles_note();
		rte_eal_cleanup();
		hugefiles_remove();
		signals_fini();
	} else {
		ret = 1;
	}
	free(kept);
	return ret;
}
