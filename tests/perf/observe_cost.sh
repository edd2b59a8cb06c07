#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What labyrinth-observe costs: ns for each page allocation, and TCP throughput over a cable between two namespaces with and
# without it, by turns. Figures of a busy machine are worth little: the load is printed with them.
#
#   tests/perf/observe_cost.sh [BUILD [PAIRS [SECONDS]]]     needs root, iperf3 and jq
set -euo pipefail
build=${1:-$(dirname "$0")/../../build}
pairs=${2:-10}
seconds=${3:-3}
a=labperf$$a b=labperf$$b
work=$(mktemp -d)
server='' observer=''

cleanup() {
    [ -z "$observer" ] || kill "$observer" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

load() {
    cut -d' ' -f1-3 /proc/loadavg
}


# bits: of one run.
bits() {
    ip netns exec "$a" iperf3 -J -c 10.9.1.2 -t "$seconds" </dev/null | jq .end.sum_received.bits_per_second
}

watch_on() {
    ip netns exec "$b" "$build/app/labyrinth-observe" watch -p 0 -n veth1 >/dev/null 2>&1 &
    observer=$!
    sleep 0.5
}

watch_off() {
    kill -INT "$observer"
    wait "$observer" || true
    observer=''
}

summary() {
    sort -n "$work/$1" | awk -v name="$1" '{ v[NR] = $1 }
        END { printf "%-18s median %.4g, quartiles %.4g %.4g\n", name, v[int((NR + 1) / 2)],
            v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }'
}

echo "$(uname -r), $(nproc) CPUs, load $(load)"
"$build/tests/perf/observe_cost"
echo "load $(load)"

ip netns add "$a"
ip netns add "$b"
ip -n "$a" link add veth0 type veth peer name veth1 netns "$b"
ip -n "$a" address add 10.9.1.1/24 dev veth0
ip -n "$b" address add 10.9.1.2/24 dev veth1
ip -n "$a" link set veth0 up
ip -n "$b" link set veth1 up
ip netns exec "$b" iperf3 -s >/dev/null 2>&1 &
server=$!
sleep 1
bits >/dev/null # the first one is no measure
for i in $(seq "$pairs"); do
    # which of the two comes first changes from pair to pair
    if [ $((i % 2)) = 0 ]; then
        without=$(bits)
        watch_on
        with=$(bits)
        watch_off
    else
        watch_on
        with=$(bits)
        watch_off
        without=$(bits)
    fi
    awk -v x="$without" 'BEGIN { print x / 1e9 }' >>"$work/without"
    awk -v x="$with" 'BEGIN { print x / 1e9 }' >>"$work/with"
    awk -v x="$with" -v y="$without" 'BEGIN { print x / y }' >>"$work/ratio"
done
summary without
summary with
summary ratio
echo "load $(load)"
