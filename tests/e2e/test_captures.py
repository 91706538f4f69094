"""What records of a real Envoy hold of prompts and answers: masked by the audit's own mask, whatever went by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, cli, completion, delta, finish, question
from known import ALL, CARD, EMAIL, content, end_of, leaks
from parts import process
from parts.idp import Idp
from parts.upstream import Answer, json_answer, stream


def names(reply: Any) -> str:
    return reply.headers["x-portcullis-exchange"]


def keeping(idp: Idp, **audit: Any) -> sets.Set:
    """A set that masks nothing on its way, and keeps texts."""
    policies = sets.chat(idp.issuer)
    del sets.policy(policies)["mask"]
    policies["audit"] |= {"capture": "masked"} | audit
    return policies


@pytest.fixture(scope="module")
def keeper(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(keeping(idp))


def bodies(guard: Guard, exchange: str) -> list[dict[str, Any]]:
    end_of(guard.sink, exchange)
    found = [r.json() for r in list(guard.sink.records) if r.attributes.get("portcullis.exchange") == exchange]
    return sorted(found, key=lambda body: body["portcullis.chain.seq"])


def texts(records: list[dict[str, Any]], side: str) -> list[str]:
    """The texts of one side, each put together from its pieces."""
    found: dict[int, str] = {}
    for record in records:
        for piece in record.get(f"portcullis.{side}.texts", []):
            found[piece["of"]] = found.get(piece["of"], "") + piece["text"]
    return list(found.values())


def wire_of(guard: Guard) -> bytes:
    return b"\n".join(export.data for export in guard.sink.exports)


def test_records_hold_masked_texts_of_what_went_by_unmasked(keeper: Guard) -> None:
    token = keeper.token()
    said = " ".join(known.text for known in ALL)
    masked = " ".join(known.masked for known in ALL)
    for streamed in (False, True):
        answer = stream(*(delta(letter) for letter in said), finish()) if streamed else json_answer(completion(said))
        keeper.upstream.answer = answer
        body = question(f"Hello {EMAIL.text}") | {"stream": streamed}
        with keeper.client(token) as client:
            reply = client.post("/v1/chat/completions", json=body)
        assert (content(reply.content) if streamed else reply.json()["choices"][0]["message"]["content"]) == said
        assert EMAIL.value in keeper.upstream.requests[-1].body.decode()
        records = bodies(keeper, names(reply))
        assert f"Hello {EMAIL.masked}" in texts(records, "prompt")
        assert texts(records, "response") == [masked]
        assert {record["portcullis.capture"] for record in records} == {"masked"}
    assert not leaks(wire_of(keeper), sets.CREDENTIAL, token, *(known.value for known in ALL))


def test_a_value_cut_by_the_network_is_whole_for_the_record(keeper: Guard) -> None:
    events = b"".join(b"data: " + event.encode() + b"\n\n" for event in (delta(CARD.text), finish(), "[DONE]"))
    pieces = [events[at : at + 1] for at in range(len(events))]
    keeper.upstream.answer = Answer(pieces=pieces)
    reply = keeper.chat(keeper.token(), stream=True)
    assert CARD.value in content(reply.content)
    assert texts(bodies(keeper, names(reply)), "response") == [CARD.masked]


def test_a_long_answer_comes_in_parts_that_an_auditor_can_prove(
    start_guard: StartGuard, idp: Idp, folder: Path
) -> None:
    guard = start_guard(keeping(idp))
    line = f"{EMAIL.text} "
    guard.upstream.answer = stream(*(delta(line) for _ in range(4500)), finish())
    reply = guard.chat(guard.token(), stream=True)
    records = bodies(guard, names(reply))
    assert texts(records, "response") == [f"{EMAIL.masked} " * 4500]
    parts = [record["portcullis.part"] for record in records if record["event.name"].endswith(".part")]
    assert parts == list(range(1, len(parts) + 1)) and len(parts) >= 3
    assert records[-1]["portcullis.parts"] == len(parts)
    process.wait_until("the file", lambda: records[-1]["portcullis.record"] in guard.sink.file.read_text())
    guard.stop()
    assert cli("audit", "verify", guard.sink.file, check=False).returncode == 0
    damaged = folder / "damaged.jsonl"
    bodies_only = [record.body for record in guard.sink.records]
    damaged.write_text("".join(f"{body}\n" for body in bodies_only if '"portcullis.part":2,' not in body))
    done = cli("audit", "verify", damaged, "--format", "json", check=False)
    assert done.returncode == 3
    missing = [one for one in json.loads(done.stdout)["findings"] if one["what"] == "parts_missing"]
    assert [(one["exchange"], one["parts"]) for one in missing] == [(names(reply), [2])]


def test_of_what_is_not_text_the_digest_is_kept(start_guard: StartGuard, idp: Idp) -> None:
    policies = keeping(idp)
    sets.policy(policies)["uninspected"] = "allow"
    guard = start_guard(policies)
    guard.upstream.answer = Answer(200, [("content-type", "audio/mpeg")], [b"ab", b"c"])
    end = bodies(guard, names(guard.chat(guard.token())))[-1]
    abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (end["portcullis.response.digest"], end["http.response.body.size"]) == (abc, 3)
    assert "portcullis.response.texts" not in end


# A pair for tests, known to everybody.
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def test_what_is_sealed_is_read_by_the_auditor_and_by_nobody_on_the_way(
    start_guard: StartGuard, idp: Idp, tmp_path: Path
) -> None:
    guard = start_guard(keeping(idp, capture="full", recipients=[RECIPIENT]))
    said = " ".join(known.text for known in ALL)
    guard.upstream.answer = stream(*(delta(letter) for letter in said), finish())
    with guard.client(guard.token()) as client:
        reply = client.post("/v1/chat/completions", json=question(f"Hello {EMAIL.text}") | {"stream": True})
    assert content(reply.content) == said
    records = bodies(guard, names(reply))
    assert not texts(records, "prompt") and not texts(records, "response")
    assert not leaks(wire_of(guard), *(known.value for known in ALL), "Hello")
    key, day = tmp_path / "key.txt", tmp_path / "day.jsonl"
    key.write_text(f"{IDENTITY}\n")
    day.write_bytes(wire_of(guard))
    opened = cli("audit", "open", "--identity", key, "--format", "json", "--exchange", names(reply), day).stdout
    found = [json.loads(line) for line in opened.splitlines()]
    assert f"Hello {EMAIL.text}" in texts(found, "prompt")
    assert texts(found, "response") == [said]
    assert "whole" in cli("audit", "verify", day).stdout
