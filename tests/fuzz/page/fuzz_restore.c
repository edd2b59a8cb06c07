/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * States for lab_zone_restore(): four bytes are the pageblocks' types, then every four bytes a block.
 * What is taken is valid and all there; what is refused has changed nothing.
 */
#include <errno.h>
#include <string.h>

#include "lab_base.h"
#include "lab_page.h"

#define NR_PAGEBLOCKS 4UL
#define SPAN          (NR_PAGEBLOCKS * LAB_PAGEBLOCK_PAGES)
#define MAX_BLOCKS    4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char frames[SPAN * LAB_PAGE_SIZE] __attribute__((aligned(1 << 21)));
static unsigned char meta[LAB_ZONE_META_BYTES(SPAN, 1)] __attribute__((aligned(64)));

static int
count(const struct lab_block *b, void *arg)
{
	unsigned long *pages = arg;

	pages[b->state] += 1UL << b->order;
	return 0;
}

static int
free_block(const struct lab_block *b, void *arg)
{
	unsigned long *first = arg;

	if (b->state != LAB_BLOCK_ALLOCATED)
		return 0;
	first[0] = b->pfn;
	first[1] = b->order;
	return 1;
}

/** All that was restored as allocated can be given back, to a whole zone. */
static void
give_all_back(struct lab_zone *z)
{
	struct lab_zone_info info;
	unsigned long b[2];

	while (lab_zone_walk(z, free_block, b))
		lab_assert_always(lab_free_pages(z, frames + b[0] * LAB_PAGE_SIZE, b[1]) == 0);
	lab_zone_info_get(z, &info);
	lab_assert_always(info.nr_free == SPAN);
	lab_assert_always(lab_zone_is_valid(z, NULL, 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_zone_config cfg = lab_zone_config_default(SPAN);
	static struct lab_block blocks[MAX_BLOCKS];
	unsigned long given[256] = {0}, pages[4] = {0};
	struct lab_zone *z;
	size_t n = 0;
	int ret;

	cfg.no_pcp = true;
	cfg.base = frames;
	cfg.meta = meta;
	cfg.meta_len = sizeof(meta);
	lab_assert_always(lab_zone_create(&z, &cfg) == 0);
	for (size_t i = NR_PAGEBLOCKS; i + 4 <= size && n < MAX_BLOCKS; i += 4, n++) {
		blocks[n] = (struct lab_block){.pfn = data[i] | data[i + 1] << 8,
			.order = data[i + 2],
			.migratetype = data[i + 3] & 15,
			.state = data[i + 3] >> 4};
		if (blocks[n].order <= LAB_MAX_ORDER)
			given[blocks[n].state] += 1UL << blocks[n].order;
	}
	ret = size < NR_PAGEBLOCKS ? -EINVAL : lab_zone_restore(z, blocks, n, data, NR_PAGEBLOCKS);
	lab_assert_always(lab_zone_is_valid(z, NULL, 0));
	lab_zone_walk(z, count, pages);
	if (ret == 0) {
		lab_assert_always(pages[LAB_BLOCK_FREE] == given[LAB_BLOCK_FREE]);
		lab_assert_always(pages[LAB_BLOCK_ALLOCATED] == given[LAB_BLOCK_ALLOCATED]);
	} else {
		lab_assert_always(ret == -EINVAL && pages[LAB_BLOCK_FREE] == SPAN);
	}
	give_all_back(z);
	lab_zone_destroy(z);
	return 0;
}
