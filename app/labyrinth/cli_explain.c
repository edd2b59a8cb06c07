/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Messages for a line that no grammar matches. */

#include <string.h>

#include "cli_grammar.h"

/* How far a line goes along a grammar. */
struct reach {
	unsigned int tokens; /* matched */
	size_t at;           /* offset of the first word that did not match */
};

static size_t
skip_blanks(const char *line, size_t at)
{
	return at + strspn(line + at, " \t");
}

static struct reach
reach_of(const struct cli_inst *inst, const char *line)
{
	struct reach r = {.at = skip_blanks(line, 0)};

	while (r.tokens < inst->nr_tokens) {
		int n = cli_token_match(&inst->tokens[r.tokens], line + r.at);

		if (n < 0)
			break;
		r.tokens++;
		r.at = skip_blanks(line, r.at + n);
	}
	return r;
}

/* Append "a|b", once each. */
static void
append_expected(const struct cli_token *t, char *buf, size_t len)
{
	char word[256];
	size_t used = strlen(buf), n;
	const char *found = buf;

	snprintf(word, sizeof(word), t->type == CLI_CHOICE ? "%.*s" : "<%.*s>", (int)t->text_len,
		t->text);
	n = strlen(word);
	while ((found = strstr(found, word)) != NULL) {
		bool starts = found == buf || found[-1] == ' ';

		if (starts && (found[n] == ' ' || found[n] == '\0'))
			return;
		found += n;
	}
	if (used + n + 2 < len)
		snprintf(buf + used, len - used, "%s%s", used ? " " : "", word);
}

static void
expected_after(const struct cli *cli, const char *line, unsigned int tokens, char *buf, size_t len)
{
	buf[0] = '\0';
	for (unsigned int i = 0; i < cli->nr_insts; i++) {
		const struct cli_inst *inst = &cli->insts[i];

		if (reach_of(inst, line).tokens == tokens && inst->nr_tokens > tokens)
			append_expected(&inst->tokens[tokens], buf, len);
	}
}

static int
trimmed(const char *s, size_t n)
{
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return n;
}

void
cli_explain(const struct cli *cli, const char *line, char *buf, size_t len)
{
	struct reach best = {0};
	char expected[320];
	const char *bad, *start = line + skip_blanks(line, 0);
	int bad_len, done_len;

	for (unsigned int i = 0; i < cli->nr_insts; i++) {
		struct reach r = reach_of(&cli->insts[i], line);

		if (r.tokens > best.tokens || i == 0)
			best = r;
	}
	bad = line + best.at;
	bad_len = strcspn(bad, " \t");
	done_len = trimmed(start, bad - start);
	expected_after(cli, line, best.tokens, expected, sizeof(expected));
	if (best.tokens == 0)
		snprintf(buf, len, "no command '%.*s'; there are: %s (see 'help')", bad_len, bad,
			expected);
	else if (expected[0] == '\0')
		snprintf(buf, len, "'%.*s' takes nothing more, but '%.*s' follows", done_len, start,
			bad_len, bad);
	else if (bad_len == 0)
		snprintf(buf, len, "'%.*s' is not complete; expected next: %s", done_len, start,
			expected);
	else
		snprintf(buf, len, "'%.*s' after '%.*s' is not understood; expected: %s", bad_len,
			bad, done_len, start, expected);
}
