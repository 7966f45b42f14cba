"""Brokers are away, slow, or give up what they lead; the log changes."""

import contextlib
import glob
import os
import struct
import time

from rows import row
from scene import Scene
from support import run_of
from support.kafka import Cluster
from support.process import wait_for
from support.rdkafka import (create_partitions, create_topics,
                             delete_records, delete_topics)
from support.world import broker


@row("broker, leader or coordinator away")
def mock_away(run):
    """Of three mock brokers: down and up, leaders and the coordinator moved
    or gone, answers 300 ms late."""
    with Scene(run, brokers=3) as scene:
        daemon = scene.start(wait=True)
        order = scene.broker.order
        topics = run_of.topics(scene.world)
        rnd = scene.rnd

        def down():
            which = rnd.randrange(1, 4)
            order(f"down {which}")
            time.sleep(rnd.uniform(0, 1))
            order(f"up {which}")

        def late():
            for which in 1, 2, 3:
                order(f"rtt {which} {rnd.choice((0, 20, 300))}")

        def moved():
            topic = rnd.choice(topics)
            which = rnd.randrange(run_of.PARTITIONS)
            order(f"leader {topic} {which} -1")
            time.sleep(rnd.uniform(0, 0.3))
            order(f"leader {topic} {which} {rnd.randrange(1, 4)}")

        def coordinator():
            order(f"coordinator tocsin-0 {rnd.randrange(1, 4)}")

        n = run.times(10, 100)
        with scene.load(n * 0.7):
            for _ in range(n):
                rnd.choice((down, late, moved, coordinator))()
                scene.fault()
                if rnd.random() < 0.2:
                    scene.kill(daemon)
                    daemon = scene.start(wait=True)
                scene.alive(daemon)
                time.sleep(rnd.uniform(0, 0.4))
            # What is left is to be sent at once, not in minutes.
            for which in 1, 2, 3:
                order(f"rtt {which} 0")
        scene.finish(daemon)


def three_brokers(world):
    return Cluster(world.children, world.folder).start()


@row("one of three brokers killed and brought back", needs_kafka=True)
def one_of_three(run):
    """Under load, each in turn; leaders move away and come back."""
    with Scene(run, broker=three_brokers) as scene:
        daemon = scene.start(wait=True)
        nodes = scene.broker.nodes
        n = run.times(3, 9)
        with scene.load(n * 12):
            for i in range(n):
                node = nodes[i % 3]
                node.kill()
                scene.fault()
                time.sleep(scene.rnd.uniform(0, 4))
                scene.kill(daemon)
                daemon = scene.start(wait=True)
                node.start()
                # Two are needed to write: the next dies when all are back.
                wait_for(scene.broker.complete, 60, "all brokers are there")
                scene.alive(daemon)
        scene.finish(daemon)


@contextlib.contextmanager
def with_past(run, months=8, **config):
    """A scene on a real broker whose first half has been taken, compared,
    and then killed."""
    with Scene(run, months=months, broker=lambda _: broker(),
               **config) as scene:
        daemon = scene.start(wait=True)
        with scene.load(2, 0, 0.5):
            time.sleep(2)
        scene.settle(daemon)
        scene.compare(daemon)
        yield scene, daemon


def expire(scene, ends=None):
    delete_records(scene.broker.address, ends or run_of.ends(scene.world))
    scene.fault()


def taken_up_to(daemon):
    """The ordinal of the last record."""
    return max(line["ordinal"] + line["run"]["count"] - 1
               for line in daemon.journal() if "run" in line)


def checkpoint_of(daemon):
    """The ordinal of the newest checkpoint (CHECKPOINT.md: the manifest)."""
    manifests = sorted(glob.glob(os.path.join(
        daemon.state, "journal-*", "checkpoint", "manifest-*")))
    with open(manifests[-1], "rb") as file:
        return struct.unpack_from("<Q", file.read(), 4 * 8 + 32 + 2 * 8)[0]


def archived_to(daemon):
    """The ordinal behind the archive's last frame (ARCHIVE.md)."""
    segments = sorted(glob.glob(os.path.join(
        daemon.state, "archive", "journal-*", "*.tar1")))
    end = 0
    for path in segments[-1:]:
        with open(path, "rb") as file:
            while len(head := file.read(32)) == 32:
                _, _, length, _, _, end = struct.unpack("<4I2Q", head)
                file.seek(length, os.SEEK_CUR)
    return end


def wait_counts(daemon, taken):
    """For a checkpoint of all that was taken, and for what it needs beside
    itself: one that a kill finds without does not count."""
    wait_for(lambda: checkpoint_of(daemon) >= taken
             and archived_to(daemon) > checkpoint_of(daemon), 20,
             daemon.child.tail)


@row("log expired below the checkpoint", needs_kafka=True)
def expired(run):
    """What a checkpoint holds is not asked for again."""
    for _ in range(run.times(1, 4)):
        with with_past(run, checkpoint={"every": "100ms"}) as (scene, daemon):
            wait_counts(daemon, taken_up_to(daemon))
            # While it runs, and once more while it does not.
            expire(scene)
            scene.send(0.5, 0.6)
            scene.settle(daemon)
            scene.remember()
            wait_counts(daemon, taken_up_to(daemon))
            scene.kill(daemon)
            expire(scene)
            scene.send(0.6, 0.8)
            daemon = scene.start(wait=True)
            scene.settle(daemon)
            if "seam" in daemon.child.output():
                raise AssertionError(daemon.child.output())
            scene.kill(daemon)
            scene.send(0.8, 1)
            scene.finish()


@row("log truncated or expired above the checkpoint", needs_kafka=True)
def expired_above(run):
    """What only the journal's order was known of is gone: a seam."""
    for _ in range(run.times(1, 4)):
        with with_past(run, checkpoint={"every": "0s"}) as (scene, daemon):
            scene.kill(daemon)
            expire(scene)
            scene.send(0.5, 1)
            daemon = scene.start(wait=True)
            scene.finish(daemon)
            if "log changed" not in daemon.child.output():
                raise AssertionError("no seam:\n" + daemon.child.output())


def sealed(daemon):
    """Its journal begins with a seam that has come to its end."""
    lines = daemon.journal()
    return lines and lines[0]["header"]["seam"] and any(
        line.get("decision") == "seam" for line in lines)


@row("topic recreated", needs_kafka=True)
def recreated(run):
    """While it runs, and while it does not."""
    for lives in (True, False):
        with with_past(run) as (scene, daemon):
            if not lives:
                scene.kill(daemon)
            topic = scene.world.topic(scene.rnd.choice(
                ("payments", "orders", "awards")))
            delete_topics(scene.broker.address, [topic])
            scene.fault()
            if lives:
                wait_for(lambda: sealed(daemon), 30, daemon.child.tail)
            create_topics(scene.broker.address, {topic: run_of.PARTITIONS})
            if not lives:
                daemon = scene.start(wait=True)
                wait_for(lambda: sealed(daemon), 30, daemon.child.tail)
            # Coordinates name other events from here on, and what came before
            # the seam is known by what it says.
            scene.send(0.5, 1)
            scene.finish(daemon)


@row("more partitions than before", needs_kafka=True)
def more_partitions(run):
    """Under load; killed when they come."""
    for _ in range(run.times(1, 5)):
        with with_past(run) as (scene, daemon):
            with scene.load(1, 0.5, 0.7):
                create_partitions(
                    scene.broker.address,
                    dict.fromkeys(run_of.topics(scene.world),
                                  run_of.PARTITIONS + 2))
                scene.fault()
                time.sleep(scene.rnd.uniform(0, 1))
                scene.kill(daemon)
                daemon = scene.start(wait=True)
            for item in scene.town.items:
                item.partition = sum(item.key) % (run_of.PARTITIONS + 2)
            scene.forget_producer()  # which does not hear of new ones
            scene.send(0.7, 1)
            scene.finish(daemon)
