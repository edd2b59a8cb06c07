/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Stamped frames at the pace of an arrival process. */

#include <errno.h>
#include <string.h>

#include <lab_report.h>

#include "app.h"
#include "packet.h"

#define END_REPEATS 3 /* an end-of-flow frame may be lost like any other */

static int
gen_begin(struct fwd_stream *fs)
{
	struct app *app = fs->app;
	struct lab_gen_config cfg = {
		.arrival = app->fwd.gen,
		.pool = packet_pool(fs),
		.clock = &app->clock,
		.flow_base = (uint32_t)(fs - app->fwd.streams) * app->fwd.gen.flows,
		.run = app->fwd.run,
	};
	struct lab_gen *g;
	char err[256];
	int rc;

	/* streams of one seed must not be copies of each other */
	cfg.arrival.seed = app_seed(app, app->fwd.gen.seed, fs - app->fwd.streams);
	memcpy(cfg.src_mac, &app->ports.p[fs->tx_port].mac, 6);
	memcpy(cfg.dst_mac, &fs->peer, 6);
	rc = lab_gen_create(&g, &cfg, err, sizeof(err));
	if (rc)
		return cmd_fail(app, rc, "gen on port %u: %s", fs->tx_port, err);
	fs->priv = g;
	return 0;
}

static unsigned int
gen_burst(struct fwd_stream *fs)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];
	struct lab_gen *g = fs->priv;
	uint16_t n = fwd_rx(fs, pkts), due, sent;

	fwd_consume(fs, pkts, n);
	due = lab_gen_burst(g, pkts, fs->burst);
	if (due == 0)
		return n;
	sent = rte_eth_tx_burst(fs->tx_port, fs->tx_queue, pkts, due);
	if (fs->count_bursts)
		fs->tx_bursts[sent]++;
	/* what the ring did not take is offered again, under the same sequence numbers */
	if (sent < due)
		lab_gen_unsent(g, pkts + sent, due - sent);
	fs->n.made += sent;
	fs->n.made_sent += sent;
	return n + sent;
}

static void
gen_flush(struct fwd_stream *fs)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];

	for (int i = 0; i < END_REPEATS; i++) {
		uint32_t next = 0;
		uint16_t n, sent;

		while ((n = lab_gen_end(fs->priv, &next, pkts, fs->burst)) > 0) {
			sent = rte_eth_tx_burst(fs->tx_port, fs->tx_queue, pkts, n);
			rte_pktmbuf_free_bulk(pkts + sent, n - sent);
		}
	}
}

static void
gen_end(struct fwd_stream *fs)
{
	lab_gen_destroy(fs->priv);
	fs->priv = NULL;
}

static void
gen_stats(const struct fwd_stream *fs, json_t *out)
{
	struct lab_gen_stats s;

	lab_gen_stats_get(fs->priv, &s);
	json_object_set_new(out, "gen",
		json_pack("{so so so so so}", "sent", lab_json_u64(s.packets), "bytes",
			lab_json_u64(s.bytes), "unsent", lab_json_u64(s.unsent), "nombuf",
			lab_json_u64(s.nombuf), "slipped_ns", lab_json_u64(s.slipped_ns)));
}

static struct fwd_engine gen_engine = {
	.name = "gen",
	.makes = true,
	.help = "send stamped frames at a paced rate (set gen ARRIVAL)",
	.begin = gen_begin,
	.burst = gen_burst,
	.flush = gen_flush,
	.end = gen_end,
	.stats = gen_stats,
};
FWD_ENGINE(gen_engine);
