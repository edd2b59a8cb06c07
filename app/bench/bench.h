/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_H
#define BENCH_H

/**
 * @file bench.h
 * What the parts of labyrinth-bench share. An *allocator* is a row, a *column* a pattern of use with
 * a number of threads and an order. All rows of a column live at the same time and take turns, round by
 * round, on the same cores.
 *
 * Times are in ticks of the TSC until they are printed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>
#include <rte_cycles.h>
#include <rte_atomic.h>

#include <lab_base.h>
#include <lab_page.h>
#include <lab_stats.h>

struct rte_ring;
struct bench_options;

#define BENCH_BURST       32U
#define BENCH_MAX_THREADS 2U
#define BENCH_MAX_ROWS    32U
#define BENCH_MAX_ROUNDS  101U
#define BENCH_WHY         160
/** Pages of a column that writes to them: 64 MiB, so that they can all be touched beforehand. */
#define BENCH_ZERO_PAGES 16384U
/** Requests for zeroed pages between two visits of the background. */
#define BENCH_ZERO_BATCH 64U
/** Share of the CPU that others may take of a round that is called clean. */
#define BENCH_MAX_LOST 0.01
/** Pages on their way from one core to the other. */
#define BENCH_XFER_SLOTS 1024U

/** The loops that each allocator has, made from its calls by loops.h. */
enum bench_loop {
	BENCH_TAKE, /**< until n are held */
	BENCH_GIVE, /**< until n are held */
	BENCH_REPEAT,
	BENCH_BURSTS,
	BENCH_FILL,
	BENCH_REPLACE,
	BENCH_WALK,
	BENCH_SEND,
	BENCH_RECEIVE,
	BENCH_ZERO,
	BENCH_NOZERO,
	BENCH_NR_LOOPS,
};

/** One thread of one row: all that its loops touch. */
struct bench_thread {
	_Alignas(LAB_CACHE_LINE) void *ctx; /**< the allocator's */
	const struct bench_alloc *alloc;
	struct lab_rng rng;
	void **held; /**< pages that this thread holds; an entry may be NULL in a replacement */
	unsigned long nr_held;
	unsigned long quota; /**< most that it may hold */
	unsigned long slots; /**< that a replacement keeps full; the middle of a walk */
	unsigned int index;
	unsigned int order;
	bool alone; /**< the only thread of its row */
	struct rte_ring *ring;
	bool *sent; /**< the sender has come to its end */

	/* counted since the start of a round */
	uint64_t refused;              /**< requests for a page */
	uint64_t expected;             /**< of them those that were right: nothing was left */
	uint64_t beyond;               /**< pages handed out beyond the capacity */
	uint64_t not_zero;             /**< pages asked for as zero that were not */
	uint64_t gets, puts;           /**< pages, in the parts timed by the loop itself */
	uint64_t get_ticks, put_ticks; /**< of those parts, */
	uint64_t get_parts, put_parts; /**< and how many they are */

	/* the second pass: single calls, in ticks */
	struct lab_hist get_hist, put_hist;
};

/** One loop: about n pages. @return pages that were got and given back (or sent, or received). */
typedef uint64_t (*bench_loop_fn)(struct bench_thread *t, unsigned long n);

/** [1] times each call. */
typedef bench_loop_fn bench_loops[BENCH_NR_LOOPS][2];

/** What an allocator is made for. */
struct bench_need {
	unsigned long pages; /**< single frames */
	unsigned int order;
	unsigned int threads;
	void *arena; /**< pages frames, 4 MiB aligned, shared by all rows: nobody writes there but in
	                          columns that zero */
	bool writes; /**< the column writes to pages */
};

enum bench_alloc_flags {
	BENCH_BOUNDED =
		1, /**< has a fixed number of pages: to refuse before they are used up is false */
	BENCH_PRIVATE = 2,   /**< one thread's: its pages cannot be given back by another one */
	BENCH_ORDERLESS = 4, /**< there is no order of a pool that could be shuffled */
	BENCH_KEEPS = 8,     /**< its memory stays for later columns */
	BENCH_SAME = 16, /**< hands out one page over and over: whether it is zero says nothing */
};

/** A row. */
struct bench_alloc {
	const char *name;
	const char *what; /**< in a line, for --list */
	unsigned int flags;
	const bench_loops *loops;
	const void *variant; /**< of the file that it is in */
	/**
	 * Make one for need->pages >> need->order blocks.
	 * @param capacity in: those blocks; out: blocks that it can be expected to hand out.
	 * @return 0; a negative errno with the reason in why: the row is skipped.
	 */
	int (*create)(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
		unsigned long *capacity, char *why);
	void (*destroy)(void *ctx);
	/** Work of a service thread, before each round and between timed parts; may be NULL. */
	void (*background)(void *ctx);
	/** Bytes of memory that a page costs, touched or not by the column; for who must be left out. */
	unsigned long bytes_a_page;
};

extern const struct bench_alloc *const bench_allocs[];
extern const unsigned int bench_nr_allocs;

/** Each file's rows. */
extern const struct bench_alloc bench_empty, bench_array, bench_mmap;
#define BENCH_NR_POOLS   6
#define BENCH_NR_DRIVERS 4
#define BENCH_NR_ZONES   6
#define BENCH_NR_HEAPS   3
extern const struct bench_alloc bench_pools[BENCH_NR_POOLS], bench_drivers[BENCH_NR_DRIVERS],
	bench_zones[BENCH_NR_ZONES], bench_heaps[BENCH_NR_HEAPS];

/** The rows that others are compared with. */
#define BENCH_ROW_EMPTY    "empty"
#define BENCH_ROW_CACHED   "ring_mp_mc/256"
#define BENCH_ROW_UNCACHED "ring_mp_mc/0"

/** A pattern of use. */
struct bench_pattern {
	const char *name;
	const char *what;
	const char *unit;                        /**< of its figure: ns a ... */
	enum bench_loop loop[BENCH_MAX_THREADS]; /**< thread by thread */
	unsigned int min_threads, max_threads;
	unsigned int min_order, max_order;
	double fill;         /**< share of the capacity that is held all the time */
	unsigned long chunk; /**< pages between two looks at the clock */
	bool phased;         /**< the loop times its own parts; the figure is get + put */
	bool writes;
};

extern const struct bench_pattern bench_patterns[];
extern const unsigned int bench_nr_patterns;

struct bench_column {
	const struct bench_pattern *pattern;
	unsigned int threads;
	unsigned int order;
};

/** One round of one row. Ticks a page. */
struct bench_sample {
	double ticks;
	double get, put; /**< where the loop times them; else 0 */
	double wall;     /**< from the first thread's start, with all that is not the allocator */
	uint64_t pages;
	double lost;           /**< share of the CPU that others took from the measuring threads */
	double others;         /**< CPUs' worth of work of other processes meanwhile */
	unsigned int switches; /**< involuntary */
	uint64_t steal;        /**< ticks of USER_HZ that the hypervisor gave to others, all CPUs */
	bool clean;
};

/** What came of a row in a column. */
struct bench_result {
	const struct bench_alloc *alloc;
	const struct bench_column *column;
	char why[BENCH_WHY]; /**< skipped, if not empty */
	unsigned long capacity;
	unsigned int rounds;
	struct bench_sample round[BENCH_MAX_ROUNDS];
	uint64_t refused, expected, beyond, not_zero;
	uint64_t setup_refused;
	bool bounded;
	struct lab_hist get, put;
	uint64_t hist_ticks; /**< thread time of the second pass */
};

struct bench_figure {
	double median, min, max;
};

struct bench_env {
	const struct bench_options *opt;
	double ticks_a_ns;
	double clock_ticks; /**< of a pair of readings with nothing between */
	unsigned int lcore[BENCH_MAX_THREADS];
	unsigned int nr_lcores; /**< that can be used: 1 or 2 */
	void *arena;
	unsigned long touched; /**< frames of the arena that are */
	struct rte_ring *ring;
	unsigned long ready_kib; /**< of memory that the rows alive may still use */
	uint64_t kept;           /**< rows whose memory was kept, as bits of bench_allocs */
};

/** Cores, clock and arena. Problems are printed. @return 0 or a negative errno. */
int bench_env_init(struct bench_env *env, const struct bench_options *opt);

/** The machine and the run, what all rows have in common. New reference. */
json_t *bench_env_json(const struct bench_env *env, int argc, char **argv);

/** All rows of a column; results: one for each of bench_allocs. @return 0, or
 *  -EINTR if a signal came. */
int bench_column_run(
	struct bench_env *env, const struct bench_column *column, struct bench_result *results);

/** Median, least and greatest of what get() gives of the clean rounds, or of all if most are not. */
struct bench_figure bench_figure(
	const struct bench_result *r, double (*get)(const struct bench_sample *s));

/** A row as JSON; `empty` is the loop's own in the same column (may be NULL). New reference. */
json_t *bench_result_json(const struct bench_env *env, const struct bench_result *r,
	const struct bench_result *empty);

/* ----------------------------------------------------------------- threads */

struct bench_row {
	const struct bench_alloc *alloc;
	void *ctx;
	unsigned int nr_threads;
	struct bench_thread *thread[BENCH_MAX_THREADS];
	struct bench_result *result;
};

/** Bring a row's pages into the state that the pattern starts from. */
void bench_prepare(struct bench_env *env, const struct bench_column *column, struct bench_row *row);
/** Run for the time of the options. @param timed the second pass. */
struct bench_sample bench_round(struct bench_env *env, const struct bench_column *column,
	struct bench_row *row, bool timed);
/** Everything that the row's threads hold goes back. */
void bench_give_back(
	struct bench_env *env, const struct bench_column *column, struct bench_row *row);

/** Put the held pages into a random order. */
void bench_shuffle(struct bench_thread *t);

/* ------------------------------------------------------------------- clock */

/** Ordered against what stands before and after it. */
static inline uint64_t
bench_clock(void)
{
	uint64_t now;

	rte_rmb();
	now = rte_rdtsc();
	rte_rmb();
	return now;
}

static inline void
bench_why(char *why, const char *text)
{
	snprintf(why, BENCH_WHY, "%s", text);
}

#endif /* BENCH_H */
