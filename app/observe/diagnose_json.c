/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <stdio.h>
#include <string.h>

#include "diagnose_json.h"
#include "lab_base.h"

/** A text, or null where the kernel's has none. */
static json_t *
text(const char *s)
{
	return s[0] != '\0' ? json_string(s) : json_null();
}

/** A figure of pages in kB, or null. */
static json_t *
kb(const struct lab_diag_report *r, long pages)
{
	return pages == LAB_DIAG_UNKNOWN ? json_null()
					 : json_integer((json_int_t)pages * r->page_kb);
}

static json_t *
figure(long v)
{
	return v < 0 ? json_null() : json_integer(v);
}

static json_t *
request(const struct lab_diag_report *r, const struct lab_diagnosis *d)
{
	json_t *o = json_object();
	char mode[16];

	snprintf(mode, sizeof(mode), "0x%x", r->mode);
	json_object_set_new(o, "comm", text(r->comm));
	json_object_set_new(o, "cpu", figure(r->cpu));
	json_object_set_new(o, "order", figure(r->order));
	json_object_set_new(o, "size_kb",
		r->order >= 0 && r->order < LAB_DIAG_NR_ORDERS ? kb(r, 1L << r->order)
							       : json_null());
	json_object_set_new(o, "mode", r->has_mode ? json_string(mode) : json_null());
	json_object_set_new(o, "gfp", json_string(d->gfp_text));
	json_object_set_new(o, "held_to", json_string(d->share));
	json_object_set_new(o, "asked_by", text(r->caller));
	json_object_set_new(o, "module", text(r->module));
	json_object_set_new(o, "slab_cache", text(r->cache));
	json_object_set_new(o, "kernel", text(r->kernel));
	if (r->source == LAB_DIAG_MESSAGE) {
		json_object_set_new(o, "line", json_integer(r->line));
		json_object_set_new(o, "suppressed_before", json_integer(r->suppressed));
	}
	return o;
}

static void
add_verdict(json_t *o, const struct lab_diag_report *r, const struct lab_diag_zone_verdict *v)
{
	bool judged = v->gate != LAB_DIAG_NOT_ASKED && v->gate != LAB_DIAG_NO_FIGURES;

	json_object_set_new(o, "kept_back_kb", judged ? kb(r, v->v.unusable) : json_null());
	json_object_set_new(o, "share_kb", judged ? kb(r, v->v.min) : json_null());
	json_object_set_new(
		o, "lowmem_reserve_kb", judged ? kb(r, v->v.lowmem_reserve) : json_null());
	json_object_set_new(o, "lacks_kb", judged ? kb(r, v->lacks) : json_null());
	json_object_set_new(o, "spare_kb", judged ? kb(r, v->spare) : json_null());
	json_object_set_new(o, "largest_order", figure(v->largest_order));
	json_object_set_new(o, "unusable_index",
		v->unusable < 0 ? json_null() : json_real(v->unusable / 1000.0));
	json_object_set_new(o, "gate", json_string(lab_diag_gate_name(v->gate)));
}

static json_t *
zone(const struct lab_diag_report *r, const struct lab_diag_zone *z,
	const struct lab_diag_zone_verdict *v)
{
	json_t *o = json_object(), *blocks = json_array(), *types = json_array();
	char letters[LAB_MIGRATE_TYPES + 1];

	json_object_set_new(o, "node", json_integer(z->node));
	json_object_set_new(o, "zone", json_string(lab_diag_zone_name(z->type)));
	json_object_set_new(o, "free_kb", kb(r, z->free));
	json_object_set_new(o, "min_kb", kb(r, z->min));
	json_object_set_new(o, "low_kb", kb(r, z->low));
	json_object_set_new(o, "high_kb", kb(r, z->high));
	json_object_set_new(o, "boost_kb", kb(r, z->boost));
	json_object_set_new(o, "managed_kb", kb(r, z->managed));
	json_object_set_new(o, "free_cma_kb", kb(r, z->free_cma));
	json_object_set_new(o, "reserved_highatomic_kb", kb(r, z->reserved_highatomic));
	json_object_set_new(o, "free_highatomic_kb", kb(r, z->free_highatomic));
	json_object_set_new(o, "free_pcp_kb", kb(r, z->free_pcp));
	for (unsigned int i = 0; i < LAB_DIAG_NR_ORDERS && z->has_blocks; i++) {
		unsigned int n = 0;

		for (unsigned int t = 0; t < LAB_MIGRATE_TYPES; t++)
			if (z->types[i] & 1U << t)
				letters[n++] = "UMEHCI"[t];
		letters[n] = '\0';
		json_array_append_new(blocks, json_integer((json_int_t)z->blocks[i]));
		json_array_append_new(types, json_string(letters));
	}
	json_object_set_new(o, "blocks", blocks);
	json_object_set_new(o, "block_types", types);
	add_verdict(o, r, v);
	return o;
}

static json_t *
changes(const struct lab_diagnosis *d)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < d->nr_changes; i++) {
		const struct lab_diag_change *c = &d->changes[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s}", "change", c->what, "helps",
				      lab_diag_helps_name(c->helps), "effect", c->effect,
				      "side_effect", c->side_effect));
	}
	return list;
}

json_t *
diagnose_json(const struct lab_diag_report *r, const struct lab_diagnosis *d)
{
	json_t *o = json_object(), *zones = json_array(), *notes = json_array();

	json_object_set_new(o, "request", request(r, d));
	json_object_set_new(o, "gate", json_string(lab_diag_gate_name(d->gate)));
	json_object_set_new(o, "decided_by", d->zone < 0 ? json_null() : json_integer(d->zone));
	json_object_set_new(o, "verdict", json_string(d->text));
	for (unsigned int i = 0; i < r->nr_zones; i++)
		json_array_append_new(zones, zone(r, &r->zones[i], &d->zones[i]));
	json_object_set_new(o, "zones", zones);
	json_object_set_new(o, "changes", changes(d));
	for (unsigned int i = 0; i < d->nr_notes; i++)
		json_array_append_new(notes, json_string(d->notes[i]));
	json_object_set_new(o, "notes", notes);
	return o;
}
