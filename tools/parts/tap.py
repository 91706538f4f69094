"""A wire tap: passes TCP on to a server and keeps what went by, so that a test or the demo can show what really did."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from . import process


@dataclass
class Tap:
    """Listens before `target` ("host:port"). `sent` went to the server, `answered` came from it."""

    target: str
    port: int = field(default_factory=process.free_port)
    sent: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Tap:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        # Wakes the thread that waits in accept, which close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def clear(self) -> None:
        self.sent.clear()
        self.answered.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                host, _, port = self.target.rpartition(":")
                try:
                    server = socket.create_connection((host, int(port)))
                except OSError:
                    client.close()
                    continue
                for one, other, kept in ((client, server, self.sent), (server, client, self.answered)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=_pass_on, args=(one, other, kept), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            kept += data
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def request_headers(sent: bytes) -> dict[str, str]:
    """The headers of the last HTTP/1 request in the bytes; empty where there is none."""
    start = max((sent.rfind(method) for method in (b"POST /", b"GET /")), default=-1)
    if start < 0:
        return {}
    head = sent[start:].split(b"\r\n\r\n", 1)[0].decode("latin-1")
    pairs = (line.partition(":") for line in head.split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


def deltas(answered: bytes) -> list[str]:
    """The text of each content event in an HTTP/1 answer that is an OpenAI stream, in order."""
    return [text for event in events(answered) if (text := _content(event))]


def events(answered: bytes) -> list[dict[str, Any]]:
    """The JSON events of an HTTP/1 answer that is an event stream."""
    _, _, body = bytes(answered).partition(b"\r\n\r\n")
    lines = _unchunked(body).decode(errors="replace").splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def _content(event: dict[str, Any]) -> str:
    choices = event.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        whole += rest[:length]
        body = rest[length + 2 :]
    return whole
