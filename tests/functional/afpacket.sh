#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# net_af_packet between a real client and a real server: ping and iperf3 pass through the application,
# and its ledger has every frame of them. When every page is refused, the frames wait in the kernel's
# ring, and the ledger has them afterwards.
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
read_books
check "refused: the ledger has nothing" [ "$(jq .offered "$LAB_TMP/ledger.json")" = 0 ]
check "refused: though frames came over the cable" [ "$NEAR" -ge 1 ]
order lab 'inject off'
check "refused: the frames waited in the ring" wait_for 20 quiet all_offered
show_books refused
check "refused: the ledger has the refusals" [ "$(jq .failures.injected "$LAB_TMP/ledger.json")" -gt 0 ]
check "refused: and loss of nothing" quiet jq -e '.dropped == 0 and .unexplained == 0' "$LAB_TMP/ledger.json"
check "refused: the peer answers again" quiet ping_through 3

close_bridge
finish
