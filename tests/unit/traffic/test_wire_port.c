/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The wire as a port: queues, transmission, stops, the end of it, the same seed twice.
 */

#include <errno.h>

#include "lab_stats.h"
#include "wire_rig.h"

static struct rte_mempool *pool;  /* plenty, no cache */
static struct rte_mempool *small; /* 100 mbufs, no cache */
static struct rte_mempool *cached;

/* ------------------------------------------------------------------- queues */

static void
test_rss(void **state)
{
	struct lab_wire_stats q, sum;
	struct lab_sink *sinks[4];
	struct lab_sink_stats st, all = {0};
	struct rig r;
	int seen[64] = {0};

	rig_config(&r, pool, "poisson:rate=4M,size=imix,flows=64,seed=5");
	r.cfg.nb_queues = 4;
	r.cfg.rxd = 128;
	rig_up(&r);
	for (int i = 0; i < 4; i++)
		assert_int_equal(lab_sink_create(&sinks[i], NULL), 0);
	for (int i = 0; i < 2000; i++) {
		rig_pass(&r, 3000);
		for (uint16_t k = 0; k < 4; k++) {
			struct rte_mbuf *pkts[8];
			uint16_t n = rte_eth_rx_burst(r.port, k, pkts, 8);

			lab_sink_rx(sinks[k], pkts, n, lab_clock_now(&r.clock));
			for (uint16_t j = 0; j < n; j++) {
				assert_true(pkts[j]->ol_flags & RTE_MBUF_F_RX_RSS_HASH);
				assert_int_equal(pkts[j]->hash.rss % 128 % 4, k);
				assert_int_equal(pkts[j]->port, r.port);
			}
			rte_pktmbuf_free_bulk(pkts, n);
		}
		rig_check(&r);
	}
	sum = rig_stats(&r);
	for (uint16_t k = 0; k < 4; k++) {
		assert_int_equal(lab_wire_queue_stats_get(r.w, k, &q), 0);
		assert_true(q.offered > 1000);
		sum.offered -= q.offered;
		lab_sink_stats_get(sinks[k], &st);
		assert_int_equal(st.received, q.taken);
		assert_int_equal(st.reordered + st.duplicates + st.foreign + st.unstamped, 0);
		lab_sink_stats_add(&all, &st);
		for (uint32_t f = 0; f < 64; f++) {
			if (lab_sink_flow_get(sinks[k], f, &st) == 0) {
				seen[f]++;
				assert_true(st.expected <= lab_wire_flow_offered(r.w, f));
			}
		}
	}
	assert_int_equal(sum.offered, 0);
	assert_int_equal(all.unique, sum.taken);
	for (int f = 0; f < 64; f++)
		assert_int_equal(seen[f], 1); /* a flow has one queue */
	assert_int_equal(lab_wire_queue_stats_get(r.w, 4, &q), -EINVAL);
	for (int i = 0; i < 4; i++)
		lab_sink_destroy(sinks[i]);
	rig_down(&r);
	assert_pool_full(pool);
}

/* ------------------------------------------------------------- transmission */

/* 1500 + 24 bytes at 1 Gbit/s take 12.192 us. */
static void
test_link_rate(void **state)
{
	struct rte_mbuf *m[64];
	struct lab_wire_stats s;
	struct rig r;

	rig_config(&r, pool, "constant:rate=1,count=1");
	r.cfg.tx_rate = 1000000000;
	r.cfg.txd = 32;
	rig_up(&r);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, m, 64), 0);
	for (int i = 0; i < 64; i++)
		m[i]->pkt_len = m[i]->data_len = 1500;
	rig_pass(&r, 1000);
	rig_poll(&r, 0, 1);
	assert_int_equal(rte_eth_tx_burst(r.port, 0, m, 64), 32);
	assert_int_equal(rte_eth_tx_burst(r.port, 0, m + 32, 32), 0);
	rig_pass(&r, 12191);
	assert_int_equal(rig_stats(&r).tx_packets, 0);
	assert_int_equal(rig_stats(&r).tx_pending, 32);
	assert_int_equal(lab_wire_next_event(r.w), lab_clock_now(&r.clock) + 1);
	rig_pass(&r, 1);
	assert_int_equal(rig_stats(&r).tx_packets, 1);
	rig_pass(&r, 12192 * 9 - 1);
	assert_int_equal(rig_stats(&r).tx_packets, 9);
	rig_pass(&r, 1);
	s = rig_stats(&r);
	assert_int_equal(s.tx_packets, 10);
	assert_int_equal(s.tx_bytes, 15000);
	assert_int_equal(s.tx_unfreed, 10); /* descriptors are free only when the mbufs are */
	assert_int_equal(rte_eth_tx_burst(r.port, 0, m + 32, 32), 10);
	assert_int_equal(rig_stats(&r).tx_unfreed, 0);
	rte_pktmbuf_free_bulk(m + 42, 22);
	rig_down(&r); /* 32 accepted and not sent */
	assert_pool_full(pool);
}

/* Frames that the application sends back carry the stamps of their arrival to the wire's far end. */
static void
test_tx_sink(void **state)
{
	struct lab_sink_stats st;
	struct lab_sink *sink;
	struct rig r;

	assert_int_equal(lab_sink_create(&sink, NULL), 0);
	rig_config(&r, cached, "constant:rate=1M,size=100,flows=4");
	r.cfg.tx_sink = sink;
	rig_up(&r);
	for (int i = 0; i < 1000; i++) {
		struct rte_mbuf *pkts[32];
		uint16_t n;

		rig_pass(&r, 1000);
		n = rte_eth_rx_burst(r.port, 0, pkts, 32);
		assert_int_equal(rte_eth_tx_burst(r.port, 0, pkts, n), n);
		rig_check(&r);
	}
	rig_pass(&r, 1000);
	lab_sink_stats_get(sink, &st);
	assert_int_equal(st.received, 1001);
	assert_int_equal(st.lost + st.reordered + st.duplicates + st.unstamped + st.foreign, 0);
	assert_int_equal(lab_sink_latency(sink)->count, 1001);
	assert_int_equal(lab_sink_latency(sink)->max, 2000); /* the very first */
	assert_int_equal(~lab_sink_latency(sink)->min_inv, 1000);
	rig_down(&r);
	lab_sink_destroy(sink);
	assert_pool_full(cached);
}

/* ------------------------------------------------------------ stops and ends */

static void
test_random_stops(void **state)
{
	struct rte_mempool *pools[] = {small, pool, cached};

	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct lab_rng rng;
		struct rte_mbuf *held[64];
		uint16_t nr_held = 0;
		struct rig r;

		lab_rng_seed(&rng, seed);
		rig_config(&r, pools[seed % 3],
			"onoff:rate=5M,on=50us,off=20us,size=60-9600,flows=32");
		r.cfg.arrival.seed = seed;
		r.cfg.nb_queues = (uint16_t)(1 + lab_rng_below(&rng, 4));
		r.cfg.rxd = (uint16_t)(seed % 2 ? 8 : 1 + lab_rng_below(&rng, 200));
		r.cfg.txd = (uint16_t)(1 + lab_rng_below(&rng, 100));
		r.cfg.scatter = seed % 5 == 0;
		r.cfg.tx_rate = seed % 2 ? 0 : 10000000000;
		rig_up(&r);
		for (int i = 0; i < 1000; i++) {
			uint16_t queue = (uint16_t)lab_rng_below(&rng, r.cfg.nb_queues);
			uint16_t n, sent;

			rig_pass(&r, lab_rng_below(&rng, 4000));
			rig_check(&r);
			/* Take some, send some, hold some, drop some. */
			n = rte_eth_rx_burst(r.port, queue, held + nr_held,
				(uint16_t)lab_rng_below(&rng, 65u - nr_held));
			nr_held = (uint16_t)(nr_held + n);
			n = (uint16_t)lab_rng_below(&rng, nr_held + 1u);
			sent = rte_eth_tx_burst(r.port, queue, held, n);
			rte_pktmbuf_free_bulk(held + sent, n - sent);
			nr_held = (uint16_t)(nr_held - n);
			memmove(held, held + n, nr_held * sizeof(held[0]));
			if (lab_rng_below(&rng, 50) == 0) {
				lab_wire_stop(r.w);
				rig_check(&r);
				assert_int_equal(rig_stats(&r).posted + rig_stats(&r).filled, 0);
				rig_pass(&r, 5000); /* nothing arrives at a stopped wire */
				assert_int_equal(
					rte_eth_rx_burst(r.port, queue, held + nr_held, 1), 0);
				assert_int_equal(rig_stats(&r).posted, 0);
				assert_int_equal(lab_wire_start(r.w), 0);
				assert_int_equal(lab_wire_start(r.w), -EALREADY);
			}
			rig_check(&r);
		}
		rte_pktmbuf_free_bulk(held, nr_held);
		rig_down(&r);
		assert_pool_full(pools[seed % 3]);
	}
}

/* A stopped process goes on where it was: no arrival is skipped, none comes at once. */
static void
test_pause(void **state)
{
	struct rig r;

	rig_config(&r, pool, "constant:rate=1M");
	rig_up(&r);
	rig_pass(&r, 10500);
	assert_int_equal(rig_stats(&r).offered, 11);
	for (uint64_t i = 12; i < 20; i++) {
		lab_wire_stop(r.w);
		rig_pass(&r, 1000000);
		assert_int_equal(lab_wire_start(r.w), 0);
		rig_pass(&r, 499);
		assert_int_equal(rig_stats(&r).offered, i - 1);
		rig_pass(&r, 501);
		assert_int_equal(rig_stats(&r).offered, i);
	}
	assert_int_equal(rig_stats(&r).drops[LAB_WIRE_STOPPED], 18);
	rig_check(&r);
	rig_down(&r);
	assert_pool_full(pool);
}

static void
test_made_and_unmade(void **state)
{
	unsigned int ports = rte_eth_dev_count_avail();

	for (int i = 0; i < 200; i++) {
		struct rig r;

		rig_config(&r, pool, "constant:rate=10M");
		r.cfg.nb_queues = (uint16_t)(1 + i % LAB_WIRE_MAX_QUEUES);
		rig_up(&r);
		if (i % 3 == 0) /* the application goes on with fewer queues than the wire has */
			assert_int_equal(rte_eth_dev_stop(r.port), 0), port_up(r.port, 1, pool);
		rig_pass(&r, 10000);
		rig_poll(&r, 0, 16);
		rig_down(&r);
	}
	assert_int_equal(rte_eth_dev_count_avail(), ports);
	assert_pool_full(pool);
}

/* Against the rules, but harmless: the port is closed before the wire is. */
static void
test_port_closed_early(void **state)
{
	struct rig r;

	for (int i = 0; i < 3; i++) {
		rig_config(&r, pool, "constant:rate=1M");
		rig_up(&r);
		rig_pass(&r, 10000);
		assert_int_equal(rte_eth_dev_stop(r.port), 0);
		assert_int_equal(rte_eth_dev_close(r.port), 0);
		rig_down(&r);
		assert_pool_full(pool);
	}
	/* The port's number is used again; its old callbacks know that their wire is gone. */
	rig_config(&r, pool, "constant:rate=1M");
	rig_up(&r);
	rig_pass(&r, 9000);
	assert_int_equal(rig_poll(&r, 0, 32), 10);
	rig_check(&r);
	rig_down(&r);
	assert_pool_full(pool);
}

static void
test_refused_configs(void **state)
{
	static const char *const want[] = {"no pool", "name", "name", "clock", "rxd", "threshold",
		"queues", "rate must be", "flows", "link rate", "pcap", "nowhere.pcap", "causes"};
	unsigned int ports = rte_eth_dev_count_avail();
	struct rig r, first;

	rig_config(&first, pool, "constant:rate=1M");
	rig_up(&first);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(want); i++) {
		rig_config(&r, pool, "constant:rate=1M");
		r.cfg.name = "u";
		switch (i) {
		case 0:
			r.cfg.pools[0] = NULL;
			break;
		case 1:
			r.cfg.name = "a name";
			break;
		case 2:
			r.cfg.name = "seventeen-letters";
			break;
		case 3:
			r.cfg.clock = NULL;
			break;
		case 4:
			r.cfg.rxd = 32769;
			break;
		case 5:
			r.cfg.rxd = 16;
			r.cfg.refill_thresh = 17;
			break;
		case 6:
			r.cfg.nb_queues = LAB_WIRE_MAX_QUEUES + 1;
			break;
		case 7:
			r.cfg.arrival.rate = 0;
			break;
		case 8:
			r.cfg.flow_base = LAB_FLOWS_MAX;
			break;
		case 9:
			r.cfg.tx_rate = 1;
			break;
		case 10:
			r.cfg.pcap_contents = true;
			break;
		case 11:
			r.cfg.arrival.kind = LAB_ARRIVAL_PCAP;
			strcpy(r.cfg.arrival.pcap_file, "nowhere.pcap");
			break;
		case 12:
			r.cfg.nb_causes = 17;
			break;
		}
		assert_true(lab_wire_create(&r.w, &r.cfg, &r.port, r.err, sizeof(r.err)) < 0);
		assert_null(r.w);
		if (strstr(r.err, want[i]) == NULL)
			fail_msg("case %zu: '%s' says nothing of '%s'", i, r.err, want[i]);
	}
	assert_int_equal(lab_wire_create(&r.w, &first.cfg, &r.port, r.err, sizeof(r.err)), -EEXIST);
	assert_int_equal(rte_eth_dev_count_avail(), ports + 1);
	rig_down(&first);
}

/* ------------------------------------------------------------- determinism */

static void
run_seeded(uint64_t seed, uint64_t poll_ns, uint16_t burst, struct lab_wire_stats *s,
	uint64_t flows[16])
{
	struct rig r;

	rig_config(&r, small, "onoff:rate=3M,on=100us,off=300us,size=imix,flows=16,zipf=1");
	r.cfg.arrival.seed = seed;
	r.cfg.rxd = 64;
	r.cfg.nb_queues = 2;
	rig_up(&r);
	for (uint64_t t = 0; t < 20000000; t += poll_ns) {
		rig_pass(&r, poll_ns);
		rig_poll(&r, 0, burst);
		rig_poll(&r, 1, burst);
	}
	*s = rig_stats(&r);
	for (uint32_t f = 0; f < 16; f++)
		flows[f] = lab_wire_flow_offered(r.w, f);
	rig_down(&r);
}

static void
test_same_seed(void **state)
{
	struct lab_wire_stats a, b, c, d;
	uint64_t fa[16], fb[16], fc[16], fd[16];

	run_seeded(7, 10000, 8, &a, fa);
	run_seeded(7, 10000, 8, &b, fb);
	run_seeded(7, 40000, 64, &c, fc); /* another receiver */
	run_seeded(8, 10000, 8, &d, fd);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_equal(fa, fb, sizeof(fa));
	assert_true(a.drops[LAB_WIRE_MEMORY] > 0 && a.drops[LAB_WIRE_RING_FULL] > 0);
	/* Other polls, other losses, the same arrivals. */
	assert_true(a.taken != c.taken);
	assert_int_equal(a.offered, c.offered);
	assert_int_equal(a.offered_bytes, c.offered_bytes);
	assert_memory_equal(fa, fc, sizeof(fa));
	assert_true(a.offered != d.offered);
}

/* The end of an arrival process, and what a sink makes of losses. */
static void
test_losses_seen_by_sink(void **state)
{
	struct lab_sink_stats st;
	struct lab_sink *sink;
	struct lab_wire_stats s;
	uint64_t offered = 0, highest = 0;
	struct rig r;

	assert_int_equal(lab_sink_create(&sink, NULL), 0);
	rig_config(&r, small, "poisson:rate=2M,size=64,flows=5,count=20000");
	r.cfg.rxd = 32;
	rig_up(&r);
	while (!lab_wire_done(r.w) || rig_stats(&r).filled > 0) {
		struct rte_mbuf *pkts[16];
		uint16_t n;

		rig_pass(&r, 10000);
		n = rte_eth_rx_burst(r.port, 0, pkts, 16);
		lab_sink_rx(sink, pkts, n, lab_clock_now(&r.clock));
		rte_pktmbuf_free_bulk(pkts, n);
	}
	s = rig_stats(&r);
	assert_int_equal(s.offered, 20000);
	for (uint32_t f = 0; f < 5; f++) {
		struct lab_stamp end = {.kind = LAB_STAMP_END, .flow = f};

		assert_int_equal(lab_sink_flow_get(sink, f, &st), 0);
		highest += st.expected;
		end.seq = lab_wire_flow_offered(r.w, f);
		offered += end.seq;
		lab_sink_stamp(sink, &end, 60, 0);
		assert_int_equal(lab_sink_flow_get(sink, f, &st), 0);
		assert_int_equal(st.expected, end.seq);
	}
	lab_sink_stats_get(sink, &st);
	assert_int_equal(offered, 20000);
	assert_true(highest <= 20000);
	assert_int_equal(st.expected, 20000);
	assert_int_equal(st.unique, s.taken);
	assert_int_equal(st.lost, 20000 - s.taken);
	assert_true(st.lost > 1000);
	rig_down(&r);
	lab_sink_destroy(sink);
	assert_pool_full(small);
}

static int
setup(void **state)
{
	pool = make_pool("pool", 8192, 0, 2048);
	small = make_pool("small", 100, 0, 2048);
	cached = make_pool("cached", 4096, 256, 2048);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rss),
		cmocka_unit_test(test_link_rate),
		cmocka_unit_test(test_tx_sink),
		cmocka_unit_test(test_random_stops),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_made_and_unmade),
		cmocka_unit_test(test_port_closed_early),
		cmocka_unit_test(test_refused_configs),
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_losses_seen_by_sink),
	};

	eal_up("test_wire_port", 1);
	return cmocka_run_group_tests(tests, setup, NULL);
}
