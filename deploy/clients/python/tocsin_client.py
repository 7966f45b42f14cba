#!/usr/bin/env python3
"""Follows the alerts of one lane of Tocsin; misses none and doubles none.

    from tocsin_client import Client
    for item in Client("redis://127.0.0.1:6379").follow():
        if item["type"] == "snapshot":
            show(item["alerts"])       # all open alerts; forget what was shown
        else:
            apply(item["record"])      # one transition, in the order of seq
        remember(item["cursor"])       # where to go on: Client(cursor=...)

or on the command line, as JSON lines:

    tocsin_client.py --url unix:///run/redis.sock
    tocsin_client.py --append alerts.jsonl

Needs Python 3.8 and nothing else.

How it works. Alerts are numbered 1, 2, 3 ... without a gap (`seq`), seq is the
id of the stream's entry, and each names the hash of the one before. A snapshot
takes the last seq first and the open alerts after it, so what happens between
is seen twice and never missed; what a snapshot holds already is dropped. Then
entries are read one after the other. A snapshot is taken again when they do
not join: `reason` is `start`, `gap` (the stream was trimmed beyond the cursor),
`hash` (another history: data were lost and written anew with other rules) or
`chain` (another history from its first record on).

When Redis has lost its newest entries, the daemon writes the same ones again;
they have been seen, and the client waits until it is past its cursor.
"""

import argparse
import collections
import json
import os
import socket
import sys
import time
import urllib.parse

NO_HASH = "0" * 64
REMEMBERED = 4096  # hashes, to tell the same history from another one


class RedisError(Exception):
    """An error that Redis answered with."""


def _connect(parts, timeout):
    if parts.scheme == "redis":
        address = (parts.hostname or "127.0.0.1", parts.port or 6379)
        return socket.create_connection(address, timeout)
    if parts.scheme != "unix":
        raise ValueError("an address begins with redis:// or unix://")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(parts.path)
    except OSError:
        connection.close()
        raise
    return connection


class Connection:
    """RESP2 over a socket. After any failure it is dropped, never used on:
    late answers would be paired with new questions."""

    def __init__(self, url, user=None, password=None, timeout=15):
        parts = urllib.parse.urlsplit(url)
        self._socket = _connect(parts, timeout)
        self._file = self._socket.makefile("rb")
        try:
            self._enter(parts, user, password)
        except BaseException:
            self.close()
            raise

    def _enter(self, parts, user, password):
        if password:
            self("AUTH", *([user] if user else []), password)
        database = parts.path.strip("/") if parts.scheme == "redis" else ""
        if database:
            self("SELECT", database)

    def close(self):
        self._file.close()
        self._socket.close()

    def __call__(self, *words):
        """One command; an error it is answered with is raised."""
        answer = self.many([words])[0]
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def many(self, commands):
        """Several at once; errors stand among the answers."""
        out = []
        for words in commands:
            out.append(b"*%d\r\n" % len(words))
            for word in words:
                word = str(word).encode()
                out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self._socket.sendall(b"".join(out))
        return [self._read() for _ in commands]

    def _read(self):
        line = self._file.readline()
        if line[-2:] != b"\r\n":
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"*":
            if int(rest) < 0:
                return None
            return [self._read() for _ in range(int(rest))]
        raise ConnectionError(f"not RESP: {line[:80]!r}")

    def _bulk(self, size):
        if size < 0:
            return None
        data = self._file.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("Redis closed the connection")
        return data[:-2].decode("utf-8", "replace")


def _pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Client:
    """@cursor is the `cursor` of the last item that was dealt with, or None to
    begin with a snapshot. @block: seconds between two looks at the fence."""

    def __init__(self, url="redis://127.0.0.1:6379", lane="0",
                 prefix="tocsin", user=None, password=None, cursor=None,
                 block=1.0, on_error=None):
        self.url = url
        self.user = user
        self.password = password
        self.block = block
        self.on_error = on_error  # called with each failure of a connection
        self.cursor = dict(cursor) if cursor else None
        base = "%s:{%s}:" % (prefix, lane)
        self._stream = base + "alerts"
        self._open = base + "open"
        self._fence = base + "fence"
        self._alert = base + "alert:"
        self._held = {}  # id -> seq that the snapshot holds
        # Why a snapshot is due; it still is if the connection broke in it.
        self._due = None if cursor else "start"
        self._hashes = collections.OrderedDict()
        self._stopped = False
        if self.cursor:
            self._remember(self.cursor["seq"], self.cursor["hash"])

    def stop(self):
        """follow() ends at the next item or look at the fence."""
        self._stopped = True

    def follow(self):
        """Yields snapshots and transitions, for ever; connects again when the
        connection breaks. What was yielded is never yielded again."""
        pause = 0.05
        while not self._stopped:
            connection = None
            try:
                connection = Connection(self.url, self.user, self.password,
                                        self.block + 15)
                for item in self._session(connection):
                    pause = 0.05
                    yield item
                    if self._stopped:
                        return
            except (OSError, RedisError) as error:
                if self.on_error:
                    self.on_error(error)
                time.sleep(pause)
                pause = min(pause * 2, 2.0)
            finally:
                if connection:
                    connection.close()

    def _session(self, connection):
        self._due = self._due or self._look(connection)
        while not self._stopped:
            if self._due:
                item = self._snapshot(connection, self._due)
                self._due = None
                yield item
            entries = self._read(connection)
            if not entries:
                self._due = self._look(connection)
                continue
            for entry in entries:
                record, self._due = self._join(entry)
                if self._due:
                    break
                if record:
                    yield self._item("transition", record=record)

    def _item(self, kind, **more):
        return {"type": kind, "cursor": dict(self.cursor), **more}

    def _read(self, connection):
        answer = connection("XREAD", "COUNT", 256, "BLOCK",
                            max(1, int(self.block * 1000)), "STREAMS",
                            self._stream, "%d-0" % self.cursor["seq"])
        return answer[0][1] if answer else []

    def _join(self, entry):
        """(record or None, reason for a snapshot or None)"""
        seq = int(entry[0].split("-")[0])
        record = json.loads(_pairs(entry[1])["json"])
        if seq != self.cursor["seq"] + 1:
            return None, "gap"
        if record["prev_hash"] != self.cursor["hash"]:
            return None, "hash"
        self.cursor["seq"] = seq
        self.cursor["hash"] = record["hash"]
        self._remember(seq, record["hash"])
        if seq <= self._held.get(record["id"], 0):
            return None, None
        return record, None

    def _remember(self, seq, link):
        self._hashes[seq] = link
        while len(self._hashes) > REMEMBERED:
            self._hashes.popitem(last=False)

    def _look(self, connection):
        """Why the fence says that this is another history, or None. An older
        mark of the same one is no reason: the daemon writes it again."""
        mark, link, chain = connection("HMGET", self._fence, "mark", "hash",
                                       "chain")
        if not self.cursor.get("chain"):
            self.cursor["chain"] = chain
        if chain and chain != self.cursor["chain"]:
            return "chain"
        if mark and link and self._hashes.get(int(mark), link) != link:
            return "hash"
        return None

    def _snapshot(self, connection, reason):
        fence, last = self._ends(connection)
        mark, link, chain = fence
        self._hashes.clear()
        self.cursor = {"seq": int(mark or 0), "hash": link or NO_HASH,
                       "chain": chain}
        if last:
            record = json.loads(_pairs(last[0][1])["json"])
            self.cursor["seq"] = int(last[0][0].split("-")[0])
            self.cursor["hash"] = record["hash"]
        self._remember(self.cursor["seq"], self.cursor["hash"])
        alerts = self._open_alerts(connection)
        self._held = {a["id"]: a["seq"] for a in alerts}
        return self._item("snapshot", reason=reason, alerts=alerts)

    def _ends(self, connection):
        """The fence and the last entry, of one moment."""
        answers = connection.many([
            ("MULTI",),
            ("HMGET", self._fence, "mark", "hash", "chain"),
            ("XREVRANGE", self._stream, "+", "-", "COUNT", 1),
            ("EXEC",)])
        for answer in [*answers, *(answers[-1] or [])]:
            if isinstance(answer, RedisError):
                raise answer
        return answers[-1]

    def _open_alerts(self, connection):
        """Records of what is open, the gravest first."""
        ids = connection("ZREVRANGE", self._open, 0, -1)
        alerts = []
        for begin in range(0, len(ids), 256):
            for answer in connection.many(
                    [("HGET", self._alert + i, "json")
                     for i in ids[begin:begin + 256]]):
                if isinstance(answer, RedisError):
                    raise answer
                record = json.loads(answer) if answer else {"open": False}
                # What was closed meanwhile comes as a transition.
                if record["open"]:
                    alerts.append(record)
        return alerts


class Appender:
    """Items as lines of a file that is its own cursor: what stands there has
    been seen, and a line that was cut is written again."""

    def __init__(self, path):
        self._file = open(path, "a+b")
        self._file.seek(0)
        last = b""
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            last = line
        self.cursor = json.loads(last)["cursor"] if last else None
        self._file.truncate(whole)

    def __call__(self, item):
        self._file.write(json.dumps(item, ensure_ascii=False,
                                    separators=(",", ":")).encode() + b"\n")
        self._file.flush()


def _print(item):
    sys.stdout.write(json.dumps(item, ensure_ascii=False,
                                separators=(",", ":")) + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(
        description="Follows the alerts of a lane, one JSON line an item. "
        "The password comes from TOCSIN_REDIS_PASSWORD.")
    parser.add_argument("--url", default="redis://127.0.0.1:6379",
                        help="redis://HOST:PORT/DATABASE or unix:///SOCKET")
    parser.add_argument("--lane", default="0")
    parser.add_argument("--prefix", default="tocsin")
    parser.add_argument("--user", help="a Redis ACL user")
    parser.add_argument("--block", type=float, default=1.0, metavar="SECONDS",
                        help="between two looks at the fence")
    parser.add_argument("--append", metavar="FILE",
                        help="write there instead, and go on after its last "
                        "line when started again")
    options = parser.parse_args()
    output = Appender(options.append) if options.append else _print
    client = Client(options.url, options.lane, options.prefix, options.user,
                    os.environ.get("TOCSIN_REDIS_PASSWORD"),
                    getattr(output, "cursor", None), options.block,
                    lambda error: print(f"tocsin_client: {error}",
                                        file=sys.stderr))
    try:
        for item in client.follow():
            output(item)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    main()
