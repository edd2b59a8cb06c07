/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_random.c
 * Long random histories over everything that a zone can do, against what must hold whatever the order
 * of events: blocks are aligned and disjoint, their contents stay, pages are conserved, a refusal is
 * the one that the formulas give, and the structure is valid. Each history has a seed and is the same
 * each time.
 */
#include "zone_fixture.h"

#define SPAN      (20 * PAGEBLOCK + 77)
#define MAX_OWNED SPAN
#define STEPS     (LAB_ASSERT_TIER >= 2 ? 9000U : 40000U) /* each validates the zone then */

struct owned {
	uint64_t *page;
	unsigned int order;
	uint64_t tag;
};

struct history {
	struct lab_zone *z;
	struct lab_rng rng;
	struct owned owned[MAX_OWNED];
	unsigned int nr;
	unsigned long pages;  /**< allocated, by our own count */
	uint8_t used[SPAN];   /**< by frame */
	unsigned long online; /**< frames from 0 that are online */
	uint64_t refused;
	bool injecting;
};

static struct history h;

static uint64_t
below(uint64_t n)
{
	return lab_rng_below(&h.rng, n);
}

/* ------------------------------------------------------------------ oracle */

/** __zone_watermark_ok() once more, written down from the rules and not from the library. */
static bool
gate(const struct lab_free_counts *c, unsigned int order, long mark, long reserve, bool high,
	bool non_block, bool oom, bool highatomic, bool cma)
{
	long free = (long)c->nr_free - (1L << order) + 1, min = mark;

	if (!high && !non_block && !oom && !highatomic)
		free -= (long)c->highatomic;
	if (!cma)
		free -= (long)c->nr_free_cma;
	if (high)
		min -= min / 2;
	if (high && non_block)
		min -= min / 4;
	if (oom)
		min -= min / 2;
	if (free <= min + reserve)
		return false;
	if (order == 0)
		return true;
	for (unsigned int o = order; o <= LAB_MAX_ORDER; o++) {
		for (unsigned int mt = 0; mt < LAB_MIGRATE_PCPTYPES; mt++) {
			if (c->blocks[o][mt])
				return true;
		}
		if ((highatomic || oom) && c->blocks[o][LAB_MIGRATE_HIGHATOMIC])
			return true;
		if (cma && c->blocks[o][LAB_MIGRATE_CMA])
			return true;
	}
	return false;
}

/** Does any pass of a request that may not reclaim open the gate? */
static bool
any_pass(const struct lab_zone_info *i, const struct lab_free_counts *c, lab_gfp_t gfp,
	unsigned int order)
{
	bool high = gfp & __LAB_GFP_HIGH, nomem = gfp & __LAB_GFP_NOMEMALLOC;
	bool cma = gfp & __LAB_GFP_MOVABLE, non_block = !nomem;
	long reserve = (long)i->lowmem_reserve[LAB_ZONE_NORMAL], boost = (long)i->boost;
	long low = (long)i->wmark.low + boost, min = (long)i->wmark.min + boost;
	bool highatomic = non_block && high && order > 0;

	if (gate(c, order, low, reserve, false, false, false, false, cma))
		return true;
	if (gate(c, order, min, reserve, high, non_block, false, highatomic, cma))
		return true;
	if (high && order == 0 &&
		gate(c, 0, (long)i->wmark.min, reserve, true, non_block, false, false, cma))
		return true;
	if (!nomem && (gfp & __LAB_GFP_OOM_VICTIM))
		return gate(c, order, min, reserve, false, false, true, false, cma);
	return false;
}

/* ------------------------------------------------------------------- steps */

static lab_gfp_t
random_gfp(void)
{
	static const lab_gfp_t base[] = {LAB_GFP_ATOMIC, LAB_GFP_ATOMIC, LAB_GFP_NOWAIT,
		LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, LAB_GFP_NOWAIT | __LAB_GFP_OOM_VICTIM,
		LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE, LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE,
		LAB_GFP_NOWAIT | __LAB_GFP_RECLAIMABLE};
	lab_gfp_t gfp = base[below(LAB_ARRAY_SIZE(base))];

	if (below(16) == 0)
		gfp |= __LAB_GFP_ZERO;
	if (below(16) == 0)
		gfp |= __LAB_GFP_COMP;
	return gfp;
}

static unsigned int
random_order(void)
{
	return below(4) ? 0 : below(8) ? below(4) : below(LAB_NR_ORDERS);
}

static void
own(void *page, unsigned int order)
{
	unsigned long pfn = lab_page_to_pfn(h.z, page);
	struct owned *o = &h.owned[h.nr++];

	assert_in_range(pfn, 0, h.online - 1);
	assert_int_equal(pfn % (1UL << order), 0);
	for (unsigned long i = 0; i < 1UL << order; i++) {
		assert_int_equal(h.used[pfn + i], 0);
		h.used[pfn + i] = 1;
	}
	*o = (struct owned){page, order, lab_rng_u64(&h.rng)};
	o->page[0] = o->tag;
	o->page[((LAB_PAGE_SIZE << order) / 8) - 1] = ~o->tag;
	h.pages += 1UL << order;
}

static void
disown(unsigned int k)
{
	struct owned o = h.owned[k];
	unsigned long pfn = lab_page_to_pfn(h.z, o.page);

	assert_int_equal(o.page[0], o.tag);
	assert_int_equal(o.page[((LAB_PAGE_SIZE << o.order) / 8) - 1], ~o.tag);
	memset(h.used + pfn, 0, 1UL << o.order);
	h.pages -= 1UL << o.order;
	h.owned[k] = h.owned[--h.nr];
	assert_int_equal(lab_free_pages(h.z, o.page, o.order), 0);
}

static void
check_zeroed(const uint64_t *page, unsigned int order)
{
	for (size_t i = 0; i < (LAB_PAGE_SIZE << order) / 8; i++)
		assert_int_equal(page[i], 0);
}

static void
step_alloc(void)
{
	lab_gfp_t gfp = random_gfp();
	unsigned int order = random_order();
	struct lab_zone_info info = zone_info(h.z);
	struct lab_free_counts counts;
	bool open, pcp = info.nr_pcp > 0;
	void *page;

	lab_zone_free_counts(h.z, &counts);
	open = any_pass(&info, &counts, gfp, order);
	page = lab_alloc_pages(h.z, gfp, order);
	if (page == NULL && h.injecting && errno == EIO) {
		h.refused++;
		return;
	}
	/* Behind an open gate a block may still be missing: one of highatomic pages that only others
	 * may have, or of a type whose lists are empty while CPUs hold them. */
	if (page != NULL)
		assert_true(open);
	else if (open)
		assert_true(errno == EBUSY || errno == ENOSPC || pcp);
	h.refused += page == NULL;
	if (page == NULL)
		return;
	if (gfp & __LAB_GFP_ZERO)
		check_zeroed(page, order);
	own(page, order);
	if (order > 0 && !(gfp & __LAB_GFP_COMP) && below(8) == 0) {
		struct owned o = h.owned[h.nr - 1];

		disown(h.nr - 1);
		page = lab_alloc_pages(h.z, gfp, order);
		if (page == NULL) {
			h.refused++;
			return;
		}
		assert_int_equal(lab_split_page(h.z, page, order), 0);
		for (unsigned int i = 0; i < 1U << o.order; i++)
			own((char *)page + i * LAB_PAGE_SIZE, 0);
	}
}

static void
step_bulk(void)
{
	void *pages[100];
	unsigned int n = 1 + below(100), got = lab_alloc_pages_bulk(h.z, random_gfp(), n, pages);

	assert_in_range(got, 0, n);
	h.refused += got == 0;
	for (unsigned int i = 0; i < got; i++)
		own(pages[i], 0);
}

static void
step_free(void)
{
	if (h.nr > 0)
		disown(below(h.nr));
}

/** Wrong frees of all kinds: none is taken. */
static void
step_bad_free(void)
{
	unsigned long pfn = below(SPAN);
	unsigned int order = below(LAB_NR_ORDERS);
	char *page = lab_pfn_to_page(h.z, pfn);
	int ret;

	for (unsigned int k = 0; k < h.nr; k++) {
		if ((char *)h.owned[k].page == page && h.owned[k].order == order)
			return; /* that would be a right one */
	}
	ret = lab_free_pages(h.z, page, order);
	assert_true(ret == -EINVAL || ret == -EALREADY);
	if (h.used[pfn])
		assert_int_equal(ret, -EINVAL);
	else if (pfn < h.online && pfn % (1UL << order) == 0)
		assert_int_equal(ret, -EALREADY);
}

static void
step_set(void)
{
	switch (below(5)) {
	case 0:
		lab_zone_set_min_free_kbytes(h.z, below(3) ? KB(below(2000)) : -1);
		break;
	case 1:
		lab_zone_set_watermark_scale_factor(h.z, 1 + below(400));
		break;
	case 2:
		lab_zone_set_watermark_boost_factor(h.z, below(20000));
		break;
	case 3:
		lab_zone_set_lowmem_reserve(h.z, LAB_ZONE_NORMAL, below(4) ? 0 : below(500));
		break;
	default:
		lab_zone_set_pcp(h.z, below(4) != 0);
		break;
	}
}

static void
step_online(void)
{
	unsigned long n = 1 + below(700);

	if (h.online == SPAN)
		return;
	if (n > SPAN - h.online)
		n = SPAN - h.online;
	assert_int_equal(lab_zone_online(h.z, lab_pfn_to_page(h.z, h.online), n), 0);
	h.online += n;
}

static void
step_inject(void)
{
	struct lab_inject in = {.probability_ppm = below(2) * 200000,
		.times = -1,
		.interval = below(3),
		.min_order = below(2),
		.seed = lab_rng_u64(&h.rng)};

	assert_int_equal(lab_zone_inject(h.z, &in), 0);
	h.injecting = in.probability_ppm > 0;
}

static void
step_rare(void)
{
	switch (below(8)) {
	case 0:
		lab_drain_all_pages(h.z);
		assert_int_equal(zone_info(h.z).nr_pcp, 0);
		break;
	case 1:
		lab_zone_unreserve_highatomic(h.z, below(2));
		break;
	case 2:
		lab_zone_kswapd(h.z);
		break;
	case 3:
		step_online();
		break;
	case 4:
		step_inject();
		break;
	case 5:
		lab_cpu_set(below(3));
		break;
	default:
		step_set();
		break;
	}
}

static void
check(void)
{
	struct lab_zone_info info = zone_info(h.z);

	assert_valid(h.z);
	assert_int_equal(info.managed, h.online);
	assert_int_equal(info.nr_free + info.nr_pcp + h.pages, h.online);
}

static void
check_counters(void)
{
	struct lab_zone_stats s = zone_stats(h.z);
	uint64_t causes = 0, orders = 0;

	for (int i = 0; i < LAB_NR_CAUSES; i++)
		causes += s.refused[i];
	for (int i = 0; i < LAB_NR_ORDERS; i++)
		orders += s.refused_order[i];
	assert_int_equal(causes, h.refused);
	assert_int_equal(orders, h.refused);
	assert_int_equal(s.refused[LAB_CAUSE_NONE], 0);
}

/** Tides: the zone is filled, then emptied, so that both ends are met. */
static void
run(uint64_t seed, unsigned int steps, const struct lab_zone_config *cfg)
{
	memset(&h, 0, sizeof(h));
	lab_rng_seed(&h.rng, seed);
	h.z = make_zone(cfg);
	h.online = cfg->offline ? 0 : SPAN;
	while (h.online < SPAN / 2)
		step_online();
	for (unsigned int i = 0; i < steps; i++) {
		bool flood = i / 4000 % 2 == 0;
		uint64_t dice = below(1000);

		if (dice < 5)
			step_rare();
		else if (dice < 15)
			step_bad_free();
		else if (dice < 25)
			step_bulk();
		else if (dice < (flood ? 600 : 350))
			step_alloc();
		else
			step_free();
		if (i % 256 == 0)
			check();
	}
	check_counters();
	while (h.nr > 0)
		step_free();
	lab_drain_all_pages(h.z);
	check();
	assert_int_equal(zone_info(h.z).nr_free, h.online);
	assert_int_equal(lab_zone_destroy(h.z), 0);
}

static struct lab_zone_config
config(void)
{
	struct lab_zone_config cfg = lab_zone_config_default(SPAN);

	cfg.nr_cpus = 2;
	cfg.min_free_kbytes = KB(500);
	return cfg;
}

static void
test_6_12(void **state)
{
	struct lab_zone_config cfg = config();

	run(1, STEPS, &cfg);
	cfg.no_pcp = true;
	run(2, STEPS, &cfg);
}

static void
test_6_1(void **state)
{
	struct lab_zone_config cfg = config();

	cfg.linux_version = LAB_LINUX_6_1;
	run(3, STEPS, &cfg);
	cfg.no_pcp = true;
	run(4, STEPS, &cfg);
}

static void
test_cma(void **state)
{
	struct lab_zone_config cfg = config();

	cfg.cma_pages = 6 * PAGEBLOCK;
	run(5, STEPS, &cfg);
}

static void
test_offline(void **state)
{
	struct lab_zone_config cfg = config();

	cfg.offline = true;
	run(6, STEPS, &cfg);
}

static void
test_dma32(void **state)
{
	struct lab_zone_config cfg = config();

	cfg.type = LAB_ZONE_DMA32;
	cfg.linux_version = LAB_LINUX_6_1;
	cfg.cma_pages = 2 * PAGEBLOCK;
	run(7, STEPS, &cfg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_6_12),
		cmocka_unit_test(test_6_1),
		cmocka_unit_test(test_cma),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_dma32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
