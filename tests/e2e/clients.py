"""The clients of deploy/clients against a real Redis that is ill-treated.

A scripted writer sends records through the sink's own scripts. Whatever happens
to Redis or the client in the meantime, the client's file must account for every
record: each is delivered once, or the snapshot before it held it already.
"""

import hashlib
import json
import os
import random
import shutil
import socket
import tempfile
import threading
import unittest

from support.process import Children, wait_for
from support.redis_server import RedisServer
from support.world import ROOT

def _script(name):
    with open(os.path.join(ROOT, "daemon", "sink", name),
              encoding="utf-8") as file:
        return file.read()


FENCE, CLAIM = _script("fence.lua"), _script("claim.lua")
NO_HASH = "0" * 64
LANE = "tocsin:{0}:"
SECONDS = 30
AOF = ["--appendonly", "yes", "--appendfsync", "always"]


class Writer:
    """A lane's history, and what of it Redis has."""

    def __init__(self, server, seed):
        self.server = server
        self.random = random.Random(seed)
        self.records = []  # seq - 1 -> record
        self.by_hash = {}  # of all histories
        self.last = {}  # id -> its last record
        self.redis = server.connect()
        self.claim()

    def fork(self, mark):
        """Another history from @mark on."""
        other = Writer(self.server, mark + 77)
        other.records = self.records[:mark]
        other.by_hash = self.by_hash
        other.last = {r["id"]: r for r in other.records}
        return other

    @property
    def open(self):
        """id -> seq of what is open now."""
        return {i: r["seq"] for i, r in list(self.last.items())
                if r["open"]}

    def _next(self):
        id_ = "%032x" % self.random.randrange(30)
        before = self.last.get(id_)
        if not before or not before["open"]:
            change, open_ = "fired", True
        else:
            change = self.random.choice(
                ["raised", "updated", "resolved", "stale"])
            open_ = change != "resolved"
        record = {
            "schema": 1, "id": id_, "lane": "0",
            "seq": len(self.records) + 1,
            "rev": before["rev"] + 1 if before else 1,
            "state": {"resolved": "resolved", "stale": "stale"}.get(
                change, "firing"),
            "open": open_,
            "change": change, "level": "red",
            "text": "预警 \"quoted\"\r\n" * self.random.randrange(1, 40),
            "random": self.random.random()}
        prev = self.records[-1]["hash"] if self.records else NO_HASH
        text = json.dumps(record, ensure_ascii=False)
        record["prev_hash"] = prev
        record["hash"] = hashlib.sha256((prev + text).encode()).hexdigest()
        return record

    def write(self, n=1):
        for _ in range(n):
            record = self._next()
            self.records.append(record)
            self.by_hash[record["hash"]] = record
            self.last[record["id"]] = record
            self.send(record)

    def send(self, record):
        """By the sink's own script."""
        seq, id_, open_ = record["seq"], record["id"], record["open"]
        mark, _ = self.redis(
            "EVAL", FENCE, 5, LANE + "alerts", LANE + "fence", LANE + "open",
            LANE + "dead", LANE + "alert:" + id_, 1, 0, 86400, 10**6, 10**6,
            "tocsin", 1, 0, 0, seq, record["hash"], id_, record["rev"],
            record["state"], int(open_), "red", "", "p/r", "key",
            4 * 10**13 + seq, json.dumps(record, ensure_ascii=False))[:2]
        assert int(mark) == seq

    def claim(self):
        """As the daemon after each connect; returns the mark."""
        return int(self.redis(
            "EVAL", CLAIM, 1, LANE + "fence", 1, "me", "rules", 0, NO_HASH,
            0)[0])

    def catch_up(self):
        """Connects again and sends what is above the mark."""
        self.redis = self.server.connect()
        for record in self.records[self.claim():]:
            self.send(record)


class Account:
    """Reads a client's file and holds it against the writer's records."""

    def __init__(self, path, by_hash):
        self.path = path
        self.by_hash = by_hash
        self.at = 0
        self.cursor = None  # hash of the last record that is accounted for
        self.held = {}
        self.view = {}
        self.reasons = []
        self.delivered = set()

    def read(self):
        if not os.path.exists(self.path):
            return self
        with open(self.path, "rb") as file:
            file.seek(self.at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.at += len(line)
                self._take(json.loads(line))
        return self

    def _take(self, item):
        if item["type"] == "snapshot":
            self.reasons.append(item["reason"])
            self.held = {a["id"]: a["seq"] for a in item["alerts"]}
            self.view = dict(self.held)
            self.cursor = item["cursor"]["hash"]
            return
        record = item["record"]
        assert record == self.by_hash[record["hash"]], "a foreign record"
        assert record["hash"] not in self.delivered, f"twice: {record}"
        assert record["seq"] > self.held.get(record["id"], 0), \
            f"the snapshot held seq {record['seq']}"
        self.delivered.add(record["hash"])
        self._account_for(record["prev_hash"])
        self.cursor = record["hash"]
        assert item["cursor"]["hash"] == self.cursor
        if record["open"]:
            self.view[record["id"]] = record["seq"]
        else:
            self.view.pop(record["id"], None)

    def _account_for(self, link):
        """What lies between was held by the snapshot, else it was missed."""
        while link != self.cursor:
            assert link in self.by_hash, "a gap before the first record"
            record = self.by_hash[link]
            assert self.held.get(record["id"], 0) >= record["seq"], \
                f"missed seq {record['seq']}"
            link = record["prev_hash"]


class Meddler:
    """Stands between a client and Redis, and does something of its own just
    before a command is passed on."""

    def __init__(self, server, path, command, meddle):
        self._server = server
        self._command = command
        self._meddle = meddle
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            redis = socket.socket(socket.AF_UNIX)
            redis.connect(self._server.socket)
            threading.Thread(target=self._copy, args=(redis, client),
                             daemon=True).start()
            self._copy(client, redis)

    def _copy(self, source, sink):
        try:
            while data := source.recv(65536):
                if self._command in data:
                    self._meddle()
                sink.sendall(data)
        except OSError:
            pass  # either side has gone, and so goes the other
        for side in source, sink:
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone already
            side.close()


class Case:
    """What both clients must do; `command` starts one."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tocsin-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.children = Children(self.folder)
        self.addCleanup(self.children.__exit__)
        self.server = RedisServer(self.children,
                                  os.path.join(self.folder, "r"),
                                  AOF).start()
        self.writer = Writer(self.server, 1)
        self.file = os.path.join(self.folder, "alerts.jsonl")
        self.account = Account(self.file, self.writer.by_hash)
        self.client = None

    def start(self, *more, env=None, path=None):
        self.client = self.children.start(
            "client", [*self.command, "--url",
                       "unix://" + (path or self.server.socket),
                       "--append", self.file, "--block", "0.1", *more],
            env={**os.environ, **(env or {})})

    def settle(self, writer=None):
        """Until the client's view is what is open."""
        writer = writer or self.writer

        def there():
            if not self.client.running():
                raise AssertionError(self.client.tail())
            return self.account.read().view == writer.open
        wait_for(there, SECONDS, lambda: "the view is right\n"
                 + self.client.tail())

    def seen(self, n):
        """Until @n transitions have been delivered."""
        wait_for(lambda: len(self.account.read().delivered) >= n, SECONDS,
                 lambda: f"{n} transitions\n" + self.client.tail())

    def copy(self):
        self.server.stop()
        shutil.copytree(self.server.folder, self.folder + "/copy",
                        ignore=shutil.ignore_patterns("s"))
        self.server.start()
        self.writer.catch_up()

    def restore(self):
        """Redis comes back as it was when copy() was called."""
        self.server.kill()
        shutil.rmtree(self.server.folder)
        os.rename(self.folder + "/copy", self.server.folder)
        self.server.start()

    def test_a_snapshot_joins_what_is_written_meanwhile(self):
        self.writer.write(300)
        thread = threading.Thread(target=self.writer.write, args=(3000,))
        thread.start()
        self.start()
        thread.join()
        self.settle()
        self.assertEqual(self.account.reasons, ["start"])

    def _meddled(self, command):
        self.writer.write(60)
        path = os.path.join(self.folder, "m")
        meddler = Meddler(self.server, path, command,
                          lambda: self.writer.write(40))
        self.addCleanup(meddler.close)
        self.start(path=path)
        self.settle()
        # The view may be right before what the snapshot had not has come.
        self.seen(1)
        self.assertEqual(self.account.reasons, ["start"])
        self.assertLess(len(self.account.delivered), 40)

    def test_what_happens_before_the_open_ones_are_asked_for(self):
        self._meddled(b"ZREVRANGE")

    def test_what_happens_before_their_records_are_asked_for(self):
        self._meddled(b"HGET\r")

    def test_a_snapshot_that_broke_off_is_taken_again(self):
        self.writer.write(60)
        path = os.path.join(self.folder, "m")
        broken = []

        def break_once():
            if not broken:
                broken.append(True)
                self.writer.write(40)
                raise OSError

        meddler = Meddler(self.server, path, b"ZREVRANGE", break_once)
        self.addCleanup(meddler.close)
        self.start(path=path)
        self.settle()
        self.assertEqual(self.account.reasons, ["start"])
        self.assertTrue(broken)

    def test_an_empty_redis_is_a_beginning(self):
        self.start()
        wait_for(lambda: self.account.read().reasons, SECONDS, "a snapshot")
        self.writer.write(50)
        self.seen(50)
        self.settle()
        self.assertEqual(self.account.reasons, ["start"])

    def test_redis_restarts_and_nothing_is_missed_or_doubled(self):
        self.writer.write(20)
        self.start()
        self.seen(0)
        for number in range(4):
            self.writer.write(100)
            if number % 2:
                self.settle()
            self.server.kill()
            self.server.start()
            self.writer.catch_up()
        self.writer.write(100)
        self.settle()
        self.assertEqual(self.account.reasons, ["start"])

    def test_the_client_is_killed_and_goes_on_where_it_was(self):
        self.writer.write(10)
        self.start()
        self.settle()
        thread = threading.Thread(target=self.writer.write, args=(4000,))
        thread.start()
        for number in range(6):
            self.seen(200 * (number + 1))
            self.client.kill()
            with open(self.file, "ab") as file:
                file.write(b'{"type":"transition","cur'[:number * 5])
            self.start()
        thread.join()
        self.settle()
        self.assertEqual(self.account.reasons, ["start"])
        self.assertEqual(len(self.account.delivered), 4000)

    def test_a_stream_trimmed_beyond_the_cursor_asks_for_a_snapshot(self):
        self.writer.write(100)
        self.start()
        self.settle()
        self.client.kill()
        self.writer.write(200)
        self.writer.redis("XTRIM", LANE + "alerts", "MAXLEN", 20)
        self.start()
        self.settle()
        self.writer.write(50)
        self.settle()
        self.assertEqual(self.account.reasons, ["start", "gap"])

    def test_a_stream_trimmed_up_to_the_cursor_is_none_of_its_business(self):
        self.writer.write(100)
        self.start()
        self.settle()
        self.writer.redis("XTRIM", LANE + "alerts", "MAXLEN", 0)
        self.writer.write(50)
        self.settle()
        self.client.kill()
        self.start()
        self.writer.write(50)
        self.settle()
        self.assertEqual(self.account.reasons, ["start"])

    def test_lost_entries_that_are_written_again_are_not_doubled(self):
        self.writer.write(100)
        self.start()
        self.settle()
        self.copy()
        self.writer.write(100)
        self.settle()
        self.restore()
        before = self.account.at
        looks = self.server.connect()("INFO", "commandstats").decode()
        self.assertNotIn("cmdstat_xadd", looks)
        wait_for(lambda: b"cmdstat_hmget" in self.server.connect()(
            "INFO", "commandstats"), SECONDS, "a look at the fence")
        self.writer.catch_up()
        self.writer.write(100)
        self.settle()
        self.assertGreater(self.account.at, before)
        self.assertEqual(self.account.reasons, ["start"])

    def test_another_history_after_a_loss_asks_for_a_snapshot(self):
        self.writer.write(100)
        self.start()
        self.settle()
        self.copy()
        self.writer.write(60)
        self.settle()
        self.restore()
        other = self.writer.fork(100)
        other.write(30)  # below the cursor: only the fence tells
        self.settle(other)
        self.assertEqual(self.account.reasons, ["start", "hash"])
        other.write(100)
        self.settle(other)

    def test_another_history_beyond_the_cursor_asks_for_a_snapshot(self):
        self.writer.write(100)
        self.start()
        self.settle()
        self.copy()
        self.writer.write(60)
        self.settle()
        self.client.kill()
        self.restore()
        other = self.writer.fork(100)
        other.write(100)
        self.start()
        self.settle(other)
        self.assertEqual(self.account.reasons, ["start", "hash"])

    def test_a_new_chain_asks_for_a_snapshot(self):
        self.writer.write(100)
        self.start()
        self.settle()
        self.writer.redis("FLUSHALL")
        other = self.writer.fork(0)
        other.write(20)
        self.settle(other)
        self.assertEqual(self.account.reasons, ["start", "chain"])

    def test_a_user_with_a_password_needs_these_rights_only(self):
        self.writer.write(20)
        self.writer.redis(
            "ACL", "SETUSER", "reader", "on", ">a secret", "resetchannels",
            "%R~tocsin:{0}:*", "+multi", "+exec", "+xread", "+xrevrange",
            "+hmget", "+hget", "+zrevrange")
        self.writer.redis("ACL", "SETUSER", "default", ">another")
        self.start("--user", "reader",
                   env={"TOCSIN_REDIS_PASSWORD": "a secret"})
        self.writer.write(20)
        self.settle()
        self.assertEqual(self.client.output(), "")


COMMANDS = {
    "python": ["python3", "-B", os.path.join(
        ROOT, "deploy", "clients", "python", "tocsin_client.py")],
    "node": ["node", os.path.join(
        ROOT, "deploy", "clients", "node", "tocsin-client.mjs")],
}


class PythonClient(Case, unittest.TestCase):
    command = COMMANDS["python"]


class NodeClient(Case, unittest.TestCase):
    command = COMMANDS["node"]
