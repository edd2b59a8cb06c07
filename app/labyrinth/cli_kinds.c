/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Kinds of arguments: what completion offers for them. */

#include <string.h>

#include <lab_frag.h>

#include "app.h"
#include "cli_grammar.h"

static int
copy(const char *name, char *buf, size_t len)
{
	if (name == NULL)
		return -1;
	snprintf(buf, len, "%s", name);
	return 0;
}

static int
port_elt(struct app *app, int i, char *buf, size_t len)
{
	PORT_FOREACH (app, id) {
		if (i-- == 0) {
			snprintf(buf, len, "%u", id);
			return 0;
		}
	}
	return -1;
}

static int
port_all_elt(struct app *app, int i, char *buf, size_t len)
{
	return i == 0 ? copy("all", buf, len) : port_elt(app, i - 1, buf, len);
}

static int
mode_elt(struct app *app, int i, char *buf, size_t len)
{
	const struct fwd_engine *e = fwd_engines();

	RTE_SET_USED(app);
	while (e && i-- > 0)
		e = e->next;
	return copy(e ? e->name : NULL, buf, len);
}

static int
model_elt(struct app *app, int i, char *buf, size_t len)
{
	RTE_SET_USED(app);
	return i < LAB_NR_AGE_MODELS ? copy(lab_age_model_name(i), buf, len) : -1;
}

static int
pool_elt(struct app *app, int i, char *buf, size_t len)
{
	return i < (int)app->pools.nr ? copy(app->pools.list[i].cfg.name, buf, len) : -1;
}

static int
section_elt(struct app *app, int i, char *buf, size_t len)
{
	const struct cli_section *s = cli_sections();

	RTE_SET_USED(app);
	if (i-- == 0)
		return copy("all", buf, len);
	while (s && i-- > 0)
		s = s->next;
	return copy(s ? s->name : NULL, buf, len);
}

static const struct cli_kind kinds[] = {
	{"port", port_elt, false},
	{"port|all", port_all_elt, false},
	{"mode", mode_elt, false},
	{"model", model_elt, true},
	{"pool", pool_elt, false},
	{"section", section_elt, false},
};

const struct cli_kind *
cli_kind_find(const char *name, size_t len)
{
	for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
		if (strlen(kinds[i].name) == len && !strncmp(kinds[i].name, name, len))
			return &kinds[i];
	}
	return NULL;
}
