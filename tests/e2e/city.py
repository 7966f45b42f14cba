"""The generator's city, held against the oracle: are its labels true?

The labels say what was planted; the rules are what should find it. That the
oracle, which knows neither generator nor daemon, finds each planted case and
rings at no near miss makes them a measure for the daemon.
"""

import collections
import contextlib
import csv
import datetime
import filecmp
import heapq
import json
import os
import subprocess
import tempfile
import unittest

from support.oracle.engine import Oracle
from support.oracle.events import Package, Refused, parse_time
from support.rdkafka import Record
from support.world import BUILD, LEFT_OUT, ROOT, RULES, TOCSIN

CITY = os.path.join(BUILD, "tocsin-city")
# The id of an event and its time, by stream.
STREAMS = {"budgets": ("doc_no", "approved_at"),
           "payments": ("voucher_no", "paid_at"),
           "cards": ("txn_no", "spent_at"),
           "approvals": ("approval_no", "approved_at"),
           "orders": ("order_no", "ordered_at"),
           "tenders": ("event_no", "announced_at"),
           "bids": ("bid_no", "opened_at"),
           "awards": ("award_no", "decided_at"),
           "contracts": ("doc_no", "signed_at"),
           "parties": ("record_no", "updated_at")}
SOURCES = ["payments-edu", "payments-health"]
# Rules that the oracle judges here: one of each stream and kind. The others
# would take it an hour.
JUDGED = {"card-split", "contract-growth", "duplicate-payment",
          "identical-prices", "off-scope", "over-budget", "own-account",
          "repeat-winner", "short-notice", "spend-growth", "split-purchase"}
# What may be planted in a city, whether a rule for it is here or not.
PLANTED = """
    amount-outlier benford-digits budget-adjusted card-bypassed card-split
    close-second contract-growth debarred-winner duplicate-payment
    duplicate-without-invoice heavy-discount identical-prices just-below-limit
    ladder-prices large-authorised large-cash late-bid-won many-awards
    market-concentration new-company new-payee no-budget off-schedule off-scope
    over-budget over-contract own-account paid-to-person
    payment-without-approval price-above-market price-below-market
    repeat-winner repeated-direct rotation round-amounts short-notice
    single-bid spend-growth split-by-year split-purchase tail-digits
    vague-purpose year-end-rush""".split()
LEVELS = ["none", "green", "yellow", "orange", "red"]
POLLED = 1775000000  # after the city's last day
LATER = 2 * 86400 * 10 ** 6
EAST = datetime.timezone(datetime.timedelta(hours=8))


def write(folder, seed, events, *options):
    subprocess.run([CITY, "--seed", str(seed), "--events", str(events),
                    "--out", folder, *options], check=True)


def lines(folder, name):
    """The records of a file, without the header that a table has."""
    table = name == "payments-health"
    name += ".csv" if table else ".jsonl"
    with open(os.path.join(folder, name), "rb") as file:
        return file.read().splitlines()[table:]


def labels(folder):
    return [json.loads(line) for line in lines(folder, "labels")]


def id_and_time(stream, line):
    """Of a record that is well-formed; anything may come of another."""
    if stream == "payments-health":
        row, = csv.reader([line.decode("gb18030")])
        return row[0], row[17].replace("/", "-").replace(" ", "T") \
            + ":00+08:00"
    event = json.loads(line)
    if stream == "payments-edu":
        at = datetime.datetime.fromtimestamp(event["pay"]["ts"] / 1000, EAST)
        return event["doc"]["no"], at.isoformat()
    name, at = STREAMS[stream]
    return event[name], event[at]


def events(folder):
    """{id: time} of all that can be read, and lines by stream."""
    times, read = {}, {}
    for stream in [*STREAMS, *SOURCES]:
        found = lines(folder, stream)
        read[stream] = len(found)
        for line in found:
            with contextlib.suppress(ValueError, RecursionError, TypeError,
                                     LookupError):
                ident, at = id_and_time(stream, line)
                if at[:4] not in ("0000", "9999"):
                    times[ident] = at
    return times, read


def heads(folder, stream):
    """(event time, topic, offset, record): refused ones come at once."""
    for offset, line in enumerate(lines(folder, stream.name)):
        try:
            at = stream.decode(line).time
        except Refused:
            at = 0
        if at > (POLLED + 86400) * 10 ** 6:
            at = 0
        yield at, stream.topic, offset, Record(stream.topic, 0, offset, -1,
                                               None, line)


def merged(sources):
    """By least head; within a source in its own order."""
    heap = []
    for number, source in enumerate(sources):
        first = next(source, None)
        if first:
            heapq.heappush(heap, (first[:2], number, first, source))
    while heap:
        _, number, head, source = heapq.heappop(heap)
        yield head[3]
        after = next(source, None)
        if after:
            heapq.heappush(heap, (after[:2], number, after, source))


class Judged:
    """What the oracle says about a city."""

    def __init__(self, folder):
        self.package = Package([RULES, LEFT_OUT])
        self.oracle = Oracle(self.package)
        self.read = self.oracle.streams_read()
        self.oracle.decision("catch_up")
        streams = {**self.package.streams, **self.package.sources}
        for record in merged([heads(folder, streams[name])
                              for name in self.read]):
            self.oracle.record(record, POLLED)
        self.oracle.decision("end")
        self.alerts = collections.defaultdict(list)
        for transition in self.oracle.out:
            self.alerts[transition["alert"]].append(transition)
        self.labels = [label for label in labels(folder)
                       if label["rule"] in JUDGED]

    def hits(self, label):
        """The greatest level of each alert that the label speaks of."""
        calendar = self.package.calendar()
        begin, end = (parse_time(label[name], calendar) if name in label
                      else parse_time(label["time"], calendar) + LATER
                      for name in ("from", "until"))
        for transitions in self.alerts.values():
            first = transitions[0]
            if not first["rule"].endswith("/" + label["rule"]):
                continue
            if not (first["period"] == label["period"] if "period" in label
                    else begin <= first["at"] <= end):
                continue
            key = dict(zip(first["by"], map(plain, first["key"])))
            if all(key[n] == v for n, v in label["key"].items()):
                yield max((t["level"] for t in transitions),
                          key=LEVELS.index)


def plain(value):
    return str(value).removesuffix(" CNY")


class City(unittest.TestCase):
    def test_no_text_of_an_alert_has_a_hole(self):
        # At the end of a review the event is gone.
        with tempfile.TemporaryDirectory() as folder:
            write(folder, 11, 5000, "--months", "14")
            done = subprocess.run(
                [TOCSIN, "replay", "-r", RULES, "--format", "jsonl", folder],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertGreater(len(records), 200)
        for record in records:
            self.assertNotIn("凭证 -", record["text"]["zh"]["message"])

    def test_the_same_seed_gives_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as a, \
                tempfile.TemporaryDirectory() as b:
            write(a, 5, 3000)
            write(b, 5, 3000)
            names = sorted(os.listdir(a))
            self.assertEqual(len(names), len(STREAMS) + len(SOURCES) + 2)
            self.assertEqual(filecmp.cmpfiles(a, b, names, False)[0], names)

    def test_each_rule_has_cases_of_each_grade_and_lookalikes(self):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, 12, 1000, "--months", "14")
            planted = labels(folder)
        grades = collections.defaultdict(collections.Counter)
        for label in planted:
            grades[label["rule"]][label.get("grade", label["expect"])] += 1
        self.assertEqual(sorted(grades), PLANTED)
        for rule, n in grades.items():
            with self.subTest(rule=rule):
                self.assertGreaterEqual(n["plain"], 3)
                self.assertGreaterEqual(n["near"], 3)
                self.assertGreaterEqual(n["hidden"], 3)
                self.assertGreaterEqual(
                    n["plain"] + n["near"] + n["hidden"], 10)
                self.assertGreaterEqual(n["silence"], 4)

    def test_labels_speak_of_events_that_are_there(self):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, 13, 3000)
            times, read = events(folder)
            planted = labels(folder)
            with open(os.path.join(folder, "counts.json"),
                      encoding="utf-8") as file:
                counts = json.load(file)
        for label in planted:
            self.assertEqual(label["time"], times[label["last"]], label)
            self.assertIn(label["first"], times)
            self.assertTrue("2025" <= label["time"] < "2026", label)
            self.assertLessEqual(label["from"], label["time"], label)
            self.assertLessEqual(label["time"],
                                 label.get("until", label["time"]), label)
        for stream, n in counts.items():
            self.assertEqual(n["read"], read[stream])
            self.assertEqual(n["read"],
                             n["kept"] + n["refused"] + n["duplicate"])

    def test_what_is_planted_is_found_and_lookalikes_are_not(self):
        for seed in (11, 12):
            with tempfile.TemporaryDirectory() as folder:
                write(folder, seed, 5000, "--months", "14")
                judged = Judged(folder)
            self.assertGreater(len(judged.labels), 150)
            for label in judged.labels:
                levels = list(judged.hits(label))
                if label["expect"] == "silence":
                    self.assertEqual(levels, [], label)
                else:
                    self.assertTrue(levels, label)
                    if "level" in label:
                        self.assertIn(label["level"], levels, label)

    def test_the_counts_are_what_a_reader_sees(self):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, 4, 5000, "--months", "14")
            judged = Judged(folder)
            with open(os.path.join(folder, "counts.json"),
                      encoding="utf-8") as file:
                counts = json.load(file)
        for name in ("kept", "refused", "duplicate"):
            self.assertEqual(getattr(judged.oracle, name),
                             sum(counts[s][name] for s in judged.read), name)
