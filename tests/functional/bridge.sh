# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What afpacket.sh and afxdp.sh share: a client and a server in namespaces of their own, whose cables
# end in a third one, where the application forwards between the two ends in io mode.
#
#   client [veth0 10.9.0.1] --- [near] application [far] --- [veth1 10.9.0.2] server
#
# The kernel counts on near and far what came over each cable; that is what the ledger is held against.
# To be read after lib.sh and session.sh.

# bridge DRIVER [ARGUMENTS]: build all that and have the application, named lab, forward. Skips with
# the driver's reason if it does not take the interfaces.
bridge() {
    local driver=$1 more=${2:-} reason
    make_ns client
    make_ns server
    make_ns middle
    veth_pair client veth0 10.9.0.1/24 middle near -
    veth_pair server veth1 10.9.0.2/24 middle far -
    eal_args nohuge
    labyrinth lab in_ns middle -- --vdev "${driver}0,iface=near$more" --vdev "${driver}1,iface=far$more" -- \
        --forward-mode=io --total-num-mbufs=16384 --mbcache=0
    wait_for 60 up_or_gone
    if ! has_both_ports; then
        sed 's/^/    /' "$(log_of lab)" | tail -n 20
        reason=$(grep -Ei 'cannot|fail|error|refuse|not support|does not start' "$(log_of lab)" | head -n 1)
        skip "$driver does not take a veth interface here: ${reason:-no reason given}"
    fi
    order lab start
}

up_or_gone() {
    has_ended lab || grep -q 'Interactive-mode selected' "$(log_of lab)"
}

has_both_ports() {
    is_running lab && [ "$(ask lab 'show port summary all json' | jq '.ports | length')" = 2 ]
}

# arrived NEAR|FAR: frames that the kernel says came over that cable.
arrived() {
    ip -n "$LAB_ID-middle" -s -j link show "$1" | jq '.[0].stats64.rx.packets'
}

# settled: nothing is on its way any more.
settled() {
    local before
    before="$(arrived near) $(arrived far) $(ledger lab .offered)"
    sleep 0.5
    [ "$before" = "$(arrived near) $(arrived far) $(ledger lab .offered)" ]
}

# open_books: both sides count from here. read_books: what they have counted: the ledger in
# $LAB_TMP/ledger.json, and the frames that came over the cables, by the kernel, in NEAR and FAR.
open_books() {
    wait_for 30 settled || die "the cables never fall silent"
    order lab 'clear ledger'
    NEAR_BASE=$(arrived near)
    FAR_BASE=$(arrived far)
}

read_books() {
    ask lab 'show ledger json' >"$LAB_TMP/ledger.json"
    NEAR=$(($(arrived near) - NEAR_BASE))
    FAR=$(($(arrived far) - FAR_BASE))
}

# all_offered: the application has seen every frame that came over the cables, and no other.
all_offered() {
    read_books
    jq -e ".ports.port0.offered == $NEAR and .ports.port1.offered == $FAR" "$LAB_TMP/ledger.json"
}

show_books() {
    note "$1: $NEAR and $FAR frames came over the cables; ledger:" \
        "$(jq -c '.ports' "$LAB_TMP/ledger.json")" \
        "$(jq -c '.failures | with_entries(select(.value > 0))' "$LAB_TMP/ledger.json")"
}

# check_sane WHAT: what must hold on any port.
check_sane() {
    check "$1: no port delivered more than it was offered" quiet jq -e \
        '[.ports[] | .offered >= .delivered + .in_flight] | all' "$LAB_TMP/ledger.json"
    check "$1: no port has more than came over its cable" quiet jq -e \
        ".ports.port0.offered <= $NEAR and .ports.port1.offered <= $FAR" "$LAB_TMP/ledger.json"
    check "$1: what is unexplained is stated" quiet jq -e \
        '[.ports[] | .unexplained == .offered - .delivered - .in_flight - .dropped] | all' \
        "$LAB_TMP/ledger.json"
}

ping_through() {
    in_ns client ping -q -c "$1" -i 0.2 -W "${2:-5}" 10.9.0.2
}

# pings: a few packets, which no ring is too small for: the ledger is exact.
pings() {
    open_books
    check "ping: every request is answered, through the application" \
        grep -q '10 packets transmitted, 10 received' <(ping_through 10)
    check "ping: the ledger has every frame that came over the cables" wait_for 20 quiet all_offered
    show_books ping
    check "ping: there are ten each way and the ARP before them" [ "$NEAR" -ge 10 -a "$FAR" -ge 10 ]
    check "ping: all were delivered, nothing is unexplained" quiet jq -e \
        '.delivered == .offered and .dropped == 0 and .unexplained == 0' "$LAB_TMP/ledger.json"
    check_sane ping
    # From here on no neighbour is looked for again at a moment of its own choice.
    keep_neighbours client
    keep_neighbours server
}

keep_neighbours() {
    local address interface mac
    ip -n "$LAB_ID-$1" -j neighbour show | jq -r '.[] | "\(.dst) \(.dev) \(.lladdr)"' |
        while read -r address interface mac; do
            ip -n "$LAB_ID-$1" neighbour replace "$address" lladdr "$mac" dev "$interface" nud permanent
        done
}

# stream: iperf3 over TCP as fast as it goes. Rings may overflow; what is lost there is in the ledger.
stream() {
    open_books
    serve server
    send_traffic client 10.9.0.2 2 >"$LAB_TMP/stream.json"
    check "iperf3: the client is content" [ $? = 0 ] || jq -r .error "$LAB_TMP/stream.json"
    stop server-server
    note "iperf3: $(jq -c '.end | {sent: .sum_sent.bytes, received: .sum_received.bytes,
        retransmits: .sum_sent.retransmits}' "$LAB_TMP/stream.json")"
    check "iperf3: the server received data" \
        quiet jq -e '.end.sum_received.bytes > 100000' "$LAB_TMP/stream.json"
    check "iperf3: then the cables fall silent" wait_for 30 settled
    read_books
    show_books iperf3
    check "iperf3: the ledger has every frame that came over the cables" wait_for 20 quiet all_offered
    check "iperf3: what was not delivered found the kernel's ring full; nothing is unexplained" quiet \
        jq -e '.in_flight == 0 and .unexplained == 0 and .dropped == (.drops.rx_missed // 0)' \
        "$LAB_TMP/ledger.json"
    check "iperf3: the frames of that data went through the application" quiet jq -e \
        --slurpfile s "$LAB_TMP/stream.json" \
        '.ports.port0.delivered >= $s[0].end.sum_received.bytes / 1500' "$LAB_TMP/ledger.json"
    check_sane iperf3
}

# flood N: so many datagrams to a port where nobody listens, at most 20 a millisecond.
flood() {
    in_ns client python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[1])):
    if i % 20 == 0:
        time.sleep(0.001)
    try:
        s.sendto(b"%d" % i, ("10.9.0.2", 9))
    except ConnectionRefusedError:
        pass
' "$1"
}

# close_bridge: the application ends, and what it made of the interfaces is gone.
close_bridge() {
    leave lab
    check_not "the interfaces are as they were" \
        grep -Eq 'xdp|promiscuity [1-9]' <(ip -n "$LAB_ID-middle" -d link show)
    check "no hugepage file stays" [ -z "$(hugepage_files)" ]
}
