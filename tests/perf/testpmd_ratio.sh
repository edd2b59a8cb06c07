#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What an unmodified dpdk-testpmd forwards (io, two net_null ports) with this driver, against ring_mp_mc, by turns.
#
#   tests/perf/testpmd_ratio.sh [ROUNDS]      default 7; a minute and a half; needs build/
#
# Prints, with the mempool cache and with --mbcache=0, packets a second of each (median of the rounds, least,
# greatest) and the median of the ratios within a round. Ordinary memory, one forwarding core. LAB_CACHES: other cache sizes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${LAB_BUILD:-$root/build}
rounds=${1:-7}
export LC_ALL=C

# pps OPS CACHE: packets a second that both ports sent, by the last of the reports of each second.
pps() {
    timeout -s INT 4.5 stdbuf -oL dpdk-testpmd --no-huge -m 512 --no-pci --no-telemetry -l 0,1 \
        --file-prefix="ratio$$" -d "$build/lib/mempool/librte_mempool_labyrinth.so" \
        --mbuf-pool-ops-name="$1" --vdev=net_null0 --vdev=net_null1 -- \
        --forward-mode=io --mbcache="$2" --total-num-mbufs=16384 --stats-period=1 --no-lsc-interrupt </dev/null 2>/dev/null |
        awk '/Tx-pps:/ { port = !port; at[port] = $2 } END { printf "%.0f\n", at[0] + at[1] }' || true
}

for cache in ${LAB_CACHES:-250 0}; do
    for ((i = 0; i < rounds; i++)); do
        a=$(pps ring_mp_mc "$cache")
        b=$(pps labyrinth "$cache")
        echo "$a $b"
    done | python3 -c '
import statistics, sys
rows = [tuple(map(float, line.split())) for line in sys.stdin]
if not all(a > 0 and b > 0 for a, b in rows):
    sys.exit("a run told no rate")
for name, values in (("ring_mp_mc", [a for a, _ in rows]), ("labyrinth", [b for _, b in rows])):
    print(f"mbcache='"$cache"' {name:10} {statistics.median(values) / 1e6:7.2f} Mpps [{min(values) / 1e6:.2f}, {max(values) / 1e6:.2f}]")
ratios = sorted(b / a for a, b in rows)
print(f"mbcache='"$cache"' ratio      {statistics.median(ratios):7.3f}      [{ratios[0]:.3f}, {ratios[-1]:.3f}] of {len(rows)} rounds")
'
done
