# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The harness of the functional tests. A test is a bash script:
#
#   . "$(dirname "$0")/lib.sh"
#   needs root cmd:tcpdump netns        # or in its registration (LAB_NEEDS)
#   start pmd dpdk-testpmd ... ; wait_log pmd 'started' ; tell pmd stop ; stop pmd
#   check "packets were forwarded" [ "$n" -gt 0 ]
#   finish
#
# It ends with 0 if `finish` was reached and nothing failed, with 77 and the reason on the last line
# if the machine cannot run it, otherwise with 1. Whatever it started, made or mounted is undone on
# every way out; nothing is ended or removed that it did not start or make itself.
#
# Environment, set by the build: LAB_BUILD (build folder), LAB_SOURCE (source folder), LAB_NEEDS.
set -uo pipefail

LAB_FUNCTIONAL=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_SOURCE=${LAB_SOURCE:-$(cd "$LAB_FUNCTIONAL/../.." && pwd)}
LAB_BUILD=${LAB_BUILD:-$LAB_SOURCE/build}
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# A name of this test's own, used as EAL file prefix and in the names of namespaces and interfaces.
LAB_ID=labt$$
LAB_TMP=
LAB_FAILED=0
LAB_PRIMARY_SHELL=$BASHPID
# shellcheck disable=SC2034 # LAB_STATUS is for the tests
declare -A LAB_PIDS=() LAB_STDIN=() LAB_STATUS=()
LAB_NAMESPACES=()
LAB_SAFE_DIR=

# ---------------------------------------------------------------- outcome

note() {
    echo "# $*"
}

skip() {
    echo "SKIP: $*"
    exit 77
}

# die MESSAGE: the test cannot go on.
die() {
    echo "FAIL: $*"
    exit 1
}

# quiet COMMAND...: without its output, for use in a check.
quiet() {
    "$@" >/dev/null 2>&1
}

# check MESSAGE COMMAND...: say whether the command holds, and go on.
check() {
    local message=$1
    shift
    if "$@"; then
        echo "ok: $message"
    else
        echo "FAIL: $message (not true: $*)"
        LAB_FAILED=1
        return 1
    fi
}

# check_not MESSAGE COMMAND...: as check, for what must not hold.
check_not() {
    local message=$1
    shift
    if "$@"; then
        echo "FAIL: $message (true, but must not be: $*)"
        LAB_FAILED=1
        return 1
    fi
    echo "ok: $message"
}

# check_match MESSAGE REGEX FILE: a line of the file matches; shows the file's end if not.
check_match() {
    if grep -Eq -- "$2" "$3"; then
        echo "ok: $1"
    else
        echo "FAIL: $1 (no match for '$2' in the output below)"
        tail -n 30 "$3" | sed 's/^/    /'
        LAB_FAILED=1
        return 1
    fi
}

finish() {
    exit "$LAB_FAILED"
}

# ---------------------------------------------------------------- what a test needs

need_root() {
    [ "$(id -u)" = 0 ] || skip "needs root"
}

need_cmd() {
    command -v "$1" >/dev/null || skip "needs the command $1"
}

need_file() {
    [ -e "$1" ] || skip "needs $1"
}

# need_hugepages [N]: at least N (default 128) free pages of 2 MiB and a mount of them.
need_hugepages() {
    local want=${1:-128} free
    hugetlb_mounts | grep -q . || skip "needs hugetlbfs mounted (scripts/hugepages reserve)"
    free=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)
    [ "$free" -ge "$want" ] ||
        skip "needs $want free hugepages of 2 MiB, has $free (scripts/hugepages reserve)"
}

# Network namespaces of our own, with veth pairs in them.
need_netns() {
    local probe=$LAB_ID-probe
    need_root
    need_cmd ip
    ip netns add "$probe" 2>/dev/null || skip "needs network namespaces, which this machine refuses"
    if ! ip -n "$probe" link add probe0 type veth peer name probe1 2>/dev/null; then
        ip netns del "$probe"
        skip "needs veth interfaces, which this machine refuses"
    fi
    ip netns del "$probe"
}

# What this tree builds is not a need of the machine: without it the test fails.
need_built() {
    [ -e "$LAB_BUILD/$1" ] || die "$LAB_BUILD/$1 was not built"
}

# needs WORD...: root, netns, huge[:N], cmd:NAME, file:PATH, app (the application), driver (the
# mempool driver).
needs() {
    local word
    for word in "$@"; do
        case $word in
            root) need_root ;;
            netns) need_netns ;;
            huge) need_hugepages ;;
            huge:*) need_hugepages "${word#*:}" ;;
            cmd:*) need_cmd "${word#*:}" ;;
            file:*) need_file "${word#*:}" ;;
            app) need_built app/labyrinth ;;
            driver) need_built lib/mempool/librte_mempool_labyrinth.so ;;
            *) die "unknown need: $word" ;;
        esac
    done
}

# ---------------------------------------------------------------- waiting

# wait_for SECONDS COMMAND...: until the command holds; 1 if it never does.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# ---------------------------------------------------------------- processes

log_of() {
    echo "$LAB_TMP/$1.log"
}

is_running() {
    kill -0 "${LAB_PIDS[$1]:-0}" 2>/dev/null && [ -n "${LAB_PIDS[$1]:-}" ]
}

# start NAME COMMAND...: run in the background; output in `log_of NAME`, input from `tell NAME`.
start() {
    local name=$1 fd
    shift
    mkfifo "$LAB_TMP/$name.stdin"
    # Opened for both ways, so that neither side waits for the other and no end of file comes early.
    exec {fd}<>"$LAB_TMP/$name.stdin"
    "$@" <"$LAB_TMP/$name.stdin" >"$(log_of "$name")" 2>&1 {fd}>&- &
    LAB_PIDS[$name]=$!
    LAB_STDIN[$name]=$fd
}

# tell NAME LINE: write a line to the standard input of a started process.
tell() {
    local fd=${LAB_STDIN[$1]}
    printf '%s\n' "$2" >&"$fd"
}

# keys NAME TEXT: as tell, but the bytes alone, with printf's escapes: what a person types.
keys() {
    local fd=${LAB_STDIN[$1]}
    printf '%b' "$2" >&"$fd"
}

# said NAME TEXT N: its output holds the text N times or more.
said() {
    [ "$(grep -oF -- "$2" "$(log_of "$1")" | wc -l)" -ge "$3" ]
}

# wait_log NAME REGEX [SECONDS]: until a line of its output matches; fails at once when it ended.
wait_log() {
    local name=$1 regex=$2 deadline=$((SECONDS + ${3:-20}))
    until grep -Eq -- "$regex" "$(log_of "$name")" 2>/dev/null; do
        if ! is_running "$name" || [ "$SECONDS" -ge "$deadline" ]; then
            # It may have said it in its last moment.
            grep -Eq -- "$regex" "$(log_of "$name")" && return 0
            echo "FAIL: $name never said '$regex'; its output ended with:"
            tail -n 30 "$(log_of "$name")" | sed 's/^/    /'
            LAB_FAILED=1
            return 1
        fi
        sleep 0.1
    done
}

# Collect the exit status of a process that ended; kept in LAB_STATUS[NAME].
reap() {
    local name=$1 status=0 fd=${LAB_STDIN[$1]}
    wait "${LAB_PIDS[$name]}" 2>/dev/null || status=$?
    LAB_STATUS[$name]=$status
    exec {fd}>&-
    rm -f "$LAB_TMP/$name.stdin"
    unset "LAB_PIDS[$name]" "LAB_STDIN[$name]"
    return "$status"
}

has_ended() {
    ! is_running "$1"
}

# wait_end NAME [SECONDS]: until it ends by itself. Returns its exit status; 124 if it had to be killed.
wait_end() {
    local name=$1
    if ! wait_for "${2:-20}" has_ended "$name"; then
        kill -KILL "${LAB_PIDS[$name]}" 2>/dev/null
        reap "$name"
        # shellcheck disable=SC2034 # for the tests
        LAB_STATUS[$name]=124
        return 124
    fi
    reap "$name"
}

# stop NAME [SIGNAL]: ask it to end (default TERM), kill it after 10 s. Returns its exit status.
stop() {
    local name=$1
    [ -n "${LAB_PIDS[$name]:-}" ] || return 0
    kill "-${2:-TERM}" "${LAB_PIDS[$name]}" 2>/dev/null
    wait_end "$name" 10
}

# ---------------------------------------------------------------- DPDK

hugetlb_mounts() {
    awk '$3 == "hugetlbfs" { print $2 }' /proc/mounts
}

# Files that processes with this test's prefix left in hugetlbfs.
hugepage_files() {
    local mount
    for mount in $(hugetlb_mounts); do
        find "$mount" -maxdepth 1 -name "${LAB_ID}*map_*"
    done
}

# eal_args MODE [SUFFIX]: set the array EAL for memory mode `huge` or `nohuge`. The suffix makes the
# prefix of a second, independent primary process of the same test.
eal_args() {
    local lcores="0@0,1@1"
    [ "$(nproc)" -gt 1 ] || lcores="0@0,1@0"
    EAL=(--lcores "$lcores" --no-pci "--file-prefix=$LAB_ID${2:-}")
    case $1 in
        huge) EAL+=(--huge-unlink) ;;
        nohuge) EAL+=(--no-huge --no-shconf -m 256) ;;
        *) die "unknown memory mode: $1" ;;
    esac
}

# telemetry COMMAND [SUFFIX]: one request to the process with this test's prefix; prints JSON.
telemetry() {
    python3 "$LAB_FUNCTIONAL/telemetry.py" "$RUNTIME_DIRECTORY/dpdk/$LAB_ID${2:-}" "$1"
}

# The functions below read the log of a testpmd that was started under a name, as
#   start NAME stdbuf -oL dpdk-testpmd ... -i ...

# testpmd_forwarded NAME: packets sent on all ports, by the last "Accumulated forward statistics".
testpmd_forwarded() {
    awk '/Accumulated forward statistics/ { on = 1; n = 0 }
        on && /TX-packets:/ { n = $2; on = 0 }
        END { print n + 0 }' "$(log_of "$1")"
}

# testpmd_wait_forwarded NAME N: until it has forwarded N packets since its start, with a bound.
testpmd_wait_forwarded() {
    wait_for 30 testpmd_has_forwarded "$1" "$2"
}

testpmd_has_forwarded() {
    tell "$1" 'show fwd stats all'
    [ "$(testpmd_forwarded "$1")" -ge "$2" ]
}

# testpmd_stop NAME: stop forwarding; its figures are printed when this returns.
testpmd_stop() {
    local before
    before=$(grep -c '^Done\.$' "$(log_of "$1")")
    tell "$1" stop
    wait_for 20 testpmd_stopped "$1" "$before" || die "$1 does not stop forwarding"
}

testpmd_stopped() {
    [ "$(grep -c '^Done\.$' "$(log_of "$1")")" -gt "$2" ]
}

# testpmd_dump_pool NAME OPS: have it describe its pools, in the words of either release; true if
# one of them has these ops.
testpmd_dump_pool() {
    tell "$1" 'dump_mempool'
    tell "$1" 'dump mempool'
    wait_log "$1" "ops_name: <$2>" 5
}

# testpmd_free_objects NAME: objects in the pool and in its caches, by the last dump.
testpmd_free_objects() {
    awk -F = '/total_cache_count=/ { cached = $2 }
        /common_pool_count=/ { pool = $2 }
        END { print pool + cached }' "$(log_of "$1")"
}

has_unsafe_ancestor() {
    local dir=$1
    while :; do
        [ -z "$(find "$dir" -maxdepth 0 -perm -o+w)" ] || return 0
        [ "$dir" != / ] || return 1
        dir=$(dirname "$dir")
    done
}

# A folder that root alone can write to and that programs can be loaded from.
make_safe_dir() {
    local base
    for base in /var/lib /usr/local/lib /root; do
        if [ -w "$base" ] && ! findmnt -no OPTIONS -T "$base" 2>/dev/null | grep -qw noexec &&
            ! has_unsafe_ancestor "$base"; then
            LAB_SAFE_DIR=$(mktemp -d "$base/labyrinth-test.XXXXXX") && chmod 755 "$LAB_SAFE_DIR"
            return
        fi
    done
    skip "needs a folder for the driver with no world-writable ancestor"
}

# Set PLUGIN to the driver's path, fit for EAL's -d, which refuses a path below a world-writable
# folder: from such a build tree a copy is taken, laid out alike so that its run path holds.
plugin() {
    local lib=$LAB_BUILD/lib
    needs driver
    PLUGIN=$lib/mempool/librte_mempool_labyrinth.so
    has_unsafe_ancestor "$(realpath "$lib/mempool")" || return 0
    if [ -z "$LAB_SAFE_DIR" ]; then
        make_safe_dir
        mkdir -p "$LAB_SAFE_DIR/lib/mempool"
        cp -aL "$lib"/liblabyrinth.so* "$LAB_SAFE_DIR/lib/"
        cp -aL "$lib"/mempool/librte_mempool_labyrinth.so* "$LAB_SAFE_DIR/lib/mempool/"
        export LD_LIBRARY_PATH=$LAB_SAFE_DIR/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    fi
    # shellcheck disable=SC2034 # for the tests
    PLUGIN=$LAB_SAFE_DIR/lib/mempool/librte_mempool_labyrinth.so
}

# ---------------------------------------------------------------- networks

# make_ns NAME: a network namespace of this test's own, with its loopback up.
make_ns() {
    ip netns add "$LAB_ID-$1" || die "cannot make the namespace $1"
    LAB_NAMESPACES+=("$LAB_ID-$1")
    ip -n "$LAB_ID-$1" link set lo up
    # Router solicitations and duplicate address detection would be packets nobody asked for.
    ip netns exec "$LAB_ID-$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
        net.ipv6.conf.default.disable_ipv6=1 2>/dev/null || true
}

# in_ns NAME COMMAND...: run a command in a namespace. With start: start x in_ns NAME COMMAND...
in_ns() {
    local name=$1
    shift
    # exec where it is a process of its own, so that a signal reaches the command itself.
    if [ "$BASHPID" != "$LAB_PRIMARY_SHELL" ]; then
        exec ip netns exec "$LAB_ID-$name" "$@"
    fi
    ip netns exec "$LAB_ID-$name" "$@"
}

# veth_pair NS1 IF1 ADDRESS1 NS2 IF2 ADDRESS2: a cable between two namespaces, made before; both
# ends up with addresses like 10.9.0.1/24 ("-" for none). Checksums are computed in software, as a
# peer that is no kernel would otherwise see frames with unfinished ones.
veth_pair() {
    local ns1=$LAB_ID-$1 ns2=$LAB_ID-$4
    ip -n "$ns1" link add "$2" type veth peer name "$5" netns "$ns2" ||
        die "cannot make the veth pair $2 - $5"
    veth_end "$1" "$2" "$3"
    veth_end "$4" "$5" "$6"
    wait_for 5 veth_is_up "$1" "$2" || die "$2 did not come up"
}

veth_end() {
    [ "$3" = - ] || ip -n "$LAB_ID-$1" address add "$3" dev "$2"
    ip -n "$LAB_ID-$1" link set "$2" up
    in_ns_quiet "$1" ethtool -K "$2" tx off tso off gso off gro off
}

in_ns_quiet() {
    in_ns "$@" >/dev/null 2>&1 || true
}

veth_is_up() {
    [ "$(ip -n "$LAB_ID-$1" -br link show "$2" | awk '{ print $2 }')" = UP ]
}

# serve NS [PORT]: an iperf3 server, started as `server-NS`.
serve() {
    start "server-$1" in_ns "$1" iperf3 -s -p "${2:-5201}" --forceflush
    wait_log "server-$1" 'Server listening'
}

# send_traffic NS ADDRESS SECONDS [IPERF3 OPTIONS...]: a client against `serve`; prints the result
# as JSON. Returns iperf3's status.
send_traffic() {
    local ns=$1 address=$2 seconds=$3
    shift 3
    in_ns "$ns" timeout $((seconds + 20)) iperf3 -J -c "$address" -t "$seconds" "$@" </dev/null
}

# capture NS INTERFACE FILE [FILTER...]: tcpdump into a pcap; ready when this returns. End it with
# `end_capture INTERFACE`.
capture() {
    local ns=$1 interface=$2 file=$3
    shift 3
    start "capture-$interface" in_ns "$ns" tcpdump -n -U -Z root \
        --immediate-mode -B 8192 -i "$interface" -w "$file" "$@"
    wait_log "capture-$interface" 'listening on'
}

# is_idle PID: it sleeps, and has not run for half a second.
is_idle() {
    local before
    before=$(switches "$1")
    sleep 0.5
    [ "$before" = "$(switches "$1")" ] && grep -q '^State:.S' "/proc/$1/status"
}

# How often a process gave up its CPU or lost it.
switches() {
    grep ctxt_switches "/proc/$1/status"
}

# end_capture INTERFACE: returns tcpdump's status. It drops what it has not read when it is
# interrupted, so it is given the time to read all of it.
end_capture() {
    wait_for 20 is_idle "${LAB_PIDS[capture-$1]}"
    stop "capture-$1" INT
}

# packets_in FILE [FILTER...]: number of packets of a pcap.
packets_in() {
    local file=$1
    shift
    tcpdump -n -r "$file" "$@" 2>/dev/null | wc -l
}

# ---------------------------------------------------------------- on the way out

cleanup() {
    local status=$? name ns file
    trap - EXIT
    trap '' INT TERM
    for name in "${!LAB_PIDS[@]}"; do
        stop "$name"
    done
    for ns in "${LAB_NAMESPACES[@]}"; do
        ip netns del "$ns" 2>/dev/null
    done
    hugepage_files | while read -r file; do
        rm -f "$file"
    done
    [ -z "$LAB_SAFE_DIR" ] || rm -rf "$LAB_SAFE_DIR"
    [ -z "$LAB_TMP" ] || rm -rf "$LAB_TMP"
    exit "$status"
}

setup_test() {
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Short, because a socket's path holds 107 bytes.
    LAB_TMP=$(mktemp -d /tmp/labt.XXXXXX) || exit 1
    # EAL keeps its files and its telemetry socket below this.
    export RUNTIME_DIRECTORY=$LAB_TMP/run
    mkdir "$RUNTIME_DIRECTORY"
    # shellcheck disable=SC2086 # a list
    needs ${LAB_NEEDS:-}
}

setup_test
