/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef EAL_ENV_H
#define EAL_ENV_H

/** @file eal_env.h An EAL for a test: ordinary memory, nothing shared with other programs. */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "lab_base.h"
#include "lab_traffic.h"

/** Start EAL with `lcores` lcores that float over the CPUs we may use; skip the test if it cannot. */
static inline void
eal_up(const char *name, unsigned int lcores)
{
	char prefix[64], map[256] = "", cpus[128] = "";
	char *argv[] = {(char *)(uintptr_t)name, (char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-shconf", (char *)(uintptr_t) "-m",
		(char *)(uintptr_t) "128", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry", (char *)(uintptr_t) "--log-level=error",
		(char *)(uintptr_t) "--file-prefix", prefix, (char *)(uintptr_t) "--lcores", map,
		NULL};
	cpu_set_t set;

	snprintf(prefix, sizeof(prefix), "lab_%s_%d", name, (int)getpid());
	sched_getaffinity(0, sizeof(set), &set);
	for (int c = 0, n = 0; c < CPU_SETSIZE && n < 8; c++) {
		if (CPU_ISSET(c, &set))
			snprintf(cpus + strlen(cpus), sizeof(cpus) - strlen(cpus), "%s%d",
				n++ ? "," : "", c);
	}
	for (unsigned int i = 0; i < lcores; i++)
		snprintf(map + strlen(map), sizeof(map) - strlen(map), "%s%u@(%s)", i ? "," : "", i,
			cpus);
	if (rte_eal_init((int)LAB_ARRAY_SIZE(argv) - 1, argv) < 0) {
		printf("SKIP: EAL does not start here: %s\n", rte_strerror(rte_errno));
		exit(77);
	}
}

/** A pool of n mbufs with room for frames of `frame` bytes. */
static inline struct rte_mempool *
make_pool(const char *name, unsigned int n, unsigned int cache, unsigned int frame)
{
	struct rte_mempool *mp = rte_pktmbuf_pool_create(
		name, n, cache, 0, (uint16_t)(frame + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);

	assert_non_null(mp);
	return mp;
}

/** Configure and start a port with `queues` queues of each kind. */
static inline void
port_up(uint16_t port, uint16_t queues, struct rte_mempool *mp)
{
	struct rte_eth_conf conf = {0};

	assert_int_equal(rte_eth_dev_configure(port, queues, queues, &conf), 0);
	for (uint16_t i = 0; i < queues; i++) {
		assert_int_equal(rte_eth_rx_queue_setup(port, i, 64, SOCKET_ID_ANY, NULL, mp), 0);
		assert_int_equal(rte_eth_tx_queue_setup(port, i, 64, SOCKET_ID_ANY, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(port), 0);
}

#endif /* EAL_ENV_H */
