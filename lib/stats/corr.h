/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef STATS_CORR_H
#define STATS_CORR_H

/* The parts of lab_corr(); each file does one numbered item of its documentation. */

#include "lab_base.h"
#include "lab_stats.h"

/* Values that differ by less are ties: sums in another order must not decide a p-value. */
#define STATS_TIE 1e-10

/* The largest input: sums and squares of it stay finite. */
#define STATS_BIG 1e150

/* ---- vec.c */

/** Sum of a[i] * b[i]. */
double stats_dot(const double *a, const double *b, size_t n);

/** out[j] = sum of a[i] * b[i + j] for j < 4: reads b[0] to b[n + 2]. */
void stats_dot4(const double *a, const double *b, size_t n, double out[4]);

/** Take the mean out and scale to length 1. @return false (and all 0) when x is constant. */
bool stats_normalise(double *x, size_t n);

/** True when all values are equal, or n = 0. */
bool stats_constant(const double *x, size_t n);
/** No NaN, nothing beyond STATS_BIG. */
bool stats_finite(const double *x, size_t n);

/** The q quantile (0..1) of sorted values, by linear interpolation; 0 for n = 0. */
double stats_quantile(const double *sorted, size_t n, double q);
void stats_sort(double *x, size_t n);

/* ---- ranks.c */

/**
 * The distinct values of a series, numbered in their order. With these the mid-ranks of any part or
 * resample are a count away, without another sort.
 */
struct stats_classes {
	uint32_t *id; /* n */
	uint32_t nr;
};

int stats_classes_make(const double *x, size_t n, struct stats_classes *c);
void stats_classes_free(struct stats_classes *c);

/** Scratch for stats_class_spearman(): as many as the classes of x and of y. */
struct stats_rank_scratch {
	double *x, *y;
};

/**
 * Spearman's coefficient of n pairs of class numbers.
 * @return false (and *r = 0) when one side is constant
 */
bool stats_class_spearman(const uint32_t *x, uint32_t nx, const uint32_t *y, uint32_t ny, size_t n,
	struct stats_rank_scratch *scratch, double *r);

/* ---- shift.c */

/** The circular shifts that a test looks at, by size: none within the guard of 0. */
struct stats_shifts {
	size_t guard;
	bool all;
	unsigned int nr;
	size_t *by;
};

int stats_shifts_plan(struct stats_shifts *s, size_t n, size_t guard, int lag_min, int lag_max,
	unsigned int most, uint64_t seed);
void stats_shifts_free(struct stats_shifts *s);

/** Result of a shift test; the arrays are optional. */
struct stats_shift_test {
	int lag;     /* where the unshifted statistic peaks */
	double peak; /* its value there */
	double p;
	double band_lo, band_hi, band_max;
};

/**
 * Max over the lags of the circular correlation of a (length 1) and b, against that under every
 * shift.
 * @param b2 b (length 1) on a circle: 2n + 4 values, b2[i] = b[i mod n]
 */
int stats_shift_test(const double *a, const double *b2, size_t n, int lag_min, int lag_max,
	double alpha, const struct stats_shifts *s, struct stats_shift_test *out);

/** The truncated time shift test on the ranks. Sets p_truncated and what goes with it. */
int stats_truncated_test(const double *rx, const double *ry, size_t n, int lag_min, int lag_max,
	unsigned int most, struct lab_corr_result *out);

/* ---- boot.c */

/** A stationary bootstrap's indices: blocks of geometric length on a circle of n. */
struct stats_boot {
	struct lab_rng rng;
	size_t n, at, left;
	double scale; /* of the geometric length; 0: all blocks are one long */
};

void stats_boot_init(struct stats_boot *b, size_t n, double mean_block, uint64_t seed);

/** The next index of a resample. */
static inline size_t
stats_boot_next(struct stats_boot *b)
{
	if (b->left == 0) {
		double len = b->scale != 0 ? log1p(-lab_rng_double(&b->rng)) * b->scale : 0;

		b->at = (size_t)lab_rng_below(&b->rng, b->n);
		b->left = 1 + (len < (double)b->n ? (size_t)len : b->n);
	}
	b->left--;
	if (++b->at >= b->n)
		b->at = 0;
	return b->at;
}

/** Start a new resample: its first index begins a block. */
static inline void
stats_boot_restart(struct stats_boot *b)
{
	b->left = 0;
}

/** Interval of the Spearman coefficient at out->lag. Sets ci_*, mean_block, resamples. */
int stats_corr_interval(const struct stats_classes *x, const struct stats_classes *y, size_t n,
	const struct lab_corr_opts *o, struct lab_corr_result *out);

/* ---- bursts.c */

/** The burst that begins at or after `from`. @return false when there is none */
bool stats_burst_next(
	const double *x, size_t n, double above, size_t gap, size_t from, struct lab_burst *b);

void stats_bursts_summary(
	const double *x, size_t n, double above, size_t gap, unsigned int *count, double *mean_len);

/* ---- event.c */

int stats_corr_events(const double *x, const double *y, size_t n, const struct stats_shifts *s,
	struct lab_corr_result *out);

/* ---- partial.c */

/** Take what z, 0 to delays bins late, explains by least squares out of rx and ry. */
int stats_partial(double *rx, double *ry, const double *z, size_t n, unsigned int delays);

/* ---- load.c */

int stats_corr_strata(const double *x, const double *y, const double *z, const double *rz, size_t n,
	unsigned int strata, struct lab_corr_result *out);

#endif /* STATS_CORR_H */
