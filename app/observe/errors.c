/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <stdarg.h>
#include <stdio.h>

#include "observe.h"

static void
complain(const char *command, const char *fmt, va_list ap)
{
	fprintf(stderr, "labyrinth-observe%s%s: ", command ? " " : "", command ? command : "");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int
observe_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(command, fmt, ap);
	va_end(ap);
	return OBSERVE_FAILED;
}

int
observe_usage_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(command, fmt, ap);
	va_end(ap);
	fprintf(stderr, "see 'labyrinth-observe%s%s --help'\n", command ? " " : "",
		command ? command : "");
	return OBSERVE_USAGE;
}
