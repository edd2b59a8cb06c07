/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "lab_report.h"

#include <errno.h>
#include <string.h>

int
lab_format_parse(const char *text, enum lab_format *format)
{
	if (text && !strcmp(text, "table"))
		*format = LAB_FORMAT_TABLE;
	else if (text && !strcmp(text, "json"))
		*format = LAB_FORMAT_JSON;
	else
		return -EINVAL;
	return 0;
}
