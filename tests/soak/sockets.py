#!/usr/bin/env python3
"""Holds connections open that do next to nothing: event streams that are only read, and requests
whose body comes at one byte a second.

    sockets.py PORT STREAMS SLOW PATH_OF_EVENTS

Prints "open" when all are there, and at the end of its standard input how many there were then, as
JSON. A process of its own, at the lowest priority, beside the one that measures.
"""
import asyncio
import json
import os
import resource
import sys

REOPEN = 0.2  # seconds


class Holder:
    def __init__(self, port, path):
        self.port, self.path = port, path
        self.streams = self.slow = self.events = self.bytes = self.closed = 0

    async def stream(self):
        """Open for as long as the job waits; heartbeats and news are read and counted."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
                self.streams += 1
                while piece := await reader.read(1 << 16):
                    self.events += 1
                    self.bytes += len(piece)
                self.streams -= 1
                writer.close()
            except OSError:
                pass
            self.closed += 1
            await asyncio.sleep(REOPEN)

    async def trickle(self):
        """The server ends each after its deadline for bodies; then the next one is opened."""
        head = ("POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        while True:
            try:
                self.slow += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(head.encode())
                while await self.silent(reader):
                    writer.write(b" ")
                    await writer.drain()
                writer.close()
            except OSError:
                pass
            self.slow -= 1
            await asyncio.sleep(REOPEN)

    @staticmethod
    async def silent(reader):
        """For a second; what the server says is that its deadline has passed."""
        try:
            async with asyncio.timeout(1):
                await reader.read(1)
            return False
        except TimeoutError:
            return True


async def main():
    port, streams, slow, path = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    holder = Holder(port, path)
    tasks = []
    for count, what in ((streams, holder.stream), (slow, holder.trickle)):
        for _ in range(count):
            tasks.append(asyncio.create_task(what()))
            await asyncio.sleep(0.002)
    while holder.streams < streams or holder.slow < slow:
        await asyncio.sleep(0.1)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"streams": holder.streams, "slow": holder.slow, "pieces": holder.events,
                      "streams_closed": holder.closed}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
