"""The daemon is killed: at any moment, and at every one that has a name."""

import collections
import time

from rows import row
from scene import Scene
from support.world import broker

ROUND = 100
# What a daemon said last before it was killed.
PHASES = (("caught up", "live"), ("replayed up to", "catching up"),
          ("replaying", "replaying"), ("begun a new", "catching up"),
          ("redis: connected", "meeting"), ("", "starting"))


def phase(daemon):
    text = daemon.child.output()
    return next(name for words, name in PHASES if words in text)


@row("kill -9 at any moment")
def kill_at_any_moment(run):
    """Rounds of a hundred; a stream of events arrives meanwhile."""
    _kills(run, run.kills)


@row("kill -9 at any moment, with real Kafka", needs_kafka=True)
def kill_beside_kafka(run):
    """The same, and the broker is no mock."""
    _kills(run, run.times(20, 500), broker=lambda _: broker())


def _kills(run, kills, **options):
    left = kills
    while left > 0:
        n = min(left, ROUND)
        met = collections.Counter()
        begin = time.monotonic()
        with Scene(run, **options) as scene:
            with scene.load(0.36 * n):
                for _ in range(n):
                    daemon = scene.start()
                    # From before the first look-up to long after the last
                    # alert: the moment is the test's only freedom.
                    time.sleep(scene.rnd.uniform(0, 0.6))
                    scene.kill(daemon)
                    met[phase(daemon)] += 1
            scene.finish()
        left -= n
        run.say(f"{kills - left} kills; this round "
                + ", ".join(f"{k} {v}" for k, v in sorted(met.items()))
                + f", {time.monotonic() - begin:.0f} s")
