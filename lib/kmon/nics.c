/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "nic_private.h"

#define ASKED_ONE_BY_ONE 4

/* A device: its figures, what they were as it was opened, and its driver's counters. */
struct device {
	struct lab_nic nic, base;
	struct nic_driver driver;
};

struct lab_nics {
	struct nic_netlink route, netdev;
	int ioctl_fd;
	bool has_netdev;
	unsigned int nr;
	struct device *device;
};

static struct device *
find(struct lab_nics *n, int ifindex)
{
	for (unsigned int i = 0; i < n->nr; i++) {
		if (n->device[i].nic.ifindex == ifindex)
			return &n->device[i];
	}
	return NULL;
}

/* Follow a counter. One that went back was reset: our total goes on from where it was. */
void
nic_follow(uint64_t *total, uint64_t *base, uint64_t now)
{
	uint64_t last = *base + *total;

	if (now < last)
		*base -= last - now;
	*total = now - *base;
}

static void
on_stats(int ifindex, const struct rtnl_link_stats64 *s, void *arg)
{
	struct device *d = find(arg, ifindex);
	struct lab_nic *n, *b;

	if (d == NULL)
		return;
	n = &d->nic;
	b = &d->base;
	nic_follow(&n->rx_packets, &b->rx_packets, s->rx_packets);
	nic_follow(&n->rx_dropped, &b->rx_dropped, s->rx_dropped);
	nic_follow(&n->rx_missed, &b->rx_missed, s->rx_missed_errors);
	nic_follow(&n->rx_errors, &b->rx_errors, s->rx_errors);
	nic_follow(&n->rx_nohandler, &b->rx_nohandler, s->rx_nohandler);
	nic_follow(&n->tx_packets, &b->tx_packets, s->tx_packets);
	nic_follow(&n->tx_dropped, &b->tx_dropped, s->tx_dropped);
}

/* The first reading: all that was before is the base. */
static void
on_base(int ifindex, const struct rtnl_link_stats64 *s, void *arg)
{
	struct device *d = find(arg, ifindex);

	if (d == NULL)
		return;
	d->nic.rx_packets = d->nic.rx_dropped = d->nic.rx_missed = d->nic.rx_errors = 0;
	d->nic.rx_nohandler = d->nic.tx_packets = d->nic.tx_dropped = 0;
	d->base.rx_packets = s->rx_packets;
	d->base.rx_dropped = s->rx_dropped;
	d->base.rx_missed = s->rx_missed_errors;
	d->base.rx_errors = s->rx_errors;
	d->base.rx_nohandler = s->rx_nohandler;
	d->base.tx_packets = s->tx_packets;
	d->base.tx_dropped = s->tx_dropped;
}

void
nic_follow_qstats(struct lab_nic *nic, struct lab_nic *base, const struct nic_qstats *q)
{
	if (!q->has_alloc_fail && !q->has_hw_drops)
		return;
	if (!nic->has_qstats) {
		nic->has_qstats = true;
		nic->qstats_rx_alloc_fail = nic->qstats_rx_hw_drops = 0;
		base->qstats_rx_alloc_fail = q->alloc_fail;
		base->qstats_rx_hw_drops = q->hw_drops;
	}
	/* one that an answer lacks, cut off as it may be, was not reset */
	if (q->has_alloc_fail)
		nic_follow(&nic->qstats_rx_alloc_fail, &base->qstats_rx_alloc_fail, q->alloc_fail);
	if (q->has_hw_drops)
		nic_follow(&nic->qstats_rx_hw_drops, &base->qstats_rx_hw_drops, q->hw_drops);
}

static void
on_qstats(const struct nic_qstats *q, void *arg)
{
	struct device *d = find(arg, q->ifindex);

	if (d != NULL)
		nic_follow_qstats(&d->nic, &d->base, q);
}

/* ----------------------------------------------------------------- which ones */

static bool
has_hardware(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	return access(path, F_OK) == 0;
}

static int
add(struct lab_nics *n, const char *name, int ifindex)
{
	struct device *more = realloc(n->device, (n->nr + 1) * sizeof(*more));

	if (more == NULL)
		return -ENOMEM;
	n->device = more;
	memset(&more[n->nr], 0, sizeof(more[n->nr]));
	snprintf(more[n->nr].nic.name, LAB_NIC_NAME_LEN, "%s", name);
	more[n->nr++].nic.ifindex = ifindex;
	return 0;
}

static int
add_named(struct lab_nics *n, const char *const *names, unsigned int nr, char *why, size_t len)
{
	for (unsigned int i = 0; i < nr; i++) {
		int ifindex = (int)if_nametoindex(names[i]), err;

		if (ifindex == 0) {
			if (why)
				snprintf(why, len,
					"there is no network device '%s' here ('ip link' lists "
					"them)",
					names[i]);
			return -ENODEV;
		}
		err = find(n, ifindex) ? 0 : add(n, names[i], ifindex);
		if (err)
			return err;
	}
	return 0;
}

static int
add_all(struct lab_nics *n, bool hardware)
{
	struct if_nameindex *list = if_nameindex();
	int err = list ? 0 : -errno;

	for (struct if_nameindex *i = list; list && i->if_index && !err; i++) {
		if (hardware ? has_hardware(i->if_name) : strcmp(i->if_name, "lo") != 0)
			err = add(n, i->if_name, (int)i->if_index);
	}
	if (list)
		if_freenameindex(list);
	return err;
}

static int
find_devices(struct lab_nics *n, const char *const *names, unsigned int nr, char *why, size_t len)
{
	int err;

	if (nr)
		return add_named(n, names, nr, why, len);
	err = add_all(n, true);
	if (!err && n->nr == 0)
		err = add_all(n, false);
	return err;
}

/* ------------------------------------------------------------------------ life */

static int
ask_stats(struct lab_nics *n, int ifindex, nic_stats_fn fn)
{
	int err = nic_netlink_stats(&n->route, ifindex, fn, n);

	return err == -EMSGSIZE ? nic_netlink_stats(&n->route, ifindex, fn, n) : err;
}

/* A few are asked one by one: an answer about all devices takes longer the more there are, watched or not. A device that
 * has gone keeps its last figures. */
static int
read_stats(struct lab_nics *n, nic_stats_fn fn)
{
	int err = 0;

	if (n->nr > ASKED_ONE_BY_ONE)
		return ask_stats(n, 0, fn);
	for (unsigned int i = 0; i < n->nr && !err; i++) {
		err = ask_stats(n, n->device[i].nic.ifindex, fn);
		err = err == -ENODEV ? 0 : err;
	}
	return err;
}

int
lab_nics_restart(struct lab_nics *n)
{
	for (unsigned int i = 0; i < n->nr; i++) {
		n->device[i].nic.has_qstats = false; /* the next figures are the base */
		nic_driver_restart(&n->device[i].driver, n->ioctl_fd, n->device[i].nic.name);
	}
	if (n->has_netdev && nic_netlink_qstats(&n->netdev, on_qstats, n))
		n->has_netdev = false;
	return read_stats(n, on_base);
}

/* A driver that does not tell is no reason not to observe. */
static void
open_drivers(struct lab_nics *n)
{
	for (unsigned int i = 0; i < n->nr; i++) {
		struct device *d = &n->device[i];

		if (nic_driver_open(&d->driver, n->ioctl_fd, d->nic.name))
			d->driver.nr = 0;
		d->nic.nr_counters = d->driver.nr;
		d->nic.counters = d->driver.counter;
	}
}

int
lab_nics_open(
	struct lab_nics **out, const char *const *names, unsigned int nr, char *why, size_t len)
{
	struct lab_nics *n = calloc(1, sizeof(*n));
	int err;

	*out = NULL;
	if (n == NULL)
		return -ENOMEM;
	if (why && len)
		why[0] = '\0';
	n->netdev.fd = -1;
	n->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = nic_netlink_open(&n->route, NETLINK_ROUTE);
	if (!err)
		err = find_devices(n, names, nr, why, len);
	if (!err)
		n->has_netdev = nic_netlink_open(&n->netdev, NETLINK_GENERIC) == 0 &&
				nic_netlink_find_netdev(&n->netdev) == 0;
	if (!err) {
		open_drivers(n);
		err = lab_nics_restart(n);
	}
	if (err && why && len && why[0] == '\0')
		snprintf(why, len, "network devices: %s", strerror(-err));
	if (err)
		lab_nics_close(n);
	else
		*out = n;
	return err;
}

void
lab_nics_close(struct lab_nics *n)
{
	if (n == NULL)
		return;
	for (unsigned int i = 0; i < n->nr; i++)
		nic_driver_close(&n->device[i].driver);
	nic_netlink_close(&n->route);
	nic_netlink_close(&n->netdev);
	if (n->ioctl_fd >= 0)
		close(n->ioctl_fd);
	free(n->device);
	free(n);
}

int
lab_nics_read(struct lab_nics *n, bool slow)
{
	int err = read_stats(n, on_stats);

	if (err || !slow)
		return err;
	if (n->has_netdev)
		nic_netlink_qstats(&n->netdev, on_qstats, n);
	/* a device that has gone keeps its last figures */
	for (unsigned int i = 0; i < n->nr; i++)
		nic_driver_read(&n->device[i].driver, n->ioctl_fd, n->device[i].nic.name);
	return 0;
}

const struct lab_nic *
lab_nics_get(const struct lab_nics *n, unsigned int i)
{
	return i < n->nr ? &n->device[i].nic : NULL;
}
