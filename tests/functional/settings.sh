#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Settings of the driver reach an application that knows nothing of it, by environment and by file;
# wrong ones are refused with a message and nothing runs on a guess.
. "$(dirname "$0")/lib.sh"
plugin
eal_args nohuge
pmd=(stdbuf -oL dpdk-testpmd -d "$PLUGIN" "${EAL[@]}" --vdev net_null0 --vdev net_null1
    --mbuf-pool-ops-name=labyrinth_buddy -- -i --total-num-mbufs=4096 --mbcache=0)

# refused MESSAGE REGEX SETTING...: testpmd must not start with this environment, and say why.
refused() {
    local message=$1 regex=$2
    shift 2
    env "$@" timeout 30 "${pmd[@]}" <<<quit >"$LAB_TMP/refused.log" 2>&1
    check "$message ends testpmd" [ $? != 0 ]
    check_match "and the message says what is wrong" "$regex" "$LAB_TMP/refused.log"
}

refused "an unknown setting" 'nonsense' LAB_MEMPOOL=nonsense=1
refused "a value that is no number" 'inject_ppm' LAB_MEMPOOL=inject_ppm=many
refused "a value out of range" 'inject_ppm' LAB_MEMPOOL=inject_ppm=1000001
refused "a file that is not there" '/nonexistent/file' LAB_MEMPOOL_CONFIG=/nonexistent/file

injected_with() {
    local name=$1
    shift
    start "$name" env "$@" "${pmd[@]}"
    wait_log "$name" 'testpmd>' 30 || return 1
    tell "$name" start
    sleep 1
    telemetry /labyrinth/failures >"$LAB_TMP/failures.json"
    tell "$name" stop
    wait_log "$name" 'Accumulated forward statistics' 10
    tell "$name" quit
    wait_end "$name" 20
    check "testpmd survives ($name)" [ "${LAB_STATUS[$name]}" = 0 ]
    check "and still forwards ($name)" [ "$(testpmd_forwarded "$name")" -gt 1000 ]
    note "$(cat "$LAB_TMP/failures.json")"
    injected=$(jq '[.. | objects | .injected? | numbers] | add // 0' "$LAB_TMP/failures.json")
    check "the driver refused and says so ($name)" [ "${injected:-0}" -gt 0 ]
}

injected_with environment LAB_MEMPOOL=inject_ppm=10000,inject_seed=7
printf '[default]\ninject_ppm = 10000\n' >"$LAB_TMP/driver.conf"
injected_with file "LAB_MEMPOOL_CONFIG=$LAB_TMP/driver.conf"
finish
