/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <string.h>

#include "app.h"

static void
print_section(const struct cli_section *s)
{
	printf("\n%s:\n", s->title);
	for (size_t i = 0; i <= strlen(s->title); i++)
		putchar('-');
	putchar('\n');
	for (unsigned int i = 0; i < s->nr_cmds; i++)
		printf("\n%s%s\n    %s\n", s->cmds[i].grammar, s->cmds[i].show ? " [json]" : "",
			s->cmds[i].help);
	putchar('\n');
}

static void
print_overview(void)
{
	printf("\nHelp is available for the following sections:\n\n");
	for (const struct cli_section *s = cli_sections(); s; s = s->next)
		printf("    help %-28s: %s.\n", s->name, s->title);
	printf("    help %-28s: All of the above sections.\n\n", "all");
}

int
cli_help(struct cli *cli, const char *section)
{
	bool all = section && !strcmp(section, "all"), any = false;

	if (section == NULL) {
		print_overview();
		return 0;
	}
	for (const struct cli_section *s = cli_sections(); s; s = s->next) {
		if (all || !strcmp(section, s->name)) {
			print_section(s);
			any = true;
		}
	}
	if (!any)
		return cmd_fail(
			cli->app, -ENOENT, "no help section '%s'; 'help' lists them", section);
	return 0;
}
