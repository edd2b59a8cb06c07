#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check report.json files against docs/report-json.md, sums included.

usage: check_report.py FILE...      exit 0: all good; 1: a fault, named with its path; 2: usage
"""
import json
import sys

VERDICTS = {"no_data", "no_failures", "no_drops", "too_few_bursts", "no_link", "link_by_load", "link"}
EFFECTS = {"no_data", "too_few", "no_effect", "fewer_drops", "more_drops"}
PORT_KEYS = ["offered", "delivered", "in_flight", "dropped", "unexplained", "drops"]


class Fault(Exception):
    pass


def need(ok, path, what):
    if not ok:
        raise Fault(f"{path}: {what}")


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def is_count(v):
    return is_int(v) and v >= 0


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def get(o, key, path):
    need(isinstance(o, dict), path, "is no object")
    need(key in o, f"{path}.{key}", "is missing")
    return o[key]


def text(o, key, path):
    need(isinstance(get(o, key, path), str), f"{path}.{key}", "is no text")
    return o[key]


def number(o, key, path, lo=None, hi=None):
    v = get(o, key, path)
    need(is_number(v), f"{path}.{key}", "is no number")
    need((lo is None or v >= lo) and (hi is None or v <= hi), f"{path}.{key}", f"{v} is out of range")
    return v


def counts(o, key, path):
    v = get(o, key, path)
    need(isinstance(v, dict) and all(is_count(n) for n in v.values()), f"{path}.{key}", "is no table of counts")
    return v


def seed(o, path):
    v = get(o, "seed", path)
    need(is_int(v) or (isinstance(v, str) and v.startswith("0x")), f"{path}.seed", "is no seed")


def port(o, path):
    for key in PORT_KEYS[:4]:
        need(is_count(get(o, key, path)), f"{path}.{key}", "is no count")
    need(is_int(get(o, "unexplained", path)), f"{path}.unexplained", "is no integer")
    drops = counts(o, "drops", path)
    need(sum(drops.values()) == o["dropped"], f"{path}.dropped", "is not the sum of the drops")
    rest = o["offered"] - o["delivered"] - o["in_flight"] - o["dropped"]
    need(rest == o["unexplained"], f"{path}.unexplained", f"should be {rest}")


def ledger(o, path):
    port(o, path)
    ports = get(o, "ports", path)
    need(isinstance(ports, dict), f"{path}.ports", "is no object")
    for name, p in ports.items():
        port(p, f"{path}.ports.{name}")
    for key in PORT_KEYS[:5]:
        need(sum(p[key] for p in ports.values()) == o[key], f"{path}.{key}", "is not the sum of the ports")
    for cause, n in o["drops"].items():
        need(sum(p["drops"].get(cause, 0) for p in ports.values()) == n, f"{path}.drops.{cause}",
             "is not the sum of the ports")
    closes = all(p["unexplained"] == 0 for p in ports.values()) and o["unexplained"] == 0
    need(get(o, "closes", path) is closes, f"{path}.closes", f"should be {closes}")


def interval(o, key, path, lo=None, hi=None):
    ci = get(o, key, path)
    need(isinstance(ci, list) and len(ci) == 2 and all(map(is_number, ci)) and ci[0] <= ci[1], f"{path}.{key}",
         "is no interval")
    need((lo is None or ci[0] >= lo) and (hi is None or ci[1] <= hi), f"{path}.{key}", "is out of range")


def correlation(o, path):
    if o is None:
        return
    need(text(o, "verdict", path) in VERDICTS, f"{path}.verdict", "is not a known one")
    for key in ("text", "method"):
        text(o, key, path)
    need(is_count(get(o, "bursts", path)), f"{path}.bursts", "is no count")
    number(o, "ci_level", path, 0.5, 1)
    there = o["verdict"] not in ("no_data", "no_failures", "no_drops")
    for key in ("coefficient", "lag_ms", "p_value", "tests", "events"):
        need((get(o, key, path) is not None) == there, f"{path}.{key}", "does not fit the verdict")
    get(o, "ci", path)
    get(o, "load", path)
    lags = get(o, "lags", path)
    need(isinstance(lags, list) and bool(lags) == there, f"{path}.lags", "do not fit the verdict")
    if not there:
        return
    number(o, "coefficient", path, -1, 1)
    number(o, "lag_ms", path)
    p = number(o, "p_value", path, 0, 1)
    need(p > 0, f"{path}.p_value", "a shift test cannot give 0")
    if o["ci"] is not None:
        interval(o, "ci", path, -1, 1)
    for i, lag in enumerate(lags):
        number(lag, "lag_ms", f"{path}.lags[{i}]")
        number(lag, "spearman", f"{path}.lags[{i}]", -1, 1)
        number(lag, "pearson", f"{path}.lags[{i}]", -1, 1)
    chosen = [lag for lag in lags if lag["lag_ms"] == o["lag_ms"]]
    need(len(chosen) == 1 and chosen[0]["spearman"] == o["coefficient"], f"{path}.coefficient",
         "is not that of its lag")
    for key in ("p_circular", "p_truncated"):
        number(o["tests"], key, f"{path}.tests", 0, 1)
    for key in ("drop_after_failure", "drops_preceded"):
        for part in ("value", "baseline", "p"):
            number(get(o["events"], key, f"{path}.events"), part, f"{path}.events.{key}", 0, 1)
    if o["verdict"] in ("link", "link_by_load"):
        need(p <= o["alpha"], f"{path}.verdict", "claims a link that p does not")
    if o["verdict"] == "no_link":
        need(p > o["alpha"], f"{path}.verdict", "denies a link that p claims")


def block(o, path):
    seed(o, path)
    ledger(get(o, "ledger", path), f"{path}.ledger")
    lost = get(o, "lost_to_memory", path)
    need(is_count(lost) and lost <= o["ledger"]["dropped"], f"{path}.lost_to_memory", "is more than was dropped")
    counts(o, "failures", path)
    need(isinstance(get(o, "zone", path), dict), f"{path}.zone", "is no object")
    frag = get(o, "frag", path)
    need(isinstance(frag, list), f"{path}.frag", "is no array")
    for i, row in enumerate(frag):
        need(is_count(get(row, "order", f"{path}.frag[{i}]")), f"{path}.frag[{i}].order", "is no count")
        need(is_count(get(row, "free_blocks", f"{path}.frag[{i}]")), f"{path}.frag[{i}].free_blocks", "is no count")
        number(row, "unusable", f"{path}.frag[{i}]", 0, 1)
        number(row, "extfrag", f"{path}.frag[{i}]", -1, 1)
    correlation(get(o, "correlation", path), f"{path}.correlation")


def series(o, path):
    number(o, "interval_ms", path, 0)
    for key in ("samples", "lost", "points", "bins_per_point"):
        need(is_count(get(o, key, path)), f"{path}.{key}", "is no count")
    by = o["bins_per_point"]
    need(by >= 1 and o["points"] == -(-o["samples"] // by), f"{path}.points", "do not fit the samples")
    need(o["points"] <= 5000, f"{path}.points", "are too many")
    for i, s in enumerate(get(o, "list", path)):
        at = f"{path}.list[{i}]"
        text(s, "name", at)
        text(s, "unit", at)
        need(text(s, "kind", at) in ("counter", "gauge"), f"{at}.kind", "is not a known one")
        values = get(s, "values", at)
        need(len(values) == o["points"] and all(map(is_number, values)), f"{at}.values", "are not as many as points")


def arm(o, path):
    text(o, "name", path)
    text(o, "title", path)
    block(o, path)
    if "series" in o:
        series(o["series"], f"{path}.series")
        names = {s["name"] for s in o["series"]["list"]}
        for role, name in get(o, "chart", path).items():
            need(role in ("load", "failures", "drops") and name in names, f"{path}.chart.{role}", "is no series")


def intervention(o, path, arms):
    for key in ("control", "treated"):
        need(text(o, key, path) in arms, f"{path}.{key}", "is no arm")
    need(arms[o["control"]]["seed"] == arms[o["treated"]]["seed"], path, "the arms had different traffic")
    text(o, "change", path)
    need(text(o, "verdict", path) in EFFECTS, f"{path}.verdict", "is not a known one")
    number(o, "effect", path)
    interval(o, "ci", path)
    need(o["effect"] == number(o, "treated_drops", path) - number(o, "control_drops", path), f"{path}.effect",
         "is not the difference")


def reduction(o, path, arms):
    for key in ("control", "treated"):
        name = text(o, key, path)
        need(name in arms, f"{path}.{key}", "is no arm")
        need(get(o, f"{key}_lost", path) == arms[name]["lost_to_memory"], f"{path}.{key}_lost",
             "is not what the arm lost to memory")
    for key in ("change", "text", "verdict"):
        text(o, key, path)
    need(o["verdict"] in EFFECTS, f"{path}.verdict", "is not a known one")
    need(0 < number(o, "goal", path) <= 1, f"{path}.goal", "is no share")
    if o["control_lost"] == 0:
        need(o["reduction"] is None and o["reached"] is False, path, "fell from nothing")
        return
    share = 1 - o["treated_lost"] / o["control_lost"]
    need(abs(number(o, "reduction", path) - share) < 1e-9, f"{path}.reduction", "is not the share")
    interval(o, "reduction_ci", path)
    need(o["reached"] == (o["reduction"] >= o["goal"]), f"{path}.reached", "contradicts the goal")
    need((o["why_not"] is None) == o["reached"], f"{path}.why_not", "is for what was missed")


def report(o):
    need(text(o, "format", "") == "labyrinth-report 1", ".format", "is not a known one")
    for key in ("version", "time", "command", "headline"):
        text(o, key, "")
    block(o, "")
    arms = get(o, "arms", "")
    need(isinstance(arms, list) and arms, ".arms", "are none")
    for i, a in enumerate(arms):
        arm(a, f".arms[{i}]")
    by_name = {a["name"]: a for a in arms}
    need(len(by_name) == len(arms), ".arms", "have a name twice")
    for key in ("ledger", "lost_to_memory", "failures", "zone", "frag", "correlation"):
        need(o[key] == arms[-1][key], f".{key}", "is not the last arm's")
    for i, x in enumerate(get(o, "interventions", "")):
        intervention(x, f".interventions[{i}]", by_name)
    for i, x in enumerate(o.get("reductions", [])):
        reduction(x, f".reductions[{i}]", by_name)


def refuse_constant(name):
    raise Fault(f"{name} is no JSON")


def main(paths):
    if not paths:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    for path in paths:
        try:
            with open(path, encoding="utf-8") as f:
                report(json.load(f, parse_constant=refuse_constant))
        except (Fault, ValueError, OSError) as fault:
            print(f"{path}: {fault}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
