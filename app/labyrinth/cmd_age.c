/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Ageing: tenants in the zone of a pool. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_frag.h>
#include <lab_mempool.h>
#include <lab_report.h>

#include "app.h"
#include "arms.h"
#include "signals.h"
#include "zones.h"

/* "pool=NAME" anywhere in the words is ours; the rest, joined by commas, is the model's. */
static int
split_words(struct app *app, const char *words, char *spec, size_t len, struct pool **pool)
{
	char text[CLI_REST_LEN], *save = NULL;
	bool seeded = false;
	size_t used = strlen(spec);

	*pool = NULL;
	snprintf(text, sizeof(text), "%s", words ? words : "");
	for (char *item = strtok_r(text, " ,", &save); item; item = strtok_r(NULL, " ,", &save)) {
		if (!strncmp(item, "pool=", 5)) {
			*pool = zone_pool(app, item + 5);
			if (*pool == NULL)
				return -ENOENT;
			continue;
		}
		seeded |= !strncmp(item, "seed=", 5);
		used += snprintf(spec + used, len - used, ",%s", item);
		if (used >= len)
			return cmd_fail(app, -E2BIG, "too many words");
	}
	if (!seeded)
		snprintf(spec + used, len - used, ",seed=%" PRIu64, app->opt.seed);
	if (*pool == NULL)
		*pool = zone_pool(app, NULL);
	return *pool ? 0 : -ENOENT;
}

static int
progress(void *arg, unsigned long done, unsigned long total)
{
	(void)arg;
	(void)done;
	(void)total;
	return signals_pending();
}

static json_t *
result_json(const char *spec, const struct lab_age_result *r)
{
	json_t *out = json_pack("{ss ss s{sf sf sf} si sI sI sI sI sI sI ss}", "spec", spec,
		"reason", lab_age_reason_name(r->reason), "occupancy", "target",
		r->occupancy_target, "achieved", r->occupancy, "error", r->occupancy_error, "order",
		(int)r->order, "rounds", (json_int_t)r->rounds, "steered", (json_int_t)r->steered,
		"held_pages", (json_int_t)r->held_pages, "free", (json_int_t)r->free, "managed",
		(json_int_t)r->managed, "refused", (json_int_t)r->refused, "text", r->text);

	if (out)
		json_object_set_new(out, "unusable",
			r->unusable_target == LAB_AGE_NO_UNUSABLE
				? json_pack("{sn sf}", "target", "achieved", r->unusable / 1e3)
				: json_pack("{sf sf sf}", "target", r->unusable_target / 1e3,
					  "achieved", r->unusable / 1e3, "error",
					  r->unusable_error / 1e3));
	return out;
}

static int
age(struct app *app, const struct cmd_args *a)
{
	char spec[1024], err[256];
	struct lab_age_config cfg;
	struct lab_age_result res;
	struct lab_tenants *t;
	struct pool *pool;
	json_t *out;
	int rc;

	snprintf(spec, sizeof(spec), "%s", cmd_arg(a, "model"));
	rc = split_words(app, cmd_arg(a, "words"), spec, sizeof(spec), &pool);
	if (rc)
		return rc;
	rc = lab_age_parse(spec, &cfg, err, sizeof(err));
	if (rc)
		return cmd_fail(app, rc, "age: %s", err);
	t = zone_tenants(app, pool);
	if (t == NULL)
		return -ENOMEM;
	rc = lab_age(t, &cfg, &res, progress, NULL);
	if (rc == -EINVAL || rc == -ENOMEM || rc == -EBUSY)
		return cmd_fail(app, rc, "age: %s", strerror(-rc));
	warnings_forget(app);
	printf("age %s: %s\n", spec, res.text);
	out = result_json(spec, &res);
	json_decref(app->arms.age);
	app->arms.age = out;
	if (rc == 0 || (rc == -ENOSPC && !strcmp(cmd_word(a, 1), "try")))
		return 0;
	return cmd_fail(app, rc, "age: %s", res.text);
}

static json_t *
show_age(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	if (app->arms.age == NULL) {
		cmd_fail(app, -ENOENT, "nothing has been aged (age MODEL KEY=VALUE ...)");
		return NULL;
	}
	return json_deep_copy(app->arms.age);
}

static struct lab_tenants *
tenants_of(struct app *app, const struct cmd_args *a, struct pool **pool)
{
	*pool = zone_pool(app, cmd_arg(a, "pool"));
	return *pool ? zone_tenants(app, *pool) : NULL;
}

static int
release(struct app *app, const struct cmd_args *a)
{
	const char *pages = cmd_arg(a, "pages");
	unsigned long long n = ULONG_MAX;
	struct pool *pool;
	struct lab_tenants *t = tenants_of(app, a, &pool);
	int rc = t ? 0 : -ENOENT;

	if (rc == 0 && strcmp(pages, "all"))
		rc = cmd_number(app, "pages", pages, 1, ULONG_MAX, &n);
	if (rc)
		return rc;
	printf("%lu pages given back\n", lab_tenants_release(t, n, app->opt.seed));
	return 0;
}

static int
churn(struct app *app, const struct cmd_args *a)
{
	struct lab_churn_config cfg = {.seed = app->opt.seed, .regrow = true};
	struct pool *pool;
	struct lab_tenants *t = tenants_of(app, a, &pool);
	char *end;
	int rc;

	if (t == NULL)
		return -ENOENT;
	cfg.rate = strtod(cmd_arg(a, "rate"), &end);
	if (end == cmd_arg(a, "rate") || *end != '\0')
		return cmd_fail(
			app, -EINVAL, "'%s' is no number of blocks a second", cmd_arg(a, "rate"));
	/* the background step comes once a millisecond: a burst must hold what is due in one */
	cfg.burst = cfg.rate > 30e6 ? 65536 : (unsigned int)(cfg.rate / 500) + 64;
	rc = lab_tenants_set_churn(t, &cfg);
	return rc ? cmd_fail(app, rc, "a churn rate is 0 to 1e9 blocks a second") : 0;
}

/* A saved state is of tenants alone: the lcores' caches must not hold any of the zone's blocks. */
static int
flush_caches(struct app *app, struct pool *pool)
{
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	pool_flush(pool);
	return 0;
}

static int
save(struct app *app, const struct cmd_args *a)
{
	const char *file = cmd_arg(a, "file");
	struct pool *pool;
	struct lab_tenants *t = tenants_of(app, a, &pool);
	FILE *f;
	int rc;

	if (t == NULL)
		return -ENOENT;
	rc = flush_caches(app, pool);
	if (rc)
		return rc;
	f = fopen(file, "we");
	if (f == NULL)
		return cmd_fail(app, -errno, "cannot open '%s': %s", file, strerror(errno));
	rc = lab_age_save(t, f);
	if (fclose(f) && rc == 0)
		rc = -errno;
	if (rc == -EBUSY)
		return cmd_fail(app, rc,
			"the zone holds mbufs, and only tenants can be saved: 'port stop all' "
			"first");
	return rc ? cmd_fail(app, rc, "%s: %s", file, strerror(-rc)) : 0;
}

static int
load(struct app *app, const struct cmd_args *a)
{
	const char *file = cmd_arg(a, "file");
	struct pool *pool;
	struct lab_tenants *t = tenants_of(app, a, &pool);
	char err[256] = "";
	FILE *f;
	int rc;

	if (t == NULL)
		return -ENOENT;
	rc = flush_caches(app, pool);
	if (rc)
		return rc;
	f = fopen(file, "re");
	if (f == NULL)
		return cmd_fail(app, -errno, "cannot open '%s': %s", file, strerror(errno));
	rc = lab_age_load(t, f, err, sizeof(err));
	fclose(f);
	if (rc == -EBUSY)
		return cmd_fail(app, rc, "the zone holds mbufs: 'port stop all' first");
	return rc ? cmd_fail(app, rc, "%s: %s", file, err[0] ? err : strerror(-rc)) : 0;
}

static const struct cmd cmds[] = {
	{"age <model> [<words...>]", age, NULL, NULL,
		"Age a zone with churn, scatter, lifetimes or adversary: occupancy=0.9 "
		"unusable=600@2 seed=1 ..., pool=NAME."},
	{"age try <model> [<words...>]", age, NULL, NULL,
		"The same, but to miss the target is no error."},
	{"show age", NULL, show_age, NULL, "Target and achieved of the last ageing."},
	{"age churn-rate <rate> [<pool>]", churn, NULL, NULL,
		"Tenants replace so many blocks a second while traffic runs; 0: none."},
	{"age release <pages> [<pool>]", release, NULL, NULL,
		"Tenants give back so many pages at random, or all."},
	{"age save <file> [<pool>]", save, NULL, NULL, "Save the zone's state."},
	{"age load <file> [<pool>]", load, NULL, NULL, "Restore a saved state."},
};

CLI_SECTION(ageing, "Ageing of zones", cmds);
