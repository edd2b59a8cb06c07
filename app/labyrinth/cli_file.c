/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Command files: stop at the first error and say where. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "signals.h"

/* "outer.cmd:3: inner.cmd:7: message": the whole way down to the line. */
static void
print_error(struct cli *cli)
{
	fflush(stdout);
	for (unsigned int i = 0; i < cli->depth; i++)
		fprintf(stderr, "%s:%u: ", cli->file[i], cli->line[i]);
	fprintf(stderr, "%s\n", cli->error);
	cli->error[0] = '\0';
	cli->reported = true;
}

static int
run_lines(struct cli *cli, FILE *f)
{
	unsigned int level = cli->depth - 1;
	char *line = NULL;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0 && !cli->quit && !signals_pending() && getline(&line, &cap, f) >= 0) {
		cli->line[level]++;
		rc = cli_run_line(cli, line);
		/* a nested file has printed its own, with the whole way to it */
		if (rc && !cli->reported)
			print_error(cli);
	}
	if (rc == 0 && ferror(f)) {
		cmd_fail(cli->app, -EIO, "cannot be read");
		print_error(cli);
		rc = -EIO;
	}
	free(line);
	return rc;
}

int
cli_run_file(struct cli *cli, const char *path)
{
	FILE *f;
	int rc;

	if (cli->depth == CLI_MAX_NEST)
		return cmd_fail(
			cli->app, -ELOOP, "%s: files loaded more than %d deep", path, CLI_MAX_NEST);
	f = fopen(path, "re");
	if (f == NULL)
		return cmd_fail(cli->app, -errno, "cannot open '%s': %s", path, strerror(errno));
	cli->file[cli->depth] = path;
	cli->line[cli->depth] = 0;
	cli->depth++;
	rc = run_lines(cli, f);
	cli->depth--;
	fclose(f);
	return rc;
}
