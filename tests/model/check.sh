#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check.sh MODEL BROKEN: every interleaving of MODEL is without a fault, and with -DBROKEN one is found.
set -euo pipefail

for tool in spin cc; do
    command -v "$tool" >/dev/null || {
        echo "skipped: no $tool"
        exit 77
    }
done
model=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# Prints the number of faults that the search found.
faults() {
    spin -a "$@" "$model" >spin.log 2>&1 || {
        cat spin.log >&2
        exit 1
    }
    cc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c
    ./pan -m200000 >pan.log 2>&1
    if grep -q 'Search not completed' pan.log && ! grep -q 'errors: [1-9]' pan.log; then
        cat pan.log >&2
        exit 1
    fi
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
}

[ "$(faults)" = 0 ] || {
    cat pan.log
    echo "the model has a fault"
    exit 1
}
grep 'states, stored' pan.log
[ "$(faults "-D$2")" != 0 ] || {
    echo "with $2 no fault was found: the model proves nothing"
    exit 1
}
echo "no fault in any interleaving; with $2 one is found"
