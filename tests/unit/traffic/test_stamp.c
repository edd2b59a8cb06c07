/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Stamps in frames, and what a sink makes of them. No EAL.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "lab_base.h"
#include "lab_stats.h"
#include "lab_traffic.h"

/* ------------------------------------------------------------------- frames */

static void
test_frame(void **state)
{
	static uint8_t frame[LAB_FRAME_MAX + 1];
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		uint32_t len = LAB_FRAME_MIN +
			       (uint32_t)lab_rng_below(&rng, LAB_FRAME_MAX - LAB_FRAME_MIN + 1);
		struct lab_stamp s = {.run = (uint8_t)i, .kind = 1 + i % 2}, r;
		const struct rte_ipv4_hdr *ip = (const void *)(frame + 14);
		struct rte_ipv4_hdr copy;

		s.flow = (uint32_t)lab_rng_below(&rng, LAB_FLOWS_MAX);
		s.seq = lab_rng_u64(&rng) & LAB_STAMP_MASK48;
		s.t_ns = lab_rng_u64(&rng) & LAB_STAMP_MASK48;
		frame[len] = 0xa5;
		assert_int_equal(lab_stamp_frame(frame, len, &s), 0);
		assert_int_equal(frame[len], 0xa5);
		assert_int_equal(lab_stamp_read_bytes(frame, len, &r), 0);
		assert_int_equal(r.run, s.run);
		assert_int_equal(r.kind, s.kind);
		assert_int_equal(r.flow, s.flow);
		assert_int_equal(r.seq, s.seq);
		assert_int_equal(r.t_ns, s.t_ns);
		/* DPDK's own reading of the headers. */
		memcpy(&copy, ip, sizeof(copy));
		copy.hdr_checksum = 0;
		assert_int_equal(rte_ipv4_cksum(&copy), ip->hdr_checksum);
		assert_int_equal(rte_be_to_cpu_16(ip->total_length), len - 14);
		assert_int_equal(rte_be_to_cpu_32(ip->src_addr) & ~0x1ffffu, 0xc6120000u);
		assert_int_equal(rte_be_to_cpu_32(ip->dst_addr) & ~0x1ffffu, 0xc6120000u);
		assert_int_equal(frame[38] << 8 | frame[39], len - 34); /* UDP length */
	}
	assert_int_equal(lab_stamp_frame(frame, 59, &(struct lab_stamp){.kind = 1}), -EINVAL);
	assert_int_equal(lab_stamp_frame(frame, 9601, &(struct lab_stamp){.kind = 1}), -EINVAL);
	assert_int_equal(
		lab_stamp_frame(frame, 60, &(struct lab_stamp){.flow = LAB_FLOWS_MAX}), -EINVAL);
}

/** Put n bytes in at an offset. */
static uint32_t
insert(uint8_t *frame, uint32_t len, uint32_t at, const uint8_t *bytes, uint32_t n)
{
	memmove(frame + at + n, frame + at, len - at);
	memcpy(frame + at, bytes, n);
	return len + n;
}

static void
test_read_variants(void **state)
{
	static const uint8_t vlan[4] = {0x81, 0, 0, 5}, qinq[4] = {0x88, 0xa8, 0, 6},
			     nop[4] = {1, 1, 1, 1};
	struct lab_stamp s = {.kind = LAB_STAMP_DATA, .flow = 3, .seq = 4, .t_ns = 5}, r;
	uint8_t f[128], g[128];
	uint32_t len = 60;

	lab_stamp_frame(f, 60, &s);
	/* Nothing shorter than the stamp's end is read, and nothing beyond the frame. */
	for (uint32_t n = 0; n < 60; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, f, n);
		assert_int_equal(lab_stamp_read_bytes(exact, n, &r), -ENOMSG);
		free(exact);
	}
	memcpy(g, f, 60);
	len = insert(g, len, 12, vlan, 4);
	assert_int_equal(lab_stamp_read_bytes(g, len, &r), 0);
	len = insert(g, len, 12, qinq, 4);
	assert_int_equal(lab_stamp_read_bytes(g, len, &r), 0);
	assert_int_equal(r.seq, 4);
	len = insert(g, len, 12, vlan, 4);
	assert_int_equal(lab_stamp_read_bytes(g, len, &r), -ENOMSG); /* three tags */
	memcpy(g, f, 60);
	len = insert(g, 60, 34, nop, 4);
	g[14] = 0x46;
	g[17] += 4;
	assert_int_equal(lab_stamp_read_bytes(g, len, &r), 0); /* IP options */
	g[14] = 0x4f;
	assert_int_equal(lab_stamp_read_bytes(g, len, &r), -ENOMSG);
	g[14] = 0x44;
	assert_int_equal(lab_stamp_read_bytes(g, len, &r), -ENOMSG);
}

static void
test_read_refuses(void **state)
{
	/* Offset and value of one byte that makes it another frame. */
	static const uint8_t change[][2] = {{12, 0x86}, {14, 0x65}, {16, 1}, {17, 45}, {20, 0x20},
		{21, 1}, {23, 6}, {36, 0}, {42, 0}, {43, 0}, {45, 0}, {45, 3}};
	struct lab_stamp s = {.kind = LAB_STAMP_DATA}, r;
	uint8_t f[60];

	for (size_t i = 0; i < LAB_ARRAY_SIZE(change); i++) {
		lab_stamp_frame(f, 60, &s);
		f[change[i][0]] = change[i][1];
		if (i ==
			2) /* a length beyond the frame is the frame's: Ethernet pads, some NICs cut */
			assert_int_equal(lab_stamp_read_bytes(f, 60, &r), 0);
		else
			assert_int_equal(lab_stamp_read_bytes(f, 60, &r), -ENOMSG);
	}
	/* Ends swapped by a forwarder: still ours. */
	lab_stamp_frame(f, 60, &s);
	memmove(f + 36, f + 34, 2);
	f[34] = LAB_STAMP_UDP_PORT >> 8;
	f[35] = LAB_STAMP_UDP_PORT & 255;
	assert_int_equal(lab_stamp_read_bytes(f, 60, &r), 0);
}

/* --------------------------------------------------------------------- sink */

static void
give(struct lab_sink *s, uint32_t flow, uint64_t seq)
{
	struct lab_stamp st = {.kind = LAB_STAMP_DATA, .flow = flow, .seq = seq & LAB_STAMP_MASK48};

	lab_sink_stamp(s, &st, 100, 0);
}

static void
give_end(struct lab_sink *s, uint32_t flow, uint64_t total)
{
	struct lab_stamp st = {.kind = LAB_STAMP_END, .flow = flow, .seq = total};

	lab_sink_stamp(s, &st, 60, 0);
}

static struct lab_sink_stats
totals(const struct lab_sink *s)
{
	struct lab_sink_stats st;

	lab_sink_stats_get(s, &st);
	assert_int_equal(st.expected, st.unique + st.lost);
	assert_int_equal(st.received, st.unique + st.duplicates + st.beyond_window);
	return st;
}

static void
test_sink_by_hand(void **state)
{
	struct lab_sink *s;
	struct lab_sink_stats st;

	assert_int_equal(lab_sink_create(&s, NULL), 0);
	give(s, 0, 0);
	give(s, 0, 1);
	give(s, 0, 4);
	assert_int_equal(totals(s).lost, 2);
	give(s, 0, 2); /* late, so not lost */
	st = totals(s);
	assert_int_equal(st.lost, 1);
	assert_int_equal(st.reordered, 1);
	assert_int_equal(st.max_displacement, 2);
	give(s, 0, 2);
	give(s, 0, 4);
	st = totals(s);
	assert_int_equal(st.duplicates, 2);
	assert_int_equal(st.lost, 1);
	/* The end tells of losses that no later frame shows; saying it twice changes nothing. */
	give_end(s, 0, 10);
	give_end(s, 0, 10);
	st = totals(s);
	assert_int_equal(st.expected, 10);
	assert_int_equal(st.lost, 6);
	assert_int_equal(st.ends, 1);
	give(s, 0, 9); /* overtaken by the end */
	assert_int_equal(totals(s).lost, 5);
	give_end(s, 0, 3); /* contradicts what came */
	assert_int_equal(totals(s).expected, 10);
	/* A flow of which nothing came but its end. */
	give_end(s, 7, 1000);
	assert_int_equal(totals(s).lost, 1005);
	assert_int_equal(lab_sink_flow_get(s, 7, &st), 0);
	assert_int_equal(st.lost, 1000);
	assert_int_equal(lab_sink_flow_get(s, 8, &st), -ENOENT);
	give(s, 4096, 0);
	assert_int_equal(totals(s).foreign, 1);
	lab_sink_destroy(s);
}

static void
test_sink_reset_and_runs(void **state)
{
	struct lab_stamp st = {.run = 1, .kind = LAB_STAMP_DATA};
	struct lab_sink *s;

	assert_int_equal(lab_sink_create(&s, NULL), 0);
	for (int i = 0; i < 10; i++)
		give(s, 0, 2 * (uint64_t)i);
	assert_int_equal(totals(s).lost, 9);
	lab_sink_reset(s);
	assert_int_equal(totals(s).expected, 0);
	give(s, 0, 7); /* from before the reset */
	assert_int_equal(totals(s).foreign, 1);
	give(s, 0, 20);
	assert_int_equal(totals(s).expected, 2); /* 19 is missing */
	/* The sender starts again from 0, a frame of its old run comes late. */
	lab_sink_stamp(s, &st, 60, 0);
	assert_int_equal(totals(s).runs, 1);
	assert_int_equal(totals(s).expected, 3);
	assert_int_equal(totals(s).unique, 2);
	give(s, 0, 21);
	assert_int_equal(totals(s).foreign, 2);
	assert_int_equal(totals(s).expected, 3);
	lab_sink_destroy(s);
}

static void
test_sink_wraps(void **state)
{
	uint64_t top = 1ull << 48;
	struct lab_sink *s;

	assert_int_equal(lab_sink_create(&s, NULL), 0);
	give(s, 0, top / 2 - 1);
	give(s, 0, top - 3);
	for (uint64_t i = top - 2; i < top + 2000; i++)
		give(s, 0, i);
	assert_int_equal(totals(s).expected, top + 2000);
	assert_int_equal(totals(s).reordered + totals(s).duplicates, 0);
	give(s, 0, top - 1 + 1500);
	assert_int_equal(totals(s).duplicates, 1);
	give(s, 0, top - 1);
	assert_int_equal(totals(s).beyond_window, 1);
	lab_sink_destroy(s);
	/* A first number that could only lie before 0. */
	assert_int_equal(lab_sink_create(&s, NULL), 0);
	give(s, 0, top - 1);
	assert_int_equal(totals(s).foreign, 1);
	lab_sink_destroy(s);
}

static void
test_sink_latency(void **state)
{
	struct lab_stamp st = {.kind = LAB_STAMP_DATA, .t_ns = LAB_STAMP_MASK48 - 99};
	struct lab_sink *s;

	assert_int_equal(lab_sink_create(&s, NULL), 0);
	lab_sink_stamp(s, &st, 60, (1ull << 48) + 400); /* 78 hours have passed */
	assert_int_equal(lab_sink_latency(s)->count, 1);
	assert_int_equal(lab_sink_latency(s)->max, 500);
	st.seq++;
	lab_sink_stamp(s, &st, 60, st.t_ns - 1);
	assert_int_equal(totals(s).negative_latency, 1);
	assert_int_equal(lab_sink_latency(s)->count, 1);
	lab_sink_destroy(s);
}

/* ------------------------------------------------ sink against a plain model */

#define MODEL_N 4000

/** Remembers everything of one flow. */
struct model {
	bool seen[MODEL_N + 8];
	uint64_t next, unique, dup, late, beyond, disp;
};

static void
model_give(struct model *m, uint64_t seq, uint64_t window)
{
	if (seq >= m->next) {
		m->next = seq + 1;
		m->unique++;
	} else if (m->next - 1 - seq >= window) {
		m->beyond++;
		return;
	} else if (m->seen[seq]) {
		m->dup++;
	} else {
		m->unique++;
		m->late++;
		if (m->next - 1 - seq > m->disp)
			m->disp = m->next - 1 - seq;
	}
	m->seen[seq] = true;
}

static void
model_check(const struct model *m, const struct lab_sink_stats *st)
{
	assert_int_equal(st->expected, m->next);
	assert_int_equal(st->unique, m->unique);
	assert_int_equal(st->lost, m->next - m->unique);
	assert_int_equal(st->duplicates, m->dup);
	assert_int_equal(st->reordered, m->late);
	assert_int_equal(st->beyond_window, m->beyond);
	assert_int_equal(st->max_displacement, m->disp);
}

static void
test_sink_against_model(void **state)
{
	static struct model m[4];
	uint64_t met[4] = {0};

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct lab_sink_config cfg = {.flows = 4, .window = 64u << seed % 3};
		struct lab_rng rng;
		struct lab_sink *s;
		struct lab_sink_stats st;

		memset(m, 0, sizeof(m));
		lab_rng_seed(&rng, seed);
		assert_int_equal(lab_sink_create(&s, &cfg), 0);
		for (int i = 0; i < 8000; i++) {
			uint32_t f = (uint32_t)lab_rng_below(&rng, 4);
			uint64_t seq = m[f].next, r = lab_rng_below(&rng, 100);

			if (r < 20) /* back by up to more than the window */
				seq -= RTE_MIN(seq, lab_rng_below(&rng, cfg.window + 30));
			else if (r < 30)
				seq += lab_rng_below(&rng, 8);
			else if (r == 30)
				seq += lab_rng_below(&rng, 2ull * cfg.window);
			if (seq >= MODEL_N)
				continue;
			model_give(&m[f], seq, cfg.window);
			give(s, f, seq);
			assert_int_equal(lab_sink_flow_get(s, f, &st), 0);
			model_check(&m[f], &st);
		}
		st = totals(s);
		assert_int_equal(st.received, m[0].unique + m[0].dup + m[0].beyond + m[1].unique +
						      m[1].dup + m[1].beyond + m[2].unique +
						      m[2].dup + m[2].beyond + m[3].unique +
						      m[3].dup + m[3].beyond);
		met[0] += st.lost;
		met[1] += st.duplicates;
		met[2] += st.reordered;
		met[3] += st.beyond_window;
		lab_sink_destroy(s);
	}
	for (int i = 0; i < 4; i++)
		assert_true(met[i] > 1000);
}

static void
test_sink_configs(void **state)
{
	static const struct lab_sink_config bad[] = {
		{.flows = LAB_FLOWS_MAX + 1}, {.window = 63}, {.window = 96}, {.window = 131072}};
	struct lab_sink *s;

	for (size_t i = 0; i < LAB_ARRAY_SIZE(bad); i++) {
		assert_int_equal(lab_sink_create(&s, &bad[i]), -EINVAL);
		assert_null(s);
	}
	lab_sink_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_read_variants),
		cmocka_unit_test(test_read_refuses),
		cmocka_unit_test(test_sink_by_hand),
		cmocka_unit_test(test_sink_reset_and_runs),
		cmocka_unit_test(test_sink_wraps),
		cmocka_unit_test(test_sink_latency),
		cmocka_unit_test(test_sink_against_model),
		cmocka_unit_test(test_sink_configs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
