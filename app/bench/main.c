/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <math.h>
#include <locale.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_ring.h>
#include <rte_version.h>

#include <lab_report.h>

#include "bench.h"
#include "check.h"
#include "heap.h"
#include "hugefiles.h"
#include "options.h"
#include "signals.h"
#include "table.h"

#define ARENA_ALIGN (4UL << 20)

/** What becomes of a run. */
struct run {
	struct bench_env env;
	struct bench_options opt;
	json_t *about, *rows;
	FILE *json; /**< NULL: none */
	bool quiet; /**< stdout is the JSON's */
};

/* --------------------------------------------------------------------- EAL */

static int
separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return 0;
}

/** The first two CPUs that this process may use. */
static void
two_cpus(char *text, size_t len)
{
	int first = -1, second = -1;
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE && second < 0; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		if (first < 0)
			first = i;
		else
			second = i;
	}
	if (second < 0)
		snprintf(text, len, "0@%d", first < 0 ? 0 : first);
	else
		snprintf(text, len, "0@%d,1@%d", first, second);
}

/** What suits nearly everybody, as words in text. @return how many. */
static int
own_arguments(char *text, size_t len, char **argv)
{
	char lcores[64], *save = NULL;
	int n = 0;

	two_cpus(lcores, sizeof(lcores));
	snprintf(text, len,
		"labyrinth-bench --lcores %s --no-huge --no-shconf --no-pci --no-telemetry -m 1024 "
		"--file-prefix=bench%d",
		lcores, (int)getpid());
	for (char *p = strtok_r(text, " ", &save); p != NULL; p = strtok_r(NULL, " ", &save))
		argv[n++] = p;
	return n;
}

/** With the arguments before "--", argc of them, or with our own if there is none. */
static int
start_eal(int argc, char **argv)
{
	char text[256], *own[16] = {NULL};
	int ret;

	rte_openlog_stream(stderr);
	rte_log_set_global_level(RTE_LOG_WARNING);
	if (argc == 0) {
		argc = own_arguments(text, sizeof(text), own);
		argv = own;
	}
	ret = rte_eal_init(argc, argv);
	if (ret < 0)
		fprintf(stderr, "labyrinth-bench: EAL does not start: %s\n",
			rte_strerror(rte_errno));
	return ret;
}

/* ------------------------------------------------------------- environment */

/** What two readings of the clock cost with nothing between, in the mean; interruptions left out. */
static double
clock_cost(void)
{
	uint64_t sum = 0, n = 0;

	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t at = bench_clock(), took = bench_clock() - at;

		if (took < 1000) {
			sum += took;
			n++;
		}
	}
	return n ? (double)sum / (double)n : 0;
}

static int
arena_map(struct bench_env *env)
{
	size_t len = env->opt->pages * LAB_PAGE_SIZE + ARENA_ALIGN;
	char *map = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED) {
		fprintf(stderr, "labyrinth-bench: no address space for %lu pages: %s\n",
			env->opt->pages, strerror(errno));
		return -ENOMEM;
	}
	env->arena = (char *)(((uintptr_t)map + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1));
	return 0;
}

static int
env_init(struct run *run)
{
	struct bench_env *env = &run->env;
	unsigned int lcore;

	env->opt = &run->opt;
	env->ticks_a_ns = (double)rte_get_tsc_hz() / 1e9;
	env->clock_ticks = clock_cost();
	env->lcore[0] = rte_lcore_id();
	env->nr_lcores = 1;
	lcore = rte_get_next_lcore(-1, 1, 0);
	if (lcore < RTE_MAX_LCORE) {
		env->lcore[1] = lcore;
		env->nr_lcores = 2;
	}
	env->ring = rte_ring_create(
		"bench_xfer", BENCH_XFER_SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (env->ring == NULL) {
		fprintf(stderr, "labyrinth-bench: no ring: %s\n", rte_strerror(rte_errno));
		return -ENOMEM;
	}
	return arena_map(env);
}

static char *
cpu_model(char *model, size_t len)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(model, len, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *colon = strchr(line, ':');

		if (colon == NULL || strncmp(line, "model name", 10) != 0)
			continue;
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(model, len, "%s", colon + 2);
		break;
	}
	if (f != NULL)
		fclose(f);
	return model;
}

/** The first line of the JSON: what all rows have in common. */
static json_t *
about_json(const struct run *run, int argc, char **argv)
{
	const struct bench_env *env = &run->env;
	json_t *o = json_object(), *cpus = json_array(), *args = json_array();
	struct utsname name;
	char model[128];

	for (int i = 0; i < argc; i++)
		json_array_append_new(args, json_string(argv[i]));
	for (unsigned int i = 0; i < env->nr_lcores; i++)
		json_array_append_new(cpus, json_integer(rte_lcore_to_cpu_id(env->lcore[i])));
	uname(&name);
	json_object_set_new(o, "command", args);
	json_object_set_new(o, "version", json_string(LAB_VERSION));
	json_object_set_new(o, "dpdk", json_string(rte_version()));
	json_object_set_new(o, "kernel", json_string(name.release));
	json_object_set_new(o, "cpu", json_string(cpu_model(model, sizeof(model))));
	json_object_set_new(o, "cpus", cpus);
	json_object_set_new(o, "hugepages", json_boolean(rte_eal_has_hugepages()));
	json_object_set_new(o, "tsc_mhz", json_real(round(env->ticks_a_ns * 1e4) / 10));
	json_object_set_new(
		o, "clock_ns", json_real(round(env->clock_ticks / env->ticks_a_ns * 1000) / 1000));
	json_object_set_new(o, "pages", lab_json_u64(run->opt.pages));
	json_object_set_new(o, "rounds", json_integer(run->opt.rounds));
	json_object_set_new(o, "round_ms", json_real(run->opt.time_ms));
	json_object_set_new(o, "seed", lab_json_u64(run->opt.seed));
	return o;
}

/* --------------------------------------------------------------- the table */

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

	for (unsigned int p = 0; p < bench_nr_patterns; p++)
		for (unsigned int threads = 1; threads <= BENCH_MAX_THREADS; threads++)
			for (unsigned int o = 0; o <= bench_patterns[p].max_order; o++) {
				struct bench_column c = {&bench_patterns[p], threads, o};

				if (ret == 0 && is_wanted(run, &c))
					ret = column_run(run, &c, results);
			}
	free(results);
	return ret;
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
	int ret = env_init(run);

	if (ret < 0)
		return ret;
	run->about = about_json(run, argc, argv);
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
	int dashes = separator(argc, argv), eal = dashes > 0 ? dashes : 0, ret;
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
	ret = start_eal(eal, argv);
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
