/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_WIRE_SPEC_H
#define APP_WIRE_SPEC_H

/** @file wire_spec.h The text form of a wire port. */

#include <stdbool.h>
#include <stdint.h>

#include <lab_traffic.h>

struct app;

struct wire_spec {
	char name[24];
	char pool[24];     /**< "": the first */
	uint16_t rxd, txd; /**< 0: the wire's default */
	uint16_t thresh;   /**< 0: the wire's default */
	uint64_t tx_rate;  /**< bits a second; 0: no limit */
	uint32_t flow_base;
	bool scatter, sink, contents;
	struct lab_arrival_config arrival;
};

/** @return 0, -EINVAL with the CLI's message set. */
int wire_spec_parse(struct app *app, const char *text, struct wire_spec *spec);

/** Read a rate such as 10G, 2.5e9 or 100M. @return 0 or -EINVAL. */
int parse_rate(const char *text, double *rate);

#endif /* APP_WIRE_SPEC_H */
