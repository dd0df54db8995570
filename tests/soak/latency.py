#!/usr/bin/env python3
"""What the server adds to a picture, how soon it lets go of a cancelled one, and what previews cost.

    latency.py --octet build/octet [--rounds 15] [--only overhead|cancel|previews] [--json FILE]

Times on the emoji model; the machine must do nothing else. The exit code is 1 if a line does not
hold.
"""
import argparse
import http.client
import json
import random
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from octet_server import OctetServer
from verdict import Verdict

ROUTE = "/v1/images/generations"


def draw(server, **body):
    """(seconds on the client's clock, {stage: seconds that the server tells})."""
    began = time.perf_counter()
    status, headers, data = server.ask("POST", ROUTE, {"prompt": "a red apple", **body})
    took = time.perf_counter() - began
    if status != 200:
        raise RuntimeError(f"status {status}: {data[:200]!r}")
    timing = dict(re.findall(r"(\w+);dur=([\d.]+)", headers["Server-Timing"]))
    return took, {stage: float(ms) / 1e3 for stage, ms in timing.items()}


def generate(octet, folder, prompt, seed):
    """Seconds that `octet generate` takes from the loaded model to the picture, not encoded."""
    words = [octet, "generate", prompt, "--seed", str(seed), "-o", str(Path(folder) / "a.png"), "--json"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    seconds = json.loads(said)["seconds"]
    return sum(seconds[stage] for stage in ("init", "text", "denoise", "decode"))


def overhead(verdict, octet, rounds):
    """The same pictures both ways, by turns. What the program computes differs from run to run by
    more than HTTP costs, so the server's own time of the stages is compared as well."""
    added, shares, spoken = [], [], []
    with OctetServer(octet) as server, tempfile.TemporaryDirectory() as folder:
        draw(server)
        for i in range(rounds):
            prompt, seed = f"a red apple and {i} pears", random.randrange(1 << 31)
            alone = generate(octet, folder, prompt, seed)
            took, stages = draw(server, prompt=prompt, seed=seed)
            computed = sum(stages[s] for s in ("text", "denoise", "vae"))
            added.append(1e3 * (took - stages["encode"] - alone))
            shares.append(1e3 * (took - stages["encode"] - computed))
            spoken.append(1e3 * (computed - alone))
    verdict.line("HTTP beyond octet generate, encoding apart", statistics.median(added) <= 20,
                 f"median {statistics.median(added):.1f} ms of {rounds} ({min(added):.1f} to "
                 f"{max(added):.1f}): {statistics.median(shares):.1f} ms outside of the stages, "
                 f"{statistics.median(spoken):+.1f} ms within", "at most 20 ms")
    verdict.figures(overhead_ms=added, outside_ms=shares, within_ms=spoken)


def events(server, path):
    """(moment, name, JSON) of a job's events, as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path + "/events")
    answer = connection.getresponse()
    name = None
    for line in answer:
        if line.startswith(b"event: "):
            name = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield time.perf_counter(), name, json.loads(line[6:])
    connection.close()


def cancel_once(server):
    """(seconds from the request to the job's end, seconds of a step: median, slowest)."""
    body = {"prompt": "a", "size": "512x512", "num_inference_steps": 200}
    path = "/v1/jobs/" + json.loads(server.ask("POST", "/v1/jobs", body)[2])["id"]
    at_step, moments, asked, wanted = None, [], None, random.randrange(5, 10)
    for moment, name, data in events(server, path):
        if name == "progress" and data["stage"] == "denoise" and not asked:
            moments.append(moment)
            at_step = data["step"]
            if at_step >= wanted:
                step = statistics.median(b - a for a, b in zip(moments[1:], moments[2:]))
                time.sleep(random.uniform(0, step))
                asked = time.perf_counter()
                server.ask("DELETE", path)
        elif name == "cancelled":
            gaps = [b - a for a, b in zip(moments[1:], moments[2:])]
            return moment - asked, statistics.median(gaps), max(gaps)
        elif name in ("done", "failed"):
            raise RuntimeError(f"a cancelled job is {name}: {data}")
    raise RuntimeError("the events of a cancelled job end early")


def cancel(verdict, octet, rounds):
    """A picture of 512x512, so that a step is long beside everything else."""
    with OctetServer(octet) as server:
        draw(server)
        found = [cancel_once(server) for _ in range(rounds)]
    late = [1e3 * (took - slowest) for took, _, slowest in found]
    worst = max(took / median for took, median, _ in found)
    verdict.line("cancel to idle", max(late) <= 10,
                 f"median {1e3 * statistics.median(t for t, _, _ in found):.0f} ms, slowest "
                 f"{1e3 * max(t for t, _, _ in found):.0f} ms = {worst:.2f} steps of "
                 f"{1e3 * statistics.median(m for _, m, _ in found):.0f} ms, {rounds} times",
                 "one step (the slowest one seen, and 10 ms for two messages)")
    verdict.figures(cancel=[{"took": t, "step": m, "slowest_step": s} for t, m, s in found])


def previews(verdict, octet, rounds):
    """Long runs, so that every one has several previews; with and without them by turns."""
    ratios, times = [], {True: [], False: []}
    with OctetServer(octet) as server:
        draw(server)
        for i in range(rounds):
            pair = {}
            for wanted in ((True, False) if i % 2 else (False, True)):
                body = {"num_inference_steps": 120, "seed": i}
                if wanted:
                    body |= {"partial_images": 3, "stream": False}
                pair[wanted] = draw(server, **body)[1]["denoise"]
                times[wanted].append(pair[wanted])
            ratios.append(pair[True] / pair[False])
    slower = 100 * (statistics.median(ratios) - 1)
    verdict.line("denoising slowed by previews", slower <= 1,
                 f"{slower:+.2f} % (median of {rounds} pairs, {100 * min(ratios) - 100:+.1f} to "
                 f"{100 * max(ratios) - 100:+.1f}); {statistics.median(times[False]):.2f} s without",
                 "at most 1 %")
    verdict.figures(previews=times[True], without=times[False])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=["overhead", "cancel", "previews"])
    parser.add_argument("--json")
    o = parser.parse_args()
    verdict = Verdict("soak-latency", rounds=o.rounds)
    for name, measure in (("overhead", overhead), ("cancel", cancel), ("previews", previews)):
        if o.only in (None, name):
            measure(verdict, o.octet, o.rounds)
    return verdict.finish(o.json)


if __name__ == "__main__":
    raise SystemExit(main())
