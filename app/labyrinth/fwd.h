/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_FWD_H
#define APP_FWD_H

/**
 * @file fwd.h
 * Forwarding: an engine does a burst of a stream; streams are spread over the forwarding lcores.
 * A stream's counters have one writer, the lcore that runs it.
 */

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <lab_traffic.h>

#include "options.h"

struct app;
struct fwd_engine;

/** What became of packets; all but `made*` and the last two speak of received ones. */
struct fwd_counts {
	uint64_t rx;           /**< taken from the port */
	uint64_t tx;           /**< handed to the Tx port */
	uint64_t consumed;     /**< read and freed, as a receiver does */
	uint64_t tx_full;      /**< dropped, because the Tx ring was full */
	uint64_t made;         /**< made by the engine itself */
	uint64_t made_sent;    /**< of those: handed to the Tx port */
	uint64_t made_tx_full; /**< of those: dropped, because the Tx ring was full */
	uint64_t nombuf;       /**< times that the engine wanted an mbuf and got none */
	uint64_t cycles;       /**< in rounds that had packets */
};

/** Packets from one Rx queue to one Tx queue. */
struct fwd_stream {
	struct app *app;
	void *priv; /**< of the engine */
	uint16_t rx_port, rx_queue, tx_port, tx_queue;
	uint16_t burst;
	bool count_bursts, count_cycles;
	struct rte_ether_addr peer;
	struct fwd_counts base; /**< at the last start or clear */

	/* written by the stream's lcore alone */
	alignas(RTE_CACHE_LINE_SIZE) struct fwd_counts n;
	uint64_t held; /**< received and kept by the engine now */
	uint64_t rx_bursts[APP_MAX_BURST + 1];
	uint64_t tx_bursts[APP_MAX_BURST + 1];
};

struct fwd_engine {
	const char *name;
	const char *help;
	bool makes; /**< packets of its own: their owner is the Tx queue, not the Rx queue */
	/** Make the stream's own state. @return 0 or a negative errno, message set. May be NULL. */
	int (*begin)(struct fwd_stream *fs);
	/** One round. @return packets taken, sent or made: 0 is an idle poll. */
	unsigned int (*burst)(struct fwd_stream *fs);
	/** When it has something to do though nothing arrives; UINT64_MAX: never. May be NULL. */
	uint64_t (*next_ns)(const struct fwd_stream *fs);
	/** Last round at stop: send or free what is held. May be NULL. */
	void (*flush)(struct fwd_stream *fs);
	void (*end)(struct fwd_stream *fs); /**< undo begin; may be NULL */
	/** More figures for `show fwd stats`, as JSON members; may be NULL. */
	void (*stats)(const struct fwd_stream *fs, json_t *out);
	struct fwd_engine *next;
};

void fwd_engine_register(struct fwd_engine *e);
const struct fwd_engine *fwd_engine_find(const char *name);
const struct fwd_engine *fwd_engines(void);

#define FWD_ENGINE(engine)                                                                         \
	RTE_INIT(engine_register_##engine)                                                         \
	{                                                                                          \
		fwd_engine_register(&engine);                                                      \
	}                                                                                          \
	struct fwd_engine_semicolon_##engine

/** What an lcore does. */
enum fwd_role { FWD_IDLE, FWD_STREAMS, FWD_WIRES };

struct fwd_lcore {
	struct app *app;
	unsigned int lcore;
	enum fwd_role role;
	unsigned int first, nr;                       /**< its streams */
	alignas(RTE_CACHE_LINE_SIZE) uint32_t parked; /**< answers fwd.park */
};

struct fwd {
	/* settings; lists are used in their order */
	const struct fwd_engine *engine;
	unsigned int cores[RTE_MAX_LCORE], nr_cores; /**< set corelist; 0: all workers */
	uint16_t ports[RTE_MAX_ETHPORTS];            /**< set portlist */
	unsigned int nr_ports;                       /**< 0: all */
	unsigned int use_cores, use_ports;           /**< set nbcore, nbport; 0: all of the list */
	unsigned int verbose;
	uint32_t noisy_size;           /**< packets that noisy's FIFO holds */
	uint64_t noisy_ns;             /**< how long it holds each */
	struct lab_arrival_config gen; /**< what gen sends */
	uint8_t run;                   /**< of the stamps; tells one start from the next */

	/* the configuration made of them by fwd_setup() */
	struct fwd_stream *streams;
	const struct fwd_engine *streams_engine; /**< the one they were made for */
	unsigned int nr_streams;
	struct fwd_lcore lcores[RTE_MAX_LCORE];
	unsigned int nr_lcores; /**< in use, wires' included */
	uint16_t used_ports[RTE_MAX_ETHPORTS];
	unsigned int nr_used_ports;

	bool dirty; /**< settings changed since fwd_setup() */
	struct fwd_counts closed_rx[RTE_MAX_ETHPORTS], closed_made[RTE_MAX_ETHPORTS];
	bool running;
	bool threads;  /**< lcores were launched: real time */
	uint32_t stop; /**< asks the lcores to end */
	uint32_t park; /**< asks them to stand still for a reader */
};

/** Make streams of the settings. @return 0 or a negative errno, message set. */
int fwd_setup(struct app *app);
/** Free the streams; their counters are gone. */
void fwd_free(struct app *app);

int fwd_start(struct app *app, unsigned int tx_first);
int fwd_stop(struct app *app);

/** Make every lcore stand still between two bursts, so that all counters belong to one moment. */
void fwd_park(struct app *app);
void fwd_unpark(struct app *app);

/** The default settings. */
void fwd_init(struct app *app);

/** A change that needs new streams at the next start. */
void fwd_changed(struct app *app);

/** What the streams that receive from this port have counted, closed ones included. */
void fwd_port_counts(const struct app *app, uint16_t port, struct fwd_counts *rx, uint64_t *held);
/** What streams made and sent to this port. */
void fwd_port_made(const struct app *app, uint16_t port, struct fwd_counts *made);
void fwd_counts_add(struct fwd_counts *sum, const struct fwd_counts *c);
void fwd_counts_sub(struct fwd_counts *from, const struct fwd_counts *c);

/** One round of all streams on the calling thread, as virtual time wants it. @return packets. */
unsigned int fwd_round(struct app *app);

void fwd_clear_stats(struct app *app);

/** "io packet forwarding - ports=2 ..." and its streams. */
/** Forwarding cores, of which one for the wires is none. */
unsigned int fwd_nr_cores(const struct app *app);
void fwd_print_config(struct app *app);
void fwd_print_stats(struct app *app);
json_t *fwd_stats_json(struct app *app);
void fwd_show_print(struct app *app, const json_t *shown);

/** What a sink tells. */
struct lab_sink;
json_t *sink_json(const struct lab_sink *s);

/* ---- what engines share ---- */

static inline uint16_t
fwd_rx(struct fwd_stream *fs, struct rte_mbuf **pkts)
{
	uint16_t n = rte_eth_rx_burst(fs->rx_port, fs->rx_queue, pkts, fs->burst);

	if (fs->count_bursts)
		fs->rx_bursts[n]++;
	fs->n.rx += n;
	return n;
}

/** Send what was received; what the ring does not take is dropped and counted. */
void fwd_tx(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n);

/** Send what was made here; dropped and counted likewise. @return how many were sent. */
uint16_t fwd_tx_made(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n);

/** Received packets read and freed. */
void fwd_consume(struct fwd_stream *fs, struct rte_mbuf **pkts, uint16_t n);

#endif /* APP_FWD_H */
