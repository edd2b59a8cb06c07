/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "html.h"

#include <math.h>

/* ------------------------------------------------------------- cross-correlation */

#define LAG_W      520
#define LAG_H      250
#define LAG_LEFT   52
#define LAG_RIGHT  12
#define LAG_TOP    12
#define LAG_BOTTOM 46

struct lag_axes {
	double x0, x1; /* ms */
	double y0, y1;
};

static double
lag_x(const struct lag_axes *a, double ms)
{
	return LAG_LEFT + (ms - a->x0) / (a->x1 - a->x0) * (LAG_W - LAG_LEFT - LAG_RIGHT);
}

static double
lag_y(const struct lag_axes *a, double c)
{
	return LAG_TOP + (a->y1 - c) / (a->y1 - a->y0) * (LAG_H - LAG_TOP - LAG_BOTTOM);
}

static void
see(struct lag_axes *a, double c)
{
	a->y0 = fmin(a->y0, c);
	a->y1 = fmax(a->y1, c);
}

static struct lag_axes
lag_axes_of(const json_t *lags, const json_t *tests, const json_t *ci, double interval)
{
	size_t i, n = json_array_size(lags);
	struct lag_axes a = {.y0 = 0, .y1 = 0.1};
	json_t *v;

	a.x0 = html_number(json_array_get(lags, 0), "lag_ms") - interval / 2;
	a.x1 = html_number(json_array_get(lags, n - 1), "lag_ms") + interval / 2;
	if (!(a.x1 > a.x0))
		a.x1 = a.x0 + 1;
	json_array_foreach (lags, i, v)
		see(&a, html_number(v, "spearman"));
	see(&a, html_number(tests, "band_lo"));
	see(&a, html_number(tests, "band_max"));
	json_array_foreach (ci, i, v)
		see(&a, json_number_value(v));
	a.y0 = floor(a.y0 * 5 - 1e-9) / 5;
	a.y1 = ceil(a.y1 * 5 + 1e-9) / 5;
	return a;
}

static void
lag_grid(FILE *out, const struct lag_axes *a, const json_t *lags)
{
	size_t i, n = json_array_size(lags), every = (n + 11) / 12;
	char buf[REPORT_NUM_LEN];
	json_t *lag;

	for (double c = a->y0; c < a->y1 + 0.01; c += 0.2) {
		fprintf(out, "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>",
			fabs(c) < 0.01 ? "axis" : "grid", LAG_LEFT, lag_y(a, c), LAG_W - LAG_RIGHT,
			lag_y(a, c));
		fprintf(out,
			"<text class=\"tick\" x=\"%d\" y=\"%.1f\" "
			"text-anchor=\"end\">%.1f</text>\n",
			LAG_LEFT - 6, lag_y(a, c) + 4, fabs(c) < 0.01 ? 0 : c);
	}
	json_array_foreach (lags, i, lag) {
		if (i % every)
			continue;
		fprintf(out,
			"<text class=\"tick\" x=\"%.1f\" y=\"%d\" "
			"text-anchor=\"middle\">%s</text>\n",
			lag_x(a, html_number(lag, "lag_ms")), LAG_H - LAG_BOTTOM + 18,
			html_short(html_number(lag, "lag_ms"), buf));
	}
	fprintf(out,
		"<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">"
		"lag of drops behind refusals (ms)</text>"
		"<text class=\"label\" transform=\"translate(13 %d) rotate(-90)\" "
		"text-anchor=\"middle\">rank correlation</text>\n",
		(LAG_W + LAG_LEFT) / 2, LAG_H - 8, (LAG_H - LAG_BOTTOM + LAG_TOP) / 2);
}

/* What shifted copies of the series give: one lag's middle 95%, and what the best lag stays under. */
static void
lag_band(FILE *out, const struct lag_axes *a, const json_t *tests)
{
	double hi = lag_y(a, html_number(tests, "band_hi"));
	double lo = lag_y(a, html_number(tests, "band_lo"));
	double max = lag_y(a, html_number(tests, "band_max"));

	fprintf(out,
		"<rect class=\"band\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>"
		"<line class=\"limit\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n",
		LAG_LEFT, hi, LAG_W - LAG_LEFT - LAG_RIGHT, fmax(lo - hi, 0), LAG_LEFT, max,
		LAG_W - LAG_RIGHT, max);
}

static void
lag_stems(FILE *out, const struct lag_axes *a, const json_t *lags, double chosen)
{
	json_t *lag;
	size_t i;

	json_array_foreach (lags, i, lag) {
		double ms = html_number(lag, "lag_ms"), c = html_number(lag, "spearman");
		bool here = fabs(ms - chosen) < 1e-9 * (1 + fabs(chosen));

		fprintf(out,
			"<line class=\"stem\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
			"<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>\n",
			lag_x(a, ms), lag_y(a, 0), lag_x(a, ms), lag_y(a, c),
			here ? "chosen" : "dot", lag_x(a, ms), lag_y(a, c), here ? 6 : 4);
	}
}

static void
lag_interval(FILE *out, const struct lag_axes *a, const json_t *ci, double chosen)
{
	double x = lag_x(a, chosen), y0, y1;

	if (json_array_size(ci) != 2)
		return;
	y0 = lag_y(a, json_number_value(json_array_get(ci, 0)));
	y1 = lag_y(a, json_number_value(json_array_get(ci, 1)));
	fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh10M%.1f %.1fh10\"/>\n",
		x, y0, y1, x - 5, y0, x - 5, y1);
}

void
svg_lags(FILE *out, const json_t *o)
{
	const json_t *lags = json_object_get(o, "lags"), *tests = json_object_get(o, "tests");
	const json_t *ci = json_object_get(o, "ci");
	struct lag_axes a;

	if (json_array_size(lags) == 0 || !json_is_object(tests))
		return;
	a = lag_axes_of(lags, tests, ci, html_number(o, "interval_ms"));
	fprintf(out,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>Rank correlation of refusals and "
		"drops "
		"over the lags</title>\n",
		LAG_W, LAG_H);
	lag_band(out, &a, tests);
	lag_grid(out, &a, lags);
	lag_interval(out, &a, ci, html_number(o, "lag_ms"));
	lag_stems(out, &a, lags, html_number(o, "lag_ms"));
	fputs("</svg>\n", out);
}

/* ----------------------------------------------------------- fragmentation bars */

#define FRAG_W      1060
#define FRAG_H      240
#define FRAG_LEFT   70
#define FRAG_RIGHT  14
#define FRAG_TOP    14
#define FRAG_BOTTOM 50

static double
frag_y(double share)
{
	return FRAG_TOP + (1 - share) * (FRAG_H - FRAG_TOP - FRAG_BOTTOM);
}

/* The highest order of any arm, -1 when there is none; arms may cover different ones. */
static long
frag_last_order(const json_t *arms)
{
	long last = -1;
	json_t *arm, *row;
	size_t i, k;

	json_array_foreach (arms, i, arm) {
		json_array_foreach (json_object_get(arm, "frag"), k, row) {
			long order = (long)html_number(row, "order");

			last = order > last && order < 64 ? order : last;
		}
	}
	return last;
}

static void
frag_grid(FILE *out, long orders, double slot)
{
	for (int i = 0; i <= 4; i++) {
		fprintf(out, "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>",
			i ? "grid" : "axis", FRAG_LEFT, frag_y(i / 4.0), FRAG_W - FRAG_RIGHT,
			frag_y(i / 4.0));
		fprintf(out,
			"<text class=\"tick\" x=\"%d\" y=\"%.1f\" "
			"text-anchor=\"end\">%d%%</text>\n",
			FRAG_LEFT - 6, frag_y(i / 4.0) + 4, i * 25);
	}
	for (long order = 0; order < orders; order++)
		fprintf(out,
			"<text class=\"tick\" x=\"%.1f\" y=\"%d\" "
			"text-anchor=\"middle\">%ld</text>\n",
			FRAG_LEFT + ((double)order + 0.5) * slot, FRAG_H - FRAG_BOTTOM + 18, order);
	fprintf(out,
		"<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">order of the "
		"request "
		"(2^order pages of 4 KiB)</text>"
		"<text class=\"label\" transform=\"translate(16 %d) rotate(-90)\" "
		"text-anchor=\"middle\">free but unusable</text>\n",
		(FRAG_W + FRAG_LEFT) / 2, FRAG_H - 10, (FRAG_H - FRAG_BOTTOM + FRAG_TOP) / 2);
}

static void
frag_bars(FILE *out, const json_t *arm, size_t at, size_t arms, double slot)
{
	double width = slot * 0.8 / (double)arms;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(arm, "frag"), i, row) {
		double order = html_number(row, "order"), share = html_number(row, "unusable");
		double x = FRAG_LEFT + (order + 0.1) * slot + (double)at * width;

		if (order >= 64)
			continue;
		fprintf(out,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"fill=\"%s\"><title>",
			x, frag_y(share), fmax(width - 2, 1), fmax(frag_y(0) - frag_y(share), 1),
			html_colour(at));
		html_member(out, arm, "title");
		fprintf(out, ", order %.0f: %.1f%%</title></rect>\n", order, 100 * share);
	}
}

void
svg_frag(FILE *out, const json_t *arms)
{
	long orders = frag_last_order(arms) + 1;
	double slot;
	json_t *arm;
	size_t i;

	if (orders == 0)
		return;
	slot = (FRAG_W - FRAG_LEFT - FRAG_RIGHT) / (double)orders;
	fprintf(out,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>Unusable free index by order"
		"</title>\n",
		FRAG_W, FRAG_H);
	frag_grid(out, orders, slot);
	json_array_foreach (arms, i, arm)
		frag_bars(out, arm, i, json_array_size(arms), slot);
	fputs("</svg>\n<p class=\"key\">", out);
	json_array_foreach (arms, i, arm) {
		fprintf(out, "<span><i style=\"background:%s\"></i>", html_colour(i));
		html_member(out, arm, "title");
		fputs("</span>", out);
	}
	fputs("</p>\n", out);
}
