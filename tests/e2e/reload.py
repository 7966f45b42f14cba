"""Rules, tables and lists read again by a daemon that runs."""

import json
import os
import subprocess
import unittest

from support import run_of
from support.process import wait_for
from support.town import Town
from support.world import TOCSIN, World


class Reload(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.__exit__, False)
        self.world.redis.start()
        run_of.create(self.world)
        self.town = Town(70, months=8)
        self.producer = run_of.producer()
        self.addCleanup(self.producer.close)

    def _produce(self, begin, end):
        n = len(self.town.items)
        self.town.produce(self.producer, self.world.prefix, int(n * begin),
                          int(n * end))

    def _daemon(self):
        daemon = self.world.daemon()
        self._produce(0, 0.5)
        self._settle(daemon)
        return daemon

    def _wait_said(self, daemon, text):
        wait_for(lambda: daemon.said(text), 30,
                 lambda: f"it says {text!r}\n" + daemon.child.tail())

    @staticmethod
    def _wait_metric(daemon, name, value):
        wait_for(lambda: daemon.metrics().get(name) == value, 30,
                 lambda: f"{name} is {value}: {daemon.metrics().get(name)}")

    def _audit(self, daemon, *words):
        done = subprocess.run([TOCSIN, "audit", *words, "-c", daemon.path],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def _settle(self, daemon):
        run_of.wait_taken(self.world, daemon)
        daemon.wait_ready()
        wait_for(lambda: daemon.total("tocsin_outbox") == 0, 30,
                 "all is delivered")

    def test_a_table_and_a_list(self):
        """S8.13: from then on, in the daemon that runs."""
        daemon = self._daemon()
        self.world.edit_file("tables/limits.csv", ",2000000,200000",
                             ",700000,70000")
        self.world.edit_file("lists/vague.txt", "\n其他\n", "\n房租\n")
        daemon.reload()
        self._wait_said(daemon, "the rules are the same, 2 of ")
        self._wait_said(daemon, "finance/limits is as ")
        self._wait_said(daemon, "finance/lists.vague is as ")
        self._wait_metric(daemon, "tocsin_content_refreshes_total", 2)
        self._wait_metric(daemon, 'tocsin_reloads_total{result="taken"}', 1)
        self._produce(0.5, 1)
        run_of.take_all_and_stop(self.world, daemon)
        run_of.check(self.world, daemon)
        names = [line["name"] for line in daemon.journal()
                 if line.get("decision") == "content"]
        self.assertEqual(sorted(names),
                         ["finance/limits", "finance/lists.vague"])
        self.assertEqual(daemon.journal()[0]["header"]["seam"], None)
        # Auditors compute with the texts of each alert's time.
        with self.world.redis.connect() as redis:
            documents = [json.loads(d) for d in run_of.documents(redis)]
        n = len(documents)
        self.assertIn(f"{n} transitions, {n} the same byte for byte, 0 "
                      "differ, 0 not computed",
                      self._audit(daemon, "verify", "--all"))
        hashes = {d["inputs"]["lists"]["vague"]: d["id"] for d in documents
                  if d["rule"] == "vague-purpose"}
        self.assertEqual(len(hashes), 2)
        for ident in hashes.values():
            path = os.path.join(self.world.folder, "alert.jsonl")
            self._audit(daemon, "export", ident, "-o", path)
            done = subprocess.run([TOCSIN, "audit", "verify", path],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_is_wrong_changes_nothing(self):
        daemon = self._daemon()
        self.world.edit_file("tables/limits.csv", ",2000000,200000",
                             ",much,200000")
        self.world.edit_rules("rule: vague-purpose", "ruel: vague-purpose")
        daemon.reload()
        self._wait_said(daemon, "reload: refused, the rules before stay")
        said = daemon.child.output()
        self.assertRegex(said, r"limits\.csv:\d+:\d+: error E414: `much` in "
                               "column `open_tender` is not money")
        self.assertRegex(said, r"payments\.yaml:\d+:\d+: error E\d+: ")
        self._wait_metric(daemon, 'tocsin_reloads_total{result="refused"}',
                          1)
        self.assertTrue(daemon.ready())
        self._produce(0.5, 1)
        self.world.edit_rules("ruel: vague-purpose", "rule: vague-purpose")
        self.world.edit_file("tables/limits.csv", ",much,200000",
                             ",2000000,200000")
        daemon.reload()
        self._wait_said(daemon, "the rules are the same, 0 of ")
        run_of.take_all_and_stop(self.world, daemon)
        run_of.check(self.world, daemon)

    def test_other_rules(self):
        """In the same process; what is open is reconciled by a seam."""
        daemon = self._daemon()
        ids = run_of.check(self.world, daemon)
        self.world.edit_rules("slack: 1000", "slack: 30000000")
        daemon.reload()
        self._wait_said(daemon, "the lane begins anew by them")
        self._wait_said(daemon, "rules changed: begun a new journal")
        self._produce(0.5, 1)
        self._settle(daemon)
        self.assertEqual(daemon.journal()[0]["header"]["seam"],
                         "rules changed")
        run_of.take_all_and_stop(self.world, daemon)
        run_of.check_seam(self.world, daemon, ids)

    def test_told_while_it_begins_anew(self):
        """The last word counts, however fast one comes after the other."""
        daemon = self._daemon()
        for before, after in (("1000", "2000"), ("2000", "3000"),
                              ("3000", "30000000")):
            self.world.edit_rules("slack: " + before, "slack: " + after)
            daemon.reload()
        self._produce(0.5, 1)
        self._settle(daemon)
        run_of.take_all_and_stop(self.world, daemon)
        again = self.world.daemon().wait_ready()
        self.assertFalse(again.said("rules changed"), again.child.tail())
        self.assertEqual(again.stop(), 0)
        with self.world.redis.connect() as redis:
            run_of.check_entries(redis)
            run_of.check_standing(redis)
