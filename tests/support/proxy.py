"""A proxy before a Unix socket that cuts connections where a test says."""

import os
import socket
import threading


class Proxy:
    """Forwards bytes until limit() of them have come back from the server.

    limit() is asked once per connection; None lets it live. Whatever stands
    between a commit and its reply is cut like this sooner or later. While it
    is silent, nothing comes through and nothing ends. @target may be changed:
    it is where new connections lead.
    """

    def __init__(self, path, target, limit=lambda: None):
        self.path = path
        self.cuts = 0
        self.target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._limit = limit
        self._open = set()
        self._lock = threading.Lock()
        self._closing = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing = True
        # Closing alone does not wake accept(): connect once.
        with socket.socket(socket.AF_UNIX) as waker:
            waker.connect(self.path)
        self._thread.join(10)
        self._listener.close()
        os.unlink(self.path)
        self._flowing.set()
        self.cut_all()

    def be_silent(self, silent):
        if silent:
            self._flowing.clear()
        else:
            self._flowing.set()

    def cut_all(self):
        """Whoever is connected is so no more."""
        with self._lock:
            pairs = list(self._open)
        for pair in pairs:
            self._end(pair)

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            if self._closing:
                client.close()
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                server.close()
                continue
            pair = client, server
            with self._lock:
                self._open.add(pair)
            for arguments in ((client, server, pair, None),
                              (server, client, pair, self._limit())):
                threading.Thread(target=self._copy, args=arguments,
                                 daemon=True).start()

    def _copy(self, source, sink, pair, left):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                self._flowing.wait()
                if left is not None and len(data) >= left:
                    sink.sendall(data[:left])
                    self.cuts += 1
                    break
                sink.sendall(data)
                if left is not None:
                    left -= len(data)
        except OSError:
            pass
        self._end(pair)

    def _end(self, pair):
        with self._lock:
            if pair not in self._open:
                return
            self._open.remove(pair)
        for sock in pair:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
