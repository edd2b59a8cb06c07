/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose_change.c
 * What would have let a request through, and what it costs. Where a figure is given it is the gate's
 * own answer to changed figures, not a rule of thumb.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

/* Of kB and pages: far above any figure, and far below overflow. */
#define MOST (1L << 50)

/** What the changes are worked out from. */
struct context {
	const struct lab_diag_report *r;
	const struct diag_request *rq;
	const struct lab_diag_zone *z; /**< that decides */
	const struct lab_diag_zone_verdict *v;
	struct lab_diagnosis *d;
};

static const char *const helps_names[] = {
	[LAB_DIAG_HELPS] = "yes",
	[LAB_DIAG_MAY_HELP] = "may",
	[LAB_DIAG_HELPS_NOT] = "no",
};

const char *
lab_diag_helps_name(enum lab_diag_helps helps)
{
	return (unsigned int)helps < LAB_ARRAY_SIZE(helps_names) ? helps_names[helps] : NULL;
}

/** A change to be filled in; one that is thrown away if there are too many. */
static struct lab_diag_change *
add(struct context *c, enum lab_diag_helps helps)
{
	static struct lab_diag_change *const none = NULL;
	struct lab_diagnosis *d = c->d;
	struct lab_diag_change *change;

	if (d->nr_changes == LAB_DIAG_MAX_CHANGES)
		return none;
	change = &d->changes[d->nr_changes++];
	change->helps = helps;
	return change;
}

static void __attribute__((format(printf, 3, 4))) print(char *buf, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, len, fmt, ap);
	va_end(ap);
}

#define PRINT(field, ...) print(field, sizeof(field), __VA_ARGS__)

static long
kb(const struct context *c, long pages)
{
	return pages * (long)c->r->page_kb;
}

/* ------------------------------------------------------------ changed figures */

/** a * b / c, rounded up or not, without overflow for figures that only a broken text has. */
static long
scaled(long a, long b, long c, bool up)
{
	__int128 v = (__int128)a * b;

	c = c > 0 ? c : 1;
	v = up ? (v + c - 1) / c : v / c;
	return v < MOST ? (long)v : MOST;
}

static bool
opens(const struct context *c, const struct lab_diag_zone *z)
{
	struct lab_diag_zone_verdict v;

	diag_judge(c->r, z, c->rq, &v);
	return v.gate == LAB_DIAG_OPEN;
}

/** Would it pass with min higher by so many pages? All others then leave as many more free; as single pages, for want
 *  of knowledge. */
static bool
opens_with_min(const struct context *c, long more)
{
	struct lab_diag_zone z = *c->z;

	z.min += more;
	if (z.low != LAB_DIAG_UNKNOWN)
		z.low += more + (more + 3) / 4; /* low stays over min by a quarter of it */
	z.free += more;
	z.blocks[0] += (unsigned long)more;
	return opens(c, &z);
}

/** Would it pass if the zone kept only so many pages for those who can use no other? */
static bool
opens_with_reserve(const struct context *c, long pages)
{
	struct lab_diag_zone z = *c->z;

	for (unsigned int i = 0; i < z.nr_reserves; i++)
		z.lowmem_reserve[i] = pages;
	return opens(c, &z);
}

/** Is it sure that the request would have passed? Pages may be enough, and a block not be there. */
static enum lab_diag_helps
sure(bool passes)
{
	return passes ? LAB_DIAG_HELPS : LAB_DIAG_MAY_HELP;
}

static const char *
unless_sure(bool passes)
{
	return passes ? "" : "; but a block of that order must be among them, too";
}

/* ------------------------------------------------------------ min_free_kbytes */

/** min_free_kbytes is spread over the zones by size: what the text shows of them, added up. */
static long
min_free_kbytes(const struct lab_diag_report *r)
{
	long pages = 0;

	if (r->min_free_kbytes != LAB_DIAG_UNKNOWN)
		return r->min_free_kbytes;
	for (unsigned int i = 0; i < r->nr_zones; i++) {
		const struct lab_diag_zone *z = &r->zones[i];

		if (z->min > 0 && z->type <= LAB_DIAG_NORMAL)
			pages += z->min - diag_boost(r, z); /* which nobody set */
	}
	return pages * (long)r->page_kb;
}

/** What of a mark is for such requests alone. */
static long
depth(const struct context *c, long mark)
{
	return mark - diag_share(c->rq->rules, c->v->v.alloc_flags, mark);
}

/** The smallest mark that keeps `pages` more for the request alone than min does now. */
static long
mark_with(const struct context *c, long pages)
{
	long low = c->v->v.mark, high = low > 0 ? low : 1, wanted = depth(c, low) + pages;

	while (depth(c, high) < wanted && high < DIAG_MAX_FIGURE)
		high *= 2;
	while (low < high) {
		long mid = low + (high - low) / 2;

		if (depth(c, mid) < wanted)
			low = mid + 1;
		else
			high = mid;
	}
	return high;
}

/** Up to the next multiple of 1 MiB, or of 256 kB on a small machine. */
static long
round_up(long kbytes)
{
	long unit = kbytes < 8192 ? 256 : 1024;

	return (kbytes + unit - 1) / unit * unit;
}

/** For a request that has no part of min for itself. */
static void
min_free_is_no_reserve(struct context *c, long now)
{
	struct lab_diag_change *ch = add(c, LAB_DIAG_MAY_HELP);

	if (ch == NULL)
		return;
	PRINT(ch->what, "vm.min_free_kbytes (now about %ld)", now);
	PRINT(ch->effect,
		"this request is held to all of min, so a larger min refuses it earlier; what can "
		"help is that kswapd starts earlier too");
	PRINT(ch->side_effect, "that much memory is never page cache");
}

static void
raise_min_free(struct context *c)
{
	long now = min_free_kbytes(c->r), mark = c->v->v.mark,
	     min = c->z->min - diag_boost(c->r, c->z);
	long to, more;
	struct lab_diag_change *ch;
	bool passes;

	if (depth(c, 1024) == 0 || min <= 0 || now <= 0) {
		min_free_is_no_reserve(c, now);
		return;
	}
	more = mark_with(c, c->v->lacks) - mark;
	to = round_up(scaled(now, min + more, min, true));
	if (to <= now) /* figures of no machine */
		return;
	more = scaled(min, to, now, false) - min; /* a boost stays what it is */
	passes = opens_with_min(c, more);
	ch = add(c, sure(passes));
	if (ch == NULL)
		return;
	PRINT(ch->what, "vm.min_free_kbytes = %ld (now %s%ld)", to,
		c->r->min_free_kbytes == LAB_DIAG_UNKNOWN ? "about " : "", now);
	PRINT(ch->effect,
		"min of this zone becomes about %ld kB; of it %ld kB are for requests like this "
		"one alone, "
		"against %ld kB now: enough for this request if the burst had met it full; a "
		"longer burst needs more%s",
		kb(c, c->z->min + more), kb(c, depth(c, mark + more)), kb(c, depth(c, mark)),
		unless_sure(passes));
	PRINT(ch->side_effect,
		"low and high rise with it: %ld kB and more that are never page cache; over some "
		"5%% of the "
		"memory processes meet the OOM killer",
		to - now);
}

static void
scale_factor_helps_not(struct context *c)
{
	long gap = c->z->low != LAB_DIAG_UNKNOWN ? c->z->low - c->z->min : LAB_DIAG_UNKNOWN;
	struct lab_diag_change *ch = add(c, LAB_DIAG_MAY_HELP);

	if (ch == NULL)
		return;
	PRINT(ch->what, "vm.watermark_scale_factor");
	if (gap > 0 && c->z->managed > 0)
		PRINT(ch->effect,
			"does not enlarge the reserve of atomic requests (min stays); kswapd "
			"starts at low, "
			"now %ld kB over min; %ld would make it %ld kB: helps if kswapd is as fast "
			"as the burst",
			kb(c, gap), (2 * gap * 10000 + c->z->managed - 1) / c->z->managed,
			kb(c, 2 * gap));
	else
		PRINT(ch->effect, "does not enlarge the reserve of atomic requests (min stays); "
				  "kswapd only starts "
				  "earlier: helps if it is as fast as the burst");
	PRINT(ch->side_effect, "more memory kept free, and kswapd runs more often; since 4.6");
}

/* -------------------------------------------------------------- the request */

/** Is the gate of some zone open for another request, by the same figures? */
static bool
any_open(const struct context *c, const struct diag_request *rq)
{
	struct lab_diag_zone_verdict v;

	for (unsigned int i = 0; i < c->r->nr_zones; i++) {
		diag_judge(c->r, &c->r->zones[i], rq, &v);
		if (v.gate == LAB_DIAG_OPEN)
			return true;
	}
	return false;
}

static bool
would_pass(const struct context *c, lab_gfp_t gfp, unsigned int order)
{
	struct diag_request rq = *c->rq;

	rq.gfp = gfp;
	rq.order = order;
	return any_open(c, &rq);
}

/** The largest smaller order that would have passed; -1: none. */
static int
smaller_order(const struct context *c)
{
	for (int o = (int)c->rq->order - 1; o >= 0; o--) {
		if (would_pass(c, c->rq->gfp, (unsigned int)o))
			return o;
	}
	return -1;
}

static void
ask_for_less(struct context *c)
{
	int order = smaller_order(c);
	struct lab_diag_change *ch;

	if (c->rq->order == 0)
		return;
	ch = add(c, order >= 0 ? LAB_DIAG_HELPS : LAB_DIAG_HELPS_NOT);
	if (ch == NULL)
		return;
	PRINT(ch->what, "smaller buffers: a smaller MTU, or a driver that takes pages");
	if (order >= 0)
		PRINT(ch->effect,
			"by the same figures a block of order %d (%ld kB) would have been had; a "
			"frame, its "
			"headroom and some 320 bytes of skb_shared_info must fit in it",
			order, kb(c, 1L << order));
	else
		PRINT(ch->effect, "by the same figures not even a single page would have been had");
	PRINT(ch->side_effect,
		"a smaller MTU costs throughput for each packet; both ends must agree");
}

static void
fewer_buffers(struct context *c)
{
	struct lab_diag_change *ch = add(c, LAB_DIAG_MAY_HELP);

	if (ch == NULL)
		return;
	PRINT(ch->what, "a shorter Rx ring, fewer queues (ethtool -G, -L)");
	PRINT(ch->effect,
		"a burst then takes fewer pages at once; each packet that waits in a socket's "
		"buffer (rmem_max, tcp_rmem) holds its own too");
	PRINT(ch->side_effect, "a shorter ring loses packets sooner when the CPU is late");
}

static void
other_flags(struct context *c)
{
	lab_gfp_t gfp = c->rq->gfp;
	struct lab_diag_change *ch;
	lab_gfp_t atomic = gfp | __LAB_GFP_HIGH | __LAB_GFP_ATOMIC;

	if (gfp & __LAB_GFP_DIRECT_RECLAIM)
		return;
	if (!(gfp & __LAB_GFP_HIGH) && would_pass(c, atomic, c->rq->order)) {
		ch = add(c, LAB_DIAG_HELPS);
		if (ch == NULL)
			return;
		PRINT(ch->what, "in the caller: GFP_ATOMIC in place of GFP_NOWAIT");
		PRINT(ch->effect, "with __GFP_HIGH the same figures would have served it");
		PRINT(ch->side_effect, "it takes from what interrupts live on");
		return;
	}
	if ((gfp & __LAB_GFP_NOMEMALLOC) &&
		would_pass(c, gfp & ~__LAB_GFP_NOMEMALLOC, c->rq->order)) {
		ch = add(c, LAB_DIAG_HELPS);
		if (ch == NULL)
			return;
		PRINT(ch->what, "in the caller: without __GFP_NOMEMALLOC");
		PRINT(ch->effect,
			"it is then held to %s, and the same figures would have served it",
			diag_share_text(
				c->rq->rules, diag_alloc_flags(c->rq->rules,
						      gfp & ~__LAB_GFP_NOMEMALLOC, c->rq->order)));
		PRINT(ch->side_effect, "it takes from what others' atomic requests live on");
	}
}

/* ------------------------------------------------------------ other gates' */

static const char *
ratio_zone(const struct context *c)
{
	return lab_diag_zone_name(c->z->type);
}

static void
lower_reserve(struct context *c)
{
	long reserve = c->v->v.lowmem_reserve, room = c->v->v.free - c->v->v.min - 1;
	long ratio = c->r->ratio[c->z->type], above, to;
	struct lab_diag_change *ch;
	bool passes;

	if (room < 0 || reserve <= 0)
		return;
	if (ratio <= 0)
		ratio = c->z->type == LAB_DIAG_NORMAL ? 32 : 256;
	/* the protection is the pages that lie above, divided by the ratio and cut off: at most so many they are */
	above = scaled(ratio, reserve + 1, 1, false) - 1;
	to = above / (room + 1) + 1;
	if (to > INT32_MAX) /* more than can be set: of no text that is whole */
		return;
	passes = opens_with_reserve(c, above / to);
	ch = add(c, sure(passes));
	if (ch == NULL)
		return;
	PRINT(ch->what, "vm.lowmem_reserve_ratio: %ld for %s (%s %ld)", to, ratio_zone(c),
		c->r->ratio[c->z->type] > 0 ? "now" : "by default", ratio);
	PRINT(ch->effect,
		"the zone then keeps about %ld kB from such requests in place of %ld kB, and its "
		"free pages would have been enough for this one%s",
		kb(c, above / to), kb(c, reserve), unless_sure(passes));
	PRINT(ch->side_effect, "devices that can only use %s may find it full", ratio_zone(c));
}

static void
compact(struct context *c)
{
	struct lab_diag_change *ch = add(c, LAB_DIAG_MAY_HELP);

	if (ch == NULL)
		return;
	PRINT(ch->what, "compaction: vm.compact_memory = 1, vm.compaction_proactiveness");
	if (c->v->unusable >= 0)
		PRINT(ch->effect,
			"%d%% of the free memory is in blocks too small for order %u; movable "
			"pages "
			"can be moved together, beforehand: an atomic request cannot wait for it",
			c->v->unusable / 10, c->rq->order);
	else
		PRINT(ch->effect,
			"moves movable pages together, beforehand: an atomic request cannot wait "
			"for it");
	PRINT(ch->side_effect,
		"CPU time and latency while pages move (proactiveness: since 5.9); gains "
		"nothing where unmovable pages lie scattered");
}

static void
more_free_for_order(struct context *c)
{
	long now = min_free_kbytes(c->r);
	struct lab_diag_change *ch = add(c, LAB_DIAG_MAY_HELP);

	if (ch == NULL)
		return;
	PRINT(ch->what, "vm.min_free_kbytes, e.g. twice what it is (now %s%ld)",
		c->r->min_free_kbytes == LAB_DIAG_UNKNOWN ? "about " : "", now);
	PRINT(ch->effect,
		"pages were not what was missing; with more of them free, whole blocks are "
		"likelier, no more");
	PRINT(ch->side_effect,
		"that much memory is never page cache; far too high means OOM at once");
}

/** A later kernel lets an atomic single page have what is kept for larger ones, when nothing else is left. */
static void
later_kernel(struct context *c)
{
	struct diag_request rq = *c->rq;
	struct lab_diag_change *ch;

	rq.single_from_reserve = true;
	if (c->rq->single_from_reserve || !any_open(c, &rq))
		return;
	ch = add(c, LAB_DIAG_HELPS);
	if (ch == NULL)
		return;
	PRINT(ch->what,
		"a kernel since 6.12, or since 5.15.171, 6.1.116, 6.6.60 or 6.11.7 of these");
	PRINT(ch->effect,
		"to an atomic request the highatomic reserve counts as free, but before that no "
		"single page of it may be had; then the same figures would have served it");
	PRINT(ch->side_effect,
		"atomic requests of higher orders find less of what is kept for them");
}

static void
kept_pages(struct context *c)
{
	struct lab_diag_change *ch = add(c, LAB_DIAG_MAY_HELP);

	if (ch == NULL)
		return;
	if (c->v->gate == LAB_DIAG_CMA) {
		PRINT(ch->what, "a smaller CMA area (cma= at boot; now %ld kB of it free)",
			kb(c, c->z->free_cma > 0 ? c->z->free_cma : 0));
		PRINT(ch->effect, "what CMA does not have, every request may use");
		PRINT(ch->side_effect,
			"the devices that CMA is for (camera, display) may not get their "
			"buffers");
		return;
	}
	PRINT(ch->what, "nothing to set: the kernel gives the highatomic reserve back by itself");
	PRINT(ch->effect,
		"when a request that may reclaim is about to fail; at most 1%% of a zone (and a "
		"pageblock before 6.12, where zones under 200 MiB keep none)");
	PRINT(ch->side_effect,
		"none, as nothing is set; a request that may not reclaim gains nothing");
}

/* ------------------------------------------------------------------------ all */

void
diag_changes(
	const struct lab_diag_report *r, const struct diag_request *rq, struct lab_diagnosis *d)
{
	struct context c = {r, rq, &r->zones[d->zone], &d->zones[d->zone], d};

	switch (d->gate) {
	case LAB_DIAG_EXHAUSTED:
	case LAB_DIAG_WATERMARK:
		raise_min_free(&c);
		scale_factor_helps_not(&c);
		ask_for_less(&c);
		fewer_buffers(&c);
		break;
	case LAB_DIAG_LOWMEM_RESERVE:
		lower_reserve(&c);
		raise_min_free(&c);
		ask_for_less(&c);
		break;
	case LAB_DIAG_ORDER:
		ask_for_less(&c);
		compact(&c);
		more_free_for_order(&c);
		break;
	case LAB_DIAG_HIGHATOMIC:
	case LAB_DIAG_CMA:
		later_kernel(&c);
		kept_pages(&c);
		ask_for_less(&c);
		break;
	default:
		return;
	}
	other_flags(&c);
}
