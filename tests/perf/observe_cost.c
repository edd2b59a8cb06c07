/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What the observer's programs cost an allocation: the same system calls with the programs attached and without by
 * turns; the difference of each pair.
 *
 *     observe_cost [PAIRS]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lab_kmon.h"

#define SLOTS   256 /* of the pipe */
#define REPEATS 301

static double
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* A pipe of packets takes a page for each write, and does not clear it: about the cheapest allocation that a process can
 * ask for. @return ns of this thread for SLOTS writes */
static double
fill(const int fd[2])
{
	static char sink[SLOTS];
	double begin = cpu_ns(), took;

	for (int i = 0; i < SLOTS; i++) {
		if (write(fd[1], "x", 1) != 1)
			perror("write");
	}
	took = cpu_ns() - begin;
	for (int i = 0; i < SLOTS; i++) {
		if (read(fd[0], sink, sizeof(sink)) != 1)
			perror("read");
	}
	return took;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(double *v, int n, double q)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(int)(q * (n - 1) + 0.5)];
}

static uint64_t
events(const struct lab_kmon *k)
{
	struct lab_kmon_totals t;
	uint64_t sum = 0;

	lab_kmon_read(k, &t);
	for (int c = 0; c < LAB_KMON_NR_CLASSES; c++)
		for (int o = 0; o < LAB_KMON_ORDERS; o++)
			for (int m = 0; m < LAB_KMON_TYPES; m++)
				sum += t.requests[c][o][m];
	return sum;
}

/* The median of many: an interrupt, or a neighbour, spoils a few of them. @return ns an allocation */
static double
phase(const int fd[2])
{
	double v[REPEATS];

	for (int i = 0; i < REPEATS; i++)
		v[i] = fill(fd) / SLOTS;
	return quantile(v, REPEATS, 0.5);
}

static void
print(const char *what, double *v, int n)
{
	printf("%-24s median %7.1f ns, quartiles %7.1f %7.1f\n", what, quantile(v, n, 0.5),
		quantile(v, n, 0.25), quantile(v, n, 0.75));
}

static int
measure(struct lab_kmon *k, int pairs, const int fd[2])
{
	double *off = calloc(3 * pairs, sizeof(*off)), *on = off + pairs, *cost = on + pairs;
	uint64_t seen = 0;

	for (int i = 0; off && i < pairs; i++) {
		char why[LAB_KMON_WHY_LEN];
		uint64_t before;

		off[i] = phase(fd);
		if (lab_kmon_attach(k, why, sizeof(why))) {
			fprintf(stderr, "%s\n", why);
			return 1;
		}
		before = events(k);
		on[i] = phase(fd);
		seen += events(k) - before;
		lab_kmon_detach(k);
		cost[i] = on[i] - off[i];
	}
	if (off == NULL)
		return 1;
	print("not observed", off, pairs);
	print("observed", on, pairs);
	print("cost of an event", cost, pairs);
	printf("%d writes while observed, %llu allocations counted\n", pairs * REPEATS * SLOTS,
		(unsigned long long)seen);
	free(off);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct lab_kmon_opts opts = {.latency_every = 16, .idle = true};
	int pairs = argc > 1 ? atoi(argv[1]) : 101, fd[2], rc;
	char why[LAB_KMON_WHY_LEN];
	struct lab_kmon *k;

	if (pairs < 1) {
		fprintf(stderr, "observe_cost [PAIRS], above 0\n");
		return 2;
	}
	if (pipe2(fd, O_DIRECT) || fcntl(fd[1], F_SETPIPE_SZ, SLOTS * 4096) != SLOTS * 4096) {
		perror("pipe");
		return 1;
	}
	if (lab_kmon_open(&k, &opts, why, sizeof(why))) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	phase(fd);
	rc = measure(k, pairs, fd);
	lab_kmon_close(k);
	return rc;
}
