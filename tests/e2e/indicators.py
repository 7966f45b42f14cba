"""The shipped rules on labelled cities that they were not tuned on.

The generator knows nothing of the rules; its labels say what was planted.
"""

import json
import os
import subprocess
import tempfile
import unittest

from support.world import BUILD, RULES, TOCSIN

SEEDS = (11, 12, 13)


def judged(seed):
    """What `replay --labels` says of each rule, over a whole city."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(BUILD, "tocsin-city"), "--seed",
                        str(seed), "--out", folder], check=True,
                       stderr=subprocess.DEVNULL, timeout=300)
        done = subprocess.run(
            [TOCSIN, "replay", "-r", RULES, "--as-of", "2026-03-01",
             "--labels", os.path.join(folder, "labels.jsonl"),
             "--format", "json", folder],
            capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def missed(rules, grade):
    return [(rule["rule"], label["note"]) for rule in rules
            for label in rule["missed_labels"]
            if label.get("grade", "plain") == grade]


class Indicators(unittest.TestCase):
    def _hold(self, seed):
        rules = judged(seed)
        labelled = [r for r in rules if r["planted"]]
        self.assertGreaterEqual(len(labelled), 30)
        for rule in labelled:
            self.assertGreaterEqual(rule["planted"], 10, rule["rule"])
        self.assertEqual(missed(rules, "plain"), [])
        near = sum(r["near"]["planted"] for r in labelled)
        self.assertLessEqual(len(missed(rules, "near")), 0.05 * near,
                             missed(rules, "near"))
        alerts = sum(r["alerts"] for r in labelled)
        other = sum(r["other"] for r in labelled)
        self.assertLessEqual(other, 0.05 * alerts,
                             {r["rule"]: r["other"] for r in labelled
                              if r["other"]})


def _add(seed):
    def method(self):
        self._hold(seed)

    setattr(Indicators, f"test_what_is_plain_is_found_in_city_{seed}", method)


for _seed in SEEDS:
    _add(_seed)
