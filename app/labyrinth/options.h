/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

/** @file options.h What the command line after "--" says, with testpmd's names. */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ethdev.h>

#define APP_MAX_WIRES   16
#define APP_MAX_BURST   512
#define APP_MAX_TX_SEGS 255

struct options {
	bool interactive, auto_start;
	unsigned int tx_first; /**< bursts; 0: none */
	const char *cmdline_file;
	unsigned int stats_period_s; /**< 0: none */
	unsigned int nb_cores;       /**< 0: one */
	unsigned int nb_ports;       /**< 0: all */
	uint64_t portmask;           /**< 0: all */
	const char *forward_mode;
	uint16_t rxq, txq, rxd, txd; /**< descriptors 0: the PMD's own choice */
	uint16_t burst;
	uint32_t mbuf_size; /**< data room, headroom included */
	unsigned int total_mbufs;
	unsigned int mbcache;
	const char *pool_ops; /**< NULL: EAL's, else labyrinth_buddy */
	uint32_t max_pkt_len; /**< bytes of a frame; 0: the PMD's MTU is kept */
	uint64_t seed;
	bool core_cycles, burst_stats;
	uint16_t tx_segs[APP_MAX_TX_SEGS];
	unsigned int nb_tx_segs;
	struct rte_ether_addr eth_peer[RTE_MAX_ETHPORTS];
	const char *wires[APP_MAX_WIRES];
	unsigned int nb_wires;
};

void options_default(struct options *o);

/** Read the arguments. Problems are printed to stderr. @return 0, -EINVAL, or -ECANCELED when
 *  all that was wanted is shown (--help). */
int options_parse(struct options *o, int argc, char **argv);

void options_usage(const char *program);

/** Read "64,128": segment lengths of generated packets. @return 0 or -EINVAL, *o untouched. */
int options_txpkts(struct options *o, const char *text);

/** True if an argument before "--" is `name`. */
bool options_eal_has(int argc, char **argv, const char *name);

#endif /* APP_OPTIONS_H */
