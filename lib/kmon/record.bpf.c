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

SEC("raw_tp/mm_page_alloc_extfrag")
int
on_steal(struct bpf_raw_tracepoint_args *ctx)
{
	tell(RECORD_STEAL, ctx->args[0], ctx->args[2], 0, ctx->args[3]);
	return 0;
}
