/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "eal.h"

/** The text of a CPU's file in sysfs; empty if there is none. */
static void
read_siblings(int cpu, char *text, size_t len)
{
	char path[96];
	FILE *f;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
		cpu);
	f = fopen(path, "r");
	if (f == NULL)
		return;
	if (fgets(text, (int)len, f) == NULL)
		text[0] = '\0';
	fclose(f);
}

static bool
share_a_core(int a, int b)
{
	char of_a[64], of_b[64];

	read_siblings(a, of_a, sizeof(of_a));
	read_siblings(b, of_b, sizeof(of_b));
	return of_a[0] != '\0' && strcmp(of_a, of_b) == 0;
}

/** The first CPU that this process may use and the next one on another core; on the same if there is
 *  no other. */
static void
two_cpus(char *text, size_t len)
{
	int first = -1, second = -1;
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		if (first < 0)
			first = i;
		else if (second < 0 || (share_a_core(first, second) && !share_a_core(first, i)))
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

int
eal_start(int argc, char **argv)
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
