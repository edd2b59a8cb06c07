/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_VTIME_H
#define APP_VTIME_H

/**
 * @file vtime.h
 * Time: real, with lcores that run; or virtual, where one thread does everything in turn and time
 * passes as the cost model says, the same way for every run of a seed.
 */

#include <stdbool.h>
#include <stdint.h>

struct app;

/** What happens beside the packets. */
#define BACKGROUND_NS 1000000ull

struct vtime {
	uint64_t poll_ns;   /**< virtual cost of a round over all streams */
	uint64_t packet_ns; /**< virtual cost of a packet on top */
	bool injecting;     /**< a refused refill may pass when it is only tried again */
	bool kswapd;        /**< zones' kswapd runs, and reclaims from the tenants */
	bool compaction;    /**< zones whose allocator can compact movable tenants */
	uint64_t background_due_ns;
};

void vtime_init(struct app *app);

/** Change the kind of time. Not while forwarding, nor with wires. @return 0 or -errno, message. */
int vtime_set(struct app *app, bool is_virtual);

/** Let time pass; forwarding, if it was started, goes on meanwhile. A signal ends it early. */
int vtime_pass(struct app *app, uint64_t ns);

/** Churn of the tenants, kswapd and compaction, if they are due. Virtual: the main thread; real: the sampler's.
 */
void background_step(struct app *app, uint64_t now_ns);

/** CLOCK_MONOTONIC whatever the clock of the experiment is. */
uint64_t vtime_wall_ns(void);

#endif /* APP_VTIME_H */
