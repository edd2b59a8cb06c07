/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_CLI_H
#define APP_CLI_H

/**
 * @file cli.h
 * The command line: a command is one line of a table, a grammar and a handler.
 *
 * Grammar: words separated by one blank.
 *   word          itself
 *   one|two       one of these
 *   <kind>        an argument; the kind (of cli_kinds.c) gives completion, any other name is free text
 *   <port|all>    the same: what stands before the bar is the kind
 *   <name...>     the rest of the line, at least one character; only as the last
 *   [x]           optional, at the end; needs the optionals before it
 * A command that shows something takes a trailing "json" without naming it.
 *
 * From the tables librte_cmdline's parse context is built at start-up: it parses and completes;
 * messages of what was wrong are made here, from the same grammar.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <cmdline.h>
#include <cmdline_parse.h>
#include <jansson.h>
#include <rte_common.h>

struct app;

#define CLI_MAX_TOKENS 20
#define CLI_WORD_LEN   128
#define CLI_REST_LEN   2048
#define CLI_LINE_LEN   512 /* what librte_cmdline reads */
#define CLI_MAX_NEST   8
#define CLI_ERROR_LEN  512

struct cli_inst;

/** What a handler gets. */
struct cmd_args {
	const struct cli_inst *inst;
	char word[CLI_MAX_TOKENS][CLI_WORD_LEN];
	char rest[CLI_REST_LEN];
};

/** The i-th word of the command, "" if there is none. */
const char *cmd_word(const struct cmd_args *a, unsigned int i);

/** The argument that the grammar calls <name>; NULL if an optional one was not given. */
const char *cmd_arg(const struct cmd_args *a, const char *name);

/** One command. Either run, or show (with print: its own layout in place of the common one). */
struct cmd {
	const char *grammar;
	int (*run)(struct app *app, const struct cmd_args *a);
	json_t *(*show)(struct app *app, const struct cmd_args *a);
	void (*print)(struct app *app, const json_t *shown);
	const char *help;
};

/** A table of commands; a file registers its own with CLI_SECTION. */
struct cli_section {
	const char *name;
	const char *title;
	const struct cmd *cmds;
	unsigned int nr_cmds;
	struct cli_section *next;
};

void cli_section_register(struct cli_section *s);

#define CLI_SECTION(section, section_title, table)                                                 \
	static struct cli_section section_##section = {.name = #section,                           \
		.title = (section_title),                                                          \
		.cmds = (table),                                                                   \
		.nr_cmds = RTE_DIM(table)};                                                        \
	RTE_INIT(section_register_##section)                                                       \
	{                                                                                          \
		cli_section_register(&section_##section);                                          \
	}                                                                                          \
	struct cli_section_semicolon_##section

/** All sections by name, for help. */
const struct cli_section *cli_sections(void);

struct cli {
	struct app *app;
	struct cmdline *cl;         /**< parses and completes; never interacts itself */
	cmdline_parse_inst_t **ctx; /**< NULL-terminated, for librte_cmdline */
	struct cli_inst *insts;
	unsigned int nr_insts;
	const char *file[CLI_MAX_NEST]; /**< command files being run, outermost first */
	unsigned int line[CLI_MAX_NEST];
	unsigned int depth;
	int rc;                    /**< of the last command */
	char error[CLI_ERROR_LEN]; /**< of the last command */
	bool reported;             /**< it was printed where it happened, in a nested file */
	bool quit;
};

/** Build the context from the registered tables. @return 0, -ENOMEM, -EINVAL (a bad grammar). */
int cli_init(struct cli *cli, struct app *app);
void cli_fini(struct cli *cli);

/** Run one line. @return 0, or a negative errno with cli->error set. Nothing is printed then. */
int cli_run_line(struct cli *cli, const char *line);

/** Run a command file; stops at the first error and prints it as "file:line: message" to stderr.
 *  Nested calls are bounded. @return 0 or a negative errno. */
int cli_run_file(struct cli *cli, const char *path);

/** The interactive shell, on a terminal or a pipe, until quit, EOF or a signal.
 *  @return 0; 1 if a command failed on a pipe. */
int cli_shell(struct cli *cli);

/** Wait for input on stdin, doing meanwhile what is periodic. @return bytes read; 0 at the end of the
 *  input or on a signal. */
ssize_t cli_read_input(char *buf, size_t len, struct app *app);

/** What was wrong with a line that nothing matched, and what would have been right. */
void cli_explain(const struct cli *cli, const char *line, char *buf, size_t len);

/** `help [section]`. */
int cli_help(struct cli *cli, const char *section);

/** Set the message of the running command. @return err, for `return cmd_fail(...)`. */
int cmd_fail(struct app *app, int err, const char *fmt, ...) __rte_format_printf(3, 4);

/** Read a number in [min, max] or fail with a message that names what was wanted. */
int cmd_number(struct app *app, const char *what, const char *text, unsigned long long min,
	unsigned long long max, unsigned long long *out);

/** Read "5s", "20ms", "7us", "100ns" (a bare number is seconds). */
int cmd_duration(struct app *app, const char *text, uint64_t *ns);

/** "on" or "off". */
int cmd_on_off(struct app *app, const char *text, bool *out);

#endif /* APP_CLI_H */
