"""HTTP/1.1 for many clients in one thread: one connection and one request each, which can be
dropped midway."""
import asyncio
import json


class Broken(Exception):
    """The server closed the connection within an answer, or refused it."""


class Request:
    """`async with Request(...)`: the head of the answer is there; leaving early drops the
    connection, by a reset."""

    def __init__(self, server, method, path, body=None, source="127.0.0.1"):
        self.address, self.source = ("127.0.0.1", server), source
        data = b"" if body is None else json.dumps(body).encode()
        kind = "Content-Type: application/json\r\n" if data else ""
        self.bytes = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}"
                      f"Content-Length: {len(data)}\r\n\r\n").encode() + data
        self.writer = None

    async def __aenter__(self):
        try:
            self.reader, self.writer = await asyncio.open_connection(
                *self.address, local_addr=(self.source, 0), limit=1 << 24)
            self.writer.write(self.bytes)
            await self.writer.drain()
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError) as error:
            self._drop()
            raise Broken(f"no answer: {error!r}") from error
        except BaseException:
            self._drop()
            raise
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines if line)}
        return self

    async def __aexit__(self, *_):
        self._drop()

    def _drop(self):
        if self.writer:
            self.writer.transport.abort()

    async def pieces(self):
        """The body as it comes."""
        try:
            if self.headers.get("transfer-encoding") != "chunked":
                yield await self.reader.readexactly(int(self.headers["content-length"]))
                return
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Broken(f"half an answer: {error!r}") from error

    async def body(self):
        return b"".join([piece async for piece in self.pieces()])

    async def events(self):
        """(name, JSON) of every server-sent event."""
        text = b""
        async for piece in self.pieces():
            text += piece
            while b"\n\n" in text:
                block, text = text.split(b"\n\n", 1)
                lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
                if b"data" in lines and b"event" in lines:
                    yield lines[b"event"].decode(), json.loads(lines[b"data"])


async def ask(server, method, path, body=None, source="127.0.0.1"):
    """(status, headers, bytes)"""
    async with Request(server, method, path, body, source) as request:
        return request.status, request.headers, await request.body()
