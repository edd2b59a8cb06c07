/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose_message.c
 * "page allocation failure" messages, of any kernel since 2.6. What matters in them are words, and
 * line ends do not: they are read as a stream of words, so that a message wrapped by a mailer, or
 * printed by the kernel in pieces, reads like a whole one.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

/* Far above any kernel's; what is more is no order but a mix of two lines. */
#define MAX_ORDER 30

/** What the words before said to expect. */
enum expect {
	EXPECT_NOTHING,
	EXPECT_RELEASE,  /**< behind "Comm:" and its name, somewhere before '#' */
	EXPECT_RESERVES, /**< numbers of lowmem_reserve[] */
	EXPECT_ZONE,     /**< keys of a zone's line */
	EXPECT_BLOCKS,   /**< N*MkB */
};

struct reader {
	struct lab_diag_report r;
	bool open; /**< r has a headline */
	enum expect expect;
	struct lab_diag_zone *zone; /**< of the line that is read */
	int node;
	int last_order;              /**< whose types come next; -1: none */
	long *cut;                   /**< the last figure, if its unit is missing yet; else NULL */
	unsigned int release_left;   /**< words that may come before the release */
	struct diag_token before[2]; /**< the last words, latest first */
	/* found before the headline that they belong to */
	long suppressed;
	bool vmalloc;
	bool doubtful_caller; /**< caller is of a frame with a '?' */
};

/* ------------------------------------------------------------ zone's lines */

static const struct {
	const char *key;
	size_t offset;
} figures[] = {
	{"free:", offsetof(struct lab_diag_zone, free)},
	{"min:", offsetof(struct lab_diag_zone, min)},
	{"low:", offsetof(struct lab_diag_zone, low)},
	{"high:", offsetof(struct lab_diag_zone, high)},
	{"boost:", offsetof(struct lab_diag_zone, boost)},
	{"present:", offsetof(struct lab_diag_zone, present)},
	{"managed:", offsetof(struct lab_diag_zone, managed)},
	{"free_cma:", offsetof(struct lab_diag_zone, free_cma)},
	{"free_pcp:", offsetof(struct lab_diag_zone, free_pcp)},
	{"reserved_highatomic:", offsetof(struct lab_diag_zone, reserved_highatomic)},
	{"free_highatomic:", offsetof(struct lab_diag_zone, free_highatomic)},
};

/** The rest of a figure that was wrapped within: "high:245" "76kB". */
static void
continue_figure(struct reader *rd, const struct diag_token *t)
{
	const char *end = t->s + t->len, *p = t->s;
	long rest = diag_number(t->s, end, &p), v = *rd->cut;

	if (*p != 'k' && *p != 'K') { /* something else: what was read may be a part only */
		*rd->cut = LAB_DIAG_UNKNOWN;
	} else if (rest != LAB_DIAG_UNKNOWN) {
		for (long digits = p - t->s; digits > 0 && v < DIAG_MAX_FIGURE; digits--)
			v *= 10;
		*rd->cut = v + rest < DIAG_MAX_FIGURE ? v + rest : DIAG_MAX_FIGURE;
	}
	rd->cut = NULL;
}

/** "key:1234kB" into the zone; in kB until the message is whole and the page size known. */
static void
read_figure(struct reader *rd, const struct diag_token *t)
{
	const char *end = t->s + t->len, *p = end;

	if (rd->cut != NULL)
		continue_figure(rd, t);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(figures); i++) {
		const char *s = diag_token_after(t, figures[i].key);
		long *field = (long *)((char *)rd->zone + figures[i].offset);

		/* a message into which another one was printed has figures twice: the first are its own */
		if (s == NULL || *field != LAB_DIAG_UNKNOWN)
			continue;
		*field = diag_number(s, end, &p);
		if (*field != LAB_DIAG_UNKNOWN && p == end)
			rd->cut = field;
	}
}

/** @return was it a number of the list? The first word that is none ends it. */
static bool
read_reserve(struct lab_diag_zone *z, const struct diag_token *t)
{
	const char *p = t->s;
	long pages = diag_number(t->s, t->s + t->len, &p);

	if (pages < 0 || p != t->s + t->len)
		return false;
	if (z->nr_reserves < LAB_DIAG_MAX_RESERVES)
		z->lowmem_reserve[z->nr_reserves++] = pages;
	return true;
}

/** log2(kb / page_kb); -1 if it is no order. */
static int
order_of(unsigned int page_kb, long kb)
{
	for (int order = 0; order < LAB_DIAG_NR_ORDERS; order++) {
		if (kb == (long)page_kb << order)
			return order;
	}
	return -1;
}

static bool
is_page_size(long kb)
{
	return kb >= 1 && kb <= 1024 && (kb & (kb - 1)) == 0;
}

/** "12*4kB", or "12*4kB(UM)". @return is it such a word? */
static bool
read_blocks(struct reader *rd, const struct diag_token *t)
{
	const char *end = t->s + t->len, *p;
	long n = diag_number(t->s, end, &p), kb;

	/* where a forum took the '*' for emphasis a '_' may stand */
	if (n < 0 || p >= end || (*p != '*' && *p != '_'))
		return false;
	kb = diag_number(p + 1, end, &p);
	if (kb < 0 || end - p < 2 || memcmp(p, "kB", 2) != 0)
		return false;
	if (!rd->r.page_kb_known && is_page_size(kb)) {
		rd->r.page_kb = (unsigned int)kb;
		rd->r.page_kb_known = true;
	}
	rd->last_order = order_of(rd->r.page_kb, kb);
	if (rd->last_order >= 0) {
		rd->zone->has_blocks = true;
		rd->zone->blocks[rd->last_order] = (unsigned long)n;
	}
	return true;
}

static void
read_types(struct reader *rd, const struct diag_token *t)
{
	for (size_t i = 1; i < t->len && t->s[i] != ')' && rd->last_order >= 0; i++) {
		int type = diag_type_letter(t->s[i]);

		if (type < 0)
			continue;
		rd->zone->types[rd->last_order] |= 1U << type;
		rd->zone->has_types = true;
	}
}

/** A zone's name: does a line of it begin here? next is the word behind it. */
static bool
begin_zone(struct reader *rd, const struct diag_token *t, const struct diag_token *next)
{
	bool blocks = t->len > 1 && t->s[t->len - 1] == ':';
	int type = diag_zone_type(t->s, t->len - blocks);

	if (type < 0)
		return false;
	if (!blocks && (next->len == 0 || diag_token_after(next, "free:") == NULL))
		return false;
	rd->zone = diag_zone_get(&rd->r, rd->node, (enum lab_diag_zone_type)type);
	rd->expect = rd->zone == NULL ? EXPECT_NOTHING : blocks ? EXPECT_BLOCKS : EXPECT_ZONE;
	/* the second message's in a mix of two */
	if (blocks && rd->zone != NULL && rd->zone->has_blocks)
		rd->expect = EXPECT_NOTHING;
	rd->last_order = -1;
	rd->cut = NULL;
	return true;
}

/* -------------------------------------------------------------- other lines */

/** Functions that stand between who asked and the message. */
static bool
is_allocator(const char *s, size_t len)
{
	static const char *const prefixes[] = {"____cache_alloc", "___kmalloc", "___slab_alloc",
		"__alloc_frozen_pages", "__alloc_page_frag", "__alloc_pages", "__alloc_skb",
		"__cache_alloc", "__do_kmalloc", "__dump_stack", "__folio_alloc", "__get_free_page",
		"__get_free_pages", "__kmalloc", "__kmem_cache_alloc", "__napi_alloc",
		"__netdev_alloc", "__page_frag_alloc", "__page_pool_", "__perform_reclaim",
		"__slab_alloc", "_cond_resched", "alloc_frozen_pages", "bpf_trampoline_",
		"build_skb", "__build_skb", "__pcs_replace_empty", "napi_build_skb",
		"napi_skb_cache_get", "alloc_page", "alloc_page_interleave", "alloc_pages",
		"alloc_skb", "alloc_slab", "allocate_slab", "cache_alloc_refill", "cache_grow",
		"dma_generic_alloc", "drain_all_pages", "drain_local_pages", "drain_pages",
		"dump_backtrace", "dump_stack", "fallback_alloc", "folio_alloc", "get_free_page",
		"get_page_from_freelist", "get_zeroed_page", "kasan_", "kmalloc", "kmalloc_reserve",
		"kmem_cache_alloc", "kmem_getpages", "memset", "napi_alloc", "netdev_alloc",
		"new_slab", "page_alloc_cpu_notify", "page_frag_alloc", "page_pool_",
		"refill_objects", "set_track", "shmem_alloc_", "show_regs", "show_stack",
		"show_trace", "skb_page_frag_refill", "slab_alloc", "try_to_free_pages",
		"unwind_backtrace", "warn_alloc", "zone_watermark"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (len >= n && memcmp(s, prefixes[i], n) == 0)
			return true;
	}
	return false;
}

static bool
is_function(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '.')
			return false;
	}
	return len > 0 && !isdigit((unsigned char)s[0]);
}

/** A frame of the stack, "fn+0x12/0x34", after "?" where the kernel is not sure of it. */
static bool
read_frame(struct reader *rd, const struct diag_token *t)
{
	const char *s = t->s, *plus = memchr(t->s, '+', t->len);
	bool doubtful = diag_token_is(&rd->before[0], "?");
	size_t len;

	if (plus == NULL || t->s + t->len - plus < 4 || memcmp(plus, "+0x", 3) != 0)
		return false;
	if (*s == '(')
		s++;
	len = (size_t)(plus - s);
	if (!is_function(s, len) || is_allocator(s, len))
		return true;
	if (rd->r.caller[0] != '\0' && (doubtful || !rd->doubtful_caller))
		return true;
	diag_copy(rd->r.caller, sizeof(rd->r.caller), s, len);
	rd->r.module[0] = '\0';
	rd->doubtful_caller = doubtful;
	return true;
}

/** "[ixgbe]" behind the frame that was taken. */
static void
read_module(struct reader *rd, const struct diag_token *t)
{
	const struct diag_token *f = &rd->before[0];
	const char *s = f->len > 0 && *f->s == '(' ? f->s + 1 : f->s;
	size_t n = strlen(rd->r.caller), len = t->len;

	if (t->len < 3 || t->s[0] != '[' || t->s[1] == '<' || n == 0 || rd->r.module[0] != '\0' ||
		f->len <= n)
		return;
	if (memcmp(s, rd->r.caller, n) != 0 || s[n] != '+')
		return;
	while (len > 1 && (t->s[len - 1] == ')' || t->s[len - 1] == ']'))
		len--;
	diag_copy(rd->r.module, sizeof(rd->r.module), t->s + 1, len - 1);
}

static void
read_release(struct reader *rd, const struct diag_token *t)
{
	if (rd->release_left-- == 0 || *t->s == '#') {
		rd->expect = EXPECT_NOTHING;
	} else if (diag_read_release(&rd->r, t->s, t->len)) {
		rd->expect = EXPECT_NOTHING;
	}
}

/** "Debian 6.1.192-2": the third number, which is 0 in that kernel's release. */
static void
read_debian(struct reader *rd, const struct diag_token *t)
{
	int told[3];

	if (rd->r.patch == 0 && diag_version(t->s, t->len, told) && told[0] == rd->r.major &&
		told[1] == rd->r.minor)
		rd->r.patch = told[2];
}

/** Words that tell of themselves what they are. @return was it one? */
static bool
read_keyword(struct reader *rd, const struct diag_token *t)
{
	const struct diag_token *before = &rd->before[0];

	if (diag_token_is(t, "lowmem_reserve[]:") || diag_token_is(t, "protections[]:")) {
		bool fresh = rd->zone != NULL && rd->zone->nr_reserves == 0;

		rd->expect = fresh ? EXPECT_RESERVES : EXPECT_NOTHING;
		return true;
	}
	if ((diag_token_is(t, "Comm:") || diag_token_is(t, "comm:")) && rd->r.kernel[0] == '\0') {
		rd->expect = EXPECT_RELEASE;
		rd->release_left = 40;
		return true;
	}
	if (diag_token_is(t, "HighMem/MovableOnly") && diag_token_is(before, "pages"))
		rd->r.highmem |=
			diag_number(rd->before[1].s, rd->before[1].s + rd->before[1].len, NULL) > 0;
	if (diag_token_is(before, "Debian"))
		read_debian(rd, t);
	if (diag_token_is(before, "CPU:") && rd->r.cpu < 0) {
		long cpu = diag_number(t->s, t->s + t->len, NULL);

		rd->r.cpu = cpu >= 0 && cpu < 1 << 20 ? (int)cpu : -1;
	}
	if (diag_token_is(before, "Node")) {
		long node = diag_number(t->s, t->s + t->len, NULL);

		rd->node = node >= 0 && node < 1 << 20 ? (int)node : rd->node;
	}
	if (diag_token_is(before, "cache:") && rd->r.cache[0] == '\0')
		diag_copy(
			rd->r.cache, sizeof(rd->r.cache), t->s, t->len - (t->s[t->len - 1] == ','));
	return false;
}

static void
read_expected(struct reader *rd, const struct diag_token *t)
{
	switch (rd->expect) {
	case EXPECT_RELEASE:
		read_release(rd, t);
		break;
	case EXPECT_RESERVES:
		if (!read_reserve(rd->zone, t))
			rd->expect = EXPECT_NOTHING;
		break;
	case EXPECT_ZONE:
		read_figure(rd, t);
		break;
	case EXPECT_BLOCKS:
		if (*t->s == '(')
			read_types(rd, t);
		else if (!read_blocks(rd, t) && *t->s == '=')
			rd->expect = EXPECT_NOTHING;
		break;
	case EXPECT_NOTHING:
		break;
	}
}

/* ----------------------------------------------------------------- headline */

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

/** The words at p, whatever white space is between them. @return behind them, or NULL */
static const char *
match_words(const char *p, const char *end, const char *const *words)
{
	for (; *words != NULL; words++) {
		size_t n = strlen(*words);

		p = skip_space(p, end);
		if ((size_t)(end - p) < n || memcmp(p, *words, n) != 0)
			return NULL;
		p += n;
	}
	return p;
}

/** "page allocation failure: order:" or, of old, "failure. order:". @return at the order, or NULL */
static const char *
match_headline(const char *p, const char *end)
{
	static const char *const now[] = {"page", "allocation", "failure:", "order:", NULL};
	static const char *const old[] = {"page", "allocation", "failure.", "order:", NULL};
	const char *at = match_words(p, end, now);

	return at != NULL ? at : match_words(p, end, old);
}

/** The name before ": page allocation failure", which may have spaces: what its line has before. */
static void
read_comm(struct reader *rd, const char *start, const char *at)
{
	const char *s = at, *e = at;

	while (e > start && (e[-1] == ' ' || e[-1] == '\t' || e[-1] == ':'))
		e--;
	for (s = e; s > start && s[-1] != '\n' && (size_t)(e - s) < sizeof(rd->r.comm); s--)
		;
	if ((size_t)(e - s) == sizeof(rd->r.comm)) /* no name: printed into another line */
		for (s = e; s > start && !isspace((unsigned char)s[-1]); s--)
			;
	diag_copy(rd->r.comm, sizeof(rd->r.comm), s, (size_t)(e - s));
}

static uint32_t
hex_number(const char *p, const char *end, const char **after)
{
	uint64_t v = 0;

	for (; p < end && isxdigit((unsigned char)*p); p++) {
		int c = tolower((unsigned char)*p);

		v = (v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10)) & UINT32_MAX;
	}
	*after = p;
	return (uint32_t)v;
}

/** "0, mode:0xa20(GFP_ATOMIC)" at p. @return behind it */
static const char *
read_request(struct reader *rd, const char *p, const char *end)
{
	static const char *const mode[] = {",", "mode:0x", NULL};
	const char *at, *close;
	long order = diag_number(skip_space(p, end), end, &p);

	if (order < 0 || order > MAX_ORDER)
		return p;
	rd->r.order = (int)order;
	at = match_words(p, end, mode);
	if (at == NULL)
		return p;
	rd->r.mode = hex_number(at, end, &p);
	rd->r.has_mode = p > at;
	if (p < end && *p == '(') {
		close = memchr(p, ')', (size_t)(end - p));
		if (close != NULL && close - p < (long)sizeof(rd->r.gfp_names)) {
			diag_copy(rd->r.gfp_names, sizeof(rd->r.gfp_names), p + 1,
				(size_t)(close - p) - 1);
			p = close + 1;
		}
	}
	return p;
}

static void
begin_report(struct reader *rd)
{
	lab_diag_report_init(&rd->r);
	rd->r.suppressed = rd->suppressed;
	rd->r.vmalloc = rd->vmalloc;
	rd->suppressed = 0;
	rd->vmalloc = false;
	rd->open = true;
	rd->expect = EXPECT_NOTHING;
	rd->zone = NULL;
	rd->cut = NULL;
	rd->node = 0;
	rd->doubtful_caller = false;
}

static void
to_pages(long *kb, unsigned int page_kb)
{
	if (*kb != LAB_DIAG_UNKNOWN)
		*kb /= page_kb;
}

static long
end_report(struct reader *rd, lab_diag_fn fn, void *arg)
{
	if (!rd->open)
		return 0;
	rd->open = false;
	for (unsigned int i = 0; i < rd->r.nr_zones; i++) {
		for (size_t f = 0; f < LAB_ARRAY_SIZE(figures); f++)
			to_pages((long *)((char *)&rd->r.zones[i] + figures[f].offset),
				rd->r.page_kb);
	}
	return fn(&rd->r, arg);
}

/* -------------------------------------------------------------------- words */

/** Words that belong to the message that comes, as they are printed before it. */
static void
read_before(struct reader *rd, const struct diag_token *t)
{
	if (diag_token_is(t, "suppressed") && diag_token_is(&rd->before[0], "callbacks")) {
		long n = diag_number(rd->before[1].s, rd->before[1].s + rd->before[1].len, NULL);

		rd->suppressed = n > 0 ? n : 0;
	}
	if (diag_token_is(t, "allocation") && diag_token_is(&rd->before[0], "vmalloc:"))
		rd->vmalloc = true;
}

static void
read_word(struct reader *rd, const struct diag_token *t, const char *p, const char *end)
{
	struct diag_token next;

	read_before(rd, t);
	if (!rd->open || read_keyword(rd, t))
		return;
	diag_token_next(&p, end, &next);
	if (begin_zone(rd, t, &next))
		return;
	read_expected(rd, t);
	if (rd->expect == EXPECT_NOTHING && !read_frame(rd, t))
		read_module(rd, t);
}

static unsigned int
count_lines(const char **from, const char *to)
{
	unsigned int n = 0;

	for (; *from < to; (*from)++)
		n += **from == '\n';
	return n;
}

static long
read_all(struct reader *rd, const char *text, size_t len, lab_diag_fn fn, void *arg)
{
	const char *p = text, *end = text + len, *counted = text;
	unsigned int line = 1;
	struct diag_token t;
	long n = 0, ret;

	while (diag_token_next(&p, end, &t)) {
		const char *at = NULL;

		/* a name may end in the same word: "0*512kB page", ":page" */
		if (t.len >= 4 && memcmp(t.s + t.len - 4, "page", 4) == 0)
			at = match_headline(t.s + t.len - 4, end);
		if (at != NULL) {
			ret = end_report(rd, fn, arg);
			if (ret != 0)
				return ret;
			begin_report(rd);
			line += count_lines(&counted, t.s);
			rd->r.line = line;
			read_comm(rd, text, t.s + t.len - 4);
			p = read_request(rd, at, end);
			n++;
		} else {
			read_word(rd, &t, p, end);
		}
		rd->before[1] = rd->before[0];
		rd->before[0] = t;
	}
	ret = end_report(rd, fn, arg);
	return ret != 0 ? ret : n;
}

long
lab_diag_parse(const char *text, size_t len, lab_diag_fn fn, void *arg)
{
	struct reader *rd = calloc(1, sizeof(*rd));
	char *clean = diag_clean(text, len, &len);
	long ret = -ENOMEM;

	if (rd != NULL && clean != NULL)
		ret = read_all(rd, clean, len, fn, arg);
	free(clean);
	free(rd);
	return ret;
}

unsigned int
lab_diag_count_oom(const char *text, size_t len)
{
	static const char word[] = "invoked oom-killer";
	const size_t n = sizeof(word) - 1;
	unsigned int count = 0;

	for (size_t i = 0; i + n <= len; i++)
		count += memcmp(text + i, word, n) == 0;
	return count;
}
