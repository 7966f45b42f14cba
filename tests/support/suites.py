"""The suites behind tests/run: what each runs, and how cases are counted.

A case is what the tested program itself reports: a TAP line (cmocka, the
house checks, the end-to-end tests) or a closing `N passed, N failed`. A
program that ends badly without having said why is one failure, and a suite
in which no case ran has failed: silence is never success.
"""

import argparse
import glob
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
ASAN = os.path.join(ROOT, "build-asan")

_TAP = re.compile(r"^\s*(not ok|ok)\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$")
_CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$")

# cmocka calls its groups by a C identifier; only its cases are cases.
_ASAN_ENV = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Count:
    def __init__(self):
        self.passed = 0
        self.failures = []

    def add(self, other):
        self.passed += other.passed
        self.failures += other.failures

    def fail(self, text):
        self.failures.append(text)
        print("FAILED " + text, flush=True)


def tap(text, name, code):
    """Counts the cases of a program that speaks TAP."""
    count = Count()
    for line in text.splitlines():
        found = _TAP.match(line)
        if not found:
            continue
        if found[1] == "ok":
            count.passed += 1
        else:
            count.failures.append(f"{name}: {found[2].strip()}")
    if code != 0 and not count.failures:
        count.failures.append(f"{name}: ended with {code}")
    return count


def run(args, name, env=None, timeout=900, closing=False):
    """Runs a program, shows its output as it comes, counts its cases.

    With @closing its last line `N passed, N failed` counts, else its TAP.
    """
    process = subprocess.Popen(
        args, cwd=ROOT, env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True)
    end = time.monotonic() + timeout
    try:
        text = _copy_output(process, end)
    except BaseException:
        # Whoever stops this run stops what it started: first politely, so
        # that a suite can end its own children and remove its folders.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        raise
    if text is None:
        count = Count()
        count.fail(f"{name}: did not end within {timeout} s")
        return count
    code = process.wait()
    if not closing:
        return tap(text, name, code)
    count = Count()
    lines = [m for m in map(_CLOSING.match, text.splitlines()) if m]
    if not lines:
        count.fail(f"{name}: ended with {code} and counted nothing")
        return count
    count.passed = int(lines[-1][1])
    failed = int(lines[-1][2])
    count.failures = [f"{name}: {failed} cases (see above)"] * failed
    if code != 0 and not failed:
        count.fail(f"{name}: ended with {code}")
    return count


def _copy_output(process, end):
    """All it wrote, or None if it had to be ended."""
    chunks = []
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None
            if not selector.select(left):
                continue
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return b"".join(chunks).decode("utf-8", "replace")
            chunks.append(data)
            sys.stdout.buffer.write(data)
            sys.stdout.flush()


def build(folder, *options):
    """Configures if need be and compiles; False if that failed."""
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        if subprocess.run(["meson", "setup", folder, *options], cwd=ROOT,
                          stdout=subprocess.DEVNULL).returncode:
            return False
    return subprocess.run(["meson", "compile", "-C", folder], cwd=ROOT,
                          stdout=subprocess.DEVNULL).returncode == 0


def _meson_tests(folder, env):
    """Runs the unit tests of a build; counts cmocka's cases, not programs."""
    log = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    subprocess.run(
        ["meson", "test", "-C", folder, "--no-rebuild", "--suite", "unit",
         "--no-stdsplit", "--quiet", "--timeout-multiplier", "3"],
        cwd=ROOT, env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", **env},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    count = Count()
    if not os.path.exists(log):
        count.fail("meson test wrote no log")
        return count
    with open(log, encoding="utf-8") as file:
        for line in file:
            _count_program(count, json.loads(line))
    return count


def _count_program(count, result):
    name = result["name"].split(" / ")[-1].replace("tocsin:", "")
    text = result.get("stdout", "")
    one = tap(text, name, result["returncode"])
    if result["result"] == "TIMEOUT":
        one.failures.append(f"{name}: did not end in time")
    if not one.passed and not one.failures:
        one.failures.append(f"{name}: no case ran")
    if one.failures:
        print(text + result.get("stderr", ""), flush=True)
    print(f"{name}: {one.passed} passed, {len(one.failures)} failed",
          flush=True)
    count.add(one)


def house():
    return run([sys.executable, "-B", "tests/house/check"], "house")


def unit():
    return _meson_tests(BUILD, {})


def sanitize():
    if not build(ASAN, "-Db_sanitize=address,undefined", "-Db_lundef=false",
                 # gcc warns falsely of code that the sanitizers have changed.
                 "-Dwerror=false"):
        count = Count()
        count.fail("the build with sanitizers")
        return count
    return _meson_tests(ASAN, _ASAN_ENV)


def rules():
    """The shipped rules, what words mean, and the guide's examples."""
    count = Count()
    tocsin = os.path.join(BUILD, "tocsin")
    checked = subprocess.run([tocsin, "check", "rules/"], cwd=ROOT)
    if checked.returncode:
        count.fail(f"tocsin check rules/ ended with {checked.returncode}")
    else:
        count.passed += 1
    count.add(run([tocsin, "test", "rules/"], "tocsin test", closing=True))
    # What each word of a rule means, sentence by sentence.
    count.add(run([tocsin, "test", "tests/conformance/semantics"],
                  "semantics", closing=True))
    count.add(run([sys.executable, "-B", "tests/e2e/run", "guide"], "guide"))
    return count


def conformance():
    """Our own cases of the expression language, and Google's where given."""
    files = sorted(glob.glob(os.path.join(ROOT, "tests/conformance/*.jsonl")))
    suite = os.path.join(os.path.dirname(ROOT), "shared", "data",
                         "cel-conformance.jsonl")
    if os.path.exists(suite):
        files.append(suite)
    else:
        print(f"left out: {suite} is not here")
    return run(["tests/conformance/run", *files], "conformance", closing=True)


def oracle():
    """The oracle of the end-to-end tests against the rules' own tests."""
    return run([sys.executable, "-B", "tests/e2e/run", "oracle"], "oracle")


def e2e():
    return run([sys.executable, "-B", "tests/e2e/run"], "e2e", timeout=1500)


def chaos():
    """A hundred kills and every fault that needs no JVM."""
    return run([sys.executable, "-B", "tests/chaos/run", "--short", "--jobs",
                "4"], "chaos", timeout=900)


def sim():
    """A thousand seeds of the engine and the lane on what is made up."""
    return run(["tests/sim/run", "--seeds", "1000"], "sim", closing=True)


def clients():
    return run([sys.executable, "-B", "tests/e2e/run", "clients"], "clients",
               timeout=600)


def record():
    """Records against deploy/alert.schema.json."""
    return run([sys.executable, "-B", "tests/e2e/run", "record", "reference"],
               "record")


def fuzz():
    return run(["tests/fuzz/run", "--short"], "fuzz", timeout=1200)


# In the order in which they run: what is cheap and finds most comes first.
# A suite stands here as soon as what it tests does.
SUITES = [
    ("house", house, "layers, headers, format, what may lie where"),
    ("unit", unit, "cmocka, the core alone"),
    ("sanitize", sanitize, "the same under ASan and UBSan"),
    ("sim", sim, "faults at every call, as seeds have it"),
    ("record", record, "records and the reference against what is promised"),
    ("conformance", conformance, "the expression language"),
    ("fuzz", fuzz, "bytes at what reads bytes, half a minute each"),
    ("clients", clients, "the clients on a Redis that is ill-treated"),
    ("oracle", oracle, "the tests' own second opinion on the rules' tests"),
    ("rules", rules, "the shipped rules, the semantics, the guide"),
    ("chaos", chaos, "faults: nothing lost, doubled or phantom"),
    ("e2e", e2e, "real Kafka, real Redis, held against the oracle"),
]


def main():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("suite", nargs="*", metavar="SUITE")
    parser.add_argument("--list", action="store_true",
                        help="name the suites and exit")
    options = parser.parse_args()
    if options.list:
        for name, _, what in SUITES:
            print(f"{name:12} {what}")
        return 0
    known = [name for name, _, _ in SUITES]
    unknown = [name for name in options.suite if name not in known]
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are "
                     + ", ".join(known))

    total = Count()
    print("== build", flush=True)
    if not build(BUILD):
        total.fail("build")
        print(f"0 passed, {len(total.failures)} failed")
        return 1
    for name, function, what in SUITES:
        if options.suite and name not in options.suite:
            continue
        print(f"== {name}: {what}", flush=True)
        begin = time.monotonic()
        count = function()
        if not count.passed and not count.failures:
            count.fail(f"{name}: no case ran")
        print(f"== {name}: {count.passed} passed, {len(count.failures)} "
              f"failed in {time.monotonic() - begin:.0f} s", flush=True)
        total.add(count)
    for text in total.failures:
        print("FAILED " + text)
    print(f"{total.passed} passed, {len(total.failures)} failed")
    return 1 if total.failures else 0


def _stop(_number, _frame):
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
