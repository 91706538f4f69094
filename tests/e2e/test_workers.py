"""Two workers of one Envoy: exchanges, chains and counts stay apart, and memory stays bounded."""

from __future__ import annotations

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_records import assert_whole, chains

from conftest import StartGuard
from guard import Guard, completion, delta, finish, question
from known import ALL, CARD, EMAIL, content, end_of
from parts import process
from parts.upstream import Answer, Delay, Piece, Received, json_answer, stream

STREAMS = 200


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard) -> Guard:
    return start_guard(concurrency=2)


def told(marker: str) -> tuple[str, str]:
    """A stream's text, full of its marker, and its mask."""
    seed = random.Random(marker)
    parts = [known for known in ALL for _ in range(2)]
    seed.shuffle(parts)
    text = "".join(f" {marker} {part.text}" for part in parts)
    masked = "".join(f" {marker} {part.masked}" for part in parts)
    return text, masked


def answer(request: Received) -> Answer:
    """A stream about the marker that the prompt names, in pieces and pauses of its own."""
    marker = json.loads(request.body)["messages"][0]["content"]
    text, _ = told(marker)
    seed = random.Random(marker + "cuts")
    pieces: list[Piece] = []
    while text:
        size = seed.randint(1, 40)
        pieces.append(f"data: {delta(text[:size])}\n\n".encode())
        text = text[size:]
        if seed.random() < 0.1:
            pieces.append(Delay(seed.random() * 0.01))
    return Answer(pieces=[*pieces, f"data: {finish()}\n\ndata: [DONE]\n\n".encode()])


def test_parallel_streams_keep_their_texts_apart_and_all_are_recorded(guard: Guard, token: str) -> None:
    guard.upstream.answer = answer
    markers = [f"M{number:04d}Q" for number in range(STREAMS)]

    def run(marker: str) -> tuple[str, str, bytes]:
        # Each on a connection of its own, so that both workers get some.
        reply = guard.chat(token, http2=marker[-2] in "02468", text=marker, stream=True)
        return marker, reply.headers["x-portcullis-exchange"], reply.content

    with ThreadPoolExecutor(24) as pool:
        seen = list(pool.map(run, markers))
    for marker, _, wire in seen:
        assert content(wire) == told(marker)[1]
        assert set(re.findall(r"M\d{4}Q", wire.decode())) == {marker}
    for _, exchange, _ in seen:
        assert end_of(guard.sink, exchange)["portcullis.outcome"] == "complete"
    assert_whole(guard.sink)
    events = [(r.event.rpartition(".")[2], r.attributes.get("portcullis.exchange")) for r in guard.sink.records]
    assert {pair for pair in events if pair[1]} == {(e, x) for _, x, _ in seen for e in ("start", "end")}
    busy = [chain for chain, links in chains(guard.sink).items() if any("portcullis.exchange" in b for b, _ in links)]
    assert len(busy) == 2, "a chain for each worker, and both had work"


def samples(guard: Guard, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """The samples of a metric, by labels."""
    assert guard.envoy
    found = {}
    for line in guard.envoy.prometheus().splitlines():
        match = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if match:
            found[frozenset(re.findall(r'(\w+)="([^"]*)"', match[1]))] = float(match[2])
    return found


def count(guard: Guard, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(value for found, value in samples(guard, name).items() if wanted <= found)


def test_metrics_have_labels_and_count_over_both_workers(guard: Guard, token: str) -> None:
    def now() -> list[float]:
        return [
            count(guard, "portcullis_masked_total", policy="rag-chat", entity="EMAIL_ADDRESS"),
            count(guard, "portcullis_masked_total", policy="rag-chat", entity="CREDIT_CARD"),
            count(guard, "portcullis_decisions_total", connection="chat", policy="rag-chat", decision="allow"),
            count(guard, "portcullis_decisions_total", connection="chat", policy="rag-chat", decision="deny"),
            count(guard, "portcullis_rules_total", policy="rag-chat", rule="models", outcome="deny"),
            count(guard, "portcullis_errors_total", kind="upstream_unreadable"),
        ]

    before = now()
    guard.upstream.answer = json_answer(completion(f"{EMAIL.text} {EMAIL.text} {CARD.text}"))
    for _ in range(10):
        assert guard.chat(token).status_code == 200
    for _ in range(3):
        assert guard.chat(token, model="gpt-5").status_code == 403
    guard.upstream.answer = stream("not JSON")
    last = guard.chat(token, stream=True)
    end_of(guard.sink, last.headers["x-portcullis-exchange"])
    assert [b - a for a, b in zip(before, now(), strict=True)] == [20, 10, 11, 3, 3, 1]


def test_memory_stays_bounded_over_thousands_of_exchanges(guard: Guard, token: str) -> None:
    assert guard.envoy
    whole = completion(" ".join(known.text for known in ALL) * 10)

    def either(request: Received) -> Answer:
        if json.loads(request.body).get("stream"):
            return stream(*(delta(known.text[:20]) for known in ALL), finish())
        return json_answer(whole)

    guard.upstream.answer = either

    def run(number: int) -> None:
        with guard.client(token) as client:
            for each in range(number):
                client.post("/v1/chat/completions", json=question(stream=each % 2 == 0))

    def rounds(exchanges: int) -> int:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, [exchanges // 8] * 8))
        guard.upstream.requests.clear()
        assert guard.envoy
        return guard.envoy.memory_rss()

    warm = rounds(800)
    assert rounds(2400) - warm < 24 * 1024 * 1024


def test_memory_that_the_modules_start_took_is_given_back(start_guard: StartGuard) -> None:
    """By the proxy's allocator, which says how much of what it mapped it has no pages for."""
    guard = start_guard()

    def given_back() -> bool:
        assert guard.envoy
        return int(json.loads(guard.envoy.admin_get("/memory"))["pageheap_unmapped"]) > 4 * 1024 * 1024

    process.wait_until("it is given back", given_back, timeout=20, every=0.5)
