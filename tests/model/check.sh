#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check.sh MODEL BROKEN...: every interleaving of MODEL is without a fault, and with each -DBROKEN one is found.
set -euo pipefail

for tool in spin cc; do
    command -v "$tool" >/dev/null || {
        echo "skipped: no $tool"
        exit 77
    }
done
model=$(realpath "$1")
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# faults LEVEL OPTION...: prints the number of faults that the search found. A fault is found soon: it is not worth
# optimising (LEVEL) what finds one.
faults() {
    local level=$1
    shift
    spin -a "$@" "$model" >spin.log 2>&1 || {
        cat spin.log >&2
        exit 1
    }
    cc "$level" -w -DSAFETY -DCOLLAPSE -o pan pan.c
    ./pan -m200000 >pan.log 2>&1
    if grep -q 'Search not completed' pan.log && ! grep -q 'errors: [1-9]' pan.log; then
        cat pan.log >&2
        exit 1
    fi
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
}

[ "$(faults -O2)" = 0 ] || {
    cat pan.log
    echo "the model has a fault"
    exit 1
}
grep 'states, stored' pan.log
for broken in "$@"; do
    [ "$(faults -O0 "-D$broken")" != 0 ] || {
        echo "with $broken no fault was found: the model proves nothing"
        exit 1
    }
done
echo "no fault in any interleaving; with $* one is found"
