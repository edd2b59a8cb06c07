/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* From a grammar string to librte_cmdline's tokens. */

#include <errno.h>
#include <string.h>

#include <cmdline_parse_string.h>

#include "cli_grammar.h"

static int
token_from(const char *s, size_t len, struct cli_token *t)
{
	memset(t, 0, sizeof(*t));
	t->hdr.ops = &cli_token_ops;
	t->text = s;
	t->text_len = len;
	if (len == 0)
		return -EINVAL;
	if (s[0] != '<') {
		t->type = CLI_CHOICE;
		return 0;
	}
	if (len < 3 || s[len - 1] != '>')
		return -EINVAL;
	t->text = s + 1;
	t->text_len = len - 2;
	t->type = CLI_WORD;
	if (t->text_len > 3 && !strncmp(t->text + t->text_len - 3, "...", 3)) {
		t->text_len -= 3;
		t->type = CLI_REST;
	}
	t->kind = cli_kind_find(t->text, t->text_len);
	return 0;
}

int
cli_grammar_parse(const char *grammar, struct cli_token *tokens, unsigned int *required)
{
	unsigned int n = 0;
	bool optional = false;

	*required = 0;
	for (const char *s = grammar; *s; n++) {
		size_t len = strcspn(s, " ");
		bool opt = s[0] == '[';
		int rc;

		/* the last place is kept for "json" */
		if (n == CLI_MAX_TOKENS - 1 || (optional && !opt))
			return -EINVAL;
		if (opt && (len < 3 || s[len - 1] != ']'))
			return -EINVAL;
		rc = token_from(s + opt, len - 2 * opt, &tokens[n]);
		if (rc)
			return rc;
		if (tokens[n].type == CLI_REST && s[len] != '\0')
			return -EINVAL;
		optional = opt;
		if (!opt)
			*required = n + 1;
		s += len;
		s += *s == ' ';
	}
	return *required ? (int)n : -EINVAL;
}

static size_t
word_len(const char *s)
{
	size_t n = 0;

	while (!cmdline_isendoftoken(s[n]))
		n++;
	return n;
}

/* The i-th of "a|b|c". */
static const char *
choice(const struct cli_token *t, int i, size_t *len)
{
	const char *s = t->text, *end = t->text + t->text_len;

	while (s < end) {
		const char *bar = memchr(s, '|', end - s);
		size_t n = (bar ? bar : end) - s;

		if (i-- == 0) {
			*len = n;
			return s;
		}
		s += n + 1;
	}
	return NULL;
}

static bool
is_candidate(const struct cli_token *t, const char *s, size_t len)
{
	char buf[CLI_WORD_LEN];

	for (int i = 0; t->kind->elt(t->app, i, buf, sizeof(buf)) == 0; i++) {
		if (strlen(buf) == len && !strncmp(buf, s, len))
			return true;
	}
	return false;
}

static int
match_rest(const char *s)
{
	size_t n = strcspn(s, "#\r\n");
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return n == 0 || n >= CLI_REST_LEN ? -1 : (int)n;
}

int
cli_token_match(const struct cli_token *t, const char *s)
{
	size_t len = word_len(s), clen;
	const char *c;

	if (t->type == CLI_REST)
		return match_rest(s);
	if (len == 0 || len >= CLI_WORD_LEN)
		return -1;
	if (t->type == CLI_WORD) {
		if (t->not_json && len == 4 && !strncmp(s, "json", 4))
			return -1;
		if (t->kind && t->kind->strict && !is_candidate(t, s, len))
			return -1;
		return len;
	}
	for (int i = 0; (c = choice(t, i, &clen)) != NULL; i++) {
		if (clen == len && !strncmp(c, s, len))
			return len;
	}
	return -1;
}

static int
token_parse(cmdline_parse_token_hdr_t *hdr, const char *s, void *res, unsigned int size)
{
	int len = cli_token_match((const struct cli_token *)hdr, s);

	if (len < 0 || res == NULL)
		return len;
	if ((unsigned int)len >= size)
		return -1;
	memcpy(res, s, len);
	((char *)res)[len] = '\0';
	return len;
}

static int
token_elt(cmdline_parse_token_hdr_t *hdr, int i, char *dst, unsigned int size)
{
	const struct cli_token *t = (const struct cli_token *)hdr;
	const char *c;
	size_t len;

	if (t->type != CLI_CHOICE)
		return t->kind ? t->kind->elt(t->app, i, dst, size) : -1;
	c = choice(t, i, &len);
	if (c == NULL || len >= size)
		return -1;
	memcpy(dst, c, len);
	dst[len] = '\0';
	return 0;
}

static int
token_nb(cmdline_parse_token_hdr_t *hdr)
{
	char buf[CLI_WORD_LEN];
	int n = 0;

	while (token_elt(hdr, n, buf, sizeof(buf)) == 0)
		n++;
	return n;
}

static int
token_help(cmdline_parse_token_hdr_t *hdr, char *dst, unsigned int size)
{
	const struct cli_token *t = (const struct cli_token *)hdr;

	snprintf(dst, size, t->type == CLI_CHOICE ? "%.*s" : "<%.*s>", (int)t->text_len, t->text);
	return 0;
}

struct cmdline_token_ops cli_token_ops = {
	.parse = token_parse,
	.complete_get_nb = token_nb,
	.complete_get_elt = token_elt,
	.get_help = token_help,
};
