"""What an operator may write into tocsin.yaml, and what is said to the rest.

Nothing here needs a broker or Redis: `tocsind -n` judges, and exits with 78.
"""

import json
import os
import subprocess
import unittest

from support import world as worlds
from support.world import World

SECRET = "Hunter2+swordfish"


class Config(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.__exit__, False)
        self.config = self.world.config(brokers="127.0.0.1:1")

    def file(self, content, name="secret"):
        path = os.path.join(self.world.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def check(self, text=None, **env):
        """(exit code, all it said) of `tocsind -n`."""
        path = self.world.write_config(self.config)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run(
            [worlds.TOCSIND, "-n", "-c", path], capture_output=True,
            text=True, timeout=30, env={**os.environ, **env})
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr

    def refused(self, *texts, text=None, **env):
        code, said = self.check(text, **env)
        self.assertEqual(code, 78, said)
        for wanted in texts:
            self.assertIn(wanted, said)
        return said

    def accepted(self, **env):
        code, said = self.check(**env)
        self.assertEqual((code, said), (0, ""))

    def yaml(self, **lines):
        """The configuration as a person writes it, with other lines."""
        said = {"kafka": "{brokers: '127.0.0.1:1'}",
                "redis": "{url: 'redis://127.0.0.1:6379'}",
                "state": self.config["state"],
                "rules": json.dumps(self.config["rules"]), **lines}
        return "".join(f"{name}: {value}\n" for name, value in said.items())


class Secrets(Config):
    def properties(self, **more):
        self.config["kafka"]["properties"] = {
            name.replace("_", "."): value for name, value in more.items()}

    def test_a_secret_comes_from_a_file_or_the_environment(self):
        self.properties(sasl_mechanism="PLAIN", sasl_username="tocsin",
                        sasl_password={"file": self.file(
                            SECRET.encode() + b"\r\n")})
        self.config["redis"]["password"] = {"env": "PASSWORD"}
        self.accepted(PASSWORD=SECRET)
        self.refused("tocsin.yaml:", "environment variable PASSWORD")

    def test_one_that_is_too_long_is_not_cut(self):
        long = SECRET.encode() * 5000
        self.config["redis"]["password"] = {"file": self.file(long)}
        self.refused("tocsin.yaml:", "secret: ", "65536 bytes")
        self.file(long[:65536])
        self.accepted()
        self.file(long[:65536] + b"\n")
        self.accepted()

    def test_one_with_a_null_byte_is_not_cut(self):
        self.config["redis"]["password"] = {"file": self.file(
            SECRET.encode() + b"\0" + SECRET.encode())}
        self.refused("tocsin.yaml:", "null byte")

    def test_one_that_is_empty_is_none(self):
        self.config["redis"]["password"] = {"file": self.file(b"\n")}
        self.refused("tocsin.yaml:", "is empty")
        self.config["redis"]["password"] = {"env": "PASSWORD"}
        self.refused("tocsin.yaml:", "PASSWORD is empty", PASSWORD="")

    def test_a_property_from_a_file_is_a_secret_whatever_its_name(self):
        for source in {"file": self.file(SECRET.encode())}, {"env": "X"}:
            self.properties(security_protocol=source)
            self.refused("tocsin.yaml:", "security.protocol",
                         "its value is refused", X=SECRET)

    def test_what_holds_a_secret_does_not_stand_in_the_file(self):
        for name in ("sasl.password", "ssl.key.pem", "ssl.key.password",
                     "ssl.keystore.password", "sasl.oauthbearer.config",
                     "sasl.oauthbearer.client.secret"):
            self.properties(**{name: SECRET})
            self.refused(f"`{name}` must be {{file: PATH}} or {{env: NAME}}")
        self.properties()
        self.config["redis"]["password"] = SECRET
        self.refused("`redis.password` must be")

    def test_a_secret_is_not_quoted_whatever_is_wrong_around_it(self):
        for lines in ({"kafka": f"{{sasl.pasword: {SECRET}}}"},
                      {"kafka": "\n  brokers: 127.0.0.1:1\n  properties:\n"
                       f"    sasl.pasword: '{SECRET}'"},
                      {"redis": f"\n  url: redis://u:{SECRET}@127.0.0.1"},
                      {"redis": f"{{url: 'unix:///s', passwrd: {SECRET}}}"},
                      {"redis_password": SECRET},
                      {"mask_key": f"[{SECRET}]"},
                      {"mask_key": f"!{SECRET}"},
                      {"mask_key": f"*{SECRET}"},
                      {"mask_key": f"@{SECRET}"},
                      {"mask_key": f"'{SECRET}"},
                      {"mask_key": f"\n  {SECRET}: x"},
                      {"mask_key": f"{{fil: {SECRET}}}"}):
            self.refused("tocsin.yaml:", text=self.yaml(**lines))

    def test_what_is_no_secret_is_quoted(self):
        said = self.refused(text=self.yaml(
            limits="{keys_per_rule: very many}"))
        self.assertIn("limits: {keys_per_rule: very many}", said)


class Wrong(Config):
    """Each complaint names its line, and there is no other."""

    def complains(self, *wanted, text=None):
        """@wanted: (line, text) of each complaint, in order."""
        said = self.refused(text=text)
        found = [line for line in said.splitlines() if " error E" in line]
        self.assertEqual(len(found), len(wanted), said)
        for line, (number, part) in zip(found, wanted):
            self.assertIn(f"tocsin.yaml:{number}:", line)
            self.assertIn(part, line)

    def test_an_empty_file(self):
        self.refused("tocsin.yaml", "is empty", text="")
        self.refused("tocsin.yaml", "is empty", text="# nothing\n---\n")

    def test_broken_yaml_is_the_only_complaint(self):
        self.complains((2, "not YAML"), text="kafka:\n\tbrokers: x\n")

    def test_sections_that_are_none(self):
        self.complains((1, "`kafka` must be a map"),
                       (2, "`redis` must be a map"),
                       (4, "`rules` must be a list"),
                       text=self.yaml(kafka="", redis="[1]", rules=""))

    def test_no_rules(self):
        self.complains((4, "`rules` is empty"), text=self.yaml(rules="[]"))

    def test_names_that_would_break_keys_of_redis(self):
        for lane in "a b", "a{b", "a}", "a*", "a?", "[a]", "a\\tb", "a\\\\":
            self.complains((5, "`lane`"), text=self.yaml(lane=f'"{lane}"'))
            self.complains((2, "`redis.prefix`"), text=self.yaml(
                redis=f'{{url: "redis://h", prefix: "{lane}"}}'))
        for lane in "city-1", "财政局", "a.b_c":
            code, said = self.check(self.yaml(lane=lane))
            self.assertEqual(code, 0, said)

    def test_durations_that_make_no_sense(self):
        self.complains((2, "`redis.timeout` is at least 1s"),
                       (2, "`redis.keep` is at least 60s"),
                       (5, "`stop_timeout` needs a fixed length"),
                       text=self.yaml(
                           redis="{url: 'redis://h', timeout: 0s, keep: 59s}",
                           stop_timeout="5bd"))

    def test_brokers_that_are_none(self):
        for brokers in "h:port", "a:1,,b:1", "h:", ":9092", "h:70000", "a b":
            self.complains((1, "`kafka.brokers`"), text=self.yaml(
                kafka=f"{{brokers: '{brokers}'}}"))
        for brokers in "h", "a:1,b:2", "a:1, b", "[::1]:9092", "SSL://h:1":
            code, said = self.check(self.yaml(
                kafka=f"{{brokers: '{brokers}'}}"))
            self.assertEqual(code, 0, said)

    def test_a_mark_of_byte_order_is_no_key(self):
        code, said = self.check("\ufeff" + self.yaml())
        self.assertEqual(code, 0, said)
        self.complains((1, "`kafka.brokers`"), text="\ufeff" + self.yaml(
            kafka="{brokers: 'h:port'}"))

    def test_a_state_that_is_a_file(self):
        done = subprocess.run(
            [worlds.TOCSIND, "-c", self.world.write_config(
                {**self.config, "state": self.file(b"")})],
            capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("secret: Not a directory", done.stderr)


class Properties(Config):
    def test_an_unknown_property_gets_a_suggestion(self):
        self.config["kafka"]["properties"] = {"fetch.wait.max.mss": "10"}
        self.refused("tocsin.yaml:", "`fetch.wait.max.mss` (did you mean "
                     "`fetch.wait.max.ms`?)")

    def test_a_value_out_of_range_is_named(self):
        self.config["kafka"]["properties"] = {"fetch.wait.max.ms": "-10"}
        self.refused("tocsin.yaml:", "fetch.wait.max.ms", "-10")

    def test_what_the_daemon_rests_on_is_not_the_users(self):
        for name, value in (("enable.auto.commit", "true"),
                            ("auto.offset.reset", "latest"),
                            ("queued.max.messages.kbytes", "1000"),
                            ("bootstrap.servers", "elsewhere:9092"),
                            ("metadata.broker.list", "elsewhere:9092")):
            self.config["kafka"]["properties"] = {name: value}
            self.refused("tocsin.yaml:", name)

    def test_what_only_the_whole_shows_is_seen_by_a_check_too(self):
        self.config["kafka"]["properties"] = {
            "security.protocol": "ssl",
            "ssl.ca.location": self.file(b"no certificate")}
        self.refused("kafka: ssl.ca.location")

    def test_a_file_that_is_not_there_is_named_with_its_line(self):
        self.config["kafka"]["properties"] = {"ssl.ca.location": "no/ca.pem"}
        self.refused("tocsin.yaml:7:",
                     os.path.join(self.world.folder, "no/ca.pem"),
                     "No such file")
