/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

static struct sample_arm fresh, aged;
static json_t *zone;
static char dir[] = "/tmp/labyrinth-report-XXXXXX";

static struct lab_report *
make_report(const char *title)
{
	struct lab_report_info info = {.scenario = "default",
		.command = "labyrinth -- --cmdline-file=x",
		.seed = 7,
		.time = 1795000000};
	struct lab_report_arm a = sample_report_arm(&fresh, "fresh", NULL, zone);
	struct lab_intervention_opts o = lab_intervention_opts_default();
	struct lab_intervention_result effect;
	struct lab_report *r;

	o.mean_block = 20;
	assert_int_equal(lab_report_create(&r, &info), 0);
	assert_int_equal(lab_report_add_arm(r, &a), 0);
	a = sample_report_arm(&aged, "aged", title, zone);
	a.note = title;
	assert_int_equal(lab_report_add_arm(r, &a), 0);
	assert_int_equal(lab_report_add_arm(r, &a), -EEXIST);
	assert_int_equal(lab_intervention(fresh.drops, aged.drops, SAMPLE_BINS, &o, &effect), 0);
	assert_int_equal(lab_report_add_intervention(r, "fresh", "aged", title, &effect), 0);
	assert_int_equal(lab_intervention(aged.memory, fresh.memory, SAMPLE_BINS, &o, &effect), 0);
	assert_int_equal(lab_report_add_reduction(r, "aged", "fresh", title, 0.99, &effect), 0);
	assert_int_equal(lab_intervention(fresh.memory, aged.memory, SAMPLE_BINS, &o, &effect), 0);
	assert_int_equal(lab_report_add_reduction(r, "fresh", "aged", title, 0.99, &effect), 0);
	return r;
}

static const char *
in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int
run_script(const char *script, const char *file)
{
	char command[512];

	snprintf(command, sizeof(command), "python3 '%s/%s' '%s/%s' 2>&1", TEST_SOURCE_DIR, script,
		dir, file);
	return WEXITSTATUS(system(command));
}

static unsigned int
files_in(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
test_report_holds_what_the_arms_are(void **state)
{
	struct lab_report *r = make_report("aged pool");
	json_t *json = lab_report_json(r), *arms = json_object_get(json, "arms"), *arm;
	uint64_t lost = aged.ledger.port[0].drops[lab_drop_cause("rx_watermark")];
	char why[200], *headline = lab_report_headline(r), want[200];

	assert_int_equal(lab_report_validate(json, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(json_array_size(arms), 2);
	arm = json_array_get(arms, 1);
	assert_true(lost > 1000);
	assert_int_equal(json_integer_value(json_object_get(arm, "lost_to_memory")), lost);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(arms, 0), "lost_to_memory")), 0);
	/* The last arm stands at the top, too. */
	assert_true(json_equal(json_object_get(json, "ledger"), json_object_get(arm, "ledger")));
	assert_true(json_equal(
		json_object_get(json, "correlation"), json_object_get(arm, "correlation")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(arm, "correlation"), "verdict")),
		"link");
	assert_true(json_is_null(json_object_get(
		json_object_get(json_array_get(arms, 0), "correlation"), "coefficient")));
	assert_string_equal(
		json_string_value(json_object_get(json, "time")), "2026-11-18T11:06:40Z");
	snprintf(want, sizeof(want),
		"Fresh: 0 of 61,889 packets were lost because an atomic page allocation was "
		"refused; "
		"aged pool: %llu of 61,889 packets (",
		(unsigned long long)lost);
	assert_memory_equal(headline, want, strlen(want));
	free(headline);
	json_decref(json);
	lab_report_destroy(r);
}

static void
test_files_pass_the_independent_check(void **state)
{
	struct lab_report *r = make_report("aged pool");
	struct stat st;

	umask(022);
	assert_int_equal(lab_report_write_json(r, in_dir("report.json")), 0);
	assert_int_equal(run_script("check_report.py", "report.json"), 0);
	assert_int_equal(stat(in_dir("report.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(lab_report_write_html(r, in_dir("report.html")), 0);
	assert_int_equal(run_script("check_html.py", "report.html"), 0);
	/* Over an old one, and nothing else is left in the folder. */
	assert_int_equal(lab_report_write_json(r, in_dir("report.json")), 0);
	assert_int_equal(files_in(dir), 2);
	lab_report_destroy(r);
}

/* The checkers themselves: a report with one figure changed must not pass either of them. */
static void
test_faults_are_found(void **state)
{
	static const struct {
		const char *path[4];
		const char *value, *why;
	} fault[] = {
		{{"format"}, "\"other\"", "format"},
		{{"command"}, "7", "command"},
		{{"seed"}, "null", "seed"},
		{{"arms"}, "[]", "arms"},
		{{"ledger", "offered"}, "1", "ledger"},
		{{"ledger", "drops"}, "{\"x\": -1}", "ledger.drops"},
		{{"ledger", "ports"}, "{}", "ledger.offered"},
		{{"ledger", "closes"}, "1", "ledger.closes"},
		{{"failures"}, "{\"a\": \"b\"}", "failures"},
		{{"zone"}, "[]", "zone"},
		{{"frag"}, "[{\"order\": 1}]", "frag"},
		{{"frag"}, "[{\"order\": 1, \"free_blocks\": 1, \"unusable\": 2, \"extfrag\": 0}]",
			"frag.unusable"},
		{{"correlation", "verdict"}, "\"proven\"", "correlation.verdict"},
		{{"correlation", "coefficient"}, "1.5", "correlation.coefficient"},
		{{"correlation", "p_value"}, "-0.1", "correlation.p_value"},
		{{"correlation", "ci"}, "[0.9, 0.1]", "correlation.ci"},
		{{"correlation", "lags"}, "[{}]", "correlation.lags"},
		{{"correlation", "tests", "band_max"}, "1e300", "correlation.tests.band_max"},
		{{"correlation", "events", "tau_ms"}, "\"x\"", "correlation.events.tau_ms"},
		{{"correlation", "events", "drops_preceded"}, "null",
			"correlation.events.drops_preceded"},
		{{"interventions"}, "[{\"control\": \"fresh\"}]", "interventions.treated"},
		{{"reductions"}, "[{\"control\": \"fresh\"}]", "reductions.treated"},
	};
	struct lab_report *r = make_report("aged pool");
	json_t *good = lab_report_json(r);
	char why[200];

	for (size_t i = 0; i < LAB_ARRAY_SIZE(fault); i++) {
		json_t *json = json_deep_copy(good), *at = json;
		int k = 0;

		for (; fault[i].path[k + 1]; k++)
			at = json_object_get(at, fault[i].path[k]);
		json_object_set_new(
			at, fault[i].path[k], json_loads(fault[i].value, JSON_DECODE_ANY, NULL));
		assert_int_equal(lab_report_validate(json, why, sizeof(why)), -EINVAL);
		if (strncmp(why, fault[i].why, strlen(fault[i].why)))
			fail_msg("\"%s\" should begin with %s", why, fault[i].why);
		assert_int_equal(lab_report_html(json, stdout), -EINVAL);
		assert_int_equal(json_dump_file(json, in_dir("bad.json"), 0), 0);
		if (i % 4 == 0) /* Python starts slowly */
			assert_int_equal(run_script("check_report.py", "bad.json"), 1);
		json_decref(json);
	}
	for (const char *key; (key = json_object_iter_key(json_object_iter(good)));) {
		json_object_del(good, key);
		assert_int_equal(lab_report_validate(good, NULL, 0), -EINVAL);
	}
	unlink(in_dir("bad.json"));
	json_decref(good);
	assert_int_equal(lab_report_validate(NULL, why, sizeof(why)), -EINVAL);
	lab_report_destroy(r);
}

static void
test_html_is_escaped(void **state)
{
	const char *evil = "<script>alert('x')</script> & \"q\" \x01 ]]> --> \xc3\xa9";
	struct lab_report *r = make_report(evil);
	json_t *json = lab_report_json(r);
	char *page = NULL;
	size_t len;
	FILE *out = open_memstream(&page, &len);

	assert_int_equal(lab_report_html(json, out), 0);
	fclose(out);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "& "));
	assert_null(strchr(page, '\x01'));
	assert_non_null(strstr(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; "
				     "&quot;q&quot; ? ]]&gt; --&gt; \xc3\xa9"));
	free(page);
	/* Evil keys as well as evil text, and a command that is no UTF-8. */
	json_object_set_new(
		json_object_get(json_array_get(json_object_get(json, "arms"), 0), "zone"),
		"\"><b onload=x>", json_string("</td>"));
	out = fopen(in_dir("evil.html"), "w");
	assert_int_equal(lab_report_html(json, out), 0);
	fclose(out);
	assert_int_equal(run_script("check_html.py", "evil.html"), 0);
	unlink(in_dir("evil.html"));
	json_decref(json);
	lab_report_destroy(r);
}

static void
test_text_that_is_no_utf8(void **state)
{
	struct lab_report_info info = {.command = "run \xff\xfe 'x'", .seed = UINT64_MAX};
	struct lab_report *r;
	json_t *json;

	assert_int_equal(lab_report_create(&r, &info), 0);
	json = lab_report_json(r);
	assert_string_equal(json_string_value(json_object_get(json, "command")), "run ?? 'x'");
	assert_string_equal(json_string_value(json_object_get(json, "seed")), "0xffffffffffffffff");
	assert_int_equal(lab_report_write_json(r, in_dir("none.json")), -EINVAL); /* no arm */
	assert_int_not_equal(access(in_dir("none.json"), F_OK), 0);
	json_decref(json);
	lab_report_destroy(r);
	lab_report_destroy(NULL);
}

static void
test_bad_arms(void **state)
{
	struct lab_report *r = make_report("aged pool");
	struct lab_report_arm good = sample_report_arm(&aged, "third", NULL, NULL), a;
	struct lab_intervention_result effect = {0};
	struct lab_report_info info = {0};
	json_t *text = json_string("x"), *taken = json_pack("{s:i}", "ledger", 1);

#define REFUSED(field, v)                                                                          \
	a = good;                                                                                  \
	a.field = v;                                                                               \
	assert_int_equal(lab_report_add_arm(r, &a), -EINVAL)
	REFUSED(name, NULL);
	REFUSED(name, "");
	REFUSED(ledger, NULL);
	REFUSED(failures, NULL);
	REFUSED(frag, NULL);
	REFUSED(zone, text);
	REFUSED(extra, text);
	REFUSED(extra, taken);
	assert_int_equal(lab_report_add_arm(r, NULL), -EINVAL);
	assert_int_equal(lab_report_create(&(struct lab_report *){NULL}, &info), -EINVAL);
	assert_int_equal(lab_report_add_intervention(r, "fresh", "nobody", "x", &effect), -ENOENT);
	assert_int_equal(lab_report_add_intervention(r, "fresh", NULL, "x", &effect), -EINVAL);
	a = good;
	a.seed = 8; /* other traffic */
	assert_int_equal(lab_report_add_arm(r, &a), 0);
	assert_int_equal(lab_report_add_intervention(r, "fresh", "third", "x", &effect), -EINVAL);
	json_decref(text);
	json_decref(taken);
	lab_report_destroy(r);
}

static struct lab_intervention_result
effect_of(double control, double treated)
{
	return (struct lab_intervention_result){.control = control,
		.treated = treated,
		.relative = control > 0 ? (treated - control) / control : 0,
		.relative_lo = -0.7,
		.relative_hi = 0.3,
		.alpha = 0.05};
}

/* An arm that lost n packets to each of the causes. */
static void
add_lossy(struct lab_report *r, const char *name, const char *const *cause, unsigned int nr,
	uint64_t n, json_t *figures)
{
	static const struct lab_report_count failures[] = {
		{"order", 9}, {"watermark", 1}, {"exhausted", 2}, {"reserve", 1}, {"injected", 1}};
	struct lab_report_frag frag[3] = {{0, 5, 0, 0}, {1, 5, 100, 0}, {2, 5, 250, 0}};
	struct lab_report_arm a = {.name = name,
		.seed = 7,
		.failures = failures,
		.nr_failures = 5,
		.zone = figures,
		.frag = frag,
		.nr_frag = 3};
	struct lab_ledger ledger;

	lab_ledger_init(&ledger);
	lab_ledger_port_add(&ledger, "p");
	lab_ledger_offer(&ledger.port[0], nr * n);
	for (unsigned int i = 0; i < nr; i++)
		lab_ledger_drop(&ledger.port[0], (unsigned int)lab_drop_cause(cause[i]), n);
	a.ledger = &ledger;
	assert_int_equal(lab_report_add_arm(r, &a), 0);
}

static const json_t *
last_reduction(const json_t *json)
{
	const json_t *list = json_object_get(json, "reductions");

	return json_array_get(list, json_array_size(list) - 1);
}

/* Reached, missed with the reasons of each cause, risen, and nothing to fall from. */
static void
test_reductions(void **state)
{
	static const char *const causes[] = {
		"rx_order", "watermark", "exhausted", "reserve", "injected"};
	static const char *const says[] = {"for want of a free block of order 2", "min 256 pages",
		"no memory left at all", "lowmem_reserve", "injected refusals"};
	json_t *figures = json_pack("{si si si si s{si si si}}", "managed", 16384, "free", 4321,
		"min", 256, "object_order", 2, "tenants", "unmovable", 942, "movable", 8000,
		"reclaimable", 479);
	const struct {
		const char *control, *treated;
		double c, t, goal;
		int reached;
		const char *part;
	} rows[] = {{"lossy", "none", 500, 0, 0.99, 1,
			    "100.00% fewer [-30.00, 70.00]; at least 99% fewer "
			    "were aimed at: reached."},
		{"more", "lossy", 1000, 500, 0.5, 1, "50.00% fewer"},
		{"more", "lossy", 1000, 500, 0.51, 0,
			"4321 pages were free, 25% of them in smaller blocks"},
		{"more", "lossy", 1000, 500, 0.51, 0, "942 unmovable and 8479 other pages"},
		{"more", "lossy", 1000, 500, 0.51, 0, "would be 1080 blocks"},
		{"lossy", "more", 500, 1000, 0.99, 0, "100.00% more [-70.00, 30.00]"},
		{"none", "lossy", 0, 500, 0.99, 0, "Nothing was lost to memory in none"}};
	struct lab_report *r = make_report("aged pool");
	struct lab_intervention_result e = effect_of(1, 1);
	json_t *json;

	add_lossy(r, "lossy", causes, 5, 100, figures);
	add_lossy(r, "more", causes, 5, 200, figures);
	add_lossy(r, "none", causes, 0, 0, NULL);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(rows); i++) {
		const json_t *o;
		const char *text;

		e = effect_of(rows[i].c, rows[i].t);
		assert_int_equal(lab_report_add_reduction(r, rows[i].control, rows[i].treated, "x",
					 rows[i].goal, &e),
			0);
		json = lab_report_json(r);
		o = last_reduction(json);
		text = json_string_value(json_object_get(o, "text"));
		if (strstr(text, rows[i].part) == NULL)
			fail_msg("row %zu: '%s' does not say '%s'", i, text, rows[i].part);
		assert_int_equal(json_is_true(json_object_get(o, "reached")), rows[i].reached);
		assert_int_equal(
			json_is_null(json_object_get(o, "why_not")), rows[i].reached || !rows[i].c);
		assert_int_equal(json_is_true(json_object_get(o, "equal_memory")),
			strcmp(rows[i].control, "none") && strcmp(rows[i].treated, "none"));
		for (size_t k = 0; rows[i].c > 0 && !rows[i].reached && k < 5; k++)
			assert_non_null(strstr(text, says[k]));
		assert_int_equal(lab_report_validate(json, NULL, 0), 0);
		json_decref(json);
	}
	assert_int_equal(lab_report_add_reduction(r, "lossy", "nobody", "x", 0.99, &e), -ENOENT);
	assert_int_equal(lab_report_add_reduction(r, NULL, "more", "x", 0.99, &e), -EINVAL);
	assert_int_equal(lab_report_add_reduction(r, "lossy", "more", NULL, 0.99, &e), -EINVAL);
	assert_int_equal(lab_report_add_reduction(r, "lossy", "more", "x", 0.99, NULL), -EINVAL);
	assert_int_equal(lab_report_add_reduction(r, "lossy", "more", "x", 0, &e), -EINVAL);
	assert_int_equal(lab_report_add_reduction(r, "lossy", "more", "x", 1.01, &e), -EINVAL);
	lab_report_destroy(r);
	json_decref(figures);
}

/* Least and barest: no figures but a ledger, and one that does not close. */
static void
test_bare_arm(void **state)
{
	struct lab_report_info info = {.command = "x"};
	struct lab_report_arm a = {.name = "only"};
	static struct lab_ledger ledger;
	struct lab_report *r;
	json_t *json;

	lab_ledger_init(&ledger);
	lab_ledger_port_add(&ledger, "p");
	lab_ledger_offer(&ledger.port[0], 5);
	a.ledger = &ledger;
	a.extra = json_pack("{s:{s:f}}", "age", "occupancy", 0.5);
	assert_int_equal(lab_report_create(&r, &info), 0);
	assert_int_equal(lab_report_add_arm(r, &a), 0);
	json = lab_report_json(r);
	assert_int_equal(lab_report_validate(json, NULL, 0), 0);
	assert_true(json_is_false(json_object_get(json_object_get(json, "ledger"), "closes")));
	assert_int_equal(lab_report_write_json(r, in_dir("bare.json")), 0);
	assert_int_equal(run_script("check_report.py", "bare.json"), 0);
	assert_int_equal(lab_report_write_html(r, in_dir("bare.html")), 0);
	assert_int_equal(run_script("check_html.py", "bare.html"), 0);
	unlink(in_dir("bare.json"));
	unlink(in_dir("bare.html"));
	json_decref(json);
	json_decref((json_t *)a.extra);
	lab_report_destroy(r);
}

static void
test_memory_causes(void **state)
{
	static const char *const only[] = {"ring_full", NULL};
	struct lab_report *r = make_report("aged pool");
	struct lab_report_arm a = sample_report_arm(&aged, "third", NULL, NULL);
	unsigned int slow = (unsigned int)lab_drop_cause("ring_full");
	json_t *json;

	a.memory_causes = only;
	assert_int_equal(lab_report_add_arm(r, &a), 0);
	json = lab_report_json(r);
	assert_int_equal(json_integer_value(json_object_get(json, "lost_to_memory")),
		aged.ledger.port[0].drops[slow]);
	json_decref(json);
	lab_report_destroy(r);
}

static void
test_long_series_are_grouped(void **state)
{
	enum { BINS = 12001 };
	static struct sample_arm a;
	json_t *json, *values, *v;
	double sum = 0;
	size_t i;

	assert_int_equal(sample_arm_run(&a, 1, BINS, 3), 0);
	json = lab_json_series(a.series);
	assert_int_equal(json_integer_value(json_object_get(json, "samples")), BINS);
	assert_int_equal(json_integer_value(json_object_get(json, "bins_per_point")), 3);
	assert_int_equal(json_integer_value(json_object_get(json, "points")), 4001);
	values = json_object_get(json_array_get(json_object_get(json, "list"), 0), "values");
	assert_int_equal(json_array_size(values), 4001);
	json_array_foreach (values, i, v)
		sum += json_number_value(v);
	assert_true(sum == (double)a.now[0]); /* nothing is lost in grouping */
	json_decref(json);
	sample_arm_free(&a);
}

static void
test_bad_paths(void **state)
{
	struct lab_report *r = make_report("aged pool");

	assert_int_equal(lab_report_write_json(r, NULL), -EINVAL);
	assert_int_equal(lab_report_write_json(r, ""), -EINVAL);
	assert_int_equal(lab_report_write_json(r, dir), -EISDIR);
	assert_int_equal(lab_report_write_json(r, in_dir("no/such/folder")), -ENOENT);
	assert_int_equal(lab_report_write_html(r, in_dir("report.json/x")), -ENOTDIR);
	lab_report_destroy(r);
}

static void
test_full_device(void **state)
{
	struct lab_report *r = make_report("aged pool");

	if (access("/dev/full", W_OK)) {
		lab_report_destroy(r);
		skip();
	}
	assert_int_equal(lab_report_write_json(r, "/dev/full"), -ENOSPC);
	assert_int_equal(lab_report_write_html(r, "/dev/full"), -ENOSPC);
	assert_int_equal(lab_report_write_html(r, "/dev/null"), 0);
	lab_report_destroy(r);
}

/* In a file system that is too small: the old file stays whole and nothing lies beside it. */
static int
write_in_small_tmpfs(void)
{
	struct lab_report *r = make_report("aged pool");
	FILE *old;
	char text[8] = "";

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("none", dir, "tmpfs", 0, "size=64k"))
		return 77;
	old = fopen(in_dir("report.json"), "w");
	fputs("old", old);
	fclose(old);
	if (lab_report_write_json(r, in_dir("report.json")) != -ENOSPC)
		return 1;
	old = fopen(in_dir("report.json"), "r");
	if (!fgets(text, sizeof(text), old) || strcmp(text, "old"))
		return 2;
	fclose(old);
	lab_report_destroy(r);
	return files_in(dir) == 1 ? 0 : 3;
}

static void
test_full_disk_leaves_no_half_file(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(write_in_small_tmpfs());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("no mount namespace here: a full file system is not tried\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
setup(void **state)
{
	zone = json_pack("{s:i,s:s}", "managed_pages", 65536, "allocator", "buddy");
	if (!zone || !mkdtemp(dir))
		return -1;
	return sample_arm_run(&fresh, 0, SAMPLE_BINS, 7) ||
	       sample_arm_run(&aged, 1, SAMPLE_BINS, 7);
}

static int
teardown(void **state)
{
	json_decref(zone);
	sample_arm_free(&fresh);
	sample_arm_free(&aged);
	unlink(in_dir("report.json"));
	unlink(in_dir("report.html"));
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_holds_what_the_arms_are),
		cmocka_unit_test(test_files_pass_the_independent_check),
		cmocka_unit_test(test_faults_are_found),
		cmocka_unit_test(test_html_is_escaped),
		cmocka_unit_test(test_text_that_is_no_utf8),
		cmocka_unit_test(test_bad_arms),
		cmocka_unit_test(test_reductions),
		cmocka_unit_test(test_bare_arm),
		cmocka_unit_test(test_memory_causes),
		cmocka_unit_test(test_long_series_are_grouped),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_full_disk_leaves_no_half_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
