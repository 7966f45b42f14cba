"""A broker that asks who comes and what he may."""

import os
import unittest

from support import run_of, world as worlds
from support.kafka import Broker
from support.process import wait_for
from support.rdkafka import grant
from support.town import Town
from support.world import World

PASSWORD = "open+Sesame"
NO_RIGHT = 503, "kafka: the right to read a topic is missing\n"


class Access(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.__exit__, False)
        self.world.redis.start()
        self.broker = Broker(self.world.children,
                             os.path.join(self.world.folder, "kafka"),
                             users={"tocsin": PASSWORD}).start()
        shared, worlds._shared["broker"] = worlds.broker(), self.broker
        self.addCleanup(worlds._shared.__setitem__, "broker", shared)
        run_of.create(self.world)
        self.secret = os.path.join(self.world.folder, "password")

    def daemon(self, password):
        with open(self.secret, "w", encoding="utf-8") as file:
            file.write(password)
        return self.world.daemon(brokers=self.broker.guarded, kafka={
            "brokers": self.broker.guarded, "properties": {
                "fetch.wait.max.ms": "10", "reconnect.backoff.max.ms": "500",
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN", "sasl.username": "tocsin",
                "sasl.password": {"file": self.secret}}})

    def grant(self, operation, resource, names):
        grant(self.broker.address, "tocsin",
              [(operation, resource, name) for name in names])

    def waits(self, daemon, answer):
        wait_for(lambda: daemon.get("/ready") == answer, 30,
                 lambda: f"{daemon.get('/ready')}\n{daemon.child.tail()}")

    def test_a_wrong_password_is_named_and_not_shown(self):
        daemon = self.daemon(PASSWORD + "!")
        wait_for(lambda: "Authentication failed" in daemon.child.output(), 30,
                 daemon.child.tail)
        self.assertEqual(daemon.get("/ready")[0], 503)
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn(PASSWORD, daemon.child.output())

    def test_rights_that_come_one_by_one(self):
        topics = run_of.topics(self.world)
        with run_of.producer() as producer:
            Town(80, months=4).produce(producer, self.world.prefix)
        daemon = self.daemon(PASSWORD)
        self.waits(daemon, NO_RIGHT)
        self.assertNotIn("there is no topic", daemon.child.output())
        self.grant("describe", "topic", topics)
        wait_for(lambda: "begun a new journal" in daemon.child.output(), 30,
                 daemon.child.tail)
        self.waits(daemon, NO_RIGHT)
        self.grant("read", "topic", topics)
        run_of.take_all_and_stop(self.world, daemon)
        self.assertNotIn(PASSWORD, daemon.child.output())
        self.assertEqual(daemon.child.output().count("may not be read"),
                         len(topics))
        run_of.check(self.world, daemon)
