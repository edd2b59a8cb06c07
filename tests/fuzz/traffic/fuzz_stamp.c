/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Frames of any bytes, and a sink that is told anything: its sums always close.
 */

#include <string.h>

#include "lab_base.h"
#include "lab_traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct lab_sink *s)
{
	struct lab_sink_stats t, sum = {0};

	for (uint32_t f = 0; f < 4; f++) {
		if (lab_sink_flow_get(s, f, &t) != 0)
			continue;
		lab_assert_always(t.expected == t.unique + t.lost && t.lost <= t.expected);
		lab_assert_always(t.received == t.unique + t.duplicates + t.beyond_window);
		lab_sink_stats_add(&sum, &t);
	}
	lab_sink_stats_get(s, &t);
	lab_assert_always(t.expected == sum.expected && t.lost == sum.lost);
	lab_assert_always(t.received == sum.received && t.unique == sum.unique);
	lab_assert_always(t.max_displacement == sum.max_displacement);
}

/** 8 bytes a stamp: kind and flow, run, six bytes of the number, of which few are used mostly. */
static void
feed(struct lab_sink *s, const uint8_t *d)
{
	struct lab_stamp st = {.run = d[1] & 3, .kind = d[0] & 1 ? LAB_STAMP_DATA : LAB_STAMP_END};

	if (d[0] == 0xff) {
		lab_sink_reset(s);
		return;
	}
	st.flow = d[0] >> 1 & 7;
	memcpy(&st.seq, d + 2, d[1] & 4 ? 6 : 2);
	lab_sink_stamp(s, &st, 60, d[7]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_sink_config cfg = {.flows = 4, .window = 64};
	struct lab_sink *s;
	struct lab_stamp st;

	lab_assert_always(lab_sink_create(&s, &cfg) == 0);
	if (lab_stamp_read_bytes(data, (uint32_t)size, &st) == 0) {
		lab_assert_always(st.flow < LAB_FLOWS_MAX && st.seq <= LAB_STAMP_MASK48);
		lab_sink_stamp(s, &st, (uint32_t)size, 0);
	}
	for (; size >= 8; data += 8, size -= 8)
		feed(s, data);
	check(s);
	lab_sink_destroy(s);
	return 0;
}
