/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any bytes as a trace: refused with the line, or read; what is read is written and read back alike, and
 * replays, if the zone is not too large for that. */
#include <string.h>

#include "lab_base.h"
#include "lab_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_FRAMES 16384

static FILE *
open_bytes(const void *data, size_t size)
{
	FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");

	lab_assert_always(in != NULL);
	return in;
}

/** Read a trace and write it anew. @return as the reader */
static int
copy(FILE *in, FILE *out, struct lab_trace_head *h, char *err, size_t errlen)
{
	struct lab_trace_reader r = {.in = in, .err = err, .errlen = errlen};
	struct lab_trace_event e;
	int rc = lab_trace_read_head(&r, h);

	if (rc != 0)
		return rc;
	lab_assert_always(lab_trace_write_head(out, h) == 0);
	while ((rc = lab_trace_read_event(&r, &e)) == 1)
		lab_assert_always(lab_trace_write_event(out, &e) == 0);
	if (rc == 0)
		lab_assert_always(lab_trace_write_end(out, &r.counts) == 0);
	return rc;
}

struct text {
	char *bytes;
	size_t len;
};

static int
copy_text(const void *data, size_t size, struct text *t, struct lab_trace_head *h, char *err,
	size_t errlen)
{
	FILE *in = open_bytes(data, size), *out = open_memstream(&t->bytes, &t->len);
	int rc;

	lab_assert_always(out != NULL);
	rc = copy(in, out, h, err, errlen);
	fclose(in);
	fclose(out);
	return rc;
}

static void
check_replay(const struct text *t)
{
	static struct lab_trace_result res;
	FILE *in = open_bytes(t->bytes, t->len);
	char err[160] = "";
	int rc = lab_trace_replay(in, NULL, &res, err, sizeof(err));

	fclose(in);
	/* the marks may be more than such a zone can have */
	lab_assert_always(rc == 0 || (err[0] != '\0' && rc != -1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lab_trace_head h, again;
	struct text first = {0}, second = {0};
	char err[160] = "";

	if (size == 0)
		return 0;
	if (copy_text(data, size, &first, &h, err, sizeof(err)) != 0) {
		lab_assert_always(strncmp(err, "line ", 5) == 0);
		free(first.bytes);
		return 0;
	}
	lab_assert_always(copy_text(first.bytes, first.len, &second, &again, NULL, 0) == 0);
	lab_assert_always(
		first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
	lab_assert_always(memcmp(&h, &again, sizeof(h)) == 0);
	if (h.spanned <= MAX_FRAMES && h.nr_cpus <= 8)
		check_replay(&first);
	free(first.bytes);
	free(second.bytes);
	return 0;
}
