/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_TENANTS_H
#define LAB_FRAG_TENANTS_H

/* Inside lib/frag only: who holds what. All functions here want t->lock held. */

#include <pthread.h>

#include "lab_base.h"
#include "lab_frag.h"

#define TENANT_TYPES LAB_MIGRATE_PCPTYPES

/** Most pages, or operations, of one setting of compaction. */
#define COMPACTION_MAX (1U << 20)

/** A death that never comes. */
#define HOLD_IMMORTAL UINT32_MAX

/** One block that is held; birth and death in the tenants' clock, rounds of ageing. */
struct hold {
	uint32_t pfn;
	uint32_t birth;
	uint32_t death;
	uint8_t order;
};

/** A hold is named by its type and its place in that type's array. Any free moves the last one. */
struct hold_ref {
	enum lab_migratetype mt;
	unsigned long i;
};

struct lab_tenants {
	pthread_mutex_t lock;
	struct lab_zone *zone;
	unsigned long spanned;
	unsigned long max_blocks;
	struct hold *holds[TENANT_TYPES]; /* dense, so that a random one is found in O(1) */
	unsigned long nr[TENANT_TYPES];
	uint32_t *where; /* by pfn of a block's first frame: 1 + (type << 30 | place), 0: none */
	unsigned long blocks;
	unsigned long pages;
	unsigned long pages_mt[TENANT_TYPES];
	unsigned long blocks_order[LAB_NR_ORDERS];
	uint32_t clock;
	uint32_t owner; /* whose the blocks are, where the zone asks */
	bool touch;
	bool touched; /* some held page was written to, so a move copies */
	enum lab_cause last_cause;
	uint64_t allocs, frees, refused, reclaimed_pages, churned, churn_late;

	struct lab_compaction compaction;
	uint64_t compact_due; /* at so many allocs and frees */
	uint64_t moved;

	struct lab_churn_config churn;
	struct lab_rng churn_rng;
	bool churn_started;
	uint64_t churn_ns;
	double churn_due; /* the part of a block that is due */
	unsigned long owed[TENANT_TYPES][LAB_NR_ORDERS];
	unsigned long owed_pages;
};

static inline unsigned long
order_pages(unsigned int order)
{
	return 1UL << order;
}

static inline struct hold *
hold_of(const struct lab_tenants *t, struct hold_ref r)
{
	return &t->holds[r.mt][r.i];
}

/** From now on blocks are taken for a model; no model: for the tenants as such. */
void tenants_set_owner(struct lab_tenants *t, const char *model, unsigned int n);

/** The hold whose block starts at pfn, if there is one. */
bool hold_at(const struct lab_tenants *t, unsigned long pfn, struct hold_ref *out);

/** The hold whose block covers pfn, if there is one. */
bool hold_covering(const struct lab_tenants *t, unsigned long pfn, struct hold_ref *out);

/** A random hold; the caller made sure that there is one. */
struct hold_ref hold_random(const struct lab_tenants *t, struct lab_rng *rng);

/** Enter a block that is allocated already. @return 0, -ENOBUFS. */
int hold_add(struct lab_tenants *t, enum lab_migratetype mt, const struct hold *h);

/** Drop a hold without giving the block back. */
struct hold hold_forget(struct lab_tenants *t, struct hold_ref r);

/** Allocate a block and hold it. @param out may be NULL. @return 0, -ENOBUFS, -ENOMEM (refused). */
int tenants_get(struct lab_tenants *t, enum lab_migratetype mt, unsigned int order, uint32_t death,
	struct hold_ref *out);

/** Give a block back. @return its frames. */
unsigned long tenants_put(struct lab_tenants *t, struct hold_ref r);

/** Turn a hold into holds of single frames; the last of its type's array is one of them.
 *  @return 0, -ENOBUFS; -EINVAL if the zone does not know the block. */
int tenants_split(struct lab_tenants *t, struct hold_ref r);

/** Allocate a block that is not entered as held. @return its address or NULL. */
void *tenants_alloc_raw(struct lab_tenants *t, enum lab_migratetype mt, unsigned int order);

/** Give everything back. @return frames. */
unsigned long tenants_put_all(struct lab_tenants *t);

/** Let the zone compact, if it is time to. No pfn that was read before holds afterwards; references do. */
void tenants_compact_due(struct lab_tenants *t);

/** Forget what is owed. */
void tenants_clear_owed(struct lab_tenants *t);

#endif /* LAB_FRAG_TENANTS_H */
