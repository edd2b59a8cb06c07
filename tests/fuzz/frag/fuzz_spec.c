/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any text as an ageing specification: refused with a reason, or read, and then written and read
 * back alike. */
#include <string.h>

#include "lab_base.h"
#include "lab_frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_age_config cfg, again;
	char err[120] = "", out[1024], out2[1024];
	char *text = malloc(size + 1);
	int n;

	lab_assert_always(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (lab_age_parse(text, &cfg, err, sizeof(err)) != 0) {
		lab_assert_always(err[0] != '\0' && strlen(err) < sizeof(err));
		free(text);
		return 0;
	}
	free(text);
	n = lab_age_format(&cfg, out, sizeof(out));
	lab_assert_always(n > 0 && (size_t)n < sizeof(out));
	lab_assert_always(lab_age_parse(out, &again, err, sizeof(err)) == 0);
	lab_assert_always(
		lab_age_format(&again, out2, sizeof(out2)) == n && strcmp(out, out2) == 0);
	return 0;
}
