/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * A zone's life: four bytes choose its kind, then every three bytes are an operation. Blocks never
 * overlap, pages are conserved, wrong frees are told, and the structure stays valid.
 */
#include <errno.h>
#include <string.h>

#include "lab_base.h"
#include "lab_page.h"

#define SPAN 2600UL /* five pageblocks and a part of one */
#define CPUS 2

/** With every operation validated, long lives would take minutes. */
#define MAX_SIZE (LAB_ASSERT_TIER >= 2 ? 200 : 4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct block {
	void *page;
	unsigned int order;
};

static unsigned char frames[SPAN * LAB_PAGE_SIZE] __attribute__((aligned(1 << 21)));
static unsigned char meta[LAB_ZONE_META_BYTES(SPAN, CPUS)] __attribute__((aligned(64)));

/** The zone under test and what we know of it. */
struct life {
	struct lab_zone *z;
	struct block blocks[SPAN];
	unsigned int nr;
	uint8_t owner[SPAN];
	unsigned long online, pages;
	bool objects; /**< no page is cleared */
};

static struct life l;

static void
check_valid(void)
{
	char why[200] = "";

	if (!lab_zone_is_valid(l.z, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
}

static bool
make(const uint8_t *data)
{
	struct lab_zone_config cfg = lab_zone_config_default(SPAN);

	memset(&l, 0, sizeof(l));
	cfg.base = frames;
	cfg.meta = meta;
	cfg.meta_len = sizeof(meta);
	cfg.nr_cpus = 1 + (data[0] & 1);
	cfg.no_pcp = data[0] & 2;
	cfg.offline = data[0] & 4;
	cfg.linux_version = data[0] & 8 ? LAB_LINUX_6_1 : LAB_LINUX_6_12;
	cfg.type = data[0] & 16 ? LAB_ZONE_NORMAL : LAB_ZONE_DMA;
	cfg.cma_pages = data[1] * 8UL;
	cfg.min_free_kbytes = data[2] * 16L;
	cfg.lowmem_reserve[LAB_ZONE_NORMAL] = data[3];
	l.online = cfg.offline ? 0 : SPAN;
	return lab_zone_create(&l.z, &cfg) == 0;
}

static void
own(void *page, unsigned int order)
{
	unsigned long pfn = lab_page_to_pfn(l.z, page);

	lab_assert_always(pfn < l.online && pfn % (1UL << order) == 0);
	for (unsigned long i = 0; i < 1UL << order; i++)
		lab_assert_always(!l.owner[pfn + i]++);
	l.blocks[l.nr++] = (struct block){page, order};
	l.pages += 1UL << order;
}

static struct block
disown(unsigned int k)
{
	struct block b = l.blocks[k];

	memset(l.owner + lab_page_to_pfn(l.z, b.page), 0, 1UL << b.order);
	l.pages -= 1UL << b.order;
	l.blocks[k] = l.blocks[--l.nr];
	return b;
}

static void
do_alloc(uint8_t a, uint8_t b)
{
	static const lab_gfp_t gfp[16] = {LAB_GFP_ATOMIC, LAB_GFP_NOWAIT, LAB_GFP_KERNEL,
		LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, LAB_GFP_NOWAIT | __LAB_GFP_MEMALLOC,
		LAB_GFP_NOWAIT | __LAB_GFP_OOM_VICTIM, LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE,
		LAB_GFP_HIGHUSER_MOVABLE, LAB_GFP_NOWAIT | __LAB_GFP_RECLAIMABLE,
		LAB_GFP_ATOMIC | __LAB_GFP_COMP, LAB_GFP_KERNEL | __LAB_GFP_NOFAIL,
		LAB_GFP_KERNEL | __LAB_GFP_HIGH, LAB_GFP_ATOMIC | __LAB_GFP_ZERO,
		LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE | __LAB_GFP_MEMALLOC,
		__LAB_GFP_DMA | __LAB_GFP_HIGHMEM, LAB_GFP_ATOMIC | __LAB_GFP_NOFAIL};
	unsigned int order = b % 16;
	lab_gfp_t never = l.objects ? __LAB_GFP_ZERO : 0;
	void *page = lab_alloc_pages(l.z, gfp[a % 16] & ~never, order);

	if (page != NULL)
		own(page, order);
	else
		lab_assert_always(errno == EINVAL || lab_errno_cause(errno) != LAB_CAUSE_NONE);
}

static void
do_bulk(uint8_t a, uint8_t b)
{
	void *pages[64];
	unsigned int n = lab_alloc_pages_bulk(
		l.z, a & 1 ? LAB_GFP_ATOMIC : LAB_GFP_HIGHUSER_MOVABLE, b % 64, pages);

	lab_assert_always(n <= b % 64);
	for (unsigned int i = 0; i < n; i++)
		own(pages[i], 0);
}

static void
do_free(uint8_t a, uint8_t b)
{
	if (l.nr > 0) {
		struct block x = disown((a << 8 | b) % l.nr);

		lab_assert_always(lab_free_pages(l.z, x.page, x.order) == 0);
		lab_assert_always(lab_free_pages(l.z, x.page, x.order) == -EALREADY);
	}
}

/** Any address and order: taken only if it is one of ours. */
static void
do_wild_free(uint8_t a, uint8_t b)
{
	unsigned long pfn = (a << 4 | b >> 4) % (SPAN + 10);
	void *page = (void *)((uintptr_t)frames + pfn * LAB_PAGE_SIZE);
	unsigned int order = b % 16;

	for (unsigned int k = 0; k < l.nr; k++) {
		if (l.blocks[k].page == page && l.blocks[k].order == order)
			disown(k), pfn = SPAN + 100;
	}
	lab_assert_always((lab_free_pages(l.z, page, order) == 0) == (pfn == SPAN + 100));
}

static void
do_split(uint8_t a, uint8_t b)
{
	struct block x;

	if (l.nr == 0)
		return;
	x = l.blocks[(a << 8 | b) % l.nr];
	if (lab_split_page(l.z, x.page, x.order) != 0)
		return;
	disown((a << 8 | b) % l.nr);
	for (unsigned int i = 0; i < 1U << x.order; i++)
		own((char *)x.page + i * LAB_PAGE_SIZE, 0);
}

/** Frees may be bad, but nobody here writes where he must not. */
static void
on_finding(void *arg, const struct lab_guard_report *r)
{
	char text[512];

	lab_assert_always(r->kind >= LAB_GUARD_DOUBLE_FREE);
	lab_assert_always(lab_guard_format(r, text, sizeof(text)) < (int)sizeof(text));
}

static void
do_guard(uint8_t b)
{
	struct lab_guard_config cfg = {.report = on_finding, .keep = b & 2};

	l.objects = b & 1 && b & 4;
	if (l.objects) {
		cfg.object_bytes = 3000;
		cfg.object_order = b >> 6;
		cfg.colors = 15;
	}
	lab_assert_always(lab_zone_set_guard(l.z, b & 1 ? &cfg : NULL) == 0);
}

/** Whoever the owners are, together they hold what is held. */
static void
check_owners(void)
{
	static struct lab_owner_info o[LAB_OWNERS_MAX + 2];
	unsigned int n = lab_zone_owners_top(l.z, o, LAB_OWNERS_MAX + 2);
	struct lab_watch_info w;
	unsigned long pages = 0;

	lab_zone_watch_info(l.z, &w);
	for (unsigned int i = 0; i < n; i++)
		pages += o[i].pages;
	lab_assert_always(pages == (w.owners ? l.pages : 0));
}

static void
do_set(uint8_t a, uint8_t b)
{
	struct lab_inject in = {.probability_ppm = b * 4096U, .times = -1, .seed = b};

	switch (a % 12) {
	case 0:
		lab_zone_set_min_free_kbytes(l.z, b * 32L - 8);
		break;
	case 1:
		lab_zone_set_watermark_scale_factor(l.z, b * 16);
		break;
	case 2:
		lab_zone_set_pcp(l.z, b & 1);
		break;
	case 3:
		lab_zone_set_lowmem_reserve(l.z, b % 8, b);
		break;
	case 4:
		lab_zone_inject(l.z, &in);
		break;
	case 5:
		lab_cpu_set(b);
		break;
	case 6:
		lab_zone_set_watermark_boost_factor(l.z, b * 256);
		break;
	case 7:
		lab_drain_all_pages(l.z);
		break;
	case 8:
		lab_assert_always(lab_zone_set_owners(l.z, b & 1) == 0);
		break;
	case 9:
		lab_owner_set(b);
		break;
	default:
		do_guard(b);
		break;
	}
}

static void
do_online(uint8_t a, uint8_t b)
{
	unsigned long n = (a << 8 | b) % 1000;
	int ret = lab_zone_online(l.z, frames + l.online * LAB_PAGE_SIZE, n);

	lab_assert_always((ret == 0) == (n > 0 && n <= SPAN - l.online));
	if (ret == 0)
		l.online += n;
}

static void
operate(const uint8_t *op)
{
	switch (op[0] % 16) {
	case 0 ... 5:
		do_alloc(op[1], op[2]);
		break;
	case 6 ... 9:
		do_free(op[1], op[2]);
		break;
	case 10:
		do_bulk(op[1], op[2]);
		break;
	case 11:
		do_wild_free(op[1], op[2]);
		break;
	case 12:
		do_split(op[1], op[2]);
		break;
	case 13:
		do_online(op[1], op[2]);
		break;
	case 14:
		lab_zone_unreserve_highatomic(l.z, op[1] & 1);
		lab_zone_kswapd(l.z);
		break;
	default:
		do_set(op[1], op[2]);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_zone_info info;

	lab_cpu_set(0);
	lab_owner_set(LAB_OWNER_UNTAGGED);
	if (size > MAX_SIZE)
		size = MAX_SIZE;
	if (size < 4 || !make(data))
		return 0;
	for (size_t i = 4; i + 3 <= size; i += 3) {
		operate(data + i);
		if (i % 32 == 0)
			check_valid();
	}
	check_valid();
	check_owners();
	lab_zone_info_get(l.z, &info);
	lab_assert_always(info.nr_free + info.nr_pcp + l.pages == l.online);
	lab_assert_always(lab_zone_destroy(l.z) == l.nr);
	return 0;
}
