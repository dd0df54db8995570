"""`octet serve` as a process with a free port: its two processes, their memory, its counters."""
import ctypes
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path


PR_SET_PDEATHSIG = 1


def _prepare(nice):
    """In the child: who measures and is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(nice)


class OctetServer:
    """Ends with the `with` block, by force if need be; `code` is then its exit code. `tls`: what
    vouches for its certificate, an ssl.SSLContext, when the flags let it speak TLS."""

    def __init__(self, octet, *flags, nice=0, tls=None):
        self.tls = tls
        self.process = subprocess.Popen(
            [octet, "serve", "--listen", "127.0.0.1:0", *flags], stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: _prepare(nice))
        self.said, self.code = [], None
        self.port = self._port()
        threading.Thread(target=self._listen, daemon=True).start()
        self._wait_until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.code = self.process.wait()
        self.process.stderr.close()

    def _port(self):
        for line in self.process.stderr:
            self.said.append(line)
            match = re.search(r"listening on https?://\S+:(\d+)$", line.strip())
            if match:
                return int(match.group(1))
        raise RuntimeError("the server does not start: " + "".join(self.said))

    def _listen(self):
        try:
            for line in self.process.stderr:
                self.said = [*self.said[-200:], line]
        except ValueError:
            pass  # closed

    def _wait_until_ready(self):
        until = time.monotonic() + 60
        while self.ask("GET", "/readyz")[0] != 200:
            if time.monotonic() > until:
                self.process.kill()
                raise RuntimeError("the server does not become ready: " + "".join(self.said))
            time.sleep(0.05)

    def ask(self, method, path, body=None, timeout=300):
        """(status, headers, bytes) of one request on a connection of its own."""
        if self.tls:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=timeout,
                                                     context=self.tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def counters(self):
        """What /metrics says: {series: number}."""
        text = self.ask("GET", "/metrics")[2].decode()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines}

    @property
    def front(self):
        return self.process.pid

    @property
    def worker(self):
        """The process that draws; None while there is none. Children are listed under the thread
        that started them."""
        for children in Path(f"/proc/{self.front}/task").glob("*/children"):
            try:
                found = children.read_text().split()
            except OSError:
                continue
            if found:
                return int(found[0])
        return None


def sum_of(counters, name):
    """Over all series of a metric."""
    return sum(value for series, value in counters.items() if series.split("{")[0] == name)


def resident_mb(pid):
    """Megabytes; None when there is no such process any more."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
