#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# No locked instruction on the way of most requests and frees. Looked at is the library's code: each restartable sequence, from
# its start to its commit as its descriptor in __rseq_cs tells the kernel, and all of the two functions whose short way has
# such a sequence in it and whose long way is elsewhere.
. "$(dirname "$0")/lib.sh"
library=$LAB_BUILD/lib/liblabyrinth.so
need_built lib/liblabyrinth.so
objdump -h "$library" | grep -q ' __rseq_cs ' ||
    skip "the build has no restartable sequences (x86-64, a C library with rseq, no ThreadSanitizer)"

# little_endian HEX: the number that eight digits of a dump, or sixteen, stand for.
little_endian() {
    local digits=$1 number=
    while [ -n "$digits" ]; do
        number=${digits:0:2}$number
        digits=${digits:2}
    done
    echo $((16#$number))
}

# sequences: a line "START LENGTH" for each descriptor: two lines of the dump.
sequences() {
    local word1 word2 start=
    objdump -s -j __rseq_cs "$library" | sed -n 's/^ [0-9a-f]* \(.\{35\}\) .*/\1/p' |
        while read -r word1 word2 word3 word4; do
            if [ -z "$start" ]; then
                start=$(little_endian "$word3$word4")
            else
                echo "$start $(little_endian "$word1$word2")"
                start=
            fi
        done
}

code() {
    objdump -d --no-show-raw-insn "$@" "$library" | grep -P '^ +[0-9a-f]+:\t'
}

# locked FILE: prints what takes the bus or waits for it. Only with memory is an xchg locked: the padding xchg %ax,%ax is not.
locked() {
    grep -P '\t(lock|[lms]fence|xchg\w* .*\()|\tsyscall' "$1"
}

code >"$LAB_TMP/all"
check "locked instructions are found where there are some" quiet locked "$LAB_TMP/all"

sequences >"$LAB_TMP/sequences"
count=$(wc -l <"$LAB_TMP/sequences")
check "the library has its sequences ($count)" [ "$count" -ge 8 ]
while read -r start length; do
    at=$LAB_TMP/$(printf '%x' "$start")
    code "--start-address=$start" "--stop-address=$((start + length))" >"$at"
    name="the sequence of $length bytes at $(basename "$at")"
    # It ends with the one store that makes it happen: of the word, to where rax says.
    check "$name ends with its store" grep -qP '\tmov +%rcx,\(%rax\)$' <(tail -n 1 "$at") || cat "$at"
    check_not "$name has no locked instruction" locked "$at"
done <"$LAB_TMP/sequences"

for name in lab_alloc_page_gfp_atomic lab_free_pages; do
    code "--disassemble=$name" >"$LAB_TMP/$name"
    check "$name goes through a sequence" grep -qP '\tmov +%rcx,\(%rax\)$|\tcall.*<percpu_' "$LAB_TMP/$name"
    check "$name returns from it" grep -qP '\tret' "$LAB_TMP/$name"
    check_not "$name has no locked instruction" locked "$LAB_TMP/$name"
    # gcc puts the sequence into it, clang may keep one of several copies apart
    check_not "$name calls nothing else" grep -P '\tcall(?!.*<percpu_)' "$LAB_TMP/$name"
done
finish
