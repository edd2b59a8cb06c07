/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_LIST_H
#define LAB_LIST_H

/**
 * @file list.h
 * Frames of the buddy allocator and lists of their blocks, linked by frame number.
 */

#include "spin.h"

#pragma GCC visibility push(hidden)

#define LAB_NO_PFN UINT32_MAX

/** A frame is the head of a block, or inside of one (0, so that fresh memory needs no writing). */
enum lab_frame_state {
	LAB_FRAME_INSIDE,
	LAB_FRAME_FREE,
	LAB_FRAME_PCP,
	LAB_FRAME_ALLOCATED,
	LAB_FRAME_OFFLINE,
};

#define LAB_FRAME_COMP 1U

/** One per frame. The links belong to whoever holds the lock of the list the block is on. */
struct lab_frame {
	uint32_t next, prev;
	_Atomic uint32_t word; /**< state, order, migratetype, flags: a byte each */
};

static inline uint32_t
lab_word(enum lab_frame_state state, unsigned int order, unsigned int mt, unsigned int flags)
{
	return (uint32_t)state | order << 8 | mt << 16 | flags << 24;
}

#define lab_word_state(w) ((w)&0xff)
#define lab_word_order(w) ((w) >> 8 & 0xff)
#define lab_word_mt(w)    ((w) >> 16 & 0xff)
#define lab_word_flags(w) ((w) >> 24)
#define lab_word_key(w)   ((w)&0xffff) /* state and order together */

/** Blocks linked by frame number; both ends are LAB_NO_PFN when it is empty. */
struct lab_list {
	uint32_t head, tail;
	_Atomic uint32_t count; /**< blocks */
};

static inline void
lab_list_init(struct lab_list *l)
{
	l->head = l->tail = LAB_NO_PFN;
	wr(&l->count, 0);
}

static inline void
lab_list_add_head(struct lab_frame *f, struct lab_list *l, uint32_t pfn)
{
	f[pfn].prev = LAB_NO_PFN;
	f[pfn].next = l->head;
	if (l->head == LAB_NO_PFN)
		l->tail = pfn;
	else
		f[l->head].prev = pfn;
	l->head = pfn;
	inc(&l->count, 1);
}

static inline void
lab_list_add_tail(struct lab_frame *f, struct lab_list *l, uint32_t pfn)
{
	f[pfn].next = LAB_NO_PFN;
	f[pfn].prev = l->tail;
	if (l->tail == LAB_NO_PFN)
		l->head = pfn;
	else
		f[l->tail].next = pfn;
	l->tail = pfn;
	inc(&l->count, 1);
}

static inline void
lab_list_del(struct lab_frame *f, struct lab_list *l, uint32_t pfn)
{
	uint32_t next = f[pfn].next, prev = f[pfn].prev;

	if (prev == LAB_NO_PFN)
		l->head = next;
	else
		f[prev].next = next;
	if (next == LAB_NO_PFN)
		l->tail = prev;
	else
		f[next].prev = prev;
	dec(&l->count, 1);
}

#pragma GCC visibility pop

#endif /* LAB_LIST_H */
