/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_WIRE_H
#define APP_WIRE_H

/** @file wire.h Wire ports: software NICs whose every loss is accounted for (lab_traffic.h). */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <lab_traffic.h>

#include "port.h"

struct app;
struct wire_port;

/**
 * Make a wire port from "NAME,rxd=512,txd=512,pool=P,thresh=32,tx_rate=10G,scatter=on,sink=on,
 * flow_base=0,contents=on,arrival=KIND:..."; the arrival process comes last. It has as many queues
 * as the ports have Rx queues. The port is stopped. @return 0 or a negative errno, message set.
 */
int wire_attach(struct app *app, const char *spec);

/** The port was started: in virtual time its ring is posted now. */
int wire_port_started(struct app *app, struct wire_port *wp);
void wire_port_stopped(struct app *app, struct wire_port *wp);
/** Release the port. */
void wire_port_close(struct app *app, struct wire_port *wp);

/** Forwarding begins or has ended. Virtual time stands still in between, so wires go on; in real
 *  time a wire has traffic only while somebody polls. */
int wires_resume(struct app *app);
void wires_pause(struct app *app);

/** Make every wire anew, so that the same traffic comes again. Forwarding is stopped. */
int wires_restart(struct app *app);

bool wires_any(const struct app *app);
void wires_step(struct app *app, uint64_t now_ns);
/** Does a ring stand bare because a refill was refused? */
bool wires_starved(const struct app *app);
uint64_t wires_next_event(const struct app *app);

struct lab_wire *wire_of(const struct wire_port *wp);
/** The sink behind its Tx, NULL if none. */
const struct lab_sink *wire_sink(const struct wire_port *wp);
const struct rte_mempool *wire_pool(const struct wire_port *wp);
json_t *wire_json(const struct wire_port *wp);

int wire_port_counts(const struct wire_port *wp, struct port_counts *out);
void wire_port_xstats(const struct wire_port *wp, json_t *xstats);

#endif /* APP_WIRE_H */
