"""`tocsin replay --html`, read where it will be read: in a browser.

What it shows is held against the records of the same replay.
"""

import collections
import json
import os
import re
import unittest
import xml.etree.ElementTree

from support import world
from tool import Folder, run

PACKAGE = """\
apiversion: 1
package: town
calendars:
  cn: {fiscal_year: 01-01, tz: Asia/Shanghai}
streams:
  pays:
    topic: town.pays
    format: json
    time: at
    max_delay: 0s
    id: num
    fields:
      num: string
      unit: string
      account: {type: string optional, mask: last4}
      amount: money(CNY)
      memo: string optional
      at: timestamp
  prices:
    topic: town.prices
    format: json
    time: at
    max_delay: 0s
    fields:
      account: {type: string, mask: last4}
      item: string
      price: money(CNY)
      at: timestamp
rules:
- rule: many
  title: {zh: 多笔支付, en: Many payments}
  status: live
  owner: 国库科
  from: pays
  by: [unit]
  window: 30d
  measure: {cnt: count(), total: sum(amount)}
  alert_if: cnt >= 2
  level: {red: cnt >= 4, orange: cnt >= 3, yellow: "true"}
  message: {zh: "{unit} 已有 {cnt} 笔", en: "{unit}: {cnt}"}
  advice: {zh: 请核对, en: Look}
  legal_basis: 预算法
  evidence: {count: 3, fields: [num, account, amount, memo]}
- rule: growth
  title: {zh: 增长, en: Growth}
  status: test
  owner: x
  from: pays
  by: [unit]
  window: {calendar: month}
  measure: {spent: sum(amount)}
  baseline: {usual: {of: spent, over: 6, align: whole, stat: median, min_samples: 2}}
  alert_if: spent > usual.mid * 3
  message: {zh: "{unit} 增长", en: "{unit} grows"}
- rule: dear
  title: {zh: 高于同类, en: Dearer than others}
  desc: {zh: 单价明显高于同类。, en: Far above its peers.}
  status: live
  owner: x
  from: prices
  by: [account]
  baseline: {market: {of: price, over: 90d, peers: [item], stat: median_mad, min_samples: 4}}
  alert_if: price > market.mid * 2
  evidence: {count: 1, fields: [item, price]}
- rule: wordy
  title: {zh: 附言过长, en: A long memo}
  status: live
  owner: x
  from: pays
  alert_if: size(memo) > 1000
  message: {zh: "附言 {memo}", en: "{memo}"}
"""

HOSTILE = ("</summary></details><script>window.ran=1</script>"
           "<img src=x onerror='window.ran=2'>\"'&amp;]]>-->"
           "\u202eabc\u2066\u200b\ufeff\x01\x1b\uffff\U0001f4b0ع")
LEVELS = ["yellow", "orange", "red"]
AS_OF = "2026-06-01"


def row(num, unit, day, amount=1000.5, **more):
    return {"num": num, "unit": unit, "amount": amount,
            "at": f"2026-{day}T09:00:00+08:00", **more}


ROWS = (
    [row(f"a{i}", "U-1", f"01-0{i + 1}", account=f"62220{i}12345")
     for i in range(4)]
    + [row("b0", "U-2", "01-03"), row("b1", "U-2", "01-04", memo=HOSTILE)]
    + [row("c0", HOSTILE, "02-03"), row("c1", HOSTILE, "02-04"),
       row("c2", HOSTILE, "02-05", memo="x" * 5000)]
    # 1,000, 2,000, 1,500, then 9,000: six times the usual.
    + [row("d" + day, "U-9", day, amount)
       for day, amount in (("01-15", 1000), ("02-20", 2000),
                           ("03-25", 1500), ("04-28", 9000))]
)


class Report(Folder):
    def setUp(self):
        global browser
        super().setUp()
        browser = world.browser()
        self.rules = self.write("town.yaml", PACKAGE)
        self.html = os.path.join(self.folder, "report.html")

    def replay(self, rows=None, *arguments, code=0):
        rows = ROWS if rows is None else rows
        rows = sorted(rows, key=lambda r: r["at"])
        path = self.write("pays.jsonl", "".join(
            json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
        done = run("replay", "-r", self.rules, "--as-of", AS_OF,
                   *arguments, "pays=" + path)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def records(self, rows=None):
        """By rule: {id: its transitions}."""
        out = collections.defaultdict(lambda: collections.defaultdict(list))
        for line in self.replay(rows, "-f", "jsonl").stdout.splitlines():
            record = json.loads(line)
            out[record["rule"]][record["id"]].append(record)
        return out

    def report(self, rows=None, fragment="", *arguments):
        self.replay(rows, "--html", self.html, *arguments)
        browser.screen(1200, 900)
        browser.open(self.html, fragment)

    def text(self, selector):
        return browser.js(f"document.querySelector({selector!r}).innerText")

    def count(self, selector):
        return browser.js(
            f"document.querySelectorAll({selector!r}).length")

    def quiet(self):
        self.assertEqual(browser.console, [])

    def shown(self):
        """Rule and level of each alert that can be seen."""
        return browser.js(
            "Array.from(document.querySelectorAll('.alert'))"
            ".filter(a => a.checkVisibility())"
            ".map(a => a.closest('section').dataset.rule + ' '"
            " + a.dataset.level).sort()")


class Contents(Report):
    def test_counts_are_those_of_the_records(self):
        records = self.records()
        every = [t for ids in records.values() for t in ids.values()]
        levels = collections.Counter(
            max((r["level"] for r in t), key=LEVELS.index) for t in every)
        self.report()
        self.assertEqual(self.count(".alert"), len(every))
        tiles = dict(reversed(t.split("\n")) for t in browser.js(
            "Array.from(document.querySelectorAll('.tiles li'))"
            ".map(li => li.innerText)"))
        self.assertEqual(tiles, {
            "预警": str(len(every)), "红": str(levels["red"]),
            "橙": str(levels["orange"]), "黄": str(levels["yellow"]),
            "绿": "0", "期末未结": str(sum(t[-1]["open"] for t in every))})
        self.assertEqual(levels, {"red": 1, "orange": 1, "yellow": 3})
        rang = self.text("#rang").split("\n")
        self.assertTrue(any(re.match(
            r"多笔支付 town/many\s+\d+\s+3\s+1\s+1\s+1\s+0", line)
            for line in rang), rang)
        self.quiet()

    def test_the_head_says_what_was_replayed(self):
        bad = dict(ROWS[0], num="z", amount=1.001)
        self.report(list(ROWS) + [ROWS[0], bad])
        head = self.text("dl.head")
        for text in (self.rules, "pays=", "pays.jsonl", "tocsin 0.",
                     "2026-01-01 09:00 — 2026-04-28 09:00",
                     "2026-06-01 00:00"):
            self.assertIn(text, head)
        self.assertRegex(head, r"\b[0-9a-f]{64}\b")
        # read = kept + refused + duplicate
        self.assertRegex(self.text("#rows"),
                         r"pays\s+15\s+13\s+1\s+1\s+0\s+小数位过多 1")

    def test_an_alert_tells_what_it_rests_on(self):
        record = next(t for t in self.records()["many"].values()
                      if any(r["level"] == "red" for r in t))
        self.report(None, "#level=red;rule=town%2Fmany")
        browser.js("document.getElementById('unfold').click()")
        card = self.text(".alert:not([hidden])")
        # It was red on the fourth day; later the window emptied.
        last = [r for r in record if r["level"] == "red"][-1]
        self.assertEqual(record[-1]["level"], "yellow")
        for text in ("多笔支付", "U-1 已有 4 笔", "请核对", "预算法", "国库科",
                     last["id"], "2026-01-02 09:00", "cnt >= 4", "4,002.00",
                     "升级", "已解除", "条件", "窗口移动", "1,000.50",
                     "town.pays/0/4", "****2345",
                     last["evidence"]["digest"]):
            self.assertIn(text, card)
        self.assertNotIn("62220", card)
        inside = ".alert:not([hidden]) "
        self.assertEqual(self.count(inside + ".history li"), len(record))
        self.assertEqual(self.count(inside + ".source"),
                         1 + len(last["evidence"]["shown"]))
        self.quiet()

    def test_a_baseline_is_drawn_from_its_past_periods(self):
        record = next(iter(self.records()["growth"].values()))[-1]
        past = [float(v) for v in record["baselines"]["usual"]["past"].values()]
        self.assertEqual(past, [1500, 2000, 1000])
        self.report(None, "#rule=town%2Fgrowth")
        browser.js("document.getElementById('unfold').click()")
        heights = browser.js(
            "['.then', '.now'].map(kind => Array.from("
            "document.querySelectorAll('svg.past ' + kind))"
            ".map(r => r.getBoundingClientRect().height))")
        unit = heights[1][0] / 9000
        self.assertEqual([round(h / unit / 10) * 10 for h in heights[0]], past)
        self.assertEqual(self.count("svg.past .mid"), 1)
        self.assertIn("+500.0 %", self.text(".alert:not([hidden]) .figures"))
        self.assertIn("试行", self.text("section:not([hidden]) h2"))

    def test_columns_stand_for_what_fired_in_a_period(self):
        self.report()
        titles = browser.js(
            "Array.from(document.querySelectorAll("
            "'[data-rule=\"town/many\"] svg.fired title'))"
            ".map(t => t.textContent)")
        self.assertEqual(titles, ["2026-W01 · 红 1 · 黄 1", "2026-W06 · 橙 1"])
        self.assertGreater(browser.js(
            "document.querySelector('svg.fired rect')"
            ".getBoundingClientRect().height"), 20)
        self.assertIn("每周触发", self.text("figcaption"))

    def test_peers_are_a_scale_and_masked_keys_are_told_apart(self):
        prices = [{"account": f"6222{i % 2}1234", "item": "A4", "price": price,
                   "at": f"2026-03-0{i + 1}"}
                  for i, price in enumerate((10, 11, 9, 10, 40, 50))]
        path = self.write("prices.jsonl", "".join(
            json.dumps(p) + "\n" for p in prices))
        self.report([], "", "prices=" + path)
        self.assertIn("单价明显高于同类。", self.text("section > p"))
        self.assertEqual(self.text(".worst ol").splitlines(),
                         ["****1234 黄 1"] * 2)
        browser.js("document.getElementById('unfold').click()")
        at, mid, three = browser.js(
            "['.now', '.mid', '.band3'].map(kind => {"
            " const box = document.querySelector('svg.scale ' + kind)"
            "  .getBoundingClientRect();"
            " return [(box.left + box.right) / 2, box.right]; })")
        # 50 lies 39.5 above the middle, three spreads of 1.4826 reach 4.45.
        # What it is held against: 9, 10, 10, 11 and 40.
        self.assertLess(mid[0], three[1])
        self.assertAlmostEqual((at[0] - mid[0]) / (three[1] - mid[0]),
                               40 / (3 * 1.4826), delta=0.1)
        figures = self.text(".alert .figures")
        for text in ("50.00", "10.00", "1.48", "5", "+400.0 %"):
            self.assertIn(text, figures)
        self.assertIn("待核", self.text(".alert .state"))
        self.assertIn("item A4", self.text(".alert h4 + svg.scale, "
                                           ".alert .card"))
        self.quiet()

    def test_the_worst_keys_come_first(self):
        self.report()
        self.assertEqual(
            [line.split()[0] + line.split()[-2] for line in self.text(
                "[data-rule='town/many'] .worst ol").splitlines()][0],
            "U-1红")

    def test_english_where_it_is_asked_for(self):
        self.report(None, "", "--language", "en")
        self.assertEqual(browser.js("document.title"), "Tocsin replay report")
        body = browser.js("document.body.innerText")
        self.assertIn("U-1: 4", body)
        own = re.sub("[国库科]", "", body.replace(HOSTILE[-1], ""))
        self.assertIsNone(re.search("[\u4e00-\u9fff]", own))

    def test_quiet_rules_and_no_alert_at_all(self):
        self.report(ROWS[:1])
        self.assertEqual(self.count(".alert"), 0)
        self.assertIn("未触发的规则：4", self.text(".quiet"))
        self.quiet()
        self.report([])
        self.assertIn("期间\n—", self.text("dl.head"))
        self.quiet()

    def test_at_most_200_of_a_rule_and_how_many_more(self):
        rows = [row(f"{unit}-{i}", f"N-{unit}", f"03-{1 + unit % 20:02}")
                for unit in range(230) for i in range(2)]
        rows += [row(f"x{i}", "N-7", "03-09") for i in range(2)]
        self.report(rows)
        self.assertEqual(self.count("[data-rule='town/many'] .alert"), 200)
        self.assertIn("另有 30 条", self.text("[data-rule='town/many'] h3 + "
                                          "*, [data-rule='town/many']"))
        # The severest stays, though it was not the newest.
        self.assertIn("N-7", self.text("[data-rule='town/many'] .alert"))
        self.assertIn("230 个对象", self.text(".worst .note"))


    def test_at_most_5000_in_all_from_those_that_have_most(self):
        rule = ("- rule: r%d\n  status: live\n  from: pays\n"
                "  alert_if: %s\n  level: {green: 'true'}\n")
        self.write("town.yaml", PACKAGE.partition("- rule: many")[0] + "".join(
            rule % (n, "amount > 0" if n else "num == 'n7'")
            for n in range(28)))
        self.replay([row(f"n{i}", "U", f"05-{1 + i % 28:02}")
                     for i in range(210)], "--html", self.html)
        with open(self.html, encoding="utf-8") as file:
            parts = file.read().split('<section class="rule"')[1:]
        shown = [part.count('<details class="alert') for part in parts]
        self.assertEqual(sum(shown), 5000)
        self.assertEqual(min(shown), 1)
        for part, n in zip(parts, shown):
            if n > 1:
                self.assertIn(f"<small>{n} 条，先重后轻、先新后旧；"
                              f"另有 {210 - n} 条未列出", part)
                self.assertGreater(n, 180)


class Hostile(Report):
    def test_text_stays_text(self):
        self.report()
        browser.js("document.getElementById('unfold').click()")
        page = browser.js("document.body.innerText")
        self.assertIn("</summary></details><script>window.ran=1</script>"
                      "<img src=x onerror='window.ran=2'>\"'&amp;]]>-->"
                      "[U+202E]abc[U+2066][U+200B][U+FEFF][U+0001][U+001B]"
                      "[U+FFFF]\U0001f4b0ع", page)
        self.assertIn("x" * 1000 + "…", page)
        self.assertNotIn("x" * 1001, page)
        self.assertFalse(browser.js("'ran' in window"))
        self.assertEqual(self.count("img"), 0)
        self.assertEqual(self.count("script"), 1)
        self.quiet()

    def test_the_file_is_well_formed_and_asks_for_nothing(self):
        self.report()
        with open(self.html, encoding="utf-8") as file:
            text = file.read()
        # An XML reader takes nothing on trust: each end, each quote.
        root = xml.etree.ElementTree.fromstring(text.split("\n", 1)[1])
        self.assertEqual(root.tag, "html")
        self.assertIsNone(re.search(
            "[\0-\x08\x0b-\x1f\x7f\u200b\u202a-\u202e\u2066-\u2069\ufeff]",
            text))
        for item in root.iter():
            for name in ("href", "src", "action"):
                self.assertTrue(item.get(name, "#").startswith("#"))
            self.assertFalse([n for n in item.attrib if n.startswith("on")])
        style = root.find(".//style").text
        self.assertIsNone(re.search(r"url\(|@import", style))

    def test_a_script_that_is_not_ours_is_refused(self):
        self.report()
        with open(self.html, encoding="utf-8") as file:
            text = file.read()
        spoilt = self.write("spoilt.html", text.replace(
            "<main>", "<main><script>window.ran = 1</script>"))
        browser.open(spoilt)
        self.assertFalse(browser.js("'ran' in window"))
        # So the console is heard, too.
        self.assertIn("Content Security Policy", json.dumps(browser.console))


class Filter(Report):
    def test_by_level_rule_and_text_of_the_address(self):
        every = ["town/growth yellow", "town/many orange", "town/many red",
                 "town/many yellow", "town/wordy yellow"]
        self.report()
        self.assertEqual(self.shown(), every)
        for fragment, shown in (
                ("#level=red", [every[2]]),
                ("#level=red,yellow;rule=town%2Fmany", every[2:4]),
                ("#text=u-2", [every[3]]),
                ("#text=U-9%20%E5%A2%9E%E9%95%BF", [every[0]]),
                ("#rule=town%2Fgrowth;text=nobody", [])):
            browser.open(self.html, fragment)
            self.assertEqual(self.shown(), shown, fragment)
            self.assertEqual(self.text("#found"), f"{len(shown)} / 5")
            self.assertEqual(
                browser.js("Array.from(document.querySelectorAll("
                           "'section.rule')).filter(s => s.checkVisibility())"
                           ".length"), len({s.split()[0] for s in shown}))
            self.quiet()

    def test_by_hand_and_the_address_follows(self):
        self.report()
        browser.js("""(function () {
            var form = document.getElementById('filter');
            form.elements.text.value = 'U-';
            form.querySelector('[value=yellow]').click();
            form.elements.text.dispatchEvent(
                new Event('input', {bubbles: true}));
        }())""")
        self.assertEqual(self.shown(), ["town/many red"])
        self.assertEqual(browser.js("location.hash"),
                         "#level=red,orange,green;text=U-")
        browser.js("document.getElementById('unfold').click()")
        self.assertEqual(self.count(".alert[open]"), 1)
        browser.js("document.getElementById('fold').click()")
        self.assertEqual(self.count(".alert[open]"), 0)
        self.quiet()

    def test_without_scripts_everything_is_there(self):
        browser.ask("Emulation.setScriptExecutionDisabled", value=True)
        self.addCleanup(browser.ask, "Emulation.setScriptExecutionDisabled",
                        value=False)
        self.report(None, "#level=red")
        self.assertEqual(len(self.shown()), 5)
        self.assertFalse(browser.js(
            "document.getElementById('filter').checkVisibility()"))


class Looks(Report):
    def contrast(self, selector):
        """Of a text and its own ground, as WCAG 2 defines it."""
        style = f"getComputedStyle(document.querySelector({selector!r}))"
        pair = [browser.js(style + name)
                for name in (".color", ".backgroundColor")]
        light = []
        for colour in pair:
            parts = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
            red, green, blue = [
                x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
                for x in parts]
            light.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
        return (max(light) + 0.05) / (min(light) + 0.05)

    def test_colours_can_be_read_in_light_and_in_dark(self):
        self.report()
        grounds = set()
        for scheme in ("light", "dark"):
            browser.screen(1200, 900, scheme)
            grounds.add(browser.js(
                "getComputedStyle(document.body).backgroundColor"))
            for level in ("red", "orange", "yellow", "green"):
                self.assertGreater(self.contrast(".badge." + level), 4.5,
                                   (scheme, level))
            self.assertGreater(self.contrast("body"), 12)
        self.assertEqual(len(grounds), 2)

    def test_nothing_is_cut_off_on_a_telephone(self):
        self.report()
        browser.screen(390, 800)
        browser.js("document.getElementById('unfold').click()")
        self.assertLessEqual(browser.js(
            "document.scrollingElement.scrollWidth"), 390)
        picture = browser.picture()
        self.assertEqual(picture[:4], b"\x89PNG")
        self.assertGreater(len(set(picture)), 200)

    def test_it_prints_on_a4(self):
        self.report()
        paper = browser.print()
        self.assertEqual(paper[:5], b"%PDF-")
        boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper)
        self.assertTrue(boxes)
        for box in boxes:
            self.assertEqual([round(float(x)) for x in box], [595, 842])


class File(Report):
    def test_the_same_rows_give_the_same_bytes(self):
        pages = []
        for _ in range(2):
            self.replay(None, "--html", self.html)
            with open(self.html, "rb") as file:
                pages.append(file.read())
        self.assertEqual(*pages)

    def test_other_output_is_as_asked_for_and_else_a_summary(self):
        self.assertRegex(self.replay(None, "--html", self.html).stdout,
                         r"^rule +judged")
        done = self.replay(None, "--html", self.html, "-f", "jsonl")
        self.assertEqual(json.loads(done.stdout.splitlines()[0])["rev"], 1)

    def test_a_replay_that_fails_leaves_the_last_report_alone(self):
        self.write("report.html", "the last one")
        # Whole at its head, so that the replay has begun when it breaks.
        broken = self.write("pays.jsonl.gz", "".join(
            json.dumps(row(os.urandom(20).hex(), "U", "01-01")) + "\n"
            for _ in range(20000)))
        with open(broken, "r+b") as file:
            file.truncate(os.path.getsize(broken) - 1000)
        done = run("replay", "-r", self.rules, "--as-of", AS_OF, "--html",
                   self.html, "pays=" + broken)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the archive is cut off", done.stderr)
        with open(self.html, encoding="utf-8") as file:
            self.assertEqual(file.read(), "the last one")
        self.assertEqual([n for n in os.listdir(self.folder)
                          if n.endswith(".part")], [])

    def test_a_path_that_cannot_be_written_is_said_at_once(self):
        done = self.replay(None, "--html", self.folder + "/none/r.html",
                           code=1)
        self.assertIn("/none/r.html: No such file", done.stderr)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
