"""Streams of Gemini, Ollama and Bedrock on a real Envoy, read by their official clients and by readers of the tests' own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import boto3
import httpx
import ollama
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import EventStreamError
from google import genai
from test_framings import frame, frames

import policies as sets
from conftest import StartGuard
from guard import Guard
from known import ALL, CARD, EMAIL, JWT, documents, leaks
from parts import model
from parts.idp import Idp
from parts.upstream import Answer, Delay, cut, json_answer

NDJSON = ("content-type", "application/x-ndjson")
FRAMES = ("content-type", "application/vnd.amazon.eventstream")
SSE = ("content-type", "text/event-stream")
JSON = ("content-type", "application/json")

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
PATHS = {
    "gemini": "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    "gemini sse": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "ollama chat": "/api/chat",
    "ollama generate": "/api/generate",
    "converse": f"/model/{CLAUDE}/converse-stream",
    "invoke": f"/model/{CLAUDE}/invoke-with-response-stream",
}
TEXT = " ".join(known.text for known in ALL)
MASKED = " ".join(known.masked for known in ALL)


def policy_set(issuer: str) -> sets.Set:
    """A connection for each protocol below its name, and below `plain/` one that masks nothing."""
    made = sets.chat(issuer)
    masked = {key: value for key, value in sets.policy(made).items() if key != "rules"}
    plain = {key: value for key, value in masked.items() if key != "mask"} | {"name": "plain"}
    chat = sets.connection(made)
    connections = []
    for name in ("gemini", "ollama", "bedrock"):
        for policy, below in ((masked, ""), (plain, "plain/")):
            match = {"path_prefix": f"/{below}{name}"}
            more = {"name": f"{policy['name']}-{name}", "protocol": name, "match": match, "policy": policy["name"]}
            connections.append(deepcopy(chat) | more)
    made["connections"], made["policies"] = connections, [masked, plain]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


@pytest.fixture
def client(guard: Guard, token: str) -> Iterator[httpx.Client]:
    with guard.client(token) as client:
        yield client


def protocol_of(case: str) -> str:
    return "bedrock" if case in ("converse", "invoke") else case.split()[0]


def ask(client: httpx.Client, guard: Guard, case: str, answer: Answer, below: str = "") -> httpx.Response:
    guard.upstream.answer = answer
    return client.post(f"{below}/{protocol_of(case)}{PATHS[case]}", json={"any": 1})


# What each provider writes, after its documentation, and how it is read.


def gemini(text: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0} | more]}


def in_gemini(events: list[dict[str, Any]]) -> str:
    candidates = [candidate for event in events for candidate in event.get("candidates", [])]
    parts = [part for candidate in candidates for part in candidate.get("content", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts)


def array(events: list[dict[str, Any]]) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(event).encode() for event in events) + b"\n]"


def sse(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events)


def lines(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def unlines(wire: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in wire.splitlines()]


def event(kind: str, payload: dict[str, Any]) -> bytes:
    body = json.dumps(payload | {"p": "abcdefghijklmnop"}).encode()
    return frame(body, event_type=kind, content_type="application/json", message_type="event")


def in_converse(wire: bytes) -> str:
    payloads = [json.loads(payload) for headers, payload in frames(wire) if ":event-type" in headers]
    return "".join(payload.get("delta", {}).get("text", "") for payload in payloads)


def in_claude(wire: bytes) -> str:
    chunks = [json.loads(payload) for headers, payload in frames(wire) if headers.get(":event-type") == "chunk"]
    # aimock writes chunks without packing them.
    inner = [json.loads(base64.b64decode(chunk["bytes"])) if "bytes" in chunk else chunk for chunk in chunks]
    return "".join(event["delta"].get("text", "") for event in inner if event["type"] == "content_block_delta")


def claude(inner: dict[str, Any]) -> bytes:
    return event("chunk", {"bytes": base64.b64encode(json.dumps(inner).encode()).decode()})


def converse(pieces: list[str]) -> bytes:
    deltas = [event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces]
    ends = [event("contentBlockStop", {"contentBlockIndex": 0}), event("messageStop", {"stopReason": "end_turn"})]
    usage = event("metadata", {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}, "metrics": {}})
    return b"".join([event("messageStart", {"role": "assistant"}), *deltas, *ends, usage])


def invoke(pieces: list[str]) -> bytes:
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 3}}
    delta = {"type": "content_block_delta", "index": 0}
    inner = [
        {"type": "message_start", "message": message},
        start,
        *(delta | {"delta": {"type": "text_delta", "text": piece}} for piece in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
    ]
    return b"".join(claude(event) for event in inner)


def ollama_chat(pieces: list[str]) -> bytes:
    line = {"model": "llama3.2", "created_at": "2025-01-01T00:00:00Z", "done": False}
    texts = [line | {"message": {"role": "assistant", "content": piece}} for piece in pieces]
    end = {"done": True, "done_reason": "stop", "total_duration": 5, "prompt_eval_count": 3, "eval_count": 4}
    return lines([*texts, line | {"message": {"role": "assistant", "content": ""}} | end])


def ollama_generate(pieces: list[str]) -> bytes:
    line = {"model": "llama3.2", "created_at": "2025-01-01T00:00:00Z", "done": False}
    end = {"response": "", "done": True, "done_reason": "stop", "context": [4111, 1111], "eval_count": 4}
    return lines([*(line | {"response": piece} for piece in pieces), line | end])


def gemini_events(pieces: list[str]) -> list[dict[str, Any]]:
    usage = {"usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 7}, "modelVersion": "gemini-2.5-flash"}
    return [*(gemini(piece) | usage for piece in pieces), gemini("", finishReason="STOP") | usage]


Case = tuple[tuple[str, str], Callable[[list[str]], bytes], Callable[[bytes], str]]
CASES: dict[str, Case] = {
    "gemini": (JSON, lambda pieces: array(gemini_events(pieces)), lambda wire: in_gemini(json.loads(wire))),
    "gemini sse": (SSE, lambda pieces: sse(gemini_events(pieces)), lambda wire: in_gemini(documents(wire))),
    "ollama chat": (NDJSON, ollama_chat, lambda wire: "".join(e["message"]["content"] for e in unlines(wire))),
    "ollama generate": (NDJSON, ollama_generate, lambda wire: "".join(e["response"] for e in unlines(wire))),
    "converse": (FRAMES, converse, in_converse),
    "invoke": (FRAMES, invoke, in_claude),
}


def pieces_of(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("case", CASES)
def test_a_stream_is_masked_however_its_text_is_cut(case: str, client: httpx.Client, guard: Guard) -> None:
    header, write, read = CASES[case]
    for size in (1, 4, 29, 1000):
        wire = write(pieces_of(TEXT, size))
        reply = ask(client, guard, case, Answer(headers=[header], pieces=[wire]))
        assert reply.status_code == 200, reply.text
        assert read(reply.content) == MASKED
        assert not leaks(reply.content, EMAIL.value, CARD.value, JWT.value)
    for at in range(len(EMAIL.text) + 1):
        wire = write([EMAIL.text[:at], EMAIL.text[at:]])
        reply = ask(client, guard, case, Answer(headers=[header], pieces=[wire]))
        assert read(reply.content) == EMAIL.masked, at


@pytest.mark.parametrize("case", ["gemini", "gemini sse"])
def test_a_stream_with_a_reason_to_stop_in_every_event_goes_on_where_no_value_is_cut(
    case: str, client: httpx.Client, guard: Guard
) -> None:
    """Early Gemini models write it so. What is held goes out with each event, for it may be the last."""
    header, _, read = CASES[case]
    write = array if case == "gemini" else sse

    def wire(pieces: list[str]) -> Answer:
        return Answer(headers=[header], pieces=[write([gemini(piece, finishReason="STOP") for piece in pieces])])

    between = [part for known in ALL for part in (known.before, f"{known.value}{known.after} ")]
    reply = ask(client, guard, case, wire(between))
    assert read(reply.content) == f"{MASKED} "
    for at in range(1, len(EMAIL.value)):
        first, rest = EMAIL.value[:at], EMAIL.value[at:]
        try:
            reply = ask(client, guard, case, wire([EMAIL.before, first, rest, EMAIL.after]))
        except httpx.RemoteProtocolError:
            assert case == "gemini", "events have one for an error"
            continue
        # What looked like an address already was masked, and the rest of it vanishes with it.
        seen = read(reply.content)
        assert seen == EMAIL.masked if "@example.co" in first else seen == EMAIL.before + first, at


@pytest.mark.parametrize("case", CASES)
def test_a_stream_is_masked_however_its_bytes_are_cut(case: str, client: httpx.Client, guard: Guard) -> None:
    header, write, read = CASES[case]
    wire = write([EMAIL.text[:15], EMAIL.text[15:]])
    expected = ask(client, guard, case, Answer(headers=[header], pieces=[wire])).content
    assert read(expected) == EMAIL.masked
    for at in range(1, len(wire), 17):
        first, second = cut(wire, at)
        reply = ask(client, guard, case, Answer(headers=[header], pieces=[first, Delay(0.0005), second]))
        assert reply.content == expected, at
    reply = ask(client, guard, case, Answer(headers=[header], pieces=cut(wire, *range(1, len(wire)))))
    assert reply.content == expected


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_found_and_a_policy_that_masks_nothing_change_no_byte(
    case: str, client: httpx.Client, guard: Guard
) -> None:
    header, write, _ = CASES[case]
    harmless = write(["Once upon ", "a time \\ é \U0001f600", "there "])
    # Ollama's token ids go, whatever the text.
    if case != "ollama generate":
        assert ask(client, guard, case, Answer(headers=[header], pieces=[harmless])).content == harmless
    for wire in (harmless, write(pieces_of(TEXT, 5))):
        assert ask(client, guard, case, Answer(headers=[header], pieces=[wire]), below="/plain").content == wire


@pytest.mark.parametrize("case", CASES)
def test_text_held_at_the_end_comes_out_before_it(case: str, client: httpx.Client, guard: Guard) -> None:
    header, write, read = CASES[case]
    reply = ask(client, guard, case, Answer(headers=[header], pieces=[write(["so jane.d", "oe@exam"])]))
    assert read(reply.content) == "so jane.doe@exam"


# Side doors.


def test_ollamas_token_ids_are_gone(client: httpx.Client, guard: Guard) -> None:
    reply = ask(client, guard, "ollama generate", Answer(headers=[NDJSON], pieces=[ollama_generate(["hi"])]))
    assert unlines(reply.content)[-1]["context"] == []
    whole = {"response": EMAIL.text, "done": True, "context": [1, 2], "logprobs": [{"token": "jane"}]}
    reply = ask(client, guard, "ollama generate", json_answer(json.dumps(whole)))
    assert reply.json() == {"response": EMAIL.masked, "done": True, "context": [], "logprobs": None}


def test_every_place_of_geminis_answer_is_masked(client: httpx.Client, guard: Guard) -> None:
    parts = [
        {"text": EMAIL.text, "thought": True},
        {"functionCall": {"name": "send", "args": {"to": EMAIL.value, "card": 4111111111111111}}},
        {"executableCode": {"language": "PYTHON", "code": f"mail('{EMAIL.value}')"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": EMAIL.text}},
    ]
    grounding = {
        "webSearchQueries": [EMAIL.value],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 9, "text": EMAIL.text}}],
        "groundingChunks": [{"web": {"uri": f"https://x/?q={EMAIL.value}", "title": EMAIL.text}}],
    }
    answer = gemini(EMAIL.text, groundingMetadata=grounding, logprobsResult={"chosenCandidates": [{"token": "jane"}]})
    answer["candidates"][0]["content"]["parts"] += parts
    for case, body in (
        ("gemini", json.dumps(answer).encode()),
        ("gemini", array([answer])),
        ("gemini sse", sse([answer])),
    ):
        header = SSE if case.endswith("sse") else JSON
        reply = ask(client, guard, case, Answer(headers=[header], pieces=[body]))
        assert not leaks(reply.content, EMAIL.value, "4111111111111111", '"jane"')
        assert reply.text.count("<EMAIL_ADDRESS>") == body.count(EMAIL.value.encode())


def test_inputs_of_bedrocks_tools_and_traces_of_its_guardrails_are_masked(client: httpx.Client, guard: Guard) -> None:
    given = json.dumps({"to": EMAIL.value, "n": [CARD.value]})
    pieces = [{"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}} for piece in pieces_of(given, 3)]
    thought = {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": EMAIL.text}}}
    trace = {"guardrail": {"outputAssessments": {"g": [{"piiEntities": [{"match": EMAIL.value, "type": "EMAIL"}]}]}}}
    wire = [event("contentBlockDelta", piece) for piece in [thought, *pieces]]
    wire += [event("contentBlockStop", {"contentBlockIndex": index}) for index in (0, 1)]
    wire.append(event("metadata", {"trace": trace}))
    reply = ask(client, guard, "converse", Answer(headers=[FRAMES], pieces=[b"".join(wire)]))
    assert not leaks(reply.content, EMAIL.value, CARD.value)
    payloads = [json.loads(payload) for _, payload in frames(reply.content)]
    seen = "".join(payload.get("delta", {}).get("toolUse", {}).get("input", "") for payload in payloads)
    assert json.loads(seen) == {"to": "<EMAIL_ADDRESS>", "n": ["<CREDIT_CARD>"]}
    assert (
        payloads[-1]["trace"]["guardrail"]["outputAssessments"]["g"][0]["piiEntities"][0]["match"] == "<EMAIL_ADDRESS>"
    )


# A test upstream that speaks all of them.


@pytest.fixture(scope="module")
def aimock(run_folder: Path) -> Iterator[model.Aimock]:
    folder = run_folder / "providers-aimock"
    folder.mkdir(exist_ok=True)
    mock = model.Aimock(folder).start()
    yield mock
    mock.stop()


QUESTIONS: dict[str, dict[str, Any]] = {
    "gemini sse": {"contents": [{"role": "user", "parts": [{"text": "customer 42"}]}]},
    "ollama chat": {"model": "llama", "messages": [{"role": "user", "content": "customer 42"}], "stream": True},
    "ollama generate": {"model": "llama", "prompt": "customer 42", "stream": True},
    "converse": {"messages": [{"role": "user", "content": [{"text": "customer 42"}]}]},
    "invoke": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "customer 42"}],
    },
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_the_streams_of_aimock_are_masked(case: str, aimock: model.Aimock, client: httpx.Client, guard: Guard) -> None:
    direct = httpx.post(f"http://{aimock.address}{PATHS[case]}", json=QUESTIONS[case])
    assert direct.status_code == 200, direct.text
    header, _, read = CASES[case]
    assert read(direct.content) == model.ANSWER
    masked = model.ANSWER.replace(model.EMAIL, "<EMAIL_ADDRESS>").replace(model.CARD, "<CREDIT_CARD>")
    masked = masked.replace(model.AWS_KEY, "<AWS_ACCESS_KEY>")
    header = ("content-type", direct.headers["content-type"])
    for size in (7, 100, len(direct.content)):
        cuts = range(size, len(direct.content), size)
        reply = ask(client, guard, case, Answer(headers=[header], pieces=cut(direct.content, *cuts)))
        assert read(reply.content) == masked
        assert not leaks(reply.content, *model.SECRETS)
        assert not any(base64.b64encode(secret.encode())[2:-4] in reply.content for secret in model.SECRETS)


# The official clients.


def test_geminis_own_client_reads_masked_answers(guard: Guard, token: str) -> None:
    client = genai.Client(api_key=token, http_options={"base_url": f"{guard.url}/gemini"})
    guard.upstream.answer = Answer(headers=[SSE], pieces=[sse(gemini_events(pieces_of(TEXT, 5)))])
    seen = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="Hello"))
    assert "".join(chunk.text or "" for chunk in seen) == MASKED
    assert seen[-1].candidates and seen[-1].candidates[0].finish_reason == "STOP"
    assert seen[-1].usage_metadata and seen[-1].usage_metadata.total_token_count == 7
    guard.upstream.answer = json_answer(json.dumps(gemini(TEXT, finishReason="STOP")))
    assert client.models.generate_content(model="gemini-2.5-flash", contents="Hello").text == MASKED


def test_ollamas_own_client_reads_masked_answers(guard: Guard, token: str) -> None:
    client = ollama.Client(host=f"{guard.url}/ollama", headers={"authorization": f"Bearer {token}"})
    hello = [{"role": "user", "content": "Hello"}]
    guard.upstream.answer = Answer(headers=[NDJSON], pieces=[ollama_chat(pieces_of(TEXT, 5))])
    seen = list(client.chat("llama3.2", hello, stream=True))
    assert "".join(part.message.content or "" for part in seen) == MASKED
    assert (seen[-1].done, seen[-1].done_reason, seen[-1].eval_count) == (True, "stop", 4)
    guard.upstream.answer = Answer(headers=[NDJSON], pieces=[ollama_generate(pieces_of(TEXT, 3))])
    assert "".join(part.response for part in client.generate("llama3.2", "Hello", stream=True)) == MASKED
    whole = {"model": "llama3.2", "message": {"role": "assistant", "content": TEXT}, "done": True}
    guard.upstream.answer = json_answer(json.dumps(whole))
    assert client.chat("llama3.2", hello).message.content == MASKED


def test_ollamas_own_client_raises_when_a_stream_cannot_be_read(guard: Guard, token: str) -> None:
    client = ollama.Client(host=f"{guard.url}/ollama", headers={"authorization": f"Bearer {token}"})
    fine = ollama_chat(["fine "]).splitlines(keepends=True)[0]
    guard.upstream.answer = Answer(
        headers=[NDJSON], pieces=[fine, Delay(0.01), b"no JSON " + EMAIL.value.encode() + b"\n"]
    )
    with pytest.raises(ollama.ResponseError, match="cannot be read"):
        list(client.chat("llama3.2", [{"role": "user", "content": "Hello"}], stream=True))


@pytest.fixture
def bedrock(guard: Guard, token: str) -> Any:
    """The client sends a Bedrock API key over TLS alone: here the test puts it where the client would."""

    def sign(request: Any, **_: Any) -> None:
        request.headers["authorization"] = f"Bearer {token}"

    config = Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
    client = boto3.client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=f"{guard.url}/bedrock", config=config
    )
    client.meta.events.register("request-created.bedrock-runtime", sign)
    return client


HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


def test_bedrocks_own_client_reads_masked_conversations(bedrock: Any, guard: Guard) -> None:
    guard.upstream.answer = Answer(headers=[FRAMES], pieces=[converse(pieces_of(TEXT, 5))])
    seen = list(bedrock.converse_stream(modelId=CLAUDE, messages=HELLO)["stream"])
    deltas = [part["contentBlockDelta"]["delta"]["text"] for part in seen if "contentBlockDelta" in part]
    assert "".join(deltas) == MASKED
    assert [next(iter(part)) for part in seen[-3:]] == ["contentBlockStop", "messageStop", "metadata"]
    assert seen[-1]["metadata"]["usage"]["totalTokens"] == 7
    usage = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    message = {"role": "assistant", "content": [{"text": TEXT}]}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}
    guard.upstream.answer = json_answer(json.dumps(whole))
    reply = bedrock.converse(modelId=CLAUDE, messages=HELLO)
    assert reply["output"]["message"]["content"][0]["text"] == MASKED
    assert guard.upstream.requests[-1].header("authorization") == f"Bearer {sets.CREDENTIAL}"


def test_bedrocks_own_client_reads_masked_documents_of_models(bedrock: Any, guard: Guard) -> None:
    guard.upstream.answer = Answer(headers=[FRAMES], pieces=[invoke(pieces_of(TEXT, 5))])
    parts = list(bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=b"{}")["body"])
    inner = [json.loads(part["chunk"]["bytes"]) for part in parts]
    assert "".join(part["delta"].get("text", "") for part in inner if part["type"] == "content_block_delta") == MASKED
    assert [part["type"] for part in inner[-3:]] == ["content_block_stop", "message_delta", "message_stop"]
    whole = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": TEXT}]}
    guard.upstream.answer = json_answer(json.dumps(whole))
    reply = bedrock.invoke_model(modelId=CLAUDE, body=b"{}")
    assert json.loads(reply["body"].read())["content"][0]["text"] == MASKED


def test_bedrocks_own_client_raises_when_a_stream_cannot_be_read_or_fails(bedrock: Any, guard: Guard) -> None:
    good = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "to jane.d"}})
    damaged = good[:-1] + bytes([good[-1] ^ 1])
    failure = json.dumps({"message": f"{EMAIL.value} is throttled"}).encode()
    failed = frame(failure, exception_type="throttlingException", message_type="exception")
    for bad, said in ((damaged, "cannot be read"), (failed, "<EMAIL_ADDRESS> is throttled")):
        guard.upstream.answer = Answer(headers=[FRAMES], pieces=[good, Delay(0.01), bad])
        text = ""
        with pytest.raises(EventStreamError) as raised:
            for part in bedrock.converse_stream(modelId=CLAUDE, messages=HELLO)["stream"]:
                text += part["contentBlockDelta"]["delta"]["text"]
        assert said in str(raised.value) and EMAIL.value not in str(raised.value)
        assert text == ("to jane.d" if bad is failed else "to ")
