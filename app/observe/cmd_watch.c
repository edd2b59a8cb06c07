/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* watch: the live kernel's refused pages and dropped packets, joined. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../labyrinth/signals.h"
#include "observe.h"
#include "watch.h"

/* Capabilities are gone when the report is written, and with them root's right to write anywhere: better said
 * now than after an hour. */
static int
check_writable(const char *file)
{
	char copy[PATH_MAX];

	if (file == NULL || !strcmp(file, "-"))
		return OBSERVE_OK;
	if (snprintf(copy, sizeof(copy), "%s", file) >= (int)sizeof(copy))
		return observe_error("watch", "%s: %s", file, strerror(ENAMETOOLONG));
	if ((access(file, F_OK) || access(file, W_OK) == 0) && access(dirname(copy), W_OK) == 0)
		return OBSERVE_OK;
	return observe_error("watch",
		"%s cannot be written without capabilities: %s. Name a folder of yours, or '-' for "
		"standard output",
		file, strerror(errno));
}

/* The command line as one would type it. */
static char *
join(int argc, char **argv)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fputs("labyrinth-observe", f);
	for (int i = 0; i < argc; i++)
		fprintf(f, strpbrk(argv[i], " \t\n'\"\\$&|;<>()*?#") ? " '%s'" : " %s", argv[i]);
	fclose(f);
	return text;
}

static int
refuse(int err, const char *why)
{
	observe_error("watch", "%s", why[0] ? why : strerror(-err));
	return err == -EPERM || err == -ENOTSUP ? OBSERVE_SKIPPED : OBSERVE_FAILED;
}

/* Load, find the devices, attach; from then on nothing needs a capability. */
static int
begin(struct watch *w)
{
	const struct lab_kmon_opts opts = {.latency_every = w->opt.latency_every, .idle = true};
	char why[LAB_KMON_WHY_LEN + 80] = "";
	int err = lab_kmon_open(&w->kmon, &opts, why, sizeof(why)), rc;

	if (!err)
		err = watch_series_init(w);
	if (!err)
		err = lab_nics_open(&w->nics, w->opt.device, w->opt.nr_devices, why, sizeof(why));
	if (!err)
		err = watch_begin(w, why, sizeof(why));
	if (err)
		return refuse(err, why);
	/* the kernel's BTF has been read; where memory is short, its 10 MB are better elsewhere */
	malloc_trim(0);
	err = lab_kmon_drop_capabilities();
	if (err)
		return observe_error("watch", "capabilities cannot be dropped: %s", strerror(-err));
	rc = check_writable(w->opt.json);
	return rc ? rc : check_writable(w->opt.html);
}

static bool
to_stdout(const char *file)
{
	return file && !strcmp(file, "-");
}

static int
show_json(const json_t *live, const struct lab_ledger *ledger, const struct lab_corr_result *corr)
{
	json_t *all = json_copy((json_t *)live);
	int err = all ? 0 : -ENOMEM;

	if (!err) {
		json_object_set_new(all, "ledger", lab_json_ledger(ledger));
		json_object_set_new(all, "correlation", lab_json_correlation(corr));
		err = lab_display(all, LAB_FORMAT_JSON, stdout);
	}
	json_decref(all);
	return err;
}

static int
show(struct watch *w, const struct lab_ledger *ledger, const struct lab_corr_result *corr)
{
	json_t *live = watch_json(w, ledger, corr);
	const char *which = "";
	int err = live ? 0 : -ENOMEM;

	/* whoever sends a report to standard output wants that and nothing else there */
	if (!err && !to_stdout(w->opt.json) && !to_stdout(w->opt.html))
		err = w->opt.format == LAB_FORMAT_JSON ? show_json(live, ledger, corr)
						       : watch_print(live, ledger, corr, stdout);
	if (!err && (w->opt.json || w->opt.html))
		err = watch_write(w, ledger, corr, live, &which);
	json_decref(live);
	if (err)
		return observe_error("watch", "%s%s%s", which, *which ? ": " : "", strerror(-err));
	return OBSERVE_OK;
}

static int
observe(struct watch *w)
{
	struct lab_corr_result corr;
	struct lab_ledger ledger;
	int err = watch_sample_all(w);

	if (!err)
		err = watch_finish(w);
	if (!err)
		err = watch_ledger(w, &ledger);
	if (!err)
		err = lab_corr_series(
			w->set, SERIES_FAILURES, SERIES_DROPS, SERIES_OFFERED, &w->opt.corr, &corr);
	if (err)
		return observe_error("watch", "reading the kernel's figures: %s", strerror(-err));
	return show(w, &ledger, &corr);
}

int
cmd_watch(int argc, char **argv)
{
	struct watch *w = calloc(1, sizeof(*w));
	bool leave = false;
	int rc, err;

	if (w == NULL)
		return observe_error("watch", "out of memory");
	rc = watch_parse(w, argc, argv, &leave);
	if (!leave) {
		w->command = join(argc, argv);
		err = signals_init();
		rc = err ? observe_error("watch", "signals: %s", strerror(-err)) : begin(w);
		if (rc == OBSERVE_OK)
			rc = observe(w);
		signals_fini();
	}
	lab_kmon_close(w->kmon);
	lab_nics_close(w->nics);
	lab_series_set_destroy(w->set);
	free(w->command);
	free(w);
	return rc;
}
