#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The command line: every command of `help all` is run, every `show` gives JSON that parses, and
# what is wrong is said with its file and line.
. "$(dirname "$0")/lib.sh"
needs app cmd:jq
app=$LAB_BUILD/app/labyrinth
out=$LAB_TMP/out.log
err=$LAB_TMP/err.log
file=$LAB_TMP/test.cmd
export LAB_OUT=$LAB_TMP/written
eal_args nohuge
PORTS=(--vdev net_null0 --vdev net_null1)

# labyrinth ARGUMENTS...: on two null ports; output in $out and $err.
labyrinth() {
    timeout 60 "$app" "${EAL[@]}" "${PORTS[@]}" -- --total-num-mbufs=2048 "$@" \
        >"$out" 2>"$err" </dev/null
}

# commands: those on standard input, as a file.
commands() {
    cat >"$file"
    labyrinth --cmdline-file "$file"
}

# refused REGEX: the command on standard input, on line 2 of a file, is refused with that message.
refused() {
    { echo '# a comment'; cat; } >"$file"
    check_not "refused: $(tail -n 1 "$file" | cut -c 1-60)" labyrinth --cmdline-file "$file"
    check_match "  with its place and reason" "^$file:2: .*$1" "$err"
}

# stops_at MESSAGE REGEX COMMAND: the file so far and this command stop at it with the message; the
# file is left without it.
stops_at() {
    echo "$3" >>"$file"
    check_not "$1" labyrinth --cmdline-file "$file"
    check_match "  with its place and reason" "^$file:$(wc -l <"$file"): $2" "$err"
    sed -i '$d' "$file"
}

check "--version" quiet "$app" --version
check "--help before the --" quiet "$app" --help
labyrinth --help
check "--help after it" [ $? = 0 ]
check_match "  shows the options" '--cmdline-file=FILE' "$out"
check_not "an unknown option is refused" labyrinth --nonsense
check_not "an option out of range is refused" labyrinth --burst=513
check_match "  with the range" "burst: '513' is not a number from 1 to 512" "$err"
check_not "a missing command file is refused" labyrinth --cmdline-file "$LAB_TMP/none"
check_match "  by name" "cannot open '$LAB_TMP/none'" "$err"

# ---------------------------------------------------------------- every command
all=$LAB_TMP/all.cmd
file=$all
cat >"$file" <<'COMMANDS'
help
help all
help ports
echo hello world
set verbose 0
set seed 7
set burst 32
set txpkts 64,64
set txpkts 64
set nbcore 1
set nbport 2
set corelist 1
set portlist 0,1
set eth-peer 0 02:00:00:00:00:09
set promisc all on
set promisc 0 on
set record-core-cycles off
set record-core-cycles on
set record-burst-stats off
set record-burst-stats on
set noisy buffer 64
set noisy hold 1ms
set gen poisson:rate=10k,size=imix,flows=8
set fwd io
show config fwd
show config rxtx
show config cores
show config txpkts
show port info all
show port summary all
show port stats all
show port xstats 0
start
wait 50ms
show fwd stats all
clear fwd stats all
show ledger
clear ledger
stop
start tx_first
wait 10ms
stop
start tx_first 2
stop
set fwd mac
run 10ms
set fwd macswap
run 10ms
set fwd rxonly
run 10ms
set fwd txonly
run 10ms
set fwd flowgen
run 10ms
set fwd noisy
run 10ms
set fwd gen
run 10ms
set fwd sink
run 10ms
ledger offered 0 123456789012
show ledger
clear ledger
clear port stats all
clear port xstats 0
port stop all
port config all rxq 2
port config all txq 2
port config all rxd 256
port config all txd 256
port config all burst 16
port start all
show config fwd
set fwd io
run 10ms
port stop all
port config all rxq 1
port config all txq 1
pool create extra,n=1024,size=2176,cache=0,min_free_kbytes=16
port pool 0 extra
show pool
port start all
port attach net_null7
port start 2
port stop 2
port close 2
COMMANDS
stops_at "a started port cannot be detached" "Port 1 is not stopped" "port detach 1"
cat >>"$file" <<COMMANDS
show zone info
show zone info extra
show zone buddyinfo
show zone pagetypeinfo
show zone zoneinfo
show zone failures
show zone warnings
show frag
set zone min_free_kbytes 64
set zone min_free_kbytes auto extra
set zone watermark_scale_factor 20
set zone watermark_boost_factor 15000
set zone lowmem_reserve 8
set zone reserve_blocks 0
set zone pcp on
zone drain
set zone pcp off
set zone gfp ATOMIC|NOWARN
set zone owners on
set zone guard on
set kswapd on
inject probability 0.5 times=3 seed=2
run 10ms
show zone owners
show zone owners extra
set zone guard off
inject off
set kswapd off
pool create moving,n=4096,size=2176,cache=0,ops=labyrinth
set compaction on
age churn occupancy=0.5 order=9 pool=moving
age churn-rate 100000 moving
run 5ms
age churn-rate 0 moving
zone compact moving
show zone info moving
set compaction off
age release all moving
COMMANDS
stops_at "a process without caches has none to give back" "process 1 has no caches in any pool" \
    "zone reclaim 1"
stops_at "nor in a pool that is named" "process 1 has no caches in pool moving" "zone reclaim 1 moving"
stops_at "a process must be named" "pid: '0' is not a number from 1" "zone reclaim 0"
stops_at "the free lists are no process's" "the buddy allocator has no caches" "zone reclaim 1 extra"
cat >>"$file" <<COMMANDS
age try churn occupancy=0.5
age release all
port stop all
age churn occupancy=0.5 seed=3
show age
age churn-rate 1000
COMMANDS
stops_at "forwarding needs started ports" "Not all ports were started: port 0 is not" "run 1ms"
cat >"$LAB_TMP/kernel.trace" <<'TRACE'
labyrinth-trace 3
kernel 6.1.0-37-amd64
zone Normal
node 0
start 4096
spanned 4096
managed 4096
marks 16 20 24
reserve
free * 1 0 0 1 0 0 0 0 0 0 1
cpus 1
events
a 1 0 5000 0 3272 M
s 2 0 0 0 1 0 0 0 0 0 0 1 0
f 3 0 5000 0
end 1 0 1 0 0 0 0 1 0 0
TRACE
stops_at "an option of replay that is none" "replay: 'seeds=1' is none of" "replay $LAB_TMP/kernel.trace seeds=1"
stops_at "a trace that is none" "/dev/null: line 1: the file ends here" "replay /dev/null"
cat >>"$file" <<COMMANDS
replay $LAB_TMP/kernel.trace
replay $LAB_TMP/kernel.trace allocator=labyrinth seed=2 pcp=model
age save $LAB_TMP/zone.txt
age release all
age load $LAB_TMP/zone.txt
age release 10
age release all
set sample interval 5
set correlation lags 5
set correlation tau 5
set correlation gap 3
port start all
arm begin one
run 60ms
arm end
arm begin two
run 60ms
arm end
show series
show sampler
show correlation
show correlation refusals drops
show arms
report json $LAB_TMP/r/report.json
report html $LAB_TMP/r/report.html
report write
dump_physmem
dump_memzone
dump_socket_mem
dump_mempool
dump_mempool extra
dump_ring
dump physmem
dump memzone
dump socket_mem
dump mempool
dump mempool extra
dump ring
port stop all
COMMANDS
stops_at "net_null cannot be reset" "port 1 cannot be reset: Operation not supported" "port reset 1"
cat >>"$file" <<COMMANDS
port detach 1
port close 0
set time virtual
set cost poll=100,packet=50
port attach wire:w,pool=extra,arrival=constant:rate=100k
port start all
run 5ms
show wire
show port xstats all
COMMANDS
stops_at "time is set before wires are attached" "the kind of time is set before" "set time real"
printf 'load %s\n' "$LAB_TMP/quit.cmd" >>"$file"
printf '# a comment\n\nquit\nnonsense\n' >"$LAB_TMP/quit.cmd"
if ! check "every command runs" labyrinth --cmdline-file "$file"; then
    cat "$err"
    tail "$out"
fi
check_match "echo" '^hello world$' "$out"
check "report write goes to LAB_OUT" [ -s "$LAB_OUT/report.json" ]
check "the report parses" quiet jq -e '.arms | length == 2' "$LAB_TMP/r/report.json"
for block in 'NIC statistics for port 0' 'Forward statistics for port 1' 'TX-dropped: 0 ' \
    'Accumulated forward statistics for all ports' 'RX-bursts : ' 'CPU cycles/packet=' \
    'NIC extended statistics for port 0' 'Infos for port 0' 'Number of available ports: 2' \
    'RX P=0/Q=1 .* -> TX P=1/Q=1' 'Node 0, zone +Normal' 'protection:' 'Logical Core 1'; do
    check_match "the output has: $block" "$block" "$out"
done

# Every alternative of every grammar of `help all`, arguments apart, must have been run above. `zone reclaim` needs
# a process that was killed: secondary.sh has one.
file=$LAB_TMP/test.cmd
commands <<<'help all' || true
sed -n '/^[a-z].*[^:]$/p' "$out" | grep -Ev '^(Configuring|Port|Bye|create|preferred|Checking)' |
    sed 's/ \[json\]$//; s/ [[<].*//' >"$LAB_TMP/grammars"
check "help lists the commands" [ "$(wc -l <"$LAB_TMP/grammars")" -gt 60 ]
# expand WORDS...: each way through a|b.
expand() {
    local done=$1 word
    shift
    if [ $# = 0 ]; then
        echo "${done# }"
        return
    fi
    for word in ${1//|/ }; do
        expand "$done $word" "${@:2}"
    done
}
while read -r grammar; do
    # shellcheck disable=SC2086 # words
    expand "" $grammar
done <"$LAB_TMP/grammars" | sort -u >"$LAB_TMP/words"
while read -r words; do
    case $words in
        "set time real" | "zone reclaim" | "port reset" | "arm compare" | "arm reduction") continue ;;
    esac
    grep -Eq "^$words( |$)" "$all" "$LAB_TMP/quit.cmd" ||
        check "run above: $words" false
done <"$LAB_TMP/words"
note "$(wc -l <"$LAB_TMP/words") ways through the grammars"

# ---------------------------------------------------------------- JSON of every show
# All in one run: each between marks of its own.
grep -v 'quit.cmd' "$all" | awk '/^show / { print "echo <<<"; print $0 " json"; print "echo >>>"; next }
    { print }' | commands
check "every show as JSON runs" [ $? = 0 ] || cat "$err"
shows=$(grep -c '^show ' "$all")
sed -n '/^<<<$/,/^>>>$/{/^<<<$/d;/^>>>$/d;p}' "$out" >"$LAB_TMP/json"
check "each of them is an object of JSON" \
    [ "$(jq -c 'select(type == "object")' "$LAB_TMP/json" | wc -l)" = "$shows" ]
note "$shows shows"

# ---------------------------------------------------------------- what is wrong
refused "no command 'nonsense'; there are: .*show" <<<'nonsense'
refused "'prot' after 'show' is not understood; expected: .*port" <<<'show prot all'
refused "'show port stats' is not complete; expected next: <port.all>" <<<'show port stats'
refused "'stop' takes nothing more, but 'now' follows" <<<'stop now'
refused "no port '7'; there are: 0 1 all" <<<'show port stats 7'
refused "burst: '0' is not a number from 1 to 512" <<<'set burst 0'
refused "no forward mode 'fast'; there are: flowgen" <<<'set fwd fast'
refused "'5parsec' is no time such as" <<<'wait 5parsec'
refused "Packet forwarding not started" <<<'stop'
refused "no arm 'a' has ended" <<<'arm reduction a b 99 x'
refused "'0' is no percentage above 0" <<<'arm reduction a b 0 x'
refused "'99%' is no percentage" <<<'arm reduction a b 99% x'
refused "Please stop all ports first" <<<'port config all rxq 2'
refused "lcore 0 is the main one" <<<'set corelist 0'
refused "occupancy" <<<'age churn occupancy=2'
refused "no pool 'x' with a zone" <<<'show zone info x'
refused "no probability" <<<'inject probability 2'
refused "no key 'wings' in a wire" <<<'port attach wire:w,wings=2'
refused "arrival: " <<<'port attach wire:w,arrival=poisson:speed=2'
refused "no mempool driver 'gold'" <<<'pool create p,ops=gold'
refused "min_free_kbytes=" <<<'set zone min_free_kbytes many'
refused "no such series" <<<'show correlation apples pears'
refused "owners are off .set zone owners on." <<<'show zone owners'
refused "guard=maybe is not valid: it takes off, on or abort" <<<'set zone guard maybe'
refused "line of [0-9]+ characters" <<<"echo $(head -c 600 /dev/zero | tr '\0' x)"
refused "no arm has begun" <<<'arm end'
refused "cannot open '/nonexistent'" <<<'load /nonexistent'

PORTS+=(--vdev net_ring0)
commands <<'COMMANDS'
port stop all
port config all rxq 1000
port config all txq 1000
port start 2
COMMANDS
check_match "too many queues: the port and its limits are named" \
    "^$file:4: port 2 .* has at most 16 Rx and 16 Tx queues; 1000 and 1000" "$err"
unset 'PORTS[-1]' 'PORTS[-1]'

printf 'set burst 0\n' >"$LAB_TMP/inner.cmd"
printf '\nload %s\n' "$LAB_TMP/inner.cmd" | commands
check "an error in a nested file ends the run" [ $? = 1 ]
check_match "  and the way to it is shown" "^$file:2: $LAB_TMP/inner.cmd:1: burst: '0'" "$err"
check "  once" [ "$(grep -c burst "$err")" = 1 ]
printf 'load %s\n' "$file" >"$file"
check_not "a file that loads itself ends" labyrinth --cmdline-file "$file"
check_match "  with a message" 'loaded more than 8 deep' "$err"

# ---------------------------------------------------------------- as testpmd says it
# labels: what stands before the values of `show port info` and `show config rxtx`.
labels() {
    sed -n '/packet forwarding packets/,/Device error handling mode/p' "$1" | grep -E '[:=]' |
        sed -E 's/^testpmd> //; s/[0-9a-fx]+//g; s/(:|=) .*/\1/; s/ +$//' | sort -u
}
if command -v dpdk-testpmd >/dev/null; then
    commands <<'COMMANDS'
show config rxtx
show port info 0
COMMANDS
    printf 'show config rxtx\nshow port info 0\nquit\n' | timeout 60 dpdk-testpmd "${EAL[@]}" \
        "${PORTS[@]}" -- -i --total-num-mbufs=2048 >"$LAB_TMP/testpmd.out" 2>"$LAB_TMP/testpmd.err"
    labels "$LAB_TMP/testpmd.out" >"$LAB_TMP/labels"
    check "testpmd has lines to compare with" [ "$(wc -l <"$LAB_TMP/labels")" -gt 30 ]
    missing=$(comm -23 "$LAB_TMP/labels" <(labels "$out"))
    check "each line of testpmd's port info and rxtx configuration is there" [ -z "$missing" ] ||
        echo "$missing"
else
    note "no dpdk-testpmd to compare with"
fi

# ---------------------------------------------------------------- the shell
shell=(timeout 60 "$app" "${EAL[@]}" "${PORTS[@]}" -- -i --total-num-mbufs=2048)
printf 'show port summary all\nnonsense\necho still here' | "${shell[@]}" >"$out" 2>"$err"
check "a failed command on a pipe shows in the exit code" [ $? = 1 ]
check_match "  the session goes on after it" '^still here$' "$out"
check_match "  and ends at the end of the input" '^Bye' "$out"
start shell "${shell[@]}"
tell shell 'echo line by line'
check "output on a pipe comes line by line" wait_log shell '^line by line$' 20
tell shell quit
wait_end shell 20
check "quit ends with 0" [ "${LAB_STATUS[shell]}" = 0 ]
echo 'echo from the file' >"$file"
printf 'echo from the shell\n' | "${shell[@]}" --cmdline-file "$file" >"$out" 2>"$err"
check_match "-i: the shell follows the file" '^from the shell$' "$out"

timeout 60 "$app" "${EAL[@]}" "${PORTS[@]}" -- --total-num-mbufs=2048 --forward-mode=macswap \
    --nb-cores=1 --nb-ports=2 --portmask=3 --rxq=2 --txq=2 --rxd=256 --txd=256 --burst=16 \
    --txpkts=64,64 --eth-peer=0,02:00:00:00:00:07 --mbuf-size=2176 --mbcache=64 \
    --record-core-cycles --record-burst-stats --stats-period=1 --tx-first --seed=3 \
    --max-pkt-len=1518 --mbuf-pool-ops=ring_mp_mc </dev/null >"$out" 2>"$err"
check "all flags at once" [ $? = 0 ] || cat "$err"
check_match "  without a shell it forwards until Enter" \
    'macswap packet forwarding - ports=2 - cores=1 - streams=4' "$out"
check_match "  eth-peer" 'peer=02:00:00:00:00:07' "$out"
check_match "  ops" 'preferred mempool ops selected: ring_mp_mc' "$out"

# A terminal: completion by Tab, the last line again by the up arrow. Keys go in once the prompt is
# there: what is typed before it finds the terminal's own line editing, which knows no Tab. No timeout(1)
# before the application: it would make it a background process, which the terminal stops.
summary='Number of available ports'
if command -v script >/dev/null; then
    start terminal script -qec "${shell[*]:2}" /dev/null
    wait_log terminal '^labyrinth> ' 60
    keys terminal 'sho\tpor\tsumm\tall\r'
    check "completion on a terminal" wait_for 20 said terminal "$summary" 1
    keys terminal '\033[A\r'
    check "  history" wait_for 20 said terminal "$summary" 2
    keys terminal 'quit\r'
    wait_end terminal 20
    check "  quit ends with 0" [ "${LAB_STATUS[terminal]}" = 0 ]
    check "  each line ran once" [ "$(grep -c "$summary" "$(log_of terminal)")" = 2 ] ||
        tail -n 40 "$(log_of terminal)"
else
    note "no script(1): the terminal is not tested"
fi
finish
