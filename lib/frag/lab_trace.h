/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_TRACE_H
#define LAB_TRACE_H

/**
 * @file lab_trace.h
 * Page allocation traces: what a zone of a running kernel served, refused and took back, with the kernel's own
 * free blocks at moments between; written, read, and replayed into an emulated zone whose free blocks are
 * compared with the kernel's. docs/trace-format.md is the format, and says what a trace cannot know.
 *
 * Frame numbers (pfn) are the kernel's. Times are ns since the recording began and never go back.
 * Errors are negative errno. One thread at a time for one stream; no signal handler. Writing and reading allocate
 * nothing; lab_trace_replay() allocates about 8 bytes a frame of the span, and the emulated zone's metadata.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lab_page.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A zone spans fewer frames than this. */
#define LAB_TRACE_MAX_FRAMES (1UL << 30)
/** Most entries of lowmem_reserve[]; the kernel has one a kind of zone. */
#define LAB_TRACE_MAX_RESERVES 6
/** Latest time, about 36 years. */
#define LAB_TRACE_MAX_NS (UINT64_C(1) << 60)

/** The per-CPU lists of one CPU when the recording began. */
struct lab_trace_pcp {
	uint32_t count, high, batch; /**< pages */
};

/** What stands before the events. */
struct lab_trace_head {
	char kernel[64]; /**< release, as uname -r: printable, no space */
	char zone[16];   /**< as in /proc/buddyinfo */
	int node;
	unsigned long start;          /**< pfn of the first frame spanned */
	unsigned long spanned;        /**< frames; at least managed */
	unsigned long managed;        /**< frames, not 0 */
	unsigned long min, low, high; /**< marks without the boost, pages, in this order of size */
	unsigned int nr_reserves;     /**< 0: not known */
	unsigned long reserve[LAB_TRACE_MAX_RESERVES]; /**< lowmem_reserve[], pages */
	bool has_types; /**< else the free blocks are all in row LAB_MIGRATE_MOVABLE, and pageblocks 0 */
	unsigned long pageblocks[LAB_MIGRATE_TYPES];          /**< of each type */
	unsigned long free[LAB_MIGRATE_TYPES][LAB_NR_ORDERS]; /**< free blocks */
	unsigned int nr_cpus;                                 /**< 1 to LAB_MAX_CPUS */
	bool has_pcp;                                         /**< else pcp[] is 0 */
	struct lab_trace_pcp pcp[LAB_MAX_CPUS];
};

enum lab_trace_type {
	LAB_TRACE_ALLOC,  /**< pfn, order, gfp, migratetype: served from this zone */
	LAB_TRACE_REFUSE, /**< order, gfp, migratetype: refused, by every zone that was asked */
	LAB_TRACE_FREE,   /**< pfn, order */
	LAB_TRACE_DRAIN, /**< pfn, order, migratetype: went from a per-CPU list to the free blocks */
	LAB_TRACE_STEAL, /**< pfn, order, migratetype asked for: taken from another type's free blocks */
	LAB_TRACE_TAKE, /**< pfn, order, migratetype: left the free blocks, into a list or to a request */
	/** pfn, end, pages: compaction took so many out of the free blocks there, to move others to them */
	LAB_TRACE_COMPACT,
	LAB_TRACE_SAMPLE, /**< blocks: the kernel's buddyinfo; boost */
	LAB_TRACE_PLACE, /**< pfn, order: a free block when the recording began; before all others */
	LAB_NR_TRACE_TYPES,
};

/** One event; what its type has not is 0. */
struct lab_trace_event {
	enum lab_trace_type type;
	uint64_t ns;
	unsigned int cpu;
	unsigned long pfn;
	unsigned long end; /**< pfn behind the last frame */
	unsigned int order;
	uint32_t gfp; /**< bits of the recorded kernel */
	unsigned int migratetype;
	unsigned long pages;
	unsigned long boost; /**< watermark_boost, pages */
	unsigned long blocks[LAB_NR_ORDERS];
};

/** The last line. */
struct lab_trace_counts {
	uint64_t events[LAB_NR_TRACE_TYPES]; /**< that are in the trace */
	uint64_t lost; /**< that are not: no room in the ring, or within another event */
};

/* ----------------------------------------------------------------- writing */

/** Write the head. @return 0; -EINVAL (a head that the reader would refuse); -EIO. */
int lab_trace_write_head(FILE *out, const struct lab_trace_head *head);

/** Write an event. @return 0, -EIO. */
int lab_trace_write_event(FILE *out, const struct lab_trace_event *event);

/** Write the end and flush. @return 0, -EIO. */
int lab_trace_write_end(FILE *out, const struct lab_trace_counts *counts);

/* ----------------------------------------------------------------- reading */

/** A trace that is being read. Set `in`, and `err` with `errlen` if the reason is wanted ("line N: ..."); the rest is
 *  the reader's and begins as zero. */
struct lab_trace_reader {
	FILE *in;
	char *err;
	size_t errlen;
	unsigned long line;
	uint64_t last_ns;
	struct lab_trace_counts seen;   /**< until now */
	struct lab_trace_counts counts; /**< the end line, once it was read */
	unsigned long place_end;        /**< the next place lies there or behind */
	unsigned long start, spanned, managed;
	unsigned int nr_cpus;
};

/** Read and check the head. @return 0; -EINVAL; -EIO. */
int lab_trace_read_head(struct lab_trace_reader *r, struct lab_trace_head *head);

/** Read and check the next event. @return 1; 0: that was the end, and nothing follows it; -EINVAL; -EIO. */
int lab_trace_read_event(struct lab_trace_reader *r, struct lab_trace_event *event);

/* ------------------------------------------------------------------ replay */

/** What stands for the kernel's per-CPU lists, if the trace tells of any. */
enum lab_trace_pcp_mode {
	/** The trace's own events: a block is taken from the free ones, and is free again, when the kernel did that. */
	LAB_TRACE_PCP_FOLLOW,
	LAB_TRACE_PCP_MODEL, /**< the emulated zone's lists, which decide for themselves */
	LAB_NR_TRACE_PCP_MODES,
};

/** "follow", "model"; NULL if out of range. */
const char *lab_trace_pcp_name(enum lab_trace_pcp_mode mode);

/** How to replay. Zero: the buddy allocator, seed 0, windows of 10 ms, the lists as recorded. */
struct lab_trace_options {
	enum lab_allocator allocator;
	enum lab_trace_pcp_mode pcp;
	/** Else, after each sample was compared, as many pages are free as it says: what no event tells adds up. */
	bool no_correction;
	bool no_places; /**< as if the trace did not say where the free blocks lay */
	uint64_t seed;  /**< of the layout, and of which held block an unknown free gives back */
	uint64_t window_ns; /**< refusals within one such window of time coincide; 0: 10 ms */
};

/** How far the emulated zone was from the kernel's, over all samples. Blocks, or 1/1000 for the index. */
struct lab_trace_error {
	double kernel;    /**< mean of the kernel's free blocks */
	double mean, max; /**< of |emulated - kernel| */
	double bias;      /**< mean of emulated - kernel */
	double still;     /**< mean of |first sample - kernel|: the error of not replaying at all */
	double index_mean, index_max; /**< of |emulated - kernel| of the unusable free index */
	double index_still;
};

/** Atomic requests of one order that were refused. */
struct lab_trace_refusals {
	uint64_t actual;    /**< by the kernel */
	uint64_t predicted; /**< by the emulated zone */
	uint64_t both;      /**< the rest of actual is missed, of predicted false alarms */
};

/** What came out. */
struct lab_trace_result {
	struct lab_trace_head head;
	struct lab_trace_counts counts; /**< the trace's end line */
	bool named;  /**< the frames were the trace's own, as it says where the free blocks lay */
	uint64_t ns; /**< time of the last event */
	struct lab_trace_error order[LAB_NR_ORDERS];
	struct lab_trace_error pages; /**< of all free pages together: the marks look at them */
	uint64_t samples;
	uint64_t allocs;     /**< replayed and served */
	uint64_t from_lists; /**< of them out of per-CPU lists, as the trace tells (follow) */
	uint64_t unseen;     /**< of them that left the free blocks without an event (follow) */
	/** Blocks that lay in a list, as far as the trace tells, and were taken from the free ones: who finds a list
	 *  locked frees past it, without an event (follow). */
	uint64_t past_lists;
	/** Blocks of which the zone had none like it: one held before made room; by name, blocks that were taken while compaction
	 *  was guessed to have them (follow). */
	uint64_t made;
	uint64_t
		corrected; /**< pages by which samples set the free ones right, up and down together */
	uint64_t not_taken; /**< pages that there were not either (follow) */
	uint64_t frees;     /**< of blocks that the replay had served */
	/** Frees of blocks held since before the recording; by name, of those that were not seen handed out since their last
	 *  free. */
	uint64_t frees_before;
	/** Frees that found nothing to give back: no held block of that size was left; by name, it was free. */
	uint64_t frees_unmatched;
	uint64_t frees_skipped; /**< of what the emulated zone had refused */
	uint64_t reused;        /**< allocations of frames whose free the trace has not */
	uint64_t not_for_zone;  /**< requests that such a zone never sees */
	/** Free blocks of the beginning for which the layout had no place. */
	uint64_t not_laid_out[LAB_NR_ORDERS];
	uint64_t actual;    /**< atomic requests that the kernel refused */
	uint64_t predicted; /**< atomic requests that the emulated zone refused */
	uint64_t both;      /**< atomic requests refused by both */
	uint64_t coincide;  /**< min(actual, predicted) of each window, summed */
	struct lab_trace_refusals atomic[LAB_NR_ORDERS]; /**< the same by order */
	uint64_t other_actual, other_predicted; /**< likewise, of requests that are not atomic */
};

/** Whose rules a release's are nearer to. The borderline is 6.7, whose per-CPU lists tune themselves. */
enum lab_linux lab_trace_linux(const char *release);

/**
 * Replay a trace into a zone of its own.
 * @param in read to its end.
 * @param options NULL: the defaults.
 * @param out untouched on error.
 * @param err out, may be NULL: what is wrong, at most errlen bytes, terminated.
 * @return 0; -EINVAL, -EIO as the reader; -ENOMEM; -ERANGE: marks that such a zone cannot have.
 */
int lab_trace_replay(FILE *in, const struct lab_trace_options *options,
	struct lab_trace_result *out, char *err, size_t errlen);

#ifdef __cplusplus
}
#endif

#endif /* LAB_TRACE_H */
