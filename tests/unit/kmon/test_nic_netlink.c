/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Answers of the kernel about devices' figures, built by hand: what is in them, and what may be wrong with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "nic_private.h"

#define FAMILY 0x1d
#define SEQ    77

/* Of the netdev family. */
#define IFINDEX    1
#define RX_PACKETS 8
#define ALLOC_FAIL 12
#define HW_DROPS   13

/** A datagram that grows. */
struct datagram {
	_Alignas(8) char buf[4096];
	size_t len, message; /* of all; where the last message begins */
};

static struct nlmsghdr *
last(struct datagram *g)
{
	return (struct nlmsghdr *)(g->buf + g->message);
}

static void
put(struct datagram *g, const void *data, size_t len)
{
	memcpy(g->buf + g->len, data, len);
	g->len += NLMSG_ALIGN(len);
	last(g)->nlmsg_len = (__u32)(g->len - g->message);
}

static void
begin(struct datagram *g, unsigned int type, const void *header, size_t len)
{
	struct nlmsghdr n = {.nlmsg_len = sizeof(n), .nlmsg_type = (__u16)type, .nlmsg_seq = SEQ};

	g->message = g->len;
	put(g, &n, sizeof(n));
	put(g, header, len);
}

static void
begin_qstats(struct datagram *g)
{
	const struct genlmsghdr h = {.cmd = 12, .version = 1};

	begin(g, FAMILY, &h, sizeof(h));
}

static void
attribute(struct datagram *g, unsigned int type, const void *data, size_t len)
{
	struct nlattr a = {.nla_type = (__u16)type, .nla_len = (__u16)(NLA_HDRLEN + len)};

	put(g, &a, sizeof(a));
	put(g, data, len);
}

static void
u32(struct datagram *g, unsigned int type, uint32_t v)
{
	attribute(g, type, &v, sizeof(v));
}

static void
u64(struct datagram *g, unsigned int type, uint64_t v)
{
	attribute(g, type, &v, sizeof(v));
}

static void
done(struct datagram *g)
{
	const int zero = 0;

	begin(g, NLMSG_DONE, &zero, sizeof(zero));
}

/** What was read of a datagram. */
struct read {
	unsigned int n;
	struct nic_qstats q[8];
};

static void
on_qstats(const struct nic_qstats *q, void *arg)
{
	struct read *r = arg;

	assert_true(r->n < 8);
	r->q[r->n++] = *q;
}

static const struct nic_netlink asked = {.fd = -1, .seq = SEQ, .family = FAMILY, .dump = true};

static int
take(const struct datagram *g, struct read *r)
{
	r->n = 0;
	return nic_netlink_take_qstats(&asked, g->buf, g->len, on_qstats, r);
}

/** Numbers have 4 bytes where that is enough, and 8 where it is not; each device has a message of its own. */
static void
test_two_devices(void **state)
{
	struct datagram g = {.len = 0};
	struct read r;

	(void)state;
	begin_qstats(&g);
	u32(&g, IFINDEX, 2);
	u64(&g, RX_PACKETS, 1ULL << 40);
	u32(&g, ALLOC_FAIL, 4000000000u);
	u64(&g, HW_DROPS, 5000000000u);
	begin_qstats(&g);
	u32(&g, IFINDEX, 7);
	u64(&g, ALLOC_FAIL, 1ULL << 63);
	assert_int_equal(take(&g, &r), 0); /* and more comes */
	assert_int_equal(r.n, 2);
	assert_int_equal(r.q[0].ifindex, 2);
	assert_true(r.q[0].has_alloc_fail && r.q[0].has_hw_drops);
	assert_int_equal(r.q[0].alloc_fail, 4000000000u);
	assert_int_equal(r.q[0].hw_drops, 5000000000u);
	assert_int_equal(r.q[1].ifindex, 7);
	assert_true(r.q[1].has_alloc_fail && !r.q[1].has_hw_drops);
	assert_true(r.q[1].alloc_fail == 1ULL << 63);
	done(&g);
	assert_int_equal(take(&g, &r), 1);
	assert_int_equal(r.n, 2);
}

/** A driver may say nothing of either; flags in the type's upper bits are none of ours. */
static void
test_others(void **state)
{
	struct datagram g = {.len = 0};
	struct read r;

	(void)state;
	begin_qstats(&g);
	u32(&g, IFINDEX, 3);
	u32(&g, RX_PACKETS, 9);
	assert_int_equal(take(&g, &r), 0);
	assert_true(r.n == 1 && !r.q[0].has_alloc_fail && !r.q[0].has_hw_drops);
	g.len = 0;
	begin_qstats(&g);
	u32(&g, IFINDEX | NLA_F_NET_BYTEORDER, 3);
	u32(&g, ALLOC_FAIL | NLA_F_NESTED, 8);
	assert_int_equal(take(&g, &r), 0);
	assert_true(r.q[0].ifindex == 3 && r.q[0].alloc_fail == 8);
	/* messages to somebody else: of another family, or an answer to another question */
	last(&g)->nlmsg_type = FAMILY + 1;
	assert_int_equal(take(&g, &r), 0);
	assert_int_equal(r.n, 0);
	last(&g)->nlmsg_type = FAMILY;
	last(&g)->nlmsg_seq = SEQ - 1;
	assert_int_equal(take(&g, &r), 0);
	assert_int_equal(r.n, 0);
}

/** Whatever is cut off, and wherever: what stands whole before it is read, and nothing behind it. */
static void
test_cut(void **state)
{
	struct datagram g = {.len = 0};
	struct read r;

	(void)state;
	begin_qstats(&g);
	u32(&g, IFINDEX, 2);
	u64(&g, ALLOC_FAIL, 5);
	u64(&g, HW_DROPS, 6);
	/* the message says so: its last attribute reaches beyond it */
	last(&g)->nlmsg_len -= 4;
	assert_int_equal(take(&g, &r), 0);
	assert_true(r.n == 1 && r.q[0].has_alloc_fail && !r.q[0].has_hw_drops);
	assert_int_equal(r.q[0].alloc_fail, 5);
	last(&g)->nlmsg_len += 4;
	/* the datagram is shorter than its message: the next one will be whole */
	for (size_t len = 0; len < g.len; len++) {
		r.n = 0;
		assert_int_equal(nic_netlink_take_qstats(&asked, g.buf, len, on_qstats, &r), 0);
		assert_int_equal(r.n, 0);
	}
	/* a message with no room for its own header, and one that is not padded at the end */
	last(&g)->nlmsg_len = sizeof(struct nlmsghdr);
	assert_int_equal(take(&g, &r), 0);
	assert_true(r.n == 1 && r.q[0].ifindex == 0);
	last(&g)->nlmsg_len = (__u32)g.len - 1;
	g.len--;
	assert_int_equal(take(&g, &r), 0);
	assert_int_equal(r.n, 1);
}

/** Values too short for a number, and of no length. */
static void
test_short_values(void **state)
{
	struct datagram g = {.len = 0};
	struct read r;
	const uint16_t two = 0xffff;

	(void)state;
	begin_qstats(&g);
	u32(&g, IFINDEX, 2);
	attribute(&g, ALLOC_FAIL, &two, sizeof(two));
	attribute(&g, HW_DROPS, &two, 0);
	assert_int_equal(take(&g, &r), 0);
	assert_int_equal(r.q[0].ifindex, 2);
	assert_int_equal(r.q[0].alloc_fail, 0);
	assert_int_equal(r.q[0].hw_drops, 0);
}

static void
test_errors(void **state)
{
	struct datagram g = {.len = 0};
	struct nlmsgerr e = {.error = -EOPNOTSUPP};
	struct read r;

	(void)state;
	begin(&g, NLMSG_ERROR, &e, sizeof(e));
	assert_int_equal(take(&g, &r), -EOPNOTSUPP);
	last(&g)->nlmsg_len = sizeof(struct nlmsghdr) + 2;
	assert_int_equal(take(&g, &r), -EPROTO);
	g.len = 0;
	e.error = 0; /* an acknowledgement */
	begin(&g, NLMSG_ERROR, &e, sizeof(e));
	assert_int_equal(take(&g, &r), 1);
}

/** The first figures are the base; one that goes back was reset, and the total goes on; one that is missing was not. */
static void
test_totals(void **state)
{
	struct lab_nic nic = {.ifindex = 2}, base = {0}, other = {.ifindex = 7}, other_base = {0};
	struct nic_qstats q = {.ifindex = 2, .has_alloc_fail = true, .has_hw_drops = true};

	(void)state;
	q.alloc_fail = 100;
	q.hw_drops = 10;
	nic_follow_qstats(&nic, &base, &q);
	assert_true(nic.has_qstats);
	assert_int_equal(nic.qstats_rx_alloc_fail, 0);
	q.alloc_fail = 130;
	q.hw_drops = 11;
	nic_follow_qstats(&nic, &base, &q);
	assert_int_equal(nic.qstats_rx_alloc_fail, 30);
	assert_int_equal(nic.qstats_rx_hw_drops, 1);
	q.alloc_fail = 0; /* the driver was restarted */
	nic_follow_qstats(&nic, &base, &q);
	assert_int_equal(nic.qstats_rx_alloc_fail, 30);
	q.alloc_fail = 5;
	nic_follow_qstats(&nic, &base, &q);
	assert_int_equal(nic.qstats_rx_alloc_fail, 35);
	q.has_hw_drops = false;
	q.hw_drops = 0;
	nic_follow_qstats(&nic, &base, &q);
	q.has_hw_drops = true;
	q.hw_drops = 14;
	nic_follow_qstats(&nic, &base, &q);
	assert_int_equal(nic.qstats_rx_hw_drops, 4);
	/* a device without either never has any */
	q = (struct nic_qstats){.ifindex = 7};
	nic_follow_qstats(&other, &other_base, &q);
	assert_false(other.has_qstats);
}

/** The older figures come in one piece, of as many of them as the kernel has. */
static void
on_stats(int ifindex, const struct rtnl_link_stats64 *s, void *arg)
{
	assert_int_equal(ifindex, 4);
	*(struct rtnl_link_stats64 *)arg = *s;
}

static void
test_stats(void **state)
{
	const struct if_stats_msg m = {.family = AF_UNSPEC, .ifindex = 4};
	const struct nic_netlink one = {.fd = -1, .seq = SEQ};
	struct rtnl_link_stats64 s = {.rx_packets = 5, .rx_dropped = 6, .rx_nohandler = 7}, got;
	struct datagram g = {.len = 0};

	(void)state;
	begin(&g, RTM_NEWSTATS, &m, sizeof(m));
	attribute(&g, IFLA_STATS_LINK_64, &s, sizeof(s));
	assert_int_equal(nic_netlink_take_stats(&one, g.buf, g.len, on_stats, &got), 1);
	assert_memory_equal(&s, &got, sizeof(s));
	g.len = 0;
	begin(&g, RTM_NEWSTATS, &m, sizeof(m));
	attribute(&g, IFLA_STATS_LINK_64, &s, offsetof(struct rtnl_link_stats64, rx_nohandler));
	assert_int_equal(nic_netlink_take_stats(&one, g.buf, g.len, on_stats, &got), 1);
	assert_int_equal(got.rx_dropped, 6);
	assert_int_equal(got.rx_nohandler, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_devices),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_short_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
