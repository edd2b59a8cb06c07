/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Sampling: everything is read on one clock, and what is dear less often. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lab_base.h>

#include "../labyrinth/signals.h"
#include "watch.h"

#define MAX_SERIES (20 + LAB_KMON_NR_DROPS)

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int
add_all(struct watch *w)
{
	struct watch_now *n = &w->now;
	const struct lab_series_value list[] = {
		{SERIES_OFFERED, "packets", LAB_SERIES_COUNTER, &n->offered},
		{"received", "packets", LAB_SERIES_COUNTER, &n->received},
		{"polled", "packets", LAB_SERIES_COUNTER, &n->polled},
		{SERIES_DROPS, "packets", LAB_SERIES_COUNTER, &n->drops},
		{SERIES_UNCLEAR, "packets", LAB_SERIES_COUNTER, &n->drops_unclear},
		{"drops.nic", "packets", LAB_SERIES_COUNTER, &n->drops_nic},
		{"requests", "requests", LAB_SERIES_COUNTER, &n->atomic_requests},
		{SERIES_FAILURES, "requests", LAB_SERIES_COUNTER, &n->failures},
		{"fallbacks", "requests", LAB_SERIES_COUNTER, &n->fallbacks},
		{"unresolved", "requests", LAB_SERIES_COUNTER, &n->unresolved},
		{"nic.alloc_fail", "requests", LAB_SERIES_COUNTER, &n->nic_alloc_fail},
		{"nic.no_buffer", "packets", LAB_SERIES_COUNTER, &n->nic_no_buffer},
		{"pool_hold", "pages", LAB_SERIES_COUNTER, &n->pool_hold},
		{"extfrag", "events", LAB_SERIES_COUNTER, &n->extfrag},
		{"kswapd_wakeups", "events", LAB_SERIES_COUNTER, &n->kswapd_wakeups},
		{"compaction", "events", LAB_SERIES_COUNTER, &n->compaction},
		{"free_pages", "pages", LAB_SERIES_GAUGE, &n->free_pages},
		{"unusable_order3", "thousandths", LAB_SERIES_GAUGE, &n->unusable},
		{"extfrag_order3", "thousandths above -1", LAB_SERIES_GAUGE, &n->extfrag_index},
	};
	char name[LAB_SERIES_NAME_LEN];
	struct lab_series_value one = {.name = name, .kind = LAB_SERIES_COUNTER};
	int rc = lab_series_add_values(w->set, list, LAB_ARRAY_SIZE(list));

	for (unsigned int d = 0; d < LAB_KMON_NR_DROPS && rc == 0; d++) {
		snprintf(name, sizeof(name), "drops.%s", lab_kmon_drop_name(d));
		one.value = &n->cause[d];
		one.unit = "packets";
		rc = lab_series_add_values(w->set, &one, 1);
	}
	return rc;
}

int
watch_series_init(struct watch *w)
{
	/* touched as a whole when it is made: no more of it than the run can fill */
	uint64_t fits = w->opt.duration_ns / w->opt.interval_ns + 16;
	size_t capacity = w->opt.duration_ns && fits < WATCH_CAPACITY ? fits : WATCH_CAPACITY;
	int rc = lab_series_set_create(&w->set, w->opt.interval_ns, capacity, MAX_SERIES);

	w->slow_every = w->opt.interval_ns >= WATCH_SLOW_NS
				? 1
				: (unsigned int)(WATCH_SLOW_NS / w->opt.interval_ns);
	return rc ? rc : add_all(w);
}

/* -------------------------------------------------------------------- a reading */

static uint64_t
sum(const uint64_t *v, size_t n)
{
	uint64_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += v[i];
	return s;
}

static void
take_kernel(const struct lab_kmon_totals *t, struct watch_now *n)
{
	const uint64_t(*f)[LAB_KMON_ORDERS] = t->failed[LAB_KMON_ATOMIC];

	n->atomic_requests = sum(t->requests[LAB_KMON_ATOMIC][0], LAB_KMON_ORDERS * LAB_KMON_TYPES);
	n->failures = sum(f[LAB_KMON_TERMINAL], LAB_KMON_ORDERS);
	n->fallbacks = sum(f[LAB_KMON_FALLBACK], LAB_KMON_ORDERS);
	n->unresolved = sum(f[LAB_KMON_UNRESOLVED], LAB_KMON_ORDERS);
	n->memcg = sum(f[LAB_KMON_MEMCG], LAB_KMON_ORDERS);
	n->received = t->received;
	n->polled = t->polled;
	n->extfrag = sum(t->extfrag_order, LAB_KMON_ORDERS);
	n->kswapd_wakeups = t->kswapd_wakeups;
	n->compaction = t->compaction_begin;
	n->pool_hold = t->pool_hold;
	for (unsigned int d = 0; d < LAB_KMON_NR_DROPS; d++)
		n->cause[d] = t->drops[0][d] + t->drops[1][d];
}

static void
take_nics(struct watch *w, struct watch_now *n)
{
	const struct lab_nic *nic;

	for (unsigned int i = 0; (nic = lab_nics_get(w->nics, i)) != NULL; i++) {
		n->nic_missed += nic->rx_missed;
		n->nic_dropped += nic->rx_dropped;
		n->nic_errors += nic->rx_errors;
		n->nic_alloc_fail += nic->qstats_rx_alloc_fail;
		for (unsigned int c = 0; c < nic->nr_counters; c++) {
			if (nic->counters[c].kind == LAB_NIC_COUNTER_ALLOC_FAIL)
				n->nic_alloc_fail += nic->counters[c].value;
			else
				n->nic_no_buffer += nic->counters[c].value;
		}
	}
}

/* What the kernel counts as a device's rx_dropped where it also frees the skb for a reason. */
static uint64_t
counted_by_reason(const struct lab_kmon_totals *t)
{
	static const enum lab_kmon_drop both[] = {LAB_KMON_DROP_BACKLOG, LAB_KMON_DROP_UNHANDLED};
	uint64_t n = 0;

	for (size_t i = 0; i < LAB_ARRAY_SIZE(both); i++)
		n += t->drops[0][both[i]] + t->drops[1][both[i]];
	return n;
}

static void
take_zones(struct watch *w, struct watch_now *n)
{
	unsigned long blocks[LAB_NR_ORDERS];
	int unusable, extfrag;

	lab_kzones_update(&w->zones);
	lab_kzones_sum(&w->zones, blocks);
	lab_kzones_indices(blocks, 3, &unusable, &extfrag);
	n->free_pages = 0;
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		n->free_pages += blocks[o] << o;
	n->unusable = (uint64_t)unusable;
	n->extfrag_index = (uint64_t)(1000 + extfrag); /* it begins at -1000, and a series at 0 */
}

/* A drop of which nobody says that it was for something else than memory. */
static void
add_up(const struct lab_kmon_totals *t, struct watch_now *n, const struct watch_now *last)
{
	uint64_t again = counted_by_reason(t), stack = sum(n->cause, LAB_KMON_NR_DROPS);

	/* the two are read one after the other: a total must not fall for that */
	n->nic_alone = n->nic_dropped > again ? n->nic_dropped - again : 0;
	if (n->nic_alone < last->nic_alone)
		n->nic_alone = last->nic_alone;
	n->drops_nic = n->nic_missed + n->nic_alone + n->nic_errors;
	n->drops = stack + n->drops_nic;
	n->drops_unclear =
		n->cause[LAB_KMON_DROP_MEMORY] + n->cause[LAB_KMON_DROP_UNSPECIFIED] + n->drops_nic;
	/* what entered, what was dropped without having entered, and what no skb was made for */
	n->offered = n->received + sum(t->drops[0], LAB_KMON_NR_DROPS) + n->drops_nic;
}

static int
take(struct watch *w, bool slow)
{
	struct watch_now n = {.free_pages = w->now.free_pages,
		.unusable = w->now.unusable,
		.extfrag_index = w->now.extfrag_index};
	int err = lab_nics_read(w->nics, slow);

	if (err)
		return err;
	lab_kmon_read(w->kmon, &w->totals);
	take_kernel(&w->totals, &n);
	take_nics(w, &n);
	if (slow)
		take_zones(w, &n);
	add_up(&w->totals, &n, &w->now);
	w->now = n;
	return 0;
}

/* ---------------------------------------------------------------------- stacks */

static bool
same(const struct lab_kmon_failure *a, const struct lab_kmon_failure *b)
{
	return a->gfp == b->gfp && a->order == b->order && a->frames == b->frames &&
	       !strcmp(a->comm, b->comm) &&
	       !memcmp(a->stack, b->stack, a->frames * sizeof(a->stack[0]));
}

static void
on_failure(const struct lab_kmon_failure *f, void *arg)
{
	struct watch *w = arg;

	for (unsigned int i = 0; i < w->nr_stacks; i++) {
		if (same(&w->stack[i].first, f)) {
			w->stack[i].n++;
			return;
		}
	}
	if (w->nr_stacks < WATCH_MAX_STACKS)
		w->stack[w->nr_stacks++] = (struct watch_stack){*f, 1};
	else
		w->stacks_left_out++;
}

/* -------------------------------------------------------------------- the loop */

/* What came since the last line, for whoever looks on. */
static void
print_line(const struct watch *w, uint64_t now, struct watch_now *last)
{
	const struct watch_now *n = &w->now;

	fprintf(stderr,
		"%8.1f s  received %" PRIu64 "  drops %" PRIu64 "  atomic: requests %" PRIu64
		", failed %" PRIu64 ", fell back %" PRIu64 "  free %" PRIu64 " MiB\n",
		(double)(now - w->begin_ns) / 1e9, n->received - last->received,
		n->drops - last->drops, n->atomic_requests - last->atomic_requests,
		n->failures - last->failures, n->fallbacks - last->fallbacks, n->free_pages >> 8);
	*last = *n;
}

static int
sample(struct watch *w, uint64_t *now)
{
	uint64_t start = now_ns(), last = w->now.failures;
	int err = take(w, w->samples % w->slow_every == 0);

	if (err)
		return err;
	if (w->now.failures != last)
		lab_kmon_poll(w->kmon, on_failure, w);
	*now = now_ns();
	lab_series_sample(w->set, *now);
	w->spent_ns += *now - start;
	w->samples++;
	return 0;
}

static bool
over(const struct watch *w, uint64_t now)
{
	return signals_pending() || (w->opt.duration_ns && now - w->begin_ns >= w->opt.duration_ns);
}

int
watch_begin(struct watch *w, char *why, size_t len)
{
	int err = lab_kmon_attach(w->kmon, why, len);

	/* all figures are 0 here, and what comes from now on belongs to the first sample */
	w->begin_ns = now_ns();
	if (!err)
		err = lab_nics_restart(w->nics);
	lab_series_start(w->set, w->begin_ns);
	lab_kzones_read(&w->zones);
	return err;
}

int
watch_finish(struct watch *w)
{
	uint64_t now;
	int err;

	w->slow_every = 1;
	lab_kmon_stop(w->kmon); /* so that series, ledger and tables tell of the same packets */
	err = sample(w, &now);
	lab_kmon_poll(w->kmon, on_failure, w); /* one that was counted before its record came */
	lab_kzones_read(&w->zones);            /* the marks, too, for the report */
	w->end_ns = now_ns();
	lab_kmon_settle(w->kmon, &w->totals);
	take_kernel(&w->totals, &w->now);
	lab_kmon_update_missed(w->kmon);
	return err;
}

int
watch_sample_all(struct watch *w)
{
	struct watch_now last = {0};
	uint64_t due, line, now = now_ns(), interval = w->opt.interval_ns;
	int err;

	due = w->begin_ns + ((now - w->begin_ns) / interval + 1) * interval;
	line = w->begin_ns + w->opt.period_ns;
	while (!over(w, now)) {
		if (due > now && !signals_sleep(due - now))
			break;
		err = sample(w, &now);
		if (err)
			return err;
		if (w->opt.period_ns && now >= line) {
			print_line(w, now, &last);
			line += w->opt.period_ns;
		}
		due += interval;
		if (due <= now) { /* a late thread does not make up samples that nobody took */
			due = now + interval;
			w->late++;
		}
	}
	return 0;
}
