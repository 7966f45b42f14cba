"""How the daemon comes to Redis: over TCP, with a password, as a user of few
rights."""

import os
import re
import subprocess
import unittest

from support import run_of, world as worlds
from support.process import free_port, wait_for
from support.resp import RedisError
from support.town import Town
from support.world import World

PASSWORD = "open+Sesame"
CONTRACT = os.path.join(worlds.ROOT, "daemon", "sink", "REDIS.md")


def documented(user):
    """The words of `ACL SETUSER` as the contract gives them for a user."""
    with open(CONTRACT, encoding="utf-8") as file:
        text = file.read()
    found = re.search(r"^ +ACL SETUSER " + user + r" on >… (.+\n(?: {8}.+\n)*)",
                      text, re.MULTILINE)
    return found[1].split()


def used(redis):
    """The commands that were called since CONFIG RESETSTAT."""
    return {line.split(":")[0].removeprefix("cmdstat_")
            for line in redis("INFO", "commandstats").decode().splitlines()
            if line.startswith("cmdstat_")}


class Access(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.world = World(["--port", self.port])
        self.addCleanup(self.world.__exit__, False)
        self.world.redis.start()
        run_of.create(self.world)
        self.producer = run_of.producer()
        self.addCleanup(self.producer.close)
        self.town = Town(70, months=4)
        self.half = len(self.town.items) // 2
        self.secret = os.path.join(self.world.folder, "password")
        self.set_secret(PASSWORD)

    def set_secret(self, text):
        with open(self.secret, "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def daemon(self, **redis):
        return self.world.daemon(redis={
            "url": f"redis://127.0.0.1:{self.port}",
            "password": {"file": self.secret}, **redis})

    def produce(self, begin, end=None):
        self.town.produce(self.producer, self.world.prefix, begin, end)

    def tail(self, daemon, *more):
        return subprocess.run(
            [worlds.TOCSIN, "tail", "-c", daemon.path, "-s", "-n", "3", *more],
            capture_output=True, text=True, timeout=30)

    def test_over_tcp_with_a_password_from_a_file(self):
        with self.world.redis.connect() as redis:
            redis("CONFIG", "SET", "requirepass", PASSWORD)
        self.world.redis.auth = [PASSWORD]
        self.produce(0)
        daemon = self.daemon()
        run_of.take_all_and_stop(self.world, daemon)
        run_of.check(self.world, daemon)
        done = self.tail(daemon)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 4)

    def test_a_wrong_password_is_named_and_a_right_one_ends_the_wait(self):
        with self.world.redis.connect() as redis:
            redis("CONFIG", "SET", "requirepass", "another")
            self.produce(0)
            daemon = self.daemon()
            wait_for(lambda: "WRONGPASS" in daemon.child.output(), 20,
                     daemon.child.tail)
            self.assertIn("redis.password", daemon.child.output())
            self.assertEqual(daemon.get("/ready"),
                             (503, "redis: not connected\n"))
            done = self.tail(daemon)
            self.assertEqual(done.returncode, 1)
            self.assertIn("WRONGPASS", done.stderr)
            redis("CONFIG", "SET", "requirepass", PASSWORD)
        self.world.redis.auth = [PASSWORD]
        run_of.take_all_and_stop(self.world, daemon)
        run_of.check(self.world, daemon)
        said = daemon.child.output() + done.stdout + done.stderr
        self.assertEqual(said.count("WRONGPASS"), 2)
        self.assertNotIn(PASSWORD, said)

    def test_none_where_one_is_needed_is_named(self):
        with self.world.redis.connect() as redis:
            redis("CONFIG", "SET", "requirepass", PASSWORD)
        daemon = self.world.daemon()
        wait_for(lambda: "a password is needed" in daemon.child.output(), 20,
                 daemon.child.tail)
        self.assertEqual(daemon.stop(), 0)

    def test_a_user_of_the_documented_rights_and_no_more(self):
        rights = documented("tocsin")
        with self.world.redis.connect() as redis:
            redis("ACL", "SETUSER", "tocsin", "on", ">" + PASSWORD, *rights)
            redis("CONFIG", "RESETSTAT")
            self.produce(0, self.half)
            first = self.daemon(user="tocsin")
            run_of.take_all_and_stop(self.world, first)
            # A seam asks for what is open, and finds an id gone astray.
            redis("ZADD", "tocsin:{0}:open", 1, "0" * 32)
            self.world.edit_rules("slack: 1000", "slack: 30000000")
            self.produce(self.half)
            second = self.daemon(user="tocsin")
            run_of.take_all_and_stop(self.world, second)
            self.assertEqual(second.journal()[0]["header"]["seam"],
                             "rules changed")
            for daemon in first, second:
                self.assertNotIn("NOPERM", daemon.child.output())
            ours = {"acl|setuser", "config|resetstat", "info", "auth"}
            self.assertEqual(
                used(redis) - ours,
                {word[1:] for word in rights if word[0] == "+"})
            self.assertEqual(redis("ACL", "LOG"), [])
            run_of.check_entries(redis)
            run_of.check_standing(redis)

    def test_a_right_that_is_missing_is_named(self):
        rights = documented("tocsin")
        with self.world.redis.connect() as redis:
            redis("ACL", "SETUSER", "tocsin", "on", ">" + PASSWORD, *rights,
                  "-xadd")
            self.produce(0, self.half)
            daemon = self.daemon(user="tocsin")
            wait_for(lambda: "the user lacks a right, see REDIS.md"
                     in daemon.child.output(), 20, daemon.child.tail)
            self.assertFalse(daemon.ready())
            redis("ACL", "SETUSER", "tocsin", "+xadd")
            run_of.take_all_and_stop(self.world, daemon)
            run_of.check(self.world, daemon)

    def test_a_user_who_may_only_watch(self):
        self.produce(0, self.half)
        daemon = self.world.daemon()
        run_of.take_all_and_stop(self.world, daemon)
        rights = documented("watch")
        with self.world.redis.connect() as redis:
            redis("ACL", "SETUSER", "watch", "on", ">" + PASSWORD, *rights)
            redis("CONFIG", "RESETSTAT")

            def tail(*more):
                return subprocess.run(
                    [worlds.TOCSIN, "tail", "-r",
                     f"redis://127.0.0.1:{self.port}", "-u", "watch", "-n",
                     "3", *more], capture_output=True, text=True, timeout=30,
                    env={**os.environ, "REDIS_PASSWORD": PASSWORD})

            done = tail("-s")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(done.stdout.splitlines()), 4)
            redis("ACL", "SETUSER", "watch", "-xread")
            done = tail()  # begins behind what is there
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr.count("NOPERM"), 1)
            ours = {"acl|setuser", "config|resetstat", "info", "auth"}
            self.assertEqual(
                used(redis) - ours,
                {word[1:] for word in rights if word[0] == "+"})
        with self.assertRaises(RedisError):
            self.world.redis.auth = ["watch", PASSWORD]
            with self.world.redis.connect() as redis:
                redis("XTRIM", "tocsin:{0}:alerts", "MAXLEN", 0)
