/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file warning.c
 * Early warning: the low mark is crossed, and nothing has been refused yet.
 *
 * The thread that crosses may be in a signal handler that interrupted anything in this library, so
 * raising takes no lock and waits for nobody. The callbacks of the processes lie in slots whose word
 * (pid and generation) is the last to be written and is read before and after the rest: a torn
 * slot is seen as one, and passed over.
 */
#include <unistd.h>

#include "warning.h"

/** Registering while somebody reads makes the reader look again; not for ever. */
#define LOOKS 4

/* --------------------------------------------------------------- registry */

static uint32_t
pid_of(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/** Write a slot that nobody reads, for its word names no process, and then let it name one. */
static void
publish(struct lab_warner *w, uint32_t pid, lab_warning_fn fn, void *arg)
{
	uint64_t word = (uint32_t)rd(&w->word) + 1U;

	atomic_store_explicit(&w->word, word & UINT32_MAX, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	wr(&w->fn, fn);
	wr(&w->arg, arg);
	atomic_store_explicit(
		&w->word, (uint64_t)pid << 32 | (word & UINT32_MAX), memory_order_release);
}

static void
retire(struct lab_warner *w)
{
	atomic_store_explicit(&w->word, rd(&w->word) & UINT32_MAX, memory_order_release);
}

/** A slot that is this process's, and one that it could have; NULL where there is none. */
static void
find_slots(struct lab_zone *z, uint32_t pid, struct lab_warner **own, struct lab_warner **vacant)
{
	*own = *vacant = NULL;
	for (unsigned int i = 0; i < LAB_NR_WARNERS; i++) {
		struct lab_warner *w = &z->warners[i];
		uint32_t owner = pid_of(rd(&w->word));

		if (owner == pid)
			*own = w;
		else if (*vacant == NULL && lab_process_is_gone((pid_t)owner))
			*vacant = w;
	}
}

int
lab_zone_set_warning(struct lab_zone *z, lab_warning_fn fn, void *arg)
{
	uint32_t pid = (uint32_t)getpid();
	struct lab_warner *own, *vacant;
	int ret = 0;

	lab_spin_lock(&z->ring_lock);
	find_slots(z, pid, &own, &vacant);
	/* Into another slot where there is one: a thread that crosses meanwhile finds the old or the new. */
	if (fn != NULL && vacant != NULL)
		publish(vacant, pid, fn, arg);
	else if (fn != NULL && own != NULL)
		publish(own, pid, fn, arg);
	else if (fn != NULL)
		ret = -ENOSPC;
	if (own != NULL && (fn == NULL || vacant != NULL))
		retire(own);
	lab_spin_unlock(&z->ring_lock);
	return ret;
}

/** Read a slot as a whole. @return false if it is another process's or was written meanwhile. */
static bool
read_slot(const struct lab_warner *w, uint32_t pid, lab_warning_fn *fn, void **arg)
{
	uint64_t word = atomic_load_explicit(&w->word, memory_order_acquire);

	if (pid_of(word) != pid)
		return false;
	*fn = rd(&w->fn);
	*arg = rd(&w->arg);
	atomic_thread_fence(memory_order_acquire);
	return rd(&w->word) == word;
}

static void
call(struct lab_zone *z, const struct lab_warning *warning)
{
	uint32_t pid = lab_process_id();
	lab_warning_fn fn;
	void *arg;

	for (unsigned int look = 0; look < LOOKS; look++) {
		for (unsigned int i = 0; i < LAB_NR_WARNERS; i++) {
			if (read_slot(&z->warners[i], pid, &fn, &arg)) {
				fn(arg, warning);
				return;
			}
		}
	}
}

/* ---------------------------------------------------------------- warning */

/** The request that raised it would meet the high mark now. */
void
lab_warning_rearm(struct lab_zone *z)
{
	uint64_t old = rd(&z->warnings);
	unsigned int raised = old & LAB_WARNING_MASK;

	if (raised != 0 &&
		rd(&z->nr_free) >= lab_mark(z, LAB_ALLOC_WMARK_HIGH) + (1UL << (raised - 1)))
		atomic_compare_exchange_strong(&z->warnings, &old, old & ~LAB_WARNING_MASK);
}

void
lab_warning_raise(struct lab_zone *z, unsigned int order)
{
	uint64_t old = rd(&z->warnings), seq = (old >> LAB_WARNING_BITS) + 1;
	struct lab_warning w = {.zone = z, .seq = seq, .order = order};

	if ((old & LAB_WARNING_MASK) || !atomic_compare_exchange_strong(&z->warnings, &old,
						seq << LAB_WARNING_BITS | (order + 1)))
		return;
	w.time_ns = lab_zone_now(z);
	w.free = rd(&z->nr_free);
	w.low = lab_mark(z, LAB_ALLOC_WMARK_LOW);
	wr(&z->warning_ns, w.time_ns);
	wr(&z->warning_free, w.free);
	call(z, &w);
}

void
lab_zone_warnings(const struct lab_zone *z, struct lab_warnings *out)
{
	uint64_t word = rd(&z->warnings);

	out->count = word >> LAB_WARNING_BITS;
	out->armed = !(word & LAB_WARNING_MASK);
	out->last_ns = rd(&z->warning_ns);
	out->last_free = rd(&z->warning_free);
}
