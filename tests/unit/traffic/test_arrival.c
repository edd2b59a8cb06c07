/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Arrival processes: their text form, their statistics and their determinism. The statistical
 * tests use fixed seeds and count rejections at 5% over many seeds, which must be neither too many
 * nor too few.
 */

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_traffic.h"

static struct lab_arrivals *
start(const char *text, uint64_t seed)
{
	struct lab_arrival_config cfg;
	struct lab_arrivals *a;
	char err[160];

	if (lab_arrival_parse(text, &cfg, err, sizeof(err)) != 0)
		fail_msg("%s: %s", text, err);
	cfg.seed = seed;
	assert_int_equal(lab_arrivals_create(&a, &cfg, err, sizeof(err)), 0);
	return a;
}

/* --------------------------------------------------------------------- text */

static void
test_parse(void **state)
{
	struct lab_arrival_config c;

	assert_int_equal(
		lab_arrival_parse(
			"onoff:rate=2M,on=5ms,off=95ms,size=9000,flows=64,seed=7", &c, NULL, 0),
		0);
	assert_int_equal(c.kind, LAB_ARRIVAL_ONOFF);
	assert_true(c.rate == 2e6);
	assert_int_equal(c.on_ns, 5000000);
	assert_int_equal(c.off_ns, 95000000);
	assert_false(c.fixed);
	assert_int_equal(c.size_kind, LAB_SIZE_FIXED);
	assert_int_equal(c.size_min, 9000);
	assert_int_equal(c.flows, 64);
	assert_int_equal(c.seed, 7);
	assert_int_equal(
		lab_arrival_parse("poisson:rate=2e6,size=imix,zipf=1.1,count=1M", &c, NULL, 0), 0);
	assert_int_equal(c.size_kind, LAB_SIZE_IMIX);
	assert_true(c.zipf == 1.1);
	assert_int_equal(c.count, 1000000);
	assert_int_equal(lab_arrival_parse("constant:size=60-9600", &c, NULL, 0), 0);
	assert_int_equal(c.size_min, 60);
	assert_int_equal(c.size_max, 9600);
	assert_int_equal(lab_arrival_parse("pcap:file=x.pcap,speed=0.5,loop=0", &c, NULL, 0), 0);
	assert_int_equal(c.size_kind, LAB_SIZE_PCAP);
	assert_true(c.speed == 0.5);
	assert_int_equal(c.loop, 0);
	assert_int_equal(lab_arrival_parse("poisson", &c, NULL, 0), 0);
}

static void
test_parse_errors(void **state)
{
	static const char *const bad[][2] = {
		{"", "''"},
		{"burst:rate=1M", "burst"},
		{"poisson:", "key=value"},
		{"poisson:rate", "key=value"},
		{"poisson:rate=", "key=value"},
		{"poisson:rate=1M,", "key=value"},
		{"poisson:rate=fast", "rate: 'fast'"},
		{"poisson:rate=-1", "rate: '-1'"},
		{"poisson:rate=nan", "nan"},
		{"poisson:rate=inf", "inf"},
		{"poisson:rate=0x10", "0x10"},
		{"poisson:rate=1e999", "1e999"},
		{"poisson:rate=1MM", "1MM"},
		{"poisson:rate=0", "rate must be"},
		{"poisson:rate=2G", "rate must be"},
		{"poisson:rate=1,rate=2", "twice"},
		{"poisson:on=5ms", "no key 'on'"},
		{"constant:file=x", "no key 'file'"},
		{"poisson:colour=red", "no key 'colour'"},
		{"onoff:on=5", "unit"},
		{"onoff:on=5m", "unit"},
		{"onoff:on=0ms", "on must be"},
		{"onoff:off=9999999s", "1000000s"},
		{"onoff:periods=often", "often"},
		{"poisson:size=59", "size must be"},
		{"poisson:size=9601", "size must be"},
		{"poisson:size=64-9601", "64-9601"},
		{"poisson:size=100-64", "100-64"},
		{"poisson:size=64-", "whole number"},
		{"poisson:size=-64", "whole number"},
		{"poisson:size=pcap", "kind pcap"},
		{"poisson:flows=0", "flows must be"},
		{"poisson:flows=65537", "flows must be"},
		{"poisson:flows=99999999999", "flows"},
		{"poisson:zipf=11", "zipf"},
		{"poisson:count=1.5", "whole number"},
		{"poisson:seed=18446744073709551616", "seed"},
		{"pcap:speed=2", "file="},
		{"pcap:file=x,speed=0", "speed"},
		{"pcap:file=x,rate=1M", "no key 'rate'"},
	};
	struct lab_arrival_config c, before;
	char err[160];

	lab_arrival_config_default(&before);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(bad); i++) {
		c = before;
		assert_int_equal(lab_arrival_parse(bad[i][0], &c, err, sizeof(err)), -EINVAL);
		assert_memory_equal(&c, &before, sizeof(c));
		if (strstr(err, bad[i][1]) == NULL)
			fail_msg("%s: '%s' says nothing of '%s'", bad[i][0], err, bad[i][1]);
		assert_int_equal(lab_arrival_parse(bad[i][0], &c, NULL, 0), -EINVAL);
	}
}

static void
test_format_reads_back(void **state)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		struct lab_arrival_config c, d;
		char text[1024], err[160];

		lab_arrival_config_default(&c);
		c.kind = (enum lab_arrival_kind)lab_rng_below(&rng, 4);
		c.size_kind = (enum lab_size_kind)lab_rng_below(&rng, 3);
		c.size_min = LAB_FRAME_MIN + (uint32_t)lab_rng_below(&rng, 1000);
		c.size_max = c.size_kind == LAB_SIZE_RANGE ? c.size_min + 77 : c.size_min;
		if (c.size_kind == LAB_SIZE_IMIX)
			c.size_min = c.size_max = 64;
		c.flows = 1 + (uint32_t)lab_rng_below(&rng, LAB_FLOWS_MAX);
		c.seed = lab_rng_u64(&rng);
		c.count = lab_rng_below(&rng, 2) ? lab_rng_u64(&rng) : 0;
		if (c.kind == LAB_ARRIVAL_PCAP) {
			strcpy(c.pcap_file, "a file.pcap");
			c.speed = lab_rng_exp(&rng, 10) + 1e-3;
			c.loop = (uint32_t)lab_rng_u64(&rng);
		} else {
			c.rate = lab_rng_exp(&rng, 1e6) + 1;
			c.zipf = lab_rng_below(&rng, 2) ? 10 * lab_rng_double(&rng) : 0;
		}
		if (c.kind == LAB_ARRIVAL_ONOFF) {
			c.on_ns = 1 + lab_rng_below(&rng, 1000000000000000);
			c.off_ns = lab_rng_below(&rng, 1000000000000000);
			c.fixed = lab_rng_below(&rng, 2);
		}
		assert_true(lab_arrival_format(&c, text, sizeof(text)) < (int)sizeof(text));
		if (lab_arrival_parse(text, &d, err, sizeof(err)) != 0)
			fail_msg("%s: %s", text, err);
		assert_memory_equal(&c, &d, sizeof(c));
	}
}

/* -------------------------------------------------------------------- times */

static void
test_constant(void **state)
{
	struct lab_arrivals *a = start("constant:rate=3M", 1);
	struct lab_arrival x;

	/* k/3 us in whole ns: nothing drifts in ten million frames. */
	for (uint64_t k = 0; k < 10000000; k++) {
		uint64_t want = k * 1000 / 3;

		assert_true(lab_arrivals_next(a, &x));
		if (x.t_ns != want && x.t_ns + 1 != want)
			fail_msg("frame %lu at %lu, not %lu", k, x.t_ns, want);
	}
	assert_true(lab_arrivals_mean_rate(a) == 3e6);
	lab_arrivals_destroy(a);
}

static int
compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/** Kolmogorov-Smirnov against the exponential; true when rejected at 5% (asymptotic 1.358). */
static bool
ks_rejects(double *v, int n, double mean)
{
	double d = 0;

	qsort(v, (size_t)n, sizeof(*v), compare);
	for (int i = 0; i < n; i++) {
		double f = -expm1(-v[i] / mean);

		d = fmax(d, fmax(f - (double)i / n, (i + 1.0) / n - f));
	}
	return d * sqrt(n) > 1.358;
}

#define KS_N     2000
#define KS_SEEDS 400

/* Of 400 tests at 5%, 20 reject on average with a deviation of 4.4: 7 to 33 is three of them. */
#define assert_nominal(rejected) assert_in_range(rejected, 7, 33)

static void
test_poisson_gaps(void **state)
{
	static double gaps[KS_N];
	int rejected = 0, correlated = 0;

	for (uint64_t seed = 1; seed <= KS_SEEDS; seed++) {
		struct lab_arrivals *a = start("poisson:rate=1k", seed);
		struct lab_arrival x;
		uint64_t last = 0;
		double lag1 = 0;

		for (int i = 0; i < KS_N; i++) {
			assert_true(lab_arrivals_next(a, &x));
			gaps[i] = (double)(x.t_ns - last);
			last = x.t_ns;
		}
		/* Independent gaps: the lag-1 autocorrelation is N(0, 1/n). */
		for (int i = 1; i < KS_N; i++)
			lag1 += (gaps[i] / 1e6 - 1) * (gaps[i - 1] / 1e6 - 1);
		correlated += fabs(lag1 / sqrt(KS_N)) > 1.96;
		rejected += ks_rejects(gaps, KS_N, 1e6);
		lab_arrivals_destroy(a);
	}
	print_message("KS rejects %d, autocorrelation %d of %d\n", rejected, correlated, KS_SEEDS);
	assert_nominal(rejected);
	assert_nominal(correlated);
}

static void
test_onoff_mean(void **state)
{
	struct lab_arrivals *a = start("onoff:rate=1M,on=2ms,off=8ms", 3);
	struct lab_arrival x;
	uint64_t last = 0, bursts = 1, frames = 0;
	double rate;

	while (bursts < 20000) {
		assert_true(lab_arrivals_next(a, &x));
		bursts += frames > 0 && x.t_ns - last > 1001;
		last = x.t_ns;
		frames++;
	}
	rate = (double)frames * 1e9 / (double)last;
	/* 20000 exponential bursts: a relative deviation of about 1/sqrt(20000) for the frames, less for
	 * the time; four of them. A silence under 1 us joins two bursts once in 8000. */
	assert_true(
		fabs((double)frames / (double)bursts / 2000.5 - 1) < 4 / sqrt(20000) + 1.0 / 8000);
	assert_true(fabs(rate / lab_arrivals_mean_rate(a) - 1) < 4 / sqrt(20000));
	lab_arrivals_destroy(a);
}

static void
test_onoff_fixed(void **state)
{
	struct lab_arrivals *a = start("onoff:rate=2M,on=5ms,off=95ms,periods=fixed", 1);
	struct lab_arrival x;

	for (uint64_t burst = 0; burst < 20; burst++) {
		for (uint64_t k = 0; k < 10000; k++) {
			assert_true(lab_arrivals_next(a, &x));
			assert_int_equal(x.t_ns, burst * 100000000 + k * 500);
		}
	}
	assert_true(lab_arrivals_mean_rate(a) == 100000);
	lab_arrivals_destroy(a);
}

/* A burst shorter than the gap between its frames still has one. */
static void
test_onoff_short(void **state)
{
	struct lab_arrivals *a = start("onoff:rate=1k,on=1us,off=9us,periods=fixed", 1);
	struct lab_arrival x;

	for (uint64_t k = 0; k < 1000; k++) {
		assert_true(lab_arrivals_next(a, &x));
		assert_int_equal(x.t_ns, k * 10000);
	}
	lab_arrivals_destroy(a);
}

static void
test_ends(void **state)
{
	struct lab_arrivals *a = start("poisson:count=10", 1);
	struct lab_arrival x;

	for (int i = 0; i < 10; i++)
		assert_true(lab_arrivals_next(a, &x));
	for (int i = 0; i < 10; i++)
		assert_false(lab_arrivals_next(a, &x));
	lab_arrivals_destroy(a);
	/* The end of 64 bits of time is an end, not a step back. */
	a = start("onoff:rate=0.001,on=1000000s,off=1000000s,periods=fixed", 1);
	for (uint64_t last = 0; lab_arrivals_next(a, &x); last = x.t_ns)
		assert_true(x.t_ns >= last);
	lab_arrivals_destroy(a);
}

/* ------------------------------------------------------------- sizes, flows */

/** Chi-square; true when rejected at 5%: the critical value by Wilson and Hilferty (1931). */
static bool
chi2_rejects(const uint64_t *seen, const double *want, int n)
{
	double x = 0, df = n - 1, c;

	for (int i = 0; i < n; i++)
		x += ((double)seen[i] - want[i]) * ((double)seen[i] - want[i]) / want[i];
	c = 1 - 2 / (9 * df) + 1.6449 * sqrt(2 / (9 * df));
	return x > df * c * c * c;
}

static void
test_imix(void **state)
{
	int rejected = 0;

	for (uint64_t seed = 1; seed <= KS_SEEDS; seed++) {
		struct lab_arrivals *a = start("poisson:size=imix", seed);
		const double want[3] = {7000, 4000, 1000};
		uint64_t seen[3] = {0};
		struct lab_arrival x;

		for (int i = 0; i < 12000; i++) {
			assert_true(lab_arrivals_next(a, &x));
			assert_true(x.len == 64 || x.len == 594 || x.len == 1518);
			seen[x.len == 64 ? 0 : x.len == 594 ? 1 : 2]++;
		}
		rejected += chi2_rejects(seen, want, 3);
		lab_arrivals_destroy(a);
	}
	print_message("chi-square rejects %d of %d\n", rejected, KS_SEEDS);
	assert_nominal(rejected);
}

static void
test_range(void **state)
{
	int rejected = 0;

	for (uint64_t seed = 1; seed <= KS_SEEDS; seed++) {
		struct lab_arrivals *a = start("poisson:size=100-119", seed);
		uint64_t seen[20] = {0};
		double want[20];
		struct lab_arrival x;

		for (int i = 0; i < 4000; i++) {
			assert_true(lab_arrivals_next(a, &x));
			assert_in_range(x.len, 100, 119);
			seen[x.len - 100]++;
		}
		for (int i = 0; i < 20; i++)
			want[i] = 200;
		rejected += chi2_rejects(seen, want, 20);
		lab_arrivals_destroy(a);
	}
	assert_nominal(rejected);
}

static void
flows_test(const char *text, double s)
{
	int rejected = 0;

	for (uint64_t seed = 1; seed <= KS_SEEDS; seed++) {
		struct lab_arrivals *a = start(text, seed);
		uint64_t seen[32] = {0};
		double want[32], sum = 0;
		struct lab_arrival x;

		for (int i = 0; i < 20000; i++) {
			assert_true(lab_arrivals_next(a, &x));
			assert_true(x.flow < 32);
			seen[x.flow]++;
		}
		for (int i = 0; i < 32; i++)
			sum += want[i] = pow(i + 1, -s);
		for (int i = 0; i < 32; i++)
			want[i] *= 20000 / sum;
		rejected += chi2_rejects(seen, want, 32);
		lab_arrivals_destroy(a);
	}
	print_message("%s: chi-square rejects %d of %d\n", text, rejected, KS_SEEDS);
	assert_nominal(rejected);
}

static void
test_flows(void **state)
{
	flows_test("poisson:flows=32", 0);
	flows_test("poisson:flows=32,zipf=1", 1);
	flows_test("poisson:flows=32,zipf=0.3", 0.3);
}

/* A steep distribution over many flows: the alias table is whole. */
static void
test_zipf_extremes(void **state)
{
	struct lab_arrivals *a = start("poisson:flows=65536,zipf=10", 1);
	struct lab_arrival x;
	int first = 0;

	for (int i = 0; i < 100000; i++) {
		assert_true(lab_arrivals_next(a, &x));
		first += x.flow == 0;
	}
	/* 1/zeta(10) = 0.99901 */
	assert_in_range(first, 99850, 99940);
	lab_arrivals_destroy(a);
}

/* ------------------------------------------------------------- determinism */

static void
test_streams_are_apart(void **state)
{
	static const char *const pairs[][2] = {
		{"poisson:size=64,flows=16", "poisson:size=imix,flows=1000,zipf=1"},
		{"onoff:on=50us,off=50us,size=64", "onoff:on=50us,off=50us,size=60-9600,flows=1"},
	};

	for (size_t p = 0; p < LAB_ARRAY_SIZE(pairs); p++) {
		struct lab_arrivals *a = start(pairs[p][0], 9), *b = start(pairs[p][1], 9);
		struct lab_arrivals *c = start(pairs[p][0], 9), *d = start(pairs[p][0], 10);
		struct lab_arrival x, y, z, o;
		int other = 0;

		for (int i = 0; i < 10000; i++) {
			assert_true(lab_arrivals_next(a, &x) && lab_arrivals_next(b, &y));
			assert_true(lab_arrivals_next(c, &z) && lab_arrivals_next(d, &o));
			assert_int_equal(x.t_ns, y.t_ns); /* sizes and flows leave times alone */
			assert_true(x.t_ns == z.t_ns && x.len == z.len && x.flow == z.flow);
			other += x.t_ns != o.t_ns;
		}
		assert_true(other > 9000);
		lab_arrivals_destroy(a);
		lab_arrivals_destroy(b);
		lab_arrivals_destroy(c);
		lab_arrivals_destroy(d);
	}
}

static void
test_clock(void **state)
{
	struct lab_clock c;
	uint64_t t;

	lab_clock_init(&c, LAB_CLOCK_VIRTUAL);
	assert_int_equal(lab_clock_now(&c), 0);
	assert_int_equal(lab_clock_advance(&c, 5), 0);
	assert_int_equal(lab_clock_now(&c), 5);
	assert_int_equal(lab_clock_advance(&c, UINT64_MAX), -EINVAL);
	assert_int_equal(lab_clock_now(&c), 5);
	lab_clock_init(&c, LAB_CLOCK_REAL);
	assert_int_equal(lab_clock_advance(&c, 5), -EINVAL);
	t = lab_clock_now(&c);
	assert_true(t > 0 && lab_clock_now(&c) >= t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_errors),
		cmocka_unit_test(test_format_reads_back),
		cmocka_unit_test(test_constant),
		cmocka_unit_test(test_poisson_gaps),
		cmocka_unit_test(test_onoff_mean),
		cmocka_unit_test(test_onoff_fixed),
		cmocka_unit_test(test_onoff_short),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_imix),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_zipf_extremes),
		cmocka_unit_test(test_streams_are_apart),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
