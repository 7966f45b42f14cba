"""At its limits the daemon gives keys up, and says so of those that rang."""

import os
import tempfile
import unittest
from collections import Counter

from support import run_of
from support.flood import KEYS, RULES, Flood
from support.process import wait_for
from support.world import World


class Limits(unittest.TestCase):
    @staticmethod
    def _send(world, flood, begin, end):
        with run_of.producer() as producer:
            flood.produce(producer, world.prefix, begin, end)

    def _run(self, limits):
        """What came of it: transitions by change, and the metrics."""
        with tempfile.TemporaryDirectory() as rules:
            with open(os.path.join(rules, "limits.yaml"), "w",
                      encoding="utf-8") as file:
                file.write(RULES)
            with World(rules=rules) as world:
                world.redis.start()
                run_of.create(world)
                flood = Flood(5)
                sent = flood.items
                half = len(sent) // 2
                # Killed in the middle, it gives up the same keys again.
                self._send(world, flood, 0, half)
                daemon = world.daemon(limits=limits).wait_ready()
                run_of.wait_taken(world, daemon)
                daemon.kill()
                self._send(world, flood, half, None)
                daemon = world.daemon(limits=limits).wait_ready()
                run_of.wait_taken(world, daemon)
                wait_for(lambda: daemon.total("tocsin_events_read_total")
                         == len(sent), 30, "the metrics say so, too")
                metrics = daemon.metrics()
                run_of.take_all_and_stop(world, daemon)
                oracle, _ = run_of.oracle_of(world, daemon)
                run_of.check(world, daemon)
                return Counter(t["change"] for t in oracle.out), metrics

    def test_what_rang_and_had_to_go_is_left_stale(self):
        changes, metrics = self._run({"keys_per_rule": KEYS})
        self.assertGreater(changes["stale"], 50)
        rule = '{rule="limits/often"'
        self.assertEqual(metrics[f"tocsin_rule_stale_total{rule}}}"],
                         changes["stale"])
        self.assertEqual(metrics[f"tocsin_rule_keys{rule}}}"], KEYS)
        self.assertGreater(
            metrics[f'tocsin_rule_evicted_total{rule},limit="keys"}}'], 500)

    def test_below_them_nothing_is_given_up(self):
        changes, metrics = self._run({})
        self.assertEqual(changes["stale"], 0)
        self.assertGreater(changes["fired"], 50)
        rule = '{rule="limits/unusual"}'
        self.assertEqual(metrics["tocsin_rule_cohorts" + rule], 7)
        self.assertEqual(metrics["tocsin_rule_cohort_values" + rule],
                         sum(value for name, value in metrics.items()
                             if name.startswith("tocsin_events_kept_total")))
        self.assertGreater(metrics["tocsin_rule_cohort_bytes" + rule], 50000)
        self.assertEqual(sum(
            value for name, value in metrics.items()
            if name.startswith("tocsin_rule_evicted_total")), 0)
