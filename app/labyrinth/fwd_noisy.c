/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* A busy neighbour: packets are held for a time, as where they wait for a decision, a reassembly or
 * a slow disk. It keeps their buffers from the pool, which is what a burst then runs short of. */

#include <errno.h>

#include <rte_malloc.h>

#include "app.h"

struct noisy_slot {
	struct rte_mbuf *m;
	uint64_t due_ns;
};

struct noisy {
	uint64_t hold_ns;
	uint32_t size; /* packets held at most */
	uint32_t mask;
	uint32_t head, tail; /* free-running */
	struct noisy_slot slot[];
};

static int
noisy_begin(struct fwd_stream *fs)
{
	const struct fwd *f = &fs->app->fwd;
	uint32_t slots = rte_align32pow2(f->noisy_size);
	struct noisy *q =
		rte_zmalloc("noisy", sizeof(*q) + slots * sizeof(q->slot[0]), RTE_CACHE_LINE_SIZE);

	if (q == NULL)
		return cmd_fail(fs->app, -ENOMEM, "no memory to hold %u packets", slots);
	q->hold_ns = f->noisy_ns;
	q->size = f->noisy_size;
	q->mask = slots - 1;
	fs->priv = q;
	return 0;
}

/* Send those that are due, and the oldest beyond what leaves `room` places. */
static unsigned int
release(struct fwd_stream *fs, struct noisy *q, uint64_t now, uint32_t room)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n = 0;

	while (q->head != q->tail && n < APP_MAX_BURST) {
		const struct noisy_slot *s = &q->slot[q->tail & q->mask];

		if (s->due_ns > now && q->size - (q->head - q->tail) >= room)
			break;
		pkts[n++] = s->m;
		q->tail++;
	}
	fs->held -= n;
	fwd_tx(fs, pkts, n);
	return n;
}

static unsigned int
noisy_burst(struct fwd_stream *fs)
{
	struct noisy *q = fs->priv;
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint64_t now = lab_clock_now(&fs->app->clock);
	uint16_t n = fwd_rx(fs, pkts);
	unsigned int sent = release(fs, q, now, n);

	for (uint16_t i = 0; i < n; i++)
		q->slot[q->head++ & q->mask] = (struct noisy_slot){pkts[i], now + q->hold_ns};
	fs->held += n;
	return n + sent;
}

static uint64_t
noisy_next(const struct fwd_stream *fs)
{
	const struct noisy *q = fs->priv;

	return q->head == q->tail ? UINT64_MAX : q->slot[q->tail & q->mask].due_ns;
}

static void
noisy_flush(struct fwd_stream *fs)
{
	struct noisy *q = fs->priv;

	while (q->head != q->tail)
		release(fs, q, UINT64_MAX, 0);
}

static void
noisy_end(struct fwd_stream *fs)
{
	noisy_flush(fs);
	rte_free(fs->priv);
	fs->priv = NULL;
}

static struct fwd_engine noisy_engine = {
	.name = "noisy",
	.help = "forward after holding each packet for a time (set noisy buffer|hold)",
	.begin = noisy_begin,
	.burst = noisy_burst,
	.next_ns = noisy_next,
	.flush = noisy_flush,
	.end = noisy_end,
};
FWD_ENGINE(noisy_engine);
