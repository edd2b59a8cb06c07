/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose.c
 * The verdict on a whole report: which zone decides, and the sentences.
 */
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

/* ------------------------------------------------------------ the zone that decides */

static long
size_of(const struct lab_diag_zone *z)
{
	if (z->managed != LAB_DIAG_UNKNOWN)
		return z->managed;
	return z->present != LAB_DIAG_UNKNOWN ? z->present : z->free;
}

/** An open gate before a closed one: that one zone would do is what matters. Then the larger. */
static bool
is_better(const struct lab_diag_report *r, const struct lab_diagnosis *d, int a, int b)
{
	enum lab_diag_gate ga = d->zones[a].gate, gb = d->zones[b].gate;

	if ((ga == LAB_DIAG_NO_FIGURES) != (gb == LAB_DIAG_NO_FIGURES))
		return gb == LAB_DIAG_NO_FIGURES;
	if ((ga == LAB_DIAG_OPEN) != (gb == LAB_DIAG_OPEN))
		return ga == LAB_DIAG_OPEN;
	return size_of(&r->zones[a]) > size_of(&r->zones[b]);
}

static void
choose_zone(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	d->zone = -1;
	for (int i = 0; i < (int)r->nr_zones; i++) {
		if (d->zones[i].gate == LAB_DIAG_NOT_ASKED)
			continue;
		if (d->zone < 0 || is_better(r, d, i, d->zone))
			d->zone = i;
	}
	d->gate = d->zone < 0 ? LAB_DIAG_NO_FIGURES : d->zones[d->zone].gate;
}

/* -------------------------------------------------------------------- notes */

static void
note_boost(const struct lab_diag_report *r, const struct lab_diag_zone *z, struct lab_diagnosis *d)
{
	long least = diag_boost(r, z);

	if (least > 0)
		diag_note(d,
			"This kernel prints min with the watermark boost in it and does not say "
			"how much that is; at least %ld kB, as low is only %ld kB over it.",
			least * (long)r->page_kb, (z->low - z->min) * (long)r->page_kb);
	else
		diag_note(d, "This kernel prints min with the watermark boost in it and does not "
			     "say how much that is.");
}

static void
note_figures(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	const struct lab_diag_zone *z = &r->zones[d->zone];

	if (!z->has_blocks && r->order > 0)
		diag_note(d,
			"The text has no counts of free blocks by order, so whether a block of "
			"order "
			"%d was there is not known.",
			r->order);
	else if (z->has_blocks && !z->has_types && r->order > 0)
		diag_note(d, "The text does not say in which lists the free blocks are (kernels "
			     "since 3.8 "
			     "do); all are taken as usable.");
	/* there is a boost since 5.0, and it is printed since 5.16 */
	if (z->boost == LAB_DIAG_UNKNOWN && r->major >= 5)
		note_boost(r, z, d);
	if (!r->page_kb_known && r->source == LAB_DIAG_MESSAGE && r->nr_zones > 0)
		diag_note(d, "The page size is not in the text; 4 kB are assumed.");
	if (r->lost_zones > 0)
		diag_note(d, "%u more zones are in the text and were left out.", r->lost_zones);
}

static void
note_request(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	if (r->suppressed > 0)
		diag_note(d,
			"The kernel left out %ld such messages before this one: there were more "
			"refusals than messages.",
			r->suppressed);
	if (d->gfp & __LAB_GFP_THISNODE)
		diag_note(d,
			"__GFP_THISNODE: only one node was asked, and the message does not say "
			"which.");
	if (r->cache[0] != '\0')
		diag_note(d,
			"The page was for the slab cache %s: SLUB tries its large order silently "
			"and "
			"complains only of the smallest that an object fits in.",
			r->cache);
	if (r->order < 0)
		diag_note(d, "The order is not in the text; 0 is assumed.");
	else if (r->order > LAB_MAX_ORDER)
		diag_note(d, "Order %d is above the largest (%d) that is judged here.", r->order,
			LAB_MAX_ORDER);
}

static void
note_all(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	note_request(r, d);
	if (d->zone >= 0)
		note_figures(r, d);
	if (d->gate == LAB_DIAG_OPEN && r->source == LAB_DIAG_MESSAGE)
		diag_note(d, "A message's figures are read after the refusal, while kswapd and "
			     "other CPUs "
			     "go on; a cpuset, a nodemask or a memory policy can also have ruled a "
			     "zone out.");
}

/* ----------------------------------------------------------------- sentences */

/** Kilobytes of pages. */
static long
kb(const struct lab_diag_report *r, long pages)
{
	return pages * (long)r->page_kb;
}

/** "3/8 of min 1400 kB" */
static void
share_words(const struct lab_diag_report *r, const struct lab_diagnosis *d,
	const struct lab_diag_zone_verdict *v, char *buf, size_t len)
{
	long boost = r->zones[v - d->zones].min - v->v.mark;

	if (v->v.alloc_flags & LAB_ALLOC_NO_WATERMARKS)
		snprintf(buf, len, "nothing");
	else if (strcmp(d->share, "min") == 0)
		snprintf(buf, len, "min, %ld kB", kb(r, v->v.min));
	else if (boost > 0)
		snprintf(buf, len, "%ld kB (%s %ld kB, without its boost of %ld kB)",
			kb(r, v->v.min), d->share, kb(r, v->v.mark), kb(r, boost));
	else
		snprintf(buf, len, "%ld kB (%s %ld kB)", kb(r, v->v.min), d->share,
			kb(r, v->v.mark));
}

static void
say_block(const struct lab_diag_report *r, const struct lab_diag_zone_verdict *v, const char *zone,
	char *buf, size_t len)
{
	if (v->old_order >= 0)
		snprintf(buf, len,
			"%s had pages enough, but without the blocks of orders 0 to %d only %ld kB "
			"were "
			"left, and this kernel holds them to %ld kB (min's share halved for each "
			"order): "
			"too little memory in blocks of order %d and above.",
			zone, v->old_order, kb(r, v->old_free), kb(r, v->old_min),
			v->old_order + 1);
	else if (v->largest_order >= 0)
		snprintf(buf, len,
			"%s had pages enough (%ld kB free), but no free block of order %d (%ld "
			"kB): the "
			"largest that the request may use is of order %d (%ld kB).",
			zone, kb(r, (long)v->v.nr_free), r->order, kb(r, 1L << r->order),
			v->largest_order, kb(r, 1L << v->largest_order));
	else
		snprintf(buf, len, "%s had %ld kB free, but no block that the request may use.",
			zone, kb(r, (long)v->v.nr_free));
}

static void
say_gate(const struct lab_diag_report *r, const struct lab_diagnosis *d,
	const struct lab_diag_zone_verdict *v, const char *zone, char *buf, size_t len)
{
	char share[128];

	share_words(r, d, v, share, sizeof(share));
	switch (v->gate) {
	case LAB_DIAG_EXHAUSTED:
	case LAB_DIAG_WATERMARK:
		snprintf(buf, len,
			"%s had %ld kB free; the request may take it down to %s, and %ld kB were "
			"missing.",
			zone, kb(r, (long)v->v.nr_free), share, kb(r, v->lacks));
		break;
	case LAB_DIAG_LOWMEM_RESERVE:
		snprintf(buf, len,
			"%s had %ld kB free, more than %s, but keeps %ld kB more (lowmem_reserve) "
			"for "
			"requests that can use no other zone; %ld kB were missing.",
			zone, kb(r, (long)v->v.nr_free), share, kb(r, v->v.lowmem_reserve),
			kb(r, v->lacks));
		break;
	case LAB_DIAG_HIGHATOMIC:
	case LAB_DIAG_CMA:
		snprintf(buf, len,
			"%s had %ld kB free, but what would have served the request is kept for "
			"%s; its "
			"limit is %s.",
			zone, kb(r, (long)v->v.nr_free),
			v->gate == LAB_DIAG_CMA ? "movable pages (CMA)"
						: "high-order atomic requests",
			share);
		break;
	case LAB_DIAG_OPEN:
		snprintf(buf, len,
			"by these figures %s would serve the request: %ld kB free, limit %s%s.",
			zone, kb(r, (long)v->v.nr_free), share,
			r->order > 0 ? ", and there is a block" : "");
		break;
	case LAB_DIAG_ORDER:
		say_block(r, v, zone, buf, len);
		break;
	default:
		snprintf(buf, len, "the text has too few figures of %s to tell.", zone);
		break;
	}
}

static void
say(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	char zone[48];

	if (r->vmalloc) {
		snprintf(d->text, sizeof(d->text),
			"vmalloc could not have what it wanted (address space, or a size of 0): "
			"the line "
			"before the message says so, and no page was refused.");
		return;
	}
	if (d->zone < 0) {
		snprintf(d->text, sizeof(d->text),
			"the text has no zone that the request may use (no Mem-Info, or cut off): "
			"which gate "
			"closed cannot be told. The request is held to %s. On the machine itself "
			"--live shows what "
			"it would meet now.",
			d->share);
		return;
	}
	snprintf(zone, sizeof(zone), "Node %d %s", r->zones[d->zone].node,
		lab_diag_zone_name(r->zones[d->zone].type));
	say_gate(r, d, &d->zones[d->zone], zone, d->text, sizeof(d->text));
}

/* ------------------------------------------------------------------------ all */

void
lab_diagnose(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	struct diag_request rq;

	memset(d, 0, sizeof(*d));
	diag_decode_gfp(r, d);
	rq = diag_request_of(r, d);
	for (unsigned int i = 0; i < r->nr_zones; i++)
		diag_judge(r, &r->zones[i], &rq, &d->zones[i]);
	choose_zone(r, d);
	if (r->vmalloc) {
		d->gate = LAB_DIAG_OPEN;
		say(r, d);
		return;
	}
	note_all(r, d);
	say(r, d);
	if (d->zone >= 0)
		diag_changes(r, &rq, d);
}
