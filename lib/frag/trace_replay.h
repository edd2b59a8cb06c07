/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_TRACE_REPLAY_H
#define LAB_FRAG_TRACE_REPLAY_H

/* Inside lib/frag only: a replay and its parts. */

#include "trace.h"

#define NOT_HELD    0xff /* of a frame; else the order of the held block that begins here */
#define HELD_INSIDE 0xfe
#define PAIR        (1UL << LAB_MAX_ORDER) /* frames of two pageblocks, the largest block */
#define NO_PAIR     UINT32_MAX

#define ABSENT UINT32_MAX /* in the map: the emulated zone had no such block */
#define HELD_BEFORE                                                                                \
	(UINT32_MAX - 1) /* in the map: in a list, and held since before the recording */
#define IN_LIST 0x80     /* of a mapped block's order: in a per-CPU list */
#define RECENT  4096     /* frees that may have gone past a list, and frames guessed to be taken */
#define TAKINGS 2048     /* of a CPU that wait: more than one refill takes */

/** Flags that change what happens to the page's content, of which there is none. */
#define CONTENT_FLAGS (__LAB_GFP_ZERO | __LAB_GFP_OOM_VICTIM)

/** A block that left the free blocks of the kernel. */
struct taking {
	uint32_t rel;
	uint8_t order, migratetype;
};

/** Free blocks of the beginning, as the trace names them, by rising frame from the origin. */
struct places {
	struct place {
		uint32_t rel, order;
	} * at;
	size_t nr, max;
};

/** The newest frames of some kind; older ones are forgotten. */
struct recent {
	uint32_t rel[RECENT];
	unsigned int nr, next;
};

/** What is known of a frame beside being held or free, in a replay by name. */
enum { FRAME_LISTED = 1, FRAME_SEEN = 2, FRAME_GUESSED = 4 };

struct replay {
	struct lab_trace_reader reader;
	struct lab_trace_head head;
	struct lab_trace_result *out;
	struct lab_zone *zone;
	struct lab_rng rng;
	unsigned long
		origin; /* of the map: the start, rounded down so that blocks are aligned in it */
	void *frames;   /* address space of the emulated zone; nothing is ever touched in it */
	unsigned long nr_frames; /* of the emulated zone */
	uint8_t *held;
	uint32_t *pair; /* by recorded pair of pageblocks: the emulated one that stands for it */
	uint8_t *pair_taken;
	unsigned long nr_pairs;
	uint32_t *map;      /* emulated frame + 1 of a recorded block's first frame; 0: none */
	uint8_t *map_order; /* of that block, and IN_LIST */
	bool correct;       /* the number of free pages by each sample */
	bool follow;        /* the per-CPU lists as the trace tells */
	bool named;         /* frames are the trace's own */
	struct places places;
	uint8_t *flags; /* FRAME_*, of each frame */
	struct recent freed, guessed;
	uint64_t *stock;       /* pages that each CPU's lists had at the beginning */
	struct taking *taking; /* TAKINGS of each CPU */
	unsigned int *nr_takings;
	uint64_t window_ns, window, in_window_actual, in_window_predicted;
	unsigned long first[LAB_NR_ORDERS]; /* the first sample */
};

/** A block is held, as by somebody who began before the recording. */
void trace_hold(struct replay *r, unsigned long pfn, unsigned int order);

/** Give back a block that was held before: at its place, near it, or anywhere.
 *  @param rel the recorded frame, from the origin of the map. @return false: none of that size was found */
bool trace_free_held(struct replay *r, unsigned long rel, unsigned int order);

/** Give back just these frames, whatever blocks they are held as. @return false: not all are held; nothing is changed */
bool trace_free_held_at(struct replay *r, unsigned long pfn, unsigned int order);

/** Are these frames held? A larger block around them is split, so that they can be given back, or their pageblock change. */
bool trace_split_held(struct replay *r, unsigned long pfn, unsigned int order);

/** Give back any, by the seed. */
bool trace_free_held_anywhere(struct replay *r, unsigned int order);

/* ----------------------------------------------------------------- the map */

/** Order of the block that is mapped at a recorded frame. */
unsigned int trace_map_order(const struct replay *r, unsigned long rel);

/** Frames of the range that are mapped. A block that reaches over an end of it is split. */
unsigned long trace_map_frames(struct replay *r, unsigned long rel, unsigned int order);

/** Free what is mapped in the range. */
void trace_map_free(struct replay *r, unsigned long rel, unsigned int order);

/* --------------------------------------------------------------- the lists */

/** Have the emulated zone give a block, as into a list, whatever its marks are. */
void trace_take(struct replay *r, unsigned long rel, unsigned int order, lab_gfp_t gfp);

/** A block left the kernel's free blocks: it waits for the CPU's next event. */
void trace_taking_waits(struct replay *r, const struct lab_trace_event *e);

/** Take what waits. @param request NULL, or whose refill it was: its own block is taken by its flags */
void trace_takings_done(struct replay *r, unsigned int cpu, const struct lab_trace_event *request);

/** Do the per-CPU lists have blocks of this order? [pcp_allowed_order] */
bool trace_has_lists(unsigned int order);

/** A block that lay in a list is used again: the free blocks do not change. @return false: it lay in none */
bool trace_list_gives(struct replay *r, const struct lab_trace_event *e, unsigned long rel);

/** Compaction took pages out of the free blocks: they are held from then on. */
void trace_compaction_takes(struct replay *r, unsigned long pages);

/** Free pages held before, or hold free ones, so many. */
void trace_correct(struct replay *r, long pages);

/** A block that is freed goes into a list. @return false: not of this order */
bool trace_list_takes(struct replay *r, unsigned long rel, unsigned int order);

/** A block leaves a list for the free blocks. */
void trace_list_drains(struct replay *r, const struct lab_trace_event *e);

/* ----------------------------------------------------------------- by name */

/** Note a place. @return 0, -ENOMEM */
int trace_place_add(struct places *p, unsigned long rel, unsigned int order);

/** Lay the free blocks out where they were; the rest is held. */
int trace_places_lay_out(struct replay *r, struct trace_layout *l);

/** A block left the free ones. */
void trace_named_take(struct replay *r, unsigned long rel, unsigned int order, unsigned int mt);

/** Serve it. @param alloc_flags LAB_ALLOC_* of the pass that served it, as far as the zone tells */
void trace_named_alloc(struct replay *r, const struct lab_trace_event *e, unsigned int alloc_flags);

void trace_named_free(struct replay *r, const struct lab_trace_event *e);
void trace_named_drain(struct replay *r, const struct lab_trace_event *e);
void trace_named_compaction(struct replay *r, const struct lab_trace_event *e);

/** A steal raises the boost until a sample says what it is. */
void trace_named_steal(struct replay *r, const struct lab_trace_event *e);

/** Free so many pages, or take them if it is negative: what no event told. */
void trace_named_correct(struct replay *r, long pages);

#endif /* LAB_FRAG_TRACE_REPLAY_H */
