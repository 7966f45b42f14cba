"""Each record that a replay writes fits deploy/alert.schema.json."""

import json
import os
import subprocess
import tempfile
import unittest

import jsonschema

from support.town import Town
from support.world import ROOT, RULES, TOCSIN


class Schema(unittest.TestCase):
    def test_every_record_fits(self):
        with open(os.path.join(ROOT, "deploy", "alert.schema.json"),
                  encoding="utf-8") as file:
            validator = jsonschema.Draft202012Validator(json.load(file))
        with tempfile.TemporaryDirectory() as folder:
            paths = Town(200, months=8).write_files(folder)
            done = subprocess.run(
                [TOCSIN, "replay", "-r", RULES, "--format", "jsonl",
                 "--as-of", "2027-01-01T00:00:00+08:00",
                 *(f"{name}={path}" for name, path in paths.items())],
                capture_output=True, check=True)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertGreater(len(records), 50)
        for record in records:
            faults = list(validator.iter_errors(record))
            self.assertEqual(faults, [], f"{record}")
