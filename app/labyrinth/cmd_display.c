/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Showing and clearing of ports and forwarding. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app.h"

struct port_view {
	const char *name;
	json_t *(*make)(struct app *app, uint16_t id);
	void (*print)(const json_t *ports);
};

static const struct port_view views[] = {
	{"info", port_info_json, port_print_info},
	{"stats", port_stats_json, port_print_stats},
	{"xstats", port_xstats_json, port_print_xstats},
	{"summary", port_summary_json, port_print_summary},
};

static const struct port_view *
view_of(const char *name)
{
	for (unsigned int i = 0; i < RTE_DIM(views); i++) {
		if (!strcmp(views[i].name, name))
			return &views[i];
	}
	return &views[0];
}

static json_t *
show_port(struct app *app, const struct cmd_args *a)
{
	const struct port_view *view = view_of(cmd_word(a, 2));
	json_t *ports;
	uint16_t id;

	if (port_parse(app, cmd_arg(a, "port"), true, &id))
		return NULL;
	ports = json_array();
	PORT_FOREACH (app, p) {
		json_t *one;

		if (id < RTE_MAX_ETHPORTS && p != id)
			continue;
		one = view->make(app, p);
		if (one == NULL) {
			json_decref(ports);
			return NULL;
		}
		json_array_append_new(ports, one);
	}
	return json_pack("{ss so}", "view", view->name, "ports", ports);
}

static void
print_port(struct app *app, const json_t *shown)
{
	RTE_SET_USED(app);
	view_of(json_string_value(json_object_get(shown, "view")))
		->print(json_object_get(shown, "ports"));
}

static int
clear_port(struct app *app, const struct cmd_args *a)
{
	bool x = !strcmp(cmd_word(a, 2), "xstats");
	uint16_t id;
	int rc = port_parse(app, cmd_arg(a, "port"), true, &id);

	PORT_FOREACH (app, p) {
		struct port_counts c;

		if (rc || (id < RTE_MAX_ETHPORTS && p != id))
			continue;
		if (!x) {
			port_stats_clear(app, p);
			printf("\n  NIC statistics for port %u cleared\n", p);
			continue;
		}
		/* what the port has counted until now stays in our totals */
		port_counts(app, p, &c);
		rc = rte_eth_xstats_reset(p);
		if (rc == -ENOTSUP && app->ports.p[p].wire)
			rc = 0;
		if (rc)
			return cmd_fail(
				app, rc, "port %u: cannot clear xstats: %s", p, strerror(-rc));
	}
	return rc;
}

static json_t *
show_fwd(struct app *app, const struct cmd_args *a)
{
	json_t *out;

	RTE_SET_USED(a);
	fwd_park(app);
	out = fwd_stats_json(app);
	fwd_unpark(app);
	return out;
}

static int
clear_fwd(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	fwd_park(app);
	fwd_clear_stats(app);
	fwd_unpark(app);
	return 0;
}

static json_t *
streams_json(const struct app *app, const struct fwd_lcore *lc)
{
	json_t *list = json_array();
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	for (unsigned int i = lc->first; i < lc->first + lc->nr; i++) {
		const struct fwd_stream *fs = &app->fwd.streams[i];

		rte_ether_format_addr(mac, sizeof(mac), &fs->peer);
		json_array_append_new(
			list, json_pack("{si si si si ss}", "rx_port", fs->rx_port, "rx_queue",
				      fs->rx_queue, "tx_port", fs->tx_port, "tx_queue",
				      fs->tx_queue, "peer", mac));
	}
	return list;
}

static json_t *
config_fwd(struct app *app)
{
	json_t *lcores = json_array();

	for (unsigned int i = 0; i < app->fwd.nr_lcores; i++) {
		const struct fwd_lcore *lc = &app->fwd.lcores[i];

		json_array_append_new(lcores, json_pack("{si ss so}", "lcore", lc->lcore, "role",
						      lc->role == FWD_WIRES ? "wires" : "streams",
						      "streams", streams_json(app, lc)));
	}
	return json_pack("{ss ss si si so}", "mode", app->fwd.engine->name, "time",
		app->clock.kind == LAB_CLOCK_VIRTUAL ? "virtual" : "real", "ports",
		(int)app->fwd.nr_used_ports, "streams", (int)app->fwd.nr_streams, "lcores", lcores);
}

static json_t *
config_rxtx(struct app *app)
{
	json_t *ports = json_array();

	PORT_FOREACH (app, id) {
		json_t *one = port_rxtx_json(app, id);

		if (one == NULL) {
			json_decref(ports);
			return NULL;
		}
		json_array_append_new(ports, one);
	}
	return json_pack("{ss si si si so}", "mode", app->fwd.engine->name, "burst", app->opt.burst,
		"nb_cores", (int)fwd_nr_cores(app), "nb_ports", (int)app->fwd.nr_used_ports,
		"ports", ports);
}

static json_t *
config_cores(struct app *app)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < app->fwd.nr_lcores; i++)
		json_array_append_new(list, json_integer(app->fwd.lcores[i].lcore));
	return json_pack("{so}", "forwarding_lcores", list);
}

static json_t *
config_txpkts(struct app *app)
{
	json_t *segs = json_array();

	for (unsigned int i = 0; i < app->opt.nb_tx_segs; i++)
		json_array_append_new(segs, json_integer(app->opt.tx_segs[i]));
	return json_pack("{si so}", "segments", (int)app->opt.nb_tx_segs, "sizes", segs);
}

static json_t *
show_config(struct app *app, const struct cmd_args *a)
{
	const char *what = cmd_word(a, 2);
	json_t *out;

	/* what a start would use; without ports there is nothing to say against showing the rest */
	if (!app->fwd.running && ports_any_started(app) && fwd_setup(app))
		return NULL;
	if (!strcmp(what, "fwd"))
		out = config_fwd(app);
	else if (!strcmp(what, "rxtx"))
		out = config_rxtx(app);
	else if (!strcmp(what, "cores"))
		out = config_cores(app);
	else
		out = config_txpkts(app);
	if (out)
		json_object_set_new(out, "config", json_string(what));
	return out;
}

static int64_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
print_list(const char *label, const json_t *list, const char *between)
{
	const json_t *v;
	size_t i;

	printf("%s", label);
	json_array_foreach (list, i, v)
		printf("%s%" PRId64, i ? between : "", (int64_t)json_integer_value(v));
	printf("\n");
}

static void
print_rxtx(const json_t *shown)
{
	const json_t *p;
	size_t i;

	printf("  %s packet forwarding packets/burst=%" PRId64 "\n  nb forwarding cores=%" PRId64
	       " - nb forwarding ports=%" PRId64 "\n",
		json_string_value(json_object_get(shown, "mode")), num(shown, "burst"),
		num(shown, "nb_cores"), num(shown, "nb_ports"));
	json_array_foreach (json_object_get(shown, "ports"), i, p)
		port_print_rxtx(p);
}

static void
print_config(struct app *app, const json_t *shown)
{
	const char *what = json_string_value(json_object_get(shown, "config"));

	if (!strcmp(what, "fwd")) {
		fwd_print_config(app);
	} else if (!strcmp(what, "rxtx")) {
		print_rxtx(shown);
	} else if (!strcmp(what, "cores")) {
		print_list("List of forwarding lcores: ",
			json_object_get(shown, "forwarding_lcores"), " ");
	} else {
		printf("Number of segments: %" PRId64 "\n", num(shown, "segments"));
		print_list("Segment sizes: ", json_object_get(shown, "sizes"), ",");
	}
}

static const struct cmd cmds[] = {
	{"show port info|stats|xstats|summary <port|all>", NULL, show_port, print_port,
		"Information of ports."},
	{"clear port stats|xstats <port|all>", clear_port, NULL, NULL,
		"Clear statistics of ports."},
	{"show fwd stats all", NULL, show_fwd, fwd_show_print,
		"Statistics of forwarding since the last start."},
	{"clear fwd stats all", clear_fwd, NULL, NULL, "Clear the statistics of forwarding."},
	{"show config fwd|rxtx|cores|txpkts", NULL, show_config, print_config,
		"The given configuration."},
};

CLI_SECTION(display, "Displaying port, stats and config information", cmds);
