/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Each event of one zone's pages goes into the ring. A page is known by its address alone, and its frame number by the
 * place of the table of pages, which the process finds out. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "record_shared.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* Set by the process, the mode last. */
int mode = RECORD_OFF;
__u64 pages_base = 0; /* address of the page of frame 0, were there one */
__u64 first_pfn = 0;
__u64 nr_pfns = 0;
__u64 lost = 0;

const volatile __u32 page_size = 64; /* bytes of a struct page: a power of two, or division costs */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 * 1024 * 1024);
} ring SEC(".maps");

static __always_inline void
put(__u32 type, __u64 page, __u32 order, __u32 gfp, __u32 migratetype)
{
	struct record_event *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	e->ns = bpf_ktime_get_ns();
	e->page = page;
	e->gfp = gfp;
	e->cpu = (__u16)bpf_get_smp_processor_id();
	e->type = (__u8)type;
	e->order_and_type = (__u8)((order & 15) | (migratetype & 15) << 4);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

static __always_inline void
tell(__u32 type, __u64 page, __u32 order, __u32 gfp, __u32 migratetype)
{
	__u64 pfn = (page - pages_base) / page_size;

	if (mode == RECORD_EVENTS && pfn - first_pfn < nr_pfns)
		put(type, pfn, order, gfp, migratetype);
}

SEC("raw_tp/mm_page_alloc")
int
on_alloc(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 page = ctx->args[0];
	__u32 order = ctx->args[1], gfp = ctx->args[2], migratetype = ctx->args[3];

	if (mode == RECORD_ADDRESSES) {
		if (page && order == 0)
			put(RECORD_PAGE, page, order, gfp, migratetype);
	} else if (page) {
		tell(RECORD_ALLOC, page, order, gfp, migratetype);
	} else if (mode == RECORD_EVENTS) {
		put(RECORD_REFUSE, 0, order, gfp, migratetype);
	}
	return 0;
}

/* mm_page_free_batched comes for the same pages once more, so it is left alone. */
SEC("raw_tp/mm_page_free")
int
on_free(struct bpf_raw_tracepoint_args *ctx)
{
	tell(RECORD_FREE, ctx->args[0], ctx->args[1], 0, 0);
	return 0;
}

SEC("raw_tp/mm_page_pcpu_drain")
int
on_drain(struct bpf_raw_tracepoint_args *ctx)
{
	tell(RECORD_DRAIN, ctx->args[0], ctx->args[1], 0, ctx->args[2]);
	return 0;
}

/* Each block that leaves the free blocks: for a per-CPU list, or for a request itself. */
SEC("raw_tp/mm_page_alloc_zone_locked")
int
on_take(struct bpf_raw_tracepoint_args *ctx)
{
	tell(RECORD_TAKE, ctx->args[0], ctx->args[1], 0, ctx->args[2]);
	return 0;
}

/* Compaction takes free blocks without any of these events. What it took and then had no use for it frees again, with
 * one. A thread compacts a zone from begin to end. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64); /* pages taken, as far as was told, and not used yet */
} compacting SEC(".maps");

static __always_inline void
put_compaction(__u64 from, __u64 end, __u32 pages)
{
	end -= first_pfn;
	put(RECORD_COMPACT, record_range(from - first_pfn, end < nr_pfns ? end : nr_pfns), 0, pages,
		0);
}

static __always_inline void
isolated(__u64 start_pfn, __u64 end_pfn, __u64 pages)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	__u64 *waiting;

	if (mode != RECORD_EVENTS || pages == 0 || start_pfn - first_pfn >= nr_pfns)
		return;
	put_compaction(start_pfn, end_pfn, (__u32)pages);
	waiting = bpf_map_lookup_elem(&compacting, &thread);
	if (waiting)
		*waiting += pages;
}

SEC("raw_tp/mm_compaction_isolate_freepages")
int
on_isolate(struct bpf_raw_tracepoint_args *ctx)
{
	isolated(ctx->args[0], ctx->args[1], ctx->args[3]);
	return 0;
}

/* The fast way looks at free lists, and takes blocks from the first frame that is told on: where the scanner is, the second
 * one, does not bound it. */
SEC("raw_tp/mm_compaction_fast_isolate_freepages")
int
on_fast_isolate(struct bpf_raw_tracepoint_args *ctx)
{
	isolated(ctx->args[0], first_pfn + nr_pfns, ctx->args[3]);
	return 0;
}

/* Before 6.3 the fast way to free blocks has no event: more pages moved than were taken tell of it. */
SEC("raw_tp/mm_compaction_begin")
int
on_compaction_begin(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	__u64 none = 0;

	if (mode == RECORD_EVENTS && ctx->args[1] == first_pfn)
		bpf_map_update_elem(&compacting, &thread, &none, BPF_ANY);
	return 0;
}

SEC("raw_tp/mm_compaction_migratepages")
int
on_migrate(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	__u64 *waiting = bpf_map_lookup_elem(&compacting, &thread), moved = (__u32)ctx->args[1];

	if (!waiting)
		return 0;
	if (moved > *waiting)
		put_compaction(first_pfn, first_pfn + nr_pfns, (__u32)(moved - *waiting));
	*waiting -= moved < *waiting ? moved : *waiting;
	return 0;
}

SEC("raw_tp/mm_compaction_end")
int
on_compaction_end(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&compacting, &thread);
	return 0;
}

SEC("raw_tp/mm_page_alloc_extfrag")
int
on_steal(struct bpf_raw_tracepoint_args *ctx)
{
	/* the order that was asked for, then that of the block where it was */
	tell(RECORD_STEAL, ctx->args[0], ctx->args[2], (__u32)ctx->args[1], ctx->args[3]);
	return 0;
}
