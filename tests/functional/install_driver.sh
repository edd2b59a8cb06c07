#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2016 # the inner shell expands its own
# An installed driver is found without -d: testpmd runs in a mount namespace where EAL's own driver
# folder holds what `meson install` placed there, beside its own drivers.
. "$(dirname "$0")/lib.sh"
unshare --mount true 2>/dev/null || skip "needs mount namespaces, which this machine refuses"

dest=$LAB_TMP/dest
meson install -C "$LAB_BUILD" --no-rebuild --destdir "$dest" >"$LAB_TMP/install.log" 2>&1 ||
    die "meson install: $(tail -n 3 "$LAB_TMP/install.log")"
eal_dir=$(find /usr/lib /usr/local/lib -name 'librte_mempool_ring.so' -path '*pmds-*' 2>/dev/null |
    head -n 1 | xargs -r dirname)
[ -n "$eal_dir" ] || skip "needs a DPDK that loads drivers from a folder"

cp -a "$eal_dir" "$LAB_TMP/drivers"
cp -L "$dest$eal_dir"/librte_mempool_labyrinth.so "$LAB_TMP/drivers/"
check "the driver was placed in $eal_dir" [ $? = 0 ] || finish
library=$(find "$dest" -name liblabyrinth.so)

eal_args nohuge
start pmd unshare --mount --propagation private bash -c '
    mount --bind "$1" "$2" && shift 2 && exec stdbuf -oL "$@"' bash "$LAB_TMP/drivers" "$eal_dir" \
    env "LD_LIBRARY_PATH=${library%/*}" dpdk-testpmd "${EAL[@]}" --vdev net_null0 --vdev net_null1 \
    --mbuf-pool-ops-name=labyrinth -- -i --total-num-mbufs=4096
wait_log pmd 'testpmd>' 30 || finish
check "EAL found the driver by itself" testpmd_dump_pool pmd labyrinth
tell pmd quit
wait_end pmd 20
check "testpmd ends well" [ "${LAB_STATUS[pmd]}" = 0 ]
finish
