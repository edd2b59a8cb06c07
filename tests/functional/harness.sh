#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The harness itself: what it starts ends, what it makes goes, what it reports is true.
. "$(dirname "$0")/lib.sh"

# run_inner BODY: a small test of its own; sets inner (its output) and inner_status.
run_inner() {
    inner_status=0
    inner=$(LAB_NEEDS='' bash -c ". '$LAB_FUNCTIONAL/lib.sh'; $1" 2>&1) || inner_status=$?
}

run_inner 'check "one is one" [ 1 = 1 ]; finish'
check "a passing test ends with 0" [ "$inner_status" = 0 ]
run_inner 'check "one is two" [ 1 = 2 ]; check "x" true; finish'
check "a failed check is not forgotten" [ "$inner_status" = 1 ]
run_inner 'skip "no such machine"'
check "a skip ends with 77" [ "$inner_status" = 77 ]
check "and says why on its last line" [ "${inner##*$'\n'}" = "SKIP: no such machine" ]
run_inner 'needs cmd:no-such-command; finish'
check "a missing command skips" [ "$inner_status" = 77 ]
run_inner 'needs nonsense; finish'
check "an unknown need fails" [ "$inner_status" = 1 ]
run_inner 'wait_for 1 false; echo "waited $?"; finish'
check "waiting ends" [ "$inner" = "waited 1" ]

start echo cat
tell echo "hello there"
check "input reaches a started process" wait_log echo '^hello there$' 5
stop echo
check "a stopped process has its signal as status" [ "${LAB_STATUS[echo]}" = 143 ]
start false bash -c 'exit 3'
wait_end false 5
check "an exit status is kept" [ "${LAB_STATUS[false]}" = 3 ]
start stubborn bash -c 'trap "" TERM; echo deaf; while :; do sleep 0.2; done'
wait_log stubborn deaf
stop stubborn
check "a process that ignores TERM is killed" [ "${LAB_STATUS[stubborn]}" = 124 ]

# shellcheck disable=SC2016 # for the inner shell to expand
run_inner 'start sleeper sleep 300; echo "${LAB_PIDS[sleeper]} $LAB_TMP"; kill -TERM $$; sleep 5'
read -r pid folder <<<"$inner"
check "a terminated test ends with 143" [ "$inner_status" = 143 ]
check_not "its processes ended" [ -d "/proc/$pid" ]
check_not "its folder is gone" [ -e "$folder" ]

mkdir -p "$LAB_TMP/open/inner"
chmod 777 "$LAB_TMP/open"
check "a world-writable ancestor is seen" has_unsafe_ancestor "$LAB_TMP/open/inner"
check_not "a safe path is not accused" has_unsafe_ancestor /usr/lib
finish
