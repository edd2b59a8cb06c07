/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* `show port info` and `show port summary`. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_devargs.h>
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

/* The names of testpmd, where it has one. */
static json_t *
rss_types(uint64_t mask)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} types[] = {
		{RTE_ETH_RSS_IPV4, "ipv4"},
		{RTE_ETH_RSS_FRAG_IPV4, "ipv4-frag"},
		{RTE_ETH_RSS_NONFRAG_IPV4_TCP, "ipv4-tcp"},
		{RTE_ETH_RSS_NONFRAG_IPV4_UDP, "ipv4-udp"},
		{RTE_ETH_RSS_NONFRAG_IPV4_SCTP, "ipv4-sctp"},
		{RTE_ETH_RSS_NONFRAG_IPV4_OTHER, "ipv4-other"},
		{RTE_ETH_RSS_IPV6, "ipv6"},
		{RTE_ETH_RSS_FRAG_IPV6, "ipv6-frag"},
		{RTE_ETH_RSS_NONFRAG_IPV6_TCP, "ipv6-tcp"},
		{RTE_ETH_RSS_NONFRAG_IPV6_UDP, "ipv6-udp"},
		{RTE_ETH_RSS_NONFRAG_IPV6_SCTP, "ipv6-sctp"},
		{RTE_ETH_RSS_NONFRAG_IPV6_OTHER, "ipv6-other"},
		{RTE_ETH_RSS_L2_PAYLOAD, "l2-payload"},
		{RTE_ETH_RSS_IPV6_EX, "ipv6-ex"},
		{RTE_ETH_RSS_IPV6_TCP_EX, "ipv6-tcp-ex"},
		{RTE_ETH_RSS_IPV6_UDP_EX, "ipv6-udp-ex"},
		{RTE_ETH_RSS_PORT, "port"},
		{RTE_ETH_RSS_VXLAN, "vxlan"},
		{RTE_ETH_RSS_GENEVE, "geneve"},
		{RTE_ETH_RSS_NVGRE, "nvgre"},
		{RTE_ETH_RSS_GTPU, "gtpu"},
		{RTE_ETH_RSS_ETH, "eth"},
		{RTE_ETH_RSS_S_VLAN, "s-vlan"},
		{RTE_ETH_RSS_C_VLAN, "c-vlan"},
		{RTE_ETH_RSS_ESP, "esp"},
		{RTE_ETH_RSS_AH, "ah"},
		{RTE_ETH_RSS_L2TPV3, "l2tpv3"},
		{RTE_ETH_RSS_PFCP, "pfcp"},
		{RTE_ETH_RSS_PPPOE, "pppoe"},
		{RTE_ETH_RSS_ECPRI, "ecpri"},
		{RTE_ETH_RSS_MPLS, "mpls"},
		{RTE_ETH_RSS_IPV4_CHKSUM, "ipv4-chksum"},
		{RTE_ETH_RSS_L4_CHKSUM, "l4-chksum"},
		{RTE_ETH_RSS_L2TPV2, "l2tpv2"},
	};
	json_t *list = json_array();

	for (unsigned int i = 0; i < RTE_DIM(types); i++) {
		if (mask & types[i].bit)
			json_array_append_new(list, json_string(types[i].name));
		mask &= ~types[i].bit;
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (mask & RTE_BIT64(bit))
			json_array_append_new(list, json_sprintf("user-defined-%u", bit));
	}
	return list;
}

static const char *
error_handling(const struct rte_eth_dev_info *i)
{
	static const char *const names[] = {
		[RTE_ETH_ERROR_HANDLE_MODE_NONE] = "none",
		[RTE_ETH_ERROR_HANDLE_MODE_PASSIVE] = "passive",
		[RTE_ETH_ERROR_HANDLE_MODE_PROACTIVE] = "proactive",
	};

	return i->err_handle_mode < RTE_DIM(names) ? names[i->err_handle_mode] : "unknown";
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

/* What the device is, and what it can do. */
static void
add_device(json_t *out, uint16_t id, const struct rte_eth_dev_info *i)
{
	const struct rte_devargs *devargs = i->device ? rte_dev_devargs(i->device) : NULL;
	const char *args = devargs ? devargs->args : NULL;
	int vlan = rte_eth_dev_get_vlan_offload(id);
	char firmware[64] = "";

	if (rte_eth_dev_fw_version_get(id, firmware, sizeof(firmware)))
		firmware[0] = '\0';
	json_object_set_new(out, "firmware", json_string(firmware));
	json_object_set_new(out, "devargs", json_string(args ? args : ""));
	json_object_set_new(out, "vlan",
		json_pack("{sb sb sb sb}", "strip", vlan > 0 && vlan & RTE_ETH_VLAN_STRIP_OFFLOAD,
			"filter", vlan > 0 && vlan & RTE_ETH_VLAN_FILTER_OFFLOAD, "extend",
			vlan > 0 && vlan & RTE_ETH_VLAN_EXTEND_OFFLOAD, "qinq_strip",
			vlan > 0 && vlan & RTE_ETH_QINQ_STRIP_OFFLOAD));
	json_object_set_new(out, "rss_types", rss_types(i->flow_type_rss_offloads));
	json_object_set_new(out, "dev_capa", lab_json_u64(i->dev_capa));
	json_object_set_new(
		out, "dev_capabilities", offloads(i->dev_capa, rte_eth_dev_capability_name));
	json_object_set_new(out, "error_handling", json_string(error_handling(i)));
}

static void
add_limits(json_t *out, const struct rte_eth_dev_info *i)
{
	json_t *more = json_pack("{si si si si si si si}", "max_mac_addrs", (int)i->max_mac_addrs,
		"max_hash_mac_addrs", (int)i->max_hash_mac_addrs, "hash_key_size", i->hash_key_size,
		"max_vfs", i->max_vfs, "max_vmdq_pools", i->max_vmdq_pools, "nb_seg_max",
		i->tx_desc_lim.nb_seg_max, "nb_mtu_seg_max", i->tx_desc_lim.nb_mtu_seg_max);
	json_t *limits = json_pack("{si sI sI si si si si si si si si si si}", "min_rx_bufsize",
		(int)i->min_rx_bufsize, "max_rx_pktlen", (json_int_t)i->max_rx_pktlen,
		"max_lro_pkt_size", (json_int_t)i->max_lro_pkt_size, "nb_rx_queues",
		i->nb_rx_queues, "max_rx_queues", i->max_rx_queues, "rx_desc_max",
		i->rx_desc_lim.nb_max, "rx_desc_min", i->rx_desc_lim.nb_min, "rx_desc_align",
		i->rx_desc_lim.nb_align, "nb_tx_queues", i->nb_tx_queues, "max_tx_queues",
		i->max_tx_queues, "tx_desc_max", i->tx_desc_lim.nb_max, "tx_desc_min",
		i->tx_desc_lim.nb_min, "tx_desc_align", i->tx_desc_lim.nb_align);

	json_object_update(out, more);
	json_decref(more);
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
	if (out) {
		add_device(out, id, &info);
		add_limits(out, &info);
	}
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

static const char *
or_none(const json_t *o, const char *key)
{
	return str(o, key)[0] ? str(o, key) : "not available";
}

static const char *
on_off(const json_t *o, const char *key)
{
	return is(o, key) ? "on" : "off";
}

static void
print_addresses(const json_t *o)
{
	const json_t *vlan = json_object_get(o, "vlan");

	printf("Maximum number of MAC addresses: %" PRId64
	       "\nMaximum number of MAC addresses of hash filtering: %" PRId64 "\n",
		num(o, "max_mac_addrs"), num(o, "max_hash_mac_addrs"));
	printf("VLAN offload: \n  strip %s, filter %s, extend %s, qinq strip %s\n",
		on_off(vlan, "strip"), on_off(vlan, "filter"), on_off(vlan, "extend"),
		on_off(vlan, "qinq_strip"));
	if (num(o, "hash_key_size"))
		printf("Hash key size in bytes: %" PRId64 "\n", num(o, "hash_key_size"));
	if (num(o, "reta_size"))
		printf("Redirection table size: %" PRId64 "\n", num(o, "reta_size"));
}

/* In lines of at most 76 characters. */
static void
print_rss(const json_t *list)
{
	size_t i, used = 0;
	const json_t *v;

	if (json_array_size(list) == 0) {
		printf("No RSS offload flow type is supported.\n");
		return;
	}
	printf("Supported RSS offload flow types:\n");
	json_array_foreach (list, i, v) {
		const char *name = json_string_value(v);

		if (used && used + strlen(name) + 2 > 76) {
			printf("\n");
			used = 0;
		}
		used += printf("  %s", name);
	}
	printf("\n");
}

static void
print_abilities(const json_t *o)
{
	const json_t *v;
	size_t i;

	if (num(o, "max_vfs"))
		printf("Maximum number of VFs: %" PRId64 "\n", num(o, "max_vfs"));
	if (num(o, "max_vmdq_pools"))
		printf("Maximum number of VMDq pools: %" PRId64 "\n", num(o, "max_vmdq_pools"));
	print_queues(o, "RX", "rx");
	print_queues(o, "TX", "tx");
	printf("Max segment number per packet: %" PRId64
	       "\nMax segment number per MTU/TSO: %" PRId64 "\n",
		num(o, "nb_seg_max"), num(o, "nb_mtu_seg_max"));
	printf("Device capabilities: 0x%" PRIx64 "(", num(o, "dev_capa"));
	json_array_foreach (json_object_get(o, "dev_capabilities"), i, v)
		printf(" %s", json_string_value(v));
	printf(" )\nDevice error handling mode: %s\n", str(o, "error_handling"));
}

static void
print_one(const json_t *o)
{
	printf("\n********************* Infos for port %-2d *********************\n",
		(int)num(o, "port"));
	printf("MAC address: %s\nDevice name: %s\nDriver name: %s\n", str(o, "mac"),
		str(o, "device"), str(o, "driver"));
	printf("Firmware-version: %s\nDevargs: %s\n", or_none(o, "firmware"), str(o, "devargs"));
	printf("Connect to socket: %" PRId64 "\nmemory allocation on the socket: %" PRId64
	       "\nMempool: %s\n",
		num(o, "socket"), num(o, "socket"), str(o, "pool"));
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
	print_addresses(o);
	print_rss(json_object_get(o, "rss_types"));
	printf("Minimum size of RX buffer: %" PRId64 "\nMaximum configurable length of RX packet: "
	       "%" PRId64 "\nMaximum configurable size of LRO aggregated packet: %" PRId64 "\n",
		num(o, "min_rx_bufsize"), num(o, "max_rx_pktlen"), num(o, "max_lro_pkt_size"));
	print_abilities(o);
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
