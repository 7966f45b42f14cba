"""At its limits the daemon gives keys up, and says so of those that rang."""

import os
import random
import tempfile
import unittest
from collections import Counter
from datetime import datetime, timezone

from support import run_of
from support.process import wait_for
from support.world import World

RULES = """
apiversion: 1
package: limits
calendars:
  cn: {tz: Asia/Shanghai}
streams:
  pays:
    topic: fin.pays
    time: at
    max_delay: 1h
    fields:
      unit: string
      payee: string
      amount: money(CNY)
      at: timestamp
rules:
- rule: often
  title: {zh: 多次付款, en: Paid often}
  status: live
  from: pays
  by: [unit, payee]
  window: 3650d
  measure: {cnt: count(), total: sum(amount)}
  alert_if: cnt >= 3 || total > 2500
  level: {red: total > 5000, yellow: "true"}
  cooldown: 2h
- rule: unusual
  title: {zh: 金额异常, en: Unlike what others get}
  status: live
  from: pays
  baseline: {usual: {of: amount, over: 3650d, peers: [unit], exclude_same: [payee]}}
  alert_if: usual.z(amount) > 1000.0
"""
KEYS = 40


def payments(seed, n):
    """Some units pay a few over and over; one pays whoever it can think of,
    now and then three times."""
    rand = random.Random(seed)
    at = 1750000000
    for number in range(n):
        at += rand.randrange(60)
        unit = f"U-{rand.randrange(6)}"
        payee = f"P-{rand.randrange(12)}"
        if rand.random() < 0.5:
            unit, payee = "F", f"X-{rand.randrange(number // 3 + 1)}"
        for _ in range(3 if rand.random() < 0.1 else 1):
            when = datetime.fromtimestamp(at - rand.randrange(1800),
                                          timezone.utc)
            yield (f'{{"unit":"{unit}","payee":"{payee}","amount":'
                   f'{rand.randrange(3000)}.5,"at":"{when.isoformat()}"}}'
                   ).encode()


class Limits(unittest.TestCase):
    def _send(self, world, payloads):
        with run_of.producer() as producer:
            for number, payload in enumerate(payloads):
                producer.send(world.topic("pays"), payload,
                              number % run_of.PARTITIONS,
                              timestamp=1750000000000)
            producer.flush()

    def _run(self, limits):
        """What came of it: transitions by change, and the metrics."""
        with tempfile.TemporaryDirectory() as rules:
            with open(os.path.join(rules, "limits.yaml"), "w",
                      encoding="utf-8") as file:
                file.write(RULES)
            with World(rules=rules) as world:
                world.redis.start()
                run_of.create(world)
                sent = list(payments(5, 3000))
                # Killed in the middle, it gives up the same keys again.
                self._send(world, sent[:len(sent) // 2])
                daemon = world.daemon(limits=limits).wait_ready()
                run_of.wait_taken(world, daemon)
                daemon.kill()
                self._send(world, sent[len(sent) // 2:])
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
