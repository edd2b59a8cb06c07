/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab_base.h"
#include "lab_stats.h"

LAB_DROP_CAUSE(drop_ring_full, "ring_full");
LAB_DROP_CAUSE(drop_watermark, "watermark");
LAB_DROP_CAUSE(drop_watermark_again, "watermark");

static void
test_causes_register_themselves(void **state)
{
	assert_int_equal(drop_watermark, drop_watermark_again);
	assert_int_not_equal(drop_watermark, drop_ring_full);
	assert_string_equal(lab_drop_cause_name(drop_ring_full), "ring_full");
	assert_string_equal(lab_drop_cause_name(drop_watermark), "watermark");
	assert_int_equal(lab_drop_cause("watermark"), drop_watermark);
	assert_int_equal(lab_drop_cause_count(), 2);
	assert_null(lab_drop_cause_name(2));
	assert_null(lab_drop_cause_name(UINT32_MAX));
}

static void
test_bad_cause_names(void **state)
{
	assert_int_equal(lab_drop_cause(NULL), -EINVAL);
	assert_int_equal(lab_drop_cause(""), -EINVAL);
	assert_int_equal(lab_drop_cause("a name of thirty-two characters."), -EINVAL);
	assert_int_equal(lab_drop_cause_count(), 2);
}

static void
test_ledger_closes(void **state)
{
	struct lab_ledger l;
	struct lab_ledger_port total;
	char why[200];

	lab_ledger_init(&l);
	assert_int_equal(lab_ledger_check(&l, why, sizeof(why)), 0);
	assert_int_equal(lab_ledger_port_add(&l, "wire0"), 0);
	assert_int_equal(lab_ledger_port_add(&l, "wire1"), 1);
	lab_ledger_offer(&l.port[0], 1000);
	lab_ledger_deliver(&l.port[0], 900);
	lab_ledger_drop(&l.port[0], drop_watermark, 60);
	lab_ledger_drop(&l.port[0], drop_watermark, 1);
	lab_ledger_drop(&l.port[0], drop_ring_full, 35);
	lab_ledger_set_in_flight(&l.port[0], 4);
	lab_ledger_offer(&l.port[1], 7);
	lab_ledger_deliver(&l.port[1], 7);
	assert_int_equal(lab_ledger_drops(&l.port[0]), 96);
	assert_int_equal(lab_ledger_unexplained(&l.port[0]), 0);
	assert_int_equal(lab_ledger_check(&l, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(lab_ledger_total(&l, &total), 0);
	assert_string_equal(total.name, "total");
	assert_int_equal(total.offered, 1007);
	assert_int_equal(total.delivered, 907);
	assert_int_equal(total.in_flight, 4);
	assert_int_equal(total.drops[drop_watermark], 61);
	assert_int_equal(total.drops[drop_ring_full], 35);
}

static void
test_what_is_unexplained_is_shown(void **state)
{
	struct lab_ledger l;
	char why[200];

	lab_ledger_init(&l);
	lab_ledger_port_add(&l, "a");
	lab_ledger_port_add(&l, "b");
	lab_ledger_offer(&l.port[1], 10);
	lab_ledger_deliver(&l.port[1], 11);
	assert_int_equal(lab_ledger_unexplained(&l.port[1]), -1);
	assert_int_equal(lab_ledger_check(&l, why, sizeof(why)), -EUCLEAN);
	assert_string_equal(why, "b: offered 10 - delivered 11 - dropped 0 - in flight 0 leaves -1 "
				 "unexplained");
	/* Two faults that cancel out in the total are still faults. */
	lab_ledger_offer(&l.port[0], 1);
	assert_int_equal(lab_ledger_check(&l, NULL, 0), -EUCLEAN);
	lab_ledger_clear(&l);
	assert_int_equal(lab_ledger_check(&l, NULL, 0), 0);
	assert_int_equal(l.nr_ports, 2);
}

static void
test_overflow(void **state)
{
	static struct lab_ledger l;
	struct lab_ledger_port total, before;
	char why[200];

	lab_ledger_init(&l);
	lab_ledger_port_add(&l, "a");
	lab_ledger_port_add(&l, "b");
	lab_ledger_offer(&l.port[0], UINT64_MAX);
	assert_int_equal(lab_ledger_unexplained(&l.port[0]), INT64_MAX);
	lab_ledger_deliver(&l.port[0], UINT64_MAX);
	assert_int_equal(lab_ledger_unexplained(&l.port[0]), 0);
	lab_ledger_deliver(&l.port[1], UINT64_MAX);
	assert_int_equal(lab_ledger_unexplained(&l.port[1]), INT64_MIN);
	lab_ledger_offer(&l.port[1], UINT64_MAX);
	assert_int_equal(lab_ledger_total(&l, &total), -EOVERFLOW);
	assert_int_equal(lab_ledger_check(&l, why, sizeof(why)), -EOVERFLOW);
	assert_non_null(strstr(why, "overflows"));
	before = l.port[0];
	assert_int_equal(lab_ledger_port_merge(&l.port[0], &l.port[1]), -EOVERFLOW);
	assert_memory_equal(&before, &l.port[0], sizeof(before));
	lab_ledger_drop(&l.port[1], 0, UINT64_MAX);
	lab_ledger_drop(&l.port[1], 1, 1);
	assert_int_equal(lab_ledger_drops(&l.port[1]), UINT64_MAX);
}

static void
test_diff(void **state)
{
	struct lab_ledger_port a = {.name = "p", .offered = 10, .delivered = 4, .in_flight = 6}, b,
			       d;

	b = a;
	b.offered = 25;
	b.delivered = 20;
	b.drops[3] = 2;
	b.in_flight = 3;
	assert_int_equal(lab_ledger_port_diff(&d, &b, &a), 0);
	assert_string_equal(d.name, "p");
	assert_int_equal(d.offered, 15);
	assert_int_equal(d.delivered, 16);
	assert_int_equal(d.drops[3], 2);
	assert_int_equal(d.in_flight, 3);
	assert_int_equal(lab_ledger_port_diff(&d, &a, &b), -ERANGE);
	assert_int_equal(d.offered, 15);
}

static void
test_ports(void **state)
{
	static struct lab_ledger l;
	char name[LAB_LEDGER_NAME_LEN + 1];

	lab_ledger_init(&l);
	assert_int_equal(lab_ledger_port_add(&l, NULL), -EINVAL);
	assert_int_equal(lab_ledger_port_add(&l, ""), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[LAB_LEDGER_NAME_LEN] = '\0';
	assert_int_equal(lab_ledger_port_add(&l, name), -EINVAL);
	name[LAB_LEDGER_NAME_LEN - 1] = '\0';
	assert_int_equal(lab_ledger_port_add(&l, name), 0);
	assert_int_equal(lab_ledger_port_add(&l, name), -EEXIST);
	for (int i = 1; i < LAB_LEDGER_MAX_PORTS; i++) {
		snprintf(name, sizeof(name), "port%d", i);
		assert_int_equal(lab_ledger_port_add(&l, name), i);
	}
	assert_int_equal(lab_ledger_port_add(&l, "one more"), -ENOSPC);
}

/* Random packets, each to exactly one bin: the ledger closes at every step and the total is the sum. */
static void
test_random_walk(void **state)
{
	static struct lab_ledger l;
	struct lab_ledger_port total;
	struct lab_rng rng;
	uint64_t dropped = 0;

	lab_ledger_init(&l);
	for (int i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%d", i);
		lab_ledger_port_add(&l, name);
	}
	lab_rng_seed(&rng, 11);
	for (int i = 0; i < 20000; i++) {
		struct lab_ledger_port *p = &l.port[lab_rng_below(&rng, 8)];
		uint64_t n = lab_rng_below(&rng, 1000);

		lab_ledger_offer(p, n);
		switch (lab_rng_below(&rng, 3)) {
		case 0:
			lab_ledger_deliver(p, n);
			break;
		case 1:
			lab_ledger_drop(
				p, (unsigned int)lab_rng_below(&rng, LAB_LEDGER_MAX_CAUSES), n);
			dropped += n;
			break;
		default:
			lab_ledger_set_in_flight(p, p->in_flight + n);
		}
		if (i % 100 == 0)
			assert_int_equal(lab_ledger_check(&l, NULL, 0), 0);
	}
	assert_int_equal(lab_ledger_total(&l, &total), 0);
	assert_int_equal(lab_ledger_drops(&total), dropped);
	/* One packet astray in one port of eight, and the check sees it. */
	lab_ledger_drop(&l.port[5], 31, 1);
	assert_int_equal(lab_ledger_check(&l, NULL, 0), -EUCLEAN);
}

/* Last: it fills the table for good. */
static void
test_table_of_causes_fills(void **state)
{
	char name[16];

	for (int i = 2; i < LAB_LEDGER_MAX_CAUSES; i++) {
		snprintf(name, sizeof(name), "cause%d", i);
		assert_int_equal(lab_drop_cause(name), i);
	}
	assert_int_equal(lab_drop_cause("one more"), -ENOSPC);
	assert_int_equal(lab_drop_cause("cause7"), 7);
	assert_int_equal(lab_drop_cause_count(), LAB_LEDGER_MAX_CAUSES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes_register_themselves),
		cmocka_unit_test(test_bad_cause_names),
		cmocka_unit_test(test_ledger_closes),
		cmocka_unit_test(test_what_is_unexplained_is_shown),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_random_walk),
		cmocka_unit_test(test_table_of_causes_fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
