#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# labyrinth-observe watch on this machine's own kernel: real datagrams over a cable between two namespaces are lost for
# reasons other than memory. The report must say so, and count what /proc/net/snmp and the device count.
. "$(dirname "$0")/lib.sh"
needs root netns cmd:jq cmd:python3 cmd:setpriv

observe=$LAB_BUILD/app/labyrinth-observe
datagrams=6000
nobody=1500

"$observe" --help | grep -qw watch || skip "built without the observer of the live kernel (libbpf, clang, bpftool)"
"$observe" watch -d 50ms -p 0 >"$LAB_TMP/probe.log" 2>&1
rc=$?
[ $rc != 77 ] || skip "$(tail -n 1 "$LAB_TMP/probe.log")"
check "it runs" [ $rc = 0 ]

# ---------------------------------------------------------------- refusals, said politely

# with_caps CAPABILITIES COMMAND...: with these alone. Still as root, who may read the build folder wherever it lies.
with_caps() {
    local caps=$1
    shift
    setpriv "--bounding-set=-all$caps" --inh-caps=-all "$@"
}

with_caps "" "$observe" watch -d 1s >"$LAB_TMP/refused.log" 2>&1
check "without capabilities it ends with 77" [ $? = 77 ]
check_match "and says what is missing and what would be right" \
    'needs CAP_BPF and CAP_PERFMON: .*setcap' "$LAB_TMP/refused.log"
with_caps ,+bpf "$observe" watch -d 1s >"$LAB_TMP/refused.log" 2>&1
check_match "with one of them it names the other" 'needs CAP_PERFMON:' "$LAB_TMP/refused.log"
with_caps ,+bpf,+perfmon "$observe" watch -d 50ms -p 0 -f json >"$LAB_TMP/two.json"
check "with those two alone it runs" [ $? = 0 ]
check "and counts allocations" \
    [ "$(jq '[.may_sleep[].requests] | add' "$LAB_TMP/two.json")" -gt 0 ]
with_caps ,+bpf,+perfmon "$observe" watch -d 1s -j /proc/nowhere.json >"$LAB_TMP/refused.log" 2>&1
check_match "a file that it could not write is refused before, not after" \
    '/proc/nowhere.json cannot be written' "$LAB_TMP/refused.log"
"$observe" watch -n no-such-device >"$LAB_TMP/refused.log" 2>&1
check "a device that is not there: 1" [ $? = 1 ]
check_match "is named" "no network device 'no-such-device'" "$LAB_TMP/refused.log"
"$observe" watch -i 10 >"$LAB_TMP/refused.log" 2>&1
check "a time without a unit: 2" [ $? = 2 ]

# ---------------------------------------------------------------- losses that are not memory's

make_ns sender
make_ns receiver
veth_pair sender veth0 10.9.0.1/24 receiver veth1 10.9.0.2/24

# snmp NAME: a figure of the receiver's UDP.
snmp() {
    in_ns receiver awk -v name="$1" '
        $1 == "Udp:" && !n { for (i = 2; i <= NF; i++) if ($i == name) n = i; next }
        $1 == "Udp:" { print $n }' /proc/net/snmp
}

rx_packets() {
    ip -n "$LAB_ID-receiver" -s -j link show veth1 | jq '.[0].stats64.rx.packets'
}

cat >"$LAB_TMP/hold.py" <<'PY'
# A socket with a tiny buffer that nobody reads.
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
s.bind(("10.9.0.2", 9000))
print("holding", flush=True)
sys.stdin.readline()
PY
cat >"$LAB_TMP/send.py" <<'PY'
# send.py PORT N: N datagrams in bursts of 50.
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    s.sendto(b"x" * 500, ("10.9.0.2", int(sys.argv[1])))
    if i % 50 == 49:
        time.sleep(0.002)
PY

# The first packet asks who has the address; so nothing waits for that later.
in_ns sender ping -q -c 1 -W 2 10.9.0.2 >/dev/null
start hold in_ns receiver python3 "$LAB_TMP/hold.py"
wait_log hold holding
start observe in_ns receiver "$observe" watch -n veth1 -p 100ms -f json -H "$LAB_TMP/r.html" \
    -j "$LAB_TMP/r.json"
wait_log observe 'received'
check "it has given up all capabilities" \
    grep -q '^CapEff:[[:space:]]*0*$' "/proc/${LAB_PIDS[observe]}/status"

rcvbuf=$(snmp RcvbufErrors) noports=$(snmp NoPorts) packets=$(rx_packets)
in_ns sender python3 "$LAB_TMP/send.py" 9000 $datagrams
in_ns sender python3 "$LAB_TMP/send.py" 9001 $nobody 2>/dev/null
sleep 0.3
rcvbuf=$(($(snmp RcvbufErrors) - rcvbuf)) noports=$(($(snmp NoPorts) - noports))
packets=$(($(rx_packets) - packets))
stop observe INT
check "SIGINT ends it with 0" [ $? = 0 ]
tell hold end
wait_end hold

report=$LAB_TMP/r.json
check "the report is one" python3 "$LAB_SOURCE/tests/unit/report/check_report.py" "$report"
check "and has a page" grep -q '</html>' "$LAB_TMP/r.html"

# drops REASON: by the report.
drops() {
    jq --arg r "$1" '[.arms[0].live.drops[]? | select(.reason == $r) | .entered] | add // 0' "$report"
}

missed=$(jq '[.arms[0].live.columns[] | select(.column == "drops") | .missed] | add' "$report")
# counted NAME OURS THEIRS: not less, but for what the kernel says was missed, nor much more: others on the machine may
# lose a packet too.
counted() {
    note "$1: the kernel's own count $3, observed $2, missed $missed"
    check "$1 is not less than the kernel's own count" [ $(($2 + missed)) -ge "$3" ]
    check "$1 is not more" [ "$2" -le $(($3 + $3 / 50 + 20)) ]
}

check "the socket lost most of them" [ "$rcvbuf" -gt $((datagrams / 2)) ]
check "nobody listens at the other port" [ "$noports" -gt $((nobody / 2)) ]
counted "the full buffer" "$(drops SOCKET_RCVBUFF)" "$rcvbuf"
counted "the missing socket" "$(drops NO_SOCKET)" "$noports"
seen=$(jq '.arms[0].live.nics[] | select(.device == "veth1") | .rx_packets' "$report")
check "the device received what it says it received" [ "$seen" -ge "$packets" ]
check "and little else" [ "$seen" -le $((packets + 20)) ]
check "as many entered the stack" \
    [ "$(jq '.arms[0].live.events.received' "$report")" -ge "$packets" ]
check "the ledger closes" [ "$(jq .ledger.closes "$report")" = true ]
check "its drops are those of the series" \
    [ "$(jq '[.arms[0].series.list[] | select(.name == "drops") | .values | add] | add' "$report")" = \
        "$(jq .ledger.dropped "$report")" ]

# ---------------------------------------------------------------- time of atomic allocations

# timed FILE PATH EVERY: the report at PATH of a FILE has as many times as one of EVERY atomic requests should give, in order.
timed() {
    jq -e --argjson every "$3" "$2"' | .latency_ns as $t | ([.atomic[].requests] | add // 0) as $n |
        ([.columns[] | .missed] | add) as $missed |
        $t.count <= ($n + $missed) / $every + (.run.cpus) and
        $t.count >= ($n - $missed) / $every * 0.98 - .run.cpus and
        ($t.count == 0 or ($t.min <= $t.p50 and $t.p50 <= $t.p99 and $t.p99 <= $t.max))' "$1" >/dev/null
}

why=$(jq -r '.arms[0].live.columns[] | select(.column == "latency") | .why_not // empty' "$report")
if [ -z "$why" ]; then
    check "of the atomic allocations one in 16 was timed" timed "$report" '.arms[0].live' 16
    start each in_ns receiver "$observe" watch -d 1s -n veth1 -p 0 -f json --latency-every=1
    sleep 0.3
    in_ns sender python3 "$LAB_TMP/send.py" 9000 500
    wait_end each
    check "and with --latency-every=1 all of them" timed "$(log_of each)" . 1
    check "which were some" [ "$(jq .latency_ns.count "$(log_of each)")" -gt 0 ]
else
    note "no allocation is timed here: $why"
fi

# values NAME: of a series, one a line.
values() {
    jq --arg n "$1" '.arms[0].series.list[] | select(.name == $n) | .values[]' "$report"
}

# Memory stands beside the packets, on the same clock. The kernel's index is -1 where a block of order 3 is there, which the
# other one sees too; a series begins at 0, so that -1 is 0 in it.
check "free memory and both indices are sampled with the packets" \
    [ "$(values free_pages | wc -l) $(values unusable_order3 | wc -l) $(values extfrag_order3 | wc -l)" = \
    "$(values received | wc -l) $(values received | wc -l) $(values received | wc -l)" ]
check "the machine has free memory in each" [ "$(values free_pages | awk '$1 <= 0' | wc -l)" = 0 ]
check "the indices are on their scales" [ "$(
    { values unusable_order3 | awk '$1 < 0 || $1 > 1000'; values extfrag_order3 | awk '$1 < 0 || $1 > 2000'; } | wc -l)" = 0 ]
check "where blocks of order 3 are free, both say so" \
    [ "$(paste <(values unusable_order3) <(values extfrag_order3) | awk '$1 < 900 && $2 > 0' | wc -l)" = 0 ]

# ---------------------------------------------------------------- and the verdict

failures=$(jq '.arms[0].live.memory.failures' "$report")
text=$(jq -r '.arms[0].live.memory.text' "$report")
note "$text"
if [ "$failures" = 0 ]; then
    check "no allocation failed, so memory does not explain the drops" \
        grep -q 'Memory does not explain the drops' <<<"$text"
else
    note "this machine failed $failures atomic allocations meanwhile"
fi
check "nor does it explain those that have another reason" \
    [ "$(jq '.arms[0].live.memory.unexplained_by_memory' "$report")" -ge $((rcvbuf + noports)) ]
check "nothing is lost to memory" [ "$(jq .lost_to_memory "$report")" = 0 ]
finish
