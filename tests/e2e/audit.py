"""Every alert computed again from the archive, without Kafka."""

import json
import os
import re
import shutil
import subprocess
import unittest

from support import run_of
from support.town import Town
from support.world import TOCSIN, World


def audit(daemon, *words):
    return subprocess.run([TOCSIN, "audit", *words, "-c", daemon.path],
                          capture_output=True, text=True, timeout=120)


class Audit(unittest.TestCase):
    def _world(self):
        world = World()
        world.redis.start()
        run_of.create(world)
        return world

    def _run(self, world, kills=0, seed=50):
        """A town, with some kills on the way; the last daemon."""
        town = Town(seed, months=8)
        step = len(town.items) // (kills + 1) + 1
        with run_of.producer() as producer:
            for begin in range(0, len(town.items), step):
                daemon = world.daemon()
                town.produce(producer, world.prefix, begin, begin + step)
                if begin + step < len(town.items):
                    run_of.wait_taken(world, daemon)
                    daemon.kill()
        run_of.take_all_and_stop(world, daemon)
        # Out of reach: what is computed now comes from the archive.
        world.edit_rules("alert_if: ", "alert_if: false && ")
        shutil.rmtree(os.path.join(world.folder, "rules"))
        os.mkdir(world.rules)
        return daemon

    def _is_same(self, daemon, n):
        done = audit(daemon, "verify", "--all")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{n} transitions, {n} the same byte for byte, 0 "
                      "differ, 0 not computed", done.stdout)

    def test_every_alert_after_kills(self):
        with self._world() as world:
            daemon = self._run(world, kills=4)
            with world.redis.connect() as redis:
                documents = run_of.documents(redis)
            self.assertGreater(len(documents), 100)
            self._is_same(daemon, len(documents))
            ident = json.loads(documents[len(documents) // 2])["id"]
            done = audit(daemon, "verify", ident)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(f"alert {ident}: ", done.stdout)

    def test_rules_changed_between_two_runs(self):
        with self._world() as world:
            town = Town(51, months=6)
            half = len(town.items) // 2
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, half)
                run_of.take_all_and_stop(world, world.daemon())
                world.edit_rules("slack: 1000", "slack: 30000000")
                town.produce(producer, world.prefix, half)
                daemon = world.daemon()
                run_of.take_all_and_stop(world, daemon)
            shutil.rmtree(world.rules)
            os.mkdir(world.rules)
            with world.redis.connect() as redis:
                self._is_same(daemon, len(run_of.documents(redis)))

    def test_what_was_changed_is_named(self):
        with self._world() as world:
            daemon = self._run(world)
            with world.redis.connect() as redis:
                entry, fields = run_of.stream(redis)[5]
                record = json.loads(fields[b"json"])
                for name, value in (("level", "green"), ("rev", 99)):
                    self._tamper(daemon, redis, entry, fields, record, name,
                                 value)

    def _tamper(self, daemon, redis, entry, fields, record, name, value):
        """In a fresh stream, since Redis lets nobody change an entry."""
        stream = "tocsin:{0}:alerts"
        kept = redis("DUMP", stream)
        entries = run_of.stream(redis)
        redis("DEL", stream)
        changed = re.sub(f'"{name}":("[^"]*"|[0-9]+)'.encode(),
                         f'"{name}":{json.dumps(value)}'.encode(),
                         fields[b"json"], count=1)
        for ident, of in entries:
            if ident == entry:
                of = {**of, b"json": changed}
            redis("XADD", stream, ident,
                  *(word for pair in of.items() for word in pair))
        done = audit(daemon, "verify", record["id"])
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"seq {record['seq']}: differs", done.stdout)
        self.assertIn(f"{name}: Redis ", done.stdout)
        done = audit(daemon, "chain")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"seq {record['seq']}: the record is not what its hash",
                      done.stdout)
        redis("DEL", stream)
        redis("RESTORE", stream, 0, kept)

    def test_one_alert_of_each_rule_in_a_file_alone(self):
        with self._world() as world:
            daemon = self._run(world, kills=1)
            with world.redis.connect() as redis:
                documents = run_of.documents(redis)
            # The last alert of each rule, which has the longest past.
            newest = {}
            for document in documents:
                record = json.loads(document)
                newest[record["package"], record["rule"]] = record
            self.assertGreater(len(newest), 10)
            alone = os.path.join(world.folder, "alone")
            os.mkdir(alone)
            for (_, rule), record in sorted(newest.items()):
                path = os.path.join(alone, rule + ".jsonl")
                done = audit(daemon, "export", record["id"], "-o", path)
                self.assertEqual(done.returncode, 0, rule + done.stderr)
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                self._is_the_same_alone(daemon, path, record)
            # Neither rules, nor Redis, nor state: the file says it all.
            self._notices(path)

    def _is_the_same_alone(self, daemon, path, record):
        words = [TOCSIN, "audit", "verify", path]
        if record.get("key_ref"):  # it is made with the site's own key
            words += ["-c", daemon.path]
        done = subprocess.run(words, capture_output=True, text=True,
                              timeout=120, cwd="/")
        self.assertEqual(done.returncode, 0,
                         path + done.stdout + done.stderr)

    def _notices(self, path):
        with open(path, encoding="utf-8") as file:
            lines = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(lines.replace('\\"rev\\":1,', '\\"rev\\":3,'))
        done = subprocess.run([TOCSIN, "audit", "verify", path],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("was not computed", done.stdout)

    def test_chain_and_head(self):
        with self._world() as world:
            daemon = self._run(world)
            with world.redis.connect() as redis:
                documents = run_of.documents(redis)
                mark = redis.hash("tocsin:{0}:fence")
                done = audit(daemon, "chain")
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertIn(f"seq 1 to {len(documents)}, each follows",
                              done.stdout)
                done = audit(daemon, "head")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(
                    f"redis: lane 0 seq {len(documents)} hash "
                    f"{mark[b'hash'].decode()}\n", done.stdout)
                self.assertIn("state: lane 0 seq ", done.stdout)
                entry = run_of.stream(redis)[7][0]
                redis("XDEL", "tocsin:{0}:alerts", entry)
            done = audit(daemon, "chain")
            self.assertEqual(done.returncode, 1)
            self.assertIn("seq 9: does not follow seq 7", done.stdout)

    def test_inputs_that_are_missing(self):
        with self._world() as world:
            daemon = self._run(world, kills=2)
            folder = os.path.join(world.folder, "state", "archive",
                                  "journal-00000001")
            first = sorted(os.listdir(folder))[0]
            os.unlink(os.path.join(folder, first))
            done = audit(daemon, "verify", "--all")
            self.assertEqual(done.returncode, 1)
            self.assertIn("the inputs from 1 up to ", done.stderr)
            self.assertIn(" 0 differ", done.stdout)

    def test_files_of_the_archive_that_were_touched(self):
        with self._world() as world:
            daemon = self._run(world)
            folder = os.path.join(world.folder, "state", "archive")
            content = os.path.join(folder, "content")
            path = os.path.join(content, sorted(os.listdir(content))[0])
            with open(path, "ab") as file:
                file.write(b"\n# later\n")
            done = audit(daemon, "verify", "--all")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{path} (", done.stderr)
            self.assertIn("is not what its name says", done.stderr)
