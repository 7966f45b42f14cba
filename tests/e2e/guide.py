"""The operators' guide, played as its reader would, in both languages.

A chapter (`##`) begins in an empty folder. Its blocks are taken in order:

  ```yaml file=NAME       is written to NAME; so are json and csv. With `all`
                          behind it, into all later chapters too. What is
                          called wrong*.yaml is shown for what is said of it.
  ```console              `$ COMMAND` and what it prints; `…` stands for
                          anything. With `fails` the last one does.
  ```sh                   commands on a real machine: they must exist, and so
                          must what they name of this repository.
  ```text                 a picture.

At the end of a chapter its rules must load without an error and their tests
pass. `python3 -B tests/e2e/guide.py --write` puts the output of today in.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("TOCSIN_BUILD", os.path.join(ROOT, "build"))
GUIDES = {"en": os.path.join(ROOT, "rules", "GUIDE.md"),
          "zh": os.path.join(ROOT, "rules", "GUIDE.zh-CN.md")}

_BLOCK = re.compile(r"^```([a-z]+)([^\n]*)\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"file=(\S+)")
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_KINDS = {"yaml", "json", "csv", "console", "sh", "text"}


class Block:
    def __init__(self, kind, info, text):
        self.kind, self.text = kind, text
        self.words = info.split()
        file = _FILE.search(info)
        self.file = file and file[1]

    def commands(self):
        """Of a console: each command with the lines that it prints."""
        pairs = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                pairs.append((line[2:], []))
            else:
                pairs[-1][1].append(line)
        return pairs

    def bare(self):
        """What has to be the same in both languages."""
        if self.kind == "console":
            return [re.sub(r" -l (zh|en)\b", "", command)
                    for command, _ in self.commands()]
        if self.kind == "text":
            return None
        # Comments, names of tests and messages are each language's own.
        text = re.sub(r"(?m)(^|\s+)#.*$", "", self.text)
        text = re.sub(r'"note": "[^"]*"', "", text)
        return re.sub(r"(?m)^(\s*(?:- )?(?:name|like|message): ).*$", r"\1",
                      text)


def read(language):
    with open(GUIDES[language], encoding="utf-8") as file:
        return file.read()


def chapters(text):
    """Titles with what stands below them, the preface left out."""
    parts = re.split(r"(?m)^## (.*)$", text)
    return list(zip(parts[1::2], parts[2::2]))


def blocks(text):
    return [Block(*found.groups()) for found in _BLOCK.finditer(text)]


def same(shown, printed):
    pattern = "[^\n]*".join(map(re.escape, shown.split("…")))
    return re.fullmatch(pattern, printed) is not None


def run(command, folder):
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, text=True, timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TOCSIN": ROOT,
             "PATH": BUILD + ":" + os.environ["PATH"]})
    return done.returncode, done.stdout


class Reader:
    """Someone who reads a guide from its first chapter to its last."""

    def __init__(self):
        self.kept = {}

    def chapter(self, text):
        """What went otherwise than it is shown, and the text as it went."""
        wrong = []
        with tempfile.TemporaryDirectory(prefix="guide-") as folder:
            for name, content in self.kept.items():
                self._write(folder, name, content)

            def block(found):
                told, what = self._block(Block(*found.groups()), folder)
                wrong.extend(what)
                return f"```{found[1]}{found[2]}\n{told}```"

            told = _BLOCK.sub(block, text)
            wrong += self._rules(folder)
        return wrong, told

    @staticmethod
    def _write(folder, name, content):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    def _block(self, block, folder):
        if block.kind not in _KINDS:
            return block.text, [f"no such kind of block: {block.kind}"]
        if block.file:
            self._write(folder, block.file, block.text)
            if "all" in block.words:
                self.kept[block.file] = block.text
        elif block.kind == "console":
            return self._console(block, folder)
        elif block.kind == "sh":
            return block.text, self._shell(block)
        elif block.kind != "text":
            return block.text, [f"a block of {block.kind} without file="]
        return block.text, []

    @staticmethod
    def _console(block, folder):
        told, wrong = "", []
        pairs = block.commands()
        for number, (command, shown) in enumerate(pairs):
            code, printed = run(command, folder)
            shown = "".join(line + "\n" for line in shown)
            last = number == len(pairs) - 1
            if (code != 0) != (last and "fails" in block.words):
                wrong.append(f"$ {command}\nended with {code}:\n{printed}")
            if same(shown, printed):
                printed = shown
            else:
                wrong.append(f"$ {command}\nshown:\n{shown}printed:\n"
                             f"{printed}")
            printed = re.sub(r"(?m)^as of \d\S+$", "as of …", printed)
            told += f"$ {command}\n{printed}"
        return told, wrong

    @staticmethod
    def _shell(block):
        wrong = []
        for line in block.text.splitlines():
            words = line.partition(" #")[0].split()
            for word in words:
                local = re.fullmatch(r"(build|deploy|rules|tests)/[\w./-]+",
                                     word)
                path = word.replace("build/", BUILD + "/", 1) \
                    if word.startswith("build/") else os.path.join(ROOT, word)
                if local and not os.path.exists(path):
                    wrong.append(f"there is no {word}")
            if words[:1] in (["build/tocsin"], ["tocsin"]):
                code, _ = run(f"tocsin {words[1]} --help", ROOT)
                if code:
                    wrong.append(f"there is no verb {words[1]}")
        return wrong

    @staticmethod
    def _rules(folder):
        names = sorted(name for name in os.listdir(folder)
                       if name.endswith(".yaml")
                       and not name.startswith(("wrong", "tocsin")))
        wrong, text = [], ""
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text += file.read()
        if "\nrules:" not in text and "\ntests:" not in text:
            return wrong
        code, printed = run("tocsin check " + " ".join(names), folder)
        if code:
            wrong.append("tocsin check:\n" + printed)
        if re.search(r"(?m)^ *tests:", text):
            code, printed = run("tocsin test " + " ".join(names), folder)
            if code or printed.startswith("0 passed"):
                wrong.append("tocsin test:\n" + printed)
        return wrong


class Guide(unittest.TestCase):
    maxDiff = None

    def test_both_languages_show_the_same_examples(self):
        english, chinese = (chapters(read(name)) for name in ("en", "zh"))
        self.assertEqual(len(english), len(chinese))
        for (title, one), (_, other) in zip(english, chinese):
            pairs = list(zip(blocks(one), blocks(other)))
            self.assertEqual(len(blocks(one)), len(blocks(other)), title)
            for first, second in pairs:
                self.assertEqual((first.kind, first.words, first.bare()),
                                 (second.kind, second.words, second.bare()),
                                 title)

    def test_links_lead_somewhere(self):
        for path in GUIDES.values():
            with open(path, encoding="utf-8") as file:
                text = _BLOCK.sub("", file.read())
            for target, anchor in _LINK.findall(text):
                place = os.path.normpath(
                    os.path.join(os.path.dirname(path), target)) \
                    if target else path
                self.assertTrue(os.path.exists(place), target)
                if anchor and not target:
                    self.assertIn(f'<a id="{anchor}">', text)


def _add(language, reader, number, title, text):
    def method(self):
        wrong, _ = reader.chapter(text)
        if wrong:
            self.fail("\n".join(
                [f"{GUIDES[language]}: {title}", *wrong,
                 "If it is meant: tests/e2e/guide.py --write, then look."]))

    name = re.sub(r"\W+", "_", title)
    setattr(Guide, f"test_{language}_{number + 1:02}_{name}", method)


for _language in GUIDES:
    _reader = Reader()
    for _number, (_title, _text) in enumerate(chapters(read(_language))):
        # unittest takes them in the order of their names, so of numbers.
        _add(_language, _reader, _number, _title, _text)


def write():
    failed = 0
    for language, path in GUIDES.items():
        text, reader = read(language), Reader()
        for title, part in chapters(text):
            wrong, told = reader.chapter(part)
            text = text.replace(part, told)
            for what in wrong:
                failed = 1
                print(f"{language}: {title}: {what}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return failed


if __name__ == "__main__":
    sys.exit(write() if sys.argv[1:] == ["--write"] else __doc__)
