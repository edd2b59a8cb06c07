/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any text as buddyinfo and, behind a byte 0, as zoneinfo: refused, or read into zones whose indices are in range.
 * And any text as the name of a driver's counter. */
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "lab_kmon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_zones(const struct lab_kzones *z)
{
	uint64_t blocks[LAB_KZONE_ORDERS];
	int unusable, extfrag;

	lab_assert_always(z->nr > 0 && z->nr <= LAB_KZONES_MAX);
	for (unsigned int i = 0; i < z->nr; i++)
		lab_assert_always(memchr(z->zone[i].name, 0, sizeof(z->zone[i].name)) != NULL);
	lab_kzones_sum(z, blocks);
	for (unsigned int o = 0; o < LAB_KZONE_ORDERS; o++) {
		lab_kzones_indices(blocks, o, &unusable, &extfrag);
		lab_assert_always(unusable >= 0 && unusable <= 1000);
		lab_assert_always(extfrag >= -1000 && extfrag <= 1000);
	}
}

static void
check_name(const char *name)
{
	const char *all[2] = {name, "rx_buff_alloc_err"};

	lab_assert_always(!lab_nic_counter_is_part("rx_buff_alloc_err", all, 2));
	lab_nic_counter_is_part(name, all, 2);
	lab_nic_counter_kind(name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct lab_kzones z;

	lab_assert_always(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_name(text);
	if (lab_kzones_parse_buddyinfo(&z, text) == 0) {
		check_zones(&z);
		if (strlen(text) < size)
			lab_kzones_parse_zoneinfo(&z, text + strlen(text) + 1);
		check_zones(&z);
	}
	free(text);
	return 0;
}
