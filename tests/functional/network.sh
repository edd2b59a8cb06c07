#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The network helpers: two namespaces, a cable between them, traffic on it and a capture of it.
. "$(dirname "$0")/lib.sh"
needs netns cmd:iperf3 cmd:tcpdump cmd:ping cmd:jq

make_ns client
make_ns server
veth_pair client veth0 10.9.0.1/24 server veth1 10.9.0.2/24
check "the peer answers" quiet in_ns client ping -q -c 2 -i 0.2 -W 2 10.9.0.2
check_not "an address nobody has does not" quiet in_ns client ping -q -c 1 -W 1 10.9.0.77

capture server veth1 "$LAB_TMP/traffic.pcap" udp
serve server
send_traffic client 10.9.0.2 1 -u -b 20M -l 1000 >"$LAB_TMP/sent.json"
check "the client is content" [ $? = 0 ]
check "the capture ends well" end_capture veth1
sent=$(jq '.end.sum.packets' "$LAB_TMP/sent.json")
captured=$(packets_in "$LAB_TMP/traffic.pcap" 'udp and greater 900')
note "$sent datagrams sent, $captured captured"
check "datagrams were sent" [ "${sent:-0}" -gt 1000 ]
# A busy machine may lose a few of them before the capture.
check "the capture holds them" [ "$captured" -ge $((sent * 98 / 100)) ]
check "and no more" [ "$captured" -le "$sent" ]
check_not "the namespaces do not leak into the machine's own" quiet ip link show veth0
finish
