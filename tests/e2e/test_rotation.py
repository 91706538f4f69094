"""A real provider goes away: what is known goes on, and what is not is no fault of its callers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import policies as sets
from guard import Guard
from parts import tokens
from parts.idp import Idp
from parts.keys import KeySet

ALGORITHMS = ("RS256", "ES256", "EdDSA")


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
