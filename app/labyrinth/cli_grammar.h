/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_CLI_GRAMMAR_H
#define APP_CLI_GRAMMAR_H

/** @file cli_grammar.h Tokens made from a grammar; internal to the command line. */

#include <stddef.h>

#include "cli.h"

enum cli_token_type { CLI_CHOICE, CLI_WORD, CLI_REST };

/** What an argument may be: for completion, and (strict) for parsing. */
struct cli_kind {
	const char *name;
	/** The i-th candidate into buf. @return 0, or -1 past the last. */
	int (*elt)(struct app *app, int i, char *buf, size_t len);
	bool strict; /**< nothing but a candidate matches: tells grammars apart */
};

const struct cli_kind *cli_kind_find(const char *name, size_t len);

struct cli_token {
	struct cmdline_token_hdr hdr; /* first: librte_cmdline knows no more of it */
	enum cli_token_type type;
	const char *text; /**< in the grammar; owned by nobody */
	size_t text_len;
	const struct cli_kind *kind;
	struct app *app;
	bool not_json; /**< "json" is no value here: it asks for the format */
};

/** A grammar with a fixed number of words; the options make several of one command. */
struct cli_inst {
	struct cli *cli;
	const struct cmd *cmd;
	bool json;
	unsigned int nr_tokens;
	struct cli_token tokens[CLI_MAX_TOKENS];
	cmdline_parse_inst_t *inst;
};

/** Split a grammar into tokens. @param required out: how many are not optional.
 *  @return how many there are, or -EINVAL. */
int cli_grammar_parse(const char *grammar, struct cli_token *tokens, unsigned int *required);

/** Length of the word at s that the token accepts, or -1. */
int cli_token_match(const struct cli_token *t, const char *s);

extern struct cmdline_token_ops cli_token_ops;

#endif /* APP_CLI_GRAMMAR_H */
