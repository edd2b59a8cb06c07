/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Ports and pools. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <lab_mempool.h>

#include "app.h"
#include "wire.h"

static int
port_cmd(struct app *app, const struct cmd_args *a)
{
	static const struct {
		const char *name, *doing;
		int (*fn)(struct app *app, uint16_t id);
	} verbs[] = {
		{"start", "Starting ports...", port_start},
		{"stop", "Stopping ports...", port_stop},
		{"close", "Closing ports...", port_close},
		{"reset", "Resetting ports...", port_reset},
	};
	uint16_t id;
	int rc = port_parse(app, cmd_arg(a, "port"), true, &id);

	for (unsigned int i = 0; i < RTE_DIM(verbs) && rc == 0; i++) {
		if (strcmp(verbs[i].name, cmd_word(a, 1)))
			continue;
		printf("%s\n", verbs[i].doing);
		rc = verbs[i].fn(app, id);
		if (rc == 0 && i < 2)
			ports_check_links(app);
		if (rc == 0)
			printf("Done\n");
	}
	return rc;
}

static int
attach(struct app *app, const struct cmd_args *a)
{
	return port_attach(app, cmd_arg(a, "identifier"));
}

static int
detach(struct app *app, const struct cmd_args *a)
{
	uint16_t id;
	int rc = port_parse(app, cmd_arg(a, "port"), false, &id);

	if (rc == 0 && app->fwd.running)
		rc = cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	return rc ? rc : port_detach(app, id);
}

static int
config_all(struct app *app, const struct cmd_args *a)
{
	const char *what = cmd_word(a, 3);
	const struct {
		const char *name;
		uint16_t *at;
		unsigned long long min, max;
	} list[] = {
		{"rxq", &app->opt.rxq, 1, RTE_MAX_QUEUES_PER_PORT},
		{"txq", &app->opt.txq, 1, RTE_MAX_QUEUES_PER_PORT},
		{"rxd", &app->opt.rxd, 1, UINT16_MAX},
		{"txd", &app->opt.txd, 1, UINT16_MAX},
		{"burst", &app->opt.burst, 1, APP_MAX_BURST},
	};
	unsigned long long v;
	int rc;

	if (ports_any_started(app))
		return cmd_fail(app, -EBUSY, "Please stop all ports first (port stop all)");
	for (unsigned int i = 0; i < RTE_DIM(list); i++) {
		if (strcmp(list[i].name, what))
			continue;
		rc = cmd_number(app, what, cmd_arg(a, "n"), list[i].min, list[i].max, &v);
		if (rc)
			return rc;
		*list[i].at = v;
	}
	fwd_changed(app);
	return 0;
}

static int
create(struct app *app, const struct cmd_args *a)
{
	struct pool_config cfg;
	int rc = pool_config_parse(app, cmd_arg(a, "spec"), &cfg);

	return rc ? rc : pool_create(app, &cfg);
}

static int
use(struct app *app, const struct cmd_args *a)
{
	uint16_t id;
	int rc = port_parse(app, cmd_arg(a, "port"), false, &id);

	if (rc)
		return rc;
	if (app->ports.p[id].wire || app->ports.p[id].started)
		return cmd_fail(app, -EBUSY, "port %u is %s", id,
			app->ports.p[id].wire ? "a wire: name its pool when attaching it"
					      : "not stopped (port stop)");
	if (pool_get(app, cmd_arg(a, "pool")) == NULL)
		return -ENOENT;
	snprintf(app->ports.p[id].pool, sizeof(app->ports.p[id].pool), "%s", cmd_arg(a, "pool"));
	return 0;
}

static json_t *
show_pool(struct app *app, const struct cmd_args *a)
{
	json_t *list = json_array();

	RTE_SET_USED(a);
	for (unsigned int i = 0; i < app->pools.nr; i++) {
		const struct pool *p = &app->pools.list[i];

		json_array_append_new(
			list, json_pack("{ss ss sI sI si sI sI si}", "pool", p->cfg.name, "ops",
				      p->cfg.ops, "mbufs", (json_int_t)p->cfg.n, "mbuf_size",
				      (json_int_t)p->cfg.mbuf_size, "cache", (int)p->cfg.cache,
				      "available", (json_int_t)rte_mempool_avail_count(p->mp),
				      "in_use", (json_int_t)rte_mempool_in_use_count(p->mp),
				      "object_order", lab_mempool_order(p->mp)));
	}
	return json_pack("{so}", "pools", list);
}

static json_t *
show_wire(struct app *app, const struct cmd_args *a)
{
	json_t *list = json_array();

	RTE_SET_USED(a);
	fwd_park(app);
	PORT_FOREACH (app, id) {
		if (app->ports.p[id].wire)
			json_array_append_new(list, wire_json(app->ports.p[id].wire));
	}
	fwd_unpark(app);
	return json_pack("{so}", "wires", list);
}

static const struct cmd cmds[] = {
	{"port start|stop|close|reset <port|all>", port_cmd, NULL, NULL,
		"Start, stop, close or reset ports."},
	{"port attach <identifier>", attach, NULL, NULL,
		"Attach a device by EAL's identifier (net_null7), or wire:NAME,rxd=512,txd=512,"
		"pool=P,tx_rate=10G,scatter=on,sink=on,arrival=KIND:KEY=VALUE,..."},
	{"port detach <port>", detach, NULL, NULL, "Remove a device."},
	{"port config all rxq|txq|rxd|txd|burst <n>", config_all, NULL, NULL,
		"Set the queues, descriptors or burst of all ports, while they are stopped."},
	{"port pool <port> <pool>", use, NULL, NULL, "The pool that a stopped port receives into."},
	{"pool create <spec>", create, NULL, NULL,
		"Make a pool: NAME,n=4096,size=2176,cache=0,ops=labyrinth_buddy and settings of "
		"the "
		"driver (min_free_kbytes=512, gfp=..., inject_ppm=...)."},
	{"show pool", NULL, show_pool, NULL, "The pools."},
	{"show wire", NULL, show_wire, NULL, "What the wires count."},
};

CLI_SECTION(ports, "Configuring ports and pools", cmds);
