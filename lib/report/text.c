/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool
depth_ok(const json_t *v, unsigned int left)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(v) && !json_is_array(v))
		return true;
	if (left == 0)
		return false;
	json_object_foreach ((json_t *)v, key, item) {
		if (!depth_ok(item, left - 1))
			return false;
	}
	json_array_foreach (v, i, item) {
		if (!depth_ok(item, left - 1))
			return false;
	}
	return true;
}

bool
report_depth_ok(const json_t *v)
{
	return depth_ok(v, REPORT_MAX_DEPTH);
}

const char *
report_integer(long long v, char *buf)
{
	char plain[24];
	size_t len, sign, at = 0;

	snprintf(plain, sizeof(plain), "%lld", v);
	len = strlen(plain);
	sign = plain[0] == '-';
	for (size_t i = 0; i < len; i++) {
		if (i > sign && len - sign >= 5 && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = plain[i];
	}
	buf[at] = '\0';
	return buf;
}

const char *
report_number(const json_t *v, char *buf)
{
	if (json_is_integer(v))
		return report_integer(json_integer_value(v), buf);
	snprintf(buf, REPORT_NUM_LEN, "%.6g", json_number_value(v));
	return buf;
}

int
report_stream_error(FILE *out)
{
	errno = 0;
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return errno > 0 ? -errno : -EIO;
}

char *
report_text(const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, format);
	len = vasprintf(&text, format, ap);
	va_end(ap);
	return len < 0 ? NULL : text;
}

int
report_set(json_t *object, const char *key, json_t *v)
{
	return json_object_set_new(object, key, v) ? -ENOMEM : 0;
}
