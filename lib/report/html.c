/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "html.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char style[] =
	"body{margin:0;background:#f4f5f7;color:#1c2330;"
	"font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
	"main{max-width:1120px;margin:0 auto;padding:36px 28px 60px}"
	"h1{font-size:15px;font-weight:600;letter-spacing:.04em;text-transform:uppercase;"
	"color:#5b6575;margin:0 0 10px}"
	"h2{font-size:21px;margin:0 0 6px}h3{font-size:16px;margin:22px 0 4px}"
	".headline{font-size:27px;line-height:1.3;font-weight:600;margin:0 0 8px}"
	".sub{color:#5b6575;margin:0 0 24px}"
	"section{background:#fff;border:1px solid #dfe3e9;border-radius:10px;padding:22px 26px;"
	"margin:0 0 22px}"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
	"td,th{padding:5px 10px;border-bottom:1px solid #e8ebf0;text-align:right}"
	"th:first-child,td:first-child{text-align:left;font-weight:400}"
	"thead th{border-bottom:2px solid #c9d0da;font-weight:600}"
	"tr.group td{padding-top:16px;font-weight:600;border-bottom:1px solid #c9d0da}"
	"tr.strong td{font-weight:600}td.bad{color:#b42318;font-weight:600}"
	"svg{display:block;width:100%;height:auto;margin:8px 0}"
	"svg text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
	".tick{fill:#5b6575}.label{fill:#1c2330}.grid{stroke:#e4e8ee}.axis{stroke:#5b6575}"
	".load{fill:#8fa6c9}.failures{fill:#d98a1f}.drops{fill:#c0392b}"
	".band{fill:#dfe5ee}.limit{stroke:#5b6575;stroke-dasharray:5 4}"
	".stem{stroke:#3f5f93;stroke-width:2}.dot{fill:#3f5f93}.chosen{fill:#c0392b}"
	".whisker{stroke:#c0392b;stroke-width:2;fill:none}"
	".pair{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:26px;"
	"align-items:start}@media(max-width:800px){.pair{grid-template-columns:1fr}}"
	".key span{margin-right:18px}.key i{display:inline-block;width:12px;height:12px;"
	"margin-right:6px;border-radius:2px}.note{color:#5b6575;font-size:14px;"
	"overflow-wrap:anywhere}"
	"pre{background:#f4f5f7;border:1px solid #dfe3e9;border-radius:6px;padding:12px 14px;"
	"overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}"
	".verdict{font-weight:600}";

/* ------------------------------------------------------------------- arms table */

static void
row_open(FILE *out, const char *class, const char *name)
{
	fprintf(out, "<tr%s%s%s><td>", class ? " class=\"" : "", class ? class : "",
		class ? "\"" : "");
	html_text(out, name);
	fputs("</td>", out);
}

/* A row of one integer per arm; a missing one counts as 0. part: the object in the arm, or NULL. */
static void
count_row(FILE *out, const json_t *arms, const char *class, const char *name, const char *part,
	const char *inner, const char *key)
{
	char buf[REPORT_NUM_LEN];
	json_t *arm;
	size_t i;

	row_open(out, class, name);
	json_array_foreach (arms, i, arm) {
		const json_t *o = part ? json_object_get(arm, part) : arm;
		json_int_t v;

		o = inner ? json_object_get(o, inner) : o;
		v = json_integer_value(json_object_get(o, key));
		fprintf(out, "<td%s>%s</td>",
			!strcmp(key, "unexplained") && v ? " class=\"bad\"" : "",
			report_integer(v, buf));
	}
	fputs("</tr>\n", out);
}

static void
group_row(FILE *out, const json_t *arms, const char *name)
{
	row_open(out, "group", name);
	for (size_t i = 0; i < json_array_size(arms); i++)
		fputs("<td></td>", out);
	fputs("</tr>\n", out);
}

/* A row for each cause that any arm has. */
static void
cause_rows(FILE *out, const json_t *arms, const char *title, const char *part, const char *inner)
{
	json_t *all = json_object(), *arm, *n;
	const char *cause;
	size_t i;

	json_array_foreach (arms, i, arm) {
		json_t *o = json_object_get(arm, part);

		json_object_foreach (inner ? json_object_get(o, inner) : o, cause, n)
			json_object_set(all, cause, n);
	}
	if (json_object_size(all) > 0)
		group_row(out, arms, title);
	json_object_foreach (all, cause, n)
		count_row(out, arms, NULL, cause, part, inner, cause);
	json_decref(all);
}

static void
arms_table(FILE *out, const json_t *arms)
{
	json_t *arm;
	size_t i;

	fputs("<section><h2>Side by side</h2>\n<table><thead><tr><th></th>", out);
	json_array_foreach (arms, i, arm) {
		fputs("<th>", out);
		html_member(out, arm, "title");
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	group_row(out, arms, "Packets");
	count_row(out, arms, NULL, "offered", "ledger", NULL, "offered");
	count_row(out, arms, NULL, "delivered", "ledger", NULL, "delivered");
	count_row(out, arms, NULL, "in flight", "ledger", NULL, "in_flight");
	count_row(out, arms, NULL, "dropped", "ledger", NULL, "dropped");
	count_row(out, arms, "strong", "lost because an allocation was refused", NULL, NULL,
		"lost_to_memory");
	count_row(out, arms, NULL, "unexplained", "ledger", NULL, "unexplained");
	cause_rows(out, arms, "Drops by cause (packets)", "ledger", "drops");
	cause_rows(out, arms, "Refused allocations by cause (requests)", "failures", NULL);
	fputs("</tbody></table>\n"
	      "<p class=\"note\">offered = delivered + dropped + in flight + unexplained. One "
	      "refusal can "
	      "cost many packets or none: a ring that stays bare loses all that "
	      "arrives.</p></section>\n",
		out);
}

/* ------------------------------------------------------------------ correlation */

static void
event_sentence(FILE *out, const json_t *e, const char *what)
{
	fprintf(out, "%.0f%% of %s (shifted copies give %.0f%%, p = %.2g)",
		100 * html_number(e, "value"), what, 100 * html_number(e, "baseline"),
		html_number(e, "p"));
}

static void
figures(FILE *out, const json_t *o)
{
	const json_t *tests = json_object_get(o, "tests"), *ci = json_object_get(o, "ci");
	char buf[REPORT_NUM_LEN];

	fprintf(out,
		"<p>The rank correlation (Spearman) is <b>%.2f</b> where drops follow refusals by "
		"%s ms",
		html_number(o, "coefficient"), html_short(html_number(o, "lag_ms"), buf));
	if (json_array_size(ci) == 2)
		fprintf(out, " (%.0f%% interval %.2f to %.2f)", 100 * html_number(o, "ci_level"),
			json_number_value(json_array_get(ci, 0)),
			json_number_value(json_array_get(ci, 1)));
	fprintf(out,
		"; Pearson gives %.2f. Against %s circularly shifted copies of the same series, "
		"best "
		"lag against best lag, p = <b>%.2g</b>; the truncated time shift test gives p "
		"&#8804; "
		"%.2g.</p>\n",
		html_number(o, "coefficient_pearson"),
		report_integer((long long)html_number(tests, "shifts"), buf),
		html_number(o, "p_value"), html_number(tests, "p_truncated"));
}

static void
event_figures(FILE *out, const json_t *o)
{
	const json_t *events = json_object_get(o, "events");
	char buf[REPORT_NUM_LEN];

	if (!json_is_object(events))
		return;
	fprintf(out, "<p>Within %s ms: ", html_short(html_number(events, "tau_ms"), buf));
	event_sentence(out, json_object_get(events, "drop_after_failure"),
		"the intervals with a refusal were followed by a drop");
	fputs("; ", out);
	event_sentence(
		out, json_object_get(events, "drops_preceded"), "the drops came after a refusal");
	fputs(".</p>\n", out);
}

static void
load_figures(FILE *out, const json_t *o)
{
	const json_t *load = json_object_get(o, "load"),
		     *strat = json_object_get(load, "stratified");

	if (!json_is_object(load))
		return;
	fprintf(out, "<p>With the offered load accounted for, %.2f remains (p = %.2g)",
		html_number(load, "partial"), html_number(load, "p_partial"));
	if (json_is_number(strat))
		fprintf(out, "; within intervals of like load the correlation is %.2f on average",
			json_number_value(strat));
	fputs(".</p>\n", out);
}

static void
correlation(FILE *out, const json_t *arm)
{
	const json_t *o = json_object_get(arm, "correlation");
	const json_t *bursts = json_object_get(o, "burst_detail");
	bool there = json_is_object(json_object_get(o, "tests"));

	if (!json_is_object(o))
		return;
	fputs("<h3>Do refusals and drops go together?</h3>\n", out);
	fputs(there ? "<div class=\"pair\"><div>\n" : "<div>\n", out);
	fputs("<p class=\"verdict\">", out);
	html_member(out, o, "text");
	fputs("</p>\n", out);
	if (there) {
		figures(out, o);
		event_figures(out, o);
		load_figures(out, o);
		fprintf(out,
			"<p>There were %.0f separate bursts of refusals and %.0f of drops; with "
			"fewer "
			"than %d of either there is no verdict.</p>\n",
			html_number(bursts, "failures"), html_number(bursts, "drops"),
			LAB_CORR_MIN_BURSTS);
		fputs("</div><div>\n", out);
		svg_lags(out, o);
		fprintf(out,
			"<p class=\"note\">Grey: where the middle %.0f%% of shifted copies lie at "
			"one lag. "
			"Dashed: what the best lag of %.0f%% of them stays under. Red: the chosen "
			"lag and its "
			"interval.</p></div>",
			100 * html_number(o, "ci_level"), 100 * (1 - html_number(o, "alpha")));
	}
	fputs("</div>\n", out);
}

/* ------------------------------------------------------------------------- page */

/* Figures about a thing: the plain members of an object, as one line. */
static void
facts(FILE *out, const char *title, const json_t *o)
{
	char buf[REPORT_NUM_LEN];
	const char *key;
	size_t n = 0;
	json_t *v;

	json_object_foreach ((json_t *)o, key, v) {
		if (!json_is_number(v) && !json_is_string(v))
			continue;
		if (n++ == 0)
			fprintf(out, "<p class=\"note\">%s: ", title);
		else
			fputs(", ", out);
		html_text(out, key);
		fputc(' ', out);
		html_text(out, json_is_string(v) ? json_string_value(v) : report_number(v, buf));
	}
	fputs(n ? "</p>\n" : "", out);
}

static void
arm_section(FILE *out, const json_t *arm, const struct html_scale *scale)
{
	const json_t *note = json_object_get(arm, "note"), *series = json_object_get(arm, "series");

	fputs("<section><h2>", out);
	html_member(out, arm, "title");
	fputs("</h2>\n", out);
	if (json_is_string(note)) {
		fputs("<p>", out);
		html_text(out, json_string_value(note));
		fputs("</p>\n", out);
	}
	if (series)
		svg_time(out, arm, scale);
	if (html_number(series, "bins_per_point") > 1 || html_number(series, "lost") > 0)
		fprintf(out,
			"<p class=\"note\">A point of the series is %.0f intervals; %.0f older "
			"intervals "
			"were not kept.</p>\n",
			html_number(series, "bins_per_point"), html_number(series, "lost"));
	correlation(out, arm);
	facts(out, "Latency (ns)", json_object_get(arm, "latency_ns"));
	facts(out, "Early warnings (low mark), times in ms since the arm began",
		json_object_get(arm, "warnings"));
	facts(out, "Zone", json_object_get(arm, "zone"));
	fputs("</section>\n", out);
}

static void
frag_section(FILE *out, const json_t *arms)
{
	json_t *arm;
	size_t i, rows = 0;

	json_array_foreach (arms, i, arm)
		rows += json_array_size(json_object_get(arm, "frag"));
	if (rows == 0)
		return;
	fputs("<section><h2>How much of the free memory is of use?</h2>\n<p>The share of free "
	      "pages that "
	      "stand in blocks too small for a request of each order (Linux&#39;s unusable free "
	      "index).</p>\n",
		out);
	svg_frag(out, arms);
	fputs("</section>\n", out);
}

static void
intervention(FILE *out, const json_t *o)
{
	double effect = html_number(o, "effect"), relative = html_number(o, "relative");
	const json_t *ci = json_object_get(o, "ci");
	const char *verdict = json_string_value(json_object_get(o, "verdict"));
	char a[REPORT_NUM_LEN], b[REPORT_NUM_LEN], c[REPORT_NUM_LEN];

	fputs("<p><b>", out);
	html_member(out, o, "change");
	fprintf(out, "</b>: %s %s drops in &#8220;", report_integer(llround(fabs(effect)), a),
		effect < 0 ? "fewer" : "more");
	html_member(out, o, "treated");
	fputs("&#8221; than in &#8220;", out);
	html_member(out, o, "control");
	fputs("&#8221;", out);
	if (relative > 5)
		fprintf(out, " (%.3g times as many)", 1 + relative);
	else if (relative != 0)
		fprintf(out, " (%+.1f%%)", 100 * relative);
	fprintf(out, ", with a %.0f%% interval from %s to %s packets for traffic of this kind. ",
		100 * html_number(o, "ci_level"),
		report_integer(llround(json_number_value(json_array_get(ci, 0))), b),
		report_integer(llround(json_number_value(json_array_get(ci, 1))), c));
	if (!strcmp(verdict, "no_effect"))
		fputs("The interval holds 0: no effect is shown.", out);
	else if (!strcmp(verdict, "too_few"))
		fputs("There are too few separate stretches of traffic for a verdict.", out);
	else if (!strcmp(verdict, "no_data"))
		fputs("Nothing was dropped in either arm.", out);
	fputs("</p>\n", out);
}

static void
interventions(FILE *out, const json_t *list)
{
	json_t *o;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	fputs("<section><h2>What one change did</h2>\n<p>Both arms met the same traffic, packet by "
	      "packet; "
	      "only the one thing differed. This is evidence of a cause; a correlation is "
	      "not.</p>\n",
		out);
	json_array_foreach (list, i, o)
		intervention(out, o);
	fputs("</section>\n", out);
}

static void
reductions(FILE *out, const json_t *list)
{
	json_t *o;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	fputs("<section><h2>Packets lost to memory</h2>\n", out);
	json_array_foreach (list, i, o) {
		fputs("<p><b>", out);
		html_member(out, o, "change");
		fputs("</b>: ", out);
		html_member(out, o, "text");
		fputs(json_is_false(json_object_get(o, "equal_memory"))
				? " The zones are not equally large.</p>\n"
				: "</p>\n",
			out);
	}
	fputs("</section>\n", out);
}

static void
reproduce(FILE *out, const json_t *json)
{
	const json_t *seed = json_object_get(json, "seed");

	fputs("<section><h2>Do it again</h2>\n<pre>", out);
	html_member(out, json, "command");
	fputs("</pre>\n<p>Seed <b>", out);
	if (json_is_integer(seed))
		fprintf(out, "%lld", (long long)json_integer_value(seed));
	else
		html_text(out, json_string_value(seed));
	fputs("</b>. All random choices come from it: in virtual time the same seed gives the same "
	      "figures. "
	      "Every figure of this page is in the report.json of the same run. Labyrinth ",
		out);
	html_member(out, json, "version");
	fputs(", ", out);
	html_member(out, json, "time");
	fputs(".</p></section>\n", out);
}

int
lab_report_html(const json_t *json, FILE *out)
{
	const json_t *arms = json_object_get(json, "arms");
	struct html_scale scale;
	json_t *arm;
	size_t i;

	if (lab_report_validate(json, NULL, 0))
		return -EINVAL;
	scale = html_scale_of(arms);
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<title>Labyrinth report",
		out);
	if (json_object_get(json, "scenario")) {
		fputs(": ", out);
		html_member(out, json, "scenario");
	}
	fprintf(out,
		"</title>\n<style>%s</style></head>\n<body><main>\n<h1>Labyrinth report</h1>\n",
		style);
	fputs("<p class=\"headline\">", out);
	html_member(out, json, "headline");
	fputs("</p>\n<p class=\"sub\">", out);
	html_member(out, json, "scenario");
	fputs(json_object_get(json, "scenario") ? ", " : "", out);
	html_member(out, json, "time");
	fputs("</p>\n", out);
	arms_table(out, arms);
	interventions(out, json_object_get(json, "interventions"));
	reductions(out, json_object_get(json, "reductions"));
	json_array_foreach (arms, i, arm)
		arm_section(out, arm, &scale);
	frag_section(out, arms);
	reproduce(out, json);
	fputs("</main></body></html>\n", out);
	return report_stream_error(out);
}
