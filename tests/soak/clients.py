"""Clients that ask, wait, change their minds and vanish; and the ledger of what they saw.

Every client has an address of its own (127.0.x.y), so that the server tells them apart.
"""
import asyncio
import collections
import json
import random
import time

from wire import Broken, Request, ask

LEAVING = 0.3  # share of requests that are given up before their end


class Ledger:
    def __init__(self):
        self.ends = collections.Counter()  # by state
        self.refused = self.gone = 0       # 429; dropped before the end was seen
        self.left = self.begun = 0         # requests with a change of mind; all
        self.errors = []
        self.reasons = collections.Counter()
        self.jobs = {}                     # token: how it ended
        self.done_at = []
        self.waits = collections.deque([5.0], maxlen=50)

    def error(self, text):
        self.errors.append(text[:300])

    def end(self, state, reason="", began=None):
        if state == "failed" and not reason:
            self.error("failed without a reason")
        self.ends[state] += 1
        if state == "failed":
            self.reasons[reason.split(":")[0]] += 1
        if state == "done":
            self.done_at.append(time.monotonic())
            if began:
                self.waits.append(time.monotonic() - began)

    def moment_to_leave(self):
        """Seconds after the start, over the whole life of a request; None: it stays."""
        if random.random() >= LEAVING:
            return None
        self.left += 1
        return random.uniform(0, 1.2 * sum(self.waits) / len(self.waits))


class Client:
    def __init__(self, server, number, ledger, shape, may_fail):
        self.port, self.ledger, self.shape, self.may_fail = server.port, ledger, shape, may_fail
        self.source = f"127.0.{1 + number // 250}.{2 + number % 250}"
        self.kinds = [self.openai, self.stream, self.automatic, self.job]

    async def live(self, until):
        while time.monotonic() < until:
            kind = random.choices(self.kinds, [4, 2, 2, 3])[0]
            self.ledger.begun += 1
            leave = self.ledger.moment_to_leave()
            try:
                pause = await kind(leave, time.monotonic())
            except Broken as error:
                self.ledger.error(f"{kind.__name__}: {error}")
                pause = 1
            await asyncio.sleep(min(pause or 0, max(0, until - time.monotonic())))

    def body(self, **more):
        return {"prompt": f"a red apple {random.randrange(50)}",
                "seed": random.randrange(1 << 31), **more}

    def refused(self, status, headers, data):
        """Handles every answer but success; the pause that the server asked for."""
        if status == 429:
            self.ledger.refused += 1
            if not headers.get("retry-after", "").isdigit():
                self.ledger.error("429 without Retry-After")
                return 1
            return int(headers["retry-after"]) * random.uniform(0.3, 1)
        if status == 500 and self.may_fail:
            said = json.loads(data)
            self.ledger.end("failed", str(said.get("detail") or said["error"]["message"]))
        elif status == 409 and b"cancelled" in data:
            self.ledger.end("cancelled")
        else:
            self.ledger.error(f"status {status}: {data[:200]!r}")
        return 0

    async def answered(self, leave, began, path, body, picture_of):
        """One request whose answer is the picture; leaving is dropping the connection."""
        try:
            async with asyncio.timeout(leave):
                status, headers, data = await ask(self.port, "POST", path, body, self.source)
        except TimeoutError:
            self.ledger.gone += 1
            return 0
        if status != 200:
            return self.refused(status, headers, data)
        if len(picture_of(json.loads(data))) < 100:
            self.ledger.error(f"{path}: no picture in the answer")
        self.ledger.end("done", began=began)
        return 0

    async def openai(self, leave, began):
        body = self.body(num_inference_steps=self.shape["steps"], size=self.shape["size"])
        return await self.answered(leave, began, "/v1/images/generations", body,
                                   lambda answer: answer["data"][0]["b64_json"])

    async def automatic(self, leave, began):
        side = int(self.shape["size"].split("x")[0])
        body = self.body(steps=self.shape["steps"], width=side, height=side)
        if leave is None or random.random() < 0.5:
            return await self.answered(leave, began, "/sdapi/v1/txt2img", body,
                                       lambda answer: answer["images"][0])
        asking = asyncio.create_task(self.answered(None, began, "/sdapi/v1/txt2img", body,
                                                   lambda answer: answer["images"][0]))
        await asyncio.sleep(leave)
        if not asking.done():
            status = (await ask(self.port, "POST", "/sdapi/v1/interrupt", {}, self.source))[0]
            if status != 200:
                self.ledger.error(f"interrupt: status {status}")
        return await asking

    async def stream(self, leave, began):
        body = self.body(num_inference_steps=self.shape["steps"], size=self.shape["size"],
                         stream=True, partial_images=1)
        ends = []
        try:
            async with asyncio.timeout(leave):
                async with Request(self.port, "POST", "/v1/images/generations", body,
                                   self.source) as request:
                    if request.status != 200:
                        return self.refused(request.status, request.headers, await request.body())
                    async for name, data in request.events():
                        if name.endswith(".completed"):
                            ends.append(("done", ""))
                        elif name == "error":
                            code = data["error"]["code"]
                            ends.append(("cancelled" if code == "cancelled" else "failed",
                                         data["error"]["message"]))
        except TimeoutError:
            if not ends:
                self.ledger.gone += 1
                return 0
        self.one_end("stream", ends, began)
        return 0

    def one_end(self, what, ends, began):
        if len(ends) != 1:
            self.ledger.error(f"{what}: expected one end, found {ends}")
            return
        state, reason = ends[0]
        if state == "failed" and not self.may_fail:
            self.ledger.error(f"{what} failed: {reason}")
        self.ledger.end(state, reason, began)

    async def job(self, leave, began):
        body = self.body(num_inference_steps=self.shape["steps"], size=self.shape["size"],
                         priority=random.choice(["high", "normal", "normal", "low"]))
        status, headers, data = await ask(self.port, "POST", "/v1/jobs", body, self.source)
        if status != 202:
            return self.refused(status, headers, data)
        path = "/v1/jobs/" + json.loads(data)["id"]
        watching = asyncio.create_task(self.watch(path, began))
        if leave is not None:
            await asyncio.wait([watching], timeout=leave)
            if not watching.done():
                status = (await ask(self.port, "DELETE", path, None, self.source))[0]
                if status != 200:
                    self.ledger.error(f"DELETE: status {status}")
        await watching
        return 0

    async def watch(self, path, began):
        ends = []
        async with Request(self.port, "GET", path + "/events", None, self.source) as request:
            if request.status != 200:
                self.ledger.error(f"events: status {request.status}")
                return
            async for name, data in request.events():
                if name in ("done", "failed", "cancelled"):
                    ends.append((name, data.get("error", {}).get("message", "")))
        self.one_end("job", ends, began)
        if len(ends) == 1:
            self.ledger.jobs[path] = ends[0][0]
        if ends and ends[0][0] == "done":
            status, _, data = await ask(self.port, "GET", path + "/pictures/0", None, self.source)
            if status != 200 or not data.startswith(b"\x89PNG"):
                self.ledger.error(f"picture of a finished job: status {status}")
