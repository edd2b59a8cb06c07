/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Starting, stopping, time, and the program itself. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "sampler.h"
#include "vtime.h"

static int
start(struct app *app, const struct cmd_args *a)
{
	const char *n = cmd_arg(a, "n");
	unsigned long long bursts = a->inst && cmd_word(a, 1)[0] ? 1 : 0;
	int rc = n ? cmd_number(app, "tx_first", n, 1, 1000000, &bursts) : 0;

	return rc ? rc : fwd_start(app, bursts);
}

static int
stop(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	return fwd_stop(app);
}

static int
quit(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	app->cli.quit = true;
	return 0;
}

static int
help(struct app *app, const struct cmd_args *a)
{
	return cli_help(&app->cli, cmd_arg(a, "section"));
}

static int
load(struct app *app, const struct cmd_args *a)
{
	return cli_run_file(&app->cli, cmd_arg(a, "file"));
}

static int
run_for(struct app *app, const struct cmd_args *a)
{
	uint64_t ns;
	int rc = cmd_duration(app, cmd_arg(a, "duration"), &ns);

	if (rc == 0)
		rc = fwd_start(app, 0);
	if (rc)
		return rc;
	rc = vtime_pass(app, ns);
	fwd_stop(app);
	return rc;
}

static int
wait_for(struct app *app, const struct cmd_args *a)
{
	uint64_t ns;
	int rc = cmd_duration(app, cmd_arg(a, "duration"), &ns);

	return rc ? rc : vtime_pass(app, ns);
}

static int
set_time(struct app *app, const struct cmd_args *a)
{
	return vtime_set(app, !strcmp(cmd_word(a, 2), "virtual"));
}

static int
set_cost(struct app *app, const struct cmd_args *a)
{
	struct vtime v = app->vtime;
	char text[CLI_WORD_LEN], *save = NULL;

	snprintf(text, sizeof(text), "%s", cmd_arg(a, "cost"));
	for (char *item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		bool poll = !strncmp(item, "poll=", 5);
		unsigned long long ns;
		int rc;

		if (!poll && strncmp(item, "packet=", 7))
			return cmd_fail(
				app, -EINVAL, "'%s' is neither poll=NS nor packet=NS", item);
		rc = cmd_number(app, poll ? "poll" : "packet", item + (poll ? 5 : 7), poll,
			1000000000, &ns);
		if (rc)
			return rc;
		*(poll ? &v.poll_ns : &v.packet_ns) = ns;
	}
	app->vtime = v;
	return 0;
}

static int
set_seed(struct app *app, const struct cmd_args *a)
{
	unsigned long long seed;
	int rc = cmd_number(app, "seed", cmd_arg(a, "seed"), 0, UINT64_MAX, &seed);

	if (rc)
		return rc;
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	app->opt.seed = seed;
	/* streams and wires draw theirs from it */
	fwd_changed(app);
	return 0;
}

static int
echo(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(app);
	printf("%s\n", cmd_arg(a, "text"));
	return 0;
}

static const struct cmd cmds[] = {
	{"start [tx_first] [<n>]", start, NULL, NULL,
		"Start packet forwarding, sending n (1) bursts first with tx_first."},
	{"stop", stop, NULL, NULL, "Stop packet forwarding, and display accumulated statistics."},
	{"run <duration>", run_for, NULL, NULL,
		"Start, let that much time pass (5s, 20ms), and stop."},
	{"wait <duration>", wait_for, NULL, NULL,
		"Let time pass. Virtual time passes in run and wait only."},
	{"set time virtual|real", set_time, NULL, NULL,
		"Real time with lcores that run, or virtual time, deterministic for the seed."},
	{"set cost <cost>", set_cost, NULL, NULL,
		"poll=NS,packet=NS: what a round over the queues and a packet cost in virtual "
		"time."},
	{"set seed <seed>", set_seed, NULL, NULL,
		"Seed of all that is random; wires take it when they are made or an arm begins."},
	{"load <file>", load, NULL, NULL, "Run a file of commands; stops at the first error."},
	{"echo <text...>", echo, NULL, NULL, "Print a text."},
	{"help [<section>]", help, NULL, NULL, "This help; help all for all of it."},
	{"quit", quit, NULL, NULL, "Quit to prompt, after all came to rest."},
};

CLI_SECTION(control, "Start and stop forwarding", cmds);
