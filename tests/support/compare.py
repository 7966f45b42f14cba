"""Records of alerts, held against the oracle's transitions one by one."""

import datetime
import hashlib
import json
import re

from support.oracle.events import parse_time
from support.oracle.expr import Missing, Money, Time

_TAIL = re.compile(rb',"prev_hash":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"}$')


def chain(documents, prev="0" * 64):
    """Recomputes the chain of hashes; the last hash.

    hash = SHA-256 over the 64 digits of the hash before and the document
    without its two hashes.
    """
    for number, document in enumerate(documents, 1):
        found = _TAIL.search(document)
        if not found:
            raise AssertionError(f"record {number} has no hashes at its end: "
                                 f"{document[-200:]!r}")
        if found[1].decode() != prev:
            raise AssertionError(f"record {number} follows {found[1]}, "
                                 f"not {prev}")
        body = document[:found.start()] + b"}"
        hashed = hashlib.sha256(prev.encode() + body).hexdigest()
        if hashed != found[2].decode():
            raise AssertionError(f"record {number}: the hash is {hashed}")
        prev = hashed
    return prev


def _value(value):
    """As a record writes it: money, dates and large integers as text."""
    if isinstance(value, Money):
        return value.text()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int) and abs(value) > 2 ** 53:
        return str(value)
    return value


def _same(wanted, got, calendar):
    if isinstance(wanted, Time):
        return isinstance(got, str) and parse_time(got, calendar) == wanted
    wanted = _value(wanted)
    if isinstance(wanted, float) and isinstance(got, (int, float)):
        return abs(wanted - got) <= 1e-9 * max(abs(wanted), abs(got), 1e-9)
    return wanted == got


def _masked(wanted, got):
    """A masked field shows at most its last four letters."""
    return wanted == got or (isinstance(got, str) and got[-4:] ==
                             str(wanted)[-4:] and got != wanted)


def _key(transition):
    return dict(zip(transition["by"], transition["key"]))


def differences(transition, record, rule):
    """What a record says otherwise than the oracle, as sentences."""
    out = []

    def check(name, wanted, got):
        if wanted != got:
            out.append(f"{name}: oracle {wanted!r}, record {got!r}")

    for name in ("change", "why", "level", "state", "open", "rev"):
        check(name, transition[name], record[name])
    if transition["change"] not in ("fired",):
        check("was", transition["was"], record["was"])
    check("rule", transition["rule"].split("/")[-1],
          record["rule"].split("/")[-1])
    check("period", transition["period"], record.get("period"))
    for name, time in ("detected", "watermark"), ("event", "at"):
        got = record["times"][name]
        wanted = transition[time] if transition[time] > -2 ** 63 else None
        check(f"time {name}", wanted, got and parse_time(got, rule.calendar))
    for name, value in _key(transition).items():
        if not _masked(_value(value), record["key"].get(name)):
            out.append(f"key {name}: oracle {value!r}, record "
                       f"{record['key'].get(name)!r}")
    if transition["values"] is None:
        return out
    for name, value in transition["values"].items():
        if name in transition["by"]:
            continue  # a let that is a part of the key stands there
        got = record["values"]["now"].get(name)
        if not _same(value, got, rule.calendar):
            out.append(f"{name}: oracle {value!r}, record {got!r}")
    if rule.evidence:  # else neither counted nor shown
        check("evidence", transition["evidence"],
              (record["evidence"]["count"],
               [(shown["topic"], shown["partition"], shown["offset"])
                for shown in record["evidence"]["shown"]]))
    for name, used in record["baselines"].items():
        if "peers" in used:
            _check_peers(check, name, transition["peers"].get(name), used)
            continue
        past = transition["past"].get(name, {})
        check(f"past of {name}", {period: _value(value) for period, value
                                  in past.items()}, used["past"])
    return out


def _check_peers(check, name, looked, used):
    """The cohort that was used, and how many were in it."""
    cohort, without, values = looked
    check(f"n of {name}", len(values), used["n"])
    check(f"{name} is exact", True, used["peers"]["exact"])
    for which, wanted in ("cohort", cohort), ("without", without):
        got = used["peers"][which]
        check(f"{which} of {name}", wanted and list(wanted),
              got and list(got))
        for field, value in (wanted or {}).items():
            if isinstance(value, Missing):
                check(f"{field} of {name}", None, got[field])
            elif not _masked(_value(value), got[field]):
                check(f"{field} of {name}", value, got[field])


def brief(said):
    """What is needed to find a transition or record again."""
    return {name: said[name] for name in (
        "rule", "key", "period", "change", "why", "level", "rev", "event",
        "at", "times") if name in said}


def compare(oracle, documents, first_seq=1, limit=1):
    """Complains unless the documents are the oracle's transitions in order.

    Returns {oracle's alert: id}: one id per alert, one alert per id.
    """
    records = [json.loads(d) for d in documents]
    rules = {rule.full: rule for rule in oracle.rules}
    faults = []
    ids = {}
    for number, (wanted, record) in enumerate(zip(oracle.out, records)):
        if record["seq"] != first_seq + number:
            faults.append(f"record {number} has seq {record['seq']}")
        found = differences(wanted, record, rules[wanted["rule"]])
        known = ids.setdefault(wanted["alert"], record["id"])
        if known != record["id"]:
            found.append(f"id {record['id']}, before {known}")
        if found:
            faults.append(f"seq {record['seq']}: " + "; ".join(found)
                          + f"\n    oracle {brief(wanted)}"
                          + f"\n    record {brief(record)}")
        if len(faults) >= limit:
            break
    if len(records) != len(oracle.out):
        faults.append(f"the oracle has {len(oracle.out)} transitions, "
                      f"Redis {len(records)}")
        extra = oracle.out[len(records):][:3] or records[len(oracle.out):][:3]
        if len(faults) == 1:
            faults += [f"    first beyond: {brief(x)}" for x in extra]
    if len(set(ids.values())) != len(ids):
        faults.append("two alerts have the same id")
    if faults:
        raise AssertionError("\n".join(faults))
    return ids
