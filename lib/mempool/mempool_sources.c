/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Where a pool's settings come from: a file, the environment, the program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cfgfile.h>

#include "mempool_private.h"

#define COMMENT '#'

/* Put "where: " before the error that is in err. */
static int
blame(const char *where, char *err, size_t err_len)
{
	char what[LAB_MEMPOOL_ERR_LEN];

	snprintf(what, sizeof(what), "%s", err);
	snprintf(err, err_len, "%.120s: %s", where, what);
	return -EINVAL;
}

static int
load_entries(const struct rte_cfgfile_entry *e, int n, const char *section,
	struct lab_mempool_settings *s, char *err, size_t err_len)
{
	unsigned int groups = 0;
	char where[CFG_NAME_LEN + 16];

	snprintf(where, sizeof(where), "[%s]", section);
	for (int i = 0; i < n; i++)
		if (lab_settings_set(e[i].name, e[i].value, s, &groups, err, err_len) != 0)
			return blame(where, err, err_len);
	return 0;
}

/* A section that the file does not have changes nothing. */
static int
load_section(struct rte_cfgfile *file, const char *section, struct lab_mempool_settings *s,
	char *err, size_t err_len)
{
	int n = rte_cfgfile_section_num_entries(file, section), ret;
	struct rte_cfgfile_entry *e;

	if (n <= 0)
		return 0;
	e = calloc((size_t)n, sizeof(*e));
	if (e == NULL) {
		snprintf(err, err_len, "no memory");
		return -ENOMEM;
	}
	n = rte_cfgfile_section_entries(file, section, e, n);
	ret = load_entries(e, n, section, s, err, err_len);
	free(e);
	return ret;
}

/* librte_cfgfile skips lines that are neither a section nor key=value: a typing error would pass. */
static int
check_lines(const char *path, char *err, size_t err_len)
{
	FILE *f = fopen(path, "r");
	char line[512];
	int ret = 0;

	if (f == NULL) {
		snprintf(err, err_len, "%s", strerror(errno));
		return -EINVAL;
	}
	for (int nr = 1; ret == 0 && fgets(line, sizeof(line), f) != NULL; nr++) {
		char *c = strchr(line, COMMENT), *first = line + strspn(line, " \t\r\n");

		if (c != NULL)
			*c = '\0';
		if (*first == '\0' || *first == '[' || strchr(first, '=') != NULL)
			continue;
		snprintf(err, err_len, "line %d is neither [section] nor key=value", nr);
		ret = -EINVAL;
	}
	fclose(f);
	return ret;
}

static int
load_file(const char *path, const char *pool, struct lab_mempool_settings *s, char *err,
	size_t err_len)
{
	const struct rte_cfgfile_parameters params = {.comment_character = COMMENT};
	struct rte_cfgfile *file;
	int ret = check_lines(path, err, err_len);

	if (ret != 0)
		return ret;
	file = rte_cfgfile_load_with_params(path, 0, &params);
	if (file == NULL) {
		snprintf(err, err_len, "not a configuration file: sections with key=value lines");
		return -EINVAL;
	}
	ret = load_section(file, "default", s, err, err_len);
	if (ret == 0)
		ret = load_section(file, pool, s, err, err_len);
	rte_cfgfile_close(file);
	return ret;
}

/* An empty variable is an unset one. */
static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' ? v : NULL;
}

/* The defaults and all sources over them; err names the source that was bad. */
int
lab_settings_load(const char *pool, const char *pool_config, struct lab_mempool_settings *s,
	char *err, size_t err_len)
{
	const char *path = env(LAB_MEMPOOL_ENV_CONFIG), *text = env(LAB_MEMPOOL_ENV);

	*s = lab_mempool_settings_default();
	if (path != NULL && load_file(path, pool, s, err, err_len) != 0)
		return blame(path, err, err_len);
	if (text != NULL && lab_mempool_settings_parse(text, s, err, err_len) != 0)
		return blame(LAB_MEMPOOL_ENV, err, err_len);
	if (pool_config != NULL && lab_mempool_settings_parse(pool_config, s, err, err_len) != 0)
		return blame("pool_config", err, err_len);
	return 0;
}
