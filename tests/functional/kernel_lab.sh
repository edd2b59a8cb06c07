#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A real kernel is brought to where its NIC's refills are refused, and all who counted it must agree: the generator and the
# guest's NIC, /proc/net/snmp and the receiver, the kernel's own histogram and labyrinth-observe, the kernel's message and
# its diagnosis. What the guest allocated is recorded and replayed here: the emulator must foresee the refusals.
# kernel_lab.sh VERSION
. "$(dirname "$0")/lib.sh"
needs root netns app cmd:jq

[ -e "$LAB_BUILD/app/labyrinth-observe" ] || skip "built without labyrinth-observe"
# Each atomic allocation is timed in one of the kernels, one of 16 in the other.
every=16
[ "$1" != 6.12 ] || every=1
# How fast a guest is without KVM no one knows beforehand: where its memory was enough, less of it is left.
for spare in 26000 16000; do
    LAB_APPEND="lab.spare_kb=$spare lab.latency_every=$every" "$LAB_SOURCE/scripts/kernel-lab" --kernel="$1" --record --out="$LAB_TMP/lab" \
        >"$LAB_TMP/lab.log" 2>&1
    rc=$?
    cat "$LAB_TMP/lab.log"
    [ $rc = 3 ] || break
done
[ $rc != 77 ] || skip "$(tail -n 1 "$LAB_TMP/lab.log" | sed 's/^SKIP: //')"
check "all figures agree" [ $rc = 0 ]
check "the emulator foresaw refusals by order" \
    [ "$(jq '[.refusals.atomic_by_order[] | .predicted - .false_alarms] | add > 0' "$LAB_TMP/lab/replay.json")" = true ]
note "$(jq -c .refusals.atomic_by_order "$LAB_TMP/lab/replay.json")"
check "the diagnosis tells what would have helped" grep -q 'vm.min_free_kbytes = ' "$LAB_TMP/lab/diagnosis.json"
finish
