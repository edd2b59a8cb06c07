/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The wire in real time: it runs on one lcore, another polls. Nothing here depends on how fast
 * either is; every packet must be accounted for.
 */

#include <time.h>

#include <rte_launch.h>

#include "wire_rig.h"

static struct rte_mempool *pool;  /* plenty, cached */
static struct rte_mempool *small; /* 300 mbufs, no cache */
static unsigned int wire_lcore;

static void
rt_config(struct rig *r, struct rte_mempool *mp, const char *arrivals)
{
	rig_config(r, mp, arrivals);
	lab_clock_init(&r->clock, LAB_CLOCK_REAL);
}

static void
rt_up(struct rig *r)
{
	rig_up(r);
	assert_int_equal(rte_eal_remote_launch(lab_wire_run, r->w, wire_lcore), 0);
}

static void
rt_halt(struct rig *r)
{
	lab_wire_quit(r->w);
	assert_int_equal(rte_eal_wait_lcore(wire_lcore), 0);
	rig_check(r);
}

/** In flight or done: what is read while everything runs never shows more out than in. */
static void
check_running(struct rig *r)
{
	struct lab_wire_stats s = rig_stats(r);
	uint64_t out = s.taken;

	for (unsigned int i = 0; i < lab_wire_nb_drops(r->w); i++)
		out += s.drops[i];
	assert_true(out <= s.offered);
}

static void
sink_check(struct rig *r, struct lab_sink *sink, uint32_t flows)
{
	struct lab_wire_stats s = rig_stats(r);
	struct lab_sink_stats st;

	for (uint32_t f = 0; f < flows; f++) {
		struct lab_stamp end = {.run = r->cfg.run, .kind = LAB_STAMP_END, .flow = f};

		end.seq = lab_wire_flow_offered(r->w, f);
		lab_sink_stamp(sink, &end, 60, 0);
	}
	lab_sink_stats_get(sink, &st);
	assert_int_equal(st.expected, s.offered);
	assert_int_equal(st.unique, s.taken);
	assert_int_equal(st.lost, s.offered - s.taken);
	assert_int_equal(st.duplicates + st.reordered + st.unstamped + st.foreign, 0);
	assert_int_equal(st.negative_latency, 0);
}

static void
test_two_lcores(void **state)
{
	struct lab_wire_stats s;
	struct lab_sink *sink;
	struct rig r;
	bool done;

	assert_int_equal(lab_sink_create(&sink, NULL), 0);
	rt_config(&r, pool, "poisson:rate=500k,size=imix,flows=16,count=30000");
	rt_up(&r);
	do {
		struct rte_mbuf *pkts[32];
		uint16_t n;

		done = lab_wire_done(r.w);
		while ((n = rte_eth_rx_burst(r.port, 0, pkts, 32)) > 0) {
			lab_sink_rx(sink, pkts, n, lab_clock_now(&r.clock));
			rte_pktmbuf_free_bulk(pkts, n);
			done = false;
		}
		check_running(&r);
	} while (!done);
	rt_halt(&r);
	s = rig_stats(&r);
	assert_int_equal(s.offered, 30000);
	assert_int_equal(s.filled, 0);
	assert_int_equal(rig_nombuf(&r), 0);
	sink_check(&r, sink, 16);
	print_message("ring_full %lu, late %lu, lag at most %lu us, put off by %lu us\n",
		s.drops[LAB_WIRE_RING_FULL], s.late, s.max_lag_ns / 1000, s.slipped_ns / 1000);
	rig_down(&r);
	lab_sink_destroy(sink);
	assert_pool_full(pool);
}

static void
test_nobody_polls(void **state)
{
	struct rig r;
	struct lab_wire_stats s;

	rt_config(&r, pool, "constant:rate=1M,count=5000");
	r.cfg.rxd = 64;
	rt_up(&r);
	while (!lab_wire_done(r.w))
		check_running(&r);
	rt_halt(&r);
	s = rig_stats(&r);
	assert_int_equal(s.offered, 5000);
	assert_int_equal(s.filled, 64);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 5000 - 64);
	rig_down(&r);
	assert_pool_full(pool);
}

/* Nothing to refill with, nobody polls: rxd arrivals are memory's, the rest the core's. */
static void
test_no_memory(void **state)
{
	struct rte_mbuf *hold[300];
	struct rig r;
	struct lab_wire_stats s;

	assert_int_equal(rte_pktmbuf_alloc_bulk(small, hold, 300), 0);
	rt_config(&r, small, "constant:rate=1M,count=5000");
	r.cfg.rxd = 64;
	rt_up(&r);
	while (!lab_wire_done(r.w))
		check_running(&r);
	rt_halt(&r);
	s = rig_stats(&r);
	assert_int_equal(rig_nombuf(&r), 64);
	assert_int_equal(s.drops[LAB_WIRE_RING_FULL], 5000 - 64);
	rte_pktmbuf_free_bulk(hold, 300);
	rig_down(&r);
	assert_pool_full(small);
}

/* A receiver that holds, sends, drops and sleeps at random, several queues, too little memory. */
static void
stress(uint64_t seed, struct lab_sink *sink)
{
	struct rte_mbuf *held[256];
	struct lab_rng rng;
	unsigned int nr_held = 0;
	struct rig r;

	lab_rng_seed(&rng, seed);
	rt_config(&r, small, "onoff:rate=2M,on=200us,off=400us,size=60-2000,flows=32,count=20000");
	r.cfg.arrival.seed = seed;
	r.cfg.nb_queues = 3;
	r.cfg.rxd = seed % 2 ? 8 : 128;
	r.cfg.txd = 32;
	r.cfg.run = (uint8_t)seed;
	rt_up(&r);
	while (!lab_wire_done(r.w)) {
		uint16_t queue = (uint16_t)lab_rng_below(&rng, 3), n, sent;
		struct rte_mbuf *pkts[32];

		n = rte_eth_rx_burst(r.port, queue, pkts, (uint16_t)lab_rng_below(&rng, 33));
		lab_sink_rx(sink, pkts, n, lab_clock_now(&r.clock));
		if (lab_rng_below(&rng, 4) == 0 && nr_held + n <= LAB_ARRAY_SIZE(held)) {
			memcpy(held + nr_held, pkts, n * sizeof(pkts[0]));
			nr_held += n;
			n = 0;
		}
		sent = rte_eth_tx_burst(r.port, queue, pkts, n);
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
		if (lab_rng_below(&rng, 500) == 0) {
			rte_pktmbuf_free_bulk(held, nr_held);
			nr_held = 0;
		}
		if (lab_rng_below(&rng, 5000) == 0)
			nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
		check_running(&r);
	}
	rt_halt(&r);
	for (uint16_t queue = 0; queue < 3; queue++) {
		struct rte_mbuf *m;

		while (rte_eth_rx_burst(r.port, queue, &m, 1) == 1) {
			lab_sink_rx(sink, &m, 1, lab_clock_now(&r.clock));
			rte_pktmbuf_free(m);
		}
	}
	rig_check(&r);
	assert_int_equal(rig_stats(&r).offered, 20000);
	sink_check(&r, sink, 32);
	rte_pktmbuf_free_bulk(held, nr_held);
	rig_down(&r);
	assert_pool_full(small);
}

static void
test_stress(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct lab_sink *sink;

		assert_int_equal(lab_sink_create(&sink, NULL), 0);
		stress(seed, sink);
		lab_sink_destroy(sink);
	}
}

static int
setup(void **state)
{
	wire_lcore = rte_get_next_lcore(-1, 1, 0);
	pool = make_pool("pool", 8192, 256, 2048);
	small = make_pool("small", 300, 0, 2048);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_lcores),
		cmocka_unit_test(test_nobody_polls),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_stress),
	};

	eal_up("test_wire_rt", 2);
	return cmocka_run_group_tests(tests, setup, NULL);
}
