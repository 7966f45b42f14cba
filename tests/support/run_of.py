"""A daemon's whole run over a town, and all that Redis must hold then."""

from support import compare
from support.journal import Steps
from support.oracle.engine import Oracle
from support.oracle.events import Package
from support.process import wait_for
from support.rdkafka import (Handle, Producer, create_topics, read_all,
                             _PRODUCER)
from support.tally import (Tally, count_dead, count_entries, count_seam,
                           count_standing)
from support.world import broker

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
    create_topics(world.broker.address, dict.fromkeys(wanted, PARTITIONS),
                  max_message_bytes=10000000)


def producer(world=None):
    return Producer((world.broker if world else broker()).address)


def ends(world):
    """{(topic, partition): next offset} of those that hold any record."""
    out = {}
    with Handle(_PRODUCER, world.broker.address, {}) as handle:
        have = handle.partitions()
        for topic in topics(world):
            for partition in range(have.get(topic, 0)):
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


def wait_delivered(world, daemon, seconds=60):
    """Until all that the topics hold is taken and what came of it is in
    Redis."""
    wait_taken(world, daemon)
    daemon.wait_ready()
    records = sum(ends(world).values())

    def delivered():
        # Of one moment: metrics are made once a second.
        metrics = daemon.metrics()
        return daemon.total("tocsin_events_read_total", metrics) == records \
            and daemon.total("tocsin_outbox", metrics) == 0 \
            and daemon.total("tocsin_outbox_dead_letters", metrics) == 0

    wait_for(delivered, seconds, "everything is delivered")


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
    records = read_all(world.broker.address, topics(world))
    steps = Steps(daemon.journal(), records, daemon.state)
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
    tally = Tally()
    count_seam(oracle, found, tally)
    tally.complain()
    compare.compare(oracle, found[len(oracle.seam_out):],
                    before + len(oracle.seam_out) + 1)


def check_entries(redis):
    """The stream: numbered without a gap, chained, as the fence says."""
    tally = Tally()
    count_entries(redis, tally)
    tally.complain()


def check_standing(redis):
    """Hashes and the set of open alerts: each alert's last transition."""
    tally = Tally()
    count_standing(redis, documents(redis), tally)
    tally.complain()


def check_dead(redis, oracle):
    """Every refused record, and no other, among the dead letters."""
    tally = Tally()
    count_dead(redis, oracle, tally)
    tally.complain()
