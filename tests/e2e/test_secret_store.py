"""Credentials that a secret store keeps (Vault's KV engine, version 2): rotated, and away, while callers keep calling."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

import policies as sets
from guard import Guard
from parts import process
from parts.idp import Idp
from parts.upstream import Answer, Received, Upstream, json_answer

TOKEN = "hvs.store-token-9c1d"
PATH = "/v1/secret/data/openai"


class Vault:
    """What of Vault's API a client of one secret meets."""

    def __init__(self, value: str, port: int = 0):
        self.value, self.version, self.answer = value, 1, None
        self.server = Upstream(port)
        self.start()

    answer: Answer | None
    """Takes the place of every other answer."""

    def start(self) -> None:
        self.server.start()
        self.server.answer = self._answer

    def rotate(self, value: str) -> None:
        self.value, self.version = value, self.version + 1

    def _answer(self, seen: Received) -> Answer:
        if self.answer:
            return self.answer
        if seen.header("x-vault-token") != TOKEN:
            return json_answer('{"errors":["permission denied"]}', 403)
        if (seen.method, seen.path) != ("GET", PATH):
            return json_answer('{"errors":[]}', 404)
        metadata = {"version": self.version, "destroyed": False, "deletion_time": ""}
        data = {"data": {"api_key": self.value}, "metadata": metadata}
        return json_answer(json.dumps({"request_id": "1", "lease_duration": 0, "data": data}))


def policies(idp: Idp, **more: str) -> sets.Set:
    made = sets.chat(idp.issuer)
    sets.connection(made)["credential"]["value"] = "Bearer ${secret:openai}"
    source = {"name": "openai", "cluster": "vault", "path": PATH, "field": "api_key", "token": "${env:VAULT_TOKEN}"}
    made["secrets"] = [source | {"refresh": "1s", "timeout": "1s"} | more]
    return made


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault("sk-store-first-11111111")
    yield made
    made.server.stop()


Start = Callable[..., Guard]


def started(start_guard: Start, idp: Idp, vault: Vault, **more: str) -> Guard:
    return start_guard(policies(idp, **more), clusters={"vault": vault.server.address}, env={"VAULT_TOKEN": TOKEN})


def served(guard: Guard) -> None:
    process.wait_until("callers are served", lambda: guard.chat(guard.token()).status_code == 200, timeout=15)


def sent(guard: Guard) -> Counter[str | None]:
    return Counter(seen.header("authorization") for seen in guard.upstream.requests)


class Traffic(threading.Thread):
    """Calls without a pause."""

    def __init__(self, guard: Guard):
        super().__init__(daemon=True)
        self.guard, self.token, self.over = guard, guard.token(), threading.Event()
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        while not self.over.is_set():
            self.statuses[self.guard.chat(self.token).status_code] += 1

    def stop(self) -> Counter[int]:
        self.over.set()
        self.join(30)
        return self.statuses


def test_a_rotation_under_traffic_loses_no_call_and_the_new_value_takes_over(
    start_guard: Start, idp: Idp, vault: Vault
) -> None:
    guard = started(start_guard, idp, vault)
    served(guard)
    guard.upstream.requests.clear()
    traffic = Traffic(guard)
    traffic.start()
    time.sleep(1)
    vault.rotate("sk-store-second-22222222")
    time.sleep(2.5)
    assert set(traffic.stop()) == {200}
    values = [seen.header("authorization") for seen in guard.upstream.requests]
    assert set(values) == {"Bearer sk-store-first-11111111", "Bearer sk-store-second-22222222"}
    assert values == sorted(values), "once the new value is there, the old one never comes back"


def test_an_outage_under_traffic_is_not_noticed_until_the_value_is_too_old(
    start_guard: Start, idp: Idp, vault: Vault
) -> None:
    guard = started(start_guard, idp, vault, keep="4s")
    served(guard)
    vault.server.stop()
    traffic = Traffic(guard)
    traffic.start()
    time.sleep(2)
    assert set(traffic.stop()) == {200}
    process.wait_until("it is too old", lambda: guard.chat(guard.token()).status_code == 503, timeout=6)
    before = len(guard.upstream.requests)
    refused = guard.chat(guard.token())
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "guard_unavailable")
    assert len(guard.upstream.requests) == before
    assert "secret openai: no new value" in guard.log()
    vault.start()
    served(guard)


def test_before_the_first_value_calls_are_refused_and_nothing_goes_upstream(
    start_guard: Start, idp: Idp, vault: Vault
) -> None:
    vault.answer = json_answer('{"errors":["Vault is sealed"]}', 503)
    guard = started(start_guard, idp, vault)
    for _ in range(3):
        refused = guard.chat(guard.token())
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "guard_unavailable")
    assert guard.upstream.requests == []
    vault.answer = None
    served(guard)
    assert set(sent(guard)) == {"Bearer sk-store-first-11111111"}


GARBAGE: dict[str, Answer] = {
    "no JSON": json_answer("<html>"),
    "another shape": json_answer('{"data":{"api_key":"sk-of-version-one"}}'),
    "deleted": json_answer('{"data":{"data":null,"metadata":{"deletion_time":"now"}}}', 404),
    "no text": json_answer('{"data":{"data":{"api_key":{"a":1}}}}'),
    "empty": json_answer('{"data":{"data":{"api_key":""}}}'),
    "a header more": json_answer('{"data":{"data":{"api_key":"a\\r\\nx-evil: 1"}}}'),
    "endless": json_answer(b'{"data":{"data":{"api_key":"' + b"a" * 2_000_000 + b'"}}}'),
}


def test_garbage_leaves_the_last_value(start_guard: Start, idp: Idp, vault: Vault) -> None:
    guard = started(start_guard, idp, vault)
    served(guard)
    guard.upstream.requests.clear()
    for kind, answer in GARBAGE.items():
        vault.answer, seen = answer, len(vault.server.requests)
        process.wait_until(f"it came: {kind}", lambda seen=seen: len(vault.server.requests) > seen, timeout=10)
        assert guard.chat(guard.token()).status_code == 200, kind
        vault.answer = None
        seen = len(vault.server.requests)
        process.wait_until("it is asked again", lambda seen=seen: len(vault.server.requests) > seen, timeout=10)
    assert set(sent(guard)) == {"Bearer sk-store-first-11111111"}


def test_neither_value_nor_token_leaves_but_for_where_they_belong(start_guard: Start, idp: Idp, vault: Vault) -> None:
    guard = started(start_guard, idp, vault)
    served(guard)
    vault.rotate("sk-store-second-22222222")
    process.wait_until(
        "the new value is used",
        lambda: (
            guard.chat(guard.token()).is_success
            and guard.upstream.requests[-1].header("authorization") == "Bearer sk-store-second-22222222"
        ),
        timeout=10,
    )
    guard.upstream.answer = json_answer(json.dumps({"error": {"message": "wrong key sk-store-second-22222222"}}), 400)
    told = guard.chat(guard.token())
    assert told.status_code == 400 and "wrong key" in told.text
    vault.answer = json_answer(f'{{"data":{{"data":{{"other":"{TOKEN}"}}}}}}')
    process.wait_until("the fault is told", lambda: "no new value" in guard.log(), timeout=10)
    guard.sink.wait_for(lambda record: record.event.endswith(".end"))
    assert guard.envoy
    dump = json.dumps(guard.envoy.config_dump())
    assert "${secret:openai}" in dump
    stats = guard.envoy.prometheus()
    for text in (told.text, str(told.headers), guard.log(), str(guard.sink.events()), dump, stats):
        for secret in (TOKEN, "sk-store-first-11111111", "sk-store-second-22222222"):
            assert secret not in text
