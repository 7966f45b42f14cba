"""The rules' inline tests, held against the oracle.

Two programs that were written apart agree about the same small cases: that is
what makes the oracle worth trusting with the large ones.
"""

import copy
import json
import os

from support.oracle.engine import Oracle
from support.oracle.events import Package, parse_time, span
from support.oracle.expr import Missing, compare
from support.rdkafka import Record


def cases(package):
    """(rule's name, test) for every inline test, `like` applied."""
    for rule in package.rules:
        if rule.get("status") == "draft":
            continue
        named = {}
        for test in rule.get("tests", []):
            full = copy.deepcopy(test)
            full.setdefault("given", [])
            if "file" in test:
                full["given"] += _rows(os.path.join(
                    package.folders[rule["rule"]], test["file"]))
            if "advance" in test:
                full["advance"] = [test["advance"]]
            if "like" in test:
                base = copy.deepcopy(named[test["like"]])
                full["given"] = base["given"] + full["given"]
                full.setdefault("tables", base.get("tables", {}))
                full["advance"] = base.get("advance", []) + \
                    full.get("advance", [])
            _change(package, full)
            named[full["name"]] = full
            yield rule["rule"], full


def _rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _change(package, test):
    for item in test["given"]:
        for name, fields in item.items():
            if name == "advance":
                continue
            ident = fields[package.streams[name].id]
            fields.update(test.get("change", {}).get(ident, {}))


def run(paths, rule, test):
    """What the oracle says is wrong with a test: None if nothing."""
    package = Package(paths)
    for name, rows in test.get("tables", {}).items():
        table = package.tables[name]
        names = [*table.columns, *(table.valid or []), *table.types]
        table.rows = [{n: str(row.get(n, "")) for n in names}
                      for row in rows]
    oracle = Oracle(package)
    oracle.rules = [r for r in oracle.rules if r.name == rule]
    oracle.decision("catch_up")
    advanced = 0

    def advance(step):
        nonlocal advanced
        advanced = max(advanced, oracle.greatest_of_all) + span(step)
        oracle.decision("advance", at=advanced)

    for number, item in enumerate(test["given"]):
        (name, fields), = item.items()
        if name == "advance":
            advance(fields)
            continue
        payload = json.dumps(fields, ensure_ascii=False).encode()
        oracle.record(Record(package.streams[name].topic, 0, number, -1,
                             None, payload))
    oracle.decision("end")
    for step in test.get("advance", []):
        advance(step)
    return _compare(package, test, oracle.out)


def _same(have, wanted):
    """Doubles as `tocsin test` compares them: to the digits that stand
    there."""
    if isinstance(have, float) and isinstance(wanted, (int, float)):
        decimals = len(repr(wanted).partition(".")[2])
        return abs(have - wanted) <= 0.5000001 * 10 ** -decimals
    if wanted is None:
        return have is None or isinstance(have, Missing)
    return compare("==", have, wanted)


def _compare(package, test, out):
    if len(out) != len(test["expect"]):
        return f"expected {len(test['expect'])} transitions: {out}"
    for expected, got in zip(test["expect"], out):
        for name, value in expected.items():
            if name == "at":
                value = parse_time(str(value), package.calendar())
                if got["at"] != value:
                    return f"at {got['at']}, not {value}: {got}"
            elif name == "with":
                for measure, number in value.items():
                    have = got["values"].get(
                        measure, got["scope"].cached.get(measure))
                    if not _same(have, number):
                        return f"{measure} is {have}, not {number}"
            elif name == "rule":
                if not got["rule"].endswith("/" + value):
                    return f"rule {got['rule']}"
            elif name == "key":
                have = dict(zip(got["by"], got["key"]))
                if have != value:
                    return f"key is {have}, not {value}"
            elif got[name] != value:
                return f"{name} is {got[name]}, not {value}: {got}"
    return None
