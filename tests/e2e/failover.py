"""A master that is lost, sentinels that choose another, alerts that stay."""

import os
import unittest

from support import run_of
from support.process import free_port, wait_for
from support.redis_server import RedisServer
from support.resp import Redis, RedisError
from support.town import Town
from support.world import World


class Group:
    """A master, two replicas, three sentinels."""

    def __init__(self, world):
        self.children = world.children
        self.folder = world.folder
        self.ports = [free_port() for _ in range(3)]
        self.servers = []
        for number, port in enumerate(self.ports):
            server = RedisServer(
                world.children, os.path.join(world.folder, f"s{number}"),
                ["--port", str(port), "--repl-diskless-sync-delay", "0",
                 *(["--replicaof", "127.0.0.1", str(self.ports[0])]
                   if number else [])], f"redis-{number}")
            self.servers.append(server.start())
        wait_for(lambda: self.info(0)["connected_slaves"] == "2", 30,
                 "both replicas are there")
        self.sentinels = [free_port() for _ in range(3)]
        for number, port in enumerate(self.sentinels):
            self._sentinel(number, port)
        for port in self.sentinels:
            wait_for(lambda: self._knows(port), 30,
                     "a sentinel knows the others")

    def _sentinel(self, number, port):
        folder = os.path.join(self.folder, f"sentinel-{number}")
        os.makedirs(folder)
        path = os.path.join(folder, "conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"port {port}\ndir {folder}\n"
                       f"sentinel monitor m 127.0.0.1 {self.ports[0]} 2\n"
                       "sentinel down-after-milliseconds m 1000\n"
                       "sentinel failover-timeout m 3000\n")
        self.children.start(f"sentinel-{number}",
                            ["redis-server", path, "--sentinel"])

    def _knows(self, port):
        try:
            with Redis(port=port) as sentinel:
                flat = sentinel("SENTINEL", "MASTER", "m")
        except (OSError, RedisError):
            return False
        facts = dict(zip(flat[::2], flat[1::2]))
        return facts[b"num-slaves"] == b"2" and \
            facts[b"num-other-sentinels"] == b"2"

    def info(self, number):
        with self.servers[number].connect() as redis:
            text = redis("INFO", "replication").decode()
        return dict(line.split(":", 1) for line in text.splitlines()
                    if ":" in line)

    def master(self):
        """Its number, as the sentinels have it."""
        with Redis(port=self.sentinels[0]) as sentinel:
            _, port = sentinel("SENTINEL", "get-master-addr-by-name", "m")
        return self.ports.index(int(port))

    def fail_over(self):
        """Kills the master; returns when another is one."""
        old = self.master()
        self.servers[old].kill()
        wait_for(lambda: self.master() != old, 30, "another is the master")
        wait_for(lambda: self.info(self.master())["role"] == "master", 30,
                 "it knows that it is")
        return old

    def url(self):
        return "sentinel://" + ",".join(
            f"127.0.0.1:{port}" for port in self.sentinels) + "/m"


class Failover(unittest.TestCase):
    def test_the_master_is_killed_twice_under_load(self):
        with World() as world:
            group = Group(world)
            run_of.create(world)
            town = Town(41, months=9)
            step = len(town.items) // 4 + 1
            daemon = world.daemon(redis={"url": group.url()}).wait_ready()
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, step)
                town.produce(producer, world.prefix, step, 2 * step)
                old = group.fail_over()
                town.produce(producer, world.prefix, 2 * step, 3 * step)
                daemon.wait_ready()
                # Back as a replica of the one that took its place.
                group.servers[old].start()
                wait_for(lambda: group.info(old)["role"] == "slave", 30,
                         "the old master is a replica")
                wait_for(lambda: group.info(old)["master_link_status"] ==
                         "up", 30, "it follows")
                group.fail_over()
                town.produce(producer, world.prefix, 3 * step)
                daemon.wait_ready()
            run_of.take_all_and_stop(world, daemon)
            world.redis = group.servers[group.master()]
            run_of.check(world, daemon)

    def test_the_replica_that_takes_over_lacks_the_end(self):
        with World() as world:
            group = Group(world)
            run_of.create(world)
            town = Town(42, months=9)
            half = len(town.items) // 2
            daemon = world.daemon(redis={"url": group.url()}).wait_ready()
            with run_of.producer() as producer:
                town.produce(producer, world.prefix, 0, half)
                run_of.wait_taken(world, daemon)
                old = group.master()
                with group.servers[old].connect() as redis:
                    # From here on the master alone has what it acknowledges.
                    redis("ACL", "SETUSER", "default", "-psync", "-sync",
                          "-replconf")
                    redis("CLIENT", "KILL", "TYPE", "replica")
                    lacks = len(run_of.documents(redis))
                    town.produce(producer, world.prefix, half)
                    run_of.wait_delivered(world, daemon)
                    had = run_of.documents(redis)
                self.assertGreater(len(had), lacks)
                group.fail_over()
                daemon.wait_ready()
            world.redis = group.servers[group.master()]

            def there():
                with world.redis.connect() as redis:
                    return len(run_of.documents(redis)) >= len(had)

            wait_for(there, 30, lambda: "all is there\n"
                     + daemon.child.tail())
            # The one that fell comes back as a replica of the new one.
            group.servers[old].start()
            wait_for(lambda: group.info(old)["role"] == "slave", 30,
                     "the old master is a replica")
            wait_for(lambda: daemon.total("tocsin_alerts_resent_total") >=
                     len(had) - lacks, 10, "it came from what was sent")
            self.assertEqual(daemon.total("tocsin_restarts_total"), 0)
            run_of.take_all_and_stop(world, daemon)
            with world.redis.connect() as redis:
                self.assertEqual(run_of.documents(redis), had)
            run_of.check(world, daemon)

    def test_nobody_knows_the_master(self):
        with World() as world:
            group = Group(world)
            run_of.create(world)
            daemon = world.daemon(
                redis={"url": group.url()[:-1] + "other"})
            wait_for(lambda: "it knows no master other" in
                     daemon.child.output(), 20, daemon.child.tail)
            self.assertFalse(daemon.ready())
            daemon.stop()
