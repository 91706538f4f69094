"""Framings beside server-sent events, and content codings, on a real Envoy."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from test_answers import JSON, MASKED, OPEN, SSE, TEXT, policy_set
from test_streams import DONE, PATH, data

from conftest import StartGuard
from guard import Guard, completion, delta, finish, question
from known import ALL, CARD, EMAIL, JWT, content, leaks
from parts.idp import Idp
from parts.upstream import Answer, Delay, Piece, Wait, cut, json_answer, stream

NDJSON = ("content-type", "application/x-ndjson")
FRAMES = ("content-type", "application/vnd.amazon.eventstream")


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


@pytest.fixture
def client(guard: Guard, token: str) -> Iterator[httpx.Client]:
    with guard.client(token) as client:
        yield client


def ask(client: httpx.Client, guard: Guard, answer: Answer, mode: str = MASKED) -> httpx.Response:
    guard.upstream.answer = answer
    return client.post(PATH, json=question(stream=True), headers={"host": mode})


def broken_off(client: httpx.Client, guard: Guard, answer: Answer) -> bytes:
    """What came of an answer that must not look whole."""
    guard.upstream.answer = answer
    seen = b""
    with pytest.raises(httpx.RemoteProtocolError), client.stream("POST", PATH, json=question()) as reply:
        for piece in reply.iter_raw():
            seen += piece
    return seen


# Frames of AWS, by a writer and a reader of the tests' own.


def frame(payload: bytes, **headers: str) -> bytes:
    packed = b""
    for word, value in headers.items():
        name = ":" + word.replace("_", "-")
        packed += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def frames(wire: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Headers and payload of each frame; its sums are checked."""
    found = []
    while wire:
        total, length, prelude_sum = struct.unpack(">III", wire[:12])
        assert zlib.crc32(wire[:8]) == prelude_sum
        assert zlib.crc32(wire[: total - 4]) == struct.unpack(">I", wire[total - 4 : total])[0]
        packed, headers = wire[12 : 12 + length], {}
        while packed:
            name, rest = packed[1 : 1 + packed[0]].decode(), packed[1 + packed[0] :]
            assert rest[0] == 7
            (size,) = struct.unpack(">H", rest[1:3])
            headers[name], packed = rest[3 : 3 + size].decode(), rest[3 + size :]
        found.append((headers, wire[12 + length : total - 4]))
        wire = wire[total:]
    return found


def chunk(document: str) -> bytes:
    payload = json.dumps({"bytes": base64.b64encode(document.encode()).decode(), "p": "abcd"})
    return frame(payload.encode(), event_type="chunk", content_type="application/json", message_type="event")


def chunked_text(wire: bytes) -> str:
    """The text of all deltas in frames that carry base64."""
    text = ""
    for headers, payload in frames(wire):
        if headers[":message-type"] == "event":
            document = json.loads(base64.b64decode(json.loads(payload)["bytes"]))
            text += "".join(choice["delta"].get("content") or "" for choice in document["choices"])
    return text


def lines_text(wire: bytes) -> str:
    documents = [json.loads(line) for line in wire.decode().splitlines() if line.strip()]
    return "".join(c["delta"].get("content") or "" for document in documents for c in document["choices"])


Framed = tuple[tuple[str, str], Callable[[str], bytes], Callable[[bytes], str]]

FRAMINGS: dict[str, Framed] = {
    "NDJSON": (NDJSON, lambda document: document.encode() + b"\n", lines_text),
    "CRLF lines": (NDJSON, lambda document: document.encode() + b"\r\n\r\n", lines_text),
    "JSON sequence": (
        ("content-type", "application/json-seq"),
        lambda document: b"\x1e" + document.encode() + b"\n",
        lambda wire: lines_text(wire.replace(b"\x1e", b"")),
    ),
    "AWS frames": (FRAMES, chunk, chunked_text),
}


@pytest.mark.parametrize("framed", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_value_cut_over_documents_is_masked_in_every_framing_at_every_cut(
    framed: Framed, client: httpx.Client, guard: Guard
) -> None:
    header, write, read = framed
    text = " ".join(known.text for known in ALL)
    masked = " ".join(known.masked for known in ALL)
    for size in (1, 7, 30):
        pieces = [write(delta(text[at : at + size])) for at in range(0, len(text), size)]
        reply = ask(client, guard, Answer(headers=[header], pieces=[*pieces, write(finish())]))
        assert (reply.status_code, read(reply.content)) == (200, masked)
        assert reply.headers["content-type"] == header[1]
    whole = write(delta(EMAIL.text[:15])) + write(delta(EMAIL.text[15:])) + write(finish())
    for at in range(0, len(whole), 9):
        reply = ask(client, guard, Answer(headers=[header], pieces=cut(whole, at)))
        assert read(reply.content) == EMAIL.masked, at
    every = Answer(headers=[header], pieces=cut(whole, *range(1, len(whole))))
    assert read(ask(client, guard, every).content) == EMAIL.masked


@pytest.mark.parametrize("framed", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_text_held_comes_out_at_the_end_and_what_is_not_found_stays_to_the_byte(
    framed: Framed, client: httpx.Client, guard: Guard
) -> None:
    header, write, read = framed
    reply = ask(client, guard, Answer(headers=[header], pieces=[write(delta("so jane.d"))]))
    assert read(reply.content) == "so jane.d"
    same = b"".join(write(delta(word)) for word in ("Once ", "upon a time \\ é", "")) + write(finish())
    for mode in (MASKED, "plain", "monitor"):
        assert ask(client, guard, Answer(headers=[header], pieces=[same]), mode).content == same, mode


@pytest.mark.parametrize("framed", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_document_reaches_the_caller_before_the_upstream_sends_the_next(
    framed: Framed, guard: Guard, token: str
) -> None:
    header, write, read = framed
    go = threading.Event()
    first = write(delta("Once "))
    pieces: list[Piece] = [first, Wait(go), write(delta("more")), write(finish())]
    guard.upstream.answer = Answer(headers=[header], pieces=pieces)
    seen = b""
    with guard.client(token) as client, client.stream("POST", PATH, json=question(), headers={"host": MASKED}) as reply:
        for piece in reply.iter_raw():
            seen += piece
            if first in seen:
                go.set()
    assert read(seen) == "Once more"


def test_a_frame_that_is_damaged_breaks_the_answer_off(client: httpx.Client, guard: Guard) -> None:
    good, bad = chunk(delta("fine ")), bytearray(chunk(delta(CARD.text)))
    for at in (0, 9, 20, len(bad) - 8, len(bad) - 1):
        wrong = bytes(bad[:at]) + bytes([bad[at] ^ 1]) + bytes(bad[at + 1 :])
        seen = broken_off(client, guard, Answer(headers=[FRAMES], pieces=[good, Delay(0.005), wrong, good]))
        assert seen in (good, b""), at


def test_lines_that_cannot_be_read_break_the_answer_off(client: httpx.Client, guard: Guard) -> None:
    fine = delta("fine ").encode() + b"\n"
    for bad in (EMAIL.value.encode(), b'{"a":\n"' + EMAIL.value.encode() + b'"}\n', b"{} {}\n", b'{"a":"\xff"}\n'):
        seen = broken_off(client, guard, Answer(headers=[NDJSON], pieces=[fine, Delay(0.005), bad]))
        assert not leaks(seen, EMAIL.value)


# Content codings.


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def members(body: bytes) -> bytes:
    return gzipped(body[:20]) + gzipped(b"") + gzipped(body[20:])


def raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


CODINGS: dict[str, tuple[list[str], Callable[[bytes], bytes]]] = {
    "gzip": (["gzip"], gzipped),
    "gzip in capitals": (["GZIP"], gzipped),
    "x-gzip": (["x-gzip"], gzipped),
    "gzip of several members": (["gzip"], members),
    "deflate": (["deflate"], zlib.compress),
    "bare deflate": (["deflate"], raw),
    "identity": (["identity"], bytes),
    "identity and gzip": (["identity", "gzip"], gzipped),
    "a list": (["identity, gzip"], gzipped),
}


@pytest.mark.parametrize("names, pack", CODINGS.values(), ids=CODINGS.keys())
def test_a_compressed_answer_is_unpacked_and_masked_at_every_cut(
    names: list[str], pack: Callable[[bytes], bytes], client: httpx.Client, guard: Guard
) -> None:
    headers = [("content-encoding", name) for name in names]
    text = " ".join(known.text for known in ALL)
    masked = " ".join(known.masked for known in ALL)
    packed = pack(completion(text).encode())
    for at in range(1, len(packed), 11):
        reply = ask(client, guard, Answer(headers=[JSON, *headers], pieces=cut(packed, at)))
        assert reply.json()["choices"][0]["message"]["content"] == masked, at
        assert not {"content-encoding", "content-length"} & set(reply.headers)
    events = b"".join(data(delta(text[at : at + 5])) for at in range(0, len(text), 5)) + data(finish()) + data(DONE)
    packed = pack(events)
    for mode in (MASKED, OPEN):
        reply = ask(client, guard, Answer(headers=[SSE, *headers], pieces=cut(packed, *range(1, len(packed)))), mode)
        assert content(reply.content) == masked
    reply = ask(client, guard, Answer(500, [TEXT, *headers], [pack(text.encode())]))
    assert reply.text == masked


def test_a_compressed_event_goes_out_when_its_bytes_are_there(guard: Guard, token: str) -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(data(delta("Once "))) + packer.flush(zlib.Z_SYNC_FLUSH)
    rest = packer.compress(data(delta("more")) + data(finish())) + packer.flush()
    go = threading.Event()
    headers = [SSE, ("content-encoding", "gzip")]
    guard.upstream.answer = Answer(headers=headers, pieces=[first, Wait(go), rest])
    seen = b""
    with guard.client(token) as client, client.stream("POST", PATH, json=question(), headers={"host": MASKED}) as reply:
        for piece in reply.iter_raw():
            seen += piece
            if b"Once" in seen:
                go.set()
    assert content(seen) == "Once more"


def test_a_compressed_answer_that_is_damaged_or_cut_short_does_not_look_whole(
    client: httpx.Client, guard: Guard
) -> None:
    packed = gzipped(completion(EMAIL.text).encode())
    headers = [JSON, ("content-encoding", "gzip")]
    wrong = bytearray(packed)
    wrong[-5] ^= 1
    bomb = gzipped(b'{"a":"' + b"x" * (32 << 20) + b'"}')
    for bad in (packed[:-1], packed[:40], bytes(wrong), packed + b"\0", completion("hi").encode(), bomb):
        seen = broken_off(client, guard, Answer(headers=headers, pieces=[bad]))
        assert not leaks(seen, EMAIL.value) and len(seen) < 16 << 20


def test_monitor_changes_no_byte_of_a_compressed_answer_and_records_what_it_holds(
    client: httpx.Client, guard: Guard
) -> None:
    packed = gzipped(completion(f"{EMAIL.text} {JWT.text}").encode())
    headers = [JSON, ("content-encoding", "gzip")]
    guard.upstream.answer = Answer(headers=headers, pieces=[packed])
    with client.stream("POST", PATH, json=question(), headers={"host": "monitor"}) as reply:
        assert b"".join(reply.iter_raw()) == packed
        assert reply.headers["content-encoding"] == "gzip"
    record = guard.sink.wait_for(lambda record: record.event == "portcullis.exchange.end").json()
    found = record["portcullis.response.entities"]
    assert found["EMAIL_ADDRESS"] == 1 and found["JWT"] == 1


def test_a_stream_of_no_framing_at_all_is_not_taken_for_one(client: httpx.Client, guard: Guard) -> None:
    lines = delta(EMAIL.text[:14]) + "\n" + delta(EMAIL.text[14:]) + "\n"
    for headers in ([], [TEXT]):
        reply = ask(client, guard, Answer(headers=headers, pieces=[lines.encode()]))
        assert lines_text(reply.content) == EMAIL.masked
    assert not leaks(broken_off(client, guard, json_answer(lines)), EMAIL.value)


def test_streams_still_pass_with_a_coding_named_identity(client: httpx.Client, guard: Guard) -> None:
    made = stream(delta(EMAIL.text), finish())
    reply = ask(client, guard, Answer(headers=[SSE, ("content-encoding", "identity")], pieces=made.pieces))
    assert content(reply.content) == EMAIL.masked
