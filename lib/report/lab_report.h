/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_REPORT_H
#define LAB_REPORT_H

/**
 * @file lab_report.h
 * What people and tools read: one display layer for every `show`, report.json and report.html.
 *
 * Everything is a jansson value first. lab_display() prints it as JSON or as a table, the report
 * keeps it, and report.html is drawn from the report's JSON alone, so that the page shows nothing
 * that the file does not hold. The schema is in docs/report-json.md.
 *
 * Ownership: functions named lab_json_*() return a new reference for the caller (NULL when memory
 * is short); json_t arguments are borrowed and never changed. Everything else is copied.
 *
 * Errors: 0 or a negative errno. Control path only; one thread at a time for one report.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "lab_stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------ display */

/** How lab_display() prints. */
enum lab_format {
	LAB_FORMAT_TABLE, /**< for people */
	LAB_FORMAT_JSON,  /**< for tools: one document, indented, a newline at the end */
};

/** "table" or "json". @return 0, -EINVAL */
int lab_format_parse(const char *text, enum lab_format *format);

/**
 * Print a value. As a table: an object is a line "key: value" for each member, values aligned; an object
 * within it is a section of its own, named by its key. An array of objects is a table with a column
 * for each key in the order of first appearance, and so is an object of two or more objects with the same keys (a
 * row each, named by the key). An array of plain values is a list on one line. Numbers stand to the right;
 * integers of 5 digits and more have commas between the thousands; a value that is not there is "-".
 * Control characters in text are printed as '?'.
 * @return 0, -EINVAL (json is NULL, or nested more than 16 deep), -EIO or what the stream gave,
 * -ENOMEM
 */
int lab_display(const json_t *json, enum lab_format format, FILE *out);

/* ----------------------------------------------------- JSON of what stats holds */

/** An integer; above INT64_MAX, which JSON libraries cannot hold, a string "0x...". */
json_t *lab_json_u64(uint64_t v);

/** One named count, e.g. refusals of one cause. */
struct lab_report_count {
	const char *name; /**< of the cause */
	uint64_t n;       /**< how many */
};

/** {name: n}; a name that comes twice is added up. */
json_t *lab_json_counts(const struct lab_report_count *counts, size_t n);

/** {offered, delivered, in_flight, dropped, unexplained, drops{cause: n}}; a cause without drops is
 * left out. */
json_t *lab_json_ledger_port(const struct lab_ledger_port *p);
/** As lab_json_ledger_port() of the total, and `closes`, and `ports` {name: the same}. */
json_t *lab_json_ledger(const struct lab_ledger *ledger);
/** All figures of a correlation; see docs/report-json.md. */
json_t *lab_json_correlation(const struct lab_corr_result *r);
/** All figures of an intervention but the names of its arms; see docs/report-json.md. */
json_t *lab_json_intervention(const struct lab_intervention_result *r);
/** {count, min, mean, p50, p90, p99, p999, max}, in the histogram's unit. */
json_t *lab_json_hist(const struct lab_hist *h);

/** The Linux indices of one order, in thousandths as the kernel prints them without the point. */
struct lab_report_frag {
	unsigned int order;   /**< 0 to 10 */
	uint64_t free_blocks; /**< of exactly this order */
	int unusable;         /**< unusable free index, 0..1000 */
	int extfrag;          /**< fragmentation index, -1000..1000 */
};

/** [{order, free_blocks, unusable, extfrag}], the indices as fractions (unusable 0..1). */
json_t *lab_json_frag(const struct lab_report_frag *rows, size_t n);

/** Most points of a series in a report; longer ones are summed (counters) or averaged (gauges) in
 * groups. */
#define LAB_REPORT_MAX_POINTS 5000

/**
 * {interval_ms, samples, lost, points, bins_per_point, list: [{name, unit, kind, values: []}]}: the
 * window that the set holds now.
 */
json_t *lab_json_series(const struct lab_series_set *set);

/* ------------------------------------------------------------------------- report */

/** One report: a run of one or more arms. */
struct lab_report;

/** What a report says of its run as a whole. All is copied. */
struct lab_report_info {
	const char *scenario; /**< a name, e.g. "default"; may be NULL */
	const char *command;  /**< the whole command line, as one would type it */
	uint64_t seed;        /**< of the run */
	time_t time;          /**< of the run; 0: now */
};

/** @return 0, -EINVAL (no command), -ENOMEM */
int lab_report_create(struct lab_report **report, const struct lab_report_info *info);
/** Free it. NULL is accepted. */
void lab_report_destroy(struct lab_report *report);

/** What one arm shows. Pointers may be NULL where it says so; all is copied. */
struct lab_report_arm {
	const char *name;  /**< short and unique in the report: "fresh", "aged" */
	const char *title; /**< in words: "fresh pool"; NULL: the name */
	const char *note;  /**< how the arm was made, in a sentence; may be NULL */
	uint64_t seed;     /**< of the arm's traffic */

	const struct lab_ledger *ledger;         /**< where the packets went */
	const struct lab_report_count *failures; /**< refused allocations by cause */
	size_t nr_failures;                      /**< of failures */
	/**
	 * Names of the drop causes that stand for a refused allocation, ended by NULL. NULL: a
	 * cause counts when its name is one of failures, ends with "_" and one of them, or is
	 * "nombuf".
	 */
	const char *const *memory_causes;

	const json_t *zone;                        /**< an object, shown as it is; may be NULL */
	const struct lab_report_frag *frag;        /**< a row an order */
	size_t nr_frag;                            /**< of frag */
	const struct lab_corr_result *correlation; /**< may be NULL */
	const struct lab_hist *latency_ns;         /**< may be NULL */

	const struct lab_series_set *series; /**< may be NULL; the next three are names in it */
	const char *series_load;     /**< drawn in the time chart; may be NULL, as the next two */
	const char *series_failures; /**< of refused allocations */
	const char *series_drops;    /**< of lost packets */
	const json_t
		*extra; /**< an object: more keys of the arm, e.g. {"age": {...}}; may be NULL */
};

/** @return 0, -EINVAL (no name or ledger, a key of extra is taken), -EEXIST (name), -ENOMEM */
int lab_report_add_arm(struct lab_report *report, const struct lab_report_arm *arm);

/**
 * State what changing one thing did, between two arms with the same traffic: they must have the same seed.
 * @param report to add it to
 * @param control name of the arm without the change
 * @param treated name of the arm with it
 * @param change in words, e.g. "ageing the pool"
 * @param result of lab_intervention() over the two; copied
 * @return 0, -ENOENT for an arm that is not there, -EINVAL (also for other seeds), -ENOMEM
 */
int lab_report_add_intervention(struct lab_report *report, const char *control, const char *treated,
	const char *change, const struct lab_intervention_result *result);

/**
 * State by how much the packets lost to memory fell from one arm to another with the same traffic, and, if
 * that is less than was aimed at, why: from the treated arm's drops by cause, its zone and its tenants.
 * @param report to add it to
 * @param control name of the arm without the change
 * @param treated name of the arm with it
 * @param change in words
 * @param goal share of the control's loss, in (0, 1]: 0.99 for "at least 99% fewer"
 * @param result of lab_intervention() on the arms' series of packets lost to memory; copied
 * @return as lab_report_add_intervention()
 */
int lab_report_add_reduction(struct lab_report *report, const char *control, const char *treated,
	const char *change, double goal, const struct lab_intervention_result *result);

/** The report as JSON: the last arm's block at the top level, and all arms in `arms`. New
 * reference. */
json_t *lab_report_json(const struct lab_report *report);

/** The headline in plain words, a sentence per arm. To be freed by the caller; NULL when memory is
 * short. */
char *lab_report_headline(const struct lab_report *report);

/**
 * Write report.json or report.html. The file appears whole or not at all: it is written beside
 * path, synced, and renamed. A path that is not a regular file (/dev/stdout, a pipe) is written to
 * directly.
 * @return 0, -ENOSPC, -EACCES, ... ; -EINVAL for a report without arms; -ENOMEM
 */
int lab_report_write_json(const struct lab_report *report, const char *path);
/** As lab_report_write_json(), for people: one page that needs nothing else. */
int lab_report_write_html(const struct lab_report *report, const char *path);

/**
 * Is it a report as docs/report-json.md says? why (may be NULL) gets the path of the first fault.
 * @return 0, -EINVAL
 */
int lab_report_validate(const json_t *json, char *why, size_t len);

/**
 * Draw a report's JSON (validated first) as one HTML page that needs nothing else: no script, no
 * network.
 * @return 0, -EINVAL, -EIO or what the stream gave, -ENOMEM
 */
int lab_report_html(const json_t *json, FILE *out);

#ifdef __cplusplus
}
#endif

#endif /* LAB_REPORT_H */
