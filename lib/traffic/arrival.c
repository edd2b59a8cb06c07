/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "traffic_priv.h"

/** Walker's alias method in Vose's form: a flow by its weight with one draw and no search. */
struct alias {
	uint32_t cut; /* of 2^32: up to it this flow, else the other */
	uint32_t other;
};

struct lab_arrivals {
	struct lab_arrival_config cfg;
	/* One stream each, so that another size or flow distribution leaves the times as they are. */
	struct lab_rng rng_time, rng_size, rng_flow;
	double period; /* ns between frames, or the mean of it */
	uint64_t t_ns; /* of the arrival before */
	double frac;   /* and its part of a nanosecond */
	uint64_t left; /* arrivals still to come, if cfg.count */
	bool started, over;
	/* onoff */
	uint64_t burst_frames, burst_done; /* in this burst */
	uint64_t burst_t;                  /* its start */
	double burst_frac, burst_len;
	/* pcap */
	struct lab_pcap pcap;
	size_t next_packet;
	uint64_t pass_t; /* where the present pass over the file begins */
	uint32_t passes;
	struct alias *alias; /* NULL: flows are equally likely */
};

/* ------------------------------------------------------------- flows, sizes */

static void
alias_fill(struct alias *table, double *share, uint32_t *work, uint32_t n)
{
	uint32_t small = 0, large = n; /* two stacks in one array: from below and from above */

	for (uint32_t i = 0; i < n; i++)
		work[share[i] < 1.0 ? small++ : --large] = i;
	while (small > 0 && large < n) {
		uint32_t s = work[--small], l = work[large];

		table[s].cut = (uint32_t)(share[s] * 4294967295.0);
		table[s].other = l;
		share[l] -= 1.0 - share[s];
		if (share[l] < 1.0) {
			large++;
			work[small++] = l;
		}
	}
	/* What rounding leaves has a share of one. */
	while (large < n)
		table[work[large++]].cut = UINT32_MAX;
	while (small > 0)
		table[work[--small]].cut = UINT32_MAX;
}

static int
alias_create(struct alias **out, uint32_t n, double zipf)
{
	double *share = calloc(n, sizeof(*share)), sum = 0;
	struct alias *table = calloc(n, sizeof(*table));
	uint32_t *work = calloc(n, sizeof(*work));
	int rc = -ENOMEM;

	if (share != NULL && table != NULL && work != NULL) {
		for (uint32_t i = 0; i < n; i++)
			sum += share[i] = pow(i + 1.0, -zipf);
		for (uint32_t i = 0; i < n; i++)
			share[i] *= n / sum;
		alias_fill(table, share, work, n);
		*out = table;
		table = NULL;
		rc = 0;
	}
	free(share);
	free(table);
	free(work);
	return rc;
}

static inline uint32_t
draw_flow(struct lab_arrivals *a)
{
	uint32_t i;

	if (a->cfg.flows == 1)
		return 0;
	i = (uint32_t)lab_rng_below(&a->rng_flow, a->cfg.flows);
	if (a->alias == NULL)
		return i;
	return (uint32_t)(lab_rng_u64(&a->rng_flow) >> 32) <= a->alias[i].cut ? i
									      : a->alias[i].other;
}

static inline uint32_t
draw_size(struct lab_arrivals *a)
{
	uint64_t r;

	switch (a->cfg.size_kind) {
	case LAB_SIZE_RANGE:
		return a->cfg.size_min + (uint32_t)lab_rng_below(&a->rng_size,
						 a->cfg.size_max - a->cfg.size_min + 1u);
	case LAB_SIZE_IMIX:
		r = lab_rng_below(&a->rng_size, 12);
		return r < 7 ? 64 : r < 11 ? 594 : 1518;
	default:
		return a->cfg.size_min;
	}
}

/* -------------------------------------------------------------------- times */

/** Let ns pass, keeping the part of a nanosecond so that no rate drifts. At the end of time it is over. */
static inline void
pass(struct lab_arrivals *a, uint64_t *t, double *frac, double ns)
{
	double sum = *frac + ns;
	uint64_t whole;

	if (sum >= 9e18) {
		a->over = true;
		return;
	}
	whole = (uint64_t)sum;
	*frac = sum - (double)whole;
	if (__builtin_add_overflow(*t, whole, t))
		a->over = true;
}

static double
draw_period(struct lab_arrivals *a, uint64_t mean)
{
	return a->cfg.fixed ? (double)mean : lab_rng_exp(&a->rng_time, (double)mean);
}

static void
begin_burst(struct lab_arrivals *a)
{
	a->burst_len = draw_period(a, a->cfg.on_ns);
	/* Frames at 0, period, 2 period ... before the end; the margin keeps a burst of exactly n
	 * periods at n frames. */
	a->burst_frames = (uint64_t)ceil(a->burst_len / a->period - 1e-6);
	if (a->burst_frames == 0)
		a->burst_frames = 1;
	a->burst_done = 0;
}

static void
next_onoff(struct lab_arrivals *a)
{
	double frac;

	if (!a->started) {
		begin_burst(a);
	} else if (a->burst_done == a->burst_frames) {
		pass(a, &a->burst_t, &a->burst_frac, a->burst_len + draw_period(a, a->cfg.off_ns));
		begin_burst(a);
	}
	a->t_ns = a->burst_t;
	frac = a->burst_frac;
	pass(a, &a->t_ns, &frac, (double)a->burst_done++ * a->period);
}

/** Gap between two passes over a capture: its mean gap; for a single packet or instant 1 ms. */
static uint64_t
pcap_pass_ns(const struct lab_pcap *p)
{
	uint64_t last = p->packets[p->nr_packets - 1].t_ns;

	return last + (last == 0 ? 1000000 : last / (p->nr_packets - 1) + 1);
}

static void
next_pcap(struct lab_arrivals *a, struct lab_arrival *out)
{
	const struct lab_pcap_packet *p;
	double frac = 0;

	if (a->next_packet == a->pcap.nr_packets) {
		a->next_packet = 0;
		pass(a, &a->pass_t, &a->frac, (double)pcap_pass_ns(&a->pcap) / a->cfg.speed);
		if (a->cfg.loop != 0 && ++a->passes == a->cfg.loop)
			a->over = true;
	}
	p = &a->pcap.packets[a->next_packet];
	a->t_ns = a->pass_t;
	pass(a, &a->t_ns, &frac, (double)p->t_ns / a->cfg.speed);
	out->index = (uint32_t)a->next_packet++;
	out->len = a->cfg.size_kind == LAB_SIZE_PCAP ? p->len : draw_size(a);
	if (out->len < LAB_FRAME_MIN)
		out->len = LAB_FRAME_MIN; /* captured before the NIC padded it */
	out->flow = (uint32_t)(((uint64_t)p->hash * a->cfg.flows) >> 32);
}

bool
lab_arrivals_next(struct lab_arrivals *a, struct lab_arrival *out)
{
	if (a->cfg.count != 0 && a->left-- == 0)
		a->over = true;
	if (a->over)
		return false;
	out->index = 0;
	switch (a->cfg.kind) {
	case LAB_ARRIVAL_CONSTANT:
		if (a->started)
			pass(a, &a->t_ns, &a->frac, a->period);
		break;
	case LAB_ARRIVAL_POISSON:
		pass(a, &a->t_ns, &a->frac, lab_rng_exp(&a->rng_time, a->period));
		break;
	case LAB_ARRIVAL_ONOFF:
		next_onoff(a);
		break;
	case LAB_ARRIVAL_PCAP:
		next_pcap(a, out);
		break;
	}
	a->started = true;
	if (a->over)
		return false;
	out->t_ns = a->t_ns;
	if (a->cfg.kind != LAB_ARRIVAL_PCAP) {
		out->len = draw_size(a);
		out->flow = draw_flow(a);
	}
	return true;
}

/* ---------------------------------------------------------- making, telling */

int
lab_arrivals_create(
	struct lab_arrivals **out, const struct lab_arrival_config *cfg, char *err, size_t len)
{
	int rc = lab_arrival_check(cfg, err, len);
	struct lab_arrivals *a;
	uint64_t seed = cfg->seed;

	*out = NULL;
	if (rc != 0)
		return rc;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return fail(err, len, -ENOMEM, "no memory");
	a->cfg = *cfg;
	a->left = cfg->count;
	a->period = (double)LAB_NS_PER_S / cfg->rate;
	lab_rng_seed(&a->rng_time, lab_splitmix64(&seed));
	lab_rng_seed(&a->rng_size, lab_splitmix64(&seed));
	lab_rng_seed(&a->rng_flow, lab_splitmix64(&seed));
	if (cfg->kind == LAB_ARRIVAL_PCAP)
		rc = lab_pcap_load(&a->pcap, cfg->pcap_file, err, len);
	else if (cfg->zipf > 0 && alias_create(&a->alias, cfg->flows, cfg->zipf) != 0)
		rc = fail(err, len, -ENOMEM, "no memory for %u flows", cfg->flows);
	if (rc != 0) {
		lab_arrivals_destroy(a);
		return rc;
	}
	*out = a;
	return 0;
}

void
lab_arrivals_destroy(struct lab_arrivals *a)
{
	if (a == NULL)
		return;
	lab_pcap_free(&a->pcap);
	free(a->alias);
	free(a);
}

/** Mean number of frames of a burst: of exponential length L, E[ceil(L/p)] = 1 / (1 - exp(-p/on)). */
static double
mean_burst(const struct lab_arrivals *a)
{
	double ratio = (double)a->cfg.on_ns / a->period;

	if (a->cfg.fixed)
		return fmax(1, ceil(ratio - 1e-6));
	return 1.0 / -expm1(-1.0 / ratio);
}

double
lab_arrivals_mean_rate(const struct lab_arrivals *a)
{
	switch (a->cfg.kind) {
	case LAB_ARRIVAL_ONOFF:
		return mean_burst(a) * 1e9 / ((double)a->cfg.on_ns + (double)a->cfg.off_ns);
	case LAB_ARRIVAL_PCAP:
		return (double)a->pcap.nr_packets * a->cfg.speed * 1e9 /
		       (double)pcap_pass_ns(&a->pcap);
	default:
		return a->cfg.rate;
	}
}

const struct lab_pcap *
arrivals_pcap(const struct lab_arrivals *a)
{
	return a->cfg.kind == LAB_ARRIVAL_PCAP ? &a->pcap : NULL;
}
