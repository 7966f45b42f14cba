"""librdkafka's mock cluster in a process of its own (tocsin-broker).

Up at once and without a JVM, so there may be many of them. What it cannot do
needs a real broker: it keeps all in memory (5 MiB a partition), so a stopped
one has lost everything; it knows no expiry, no administration and no rights.
"""

import os
import re
import subprocess

from support.process import wait_for


class MockBroker:
    """@topics {name: partitions}; brokers are numbered from 1."""

    def __init__(self, children, build, topics, brokers=1, name="broker"):
        self.brokers = brokers
        self.child = children.start(
            name, [os.path.join(build, "tocsin-broker"), "--brokers", brokers,
                   "--topics", ",".join(f"{topic}:{n}"
                                        for topic, n in topics.items())],
            stdin=subprocess.PIPE)
        self.address = wait_for(self._address, 20, lambda:
                                "the mock broker says where it is\n"
                                + self.child.tail())

    def _address(self):
        if not self.child.running():
            raise AssertionError("the mock broker ended:\n"
                                 + self.child.tail())
        found = re.search(r"^(127\.0\.0\.1:\S+)\n", self.child.output(),
                          re.MULTILINE)
        return found and found[1]

    def order(self, line):
        """A fault, as tocsin-broker --help lists them."""
        before = self._answers()
        self.child.process.stdin.write(line.encode() + b"\n")
        self.child.process.stdin.flush()
        wait_for(lambda: len(self._answers()) > len(before), 20, line)
        if self._answers()[-1] != "done":
            raise AssertionError(f"{line}: {self._answers()[-1]}")

    def _answers(self):
        return [line for line in self.child.output().splitlines()
                if line == "done" or line.startswith("not understood")
                or line.startswith("Broker:") or line.startswith("Local:")]
