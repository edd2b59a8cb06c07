/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "kmon_shared.h"
#include "lab_base.h"
#include "lab_kmon.h"
#include "nic_private.h"

static void
test_names_of_drivers(void **state)
{
	static const struct {
		const char *name;
		enum lab_nic_counter_kind kind;
	} names[] = {
		{"alloc_rx_page_failed", LAB_NIC_COUNTER_ALLOC_FAIL},       /* ixgbe */
		{"rx_queue_3_alloc_failed", LAB_NIC_COUNTER_ALLOC_FAIL},    /* igb */
		{"rx_buff_alloc_err", LAB_NIC_COUNTER_ALLOC_FAIL},          /* mlx5 */
		{"queue_0_rx_page_alloc_fail", LAB_NIC_COUNTER_ALLOC_FAIL}, /* ena */
		{"rx_buf_alloc_fail[0]", LAB_NIC_COUNTER_ALLOC_FAIL},       /* gve */
		{"Queue[0] AllocFails", LAB_NIC_COUNTER_ALLOC_FAIL},        /* atlantic */
		{"rx_alloc_errors", LAB_NIC_COUNTER_ALLOC_FAIL},            /* qede */
		{"rx_out_of_buffer", LAB_NIC_COUNTER_LOST},                 /* mlx5 */
		{"rx_no_buffer_count", LAB_NIC_COUNTER_LOST},               /* igb */
		{"rx_total_oom_discards", LAB_NIC_COUNTER_LOST},            /* bnxt */
		{"rx_missed_errors", LAB_NIC_COUNTER_LOST},                 /* e1000e */
		{"rx_nodesc_drop_cnt", LAB_NIC_COUNTER_LOST},               /* sfc */
		{"tx_alloc_failed", LAB_NIC_COUNTER_NONE},
		{"queue_0_tx_alloc_err", LAB_NIC_COUNTER_NONE},
		{"rx_packets", LAB_NIC_COUNTER_NONE},
		{"rx_pp_alloc_fast", LAB_NIC_COUNTER_NONE}, /* page_pool, of many */
		{"", LAB_NIC_COUNTER_NONE},
	};

	(void)state;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(names); i++) {
		if (lab_nic_counter_kind(names[i].name) != names[i].kind)
			fail_msg("%s", names[i].name);
	}
}

/* What a driver counts by queue and in all must not count twice. */
static void
test_parts(void **state)
{
	static const char *const mlx5[] = {"rx_buff_alloc_err", "rx0_buff_alloc_err"};
	static const char *const bnxt[] = {"[0]: rx_oom_discards", "rx_total_oom_discards"};
	static const char *const igb[] = {"rx_queue_0_alloc_failed", "rx_queue_1_alloc_failed"};

	(void)state;
	assert_false(lab_nic_counter_is_part(mlx5[0], mlx5, 2));
	assert_true(lab_nic_counter_is_part(mlx5[1], mlx5, 2));
	assert_true(lab_nic_counter_is_part(bnxt[0], bnxt, 2));
	assert_false(lab_nic_counter_is_part(bnxt[1], bnxt, 2));
	assert_false(lab_nic_counter_is_part(igb[0], igb, 2));
}

static void
on_one(int ifindex, const struct rtnl_link_stats64 *stats, void *arg)
{
	struct rtnl_link_stats64 *out = arg;

	if (ifindex == (int)if_nametoindex("lo"))
		*out = *stats;
}

/* One device by itself, and as one of all: the same figures. */
static void
test_one_and_all(void **state)
{
	struct rtnl_link_stats64 one, all;
	struct nic_netlink nl;
	int lo = (int)if_nametoindex("lo");

	(void)state;
	if (lo == 0 || nic_netlink_open(&nl, NETLINK_ROUTE))
		skip();
	for (int i = 0; i < 100; i++) { /* others use it, too, but not all the time */
		memset(&one, 0xff, sizeof(one));
		memset(&all, 0, sizeof(all));
		assert_int_equal(nic_netlink_stats(&nl, lo, on_one, &one), 0);
		assert_int_equal(nic_netlink_stats(&nl, 0, on_one, &all), 0);
		if (!memcmp(&one, &all, sizeof(one)))
			break;
	}
	assert_memory_equal(&one, &all, sizeof(one));
	assert_int_equal(nic_netlink_stats(&nl, INT_MAX, on_one, &one), -ENODEV);
	assert_int_equal(
		nic_netlink_stats(&nl, lo, on_one, &one), 0); /* and the next is answered */
	nic_netlink_close(&nl);
}

static void
send_to_self(int n)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	for (int i = 0; i < n; i++)
		(void)!sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	close(fd);
}

static void
test_loopback(void **state)
{
	const char *lo = "lo", *none = "no-such-device";
	struct lab_nics *nics;
	const struct lab_nic *nic;
	char why[128];

	(void)state;
	assert_int_equal(lab_nics_open(&nics, &none, 1, why, sizeof(why)), -ENODEV);
	assert_non_null(strstr(why, none));
	if (lab_nics_open(&nics, &lo, 1, why, sizeof(why)))
		skip(); /* no netlink here */
	nic = lab_nics_get(nics, 0);
	assert_string_equal(nic->name, "lo");
	assert_null(lab_nics_get(nics, 1));
	send_to_self(5);
	assert_int_equal(lab_nics_read(nics, true), 0);
	if (nic->rx_packets < 5) { /* a namespace may have its loopback down */
		lab_nics_close(nics);
		skip();
	}
	assert_in_range(nic->rx_packets, 5, 1000000);
	lab_nics_close(nics);
}

/* The kernel's histogram has the buckets of ours. */
static void
test_histogram(void **state)
{
	struct lab_rng r;

	(void)state;
	lab_rng_seed(&r, 1);
	for (int i = 0; i < 200000; i++) {
		uint64_t v = lab_rng_u64(&r) >> (lab_rng_u64(&r) & 63);
		unsigned int index = lab_hist_index(v);

		if (index >= KMON_HIST_BUCKETS)
			index = KMON_HIST_BUCKETS - 1;
		assert_int_equal(kmon_hist_index(v), index);
	}
	assert_true(lab_hist_index(60000000000u) < KMON_HIST_BUCKETS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_drivers),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_one_and_all),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
