"""The shipped rules on real Kafka and real Redis, held against the oracle."""

import os
import subprocess
import unittest

from support import run_of
from support.town import FEWER, Town
from support.world import BUILD, World, broker


EDGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules")


class SixRules(unittest.TestCase):
    def test_what_was_there_before_the_start_is_read_in_order_of_time(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(1).produce(producer, world.prefix)
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            self.assertGreater(len(run_of.check(world, daemon)), 50)

    def test_departments_that_write_in_other_ways(self):
        with World(rules=EDGES) as world:
            world.redis.start()
            run_of.create(world)
            town = Town(4, streams=FEWER)
            columns = ["decided_at", "award_no", "note", "buyer", "category",
                       "supplier", "bidders", "amount"]
            town.as_rows("awards", columns)
            world.edit_rules(
                f"topic: {world.topic('awards')}\n",
                f"topic: {world.topic('awards')}\n    format: csv\n"
                f"    columns: [{', '.join(columns)}]\n")
            for stream, encoding in (("payments", "gb18030"),
                                     ("orders", "latin1"),
                                     ("awards", "gb18030")):
                town.encode_as(stream, encoding, 50)
                topic = f"topic: {world.topic(stream)}\n"
                world.edit_rules(topic, topic + f"    encoding: {encoding}\n")
            with run_of.producer() as producer:
                town.produce(producer, world.prefix)
            daemon = world.daemon().wait_ready()
            run_of.wait_taken(world, daemon)
            self.assertGreater(daemon.metrics()[
                'tocsin_events_refused_total{stream="payments",'
                'reason="bad_encoding"}'], 5)
            run_of.take_all_and_stop(world, daemon)
            self.assertGreater(len(run_of.check(world, daemon)), 50)

    def test_what_comes_while_it_runs_is_taken_as_it_comes(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            daemon = world.daemon().wait_ready()
            town = Town(2)
            step = len(town.items) // 8
            with run_of.producer() as producer:
                for begin in range(0, len(town.items), step):
                    town.produce(producer, world.prefix, begin, begin + step)
                    run_of.wait_taken(world, daemon)
            run_of.take_all_and_stop(world, daemon)
            self.assertGreater(len(run_of.check(world, daemon)), 50)

    def test_the_city_of_the_quickstart(self):
        # The generator knows the shipped topics only: one test a broker.
        with World(prefix="fin.") as world:
            world.redis.start()
            run_of.create(world)
            done = subprocess.run(
                [os.path.join(BUILD, "tocsin-city"), "--seed", "3",
                 "--events", "5000", "--months", "14",
                 "--kafka", broker().address,
                 "--streams", ",".join(run_of.streams_read(world)),
                 "--out", world.folder],
                capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            self.assertGreater(len(run_of.check(world, daemon)), 20)

    def test_a_second_run_over_the_same_topics_adds_nothing(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(3).produce(producer, world.prefix)
            first = world.daemon()
            run_of.take_all_and_stop(world, first)
            with world.redis.connect() as redis:
                before = run_of.stream(redis)
                second = world.daemon().wait_ready()
                self.assertEqual(second.stop(), 0)
                self.assertEqual(run_of.stream(redis), before)
            run_of.check(world, second)
