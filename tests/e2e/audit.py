"""Every alert computed again from the archive, without Kafka."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from collections import Counter

from support import run_of
from support.journal import trim
from support.process import wait_for
from support.rdkafka import (Handle, create_topics, delete_records,
                             delete_topics, _PRODUCER)
from support.town import Town
from support.world import TOCSIN, World

# Each rule is silent for another reason, now and then.
QUIET = """
apiversion: 1
package: quiet
calendars:
  cn: {tz: Asia/Shanghai}
streams:
  pays:
    topic: fin.pays
    time: at
    max_delay: 0s
    fields:
      unit: string
      account: {type: string, mask: last4}
      amount: money(CNY)
      share: double optional
      at: timestamp
rules:
- rule: often
  title: {zh: 多次付款, en: Paid often}
  status: live
  from: pays
  by: [unit]
  per: event
  alert_if: amount > 100
  level: {red: amount > 900, yellow: "true"}
  cooldown: 1h
- rule: known
  title: {zh: 大额, en: Large}
  status: live
  from: pays
  by: [account]
  per: event
  alert_if: amount > 100
  exceptions:
  - {reason: 应急抢险, match: {unit: [水利局]}, until: 2026-03-31, approved_by: 预算科}
- rule: lacking
  title: {zh: 占比, en: Share}
  status: live
  from: pays
  by: [unit]
  per: event
  alert_if: share > 0.5
"""
# Minutes behind 08:00, unit, account, amount, share.
PAID = (
    (0, "水利局", "6222000000001234", 500, 0.9),   # often, lacking
    (1, "水利局", "6222000000001234", 200, None),
    (59, "水利局", "6222999999991234", 300, None),
    (60, "教育局", "6222000000005678", 300, 0.1),  # often, known
    (61, "教育局", "6222000000005678", 100, None),
    (90, "教育局", "6222000000005678", 950, 0.6),  # all three
    (95, "水利局", "6222000000005678", 400, 0.2),  # often
)


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
            done = audit(daemon, "withheld", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr,
                             r"\d+ more while a seam took the past silently")

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

    def _quiet(self):
        with tempfile.TemporaryDirectory() as rules:
            with open(os.path.join(rules, "quiet.yaml"), "w",
                      encoding="utf-8") as file:
                file.write(QUIET)
            return World(rules=rules)

    def _pay(self, world):
        with run_of.producer() as producer:
            for minutes, unit, account, amount, share in PAID:
                fields = {"unit": unit, "account": account, "amount": amount,
                          "at": f"2026-03-10T{8 + minutes // 60:02}:"
                          f"{minutes % 60:02}:00+08:00"}
                if share is not None:
                    fields["share"] = share
                producer.send(world.topic("pays"),
                              json.dumps(fields).encode())
            producer.flush()

    def _withheld(self, daemon, *words):
        done = audit(daemon, "withheld", "--json", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_what_did_not_ring_is_listed_with_its_reason(self):
        with self._quiet() as world:
            world.redis.start()
            run_of.create(world)
            self._pay(world)
            daemon = world.daemon()
            run_of.take_all_and_stop(world, daemon)
            shutil.rmtree(world.rules)
            os.mkdir(world.rules)
            with world.redis.connect() as redis:
                documents = [json.loads(d) for d in run_of.documents(redis)]
            self.assertEqual(
                Counter(d["rule"] for d in documents),
                {"often": 4, "known": 2, "lacking": 2})
            self._is_same(daemon, len(documents))
            lines = self._withheld(daemon)
            self._are_what_did_not_ring(lines)
            self._are_found_by_rule_and_key(daemon, lines, documents)
            self._stand_in_a_table(daemon, lines)

    def _are_what_did_not_ring(self, lines):
        by_name = {(line["rule"], line["reason"],
                    *line["key"].values()): line for line in lines}
        # Two accounts that look alike when they are masked are two lines.
        self.assertEqual(len(lines), 6)
        self.assertEqual(by_name["quiet/often", "cooldown", "水利局"], {
            "rule": "quiet/often", "test": False,
            "key": {"unit": "水利局"}, "key_ref": {}, "reason": "cooldown",
            "level": "yellow", "first": "2026-03-10T08:01:00+08:00",
            "last": "2026-03-10T08:59:00+08:00", "times": 2})
        lacking = by_name["quiet/lacking", "missing", "水利局"]
        self.assertEqual(lacking["missing"], "field")
        self.assertIsNone(lacking["level"])
        self.assertEqual(lacking["times"], 2)
        self.assertEqual(
            by_name["quiet/lacking", "missing", "教育局"]["times"], 1)
        known = [line for line in lines if line["rule"] == "quiet/known"]
        self.assertEqual(
            sorted((line["key"]["account"], line["times"])
                   for line in known),
            [("****1234", 1), ("****1234", 2), ("****5678", 1)])
        for line in known:
            self.assertEqual(line["exception"], {
                "reason": "应急抢险", "approved_by": "预算科",
                "until": "2026-03-31"})
            self.assertNotIn("6222", json.dumps(line))

    def _are_found_by_rule_and_key(self, daemon, lines, documents):
        known = [line for line in lines if line["rule"] == "quiet/known"]
        self.assertEqual(self._withheld(daemon, "--rule", "quiet/known"),
                         known)
        self.assertEqual(
            self._withheld(daemon, "--key", "教育局"),
            [line for line in lines if "教育局" in line["key"].values()])
        alike = [line for line in known
                 if line["key"]["account"] == "****1234"]
        self.assertEqual(self._withheld(daemon, "--key", "****1234"), alike)
        for line in known:
            self.assertEqual(
                self._withheld(daemon, "--key", line["key_ref"]["account"]),
                [line])
        # The references are those of the records.
        rang = [(d["key"], d["key_ref"]) for d in documents
                if d["rule"] == "known"]
        self.assertEqual(rang, [(line["key"], line["key_ref"])
                                for line in known
                                if line not in alike] * len(rang))
        self.assertEqual(self._withheld(daemon, "--key", "6222000000001234"),
                         [])
        done = audit(daemon, "withheld", "--rule", "quiet/none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no journal was computed with a rule quiet/none",
                      done.stderr)

    def _stand_in_a_table(self, daemon, lines):
        done = audit(daemon, "withheld")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("6222", done.stdout)
        head, *rows = done.stdout.splitlines()
        self.assertEqual(len(rows), len(lines))

        def columns(text):
            return sum(1 + (ord(letter) > 0x2000) for letter in text)

        # What stands behind wide letters stands below its title.
        for row, line in zip(rows, lines):
            self.assertEqual(columns(row[:row.index(line["reason"])]),
                             head.index("reason"))
            self.assertEqual(columns(row[:row.index(line["first"])]),
                             head.index("first"))
        self.assertIn("应急抢险 (预算科, until 2026-03-31)", done.stdout)

    def test_what_is_listed_adds_up_to_what_the_daemon_counted(self):
        with self._world() as world:
            with run_of.producer() as producer:
                Town(53, months=8).produce(producer, world.prefix)
            daemon = world.daemon()
            run_of.wait_delivered(world, daemon)
            counted = Counter()
            for name, value in daemon.metrics().items():
                found = re.fullmatch(
                    r'tocsin_rule_(withheld|missing)_total'
                    r'\{rule="(.*)",reason="(.*)"\}', name)
                if found and value:
                    counted[found[2], found[3]] += value
            self.assertEqual(daemon.stop(), 0)
            listed = Counter()
            for line in self._withheld(daemon):
                listed[line["rule"], line.get("missing", line["reason"])] += \
                    line["times"]
            self.assertEqual(listed, counted)
            reasons = {reason for _, reason in counted}
            self.assertLessEqual({"cooldown", "young"}, reasons)

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

    @staticmethod
    def _files(folder):
        """{path: bytes} of all that lies there."""
        out = {}
        for path, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(path, name), "rb") as file:
                    out[os.path.join(path, name)] = file.read()
        return out

    def test_without_records_from_kafka_while_it_has_them(self):
        with self._world() as world:
            town = Town(54, months=8)
            half = len(town.items) // 2
            keeps_none = {"archive": {"records": "none"}}
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, half)
                daemon = world.daemon(**keeps_none)
                run_of.wait_taken(world, daemon)
                daemon.kill()
                daemon = world.daemon(**keeps_none).wait_ready()
                # What a table has from then on is kept, too.
                world.edit_file("tables/limits.csv", ",2000000,200000",
                                ",700000,70000")
                daemon.reload()
                wait_for(lambda: daemon.said("finance/limits is as "), 30,
                         daemon.child.tail)
                town.produce(producer, world.prefix, half)
            run_of.wait_delivered(world, daemon)
            with world.redis.connect() as redis:
                documents = run_of.documents(redis)
            self.assertGreater(len(documents), 100)
            # While the journal is being written.
            self._is_same(daemon, len(documents))
            self.assertEqual(daemon.stop(), 0)
            ends = run_of.ends(world)
            shutil.rmtree(world.rules)
            os.mkdir(world.rules)
            kept = os.listdir(os.path.join(daemon.state, "archive"))
            self.assertEqual(sorted(kept), ["content", "rules"])
            before = self._files(daemon.state)
            self._is_same(daemon, len(documents))
            self._alone_from_kafka(world, daemon, documents)
            self.assertTrue(self._withheld(daemon))
            self.assertEqual(self._files(daemon.state), before)
            self._says_what_kafka_lost(world.broker.address, daemon, ends,
                                       json.loads(documents[0])["id"])

    def _alone_from_kafka(self, world, daemon, documents):
        record = json.loads(documents[len(documents) // 2])
        done = audit(daemon, "verify", record["id"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"journal 1: \d+ inputs from Kafka")
        path = os.path.join(world.folder, "alone.jsonl")
        done = audit(daemon, "export", record["id"], "-o", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self._is_the_same_alone(daemon, path, record)

    def _says_what_kafka_lost(self, address, daemon, ends, ident):
        topic, partition = min(ends)
        other = max(ends)[0]
        self.assertNotEqual(topic, other)
        delete_records(address, {(topic, partition): 3})
        done = audit(daemon, "verify", "--all")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("journal 1: Kafka lacks what was taken: "
                      f"{topic}/{partition} offsets 0 to 2\n", done.stderr)
        self.assertIn(" 0 the same byte for byte, 0 differ", done.stdout)
        lost = [f"{topic}/{partition} offsets 0 to 2"] + [
            f"{name}/{number} offsets 0 to {end - 1}"
            for (name, number), end in ends.items() if name == other]
        delete_topics(address, [other])
        wait_for(lambda: other not in self._topics(address), 30,
                 "the topic is gone")
        self._lacks(daemon, lost)
        path = os.path.join(daemon.state, "none.jsonl")
        done = audit(daemon, "export", ident, "-o", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Kafka lacks what was taken: ", done.stderr)
        self.assertFalse(os.path.exists(path))
        # Made anew it has the partitions, but not the records.
        create_topics(address, {other: run_of.PARTITIONS})
        self._lacks(daemon, lost)

    def _lacks(self, daemon, lost):
        done = audit(daemon, "verify", "--all")
        self.assertEqual(done.returncode, 1, done.stdout)
        said = done.stderr.strip().split("was taken: ")[1]
        self.assertEqual(sorted(said.split(", ")), sorted(lost))

    @staticmethod
    def _topics(address):
        with Handle(_PRODUCER, address, {}) as handle:
            return handle.partitions()

    def test_an_order_that_a_checkpoint_stands_for(self):
        with self._world() as world:
            with run_of.producer() as producer:
                Town(55, months=2).produce(producer, world.prefix)
            daemon = world.daemon(archive={"records": "none"})
            run_of.take_all_and_stop(world, daemon)
            topic = world.topic("payments")
            trim(os.path.join(daemon.state, "journal-00000001"),
                 101, [(topic, 0, 0, 60), (topic, 1, 7, 47),
                       (topic, 2, 0, 0)])
            done = audit(daemon, "verify", "--all")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(
                "journal 1: the order of inputs 1 to 100 was removed, a "
                f"checkpoint stands for it: {topic}/0 offsets 0 to 59, "
                f"{topic}/1 offsets 7 to 46\n", done.stderr)
            self.assertIn(" 0 the same byte for byte, 0 differ", done.stdout)

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
