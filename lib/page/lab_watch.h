/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_WATCH_H
#define LAB_WATCH_H

/**
 * @file lab_watch.h
 * Who holds a zone's pages, and what was done to them that must not be: owner tags and guarded mode.
 *
 * Both are off until they are switched on, and cost nothing while they are off. They keep a *side
 * table* apart from the zone's metadata: 32 bytes a frame of the span. It is the caller's memory
 * (lab_zone_watch_memory(); shared memory if other processes use the zone) or mapped by the zone. It
 * stays until the zone is destroyed, also when both are off again.
 *
 * Switch them on before traffic, or between two phases of it: a block that another thread
 * takes or gives back at that very moment may be missed, which guarded mode could later report as a
 * double free. Blocks that were taken before are not tagged; they show as "untagged".
 *
 * Included by lab_page.h, whose words on contexts and errors hold here too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lab_zone;

/* ------------------------------------------------------------- side table */

/** Bytes of the side table of a zone that spans nr_pages frames. */
#define LAB_WATCH_BYTES(nr_pages) (1024UL + ((unsigned long)(nr_pages) + 64) * 32)

/** Bytes of the side table of this zone, at most LAB_WATCH_BYTES() of its span. */
size_t lab_zone_watch_size(const struct lab_zone *zone);

/**
 * Give the zone memory for its side table. Without it, the first switching on maps some, which only this
 * process and those that it forks later can use.
 * @param mem 64-byte aligned, owned by the caller; where other processes use the zone, memory that they
 * map at the same address. It may be taken away after lab_zone_destroy().
 * @param len bytes at mem, at least lab_zone_watch_size().
 * @return 0; -EINVAL (NULL, misaligned); -ENOSPC (too little); -EEXIST (the zone has a side table).
 */
int lab_zone_watch_memory(struct lab_zone *zone, void *mem, size_t len);

/** What is switched on. */
struct lab_watch_info {
	bool owners, guard;
	bool guard_aborts;       /**< abort() follows a report */
	bool guard_keeps;        /**< free blocks keep their content: see lab_guard_config */
	uint64_t guard_findings; /**< since the side table was made; also those not reported */
};

/** Any context. */
void lab_zone_watch_info(const struct lab_zone *zone, struct lab_watch_info *out);

/* ----------------------------------------------------------------- owners */

/**
 * An owner: 32 bits that mean what the caller wants. The classes below are named without being
 * registered; 1 to 0x0fffffff and 0x80000000 to 0xfffffffe are the caller's own.
 */
#define LAB_OWNER_UNTAGGED    0U                    /**< nobody said */
#define LAB_OWNER_LCORE(n)    (0x10000000U | (n))   /**< "lcore 3" */
#define LAB_OWNER_THREAD(tid) (0x20000000U | (tid)) /**< "thread 4711", a Linux tid */
#define LAB_OWNER_RXQ(port, q)                                                                     \
	(0x30000000U | (port) << 16 | (q)) /**< "port 0 rxq 1", port < 4096 */
#define LAB_OWNER_TXQ(port, q) (0x40000000U | (port) << 16 | (q)) /**< "port 0 txq 1" */
#define LAB_OWNER_TENANT(n)    (0x50000000U | (n))                /**< "tenant 2" */

/**
 * From now on the calling thread takes blocks as this owner; LAB_OWNER_UNTAGGED: as its default one.
 * A store to thread-local memory: any context, signal handlers included (which should put back what it
 * returns).
 * @return who it was before, to be put back.
 */
uint32_t lab_owner_set(uint32_t owner);

/** Who the calling thread is when it has not said so; LAB_OWNER_UNTAGGED: LAB_OWNER_THREAD of itself. Any
 *  context. @return who it was before. */
uint32_t lab_owner_set_default(uint32_t owner);

/** Who the calling thread takes blocks as. Any context. */
uint32_t lab_owner_get(void);

/** Bytes of an owner's name, with its end. */
#define LAB_OWNER_NAME_LEN 28
/** Names that a zone can keep. */
#define LAB_OWNER_NAMES 64

/**
 * Give an owner a name in a zone's outputs, in place of the name of its class. Works with the tags off
 * too. Lock-free; any context.
 * @param name longer ones are cut to LAB_OWNER_NAME_LEN - 1 bytes; NULL or "": back to that of its class
 * (the entry stays used).
 * @return 0; -EINVAL (LAB_OWNER_UNTAGGED); -ENOSPC if LAB_OWNER_NAMES other owners have one.
 */
int lab_owner_name(struct lab_zone *zone, uint32_t owner, const char *name);

/** Write an owner's name: the registered one, that of its class, or "owner 0x9f". @return as snprintf(). */
int lab_owner_format(const struct lab_zone *zone, uint32_t owner, char *buf, size_t len);

/**
 * Switch owner tags. While they are on each block carries its owner and the time at which it was taken,
 * by lab_zone_set_time() or CLOCK_MONOTONIC_COARSE (a few ms). A request and a free cost a look at the
 * clock and a line of the side table more, and pass the labyrinth allocator's short way.
 * Tags of an earlier time are forgotten when nothing was on.
 * @return 0, -ENOMEM.
 */
int lab_zone_set_owners(struct lab_zone *zone, bool on);

/**
 * Hand an allocated block to another owner, as if that one took it now. Does nothing while the tags are
 * off. Lock-free, any context; the block is the caller's.
 * @return 0; -EINVAL (not the start of an allocated block, or no owner), -ENOENT (it has no tag).
 */
int lab_owner_move(struct lab_zone *zone, void *page, uint32_t owner);

/** What one owner holds. */
struct lab_owner_info {
	uint32_t owner;
	char name[LAB_OWNER_NAME_LEN];
	unsigned long pages, blocks;
	uint64_t oldest_ns; /**< age of its oldest block */
	uint64_t median_ns; /**< of the ages of its blocks; within 7% */
};

/** Owners that are told apart; a block of one beyond them counts as LAB_OWNER_OTHERS. */
#define LAB_OWNERS_MAX   256
#define LAB_OWNER_OTHERS UINT32_MAX

/**
 * Who holds most, by pages. Pages in use without a tag stand as LAB_OWNER_UNTAGGED with no blocks and
 * no age. Walks the side table without stopping anybody: a picture of people who come and go, not
 * for hot paths. Allocates nothing; needs 24 KiB of stack.
 * @param out n entries, most pages first.
 * @return entries filled; 0 while the tags are off.
 */
unsigned int lab_zone_owners_top(struct lab_zone *zone, struct lab_owner_info *out, unsigned int n);

/** The same over several zones as if they were one; names are those of the first. */
unsigned int lab_zones_owners_top(struct lab_zone *const *zones, unsigned int nr_zones,
	struct lab_owner_info *out, unsigned int n);

/* ------------------------------------------------------------ guarded mode */

/** What guarded mode finds. */
enum lab_guard_kind {
	LAB_GUARD_WRITE_AFTER_FREE, /**< a free block was written to; found when it is handed out */
	LAB_GUARD_OVERRUN,     /**< bytes behind those that the holder may use; found at the free */
	LAB_GUARD_UNDERRUN,    /**< bytes before them */
	LAB_GUARD_DOUBLE_FREE, /**< it is free already, on whatever list or stack it lies */
	LAB_GUARD_WRONG_FREE,  /**< of another order, or inside of a block */
	LAB_GUARD_FOREIGN_FREE, /**< no page of the zone, or not at the start of one */
	LAB_NR_GUARD_KINDS,
};

/** "write after free", "overrun", "underrun", "double free", "wrong free", "foreign free". */
const char *lab_guard_kind_name(enum lab_guard_kind kind);

/** Bytes that a report shows. */
#define LAB_GUARD_BYTES 16

/** A finding. What is not known is LAB_OWNER_UNTAGGED, or 0. */
struct lab_guard_report {
	enum lab_guard_kind kind;
	const struct lab_zone *zone;
	void *page;         /**< start of the block; of a foreign free, what was given back */
	unsigned int order; /**< of the block; of a foreign free, what was said */
	unsigned int said;  /**< order that a free said */
	uint32_t owner;     /**< who has the block, or had it last */
	uint32_t freed_by;  /**< who gave it back, if it is free */
	uint32_t caller;    /**< who the calling thread is */
	uint64_t age_ns;    /**< since it was taken, or given back if it is free */
	size_t offset;      /**< of the first bad byte in the block */
	size_t len;         /**< bytes from there among which the bad ones are; 0 for bad frees */
	unsigned char bytes[LAB_GUARD_BYTES]; /**< the first of them; min(len, 16) */
	bool exact; /**< `offset` is bad itself; else some byte of [offset, offset + len) is */
};

/** Write a report as one line. @return as snprintf(). */
int lab_guard_format(const struct lab_guard_report *r, char *buf, size_t len);

/**
 * Told of a finding, in the context of the call that made it (which may be a signal handler). It must not
 * call into the zone, but for lab_owner_format() and lab_guard_format().
 */
typedef void (*lab_guard_fn)(void *arg, const struct lab_guard_report *r);

/**
 * How a zone is guarded. All zero: every free block is filled with 0xaa and looked at when it is
 * handed out; reports go to stderr.
 *
 * That breaks the rule that nothing is written into a free frame, and has to: it is how the byte that was
 * written to is known. `keep` is for zones whose free blocks must keep their content, as those of a
 * mempool: instead of being filled, a block's content is remembered as a checksum for each 512 bytes (16 bits:
 * one change in 65536 goes unseen), so a report names the 512 bytes and not the byte.
 */
struct lab_guard_config {
	lab_guard_fn report; /**< of this process; NULL: lab_guard_format() to stderr */
	void *arg;
	bool abort; /**< abort() after a report */
	bool keep; /**< free blocks keep their content; so they do in zones made with keep_content */
	/** Objects in blocks of one order: the bytes of such a block that its holder may use are
	 *  [(block's number & colors) * 64, that + object_bytes). The rest is filled with 0xcc when the block
	 *  is first taken, and looked at whenever it changes hands; a zone with objects takes no requests
	 *  with __LAB_GFP_ZERO, which would clear it. 0: no such objects. */
	size_t object_bytes;
	unsigned int object_order;
	uint32_t colors; /**< a power of two, less one */
};

/** Findings that are reported; later ones are only counted, so that a log is not flooded. */
#define LAB_GUARD_MAX_REPORTS 100

/**
 * Guard the zone. A free of a block that is free already is then refused by its tag (-EALREADY) before it
 * reaches the allocator, also if the block lies on a per-CPU list or stack.
 * A request and a free touch every byte of the block, and more than twice as much for `keep`: for
 * development.
 * @param cfg a copy is taken; NULL: off.
 * @return 0; -ENOMEM; -EINVAL (object_order, or objects that do not fit its blocks);
 * -ENOSPC if 8 living processes have a report function.
 */
int lab_zone_set_guard(struct lab_zone *zone, const struct lab_guard_config *cfg);

/**
 * Say that of a block that the caller has just taken only the first `bytes` are used: the rest is filled
 * with 0xcc and looked at when the block is given back. Does nothing while the zone is not guarded.
 * Not for zones with `keep`, whose objects have their sizes.
 * @return 0; -EINVAL (not the start of an allocated block, more bytes than it has, or `keep`).
 */
int lab_guard_size(struct lab_zone *zone, void *page, size_t bytes);

/**
 * Report a pointer that was given back to whoever uses the zone and that cannot be one of its blocks.
 * Does nothing while the zone is not guarded.
 */
void lab_guard_foreign(struct lab_zone *zone, void *ptr, unsigned int order);

#ifdef __cplusplus
}
#endif

#endif /* LAB_WATCH_H */
