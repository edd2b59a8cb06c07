/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Masks as text, both ways: the first four bytes are a mask to print, the rest a text to read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "lab_page.h"

#define MARKER 0x5a5a5a5aU

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What is printed is read back as the same mask, and a short buffer is cut, not overrun. */
static void
check_round_trip(lab_gfp_t gfp)
{
	int need = lab_gfp_format(gfp, NULL, 0);
	char *text = malloc(need + 1), *cut = malloc(need);
	lab_gfp_t back = MARKER;

	lab_assert_always(need > 0 && text != NULL && cut != NULL);
	lab_assert_always(lab_gfp_format(gfp, text, need + 1) == need);
	lab_assert_always(strlen(text) == (size_t)need);
	lab_assert_always(lab_gfp_parse(text, &back) == 0 && back == gfp);
	lab_assert_always(lab_gfp_format(gfp, cut, need) == need);
	lab_assert_always(strncmp(cut, text, need - 1) == 0 && cut[need - 1] == '\0');
	free(cut);
	free(text);
}

static void
check_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	lab_gfp_t gfp = MARKER;
	int rc;

	lab_assert_always(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	rc = lab_gfp_parse(text, &gfp);
	lab_assert_always(rc == 0 || (rc == -EINVAL && gfp == MARKER));
	if (rc == 0)
		check_round_trip(gfp);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	lab_gfp_t gfp = 0;

	if (size >= sizeof(gfp)) {
		memcpy(&gfp, data, sizeof(gfp));
		check_round_trip(gfp);
		check_text(data + sizeof(gfp), size - sizeof(gfp));
	}
	check_text(data, size);
	return 0;
}
