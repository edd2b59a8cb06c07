/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

#define PAGES 4096UL

static const char *skipped; /* why a comparison with this kernel's files was left out */

/* ------------------------------------------------------------ a known zone */

#define U LAB_MIGRATE_UNMOVABLE
#define M LAB_MIGRATE_MOVABLE
#define E LAB_MIGRATE_RECLAIMABLE
#define H LAB_MIGRATE_HIGHATOMIC
#define C LAB_MIGRATE_CMA
#define F LAB_BLOCK_FREE
#define A LAB_BLOCK_ALLOCATED

/* Eight pageblocks: a split one, a full one, a half free one and free ones of several types. */
static const struct lab_block known_blocks[] = {
	{0, 0, U, A},
	{1, 0, U, F},
	{2, 1, U, F},
	{4, 2, U, F},
	{8, 3, U, F},
	{16, 4, U, F},
	{32, 5, U, F},
	{64, 6, U, F},
	{128, 7, U, F},
	{256, 8, U, F},
	{512, 9, M, A},
	{1024, 8, E, A},
	{1280, 8, E, F},
	{1536, 9, H, F},
	{2048, 10, M, F},
	{3072, 9, M, F},
	{3584, 9, C, F},
};
static const uint8_t known_types[] = {U, M, E, H, M, M, M, C};

#undef U
#undef M
#undef E
#undef H
#undef C
#undef F
#undef A

static struct lab_zone *
make_zone(const char *name, enum lab_linux version, unsigned long cma)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);
	struct lab_zone *zone = NULL;

	cfg.name = name;
	cfg.linux_version = version;
	cfg.min_free_kbytes = 512; /* 128 pages; the gap is a quarter of them */
	cfg.lowmem_reserve[LAB_ZONE_MOVABLE] = 17;
	cfg.cma_pages = cma;
	assert_int_equal(lab_zone_create(&zone, &cfg), 0);
	return zone;
}

static struct lab_zone *
known_zone(enum lab_linux version)
{
	struct lab_zone *zone = make_zone("Normal", version, LAB_PAGEBLOCK_PAGES);

	assert_int_equal(lab_zone_restore(zone, known_blocks, LAB_ARRAY_SIZE(known_blocks),
				 known_types, LAB_ARRAY_SIZE(known_types)),
		0);
	return zone;
}

/** What a printer writes. The caller frees it. */
static char *
text_of(struct lab_zone *zone, void (*print)(struct lab_zone *zone, FILE *out))
{
	const size_t room = 1 << 16;
	char *text = calloc(1, room);
	FILE *out = fmemopen(text, room, "w");

	assert_non_null(out);
	print(zone, out);
	fclose(out);
	return text;
}

static void
expect_text(struct lab_zone *zone, void (*print)(struct lab_zone *zone, FILE *out),
	const char *expected)
{
	char *text = text_of(zone, print);

	assert_string_equal(text, expected);
	free(text);
}

/* ----------------------------------------------------------------- golden */

static void
test_buddyinfo(void **state)
{
	struct lab_zone *zone = known_zone(LAB_LINUX_6_12);

	expect_text(zone, lab_zone_buddyinfo,
		"Node 0, zone   Normal      1      1      1      1      1      1      1      1"
		"      2      3      1 \n");
	lab_zone_destroy(zone);
}

static void
test_pagetypeinfo(void **state)
{
	struct lab_zone *zone = known_zone(LAB_LINUX_6_12);

	expect_text(zone, lab_zone_pagetypeinfo,
		"Page block order: 9\n"
		"Pages per block:  512\n"
		"\n"
		"Free pages count per migrate type at order       0      1      2      3      4"
		"      5      6      7      8      9     10 \n"
		"Node    0, zone   Normal, type    Unmovable      1      1      1      1      1"
		"      1      1      1      1      0      0 \n"
		"Node    0, zone   Normal, type      Movable      0      0      0      0      0"
		"      0      0      0      0      1      1 \n"
		"Node    0, zone   Normal, type  Reclaimable      0      0      0      0      0"
		"      0      0      0      1      0      0 \n"
		"Node    0, zone   Normal, type   HighAtomic      0      0      0      0      0"
		"      0      0      0      0      1      0 \n"
		"Node    0, zone   Normal, type          CMA      0      0      0      0      0"
		"      0      0      0      0      1      0 \n"
		"Node    0, zone   Normal, type      Isolate      0      0      0      0      0"
		"      0      0      0      0      0      0 \n"
		"\n"
		"Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic"
		"          CMA      Isolate \n"
		"Node 0, zone   Normal            1            4            1            1"
		"            1            0 \n");
	lab_zone_destroy(zone);
}

/* Offline pageblocks have no type to count, as in the kernel. */
static void
test_pagetypeinfo_offline(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);
	struct lab_zone *zone = NULL;
	struct lab_zone_info info;
	unsigned long movable = 99;
	char *text, *line;

	cfg.offline = true;
	assert_int_equal(lab_zone_create(&zone, &cfg), 0);
	lab_zone_info_get(zone, &info);
	assert_int_equal(
		lab_zone_online(zone, (char *)info.base + LAB_PAGEBLOCK_PAGES * LAB_PAGE_SIZE,
			3 * LAB_PAGEBLOCK_PAGES),
		0);
	text = text_of(zone, lab_zone_pagetypeinfo);
	line = strstr(text, "Number of blocks type");
	assert_non_null(line);
	assert_int_equal(sscanf(strchr(line, '\n'), " Node %*d, zone %*s %*u %lu", &movable), 1);
	assert_int_equal(movable, 3);
	free(text);
	lab_zone_destroy(zone);
}

#define ZONEINFO_MARKS                                                                             \
	"Node 0, zone   Normal\n"                                                                  \
	"  pages free     3327\n"                                                                  \
	"        boost    0\n"                                                                     \
	"        min      128\n"                                                                   \
	"        low      160\n"                                                                   \
	"        high     192\n"
#define ZONEINFO_SIZES                                                                             \
	"        spanned  4096\n"                                                                  \
	"        present  4096\n"                                                                  \
	"        managed  4096\n"                                                                  \
	"        cma      512\n"                                                                   \
	"        protection: (0, 0, 0, 17)\n"                                                      \
	"      nr_free_pages 3327\n"                                                               \
	"      nr_zone_inactive_anon 0\n"                                                          \
	"      nr_zone_active_anon 0\n"                                                            \
	"      nr_zone_inactive_file 0\n"                                                          \
	"      nr_zone_active_file 0\n"                                                            \
	"      nr_zone_unevictable 0\n"                                                            \
	"      nr_zone_write_pending 0\n"                                                          \
	"      nr_mlock     0\n"                                                                   \
	"      nr_bounce    0\n"                                                                   \
	"      nr_free_cma  512\n"                                                                 \
	"      numa_hit     0\n"                                                                   \
	"      numa_miss    0\n"                                                                   \
	"      numa_foreign 0\n"                                                                   \
	"      numa_interleave 0\n"                                                                \
	"      numa_local   0\n"                                                                   \
	"      numa_other   0\n"                                                                   \
	"  pagesets\n"                                                                             \
	"    cpu: 0\n"
#define ZONEINFO_END                                                                               \
	"  vm stats threshold: 0\n"                                                                \
	"  node_unreclaimable:  0\n"                                                               \
	"  start_pfn:           0\n"

static void
test_zoneinfo(void **state)
{
	struct lab_zone *zone = known_zone(LAB_LINUX_6_1);
	struct lab_zone_info info;
	char expected[2048];

	lab_zone_info_get(zone, &info);
	snprintf(expected, sizeof(expected),
		"%s%s"
		"              count: 0\n"
		"              high:  %u\n"
		"              batch: 1\n%s",
		ZONEINFO_MARKS, ZONEINFO_SIZES, info.pcp_high, ZONEINFO_END);
	expect_text(zone, lab_zone_zoneinfo, expected);
	lab_zone_destroy(zone);

	zone = known_zone(LAB_LINUX_6_12);
	lab_zone_info_get(zone, &info);
	snprintf(expected, sizeof(expected),
		"%s        promo    224\n%s"
		"              count:    0\n"
		"              high:     %u\n"
		"              batch:    1\n"
		"              high_min: 160\n"
		"              high_max: 512\n%s",
		ZONEINFO_MARKS, ZONEINFO_SIZES, info.pcp_high, ZONEINFO_END);
	expect_text(zone, lab_zone_zoneinfo, expected);
	lab_zone_destroy(zone);
}

static void
test_warn_alloc(void **state)
{
	struct lab_zone *zone = known_zone(LAB_LINUX_6_12);
	struct lab_refusal r = {.gfp = LAB_GFP_ATOMIC | __LAB_GFP_COMP, .order = 3};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	lab_warn_alloc(zone, &r, "swapper/0", out);
	fflush(out);
	assert_string_equal(text,
		"swapper/0: page allocation failure: order:3, mode:0x40820(GFP_ATOMIC|__GFP_COMP), "
		"nodemask=(null),cpuset=/,mems_allowed=0\n"
		"Mem-Info:\n"
		"active_anon:0 inactive_anon:0 isolated_anon:0\n"
		" active_file:0 inactive_file:0 isolated_file:0\n"
		" unevictable:0 dirty:0 writeback:0\n"
		" slab_reclaimable:0 slab_unreclaimable:0\n"
		" mapped:0 shmem:0 pagetables:0\n"
		" sec_pagetables:0 bounce:0\n"
		" kernel_misc_reclaimable:0\n"
		" free:3327 free_pcp:0 free_cma:512\n"
		"Node 0 active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB"
		" unevictable:0kB isolated(anon):0kB isolated(file):0kB mapped:0kB dirty:0kB"
		" writeback:0kB shmem:0kB writeback_tmp:0kB kernel_stack:0kB pagetables:0kB"
		" sec_pagetables:0kB all_unreclaimable? no\n"
		"Node 0 Normal free:13308kB boost:0kB min:512kB low:640kB high:768kB"
		" reserved_highatomic:2048KB active_anon:0kB inactive_anon:0kB active_file:0kB"
		" inactive_file:0kB unevictable:0kB writepending:0kB present:16384kB"
		" managed:16384kB mlocked:0kB bounce:0kB free_pcp:0kB local_pcp:0kB"
		" free_cma:2048kB\n"
		"lowmem_reserve[]: 0 0 0 17\n"
		"Node 0 Normal: 1*4kB (U) 1*8kB (U) 1*16kB (U) 1*32kB (U) 1*64kB (U) 1*128kB (U)"
		" 1*256kB (U) 1*512kB (U) 2*1024kB (UE) 3*2048kB (MHC) 1*4096kB (M) = 13308kB\n"
		"0 total pagecache pages\n"
		"4096 pages RAM\n"
		"0 pages HighMem/MovableOnly\n"
		"0 pages reserved\n");

	/* Silenced as the kernel's. */
	rewind(out);
	r.gfp |= __LAB_GFP_NOWARN;
	lab_warn_alloc(zone, &r, "swapper/0", out);
	assert_int_equal(ftell(out), 0);
	fclose(out);
	free(text);
	lab_zone_destroy(zone);
}

/* ------------------------------------------------- this kernel's own files */

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;

	if (f == NULL || getdelim(&text, &len, '\0', f) < 0) {
		skipped = path;
		free(text);
		text = NULL;
	}
	if (f != NULL)
		fclose(f);
	return text;
}

/** One line without its end, or NULL at the text's end; *text moves on. */
static char *
next_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (*line == '\0')
		return NULL;
	*text = end ? end + 1 : line + strlen(line);
	return strndup(line, end ? (size_t)(end - line) : strlen(line));
}

/** Replace each number: by the width of its field if it is right-aligned, else by "N". */
static void
hide_numbers(char *line, bool widths)
{
	char *out = line;

	for (char *p = line; *p;) {
		char *field = p;

		while (widths && *p == ' ')
			p++;
		if (!isdigit((unsigned char)*p)) {
			if (p == field)
				p++;
			memmove(out, field, p - field);
			out += p - field;
			continue;
		}
		while (isdigit((unsigned char)*p))
			p++;
		*out++ = widths ? (char)('0' + (p - field)) : 'N';
	}
	*out = '\0';
}

/** The lines that speak of no zone or of this one, with their numbers hidden. */
static char *
layout_of(char *text, const char *zone)
{
	char *layout = NULL, *line, name[16];
	size_t len;
	FILE *out = open_memstream(&layout, &len);

	while ((line = next_line(&text)) != NULL) {
		bool of_zone = sscanf(line, "Node %*d, zone %15[^, ]", name) == 1;

		if (!of_zone || strcmp(name, zone) == 0) {
			hide_numbers(line, true);
			fprintf(out, "%s\n", line);
		}
		free(line);
	}
	fclose(out);
	return layout;
}

/** The kernel's first zone that has free blocks; false: no such line. */
static bool
some_zone(const char *buddyinfo, char name[16])
{
	return sscanf(buddyinfo, "Node %*d, zone %15s", name) == 1;
}

static void
expect_layout(const char *path, void (*print)(struct lab_zone *zone, FILE *out))
{
	char *buddyinfo = read_file("/proc/buddyinfo"), *theirs = read_file(path), name[16] = "";

	if (buddyinfo != NULL && theirs != NULL && some_zone(buddyinfo, name)) {
		unsigned long cma = strstr(theirs, " CMA ") ? LAB_PAGEBLOCK_PAGES : 0;
		struct lab_zone *zone = make_zone(name, LAB_LINUX_6_12, cma);
		char *ours = text_of(zone, print);
		char *a = layout_of(ours, name), *b = layout_of(theirs, name);

		assert_string_equal(a, b);
		free(a);
		free(b);
		free(ours);
		lab_zone_destroy(zone);
	}
	free(buddyinfo);
	free(theirs);
}

static void
test_layout_of_buddyinfo(void **state)
{
	expect_layout("/proc/buddyinfo", lab_zone_buddyinfo);
}

static void
test_layout_of_pagetypeinfo(void **state)
{
	expect_layout("/proc/pagetypeinfo", lab_zone_pagetypeinfo);
}

/** Lines that kernels have or not, by their version and configuration. */
static bool
may_be_missing(const char *line)
{
	static const char *const some[] = {
		" promo ", " nr_bounce ", " numa_", " high_min:", " high_max:"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(some); i++) {
		if (strstr(line, some[i]) != NULL)
			return true;
	}
	return false;
}

/** Find a line of ours in the kernel's text, which goes on behind it then. */
static bool
find_line(char **theirs, const char *ours)
{
	char *rest = *theirs, *line;
	bool found = false;

	while (!found && (line = next_line(&rest)) != NULL) {
		hide_numbers(line, false);
		if (strchr(line, '(') != NULL) /* the number of zone types may differ */
			strchr(line, '(')[1] = '\0';
		found = strcmp(line, ours) == 0;
		free(line);
	}
	if (found)
		*theirs = rest;
	return found;
}

/* Each line of ours must be in the kernel's file, in the same order. */
static void
test_layout_of_zoneinfo(void **state)
{
	char *theirs = read_file("/proc/zoneinfo"), *cursor = theirs, *ours, *rest, *line;
	struct lab_zone *zone;

	if (theirs == NULL)
		return;
	zone = make_zone("DMA", strstr(theirs, "high_min:") ? LAB_LINUX_6_12 : LAB_LINUX_6_1, 0);
	rest = ours = text_of(zone, lab_zone_zoneinfo);
	while ((line = next_line(&rest)) != NULL) {
		hide_numbers(line, false);
		if (strchr(line, '(') != NULL)
			strchr(line, '(')[1] = '\0';
		if (strstr(line, ", zone") == NULL && !find_line(&cursor, line) &&
			!may_be_missing(line))
			fail_msg("/proc/zoneinfo has no line \"%s\" there", line);
		free(line);
	}
	free(ours);
	free(theirs);
	lab_zone_destroy(zone);
}

/** Free pages by a reader that any script could hold. */
static unsigned long
free_in_buddyinfo(const char *line)
{
	unsigned long n[LAB_NR_ORDERS], pages = 0;

	if (sscanf(line, "Node %*d, zone %*s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", &n[0],
		    &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &n[10]) != 11)
		return 0;
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		pages += n[o] << o;
	return pages;
}

static void
test_one_reader_for_both(void **state)
{
	struct lab_zone *zone = known_zone(LAB_LINUX_6_12);
	char *ours = text_of(zone, lab_zone_buddyinfo), *theirs = read_file("/proc/buddyinfo");

	assert_int_equal(free_in_buddyinfo(ours), 3327);
	if (theirs != NULL)
		assert_int_not_equal(free_in_buddyinfo(theirs), 0);
	free(ours);
	free(theirs);
	lab_zone_destroy(zone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buddyinfo),
		cmocka_unit_test(test_pagetypeinfo),
		cmocka_unit_test(test_pagetypeinfo_offline),
		cmocka_unit_test(test_zoneinfo),
		cmocka_unit_test(test_warn_alloc),
		cmocka_unit_test(test_layout_of_buddyinfo),
		cmocka_unit_test(test_layout_of_pagetypeinfo),
		cmocka_unit_test(test_layout_of_zoneinfo),
		cmocka_unit_test(test_one_reader_for_both),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (failed == 0 && skipped != NULL) {
		printf("%s cannot be read: its layout was not compared\n", skipped);
		return 77;
	}
	return failed;
}
