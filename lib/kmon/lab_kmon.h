/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_KMON_H
#define LAB_KMON_H

/**
 * @file lab_kmon.h
 * The running kernel, observed: page allocations that were refused, packets that were dropped, what the
 * NICs counted meanwhile, and how the free memory lay.
 *
 * Four parts that need not be used together: the BPF programs (struct lab_kmon), the counters of network
 * devices (struct lab_nics), the free memory by /proc (lab_kzones_*), and the capabilities of the process.
 *
 * Errors: 0 (or a count) or a negative errno. One thread at a time for one object; none of it is for a
 * signal handler.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lab_diagnose.h"
#include "lab_stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------- BPF programs */

#define LAB_KMON_ORDERS      16  /**< orders counted apart; the last stands for all above */
#define LAB_KMON_TYPES       8   /**< migratetypes */
#define LAB_KMON_COMM_LEN    16  /**< bytes of a task's name, its end included */
#define LAB_KMON_STACK_DEPTH 24  /**< frames of a stack */
#define LAB_KMON_WHY_LEN     160 /**< bytes of a reason in words */

/** What a request may do for a page. */
enum lab_kmon_class {
	LAB_KMON_ATOMIC,    /**< must not wait, and may take from the reserve (GFP_ATOMIC) */
	LAB_KMON_NOWAIT,    /**< must not wait, without the reserve */
	LAB_KMON_MAY_SLEEP, /**< may reclaim (GFP_KERNEL) */
	LAB_KMON_NR_CLASSES,
};

/** What a request that got no page came to. */
enum lab_kmon_kind {
	LAB_KMON_TERMINAL, /**< the caller has no page */
	/** An attempt (NOWARN and NORETRY) whose second request, smaller or in earnest, was served: benign. */
	LAB_KMON_FALLBACK,
	LAB_KMON_SUPERSEDED, /**< an attempt whose second request failed, and is counted itself */
	LAB_KMON_UNRESOLVED, /**< an attempt whose second request was not seen within 20 ms on its CPU */
	LAB_KMON_MEMCG, /**< __GFP_ACCOUNT: the limit of a cgroup may be what refused it, and not the zone */
	LAB_KMON_NR_KINDS,
};

/** Sorts of packet drop that are told apart at every sample. */
enum lab_kmon_drop {
	LAB_KMON_DROP_MEMORY,    /**< the kernel's reason says: no memory (NOMEM, PFMEMALLOC) */
	LAB_KMON_DROP_SOCKET,    /**< a socket's receive buffer or backlog is full */
	LAB_KMON_DROP_PROTO_MEM, /**< a protocol's memory limit (tcp_mem, udp_mem) */
	LAB_KMON_DROP_BACKLOG,   /**< a CPU's backlog is full (net.core.netdev_max_backlog) */
	LAB_KMON_DROP_QUEUE,     /**< a queueing discipline or a ring is full */
	LAB_KMON_DROP_UNHANDLED, /**< nobody takes the protocol; devices count it as rx_dropped, too */
	LAB_KMON_DROP_UNSPECIFIED, /**< a received packet, dropped for no stated reason */
	LAB_KMON_DROP_OTHER,       /**< any other reason */
	LAB_KMON_NR_DROPS,
};

/** "atomic", "nowait", "may_sleep". */
const char *lab_kmon_class_name(enum lab_kmon_class c);
/** "terminal", "fallback", "superseded", "unresolved", "memcg". */
const char *lab_kmon_kind_name(enum lab_kmon_kind k);
/** "memory", "socket", "proto_mem", "backlog", "queue", "unhandled", "unspecified", "other". */
const char *lab_kmon_drop_name(enum lab_kmon_drop d);

/** Totals since the programs were attached, all CPUs. Read at every sample. */
struct lab_kmon_totals {
	/** Events by class, order and migratetype; an attempt and its second request are two. */
	uint64_t requests[LAB_KMON_NR_CLASSES][LAB_KMON_ORDERS][LAB_KMON_TYPES];
	/** Requests that got no page. */
	uint64_t failed[LAB_KMON_NR_CLASSES][LAB_KMON_NR_KINDS][LAB_KMON_ORDERS];
	uint64_t extfrag[LAB_KMON_TYPES][LAB_KMON_TYPES]; /**< [asked for][taken from] */
	uint64_t extfrag_order[LAB_KMON_ORDERS];          /**< by the order asked for */
	uint64_t kswapd_wakeups;                          /**< kswapd was asked for */
	uint64_t kswapd_wakes;                            /**< and woke */
	uint64_t compaction_begin, compaction_end;
	uint64_t pool_hold; /**< pages that page pools took; bulk ones make no event above */
	uint64_t received;  /**< skbs that entered the stack; one that GRO merged counts once */
	uint64_t polled;    /**< packets that NAPI polls took from rings */
	uint64_t
		freed; /**< skbs freed as dropped, never received, without a reason: no loss known */
	/** Dropped skbs; [1]: they had entered the stack, [0]: before it, or on the way out. */
	uint64_t drops[2][LAB_KMON_NR_DROPS];
	uint64_t details_lost; /**< terminal atomic failures without a record for lab_kmon_poll() */
	uint64_t keys_lost;    /**< failures that lab_kmon_failures() does not know */
};

/** Failures of one kind by one sort of caller. */
struct lab_kmon_who {
	enum lab_kmon_kind kind;
	uint32_t gfp;   /**< as the running kernel numbers its bits */
	uint32_t order; /**< of the request */
	uint32_t type;  /**< migratetype */
	char comm[LAB_KMON_COMM_LEN];
	uint64_t n; /**< how many */
};

/** Drops for one reason. */
struct lab_kmon_reason {
	uint32_t reason;    /**< the kernel's number, its subsystem in the high 16 bits */
	const char *name;   /**< without SKB_DROP_REASON_; the object's own */
	uint64_t entered;   /**< of skbs that had entered the stack */
	uint64_t elsewhere; /**< before it, or on the way out */
};

/** One terminal failure of an atomic request. */
struct lab_kmon_failure {
	uint64_t ns; /**< CLOCK_MONOTONIC */
	uint32_t pid, cpu;
	uint32_t gfp, order, type;
	uint32_t frames; /**< of stack */
	char comm[LAB_KMON_COMM_LEN];
	uint64_t stack[LAB_KMON_STACK_DEPTH]; /**< kernel addresses, innermost first */
};

/** What is observed, or is not, and why. */
struct lab_kmon_column {
	const char *name;           /**< of the figure, e.g. "extfrag" */
	const char *source;         /**< the tracepoint or function */
	bool on;                    /**< it is counted */
	char why[LAB_KMON_WHY_LEN]; /**< where not: the reason in words */
	uint64_t missed; /**< events while the program ran on the same CPU already; after a read */
};

/** What a kernel may do to a program, for tests. */
enum lab_kmon_fault_kind {
	LAB_KMON_FAULT_ABSENT,       /**< have no such tracepoint */
	LAB_KMON_FAULT_REFUSED,      /**< not take the program */
	LAB_KMON_FAULT_UNATTACHABLE, /**< take it and not attach it */
};

/** The program that it does so to. */
struct lab_kmon_fault {
	const char *column; /**< by the name of its figure */
	enum lab_kmon_fault_kind kind;
};

/** How to observe. */
struct lab_kmon_opts {
	unsigned int latency_every; /**< time one of so many atomic requests; 0: none */
	bool idle; /**< load the programs, but leave them unattached, for lab_kmon_attach() or tests */
	/** A request later than that is not the second one of an attempt, ns. 0: 20 ms. For tests, which must not hurry. */
	uint64_t attempt_ns;
	/** Records of failures are bounded in each span of so many ns, as a power of two. 0: 30, about a second. */
	unsigned int window_bits;
	const struct lab_kmon_fault *fault; /**< for tests; NULL: none */
};

/** The programs, loaded and attached. */
struct lab_kmon;

/**
 * Load and attach what the running kernel takes. A program that it refuses is left out, and its column
 * says why; without the two that everything rests upon (mm_page_alloc and kfree_skb) this fails.
 *
 * Needs CAP_BPF and CAP_PERFMON, which may be dropped afterwards, and the kernel's BTF
 * (/sys/kernel/btf/vmlinux). Addresses get names if /proc/kallsyms shows them at this moment.
 * @param k    out; for lab_kmon_close()
 * @param opts NULL: time one of 16, attached
 * @param why  what was wrong and what would be right, one line; may be NULL
 * @param len  of why
 * @return 0, -EPERM (capabilities), -ENOTSUP (no BTF, no BPF, or not these programs), -ENOMEM, ...
 */
int lab_kmon_open(struct lab_kmon **k, const struct lab_kmon_opts *opts, char *why, size_t len);
/**
 * Attach what was opened idle. Counting begins for all programs at once, as this returns. Before the capabilities
 * are dropped. @return as lab_kmon_open()
 */
int lab_kmon_attach(struct lab_kmon *k, char *why, size_t len);
/** Counting ends for all programs at once, and all figures stand still. They can be read until the end. */
void lab_kmon_stop(struct lab_kmon *k);
/** Detach what was attached. Takes a while; needs no capability. */
void lab_kmon_detach(struct lab_kmon *k);
/** Detach and free. NULL is accepted. */
void lab_kmon_close(struct lab_kmon *k);

/** Columns, in a fixed order. The object's own, up to date with the last lab_kmon_read(). */
const struct lab_kmon_column *lab_kmon_columns(const struct lab_kmon *k, unsigned int *n);
/** Bring the columns' `missed` up to date: a system call a program. */
void lab_kmon_update_missed(struct lab_kmon *k);

/** Totals now. No system call: the programs count in memory that is mapped here. */
void lab_kmon_read(const struct lab_kmon *k, struct lab_kmon_totals *out);
/** As lab_kmon_read(), with attempts that still wait for their second request as unresolved: after a run. */
void lab_kmon_settle(const struct lab_kmon *k, struct lab_kmon_totals *out);
/** Who was refused, the most frequent first. @return how many (at most max), or a negative errno */
int lab_kmon_failures(struct lab_kmon *k, struct lab_kmon_who *out, unsigned int max);
/** Why packets were dropped, the most frequent first. @return how many (at most max), -errno */
int lab_kmon_reasons(struct lab_kmon *k, struct lab_kmon_reason *out, unsigned int max);
/** How long atomic allocations took, ns. @return 0, -ENOTSUP where it is not measured */
int lab_kmon_latency(struct lab_kmon *k, struct lab_hist *out);

/** Called for each record. */
typedef void (*lab_kmon_failure_fn)(const struct lab_kmon_failure *f, void *arg);
/** Take the records of terminal failures since the last call. @return how many, -errno */
int lab_kmon_poll(struct lab_kmon *k, lab_kmon_failure_fn fn, void *arg);

/** Name of a drop reason, without SKB_DROP_REASON_; the object's own, never NULL. */
const char *lab_kmon_reason_name(const struct lab_kmon *k, uint32_t reason);
/** Name of a migratetype of the running kernel ("Unmovable" ...); never NULL. */
const char *lab_kmon_type_name(const struct lab_kmon *k, uint32_t type);
/**
 * A kernel address as "function+0x12", or as a number where names may not be read.
 * @return buf
 */
const char *lab_kmon_symbol(struct lab_kmon *k, uint64_t address, char *buf, size_t len);

/** The programs, for a test run with arguments of its own. */
enum lab_kmon_program {
	LAB_KMON_PAGE_ALLOC, /**< page, order, gfp, migratetype */
	LAB_KMON_KFREE_SKB,  /**< skb, location, reason */
	LAB_KMON_EXTFRAG,    /**< page, order, fallback order, migratetype, fallback migratetype */
	LAB_KMON_POOL_HOLD,  /**< pool, page, count */
	LAB_KMON_NAPI_POLL,  /**< napi, work, budget */
	LAB_KMON_RECEIVE,    /**< skb */
	LAB_KMON_KSWAPD_WAKEUP,    /**< node, zone, order, gfp */
	LAB_KMON_KSWAPD_WAKE,      /**< node, zone, order */
	LAB_KMON_COMPACTION_BEGIN, /**< the scanners' places */
	LAB_KMON_COMPACTION_END,   /**< likewise, and what came of it */
};

/**
 * Run a program once on CPU cpu, as if its tracepoint had been hit (BPF_PROG_TEST_RUN).
 * @param args 5 of them, as in the tracepoint's prototype
 * @return 0, -ENOTSUP when the column is off, or what the kernel said
 */
int lab_kmon_test_run(struct lab_kmon *k, enum lab_kmon_program program, unsigned int cpu,
	const uint64_t args[5]);
/** Number of a drop reason by its name, e.g. "NOMEM". @return it, -ENOENT */
int64_t lab_kmon_reason_find(const struct lab_kmon *k, const char *name);

/* ------------------------------------------------------------------- capabilities */

/**
 * Does the process have what lab_kmon_open() needs? why gets what is missing and what would help.
 * @return 0, -EPERM
 */
int lab_kmon_may(char *why, size_t len);
/** Give up all capabilities, for good, in this thread (call it while there is one only). @return 0, -errno */
int lab_kmon_drop_capabilities(void);

/* --------------------------------------------------------------- network devices */

#define LAB_NIC_NAME_LEN   16 /**< bytes of a device's name, its end included */
#define LAB_NIC_DRIVER_LEN 48 /**< bytes of a driver's counter's name */

/** What a driver's counter of lost buffers counts. */
enum lab_nic_counter_kind {
	LAB_NIC_COUNTER_NONE,       /**< nothing of interest here */
	LAB_NIC_COUNTER_ALLOC_FAIL, /**< buffers that could not be allocated */
	LAB_NIC_COUNTER_LOST,       /**< packets that found no buffer */
};

/** What is a counter of `ethtool -S`, by its name? */
enum lab_nic_counter_kind lab_nic_counter_kind(const char *name);
/**
 * Is it the counter of one queue, whose sum another counter of the list gives? (mlx5's rx0_buff_alloc_err beside
 * rx_buff_alloc_err.)
 */
bool lab_nic_counter_is_part(const char *name, const char *const *all, size_t n);

/** One counter of a driver. */
struct lab_nic_counter {
	char name[LAB_NIC_DRIVER_LEN];
	enum lab_nic_counter_kind kind;
	uint64_t value; /**< since lab_nics_open() */
};

/** One device; figures since lab_nics_open(). */
struct lab_nic {
	char name[LAB_NIC_NAME_LEN];
	int ifindex;
	uint64_t rx_packets, rx_dropped, rx_missed, rx_errors,
		rx_nohandler; /**< packets, stats64 */
	uint64_t tx_packets, tx_dropped;
	bool has_qstats;               /**< the netdev family tells of its queues */
	uint64_t qstats_rx_alloc_fail; /**< refills that failed */
	uint64_t qstats_rx_hw_drops;
	unsigned int nr_counters;               /**< of counters */
	const struct lab_nic_counter *counters; /**< the object's own */
};

/** Network devices of the namespace that it was opened in. */
struct lab_nics;

/**
 * Find the devices and take their figures as the base. Needs no capability.
 * @param names devices to watch, NULL: those with hardware (or virtio) behind them, and if there are none
 *              all but loopback
 * @param n     of names
 * @param why   may be NULL
 * @return 0, -ENODEV for a name that is not there, what netlink said
 */
int lab_nics_open(
	struct lab_nics **nics, const char *const *names, unsigned int n, char *why, size_t len);
/** Free it. NULL is accepted. */
void lab_nics_close(struct lab_nics *nics);
/** Count from here. @return 0, -errno */
int lab_nics_restart(struct lab_nics *nics);
/**
 * Read the counters: stats64 always; with slow also queue statistics and the drivers' own, which may take
 * long.
 * @return 0, -errno
 */
int lab_nics_read(struct lab_nics *nics, bool slow);
/** Device i, NULL past the last. */
const struct lab_nic *lab_nics_get(const struct lab_nics *nics, unsigned int i);

/* -------------------------------------------------------------------- free memory */

/**
 * /proc/zoneinfo and /proc/buddyinfo of this machine, as lab_diag_read_proc() has them.
 * @return 0, -errno, -EINVAL when they hold no zone
 */
int lab_kzones_read(struct lab_diag_report *r);
/**
 * The free blocks of a report of lab_kzones_read(), as they are now. /proc/zoneinfo, which takes the more time the more
 * CPUs there are, is not read. @return 0, -errno
 */
int lab_kzones_update(struct lab_diag_report *r);
/** Free blocks of all zones by order; those above LAB_MAX_ORDER are left out. */
void lab_kzones_sum(const struct lab_diag_report *r, unsigned long blocks[LAB_NR_ORDERS]);
/** Linux's indices of free blocks by order, times 1000. */
void lab_kzones_indices(
	const unsigned long blocks[LAB_NR_ORDERS], unsigned int order, int *unusable, int *extfrag);

#ifdef __cplusplus
}
#endif

#endif /* LAB_KMON_H */
