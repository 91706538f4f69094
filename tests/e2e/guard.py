"""Envoy with our module under test, between a scripted upstream, an identity provider and a collector."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import yaml

import policies as sets
from parts import process
from parts.collector import Sink
from parts.envoy import Envoy
from parts.idp import Idp
from parts.upstream import Upstream

WASM = Path(os.environ.get("PORTCULLIS_WASM", process.ROOT / "dist" / "portcullis.wasm")).resolve()
CLI = Path(os.environ.get("PORTCULLIS", process.ROOT / "target" / "release" / "portcullis")).resolve()


def cli(
    *arguments: str | Path, check: bool = True, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `portcullis`, with more in its environment."""
    argv = [str(part) for part in (CLI, *arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=os.environ | (env or {}))
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)} said {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@dataclass
class Options:
    """How a guard is started. The defaults are what `render envoy` makes."""

    concurrency: int = 1
    upstream_http2: bool = False
    body_before_headers: bool = True
    """False: Envoy's `allow_on_headers_stop_iteration` is off, and the set knows."""
    promise: bool | None = None
    """What the set is told of it; None: the truth."""
    listeners_by_file: bool = True
    revision: str = "0123456789abcdef0123456789abcdef01234567"
    idp_address: str | None = None
    """Another address for the cluster `idp`, such as one where nobody listens."""
    clusters: dict[str, str] = field(default_factory=dict)
    """More clusters, by name."""
    upstreams: list[str] = field(default_factory=lambda: ["upstream"])
    """Where connections lead, as `--upstream` takes it."""
    change: Callable[[dict[str, Any]], object] = lambda _: None
    """Changes the bootstrap at last."""
    env: dict[str, str] = field(default_factory=dict)


class Guard:
    """One Envoy with the module, its own upstream and its own collector."""

    def __init__(self, policies: sets.Set, idp: Idp, folder: Path, options: Options | None = None):
        self.policies, self.idp, self.folder = policies, idp, folder
        self.options = options or Options()
        self.upstream = Upstream()
        self.sink = Sink(folder)
        self.ports = (process.free_port(), process.free_port())
        self.envoy: Envoy | None = None
        self._log_mark = 0

    # Life.

    def start(self, *, wait: bool = True) -> Guard:
        self.upstream.start()
        self.sink.start()
        self.envoy = Envoy(
            self.bootstrap(self.policies),
            self.folder,
            concurrency=self.options.concurrency,
            env={"OPENAI_API_KEY": sets.CREDENTIAL, **self.options.env},
            listeners_by_file=self.options.listeners_by_file,
        )
        self.envoy.start() if wait else self.envoy.launch()
        return self

    def stop(self) -> None:
        if self.envoy:
            self.envoy.stop()
        self.upstream.stop()
        self.sink.stop()

    def reset(self) -> None:
        """Before a test: what upstream and collector were told and saw is forgotten."""
        self.upstream.reset()
        self.sink.reset()
        self._log_mark = len(self.envoy.log_text()) if self.envoy else 0

    def faults(self) -> list[str]:
        """Traps and dead VMs since `reset`."""
        return self.envoy.faults(self._log_mark) if self.envoy else []

    def log(self) -> str:
        """Envoy's log since `reset`."""
        return self.envoy.log_text()[self._log_mark :] if self.envoy else ""

    # Configuration.

    def write(self, policies: sets.Set) -> Path:
        """The set as a directory."""
        directory = self.folder / f"set-{len(list(self.folder.glob('set-*')))}"
        directory.mkdir()
        # By way of JSON, which has no anchors for parts that a test uses twice.
        plain = json.loads(json.dumps(policies))
        (directory / "set.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
        return directory

    def bootstrap(self, policies: sets.Set) -> dict[str, Any]:
        """What `portcullis render envoy` makes of the set, as the options say."""
        options = self.options
        promise = options.body_before_headers if options.promise is None else options.promise
        clusters = {
            "upstream": self.upstream.address + (",h2" if options.upstream_http2 else ""),
            "idp": options.idp_address or self.idp.address,
            "audit": self.sink.address,
            **options.clusters,
        }
        listen, admin = self.ports
        rendered = cli(
            *("render", "envoy", self.write(policies), "--wasm", WASM),
            *("--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}"),
            *("--revision", options.revision),
            *(part for upstream in options.upstreams for part in ("--upstream", upstream)),
            *("--body-before-headers", str(promise).lower()),
            *(part for name, address in clusters.items() for part in ("--cluster", f"{name}={address}")),
        )
        made = yaml.safe_load(rendered.stdout)
        plugin(made)["allow_on_headers_stop_iteration"] = options.body_before_headers
        options.change(made)
        return made

    def update(self, policies: sets.Set) -> bool:
        """Gives Envoy another set while it runs; false when the module refused it."""
        assert self.envoy
        taken = self.envoy.update(self.bootstrap(policies)["static_resources"]["listeners"])
        if taken:
            self.policies = policies
        return taken

    def rewire(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Changes the listeners in another way from now on: no Envoy need start anew for other routes."""
        self.options.change = change
        assert self.update(self.policies)

    # Calls.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def token(self, user: str = "alice", **wish: Any) -> str:
        return self.idp.token(user, **wish)

    def client(self, token: str | None = None, *, http2: bool = False, **more: Any) -> httpx.Client:
        """An HTTP client of this guard; over HTTP/2 with prior knowledge."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, http1=not http2, http2=http2, headers=headers, timeout=20, **more)

    def openai(self, token: str, **more: Any) -> openai.OpenAI:
        """The official client: the token stands where its API key used to be."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=token, max_retries=0, timeout=20, **more)

    def chat(
        self, token: str | None, *, http2: bool = False, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """A chat completion, read to its end."""
        with self.client(token, http2=http2) as client:
            return client.post("/v1/chat/completions", json=question(**body), headers=headers)

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """A plain connection to the guard, to write and to close as a test likes."""
        return socket.create_connection(("127.0.0.1", self.ports[0]), timeout)

    def raw(self, data: bytes, *, timeout: float = 10.0, pieces: Iterable[bytes] = ()) -> bytes:
        """Bytes over a connection of its own, and all that comes back until it is closed or `timeout` of silence.

        Send `connection: close` to be answered without a wait. `pieces` follow the data after 50 ms each."""
        with self.connect(timeout) as connection:
            connection.sendall(data)
            for piece in pieces:
                time.sleep(0.05)
                connection.sendall(piece)
            answer = b""
            try:
                while data := connection.recv(65536):
                    answer += data
            except (TimeoutError, ConnectionResetError):
                pass
            return answer


def question(text: str = "Hello", model: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}]} | more


def delta(content: str, **more: Any) -> str:
    """One event of a streamed chat answer, as OpenAI writes it."""
    choice = {"index": 0, "delta": {"content": content} | more, "logprobs": None, "finish_reason": None}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-4o-mini",
            "choices": [choice],
        }
    )


def finish(reason: str = "stop") -> str:
    """The last event before `[DONE]`."""
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-4o-mini",
            "choices": [choice],
        }
    )


def completion(content: str | None, **message: Any) -> str:
    """A whole chat answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content} | message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-mini",
            "choices": [choice],
            "usage": usage,
        }
    )


def plugin(made: dict[str, Any]) -> dict[str, Any]:
    """The module's plugin configuration within a bootstrap."""
    (listener,) = made["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    wasm = next(entry for entry in manager["http_filters"] if entry["typed_config"]["@type"].endswith("wasm.v3.Wasm"))
    return wasm["typed_config"]["config"]


def text_of(stream: bytes) -> str:
    """The text of all content deltas of a streamed answer, joined."""
    text = ""
    for line in stream.decode().splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            for choice in json.loads(line[6:]).get("choices", []):
                text += choice.get("delta", {}).get("content") or ""
    return text
