"""Redis behind TLS: who is let in, who is refused, and in which words."""

import os
import subprocess
import unittest

from support import run_of
from support.process import free_port, wait_for
from support.town import Town
from support.world import TOCSIN, World


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


def authority(folder, name="ca"):
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
            "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
            f"{name}.crt")


def certificate(folder, name, names="IP:127.0.0.1,DNS:redis.test",
                days="2", ca="ca"):
    """NAME.crt and NAME.key, signed by @ca."""
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj",
            f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    with open(os.path.join(folder, "ext"), "w", encoding="ascii") as file:
        file.write(f"subjectAltName={names}\n")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt",
            "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", days,
            "-extfile", "ext", "-out", f"{name}.crt")


class Tls(unittest.TestCase):
    def _world(self, certificate_name="server", clients="no"):
        port = free_port()
        world = World()
        world.redis._options += [
            "--tls-port", str(port), "--tls-cert-file",
            f"{world.folder}/{certificate_name}.crt", "--tls-key-file",
            f"{world.folder}/{certificate_name}.key", "--tls-ca-cert-file",
            f"{world.folder}/ca.crt", "--tls-auth-clients", clients]
        authority(world.folder)
        return world, port

    def _redis(self, world, port, **more):
        return {"url": f"rediss://127.0.0.1:{port}",
                "tls_ca": f"{world.folder}/ca.crt", **more}

    def _runs(self, world, redis):
        town = Town(40, months=4)
        daemon = world.daemon(redis=redis)
        with run_of.producer() as producer:
            town.produce(producer, world.prefix)
        run_of.take_all_and_stop(world, daemon)
        run_of.check(world, daemon)
        return daemon

    def _says(self, world, redis, words):
        daemon = world.daemon(redis=redis)
        wait_for(lambda: words in daemon.child.output(), 20,
                 lambda: f"{words}\n" + daemon.child.tail())
        self.assertFalse(daemon.ready())
        daemon.stop()

    def test_alerts_over_tls_and_a_tail_of_them(self):
        world, port = self._world()
        with world:
            certificate(world.folder, "server")
            world.redis.start()
            run_of.create(world)
            daemon = self._runs(world, self._redis(world, port))
            done = subprocess.run(
                [TOCSIN, "tail", "-c", daemon.path, "-s", "-n", "3", "-j"],
                capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(done.stdout.splitlines()), 3)

    def test_a_certificate_of_our_own(self):
        world, port = self._world(clients="yes")
        with world:
            certificate(world.folder, "server")
            certificate(world.folder, "client")
            world.redis.start()
            run_of.create(world)
            self._says(world, self._redis(world, port), "certificate")
            self._runs(world, self._redis(
                world, port, tls_cert=f"{world.folder}/client.crt",
                tls_key=f"{world.folder}/client.key"))

    def test_a_name_that_is_not_the_hosts(self):
        world, port = self._world()
        with world:
            certificate(world.folder, "server", "DNS:redis.test")
            world.redis.start()
            run_of.create(world)
            self._says(world, self._redis(world, port),
                       "its certificate is refused: IP address mismatch")
            self._runs(world, self._redis(world, port,
                                          tls_name="redis.test"))

    def test_a_certificate_of_another_authority(self):
        world, port = self._world()
        with world:
            authority(world.folder, "other")
            certificate(world.folder, "server")
            world.redis.start()
            run_of.create(world)
            self._says(world, self._redis(
                world, port, tls_ca=f"{world.folder}/other.crt"),
                "its certificate is refused: self-signed certificate in")

    def test_a_certificate_that_has_expired(self):
        world, port = self._world()
        with world:
            certificate(world.folder, "server", days="-1")
            world.redis.start()
            run_of.create(world)
            self._says(world, self._redis(world, port),
                       "its certificate is refused: certificate has expired")

    def test_files_that_are_none(self):
        with World() as world:
            world.redis.start()
            path = os.path.join(world.folder, "none.pem")
            with open(path, "w", encoding="ascii") as file:
                file.write("no certificate\n")
            daemon = world.daemon(wait=False, redis={
                "url": "rediss://127.0.0.1:1", "tls_ca": path})
            self.assertNotEqual(daemon.child.wait(20), 0)
            self.assertIn("redis: " + path, daemon.child.output())
