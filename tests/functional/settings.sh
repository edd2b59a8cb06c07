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

# injected: refusals by injection that the driver counts so far.
injected() {
    telemetry /labyrinth/failures | jq '[.. | objects | .injected? | numbers] | max // 0'
}

has_injected() {
    [ "$(injected)" -gt "$1" ]
}

# used_on: the pool hands out 10,000 buffers more.
used_on() {
    wait_for 20 has_dequeued $(($(dequeued) + 10000))
}

dequeued() {
    telemetry /labyrinth/failures | jq '[.. | objects | .dequeues? | numbers] | max // 0'
}

has_dequeued() {
    [ "$(dequeued)" -ge "$1" ]
}

# session NAME SETTING...: a testpmd that forwards, with this environment.
session() {
    local name=$1
    shift
    start "$name" env "$@" "${pmd[@]}"
    wait_log "$name" 'testpmd>' 30 || finish
    tell "$name" start
    wait_log "$name" 'packet forwarding' 5
}

end_session() {
    check "it still forwards ($1)" testpmd_wait_forwarded "$1" 1001
    testpmd_stop "$1"
    tell "$1" quit
    wait_end "$1" 20
    check "testpmd survives ($1)" [ "${LAB_STATUS[$1]}" = 0 ]
}

session environment LAB_MEMPOOL=inject_ppm=10000,inject_seed=7
check "the environment's injection is counted" wait_for 5 has_injected 0
end_session environment

printf '[default]\ninject_ppm = 10000\n' >"$LAB_TMP/driver.conf"
session file "LAB_MEMPOOL_CONFIG=$LAB_TMP/driver.conf"
check "the file's injection is counted" wait_for 5 has_injected 0
end_session file

session telemetry LAB_MEMPOOL=
check "nothing is injected unasked" [ "$(injected)" = 0 ]
quiet telemetry /labyrinth/inject,ppm=10000
check "injection by telemetry is counted" wait_for 5 has_injected 0
quiet telemetry /labyrinth/inject,ppm=0
check "the pool is used on" used_on
before=$(injected)
check "and on" used_on
check "and it stops when told" [ "$(injected)" = "$before" ]
check "a wrong setting by telemetry is refused" \
    [ -n "$(telemetry /labyrinth/set,nonsense=1 | jq -r '.[].error // empty')" ]
end_session telemetry

# top: "RANK OWNER PAGES", a line an owner.
top() {
    telemetry "/labyrinth/owners" | jq -r '.[] | to_entries[] | select(.value | type == "object")
        | "\(.key) \(.value.owner) \(.value.pages)"'
}

named_first() {
    top | grep -q "^1 $1 [0-9]"
}

session owners LAB_MEMPOOL=owners=on,guard=1
check "an unmodified application's pages are its lcore's" wait_for 5 named_first 'lcore 1'
quiet telemetry /labyrinth/age,model=churn,occupancy=0.9,seed=1
check "a hoarder is named first" wait_for 5 named_first 'tenants (churn)'
quiet telemetry /labyrinth/age,model=churn,occupancy=1,seed=1
check "a refusal is reported with its owners" wait_log owners 'Owners, most pages first:' 10
check_match "  in the format of warn_alloc" 'page allocation failure: order:0, mode:0x820' \
    "$LAB_TMP/owners.log"
quiet telemetry /labyrinth/age,release=all
end_session owners
check "guarded, it is not found to misuse anything" [ "$(grep -c 'labyrinth: pool' "$LAB_TMP/owners.log")" = 0 ]
finish
