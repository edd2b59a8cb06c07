/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* How long making a zone of so many GiB takes, its memory reserved and not touched, and what its metadata take; and
 * whether the labyrinth allocator meets its target. A missed one fails nothing, because a time is no test. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "lab_base.h"
#include "lab_page.h"

#define ROUNDS     9
#define TARGET_GIB 64UL
#define TARGET_MS  50.0

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
create(struct lab_zone_config *cfg, double *ms)
{
	size_t len = cfg->nr_pages << LAB_PAGE_SHIFT;
	struct lab_zone *z;
	double start;
	int ret;

	cfg->base = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cfg->base == MAP_FAILED)
		return -errno;
	start = now_ms();
	ret = lab_zone_create(&z, cfg);
	*ms = now_ms() - start;
	if (ret == 0)
		lab_zone_destroy(z);
	munmap(cfg->base, len);
	return ret;
}

/* The median by the target, which is of one size and not of the baseline. */
static void
print_verdict(enum lab_allocator a, unsigned long gib, double ms)
{
	if (a != LAB_ALLOCATOR_LABYRINTH || gib != TARGET_GIB)
		printf("\n");
	else
		printf("; at most %.0f ms: %s\n", TARGET_MS, ms <= TARGET_MS ? "met" : "missed");
}

static int
measure(enum lab_allocator a, unsigned long gib)
{
	struct lab_zone_config cfg = lab_zone_config_default(gib << (30 - LAB_PAGE_SHIFT));
	double ms[ROUNDS];

	cfg.allocator = a;
	for (int i = 0; i < ROUNDS; i++) {
		int ret = create(&cfg, &ms[i]);

		if (ret != 0)
			return ret;
	}
	qsort(ms, ROUNDS, sizeof(ms[0]), by_size);
	printf("%-9s %lu GiB: %.2f ms [%.2f, %.2f], metadata %.3f bytes a frame",
		lab_allocator_name(a), gib, ms[ROUNDS / 2], ms[0], ms[ROUNDS - 1],
		(double)lab_zone_meta_size(&cfg) / (double)cfg.nr_pages);
	print_verdict(a, gib, ms[ROUNDS / 2]);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned long gib = argc > 1 ? strtoul(argv[1], NULL, 10) : TARGET_GIB;

	for (int a = 0; a < LAB_NR_ALLOCATORS; a++) {
		int ret = measure((enum lab_allocator)a, gib);

		if (ret != 0) {
			fprintf(stderr, "%s, %lu GiB: %s\n", lab_allocator_name(a), gib,
				strerror(-ret));
			return 1;
		}
	}
	return 0;
}
