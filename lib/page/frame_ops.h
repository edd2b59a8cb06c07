/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAME_OPS_H
#define LAB_FRAME_OPS_H

/**
 * @file frame_ops.h
 * The table behind which a frame allocator sits.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

struct lab_request;

/**
 * A frame allocator: who hands out blocks once the gate has let a request in, with its caches and
 * its locks if it has any. Chosen by the index in the zone, for a pointer would mean nothing to the
 * other processes that map it.
 */
struct lab_frame_ops {
	/** Bytes of metadata beside the zone and its per-CPU part; set their places in `z` if not NULL. */
	size_t (*layout)(struct lab_zone *z, unsigned char *meta, unsigned int nr_cpus,
		const struct lab_zone_config *cfg);
	/** Take a block for a request and count it; LAB_NO_PFN if there is none. If it is to be zero,
	 *  lab_zero_block() follows. */
	uint32_t (*take)(
		struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags);
	/** Take up to n single frames for a request that passed the gate. @param zeroed out if the request
	 *  says ZERO: how many of them, from the first on, are zero already. @return how many. */
	unsigned int (*bulk)(struct lab_zone *z, const struct lab_request *rq,
		unsigned int alloc_flags, unsigned int n, void **pages, unsigned int *zeroed);
	/** Give back what may be an allocated block; aligned and inside of the zone. @return 0,
	 *  -EINVAL, -EALREADY. */
	int (*give)(struct lab_zone *z, uint32_t pfn, unsigned int order);
	/** [split_page] @return 0, -EINVAL. */
	int (*split)(struct lab_zone *z, uint32_t pfn, unsigned int order);
	/** Give the caches' pages back. @return pages. */
	unsigned long (*drain)(struct lab_zone *z);
	/** After a pass found nothing: true if that is so; false if caches may have held something, which
	 *  has been brought home: try again. `before` was added up before that pass; NULL for allocators
	 *  whose caches keep what they hold. */
	bool (*settle)(struct lab_zone *z, struct percpu_sum *before);
	/** Would take() find a block? Needs no lock. */
	bool (*can_take)(const struct lab_zone *z, unsigned int order, unsigned int mt,
		unsigned int alloc_flags);
	/** Hand frames over for the first time, in rising order. The zone's lock is held. */
	void (*online)(struct lab_zone *z, uint32_t start, uint32_t end);
	bool (*is_offline)(const struct lab_zone *z, uint32_t pfn);
	/** Mark all frames as offline: at creation. */
	void (*set_offline)(struct lab_zone *z);
	/** Fill in of the free blocks at least what the gate asks: whether there are some of an order,
	 *  for whom. In bounded time. */
	void (*gate_blocks)(const struct lab_zone *z, struct lab_free_counts *out);
	/** Fill in all free blocks by order and type. */
	void (*count)(const struct lab_zone *z, struct lab_free_counts *out);
	/** The block at pfn, which starts one. Everything is locked that can be. */
	struct lab_block (*block_at)(const struct lab_zone *z, uint32_t pfn);
	/** Visit the free blocks in the order in which they will be handed out. Locked likewise. */
	int (*walk_free)(
		struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg);
	/** Forget all blocks: no frame is free, none is allocated. Locked likewise. */
	void (*reset)(struct lab_zone *z);
	/** Put a block into a zone that was reset: free, at the end of the order of handing out, or
	 *  allocated. Locked likewise. */
	void (*place)(struct lab_zone *z, const struct lab_block *b);
	/** Check the whole; false with `why` filled. Locked likewise. */
	bool (*is_valid)(struct lab_zone *z, char *why, size_t len);
	/** Add what the allocator counts in its own way; may be NULL. */
	void (*stats)(const struct lab_zone *z, struct lab_zone_stats *out);
};

extern const struct lab_frame_ops lab_buddy_ops;
extern const struct lab_frame_ops lab_labyrinth_ops;

const struct lab_frame_ops *lab_frame_ops(const struct lab_zone *z);

#pragma GCC visibility pop

#endif /* LAB_FRAME_OPS_H */
