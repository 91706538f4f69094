"""Whole answers on a real Envoy: bodies, headers, errors, the credential, and what cannot be read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, delta, finish, question
from known import ALL, AWS, CARD, EMAIL, JWT, PEM, Known, content, leaks, name_of
from parts.idp import Idp
from parts.upstream import Answer, Delay, Raw, cut, json_answer, stream

PATH = "/v1/chat/completions"
KEY = sets.CREDENTIAL
JSON = ("content-type", "application/json")
TEXT = ("content-type", "text/plain")
SSE = ("content-type", "text/event-stream")

# One guard, a policy for each authority.
MASKED, MONITOR, MONITOR_PLAIN, PLAIN, OPEN = "masked", "monitor", "monitor-plain", "plain", "open"
MODES = [MASKED, MONITOR, MONITOR_PLAIN, PLAIN, OPEN]


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    chat, usual = sets.connection(made), sets.policy(made)
    changes: dict[str, dict[str, Any]] = {
        MONITOR: {"mode": "monitor"},
        MONITOR_PLAIN: {"mode": "monitor", "mask": None},
        PLAIN: {"mask": None},
        OPEN: {"uninspected": {"default": "allow"}},
    }
    connections = []
    for name, change in changes.items():
        policy = {key: value for key, value in (deepcopy(usual) | change | {"name": name}).items() if value is not None}
        made["policies"].append(policy)
        match = {"authority": name, "path_prefix": "/v1"}
        connections.append(deepcopy(chat) | {"name": name, "match": match, "policy": name})
    made["connections"] = connections + made["connections"]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


@pytest.fixture
def client(guard: Guard, token: str) -> Iterator[httpx.Client]:
    with guard.client(token) as client:
        yield client


def ask(client: httpx.Client, guard: Guard, answer: Answer, mode: str = MASKED, **body: Any) -> httpx.Response:
    guard.upstream.answer = answer
    return client.post(PATH, json=question(**body), headers={"host": mode})


# Bodies.


@pytest.mark.parametrize("known", ALL, ids=name_of)
def test_a_whole_answer_is_masked_at_every_cut(known: Known, client: httpx.Client, guard: Guard) -> None:
    body = completion(known.text).encode()
    for at in range(100, len(body) - 80):
        first, second = cut(body, at)
        reply = ask(client, guard, Answer(headers=[JSON], pieces=[first, Delay(0.0005), second]))
        assert reply.json()["choices"][0]["message"]["content"] == known.masked, at


def test_every_text_of_a_whole_answer_is_masked(client: httpx.Client, guard: Guard) -> None:
    arguments = json.dumps({"to": EMAIL.value, "deep": [{"key": AWS.value}]})
    message = {
        "refusal": CARD.text,
        "reasoning_content": JWT.text,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": EMAIL.value, "arguments": arguments}}],
        "annotations": [{"url_citation": {"title": EMAIL.text, "url": "https://x/" + AWS.value}}],
        EMAIL.value: "as a key",
    }
    body = json.loads(completion(EMAIL.text, **message))
    body["choices"][0]["logprobs"] = {"content": [{"token": "jane", "bytes": [106], "logprob": -1}]}
    reply = ask(client, guard, json_answer(json.dumps(body)))
    assert not leaks(reply.content, EMAIL.value, CARD.value, JWT.value, AWS.value)
    choice = reply.json()["choices"][0]
    assert choice["logprobs"] is None
    function = choice["message"]["tool_calls"][0]["function"]
    assert json.loads(function["arguments"]) == {"to": "<EMAIL_ADDRESS>", "deep": [{"key": "<AWS_ACCESS_KEY>"}]}
    assert choice["message"]["refusal"] == CARD.masked
    assert reply.json()["usage"]["total_tokens"] == 12


def test_the_official_client_reads_a_masked_answer(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion(EMAIL.text))
    answer = guard.openai(token).chat.completions.create(**question())
    assert answer.choices[0].message.content == EMAIL.masked
    assert answer.usage and answer.usage.total_tokens == 12


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_an_error_of_the_upstream_keeps_its_status_and_is_masked(
    status: int, client: httpx.Client, guard: Guard
) -> None:
    text = " ".join(known.text for known in ALL)
    masked = " ".join(known.masked for known in ALL)
    shaped = json.dumps({"error": {"message": text, "code": EMAIL.value, "param": [CARD.value]}})
    reply = ask(client, guard, json_answer(shaped, status))
    assert reply.status_code == status
    assert reply.json() == {"error": {"message": masked, "code": "<EMAIL_ADDRESS>", "param": ["<CREDIT_CARD>"]}}
    for content_type in ("text/plain", "text/html; charset=UTF-8"):
        reply = ask(client, guard, Answer(status, [("content-type", content_type)], [text.encode()]))
        assert (reply.status_code, reply.text) == (status, masked)


def test_a_number_that_is_a_value_is_masked_and_the_document_stays_valid(client: httpx.Client, guard: Guard) -> None:
    reply = ask(client, guard, json_answer('{"a": 4111111111111111, "b": [5555555555554444.0], "c": 12}'))
    assert not leaks(reply.content, "4111111111111111", "5555555555554444")
    assert reply.json()["c"] == 12


LARGE = 5 * 1024 * 1024


def test_a_large_json_answer_streams_through(client: httpx.Client, guard: Guard) -> None:
    text = (EMAIL.text + " word" * 200) * (LARGE // 1040)
    reply = ask(client, guard, json_answer(completion(text)))
    assert reply.json()["choices"][0]["message"]["content"] == text.replace(EMAIL.value, "<EMAIL_ADDRESS>")


@pytest.mark.parametrize("length", [True, False], ids=["with length", "chunked"])
def test_a_large_text_answer_streams_through(length: bool, client: httpx.Client, guard: Guard) -> None:
    text = (EMAIL.text + " word" * 200) * (LARGE // 1040)
    headers = [TEXT, *([("content-length", str(len(text)))] if length else [])]
    reply = ask(client, guard, Answer(500, headers, [text.encode()]))
    assert reply.text == text.replace(EMAIL.value, "<EMAIL_ADDRESS>")


@pytest.mark.parametrize("length", [True, False], ids=["with length", "chunked"])
def test_a_large_text_answer_that_begins_slowly_streams_through(
    length: bool, client: httpx.Client, guard: Guard
) -> None:
    text = ((EMAIL.text + " word" * 200) * (LARGE // 1040)).encode()
    headers = [TEXT, *([("content-length", str(len(text)))] if length else [])]
    for first in (1, 10_000, 65_536):
        start, rest = cut(text, first)
        reply = ask(client, guard, Answer(500, headers, [start, Delay(0.05), rest]))
        assert reply.content == text.replace(EMAIL.value.encode(), b"<EMAIL_ADDRESS>"), first


def test_a_text_of_every_size_around_the_bounds_is_masked_to_its_end(client: httpx.Client, guard: Guard) -> None:
    for size in (0, 1, 65_535, 65_536, 65_537, 131_072, 1 << 20, (1 << 20) + 1):
        text = "x " * (size // 2) + EMAIL.value
        reply = ask(client, guard, Answer(500, [TEXT], [text.encode()]))
        assert reply.text == text.replace(EMAIL.value, "<EMAIL_ADDRESS>"), size


@pytest.mark.parametrize("bad", [b'{"a":', b'{"a":"jane.doe@example.com', b"{} {}", b'{"a":"\xff"}', b"[1,]", b""])
def test_half_a_document_does_not_look_whole(bad: bytes, client: httpx.Client, guard: Guard) -> None:
    guard.upstream.answer = Answer(headers=[JSON], pieces=[bad])
    if not bad:
        assert ask(client, guard, guard.upstream.answer).content == b""
        return
    seen = b""
    with pytest.raises(httpx.RemoteProtocolError), client.stream("POST", PATH, json=question()) as reply:
        for piece in reply.iter_raw():
            seen += piece
    assert b"example" not in seen


# Labels that lie.

LIES = {
    "JSON without a type": ([], json.dumps({"to": "a " + EMAIL.value}).replace("@", r"\u0040")),
    "JSON as text": ([TEXT], json.dumps({"to": "a " + EMAIL.value}).replace("@", r"\u0040")),
    "JSON as text, behind a line end": ([TEXT], json.dumps({"to": "\n" + CARD.value})),
    "a list as text": ([TEXT], json.dumps([EMAIL.value]).replace("@", r"\u0040")),
    "UTF-16 as text": ([TEXT], EMAIL.text.encode("utf-16")),
    "UTF-16 without a mark": ([TEXT], EMAIL.text.encode("utf-16-le")),
    "UTF-32 as text": ([TEXT], EMAIL.text.encode("utf-32")),
    "UTF-16 as JSON": ([JSON], json.dumps({"a": EMAIL.text}).encode("utf-16")),
    "JSON as a stream": ([SSE], json.dumps({"a": EMAIL.text})),
}


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("headers, body", LIES.values(), ids=LIES.keys())
def test_a_wrong_label_hides_nothing(
    status: int, headers: list[tuple[str, str]], body: str | bytes, client: httpx.Client, guard: Guard
) -> None:
    raw = body if isinstance(body, bytes) else body.encode()
    guard.upstream.answer = Answer(status, headers, [raw])
    seen = b""
    try:
        with client.stream("POST", PATH, json=question()) as reply:
            for piece in reply.iter_raw():
                seen += piece
    except httpx.RemoteProtocolError:
        pass
    for readable in (seen, seen.replace(b"\0", b""), seen.replace(rb"\u0040", b"@")):
        assert not leaks(readable, EMAIL.value, CARD.value)


@pytest.mark.parametrize("headers", [[], [TEXT], [("content-type", "text/html")]], ids=["none", "plain", "html"])
def test_a_stream_under_a_wrong_label_is_masked_across_events(
    headers: list[tuple[str, str]], client: httpx.Client, guard: Guard
) -> None:
    whole = stream(*(delta(letter) for letter in EMAIL.text), finish())
    reply = ask(client, guard, Answer(headers=headers, pieces=whole.pieces), stream=True)
    assert reply.status_code in (200, 502)
    if reply.status_code == 200:
        assert content(reply.content) == EMAIL.masked


# Headers.


def test_headers_are_masked_and_others_stay(client: httpx.Client, guard: Guard) -> None:
    headers = [
        ("x-who", f"by {EMAIL.value}; {CARD.value}"),
        ("x-request-id", "req-1"),
        ("set-cookie", "a=1"),
        ("set-cookie", f"user={EMAIL.value}"),
        ("set-cookie", "b=2"),
        ("location", f"https://x/?token={JWT.value}"),
        ("server", EMAIL.value),
        ("date", EMAIL.value),
        ("cache-control", f'private="{EMAIL.value}"'),
        ("x-envoy-upstream-service-time", EMAIL.value),
        ("link", f"<mailto:{EMAIL.value}>"),
        ("warning", "é".encode().decode("latin-1") + EMAIL.value),
    ]
    for answer in (json_answer("{}", 200, *headers), json_answer("{}", 404, *headers), Answer(204, headers)):
        reply = ask(client, guard, answer)
        raw = b"\n".join(name + b": " + value for name, value in reply.headers.raw)
        assert not leaks(raw, EMAIL.value, CARD.value, JWT.value), answer.status
        assert reply.headers["x-who"] == "by <EMAIL_ADDRESS>; <CREDIT_CARD>"
        assert reply.headers["x-request-id"] == "req-1"
        assert sorted(reply.headers.get_list("set-cookie")) == ["a=1", "b=2", "user=<EMAIL_ADDRESS>"]


@pytest.mark.parametrize("value", [EMAIL.value, KEY], ids=["e-mail", "credential"])
def test_the_content_type_hides_nothing(value: str, client: httpx.Client, guard: Guard) -> None:
    reply = ask(client, guard, Answer(headers=[("content-type", f'application/json; x="{value}"')], pieces=[b"{}"]))
    assert not leaks(b"\n".join(value for _, value in reply.headers.raw), value)


def test_headers_that_speak_of_other_bytes_are_gone_and_nothing_is_stored(client: httpx.Client, guard: Guard) -> None:
    stale = {
        "etag": '"1"',
        "content-md5": "x",
        "digest": "x",
        "repr-digest": "x",
        "content-digest": "x",
        "accept-ranges": "bytes",
    }
    answer = json_answer(completion("hi"), 200, *stale.items(), ("cache-control", "public, max-age=60"))
    reply = ask(client, guard, answer)
    assert not set(stale) & set(reply.headers) and "content-length" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-portcullis-exchange"]
    assert reply.headers["x-portcullis-policy"].startswith("rag-chat@")


def test_nothing_is_asked_of_the_upstream_that_could_not_be_read(guard: Guard, token: str) -> None:
    asks = {
        "accept-encoding": "gzip, br",
        "range": "bytes=0-9",
        "if-range": '"x"',
        "if-none-match": '"x"',
        "te": "trailers",
    }
    for http2 in (False, True):
        guard.chat(token, headers=asks, http2=http2)
    for request in guard.upstream.requests:
        assert [name for name in asks if request.header(name) not in (None, "identity")] == []
    assert len(guard.upstream.requests) == 2


# The credential.

ECHOES = {
    "JSON": json_answer(completion(f"key {KEY}.")),
    "error": json_answer(json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}), 400),
    "twice": json_answer(completion(f"Bearer {KEY} and {KEY}{KEY}")),
    "text": Answer(500, [TEXT], [f"no such key: {KEY}".encode()]),
    "cut text": Answer(500, [TEXT], [f"no such key: {KEY[:9]}".encode(), Delay(0.01), KEY[9:].encode()]),
    "cut JSON": Answer(200, [JSON], [b'{"a":"' + KEY[:5].encode(), Delay(0.01), KEY[5:].encode() + b'"}']),
    "header": json_answer("{}", 200, ("x-echo", f"Bearer {KEY}")),
    "headers": json_answer("{}", 200, ("x-echo", "first"), ("x-echo", KEY), ("x-echo", f"{KEY}{KEY}")),
    "key of JSON": json_answer(json.dumps({KEY: {KEY: 1}})),
    "arguments": json_answer(completion(None, tool_calls=[{"function": {"arguments": json.dumps({"k": KEY})}}])),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES.keys())
def test_an_echoed_credential_is_never_seen(answer: Answer, mode: str, client: httpx.Client, guard: Guard) -> None:
    reply = ask(client, guard, answer, mode)
    assert guard.upstream.requests[-1].header("authorization") == f"Bearer {KEY}", "it was injected"
    assert reply.status_code == answer.status
    everything = reply.content + repr(reply.headers.raw).encode()
    assert not leaks(everything, KEY)
    if mode in (MONITOR, MONITOR_PLAIN):
        length = sum(len(piece) for piece in answer.pieces if isinstance(piece, bytes))
        assert len(reply.content) == length


@pytest.mark.parametrize("mode", MODES)
def test_an_echoed_credential_is_never_seen_in_a_stream(mode: str, client: httpx.Client, guard: Guard) -> None:
    for at in range(len(KEY) + 1):
        whole = b"".join(p for p in stream(delta(f"a {KEY} b"), finish()).pieces if isinstance(p, bytes))
        begin = whole.index(KEY.encode()) + at
        reply = ask(client, guard, Answer(pieces=[whole[:begin], Delay(0.001), whole[begin:]]), mode, stream=True)
        assert not leaks(reply.content, KEY), at
        stars = "*" * len(KEY) if mode.startswith("monitor") else "<UPSTREAM_CREDENTIAL>"
        assert content(reply.content) == f"a {stars} b"


@pytest.mark.parametrize("mode", [MASKED, PLAIN, OPEN])
def test_an_echoed_credential_cut_across_events_is_never_seen(mode: str, client: httpx.Client, guard: Guard) -> None:
    for at in range(len(KEY) + 1):
        reply = ask(client, guard, stream(delta(KEY[:at]), delta(KEY[at:] + " b"), finish()), mode, stream=True)
        assert content(reply.content) == "<UPSTREAM_CREDENTIAL> b", at


DISGUISED = {
    "percent-encoded": "".join(f"%{ord(letter):02X}" for letter in KEY),
    "one of them percent-encoded": KEY[:4] + f"%{ord(KEY[4]):02x}" + KEY[5:],
    "full-width": "".join(chr(ord(letter) + 0xFEE0) for letter in KEY),
    "a character without room in it": f"{KEY[:7]}\u200b{KEY[7:]}",
}


@pytest.mark.parametrize("mode", [MASKED, PLAIN, OPEN])
@pytest.mark.parametrize("written", DISGUISED.values(), ids=DISGUISED.keys())
def test_a_disguised_credential_is_never_seen(written: str, mode: str, client: httpx.Client, guard: Guard) -> None:
    for escaped in (False, True):
        body = json.dumps({"choices": [{"message": {"content": written}}]}, ensure_ascii=escaped).encode()
        for at in (0, body.index(b"content") + 15, len(body)):
            pieces = [piece for piece in (body[:at], body[at:]) if piece]
            reply = ask(client, guard, Answer(200, [JSON], [pieces[0], Delay(0.001), *pieces[1:]]), mode)
            seen = reply.json()["choices"][0]["message"]["content"]
            assert seen == "<UPSTREAM_CREDENTIAL>", (escaped, at)


ESCAPED = {
    "all": "".join(f"\\u{ord(letter):04x}" for letter in KEY),
    "one": f"\\u{ord(KEY[0]):04X}" + KEY[1:],
    "last": KEY[:-1] + f"\\u{ord(KEY[-1]):04x}",
}


@pytest.mark.parametrize("mode", [MASKED, PLAIN, OPEN])
@pytest.mark.parametrize("escaped", ESCAPED.values(), ids=ESCAPED.keys())
def test_an_echoed_credential_written_with_escapes_is_never_seen(
    escaped: str, mode: str, client: httpx.Client, guard: Guard
) -> None:
    bodies = [f'{{"a":"{escaped}"}}', f'{{"{escaped}":1}}', f'{{"error":{{"message":"x {escaped}y"}}}}']
    for body in bodies:
        reply = ask(client, guard, json_answer(body, 400), mode)
        assert not leaks(json.dumps(reply.json()).encode(), KEY), body


LABELS = {
    "id": {"id": KEY},
    "model": {"model": KEY},
    "object": {"object": KEY},
    "fingerprint": {"system_fingerprint": KEY},
    "tier": {"service_tier": KEY},
    "finish reason": {"choices": [{"index": 0, "delta": {}, "finish_reason": KEY}]},
    "role": {"choices": [{"index": 0, "delta": {"role": KEY}}]},
    "call id": {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": KEY, "type": KEY}]}}]},
    "audio": {"choices": [{"index": 0, "delta": {"audio": {"id": KEY, "data": KEY}}}]},
    "embedding": {"data": [{"embedding": {KEY: [1, {KEY: KEY}]}}]},
    "datum": {"data": [{"id": KEY, "owned_by": KEY, "embedding": KEY}]},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS.keys())
def test_an_echoed_credential_is_never_seen_in_a_label(
    label: dict[str, Any], mode: str, client: httpx.Client, guard: Guard
) -> None:
    document = json.dumps({"id": "c", "choices": []} | label)
    # The text that is held makes an event of the filter's own, with the stream's labels.
    pieces = [delta("jane.d"), document, delta("jane.d"), document]
    for answer in (json_answer(document), stream(*pieces), stream(document, delta("jane.doe@exam"))):
        reply = ask(client, guard, answer, mode, stream=True)
        assert not leaks(reply.content, KEY)


def test_an_upstream_that_refuses_the_credential_is_not_the_callers_fault(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(
        json.dumps({"error": f"bad {KEY}"}), 401, ("www-authenticate", f'Bearer x="{KEY}"')
    )
    reply = guard.chat(token)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_credential")
    assert reply.headers["x-should-retry"] == "false"
    assert not leaks(reply.content + repr(reply.headers.raw).encode(), KEY)
    assert "www-authenticate" not in reply.headers


# What cannot be read.

UNREADABLE = {
    "brotli": (200, [JSON, ("content-encoding", "br")], "encoding"),
    "zstd of an error": (500, [JSON, ("content-encoding", "zstd")], "encoding"),
    "two codings": (200, [JSON, ("content-encoding", "gzip"), ("content-encoding", "gzip")], "encoding"),
    "a list of codings": (200, [JSON, ("content-encoding", "gzip, br")], "encoding"),
    "octet-stream": (200, [("content-type", "application/octet-stream")], "content_type"),
    "a part": (206, [JSON, ("content-range", "bytes 0-9/100")], "partial"),
    "multipart": (200, [("content-type", "multipart/mixed; boundary=x")], "multipart"),
    "UTF-16": (200, [("content-type", "application/json; charset=utf-16")], "content_type"),
    "UTF-16 text": (200, [("content-type", "text/plain; charset=utf-16")], "content_type"),
    "quoted charset": (200, [("content-type", 'text/plain; CHARSET="UTF-16"')], "content_type"),
    "two types": (200, [JSON, ("content-type", "application/octet-stream")], "content_type"),
    "audio": (200, [("content-type", "audio/mpeg")], "audio"),
    "image": (200, [("content-type", "image/png")], "image"),
}


@pytest.mark.parametrize("status, headers, kind", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_answer_that_cannot_be_read_is_refused_unless_the_policy_lets_it_pass(
    status: int, headers: list[tuple[str, str]], kind: str, client: httpx.Client, guard: Guard
) -> None:
    body = gzip.compress(completion(EMAIL.text).encode(), mtime=0)
    reply = ask(client, guard, Answer(status, headers, [body]))
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_unreadable")
    assert reply.headers["x-should-retry"] == "false" and body not in reply.content
    for mode in (OPEN, MONITOR):
        guard.upstream.answer = Answer(status, headers, [body])
        with client.stream("POST", PATH, json=question(), headers={"host": mode}) as passed:
            assert passed.status_code == status
            assert b"".join(passed.iter_raw()) == body


# Bodies that are not there.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_passes(status: int, mode: str, client: httpx.Client, guard: Guard) -> None:
    guard.upstream.answer = Answer(status, [("x-who", KEY)])
    reply = client.get("/v1/models", headers={"host": mode})
    assert (reply.status_code, reply.content) == (status, b"")
    assert KEY not in repr(reply.headers.raw)


def test_informational_answers_do_no_harm(guard: Guard, token: str) -> None:
    hints = Raw(f"HTTP/1.1 103 Early Hints\r\nlink: <{EMAIL.value}>\r\nx-key: {KEY}\r\n\r\n".encode())
    body = completion(EMAIL.text).encode()
    guard.upstream.answer = Answer(200, [JSON, ("content-length", str(len(body)))], [body], before_head=[hints])
    reply = guard.chat(token)
    assert reply.json()["choices"][0]["message"]["content"] == EMAIL.masked

    ask_body = json.dumps(question()).encode()
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
    head += f"expect: 100-continue\r\nconnection: close\r\ncontent-length: {len(ask_body)}\r\n\r\n"
    wire = guard.raw(head.encode(), pieces=[ask_body])
    assert wire.startswith(b"HTTP/1.1 100") and b"\r\n\r\nHTTP/1.1 200" in wire
    assert EMAIL.masked.encode() in wire and not leaks(wire, EMAIL.value, KEY)


# Bytes that stay.

ODD = [
    json_answer('{ "a" : "\\u00e9\\/ x", "logprobs":{"content":[1]},\n"b":[ 1.0e5,-0 ] }\n'),
    json_answer(json.dumps(json.loads(completion("hi")) | {"choices": [{"logprobs": {"content": [{"token": "x"}]}}]})),
    Answer(pieces=[b': ping\r\n\r\ndata:  {"choices" : []}\r\rid: 1\ndata: {}\n\n', b"data: [DONE]\n\n"]),
    Answer(headers=[TEXT], pieces=[b"plain \\u0040 text\r\n", b"more"]),
    Answer(500, [TEXT], [b"\x00\x01 caf\xe9"]),
]


@pytest.mark.parametrize("mode", [PLAIN, MONITOR, MONITOR_PLAIN])
@pytest.mark.parametrize("answer", ODD, ids=["json", "logprobs", "stream", "text", "bytes"])
def test_a_policy_that_masks_nothing_changes_no_byte(
    answer: Answer, mode: str, client: httpx.Client, guard: Guard
) -> None:
    reply = ask(client, guard, answer, mode)
    assert reply.content == b"".join(piece for piece in answer.pieces if isinstance(piece, bytes))


@pytest.mark.parametrize("mode", [MONITOR, MONITOR_PLAIN])
def test_monitor_changes_no_byte_and_no_header(mode: str, client: httpx.Client, guard: Guard) -> None:
    text = " ".join(known.text for known in [*ALL, PEM])
    headers = [("etag", '"1"'), ("cache-control", "public"), ("x-who", EMAIL.value), ("digest", "x")]
    body = completion(text)
    reply = ask(client, guard, json_answer(body, 200, *headers), mode)
    assert reply.content == body.encode()
    assert {name: reply.headers[name] for name, _ in headers} == dict(headers)
    assert reply.headers["content-length"] == str(len(body))

    events = stream(*(delta(letter) for letter in text), "not JSON", delta(text), finish())
    reply = ask(client, guard, events, mode, stream=True)
    assert reply.content == b"".join(piece for piece in events.pieces if isinstance(piece, bytes))
