/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Loss, reordering, duplicates and latency, from the stamps of received frames. */

#include <errno.h>

#include <lab_report.h>

#include "app.h"

static int
sink_begin(struct fwd_stream *fs)
{
	/* flows of all streams of a generator on the other side */
	struct lab_sink_config cfg = {.flows = LAB_FLOWS_MAX, .window = 1024};
	struct lab_sink *s;
	int rc = lab_sink_create(&s, &cfg);

	if (rc)
		return cmd_fail(fs->app, rc, "no memory for a sink");
	fs->priv = s;
	return 0;
}

static unsigned int
sink_burst(struct fwd_stream *fs)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n = fwd_rx(fs, pkts);

	if (n)
		lab_sink_rx(fs->priv, pkts, n, lab_clock_now(&fs->app->clock));
	fwd_consume(fs, pkts, n);
	return n;
}

static void
sink_end(struct fwd_stream *fs)
{
	lab_sink_destroy(fs->priv);
	fs->priv = NULL;
}

json_t *
sink_json(const struct lab_sink *s)
{
	struct lab_sink_stats st;

	lab_sink_stats_get(s, &st);
	return json_pack("{so so so so so so so so so so so so}", "received",
		lab_json_u64(st.received), "expected", lab_json_u64(st.expected), "unique",
		lab_json_u64(st.unique), "lost", lab_json_u64(st.lost), "duplicates",
		lab_json_u64(st.duplicates), "reordered", lab_json_u64(st.reordered),
		"max_displacement", lab_json_u64(st.max_displacement), "beyond_window",
		lab_json_u64(st.beyond_window), "ends", lab_json_u64(st.ends), "unstamped",
		lab_json_u64(st.unstamped), "foreign", lab_json_u64(st.foreign), "latency_ns",
		lab_json_hist(lab_sink_latency(s)));
}

static void
sink_stats(const struct fwd_stream *fs, json_t *out)
{
	json_object_set_new(out, "sink", sink_json(fs->priv));
}

static struct fwd_engine sink_engine = {
	.name = "sink",
	.help = "receive, and count loss, reordering, duplicates and latency from the stamps",
	.begin = sink_begin,
	.burst = sink_burst,
	.end = sink_end,
	.stats = sink_stats,
};
FWD_ENGINE(sink_engine);
