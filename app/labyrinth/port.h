/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_PORT_H
#define APP_PORT_H

/** @file port.h Ports: configured, started, stopped, attached and closed as in testpmd. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <rte_ethdev.h>
#include <rte_ether.h>

#include "kernel_ring.h"

struct app;
struct wire_port;

/** The counters that all PMDs have. imissed also holds what the kernel dropped at a full ring of
 *  net_af_packet, of which its PMD knows nothing. */
struct port_counts {
	uint64_t ipackets, opackets, ibytes, obytes, imissed, ierrors, oerrors, rx_nombuf;
};

struct port {
	bool known; /**< the application looks after it */
	bool started;
	struct rte_ether_addr mac;
	struct rte_mempool *mp;
	char pool[24];           /**< name of its pool; "": the first */
	struct wire_port *wire;  /**< NULL: an ordinary port */
	uint16_t nb_rxq, nb_txq; /**< as configured last */
	uint16_t nb_rxd, nb_txd; /**< as the PMD adjusted them */
	uint32_t mtu;
	bool promisc;
	bool told;             /**< the sender has said what it offered */
	uint64_t told_offered; /**< packets since the ledger was cleared */

	/* counters; under ports.lock */
	struct port_counts raw;      /**< the PMD's, when they were read last */
	struct port_counts restarts; /**< what it had counted before it began anew from 0 */
	bool restarted;
	struct kernel_ring ring;     /**< of a net_af_packet port */
	struct port_counts base;     /**< at the last clear */
	struct port_counts fwd_base; /**< at the last start */
	struct {
		uint64_t t_ns;
		struct port_counts n;
	} shown; /**< by the last `show port stats`, for the rates */
};

struct ports {
	pthread_mutex_t lock;
	struct port p[RTE_MAX_ETHPORTS];
};

#define PORT_FOREACH(app, id)                                                                      \
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++)                                         \
		if ((app)->ports.p[id].known)

/** Look after every port that EAL has probed. @return 0 or a negative errno, message set. */
int ports_probe(struct app *app);

/** Look after one more port. */
int port_add(struct app *app, uint16_t id);

/** Configure and start; RTE_MAX_ETHPORTS: all. @return 0 or a negative errno, message set. */
int port_start(struct app *app, uint16_t id);
int port_stop(struct app *app, uint16_t id);
int port_close(struct app *app, uint16_t id);
int port_reset(struct app *app, uint16_t id);

/** Attach a device by its EAL identifier, or "wire:SPEC". */
int port_attach(struct app *app, const char *identifier);
int port_detach(struct app *app, uint16_t id);

bool ports_any_started(const struct app *app);
bool ports_all_started(const struct app *app);
unsigned int ports_count(const struct app *app);

/** Everything that the port has counted, also if its PMD began anew in between. Zero on failure.
 *  Any thread. @return 0 or -errno. */
int port_counts(struct app *app, uint16_t id, struct port_counts *out);

/** The same since the last `clear port stats`. */
int port_stats(struct app *app, uint16_t id, struct port_counts *out);
void port_stats_clear(struct app *app, uint16_t id);
void port_counts_sub(struct port_counts *from, const struct port_counts *c);

int port_socket(uint16_t id);

/** Read "3" or "all" (RTE_MAX_ETHPORTS). @return 0, or -ENODEV with the message set. */
int port_parse(struct app *app, const char *text, bool all, uint16_t *id);

json_t *port_info_json(struct app *app, uint16_t id);
json_t *port_rxtx_json(struct app *app, uint16_t id);
json_t *port_stats_json(struct app *app, uint16_t id);
json_t *port_xstats_json(struct app *app, uint16_t id);
json_t *port_summary_json(struct app *app, uint16_t id);
void port_print_info(const json_t *ports);
void port_print_rxtx(const json_t *port);
void port_print_stats(const json_t *ports);
void port_print_xstats(const json_t *ports);
void port_print_summary(const json_t *ports);

/** The NIC statistics block of every port, as testpmd prints it. */
void ports_print_stats(struct app *app);

/** Wait a moment for the links. */
void ports_check_links(struct app *app);

#endif /* APP_PORT_H */
