"""What happens to the log under the daemon: it expires, it is deleted."""

import signal
import time
import unittest

from support import run_of
from support.process import wait_for
from support.rdkafka import create_topics, delete_records, delete_topics
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

    def entries(self):
        with self.world.redis.connect() as redis:
            return len(run_of.documents(redis))

    def test_what_has_been_taken_may_expire_while_it_runs(self):
        self.produce(0, 5)
        daemon = self.world.daemon()
        run_of.wait_taken(self.world, daemon)
        daemon.wait_ready()
        ids = run_of.check(self.world, daemon)
        expire(self.world)
        self.produce(5, 8)
        run_of.take_all_and_stop(self.world, daemon)
        self.assertNotIn("seam", daemon.child.output())
        before = self.entries()
        self.produce(8, 9)
        # The next start cannot compute that past again.
        second = self.world.daemon()
        run_of.take_all_and_stop(self.world, second)
        self.assertIn("log changed", second.child.output())
        self.assertEqual(second.journal()[0]["header"]["seam"], "log changed")
        self.assertTrue(ids)
        with self.world.redis.connect() as redis:
            run_of.check_entries(redis)
            run_of.check_standing(redis)
        self.assertGreater(self.entries(), before)

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

    def test_a_topic_that_is_deleted_and_made_again(self):
        self.produce(0, 5)
        daemon = self.world.daemon()
        run_of.wait_taken(self.world, daemon)
        daemon.wait_ready()
        ids = run_of.check(self.world, daemon)
        topic = self.world.topic("orders")
        delete_topics(broker().address, [topic])
        wait_for(lambda: daemon.get("/ready")[1]
                 == "kafka: a topic is missing\n", 30,
                 lambda: f"{daemon.get('/ready')}\n{daemon.child.tail()}")
        wait_for(lambda: daemon.journal()[0]["header"]["seam"], 30,
                 daemon.child.tail)
        create_topics(broker().address, {topic: run_of.PARTITIONS},
                      max_message_bytes=10000000)
        daemon.wait_ready()
        self.produce(5, 10)
        run_of.take_all_and_stop(self.world, daemon)
        self.assertEqual(daemon.child.output().count("with a seam"), 1)
        run_of.check_seam(self.world, daemon, ids)
