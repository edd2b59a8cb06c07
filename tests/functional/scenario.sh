#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The scenarios that are shipped: each runs, its ledgers close; the default one twice, with the same
# report to the last digit, and with the result that it is there to show. Where there are hugepages, on
# them too: time is virtual, so nothing may differ.
. "$(dirname "$0")/lib.sh"
needs app cmd:jq
app=$LAB_BUILD/app/labyrinth
scenarios=$LAB_SOURCE/config/scenarios

# scenario NAME OUT [APP OPTIONS...]: run it with its reports in OUT and its words in OUT.log.
scenario() {
    local name=$1 dir=$2
    shift 2
    eal_args "${MODE:-nohuge}" "-${dir##*/}"
    # a pair runs beside each other: the second one's main lcore has the other CPU
    [ -z "${SECOND:-}" ] || [ "$(nproc)" = 1 ] || EAL[1]=0@1,1@0
    LAB_OUT=$dir timeout 120 "$app" "${EAL[@]}" -- --cmdline-file "$scenarios/$name.cmd" "$@" \
        >"$dir.log" 2>&1 </dev/null
}

# The report without what differs from run to run.
lasting() {
    jq -S 'del(.time, .command)' "$1/report.json"
}

closes() {
    jq -e '[.arms[].ledger | .closes and .unexplained == 0 and
        .offered == .delivered + .in_flight + ([.drops[]] | add // 0)] | all' "$1/report.json"
}

scenario default "$LAB_TMP/a" &
first=$!
SECOND=1 check "the default scenario runs" scenario default "$LAB_TMP/b" || tail "$LAB_TMP/b.log"
check "and again" wait "$first" || tail "$LAB_TMP/a.log"
check "with the same report" cmp <(lasting "$LAB_TMP/a") <(lasting "$LAB_TMP/b")
scenario default "$LAB_TMP/c" --seed=2 &
first=$!
if hugetlb_mounts | grep -q . &&
    [ "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)" -ge 128 ]; then
    MODE=huge SECOND=1 check "and on hugepages" scenario default "$LAB_TMP/h" ||
        tail "$LAB_TMP/h.log"
    check "with the same report, too" cmp <(lasting "$LAB_TMP/a") <(lasting "$LAB_TMP/h")
else
    note "not compared with a run on hugepages: no 128 of 2 MiB are free"
fi
check "another seed" wait "$first" || tail "$LAB_TMP/c.log"
check_not "has another one" cmp -s <(lasting "$LAB_TMP/a") <(lasting "$LAB_TMP/c")
for dir in a c; do
    report=$LAB_TMP/$dir/report.json
    check "the ledgers close" quiet closes "$LAB_TMP/$dir"
    check "all arms met the same traffic" \
        quiet jq -e '[.arms[].ledger.offered] | length == 4 and (unique | length) == 1 and
            .[0] > 10000' "$report"
    check "the fresh zone loses nothing to memory" \
        quiet jq -e '.arms[0].lost_to_memory == 0 or .arms[0].lost_to_memory.packets == 0' "$report"
    check "the aged zone refuses blocks and loses packets" \
        quiet jq -e '.arms[1] | .failures.order + .failures.watermark > 100 and
            .ledger.dropped > 100' "$report"
    check "there are bursts enough for a verdict" \
        quiet jq -e '.arms[1].correlation | .bursts >= 30 and .verdict == "link" and .p_value < 0.05' \
        "$report"
    check "the intervention tells the effect" \
        quiet jq -e '.interventions[0].verdict == "more_drops"' "$report"
    check "the ageing met its target" \
        quiet jq -e '.arms[1].age.reason == "reached"' "$report"
    check "buddy and labyrinth had the same workload and as much memory" \
        quiet jq -e '.arms[2:] | (map(.age.spec) | unique | length) == 1 and
            (map(.zone.managed) | unique | length) == 1 and
            (map(.zone.allocator) == ["buddy", "labyrinth"]) and
            (map(.age.occupancy.achieved) | unique | length) == 1' "$report"
    check "the reduction is that of the ledgers, with an interval around it" \
        quiet jq -e '(.arms[2].lost_to_memory) as $b | (.arms[3].lost_to_memory) as $l |
            .reductions[0] | .control_lost == $b and .treated_lost == $l and .goal == 0.99 and
            (.reduction - (1 - $l / $b) | fabs) < 1e-9 and .equal_memory and
            .reduction_ci[0] <= .reduction and .reduction <= .reduction_ci[1]' "$report"
    check "99% fewer packets are lost, or the report says why not" \
        quiet jq -e '.reductions[0] | if .reduction >= 0.99 then .reached and .why_not == null
            else (.reached | not) and (.why_not | test("lost ")) and (.text | test("Why not")) end' \
        "$report"
done
for key in ledger failures zone frag correlation seed command; do
    check "report.json has $key" quiet jq -e "has(\"$key\")" "$LAB_TMP/a/report.json"
done
check "an arm has its own block" quiet jq -e '[.arms[] | has("ledger", "failures", "zone", "frag",
    "correlation", "seed")] | all' "$LAB_TMP/a/report.json"
check "report.html is there" [ -s "$LAB_TMP/a/report.html" ]

for file in "$scenarios"/*.cmd; do
    name=$(basename "$file" .cmd)
    [ "$name" != default ] || continue
    check "scenario $name runs" scenario "$name" "$LAB_TMP/$name" || tail "$LAB_TMP/$name.log"
    if [ -e "$LAB_TMP/$name/report.json" ]; then
        check "  its ledgers close" quiet closes "$LAB_TMP/$name"
    fi
done
check "the reserve saves packets" \
    quiet jq -e '.interventions[0].verdict == "fewer_drops"' "$LAB_TMP/reserve/report.json"
for name in reserve_blocks reserve_compaction; do
    check "$name: blocks in reserve save packets, more of them save more" \
        quiet jq -e '[.arms[].lost_to_memory] | .[0] > .[1] and .[1] > .[2]' "$LAB_TMP/$name/report.json"
done
check "the low mark warns before the first refusal" \
    quiet jq -e '.arms[0].warnings | .count > 0 and .first_ms <= .first_refusal_ms and .lead_ms >= 0' \
    "$LAB_TMP/reserve/report.json"
check "injection costs packets" \
    quiet jq -e '.interventions[0].verdict == "more_drops"' "$LAB_TMP/injection/report.json"
finish
