"""Budgets on a real Envoy with two workers: nobody gets more, whoever leaves pays, and the official clients back off."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import anthropic
import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, delta, finish, question
from known import end_of
from parts import tokens
from parts.keys import KeySet
from parts.upstream import Answer, Wait, json_answer, stream

# One guard, a policy for each authority.
CALLS, TOKENS, CLAMP, END, MONITOR, SHORT, CROWD = "calls", "tokens", "clamp", "end", "monitor", "short", "crowd"
MODELS = "models"
"""A policy that lets any model be asked."""
THOUSAND = "thousand"
FIT = 50
"""Requests of that crowd that its budget holds: a question of one token and 100 of the answer each."""
ISSUER = "https://idp.example.com"
KEYS = KeySet.make("ES256")
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def mine(**more: Any) -> dict[str, Any]:
    return {"name": "mine", "key": "identity.id", "per": "1h"} | more


BUDGETS: dict[str, list[dict[str, Any]]] = {
    CALLS: [mine(requests=3)],
    TOKENS: [mine(tokens=2000)],
    MODELS: [mine(tokens=1000)],
    CLAMP: [mine(tokens=60, clamp=True)],
    END: [mine(tokens=150, at_limit="end")],
    MONITOR: [mine(requests=2, mode="monitor")],
    SHORT: [{"name": "short", "key": "identity.id", "requests": 1, "per": "2s"}],
    CROWD: [{"name": "everyone", "key": "all", "tokens": 10_000, "per": "744h"}],
    THOUSAND: [{"name": "everyone", "key": "all", "tokens": FIT * 101 + 50, "per": "744h"}],
}


def policy_set() -> sets.Set:
    made = sets.chat(ISSUER)
    made["issuers"][0]["jwks"] = {"inline": KEYS.jwks()}
    chat, usual = sets.connection(made), sets.policy(made)
    connections = []
    for name, budgets in BUDGETS.items():
        policy = deepcopy(usual) | {"name": name, "budgets": budgets, "limits": {"max_output_tokens": 100}}
        if name != CLAMP:
            del policy["mask"]
        if name == MODELS:
            del policy["rules"]
        made["policies"].append(policy)
        match = {"authority": name, "path_prefix": "/v1"}
        connections.append(deepcopy(chat) | {"name": name, "match": match, "policy": name})
    claude = {"name": "claude", "protocol": "anthropic", "match": {"path_prefix": "/anthropic"}, "policy": SHORT}
    made["connections"] = [*connections, deepcopy(chat) | claude, *made["connections"]]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard) -> Guard:
    return start_guard(policy_set(), concurrency=2)


def of(user: str) -> str:
    return tokens.sign(KEYS["ES256"], tokens.claims(ISSUER, subject=user))


def ask(guard: Guard, user: str, policy: str, **body: Any) -> Any:
    """Each test is a caller of its own, with a bucket of its own."""
    return guard.chat(of(user), headers={"host": policy}, **body)


def left(guard: Guard, user: str, policy: str) -> int:
    """What a budget of tokens has left for a caller, from the answer to a question of one token."""
    guard.upstream.answer = json_answer("{}", 500)
    reply = ask(guard, user, policy, text="a", max_tokens=1)
    return int(reply.headers["x-ratelimit-remaining-tokens"]) + 2


def settled(guard: Guard, exchange: str) -> tuple[int, str]:
    end = end_of(guard.sink, exchange)
    return end["portcullis.budget.used"]["mine"], end["portcullis.budget.settled_by"]


def test_a_caller_beyond_the_budget_is_refused_and_another_is_not(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    replies = [ask(guard, "anna", CALLS) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert [reply.headers["x-ratelimit-remaining-requests"] for reply in replies] == ["2", "1", "0", "0"]
    refused = replies[-1]
    assert refused.json()["error"]["code"] == "rate_limited"
    assert 1100 < int(refused.headers["retry-after"]) <= 1200
    assert refused.headers["x-should-retry"] == "false"
    assert refused.headers["ratelimit-policy"] == '"mine";q=3;w=3600'
    assert re.fullmatch(r'"mine";r=0;t=(3600|35\d\d)', refused.headers["ratelimit"])
    assert len(guard.upstream.requests) == 3
    assert ask(guard, "bob", CALLS).status_code == 200
    record = end_of(guard.sink, refused.headers["x-portcullis-exchange"])
    assert (record["portcullis.reason"], record["portcullis.rule"]) == ("rate_limited", "mine")


def test_many_callers_at_once_on_two_workers_get_what_the_budget_holds_and_no_more(guard: Guard) -> None:
    gate = threading.Event()
    # None is settled before all have been let in or refused.
    guard.upstream.answer = Answer(
        headers=[("content-type", "application/json")], pieces=[completion("Hi").encode()], before_head=[Wait(gate)]
    )
    token = of("crowd")
    refused = []

    def one(_: int) -> int:
        status = guard.chat(token, headers={"host": CROWD}).status_code
        if status == 429:
            refused.append(status)
        return status

    # A question of one token, and 100 of the answer: 99 fit into 10,000.
    with ThreadPoolExecutor(200) as pool:
        running = pool.map(one, range(200))
        deadline = time.monotonic() + 60
        while len(refused) < 101 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        gate.set()
        statuses = list(running)
    assert statuses.count(200) == 99
    assert statuses.count(429) == 101
    # What was set aside came back, but for the 12 tokens that each call reported.
    reply = guard.chat(token, headers={"host": CROWD})
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        reply = guard.chat(token, headers={"host": CROWD})
        if reply.status_code == 200:
            break
        time.sleep(0.1)
    assert reply.status_code == 200
    remaining = int(reply.headers["x-ratelimit-remaining-tokens"])
    assert 10_000 - 102 * 12 - 101 - 30 <= remaining <= 10_000 - 99 * 12 - 101 + 3


def test_a_thousand_callers_at_once_are_not_let_beyond_the_budget(guard: Guard) -> None:
    gate = threading.Event()
    guard.upstream.answer = Answer(
        headers=[("content-type", "application/json")], pieces=[completion("Hi").encode()], before_head=[Wait(gate)]
    )
    body = json.dumps(question("a", max_tokens=100)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {THOUSAND}\r\nauthorization: Bearer {of('thousand')}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    refused = 0

    async def one() -> bytes:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", guard.ports[0])
        writer.write(head.encode() + body)
        status = (await reader.readline()).split()[1]
        refused += status == b"429"
        writer.close()
        return status

    async def crowd() -> list[bytes]:
        running = [asyncio.create_task(one()) for _ in range(1000)]
        deadline = time.monotonic() + 90
        # None is settled before all have been let in or refused.
        while refused < 1000 - FIT and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        gate.set()
        return await asyncio.gather(*running)

    statuses = asyncio.run(crowd())
    assert (statuses.count(b"200"), statuses.count(b"429")) == (FIT, 1000 - FIT)
    assert len(guard.upstream.requests) == FIT


def test_the_usage_of_an_answer_settles_it(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    reply = ask(guard, "carol", TOKENS)
    assert reply.headers["x-ratelimit-remaining-tokens"] == "1899"
    assert settled(guard, reply.headers["x-portcullis-exchange"]) == (12, "usage")
    assert left(guard, "carol", TOKENS) == 1988


def test_the_usage_of_a_stream_is_asked_for_and_hidden(guard: Guard) -> None:
    def with_usage(event: str) -> str:
        return event[:-1] + ', "usage": null}'

    events = [delta("Hel"), delta("lo"), finish()]
    total = json.dumps({"id": "chatcmpl-1", "choices": [], "usage": USAGE})
    guard.upstream.answer = stream(*events)
    bare = ask(guard, "dora", MONITOR, stream=True).content
    guard.upstream.answer = stream(*map(with_usage, events), total)
    reply = ask(guard, "dora", TOKENS, stream=True)
    assert json.loads(guard.upstream.requests[-1].body)["stream_options"] == {"include_usage": True}
    assert reply.content == bare, "byte for byte the stream that nobody asked for usage"
    assert settled(guard, reply.headers["x-portcullis-exchange"]) == (12, "usage")
    asked = ask(guard, "dora", TOKENS, stream=True, stream_options={"include_usage": True})
    assert asked.content.count(b'"usage"') == 4


def test_a_caller_who_leaves_is_settled_by_what_came(guard: Guard) -> None:
    gate = threading.Event()
    pieces = [f"data: {delta('x' * 400)}\n\n".encode(), Wait(gate), b"data: [DONE]\n\n"]
    guard.upstream.answer = Answer(pieces=pieces)
    with (
        guard.client(of("emil")) as client,
        client.stream("POST", "/v1/chat/completions", json=question(stream=True), headers={"host": TOKENS}) as reply,
    ):
        exchange = reply.headers["x-portcullis-exchange"]
        next(reply.iter_bytes())
    used, by = settled(guard, exchange)
    gate.set()
    assert (used, by) == (101, "estimate")
    assert left(guard, "emil", TOKENS) == 1899


def test_an_upstream_that_fails_costs_nothing(guard: Guard) -> None:
    for status in (500, 503, 429, 400):
        guard.upstream.answer = json_answer('{"error":{"message":"no"}}', status)
        reply = ask(guard, "frida", TOKENS)
        assert reply.status_code == status
        assert settled(guard, reply.headers["x-portcullis-exchange"]) == (0, "returned")
    assert left(guard, "frida", TOKENS) == 2000


def test_a_bound_that_the_model_passes_over_is_not_what_is_set_aside(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    reply = ask(guard, "petra", MODELS, text="hi", model="llama", max_completion_tokens=1)
    assert reply.status_code == 200
    assert reply.headers["x-ratelimit-remaining-tokens"] == "899", "the policy's 100, and one of the question"
    sent = json.loads(guard.upstream.requests[-1].body)
    assert (sent["max_tokens"], sent["max_completion_tokens"]) == (100, 1)


def test_a_clamp_puts_the_answer_down_to_what_is_left(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    reply = ask(guard, "gina", CLAMP, max_tokens=1000)
    assert reply.status_code == 200
    assert json.loads(guard.upstream.requests[-1].body)["max_tokens"] == 59
    end = end_of(guard.sink, reply.headers["x-portcullis-exchange"])
    assert end["portcullis.bounded"] == ["budget"]
    assert end["portcullis.budget.reserved"] == {"mine": 60}


def test_each_prompt_of_a_list_has_its_part_of_what_is_left(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    body = {"model": question()["model"], "prompt": ["a"] * 10, "max_tokens": 1000}
    with guard.client(of("nora")) as client:
        reply = client.post("/v1/completions", json=body, headers={"host": CLAMP})
    assert reply.status_code == 200
    assert 1 <= json.loads(guard.upstream.requests[-1].body)["max_tokens"] <= 5


def test_a_completion_that_reaches_its_budget_ends_well_for_the_official_client(guard: Guard) -> None:
    piece = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-4o"}
    event = json.dumps(piece | {"choices": [{"index": 0, "text": "word " * 60, "finish_reason": None}]})
    guard.upstream.answer = stream(*[event] * 8, gap=0.02)
    client = guard.openai(of("olga"), default_headers={"host": END})
    chunks = list(client.completions.create(model=question()["model"], prompt="Hello", stream=True))
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"


def test_a_stream_that_reaches_its_budget_ends_well_for_the_official_client(guard: Guard) -> None:
    words = "word " * 60
    guard.upstream.answer = stream(*[delta(words)] * 8, finish(), gap=0.02)
    client = guard.openai(of("hugo"), default_headers={"host": END})
    chunks = list(client.chat.completions.create(**question(), stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert words * 2 <= text < words * 4, "two events are within the 150 tokens, and the one that tells comes whole"


def test_openais_client_backs_off_by_what_we_say_and_then_gets_through(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    token = of("ida")
    client = guard.openai(token, default_headers={"host": SHORT})
    assert client.chat.completions.create(**question()).choices
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**question())
    assert refused.value.code == "rate_limited"
    assert refused.value.response.headers["retry-after"] in ("1", "2")
    before = time.monotonic()
    patient = client.with_options(max_retries=3)
    assert patient.chat.completions.create(**question()).choices
    assert time.monotonic() - before >= 0.9, "it waited as long as it was told"
    assert len(guard.upstream.requests) == 2


def test_anthropics_client_raises_its_own_error_and_reads_its_own_headers(guard: Guard) -> None:
    message = {
        "id": "m", "type": "message", "role": "assistant", "model": "gpt-4o-mini", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "Hi"}],
        "usage": {"input_tokens": 7, "output_tokens": 5},
    }  # fmt: skip
    guard.upstream.answer = json_answer(json.dumps(message))
    client = anthropic.Anthropic(base_url=f"{guard.url}/anthropic", api_key=of("jana"), max_retries=0, timeout=20)

    def create() -> Any:
        messages: Any = [{"role": "user", "content": "Hello"}]
        return client.messages.with_raw_response.create(model="gpt-4o-mini", max_tokens=10, messages=messages)

    first = create()
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert first.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    with pytest.raises(anthropic.RateLimitError) as refused:
        create()
    assert refused.value.response.headers["retry-after"] in ("1", "2")


def test_monitor_blocks_nothing_and_records_what_it_would(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    replies = [ask(guard, "karl", MONITOR) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200] * 4
    assert not any("ratelimit" in name for reply in replies for name in reply.headers)
    ends = [end_of(guard.sink, reply.headers["x-portcullis-exchange"]) for reply in replies]
    assert [end.get("portcullis.would_reason") for end in ends] == [None, None, "rate_limited", "rate_limited"]
    assert ends[2]["portcullis.would_rule"] == "mine"


def test_what_was_taken_stays_taken_over_a_change_of_the_set(start_guard: StartGuard) -> None:
    guard = start_guard(policy_set(), concurrency=2)
    guard.upstream.answer = json_answer(completion("Hi"))
    for _ in range(3):
        assert ask(guard, "lena", CALLS).status_code == 200
    changed = policy_set()
    sets.policy(changed, CALLS)["budgets"] = [mine(requests=4)]
    assert guard.update(changed)
    assert [ask(guard, "lena", CALLS).status_code for _ in range(2)] == [200, 429]
