/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file alloc_heap.c
 * General allocators: blocks aligned to a page. Those that are libraries of their own are loaded
 * beside the C library's, not in its place: a call goes through a pointer, as it does between
 * libraries, and all of them run in one process and take turns on one core.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "loops.h"

struct heap {
	void *(*get)(size_t align, size_t size);
	void (*put)(void *page);
};

static inline void *
heap_get(struct bench_thread *t)
{
	return ((const struct heap *)t->ctx)->get(LAB_PAGE_SIZE, LAB_PAGE_SIZE << t->order);
}

static inline void
heap_put(struct bench_thread *t, void *page)
{
	((const struct heap *)t->ctx)->put(page);
}

BENCH_ONE_BY_ONE(heap_get, heap_put)
BENCH_ZERO_BY_HAND(heap_get)

static const struct bench_calls calls = {
	.get = heap_get,
	.put = heap_put,
	.get_zero = heap_get_zero,
	.get_n = heap_get_n,
	.put_n = heap_put_n,
};
BENCH_LOOPS(calls)
static const bench_loops loops = BENCH_TABLE;

/** How a heap is had; the sonames are those of Debian 12 and 13. */
struct variant {
	const char *sonames[3];
	const char *get, *put;
	const char *package;
	struct heap *heap;
	char *error; /**< why it is not there, of ERROR_LEN bytes */
};

#define ERROR_LEN 200

/* Process-wide, as what they stand for: a library is loaded once. */
static struct heap glibc = {aligned_alloc, free}, mimalloc, jemalloc;
static char mimalloc_error[ERROR_LEN], jemalloc_error[ERROR_LEN];

static const struct variant glibc_variant = {.heap = &glibc};
static const struct variant mimalloc_variant = {
	.sonames = {"libmimalloc.so.3", "libmimalloc.so.2"},
	.get = "mi_aligned_alloc",
	.put = "mi_free",
	.package = "libmimalloc-dev",
	.heap = &mimalloc,
	.error = mimalloc_error,
};
/* Debian gives jemalloc's calls no prefix: looked up in the library itself, they are its own. */
static const struct variant jemalloc_variant = {
	.sonames = {"libjemalloc.so.2"},
	.get = "aligned_alloc",
	.put = "free",
	.package = "libjemalloc2",
	.heap = &jemalloc,
	.error = jemalloc_error,
};

static void
note_error(const struct variant *v, const char *error)
{
	/* that one of several names is not there says less than what is wrong with another one */
	if (error != NULL && (v->error[0] == '\0' || strstr(error, "No such file") == NULL))
		snprintf(v->error, ERROR_LEN, "%s", error);
}

static void
load(const struct variant *v)
{
	void *lib = NULL;

	for (unsigned int i = 0; v->sonames[i] != NULL && lib == NULL; i++) {
		lib = dlopen(v->sonames[i], RTLD_NOW | RTLD_LOCAL);
		if (lib == NULL)
			note_error(v, dlerror());
	}
	if (lib == NULL)
		return;
	/* never closed: it has thread-local memory and exit handlers */
	*(void **)&v->heap->get = dlsym(lib, v->get);
	*(void **)&v->heap->put = dlsym(lib, v->put);
	if (v->heap->get == NULL || v->heap->put == NULL) {
		v->heap->get = NULL;
		snprintf(v->error, ERROR_LEN, "the library has no %s() or %s()", v->get, v->put);
	}
}

#define TUNABLE "glibc.rtld.optional_static_tls"

static void
start_again(char **argv)
{
	const char *tunables = getenv("GLIBC_TUNABLES");
	char text[512];

	if (tunables != NULL && strstr(tunables, TUNABLE) != NULL)
		return;
	snprintf(text, sizeof(text), "%s%s" TUNABLE "=16384", tunables ? tunables : "",
		tunables ? ":" : "");
	if (setenv("GLIBC_TUNABLES", text, 1) == 0)
		execv("/proc/self/exe", argv);
}

void
heaps_load(char **argv)
{
	load(&mimalloc_variant);
	load(&jemalloc_variant);
	if (strstr(mimalloc_error, "static TLS") || strstr(jemalloc_error, "static TLS"))
		start_again(argv);
}

static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	const struct variant *v = a->variant;

	(void)need;
	(void)capacity;
	*ctx = v->heap;
	if (v->heap->get != NULL)
		return 0;
	snprintf(why, BENCH_WHY, "needs the package %s: %.100s", v->package, v->error);
	return -ENOENT;
}

static void
destroy(void *ctx)
{
	(void)ctx;
}

#define HEAP(title, says, which, bytes)                                                            \
	{                                                                                          \
		.name = title, .what = says, .loops = &loops, .variant = &which, .create = create, \
		.destroy = destroy, .bytes_a_page = bytes,                                         \
	}

/* glibc keeps the page before an aligned one apart, and writes its heads into both. */
const struct bench_alloc bench_heaps[BENCH_NR_HEAPS] = {
	HEAP("malloc", "aligned_alloc() of the C library", glibc_variant, 2 * LAB_PAGE_SIZE),
	HEAP("mimalloc", "mi_aligned_alloc()", mimalloc_variant, LAB_PAGE_SIZE),
	HEAP("jemalloc", "aligned_alloc() of jemalloc", jemalloc_variant, LAB_PAGE_SIZE),
};
