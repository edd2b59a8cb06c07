/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe.h"

static const char usage[] =
	"Usage: labyrinth-observe diagnose [FILE|-]\n\n"
	"Reads kernel messages (a file, or standard input) and lists those that tell of a page\n"
	"allocation failure. Which gate refused it is not worked out yet.\n\n"
	"  -h, --help   show this and leave\n";

static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {NULL}};

/** The lines that tell of a failure. @return how many */
static unsigned int
list(FILE *in)
{
	unsigned int n = 0;
	char *line = NULL;
	size_t len = 0;

	while (getline(&line, &len, in) > 0) {
		if (strstr(line, "page allocation failure") != NULL) {
			fputs(line, stdout);
			n++;
		}
	}
	free(line);
	return n;
}

int
cmd_diagnose(int argc, char **argv)
{
	const char *path;
	unsigned int n;
	FILE *in;
	int c, failed;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c != 'h')
			return observe_usage_error(argv[0], "wrong option");
		fputs(usage, stdout);
		return OBSERVE_OK;
	}
	if (argc > optind + 1)
		return observe_usage_error(argv[0], "'%s' is one file too many", argv[optind + 1]);
	path = optind < argc ? argv[optind] : "-";
	in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	if (in == NULL)
		return observe_error(argv[0], "%s: %s", path, strerror(errno));
	n = list(in);
	failed = ferror(in);
	if (in != stdin)
		fclose(in);
	if (failed)
		return observe_error(argv[0], "%s cannot be read", path);
	if (n == 0)
		return observe_error(argv[0], "no page allocation failure in it");
	return OBSERVE_OK;
}
