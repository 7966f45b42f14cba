"""The count itself: what is tampered with in Redis is found, by its kind."""

import json

from rows import row
from scene import Scene
from support.tally import Tally

STREAM, OPEN = "tocsin:{0}:alerts", "tocsin:{0}:open"


@row("a count that counts")
def counts(run):
    """After a clean run each forgery is one of the three kinds."""
    with Scene(run, months=3) as scene:
        scene.send()
        daemon = scene.start(wait=True)
        scene.settle(daemon)
        scene.kill(daemon)
        scene.finish()
        with scene.redis.connect() as redis:
            for what, kinds in FORGERIES.items():
                _forge(scene, redis, run.rnd, what, kinds)


def _forge(scene, redis, rnd, what, kinds):
    redis("SAVE")
    before = redis("DUMP", STREAM), redis("DUMP", OPEN)
    hashes = {key: redis("DUMP", key)
              for key in redis("KEYS", "tocsin:\\{0}:alert:*")}
    what(redis, rnd)
    found = Tally()
    scene.recount(redis, found)
    missed = [kind for kind in kinds if not getattr(found, kind)]
    if missed:
        raise AssertionError(f"{what.__name__}: not {missed}: "
                             f"{found.line()}")
    for key, value in [*zip((STREAM, OPEN), before), *hashes.items()]:
        redis("RESTORE", key, 0, value, "REPLACE")
    scene.fault()


def _one(redis, rnd):
    entries = redis.stream(STREAM)
    return rnd.choice(entries[1:-1]), entries[-1]


def entry_gone(redis, rnd):
    (ident, _), _ = _one(redis, rnd)
    redis("XDEL", STREAM, ident)


def entry_twice(redis, rnd):
    (_, fields), (last, _) = _one(redis, rnd)
    after = b"%d-0" % (int(last.split(b"-")[0]) + 1)
    redis("XADD", STREAM, after, *[x for pair in fields.items()
                                   for x in pair])


def entry_made_up(redis, rnd):
    (_, fields), (last, _) = _one(redis, rnd)
    record = json.loads(fields[b"json"])
    record["id"] = "0" * 32
    fields[b"json"] = json.dumps(record).encode()
    after = b"%d-0" % (int(last.split(b"-")[0]) + 1)
    redis("XADD", STREAM, after, *[x for pair in fields.items()
                                   for x in pair])


def no_more_open(redis, _):
    redis("ZPOPMIN", OPEN)


def opened(redis, _):
    redis("ZADD", OPEN, 4 * 10 ** 13, "1" * 32)


def hash_gone(redis, rnd):
    redis("DEL", rnd.choice(redis("KEYS", "tocsin:\\{0}:alert:*")))


def dead_letter(redis, _):
    redis("XADD", "tocsin:{0}:dead", "999999999-0", "topic", "x", "partition",
          0, "offset", 0)


# The last one stays: a dead letter is not put back.
FORGERIES = {entry_gone: ("lost",), entry_twice: ("doubled",),
             entry_made_up: ("phantom",), no_more_open: ("lost",),
             opened: ("phantom",), hash_gone: ("lost",),
             dead_letter: ("phantom",)}
