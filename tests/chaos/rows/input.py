"""What comes in: bad records, other rules, too many keys."""

import os
import tempfile
import time

from rows import row
from scene import Scene
from support import flood
from support.process import wait_for

BAD = (b"", b"\x00", b"nonsense", b"[]", b"{}", b"\xff\xfe{}",
       b'{"a":' * 2000, b'{"amount":1,"amount":2}',
       b'{"voucher_no":7,"paid_at":"2025-01-01"}', b'"' + b"x" * 100000 + b'"',
       b'{"paid_at":"2199-01-01T00:00:00Z"}', None)


@row("bad record")
def bad(run):
    """Among the good ones, under kills: each is a dead letter, once."""
    with Scene(run) as scene:
        items = scene.town.items
        good = list(items)
        n = run.times(60, 600)
        for _ in range(n):
            item = scene.rnd.choice(good)
            copy = type(item)(*(getattr(item, s) for s in item.__slots__))
            copy.payload = scene.rnd.choice(
                BAD + (item.payload[:-1], item.payload[:20],
                       item.payload.replace(b'"amount":', b'"amount":-x')))
            items.insert(items.index(item), copy)
        scene.fault(n)
        _kills_under_load(scene, run.times(6, 60))
        scene.finish()


def _kills_under_load(scene, n, **config):
    with scene.load(n * 0.5):
        for _ in range(n):
            daemon = scene.start(**config)
            time.sleep(scene.rnd.uniform(0.1, 0.8))
            scene.kill(daemon)


@row("memory cap")
def cap(run):
    """Few keys a rule, under kills: the same are given up each time."""
    with tempfile.TemporaryDirectory() as rules:
        with open(os.path.join(rules, "flood.yaml"), "w",
                  encoding="utf-8") as file:
            file.write(flood.RULES)
        with Scene(run, rules=rules, limits={"keys_per_rule": flood.KEYS},
                   town=flood.Flood(run.rnd.randrange(10 ** 6), 2000)) as scene:
            _kills_under_load(scene, run.times(10, 100))
            scene.finish()


# Text of the shipped rules, and what it becomes.
EDITS = (("slack: 1000", "slack: 30000000"),
         ("alert_if: cnt >= 2", "alert_if: cnt >= 3"),
         ("slack: 30000000", "slack: 1000"))


@row("reload under load")
def reload(run):
    """Rules are edited while events arrive. Daemons that run are told, or are
    killed and others take them up; these are killed in the middle of the
    seam."""
    n = run.times(2, len(EDITS))
    with Scene(run) as scene:
        daemon = scene.start(wait=True)
        with scene.load(1.5, 0, 0.4):
            time.sleep(1.5)
        scene.settle(daemon)
        scene.compare(daemon)
        for i, edit in enumerate(EDITS[:n]):
            if i % 2:
                scene.kill(daemon)
                scene.world.edit_rules(*edit)
            else:
                scene.world.edit_rules(*edit)
                daemon.reload()
                wait_for(lambda: daemon.said("other rules"), 30,
                         "it reads its rules again")
                time.sleep(scene.rnd.uniform(0, 0.4))
                scene.kill(daemon)
            for _ in range(run.times(3, 10)):
                daemon = scene.start()
                time.sleep(scene.rnd.uniform(0, 0.4))
                scene.kill(daemon)
            daemon = scene.start(wait=True)
            daemon.wait_ready()
            begin = 0.4 + 0.6 * i / n
            with scene.load(1, begin, begin + 0.6 / n):
                time.sleep(scene.rnd.uniform(0, 1))
                scene.kill(daemon)
                daemon = scene.start(wait=True)
            scene.settle(daemon)
            scene.compare(daemon)
        scene.finish(daemon)


# Of tables and lists, there and back.
TEXTS = (("tables/limits.csv", ",2000000,200000", ",700000,70000"),
         ("lists/vague.txt", "\n其他\n", "\n房租\n"),
         ("tables/limits.csv", ",700000,70000", ",2000000,200000"),
         ("lists/vague.txt", "\n房租\n", "\n其他\n"))


@row("tables and lists edited under load")
def texts(run):
    """A daemon that runs is told, or is killed before it is or after. The
    last one is told when nothing else happens, and takes it in."""
    n = run.times(8, 120)
    with Scene(run) as scene:
        daemon = scene.start(wait=True)
        with scene.load(n * 0.4):
            for i in range(n):
                scene.world.edit_file(*TEXTS[i % len(TEXTS)])
                if scene.rnd.random() < 0.6:
                    daemon.reload()
                    time.sleep(scene.rnd.uniform(0, 0.4))
                    scene.fault()
                if scene.rnd.random() < 0.6:
                    scene.kill(daemon)
                    daemon = scene.start(wait=True)
        scene.settle(daemon)
        before = daemon.total("tocsin_content_refreshes_total")
        scene.world.edit_file(*TEXTS[n % len(TEXTS)])
        daemon.reload()
        wait_for(lambda: daemon.total("tocsin_content_refreshes_total")
                 > before, 30, "it takes in another text")
        scene.finish(daemon)
