/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef KMON_SHARED_H
#define KMON_SHARED_H

/**
 * @file kmon_shared.h
 * What the BPF programs and the process that reads them both know. No header is included: the
 * compiler of each side has its own types, of the same sizes.
 */

typedef unsigned int kmon_u32;
typedef unsigned long long kmon_u64;

/* Powers of two: an index is masked, so that the verifier of every kernel sees its bound. */
#define KMON_ORDERS       16  /**< orders; the largest stands for all above */
#define KMON_TYPES        8   /**< migratetypes */
#define KMON_CLASSES      4   /**< of enum kmon_class */
#define KMON_KINDS        8   /**< of enum kmon_kind */
#define KMON_CATEGORIES   16  /**< of enum kmon_category */
#define KMON_SUBSYSTEMS   8   /**< of drop reasons; the last stands for all above */
#define KMON_REASONS      256 /**< of one subsystem; the last stands for all above */
#define KMON_STACK_DEPTH  24  /**< frames kept of a failed request */
#define KMON_CACHE_LINE   64  /**< CPUs lie beside each other */
#define KMON_COMM_LEN     16
#define KMON_NESTED       4    /**< allocations within each other on a CPU, timed */
#define KMON_HIST_BITS    5    /**< as LAB_HIST_BITS */
#define KMON_HIST_BUCKETS 1024 /**< of LAB_HIST_BUCKETS the first: 60 s in ns is in bucket 1003 */

/** What a request may do for a page. */
enum kmon_class {
	KMON_ATOMIC, /**< may take from the reserve and must not wait: HIGH without DIRECT_RECLAIM */
	KMON_NOWAIT,    /**< must not wait and may not take from the reserve */
	KMON_MAY_SLEEP, /**< may reclaim */
};

/** What a request that got no page came to. */
enum kmon_kind {
	KMON_TERMINAL,   /**< nobody asks for less: the caller has no page */
	KMON_FALLBACK,   /**< an attempt whose smaller second request was served: benign */
	KMON_SUPERSEDED, /**< an attempt whose smaller second request was refused too, and counted */
	KMON_UNRESOLVED, /**< an attempt whose second request was not seen */
	KMON_MEMCG,      /**< an accounted request: its cgroup's limit may be what refused it */
	KMON_NR_KINDS,
};

/** Sorts of packet drop, told apart at every sample. Set per reason by the process. */
enum kmon_category {
	KMON_DROP_NONE,        /**< no loss: a packet that was consumed */
	KMON_DROP_UNSPECIFIED, /**< freed as dropped, without a reason */
	KMON_DROP_MEMORY,      /**< no memory */
	KMON_DROP_SOCKET,      /**< a socket's buffer or backlog is full */
	KMON_DROP_PROTO_MEM,   /**< a protocol's memory limit (tcp_mem, udp_mem) */
	KMON_DROP_BACKLOG,     /**< a CPU's backlog is full (netdev_max_backlog) */
	KMON_DROP_QUEUE,       /**< a queueing discipline or a ring is full */
	KMON_DROP_UNHANDLED,   /**< nobody takes the protocol */
	KMON_DROP_OTHER,
};

/** An attempt that got no page and is asked again for less, if its flags mean what they say. */
struct kmon_attempt {
	kmon_u64 ns;  /**< when */
	kmon_u32 pid; /**< of the thread */
	kmon_u32 gfp;
	kmon_u32 order;
	kmon_u32 type;  /**< migratetype */
	kmon_u32 valid; /**< 1: it waits for its second request */
	kmon_u32 pad;
	char comm[KMON_COMM_LEN];
};

/** Of one CPU, written by the program on mm_page_alloc alone. */
struct kmon_alloc {
	kmon_u64 requests[KMON_CLASSES][KMON_ORDERS][KMON_TYPES];
	kmon_u64 failed[KMON_CLASSES][KMON_KINDS][KMON_ORDERS];
	kmon_u64 keys_lost;    /**< failures that the table of failures had no room for */
	kmon_u64 details_lost; /**< terminal failures without a record in the ring */
	kmon_u64 window;       /**< span of time that details_used counts in */
	kmon_u64 details_used;
	struct kmon_attempt attempt;
} __attribute__((aligned(KMON_CACHE_LINE)));

/** Of one CPU; each figure is written by one program. */
struct kmon_events {
	kmon_u64 extfrag[KMON_TYPES][KMON_TYPES]; /**< [asked for][taken from] */
	kmon_u64 extfrag_order[KMON_ORDERS];      /**< by the order asked for */
	kmon_u64 kswapd_wakeups;                  /**< somebody asked for kswapd */
	kmon_u64 kswapd_wakes;                    /**< kswapd woke */
	kmon_u64 compaction_begin;
	kmon_u64 compaction_end;
	kmon_u64 pool_hold; /**< pages that page pools took from the allocator */
	kmon_u64 received;  /**< skbs that entered the stack */
	kmon_u64 polled;    /**< packets that NAPI polls took from rings */
	kmon_u64 freed;     /**< skbs freed as dropped without a reason, never received */
	kmon_u64 drops[2][KMON_CATEGORIES]; /**< [1: had entered the stack] */
} __attribute__((aligned(KMON_CACHE_LINE)));

/** Drops by reason, of one CPU and subsystem. */
struct kmon_reasons {
	kmon_u64 drops[KMON_REASONS];
};

/** What the table of failures counts by. */
struct kmon_failure_key {
	kmon_u32 gfp;
	kmon_u32 order;
	kmon_u32 type;
	kmon_u32 kind;
	char comm[KMON_COMM_LEN];
};

/** One terminal failure of an atomic request, in the ring. */
struct kmon_failure {
	kmon_u64 ns;
	kmon_u32 pid;
	kmon_u32 cpu;
	kmon_u32 gfp;
	kmon_u32 order;
	kmon_u32 type;
	kmon_u32 frames; /**< of stack */
	char comm[KMON_COMM_LEN];
	kmon_u64 stack[KMON_STACK_DEPTH];
};

/** Beginnings of timed allocations of one CPU: the innermost last. */
struct kmon_timed {
	kmon_u64 ns[KMON_NESTED];
	kmon_u64 who[KMON_NESTED]; /**< thread and request, so that only its own end is taken */
	kmon_u32 depth;
	kmon_u32 skipped; /**< atomic requests since one was timed */
};

/** How long atomic allocations took, of one CPU, ns. */
struct kmon_latency {
	kmon_u64 count, sum, max;
	kmon_u64 bucket[KMON_HIST_BUCKETS];
};

/** The bucket of a value, as lab_hist_index(); written out because BPF counts no leading zeros. */
static inline __attribute__((always_inline)) kmon_u32
kmon_hist_index(kmon_u64 v)
{
	kmon_u64 x = v >> (KMON_HIST_BITS + 1);
	kmon_u32 shift = 0, i;

	if (x == 0)
		return (kmon_u32)v;
	shift = 1;
	if (x >> 32) {
		x >>= 32;
		shift += 32;
	}
	if (x >> 16) {
		x >>= 16;
		shift += 16;
	}
	if (x >> 8) {
		x >>= 8;
		shift += 8;
	}
	if (x >> 4) {
		x >>= 4;
		shift += 4;
	}
	if (x >> 2) {
		x >>= 2;
		shift += 2;
	}
	if (x >> 1)
		shift += 1;
	i = (shift << KMON_HIST_BITS) + (kmon_u32)(v >> shift);
	return i < KMON_HIST_BUCKETS ? i : KMON_HIST_BUCKETS - 1;
}

#endif /* KMON_SHARED_H */
