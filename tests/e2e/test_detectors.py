"""A set's own detectors, and values written with other characters, on a real Envoy."""

# ruff: noqa: RUF001 - these characters are what the tests are about
from __future__ import annotations

import json
from typing import Any

import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, cli, completion, delta, finish, question
from known import content, end_of
from parts.idp import Idp
from parts.upstream import Answer, json_answer, stream

PATH = "/v1/chat/completions"
CARD = "4111111111111111"

OWN = [
    {"name": "EMPLOYEE_ID", "pattern": "EMP-[0-9]{6}"},
    {"name": "EMPLOYEE_ID", "pattern": "[0-9]{5}", "context": ["staff number"]},
    {"name": "CODENAME", "words": ["Bluebird", "Night Jar", "Zoë"], "ignore_case": True},
]

FOUND = {
    "a pattern": ("See EMP-123456.", "See <EMPLOYEE_ID>."),
    "a part of another word": ("See XEMP-123456 and EMP-1234567.", "See XEMP-123456 and EMP-1234567."),
    "in context": (
        "Staff number: 12345. Of all that has been said so far today, 23456 words.",
        "Staff number: <EMPLOYEE_ID>. Of all that has been said so far today, 23456 words.",
    ),
    "a word": ("project BLUEBIRD, Bluebirds and night jar", "project <CODENAME>, Bluebirds and <CODENAME>"),
    "a word beyond ASCII": ("with Zoë’s help", "with <CODENAME>’s help"),
    "full-width": ("card ４１１１ １１１１ １１１１ １１１１.", "card <CREDIT_CARD>."),
    "mathematical": ("card 𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏.", "card <CREDIT_CARD>."),
    "no-break spaces": ("4111\u00a01111\u202f1111\u00a01111", "<CREDIT_CARD>"),
    "no-break hyphens": ("4111\u20111111–1111−1111", "<CREDIT_CARD>"),
    "invisible within": ("jane\u200b@exam\u00adple.com", "<EMAIL_ADDRESS>"),
    "invisible before": (f"word\u200b{CARD}\u200bword", "word\u200b<CREDIT_CARD>\u200bword"),
    "percent-encoded": ("?to=jane%40example.com&n=%34%31%31%31111111111111", "?to=<EMAIL_ADDRESS>&n=<CREDIT_CARD>"),
    "nothing": ("10–12 %41 ４\u200b café\u00a0: 100% 😀\ufe0f", "10–12 %41 ４\u200b café\u00a0: 100% 😀\ufe0f"),
}
"""What an answer says, and what the caller gets."""


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer, detectors=OWN)
    policy = sets.policy(made)
    # `to=` belongs to no address in these texts.
    policy["mask"] = {"response": {"entities": ["EMAIL_ADDRESS", "CREDIT_CARD", "EMPLOYEE_ID", "CODENAME"]}}
    policy["rules"].append({"name": "codenames", "deny": '"CODENAME" in prompt.entities'})
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


def ask(guard: Guard, token: str, answer: Answer, **body: Any) -> Any:
    guard.upstream.answer = answer
    with guard.client(token) as client:
        return client.post(PATH, json=question(**body))


@pytest.mark.parametrize("case", FOUND)
def test_a_whole_answer_is_masked(case: str, guard: Guard, token: str) -> None:
    text, masked = FOUND[case]
    reply = ask(guard, token, json_answer(completion(text)))
    assert reply.json()["choices"][0]["message"]["content"] == masked
    escaped = json.dumps(json.loads(completion(text)), ensure_ascii=True)
    reply = ask(guard, token, json_answer(escaped))
    assert reply.json()["choices"][0]["message"]["content"] == masked


@pytest.mark.parametrize("case", FOUND)
def test_a_streamed_answer_is_masked_at_every_cut(case: str, guard: Guard, token: str) -> None:
    text, masked = FOUND[case]
    guard.upstream.answer = stream(*[delta(character) for character in text], finish())
    with guard.client(token) as client:
        assert content(client.post(PATH, json=question(stream=True)).content) == masked
        for at in range(len(text) + 1):
            guard.upstream.answer = stream(delta(text[:at]), delta(text[at:]), finish())
            assert content(client.post(PATH, json=question(stream=True)).content) == masked, f"cut at {at}"


def test_rules_and_records_know_the_sets_own_entities(guard: Guard, token: str) -> None:
    reply = ask(guard, token, json_answer(completion("EMP-123456 of Bluebird, bluebird")))
    body = end_of(guard.sink, reply.headers["x-portcullis-exchange"])
    assert body["portcullis.response.entities"] == {"CODENAME": 2, "EMPLOYEE_ID": 1}
    refused = ask(guard, token, json_answer(completion("")), text="What is Night Jar?")
    assert (refused.status_code, "codenames" in refused.text) == (403, True)


@pytest.mark.parametrize(
    ("detector", "told"),
    [
        ({"name": "X", "pattern": "a.b"}, "detectors[0].pattern: bytes beyond ASCII"),
        ({"name": "X", "pattern": "[ab]*a[ab]{20}"}, "detectors[0].pattern: more than 2048 states"),
        ({"name": "X", "words": ["ok", "n"]}, "detectors[0].words[1]: `n` has 1 bytes"),
        ({"name": "PII", "words": ["ok"]}, "detectors[0].name: PII is a set of entities"),
    ],
)
def test_check_says_what_the_engine_does_not_hold(detector: dict[str, Any], told: str, guard: Guard, idp: Idp) -> None:
    bad = sets.chat(idp.issuer, detectors=[detector])
    checked = cli("check", guard.write(bad), check=False)
    assert checked.returncode == 1
    assert told in checked.stdout + checked.stderr


SYLLABLES = ["ka", "ber", "lin", "to", "mar", "sel", "vi", "no", "ra", "dun", "es", "the"]


def customer(number: int) -> str:
    """One of three million names, each another one."""
    left, parts = number * 1_234_577 % 12**6, []
    for _ in range(6):
        left, part = divmod(left, 12)
        parts.append(SYLLABLES[part])
    return "".join(parts[:3]).title() + " " + "".join(parts[3:]).title()


@pytest.fixture(scope="module")
def directory(start_guard: StartGuard, idp: Idp) -> Guard:
    names = [customer(number) for number in range(100_000)]
    made = sets.chat(idp.issuer, detectors=[{"name": "CUSTOMER", "words": names, "ignore_case": True}])
    sets.policy(made)["mask"] = {"response": {"entities": ["CUSTOMER", "EMAIL_ADDRESS"]}}
    return start_guard(made)


@pytest.mark.parametrize("number", [0, 1, 4_711, 50_000, 99_999])
def test_a_dictionary_of_a_hundred_thousand_words_loads_and_masks(number: int, directory: Guard) -> None:
    name, other = customer(number), customer(number + 100_000)
    text = f"Of {name}, {name.upper()} and {name}s; {other} (a@b.co) is none"
    masked = f"Of <CUSTOMER>, <CUSTOMER> and {name}s; {other} (<EMAIL_ADDRESS>) is none"
    token = directory.token()
    reply = ask(directory, token, json_answer(completion(text)))
    assert reply.json()["choices"][0]["message"]["content"] == masked
    directory.upstream.answer = stream(*[delta(character) for character in text], finish())
    with directory.client(token) as client:
        assert content(client.post(PATH, json=question(stream=True)).content) == masked
