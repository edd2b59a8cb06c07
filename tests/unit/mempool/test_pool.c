/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Memory of pools: sizes, ways to populate, counts, the end of a pool.
 */
#include "test_eal.h"

#include <sys/mman.h>

#include <rte_memzone.h>

#define MAX_OBJS 4096

static void *objs[MAX_OBJS];

/* Bytes of an element whose object (with its header) is exactly `bytes`. */
static unsigned int
elt_of(size_t bytes)
{
	struct rte_mempool_objsz size;

	rte_mempool_calc_obj_size(64, RTE_MEMPOOL_F_NO_SPREAD, &size);
	return (unsigned int)(bytes - size.header_size - size.trailer_size);
}

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

/* No two objects may share a byte, and each must lie in the chunks of the pool. */
static void
check_apart(const struct rte_mempool *mp, void **o, unsigned int n)
{
	qsort(o, n, sizeof(*o), by_address);
	for (unsigned int i = 0; i + 1 < n; i++)
		assert_true(
			(uintptr_t)o[i] + mp->elt_size + mp->header_size <= (uintptr_t)o[i + 1]);
}

static void
size_one(size_t object_bytes, int order)
{
	unsigned int n = order > 7 ? 3 : 10, got;
	struct rte_mempool *mp = test_pool("size", n, elt_of(object_bytes), 0, NULL);

	if (mp == NULL)
		fail_msg("%zu bytes: %s", object_bytes, rte_strerror(rte_errno));
	assert_int_equal(lab_mempool_order(mp), order);
	assert_int_equal(rte_mempool_avail_count(mp), n);
	got = test_take_all(mp, objs, MAX_OBJS);
	assert_int_equal(got, n);
	assert_int_equal(rte_mempool_avail_count(mp), 0);
	for (unsigned int i = 0; i < n; i++) {
		assert_ptr_equal(rte_mempool_from_obj(objs[i]), mp);
		assert_true((uintptr_t)objs[i] % RTE_CACHE_LINE_SIZE == 0);
		memset(objs[i], 0x5a, mp->elt_size);
	}
	check_apart(mp, objs, n);
	test_put_all(mp, objs, n);
	assert_int_equal(rte_mempool_avail_count(mp), n);
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

static void
sizes_around_block_boundaries(void **state)
{
	for (int order = 0; order <= LAB_MAX_ORDER; order++) {
		size_t block = LAB_PAGE_SIZE << order;

		size_one(block, order);
		size_one(block - 64, order);
		if (order < LAB_MAX_ORDER)
			size_one(block + 64, order + 1);
	}
	size_one(192, 0);
}

static void
too_large_is_refused(void **state)
{
	unsigned int elt = elt_of((LAB_PAGE_SIZE << LAB_MAX_ORDER) + 64);
	struct rte_mempool *mp = test_pool("large", 1, elt, 0, NULL);

	assert_null(mp);
	assert_int_equal(rte_errno, EINVAL);
}

static void
order_setting_is_a_floor(void **state)
{
	struct rte_mempool *mp = test_pool("floor", 8, 64, 0, "order=2");

	assert_non_null(mp);
	assert_int_equal(lab_mempool_order(mp), 2);
	assert_int_equal(test_take_all(mp, objs, MAX_OBJS), 8);
	rte_mempool_free(mp);
}

/* ------------------------------------------------------------ populating */

static void
check_full(struct rte_mempool *mp, unsigned int n)
{
	assert_int_equal(mp->populated_size, n);
	assert_int_equal(rte_mempool_avail_count(mp), n);
	assert_int_equal(test_take_all(mp, objs, MAX_OBJS), n);
	check_apart(mp, objs, n);
	test_put_all(mp, objs, n);
	assert_true(rte_mempool_full(mp));
	test_zone_valid(mp);
}

static void
populate_anon(void **state)
{
	for (unsigned int elt = 64; elt <= 20000; elt += 9000) {
		struct rte_mempool *mp = test_pool_empty("anon", 100, elt, 0, 0, NULL);
		int ret = rte_mempool_populate_anon(mp);

		if (ret == 0 && rte_errno != 0) {
			rte_mempool_free(mp);
			print_message("no anonymous memory: %s\n", rte_strerror(rte_errno));
			skip();
		}
		assert_int_equal(ret, 100);
		check_full(mp, 100);
		rte_mempool_free(mp);
	}
}

/* External memory at an odd address, one call; what is not whole blocks is left. */
static void
populate_virt_unaligned(void **state)
{
	struct rte_mempool *mp = test_pool_empty("virt", 64, 2000, 0, 0, NULL);
	size_t len = 65 * LAB_PAGE_SIZE;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	assert_true(mem != MAP_FAILED);
	assert_int_equal(
		rte_mempool_populate_iova(mp, mem + 40, RTE_BAD_IOVA, len - 40, NULL, NULL), 64);
	check_full(mp, 64);
	rte_mempool_free(mp);
	munmap(mem, len);
}

static void
populate_too_small(void **state)
{
	struct rte_mempool *mp = test_pool_empty("small", 4, 2000, 0, 0, NULL);
	char *mem = rte_malloc(NULL, 3 * LAB_PAGE_SIZE, LAB_PAGE_SIZE);

	assert_int_equal(rte_mempool_populate_iova(mp, mem, RTE_BAD_IOVA, 4095, NULL, NULL), 0);
	assert_int_equal(
		rte_mempool_populate_iova(mp, mem + 8, RTE_BAD_IOVA, 4096 + 64, NULL, NULL), 0);
	assert_int_equal(rte_mempool_populate_iova(mp, mem, RTE_BAD_IOVA, 4096, NULL, NULL), 1);
	assert_int_equal(rte_mempool_avail_count(mp), 1);
	rte_mempool_free(mp);
	rte_free(mem);
}

/* Chunks of several places, in no order, each of them a few objects. */
static void
populate_many_chunks(void **state)
{
	enum { CHUNKS = 12, EACH = 20 };
	struct rte_mempool *mp = test_pool_empty("chunks", CHUNKS * EACH, 5000, 0, 0, NULL);
	size_t len = EACH * 2 * LAB_PAGE_SIZE;
	char *mem = mmap(
		NULL, 3 * CHUNKS * len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(mem != MAP_FAILED);
	for (unsigned int i = 0; i < CHUNKS; i++) {
		unsigned int at = (i * 7) % CHUNKS;
		char *chunk = mem + 3 * at * len + at % 3 * LAB_PAGE_SIZE;

		assert_int_equal(
			rte_mempool_populate_iova(mp, chunk, RTE_BAD_IOVA, len, NULL, NULL), EACH);
		assert_int_equal(rte_mempool_avail_count(mp), (i + 1) * EACH);
	}
	assert_true(lab_mempool_nr_zones(mp) >= 1);
	check_full(mp, CHUNKS * EACH);
	rte_mempool_free(mp);
	munmap(mem, 3 * CHUNKS * len);
}

/* Page by page, as physical addresses do it: one zone, one extent of memory. */
static void
populate_by_pages(void **state)
{
	struct rte_mempool *mp = test_pool_empty("pages", 200, 2000, 0, 0, NULL);
	char *mem = mmap(NULL, 200 * LAB_PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(mem != MAP_FAILED);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(
			rte_mempool_populate_iova(mp, mem + i * LAB_PAGE_SIZE,
				0x1000000 + (199 - i) * LAB_PAGE_SIZE, LAB_PAGE_SIZE, NULL, NULL),
			1);
	assert_int_equal(lab_mempool_nr_zones(mp), 1);
	check_full(mp, 200);
	for (unsigned int i = 0; i < 200; i++) {
		uintptr_t offset = (uintptr_t)objs[i] - (uintptr_t)mem;
		rte_iova_t page = 0x1000000 + (199 - offset / LAB_PAGE_SIZE) * LAB_PAGE_SIZE;

		assert_true(rte_mempool_virt2iova(objs[i]) == page + offset % LAB_PAGE_SIZE);
	}
	rte_mempool_free(mp);
	munmap(mem, 200 * LAB_PAGE_SIZE);
}

static void
populate_twice_the_same(void **state)
{
	struct rte_mempool *mp = test_pool_empty("twice", 8, 2000, 0, 0, NULL);
	char *mem = rte_malloc(NULL, 4 * LAB_PAGE_SIZE, LAB_PAGE_SIZE);

	assert_int_equal(
		rte_mempool_populate_iova(mp, mem, RTE_BAD_IOVA, 4 * LAB_PAGE_SIZE, NULL, NULL), 4);
	assert_int_equal(rte_mempool_populate_iova(mp, mem + LAB_PAGE_SIZE, RTE_BAD_IOVA,
				 2 * LAB_PAGE_SIZE, NULL, NULL),
		-EEXIST);
	assert_int_equal(rte_mempool_avail_count(mp), 4);
	rte_mempool_free(mp);
	rte_free(mem);
}

/* Pools that have no memory yet; EAL itself refuses pools of no objects. */
static void
empty_pools(void **state)
{
	struct rte_mempool *mp = test_pool_empty("unpopulated", 10, 64, 0, 0, NULL);
	struct lab_mempool_stats s;

	assert_true(lab_mempool_is(mp));
	assert_null(lab_mempool_zone(mp));
	assert_int_equal(lab_mempool_nr_zones(mp), 0);
	assert_int_equal(lab_mempool_stats_get(mp, &s), -EINVAL);
	assert_int_equal(rte_mempool_avail_count(mp), 0);
	rte_mempool_free(mp);
	assert_null(test_pool_empty("zero", 0, 64, 0, 0, NULL));
}

/* ---------------------------------------------------------------- objects */

struct seen {
	unsigned int n;
	uintptr_t last;
};

static void
stamp(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	struct seen *s = arg;

	*(uint64_t *)obj = 0xabcdef0000000000ULL + (uintptr_t)obj;
	((uint8_t *)obj)[mp->elt_size - 1] = (uint8_t)i;
	assert_true((uintptr_t)obj != s->last);
	s->last = (uintptr_t)obj;
	s->n++;
}

/* Free frames keep what the objects were initialised with, however often they change hands. */
static void
free_blocks_keep_their_content(void **state)
{
	struct rte_mempool *mp = test_pool("content", 500, 9000, 0, NULL);
	struct lab_rng rng;
	struct seen seen = {0};

	assert_non_null(mp);
	assert_int_equal(rte_mempool_obj_iter(mp, stamp, &seen), 500);
	assert_int_equal(seen.n, 500);
	lab_rng_seed(&rng, 3);
	for (int round = 0; round < 50; round++) {
		unsigned int n = 1 + (unsigned int)lab_rng_below(&rng, 500);

		assert_int_equal(rte_mempool_generic_get(mp, objs, n, NULL), 0);
		for (unsigned int i = 0; i < n; i++) {
			assert_ptr_equal(rte_mempool_from_obj(objs[i]), mp);
			assert_true(
				*(uint64_t *)objs[i] == 0xabcdef0000000000ULL + (uintptr_t)objs[i]);
		}
		for (unsigned int i = n - 1; i > 0; i--) {
			unsigned int k = (unsigned int)lab_rng_below(&rng, i + 1);
			void *t = objs[i];

			objs[i] = objs[k];
			objs[k] = t;
		}
		test_put_all(mp, objs, n);
	}
	rte_mempool_free(mp);
}

static void
mbufs(void **state)
{
	struct rte_mempool *mp = rte_pktmbuf_pool_create_by_ops(
		"mbufs", 1000, 256, 0, 2176, SOCKET_ID_ANY, LAB_MEMPOOL_OPS);
	struct rte_mbuf *m[64];

	assert_non_null(mp);
	assert_int_equal(lab_mempool_order(mp), 0);
	for (int round = 0; round < 100; round++) {
		assert_int_equal(rte_pktmbuf_alloc_bulk(mp, m, 64), 0);
		for (int i = 0; i < 64; i++) {
			assert_int_equal(rte_mbuf_check(m[i], 1, NULL), 0);
			memset(rte_pktmbuf_append(m[i], 2000), 0xff, 2000);
			assert_ptr_equal(m[i]->buf_addr, (char *)m[i] + sizeof(*m[i]));
		}
		rte_pktmbuf_free_bulk(m, 64);
	}
	assert_int_equal(rte_mempool_avail_count(mp), 1000);
	rte_mempool_free(mp);
}

/* --------------------------------------------------------- misuse, the end */

static void
bad_puts_harm_nothing(void **state)
{
	struct rte_mempool *mp = test_pool("bad", 20, 2000, 0, NULL);
	struct lab_mempool_stats s;
	char foreign[64];
	void *o, *bad;

	assert_int_equal(rte_mempool_generic_get(mp, &o, 1, NULL), 0);
	rte_mempool_generic_put(mp, &o, 1, NULL);
	rte_mempool_generic_put(mp, &o, 1, NULL);
	bad = foreign;
	rte_mempool_generic_put(mp, &bad, 1, NULL);
	bad = (char *)o + 8;
	rte_mempool_generic_put(mp, &bad, 1, NULL);
	bad = NULL;
	rte_mempool_generic_put(mp, &bad, 1, NULL);
	assert_int_equal(lab_mempool_stats_get(mp, &s), 0);
	assert_int_equal(s.bad_enqueue_objects, 4);
	assert_int_equal(s.enqueued_objects, 1);
	check_full(mp, 20);
	rte_mempool_free(mp);
}

static unsigned int
count_memzones(void)
{
	unsigned int n = 0;
	extern void test_count_memzone(const struct rte_memzone *mz, void *arg);

	rte_memzone_walk(test_count_memzone, &n);
	return n;
}

void test_count_memzone(const struct rte_memzone *mz, void *arg);

void
test_count_memzone(const struct rte_memzone *mz, void *arg)
{
	(*(unsigned int *)arg)++;
}

static void
destroy_leaves_no_memory(void **state)
{
	unsigned int before = count_memzones();
	struct rte_mempool *mp;

	for (unsigned int out = 0; out <= 300; out += 100) {
		mp = test_pool("destroy", 300, 3000, 32, NULL);
		assert_non_null(mp);
		if (out > 0)
			assert_int_equal(rte_mempool_generic_get(mp, objs, out, NULL), 0);
		rte_mempool_free(mp);
		assert_int_equal(count_memzones(), before);
	}
	mp = test_pool("squeezed", 300, 3000, 0, "min_free_kbytes=600");
	rte_mempool_free(mp);
	assert_int_equal(count_memzones(), before);
}

/* A populating that fails half-way takes the chunks back: the pool must not hand them out. */
static void
failed_populate_can_be_repeated(void **state)
{
	struct rte_mempool *mp =
		test_pool_empty("huge", 100000, 5000, 0, 0, "min_free_kbytes=100000");
	char *mem;

	assert_true(rte_mempool_populate_default(mp) < 0);
	assert_int_equal(rte_mempool_avail_count(mp), 0);
	assert_int_equal(rte_mempool_generic_get(mp, objs, 1, NULL), -ENOBUFS);
	mem = rte_malloc(NULL, 8 * LAB_PAGE_SIZE, LAB_PAGE_SIZE);
	assert_non_null(mem);
	assert_int_equal(
		rte_mempool_populate_iova(mp, mem, RTE_BAD_IOVA, 8 * LAB_PAGE_SIZE, NULL, NULL), 4);
	assert_int_equal(rte_mempool_avail_count(mp), 4);
	assert_int_equal(rte_mempool_generic_get(mp, objs, 1, NULL), 0);
	assert_true((char *)objs[0] >= mem && (char *)objs[0] < mem + 8 * LAB_PAGE_SIZE);
	rte_mempool_free(mp);
	rte_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_around_block_boundaries),
		cmocka_unit_test(too_large_is_refused),
		cmocka_unit_test(order_setting_is_a_floor),
		cmocka_unit_test(populate_anon),
		cmocka_unit_test(populate_virt_unaligned),
		cmocka_unit_test(populate_too_small),
		cmocka_unit_test(populate_many_chunks),
		cmocka_unit_test(populate_by_pages),
		cmocka_unit_test(populate_twice_the_same),
		cmocka_unit_test(empty_pools),
		cmocka_unit_test(free_blocks_keep_their_content),
		cmocka_unit_test(mbufs),
		cmocka_unit_test(bad_puts_harm_nothing),
		cmocka_unit_test(destroy_leaves_no_memory),
		cmocka_unit_test(failed_populate_can_be_repeated),
	};

	test_eal_start("test_pool");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
