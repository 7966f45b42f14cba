"""What is stopped or lost in the middle leaves no trace in Redis.

Whatever else may happen stands in tests/chaos.
"""

import os
import random
import time
import unittest

from support import run_of
from support.town import Town
from support.world import World


def seed():
    """Another one each time unless TOCSIN_SEED says which; printed."""
    number = int(os.environ.get("TOCSIN_SEED", time.time_ns() % 10 ** 9))
    print(f"# TOCSIN_SEED={number}")
    return number


class Faults(unittest.TestCase):
    def _stop_at_any_moment(self, world, rnd):
        """Starts and stops some daemons; how each of them ended."""
        codes = []
        for _ in range(10):
            daemon = world.daemon()
            time.sleep(rnd.random() * 0.4)
            codes.append(daemon.stop())
            self.assertIn(codes[-1], (0, 75), daemon.child.tail())
        print(f"# ended with {codes}")

    def test_stopped_at_any_moment_of_a_catch_up(self):
        rnd = random.Random(seed())
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(rnd.randrange(10 ** 6)).produce(producer, world.prefix)
            self._stop_at_any_moment(world, rnd)
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_stopped_at_any_moment_of_a_seam(self):
        rnd = random.Random(seed())
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(rnd.randrange(10 ** 6))
            most = len(town.items) * 9 // 10
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, most)
                daemon = world.daemon()
                run_of.take_all_and_stop(world, daemon)
                ids = run_of.check(world, daemon)
                world.edit_rules("slack: 1000", "slack: 30000000")
                town.produce(producer, world.prefix, most)
            self._stop_at_any_moment(world, rnd)
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            run_of.check_seam(world, daemon, ids)


class Seam(unittest.TestCase):
    """Where the past cannot be reproduced, what is open is reconciled."""

    def _after(self, change):
        """Runs, changes the world, runs again; checks the second journal."""
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(10)
            most = len(town.items) * 9 // 10
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, most)
                first = world.daemon()
                run_of.take_all_and_stop(world, first)
                ids = run_of.check(world, first)
                more = change(world) or {}
                second = world.daemon(**more).wait_ready()
                town.produce(producer, world.prefix, most)
                run_of.take_all_and_stop(world, second)
            run_of.check_seam(world, second, ids)

    def test_rules_edited_between_two_runs(self):
        def edit(world):
            world.edit_rules("slack: 1000", "slack: 30000000")
            world.edit_rules("alert_if: cnt >= 2", "alert_if: cnt >= 3")

        self._after(edit)

    def test_another_level_is_amended(self):
        self._after(lambda world: world.edit_rules(
            "red: ratio(over, allocated) > 0.1",
            "red: ratio(over, allocated) > 0.9"))

    def test_a_state_directory_that_was_lost(self):
        self._after(lambda world: {"state": "another"})
