"""Processes that a test starts, and waiting for what they do.

Nothing here sleeps for a time that somebody guessed: wait_for() asks until the
answer is yes or the deadline has passed. Whatever a test starts it starts
through Children, which ends every child by its pid when the test ends; a test
that is itself killed takes its children with it (PR_SET_PDEATHSIG).
"""

import ctypes
import os
import signal
import socket
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Timeout(AssertionError):
    """A condition did not come true before its deadline."""


def wait_for(condition, seconds, what, interval=0.02):
    """The first true value of condition(); Timeout after @seconds.

    @what names the condition in the complaint: a string, or a function for
    what is only worth asking for once it has failed.
    """
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            text = what() if callable(what) else what
            raise Timeout(f"after {seconds} s still not: {text}")
        time.sleep(interval)


def free_port():
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One process whose output goes to a file."""

    def __init__(self, name, args, log, cwd=None, env=None,
                 stdin=subprocess.DEVNULL):
        self.name = name
        self.log = log
        self._out = open(log, "ab")
        self._start = self._out.tell()
        self.process = subprocess.Popen(
            [str(a) for a in args], stdin=stdin, stdout=self._out,
            stderr=subprocess.STDOUT, cwd=cwd, env=env,
            preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def output(self):
        """What it has written since it was started."""
        with open(self.log, "rb") as file:
            file.seek(self._start)
            return file.read().decode("utf-8", "replace")

    def tail(self, lines=20):
        return "\n".join(self.output().splitlines()[-lines:])

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds):
        """Its exit code; Timeout if it does not end by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.name} did not end within {seconds} s:\n"
                          + self.tail()) from None

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self.running():
            self.process.kill()
        self.process.wait()
        self._out.close()

    def stop(self, seconds=15):
        """SIGTERM, then, if that is not heeded, SIGKILL; the exit code."""
        if self.running():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        self._out.close()
        return code


class Children:
    """Starts processes in one folder and ends them all, last one first."""

    def __init__(self, folder):
        self.folder = folder
        self._children = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in reversed(self._children):
            child.stop()

    def start(self, name, args, **options):
        log = os.path.join(self.folder, name + ".log")
        child = Child(name, args, log, **options)
        self._children.append(child)
        return child
