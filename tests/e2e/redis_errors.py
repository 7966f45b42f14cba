"""What Redis answers or fails to answer, and that it changes nothing."""

import os
import random
import unittest

from faults import seed
from support import run_of
from support.process import wait_for
from support.proxy import Proxy
from support.town import Town
from support.world import World


class Replies(unittest.TestCase):
    def test_replies_cut_off_at_any_byte(self):
        rnd = random.Random(seed())
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(30, months=6)
            limits = [rnd.randrange(1, 300) for _ in range(12)]
            path = os.path.join(world.folder, "p")
            with Proxy(path, world.redis.socket,
                       lambda: limits.pop() if limits else None) as proxy, \
                    run_of.producer() as producer:
                daemon = world.daemon(redis={"url": "unix://" + path})
                step = len(town.items) // 10
                for begin in range(0, len(town.items), step):
                    town.produce(producer, world.prefix, begin, begin + step)
                # A handshake that is cut backs off: the last cut comes late,
                # and a stop in between would rightly end incomplete.
                wait_for(lambda: not limits, 60, daemon.child.tail)
                run_of.take_all_and_stop(world, daemon)
                self.assertGreater(proxy.cuts, 3)
            run_of.check(world, daemon)


class Errors(unittest.TestCase):
    """An error of Redis is waited out; then the same batch goes again."""

    def _survives(self, begin, end):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(31, months=6)
            half = len(town.items) // 2
            daemon = world.daemon().wait_ready()
            with run_of.producer() as producer, \
                    world.redis.connect() as redis:
                town.produce(producer, world.prefix, 0, half)
                run_of.wait_taken(world, daemon)
                for words in begin:
                    redis(*words)
                town.produce(producer, world.prefix, half)
                if end:
                    wait_for(lambda: not daemon.ready(), 30,
                             "it says not ready")
                for words in end:
                    redis(*words)
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_scripts_flushed(self):
        self._survives([("SCRIPT", "FLUSH")], [])

    def test_clients_killed(self):
        self._survives([("CLIENT", "KILL", "TYPE", "normal", "SKIPME",
                         "yes")], [])

    def test_out_of_memory(self):
        self._survives([("CONFIG", "SET", "maxmemory", "1")],
                       [("CONFIG", "SET", "maxmemory", "0")])

    def test_a_replica_for_a_while(self):
        self._survives([("REPLICAOF", "127.0.0.1", "1")],
                       [("REPLICAOF", "NO", "ONE")])

    def test_too_few_replicas(self):
        self._survives([("CONFIG", "SET", "min-replicas-to-write", "1")],
                       [("CONFIG", "SET", "min-replicas-to-write", "0")])

    def test_no_right_to_publish_loses_only_the_bell(self):
        # ACL of the user that the daemon is logged in as: alerts are there,
        # channels are not.
        self._survives([("ACL", "SETUSER", "default", "resetchannels")], [])

    def test_a_key_of_another_type_is_not_overwritten(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with world.redis.connect() as redis:
                redis("SET", "tocsin:{0}:alerts", "something else")
                with run_of.producer() as producer:
                    Town(32, months=2).produce(producer, world.prefix)
                daemon = world.daemon()
                wait_for(lambda: "WRONGTYPE" in daemon.child.output(), 30,
                         lambda: "it says so\n" + daemon.child.tail())
                self.assertFalse(daemon.ready())
                self.assertEqual(redis("GET", "tocsin:{0}:alerts"),
                                 b"something else")
