/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Tables to parse context, one line to its handler. */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <lab_report.h>

#include "app.h"
#include "cli_grammar.h"

static struct cli_section *sections; /* filled by constructors only */

_Static_assert(sizeof(struct cmd_args) <= CMDLINE_PARSE_RESULT_BUFSIZE, "result too large");

void
cli_section_register(struct cli_section *s)
{
	struct cli_section **p = &sections;

	while (*p && strcmp((*p)->name, s->name) < 0)
		p = &(*p)->next;
	s->next = *p;
	*p = s;
}

const struct cli_section *
cli_sections(void)
{
	return sections;
}

int
cmd_fail(struct app *app, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(app->cli.error, sizeof(app->cli.error), fmt, ap);
	va_end(ap);
	return err;
}

const char *
cmd_word(const struct cmd_args *a, unsigned int i)
{
	return i < a->inst->nr_tokens ? a->word[i] : "";
}

const char *
cmd_arg(const struct cmd_args *a, const char *name)
{
	size_t len = strlen(name);

	for (unsigned int i = 0; i < a->inst->nr_tokens; i++) {
		const struct cli_token *t = &a->inst->tokens[i];

		if (t->type == CLI_CHOICE || t->text_len < len || strncmp(t->text, name, len))
			continue;
		if (t->text_len > len && t->text[len] != '|')
			continue;
		return t->type == CLI_REST ? a->rest : a->word[i];
	}
	return NULL;
}

/* A show command: to JSON, then to the format asked for. */
static int
show(struct cli *cli, const struct cli_inst *inst, struct cmd_args *a)
{
	json_t *shown = inst->cmd->show(cli->app, a);

	if (shown == NULL) {
		if (cli->error[0] == '\0')
			cmd_fail(cli->app, -ENOMEM, "out of memory");
		return -EINVAL;
	}
	if (inst->json)
		lab_display(shown, LAB_FORMAT_JSON, stdout);
	else if (inst->cmd->print)
		inst->cmd->print(cli->app, shown);
	else
		lab_display(shown, LAB_FORMAT_TABLE, stdout);
	json_decref(shown);
	/* what could be shown may still say that something is wrong */
	return cli->rc;
}

static void
dispatch(void *parsed, struct cmdline *cl, void *data)
{
	struct cmd_args *a = parsed;
	const struct cli_inst *inst = data;
	struct cli *cli = inst->cli;

	RTE_SET_USED(cl);
	a->inst = inst;
	cli->rc = inst->cmd->run ? inst->cmd->run(cli->app, a) : show(cli, inst, a);
}

static int
inst_add(struct cli *cli, const struct cmd *cmd, const struct cli_token *tokens, unsigned int n,
	bool json)
{
	struct cli_inst *ci = &cli->insts[cli->nr_insts];

	ci->cli = cli;
	ci->cmd = cmd;
	ci->json = json;
	ci->nr_tokens = n + json;
	memcpy(ci->tokens, tokens, n * sizeof(*tokens));
	if (json)
		ci->tokens[n] = (struct cli_token){.type = CLI_CHOICE,
			.text = "json",
			.text_len = 4,
			.hdr.ops = &cli_token_ops};
	ci->inst = calloc(1, sizeof(*ci->inst) + (ci->nr_tokens + 1) * sizeof(ci->inst->tokens[0]));
	if (ci->inst == NULL)
		return -ENOMEM;
	ci->inst->f = dispatch;
	ci->inst->data = ci;
	ci->inst->help_str = cmd->help;
	for (unsigned int i = 0; i < ci->nr_tokens; i++) {
		struct cli_token *t = &ci->tokens[i];

		t->app = cli->app;
		t->not_json = cmd->show != NULL;
		t->hdr.offset = t->type == CLI_REST ? offsetof(struct cmd_args, rest)
						    : offsetof(struct cmd_args, word[i]);
		ci->inst->tokens[i] = &t->hdr;
	}
	cli->ctx[cli->nr_insts++] = ci->inst;
	return 0;
}

static int
cmd_add(struct cli *cli, const struct cmd *cmd)
{
	struct cli_token tokens[CLI_MAX_TOKENS];
	unsigned int required;
	int n = cli_grammar_parse(cmd->grammar, tokens, &required), rc = 0;

	if (n < 0 || !cmd->run == !cmd->show) {
		fprintf(stderr, "bad command in a table: %s\n", cmd->grammar);
		return -EINVAL;
	}
	for (unsigned int i = required; rc == 0 && i <= (unsigned int)n; i++) {
		rc = inst_add(cli, cmd, tokens, i, false);
		if (rc == 0 && cmd->show)
			rc = inst_add(cli, cmd, tokens, i, true);
	}
	return rc;
}

int
cli_init(struct cli *cli, struct app *app)
{
	unsigned int max = 0;
	int rc = 0;

	cli->app = app;
	for (const struct cli_section *s = sections; s; s = s->next)
		max += 2 * CLI_MAX_TOKENS * s->nr_cmds;
	cli->insts = calloc(max, sizeof(*cli->insts));
	cli->ctx = calloc(max + 1, sizeof(*cli->ctx));
	if (cli->insts == NULL || cli->ctx == NULL)
		rc = -ENOMEM;
	for (const struct cli_section *s = sections; s && rc == 0; s = s->next) {
		for (unsigned int i = 0; i < s->nr_cmds && rc == 0; i++)
			rc = cmd_add(cli, &s->cmds[i]);
	}
	if (rc == 0) {
		cli->cl = cmdline_new((cmdline_parse_ctx_t *)cli->ctx, "", -1, -1);
		rc = cli->cl ? 0 : -ENOMEM;
	}
	if (rc)
		cli_fini(cli);
	return rc;
}

void
cli_fini(struct cli *cli)
{
	if (cli->cl)
		cmdline_free(cli->cl);
	for (unsigned int i = 0; i < cli->nr_insts; i++)
		free(cli->insts[i].inst);
	free(cli->insts);
	free(cli->ctx);
	cli->cl = NULL;
	cli->insts = NULL;
	cli->ctx = NULL;
	cli->nr_insts = 0;
}

int
cli_run_line(struct cli *cli, const char *line)
{
	char buf[CLI_LINE_LEN];
	size_t len = strcspn(line, "#\r\n");
	int rc;

	cli->error[0] = '\0';
	cli->reported = false;
	if (strspn(line, " \t") >= len)
		return 0;
	/* librte_cmdline does nothing at all without the newline */
	if (len + 2 > sizeof(buf))
		return cmd_fail(cli->app, -E2BIG, "line of %zu characters; at most %zu are read",
			len, sizeof(buf) - 2);
	memcpy(buf, line, len);
	memcpy(buf + len, "\n", 2);
	cli->rc = 0;
	rc = cmdline_parse(cli->cl, buf);
	if (rc < 0) {
		buf[len] = '\0';
		cli_explain(cli, buf, cli->error, sizeof(cli->error));
		return -EINVAL;
	}
	if (cli->rc && !cli->reported && cli->error[0] == '\0')
		cmd_fail(cli->app, cli->rc, "%s", strerror(-cli->rc));
	fflush(stdout);
	return cli->rc;
}
