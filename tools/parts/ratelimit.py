"""A rate limit service: Envoy's protocol (`envoy.service.ratelimit.v3`) over gRPC, counted in a real Redis, as the service that
Envoy's project gives out counts: hits add up in windows of the clock, also those that were too many.

Redis comes from Debian's packages, unpacked below target/parts: `python3 tools/parts/ratelimit.py` fetches them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Children are begun beside a running server. What gRPC does in a fork would wake its threads there, and end the child
# before it is another program.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

from parts import process

REDIS = process.PARTS / "redis"
PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"]
METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
UNITS = {1: 1, 2: 60, 3: 3600, 4: 86400}
OK, OVER = 1, 2

# Takes hits back, but never below none.
_TAKE_BACK = (
    "local n = tonumber(redis.call('GET', KEYS[1]) or '0') - tonumber(ARGV[1]) if n < 0 then n = 0 end "
    "redis.call('SET', KEYS[1], n, 'KEEPTTL') return n"
)


def install_redis() -> Path:
    """The server's binary; Debian's packages are unpacked, not installed: nothing outside of target/ changes."""
    binary = REDIS / "usr" / "bin" / "redis-server"
    if binary.exists():
        return binary
    if found := shutil.which("redis-server"):
        return Path(found)
    folder = REDIS / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "download", *PACKAGES]
    if subprocess.run(download, cwd=folder, check=False, capture_output=True).returncode != 0:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(download, cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, REDIS], check=True)
    return binary


class Redis:
    """A Redis server of our own, and the least of a client for it."""

    def __init__(self, folder: Path, port: int | None = None):
        self.folder = folder
        self.port = port or process.free_port()
        self.process: process.Process | None = None
        self._local = threading.local()

    def start(self) -> Redis:
        argv: list[str | Path] = [
            *(install_redis(), "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--save", "", "--appendonly", "no", "--dir", self.folder),
        ]
        libraries = REDIS / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
        self.process = process.Process("redis", argv, self.folder, env={"LD_LIBRARY_PATH": str(libraries)})
        self.process.wait_ready(lambda: process.accepts(self.port))
        return self

    def stop(self) -> None:
        if self.process:
            self.process.stop()

    def __call__(self, *words: str | int) -> Any:
        """One command, on a connection of this thread's own."""
        file = getattr(self._local, "file", None)
        if file is None:
            file = socket.create_connection(("127.0.0.1", self.port), 5).makefile("rwb")
            self._local.file = file
        parts = [str(word).encode() for word in words]
        file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        file.flush()
        return self._read(file)

    def _read(self, file: Any) -> Any:
        line = file.readline().rstrip()
        match line[:1]:
            case b":":
                return int(line[1:])
            case b"+":
                return line[1:].decode()
            case b"$":
                size = int(line[1:])
                return None if size < 0 else file.read(size + 2)[:-2].decode()
            case b"*":
                return [self._read(file) for _ in range(int(line[1:]))]
        raise OSError(line.decode())


def fields(message: bytes) -> dict[int, list[Any]]:
    """A message's fields as they stand: numbers and bytes."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = varint()
        value: Any = varint()
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        found.setdefault(tag >> 3, []).append(value)
    return found


def number(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def message(*parts: tuple[int, int | bytes]) -> bytes:
    made = b""
    for tag, value in parts:
        if isinstance(value, bytes):
            made += number(tag << 3 | 2) + number(len(value)) + value
        else:
            made += number(tag << 3) + number(value)
    return made


def response(code: int, *statuses: bytes) -> bytes:
    return message((1, code), *((2, status) for status in statuses))


class RateLimits:
    """The service. `stall` makes it hold its answers for so many seconds, `lie` answers in its stead.

    `knows_negative` is false for a service from before `is_negative_hits`, which charges what is given back."""

    def __init__(self, redis: Redis, port: int | None = None):
        self.redis = redis
        self.port = port or process.free_port()
        self.knows_negative = True
        self.reset()
        self._server: Any = None

    def reset(self) -> None:
        self.stall = 0.0
        self.lie: Callable[[Any], bytes] | None = None
        self.asked: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> RateLimits:
        import grpc

        handler = grpc.unary_unary_rpc_method_handler(self._should_rate_limit)
        service, method = METHOD[1:].split("/")
        self._server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        self._server.add_insecure_port(self.address)
        self._server.start()
        return self

    def stop(self) -> None:
        """Goes down; `start` brings it back at the same address."""
        if self._server:
            self._server.stop(None).wait()
            self._server = None

    def count(self, budget: str, key: str = "") -> int:
        """Hits on a limit, in all windows together."""
        found = self.redis("KEYS", f"*_budget_{budget}_{f'key_{key}_' if key else ''}*")
        return sum(int(self.redis("GET", name) or 0) for name in found)

    def _should_rate_limit(self, request: bytes, context: Any) -> bytes:
        if self.stall:
            time.sleep(self.stall)
        asked = fields(request)
        answers = [self._limit(asked, fields(descriptor)) for descriptor in asked.get(2, [])]
        if self.lie:
            return self.lie(context)
        code = OVER if any(over for over, _ in answers) else OK
        return response(code, *(status for _, status in answers))

    def _limit(self, request: dict[int, list[Any]], descriptor: dict[int, list[Any]]) -> tuple[bool, bytes]:
        entries = [fields(entry) for entry in descriptor.get(1, [])]
        named = {entry[1][0].decode(): entry[2][0].decode() for entry in entries}
        limit = fields(descriptor[2][0])
        most, unit = limit[1][0], limit[2][0]
        hits = fields(descriptor[3][0]).get(1, [0])[0] if 3 in descriptor else max(1, request.get(3, [0])[0])
        back = self.knows_negative and descriptor.get(4, [0])[0] == 1
        domain = request[1][0].decode()
        self.asked.append({**named, "domain": domain, "hits": hits, "back": back, "limit": most, "unit": unit})
        now, seconds = int(time.time()), UNITS[unit]
        key = f"{domain}_{'_'.join(f'{k}_{v}' for k, v in named.items())}_{now // seconds * seconds}"
        if back:
            count = self.redis("EVAL", _TAKE_BACK, 1, key, hits)
        else:
            count = self.redis("INCRBY", key, hits)
            self.redis("EXPIRE", key, seconds)
        over = not back and count > most
        reset = message((1, seconds - now % seconds))
        parts: list[tuple[int, int | bytes]] = [(1, OVER if over else OK), (2, descriptor[2][0])]
        return over, message(*parts, (3, max(0, most - count)), (4, reset))


if __name__ == "__main__":
    print(install_redis())
