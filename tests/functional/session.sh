# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Sessions of the application and of dpdk-testpmd on a pipe, for tests that put both to work on real
# ports. To be read after lib.sh. Every wait has a bound, and none of them decides a figure: the
# figures are read when both sides have come to rest.

LAB_ASKED=0

# cpus MAIN WORKER: have EAL, set by eal_args, run on these CPUs, or on what the machine has.
cpus() {
    local last=$(($(nproc) - 1))
    EAL[1]="0@$(($1 > last ? last : $1)),1@$(($2 > last ? last : $2))"
}

# labyrinth NAME [COMMAND...] -- [EAL OPTIONS...] -- [OPTIONS...]: start the application with a
# shell; COMMAND is put before it, such as in_ns NAMESPACE.
labyrinth() {
    local name=$1
    local -a before=() eal=()
    shift
    while [ "$1" != -- ]; do before+=("$1") && shift; done
    shift
    while [ "$1" != -- ]; do eal+=("$1") && shift; done
    shift
    start "$name" "${before[@]}" "$LAB_BUILD/app/labyrinth" "${EAL[@]}" "${eal[@]}" -- -i "$@"
}

# told NAME MARK: the application has come to the echo of this mark.
told() {
    grep -qx -- "$2" "$(log_of "$1")"
}

# ask NAME COMMAND: let the application run a command; prints what it says, without the prompt.
# The command has been carried out when this returns; 1 if that took more than a minute.
ask() {
    local name=$1 mark
    LAB_ASKED=$((LAB_ASKED + 1))
    # Two marks that cannot be the same for two questions, though a subshell counts for itself.
    mark="mark-$LAB_ASKED-$BASHPID-$RANDOM$RANDOM"
    tell "$name" "echo $mark"
    tell "$name" "$2"
    tell "$name" "echo $mark-end"
    wait_for 60 told "$name" "$mark-end" || return 1
    sed -n "/^$mark\$/,/^$mark-end\$/p" "$(log_of "$name")" | sed -E "/^(labyrinth> |$mark)/d"
}

# order NAME COMMAND: a command that must not be refused; the test cannot go on if it is.
order() {
    local said
    said=$(ask "$1" "$2") || die "$1 did not get to '$2'; see: $(tail -n 5 "$(log_of "$1")")"
    ! grep -E '^error: ' <<<"$said" || die "$1 refused '$2'"
}

# ledger NAME FILTER: a figure of `show ledger json`, by jq.
ledger() {
    ask "$1" 'show ledger json' | jq -r "$2"
}

# leave NAME: quit, and check that it ended well.
leave() {
    tell "$1" quit
    wait_end "$1" 60
    check "$1 ends well" [ "${LAB_STATUS[$1]}" = 0 ] || tail -n 20 "$(log_of "$1")"
}

# --------------------------------------------------------------- the generator, a dpdk-testpmd

# summaries NAME: how many times it has printed the sum of its forwarding.
summaries() {
    grep -c 'Accumulated forward statistics' "$(log_of "$1")"
}

summaries_over() {
    [ "$(summaries "$1")" -gt "$2" ]
}

# halt NAME: stop a testpmd's forwarding and set SENT, REFUSED and TOTAL to what it says of its
# TX-packets, TX-dropped and TX-total.
halt() {
    local before
    before=$(summaries "$1")
    tell "$1" stop
    wait_for 60 summaries_over "$1" "$before" || die "$1 does not stop forwarding"
    # The three of the last sum, which may still be on its way.
    wait_for 10 quiet whole_summary "$1" || die "$1 prints no TX figures"
    # shellcheck disable=SC2034 # for the tests
    read -r SENT REFUSED TOTAL < <(whole_summary "$1")
}

whole_summary() {
    awk '/Accumulated forward statistics/ { on = 1; line = "" }
        on && /TX-packets:/ { line = $2 " " $4 " " $6; on = 0 }
        END { if (line == "") exit 1; print line }' "$(log_of "$1")"
}
