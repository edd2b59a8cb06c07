#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# net_af_xdp between a real client and a real server: ping and iperf3 pass through the application,
# and its ledger has every frame of them. When every page is refused, what the kernel drops for want of
# a buffer is in the ledger too.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/session.sh"
. "$(dirname "$0")/bridge.sh"

bridge net_af_xdp
pings
stream

# The driver asks for new mbufs for the kernel's fill ring before it takes frames. With every page
# refused the frames wait until the fill ring is used up; the kernel drops the rest and counts them,
# and with the driver's help so does the ledger.
open_books
order lab 'inject probability 1'
flood 6000
check "refused: nothing comes through" [ "$(ledger lab .delivered)" = 0 ]
order lab 'inject off'
check "refused: the ledger has every frame that came over the cables" wait_for 30 quiet all_offered
show_books refused
check "refused: the ledger has the refusals" [ "$(jq .failures.injected "$LAB_TMP/ledger.json")" -gt 0 ]
check "refused: frames are lost, all of them as missed, and none is unexplained" quiet jq -e \
    '.dropped > 0 and .dropped == .drops.rx_missed and .unexplained == 0' "$LAB_TMP/ledger.json"
check "refused: the rest waited and was delivered" quiet jq -e '.ports.port0.delivered > 0' "$LAB_TMP/ledger.json"
check_sane refused
check "refused: the peer answers again" quiet ping_through 3
close_bridge
finish
