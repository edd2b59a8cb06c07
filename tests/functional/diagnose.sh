#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# labyrinth-observe diagnose as one uses it: files, pipes, several messages, the live /proc, recorded /proc, JSON, and what it
# says to wrong input.
. "$(dirname "$0")/lib.sh"
needs cmd:jq cmd:python3

observe=$LAB_BUILD/app/labyrinth-observe
messages=$LAB_SOURCE/tests/unit/kmon/messages
need_built app/labyrinth-observe

# says CODE ARGUMENTS...: the program ends with the code; its output is in out and err.
says() {
    local code=$1
    shift
    "$observe" "$@" >"$LAB_TMP/out" 2>"$LAB_TMP/err" </dev/null
    check "$* ends with $code" [ $? = "$code" ]
}

# ---------------------------------------------------------------- the program

says 2
says 0 --help
check_match "the help names the command" '^ +diagnose ' "$LAB_TMP/out"
says 0 --version
check_match "the version" '^labyrinth-observe [0-9]' "$LAB_TMP/out"
says 2 nonsense
check_match "a wrong command is named" "'nonsense' is no command" "$LAB_TMP/err"
says 0 diagnose --help

# ---------------------------------------------------------------- messages

says 0 diagnose "$messages/linux-4.9-dcache.txt"
check_match "the verdict" '^Gate: watermark\. Node 0 Normal had 24148 kB free' "$LAB_TMP/out"
check_match "the arithmetic of the other zone" '0 +DMA32 +250,428 +0 +1924 +724 +249,784 +84 .* lowmem_reserve$' "$LAB_TMP/out"
check_match "what would have helped" '^ +yes +vm\.min_free_kbytes = 68608' "$LAB_TMP/out"
check_match "and what it costs" 'side-effect: low and high rise' "$LAB_TMP/out"

cat "$messages/linux-6.1-lab.txt" "$messages/linux-4.9-dcache.txt" "$messages/linux-6.1-lab.txt" >"$LAB_TMP/paste"
"$observe" diagnose --json - <"$LAB_TMP/paste" >"$LAB_TMP/json"
check "a pipe is read too, and each message in it" quiet jq -e '.diagnoses | length == 3' "$LAB_TMP/json"
check "JSON has the gates" quiet jq -e '[.diagnoses[].gate] == ["watermark", "watermark", "watermark"]' "$LAB_TMP/json"
check "and the figures" quiet jq -e '.diagnoses[1].zones[1] | .free_kb == 24148 and .share_kb == 24616 and .lacks_kb == 472' \
    "$LAB_TMP/json"
says 0 diagnose "$LAB_TMP/paste"
check_match "those alike are shown once" '1 like it follow' "$LAB_TMP/out"
check "two are shown" [ "$(grep -c '^Gate: ' "$LAB_TMP/out")" = 2 ]
says 0 diagnose --all "$LAB_TMP/paste"
check "or all" [ "$(grep -c '^Gate: ' "$LAB_TMP/out")" = 3 ]

# ---------------------------------------------------------------- /proc

mkdir -p "$LAB_TMP/proc/sys/vm" "$LAB_TMP/proc/sys/kernel"
cat >"$LAB_TMP/proc/zoneinfo" <<'EOF'
Node 0, zone   Normal
  pages free     500
        boost    0
        min      400
        low      500
        high     600
        present  30000
        managed  25000
        protection: (0, 0, 0, 0, 0)
EOF
echo 'Node 0, zone   Normal    500      0      0      0      0      0      0      0      0      0      0 ' \
    >"$LAB_TMP/proc/buddyinfo"
echo 6.12.1-test >"$LAB_TMP/proc/sys/kernel/osrelease"
says 0 diagnose --proc="$LAB_TMP/proc" --json
check "a recorded machine: an atomic page passes, with 349 to spare" quiet jq -e \
    '.diagnoses[0] | .gate == "open" and .zones[0].spare_kb == 349 * 4' "$LAB_TMP/out"
check_match "what it could not read is said" 'pagetypeinfo: No such file' "$LAB_TMP/err"
says 0 diagnose --proc="$LAB_TMP/proc" --order=1 --json
check "a block of order 1 is not there" quiet jq -e '.diagnoses[0].gate == "order"' "$LAB_TMP/out"
says 0 diagnose --proc="$LAB_TMP/proc" --gfp='GFP_KERNEL' --json
check "GFP_KERNEL is held to all of min" quiet jq -e '.diagnoses[0].zones[0].share_kb == 1600' "$LAB_TMP/out"

if [ -r /proc/zoneinfo ]; then
    says 0 diagnose --live --json
    check "this machine: its kernel" [ "$(jq -r '.diagnoses[0].request.kernel' "$LAB_TMP/out")" = "$(uname -r)" ]
    check "and its zones with memory, all of them" [ "$(jq '.diagnoses[0].zones | length' "$LAB_TMP/out")" = \
        "$(awk '/^Node/ { zone = 1 } zone && $1 == "managed" && $2 > 0 { n++ } END { print n }' /proc/zoneinfo)" ]
fi

# The same once more, by arithmetic of its own: exactly from a copy of the text, and from the text before and after for a machine
# that goes on.
spare() {
    python3 "$LAB_SOURCE/tests/functional/spare.py" "$@" >"$LAB_TMP/wrong" 2>&1
}

live() {
    cat /proc/zoneinfo >"$LAB_TMP/before"
    "$observe" diagnose --live --json >"$LAB_TMP/out" 2>"$LAB_TMP/err"
    cat /proc/zoneinfo >"$LAB_TMP/after"
    spare "$LAB_TMP/out" "$LAB_TMP/before" "$LAB_TMP/after"
}

if [ -r /proc/zoneinfo ] && [ "$(getconf PAGESIZE)" = 4096 ]; then
    mkdir "$LAB_TMP/copy"
    cat /proc/zoneinfo >"$LAB_TMP/copy/zoneinfo"
    cat /proc/buddyinfo >"$LAB_TMP/copy/buddyinfo"
    says 0 diagnose --proc="$LAB_TMP/copy" --json
    check "a copy of this machine: share, reserve, what lacks and what is spare of each zone" \
        spare "$LAB_TMP/out" "$LAB_TMP/copy/zoneinfo"
    [ ! -s "$LAB_TMP/wrong" ] || note "$(cat "$LAB_TMP/wrong")"
    # the check must be able to fail: one zone's share a page larger
    jq '.diagnoses[0].zones[0].share_kb += 4' "$LAB_TMP/out" >"$LAB_TMP/false"
    check_not "a figure that is wrong is noticed" spare "$LAB_TMP/false" "$LAB_TMP/copy/zoneinfo"
    check "and of the machine itself, as near as its going on allows" wait_for 10 live
    [ ! -s "$LAB_TMP/wrong" ] || note "$(cat "$LAB_TMP/wrong")"
fi

# ---------------------------------------------------------------- what is wrong

says 1 diagnose /dev/null
check_match "nothing in it: what was looked for" 'looked for "page allocation failure' "$LAB_TMP/err"
echo 'tail invoked oom-killer: gfp_mask=0x100cca, order=0' >"$LAB_TMP/oom"
says 1 diagnose "$LAB_TMP/oom"
check_match "an OOM report is another matter" '1 OOM report:' "$LAB_TMP/err"
says 1 diagnose /nowhere/log
check_match "no such file" '/nowhere/log: No such file' "$LAB_TMP/err"
says 1 diagnose --proc=/nowhere
says 2 diagnose a b
says 2 diagnose --order=11 --live
check_match "what an order may be" 'from 0 to 10' "$LAB_TMP/err"
says 2 diagnose --gfp=GFP_NONSENSE --live
says 2 diagnose --order=1 "$LAB_TMP/paste"
check_match "a message has its own order" 'go with --live' "$LAB_TMP/err"
"$observe" diagnose "$LAB_TMP/paste" >/dev/full 2>"$LAB_TMP/err"
check "a full disk is noticed" [ $? = 1 ]
finish
