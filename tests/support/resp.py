"""A Redis client of the standard library alone (RESP2).

Replies are bytes, int, None or lists of these. An error reply is raised as
RedisError, but inside a list it stands as a value. A connection that failed
half-way would pair old replies with new questions, so it is closed.
"""

import socket


class RedisError(Exception):
    pass


def _encode(value):
    if isinstance(value, bytes):
        return value
    return str(value).encode()


class Redis:
    def __init__(self, path=None, host="127.0.0.1", port=None, timeout=10):
        if path:
            self._sock = socket.socket(socket.AF_UNIX)
            self._sock.settimeout(timeout)
            self._sock.connect(path)
        else:
            self._sock = socket.create_connection((host, port), timeout)
        self._file = self._sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._sock.close()

    def __call__(self, *words):
        return self.pipeline([words])[0]

    def send(self, *words):
        """A command whose reply nobody waits for."""
        self._send([words])

    def _send(self, commands):
        out = []
        for words in commands:
            out.append(b"*%d\r\n" % len(words))
            for word in words:
                word = _encode(word)
                out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self._sock.sendall(b"".join(out))

    def pipeline(self, commands):
        try:
            self._send(commands)
            replies = [self._read() for _ in commands]
        except OSError:
            self.close()
            raise
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    def next_message(self, timeout):
        """The next pushed reply (SUBSCRIBE); None if none comes in time."""
        self._sock.settimeout(timeout)
        try:
            return self._read()
        except socket.timeout:
            return None

    def hash(self, key):
        flat = self("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def stream(self, key, start="-", end="+"):
        """Every entry as (id, {field: value}), all bytes."""
        return [(entry[0], dict(zip(entry[1][::2], entry[1][1::2])))
                for entry in self("XRANGE", key, start, end)]

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        return line[:-2]

    def _read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            data = self._file.read(size + 2)
            if len(data) != size + 2:
                raise ConnectionError("Redis closed the connection")
            return data[:-2]
        if kind == b"*":
            size = int(rest)
            return None if size < 0 else [self._read() for _ in range(size)]
        raise ConnectionError(f"not RESP: {line!r}")
