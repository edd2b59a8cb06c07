#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# labyrinth-bench, small: every row of every column is there or says why not; its counts hold; bad
# options are named. What it measures is not looked at.
#   bench.sh nohuge|huge
. "$(dirname "$0")/lib.sh"
mode=${1:-nohuge}
needs cmd:jq
need_built app/labyrinth-bench
bench=$LAB_BUILD/app/labyrinth-bench
small=(--pages 4096 --rounds 1 --time 0.05 --retries 0)
eal_args "$mode"

# run NAME OPTIONS...: with this test's EAL; its output in NAME.out and NAME.err of LAB_TMP.
run() {
    local name=$1
    shift
    timeout 60 "$bench" "${EAL[@]}" -- "$@" >"$LAB_TMP/$name.out" 2>"$LAB_TMP/$name.err" </dev/null
}

# rows FILTER: true if the filter is true of the array of all measured or skipped rows.
rows() {
    jq -es "map(select(.row)) | $1" "$LAB_TMP/all.json" >/dev/null
}

# lines NAME FILTER: likewise, of what `run NAME ... --json -` printed.
lines() {
    jq -es "map(select(.row)) | $2" "$LAB_TMP/$1.out" >/dev/null
}

# refused WHAT ERROR OPTIONS...: the options are wrong, and the error says so.
refused() {
    local what=$1 error=$2
    shift 2
    check_not "$what is refused" quiet run bad "$@"
    check_match "and it is said why" "$error" "$LAB_TMP/bad.err"
}

# On hugepages only the memory is another one.
if [ "$mode" = huge ]; then
    check "it runs on hugepages" run huge "${small[@]}" --orders 0 --patterns repeat,xfer32,zero \
        --json - || cat "$LAB_TMP/huge.err"
    check "and knows it" quiet jq -e '.hugepages' <(head -n 1 "$LAB_TMP/huge.out")
    check "every zone and ring is measured" lines huge 'map(select((.skipped | not) and
        (.row | test("^(ring|stack|buddy|labyrinth)"))) | .pages > 0) | all and length >= 30'
    check "no hugepage file is left" [ -z "$(hugepage_files)" ]
    finish
fi

check "--help" run help --help
check_match "tells the options" '--pool-order' "$LAB_TMP/help.out"
check "--list" run list --list
mapfile -t allocators < <(sed -n '/^allocators:/,/^patterns:/s/^  \([^ ]*\) .*/\1/p' "$LAB_TMP/list.out")
mapfile -t patterns < <(sed -n '/^patterns:/,$s/^  \([^ ]*\) .*/\1/p' "$LAB_TMP/list.out")
check "lists the allocators" [ ${#allocators[@]} -ge 22 ]
check "lists the patterns" [ ${#patterns[@]} -ge 11 ]

refused "an unknown allocator" "no 'slab'; there are .*ring_mp_mc/0.*labyrinth" --allocators slab
refused "an unknown pattern" "no 'x'; there are repeat.*zero" --patterns repeat,x
refused "an empty list" "the list is empty" --allocators ,
refused "too many threads" "threads: '3' is not a list of numbers from 1 to 2" --threads 3
refused "an order too high" "orders: '0-10' is not a list of numbers from 0 to 9" --orders 0-10
refused "no rounds" "rounds: '0' is not a number from 1" --rounds 0
refused "too few pages" "pages: '12' is not a number from 1024" --pages 12
refused "no time" "time: 'soon' is not a number of milliseconds" --time soon
refused "another pool order" "neither shuffled nor plain" --pool-order up
refused "an option that is none" "unrecognized option '--fast'" --fast
refused "a word" "'all' is no option" all
refused "a column that is none" "none of the patterns has such" --patterns xfer32 --threads 1
refused "a file that cannot be" "nowhere/x: No such file" --json "$LAB_TMP/nowhere/x" "${small[@]}"

check "it runs, all of it" run all "${small[@]}" --seed 7 --json "$LAB_TMP/all.json" ||
    cat "$LAB_TMP/all.err"
columns=$(jq -s 'map(select(.row) | [.pattern, .threads, .order]) | unique | length' "$LAB_TMP/all.json")
check "the first line tells the run" quiet jq -e 'select(.seed) | .row == null and .seed == 7 and
    .pages == 4096 and (.cpus | length) >= 1 and .tsc_mhz > 0' <(head -n 1 "$LAB_TMP/all.json")
check "every pattern is there" rows 'map(.pattern) | unique | length == '${#patterns[@]}
check "and every row in each of the $columns columns" \
    rows "length == $columns * ${#allocators[@]} and (map(.row) | unique | length) == ${#allocators[@]}"
check "repeat comes at order 0 to 9" \
    rows 'map(select(.pattern == "repeat" and .threads == 1).order) | unique == [range(10)]'
if [ "$(nproc)" -gt 1 ]; then
    check "with one thread and with two" rows 'map(.threads) | unique == [1, 2]'
fi
check "what is skipped says why" rows 'map(select(.skipped != null) | .skipped | length > 10) | all'
check "the rings, the zones and malloc are never skipped" rows 'map(select(.order == 0 and
    (.row | test("^(empty|ring|stack|buddy|labyrinth|malloc|mmap)")) and .skipped)) | length == 0'
check "the fields are there" rows 'map(select(.skipped | not) |
    has("unit", "capacity", "fill", "pool_order", "seed", "ns", "pages", "refusals",
        "false_refusals", "setup_refusals", "beyond_capacity", "not_zero", "rounds",
        "clean_rounds", "cpu_lost", "cpu_others", "switches", "steal_ticks", "latency_ns", "ratio")
    and (.ns | has("median", "min", "max")) and (.rounds == 1) and (.clean_rounds <= .rounds)
    and ([.latency_ns[] | has("calls", "p50", "p99", "p99.9", "p99.99", "max")] | all)) | all'
check "figures are in order" rows 'map(select(.skipped | not) |
    .pages > 0 and .ns.min <= .ns.median and .ns.median <= .ns.max and
    ([.latency_ns[] | .p50 <= .p99 and .p99 <= .["p99.9"] and .["p99.9"] <= .["p99.99"] and
        .["p99.99"] <= .max] | all)) | all'
check "the rings are compared with themselves" rows 'map(select(.skipped | not) |
    select(.row == "ring_mp_mc/0") | .ratio.uncached_ring == 1) | all'
check "labyrinth never refuses falsely" rows 'map(select((.row | startswith("labyrinth")) and
    (.skipped | not)) | .false_refusals == 0 and .setup_refusals == 0) | all and length > 40'
check "nobody hands out more than there is" \
    rows 'map(select(.skipped | not) | .beyond_capacity == 0) | all'
check "guarded mode is measured at orders 0 to 3" rows 'map(select(.row == "labyrinth+guard") |
    (.order > 3) == ((.skipped // "") | test("order 3 at most"))) | all and length > 20'
check "zeroed pages are zero" rows 'map(select(.pattern == "zero" and (.skipped | not)) |
    .not_zero == 0) | all and length > 10'

# With one thread a filling ends with one request that must be refused; every page counts once. The
# free lists refuse too early, with the last pages on the list of the CPU: no page of those that were
# refused counts.
check "fillings alone" run fill "${small[@]}" --no-latency --patterns fill --threads 1 --json -
check "stdout holds JSON only" quiet jq . "$LAB_TMP/fill.out"
check "every page of a filling is handed out once" lines fill 'map(select((.skipped | not) and
    (.row | test("^(array|ring|stack|lf_stack|labyrinth|ops)"))) | .refusals > 0 and
    .false_refusals == 0 and .pages == .refusals * .capacity) | all and length >= 9'
check "refusals are no throughput, and false ones are counted" lines fill \
    'map(select(.row == "buddy") | .false_refusals > 0 and .false_refusals == .refusals and
        .pages < .refusals * .capacity) == [true]'
check "without the second pass there is no latency" lines fill 'map(select(.latency_ns)) == []'

check "the targets are met or not: it ends well" run check "${small[@]}" --check \
    --patterns burst32 --threads 1
check_match "a target has figures and a verdict" \
    'burst of 32.*labyrinth +[0-9.]+ +[0-9.]+ +[0-9.]+ +0.7 +0 +(met|missed)' "$LAB_TMP/check.out"
check "as Markdown" run md "${small[@]}" --markdown --patterns repeat,burst32 --orders 0,3 \
    --allocators 'ring*,labyrinth'
check_match "there is a column a pattern" '^\| allocator \| repeat \| burst32 \|$' "$LAB_TMP/md.out"
check_match "and one an order" '^\| allocator \| order 3 \|$' "$LAB_TMP/md.out"
check_match "and a row an allocator" '^\| ring_mp_mc/256 \| [0-9.]+ \| [0-9.]+ \|$' "$LAB_TMP/md.out"

check "it needs no EAL arguments" quiet timeout 20 "$bench" "${small[@]}" --patterns repeat \
    --orders 0 --allocators labyrinth
start long "$bench" "${EAL[@]}" -- --pages 4096 --time 1000 --patterns repeat --orders 0,1 \
    --allocators array --retries 0 --rounds 100
wait_log long 'seed:' 20
sleep 0.3
stop long INT
check "an interrupt ends it" [ "${LAB_STATUS[long]}" = 130 ]
check_match "and is told" 'interrupted; what is printed is complete' "$(log_of long)"
check "no hugepage file is left" [ -z "$(hugepage_files)" ]
finish
