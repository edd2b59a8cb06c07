#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# secondary.sh OPS: a second dpdk-testpmd attaches to the first one's pool and receives into it; both
# forward, and the pool is whole when the second has left.
. "$(dirname "$0")/lib.sh"
ops=$1
plugin

# The secondary maps the primary's hugepage files, so that they cannot be unlinked at once.
eal=(--no-pci "--file-prefix=$LAB_ID" -d "$PLUGIN" "--mbuf-pool-ops-name=$ops")
app=(-i --num-procs=2 --rxq=2 --txq=2 --total-num-mbufs=8192)

start first stdbuf -oL dpdk-testpmd --lcores 0@0,1@0 "${eal[@]}" --proc-type=primary \
    --vdev net_null0 --vdev net_null1 -- "${app[@]}" --proc-id=0
wait_log first 'testpmd>' 30 || finish
# Lcore ids of its own: pools have a cache an id, and two processes must not share one.
start second stdbuf -oL dpdk-testpmd --lcores 2@0,3@$(($(nproc) > 1)) "${eal[@]}" \
    --proc-type=secondary -- "${app[@]}" --proc-id=1
wait_log second 'testpmd>' 30 || finish

# The counters of a net_null port are those of both processes: each forwards alone for a while.
tell second 'start'
check "the second forwards" testpmd_wait_forwarded second 10001
tell first 'start'
check "the second sees a pool of ours" testpmd_dump_pool second "$ops"
testpmd_stop second
check "the first forwards" testpmd_wait_forwarded first $(($(testpmd_forwarded first) + 10001))
testpmd_stop first
for who in second first; do
    note "$(testpmd_forwarded "$who") packets forwarded by the $who"
done
tell second 'quit'
wait_end second 20
check "the second ends well" [ "${LAB_STATUS[second]}" = 0 ]

tell first 'start'
check "the first forwards again" testpmd_wait_forwarded first 10001
testpmd_stop first
check "the first goes on without it" testpmd_dump_pool first "$ops"
tell first 'quit'
wait_end first 20
check "the first ends well" [ "${LAB_STATUS[first]}" = 0 ]
check "every buffer is back" [ "$(testpmd_free_objects first)" = 8192 ]
for who in first second; do
    check_not "the $who says nothing of an error" \
        grep -Eiq 'panic|segfault|corrupt|double free' "$(log_of "$who")"
done
finish
