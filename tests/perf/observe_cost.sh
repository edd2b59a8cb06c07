#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What labyrinth-observe costs: ns for each page allocation, and a share of an iperf3 stream over veth between two
# namespaces; both for watch and for record, and how many events a second record takes. One stream runs all the time,
# and what is measured is switched on and off in slots of 100 ms (observe_slots.c). The stream, its receiver and
# the observer share one CPU, so that no work hides on an idle one. About 4 minutes.
#
#   tests/perf/observe_cost.sh [BUILD [PAIRS [SEED]]]     needs root and iperf3
#
# LAB_PERF_CPUS=0,1  the stream and the observer have these CPUs (the last one); bytes a second then also depend on how
#                    fast the host wakes a CPU up
# LAB_PERF_WHAT=...  of: events nothing burn watch record rate (all but burn)
set -euo pipefail
build=${1:-$(dirname "$0")/../../build}
pairs=${2:-500}
seed=${3:-1}
cpus=${LAB_PERF_CPUS:-$(($(nproc --all) - 1))}
parts=${LAB_PERF_WHAT:-events nothing watch record rate}
programs=$build/tests/perf
a=labperf$$a b=labperf$$b
work=$(mktemp -d)
server='' client=''

cleanup() {
    [ -z "$client" ] || kill "$client" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

wants() {
    [[ " $parts " == *" $1 "* ]]
}

# What else runs is part of every figure.
state() {
    echo "load $(cut -d' ' -f1-3 /proc/loadavg), $(awk '/^cpu / { print $9 / 100 }' /proc/stat) s stolen by the host so far"
}

start_stream() {
    ip netns add "$a"
    ip netns add "$b"
    ip -n "$a" link add veth0 type veth peer name veth1 netns "$b"
    ip -n "$a" address add 10.9.1.1/24 dev veth0
    ip -n "$b" address add 10.9.1.2/24 dev veth1
    ip -n "$a" link set veth0 up
    ip -n "$b" link set veth1 up
    taskset -c "$cpus" ip netns exec "$b" iperf3 -s >/dev/null 2>&1 &
    server=$!
    sleep 1
    taskset -c "$cpus" ip netns exec "$a" iperf3 -c 10.9.1.2 -t 0 </dev/null >/dev/null 2>&1 &
    client=$!
    sleep 2
}

# slots WHAT PAIRS SLOT_MS
slots() {
    wants "$1" || return 0
    echo
    taskset -c "$cpus" ip netns exec "$b" "$programs/observe_slots" --what="$1" --pairs="$2" --slot="$3" \
        --seed="$seed" --output="$work/trace" veth1 "$server" "$client"
    state
}

echo "$(uname -r), $(nproc) CPUs, $(iperf3 --version | awk 'NR == 1'), seed $seed, CPUs of the stream: $cpus"
state
if wants events; then
    echo
    "$programs/observe_cost" watch 61
    "$programs/observe_cost" record 31 "$work/trace"
    state
fi
if wants nothing || wants burn || wants watch || wants record; then
    start_stream
    # As many pairs for a part as its effect is small.
    slots nothing $(((pairs + 4) / 5 < 20 ? 20 : (pairs + 4) / 5)) 100
    slots burn "$pairs" 100
    slots watch "$pairs" 100
    slots record $(((pairs + 9) / 10 < 20 ? 20 : (pairs + 9) / 10)) 200
    kill "$client" "$server"
    wait || true
    client='' server=''
fi
if wants rate; then
    echo
    "$programs/record_rate" "$work/trace" 2
    state
fi
