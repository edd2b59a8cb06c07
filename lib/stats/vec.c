/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <string.h>

/* Two doubles at any address of a double: what every machine that DPDK runs on adds at once. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));

static inline vec
load(const double *p)
{
	return *(const vec *)p;
}

double
stats_dot(const double *a, const double *b, size_t n)
{
	vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
	double sum;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		s0 += load(a + i) * load(b + i);
		s1 += load(a + i + 2) * load(b + i + 2);
		s2 += load(a + i + 4) * load(b + i + 4);
		s3 += load(a + i + 6) * load(b + i + 6);
	}
	s0 += s1 + (s2 + s3);
	sum = s0[0] + s0[1];
	for (; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void
stats_dot4(const double *a, const double *b, size_t n, double out[4])
{
	vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, t0 = {0}, t1 = {0}, t2 = {0}, t3 = {0};
	size_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		const vec v = load(a + i), w = load(a + i + 2);
		const vec b2 = load(b + i + 2), b3 = load(b + i + 3);

		s0 += v * load(b + i);
		s1 += v * load(b + i + 1);
		s2 += v * b2;
		s3 += v * b3;
		t0 += w * b2;
		t1 += w * b3;
		t2 += w * load(b + i + 4);
		t3 += w * load(b + i + 5);
	}
	s0 += t0;
	s1 += t1;
	s2 += t2;
	s3 += t3;
	out[0] = s0[0] + s0[1];
	out[1] = s1[0] + s1[1];
	out[2] = s2[0] + s2[1];
	out[3] = s3[0] + s3[1];
	for (; i < n; i++) {
		for (unsigned int j = 0; j < 4; j++)
			out[j] += a[i] * b[i + j];
	}
}

bool
stats_constant(const double *x, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (x[i] != x[0])
			return false;
	}
	return true;
}

bool
stats_finite(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!(fabs(x[i]) <= STATS_BIG))
			return false;
	}
	return true;
}

bool
stats_normalise(double *x, size_t n)
{
	double mean = 0, norm, top = 0;
	bool constant = stats_constant(x, n);

	/* Scaled first, so that neither the sum nor the squares can overflow. */
	for (size_t i = 0; i < n; i++)
		top = fmax(top, fabs(x[i]));
	if (constant || top == 0) {
		memset(x, 0, n * sizeof(*x));
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		x[i] /= top;
		mean += x[i];
	}
	mean /= (double)n;
	for (size_t i = 0; i < n; i++)
		x[i] -= mean;
	norm = sqrt(stats_dot(x, x, n));
	/* Two values one rounding step apart may have no spread left. */
	if (!(norm > 1e-12 * sqrt((double)n))) {
		memset(x, 0, n * sizeof(*x));
		return false;
	}
	for (size_t i = 0; i < n; i++)
		x[i] /= norm;
	return true;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
stats_sort(double *x, size_t n)
{
	qsort(x, n, sizeof(*x), by_value);
}

double
stats_quantile(const double *sorted, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i;

	if (n == 0)
		return 0;
	i = (size_t)at;
	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}
