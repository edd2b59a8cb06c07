/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef WATCH_H
#define WATCH_H

/** @file watch.h What the parts of `labyrinth-observe watch` share. */

#include <jansson.h>

#include <lab_kmon.h>
#include <lab_report.h>

#define WATCH_MAX_DEVICES 32
#define WATCH_CAPACITY    32767     /* samples that are kept: 5 minutes of 10 ms, 8 MB */
#define WATCH_MAX_STACKS  64        /* sorts of failure with their stacks */
#define WATCH_MAX_REASONS 24        /* drop reasons with a name of their own in the ledger */
#define WATCH_SLOW_NS     100000000 /* what is dear to read is read so often at most */

/** The series that the report and the correlations name. */
#define SERIES_OFFERED  "offered"
#define SERIES_FAILURES "failures"
#define SERIES_DROPS    "drops"
#define SERIES_UNCLEAR  "drops.unclear"

struct watch_opts {
	uint64_t interval_ns, duration_ns,
		period_ns; /* duration 0: until a signal; period 0: silent */
	const char *device[WATCH_MAX_DEVICES];
	unsigned int nr_devices;
	const char *json, *html; /* files; NULL: none */
	enum lab_format format;
	unsigned int latency_every, stacks;
	struct lab_corr_opts corr;
};

/** One reading; the series read from it. */
struct watch_now {
	uint64_t offered, received, polled;
	uint64_t atomic_requests, failures, fallbacks, unresolved, memcg;
	uint64_t drops, drops_unclear, drops_nic;
	uint64_t cause[LAB_KMON_NR_DROPS]; /* both sides */
	uint64_t nic_missed, nic_dropped, nic_errors, nic_alloc_fail, nic_no_buffer;
	uint64_t
		nic_alone; /* of nic_dropped, what the kernel has not dropped for a stated reason */
	uint64_t extfrag, kswapd_wakeups, compaction, pool_hold;
	uint64_t free_pages, unusable; /* unusable free index of order 3, thousandths */
	uint64_t extfrag_index;        /* the kernel's, of order 3, thousandths above -1 */
};

/** Failures with the same request, task and stack. */
struct watch_stack {
	struct lab_kmon_failure first;
	uint64_t n;
};

struct watch {
	struct watch_opts opt;
	char *command; /* line */
	struct lab_kmon *kmon;
	struct lab_nics *nics;
	struct lab_series_set *set;
	struct lab_kmon_totals totals;
	struct lab_diag_report zones;
	struct watch_now now;
	struct watch_stack stack[WATCH_MAX_STACKS];
	unsigned int nr_stacks;
	uint64_t stacks_left_out; /* failures whose stack had no room */
	uint64_t begin_ns, end_ns, spent_ns, samples, late;
	unsigned int slow_every; /* samples between two readings of what is dear */
};

/** Arguments. @return OBSERVE_OK, or what to leave with (*leave set) */
int watch_parse(struct watch *w, int argc, char **argv, bool *leave);

/** Make the series. @return 0, -errno */
int watch_series_init(struct watch *w);
/** Attach the programs: counting begins. @return as lab_kmon_attach() */
int watch_begin(struct watch *w, char *why, size_t len);
/** Sample until the time is over or a signal comes. @return 0, -errno */
int watch_sample_all(struct watch *w);
/** Stop counting; the last figures: what is read seldom, and attempts that nobody answered. @return 0, -errno */
int watch_finish(struct watch *w);

/** Where the packets went, by the kernel's words and the NICs'. */
int watch_ledger(struct watch *w, struct lab_ledger *ledger);
/** Causes of the ledger that stand for a refused allocation, ended by NULL. */
extern const char *const watch_memory_causes[];

/** What memory explains of the drops. All counts are packets but failures. */
struct watch_verdict {
	uint64_t drops, failures;
	uint64_t by_reason;                 /**< the kernel says: memory */
	uint64_t nameless;                  /**< it says nothing */
	uint64_t together;                  /**< of these, what goes together with failures */
	uint64_t undecided;                 /**< of these, when the figures do not allow to say */
	uint64_t unexplained;               /**< all else */
	const struct lab_corr_result *corr; /**< of failures and drops that may be memory's */
};

/**
 * Fill in together, undecided and unexplained. A drop whose reason is another one than memory is not explained by it,
 * whatever its time. Of the rest, those whose reason is memory are; of those with no reason (a NIC's losses, above all),
 * the share that follows a failure more often than shifted copies of the failures would, if the correlation holds.
 */
void watch_judge(struct watch_verdict *v);
/** The same in words. */
void watch_say(const struct watch_verdict *v, FILE *out);
/** Does memory explain the drops? {text, ...}; corr of all drops is filled in. */
json_t *watch_memory_json(
	struct watch *w, const struct lab_ledger *ledger, const struct lab_corr_result *all);
/** All figures but the series. NULL: memory is short. */
json_t *watch_json(
	struct watch *w, const struct lab_ledger *ledger, const struct lab_corr_result *corr);
/** As a table for people. @return 0, -errno */
int watch_print(const json_t *live, const struct lab_ledger *ledger,
	const struct lab_corr_result *corr, FILE *out);
/** Write the files. @return 0, -errno; *which is the file that it failed for */
int watch_write(struct watch *w, const struct lab_ledger *ledger,
	const struct lab_corr_result *corr, const json_t *live, const char **which);

#endif /* WATCH_H */
