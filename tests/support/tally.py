"""All of Redis against the oracle, every difference counted and named.

A transition is *lost* if the oracle has it and Redis has not, *doubled* if it
stands in Redis twice, *phantom* if Redis has it and the oracle has not. One
that says something else than the oracle's is both: what it ought to say is
lost, what it says is phantom. The same goes for hashes, the set of open
alerts and dead letters.
"""

import collections
import difflib
import json

from support import compare

RANK = {"green": 1, "yellow": 2, "orange": 3, "red": 4}


class Tally:
    def __init__(self):
        self.faults = 0
        self.lost = []
        self.doubled = []
        self.phantom = []

    def add(self, other):
        self.faults += other.faults
        self.lost += other.lost
        self.doubled += other.doubled
        self.phantom += other.phantom

    def wrong(self, text):
        """Not what the oracle says, where the oracle says something."""
        self.lost.append(text)
        self.phantom.append(text)

    def clean(self):
        return not (self.lost or self.doubled or self.phantom)

    def line(self):
        return (f"faults {self.faults}, lost {len(self.lost)}, doubled "
                f"{len(self.doubled)}, phantom {len(self.phantom)}")

    def words(self, limit=5):
        """The first few of each kind."""
        return [f"{kind}: {text}"
                for kind in ("lost", "doubled", "phantom")
                for text in getattr(self, kind)[:limit]]

    def complain(self):
        if not self.clean():
            raise AssertionError("\n".join([self.line(), *self.words()]))


def count(redis, oracle, tally, seam=None):
    """Everything that Redis holds; {alert: id}.

    After a seam (the line of the journal) what came before it is known by
    what oracle.known says; and that refused events may come again.
    """
    documents = count_entries(redis, tally)
    first = 0
    if seam:
        first = count_seam(oracle, documents[seam["seq"]:], tally) + \
            seam["seq"]
    ids = count_transitions(oracle, documents[first:], tally)
    count_standing(redis, documents, tally)
    if not seam:
        count_dead(redis, oracle, tally)
    return ids


def count_seam(oracle, documents, tally):
    """What the seam itself said; how many transitions that was."""
    known = oracle.known
    said = [json.loads(d) for d in documents[:len(oracle.seam_out)]]
    got = collections.Counter(
        (r["why"], r["change"], r["level"], r["rev"], repr(known.get(r["id"])))
        for r in said)
    wanted = collections.Counter(
        ("seam", change, level, rev,
         repr(alert if alert in known.values() else None))
        for alert, change, level, rev in oracle.seam_out)
    tally.lost += [f"of the seam: {x}" for x in (wanted - got).elements()]
    tally.phantom += [f"of the seam: {x}" for x in (got - wanted).elements()]
    return len(said)


def _sign(said, rule, level, why, rev, change, state):
    return (rule.split("/")[-1], level, why, rev, change, state)


def _sign_oracle(t):
    return _sign(t, t["rule"], t["level"], t["why"], t["rev"], t["change"],
                 t["state"])


def _sign_record(r):
    return _sign(r, r["rule"], r["level"], r["why"], r["rev"], r["change"],
                 r["state"])


def count_transitions(oracle, documents, tally):
    """The oracle's transitions, in its order; {alert: id}."""
    records = [json.loads(d) for d in documents]
    wanted = oracle.out
    seen = set()
    for number, record in enumerate(list(records)):
        which = record["id"], record["rev"]
        if which in seen:
            tally.doubled.append(f"seq {record['seq']}: id {which[0]} rev "
                                 f"{which[1]} a second time")
            records[number] = None
        seen.add(which)
    records = [r for r in records if r]
    if len(records) == len(wanted):
        pairs = list(zip(wanted, records))
    else:
        pairs = _align(wanted, records, tally)
    return _compare(oracle, pairs, tally)


def _align(wanted, records, tally):
    """Which belongs to which where one side has more than the other."""
    matcher = difflib.SequenceMatcher(
        None, [_sign_oracle(t) for t in wanted],
        [_sign_record(r) for r in records], autojunk=False)
    pairs = []
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        if kind == "equal":
            pairs += zip(wanted[a:a_end], records[b:b_end])
            continue
        tally.lost += [str(compare.brief(t)) for t in wanted[a:a_end]]
        tally.phantom += [f"seq {r['seq']}: {compare.brief(r)}"
                          for r in records[b:b_end]]
    return pairs


def _compare(oracle, pairs, tally):
    rules = {rule.full: rule for rule in oracle.rules}
    ids, alerts = {}, {}
    for transition, record in pairs:
        found = compare.differences(transition, record,
                                    rules[transition["rule"]])
        alert = transition["alert"]
        if ids.setdefault(alert, record["id"]) != record["id"]:
            found.append(f"id {record['id']}, before {ids[alert]}")
        if alerts.setdefault(record["id"], alert) != alert:
            found.append("another alert has this id")
        if found:
            tally.wrong(f"seq {record['seq']}: " + "; ".join(found))
    return ids


def count_entries(redis, tally, prefix="tocsin:{0}:"):
    """The stream itself: numbered without a gap, chained; its documents."""
    documents = []
    last = 0
    for ident, fields in redis.stream(prefix + "alerts"):
        record = json.loads(fields[b"json"])
        seq = int(ident.partition(b"-")[0])
        if seq != last + 1:
            tally.lost.append(f"after seq {last} comes {ident}")
        last = seq
        if int(fields[b"seq"]) != seq or record["seq"] != seq:
            tally.wrong(f"entry {ident} says {record['seq']}")
        for name in ("id", "state", "level"):
            if fields[name.encode()].decode() != record[name]:
                tally.wrong(f"entry {ident}, {name}: {fields}")
        documents.append(fields[b"json"])
    hashed = "0" * 64
    try:
        hashed = compare.chain(documents)
    except AssertionError as error:
        tally.wrong(str(error))
    fence = redis.hash(prefix + "fence")
    if int(fence.get(b"mark", 0)) != last or \
            (documents and fence[b"hash"].decode() != hashed):
        tally.wrong(f"{last} entries up to {hashed}, fence {fence}")
    return documents


def count_standing(redis, documents, tally, prefix="tocsin:{0}:"):
    """Hashes and the set of open alerts: each alert's last transition."""
    last = {}
    for document in documents:
        record = json.loads(document)
        last[record["id"]] = record, document
    hashes = {key.decode().rpartition(":")[2]
              for key in redis("KEYS", prefix.replace("{", "\\{") + "alert:*")}
    for ident in hashes - set(last):
        tally.phantom.append(f"alert {ident} has a hash and no entry")
    for ident, (record, document) in last.items():
        if ident not in hashes:
            tally.lost.append(f"alert {ident} has no hash")
            continue
        _count_hash(redis, prefix + "alert:" + ident, record, document, tally)
    wanted = {ident: RANK[record["level"]]
              for ident, (record, _) in last.items() if record["open"]}
    flat = redis("ZRANGE", prefix + "open", 0, -1, "WITHSCORES")
    got = {ident.decode(): int(float(score)) // 10 ** 13
           for ident, score in zip(flat[::2], flat[1::2])}
    for ident in set(wanted) | set(got):
        if ident not in got:
            tally.lost.append(f"{ident} is not among the open")
        elif ident not in wanted:
            tally.phantom.append(f"{ident} is among the open")
        elif got[ident] != wanted[ident]:
            tally.wrong(f"{ident} is open as {got[ident]}, not "
                        f"{wanted[ident]}")


def _count_hash(redis, key, record, document, tally):
    stands = redis.hash(key)
    for name in ("seq", "rev", "state", "level"):
        if stands[name.encode()].decode() != str(record[name]):
            tally.wrong(f"{key}, {name}: {stands[name.encode()]}, not "
                        f"{record[name]}")
    if stands[b"json"] != document:
        tally.wrong(f"{key} holds another document")
    expires = redis("TTL", key)
    if record["open"] != (expires == -1):
        tally.wrong(f"{key} expires in {expires} s, open is "
                    f"{record['open']}")


def count_dead(redis, oracle, tally, prefix="tocsin:{0}:"):
    """Every refused record, and no other, among the dead letters."""
    got = collections.Counter(
        (f[b"topic"].decode(), int(f[b"partition"]), int(f[b"offset"]))
        for _, f in redis.stream(prefix + "dead"))
    wanted = collections.Counter(dead[:3] for dead in oracle.dead)
    for where in set(got) | set(wanted):
        surplus = got[where] - wanted[where]
        if surplus > 0:
            (tally.doubled if wanted[where] else tally.phantom).append(
                f"dead letter {where}, {surplus} too many")
        elif surplus:
            tally.lost.append(f"dead letter {where}")


def count_taken(lines, records, tally):
    """Each record that the topics hold stands in the journal."""
    runs = collections.defaultdict(list)
    for line in lines:
        if "run" in line:
            run = line["run"]
            runs[run["topic"], run["partition"]].append(
                (run["first"], run["next"]))
    for record in records:
        if not any(first <= record.offset < end for first, end
                   in runs[record.topic, record.partition]):
            tally.lost.append(f"never taken: {record.topic} "
                              f"{record.partition} {record.offset}")


def count_journal(lines, tally):
    """No record is taken twice."""
    following = {}
    for line in lines:
        run = line.get("run")
        if not run:
            continue
        where = run["topic"], run["partition"]
        if run["first"] < following.get(where, 0):
            tally.doubled.append(f"taken from {run['first']}, before up to "
                                 f"{following[where]}: {where}")
        following[where] = run["next"]
