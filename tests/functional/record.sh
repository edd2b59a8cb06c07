#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# labyrinth-observe record on this machine's own kernel under load, and its replay by labyrinth: the trace is complete, what it
# says agrees with what the kernel counts in /proc/vmstat, and the same seed gives the same result.
. "$(dirname "$0")/lib.sh"
needs root app cmd:jq cmd:setpriv

observe=$LAB_BUILD/app/labyrinth-observe
trace=$LAB_TMP/kernel.trace

"$observe" --help | grep -qw record || skip "built without the observer of the live kernel (libbpf, clang, bpftool)"
"$observe" record -d 50ms -o "$trace" >"$LAB_TMP/probe.log" 2>&1
rc=$?
[ $rc != 77 ] || skip "$(tail -n 1 "$LAB_TMP/probe.log")"
check "it runs" [ $rc = 0 ]

# still as root, who can read this folder wherever it lies
setpriv --bounding-set=-all --inh-caps=-all "$observe" record -d 1s >"$LAB_TMP/refused.log" 2>&1
check "without capabilities it ends with 77" [ $? = 77 ]
check_match "and says what is missing" 'needs CAP_BPF and CAP_PERFMON' "$LAB_TMP/refused.log"
"$observe" record -z NoSuchZone -o "$trace" >"$LAB_TMP/refused.log" 2>&1
check "a zone that is not there: 1" [ $? = 1 ]
check_match "is named" "NoSuchZone" "$LAB_TMP/refused.log"
"$observe" record -i 10 >"$LAB_TMP/refused.log" 2>&1
check "a time without a unit: 2" [ $? = 2 ]

# ---------------------------------------------------------------- a recording under load

# Files that are written and removed: pages are allocated and freed by the thousand.
load() {
    local i
    for i in 1 2 3 4; do
        dd if=/dev/zero of="$LAB_TMP/load.$i" bs=1M count=150 2>/dev/null
        cat "$LAB_TMP"/load.* >/dev/null
        [ $((i % 2)) = 1 ] || rm -f "$LAB_TMP"/load.*
    done
}

rm -f "$trace"
"$observe" record -d 60s -o "$trace" 2>"$LAB_TMP/record.log" &
recorder=$!
# it gives up all capabilities as it begins
wait_for 10 grep -q "^CapEff:.0000000000000000" /proc/$recorder/status
sleep 0.3
load
sleep 0.3
kill -INT $recorder
wait $recorder
check "SIGINT ends it well" [ $? = 0 ]
note "$(cat "$LAB_TMP/record.log")"
read -r word allocs refusals frees drains steals takings compactions samples places lost < <(tail -n 1 "$trace")
check "the file is complete" [ "$word" = end ]
check "allocations were recorded" [ "$allocs" -gt 100 ]
check "and frees" [ "$frees" -gt 100 ]
check "and samples" [ "$samples" -gt 50 ]
check "the counts are those of the lines" \
    [ "$(grep -c '^a ' "$trace") $(grep -c '^f ' "$trace") $(grep -c '^s ' "$trace")" = "$allocs $frees $samples" ]
note "$refusals refusals, $drains drains, $steals steals, $takings takings, $compactions compactions, $lost lost"

# ---------------------------------------------------------------- its replay

eal_args nohuge
replay() {
    echo "replay $trace $1 json" >"$LAB_TMP/replay.cmd"
    timeout 120 "$LAB_BUILD/app/labyrinth" "${EAL[@]}" --vdev net_null0 --vdev net_null1 -- \
        --total-num-mbufs=2048 --cmdline-file "$LAB_TMP/replay.cmd" 2>"$LAB_TMP/replay.err" |
        sed -n '/^{/,/^}/p'
}

replay seed=1 >"$LAB_TMP/first.json"
replay seed=1 >"$LAB_TMP/second.json"
check "it replays" [ "$(jq .samples "$LAB_TMP/first.json")" = "$samples" ]
check "the same seed gives the same result" cmp -s "$LAB_TMP/first.json" "$LAB_TMP/second.json"
check "each allocation is served or foreseen as refused" \
    [ "$(jq '.events.allocations + .events.not_for_zone + .events.not_taken + .refusals.other_predicted +
        .refusals.atomic_predicted' "$LAB_TMP/first.json")" -ge "$allocs" ]
check "each free is accounted for" \
    [ "$(jq '.events | .frees + .frees_of_held_before + .frees_unmatched + .frees_skipped' \
        "$LAB_TMP/first.json")" -ge "$frees" ]
check "the free blocks of the beginning are laid out" \
    [ "$(jq '[.orders[].not_laid_out] | add' "$LAB_TMP/first.json")" = 0 ]
# The error is measured, not asserted: how much the kernel's lists hide differs from machine to machine.
note "$(jq -c '[.orders[] | [.order, .error_mean, .still_mean, .unusable_error_mean]]' "$LAB_TMP/first.json")"
head -c 2000 "$trace" >"$LAB_TMP/cut.trace"
trace=$LAB_TMP/cut.trace
replay seed=1 >"$LAB_TMP/cut.json"
check "a trace that ends too early is refused" [ ! -s "$LAB_TMP/cut.json" ]
check_match "with its line" 'line [0-9]+: ' "$LAB_TMP/replay.err"
finish
