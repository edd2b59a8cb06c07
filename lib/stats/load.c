/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>

/* Fewer pairs than this in a stratum say nothing. */
#define STRATUM_MIN 20

/* The pairs of one stratum, at the chosen lag; the load is that of the failure's bin. */
static size_t
stratum_gather(const double *x, const double *y, const double *z, const double *rz, size_t n,
	unsigned int i, unsigned int strata, struct lab_corr_stratum *s, double *px, double *py,
	int lag)
{
	size_t from = lag < 0 ? (size_t)-lag : 0, to = lag > 0 ? n - (size_t)lag : n, count = 0;

	for (size_t at = from; at < to; at++) {
		/* By rank, so that equal loads are never parted. */
		unsigned int in = (unsigned int)((rz[at] - 0.5) * strata / (double)n);

		if (in != i)
			continue;
		s->lo = count ? fmin(s->lo, z[at]) : z[at];
		s->hi = count ? fmax(s->hi, z[at]) : z[at];
		px[count] = x[at];
		py[count++] = y[(size_t)((long)at + lag)];
	}
	return count;
}

int
stats_corr_strata(const double *x, const double *y, const double *z, const double *rz, size_t n,
	unsigned int strata, struct lab_corr_result *out)
{
	double *px = malloc(2 * n * sizeof(*px)), weight = 0, sum = 0;

	if (!px)
		return -ENOMEM;
	for (unsigned int i = 0; i < strata; i++) {
		struct lab_corr_stratum s = {0};
		int err;

		s.n = stratum_gather(x, y, z, rz, n, i, strata, &s, px, px + n, out->lag);
		if (s.n == 0)
			continue;
		err = s.n < STRATUM_MIN ? -EDOM : lab_spearman(px, px + n, s.n, &s.spearman);
		if (err == -ENOMEM) {
			free(px);
			return err;
		}
		s.valid = !err;
		if (s.valid) {
			weight += (double)s.n;
			sum += s.spearman * (double)s.n;
		}
		out->stratum[out->nr_strata++] = s;
	}
	free(px);
	out->stratified_valid = weight > 0;
	out->stratified = weight > 0 ? sum / weight : 0;
	return 0;
}
