/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file guard.c
 * Guarded mode: what a free block was left as, and whether it still is when it is handed out.
 */
#include "frame_ops.h"
#include "guard_report.h"
#include "watch.h"

#define POISON 0xaa /* a free byte [PAGE_POISON] */
#define CANARY 0xcc /* a byte that nobody may use [SLUB_RED_ACTIVE] */

/* ------------------------------------------------------------------ bytes */

/** The first byte of [from, to) that is not `value`, as its offset; `to` if there is none. */
static size_t
first_other(const unsigned char *block, size_t from, size_t to, unsigned char value)
{
	/* the first is the value, and each is like the one before it: memcmp() looks at many at once */
	if (from >= to || block[from] != value)
		return from;
	if (memcmp(block + from, block + from + 1, to - from - 1) == 0)
		return to;
	while (from < to && block[from] == value)
		from++;
	return from;
}

/** A change of one word always changes one of four chains; 16 bits of them are kept. */
static uint16_t
checksum(const unsigned char *p)
{
	const uint64_t k = 0x9e3779b97f4a7c15ULL; /* odd, so that no product is lost */
	uint64_t h[4] = {1, 2, 3, 4}, all;

	for (size_t i = 0; i < LAB_SEAL_BYTES; i += sizeof(h)) {
		uint64_t w[4];

		memcpy(w, p + i, sizeof(w));
		for (unsigned int j = 0; j < 4; j++) {
			h[j] = (h[j] ^ w[j]) * k;
			h[j] ^= h[j] >> 29;
		}
	}
	all = ((h[0] * k ^ h[1]) * k ^ h[2]) * k ^ h[3];
	all *= k;
	return (uint16_t)(all >> 48);
}

/* ------------------------------------------------------------ free blocks */

static void
seal_page(struct lab_seal *seal, const unsigned char *page)
{
	for (unsigned int i = 0; i < LAB_SEAL_PIECES; i++)
		wr(&seal->sum[i], checksum(page + i * LAB_SEAL_BYTES));
}

/** @return the first piece that changed; LAB_SEAL_PIECES if none did. */
static unsigned int
broken_piece(const struct lab_seal *seal, const unsigned char *page)
{
	unsigned int i = 0;

	while (i < LAB_SEAL_PIECES && rd(&seal->sum[i]) == checksum(page + i * LAB_SEAL_BYTES))
		i++;
	return i;
}

/** A frame that was freed in guarded mode. @return false with the place if it was written to. */
static bool
check_free_page(const struct lab_zone *z, const struct lab_tags *t, struct lab_guard_spot *spot)
{
	const unsigned char *page = lab_frame_address(z, spot->pfn);

	spot->len = 0;
	if (lab_tag_state(spot->word) == LAB_TAG_POISONED) {
		spot->offset = first_other(page, 0, LAB_PAGE_SIZE, POISON);
		spot->len = LAB_PAGE_SIZE - spot->offset;
		spot->exact = true;
	} else if (lab_tag_state(spot->word) == LAB_TAG_SEALED) {
		spot->offset = broken_piece(&t->seal[spot->pfn], page) * LAB_SEAL_BYTES;
		spot->len = spot->offset < LAB_PAGE_SIZE ? LAB_SEAL_BYTES : 0;
	}
	return spot->len == 0;
}

/** All frames of a block that is handed out: they may have been freed apart. One finding will do. */
static void
check_free_pages(struct lab_zone *z, struct lab_tags *t, uint32_t pfn, unsigned int order)
{
	for (uint32_t i = pfn; i < pfn + (1U << order); i++) {
		struct lab_guard_spot spot = {.pfn = i, .word = rd(&t->tag[i].word)};

		if (!check_free_page(z, t, &spot)) {
			lab_guard_found(z, LAB_GUARD_WRITE_AFTER_FREE, &spot);
			return;
		}
	}
}

/* ------------------------------------------------------------------ slack */

/** The bytes [start, end) of a block that its holder may use. */
struct extent {
	size_t start, end;
};

static bool
object_extent(const struct lab_tags *t, uint32_t pfn, unsigned int order, struct extent *x)
{
	size_t bytes = rd(&t->object_bytes);

	if (bytes == 0 || order != rd(&t->object_order))
		return false;
	x->start = (size_t)((pfn >> order) & rd(&t->colors)) * LAB_CACHE_LINE;
	x->end = x->start + bytes;
	return true;
}

static void
fill_slack(unsigned char *block, size_t bytes, const struct extent *x)
{
	memset(block, CANARY, x->start);
	memset(block + x->end, CANARY, bytes - x->end);
}

/** What should be canaries from `from` on up to `to`. @return false if it was reported. */
static bool
check_canaries(struct lab_zone *z, enum lab_guard_kind kind, struct lab_guard_spot spot,
	size_t from, size_t to)
{
	spot.offset = first_other(lab_frame_address(z, spot.pfn), from, to, CANARY);
	spot.len = to - spot.offset;
	spot.exact = true;
	if (spot.len > 0)
		lab_guard_found(
			z, lab_tag_is_live(spot.word) ? kind : LAB_GUARD_WRITE_AFTER_FREE, &spot);
	return spot.len == 0;
}

/** Look at both ends of a block; what is found is mended, to be found once. @return false if anything was. */
static bool
check_slack(struct lab_zone *z, const struct lab_guard_spot *block, const struct extent *x)
{
	size_t bytes = LAB_PAGE_SIZE << block->order;
	bool under = !check_canaries(z, LAB_GUARD_UNDERRUN, *block, 0, x->start);
	bool over = !check_canaries(z, LAB_GUARD_OVERRUN, *block, x->end, bytes);

	if (under || over)
		fill_slack(lab_frame_address(z, block->pfn), bytes, x);
	return !under && !over;
}

/* ---------------------------------------------------------- changing hands */

uint64_t
lab_guard_alloc(struct lab_zone *z, struct lab_tags *t, uint32_t pfn, unsigned int order)
{
	struct lab_guard_spot block = {.pfn = pfn, .order = order, .word = rd(&t->tag[pfn].word)};
	bool slack = block.word & LAB_TAG_SLACK;
	struct extent x;
	bool object = object_extent(t, pfn, order, &x);

	/* what is found in the slack would be found again by the seal */
	if (!object || !slack || check_slack(z, &block, &x))
		check_free_pages(z, t, pfn, order);
	if (object && !slack)
		fill_slack(lab_frame_address(z, pfn), LAB_PAGE_SIZE << order, &x);
	for (uint32_t i = 1; i < 1U << order; i++)
		wr(&t->tag[pfn + i].word, LAB_TAG_INSIDE);
	return object ? LAB_TAG_SLACK : 0;
}

/** What the holder was not to write to. The tag still says whose it was, and how much was asked for. */
static void
check_held(struct lab_zone *z, struct lab_tags *t, const struct lab_guard_spot *block)
{
	struct extent x = {0, rd(&t->tag[block->pfn].other)};

	if (x.end != 0 ||
		(block->word & LAB_TAG_SLACK && object_extent(t, block->pfn, block->order, &x)))
		check_slack(z, block, &x);
}

void
lab_guard_free(struct lab_zone *z, struct lab_tags *t, uint32_t pfn, unsigned int order,
	uint64_t word, uint64_t now_ns)
{
	unsigned int state = rd(&t->keep) ? LAB_TAG_SEALED : LAB_TAG_POISONED;
	uint64_t slack = state == LAB_TAG_SEALED ? word & LAB_TAG_SLACK : 0;
	uint32_t owner = rd(&t->tag[pfn].owner), freed_by = lab_owner_get();

	check_held(z, t, &(struct lab_guard_spot){.pfn = pfn, .order = order, .word = word});
	if (state == LAB_TAG_POISONED)
		memset(lab_frame_address(z, pfn), POISON, LAB_PAGE_SIZE << order);
	for (uint32_t i = pfn; i < pfn + (1U << order); i++) {
		struct lab_tag *tag = &t->tag[i];

		if (state == LAB_TAG_SEALED)
			seal_page(&t->seal[i], lab_frame_address(z, i));
		wr(&tag->owner, owner);
		wr(&tag->other, freed_by);
		wr(&tag->word, lab_tag_word(now_ns, state) | (i == pfn ? slack : 0));
	}
}

/* ----------------------------------------------------------------- public */

static int
check_config(const struct lab_guard_config *cfg)
{
	size_t block = LAB_PAGE_SIZE
		       << (cfg->object_order <= LAB_MAX_ORDER ? cfg->object_order : 0);

	if (cfg->object_order > LAB_MAX_ORDER || cfg->colors & (cfg->colors + 1U))
		return -EINVAL;
	if (cfg->object_bytes > block ||
		(cfg->object_bytes != 0 &&
			(size_t)cfg->colors * LAB_CACHE_LINE > block - cfg->object_bytes))
		return -EINVAL;
	return 0;
}

/** What was known of content is not any more: nobody looked, or looked for something else. */
static void
forget_content(struct lab_zone *z, struct lab_tags *t)
{
	for (uint32_t pfn = 0; pfn < z->spanned; pfn++) {
		_Atomic uint64_t *word = &t->tag[pfn].word;
		uint64_t old = rd(word), new;

		do {
			new = old & ~(uint64_t)LAB_TAG_SLACK;
			if (lab_tag_state(old) > LAB_TAG_FREED)
				new = (new & ~(uint64_t)LAB_TAG_STATE) | LAB_TAG_FREED;
		} while (new != old && !atomic_compare_exchange_weak_explicit(word, &old, new,
					       memory_order_relaxed, memory_order_relaxed));
	}
}

/** Bring a configuration into force. */
static void
configure(struct lab_zone *z, struct lab_tags *t, const struct lab_guard_config *cfg)
{
	bool keep = cfg->keep || z->keep_content;
	bool same = rd(&t->keep) == keep && rd(&t->object_bytes) == cfg->object_bytes &&
		    rd(&t->object_order) == cfg->object_order && rd(&t->colors) == cfg->colors;

	wr(&t->aborts, cfg->abort);
	if (same && rd(&z->watched) & LAB_WATCH_GUARD)
		return;
	lab_watch_switch(z, LAB_WATCH_GUARD, false);
	forget_content(z, t);
	wr(&t->keep, keep);
	wr(&t->object_order, cfg->object_order);
	wr(&t->colors, cfg->colors);
	wr(&t->object_bytes, (uint32_t)cfg->object_bytes);
}

int
lab_zone_set_guard(struct lab_zone *z, const struct lab_guard_config *cfg)
{
	int ret;

	if (cfg == NULL)
		return lab_watch_switch(z, LAB_WATCH_GUARD, false);
	ret = check_config(cfg);
	if (ret == 0)
		ret = lab_watch_table(z);
	if (ret == 0)
		ret = lab_guard_reporter(lab_tags_of(z), cfg->report, cfg->arg);
	if (ret < 0)
		return ret;
	configure(z, lab_tags_of(z), cfg);
	return lab_watch_switch(z, LAB_WATCH_GUARD, true);
}

int
lab_guard_size(struct lab_zone *z, void *page, size_t bytes)
{
	struct lab_tags *t = lab_tags_of(z);
	unsigned long pfn = lab_page_to_pfn(z, page);
	unsigned int order;
	struct extent x = {0, bytes};
	uint64_t word;

	if (t == NULL || !(rd(&z->watched) & LAB_WATCH_GUARD))
		return 0;
	if (pfn >= z->spanned || lab_frame_address(z, pfn) != page || rd(&t->keep))
		return -EINVAL;
	word = rd(&t->tag[pfn].word);
	order = lab_tag_state(word) - 1;
	if (!lab_tag_is_live(word) || bytes > LAB_PAGE_SIZE << order)
		return -EINVAL;
	fill_slack(page, LAB_PAGE_SIZE << order, &x);
	wr(&t->tag[pfn].other, (uint32_t)bytes);
	return 0;
}
