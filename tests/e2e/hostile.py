"""Bad events among good ones: refused by name, counted, the loop goes on."""

import os
import re
import unittest

from support import run_of
from support.town import Town
from support.world import ROOT, World

GOOD = ('{"voucher_no":"h%d","unit":"U-0","econ_class":"30201",'
        '"budget_line":"L-0-30201","payee":"p","payee_account":"1",'
        '"amount":%s,"paid_at":%s}')


def good(number, amount="1.00", at='"2025-06-01T00:00:00+08:00"'):
    return (GOOD % (number, amount, at)).encode()


HOSTILE = {
    "nothing at all": None,
    "no bytes": b"",
    "blanks": b"   \n",
    "not JSON": b"hello",
    "truncated": good(1)[:-20],
    "two documents": good(2) + good(3),
    "an array": b"[" + good(4) + b"]",
    "a number": b"12",
    "a NUL byte inside a string": good(5).replace(b"U-0", b"U\0-0"),
    "a NUL byte behind it": good(6) + b"\0",
    "a control character": good(7).replace(b"U-0", b"U\n0"),
    "broken UTF-8": good(8).replace(b"U-0", b"U\xff\xfe0"),
    "overlong UTF-8": good(9).replace(b"U-0", b"U\xc0\xaf0"),
    "a surrogate in UTF-8": good(10).replace(b"U-0", b"U\xed\xa0\x800"),
    "a key twice": good(11)[:-1] + b',"amount":2}',
    "five megabytes": good(12)[:-1] + b',"x":"' + b"y" * 5000000 + b'"}',
    "ten thousand deep": good(13)[:-1] + b',"x":' + b"[" * 10000
    + b"]" * 10000 + b"}",
    "ten thousand deep and truncated": b'{"a":' * 10000,
    "an amount that is a list": good(14, "[1]"),
    "an amount that is true": good(15, "true"),
    "an amount that is null": good(16, "null"),
    "an amount with three decimals": good(17, "1.001"),
    "an amount that does not fit": good(18, "99999999999999999999"),
    "an amount of a thousand digits": good(19, "1" * 1000),
    "an amount in words": good(20, '"many"'),
    "an amount that is no number": good(21, "NaN"),
    "an amount with a leading zero": good(22, "01"),
    "a unit that is a number": good(23).replace(b'"U-0"', b"7"),
    "no time": good(24).replace(b"paid_at", b"laid_at"),
    "a time in words": good(25, at='"yesterday"'),
    "a time of the year 0": good(26, at='"0000-01-01T00:00:00Z"'),
    "a day that does not exist": good(27, at='"2025-02-30T00:00:00Z"'),
    "a leap second": good(28, at='"2025-06-30T23:59:60Z"'),
    "a month 13": good(29, at='"2025-13-01"'),
    "the year 9999": good(30, at='"9999-12-31T23:59:59Z"'),
    "the year 2100": good(31, at='"2100-01-01T00:00:00Z"'),
    "no voucher": good(32).replace(b"voucher_no", b"toucher_no"),
    # Beside the first good one, so that its id is still remembered.
    "the same voucher with another amount": good(99, "2.00"),
}


CONFLICT = "the same voucher with another amount"


class Hostile(unittest.TestCase):
    def test_read_is_kept_and_refused_and_duplicate(self):
        town = Town(11)
        with World() as world:
            world.redis.start()
            run_of.create(world)
            items = iter(range(0, len(town.items), len(town.items)
                               // (len(HOSTILE) + 1)))
            sent = 0
            with run_of.producer() as producer:
                for payload in (good(99), HOSTILE[CONFLICT]):
                    producer.send(world.topic("payments"), payload, 0,
                                  timestamp=1748700000000)
                for name, payload in HOSTILE.items():
                    begin = next(items)
                    if name == CONFLICT:
                        continue
                    town.produce(producer, world.prefix, sent, begin)
                    sent = begin
                    producer.send(world.topic("payments"), payload, 0,
                                  timestamp=1748700000000)
                town.produce(producer, world.prefix, sent)
            daemon = world.daemon().wait_ready()
            run_of.wait_taken(world, daemon)
            metrics = daemon.metrics()
            self._explained(daemon)
            run_of.take_all_and_stop(world, daemon)
            oracle, steps = run_of.oracle_of(world, daemon)
            self.assertEqual(oracle.refused, len(HOSTILE), oracle.refusals)
            run_of.check(world, daemon)
            self._counts(daemon, metrics, oracle, steps)

    def _explained(self, daemon):
        """Each metric stands in the reference, and no other."""
        with open(os.path.join(ROOT, "rules", "REFERENCE.md"),
                  encoding="utf-8") as file:
            rows = re.findall(r"^\| `(tocsin_\w+)` \| (\w+) ", file.read(),
                              re.M)
        self.assertEqual(re.findall(r"^# TYPE (\w+) (\w+)$",
                                    daemon.get("/metrics")[1], re.M), rows)

    def _counts(self, daemon, metrics, oracle, steps):
        read = daemon.total("tocsin_events_read_total", metrics)
        kept = daemon.total("tocsin_events_kept_total", metrics)
        refused = daemon.total("tocsin_events_refused_total", metrics)
        duplicate = daemon.total("tocsin_events_duplicate_total", metrics)
        self.assertEqual(read, kept + refused + duplicate)
        self.assertEqual(
            (read, kept, refused, duplicate),
            (steps.taken, oracle.kept, oracle.refused, oracle.duplicate))
