/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What differs between kernels and is written in their BTF: the numbers of drop reasons, migratetypes and
 * gfp bits, the place of an argument, the name of a function. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmon_private.h"
#include "lab_base.h"
#include "lab_page.h"

#define REASON_PREFIX    "SKB_DROP_REASON_"
#define SUBSYSTEM_PREFIX "SKB_DROP_REASON_SUBSYS_"

/* Reasons that are a sort of their own; all others are KMON_DROP_OTHER. */
static const struct {
	const char *name;
	enum kmon_category category;
} sorts[] = {
	{"NOT_SPECIFIED", KMON_DROP_UNSPECIFIED},
	{"NOMEM", KMON_DROP_MEMORY},
	{"PFMEMALLOC", KMON_DROP_MEMORY},
	{"SOCKET_RCVBUFF", KMON_DROP_SOCKET},
	{"SOCKET_BACKLOG", KMON_DROP_SOCKET},
	{"PROTO_MEM", KMON_DROP_PROTO_MEM},
	{"CPU_BACKLOG", KMON_DROP_BACKLOG},
	{"UNHANDLED_PROTO", KMON_DROP_UNHANDLED},
	{"FULL_RING", KMON_DROP_QUEUE},
	{"QDISC_DROP", KMON_DROP_QUEUE},
	{"QDISC_OVERLIMIT", KMON_DROP_QUEUE},
	{"QDISC_CONGESTED", KMON_DROP_QUEUE},
};

static enum kmon_category
category_of(const char *name)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(sorts); i++) {
		if (!strcmp(sorts[i].name, name))
			return sorts[i].category;
	}
	return KMON_DROP_OTHER;
}

static bool
has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Call fn for each name and number of an enum. */
typedef int (*enum_fn)(const char *name, int64_t value, void *arg);

static int
enum_walk(const struct btf *btf, const struct btf_type *t, enum_fn fn, void *arg)
{
	int err = 0;

	for (int i = 0; i < btf_vlen(t) && !err; i++) {
		const struct btf_enum *e = btf_enum(t) + i;

		err = fn(btf__name_by_offset(btf, e->name_off), e->val, arg);
	}
	return err;
}

static int
enum_walk_name(const struct btf *btf, const char *name, enum_fn fn, void *arg)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_ENUM);

	return id < 0 ? -ENOENT : enum_walk(btf, btf__type_by_id(btf, id), fn, arg);
}

/* SKB_NOT_DROPPED_YET and SKB_CONSUMED have no DROP in their name: they are no drops. */
static int
add_reason(const char *name, int64_t value, void *arg)
{
	struct kmon_names *n = arg;
	const char *text;

	if (value < 0 || value >= KMON_REASONS || has_prefix(name, SUBSYSTEM_PREFIX))
		return 0;
	if (!has_prefix(name, REASON_PREFIX)) {
		n->category[value] = KMON_DROP_NONE;
		text = name;
	} else {
		text = name + strlen(REASON_PREFIX);
		if (!strcmp(text, "MAX"))
			return 0;
		n->category[value] = category_of(text);
		if (n->category[value] == KMON_DROP_UNSPECIFIED)
			n->unspecified = value;
	}
	free(n->reason[0][value]);
	n->reason[0][value] = strdup(text);
	return n->reason[0][value] ? 0 : -ENOMEM;
}

static int
add_subsystem(const char *name, int64_t value, void *arg)
{
	struct kmon_names *n = arg;

	if (value <= 0 || value >= KMON_SUBSYSTEMS || !has_prefix(name, SUBSYSTEM_PREFIX))
		return 0;
	free(n->subsystem[value]);
	n->subsystem[value] = strdup(name + strlen(SUBSYSTEM_PREFIX));
	return n->subsystem[value] ? 0 : -ENOMEM;
}

/* As pagetypeinfo calls them. */
static int
add_type(const char *name, int64_t value, void *arg)
{
	static const struct {
		const char *btf, *name;
	} known[] = {
		{"MIGRATE_UNMOVABLE", "Unmovable"},
		{"MIGRATE_MOVABLE", "Movable"},
		{"MIGRATE_RECLAIMABLE", "Reclaimable"},
		{"MIGRATE_HIGHATOMIC", "HighAtomic"},
		{"MIGRATE_CMA", "CMA"},
		{"MIGRATE_ISOLATE", "Isolate"},
	};
	struct kmon_names *n = arg;

	for (size_t i = 0; i < LAB_ARRAY_SIZE(known); i++) {
		if (value >= 0 && value < KMON_TYPES && !strcmp(known[i].btf, name))
			snprintf(n->type[value], sizeof(n->type[value]), "%s", known[i].name);
	}
	return 0;
}

/* Since 6.10 the bits of gfp_t are an enum without a name; before, they were macros with fixed values. */
static int
add_gfp_bit(const char *name, int64_t value, void *arg)
{
	struct kmon_names *n = arg;
	unsigned int bit;

	if (value < 0 || value > 31)
		return 0;
	bit = 1U << value;
	if (!strcmp(name, "___GFP_HIGH_BIT"))
		n->gfp_high = bit;
	else if (!strcmp(name, "___GFP_DIRECT_RECLAIM_BIT"))
		n->gfp_direct_reclaim = bit;
	else if (!strcmp(name, "___GFP_ACCOUNT_BIT"))
		n->gfp_account = bit;
	else if (!strcmp(name, "___GFP_NOWARN_BIT"))
		n->gfp_attempt |= bit;
	else if (!strcmp(name, "___GFP_NORETRY_BIT"))
		n->gfp_attempt |= bit;
	return 0;
}

static void
read_gfp(struct kmon_names *n, const struct btf *btf)
{
	n->gfp_high = __LAB_GFP_HIGH;
	n->gfp_direct_reclaim = __LAB_GFP_DIRECT_RECLAIM;
	n->gfp_account = __LAB_GFP_ACCOUNT;
	n->gfp_attempt = __LAB_GFP_NOWARN | __LAB_GFP_NORETRY;
	for (unsigned int id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_enum(t) || t->name_off || btf_vlen(t) == 0 ||
			strcmp(btf__name_by_offset(btf, btf_enum(t)->name_off), "___GFP_DMA_BIT"))
			continue;
		n->gfp_attempt = 0;
		enum_walk(btf, t, add_gfp_bit, n);
		return;
	}
}

/* The prototype that a tracepoint's programs see; its parameter 0 is not passed on. */
static const struct btf_type *
tracepoint_proto(const struct btf *btf, const char *tracepoint)
{
	const struct btf_type *t;
	char name[64];
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return NULL;
	t = btf__type_by_id(btf, id);
	t = btf__type_by_id(btf, t->type);
	if (t && btf_is_ptr(t))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_func_proto(t) ? t : NULL;
}

/* Which argument of kfree_skb is the reason: it came in 5.17, and others have come since. */
static unsigned int
find_reason_arg(const struct btf *btf)
{
	const struct btf_type *t, *proto = tracepoint_proto(btf, "kfree_skb");

	for (int i = 1; proto && i < btf_vlen(proto); i++) {
		t = btf__type_by_id(btf, btf_params(proto)[i].type);
		if (t && btf_is_enum(t) &&
			!strcmp(btf__name_by_offset(btf, t->name_off), "skb_drop_reason"))
			return i - 1;
	}
	return 0;
}

/* Also an order of preference: the later ones are called by, or were renamed to, the earlier. */
static const char *
find_alloc_function(const struct btf *btf)
{
	static const char *const names[] = {
		"__alloc_frozen_pages_noprof", "__alloc_pages_noprof", "__alloc_pages"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(names); i++) {
		if (btf__find_by_name_kind(btf, names[i], BTF_KIND_FUNC) > 0)
			return names[i];
	}
	return NULL;
}

/* All that is freed as dropped is, then, for no stated reason. */
static int
add_no_reasons(struct kmon_names *n)
{
	return add_reason(REASON_PREFIX "NOT_SPECIFIED", 0, n);
}

int
kmon_names_read(struct kmon_names *n, const struct btf *btf)
{
	int err;

	memset(n->category, KMON_DROP_OTHER, sizeof(n->category));
	n->category[0] = KMON_DROP_NONE;
	err = enum_walk_name(btf, "skb_drop_reason", add_reason, n);
	if (err == -ENOENT)
		err = add_no_reasons(n);
	if (err == 0)
		err = enum_walk_name(btf, "skb_drop_reason_subsys", add_subsystem, n);
	if (err == 0 || err == -ENOENT)
		err = enum_walk_name(btf, "migratetype", add_type, n);
	read_gfp(n, btf);
	n->reason_arg = find_reason_arg(btf);
	n->alloc_function = find_alloc_function(btf);
	for (int p = 0; p < NR_PROGRAMS; p++)
		n->tracepoint[p] = kmon_tracepoint(p)
					   ? tracepoint_proto(btf, kmon_tracepoint(p)) != NULL
					   : n->alloc_function != NULL;
	return err == -ENOENT ? 0 : err;
}

int
kmon_names_init(struct kmon_names *n)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int err;

	if (btf == NULL)
		return errno == ENOMEM ? -ENOMEM : -ENOTSUP;
	err = kmon_names_read(n, btf);
	btf__free(btf);
	return err;
}

void
kmon_names_fini(struct kmon_names *n)
{
	for (int s = 0; s < KMON_SUBSYSTEMS; s++) {
		for (int r = 0; r < KMON_REASONS; r++)
			free(n->reason[s][r]);
		free(n->subsystem[s]);
	}
}

const char *
lab_kmon_type_name(const struct lab_kmon *k, uint32_t type)
{
	if (type >= KMON_TYPES || k->names.type[type][0] == '\0')
		return "?";
	return k->names.type[type];
}

/* Those of modules are not in the kernel's own BTF: they get the subsystem and their number. */
static char *
make_name(const struct kmon_names *n, unsigned int subsystem, unsigned int number)
{
	char *text = NULL;
	int len;

	if (subsystem == 0)
		len = asprintf(&text, "reason_%u", number);
	else if (n->subsystem[subsystem])
		len = asprintf(&text, "%s_%u", n->subsystem[subsystem], number);
	else
		len = asprintf(&text, "subsystem%u_%u", subsystem, number);
	return len < 0 ? NULL : text;
}

const char *
lab_kmon_reason_name(const struct lab_kmon *k, uint32_t reason)
{
	/* names are made on demand: a cache, which no caller can see */
	struct kmon_names *n = (struct kmon_names *)&k->names;
	unsigned int subsystem = reason >> 16, number = reason & 0xffff;
	char **name;

	if (subsystem >= KMON_SUBSYSTEMS)
		subsystem = KMON_SUBSYSTEMS - 1;
	if (number >= KMON_REASONS)
		number = KMON_REASONS - 1;
	name = &n->reason[subsystem][number];
	if (*name == NULL)
		*name = make_name(n, subsystem, number);
	return *name ? *name : "?";
}

int64_t
lab_kmon_reason_find(const struct lab_kmon *k, const char *name)
{
	for (int r = 0; r < KMON_REASONS; r++) {
		if (k->names.reason[0][r] && !strcmp(k->names.reason[0][r], name))
			return r;
	}
	return -ENOENT;
}
