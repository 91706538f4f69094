"""The story: a list of steps, each a call with what must come of it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai
import show
from stage import UPSTREAM_KEY, Stage

from parts import model, process, tap
from parts.collector import Record

QUESTION = "Who is customer 42, and how does the job sign in?"
# A small model knows nothing of customers; it can repeat.
REAL_QUESTION = f"Repeat this sentence exactly: The e-mail of the customer is {model.EMAIL}."


@dataclass
class Story:
    """Plays the steps and counts what did not go as told."""

    stage: Stage
    failures: int = 0
    tokens: list[str] = field(default_factory=list)

    def expect(self, holds: object, text: str) -> None:
        show.check(bool(holds), text)
        self.failures += not holds

    def play(self) -> None:
        for number, (title, step) in enumerate(STEPS, 1):
            show.title(f"{number}  {title}")
            self.stage.tap.clear()
            try:
                step(self)
            except Exception as error:  # whatever a step meets is a failed expectation, and the others still play
                self.expect(False, f"the step broke: {type(error).__name__}: {error}")
        faults = self.stage.envoy.faults()
        show.title("And through all of it")
        self.expect(not faults, "the module never trapped" if not faults else f"Envoy reports {faults}")

    def token(self, user: str, **wish: Any) -> str:
        token = self.stage.idp.token(user, **wish)
        self.tokens.append(token)
        return token

    def expect_untouched(self) -> None:
        self.expect(not self.stage.tap.sent, "the model's side of the wire saw nothing")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]


def curl(story: Story, body: dict[str, Any], token: str | None = None, who: str = "") -> Answer:
    """Calls as a user would, prints the command (its token by name) and the answer."""
    url = f"{story.stage.url}/v1/chat/completions"
    data = json.dumps(body)
    bearer = f'   # TOKEN: {who}\n-H "authorization: Bearer $TOKEN" ' if token else "\n"
    show.command(f"curl {url}{bearer}-d '{data}'")
    argv = ["curl", "--silent", "--show-error", "--include", "--max-time", "30", url]
    argv += ["-H", "content-type: application/json", "-d", data]
    if token:
        argv += ["-H", f"authorization: Bearer {token}"]
    done = subprocess.run(argv, capture_output=True, timeout=40, check=True)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    answer = Answer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, content)
    for name in ("www-authenticate", "x-portcullis-exchange", "x-portcullis-policy"):
        if name in answer.headers:
            show.said(show.dim(f"{name}: {answer.headers[name]}"))
    show.said(f"{answer.status}  {content.decode(errors='replace')}")
    return answer


def question(text: str = QUESTION, name: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model": name, "messages": [{"role": "user", "content": text}], **more}


def no_token(story: Story) -> None:
    answer = curl(story, question())
    story.expect(answer.status == 401, "401")
    story.expect(answer.error.get("code") == "unauthenticated", "the error is in OpenAI's shape, code unauthenticated")
    story.expect("bearer" in answer.headers.get("www-authenticate", "").lower(), "www-authenticate asks for a token")
    story.expect_untouched()


def expired_token(story: Story) -> None:
    now = int(time.time())
    token = story.token("alice", claims={"iat": now - 900, "exp": now - 300})
    answer = curl(story, question(), token, "alice's, signed by the provider, expired five minutes ago")
    story.expect(answer.status == 401, "401")
    story.expect(answer.error.get("code") == "unauthenticated", "code unauthenticated")
    story.expect_untouched()


def wrong_group(story: Story) -> None:
    answer = curl(story, question(), story.token("bob"), "bob's, who is in marketing")
    story.expect(answer.status == 403, "403")
    story.expect(answer.error.get("code") == "forbidden", "code forbidden")
    story.expect_untouched()


def forbidden_model(story: Story) -> None:
    show.command(
        f'client = OpenAI(base_url="{story.stage.url}/v1", api_key=alices_token)\n'
        'client.chat.completions.create(model="o9-huge", …)'
    )
    client = openai.OpenAI(base_url=f"{story.stage.url}/v1", api_key=story.token("alice"), max_retries=0, timeout=30)
    try:
        client.chat.completions.create(**question(name="o9-huge"))
    except openai.APIStatusError as error:
        show.said(f"openai.{type(error).__name__}: {error.message}")
        story.expect(
            isinstance(error, openai.PermissionDeniedError), "the official client raises PermissionDeniedError"
        )
        story.expect("Use gpt-4o-mini or gpt-4o." in str(error.message), "the message is the one the policy gives")
        story.expect(QUESTION not in str(error.message), "and repeats nothing of the prompt")
    else:
        story.expect(False, "the call was refused")
    story.expect_untouched()


def streamed_answer(story: Story) -> None:
    stage = story.stage
    text = REAL_QUESTION if stage.real else QUESTION
    show.command(f'client.chat.completions.create(model="gpt-4o-mini", stream=True, …)   # {text}')
    token = story.token("alice")
    client = openai.OpenAI(base_url=f"{stage.url}/v1", api_key=token, max_retries=0, timeout=120)
    settings = {"temperature": 0, "max_tokens": 60} if stage.real else {}
    seen = ""
    for chunk in client.chat.completions.create(**question(text, stream=True, **settings)):
        if chunk.choices and chunk.choices[0].delta.content:
            seen += chunk.choices[0].delta.content
    raw = tap.deltas(bytes(stage.tap.answered))
    show.side_by_side("what the model sent, event by event", "|".join(raw), "what the caller saw", seen)

    secrets = [model.EMAIL] if stage.real else list(model.SECRETS)
    # The small model repeats in its own spelling.
    whole, pieces, caller = "".join(raw).lower(), [piece.lower() for piece in raw], seen.lower()
    found = [value.lower() for value in secrets if value.lower() in whole]
    story.expect(len(found) == len(secrets), f"the model gave away {len(secrets)} value(s) that no caller may see")
    story.expect(not any(value in piece for value in found for piece in pieces), "each cut into pieces across events")
    story.expect(seen and not any(value in caller for value in found), "the caller saw none of them")
    story.expect("<EMAIL_ADDRESS>" in seen, "but where they stood")
    sent = tap.request_headers(bytes(stage.tap.sent))
    story.expect(sent.get("authorization") == f"Bearer {UPSTREAM_KEY}", "the model's side saw our credential")
    story.expect(token.encode() not in stage.tap.sent, "and never alice's token")


def audit_records(story: Story) -> None:
    stage = story.stage
    # Three were refused for who asked or what, one was answered; the fifth had no identity to speak of.
    expected = {("deny", "unauthenticated"), ("deny", "forbidden")}

    def ends() -> list[Record]:
        return stage.sink.events("exchange.end")

    process.wait_until("the records of five exchanges", lambda: len(ends()) >= 5, timeout=20)
    rows = [["decision", "reason", "rule", "who", "entities masked", "policy", "revision"]]
    for record in ends():
        get = record.attributes.get
        entities = get("portcullis.response.entities") or []
        subject = get("portcullis.identity.subject", "-")
        cells = [get(f"portcullis.{name}", "-") for name in ("decision", "reason", "rule")]
        rows.append(
            [
                *cells,
                subject,
                " ".join(entities) or "-",
                get("portcullis.policy", "-"),
                get("portcullis.revision", "-")[:12],
            ]
        )
    show.command(f"tail {stage.sink.file.relative_to(process.ROOT)}   # what the collector passed on")
    show.table([[str(cell) for cell in row] for row in rows])

    revisions = {record.attributes.get("portcullis.revision") for record in ends()}
    story.expect(revisions == {stage.revision}, f"every record names the policies' commit {stage.revision[:12]}")
    outcomes = {
        (record.attributes.get("portcullis.decision"), record.attributes.get("portcullis.reason")) for record in ends()
    }
    story.expect(expected <= outcomes, "each refusal says why")
    allowed = [record for record in ends() if record.attributes.get("portcullis.decision") == "allow"]
    story.expect(len(allowed) == 1, "the one answered call is recorded as allowed")
    masked = set(allowed[0].attributes.get("portcullis.response.entities", [])) if allowed else set()
    wanted = {"EMAIL_ADDRESS"} if stage.real else {"EMAIL_ADDRESS", "CREDIT_CARD", "AWS_ACCESS_KEY"}
    story.expect(wanted <= masked, f"with what was masked: {', '.join(sorted(masked))}")
    written = stage.sink.file.read_text()
    hidden = [*model.SECRETS, UPSTREAM_KEY, *story.tokens]
    story.expect(not any(value in written for value in hidden), "no record holds a secret, the credential or a token")


STEPS: list[tuple[str, Callable[[Story], None]]] = [
    ("Without a token", no_token),
    ("With an expired token", expired_token),
    ("In the wrong group", wrong_group),
    ("Asking for a model the policy forbids, with the official OpenAI client", forbidden_model),
    ("Allowed, streamed, masked", streamed_answer),
    ("What the auditor sees", audit_records),
]
