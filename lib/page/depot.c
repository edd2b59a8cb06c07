/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "depot.h"

#include <string.h>

#define HELD    0xffULL /* no number of pages: somebody reads or writes the slot */
#define COUNT   0xffULL
#define VERSION 0x100ULL

static inline uint64_t
load(const struct depot *d, unsigned int slot)
{
	PERCPU_STEP();
	return atomic_load_explicit(&d->word[slot], memory_order_relaxed);
}

/** Make a slot one's own if it still says `old`. */
static inline bool
hold(struct depot *d, unsigned int slot, uint64_t old)
{
	return atomic_compare_exchange_strong_explicit(&d->word[slot], &old,
		((old & ~COUNT) | HELD) + VERSION, memory_order_seq_cst, memory_order_relaxed);
}

/** Let it go: its word is nobody else's to change. */
static inline void
release(struct depot *d, unsigned int slot, unsigned int pages)
{
	atomic_store(&d->word[slot], ((load(d, slot) & ~COUNT) | pages) + VERSION);
}

void **
depot_open(struct depot *d, unsigned int *n)
{
	for (unsigned int slot = DEPOT_SLOTS; slot-- > 0;) {
		uint64_t old = load(d, slot);

		*n = old & COUNT;
		if (*n != 0 && *n != HELD && hold(d, slot, old))
			return d->page[slot];
	}
	return NULL;
}

void
depot_close(struct depot *d, void **pages)
{
	release(d, (unsigned int)((pages - d->page[0]) / DEPOT_BATCH), 0);
}

unsigned int
depot_take(struct depot *d, void **out)
{
	unsigned int n;
	void **pages = depot_open(d, &n);

	if (pages == NULL)
		return 0;
	memcpy(out, pages, n * sizeof(*out));
	depot_close(d, pages);
	return n;
}

bool
depot_put(struct depot *d, void *const *pages, unsigned int n, unsigned int slots)
{
	for (unsigned int slot = 0; slot < slots && slot < DEPOT_SLOTS; slot++) {
		uint64_t old = load(d, slot);

		if ((old & COUNT) != 0 || !hold(d, slot, old))
			continue;
		memcpy(d->page[slot], pages, n * sizeof(*pages));
		release(d, slot, n);
		return true;
	}
	return false;
}

bool
depot_full(const struct depot *d, unsigned int slots)
{
	for (unsigned int slot = 0; slot < slots && slot < DEPOT_SLOTS; slot++)
		if ((load(d, slot) & COUNT) == 0)
			return false;
	return true;
}

unsigned long
depot_count(const struct depot *d)
{
	unsigned long pages = 0;

	for (unsigned int slot = 0; slot < DEPOT_SLOTS; slot++) {
		unsigned int n = load(d, slot) & COUNT;

		pages += n == HELD ? 0 : n;
	}
	return pages;
}

void
depot_add_up(const struct depot *d, struct percpu_sum *sum)
{
	for (unsigned int slot = 0; slot < DEPOT_SLOTS; slot++) {
		uint64_t word = atomic_load(&d->word[slot]);

		PERCPU_STEP();
		sum->held += (word & COUNT) == HELD ? 0 : word & COUNT;
		sum->events += word / VERSION;
	}
}

void
depot_end_dead(struct depot *d)
{
	for (unsigned int slot = 0; slot < DEPOT_SLOTS; slot++)
		if ((load(d, slot) & COUNT) == HELD)
			release(d, slot, 0);
}
