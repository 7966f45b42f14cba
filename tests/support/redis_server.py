"""A private redis-server: its own folder, a Unix socket, on demand a TCP port."""

import os

from support.process import wait_for
from support.resp import Redis, RedisError


class RedisServer:
    """@options are more arguments of redis-server, e.g. --appendonly yes.

    @auth, if set, are the words of the AUTH that connect() begins with.
    """

    def __init__(self, children, folder, options=(), name="redis"):
        self._children = children
        self._options = list(options)
        self._name = name
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        # A socket's path is limited to 107 bytes, a temporary folder's not:
        # the name is kept short.
        self.socket = os.path.join(folder, "s")
        self.auth = None
        self.child = None

    def start(self, wait=True):
        """With @wait returns when it answers, else at once."""
        self.child = self._children.start(
            self._name,
            ["redis-server", "--port", "0", "--unixsocket", self.socket,
             "--dir", self.folder, "--save", "", *self._options])
        if wait:
            wait_for(self._answers, 20, lambda: "redis answers\n"
                     + self.child.tail())
        return self

    def _answers(self):
        if not self.child.running():
            raise AssertionError("redis-server ended:\n" + self.child.tail())
        try:
            with self.connect() as redis:
                return redis("PING") == b"PONG"
        except (OSError, RedisError):
            return False

    def connect(self, timeout=10):
        redis = Redis(path=self.socket, timeout=timeout)
        if self.auth:
            redis("AUTH", *self.auth)
        return redis

    def stop(self):
        self.child.stop()

    def kill(self):
        self.child.kill()
