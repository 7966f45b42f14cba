"""The journal's order, as `tocsin state journal` prints it, for the oracle.

And a journal that has lost its beginning, without writing megabytes for it.
"""

import os
import struct


import os


class Steps:
    """Lines of the journal beside the records they speak of; @state is the
    folder that has the texts of tables and lists."""

    def __init__(self, lines, records, state=None):
        self._state = state
        self.header = lines[0]["header"]
        self.lines = lines[1:]
        self._records = {}
        for record in records:
            where = record.topic, record.partition, record.offset
            self._records[where] = record
        self.taken = 0  # records handed to the oracle
        self.seam = None  # the line of the seam decision, once met

    def feed(self, oracle):
        """Hands everything to the oracle in the journal's order."""
        for content in self.header["contents"]:
            self._see(oracle, content)
        for line in self.lines:
            if "run" in line:
                self._feed_run(oracle, line["run"])
            elif line.get("decision") == "seam":
                self.seam = line
                oracle.seam(line)
            elif "decision" in line:
                if line["decision"] == "content":
                    self._see(oracle, line)
                oracle.decision(line["decision"], **{
                    name: value for name, value in line.items()
                    if name not in ("decision", "ordinal")})

    def _see(self, oracle, content):
        path = os.path.join(self._state, "archive", "content",
                            content["sha256"])
        with open(path, encoding="utf-8") as file:
            oracle.package.see(content["name"], file.read())

    def _feed_run(self, oracle, run):
        count = 0
        for offset in range(run["first"], run["next"]):
            record = self._records.get((run["topic"], run["partition"],
                                        offset))
            if record is not None:
                oracle.record(record, run["poll_time"])
                count += 1
        if count != run["count"]:
            raise AssertionError(f"the journal counts {run['count']} "
                                 f"records, the topic holds {count}: {run}")
        self.taken += count

    def end_offsets(self):
        """{(topic, partition): next offset}"""
        out = {}
        for line in self.lines:
            if "run" in line:
                run = line["run"]
                out[run["topic"], run["partition"]] = run["next"]
        return out


_HEADER, _STATE = 1, 5


def _crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def _varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def _zigzag(n):
    return _varint(n << 1 if n >= 0 else (-n << 1) - 1)


def trim(folder, ordinal, partitions):
    """Leaves one segment in its place that begins at input @ordinal.

    @partitions: (topic, partition, first offset, next offset) of each.
    """
    segments = sorted(name for name in os.listdir(folder)
                      if name.endswith(".seg"))
    first = os.path.join(folder, segments[0])
    with open(first, "rb") as file:
        data = file.read(1 << 16)
    _, length, kind, magic = struct.unpack_from("<4I", data)
    if (int(segments[0][:16], 16), kind, magic) != (0, _HEADER, 0x31524a54):
        raise AssertionError(f"{first} does not begin a journal")
    payload = data[32:32 + length] + _varint(ordinal) + b"\0\0"
    payload += _varint(len(partitions))
    for topic, partition, begin, following in partitions:
        name = topic.encode()
        payload += _varint(len(name)) + name + _zigzag(partition)
        payload += _zigzag(begin) + _zigzag(following)
    position = 8 << 20
    rest = struct.pack("<3I2Q", len(payload), _STATE, magic, position,
                       position) + payload
    for name in segments:
        os.unlink(os.path.join(folder, name))
    with open(os.path.join(folder, f"{position:016x}.seg"), "wb") as file:
        file.write(struct.pack("<I", _crc32c(rest)) + rest
                   + bytes(-len(payload) % 8))
