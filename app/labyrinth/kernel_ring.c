/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

#include "kernel_ring.h"

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

/* libpcap's sockets, which read their own statistics, have rings of version 3. */
static bool
is_ring_of(int fd, unsigned int if_index)
{
	struct sockaddr_ll addr = {0};
	socklen_t len = sizeof(addr);

	return option(fd, SOL_SOCKET, SO_DOMAIN) == AF_PACKET &&
	       getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
	       addr.sll_ifindex == (int)if_index &&
	       option(fd, SOL_PACKET, PACKET_VERSION) == TPACKET_V2;
}

void
kernel_ring_find(struct kernel_ring *r, const struct rte_eth_dev_info *info)
{
	unsigned int found = 0;
	struct dirent *e;
	DIR *dir;

	r->nr = 0;
	if (info->driver_name == NULL || strcmp(info->driver_name, "net_af_packet"))
		return;
	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || !is_ring_of(fd, info->if_index))
			continue;
		if (found < KERNEL_RING_MAX)
			r->fd[found] = fd;
		found++;
	}
	closedir(dir);
	/* Two ports on one interface: whose is which cannot be told, so none is taken. */
	if (found == info->max_rx_queues && found <= KERNEL_RING_MAX)
		r->nr = found;
}

void
kernel_ring_read(struct kernel_ring *r)
{
	for (unsigned int i = 0; i < r->nr; i++) {
		struct tpacket_stats s;
		socklen_t len = sizeof(s);

		if (getsockopt(r->fd[i], SOL_PACKET, PACKET_STATISTICS, &s, &len))
			continue;
		r->packets += s.tp_packets;
		r->drops += s.tp_drops;
	}
}

void
kernel_ring_close(struct kernel_ring *r)
{
	kernel_ring_read(r);
	r->nr = 0;
}
