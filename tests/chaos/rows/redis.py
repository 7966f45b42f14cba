"""Redis is away, hangs, cuts, refuses, forgets."""

import contextlib
import os
import shutil
import signal
import time

from rows import row
from scene import Scene
from support.process import free_port, wait_for
from support.proxy import Proxy
from support.redis_server import RedisServer

KEEPS_ALL = ("--appendonly", "yes", "--appendfsync", "always")
PATIENCE = {"timeout": "1s"}


@contextlib.contextmanager
def behind(scene, limit=lambda: None):
    """A proxy through which the daemons of a scene reach Redis."""
    path = os.path.join(scene.world.folder, "p")
    with Proxy(path, scene.redis.socket, limit) as proxy:
        scene.config["redis"] = {"url": "unix://" + path, **PATIENCE}
        yield proxy


@row("Redis refused, hung, half open")
def away(run):
    """Killed and started, stopped, behind a line on which all is dropped."""
    with Scene(run, redis_options=KEEPS_ALL) as scene, \
            behind(scene) as proxy:
        daemon = scene.start(wait=True)

        def refused():
            scene.redis.kill()
            time.sleep(scene.rnd.uniform(0, 1))
            scene.redis.start()

        def hung():
            scene.redis.child.signal(signal.SIGSTOP)
            time.sleep(scene.rnd.uniform(0, 2))
            scene.redis.child.signal(signal.SIGCONT)

        def half_open():
            proxy.be_silent(True)
            time.sleep(scene.rnd.uniform(0, 2))
            proxy.be_silent(False)

        n = run.times(6, 60)
        with scene.load(n * 1.2):
            for i in range(n):
                (refused, hung, half_open)[i % 3]()
                scene.fault()
                scene.alive(daemon)
                time.sleep(scene.rnd.uniform(0, 0.4))
        scene.finish(daemon)


@row("reply lost after the commit; one batch of a pipeline refused")
def cut(run):
    """Replies cut at any byte; scripts flushed and clients killed between
    two batches; no right to any channel."""
    n = run.times(12, 150)
    with Scene(run) as scene:
        limits = [scene.rnd.choice((
            scene.rnd.randrange(1, 200), scene.rnd.randrange(200, 3000)))
            for _ in range(n)]
        with behind(scene, lambda: limits.pop() if limits else None) \
                as proxy, scene.redis.connect() as redis:
            daemon = scene.start(wait=True)
            with scene.load(n * 0.25):
                while limits:
                    scene.alive(daemon)
                    words = scene.rnd.choice((
                        ("SCRIPT", "FLUSH"), ("ACL", "SETUSER", "default",
                                              "resetchannels"),
                        ("ACL", "SETUSER", "default", "allchannels")))
                    redis(*words)
                    if scene.rnd.random() < 0.3:
                        redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME",
                              "yes")
                    scene.fault()
                    # A handshake that is cut is tried again later and later.
                    time.sleep(0.1)
            redis("ACL", "SETUSER", "default", "allchannels")
            scene.fault(proxy.cuts)
            if not proxy.cuts:
                raise AssertionError("nothing was cut")
            scene.finish(daemon)


@row("Redis lost what it acknowledged")
def forgot(run):
    """kill -9, and an older append-only file, or none, is found at the start;
    noticed by the daemon that lives, or by the next."""
    with Scene(run, redis_options=KEEPS_ALL) as scene:
        n = run.times(4, 24)
        daemon = scene.start(wait=True)
        with scene.load(n * 1.5):
            for i in range(n):
                kept = _copy(scene)
                time.sleep(scene.rnd.uniform(0, 1))
                is_down = i % 4 > 1
                if is_down:
                    scene.kill(daemon)
                scene.redis.kill()
                _replace(scene, None if i % 2 else kept)
                scene.redis.start()
                scene.fault()
                if is_down:
                    daemon = scene.start(wait=True)
                scene.alive(daemon)
        scene.finish(daemon)


def _copy(scene):
    """As after a power cut: it is being written to."""
    kept = os.path.join(scene.world.folder, "kept")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(os.path.join(scene.redis.folder, "appendonlydir"), kept)
    return kept


def _replace(scene, kept):
    files = os.path.join(scene.redis.folder, "appendonlydir")
    shutil.rmtree(files)
    if kept:
        shutil.copytree(kept, files)


@row("Redis failed over")
def failed_over(run):
    """To a replica that lacks the last alerts; REPLICAOF NO ONE."""
    port = free_port()
    with Scene(run, redis_options=("--port", port)) as scene, \
            behind(scene) as proxy:
        n = run.times(2, 10)
        daemon = scene.start(wait=True)
        with scene.load(n * 2):
            for i in range(n):
                port = _fail_over(scene, proxy, port, i)
                scene.fault()
                scene.alive(daemon)
        scene.finish(daemon)


def _fail_over(scene, proxy, port, number):
    """The replica's port, once it is what daemons reach."""
    its_port = free_port()
    replica = RedisServer(
        scene.world.children, os.path.join(scene.world.folder, f"r{number}"),
        ("--port", its_port), f"redis-{number}").start()
    with replica.connect() as redis:
        redis("REPLICAOF", "127.0.0.1", port)
        wait_for(lambda: b"master_link_status:up" in redis(
            "INFO", "replication"), 20, "the replica follows")
        # From here on it hears nothing more of what is acknowledged.
        redis("REPLICAOF", "NO", "ONE")
    time.sleep(scene.rnd.uniform(0, 1))
    scene.redis.kill()
    scene.world.redis = replica
    proxy.target = replica.socket
    proxy.cut_all()
    return its_port


@row("NOSCRIPT, OOM, READONLY, LOADING, MISCONF")
def errors(run):
    """Each answer for a while, under load."""
    with Scene(run, redis_options=(*KEEPS_ALL, "--key-load-delay", "300",
                                   "--loading-process-events-interval-bytes",
                                   "1024")) as scene:
        daemon = scene.start(wait=True)
        os.mkdir(os.path.join(scene.redis.folder, "dump.rdb"))
        n = run.times(1, 12)
        with scene.load(n * 14):
            for _ in range(n):
                for begin, end in ERRORS:
                    _answer(scene, daemon, begin, end)
                scene.redis.kill()
                scene.redis.start()  # LOADING until then
                scene.fault()
                scene.alive(daemon)
        scene.finish(daemon)


ERRORS = (
    ([("SCRIPT", "FLUSH")], []),
    ([("CONFIG", "SET", "maxmemory", "1")],
     [("CONFIG", "SET", "maxmemory", "0")]),
    ([("REPLICAOF", "127.0.0.1", "1")], [("REPLICAOF", "NO", "ONE")]),
    ([("CONFIG", "SET", "min-replicas-to-write", "1")],
     [("CONFIG", "SET", "min-replicas-to-write", "0")]),
    # Its snapshot cannot get its name, which a folder has.
    ([("CONFIG", "SET", "save", "3600 1"), ("BGSAVE",)],
     [("CONFIG", "SET", "save", "")]),
)


def _answer(scene, daemon, begin, end):
    with scene.redis.connect() as redis:
        for words in begin:
            redis(*words)
        if end:
            wait_for(lambda: not daemon.ready(), 30, lambda:
                     f"{begin}: it is not ready\n" + daemon.child.tail())
        for words in end:
            redis(*words)
    scene.fault()
    scene.alive(daemon)
    daemon.wait_ready()
