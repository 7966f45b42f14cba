"""What happens to the log under the daemon: it expires, it is deleted."""

import signal
import time
import unittest

from support import run_of
from support.process import wait_for
from support.rdkafka import delete_records
from support.town import Town
from support.world import World, broker


def expire(world):
    """Everything that the topics hold."""
    delete_records(broker().address, run_of.ends(world))


class Log(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.__exit__, False)
        self.world.redis.start()
        run_of.create(self.world)
        self.town = Town(60, months=8)
        self.producer = run_of.producer()
        self.addCleanup(self.producer.close)

    def produce(self, begin, end):
        """From so many tenths of the town up to so many."""
        n = len(self.town.items)
        self.town.produce(self.producer, self.world.prefix, n * begin // 10,
                          n * end // 10)

    def test_what_expires_before_it_was_taken_makes_a_seam(self):
        self.produce(0, 5)
        daemon = self.world.daemon()
        run_of.wait_taken(self.world, daemon)
        daemon.wait_ready()
        ids = run_of.check(self.world, daemon)
        daemon.child.signal(signal.SIGSTOP)
        # The fetches that are under way are answered within 10 ms, with
        # nothing; what is produced then has been asked for by nobody.
        time.sleep(0.5)
        self.produce(5, 8)
        expire(self.world)
        daemon.child.signal(signal.SIGCONT)
        wait_for(lambda: "is gone" in daemon.child.output(), 60,
                 daemon.child.tail)
        self.produce(8, 10)
        run_of.take_all_and_stop(self.world, daemon)
        self.assertEqual(daemon.journal()[0]["header"]["seam"], "log changed")
        run_of.check_seam(self.world, daemon, ids)
