/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Any bytes as the files of /proc, one behind the other, divided by bytes of 0; the first byte is the order
 * of the request.
 */
#include <stdlib.h>

#include "check_diagnosis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_TEXTS 7

/** The texts within, terminated as they stand; those that are not there are NULL. */
static void
divide(char *text, size_t size, char *out[NR_TEXTS])
{
	size_t at = 0;

	for (int i = 0; i < NR_TEXTS && at < size; i++) {
		out[i] = text + at;
		at += strlen(text + at) + 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *texts[NR_TEXTS] = {NULL}, *text = malloc(size + 1);
	static struct lab_diag_report r;
	struct lab_diag_proc proc;

	lab_assert_always(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (size > 1)
		divide(text + 1, size - 1, texts);
	proc = (struct lab_diag_proc){
		texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6]};
	if (lab_diag_read_proc(&proc, &r) == 0) {
		r.order = data[0] % 12;
		check_diagnosis(&r);
	} else {
		lab_assert_always(r.nr_zones == 0);
	}
	free(text);
	return 0;
}
