/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_STATS_H
#define LAB_STATS_H

/**
 * @file lab_stats.h
 * Series, the packet ledger, a latency histogram, and correlation that is not an artefact.
 *
 * Plain C11 and libm: no DPDK, no JSON, no file. Producers register what they count; this module
 * knows no counter by name. Nothing here keeps global state but the table of drop causes, which
 * is filled by constructors and only ever grows.
 *
 * Errors. Functions return 0 (or a count) or a negative errno. No NaN or infinity ever comes out:
 * where a figure does not exist (a constant series, no drops) a flag or the verdict says so and the
 * figure is 0. A NaN, an infinity or a value beyond 1e150 in an input is -EINVAL.
 *
 * Everything random takes its seed from the caller and gives the same figures for the same seed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------- series */

/** Bytes of a series' name, its end included. */
#define LAB_SERIES_NAME_LEN 48

/** What the number that read() returns means. */
enum lab_series_kind {
	LAB_SERIES_COUNTER, /**< read() returns a running total; its increase per interval is stored
			     */
	LAB_SERIES_GAUGE,   /**< read() returns a level; it is stored as it is */
};

/** What a producer registers. The strings are copied; arg must live until the set is destroyed. */
struct lab_series_def {
	const char *name;          /**< unique in the set, e.g. "wire0.drops"; shorter than
			     LAB_SERIES_NAME_LEN */
	const char *unit;          /**< of one value: "packets", "pages", "requests" ... */
	enum lab_series_kind kind; /**< counter or gauge */
	uint64_t (*read)(
		void *arg); /**< called by the sampler's thread: no lock, no syscall, no wait */
	void *arg;          /**< for read() */
};

/**
 * Named series with a value per interval, in memory taken at creation. A ring: when it is full the
 * oldest sample of every series makes room, so the newest are always there, and
 * lab_series_lost() tells how many have gone.
 *
 * One thread adds and samples. Any other thread may read at the same time, without a lock.
 */
struct lab_series_set;

/**
 * Make an empty set.
 * @param set         out
 * @param interval_ns the time between samples, more than 0; the caller keeps the time
 * @param capacity    samples to keep, 1 to 2^26
 * @param max_series  most series, 1 to 1024
 * @return 0, -EINVAL, -ENOMEM. The set is the caller's, for lab_series_set_destroy().
 */
int lab_series_set_create(struct lab_series_set **set, uint64_t interval_ns, size_t capacity,
	unsigned int max_series);
/** Free it; nobody samples or reads. NULL is accepted. */
void lab_series_set_destroy(struct lab_series_set *set);

/**
 * Register a series, before lab_series_start().
 * @return its index (0, 1, ...), -EEXIST for a name in use, -ENOSPC when full, -EBUSY after the
 *         start, -EINVAL for a missing or too long name or no read()
 */
int lab_series_add(struct lab_series_set *set, const struct lab_series_def *def);

/** A series of a number in memory, which its producer keeps up to date before each sample. */
struct lab_series_value {
	const char *name, *unit;   /**< as in struct lab_series_def */
	enum lab_series_kind kind; /**< likewise */
	uint64_t *value;           /**< must live until the set is destroyed */
};

/**
 * Register n such series, in their order.
 * @return 0, or as lab_series_add() for the first that is refused; those before it are registered
 */
int lab_series_add_values(
	struct lab_series_set *set, const struct lab_series_value *list, size_t n);

/** Forget all samples and take the counters' base at now_ns; from here on each call samples. */
void lab_series_start(struct lab_series_set *set, uint64_t now_ns);

/**
 * Read every series and store one sample. The sampler's thread only; no allocation, lock or
 * syscall. A counter that went back (someone cleared it) counts as having restarted from 0.
 * @return 0, or -EINVAL before lab_series_start()
 */
int lab_series_sample(struct lab_series_set *set, uint64_t now_ns);

/** How many series are registered. */
unsigned int lab_series_count(const struct lab_series_set *set);
/** Name of series i, NULL past the last. The set's own, as is the unit. */
const char *lab_series_name(const struct lab_series_set *set, unsigned int i);
/** Unit of series i, NULL past the last. */
const char *lab_series_unit(const struct lab_series_set *set, unsigned int i);
/** Kind of series i; LAB_SERIES_COUNTER past the last. */
enum lab_series_kind lab_series_kind_of(const struct lab_series_set *set, unsigned int i);
/** The time between samples in ns, as given at creation. */
uint64_t lab_series_interval(const struct lab_series_set *set);
/** The time given to lab_series_start(); 0 before it. */
uint64_t lab_series_start_ns(const struct lab_series_set *set);
/** Index of a name, or -ENOENT. */
int lab_series_find(const struct lab_series_set *set, const char *name);
/** Samples that can be read now. */
size_t lab_series_length(const struct lab_series_set *set);
/** Samples that the ring has dropped since the start. */
uint64_t lab_series_lost(const struct lab_series_set *set);

/**
 * Copy the newest n samples of a series (fewer if there are fewer), oldest first. Copies of several
 * series made while the sampler runs may end at different samples: use lab_series_read() then.
 * @return how many were copied, -ENOENT for an unknown name
 */
long lab_series_get(const struct lab_series_set *set, const char *name, double *out, size_t n);

/** Range of samples: number first (counted from the start, 0 = the first ever) and how many. */
struct lab_series_window {
	uint64_t first; /**< number of the oldest sample */
	size_t n;       /**< samples */
};

/** What can be read now. Series read for one window line up sample by sample. */
struct lab_series_window lab_series_window_get(const struct lab_series_set *set);

/**
 * Copy the samples of one window of series i.
 * @return 0, -EINVAL for a bad index, -ERANGE when part of it is not there (any more)
 */
int lab_series_read(
	const struct lab_series_set *set, unsigned int i, struct lab_series_window w, double *out);

/** Times (ns) of the samples of a window, as given to lab_series_sample(). As lab_series_read(). */
int lab_series_times(const struct lab_series_set *set, struct lab_series_window w, uint64_t *out);

/* ------------------------------------------------------------------------- ledger */

#define LAB_LEDGER_MAX_CAUSES 32 /**< drop causes of a process, a power of two */
#define LAB_LEDGER_MAX_PORTS  64 /**< ports of a ledger */
#define LAB_LEDGER_NAME_LEN   32 /**< bytes of a name of either, its end included */

/**
 * Register a drop cause by name; the same name gives the same id. Not for the hot path.
 * @return 0 to LAB_LEDGER_MAX_CAUSES - 1, -ENOSPC when the table is full, -EINVAL for an empty or
 *         too long name (32 with its end)
 */
int lab_drop_cause(const char *name);
/** Name of a cause, NULL for an id that nobody registered. */
const char *lab_drop_cause_name(unsigned int id);
/** How many causes are registered: ids run from 0 to this - 1, in the order of registration. */
unsigned int lab_drop_cause_count(void);

/**
 * One line where a drop happens, at file scope:
 *     LAB_DROP_CAUSE(drop_bare_watermark, "rx_bare_watermark");
 * and then
 *     lab_ledger_drop(port, drop_bare_watermark, 1);
 * A 33rd cause ends the program before main(), with a message.
 */
#define LAB_DROP_CAUSE(var, name)                                                                  \
	static unsigned int var;                                                                   \
	__attribute__((constructor)) static void var##_register(void)                              \
	{                                                                                          \
		var = lab_drop_cause_or_die(name);                                                 \
	}                                                                                          \
	struct lab_drop_cause_semicolon
/** lab_drop_cause() for LAB_DROP_CAUSE(): aborts with a message where that fails. */
unsigned int lab_drop_cause_or_die(const char *name);

/**
 * Where the packets of one port went. One writer; any thread may read meanwhile (each figure is
 * whole, but they are of slightly different moments: a ledger closes exactly when its writer is at
 * rest).
 */
struct lab_ledger_port {
	char name[LAB_LEDGER_NAME_LEN];        /**< unique in its ledger */
	uint64_t offered;                      /**< packets */
	uint64_t delivered;                    /**< packets */
	uint64_t in_flight;                    /**< packets inside now: a level, not a total */
	uint64_t drops[LAB_LEDGER_MAX_CAUSES]; /**< packets, by cause id */
};

/** Where the packets of all ports went. Plain data, set up by lab_ledger_init(). */
struct lab_ledger {
	unsigned int nr_ports;                             /**< of port[] */
	struct lab_ledger_port port[LAB_LEDGER_MAX_PORTS]; /**< in the order of adding */
};

/** Add n to one figure. Its one writer; any thread may read meanwhile. Hot path. */
static inline void
lab_ledger_add(uint64_t *figure, uint64_t n)
{
	__atomic_store_n(figure, *figure + n, __ATOMIC_RELAXED);
}

/** n packets were offered to the port. The port's writer. */
static inline void
lab_ledger_offer(struct lab_ledger_port *p, uint64_t n)
{
	lab_ledger_add(&p->offered, n);
}

/** n packets were delivered. The port's writer. */
static inline void
lab_ledger_deliver(struct lab_ledger_port *p, uint64_t n)
{
	lab_ledger_add(&p->delivered, n);
}

/** n packets were lost for a cause of lab_drop_cause(). The port's writer. */
static inline void
lab_ledger_drop(struct lab_ledger_port *p, unsigned int cause, uint64_t n)
{
	lab_ledger_add(&p->drops[cause & (LAB_LEDGER_MAX_CAUSES - 1)], n);
}

/** n packets are inside now. The port's writer. */
static inline void
lab_ledger_set_in_flight(struct lab_ledger_port *p, uint64_t n)
{
	__atomic_store_n(&p->in_flight, n, __ATOMIC_RELAXED);
}

/** No ports. */
void lab_ledger_init(struct lab_ledger *ledger);
/** Add an empty port. @return its index, -ENOSPC, -EINVAL (empty or too long name), -EEXIST. */
int lab_ledger_port_add(struct lab_ledger *ledger, const char *name);
/** Zero the figures of every port; the ports stay. */
void lab_ledger_clear(struct lab_ledger *ledger);

/** Add src's figures to dst (per-queue or per-lcore parts into a port). @return 0, -EOVERFLOW (dst
 * is unchanged). */
int lab_ledger_port_merge(struct lab_ledger_port *dst, const struct lab_ledger_port *src);
/** dst = after - before, e.g. for one arm; in_flight is after's. @return 0, -ERANGE if a total
 * fell. */
int lab_ledger_port_diff(struct lab_ledger_port *dst, const struct lab_ledger_port *after,
	const struct lab_ledger_port *before);

/** Sum of all drops of a port, saturating at UINT64_MAX. */
uint64_t lab_ledger_drops(const struct lab_ledger_port *p);
/** offered - delivered - drops - in_flight, exact; saturates at the ends of int64_t. */
int64_t lab_ledger_unexplained(const struct lab_ledger_port *p);
/** Sum of all ports into total, named "total". @return 0, -EOVERFLOW. */
int lab_ledger_total(const struct lab_ledger *ledger, struct lab_ledger_port *total);

/**
 * Does every port close, and the total? On failure why (may be NULL) gets one line that names the
 * port and the figures.
 * @return 0, -EUCLEAN when something is unexplained, -EOVERFLOW
 */
int lab_ledger_check(const struct lab_ledger *ledger, char *why, size_t len);

/* ---------------------------------------------------------------------- histogram */

/** Binary logarithm of the buckets for each power of two. */
#define LAB_HIST_BITS 5
/** Buckets that hold every value of 64 bits. */
#define LAB_HIST_BUCKETS ((64 - LAB_HIST_BITS + 1) << LAB_HIST_BITS)

/**
 * Log-linear histogram: 32 buckets for each power of two, so that a value is known to 1/32 (3.2%),
 * and exactly below 64. Any unit. 15 kB; all zero bytes is a valid empty one. One writer.
 */
struct lab_hist {
	uint64_t count;   /**< values */
	uint64_t sum;     /**< of them; saturates */
	uint64_t max;     /**< the largest */
	uint64_t min_inv; /**< ~min, so that zeroed memory is empty; see lab_hist_min() */
	uint64_t bucket[LAB_HIST_BUCKETS]; /**< values in each, by lab_hist_index() */
};

/** The bucket of a value. */
static inline unsigned int
lab_hist_index(uint64_t v)
{
	unsigned int shift;

	if (v < (2U << LAB_HIST_BITS))
		return (unsigned int)v;
	shift = 63U - (unsigned int)__builtin_clzll(v) - LAB_HIST_BITS;
	return (shift << LAB_HIST_BITS) + (unsigned int)(v >> shift);
}

/** Count n values v. Hot path: no branch on the data but for the extremes. */
static inline void
lab_hist_record_n(struct lab_hist *h, uint64_t v, uint64_t n)
{
	uint64_t add;

	if (n == 0)
		return;
	if (__builtin_mul_overflow(v, n, &add) || __builtin_add_overflow(h->sum, add, &h->sum))
		h->sum = UINT64_MAX;
	h->count += n;
	h->bucket[lab_hist_index(v)] += n;
	if (v > h->max)
		h->max = v;
	if (~v > h->min_inv)
		h->min_inv = ~v;
}

/** Count one value. */
static inline void
lab_hist_record(struct lab_hist *h, uint64_t v)
{
	lab_hist_record_n(h, v, 1);
}

/** Empty it. Its writer. */
void lab_hist_reset(struct lab_hist *h);
/** Add the values of src to dst. Exact; src at rest. */
void lab_hist_merge(struct lab_hist *dst, const struct lab_hist *src);
/** Smallest value; 0 when empty. */
uint64_t lab_hist_min(const struct lab_hist *h);
/** Mean value; 0 when empty. */
double lab_hist_mean(const struct lab_hist *h);
/**
 * Smallest v such that at least percent % of the values are <= v, to a bucket's width: the highest
 * value of the bucket, at most the recorded maximum. percent is clamped to [0, 100]; 0 when empty.
 */
uint64_t lab_hist_percentile(const struct lab_hist *h, double percent);

/* ------------------------------------------------------------------------- bursts */

/** A run of active bins; bins between two active ones count as inside when they are fewer than the
 * gap. */
struct lab_burst {
	size_t start; /**< first active bin */
	size_t len;   /**< bins to the last active one, both included */
	double sum;   /**< of the series over the burst */
};

/**
 * Bursts of a series: a bin is active when x > above, and a burst ends where at least gap
 * inactive bins follow. Fills at most max of out (may be NULL).
 * @return how many there are (may be more than max), -EINVAL for gap = 0 or a NaN or infinity
 */
long lab_bursts(
	const double *x, size_t n, double above, size_t gap, struct lab_burst *out, size_t max);

/** The level above which a bin is active by default: the mean of the series (0 when n = 0). */
double lab_bursts_level(const double *x, size_t n);

/* -------------------------------------------------------------------- correlation */

#define LAB_CORR_MAX_LAGS   64 /**< lags that can be declared */
#define LAB_CORR_MAX_STRATA 8  /**< strata of the load */
/** Fewer bursts than this, and there is no verdict. */
#define LAB_CORR_MIN_BURSTS 20

/** What the figures of a correlation allow to say. */
enum lab_corr_verdict {
	LAB_CORR_NO_DATA,        /**< too few samples for the lags and shifts */
	LAB_CORR_NO_FAILURES,    /**< the failure series never changes */
	LAB_CORR_NO_DROPS,       /**< the drop series never changes */
	LAB_CORR_TOO_FEW_BURSTS, /**< figures are given, but mean little */
	LAB_CORR_NO_LINK,        /**< p > alpha: not shown; this is no proof of independence */
	LAB_CORR_LINK_BY_LOAD,   /**< p <= alpha, but not once the load is accounted for */
	LAB_CORR_LINK, /**< p <= alpha, also with the load accounted for (where it is given) */
};

/** "no_data", "no_failures", "no_drops", "too_few_bursts", "no_link", "link_by_load", "link". */
const char *lab_corr_verdict_name(enum lab_corr_verdict v);
/** One sentence in plain words, for people. */
const char *lab_corr_verdict_text(enum lab_corr_verdict v);

/** How to look. Start from lab_corr_opts_default(). */
struct lab_corr_opts {
	uint64_t seed; /**< of sampled shifts and of the bootstrap */
	int lag_min;   /**< first lag in bins, declared in advance; may be negative */
	int lag_max;   /**< last one; failures lead drops by the lag. At most LAB_CORR_MAX_LAGS */
	double alpha;  /**< level of the verdict, of 1 - alpha intervals and bands; (0, 0.5) */
	size_t tau;    /**< event window in bins: a drop 0 to tau bins after a failure */
	size_t burst_gap;       /**< inactive bins that part two bursts, at least 1 */
	double active_above;    /**< a bin with more is active; negative: the mean of each series */
	unsigned int shifts;    /**< most circular shifts to try when n is large (see lab_corr()) */
	unsigned int resamples; /**< of the bootstrap; 0: no interval */
	double mean_block;   /**< of the bootstrap, bins; 0: twice the bursts' length. Never below a
			      * burst
			      */
	unsigned int strata; /**< of the load, 2 to LAB_CORR_MAX_STRATA; 0: none */
	unsigned int min_bursts; /**< for a verdict: LAB_CORR_MIN_BURSTS, lower only in tests */
};

/** seed 1, lags 0..10, alpha 0.05, tau 10, gap 5, 999 shifts, 999 resamples, 4 strata. */
struct lab_corr_opts lab_corr_opts_default(void);

/** One stratum of the load: bins with lo <= load <= hi. */
struct lab_corr_stratum {
	double lo;       /**< least load */
	double hi;       /**< greatest load */
	size_t n;        /**< bins */
	bool valid;      /**< false: too small, or one of the series is constant in it */
	double spearman; /**< at the chosen lag, ranked within the stratum */
};

/** Event measure against what shifted series give. */
struct lab_corr_event {
	double value;    /**< 0..1 */
	double baseline; /**< its mean over the circular shifts */
	double p;        /**< share of the shifts with at least the value, (1 + k) / (1 + shifts) */
};

/** What lab_corr() found. */
struct lab_corr_result {
	enum lab_corr_verdict verdict; /**< what may be said */
	uint64_t seed;                 /**< of the options */
	size_t n;                      /**< samples */
	double interval_ms;            /**< width of a bin */
	double alpha;                  /**< of the options */

	/* 1: over the lags declared in advance */
	unsigned int nr_lags;               /**< lags looked at */
	int lag_min;                        /**< the first of them, bins */
	double spearman[LAB_CORR_MAX_LAGS]; /**< [i] at lag lag_min + i, ranks with mid-ranks for
					       ties */
	double pearson[LAB_CORR_MAX_LAGS];  /**< [i] at lag lag_min + i */
	int lag; /**< the chosen one, bins: where the tested (circular, rank) correlation peaks */
	double lag_ms;              /**< the same in ms */
	double coefficient;         /**< Spearman at lag */
	double coefficient_pearson; /**< Pearson at the same lag */

	/* 2: tests that keep each series' own rhythm; one-sided, a failure leads to more drops */
	double p;               /**< max over lags under circular shifts; the verdict's */
	double p_pearson;       /**< the same with Pearson as the statistic */
	double p_truncated;     /**< truncated time shift, max over lags (a bound, conservative) */
	unsigned int nr_shifts; /**< circular shifts tried */
	bool all_shifts;        /**< every valid one, not a sample */
	size_t shift_guard;     /**< shifts from -guard to +guard are left out */
	unsigned int truncated_radius; /**< shifts -r..r of the truncated test, in steps of ... */
	unsigned int truncated_step;   /**< ... so many bins */
	double band_lo;                /**< alpha/2 quantile of one lag's value when shifted */
	double band_hi;                /**< its 1 - alpha/2 quantile */
	double band_max;               /**< 1 - alpha quantile of the max over lags when shifted */

	/* 3: stationary block bootstrap, percentile interval of the Spearman coefficient at lag */
	bool ci_valid;          /**< there is an interval */
	double ci_lo;           /**< its lower end */
	double ci_hi;           /**< its upper end */
	double mean_block;      /**< bins */
	unsigned int resamples; /**< done */

	/* 4: events; a bin has a failure (a drop) when its value is above 0 */
	size_t tau;            /**< event window, bins */
	double tau_ms;         /**< the same in ms */
	uint64_t failure_bins; /**< bins with a failure */
	uint64_t drop_bins;    /**< bins with a drop */
	struct lab_corr_event
		drop_after_failure;           /**< P(a drop within tau | a bin with a failure) */
	struct lab_corr_event drops_preceded; /**< share of drops within tau after a failure */

	/* 5 */
	unsigned int bursts;          /**< the smaller of the next two */
	unsigned int bursts_failures; /**< of failures */
	unsigned int bursts_drops;    /**< of drops */
	double burst_len_failures;    /**< their mean length, bins */
	double burst_len_drops;       /**< mean, bins */
	size_t burst_gap;             /**< inactive bins that part two */
	double active_above_failures; /**< a bin with more failures is active */
	double active_above_drops;    /**< a bin with more drops is active */

	/* 6: the load as confounder */
	bool load_valid;  /**< a load was given and is not constant */
	double partial;   /**< rank correlation at partial_lag with the load's part taken out */
	int partial_lag;  /**< where that peaks, bins */
	double p_partial; /**< its max over lags under circular shifts */
	unsigned int nr_strata;                               /**< of stratum[] */
	struct lab_corr_stratum stratum[LAB_CORR_MAX_STRATA]; /**< by rising load */
	bool stratified_valid;                                /**< at least one stratum is valid */
	double stratified; /**< mean of the valid strata, weighted by their n */
};

/**
 * Do failures and drops go together, by reference of shifted copies of themselves?
 *
 * 1. Spearman and Pearson at each lag over the n - |lag| pairs (x[i], y[i + lag]).
 * 2. Circular shifts: the series are ranked, and the statistic is the max over the lags of the
 *    circular rank correlation. It is compared with the same under every shift outside of
 *    +-shift_guard (the lags' reach plus a burst), or under a seeded sample of opts->shifts of them
 * when n^2 dot products would be too many; p = (1 + k) / (1 + shifts). The truncated time shift
 * test (Yuan and Shou, PLOS Biology 2024) keeps a window of x and shifts y by -r..r: with B of the
 * 2r + 1 values at least the unshifted one, p = B / (r + 1) is a bound whenever one of the series
 * is stationary.
 * 3. Stationary bootstrap of the pairs at the chosen lag (Politis and Romano, JASA 1994). The lag
 * was chosen from the same data: the interval is for that lag and does not include the choice.
 * 4. Event measures against the same shifts.
 * 5. Bursts of both series; under min_bursts of either there is no verdict.
 * 6. What the load explains, at delays 0 to the longest lag (at most 15), is taken out of the ranks
 * of both series by least squares, as a level and a slope for each of up to 6 classes of load; the
 * shift test is done on what remains. Strata are quantiles of the load. A confounder that was not
 * measured cannot be taken out.
 *
 * Correlation is no cause: lab_intervention() is the evidence for that.
 *
 * @param x failures per bin, n of them
 * @param y drops per bin, n of them
 * @param z load per bin, n of them, or NULL
 * @param n bins
 * @param interval_ns width of a bin
 * @param opts how to look; not NULL
 * @param out what was found
 * @return 0 (the verdict tells the rest), -EINVAL (options out of range, a NaN or infinity in the
 * input), -ENOMEM. It takes about 10 n doubles for its work, and with a
 *         load 12 (lags + 1) n more. Any thread; not for the hot path.
 */
int lab_corr(const double *x, const double *y, const double *z, size_t n, uint64_t interval_ns,
	const struct lab_corr_opts *opts, struct lab_corr_result *out);

/** lab_corr() over the whole window of three named series; load may be NULL. Also -ENOENT. */
int lab_corr_series(const struct lab_series_set *set, const char *failures, const char *drops,
	const char *load, const struct lab_corr_opts *opts, struct lab_corr_result *out);

/** Mid-ranks 1..n of x, ties averaged. @return 0, -ENOMEM, -EINVAL (NaN or infinity). */
int lab_ranks(const double *x, size_t n, double *rank);
/** Pearson's coefficient. @return 0, -EDOM when a series is constant or n < 2 (*r = 0). */
int lab_pearson(const double *x, const double *y, size_t n, double *r);
/** Spearman's coefficient with mid-ranks. @return as lab_pearson(), -ENOMEM, -EINVAL. */
int lab_spearman(const double *x, const double *y, size_t n, double *r);

/* ------------------------------------------------------------------- intervention */

/** What an intervention did. */
enum lab_effect_verdict {
	LAB_EFFECT_NO_DATA, /**< nothing was dropped in either arm, or n < 2 */
	LAB_EFFECT_TOO_FEW, /**< fewer than LAB_CORR_MIN_BURSTS stretches of drops: no verdict */
	LAB_EFFECT_NONE,    /**< the interval holds 0 */
	LAB_EFFECT_FEWER,   /**< the treated arm drops fewer */
	LAB_EFFECT_MORE,    /**< the treated arm drops more */
};

/** "no_data", "too_few", "no_effect", "fewer_drops", "more_drops". */
const char *lab_effect_verdict_name(enum lab_effect_verdict v);

/** How lab_intervention() looks. Start from lab_intervention_opts_default(). */
struct lab_intervention_opts {
	uint64_t seed;          /**< of the bootstrap */
	double alpha;           /**< of the 1 - alpha interval */
	unsigned int resamples; /**< at least 99 */
	double mean_block; /**< in units; 0: twice the mean length of the bursts of drops. 1 for bursts */
};

/** seed 1, alpha 0.05, 1999 resamples, block from the bursts. */
struct lab_intervention_opts lab_intervention_opts_default(void);

/** What lab_intervention() found. */
struct lab_intervention_result {
	enum lab_effect_verdict verdict; /**< what may be said */
	size_t n;                        /**< pairs */
	size_t units; /**< separate stretches of drops; a long one counts once for each block in it */
	double control;     /**< drops in the control arm, in all */
	double treated;     /**< drops in the treated arm, in all */
	double effect;      /**< treated - control, packets; below 0: the treatment saves packets */
	double ci_lo;       /**< lower end of the effect's interval */
	double ci_hi;       /**< its upper end */
	double relative;    /**< effect / control; 0 when control is 0 */
	double relative_lo; /**< lower end of its interval */
	double relative_hi; /**< its upper end */
	double alpha;       /**< of the options */
	double mean_block;  /**< of the bootstrap, units */
	unsigned int resamples; /**< done */
	uint64_t seed;          /**< of the options */
};

/**
 * Effect of one change (reserve on, pool aged, injection on) between two arms that met the same
 * traffic, by the same seed: unit i of both arms is the same interval (or the same burst of the
 * offered load), so the difference of the pair is what the change did there. The interval is a
 * stationary block bootstrap of the pairs; it speaks about other traffic of the same kind. On this
 * traffic the effect is exact.
 * @return 0, -EINVAL (options, NaN or infinity), -ENOMEM
 */
int lab_intervention(const double *control, const double *treated, size_t n,
	const struct lab_intervention_opts *opts, struct lab_intervention_result *out);

/* ------------------------------------------------------------------------ a median */

/** How lab_median() looks. */
struct lab_median_opts {
	uint64_t seed;          /**< of the bootstrap */
	double alpha;           /**< of the 1 - alpha interval; (0, 0.5) */
	unsigned int resamples; /**< at least 99 */
};

/** What lab_median() found, in the values' unit. */
struct lab_median_result {
	double median, lower_quartile, upper_quartile;
	double ci_lo, ci_hi; /**< ends of the median's interval */
};

/**
 * The median of measurements taken one after the other, and its percentile interval by a stationary bootstrap (Politis
 * and Romano, JASA 1994) whose blocks have a mean length of the cube root of n: neighbours may resemble each other a
 * little. Under some 20 values the interval is too narrow.
 * @param x n of them, in the order of time
 * @return 0, -EINVAL (n = 0, options, NaN or infinity), -ENOMEM
 */
int lab_median(const double *x, size_t n, const struct lab_median_opts *opts,
	struct lab_median_result *out);

#ifdef __cplusplus
}
#endif

#endif /* LAB_STATS_H */
