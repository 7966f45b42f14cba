"""Redis has lost what it had acknowledged: it is there again, byte for byte."""

import os
import random
import shutil
import time
import unittest

from faults import seed
from support import run_of
from support.process import wait_for
from support.town import Town
from support.world import World

FENCE = "tocsin:{0}:fence"


class Losses(unittest.TestCase):
    """Half of a town, a backup, the other half, the backup again."""

    def _begin(self, world, number, back_up=lambda redis: None):
        """The running daemon, when everything is in Redis."""
        world.redis.start()
        run_of.create(world)
        town = Town(number)
        half = len(town.items) // 2
        daemon = world.daemon().wait_ready()
        with run_of.producer() as producer:
            town.produce(producer, world.prefix, 0, half)
            self._refused(world, producer)
            run_of.wait_delivered(world, daemon)
            with world.redis.connect() as redis:
                self.at_backup = len(run_of.documents(redis))
                back_up(redis)
            town.produce(producer, world.prefix, half)
            self._refused(world, producer)
        run_of.wait_delivered(world, daemon)
        self._remember(world)
        self.assertGreater(len(self.before), self.at_backup)
        return daemon

    def _remember(self, world):
        with world.redis.connect() as redis:
            self.before = run_of.documents(redis)
            self.dead = len(redis.stream("tocsin:{0}:dead"))
            self.chain = redis.hash(FENCE)[b"chain"]

    def _refused(self, world, producer):
        for number in range(5):
            producer.send(world.topic("payments"), b'{"n": %d' % number,
                          number % run_of.PARTITIONS)
        producer.flush()

    def _wait_there_again(self, world, daemon):
        def there():
            with world.redis.connect() as redis:
                return len(run_of.documents(redis)) >= len(self.before) and \
                    len(redis.stream("tocsin:{0}:dead")) >= self.dead

        wait_for(there, 60, lambda: "all is there again\n"
                 + daemon.child.tail(), interval=0.2)
        daemon.wait_ready()

    def _check(self, world, daemon, resent):
        """Sent again as it was, by nobody but the log of what was sent."""
        with world.redis.connect() as redis:
            self.assertEqual(run_of.documents(redis), self.before)
            self.assertEqual(redis.hash(FENCE)[b"chain"], self.chain)
        wait_for(lambda: daemon.total("tocsin_alerts_resent_total") >=
                 resent, 10, "the metrics are of after it")
        self.assertEqual(daemon.total("tocsin_alerts_resent_total"), resent)
        self.assertEqual(daemon.total("tocsin_restarts_total"), 0)
        self.assertEqual(daemon.total("tocsin_seams_total"), 0)
        self.assertEqual(daemon.stop(), 0)
        run_of.check(world, daemon)

    def _back_up(self, redis):
        redis("SAVE")
        shutil.copy(self.dump, self.dump + ".old")

    def _restore(self, world):
        world.redis.kill()
        os.replace(self.dump + ".old", self.dump)
        world.redis.start()

    def test_killed_with_an_older_dump(self):
        with World() as world:
            self.dump = os.path.join(world.redis.folder, "dump.rdb")
            daemon = self._begin(world, 51, self._back_up)
            self._restore(world)
            self._wait_there_again(world, daemon)
            self._check(world, daemon, len(self.before) - self.at_backup)

    def test_killed_with_an_older_append_only_file(self):
        with World(["--appendonly", "yes", "--appendfsync",
                    "always"]) as world:
            folder = os.path.join(world.redis.folder, "appendonlydir")
            daemon = self._begin(world, 52, lambda redis: shutil.copytree(
                folder, folder + ".old"))
            world.redis.kill()
            shutil.rmtree(folder)
            os.rename(folder + ".old", folder)
            world.redis.start()
            self._wait_there_again(world, daemon)
            self._check(world, daemon, len(self.before) - self.at_backup)

    def test_an_older_dump_while_we_were_down(self):
        with World() as world:
            self.dump = os.path.join(world.redis.folder, "dump.rdb")
            daemon = self._begin(world, 53, self._back_up)
            self.assertEqual(daemon.stop(), 0)
            self._restore(world)
            daemon = world.daemon().wait_ready()
            self._wait_there_again(world, daemon)
            self._check(world, daemon, len(self.before) - self.at_backup)

    def test_emptied(self):
        with World() as world:
            daemon = self._begin(world, 54)
            with world.redis.connect() as redis:
                redis("FLUSHALL")
            self._wait_there_again(world, daemon)
            self._check(world, daemon, len(self.before))

    def test_killed_in_the_middle_of_sending_it_again(self):
        with World() as world:
            daemon = self._begin(world, 55)
            daemon.kill()
            world.redis.kill()
            world.redis.start()
            for _ in range(5):
                daemon = world.daemon()
                wait_for(lambda: "sending them again" in
                         daemon.child.output(), 30, daemon.child.tail)
                daemon.kill()
                with world.redis.connect() as redis:
                    redis("FLUSHALL")
            daemon = world.daemon().wait_ready()
            self._wait_there_again(world, daemon)
            self._check(world, daemon, len(self.before))

    def test_everything_after_the_daemon_was_killed_twenty_times(self):
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
                    time.sleep(rnd.random() * 0.8)
                    daemon.kill()
                self._refused(world, producer)
            daemon = world.daemon()
            run_of.wait_delivered(world, daemon)
            self._remember(world)
            with world.redis.connect() as redis:
                redis("FLUSHALL")
            self._wait_there_again(world, daemon)
            self._check(world, daemon, len(self.before))

    def test_only_dead_letters_are_lost(self):
        with World() as world:
            daemon = self._begin(world, 56)
            self.assertEqual(self.dead, 10)
            with world.redis.connect() as redis:
                redis("HSET", FENCE, "dead", "0")
                redis("DEL", "tocsin:{0}:dead")
                redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            self._wait_there_again(world, daemon)
            self._check(world, daemon, 0)

    def test_the_log_of_what_was_sent_is_gone_as_well(self):
        with World() as world:
            daemon = self._begin(world, 57)
            self.assertEqual(daemon.stop(), 0)
            shutil.rmtree(os.path.join(daemon.state, "sent"))
            world.redis.kill()
            world.redis.start()
            # The journal's beginning is still there: it is made again.
            daemon = world.daemon().wait_ready()
            self._wait_there_again(world, daemon)
            self._check(world, daemon, 0)

    def test_another_history_in_its_place(self):
        with World() as world:
            daemon = self._begin(world, 58)
            with world.redis.connect() as redis:
                redis("FLUSHALL")
                redis("HSET", FENCE, "mark", "2", "hash", "ab" * 32, "dead",
                      "0", "epoch", "0", "owner", "somebody")
                redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            self.assertEqual(daemon.child.wait(30), 1)
            self.assertIn("alert 2 in the sink is not the one that was sent",
                          daemon.child.output())

    def test_halts_if_told_so(self):
        with World() as world:
            self.dump = os.path.join(world.redis.folder, "dump.rdb")
            daemon = self._begin(world, 59, self._back_up)
            self.assertEqual(daemon.stop(), 0)
            self._restore(world)
            daemon = world.daemon(redis_loss="halt")
            self.assertEqual(daemon.child.wait(30), 1)
            self.assertIn("redis_loss is halt", daemon.child.output())
            with world.redis.connect() as redis:
                self.assertEqual(len(run_of.documents(redis)),
                                 self.at_backup)
