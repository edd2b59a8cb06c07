/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The generator: its pace, its mbufs, and that what it says it sent is what a sink counts. And a
 * capture whose frames come out of a wire.
 */

#include <errno.h>

#include <pcap/pcap.h>

#include "wire_rig.h"

static struct rte_mempool *pool;
static struct rte_mempool *small; /* 100 mbufs, no cache */

static struct lab_gen *
gen_up(const struct lab_clock *clock, struct rte_mempool *mp, const char *arrivals,
	uint32_t flow_base)
{
	struct lab_gen_config cfg = {.pool = mp, .clock = clock, .flow_base = flow_base, .run = 3};
	struct lab_gen *g = NULL;
	char err[160];

	if (lab_arrival_parse(arrivals, &cfg.arrival, err, sizeof(err)) != 0 ||
		lab_gen_create(&g, &cfg, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return g;
}

static void
test_pace(void **state)
{
	struct rte_mbuf *pkts[300];
	struct lab_gen_stats s;
	struct lab_clock clock;
	struct lab_gen *g;

	lab_clock_init(&clock, LAB_CLOCK_VIRTUAL);
	lab_clock_advance(&clock, 777);
	g = gen_up(&clock, pool, "constant:rate=1M,size=60-1518,count=1000", 0);
	assert_int_equal(lab_gen_burst(g, pkts, 32), 1); /* the first is due at once */
	rte_pktmbuf_free(pkts[0]);
	for (int i = 0; i < 20; i++) {
		uint16_t n;

		assert_int_equal(lab_gen_burst(g, pkts, 32), 0);
		lab_clock_advance(&clock, 10000);
		n = lab_gen_burst(g, pkts, 32);
		assert_int_equal(n, 10);
		for (uint16_t k = 0; k < n; k++)
			rte_mbuf_sanity_check(pkts[k], 1);
		rte_pktmbuf_free_bulk(pkts, n);
	}
	/* 300 us behind: caught up, in bursts of any size. */
	lab_clock_advance(&clock, 300000);
	assert_int_equal(lab_gen_burst(g, pkts, 150), 150);
	rte_pktmbuf_free_bulk(pkts, 150);
	assert_int_equal(lab_gen_burst(g, pkts, 300), 150);
	rte_pktmbuf_free_bulk(pkts, 150);
	lab_gen_stats_get(g, &s);
	assert_int_equal(s.slipped_ns, 0);
	/* 3 ms behind: one of them is made up for, two are put off. */
	assert_false(lab_gen_done(g));
	lab_clock_advance(&clock, 3000000);
	assert_int_equal(lab_gen_burst(g, pkts, 300), 300);
	rte_pktmbuf_free_bulk(pkts, 300);
	lab_gen_stats_get(g, &s);
	assert_int_equal(s.packets, 801);
	assert_int_equal(s.slipped_ns, 2000000 - 1000);
	assert_int_equal(lab_gen_burst(g, pkts, 300), 199);
	rte_pktmbuf_free_bulk(pkts, 199);
	assert_int_equal(lab_gen_burst(g, pkts, 300), 0);
	assert_true(lab_gen_done(g));
	lab_gen_destroy(g);
	assert_pool_full(pool);
}

static void
test_no_mbufs(void **state)
{
	struct rte_mbuf *hold[98], *pkts[32];
	struct lab_gen_stats s;
	struct lab_clock clock;
	struct lab_gen *g;
	struct lab_stamp st;

	lab_clock_init(&clock, LAB_CLOCK_VIRTUAL);
	g = gen_up(&clock, small, "constant:rate=1M,size=64,flows=1", 0);
	lab_gen_burst(g, pkts, 1);
	rte_pktmbuf_free(pkts[0]);
	assert_int_equal(rte_pktmbuf_alloc_bulk(small, hold, 98), 0);
	lab_clock_advance(&clock, 5000);
	assert_int_equal(lab_gen_burst(g, pkts, 32), 2);
	lab_gen_stats_get(g, &s);
	assert_int_equal(s.nombuf, 1);
	assert_int_equal(lab_gen_burst(g, pkts + 2, 30), 0);
	rte_pktmbuf_free_bulk(hold, 98);
	/* The frames waited: none of their numbers is missing. */
	assert_int_equal(lab_gen_burst(g, pkts + 2, 30), 3);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(lab_stamp_read(pkts[i], &st), 0);
		assert_int_equal(st.seq, i + 1);
		assert_int_equal(st.run, 3);
		assert_int_equal(st.t_ns, 5000);
	}
	rte_pktmbuf_free_bulk(pkts, 5);
	lab_gen_destroy(g);
	assert_pool_full(small);
}

static void
test_jumbo(void **state)
{
	struct rte_mbuf *pkts[32];
	struct lab_clock clock;
	struct lab_gen_stats s;
	struct lab_gen *g;
	uint16_t n;

	lab_clock_init(&clock, LAB_CLOCK_VIRTUAL);
	g = gen_up(&clock, small, "constant:rate=1M,size=9600", 0);
	lab_gen_burst(g, pkts, 1);
	rte_mbuf_sanity_check(pkts[0], 1);
	assert_int_equal(pkts[0]->pkt_len, 9600);
	assert_int_equal(pkts[0]->nb_segs, 5);
	for (const struct rte_mbuf *m = pkts[0]->next; m != NULL; m = m->next) {
		for (uint16_t i = 0; i < m->data_len; i++)
			assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, i), 0);
	}
	rte_pktmbuf_free(pkts[0]);
	/* 100 mbufs are 20 frames; the 21st does not leave half a chain behind. */
	lab_clock_advance(&clock, 30000);
	n = lab_gen_burst(g, pkts, 32);
	assert_in_range(n, 14, 20); /* heads are taken in bulk, so the last chains may starve */
	lab_gen_stats_get(g, &s);
	assert_int_equal(s.nombuf, 1);
	assert_int_equal(rte_mempool_avail_count(small), 100 - 5 * n);
	rte_pktmbuf_free_bulk(pkts, n);
	lab_gen_destroy(g);
	assert_pool_full(small);
}

/* Two generators, a link that refuses, a wire that sends: what each flow sent is what the sink knows,
 * to the frame, and nothing is lost. */
static void
test_sent_is_seen(void **state)
{
	static const char *const text[] = {"poisson:rate=3M,size=imix,flows=20,count=30000",
		"onoff:rate=9M,on=50us,off=60us,size=64,flows=9,zipf=1,count=30000,seed=4"};
	struct lab_gen_stats gs[2];
	struct lab_sink_stats st;
	struct lab_gen *g[2];
	struct lab_sink *sink;
	struct rig r;
	uint32_t next[2] = {0};

	assert_int_equal(lab_sink_create(&sink, NULL), 0);
	rig_config(&r, pool, "constant:rate=1,count=1");
	r.cfg.tx_rate = 4000000000;
	r.cfg.txd = 64;
	r.cfg.nb_queues = 2;
	r.cfg.tx_sink = sink;
	rig_up(&r);
	for (int i = 0; i < 2; i++)
		g[i] = gen_up(&r.clock, pool, text[i], i * 20);
	while (!lab_gen_done(g[0]) || !lab_gen_done(g[1])) {
		for (uint16_t i = 0; i < 2; i++) {
			struct rte_mbuf *pkts[64];
			uint16_t n = lab_gen_burst(g[i], pkts, 64);
			uint16_t sent = rte_eth_tx_burst(r.port, i, pkts, n);

			lab_gen_unsent(g[i], pkts + sent, (uint16_t)(n - sent));
		}
		rig_pass(&r, 2000);
	}
	for (uint16_t i = 0; i < 2; i++) {
		struct rte_mbuf *pkts[16];
		uint16_t n;

		rig_pass(&r, 1000000);
		while ((n = lab_gen_end(g[i], &next[i], pkts, 16)) > 0)
			assert_int_equal(rte_eth_tx_burst(r.port, i, pkts, n), n);
		lab_gen_stats_get(g[i], &gs[i]);
		assert_int_equal(gs[i].packets + gs[i].unsent, 30000);
	}
	rig_pass(&r, 1000000);
	for (uint32_t f = 0; f < 29; f++) {
		uint64_t sent =
			f < 20 ? lab_gen_flow_sent(g[0], f) : lab_gen_flow_sent(g[1], f - 20);

		assert_int_equal(lab_sink_flow_get(sink, f, &st), 0);
		assert_int_equal(st.expected, sent);
		assert_int_equal(st.ends, 1);
	}
	lab_sink_stats_get(sink, &st);
	assert_int_equal(st.unique, gs[0].packets + gs[1].packets);
	assert_int_equal(st.bytes, gs[0].bytes + gs[1].bytes);
	assert_int_equal(st.lost + st.duplicates + st.reordered + st.unstamped, 0);
	assert_true(gs[0].unsent + gs[1].unsent > 1000);
	for (int i = 0; i < 2; i++)
		lab_gen_destroy(g[i]);
	rig_down(&r);
	lab_sink_destroy(sink);
	assert_pool_full(pool);
}

static void
test_refused_configs(void **state)
{
	struct lab_clock clock;
	struct lab_gen_config cfg = {.pool = pool, .clock = &clock};
	struct lab_gen *g;
	char err[160];

	lab_clock_init(&clock, LAB_CLOCK_VIRTUAL);
	lab_arrival_config_default(&cfg.arrival);
	cfg.flow_base = LAB_FLOWS_MAX;
	assert_int_equal(lab_gen_create(&g, &cfg, err, sizeof(err)), -EINVAL);
	cfg.flow_base = 0;
	cfg.pool = NULL;
	assert_int_equal(lab_gen_create(&g, &cfg, err, sizeof(err)), -EINVAL);
	cfg.pool = pool;
	cfg.arrival.rate = -1;
	assert_int_equal(lab_gen_create(&g, &cfg, err, sizeof(err)), -EINVAL);
	assert_null(g);
	lab_gen_destroy(NULL);
}

/* ------------------------------------------------------------------ contents */

static char path[] = "/tmp/lab_test_gen_XXXXXX";

/** 50 frames of 100, 200 ... bytes of which 150 are captured. */
static void
write_capture(void)
{
	pcap_t *dead =
		pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 150, PCAP_TSTAMP_PRECISION_NANO);
	int fd = mkstemp(path);
	pcap_dumper_t *d = pcap_dump_fopen(dead, fdopen(fd, "wb"));

	assert_non_null(d);
	for (uint32_t i = 0; i < 50; i++) {
		struct pcap_pkthdr h = {.len = 100 * (i + 1)};
		uint8_t bytes[150];

		memset(bytes, (int)i + 1, sizeof(bytes));
		h.caplen = RTE_MIN(h.len, 150u);
		h.ts.tv_usec = 1000 * i;
		pcap_dump((void *)d, &h, bytes);
	}
	pcap_dump_close(d);
	pcap_close(dead);
}

static void
test_contents(void **state)
{
	struct rte_mbuf *pkts[64];
	char text[128];
	struct rig r;
	uint16_t n = 0;

	write_capture();
	snprintf(text, sizeof(text), "pcap:file=%s", path);
	rig_config(&r, pool, text);
	r.cfg.pcap_contents = true;
	r.cfg.scatter = true;
	r.cfg.nb_queues = 2;
	rig_up(&r);
	for (uint64_t i = 0; i < 50; i++) {
		struct rte_mbuf *m;
		uint8_t flat[LAB_FRAME_MAX];
		const uint8_t *d;

		rig_pass(&r, i ? 1000 : 0);
		n = rte_eth_rx_burst(r.port, 0, &m, 1);
		n += n ? 0 : rte_eth_rx_burst(r.port, 1, &m, 1);
		assert_int_equal(n, 1);
		rte_mbuf_sanity_check(m, 1);
		assert_int_equal(m->pkt_len, 100 * (i + 1));
		d = rte_pktmbuf_read(m, 0, m->pkt_len, flat);
		for (uint32_t k = 0; k < m->pkt_len; k++)
			assert_int_equal(d[k], k < 150 ? i + 1 : 0);
		rte_pktmbuf_free(m);
		rig_check(&r);
	}
	assert_true(lab_wire_done(r.w));
	assert_int_equal(rte_eth_rx_burst(r.port, 0, pkts, 64), 0);
	rig_down(&r);
	unlink(path);
	assert_pool_full(pool);
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
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_no_mbufs),
		cmocka_unit_test(test_jumbo),
		cmocka_unit_test(test_sent_is_seen),
		cmocka_unit_test(test_refused_configs),
		cmocka_unit_test(test_contents),
	};

	eal_up("test_gen", 1);
	return cmocka_run_group_tests(tests, setup, NULL);
}
