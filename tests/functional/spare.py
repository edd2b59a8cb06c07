#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# The gate for one atomic page (GFP_ATOMIC, order 0), worked out from /proc/zoneinfo by another hand than the program's, and
# compared with what labyrinth-observe diagnose --json says.
#
#   spare.py JSON ZONEINFO                exactly: it was read from this very text
#   spare.py JSON BEFORE AFTER            with what went on in between: each zone's free pages by so much as the two texts
#                                         differ, and a little more
import json
import sys

PAGE_KB = 4
ORDER = ["DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"]


def read_zones(path):
    """Each zone with memory, and its place in its node's list, which is what protection counts by."""
    zones, here, places = {}, None, {}
    for line in open(path, encoding="ascii"):
        words = line.split()
        if line.startswith("Node"):
            node, name = int(words[1].rstrip(",")), words[3]
            here = {"place": places.get(node, 0)}
            places[node] = here["place"] + 1
            zones[node, name] = here
        elif here is None or not words:
            continue
        elif words[0] == "pages" and words[1] == "free":
            here["free"] = int(words[2])
        elif words[0] == "protection:":
            here["protection"] = [int(w) for w in line.split("(")[1].split(")")[0].split(",")]
        elif words[0] in ("boost", "min", "managed", "nr_free_cma"):
            here.setdefault(words[0], int(words[1]))
    return zones


def expected(zones, node, name):
    """(gate, free, share, reserve, lacks, spare) in pages. An atomic request may go as high as Normal."""
    z = zones[node, name]
    normal = zones.get((node, "Normal"))
    reserve = z["protection"][normal["place"]] if normal else 0
    share = z["min"] - min(z.get("boost", 0), z["min"])
    share -= share // 2
    share -= share // 4
    usable = z["free"] - z.get("nr_free_cma", 0)
    if z["free"] < 1:
        gate = "exhausted"
    elif z["free"] <= share:
        gate = "watermark"
    elif usable <= share + reserve:
        gate = "lowmem_reserve" if usable > share else "cma"
    else:
        gate = "open"
    over = usable - share - reserve
    return gate, z["free"], share, reserve, max(0, 1 - over), over - 1 if gate == "open" else 0


def check(said, texts):
    wrong = []
    zones = [read_zones(path) for path in texts]
    with_memory = {k for k, z in zones[0].items() if z["managed"] > 0}
    if {(z["node"], z["zone"]) for z in said["zones"]} != with_memory:
        wrong.append("other zones than these have memory: %s" % sorted(with_memory))
    for z in said["zones"]:
        key = z["node"], z["zone"]
        if ORDER.index(z["zone"]) > ORDER.index("Normal"):
            if z["gate"] != "not asked":
                wrong.append("%s: not for the request, and '%s'" % (key, z["gate"]))
            continue
        sides = [expected(t, *key) for t in zones]
        room = 0
        if len(sides) > 1:  # free pages are many or few by the pages that went in between
            room = 2 * abs(sides[0][1] - sides[1][1]) + sides[0][1] // 50 + 512
        # the gate is sure where the zone is farther from it than it may have moved
        if min(max(s[4], s[5]) for s in sides) >= room and z["gate"] not in {s[0] for s in sides}:
            wrong.append("%s: %s, should be %s" % (key, z["gate"], [s[0] for s in sides]))
        for field, at, room_of in (("free_kb", 1, room), ("share_kb", 2, 0), ("lowmem_reserve_kb", 3, 0),
                                   ("lacks_kb", 4, room), ("spare_kb", 5, room)):
            values = [s[at] * PAGE_KB for s in sides]
            if not min(values) - room_of * PAGE_KB <= z[field] <= max(values) + room_of * PAGE_KB:
                wrong.append("%s: %s is %s, should be %s, give or take %d" %
                             (key, field, z[field], values, room_of * PAGE_KB))
    return wrong


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        said = json.load(f)["diagnoses"][0]
    wrong = check(said, sys.argv[2:])
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
