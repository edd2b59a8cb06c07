/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "zone.h"

#define SPIN_PAUSE_MAX 64
#define SPIN_ROUNDS    64

static void
pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* The holder may have been preempted, and on a machine with few CPUs it is then our turn that keeps
 * it from going on: after some rounds of spinning, yield. */
void
lab_spin_wait(struct lab_spin *s)
{
	unsigned int pauses = 1, rounds = 0;

	while (!lab_spin_trylock(s)) {
		for (unsigned int i = 0; i < pauses; i++)
			pause_cpu();
		if (pauses < SPIN_PAUSE_MAX)
			pauses *= 2;
		else if (++rounds > SPIN_ROUNDS)
			sched_yield();
	}
}

void
lab_zone_freeze(struct lab_zone *z)
{
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++)
		lab_spin_lock(&z->pcp[cpu].lock);
	lab_spin_lock(&z->lock);
}

void
lab_zone_thaw(struct lab_zone *z)
{
	lab_spin_unlock(&z->lock);
	for (unsigned int cpu = z->nr_cpus; cpu > 0; cpu--)
		lab_spin_unlock(&z->pcp[cpu - 1].lock);
}
