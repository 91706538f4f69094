"""Streams as the providers' documentation shows them, made from pieces of texts; by means that share nothing with the
filter. Each is a list of events: a name (empty where the provider sends none) and a document."""

from __future__ import annotations

import json
from typing import Any

from parts.upstream import Answer

Event = tuple[str, dict[str, Any]]


def sse(events: list[Event], *, done: bool = False) -> bytes:
    """The bytes of the events."""
    lines = [(f"event: {name}\n" if name else "") + f"data: {json.dumps(document)}\n\n" for name, document in events]
    return "".join(lines).encode() + (b"data: [DONE]\n\n" if done else b"")


def answer(events: list[Event], *, done: bool = False) -> Answer:
    return Answer(pieces=[sse(events, done=done)])


def read(wire: bytes) -> list[Event]:
    """The events back again."""
    events: list[Event] = []
    for block in wire.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if fields.get("data", "[DONE]") != "[DONE]":
            events.append((fields.get("event", ""), json.loads(fields["data"])))
    return events


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


# Anthropic.


def message(content: list[dict[str, Any]], stop: str | None = "end_turn") -> dict[str, Any]:
    """A whole message."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    }


def anthropic(text: str, thinking: str, arguments: str, size: int) -> list[Event]:
    """Thinking with its signature, a text, and a tool that is used."""
    made: list[dict[str, Any]] = [{"type": "message_start", "message": message([], None)}, {"type": "ping"}]

    def block(index: int, start: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        made.append({"type": "content_block_start", "index": index, "content_block": start})
        made.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        made.append({"type": "content_block_stop", "index": index})

    thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(thinking, size)]
    block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        [*thoughts, {"type": "signature_delta", "signature": "EqQB"}],
    )
    block(1, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(text, size)])
    block(
        2,
        {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}},
        [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(arguments, size)],
    )
    ending = {"stop_reason": "tool_use", "stop_sequence": None}
    made.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 15}})
    made.append({"type": "message_stop"})
    return [(document["type"], document) for document in made]


# OpenAI's responses.


def response(output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """A whole response."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 12,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o-mini",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        }
        if status == "completed"
        else None,
    }


def responses(text: str, summary: str, arguments: str, size: int) -> list[Event]:
    """Reasoning with a summary, a message, and a function that is called; all texts again in every `done`."""
    made: list[dict[str, Any]] = []

    def add(kind: str, **fields: Any) -> None:
        made.append({"type": f"response.{kind}", "sequence_number": len(made)} | fields)

    add("created", response=response([], "in_progress"))
    add("in_progress", response=response([], "in_progress"))

    at: dict[str, Any] = {"output_index": 0, "item_id": "rs_1", "summary_index": 0}
    add("output_item.added", output_index=0, item={"id": "rs_1", "type": "reasoning", "summary": []})
    add("reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})
    for piece in pieces(summary, size):
        add("reasoning_summary_text.delta", **at, delta=piece, obfuscation="xY")
    add("reasoning_summary_text.done", **at, text=summary)
    add("reasoning_summary_part.done", **at, part={"type": "summary_text", "text": summary})
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": summary}]}
    add("output_item.done", output_index=0, item=reasoning)

    at = {"output_index": 1, "item_id": "msg_1", "content_index": 0}
    item = {"id": "msg_1", "type": "message", "role": "assistant"}
    add("output_item.added", output_index=1, item=item | {"status": "in_progress", "content": []})
    part = {"type": "output_text", "annotations": [], "logprobs": []}
    add("content_part.added", **at, part=part | {"text": ""})
    for piece in pieces(text, size):
        add("output_text.delta", **at, delta=piece, logprobs=[], obfuscation="xY")
    add("output_text.done", **at, text=text, logprobs=[])
    add("content_part.done", **at, part=part | {"text": text})
    item |= {"status": "completed", "content": [part | {"text": text}]}
    add("output_item.done", output_index=1, item=item)

    at = {"output_index": 2, "item_id": "fc_1"}
    call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "send"}
    add("output_item.added", output_index=2, item=call | {"status": "in_progress", "arguments": ""})
    for piece in pieces(arguments, size):
        add("function_call_arguments.delta", **at, delta=piece, obfuscation="xY")
    add("function_call_arguments.done", **at, arguments=arguments)
    call |= {"status": "completed", "arguments": arguments}
    add("output_item.done", output_index=2, item=call)
    add("completed", response=response([reasoning, item, call]))
    return [(document["type"], document) for document in made]
