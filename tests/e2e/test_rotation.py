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
from parts import tokens
from parts.idp import Idp
from parts.keys import KeySet

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
