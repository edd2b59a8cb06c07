/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * A driver's own counters (ethtool -S), of a driver that answers ioctl() in the kernel's place: its names, how they grow, and
 * what happens as it is reset, has more queues, or goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "lab_base.h"
#include "nic_private.h"

#define FD 1000 /* of no file */

/* In the order of igb, with two queues, and a name of e1000e. */
static const char *const igb[] = {"rx_packets", "tx_packets", "rx_bytes", "rx_no_buffer_count",
	"rx_missed_errors", "tx_dma_out_of_sync", "alloc_rx_buff_failed", "rx_queue_0_packets",
	"rx_queue_0_alloc_failed", "rx_queue_1_packets", "rx_queue_1_alloc_failed",
	"tx_queue_0_restart"};

/** The driver. */
static struct {
	const char *const *names;
	unsigned int nr;        /* counters */
	unsigned int nr_values; /* that it hands out, if other than that */
	uint64_t value[32];
	int refuses; /* errno, of every request */
	unsigned int requests;
} driver;

static int
answer(struct ethtool_sset_info *q)
{
	if (!(q->sset_mask & 1ULL << ETH_SS_STATS))
		return 0;
	q->sset_mask = driver.nr ? 1ULL << ETH_SS_STATS : 0;
	q->data[0] = driver.nr;
	return 0;
}

static int
answer_names(struct ethtool_gstrings *s)
{
	assert_int_equal(s->string_set, ETH_SS_STATS);
	s->len = driver.nr;
	for (unsigned int i = 0; i < driver.nr; i++)
		snprintf((char *)s->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN, "%s",
			driver.names[i]);
	return 0;
}

static int
answer_values(struct ethtool_stats *s)
{
	/* the kernel hands out as many as the driver has by now, however many were asked for */
	s->n_stats = driver.nr_values ? driver.nr_values : driver.nr;
	for (unsigned int i = 0; i < s->n_stats; i++)
		s->data[i] = i < driver.nr ? driver.value[i] : UINT64_MAX;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...);

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *r;
	uint32_t cmd;
	va_list ap;

	va_start(ap, request);
	r = va_arg(ap, struct ifreq *);
	va_end(ap);
	assert_int_equal(fd, FD);
	assert_int_equal(request, SIOCETHTOOL);
	assert_string_equal(r->ifr_name, "eth0");
	driver.requests++;
	if (driver.refuses) {
		errno = driver.refuses;
		return -1;
	}
	memcpy(&cmd, r->ifr_data, sizeof(cmd));
	switch (cmd) {
	case ETHTOOL_GSSET_INFO:
		return answer((void *)r->ifr_data);
	case ETHTOOL_GSTRINGS:
		return answer_names((void *)r->ifr_data);
	case ETHTOOL_GSTATS:
		return answer_values((void *)r->ifr_data);
	default:
		fail_msg("request %u", cmd);
		return -1;
	}
}

static int
new_driver(void **state)
{
	(void)state;
	memset(&driver, 0, sizeof(driver));
	driver.names = igb;
	driver.nr = LAB_ARRAY_SIZE(igb);
	for (unsigned int i = 0; i < driver.nr; i++)
		driver.value[i] = 1000 * i;
	return 0;
}

static uint64_t *
value_of(const char *name)
{
	for (unsigned int i = 0; i < driver.nr; i++) {
		if (!strcmp(driver.names[i], name))
			return &driver.value[i];
	}
	fail_msg("no counter %s", name);
	return NULL;
}

static const struct lab_nic_counter *
counter(const struct nic_driver *d, const char *name)
{
	for (unsigned int i = 0; i < d->nr; i++) {
		if (!strcmp(d->counter[i].name, name))
			return &d->counter[i];
	}
	fail_msg("%s was not taken", name);
	return NULL;
}

static void
open_driver(struct nic_driver *d)
{
	assert_int_equal(nic_driver_open(d, FD, "eth0"), 0);
	nic_driver_restart(d, FD, "eth0");
}

/** What was before does not count; what comes does, each by its own name; no packets and nothing of Tx. */
static void
test_growth(void **state)
{
	struct nic_driver d;

	(void)state;
	open_driver(&d);
	assert_int_equal(d.nr, 5);
	for (unsigned int i = 0; i < d.nr; i++)
		assert_int_equal(d.counter[i].value, 0);
	*value_of("rx_no_buffer_count") += 3;
	*value_of("alloc_rx_buff_failed") += 4;
	*value_of("rx_queue_0_alloc_failed") += 5;
	*value_of("rx_queue_1_alloc_failed") += 6;
	*value_of("rx_packets") += 1000;
	*value_of("rx_queue_0_packets") += 1000;
	*value_of("tx_dma_out_of_sync") += 7;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 3);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->kind, LAB_NIC_COUNTER_LOST);
	assert_int_equal(counter(&d, "alloc_rx_buff_failed")->value, 4);
	assert_int_equal(counter(&d, "alloc_rx_buff_failed")->kind, LAB_NIC_COUNTER_ALLOC_FAIL);
	assert_int_equal(counter(&d, "rx_queue_0_alloc_failed")->value, 5);
	assert_int_equal(counter(&d, "rx_queue_1_alloc_failed")->value, 6);
	assert_int_equal(counter(&d, "rx_missed_errors")->value, 0);
	/* and once more from here */
	nic_driver_restart(&d, FD, "eth0");
	*value_of("rx_no_buffer_count") += 2;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 2);
	assert_int_equal(counter(&d, "alloc_rx_buff_failed")->value, 0);
	nic_driver_close(&d);
	assert_int_equal(d.nr, 0);
}

/** A driver that is restarted counts from 0: the totals stay, and go on. */
static void
test_reset(void **state)
{
	struct nic_driver d;

	(void)state;
	open_driver(&d);
	*value_of("rx_no_buffer_count") += 30;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	memset(driver.value, 0, sizeof(driver.value));
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 30);
	assert_int_equal(counter(&d, "rx_queue_1_alloc_failed")->value, 0);
	*value_of("rx_no_buffer_count") = 4;
	*value_of("rx_queue_1_alloc_failed") = 1;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 34);
	assert_int_equal(counter(&d, "rx_queue_1_alloc_failed")->value, 1);
	nic_driver_close(&d);
}

/** With another number of queues the values have other places: none of them is taken for another's. */
static void
test_other_number(void **state)
{
	static const unsigned int numbers[] = {1, LAB_ARRAY_SIZE(igb) - 1, LAB_ARRAY_SIZE(igb) + 2};
	struct nic_driver d;

	(void)state;
	open_driver(&d);
	*value_of("rx_no_buffer_count") += 3;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(numbers); i++) {
		driver.nr_values = numbers[i];
		*value_of("rx_no_buffer_count") += 100;
		assert_int_equal(nic_driver_read(&d, FD, "eth0"), -EAGAIN);
		assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 3);
	}
	driver.nr_values = 0;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 303);
	/* one that cannot tell its values as it is restarted has none for us, and is not asked again */
	driver.nr_values = 1;
	nic_driver_restart(&d, FD, "eth0");
	assert_int_equal(d.nr, 0);
	driver.requests = 0;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	assert_int_equal(driver.requests, 0);
	nic_driver_close(&d);
}

static void
test_gone(void **state)
{
	struct nic_driver d;

	(void)state;
	open_driver(&d);
	*value_of("rx_no_buffer_count") += 3;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), 0);
	driver.refuses = ENODEV;
	assert_int_equal(nic_driver_read(&d, FD, "eth0"), -ENODEV);
	assert_int_equal(counter(&d, "rx_no_buffer_count")->value, 3);
	nic_driver_close(&d);
}

/** Drivers without counters, as virtual devices have, without any of interest, and those that refuse. */
static void
test_nothing_to_tell(void **state)
{
	static const char *const dull[] = {"rx_packets", "tx_packets"};
	struct nic_driver d;

	(void)state;
	driver.nr = 0;
	open_driver(&d);
	assert_int_equal(d.nr, 0);
	nic_driver_close(&d);
	driver.names = dull;
	driver.nr = 2;
	open_driver(&d);
	assert_int_equal(d.nr, 0);
	nic_driver_close(&d);
	driver.nr = 1 << 20; /* no driver's */
	assert_int_equal(nic_driver_open(&d, FD, "eth0"), -E2BIG);
	nic_driver_close(&d);
	driver.refuses = EOPNOTSUPP;
	assert_int_equal(nic_driver_open(&d, FD, "eth0"), 0);
	assert_int_equal(d.nr, 0);
	nic_driver_close(&d);
	driver.refuses = EPERM;
	assert_int_equal(nic_driver_open(&d, FD, "eth0"), -EPERM);
	nic_driver_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_growth, new_driver),
		cmocka_unit_test_setup(test_reset, new_driver),
		cmocka_unit_test_setup(test_other_number, new_driver),
		cmocka_unit_test_setup(test_gone, new_driver),
		cmocka_unit_test_setup(test_nothing_to_tell, new_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
