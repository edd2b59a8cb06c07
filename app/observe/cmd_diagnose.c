/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lab_report.h>

#include "diagnose_json.h"
#include "lab_base.h"
#include "observe.h"

/* More than any log that somebody pastes; it keeps /dev/zero from taking all memory. */
#define MAX_TEXT (256UL << 20)

static const char usage[] =
	"Usage: labyrinth-observe diagnose [options] [FILE|-]\n"
	"       labyrinth-observe diagnose --live [--proc=DIR] [--order=N] [--gfp=FLAGS]\n\n"
	"Reads kernel messages (a file, or standard input: dmesg, journalctl -k, a syslog, a mail) "
	"and "
	"says of\neach \"page allocation failure\" which gate refused the page, with the kernel's "
	"own "
	"arithmetic, and\nwhat would have let it through. Failures that are alike are shown "
	"once.\n\n"
	"  -l, --live        in place of a message: would such a request be refused now?\n"
	"      --proc=DIR    read this folder in place of /proc (recorded files); implies --live\n"
	"  -o, --order=N     of the request, 0 to 10 (default 0), with --live\n"
	"  -g, --gfp=FLAGS   of the request, e.g. GFP_ATOMIC|__GFP_COMP (the default is "
	"GFP_ATOMIC)\n"
	"  -a, --all         show every failure in full\n"
	"  -j, --json        for programs\n"
	"  -h, --help        show this and leave\n\n"
	"Exit codes: 0 a diagnosis was made, 1 there was nothing to diagnose, 2 wrong arguments.\n"
	"docs/diagnose.md explains the gates and the columns.\n";

static const struct option longs[] = {{"live", no_argument, NULL, 'l'},
	{"proc", required_argument, NULL, 'p'}, {"order", required_argument, NULL, 'o'},
	{"gfp", required_argument, NULL, 'g'}, {"all", no_argument, NULL, 'a'},
	{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL}};

struct options {
	const char *command;
	bool live, all, json, help;
	bool has_request; /**< --order or --gfp was given */
	const char *proc, *path;
	unsigned int order;
	lab_gfp_t gfp;
};

/* ------------------------------------------------------------------ options */

static int
parse_order(struct options *o, const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v > LAB_MAX_ORDER)
		return observe_usage_error(o->command, "--order: '%s' is not a number from 0 to %d",
			text, LAB_MAX_ORDER);
	o->order = (unsigned int)v;
	o->has_request = true;
	return OBSERVE_OK;
}

static int
parse_gfp(struct options *o, const char *text)
{
	if (lab_gfp_parse(text, &o->gfp) != 0)
		return observe_usage_error(o->command,
			"--gfp: '%s' is neither names like GFP_ATOMIC|__GFP_COMP nor a number",
			text);
	o->has_request = true;
	return OBSERVE_OK;
}

static int
parse_one(struct options *o, int c)
{
	switch (c) {
	case 'l':
		o->live = true;
		return OBSERVE_OK;
	case 'p':
		o->proc = optarg;
		o->live = true;
		return OBSERVE_OK;
	case 'o':
		return parse_order(o, optarg);
	case 'g':
		return parse_gfp(o, optarg);
	case 'a':
		o->all = true;
		return OBSERVE_OK;
	case 'j':
		o->json = true;
		return OBSERVE_OK;
	case 'h':
		o->help = true;
		return OBSERVE_OK;
	default:
		return observe_usage_error(o->command, "wrong option");
	}
}

static int
parse(struct options *o, int argc, char **argv)
{
	int c, ret = OBSERVE_OK;

	*o = (struct options){.command = argv[0], .proc = "/proc", .gfp = LAB_GFP_ATOMIC};
	while (ret == OBSERVE_OK && (c = getopt_long(argc, argv, "lo:g:ajh", longs, NULL)) != -1)
		ret = parse_one(o, c);
	if (ret != OBSERVE_OK || o->help)
		return ret;
	if (argc - optind > (o->live ? 0 : 1))
		return observe_usage_error(o->command,
			o->live ? "'%s': with --live there is no file to read"
				: "'%s' is one file too many",
			argv[argc - 1]);
	if (o->has_request && !o->live)
		return observe_usage_error(o->command,
			"--order and --gfp go with --live: a message has "
			"its own");
	o->path = optind < argc ? argv[optind] : "-";
	return OBSERVE_OK;
}

/* ----------------------------------------------------------------- the texts */

/** All that a stream has, terminated. @return NULL and errno */
static char *
read_stream(FILE *in, size_t *len)
{
	size_t size = 1 << 16, n = 0, got;
	char *text = malloc(size + 1);

	while (text != NULL && (got = fread(text + n, 1, size - n, in)) > 0) {
		n += got;
		if (n < size)
			continue;
		size *= 2;
		char *more = size <= MAX_TEXT ? realloc(text, size + 1) : NULL;

		if (more == NULL) {
			free(text);
			errno = size <= MAX_TEXT ? ENOMEM : EFBIG;
			return NULL;
		}
		text = more;
	}
	if (text != NULL && ferror(in)) {
		free(text);
		return NULL;
	}
	if (text != NULL)
		text[n] = '\0';
	*len = n;
	return text;
}

static char *
read_file(const char *path, size_t *len)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *text = in != NULL ? read_stream(in, len) : NULL;
	int err = errno;

	if (in != NULL && in != stdin)
		fclose(in);
	errno = err;
	return text;
}

/* ------------------------------------------------------------------ messages */

/** What has been found. */
struct found {
	const struct options *o;
	json_t *diagnoses;
	bool failed;
};

static int
diagnose_one(const struct lab_diag_report *r, void *arg)
{
	static struct lab_diagnosis d;
	struct found *f = arg;
	json_t *json;

	lab_diagnose(r, &d);
	json = diagnose_json(r, &d);
	if (json == NULL || json_array_append_new(f->diagnoses, json) != 0)
		return -ENOMEM;
	return 0;
}

/** Failures are alike if who asked, for what, and the gate are the same: not the figures. */
static bool
alike(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"order", "gfp", "asked_by", "kernel", "comm"};
	const json_t *ra = json_object_get(a, "request"), *rb = json_object_get(b, "request");

	for (size_t i = 0; i < LAB_ARRAY_SIZE(keys) - 1; i++) {
		if (!json_equal(json_object_get(ra, keys[i]), json_object_get(rb, keys[i])))
			return false;
	}
	return json_equal(json_object_get(a, "gate"), json_object_get(b, "gate"));
}

/** How many behind i are like it; 0 if one before it was. */
static size_t
count_alike(const json_t *list, size_t i)
{
	const json_t *d = json_array_get(list, i);
	size_t n = 1;

	for (size_t j = 0; j < i; j++) {
		if (alike(json_array_get(list, j), d))
			return 0;
	}
	for (size_t j = i + 1; j < json_array_size(list); j++)
		n += alike(d, json_array_get(list, j));
	return n;
}

static void
print_all(const json_t *list, bool all)
{
	size_t total = json_array_size(list);

	for (size_t i = 0; i < total; i++) {
		size_t n = all ? 1 : count_alike(list, i);
		const json_t *d = json_array_get(list, i);

		if (n == 0)
			continue;
		if (total > 1)
			printf("%s--- failure %zu of %zu, line %d%s", i > 0 ? "\n" : "", i + 1,
				total,
				(int)json_integer_value(
					json_object_get(json_object_get(d, "request"), "line")),
				n > 1 ? "" : "\n");
		if (n > 1)
			printf("; %zu like it follow and are not shown\n", n - 1);
		diagnose_print(d, stdout);
	}
}

static int
show(const struct options *o, json_t *diagnoses)
{
	json_t *doc;

	if (!o->json) {
		print_all(diagnoses, o->all || o->live);
		return OBSERVE_OK;
	}
	doc = json_pack("{s:O}", "diagnoses", diagnoses);
	lab_display(doc, LAB_FORMAT_JSON, stdout);
	json_decref(doc);
	return OBSERVE_OK;
}

static int
nothing_found(const struct options *o, const char *text, size_t len)
{
	unsigned int oom = lab_diag_count_oom(text, len);

	if (oom > 0)
		return observe_error(o->command,
			"no page allocation failure in it, but %u OOM report%s: there a request "
			"that may "
			"wait found nothing to reclaim, and a process was killed for it",
			oom, oom > 1 ? "s" : "");
	return observe_error(o->command,
		"no page allocation failure in it (looked for \"page allocation "
		"failure: order:\"); requests with __GFP_NOWARN leave no message");
}

static int
diagnose_text(const struct options *o)
{
	struct found f = {.o = o, .diagnoses = json_array()};
	size_t len = 0;
	char *text = read_file(o->path, &len);
	int ret = OBSERVE_OK;
	long n;

	if (text == NULL) {
		json_decref(f.diagnoses);
		return observe_error(o->command, "%s: %s", o->path, strerror(errno));
	}
	n = lab_diag_parse(text, len, diagnose_one, &f);
	if (n < 0)
		ret = observe_error(o->command, "%s", strerror((int)-n));
	else if (n == 0)
		ret = nothing_found(o, text, len);
	else
		ret = show(o, f.diagnoses);
	json_decref(f.diagnoses);
	free(text);
	return ret;
}

/* ---------------------------------------------------------------------- /proc */

static char *
read_proc_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	size_t len;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return read_file(path, &len);
}

static const char *const proc_files[] = {"zoneinfo", "buddyinfo", "pagetypeinfo",
	"sys/kernel/osrelease", "sys/vm/min_free_kbytes", "sys/vm/watermark_scale_factor",
	"sys/vm/lowmem_reserve_ratio"};

static void
set_request(const struct options *o, struct lab_diag_report *r)
{
	r->order = (int)o->order;
	r->has_mode = true;
	r->mode = o->gfp;
	lab_gfp_format(o->gfp, r->gfp_names, sizeof(r->gfp_names));
	if (strcmp(o->proc, "/proc") == 0) {
		r->page_kb = (unsigned int)(sysconf(_SC_PAGESIZE) / 1024);
		r->page_kb_known = true;
	}
}

static int
diagnose_proc(const struct options *o, char *texts[])
{
	struct lab_diag_proc proc = {
		texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6]};
	static struct lab_diag_report r;
	struct found f = {.o = o, .diagnoses = json_array()};
	int ret = lab_diag_read_proc(&proc, &r);

	if (ret == 0) {
		set_request(o, &r);
		ret = diagnose_one(&r, &f);
	}
	if (ret == 0)
		show(o, f.diagnoses);
	json_decref(f.diagnoses);
	if (ret == -EINVAL)
		return observe_error(
			o->command, "%s/zoneinfo has no zone with memory in it", o->proc);
	return ret == 0 ? OBSERVE_OK : observe_error(o->command, "%s", strerror(-ret));
}

static int
diagnose_live(const struct options *o)
{
	char *texts[LAB_ARRAY_SIZE(proc_files)];
	int ret;

	for (size_t i = 0; i < LAB_ARRAY_SIZE(proc_files); i++) {
		texts[i] = read_proc_file(o->proc, proc_files[i]);
		if (texts[i] == NULL && i <= 2)
			fprintf(stderr, "labyrinth-observe %s: %s/%s: %s%s\n", o->command, o->proc,
				proc_files[i], strerror(errno),
				i == 2 ? "; which lists the blocks are in is not known" : "");
	}
	ret = texts[0] != NULL ? diagnose_proc(o, texts) : OBSERVE_FAILED;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(proc_files); i++)
		free(texts[i]);
	return ret;
}

int
cmd_diagnose(int argc, char **argv)
{
	struct options o;
	int ret = parse(&o, argc, argv);

	if (ret != OBSERVE_OK)
		return ret;
	if (o.help) {
		fputs(usage, stdout);
		return OBSERVE_OK;
	}
	return o.live ? diagnose_live(&o) : diagnose_text(&o);
}
