"""Tokens that only their issuer can read: it is asked about each (RFC 7662), by a real Envoy."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import policies as sets
from guard import Guard
from parts import process, tokens
from parts.keys import KeySet
from parts.upstream import Answer, Close, Delay, Received, Upstream, json_answer

ISSUER = "https://idp.example.com"
SECRET = "introspection-secret-5e1f"
TIMEOUT = 1.0


class Endpoint:
    """An introspection endpoint by script: `tokens` is what it knows, `answer` takes the place of all of it."""

    def __init__(self) -> None:
        self.server = Upstream().start()
        self.server.answer = self._answer
        self.tokens: dict[str, dict[str, Any]] = {}
        self.answer: Answer | None = None
        self.asked: Counter[str] = Counter()

    def knows(self, token: str, **more: Any) -> str:
        known = {"active": True, "sub": "alice", "aud": "rag", "groups": ["rag-users"], "token_type": "Bearer"}
        self.tokens[token] = {name: value for name, value in (known | more).items() if value is not None}
        return token

    def _answer(self, seen: Received) -> Answer:
        form = urllib.parse.parse_qs(seen.body.decode())
        (token,) = form["token"]
        self.asked[token] += 1
        basic = base64.b64encode(f"portcullis:{SECRET}".encode()).decode()
        if (seen.method, seen.path, seen.header("authorization")) != ("POST", "/introspect", f"Basic {basic}"):
            return json_answer("{}", 401)
        return self.answer or json_answer(json.dumps(self.tokens.get(token, {"active": False})))


def policies(**more: Any) -> sets.Set:
    made = sets.chat(ISSUER)
    del made["issuers"][0]["jwks"]
    made["issuers"][0]["introspection"] = {
        "cluster": "sso",
        "path": "/introspect",
        "client_id": "portcullis",
        "client_secret": "${env:INTROSPECTION_SECRET}",
        "timeout": f"{int(TIMEOUT * 1000)}ms",
    } | more
    return made


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.server.stop()


@pytest.fixture(autouse=True)
def _fresh(endpoint: Endpoint) -> None:
    endpoint.answer = None
    endpoint.asked.clear()


@pytest.fixture(scope="module")
def guard(start_guard: Callable[..., Guard], endpoint: Endpoint) -> Guard:
    clusters = {"sso": endpoint.server.address}
    return start_guard(policies(), clusters=clusters, env={"INTROSPECTION_SECRET": SECRET})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_opaque_token_passes_by_its_issuers_word_and_is_asked_about_once(guard: Guard, endpoint: Endpoint) -> None:
    token = endpoint.knows("opaque-1", username="alice@example.com")
    with concurrent.futures.ThreadPoolExecutor(8) as crowd:
        assert {answer.status_code for answer in crowd.map(lambda _: guard.chat(token), range(16))} == {200}
    assert endpoint.asked == {token: 1}
    sent = guard.upstream.requests[-1]
    assert sent.header("authorization") == f"Bearer {sets.CREDENTIAL}"
    assert all(token not in value for _, value in sent.headers)
    record = guard.sink.wait_for(lambda record: record.event == "portcullis.exchange.end")
    assert record.attributes["user.id"] == f"{ISSUER}#alice"


def test_what_the_issuer_says_of_the_caller_decides(guard: Guard, endpoint: Endpoint) -> None:
    assert code(guard.chat(endpoint.knows("marketing", groups=["marketing"]))) == (403, "forbidden")
    for name, change in {
        "unknown": {"active": False},
        "nobody": {"sub": None},
        "somebody else's": {"iss": "https://evil.example.com"},
        "for another": {"aud": "other"},
        "for nobody": {"aud": None},
        "expired": {"exp": int(time.time()) - 60},
        "bound": {"token_type": "DPoP"},
    }.items():
        answer = guard.chat(endpoint.knows(name.replace(" ", "-").replace("'", ""), **change))
        assert code(answer) == (401, "unauthenticated"), name
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert guard.upstream.requests == []


def test_a_refusal_is_not_asked_about_again_and_again(guard: Guard, endpoint: Endpoint) -> None:
    assert [guard.chat("worthless").status_code for _ in range(5)] == [401] * 5
    assert endpoint.asked == {"worthless": 1}


SILENT: dict[str, Answer] = {
    "an error": json_answer("{}", 500),
    "not known there": json_answer("{}", 403),
    "a redirection": Answer(302, (("location", "/elsewhere"), ("content-length", "0"))),
    "no JSON": json_answer("<html>"),
    "nothing": json_answer(""),
    "a list": json_answer("[]"),
    "active as text": json_answer('{"active":"true","sub":"alice","aud":"rag","groups":["rag-users"]}'),
    "active twice": json_answer('{"active":false,"active":true,"sub":"alice","aud":"rag","groups":["rag-users"]}'),
    "no active": json_answer('{"sub":"alice"}'),
    "endless": json_answer(b'{"active":true,"sub":"' + b"a" * 2_000_000 + b'"}'),
    "deep": json_answer("[" * 100_000),
    "broken off": Answer(200, (("content-type", "application/json"), ("content-length", "100")), [b"{", Close()]),
    "too late": Answer(200, (("content-type", "application/json"),), before_head=[Delay(TIMEOUT + 2)], pieces=[b"{}"]),
}


@pytest.mark.parametrize("kind", SILENT)
def test_an_issuer_that_says_nothing_refuses_with_503_and_never_hangs(
    kind: str, guard: Guard, endpoint: Endpoint
) -> None:
    token = endpoint.knows(f"good-{list(SILENT).index(kind)}")
    endpoint.answer = SILENT[kind]
    started = time.monotonic()
    assert code(guard.chat(token)) == (503, "guard_unavailable")
    assert time.monotonic() - started < TIMEOUT + 2
    assert guard.upstream.requests == []
    endpoint.answer = None
    process.wait_until("it is asked again", lambda: guard.chat(token).status_code == 200, timeout=5, every=0.2)


def test_known_callers_go_on_while_the_issuer_is_away(start_guard: Callable[..., Guard]) -> None:
    own = Endpoint()
    guard = start_guard(
        policies(max_age="1h"), clusters={"sso": own.server.address}, env={"INTROSPECTION_SECRET": SECRET}
    )
    token = own.knows("opaque")
    assert guard.chat(token).status_code == 200
    own.server.stop()
    assert guard.chat(token).status_code == 200
    started = time.monotonic()
    assert code(guard.chat("stranger")) == (503, "guard_unavailable")
    assert time.monotonic() - started < TIMEOUT + 2


def test_a_token_that_is_taken_back_passes_no_longer_than_stated(
    start_guard: Callable[..., Guard], endpoint: Endpoint
) -> None:
    clusters = {"sso": endpoint.server.address}
    guard = start_guard(policies(max_age="2s"), clusters=clusters, env={"INTROSPECTION_SECRET": SECRET})
    token = endpoint.knows("revoked")
    assert guard.chat(token).status_code == 200
    del endpoint.tokens[token]
    assert guard.chat(token).status_code == 200
    time.sleep(2.1)
    assert guard.chat(token).status_code == 401


def test_a_jwt_is_shown_to_its_own_issuer_alone(start_guard: Callable[..., Guard], endpoint: Endpoint) -> None:
    keys = KeySet.make("ES256")
    made = policies()
    jwt = {"name": "jwt", "issuer": "https://jwt.example.com", "audiences": ["rag"], "jwks": {"inline": keys.jwks()}}
    made["issuers"].append(jwt)
    sets.connection(made)["issuers"] = ["corp", "jwt"]
    guard = start_guard(made, clusters={"sso": endpoint.server.address}, env={"INTROSPECTION_SECRET": SECRET})
    assert guard.chat(tokens.sign(keys["ES256"], tokens.claims("https://jwt.example.com"))).status_code == 200
    assert guard.chat(tokens.sign(keys["ES256"], tokens.claims("https://third.example.com"))).status_code == 401
    assert endpoint.asked == {}
    assert guard.chat(endpoint.knows(tokens.sign(keys["ES256"], tokens.claims(ISSUER)))).status_code == 200
    assert guard.chat(endpoint.knows("opaque-too")).status_code == 200


def test_neither_token_nor_secret_is_in_the_log_the_records_or_the_dump(guard: Guard, endpoint: Endpoint) -> None:
    token = endpoint.knows("never-to-be-seen")
    endpoint.answer = json_answer(f"{token} {SECRET}", 500)
    answer = guard.chat(token)
    assert answer.status_code == 503
    endpoint.answer = None
    time.sleep(1.1)
    assert guard.chat(token).status_code == 200
    guard.sink.wait_for(lambda record: record.event.endswith(".end") and record.attributes.get("user.id"))
    assert guard.envoy
    records = str(guard.sink.events())
    dump = json.dumps(guard.envoy.config_dump())
    assert "introspection" in dump and ISSUER in records
    for text in (answer.text, guard.log(), records, dump):
        assert token not in text and SECRET not in text
