"""The disk is full, fails, forgets, and is written on by somebody else."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time

from rows import row
from scene import Scene
from support.process import Timeout, wait_for


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own at @folder; mounting one takes root."""
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs",
                    folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(path):
    """All the room there is."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


@row("disk full")
def full(run):
    """Again and again under load; killed while it is; room again."""
    n = run.times(4, 40)
    with Scene(run) as scene:
        disk = os.path.join(scene.world.folder, "disk")
        filler = os.path.join(disk, "filler")
        with small_disk(disk, "40m"):
            scene.config["state"] = "disk"
            daemon = scene.start(wait=True)
            with scene.load(n * 1.2):
                for _ in range(n):
                    time.sleep(scene.rnd.uniform(0, 0.6))
                    fill(filler)
                    scene.fault()
                    time.sleep(scene.rnd.uniform(0, 0.6))
                    if scene.rnd.random() < 0.3:
                        scene.kill(daemon)
                        daemon = scene.start()
                        time.sleep(scene.rnd.uniform(0, 0.3))
                    os.remove(filler)
                    scene.alive(daemon)
            scene.finish(daemon)


FAILURES = (("fdatasync", errno.EIO), ("fsync", errno.EIO),
            ("pwrite", errno.EIO), ("write", errno.EIO),
            ("fallocate", errno.EIO), ("fallocate", errno.ENOSPC),
            ("posix_fallocate", errno.EIO), ("rename", errno.EIO),
            ("pwrite", errno.ENOSPC), ("fdatasync", errno.ENOSPC),
            ("unlink", errno.EIO), ("pread", errno.EIO),
            ("read", errno.EIO))


@row("EIO at fsync")
def eio(run):
    """Any call on a file of the state, at any time: goes on, or halts in
    words that name the file; the next start has lost nothing."""
    n = run.times(len(FAILURES), 10 * len(FAILURES))
    with Scene(run, months=14) as scene:
        library = os.path.join(scene.build, "tests", "libfailing-disk.so")
        state = os.path.join(scene.world.folder, "state")
        ended = reached = 0
        for i in range(n):
            call, error = FAILURES[i % len(FAILURES)]
            first = scene.rnd.choice((1, 1, 2, 3, scene.rnd.randrange(1, 20)))
            daemon = scene.start(env={
                "LD_PRELOAD": library, "FAILING_DISK":
                f"{call} {error} {first} {first} {state}"})
            with scene.load(0.4, i / n, (i + 1) / n):
                time.sleep(scene.rnd.uniform(0.2, 0.8))
            text = daemon.child.output()
            if "failing disk" in text:
                reached += 1
                scene.fault()
            if daemon.child.running():
                daemon.kill()
                continue
            ended += 1
            code = daemon.child.process.returncode
            if code != 1 or state not in text.split("failing disk")[-1]:
                raise AssertionError(f"{call} {error} {first}: it ended with "
                                     f"{code}:\n{text}")
        run.say(f"{reached} of {n} failures were met, {ended} halted")
        if not ended:
            raise AssertionError("none was met that matters")
        scene.finish()


@row("killed at any call on a file of the state")
def killed_at_calls(run):
    """Just before it: between a write and its sync, a rename and what follows
    it, one file gone and the next."""
    calls = sorted({call for call, _ in FAILURES})
    n = run.times(2 * len(calls), 30 * len(calls))
    with Scene(run) as scene:
        library = os.path.join(scene.build, "tests", "libfailing-disk.so")
        state = os.path.join(scene.world.folder, "state")
        met = 0
        for i in range(n):
            nth = scene.rnd.choice((1, 2, 3, scene.rnd.randrange(1, 40)))
            daemon = scene.start(env={
                "LD_PRELOAD": library, "FAILING_DISK":
                f"{calls[i % len(calls)]} 0 {nth} {nth} {state}"})
            with scene.load(0.5, i / n, (i + 1) / n):
                with contextlib.suppress(Timeout):
                    wait_for(lambda: not daemon.child.running(), 0.7, "dead")
            if daemon.child.running():
                scene.kill(daemon)
                continue
            code = daemon.child.process.returncode
            if code != -signal.SIGKILL:
                raise AssertionError(f"it ended with {code}:\n"
                                     + daemon.child.output())
            scene.fault()
            met += 1
        run.say(f"{met} of {n} were met")
        if not met:
            raise AssertionError("no call was met")
        scene.finish()


def damage(rnd, folder):
    """One file, somehow; a sentence says what."""
    files = sorted(os.path.join(at, name)
                   for at, _, names in os.walk(folder) for name in names)
    path = rnd.choice([f for f in files if not f.endswith("lock")])
    with open(path, "r+b") as file:
        data = file.read()
        # What a segment was preallocated with says nothing.
        used = max(1, len(data.rstrip(b"\0")))
        at = rnd.randrange(used)
        kind = rnd.choice(("flip", "flip", "flip", "cut", "zeros", "gone"))
        if kind == "flip":
            file.seek(at)
            file.write(bytes([data[at:at + 1][0] ^ 1 << rnd.randrange(8)])
                       if data else b"?")
        elif kind == "cut":
            file.truncate(at)
        elif kind == "zeros":
            file.seek(at)
            file.write(bytes(len(data) - at))
    if kind == "gone":
        os.remove(path)
    return f"{kind} at {at} of {used} of {os.path.relpath(path, folder)}"


class Before:
    """State and Redis as they were when the power went."""

    def __init__(self, scene):
        self.scene = scene
        folder = scene.world.folder
        self.state = os.path.join(folder, "state")
        self.kept = os.path.join(folder, "kept")
        self.dump = os.path.join(scene.redis.folder, "dump.rdb")
        with scene.redis.connect() as redis:
            redis("SAVE")
        shutil.copytree(self.state, self.kept)
        shutil.copy(self.dump, self.kept + ".rdb")
        self.ids = dict(scene.ids)

    def again(self):
        self.scene.redis.kill()
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)
        shutil.copy(self.kept + ".rdb", self.dump)
        self.scene.redis.start()
        self.scene.ids = dict(self.ids)


@row("torn or flipped checkpoint, journal or other file of the state")
def torn(run):
    """Cut off, flipped, zeroed or gone: the daemon recovers to what the
    oracle says, or halts in words that name the file."""
    n = run.times(12, 400)
    with Scene(run, months=4) as scene:
        daemon = scene.start(wait=True)
        with scene.load(1.5, 0, 0.6):
            time.sleep(1.5)
        scene.settle(daemon)
        scene.compare(daemon)
        scene.kill(daemon)
        before = Before(scene)
        # Both what was taken and what is new has to come out right.
        scene.send(0.6, 1)
        halted = 0
        for _ in range(n):
            before.again()
            said = damage(scene.rnd, before.state)
            scene.fault()
            halted += not _recovers(scene, said)
        run.say(f"{halted} of {n} damages halted it in words")


def _recovers(scene, said):
    daemon = scene.start()
    try:
        wait_for(lambda: not daemon.child.running() or
                 (daemon.address() and daemon.ready()), 60,
                 lambda: said + "\n" + daemon.child.tail())
        if daemon.child.running():
            scene.finish(daemon)
            return True
        code = daemon.child.process.returncode
        if code != 1 or scene.world.folder not in daemon.child.output():
            raise AssertionError(f"it ended with {code}:\n"
                                 + daemon.child.output())
        return False
    except (AssertionError, Timeout) as error:
        raise AssertionError(f"{said}: {error}") from error
