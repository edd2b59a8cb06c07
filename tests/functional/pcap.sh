#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Traffic of a real client and a real server, captured by tcpdump between two namespaces, comes back
# in two ways: frame by frame through net_pcap, and as the arrival process of a wire port, in virtual
# time with the capture's own gaps and sizes. Both times every packet of the capture is accounted for,
# with memory for all and with refusals. A damaged capture is refused with its reason.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/session.sh"

file=$LAB_TMP/traffic.pcap

# ------------------------------------------------ the capture
make_ns client
make_ns server
veth_pair client veth0 10.9.0.1/24 server veth1 10.9.0.2/24
capture server veth1 "$file"
check "the peer answers" quiet in_ns client ping -q -c 4 -i 0.2 -W 5 10.9.0.2
serve server
check "a TCP client is served" quiet send_traffic client 10.9.0.2 1 -b 4M
check "a UDP client is served" quiet send_traffic client 10.9.0.2 1 -u -b 2M -l 700
# A silence of known length, so that a run can end inside it.
sleep 1
check "the peer answers again" quiet in_ns client ping -q -c 2 -i 0.2 -W 5 10.9.0.2
check "the capture ends well" end_capture veth1
stop server-server

# "SECONDS LENGTH" of each frame since the first, and "SOURCE DESTINATION LENGTH" as it comes over a
# wire, where no frame is shorter than Ethernet's 60 bytes; on a veth the shortest have 42.
tcpdump -n -e -tt -r "$file" 2>/dev/null | awk -v sent="$LAB_TMP/sent" '{
    match($0, /, length [0-9]+:/)
    size = substr($0, RSTART + 9, RLENGTH - 10) + 0 # a number, not a text
    sub(",", "", $4)
    if (NR == 1) t0 = $1
    printf "%.6f %d\n", $1 - t0, size
    print $2, $4, (size < 60 ? 60 : size) >sent
}' >"$LAB_TMP/frames"
packets=$(packets_in "$file")
bytes=$(awk '{ n += $2 } END { print n }' "$LAB_TMP/frames")
length=$(awk 'END { printf "%d", $1 * 1000 + 1000 }' "$LAB_TMP/frames") # ms, and a second to spare
# The middle of the longest silence, in whole milliseconds, and what came before it.
read -r cut before < <(awk 'NR > 1 && $1 - last > gap { gap = $1 - last; at = last + gap / 2; n = NR - 1 }
    { last = $1 } END { printf "%d %d\n", at * 1000, n }' "$LAB_TMP/frames")
note "$packets packets of $bytes bytes in $length ms; $before of them before $cut ms"
check "there is traffic" [ "$packets" -gt 500 ]
check "tcpdump lists each" [ "$(wc -l <"$LAB_TMP/frames")" = "$packets" ]
check "tcpdump captured as many" \
    grep -q "^$packets packets captured" "$(log_of capture-veth1)"
check "and lost none" grep -q '^0 packets dropped by kernel' "$(log_of capture-veth1)"

# ------------------------------------------------ through net_pcap
delivered_and_lost() {
    [ "$(ledger "$1" '.delivered + .dropped')" -ge "$packets" ]
}

# replay NAME COMMAND...: rxonly on net_pcap, after these commands; leaves its ledger in NAME.json
# and the port's counters in NAME.port.
replay() {
    local name=$1 order
    shift
    eal_args nohuge "$name"
    labyrinth "$name" -- --vdev "net_pcap0,rx_pcap=$file" -- \
        --forward-mode=rxonly --total-num-mbufs=2048 --mbcache=0
    wait_log "$name" 'Interactive-mode selected' 60 || finish
    for order in "$@" start; do
        order "$name" "$order"
    done
    check "$name: the capture comes to its end" wait_for 60 delivered_and_lost "$name"
    order "$name" stop # nothing more may come, and nothing be counted twice
    ask "$name" 'show ledger json' >"$LAB_TMP/$name.json"
    ask "$name" 'show port stats 0 json' >"$LAB_TMP/$name.port"
    note "$name: $(jq -c 'del(.ports) | .failures |= with_entries(select(.value > 0))' "$LAB_TMP/$name.json")"
    leave "$name"
    check "$name: offered are the packets of the capture" [ "$(jq .offered "$LAB_TMP/$name.json")" = "$packets" ]
    check "$name: the ledger closes" \
        quiet jq -e '.in_flight == 0 and .unexplained == 0 and .closes' "$LAB_TMP/$name.json"
}

replay plain
check "plain: all were delivered" [ "$(jq .delivered "$LAB_TMP/plain.json")" = "$packets" ]
check "plain: with all their bytes" \
    [ "$(jq '[.. | .rx_bytes? // empty] | first' "$LAB_TMP/plain.port")" = "$bytes" ]

replay refused 'inject probability 0.3 seed=11'
check "refused: some were delivered" [ "$(jq .delivered "$LAB_TMP/refused.json")" -gt 0 ]
check "refused: each refused page is a lost packet, and there is no other" \
    quiet jq -e '.dropped > 0 and .dropped == .drops.nombuf and .dropped == .failures.injected' \
    "$LAB_TMP/refused.json"

# ------------------------------------------------ as the timing and the sizes of a wire port
# wire NAME LINE...: run a file of commands; its log is NAME.log, its status is returned.
wire() {
    local name=$1
    shift
    printf '%s\n' "$@" >"$LAB_TMP/$name.cmd"
    eal_args nohuge "$name"
    timeout 120 "$LAB_BUILD/app/labyrinth" "${EAL[@]}" -- --total-num-mbufs=2048 --mbcache=0 \
        --forward-mode=rxonly "--cmdline-file=$LAB_TMP/$name.cmd" </dev/null >"$(log_of "$name")" 2>&1
}

# answers NAME: the JSON objects that it printed, as an array.
answers() {
    sed -n '/^{$/,/^}$/p' "$(log_of "$1")" | jq -s .
}

port="port attach wire:rx0,rxd=256,arrival=pcap:file=$file"
wire whole 'set time virtual' 'set verbose 1' \
    "port attach wire:rx0,rxd=256,contents=on,arrival=pcap:file=$file" \
    'port start all' "run ${length}ms" 'show ledger json'
check "whole: it ends well" [ $? = 0 ] || tail -n 20 "$(log_of whole)"
note "whole: $(answers whole | jq -c '.[0] | del(.ports)')"
check "whole: offered and delivered is the capture, and the ledger closes" quiet jq -e \
    ".[0] | .offered == $packets and .delivered == $packets and .dropped == 0 and .closes" \
    <(answers whole)
# With contents=on the frames are the captured ones; rxonly prints each in the order of arrival.
sed -nE 's/^port 0.*src=(\S+) - dst=(\S+) .*length=([0-9]+) .*/\L\1 \2 \3/p' "$(log_of whole)" >"$LAB_TMP/arrived"
check "whole: each frame came in its place, with its addresses and its size" \
    cmp "$LAB_TMP/arrived" "$LAB_TMP/sent"

# Its timing: a run that ends in the middle of the longest silence has seen what came before it.
wire part 'set time virtual' "$port" 'port start all' "run ${cut}ms" 'show ledger json'
check "part: it ends well" [ $? = 0 ] || tail -n 20 "$(log_of part)"
check "part: by then as many had come as in reality" [ "$(answers part | jq '.[0].offered')" = "$before" ]

# Nothing is refilled: the buffers that were posted before are filled, every other frame is lost. A
# refused refill is tried again at every poll; one in 20 us is often enough.
posted=256
wire squeezed 'set time virtual' 'set cost poll=20000' "$port" 'port start all' 'inject probability 1' \
    'clear ledger' "run ${length}ms" 'show ledger json'
check "squeezed: it ends well" [ $? = 0 ] || tail -n 20 "$(log_of squeezed)"
note "squeezed: $(answers squeezed | jq -c '.[0] | del(.ports)')"
check "squeezed: the ledger closes over the whole capture" quiet jq -e \
    ".[0] | .offered == $packets and .unexplained == 0 and .closes" <(answers squeezed)
check "squeezed: what was posted is delivered" quiet jq -e ".[0].delivered == $posted" <(answers squeezed)
check "squeezed: all else is lost to the refused refill" quiet jq -e \
    ".[0] | .drops == {injected: $((packets - posted))}" <(answers squeezed)

# Most of it is refused, at random: whatever is lost, the same seed loses the same.
some=('set time virtual' 'set cost poll=20000' "$port" 'port start all'
    'inject probability 0.999 seed=5' 'clear ledger' "run ${length}ms" 'inject off' 'show ledger json')
wire first "${some[@]}"
check "first: it ends well" [ $? = 0 ] || tail -n 20 "$(log_of first)"
wire second "${some[@]}"
note "first: $(answers first | jq -c '.[0] | del(.ports)')"
check "first: the ledger closes over the whole capture" quiet jq -e \
    ".[0] | .offered == $packets and .unexplained == 0 and .closes" <(answers first)
check "second: the same seed loses the same" [ "$(answers first)" = "$(answers second)" ]

# ------------------------------------------------ damage
# refuses NAME FILE REGEX: a wire with this capture must not come about, and say why and where.
refuses() {
    wire "$1" 'set time virtual' "port attach wire:rx0,arrival=pcap:file=$2" 'echo too far'
    check "$1: the exit code tells" [ $? = 1 ]
    check_match "$1: the message names line and reason" "^$LAB_TMP/$1.cmd:2: .*$3" "$(log_of "$1")"
    check_not "$1: nothing runs after it" grep -q 'too far' "$(log_of "$1")"
}

size=$(stat -c %s "$file")
head -c $((size - 7)) "$file" >"$LAB_TMP/cut.pcap"
head -c 11 "$file" >"$LAB_TMP/stub.pcap"
head -c 24 "$file" >"$LAB_TMP/none.pcap"
: >"$LAB_TMP/empty.pcap"
echo 'this is no capture, though it is long enough to hold the header of one' >"$LAB_TMP/text.pcap"
refuses cut-off "$LAB_TMP/cut.pcap" "truncated.*$((packets - 1))|$((packets - 1)).*truncated"
refuses stub "$LAB_TMP/stub.pcap" 'truncated|header'
refuses without-packets "$LAB_TMP/none.pcap" 'no packet'
refuses empty "$LAB_TMP/empty.pcap" 'truncated|header|empty'
refuses text "$LAB_TMP/text.pcap" 'format|capture'
refuses missing "$LAB_TMP/missing.pcap" 'No such file'

# net_pcap itself: EAL goes on without the port, the application does not.
for kind in text missing; do
    eal_args nohuge "pmd-$kind"
    echo start >"$LAB_TMP/start.cmd"
    timeout 60 "$LAB_BUILD/app/labyrinth" "${EAL[@]}" --vdev "net_pcap0,rx_pcap=$LAB_TMP/$kind.pcap" -- \
        --total-num-mbufs=2048 "--cmdline-file=$LAB_TMP/start.cmd" </dev/null >"$(log_of "pmd-$kind")" 2>&1
    check "net_pcap, $kind: the exit code tells" [ $? = 1 ]
    check_match "net_pcap, $kind: the driver names the file" "$kind.pcap" "$(log_of "pmd-$kind")"
done
finish
