/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Traces: written and read, refused with the reason, replayed. */
#include <math.h>

#include "frag_test.h"
#include "trace_fixture.h"

struct text {
	char *bytes;
	size_t len;
	FILE *out;
};

static void
text_begin(struct text *t)
{
	t->out = open_memstream(&t->bytes, &t->len);
	assert_non_null(t->out);
}

/* ------------------------------------------------------------------ format */

static struct lab_trace_head
head_like_a_kernels(void)
{
	struct lab_trace_head h = {.kernel = "6.12.1",
		.zone = "DMA32",
		.node = 1,
		.start = 4096,
		.spanned = 5000,
		.managed = 4500,
		.min = 10,
		.low = 12,
		.high = 14,
		.nr_reserves = 5,
		.reserve = {0, 0, 7, 8, 9},
		.has_types = true,
		.pageblocks = {1, 7, 1, 0, 0, 0},
		.nr_cpus = 2,
		.has_pcp = true,
		.pcp = {{3, 100, 10}, {0, 50, 5}}};

	h.free[LAB_MIGRATE_UNMOVABLE][0] = 5;
	h.free[LAB_MIGRATE_MOVABLE][10] = 2;
	h.free[LAB_MIGRATE_RECLAIMABLE][4] = 1;
	return h;
}

static const struct lab_trace_event events[] = {
	{.type = LAB_TRACE_PLACE, .pfn = 4096, .order = 2},
	{.type = LAB_TRACE_PLACE, .pfn = 4100},
	{.type = LAB_TRACE_PLACE, .pfn = 8192, .order = 9},
	{.type = LAB_TRACE_SAMPLE,
		.ns = 0,
		.boost = 512,
		.blocks = {5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2}},
	{.type = LAB_TRACE_ALLOC,
		.ns = 10,
		.cpu = 1,
		.pfn = 4104,
		.order = 3,
		.gfp = 0xcc0,
		.migratetype = LAB_MIGRATE_UNMOVABLE},
	{.type = LAB_TRACE_REFUSE, .ns = 10, .order = 9, .gfp = UINT32_MAX, .migratetype = 2},
	{.type = LAB_TRACE_FREE, .ns = 11, .cpu = 1, .pfn = 9095},
	{.type = LAB_TRACE_DRAIN, .ns = 12, .pfn = 4096, .order = 1, .migratetype = 1},
	{.type = LAB_TRACE_TAKE, .ns = 12, .cpu = 1, .pfn = 4098, .order = 1, .migratetype = 3},
	{.type = LAB_TRACE_COMPACT, .ns = 13, .cpu = 1, .pfn = 4096, .end = 9096, .pages = 32},
	{.type = LAB_TRACE_STEAL, .ns = UINT64_C(1) << 60, .pfn = 5120, .order = 10},
};

static void
write_events(FILE *out, struct lab_trace_counts *c)
{
	*c = (struct lab_trace_counts){.lost = 3};
	for (size_t i = 0; i < LAB_ARRAY_SIZE(events); i++) {
		assert_int_equal(lab_trace_write_event(out, &events[i]), 0);
		c->events[events[i].type]++;
	}
	assert_int_equal(lab_trace_write_end(out, c), 0);
}

static void
what_is_written_is_read(void **state)
{
	struct lab_trace_head h = head_like_a_kernels(), got;
	struct lab_trace_counts c;
	struct lab_trace_event e;
	struct lab_trace_reader r = {0};
	struct text t;

	(void)state;
	text_begin(&t);
	assert_int_equal(lab_trace_write_head(t.out, &h), 0);
	write_events(t.out, &c);
	fclose(t.out);
	r.in = fmemopen(t.bytes, t.len, "r");
	assert_int_equal(lab_trace_read_head(&r, &got), 0);
	assert_memory_equal(&got, &h, sizeof(h));
	for (size_t i = 0; i < LAB_ARRAY_SIZE(events); i++) {
		assert_int_equal(lab_trace_read_event(&r, &e), 1);
		assert_memory_equal(&e, &events[i], sizeof(e));
	}
	assert_int_equal(lab_trace_read_event(&r, &e), 0);
	assert_memory_equal(&r.counts, &c, sizeof(c));
	fclose(r.in);
	free(t.bytes);
}

static void
a_bad_head_is_not_written(void **state)
{
	struct lab_trace_head h = head_like_a_kernels();
	struct text t;

	(void)state;
	text_begin(&t);
	strcpy(h.zone, "two words");
	assert_int_equal(lab_trace_write_head(t.out, &h), -EINVAL);
	h = head_like_a_kernels();
	h.free[LAB_MIGRATE_MOVABLE][10] = 5; /* 5120 of 4500 */
	assert_int_equal(lab_trace_write_head(t.out, &h), -EINVAL);
	h = head_like_a_kernels();
	h.nr_cpus = 0;
	assert_int_equal(lab_trace_write_head(t.out, &h), -EINVAL);
	fclose(t.out);
	assert_int_equal(t.len, 0);
	free(t.bytes);
}

/** Replace the first `from` of the small trace by `to`, and append. */
static void
refused(const char *from, const char *to, const char *append, const char *reason)
{
	struct lab_trace_result res;
	char text[2048], err[160] = "";
	const char *at = strstr(small, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s%s", (int)(at - small), small, to, at + strlen(from),
		append);
	assert_int_equal(replay(text, NULL, &res, err, sizeof(err)), -EINVAL);
	if (strcmp(err, reason) != 0)
		fail_msg("'%s' instead of '%s'", err, reason);
}

static void
what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state;
	refused("trace 3", "trace 2", "", "line 1: version 2 is not known, only 3");
	refused("6.1.0-37-amd64", "", "", "line 2: kernel: expected a word of at most 63 bytes");
	refused("managed 4096", "managed 4097", "",
		"line 12: the head: not 0 < managed <= spanned < 2^30 frames");
	refused("marks 16", "marks 21", "", "line 12: the head: not min <= low <= high <= managed");
	refused("0 0 0 0\n", "0 0 0 0 0 0 0\n", "", "line 9: more than 6 reserves");
	refused("0 0 1\ncpus", "0 0 4\ncpus", "",
		"line 12: the head: more frames are free than are managed");
	refused("cpus 1", "cpus 0", "", "line 12: the head: not 1 to 512 CPUs");
	refused("", "", "", "line 13: the file ends here");
	refused("", "", "q 1\n", "line 13: expected an event of arfdxtcsp or the end");
	refused("", "", "f 5 0 4096 0\nf 4 0 4096 0\n", "line 14: time goes back from 5");
	refused("", "", "f 5 1 4096 0\n", "line 13: CPU: expected a number up to 0");
	refused("", "", "f 5 0 4095 0\n", "line 13: frame 4095 is not of the zone");
	refused("", "", "f 5 0 8192 0\n", "line 13: frame 8192 is not of the zone");
	refused("", "", "f 5 0 4097 1\n", "line 13: frame 4097 is not aligned to order 1");
	refused("", "", "f 5 0 4096 11\n", "line 13: order: expected a number up to 10");
	refused("", "", "f 5 0 4096 0 0\n", "line 13: more words than expected");
	refused("", "", "c 5 0 4097 8192 4097\n", "line 13: pages: expected a number up to 4096");
	refused("", "", "c 5 0 4097 8192 1 M\n", "line 13: more words than expected");
	refused("", "", "c 5 0 4095 8192 1\n", "line 13: frames 4095 to 8192 are not of the zone");
	refused("", "", "c 5 0 4096 8193 1\n", "line 13: frames 4096 to 8193 are not of the zone");
	refused("", "", "c 5 0 4100 4100 1\n", "line 13: no frame from 4100 to 4100");
	refused("", "", "c 5 0 4101 4100 1\n", "line 13: no frame from 4101 to 4100");
	refused("", "", "c 5 0 8\n", "line 13: end: expected a number up to 4611686018427387904");
	refused("", "", "s 5 0 0 0 0 0 0 0 0 0 0 0 4097\n",
		"line 13: boost: expected a number up to 4096");
	refused("", "", "a 5 0 4096 0 1 Q\n",
		"line 13: expected a migratetype of UMEHCI, found 'Q'");
	refused("", "", "s 5 0 0 0 0 0 0 0 0 0 0 9 0\n",
		"line 13: more frames are free than are managed");
	refused("", "", "f 5 0 4096 0\nend 0 0 2 0 0 0 0 0 0 0\n",
		"line 14: 2 events of type f announced, but there were 1");
	refused("", "", "end 0 0 0 0 0 0 0 0 0 0\nf", "line 14: something follows the end");
}

static void
places_come_first_and_in_order(void **state)
{
	(void)state;
	refused("", "", "p 0 4096 11\n", "line 13: order: expected a number up to 10");
	refused("", "", "p 0 4097 1\n", "line 13: frame 4097 is not aligned to order 1");
	refused("", "", "p 0 4095 0\n", "line 13: frame 4095 is not of the zone");
	refused("", "", "p 0 8192 0\n", "line 13: frame 8192 is not of the zone");
	refused("", "", "p 0 0 4096 0\n", "line 13: order: expected a number up to 10");
	refused("", "", "p 0 4096 0 M\n", "line 13: more words than expected");
	refused("", "", "p 5 4096 0\np 4 4097 0\n", "line 14: time goes back from 5");
	refused("", "", "p 0 4104 3\np 0 4096 3\n",
		"line 14: frame 4096 is not behind the place before it, 4112");
	refused("", "", "p 0 4104 3\np 0 4108 0\n",
		"line 14: frame 4108 is not behind the place before it, 4112");
	refused("", "", "p 0 4104 3\np 0 4104 3\n",
		"line 14: frame 4104 is not behind the place before it, 4112");
	refused("", "", "p 0 4096 0\nf 0 0 4096 0\np 0 4097 0\n",
		"line 15: a place after other events");
	refused("", "", "s 0 1 0 0 1 0 0 0 0 0 0 1 0\np 0 4097 0\n",
		"line 14: a place after other events");
	refused("", "", "p 0 4096 0\nend 0 0 0 0 0 0 0 0 2 0\n",
		"line 14: 2 events of type p announced, but there were 1");
}

/* ------------------------------------------------------------------ replay */

/** Worked out by hand. No per-CPU lists, so each step shows at once. Free at the beginning: frame A (order 0), block B
 *  (order 3), pair C (order 10); nothing of it is in a row. */
static void
a_small_trace_has_the_result_worked_out_by_hand(void **state)
{
	static const char text[] =
		"s 0 1 0 0 1 0 0 0 0 0 0 1 0\n"
		"a 1 0 5000 0 3272 M\n"         /* takes A, the only block of order 0 */
		"s 2 0 0 0 1 0 0 0 0 0 0 1 0\n" /* no error */
		"a 3 0 6000 3 3272 M\n"         /* takes B */
		"s 4 0 0 0 1 0 0 0 0 0 0 1 0\n" /* the kernel still has one: order 3 is 1 off */
		"f 5 0 6000 3\n"                /* gives B back */
		"f 6 0 5000 0\n"                /* and A */
		"f 7 0 5000 0\n"    /* a second time: somebody got it unseen, so one held before */
		"r 8 0 10 2080 U\n" /* atomic order 10: there is C, so no refusal is predicted */
		"a 9 0 7168 10 2080 U\n"  /* takes C */
		"r 10 0 10 2080 U\n"      /* now both refuse */
		"a 11 0 4096 10 2080 U\n" /* only the emulated zone refuses */
		"f 12 0 4096 10\n"        /* so there is nothing to give back */
		"end 4 2 4 0 0 0 0 3 0 0\n";
	struct lab_trace_result res;
	char all[2048], err[160] = "";

	(void)state;
	snprintf(all, sizeof(all), "%s%s", small, text);
	assert_int_equal(replay(all, NULL, &res, err, sizeof(err)), 0);
	assert_int_equal(res.samples, 3);
	assert_int_equal(res.allocs, 3);
	assert_int_equal(res.frees, 2);
	assert_int_equal(res.frees_before, 1);
	assert_int_equal(res.frees_unmatched, 0);
	assert_int_equal(res.frees_skipped, 1);
	assert_int_equal(res.reused, 0);
	assert_int_equal(res.ns, 12);
	assert_true(res.order[0].mean == 0 && res.order[0].max == 0);
	assert_true(fabs(res.order[0].kernel - 1.0 / 3) < 1e-9);
	assert_true(fabs(res.order[0].still - 2.0 / 3) < 1e-9);
	assert_true(fabs(res.order[3].mean - 1.0 / 3) < 1e-9 && res.order[3].max == 1);
	assert_true(fabs(res.order[3].bias + 1.0 / 3) < 1e-9 && res.order[3].still == 0);
	assert_true(res.order[10].mean == 0);
	/* third sample: the kernel has 1032 frames, 8 of them unusable for order 10; ours has 1024, all usable */
	assert_true(res.order[10].index_max == 8 * 1000 / 1032);
	assert_int_equal(res.actual, 2);
	assert_int_equal(res.predicted, 2);
	assert_int_equal(res.both, 1);
	assert_int_equal(res.coincide, 2);
	assert_int_equal(res.other_actual + res.other_predicted, 0);
}

static void
refusals_of_other_windows_do_not_coincide(void **state)
{
	static const char text[] = "a 1 0 7168 10 2080 U\n"
				   "a 2 0 4096 10 2080 U\n"   /* predicted, in window 0 */
				   "f 3 0 7168 10\n"          /* C is free again */
				   "r 30000000 0 10 2080 U\n" /* actual, in window 3 */
				   "end 2 1 1 0 0 0 0 0 0 0\n";
	struct lab_trace_options wide = {.window_ns = 1000000000};
	struct lab_trace_result res;
	char all[2048];

	(void)state;
	snprintf(all, sizeof(all), "%s%s", small, text);
	assert_int_equal(replay(all, NULL, &res, NULL, 0), 0);
	assert_int_equal(res.actual, 1);
	assert_int_equal(res.predicted, 1);
	assert_int_equal(res.coincide, 0);
	assert_int_equal(replay(all, &wide, &res, NULL, 0), 0);
	assert_int_equal(res.coincide, 1);
}

/** A recorded block may come back in parts, and a part of a block held before may be given back. */
static void
blocks_come_back_in_parts(void **state)
{
	static const char text[] = "a 1 0 6000 3 3272 M\n"
				   "f 2 0 6002 1\n"
				   "f 3 0 6000 1\n"
				   "f 4 0 6004 2\n"
				   "s 5 1 0 0 1 0 0 0 0 0 0 1 0\n"
				   "end 1 0 3 0 0 0 0 1 0 0\n";
	struct lab_trace_result res;
	char all[2048];

	(void)state;
	snprintf(all, sizeof(all), "%s%s", small, text);
	assert_int_equal(replay(all, NULL, &res, NULL, 0), 0);
	assert_int_equal(res.frees, 3);
	assert_int_equal(res.frees_before + res.frees_unmatched, 0);
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		assert_true(res.order[order].max == 0);
}

static void
a_zone_that_cannot_be_made_is_refused(void **state)
{
	struct lab_trace_result res;
	char text[2048], err[160] = "";
	const char *at = strstr(small, "16 20 24");

	(void)state;
	snprintf(text, sizeof(text), "%.*s4000 4001 4002%send 0 0 0 0 0 0 0 0 0 0\n",
		(int)(at - small), small, at + strlen("16 20 24"));
	assert_int_equal(replay(text, NULL, &res, err, sizeof(err)), -ERANGE);
	assert_non_null(strstr(err, "cannot be made"));
}

/* ----------------------------------------------- recorded by the emulator itself */

#define LIVE 400

struct recorder {
	struct lab_zone *zone;
	struct lab_rng rng;
	struct text t;
	struct lab_trace_counts c;
	uint64_t ns;
	struct {
		void *page;
		unsigned int order;
	} live[LIVE];
	unsigned int nr;
	unsigned int nr_cpus;
};

static void
tell(struct recorder *r, struct lab_trace_event e)
{
	e.ns = r->ns;
	assert_int_equal(lab_trace_write_event(r->t.out, &e), 0);
	r->c.events[e.type]++;
}

static void
sample(struct recorder *r)
{
	struct lab_trace_event e = {.type = LAB_TRACE_SAMPLE};
	struct lab_free_counts c;

	lab_zone_kswapd(r->zone);
	lab_zone_free_counts(r->zone, &c);
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			e.blocks[order] += c.blocks[order][mt];
	tell(r, e);
}

static void
record_request(struct recorder *r, unsigned int cpu)
{
	static const lab_gfp_t gfps[] = {LAB_GFP_ATOMIC, LAB_GFP_HIGHUSER_MOVABLE,
		LAB_GFP_KERNEL | __LAB_GFP_RECLAIMABLE, LAB_GFP_KERNEL};
	lab_gfp_t gfp = gfps[lab_rng_below(&r->rng, LAB_ARRAY_SIZE(gfps))];
	unsigned int order =
		(unsigned int)(lab_rng_below(&r->rng, 2) ? 0 : lab_rng_below(&r->rng, 8));
	void *page = lab_alloc_pages(r->zone, gfp, order);
	struct lab_trace_event e = {.type = page ? LAB_TRACE_ALLOC : LAB_TRACE_REFUSE,
		.cpu = cpu,
		.pfn = page ? lab_page_to_pfn(r->zone, page) : 0,
		.order = order,
		.gfp = gfp,
		.migratetype = lab_gfp_migratetype(gfp)};

	tell(r, e);
	if (page != NULL) {
		r->live[r->nr].page = page;
		r->live[r->nr++].order = order;
	}
}

static void
record_free(struct recorder *r, unsigned int cpu)
{
	unsigned int i = (unsigned int)lab_rng_below(&r->rng, r->nr);
	struct lab_trace_event e = {.type = LAB_TRACE_FREE,
		.cpu = cpu,
		.pfn = lab_page_to_pfn(r->zone, r->live[i].page),
		.order = r->live[i].order};

	assert_int_equal(lab_free_pages(r->zone, r->live[i].page, r->live[i].order), 0);
	r->live[i] = r->live[--r->nr];
	tell(r, e);
}

static void
record(struct recorder *r, bool pcp, uint64_t seed)
{
	struct lab_trace_head h = {.kernel = "6.12.0", .zone = "Normal", .has_types = true};
	struct lab_zone_info info;

	lab_zone_info_get(r->zone, &info);
	h.spanned = h.managed = info.managed;
	h.min = info.wmark.min;
	h.low = info.wmark.low;
	h.high = info.wmark.high;
	h.pageblocks[LAB_MIGRATE_MOVABLE] = info.managed / LAB_PAGEBLOCK_PAGES;
	h.free[LAB_MIGRATE_MOVABLE][LAB_MAX_ORDER] = info.managed >> LAB_MAX_ORDER;
	h.nr_cpus = r->nr_cpus;
	h.has_pcp = pcp;
	lab_rng_seed(&r->rng, seed);
	text_begin(&r->t);
	assert_int_equal(lab_trace_write_head(r->t.out, &h), 0);
	for (int i = 0; i < 20000; i++) {
		unsigned int cpu = (unsigned int)lab_rng_below(&r->rng, r->nr_cpus);

		r->ns += 1000;
		lab_zone_set_time(r->zone, r->ns + 1);
		lab_cpu_set(cpu);
		if (r->nr < LIVE && (r->nr == 0 || lab_rng_below(&r->rng, 100) < 55))
			record_request(r, cpu);
		else
			record_free(r, cpu);
		if (i % 50 == 0)
			sample(r);
	}
	assert_int_equal(lab_trace_write_end(r->t.out, &r->c), 0);
	fclose(r->t.out);
	while (r->nr > 0) {
		r->nr--;
		lab_free_pages(r->zone, r->live[r->nr].page, r->live[r->nr].order);
	}
}

static void
check_no_error(bool pcp)
{
	struct lab_zone_config cfg = lab_zone_config_default(4096);
	struct lab_trace_result res;
	struct lab_trace_options model = {.pcp = LAB_TRACE_PCP_MODEL};
	struct recorder r = {.nr_cpus = 2};
	char err[160] = "";

	cfg.base = mmap(
		NULL, cfg.nr_pages * LAB_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cfg.nr_cpus = r.nr_cpus;
	cfg.no_pcp = !pcp;
	cfg.min_free_kbytes = 512;
	assert_int_equal(lab_zone_create(&r.zone, &cfg), 0);
	record(&r, pcp, 7);
	assert_true(r.c.events[LAB_TRACE_REFUSE] > 100);
	assert_int_equal(replay(r.t.bytes, &model, &res, err, sizeof(err)), 0);
	assert_int_equal(res.samples, r.c.events[LAB_TRACE_SAMPLE]);
	assert_int_equal(res.allocs, r.c.events[LAB_TRACE_ALLOC]);
	assert_int_equal(res.frees, r.c.events[LAB_TRACE_FREE]);
	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		assert_true(res.order[order].max == 0);
		assert_true(res.order[order].index_max == 0);
	}
	assert_true(res.order[0].still > 0);
	assert_true(res.actual > 0);
	assert_int_equal(res.predicted, res.actual);
	assert_int_equal(res.both, res.actual);
	assert_int_equal(res.coincide, res.actual);
	assert_int_equal(lab_zone_destroy(r.zone), 0);
	munmap(cfg.base, cfg.nr_pages * LAB_PAGE_SIZE);
	free(r.t.bytes);
}

static void
a_trace_of_the_emulator_replays_without_error(void **state)
{
	(void)state;
	check_no_error(false);
}

static void
likewise_with_per_cpu_lists(void **state)
{
	(void)state;
	check_no_error(true);
}

/* -------------------------------------------------- layouts of many heads */

/** Any free counts that fit are laid out, to the block, as the zone itself counts them. */
static void
layouts_have_the_recorded_counts(void **state)
{
	const int heads = ALL_CHECKED ? 5 : 200;
	struct lab_rng rng;

	(void)state;
	lab_rng_seed(&rng, 11);
	for (int i = 0; i < heads; i++) {
		struct lab_trace_head h = {.kernel = "6.1", .zone = "Normal", .has_types = true};
		struct lab_trace_counts c = {.events = {[LAB_TRACE_SAMPLE] = 1}};
		struct lab_trace_event e = {.type = LAB_TRACE_SAMPLE};
		struct lab_trace_options o = {.seed = (uint64_t)i};
		struct lab_trace_result res;
		unsigned long left;
		struct text t;
		char err[160] = "";

		h.managed = h.spanned = 2048 + lab_rng_below(&rng, 6000);
		h.nr_cpus = 1;
		left = h.managed / (2 + lab_rng_below(&rng, 3));
		for (int n = 0; n < 60 && left > 0; n++) {
			unsigned int order = (unsigned int)lab_rng_below(&rng, LAB_NR_ORDERS);
			unsigned int mt = (unsigned int)lab_rng_below(&rng, LAB_MIGRATE_PCPTYPES);

			if (1UL << order > left)
				continue;
			left -= 1UL << order;
			h.free[mt][order]++;
			e.blocks[order]++;
		}
		text_begin(&t);
		assert_int_equal(lab_trace_write_head(t.out, &h), 0);
		lab_trace_write_event(t.out, &e);
		lab_trace_write_end(t.out, &c);
		fclose(t.out);
		assert_int_equal(replay(t.bytes, &o, &res, err, sizeof(err)), 0);
		for (int order = 0; order < LAB_NR_ORDERS; order++) {
			assert_int_equal(res.order[order].max, res.not_laid_out[order]);
			if (order != LAB_MAX_ORDER)
				assert_int_equal(res.not_laid_out[order], 0);
		}
		free(t.bytes);
	}
}

static void
a_seed_gives_one_result(void **state)
{
	static const char text[] = "f 1 0 4500 0\nf 2 0 4600 0\nf 3 0 5120 3\nf 4 0 4096 9\n"
				   "s 5 0 0 0 0 0 0 0 0 0 0 0 0\nend 0 0 4 0 0 0 0 1 0 0\n";
	struct lab_trace_options o = {.seed = 5};
	struct lab_trace_result a, b;
	char all[2048];

	(void)state;
	snprintf(all, sizeof(all), "%s%s", small, text);
	assert_int_equal(replay(all, &o, &a, NULL, 0), 0);
	assert_int_equal(replay(all, &o, &b, NULL, 0), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.frees_before, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_bad_head_is_not_written),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(places_come_first_and_in_order),
		cmocka_unit_test(a_small_trace_has_the_result_worked_out_by_hand),
		cmocka_unit_test(refusals_of_other_windows_do_not_coincide),
		cmocka_unit_test(blocks_come_back_in_parts),
		cmocka_unit_test(a_zone_that_cannot_be_made_is_refused),
		cmocka_unit_test(a_trace_of_the_emulator_replays_without_error),
		cmocka_unit_test(likewise_with_per_cpu_lists),
		cmocka_unit_test(layouts_have_the_recorded_counts),
		cmocka_unit_test(a_seed_gives_one_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
