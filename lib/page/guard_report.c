/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file guard_report.c
 * What guarded mode found, put into words, and who is told.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

#include "guard_report.h"

static const char *const kinds[LAB_NR_GUARD_KINDS] = {
	[LAB_GUARD_WRITE_AFTER_FREE] = "write after free",
	[LAB_GUARD_OVERRUN] = "overrun",
	[LAB_GUARD_UNDERRUN] = "underrun",
	[LAB_GUARD_DOUBLE_FREE] = "double free",
	[LAB_GUARD_WRONG_FREE] = "wrong free",
	[LAB_GUARD_FOREIGN_FREE] = "foreign free",
};

const char *
lab_guard_kind_name(enum lab_guard_kind kind)
{
	return (unsigned int)kind < LAB_NR_GUARD_KINDS ? kinds[kind] : NULL;
}

/* ------------------------------------------------------------------ words */

/** Where the next words go; none when nothing fits any more, but their length counts. */
struct text {
	char *buf;
	size_t len, used;
};

static void __attribute__((format(printf, 2, 3))) say(struct text *t, const char *fmt, ...)
{
	bool fits = t->used < t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(fits ? t->buf + t->used : NULL, fits ? t->len - t->used : 0, fmt, ap);
	va_end(ap);
	t->used += n > 0 ? (size_t)n : 0;
}

static void
say_owner(struct text *t, const char *before, const struct lab_zone *z, uint32_t owner)
{
	char name[LAB_OWNER_NAME_LEN];

	lab_owner_format(z, owner, name, sizeof(name));
	say(t, "%s%s", before, name);
}

static void
say_bytes(struct text *t, const struct lab_guard_report *r)
{
	if (r->exact)
		say(t, ", byte %zu:", r->offset);
	else
		say(t, ", a byte of %zu to %zu:", r->offset, r->offset + r->len - 1);
	for (size_t i = 0; i < r->len && i < LAB_GUARD_BYTES; i++)
		say(t, " %02x", r->bytes[i]);
}

/** A free that must not be: what the pointer is. */
static void
say_free(struct text *t, const struct lab_guard_report *r)
{
	if (r->kind == LAB_GUARD_WRONG_FREE && r->offset != 0)
		say(t, ", given back from its byte %zu on as order %u", r->offset, r->said);
	else if (r->kind == LAB_GUARD_WRONG_FREE)
		say(t, ", given back as order %u", r->said);
}

int
lab_guard_format(const struct lab_guard_report *r, char *buf, size_t len)
{
	unsigned long pfn = lab_page_to_pfn(r->zone, r->page);
	bool is_free = r->kind == LAB_GUARD_DOUBLE_FREE || r->kind == LAB_GUARD_WRITE_AFTER_FREE;
	struct text t = {buf, len, 0};

	say(&t, "%s: page %p", kinds[r->kind], r->page);
	if (r->kind == LAB_GUARD_FOREIGN_FREE) {
		say(&t, " is not the start of a page of zone %s", r->zone->name);
	} else {
		say(&t, " (zone %s, frame %lu, order %u)", r->zone->name, pfn, r->order);
		if (r->len > 0)
			say_bytes(&t, r);
		say_free(&t, r);
		say_owner(&t, is_free ? "; last held by " : "; held by ", r->zone, r->owner);
		if (is_free)
			say_owner(&t, ", freed by ", r->zone, r->freed_by);
		say(&t, " %" PRIu64 ".%03" PRIu64 " s ago", r->age_ns / 1000000000,
			r->age_ns / 1000000 % 1000);
	}
	say_owner(&t, "; found by ", r->zone, r->caller);
	return (int)t.used;
}

/* -------------------------------------------------------------------- who */

/** Process ids are written last and read first: the pointers are there when the id is. */
int
lab_guard_reporter(struct lab_tags *t, lab_guard_fn fn, void *arg)
{
	struct lab_reporter *vacant = NULL;
	uint32_t self = lab_process_id();

	for (unsigned int i = 0; i < LAB_NR_REPORTERS; i++) {
		struct lab_reporter *r = &t->reporters[i];
		uint32_t process = rd(&r->process);

		if (vacant == NULL && lab_process_is_gone((pid_t)process))
			vacant = r;
		if (process == self) {
			vacant = r;
			break;
		}
	}
	if (vacant == NULL)
		return fn == NULL ? 0 : -ENOSPC;
	wr(&vacant->process, 0);
	wr(&vacant->fn, fn);
	wr(&vacant->arg, arg);
	atomic_store_explicit(&vacant->process, fn != NULL ? self : 0, memory_order_release);
	return 0;
}

static void
print(const struct lab_guard_report *r)
{
	char line[512] = "labyrinth: ";
	size_t n = strlen(line);

	n += (size_t)lab_guard_format(r, line + n, sizeof(line) - n - 1);
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* not through stdio, whose lock the interrupted code may hold */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

static void
tell(struct lab_zone *z, const struct lab_guard_report *r)
{
	struct lab_tags *t = lab_tags_of(z);
	lab_guard_fn fn = NULL;
	void *arg = NULL;

	if (atomic_fetch_add_explicit(&t->findings, 1, memory_order_relaxed) <
		LAB_GUARD_MAX_REPORTS) {
		for (unsigned int i = 0; i < LAB_NR_REPORTERS && fn == NULL; i++) {
			struct lab_reporter *p = &t->reporters[i];

			if (atomic_load_explicit(&p->process, memory_order_acquire) !=
				lab_process_id())
				continue;
			fn = rd(&p->fn);
			arg = rd(&p->arg);
		}
		if (fn != NULL)
			fn(arg, r);
		else
			print(r);
	}
	if (rd(&t->aborts))
		abort();
}

/* ------------------------------------------------------------------- what */

/** The start of the allocated block that a frame is in; the frame itself if there is none. */
static uint32_t
block_start(const struct lab_tags *t, uint32_t pfn)
{
	for (unsigned int order = 0; order <= LAB_MAX_ORDER; order++) {
		uint32_t head = pfn & ~((1U << order) - 1);
		uint64_t word = rd(&t->tag[head].word);

		if (lab_tag_is_live(word) && lab_tag_state(word) - 1 >= order)
			return head;
	}
	return pfn;
}

/** What the tag says of a block, of which `word` is or was the state. */
static struct lab_guard_report
about(struct lab_zone *z, enum lab_guard_kind kind, uint32_t pfn, unsigned int order, uint64_t word)
{
	const struct lab_tag *tag = &lab_tags_of(z)->tag[pfn];
	struct lab_guard_report r = {.kind = kind,
		.zone = z,
		.page = lab_frame_address(z, pfn),
		.order = lab_tag_is_live(word) ? lab_tag_state(word) - 1 : order,
		.said = order,
		.owner = rd(&tag->owner),
		.caller = lab_owner_get()};

	if (lab_tag_state(word) != LAB_TAG_UNSEEN)
		r.age_ns = lab_tag_age(word, lab_tag_now(z));
	if (lab_tag_state(word) >= LAB_TAG_FREED)
		r.freed_by = rd(&tag->other);
	return r;
}

void
lab_guard_found(struct lab_zone *z, enum lab_guard_kind kind, const struct lab_guard_spot *spot)
{
	struct lab_guard_report r = about(z, kind, spot->pfn, spot->order, spot->word);
	size_t shown = spot->len < LAB_GUARD_BYTES ? spot->len : LAB_GUARD_BYTES;

	r.offset = spot->offset;
	r.len = spot->len;
	r.exact = spot->exact;
	memcpy(r.bytes, (const unsigned char *)r.page + spot->offset, shown);
	tell(z, &r);
}

static void
foreign(struct lab_zone *z, void *ptr, unsigned int order)
{
	struct lab_guard_report r = {.kind = LAB_GUARD_FOREIGN_FREE,
		.zone = z,
		.page = ptr,
		.order = order,
		.said = order,
		.caller = lab_owner_get()};

	tell(z, &r);
}

int
lab_guard_bad_free(struct lab_zone *z, void *page, uint32_t pfn, unsigned int order, int err)
{
	struct lab_guard_report r;
	uint32_t start;

	if (pfn == LAB_NO_PFN) {
		foreign(z, page, order);
		return err;
	}
	start = err == -EALREADY ? pfn : block_start(lab_tags_of(z), pfn);
	r = about(z, err == -EALREADY ? LAB_GUARD_DOUBLE_FREE : LAB_GUARD_WRONG_FREE, start, order,
		rd(&lab_tags_of(z)->tag[start].word));
	r.offset = (size_t)(pfn - start) << LAB_PAGE_SHIFT;
	tell(z, &r);
	return err;
}

void
lab_guard_foreign(struct lab_zone *z, void *ptr, unsigned int order)
{
	if (rd(&z->watched) & LAB_WATCH_GUARD)
		foreign(z, ptr, order);
}
