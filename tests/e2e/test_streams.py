"""Streamed answers on a real Envoy: whatever the cut, the caller's text is the masked whole."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, delta, finish, question
from known import ALL, AWS, CARD, EMAIL, JWT, Known, content, documents, end_of, events, joined, leaks, name_of
from parts import process
from parts.idp import Idp
from parts.upstream import Answer, Close, Delay, Piece, Reset, Trailers, Wait, cut, stream

PATH = "/v1/chat/completions"
DONE = "[DONE]"


def data(document: str) -> bytes:
    return f"data: {document}\n\n".encode()


def chunk(**choice: Any) -> str:
    """An event with one choice as given."""
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0} | choice]})


@pytest.fixture
def client(guard: Guard, token: str) -> Iterator[httpx.Client]:
    with guard.client(token) as client:
        yield client


def ask(client: httpx.Client, guard: Guard, answer: Answer) -> bytes:
    """The bytes of a streamed answer."""
    guard.upstream.answer = answer
    reply = client.post(PATH, json=question(stream=True))
    assert reply.status_code == 200, reply.text
    return reply.content


# Cuts.


@pytest.mark.parametrize("known", ALL, ids=name_of)
def test_a_value_cut_across_two_events_anywhere_is_masked(known: Known, client: httpx.Client, guard: Guard) -> None:
    for at in range(len(known.text) + 1):
        wire = ask(client, guard, stream(delta(known.text[:at]), delta(known.text[at:]), finish()))
        assert content(wire) == known.masked, f"cut at {at}"


@pytest.mark.parametrize("known", ALL, ids=name_of)
def test_a_value_cut_across_tcp_pieces_at_every_byte_is_masked(
    known: Known, client: httpx.Client, guard: Guard
) -> None:
    begin = data(delta("")) + data(delta(known.text[:9]))
    whole = begin + data(delta(known.text[9:])) + data(finish()) + data(DONE)
    for at in range(len(begin), len(whole) - len(data(finish()))):
        first, second = cut(whole, at)
        wire = ask(client, guard, Answer(pieces=[first, Delay(0.001), second]))
        assert content(wire) == known.masked, f"cut at byte {at}"


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_every_byte_in_a_piece_of_its_own_gives_the_masked_whole(http2: bool, guard: Guard, token: str) -> None:
    text = " ".join(known.text for known in ALL)
    letters = b"".join(data(delta(letter)) for letter in text) + data(finish()) + data(DONE)
    words = b"".join(data(delta(text[at : at + 7])) for at in range(0, len(text), 7)) + data(finish()) + data(DONE)
    with guard.client(token, http2=http2) as client:
        wire = ask(client, guard, Answer(pieces=[letters]))
        assert content(wire) == " ".join(known.masked for known in ALL)
        wire = ask(client, guard, Answer(pieces=cut(words, *range(1, len(words)))))
        assert content(wire) == " ".join(known.masked for known in ALL)
        assert events(wire)[-1] == DONE


# What is inside the strings.

ESCAPED = {
    "unicode escape": (r"jane.doe\u0040example.com", "<EMAIL_ADDRESS>"),
    "upper and lower case": (r"\u006A\u006ane.doe@example.com", "<EMAIL_ADDRESS>"),
    "all escaped": ("".join(f"\\u{ord(c):04x}" for c in EMAIL.value), "<EMAIL_ADDRESS>"),
    "surrogate pair before": (
        r"\ud83d\ude00 jane.doe@example.com \ud83d\ude00",
        "\U0001f600 <EMAIL_ADDRESS> \U0001f600",
    ),
    "escaped slash": (rf"https:\/\/hooks.slack.com\/services\/T{'0' * 8}\/B{'0' * 8}\/{'X' * 24}", "<SLACK_WEBHOOK>"),
    "escaped digits": (r"\u0034111 1111 1111 111\u0031", "<CREDIT_CARD>"),
    "escaped blank": (r"4111\u00201111\u00201111\u00201111", "<CREDIT_CARD>"),
    "escaped line end": (r"a\njane.doe@example.com\nb\t\"c\"", 'a\n<EMAIL_ADDRESS>\nb\t"c"'),
    "beside non-ASCII": ("é jane.doe@example.com … ü", "é <EMAIL_ADDRESS> … ü"),
}


@pytest.mark.parametrize("raw, masked", ESCAPED.values(), ids=ESCAPED.keys())
def test_json_escapes_hide_nothing_at_any_cut(raw: str, masked: str, client: httpx.Client, guard: Guard) -> None:
    document = '{"id":"c","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}'
    whole = data(document % raw) + data(finish()) + data(DONE)
    for at in range(40, 70 + len(raw.encode()), 3):
        wire = ask(client, guard, Answer(pieces=[*cut(whole, at)]))
        assert content(wire) == masked, at


def test_a_key_written_with_escapes_does_not_hide_its_value(client: httpx.Client, guard: Guard) -> None:
    document = r'{"id":"c","choices":[{"index":0,"d\u0065lta":{"c\u006fntent":"%s"}}]}'
    pieces = [document % EMAIL.text[:15], document % EMAIL.text[15:]]
    wire = ask(client, guard, stream(*pieces, finish()))
    assert content(wire) == EMAIL.masked


def test_choices_are_kept_apart_however_they_interleave(client: httpx.Client, guard: Guard) -> None:
    def one(index: int, text: str) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text}, "finish_reason": None}

    def event(*choices: dict[str, Any]) -> str:
        return json.dumps({"id": "c", "choices": choices})

    pairs = itertools.zip_longest(EMAIL.text, CARD.text, fillvalue="")
    apart = [event(one(at, letter)) for pair in pairs for at, letter in enumerate(pair)]
    pairs = itertools.zip_longest(EMAIL.text, CARD.text, fillvalue="")
    together = [event(one(1, b), one(0, a)) for a, b in pairs]
    ends = [event({"index": at, "delta": {}, "finish_reason": "stop"}) for at in (1, 0)]
    for made in (apart, together):
        wire = ask(client, guard, stream(*made, *ends))
        assert joined(wire) == {(0, "content"): EMAIL.masked, (1, "content"): CARD.masked}


def test_arguments_of_parallel_tool_calls_in_pieces_are_masked(client: httpx.Client, guard: Guard) -> None:
    def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        return {"index": index, "function": {"arguments": arguments}} | more

    first = json.dumps({"to": EMAIL.value, "n": [1, {"deep": EMAIL.value}]})
    second = json.dumps({"card": CARD.value, "token": JWT.value}).replace("4111", r"\u0034111")
    head = [
        chunk(delta={"tool_calls": [{"index": at, "id": f"call_{at}", "type": "function",
                                     "function": {"name": "send", "arguments": ""}}]}) for at in (0, 1)
    ]  # fmt: skip
    for size in (1, 5, 400):
        cuts = [[text[at : at + size] for at in range(0, len(text), size)] for text in (first, second)]
        mixed = itertools.zip_longest(*cuts, fillvalue="")
        body = [chunk(delta={"tool_calls": [call(0, a), call(1, b)]}) for a, b in mixed]
        wire = ask(client, guard, stream(*head, *body, chunk(delta={}, finish_reason="tool_calls")))
        texts = joined(wire)
        assert not leaks(wire, EMAIL.value, CARD.value, JWT.value)
        places = [(0, "tool_calls", at, "function", "arguments") for at in (0, 1)]
        assert json.loads(texts[places[0]]) == {"to": "<EMAIL_ADDRESS>", "n": [1, {"deep": "<EMAIL_ADDRESS>"}]}
        assert json.loads(texts[places[1]]) == {"card": "<CREDIT_CARD>", "token": "<JWT>"}


FIELDS = {
    "refusal": lambda text: {"refusal": text},
    "reasoning_content": lambda text: {"reasoning_content": text},
    "reasoning": lambda text: {"reasoning": text},
    "function_call": lambda text: {"function_call": {"arguments": json.dumps(text)[1:-1]}},
    "audio transcript": lambda text: {"audio": {"transcript": text}},
    "content parts": lambda text: {"content": [{"type": "text", "text": text}]},
    "custom tool": lambda text: {"tool_calls": [{"index": 0, "custom": {"input": text}}]},
    "reasoning_details": lambda text: {"reasoning_details": [{"type": "reasoning.text", "text": text}]},
}


@pytest.mark.parametrize("make", FIELDS.values(), ids=FIELDS.keys())
def test_every_text_of_a_delta_is_masked_across_events(make: Any, client: httpx.Client, guard: Guard) -> None:
    text = f"{EMAIL.text} {AWS.text}"
    for size in (1, 11):
        pieces = [chunk(delta=make(text[at : at + size])) for at in range(0, len(text), size)]
        wire = ask(client, guard, stream(*pieces, finish()))
        assert "".join(joined(wire).values()) == f"{EMAIL.masked} {AWS.masked}"


def test_texts_of_one_choice_are_not_joined_with_each_other(client: httpx.Client, guard: Guard) -> None:
    pieces = [chunk(delta={"content": c, "reasoning": r}) for c, r in zip(EMAIL.text[:20], CARD.text[:20], strict=True)]
    rest = [chunk(delta={"content": EMAIL.text[20:]}), chunk(delta={"reasoning": CARD.text[20:]})]
    wire = ask(client, guard, stream(*pieces, *rest, finish()))
    assert joined(wire) == {(0, "content"): EMAIL.masked, (0, "reasoning"): CARD.masked}


def test_log_probabilities_are_gone(client: httpx.Client, guard: Guard) -> None:
    entry = {"token": "jane", "bytes": [106, 97, 110, 101], "logprob": -0.1, "top_logprobs": []}
    event = chunk(delta={"content": "jane"}, logprobs={"content": [entry], "refusal": None}, finish_reason=None)
    wire = ask(client, guard, stream(event, delta(".doe@example.com x"), finish()))
    assert content(wire) == "<EMAIL_ADDRESS> x"
    assert all(choice.get("logprobs") is None for d in documents(wire) for choice in d["choices"])
    assert b"106" not in wire


def test_the_usage_chunk_is_kept(client: httpx.Client, guard: Guard) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4111111111111111, "total_tokens": 7}
    wire = ask(client, guard, stream(delta(EMAIL.text), finish(), json.dumps({"choices": [], "usage": usage})))
    assert documents(wire)[-1] == {"choices": [], "usage": usage}
    assert content(wire) == EMAIL.masked


# Ends.

ENDS = {
    "finish in the same chunk": [chunk(delta={"content": EMAIL.value[4:]}, finish_reason="stop"), DONE],
    "finish in its own chunk": [delta(EMAIL.value[4:]), finish(), DONE],
    "finish with an empty piece": [delta(EMAIL.value[4:]), chunk(delta={"content": ""}, finish_reason="stop"), DONE],
    "no finish": [delta(EMAIL.value[4:]), DONE],
    "neither finish nor DONE": [delta(EMAIL.value[4:])],
    "finish, no DONE": [delta(EMAIL.value[4:]), finish()],
}


@pytest.mark.parametrize("rest", ENDS.values(), ids=ENDS.keys())
def test_held_text_comes_out_before_the_end(rest: list[str], client: httpx.Client, guard: Guard) -> None:
    wire = ask(client, guard, stream(delta("to " + EMAIL.value[:4]), *rest, done=False))
    assert content(wire) == "to <EMAIL_ADDRESS>"
    finished = [d for d in documents(wire) if d["choices"][0].get("finish_reason")]
    if finished:
        assert documents(wire)[-1] == finished[-1], "no text behind the finish"
    assert (events(wire)[-1] == DONE) == (rest[-1] == DONE)


@pytest.mark.parametrize("tail", ["jane.d", "jane.doe@exam", "4111 1111", "eyJhbGc", "-----BEGIN PRIV"])
def test_text_held_for_what_never_became_a_value_is_given_back(tail: str, client: httpx.Client, guard: Guard) -> None:
    for end in ([finish(), DONE], [DONE], []):
        wire = ask(client, guard, stream(*(delta(letter) for letter in f"so {tail}"), *end, done=False))
        assert content(wire) == f"so {tail}"


def test_an_event_cut_off_by_the_end_of_the_stream_leaks_nothing(client: httpx.Client, guard: Guard) -> None:
    event = data(delta(EMAIL.text))
    for kept in (len(event) - 1, len(event) - 2, len(event) - 30):
        guard.upstream.answer = Answer(pieces=[data(delta("begun ")), event[:kept]])
        wire = client.post(PATH, json=question(stream=True)).content
        assert not leaks(wire, EMAIL.value, EMAIL.value[:12]), kept


# Framing.

LINES = [delta(EMAIL.text[:14]), delta(EMAIL.text[14:]), finish(), DONE]
FRAMES = {
    "CRLF": "".join(f"data: {line}\r\n\r\n" for line in LINES),
    "CR": "".join(f"data: {line}\r\r" for line in LINES),
    "no blank": "".join(f"data:{line}\n\n" for line in LINES),
    "BOM": "\ufeff" + "".join(f"data: {line}\n\n" for line in LINES),
    "comments and fields": "".join(f": ping\nevent: x\nid: 1\ndata: {line}\nretry: 5\n\n" for line in LINES),
    "several data lines": "".join("data: " + line.replace(', "', ',\ndata: "') + "\n\n" for line in LINES),
    "mixed": "".join(
        f"data: {line}{end}" for line, end in zip(LINES, ["\r\n\n", "\n\r", "\r\r\n", "\n\n"], strict=True)
    ),
}


@pytest.mark.parametrize("text", FRAMES.values(), ids=FRAMES.keys())
def test_every_framing_of_the_standard_is_read(text: str, client: httpx.Client, guard: Guard) -> None:
    whole = text.encode()
    for at in range(1, len(whole), 5):
        wire = ask(client, guard, Answer(pieces=cut(whole, at)))
        assert content(wire) == EMAIL.masked, at
        assert events(wire)[-1] == DONE


def test_comments_ids_and_event_names_are_masked_too(client: httpx.Client, guard: Guard) -> None:
    lines = [f": for {EMAIL.value}", f"event: {AWS.value}", f"id: {CARD.value}", f"x-{EMAIL.value}: 1"]
    text = "".join(f"{line}\ndata: {delta('hi')}\n\n" for line in lines)
    wire = ask(client, guard, Answer(pieces=[text.encode() + data(finish())]))
    assert not leaks(wire, EMAIL.value, AWS.value, CARD.value)
    assert content(wire) == "hi" * 4


# Time.


def arrives(guard: Guard, token: str, pieces: list[Piece], sign: bytes, go: threading.Event) -> bytes:
    """Reads until `sign` came, then lets the upstream go on, and reads to the end."""
    guard.upstream.answer = Answer(pieces=pieces)
    seen = b""
    with guard.client(token) as client, client.stream("POST", PATH, json=question(stream=True)) as reply:
        for piece in reply.iter_raw():
            seen += piece
            if sign in seen:
                go.set()
    return seen


@pytest.mark.parametrize("http2", [False, True], ids=["h1 upstream", "h2 upstream"])
def test_an_event_reaches_the_caller_before_the_upstream_sends_the_next(
    http2: bool, guard: Guard, token: str, request: pytest.FixtureRequest
) -> None:
    at = request.getfixturevalue("h2_guard") if http2 else guard
    go = threading.Event()
    seen = arrives(at, token, [data(delta("Once upon ")), Wait(go), data(delta("a time")), data(finish())], b"Once", go)
    assert content(seen) == "Once upon a time"


def test_in_monitor_every_event_reaches_the_caller_before_the_upstream_sends_the_next(
    start_guard: StartGuard, idp: Idp
) -> None:
    guard = start_guard(sets.chat(idp.issuer, mode="monitor"))
    # What enforce would hold for what may come, and what it would mask.
    texts = ["to jane.d", "oe@example", ".com, 4111 1111 ", "1111 1111"]
    gates = [threading.Event() for _ in texts]
    sent = [(data(delta(text)), Wait(gate)) for text, gate in zip(texts, gates, strict=True)]
    guard.upstream.answer = Answer(pieces=[*itertools.chain(*sent), data(finish())])
    seen = b""
    with guard.client(guard.token()) as client, client.stream("POST", PATH, json=question(stream=True)) as reply:
        for piece in reply.iter_raw():
            seen += piece
            for text, gate in zip(texts, gates, strict=True):
                if text.encode() in seen:
                    gate.set()
    assert content(seen) == "".join(texts)


def test_a_keep_alive_comment_passes_at_once_also_while_text_is_held(guard: Guard, token: str) -> None:
    go = threading.Event()
    pieces = [data(delta("to jane.d")), b": ping\n\n", Wait(go), data(delta("oe@example.com")), data(finish())]
    seen = arrives(guard, token, pieces, b": ping", go)
    assert content(seen) == "to <EMAIL_ADDRESS>"


def test_text_that_cannot_be_part_of_a_value_is_not_held(guard: Guard, token: str) -> None:
    go = threading.Event()
    pieces = [data(delta("Dear Jane, ")), data(delta("see jane.d")), Wait(go), data(delta("oe there")), data(finish())]
    seen = arrives(guard, token, pieces, b"see ", go)
    assert content(seen) == "Dear Jane, see jane.doe there"


# What goes wrong.

BROKEN = {
    "not JSON": b"data: {broken " + EMAIL.value.encode() + b"\n\n",
    "plain text": b"data: " + EMAIL.value.encode() + b"\n\n",
    "not UTF-8": b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n',
    "two documents": b"data: {} {}\n\n",
    "too deep": b"data: " + b"[" * 5000 + b"\n\n",
    "longer than 1 MiB": data(delta("x" * (1 << 20))),
    "never-ending": b"data: " + b"x" * (1 << 20) + b"y" * 100,
}


@pytest.mark.parametrize("bad", BROKEN.values(), ids=BROKEN.keys())
def test_a_stream_that_cannot_be_read_ends_with_an_error_event(bad: bytes, guard: Guard, token: str) -> None:
    pieces = [data(delta("fine ")), bad, data(delta("after " + CARD.value)), data(finish())]
    guard.upstream.answer = Answer(pieces=pieces)
    with guard.client(token) as client:
        wire = client.post(PATH, json=question(stream=True)).content
    assert not leaks(wire, EMAIL.value, CARD.value) and b"after" not in wire
    assert content(wire) == "fine "
    (error,) = (d["error"] for d in documents(wire) if "error" in d)
    assert error["code"] == "upstream_unreadable"

    guard.upstream.answer = Answer(pieces=pieces)
    with pytest.raises(openai.APIError, match="cannot be read") as caught:
        list(guard.openai(token).chat.completions.create(**question(stream=True)))
    assert caught.value.code == "upstream_unreadable"


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["reset", "close"])
@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_text_held_when_the_upstream_breaks_off_stays_held(
    end: Piece, http2: bool, guard: Guard, token: str, request: pytest.FixtureRequest
) -> None:
    at = request.getfixturevalue("h2_guard") if http2 else guard
    at.upstream.answer = Answer(pieces=[data(delta("to ")), data(delta("jane.doe@example.co")), Delay(0.05), end])
    seen = b""
    with (
        at.client(token) as client,
        client.stream("POST", PATH, json=question(stream=True)) as reply,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        for piece in reply.iter_raw():
            seen += piece
    assert content(seen) == "to "
    assert b"jane" not in seen
    assert end_of(at.sink, reply.headers["x-portcullis-exchange"])["portcullis.outcome"] == "upstream_reset"


def test_a_caller_that_goes_away_in_mid_stream_ends_the_upstreams_stream(guard: Guard, token: str) -> None:
    go = threading.Event()
    pieces = [data(delta("begun ")), Wait(go), *([data(delta("more ")), Delay(0.01)] * 200)]
    guard.upstream.answer = Answer(pieces=pieces)
    with guard.client(token) as client, client.stream("POST", PATH, json=question(stream=True)) as reply:
        next(reply.iter_raw())
        exchange = reply.headers["x-portcullis-exchange"]
    go.set()
    assert end_of(guard.sink, exchange)["portcullis.outcome"] == "client_gone"
    (request,) = guard.upstream.requests
    process.wait_until("the upstream sees the caller leave", lambda: request.reset, 5)
    assert guard.chat(token).status_code == 200


# HTTP/2 and trailers.


@pytest.fixture(scope="module")
def h2_guard(start_guard: StartGuard) -> Guard:
    return start_guard(upstream_http2=True)


@pytest.mark.parametrize("downstream", [False, True], ids=["h1 caller", "h2 caller"])
@pytest.mark.parametrize("upstream", [False, True], ids=["h1 upstream", "h2 upstream"])
def test_both_versions_of_http_are_masked_alike(
    downstream: bool, upstream: bool, guard: Guard, h2_guard: Guard, token: str
) -> None:
    at = h2_guard if upstream else guard
    text = " ".join(known.text for known in ALL)
    with at.client(token, http2=downstream) as client:
        for size in (1, 3, 50):
            pieces = [delta(text[start : start + size]) for start in range(0, len(text), size)]
            wire = ask(client, at, stream(*pieces, finish()))
            assert content(wire) == " ".join(known.masked for known in ALL)
            assert at.upstream.requests[-1].protocol == ("h2" if upstream else "http/1.1")


def with_h1_trailers(made: dict[str, Any]) -> None:
    """Lets trailers through on both sides, which Envoy does not by itself."""
    (listener,) = made["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager.setdefault("http_protocol_options", {})["enable_trailers"] = True
    for cluster in made["static_resources"]["clusters"]:
        if cluster["name"] != "upstream":
            continue
        kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        options = cluster.setdefault("typed_extension_protocol_options", {}).setdefault(kind, {})
        options["@type"] = f"type.googleapis.com/{kind}"
        if "http2_protocol_options" not in options.get("explicit_http_config", {}):
            options["explicit_http_config"] = {"http_protocol_options": {"enable_trailers": True}}


@pytest.fixture(scope="module", params=[False, True], ids=["h1 upstream", "h2 upstream"])
def trailing(start_guard: StartGuard, request: pytest.FixtureRequest) -> Guard:
    return start_guard(upstream_http2=request.param, change=with_h1_trailers)


def raw_ask(guard: Guard, token: str, answer: Answer) -> tuple[bytes, bytes, bool]:
    """Body and trailers as bytes of the wire, and whether the message was whole."""
    guard.upstream.answer = answer
    body = json.dumps(question(stream=True)).encode()
    head = [
        f"POST {PATH} HTTP/1.1",
        "host: x",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        "te: trailers",
        "connection: close",
        f"content-length: {len(body)}",
    ]
    wire = guard.raw("\r\n".join([*head, "", ""]).encode() + body)
    return unchunk(wire.partition(b"\r\n\r\n")[2])


def unchunk(rest: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body, rest, rest.endswith(b"\r\n")
        body, rest = body + rest[:length], rest[length + 2 :]
    return body, b"", False


TRAILERS = Trailers([("x-sum", "1"), ("x-who", f"by {EMAIL.value}"), ("x-key", sets.CREDENTIAL)])


@pytest.mark.parametrize(
    "content_type, pieces, masked",
    [
        ("text/plain", [EMAIL.text.encode()[:15], EMAIL.text.encode()[15:]], EMAIL.masked.encode()),
        ("text/plain", [b"ends with " + EMAIL.value.encode()], b"ends with <EMAIL_ADDRESS>"),
        ("application/json", [b'{"a":"jane.doe', b'@example.com"}'], b'{"a":"<EMAIL_ADDRESS>"}'),
        ("application/json", [b'{"a":"jane.doe@example.com"', b"}\n"], b'{"a":"<EMAIL_ADDRESS>"}\n'),
    ],
    ids=["text in pieces", "text that ends with a value", "JSON in pieces", "JSON with a line end"],
)
def test_bodies_before_trailers_are_masked_and_whole_and_so_are_the_trailers(
    content_type: str, pieces: list[bytes], masked: bytes, trailing: Guard, token: str
) -> None:
    spaced = [part for piece in pieces for part in (piece, Delay(0.01))]
    answer = Answer(headers=[("content-type", content_type), ("trailer", "x-sum")], pieces=[*spaced, TRAILERS])
    body, trailers, whole = raw_ask(trailing, token, answer)
    assert (body, whole) == (masked, True)
    assert b"x-sum: 1\r\n" in trailers and b"by <EMAIL_ADDRESS>" in trailers
    assert not leaks(trailers, EMAIL.value, sets.CREDENTIAL)


def test_a_text_before_trailers_that_nothing_announced_leaks_nothing_and_looks_whole_only_if_it_is(
    trailing: Guard, token: str
) -> None:
    pieces = [b"ends with ", Delay(0.01), EMAIL.value.encode(), Delay(0.01), TRAILERS]
    body, trailers, whole = raw_ask(trailing, token, Answer(headers=[("content-type", "text/plain")], pieces=pieces))
    assert not leaks(body + trailers, EMAIL.value, sets.CREDENTIAL)
    assert body == (b"ends with <EMAIL_ADDRESS>" if whole else b"ends with ")


def test_a_stream_before_trailers_is_masked_and_whole(trailing: Guard, token: str) -> None:
    pieces = [data(delta(EMAIL.text[:14])), data(delta(EMAIL.text[14:])), data(finish()), data(DONE), TRAILERS]
    body, trailers, whole = raw_ask(trailing, token, Answer(pieces=pieces))
    assert (content(body), whole, events(body)[-1]) == (EMAIL.masked, True, DONE)
    assert b"x-sum" in trailers and not leaks(trailers, EMAIL.value, sets.CREDENTIAL)


def test_a_cut_off_body_before_trailers_leaks_nothing_and_does_not_look_whole(trailing: Guard, token: str) -> None:
    for content_type, pieces in {
        "text/event-stream": [data(delta("to jane.doe@example.co"))],
        "application/json": [b'{"a":"jane.doe@example.co'],
        "text/event-stream; charset=utf-8": [data(delta("hi"))[:-1], b""],
    }.items():
        answer = Answer(headers=[("content-type", content_type)], pieces=[*pieces, Delay(0.02), TRAILERS])
        body, trailers, whole = raw_ask(trailing, token, answer)
        assert b"jane" not in body + trailers
        assert not whole, content_type


# The official client.


def test_the_official_client_reads_masked_streams(guard: Guard, token: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    text = f"{EMAIL.text} {CARD.text}"
    last = json.dumps(json.loads(finish()) | {"choices": [], "usage": usage})
    guard.upstream.answer = stream(*(delta(letter) for letter in text), finish(), last)
    seen = list(guard.openai(token).chat.completions.create(**question(stream=True)))
    assert "".join(c.choices[0].delta.content or "" for c in seen if c.choices) == f"{EMAIL.masked} {CARD.masked}"
    assert [c.choices[0].finish_reason for c in seen if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert seen[-1].usage and seen[-1].usage.total_tokens == 7
    assert {c.id for c in seen} == {"chatcmpl-1"} and {c.model for c in seen} == {"gpt-4o-mini"}


def test_the_official_client_reads_masked_tool_calls(guard: Guard, token: str) -> None:
    def call(**function: str) -> dict[str, Any]:
        return {
            "tool_calls": [
                {"index": 0, "function": function}
                | ({"id": "call_1", "type": "function"} if "name" in function else {})
            ]
        }

    arguments = json.dumps({"to": EMAIL.value, "body": f'"{CARD.value}"'})
    common = {"created": 1, "model": "gpt-4o-mini"}
    pieces = [chunk(delta=call(name="send", arguments=""))] + [chunk(delta=call(arguments=a)) for a in arguments]
    made = [json.dumps(json.loads(p) | common) for p in [*pieces, chunk(delta={}, finish_reason="tool_calls")]]
    guard.upstream.answer = stream(*made)
    tool = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {}}}}
    with guard.openai(token).chat.completions.stream(**question(), tools=[tool]) as run:
        message = run.get_final_completion().choices[0].message
    assert message.tool_calls
    assert json.loads(message.tool_calls[0].function.arguments) == {"to": "<EMAIL_ADDRESS>", "body": '"<CREDIT_CARD>"'}
