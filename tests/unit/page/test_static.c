/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Zones laid out at compile time, in a program of plain C11 that never touches the heap: the functions
 * that would allocate end it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_page.h"

LABYRINTH_DEFINE(grid, 1024, .min_free_kbytes = 64);
LABYRINTH_DEFINE(plain, 700);
_Static_assert(sizeof(grid_meta) >= 1024 * 4, "the metadata is laid out at compile time");
LABYRINTH_DEFINE(typed, 2048, .name = "Movable", .type = LAB_ZONE_MOVABLE, .min_free_kbytes = 0,
	.no_pcp = true, .linux_version = LAB_LINUX_6_1, .node = 3);
LABYRINTH_DEFINE(tiny, 1, .min_free_kbytes = 0, .watermark_boost_factor = 0);

static int failed;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);         \
			failed = 1;                                                                \
		}                                                                                  \
	} while (0)

/* The library's and this file's calls for memory end up here, those before main() too. */
static void
heap_used(const char *by)
{
	fputs(by, stderr);
	fputs(" was called\n", stderr);
	_Exit(1);
}

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, long off);

void *
__wrap_malloc(size_t size)
{
	heap_used("malloc");
	return NULL;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	heap_used("calloc");
	return NULL;
}

void *
__wrap_realloc(void *p, size_t size)
{
	heap_used("realloc");
	return NULL;
}

void *
__wrap_aligned_alloc(size_t align, size_t size)
{
	heap_used("aligned_alloc");
	return NULL;
}

void *
__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, long off)
{
	heap_used("mmap");
	return NULL;
}

/** Made before main(), in memory of the program itself, with the settings given. */
static void
check_made(void)
{
	struct lab_zone_info info;

	CHECK(grid != NULL && plain != NULL && typed != NULL && tiny != NULL);
	lab_zone_info_get(grid, &info);
	CHECK(strcmp(info.name, "grid") == 0);
	CHECK(info.type == LAB_ZONE_NORMAL && info.linux_version == LAB_LINUX_6_12);
	CHECK(info.base == grid_frames && (uintptr_t)info.base % (1UL << 21) == 0);
	CHECK(info.managed == 1024 && info.nr_free == 1024);
	CHECK(info.min_free_kbytes == 64 && info.wmark.min == 16);
	CHECK(info.watermark_boost_factor == 15000 && info.watermark_scale_factor == 10);

	lab_zone_info_get(plain, &info);
	CHECK(info.managed == 700 && info.min_free_kbytes == 211); /* sqrt(16 * 2800) */
	lab_zone_info_get(typed, &info);
	CHECK(strcmp(info.name, "Movable") == 0 && info.type == LAB_ZONE_MOVABLE);
	CHECK(info.linux_version == LAB_LINUX_6_1 && info.node == 3 && info.pcp_high == 0);
	lab_zone_info_get(tiny, &info);
	CHECK(info.watermark_boost_factor == 0 && info.managed == 1);
}

/** Atomic requests take all but the share of min that is not theirs: 16 - 8 - 2 = 6 of 1024. */
static void
check_atomic(void)
{
	static void *pages[1024];
	struct lab_zone_info info;
	unsigned int n = 0;

	while ((pages[n] = lab_alloc_page_gfp_atomic(grid)) != NULL) {
		CHECK((unsigned char *)pages[n] >= grid_frames);
		CHECK((unsigned char *)pages[n] < grid_frames + sizeof(grid_frames));
		memset(pages[n], (int)n, LAB_PAGE_SIZE);
		n++;
	}
	CHECK(errno == lab_cause_errno(LAB_CAUSE_WATERMARK));
	/* What the per-CPU list took with it when it last was filled counts as gone. */
	lab_zone_info_get(grid, &info);
	CHECK(info.nr_free <= 6 && n == 1024 - info.nr_free - info.nr_pcp && n > 950);
	for (unsigned int i = 0; i < n; i++) {
		CHECK(*(unsigned char *)pages[i] == (unsigned char)i);
		CHECK(lab_free_pages(grid, pages[i], 0) == 0);
	}
	lab_drain_all_pages(grid);
	CHECK(lab_zone_is_valid(grid, NULL, 0));
}

/** Each zone is its own: what one gives the others refuse to take. */
static void
check_apart(void)
{
	void *a = lab_alloc_pages(plain, LAB_GFP_KERNEL, 3), *b;

	CHECK(a != NULL && ((uintptr_t)a - (uintptr_t)plain_frames) % (8 * LAB_PAGE_SIZE) == 0);
	CHECK(lab_free_pages(grid, a, 3) == -EINVAL);
	CHECK(lab_free_pages(typed, a, 3) == -EINVAL);
	CHECK(lab_free_pages(plain, a, 3) == 0);

	/* Unmovable requests have no business in a Movable zone. */
	CHECK(lab_alloc_pages(typed, LAB_GFP_KERNEL, 0) == NULL && errno == EINVAL);
	b = lab_alloc_pages(typed, LAB_GFP_HIGHUSER_MOVABLE, LAB_MAX_ORDER);
	CHECK(b != NULL);
	CHECK(lab_free_pages(typed, b, LAB_MAX_ORDER) == 0);
	CHECK(lab_free_pages(typed, b, LAB_MAX_ORDER) == -EALREADY);
}

static void
check_tiny(void)
{
	void *page = lab_alloc_page_gfp_atomic(tiny);

	CHECK(page == tiny_frames);
	CHECK(lab_alloc_page_gfp_atomic(tiny) == NULL);
	CHECK(errno == lab_cause_errno(LAB_CAUSE_EXHAUSTED));
	CHECK(lab_free_pages(tiny, page, 0) == 0);
}

int
main(void)
{
	check_made();
	check_atomic();
	check_apart();
	check_tiny();
	CHECK(lab_zone_is_valid(plain, NULL, 0) && lab_zone_is_valid(typed, NULL, 0));
	return failed;
}
