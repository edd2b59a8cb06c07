/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

struct keyed {
	double value;
	uint32_t at;
};

static int
by_value(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

int
stats_classes_make(const double *x, size_t n, struct stats_classes *c)
{
	struct keyed *k = malloc((n ? n : 1) * sizeof(*k));

	c->nr = 0;
	c->id = malloc((n ? n : 1) * sizeof(*c->id));
	if (!k || !c->id) {
		free(k);
		stats_classes_free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		k[i] = (struct keyed){.value = x[i], .at = (uint32_t)i};
	qsort(k, n, sizeof(*k), by_value);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || k[i].value != k[i - 1].value)
			c->nr++;
		c->id[k[i].at] = c->nr - 1;
	}
	free(k);
	return 0;
}

void
stats_classes_free(struct stats_classes *c)
{
	free(c->id);
	c->id = NULL;
}

/* Mid-rank (from 1) of each class among n class numbers; a class that is not there gets a stale
 * one. */
static void
class_ranks(const uint32_t *id, size_t n, uint32_t nr, double *rank)
{
	double below = 0;

	memset(rank, 0, nr * sizeof(*rank));
	for (size_t i = 0; i < n; i++)
		rank[id[i]]++;
	for (uint32_t c = 0; c < nr; c++) {
		double count = rank[c];

		rank[c] = below + (count + 1) / 2;
		below += count;
	}
}

bool
stats_class_spearman(const uint32_t *x, uint32_t nx, const uint32_t *y, uint32_t ny, size_t n,
	struct stats_rank_scratch *scratch, double *r)
{
	double mean = ((double)n + 1) / 2, xx = 0, yy = 0, xy = 0;

	*r = 0;
	class_ranks(x, n, nx, scratch->x);
	class_ranks(y, n, ny, scratch->y);
	for (size_t i = 0; i < n; i++) {
		double a = scratch->x[x[i]] - mean, b = scratch->y[y[i]] - mean;

		xx += a * a;
		yy += b * b;
		xy += a * b;
	}
	/* Ranks are halves of integers, so a spread that is there is at least of that size. */
	if (xx < 0.25 || yy < 0.25)
		return false;
	*r = fmax(-1, fmin(1, xy / sqrt(xx * yy)));
	return true;
}

int
lab_ranks(const double *x, size_t n, double *rank)
{
	struct stats_classes c;
	double *by_class;
	int err;

	if (!stats_finite(x, n) || n > UINT32_MAX)
		return -EINVAL;
	err = stats_classes_make(x, n, &c);
	if (err)
		return err;
	by_class = malloc((c.nr ? c.nr : 1) * sizeof(*by_class));
	if (by_class) {
		class_ranks(c.id, n, c.nr, by_class);
		for (size_t i = 0; i < n; i++)
			rank[i] = by_class[c.id[i]];
	}
	stats_classes_free(&c);
	free(by_class);
	return by_class ? 0 : -ENOMEM;
}

/* Means first, then sums of what remains: the one-pass formula loses all digits on large counts. */
int
lab_pearson(const double *x, const double *y, size_t n, double *r)
{
	double mx = 0, my = 0, xx = 0, yy = 0, xy = 0, tx = 0, ty = 0;

	*r = 0;
	if (!stats_finite(x, n) || !stats_finite(y, n))
		return -EINVAL;
	if (n < 2 || stats_constant(x, n) || stats_constant(y, n))
		return -EDOM;
	for (size_t i = 0; i < n; i++) {
		tx = fmax(tx, fabs(x[i]));
		ty = fmax(ty, fabs(y[i]));
	}
	for (size_t i = 0; i < n; i++) {
		mx += x[i] / tx;
		my += y[i] / ty;
	}
	mx /= (double)n;
	my /= (double)n;
	for (size_t i = 0; i < n; i++) {
		double a = x[i] / tx - mx, b = y[i] / ty - my;

		xx += a * a;
		yy += b * b;
		xy += a * b;
	}
	if (!(xx > 0) || !(yy > 0))
		return -EDOM;
	*r = fmax(-1, fmin(1, xy / (sqrt(xx) * sqrt(yy))));
	return 0;
}

int
lab_spearman(const double *x, const double *y, size_t n, double *r)
{
	double *rank = malloc((n ? 2 * n : 1) * sizeof(*rank));
	int err;

	*r = 0;
	if (!rank)
		return -ENOMEM;
	err = lab_ranks(x, n, rank);
	if (!err)
		err = lab_ranks(y, n, rank + n);
	if (!err)
		err = lab_pearson(rank, rank + n, n, r);
	free(rank);
	return err;
}
