/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* How many events a second the recorder takes before it loses some. Threads fill and empty pipes, which is a page taken
 * and given back each time, for a part of every millisecond; the part grows from step to step. What the ring holds can
 * hide that the reader is too slow: each step lasts some seconds, and the time is printed that the recorder takes at its
 * end to write what it is behind with.
 *
 *     record_rate [FILE [SECONDS [THREADS]]]     FILE: that record writes (/dev/null); one thread a CPU
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lab_record.h>

#include "../../app/labyrinth/signals.h"
#include "subject.h"

#define PERIOD_NS   1000000
#define BATCH       16 /* pages of a pipe at a time */
#define MAX_THREADS 64

static atomic_uint percent; /* of the time that each thread makes events; above 100: it is to end */

static void
fill_until(const int fd[2], uint64_t end)
{
	char sink[BATCH];

	while (subject_now() < end) {
		for (int i = 0; i < BATCH; i++)
			if (write(fd[1], "x", 1) != 1)
				return;
		for (int i = 0; i < BATCH; i++)
			if (read(fd[0], sink, sizeof(sink)) != 1)
				return;
	}
}

static void *
make_events(void *arg)
{
	unsigned int p;
	int fd[2];

	(void)arg;
	if (pipe2(fd, O_DIRECT))
		return NULL;
	while ((p = atomic_load(&percent)) <= 100) {
		uint64_t begin = subject_now(), now;

		fill_until(fd, begin + (uint64_t)p * (PERIOD_NS / 100));
		now = subject_now();
		if (now < begin + PERIOD_NS)
			usleep((unsigned int)((begin + PERIOD_NS - now) / 1000));
	}
	close(fd[0]);
	close(fd[1]);
	return NULL;
}

/* @return 0, -errno */
static int
step(const struct subject *s, unsigned int part, unsigned int seconds)
{
	struct subject_tally t;
	char why[SUBJECT_WHY] = "";
	uint64_t begin, cpu;
	double took;
	int err = s->on(why), end_err;

	if (err) {
		fprintf(stderr, "%s\n", why);
		return err;
	}
	begin = subject_now();
	cpu = subject_thread_cpu();
	atomic_store(&percent, part);
	err = s->run((uint64_t)seconds * 1000000000);
	took = (double)(subject_now() - begin);
	cpu = subject_thread_cpu() - cpu;
	atomic_store(&percent, 0);
	end_err = s->off();
	if (err || end_err)
		return err ? err : end_err;
	subject_take_tally(&t);
	printf("  %5u%% %14.0f %14.0f %12.0f%% %12.0f ms\n", part, (double)t.taken / (took / 1e9),
		(double)t.lost / (took / 1e9), (double)cpu * 100 / took, (double)t.end_ns / 1e6);
	return 0;
}

static int
steps(const struct subject *s, unsigned int seconds)
{
	int rc = 0;

	printf("  %6s %14s %14s %13s %15s\n", "events", "recorded/s", "lost/s", "its reader",
		"its end");
	for (unsigned int part = 10; part <= 100 && rc == 0; part += 10)
		rc = step(s, part, seconds);
	return rc;
}

static int
measure(const struct subject *s, unsigned int seconds, unsigned int threads)
{
	pthread_t id[MAX_THREADS];
	unsigned int nr = 0;
	int rc;

	printf("record: %u threads make events for a part of the time, %u s a step\n", threads,
		seconds);
	while (nr < threads && pthread_create(&id[nr], NULL, make_events, NULL) == 0)
		nr++;
	rc = nr == threads ? steps(s, seconds) : -EAGAIN;
	atomic_store(&percent, 101);
	while (nr > 0)
		pthread_join(id[--nr], NULL);
	return rc;
}

int
main(int argc, char **argv)
{
	const struct subject *s = subject_find("record");
	unsigned int seconds = argc > 2 ? (unsigned int)atoi(argv[2]) : 3;
	unsigned int threads = argc > 3 ? (unsigned int)atoi(argv[3])
					: (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	char why[SUBJECT_WHY] = "";
	int rc;

	if (seconds < 1 || seconds > 3600 || threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "record_rate [FILE [SECONDS [THREADS]]]\n");
		return 2;
	}
	rc = signals_init();
	rc = rc ? rc : s->open(NULL, argc > 1 ? argv[1] : "/dev/null", why);
	if (rc == 0)
		rc = measure(s, seconds, threads);
	if (rc == 0)
		return 0;
	printf("%s%s\n", rc == -EPERM || rc == -ENOTSUP ? "SKIP: " : "",
		why[0] ? why : strerror(-rc));
	return rc == -EPERM || rc == -ENOTSUP ? 77 : 1;
}
