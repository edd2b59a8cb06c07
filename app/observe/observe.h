/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef OBSERVE_H
#define OBSERVE_H

/** @file observe.h The subcommands of labyrinth-observe: a function each, in the table of main.c. */

/** How a subcommand ends; what it returns becomes the program's exit code. */
enum observe_exit {
	OBSERVE_OK = 0,
	OBSERVE_FAILED = 1,   /**< the reason has been printed to stderr */
	OBSERVE_USAGE = 2,    /**< wrong arguments; what is right has been printed */
	OBSERVE_SKIPPED = 77, /**< this machine cannot; the reason has been printed */
};

/** A subcommand. argv[0] is its name. getopt is reset, so it may call getopt_long() at once. */
typedef int (*observe_fn)(int argc, char **argv);

struct observe_command {
	const char *name;
	observe_fn run;
	const char *help; /**< one line, without a full stop */
};

/** Say what is wrong as "labyrinth-observe COMMAND: ..." on stderr. @return OBSERVE_FAILED */
int observe_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** As observe_error(), and where help is to be had. @return OBSERVE_USAGE */
int observe_usage_error(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int cmd_diagnose(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_watch(int argc, char **argv);

#endif /* OBSERVE_H */
