/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "noise.h"

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct noise_thread
noise_thread_now(void)
{
	struct rusage use = {0};
	struct noise_thread now;

	getrusage(RUSAGE_THREAD, &use);
	now.switches = use.ru_nivcsw;
	now.cpu = sched_getcpu();
	now.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	now.wall_ns = clock_ns(CLOCK_MONOTONIC);
	return now;
}

double
noise_lost(const struct noise_thread *then, const struct noise_thread *now)
{
	double wall = (double)(now->wall_ns - then->wall_ns);
	double cpu = (double)(now->cpu_ns - then->cpu_ns);

	return wall > cpu ? (wall - cpu) / wall : 0;
}

/** The line of all CPUs in /proc/stat: user nice system idle iowait irq softirq steal. */
struct noise_machine
noise_machine_now(void)
{
	struct noise_machine now = {0};
	uint64_t user = 0, nice = 0, sys = 0, irq = 0, softirq = 0, steal = 0;
	FILE *f = fopen("/proc/stat", "r");
	struct tms own;

	if (f != NULL) {
		if (fscanf(f,
			    "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64
			    " %" SCNu64,
			    &user, &nice, &sys, &irq, &softirq, &steal) == 6) {
			now.busy = user + nice + sys + irq + softirq;
			now.steal = steal;
		}
		fclose(f);
	}
	times(&own);
	now.own = (uint64_t)own.tms_utime + (uint64_t)own.tms_stime;
	return now;
}

double
noise_others(const struct noise_machine *then, const struct noise_machine *now, uint64_t wall_ns)
{
	double ticks = (double)(now->busy - then->busy) - (double)(now->own - then->own);
	double wall = (double)wall_ns * (double)sysconf(_SC_CLK_TCK) / 1e9;

	return ticks > 0 && wall > 0 ? ticks / wall : 0;
}

unsigned long
noise_available_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib;
}
