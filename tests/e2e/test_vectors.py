"""Project Wycheproof's signature vectors as tokens: the proxy's own cryptography, and the module's inside the proxy,
say of each what the core's tests say (tests/wycheproof)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import policies as sets
from guard import Guard
from parts import process

ISSUER = "https://idp.example.com"
VECTORS = Path(os.environ.get("VECTORS", process.ROOT / "target" / "wycheproof.jsonl"))
ALGORITHMS = {
    "RS256": 259,
    "RS384": 258,
    "RS512": 259,
    "PS256": 400,
    "PS384": 200,
    "PS512": 300,
    "ES256": 262,
    "ES384": 280,
    "EdDSA": 40,
}
"""Fewest tokens of each: fewer would mean that a set is not read any more."""
KEYS = 64
"""So many an issuer may have."""


def cases(algorithm: str) -> list[dict[str, Any]]:
    if not VECTORS.exists():
        pytest.fail(f"{VECTORS} is not there: run `make vectors` first")
    lines = VECTORS.read_text().splitlines()
    return [case for case in map(json.loads, lines) if case["algorithm"] == algorithm]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_proxy_judges_every_vector_as_the_core_does(guard: Guard, algorithm: str) -> None:
    """Each moved signature has a key of its own: a connection for every few of them."""
    found = cases(algorithm)
    assert len(found) >= ALGORITHMS[algorithm]
    assert {case["holds"] for case in found} == {True, False}
    assert guard.update(with_keys([[case["jwk"] for case in group] for group in batched(found)]))
    wrong = []
    with guard.client() as client:
        for place, case in enumerate(found):
            number = place // KEYS
            headers = {"authorization": f"Bearer {case['token']}"}
            # So many bad tokens are a flood, for which the module takes its time.
            while (answer := client.get(f"/{number}", headers=headers)).status_code == 503:
                time.sleep(0.2)
            if answer.status_code != (200 if case["holds"] else 401):
                wrong.append((case["name"], answer.status_code, answer.text[:100]))
    assert wrong == []


def batched(found: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [found[start : start + KEYS] for start in range(0, len(found), KEYS)]


def with_keys(groups: list[list[dict[str, Any]]]) -> sets.Set:
    """An issuer, and a connection for it, for each group of keys."""
    policies = sets.chat(ISSUER)
    (issuer,), chat = policies["issuers"], sets.connection(policies)
    policies["issuers"] = [
        issuer | {"name": f"i{number}", "jwks": {"inline": {"keys": keys}}} for number, keys in enumerate(groups)
    ]
    policies["connections"] = [
        chat
        | {
            "name": f"c{number}",
            "protocol": "http",
            "match": {"path_prefix": f"/{number}"},
            "issuers": [f"i{number}"],
        }
        for number in range(len(groups))
    ]
    policies["policies"] = [{"name": "rag-chat", "allow": '"rag-users" in identity.groups'}]
    return policies
