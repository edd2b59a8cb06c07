/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file watch.c
 * The side table: its memory, its switch, and what happens to a tag when its block changes hands.
 */
#include <assert.h>
#include <sys/mman.h>
#include <time.h>

#include "frame_ops.h"
#include "watch.h"

static_assert(sizeof(struct lab_tags) <= 1024, "LAB_WATCH_BYTES() leaves too little");
static_assert(
	sizeof(struct lab_tag) + sizeof(struct lab_seal) == 32, "as LAB_WATCH_BYTES() has it");

/* ----------------------------------------------------------------- memory */

static size_t
watch_size(unsigned long nr_pages)
{
	return sizeof(struct lab_tags) +
	       nr_pages * (sizeof(struct lab_tag) + sizeof(struct lab_seal));
}

size_t
lab_zone_watch_size(const struct lab_zone *z)
{
	return watch_size(z->spanned);
}

/** Zeroed memory becomes the side table. */
static void
publish(struct lab_zone *z, struct lab_tags *t)
{
	t->seal = (struct lab_seal *)(t->tag + z->spanned);
	atomic_store_explicit(&z->tags, t, memory_order_release);
}

int
lab_zone_watch_memory(struct lab_zone *z, void *mem, size_t len)
{
	int ret = 0;

	if (mem == NULL || (uintptr_t)mem & (LAB_CACHE_LINE - 1))
		return -EINVAL;
	if (len < lab_zone_watch_size(z))
		return -ENOSPC;
	lab_spin_lock(&z->lock);
	if (lab_tags_of(z) != NULL) {
		ret = -EEXIST;
	} else {
		memset(mem, 0, lab_zone_watch_size(z));
		publish(z, mem);
	}
	lab_spin_unlock(&z->lock);
	return ret;
}

/** Locked. Shared, so that processes forked later see the same tags. @return 0; 1: there was none;
 *  -ENOMEM. */
static int
need_table(struct lab_zone *z)
{
	size_t len = lab_zone_watch_size(z);
	struct lab_tags *t;

	if (lab_tags_of(z) != NULL)
		return 0;
	t = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		0);
	if (t == MAP_FAILED)
		return -ENOMEM;
	t->len = len;
	publish(z, t);
	return 1;
}

void
lab_watch_destroy(struct lab_zone *z)
{
	struct lab_tags *t = lab_tags_of(z);

	if (t != NULL && t->len != 0)
		munmap(t, t->len);
}

/* ----------------------------------------------------------------- switch */

static void
forget(struct lab_zone *z)
{
	struct lab_tags *t = lab_tags_of(z);

	for (uint32_t pfn = 0; pfn < z->spanned; pfn++) {
		if (rd(&t->tag[pfn].word) != 0)
			wr(&t->tag[pfn].word, 0);
	}
}

int
lab_watch_table(struct lab_zone *z)
{
	int ret;

	lab_spin_lock(&z->lock);
	ret = need_table(z);
	lab_spin_unlock(&z->lock);
	return ret < 0 ? ret : 0;
}

int
lab_watch_switch(struct lab_zone *z, uint8_t what, bool on)
{
	int ret = 0;

	lab_spin_lock(&z->lock);
	if (on)
		ret = need_table(z);
	/* what happened while nobody looked is not in the tags */
	if (ret == 0 && on && !(rd(&z->watched) & LAB_WATCH_TAGS))
		forget(z);
	if (ret >= 0) {
		lab_watch(z, what, on);
		atomic_store_explicit(&z->unwatched,
			rd(&z->watched) & LAB_WATCH_TAGS ? 0 : z->spanned, memory_order_release);
	}
	lab_spin_unlock(&z->lock);
	return ret < 0 ? ret : 0;
}

void
lab_zone_watch_info(const struct lab_zone *z, struct lab_watch_info *out)
{
	const struct lab_tags *t = lab_tags_of(z);
	uint8_t watched = rd(&z->watched);

	*out = (struct lab_watch_info){.owners = watched & LAB_WATCH_OWNERS,
		.guard = watched & LAB_WATCH_GUARD,
		.guard_aborts = t != NULL && rd(&t->aborts),
		.guard_keeps = t != NULL && rd(&t->keep),
		.guard_findings = t != NULL ? rd(&t->findings) : 0};
}

/* -------------------------------------------------------- changing hands */

uint64_t
lab_tag_now(const struct lab_zone *z)
{
	uint64_t virtual_ns = rd(&z->now_ns);
	struct timespec t;

	if (virtual_ns != 0)
		return virtual_ns;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void
lab_watch_alloc(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	struct lab_tags *t = lab_tags_of(z);
	uint64_t slack = 0;
	struct lab_tag *tag;

	if (t == NULL) /* the switch was seen before the table */
		return;
	tag = &t->tag[pfn];
	if (rd(&z->watched) & LAB_WATCH_GUARD)
		slack = lab_guard_alloc(z, t, pfn, order);
	wr(&tag->owner, lab_owner_get());
	wr(&tag->other, 0);
	wr(&tag->word, lab_tag_word(lab_tag_now(z), order + 1) | slack);
}

void
lab_watch_move(struct lab_zone *z, uint32_t from, uint32_t to, unsigned int order)
{
	struct lab_tags *t = lab_tags_of(z);
	uint64_t word;

	lab_watch_alloc(z, to, order);
	if (t == NULL)
		return;
	word = rd(&t->tag[from].word);
	if (lab_tag_state(word) != order + 1)
		return; /* taken before anybody looked, or given back just now */
	wr(&t->tag[to].owner, rd(&t->tag[from].owner));
	wr(&t->tag[to].other, rd(&t->tag[from].other));
	wr(&t->tag[to].word,
		(word & ~(uint64_t)LAB_TAG_SLACK) | (rd(&t->tag[to].word) & LAB_TAG_SLACK));
}

/** The tag knows the block, and this free is the only one of it. */
static int
free_claimed(struct lab_zone *z, uint32_t pfn, unsigned int order, uint64_t word, uint64_t now)
{
	if (rd(&z->watched) & LAB_WATCH_GUARD)
		lab_guard_free(z, lab_tags_of(z), pfn, order, word, now);
	return lab_frame_ops(z)->give(z, pfn, order);
}

static bool
tag_becomes(struct lab_tag *tag, uint64_t from, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(
		&tag->word, &from, to, memory_order_relaxed, memory_order_relaxed);
}

/** It was taken before anybody looked: the allocator knows what it is. The tag knows it as free from now
 *  on, which is before it is: then it may be somebody else's. */
static int
free_unseen(struct lab_zone *z, uint32_t pfn, unsigned int order, uint64_t now)
{
	struct lab_tag *tag = &lab_tags_of(z)->tag[pfn];
	uint64_t freed = lab_tag_word(now, LAB_TAG_FREED);
	int ret;

	if (!tag_becomes(tag, LAB_TAG_UNSEEN, freed))
		return -EALREADY; /* somebody frees it at the same time */
	wr(&tag->owner, LAB_OWNER_UNTAGGED);
	wr(&tag->other, lab_owner_get());
	ret = lab_frame_ops(z)->give(z, pfn, order);
	if (ret != 0)
		tag_becomes(tag, freed, LAB_TAG_UNSEEN);
	return ret;
}

/** Not a block that the tag knows to be allocated. Guarded mode refuses what it knows to be none. */
static int
free_unclaimed(struct lab_zone *z, void *page, uint32_t pfn, unsigned int order, uint64_t word,
	uint64_t now)
{
	bool guard = rd(&z->watched) & LAB_WATCH_GUARD;
	int ret;

	if (guard && lab_tag_state(word) >= LAB_TAG_FREED)
		ret = -EALREADY;
	else if (guard && lab_tag_state(word) != LAB_TAG_UNSEEN)
		ret = -EINVAL;
	else if (word == LAB_TAG_UNSEEN)
		ret = free_unseen(z, pfn, order, now);
	else
		ret = lab_frame_ops(z)->give(z, pfn, order);
	return ret < 0 && guard ? lab_guard_bad_free(z, page, pfn, order, ret) : ret;
}

int
lab_watch_free(struct lab_zone *z, void *page, uint32_t pfn, unsigned int order)
{
	struct lab_tags *t = lab_tags_of(z);
	uint64_t word, now;
	struct lab_tag *tag;

	if (t == NULL && pfn != LAB_NO_PFN) /* the switch was seen before the table */
		return lab_frame_ops(z)->give(z, pfn, order);
	if (pfn == LAB_NO_PFN)
		return rd(&z->watched) & LAB_WATCH_GUARD
			       ? lab_guard_bad_free(z, page, pfn, order, -EINVAL)
			       : -EINVAL;
	tag = &t->tag[pfn];
	word = rd(&tag->word);
	now = rd(&z->watched) & LAB_WATCH_GUARD ? lab_tag_now(z) : 0;
	while (lab_tag_state(word) == order + 1) {
		if (atomic_compare_exchange_weak_explicit(&tag->word, &word,
			    lab_tag_word(now, LAB_TAG_FREED), memory_order_relaxed,
			    memory_order_relaxed))
			return free_claimed(z, pfn, order, word, now);
	}
	return free_unclaimed(z, page, pfn, order, word, now);
}

void
lab_watch_split(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	struct lab_tag *tag = &lab_tags_of(z)->tag[pfn];
	uint64_t word = rd(&tag->word);

	if (lab_tag_state(word) != order + 1)
		return; /* taken before anybody looked */
	for (uint32_t i = 0; i < 1U << order; i++) {
		wr(&tag[i].owner, rd(&tag->owner));
		wr(&tag[i].other, 0);
		wr(&tag[i].word, (word & ~(uint64_t)(LAB_TAG_STATE | LAB_TAG_SLACK)) | 1);
	}
}
