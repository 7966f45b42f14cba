"""What the daemon writes is what deploy/alert.schema.json promises."""

import copy
import json
import os
import subprocess
import unittest

from support import records
from support.world import BUILD


def printed():
    """The records that the unit test of records is made of."""
    done = subprocess.run(
        [os.path.join(BUILD, "tests", "test-alert-record"), "print"],
        capture_output=True, check=True, text=True)
    return done.stdout.splitlines()


def _members(schema):
    """Each (path, object schema) of the document with its own members."""
    yield (), schema
    for name, part in schema.get("properties", {}).items():
        for path, inner in _members(part):
            yield (name, *path), inner


class Schema(unittest.TestCase):
    def test_records_follow_the_schema_and_each_other(self):
        found = records.check_chain(printed(), "11" * 32)
        self.assertEqual([r["change"] for r in found],
                         ["fired", "lowered", "resolved"])

    def test_every_member_is_required_and_no_other_allowed(self):
        record = json.loads(printed()[0])
        valid = records._VALIDATOR.is_valid
        self.assertTrue(valid(record))
        checked = 0
        for path, schema in _members(records.SCHEMA):
            if "required" not in schema:
                continue
            self.assertEqual(sorted(schema["required"]),
                             sorted(schema["properties"]), path)
            for name in [*schema["required"], None]:
                changed = copy.deepcopy(record)
                part = changed
                for step in path:
                    part = part[step]
                if name:
                    del part[name]
                else:
                    part["surprise"] = 1
                self.assertFalse(valid(changed), (path, name))
                checked += 1
        self.assertGreater(checked, 50)

    def test_members_stand_in_the_order_of_the_schema(self):
        self.assertEqual(list(json.loads(printed()[0])),
                         records.SCHEMA["required"])

    def test_a_changed_byte_breaks_the_chain(self):
        lines = printed()
        for before, after in [('"cnt":3', '"cnt":4'), ("U-03", "U-04")]:
            with self.assertRaises(AssertionError):
                records.parse(lines[0].replace(before, after))
        with self.assertRaises(AssertionError):
            records.check_chain([lines[0], lines[2]], "11" * 32)
