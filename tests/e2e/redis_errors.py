"""What Redis answers or fails to answer, and that it changes nothing."""

import os
import random
import unittest

from faults import seed
from support import run_of
from support.process import wait_for
from support.proxy import Proxy
from support.resp import RedisError
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

    def _survives(self, begin, end, says=None, options=()):
        """@begin and @end are commands, or functions of (world, redis)."""
        with World(options) as world:
            world.redis.start()
            run_of.create(world)
            town = Town(31, months=6)
            half = len(town.items) // 2
            daemon = world.daemon().wait_ready()
            with run_of.producer() as producer, \
                    world.redis.connect() as redis:
                town.produce(producer, world.prefix, 0, half)
                run_of.wait_taken(world, daemon)
                self._do(begin, world, redis)
                town.produce(producer, world.prefix, half)
                if says:
                    wait_for(lambda: says in daemon.child.output(), 30,
                             lambda: f"it says {says}\n"
                             + daemon.child.tail())
                if end:
                    wait_for(lambda: not daemon.ready(), 30,
                             "it says not ready")
                self._do(end, world, redis)
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def _do(self, steps, world, redis):
        for step in steps:
            if callable(step):
                step(world, redis)
            else:
                redis(*step)

    def test_noscript_when_scripts_were_flushed(self):
        self._survives([("SCRIPT", "FLUSH")], [],
                       "scripts were flushed, loading them again")

    def test_clients_killed(self):
        self._survives([("CLIENT", "KILL", "TYPE", "normal", "SKIPME",
                         "yes")], [])

    def test_oom_until_there_is_memory(self):
        self._survives([("CONFIG", "SET", "maxmemory", "1")],
                       [("CONFIG", "SET", "maxmemory", "0")],
                       "raise maxmemory; alerts wait")

    def test_readonly_while_it_is_a_replica(self):
        self._survives([("REPLICAOF", "127.0.0.1", "1")],
                       [("REPLICAOF", "NO", "ONE")],
                       "this is a replica; alerts wait")

    def test_masterdown_while_it_is_a_replica_without_its_master(self):
        self._survives([("CONFIG", "SET", "replica-serve-stale-data", "no"),
                        ("REPLICAOF", "127.0.0.1", "1")],
                       [("REPLICAOF", "NO", "ONE")],
                       "its master is away; alerts wait")

    def test_noreplicas_while_there_are_too_few(self):
        self._survives([("CONFIG", "SET", "min-replicas-to-write", "1")],
                       [("CONFIG", "SET", "min-replicas-to-write", "0")],
                       "too few replicas; alerts wait")

    def test_misconf_while_it_cannot_save(self):
        def fail_to_save(world, redis):
            # Its dump cannot get its name: a folder has it.
            os.mkdir(os.path.join(world.redis.folder, "dump.rdb"))
            redis("CONFIG", "SET", "save", "3600 1000000")
            redis("BGSAVE")
            wait_for(lambda: b"rdb_last_bgsave_status:err" in
                     redis("INFO", "persistence"), 20, "the dump failed")

        self._survives([fail_to_save], [("CONFIG", "SET", "save", "")],
                       "it cannot save to disk; alerts wait")

    def test_busy_while_somebody_elses_script_runs(self):
        def run_for_ever(world, redis):
            redis("CONFIG", "SET", "busy-reply-threshold", "50")
            # Its connection stays: it gets no answer while the script runs.
            self.other = world.redis.connect()
            self.other.send("EVAL", "while true do end", 0)

        def kill_it(_world, redis):
            wait_for(lambda: self._kill_script(redis), 20, "it is killed")
            self.other.close()

        self._survives([run_for_ever], [kill_it],
                       "a script of somebody else runs; alerts wait")

    def _kill_script(self, redis):
        try:
            return redis("SCRIPT", "KILL") == b"OK"
        except RedisError as error:
            return "NOTBUSY" in str(error)

    def test_loading_while_it_reads_its_data(self):
        def fill_and_restart(world, redis):
            # Something to read for seconds, which the lane has no part in.
            for number in range(400):
                redis("RPUSH", f"other:{number}", *(["x" * 100] * 100))
            world.redis.kill()
            # An event of its loop each kilobyte, and so it says what it does.
            world.redis.start(wait=False)

        self._survives([fill_and_restart], [],
                       "it is reading its data; alerts wait",
                       ["--appendonly", "yes", "--appendfsync", "always",
                        "--key-load-delay", "2000",
                        "--loading-process-events-interval-bytes", "1024"])

    def test_noauth_when_a_password_was_set_meanwhile(self):
        self._survives([("CONFIG", "SET", "requirepass", "another"),
                        ("CLIENT", "KILL", "TYPE", "normal", "SKIPME",
                         "yes")],
                       [("CONFIG", "SET", "requirepass", "")],
                       "a password is needed: redis.password")

    def test_noperm_of_a_command_until_it_is_given(self):
        self._survives([("ACL", "SETUSER", "default", "-xadd")],
                       [("ACL", "SETUSER", "default", "+xadd")],
                       "the user lacks a right, see REDIS.md")

    def test_noperm_of_channels_loses_only_the_bell(self):
        # Alerts are there, channels are not.
        self._survives([("ACL", "SETUSER", "default", "resetchannels")], [],
                       "the alert is in the stream, this part is not")

    def test_wrongtype_of_the_index_loses_only_the_index(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with world.redis.connect() as redis:
                redis("SET", "tocsin:{0}:open", "something else")
                with run_of.producer() as producer:
                    Town(33, months=2).produce(producer, world.prefix)
                daemon = world.daemon()
                run_of.take_all_and_stop(world, daemon)
                self.assertIn("the alert is in the stream, this part is not",
                              daemon.child.output())
                self.assertEqual(redis("GET", "tocsin:{0}:open"),
                                 b"something else")
                run_of.check_entries(redis)

    def test_wrongtype_of_the_stream_is_not_overwritten(self):
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
