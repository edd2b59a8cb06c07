#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A dpdk-testpmd, unmodified and in a process of its own, sends through net_memif; the application
# receives into a zone that is squeezed. What the generator could not send is what our ledger has
# lost, packet for packet.
#
# How a packet is lost here: net_memif's receiver needs an mbuf before it takes a frame out of the
# ring. With its allocation refused it counts nothing and leaves the frame where it is. So the ring
# fills, and when it stands full the generator's burst is cut short: TX-dropped. Nothing that went
# into the ring is ever lost. When both have come to rest, therefore,
#
#   TX-total = TX-packets + TX-dropped, TX-packets = delivered (+ what still lies in the ring),
#   and TX-dropped = the ledger's drops, whose cause on such a port is "backpressure".
#
# The ledger is told TX-total and nothing else; what was delivered it has counted itself.
#
# A receiver that is merely slow lets the ring fill, too. So the first two rounds are made such that
# the machine's speed cannot matter: half a ring of frames sent while nobody reads loses none, and
# of more than a ring, with every allocation refused, the ring takes its slots and not one more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/session.sh"

socket=$LAB_TMP/memif.sock
slots=1024 # of the ring, memif's default
pages=2048

eal_args nohuge
cpus 0 1
labyrinth lab -- --vdev "net_memif0,role=server,socket=$socket,socket-abstract=no" -- \
    --forward-mode=rxonly "--total-num-mbufs=$pages" --mbcache=0
wait_log lab 'Interactive-mode selected' 60 || finish
eal_args nohuge gen
cpus 1 0
start gen stdbuf -oL dpdk-testpmd "${EAL[@]}" \
    --vdev "net_memif0,role=client,socket=$socket,socket-abstract=no" -- \
    -i --total-num-mbufs=8192 --txpkts=64
wait_log gen 'testpmd>' 60 || finish

link_up() {
    ask lab 'show port info 0 json' | jq -e '[.. | .link? // empty | tostring] | any(test("up"))'
}
wait_for 60 quiet link_up || die "the two never met at the socket"

# delivered_is N: the application has read so many since the clear.
delivered_is() {
    [ "$(ledger lab .delivered)" = "$1" ]
}

# account NAME: with the generator at rest, SENT, REFUSED and TOTAL set and everything read: tell
# the ledger what was offered and compare the two sides.
account() {
    check "$1: all that went into the ring was delivered" wait_for 60 delivered_is "$SENT"
    order lab "ledger offered 0 $TOTAL"
    ask lab 'show ledger json' >"$LAB_TMP/ledger.json"
    note "$1: generator: offered $TOTAL, sent $SENT, could not send $REFUSED;" \
        "ledger: $(jq -c 'del(.ports) | .failures |= with_entries(select(.value > 0))' \
            "$LAB_TMP/ledger.json")"
    check "$1: both say that as many were offered" [ "$(jq .offered "$LAB_TMP/ledger.json")" = "$TOTAL" ]
    check "$1: the generator's figures add up" [ "$TOTAL" = $((SENT + REFUSED)) ]
    check "$1: the loss it saw is the loss in our ledger" \
        [ "$(jq .dropped "$LAB_TMP/ledger.json")" = "$REFUSED" ]
    check "$1: and all of it by the ring's backpressure" \
        [ "$(jq '.drops.backpressure // 0' "$LAB_TMP/ledger.json")" = "$REFUSED" ]
    check "$1: nothing is in flight or unexplained" \
        quiet jq -e '.in_flight == 0 and .unexplained == 0 and .closes' "$LAB_TMP/ledger.json"
}

refusals() {
    jq ".failures.$1" "$LAB_TMP/ledger.json"
}

# ------------------------------------------------ half a ring: no loss where nothing is refused
order lab 'clear ledger'
tell gen "start tx_first $((slots / 2 / 32))"
halt gen
check "half a ring: all of it is sent" [ "$SENT" = $((slots / 2)) ]
order lab start
account "half a ring"
check "half a ring: nothing was lost" [ "$REFUSED" = 0 ]
check "half a ring: nothing was refused" quiet jq -e '[.failures[]] | add == 0' "$LAB_TMP/ledger.json"

# ------------------------------------------------ the marks above what is free: all is refused
# Tenants leave so little free that a request of GFP_ATOMIC is refused with the mark at its
# highest: the ring takes its slots and not one more.
order lab 'age scatter occupancy=0.9 unusable=0@0'
order lab 'set zone min_free_kbytes 4096'
order lab 'clear ledger'
tell gen 'start tx_first 100'
halt gen
check "squeezed: the ring takes its slots, and no more" [ "$SENT" -ge $((slots - 1)) -a "$SENT" -le "$slots" ]
check "squeezed: the rest is lost at the generator" [ "$REFUSED" = $((3200 - SENT)) ]
check "squeezed: nothing is delivered" delivered_is 0
order lab 'set zone min_free_kbytes 0'
order lab 'age release all'
account "squeezed"
check "squeezed: refusals at the watermark did it" [ "$(refusals watermark)" -gt 0 ]
check "squeezed: and no other" \
    quiet jq -e '[.failures[]] | add == max' "$LAB_TMP/ledger.json"

# ------------------------------------------------ at full rate, every fifth page refused
order lab 'inject probability 0.2 seed=7'
order lab 'clear ledger'
tell gen 'set fwd txonly'
tell gen start
under_way() {
    ask lab 'show ledger json' |
        quiet jq -e ".failures.injected > 100 and .delivered > $((2 * slots))"
}
check "at full rate: pages are refused, packets come through" wait_for 60 under_way
halt gen
order lab 'inject off'
account "at full rate"
check "at full rate: packets came through" [ "$SENT" -gt $((2 * slots)) ]
check "at full rate: packets were lost" [ "$REFUSED" -gt 0 ]
check "at full rate: refusals by injection" [ "$(refusals injected)" -gt 100 ]

# ------------------------------------------------ the check can fail: a sender that says too little
order lab "ledger offered 0 $((SENT - 1))"
check "a sender that forgot a packet leaves it unexplained" [ "$(ledger lab .unexplained)" = -1 ]

# net_memif unmaps the ring when its peer leaves, also under an lcore that still reads it.
order lab stop
leave gen
leave lab
check_not "no socket stays" [ -e "$socket" ]
check "no hugepage file stays" [ -z "$(hugepage_files)" ]
finish
