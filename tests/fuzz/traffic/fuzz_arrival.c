/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The text form of an arrival process: what is accepted is in its bounds, is written as a text that
 * reads back the same, and runs.
 */

#include <string.h>

#include "lab_base.h"
#include "lab_traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const struct lab_arrival_config *cfg)
{
	struct lab_arrivals *a;
	struct lab_arrival x;
	uint64_t last = 0;

	lab_assert_always(lab_arrivals_create(&a, cfg, NULL, 0) == 0);
	lab_assert_always(lab_arrivals_mean_rate(a) > 0);
	for (int i = 0; i < 200 && lab_arrivals_next(a, &x); i++) {
		lab_assert_always(x.t_ns >= last && x.flow < cfg->flows);
		lab_assert_always(x.len >= LAB_FRAME_MIN && x.len <= LAB_FRAME_MAX);
		last = x.t_ns;
	}
	lab_arrivals_destroy(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_arrival_config cfg, again;
	char text[2048], out[1024], err[8];

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (lab_arrival_parse(text, &cfg, err, sizeof(err)) != 0) {
		lab_assert_always(err[0] != '\0' && memchr(err, '\0', sizeof(err)) != NULL);
		return 0;
	}
	lab_assert_always(lab_arrival_check(&cfg, NULL, 0) == 0);
	lab_assert_always(lab_arrival_format(&cfg, out, sizeof(out)) < (int)sizeof(out));
	lab_assert_always(lab_arrival_parse(out, &again, NULL, 0) == 0);
	lab_assert_always(memcmp(&cfg, &again, sizeof(cfg)) == 0);
	if (cfg.kind != LAB_ARRIVAL_PCAP)
		run(&cfg);
	return 0;
}
