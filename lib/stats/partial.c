/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

/* Classes of the load that are told apart at each delay, and the fewest samples in one. */
#define LOAD_CLASSES 6
#define CLASS_MIN    20
/* Samples for each column to be fitted, or there are fewer classes. */
#define COLUMN_SAMPLES 16

static void
take_out(double *x, const double *q, size_t n)
{
	double part = stats_dot(x, q, n);

	for (size_t i = 0; i < n; i++)
		x[i] -= part * q[i];
}

/* Classes of the load: leaf c holds the sorted values [from, to). */
struct leaf {
	size_t from, to, cut; /* cut: where it would best be parted */
	double gain;          /* by how much that lowers the sum of squares */
};

struct load {
	const double *v; /* n: square roots, which give a count the same scatter everywhere */
	double *sum;     /* n + 1: running sums of the sorted values */
	struct leaf leaf[LOAD_CLASSES];
	unsigned int classes;
};

static void
leaf_best_cut(struct leaf *l, const double *sorted, const double *sum)
{
	double len = (double)(l->to - l->from), all = sum[l->to] - sum[l->from];

	l->gain = 0;
	for (size_t i = l->from + CLASS_MIN; i + CLASS_MIN <= l->to; i++) {
		double left = sum[i] - sum[l->from], right = all - left;
		double n = (double)(i - l->from), gain;

		if (sorted[i] == sorted[i - 1]) /* equal loads are never parted */
			continue;
		gain = left * left / n + right * right / (len - n) - all * all / len;
		if (gain > l->gain) {
			l->gain = gain;
			l->cut = i;
		}
	}
}

/* Part the class that gains most, again and again: the first cut of on/off traffic is between the
 * two. */
static void
load_classes(struct load *load, const double *sorted, size_t n, size_t most)
{
	load->sum[0] = 0;
	for (size_t i = 0; i < n; i++)
		load->sum[i + 1] = load->sum[i] + sorted[i];
	load->leaf[0] = (struct leaf){.from = 0, .to = n};
	leaf_best_cut(&load->leaf[0], sorted, load->sum);
	for (load->classes = 1; load->classes < LOAD_CLASSES && load->classes < most;
		load->classes++) {
		struct leaf *best = &load->leaf[0], *new = &load->leaf[load->classes];

		for (unsigned int c = 1; c < load->classes; c++)
			best = load->leaf[c].gain > best->gain ? &load->leaf[c] : best;
		if (!(best->gain > 0))
			break;
		*new = (struct leaf){.from = best->cut, .to = best->to};
		best->to = best->cut;
		leaf_best_cut(best, sorted, load->sum);
		leaf_best_cut(new, sorted, load->sum);
	}
}

/*
 * What the load may do is not linear: with on/off traffic it is nearly a step. So each delay has
 * two columns for each class of the load, a level and a slope.
 */
static void
load_fill(double *q, const struct load *load, size_t n, unsigned int delay, unsigned int column,
	const double *sorted)
{
	const struct leaf *l = &load->leaf[column / 2];
	double lo = sorted[l->from], hi = sorted[l->to - 1];
	double mean = (load->sum[l->to] - load->sum[l->from]) / (double)(l->to - l->from);

	for (size_t i = 0; i < n; i++) {
		double v = load->v[(i + n - delay) % n];

		if (v < lo || v > hi)
			q[i] = 0;
		else
			q[i] = column % 2 ? v - mean : 1;
	}
}

/* Scale a column, less the part that the columns before it hold. @return false when nothing
 * remains. */
static bool
load_column(double *q, size_t n, const double *columns, unsigned int count)
{
	double norm;

	if (!stats_normalise(q, n))
		return false;
	/* Twice: one pass of Gram and Schmidt leaves rounding behind where columns are nearly
	 * alike. */
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int c = 0; c < count; c++)
			take_out(q, columns + c * n, n);
	}
	norm = sqrt(stats_dot(q, q, n));
	if (norm < 1e-6)
		return false;
	for (size_t i = 0; i < n; i++)
		q[i] /= norm;
	return true;
}

/* What the load explains wholly leaves rounding, not a series. */
static void
zero_if_gone(double *x, size_t n)
{
	if (stats_dot(x, x, n) < 1e-10)
		memset(x, 0, n * sizeof(*x));
}

int
stats_partial(double *rx, double *ry, const double *z, size_t n, unsigned int delays)
{
	unsigned int columns_each, most = (delays + 1) * 2 * LOAD_CLASSES, count = 0;
	double *columns = malloc(((size_t)most + 3) * n * sizeof(*columns) + sizeof(double));
	double *v, *sorted;
	struct load load;
	size_t per_class = (size_t)(delays + 1) * 2 * COLUMN_SAMPLES;

	if (!columns)
		return -ENOMEM;
	v = columns + (size_t)most * n;
	sorted = v + n;
	load.v = v;
	load.sum = sorted + n;
	for (size_t i = 0; i < n; i++)
		v[i] = sorted[i] = copysign(sqrt(fabs(z[i])), z[i]);
	stats_sort(sorted, n);
	load_classes(&load, sorted, n, n / per_class);
	columns_each = 2 * load.classes;
	for (unsigned int j = 0; j < (delays + 1) * columns_each; j++) {
		double *q = columns + (size_t)count * n;

		load_fill(q, &load, n, j / columns_each, j % columns_each, sorted);
		if (!load_column(q, n, columns, count))
			continue;
		take_out(rx, q, n);
		take_out(ry, q, n);
		count++;
	}
	zero_if_gone(rx, n);
	zero_if_gone(ry, n);
	free(columns);
	return 0;
}
