"""A daemon's whole surroundings, in which a fault can be had at any moment.

A scene is a World with a broker of its own, a small town whose events arrive
while daemons come and go, and the oracle that has the last word.
"""

import contextlib
import threading

from support import run_of, tally
from support.journal import Steps
from support.mock import MockBroker
from support.oracle.engine import Oracle
from support.oracle.events import Package
from support.process import wait_for
from support.rdkafka import read_all
from support.town import Town
from support.world import BUILD, World


class Scene:
    """@run says where faults are counted; @broker(world) makes one that is
    not a mock cluster of @brokers."""

    def __init__(self, run, months=14, brokers=1, broker=None,
                 redis_options=(), build=BUILD, rules=None, town=None,
                 **config):
        self.run = run
        self.rnd = run.rnd
        self.town = town or Town(self.rnd.randrange(10 ** 6), months=months)
        self.world = World(redis_options,
                           **({"rules": rules} if rules else {}))
        self.build = build
        # How often decides in which piece of work a kill finds it.
        self.config = {"checkpoint": {"every": self.rnd.choice(
            ("20ms", "100ms", "500ms"))}, **config}
        self.ids = {}  # alert: id, of all comparisons
        self._records = {}  # by coordinates; some may have expired since
        self._last = None  # oracle and steps
        self._sends = None
        self._brokers = brokers
        self._broker = broker

    def __enter__(self):
        try:
            self.world.redis.start()
            if self._broker:
                self.world.use_broker(self._broker(self.world))
                run_of.create(self.world)
            else:
                self.world.use_broker(MockBroker(
                    self.world.children, BUILD, dict.fromkeys(
                        run_of.topics(self.world), run_of.PARTITIONS),
                    self._brokers))
        except BaseException:
            self.world.__exit__(True)
            raise
        return self

    def __exit__(self, *failed):
        self.forget_producer()
        self.world.__exit__(*failed)

    @property
    def broker(self):
        return self.world.broker

    @property
    def redis(self):
        return self.world.redis

    def fault(self, n=1):
        self.run.tally.faults += n

    def start(self, wait=False, under=(), env=None, **config):
        return self.world.daemon(wait, build=self.build, env=env, under=under,
                                 **{**self.config, **config})

    def kill(self, daemon):
        """One that has ended by itself is no kill and must say why."""
        self.alive(daemon)
        daemon.kill()
        self.fault()

    @staticmethod
    def alive(daemon):
        if not daemon.child.running():
            raise AssertionError(
                f"the daemon ended with {daemon.child.process.returncode}:\n"
                + daemon.child.tail(40))

    def send(self, begin=0.0, end=1.0):
        """A share of the town's events, all at once."""
        n = len(self.town.items)
        self.town.produce(self._producer(), self.world.prefix,
                          int(n * begin), int(n * end))

    def forget_producer(self):
        if self._sends:
            self._sends.close()
        self._sends = None

    def _producer(self):
        """One for all: a new one looks for each topic a second long."""
        if not self._sends:
            self._sends = run_of.producer(self.world)
        return self._sends

    @contextlib.contextmanager
    def load(self, seconds, begin=0.0, end=1.0):
        """The same over @seconds, while what is inside happens; what is left
        when that is over arrives at once."""
        over = threading.Event()
        trouble = []
        n = len(self.town.items)
        first, last = int(n * begin), int(n * end)
        step = max(1, int((last - first) * 0.05 / seconds))
        pause = seconds * step / max(1, last - first)

        def arrive():
            try:
                for at in range(first, last, step):
                    self.town.produce(self._producer(), self.world.prefix,
                                      at, min(at + step, last))
                    over.wait(pause)
            except Exception as error:  # told by the thread that waits
                trouble.append(error)

        thread = threading.Thread(target=arrive, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(180)
        if trouble:
            raise trouble[0]
        if thread.is_alive():
            raise AssertionError("events could not be sent")

    def settle(self, daemon, seconds=90):
        """Until all is taken and delivered, lag has returned to zero and it
        is ready."""
        run_of.wait_taken(self.world, daemon, seconds)
        daemon.wait_ready(seconds)
        ends = sum(run_of.ends(self.world).values())
        wait_for(lambda: not any(self._left(daemon, ends).values()), seconds,
                 lambda: f"nothing is left: {self._left(daemon, ends)}\n"
                 + daemon.child.tail())

    def _left(self, daemon, ends):
        """All of one moment, and of one after everything was taken."""
        self.alive(daemon)
        metrics = daemon.metrics()
        left = {name: daemon.total(name, metrics) for name in (
            "tocsin_partition_lag", "tocsin_outbox",
            "tocsin_outbox_dead_letters")}
        left["taken later than this"] = max(
            0, ends - daemon.total("tocsin_partition_offset", metrics))
        return left

    def finish(self, daemon=None, seconds=90):
        """Faults are over: @daemon, or another one, does all that is left;
        then Redis is held against the oracle."""
        daemon = daemon or self.start(wait=True)
        self.settle(daemon, seconds)
        code = daemon.stop(30)
        if code != 0:
            raise AssertionError(f"the daemon ended with {code}:\n"
                                 + daemon.child.tail(40))
        self.compare(daemon)

    def remember(self):
        """What the topics hold, before it may expire."""
        records = read_all(self.broker.address, run_of.topics(self.world))
        for record in records:
            self._records[record.topic, record.partition,
                          record.offset] = record
        return records

    def compare(self, daemon):
        """Counts what is lost, doubled or phantom."""
        found = tally.Tally()
        lines = daemon.journal()
        tally.count_journal(lines, found)
        limits = daemon.config.get("limits", {})
        oracle = Oracle(Package([self.world.rules]),
                        limits.get("keys_per_rule"))
        oracle.known = {ident: alert for alert, ident in self.ids.items()}
        there = self.remember()
        steps = Steps(lines, self._records.values(), daemon.state)
        steps.feed(oracle)
        tally.count_taken(lines, there, found)
        self._last = oracle, steps
        with self.redis.connect() as redis:
            self.ids.update(self.recount(redis, found))
        self.run.compared(found, len(oracle.out), len(there))

    def recount(self, redis, found):
        """Redis as it is now against what the oracle last said."""
        oracle, steps = self._last
        return tally.count(redis, oracle, found, steps.seam)
