"""A state directory on a disk that has no room."""

import contextlib
import os
import subprocess
import unittest

from support import run_of
from support.process import wait_for
from support.town import Town
from support.world import World


@contextlib.contextmanager
def small_disk(folder, options):
    """A file system of its own at @folder; mounting one takes root."""
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
                   check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def resize(folder, options):
    subprocess.run(["mount", "-o", "remount," + options, folder], check=True)


def fill(folder):
    """A file that takes all the room there is; its path."""
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


class Full(unittest.TestCase):
    def _says_so_once(self, daemon):
        wait_for(lambda: "until there is room" in daemon.child.output(), 30,
                 lambda: "it says so\n" + daemon.child.tail())
        wait_for(lambda: daemon.get("/ready") == (
            503, "lane: the disk is full\n"), 10,
                 lambda: f"it is not ready: {daemon.get('/ready')}")
        self.assertEqual(daemon.metrics()["tocsin_disk_full"], 1)
        self.assertEqual(daemon.get("/health")[0], 200)
        self.assertEqual(
            daemon.child.output().count("until there is room"), 1)

    def test_at_the_very_first_start_it_is_waited_for(self):
        with World() as world:
            disk = os.path.join(world.folder, "disk")
            # No room for a name, then for the rules, then for the journal.
            with small_disk(disk, "size=4k,nr_inodes=1"):
                world.redis.start()
                run_of.create(world)
                daemon = world.daemon(state="disk/state", wait=False)
                wait_for(lambda: "waiting for room" in daemon.child.output(),
                         20, daemon.child.tail)
                resize(disk, "size=4k,nr_inodes=1000")
                wait_for(lambda: "mask_key: made" in daemon.child.output(),
                         20, daemon.child.tail)
                resize(disk, "size=1m")
                wait_for(daemon.address, 20, daemon.child.tail)
                self._says_so_once(daemon)
                with run_of.producer() as producer:
                    Town(40, months=3).produce(producer, world.prefix)
                self.assertFalse(daemon.ready())
                resize(disk, "size=64m")
                run_of.take_all_and_stop(world, daemon)
                self.assertIn("there is room again", daemon.child.output())
                run_of.check(world, daemon)

    def test_at_a_later_start_it_is_waited_for(self):
        with World() as world:
            disk = os.path.join(world.folder, "disk")
            with small_disk(disk, "size=32m"):
                world.redis.start()
                run_of.create(world)
                town = Town(41, months=4)
                half = len(town.items) // 2
                with run_of.producer() as producer:
                    town.produce(producer, world.prefix, 0, half)
                    run_of.take_all_and_stop(world,
                                             world.daemon(state="disk"))
                    town.produce(producer, world.prefix, half)
                filler = fill(disk)
                daemon = world.daemon(state="disk")
                self._says_so_once(daemon)
                os.remove(filler)
                run_of.take_all_and_stop(world, daemon)
                run_of.check(world, daemon)

    def test_stopped_while_it_waits_it_says_that_something_is_left(self):
        with World() as world:
            disk = os.path.join(world.folder, "disk")
            with small_disk(disk, "size=32m"):
                world.redis.start()
                run_of.create(world)
                with run_of.producer() as producer:
                    Town(42, months=2).produce(producer, world.prefix)
                run_of.take_all_and_stop(world, world.daemon(state="disk"))
                fill(disk)
                daemon = world.daemon(state="disk")
                self._says_so_once(daemon)
                self.assertEqual(daemon.stop(), 75)
