#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# testpmd.sh MODE OPS CACHE: the distribution's own dpdk-testpmd receives its packets into a pool of
# ours and forwards them between two net_null ports, and answers for it over telemetry.
. "$(dirname "$0")/lib.sh"
mode=$1 ops=$2 cache=$3
plugin
eal_args "$mode"

start pmd stdbuf -oL dpdk-testpmd -d "$PLUGIN" "${EAL[@]}" --vdev net_null0 --vdev net_null1 \
    "--mbuf-pool-ops-name=$ops" -- -i --total-num-mbufs=8192 "--mbcache=$cache"
wait_log pmd 'testpmd>' 30 || finish
check_match "testpmd takes the ops" "preferred mempool ops selected: $ops\$" "$(log_of pmd)"
tell pmd 'start'
check "packets are forwarded" testpmd_wait_forwarded pmd 10001
check "its packet pool has our ops" testpmd_dump_pool pmd "$ops"

# answer COMMAND FILTER: the answer holds what the jq filter asks of it.
answer() {
    telemetry "$1" >"$LAB_TMP/answer.json" || return
    note "$(head -c 300 "$LAB_TMP/answer.json")"
    quiet jq -e "to_entries[0].value | $2" "$LAB_TMP/answer.json"
}

check "/labyrinth/info lists the pool" answer /labyrinth/info '.pools | index("mb_pool_0") != null'
check "and describes it" answer /labyrinth/info,mb_pool_0 ".ops == \"$ops\" and .size == 8192"
check "/labyrinth/zone has its pages" answer /labyrinth/zone '.managed >= 8192 and .error == null'
check "/labyrinth/failures has its requests" answer /labyrinth/failures '.dequeues > 0'
check "/labyrinth/frag has its indices" answer /labyrinth/frag '.free >= 0 and .error == null'
check "a pool that is not there gets an error" answer /labyrinth/zone,nobody '.error | test("nobody")'
echo '/labyrinth/info,mb_pool_0' | dpdk-telemetry.py -f "$LAB_ID" >"$LAB_TMP/client" 2>&1
check_match "DPDK's own client reads it too" "$ops" "$LAB_TMP/client"

testpmd_stop pmd
tell pmd 'dump_mempool'
tell pmd 'dump mempool'
tell pmd 'quit'
wait_end pmd 20
check "testpmd ends well" [ "${LAB_STATUS[pmd]}" = 0 ]
note "$(testpmd_forwarded pmd) packets forwarded"
check "packets were forwarded" [ "$(testpmd_forwarded pmd)" -gt 10000 ]
check "every buffer is back" [ "$(testpmd_free_objects pmd)" = 8192 ]
check_not "it says nothing of an error" grep -Eiq 'error|panic|segfault|fail' "$(log_of pmd)"
check "no hugepage file stays" [ -z "$(hugepage_files)" ]
finish
