/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any bytes as a datagram of an answer about devices' figures: nothing is read outside it. The first byte says whether a
 * dump was asked for; the family, and the number of the question, are those of its first message, so that it is ours. */
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "nic_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_stats(int ifindex, const struct rtnl_link_stats64 *s, void *arg)
{
	struct rtnl_link_stats64 *sum = arg;

	(void)ifindex;
	sum->rx_packets += s->rx_packets;
	sum->rx_nohandler += s->rx_nohandler;
}

static void
on_qstats(const struct nic_qstats *q, void *arg)
{
	struct lab_nic *nic = arg;
	uint64_t before = nic[0].qstats_rx_alloc_fail, drops = nic[0].qstats_rx_hw_drops;
	bool first = !nic[0].has_qstats;

	lab_assert_always(q->has_alloc_fail || q->alloc_fail == 0);
	lab_assert_always(q->has_hw_drops || q->hw_drops == 0);
	if ((q->alloc_fail | q->hw_drops) >>
		48) /* a few of these make a total of more than 64 bits */
		return;
	nic_follow_qstats(&nic[0], &nic[1], q);
	/* a total never falls, whatever the counter does */
	lab_assert_always(first || nic[0].qstats_rx_alloc_fail >= before);
	lab_assert_always(first || nic[0].qstats_rx_hw_drops >= drops);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nic_netlink nl = {.fd = -1};
	struct rtnl_link_stats64 sum = {0};
	struct lab_nic nic[2] = {{.ifindex = 1}};
	struct nlmsghdr n;
	char *copy;

	if (size < 1)
		return 0;
	/* of exactly this size, so that a byte read behind it is noticed */
	copy = malloc(size > 1 ? size - 1 : 1);
	lab_assert_always(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	nl.dump = data[0] & 1;
	if (size - 1 >= sizeof(n)) {
		memcpy(&n, copy, sizeof(n));
		nl.seq = n.nlmsg_seq;
		nl.family = n.nlmsg_type;
	}
	nic_netlink_take_qstats(&nl, copy, size - 1, on_qstats, nic);
	nic_netlink_take_stats(&nl, copy, size - 1, on_stats, &sum);
	free(copy);
	return 0;
}
