/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Any bytes as a kernel's log: whatever is found in them can be diagnosed.
 */
#include <stdlib.h>

#include "check_diagnosis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
check_one(const struct lab_diag_report *r, void *arg)
{
	long *n = arg;

	++*n;
	check_diagnosis(r);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* of exactly this size, so that a byte read behind it is noticed */
	char *text = malloc(size ? size : 1);
	long n = 0, found;

	lab_assert_always(text != NULL);
	memcpy(text, data, size);
	found = lab_diag_parse(text, size, check_one, &n);
	lab_assert_always(found == n);
	lab_diag_count_oom(text, size);
	free(text);
	return 0;
}
