"""Thousands of streams at once: an upstream of HTTP/2 and clients of HTTP/1.1, in one process and one thread.

Each stream costs Envoy one file and us one: upstream they share connections. An event of a token every so often, the
text with entities, as in `benches/load`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import ClassVar

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from .load import Failed
from .requests import SECRET

EVENT_BYTES = 336
TEXT = (
    " Write to ana.kovac@example.com, or pay with the card 4111 1111 1111 1111 and the key AKIAIOSFODNN7EXAMPLE. The "
    "handbook says that a traveller books through the portal. Meals are paid up to the daily rate of the country."
)
PIECES = [TEXT[at : at + 6] for at in range(0, len(TEXT), 6)]
# So many at once are opened, that none waits for longer than its patience.
AT_ONCE = 64
PATIENCE = 30.0
# Of so many clients every byte is read; of the others it is counted.
READ = 100


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    made = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1763800000, "model": "gpt-4o-mini"}
    line = "data: " + json.dumps({**made, "choices": [choice], "obfuscation": ""})
    return (line[:-2] + "x" * (EVENT_BYTES - len(line) - 2) + line[-2:] + "\n\n").encode()


EVENTS = [event(piece) for piece in PIECES]


class Upstream(asyncio.Protocol):
    """One connection of Envoy's to the upstream, with many streams."""

    all: ClassVar[set[Upstream]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.http.local_settings.max_concurrent_streams = 100_000
        self.http.initiate_connection()
        self.open: dict[int, int] = {}
        self.send()
        Upstream.all.add(self)

    def connection_lost(self, _why: Exception | None) -> None:
        Upstream.all.discard(self)

    def data_received(self, data: bytes) -> None:
        for what in self.http.receive_data(data):
            if isinstance(what, RequestReceived):
                self.http.send_headers(what.stream_id, [(":status", "200"), ("content-type", "text/event-stream")])
                self.http.send_data(what.stream_id, EVENTS[0])
            elif isinstance(what, DataReceived):
                # Or Envoy has nothing left to send the next requests with.
                self.http.acknowledge_received_data(what.flow_controlled_length, what.stream_id)
            elif isinstance(what, StreamEnded):
                self.open[what.stream_id] = 1
            elif isinstance(what, StreamReset):
                self.open.pop(what.stream_id, None)
        self.send()

    def send(self) -> None:
        self.transport.write(self.http.data_to_send())

    def step(self, stream: int) -> None:
        """The stream's next event."""
        at = self.open.get(stream)
        if at is None:
            return
        try:
            self.http.send_data(stream, EVENTS[at % len(EVENTS)])
        except ProtocolError:
            self.open.pop(stream, None)
            return
        self.open[stream] = at + 1


@dataclass
class Client(asyncio.Protocol):
    """One caller with one stream."""

    request: bytes
    keep: bool
    events: int = 0
    head: bytes = b""
    seen: bytearray = field(default_factory=bytearray)
    lost: bool = False
    first: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.head = self.head or data[:64]
        self.events += data.count(b"\n\n")
        if self.keep:
            self.seen += data
        if self.events:
            self.first.set()

    def connection_lost(self, _why: Exception | None) -> None:
        self.lost = True
        self.first.set()


class Crowd:
    """Opens streams, paces them, and closes them."""

    def __init__(self, port: int, request: bytes):
        self.port, self.request = port, request
        self.clients: list[Client] = []

    async def serve(self) -> int:
        """Starts the upstream; gives its port."""
        self.server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
        return self.server.sockets[0].getsockname()[1]

    async def open(self, count: int) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                client = Client(self.request, keep=number < READ)
                self.clients.append(client)
                await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", self.port)
                await asyncio.wait_for(client.first.wait(), PATIENCE)

        await asyncio.gather(*(one(number) for number in range(count)))

    async def pace(self, rounds: int, every: float) -> None:
        """So many events on each stream, one `every` so many seconds or as fast as we can, spread evenly."""
        loop, slots = asyncio.get_running_loop(), max(1, int(every * 20))
        for turn in range(rounds * slots):
            began = loop.time()
            for upstream in list(Upstream.all):
                for stream in [stream for stream in upstream.open if (stream // 2) % slots == turn % slots]:
                    upstream.step(stream)
                upstream.send()
            await asyncio.sleep(max(0.0, every / slots - (loop.time() - began)))
        # What is under way arrives, however busy the machine.
        end = loop.time() + PATIENCE
        while loop.time() < end and any(client.events < rounds and not client.lost for client in self.clients):
            await asyncio.sleep(0.1)

    def check(self, masked: bool) -> dict[str, int]:
        """Every stream must still stand, and show what is masked or the mask in its place, as it should be."""
        lost = sum(client.lost for client in self.clients)
        refused = sum(not client.head.startswith(b"HTTP/1.1 200") for client in self.clients)
        if lost or refused:
            raise Failed(f"{lost} of {len(self.clients)} streams were lost, {refused} refused")
        for client in self.clients[:READ]:
            text = _text(bytes(client.seen))
            if any(value in text for value in SECRET) == masked or ("<EMAIL_ADDRESS>" in text) != masked:
                raise Failed(f"unexpected text in a stream: {text}")
        return {"streams": len(self.clients), "events": sum(client.events for client in self.clients)}

    async def close(self) -> None:
        for client in self.clients:
            client.transport.abort()
        await asyncio.sleep(0.5)

    async def stop(self) -> None:
        self.server.close()
        for upstream in list(Upstream.all):
            upstream.transport.abort()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.server.wait_closed(), 2)


def _text(seen: bytes) -> str:
    found = []
    for part in seen.decode(errors="replace").split('"content": "')[1:]:
        found.append(part.partition('"')[0])
    return "".join(found)
