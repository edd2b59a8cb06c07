#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Wire ports in real time: on an lcore of their own and on the forwarding one, with one queue and
# with two, on rings of several lengths; the ledger closes while they run and after.
. "$(dirname "$0")/lib.sh"
needs app cmd:jq
app=$LAB_BUILD/app/labyrinth
file=$LAB_TMP/wire.cmd
out=$LAB_TMP/out.log

# wires LCORES OPTIONS...: run the commands on standard input. Every JSON line block is checked below.
wires() {
    local lcores=$1
    shift
    cat >"$file"
    eal_args nohuge
    EAL[1]=$lcores
    timeout 100 "$app" "${EAL[@]}" -- --cmdline-file "$file" --mbuf-size=4096 "$@" >"$out" 2>&1 \
        </dev/null
}

ledgers() {
    sed -n '/^<<<$/,/^>>>$/{/^<<<$/d;/^>>>$/d;p}' "$out" | jq -s "$@"
}

check_ledgers() {
    check "$1: it runs" [ "$2" = 0 ] || tail -n 20 "$out"
    check "  packets are offered" quiet ledgers -e '[.[].offered > 1000] | all'
    check "  packets are delivered" quiet ledgers -e '[.[].delivered > 100] | all'
    check "  three ledgers close exactly" quiet ledgers -e 'length == 3 and ([.[] | .closes and
        .unexplained == 0 and ([.ports[] | .offered == .delivered + .in_flight +
        ([.drops[]] | add // 0)] | all)] | all)' || ledgers .
    check "  the sums over the ports are the total" quiet ledgers -e '[.[] |
        .offered == ([.ports[].offered] | add) and .delivered == ([.ports[].delivered] | add)] | all'
}

body() {
    cat <<C
port attach wire:a,rxd=256,sink=on,arrival=poisson:rate=100k,size=64-1500,flows=64
port attach wire:b,rxd=64,arrival=onoff:rate=1M,on=1ms,off=9ms,size=imix
port start all
set fwd $1
start
wait 300ms
echo <<<
show ledger json
echo >>>
wait 200ms
stop
echo <<<
show ledger json
echo >>>
start
wait 100ms
stop
echo <<<
show ledger json
echo >>>
C
}

two=$([ "$(nproc)" -gt 1 ] && echo 1 || echo 0)
body io | wires "0@0,1@$two"
check_ledgers "wires on the forwarding lcore" $?
body noisy | wires "0@0,1@$two,2@0"
check_ledgers "wires on an lcore of their own" $?
check_match "  which is said" 'Logical Core 2 .* runs the wires' "$out"
body macswap | wires "0@0,1@$two,2@0,3@$two" --rxq=2 --txq=2 --nb-cores=2
check_ledgers "two queues on two lcores" $?
check_match "  with four streams" 'cores=2 - streams=4' "$out"
body sink | wires "0@0,1@$two,2@0"
check_ledgers "a sink" $?

# What the sink sees by the stamps is what the wire counted: lost = dropped by the ring.
# stamped WHAT SED: run the body, edited, and leave the figures of both in $LAB_TMP/stamps.
stamped() {
    local what=$1 edit=$2
    { body sink | sed "$edit"; echo 'echo <<<'; echo 'show fwd stats all json'; echo 'echo >>>'; } |
        wires "0@0,1@$two"
    check "$what: it runs" [ $? = 0 ]
    ledgers '{
        received: .[-1].streams[0].sink.received, lost: .[-1].streams[0].sink.lost,
        delivered: .[-2].delivered, dropped: .[-2].dropped}' >"$LAB_TMP/stamps"
    note "$(jq -c . "$LAB_TMP/stamps")"
    check "  received by stamps = delivered by the ledger" \
        quiet jq -e '.received == .delivered' "$LAB_TMP/stamps"
}

# The last frames of a flow may be lost without a later one to show it: how many that are depends on
# how fast this machine is.
stamped "loss by stamps" '/wire:b/d; s/rate=100k/rate=2M/'
check "  lost by stamps <= dropped by the ledger" quiet jq -e '.lost <= .dropped' "$LAB_TMP/stamps"

# In virtual time, a burst that overflows the ring in each 2 ms and none at the end: at most the last
# frames of each flow are not shown.
stamped "loss by stamps in virtual time" '/wire:b/d; 1i set time virtual
    1i set cost poll=100,packet=400
    s/poisson:rate=100k/onoff:rate=5M,on=500us,off=1500us/'
check "  many are dropped, and the stamps show all but the last" quiet jq -e \
    '.dropped > 10000 and .lost <= .dropped and .lost > 0.9 * .dropped' "$LAB_TMP/stamps"

# Bytes are counted as the packets are.
{ sed 's/wire:a,.*/wire:a,arrival=constant:rate=100k,size=100/; /wire:b/d; 1i set time virtual' < <(body io)
  echo 'echo <<<'; echo 'show port stats 0 json'; echo 'echo >>>'; } | wires "0@0,1@$two"
check "bytes: it runs" [ $? = 0 ]
check "  100 for each packet" quiet ledgers -e \
    '.[-1].ports[0] | .rx_packets > 1000 and .rx_bytes == 100 * .rx_packets and .tx_bytes == 100 * .tx_packets'

# Where every page is refused, virtual time goes from event to event; where a lot could let one pass, each
# poll is run. With a count that never runs out both are the same, and so is where the packets went.
refused_all() {
    wires "0@0,1@$two" --mbcache=0 <<C
set time virtual
port attach wire:a,rxd=64,arrival=onoff:rate=5M,on=100us,off=900us,size=64-1500
port attach wire:b,rxd=64,arrival=poisson:rate=30k
set fwd rxonly
port start all
clear ledger
run 5ms
inject probability 1$1
run 50ms
inject off
run 5ms
echo <<<
show ledger json
echo >>>
C
    check "every page refused$1: it runs" [ $? = 0 ] || tail -n 20 "$out"
    ledgers '.[0]' >"$LAB_TMP/ledger"
    note "$(jq -c '[.offered, .drops, .failures.injected]' "$LAB_TMP/ledger")"
    jq 'del(.failures)' "$LAB_TMP/ledger" >"$2"
}
refused_all "" "$LAB_TMP/by-event"
refused_all " times=1000000000" "$LAB_TMP/by-poll"
check "  packets are lost to it" quiet jq -e '.drops.injected > 10000 and .delivered > 1000' "$LAB_TMP/by-event"
check "  from event to event, the same ledger as poll by poll" cmp "$LAB_TMP/by-event" "$LAB_TMP/by-poll"
finish
