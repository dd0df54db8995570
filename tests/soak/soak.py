#!/usr/bin/env python3
"""Many clients at once, three in ten of whose requests are given up midway; with --kill the worker
process is killed again and again.

    soak.py --octet build/octet [--minutes 10] [--clients 200] [--kill SECONDS] [--json FILE]

What must hold is printed line by line; the exit code is 1 if a line does not hold. --light judges
no times and no memory and asks for small pictures: for machines that do other work as well.
"""
import argparse
import asyncio
import os
import random
import resource
import signal
import statistics
import time

from clients import Client, Ledger
from octet_server import OctetServer, resident_mb, sum_of
from verdict import Verdict
from wire import Broken, ask

QUEUE, BATCH, KEEP = 64, 8, 30  # jobs, pictures, seconds
STALL = 60                       # seconds without any end, when some are still to come


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--kill", type=float, default=0, help="seconds between kills, on average")
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--json")
    return parser.parse_args()


class Watch:
    """Samples of the server while it is under load."""

    def __init__(self, server):
        self.server, self.begun = server, time.monotonic()
        self.front, self.worker = [], []  # (seconds, MB)
        self.queued = self.running = 0
        self.health, self.down = [], 0
        self.kills = 0

    async def sample(self):
        while True:
            now = time.monotonic() - self.begun
            for pid, samples in ((self.server.front, self.front), (self.server.worker, self.worker)):
                mb = pid and resident_mb(pid)
                if mb:
                    samples.append((now, mb))
            counters = await asyncio.to_thread(self.server.counters)
            self.queued = max(self.queued, sum_of(counters, "sd_queue_depth"))
            self.running = max(self.running, sum_of(counters, "sd_jobs_running"))
            await asyncio.sleep(1)

    async def probe(self):
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(5):
                    status = (await ask(self.server.port, "GET", "/healthz"))[0]
                self.down += status != 200
            except (Broken, TimeoutError):
                self.down += 1
            self.health.append(time.monotonic() - began)
            await asyncio.sleep(0.1)

    async def kill(self, every, until):
        while every:
            await asyncio.sleep(random.uniform(0.5 * every, 1.5 * every))
            if time.monotonic() > until:
                return
            worker = self.server.worker
            if worker:
                os.kill(worker, signal.SIGKILL)
                self.kills += 1


def alone_per_minute(server, shape, seconds):
    """Pictures of one client that asks for one after the other."""
    body = {"prompt": "a red apple", "num_inference_steps": shape["steps"], "size": shape["size"]}
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        status, _, data = server.ask("POST", "/v1/images/generations", body)
        if status != 200:
            raise RuntimeError(f"alone: status {status}: {data[:200]!r}")
        count += 1
    return 60 * count / (time.monotonic() - begun)


async def wait_for_ends(clients, ledger, until):
    """Gives up on jobs when none has ended for long: they are lost."""
    lost, seen, since = clients, -1, until
    while lost:
        _, lost = await asyncio.wait(lost, timeout=1)
        count = ledger.gone + sum(ledger.ends.values())
        if count != seen or time.monotonic() < until:
            seen, since = count, time.monotonic()
        elif time.monotonic() - since > STALL:
            ledger.error(f"{len(lost)} requests without an end; none has ended for {STALL} s")
            for task in lost:
                task.cancel()
            return


async def load(server, watch, ledger, shape, o):
    until = time.monotonic() + 60 * o.minutes
    watchers = [asyncio.create_task(task) for task in
                (watch.sample(), watch.probe(), watch.kill(o.kill, until))]
    clients = [asyncio.create_task(Client(server, i, ledger, shape, bool(o.kill)).live(until))
               for i in range(o.clients)]
    await wait_for_ends(clients, ledger, until)
    for result in await asyncio.gather(*clients, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
    for task in watchers:
        task.cancel()
    for result in await asyncio.gather(*watchers, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def ends_stay(server, ledger):
    """Jobs that are still kept stand as they did when they ended."""
    looked = 0
    for path, state in list(ledger.jobs.items())[-200:]:
        status, _, data = await ask(server.port, "GET", path)
        if status == 404:
            continue  # no longer kept
        looked += 1
        if f'"state":"{state}"'.encode() not in data:
            ledger.error(f"a job ended as {state} and later stood as {data[:200]!r}")
    return looked


def judge_jobs(verdict, server, ledger, before):
    until = time.monotonic() + 30  # jobs whose clients are gone end a moment later
    while time.monotonic() < until:
        counters = server.counters()
        if not sum_of(counters, "sd_queue_depth") + sum_of(counters, "sd_jobs_running"):
            break
        time.sleep(0.2)
    counters = {name: value - before.get(name, 0) for name, value in counters.items()}
    accepted = sum_of(counters, "sd_jobs_accepted_total")
    ended = sum_of(counters, "sd_jobs_ended_total")
    verdict.line("every accepted job ended exactly once", accepted == ended > 0,
                 f"{accepted:.0f} accepted, {ended:.0f} ended", "equal")
    seen = sum(ledger.ends.values())
    verdict.line("every client that waited saw one end", seen <= ended <= seen + ledger.gone,
                 f"{dict(ledger.ends)}, {ledger.gone} left before", "the server's count")
    done = counters.get('sd_jobs_ended_total{state="done"}', 0)
    verdict.line("pictures that were drawn arrived",
                 ledger.ends["done"] <= done <= ledger.ends["done"] + ledger.gone,
                 f"{done:.0f} drawn, {ledger.ends['done']} arrived")
    looked = asyncio.run(ends_stay(server, ledger))
    verdict.line("no error other than 429", not ledger.errors,
                 f"{len(ledger.errors)} errors, {ledger.refused} times 429, {looked} jobs looked at "
                 f"again {ledger.errors[:5] or ''}", "none")
    share = ledger.left / max(1, ledger.begun)
    verdict.line("requests given up midway", ledger.left > 0, f"{100 * share:.0f} %", "about 30 %")
    verdict.figures(counters=counters, ends=dict(ledger.ends), refused=ledger.refused,
                    gone=ledger.gone, reasons=dict(ledger.reasons), errors=ledger.errors[:50])


def judge_memory(verdict, name, samples, warm_up, judged):
    """Means of the two halves after the warm-up."""
    last = samples[-1][0]
    middle = (warm_up + last) / 2
    first = [mb for at, mb in samples if warm_up <= at < middle]
    second = [mb for at, mb in samples if at >= middle]
    if not first or not second:
        return
    growth = 100 * (statistics.mean(second) / statistics.mean(first) - 1)
    verdict.line(f"resident memory of the {name} in the last half", growth <= 2,
                 f"{growth:+.2f} % ({statistics.mean(first):.1f} to {statistics.mean(second):.1f} MB)",
                 "at most +2 %", judged)
    verdict.figures(**{f"{name}_mb": [(round(at), round(mb, 1)) for at, mb in samples[::10]]})


def main():
    o = options()
    random.seed()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    shape = {"steps": 8, "size": "64x64"} if o.light else {"steps": 20, "size": "256x256"}
    flags = ["--queue", str(QUEUE), "--batch", str(BATCH), "--keep", str(KEEP)]
    if o.light:
        flags += ["--threads", "1"]
    judged = not o.light
    verdict = Verdict("soak-kill" if o.kill else "soak", clients=o.clients, minutes=o.minutes,
                      kill_every=o.kill, light=o.light, shape=shape, flags=flags)
    ledger = Ledger()
    with OctetServer(o.octet, *flags, nice=10 if o.light else 0) as server:
        os.nice(5)  # the clients must not take the server's share
        baseline = 2 if o.light else min(60, 10 * o.minutes)
        alone = [] if o.kill else [alone_per_minute(server, shape, baseline)]
        watch, before = Watch(server), server.counters()
        begun = time.monotonic()
        asyncio.run(load(server, watch, ledger, shape, o))
        judge_jobs(verdict, server, ledger, before)
        restarts = sum_of(server.counters(), "sd_worker_restarts_total")
        alone += [] if o.kill else [alone_per_minute(server, shape, baseline)]
    limit = QUEUE + (BATCH if o.kill else 0)  # what a dead worker had goes back
    verdict.line("queue limit respected", watch.queued <= limit, f"at most {watch.queued:.0f} waited",
                 f"at most {limit}")
    verdict.line("front never down", watch.down == 0, f"{len(watch.health)} probes of /healthz, "
                 f"{watch.down} without an answer, slowest {1e3 * max(watch.health):.0f} ms", "none")
    if o.kill:
        verdict.line("worker killed and started again", restarts == watch.kills > 0,
                     f"{watch.kills} kills, {restarts:.0f} restarts", "equal")
        verdict.line("pictures in spite of it", ledger.ends["done"] > 0, ledger.ends["done"])
    else:
        warm_up = min(120, 12 * o.minutes)
        span = (begun + warm_up, begun + 60 * o.minutes)
        done = sum(span[0] <= at < span[1] for at in ledger.done_at)
        rate = 60 * done / (span[1] - span[0])
        verdict.line("finished pictures a minute", rate >= 0.95 * statistics.mean(alone),
                     f"{rate:.1f}, one client alone {' and '.join(f'{a:.1f}' for a in alone)} "
                     f"(before and after): {100 * rate / statistics.mean(alone):.1f} %",
                     "at least 95 %", judged)
        judge_memory(verdict, "front", watch.front, warm_up, judged)
        judge_memory(verdict, "worker", watch.worker, warm_up, judged)
    verdict.line("ends by itself", server.code == 0, f"exit code {server.code}", "0")
    return verdict.finish(o.json)


if __name__ == "__main__":
    raise SystemExit(main())
