/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_LEDGER_H
#define APP_LEDGER_H

/**
 * @file ledger.h
 * Where every packet went, and which allocations were refused.
 *
 * A received packet is counted at the port that it was offered to:
 *   offered = delivered + drops by cause + in flight.
 * Delivered: read by a receiver, or taken by the port that it was forwarded to. In flight: waiting
 * in the Rx ring, or held by the forwarding engine. On a wire every figure is known and the sum is
 * exact. An ordinary port's offered load is what its PMD counts (received, missed, errors) or, where
 * stamps tell of more, what the sender is known to have sent; the rest stays `unexplained`. On
 * net_af_packet it is what the kernel counts on the driver's sockets: full rings are rx_missed, and
 * what still lies in a ring is in flight. A ring
 * such as memif's loses nothing by itself: it stands full and the sender cannot send. Only the
 * sender knows how much that was; `ledger offered` tells us, and the difference is `backpressure`.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_ethdev.h>

#include <lab_page.h>
#include <lab_report.h>
#include <lab_stats.h>

struct app;

/** Refused allocations: the gates, and refusals without a known cause. */
#define LEDGER_NR_FAILURES LAB_NR_CAUSES
#define LEDGER_NOMBUF      (LAB_NR_CAUSES - 1)

struct ledger_base {
	struct lab_ledger_port port[RTE_MAX_ETHPORTS];
	uint64_t failures[LEDGER_NR_FAILURES];
};

/** Everything counted on a port since it is there. */
void ledger_port_raw(struct app *app, uint16_t id, struct lab_ledger_port *out);

/** Since the last clear. The caller parks the lcores if they run. */
void ledger_get(struct app *app, struct lab_ledger *out);
void ledger_clear(struct app *app);
/** The sender to a port says that it offered so many packets, sent or not, since the clear. */
void ledger_told(struct app *app, uint16_t id, uint64_t offered);
/** A port is new: nothing of it has been counted. */
void ledger_forget_port(struct app *app, uint16_t id);

/** {failures}: refused allocations by cause, since the beginning. */
void ledger_failures_raw(struct app *app, uint64_t n[LEDGER_NR_FAILURES]);
/** Since the last clear, with their names. */
void ledger_failures(struct app *app, struct lab_report_count out[LEDGER_NR_FAILURES]);

/** True for a drop that stands for a refused allocation. */
bool ledger_is_memory(const char *cause);

/** {offered, delivered, ..., closes, ports, failures} */
json_t *ledger_json(struct app *app);
void ledger_print_json(struct app *app, const json_t *shown);

/** Print it. @return 0, or -EUCLEAN with the message set if a wire's does not close. */
int ledger_print(struct app *app);

/** Does every wire port close? @return 0 or -EUCLEAN, message set. */
int ledger_check_wires(struct app *app, const struct lab_ledger *ledger);

#endif /* APP_LEDGER_H */
