/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef CHECK_DIAGNOSIS_H
#define CHECK_DIAGNOSIS_H

/** @file check_diagnosis.h What holds for a diagnosis of anything at all. */

#include <string.h>

#include "lab_base.h"
#include "lab_diagnose.h"

#define IS_TEXT(field) (memchr(field, '\0', sizeof(field)) != NULL)

static inline void
check_report(const struct lab_diag_report *r)
{
	lab_assert_always(IS_TEXT(r->comm) && IS_TEXT(r->kernel) && IS_TEXT(r->caller));
	lab_assert_always(IS_TEXT(r->module) && IS_TEXT(r->cache) && IS_TEXT(r->gfp_names));
	lab_assert_always(r->nr_zones <= LAB_DIAG_MAX_ZONES);
	lab_assert_always(r->order >= -1 && r->order <= 30 && r->page_kb >= 1);
	for (unsigned int i = 0; i < r->nr_zones; i++) {
		lab_assert_always(lab_diag_zone_name(r->zones[i].type) != NULL);
		lab_assert_always(r->zones[i].nr_reserves <= LAB_DIAG_MAX_RESERVES);
		lab_assert_always(r->zones[i].free >= LAB_DIAG_UNKNOWN);
	}
}

static inline void
check_zone(const struct lab_diag_zone_verdict *v)
{
	lab_assert_always(lab_diag_gate_name(v->gate) != NULL);
	lab_assert_always(v->lacks >= 0 && v->spare >= 0);
	/* pages are missing only where a gate closed, and left only where it is open */
	lab_assert_always(v->lacks == 0 || v->gate != LAB_DIAG_OPEN);
	lab_assert_always(v->spare == 0 || v->gate == LAB_DIAG_OPEN);
	lab_assert_always(v->unusable >= -1 && v->unusable <= 1000);
}

static inline void
check_diagnosis(const struct lab_diag_report *r)
{
	static struct lab_diagnosis d;

	check_report(r);
	lab_diagnose(r, &d);
	lab_assert_always(IS_TEXT(d.text) && d.text[0] != '\0' && IS_TEXT(d.gfp_text));
	lab_assert_always(lab_diag_gate_name(d.gate) != NULL);
	lab_assert_always(d.zone >= -1 && d.zone < (int)r->nr_zones);
	lab_assert_always(d.nr_changes <= LAB_DIAG_MAX_CHANGES && d.nr_notes <= LAB_DIAG_MAX_NOTES);
	for (unsigned int i = 0; i < r->nr_zones; i++)
		check_zone(&d.zones[i]);
	for (unsigned int i = 0; i < d.nr_changes; i++) {
		lab_assert_always(lab_diag_helps_name(d.changes[i].helps) != NULL);
		lab_assert_always(IS_TEXT(d.changes[i].what) && d.changes[i].what[0] != '\0');
		lab_assert_always(IS_TEXT(d.changes[i].effect) && d.changes[i].effect[0] != '\0');
		lab_assert_always(
			IS_TEXT(d.changes[i].side_effect) && d.changes[i].side_effect[0] != '\0');
	}
}

#endif /* CHECK_DIAGNOSIS_H */
