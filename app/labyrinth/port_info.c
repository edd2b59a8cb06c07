/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* `show port info` and `show port summary`. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_version.h>

#include "app.h"

static json_t *
offloads(uint64_t mask, const char *(*name)(uint64_t))
{
	json_t *list = json_array();

	for (uint64_t bit = 1; mask; bit <<= 1) {
		if (mask & bit)
			json_array_append_new(list, json_string(name(bit)));
		mask &= ~bit;
	}
	return list;
}

static const char *
device_name(uint16_t id, char *buf)
{
	if (rte_eth_dev_get_name_by_port(id, buf))
		buf[0] = '\0';
	return buf;
}

static const char *
driver_name(const struct rte_eth_dev_info *info)
{
	return info->driver_name ? info->driver_name : "";
}

static void
add_limits(json_t *out, const struct rte_eth_dev_info *i)
{
	json_t *limits = json_pack("{si sI sI si si si si si si si si si si}", "min_rx_bufsize",
		(int)i->min_rx_bufsize, "max_rx_pktlen", (json_int_t)i->max_rx_pktlen,
		"max_lro_pkt_size", (json_int_t)i->max_lro_pkt_size, "nb_rx_queues",
		i->nb_rx_queues, "max_rx_queues", i->max_rx_queues, "rx_desc_max",
		i->rx_desc_lim.nb_max, "rx_desc_min", i->rx_desc_lim.nb_min, "rx_desc_align",
		i->rx_desc_lim.nb_align, "nb_tx_queues", i->nb_tx_queues, "max_tx_queues",
		i->max_tx_queues, "tx_desc_max", i->tx_desc_lim.nb_max, "tx_desc_min",
		i->tx_desc_lim.nb_min, "tx_desc_align", i->tx_desc_lim.nb_align);

	json_object_update(out, limits);
	json_decref(limits);
}

json_t *
port_info_json(struct app *app, uint16_t id)
{
	const struct port *p = &app->ports.p[id];
	char mac[RTE_ETHER_ADDR_FMT_SIZE], name[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_link link = {0};
	struct rte_eth_dev_info info;
	uint16_t mtu = 0;
	json_t *out;

	if (rte_eth_dev_info_get(id, &info)) {
		cmd_fail(app, -EIO, "port %u tells nothing about itself", id);
		return NULL;
	}
	/* A port that cannot tell has no link. */
	if (rte_eth_link_get_nowait(id, &link))
		memset(&link, 0, sizeof(link));
	rte_eth_dev_get_mtu(id, &mtu);
	rte_ether_format_addr(mac, sizeof(mac), &p->mac);
	out = json_pack("{si ss ss ss si ss ss si sb sb si sb sb sb si so so}", "port", id, "mac",
		mac, "device", device_name(id, name), "driver", driver_name(&info), "socket",
		port_socket(id), "pool", p->mp ? p->mp->name : "", "link",
		link.link_status ? "up" : "down", "link_speed_mbps", (int)link.link_speed,
		"full_duplex", link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX, "autoneg",
		link.link_autoneg, "mtu", mtu, "promiscuous", rte_eth_promiscuous_get(id) == 1,
		"allmulticast", rte_eth_allmulticast_get(id) == 1, "started", p->started,
		"reta_size", info.reta_size, "rx_offloads",
		offloads(info.rx_offload_capa, rte_eth_dev_rx_offload_name), "tx_offloads",
		offloads(info.tx_offload_capa, rte_eth_dev_tx_offload_name));
	if (out)
		add_limits(out, &info);
	return out;
}

static const char *
str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int64_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool
is(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static void
print_queues(const json_t *o, const char *dir, const char *key)
{
	char name[32];

	snprintf(name, sizeof(name), "nb_%s_queues", key);
	printf("Current number of %s queues: %" PRId64 "\n", dir, num(o, name));
	snprintf(name, sizeof(name), "max_%s_queues", key);
	printf("Max possible %s queues: %" PRId64 "\n", dir, num(o, name));
	snprintf(name, sizeof(name), "%s_desc_max", key);
	printf("Max possible number of %sDs per queue: %" PRId64 "\n", dir, num(o, name));
	snprintf(name, sizeof(name), "%s_desc_min", key);
	printf("Min possible number of %sDs per queue: %" PRId64 "\n", dir, num(o, name));
	snprintf(name, sizeof(name), "%s_desc_align", key);
	printf("%sDs number alignment: %" PRId64 "\n", dir, num(o, name));
}

static void
print_one(const json_t *o)
{
	printf("\n********************* Infos for port %-2d *********************\n",
		(int)num(o, "port"));
	printf("MAC address: %s\nDevice name: %s\nDriver name: %s\n", str(o, "mac"),
		str(o, "device"), str(o, "driver"));
	printf("Connect to socket: %" PRId64 "\nMempool: %s\n", num(o, "socket"), str(o, "pool"));
	printf("Link status: %s\nLink speed: ", str(o, "link"));
	if (num(o, "link_speed_mbps") >= 1000)
		printf("%g Gbps\n", num(o, "link_speed_mbps") / 1000.0);
	else
		printf("%" PRId64 " Mbps\n", num(o, "link_speed_mbps"));
	printf("Link duplex: %s-duplex\nAutoneg status: %s\nMTU: %" PRId64 "\n",
		is(o, "full_duplex") ? "full" : "half", is(o, "autoneg") ? "On" : "Off",
		num(o, "mtu"));
	printf("Promiscuous mode: %s\nAllmulticast mode: %s\n",
		is(o, "promiscuous") ? "enabled" : "disabled",
		is(o, "allmulticast") ? "enabled" : "disabled");
	printf("Redirection table size: %" PRId64 "\n", num(o, "reta_size"));
	printf("Minimum size of RX buffer: %" PRId64 "\nMaximum configurable length of RX packet: "
	       "%" PRId64 "\nMaximum configurable size of LRO aggregated packet: %" PRId64 "\n",
		num(o, "min_rx_bufsize"), num(o, "max_rx_pktlen"), num(o, "max_lro_pkt_size"));
	print_queues(o, "RX", "rx");
	print_queues(o, "TX", "tx");
}

void
port_print_info(const json_t *ports)
{
	const json_t *o;
	size_t i;

	json_array_foreach (ports, i, o)
		print_one(o);
}

json_t *
port_summary_json(struct app *app, uint16_t id)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE], name[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_link link = {0};
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(id, &info)) {
		cmd_fail(app, -EIO, "port %u tells nothing about itself", id);
		return NULL;
	}
	/* A port that cannot tell has no link. */
	if (rte_eth_link_get_nowait(id, &link))
		memset(&link, 0, sizeof(link));
	rte_ether_format_addr(mac, sizeof(mac), &app->ports.p[id].mac);
	return json_pack("{si ss ss ss ss ss}", "port", id, "mac", mac, "name",
		device_name(id, name), "driver", driver_name(&info), "status",
		link.link_status ? "up" : "down", "link",
		rte_eth_link_speed_to_str(link.link_speed));
}

void
port_print_summary(const json_t *ports)
{
	const json_t *o;
	size_t i;

	printf("Number of available ports: %zu\n", json_array_size(ports));
	printf("Port MAC Address       Name         Driver         Status   Link\n");
	json_array_foreach (ports, i, o)
		printf("%-4d %-17s %-12s %-14s %-8s %s\n", (int)num(o, "port"), str(o, "mac"),
			str(o, "name"), str(o, "driver"), str(o, "status"), str(o, "link"));
}
