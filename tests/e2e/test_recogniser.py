"""A recogniser finds what no pattern can: answers are held for it, and nothing goes out where it is silent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, delta, finish, question
from parts.analyzer import Analyzer
from parts.collector import Record
from parts.idp import Idp
from parts.upstream import Answer, Delay, Trailers, json_answer, stream

PATH = "/v1/chat/completions"
TEXT = "Zoë Müller (zoe@example.com) and 李小龙 met Bob."
MASKED = "<PERSON> (<EMAIL_ADDRESS>) and <PERSON> met <PERSON>."
MONITOR, OPEN = "monitor", "open"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    analyzer = Analyzer(["Zoë Müller", "李小龙", "Bob"]).start()
    yield analyzer
    analyzer.stop()


@pytest.fixture(autouse=True)
def fresh(analyzer: Analyzer) -> None:
    analyzer.reset()


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp, analyzer: Analyzer) -> Guard:
    made = sets.chat(idp.issuer)
    made["recognisers"] = [
        {
            "name": "presidio",
            "cluster": "presidio",
            "entities": ["PERSON", "LOCATION"],
            "timeout": "1s",
            "max_bytes": "64Ki",
        }
    ]
    usual = sets.policy(made)
    usual["mask"]["response"]["entities"] = ["PII", "SECRETS", "PERSON"]
    chat = sets.connection(made)
    changes = {MONITOR: {"mode": "monitor"}, OPEN: {"uninspected": {"allow": ["stream", "size"]}}}
    for name, change in changes.items():
        made["policies"].append(deepcopy(usual) | change | {"name": name})
        match = {"authority": name, "path_prefix": "/v1"}
        made["connections"].insert(0, deepcopy(chat) | {"name": name, "match": match, "policy": name})
    return start_guard(made, clusters={"presidio": analyzer.address})


def end_record(guard: Guard, policy: str) -> dict[str, Any]:
    """The end record of an exchange under a policy."""

    def wanted(record: Record) -> bool:
        return record.event.endswith(".end") and record.json().get("portcullis.policy") == policy

    return guard.sink.wait_for(wanted).json()


def test_the_official_client_sees_an_answer_without_its_names(guard: Guard, token: str, analyzer: Analyzer) -> None:
    guard.upstream.answer = json_answer(completion(TEXT))
    with guard.openai(token) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Who?"}])
    assert answer.choices[0].message.content == MASKED
    (asked,) = analyzer.questions
    assert asked["entities"] == ["PERSON"] and asked["language"] == "en"
    assert "Zoë Müller (<EMAIL_ADDRESS>)" in asked["text"], "what the patterns mask reaches nobody else"
    end = end_record(guard, "rag-chat")
    assert end["portcullis.response.entities"] == {"EMAIL_ADDRESS": 1, "PERSON": 3}


@pytest.mark.parametrize("http2", [False, True])
def test_pieces_and_trailers_make_no_difference(guard: Guard, token: str, http2: bool) -> None:
    body = completion(TEXT).encode()
    pieces = [part for at in range(0, len(body), 7) for part in (body[at : at + 7], Delay(0.001))]
    head = [("content-type", "application/json")]
    guard.upstream.answer = Answer(headers=head, pieces=[*pieces, Trailers([("x-sum", "bob@example.com")])])
    answer = guard.chat(token, http2=http2)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == MASKED


@pytest.mark.parametrize("trouble", ["fail", "stall"])
def test_a_recogniser_that_does_not_answer_refuses_the_exchange(
    guard: Guard, token: str, analyzer: Analyzer, trouble: str
) -> None:
    setattr(analyzer, trouble, 500 if trouble == "fail" else 3.0)
    guard.upstream.answer = json_answer(completion(TEXT))
    with guard.openai(token) as client, pytest.raises(openai.InternalServerError) as refused:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Who?"}])
    assert refused.value.status_code == 503 and refused.value.code == "guard_unavailable"
    assert "Bob" not in str(refused.value.body)


def test_streams_are_refused_before_they_start_unless_the_policy_lets_them_pass(
    guard: Guard, token: str, analyzer: Analyzer
) -> None:
    events = [delta("Bob, bob@exam"), delta("ple.com"), finish()]
    guard.upstream.answer = stream(*events)
    answer = guard.chat(token, stream=True)
    assert answer.status_code == 415 and answer.json()["error"]["code"] == "uninspectable"
    assert not guard.upstream.requests
    answer = guard.chat(token, stream=True, headers={"host": OPEN})
    assert answer.status_code == 200 and "<EMAIL_ADDRESS>" in answer.text and "Bob" in answer.text
    assert not analyzer.questions
    guard.upstream.answer = stream(*events)
    answer = guard.chat(token)
    assert answer.status_code == 502, "an upstream that streams unasked"
    assert "Bob" not in answer.text


def test_an_answer_above_the_bound_is_refused_unless_the_policy_lets_it_pass(guard: Guard, token: str) -> None:
    body = completion(TEXT + "x" * 70_000)
    guard.upstream.answer = json_answer(body)
    answer = guard.chat(token)
    assert answer.status_code == 502 and "Bob" not in answer.text
    guard.upstream.answer = json_answer(body)
    answer = guard.chat(token, headers={"host": OPEN})
    assert answer.status_code == 200 and "<EMAIL_ADDRESS>" in answer.text and "Bob" in answer.text


def test_monitor_changes_and_delays_nothing_and_records_the_names(guard: Guard, token: str, analyzer: Analyzer) -> None:
    analyzer.stall = 0.7
    body = completion(TEXT)
    guard.upstream.answer = json_answer(body)
    begun = time.monotonic()
    answer = guard.chat(token, headers={"host": MONITOR})
    assert answer.text == body and time.monotonic() - begun < 0.7
    end = end_record(guard, MONITOR)
    assert end["portcullis.response.entities"] == {"EMAIL_ADDRESS": 1, "PERSON": 3}
    assert "Müller" not in json.dumps(end, ensure_ascii=False)


def test_a_client_that_leaves_while_the_recogniser_reads_harms_nobody(
    guard: Guard, token: str, analyzer: Analyzer
) -> None:
    analyzer.stall = 0.5
    guard.upstream.answer = json_answer(completion(TEXT))
    with guard.connect() as connection:
        body = json.dumps(question()).encode()
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        deadline = time.monotonic() + 5
        while not analyzer.questions and time.monotonic() < deadline:
            time.sleep(0.02)
        assert analyzer.questions
    time.sleep(0.8)
    analyzer.stall = 0.0
    guard.upstream.answer = json_answer(completion(TEXT))
    assert guard.chat(token).json()["choices"][0]["message"]["content"] == MASKED
