#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sigint.sh MODE: a signal stops forwarding, prints the ledger and leaves nothing behind, with
# hugepages (MODE huge) or without.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/session.sh"
mode=$1
needs app
app=$LAB_BUILD/app/labyrinth
eal_args "$mode"
# Without EAL's own way to leave no file.
[ "$mode" = nohuge ] || unset 'EAL[-1]'

delivers() {
    [ "$(ledger run .delivered)" -gt 0 ]
}

for signal in INT TERM; do
    start run "$app" "${EAL[@]}" --vdev net_null0 --vdev net_null1 -- -i -a --total-num-mbufs=2048
    wait_log run 'packet forwarding - ports=2'
    check "$signal: it forwards" wait_for 20 delivers
    if [ "$mode" = huge ]; then
        check "there are hugepage files while it runs" [ -n "$(hugepage_files)" ]
    fi
    stop run "$signal"
    check "$signal: it ends with 0" [ "${LAB_STATUS[run]}" = 0 ]
    check_match "  forwarding was stopped" 'Accumulated forward statistics' "$(log_of run)"
    check_match "  the ledger is printed" '^  total +[1-9][0-9]* +[1-9]' "$(log_of run)"
    check_match "  it has nothing unexplained" '^  total( +[0-9]+){4} +0$' "$(log_of run)"
    check_match "  the ports were closed" 'Closing port 1' "$(log_of run)"
    check "  no hugepage file stays" [ -z "$(hugepage_files)" ]
done

# In the middle of a command file, in virtual time.
cat >"$LAB_TMP/long.cmd" <<'C'
set time virtual
port attach wire:w,arrival=poisson:rate=1M
port start all
start
echo forwarding
wait 1000000s
echo never
C
start file "$app" "${EAL[@]}" -- --total-num-mbufs=2048 --mbcache=0 \
    --cmdline-file "$LAB_TMP/long.cmd"
wait_log file '^forwarding$'
takes_pages() {
    telemetry /labyrinth/failures | quiet jq -e '[.. | objects | .dequeues? | numbers] | max > 1000'
}
check "packets arrive while it waits" wait_for 20 takes_pages
stop file INT
check "INT ends a command file" [ "${LAB_STATUS[file]}" != 124 ]
check_not "  which goes no further" grep -q '^never$' "$(log_of file)"
check_match "  the ledger closes" '^  total( +[0-9]+){4} +0$' "$(log_of file)"
check "  no hugepage file stays" [ -z "$(hugepage_files)" ]

# quit cleans up likewise.
start quit "$app" "${EAL[@]}" --vdev net_null0 -- -i --total-num-mbufs=2048
tell quit quit
wait_end quit
check "quit ends with 0" [ "${LAB_STATUS[quit]}" = 0 ]
check "  no hugepage file stays" [ -z "$(hugepage_files)" ]
finish
