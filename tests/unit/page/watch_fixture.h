/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef WATCH_FIXTURE_H
#define WATCH_FIXTURE_H

/** @file watch_fixture.h Zones of either allocator for the tests of owners and guarded mode. */

#include "zone_fixture.h"

#include <unistd.h>

static inline struct lab_zone *
make_watched(enum lab_allocator allocator, bool pcp, unsigned long nr_pages)
{
	struct lab_zone_config cfg = lab_zone_config_default(nr_pages);

	cfg.allocator = allocator;
	cfg.nr_cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	cfg.no_pcp = !pcp;
	cfg.watermark_boost_factor = 0;
	cfg.min_free_kbytes = 0;
	return make_zone(&cfg);
}

/** Run a test on the four kinds of zones. */
#define FOR_EACH_KIND(fn)                                                                          \
	do {                                                                                       \
		for (int kind_ = 0; kind_ < 2 * LAB_NR_ALLOCATORS; kind_++)                        \
			fn((enum lab_allocator)(kind_ / 2), kind_ % 2);                            \
	} while (0)

#endif /* WATCH_FIXTURE_H */
