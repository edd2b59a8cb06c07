/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file traffic.h
 * Compiled once for all files of the module, since DPDK's headers take longer than the rest of a file does.
 * Each file includes what it uses all the same.
 */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
