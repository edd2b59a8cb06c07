/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>

void
stats_boot_init(struct stats_boot *b, size_t n, double mean_block, uint64_t seed)
{
	lab_rng_seed(&b->rng, seed);
	b->n = n;
	b->at = 0;
	b->left = 0;
	b->scale = mean_block > 1 ? 1 / log1p(-1 / mean_block) : 0;
}

/* A block shorter than a burst would cut what belongs together; a longer one than n / 4 never
 * mixes. */
static double
block_length(const struct lab_corr_opts *o, const struct lab_corr_result *r, size_t pairs)
{
	double b = fmax(r->burst_len_failures, r->burst_len_drops);

	b = fmax(o->mean_block > 0 ? b : 2 * b, cbrt((double)pairs));
	b = fmax(b, o->mean_block);
	return fmax(1, fmin(b, (double)pairs / 4));
}

struct resample {
	uint32_t *x, *y;
	struct stats_rank_scratch ranks;
	double *value;
};

static int
resample_alloc(struct resample *s, size_t pairs, uint32_t nx, uint32_t ny, unsigned int resamples)
{
	s->x = malloc(2 * pairs * sizeof(*s->x));
	s->y = s->x ? s->x + pairs : NULL;
	s->ranks.x = malloc(((size_t)nx + ny) * sizeof(double));
	s->ranks.y = s->ranks.x ? s->ranks.x + nx : NULL;
	s->value = malloc(resamples * sizeof(double));
	return s->x && s->ranks.x && s->value ? 0 : -ENOMEM;
}

static void
resample_free(struct resample *s)
{
	free(s->x);
	free(s->ranks.x);
	free(s->value);
}

int
stats_corr_interval(const struct stats_classes *x, const struct stats_classes *y, size_t n,
	const struct lab_corr_opts *o, struct lab_corr_result *out)
{
	const uint32_t *px = x->id + (out->lag < 0 ? -out->lag : 0);
	const uint32_t *py = y->id + (out->lag > 0 ? out->lag : 0);
	size_t pairs = n - (size_t)abs(out->lag);
	unsigned int good = 0;
	struct resample s;
	struct stats_boot boot;
	int err;

	if (o->resamples == 0)
		return 0;
	out->mean_block = block_length(o, out, pairs);
	out->resamples = o->resamples;
	err = resample_alloc(&s, pairs, x->nr, y->nr, o->resamples);
	stats_boot_init(&boot, pairs, out->mean_block, o->seed ^ 0x626f6f74);
	for (unsigned int k = 0; !err && k < o->resamples; k++) {
		stats_boot_restart(&boot);
		for (size_t i = 0; i < pairs; i++) {
			size_t at = stats_boot_next(&boot);

			s.x[i] = px[at];
			s.y[i] = py[at];
		}
		good += stats_class_spearman(
			s.x, x->nr, s.y, y->nr, pairs, &s.ranks, &s.value[good]);
	}
	/* A resample without a failure or without a drop has no coefficient; when many are so, no
	 * interval. */
	if (!err && good >= o->resamples - o->resamples / 20) {
		stats_sort(s.value, good);
		out->ci_lo = stats_quantile(s.value, good, o->alpha / 2);
		out->ci_hi = stats_quantile(s.value, good, 1 - o->alpha / 2);
		out->ci_valid = true;
	}
	resample_free(&s);
	return err;
}
