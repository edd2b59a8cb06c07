/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_DIAGNOSE_H
#define LAB_DIAGNOSE_H

/**
 * @file lab_diagnose.h
 * Why a Linux kernel refused a page: from its "page allocation failure" message, or from /proc.
 *
 * A message (or /proc) is read into a struct lab_diag_report, which holds what the text says and nothing else:
 * a figure that is not there is LAB_DIAG_UNKNOWN. lab_diagnose() then applies the kernel's own arithmetic
 * (lab_watermark_ok() of lab_page.h, and the rules of older kernels) to these figures, names the gate that
 * closed, and works out which changes would have opened it. What it had to assume it says in the notes.
 *
 * A message's figures are printed after the refusal, while other CPUs go on; if by them the request would be
 * served, the verdict is LAB_DIAG_OPEN and no guess is made.
 *
 * Units are pages of the kernel that wrote the message (page_kb), unless a name says kB. Nothing here
 * allocates but lab_diag_parse(), which needs as much as the text. Any thread; no signal handler.
 *
 * Sources: Linux 2.6.32 to 6.18, mm/page_alloc.c, mm/show_mem.c, include/linux/gfp.h; facts, no code.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab_page.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A figure that the text does not have. */
#define LAB_DIAG_UNKNOWN (-1L)

/** Most zones of one report; those beyond are counted, not kept. */
#define LAB_DIAG_MAX_ZONES 64
/** Most entries of lowmem_reserve[]: the kernel's MAX_NR_ZONES. */
#define LAB_DIAG_MAX_RESERVES 6
/** Orders that are told apart; of arm64 with 64 kB pages there are more than LAB_NR_ORDERS. */
#define LAB_DIAG_NR_ORDERS 16

/** The kernel's zones, in its order. */
enum lab_diag_zone_type {
	LAB_DIAG_DMA,
	LAB_DIAG_DMA32,
	LAB_DIAG_NORMAL,
	LAB_DIAG_HIGHMEM,
	LAB_DIAG_MOVABLE,
	LAB_DIAG_DEVICE,
	LAB_DIAG_NR_TYPES,
};

/** "DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"; NULL if out of range. */
const char *lab_diag_zone_name(enum lab_diag_zone_type type);

/** A zone as the text has it. Pages, or LAB_DIAG_UNKNOWN. */
struct lab_diag_zone {
	int node;
	enum lab_diag_zone_type type;
	long free, min, low, high; /**< min to high with the boost, as the kernel prints them */
	long boost;
	long present, managed;
	long free_cma;
	long reserved_highatomic; /**< pages of pageblocks kept for high orders */
	long free_highatomic;     /**< of them free */
	long free_pcp;            /**< in per-CPU lists: not in free */
	unsigned int nr_reserves;
	long lowmem_reserve[LAB_DIAG_MAX_RESERVES]; /**< by zone index of that kernel */
	bool has_blocks;                            /**< blocks[] was there */
	bool has_types;                             /**< types[] too */
	unsigned long blocks[LAB_DIAG_NR_ORDERS];   /**< free blocks of each order */
	/** Bit t: there is a free block of that order in the list of enum lab_migratetype t. */
	unsigned int types[LAB_DIAG_NR_ORDERS];
	/** Free blocks by type, where the text counts them (pagetypeinfo); else all 0. */
	unsigned long typed[LAB_DIAG_NR_ORDERS][LAB_MIGRATE_TYPES];
};

/** Where a report comes from. */
enum lab_diag_source {
	LAB_DIAG_MESSAGE, /**< a kernel message: a request was refused */
	LAB_DIAG_PROC,    /**< /proc: would one be? */
};

/** What a text says of one request and the memory that it met. */
struct lab_diag_report {
	enum lab_diag_source source;
	unsigned int line; /**< of the text, from 1, where the message begins; 0: none */
	char comm[32];     /**< who asked; "" unknown, as in the next four */
	char kernel[64];   /**< release, e.g. "3.10.0-1062.el7.x86_64" */
	char caller[64];   /**< first function of the stack above the allocator */
	char module[32];   /**< of that function */
	char cache[48];    /**< the slab cache that a SLUB line names */
	int major, minor;  /**< of the kernel; -1 unknown */
	int patch; /**< the third number; Debian has it behind its name, not in the release; -1 unknown */
	int cpu;   /**< -1 unknown */
	int order; /**< -1 unknown */
	bool has_mode;
	uint32_t mode;        /**< the number, as that kernel has its bits */
	char gfp_names[256];  /**< "GFP_ATOMIC|__GFP_COMP"; "" where the kernel printed none */
	unsigned int page_kb; /**< kB of a page; 4 if nothing says */
	bool page_kb_known;
	long suppressed;                   /**< messages that the kernel left out before this one */
	bool vmalloc;                      /**< vmalloc complained: no page was refused */
	bool highmem;                      /**< it counts pages of HighMem, shown or not */
	long min_free_kbytes;              /**< of /proc/sys/vm, as the next two */
	long watermark_scale_factor;       /**< of 10000 */
	long ratio[LAB_DIAG_NR_TYPES];     /**< lowmem_reserve_ratio by zone type */
	unsigned int nr_zones, lost_zones; /**< kept; and not */
	struct lab_diag_zone zones[LAB_DIAG_MAX_ZONES];
};

/** An empty report: everything unknown. */
void lab_diag_report_init(struct lab_diag_report *r);

/** Told of each message. @return 0 to go on, anything else ends the reading and is returned. */
typedef int (*lab_diag_fn)(const struct lab_diag_report *r, void *arg);

/**
 * Find every "page allocation failure" in a text, in order. Lines may have the prefixes of dmesg, syslog and
 * journald (or several), be quoted by '>', be wrapped between words, and have "#012" for a new line.
 * @param text of len bytes; need not be terminated, and may hold anything
 * @param fn   called for each
 * @param arg  of fn
 * @return how many, -ENOMEM, or what fn returned.
 */
long lab_diag_parse(const char *text, size_t len, lab_diag_fn fn, void *arg);

/** How many OOM reports a text holds: another matter, but often what is pasted. */
unsigned int lab_diag_count_oom(const char *text, size_t len);

/** The texts of /proc that a report is made of; NULL for one that could not be read. */
struct lab_diag_proc {
	const char *zoneinfo;  /**< needed */
	const char *buddyinfo; /**< needed for orders above 0 */
	const char *pagetypeinfo;
	const char *osrelease;              /**< sys/kernel/osrelease */
	const char *min_free_kbytes;        /**< sys/vm/..., as the next two */
	const char *watermark_scale_factor; /**< */
	const char *lowmem_reserve_ratio;   /**< */
};

/**
 * Read /proc into a report. The request (order, gfp_names) is the caller's to set.
 * @return 0; -EINVAL if zoneinfo has no zone
 */
int lab_diag_read_proc(const struct lab_diag_proc *proc, struct lab_diag_report *r);
/** Bring the free blocks of a report up to date by the text of /proc/buddyinfo; all else stays. */
void lab_diag_update_blocks(const char *buddyinfo, struct lab_diag_report *r);

/* ------------------------------------------------------------------- verdict */

/** Which gate closed. */
enum lab_diag_gate {
	LAB_DIAG_OPEN,           /**< none: by these figures the request would be served */
	LAB_DIAG_EXHAUSTED,      /**< fewer pages are free than the block has */
	LAB_DIAG_WATERMARK,      /**< free pages are at or under the request's share of min */
	LAB_DIAG_LOWMEM_RESERVE, /**< over that, but the zone keeps pages for requests that need it */
	LAB_DIAG_HIGHATOMIC, /**< the pages or blocks that are left are kept for high-order atomics */
	LAB_DIAG_CMA,        /**< they are CMA's, for movable pages only */
	LAB_DIAG_ORDER,      /**< pages enough, but no block of that order */
	LAB_DIAG_NOT_ASKED,  /**< of a zone that the request may not use */
	LAB_DIAG_NO_FIGURES, /**< the text has too little to tell */
	LAB_DIAG_NR_GATES,
};

/** "open", "exhausted", "watermark", "lowmem_reserve", "highatomic", "cma", "order", "not asked",
 *  "no figures"; NULL if out of range. */
const char *lab_diag_gate_name(enum lab_diag_gate gate);

/** Whose rules decide. */
enum lab_diag_rules {
	LAB_DIAG_RULES_OLD, /**< to 4.3: every lower order is held to a halved mark; no highatomic */
	LAB_DIAG_RULES_4_4, /**< 4.4 to 6.2: __GFP_HIGH halves min, __GFP_ATOMIC takes a quarter more */
	LAB_DIAG_RULES_6_3, /**< 6.3 and later: lab_gfp_to_alloc_flags() */
};

/** One zone's part in it. Pages. */
struct lab_diag_zone_verdict {
	enum lab_diag_gate gate;
	struct lab_verdict v; /**< the arithmetic; unset if the gate is NOT_ASKED or NO_FIGURES */
	long lacks;           /**< free pages missing; 0 if pages are not what is missing */
	long spare;           /**< of an open gate: pages that can still go; else 0 */
	/** RULES_OLD: the order whose blocks, left out, brought the rest under its mark; -1: none. */
	int old_order;
	long old_free, old_min; /**< what was compared there */
	int largest_order;      /**< of the blocks that the request can use; -1: none or unknown */
	int unusable;           /**< unusable free index of the order, 0 to 1000; -1 unknown */
};

/** Whether a change would have let the request through. */
enum lab_diag_helps {
	LAB_DIAG_HELPS,     /**< computed: yes */
	LAB_DIAG_MAY_HELP,  /**< it depends on what the message does not say */
	LAB_DIAG_HELPS_NOT, /**< computed: no; told because it is often tried */
};

/** "yes", "may", "no"; NULL if out of range. */
const char *lab_diag_helps_name(enum lab_diag_helps helps);

/** A change, what it does, and what it costs. */
struct lab_diag_change {
	enum lab_diag_helps helps;
	char what[96];         /**< e.g. "vm.min_free_kbytes = 90112" */
	char effect[320];      /**< with figures where they can be had */
	char side_effect[192]; /**< */
};

#define LAB_DIAG_MAX_CHANGES 8
#define LAB_DIAG_MAX_NOTES   12

/** The verdict. */
struct lab_diagnosis {
	lab_gfp_t gfp;      /**< with the bits of lab_page.h */
	bool gfp_known;     /**< false: no mode in the text */
	char gfp_text[256]; /**< by name */
	enum lab_diag_rules rules;
	unsigned int alloc_flags; /**< LAB_ALLOC_* as far as the rules have them */
	char share[64];           /**< of min that it is held to: "3/8 of min" */
	enum lab_diag_gate gate;  /**< of the zone that decides */
	int zone;                 /**< index of it in the report; -1: none */
	char text[384];           /**< the verdict as sentences */
	struct lab_diag_zone_verdict zones[LAB_DIAG_MAX_ZONES];
	unsigned int nr_changes;
	struct lab_diag_change changes[LAB_DIAG_MAX_CHANGES];
	unsigned int nr_notes;
	char notes[LAB_DIAG_MAX_NOTES][256]; /**< what was assumed, and what is not known */
};

/**
 * The verdict on a report. Among the zones that the request may use, the largest one decides: it
 * is where most of its memory would have come from.
 */
void lab_diagnose(const struct lab_diag_report *r, struct lab_diagnosis *d);

#ifdef __cplusplus
}
#endif

#endif /* LAB_DIAGNOSE_H */
