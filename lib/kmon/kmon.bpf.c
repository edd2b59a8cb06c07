/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The programs in the kernel. They count; what is dear (stacks, names) is taken on failures only.
 *
 * Raw tracepoints and not BTF ones: there, a verifier may take an argument for never NULL and leave
 * out the question whether there is a page, which is what this is about. One program is never
 * entered twice on a CPU (the kernel counts that as a miss), so a figure that one program writes
 * needs no locked instruction. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kmon_shared.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The few members that are looked at; where they lie is found out at load time. */
struct sk_buff {
	int skb_iif;
} __attribute__((preserve_access_index));

/* Filled in before loading, from the BTF of the kernel that runs. */
const volatile __u32 gfp_high = 0x20;
const volatile __u32 gfp_direct_reclaim = 0x400;
const volatile __u32 gfp_account = 0x400000;
/* An attempt: it neither warns nor tries hard. */
const volatile __u32 gfp_attempt = 0x2000 | 0x10000;
const volatile __u32 drop_reason_arg = 2; /* of kfree_skb; 0: this kernel tells none */
const volatile __u32 drop_reason_none = 0;
const volatile __u8 drop_category[KMON_REASONS];
const volatile __u32 latency_every = 1;     /* of the atomic requests one in so many is timed */
const volatile __u64 attempt_ns = 20000000; /* a second request later than that is another matter */
const volatile __u32 window_bits = 30;      /* of ns: the span that details are bounded in */

/* All programs begin and end at one instant, though it takes a while to attach them. */
int counting = 0;

#define DETAILS_WINDOW 200 /* a CPU's */

/* The two that are read at every sample lie in memory that the process maps: a look at a per-CPU map would be a system call
 * that allocates room for all CPUs, at high order, which is what is being watched. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many as CPUs, set before loading */
	__type(key, __u32);
	__type(value, struct kmon_alloc);
} allocs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many as CPUs, set before loading */
	__type(key, __u32);
	__type(value, struct kmon_events);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * KMON_SUBSYSTEMS); /* those that had entered the stack second */
	__type(key, __u32);
	__type(value, struct kmon_reasons);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct kmon_failure_key);
	__type(value, __u64);
} failures SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} details SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmon_timed);
} timed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmon_latency);
} latency SEC(".maps");

/* An index below n, a power of two. Hidden from the compiler, which else may find the mask needless and
 * leave the verifier without it. */
#define AT(i, n)                                                                                   \
	({                                                                                         \
		__u64 _i = (i);                                                                    \
		asm volatile("%0 &= %1" : "+r"(_i) : "i"((n)-1));                                  \
		_i;                                                                                \
	})

static __always_inline __u32
at_most(__u32 v, __u32 most)
{
	return v < most ? v : most;
}

static __always_inline struct kmon_alloc *
my_allocs(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return counting ? bpf_map_lookup_elem(&allocs, &cpu) : NULL;
}

static __always_inline struct kmon_events *
my_events(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return counting ? bpf_map_lookup_elem(&events, &cpu) : NULL;
}

/* ------------------------------------------------------------- page allocations */

static __always_inline __u32
class_of(__u32 gfp)
{
	if (gfp & gfp_direct_reclaim)
		return KMON_MAY_SLEEP;
	return gfp & gfp_high ? KMON_ATOMIC : KMON_NOWAIT;
}

/* Count a failure by kind and order, and by who asked with which flags. */
static __noinline int
count_failure(struct kmon_alloc *a, const struct kmon_attempt *r, __u32 kind)
{
	struct kmon_failure_key key = {};
	__u64 one = 1, *n;

	if (!a || !r)
		return 0;
	a->failed[AT(class_of(r->gfp), KMON_CLASSES)][AT(kind, KMON_KINDS)]
		 [AT(at_most(r->order, KMON_ORDERS - 1), KMON_ORDERS)]++;
	key.gfp = r->gfp;
	key.order = r->order;
	key.type = r->type;
	key.kind = kind;
	__builtin_memcpy(key.comm, r->comm, sizeof(key.comm));
	n = bpf_map_lookup_elem(&failures, &key);
	if (!n && bpf_map_update_elem(&failures, &key, &one, BPF_NOEXIST) == 0)
		return 0;
	if (!n) /* full, or another CPU was first */
		n = bpf_map_lookup_elem(&failures, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		a->keys_lost++;
	return 0;
}

/* A record with the stack, so many in a span that a storm of failures costs no more than its count. */
static __always_inline void
tell(void *ctx, struct kmon_alloc *a, const struct kmon_attempt *r)
{
	__u64 window = r->ns >> (window_bits & 63);
	struct kmon_failure *f;
	long got;

	if (a->window != window) {
		a->window = window;
		a->details_used = 0;
	}
	f = a->details_used < DETAILS_WINDOW ? bpf_ringbuf_reserve(&details, sizeof(*f), 0) : NULL;
	if (!f) {
		a->details_lost++;
		return;
	}
	a->details_used++;
	f->ns = r->ns;
	f->pid = r->pid;
	f->cpu = bpf_get_smp_processor_id();
	f->gfp = r->gfp;
	f->order = r->order;
	f->type = r->type;
	__builtin_memcpy(f->comm, r->comm, sizeof(f->comm));
	got = bpf_get_stack(ctx, f->stack, sizeof(f->stack), 0);
	f->frames = got > 0 ? got / sizeof(f->stack[0]) : 0;
	bpf_ringbuf_submit(f, BPF_RB_NO_WAKEUP);
}

static __always_inline int
is_attempt(__u32 gfp)
{
	return (gfp & gfp_attempt) == gfp_attempt;
}

/* Is this request the second one of the attempt: by the same thread, with the same right, for less, or for as much in
 * earnest (SLUB asks twice for order 0, too)? An interrupt's own request in between is for more, has another right, or
 * is an attempt itself. */
static __always_inline int
is_second(const struct kmon_attempt *first, const struct kmon_attempt *r)
{
	if (first->pid != r->pid || ((first->gfp ^ r->gfp) & gfp_high) ||
		r->ns - first->ns >= attempt_ns)
		return 0;
	return r->order < first->order || (r->order == first->order && !is_attempt(r->gfp));
}

static __always_inline void
resolve(struct kmon_alloc *a, const struct kmon_attempt *r, int served)
{
	struct kmon_attempt *first = &a->attempt;

	if (!first->valid)
		return;
	if (is_second(first, r)) {
		first->valid = 0;
		count_failure(a, first, served ? KMON_FALLBACK : KMON_SUPERSEDED);
	} else if (r->ns - first->ns >= attempt_ns) {
		first->valid = 0;
		count_failure(a, first, KMON_UNRESOLVED);
	}
}

static __always_inline void
refused(void *ctx, struct kmon_alloc *a, struct kmon_attempt *r)
{
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	if (r->gfp & gfp_account) {
		count_failure(a, r, KMON_MEMCG);
	} else if (is_attempt(r->gfp)) {
		if (a->attempt.valid)
			count_failure(a, &a->attempt, KMON_UNRESOLVED);
		r->valid = 1;
		a->attempt = *r;
	} else {
		count_failure(a, r, KMON_TERMINAL);
		if (class_of(r->gfp) == KMON_ATOMIC)
			tell(ctx, a, r);
	}
}

/* What is not the common case: a refusal, or an attempt that waits for its second request. */
static __noinline int
look_closer(struct bpf_raw_tracepoint_args *ctx, struct kmon_alloc *a)
{
	struct kmon_attempt r = {};
	int served = ctx->args[0] != 0;

	r.ns = bpf_ktime_get_ns();
	r.pid = (__u32)bpf_get_current_pid_tgid();
	r.order = ctx->args[1];
	r.gfp = ctx->args[2];
	r.type = ctx->args[3];
	resolve(a, &r, served);
	if (!served)
		refused(ctx, a, &r);
	return 0;
}

SEC("raw_tp/mm_page_alloc")
int
on_page_alloc(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 order = ctx->args[1], gfp = ctx->args[2], type = ctx->args[3];
	struct kmon_alloc *a = my_allocs();

	if (!a)
		return 0;
	a->requests[AT(class_of(gfp), KMON_CLASSES)]
		   [AT(at_most(order, KMON_ORDERS - 1), KMON_ORDERS)][AT(type, KMON_TYPES)]++;
	if (ctx->args[0] == 0 || a->attempt.valid)
		look_closer(ctx, a);
	return 0;
}

SEC("raw_tp/mm_page_alloc_extfrag")
int
on_extfrag(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 order = ctx->args[1], type = ctx->args[3], from = ctx->args[4];
	struct kmon_events *e = my_events();

	if (!e)
		return 0;
	e->extfrag[AT(type, KMON_TYPES)][AT(from, KMON_TYPES)]++;
	e->extfrag_order[AT(at_most(order, KMON_ORDERS - 1), KMON_ORDERS)]++;
	return 0;
}

#define COUNTER(program, tracepoint, member)                                                       \
	SEC("raw_tp/" tracepoint)                                                                  \
	int program(struct bpf_raw_tracepoint_args *ctx)                                           \
	{                                                                                          \
		struct kmon_events *e = my_events();                                               \
                                                                                                   \
		if (e)                                                                             \
			e->member++;                                                               \
		return 0;                                                                          \
	}

COUNTER(on_kswapd_wakeup, "mm_vmscan_wakeup_kswapd", kswapd_wakeups)
COUNTER(on_kswapd_wake, "mm_vmscan_kswapd_wake", kswapd_wakes)
COUNTER(on_compaction_begin, "mm_compaction_begin", compaction_begin)
COUNTER(on_compaction_end, "mm_compaction_end", compaction_end)
/* The denominator of drivers with page pools: bulk allocations make no mm_page_alloc event. */
COUNTER(on_pool_hold, "page_pool_state_hold", pool_hold)

/* --------------------------------------------------------------------- packets */

COUNTER(on_receive, "netif_receive_skb", received)

SEC("raw_tp/napi_poll")
int
on_napi_poll(struct bpf_raw_tracepoint_args *ctx)
{
	struct kmon_events *e = my_events();
	int work = (int)ctx->args[1];

	if (e && work > 0)
		e->polled += work;
	return 0;
}

static __always_inline __u32
drop_reason(struct bpf_raw_tracepoint_args *ctx)
{
	if (drop_reason_arg == 1)
		return ctx->args[1];
	if (drop_reason_arg == 2)
		return ctx->args[2];
	if (drop_reason_arg == 3)
		return ctx->args[3];
	return drop_reason_none;
}

static __always_inline int
had_entered(void *skb)
{
	int iif = 0;

	bpf_core_read(&iif, sizeof(iif), &((struct sk_buff *)skb)->skb_iif);
	return iif != 0;
}

static __always_inline void
count_reason(__u32 reason, int entered)
{
	__u32 subsystem = at_most(reason >> 16, KMON_SUBSYSTEMS - 1);
	__u32 key = subsystem + (entered ? KMON_SUBSYSTEMS : 0);
	struct kmon_reasons *r = bpf_map_lookup_elem(&reasons, &key);

	if (r)
		r->drops[AT(at_most(reason & 0xffff, KMON_REASONS - 1), KMON_REASONS)]++;
}

SEC("raw_tp/kfree_skb")
int
on_kfree_skb(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 reason = drop_reason(ctx), category = KMON_DROP_OTHER;
	struct kmon_events *e = my_events();
	int entered;

	if (!e)
		return 0;
	if (reason < KMON_REASONS)
		category = drop_category[AT(reason, KMON_REASONS)];
	if (category == KMON_DROP_NONE)
		return 0;
	entered = had_entered((void *)ctx->args[0]);
	/* without a reason, and not received: sockets free what they queued like that, nothing is lost */
	if (category == KMON_DROP_UNSPECIFIED && !entered) {
		e->freed++;
		return 0;
	}
	e->drops[AT(entered, 2)][AT(category, KMON_CATEGORIES)]++;
	count_reason(reason, entered);
	return 0;
}

/* --------------------------------------------------------------------- latency */

/* The thread and what it asks for, in 64 bits: the mark of one call on its CPU. */
static __always_inline __u64
call_mark(__u32 gfp, __u32 order)
{
	return (bpf_get_current_pid_tgid() << 32) | ((gfp << 4) ^ order);
}

/* The target is set before loading: its name changed with the kernels. */
SEC("fentry/__alloc_pages")
int
on_alloc_enter(__u64 *ctx)
{
	__u32 zero = 0, gfp = ctx[0], order = ctx[1];
	struct kmon_timed *t;

	if (class_of(gfp) != KMON_ATOMIC || !counting)
		return 0;
	t = bpf_map_lookup_elem(&timed, &zero);
	if (!t || ++t->skipped < latency_every)
		return 0;
	t->skipped = 0;
	/* an end that was missed, e.g. on another CPU, must not fill the stack for ever */
	if (t->depth >= KMON_NESTED)
		t->depth = 0;
	t->who[AT(t->depth, KMON_NESTED)] = call_mark(gfp, order);
	t->ns[AT(t->depth, KMON_NESTED)] = bpf_ktime_get_ns();
	t->depth++;
	return 0;
}

SEC("fexit/__alloc_pages")
int
on_alloc_exit(__u64 *ctx)
{
	__u32 zero = 0, gfp = ctx[0], order = ctx[1], top;
	struct kmon_latency *l;
	struct kmon_timed *t;
	__u64 took;

	if (class_of(gfp) != KMON_ATOMIC)
		return 0;
	t = bpf_map_lookup_elem(&timed, &zero);
	if (!t || t->depth == 0)
		return 0;
	top = t->depth - 1;
	if (t->who[AT(top, KMON_NESTED)] != call_mark(gfp, order))
		return 0; /* this call was not timed */
	took = bpf_ktime_get_ns() - t->ns[AT(top, KMON_NESTED)];
	t->depth = top;
	l = bpf_map_lookup_elem(&latency, &zero);
	if (!l)
		return 0;
	l->count++;
	l->sum += took;
	if (took > l->max)
		l->max = took;
	l->bucket[AT(kmon_hist_index(took), KMON_HIST_BUCKETS)]++;
	return 0;
}
