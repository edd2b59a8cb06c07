/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any texts, a line each, as the names of a driver's counters: only one with a number is the part of a total. */
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "lab_kmon.h"

#define MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
has_digit(const char *s)
{
	return s[strcspn(s, "0123456789")] != '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *save = NULL;
	const char *all[MOST];
	size_t n = 0;

	lab_assert_always(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *s = strtok_r(text, "\n", &save); s && n < MOST; s = strtok_r(NULL, "\n", &save))
		all[n++] = s;
	for (size_t i = 0; i < n; i++) {
		enum lab_nic_counter_kind kind = lab_nic_counter_kind(all[i]);

		lab_assert_always(kind <= LAB_NIC_COUNTER_LOST);
		/* only what has the number of a queue can be the part of something */
		if (lab_nic_counter_is_part(all[i], all, n))
			lab_assert_always(has_digit(all[i]));
	}
	free(text);
	return 0;
}
