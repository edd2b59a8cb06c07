/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file owners.c
 * Who an owner is, and what it is called.
 */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watch.h"

/* ------------------------------------------------------------ the thread */

#define OWNER_TLS static __thread __attribute__((tls_model("initial-exec")))

OWNER_TLS uint32_t owner_now, owner_default;
/** Who the kernel says it is, asked once; a forked child is somebody else. */
OWNER_TLS uint32_t thread_id, thread_process;

static uint32_t
this_thread(void)
{
	if (lab_unlikely(thread_process != lab_process_id())) {
		thread_id = (uint32_t)syscall(SYS_gettid);
		thread_process = lab_process_id();
	}
	return LAB_OWNER_THREAD(thread_id);
}

uint32_t
lab_owner_set(uint32_t owner)
{
	uint32_t before = owner_now;

	owner_now = owner;
	return before;
}

uint32_t
lab_owner_set_default(uint32_t owner)
{
	uint32_t before = owner_default;

	owner_default = owner;
	return before;
}

uint32_t
lab_owner_get(void)
{
	if (owner_now != LAB_OWNER_UNTAGGED)
		return owner_now;
	return owner_default != LAB_OWNER_UNTAGGED ? owner_default : this_thread();
}

/* ------------------------------------------------------------------ names */

/** The owner's entry, or one that is now its; NULL if all are others'. Entries are never given back, so a
 *  search that met a vacant one has seen all. */
static struct lab_owner_slot *
slot_of(struct lab_zone *z, uint32_t owner, bool make)
{
	for (unsigned int i = 0; i < LAB_OWNER_NAMES; i++) {
		struct lab_owner_slot *s = &z->owner_names[i];
		uint32_t found = rd(&s->owner);

		if (found == 0 &&
			(!make || atomic_compare_exchange_strong_explicit(&s->owner, &found, owner,
					  memory_order_relaxed, memory_order_relaxed)))
			return make ? s : NULL;
		if (found == owner)
			return s;
	}
	return NULL;
}

int
lab_owner_name(struct lab_zone *z, uint32_t owner, const char *name)
{
	uint32_t words[LAB_OWNER_NAME_LEN / 4] = {0};
	struct lab_owner_slot *s;

	if (owner == LAB_OWNER_UNTAGGED)
		return -EINVAL;
	s = slot_of(z, owner, true);
	if (s == NULL)
		return -ENOSPC;
	if (name != NULL)
		memcpy(words, name, strnlen(name, LAB_OWNER_NAME_LEN - 1));
	for (size_t i = 0; i < LAB_ARRAY_SIZE(words); i++)
		wr(&s->name[i], words[i]);
	return 0;
}

static bool
registered(const struct lab_zone *z, uint32_t owner, char name[LAB_OWNER_NAME_LEN])
{
	const struct lab_owner_slot *s = slot_of((struct lab_zone *)(uintptr_t)z, owner, false);
	uint32_t words[LAB_OWNER_NAME_LEN / 4];

	for (size_t i = 0; s != NULL && i < LAB_ARRAY_SIZE(words); i++)
		words[i] = rd(&s->name[i]);
	if (s == NULL || words[0] == 0)
		return false;
	memcpy(name, words, sizeof(words));
	return true;
}

int
lab_owner_format(const struct lab_zone *z, uint32_t owner, char *buf, size_t len)
{
	uint32_t n = owner & 0x0fffffffU;
	char name[LAB_OWNER_NAME_LEN];

	if (owner == LAB_OWNER_UNTAGGED)
		return snprintf(buf, len, "untagged");
	if (owner == LAB_OWNER_OTHERS)
		return snprintf(buf, len, "others");
	if (registered(z, owner, name))
		return snprintf(buf, len, "%s", name);
	switch (owner & ~0x0fffffffU) {
	case LAB_OWNER_LCORE(0):
		return snprintf(buf, len, "lcore %u", n);
	case LAB_OWNER_THREAD(0):
		return snprintf(buf, len, "thread %u", n);
	case LAB_OWNER_RXQ(0, 0):
		return snprintf(buf, len, "port %u rxq %u", n >> 16, n & 0xffff);
	case LAB_OWNER_TXQ(0, 0):
		return snprintf(buf, len, "port %u txq %u", n >> 16, n & 0xffff);
	case LAB_OWNER_TENANT(0):
		return snprintf(buf, len, "tenant %u", n);
	default:
		return snprintf(buf, len, "owner 0x%x", owner);
	}
}

/* ------------------------------------------------------------------- tags */

int
lab_zone_set_owners(struct lab_zone *z, bool on)
{
	return lab_watch_switch(z, LAB_WATCH_OWNERS, on);
}

int
lab_owner_move(struct lab_zone *z, void *page, uint32_t owner)
{
	uintptr_t off = (uintptr_t)page - (uintptr_t)z->base;
	struct lab_tag *tag;
	uint64_t word;

	if (!(rd(&z->watched) & LAB_WATCH_TAGS))
		return 0;
	if (owner == LAB_OWNER_UNTAGGED || off & (LAB_PAGE_SIZE - 1) ||
		off >> LAB_PAGE_SHIFT >= z->spanned)
		return -EINVAL;
	tag = &lab_tags_of(z)->tag[off >> LAB_PAGE_SHIFT];
	word = rd(&tag->word);
	if (!lab_tag_is_live(word))
		return lab_tag_state(word) == LAB_TAG_UNSEEN ? -ENOENT : -EINVAL;
	wr(&tag->owner, owner);
	wr(&tag->word, lab_tag_word(lab_tag_now(z), lab_tag_state(word)) | (word & LAB_TAG_SLACK));
	return 0;
}
