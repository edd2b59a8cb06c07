/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Prints the table of docs/ageing.md: targets, what was achieved, and what it took. A zone's frames
 * are never touched, so a zone of any size costs its metadata alone.
 *
 *     frag_age_table [frames] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "lab_base.h"
#include "lab_frag.h"

static const char *const specs[] = {
	"churn",
	"churn,occupancy=0.9",
	"churn,occupancy=0.9,unusable=600@2",
	"churn,occupancy=0.5,unusable=300@9",
	"scatter",
	"scatter,occupancy=0.1,unmovable=0.5",
	"scatter,occupancy=0.3,unusable=500@9",
	"scatter,occupancy=0.9,unusable=500@3",
	"lifetimes",
	"lifetimes,occupancy=0.9",
	"lifetimes,occupancy=0.8,unusable=300@1",
	"lifetimes,occupancy=0.5,unusable=900@3",
	"adversary,occupancy=0.125",
	"adversary,occupancy=0.002,order=9",
	"adversary,occupancy=0.5,unusable=750@4",
	"churn,occupancy=0.999,tolerance=0",
	"churn,occupancy=0.01,unusable=999@1",
};

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int
print_row(const char *spec, struct lab_zone_config *zc)
{
	struct lab_age_config cfg;
	struct lab_age_result r;
	struct lab_tenants *t;
	struct lab_zone *zone;
	double start;

	if (lab_age_parse(spec, &cfg, NULL, 0) != 0 || lab_zone_create(&zone, zc) != 0 ||
		lab_tenants_create(&t, zone, 0) != 0)
		return 1;
	start = seconds();
	lab_age(t, &cfg, &r, NULL, NULL);
	printf("| `%s` | %.4f | %.4f | ", spec, r.occupancy_target, r.occupancy);
	if (r.unusable_target == LAB_AGE_NO_UNUSABLE)
		printf("none | %d@%u | ", r.unusable, r.order);
	else
		printf("%d@%u | %d@%u | ", r.unusable_target, r.order, r.unusable, r.order);
	printf("%lu | %lu | %.2f | %s |\n", r.allocs, r.steered, seconds() - start,
		lab_age_reason_name(r.reason));
	lab_tenants_destroy(t);
	lab_drain_all_pages(zone);
	return lab_zone_destroy(zone) != 0;
}

int
main(int argc, char **argv)
{
	unsigned long frames = argc > 1 ? strtoul(argv[1], NULL, 10) : 262144;
	struct lab_zone_config zc = lab_zone_config_default(frames);
	int failed = 0;

	zc.base = mmap(NULL, frames * LAB_PAGE_SIZE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (zc.base == MAP_FAILED)
		return 1;
	printf("| specification | occupancy asked | got | unusable asked | got | blocks allocated "
	       "| "
	       "moved | s | result |\n|---|---|---|---|---|---|---|---|---|\n");
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(specs); i++)
		failed |= print_row(specs[i], &zc);
	return failed;
}
