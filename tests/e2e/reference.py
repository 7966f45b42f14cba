"""What the programs print of themselves is right, and stands in the tree."""

import copy
import glob
import json
import os
import pty
import re
import select
import subprocess
import tempfile
import time
import unittest

import jsonschema
import yaml

from support.world import BUILD, ROOT

TOCSIN = os.path.join(BUILD, "tocsin")
SHIPPED = {
    "markdown": "rules/REFERENCE.md",
    "schema": "deploy/rules.schema.json",
}
MAN = ["tocsin.1", "tocsind.8", "tocsin.yaml.5", "tocsin-rules.5"]


def printed(form):
    return subprocess.run([TOCSIN, "reference", "--format", form], check=True,
                          capture_output=True, text=True).stdout


class _Loader(yaml.SafeLoader):
    """Dates are texts, as for the loader of rules and for editors."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers
            if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def _rules():
    files = sorted(glob.glob(os.path.join(ROOT, "rules", "*.yaml"))
                   + glob.glob(os.path.join(
                       ROOT, "tests/conformance/semantics", "*.yaml")))
    for name in files:
        with open(name, encoding="utf-8") as file:
            yield name, yaml.load(file, _Loader)


# A place for each shape; what else stands there is not asked.
_CALENDAR = {"tz": "UTC"}
_PACKAGE = {
    "apiversion": 1, "package": "p", "calendars": {"c": _CALENDAR},
    "streams": {"s": {
        "time": "at", "numbers": {},
        "fields": {"id": {"type": "string"}, "a": "double", "b": "string",
                   "at": "timestamp"}},
        "o": {"time": "at", "fields": {"b": "string", "at": "timestamp"}}},
    "sources": {"v": {"stream": "s"}},
    "tables": {"t": {"stream": "s", "key": ["b"], "fields": ["a"]}},
    "rules": [{
        "rule": "r", "from": "s", "by": ["b"],
        "window": {"calendar": "month"}, "measure": {"m": "sum(a)"},
        "baseline": {"u": {"of": "m", "over": 3}},
        "alert_if": "m > 1.0", "evidence": {},
        "score": {"b": {"points": 1, "by_level": {}}}}],
    "override": [{"rule": "r"}],
}
_PLACES = {
    None: (), "stream": ("streams", "s"), "numbers": ("streams", "s",
                                                      "numbers"),
    "field": ("streams", "s", "fields", "id"), "source": ("sources", "v"),
    "table": ("tables", "t"), "rule": ("rules", 0),
    "window": ("rules", 0, "window"), "override": ("override", 0),
    "baseline": ("rules", 0, "baseline", "u"),
    "evidence": ("rules", 0, "evidence"), "score": ("rules", 0, "score", "b"),
    "by_level": ("rules", 0, "score", "b", "by_level"),
}
# What else must stand beside a key for it to be read.
_BESIDE = {
    ("window", "panes"): {"calendar": None, "sliding": "1h"},
    ("window", "last"): {"calendar": None},
    ("window", "judge"): {"calendar": None, "until": "o", "max": "1d"},
    ("baseline", "min_samples"): {"peers": ["b"], "over": "30d"},
}


def _complaints(document):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(document, file)
        file.flush()
        out = subprocess.run([TOCSIN, "check", "--json", file.name],
                             capture_output=True, text=True).stdout
    return [c["message"] for c in json.loads(out)]


def _asked(shape, key, value):
    """The loader's complaints about a value of one key."""
    document = copy.deepcopy(_PACKAGE)
    at = document
    for step in _PLACES[shape]:
        at = at[step]
    for name, other in _BESIDE.get((shape, key), {}).items():
        if other is None:
            del at[name]
        else:
            at[name] = other
    at[key] = value
    return _complaints(document)


class Reference(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(printed("schema"))
        jsonschema.Draft202012Validator.check_schema(cls.schema)
        cls.valid = jsonschema.Draft202012Validator(cls.schema)

    def test_what_is_printed_stands_in_the_tree(self):
        for form, name in SHIPPED.items():
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                self.assertEqual(
                    file.read(), printed(form), f"print it anew: "
                    f"build/tocsin reference --format {form} > {name}")

    def test_the_schema_takes_every_file_of_rules(self):
        seen = 0
        for name, document in _rules():
            errors = [e.json_path + ": " + e.message
                      for e in self.valid.iter_errors(document)]
            self.assertEqual(errors, [], name)
            seen += 1
        self.assertGreater(seen, 20)

    def test_the_schema_refuses_a_misspelled_key_of_every_shape(self):
        shapes = [self.schema, *self.schema["$defs"].values()]
        for shape in shapes:
            full = {"$defs": self.schema["$defs"], **shape}
            found = {e.validator for e in jsonschema.Draft202012Validator(
                full).iter_errors({"x-mine": 1, "surprise": 1})}
            self.assertIn("additionalProperties", found)
        seen = 0
        for _, document in _rules():
            for rule in document.get("rules", []):
                rule["alret_if"] = rule.pop("alert_if", "true")
                self.assertFalse(self.valid.is_valid(document))
                rule["alert_if"] = rule.pop("alret_if")
                seen += 1
        self.assertGreater(seen, 40)

    def test_every_shape_of_the_loader_is_reached(self):
        text = json.dumps(self.schema)
        declared = 1
        for name in glob.glob(os.path.join(ROOT, "daemon/*/*.c")):
            with open(name, encoding="utf-8") as file:
                declared += len(re.findall(r"^const struct shape \w+_shape",
                                           file.read(), re.M))
        self.assertEqual(declared - 1, 1 + len(self.schema["$defs"]))
        for name in self.schema["$defs"]:
            self.assertIn(f"#/$defs/{name}\"", text, name)

    def test_words_and_ranges_are_those_of_the_loader(self):
        words = ranges = 0
        defs = {None: self.schema, **self.schema["$defs"]}
        for shape in _PLACES:
            for key, value in defs[shape]["properties"].items():
                for part in value.get("anyOf", [value]):
                    part = part.get("items", part)
                    if isinstance(part.get("enum", [1])[0], str):
                        words += self._words(shape, key, value, part["enum"])
                    elif "minimum" in part and "pattern" not in str(value):
                        ranges += self._range(shape, key, part)
        self.assertGreater(words, 16)
        self.assertGreater(ranges, 14)

    def _words(self, shape, key, value, words):
        bad = ["zzz"] if value.get("type") == "array" else "zzz"
        said = " ".join(_asked(shape, key, bad))
        found = re.search(rf"`{key}` is ([\w, ]+), not `zzz`", said)
        if not found:
            self.fail(f"{shape}.{key}: {said}")
        listed = set(re.split(r", | or ", found[1]))
        # One that the loader knows may be refused as of a later release.
        later = {w for w in listed - set(words) if any(
            "not in this release" in m for m in _asked(shape, key, w))}
        self.assertEqual(listed - later, set(words), (shape, key))
        return 1

    def _range(self, shape, key, part):
        said = " ".join(_asked(shape, key, 10 ** 12))
        found = re.search(r"is a (?:whole )?number from (\S+) to (\S+), not",
                          said)
        if not found:
            self.fail(f"{shape}.{key}: {said}")
        self.assertEqual((float(found[1]), float(found[2])),
                         (part["minimum"], part["maximum"]), (shape, key))
        return 1

    def test_a_word_is_explained(self):
        for word, said in (("E203", "  cure: Correct the name"),
                           ("cooldown", "rule: cooldown\n  meaning: no rep"),
                           ("cooldown", "override: cooldown\n"),
                           ("sum", "Aggregates: sum(x:"),
                           ("trim", "Functions: string.trim()"),
                           ("limits.memory", "  range: 1MiB to 64TiB\n"),
                           ("tocsin_ids", "  labels: stream\n"),
                           ("65", "Exit codes of tocsind: 65\n")):
            done = subprocess.run([TOCSIN, "reference", word],
                                  capture_output=True, text=True, check=True)
            self.assertIn(said, done.stdout)
        done = subprocess.run([TOCSIN, "reference", "cooldow"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (
            1, "", "tocsin: nothing here is called `cooldow`\n"))

    def test_every_row_has_a_meaning(self):
        rows = 0
        for line in printed("markdown").splitlines():
            if line.startswith("| ") and not line.startswith("| ---"):
                cells = re.split(r"(?<!\\)\|", line)[1:-1]
                self.assertTrue(cells[0].strip() and cells[-1].strip(), line)
                rows += 1
        self.assertGreater(rows, 400)

    def test_every_example_of_a_function_is_true(self):
        text = printed("markdown")
        text = text[text.index("\n## Functions"):text.index("\n## Complaints")]
        examples = re.findall(r"^\| `.*?` \| `(.*?)` \|", text, re.M)
        self.assertGreater(len(examples), 80)
        for example in examples:
            done = subprocess.run([TOCSIN, "eval", example],
                                  capture_output=True, text=True)
            self.assertTrue(done.stdout.startswith("true : bool"),
                            (example, done.stdout, done.stderr))


class Man(unittest.TestCase):
    def test_man_pages_are_clean(self):
        for name in MAN:
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning"],
                                  input=printed(name), capture_output=True,
                                  text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ""), name)

    def test_a_page_shows_what_help_shows(self):
        page = subprocess.run(
            "mandoc -Tutf8 | col -b", shell=True, input=printed("tocsin.1"),
            capture_output=True, text=True, check=True).stdout
        helps = subprocess.run([TOCSIN, "--help"], capture_output=True,
                               text=True, check=True).stdout
        verbs = re.findall(r"^  ([a-z]+) ", helps, re.M)
        self.assertGreater(len(verbs), 8)
        flat = " ".join(page.split())
        for verb in verbs:
            said = subprocess.run([TOCSIN, verb, "--help"], text=True,
                                  capture_output=True, check=True).stdout
            for option in re.findall(r"^  .*(--[a-z-]+)", said, re.M):
                self.assertIn(option, flat, verb)

    def test_an_install_brings_pages_and_completions(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild",
                            "--destdir", folder], check=True,
                           stdout=subprocess.DEVNULL)
            found = {os.path.basename(name) for name in glob.glob(
                os.path.join(folder, "**"), recursive=True)}
        self.assertLessEqual({*MAN, "tocsin", "tocsind", "tocsin.bash",
                              "_tocsin"}, found)


class Completion(unittest.TestCase):
    def bash(self, *words):
        script = printed("bash") + (
            'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tocsin "$1"; '
            'printf "%s\\n" "${COMPREPLY[@]}"')
        return subprocess.run(["bash", "-c", script, "-", *words], cwd=ROOT,
                              capture_output=True, text=True,
                              check=True).stdout.split()

    def test_bash_offers_verbs_options_words_and_files(self):
        self.assertEqual(self.bash("tocsin", "ch"), ["check"])
        self.assertIn("--version", self.bash("tocsin", ""))
        self.assertEqual(self.bash("tocsin", "replay", "--lab"), ["--labels"])
        self.assertEqual(self.bash("tocsin", "tail", "-l", ""), ["zh", "en"])
        self.assertEqual(self.bash("tocsin", "tail", "--count", ""), [])
        self.assertEqual(self.bash("tocsin", "check", "READ"),
                         ["README.md", "README.zh-CN.md"])
        self.assertEqual(self.bash("tocsin", "replay", "--rules", "rule"),
                         ["rules"])
        self.assertEqual(self.bash("tocsin", "demo", "READ"), [])
        self.assertEqual(self.bash("/usr/sbin/tocsind", "-c", "LIC"),
                         ["LICENSE"])
        self.assertIn("-n", self.bash("tocsind", "-"))

    def test_zsh_completes_as_it_is_typed(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "_tocsin"), "w") as file:
                file.write(printed("zsh"))
            shell = _Zsh(folder)
            try:
                shell.type("tocsin chec\t", "tocsin check ")
                shell.type("tocsin replay --lab\t", "tocsin replay --labels=")
                shell.type("tocsin tail --language z\t",
                           "tocsin tail --language zh ")
                shell.type("tocsin check LICEN\t", "tocsin check LICENSE ")
                shell.type("tocsind --vers\t", "tocsind --version ")
            finally:
                shell.close()


class _Zsh:
    """A shell that someone sits at; `echo` shows what the line became."""

    def __init__(self, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe("zsh", ["zsh", "-f", "-i"],
                       {**os.environ, "TERM": "dumb"})
        self.run(f"fpath=({folder} $fpath); autoload -Uz compinit; "
                 "compinit -u -D; PS1=; show() { print -r -- "
                 "\"<$BUFFER>\"; BUFFER=; }; zle -N show; "
                 "bindkey '^X' show; print re''ady", "ready")

    def run(self, keys, wanted):
        os.write(self.fd, keys.encode() + b"\n")
        self.wait(wanted)

    def type(self, keys, wanted):
        os.write(self.fd, keys.encode() + b"\x18")
        self.wait(f"<{wanted}>")

    def wait(self, wanted):
        seen = b""
        end = time.monotonic() + 60
        while wanted.encode() not in seen:
            if not select.select([self.fd], [], [],
                                 max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{wanted!r} is not in {seen!r}")
            seen += os.read(self.fd, 4096)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)
