"""What end-to-end tests share, and what each of them has for itself.

One broker serves a whole run; each case has its own topics (the rules are
copied with another prefix), Redis, state directory and configuration, all in
one temporary folder that goes with it.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from support.browser import Browser
from support.kafka import Broker
from support.process import Children, wait_for
from support.redis_server import RedisServer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("TOCSIN_BUILD", os.path.join(ROOT, "build"))
TOCSIND = os.path.join(BUILD, "tocsind")
TOCSIN = os.path.join(BUILD, "tocsin")
RULES = os.path.join(ROOT, "rules")
# With RULES, what both the oracle and the daemon beside it run.
LEFT_OUT = os.path.join(ROOT, "tests", "support", "left-out.yaml")

_shared = {}
_numbers = itertools.count(1)


def broker():
    """The broker of this run; started when it is first asked for."""
    if "broker" not in _shared:
        _shared["folder"] = tempfile.mkdtemp(prefix="tocsin-")
        _shared["children"] = Children(_shared["folder"])
        _shared["broker"] = Broker(
            _shared["children"],
            os.path.join(_shared["folder"], "kafka")).start()
    return _shared["broker"]


def browser():
    """The browser of this run; started when it is first asked for."""
    if "browser" not in _shared:
        _shared["browser"] = Browser()
    return _shared["browser"]


def close():
    if "browser" in _shared:
        _shared["browser"].close()
    if "children" in _shared:
        _shared["children"].__exit__()
        shutil.rmtree(_shared["folder"])
    _shared.clear()


class World:
    """A folder, a Redis, topics of its own, and daemons that read them."""

    def __init__(self, redis_options=(), rules=RULES, prefix=None,
                 broker=None):
        self.folder = tempfile.mkdtemp(prefix="tocsin-")
        self.children = Children(self.folder)
        self.prefix = prefix or f"t{next(_numbers)}."
        self.rules = os.path.join(self.folder, "rules")
        shutil.copytree(rules, self.rules)
        if rules == RULES:
            shutil.copy(LEFT_OUT, self.rules)
        self.edit_rules("topic: fin.", "topic: " + self.prefix)
        self.redis = RedisServer(self.children,
                                 os.path.join(self.folder, "r"),
                                 redis_options)
        self._names = itertools.count(1)
        self._broker = broker

    @property
    def broker(self):
        """That of the run, unless this world has another."""
        return self._broker or broker()

    def use_broker(self, its_own):
        self._broker = its_own

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        self.children.__exit__()
        if failed and os.environ.get("TOCSIN_KEEP"):
            print("# kept " + self.folder)
        else:
            shutil.rmtree(self.folder)

    def topic(self, name):
        """payments -> t7.payments"""
        return self.prefix + name

    def _rule_files(self):
        """(path, text) of each."""
        for folder, _, files in os.walk(self.rules):
            for name in files:
                if name.endswith(".yaml"):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as stream:
                        yield path, stream.read()

    def find_in_rules(self, pattern):
        """What the group of a regular expression found, line by line."""
        return [match for _, text in self._rule_files()
                for match in re.findall(pattern, text, re.MULTILINE)]

    def edit_file(self, name, before, after):
        """Replaces text in another file beside the rules."""
        path = os.path.join(self.rules, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if before not in text:
            raise AssertionError(f"{name} does not contain {before!r}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(before, after))

    def edit_rules(self, before, after, file=None):
        """Replaces text in the rule files of this world."""
        found = 0
        for path, text in self._rule_files():
            if file not in (None, os.path.basename(path)):
                continue
            found += text.count(before)
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text.replace(before, after))
        if not found:
            raise AssertionError(f"no rule file contains {before!r}")

    def config(self, brokers=None, state="state", **more):
        """The configuration as a dictionary (JSON is YAML too)."""
        config = {
            "lane": "0",
            "instance": "test",
            "kafka": {"brokers": brokers or self.broker.address,
                      "properties": {"fetch.wait.max.ms": "10",
                                     "reconnect.backoff.ms": "50",
                                     "reconnect.backoff.max.ms": "500"}},
            "redis": {"url": "unix://" + self.redis.socket},
            "state": os.path.join(self.folder, state),
            "rules": [self.rules],
            "http": "127.0.0.1:0",
            "stop_timeout": "10s",
            "align_wait": "2s",
            # Often, so that every test has some to stumble over.
            "checkpoint": {"every": "1s"},
        }
        for name, value in more.items():
            if isinstance(value, dict) and name in config:
                config[name].update(value)
            else:
                config[name] = value
        return config

    def write_config(self, config, name="tocsin.yaml"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
        return path

    def daemon(self, wait=True, arguments=(), build=BUILD, env=None,
               under=(), **more):
        """Starts tocsind; with @wait returns when it has said where it
        listens. @env is added to the environment, @under is a command that
        starts it, @more is for tocsin.yaml."""
        number = next(self._names)
        config = self.config(**more)
        path = self.write_config(config, f"tocsin-{number}.yaml")
        words = [*under, os.path.join(build, "tocsind"), "-c", path,
                 *arguments]
        return Daemon(self, path, config, f"tocsind-{number}", words, wait,
                      env and {**os.environ, **env})


class Daemon:
    def __init__(self, world, path, config, name, words, wait, env=None):
        self.world = world
        self.config = config
        self.state = config["state"]
        self.path = path
        self.child = world.children.start(name, words, env=env)
        self._address = None
        if wait:
            wait_for(self.address, 30, lambda: "the daemon listens\n"
                     + self.child.tail())

    def address(self):
        """host:port of its HTTP server, once it has said so."""
        if not self._address:
            for line in self.child.output().splitlines():
                if "http: listening on " in line:
                    self._address = line.split("listening on ")[1] \
                        .split()[0].strip('"},')
            if not self._address and not self.child.running():
                raise AssertionError("the daemon ended:\n"
                                     + self.child.tail())
        return self._address

    def get(self, path):
        """(status, body)"""
        try:
            with urllib.request.urlopen(
                    f"http://{self.address()}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self):
        """{name with labels: number}; empty if it does not answer."""
        out = {}
        status, text = self.get("/metrics")
        for line in text.splitlines() if status == 200 else ():
            if line and line[0] != "#":
                name, _, value = line.rpartition(" ")
                out[name] = float(value)
        return out

    def total(self, name, metrics=None):
        """The sum of a metric over all its labels."""
        metrics = self.metrics() if metrics is None else metrics
        return sum(value for key, value in metrics.items()
                   if key.split("{")[0] == name)

    def ready(self):
        return self.get("/ready")[0] == 200

    def wait_ready(self, seconds=60):
        wait_for(lambda: self._alive() and self.ready(), seconds,
                 lambda: f"ready: {self.get('/ready')}\n"
                 + self.child.tail(), interval=0.05)
        return self

    def _alive(self):
        if not self.child.running():
            raise AssertionError("the daemon ended:\n" + self.child.tail(40))
        return True

    def journal(self):
        """The journal as the daemon's tool prints it, line by line."""
        done = subprocess.run([TOCSIN, "state", "journal", self.state],
                              capture_output=True, text=True)
        if done.returncode:
            raise AssertionError("tocsin state journal: ended with "
                                 f"{done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def reload(self):
        """Asks it to read its rules again."""
        self.child.signal(signal.SIGHUP)

    def said(self, text):
        return text in self.child.output()

    def stop(self, seconds=20):
        return self.child.stop(seconds)

    def kill(self):
        self.child.kill()
