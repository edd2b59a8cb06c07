/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_report.h"

static void
assert_shown(const char *json_text, enum lab_format format, const char *want)
{
	json_error_t error;
	json_t *json = json_loads(json_text, JSON_DECODE_ANY, &error);
	char *got = NULL;
	size_t len;
	FILE *out = open_memstream(&got, &len);

	assert_non_null(json);
	assert_int_equal(lab_display(json, format, out), 0);
	fclose(out);
	assert_string_equal(got, want);
	free(got);
	json_decref(json);
}

static void
test_object_is_lines(void **state)
{
	assert_shown("{\"offered\": 1234567, \"in\": -1234, \"neg\": -12345, \"share\": 0.25, "
		     "\"name\": \"wire0\", \"up\": true, \"down\": false, \"none\": null}",
		LAB_FORMAT_TABLE,
		"offered: 1,234,567\n"
		"in:      -1234\n"
		"neg:     -12,345\n"
		"share:   0.25\n"
		"name:    wire0\n"
		"up:      yes\n"
		"down:    no\n"
		"none:    -\n");
}

static void
test_integers_to_their_ends(void **state)
{
	assert_shown("[9999, 10000, 999999, 1000000, 9223372036854775807, -9223372036854775808]",
		LAB_FORMAT_TABLE,
		"9999, 10,000, 999,999, 1,000,000, 9,223,372,036,854,775,807, "
		"-9,223,372,036,854,775,808\n");
}

static void
test_array_of_objects_is_a_table(void **state)
{
	assert_shown("[{\"order\": 0, \"cause\": \"watermark\", \"n\": 5},"
		     " {\"order\": 10, \"cause\": \"x\", \"n\": 12345, \"more\": \"late\"},"
		     " {\"n\": null}]",
		LAB_FORMAT_TABLE,
		"order  cause           n  more\n"
		"    0  watermark       5  -\n"
		"   10  x          12,345  late\n"
		"    -  -               -  -\n");
}

static void
test_alike_objects_are_rows(void **state)
{
	assert_shown("{\"ports\": {\"wire0\": {\"rx\": 1, \"drops\": {\"a\": 2, \"b\": 3}},"
		     " \"w1\": {\"rx\": 10, \"drops\": {}}}}",
		LAB_FORMAT_TABLE,
		"ports:\n"
		"         rx  drops\n"
		"  wire0   1  a=2 b=3\n"
		"  w1     10  -\n");
	/* Different ones are sections. */
	assert_shown("{\"a\": {\"x\": 1}, \"b\": {\"y\": [1, 2]}, \"c\": []}", LAB_FORMAT_TABLE,
		"a:\n  x: 1\nb:\n  y: 1, 2\nc: -\n");
}

static void
test_wide_and_bad_text(void **state)
{
	assert_shown("[{\"name\": \"\\u00e9t\\u00e9\", \"n\": 1}, {\"name\": \"a\\nb\\u001b[31m\", "
		     "\"n\": 2}]",
		LAB_FORMAT_TABLE,
		"name      n\n"
		"\u00e9t\u00e9       1\n"
		"a?b?[31m  2\n");
}

static void
test_empty(void **state)
{
	assert_shown("{}", LAB_FORMAT_TABLE, "-\n");
	assert_shown("[]", LAB_FORMAT_TABLE, "-\n");
	assert_shown("[{}]", LAB_FORMAT_TABLE, "\n\n");
	assert_shown("\"text\"", LAB_FORMAT_TABLE, "text\n");
	assert_shown("{}", LAB_FORMAT_JSON, "{}\n");
	assert_shown("7", LAB_FORMAT_JSON, "7\n");
}

static void
test_json_reads_back(void **state)
{
	const char *text = "{\"a\": [1, 2.5, \"x\\u0007<&\"], \"b\": {\"c\": null}, \"p\": 0.05}";
	json_t *json = json_loads(text, 0, NULL), *back;
	char *got = NULL;
	size_t len;
	FILE *out = open_memstream(&got, &len);

	assert_int_equal(lab_display(json, LAB_FORMAT_JSON, out), 0);
	fclose(out);
	back = json_loads(got, 0, NULL);
	assert_true(json_equal(json, back));
	assert_non_null(strstr(got, "\"p\": 0.05")); /* and not 0.050000000000000003 */
	json_decref(json);
	json_decref(back);
	free(got);
}

static void
test_bad_input(void **state)
{
	json_t *deep = json_array(), *in = deep;
	enum lab_format f;

	assert_int_equal(lab_display(NULL, LAB_FORMAT_TABLE, stdout), -EINVAL);
	for (int i = 1; i < 16; i++) {
		json_array_append_new(in, json_array());
		in = json_array_get(in, 0);
	}
	{
		FILE *null = fopen("/dev/null", "w");

		assert_int_equal(lab_display(deep, LAB_FORMAT_TABLE, null), 0);
		json_array_append_new(in, json_object());
		assert_int_equal(lab_display(deep, LAB_FORMAT_TABLE, null), -EINVAL);
		assert_int_equal(lab_display(deep, LAB_FORMAT_JSON, null), -EINVAL);
		fclose(null);
	}
	json_decref(deep);
	assert_int_equal(lab_format_parse("json", &f), 0);
	assert_int_equal(f, LAB_FORMAT_JSON);
	assert_int_equal(lab_format_parse("table", &f), 0);
	assert_int_equal(lab_format_parse("yaml", &f), -EINVAL);
	assert_int_equal(lab_format_parse(NULL, &f), -EINVAL);
}

static void
test_full_disk_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	json_t *json = json_pack("{s:i}", "a", 1);

	if (!full)
		skip();
	assert_int_equal(lab_display(json, LAB_FORMAT_TABLE, full), -ENOSPC);
	fclose(full);
	full = fopen("/dev/full", "w");
	assert_int_equal(lab_display(json, LAB_FORMAT_JSON, full), -ENOSPC);
	fclose(full);
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object_is_lines),
		cmocka_unit_test(test_integers_to_their_ends),
		cmocka_unit_test(test_array_of_objects_is_a_table),
		cmocka_unit_test(test_alike_objects_are_rows),
		cmocka_unit_test(test_wide_and_bad_text),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_json_reads_back),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
