#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# labyrinth-observe as an ordinary user with CAP_BPF and CAP_PERFMON, which is what it asks for, and nothing else: `watch` and
# `record` work, have no capability left while they run, and cannot get one back. The capabilities are given by the caller,
# and then by setcap on the file, as the document says.
. "$(dirname "$0")/lib.sh"
needs root cmd:jq cmd:setpriv
need_built app/labyrinth-observe

user=65534

"$LAB_BUILD/app/labyrinth-observe" --help | grep -qw watch ||
    skip "built without the observer of the live kernel (libbpf, clang, bpftool)"
"$LAB_BUILD/app/labyrinth-observe" watch -d 50ms -p 0 >"$LAB_TMP/probe.log" 2>&1
rc=$?
[ $rc != 77 ] || skip "$(tail -n 1 "$LAB_TMP/probe.log")"
check "it runs as root" [ $rc = 0 ]

# A copy that everybody can read, wherever the build lies, laid out alike so that its run path holds; and a folder of the
# user's own.
make_safe_dir
install -d -m 755 "$LAB_SAFE_DIR/bin" "$LAB_SAFE_DIR/lib"
install -d -m 700 -o $user -g $user "$LAB_SAFE_DIR/out"
install -m 755 "$LAB_BUILD/app/labyrinth-observe" "$LAB_SAFE_DIR/bin"
install -m 755 "$LAB_BUILD"/lib/liblabyrinth.so.0 "$LAB_SAFE_DIR/lib"
observe=$LAB_SAFE_DIR/bin/labyrinth-observe
trace=$LAB_SAFE_DIR/out/kernel.trace
cd / || die "there is no /"

# exec: so that the process that is looked at is the program's, and no shell's
ordinary() {
    exec setpriv --reuid=$user --regid=$user --clear-groups --inh-caps=-all "$@"
}

with_two() {
    exec setpriv --reuid=$user --regid=$user --clear-groups --inh-caps=-all,+bpf,+perfmon \
        --ambient-caps=+bpf,+perfmon "$@"
}

# powerless PID: the program runs (and not setpriv yet) as the user, without any capability, and without a way to new ones.
powerless() {
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = labyrinth-obser ] && awk -v user=$user '
        /^Cap(Inh|Prm|Eff|Amb):/ { seen++; if ($2 !~ /^0+$/) bad = 1 }
        /^Uid:/ { seen++; for (i = 2; i <= 5; i++) if ($i != user) bad = 1 }
        /^NoNewPrivs:/ { seen++; if ($2 != 1) bad = 1 }
        END { exit bad || seen != 6 }' "/proc/$1/status" 2>/dev/null
}

settled() {
    has_ended "$1" || powerless "${LAB_PIDS[$1]}"
}

# why_not NAME: what it has, where it should have nothing.
why_not() {
    grep -E '^(Uid|Cap|NoNew)' "/proc/${LAB_PIDS[$1]:-0}/status" 2>/dev/null | sed 's/^/#     /'
}

# ---------------------------------------------------------------- none at all

(ordinary "$observe" watch -d 1s) >"$LAB_TMP/refused.log" 2>&1
check "an ordinary user ends with 77" [ $? = 77 ]
check_match "and is told of setcap" 'setcap cap_bpf,cap_perfmon\+ep' "$LAB_TMP/refused.log"

# works HOW COMMAND...: watch and record, run by COMMAND, which gives the capabilities.
works() {
    local how=$1 rc
    shift
    start watch "$@" "$observe" watch -d 60s -p 0 -f json
    check "watch $how has no capability while it runs" wait_for 10 powerless "${LAB_PIDS[watch]}" || why_not watch
    sleep 0.5
    stop watch INT
    check "and ends well" [ $? = 0 ]
    check "having counted allocations" [ "$(jq '[.may_sleep[].requests] | add' "$(log_of watch)")" -gt 0 ]

    rm -f "$trace"
    start record "$@" "$observe" record -d 60s -o "$trace"
    check "record $how begins, or ends, in time" wait_for 30 settled record || why_not record
    if has_ended record; then
        reap record
        rc=$?
        check "what it cannot do without more has code 77" [ $rc = 77 ]
        check_match "and is said: where the kernel's table of pages lies" \
            "table of pages lies cannot be found out \(with CAP_SYS_ADMIN" "$(log_of record)"
        note "$(cat "$(log_of record)")"
        return
    fi
    check "record $how has no capability while it runs" powerless "${LAB_PIDS[record]}" || why_not record
    sleep 0.5
    stop record INT
    check "and ends well" [ $? = 0 ]
    check "with a trace that is whole" [ "$(tail -n 1 "$trace" | cut -d ' ' -f 1)" = end ]
    check "of allocations" [ "$(grep -c '^a ' "$trace")" -gt 0 ]
}

works "with the two of its caller" with_two

# ---------------------------------------------------------------- setcap

# A program whose file gives it capabilities does not look for libraries beside itself: the copy is pointed at a folder of
# the same length, as one that is installed has its library where the loader looks anyway.
lib=$(mktemp -d /tmp/l.XXXXXXX) && chmod 755 "$lib"
# shellcheck disable=SC2016 # the loader's own word
beside='$ORIGIN/../lib'
if ! grep -qF "$beside" "$observe" || [ ${#lib} != ${#beside} ]; then
    note "setcap is not tried: the build has another run path"
elif ! command -v setcap >/dev/null; then
    note "setcap is not here"
else
    cp "$LAB_SAFE_DIR/lib/liblabyrinth.so.0" "$lib"
    sed -i "s|[$]ORIGIN/\.\./lib|$lib|" "$observe"
    if setcap cap_bpf,cap_perfmon+ep "$observe" 2>"$LAB_TMP/setcap.log"; then
        works "with those of its file" ordinary
    else
        note "this file system bears no capabilities: $(cat "$LAB_TMP/setcap.log")"
    fi
fi
rm -rf "$lib"
finish
