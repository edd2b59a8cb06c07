/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "wire_spec.h"

#define KEYS "rxd, txd, pool, thresh, tx_rate, flow_base, scatter, sink, contents, arrival"

int
parse_rate(const char *text, double *rate)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || !isfinite(v) || v < 0)
		return -EINVAL;
	if (*end == 'k' || *end == 'K')
		v *= 1e3;
	else if (*end == 'M')
		v *= 1e6;
	else if (*end == 'G')
		v *= 1e9;
	end += *end != '\0';
	if (*end != '\0' || v > 1e15)
		return -EINVAL;
	*rate = v;
	return 0;
}

static int
u16(struct app *app, const char *key, const char *value, uint16_t *out)
{
	unsigned long long v;
	int rc = cmd_number(app, key, value, 1, 32768, &v);

	if (rc == 0)
		*out = v;
	return rc;
}

static int
text(struct app *app, const char *key, const char *value, char *out, size_t len)
{
	if (value[0] == '\0' || strlen(value) >= len)
		return cmd_fail(app, -EINVAL, "%s: '%s' is empty or too long", key, value);
	strcpy(out, value);
	return 0;
}

static int
key_value(struct app *app, struct wire_spec *s, const char *key, const char *value)
{
	unsigned long long v;
	double rate;
	int rc;

	if (!strcmp(key, "rxd"))
		return u16(app, key, value, &s->rxd);
	if (!strcmp(key, "txd"))
		return u16(app, key, value, &s->txd);
	if (!strcmp(key, "thresh"))
		return u16(app, key, value, &s->thresh);
	if (!strcmp(key, "pool"))
		return text(app, key, value, s->pool, sizeof(s->pool));
	if (!strcmp(key, "scatter"))
		return cmd_on_off(app, value, &s->scatter);
	if (!strcmp(key, "sink"))
		return cmd_on_off(app, value, &s->sink);
	if (!strcmp(key, "contents"))
		return cmd_on_off(app, value, &s->contents);
	if (!strcmp(key, "flow_base")) {
		rc = cmd_number(app, key, value, 0, LAB_FLOWS_MAX - 1, &v);
		s->flow_base = rc ? 0 : v;
		return rc;
	}
	if (!strcmp(key, "tx_rate")) {
		if (parse_rate(value, &rate))
			return cmd_fail(
				app, -EINVAL, "tx_rate: '%s' is no rate such as 10G", value);
		s->tx_rate = rate;
		return 0;
	}
	return cmd_fail(app, -EINVAL, "no key '%s' in a wire; there are " KEYS, key);
}

/* Everything but the arrival process, which has commas of its own. */
static int
parse_head(struct app *app, char *head, struct wire_spec *spec)
{
	char *save = NULL, *item = strtok_r(head, ",", &save);
	int rc;

	if (item == NULL || strchr(item, '='))
		return cmd_fail(app, -EINVAL, "a wire's name comes first: NAME,rxd=512,...");
	rc = text(app, "name", item, spec->name, 21);
	while (rc == 0 && (item = strtok_r(NULL, ",", &save)) != NULL) {
		char *eq = strchr(item, '=');

		if (eq == NULL)
			return cmd_fail(app, -EINVAL, "'%s' is not key=value", item);
		*eq = '\0';
		rc = key_value(app, spec, item, eq + 1);
	}
	return rc;
}

int
wire_spec_parse(struct app *app, const char *spec_text, struct wire_spec *spec)
{
	const char *arrival = strstr(spec_text, ",arrival=");
	char *head =
		strndup(spec_text, arrival ? (size_t)(arrival - spec_text) : strlen(spec_text));
	char err[256];
	int rc;

	if (head == NULL)
		return -ENOMEM;
	memset(spec, 0, sizeof(*spec));
	lab_arrival_config_default(&spec->arrival);
	rc = parse_head(app, head, spec);
	free(head);
	if (rc == 0 && arrival &&
		lab_arrival_parse(arrival + strlen(",arrival="), &spec->arrival, err, sizeof(err)))
		rc = cmd_fail(app, -EINVAL, "wire %s: arrival: %s", spec->name, err);
	return rc;
}
