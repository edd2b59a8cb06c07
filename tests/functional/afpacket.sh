#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# net_af_packet between a real client and a real server: ping and iperf3 pass through the application,
# and its ledger has every frame of them. When every page is refused, the frames wait in the kernel's
# ring, in flight, and are delivered afterwards; those that find the ring full are lost, which the
# kernel alone counts, and the ledger has them too.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/session.sh"
. "$(dirname "$0")/bridge.sh"

bridge net_af_packet
pings
stream

# The driver asks for an mbuf before it takes a frame out of its ring, so that a refusal delays but
# does not lose it.
open_books
order lab 'inject probability 1'
check_not "refused: nothing comes through" quiet ping_through 5 1
check "refused: the ledger has every frame that came over the cables" wait_for 20 quiet all_offered
check "refused: all of them wait in the ring" quiet jq -e \
    '.offered >= 1 and .in_flight == .offered and .delivered == 0 and .unexplained == 0' \
    "$LAB_TMP/ledger.json"
order lab 'inject off'
nothing_waits() {
    [ "$(ledger lab .in_flight)" = 0 ]
}
check "refused: then they come through" wait_for 20 nothing_waits
check "refused: the ledger has every frame" wait_for 20 quiet all_offered
show_books refused
check "refused: the ledger has the refusals" [ "$(jq .failures.injected "$LAB_TMP/ledger.json")" -gt 0 ]
check "refused: and loss of nothing" quiet jq -e '.dropped == 0 and .unexplained == 0' "$LAB_TMP/ledger.json"
check "refused: the peer answers again" quiet ping_through 3

# More of them than the ring takes.
slots=512 # of a ring, the driver's default
open_books
order lab 'inject probability 1'
flood 3000
check "overflow: the ledger has every frame that came over the cables" wait_for 30 quiet all_offered
check "overflow: the ring is full" [ "$(jq .ports.port0.in_flight "$LAB_TMP/ledger.json")" = "$slots" ]
show_books overflow
check "overflow: all else was lost at it" quiet jq -e ".ports.port0 | .offered >= 3000 and
    .drops == {rx_missed: (.offered - $slots)} and .unexplained == 0" "$LAB_TMP/ledger.json"
order lab 'inject off'
check "overflow: then the ring's come through" wait_for 20 nothing_waits
check "overflow: the ledger has every frame" wait_for 20 quiet all_offered
check "overflow: the ring was delivered, the rest was lost" quiet jq -e ".ports.port0 |
    .delivered == .offered - .dropped and .dropped >= 3000 - $slots and .unexplained == 0" "$LAB_TMP/ledger.json"
lost=$(jq .ports.port0.drops.rx_missed "$LAB_TMP/ledger.json")
check "overflow: the port's statistics have the loss" quiet jq -e "[.. | .rx_missed? // empty] | first >= $lost" \
    <(ask lab 'show port stats 0 json')
check_sane overflow

close_bridge
finish
