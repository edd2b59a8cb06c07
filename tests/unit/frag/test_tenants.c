/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The tenants: holding, giving back, reclaim, background churn; and the measures. */
#include <pthread.h>

#include "frag_test.h"

#define SECOND 1000000000ULL

static struct lab_tenants_info
info_of(struct lab_tenants *t)
{
	struct lab_tenants_info i;

	lab_tenants_info_get(t, &i);
	return i;
}

static struct fixture
aged(unsigned long pages, const char *spec)
{
	struct fixture f = fixture_new(pages);
	struct lab_age_config cfg = config(spec);

	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	return f;
}

/* --------------------------------------------------------------------- hold */

static void
creating_needs_a_zone(void **state)
{
	struct lab_tenants *t = (void *)&t;

	assert_int_equal(lab_tenants_create(&t, NULL, 0), -EINVAL);
	assert_ptr_equal(t, &t);
	lab_tenants_destroy(NULL);
}

static void
the_books_agree(void **state)
{
	struct fixture f = aged(ZONE_PAGES, "lifetimes,occupancy=0.7");
	struct lab_tenants_info i = info_of(f.t);
	unsigned long blocks = 0, pages = 0;

	for (int o = 0; o < LAB_NR_ORDERS; o++) {
		blocks += i.blocks_order[o];
		pages += i.blocks_order[o] << o;
	}
	assert_int_equal(blocks, i.blocks);
	assert_int_equal(pages, i.pages);
	assert_int_equal(i.pages_mt[0] + i.pages_mt[1] + i.pages_mt[2], i.pages);
	assert_int_equal(i.allocs - i.frees, i.blocks);
	assert_int_equal(walk(f.zone).allocated, i.pages);
	assert_int_equal(i.max_blocks, ZONE_PAGES);
	assert_ptr_equal(lab_tenants_zone(f.t), f.zone);
	fixture_free(&f, 0);
}

static void
release_gives_back_what_is_asked(void **state)
{
	struct fixture f = aged(ZONE_PAGES, "lifetimes,occupancy=0.7");
	unsigned long held = info_of(f.t).pages, got;

	assert_int_equal(lab_tenants_release(f.t, 0, 1), 0);
	got = lab_tenants_release(f.t, 300, 1);
	/* At most the largest block of the mix, 16 frames, too many. */
	assert_in_range(got, 300, 315);
	assert_int_equal(info_of(f.t).pages, held - got);
	assert_valid(f.zone);
	assert_int_equal(lab_tenants_release(f.t, ULONG_MAX, 1), held - got);
	assert_int_equal(lab_tenants_release(f.t, 5, 1), 0);
	lab_drain_all_pages(f.zone);
	assert_int_equal(walk(f.zone).allocated, 0);
	fixture_free(&f, 0);
}

static void
release_is_seeded(void **state)
{
	char *text[3];

	for (int k = 0; k < 3; k++) {
		struct fixture f = aged(ZONE_PAGES / 4, "churn");

		lab_tenants_release(f.t, 50, k == 2 ? 2 : 1);
		text[k] = saved(f.t);
		fixture_free(&f, 0);
	}
	assert_string_equal(text[0], text[1]);
	assert_string_not_equal(text[0], text[2]);
	for (int k = 0; k < 3; k++)
		free(text[k]);
}

/* ------------------------------------------------------------------ reclaim */

static void
reclaim_never_takes_unmovable(void **state)
{
	struct fixture f = aged(ZONE_PAGES, "churn,occupancy=0.8,unmovable=0.3,reclaimable=0.2");
	struct lab_tenants_info before = info_of(f.t), after;
	unsigned long got = lab_tenants_reclaim(f.t, 100, 0);

	after = info_of(f.t);
	assert_in_range(got, 100, 100 + 1023);
	assert_int_equal(after.reclaimed_pages, got);
	/* Reclaimable memory goes first, it was enough. */
	assert_int_equal(after.pages_mt[LAB_MIGRATE_RECLAIMABLE],
		before.pages_mt[LAB_MIGRATE_RECLAIMABLE] - got);
	got = lab_tenants_reclaim(f.t, ULONG_MAX, 0);
	after = info_of(f.t);
	assert_int_equal(after.pages, before.pages_mt[LAB_MIGRATE_UNMOVABLE]);
	assert_int_equal(after.pages_mt[LAB_MIGRATE_UNMOVABLE], after.pages);
	assert_int_equal(lab_tenants_reclaim(f.t, 1, 0), 0);
	fixture_free(&f, 0);
}

static void
kswapd_reclaims_from_tenants(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config cfg = config("churn,occupancy=1");
	struct lab_zone_info zi;
	unsigned long got;

	lab_age(f.t, &cfg, NULL, NULL, NULL); /* down to the min mark */
	lab_zone_set_reclaim(f.zone, lab_tenants_reclaim, f.t);
	got = lab_zone_kswapd(f.zone);
	assert_true(got > 0);
	assert_int_equal(info_of(f.t).reclaimed_pages, got);
	lab_drain_all_pages(f.zone);
	lab_zone_info_get(f.zone, &zi);
	assert_true(zi.nr_free >= zi.wmark.high);
	/* A request that may reclaim is served by the tenants' pages. */
	lab_zone_set_reclaim(f.zone, NULL, NULL);
	fixture_free(&f, 0);
}

static void
direct_reclaim_by_another(void **state)
{
	struct fixture f = fixture_new(ZONE_PAGES);
	struct lab_age_config cfg = config("churn,occupancy=1");
	void *page;

	lab_age(f.t, &cfg, NULL, NULL, NULL);
	assert_null(lab_alloc_pages(f.zone, LAB_GFP_KERNEL & ~__LAB_GFP_DIRECT_RECLAIM, 0));
	lab_zone_set_reclaim(f.zone, lab_tenants_reclaim, f.t);
	page = lab_alloc_pages(f.zone, LAB_GFP_KERNEL, 0);
	assert_non_null(page);
	assert_true(info_of(f.t).reclaimed_pages > 0);
	lab_free_pages(f.zone, page, 0);
	lab_zone_set_reclaim(f.zone, NULL, NULL);
	fixture_free(&f, 0);
}

/* -------------------------------------------------------------------- churn */

static void
churn_keeps_to_its_rate(void **state)
{
	struct fixture f = aged(ZONE_PAGES, "churn,occupancy=0.5");
	struct lab_churn_config c = {.rate = 1000, .seed = 3};
	unsigned long pages = info_of(f.t).pages, n = 0;

	assert_int_equal(lab_tenants_step(f.t, 5 * SECOND), 0); /* off */
	assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
	for (uint64_t ms = 0; ms <= 2000; ms++)
		n += lab_tenants_step(f.t, 5 * SECOND + ms * SECOND / 1000);
	assert_in_range(n, 1999, 2001);
	assert_int_equal(info_of(f.t).churned, n);
	assert_int_equal(info_of(f.t).churn_late, 0);
	assert_int_equal(info_of(f.t).pages + info_of(f.t).owed_pages, pages);
	fixture_free(&f, 0);
}

static void
churn_is_bounded_a_call(void **state)
{
	struct fixture f = aged(ZONE_PAGES, "churn,occupancy=0.5");
	struct lab_churn_config c = {.rate = 1000, .seed = 3, .burst = 10};

	assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
	assert_int_equal(lab_tenants_step(f.t, SECOND), 0); /* the clock starts */
	assert_int_equal(lab_tenants_step(f.t, 2 * SECOND), 10);
	assert_int_equal(info_of(f.t).churn_late, 990);
	assert_int_equal(lab_tenants_step(f.t, SECOND), 0); /* backwards */
	assert_int_equal(lab_tenants_step(f.t, UINT64_MAX), 10);
	assert_valid(f.zone);
	fixture_free(&f, 0);
}

static void
churn_is_seeded(void **state)
{
	char *text[3];

	for (int k = 0; k < 3; k++) {
		struct fixture f = aged(ZONE_PAGES / 4, "lifetimes");
		struct lab_churn_config c = {.rate = 500, .seed = k == 2 ? 10 : 9};

		assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
		for (uint64_t i = 0; i < 100; i++)
			lab_tenants_step(f.t, i * SECOND / 10);
		text[k] = saved(f.t);
		fixture_free(&f, 0);
	}
	assert_string_equal(text[0], text[1]);
	assert_string_not_equal(text[0], text[2]);
	for (int k = 0; k < 3; k++)
		free(text[k]);
}

static void
what_is_refused_is_owed_and_paid(void **state)
{
	struct fixture f = aged(ZONE_PAGES, "churn,occupancy=0.5");
	struct lab_churn_config c = {.rate = 1000, .seed = 3};
	unsigned long pages = info_of(f.t).pages;
	struct lab_inject all = {.probability_ppm = 1000000, .times = -1}, none = {0};

	assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
	lab_tenants_step(f.t, 0);
	assert_int_equal(lab_zone_inject(f.zone, &all), 0);
	assert_int_equal(lab_tenants_step(f.t, SECOND / 20), 50);
	assert_int_equal(info_of(f.t).owed_pages, 50);
	assert_int_equal(info_of(f.t).pages, pages - 50);
	assert_int_equal(lab_zone_inject(f.zone, &none), 0);
	lab_tenants_step(f.t, SECOND / 20 + 1);
	assert_int_equal(info_of(f.t).owed_pages, 0);
	assert_int_equal(info_of(f.t).pages, pages);
	fixture_free(&f, 0);
}

static void
reclaimed_memory_regrows_if_asked(void **state)
{
	for (int regrow = 0; regrow < 2; regrow++) {
		struct fixture f = aged(ZONE_PAGES, "churn,occupancy=0.5");
		struct lab_churn_config c = {.rate = 1, .seed = 3, .regrow = regrow};
		unsigned long pages = info_of(f.t).pages, got;

		assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
		got = lab_tenants_reclaim(f.t, 200, 0);
		assert_int_equal(info_of(f.t).owed_pages, regrow ? got : 0);
		for (uint64_t i = 0; i < 10; i++)
			lab_tenants_step(f.t, i * SECOND / 100);
		assert_int_equal(info_of(f.t).pages, regrow ? pages : pages - got);
		fixture_free(&f, 0);
	}
}

static void
bad_churn_is_refused(void **state)
{
	struct fixture f = fixture_new(64);
	const struct lab_churn_config bad[] = {{.rate = -1}, {.rate = NAN}, {.rate = INFINITY},
		{.rate = 2e9}, {.burst = 1U << 20}};
	struct lab_churn_config ok = {.rate = 1e9};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(bad); i++)
		assert_int_equal(lab_tenants_set_churn(f.t, &bad[i]), -EINVAL);
	assert_int_equal(lab_tenants_set_churn(f.t, &ok), 0);
	lab_tenants_step(f.t, 0);
	assert_int_equal(lab_tenants_step(f.t, SECOND), 0); /* nothing is held */
	fixture_free(&f, 0);
}

/* ------------------------------------------------------------------ threads */

struct racer {
	struct fixture *f;
	int kind;
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	struct lab_age_config cfg = config("churn,occupancy=0.5,rounds=1");
	struct lab_age_result res;

	for (unsigned int i = 1; i <= (ALL_CHECKED ? 100 : 400); i++) {
		if (r->kind == 0)
			lab_tenants_step(r->f->t, i * SECOND / 100);
		else if (r->kind == 1)
			lab_tenants_reclaim(r->f->t, 8, 0);
		else if (i % 20 == 0 && lab_age(r->f->t, &cfg, &res, NULL, NULL) == -EINVAL)
			return r;
		else if (i % 50 == 0)
			lab_tenants_release(r->f->t, 100, i);
	}
	return NULL;
}

static void
threads_share_the_tenants(void **state)
{
	struct fixture f = aged(ZONE_PAGES / 2, "churn");
	struct lab_churn_config c = {.rate = 1e5, .seed = 1, .regrow = true};
	struct racer racers[3];
	pthread_t thread[3];
	struct lab_tenants_info i;

	assert_int_equal(lab_tenants_set_churn(f.t, &c), 0);
	for (int k = 0; k < 3; k++) {
		racers[k] = (struct racer){&f, k};
		assert_int_equal(pthread_create(&thread[k], NULL, race, &racers[k]), 0);
	}
	for (int k = 0; k < 3; k++) {
		void *failed;

		pthread_join(thread[k], &failed);
		assert_null(failed);
	}
	i = info_of(f.t);
	assert_int_equal(i.allocs - i.frees, i.blocks);
	lab_drain_all_pages(f.zone);
	assert_int_equal(walk(f.zone).allocated, i.pages);
	fixture_free(&f, 0);
}

/* ----------------------------------------------------------------- measures */

static void
the_table_is_right(void **state)
{
	static const char *const specs[] = {"churn", "scatter", "lifetimes,occupancy=0.8",
		"adversary,order=5,occupancy=0.1", "churn,occupancy=0"};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(specs); i++) {
		struct fixture f = aged(ZONE_PAGES, specs[i]);
		struct lab_frag_row rows[LAB_NR_ORDERS];
		struct walked w = walk(f.zone);
		unsigned long blocks = 0, suitable = 0;

		for (int o = 0; o < LAB_NR_ORDERS; o++)
			blocks += w.blocks[o];
		lab_frag_table(f.zone, rows);
		for (int o = LAB_MAX_ORDER; o >= 0; o--) {
			long extfrag = -1000;

			suitable = suitable * 2 + w.blocks[o];
			if (suitable == 0)
				extfrag =
					1000 - (long)((1000 + w.free * 1000 / (1UL << o)) / blocks);
			assert_int_equal(rows[o].order, o);
			assert_int_equal(rows[o].free_blocks, w.blocks[o]);
			assert_int_equal(rows[o].suitable, suitable);
			assert_int_equal(rows[o].unusable, walked_unusable(&w, (unsigned int)o));
			assert_int_equal(rows[o].extfrag, extfrag);
		}
		fixture_free(&f, 0);
	}
}

static void
the_table_prints(void **state)
{
	struct fixture f = fixture_new(1024);
	struct lab_frag_row rows[LAB_NR_ORDERS];
	char *text = NULL, *last;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int lines = 0;

	lab_frag_table(f.zone, rows);
	lab_frag_table_print(rows, out);
	fclose(out);
	for (char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 1 + LAB_NR_ORDERS);
	last = strrchr(text, '1');
	assert_non_null(last);
	assert_non_null(strstr(text, "   10          1          1     0.000   -1.000\n"));
	free(text);
	fixture_free(&f, 0);
}

static void
the_histogram_is_right(void **state)
{
	/* So many pageblocks, and one of 100 frames. */
	const unsigned long n = ALL_CHECKED ? 4 : 20;
	struct fixture f = fixture_new_prot(n * 512 + 100, 0, 0, PROT_NONE);
	struct lab_frag_histogram h;
	struct lab_age_config cfg = config("churn,occupancy=0.5");
	unsigned long pageblocks = 0, pages = 0;
	void *page;

	assert_int_equal(lab_frag_histogram(f.zone, &h), 0);
	assert_int_equal(h.pageblocks, n + 1);
	assert_int_equal(h.entirely_free, n);
	assert_int_equal(h.count[100], 1);
	page = lab_alloc_pages(f.zone, LAB_GFP_KERNEL, 10); /* two pageblocks */
	assert_int_equal(lab_frag_histogram(f.zone, &h), 0);
	assert_int_equal(h.count[0], 2);
	assert_int_equal(h.entirely_free, n - 2);
	lab_free_pages(f.zone, page, 10);
	assert_int_equal(lab_age(f.t, &cfg, NULL, NULL, NULL), 0);
	assert_int_equal(lab_frag_histogram(f.zone, &h), 0);
	for (unsigned long i = 0; i <= LAB_PAGEBLOCK_PAGES; i++) {
		pageblocks += h.count[i];
		pages += h.count[i] * i;
	}
	assert_int_equal(pageblocks, n + 1);
	assert_int_equal(pages, walk(f.zone).free);
	assert_int_equal(h.free_pages, pages);
	fixture_free(&f, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creating_needs_a_zone),
		cmocka_unit_test(the_books_agree),
		cmocka_unit_test(release_gives_back_what_is_asked),
		cmocka_unit_test(release_is_seeded),
		cmocka_unit_test(reclaim_never_takes_unmovable),
		cmocka_unit_test(kswapd_reclaims_from_tenants),
		cmocka_unit_test(direct_reclaim_by_another),
		cmocka_unit_test(churn_keeps_to_its_rate),
		cmocka_unit_test(churn_is_bounded_a_call),
		cmocka_unit_test(churn_is_seeded),
		cmocka_unit_test(what_is_refused_is_owed_and_paid),
		cmocka_unit_test(reclaimed_memory_regrows_if_asked),
		cmocka_unit_test(bad_churn_is_refused),
		cmocka_unit_test(threads_share_the_tenants),
		cmocka_unit_test(the_table_is_right),
		cmocka_unit_test(the_table_prints),
		cmocka_unit_test(the_histogram_is_right),
	};

	return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
