/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lab_report.h>

#include "diagnose_json.h"

#define WIDTH 100

/** A paragraph, wrapped, with its lines but the first indented. */
static void
paragraph(const char *first, const char *indent, const char *s, FILE *out)
{
	size_t column = strlen(first);
	bool begun = false;

	fputs(first, out);
	while (*s != '\0') {
		size_t n = strcspn(s, " ");

		if (begun && column + 1 + n > WIDTH) {
			fprintf(out, "\n%s", indent);
			column = strlen(indent);
		} else if (begun) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)n, s);
		column += n;
		begun = true;
		s += n + (s[n] == ' ');
	}
	fputc('\n', out);
}

static const char *
string(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static long
integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
print_request(const json_t *rq, FILE *out)
{
	const char *comm = string(rq, "comm"), *by = string(rq, "asked_by");
	const char *module = string(rq, "module"), *kernel = string(rq, "kernel");

	fprintf(out, "%s%sorder %ld", comm ? comm : "", comm ? ": " : "", integer(rq, "order"));
	if (json_is_integer(json_object_get(rq, "size_kb")))
		fprintf(out, " (%ld kB)", integer(rq, "size_kb"));
	fprintf(out, ", %s, held to %s", string(rq, "gfp"), string(rq, "held_to"));
	if (by != NULL)
		fprintf(out, "; asked by %s%s%s%s", by, module ? " [" : "", module ? module : "",
			module ? "]" : "");
	if (kernel != NULL)
		fprintf(out, "; Linux %s", kernel);
	fputc('\n', out);
}

/** A table's cell of a zone: its key there and here. */
static void
copy_cell(json_t *row, const char *name, const json_t *zone, const char *key)
{
	json_t *v = json_object_get(zone, key);

	json_object_set(row, name, v != NULL ? v : json_null());
}

static void
print_arithmetic(const json_t *zones, FILE *out)
{
	json_t *rows = json_array(), *zone;
	size_t i;

	json_array_foreach (zones, i, zone) {
		json_t *row = json_object();

		copy_cell(row, "node", zone, "node");
		copy_cell(row, "zone", zone, "zone");
		copy_cell(row, "free", zone, "free_kb");
		copy_cell(row, "kept back", zone, "kept_back_kb");
		copy_cell(row, "min", zone, "min_kb");
		copy_cell(row, "its share", zone, "share_kb");
		copy_cell(row, "+ reserve", zone, "lowmem_reserve_kb");
		copy_cell(row, "lacks", zone, "lacks_kb");
		copy_cell(row, "spare", zone, "spare_kb");
		copy_cell(row, "largest block", zone, "largest_order");
		copy_cell(row, "gate", zone, "gate");
		json_array_append_new(rows, row);
	}
	fprintf(out,
		"\nkB, of each zone; served if free - kept back > share + reserve, and a block is "
		"there:\n");
	lab_display(rows, LAB_FORMAT_TABLE, out);
	json_decref(rows);
}

static bool
has_blocks(const json_t *zones)
{
	json_t *zone;
	size_t i;

	json_array_foreach (zones, i, zone) {
		if (json_array_size(json_object_get(zone, "blocks")) > 0)
			return true;
	}
	return false;
}

/** Highest order that any zone has an entry with blocks for; 10 at the least, as the kernel's. */
static size_t
orders(const json_t *zones)
{
	size_t i, o, max = 11;
	json_t *zone, *n;

	json_array_foreach (zones, i, zone) {
		json_array_foreach (json_object_get(zone, "blocks"), o, n) {
			if (json_integer_value(n) > 0 && o >= max)
				max = o + 1;
		}
	}
	return max;
}

static void
print_blocks(const json_t *zones, FILE *out)
{
	json_t *rows = json_array(), *zone;
	size_t i, max = orders(zones);

	json_array_foreach (zones, i, zone) {
		json_t *row = json_object(), *blocks = json_object_get(zone, "blocks");
		json_t *types = json_object_get(zone, "block_types");

		copy_cell(row, "node", zone, "node");
		copy_cell(row, "zone", zone, "zone");
		for (size_t o = 0; o < max; o++) {
			const char *letters = json_string_value(json_array_get(types, o));
			char order[24], cell[48];

			snprintf(order, sizeof(order), "%zu", o);
			snprintf(cell, sizeof(cell), "%" JSON_INTEGER_FORMAT "%s%s",
				json_integer_value(json_array_get(blocks, o)),
				letters && *letters ? " " : "", letters ? letters : "");
			json_object_set_new(
				row, order, json_string(json_array_size(blocks) > 0 ? cell : "-"));
		}
		json_array_append_new(rows, row);
	}
	fprintf(out, "\nFree blocks of each order, and in whose lists (U M E: unmovable, movable, "
		     "reclaimable;\nH highatomic, C CMA, I isolated):\n");
	lab_display(rows, LAB_FORMAT_TABLE, out);
	json_decref(rows);
}

static void
print_changes(const json_t *changes, FILE *out)
{
	json_t *c;
	size_t i;

	if (json_array_size(changes) > 0)
		fprintf(out, "\nWould it have been let through with\n");
	json_array_foreach (changes, i, c) {
		char head[160];

		snprintf(head, sizeof(head), "  %-4s %s", string(c, "helps"), string(c, "change"));
		fprintf(out, "%s\n", head);
		paragraph("       ", "       ", string(c, "effect"), out);
		paragraph("       side-effect: ", "       ", string(c, "side_effect"), out);
	}
}

void
diagnose_print(const json_t *d, FILE *out)
{
	const json_t *zones = json_object_get(d, "zones");
	char head[64];
	json_t *note;
	size_t i;

	print_request(json_object_get(d, "request"), out);
	snprintf(head, sizeof(head), "Gate: %s. ", string(d, "gate"));
	paragraph(head, "  ", string(d, "verdict"), out);
	if (json_array_size(zones) > 0)
		print_arithmetic(zones, out);
	if (has_blocks(zones))
		print_blocks(zones, out);
	print_changes(json_object_get(d, "changes"), out);
	if (json_array_size(json_object_get(d, "notes")) > 0)
		fputc('\n', out);
	json_array_foreach (json_object_get(d, "notes"), i, note)
		paragraph("note: ", "      ", json_string_value(note), out);
}
