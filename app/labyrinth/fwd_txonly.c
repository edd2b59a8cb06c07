/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "app.h"
#include "packet.h"

struct txonly {
	struct packet_headers headers;
	struct rte_mempool *pool;
	uint32_t len;
};

static int
txonly_begin(struct fwd_stream *fs)
{
	const struct options *o = &fs->app->opt;
	struct txonly *t;
	int rc = packet_check(fs);

	if (rc)
		return rc;
	t = rte_zmalloc("txonly", sizeof(*t), RTE_CACHE_LINE_SIZE);
	if (t == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < o->nb_tx_segs; i++)
		t->len += o->tx_segs[i];
	packet_headers(&t->headers, fs, t->len);
	t->pool = packet_pool(fs);
	fs->priv = t;
	return 0;
}

static void
txonly_end(struct fwd_stream *fs)
{
	rte_free(fs->priv);
	fs->priv = NULL;
}

/* The segments behind the first. */
static bool
add_segments(struct rte_mbuf *head, const struct options *o, struct rte_mempool *pool)
{
	struct rte_mbuf *last = head;

	for (unsigned int i = 1; i < o->nb_tx_segs; i++) {
		struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);

		if (seg == NULL)
			return false;
		seg->data_len = o->tx_segs[i];
		last->next = seg;
		last = seg;
		head->nb_segs++;
	}
	return true;
}

static struct rte_mbuf *
make_packet(const struct txonly *t, const struct options *o)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->pool);

	if (m == NULL)
		return NULL;
	memcpy(rte_pktmbuf_mtod(m, void *), &t->headers, sizeof(t->headers));
	m->data_len = o->tx_segs[0];
	m->pkt_len = t->len;
	m->l2_len = sizeof(t->headers.eth);
	m->l3_len = sizeof(t->headers.ip);
	if (o->nb_tx_segs > 1 && !add_segments(m, o, t->pool)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}

static unsigned int
txonly_burst(struct fwd_stream *fs)
{
	const struct txonly *t = fs->priv;
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n;

	for (n = 0; n < fs->burst; n++) {
		pkts[n] = make_packet(t, &fs->app->opt);
		if (pkts[n] == NULL) {
			fs->n.nombuf++;
			break;
		}
	}
	fwd_tx_made(fs, pkts, n);
	return n;
}

static struct fwd_engine txonly_engine = {
	.name = "txonly",
	.makes = true,
	.help = "send generated packets (set txpkts) as fast as possible",
	.begin = txonly_begin,
	.burst = txonly_burst,
	.end = txonly_end,
};
FWD_ENGINE(txonly_engine);
