/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_PAGE_GFP_H
#define LAB_PAGE_GFP_H

/**
 * @file gfp.h
 * The passes of the slow path, each with its own flags. Linux tries a request at the min mark
 * first and only then, with other flags, into the reserves of MEMALLOC or of OOM victims: the
 * second set replaces the first, so an atomic request of an OOM victim is asked to leave 3/8 of
 * min and then 1/2, never 3/16.
 */

#include "lab_page.h"

/** ALLOC_* of the pass at the min mark, which every request makes. [gfp_to_alloc_flags] */
unsigned int lab_gfp_min_flags(lab_gfp_t gfp, unsigned int order);

/** ALLOC_* of the pass into the reserves; 0: the request has no such pass. [__gfp_pfmemalloc_flags]
 */
unsigned int lab_gfp_reserve_flags(lab_gfp_t gfp);

#endif /* LAB_PAGE_GFP_H */
