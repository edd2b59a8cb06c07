/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The formulas against the kernel that runs here: what it says of its own zones must be what they
 * give for the same numbers.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lab_base.h"
#include "lab_page.h"

#define TRIES     50
#define MAX_ZONES 64

static unsigned int failures, checks;

static void
expect(const char *what, const char *zone, unsigned long ours, unsigned long kernels)
{
	checks++;
	if (ours == kernels)
		return;
	failures++;
	fprintf(stderr, "zone %s: %s: ours %lu, the kernel's %lu\n", zone, what, ours, kernels);
}

/** A whole file, or NULL. The caller frees it. */
static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;

	if (f == NULL)
		return NULL;
	if (getdelim(&text, &len, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

/* ---------------------------------------------------------------- indices */

/** See debugfs, if need be by a mount that only this process sees. */
static const char *
open_debugfs(void)
{
	const char *dir = "/sys/kernel/debug";

	if (access("/sys/kernel/debug/extfrag/unusable_index", R_OK) == 0)
		return dir;
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("debugfs", dir, "debugfs", 0, NULL) != 0)
		return NULL;
	return access("/sys/kernel/debug/extfrag/unusable_index", R_OK) == 0 ? dir : NULL;
}

/** Read one zone's line of /proc/buddyinfo. @return the length of its "Node, zone" head, or 0. */
static int
parse_buddyinfo(const char *line, struct lab_free_counts *counts)
{
	int head = 0, used = 0;

	memset(counts, 0, sizeof(*counts));
	if (sscanf(line, "Node %*d, zone %*s%n", &head) < 0 || head == 0)
		return 0;
	line += head;
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++, line += used) {
		if (sscanf(line, "%lu%n", &counts->blocks[o][LAB_MIGRATE_MOVABLE], &used) != 1)
			return 0;
	}
	return head;
}

/** The two files as the kernel would print them from /proc/buddyinfo. */
static void
print_indices(const char *buddyinfo, FILE *unusable, FILE *extfrag)
{
	for (const char *line = buddyinfo; *line; line = strchr(line, '\n') + 1) {
		struct lab_free_counts counts;
		int head = parse_buddyinfo(line, &counts);

		if (head == 0)
			return;
		fprintf(unusable, "%.*s ", head, line);
		fprintf(extfrag, "%.*s ", head, line);
		for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
			int u = lab_unusable_free_index(&counts, o);
			int f = lab_fragmentation_index(&counts, o);

			fprintf(unusable, "%d.%03d ", u / 1000, u % 1000);
			fprintf(extfrag, "%2d.%03d ", f / 1000, f % 1000);
		}
		fputc('\n', unusable);
		fputc('\n', extfrag);
	}
}

/** Compare one file with /proc/buddyinfo of the same moment. @return 1 compared, 0 never still. */
static int
compare_index(const char *path, bool extfrag)
{
	int still = 0;

	for (int i = 0; i < TRIES && !still; i++) {
		char *before = read_file("/proc/buddyinfo"), *theirs = read_file(path);
		char *after = read_file("/proc/buddyinfo"), *text[2] = {NULL, NULL};
		size_t len[2];
		FILE *out[2] = {
			open_memstream(&text[0], &len[0]), open_memstream(&text[1], &len[1])};

		still = before && theirs && after && strcmp(before, after) == 0;
		if (still)
			print_indices(before, out[0], out[1]);
		fclose(out[0]);
		fclose(out[1]);
		checks += still;
		if (still && strcmp(text[extfrag], theirs) != 0) {
			failures++;
			fprintf(stderr, "%s differs\nours:\n%s\nthe kernel's:\n%s\n", path,
				text[extfrag], theirs);
		}
		free(before);
		free(theirs);
		free(after);
		free(text[0]);
		free(text[1]);
	}
	return still;
}

/** @return NULL, or why the indices could not be compared. */
static const char *
check_indices(void)
{
	if (access("/proc/buddyinfo", R_OK) != 0)
		return "/proc/buddyinfo cannot be read";
	if (open_debugfs() == NULL)
		return "debugfs cannot be mounted or has no extfrag folder";
	if (!compare_index("/sys/kernel/debug/extfrag/unusable_index", false) ||
		!compare_index("/sys/kernel/debug/extfrag/extfrag_index", true))
		return "the zones never stood still long enough to be compared";
	return NULL;
}

/* ------------------------------------------------------------------ sizes */

struct kernel_zone {
	int node;
	char name[16];
	unsigned long boost, min, low, high, promo, managed;
	unsigned long protection[8];
	unsigned int nr_protection;
	unsigned long batch, high_min, high_max;
	unsigned int cpus;
};

static void
parse_protection(const char *list, struct kernel_zone *z)
{
	char *end;

	for (z->nr_protection = 0; z->nr_protection < LAB_ARRAY_SIZE(z->protection);
		list = end + 1) {
		z->protection[z->nr_protection++] = strtoul(list, &end, 10);
		if (*end != ',')
			return;
	}
}

static void
parse_line(const char *line, struct kernel_zone *z)
{
	const char *protection = strstr(line, "protection: (");

	sscanf(line, " boost %lu", &z->boost);
	sscanf(line, " min %lu", &z->min);
	sscanf(line, " low %lu", &z->low);
	sscanf(line, " high %lu", &z->high);
	sscanf(line, " promo %lu", &z->promo);
	sscanf(line, " managed %lu", &z->managed);
	sscanf(line, " batch: %lu", &z->batch);
	sscanf(line, " high_min: %lu", &z->high_min);
	sscanf(line, " high_max: %lu", &z->high_max);
	z->cpus += strstr(line, " cpu: ") != NULL;
	if (protection != NULL)
		parse_protection(strchr(protection, '(') + 1, z);
}

static unsigned int
parse_zoneinfo(struct kernel_zone zones[MAX_ZONES])
{
	char *text = read_file("/proc/zoneinfo"), *save = NULL;
	unsigned int n = 0;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		struct kernel_zone z = {0};

		if (sscanf(line, "Node %d, zone %15s", &z.node, z.name) == 2) {
			if (n == MAX_ZONES)
				break;
			zones[n++] = z;
		} else if (n > 0) {
			parse_line(line, &zones[n - 1]);
		}
	}
	free(text);
	return n;
}

static unsigned long
read_sysctl(const char *name, unsigned int field)
{
	char path[128], *text;
	unsigned long value = 0;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	text = read_file(path);
	if (text != NULL) {
		char *p = text;

		for (unsigned int i = 0; i <= field; i++)
			value = strtoul(p, &p, 10);
	}
	free(text);
	return value;
}

static void
check_marks(const struct kernel_zone *z)
{
	struct lab_watermarks w = lab_watermarks(
		z->managed, z->min - z->boost, read_sysctl("watermark_scale_factor", 0));

	if (strcmp(z->name, "Movable") == 0) /* its min is capped, so says nothing of the gap */
		return;
	expect("low", z->name, w.low + z->boost, z->low);
	expect("high", z->name, w.high + z->boost, z->high);
	if (z->promo > 0)
		expect("promo", z->name, w.promo + z->boost, z->promo);
}

static void
check_pcp(const struct kernel_zone *z)
{
	unsigned int batch = lab_zone_batchsize(z->managed);

	expect("batch", z->name, batch, z->batch);
	if (z->high_max == 0 || read_sysctl("percpu_pagelist_high_fraction", 0) != 0)
		return;
	expect("high_min", z->name, lab_pcp_high(z->low - z->boost, z->cpus, batch), z->high_min);
	expect("high_max", z->name, lab_pcp_high(z->managed / 8, z->cpus, batch), z->high_max);
}

/** Reserves of zone i against requests whose highest zone is one of those above it in the node. */
static void
check_protection(
	const struct kernel_zone *zones, unsigned int n, unsigned int i, unsigned int index)
{
	unsigned long above = 0, ratio = read_sysctl("lowmem_reserve_ratio", index);

	for (unsigned int j = 1; i + j < n && index + j < zones[i].nr_protection; j++) {
		if (zones[i + j].node != zones[i].node)
			break;
		above += zones[i + j].managed;
		expect("lowmem_reserve", zones[i].name, lab_lowmem_reserve(above, ratio),
			zones[i].protection[index + j]);
	}
}

/** @return NULL, or why the sizes could not be compared. */
static const char *
check_sizes(void)
{
	struct kernel_zone zones[MAX_ZONES];
	unsigned int n = parse_zoneinfo(zones), index = 0;
	struct utsname u;
	int major = 0, minor = 0;

	if (n == 0)
		return "/proc/zoneinfo cannot be read";
	uname(&u);
	if (sscanf(u.release, "%d.%d", &major, &minor) != 2 || major * 100 + minor < 601 ||
		major * 100 + minor > 618)
		return "the formulas are those of Linux 6.1 to 6.18";
	for (unsigned int i = 0; i < n; i++) {
		index = i > 0 && zones[i].node == zones[i - 1].node ? index + 1 : 0;
		if (zones[i].managed == 0)
			continue;
		check_marks(&zones[i]);
		check_pcp(&zones[i]);
		check_protection(zones, n, i, index);
	}
	return NULL;
}

int
main(void)
{
	const char *sizes = check_sizes(), *indices = check_indices();

	printf("%u checks against this kernel, %u failed\n", checks, failures);
	if (sizes != NULL)
		printf("sizes not compared: %s\n", sizes);
	if (indices != NULL)
		printf("indices not compared: %s\n", indices);
	if (failures > 0)
		return 1;
	return sizes != NULL || indices != NULL ? 77 : 0;
}
