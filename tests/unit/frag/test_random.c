/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Random configurations on random zones with random other holders: whatever is asked for, the zone
 * stays valid, the books agree, and a target that can be had is nearly always reached. */
#include "frag_test.h"

#define ZONES     (ALL_CHECKED ? 30 : 120)
#define AGEINGS   3
#define MAX_PAGES (ALL_CHECKED ? 1200UL : 24000UL)
#define OTHERS    (MAX_PAGES / 16)

struct other {
	void *page;
	unsigned int order;
};

static unsigned int reasons[LAB_NR_AGE_REASONS];

static struct fixture
random_zone(struct lab_rng *g)
{
	unsigned long pages = 1 + lab_rng_below(g, lab_rng_below(g, 3) == 0 ? 600 : MAX_PAGES);
	struct lab_zone_config cfg = lab_zone_config_default(pages);
	struct fixture f = {.len = pages * LAB_PAGE_SIZE};

	f.base = mmap(NULL, f.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(f.base != MAP_FAILED);
	cfg.base = f.base;
	cfg.nr_cpus = 1 + (unsigned int)lab_rng_below(g, 3);
	cfg.no_pcp = lab_rng_below(g, 4) == 0;
	/* The smallest zones are smaller than the least reserve. */
	cfg.min_free_kbytes = pages < 100 || lab_rng_below(g, 2) ? 0 : -1;
	cfg.cma_pages = pages > 4096 && lab_rng_below(g, 6) == 0 ? pages / 4 : 0;
	assert_int_equal(lab_zone_create(&f.zone, &cfg), 0);
	assert_int_equal(lab_tenants_create(&f.t, f.zone,
				 lab_rng_below(g, 8) == 0 ? 1 + lab_rng_below(g, pages) : 0),
		0);
	return f;
}

static unsigned int
random_others(struct fixture *f, struct lab_rng *g, struct other *others)
{
	unsigned int n = lab_rng_below(g, 2) ? (unsigned int)lab_rng_below(g, OTHERS) : 0, nr = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int order = (unsigned int)lab_rng_below(g, 4);
		void *page = lab_alloc_pages(f->zone, LAB_GFP_ATOMIC | __LAB_GFP_NOWARN, order);

		if (page != NULL && lab_rng_below(g, 2))
			assert_int_equal(lab_free_pages(f->zone, page, order), 0);
		else if (page != NULL)
			others[nr++] = (struct other){page, order};
	}
	return nr;
}

static struct lab_age_config
random_config(struct lab_rng *g)
{
	struct lab_age_config c =
		lab_age_config_default((enum lab_age_model)lab_rng_below(g, LAB_NR_AGE_MODELS));

	c.seed = lab_rng_u64(g);
	c.occupancy = lab_rng_below(g, 10) == 0 ? (double)lab_rng_below(g, 2) : lab_rng_double(g);
	c.order = 1 + (unsigned int)lab_rng_below(g, LAB_MAX_ORDER);
	c.unusable = (int)lab_rng_below(g, 1002) - 1;
	c.rounds = 1 + (unsigned int)lab_rng_below(g, 6);
	c.unmovable = 0.01 + 0.5 * lab_rng_double(g);
	c.reclaimable = 0.4 * lab_rng_double(g);
	if (lab_rng_below(g, 2))
		c.order_weight[lab_rng_below(g, LAB_NR_ORDERS)] = lab_rng_double(g);
	return c;
}

static void
age_once(struct fixture *f, const struct lab_age_config *cfg)
{
	static const int rc_of[LAB_NR_AGE_REASONS] = {[LAB_AGE_IMPOSSIBLE] = -ERANGE,
		[LAB_AGE_OTHERS] = -ERANGE,
		[LAB_AGE_REFUSED] = -ENOSPC,
		[LAB_AGE_NO_SLOT] = -ENOSPC,
		[LAB_AGE_NOT_CONVERGED] = -ENOSPC,
		[LAB_AGE_TOO_COARSE] = -ENOSPC};
	struct lab_tenants_info before, after;
	struct lab_age_result r;
	struct walked w;
	int rc;

	lab_tenants_info_get(f->t, &before);
	rc = lab_age(f->t, cfg, &r, NULL, NULL);
	lab_tenants_info_get(f->t, &after);
	w = walk(f->zone);
	assert_valid(f->zone);
	assert_int_equal(rc, rc_of[r.reason]);
	assert_int_equal(w.managed, r.managed);
	assert_int_equal(w.free, r.free);
	assert_int_equal(walked_unusable(&w, cfg->order), r.unusable);
	assert_int_equal(after.allocs - after.frees, after.blocks);
	if (rc == -ERANGE)
		assert_memory_equal(&before, &after, sizeof(before));
	reasons[r.reason]++;
}

static void
save_and_load(struct fixture *f, bool others)
{
	char *text = NULL, err[160] = "";
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int rc = lab_age_save(f->t, out);

	fclose(out);
	if (rc == 0 && load_text(f->t, text, err, sizeof(err)) != 0)
		fail_msg("what was saved does not load: %s", err);
	assert_true(rc == 0 || (others && rc == -EBUSY));
	free(text);
	assert_valid(f->zone);
}

static void
any_configuration_is_survived(void **state)
{
	static struct other others[1500];
	struct lab_rng g;

	lab_rng_seed(&g, 20);
	for (int i = 0; i < ZONES; i++) {
		struct fixture f = random_zone(&g);
		unsigned int nr = random_others(&f, &g, others);

		for (int k = 0; k < AGEINGS; k++) {
			struct lab_age_config cfg = random_config(&g);

			age_once(&f, &cfg);
			save_and_load(&f, nr > 0);
		}
		for (unsigned int k = 0; k < nr; k++)
			assert_int_equal(
				lab_free_pages(f.zone, others[k].page, others[k].order), 0);
		fixture_free(&f, 0);
	}
	for (int r = 0; r < LAB_NR_AGE_REASONS; r++)
		print_message("%s %u\n", lab_age_reason_name((enum lab_age_reason)r), reasons[r]);
	/* In small zones a single block is more than most tolerances. */
	assert_true(reasons[LAB_AGE_REACHED] > ZONES / 2);
	assert_true(ALL_CHECKED || reasons[LAB_AGE_NOT_CONVERGED] * 30 < reasons[LAB_AGE_REACHED]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_configuration_is_survived),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
