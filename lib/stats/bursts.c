/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "lab_stats.h"

#include <errno.h>
#include <math.h>

#include "corr.h"

double
lab_bursts_level(const double *x, size_t n)
{
	double mean = 0;

	for (size_t i = 0; i < n; i++)
		mean += (x[i] - mean) / (double)(i + 1);
	return mean;
}

bool
stats_burst_next(
	const double *x, size_t n, double above, size_t gap, size_t from, struct lab_burst *b)
{
	size_t last;

	while (from < n && !(x[from] > above))
		from++;
	if (from == n)
		return false;
	last = from;
	for (size_t i = from; i < n && i - last <= gap; i++) {
		if (x[i] > above)
			last = i;
	}
	b->start = from;
	b->len = last - from + 1;
	b->sum = 0;
	for (size_t i = from; i <= last; i++)
		b->sum += x[i];
	return true;
}

long
lab_bursts(const double *x, size_t n, double above, size_t gap, struct lab_burst *out, size_t max)
{
	struct lab_burst b;
	size_t from = 0, count = 0;

	if (gap == 0 || !isfinite(above) || !stats_finite(x, n))
		return -EINVAL;
	while (stats_burst_next(x, n, above, gap, from, &b)) {
		if (out && count < max)
			out[count] = b;
		count++;
		from = b.start + b.len;
	}
	return (long)count;
}

void
stats_bursts_summary(
	const double *x, size_t n, double above, size_t gap, unsigned int *count, double *mean_len)
{
	struct lab_burst b;
	size_t from = 0, len = 0;

	*count = 0;
	while (stats_burst_next(x, n, above, gap, from, &b)) {
		(*count)++;
		len += b.len;
		from = b.start + b.len;
	}
	*mean_len = *count ? (double)len / *count : 0;
}
