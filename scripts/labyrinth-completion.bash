# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of labyrinth's options for bash: source this file, or put it where bash-completion looks
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

complete -F _labyrinth labyrinth
