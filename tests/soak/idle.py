#!/usr/bin/env python3
"""What a thousand connections that do next to nothing cost: 500 event streams of a job that waits
and 500 requests whose body trickles, while pictures are drawn.

    idle.py --octet build/octet [--minutes 5] [--json FILE]

Draws without them, with them, and without them again. The exit code is 1 if a line does not hold.
"""
import argparse
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from octet_server import OctetServer, resident_mb
from verdict import Verdict

STREAMS, SLOW = 500, 500
DRAWING = {"prompt": "a red apple", "size": "256x256", "num_inference_steps": 20}


class Drawers:
    """Two requests at any time, so that the job of the streams waits behind one of them."""

    def __init__(self, server):
        self.server, self.done, self.failure, self.stop = server, [], None, False
        self.threads = [threading.Thread(target=self._draw) for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join()

    def _draw(self):
        while not self.stop and not self.failure:
            status, _, data = self.server.ask("POST", "/v1/images/generations", DRAWING)
            self.done.append(time.monotonic())
            if status != 200:
                self.failure = f"status {status}: {data[:200]!r}"

    def rate_over(self, begin, end):
        """Pictures a minute, from end to end of a picture."""
        ends = [at for at in self.done if begin <= at < end]
        if len(ends) < 2:
            return 0.0
        return 60 * (len(ends) - 1) / (ends[-1] - ends[0])


def health_while(server, seconds):
    """Seconds that each look at /healthz took; the most megabytes that the front had."""
    times, mb, until = [], 0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        if server.ask("GET", "/healthz", timeout=10)[0] != 200:
            times.append(10.0)
        times.append(time.monotonic() - began)
        mb = max(mb, resident_mb(server.front))
        time.sleep(0.05)
    return times, mb


def measure(server, minutes):
    """Figures, with the number of connections."""
    quiet = max(6, 12 * minutes)  # seconds
    with Drawers(server) as drawers:
        time.sleep(2)
        waiting = {**DRAWING, "num_inference_steps": 1000, "priority": "low"}
        path = "/v1/jobs/" + json.loads(server.ask("POST", "/v1/jobs", waiting)[2])["id"]
        marks = [time.monotonic()]
        before, _ = health_while(server, quiet)
        marks.append(time.monotonic())
        holder = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("sockets.py")), str(server.port),
             str(STREAMS), str(SLOW), path + "/events"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            holder.stdout.readline()
            marks.append(time.monotonic())
            times, mb = health_while(server, 60 * minutes)
            marks.append(time.monotonic())
            held = json.loads(holder.communicate("")[0])
        finally:
            holder.kill()
            holder.wait()
        time.sleep(1)
        marks.append(time.monotonic())
        health_while(server, quiet)
        marks.append(time.monotonic())
        state = json.loads(server.ask("GET", path)[2])["state"]
        server.ask("DELETE", path)
    if drawers.failure:
        raise RuntimeError(drawers.failure)
    return {"times": times, "before": before, "mb": mb, "held": held, "state": state,
            "rates": [drawers.rate_over(marks[0], marks[1]), drawers.rate_over(marks[2], marks[3]),
                      drawers.rate_over(marks[4], marks[5])]}


def p99_ms(times):
    return 1e3 * sorted(times)[int(0.99 * len(times))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--json")
    o = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    verdict = Verdict("soak-idle", minutes=o.minutes, streams=STREAMS, slow=SLOW)
    with OctetServer(o.octet, "--batch", "1") as server:
        m = measure(server, o.minutes)
    held, rates = m["held"], m["rates"]
    verdict.line("connections held to the end",
                 held["streams"] == STREAMS and held["slow"] >= 0.9 * SLOW and m["state"] == "queued",
                 f"{held['streams']} streams ({held['pieces']} pieces read, {held['streams_closed']} "
                 f"closed) of a {m['state']} job, {held['slow']} slow requests", f"{STREAMS} and {SLOW}")
    verdict.line("/healthz, 99 of 100", p99_ms(m["times"]) < 50,
                 f"{p99_ms(m['times']):.1f} ms of {len(m['times'])} (median "
                 f"{1e3 * statistics.median(m['times']):.1f} ms, slowest {1e3 * max(m['times']):.0f} ms; "
                 f"without them {p99_ms(m['before']):.1f} ms)", "below 50 ms")
    alone = statistics.mean([rates[0], rates[2]])
    verdict.line("pictures a minute", rates[1] >= 0.95 * alone,
                 f"{rates[1]:.1f}; {rates[0]:.1f} before, {rates[2]:.1f} after: "
                 f"{100 * rates[1] / alone:.1f} %", "at least 95 %")
    verdict.line("memory of the front", m["mb"] < 150, f"{m['mb']:.1f} MB", "below 150 MB")
    verdict.line("ends by itself", server.code == 0, f"exit code {server.code}", "0")
    verdict.figures(rates=rates, held=held, health_ms=[round(1e3 * t, 2) for t in sorted(m["times"])
                                                       [::max(1, len(m["times"]) // 100)]])
    return verdict.finish(o.json)


if __name__ == "__main__":
    raise SystemExit(main())
