/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "tenants.h"

#define WHERE_BITS 30

/* As GFP_KERNEL meets the marks, but it neither reclaims (the reclaimer may be the tenants
 * themselves) nor counts as non-blocking, which would open the atomic reserves to it. */
#define TENANT_GFP                                                                                 \
	((LAB_GFP_KERNEL & ~__LAB_GFP_DIRECT_RECLAIM) | __LAB_GFP_NOMEMALLOC | __LAB_GFP_NOWARN)
#define TENANT_GFP_USER                                                                            \
	((LAB_GFP_HIGHUSER_MOVABLE & ~__LAB_GFP_DIRECT_RECLAIM) | __LAB_GFP_NOMEMALLOC |           \
		__LAB_GFP_NOWARN)

static const lab_gfp_t tenant_gfp[TENANT_TYPES] = {
	[LAB_MIGRATE_UNMOVABLE] = TENANT_GFP,
	[LAB_MIGRATE_MOVABLE] = TENANT_GFP_USER,
	[LAB_MIGRATE_RECLAIMABLE] = TENANT_GFP | __LAB_GFP_RECLAIMABLE,
};

static void
tenants_release_memory(struct lab_tenants *t)
{
	for (int mt = 0; mt < TENANT_TYPES; mt++)
		free(t->holds[mt]);
	free(t->where);
	free(t);
}

void
tenants_set_owner(struct lab_tenants *t, const char *model, unsigned int n)
{
	char name[LAB_OWNER_NAME_LEN];

	snprintf(name, sizeof(name), model != NULL ? "tenants (%s)" : "tenants", model);
	t->owner = LAB_OWNER_TENANT(n);
	/* without a place for it, the number will do */
	lab_owner_name(t->zone, t->owner, name);
}

int
lab_tenants_create(struct lab_tenants **out, struct lab_zone *zone, unsigned long max_blocks)
{
	struct lab_zone_info info;
	struct lab_tenants *t;
	bool ok = true;

	if (out == NULL || zone == NULL)
		return -EINVAL;
	lab_zone_info_get(zone, &info);
	if (info.spanned >= 1UL << WHERE_BITS)
		return -EINVAL;
	if (max_blocks == 0 || max_blocks > info.spanned)
		max_blocks = info.spanned;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->zone = zone;
	tenants_set_owner(t, NULL, 0);
	t->spanned = info.spanned;
	t->max_blocks = max_blocks;
	t->where = calloc(info.spanned, sizeof(*t->where));
	for (int mt = 0; mt < TENANT_TYPES; mt++) {
		t->holds[mt] = calloc(max_blocks, sizeof(*t->holds[mt]));
		ok = ok && t->holds[mt] != NULL;
	}
	if (!ok || t->where == NULL) {
		tenants_release_memory(t);
		return -ENOMEM;
	}
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return 0;
}

void
lab_tenants_destroy(struct lab_tenants *t)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	if (t->compaction.budget > 0)
		lab_zone_set_move(t->zone, NULL, NULL);
	tenants_put_all(t);
	pthread_mutex_unlock(&t->lock);
	pthread_mutex_destroy(&t->lock);
	tenants_release_memory(t);
}

struct lab_zone *
lab_tenants_zone(const struct lab_tenants *t)
{
	return t->zone;
}

/* ---------------------------------------------------------------- the holds */

static uint32_t
where_pack(struct hold_ref r)
{
	return 1U + (((uint32_t)r.mt << WHERE_BITS) | (uint32_t)r.i);
}

static struct hold_ref
where_unpack(uint32_t w)
{
	return (struct hold_ref){
		(enum lab_migratetype)((w - 1) >> WHERE_BITS), (w - 1) & ((1UL << WHERE_BITS) - 1)};
}

bool
hold_at(const struct lab_tenants *t, unsigned long pfn, struct hold_ref *out)
{
	if (pfn >= t->spanned || t->where[pfn] == 0)
		return false;
	*out = where_unpack(t->where[pfn]);
	return true;
}

bool
hold_covering(const struct lab_tenants *t, unsigned long pfn, struct hold_ref *out)
{
	for (unsigned int o = 0; o <= LAB_MAX_ORDER; o++) {
		unsigned long head = pfn & ~(order_pages(o) - 1);

		if (hold_at(t, head, out) && head + order_pages(hold_of(t, *out)->order) > pfn)
			return true;
	}
	return false;
}

struct hold_ref
hold_random(const struct lab_tenants *t, struct lab_rng *rng)
{
	unsigned long n = lab_rng_below(rng, t->blocks);
	int mt = 0;

	while (n >= t->nr[mt])
		n -= t->nr[mt++];
	return (struct hold_ref){(enum lab_migratetype)mt, n};
}

int
hold_add(struct lab_tenants *t, enum lab_migratetype mt, const struct hold *h)
{
	struct hold_ref r = {mt, t->nr[mt]};

	if (t->blocks >= t->max_blocks)
		return -ENOBUFS;
	lab_assert(t->where[h->pfn] == 0);
	*hold_of(t, r) = *h;
	t->where[h->pfn] = where_pack(r);
	t->nr[mt]++;
	t->blocks++;
	t->blocks_order[h->order]++;
	t->pages += order_pages(h->order);
	t->pages_mt[mt] += order_pages(h->order);
	return 0;
}

struct hold
hold_forget(struct lab_tenants *t, struct hold_ref r)
{
	struct hold h = *hold_of(t, r), *last = &t->holds[r.mt][--t->nr[r.mt]];

	*hold_of(t, r) = *last;
	t->where[last->pfn] = where_pack(r);
	t->where[h.pfn] = 0;
	t->blocks--;
	t->blocks_order[h.order]--;
	t->pages -= order_pages(h.order);
	t->pages_mt[r.mt] -= order_pages(h.order);
	return h;
}

/* ------------------------------------------------------- allocate, give back */

static void
touch_block(void *page, unsigned int order, unsigned long pfn)
{
	for (unsigned long i = 0; i < order_pages(order); i++) {
		uint64_t mark = pfn + i;

		memcpy((char *)page + i * LAB_PAGE_SIZE, &mark, sizeof(mark));
	}
}

void *
tenants_alloc_raw(struct lab_tenants *t, enum lab_migratetype mt, unsigned int order)
{
	uint32_t before = lab_owner_set(t->owner);
	void *page = lab_alloc_pages(t->zone, tenant_gfp[mt], order);

	lab_owner_set(before);
	if (page == NULL) {
		t->last_cause = lab_errno_cause(errno);
		t->refused++;
		return NULL;
	}
	t->allocs++;
	if (t->touch) {
		touch_block(page, order, lab_page_to_pfn(t->zone, page));
		t->touched = true;
	}
	return page;
}

int
tenants_get(struct lab_tenants *t, enum lab_migratetype mt, unsigned int order, uint32_t death,
	struct hold_ref *out)
{
	struct hold h = {.birth = t->clock, .death = death, .order = (uint8_t)order};
	void *page;

	if (t->blocks >= t->max_blocks)
		return -ENOBUFS;
	page = tenants_alloc_raw(t, mt, order);
	if (page == NULL)
		return -ENOMEM;
	h.pfn = (uint32_t)lab_page_to_pfn(t->zone, page);
	if (out != NULL)
		*out = (struct hold_ref){mt, t->nr[mt]};
	return hold_add(t, mt, &h);
}

unsigned long
tenants_put(struct lab_tenants *t, struct hold_ref r)
{
	struct hold h = hold_forget(t, r);
	int rc = lab_free_pages(t->zone, lab_pfn_to_page(t->zone, h.pfn), h.order);

	/* Only somebody who freed our block could make this fail; the zone counts it as bad_free. */
	lab_assert(rc == 0);
	(void)rc;
	t->frees++;
	return order_pages(h.order);
}

int
tenants_split(struct lab_tenants *t, struct hold_ref r)
{
	struct hold h = *hold_of(t, r);
	unsigned long n = order_pages(h.order);
	int rc;

	if (t->blocks + n - 1 > t->max_blocks)
		return -ENOBUFS;
	rc = lab_split_page(t->zone, lab_pfn_to_page(t->zone, h.pfn), h.order);
	if (rc != 0)
		return rc;
	hold_forget(t, r);
	t->allocs += n - 1; /* so many blocks more there are */
	h.order = 0;
	for (; n > 0; n--, h.pfn++)
		hold_add(t, r.mt, &h);
	return 0;
}

unsigned long
tenants_put_all(struct lab_tenants *t)
{
	unsigned long pages = t->pages;

	for (int mt = 0; mt < TENANT_TYPES; mt++)
		while (t->nr[mt] > 0)
			tenants_put(t, (struct hold_ref){(enum lab_migratetype)mt, t->nr[mt] - 1});
	t->touched = false;
	tenants_clear_owed(t);
	return pages;
}

void
tenants_clear_owed(struct lab_tenants *t)
{
	memset(t->owed, 0, sizeof(t->owed));
	t->owed_pages = 0;
}

/* ------------------------------------------------------------------- public */

unsigned long
lab_tenants_release(struct lab_tenants *t, unsigned long nr_pages, uint64_t seed)
{
	unsigned long pages = 0;
	struct lab_rng rng;

	pthread_mutex_lock(&t->lock);
	if (nr_pages == ULONG_MAX) {
		pages = tenants_put_all(t);
	} else {
		lab_rng_seed(&rng, seed);
		while (pages < nr_pages && t->blocks > 0)
			pages += tenants_put(t, hold_random(t, &rng));
	}
	pthread_mutex_unlock(&t->lock);
	return pages;
}

void
lab_tenants_info_get(struct lab_tenants *t, struct lab_tenants_info *out)
{
	pthread_mutex_lock(&t->lock);
	*out = (struct lab_tenants_info){
		.blocks = t->blocks,
		.max_blocks = t->max_blocks,
		.pages = t->pages,
		.owed_pages = t->owed_pages,
		.allocs = t->allocs,
		.frees = t->frees,
		.refused = t->refused,
		.reclaimed_pages = t->reclaimed_pages,
		.churned = t->churned,
		.churn_late = t->churn_late,
		.moved = t->moved,
	};
	memcpy(out->pages_mt, t->pages_mt, sizeof(out->pages_mt));
	memcpy(out->blocks_order, t->blocks_order, sizeof(out->blocks_order));
	pthread_mutex_unlock(&t->lock);
}
