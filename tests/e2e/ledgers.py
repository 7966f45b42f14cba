"""Two real ledgers, where they lie: every row accounted for, known facts found.

What a rule should find is counted here a second time, naively, row by row.
"""

import collections
import csv
import datetime
import gzip
import json
import os
import subprocess
import unittest

from support.world import ROOT, TOCSIN

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.path.dirname(ROOT), "shared", "data", "ledgers")


def rules(name):
    return os.path.join(HERE, "ledgers", name + ".yaml")


def replay(name, stream, path, *options):
    """The records of a ledger and what is said of its rows, by the tool."""
    done = subprocess.run(
        [TOCSIN, "replay", "-r", rules(name), "--as-of", "2026-01-01",
         "--format", "jsonl", *options, f"{stream}={path}"],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows, = (line.split() for line in done.stderr.splitlines()
             if line.startswith("all "))
    return [json.loads(line) for line in done.stdout.splitlines()], \
        [int(number.replace(",", "")) for number in rows[1:5]]


def pence(text):
    whole, _, rest = text.partition(".")
    minor = int((rest + "00")[:2])
    return int(whole or 0) * 100 + (-minor if text[0] == "-" else minor)


class Ledger(unittest.TestCase):
    @classmethod
    def read(cls, name, stream, file, *options):
        path = os.path.join(DATA, file)
        with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
            cls.rows = list(csv.DictReader(text))
        cls.records, cls.counted = replay(name, stream, path, *options)
        cls.fired = collections.defaultdict(list)
        for record in cls.records:
            if record["change"] == "fired":
                cls.fired[record["rule"]].append(record)

    def keys(self, rule):
        return {tuple(r["key"].values()) for r in self.fired[rule]}

    def all_rows_are_accounted_for(self):
        self.assertEqual(self.counted, [len(self.rows), len(self.rows), 0, 0])


class Birmingham(Ledger):
    @classmethod
    def setUpClass(cls):
        cls.read("birmingham", "cards", "birmingham-pcards.csv.gz", "--sort")
        # The months lie in no order; within a day the file's order counts.
        cls.rows.sort(key=lambda r: r["trans_date"])

    def test_every_row_is_accounted_for(self):
        self.all_rows_are_accounted_for()

    def test_how_often_each_rule_rings(self):
        self.assertEqual({k: len(v) for k, v in self.fired.items()}, COUNTS_B)

    def test_the_months_that_are_missing(self):
        months = collections.Counter(r["trans_date"][:7] for r in self.rows)
        few = {m for m, n in months.items() if "2015" <= m < "2018-02"
               and n < 1000}
        self.assertEqual({r["period"] for r in self.fired["month-missing"]},
                         few)
        self.assertIn("2017-12", few)

    def test_rows_that_appear_twice(self):
        months, twice = collections.defaultdict(list), set()
        for r in self.rows:
            if not r["directorate"] or pence(r["original_gross"]) < 5000:
                continue
            key = r["directorate"], r["trans_date"][:7]
            months[key].append((r["trans_date"], r["card_number"],
                                r["merchant"], r["original_gross"]))
            if len(months[key]) >= 100 and key not in twice and \
                    len(set(months[key])) < 0.8 * len(months[key]):
                twice.add(key)
        self.assertEqual({(r["key"]["directorate"], r["period"])
                          for r in self.fired["rows-twice"]}, twice)
        self.assertGreaterEqual(sum(m == "2014-06" for _, m in twice), 5)

    def test_one_amount_twice_a_day(self):
        days, expected = collections.defaultdict(list), set()
        for r in self.rows:
            if pence(r["original_gross"]) < 50000:
                continue
            key = r["card_number"], r["merchant"], r["trans_date"]
            days[key].append((r["original_gross"], r["file"]))
            amounts = collections.Counter(a for a, _ in days[key])
            if max(amounts.values()) > 1 and \
                    len({f for _, f in days[key]}) == 1:
                expected.add(key)
        self.assertEqual({(*r["key"].values(), r["period"])
                          for r in self.fired["same-amount-same-day"]},
                         expected)


class Scottsdale(Ledger):
    @classmethod
    def setUpClass(cls):
        cls.read("scottsdale", "payments", "scottsdale-vendor-payments.csv.gz")
        for r in cls.rows:
            r["day"] = datetime.datetime.strptime(
                r["PaymentDate"].split()[0], "%m/%d/%Y")
            r["cents"] = pence(r["PaymentAmount"])

    def test_every_row_is_accounted_for(self):
        self.all_rows_are_accounted_for()

    def test_how_often_each_rule_rings(self):
        self.assertEqual({k: len(v) for k, v in self.fired.items()}, COUNTS_S)

    def test_centres_that_spend_at_the_end_of_the_year(self):
        total, june, autumn = (collections.Counter() for _ in range(3))
        expected = set()
        for r in self.rows:
            if r["day"] >= datetime.datetime(2018, 7, 1):
                break
            centre = r["Center"]
            total[centre] += r["cents"]
            june[centre] += r["cents"] if r["day"].month == 6 else 0
            autumn[centre] += r["day"].month >= 8
            if june[centre] >= 10000000 and autumn[centre] >= 10 and \
                    june[centre] > 0.2 * total[centre]:
                expected.add((centre,))
        self.assertEqual(self.keys("year-end"), expected)

    def test_the_same_amount_again_within_ten_days(self):
        seen, expected = collections.defaultdict(list), 0
        for r in self.rows:
            if r["cents"] < 500000:
                continue
            days = seen[r["VendorName"], r["cents"], r["Center"], r["Account"]]
            days.append(r["day"])
            expected += sum(r["day"] - d < datetime.timedelta(days=10)
                            for d in days) >= 2
        self.assertEqual(len(self.fired["paid-again"]), expected)

    def test_a_centre_that_pays_mostly_one_vendor(self):
        for record in self.fired["concentration"]:
            day = datetime.datetime.fromisoformat(
                record["times"]["event"]).replace(tzinfo=None)
            sums = collections.Counter()
            for r in self.rows:
                if r["Center"] == record["key"]["center"] and r["cents"] > 0 \
                        and datetime.timedelta(0) <= day - r["day"] \
                        < datetime.timedelta(days=182):
                    sums[r["VendorName"]] += r["cents"]
            # Later rows of the same day may have come after the alert.
            share = max(sums.values()) / sum(sums.values())
            self.assertGreater(share, 0.35, record["key"])
        self.assertIn(("29280",), self.keys("concentration"))  # well sites


class Rules(unittest.TestCase):
    def test_the_rules_of_the_ledgers_load(self):
        for name in ("birmingham", "scottsdale"):
            done = subprocess.run([TOCSIN, "check", rules(name)],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout)


COUNTS_B = {
    "amount-outlier": 69, "directorate-growth": 27, "month-missing": 2,
    "over-limit": 174, "round-amounts": 11, "rows-twice": 15,
    "same-amount-same-day": 403, "split-in-a-day": 349}
COUNTS_S = {"below-limit": 5, "concentration": 37, "growth": 37,
            "paid-again": 23, "year-end": 5}


def load_tests(loader, _tests, _pattern):
    """The ledgers lie beside the project, not in it."""
    suite = loader.loadTestsFromTestCase(Rules)
    for case, file in ((Birmingham, "birmingham-pcards.csv.gz"),
                       (Scottsdale, "scottsdale-vendor-payments.csv.gz")):
        if os.path.exists(os.path.join(DATA, file)):
            suite.addTests(loader.loadTestsFromTestCase(case))
        else:
            print(f"# left out: {case.__name__}, {file} is not here")
    return suite
