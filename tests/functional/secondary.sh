#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# secondary.sh OPS: a second dpdk-testpmd attaches to the first one's pool and receives into it; both
# forward, and the pool is whole when the second has left. A third one is killed: what its caches held is given
# back when it is asked for, and not before it is dead.
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
check "every buffer is back" [ "$(testpmd_free_objects first)" = 8192 ]

# reclaim PID: what the first says when it is to give back that process's caches.
reclaim() {
    telemetry "/labyrinth/reclaim,pid=$1" | jq -c '.[]'
}

# Not the second's lcores: what their caches have left would serve the third without the driver.
start third stdbuf -oL dpdk-testpmd --lcores 4@0,5@$(($(nproc) > 1)) "${eal[@]}" \
    --proc-type=secondary -- "${app[@]}" --proc-id=1
wait_log third 'testpmd>' 30 || finish
tell third 'start'
check "the third forwards" testpmd_wait_forwarded third 10001
pid=${LAB_PIDS[third]}
if [ "$ops" = labyrinth ]; then
    check_match "its caches are its own while it lives" "process $pid is alive" <(reclaim "$pid")
fi
stop third KILL
case $ops in
    labyrinth)
        pages=$(reclaim "$pid" | jq '.pages // 0')
        note "$pages pages given back of process $pid"
        check "killed, it gives its pages back" [ "$pages" -gt 0 ]
        check_match "once" "process $pid has no caches in pool" <(reclaim "$pid")
        ;;
    *)
        check_match "killed, it leaves no caches" "buddy allocator has no caches" <(reclaim "$pid")
        ;;
esac
tell first 'start'
check "the first forwards without it" testpmd_wait_forwarded first $(($(testpmd_forwarded first) + 10001))
testpmd_stop first
testpmd_dump_pool first "$ops"
lost=$((8192 - $(testpmd_free_objects first)))
note "$lost buffers were in the third's hands"
check "only what it held is lost" [ "$lost" -ge 0 -a "$lost" -le 128 ]
tell first 'quit'
wait_end first 20
check "the first ends well" [ "${LAB_STATUS[first]}" = 0 ]
for who in first second third; do
    check_not "the $who says nothing of an error" \
        grep -Eiq 'panic|segfault|corrupt|double free' "$(log_of "$who")"
done

# The same by the program's command line; the one that is killed is the unit test's.
if [ "$ops" = labyrinth ]; then
    needs app
    start app stdbuf -oL "$LAB_BUILD/app/labyrinth" --lcores 0@0 --no-pci "--file-prefix=${LAB_ID}b" -m 64 -- -i
    tell app 'pool create shared,n=1000,size=2176,cache=0,ops=labyrinth'
    tell app 'show zone info shared'
    wait_log app 'made_whole' 20 || finish
    "$LAB_BUILD/tests/unit/mempool/test_mempool_secondary" killed "${LAB_ID}b" >"$LAB_TMP/killed.log" 2>&1 &
    pid=$!
    wait "$pid"
    tell app "zone reclaim $pid shared"
    check "the command gives pages back" wait_log app 'pool shared: [1-9][0-9]* pages given back' 5
    tell app "zone reclaim $pid"
    check "and once" wait_log app "process $pid has no caches in any pool" 5
    tell app quit
    wait_end app 20
fi
finish
