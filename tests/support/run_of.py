"""A daemon's whole run over a town, and all that Redis must hold then."""

import json

from support import compare
from support.journal import Steps
from support.oracle.engine import Oracle
from support.oracle.events import Package
from support.process import wait_for
from support.rdkafka import (Handle, Producer, create_topics, read_all,
                             _PRODUCER)
from support.world import broker

RANK = {"green": 1, "yellow": 2, "orange": 3, "red": 4}
PARTITIONS = 3


def topics(world):
    """Every topic that the rules of this world name."""
    return sorted(set(world.find_in_rules(r"^ *topic: (\S+)$")))


def streams_read(world):
    """Those that its rules and their tables ask for."""
    return Oracle(Package([world.rules])).streams_read()


def create(world, names=None):
    """All of them, or those that are named ("payments")."""
    wanted = topics(world) if names is None else map(world.topic, names)
    create_topics(broker().address, dict.fromkeys(wanted, PARTITIONS),
                  max_message_bytes=10000000)


def producer():
    return Producer(broker().address)


def ends(world):
    """{(topic, partition): next offset} of those that hold any record."""
    out = {}
    with Handle(_PRODUCER, broker().address, {}) as handle:
        for topic in topics(world):
            for partition in range(PARTITIONS):
                low, high = handle.offsets(topic, partition)
                if high > low:
                    out[topic, partition] = high
    return out


def wait_taken(world, daemon, seconds=90):
    """Until the journal has all that the topics hold."""
    wanted = ends(world)

    def taken():
        if not daemon.child.running():
            raise AssertionError("the daemon ended:\n"
                                 + daemon.child.tail(40))
        lines = daemon.journal()
        have = Steps(lines, []).end_offsets() if lines else {}
        return all(have.get(where, 0) >= high
                   for where, high in wanted.items())

    wait_for(taken, seconds, lambda: "everything is taken\n"
             + daemon.child.tail(), interval=0.2)


def take_all_and_stop(world, daemon, seconds=90):
    # The journal of an earlier run may have it all: ready says that this
    # daemon has gone through it, too.
    wait_taken(world, daemon, seconds)
    daemon.wait_ready(seconds)
    code = daemon.stop()
    if code != 0:
        raise AssertionError(f"the daemon ended with {code}:\n"
                             + daemon.child.tail(40))


def oracle_of(world, daemon, known=None):
    """The oracle fed with the journal's order; and the journal's steps."""
    limits = daemon.config.get("limits", {})
    oracle = Oracle(Package([world.rules]), limits.get("keys_per_rule"))
    oracle.known = known or {}
    records = read_all(broker().address, topics(world))
    steps = Steps(daemon.journal(), records)
    steps.feed(oracle)
    if steps.taken != len(records):
        raise AssertionError(f"{steps.taken} of {len(records)} records are "
                             "in the journal")
    return oracle, steps


def stream(redis, prefix="tocsin", lane="0"):
    return redis.stream(f"{prefix}:{{{lane}}}:alerts")


def documents(redis):
    return [fields[b"json"] for _, fields in stream(redis)]


def check(world, daemon):
    """Redis against the oracle, whole; {alert: id}."""
    oracle, _ = oracle_of(world, daemon)
    with world.redis.connect() as redis:
        found = documents(redis)
        ids = compare.compare(oracle, found)
        check_entries(redis)
        check_standing(redis)
        check_dead(redis, oracle)
    return ids


def check_seam(world, daemon, ids):
    """What the last seam says, and what comes after it, against the oracle.

    @ids as check() returned them before. What came to be since then and until
    the seam nobody can compute again; the oracle knows it by what the seam's
    decision says was open.
    """
    known = {ident: alert for alert, ident in ids.items()}
    oracle, steps = oracle_of(world, daemon, known)
    if not steps.seam:
        raise AssertionError("the journal has no seam")
    before = steps.seam["seq"]
    with world.redis.connect() as redis:
        check_entries(redis)
        check_standing(redis)
        found = documents(redis)[before:]
    said = [json.loads(d) for d in found[:len(oracle.seam_out)]]
    got = sorted((r["why"], r["change"], r["level"], r["rev"],
                  repr(known.get(r["id"]))) for r in said)
    wanted = sorted(("seam", change, level, rev,
                     repr(alert if alert in known.values() else None))
                    for alert, change, level, rev in oracle.seam_out)
    if got != wanted:
        raise AssertionError(
            f"the seam says {[x for x in got if x not in wanted][:9]}, not "
            f"{[x for x in wanted if x not in got][:9]}")
    compare.compare(oracle, found[len(oracle.seam_out):],
                    before + len(oracle.seam_out) + 1)


def check_entries(redis, prev="0" * 64):
    """The stream: numbered without a gap, chained, as the fence says."""
    entries = stream(redis)
    for number, (ident, fields) in enumerate(entries, 1):
        record = json.loads(fields[b"json"])
        if ident != b"%d-0" % number or int(fields[b"seq"]) != number \
                or record["seq"] != number:
            raise AssertionError(f"entry {number} is {ident}: {fields}")
        for name in ("id", "state", "level"):
            if fields[name.encode()].decode() != record[name]:
                raise AssertionError(f"entry {number}, {name}: {fields}")
    last = compare.chain([fields[b"json"] for _, fields in entries], prev)
    fence = redis.hash("tocsin:{0}:fence")
    if int(fence.get(b"mark", 0)) != len(entries):
        raise AssertionError(f"{len(entries)} entries, fence {fence}")
    if entries and fence[b"hash"].decode() != last:
        raise AssertionError(f"the last hash is {last}, fence {fence}")


def check_standing(redis):
    """Hashes and the set of open alerts: each alert's last transition."""
    last = {}
    fired = {}
    for document in documents(redis):
        record = json.loads(document)
        last[record["id"]] = record, document
        if record["change"] == "fired":
            fired[record["id"]] = record
    wanted = {}
    for ident, (record, document) in last.items():
        key = f"tocsin:{{0}}:alert:{ident}"
        stands = redis.hash(key)
        for name in ("seq", "rev", "state", "level"):
            if stands[name.encode()].decode() != str(record[name]):
                raise AssertionError(f"{key}, {name}: {stands}")
        if stands[b"json"] != document:
            raise AssertionError(f"{key} holds another document")
        expires = redis("TTL", key)
        if record["open"] != (expires == -1):
            raise AssertionError(f"{key} expires in {expires} s, open is "
                                 f"{record['open']}")
        if record["open"]:
            wanted[ident] = RANK[record["level"]]
    flat = redis("ZRANGE", "tocsin:{0}:open", 0, -1, "WITHSCORES")
    got = {ident.decode(): int(float(score)) // 10 ** 13
           for ident, score in zip(flat[::2], flat[1::2])}
    if got != wanted:
        raise AssertionError(f"open: {got}, not {wanted}")


def check_dead(redis, oracle):
    """Every refused record, and no other, among the dead letters."""
    got = sorted((f[b"topic"].decode(), int(f[b"partition"]),
                  int(f[b"offset"]))
                 for _, f in redis.stream("tocsin:{0}:dead"))
    wanted = sorted(dead[:3] for dead in oracle.dead)
    if got != wanted:
        raise AssertionError(f"dead letters: {len(got)}, not {len(wanted)}: "
                             f"{[x for x in got if x not in wanted][:5]} "
                             f"{[x for x in wanted if x not in got][:5]}")
