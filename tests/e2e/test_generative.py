"""The streams of every provider on a real Envoy, read by the official clients and by a reference of our own."""

from __future__ import annotations

import copy
import json
from typing import Any, cast

import anthropic
import pytest
from npm import node

import policies as sets
import providers
from conftest import StartGuard
from guard import Guard, delta, finish, question
from known import ALL, AWS, CARD, EMAIL, JWT, leaks
from parts.idp import Idp
from parts.upstream import Answer, cut, json_answer, stream

TEXT = f"{EMAIL.text} {CARD.text}"
MASKED = f"{EMAIL.masked} {CARD.masked}"
THOUGHT = f"They asked for {AWS.value}, so"
THOUGHT_MASKED = "They asked for <AWS_ACCESS_KEY>, so"
ARGUMENTS = json.dumps({"to": EMAIL.value, "body": f'"{CARD.value}"', "n": [1, {"é": JWT.value}]})
ARGUMENTS_MASKED = {"to": "<EMAIL_ADDRESS>", "body": '"<CREDIT_CARD>"', "n": [1, {"é": "<JWT>"}]}
VALUES = [known.value for known in (EMAIL, CARD, AWS, JWT)]
SIZES = [1, 2, 7, 1000]


def policy_set(issuer: str, **mask: Any) -> sets.Set:
    made = sets.chat(issuer)
    sets.policy(made)["mask"]["response"] |= mask
    del sets.policy(made)["rules"]
    sets.policy(made)["uninspected"] = {"allow": ["path", "image", "audio"]}
    one = copy.deepcopy(sets.connection(made))
    for name in ("anthropic", "cohere"):
        made["connections"].append(one | {"name": name, "protocol": name, "match": {"path_prefix": f"/{name}"}})
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


def ask(guard: Guard, token: str, path: str, answer: Answer) -> bytes:
    guard.upstream.answer = answer
    with guard.client(token) as client:
        reply = client.post(path, json=question(stream=True) | {"max_tokens": 9, "input": "Hi"})
    assert reply.status_code == 200, reply.text
    return reply.content


def claude(guard: Guard, token: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=f"{guard.url}/anthropic", api_key=token, max_retries=0, timeout=20)


CLAUDE: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "Hi"}],
}


# The official clients.


@pytest.mark.parametrize("size", SIZES)
def test_anthropics_client_reads_masked_messages(size: int, guard: Guard, token: str) -> None:
    guard.upstream.answer = providers.answer(providers.anthropic(TEXT, THOUGHT, ARGUMENTS, size))
    with claude(guard, token).messages.stream(**CLAUDE) as run:
        kinds = [event.type for event in run]
        final = run.get_final_message()
    thinking, text, tool = final.content
    assert thinking.type == "thinking" and thinking.thinking == THOUGHT_MASKED and thinking.signature == ""
    assert text.type == "text" and text.text == MASKED
    assert tool.type == "tool_use" and tool.input == ARGUMENTS_MASKED
    assert final.stop_reason == "tool_use" and final.usage.output_tokens == 15
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"


@pytest.mark.parametrize("size", SIZES)
def test_openais_client_reads_masked_responses(size: int, guard: Guard, token: str) -> None:
    guard.upstream.answer = providers.answer(providers.responses(TEXT, THOUGHT, ARGUMENTS, size))
    texts = {"output_text": "", "reasoning_summary_text": "", "function_call_arguments": ""}
    numbers = []
    with guard.openai(token).responses.stream(model="gpt-4o-mini", input="Hi") as run:
        for event in run:
            numbers.append(event.sequence_number)
            kind = event.type.removeprefix("response.").removesuffix(".delta")
            if event.type.endswith(".delta") and kind in texts:
                texts[kind] += getattr(event, "delta", "")
        final = run.get_final_response()
    assert numbers == list(range(len(numbers)))
    assert texts["output_text"] == MASKED == final.output_text
    assert texts["reasoning_summary_text"] == THOUGHT_MASKED
    assert json.loads(texts["function_call_arguments"]) == ARGUMENTS_MASKED
    call = final.output[2]
    assert call.type == "function_call" and json.loads(call.arguments) == ARGUMENTS_MASKED


@pytest.mark.parametrize("size", [2, 1000])
def test_the_npm_clients_read_masked_streams(size: int, guard: Guard, token: str) -> None:
    texts = [delta(piece) for piece in providers.pieces(TEXT, size)]
    guard.upstream.answer = stream(delta("", role="assistant"), *texts, finish())
    seen = node("chat", guard, token)
    assert seen["text"] == seen["final"]["content"] == MASKED

    guard.upstream.answer = providers.answer(providers.responses(TEXT, THOUGHT, ARGUMENTS, size))
    seen = node("responses", guard, token)
    assert (seen["text"], seen["summary"]) == (MASKED, THOUGHT_MASKED)
    assert json.loads(seen["arguments"]) == ARGUMENTS_MASKED == json.loads(seen["final"][2]["arguments"])
    assert seen["final"][1]["content"][0]["text"] == MASKED

    guard.upstream.answer = providers.answer(providers.anthropic(TEXT, THOUGHT, ARGUMENTS, size))
    thinking, text, tool = node("anthropic", guard, token)["final"]["content"]
    assert (thinking["thinking"], text["text"], tool["input"]) == (THOUGHT_MASKED, MASKED, ARGUMENTS_MASKED)


# The wire.

WIRES = {
    "anthropic": ("/anthropic/v1/messages", providers.anthropic),
    "responses": ("/v1/responses", providers.responses),
}


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("size", [1, 3, 50])
def test_no_event_is_lost_and_no_value_leaves_by_any_of_them(name: str, size: int, guard: Guard, token: str) -> None:
    path, make = WIRES[name]
    text = " ".join(known.text for known in ALL)
    made = make(text, text, json.dumps({"a": text}), size)
    wire = ask(guard, token, path, providers.answer(made))
    assert not leaks(wire, *(known.value for known in ALL))
    seen = providers.read(wire)
    # The events of before, in their order, with one more for each of three texts at most.
    kinds, before = [name for name, _ in seen], [name for name, _ in made]
    rest = iter(kinds)
    assert all(kind in rest for kind in before)
    assert len(kinds) <= len(before) + 3
    assert all(document["type"] == kind for kind, document in seen)


@pytest.mark.parametrize("name", WIRES)
def test_every_cut_of_the_bytes_gives_the_same_stream(name: str, guard: Guard, token: str) -> None:
    path, make = WIRES[name]
    whole = providers.sse(make(EMAIL.text, EMAIL.text, json.dumps({"a": EMAIL.value}), 9))
    expected = ask(guard, token, path, Answer(pieces=[whole]))
    for at in range(1, len(whole), 97):
        assert ask(guard, token, path, Answer(pieces=cut(whole, at))) == expected, at
    assert ask(guard, token, path, Answer(pieces=cut(whole, *range(1, len(whole))))) == expected


@pytest.mark.parametrize("name", WIRES)
def test_a_stream_without_values_is_untouched(name: str, guard: Guard, token: str) -> None:
    path, make = WIRES[name]
    whole = providers.sse(make("Good morning. ", "They are well. ", '{"say": "well", "to": []}', 1000))
    assert ask(guard, token, path, Answer(pieces=[whole])) == whole


@pytest.fixture(scope="module")
def maskless(start_guard: StartGuard, idp: Idp) -> Guard:
    made = policy_set(idp.issuer)
    del sets.policy(made)["mask"]
    for connection in made["connections"]:
        connection.pop("credential", None)
    return start_guard(made)


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("size", [1, 4])
def test_a_policy_that_masks_nothing_changes_no_byte(name: str, size: int, maskless: Guard) -> None:
    path, make = WIRES[name]
    whole = providers.sse(make(TEXT, THOUGHT, ARGUMENTS, size))
    assert ask(maskless, maskless.token(), path, Answer(pieces=[whole])) == whole


@pytest.mark.parametrize("size", [1, 1000])
def test_no_spelling_of_json_hides_a_value(size: int, guard: Guard, token: str) -> None:
    spelled = ARGUMENTS.replace("@", r"\u0040").replace("4111 1", r"\u0034111\u00201")
    wire = providers.sse(providers.anthropic(TEXT, THOUGHT, spelled, size))
    for plain, other in ((b"@", rb"\u0040"), (b"J", rb"\u004A"), (b"AKIA", rb"\u0041K\u0049A")):
        wire = wire.replace(plain, other)
    guard.upstream.answer = Answer(pieces=[wire])
    with claude(guard, token).messages.stream(**CLAUDE) as run:
        thinking, text, tool = run.get_final_message().content
    assert thinking.type == "thinking" and thinking.thinking == THOUGHT_MASKED
    assert text.type == "text" and text.text == MASKED
    assert tool.type == "tool_use" and tool.input == ARGUMENTS_MASKED


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_citations_point_to_the_masked_text(size: int, guard: Guard, token: str) -> None:
    made = [document for _, document in providers.responses(TEXT, "", "{}", size)]
    at = next(at for at, document in enumerate(made) if document["type"] == "response.output_text.done")
    cited = {"type": "url_citation", "title": "t", "url": "https://example.org"}
    places = [(TEXT.index(CARD.value), TEXT.index(CARD.value) + len(CARD.value)), (0, 5)]
    notes = [cited | {"start_index": start, "end_index": end} for start, end in places]
    where = {"output_index": 1, "item_id": "msg_1", "content_index": 0}
    kind = "response.output_text.annotation.added"
    added = [{"type": kind, "annotation_index": n, "annotation": note} | where for n, note in enumerate(notes)]
    made[at:at] = added
    made[-1]["response"]["output"][1]["content"][0]["annotations"] = notes
    for number, document in enumerate(made):
        document["sequence_number"] = number
    guard.upstream.answer = providers.answer([(document["type"], document) for document in made])
    seen, text = [], ""
    with guard.openai(token).responses.stream(model="gpt-4o-mini", input="Hi") as run:
        for event in run:
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == kind:
                note = cast("Any", event.annotation)
                seen.append(text[note.start_index : note.end_index])
        final = run.get_final_response()
    assert seen == ["<CREDIT_CARD>", MASKED[:5]]
    message = final.output[1]
    assert message.type == "message"
    content = message.content[0]
    assert content.type == "output_text"
    spans = [(note.start_index, note.end_index) for note in content.annotations if note.type == "url_citation"]
    assert [content.text[start:end] for start, end in spans] == seen


# Whole answers and errors.


def test_a_whole_message_and_a_whole_response_are_masked(guard: Guard, token: str) -> None:
    content = [
        {"type": "thinking", "thinking": THOUGHT, "signature": "EqQB"},
        {"type": "text", "text": TEXT, "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "send", "input": json.loads(ARGUMENTS)},
    ]
    guard.upstream.answer = json_answer(json.dumps(providers.message(content)))
    final = claude(guard, token).messages.create(**CLAUDE)
    assert [final.content[0].thinking, final.content[0].signature] == [THOUGHT_MASKED, ""]  # type: ignore[union-attr]
    assert final.content[1].text == MASKED  # type: ignore[union-attr]
    assert final.content[2].input == ARGUMENTS_MASKED  # type: ignore[union-attr]

    _, made = providers.responses(TEXT, THOUGHT, ARGUMENTS, 9)[-1]
    guard.upstream.answer = json_answer(json.dumps(made["response"]))
    response = guard.openai(token).responses.create(model="gpt-4o-mini", input="Hi")
    assert response.output_text == MASKED
    assert not leaks(response.to_json().encode(), *VALUES)


def test_a_stream_that_cannot_be_read_raises_in_anthropics_client(guard: Guard, token: str) -> None:
    made = providers.anthropic(TEXT, THOUGHT, ARGUMENTS, 5)
    bad = b"event: ping\ndata: " + json.dumps(made[5][1]).encode() + b"\n\n"
    guard.upstream.answer = Answer(pieces=[providers.sse(made[:4]), bad, providers.sse(made[4:])])
    with (
        pytest.raises(anthropic.APIStatusError, match="cannot be read"),
        claude(guard, token).messages.stream(**CLAUDE) as run,
    ):
        list(run)


# Thinking.


@pytest.mark.parametrize(
    "thinking, shown, signature", [("exempt", THOUGHT, "EqQB"), ("drop", "", ""), ("mask", THOUGHT_MASKED, "")]
)
def test_a_policy_says_what_becomes_of_thinking(
    thinking: str, shown: str, signature: str, start_guard: StartGuard, idp: Idp
) -> None:
    guard = start_guard(policy_set(idp.issuer, thinking=thinking))
    token = guard.token()
    guard.upstream.answer = providers.answer(providers.anthropic(TEXT, THOUGHT, ARGUMENTS, 3))
    with claude(guard, token).messages.stream(**CLAUDE) as run:
        first, text, _ = run.get_final_message().content
    assert first.type == "thinking" and (first.thinking, first.signature) == (shown, signature)
    assert text.type == "text" and text.text == MASKED

    guard.upstream.answer = providers.answer(providers.responses(TEXT, THOUGHT, ARGUMENTS, 3))
    with guard.openai(token).responses.stream(model="gpt-4o-mini", input="Hi") as responses:
        final = responses.get_final_response()
    reasoning = final.output[0]
    assert reasoning.type == "reasoning" and reasoning.summary[0].text == shown


# Dialects of chat.

DIALECTS = {
    "DeepSeek, xAI": lambda text: {"delta": {"reasoning_content": text}},
    "Mistral": lambda text: {"delta": {"content": [{"type": "text", "text": text}]}},
    "Mistral's thinking": lambda text: {
        "delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
    },
    "OpenRouter": lambda text: {"delta": {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": text}]}},
    "LiteLLM": lambda text: {"delta": {"thinking_blocks": [{"type": "thinking", "thinking": text}]}},
    "completions": lambda text: {"text": text},
    "a field of tomorrow": lambda text: {"delta": {"said_tomorrow": text}},
}


@pytest.mark.parametrize("make", DIALECTS.values(), ids=DIALECTS.keys())
@pytest.mark.parametrize("size", [1, 5])
def test_texts_of_dialects_are_masked_over_events(make: Any, size: int, guard: Guard, token: str) -> None:
    def event(choice: dict[str, Any]) -> providers.Event:
        return "", {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0} | choice]}

    def strings(value: Any) -> str:
        if isinstance(value, dict):
            return "".join(strings(item) for key, item in value.items() if key != "type")
        return "".join(map(strings, value)) if isinstance(value, list) else value if isinstance(value, str) else ""

    made = [event(make(piece)) for piece in providers.pieces(TEXT, size)]
    made.append(event({"delta": {}, "finish_reason": "stop"}))
    wire = ask(guard, token, "/v1/chat/completions", providers.answer(made, done=True))
    choices = [document["choices"][0] for _, document in providers.read(wire)]
    assert "".join(strings({k: v for k, v in c.items() if k != "finish_reason"}) for c in choices) == MASKED


SIDE_DOORS = {
    "Perplexity": {
        "citations": [EMAIL.value],
        "search_results": [{"title": CARD.value, "url": f"https://x/{EMAIL.value}"}],
    },
    "Azure": {"prompt_filter_results": [{"content_filter_results": {"blocklist": {"id": EMAIL.value}}}]},
    "Groq": {"x_groq": {"error": EMAIL.value}},
    "vLLM": {"prompt_token_ids": [4111], "prompt_logprobs": [{"1": {"decoded_token": EMAIL.value}}]},
    "llama.cpp": {"__verbose": {"content": "jane.doe@exam"}},
}


@pytest.mark.parametrize("more", SIDE_DOORS.values(), ids=SIDE_DOORS.keys())
def test_side_doors_of_dialects_are_closed(more: dict[str, Any], guard: Guard, token: str) -> None:
    document = json.loads(delta("hi")) | more
    wire = ask(guard, token, "/v1/chat/completions", providers.answer([("", document)], done=True))
    assert not leaks(wire, EMAIL.value, CARD.value, "jane.doe@exam", "4111")
    assert b'"hi"' in wire


def test_revised_prompts_and_transcripts_are_masked(guard: Guard, token: str) -> None:
    image = {"created": 1, "data": [{"revised_prompt": TEXT, "b64_json": "AAAA"}]}
    transcript = {
        "text": TEXT,
        "segments": [{"text": TEXT[:15]}, {"text": TEXT[15:]}],
        "words": [{"word": EMAIL.value}],
    }
    with guard.client(token) as client:
        guard.upstream.answer = json_answer(json.dumps(image))
        seen = client.post("/v1/images/generations", json={"prompt": "x"}).json()
        assert seen["data"] == [{"revised_prompt": MASKED, "b64_json": "AAAA"}]
        guard.upstream.answer = json_answer(json.dumps(transcript))
        seen = client.post("/v1/audio/transcriptions", json={}).json()
        assert seen == {"text": MASKED, "segments": [], "words": []}


# Cohere.


@pytest.mark.parametrize("size", SIZES)
def test_coheres_chat_is_masked(size: int, guard: Guard, token: str) -> None:
    def event(kind: str, index: int, **message: Any) -> providers.Event:
        return kind, {"type": kind, "index": index, "delta": {"message": message}}

    made = [event("tool-plan-delta", 0, tool_plan=piece) for piece in providers.pieces(THOUGHT, size)]
    for piece in providers.pieces(ARGUMENTS, size):
        made.append(event("tool-call-delta", 0, tool_calls={"function": {"arguments": piece}}))
    made.append(("tool-call-end", {"type": "tool-call-end", "index": 0}))
    made.extend(event("content-delta", 0, content={"text": piece}) for piece in providers.pieces(TEXT, size))
    cited = {
        "start": 0,
        "end": 5,
        "text": EMAIL.value,
        "sources": [{"type": "document", "document": {"t": CARD.value}}],
    }
    made.append(event("citation-start", 0, citations=cited))
    made.append(("content-end", {"type": "content-end", "index": 0}))
    made.append(("message-end", {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}))
    wire = ask(guard, token, "/cohere/v2/chat", providers.answer(made))
    assert not leaks(wire, *VALUES)
    texts = {"tool_plan": "", "arguments": "", "text": ""}
    for _, document in providers.read(wire):
        said = document["delta"]["message"] if document["type"].endswith("-delta") else {}
        texts["tool_plan"] += said.get("tool_plan", "")
        texts["arguments"] += said.get("tool_calls", {}).get("function", {}).get("arguments", "")
        texts["text"] += said.get("content", {}).get("text", "")
    assert (texts["text"], texts["tool_plan"]) == (MASKED, THOUGHT_MASKED)
    assert json.loads(texts["arguments"]) == ARGUMENTS_MASKED
