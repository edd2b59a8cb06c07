/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The wire in virtual time: what arrives, what is lost and why, to the packet.
 */

#include "wire_rig.h"

static struct rte_mempool *pool;  /* plenty, no cache */
static struct rte_mempool *small; /* 100 mbufs, no cache */

static void
test_all_arrive(void **state)
{
	struct rig r;
	struct lab_wire_stats s;
	uint64_t got = 0;

	rig_config(&r, pool, "constant:rate=1M,size=64,flows=8");
	rig_up(&r);
	for (int i = 0; i < 1000; i++) {
		rig_pass(&r, 10000);
		got += rig_poll(&r, 0, 32);
		rig_check(&r);
	}
	s = rig_stats(&r);
	assert_int_equal(s.offered, 10001); /* at 0, 1 us, ... 10 ms */
	assert_int_equal(s.offered_bytes, 10001 * 64);
	assert_int_equal(s.taken, 10001);
	assert_int_equal(got, 10001);
	assert_int_equal(s.filled, 0);
	for (unsigned int i = 0; i < lab_wire_nb_drops(r.w); i++)
		assert_int_equal(s.drops[i], 0);
	rig_down(&r);
	assert_pool_full(pool);
}

static void
test_slow_core(void **state)
{
	struct rig r;
	struct lab_wire_stats s;

	rig_config(&r, pool, "constant:rate=1M,size=64");
	r.cfg.rxd = 8;
	rig_up(&r);
	rig_pass(&r, 99000);
	s = rig_stats(&r);
	assert_int_equal(s.offered, 100);
	assert_int_equal(s.filled, 8);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 92);
	assert_int_equal(s.posted + s.bare, 0);
	rig_check(&r);
	assert_int_equal(rig_poll(&r, 0, 32), 8);
	s = rig_stats(&r);
	assert_int_equal(s.posted, 8);
	rig_check(&r);
	rig_down(&r);
	assert_pool_full(pool);
}

/* 100 mbufs for 256 descriptors and nobody polls: the first 100 arrivals are taken, the next 156 would
 * have been, and from then on the ring would be full with any amount of memory. */
static void
test_memory_then_full(void **state)
{
	struct rig r;
	struct lab_wire_stats s;

	rig_config(&r, small, "constant:rate=1M,size=64");
	r.cfg.rxd = 256;
	rig_up(&r);
	s = rig_stats(&r);
	assert_int_equal(s.posted, 100);
	assert_int_equal(s.bare, 156);
	assert_int_equal(s.bare_refused, 156);
	rig_pass(&r, 255000);
	s = rig_stats(&r);
	assert_int_equal(s.filled, 100);
	assert_int_equal(rig_nombuf(&r), 156);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 0);
	rig_pass(&r, 44000);
	s = rig_stats(&r);
	assert_int_equal(s.offered, 300);
	assert_int_equal(rig_nombuf(&r), 156);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 44);
	rig_check(&r);
	rig_down(&r);
	assert_pool_full(small);
}

/* A core that polls in time, but whose packets are not given back: only memory is to blame. */
static void
test_held_packets(void **state)
{
	struct rte_mbuf *held[100];
	struct rig r;
	struct lab_wire_stats s;
	uint16_t n = 0;

	rig_config(&r, small, "constant:rate=1M,size=64");
	r.cfg.rxd = 64;
	r.cfg.refill_thresh = 1;
	rig_up(&r);
	for (int i = 0; i < 300; i++) {
		rig_pass(&r, 1000);
		n += rte_eth_rx_burst(r.port, 0, held + n, 1);
		rig_check(&r);
	}
	s = rig_stats(&r);
	assert_int_equal(s.offered, 301);
	/* One is always behind: the first two arrived in the first step. */
	assert_int_equal(s.taken + s.filled, 100);
	assert_int_equal(n, s.taken);
	assert_int_equal(rig_nombuf(&r), 201);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 0);
	assert_true(s.refill_refused[0] > 200);
	rte_pktmbuf_free_bulk(held, n);
	rig_down(&r);
	assert_pool_full(small);
}

/* 31 bare descriptors are a batch that is not due: no want of memory. */
static void
test_threshold(void **state)
{
	struct rig r;
	struct lab_wire_stats s;

	rig_config(&r, pool, "constant:rate=1M,size=64");
	r.cfg.rxd = 64;
	r.cfg.refill_thresh = 32;
	rig_up(&r);
	rig_pass(&r, 63000);
	assert_int_equal(rig_poll(&r, 0, 31), 31);
	s = rig_stats(&r);
	assert_int_equal(s.bare, 31);
	assert_int_equal(s.posted, 0);
	assert_int_equal(s.bare_refused, 0);
	rig_pass(&r, 5000);
	s = rig_stats(&r);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 5);
	assert_int_equal(rig_poll(&r, 0, 1), 1);
	s = rig_stats(&r);
	assert_int_equal(s.bare, 0);
	assert_int_equal(s.posted, 32);
	rig_check(&r);
	rig_down(&r);
}

/* What was refused is tried again at every poll, though fewer than the threshold are bare. */
static void
test_refused_is_retried(void **state)
{
	struct rte_mbuf *hold[60];
	struct lab_wire_stats s;
	struct rig r;

	rig_config(&r, small, "constant:rate=1,count=1");
	r.cfg.rxd = 64;
	r.cfg.refill_thresh = 32;
	assert_int_equal(rte_pktmbuf_alloc_bulk(small, hold, 60), 0);
	rig_up(&r);
	assert_int_equal(rig_stats(&r).bare_refused, 24);
	rte_pktmbuf_free_bulk(hold, 60);
	assert_int_equal(rig_poll(&r, 0, 32), 0);
	s = rig_stats(&r);
	assert_int_equal(s.posted, 64);
	assert_int_equal(s.bare_refused, 0);
	assert_int_equal(s.refills, 64);
	rig_down(&r);
	assert_pool_full(small);
}

/* Memory comes back while the packets that were lost for it would still wait in the ring. */
static void
test_charged_once(void **state)
{
	struct rte_mbuf *hold[96];
	struct rig r;

	rig_config(&r, small, "constant:rate=1M,size=64");
	r.cfg.rxd = 8;
	r.cfg.refill_thresh = 1;
	assert_int_equal(rte_pktmbuf_alloc_bulk(small, hold, 96), 0);
	rig_up(&r); /* 4 posted, 4 refused */
	rig_pass(&r, 7000);
	assert_int_equal(rig_nombuf(&r), 4); /* 4 in the ring, 4 lost */
	rte_pktmbuf_free_bulk(hold, 96);
	/* One packet leaves; 5 descriptors are posted. With memory all along the ring would have had
	 * one: four of these five stand where the lost ones would be. */
	assert_int_equal(rig_poll(&r, 0, 1), 1);
	rig_pass(&r, 5000);
	assert_int_equal(rig_stats(&r).filled, 8);
	rig_pass(&r, 1000);
	assert_int_equal(rig_stats(&r).drops[LAB_WIRE_RING_FULL], 1);
	assert_int_equal(rig_nombuf(&r), 4);
	rig_check(&r);
	rig_down(&r);
	assert_pool_full(small);
}

/* ------------------------------------------------- against a ring with all memory */

struct shadow {
	unsigned int rxd, posted, filled;
};

/* The same ring with unlimited memory and threshold 1, by its definition. */
static bool
shadow_arrival(struct shadow *s)
{
	if (s->posted == 0)
		return false;
	s->posted--;
	s->filled++;
	return true;
}

static void
shadow_poll(struct shadow *s, unsigned int burst)
{
	s->filled -= RTE_MIN(s->filled, burst);
	s->posted = s->rxd - s->filled;
}

/* One arrival: lost for memory exactly if the ring with all memory has room for it. */
static void
shadow_step(struct rig *r, struct shadow *s, uint64_t seen[3])
{
	struct lab_wire_stats before = rig_stats(r), st;
	uint64_t nombuf = rig_nombuf(r);
	bool would;

	rig_pass(r, lab_wire_next_event(r->w) - lab_clock_now(&r->clock));
	st = rig_stats(r);
	assert_int_equal(st.offered, before.offered + 1);
	would = shadow_arrival(s);
	if (rig_nombuf(r) != nombuf) {
		assert_true(would);
		seen[0]++;
	} else if (st.drops[LAB_WIRE_RING_FULL] != before.drops[LAB_WIRE_RING_FULL]) {
		assert_false(would);
		seen[1]++;
	} else {
		seen[2]++;
	}
}

static void
test_attribution_by_shadow(void **state)
{
	uint64_t seen[3] = {0};

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct rte_mbuf *hold[100];
		struct shadow s = {0};
		struct lab_rng rng;
		unsigned int nr_hold = 0;
		struct rig r;

		lab_rng_seed(&rng, seed);
		rig_config(&r, small, "constant:rate=1M,size=64");
		s.rxd = s.posted = r.cfg.rxd = (uint16_t)(4 + lab_rng_below(&rng, 60));
		r.cfg.refill_thresh = 1;
		rig_up(&r);
		for (int i = 0; i < 3000; i++) {
			switch (lab_rng_below(&rng, 8)) {
			case 0: { /* others take memory, or give it back */
				unsigned int want = 100 - (unsigned int)lab_rng_below(&rng, s.rxd);

				while (nr_hold > want)
					rte_pktmbuf_free(hold[--nr_hold]);
				while (nr_hold < want &&
					(hold[nr_hold] = rte_pktmbuf_alloc(small)) != NULL)
					nr_hold++;
				break;
			}
			case 1: {
				uint16_t burst = (uint16_t)(1 + lab_rng_below(&rng, 8));

				rig_poll(&r, 0, burst);
				shadow_poll(&s, burst);
				break;
			}
			default:
				shadow_step(&r, &s, seen);
			}
			rig_check(&r);
		}
		rte_pktmbuf_free_bulk(hold, nr_hold);
		rig_down(&r);
		assert_pool_full(small);
	}
	print_message("memory %lu, ring_full %lu, taken %lu\n", seen[0], seen[1], seen[2]);
	/* All three outcomes were met often. */
	for (int i = 0; i < 3; i++)
		assert_true(seen[i] > 5000);
}

/* ------------------------------------------------------------------- sizes */

static void
test_too_big(void **state)
{
	struct rig r;
	struct lab_wire_stats s;

	rig_config(&r, pool, "constant:rate=1M,size=2049");
	r.cfg.rxd = 16;
	rig_up(&r);
	rig_pass(&r, 9000);
	s = rig_stats(&r);
	assert_int_equal(s.drops[LAB_WIRE_TOO_BIG], 10);
	assert_int_equal(s.posted, 16);
	rig_check(&r);
	rig_down(&r);
	rig_config(&r, pool, "constant:rate=1M,size=2048");
	rig_up(&r);
	rig_pass(&r, 9000);
	assert_int_equal(rig_poll(&r, 0, 32), 10);
	rig_down(&r);
	assert_pool_full(pool);
}

static void
test_scatter(void **state)
{
	struct rte_mbuf *m;
	struct lab_stamp st;
	struct lab_wire_stats s;
	struct rig r;

	rig_config(&r, pool, "constant:rate=1M,size=9000");
	r.cfg.rxd = 16; /* room for three frames of 5 descriptors */
	r.cfg.refill_thresh = 1;
	r.cfg.scatter = true;
	rig_up(&r);
	rig_pass(&r, 4000);
	s = rig_stats(&r);
	assert_int_equal(s.filled, 3);
	assert_int_equal(s.filled_descs, 15);
	assert_int_equal(s.posted, 1);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 2);
	rig_check(&r);
	assert_int_equal(rte_eth_rx_burst(r.port, 0, &m, 1), 1);
	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(m->pkt_len, 9000);
	assert_int_equal(m->nb_segs, 5);
	assert_int_equal(rte_pktmbuf_lastseg(m)->data_len, 9000 - 4 * 2048);
	assert_int_equal(lab_stamp_read(m, &st), 0);
	rte_pktmbuf_free(m);
	assert_int_equal(rig_stats(&r).posted, 6);
	rig_check(&r);
	rig_down(&r);
	assert_pool_full(pool);
}

static void
test_scatter_memory(void **state)
{
	struct rte_mbuf *hold[93];
	struct rig r;

	rig_config(&r, small, "constant:rate=1M,size=9000");
	r.cfg.rxd = 16;
	r.cfg.refill_thresh = 1;
	r.cfg.scatter = true;
	assert_int_equal(rte_pktmbuf_alloc_bulk(small, hold, 93), 0);
	rig_up(&r); /* 7 posted, 9 refused */
	rig_pass(&r, 4000);
	/* One taken; two more would have fitted 16 descriptors, the last two not. */
	assert_int_equal(rig_stats(&r).filled, 1);
	assert_int_equal(rig_nombuf(&r), 2);
	assert_int_equal(rig_stats(&r).drops[LAB_WIRE_RING_FULL], 2);
	rig_check(&r);
	rte_pktmbuf_free_bulk(hold, 93);
	rig_down(&r);
	assert_pool_full(small);
}

/* ------------------------------------------------------------------- causes */

static int next_cause;
static unsigned int cause_calls;

static int
tell_cause(void *arg, struct rte_mempool *mp)
{
	assert_ptr_equal(arg, &next_cause);
	assert_ptr_equal(mp, small);
	cause_calls++;
	return next_cause;
}

static void
test_causes(void **state)
{
	static const char *const names[] = {"watermark", "order"};
	static const int said[] = {0, 1, -1, 2, 1};
	static const unsigned int bin[] = {0, 1, 2, 2, 1};
	uint64_t want[3] = {0};
	struct rte_mbuf *hold[100];
	struct rig r;

	rig_config(&r, small, "constant:rate=1M,size=64");
	r.cfg.rxd = 32;
	r.cfg.refill_thresh = 1;
	r.cfg.cause_names = names;
	r.cfg.nb_causes = 2;
	r.cfg.cause_fn = tell_cause;
	r.cfg.cause_arg = &next_cause;
	assert_int_equal(rte_pktmbuf_alloc_bulk(small, hold, 100), 0);
	next_cause = 0;
	cause_calls = 0;
	rig_up(&r);
	assert_int_equal(lab_wire_nb_drops(r.w), LAB_WIRE_MEMORY + 3);
	assert_string_equal(lab_wire_drop_name(r.w, LAB_WIRE_MEMORY), "watermark");
	assert_string_equal(lab_wire_drop_name(r.w, LAB_WIRE_MEMORY + 1), "order");
	assert_string_equal(lab_wire_drop_name(r.w, LAB_WIRE_MEMORY + 2), "nombuf");
	assert_null(lab_wire_drop_name(r.w, LAB_WIRE_MEMORY + 3));
	assert_int_equal(cause_calls, 1);
	rig_pass(&r, 0);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(said); i++) {
		struct lab_wire_stats s;

		next_cause = said[i];
		rig_poll(&r, 0, 32);
		rig_pass(&r, 3000);
		want[bin[i]] += 3;
		s = rig_stats(&r);
		assert_int_equal(s.drops[LAB_WIRE_MEMORY], want[0] + 1);
		assert_int_equal(s.drops[LAB_WIRE_MEMORY + 1], want[1]);
		assert_int_equal(s.drops[LAB_WIRE_MEMORY + 2], want[2]);
		assert_int_equal(s.refill_refused[0] + s.refill_refused[1] + s.refill_refused[2],
			cause_calls);
		rig_check(&r);
	}
	rte_pktmbuf_free_bulk(hold, 100);
	rig_down(&r);
	assert_pool_full(small);
}

static int
setup(void **state)
{
	pool = make_pool("pool", 4096, 0, 2048);
	small = make_pool("small", 100, 0, 2048);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_arrive),
		cmocka_unit_test(test_slow_core),
		cmocka_unit_test(test_memory_then_full),
		cmocka_unit_test(test_held_packets),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_refused_is_retried),
		cmocka_unit_test(test_charged_once),
		cmocka_unit_test(test_attribution_by_shadow),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_scatter),
		cmocka_unit_test(test_scatter_memory),
		cmocka_unit_test(test_causes),
	};

	eal_up("test_wire", 1);
	return cmocka_run_group_tests(tests, setup, NULL);
}
