/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* What people type: a line against the grammars (message and completion), a wire's description, a list
 * of packet lengths, a rate, a duration. Nothing of it is run. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cli.h"
#include "wire_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct app *
app_once(void)
{
	static struct app app;
	static bool made;

	if (!made) {
		options_default(&app.opt);
		lab_assert_always(cli_init(&app.cli, &app) == 0);
		made = true;
	}
	return &app;
}

/* Every answer is a text that ends within its bounds. */
static void
try_line(struct app *app, const char *line)
{
	char small[16], large[CLI_ERROR_LEN], word[64];
	int state = 0;

	cli_explain(&app->cli, line, small, sizeof(small));
	lab_assert_always(memchr(small, '\0', sizeof(small)) != NULL);
	cli_explain(&app->cli, line, large, sizeof(large));
	lab_assert_always(memchr(large, '\0', sizeof(large)) != NULL && large[0] != '\0');
	for (int i = 0; i < 64; i++) {
		if (cmdline_complete(app->cli.cl, line, &state, word, sizeof(word)) <= 0)
			break;
	}
}

static void
try_values(struct app *app, const char *text)
{
	struct wire_spec spec;
	double rate;
	uint64_t ns;

	if (wire_spec_parse(app, text, &spec) == 0)
		lab_assert_always(memchr(spec.name, '\0', sizeof(spec.name)) && spec.name[0]);
	if (options_txpkts(&app->opt, text) == 0)
		lab_assert_always(
			app->opt.nb_tx_segs > 0 && app->opt.nb_tx_segs <= APP_MAX_TX_SEGS);
	if (parse_rate(text, &rate) == 0)
		lab_assert_always(rate >= 0 && rate <= 1e15);
	if (cmd_duration(app, text, &ns) == 0)
		lab_assert_always(ns > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct app *app = app_once();
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) < CLI_LINE_LEN - 2)
		try_line(app, text);
	try_values(app, text);
	free(text);
	return 0;
}
