"""Texts with values whose masks are known, and readers of answers that share no code with the filter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parts.collector import Record, Sink

# Put together from parts, so that no scanner of source code takes an example for a leaked key.
_PEM_BODY = "\n".join(["MIIEvQIBADAN" * 3, "BgkqhkiG9w0B" * 3, "AQEF=="])


@dataclass(frozen=True)
class Known:
    """A text that holds one value."""

    entity: str
    before: str
    value: str
    after: str

    @property
    def text(self) -> str:
        return f"{self.before}{self.value}{self.after}"

    @property
    def masked(self) -> str:
        return f"{self.before}<{self.entity}>{self.after}"


EMAIL = Known("EMAIL_ADDRESS", "Write to ", "jane.doe@example.com", " today.")
CARD = Known("CREDIT_CARD", "card ", "4111 1111 1111 1111", ", exp 12/30")
AWS = Known("AWS_ACCESS_KEY", "id ", "AKIA" + "IOSF" * 4, " ok")
JWT = Known("JWT", "bearer ", f"eyJ{'hbGc' * 5}.eyJ{'zdWI' * 6}.{'SflKxwRJ' * 4}", " end")
PEM = Known("PRIVATE_KEY", "key: ", f"-----BEGIN PRIVATE KEY-----\n{_PEM_BODY}\n-----END PRIVATE KEY-----", " end")
ALL = [EMAIL, CARD, AWS, JWT, PEM]


def name_of(known: object) -> str | None:
    """A test's id."""
    return known.entity if isinstance(known, Known) else None


def leaks(wire: bytes, *values: str) -> list[str]:
    """Which of the values stand in the bytes: as they are, or as JSON writes them in ASCII."""
    text = wire.decode(errors="replace")
    forms = {value: {value, json.dumps(value)[1:-1], json.dumps(json.dumps(value))[3:-3]} for value in values}
    return [value for value, spelt in forms.items() if any(form in text for form in spelt)]


def events(stream: bytes) -> list[str]:
    """The data of each event, after the letter of the standard (WHATWG HTML, "Server-sent events")."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found, data = [], []
    for line in text.split("\n"):
        if not line:
            if data:
                found.append("\n".join(data))
            data = []
        elif line.split(":")[0] == "data":
            data.append(line[5:].removeprefix(" "))
    return found


def documents(stream: bytes) -> list[dict[str, Any]]:
    """The events that carry a document."""
    return [json.loads(data) for data in events(stream) if data.strip() not in ("", "[DONE]")]


Where = tuple[Any, ...]


def joined(stream: bytes) -> dict[Where, str]:
    """Each text of a streamed answer, its pieces joined as a client does, by choice and place."""
    texts: dict[Where, str] = {}
    for document in documents(stream):
        for choice in document.get("choices") or []:
            rest = {"text": choice["text"]} if "text" in choice else choice.get("delta", {})
            for place, piece in _strings(rest):
                where = (choice["index"], *place)
                texts[where] = texts.get(where, "") + piece
    return {where: text for where, text in texts.items() if where[-1] not in ("role", "type", "id")}


def content(stream: bytes, choice: int = 0) -> str:
    return joined(stream).get((choice, "content"), "")


def _strings(value: Any, place: Where = ()) -> Iterator[tuple[Where, str]]:
    match value:
        case str():
            yield place, value
        case dict():
            for key, item in value.items():
                yield from _strings(item, (*place, key))
        case list():
            for at, item in enumerate(value):
                index = item.get("index", at) if isinstance(item, dict) else at
                yield from _strings(item, (*place, index))


def end_of(sink: Sink, exchange: str) -> dict[str, Any]:
    """The end record of an exchange, waited for."""
    return record_of(sink, exchange, "end")


def record_of(sink: Sink, exchange: str, event: str) -> dict[str, Any]:
    """A record of an exchange, waited for."""

    def is_it(record: Record) -> bool:
        return record.event == f"portcullis.exchange.{event}" and record.attributes["portcullis.exchange"] == exchange

    return sink.wait_for(is_it).json()
