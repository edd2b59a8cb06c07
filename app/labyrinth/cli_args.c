/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Reading arguments, with messages that say what was wanted. */

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

int
cmd_number(struct app *app, const char *what, const char *text, unsigned long long min,
	unsigned long long max, unsigned long long *out)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *end != '\0' || !isdigit((unsigned char)text[0]) || v < min ||
		v > max)
		return cmd_fail(app, -EINVAL, "%s: '%s' is not a number from %llu to %llu", what,
			text, min, max);
	*out = v;
	return 0;
}

int
cmd_duration(struct app *app, const char *text, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}};
	char *end;
	double v = strtod(text, &end);

	for (unsigned int i = 0; i < RTE_DIM(units) && end != text && isfinite(v); i++) {
		double total = v * units[i].ns;

		if (strcmp(end, units[i].unit))
			continue;
		if (total < 1 || total > 1e18)
			break;
		*ns = (uint64_t)(total + 0.5);
		return 0;
	}
	return cmd_fail(app, -EINVAL, "'%s' is no time such as 5s, 20ms, 7us or 100ns", text);
}

int
cmd_on_off(struct app *app, const char *text, bool *out)
{
	if (strcmp(text, "on") && strcmp(text, "off"))
		return cmd_fail(app, -EINVAL, "'%s' is neither on nor off", text);
	*out = !strcmp(text, "on");
	return 0;
}
