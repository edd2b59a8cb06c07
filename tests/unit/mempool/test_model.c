/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Long random use of a pool against a model of it, and by several threads at once.
 */
#include "test_eal.h"

#include <pthread.h>

#define N       700
#define THREADS 4
/* the expensive tier validates the whole zone in each step */
#define STEPS (LAB_ASSERT_TIER >= 2 ? 1000 : 20000)

/* Who has an object is written into it: a second holder would find another's mark. */
struct mark {
	uint64_t owner; /* 0: in the pool */
};

struct holder {
	struct rte_mempool *mp;
	uint64_t id;
	struct lab_rng rng;
	void *objs[N];
	unsigned int n;
	unsigned long gets, refused;
	bool failed;
};

static bool
own(struct holder *h, void **o, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct mark *m = o[i];

		if (rte_mempool_from_obj(o[i]) != h->mp ||
			__atomic_exchange_n(&m->owner, h->id, __ATOMIC_RELAXED) != 0)
			return false;
	}
	return true;
}

static bool
disown(struct holder *h, void **o, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct mark *m = o[i];

		if (__atomic_exchange_n(&m->owner, 0, __ATOMIC_RELAXED) != h->id)
			return false;
	}
	return true;
}

static bool
step_get(struct holder *h, unsigned int n)
{
	if (rte_mempool_get_bulk(h->mp, &h->objs[h->n], n) != 0) {
		h->refused++;
		return true;
	}
	h->n += n;
	h->gets++;
	return own(h, &h->objs[h->n - n], n);
}

static bool
step_put(struct holder *h, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned int last = h->n - 1 - i;
		unsigned int k = (unsigned int)lab_rng_below(&h->rng, last + 1);
		void *t = h->objs[k];

		h->objs[k] = h->objs[last];
		h->objs[last] = t;
	}
	h->n -= n;
	if (!disown(h, &h->objs[h->n], n))
		return false;
	rte_mempool_put_bulk(h->mp, &h->objs[h->n], n);
	return true;
}

static bool
step(struct holder *h)
{
	unsigned int n = 1 + (unsigned int)lab_rng_below(&h->rng, 64);

	if ((lab_rng_u64(&h->rng) & 1) != 0)
		return n <= N - h->n ? step_get(h, n) : true;
	return step_put(h, n < h->n ? n : h->n);
}

static void
clear(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	((struct mark *)obj)->owner = 0;
}

static void
run_model(unsigned int cache, const char *settings, uint64_t seed)
{
	struct holder h = {.id = 1};

	h.mp = test_pool("model", N, 1500, cache, settings);
	assert_non_null(h.mp);
	rte_mempool_obj_iter(h.mp, clear, NULL);
	lab_rng_seed(&h.rng, seed);
	for (int i = 0; i < STEPS; i++) {
		if (!step(&h))
			fail_msg("step %d: an object has two holders", i);
		if (rte_mempool_avail_count(h.mp) != N - h.n)
			fail_msg("step %d: %u in the pool, %u held", i,
				rte_mempool_avail_count(h.mp), h.n);
		if (i % 997 == 0)
			test_zone_valid(h.mp);
	}
	assert_true(h.gets > STEPS / 20);
	assert_true(step_put(&h, h.n));
	assert_true(rte_mempool_full(h.mp));
	rte_mempool_free(h.mp);
}

static void
model_without_cache(void **state)
{
	run_model(0, NULL, 1);
	run_model(0, "order=2", 2);
	run_model(0, "pcp=on", 3);
	run_model(0, "inject_ppm=10000,inject_seed=4", 4);
}

static void
model_with_cache(void **state)
{
	run_model(256, NULL, 5);
	run_model(32, "min_free_kbytes=200,pcp=on", 6);
}

static void *
run_thread(void *arg)
{
	struct holder *h = arg;

	for (int i = 0; i < STEPS && !h->failed; i++)
		h->failed = !step(h);
	if (!h->failed)
		h->failed = !step_put(h, h->n);
	return NULL;
}

/* Threads that EAL does not know: no lcore, no cache, shared counters. */
static void
run_threads(const char *settings)
{
	static struct holder h[THREADS];
	struct rte_mempool *mp = test_pool("threads", N, 1500, 0, settings);
	struct lab_mempool_stats s;
	pthread_t t[THREADS];
	unsigned long gets = 0, refused = 0;

	assert_non_null(mp);
	rte_mempool_obj_iter(mp, clear, NULL);
	for (unsigned int i = 0; i < THREADS; i++) {
		h[i] = (struct holder){.mp = mp, .id = i + 1};
		lab_rng_seed(&h[i].rng, 100 + i);
		assert_int_equal(pthread_create(&t[i], NULL, run_thread, &h[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		assert_false(h[i].failed);
		gets += h[i].gets;
		refused += h[i].refused;
	}
	assert_true(rte_mempool_full(mp));
	test_zone_valid(mp);
	assert_int_equal(lab_mempool_stats_get(mp, &s), 0);
	assert_int_equal(s.dequeues, gets);
	assert_int_equal(s.refused[LAB_CAUSE_EXHAUSTED] + s.refused[LAB_CAUSE_WATERMARK], refused);
	assert_int_equal(s.dequeued_objects, s.enqueued_objects);
	rte_mempool_free(mp);
}

static void
threads(void **state)
{
	run_threads(NULL);
	run_threads("pcp=on,min_free_kbytes=100");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_without_cache),
		cmocka_unit_test(model_with_cache),
		cmocka_unit_test(threads),
	};

	test_eal_start("test_model");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
