/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What the programs counted: a value of each CPU, added up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmon_private.h"
#include "lab_base.h"

#include "kmon.skel.h"

static const enum kmon_category categories[LAB_KMON_NR_DROPS] = {
	[LAB_KMON_DROP_MEMORY] = KMON_DROP_MEMORY,
	[LAB_KMON_DROP_SOCKET] = KMON_DROP_SOCKET,
	[LAB_KMON_DROP_PROTO_MEM] = KMON_DROP_PROTO_MEM,
	[LAB_KMON_DROP_BACKLOG] = KMON_DROP_BACKLOG,
	[LAB_KMON_DROP_QUEUE] = KMON_DROP_QUEUE,
	[LAB_KMON_DROP_UNHANDLED] = KMON_DROP_UNHANDLED,
	[LAB_KMON_DROP_UNSPECIFIED] = KMON_DROP_UNSPECIFIED,
	[LAB_KMON_DROP_OTHER] = KMON_DROP_OTHER,
};

_Static_assert((int)LAB_KMON_ORDERS == KMON_ORDERS && (int)LAB_KMON_TYPES == KMON_TYPES &&
		       (int)LAB_KMON_STACK_DEPTH == KMON_STACK_DEPTH &&
		       (int)LAB_KMON_COMM_LEN == KMON_COMM_LEN,
	"both sides count in the same shapes");
_Static_assert((int)LAB_KMON_MEMCG == KMON_MEMCG && (int)LAB_KMON_NR_KINDS == KMON_NR_KINDS &&
		       (int)LAB_KMON_MAY_SLEEP == KMON_MAY_SLEEP,
	"both sides name the same things");
_Static_assert(sizeof(struct kmon_reasons) <= sizeof(struct kmon_latency),
	"the scratch memory holds a value of either");
_Static_assert(KMON_HIST_BITS == LAB_HIST_BITS && KMON_HIST_BUCKETS <= LAB_HIST_BUCKETS,
	"the kernel's histogram is the beginning of ours");

const char *
lab_kmon_class_name(enum lab_kmon_class c)
{
	static const char *const names[] = {"atomic", "nowait", "may_sleep"};

	return (unsigned int)c < LAB_ARRAY_SIZE(names) ? names[c] : "?";
}

const char *
lab_kmon_kind_name(enum lab_kmon_kind k)
{
	static const char *const names[] = {
		"terminal", "fallback", "superseded", "unresolved", "memcg"};

	return (unsigned int)k < LAB_ARRAY_SIZE(names) ? names[k] : "?";
}

const char *
lab_kmon_drop_name(enum lab_kmon_drop d)
{
	static const char *const names[] = {"memory", "socket", "proto_mem", "backlog", "queue",
		"unhandled", "unspecified", "other"};

	return (unsigned int)d < LAB_ARRAY_SIZE(names) ? names[d] : "?";
}

/* The values of all CPUs for one key, in the scratch memory. NULL with errno. */
static const char *
lookup(struct lab_kmon *k, const struct bpf_map *map, uint32_t key)
{
	return bpf_map_lookup_elem(bpf_map__fd(map), &key, k->scratch) ? NULL : k->scratch;
}

static size_t
stride(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static void
add(uint64_t *to, const kmon_u64 *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static void
add_allocs(struct lab_kmon_totals *t, const struct kmon_alloc *a)
{
	for (int c = 0; c < LAB_KMON_NR_CLASSES; c++) {
		add(t->requests[c][0], a->requests[c][0], KMON_ORDERS * KMON_TYPES);
		add(t->failed[c][0], a->failed[c][0], LAB_KMON_NR_KINDS * KMON_ORDERS);
	}
	t->details_lost += a->details_lost;
	t->keys_lost += a->keys_lost;
}

static void
add_events(struct lab_kmon_totals *t, const struct kmon_events *e)
{
	add(t->extfrag[0], e->extfrag[0], KMON_TYPES * KMON_TYPES);
	add(t->extfrag_order, e->extfrag_order, KMON_ORDERS);
	t->kswapd_wakeups += e->kswapd_wakeups;
	t->kswapd_wakes += e->kswapd_wakes;
	t->compaction_begin += e->compaction_begin;
	t->compaction_end += e->compaction_end;
	t->pool_hold += e->pool_hold;
	t->received += e->received;
	t->polled += e->polled;
	t->freed += e->freed;
	for (int side = 0; side < 2; side++) {
		for (int d = 0; d < LAB_KMON_NR_DROPS; d++)
			t->drops[side][d] += e->drops[side][categories[d]];
	}
}

/* Attempts that wait: they count as unresolved, once the run is over. */
static void
add_attempt(struct lab_kmon_totals *t, const struct kmon_attempt *r, const struct kmon_names *n)
{
	enum lab_kmon_class c = r->gfp & n->gfp_direct_reclaim ? LAB_KMON_MAY_SLEEP
				: r->gfp & n->gfp_high         ? LAB_KMON_ATOMIC
							       : LAB_KMON_NOWAIT;

	if (r->valid)
		t->failed[c][LAB_KMON_UNRESOLVED]
			 [r->order < KMON_ORDERS ? r->order : KMON_ORDERS - 1]++;
}

void
lab_kmon_read(const struct lab_kmon *k, struct lab_kmon_totals *out)
{
	memset(out, 0, sizeof(*out));
	for (int cpu = 0; cpu < k->nr_cpus; cpu++) {
		add_allocs(out, &k->allocs[cpu]);
		add_events(out, &k->events[cpu]);
	}
}

void
lab_kmon_settle(const struct lab_kmon *k, struct lab_kmon_totals *out)
{
	lab_kmon_read(k, out);
	for (int cpu = 0; cpu < k->nr_cpus; cpu++)
		add_attempt(out, &k->allocs[cpu].attempt, &k->names);
}

/* ------------------------------------------------------------- tables of a run */

static int
by_n(const void *a, const void *b)
{
	const struct lab_kmon_who *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strncmp(x->comm, y->comm, sizeof(x->comm));
}

/* Insert into a list that is full by letting the least go. */
static unsigned int
keep_who(struct lab_kmon_who *list, unsigned int n, unsigned int max, const struct lab_kmon_who *w)
{
	unsigned int least = 0;

	if (n < max) {
		list[n] = *w;
		return n + 1;
	}
	for (unsigned int i = 1; i < n; i++) {
		if (list[i].n < list[least].n)
			least = i;
	}
	if (list[least].n < w->n)
		list[least] = *w;
	return n;
}

int
lab_kmon_failures(struct lab_kmon *k, struct lab_kmon_who *out, unsigned int max)
{
	int fd = bpf_map__fd(k->skel->maps.failures);
	struct kmon_failure_key key, *last = NULL;
	unsigned int n = 0;
	uint64_t count;

	if (max == 0)
		return 0;
	while (bpf_map_get_next_key(fd, last, &key) == 0) {
		struct lab_kmon_who w = {
			.kind = key.kind, .gfp = key.gfp, .order = key.order, .type = key.type};

		last = &key;
		if (bpf_map_lookup_elem(fd, &key, &count))
			continue;
		memcpy(w.comm, key.comm, sizeof(w.comm));
		w.comm[sizeof(w.comm) - 1] = '\0';
		w.n = count;
		n = keep_who(out, n, max, &w);
	}
	if (errno != ENOENT)
		return -errno;
	qsort(out, n, sizeof(*out), by_n);
	return (int)n;
}

static int
by_drops(const void *a, const void *b)
{
	const struct lab_kmon_reason *x = a, *y = b;
	uint64_t nx = x->entered + x->elsewhere, ny = y->entered + y->elsewhere;

	if (nx != ny)
		return nx < ny ? 1 : -1;
	return x->reason < y->reason ? -1 : 1;
}

/* Drops of one subsystem, all CPUs. */
static int
read_reasons(struct lab_kmon *k, unsigned int key, uint64_t sum[KMON_REASONS])
{
	const char *v = lookup(k, k->skel->maps.reasons, key);

	memset(sum, 0, KMON_REASONS * sizeof(*sum));
	for (int cpu = 0; v && cpu < k->nr_cpus; cpu++) {
		const struct kmon_reasons *r = (const void *)(v + cpu * stride(sizeof(*r)));

		add(sum, r->drops, KMON_REASONS);
	}
	return v ? 0 : -errno;
}

int
lab_kmon_reasons(struct lab_kmon *k, struct lab_kmon_reason *out, unsigned int max)
{
	uint64_t entered[KMON_REASONS], elsewhere[KMON_REASONS];
	struct lab_kmon_reason *all;
	unsigned int n = 0;
	int err = 0;

	all = calloc(KMON_SUBSYSTEMS * KMON_REASONS, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	for (unsigned int s = 0; s < KMON_SUBSYSTEMS && !err; s++) {
		err = read_reasons(k, s, elsewhere);
		if (!err)
			err = read_reasons(k, s + KMON_SUBSYSTEMS, entered);
		for (unsigned int r = 0; r < KMON_REASONS && !err; r++) {
			if (entered[r] + elsewhere[r] == 0)
				continue;
			all[n++] = (struct lab_kmon_reason){s << 16 | r,
				lab_kmon_reason_name(k, s << 16 | r), entered[r], elsewhere[r]};
		}
	}
	qsort(all, n, sizeof(*all), by_drops);
	n = n < max ? n : max;
	memcpy(out, all, n * sizeof(*all));
	free(all);
	return err ? err : (int)n;
}

int
lab_kmon_latency(struct lab_kmon *k, struct lab_hist *out)
{
	const char *v;

	memset(out, 0, sizeof(*out));
	if (!k->column[PROGRAM_LATENCY].on)
		return -ENOTSUP;
	v = lookup(k, k->skel->maps.latency, 0);
	for (int cpu = 0; v && cpu < k->nr_cpus; cpu++) {
		const struct kmon_latency *l = (const void *)(v + cpu * stride(sizeof(*l)));

		out->count += l->count;
		out->sum += l->sum;
		if (l->max > out->max)
			out->max = l->max;
		add(out->bucket, l->bucket, KMON_HIST_BUCKETS);
	}
	/* the kernel keeps no least value: the lowest of its bucket stands for it */
	for (uint64_t b = 0; b < KMON_HIST_BUCKETS; b++) {
		if (out->bucket[b]) {
			uint64_t shift = b < (2U << LAB_HIST_BITS) ? 0 : (b >> LAB_HIST_BITS) - 1;

			out->min_inv = ~((b - (shift << LAB_HIST_BITS)) << shift);
			break;
		}
	}
	return v ? 0 : -errno;
}

int
lab_kmon_poll(struct lab_kmon *k, lab_kmon_failure_fn fn, void *arg)
{
	int n;

	k->fn = fn;
	k->fn_arg = arg;
	n = ring_buffer__consume(k->ring);
	k->fn = NULL;
	return n;
}
