"""Vector stores that run: Chroma, and Milvus in a network of its own, for it listens on every address it finds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import process

OWN_NETWORK = ["unshare", "--net", "--pid", "--fork", "--kill-child"]
if os.geteuid() != 0:
    OWN_NETWORK.append("--map-root-user")


def no_network_of_its_own() -> str:
    """Why a program cannot be given a network of its own here; empty: it can."""
    tried = subprocess.run([*OWN_NETWORK, "true"], check=False, capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else ""


class Chroma:
    """Chroma's server, with the API v2."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = process.free_port()
        self._process: process.Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Chroma:
        run = "import sys; from chromadb.cli.cli import app; sys.argv = ['chroma', *sys.argv[1:]]; app()"
        data = self.folder / "chroma"
        argv = [sys.executable, "-c", run, "run", "--path", data, "--host", "127.0.0.1", "--port", str(self.port)]
        quiet = {"ANONYMIZED_TELEMETRY": "False"}
        self._process = process.Process("chroma", argv, self.folder, env=quiet)
        self._process.wait_ready(lambda: process.accepts(self.port), timeout=60)
        return self

    def stop(self) -> None:
        if self._process:
            self._process.stop()


class Milvus:
    """Milvus's server, and a messenger beside it that passes requests on: nothing else can reach it."""

    def __init__(self, folder: Path):
        self.folder = folder
        # The name of a socket must be short.
        self.door = Path("/tmp") / f"portcullis-milvus-{os.getpid()}-{process.free_port()}"
        self._process: process.Process | None = None

    def start(self) -> Milvus:
        messenger = Path(__file__).with_name("milvus_apart.py")
        argv = [*OWN_NETWORK, sys.executable, messenger, self.folder / "milvus", self.door]
        self._process = process.Process("milvus", argv, self.folder)
        self._process.wait_ready(lambda: self.ask("/v1/vector/collections", None), timeout=120)
        return self

    def stop(self) -> None:
        if self._process:
            self._process.stop()
        self.door.unlink(missing_ok=True)

    def ask(self, path: str, body: Any) -> dict[str, Any]:
        """What the server answers to a POST of JSON, or to a GET without a body."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(60)
            door.connect(str(self.door))
            door.sendall(json.dumps([path, body]).encode() + b"\n")
            with door.makefile("rb") as answer:
                return json.loads(answer.readline())
