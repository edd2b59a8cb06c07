/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "html.h"

#include <math.h>
#include <string.h>

const char *const html_roles[3] = {"load", "failures", "drops"};

void
html_text(FILE *out, const char *text)
{
	for (const char *c = text; c && *c; c++) {
		switch (*c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			/* No other control character may stand in a page, not even as a number. */
			fputc(((unsigned char)*c < 0x20 && !strchr("\n\t", *c)) || *c == 0x7f ? '?'
											      : *c,
				out);
		}
	}
}

void
html_member(FILE *out, const json_t *o, const char *key)
{
	html_text(out, json_string_value(json_object_get(o, key)));
}

double
html_number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

const char *
html_short(double v, char *buf)
{
	static const char unit[] = " kMGTPE";
	unsigned int i = 0;

	while (fabs(v) >= 1000 && i < sizeof(unit) - 2) {
		v /= 1000;
		i++;
	}
	if (i)
		snprintf(buf, REPORT_NUM_LEN, "%.3g%c", v, unit[i]);
	else
		snprintf(buf, REPORT_NUM_LEN, "%.3g", v);
	return buf;
}

double
html_nice(double v)
{
	static const double step[] = {1, 2, 5, 10};
	double power;

	if (!(v > 0))
		return 1;
	power = pow(10, floor(log10(v)));
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		if (v <= step[i] * power * (1 + 1e-9))
			return step[i] * power;
	}
	return 10 * power;
}

const char *
html_colour(size_t i)
{
	static const char *const colour[] = {
		"#0f8a6d", "#c2410c", "#6d4fc4", "#b0246e", "#2f6fb5", "#7a6a10"};

	return colour[i % (sizeof(colour) / sizeof(colour[0]))];
}

/* ------------------------------------------------------------------- time series */

/* The series that plays a role in an arm's chart. */
static const json_t *
series_of(const json_t *arm, const char *role)
{
	const char *name = json_string_value(json_object_get(json_object_get(arm, "chart"), role));
	json_t *list = json_object_get(json_object_get(arm, "series"), "list"), *s;
	size_t i;

	json_array_foreach (list, i, s) {
		if (name && !strcmp(name, json_string_value(json_object_get(s, "name"))))
			return s;
	}
	return NULL;
}

/* Width of a point, in seconds. */
static double
point_seconds(const json_t *arm)
{
	const json_t *s = json_object_get(arm, "series");

	return html_number(s, "interval_ms") * html_number(s, "bins_per_point") / 1000;
}

struct html_scale
html_scale_of(const json_t *arms)
{
	struct html_scale scale = {0};
	json_t *arm, *v;
	size_t i, k;

	json_array_foreach (arms, i, arm) {
		double points = html_number(json_object_get(arm, "series"), "points");

		scale.seconds = fmax(scale.seconds, points * point_seconds(arm));
		for (unsigned int role = 0; role < 3; role++) {
			const json_t *s = series_of(arm, html_roles[role]);

			json_array_foreach (json_object_get(s, "values"), k, v)
				scale.top[role] = fmax(scale.top[role], json_number_value(v));
		}
	}
	return scale;
}

#define TIME_W     1060
#define TIME_LEFT  70
#define TIME_RIGHT 14
#define PANEL_H    96
#define PANEL_GAP  34
#define TIME_COLS  480

static double
time_x(double seconds, const struct html_scale *scale)
{
	return TIME_LEFT + seconds / scale->seconds * (TIME_W - TIME_LEFT - TIME_RIGHT);
}

/* The highest value of each column's points, as steps: a short burst must not be averaged away. */
static void
panel_steps(FILE *out, const json_t *values, double width, const struct html_scale *scale,
	double top, double base)
{
	size_t n = json_array_size(values), by = (n + TIME_COLS - 1) / TIME_COLS;
	double x = time_x(0, scale);

	fprintf(out, "M%.1f %.1f", x, base);
	for (size_t i = 0; i < n; i += by) {
		double max = 0;

		for (size_t k = i; k < i + by && k < n; k++)
			max = fmax(max, json_number_value(json_array_get(values, k)));
		x = time_x((double)(i + by < n ? i + by : n) * width, scale);
		fprintf(out, "V%.1fH%.1f", base - fmin(max / top, 1) * PANEL_H, x);
	}
	fprintf(out, "V%.1fZ", base);
}

static void
panel_axis(FILE *out, double base, double top)
{
	char buf[REPORT_NUM_LEN];

	for (int i = 0; i <= 2; i++) {
		double y = base - i * PANEL_H / 2.0;

		fprintf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>",
			TIME_LEFT, y, TIME_W - TIME_RIGHT, y);
		fprintf(out,
			"<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			TIME_LEFT - 6, y + 4, html_short(top * i / 2, buf));
	}
}

static void
panel(FILE *out, const json_t *arm, unsigned int role, const struct html_scale *scale, double base)
{
	static const char *const title[] = {"Offered load", "Refused allocations", "Drops"};
	const json_t *s = series_of(arm, html_roles[role]);
	double top = html_nice(scale->top[role]), width = point_seconds(arm);
	char buf[REPORT_NUM_LEN];

	panel_axis(out, base, top);
	fprintf(out, "<text class=\"label\" x=\"%d\" y=\"%.1f\">%s", TIME_LEFT, base - PANEL_H - 8,
		title[role]);
	if (s) {
		fputs(" (", out);
		html_member(out, s, "unit");
		fprintf(out, " per %s ms)", html_short(width * 1000, buf));
	} else {
		fputs(": not recorded", out);
	}
	fputs("</text>\n", out);
	if (!s || json_array_size(json_object_get(s, "values")) == 0)
		return;
	fprintf(out, "<path class=\"%s\" d=\"", html_roles[role]);
	panel_steps(out, json_object_get(s, "values"), width, scale, top, base);
	fputs("\"/>\n", out);
}

static void
time_axis(FILE *out, const struct html_scale *scale, double base)
{
	double step = html_nice(scale->seconds / 10);
	bool ms = scale->seconds < 1;
	char buf[REPORT_NUM_LEN];

	for (int i = 0; i * step <= scale->seconds * (1 + 1e-9); i++) {
		double x = time_x(i * step, scale);

		fprintf(out,
			"<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x,
			base, x, base + 5);
		fprintf(out,
			"<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
			"text-anchor=\"middle\">%s</text>\n",
			x, base + 18, html_short(i * step * (ms ? 1000 : 1), buf));
	}
	fprintf(out,
		"<line class=\"axis\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
		"<text class=\"label\" x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">time "
		"(%s)</text>\n",
		TIME_LEFT, base, TIME_W - TIME_RIGHT, base, (TIME_W + TIME_LEFT) / 2, base + 36,
		ms ? "ms" : "s");
}

void
svg_time(FILE *out, const json_t *arm, const struct html_scale *scale)
{
	int height = 3 * (PANEL_H + PANEL_GAP) + 46;
	double base = 0;

	if (!(scale->seconds > 0))
		return;
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>", TIME_W, height);
	html_member(out, arm, "title");
	fputs(": offered load, refusals and drops over time</title>\n", out);
	for (unsigned int role = 0; role < 3; role++) {
		base = (role + 1) * (PANEL_H + PANEL_GAP) - 8;
		panel(out, arm, role, scale, base);
	}
	time_axis(out, scale, base);
	fputs("</svg>\n", out);
}
