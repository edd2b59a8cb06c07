/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

/** @file noise.h How much of a CPU others took while something was measured. */

#include <stdint.h>

/** Of one thread, read by itself. */
struct noise_thread {
	uint64_t wall_ns, cpu_ns;
	long switches; /**< involuntary */
	int cpu;
};

/** Of the machine; ticks of USER_HZ, summed over the CPUs. */
struct noise_machine {
	uint64_t busy, steal, own;
};

struct noise_thread noise_thread_now(void);

/** Share of the time since then in which the thread was not on a CPU, 0 to 1. */
double noise_lost(const struct noise_thread *then, const struct noise_thread *now);

struct noise_machine noise_machine_now(void);

/** CPUs' worth of work of other processes in wall_ns. */
double noise_others(
	const struct noise_machine *then, const struct noise_machine *now, uint64_t wall_ns);

/** MemAvailable of the machine; 0 if it is not known. */
unsigned long noise_available_kib(void);

#endif /* BENCH_NOISE_H */
