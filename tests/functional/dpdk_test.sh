#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# dpdk_test.sh MODE OPS: the distribution's own mempool and mbuf suites pass with our ops as the default.
. "$(dirname "$0")/lib.sh"
mode=$1 ops=$2
plugin

# run_suite SUITE: sets log, to its output.
run_suite() {
    eal_args "$mode"
    log=$LAB_TMP/$1.log
    DPDK_TEST=$1 timeout 120 dpdk-test -d "$PLUGIN" "${EAL[@]}" "--mbuf-pool-ops-name=$ops" \
        </dev/null >"$log" 2>&1
}

run_suite mempool_autotest
check "mempool_autotest ends with 0" [ $? = 0 ]
check_match "and passed" '^Test OK' "$log"
check_match "with a pool of ours among its own" "ops_name: <$ops>" "$log"

run_suite mbuf_autotest
check "mbuf_autotest ends with 0" [ $? = 0 ]
check_match "and passed" '^Test OK' "$log"

# The control: were these pools not ours, refusing every request would change nothing.
LAB_MEMPOOL=inject_ppm=1000000 run_suite mbuf_autotest
check_not "mbuf_autotest fails when we refuse everything" grep -q '^Test OK' "$log"
check "no hugepage file stays" [ -z "$(hugepage_files)" ]
finish
