/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <string.h>

/* Four doubles at any address of a double; the compiler splits them where the machine has two. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));

static inline double
vec_sum(const vec *v)
{
	return ((*v)[0] + (*v)[1]) + ((*v)[2] + (*v)[3]);
}

double
stats_dot(const double *a, const double *b, size_t n)
{
	vec s0 = {0}, s1 = {0};
	double sum;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		s0 += *(const vec *)(a + i) * *(const vec *)(b + i);
		s1 += *(const vec *)(a + i + 4) * *(const vec *)(b + i + 4);
	}
	s0 += s1;
	sum = vec_sum(&s0);
	for (; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void
stats_dot4(const double *a, const double *b, size_t n, double out[4])
{
	vec s[4] = {{0}};
	size_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		const vec va = *(const vec *)(a + i);

		s[0] += va * *(const vec *)(b + i);
		s[1] += va * *(const vec *)(b + i + 1);
		s[2] += va * *(const vec *)(b + i + 2);
		s[3] += va * *(const vec *)(b + i + 3);
	}
	for (unsigned int j = 0; j < 4; j++)
		out[j] = vec_sum(&s[j]);
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
