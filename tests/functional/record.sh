#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# labyrinth-observe record on this machine's own kernel under load, and its replay by labyrinth: the trace is complete, what it
# says agrees with what the kernel counts in /proc/buddyinfo and with itself, and the same seed gives the same result.
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

# begun PID: a recording has given up all capabilities, and has read where the free blocks lie, which takes some 20 ms a GiB.
begun() {
    grep -q "^CapEff:.0000000000000000" "/proc/$1/status" && ! readlink "/proc/$1/fd/"* | grep -q kpageflags
}

rm -f "$trace"
"$observe" record -d 60s -o "$trace" 2>"$LAB_TMP/record.log" &
recorder=$!
check "it gives up all capabilities, and begins" wait_for 30 begun $recorder
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
    [ "$(grep -c '^a ' "$trace") $(grep -c '^f ' "$trace") $(grep -c '^s ' "$trace") $(grep -c '^p ' "$trace")" = \
        "$allocs $frees $samples $places" ]
note "$refusals refusals, $drains drains, $steals steals, $takings takings, $compactions compactions, $places places, $lost lost"

# ---------------------------------------------------------------- where the free blocks lay, and compaction

# place_counts TRACE: free frames in the first sample, and in how many of them the places differ, order by order.
place_counts() {
    awk '/^p / { blocks[$4]++ }
        /^s / {
            for (order = 0; order <= 10; order++) {
                off = $(order + 3) - blocks[order]
                free += $(order + 3) * 2 ^ order
                differ += (off < 0 ? -off : off) * 2 ^ order
            }
            print free, differ
            exit
        }' "$1"
}

# place_faults TRACE: of how many blocks the first event is seen, and how many of them it contradicts. What is taken from
# the free blocks lay among them; what is handed out, freed or drained did not, unless it was taken before.
place_faults() {
    awk 'function is_free(pfn,   order, n) {
            for (order = 0; order <= 10; order++) {
                n = 2 ^ order
                if ((pfn - pfn % n, order) in place)
                    return 1
            }
            return 0
        }
        /^p / { place[$3, $4] }
        /^[afdt] / {
            if (!($4 in seen)) {
                blocks++
                faults += is_free($4) != ($1 == "t")
            }
            for (i = 2 ^ $5; i > 0; i--)
                seen[$4 + i - 1]
            if (++events == 200000)
                exit
        }
        END { print blocks + 0, faults + 0 }' "$1"
}

# The zone must change while the frames are read, or nothing is brought forward.
if [ -r /proc/kpageflags ]; then
    (until [ -e "$LAB_TMP/placed" ]; do load; done) &
    loader=$!
    sleep 0.2
    "$observe" record -d 300ms -o "$LAB_TMP/places.trace" 2>/dev/null
    touch "$LAB_TMP/placed"
    wait $loader
    check "the trace has places" grep -q '^p 0 ' "$LAB_TMP/places.trace"
    read -r free differ < <(place_counts "$LAB_TMP/places.trace")
    note "the first sample has $free free pages, the places differ in $differ, order by order"
    check "the places are as many blocks of each order as the kernel's" [ "$differ" -le $((free / 50 + 64)) ]
    read -r blocks faults < <(place_faults "$LAB_TMP/places.trace")
    note "events agree with the places of $blocks blocks, but for $faults"
    check "and lie where the first events find them" [ "$blocks" -gt 0 -a "$faults" -le $((blocks / 50 + 4)) ]
fi
rm -f "$LAB_TMP"/load.*

# An ordinary user with both capabilities may not read them, and records all the same.
user=(setpriv --reuid=65534 --clear-groups "--inh-caps=-all,+bpf,+perfmon" "--ambient-caps=-all,+bpf,+perfmon")
if "${user[@]}" "$observe" --help >/dev/null 2>&1; then
    "${user[@]}" "$observe" record -d 50ms >"$LAB_TMP/user.trace" 2>"$LAB_TMP/user.log"
    rc=$?
    # 77: without CAP_SYS_ADMIN the table of pages cannot be found in a large memory
    check "an ordinary user's recording has no places" [ "$rc $(grep -c '^p ' "$LAB_TMP/user.trace")" = "0 0" -o $rc = 77 ]
fi

"$observe" record -d 2s -o "$LAB_TMP/compacted.trace" 2>/dev/null &
recorder=$!
wait_for 30 begun $recorder
sleep 0.5
[ ! -w /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory
wait $recorder
# The scanner of compaction goes from pageblock to pageblock. Where it found nothing to do, there is no such event.
read -r compactions narrow < <(awk '/^c / { n++; narrow += $5 - $4 <= 512 } END { print n + 0, narrow + 0 }' \
    "$LAB_TMP/compacted.trace")
note "compaction took pages $compactions times, $narrow of them from one pageblock"
check "where compaction took pages is told" [ "$compactions" = 0 -o "$narrow" -gt 0 ]

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
