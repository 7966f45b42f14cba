"""What was planted against what was found, for deploy/quickstart.

  summary.py CITY SOCKET METRICS   CITY holds labels.jsonl and counts.json
  summary.py --ready URL           exits 0 if the address answers 200
  summary.py --streams URL         the streams that the daemon reads

Ends with 0 if every plain case was found, at its level, and every event was
counted as what it is. Of the rest it says what was not found and what rang
besides. Labels of rules that are not loaded are passed over. Python's own
library only.
"""

import datetime
import json
import os
import re
import socket
import sys
import time
import unicodedata
import urllib.error
import urllib.request

LEVELS = ["green", "yellow", "orange", "red"]
LATER = datetime.timedelta(days=2)


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


class Redis:
    """The few commands that are needed, over a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word.encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else self.file.read(n + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return rest


def transitions(redis):
    """Every record of the alert stream, in order."""
    start = "-"
    while True:
        page = redis.ask("XRANGE", "tocsin:{0}:alerts", start, "+", "COUNT",
                         "1000")
        for ident, fields in page:
            names = dict(zip(fields[::2], fields[1::2]))
            yield json.loads(names[b"json"])
        if len(page) < 1000:
            return
        start = "(" + page[-1][0].decode()


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Alert:
    """All transitions of one id."""

    def __init__(self, first):
        self.rule = first["rule"].split("/")[-1]
        self.key = first["key"]
        self.period = first.get("period")
        self.at = instant(first["times"]["event"])
        self.levels = set()
        self.text = first["text"].get("zh") or first["text"].get("en")

    def is_of(self, label):
        if self.rule != label["rule"]:
            return False
        if not all(same(self.key.get(name), value)
                   for name, value in label["key"].items()):
            return False
        if label.get("period"):
            return label["period"] == self.period
        until = instant(label["until"]) if "until" in label \
            else instant(label["time"]) + LATER
        return instant(label["from"]) <= self.at <= until


def same(shown, value):
    """Masked fields show their last four."""
    shown = str(shown)
    if re.match(r"[*•]", shown):
        return shown[-4:] == value[-4:]
    return shown == value


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in text)


def table(rows):
    widths = [max(columns(row[i]) for row in rows)
              for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell + " " * (width - columns(cell)) if i == 0 else
                 " " * (width - columns(cell)) + cell
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "   ".join(cells).rstrip())


GRADES = ["plain", "near", "hidden"]


def compare(labels, alerts, rules):
    """Prints the table, and what is not in it; returns what is wrong."""
    wrong, other, explained = [], [], set()
    labels = [label for label in labels if label["rule"] in rules]
    rows = [("rule", "plain", "near", "hidden", "lookalikes rung", "besides")]
    for rule in sorted({label["rule"] for label in labels}):
        found = {grade: [0, 0] for grade in GRADES + ["silence"]}
        for label in (x for x in labels if x["rule"] == rule):
            hits = [a for a in alerts.values() if a.is_of(label)]
            explained.update(id(a) for a in hits)
            grade = label.get("grade", label["expect"])
            found[grade][0] += bool(hits)
            found[grade][1] += 1
            what = f"{rule} {label['key']}: {label['note']}"
            levels = {max(a.levels, key=LEVELS.index) for a in hits}
            if grade == "silence" and hits:
                other.append(f"rang: {what}")
            elif grade != "silence" and not hits:
                (wrong if grade == "plain" else other).append(
                    f"not found: {what}")
            elif hits and label.get("level") not in levels | {None}:
                wrong.append(f"{what}: is {'/'.join(levels)}, not "
                             f"{label['level']}")
        besides = sum(1 for a in alerts.values()
                      if a.rule == rule and id(a) not in explained)
        rows.append((rule, *("%d of %d" % tuple(n) for n in found.values()),
                     str(besides)))
    table(rows)
    other += [f"besides: {a.text['message'] or a.text['title']}"
              for a in alerts.values() if id(a) not in explained]
    for line in other[:20]:
        print("  " + line)
    if len(other) > 20:
        print(f"  and {len(other) - 20} more")
    return wrong


def metric(text, name, stream):
    """A counter of a stream, summed over its other labels."""
    found = re.findall(rf'^{name}\{{stream="{stream}"[^}}]*\}} (\d+)', text,
                       re.M)
    return sum(map(int, found))


def streams(text):
    """What the daemon reads, by what the city calls its topics."""
    topics = set(re.findall(r'^tocsin_partition_lag\{topic="fin\.([\w.]+)"',
                            text, re.M))
    return sorted(topic.replace(".", "-") for topic in topics)


def rules(text):
    return set(re.findall(r'^tocsin_rule_fired_total\{rule="\w+/([\w-]+)"',
                          text, re.M))


def settled(url, counts, seconds=10):
    """The metrics, once they tell of all that was sent; they are published
    once a second."""
    end = time.monotonic() + seconds
    while True:
        text = get(url)
        if time.monotonic() >= end or all(
                metric(text, "tocsin_events_read_total", stream) ==
                counts[stream]["read"] for stream in streams(text)):
            return text
        time.sleep(0.1)


def main(city, path, metrics):
    with open(os.path.join(city, "labels.jsonl"), encoding="utf-8") as file:
        labels = [json.loads(line) for line in file]
    with open(os.path.join(city, "counts.json"), encoding="utf-8") as file:
        counts = json.load(file)
    text = settled(metrics, counts)
    alerts, n = {}, 0
    for record in transitions(Redis(path)):
        n += 1
        alert = alerts.setdefault(record["id"], Alert(record))
        alert.levels.add(record["level"])
    wrong = compare(labels, alerts, rules(text))
    read = {}
    for name in ("read", "kept", "refused", "duplicate"):
        got = {stream: metric(text, f"tocsin_events_{name}_total", stream)
               for stream in streams(text)}
        read[name] = sum(got.values())
        for stream, value in got.items():
            if value != counts[stream][name]:
                wrong.append(f"{stream}, {name}: {counts[stream][name]} "
                             f"were sent, the daemon counts {value}")
    print(f"\n  {read['read']:,} events read = {read['kept']:,} kept + "
          f"{read['refused']} refused + {read['duplicate']} duplicate; "
          f"{len(alerts)} alerts, {n} entries in Redis")
    for line in wrong:
        print("  WRONG: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "--ready":
        try:
            get(sys.argv[2])
        except (OSError, urllib.error.URLError):
            sys.exit(1)
        sys.exit(0)
    if sys.argv[1] == "--streams":
        print(",".join(streams(get(sys.argv[2]))))
        sys.exit(0)
    sys.exit(main(*sys.argv[1:]))
