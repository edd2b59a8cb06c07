/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "gfp.h"
#include "lab_base.h"

/* The two bits mean the same in both words, so that the flags are carried over by a mask. */
_Static_assert(__LAB_GFP_HIGH == (lab_gfp_t)LAB_ALLOC_MIN_RESERVE, "HIGH is MIN_RESERVE");
_Static_assert(__LAB_GFP_KSWAPD_RECLAIM == (lab_gfp_t)LAB_ALLOC_KSWAPD, "KSWAPD bits differ");

#define LAB_GFP_TRANSHUGE_LIGHT                                                                    \
	((LAB_GFP_HIGHUSER_MOVABLE | __LAB_GFP_COMP | __LAB_GFP_NOMEMALLOC | __LAB_GFP_NOWARN) &   \
		~__LAB_GFP_RECLAIM)

struct gfp_name {
	lab_gfp_t mask;
	const char *name;
};

/* Printing takes the first entry that fits, so an entry stands before those that it contains. */
static const struct gfp_name composites[] = {
	{LAB_GFP_TRANSHUGE_LIGHT | __LAB_GFP_DIRECT_RECLAIM, "GFP_TRANSHUGE"},
	{LAB_GFP_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"},
	{LAB_GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"},
	{LAB_GFP_HIGHUSER, "GFP_HIGHUSER"},
	{LAB_GFP_USER, "GFP_USER"},
	{LAB_GFP_KERNEL | __LAB_GFP_ACCOUNT, "GFP_KERNEL_ACCOUNT"},
	{LAB_GFP_KERNEL, "GFP_KERNEL"},
	{__LAB_GFP_RECLAIM | __LAB_GFP_IO, "GFP_NOFS"},
	{LAB_GFP_ATOMIC, "GFP_ATOMIC"},
	{__LAB_GFP_RECLAIM, "GFP_NOIO"},
	{LAB_GFP_NOWAIT, "GFP_NOWAIT"},
	{__LAB_GFP_DMA, "GFP_DMA"},
	{__LAB_GFP_DMA32, "GFP_DMA32"},
};

static const struct gfp_name modifiers[] = {
	{__LAB_GFP_HIGHMEM, "__GFP_HIGHMEM"},
	{__LAB_GFP_HIGH, "__GFP_HIGH"},
	{__LAB_GFP_ATOMIC, "__GFP_ATOMIC"},
	{__LAB_GFP_IO, "__GFP_IO"},
	{__LAB_GFP_FS, "__GFP_FS"},
	{__LAB_GFP_NOWARN, "__GFP_NOWARN"},
	{__LAB_GFP_RETRY_MAYFAIL, "__GFP_RETRY_MAYFAIL"},
	{__LAB_GFP_NOFAIL, "__GFP_NOFAIL"},
	{__LAB_GFP_NORETRY, "__GFP_NORETRY"},
	{__LAB_GFP_COMP, "__GFP_COMP"},
	{__LAB_GFP_ZERO, "__GFP_ZERO"},
	{__LAB_GFP_NOMEMALLOC, "__GFP_NOMEMALLOC"},
	{__LAB_GFP_MEMALLOC, "__GFP_MEMALLOC"},
	{__LAB_GFP_HARDWALL, "__GFP_HARDWALL"},
	{__LAB_GFP_THISNODE, "__GFP_THISNODE"},
	{__LAB_GFP_RECLAIMABLE, "__GFP_RECLAIMABLE"},
	{__LAB_GFP_MOVABLE, "__GFP_MOVABLE"},
	{__LAB_GFP_ACCOUNT, "__GFP_ACCOUNT"},
	{__LAB_GFP_WRITE, "__GFP_WRITE"},
	{__LAB_GFP_DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM"},
	{__LAB_GFP_KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM"},
	{__LAB_GFP_OOM_VICTIM, "__GFP_OOM_VICTIM"},
	/* Only read: a composite of the same bits is printed before these. */
	{__LAB_GFP_RECLAIM, "__GFP_RECLAIM"},
	{__LAB_GFP_DMA, "__GFP_DMA"},
	{__LAB_GFP_DMA32, "__GFP_DMA32"},
};

enum lab_migratetype
lab_gfp_migratetype(lab_gfp_t gfp)
{
	switch (gfp & (__LAB_GFP_MOVABLE | __LAB_GFP_RECLAIMABLE)) {
	case __LAB_GFP_MOVABLE:
		return LAB_MIGRATE_MOVABLE;
	case __LAB_GFP_RECLAIMABLE:
		return LAB_MIGRATE_RECLAIMABLE;
	default: /* both is a contradiction: promise nothing about the page */
		return LAB_MIGRATE_UNMOVABLE;
	}
}

enum lab_zone_type
lab_gfp_zone(lab_gfp_t gfp)
{
	const lab_gfp_t movable = __LAB_GFP_HIGHMEM | __LAB_GFP_MOVABLE;

	if (gfp & __LAB_GFP_DMA)
		return LAB_ZONE_DMA;
	if (gfp & __LAB_GFP_DMA32)
		return LAB_ZONE_DMA32;
	return (gfp & movable) == movable ? LAB_ZONE_MOVABLE : LAB_ZONE_NORMAL;
}

static unsigned int
cma_flag(lab_gfp_t gfp)
{
	return lab_gfp_migratetype(gfp) == LAB_MIGRATE_MOVABLE ? LAB_ALLOC_CMA : 0;
}

unsigned int
lab_gfp_min_flags(lab_gfp_t gfp, unsigned int order)
{
	unsigned int flags = LAB_ALLOC_WMARK_MIN | cma_flag(gfp);

	flags |= gfp & (__LAB_GFP_HIGH | __LAB_GFP_KSWAPD_RECLAIM);
	if (gfp & (__LAB_GFP_DIRECT_RECLAIM | __LAB_GFP_NOMEMALLOC))
		return flags;
	flags |= LAB_ALLOC_NON_BLOCK;
	if (order > 0 && (gfp & __LAB_GFP_HIGH))
		flags |= LAB_ALLOC_HIGHATOMIC;
	return flags;
}

unsigned int
lab_gfp_reserve_flags(lab_gfp_t gfp)
{
	unsigned int flags;

	if (gfp & __LAB_GFP_NOMEMALLOC)
		return 0;
	if (gfp & __LAB_GFP_MEMALLOC)
		flags = LAB_ALLOC_NO_WATERMARKS;
	else if (gfp & __LAB_GFP_OOM_VICTIM)
		flags = LAB_ALLOC_OOM;
	else
		return 0;
	return flags | cma_flag(gfp) | (gfp & __LAB_GFP_KSWAPD_RECLAIM);
}

unsigned int
lab_gfp_to_alloc_flags(lab_gfp_t gfp, unsigned int order)
{
	unsigned int flags = lab_gfp_reserve_flags(gfp);

	return flags ? flags : lab_gfp_min_flags(gfp, order);
}

/* ------------------------------------------------------------------ text */

/** A growing text of which only the first len bytes are kept. */
struct text {
	char *buf;
	size_t len;
	int used;
};

static void __attribute__((format(printf, 2, 3))) text_add(struct text *t, const char *fmt, ...)
{
	bool room = (size_t)t->used < t->len;
	va_list ap;

	va_start(ap, fmt);
	t->used += vsnprintf(room ? t->buf + t->used : NULL, room ? t->len - t->used : 0, fmt, ap);
	va_end(ap);
}

static lab_gfp_t
add_names(struct text *t, lab_gfp_t left, const struct gfp_name *names, size_t n)
{
	for (size_t i = 0; i < n && left != 0; i++) {
		if ((left & names[i].mask) != names[i].mask)
			continue;
		text_add(t, "%s%s", t->used ? "|" : "", names[i].name);
		left &= ~names[i].mask;
	}
	return left;
}

int
lab_gfp_format(lab_gfp_t gfp, char *buf, size_t len)
{
	struct text t = {buf, len, 0};

	if (gfp == 0)
		text_add(&t, "none");
	gfp = add_names(&t, gfp, composites, LAB_ARRAY_SIZE(composites));
	gfp = add_names(&t, gfp, modifiers, LAB_ARRAY_SIZE(modifiers));
	if (gfp != 0)
		text_add(&t, "%s%#x", t.used ? "|" : "", gfp);
	return t.used;
}

static bool
strip(const char **s, size_t *n, const char *prefix)
{
	size_t len = strlen(prefix);

	if (*n < len || strncasecmp(*s, prefix, len) != 0)
		return false;
	*s += len;
	*n -= len;
	return true;
}

/** Find s, of n bytes and without a prefix, in a table whose names all have this prefix. */
static bool
find_name(const struct gfp_name *names, size_t count, const char *prefix, const char *s, size_t n,
	lab_gfp_t *mask)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = names[i].name + strlen(prefix);

		if (strlen(name) == n && strncasecmp(name, s, n) == 0) {
			*mask |= names[i].mask;
			return true;
		}
	}
	return false;
}

static bool
parse_name(const char *s, size_t n, lab_gfp_t *mask)
{
	bool modifier;

	if (n == 4 && strncasecmp(s, "none", n) == 0)
		return true;
	modifier = strip(&s, &n, "__LAB_GFP_") || strip(&s, &n, "__GFP_");
	if (!modifier) {
		strip(&s, &n, "LAB_");
		modifier = strip(&s, &n, "__GFP_");
		strip(&s, &n, "GFP_");
		if (!modifier &&
			find_name(composites, LAB_ARRAY_SIZE(composites), "GFP_", s, n, mask))
			return true;
	}
	return find_name(modifiers, LAB_ARRAY_SIZE(modifiers), "__GFP_", s, n, mask);
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/** Decimal, or hexadecimal after 0x; no sign, nothing behind it, 32 bits. */
static bool
parse_number(const char *s, size_t n, lab_gfp_t *mask)
{
	int base = strip(&s, &n, "0x") ? 16 : 10;
	uint64_t value = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = digit_value(s[i]);

		if (digit >= base)
			return false;
		value = value * base + digit;
		if (value > UINT32_MAX)
			return false;
	}
	*mask |= (lab_gfp_t)value;
	return true;
}

static bool
parse_term(const char *s, size_t n, lab_gfp_t *mask)
{
	while (n > 0 && isspace((unsigned char)*s))
		s++, n--;
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		n--;
	if (n == 0)
		return false;
	return isdigit((unsigned char)*s) ? parse_number(s, n, mask) : parse_name(s, n, mask);
}

int
lab_gfp_parse(const char *text, lab_gfp_t *gfp)
{
	lab_gfp_t mask = 0;

	if (text == NULL || gfp == NULL)
		return -EINVAL;
	for (;;) {
		size_t n = strcspn(text, "|");

		if (!parse_term(text, n, &mask))
			return -EINVAL;
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
	*gfp = mask;
	return 0;
}

/* --------------------------------------------------------------- refusals */

static const struct {
	const char *name;
	int err;
} causes[LAB_NR_CAUSES] = {
	[LAB_CAUSE_NONE] = {"none", 0},
	[LAB_CAUSE_INJECTED] = {"injected", EIO},
	[LAB_CAUSE_EXHAUSTED] = {"exhausted", ENOMEM},
	[LAB_CAUSE_WATERMARK] = {"watermark", EAGAIN},
	[LAB_CAUSE_RESERVE] = {"reserve", EBUSY},
	[LAB_CAUSE_ORDER] = {"order", ENOSPC},
};

const char *
lab_cause_name(enum lab_cause cause)
{
	return (unsigned int)cause < LAB_NR_CAUSES ? causes[cause].name : NULL;
}

int
lab_cause_errno(enum lab_cause cause)
{
	return (unsigned int)cause < LAB_NR_CAUSES ? causes[cause].err : EINVAL;
}

enum lab_cause
lab_errno_cause(int err)
{
	for (unsigned int i = 1; i < LAB_NR_CAUSES; i++) {
		if (causes[i].err == err)
			return (enum lab_cause)i;
	}
	return LAB_CAUSE_NONE;
}

const char *
lab_allocator_name(enum lab_allocator a)
{
	static const char *const names[LAB_NR_ALLOCATORS] = {
		[LAB_ALLOCATOR_BUDDY] = "buddy",
		[LAB_ALLOCATOR_LABYRINTH] = "labyrinth",
	};

	return (unsigned int)a < LAB_NR_ALLOCATORS ? names[a] : NULL;
}
