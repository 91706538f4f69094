"""Budgets that several Envoys share through a rate limit service on a real Redis; and that service slow, down, and lying."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion
from known import end_of
from parts import process, ratelimit, tokens
from parts.keys import KeySet
from parts.ratelimit import RateLimits, Redis
from parts.upstream import json_answer

ISSUER = "https://idp.example.com"
KEYS = KeySet.make("ES256")
TIMEOUT = 1.0
CALLS, TOKENS, LOOSE, LOCAL = "calls", "tokens", "loose", "local"


def shared(**more: Any) -> dict[str, Any]:
    return {"name": "ours", "key": "identity.id", "per": "1h", "scope": "global"} | more


BUDGETS: dict[str, list[dict[str, Any]]] = {
    CALLS: [shared(requests=20)],
    TOKENS: [shared(tokens=2000), {"name": "here", "key": "identity.id", "requests": 1000, "per": "1h"}],
    LOOSE: [shared(requests=1_000_000, per="24h")],
}


def policy_set(**service: Any) -> sets.Set:
    made = sets.chat(ISSUER)
    made["issuers"][0]["jwks"] = {"inline": KEYS.jwks()}
    chat, usual = sets.connection(made), sets.policy(made)
    connections = []
    for name, budgets in BUDGETS.items():
        policy = deepcopy(usual) | {"name": name, "budgets": budgets, "limits": {"max_output_tokens": 100}}
        made["policies"].append(policy)
        match = {"authority": name, "path_prefix": "/v1"}
        connections.append(deepcopy(chat) | {"name": name, "match": match, "policy": name})
    made["connections"] = [*connections, *made["connections"]]
    made["rate_limit_service"] = {"cluster": "rates", "refunds": True, "timeout": f"{TIMEOUT:g}s"} | service
    return made


@pytest.fixture(scope="module")
def service(run_folder: Path) -> Iterator[RateLimits]:
    folder = run_folder / "rates"
    folder.mkdir()
    redis = Redis(folder).start()
    limits = RateLimits(redis).start()
    yield limits
    limits.stop()
    redis.stop()


@pytest.fixture(autouse=True)
def honest(service: RateLimits) -> None:
    service.reset()


@pytest.fixture(scope="module")
def fleet(start_guard: StartGuard, service: RateLimits) -> list[Guard]:
    """Three Envoys that share nothing but the service."""
    return [start_guard(policy_set(), concurrency=2, clusters={"rates": service.address}) for _ in range(3)]


@pytest.fixture(scope="module")
def guard(fleet: list[Guard]) -> Guard:
    return fleet[0]


@pytest.fixture(autouse=True)
def answers(fleet: list[Guard]) -> None:
    for each in fleet:
        each.reset()
        each.upstream.answer = json_answer(completion("Hi"))


def ask(guard: Guard, user: str, policy: str, **body: Any) -> Any:
    token = tokens.sign(KEYS["ES256"], tokens.claims(ISSUER, subject=user))
    return guard.chat(token, headers={"host": policy}, **body)


def test_three_envoys_together_let_in_what_one_budget_holds(fleet: list[Guard], service: RateLimits) -> None:
    with ThreadPoolExecutor(24) as pool:
        replies = list(pool.map(lambda number: ask(fleet[number % 3], "anna", CALLS), range(60)))
    statuses = [reply.status_code for reply in replies]
    assert (statuses.count(200), statuses.count(429)) == (20, 40)
    assert sum(len(each.upstream.requests) for each in fleet) == 20
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limited"
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["ratelimit-policy"] == '"ours";q=20;w=3600'
    remaining = {int(r.headers["x-ratelimit-remaining-requests"]) for r in replies if r.status_code == 200}
    assert remaining == set(range(20)), "each was told what was left by the service"
    assert ask(fleet[1], "bob", CALLS).status_code == 200
    assert {asked["limit"] for asked in service.asked} == {20}, "the set's own numbers are the limit"


def test_what_was_used_takes_the_place_of_what_was_set_aside(fleet: list[Guard], service: RateLimits) -> None:
    reply = ask(fleet[0], "carol", TOKENS)
    assert reply.status_code == 200
    end = end_of(fleet[0].sink, reply.headers["x-portcullis-exchange"])
    reserved = end["portcullis.budget.reserved"]["ours"]
    assert end["portcullis.budget.used"]["ours"] == 12 and reserved > 100
    process.wait_until("the rest is given back", lambda: len(service.asked) == 2, 5)
    assert [(one["hits"], one["back"]) for one in service.asked] == [(reserved, False), (reserved - 12, True)]
    assert service.count("ours", f"{ISSUER}#carol") == 12
    second = ask(fleet[2], "carol", TOKENS)
    assert int(second.headers["x-ratelimit-remaining-tokens"]) == 2000 - 12 - reserved


def test_a_request_beyond_the_tokens_is_refused_by_any_envoy(fleet: list[Guard]) -> None:
    # What the model says it took is what was set aside: nothing comes back.
    usage = {"prompt_tokens": 1500, "completion_tokens": 1, "total_tokens": 1501}
    answer = json.dumps(json.loads(completion("Hi")) | {"usage": usage})
    for each in fleet:
        each.upstream.answer = json_answer(answer)
    statuses = [ask(each, "dora", TOKENS, text="word " * 1500).status_code for each in fleet]
    assert statuses == [200, 429, 429]


def test_a_service_that_takes_nothing_back_is_not_asked_to(start_guard: StartGuard, service: RateLimits) -> None:
    guard = start_guard(policy_set(refunds=False), clusters={"rates": service.address})
    guard.upstream.answer = json_answer(completion("Hi"))
    service.knows_negative = False
    try:
        assert ask(guard, "emil", TOKENS).status_code == 200
        time.sleep(0.5)
        assert [one["back"] for one in service.asked] == [False]
    finally:
        service.knows_negative = True


def test_while_the_service_thinks_others_go_on(guard: Guard, service: RateLimits) -> None:
    service.stall = 0.8
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, guard, "frida", LOOSE)
        time.sleep(0.1)
        token = tokens.sign(KEYS["ES256"], tokens.claims(ISSUER, subject="frida"))
        assert guard.chat(token).status_code == 200
        assert not waiting.done(), "the worker is free while one request is held"
        assert waiting.result().status_code == 200


def test_a_slow_service_is_waited_for_no_longer_than_the_set_says(guard: Guard, service: RateLimits) -> None:
    service.stall = 2 * TIMEOUT
    begun = time.monotonic()
    reply = ask(guard, "gina", LOOSE)
    assert time.monotonic() - begun > TIMEOUT - 0.1
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "guard_unavailable")
    assert guard.upstream.requests == []
    end = end_of(guard.sink, reply.headers["x-portcullis-exchange"])
    assert end["portcullis.rule"] == "ours"
    assert "rate limit service" in str(end["portcullis.rule_errors"])


def refuse(context: Any) -> bytes:
    import grpc

    context.abort(grpc.StatusCode.INTERNAL, "no")
    return b""


def answer(made: bytes) -> Callable[[Any], bytes]:
    return lambda _: made


NONSENSE = {
    "a gRPC error": refuse,
    "garbage": answer(b"\xff\xfe\x07garbage"),
    "nothing": answer(b""),
    "neither yes nor no": answer(ratelimit.response(0)),
    "a code that there is not": answer(ratelimit.response(7)),
    "yes with two statuses": answer(ratelimit.response(ratelimit.OK, b"", b"")),
    "yes with a status that is none": answer(ratelimit.response(ratelimit.OK, b"\xff\xff")),
    "megabytes": answer(ratelimit.response(ratelimit.OK, ratelimit.message((9, b"x" * 3_000_000)))),
}


@pytest.mark.parametrize("lie", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_service_that_lies_lets_nobody_through(guard: Guard, service: RateLimits, lie: Any) -> None:
    service.lie = lie
    reply = ask(guard, "hugo", LOOSE)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "guard_unavailable")
    assert guard.upstream.requests == []
    service.lie = None
    assert ask(guard, "hugo", LOOSE).status_code == 200


def test_a_service_that_always_says_no_is_believed(guard: Guard, service: RateLimits) -> None:
    service.lie = answer(ratelimit.response(ratelimit.OVER))
    reply = ask(guard, "ida", LOOSE)
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "rate_limited")
    assert 0 < int(reply.headers["retry-after"]) <= 86400


def test_a_yes_without_a_status_is_a_yes(guard: Guard, service: RateLimits) -> None:
    service.lie = answer(ratelimit.response(ratelimit.OK))
    reply = ask(guard, "jana", LOOSE)
    assert reply.status_code == 200
    assert not any("ratelimit" in name for name in reply.headers), "nobody knows what is left"


@pytest.mark.parametrize(("way", "statuses"), [("deny", [503, 503]), ("allow", [200, 200])])
def test_a_service_that_is_down(start_guard: StartGuard, way: str, statuses: list[int]) -> None:
    nowhere = {"rates": f"127.0.0.1:{process.free_port()}"}
    guard = start_guard(policy_set(on_failure=way), clusters=nowhere)
    guard.upstream.answer = json_answer(completion("Hi"))
    assert [ask(guard, "karl", CALLS).status_code for _ in range(2)] == statuses


def test_a_fleet_whose_service_is_down_counts_each_for_itself(start_guard: StartGuard) -> None:
    nowhere = {"rates": f"127.0.0.1:{process.free_port()}"}
    guard = start_guard(policy_set(on_failure="local"), concurrency=2, clusters=nowhere)
    guard.upstream.answer = json_answer(completion("Hi"))
    statuses = [ask(guard, "lena", CALLS).status_code for _ in range(22)]
    assert statuses == [200] * 20 + [429] * 2


def test_calls_go_on_when_the_service_is_back(guard: Guard, service: RateLimits) -> None:
    service.stop()
    try:
        assert ask(guard, "mara", LOOSE).status_code == 503
    finally:
        service.start()
    process.wait_until("calls go on", lambda: ask(guard, "mara", LOOSE).status_code == 200, 15, every=0.2)


def test_a_service_that_dies_under_load_lets_nobody_beyond_the_budget(fleet: list[Guard], service: RateLimits) -> None:
    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(ask, fleet[number % 3], "nina", CALLS) for number in range(90)]
        time.sleep(0.1)
        service.stop()
        time.sleep(0.3)
        service.start()
        statuses = [one.result().status_code for one in running]
    assert set(statuses) <= {200, 429, 503}
    assert statuses.count(200) <= 20


def test_monitor_waits_for_no_service(start_guard: StartGuard, service: RateLimits) -> None:
    guard = start_guard(policy_set() | {"mode": "monitor"}, clusters={"rates": service.address})
    guard.upstream.answer = json_answer(completion("Hi"))
    service.stall = 2 * TIMEOUT
    service.lie = answer(ratelimit.response(ratelimit.OVER))
    begun = time.monotonic()
    reply = ask(guard, "olga", LOOSE)
    assert reply.status_code == 200 and time.monotonic() - begun < TIMEOUT
