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
FEW = 200  # stacks, among which a rare one need not be
CALLERS = 128  # rows of refused callers that the report has at most

# What Debian's kernels let the observer count, by series: whatever is missing there is a fault of ours.
EVERYTHING = {"allocations", "drops", "extfrag", "pool_hold", "polled", "received", "kswapd_wakeups", "kswapd_wakes",
              "compaction_begin", "compaction_end", "latency"}
COLUMNS = {"6.1": EVERYTHING, "6.12": EVERYTHING}

# The observer's events, and the kernel's own histograms that count the same.
EVENTS = {"extfrag": "mm_page_alloc_extfrag", "kswapd_wakeups": "mm_vmscan_wakeup_kswapd",
          "kswapd_wakes": "mm_vmscan_kswapd_wake", "compaction_begin": "mm_compaction_begin",
          "compaction_end": "mm_compaction_end"}

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

    def grown(self, read, name, until="after", since="before"):
        """What a counter of `name` grew by while traffic ran; until "late": when the observers had not yet ended."""
        before, after = read(self.text(f"{since}/{name}")), read(self.text(f"{until}/{name}"))
        return {key: after[key] - before.get(key, 0) for key in after}

    def bounds(self, read, name, key):
        """(least, most) that a counter grew by while it was observed, which begins before "before" and ends after "late"."""
        return self.grown(read, name, "late")[key], self.grown(read, name, "after", "base")[key]


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


def check_within(what, observed, bounds, missed):
    least, most = bounds
    check(what, least - missed <= observed <= most, f"{observed}, the kernel's own {least} to {most}, {missed} missed")


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


def missed_of(report, column):
    """Events that found the program of a column at work on their CPU: the kernel leaves these out, and counts them."""
    return sum(c["missed"] for c in report["columns"] if c["column"] == column)


def driver_counters(text):
    """`ethtool -S`: those of a queue as they are, for the names differ between kernels."""
    return {k.strip(): int(v) for k, v in re.findall(r"^ +(\S+): (\d+)$", text, re.M)}


def queue_drops(counters):
    """virtio_net's drops of receive queues: rx_queue_0_drops until 6.7, then rx0_drops beside their sum."""
    return sum(v for k, v in counters.items() if re.fullmatch(r"rx(_queue_)?\d+_drops", k))


def sent_frames(log):
    return sum(int(n) for n in re.findall(r'"sent": (\d+)', log))


def check_tests(r):
    """The observer's own tests, which ran in the guest before all else."""
    done = pairs(r.text("tests"))
    check("the observer's tests ran on this kernel", len(done) > 0, ", ".join(done))
    for test, status in done.items():
        lines = re.findall(r"(?:FAILED|SKIPPED) +\] test_\w+|SKIP: .*|(?:ERROR|LINE) .*", r.text(test))
        check(f"{test} passed", status == 0, "; ".join([f"ends with {status}", *dict.fromkeys(lines)]))


def tap_sent(text):
    """Frames that QEMU took from the tap."""
    return json.loads(text)[0]["stats64"]["tx"]["packets"]


def check_packets(r, figures):
    eth0, udp = r.grown(pairs, "eth0"), r.grown(snmp, "snmp")
    received = json.loads(r.text("receiver.json") or '{"received": -1}')["received"]
    sent = sent_frames(r.text("traffic.log"))
    figures.update(sent=sent, nic=eth0["rx_packets"], nic_dropped=eth0["rx_dropped"], received=received,
                   udp_no_port=udp["Udp.NoPorts"], udp_errors=udp["Udp.InErrors"],
                   softnet=r.grown(softnet, "softnet_stat"))
    check("traffic reached the guest", sent > 10000 and eth0["rx_packets"] > 10000,
          f"{sent} sent, {eth0['rx_packets']} in eth0")
    tap = tap_sent(r.text("tap.json"))
    lost, late = sent - tap, tap - eth0["rx_packets"]
    figures.update(tap=tap)
    check("the tap sent what the generator did, but for one ring that it left full", -ARP <= lost <= TX_RING,
          f"{lost} of {sent} not")
    # the tap's are read when the guest is gone: this machine may have asked for its address once more
    check("eth0 has all of it", 0 <= late <= ARP, f"{late} of {tap} not")
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


def check_columns(report, figures):
    """A column that is off is never compared with anything: it must be known which are on."""
    on = {c["column"] for c in report["columns"] if c["counted"]}
    off = {c["column"]: c.get("why_not") for c in report["columns"] if not c["counted"]}
    series = re.match(r"\d+\.\d+", figures["kernel"]).group()
    figures["columns"] = sorted(on)
    check(f"all is counted that a kernel {series} can count", COLUMNS.get(series, {"allocations", "drops"}) <= on,
          ", ".join(sorted(on)) + (f"; not {off}" if off else ""))


def observed_messages(text):
    """{(comm, order, flags): messages} that the kernel wrote while it was observed."""
    begin, end = text.find("LAB before"), text.find("LAB late")
    text = text[max(begin, 0):end if end >= 0 else len(text)]
    out = {}
    for comm, order, mode in re.findall(
            r"^\[ *[\d.]+\] (.+): page allocation failure: order:(\d+), mode:(0x[0-9a-f]+)", text, re.M):
        out[comm, int(order), mode] = out.get((comm, int(order), mode), 0) + 1
    return out


def check_callers(r, report):
    """Whoever is in the kernel's log is in the report, but for rows that are too rare to be in its list."""
    rows = report.get("failed", [])
    least = min(row["n"] for row in rows) if len(rows) == CALLERS else 0
    seen = {}
    for row in rows:
        if row["came_to"] in ("terminal", "memcg"):
            key = row["comm"], row["order"], row["mode"]
            seen[key] = seen.get(key, 0) + row["n"]
    for key, messages in observed_messages(r.text("dmesg")).items():
        n = seen.get(key, least)
        check("who the kernel says was refused is in the report, with order and flags",
              messages <= n + missed_of(report, "allocations"),
              f"{key[0]}, order {key[1]}, {key[2]}: {messages} messages, {n} refusals")


def names(stack):
    return {frame.split("+")[0] for frame in stack["stack"]}


def check_stacks(report, figures):
    stacks, told = report.get("stacks", []), report.get("not_told", {})
    terminal = sum(row["terminal"] for row in report["atomic"])
    kept = sum(stack["n"] for stack in stacks)
    left_out = told.get("stacks", 0) + told.get("sorts_of_stack", 0)
    receive = sum(stack["n"] for stack in stacks if "virtnet_poll" in names(stack))
    refill = sum(stack["n"] for stack in stacks if "try_fill_recv" in names(stack))
    comms = {row["comm"] for row in report["failed"]
             if row["came_to"] == "terminal" and int(row["mode"], 16) & (HIGH | DIRECT_RECLAIM) == HIGH}
    figures.update(stacks=kept, stacks_receive=receive, stacks_refill=refill, comms=sorted(comms))
    check("each refused atomic page has a stack or is said to have none", kept > 0 and kept + left_out == terminal,
          f"{kept} in {len(stacks)} sorts, {left_out} without, of {terminal}")
    # most are of the skb of a packet that would free a place in the ring, one in 20 to 40 of the ring's refill itself
    check("there are stacks of virtio_net's receiving, and of its refill", receive > 0 and (refill > 0 or kept < FEW),
          f"{receive}, {refill} of them of its refill")
    check("ksoftirqd is among those refused", "ksoftirqd/0" in comms, ", ".join(sorted(comms)))


def check_losses(r, report):
    """Drops by reason, and what was received, against those who count the same elsewhere in the kernel."""
    drops = {row["reason"]: row["entered"] + row["elsewhere"] for row in report.get("drops", [])}
    missed = missed_of(report, "drops")
    check_within("drops at full sockets are UDP's RcvbufErrors", drops.get("SOCKET_RCVBUFF", 0),
                 r.bounds(snmp, "snmp", "Udp.RcvbufErrors"), missed)
    check_within("drops for all reasons of UDP's are its InErrors",
                 sum(drops.get(reason, 0) for reason in ("SOCKET_RCVBUFF", "PROTO_MEM", "UDP_CSUM")),
                 r.bounds(snmp, "snmp", "Udp.InErrors"), missed)
    check_within("drops at full backlogs are softnet_stat's", drops.get("CPU_BACKLOG", 0),
                 r.bounds(softnet, "softnet_stat", "dropped"), missed)
    received, missed = report["events"]["received"], missed_of(report, "received")
    check_within("what was received is what softnet_stat processed", received,
                 r.bounds(softnet, "softnet_stat", "processed"), missed)
    packets, dropped = r.bounds(pairs, "eth0", "rx_packets"), r.bounds(pairs, "eth0", "rx_dropped")
    check_within("and what eth0 did not drop", received, (packets[0] - dropped[1], packets[1] - dropped[0]), missed)
    check_within("what NAPI polled is what eth0 counts", report["events"]["polled"], packets,
                 missed_of(report, "polled"))


def check_events(r, report, figures):
    own = {name: r.bounds(pairs, "events", event) for name, event in EVENTS.items()}
    figures["events"] = {name: [report["events"][name], *own[name]] for name in EVENTS}
    for name, bounds in own.items():
        check_within(f"{name} are the kernel's own", report["events"][name], bounds, missed_of(report, name))


def check_latency(r, report, figures):
    """One of so many atomic requests was timed."""
    if not any(c["column"] == "latency" and c["counted"] for c in report["columns"]):
        return
    every, times = int(r.text("latency_every")), report["latency_ns"]
    due = sum(row["requests"] for row in report["atomic"]) / every
    lost, more = 0.02 * due + missed_of(report, "latency"), missed_of(report, "allocations") / every
    figures["latency_ns"] = dict(times, every=every)
    check("as many atomic requests were timed as was asked for", 0 < times["count"] and
          due - 1 - lost <= times["count"] <= due + 1 + more, f"{times['count']}, {due:.0f} due, 1 of {every}")
    check("times are in their order",
          0 < times["min"] <= times["p50"] <= times["p90"] <= times["p99"] <= times["max"], str(times))


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
    missed = missed_of(report, "allocations")
    off = sum(abs(seen.get(o, 0) - atomic.get(o, 0)) for o in set(seen) | set(atomic))
    figures["observer_missed"] = missed
    check("its refused atomic allocations are the kernel's own, order by order", off <= missed,
          f"{seen} and {atomic}, {missed} events missed")
    check_columns(report, figures)
    check_callers(r, report)
    if sum(row["terminal"] for row in report["atomic"]) > 0:
        check_stacks(report, figures)
    check_losses(r, report)
    check_events(r, report, figures)
    check_latency(r, report, figures)
    check_device(r, report, figures, eth0)


def check_device(r, report, figures, eth0):
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


# What the replay errs by differs with how busy the machine is (docs/trace-format.md): up to 1% and 22 refusals were seen, and a
# twentieth of the error of doing nothing.
FORECAST, FORECAST_MORE, PAGES, BLOCKS = 0.1, 30, 5, 0.25


def check_forecast(rows, order):
    row = next((row for row in rows if row["order"] == order), None)
    if row is None or row["actual"] < 100:
        return
    off = row["missed"] + row["false_alarms"]
    check(f"refusals of order {order} are foreseen, but for {FORECAST:.0%} and {FORECAST_MORE}",
          off <= FORECAST * row["actual"] + FORECAST_MORE,
          f"{row['actual']} refused, {row['missed']} of them not foreseen, {row['false_alarms']} false alarms")


def check_blocks(orders):
    """Where the kernel's free blocks changed at all, the emulated ones are near them."""
    rows = [row for row in orders if row["still_mean"] > 5]
    worst = max(rows, key=lambda row: row["error_mean"] / row["still_mean"], default=None)
    check(f"free blocks of each order are off by no more than {BLOCKS:.0%} of what doing nothing is",
          worst is not None and worst["error_mean"] <= BLOCKS * worst["still_mean"],
          worst and f"at worst order {worst['order']}: {worst['error_mean']:.1f} of {worst['kernel_blocks']:.1f} blocks, "
          f"{worst['still_mean']:.1f} by doing nothing")


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
    check("the recording says where the free blocks lay", replay["by_name"])
    check_blocks(replay["orders"])
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
    check_tests(r)
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
