/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
lab_format_parse(const char *text, enum lab_format *format)
{
	if (text && !strcmp(text, "table"))
		*format = LAB_FORMAT_TABLE;
	else if (text && !strcmp(text, "json"))
		*format = LAB_FORMAT_JSON;
	else
		return -EINVAL;
	return 0;
}

static bool
is_plain(const json_t *v)
{
	return !json_is_object(v) && !json_is_array(v);
}

static bool
same_keys(json_t *a, json_t *b)
{
	const char *key;
	json_t *item;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach (a, key, item) {
		if (!json_object_get(b, key))
			return false;
	}
	return true;
}

/* An object of at least two objects that are alike, such as the ports by name. */
static bool
is_named_rows(json_t *v)
{
	json_t *first = NULL, *item;
	const char *key;

	json_object_foreach (v, key, item) {
		if (!json_is_object(item))
			return false;
		first = first ? first : item;
		if (!same_keys(first, item))
			return false;
	}
	return json_object_size(v) >= 2 && json_object_size(first) > 0;
}

/* An array of objects, or of named ones: a table. */
static bool
is_rows(const json_t *v)
{
	json_t *item;
	size_t i;

	if (json_is_object(v))
		return is_named_rows((json_t *)v);
	json_array_foreach (v, i, item) {
		if (!json_is_object(item))
			return false;
	}
	return json_array_size(v) > 0;
}

/* Characters, not bytes: what a terminal counts. */
static size_t
width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* ------------------------------------------------------------------------- cells */

static void cell_print(const json_t *v, FILE *out);

static void
text_print(const char *s, FILE *out)
{
	for (; *s; s++)
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
}

static void
list_print(const json_t *v, FILE *out)
{
	const char *key;
	json_t *item;
	size_t i, n = 0;

	json_array_foreach (v, i, item) {
		fputs(n++ ? ", " : "", out);
		cell_print(item, out);
	}
	json_object_foreach ((json_t *)v, key, item) {
		fputs(n++ ? " " : "", out);
		text_print(key, out);
		fputc('=', out);
		cell_print(item, out);
	}
	if (n == 0)
		fputc('-', out);
}

static void
cell_print(const json_t *v, FILE *out)
{
	char buf[REPORT_NUM_LEN];

	if (json_is_number(v))
		fputs(report_number(v, buf), out);
	else if (json_is_string(v))
		text_print(json_string_value(v), out);
	else if (json_is_boolean(v))
		fputs(json_is_true(v) ? "yes" : "no", out);
	else if (is_plain(v)) /* null, or not there */
		fputc('-', out);
	else
		list_print(v, out);
}

/* A cell's text, allocated; NULL when memory is short. */
static char *
cell_text(const json_t *v)
{
	char *text = NULL;
	size_t len;
	FILE *mem = open_memstream(&text, &len);

	if (!mem)
		return NULL;
	cell_print(v, mem);
	if (fclose(mem)) {
		free(text);
		return NULL;
	}
	return text;
}

static void
pad(size_t n, FILE *out)
{
	fprintf(out, "%*s", (int)n, "");
}

/* ------------------------------------------------------------------------- tables */

struct table {
	size_t rows, columns, column_room;
	const char **key; /* of each column; borrowed from the JSON; NULL: the rows' names */
	size_t *width;
	bool *right; /* all cells are numbers or missing */
	char **cell; /* rows * columns */
};

static void
table_free(struct table *t)
{
	for (size_t i = 0; t->cell && i < t->rows * t->columns; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t->key);
	free(t->width);
	free(t->right);
}

static int
column_add(struct table *t, const char *key)
{
	for (size_t c = 0; c < t->columns; c++) {
		if (t->key[c] == key || (key && t->key[c] && !strcmp(t->key[c], key)))
			return 0;
	}
	if (t->columns == t->column_room) {
		size_t room = t->column_room ? 2 * t->column_room : 16;
		const char **more = realloc(t->key, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->key = more;
		t->column_room = room;
	}
	t->key[t->columns++] = key;
	return 0;
}

static int
row_columns(struct table *t, json_t *row)
{
	const char *key;
	json_t *item;
	int err = 0;

	json_object_foreach (row, key, item)
		err = err ? err : column_add(t, key);
	return err;
}

static int
table_columns(struct table *t, const json_t *v)
{
	const char *key;
	json_t *row;
	size_t i;
	int err = json_is_object(v) ? column_add(t, NULL) : 0;

	json_array_foreach (v, i, row)
		err = err ? err : row_columns(t, row);
	json_object_foreach ((json_t *)v, key, row)
		err = err ? err : row_columns(t, row);
	if (err)
		return err;
	t->rows = json_is_array(v) ? json_array_size(v) : json_object_size(v);
	t->cell = calloc(t->rows * t->columns + 1, sizeof(*t->cell));
	t->width = calloc(t->columns + 1, sizeof(*t->width));
	t->right = calloc(t->columns + 1, sizeof(*t->right));
	if (!t->cell || !t->width || !t->right)
		return -ENOMEM;
	for (size_t c = 0; c < t->columns; c++) {
		t->width[c] = t->key[c] ? width_of(t->key[c]) : 0;
		t->right[c] = true;
	}
	return 0;
}

static int
row_fill(struct table *t, size_t r, const char *name, const json_t *row)
{
	for (size_t c = 0; c < t->columns; c++) {
		const json_t *v = t->key[c] ? json_object_get(row, t->key[c]) : NULL;
		char *text = t->key[c] ? cell_text(v) : strdup(name);

		if (!text)
			return -ENOMEM;
		t->cell[r * t->columns + c] = text;
		if (width_of(text) > t->width[c])
			t->width[c] = width_of(text);
		if (!t->key[c] || (v && !json_is_number(v) && !json_is_null(v)))
			t->right[c] = false;
	}
	return 0;
}

static int
table_fill(struct table *t, const json_t *v)
{
	const char *key;
	json_t *row;
	size_t i, r = 0;
	int err = 0;

	json_array_foreach (v, i, row)
		err = err ? err : row_fill(t, r++, NULL, row);
	json_object_foreach ((json_t *)v, key, row)
		err = err ? err : row_fill(t, r++, key, row);
	return err;
}

static void
table_line(const struct table *t, size_t indent, const char *const *cell, FILE *out)
{
	pad(indent, out);
	for (size_t c = 0; c < t->columns; c++) {
		const char *text = cell[c] ? cell[c] : "";
		size_t gap = t->width[c] - width_of(text);

		if (c)
			fputs("  ", out);
		if (t->right[c])
			pad(gap, out);
		text_print(text, out);
		if (!t->right[c] && c + 1 < t->columns)
			pad(gap, out);
	}
	fputc('\n', out);
}

static int
rows_print(const json_t *v, size_t indent, FILE *out)
{
	struct table t = {0};
	int err = table_columns(&t, v);

	if (!err)
		err = table_fill(&t, v);
	if (!err) {
		table_line(&t, indent, t.key, out);
		for (size_t r = 0; r < t.rows; r++)
			table_line(&t, indent, (const char *const *)t.cell + r * t.columns, out);
	}
	table_free(&t);
	return err;
}

/* ----------------------------------------------------------------------- sections */

/* What fits behind "key: ": a plain value or a list of them. */
static bool
is_line(const json_t *v)
{
	json_t *item;
	size_t i;

	if (json_is_object(v))
		return json_object_size(v) == 0;
	json_array_foreach (v, i, item) {
		if (!is_plain(item))
			return false;
	}
	return true;
}

static int object_print(const json_t *v, size_t indent, FILE *out);

static int
value_print(const json_t *v, size_t indent, FILE *out)
{
	if (is_rows(v))
		return rows_print(v, indent, out);
	if (json_is_object(v) && json_object_size(v) > 0)
		return object_print(v, indent, out);
	pad(indent, out);
	cell_print(v, out);
	fputc('\n', out);
	return 0;
}

static int
object_print(const json_t *v, size_t indent, FILE *out)
{
	size_t width = 0;
	const char *key;
	json_t *item;
	int err = 0;

	json_object_foreach ((json_t *)v, key, item) {
		if (is_line(item) && width_of(key) > width)
			width = width_of(key);
	}
	json_object_foreach ((json_t *)v, key, item) {
		pad(indent, out);
		text_print(key, out);
		fputc(':', out);
		if (is_line(item)) {
			pad(width - width_of(key) + 1, out);
			cell_print(item, out);
			fputc('\n', out);
			continue;
		}
		fputc('\n', out);
		err = err ? err : value_print(item, indent + 2, out);
	}
	return err;
}

int
lab_display(const json_t *json, enum lab_format format, FILE *out)
{
	int err = 0;

	if (!json || !report_depth_ok(json))
		return -EINVAL;
	if (format == LAB_FORMAT_JSON) {
		/* A full stream makes this fail too: what the stream says is more exact. */
		if (json_dumpf(json, out, REPORT_JSON_FLAGS | JSON_ENCODE_ANY) && !ferror(out))
			err = -ENOMEM;
		fputc('\n', out);
	} else {
		err = value_print(json, 0, out);
	}
	return err ? err : report_stream_error(out);
}
