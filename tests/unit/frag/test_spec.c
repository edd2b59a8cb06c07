/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The text form of a configuration. */
#include "frag_test.h"

/** By what they print as, for the structure has padding. */
static void
assert_alike(const struct lab_age_config *a, const struct lab_age_config *b)
{
	char x[1024], y[1024];

	lab_age_format(a, x, sizeof(x));
	lab_age_format(b, y, sizeof(y));
	assert_string_equal(x, y);
}

static void
defaults_check(void **state)
{
	for (int m = 0; m < LAB_NR_AGE_MODELS; m++) {
		struct lab_age_config cfg = lab_age_config_default((enum lab_age_model)m), read;

		assert_int_equal(lab_age_check(&cfg, NULL, 0), 0);
		assert_int_equal(lab_age_parse(lab_age_model_name(cfg.model), &read, NULL, 0), 0);
		assert_alike(&cfg, &read);
	}
}

static void
every_key_is_read(void **state)
{
	struct lab_age_config c =
		config("model=lifetimes,seed=18446744073709551615,occupancy=0.9,"
		       "tolerance=.01,unusable=600@2,unusable_tolerance=5,rounds=12,"
		       "round_share=0.25,unmovable=0.3,reclaimable=0.05,orders=0:8/3:1.5,"
		       "short_life=1.5,long_life=1e3,long_share=0.2,steer=off,touch=on");

	assert_int_equal(c.model, LAB_AGE_LIFETIMES);
	assert_true(c.seed == UINT64_MAX);
	assert_true(c.occupancy == 0.9 && c.occupancy_tolerance == 0.01);
	assert_int_equal(c.unusable, 600);
	assert_int_equal(c.order, 2);
	assert_int_equal(c.unusable_tolerance, 5);
	assert_int_equal(c.rounds, 12);
	assert_true(c.round_share == 0.25 && c.unmovable == 0.3 && c.reclaimable == 0.05);
	assert_true(c.order_weight[0] == 8 && c.order_weight[3] == 1.5 && c.order_weight[1] == 0);
	assert_true(c.short_life == 1.5 && c.long_life == 1000 && c.long_share == 0.2);
	assert_true(!c.steer && c.touch);
	c = config("churn,unusable=600@2,unusable=off,order=4");
	assert_int_equal(c.unusable, LAB_AGE_NO_UNUSABLE);
	assert_int_equal(c.order, 4);
	c = config("adversary,unusable=600");
	assert_int_equal(c.unusable, 600);
	assert_int_equal(c.order, 3);
}

static void
what_is_written_reads_back(void **state)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 5);
	for (int i = 0; i < 2000; i++) {
		struct lab_age_config c = lab_age_config_default(
					      (enum lab_age_model)lab_rng_below(&rng, 4)),
				      read;
		char text[1024], shorter[40];
		int n;

		c.seed = lab_rng_u64(&rng);
		c.occupancy = lab_rng_double(&rng);
		c.unmovable = 0.01 + lab_rng_double(&rng) / 2;
		c.order_weight[lab_rng_below(&rng, LAB_NR_ORDERS)] = lab_rng_double(&rng) * 1e3;
		c.unusable = (int)lab_rng_below(&rng, 1002) - 1;
		c.order = 1 + (unsigned int)lab_rng_below(&rng, 10);
		c.steer = lab_rng_below(&rng, 2);
		n = lab_age_format(&c, text, sizeof(text));
		assert_in_range(n, 1, (int)sizeof(text) - 1);
		assert_int_equal(strlen(text), n);
		assert_int_equal(lab_age_format(&c, shorter, sizeof(shorter)), n);
		assert_int_equal(strlen(shorter), sizeof(shorter) - 1);
		assert_int_equal(lab_age_format(&c, NULL, 0), n);
		assert_int_equal(lab_age_parse(text, &read, NULL, 0), 0);
		assert_alike(&c, &read);
	}
}

static void
errors_name_the_item(void **state)
{
	static const struct {
		const char *text, *err;
	} cases[] = {
		{"", "no model ''"},
		{"chrun", "no model 'chrun': churn, scatter, lifetimes or adversary"},
		{"occupancy=0.9", "no model 'occupancy=0.9'"},
		{"churn,", "'': expected key=value"},
		{"churn,,seed=1", "'': expected key=value"},
		{"churn,seed", "'seed': expected key=value"},
		{"churn,sead=1", "no key 'sead'"},
		{"churn,seed=", "seed: '' is not an unsigned number"},
		{"churn,seed=-1", "seed: '-1' is not an unsigned number"},
		{"churn,seed=18446744073709551616", "is not an unsigned number"},
		{"churn,seed=1x", "seed: '1x' is not an unsigned number"},
		{"churn,occupancy=90%", "occupancy: '90%' is not a number from 0 to 1"},
		{"churn,occupancy=1.5", "occupancy: 1.5 is not in 0 to 1"},
		{"churn,occupancy=nan", "occupancy: 'nan' is not a number from 0 to 1"},
		{"churn,occupancy= 0.5", "occupancy: ' 0.5' is not"},
		{"churn,unusable=600@", "unusable: '600@' is not INDEX@ORDER"},
		{"churn,unusable=600@2@3", "unusable: '600@2@3' is not INDEX@ORDER"},
		{"churn,unusable=1001@2", "unusable: 1001 is not in 0 to 1000"},
		{"churn,unusable=-1@2", "unusable: '-1@2' is not INDEX@ORDER"},
		{"churn,unusable=1@11", "order: 11 is over 10"},
		{"churn,unusable=1@4294967298", "unusable: '1@4294967298' is not"},
		{"churn,rounds=100001", "rounds: 100001 is over 100000"},
		{"churn,orders=0", "orders: '0' is not ORDER:WEIGHT/ORDER:WEIGHT/..."},
		{"churn,orders=11:1", "orders: '11:1' is not"},
		{"churn,orders=1:1/1:2", "orders: '1:1/1:2' is not"},
		{"churn,orders=", "orders: no order has a weight"},
		{"churn,orders=3:0", "orders: no order has a weight"},
		{"churn,orders=3:1e300", "orders: weight 1e+300 of order 3"},
		{"churn,unmovable=0.6,reclaimable=0.6",
			"unmovable and reclaimable: 1.2 is more than all"},
		{"churn,steer=yes", "steer: 'yes' is not on or off"},
		{"scatter,unmovable=0", "scatter: needs unmovable > 0"},
		{"adversary,order=0", "adversary: order 0 has no rest to free"},
	};
	struct lab_age_config untouched = config("lifetimes,seed=99"), c = untouched;

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(cases); i++) {
		char err[128] = "";

		assert_int_equal(lab_age_parse(cases[i].text, &c, err, sizeof(err)), -EINVAL);
		if (strstr(err, cases[i].err) == NULL)
			fail_msg("'%s' gave '%s', not '%s'", cases[i].text, err, cases[i].err);
		assert_alike(&c, &untouched);
	}
}

static void
long_input_is_refused(void **state)
{
	struct lab_age_config c;
	char text[4096], err[16];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(lab_age_parse(text, &c, err, sizeof(err)), -EINVAL);
	assert_int_equal(strlen(err), sizeof(err) - 1); /* cut, and terminated */
	assert_int_equal(lab_age_parse(text, &c, NULL, 0), -EINVAL);
	memcpy(text, "churn,orders=", 13);
	assert_int_equal(lab_age_parse(text, &c, err, sizeof(err)), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_check),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(errors_name_the_item),
		cmocka_unit_test(long_input_is_refused),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
