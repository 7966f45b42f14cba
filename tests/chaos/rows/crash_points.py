"""The daemon dies at each moment that has a name (daemon/lane/crash.c)."""

import os
import re
import signal
import subprocess

from rows import row
from rows.input import EDITS, TEXTS
from scene import Scene
from support.process import Timeout, wait_for
from support.world import ROOT

CRASH = os.path.join(ROOT, "build-crash")
# Reached only by a start that has something to replay, or by a seam.
AT_REPLAY = {"turn-replayed", "replay-over", "journal-cut"}
AT_SEAM = {"seam-begun", "seam-decided"}
# … by one that finds another text of a table.
AT_TEXT = {"content-kept", "content-decided"}
# … when Redis has lost what it had acknowledged.
AT_LOSS = {"resend-begun", "resend-acknowledged"}


def build():
    """A daemon that can be told where to die."""
    if not os.path.exists(os.path.join(CRASH, "build.ninja")):
        subprocess.run(["meson", "setup", CRASH,
                        "-Dc_args=-DTOCSIN_CRASH_POINTS"], cwd=ROOT,
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", CRASH, "tocsind"], check=True,
                   stdout=subprocess.DEVNULL)


def names():
    path = os.path.join(ROOT, "daemon", "lane", "crash.c")
    with open(path, encoding="utf-8") as file:
        table = file.read().split("names[] = {")[1].split("};")[0]
    table = re.sub(r"/\*.*?\*/", "", table, flags=re.DOTALL)
    return re.findall(r'"([a-z-]+)"', table)


def _dies(scene, name, nth, **config):
    """Whether it came to that point; a later time may never come, so it is
    killed where it is then."""
    daemon = scene.start(env={"TOCSIN_CRASH": f"{name}:{nth}"}, **config)
    begin, scene.sent = scene.sent, min(1.0, scene.sent + scene.step)
    with scene.load(0.6, begin, scene.sent):
        try:
            wait_for(lambda: not daemon.child.running(),
                     30 if nth == 1 else 1, name)
        except Timeout:
            scene.kill(daemon)
            return False
    code = daemon.child.process.returncode
    if code != -signal.SIGKILL:
        raise AssertionError(f"{name}:{nth}: it ended with {code}:\n"
                             + daemon.child.tail(40))
    scene.fault()
    return True


def _prepare(scene, name):
    """What must be for a daemon to come to that point."""
    if name in AT_REPLAY:
        _dies(scene, "nowhere", 2, checkpoint={"every": "0s"})
    if name in AT_TEXT:
        text = scene.texts.pop(0)
        scene.world.edit_file(*text)
        scene.texts.append(text)
    if name in AT_LOSS:
        with scene.redis.connect() as redis:
            redis("FLUSHALL")


@row("every named crash point")
def crash_points(run):
    """At the first time and at later ones; the next daemon goes on."""
    build()
    plan = [(name, nth) for name in names() if name not in AT_SEAM
            for nth in (1, *[run.rnd.randrange(2, 12)
                             for _ in range(run.times(1, 4))])]
    run.rnd.shuffle(plan)
    reached = set()
    with Scene(run, build=CRASH) as scene:
        scene.sent, scene.step = 0.0, 0.9 / len(plan)
        scene.texts = list(TEXTS)
        for name, nth in plan:
            _prepare(scene, name)
            if _dies(scene, name, nth):
                reached.add(name)
        # What came too early, when Redis had nothing that it could lose.
        for name in set(names()) - reached - AT_SEAM:
            _prepare(scene, name)
            if _dies(scene, name, 1):
                reached.add(name)
        scene.send(scene.sent, 1)
        scene.finish()
    for name in AT_SEAM:
        _at_a_seam(run, name)
    missed = set(names()) - reached - AT_SEAM
    run.say(f"{len(names())} names, {len(plan)} tries")
    if missed:
        raise AssertionError(f"never reached: {sorted(missed)}")


def _at_a_seam(run, name):
    with Scene(run, months=6, build=CRASH) as scene:
        daemon = scene.start(wait=True)
        with scene.load(1, 0, 0.5):
            scene.settle(daemon)
        scene.settle(daemon)
        scene.compare(daemon)
        scene.kill(daemon)
        scene.world.edit_rules(*EDITS[0])
        scene.sent, scene.step = 0.5, 0.1
        if not _dies(scene, name, 1):
            raise AssertionError(f"never reached: {name}")
        scene.send(0.6, 1)
        scene.finish()
