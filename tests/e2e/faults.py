"""What is killed, stopped or lost in the middle leaves no trace in Redis."""

import os
import random
import signal
import time
import unittest

from support import run_of
from support.process import wait_for
from support.town import Town
from support.world import World


def seed():
    """Another one each time unless TOCSIN_SEED says which; printed."""
    number = int(os.environ.get("TOCSIN_SEED", time.time_ns() % 10 ** 9))
    print(f"# TOCSIN_SEED={number}")
    return number


class Faults(unittest.TestCase):
    def test_twenty_kills_lose_nothing_and_double_nothing(self):
        rnd = random.Random(seed())
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(rnd.randrange(10 ** 6))
            step = len(town.items) // 20 + 1
            with run_of.producer() as producer:
                for begin in range(0, len(town.items), step):
                    daemon = world.daemon()
                    town.produce(producer, world.prefix, begin, begin + step)
                    # Anything from before the first fetch to after the last
                    # alert: the moment is the test's only freedom.
                    time.sleep(rnd.random() * 0.6)
                    daemon.kill()
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

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

    def test_redis_away_for_a_while(self):
        with World(["--appendonly", "yes", "--appendfsync",
                    "always"]) as world:
            world.redis.start()
            run_of.create(world)
            town = Town(5)
            third = len(town.items) // 3
            daemon = world.daemon(limits={"outbox": 64}).wait_ready()
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, third)
                run_of.wait_taken(world, daemon)
                world.redis.kill()
                wait_for(lambda: not daemon.ready(), 20, "it says not ready")
                town.produce(producer, world.prefix, third, 2 * third)
                world.redis.start()
                daemon.wait_ready()
                town.produce(producer, world.prefix, 2 * third)
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_redis_that_hangs_is_waited_for(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(6)
            half = len(town.items) // 2
            daemon = world.daemon().wait_ready()
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, half)
                world.redis.child.signal(signal.SIGSTOP)
                town.produce(producer, world.prefix, half)
                time.sleep(1)
                world.redis.child.signal(signal.SIGCONT)
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_redis_that_lost_everything_gets_it_again(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(7).produce(producer, world.prefix)
            daemon = world.daemon()
            run_of.wait_taken(world, daemon)
            daemon.wait_ready()
            with world.redis.connect() as redis:
                before = run_of.documents(redis)
            world.redis.kill()
            world.redis.start()

            def there_again():
                with world.redis.connect() as redis:
                    # Ready does not say that all has been delivered.
                    return run_of.documents(redis)[:len(before)] == before

            wait_for(there_again, 60, lambda: "all alerts are there again\n"
                     + daemon.child.tail(), interval=0.2)
            daemon.stop()
            run_of.check(world, daemon)

    def test_redis_that_lost_everything_while_we_were_down(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(8).produce(producer, world.prefix)
            run_of.take_all_and_stop(world, world.daemon())
            world.redis.kill()
            world.redis.start()
            daemon = world.daemon().wait_ready()
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_a_second_daemon_on_the_same_state_is_refused(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            first = world.daemon().wait_ready()
            second = world.daemon(wait=False)
            self.assertEqual(second.child.wait(20), 69)
            self.assertIn("lock", second.child.output())
            self.assertTrue(first.ready())
            self.assertEqual(first.stop(), 0)

    def test_a_zombie_on_another_state_directory_is_turned_away(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(9)
            half = len(town.items) // 2
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, half)
                zombie = world.daemon()
                run_of.wait_taken(world, zombie)
                zombie.wait_ready()
                zombie.child.signal(signal.SIGSTOP)
                successor = world.daemon(state="state-2").wait_ready()
                town.produce(producer, world.prefix, half)
                run_of.wait_taken(world, successor)
                successor.wait_ready()
                zombie.child.signal(signal.SIGCONT)
                code = zombie.child.wait(30)
            self.assertEqual(code, 65, zombie.child.tail())
            self.assertEqual(successor.stop(), 0)
            with world.redis.connect() as redis:
                run_of.check_entries(redis)
                run_of.check_standing(redis)


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
