/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_POOL_H
#define APP_POOL_H

/** @file pool.h The packet pools. The first one is made when a port first needs one. */

#include <stdint.h>

#include <rte_mempool.h>

struct app;

#define POOL_MAX      16
#define POOL_NAME_LEN 24

/** How a pool is made. Its text form: "NAME,n=4096,size=9344,cache=0,ops=ring_mp_mc,KEY=..." with
 *  the driver's own settings (lab_mempool.h) as further keys. */
struct pool_config {
	char name[POOL_NAME_LEN];
	unsigned int n;
	uint32_t mbuf_size; /**< data room, headroom included */
	unsigned int cache;
	char ops[RTE_MEMPOOL_OPS_NAMESIZE];
	char settings[256];
};

struct lab_tenants;

struct pool {
	struct pool_config cfg;
	struct rte_mempool *mp;
	struct lab_tenants *tenants; /**< of its zone, once they were asked for; the pool's */
};

struct pools {
	struct pool list[POOL_MAX];
	unsigned int nr;
};

/** Read the text form over the program's options. @return 0, -EINVAL with the CLI's message set. */
int pool_config_parse(struct app *app, const char *text, struct pool_config *cfg);

/** Make a pool. @return 0 or a negative errno with the CLI's message set. */
int pool_create(struct app *app, const struct pool_config *cfg);

/** The pool of that name; NULL: the first, made now if there is none. NULL with the message set. */
struct rte_mempool *pool_get(struct app *app, const char *name);

/** Give back what lcores keep in their caches of a pool. Nobody uses it meanwhile. */
void pool_flush(struct pool *pool);

void pools_free(struct app *app);

#endif /* APP_POOL_H */
