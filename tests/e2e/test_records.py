"""The audit records of a real Envoy: what they say, that none is lost, and what they never hold."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, cli, completion, delta, finish, question
from known import ALL, AWS, CARD, EMAIL, JWT, PEM, content, end_of, leaks, record_of
from parts import process
from parts.collector import Record, Rotel, Sink, records_of
from parts.idp import Idp
from parts.store import WRITER, Store
from parts.upstream import Answer, Upstream, Wait, json_answer, stream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def names(httpx_answer: httpx.Response) -> str:
    return httpx_answer.headers["x-portcullis-exchange"]


def chains(sink: Sink) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """Bodies and their hashes by chain, in order, each once."""
    found: dict[str, dict[int, tuple[dict[str, Any], str]]] = {}
    for record in list(sink.records):
        body = record.json()
        digest = hashlib.sha256(record.body.encode()).hexdigest()
        assert record.attributes["portcullis.chain.hash"] == digest, "the hash is over the bytes of the body"
        links = found.setdefault(body["portcullis.chain.id"], {})
        assert links.setdefault(body["portcullis.chain.seq"], (body, digest))[1] == digest
    return {chain: [links[at] for at in sorted(links)] for chain, links in found.items()}


def assert_whole(sink: Sink) -> None:
    """Each chain has no gap, and each record names the hash of the one before."""
    for links in chains(sink).values():
        numbers = [body["portcullis.chain.seq"] for body, _ in links]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        for (_, before), (body, _) in itertools.pairwise(links):
            assert body["portcullis.chain.previous"] == before


def test_start_and_end_tell_who_what_and_by_which_rules(guard: Guard, token: str) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}})
    guard.upstream.answer = stream(delta(f"{EMAIL.text} {CARD.text} {EMAIL.text}"), finish(), usage)
    reply = guard.chat(token, stream=True, headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    for event in ("start", "end"):
        body = record_of(guard.sink, names(reply), event)
        expected = {
            "portcullis.revision": guard.options.revision,
            "portcullis.policy": "rag-chat",
            "portcullis.connection": "chat",
            "portcullis.decision": "allow",
            "portcullis.mode": "enforce",
            "user.id": f"{guard.idp.issuer}#alice",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.request.stream": True,
            "portcullis.llm.operation": "chat",
            "url.path": "/v1/chat/completions",
        }
        assert {key: body.get(key) for key in expected} == expected
        assert body["portcullis.digest"].startswith("sha256:")
        (raw,) = {
            (r.raw["traceId"], r.raw["spanId"])
            for r in guard.sink.records
            if r.attributes.get("portcullis.exchange") == names(reply)
        }
        assert raw == (TRACE, SPAN)
    assert body["portcullis.response.entities"] == {"EMAIL_ADDRESS": 2, "CREDIT_CARD": 1}
    assert (body["gen_ai.usage.input_tokens"], body["gen_ai.usage.output_tokens"]) == (11, 22)
    assert (body["portcullis.outcome"], body["http.response.status_code"]) == ("complete", 200)
    assert body["gen_ai.response.finish_reasons"] == ["stop"]


def test_refusals_are_recorded_with_their_reason(guard: Guard, token: str) -> None:
    refused = {
        "rule": (guard.chat(token, model="gpt-5"), 403, "forbidden", "models"),
        "allow": (guard.chat(guard.token("bob")), 403, "forbidden", None),
        "no token": (guard.chat(None), 401, "unauthenticated", None),
    }
    for reply, status, reason, rule in refused.values():
        assert reply.status_code == status
        body = end_of(guard.sink, names(reply))
        assert (body["portcullis.decision"], body["portcullis.outcome"]) == ("deny", "refused")
        assert (body["portcullis.reason"], body.get("portcullis.rule")) == (reason, rule)
        assert body["http.response.status_code"] == status
    assert guard.upstream.requests == []


def test_answers_that_were_broken_off_are_recorded_so(guard: Guard, token: str) -> None:
    broken = {
        "broken_off": [
            stream("not JSON"),
            Answer(200, [("content-type", "image/png")], [b"x"]),
            json_answer("{}", 401),
        ],
        "complete": [json_answer("{}", 500), stream(delta("no end"), done=False)],
    }
    for outcome, answers in broken.items():
        for answer in answers:
            guard.upstream.answer = answer
            body = end_of(guard.sink, names(guard.chat(token, stream=True)))
            assert body["portcullis.outcome"] == outcome, answer
            assert body["portcullis.upstream_status"] == answer.status


def test_the_chain_holds_over_many_exchanges(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion(EMAIL.text))
    with guard.client(token) as client:
        ids = [names(client.post("/v1/chat/completions", json=question())) for _ in range(100)]
    for exchange in ids:
        end_of(guard.sink, exchange)
    assert_whole(guard.sink)
    told = [(r.event.rpartition(".")[2], r.attributes.get("portcullis.exchange")) for r in guard.sink.records]
    assert sorted(pair for pair in told if pair[1] in set(ids)) == sorted((e, i) for i in ids for e in ("start", "end"))
    assert len({r.attributes["portcullis.record"] for r in guard.sink.records}) == len(guard.sink.records)


def test_no_secret_token_or_masked_value_is_recorded_logged_or_counted(guard: Guard, token: str) -> None:
    values = [known.value for known in ALL]
    tagged = json.dumps(json.loads(delta("x")) | {"id": sets.CREDENTIAL, "model": EMAIL.value})
    answers = [
        json_answer(completion(" ".join(known.text for known in ALL)), 200, ("x-who", EMAIL.value)),
        json_answer(json.dumps({"id": sets.CREDENTIAL, "model": AWS.value, "choices": []})),
        stream(*(delta(letter) for letter in f"{PEM.text} {JWT.text} {CARD.text}"), tagged, finish(EMAIL.value)),
        json_answer(json.dumps({"error": {"message": sets.CREDENTIAL}}), 401),
        stream("not JSON " + EMAIL.value + sets.CREDENTIAL),
    ]
    last = None
    for answer in answers:
        guard.upstream.answer = answer
        last = names(guard.chat(token, stream=True))
    guard.chat(token, headers={"x-api-key": "sk-ant-" + "z9" * 20})
    last = names(guard.chat(token + "x"))
    end_of(guard.sink, last)
    wire = b"\n".join(export.data for export in guard.sink.exports)
    assert wire.count(b"portcullis.exchange.end") >= len(answers)
    secrets = [sets.CREDENTIAL, token, token.split(".")[2], "z9" * 20, *values]
    assert not leaks(wire, *secrets)
    assert guard.envoy
    assert not leaks(guard.log().encode(), *secrets)
    assert not leaks(guard.envoy.prometheus().encode(), *secrets)
    assert not leaks(json.dumps(guard.envoy.config_dump()).encode(), *secrets)


# Collectors that fail.


def test_while_the_collector_is_down_nobody_waits_and_nothing_is_lost(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("hi"))
    warm = end_of(guard.sink, names(guard.chat(token)))
    assert warm
    guard.sink.stop()
    started = time.monotonic()
    ids = [names(guard.chat(token)) for _ in range(20)]
    assert time.monotonic() - started < 10
    guard.sink.start()
    for exchange in ids:
        end_of(guard.sink, exchange)
    assert_whole(guard.sink)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_records_that_a_collector_refuses_for_now_are_sent_again(status: int, guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("hi"))
    guard.sink.fail = status
    ids = [names(guard.chat(token)) for _ in range(5)]
    process.wait_until("the collector refuses", lambda: any(e.status == status for e in guard.sink.exports), 10)
    guard.sink.fail = None
    for exchange in ids:
        record_of(guard.sink, exchange, "start")
        end_of(guard.sink, exchange)
    assert_whole(guard.sink)


def test_a_collector_that_stalls_delays_no_caller(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("hi"))
    # Were callers to wait for the collector, ten of them would wait longer than this takes on a slow machine.
    guard.sink.stall = 5.0
    started = time.monotonic()
    last = [guard.chat(token) for _ in range(10)][-1]
    assert time.monotonic() - started < 10 * guard.sink.stall / 2
    guard.sink.stall = 0.0
    end_of(guard.sink, names(last))


# Policy changes.


@pytest.fixture(scope="module")
def changing(start_guard: StartGuard) -> Guard:
    return start_guard()


def test_a_policy_change_loses_no_record_and_a_stream_is_judged_by_its_own_set(changing: Guard, idp: Idp) -> None:
    token, go = changing.token(), threading.Event()
    pieces = [b"data: " + delta("to jane.d").encode() + b"\n\n", Wait(go)]
    pieces += [b"data: " + event.encode() + b"\n\n" for event in (delta("oe@example.com"), finish(), "[DONE]")]
    changing.upstream.answer = Answer(pieces=pieces)
    before = changing.sink
    seen = b""
    with changing.client(token) as client, client.stream("POST", "/v1/chat/completions", json=question()) as reply:
        parts = reply.iter_raw()
        seen += next(parts)
        streaming = names(reply)
        old = record_of(before, streaming, "start")["portcullis.digest"]
        other = sets.chat(idp.issuer)
        del sets.policy(other)["mask"]
        assert changing.update(other)
        go.set()
        for part in parts:
            seen += part
    assert content(seen) == "to <EMAIL_ADDRESS>"
    assert end_of(before, streaming)["portcullis.digest"] == old

    changing.upstream.answer = json_answer(completion(EMAIL.text))

    def judged_anew() -> bool:
        reply = changing.chat(token)
        return EMAIL.value in reply.text

    process.wait_until("the new set judges", judged_anew, 10)
    reply = changing.chat(token)
    assert end_of(before, names(reply))["portcullis.digest"] != old
    assert_whole(before)


def test_a_chain_that_begins_after_a_policy_change_goes_on_from_the_one_before(
    start_guard: StartGuard, idp: Idp, folder: Path
) -> None:
    guard = start_guard()
    token = guard.token()
    guard.upstream.answer = json_answer(completion("hi"))
    end_of(guard.sink, names(guard.chat(token)))
    other = sets.chat(idp.issuer)
    del sets.policy(other)["mask"]
    assert guard.update(other)
    last = guard.sink.wait_for(lambda record: record.event == "portcullis.chain.anchor").json()
    time.sleep(1)  # The old configuration is done when the collector has its last record.
    first = record_of(guard.sink, names(guard.chat(token)), "start")
    assert first["portcullis.chain.id"] != last["portcullis.chain.id"]
    assert first["portcullis.chain.predecessor"] == last["portcullis.record"]
    end_of(guard.sink, first["portcullis.exchange"])

    assert cli("audit", "verify", guard.sink.file, check=False).returncode == 0
    lines = guard.sink.file.read_text().splitlines(keepends=True)
    cut = folder / "cut.jsonl"
    cut.write_text(
        "".join(
            line
            for line in lines
            if last["portcullis.record"] not in json.loads(line)["body"]["stringValue"]
            or "portcullis.chain.predecessor" in line
        )
    )
    done = cli("audit", "verify", cut, check=False)
    assert done.returncode == 3
    assert "goes on from the last of them" in done.stdout


# The real collector.


@pytest.fixture
def rotel(folder: Path) -> Iterator[Rotel]:
    sink = Sink(folder).start()
    collector = Rotel(folder, sink).start()
    yield collector
    collector.stop()
    sink.stop()


WIRES = [(encoding, compression) for encoding in ("json", "protobuf") for compression in ("none", "gzip")]
EXTREMES = [WIRES[0], WIRES[-1]]


@pytest.mark.parametrize(("encoding", "compression"), EXTREMES)
def test_a_real_collector_takes_the_records_and_the_chain_holds_behind_it(
    encoding: str, compression: str, rotel: Rotel, start_guard: StartGuard, idp: Idp
) -> None:
    audit = {"cluster": "rotel", "encoding": encoding, "compression": compression}
    guard = start_guard(sets.chat(idp.issuer, audit=audit), clusters={"rotel": rotel.address})
    guard.upstream.answer = json_answer(completion(EMAIL.text))
    token = guard.token()
    ids = [names(guard.chat(token)) for _ in range(5)]
    for exchange in ids:
        assert end_of(rotel.sink, exchange)["portcullis.response.entities"] == {"EMAIL_ADDRESS": 1}
    assert_whole(rotel.sink)


@pytest.mark.parametrize(("encoding", "compression"), EXTREMES)
def test_our_collector_takes_them_in_either_encoding_before_the_call_goes_on(
    encoding: str, compression: str, folder: Path, start_guard: StartGuard, idp: Idp
) -> None:
    store = Store(folder, idp.issuer).start()
    try:
        audit = {
            "cluster": "store",
            "delivery": "before_forward",
            "encoding": encoding,
            "compression": compression,
            "headers": {"authorization": "Bearer ${env:STORE_TOKEN}"},
        }
        clusters = {"store": store.address}
        guard = start_guard(sets.chat(idp.issuer, audit=audit), clusters=clusters, env={"STORE_TOKEN": WRITER})
        guard.upstream.answer = json_answer(completion(EMAIL.text))
        token, auditor = guard.token(), idp.token(claims={"sub": "ada", "groups": ["auditors"]})
        exchange = names(guard.chat(token))

        def ended() -> bool:
            found = store.ask(auditor, "GET", f"/api/exchanges/{exchange}")
            return found.status_code == 200 and "portcullis.exchange.end" in found.text

        process.wait_until("the end of the exchange in the store", ended)
        # Attributes agree with bodies in it, and chains hold.
        verified = cli("audit", "verify", f"http://{store.address}", check=False, env={"PORTCULLIS_TOKEN": auditor})
        assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
        assert cli("audit", "verify", f"http://{store.address}", check=False).returncode == 1
        kept = store.ask(auditor, "GET", "/api/records").text
        assert "portcullis.collector.alert" not in kept
        assert '"portcullis.response.entities":{"EMAIL_ADDRESS":1}' in kept.replace("\\", "")
    finally:
        store.stop()


@pytest.mark.parametrize(("encoding", "compression"), WIRES)
def test_batches_go_out_as_the_set_says_and_are_not_lost_to_a_failure(
    encoding: str, compression: str, start_guard: StartGuard, idp: Idp
) -> None:
    audit = {"cluster": "audit", "encoding": encoding, "compression": compression}
    guard = start_guard(sets.chat(idp.issuer, audit=audit))
    guard.upstream.answer = json_answer(completion(CARD.text))
    token = guard.token()
    guard.sink.fail = 503
    exchange = names(guard.chat(token))
    process.wait_until("a batch that fails", lambda: bool(guard.sink.exports))
    guard.sink.fail = None
    assert end_of(guard.sink, exchange)["portcullis.response.entities"] == {"CREDIT_CARD": 1}
    assert_whole(guard.sink)
    headers = guard.sink.exports[-1].headers
    kind = {"json": "application/json", "protobuf": "application/x-protobuf"}[encoding]
    coding = {"none": None, "gzip": "gzip"}[compression]
    assert (headers["content-type"], headers.get("content-encoding")) == (kind, coding)


def test_what_a_collector_takes_in_part_is_not_sent_twice_and_the_loss_is_told(
    start_guard: StartGuard, idp: Idp
) -> None:
    collector = Upstream().start()
    collector.answer = json_answer('{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}')
    try:
        guard = start_guard(sets.chat(idp.issuer), clusters={"audit": collector.address})
        token = guard.token()
        guard.chat(token)
        collector.wait_for(1)
        time.sleep(1)
        collector.answer = json_answer("{}")
        last = names(guard.chat(token))

        def records() -> list[Record]:
            return [record for request in collector.requests for record in records_of(json.loads(request.body))]

        def told() -> list[dict[str, Any]]:
            return [r.json() for r in records() if r.attributes.get("portcullis.exchange") == last]

        process.wait_until("both records of the last exchange", lambda: len(told()) == 2, 15)
        assert any(r.json().get("portcullis.dropped.count", 0) > 0 for r in records())
        sent = [record.attributes["portcullis.record"] for record in records()]
        assert len(set(sent)) == len(sent)
    finally:
        collector.stop()


# What an auditor does with them.

SEED = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def audited(records: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = cli("audit", "verify", records, "--format", "json", *arguments, check=False)
    return done.returncode, json.loads(done.stdout)


def test_an_auditor_proves_the_records_and_finds_every_damage(start_guard: StartGuard, idp: Idp, folder: Path) -> None:
    policies = sets.chat(idp.issuer)
    policies["audit"] |= {"signing_key": "${env:AUDIT_SIGNING_KEY}"}
    guard = start_guard(policies, concurrency=2, env={"AUDIT_SIGNING_KEY": SEED})
    for _ in range(12):
        assert guard.chat(guard.token()).status_code == 200
    # Workers that leave anchor their chains: those whose set is replaced do, once their last record is on its way.
    assert guard.update(policies | {"expose": "none"})

    def ended() -> int:
        return sum(record.event.endswith("exchange.end") for record in list(guard.sink.records))

    def anchored() -> set[str]:
        anchors = [record for record in list(guard.sink.records) if record.event.endswith("anchor")]
        return {record.json()["portcullis.chain.id"] for record in anchors}

    process.wait_until("all records", lambda: ended() == 12)
    chains = {record.json()["portcullis.chain.id"] for record in list(guard.sink.records)}
    process.wait_until("an anchor of each chain", lambda: anchored() >= chains)
    guard.stop()
    file = guard.sink.file
    lines = file.read_text().splitlines()
    assert SEED not in file.read_text() + guard.log()

    code, found = audited(file, "--key", PUBLIC)
    assert code == 0, found
    assert sum(chain["records"] for chain in found["chains"]) == len(lines)
    assert all(chain["open"] == [] and chain["anchored"] == chain["last"] - 1 for chain in found["chains"])

    def damaged(lines: list[str], *what: str) -> None:
        copy = folder / "copy.jsonl"
        copy.write_text("\n".join(lines))
        code, found = audited(copy, "--key", PUBLIC)
        assert code == 3
        assert [finding["what"] for finding in found["findings"] if finding["damage"]] == list(what), found

    damaged(lines[:5] + lines[6:], "missing")
    # Whoever changes what was decided, hash and all, has to change every record behind it.
    record = json.loads(lines[5])
    record["body"]["stringValue"] = record["body"]["stringValue"].replace('"allow"', '"deny"')
    assert record["body"]["stringValue"] not in lines[5]
    for attribute in record["attributes"]:
        if attribute["key"] == "portcullis.chain.hash":
            attribute["value"]["stringValue"] = hashlib.sha256(record["body"]["stringValue"].encode()).hexdigest()
    damaged([*lines[:5], json.dumps(record), *lines[6:]], "disagreeing", "changed")
    # Whoever changes an attribute alone hides a record from searches.
    record = json.loads(lines[5])
    for attribute in record["attributes"]:
        if attribute["key"] == "user.id":
            attribute["value"]["stringValue"] = "nobody"
    damaged([*lines[:5], json.dumps(record), *lines[6:]], "disagreeing")


def test_a_signing_key_that_is_none_keeps_the_set_from_loading(start_guard: StartGuard, idp: Idp) -> None:
    policies = sets.chat(idp.issuer)
    policies["audit"] |= {"signing_key": "${env:AUDIT_SIGNING_KEY}"}
    guard = start_guard(policies, env={"AUDIT_SIGNING_KEY": "c2hvcnQ="}, wait=False, listeners_by_file=False)
    assert guard.envoy and guard.envoy.process
    assert guard.envoy.process.wait_exit(30) != 0
    assert "audit.signing_key: the key that anchors are signed under does not hold 32 bytes but 5" in guard.log()
    guard.envoy.running = False
