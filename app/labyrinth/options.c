/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "options.h"

enum opt_type { OPT_FLAG, OPT_U16, OPT_U32, OPT_TEXT, OPT_OTHER };

/* One option: where it goes, what it may be, what it says in --help. */
struct opt {
	const char *name;
	char letter;
	enum opt_type type;
	size_t offset;
	unsigned long long min, max;
	const char *arg;
	const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct opt opts[] = {
	{"help", 'h', OPT_OTHER, 0, 0, 0, NULL, "show this and leave"},
	{"version", 0, OPT_OTHER, 0, 0, 0, NULL, "show the version and leave"},
	{"interactive", 'i', OPT_FLAG, AT(interactive), 0, 0, NULL,
		"command line, after a command file too"},
	{"auto-start", 'a', OPT_FLAG, AT(auto_start), 0, 0, NULL, "start forwarding at once"},
	{"tx-first", 0, OPT_OTHER, 0, 0, 0, NULL, "send a burst before forwarding starts"},
	{"cmdline-file", 0, OPT_TEXT, AT(cmdline_file), 0, 0, "FILE",
		"run the commands of FILE; stops at the first error, exit code 1"},
	{"stats-period", 0, OPT_U32, AT(stats_period_s), 0, 86400, "S",
		"print the port statistics every S seconds"},
	{"nb-cores", 0, OPT_U32, AT(nb_cores), 1, RTE_MAX_LCORE, "N", "forwarding cores"},
	{"nb-ports", 0, OPT_U32, AT(nb_ports), 1, RTE_MAX_ETHPORTS, "N", "forwarding ports"},
	{"portmask", 0, OPT_OTHER, 0, 0, 0, "MASK", "hexadecimal mask of forwarding ports"},
	{"forward-mode", 0, OPT_TEXT, AT(forward_mode), 0, 0, "MODE", "see 'help control'"},
	{"rxq", 0, OPT_U16, AT(rxq), 1, RTE_MAX_QUEUES_PER_PORT, "N", "Rx queues a port"},
	{"txq", 0, OPT_U16, AT(txq), 1, RTE_MAX_QUEUES_PER_PORT, "N", "Tx queues a port"},
	{"rxd", 0, OPT_U16, AT(rxd), 1, UINT16_MAX, "N", "descriptors of an Rx ring"},
	{"txd", 0, OPT_U16, AT(txd), 1, UINT16_MAX, "N", "descriptors of a Tx ring"},
	{"burst", 0, OPT_U16, AT(burst), 1, APP_MAX_BURST, "N", "packets a burst"},
	{"txpkts", 0, OPT_OTHER, 0, 0, 0, "X[,Y]*", "segment lengths of generated packets"},
	{"eth-peer", 0, OPT_OTHER, 0, 0, 0, "X,MAC", "destination of what goes out of port X"},
	{"mbuf-size", 0, OPT_U32, AT(mbuf_size), RTE_PKTMBUF_HEADROOM + 64, UINT16_MAX, "BYTES",
		"data room of an mbuf, headroom included"},
	{"total-num-mbufs", 0, OPT_U32, AT(total_mbufs), 512, 1U << 24, "N", "mbufs of the pool"},
	{"mbcache", 0, OPT_U32, AT(mbcache), 0, RTE_MEMPOOL_CACHE_MAX_SIZE, "N",
		"mbufs in an lcore's cache of the pool"},
	{"mbuf-pool-ops", 0, OPT_TEXT, AT(pool_ops), 0, 0, "NAME", "mempool driver of the pool"},
	{"max-pkt-len", 0, OPT_U32, AT(max_pkt_len), RTE_ETHER_MIN_LEN, UINT16_MAX, "BYTES",
		"longest frame; sets the MTU"},
	{"seed", 0, OPT_OTHER, 0, 0, 0, "N", "seed of all that is random"},
	{"wire", 0, OPT_OTHER, 0, 0, 0, "SPEC",
		"make a wire port: NAME,arrival=...; see 'help ports'; repeatable"},
	{"record-core-cycles", 0, OPT_FLAG, AT(core_cycles), 0, 0, NULL, "measure cycles a packet"},
	{"record-burst-stats", 0, OPT_FLAG, AT(burst_stats), 0, 0, NULL, "count burst sizes"},
};

#define NR_OPTS RTE_DIM(opts)

void
options_default(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->forward_mode = "io";
	o->rxq = 1;
	o->txq = 1;
	o->burst = 32;
	o->mbuf_size = RTE_MBUF_DEFAULT_BUF_SIZE;
	o->total_mbufs = 16384;
	o->mbcache = 250;
	o->seed = 1;
	o->tx_segs[0] = 64;
	o->nb_tx_segs = 1;
	for (unsigned int i = 0; i < RTE_MAX_ETHPORTS; i++)
		o->eth_peer[i] = (struct rte_ether_addr){{0x02, 0, 0, 0, 0, i}};
}

void
options_usage(const char *program)
{
	printf("Usage: %s [EAL options] -- [options]\n\n"
	       "Forwards packets between ports, ages the pool that they are received into, and "
	       "says\n"
	       "where every packet went.\n\nOptions, after the \"--\":\n",
		program);
	for (unsigned int i = 0; i < NR_OPTS; i++) {
		char left[48];

		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", opts[i].letter ? '-' : ' ',
			opts[i].letter ? opts[i].letter : ' ', opts[i].letter ? ", " : "  ",
			opts[i].name, opts[i].arg ? "=" : "", opts[i].arg ? opts[i].arg : "");
		printf("  %-30s %s\n", left, opts[i].help);
	}
	printf("\nWithout -i and with a command file the program runs it and leaves.\n"
	       "EAL options: %s -h\n",
		program);
}

static int
bad(const struct opt *opt, const char *text, const char *wanted)
{
	fprintf(stderr, "--%s: '%s' is not %s\n", opt->name, text, wanted);
	return -EINVAL;
}

static int
number(const struct opt *opt, const char *text, int base, unsigned long long min,
	unsigned long long max, unsigned long long *out)
{
	char wanted[64], *end;

	errno = 0;
	*out = strtoull(text, &end, base);
	if (errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out >= min &&
		*out <= max)
		return 0;
	snprintf(wanted, sizeof(wanted), "a number from %llu to %llu", min, max);
	return bad(opt, text, wanted);
}

int
options_txpkts(struct options *o, const char *text)
{
	uint16_t segs[APP_MAX_TX_SEGS];
	unsigned int n = 0;
	char *end;

	for (const char *s = text;; s = end + 1) {
		unsigned long v = strtoul(s, &end, 10);

		if (end == s || v == 0 || v > UINT16_MAX || n == APP_MAX_TX_SEGS ||
			(*end != ',' && *end != '\0'))
			return -EINVAL;
		segs[n++] = v;
		if (*end == '\0')
			break;
	}
	/* the first segment holds the headers */
	if (segs[0] < 42)
		return -EINVAL;
	memcpy(o->tx_segs, segs, n * sizeof(*segs));
	o->nb_tx_segs = n;
	return 0;
}

static int
eth_peer(struct options *o, const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);
	struct rte_ether_addr mac;

	if (end == text || *end != ',' || port >= RTE_MAX_ETHPORTS ||
		rte_ether_unformat_addr(end + 1, &mac))
		return -EINVAL;
	o->eth_peer[port] = mac;
	return 0;
}

static int
parse_other(struct options *o, const struct opt *opt, const char *text)
{
	unsigned long long v;
	int rc = 0;

	if (!strcmp(opt->name, "help")) {
		options_usage("labyrinth");
		rc = -ECANCELED;
	} else if (!strcmp(opt->name, "version")) {
		printf("labyrinth %s\n", LAB_VERSION);
		rc = -ECANCELED;
	} else if (!strcmp(opt->name, "tx-first")) {
		o->tx_first = 1;
	} else if (!strcmp(opt->name, "portmask")) {
		rc = number(opt, text, 16, 1, UINT64_MAX, &v);
		o->portmask = rc ? 0 : v;
	} else if (!strcmp(opt->name, "seed")) {
		rc = number(opt, text, 0, 0, UINT64_MAX, &v);
		o->seed = v;
	} else if (!strcmp(opt->name, "txpkts")) {
		if (options_txpkts(o, text))
			rc = bad(opt, text, "lengths such as 64 or 64,128, the first at least 42");
	} else if (!strcmp(opt->name, "eth-peer")) {
		if (eth_peer(o, text))
			rc = bad(
				opt, text, "a port and a MAC address, such as 0,02:00:00:00:00:01");
	} else if (o->nb_wires == APP_MAX_WIRES) {
		rc = bad(opt, text, "possible: there are 16 already");
	} else {
		o->wires[o->nb_wires++] = text;
	}
	return rc;
}

static int
parse_one(struct options *o, const struct opt *opt, const char *text)
{
	void *at = (char *)o + opt->offset;
	unsigned long long v;
	int rc;

	switch (opt->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_TEXT:
		*(const char **)at = text;
		return 0;
	case OPT_U16:
		rc = number(opt, text, 0, opt->min, opt->max, &v);
		if (rc == 0)
			*(uint16_t *)at = v;
		return rc;
	case OPT_U32:
		rc = number(opt, text, 0, opt->min, opt->max, &v);
		if (rc == 0)
			*(uint32_t *)at = v;
		return rc;
	default:
		return parse_other(o, opt, text);
	}
}

int
options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[NR_OPTS + 1] = {0};
	int c, i, rc;

	for (i = 0; i < (int)NR_OPTS; i++)
		longs[i] = (struct option){.name = opts[i].name,
			.has_arg = opts[i].arg ? required_argument : no_argument,
			.val = opts[i].letter ? opts[i].letter : 256 + i};
	optind = 1;
	while ((c = getopt_long(argc, argv, "hia", longs, NULL)) != -1) {
		for (i = 0; i < (int)NR_OPTS; i++) {
			if (c == longs[i].val)
				break;
		}
		rc = i == (int)NR_OPTS ? -EINVAL : parse_one(o, &opts[i], optarg);
		if (rc == -ECANCELED)
			return rc;
		if (rc) {
			fprintf(stderr, "see '%s -- --help'\n", argv[0]);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "'%s' is no option; see '%s -- --help'\n", argv[optind], argv[0]);
		return -EINVAL;
	}
	return 0;
}

bool
options_eal_has(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return false;
}
