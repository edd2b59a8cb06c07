/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lab_mempool.h>

#include "app.h"
#include "arms.h"
#include "sampler.h"
#include "wire.h"
#include "zones.h"

void
arms_init(struct app *app)
{
	app->arms.corr = lab_corr_opts_default();
}

void
arms_fini(struct app *app)
{
	struct arms *a = &app->arms;

	lab_report_destroy(a->report);
	for (unsigned int i = 0; i < a->nr; i++)
		free(a->list[i].drops); /* and memory */
	json_decref(a->age);
	memset(a, 0, sizeof(*a));
}

/* The words of the command line, quoted where a shell would need it. */
static char *
command_line(const struct app *app)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	for (int i = 0; i < app->argc; i++) {
		const char *arg = app->argv[i];
		bool plain = arg[0] && !strpbrk(arg, " \t\n'\"\\$&|;<>()*?#");

		fprintf(f, plain ? "%s%s" : "%s'%s'", i ? " " : "", arg);
	}
	fclose(f);
	return text;
}

/* "config/scenarios/default.cmd": default. */
static void
scenario_name(const struct app *app, char *buf, size_t len)
{
	const char *file = app->opt.cmdline_file, *slash;

	if (file == NULL) {
		snprintf(buf, len, "interactive");
		return;
	}
	slash = strrchr(file, '/');
	snprintf(buf, len, "%s", slash ? slash + 1 : file);
	buf[strcspn(buf, ".")] = '\0';
}

static int
report_make(struct app *app)
{
	char scenario[64], *command;
	struct lab_report_info info = {.scenario = scenario, .seed = app->opt.seed};
	int rc;

	if (app->arms.report)
		return 0;
	command = command_line(app);
	if (command == NULL)
		return -ENOMEM;
	scenario_name(app, scenario, sizeof(scenario));
	info.command = command;
	rc = lab_report_create(&app->arms.report, &info);
	free(command);
	return rc;
}

/* Everybody but the packets' rings leaves the zones. */
static void
tenants_leave(struct app *app)
{
	LAB_POOL_FOREACH (app, pool) {
		if (pool->tenants)
			lab_tenants_release(pool->tenants, ULONG_MAX, 0);
	}
}

int
arm_begin(struct app *app, const char *name)
{
	struct arms *a = &app->arms;
	int rc;

	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	if (a->open)
		return cmd_fail(app, -EBUSY, "arm %s has not ended (arm end)", a->name);
	if (strlen(name) >= sizeof(a->name))
		return cmd_fail(app, -EINVAL, "an arm's name has at most %zu characters",
			sizeof(a->name) - 1);
	for (unsigned int i = 0; i < a->nr; i++) {
		if (!strcmp(a->list[i].name, name))
			return cmd_fail(app, -EEXIST, "there was an arm '%s' already", name);
	}
	if (a->nr == ARMS_MAX)
		return cmd_fail(app, -ENOSPC, "%u arms are the most", ARMS_MAX);
	tenants_leave(app);
	rc = wires_restart(app);
	if (rc == 0)
		rc = sampler_restart(app);
	if (rc)
		return rc;
	ledger_clear(app);
	warnings_restart(app);
	strcpy(a->name, name);
	json_decref(a->age);
	a->age = NULL;
	a->open = true;
	return 0;
}

static int
correlate(struct app *app, const char *failures, const char *drops, struct lab_corr_result *out)
{
	struct lab_corr_opts opts = app->arms.corr;
	int rc;

	opts.seed = app->opt.seed;
	rc = lab_corr_series(app->sampler.set, failures, drops, SERIES_OFFERED, &opts, out);
	if (rc == -ENOENT)
		return cmd_fail(app, rc, "no such series; 'show series' lists them");
	return rc;
}

json_t *
arms_correlation_json(struct app *app, const char *failures, const char *drops)
{
	struct lab_corr_result r;
	int rc = correlate(app, failures, drops, &r);

	if (rc) {
		if (app->cli.error[0] == '\0')
			cmd_fail(app, rc, "correlation: %s", strerror(-rc));
		return NULL;
	}
	return lab_json_correlation(&r);
}

/* The pool of the arm: that of the first wire whose pool has a zone, else the first with one; NULL. */
static struct pool *
arm_pool(struct app *app)
{
	PORT_FOREACH (app, id) {
		const struct wire_port *wire = app->ports.p[id].wire;

		LAB_POOL_FOREACH (app, pool) {
			if (wire && wire_pool(wire) == pool->mp)
				return pool;
		}
	}
	LAB_POOL_FOREACH (app, pool)
		return pool;
	return NULL;
}

static unsigned int
frag_rows(struct app *app, struct lab_report_frag *out)
{
	struct pool *pool = arm_pool(app);
	struct lab_frag_row rows[LAB_NR_ORDERS];

	if (pool == NULL)
		return 0;
	lab_frag_table(lab_mempool_zone(pool->mp), rows);
	for (unsigned int i = 0; i < LAB_NR_ORDERS; i++)
		out[i] = (struct lab_report_frag){
			rows[i].order, rows[i].free_blocks, rows[i].unusable, rows[i].extfrag};
	return LAB_NR_ORDERS;
}

static const struct lab_hist *
latency(const struct app *app)
{
	PORT_FOREACH (app, id) {
		const struct port *p = &app->ports.p[id];

		if (p->wire && wire_sink(p->wire))
			return lab_sink_latency(wire_sink(p->wire));
	}
	return NULL;
}

static json_t *
extra(struct app *app)
{
	json_t *out = json_object(), *wires = json_array();

	PORT_FOREACH (app, id) {
		if (app->ports.p[id].wire)
			json_array_append_new(wires, wire_json(app->ports.p[id].wire));
	}
	json_object_set_new(out, "wires", wires);
	json_object_set_new(out, "fwd", fwd_stats_json(app));
	json_object_set_new(out, "warnings", warnings_json(app));
	if (app->arms.age)
		json_object_set(out, "age", app->arms.age);
	return out;
}

static int
add_arm(struct app *app, const char *name)
{
	struct lab_report_count failures[LEDGER_NR_FAILURES];
	struct lab_report_frag frag[LAB_NR_ORDERS];
	struct lab_corr_result corr;
	struct lab_ledger ledger;
	struct pool *pool;
	struct lab_report_arm arm = {
		.name = name,
		.seed = app->opt.seed,
		.ledger = &ledger,
		.failures = failures,
		.nr_failures = LEDGER_NR_FAILURES,
		.frag = frag,
		.nr_frag = frag_rows(app, frag),
		.latency_ns = latency(app),
		.series = app->sampler.set,
		.series_load = SERIES_OFFERED,
		.series_failures = SERIES_REFUSALS,
		.series_drops = SERIES_DROPS,
	};
	json_t *zone, *more = extra(app);
	int rc;

	ledger_get(app, &ledger);
	ledger_failures(app, failures);
	rc = ledger_check_wires(app, &ledger);
	pool = rc ? NULL : arm_pool(app);
	zone = pool ? zone_json(pool) : NULL;
	arm.zone = zone;
	arm.extra = more;
	if (rc == 0 && correlate(app, SERIES_REFUSALS, SERIES_DROPS, &corr) == 0)
		arm.correlation = &corr;
	if (rc == 0)
		rc = lab_report_add_arm(app->arms.report, &arm);
	json_decref(zone);
	json_decref(more);
	return rc;
}

static void
read_series(struct app *app, const char *name, double *out, long n)
{
	n = lab_series_get(app->sampler.set, name, out, n);
	app->arms.list[app->arms.nr].n = n < 0 ? 0 : n;
}

/* The series of drops, for comparisons. */
static int
keep(struct app *app, const char *name)
{
	struct arm *arm = &app->arms.list[app->arms.nr];
	long n = lab_series_length(app->sampler.set);

	arm->drops = calloc(2 * (n + 1), sizeof(*arm->drops));
	if (arm->drops == NULL)
		return -ENOMEM;
	arm->memory = arm->drops + n + 1;
	read_series(app, SERIES_DROPS, arm->drops, n);
	read_series(app, SERIES_MEMORY, arm->memory, n);
	strcpy(arm->name, name);
	app->arms.nr++;
	return 0;
}

int
arm_end(struct app *app)
{
	struct arms *a = &app->arms;
	int rc;

	if (!a->open)
		return cmd_fail(app, -EINVAL, "no arm has begun (arm begin NAME)");
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	rc = report_make(app);
	if (rc == 0)
		rc = add_arm(app, a->name);
	if (rc == 0)
		rc = keep(app, a->name);
	a->open = rc != 0;
	return rc;
}

static const struct arm *
find(struct app *app, const char *name)
{
	for (unsigned int i = 0; i < app->arms.nr; i++) {
		if (!strcmp(app->arms.list[i].name, name))
			return &app->arms.list[i];
	}
	cmd_fail(app, -ENOENT, "no arm '%s' has ended", name);
	return NULL;
}

/* What differs between two arms: all drops, or those of memory. */
static int
intervene(struct app *app, const char *control, const char *treated, bool memory,
	struct lab_intervention_result *r)
{
	struct lab_intervention_opts opts = lab_intervention_opts_default();
	const struct arm *c = find(app, control), *t = c ? find(app, treated) : NULL;

	if (t == NULL)
		return -ENOENT;
	if (c->n != t->n)
		return cmd_fail(app, -EINVAL,
			"arm %s has %zu intervals and %s %zu: only equal runs can be compared",
			control, c->n, treated, t->n);
	opts.seed = app->opt.seed;
	return lab_intervention(
		memory ? c->memory : c->drops, memory ? t->memory : t->drops, c->n, &opts, r);
}

int
arm_compare(struct app *app, const char *control, const char *treated, const char *change)
{
	struct lab_intervention_result r;
	int rc = intervene(app, control, treated, false, &r);

	if (rc == 0)
		rc = lab_report_add_intervention(app->arms.report, control, treated, change, &r);
	return rc;
}

int
arm_reduction(struct app *app, const char *control, const char *treated, const char *percent,
	const char *change)
{
	struct lab_intervention_result r;
	char *end;
	double goal = strtod(percent, &end) / 100;
	int rc;

	if (end == percent || *end != '\0' || !(goal > 0 && goal <= 1))
		return cmd_fail(
			app, -EINVAL, "'%s' is no percentage above 0, 100 at most", percent);
	rc = intervene(app, control, treated, true, &r);
	if (rc == 0)
		rc = lab_report_add_reduction(app->arms.report, control, treated, change, goal, &r);
	return rc;
}

json_t *
arms_json(struct app *app)
{
	json_t *report;

	if (app->arms.nr == 0) {
		cmd_fail(app, -ENOENT, "no arm has ended yet (arm begin NAME, arm end)");
		return NULL;
	}
	report = lab_report_json(app->arms.report);
	if (report == NULL)
		cmd_fail(app, -ENOMEM, "out of memory");
	return report;
}

/* Make the folders of a path. */
static int
make_folders(const char *path)
{
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof(dir))
		return -ENAMETOOLONG;
	strcpy(dir, path);
	for (char *p = dir + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(dir, 0777) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

int
arms_write(struct app *app, bool html, const char *path)
{
	struct arms *a = &app->arms;
	int rc = 0;

	if (a->nr == 0) {
		/* an interactive session: what has happened so far is the one arm */
		lab_report_destroy(a->report);
		a->report = NULL;
		fwd_park(app);
		rc = report_make(app);
		if (rc == 0)
			rc = add_arm(app, "run");
		fwd_unpark(app);
	}
	if (rc == 0)
		rc = make_folders(path);
	if (rc == 0)
		rc = html ? lab_report_write_html(a->report, path)
			  : lab_report_write_json(a->report, path);
	if (rc && app->cli.error[0] == '\0')
		return cmd_fail(app, rc, "%s: %s", path, strerror(-rc));
	if (rc == 0)
		printf("%s written\n", path);
	return rc;
}
