"""What `tocsin state` shows of a state folder, and what it may remove."""

import os
import re
import subprocess
import unittest

from support import run_of
from support.process import wait_for
from support.town import Town
from support.world import TOCSIN, World


def state(*words):
    return subprocess.run([TOCSIN, "state", *words], capture_output=True,
                          text=True, timeout=60)


class State(unittest.TestCase):
    def test_checkpoints_listed_shown_verified_and_dropped(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            daemon = world.daemon()
            with run_of.producer() as producer:
                Town(60, months=4).produce(producer, world.prefix)
            run_of.wait_taken(world, daemon)
            # One that was taken behind the first records.
            read_on = re.escape(world.topic("payments")) + "/0 next [1-9]"
            wait_for(lambda: re.search(read_on, state(
                "show", daemon.state).stdout), 30, daemon.child.tail)
            # A daemon that runs keeps what is its own.
            done = state("drop", daemon.state, "all")
            self.assertEqual(done.returncode, 1)
            self.assertIn("another daemon holds the lock", done.stderr)
            run_of.take_all_and_stop(world, daemon)
            lines = state("ls", daemon.state).stdout.splitlines()
            newest = lines[1].split()[0]
            shown = state("show", daemon.state)
            self.assertIn(f"checkpoint {newest}\n", shown.stdout)
            self.assertRegex(shown.stdout, read_on)
            self.assertRegex(shown.stdout,
                             r"/checkpoint/pages-\d{8} \d+ pages\n")
            self.assertEqual(lines[0].split()[5], "dead")
            done = state("verify", daemon.state)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("pages, whole\n", done.stdout)
            self.assertIn(": whole up to its end\n", done.stdout)
            self._lacks_a_table(daemon, shown)
            damaged = self._damage(daemon)
            done = state("verify", daemon.state)
            self.assertEqual(done.returncode, 1, done.stdout)
            said = {line.split(": page ")[0]
                    for line in done.stdout.splitlines() if ": page " in line}
            self.assertTrue(said and said <= damaged, done.stdout)
            used = {line.rsplit(" ", 2)[0]
                    for line in shown.stdout.splitlines()
                    if "/pages-" in line and line.endswith(" pages")}
            self.assertTrue(used <= damaged, shown.stdout)
            self.assertRegex(
                done.stdout, r"/checkpoint/pages-\d{8}: page \d+ of "
                r"checkpoint \d+ is damaged\n")
            done = state("drop", daemon.state, "all")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(
                len(state("ls", daemon.state).stdout.splitlines()), 1)
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def _lacks_a_table(self, daemon, shown):
        """What a replay would ask for is looked at as well."""
        sha = re.search(r"^finance/limits ([0-9a-f]{64})$", shown.stdout,
                        re.MULTILINE)[1]
        path = os.path.join(daemon.state, "archive", "content", sha)
        with open(path, "r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(b"x")
        done = state("verify", daemon.state)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"{path}, which finance/limits had: damaged\n",
                      done.stdout)
        with open(path, "r+b") as file:
            file.write(first)
        self.assertEqual(state("verify", daemon.state).returncode, 0)

    def _damage(self, daemon):
        damaged = set()
        for folder, _, files in os.walk(daemon.state):
            for name in files:
                if name.startswith("pages-"):
                    damaged.add(os.path.join(folder, name))
                    with open(os.path.join(folder, name), "r+b") as file:
                        file.seek(100)
                        byte = file.read(1)
                        file.seek(100)
                        file.write(bytes([byte[0] ^ 1]))
        return damaged

    def test_words_that_it_does_not_know(self):
        for words in ((), ("ls",), ("ls", ".", "1"), ("drop", "."),
                      ("drop", ".", "x"), ("show", ".", "0"), ("put", ".")):
            self.assertEqual(state(*words).returncode, 2, words)
