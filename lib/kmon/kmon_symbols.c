/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Names of kernel addresses. Whether /proc/kallsyms shows addresses is decided as it is opened, so that is
 * done while the capabilities are there; it is read when the first failure asks for it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kmon_private.h"

void
kmon_symbols_open(struct kmon_symbols *s)
{
	s->file = fopen("/proc/kallsyms", "re");
}

void
kmon_symbols_close(struct kmon_symbols *s)
{
	if (s->file)
		fclose(s->file);
	free(s->list);
	free(s->text);
	memset(s, 0, sizeof(*s));
}

static int
by_address(const void *a, const void *b)
{
	const struct kmon_symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

struct room {
	size_t list, text, used;
};

static bool
grow(struct kmon_symbols *s, struct room *r, size_t name)
{
	if (s->nr == r->list) {
		size_t more = r->list ? 2 * r->list : 65536;
		void *list = realloc(s->list, more * sizeof(*s->list));

		if (list == NULL)
			return false;
		s->list = list;
		r->list = more;
	}
	if (r->used + name > r->text) {
		size_t more = r->text ? 2 * r->text : 1 << 20;
		char *text = realloc(s->text, more);

		if (text == NULL)
			return false;
		s->text = text;
		r->text = more;
	}
	return true;
}

/* "ffffffff81000000 T name [module]"; only code. */
static bool
add_line(struct kmon_symbols *s, struct room *r, const char *line)
{
	uint64_t address;
	char type, name[128];
	size_t len;

	if (sscanf(line, "%" SCNx64 " %c %127s", &address, &type, name) != 3 || address == 0 ||
		!strchr("tTwW", type))
		return true;
	len = strlen(name) + 1;
	if (!grow(s, r, len))
		return false;
	memcpy(s->text + r->used, name, len);
	s->list[s->nr++] = (struct kmon_symbol){address, r->used};
	r->used += len;
	return true;
}

static void
load(struct kmon_symbols *s)
{
	struct room room = {0};
	char line[512];

	while (fgets(line, sizeof(line), s->file) && add_line(s, &room, line))
		;
	fclose(s->file);
	s->file = NULL;
	if (s->list)
		qsort(s->list, s->nr, sizeof(*s->list), by_address);
}

/* The last symbol at or below the address. */
static const struct kmon_symbol *
find(const struct kmon_symbols *s, uint64_t address)
{
	size_t lo = 0, hi = s->nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->list[mid].address <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &s->list[lo - 1] : NULL;
}

const char *
lab_kmon_symbol(struct lab_kmon *k, uint64_t address, char *buf, size_t len)
{
	struct kmon_symbols *s = &k->symbols;
	const struct kmon_symbol *f;

	if (s->file)
		load(s);
	f = find(s, address);
	if (f)
		snprintf(buf, len, "%s+0x%" PRIx64, s->text + f->name, address - f->address);
	else
		snprintf(buf, len, "0x%" PRIx64, address);
	return buf;
}
