"""A scripted upstream for hard cases: HTTP/1 and HTTP/2 on one port, every answer byte and delay as the test says.

    upstream = Upstream().start()
    upstream.answer = Answer(pieces=[b"data: a", Delay(0.1), b"lice\\n\\n", Trailers([("x-sum", "1")])])
    …
    upstream.requests[0].body

Each piece of bytes leaves as one chunk (HTTP/1) or one DATA frame (HTTP/2) in one write. With a `content-length`
header HTTP/1 pieces go without chunking.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Delay:
    """Waits so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Wait:
    """Waits until the test sets the event (a minute at most)."""

    event: threading.Event


@dataclass(frozen=True)
class Trailers:
    """Ends the body with trailers."""

    headers: Headers


@dataclass(frozen=True)
class Reset:
    """Breaks off: TCP reset (HTTP/1), RST_STREAM (HTTP/2)."""


@dataclass(frozen=True)
class Close:
    """Ends the connection without ending the message (HTTP/1); RST_STREAM with NO_ERROR (HTTP/2)."""


@dataclass(frozen=True)
class Raw:
    """Bytes straight to the socket, outside all framing (HTTP/1 only)."""

    data: bytes


Piece = bytes | Delay | Wait | Trailers | Reset | Close | Raw


@dataclass
class Answer:
    """What the upstream says. Pieces that come before the head has been sent (delays, Raw, Reset) act before it."""

    status: int = 200
    headers: Headers = (("content-type", "text/event-stream"),)
    pieces: Sequence[Piece] = ()
    head_first: bool = True
    """Sends the head in a write of its own, before the first piece."""
    before_head: Sequence[Piece] = ()


@dataclass
class Received:
    """A request as it came, complete or not."""

    protocol: str
    method: str
    path: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False
    reset: bool = False
    """The peer went away before our answer was whole."""
    at: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """The header's values, joined by commas; None when it did not come."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


def json_answer(body: str | bytes, status: int = 200, *headers: tuple[str, str]) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    head = (("content-type", "application/json"), ("content-length", str(len(data))), *headers)
    return Answer(status=status, headers=head, pieces=[data])


def stream(*events: str | bytes, done: bool = True, gap: float = 0.0) -> Answer:
    """Server-sent events, one a piece."""
    pieces: list[Piece] = []
    for event in [*events, *(["[DONE]"] if done else [])]:
        data = event.encode() if isinstance(event, str) else event
        pieces += [b"data: " + data + b"\n\n"] + ([Delay(gap)] if gap else [])
    return Answer(pieces=pieces)


def cut(data: bytes, *at: int) -> list[Piece]:
    """The bytes, cut at the given offsets."""
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


class Upstream:
    """Runs in a thread of this process. `answer` is an Answer, or a function from the request to one."""

    def __init__(self, port: int = 0):
        self.port = port
        self.answer: Answer | Callable[[Received], Answer] = json_answer("{}")
        self.requests: list[Received] = []
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Upstream:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        if not self._thread:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._thread = None

    def reset(self) -> None:
        """Forgets what it was told and what it saw."""
        self.answer = json_answer("{}")
        self.requests.clear()

    def wait_for(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Waits for that many whole requests."""
        deadline = time.monotonic() + timeout
        while sum(request.complete for request in self.requests) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"upstream: {len(self.requests)} of {count} requests in {timeout:g} s")
            time.sleep(0.01)
        return self.requests

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._connection, "127.0.0.1", self.port)

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reply_to(self, request: Received) -> Answer:
        return self.answer if isinstance(self.answer, Answer) else self.answer(request)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Peers that go away end the connection, not the upstream.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            start = await reader.readexactly(4)
            if start == PREFACE[:4]:
                await _Http2(self, reader, writer, start).run()
            else:
                await _Http1(self, reader, writer, start).run()
        writer.close()


class _Http1:
    def __init__(self, upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes):
        self.upstream, self.reader, self.writer, self.start = upstream, reader, writer, start

    async def run(self) -> None:
        while await self._request():
            self.start = b""

    async def _request(self) -> bool:
        head = self.start + await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        request = Received("http/1.1", method, path, _header_lines(lines))
        self.upstream.requests.append(request)
        await self._read_body(request)
        request.complete = True
        try:
            return await self._reply(request, self.upstream._reply_to(request))
        except ConnectionError:
            request.reset = True
            raise

    async def _read_body(self, request: Received) -> None:
        if "chunked" in (request.header("transfer-encoding") or ""):
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                request.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            while (line := await self.reader.readline()) not in (b"\r\n", b""):
                request.trailers += _header_lines([line.decode("latin-1").rstrip("\r\n")])
            return
        remaining = int(request.header("content-length") or 0)
        while remaining:
            data = await self.reader.read(remaining)
            if not data:
                raise asyncio.IncompleteReadError(request.body, remaining)
            request.body += data
            remaining -= len(data)

    async def _reply(self, request: Received, answer: Answer) -> bool:
        """Sends it; false when the connection ends with it."""
        names = {name.lower() for name, _ in answer.headers}
        bodiless = request.method == "HEAD" or answer.status in (204, 304)
        chunked = "content-length" not in names and not bodiless
        lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in answer.headers)]
        if chunked:
            lines.append("transfer-encoding: chunked")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        for piece in answer.before_head:
            if not await self._send(piece, chunked=False):
                return False
        if answer.head_first:
            await self._write(head)
            head = b""
        for piece in () if bodiless else answer.pieces:
            if isinstance(piece, bytes) and head:
                self.writer.write(head)
                head = b""
            if isinstance(piece, Trailers):
                text = "".join(f"{name}: {value}\r\n" for name, value in piece.headers)
                await self._write(head + f"0\r\n{text}\r\n".encode("latin-1"))
                return True
            if not await self._send(piece, chunked):
                return False
        await self._write(head + (b"0\r\n\r\n" if chunked else b""))
        return True

    async def _send(self, piece: Piece, chunked: bool) -> bool:
        match piece:
            case bytes() if piece:
                await self._write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            case Raw(data):
                await self._write(data)
            case Reset():
                linger = struct.pack("ii", 1, 0)
                self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.writer.transport.abort()
                return False
            case Close():
                return False
            case _:
                await _pause(piece)
        return True

    async def _write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class _Http2:
    def __init__(self, upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes):
        self.upstream, self.reader, self.writer, self.start = upstream, reader, writer, start
        # A test says what goes over the wire, valid or not.
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.connection = h2.connection.H2Connection(config)
        self.streams: dict[int, Received] = {}
        self.window = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self.connection.initiate_connection()
        self._flush()
        data = self.start
        try:
            while data:
                for event in self.connection.receive_data(data):
                    self._on(event)
                self._flush()
                data = await self.reader.read(65536)
        finally:
            for request in self.streams.values():
                request.reset = True
            for task in self.tasks:
                task.cancel()

    def _flush(self) -> None:
        self.writer.write(self.connection.data_to_send())

    def _on(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                fields = dict(event.headers)
                request = Received("h2", fields[":method"], fields[":path"], [tuple(pair) for pair in event.headers])
                self.streams[event.stream_id] = request
                self.upstream.requests.append(request)
            case h2.events.DataReceived():
                self.streams[event.stream_id].body += event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                self.streams[event.stream_id].trailers += [tuple(pair) for pair in event.headers]
            case h2.events.StreamEnded():
                self.streams[event.stream_id].complete = True
                task = asyncio.create_task(self._reply(event.stream_id))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            case h2.events.StreamReset():
                if request := self.streams.pop(event.stream_id, None):
                    request.reset = True
                self.window.set()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self.window.set()

    async def _reply(self, stream: int) -> None:
        request = self.streams[stream]
        answer = self.upstream._reply_to(request)
        with contextlib.suppress(h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError, ConnectionError):
            if await self._send(stream, answer):
                self.connection.end_stream(stream)
                self._flush()
        self.streams.pop(stream, None)

    async def _send(self, stream: int, answer: Answer) -> bool:
        """True when the stream is still to be ended."""
        for piece in answer.before_head:
            if isinstance(piece, Reset | Close):
                return self._reset(stream, piece)
            await _pause(piece)
        head = [(":status", str(answer.status)), *((name.lower(), value) for name, value in answer.headers)]
        self.connection.send_headers(stream, head)
        if answer.head_first:
            self._flush()
        for piece in answer.pieces:
            match piece:
                case bytes():
                    await self._data(stream, piece)
                case Trailers(headers):
                    self.connection.send_headers(stream, list(headers), end_stream=True)
                    self._flush()
                    return False
                case Reset() | Close():
                    return self._reset(stream, piece)
                case _:
                    await _pause(piece)
        return True

    def _reset(self, stream: int, piece: Reset | Close) -> bool:
        codes = h2.errors.ErrorCodes
        self.connection.reset_stream(stream, codes.INTERNAL_ERROR if isinstance(piece, Reset) else codes.NO_ERROR)
        self._flush()
        return False

    async def _data(self, stream: int, data: bytes) -> None:
        while data and stream in self.streams:
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if room == 0:
                self.window.clear()
                await self.window.wait()
                continue
            self.connection.send_data(stream, data[:room])
            self._flush()
            await self.writer.drain()
            data = data[room:]


async def _pause(piece: Piece) -> None:
    match piece:
        case Delay(seconds):
            await asyncio.sleep(seconds)
        case Wait(event):
            for _ in range(6_000):
                if event.is_set():
                    return
                await asyncio.sleep(0.01)
            raise TimeoutError("a test never set the event its upstream waits for")
        case bytes():
            return
        case _:
            raise ValueError(f"{piece} has no meaning here")


def _header_lines(lines: list[str]) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in lines)
    return [(name, value.strip()) for name, _, value in pairs]
