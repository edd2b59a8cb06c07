/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any text as /proc/zoneinfo, pagetypeinfo and buddyinfo of a recording: refused, or read into figures within bounds. */
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "lab_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const char *text, const char *zone, int node)
{
	static struct lab_trace_head h;
	unsigned long blocks[LAB_NR_ORDERS], sum;

	memset(&h, 0, sizeof(h));
	if (lab_record_parse_zoneinfo(text, zone, node, &h) != 0)
		return;
	lab_assert_always(h.managed > 0 && h.nr_cpus <= LAB_MAX_CPUS);
	lab_assert_always(h.nr_reserves <= LAB_TRACE_MAX_RESERVES);
	lab_assert_always(zone == NULL || strcmp(h.zone, zone) == 0);
	lab_assert_always(lab_record_parse_boost(text, &h) <= h.managed);
	lab_record_parse_pagetypeinfo(text, &h);
	if (lab_record_parse_buddyinfo(text, &h, blocks) != 0)
		return;
	lab_record_adjust(&h, blocks);
	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		sum = 0;
		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			sum += h.free[mt][order];
		lab_assert_always(sum == blocks[order]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	lab_assert_always(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check(text, NULL, -1);
	check(text, "Normal", 0);
	free(text);
	return 0;
}
