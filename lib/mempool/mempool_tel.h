/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_MEMPOOL_TEL_H
#define LAB_MEMPOOL_TEL_H

/* rte_telemetry of 22.11 and of 23.03 and later, and how the commands say no. */

#include <errno.h>
#include <stdio.h>

#include <rte_telemetry.h>
#include <rte_version.h>

#include "mempool_private.h"

#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
#define LAB_TEL_UINT                     RTE_TEL_UINT_VAL
#define lab_tel_dict_u64(d, name, value) rte_tel_data_add_dict_uint(d, name, value)
#define lab_tel_array_u64(d, value)      rte_tel_data_add_array_uint(d, value)
#else
#define LAB_TEL_UINT                     RTE_TEL_U64_VAL
#define lab_tel_dict_u64(d, name, value) rte_tel_data_add_dict_u64(d, name, value)
#define lab_tel_array_u64(d, value)      rte_tel_data_add_array_u64(d, value)
#endif

/* A pool that a command names, and what follows the name. */
struct lab_tel_target {
	struct rte_mempool *mp;
	struct lab_pool *pool;
	const char *rest; /* "" if nothing */
};

/*
 * Find the pool in params. Without a name: the only pool of the driver.
 * @return 0; negative with the error already in d.
 */
int lab_tel_target(const char *params, struct rte_tel_data *d, struct lab_tel_target *t);

/* Answer {"error": text}; a null would not say why. @return 0, for the callback to return. */
int lab_tel_error(struct rte_tel_data *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* mempool_tel_zone.c: the zone that the parameters name (zone=N); NULL with the error in d */
struct lab_zone *lab_tel_target_zone(const struct lab_tel_target *t, struct rte_tel_data *d);
int lab_tel_zone(const struct lab_tel_target *t, struct rte_tel_data *d);
int lab_tel_failures(const struct lab_tel_target *t, struct rte_tel_data *d);
int lab_tel_owners(const struct lab_tel_target *t, struct rte_tel_data *d);
int lab_tel_reclaim(const struct lab_tel_target *t, struct rte_tel_data *d);
int lab_tel_frag(const struct lab_tel_target *t, struct rte_tel_data *d);

/* mempool_warning.c */
int lab_tel_warnings(const struct lab_tel_target *t, struct rte_tel_data *d);

/* mempool_tenants.c */
int lab_tel_age(const struct lab_tel_target *t, struct rte_tel_data *d);

#endif /* LAB_MEMPOOL_TEL_H */
