"""`delivery: before_forward` on a real Envoy: what the collector has not taken never goes upstream."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, question
from known import end_of, record_of
from parts import process
from parts.idp import Idp
from parts.upstream import json_answer

TIMEOUT = 1.0


def policy_set(issuer: str, **changes: Any) -> sets.Set:
    audit = {"cluster": "audit", "delivery": "before_forward", "timeout": f"{TIMEOUT:g}s"}
    return sets.chat(issuer, audit=audit, **changes)


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer), concurrency=2)


@pytest.fixture(scope="module")
def token(guard: Guard) -> str:
    return guard.token()


@pytest.fixture(autouse=True)
def fresh(guard: Guard) -> None:
    guard.reset()
    guard.upstream.answer = json_answer(completion("hi"))


def recovered(guard: Guard, token: str) -> None:
    process.wait_until("calls go on again", lambda: guard.chat(token).status_code == 200, 10, every=0.1)


def test_the_record_is_there_before_the_upstream_sees_a_byte(guard: Guard, token: str) -> None:
    guard.sink.stall = 0.6
    with ThreadPoolExecutor() as pool:
        call = pool.submit(guard.chat, token)
        time.sleep(0.3)
        assert guard.upstream.requests == [] and guard.sink.records == []
        process.wait_until("the call goes on", lambda: guard.upstream.requests, 5, every=0.005)
        assert [record.event for record in guard.sink.records] == ["portcullis.exchange.start"]
        guard.sink.stall = 0.0
        reply = call.result()
    assert reply.status_code == 200
    start = record_of(guard.sink, reply.headers["x-portcullis-exchange"], "start")
    assert start["gen_ai.request.model"] == "gpt-4o-mini"
    assert end_of(guard.sink, reply.headers["x-portcullis-exchange"])["portcullis.outcome"] == "complete"


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_collector_that_refuses_lets_nothing_through(status: int, guard: Guard, token: str) -> None:
    guard.sink.fail = status
    reply = guard.chat(token)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "guard_unavailable")
    assert guard.upstream.requests == []
    guard.sink.fail = None
    recovered(guard, token)


def test_a_collector_that_is_down_refuses_and_calls_go_on_when_it_is_back(guard: Guard, token: str) -> None:
    guard.sink.stop()
    try:
        for _ in range(5):
            started = time.monotonic()
            assert guard.chat(token).status_code == 503
            assert time.monotonic() - started < TIMEOUT + 1
        assert guard.upstream.requests == []
    finally:
        guard.sink.start()
    recovered(guard, token)


def test_a_slow_collector_refuses_within_the_time_that_a_call_may_take(guard: Guard, token: str) -> None:
    guard.sink.stall = 3.0
    started = time.monotonic()
    assert guard.chat(token).status_code == 503
    assert time.monotonic() - started < TIMEOUT + 1
    assert guard.upstream.requests == []
    guard.sink.stall = 0.0
    recovered(guard, token)


def test_records_that_were_taken_in_part_let_nothing_through(guard: Guard, token: str) -> None:
    guard.sink.reject = 1
    assert guard.chat(token).status_code == 503
    assert guard.upstream.requests == []
    guard.sink.reject = 0
    recovered(guard, token)


def test_a_collector_that_does_not_exist_refuses_every_call(start_guard: StartGuard, idp: Idp) -> None:
    made = policy_set(idp.issuer)
    nobody = start_guard(made, clusters={"audit": f"127.0.0.1:{process.free_port()}"})
    for _ in range(3):
        assert nobody.chat(nobody.token()).status_code == 503
    assert nobody.upstream.requests == []


def test_an_open_circuit_breaker_refuses_at_once(start_guard: StartGuard, idp: Idp) -> None:
    def no_requests(bootstrap: dict[str, Any]) -> None:
        (audit,) = (one for one in bootstrap["static_resources"]["clusters"] if one["name"] == "audit")
        limits = {"max_requests": 0, "max_pending_requests": 0, "max_connections": 0}
        audit["circuit_breakers"] = {"thresholds": [limits]}

    guard = start_guard(policy_set(idp.issuer), change=no_requests)
    started = time.monotonic()
    assert guard.chat(guard.token()).status_code == 503
    assert time.monotonic() - started < TIMEOUT
    assert guard.upstream.requests == []


def test_many_at_once_share_batches_and_every_one_was_recorded_first(start_guard: StartGuard, idp: Idp) -> None:
    made = policy_set(idp.issuer)
    # However slowly the sink gets its turns among all the threads: how long a call waits is not what is asked here.
    made["audit"]["timeout"] = "10s"
    guard = start_guard(made, concurrency=2)
    guard.upstream.answer = json_answer(completion("hi"))
    token = guard.token()
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda _: guard.chat(token), range(300)))
    assert {reply.status_code for reply in replies} == {200}
    names = {reply.headers["x-portcullis-exchange"] for reply in replies}
    starts = [record for record in guard.sink.records if record.event == "portcullis.exchange.start"]
    assert names <= {record.json()["portcullis.exchange"] for record in starts}
    assert len(guard.sink.exports) < 600


def test_while_the_collector_comes_and_goes_nothing_unrecorded_reaches_the_upstream(guard: Guard, token: str) -> None:
    over = threading.Event()

    def flap() -> None:
        while not over.wait(0.05):
            guard.sink.fail = None if guard.sink.fail else 503

    def ask(number: int) -> httpx.Response:
        with guard.client(token) as client:
            return client.post("/v1/chat/completions", json=question(f"call-{number}-"))

    flapping = threading.Thread(target=flap)
    flapping.start()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, range(150)))
    over.set()
    flapping.join()
    guard.sink.fail = None
    assert {reply.status_code for reply in replies} <= {200, 503}
    passed = {reply.headers["x-portcullis-exchange"] for reply in replies if reply.status_code == 200}
    assert len(guard.upstream.requests) == len(passed)
    starts = {r.json()["portcullis.exchange"] for r in guard.sink.records if r.event == "portcullis.exchange.start"}
    assert passed <= starts
    for reply in replies:
        end_of(guard.sink, reply.headers["x-portcullis-exchange"])


def test_a_streamed_body_that_nobody_reads_waits_too(start_guard: StartGuard, idp: Idp) -> None:
    made = policy_set(idp.issuer)
    policy = sets.policy(made)
    for key in ("rules", "mask", "limits"):
        policy.pop(key, None)
    guard = start_guard(made)
    guard.upstream.answer = json_answer(completion("hi"))
    guard.sink.stall = 0.3
    body = json.dumps(question("x" * 200_000)).encode()

    def pieces() -> Any:
        for at in range(0, len(body), 20_000):
            yield body[at : at + 20_000]
            time.sleep(0.01)

    with guard.client(guard.token()) as client:
        headers = {"content-type": "application/json"}
        reply = client.post("/v1/chat/completions", content=pieces(), headers=headers)
    assert reply.status_code == 200
    (request,) = guard.upstream.requests
    assert request.body == body
    end = end_of(guard.sink, reply.headers["x-portcullis-exchange"])
    assert end["http.request.body.size"] == len(body) and end["gen_ai.request.model"] == "gpt-4o-mini"


def test_monitor_waits_for_nothing(start_guard: StartGuard, idp: Idp) -> None:
    guard = start_guard(policy_set(idp.issuer, mode="monitor"))
    guard.upstream.answer = json_answer(completion("hi"))
    guard.sink.fail = 503
    assert guard.chat(guard.token()).status_code == 200
