/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_version.h>

#include "app.h"
#include "hugefiles.h"
#include "ledger.h"
#include "sampler.h"
#include "signals.h"
#include "vtime.h"
#include "wire.h"
#include "zones.h"

/* --help and --version before "--" are ours; EAL has its own -h. @return true if one was there. */
static bool
answered(int argc, char **argv)
{
	if (options_eal_has(argc, argv, "--version")) {
		printf("labyrinth %s, with %s\n", LAB_VERSION, rte_version());
		return true;
	}
	if (options_eal_has(argc, argv, "--help")) {
		options_usage(argv[0]);
		return true;
	}
	return false;
}

static void
usage_hook(const char *program)
{
	options_usage(program);
}

static int
print_failure(struct app *app)
{
	fflush(stdout);
	if (app->cli.error[0])
		fprintf(stderr, "labyrinth: %s\n", app->cli.error);
	app->cli.error[0] = '\0';
	return 1;
}

/* Ports and pools as the options say. */
static int
bring_up(struct app *app)
{
	const struct options *o = &app->opt;
	int rc = ports_probe(app);

	for (unsigned int i = 0; i < o->nb_wires && rc == 0; i++)
		rc = wire_attach(app, o->wires[i]);
	app->fwd.engine = fwd_engine_find(o->forward_mode);
	if (rc == 0 && app->fwd.engine == NULL)
		rc = cmd_fail(app, -EINVAL, "--forward-mode: no mode '%s'", o->forward_mode);
	app->fwd.use_cores = o->nb_cores;
	app->fwd.use_ports = o->nb_ports;
	for (unsigned int id = 0; id < 64 && id < RTE_MAX_ETHPORTS; id++) {
		if (o->portmask & (1ull << id))
			app->fwd.ports[app->fwd.nr_ports++] = id;
	}
	if (rc == 0 && ports_count(app) > 0) {
		rc = port_start(app, RTE_MAX_ETHPORTS);
		if (rc == 0)
			ports_check_links(app);
	}
	return rc;
}

/* Without a shell: forward until Enter, the end of the input or a signal, as testpmd does. */
static int
forward_until_enter(struct app *app)
{
	int rc = app->fwd.running ? 0 : fwd_start(app, app->opt.tx_first);
	char line[8];

	if (rc)
		return print_failure(app);
	printf("Press enter to exit\n");
	fflush(stdout);
	cli_read_input(line, 1, app);
	return 0;
}

/* @return the exit code. */
static int
session(struct app *app)
{
	const struct options *o = &app->opt;
	int rc = 0;

	if (o->interactive)
		printf("Interactive-mode selected\n");
	if (o->auto_start || (o->tx_first && (o->interactive || o->cmdline_file)))
		rc = fwd_start(app, o->tx_first);
	if (rc)
		return print_failure(app);
	app->idle_due_ns = vtime_wall_ns() + o->stats_period_s * 1000000000ull;
	if (o->cmdline_file) {
		rc = cli_run_file(&app->cli, o->cmdline_file);
		print_failure(app);
		if (rc || !o->interactive)
			return rc != 0;
	}
	if (app->cli.quit || signals_pending())
		return 0;
	return o->interactive ? cli_shell(&app->cli) : forward_until_enter(app);
}

/* Everything comes to rest, whatever happened before. @return 0, 1 if something does not add up. */
static int
wind_down(struct app *app)
{
	int sig = signals_pending(), rc = 0;

	if (sig)
		printf("\nSignal %d received, preparing to exit...\n", sig);
	if (app->fwd.running)
		fwd_stop(app);
	if (sig || app->opt.stats_period_s)
		rc = ledger_print(app);
	sampler_stop(app);
	fwd_free(app);
	PORT_FOREACH (app, id) {
		printf("\nStopping port %u...\n", id);
		/* a wire stops its port when it is destroyed */
		if (app->ports.p[id].wire)
			app->ports.p[id].started = false;
		else
			port_stop(app, id);
		printf("Closing port %u...\n", id);
		port_close(app, id);
	}
	zones_release(app);
	pools_free(app);
	printf("\nBye...\n");
	return rc != 0;
}

static int
run(struct app *app)
{
	int rc;

	lab_clock_init(&app->clock, LAB_CLOCK_REAL);
	pthread_mutex_init(&app->ports.lock, NULL);
	vtime_init(app);
	fwd_init(app);
	arms_init(app);
	rc = cli_init(&app->cli, app);
	if (rc == 0)
		rc = sampler_init(app);
	if (rc) {
		fprintf(stderr, "labyrinth: %s\n", strerror(-rc));
		return 1;
	}
	rc = bring_up(app) ? print_failure(app) : session(app);
	rc |= wind_down(app);
	arms_fini(app);
	sampler_fini(app);
	cli_fini(&app->cli);
	pthread_mutex_destroy(&app->ports.lock);
	return rc;
}

int
main(int argc, char **argv)
{
	static struct app app; /* large, and the only one */
	int eal_args, rc;

	setlocale(LC_CTYPE, "");
	/* one line at a time, on a pipe too, so that readers see what happened when it happens */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (answered(argc, argv))
		return 0;
	app.argc = argc;
	app.argv = calloc(argc + 1, sizeof(*app.argv));
	if (app.argv == NULL)
		return 1;
	/* EAL moves the arguments about */
	memcpy(app.argv, argv, argc * sizeof(*argv));
	rte_set_application_usage_hook(usage_hook);
	options_default(&app.opt);
	eal_args = rte_eal_init(argc, argv);
	if (eal_args < 0) {
		fprintf(stderr, "labyrinth: EAL does not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	argv[eal_args] = app.argv[0];
	rc = signals_init();
	if (rc == 0)
		rc = options_parse(&app.opt, argc - eal_args, argv + eal_args);
	rc = rc == 0 ? run(&app) : rc == -ECANCELED ? 0 : 1;
	/* who asks EAL to keep them, keeps them */
	if (!options_eal_has(app.argc, app.argv, "--huge-unlink=never"))
		hugefiles_note();
	rte_eal_cleanup();
	hugefiles_remove();
	signals_fini();
	free(app.argv);
	return rc;
}
