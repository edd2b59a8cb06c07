/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The shell: librte_cmdline's line editor on a terminal, plain lines on a pipe. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmdline_rdline.h>

#include "app.h"
#include "signals.h"

#define PROMPT "labyrinth> "

static int
run_and_report(struct cli *cli, const char *line)
{
	int rc = cli_run_line(cli, line);

	fflush(stdout);
	if (rc && !cli->reported)
		fprintf(stderr, "error: %s\n", cli->error);
	return rc;
}

static int
write_char(struct rdline *rdl, char c)
{
	RTE_SET_USED(rdl);
	return putchar(c) == EOF ? -1 : 0;
}

static void
validate(struct rdline *rdl, const char *buf, unsigned int size)
{
	RTE_SET_USED(size);
	run_and_report(rdline_get_opaque(rdl), buf);
}

static int
complete(struct rdline *rdl, const char *buf, char *dst, unsigned int size, int *state)
{
	struct cli *cli = rdline_get_opaque(rdl);

	return cmdline_complete(cli->cl, buf, state, dst, size);
}

/* @return false at the end of the session. */
static bool
take_char(struct cli *cli, struct rdline *rdl, char c)
{
	int rc = rdline_char_in(rdl, c);

	if (rc == RDLINE_RES_VALIDATED) {
		const char *line = rdline_get_buffer(rdl);
		char kept[CLI_LINE_LEN];
		size_t len = strcspn(line, "\r\n");

		if (len > 0 && len < sizeof(kept)) {
			memcpy(kept, line, len);
			kept[len] = '\0';
			rdline_add_history(rdl, kept);
		}
		if (!cli->quit && !signals_pending())
			rdline_newline(rdl, PROMPT);
	}
	fflush(stdout);
	return rc != RDLINE_RES_EOF && rc != RDLINE_RES_EXITED && !cli->quit;
}

/* Wait for input. @return bytes, 0 at the end of the input or on a signal. */
ssize_t
cli_read_input(char *buf, size_t len, struct app *app)
{
	struct pollfd p[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals_fd(), .events = POLLIN}};

	for (;;) {
		int rc = poll(p, 2, app_idle_ms(app));

		if (signals_pending())
			return 0;
		if (rc == 0 || (rc < 0 && errno == EINTR)) {
			app_idle(app);
			continue;
		}
		if (rc < 0)
			return 0;
		if (p[0].revents)
			return read(STDIN_FILENO, buf, len);
	}
}

static int
shell_terminal(struct cli *cli, const struct termios *old)
{
	struct rdline *rdl = rdline_new(write_char, validate, complete, cli);
	struct termios raw = *old;
	bool more = true;
	char c;

	if (rdl == NULL)
		return -ENOMEM;
	raw.c_lflag &= ~(ICANON | ECHO);
	signals_restore_terminal(old);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	rdline_newline(rdl, PROMPT);
	fflush(stdout);
	while (more && cli_read_input(&c, 1, cli->app) == 1)
		more = take_char(cli, rdl, c);
	putchar('\n');
	tcsetattr(STDIN_FILENO, TCSANOW, old);
	signals_restore_terminal(NULL);
	rdline_free(rdl);
	return 0;
}

/* Lines from a pipe are echoed after the prompt, so that a transcript reads like a session. */
static int
shell_pipe(struct cli *cli)
{
	char buf[4096];
	size_t used = 0;
	bool failed = false, eof = false;

	while (!cli->quit && !signals_pending() && !(eof && used == 0)) {
		char *end = memchr(buf, '\n', used);
		size_t len = end ? (size_t)(end - buf) + 1 : used;

		if (end == NULL && !eof && used < sizeof(buf) - 1) {
			ssize_t n = cli_read_input(buf + used, sizeof(buf) - 1 - used, cli->app);

			eof = n <= 0;
			used += eof ? 0 : n;
			continue;
		}
		char *line = strndup(buf, len);

		if (line == NULL)
			return -ENOMEM;
		printf("%s%.*s\n", PROMPT, (int)strcspn(line, "\r\n"), line);
		failed |= run_and_report(cli, line) != 0;
		free(line);
		used -= len;
		memmove(buf, buf + len, used);
	}
	return failed;
}

int
cli_shell(struct cli *cli)
{
	struct termios old;

	if (tcgetattr(STDIN_FILENO, &old) == 0)
		return shell_terminal(cli, &old);
	return shell_pipe(cli);
}
