/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Settings of forwarding. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

static int
while_stopped(struct app *app)
{
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	fwd_changed(app);
	return 0;
}

static int
set_fwd(struct app *app, const struct cmd_args *a)
{
	const char *name = cmd_arg(a, "mode");
	const struct fwd_engine *e = fwd_engine_find(name);
	char list[256] = "";
	int rc = while_stopped(app);

	if (rc)
		return rc;
	if (e == NULL) {
		for (e = fwd_engines(); e; e = e->next)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), " %s", e->name);
		return cmd_fail(app, -EINVAL, "no forward mode '%s'; there are:%s", name, list);
	}
	app->fwd.engine = e;
	printf("Set %s packet forwarding mode\n", name);
	return 0;
}

static int
set_burst(struct app *app, const struct cmd_args *a)
{
	unsigned long long v;
	int rc = cmd_number(app, "burst", cmd_arg(a, "n"), 1, APP_MAX_BURST, &v);

	if (rc == 0)
		rc = while_stopped(app);
	if (rc)
		return rc;
	app->opt.burst = v;
	printf("Number of packets per burst set to %u\n", app->opt.burst);
	return 0;
}

static int
set_txpkts(struct app *app, const struct cmd_args *a)
{
	int rc = while_stopped(app);

	if (rc)
		return rc;
	if (options_txpkts(&app->opt, cmd_arg(a, "lengths")))
		return cmd_fail(app, -EINVAL,
			"txpkts: '%s' is no list of lengths such as 64 or 64,128, the first at "
			"least "
			"42",
			cmd_arg(a, "lengths"));
	return 0;
}

static int
set_nb(struct app *app, const struct cmd_args *a)
{
	bool cores = !strcmp(cmd_word(a, 1), "nbcore");
	unsigned long long v, max = cores ? rte_lcore_count() - 1 : ports_count(app);
	int rc = cmd_number(app, cmd_word(a, 1), cmd_arg(a, "n"), 1, RTE_MAX(max, 1ull), &v);

	if (rc == 0)
		rc = while_stopped(app);
	if (rc)
		return rc;
	*(cores ? &app->fwd.use_cores : &app->fwd.use_ports) = v;
	printf("Number of forwarding %s set to %llu\n", cores ? "cores" : "ports", v);
	return 0;
}

/* Read "1,2,5-7". @return how many, or a negative errno with the message set. */
static int
read_list(struct app *app, const char *text, unsigned int *list, unsigned int max)
{
	unsigned int n = 0;
	char *end;

	for (const char *s = text;; s = end + 1) {
		unsigned long from = strtoul(s, &end, 10), to = from;

		if (end != s && *end == '-') {
			s = end + 1;
			to = strtoul(s, &end, 10);
		}
		if (end == s || (*end != ',' && *end != '\0') || to < from || to - from >= max - n)
			return cmd_fail(app, -EINVAL, "'%s' is no list such as 1,2,5-7", text);
		while (from <= to)
			list[n++] = from++;
		if (*end == '\0')
			return n;
		if (n == max)
			return cmd_fail(app, -EINVAL, "'%s' is too long", text);
	}
}

static bool
has_double(const unsigned int *list, int n)
{
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < i; j++) {
			if (list[i] == list[j])
				return true;
		}
	}
	return false;
}

static int
set_corelist(struct app *app, const struct cmd_args *a)
{
	unsigned int list[RTE_MAX_LCORE];
	int n = read_list(app, cmd_arg(a, "list"), list, RTE_MAX_LCORE);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		if (list[i] >= RTE_MAX_LCORE || !rte_lcore_is_enabled(list[i]) ||
			list[i] == rte_get_main_lcore())
			return cmd_fail(app, -EINVAL,
				"lcore %u is %s; EAL's -l or --lcores gives worker lcores", list[i],
				list[i] == rte_get_main_lcore() ? "the main one" : "not there");
	}
	if (has_double(list, n))
		return cmd_fail(app, -EINVAL, "an lcore is named twice");
	n = while_stopped(app) ? -EBUSY : n;
	if (n < 0)
		return n;
	memcpy(app->fwd.cores, list, n * sizeof(*list));
	app->fwd.nr_cores = n;
	app->fwd.use_cores = n;
	return 0;
}

static int
set_portlist(struct app *app, const struct cmd_args *a)
{
	unsigned int list[RTE_MAX_ETHPORTS];
	int n = read_list(app, cmd_arg(a, "list"), list, RTE_MAX_ETHPORTS);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		if (list[i] >= RTE_MAX_ETHPORTS || !app->ports.p[list[i]].known)
			return cmd_fail(app, -ENODEV, "there is no port %u", list[i]);
	}
	if (has_double(list, n))
		return cmd_fail(app, -EINVAL, "a port is named twice");
	n = while_stopped(app) ? -EBUSY : n;
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		app->fwd.ports[i] = list[i];
	app->fwd.nr_ports = n;
	app->fwd.use_ports = n;
	return 0;
}

static int
set_eth_peer(struct app *app, const struct cmd_args *a)
{
	struct rte_ether_addr mac;
	uint16_t id;
	int rc = port_parse(app, cmd_arg(a, "port"), false, &id);

	if (rc)
		return rc;
	if (rte_ether_unformat_addr(cmd_arg(a, "mac"), &mac))
		return cmd_fail(app, -EINVAL, "'%s' is no address such as 02:00:00:00:00:01",
			cmd_arg(a, "mac"));
	rc = while_stopped(app);
	if (rc == 0)
		app->opt.eth_peer[id] = mac;
	return rc;
}

static int
set_verbose(struct app *app, const struct cmd_args *a)
{
	unsigned long long v;
	int rc = cmd_number(app, "verbose", cmd_arg(a, "level"), 0, 1, &v);

	if (rc)
		return rc;
	app->fwd.verbose = v;
	printf("Change verbose level to %llu\n", v);
	return 0;
}

static int
set_promisc(struct app *app, const struct cmd_args *a)
{
	uint16_t id;
	bool on;
	int rc = port_parse(app, cmd_arg(a, "port"), true, &id);

	if (rc == 0)
		rc = cmd_on_off(app, cmd_word(a, 3), &on);
	PORT_FOREACH (app, p) {
		if (rc || (id < RTE_MAX_ETHPORTS && p != id))
			continue;
		app->ports.p[p].promisc = on;
		rc = on ? rte_eth_promiscuous_enable(p) : rte_eth_promiscuous_disable(p);
		if (rc)
			return cmd_fail(app, rc, "port %u: %s", p, strerror(-rc));
	}
	return rc;
}

static int
set_record(struct app *app, const struct cmd_args *a)
{
	bool *what = !strcmp(cmd_word(a, 1), "record-core-cycles") ? &app->opt.core_cycles
								   : &app->opt.burst_stats;

	return cmd_on_off(app, cmd_word(a, 2), what);
}

static int
set_noisy(struct app *app, const struct cmd_args *a)
{
	bool buffer = !strcmp(cmd_word(a, 2), "buffer");
	unsigned long long n;
	uint64_t ns;
	int rc = buffer ? cmd_number(app, "buffer", cmd_arg(a, "value"), 1, 1 << 20, &n)
			: cmd_duration(app, cmd_arg(a, "value"), &ns);

	if (rc == 0)
		rc = while_stopped(app);
	if (rc)
		return rc;
	if (buffer)
		app->fwd.noisy_size = n;
	else
		app->fwd.noisy_ns = ns;
	return 0;
}

static int
set_gen(struct app *app, const struct cmd_args *a)
{
	struct lab_arrival_config cfg;
	char err[256];
	int rc;

	if (lab_arrival_parse(cmd_arg(a, "arrival"), &cfg, err, sizeof(err)))
		return cmd_fail(app, -EINVAL, "gen: %s", err);
	rc = while_stopped(app);
	if (rc == 0)
		app->fwd.gen = cfg;
	return rc;
}

static const struct cmd cmds[] = {
	{"set fwd <mode>", set_fwd, NULL, NULL,
		"Forward mode: flowgen, gen, io, mac, macswap, noisy, rxonly, sink, txonly."},
	{"set burst <n>", set_burst, NULL, NULL, "Packets per burst."},
	{"set txpkts <lengths>", set_txpkts, NULL, NULL,
		"Length of each segment of generated packets: 64 or 64,128."},
	{"set nbcore|nbport <n>", set_nb, NULL, NULL, "Number of forwarding cores or ports."},
	{"set corelist <list>", set_corelist, NULL, NULL, "Forwarding cores: 1,2,5-7."},
	{"set portlist <list>", set_portlist, NULL, NULL, "Forwarding ports, in pairs: 0,1."},
	{"set eth-peer <port> <mac>", set_eth_peer, NULL, NULL,
		"Destination of what is sent on a port, for mac and generated packets."},
	{"set verbose <level>", set_verbose, NULL, NULL, "1: rxonly prints a line a packet."},
	{"set promisc <port|all> on|off", set_promisc, NULL, NULL, "Promiscuous mode."},
	{"set record-core-cycles|record-burst-stats on|off", set_record, NULL, NULL,
		"Cycles a packet and sizes of bursts in the statistics; from the next start."},
	{"set noisy buffer|hold <value>", set_noisy, NULL, NULL,
		"noisy: packets that are held at most, and for how long each (2ms)."},
	{"set gen <arrival>", set_gen, NULL, NULL,
		"gen: KIND:KEY=VALUE,... such as poisson:rate=1M,size=imix,flows=64."},
};

CLI_SECTION(config, "Configuration of forwarding", cmds);
