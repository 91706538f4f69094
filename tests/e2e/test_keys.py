"""Where the issuers' keys come from, and what happens while they cannot be had."""

from __future__ import annotations

import concurrent.futures
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import policies as sets
from guard import Guard
from parts import process, tokens
from parts.idp import Idp
from parts.keys import KeySet
from parts.upstream import Answer, Received, Upstream, json_answer

ISSUER = "https://idp.example.com"
OLD, NEW = KeySet.make("ES256", generation=1), KeySet.make("ES256", generation=2)
PATIENCE = 5.0
"""How long a caller is held while there are no keys, as the module states it."""


def token(keys: KeySet = OLD, **more: Any) -> str:
    return tokens.sign(keys["ES256"], tokens.claims(ISSUER, **more))


def policies(**jwks: Any) -> sets.Set:
    made = sets.chat(ISSUER)
    made["issuers"][0]["jwks"] = jwks
    return made


class Provider:
    """A provider of keys by script: `document` and `keys` are what it answers."""

    def __init__(self) -> None:
        self.server = Upstream().start()
        self.server.answer = self._answer
        self.keys: Answer | KeySet = OLD
        self.document: Answer | dict[str, Any] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}

    def _answer(self, seen: Received) -> Answer:
        if seen.path.endswith("/openid-configuration"):
            return self.document if isinstance(self.document, Answer) else json_answer(json.dumps(self.document))
        return self.keys if isinstance(self.keys, Answer) else json_answer(json.dumps(self.keys.jwks()))

    @property
    def asked(self) -> list[str]:
        return [seen.path for seen in self.server.requests]


@pytest.fixture
def scripted() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.stop()


def test_keys_given_inline_need_no_provider(start_guard: Callable[..., Guard]) -> None:
    guard = start_guard(policies(inline=OLD.jwks()))
    assert guard.chat(token()).status_code == 200
    assert guard.chat(token(NEW)).status_code == 401


def test_keys_come_by_uri_without_discovery(start_guard: Callable[..., Guard], scripted: Provider) -> None:
    guard = start_guard(
        policies(cluster="idp", uri="https://keys.example.com/a/jwks.json"), idp_address=scripted.server.address
    )
    assert guard.chat(token()).status_code == 200
    assert set(scripted.asked) == {"/a/jwks.json"}
    assert scripted.server.requests[0].header("host") == "keys.example.com"


def test_requests_before_the_first_keys_wait_for_them_and_pass(start_guard: Callable[..., Guard], folder: Path) -> None:
    late = Idp(folder)
    ahead = KeySet.make()
    late.keys = ahead
    guard = start_guard(sets.chat(late.issuer), provider=late)
    early = tokens.sign(ahead["RS256"], tokens.claims(late.issuer))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(guard.chat, early) for _ in range(3)]
        time.sleep(0.1)
        assert not any(call.done() for call in waiting), "held, not refused"
        late.start()
        try:
            assert [call.result().status_code for call in waiting] == [200, 200, 200]
        finally:
            late.stop()
    assert len(guard.upstream.requests) == 3


def test_without_keys_callers_are_refused_after_a_bound_and_served_once_they_come(
    start_guard: Callable[..., Guard],
) -> None:
    port = process.free_port()
    guard = start_guard(policies(cluster="idp"), idp_address=f"127.0.0.1:{port}")
    started = time.monotonic()
    answer = guard.chat(token())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "guard_unavailable")
    assert time.monotonic() - started < PATIENCE + 1.5
    assert guard.upstream.requests == []
    started = time.monotonic()
    assert guard.chat(token()).status_code == 503
    assert time.monotonic() - started < 1, "nobody waits twice for what is known to be down"
    assert guard.chat("no.to.ken").status_code == 401, "a bad token is told from missing keys"

    provider = Upstream(port)
    provider.answer = lambda seen: json_answer(
        json.dumps(OLD.jwks() if seen.path == "/jwks" else {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})
    )
    provider.start()
    try:
        process.wait_until("callers are served", lambda: guard.chat(token()).status_code == 200, timeout=20, every=0.2)
    finally:
        provider.stop()
    assert guard.chat(token()).status_code == 200, "keys at hand are good while the provider is down"


def test_a_new_key_is_fetched_when_a_token_names_it_and_an_old_one_is_forgotten(
    start_guard: Callable[..., Guard], scripted: Provider
) -> None:
    guard = start_guard(policies(cluster="idp"), idp_address=scripted.server.address)
    assert guard.chat(token()).status_code == 200
    scripted.keys = NEW
    assert guard.chat(token(NEW)).status_code == 200, "without a 401 on the way"
    assert guard.chat(token()).status_code == 401, "what was believed before is not any more"


def test_unknown_keys_cannot_flood_the_provider(start_guard: Callable[..., Guard], scripted: Provider) -> None:
    guard = start_guard(policies(cluster="idp"), idp_address=scripted.server.address)
    assert guard.chat(token()).status_code == 200
    before = len(scripted.asked)
    strangers = KeySet.make("ES256", generation=99)
    started = time.monotonic()
    for _ in range(2):
        with concurrent.futures.ThreadPoolExecutor(20) as crowd:
            answers = list(crowd.map(lambda _: guard.chat(token(strangers)), range(40)))
        assert {answer.status_code for answer in answers} == {401}
    rounds = (time.monotonic() - started) / 2 + 1
    asked = scripted.asked[before:]
    assert asked.count("/jwks") <= rounds, "one call for keys in two seconds, however many ask"
    assert len(asked) - asked.count("/jwks") <= 1, "a VM that had its keys from another must learn where they are, once"
    assert guard.chat(token()).status_code == 200


def test_a_real_provider_that_comes_back_with_other_keys(start_guard: Callable[..., Guard], folder: Path) -> None:
    own = Idp(folder).start()
    try:
        guard = start_guard(sets.chat(own.issuer), provider=own)
        assert guard.chat(own.token()).status_code == 200
        own.rotate(KeySet.make(generation=2))
        assert guard.chat(own.token()).status_code == 200
        assert guard.chat(own.token(alg="EdDSA")).status_code == 200
    finally:
        own.stop()


GARBAGE: dict[str, tuple[str, Answer | dict[str, Any]]] = {
    "no JSON": ("document", json_answer("<html>")),
    "another issuer": ("document", {"issuer": "https://evil.example.com", "jwks_uri": f"{ISSUER}/jwks"}),
    "issuer twice": (
        "document",
        json_answer(f'{{"issuer":"https://evil","issuer":"{ISSUER}","jwks_uri":"{ISSUER}/jwks"}}'),
    ),
    "no jwks_uri": ("document", {"issuer": ISSUER}),
    "a jwks_uri that is no address": ("document", {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}),
    "a jwks_uri with a line end": ("document", {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks\r\nx: y"}),
    "an endless document": ("document", json_answer(b" " * 2_000_000)),
    "deep nesting": ("document", json_answer("[" * 100_000)),
    "not found": ("keys", json_answer("{}", 404)),
    "a redirection": ("keys", Answer(302, (("location", "http://127.0.0.1:1/"), ("content-length", "0")))),
    "an empty answer": ("keys", Answer(204, ())),
    "keys that are no list": ("keys", json_answer('{"keys":{}}')),
    "no keys": ("keys", json_answer('{"keys":[]}')),
    "symmetric keys": ("keys", json_answer('{"keys":[{"kty":"oct","k":"AAAA","kid":"es256-1","alg":"HS256"}]}')),
    "private keys": ("keys", json_answer(json.dumps(OLD.jwks(private=True)))),
    "a huge set": ("keys", json_answer(json.dumps({"keys": [{"kty": "x", "x": "y" * 1000}] * 5000}))),
    "bytes": ("keys", json_answer(bytes(range(256)))),
    "cut off": ("keys", json_answer(json.dumps(OLD.jwks())[:-2])),
}


@pytest.fixture(scope="module")
def odd(start_guard: Callable[..., Guard]) -> Iterator[tuple[Guard, Provider]]:
    provider = Provider()
    guard = start_guard(policies(cluster="idp"), idp_address=provider.server.address)
    assert guard.chat(token()).status_code == 200
    yield guard, provider
    provider.server.stop()


def refetch(guard: Guard) -> None:
    """Makes the module's worker start anew, without keys, by a set that differs in nothing that matters."""
    made = policies(cluster="idp")
    made["issuers"][0]["leeway"] = f"{refetch.count}s"  # type: ignore[attr-defined]
    refetch.count += 1  # type: ignore[attr-defined]
    assert guard.update(made)


refetch.count = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_provider_that_answers_garbage_gives_no_keys_and_does_no_harm(kind: str, odd: tuple[Guard, Provider]) -> None:
    guard, provider = odd
    what, answer = GARBAGE[kind]
    setattr(provider, what, answer)
    try:
        refetch(guard)
        process.wait_until("the fault is told", lambda: "issuer corp: no keys" in guard.log())
    finally:
        provider.keys, provider.document = OLD, {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
    # The caller is held until a later round brings keys: no garbage is taken for keys, none ends the tries.
    assert guard.chat(token()).status_code == 200


def test_garbage_does_not_take_good_keys_away(start_guard: Callable[..., Guard], scripted: Provider) -> None:
    guard = start_guard(policies(cluster="idp", refresh="1s"), idp_address=scripted.server.address)
    assert guard.chat(token()).status_code == 200
    scripted.document = json_answer("<html>", 500)
    process.wait_until("a round fails", lambda: "issuer corp: no keys" in guard.log())
    assert guard.chat(token(sub="another")).status_code == 200
