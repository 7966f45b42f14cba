"""The oracle against the inline tests of the shipped rules and of semantics."""

import os
import unittest

from support.oracle import inline
from support.oracle.events import Package
from support.world import LEFT_OUT, ROOT, RULES

SEMANTICS = os.path.join(ROOT, "tests", "conformance", "semantics")
# Each is loaded by itself. Of the semantics only what the oracle knows: a
# construct that it does not know is an error, not a test left out.
SETS = [[RULES, LEFT_OUT]] + [
    [os.path.join(SEMANTICS, name) for name in ("streams.yaml", file)]
    for file in ("1-each.yaml", "3-closes.yaml", "3-keys.yaml",
                 "3-stretches.yaml", "6-ladders.yaml", "6-texts.yaml",
                 "7-closed.yaml", "7-months.yaml", "7-peers.yaml",
                 "8-streams.yaml")]


class Oracle(unittest.TestCase):
    pass


def _add(number, paths, rule, test):
    def method(self):
        self.assertIsNone(inline.run(paths, rule, test))

    name = "".join(c if c.isalnum() else "_" for c in test["name"])
    setattr(Oracle, f"test_{number:03}_{rule}_{name}", method)


_cases = [(paths, *case) for paths in SETS
          for case in inline.cases(Package(paths))]
for _number, _case in enumerate(_cases):
    _add(_number, *_case)
