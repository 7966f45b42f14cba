"""How the daemon begins and ends, and what it says meanwhile."""

import json
import os
import signal
import subprocess
import unittest

from support import run_of, world as worlds
from support.kafka import Broker
from support.process import free_port, wait_for
from support.rdkafka import create_topics
from support.town import Town
from support.world import World


class Start(unittest.TestCase):
    def test_no_redis_at_the_start(self):
        with World() as world:
            run_of.create(world)
            with run_of.producer() as producer:
                Town(20, months=3).produce(producer, world.prefix)
            daemon = world.daemon()
            self.assertFalse(daemon.ready())
            world.redis.start()
            daemon.wait_ready()
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_no_broker_at_the_start(self):
        with World() as world:
            world.redis.start()
            daemon = world.daemon(brokers=f"127.0.0.1:{free_port()}")
            self.assertFalse(daemon.ready())
            self.assertEqual(daemon.get("/health")[0], 200)
            self.assertEqual(daemon.stop(), 0)

    def test_the_broker_goes_and_comes_again(self):
        with World() as world:
            world.redis.start()
            broker = Broker(world.children,
                            os.path.join(world.folder, "kafka")).start()
            shared, worlds._shared["broker"] = worlds.broker(), broker
            try:
                run_of.create(world)
                daemon = world.daemon().wait_ready()
                town = Town(21, months=3)
                half = len(town.items) // 2
                with run_of.producer() as producer:
                    town.produce(producer, world.prefix, 0, half)
                    run_of.wait_taken(world, daemon)
                    broker.kill()
                    broker.start()
                    town.produce(producer, world.prefix, half)
                run_of.take_all_and_stop(world, daemon)
                run_of.check(world, daemon)
            finally:
                worlds._shared["broker"] = shared

    def test_a_broker_that_appears_later(self):
        with World() as world:
            world.redis.start()
            broker = Broker(world.children,
                            os.path.join(world.folder, "kafka"))
            daemon = world.daemon(brokers=broker.address)
            wait_for(lambda: daemon.get("/ready")
                     == (503, "kafka: no broker answers\n"), 20,
                     lambda: f"{daemon.get('/ready')}")
            broker.start()
            shared, worlds._shared["broker"] = worlds.broker(), broker
            try:
                run_of.create(world)
                daemon.wait_ready()
                with run_of.producer() as producer:
                    Town(24, months=3).produce(producer, world.prefix)
                run_of.take_all_and_stop(world, daemon)
                run_of.check(world, daemon)
            finally:
                worlds._shared["broker"] = shared

    def test_a_topic_that_appears_later(self):
        with World() as world:
            world.redis.start()
            late = world.topic("payments")
            create_topics(worlds.broker().address, dict.fromkeys(
                (t for t in run_of.topics(world) if t != late), 3))
            daemon = world.daemon()
            wait_for(lambda: late in daemon.child.output(), 30,
                     "the missing topic is named")
            self.assertFalse(daemon.ready())
            run_of.create(world, ["payments"])
            daemon.wait_ready()
            with run_of.producer() as producer:
                Town(22, months=3).produce(producer, world.prefix)
            run_of.take_all_and_stop(world, daemon)
            run_of.check(world, daemon)

    def test_sigint_ends_it_cleanly_too(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            daemon = world.daemon().wait_ready()
            daemon.child.signal(signal.SIGINT)
            self.assertEqual(daemon.child.wait(15), 0)


class Language(unittest.TestCase):
    def test_v_and_tail_speak_that_of_the_configuration(self):
        with World() as world:
            world.redis.start()
            run_of.create(world)
            with run_of.producer() as producer:
                Town(23, months=3).produce(producer, world.prefix)
            for language, state in ("zh", "one"), ("en", "two"):
                daemon = world.daemon(arguments=["-v"], language=language,
                                      state=state,
                                      redis={"prefix": language})
                run_of.take_all_and_stop(world, daemon)
                with world.redis.connect() as redis:
                    records = [json.loads(fields[b"json"]) for _, fields in
                               run_of.stream(redis, prefix=language)]
                said = [line.split("alert ", 1)[1] for line in
                        daemon.child.output().splitlines()
                        if " debug: alert " in line]
                self.assertTrue(records)
                self.assertEqual(len(said), len(records))
                for line, record in zip(said, records):
                    begin = "{seq}: {change} {level}: ".format(**record)
                    self.assertEqual(line[:len(begin)], begin)
                    self.assertIn(record["rule"], line)
                    self.assertTrue(line.endswith(
                        record["text"][language]["message"]), line)
                done = subprocess.run(
                    [worlds.TOCSIN, "tail", "-c", daemon.path, "-s", "-n",
                     str(len(records))], capture_output=True, text=True,
                    timeout=30)
                self.assertEqual(done.returncode, 0, done.stderr)
                for line, record in zip(done.stdout.splitlines()[-len(
                        records):], records):
                    self.assertTrue(line.endswith(
                        record["text"][language]["message"]), line)


class Refused(unittest.TestCase):
    """A configuration that does not hold starts nothing and exits 78."""

    def _refused(self, change, *texts):
        with World() as world:
            config = world.config(brokers="127.0.0.1:1")
            change(world, config)
            path = world.write_config(config)
            for more in ([], ["-n"]):
                done = subprocess.run([worlds.TOCSIND, "-c", path, *more],
                                      capture_output=True, text=True,
                                      timeout=30)
                self.assertEqual(done.returncode, 78, done.stderr)
                for text in texts:
                    self.assertIn(text, done.stderr)

    def test_an_unknown_key_is_named_with_its_line_and_a_suggestion(self):
        def change(_, config):
            config["stat"] = config["state"]

        self._refused(change, "tocsin.yaml:", "`stat`", "`state`")

    def test_a_rule_with_an_unknown_field(self):
        self._refused(lambda world, _: world.edit_rules(
            "sum(amount)", "sum(ammount)", "budget.yaml"),
            "budget.yaml:", "`ammount`", "`amount`")

    def test_broken_yaml_in_a_rule_file(self):
        self._refused(lambda world, _: world.edit_rules(
            "rules:\n", "rules: [\n", "payments.yaml"), "payments.yaml:")

    def test_a_table_that_is_not_there(self):
        def change(world, _):
            os.remove(os.path.join(world.rules, "tables", "limits.csv"))

        self._refused(change, "limits.csv")

    def test_rows_of_kafka_without_the_names_of_their_columns(self):
        def change(world, _):
            topic = f"topic: {world.topic('orders')}\n    format: "
            world.edit_rules(topic + "json", topic + "csv")

        self._refused(change, "streams.yaml:",
                      "stream `orders` is CSV and lacks `columns`")

    def test_no_rules_at_all(self):
        def change(world, config):
            config["rules"] = [os.path.join(world.folder, "nowhere")]

        self._refused(change, "nowhere")

    def test_no_rule_that_is_at_work(self):
        self._refused(lambda world, _: world.edit_rules(
            "status: live", "status: draft"), "nothing to watch")

    def test_a_good_one_is_only_checked_with_n(self):
        with World() as world:
            path = world.write_config(world.config(brokers="127.0.0.1:1"))
            done = subprocess.run([worlds.TOCSIND, "-n", "-c", path],
                                  capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
