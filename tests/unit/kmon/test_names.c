/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What kernels of other versions tell in their BTF, each made up here of the few types that are looked at. Needs no kernel
 * and no privileges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "kmon_private.h"
#include "lab_base.h"

static struct lab_kmon kmon; /* only its names are looked at */
static struct kmon_names *names = &kmon.names;
static struct btf *btf;
static int number; /* the type "int" */

static int
begin(void **state)
{
	(void)state;
	memset(&kmon, 0, sizeof(kmon));
	btf = btf__new_empty();
	if (btf == NULL)
		return -1;
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	return number > 0 ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	kmon_names_fini(names);
	btf__free(btf);
	return 0;
}

static void
read_names(void)
{
	assert_int_equal(kmon_names_read(names, btf), 0);
}

struct value {
	const char *name;
	int64_t value;
};

/* @return its number */
static int
add_enum(const char *name, const struct value *list)
{
	int id = btf__add_enum(btf, name, 4);

	assert_true(id > 0);
	for (; list->name; list++)
		assert_int_equal(btf__add_enum_value(btf, list->name, list->value), 0);
	return id;
}

/* "btf_trace_NAME", a pointer to a function of the program's own argument and those. */
static void
add_tracepoint(const char *name, const int *args, int nr)
{
	char full[64];
	int pointer = btf__add_ptr(btf, 0), proto;

	proto = btf__add_func_proto(btf, 0);
	assert_true(proto > 0);
	assert_int_equal(btf__add_func_param(btf, "__data", pointer), 0);
	for (int i = 0; i < nr; i++)
		assert_int_equal(btf__add_func_param(btf, "arg", args[i]), 0);
	pointer = btf__add_ptr(btf, proto);
	snprintf(full, sizeof(full), "btf_trace_%s", name);
	assert_true(btf__add_typedef(btf, full, pointer) > 0);
}

static void
add_function(const char *name)
{
	int proto = btf__add_func_proto(btf, number);

	assert_true(btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto) > 0);
}

/* ------------------------------------------------------------------ drop reasons */

/* Of 6.1: there is no "consumed" yet, and the unspecified one is 2. */
static const struct value reasons_6_1[] = {
	{"SKB_NOT_DROPPED_YET", 0},
	{"SKB_DROP_REASON_NOT_SPECIFIED", 2},
	{"SKB_DROP_REASON_NO_SOCKET", 3},
	{"SKB_DROP_REASON_SOCKET_RCVBUFF", 15},
	{"SKB_DROP_REASON_NOMEM", 64},
	{"SKB_DROP_REASON_MAX", 77},
	{NULL},
};

/* Of 6.12: other numbers, and those of subsystems beyond the mask. */
static const struct value reasons_6_12[] = {
	{"SKB_NOT_DROPPED_YET", 0},
	{"SKB_CONSUMED", 1},
	{"SKB_DROP_REASON_NOT_SPECIFIED", 2},
	{"SKB_DROP_REASON_SOCKET_RCVBUFF", 6},
	{"SKB_DROP_REASON_CPU_BACKLOG", 56},
	{"SKB_DROP_REASON_NOMEM", 71},
	{"SKB_DROP_REASON_MAX", 100},
	{"SKB_DROP_REASON_SUBSYS_MASK", -65536},
	{NULL},
};

static void
test_reasons(void **state)
{
	(void)state;
	add_enum("skb_drop_reason", reasons_6_1);
	read_names();
	assert_int_equal(names->unspecified, 2);
	assert_int_equal(names->category[0], KMON_DROP_NONE);
	assert_int_equal(names->category[2], KMON_DROP_UNSPECIFIED);
	assert_int_equal(names->category[3], KMON_DROP_OTHER);
	assert_int_equal(names->category[15], KMON_DROP_SOCKET);
	assert_int_equal(names->category[64], KMON_DROP_MEMORY);
	assert_int_equal(lab_kmon_reason_find(&kmon, "NOMEM"), 64);
	assert_int_equal(lab_kmon_reason_find(&kmon, "CPU_BACKLOG"), -ENOENT);
	assert_int_equal(lab_kmon_reason_find(&kmon, "MAX"), -ENOENT);
	assert_string_equal(lab_kmon_reason_name(&kmon, 15), "SOCKET_RCVBUFF");
	assert_string_equal(lab_kmon_reason_name(&kmon, 80), "reason_80"); /* newer than the BTF */
}

static void
test_reasons_moved(void **state)
{
	(void)state;
	add_enum("skb_drop_reason", reasons_6_12);
	read_names();
	assert_int_equal(names->category[1], KMON_DROP_NONE);
	assert_int_equal(names->category[6], KMON_DROP_SOCKET);
	assert_int_equal(names->category[15], KMON_DROP_OTHER);
	assert_int_equal(names->category[56], KMON_DROP_BACKLOG);
	assert_int_equal(names->category[71], KMON_DROP_MEMORY);
	assert_string_equal(lab_kmon_reason_name(&kmon, 1), "SKB_CONSUMED");
}

/* 5.17 began with the unspecified one as 0. */
static void
test_reasons_from_zero(void **state)
{
	static const struct value list[] = {
		{"SKB_DROP_REASON_NOT_SPECIFIED", 0},
		{"SKB_DROP_REASON_NO_SOCKET", 1},
		{"SKB_DROP_REASON_MAX", 2},
		{NULL},
	};

	(void)state;
	add_enum("skb_drop_reason", list);
	read_names();
	assert_int_equal(names->unspecified, 0);
	assert_int_equal(names->category[0], KMON_DROP_UNSPECIFIED);
}

/* Older kernels tell none: what they free as dropped is dropped all the same. */
static void
test_no_reasons(void **state)
{
	(void)state;
	add_tracepoint("kfree_skb", (const int[]){number, number}, 2);
	read_names();
	assert_int_equal(names->reason_arg, 0);
	assert_int_equal(names->category[names->unspecified], KMON_DROP_UNSPECIFIED);
	assert_string_equal(lab_kmon_reason_name(&kmon, names->unspecified), "NOT_SPECIFIED");
}

static void
test_place_of_the_reason(void **state)
{
	(void)state;
	for (int place = 1; place <= 3; place++) {
		int args[4] = {number, number, number, number};

		args[place] = add_enum("skb_drop_reason", reasons_6_12);
		add_tracepoint("kfree_skb", args, 4);
		read_names();
		assert_int_equal(names->reason_arg, place);
		end(NULL);
		begin(NULL);
	}
}

/* Neither another enum nor a number is one. */
static void
test_no_place_of_the_reason(void **state)
{
	static const struct value other[] = {{"SKB_DROP_REASON_NOT_A_REASON", 2}, {NULL}};
	int args[3] = {number, number, number};

	(void)state;
	add_enum("skb_drop_reason", reasons_6_12);
	args[2] = add_enum("skb_other_reason", other);
	add_tracepoint("kfree_skb", args, 3);
	read_names();
	assert_int_equal(names->reason_arg, 0);
}

static void
test_subsystems(void **state)
{
	static const struct value list[] = {
		{"SKB_DROP_REASON_SUBSYS_CORE", 0},
		{"SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1},
		{"SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 3},
		{"SKB_DROP_REASON_SUBSYS_NUM", 4},
		{NULL},
	};

	(void)state;
	add_enum("skb_drop_reason_subsys", list);
	read_names();
	assert_string_equal(lab_kmon_reason_name(&kmon, 3 << 16 | 5), "OPENVSWITCH_5");
	assert_string_equal(lab_kmon_reason_name(&kmon, 6 << 16 | 5), "subsystem6_5");
	assert_string_equal(lab_kmon_reason_name(&kmon, 0xffffu << 16 | 0xffff), "subsystem7_255");
}

/* -------------------------------------------------------------------- allocations */

static void
test_gfp_without_an_enum(void **state)
{
	(void)state;
	read_names();
	assert_int_equal(names->gfp_high, 0x20);
	assert_int_equal(names->gfp_direct_reclaim, 0x400);
	assert_int_equal(names->gfp_account, 0x400000);
	assert_int_equal(names->gfp_attempt, 0x12000);
}

/* Since 6.10, an enum without a name: among others of these, and with whatever numbers. */
static void
test_gfp_moved(void **state)
{
	static const struct value other[] = {{"SOMETHING", 5}, {NULL}};
	static const struct value bits[] = {
		{"___GFP_DMA_BIT", 0},
		{"___GFP_HIGH_BIT", 7},
		{"___GFP_ACCOUNT_BIT", 9},
		{"___GFP_DIRECT_RECLAIM_BIT", 31},
		{"___GFP_NOWARN_BIT", 3},
		{"___GFP_NORETRY_BIT", 4},
		{"___GFP_LAST_BIT", 32},
		{NULL},
	};

	(void)state;
	add_enum(NULL, other);
	add_enum(NULL, bits);
	add_enum(NULL, other);
	read_names();
	assert_int_equal(names->gfp_high, 0x80);
	assert_int_equal(names->gfp_account, 0x200);
	assert_int_equal(names->gfp_direct_reclaim, 0x80000000);
	assert_int_equal(names->gfp_attempt, 0x18);
}

/* A kernel without CMA has nothing in its place; two names of one number are one type. */
static void
test_types(void **state)
{
	static const struct value list[] = {
		{"MIGRATE_UNMOVABLE", 0},
		{"MIGRATE_MOVABLE", 1},
		{"MIGRATE_RECLAIMABLE", 2},
		{"MIGRATE_PCPTYPES", 3},
		{"MIGRATE_HIGHATOMIC", 3},
		{"MIGRATE_ISOLATE", 4},
		{"MIGRATE_TYPES", 5},
		{NULL},
	};

	(void)state;
	add_enum("migratetype", list);
	read_names();
	assert_string_equal(lab_kmon_type_name(&kmon, 1), "Movable");
	assert_string_equal(lab_kmon_type_name(&kmon, 3), "HighAtomic");
	assert_string_equal(lab_kmon_type_name(&kmon, 4), "Isolate");
	assert_string_equal(lab_kmon_type_name(&kmon, 5), "?");
}

/* The names that the function that all go through has had, from the first; a kernel has the wrappers of later names, too. */
static void
test_alloc_function(void **state)
{
	static const char *const all[] = {
		"__alloc_pages", "__alloc_pages_noprof", "__alloc_frozen_pages_noprof"};

	(void)state;
	read_names();
	assert_null(names->alloc_function);
	assert_false(names->tracepoint[PROGRAM_LATENCY]);
	assert_false(names->tracepoint[PROGRAM_ENTER]);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(all); i++) {
		add_function(all[i]);
		read_names();
		assert_string_equal(names->alloc_function, all[i]);
		assert_true(names->tracepoint[PROGRAM_LATENCY]);
	}
}

static void
test_tracepoints(void **state)
{
	int not_a_function = btf__add_ptr(btf, number);

	(void)state;
	add_tracepoint("mm_page_alloc", (const int[]){number, number, number, number}, 4);
	assert_true(btf__add_typedef(btf, "btf_trace_napi_poll", not_a_function) > 0);
	read_names();
	for (int p = 0; p < NR_PROGRAMS; p++)
		assert_int_equal(names->tracepoint[p], p == PROGRAM_PAGE_ALLOC);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_reasons),
		TEST(test_reasons_moved),
		TEST(test_reasons_from_zero),
		TEST(test_no_reasons),
		TEST(test_place_of_the_reason),
		TEST(test_no_place_of_the_reason),
		TEST(test_subsystems),
		TEST(test_gfp_without_an_enum),
		TEST(test_gfp_moved),
		TEST(test_types),
		TEST(test_alloc_function),
		TEST(test_tracepoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
