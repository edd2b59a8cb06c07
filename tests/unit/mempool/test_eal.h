/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * A test that is a small EAL application: without hugepages, files or devices.
 */
#ifndef LAB_TEST_EAL_H
#define LAB_TEST_EAL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <lab_base.h>
#include <lab_mempool.h>

#define TEST_SKIP 77

/* Start EAL or end the program as skipped: a machine that cannot is no failure of the driver. */
static inline void
test_eal_start_on(const char *name, const char *more, const char *lcores)
{
	const char *args[] = {name, "--no-huge", "--no-shconf", "-m", "128", "--no-pci", "-l",
		lcores, "--log-level=mempool.labyrinth:alert", more};
	static char *kept[LAB_ARRAY_SIZE(args)]; /* EAL points into them and reorders argv */
	char *argv[LAB_ARRAY_SIZE(args) + 1] = {NULL};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(args); i++)
		argv[i] = kept[i] = strdup(args[i]);
	unsetenv(LAB_MEMPOOL_ENV);
	unsetenv(LAB_MEMPOOL_ENV_CONFIG);
	if (rte_eal_init((int)LAB_ARRAY_SIZE(args), argv) < 0) {
		printf("SKIP: EAL does not start here: %s\n", rte_strerror(rte_errno));
		exit(TEST_SKIP);
	}
}

static inline void
test_eal_start_with(const char *name, const char *more)
{
	test_eal_start_on(name, more, "0");
}

static inline void
test_eal_start(const char *name)
{
	test_eal_start_with(name, "--no-telemetry");
}

/* A pool of the ops with its own settings (NULL: none), not populated yet. */
static inline struct rte_mempool *
test_pool_empty(const char *name, unsigned int n, unsigned int elt, unsigned int cache,
	unsigned int flags, const char *settings)
{
	struct rte_mempool *mp =
		rte_mempool_create_empty(name, n, elt, cache, 0, SOCKET_ID_ANY, flags);

	if (mp == NULL)
		return NULL;
	assert_int_equal(
		rte_mempool_set_ops_byname(mp, LAB_MEMPOOL_OPS_BUDDY, (void *)(uintptr_t)settings),
		0);
	return mp;
}

/* ... populated; NULL and rte_errno if that fails. */
static inline struct rte_mempool *
test_pool(const char *name, unsigned int n, unsigned int elt, unsigned int cache,
	const char *settings)
{
	struct rte_mempool *mp = test_pool_empty(name, n, elt, cache, 0, settings);
	int ret;

	assert_non_null(mp);
	ret = rte_mempool_populate_default(mp);
	if (ret == (int)n)
		return mp;
	rte_mempool_free(mp);
	rte_errno = -ret;
	return NULL;
}

static inline void
test_zone_valid(const struct rte_mempool *mp)
{
	char why[256] = "";

	for (unsigned int i = 0; i < lab_mempool_nr_zones(mp); i++)
		if (!lab_zone_is_valid(lab_mempool_zone_at(mp, i), why, sizeof(why)))
			fail_msg("zone %u: %s", i, why);
}

/* Field by field, by their text: structures have padding. */
static inline void
test_same_settings(const struct lab_mempool_settings *a, const struct lab_mempool_settings *b)
{
	char x[512], y[512];

	lab_mempool_settings_format(a, x, sizeof(x));
	lab_mempool_settings_format(b, y, sizeof(y));
	assert_string_equal(x, y);
}

/* All objects, past the cache; -ENOBUFS ends it. @return how many. */
static inline unsigned int
test_take_all(struct rte_mempool *mp, void **objs, unsigned int most)
{
	unsigned int n = 0;

	while (n < most && rte_mempool_generic_get(mp, &objs[n], 1, NULL) == 0)
		n++;
	return n;
}

static inline void
test_put_all(struct rte_mempool *mp, void **objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rte_mempool_generic_put(mp, &objs[i], 1, NULL);
}

#endif /* LAB_TEST_EAL_H */
