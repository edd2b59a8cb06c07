/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_ARMS_H
#define APP_ARMS_H

/**
 * @file arms.h
 * Arms of an experiment: each begins from zero with the same traffic, and is kept for the report.
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <lab_report.h>

struct app;

#define ARMS_MAX     16
#define ARM_NAME_LEN 32

/** What stays of an arm beside its block in the report. */
struct arm {
	char name[ARM_NAME_LEN];
	double *drops, *memory; /**< packets lost, and lost to memory, an interval each */
	size_t n;
};

struct arms {
	struct lab_report *report;
	struct arm list[ARMS_MAX];
	unsigned int nr;
	bool open;
	char name[ARM_NAME_LEN];
	json_t *age; /**< target and achieved of what was aged in this arm */
	struct lab_corr_opts corr;
};

void arms_init(struct app *app);
void arms_fini(struct app *app);

/** Begin: ports' wires anew, tenants gone, counters and series at zero. @return 0 or -errno. */
int arm_begin(struct app *app, const char *name);

/** End: into the report. */
int arm_end(struct app *app);

/** The effect of one change between two arms. */
int arm_compare(struct app *app, const char *control, const char *treated, const char *change);

/**
 * By how much the packets lost to memory fell, against what was aimed at.
 * @param percent "99": of the control's loss.
 */
int arm_reduction(struct app *app, const char *control, const char *treated, const char *percent,
	const char *change);

/** The arms side by side. NULL with the message set. */
json_t *arms_json(struct app *app);

/** arms_json() as a table, an arm a column. */
void arms_print(struct app *app, const json_t *shown);

/** Write the report of all arms; without any, of everything so far as one arm "run". */
int arms_write(struct app *app, bool html, const char *path);

/** The correlation of the series so far. NULL with the message set. */
json_t *arms_correlation_json(struct app *app, const char *failures, const char *drops);

#endif /* APP_ARMS_H */
