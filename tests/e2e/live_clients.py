"""Both clients beside a daemon, while Redis, they and it are killed."""

import json
import os
import unittest

from clients import AOF, COMMANDS, Account
from support import run_of
from support.process import wait_for
from support.town import Town
from support.world import World

STEPS = 6


class Reader:
    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.file = os.path.join(world.folder, name + ".jsonl")
        self.start()

    def start(self):
        self.child = self.world.children.start(
            self.name, [*COMMANDS[self.name], "--block", "0.1", "--url",
                        "unix://" + self.world.redis.socket,
                        "--append", self.file])

    def restart(self):
        self.child.kill()
        self.start()

    def cursor(self):
        """The hash of the last record that it has dealt with, or None."""
        if not self.child.running():
            raise AssertionError(f"{self.name} ended:\n" + self.child.tail())
        with open(self.file, "rb") as file:
            lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        return json.loads(whole[-1])["cursor"]["hash"] if whole else None


def _disturb(world, daemon, readers, step):
    """Another thing is killed each time; the daemon that runs then."""
    if step % 3 == 0:
        daemon.kill()
        daemon = world.daemon()
    elif step % 3 == 1:
        for reader in readers:
            reader.restart()
    else:
        world.redis.kill()
        world.redis.start()
    return daemon


def _run(world):
    """Readers of a whole run, and the records that Redis has in the end."""
    world.redis.start()
    run_of.create(world)
    town = Town(11)
    step = len(town.items) // STEPS + 1
    daemon = world.daemon()
    readers = [Reader(world, name) for name in COMMANDS]
    with run_of.producer() as producer:
        for number in range(STEPS):
            town.produce(producer, world.prefix, number * step,
                         (number + 1) * step)
            daemon = _disturb(world, daemon, readers, number)
    run_of.take_all_and_stop(world, daemon)
    with world.redis.connect() as redis:
        return readers, [json.loads(d) for d in run_of.documents(redis)]


class LiveClients(unittest.TestCase):
    def test_nothing_is_missed_or_doubled(self):
        with World(AOF) as world:
            readers, records = _run(world)
            self.assertGreater(len(records), 50)
            standing = {r["id"]: r for r in records}
            wanted = {i: r["seq"] for i, r in standing.items() if r["open"]}
            for reader in readers:
                wait_for(lambda: reader.cursor() == records[-1]["hash"], 30,
                         lambda: f"{reader.name} is at the end\n"
                         + reader.child.tail())
                account = Account(reader.file,
                                  {r["hash"]: r for r in records}).read()
                self.assertEqual(account.view, wanted)
                self.assertEqual(account.reasons, ["start"])
