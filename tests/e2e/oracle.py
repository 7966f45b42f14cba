"""The oracle against the inline tests of the shipped rules."""

import os
import unittest

from support.oracle import inline
from support.oracle.events import Package

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PATHS = [os.path.join(ROOT, "rules")]


class Oracle(unittest.TestCase):
    pass


def _add(number, rule, test):
    def method(self):
        self.assertIsNone(inline.run(PATHS, rule, test))

    name = "".join(c if c.isalnum() else "_" for c in test["name"])
    setattr(Oracle, f"test_{number:03}_{rule}_{name}", method)


for _number, (_rule, _test) in enumerate(inline.cases(Package(PATHS))):
    _add(_number, _rule, _test)
