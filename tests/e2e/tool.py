"""The operator's tool: what each verb prints, and the codes it ends with."""

import gzip
import json
import os
import pty
import subprocess
import tempfile
import unittest

from support.process import Children
from support.redis_server import RedisServer
from support.world import RULES, TOCSIN

PACKAGE = """\
apiversion: 1
package: town
calendars:
  cn: {fiscal_year: 01-01, tz: Asia/Shanghai}
streams:
  orders:
    topic: town.orders
    format: json
    time: at
    max_delay: 1d
    max_skew: 1d
    id: num
    fields:
      num: string
      buyer: string
      amount: {type: money(CNY), path: /pay/amt}
      at: timestamp
tables:
  limits: {file: limits.csv, key: [buyer], fields: {most: money(CNY)}}
rules:
- rule: three
  title: {zh: 三笔, en: Three orders}
  status: live
  owner: x
  from: orders
  by: [buyer]
  window: 30d
  measure: {cnt: count(), total: sum(amount)}
  alert_if: cnt >= 3 && total >= limits(buyer).most
  level: {red: total > 1000, yellow: "true"}
  message: {zh: "{buyer} 已有 {cnt} 笔，共 {total|money}", en: "{buyer}: {cnt}"}
  advice: {zh: 核对, en: Look}
  legal_basis: x
  tests:
%s
"""

GIVEN = """\
  - name: three
    given:
    - orders: {num: a, buyer: B, amount: 100, at: 2026-03-01}
    - orders: {num: b, buyer: B, amount: 200.50, at: 2026-03-02}
    - orders: {num: c, buyer: B, amount: 300, at: 2026-03-05}
    expect: [{rule: three, at: 2026-03-05, level: yellow, key: {buyer: B},
              with: {total: 600.5, cnt: 3}}]
"""


def run(*arguments, **options):
    return subprocess.run([TOCSIN, *arguments], capture_output=True,
                          text=True, timeout=120, **options)


class Folder(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = self._folder.name
        self.write("limits.csv", "buyer,most\nB,500\n")

    def tearDown(self):
        self._folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        if name.endswith(".zst"):
            subprocess.run(["zstd", "-q", "-f", "-o", path], check=True,
                           input=text.encode())
            return path
        opener = gzip.open if name.endswith(".gz") else open
        with opener(path, "wt", encoding="utf-8") as file:
            file.write(text)
        return path

    def package(self, tests=GIVEN):
        return self.write("town.yaml", PACKAGE % tests)


class Help(unittest.TestCase):
    def test_each_verb_explains_itself_with_an_example(self):
        top = run("--help")
        self.assertEqual(top.returncode, 0)
        verbs = [line.split()[0] for line in top.stdout.splitlines()
                 if line.startswith("  ") and line.split()[0].isalpha()]
        for verb in ("check", "demo", "eval", "new", "replay", "tail",
                     "test"):
            self.assertIn(verb, verbs)
        for verb in verbs:
            done = run(verb, "--help")
            self.assertEqual(done.returncode, 0, verb)
            self.assertIn("tocsin " + verb, done.stdout)
            self.assertIn("For example:", done.stdout)

    def test_wrong_usage_ends_with_2(self):
        for arguments in ((), ("chek",), ("check",), ("check", "--jsno", "x"),
                          ("test",), ("replay", "x=y"), ("eval",),
                          ("eval", "1", "2"), ("tail", "--count", "many"),
                          ("demo", "x"), ("tail", "-n")):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("--help", done.stdout + done.stderr)
        self.assertIn("did you mean `check`?", run("chek").stderr)


class Check(Folder):
    def test_clean_rules_are_counted(self):
        done = run("check", self.package())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("town/three", done.stdout)
        self.assertIn("timers come 1d late", done.stdout)
        self.assertIn("1 rules, 1 streams, 1 tests, 0 errors", done.stdout)

    def test_errors_have_a_place_and_end_with_1(self):
        path = self.package()
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.write("town.yaml", text.replace("sum(amount)", "sum(ammount)"))
        done = run("check", path)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"town\.yaml:\d+:\d+: error E2\d\d: ")
        self.assertIn("did you mean `amount`?", done.stdout)
        done = run("check", "--json", path)
        self.assertEqual(done.returncode, 1)
        found = json.loads(done.stdout)
        self.assertEqual(found[0]["severity"], "error")
        self.assertEqual(found[0]["file"], path)
        self.assertGreater(found[0]["line"], 20)

    def test_the_expansion_loads_again_as_yaml(self):
        done = run("check", "--expand", self.package())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("rule: three", done.stdout)

    def test_a_path_that_is_not_there(self):
        done = run("check", self.folder + "/none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("E103", done.stdout)


class Tests(Folder):
    def expect(self, tests, passed, failed, *texts):
        done = run("test", self.package(tests))
        self.assertEqual(done.stdout.splitlines()[-1],
                         f"{passed} passed, {failed} failed", done.stdout)
        self.assertEqual(done.returncode, 1 if failed else 0)
        for text in texts:
            self.assertIn(text, done.stdout)
        return done

    def test_what_is_expected_passes(self):
        self.expect(GIVEN, 1, 0)

    def test_what_is_not_expected_fails(self):
        self.expect(GIVEN + """\
  - name: silent
    like: three
    expect: []
""", 1, 1, "silent", "came, not expected: {rule: town/three")

    def test_what_does_not_come_fails(self):
        for wrong in ("level: red", "at: 2026-03-04", "with: {cnt: 4}",
                      "with: {total: 600.51}", "key: {buyer: C}",
                      "with: {none: 1}", "change: raised", "open: false"):
            self.expect(GIVEN + f"""\
  - name: wrong
    like: three
    expect: [{{rule: three, {wrong}}}]
""", 1, 1, "expected, did not come: {rule: three, " + wrong + "}\n",
                        "came, not expected")

    def test_a_change_by_id_and_time_that_passes(self):
        self.expect(GIVEN + """\
  - name: too little
    like: three
    change: {c: {amount: 199.49}}
    expect: []
  - name: just enough
    like: three
    change: {c: {amount: 199.50}}
    expect: [{rule: three, at: 2026-03-05}]
  - name: the window empties
    like: three
    advance: 30d
    expect:
    - {rule: three, at: 2026-03-05}
    - {rule: three, at: 2026-03-31, state: resolved}
""", 4, 0)

    def test_rows_stand_in_for_a_table(self):
        self.expect(GIVEN + """\
  - name: a higher limit
    like: three
    tables: {limits: [{buyer: B, most: 600.51}]}
    expect: []
  - name: and the file again
    like: three
    expect: [{rule: three, at: 2026-03-05}]
""", 3, 0)

    def test_events_of_a_file(self):
        self.write("rows.jsonl", "".join(
            json.dumps({"orders": {"num": n, "buyer": "B", "at": day,
                                   "pay": {"amt": 400}}}) + "\n"
            for n, day in (("a", "2026-03-01"), ("b", "2026-03-02"),
                           ("c", "2026-03-03"))))
        self.expect("""\
  - name: rows
    file: rows.jsonl
    expect: [{rule: three, at: 2026-03-03, level: red, with: {total: 1200}}]
""", 1, 0)

    def test_faults_of_a_test_have_their_place(self):
        for wrong, text in (
                ("given: [{order: {num: a}}]",
                 "there is no stream `order` (did you mean `orders`?)"),
                ("given: [{orders: {num: a, bayer: B}}]",
                 "has no field `bayer` (did you mean `buyer`?)"),
                ("like: four", "there is no test `four`"),
                ("like: wrong", "in a circle"),
                ("advance: soon", "is a duration"),
                ("tables: {limit: []}", "there is no table `limit`"),
                ("change: {z: {amount: 1}}",
                 "no event before this has the id `z`"),
                ("file: none.jsonl", "none.jsonl cannot be read")):
            self.expect(GIVEN + f"""\
  - name: wrong
    {wrong}
    expect: []
""", 1, 1, text, "error E50")
        self.expect(GIVEN + "  - name: wrong\n    givn: []\n"
                    "    expect: []\n", 1, 1, "error E110: a test has no key "
                    "`givn` (did you mean `given`?)")
        self.expect(GIVEN + "  - name: wrong\n    like: three\n", 1, 1,
                    "a test says what it expects")
        self.expect(GIVEN + "  - name: wrong\n    like: three\n"
                    "    expect: [{rule: three, whith: {}}]\n", 1, 1,
                    "did you mean `with`?")

    def test_an_event_that_is_refused_fails(self):
        self.expect(GIVEN + """\
  - name: refused
    given: [{orders: {num: a, buyer: B, amount: 1.234, at: 2026-03-01}}]
    expect: []
""", 1, 1, "the event is refused: too_many_digits amount")

    def test_coverage_names_the_clauses_that_no_test_has_seen(self):
        done = run("test", "--coverage", self.package())
        self.assertEqual(done.returncode, 0)
        self.assertIn("red: `total > 1000` was never true", done.stdout)
        self.assertNotIn("`cnt >= 3`", done.stdout)
        self.assertIn("clauses were seen both", done.stdout)

    def test_the_shipped_rules_pass(self):
        done = run("test", RULES)
        self.assertEqual(done.returncode, 0, done.stdout)


class Replay(Folder):
    def setUp(self):
        super().setUp()
        self.rules = self.package()
        rows = [{"num": str(i), "buyer": "采购中心", "pay": {"amt": 400},
                 "at": f"2026-03-{i + 1:02}T09:00:00+08:00"}
                for i in range(4)]
        self.write("limits.csv", "buyer,most\n采购中心,500\n")
        self.rows = [json.dumps(row, ensure_ascii=False) for row in rows]

    def replay(self, *arguments, code=0):
        done = run("replay", "-r", self.rules, "--as-of", "2026-04-01",
                   *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_table_whose_columns_line_up(self):
        path = self.write("o.jsonl", "\n".join(self.rows))
        lines = self.replay("orders=" + path).stdout.splitlines()
        self.assertTrue(lines[0].startswith("time"))
        self.assertTrue(lines[1].startswith(
            "2026-03-03 09:00  red     fired      three  采购中心 "), lines[1])
        self.assertTrue(lines[1].endswith("采购中心 已有 3 笔，共 1,200.00"))
        # Four wide characters stand in eight columns.
        self.assertEqual(lines[0].index("message"),
                         lines[1].rindex("采购中心") + 4)

    def test_rows_read_are_kept_refused_and_duplicate(self):
        path = self.write("o.jsonl.gz", "\n".join(
            self.rows + ["", "{", self.rows[0],
                         self.rows[1].replace("400", "1.001"),
                         self.rows[1].replace("2026", "9999")]))
        out = self.replay("--summary", "orders=" + path).stdout
        self.assertRegex(out, r"(?m)^three +4 +1 +2 +1 ")
        self.assertRegex(
            out, r"(?m)^all +8 +4 +3 +1 +0 +not_json 1, "
            r"too_many_digits 1, far_future 1$")

    def test_records_as_json_lines(self):
        path = self.write("o.csv", "num,buyer,pay/amt,at\n" + "".join(
            f"{i},采购中心,400,2026-03-0{i}\n" for i in range(1, 4)))
        done = self.replay("--format", "jsonl", "orders=" + path)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([r["change"] for r in records], ["fired"])
        self.assertEqual(records[0]["values"]["now"]["total"], "1200.00")
        self.assertIn("read =", done.stderr)

    def test_a_bar_on_a_terminal_and_none_elsewhere(self):
        path = self.write("o.jsonl", "\n".join(self.rows))
        command = ["replay", "-r", self.rules, "--as-of", "2026-04-01",
                   "orders=" + path]
        master, slave = pty.openpty()
        done = subprocess.run([TOCSIN, *command], stdout=subprocess.PIPE,
                              stderr=slave, timeout=60)
        os.close(slave)
        shown = os.read(master, 4096).decode()
        os.close(master)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(shown, r"\r\[=+ *\] +\d+ %  4 rows")
        # It is gone at the end, and was never among the alerts.
        self.assertTrue(shown.endswith("\r\x1b[K"), shown)
        self.assertNotIn(b"\x1b", done.stdout)
        self.assertEqual(run(*command).stderr, "")

    def test_rules_in_test_are_shown_and_marked(self):
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        self.write("town.yaml", text.replace("status: live", "status: test"))
        path = self.write("o.jsonl", "\n".join(self.rows))
        done = self.replay("orders=" + path)
        self.assertIn("three (test)", done.stdout)
        done = self.replay("--format", "jsonl", "orders=" + path)
        self.assertEqual(json.loads(done.stdout.splitlines()[0])["seq"], 0)

    def test_files_that_cannot_be_replayed(self):
        path = self.write("o.csv", "num,buyer\n")
        self.assertIn("no column for the field `amount` (`pay/amt`), `at`",
                      self.replay("orders=" + path, code=2).stderr)
        self.assertIn("No such file",
                      self.replay("orders=/none", code=1).stderr)
        self.assertIn("no stream `order`",
                      self.replay("order=" + path, code=2).stderr)


class ReplayOfAFolder(Folder):
    """Files by their names."""

    def setUp(self):
        super().setUp()
        self.rules = self.write("town.yaml", (PACKAGE % GIVEN).replace(
            "tables:", """\
  pays:
    topic: town.pays
    time: at
    fields: {num: string, at: timestamp}
  unread:
    topic: town.unread
    time: at
    fields: {at: timestamp}
tables:""", 1).replace("rules:\n", """rules:
- rule: never
  from: pays
  alert_if: num == 'never'
""", 1))
        self.events = os.path.join(self.folder, "events")
        os.mkdir(self.events)

    def rows(self, name, *numbers):
        if ".csv" in name:
            text = "num,buyer,pay/amt,at\n" + "".join(
                f"{n},B,400,2026-03-{n:02}\n" for n in numbers)
        else:
            text = "".join(json.dumps(
                {"num": str(n), "buyer": "B", "pay": {"amt": 400},
                 "at": f"2026-03-{n:02}"}) + "\n" for n in numbers)
        return self.write("events/" + name, text)

    def replay(self, *arguments, code=0):
        done = run("replay", "-r", self.rules, "--as-of", "2026-04-01",
                   *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_files_of_a_stream_are_merged_by_time(self):
        self.rows("orders.jsonl", 4, 5)
        self.rows("orders-2025.csv", 1, 6)
        self.rows("orders.2.jsonl.gz", 2)
        self.rows("orders.old.part-7.csv.zst", 3)
        done = self.replay("--summary", self.events)
        self.assertRegex(done.stdout, r"(?m)^orders +6 +6 +0 +0 +0$")
        self.assertEqual(done.stderr, "no file of: pays\n")
        done = self.replay(self.events)
        self.assertIn("2026-03-03 00:00  red", done.stdout)

    def test_what_no_stream_claims_is_named_and_left(self):
        self.rows("orders.jsonl", 1)
        self.write("events/pays.csv", "at,num\n2026-03-01,a\n")
        for name in ("order.jsonl", "orders2.jsonl", "orders.txt",
                     "orders.jsonl.xz", "labels.jsonl", "counts.json",
                     ".orders.jsonl"):
            self.write("events/" + name, "x\n")
        done = self.replay("--summary", self.events + "/")
        self.assertEqual(
            done.stderr, "".join(
                f"{self.events}/{name}: no stream has this name; left\n"
                for name in ("order.jsonl", "orders.jsonl.xz", "orders.txt",
                             "orders2.jsonl")))
        self.assertRegex(done.stdout, r"(?m)^all +2 +2 ")

    def test_a_file_by_its_name_and_a_stream_beside_a_folder(self):
        path = self.rows("orders-1.jsonl", 1)
        done = self.replay("--summary", path)
        self.assertRegex(done.stdout, r"(?m)^orders +1 +1 ")
        self.assertEqual(done.stderr, "")
        other = self.write("other", '{"num":"x","at":"2026-03-01"}\n')
        done = self.replay("--summary", self.events, "pays=" + other)
        self.assertRegex(done.stdout, r"(?m)^pays +1 +1 ")
        self.assertEqual(done.stderr, "")

    def test_folders_that_cannot_be_replayed(self):
        self.assertIn("no file that is named after a stream",
                      self.replay(self.events, code=2).stderr)
        self.assertIn("no folder, and no stream has this name",
                      self.replay(self.events + "/none.csv", code=2).stderr)
        with open(self.rules, encoding="utf-8") as file:
            other = file.read().replace("package: town", "package: village")
        other = other[:other.index("tables:")].replace("town.", "v.")
        self.write("more.yaml", other)
        path = self.rows("pays.csv", 1)
        done = run("replay", "-r", self.folder, path)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "may be of `.*/pays` or of `.*/pays`; "
                         "say which: .*/pays=FILE")


    def test_files_in_no_order_are_sorted_if_asked(self):
        path = self.rows("orders.csv.gz", 28, 3, 1, 2)
        done = self.replay("--summary", path)
        self.assertRegex(done.stdout, r"(?m)^all +4 +4 +0 +0 +3$")
        done = self.replay("--summary", "--sort", path)
        self.assertRegex(done.stdout, r"(?m)^all +4 +4 +0 +0 +0$")
        done = self.replay("--sort", path)
        self.assertIn("2026-03-03 00:00  red", done.stdout)

    def test_headers_that_changed(self):
        good = self.write("events/orders-1.csv",
                          "at,new,num,buyer,pay/amt\n2026-03-01,,a,B,1\n")
        done = self.replay("--summary", good)
        self.assertEqual(done.stderr,
                         good + ": columns that are no field: `new`\n")
        self.assertRegex(done.stdout, r"(?m)^all +1 +1 ")
        bad = self.write("events/orders-2.csv", "num,buyr,pay/amt\n")
        worse = self.write("events/orders-3.csv.gz", "")
        # Each is named, and nothing begins.
        done = self.replay("--summary", self.events, code=2)
        self.assertEqual(
            done.stderr.splitlines(),
            ["no file of: pays",
             good + ": columns that are no field: `new`",
             f"tocsin replay: {bad}: no column for the field `buyer` (did you "
             "mean `buyr`?), `at`",
             f"tocsin replay: {worse}: the file is empty: CSV begins with a "
             "header"])
        self.assertEqual(done.stdout, "")

    def test_the_marks_of_a_stream(self):
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        self.write("town.yaml", text.replace(
            "format: json", 'format: csv\n    delimiter: ";"\n    '
            "encoding: gb18030", 1).replace("/pay/amt", "付款 金额"))
        path = os.path.join(self.events, "orders.csv")
        with open(path, "w", encoding="gb18030", newline="") as file:
            file.write('付款 金额;num;"buyer";at\r\n'
                       '250;a;"采购;""中心""";2026-03-01\r\n'
                       '250;b;"采购;""中心""";2026-03-02\r\n'
                       '1;"c\r\n";B;2026-03-02\r\n')
        self.write("limits.csv", 'buyer,most\n"采购;""中心""",1\n')
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        self.write("town.yaml", text.replace("cnt >= 3", "cnt >= 2"))
        done = self.replay("--format", "jsonl", "orders=" + path)
        record, = map(json.loads, done.stdout.splitlines())
        self.assertEqual(record["key"], {"buyer": '采购;"中心"'})
        self.assertEqual(record["values"]["now"]["total"], "500.00")
        self.assertRegex(done.stderr, r"(?m)^all +3 +3 ")

    def test_another_shape_of_a_stream(self):
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        self.write("town.yaml", text + """
sources:
  orders-health:
    stream: orders
    topic: orders.health
    format: csv
    encoding: gb18030
    fields: {num: 单号, buyer: 单位, amount: 金额, at: {path: 时间, format: '%Y/%m/%d %H:%M'}}
    numbers: {thousands: ','}
""")
        self.rows("orders.jsonl", 1, 2)
        path = os.path.join(self.events, "orders-health.csv")
        with open(path, "w", encoding="gb18030") as file:
            file.write('单号,单位,金额,时间\n'
                       '1,B,"1,000.50",2026/03/02 10:30\n')
        done = self.replay("--format", "jsonl", self.events)
        record, = map(json.loads, done.stdout.splitlines())
        self.assertEqual(record["evidence"]["count"], 3)
        self.assertEqual(record["evidence"]["shown"][0]["topic"],
                         "orders.health")
        self.assertRegex(done.stderr, r"(?m)^orders-health +1 +1 ")
        self.assertRegex(done.stderr, r"(?m)^orders +2 +2 ")

    def test_an_archive_that_is_cut_off_or_broken_is_named(self):
        for name, said in (("orders.jsonl.gz", "cut off"),
                           ("orders.csv.zst", "cut off"),
                           ("orders-2.jsonl.zst", "broken")):
            path = self.rows(name, *range(1, 29))
            with open(path, "rb") as file:
                data = file.read()
            with open(path, "wb") as file:
                file.write(data[:-6] if said == "cut off" else b"x" + data)
            done = self.replay("--summary", self.events, code=1)
            self.assertIn(f"{path}: the archive is {said}", done.stderr)
            os.remove(path)


class Labels(Folder):
    """Five buyers: A rings on the 3rd, B is raised on the 5th, C rings on
    the 9th, D is a lookalike that rings, E is silent."""

    BUYERS = {"A": (1, 2, 3), "B": (2, 3, 4, 5), "C": (7, 8, 9),
              "D": (1, 5, 6), "E": (1, 2)}

    def setUp(self):
        super().setUp()
        self.write("limits.csv", "buyer,most\n" + "".join(
            f"{name},500\n" for name in self.BUYERS))
        text = (PACKAGE % GIVEN).replace("total > 1000", "total > 500")
        self.rules = self.write("town.yaml", text.replace(
            "total >= limits(buyer).most", "total >= 30"))
        self.events = os.path.join(self.folder, "events")
        os.mkdir(self.events)
        self.write("events/orders.jsonl", "".join(
            json.dumps({"num": f"{buyer}{day}", "buyer": buyer,
                        "pay": {"amt": 490 if (buyer, day) == ("B", 5) else
                                10.5},
                        "at": f"2026-03-{day:02}T12:00:00+08:00"}) + "\n"
            for day in range(1, 10) for buyer, days in self.BUYERS.items()
            if day in days))

    def label(self, buyer, day, expect="alert", **more):
        return {"rule": "three", "expect": expect, "key": {"buyer": buyer},
                "time": f"2026-03-{day:02}T10:00:00+08:00", **more}

    def replay(self, labels, *arguments, code=0):
        self.write("events/labels.jsonl", "".join(
            (label if isinstance(label, str) else json.dumps(label)) + "\n"
            for label in labels))
        done = run("replay", "-r", self.rules, "--as-of", "2026-04-01",
                   "--labels", self.events + "/labels.jsonl", *arguments,
                   self.events)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def row(self, labels, *arguments, code=0):
        done = self.replay(labels, "--format", "json", *arguments, code=code)
        self.assertIn("read =", done.stderr)
        row, = json.loads(done.stdout)
        return row

    def planted(self):
        return [self.label("A", 3, level="yellow"),
                self.label("B", 4, grade="near", level="red", note="rises"),
                # Its time is over before it rings.
                self.label("C", 6, grade="hidden", first="C7"),
                self.label("D", 6, "silence"), self.label("E", 2, "silence")]

    def test_counts_by_grade_and_what_follows_from_them(self):
        labels = self.planted()
        row = self.row(labels)
        self.assertEqual(
            {name: row[name] for name in
             ("rule", "package", "status", "planted", "found", "missed",
              "plain", "near", "hidden", "lookalikes", "lookalikes_rung",
              "alerts", "matched", "false", "other", "level_differs",
              "events", "missed_labels", "rung_labels", "level_labels")},
            {"rule": "three", "package": "town", "status": "live",
             "planted": 3, "found": 2, "missed": 1,
             "plain": {"planted": 1, "found": 1},
             "near": {"planted": 1, "found": 1},
             "hidden": {"planted": 1, "found": 0},
             "lookalikes": 2, "lookalikes_rung": 1,
             "alerts": 4, "matched": 2, "false": 1, "other": 1,
             "level_differs": 0, "events": 15,
             "missed_labels": [labels[2]], "rung_labels": [labels[3]],
             "level_labels": []})
        self.assertAlmostEqual(row["precision"], 2 / 4)
        self.assertAlmostEqual(row["recall"], 2 / 3)
        self.assertAlmostEqual(row["f1"], 4 / 7)
        self.assertEqual(row["median_delay_seconds"], 7200)
        self.assertEqual(row["max_delay_seconds"], 7200)
        self.assertAlmostEqual(row["per_10000"], 4 / 15 * 10000)

    def test_a_table_whose_columns_line_up(self):
        lines = self.replay(self.planted(), "-v").stdout.splitlines()
        self.assertEqual(
            [line.split() for line in lines[:3]],
            ["rule planted found plain near hidden missed lookalikes rung "
             "alerts other precision recall F1 median delay max delay "
             "per 10,000".split(),
             "three 3 2 1/1 1/1 0/1 1 1 of 2 4 1 0.500 0.667 0.571 2.0 h "
             "2.0 h 2666.67".split(),
             "all 3 2 1/1 1/1 0/1 1 1 of 2 4 1 0.500 0.667 0.571 2.0 h "
             "2.0 h 2666.67".split()])
        self.assertEqual(len({len(line) for line in lines[:3]}), 1)
        self.assertRegex(lines[3], r'^missed  \{.*"hidden"')
        self.assertRegex(lines[4], r'^rung    \{.*"silence"')
        self.assertEqual(lines[5], "")

    def test_when_an_alert_is_of_a_case(self):
        def found(*labels):
            row = self.row(labels)
            return row["found"], row["matched"], row["other"]

        # C rings at noon of the 9th: until is two days behind the time, both
        # ends count, and a date is that whole day.
        noon = "2026-03-09T12:00:00+08:00"
        self.assertEqual(found(self.label("C", 7)), (0, 0, 4))
        self.assertEqual(found(self.label("C", 8)), (1, 1, 3))
        self.assertEqual(found(self.label("C", 1, until=noon)), (1, 1, 3))
        self.assertEqual(found(self.label(
            "C", 1, until="2026-03-09T11:59:59.999999+08:00")), (0, 0, 4))
        self.assertEqual(found(self.label("C", 1, until="2026-03-09")),
                         (1, 1, 3))
        self.assertEqual(found(self.label("C", 1, until="2026-03-08")),
                         (0, 0, 4))
        late = {"rule": "town/three", "expect": "alert", "key": {"buyer": "C"}}
        self.assertEqual(found({**late, "time": "2026-03-10"}), (0, 0, 4))
        self.assertEqual(found({**late, "from": noon, "time": "2026-03-10"}),
                         (1, 1, 3))
        # A case may name less than the key; one alert may be of two cases.
        self.assertEqual(found(self.label("C", 8),
                               {**self.label("C", 9), "key": {}}), (2, 1, 3))
        self.assertEqual(found({**self.label("C", 9), "key": {}},
                               self.label("A", 9)), (1, 1, 3))

    def test_the_delay_is_to_the_first_alert_and_never_negative(self):
        row = self.row([self.label("A", 9, **{"from": "2026-03-01"})])
        self.assertEqual(row["max_delay_seconds"], 0)
        row = self.row([self.label("A", 2), self.label("C", 9),
                        self.label("B", 4)])
        self.assertEqual(row["median_delay_seconds"], 7200)
        self.assertEqual(row["max_delay_seconds"], 26 * 3600)
        row = self.row([self.label("A", 2), self.label("C", 9)])
        self.assertEqual(row["median_delay_seconds"], 14 * 3600)

    def test_a_level_that_is_not_reached_is_told(self):
        label = self.label("A", 3, level="red")
        row = self.row([label])
        self.assertEqual((row["found"], row["level_differs"]), (1, 1))
        self.assertEqual(row["level_labels"], [label])
        done = self.replay([label, self.label("B", 4, level="yellow")], "-v")
        self.assertIn("\nlevel   is yellow: {", done.stdout)
        self.assertIn("\nlevel   is red: {", done.stdout)

    def test_a_period_decides_where_an_alert_has_one(self):
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        wrong = self.label("A", 9, period="2026-02")
        right = self.label("A", 9, period="2026-03")
        self.assertEqual(self.row([wrong, right])["found"], 0)
        self.assertEqual(self.row([self.label("A", 3, period="2026-02")])
                         ["found"], 1)
        self.write("town.yaml",
                   text.replace("window: 30d", "window: {calendar: month}"))
        row = self.row([wrong, right])
        self.assertEqual((row["found"], row["missed_labels"]), (1, [wrong]))

    def test_masked_and_numeric_fields_of_a_key(self):
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        text = text.replace("by: [buyer]", "by: [num, amount]") \
            .replace("      num: string", "      num: {type: string, "
                     "mask: last4}").replace("cnt >= 3", "cnt >= 1") \
            .replace("total >= 30", "total >= 480") \
            .replace("{buyer}", "{num}")
        self.write("town.yaml", text[:text.index("  tests:")])
        case = {**self.label("B", 5), "key": {"num": "B5", "amount": 490}}
        for amount, found in ((490, 1), ("490.00", 1), ("490.01", 0)):
            case["key"]["amount"] = amount
            self.assertEqual(self.row([case])["found"], found, amount)
        self.write("events/orders.jsonl", json.dumps(
            {"num": "6217-0001", "buyer": "A", "pay": {"amt": 490},
             "at": "2026-03-05T12:00:00+08:00"}) + "\n")
        case["key"]["amount"] = 490
        for num, found in (("6217-0001", 1), ("6217-0002", 0), ("0001", 0)):
            case["key"]["num"] = num
            self.assertEqual(self.row([case])["found"], found, num)

    def test_rules_without_a_label_and_labels_without_a_rule(self):
        done = self.replay([self.label("D", 6, "silence"),
                            {**self.label("A", 3), "rule": "four"},
                            {**self.label("A", 3), "rule": "four"},
                            {**self.label("A", 3), "key": {"byer": "A"}}][:3])
        self.assertIn("labels of rules that are not here: four\n",
                      done.stderr)
        self.assertRegex(done.stdout,
                         r"\nthree +no label +- +- +- +- +0 +1 of 1 +4 +3 "
                         r"+- +- +- +- +- +2666.67\n")
        row = self.row([])
        self.assertEqual((row["planted"], row["precision"], row["recall"],
                          row["f1"]), (0, None, None, None))
        self.assertIn("labels.jsonl:1: the key of `three` has no field "
                      "`byer`", self.replay(
                          [{**self.label("A", 3), "key": {"byer": "A"}}]
                      ).stderr)

    def test_rules_in_test_are_marked(self):
        with open(self.rules, encoding="utf-8") as file:
            text = file.read()
        self.write("town.yaml", text.replace("status: live", "status: test"))
        self.assertIn("three (test)", self.replay(self.planted()).stdout)
        row = self.row(self.planted())
        self.assertEqual((row["status"], row["found"]), ("test", 2))

    def test_what_is_required(self):
        labels = self.planted()
        done = self.replay(labels, "--require",
                           "plain=1,near=1.0,recall=0.66,silence=0.5")
        self.assertNotIn("below", done.stderr)
        done = self.replay(labels, "--require",
                           "plain=1,hidden=0.5,f1=0.6,precision=0.51,"
                           "silence=0.51", code=1)
        self.assertEqual(
            [line for line in done.stderr.splitlines() if "below" in line],
            ["three: hidden is 0.0000, below 0.5000",
             "three: f1 is 0.5714, below 0.6000",
             "three: precision is 0.5000, below 0.5100",
             "three: silence is 0.5000, below 0.5100"])
        # What nothing measures does not hold by itself.
        done = self.replay(labels[:1], "--require", "near=0.1", code=1)
        self.assertIn("near: there is no label", done.stderr)
        for wrong in ("plane=1", "plain", "plain=x", "plain=1;near=1"):
            self.assertIn("--require is a list", self.replay(
                labels, "--require", wrong, code=2).stderr)

    def test_labels_that_are_wrong_have_their_line(self):
        good = self.label("A", 3)
        for wrong, text in (
                ("{", "not a JSON object"), ("[]", "not a JSON object"),
                ({**good, "rule": 3}, "`rule` is not a text"),
                ({"time": "2026-03-01"}, "a label names its `rule`"),
                ({**good, "expect": "silent"},
                 "`expect` cannot be `silent` (did you mean `silence`?)"),
                ({"rule": "three", "time": "2026-03-01"},
                 "a label says what to `expect`"),
                ({**good, "grade": "hard"}, "`grade` cannot be `hard`"),
                ({**good, "level": "blue"}, "`level` cannot be `blue`"),
                ({**good, "time": None}, "a label says its `time`"),
                ({**good, "until": "soon"}, "`until` is not a date or a time"),
                ({**good, "from": "2026-03-09"},
                 "`from` is later than `until`"),
                ({**good, "key": "A"}, "`key` is an object")):
            done = self.replay([good, "", wrong], code=2)
            self.assertIn("labels.jsonl:3: " + text, done.stderr)
            self.assertEqual(done.stdout, "")
        done = run("replay", "-r", self.rules, "--labels", "/none",
                   self.events)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/none: No such file", done.stderr)

    def test_what_does_not_go_together(self):
        for arguments in (("--format", "jsonl"), ("--summary",)):
            self.replay([], *arguments, code=2)
        for arguments in (("--format", "json"), ("--require", "plain=1")):
            done = run("replay", "-r", self.rules, *arguments, self.events)
            self.assertEqual(done.returncode, 2, arguments)


class New(Folder):
    """A first rule, on streams as awkward as they come."""

    STREAMS = """\
apiversion: 1
package: odd/%s
calendars: {c: {tz: America/Phoenix, fiscal_year: 07-01}}
streams:
  plain:
    time: at
    id: num
    fields: {num: string, at: timestamp, who: string, sum: money(CNY)}
  crowded:
    format: csv
    encoding: gb18030
    time: day
    fields:
      day: {type: date, path: Tag}
      cnt: int
      total: {type: money(JPY), path: Summe}
      usual: double optional
      growth: bool
      kind: "enum[new, 'old one']"
      tags: list(string)
  seconds:
    time: at
    id: number
    fields: {number: int, at: {type: timestamp, format: epoch_s}, x: double}
  pattern:
    time: at
    numbers: {decimal: ','}
    fields:
      at: {type: timestamp, format: '%%d %%b %%Y, %%H:%%M %%z'}
      ms: {type: timestamp, format: epoch_ms}
      who: string
      sum: {type: money(KWD), path: /deep/in/it}
  words:
    time: at
    fields: {at: timestamp, who: string}
"""

    def setUp(self):
        super().setUp()
        self.write("streams.yaml", self.STREAMS % "one")

    def new(self, name, *arguments, code=0):
        done = run("new", name, *arguments, cwd=self.folder)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def good(self, *paths, tests):
        done = run("check", *paths, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("0 errors, 0 warnings", done.stdout)
        done = run("test", "--coverage", *paths, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"{tests} passed, 0 failed", done.stdout)
        self.assertNotIn("was never", done.stdout)

    def test_each_kind_on_each_stream_is_checked_and_tested(self):
        rules = 0
        for kind in ("event", "count", "growth"):
            for stream in ("plain", "crowded", "seconds", "pattern"):
                self.new(f"{kind}-{stream}", "--kind", kind, "--stream",
                         stream)
                rules += 1
        self.new("count-words", "-s", "words")
        for stream in ("plain", "pattern"):
            self.new("peers-" + stream, "--kind", "peers", "-s", stream)
            rules += 1
        self.good(".", tests=3 * rules + 3)
        self.assertIn("no text that every event has",
                      self.new("peers-seconds", "--kind", "peers", "-s",
                               "seconds", code=2).stderr)

    def test_what_it_says_to_do_next_works(self):
        done = self.new("late", "--stream", "plain")
        self.assertIn("late.yaml: rule `late` on stream `plain`, status: test",
                      done.stdout)
        self.assertIn("\n  tocsin check .\n  tocsin test .\n"
                      "  tocsin replay -r . plain=FILE ", done.stdout)
        # In a folder of its own it must be named beside the streams.
        os.mkdir(os.path.join(self.folder, "mine"))
        done = self.new("mine/early.yaml", "-s", "odd/one/plain", "-r",
                        "streams.yaml")
        self.assertIn("\n  tocsin check streams.yaml mine/early.yaml\n",
                      done.stdout)
        self.good("streams.yaml", "mine/early.yaml", tests=3)

    def test_a_file_that_is_there_stays(self):
        path = self.write("late.yaml", "x-mine: 1\n")
        done = self.new("late", "-s", "plain", "-r", "streams.yaml", code=1)
        self.assertIn("late.yaml: is there already, and stays as it is",
                      done.stderr)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "x-mine: 1\n")

    def test_what_would_not_load_is_not_left_behind(self):
        self.new("late", "-s", "plain")
        os.mkdir(os.path.join(self.folder, "more"))
        for name in ("more/late", "Not a slug"):
            done = self.new(name, "-s", "plain", "-r", ".", code=1)
            self.assertIn("error E", done.stderr)
            self.assertFalse(os.path.exists(
                os.path.join(self.folder, name + ".yaml")))

    def test_the_stream_is_not_guessed(self):
        self.assertIn("which stream? --stream, one of: plain, crowded, ",
                      self.new("late", code=2).stderr)
        self.assertIn("no stream `plane`; there are: plain, ",
                      self.new("late", "-s", "plane", code=2).stderr)
        self.assertIn("no number that every event has; try --kind count",
                      self.new("late", "-s", "words", "-k", "event",
                               code=2).stderr)
        self.assertIn("--kind is event, count, growth or peers",
                      self.new("late", "-k", "spike", code=2).stderr)
        self.assertIn("one name of a new rule",
                      self.new("a", "b", code=2).stderr)
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        self.assertIn("no *.yaml", self.new("empty/late", code=1).stderr)
        self.write("empty/only.yaml", self.STREAMS[
            :self.STREAMS.index("  crowded:")] % "two")
        self.new("empty/late")
        self.good("empty", tests=3)


class Eval(unittest.TestCase):
    def test_a_value_and_its_type(self):
        self.assertEqual(run("eval", "1 + 2").stdout, "3 : int\n")
        self.assertEqual(run("eval", "-1 + 2").stdout, "1 : int\n")
        self.assertEqual(
            run("eval", "a + 0.5", "--given", '{"a": 1.0}').stdout,
            "1.5 : double\n")
        done = run("eval", "1 +")
        self.assertEqual(done.returncode, 1)
        self.assertIn("expression:1:4: error E201", done.stderr)
        self.assertEqual(run("eval", "1 / 0").returncode, 1)


class Tail(unittest.TestCase):
    def test_alerts_from_the_start_and_from_now(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder, \
                Children(folder) as children:
            server = RedisServer(children, os.path.join(folder, "r")).start()
            redis = server.connect()
            redis("SADD", "tocsin:lanes", "0")

            def ring(seq):
                redis("XADD", "tocsin:{0}:alerts", f"{seq}-0", "json",
                      json.dumps({"seq": seq, "level": "red",
                                  "change": "fired", "rule": "three",
                                  "key": {"buyer": "采购中心"},
                                  "text": {"zh": {"message": "三笔"},
                                           "en": {"message": "Three"}},
                                  "times": {"event":
                                            "2026-03-05T09:00:00+08:00"}}))

            ring(1)
            url = "unix://" + server.socket
            done = run("tail", "-r", url, "--from-start", "-n", "1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, "2026-03-05 09:00  red .*三笔\n")
            done = run("tail", "-r", url, "-s", "-n", "1", "-l", "en")
            self.assertIn("Three", done.stdout)
            config = os.path.join(folder, "tocsin.yaml")
            with open(config, "w", encoding="utf-8") as file:
                file.write("kafka: {brokers: 127.0.0.1:1}\n"
                           f"redis: {{url: {url}, database: 0}}\n"
                           f"state: {folder}/state\nrules: [{RULES}]\n")
            done = run("tail", "-c", config, "-s", "-n", "1", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["seq"], 1)
            live = subprocess.Popen([TOCSIN, "tail", "-r", url, "--json",
                                     "-n", "2"], stdout=subprocess.PIPE)
            try:
                # It begins behind what was there when it looked; entries are
                # added until it has seen two.
                seq = 1
                while live.poll() is None and seq < 200:
                    seq += 1
                    ring(seq)
                    try:
                        live.wait(0.1)
                    except subprocess.TimeoutExpired:
                        pass
                seen = [json.loads(line)["seq"] for line in live.stdout]
            finally:
                live.kill()
                live.wait()
                live.stdout.close()
            self.assertEqual(live.returncode, 0)
            self.assertEqual(len(seen), 2)
            self.assertGreater(seen[0], 1)
            self.assertEqual(seen[1], seen[0] + 1)
            redis.close()
