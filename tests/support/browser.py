"""A real browser without a head and without a network, asked over a pipe.

Speaks the browser's own protocol (JSON, a NUL behind each message) on file
descriptors 3 and 4, so that no port is opened and nothing but Python needed.
What it writes to its console is remembered: a page that complains has failed.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

SECONDS = 60


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tocsin-")
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        # No shell of ours uses 3 and 4 for itself; it puts the pipe there.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{there} 4>&{back}', "browser",
             "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-pipe",
             "--host-resolver-rules=MAP * ~NOTFOUND",
             "--user-data-dir=" + self.folder, "about:blank"],
            pass_fds=(there, back), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(there)
        os.close(back)
        self._rest = b""
        self._number = 0
        self._session = None
        self._loaded = set()
        self.console = []
        target = self.ask("Target.createTarget", url="about:blank")
        self._session = self.ask("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)
        self.ask("Network.emulateNetworkConditions", offline=True, latency=0,
                 downloadThroughput=0, uploadThroughput=0)

    def close(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _message(self, end):
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise AssertionError("the browser does not answer")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise AssertionError("the browser ended")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        return json.loads(text)

    def _notice(self, message):
        if message["method"] in ("Runtime.consoleAPICalled",
                                 "Runtime.exceptionThrown",
                                 "Log.entryAdded"):
            self.console.append(message["params"])
        elif message["method"] == "Page.lifecycleEvent" and \
                message["params"]["name"] == "load":
            self._loaded.add(message["params"]["loaderId"])

    def ask(self, method, **params):
        """The result of a command; events that come before it are noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while True:
            answer = self._message(end)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self._notice(answer)

    def open(self, path, fragment=""):
        """Loads a file, wholly; what the console said before is forgotten."""
        # By way of another page: to the same one it would only be a scroll.
        self._go("about:blank")
        self.console.clear()
        self._go("file://" + path + fragment)

    def _go(self, url):
        self._loaded.clear()
        loader = self.ask("Page.navigate", url=url)["loaderId"]
        end = time.monotonic() + SECONDS
        while loader not in self._loaded:
            message = self._message(end)
            if "method" in message:
                self._notice(message)

    def js(self, expression):
        """What an expression is worth in the page."""
        done = self.ask("Runtime.evaluate", expression=expression,
                        returnByValue=True)
        if "exceptionDetails" in done:
            raise AssertionError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def screen(self, width, height, scheme="light"):
        self.ask("Emulation.setDeviceMetricsOverride", width=width,
                 height=height, deviceScaleFactor=1, mobile=width < 500)
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def picture(self):
        """The page as a PNG."""
        return base64.b64decode(
            self.ask("Page.captureScreenshot", format="png")["data"])

    def print(self):
        """The page as a PDF."""
        return base64.b64decode(
            self.ask("Page.printToPDF", preferCSSPageSize=True)["data"])
