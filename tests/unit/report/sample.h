/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef TEST_SAMPLE_H
#define TEST_SAMPLE_H

/* A small model of a run, to fill a report with figures that hang together: no real allocator. */

#include <string.h>

#include "lab_base.h"
#include "lab_report.h"

enum { SAMPLE_BINS = 3000 };

struct sample_arm {
	struct lab_ledger ledger;
	struct lab_report_count failures[2];
	struct lab_report_frag frag[11];
	struct lab_corr_result corr;
	struct lab_hist latency;
	struct lab_series_set *series;
	double drops[SAMPLE_BINS], memory[SAMPLE_BINS];
	uint64_t now[3]; /* load, refusals, drops so far */
};

static inline uint64_t
sample_read(void *arg)
{
	return *(uint64_t *)arg;
}

static inline int
sample_series(struct sample_arm *a, size_t bins)
{
	static const char *const name[] = {"wire0.offered", "zone.refused", "wire0.drops"};
	int err = lab_series_set_create(&a->series, 10000000, bins, 4);

	for (int i = 0; i < 3 && !err; i++) {
		struct lab_series_def d = {name[i], i == 1 ? "requests" : "packets",
			LAB_SERIES_COUNTER, sample_read, &a->now[i]};

		err = lab_series_add(a->series, &d) < 0;
	}
	if (!err)
		lab_series_start(a->series, 0);
	return err;
}

/* Bursts of 120 packets a bin; tired: the share of refills that fail in a burst, 0 for a fresh pool. */
static inline int
sample_arm_run(struct sample_arm *a, double tired, size_t bins, uint64_t seed)
{
	int memory = lab_drop_cause("rx_watermark"), slow = lab_drop_cause("ring_full");
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_ledger_port *p = &a->ledger.port[0];
	struct lab_rng rng, fate;
	bool on = false;
	double lost = 0;

	memset(a, 0, sizeof(*a));
	lab_rng_seed(&rng, seed);
	lab_rng_seed(&fate, seed + 1);
	lab_ledger_init(&a->ledger);
	lab_ledger_port_add(&a->ledger, "wire0");
	lab_ledger_port_add(&a->ledger, "wire1");
	if (memory < 0 || slow < 0 || sample_series(a, bins))
		return -1;
	for (size_t i = 0; i < bins; i++) {
		uint64_t load, refused, drop, other;

		on = lab_rng_double(&rng) < (on ? 0.95 : 0.012);
		load = (on ? 100 : 3) + lab_rng_below(&rng, on ? 40 : 4);
		other = on && lab_rng_below(&fate, 40) == 0;
		refused = (uint64_t)(tired * (on ? 40 : 0) * lab_rng_double(&fate));
		lost = 0.5 * lost + (double)refused;
		drop = (uint64_t)(lost * lab_rng_double(&fate));
		drop = drop < load - other ? drop : load - other;
		lab_ledger_offer(p, load);
		lab_ledger_drop(p, (unsigned int)memory, drop);
		lab_ledger_drop(p, (unsigned int)slow, other);
		lab_ledger_deliver(p, load - drop - other);
		lab_hist_record_n(&a->latency, 2000 + lab_rng_below(&fate, 50000), load);
		a->failures[0].n += refused;
		a->now[0] += load;
		a->now[1] += refused;
		a->now[2] += drop + other;
		if (i < SAMPLE_BINS) {
			a->drops[i] = (double)(drop + other);
			a->memory[i] = (double)drop;
		}
		lab_series_sample(a->series, (i + 1) * 10000000);
	}
	a->failures[0].name = "watermark";
	a->failures[1].name = "order";
	for (unsigned int i = 0; i < 11; i++)
		a->frag[i] = (struct lab_report_frag){i, 5000 >> i, (int)(i * (tired > 0 ? 95 : 9)),
			i < 4 ? -1000 : (int)(i * 80)};
	return lab_corr_series(
		a->series, "zone.refused", "wire0.drops", "wire0.offered", &o, &a->corr);
}

static inline void
sample_arm_free(struct sample_arm *a)
{
	lab_series_set_destroy(a->series);
}

static inline struct lab_report_arm
sample_report_arm(
	const struct sample_arm *a, const char *name, const char *title, const json_t *zone)
{
	return (struct lab_report_arm){.name = name,
		.title = title,
		.seed = 7,
		.ledger = &a->ledger,
		.failures = a->failures,
		.nr_failures = 2,
		.zone = zone,
		.frag = a->frag,
		.nr_frag = 11,
		.correlation = &a->corr,
		.latency_ns = &a->latency,
		.series = a->series,
		.series_load = "wire0.offered",
		.series_failures = "zone.refused",
		.series_drops = "wire0.drops"};
}

#endif /* TEST_SAMPLE_H */
