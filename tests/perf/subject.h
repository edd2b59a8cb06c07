/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef SUBJECT_H
#define SUBJECT_H

/** @file subject.h What is measured: something that runs for a while on this machine, begun and ended many times. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUBJECT_WHY 256

/** All functions but close() return 0 or a negative errno; why, of SUBJECT_WHY bytes, says it in words. */
struct subject {
	const char *name, *what;
	/** @param device that is watched @param file that is written */
	int (*open)(const char *device, const char *file, char *why);
	int (*on)(char *why); /**< all programs are attached as it returns */
	int (*run)(uint64_t ns);
	int (*off)(void);
	void (*close)(void); /**< prints what it has to tell of itself */
};

/** By name: watch, record, nothing, burn. NULL. */
const struct subject *subject_find(const char *name);

/** CLOCK_MONOTONIC */
uint64_t subject_now(void);

/** CPU time of this process, and of this thread, ns */
uint64_t subject_cpu(void);
uint64_t subject_thread_cpu(void);

/** Events of record in its last run: those that it took, those that were lost, and how long it took at the end to write
 *  what had come and had not been read. */
struct subject_tally {
	uint64_t taken, lost, end_ns;
};
void subject_take_tally(struct subject_tally *out);

#endif /* SUBJECT_H */
