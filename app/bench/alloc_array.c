/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file alloc_array.c
 * The floor: each thread has an array of pages of its own, last in, first out.
 */
#include <errno.h>
#include <stdlib.h>

#include "loops.h"

struct stack {
	_Alignas(LAB_CACHE_LINE) unsigned long nr;
	void **page;
};

struct array {
	struct stack of[BENCH_MAX_THREADS];
	void *pages[];
};

static void *
array_get(struct bench_thread *t)
{
	struct stack *s = &((struct array *)t->ctx)->of[t->index];
	void *page;

	if (s->nr == 0)
		return NULL;
	page = s->page[--s->nr];
	/* as an array in memory, not one that the compiler sees through */
	__asm__ volatile("" : : : "memory");
	return page;
}

static void
array_put(struct bench_thread *t, void *page)
{
	struct stack *s = &((struct array *)t->ctx)->of[t->index];

	s->page[s->nr++] = page;
	__asm__ volatile("" : : : "memory");
}

BENCH_ONE_BY_ONE(array_get, array_put)
BENCH_ZERO_BY_HAND(array_get)

static const struct bench_calls calls = {
	.get = array_get,
	.put = array_put,
	.get_zero = array_get_zero,
	.get_n = array_get_n,
	.put_n = array_put_n,
};
BENCH_LOOPS(calls)
static const bench_loops loops = BENCH_TABLE;

static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	unsigned long each = *capacity / need->threads;
	size_t len = sizeof(struct array) + *capacity * sizeof(void *);
	struct array *array =
		aligned_alloc(LAB_CACHE_LINE, (len + LAB_CACHE_LINE - 1) & ~(LAB_CACHE_LINE - 1UL));

	(void)a;
	if (array == NULL) {
		bench_why(why, "no memory");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < need->threads; i++)
		array->of[i] = (struct stack){.nr = each, .page = &array->pages[i * each]};
	for (unsigned long i = 0; i < *capacity; i++)
		array->pages[i] =
			(char *)need->arena + ((*capacity - 1 - i) << need->order) * LAB_PAGE_SIZE;
	*ctx = array;
	*capacity = each * need->threads;
	return 0;
}

const struct bench_alloc bench_array = {
	.name = "array",
	.what = "the floor: an array of pages of each thread's own",
	.flags = BENCH_BOUNDED | BENCH_PRIVATE,
	.loops = &loops,
	.create = create,
	.destroy = free,
};
