"""A real provider changes its keys while callers keep calling, or goes away: no valid token is refused."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import policies as sets
from guard import Guard, question
from parts import process, tokens
from parts.idp import Idp
from parts.keys import KeySet
from parts.upstream import Answer, Received, Upstream, json_answer

CHAT = "/v1/chat/completions"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
CALLERS = 6
TTL = 600


class Caller(threading.Thread):
    """Calls without a pause, and gets a new token for each call where the provider gives one."""

    def __init__(self, guard: Guard, idp: Idp, alg: str, stop: threading.Event):
        super().__init__(daemon=True)
        self.guard, self.idp, self.alg, self.over = guard, idp, alg, stop
        self.token = idp.token(alg=alg, ttl=TTL)
        self.seen: Counter[tuple[int, str]] = Counter()
        self.problems: list[str] = []

    def run(self) -> None:
        with self.guard.client() as client:
            while not self.over.is_set():
                try:
                    self.token = self.idp.token(alg=self.alg, ttl=TTL)
                except (urllib.error.URLError, OSError):
                    # It is down: the token at hand is still good.
                    time.sleep(0.01)
                answer = client.post(CHAT, json=question(), headers={"authorization": f"Bearer {self.token}"})
                self.seen[answer.status_code, kid(self.token)] += 1
                if answer.status_code != 200:
                    self.problems.append(f"{answer.status_code} {answer.text}")


def kid(token: str) -> str:
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def overlapping(first: KeySet, second: KeySet) -> KeySet:
    """What a provider publishes after a rotation: the new keys, with which it signs, and the old ones."""
    return KeySet([*second.keys, *first.keys])


def test_a_rotation_under_load_refuses_no_valid_token(start_guard: Callable[..., Guard], folder: Path) -> None:
    old, new = KeySet.make(*ALGORITHMS, generation=1), KeySet.make(*ALGORITHMS, generation=2)
    own = Idp(folder, old).start()
    stop = threading.Event()
    try:
        guard = start_guard(sets.chat(own.issuer), provider=own, concurrency=2)
        callers = [Caller(guard, own, ALGORITHMS[number % 3], stop) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        time.sleep(1.5)
        own.rotate(overlapping(old, new))
        time.sleep(4)
        stop.set()
        for caller in callers:
            caller.join(30)
    finally:
        stop.set()
        own.stop()
    assert [problem for caller in callers for problem in caller.problems] == []
    seen = sum((caller.seen for caller in callers), Counter())
    for alg in ALGORITHMS:
        for generation in (1, 2):
            assert seen[200, f"{alg.lower()}-{generation}"] > 0, f"both generations were in use: {seen}"
    assert guard.chat(old_token(old, own)).status_code == 200, "what was signed before the rotation"


def old_token(keys: KeySet, idp: Idp) -> str:
    return tokens.sign(keys["ES256"], tokens.claims(idp.issuer))


def test_while_the_provider_is_away_known_keys_go_on_and_unknown_ones_are_no_fault_of_their_callers(
    start_guard: Callable[..., Guard], folder: Path
) -> None:
    """It goes away for good: nobody waits for it again and again, and nobody is told that a token is bad."""
    keys = KeySet.make(*ALGORITHMS)
    own = Idp(folder, keys).start()
    guard = start_guard(sets.chat(own.issuer), provider=own)
    token = own.token()
    assert guard.chat(token).status_code == 200
    own.stop()
    assert guard.chat(old_token(keys, own)).status_code == 200, "another token, under a key at hand"
    stranger = old_token(KeySet.make("ES256", generation=9), own)
    started = time.monotonic()
    answers = [guard.chat(stranger) for _ in range(5)]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in answers} == {(503, "guard_unavailable")}
    assert time.monotonic() - started < 12, "the first waited twice, and no other"
    assert guard.chat(token).status_code == 200


class Counted:
    """A provider by script that counts what it is asked."""

    def __init__(self, keys: KeySet, *, max_age: int | None = None):
        self.keys, self.max_age = keys, max_age
        self.server = Upstream().start()
        self.server.answer = self._answer
        self.issuer = "https://counted.example.com"

    def _answer(self, seen: Received) -> Answer:
        if seen.path.endswith("/openid-configuration"):
            return json_answer(json.dumps({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"}))
        control = [("cache-control", f"public, max-age={self.max_age}")] if self.max_age is not None else []
        return json_answer(json.dumps(self.keys.jwks()), 200, *control)

    @property
    def fetches(self) -> int:
        return sum(seen.path == "/jwks" for seen in self.server.requests)

    def token(self, **more: str) -> str:
        return tokens.sign(self.keys["ES256"], tokens.claims(self.issuer, **more))


def serves_every_worker(guard: Guard, provider: Counted) -> None:
    # Each call is a connection of its own, so that every worker gets some.
    assert {guard.chat(provider.token()).status_code for _ in range(24)} == {200}


def test_four_workers_fetch_once_for_all_at_the_start_and_for_a_new_key(start_guard: Callable[..., Guard]) -> None:
    provider = Counted(KeySet.make("ES256", generation=1))
    try:
        guard = start_guard(sets.chat(provider.issuer), idp_address=provider.server.address, concurrency=4)
        serves_every_worker(guard, provider)
        assert provider.fetches == 1, "at the start"
        provider.keys = KeySet.make("ES256", generation=2)
        serves_every_worker(guard, provider)
        assert provider.fetches == 2, "for the new key"
        assert len(provider.server.requests) <= 2 * provider.fetches
    finally:
        provider.server.stop()


def test_four_workers_fetch_once_for_all_at_each_refresh(start_guard: Callable[..., Guard]) -> None:
    provider = Counted(KeySet.make("ES256"))
    try:
        made = sets.chat(provider.issuer)
        made["issuers"][0]["jwks"] = {"cluster": "idp", "refresh": "6s"}
        guard = start_guard(made, idp_address=provider.server.address, concurrency=4)
        serves_every_worker(guard, provider)
        before, since = provider.fetches, time.monotonic()
        time.sleep(13)
        serves_every_worker(guard, provider)
        rounds = (time.monotonic() - since) / (6 * 0.9) + 1
        assert 1 <= provider.fetches - before <= rounds, "one for each refresh, not one for each worker"
        assert len(provider.server.requests) <= 2 * provider.fetches
    finally:
        provider.server.stop()


def test_workers_do_not_flood_a_provider_that_is_down_and_all_come_back_with_it(
    start_guard: Callable[..., Guard],
) -> None:
    provider = Counted(KeySet.make("ES256"))
    address = provider.server.address
    good, provider.server.answer = provider.server.answer, json_answer("{}", 500)
    try:
        made = sets.chat(provider.issuer)
        guard = start_guard(made, idp_address=address, concurrency=4)
        time.sleep(4)
        assert 2 <= len(provider.server.requests) <= 8, "as one worker would ask alone"
        provider.server.answer = good
        token = provider.token()
        process.wait_until("one is served", lambda: guard.chat(token).status_code == 200, timeout=20)
        assert {guard.chat(token).status_code for _ in range(24)} == {200}
        assert provider.fetches == 1
    finally:
        provider.server.stop()
