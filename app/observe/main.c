/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <getopt.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lab_base.h>

#include "observe.h"

static const struct observe_command commands[] = {
	{"diagnose", cmd_diagnose, "say which gate refused a page, from a kernel message or /proc"},
#ifdef LAB_HAVE_KMON
	{"record", cmd_record,
		"record a zone's page allocations as a trace that labyrinth replays"},
	{"watch", cmd_watch, "count the running kernel's refused pages and dropped packets"},
#endif
};

static void
usage(FILE *out)
{
	fputs("Usage: labyrinth-observe COMMAND [arguments]\n"
	      "       labyrinth-observe COMMAND --help | --help | --version\n\n"
	      "Asks a running Linux, or what it has logged, which page allocations were refused "
	      "and "
	      "why.\n\n",
		out);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\nExit codes: 0 done, 1 failed, 2 wrong arguments, 77 this machine cannot.\n", out);
}

static const struct observe_command *
find(const char *name)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool
is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

/** What was printed must have got there: a full disk or a closed pipe is a failure. */
static int
flushed(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("labyrinth-observe: output");
	return code == OBSERVE_OK ? OBSERVE_FAILED : code;
}

int
main(int argc, char **argv)
{
	const struct observe_command *command;

	setlocale(LC_CTYPE, "");
	if (argc < 2) {
		usage(stderr);
		return OBSERVE_USAGE;
	}
	if (is_help(argv[1])) {
		usage(stdout);
		return flushed(OBSERVE_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("labyrinth-observe %s\n", LAB_VERSION);
		return flushed(OBSERVE_OK);
	}
	command = find(argv[1]);
	if (command == NULL)
		return observe_usage_error(NULL, "'%s' is no command", argv[1]);
	optind = 1;
	return flushed(command->run(argc - 1, argv + 1));
}
