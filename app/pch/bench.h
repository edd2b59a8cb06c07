/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file bench.h
 * As labyrinth.h, for labyrinth-bench.
 */
#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <jansson.h>
