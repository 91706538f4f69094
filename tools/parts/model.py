"""Models: aimock, whose answers are fixtures cut in pieces, and SmolLM2, a small one that really speaks."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import process

# Invented values of the kinds that must never reach a caller. Put together here, so that no scanner of repositories
# takes them for leaked ones.
EMAIL = "alice.liddell" + "@" + "corp.example"
CARD = "4111 1111" + " 1111 1111"
AWS_KEY = "AKIA" + "QZ3XR7MBV2LDP6TW"
SECRETS = (EMAIL, CARD, AWS_KEY)

# Seven characters an event cut every one of them in pieces.
CHUNK = 7

ANSWER = (
    f"Sure. The account belongs to {EMAIL}, she paid with card {CARD}, "
    f"and the deploy job signs in with {AWS_KEY}. Anything else?"
)


def _fixture(question: str, response: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"match": {"userMessage": question}, "response": response, "chunkSize": CHUNK, **more}


def fixtures() -> dict[str, Any]:
    """What the model knows. The last fixture answers everything else."""
    lookup = {"name": "find_customer", "arguments": json.dumps({"email": EMAIL, "card": CARD})}
    busy = {"message": f"Quota of {EMAIL} is used up", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    return {
        "fixtures": [
            _fixture("customer 42", {"content": ANSWER}),
            _fixture("look her up", {"toolCalls": [lookup]}),
            _fixture("think aloud", {"content": "Done.", "reasoning": f"The user {EMAIL} asks for a summary."}),
            _fixture("quota", {"error": busy, "status": 429}),
            _fixture("", {"content": "The handbook says: ask your lead before you travel, and keep the receipts."}),
        ]
    }


@dataclass
class Aimock:
    """aimock in Node. `key`: the only credential it takes, as the real provider would."""

    folder: Path
    key: str | None = None
    port: int = 0
    fixtures: dict[str, Any] | None = None
    latency_ms: int = 0
    name: str = "aimock"

    model = "gpt-4o-mini"

    def start(self) -> Aimock:
        self.port = self.port or process.free_port()
        file = self.folder / "fixtures.json"
        file.write_text(json.dumps(self.fixtures or fixtures(), indent=1))
        cli = process.PARTS / "node" / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
        argv: list[str | Path] = [
            *("node", cli, "-h", "127.0.0.1", "-p", str(self.port)),
            *("-f", file, "-c", str(CHUNK), "-l", str(self.latency_ms)),
        ]
        env = {"AIMOCK_API_KEYS": self.key} if self.key else {}
        self.process = process.Process("aimock", argv, self.folder, env=env)
        self.process.wait_ready(lambda: process.accepts(self.port))
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.stop()

    def journal(self) -> list[dict[str, Any]]:
        """Every request that came, with method, path, headers and body."""
        request = urllib.request.Request(f"http://{self.address}/__aimock/journal")
        if self.key:
            request.add_header("authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


@dataclass
class SmolLM:
    """SmolLM2-135M-Instruct in llama.cpp's server. Needs the group `real-model` installed."""

    folder: Path
    port: int = 0
    name: str = "SmolLM2-135M"

    model = "smollm2"

    def start(self) -> SmolLM:
        self.port = self.port or process.free_port()
        python = process.PARTS / "venv" / "bin" / "python"
        argv: list[str | Path] = [python, Path(__file__).with_name("smollm.py"), str(self.port)]
        self.process = process.Process("smollm", argv, self.folder)
        self.process.wait_ready(self._healthy, 120)
        return self

    def _healthy(self) -> bool:
        with urllib.request.urlopen(f"http://{self.address}/health", timeout=2) as answer:
            return answer.status == 200

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.stop()
