/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "app.h"
#include "packet.h"

#define NR_FLOWS 1024u /* a power of two; testpmd's number */

struct flowgen {
	struct packet_headers headers;
	struct rte_mempool *pool;
	uint32_t next;
	uint16_t len;
};

static int
flowgen_begin(struct fwd_stream *fs)
{
	struct flowgen *g;
	int rc = packet_check(fs);

	if (rc)
		return rc;
	g = rte_zmalloc("flowgen", sizeof(*g), RTE_CACHE_LINE_SIZE);
	if (g == NULL)
		return -ENOMEM;
	g->len = fs->app->opt.tx_segs[0];
	g->pool = packet_pool(fs);
	packet_headers(&g->headers, fs, g->len);
	fs->priv = g;
	return 0;
}

static void
flowgen_end(struct fwd_stream *fs)
{
	rte_free(fs->priv);
	fs->priv = NULL;
}

static unsigned int
flowgen_burst(struct fwd_stream *fs)
{
	struct flowgen *g = fs->priv;
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t received = fwd_rx(fs, pkts), n, sent;

	/* what comes back is not looked at */
	fwd_consume(fs, pkts, received);
	for (n = 0; n < fs->burst; n++) {
		pkts[n] = rte_pktmbuf_alloc(g->pool);
		if (pkts[n] == NULL) {
			fs->n.nombuf++;
			break;
		}
		packet_set_flow(&g->headers, (g->next + n) & (NR_FLOWS - 1));
		memcpy(rte_pktmbuf_mtod(pkts[n], void *), &g->headers, sizeof(g->headers));
		pkts[n]->data_len = g->len;
		pkts[n]->pkt_len = g->len;
	}
	sent = fwd_tx_made(fs, pkts, n);
	/* flows go on where the last sent packet left them */
	g->next = (g->next + sent) & (NR_FLOWS - 1);
	return received + n;
}

static struct fwd_engine flowgen_engine = {
	.name = "flowgen",
	.makes = true,
	.help = "send generated packets of 1024 flows, receive and free what comes",
	.begin = flowgen_begin,
	.burst = flowgen_burst,
	.end = flowgen_end,
};
FWD_ENGINE(flowgen_engine);
