#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Lending hugepages: the pool grows for an owner, returns when the last one leaves, and forgets owners
# that died.
. "$(dirname "$0")/lib.sh"
needs root

pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
tool=$LAB_SOURCE/scripts/hugepages
[ -e "$pages" ] || skip "this kernel has no 2 MiB hugepages"
# A state of its own, so that pages which others borrowed are not touched.
export LAB_STATE_DIR=$LAB_TMP/state
before=$(cat "$pages")
# More than is free, so that the pool has to grow.
want=$(($(cat "${pages%/*}/free_hugepages") + 32))

"$tool" reserve "$want" $$ >"$LAB_TMP/reserve" 2>&1 || skip "$(tail -n 1 "$LAB_TMP/reserve")"
check "the pool has grown" [ "$(cat "$pages")" -gt "$before" ]
grown=$(cat "$pages")
check "reserving again changes nothing" quiet "$tool" reserve "$want" $$
check "the pool is as before that" [ "$(cat "$pages")" = "$grown" ]

sleep 300 &
other=$!
check "a second owner joins" quiet "$tool" reserve "$want" "$other"
"$tool" release $$
check "the pool stays while an owner is left" [ "$(cat "$pages")" = "$grown" ]
kill "$other"
wait "$other" 2>/dev/null
"$tool" release $$
check "a dead owner counts no more, and the pool is as it was" [ "$(cat "$pages")" = "$before" ]

"$tool" reserve 4000000 $$ >"$LAB_TMP/too-many" 2>&1
check "what cannot be had is refused with 3" [ $? = 3 ]
check_match "with a reason" '^hugepages: only [0-9]+ of 4000000' "$LAB_TMP/too-many"
check "and leaves the pool as it was" [ "$(cat "$pages")" = "$before" ]
for bad in 0 -1 x 99999999; do
    "$tool" reserve "$bad" >/dev/null 2>&1
    check "'reserve $bad' is a usage error" [ $? = 2 ]
done
finish
