/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

static double
median_of(double *x, size_t n)
{
	stats_sort(x, n);
	return stats_quantile(x, n, 0.5);
}

int
lab_median(const double *x, size_t n, const struct lab_median_opts *o, struct lab_median_result *r)
{
	struct stats_boot b;
	double *copy, *medians;

	memset(r, 0, sizeof(*r));
	if (n == 0 || o->resamples < 99 || !(o->alpha > 0 && o->alpha < 0.5) || !stats_finite(x, n))
		return -EINVAL;
	copy = malloc((n + o->resamples) * sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	medians = copy + n;
	memcpy(copy, x, n * sizeof(*copy));
	r->median = median_of(copy, n);
	r->lower_quartile = stats_quantile(copy, n, 0.25);
	r->upper_quartile = stats_quantile(copy, n, 0.75);
	stats_boot_init(&b, n, cbrt((double)n), o->seed ^ 0x6d656469);
	for (unsigned int i = 0; i < o->resamples; i++) {
		stats_boot_restart(&b);
		for (size_t k = 0; k < n; k++)
			copy[k] = x[stats_boot_next(&b)];
		medians[i] = median_of(copy, n);
	}
	stats_sort(medians, o->resamples);
	r->ci_lo = stats_quantile(medians, o->resamples, o->alpha / 2);
	r->ci_hi = stats_quantile(medians, o->resamples, 1 - o->alpha / 2);
	free(copy);
	return 0;
}
