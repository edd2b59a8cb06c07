# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of the options of labyrinth and labyrinth-observe for bash: source this file, or put it where bash-completion looks
# (pkg-config --variable=completionsdir bash-completion) under the name labyrinth.
# Options before the "--" are EAL's; those after it are asked of the program itself.

_labyrinth_modes() {
    echo flowgen gen io mac macswap noisy rxonly sink txonly
}

# The long options that a help text names.
_labyrinth_options() {
    "$@" 2>/dev/null | grep -oE -- '--[a-z][a-z0-9-]*=?' | sort -u
}

_labyrinth() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word eal=1
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [ "$word" != -- ] || eal=0
    done
    # readline parts words at "="
    if [ "$cur" = "=" ]; then
        cur=
    elif [ "$prev" = "=" ]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $prev in
        --cmdline-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        --forward-mode) mapfile -t COMPREPLY < <(compgen -W "$(_labyrinth_modes)" -- "$cur") ;;
        --mbuf-pool-ops)
            mapfile -t COMPREPLY < <(compgen -W "labyrinth_buddy labyrinth ring_mp_mc stack" -- "$cur")
            ;;
        *)
            local words='-- --no-huge --no-shconf --in-memory --no-pci --lcores --vdev --file-prefix
                --huge-unlink --log-level -l -m --help --version'
            [ "$eal" = 1 ] || words="$(_labyrinth_options "$1" --help) -i -a -h"
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
            ;;
    esac
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}

# A subcommand, then its own long options.
_labyrinth_observe() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p') --help --version" -- "$cur")
        return
    fi
    [ "$cur" != "=" ] || cur=
    [ "$prev" != "=" ] || prev=${COMP_WORDS[COMP_CWORD - 2]}
    case $prev in
        -n | --dev) mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$cur") ;;
        -j | --json | -H | --html) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        -f | --format) mapfile -t COMPREPLY < <(compgen -W "table json" -- "$cur") ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_labyrinth_options "$1" "${COMP_WORDS[1]}" --help)" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            ;;
    esac
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}

complete -F _labyrinth labyrinth
complete -F _labyrinth_observe labyrinth-observe
