/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef NIC_PRIVATE_H
#define NIC_PRIVATE_H

/** @file nic_private.h Three sources of a device's figures: rtnetlink, the netdev family, ethtool. */

#include <linux/if_link.h>

#include "lab_kmon.h"

/** The total since the base, of a counter that is `now`. It never goes back. */
void nic_follow(uint64_t *total, uint64_t *base, uint64_t now);

/** A netlink socket, and of generic netlink the number of its family. */
struct nic_netlink {
	int fd;        /* below 0: not open */
	size_t length; /* of a datagram that is taken */
	unsigned int seq, family;
	bool dump; /* the request that is being answered is one */
};

/** @return 0, -errno */
int nic_netlink_open(struct nic_netlink *nl, int protocol);
void nic_netlink_close(struct nic_netlink *nl);
/** Find the family "netdev". @return 0, -ENOENT (before 6.7), -errno */
int nic_netlink_find_netdev(struct nic_netlink *nl);

typedef void (*nic_stats_fn)(int ifindex, const struct rtnl_link_stats64 *s, void *arg);
/** stats64 of one device, or with ifindex 0 of all. @return 0, -ENODEV, -errno */
int nic_netlink_stats(struct nic_netlink *nl, int ifindex, nic_stats_fn fn, void *arg);

/** Queue statistics of one device, its queues together. */
struct nic_qstats {
	int ifindex;
	bool has_alloc_fail, has_hw_drops;
	uint64_t alloc_fail, hw_drops;
};
typedef void (*nic_qstats_fn)(const struct nic_qstats *q, void *arg);
/** @return 0, -errno (-EOPNOTSUPP before 6.10) */
int nic_netlink_qstats(struct nic_netlink *nl, nic_qstats_fn fn, void *arg);

/**
 * One datagram of an answer, by itself: what was asked last is in seq, dump and family, and no socket is needed.
 * @param buf aligned to 4 bytes
 * @return 1 when the answer is complete, 0 when more of it comes, -errno that it says or -EPROTO
 */
int nic_netlink_take_stats(
	const struct nic_netlink *nl, const void *buf, size_t len, nic_stats_fn fn, void *arg);
int nic_netlink_take_qstats(
	const struct nic_netlink *nl, const void *buf, size_t len, nic_qstats_fn fn, void *arg);

/** Bring a device's figures up to date; those of the first time are the base. */
void nic_follow_qstats(struct lab_nic *nic, struct lab_nic *base, const struct nic_qstats *q);

/** Counters of a driver by SIOCETHTOOL; those of interest only. */
struct nic_driver {
	unsigned int nr;     /* of interest */
	unsigned int *index; /* of each in the driver's list */
	uint64_t *base;      /* as it was opened */
	struct lab_nic_counter *counter;
	unsigned int total; /* counters of the driver */
	void *buffer;       /* struct ethtool_stats, with room for more than total */
};
/** Find them. A driver without any leaves nr 0. @return 0, -errno */
int nic_driver_open(struct nic_driver *d, int fd, const char *name);
/** Count from here. */
void nic_driver_restart(struct nic_driver *d, int fd, const char *name);
int nic_driver_read(struct nic_driver *d, int fd, const char *name);
void nic_driver_close(struct nic_driver *d);

#endif /* NIC_PRIVATE_H */
