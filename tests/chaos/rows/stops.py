"""The daemon is stopped, its place is taken, it runs out of memory."""

import re
import signal
import time

from rows import row
from scene import Scene
from support.process import wait_for


@row("SIGSTOP past every timeout, then SIGCONT")
def suspended(run):
    """Redis and brokers have given it up when it goes on."""
    with Scene(run, redis={"timeout": "1s"}) as scene:
        daemon = scene.start(wait=True)
        n = run.times(5, 40)
        with scene.load(n * 1.2):
            for _ in range(n):
                time.sleep(scene.rnd.uniform(0, 0.5))
                scene.alive(daemon)
                daemon.child.signal(signal.SIGSTOP)
                time.sleep(scene.rnd.uniform(0.1, 2))
                daemon.child.signal(signal.SIGCONT)
                scene.fault()
        scene.finish(daemon)


@row("stopped, its place taken on another machine, then resumed (zombie)")
def zombie(run):
    """SIGSTOP, another state directory, SIGCONT: exit 65, nothing written.
    Once a scene: what a seam makes known has no name that the oracle could
    know it by at the next one."""
    for _ in range(run.times(2, 10)):
        with Scene(run) as scene:
            _succeed(scene, scene.start(wait=True))


def _succeed(scene, owner):
    with scene.load(0.5, 0, 0.5):
        pass
    scene.settle(owner)
    scene.compare(owner)
    owner.child.signal(signal.SIGSTOP)
    successor = scene.start(wait=True, state="state-1")
    with scene.load(0.5, 0.5, 1):
        scene.settle(successor)
        owner.child.signal(signal.SIGCONT)
        scene.fault()
        code = owner.child.wait(30)
    if code != 65:
        raise AssertionError(f"the zombie ended with {code}:\n"
                             + owner.child.tail())
    scene.finish(successor)


@row("a second daemon starts on the same lane")
def second(run):
    """It is refused while the first lives, and takes over when that dies."""
    n = run.times(4, 30)
    with Scene(run) as scene:
        first = scene.start(wait=True)
        with scene.load(n * 0.7):
            for _ in range(n):
                refused = scene.start()
                code = refused.child.wait(20)
                if code != 69 or "lock" not in refused.child.output():
                    raise AssertionError(f"it ended with {code}:\n"
                                         + refused.child.tail())
                scene.fault()
                time.sleep(scene.rnd.uniform(0, 0.3))
                scene.kill(first)
                first = scene.start(wait=True)
        scene.finish(first)


SAYS_SO = ("out of memory", "Cannot allocate memory",
           "Resource temporarily unavailable", "failed to create")
MIB = 1 << 20


def _data_size(daemon):
    """Bytes of its own that it may write to; its stacks among them."""
    with open(f"/proc/{daemon.child.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmData:\s+(\d+) kB", file.read())[1]) * 1024


@row("out of memory")
def out_of_memory(run):
    """Memory that ends somewhere: so does the daemon, in words."""
    with Scene(run) as scene:
        daemon = scene.start(wait=True).wait_ready()
        whole = _data_size(daemon)
        scene.kill(daemon)
        n = run.times(8, 60)
        ended = 0
        for i in range(n):
            scene.send(i / n, (i + 1) / n)
            # With less than that librdkafka itself does not start.
            limit = scene.rnd.randrange(90 * MIB, whole)
            daemon = scene.start(under=("prlimit", f"--data={limit}"))
            wait_for(lambda: _settled(daemon), 30, daemon.child.tail)
            if daemon.child.running():
                scene.kill(daemon)
                continue
            scene.fault()
            ended += 1
            text = daemon.child.output()
            if not any(words in text for words in SAYS_SO):
                raise AssertionError(
                    f"of {limit} it ended with "
                    f"{daemon.child.process.returncode}:\n{text}")
        run.say(f"{ended} of {n} ended for want of memory")
        if not ended:
            raise AssertionError("there was always enough")
        scene.finish()


def _settled(daemon):
    """Ended, ready, or it has said that it gets no thread."""
    return not daemon.child.running() or daemon.ready() or \
        "Unable to create" in daemon.child.output()
