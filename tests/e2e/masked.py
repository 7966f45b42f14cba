"""References to masked values: the same everywhere, and not to be guessed."""

import hashlib
import hmac
import json
import os
import unittest

from support import run_of
from support.rdkafka import read_all
from support.town import Town
from support.world import World, broker

KEY = "a site's own key"


def references(world):
    """{reference: masked value} of all that Redis holds."""
    out = {}
    with world.redis.connect() as redis:
        for document in run_of.documents(redis):
            record = json.loads(document)
            for name, reference in record["key_ref"].items():
                out[reference] = record["key"][name]
    return out


def secrets(world):
    """What masked fields hold in the log, as who guesses would try it."""
    names = world.find_in_rules(r"^ *(\w+): \{.*mask: ")
    for record in read_all(broker().address, run_of.topics(world)):
        try:
            fields = json.loads(record.payload)
        except ValueError:
            continue
        yield from (fields[name] for name in names
                    if isinstance(fields.get(name), str))


def guesses(world, key):
    return {hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()[:32]
            for secret in set(secrets(world))}


class Masked(unittest.TestCase):
    def _run(self, world, **more):
        daemon = world.daemon(**more)
        run_of.take_all_and_stop(world, daemon)
        return daemon

    def test_a_key_is_made_if_none_is_set(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            town = Town(50, months=6)
            half = len(town.items) // 2
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, half)
                first = self._run(world)
                self.assertIn("made a key", first.child.output())
                town.produce(producer, world.prefix, half)
            second = self._run(world)
            self.assertNotIn("made a key", second.child.output())
            self.assertNotIn("seam", second.child.output())
            run_of.check(world, second)
            found = references(world)
            self.assertTrue(found)
            self.assertFalse(set(found) & guesses(world, bytes(32)))
            with open(os.path.join(second.state, "mask_key"),
                      encoding="ascii") as file:
                key = bytes.fromhex(file.read())
            self.assertLessEqual(set(found), guesses(world, key))

    def test_one_that_is_set_is_used_and_belongs_to_what_is_computed(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(51, months=6).produce(producer, world.prefix)
            path = os.path.join(world.folder, "key")
            with open(path, "w", encoding="ascii") as file:
                file.write(KEY + "\n")
            first = self._run(world, mask_key={"file": path})
            self.assertFalse(os.path.exists(
                os.path.join(first.state, "mask_key")))
            self.assertLessEqual(
                set(references(world)),
                guesses(world, hashlib.sha256(KEY.encode()).digest()))
            with open(path, "w", encoding="ascii") as file:
                file.write("another")
            second = self._run(world, mask_key={"file": path})
            self.assertIn("rules changed", second.child.output())
