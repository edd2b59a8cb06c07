/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include "app.h"

static unsigned int
io_burst(struct fwd_stream *fs)
{
	struct rte_mbuf *pkts[APP_MAX_BURST];
	uint16_t n = fwd_rx(fs, pkts);

	fwd_tx(fs, pkts, n);
	return n;
}

static struct fwd_engine io_engine = {
	.name = "io",
	.help = "forward packets as they are",
	.burst = io_burst,
};
FWD_ENGINE(io_engine);
