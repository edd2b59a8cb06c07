#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""check.py DIR: hold what the kernel lab's guest saw against each other.

Each fact was counted by two who do not know of each other: the generator and the guest's NIC, the receiver and
/proc/net/snmp, a tracing instance of the kernel's own and labyrinth-observe's BPF programs, the kernel's message and
labyrinth-observe diagnose. Prints a line for each, writes figures.json, and ends with 1 if any do not agree, or with 3 if
they do but no atomic page was refused, so that there was nothing to agree on.
"""
import json
import os
import re
import subprocess
import sys

TX_RING = 512  # frames of net_af_packet's ring, lost if they wait there as the generator leaves
ARP = 8  # frames that come from this machine's own stack

failed = False


def check(what, ok, detail=""):
    global failed
    failed |= not ok
    print(f"{'ok' if ok else 'FAIL'}: {what}" + (f" ({detail})" if detail else ""))


class Results:
    """The files of one run."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def grown(self, read, name, until="after"):
        """What a counter of `name` grew by while traffic ran; until "late": when the observers had not yet ended."""
        before, after = read(self.text(f"before/{name}")), read(self.text(f"{until}/{name}"))
        return {key: after[key] - before.get(key, 0) for key in after}


def snmp(text):
    """{"Udp.InDatagrams": n, ...}"""
    out = {}
    lines = [line.split() for line in text.splitlines()]
    for names, values in zip(lines[::2], lines[1::2]):
        out.update({f"{names[0][:-1]}.{k}": int(v) for k, v in zip(names[1:], values[1:])})
    return out


def pairs(text):
    return {k: int(v) for k, v in (line.split() for line in text.splitlines() if line.strip())}


def softnet(text):
    """Sums over the CPUs: packets processed, dropped at a full backlog, time squeezes."""
    rows = [[int(v, 16) for v in line.split()] for line in text.splitlines() if line.strip()]
    return {name: sum(row[i] for row in rows) for i, name in enumerate(["processed", "dropped", "squeezed"])}


HIGH, DIRECT_RECLAIM = 0x20, 0x400  # __GFP_HIGH and __GFP_DIRECT_RECLAIM, since 5.0


def traced_failures(text):
    """Refused atomic allocations by order, all refused ones, and what the histogram had no room for."""
    atomic, every = {}, 0
    for order, flags, hits in re.findall(r"order: +(\d+), gfp_flags: +([0-9a-f]+),.*hitcount: +(\d+)", text):
        every += int(hits)
        if int(flags, 16) & (HIGH | DIRECT_RECLAIM) == HIGH:
            atomic[int(order)] = atomic.get(int(order), 0) + int(hits)
    dropped = re.search(r"Dropped: (\d+)", text)
    return atomic, every, int(dropped.group(1)) if dropped else -1


def observed_failures(report):
    parts = ("terminal", "fallback", "superseded", "unresolved")
    rows = {row["order"]: sum(row[p] for p in parts) for row in report["atomic"]}
    return {order: n for order, n in rows.items() if n > 0}


def driver_counters(text):
    """`ethtool -S`: those of a queue as they are, for the names differ between kernels."""
    return {k.strip(): int(v) for k, v in re.findall(r"^ +(\S+): (\d+)$", text, re.M)}


def queue_drops(counters):
    """virtio_net's drops of receive queues: rx_queue_0_drops until 6.7, then rx0_drops beside their sum."""
    return sum(v for k, v in counters.items() if re.fullmatch(r"rx(_queue_)?\d+_drops", k))


def sent_frames(log):
    return sum(int(n) for n in re.findall(r'"sent": (\d+)', log))


def check_packets(r, figures):
    eth0, udp = r.grown(pairs, "eth0"), r.grown(snmp, "snmp")
    received = json.loads(r.text("receiver.json") or '{"received": -1}')["received"]
    sent = sent_frames(r.text("traffic.log"))
    figures.update(sent=sent, nic=eth0["rx_packets"], nic_dropped=eth0["rx_dropped"], received=received,
                   udp_no_port=udp["Udp.NoPorts"], udp_errors=udp["Udp.InErrors"],
                   softnet=r.grown(softnet, "softnet_stat"))
    check("traffic reached the guest", sent > 10000 and eth0["rx_packets"] > 10000,
          f"{sent} sent, {eth0['rx_packets']} in eth0")
    lost = sent - eth0["rx_packets"]
    check("eth0 counts what the generator sent, but for one ring that it left full", -ARP <= lost <= TX_RING,
          f"{lost} of them not")
    check("/proc/net/snmp counts what the receiver got", udp["Udp.InDatagrams"] == received,
          f"{udp['Udp.InDatagrams']} and {received}")
    return eth0, udp


def check_refusals(r, figures):
    atomic, every, lost = traced_failures(r.text("trace"))
    messages = re.findall(r"\S+: page allocation failure: order:(\d+), mode:(\S+)", r.text("dmesg"))
    figures.update(traced_atomic=atomic, traced=every, messages=len(messages))
    check("the kernel's histogram of refused allocations is whole", lost == 0, f"{every}, {lost} lost")
    if atomic.get(0, 0) > 0:
        # one in ten seconds is written, and those with __GFP_NOWARN never are
        check("of refused atomic pages the kernel wrote no more than there were",
              len(messages) <= every, f"{len(messages)} messages, {atomic} by order")
    return atomic, len(messages)


def check_observer(r, figures, atomic, eth0):
    status = r.text("observe.status").strip()
    if not status and not r.text("observe.json"):
        print("note: labyrinth-observe watch did not run")
        return
    check("labyrinth-observe watch ended well", status == "0", f"{status} {r.text('observe.log')[-300:]}")
    if status != "0":
        return
    report = json.loads(r.text("observe.json"))
    seen = observed_failures(report)
    figures["observed_atomic"] = seen
    figures["observer_cost_percent"] = report["run"]["cost_percent"]
    # a program that would have run within another one was left out by the kernel, and is counted
    missed = sum(c["missed"] for c in report["columns"] if c["column"] == "allocations")
    off = sum(abs(seen.get(o, 0) - atomic.get(o, 0)) for o in set(seen) | set(atomic))
    figures["observer_missed"] = missed
    check("its refused atomic allocations are the kernel's own, order by order", off <= missed,
          f"{seen} and {atomic}, {missed} events missed")
    nic = next((n for n in report["nics"] if n["device"] == "eth0"), None)
    drops = queue_drops(r.grown(driver_counters, "ethtool"))
    figures.update(driver_drops=drops, qstats={k: v for k, v in (nic or {}).items() if k.startswith("qstats_")})
    late = r.grown(pairs, "eth0", "late")
    check("rx_dropped is what the driver dropped, queue by queue", late["rx_dropped"] <= drops <= eth0["rx_dropped"],
          f"{drops} and {eth0['rx_dropped']}")
    # no driver of these kernels tells virtio_net's failed refills: what says so would be another counter
    check("no counter of lost buffers is made up", nic is not None and nic["driver"] == {} and not any(
        figures["qstats"].values()), str(nic))
    # the last packets may come while it ends
    check("its figures of eth0 are the device's", nic is not None and all(
        late[k] <= nic[k] <= eth0[k] for k in ("rx_packets", "rx_dropped")), f"{nic}, from {late} to {eth0}")


def trace_refusals(lines):
    """Refused atomic requests of a trace by order."""
    out = {}
    for line in lines:
        if line.startswith("r ") and int(line.split()[4]) & (HIGH | DIRECT_RECLAIM) == HIGH:
            order = int(line.split()[3])
            out[order] = out.get(order, 0) + 1
    return out


# A forecast that nothing is refused errs by all refusals: the replay may err by half as many, and by some pages. What it
# does err by differs from run to run of so busy a machine (docs/trace-format.md).
FORECAST, PAGES = 0.5, 5


def check_forecast(rows, order):
    row = next((row for row in rows if row["order"] == order), None)
    if row is None or row["actual"] < 100:
        return
    off = row["missed"] + row["false_alarms"]
    check(f"refusals of order {order} are foreseen, but for {FORECAST:.0%}", off <= FORECAST * row["actual"],
          f"{row['actual']} refused, {row['missed']} of them not foreseen, {row['false_alarms']} false alarms")


def check_record(r, figures, atomic):
    if not r.text("record.status"):
        return
    lines = r.text("kernel.trace").splitlines()
    check("labyrinth-observe record wrote its trace to the end", bool(lines) and lines[-1].startswith("end "),
          r.text("record.log").strip())
    replay = json.loads(r.text("replay.json") or "{}")
    check("labyrinth replays it", bool(replay))
    if not replay:
        return
    lost, recorded, refusals = replay["events"]["lost"], trace_refusals(lines), replay["refusals"]
    rows = refusals["atomic_by_order"]
    off = sum(abs(recorded.get(o, 0) - atomic.get(o, 0)) for o in set(recorded) | set(atomic))
    figures.update(recorded_atomic=recorded, lost=lost, forecast=rows, samples=replay["samples"],
                   free_pages=replay["free_pages"])
    check("its refusals are the kernel's own, order by order", off <= lost, f"{recorded} and {atomic}, {lost} lost")
    check("each has a forecast beside it", {row["order"]: row["actual"] for row in rows if row["actual"]} == recorded and
          all(row["predicted"] - row["false_alarms"] == row["actual"] - row["missed"] for row in rows), str(rows))
    check_forecast(rows, 0)
    check_forecast(rows, 3)
    pages = replay["free_pages"]
    check(f"free pages are off by no more than {PAGES} in the mean", pages["error_mean"] <= PAGES,
          f"{pages['error_mean']:.2f}, at worst {pages['error_max']:.0f}, of {pages['kernel']:.0f}; "
          f"{replay['events']['corrected_pages']} corrected")


def check_diagnosis(r, figures):
    observe = os.path.join(os.environ["LAB_BUILD"], "app", "labyrinth-observe")
    done = subprocess.run([observe, "diagnose", "--json", r.path("dmesg")], capture_output=True, text=True,
                          check=False)
    check("labyrinth-observe diagnose reads the guest's messages", done.returncode == 0, done.stderr.strip())
    if done.returncode != 0:
        return
    with open(r.path("diagnosis.json"), "w", encoding="utf-8") as f:
        f.write(done.stdout)
    first = json.loads(done.stdout)["diagnoses"][0]
    request = first["request"]
    figures["gate"] = first["gate"]
    check("of this kernel", request["kernel"] == r.text("release").strip(), str(request["kernel"]))
    check("an atomic page", request["order"] == 0 and request["held_to"] == "3/8 of min", request["gfp"])
    # mostly virtio_net's refill, but any softirq may be the first to be refused
    check("asked for by whoever stands above the allocator", request["asked_by"] is not None,
          f"{request['asked_by']} [{request['module']}]")
    # figures are read after the refusal: kswapd may have been there in between
    check("refused by a gate that order 0 can meet", first["gate"] in ("watermark", "exhausted", "lowmem_reserve",
                                                                   "open"), first["verdict"])


def main():
    r, figures = Results(sys.argv[1]), {}
    figures["kernel"] = r.text("release").strip()
    eth0, _ = check_packets(r, figures)
    atomic, messages = check_refusals(r, figures)
    check_observer(r, figures, atomic, eth0)
    check_record(r, figures, atomic)
    if messages > 0:
        check_diagnosis(r, figures)
    with open(r.path("figures.json"), "w", encoding="utf-8") as f:
        json.dump(figures, f, indent=2)
        f.write("\n")
    print(json.dumps(figures))
    if failed:
        return 1
    if messages == 0 or atomic.get(0, 0) == 0:
        print("NOTHING: the burst was met by memory enough, or by requests that leave no message")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
