/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Saving and restoring an aged zone. */
#include "frag_test.h"

#define PAGES (ZONE_PAGES / 4)

static struct fixture
aged(const char *spec)
{
	struct fixture f = fixture_new(PAGES);
	struct lab_age_config cfg = config(spec);

	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	return f;
}

/** The frame numbers that a seeded sequence of requests and frees gets. */
static void
same_requests(struct lab_zone *a, struct lab_zone *b, uint64_t seed)
{
	static const lab_gfp_t gfps[] = {LAB_GFP_ATOMIC, LAB_GFP_NOWAIT, LAB_GFP_HIGHUSER_MOVABLE,
		LAB_GFP_KERNEL | __LAB_GFP_RECLAIMABLE};
	struct {
		void *a, *b;
		unsigned int order;
	} held[600];
	unsigned long n = 0, served = 0;
	struct lab_rng rng;

	lab_rng_seed(&rng, seed);
	for (int i = 0; i < 20000; i++) {
		if (n < LAB_ARRAY_SIZE(held) && lab_rng_below(&rng, 2) == 0) {
			unsigned int order = (unsigned int)lab_rng_below(&rng, 5);
			lab_gfp_t gfp = gfps[lab_rng_below(&rng, 4)];

			held[n].order = order;
			held[n].a = lab_alloc_pages(a, gfp, order);
			held[n].b = lab_alloc_pages(b, gfp, order);
			assert_int_equal(held[n].a == NULL, held[n].b == NULL);
			if (held[n].a == NULL)
				continue;
			assert_int_equal(
				lab_page_to_pfn(a, held[n].a), lab_page_to_pfn(b, held[n].b));
			n++;
			served++;
		} else if (n > 0) {
			unsigned long k = lab_rng_below(&rng, n);

			assert_int_equal(lab_free_pages(a, held[k].a, held[k].order), 0);
			assert_int_equal(lab_free_pages(b, held[k].b, held[k].order), 0);
			held[k] = held[--n];
		}
	}
	assert_true(served > 1000);
	while (n-- > 0) {
		lab_free_pages(a, held[n].a, held[n].order);
		lab_free_pages(b, held[n].b, held[n].order);
	}
}

static void
a_restored_zone_answers_alike(void **state)
{
	static const char *const specs[] = {"churn,occupancy=0.6", "scatter,occupancy=0.3",
		"lifetimes,occupancy=0.8", "adversary,occupancy=0.5", "churn,occupancy=0"};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(specs); i++) {
		struct fixture f = aged(specs[i]), g = fixture_new(PAGES);
		char *text, *again, err[160] = "";
		struct lab_churn_config c = {.rate = 1e4, .seed = 6};

		/* How the per-CPU lists have tuned their batches is no state of the pages. */
		lab_zone_set_pcp(f.zone, false);
		lab_zone_set_pcp(g.zone, false);

		lab_zone_kswapd(f.zone); /* no boost stays behind */
		text = saved(f.t);
		if (load_text(g.t, text, err, sizeof(err)) != 0)
			fail_msg("%s: %s", specs[i], err);
		assert_valid(g.zone);
		again = saved(g.t);
		assert_string_equal(text, again);
		free(again);
		same_requests(f.zone, g.zone, i);
		/* The tenants go on alike as well. */
		assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
		assert_int_equal(lab_tenants_set_churn(g.t, &c), 0);
		for (uint64_t ms = 0; ms < 500; ms++)
			assert_int_equal(lab_tenants_step(f.t, ms * 1000000),
				lab_tenants_step(g.t, ms * 1000000));
		free(text);
		text = saved(f.t);
		again = saved(g.t);
		assert_string_equal(text, again);
		free(text);
		free(again);
		fixture_free(&f, 0);
		fixture_free(&g, 0);
	}
}

static void
two_restored_zones_answer_alike(void **state)
{
	struct fixture f = aged("lifetimes,occupancy=0.7,seed=3"), g = fixture_new(PAGES);
	struct fixture h = fixture_new(PAGES);
	char *text = saved(f.t);

	assert_int_equal(load_text(g.t, text, NULL, 0), 0);
	assert_int_equal(load_text(h.t, text, NULL, 0), 0);
	same_requests(g.zone, h.zone, 11);
	free(text);
	fixture_free(&f, 0);
	fixture_free(&g, 0);
	fixture_free(&h, 0);
}

static void
loading_replaces_what_was_held(void **state)
{
	struct fixture f = aged("churn"), g = aged("lifetimes,seed=4,occupancy=0.7");
	char *text = saved(f.t), *again;

	assert_int_equal(load_text(g.t, text, NULL, 0), 0);
	again = saved(g.t);
	assert_string_equal(text, again);
	free(text);
	free(again);
	fixture_free(&f, 0);
	fixture_free(&g, 0);
}

/* ------------------------------------------------------------------ refusals */

static void
others_make_it_busy(void **state)
{
	struct fixture f = aged("churn");
	char *text = saved(f.t), *out = NULL, err[160];
	void *page = lab_alloc_pages(f.zone, LAB_GFP_KERNEL, 1);
	size_t len;
	FILE *file = open_memstream(&out, &len);
	unsigned long held = walk(f.zone).allocated;

	assert_int_equal(lab_age_save(f.t, file), -EBUSY);
	fclose(file);
	free(out);
	assert_int_equal(load_text(f.t, text, err, sizeof(err)), -EBUSY);
	assert_non_null(strstr(err, "others"));
	assert_int_equal(walk(f.zone).allocated, held);
	assert_int_equal(lab_free_pages(f.zone, page, 1), 0);
	assert_int_equal(load_text(f.t, text, err, sizeof(err)), 0);
	free(text);
	fixture_free(&f, 0);
}

static void
another_shape_is_refused(void **state)
{
	struct fixture f = aged("churn"), g = fixture_new(PAGES / 2);
	struct fixture h = fixture_new_prot(PAGES, -1, 10, PROT_NONE);
	char *text = saved(f.t), err[160], expected[160];

	assert_int_equal(load_text(g.t, text, err, sizeof(err)), -ERANGE);
	snprintf(expected, sizeof(expected), "line 2: %lu frames spanned, but the zone spans %lu",
		PAGES, PAGES / 2);
	assert_string_equal(err, expected);
	assert_int_equal(load_text(h.t, text, err, sizeof(err)), -ENOSPC);
	assert_non_null(strstr(err, "room for 10"));
	free(text);
	fixture_free(&f, 0);
	fixture_free(&g, 0);
	fixture_free(&h, 0);
}

static void
a_full_disk_is_said(void **state)
{
	struct fixture f = aged("churn");
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	assert_int_equal(lab_age_save(f.t, full), -EIO);
	fclose(full);
	fixture_free(&f, 0);
}

/** Every line cut off, and every byte damaged in turn: refused or the same meaning, never a broken
 *  zone, and a refusal changes nothing. */
static void
a_damaged_file_changes_nothing(void **state)
{
	struct fixture f = fixture_new(64), g = fixture_new(64);
	struct lab_age_config cfg = config("lifetimes,occupancy=0.4"),
			      other = config("churn,seed=2");
	char *text, *before, err[160];
	unsigned int refused = 0;
	size_t len;

	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	assert_int_equal(lab_age(g.t, &other, NULL, NULL, NULL), 0);
	text = saved(f.t);
	before = saved(g.t);
	len = strlen(text);
	for (size_t i = 0; i < 3 * len; i++) {
		char *bad = strdup(text), *after;

		if (i < len)
			bad[i] = '\0'; /* the file ends here; fmemopen() cannot open an empty one */
		else
			bad[i % len] = i < 2 * len ? '9' : ' ';
		err[0] = '\0';
		if (bad[0] != '\0' && load_text(g.t, bad, err, sizeof(err)) != 0) {
			assert_int_equal(strncmp(err, "line ", 5), 0);
			after = saved(g.t);
			assert_string_equal(before, after);
			free(after);
			refused++;
		} else {
			assert_valid(g.zone);
			assert_int_equal(load_text(g.t, before, err, sizeof(err)), 0);
		}
		free(bad);
	}
	assert_true(refused > 2 * len);
	free(text);
	free(before);
	fixture_free(&f, 0);
	fixture_free(&g, 0);
}

/** A zone of 8 frames by hand. */
#define HEAD "labyrinth-zone 1\nspanned 8\nmanaged 8\nclock 3\npageblocks 1\nmt M*1\n"

static void
each_rule_has_its_error(void **state)
{
	static const struct {
		int rc;
		const char *text, *err;
	} cases[] = {
		{0, HEAD "free 1\nf M 3 0\nholds 0\nend\n", ""},
		{0, HEAD "free 2\nf M 2 4\nf M 1 0\nholds 1\nh U 2 1 0 4294967295\nend\n", ""},
		{-EINVAL, "x", "line 1: the file ends here"},
		{-EINVAL, "\n", "line 1: expected 'labyrinth-zone', found ''"},
		{-EINVAL, "labyrinth-zone 2\n", "line 1: version 2 is not known, only 1"},
		{-EINVAL, "labyrinth-zone 1 \n", "line 1: more words than expected"},
		{-EINVAL, "labyrinth-zone 1\nspanned x\n", "line 2: spanned: expected a number"},
		{-ERANGE, "labyrinth-zone 1\nspanned 8\nmanaged 7\n", "line 3: 7 frames managed"},
		{-EINVAL, HEAD "free 9\n", "line 7: free: expected a number up to 8"},
		{-EINVAL, HEAD "free 1\nf X 3 0\n",
			"line 8: expected a migratetype of UMEHCI, found 'X'"},
		{-EINVAL, HEAD "free 1\nf M 11 0\n", "line 8: order: expected a number up to 10"},
		{-EINVAL, HEAD "free 1\nf M 3\n", "line 8: frame: expected a number"},
		{-EINVAL, HEAD "free 1\nf M 2 2\n", "line 8: frame 2 is not aligned to order 2"},
		{-ERANGE, HEAD "free 1\nf M 2 8\n", "line 8: frame 8 is not of the zone"},
		{-ERANGE, HEAD "free 1\nf M 4 0\n", "line 8: frame 8 is not of the zone"},
		{-EINVAL, HEAD "free 2\nf M 2 0 0\n", "line 8: frame 0 is in two blocks"},
		{-EINVAL, HEAD "free 1\nf M 2 0 4\n",
			"line 8: more than the 1 free blocks announced"},
		{-EINVAL, HEAD "free 1\nf U 3 0\n", "line 8: frame 0: its pageblock is of type M"},
		{-EINVAL, HEAD "free 2\nf M 2 0 4\nholds 0\nend\n",
			"line 10: free frames 0 and 4 are buddies of order 2, not merged"},
		{-EINVAL, HEAD "free 1\nf M 2 0\nholds 0\nend\n",
			"line 10: 4 managed frames are in no block"},
		{-EINVAL, HEAD "free 1\nf M 2 0\nholds 1\nh H 4 2 0 0\n",
			"line 10: expected a migratetype of UME, found 'H'"},
		{-EINVAL, HEAD "free 1\nf M 2 0\nholds 1\nh M 4 2 0\n", "line 10: death: expected"},
		{-EINVAL, HEAD "free 1\nf M 3 0\nholds 0\nend\nmore\n",
			"line 11: something follows the end"},
		{-EINVAL, HEAD "free 1\nf M 3 0\nholds 0\nend", "line 10: the file ends here"},
		{-EINVAL, "labyrinth-zone 1\nspanned 8\nmanaged 8\nclock 3\npageblocks 1\nmt I*1\n",
			"line 6: pageblock 0: isolated"},
		{-ERANGE, "labyrinth-zone 1\nspanned 8\nmanaged 8\nclock 3\npageblocks 1\nmt C*1\n",
			"line 6: pageblock 0: is not CMA in the zone"},
		{-EINVAL, "labyrinth-zone 1\nspanned 8\nmanaged 8\nclock 3\npageblocks 1\nmt M*2\n",
			"line 6: 'M*2' is not a run of at most 1 pageblocks"},
		{-EINVAL, "labyrinth-zone 1\r\n", "line 1: byte 0x0d in a text file"},
	};
	struct fixture f = fixture_new_prot(8, 0, 0, PROT_NONE);

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(cases); i++) {
		char err[160] = "";
		int rc = load_text(f.t, cases[i].text, err, sizeof(err));

		if (rc != cases[i].rc || strncmp(err, cases[i].err, strlen(cases[i].err)) != 0)
			fail_msg("case %u: %d, '%s'; expected %d, '%s'", i, rc, err, cases[i].rc,
				cases[i].err);
		assert_valid(f.zone);
	}
	fixture_free(&f, 0);
}

static void
a_long_line_is_refused(void **state)
{
	struct fixture f = fixture_new(8);
	char text[3000], err[160];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(load_text(f.t, text, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "line 1: longer than 1023 bytes");
	fixture_free(&f, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restored_zone_answers_alike),
		cmocka_unit_test(two_restored_zones_answer_alike),
		cmocka_unit_test(loading_replaces_what_was_held),
		cmocka_unit_test(others_make_it_busy),
		cmocka_unit_test(another_shape_is_refused),
		cmocka_unit_test(a_full_disk_is_said),
		cmocka_unit_test(a_damaged_file_changes_nothing),
		cmocka_unit_test(each_rule_has_its_error),
		cmocka_unit_test(a_long_line_is_refused),
	};

	return cmocka_run_group_tests_name("save", tests, NULL, NULL);
}
