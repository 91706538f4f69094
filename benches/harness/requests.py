"""Whole requests: 1 KB of prompt, 2 KB of answer, HTTP/1.1 kept alive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parts.envoy import Envoy

from .load import Load
from .rounds import pick, turns

# Saturates one Envoy worker; and one connection alone, where nothing waits for anything else.
LOADS = {"loaded": 8, "alone": 1}
ROUNDS = int(pick(4, 2))
SECONDS = pick(2.5, 0.6)

PROMPT = (
    "Answer from the handbook alone and name the section. A colleague travels to a customer for four days, sleeps "
    "in two hotels, takes the train there and a flight back because the last train leaves before the meeting ends. "
    "One dinner was with three guests of the customer; the receipt names no one. "
)
MUST_SEE = {"guard": ["<EMAIL_ADDRESS>"]}
# What an answer holds that callers must not see. The guard's must not let one through; of others it is counted.
SECRET = ["ana.kovac@", "4111", "AKIAIOSFODNN7EXAMPLE"]
NEVER_SEE = {"guard": SECRET}
COUNTED = {"lua": SECRET}


def write_request(path: Path, token: str, *, stream: bool) -> Path:
    """A chat request with 1 KB of prompt, as bytes for the wire; the load fills in `{stream}`."""
    prompt = (PROMPT * 4)[:1024]
    messages = [{"role": "system", "content": "You answer questions."}, {"role": "user", "content": prompt}]
    body = json.dumps({"model": "gpt-4o-mini", "stream": stream, "messages": messages}).encode()
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: api.example.com",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        "user-agent: bench",
        f"content-length: {len(body)}",
        *(["x-bench-stream: {stream}"] if stream else []),
    ]
    path.write_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return path


def measure(load: Load, envoys: dict[str, Envoy], request: Path) -> dict[str, Any]:
    """By load and variant: one dict of figures a round."""
    results: dict[str, Any] = {name: {variant: [] for variant in envoys} for name in LOADS}
    for _, variant in turns(list(envoys), ROUNDS):
        for name, connections in LOADS.items():
            figures = load.measured(
                envoys[variant],
                "requests",
                file=request,
                connections=connections,
                seconds=SECONDS,
                must=MUST_SEE.get(variant, []),
                never=NEVER_SEE.get(variant, []),
                count=COUNTED.get(variant, []),
            )
            figures["cpu_micros"] = figures["cpu_seconds"] / figures["all_requests"] * 1e6
            results[name][variant].append(figures)
    return results
