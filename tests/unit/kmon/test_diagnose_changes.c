/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * A change of which the diagnosis says that it helps is made, on the figures that it was said of, and the diagnosis asked again:
 * the request must then pass, and where the change is a number, one step less must not be enough. On the real messages, and on
 * figures by the thousand, of kernels with each of the rules.
 */
#include <dirent.h>

#include "diagnose_fixture.h"
#include "lab_page.h"

/** How often a change of each kind was made. */
struct made {
	unsigned int min_free, ratio, order, kernel, flags, all, of_kind[3];
};

static const struct lab_diagnosis *
again(const struct lab_diag_report *r)
{
	static struct lab_diagnosis d;

	lab_diagnose(r, &d);
	return &d;
}

static void
must_open(const struct lab_diag_report *r, const char *what)
{
	const struct lab_diagnosis *d = again(r);

	if (d->gate != LAB_DIAG_OPEN)
		fail_msg("%s: still %s: %s", what, lab_diag_gate_name(d->gate), d->text);
}

/** The zone that it was said of must be closed yet. */
static void
must_not_open(const struct lab_diag_report *r, int zone, const char *what)
{
	if (again(r)->zones[zone].gate == LAB_DIAG_OPEN)
		fail_msg("%s: one step less is enough", what);
}

/* ------------------------------------------------------------ min_free_kbytes */

/**
 * The marks grow with it, a boost does not; and what all others may not touch any more stays free, in no better blocks than
 * single pages.
 */
static struct lab_diag_report
with_min_free(const struct lab_diag_report *r, long to, long now)
{
	struct lab_diag_report out = *r;

	for (unsigned int i = 0; i < out.nr_zones; i++) {
		struct lab_diag_zone *z = &out.zones[i];
		long boost = z->boost > 0 && z->boost < z->min ? z->boost : 0;
		long base = z->min - boost, more = base * to / now - base;

		if (z->min <= 0 || z->free < 0 || z->type > LAB_DIAG_NORMAL)
			continue;
		z->min += more;
		z->low += more + (more + 3) / 4;
		z->high += more + (more + 1) / 2;
		z->free += more;
		z->blocks[0] += (unsigned long)more;
	}
	return out;
}

static void
make_min_free(const struct lab_diag_report *r, int zone, const struct lab_diag_change *c, long to,
	long now)
{
	long unit = to <= 8192 ? 256 : 1024;
	struct lab_diag_report changed = with_min_free(r, to, now);

	assert_true(to > now);
	must_open(&changed, c->what);
	if (to - unit > now) {
		changed = with_min_free(r, to - unit, now);
		must_not_open(&changed, zone, c->what);
	}
}

/* ------------------------------------------------------- lowmem_reserve_ratio */

/** A zone keeps the pages that lie above it, divided by the ratio. How many these are is known but for a rest. */
static struct lab_diag_report
with_ratio(const struct lab_diag_report *r, int zone, long to, long ratio, long reserve, long rest)
{
	struct lab_diag_report out = *r;
	struct lab_diag_zone *z = &out.zones[zone];

	for (unsigned int i = 0; i < z->nr_reserves; i++) {
		if (z->lowmem_reserve[i] == reserve)
			z->lowmem_reserve[i] = (reserve * ratio + rest) / to;
	}
	return out;
}

static void
make_ratio(const struct lab_diag_report *r, int zone, const struct lab_diag_change *c, long to,
	long ratio, long reserve)
{
	struct lab_diag_report changed = with_ratio(r, zone, to, ratio, reserve, ratio - 1);

	assert_true(to > ratio);
	must_open(&changed, c->what);
	changed = with_ratio(r, zone, to, ratio, reserve, 0);
	must_open(&changed, c->what);
	/* of the machine with the most memory that has these figures */
	changed = with_ratio(r, zone, to - 1, ratio, reserve, ratio - 1);
	must_not_open(&changed, zone, c->what);
}

/* -------------------------------------------------------------- the request */

static void
make_order(const struct lab_diag_report *r, const struct lab_diag_change *c)
{
	const char *text = strstr(c->effect, "block of order ");
	struct lab_diag_report changed = *r;
	int order;

	assert_non_null(text);
	assert_int_equal(sscanf(text, "block of order %d", &order), 1);
	assert_in_range(order, 0, r->order - 1);
	changed.order = order;
	must_open(&changed, c->what);
	if (order + 1 < r->order) {
		changed.order = order + 1;
		assert_int_not_equal(again(&changed)->gate, LAB_DIAG_OPEN);
	}
}

/** The same figures on 6.12, with the flags by name: their numbers are other ones there. */
static void
make_kernel(const struct lab_diag_report *r, lab_gfp_t gfp, const struct lab_diag_change *c)
{
	struct lab_diag_report changed = *r;

	changed.major = 6;
	changed.minor = 12;
	lab_gfp_format(gfp & ~__LAB_GFP_ATOMIC, changed.gfp_names, sizeof(changed.gfp_names));
	must_open(&changed, c->what);
	changed.minor = 11;
	changed.patch = 6;
	assert_int_not_equal(again(&changed)->gate, LAB_DIAG_OPEN);
}

static void
make_flags(const struct lab_diag_report *r, lab_gfp_t gfp, const struct lab_diag_change *c)
{
	struct lab_diag_report changed = *r;
	size_t len = sizeof(changed.gfp_names);

	if (strstr(c->what, "GFP_ATOMIC in place") != NULL)
		lab_gfp_format(gfp | LAB_GFP_ATOMIC, changed.gfp_names, len);
	else if (strstr(c->what, "without __GFP_NOMEMALLOC") != NULL)
		lab_gfp_format(
			gfp & ~__LAB_GFP_NOMEMALLOC & ~__LAB_GFP_ATOMIC, changed.gfp_names, len);
	else
		fail_msg("no test makes this change: %s", c->what);
	must_open(&changed, c->what);
}

/* ----------------------------------------------------------------- all of them */

static void
make(const struct lab_diag_report *r, const struct lab_diagnosis *d,
	const struct lab_diag_change *c, struct made *made)
{
	long to, from;
	char about[8];

	if (sscanf(c->what, "vm.min_free_kbytes = %ld (now %7[about] %ld)", &to, about, &from) ==
			3 ||
		sscanf(c->what, "vm.min_free_kbytes = %ld (now %ld)", &to, &from) == 2) {
		make_min_free(r, d->zone, c, to, from);
		made->min_free++;
	} else if (sscanf(c->what, "vm.lowmem_reserve_ratio: %ld for %*s (by default %ld)", &to,
			   &from) == 2 ||
		   sscanf(c->what, "vm.lowmem_reserve_ratio: %ld for %*s (now %ld)", &to, &from) ==
			   2) {
		make_ratio(r, d->zone, c, to, from, d->zones[d->zone].v.lowmem_reserve);
		made->ratio++;
	} else if (!strncmp(c->what, "smaller buffers", 15)) {
		make_order(r, c);
		made->order++;
	} else if (!strncmp(c->what, "a kernel since", 14)) {
		make_kernel(r, d->gfp, c);
		made->kernel++;
	} else {
		make_flags(r, d->gfp, c);
		made->flags++;
	}
}

static void
make_all(const struct lab_diag_report *r, struct made *made)
{
	static struct lab_diagnosis d;

	lab_diagnose(r, &d);
	for (unsigned int i = 0; i < d.nr_changes; i++) {
		const struct lab_diag_change *c = &d.changes[i];

		assert_true(c->what[0] != '\0' && c->effect[0] != '\0');
		/* nothing is free: what it costs is told of each, in words */
		if (strlen(c->side_effect) < 10)
			fail_msg("%s: no side-effect is told", c->what);
		made->all++;
		made->of_kind[c->helps]++;
		if (c->helps == LAB_DIAG_HELPS)
			make(r, &d, c, made);
	}
}

static void
test_messages(void **state)
{
	static struct seen s;
	struct made made = {0};
	struct dirent *e;
	DIR *dir = opendir(MESSAGES);
	char name[256];

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n < 5 || strcmp(e->d_name + n - 4, ".txt") != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n - 4, e->d_name);
		read_message(&s, name);
		for (long i = 0; i < s.n; i++)
			make_all(&s.r[i], &made);
	}
	closedir(dir);
	print_message("of %u changes made: %u of min_free_kbytes, %u of the order\n", made.all,
		made.min_free, made.order);
	assert_true(made.min_free >= 3 && made.order >= 5 && made.kernel >= 2);
}

/* ------------------------------------------------------------ generated figures */

static void
add_blocks(struct lab_diag_zone *z, struct lab_rng *rng, bool types)
{
	unsigned int highest = (unsigned int)lab_rng_below(rng, LAB_NR_ORDERS);
	bool kept =
		types && lab_rng_below(rng, 8) == 0; /* all that is left is kept for high orders */

	z->has_blocks = true;
	z->has_types = types;
	z->free = 0;
	for (unsigned int o = 0; o <= highest; o++) {
		z->blocks[o] = lab_rng_below(rng, 400 >> o);
		z->free += (long)(z->blocks[o] << o);
		if (types && z->blocks[o] > 0)
			z->types[o] = kept ? 1U << LAB_MIGRATE_HIGHATOMIC
					   : 1 + (unsigned int)lab_rng_below(rng, 15);
	}
}

static void
add_zone(struct lab_diag_report *r, enum lab_diag_zone_type type, struct lab_rng *rng)
{
	struct lab_diag_zone *z = &r->zones[r->nr_zones++];

	*z = (struct lab_diag_zone){.type = type,
		.boost = LAB_DIAG_UNKNOWN,
		.free_cma = 0,
		.present = LAB_DIAG_UNKNOWN,
		.free_highatomic = LAB_DIAG_UNKNOWN,
		.reserved_highatomic = 0,
		.free_pcp = 0};
	if (lab_rng_below(rng, 4))
		add_blocks(z, rng, r->major > 3);
	else
		z->free = (long)lab_rng_below(rng, 4000);
	z->managed = 1000 << lab_rng_below(rng, 10);
	z->min = 1 + (long)lab_rng_below(rng, 3000);
	if (r->major >= 6 && lab_rng_below(rng, 2)) {
		z->boost = (long)lab_rng_below(rng, 1000);
		z->min += z->boost;
	}
	if (r->major >= 5 && lab_rng_below(rng, 3) == 0)
		z->reserved_highatomic = (long)lab_rng_below(rng, 500);
	z->low = z->min + z->min / 4;
	z->high = z->low + z->min / 4;
	z->nr_reserves = 4;
	if (type < LAB_DIAG_NORMAL && lab_rng_below(rng, 2))
		z->lowmem_reserve[2] = z->lowmem_reserve[3] = 1 + (long)lab_rng_below(rng, 2000);
}

static void
generate(struct lab_diag_report *r, struct lab_rng *rng)
{
	static const int versions[][2] = {{2, 6}, {3, 10}, {4, 9}, {5, 10}, {6, 1}, {6, 12}};
	static const char *const names[] = {"GFP_ATOMIC", "GFP_ATOMIC|__GFP_COMP", "GFP_NOWAIT",
		"GFP_KERNEL", "GFP_ATOMIC|__GFP_NOMEMALLOC", "GFP_NOWAIT|__GFP_NOMEMALLOC",
		"GFP_KERNEL|__GFP_HIGH", "GFP_ATOMIC|__GFP_MEMALLOC"};
	const int *version = versions[lab_rng_below(rng, LAB_ARRAY_SIZE(versions))];

	lab_diag_report_init(r);
	r->major = version[0];
	r->minor = version[1];
	r->has_mode = true;
	r->order = lab_rng_below(rng, 2) ? (int)lab_rng_below(rng, 8) : 0;
	snprintf(r->gfp_names, sizeof(r->gfp_names), "%s",
		names[lab_rng_below(rng, LAB_ARRAY_SIZE(names))]);
	if (lab_rng_below(rng, 4) == 0)
		r->min_free_kbytes = 1 + (long)lab_rng_below(rng, 100000);
	if (lab_rng_below(rng, 2))
		add_zone(r, LAB_DIAG_DMA32, rng);
	/* alone, so that its own gate decides, or beside */
	if (r->nr_zones == 0 || lab_rng_below(rng, 2))
		add_zone(r, LAB_DIAG_NORMAL, rng);
}

static void
test_generated(void **state)
{
	static struct lab_diag_report r;
	struct made made = {0};
	struct lab_rng rng;

	(void)state;
	lab_rng_seed(&rng, 7);
	for (int i = 0; i < 60000; i++) {
		generate(&r, &rng);
		make_all(&r, &made);
	}
	print_message(
		"of %u changes made: %u of min_free_kbytes, %u of the ratio, %u of the order, "
		"%u of flags\n",
		made.all, made.min_free, made.ratio, made.order, made.flags);
	/* nothing of it was left out by chance */
	assert_true(made.min_free >= 500 && made.ratio >= 500);
	assert_true(made.order >= 500 && made.flags >= 100 && made.kernel >= 100);
	assert_true(made.of_kind[LAB_DIAG_MAY_HELP] >= 500);
	assert_true(made.of_kind[LAB_DIAG_HELPS_NOT] >= 100);
}

/* ------------------------------------------------------- zones of lib/page */

#define SPAN (8 * LAB_PAGEBLOCK_PAGES)

static char *
text_of(void (*print)(struct lab_zone *, FILE *), struct lab_zone *zone)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(zone, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void
make_in_zone(struct lab_zone *zone, struct made *made)
{
	static const lab_gfp_t gfps[] = {LAB_GFP_ATOMIC, LAB_GFP_KERNEL, LAB_GFP_NOWAIT,
		LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC};
	static struct lab_diag_report r;
	char *zoneinfo = text_of(lab_zone_zoneinfo, zone);
	char *buddyinfo = text_of(lab_zone_buddyinfo, zone);
	char *types = text_of(lab_zone_pagetypeinfo, zone);
	const struct lab_diag_proc proc = {
		.zoneinfo = zoneinfo, .buddyinfo = buddyinfo, .pagetypeinfo = types};

	assert_int_equal(lab_diag_read_proc(&proc, &r), 0);
	r.has_mode = true;
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(gfps); i++) {
		for (r.order = 0; r.order <= 4; r.order++) {
			lab_gfp_format(gfps[i], r.gfp_names, sizeof(r.gfp_names));
			make_all(&r, made);
		}
	}
	free(zoneinfo);
	free(buddyinfo);
	free(types);
}

static void
test_zones(void **state)
{
	static void *pages[SPAN];
	struct made made = {0};
	struct lab_rng rng;

	(void)state;
	lab_rng_seed(&rng, 11);
	for (int round = 0; round < 30; round++) {
		struct lab_zone_config cfg = lab_zone_config_default(SPAN);
		struct lab_zone *zone;

		cfg.no_pcp = true;
		cfg.watermark_boost_factor = 0;
		cfg.min_free_kbytes = 128 << (round % 5);
		cfg.lowmem_reserve[LAB_ZONE_NORMAL] = round % 3 == 2 ? 300 : 0;
		assert_int_equal(lab_zone_create(&zone, &cfg), 0);
		for (unsigned long i = 0; i < SPAN; i++)
			pages[i] = lab_alloc_pages(zone, LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, 0);
		for (unsigned long left = lab_rng_below(&rng, 1 + (128UL << (round % 5)) / 2);
			left > 0; left--) {
			unsigned long victim = lab_rng_below(&rng, SPAN);

			if (pages[victim] != NULL)
				assert_int_equal(lab_free_pages(zone, pages[victim], 0), 0);
			pages[victim] = NULL;
		}
		make_in_zone(zone, &made);
		for (unsigned long i = 0; i < SPAN; i++)
			if (pages[i] != NULL)
				lab_free_pages(zone, pages[i], 0);
		assert_int_equal(lab_zone_destroy(zone), 0);
	}
	print_message(
		"of %u changes made: %u of min_free_kbytes, %u of the ratio, %u of the order, "
		"%u of flags\n",
		made.all, made.min_free, made.ratio, made.order, made.flags);
	assert_true(made.min_free >= 10 && made.order >= 10);
}

/** A request of old that may not sleep had a quarter of min for itself: a larger min would have been more. */
static void
test_quarter_of_old(void **state)
{
	static struct seen s;
	const struct lab_diagnosis *d;

	(void)state;
	read_text(&s, "x: page allocation failure: order:0, mode:0x0\n"
		      "CPU: 0 PID: 1 Comm: x Not tainted 3.10.0 #1\n"
		      "Normal free:1100kB min:1600kB low:2000kB high:2400kB managed:100000kB\n");
	d = again(&s.r[0]);
	/* 275 <= 400 - 100 = 300, 26 missing; a quarter of 504 is 126 = 100 + 26: 1600 * 504 / 400 = 2016, to 2048 */
	assert_int_equal(d->zones[0].lacks, 26);
	assert_int_equal(d->changes[0].helps, LAB_DIAG_HELPS);
	assert_string_equal(d->changes[0].what, "vm.min_free_kbytes = 2048 (now about 1600)");
}

/** Pages alone are not enough where no block of the order is there, nor sure to be. */
static void
test_not_sure_of_a_block(void **state)
{
	static struct seen s;
	const struct lab_diagnosis *d;

	(void)state;
	read_text(&s, "x: page allocation failure: order:3, mode:0x820(GFP_ATOMIC)\n"
		      "CPU: 0 PID: 1 Comm: x Not tainted 6.12.0 #1\n"
		      "Normal free:400kB min:1600kB low:2000kB high:2400kB managed:100000kB\n"
		      "Normal: 100*4kB (U) 0*8kB = 400kB\n");
	d = again(&s.r[0]);
	assert_int_equal(d->gate, LAB_DIAG_WATERMARK);
	assert_int_equal(d->changes[0].helps, LAB_DIAG_MAY_HELP);
	assert_non_null(strstr(d->changes[0].effect, "a block of that order"));
}

/** Protection that leaves room for nothing: before 4.18 a ratio of 0 meant 1, the most that can be kept. */
static void
test_no_ratio_of_zero(void **state)
{
	static struct seen s;
	const struct lab_diagnosis *d;

	(void)state;
	read_text(&s, "x: page allocation failure: order:0, mode:0x20\n"
		      "CPU: 0 PID: 1 Comm: x Not tainted 3.10.0 #1\n"
		      "DMA32 free:604kB min:1600kB low:2000kB high:2400kB managed:100000kB\n"
		      "lowmem_reserve[]: 0 0 100 100\n");
	d = again(&s.r[0]);
	/* 151 > 150, and none to spare: nothing may be kept, and so 256 * 101 pages above, or more, be divided to 0 */
	assert_int_equal(d->gate, LAB_DIAG_LOWMEM_RESERVE);
	assert_string_equal(
		d->changes[0].what, "vm.lowmem_reserve_ratio: 25856 for DMA32 (by default 256)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_generated),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_quarter_of_old),
		cmocka_unit_test(test_not_sure_of_a_block),
		cmocka_unit_test(test_no_ratio_of_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
