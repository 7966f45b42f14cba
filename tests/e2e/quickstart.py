"""The quickstart, as a newcomer runs it: twice, and nothing is left."""

import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
COMMAND = [os.path.join(ROOT, "deploy", "quickstart"), "--seconds", "0"]


def running_with(text):
    """Command lines of processes that mention @text."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


class Quickstart(unittest.TestCase):
    def test_it_finds_what_is_planted_twice_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
            for _ in range(2):
                done = subprocess.run(
                    COMMAND, env={**os.environ, "TMPDIR": folder},
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, timeout=300, check=False)
                text = done.stdout.decode()
                self.assertEqual(done.returncode, 0, text)
                self.assertIn("5. ", text)
                self.assertEqual(os.listdir(folder), [])
                self.assertEqual(running_with(folder), [])

    def test_an_unknown_argument_starts_nothing(self):
        done = subprocess.run([*COMMAND, "--fast"], capture_output=True,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--help", done.stderr)
