"""`tocsin replay` over files, held against the oracle: no broker, many seeds."""

import os
import shutil
import subprocess
import tempfile
import unittest

from support import compare
from support.oracle.engine import Oracle
from support.oracle.events import Package, Refused
from support.rdkafka import Record
from support.town import FEWER, Town
from support.world import LEFT_OUT, RULES, TOCSIN

# Wide enough for anything the town does; both clocks of max_skew.
AS_OF = "2027-01-01T00:00:00+08:00"
AS_OF_SECONDS = 1798732800


def time_of(stream, payload):
    """Of an event; what is refused need not wait."""
    try:
        return stream.decode(payload).time
    except Refused:
        return float("-inf")


def file_order(package, town):
    """Records as a merge of files takes them: the least time of the heads,
    equal times by topic and row."""
    rows = {name: [i for i in town.items if i.stream == name]
            for name in town.streams}
    at = dict.fromkeys(town.streams, 0)
    while True:
        heads = []
        for name in town.streams:
            if at[name] < len(rows[name]):
                item = rows[name][at[name]]
                time = time_of(package.streams[name], item.payload)
                heads.append((time, package.streams[name].topic, name))
        if not heads:
            return
        *_, name = min(heads)
        yield Record(package.streams[name].topic, 0, at[name], -1, None,
                     rows[name][at[name]].payload)
        at[name] += 1


def oracle_of(town, rules):
    package = Package(rules)
    oracle = Oracle(package)
    oracle.decision("catch_up")
    for record in file_order(package, town):
        oracle.record(record, poll_time=AS_OF_SECONDS)
    oracle.decision("end")
    return oracle


EDGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules")


class Replay(unittest.TestCase):
    def _agrees(self, town, rules=(RULES, LEFT_OUT)):
        oracle = oracle_of(town, rules)
        with tempfile.TemporaryDirectory() as folder:
            paths = town.write_files(folder)
            done = subprocess.run(
                [TOCSIN, "replay", *(f"--rules={path}" for path in rules),
                 "--format", "jsonl", "--as-of", AS_OF,
                 *(f"{name}={path}" for name, path in paths.items())],
                capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        documents = done.stdout.splitlines()
        compare.compare(oracle, documents)
        compare.chain(documents)

    def test_other_encodings(self):
        for seed in range(300, 303):
            with tempfile.TemporaryDirectory() as folder, \
                    self.subTest(seed=seed):
                rules = shutil.copytree(EDGES, os.path.join(folder, "rules"))
                streams = os.path.join(rules, "edges.yaml")
                town = Town(seed, streams=FEWER)
                with open(streams, encoding="utf-8") as file:
                    text = file.read()
                for stream, encoding in (("payments", "gb18030"),
                                         ("orders", "latin1")):
                    town.encode_as(stream, encoding, 40)
                    topic = f"topic: fin.{stream}\n"
                    self.assertIn(topic, text)
                    text = text.replace(
                        topic, topic + f"    encoding: {encoding}\n")
                with open(streams, "w", encoding="utf-8") as file:
                    file.write(text)
                self._agrees(town, [rules])

    def test_seed(self):
        for seed in range(100, 110):
            with self.subTest(seed=seed):
                self._agrees(Town(seed))

    def test_rules_that_are_all_edges(self):
        for seed in range(200, 210):
            with self.subTest(seed=seed):
                self._agrees(Town(seed, months=9, streams=FEWER), [EDGES])

    def test_a_larger_town(self):
        self._agrees(Town(1, months=20, scale=4))
