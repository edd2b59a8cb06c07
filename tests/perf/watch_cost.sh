#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Instructions that a request and its free execute, counted by callgrind: with owner tags and guarded mode
# off, and with each of them on. Counts are exact and the same on every run of a build. valgrind has no
# restartable sequences, so the labyrinth allocator is counted without its per-CPU stacks.
#
#   tests/perf/watch_cost.sh [BUILD]
set -euo pipefail
build=${1:-$(dirname "$0")/../../build}
program=$build/tests/perf/watch_cost
command -v valgrind >/dev/null || {
    echo "needs valgrind"
    exit 77
}

# count ALLOCATOR PCP ORDER WHAT: instructions a pair.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=measured \
        "$program" "$@" 2>&1 | awk '/Collected/ { printf "%.0f\n", $4 / 10000 }'
}

printf '%-10s %-4s %-5s %8s %8s %8s %8s\n' allocator pcp order off owners poison keep
for kind in 'buddy on' 'buddy off' 'labyrinth off'; do
    for order in 0 3; do
        # shellcheck disable=SC2086 # two words
        printf '%-10s %-4s %-5s %8s %8s %8s %8s\n' $kind $order "$(count $kind $order off)" \
            "$(count $kind $order owners)" "$(count $kind $order poison)" "$(count $kind $order keep)"
    done
done
