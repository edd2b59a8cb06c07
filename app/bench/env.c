/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/**
 * @file env.c
 * What all columns share: cores, clock, arena; and what is to be known of the machine.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <rte_version.h>

#include <lab_report.h>

#include "bench.h"
#include "options.h"

#define ARENA_ALIGN (4UL << 20)

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
	/* for the columns that do write to it */
	madvise(env->arena, env->opt->pages * LAB_PAGE_SIZE, MADV_HUGEPAGE);
	return 0;
}

int
bench_env_init(struct bench_env *env, const struct bench_options *opt)
{
	unsigned int lcore;

	env->opt = opt;
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

json_t *
bench_env_json(const struct bench_env *env, int argc, char **argv)
{
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
	json_object_set_new(o, "pages", lab_json_u64(env->opt->pages));
	json_object_set_new(o, "rounds", json_integer(env->opt->rounds));
	json_object_set_new(o, "round_ms", json_real(env->opt->time_ms));
	json_object_set_new(o, "seed", lab_json_u64(env->opt->seed));
	return o;
}
