/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What a page allocation and its free cost more while the programs are attached: the same system calls with them and
 * without by turns; the difference of each pair.
 *
 *     observe_cost [watch|record [PAIRS [FILE]]]     FILE: that record writes (/dev/null)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lab_stats.h>

#include "../../app/labyrinth/signals.h"
#include "subject.h"

#define SLOTS   256 /* of the pipe */
#define REPEATS 301
#define SEED    1 /* of the intervals */

/* ns of this thread for an allocation, and for a free: each with the system call that it comes with. */
struct cost {
	double alloc, free;
};

static double
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* A pipe of packets takes a page for each write, and does not clear it: about the cheapest allocation that a process can
 * ask for. Two pages stay with the pipe when it is read. */
static struct cost
fill(const int fd[2])
{
	static char sink[SLOTS];
	double begin = cpu_ns(), middle;
	struct cost c;

	for (int i = 0; i < SLOTS; i++) {
		if (write(fd[1], "x", 1) != 1)
			perror("write");
	}
	middle = cpu_ns();
	for (int i = 0; i < SLOTS; i++) {
		if (read(fd[0], sink, sizeof(sink)) != 1)
			perror("read");
	}
	c.alloc = (middle - begin) / SLOTS;
	c.free = (cpu_ns() - middle) / SLOTS;
	return c;
}

static struct lab_median_result
median(const double *v, size_t n)
{
	const struct lab_median_opts opts = {.seed = SEED, .alpha = 0.05, .resamples = 999};
	struct lab_median_result r;

	if (lab_median(v, n, &opts, &r))
		abort(); /* n is above 0 and a clock has no NaN */
	return r;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median of many: an interrupt, or a neighbour, spoils a few of them. */
static struct cost
phase(const int fd[2])
{
	double alloc[REPEATS], free[REPEATS];

	for (int i = 0; i < REPEATS; i++) {
		struct cost c = fill(fd);

		alloc[i] = c.alloc;
		free[i] = c.free;
	}
	qsort(alloc, REPEATS, sizeof(*alloc), by_value);
	qsort(free, REPEATS, sizeof(*free), by_value);
	return (struct cost){alloc[REPEATS / 2], free[REPEATS / 2]};
}

static void
print(const char *what, const double *v, int n)
{
	struct lab_median_result r = median(v, n);

	printf("  %-30s median %6.1f ns, 95%% interval %.1f to %.1f, quartiles %.1f and %.1f\n",
		what, r.median, r.ci_lo, r.ci_hi, r.lower_quartile, r.upper_quartile);
}

/* One pair after the other; which comes first changes. */
static int
measure(const struct subject *s, int pairs, const int fd[2], struct cost *off, struct cost *on)
{
	for (int i = 0; i < pairs; i++) {
		char why[SUBJECT_WHY] = "";
		int err;

		if (i % 2)
			off[i] = phase(fd);
		err = s->on(why);
		if (!err) {
			on[i] = phase(fd);
			err = s->off();
		}
		if (err) {
			fprintf(stderr, "%s: %s\n", why, strerror(-err));
			return 1;
		}
		if (i % 2 == 0)
			off[i] = phase(fd);
	}
	return 0;
}

static int
report(const struct subject *s, int pairs, const int fd[2])
{
	struct cost *off = calloc(2 * pairs, sizeof(*off)), *on = off + pairs;
	double *v = calloc(pairs, sizeof(*v));
	int rc = off && v ? measure(s, pairs, fd, off, on) : 1;

	if (rc == 0) {
		printf("%s: %s\n  %d pairs of %d allocations each, seed %d\n", s->name, s->what,
			pairs, REPEATS * SLOTS, SEED);
		for (int i = 0; i < pairs; i++)
			v[i] = off[i].alloc;
		print("a write with its allocation", v, pairs);
		for (int i = 0; i < pairs; i++)
			v[i] = on[i].alloc - off[i].alloc;
		print("observed: an allocation more", v, pairs);
		for (int i = 0; i < pairs; i++)
			v[i] = on[i].free - off[i].free;
		print("observed: a free more", v, pairs);
	}
	free(off);
	free(v);
	return rc;
}

int
main(int argc, char **argv)
{
	const struct subject *s = subject_find(argc > 1 ? argv[1] : "watch");
	int pairs = argc > 2 ? atoi(argv[2]) : 101, fd[2], rc;
	char why[SUBJECT_WHY] = "";

	if (s == NULL || pairs < 1) {
		fprintf(stderr, "observe_cost [watch|record [PAIRS [FILE]]], PAIRS above 0\n");
		return 2;
	}
	if (pipe2(fd, O_DIRECT) || fcntl(fd[1], F_SETPIPE_SZ, SLOTS * 4096) != SLOTS * 4096) {
		perror("pipe");
		return 1;
	}
	rc = signals_init();
	rc = rc ? rc : s->open(NULL, argc > 3 ? argv[3] : "/dev/null", why);
	if (rc) {
		printf("SKIP: %s\n", why[0] ? why : strerror(-rc));
		return rc == -EPERM || rc == -ENOTSUP ? 77 : 1;
	}
	phase(fd);
	rc = report(s, pairs, fd);
	s->close();
	return rc;
}
