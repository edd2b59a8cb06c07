/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "lab_stats.h"

#include <string.h>

void
lab_hist_reset(struct lab_hist *h)
{
	memset(h, 0, sizeof(*h));
}

void
lab_hist_merge(struct lab_hist *dst, const struct lab_hist *src)
{
	if (__builtin_add_overflow(dst->sum, src->sum, &dst->sum))
		dst->sum = UINT64_MAX;
	dst->count += src->count;
	if (src->max > dst->max)
		dst->max = src->max;
	if (src->min_inv > dst->min_inv)
		dst->min_inv = src->min_inv;
	for (unsigned int i = 0; i < LAB_HIST_BUCKETS; i++)
		dst->bucket[i] += src->bucket[i];
}

uint64_t
lab_hist_min(const struct lab_hist *h)
{
	return h->count ? ~h->min_inv : 0;
}

double
lab_hist_mean(const struct lab_hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

/* The highest value that lands in bucket i. */
static uint64_t
bucket_top(unsigned int i)
{
	unsigned int shift;
	uint64_t first;

	if (i < (2U << LAB_HIST_BITS))
		return i;
	shift = (i >> LAB_HIST_BITS) - 1;
	first = (uint64_t)(i - (shift << LAB_HIST_BITS)) << shift;
	return first + ((1ULL << shift) - 1);
}

/*
 * How many values make percent % of count, at least one. 99.9 is no binary number: what it is off by must not ask
 * for one value more.
 */
static uint64_t
rank_of(uint64_t count, double percent)
{
	long double want = (long double)percent / 100 * (long double)count * (1 - 0x1p-52L);
	uint64_t rank;

	if (!(percent > 0))
		return 1;
	if (percent >= 100 || want >= (long double)count)
		return count;
	rank = (uint64_t)want;
	if ((long double)rank < want)
		rank++;
	return rank ? rank : 1;
}

uint64_t
lab_hist_percentile(const struct lab_hist *h, double percent)
{
	uint64_t rank, seen = 0;

	if (h->count == 0)
		return 0;
	rank = rank_of(h->count, percent);
	for (unsigned int i = 0; i < LAB_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return bucket_top(i) < h->max ? bucket_top(i) : h->max;
	}
	return h->max;
}
