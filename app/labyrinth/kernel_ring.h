/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_KERNEL_RING_H
#define APP_KERNEL_RING_H

/**
 * @file kernel_ring.h
 * What the kernel counts on the rings of a net_af_packet port.
 *
 * The driver reads frames out of a ring that the kernel fills. A frame that finds the ring full is
 * dropped by the kernel, and the driver counts nothing. The kernel does, for each socket
 * (packet(7), PACKET_STATISTICS): frames that came for it, and those of them that it dropped. The
 * driver keeps its sockets to itself, but they are this process's: they are found among its
 * descriptors by domain, interface and version of the ring. The interface's own counters would be
 * no measure: with receive offloads it counts other frames than the socket is shown, and frames that
 * this host sends are shown to the socket as well.
 *
 * Reading sets the kernel's figures back to 0; the driver (DPDK 22.11 and 24.11) does not read them.
 */

#include <stdint.h>

#include <rte_ethdev.h>

/** As many as the driver can have queues. */
#define KERNEL_RING_MAX 16

struct kernel_ring {
	int fd[KERNEL_RING_MAX]; /**< the driver's, not ours to close */
	unsigned int nr;         /**< 0: not such a port, or its sockets were not found */
	uint64_t packets;        /**< that came for the sockets, dropped ones among them */
	uint64_t drops;          /**< of those, that found the ring full */
};

/** Find the sockets of a port that was just started. What was counted before stays counted.
 *  Another driver's port has none. */
void kernel_ring_find(struct kernel_ring *r, const struct rte_eth_dev_info *info);

/** Add what the kernel has counted since. One thread at a time. */
void kernel_ring_read(struct kernel_ring *r);

/** The driver is about to close its sockets: read them a last time and forget them. */
void kernel_ring_close(struct kernel_ring *r);

#endif /* APP_KERNEL_RING_H */
