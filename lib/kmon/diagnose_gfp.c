/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose_gfp.c
 * What a request's flags are worth, by the kernel that it was made in: the numbers have changed five
 * times, the names are printed since 4.6, and what they give in the gate has changed twice.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

void
diag_note(struct lab_diagnosis *d, const char *fmt, ...)
{
	va_list ap;

	if (d->nr_notes == LAB_DIAG_MAX_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(d->notes[d->nr_notes++], sizeof(d->notes[0]), fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------ numbers */

/** Kernels whose flags have the same numbers. */
enum layout {
	LAYOUT_OLD,  /* to 4.3: __GFP_WAIT 0x10 */
	LAYOUT_4_4,  /* 4.4 to 4.11: kswapd 0x2000000, direct 0x400000 */
	LAYOUT_4_12, /* 4.12 to 4.17: kswapd 0x1000000, direct 0x400000 */
	LAYOUT_4_18, /* 4.18 to 4.20: kswapd 0x400000, direct 0x200000 */
	LAYOUT_5_0,  /* as in lab_page.h */
};

struct bit {
	uint32_t bit;
	lab_gfp_t gfp;
};

/* Shared by all before 5.0. What is not in the tables has no part in the gate. */
static const struct bit low_bits[] = {
	{0x01, __LAB_GFP_DMA},
	{0x02, __LAB_GFP_HIGHMEM},
	{0x04, __LAB_GFP_DMA32},
	{0x08, __LAB_GFP_MOVABLE},
	{0x20, __LAB_GFP_HIGH},
	{0x40, __LAB_GFP_IO},
	{0x80, __LAB_GFP_FS},
	{0x200, __LAB_GFP_NOWARN},
	{0x400, __LAB_GFP_RETRY_MAYFAIL},
	{0x800, __LAB_GFP_NOFAIL},
	{0x1000, __LAB_GFP_NORETRY},
	{0x2000, __LAB_GFP_MEMALLOC},
	{0x4000, __LAB_GFP_COMP},
	{0x8000, __LAB_GFP_ZERO},
	{0x10000, __LAB_GFP_NOMEMALLOC},
	{0x20000, __LAB_GFP_HARDWALL},
	{0x40000, __LAB_GFP_THISNODE},
	{0, 0},
};

static const struct bit old_bits[] = {
	{0x10, __LAB_GFP_RECLAIM}, /* __GFP_WAIT: may sleep, and so reclaim */
	{0x80000, __LAB_GFP_RECLAIMABLE},
	{0x1000000, __LAB_GFP_WRITE},
	{0, 0},
};

static const struct bit bits_4_4[] = {
	{0x10, __LAB_GFP_RECLAIMABLE},
	{0x80000, __LAB_GFP_ATOMIC},
	{0x400000, __LAB_GFP_DIRECT_RECLAIM},
	{0x1000000, __LAB_GFP_WRITE},
	{0x2000000, __LAB_GFP_KSWAPD_RECLAIM},
	{0, 0},
};

static const struct bit bits_4_12[] = {
	{0x10, __LAB_GFP_RECLAIMABLE},
	{0x80000, __LAB_GFP_ATOMIC},
	{0x100000, __LAB_GFP_ACCOUNT},
	{0x400000, __LAB_GFP_DIRECT_RECLAIM},
	{0x800000, __LAB_GFP_WRITE},
	{0x1000000, __LAB_GFP_KSWAPD_RECLAIM},
	{0, 0},
};

static const struct bit bits_4_18[] = {
	{0x10, __LAB_GFP_RECLAIMABLE},
	{0x80000, __LAB_GFP_ATOMIC},
	{0x100000, __LAB_GFP_ACCOUNT},
	{0x200000, __LAB_GFP_DIRECT_RECLAIM},
	{0x400000, __LAB_GFP_KSWAPD_RECLAIM},
	{0x800000, __LAB_GFP_WRITE},
	{0, 0},
};

static const struct {
	const char *kernels;
	const struct bit *high;
} layouts[] = {
	[LAYOUT_OLD] = {"4.3 and before", old_bits},
	[LAYOUT_4_4] = {"4.4 to 4.11", bits_4_4},
	[LAYOUT_4_12] = {"4.12 to 4.17", bits_4_12},
	[LAYOUT_4_18] = {"4.18 to 4.20", bits_4_18},
	[LAYOUT_5_0] = {"5.0 and later", NULL},
};

static lab_gfp_t
translate(uint32_t mode, const struct bit *bits)
{
	lab_gfp_t gfp = 0;

	for (; bits->bit != 0; bits++) {
		if (mode & bits->bit)
			gfp |= bits->gfp;
	}
	return gfp;
}

static lab_gfp_t
decode_number(uint32_t mode, enum layout layout)
{
	lab_gfp_t gfp;

	if (layouts[layout].high == NULL)
		return mode;
	gfp = translate(mode, low_bits) | translate(mode, layouts[layout].high);
	/* of old every request that was in need woke kswapd */
	return layout == LAYOUT_OLD ? gfp | __LAB_GFP_KSWAPD_RECLAIM : gfp;
}

/* ------------------------------------------------------------------- version */

static bool
before_version(const struct lab_diag_report *r, int major, int minor)
{
	return r->major < major || (r->major == major && r->minor < minor);
}

/** Which kernels have GFP_ATOMIC, or at least a mask, with such bits. */
static enum layout
guess_layout(uint32_t mode)
{
	if (mode & 0x2000000)
		return LAYOUT_4_4;
	if ((mode & 0x1080000) == 0x1080000 || (mode & 0x1400000) == 0x1400000)
		return LAYOUT_4_12;
	if ((mode & 0x480000) == 0x480000 || (mode & 0x600000) == 0x600000)
		return LAYOUT_4_18;
	/* later kernels set one of both but for NOWAIT's few relatives, and 0x400 and 0x800 together
	 * (REPEAT and NOFAIL) meant nothing before */
	return mode & 0xc00 ? LAYOUT_5_0 : LAYOUT_OLD;
}

static enum layout
layout_of(const struct lab_diag_report *r)
{
	if (r->major < 0)
		return guess_layout(r->mode);
	if (before_version(r, 4, 4))
		return LAYOUT_OLD;
	if (before_version(r, 4, 12))
		return LAYOUT_4_4;
	if (before_version(r, 4, 18))
		return LAYOUT_4_12;
	return before_version(r, 5, 0) ? LAYOUT_4_18 : LAYOUT_5_0;
}

/** Without a version: from what the text has that older kernels do not print. */
static enum lab_diag_rules
guess_rules(const struct lab_diag_report *r)
{
	enum layout layout = guess_layout(r->mode);

	if (r->source == LAB_DIAG_PROC || !r->has_mode)
		return LAB_DIAG_RULES_6_3;
	if (layout == LAYOUT_OLD)
		return r->gfp_names[0] == '\0' ? LAB_DIAG_RULES_OLD : LAB_DIAG_RULES_4_4;
	if (layout != LAYOUT_5_0)
		return LAB_DIAG_RULES_4_4;
	return (r->mode & __LAB_GFP_ATOMIC) ? LAB_DIAG_RULES_4_4 : LAB_DIAG_RULES_6_3;
}

static const char *
rules_text(enum lab_diag_rules rules)
{
	static const char *const texts[] = {
		[LAB_DIAG_RULES_OLD] = "4.3 and before",
		[LAB_DIAG_RULES_4_4] = "4.4 to 6.2",
		[LAB_DIAG_RULES_6_3] = "6.3 and later",
	};

	return texts[rules];
}

static void
choose_rules(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	if (r->major < 0) {
		d->rules = guess_rules(r);
		diag_note(d,
			"The kernel's version is not in the text; the rules of %s are assumed%s.",
			rules_text(d->rules), r->has_mode ? ", by the mode" : "");
	} else if (before_version(r, 4, 4)) {
		d->rules = LAB_DIAG_RULES_OLD;
	} else {
		d->rules = before_version(r, 6, 3) ? LAB_DIAG_RULES_4_4 : LAB_DIAG_RULES_6_3;
	}
}

/* -------------------------------------------------------------------- names */

/** Names that lab_gfp_parse() does not know: of other kernels, and with no part in the gate but the first. */
static const struct {
	const char *name;
	lab_gfp_t gfp;
} other_names[] = {
	{"GFP_TEMPORARY", LAB_GFP_KERNEL | __LAB_GFP_RECLAIMABLE},
	{"__GFP_COLD", 0},
	{"__GFP_REPEAT", __LAB_GFP_RETRY_MAYFAIL},
	{"__GFP_NOTRACK", 0},
	{"__GFP_OTHER_NODE", 0},
	{"__GFP_NOACCOUNT", 0},
	{"__GFP_NOLOCKDEP", 0},
	{"__GFP_ZEROTAGS", 0},
	{"__GFP_SKIP_ZERO", 0},
	{"__GFP_SKIP_KASAN", 0},
	{"__GFP_SKIP_KASAN_POISON", 0},
	{"__GFP_SKIP_KASAN_UNPOISON", 0},
	{"__GFP_NO_OBJ_EXT", 0},
	{"__GFP_NOLOCK", 0},
};

static bool
decode_name(const char *name, lab_gfp_t *gfp)
{
	lab_gfp_t one;

	if (lab_gfp_parse(name, &one) == 0) {
		*gfp |= one;
		return true;
	}
	for (size_t i = 0; i < LAB_ARRAY_SIZE(other_names); i++) {
		if (strcmp(name, other_names[i].name) == 0) {
			*gfp |= other_names[i].gfp;
			return true;
		}
	}
	return false;
}

/** Before 6.3 GFP_ATOMIC had a bit of its own, which the name does not tell. */
static lab_gfp_t
with_atomic_bit(const struct lab_diagnosis *d, lab_gfp_t gfp)
{
	return d->rules == LAB_DIAG_RULES_4_4 && lab_gfp_is_atomic(gfp) ? gfp | __LAB_GFP_ATOMIC
									: gfp;
}

static void
decode_names(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	const char *s = r->gfp_names;
	char name[64];

	while (*s != '\0') {
		size_t n = strcspn(s, "|");

		snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name) - 1),
			s);
		if (!decode_name(name, &d->gfp))
			diag_note(d, "The flag '%s' is not known here and was left out.", name);
		s += n + (s[n] == '|');
	}
	d->gfp = with_atomic_bit(d, d->gfp);
}

/* -------------------------------------------------------------- what it gives */

unsigned int
diag_alloc_flags(enum lab_diag_rules rules, lab_gfp_t gfp, unsigned int order)
{
	unsigned int flags = lab_gfp_to_alloc_flags(gfp, order);
	bool harder = !(gfp & (__LAB_GFP_DIRECT_RECLAIM | __LAB_GFP_NOMEMALLOC));

	if (rules == LAB_DIAG_RULES_6_3 || (flags & LAB_ALLOC_NO_WATERMARKS))
		return flags;
	flags &= ~(unsigned int)(LAB_ALLOC_NON_BLOCK | LAB_ALLOC_HIGHATOMIC);
	/* of old whoever may not wait, later who has the flag for it */
	if (rules == LAB_DIAG_RULES_4_4)
		harder = (gfp & __LAB_GFP_ATOMIC) && !(gfp & __LAB_GFP_NOMEMALLOC);
	if (harder)
		flags |= LAB_ALLOC_NON_BLOCK;
	if (harder && order > 0 && rules == LAB_DIAG_RULES_4_4)
		flags |= LAB_ALLOC_HIGHATOMIC;
	return flags;
}

/** Since when, in each line of stable releases that got it, an atomic single page may be of the highatomic reserve. [281dd25c1a01] */
static bool
single_from_reserve(const struct lab_diag_report *r)
{
	static const int stable[][3] = {{5, 15, 171}, {6, 1, 116}, {6, 6, 60}, {6, 11, 7}};

	if (r->major < 0 || !before_version(r, 6, 12))
		return true;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(stable); i++) {
		if (r->major == stable[i][0] && r->minor == stable[i][1])
			return r->patch >= stable[i][2];
	}
	return false;
}

struct diag_request
diag_request_of(const struct lab_diag_report *r, const struct lab_diagnosis *d)
{
	return (struct diag_request){.rules = d->rules,
		.gfp = d->gfp,
		.order = r->order > 0 ? (unsigned int)r->order : 0,
		.single_from_reserve =
			(d->rules == LAB_DIAG_RULES_6_3 || r->major >= 0) && single_from_reserve(r),
		.spared_boost = r->major < 0 || !before_version(r, 5, 9)};
}

const char *
diag_share_text(enum lab_diag_rules rules, unsigned int flags)
{
	if (flags & LAB_ALLOC_NO_WATERMARKS)
		return "no mark";
	if (flags & LAB_ALLOC_MIN_RESERVE)
		return flags & LAB_ALLOC_NON_BLOCK ? "3/8 of min" : "1/2 of min";
	return rules != LAB_DIAG_RULES_6_3 && (flags & LAB_ALLOC_NON_BLOCK) ? "3/4 of min" : "min";
}

void
diag_decode_gfp(const struct lab_diag_report *r, struct lab_diagnosis *d)
{
	choose_rules(r, d);
	d->gfp_known = r->has_mode || r->gfp_names[0] != '\0';
	if (r->gfp_names[0] != '\0') {
		decode_names(r, d);
	} else if (r->has_mode) {
		enum layout layout = layout_of(r);

		d->gfp = decode_number(r->mode, layout);
		diag_note(d,
			"The kernel printed no names for mode 0x%x; read with the numbers of %s.",
			r->mode, layouts[layout].kernels);
	} else {
		d->gfp = with_atomic_bit(d, LAB_GFP_ATOMIC);
		diag_note(d, "The text has no mode; GFP_ATOMIC is assumed.");
	}
	/* the bit is in the name GFP_ATOMIC, to those who print names */
	lab_gfp_format(lab_gfp_is_atomic(d->gfp) ? d->gfp & ~__LAB_GFP_ATOMIC : d->gfp, d->gfp_text,
		sizeof(d->gfp_text));
	d->alloc_flags =
		diag_alloc_flags(d->rules, d->gfp, r->order > 0 ? (unsigned int)r->order : 0);
	snprintf(d->share, sizeof(d->share), "%s", diag_share_text(d->rules, d->alloc_flags));
}
