#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# demo.sh MODE: the newcomer's command: twice in a row, with reports that tools can read; refused
# with a clear message where it cannot write; and gone without a trace when interrupted.
. "$(dirname "$0")/lib.sh"
mode=$1
needs app file:"$LAB_SOURCE/config/scenarios/default.cmd"
demo=$LAB_SOURCE/scripts/demo
export LAB_NO_INSTALL=1 LAB_OUT=$LAB_TMP/out
[ "$mode" = huge ] || export LAB_NO_HUGE=1

# Files that any process of the demo left in hugetlbfs: its prefixes start with "lab".
demo_files() {
    local mount
    for mount in $(hugetlb_mounts); do
        find "$mount" -maxdepth 1 -name 'lab[0-9]*map_*'
    done
}

# Twice where nothing else differs from round to round, which is enough.
rounds=first
[ "$mode" = huge ] || rounds='first second'
for round in $rounds; do
    "$demo" </dev/null >"$LAB_TMP/demo.log" 2>&1
    check "the $round run ends with 0" [ $? = 0 ] || tail -n 30 "$LAB_TMP/demo.log"
    check "it leaves a page for people" [ -s "$LAB_OUT/report.html" ]
    check "it leaves an object for tools" quiet jq -e 'type == "object"' "$LAB_OUT/report.json"
done
if [ "$mode" = nohuge ]; then
    check_match "it says that it runs on ordinary memory" 'no hugepages .*--no-huge' "$LAB_TMP/demo.log"
fi
for key in ledger failures zone frag correlation seed command; do
    check "the report holds \"$key\"" \
        quiet jq -e "[.. | objects | select(has(\"$key\"))] | length > 0" "$LAB_OUT/report.json"
done
check "its ledger has drops by cause" \
    quiet jq -e '[.. | objects | .ledger? | objects | .. | objects | .drops? | objects] | length > 0' \
    "$LAB_OUT/report.json"

LAB_OUT=/dev/null/out "$demo" </dev/null >"$LAB_TMP/demo.log" 2>&1
check "without a folder to write to it fails" [ $? != 0 ]
check_match "and says so" '^error: cannot write the reports' "$LAB_TMP/demo.log"
"$demo" "$LAB_TMP/no-such.cmd" </dev/null >"$LAB_TMP/demo.log" 2>&1
check "without a scenario it fails" [ $? != 0 ]
check_match "and says so" '^error: no such scenario' "$LAB_TMP/demo.log"

# A run that goes on until it is interrupted, however fast the machine is.
cat >"$LAB_TMP/long.cmd" <<'END'
port attach net_null0
port start all
run 600s
END
find_app() {
    app=$(pgrep -P "${LAB_PIDS[interrupted]}" -x labyrinth)
}

start interrupted "$demo" "$LAB_TMP/long.cmd"
wait_log interrupted '==> running' 120
wait_for 10 find_app
note "the application is process ${app:-none}"
check "the application runs" [ -n "$app" ]
stop interrupted TERM
check "an interrupted demo does not end with 0" [ "${LAB_STATUS[interrupted]}" != 0 ]
check_not "its application is gone" [ -d "/proc/${app:-0}" ]
check "no hugepage file stays" [ -z "$(demo_files)" ]
finish
