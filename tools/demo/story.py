"""The story: a list of steps, each a call with what must come of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import show
from stage import CLI, UPSTREAM_KEY, Stage

from parts import model, process, tap
from parts.store import WRITER

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
        steps = [(title, step) for title, step in STEPS if self.stage.store or step not in OURS]
        for number, (title, step) in enumerate(steps, 1):
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


def ended(story: Story) -> list[dict[str, Any]]:
    """The records of exchanges that ended, as they are."""
    lines = [json.loads(line) for line in story.stage.records().splitlines()]
    found = [log for line in lines for log in logs(line)]
    records = [json.loads(log["body"]["stringValue"]) for log in found]
    return [record for record in records if record.get("event.name") == "portcullis.exchange.end"]


def logs(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The log records of a line: itself, or what an export holds."""
    if "resourceLogs" not in line:
        return [line]
    scopes = [scope for resource in line["resourceLogs"] for scope in resource["scopeLogs"]]
    return [log for scope in scopes for log in scope["logRecords"]]


def approved_call(story: Story) -> None:
    stage, store = story.stage, story.stage.store
    assert store
    tool = {"type": "function", "function": {"name": "db_write", "parameters": {"type": "object"}}}
    body = question("Close the account of customer 42", tools=[tool])
    show.command(f"curl {stage.url}/v1/chat/completions -H 'host: agents.internal' …   # alice's agent, with db_write")
    with ThreadPoolExecutor(1) as pool:
        token = story.token("alice")
        headers = {"authorization": f"Bearer {token}", "host": "agents.internal"}
        call = pool.submit(httpx.post, f"{stage.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
        approver = story.token("bob", claims={"sub": "dora", "groups": ["approvers", "dba"]})
        waiting: list[dict[str, Any]] = []
        process.wait_until("the approval", lambda: bool(waiting) or waiting.extend(store.waiting(approver)))
        [approval] = waiting
        who, [rule] = approval["caller"]["subject"], approval["rules"]
        show.said(f'{approval["id"]} waits: {who} asks "{approval["prompt"]["text"]}" ({rule["rule"]})')
        story.expect_untouched()
        own = store.decide(story.token("alice", claims={"groups": ["approvers", "dba"]}), approval["id"], "approve")
        story.expect(own.status_code == 403, "alice cannot approve it herself")
        show.command(f"curl -X POST http://{store.address}/api/approvals/{approval['id']}/approve   # TOKEN: dora's")
        story.expect(store.decide(approver, approval["id"], "approve").status_code == 200, "dora, who owns it, can")
        answer = call.result(30)
    show.said(f"{answer.status_code}  {answer.json()['choices'][0]['message']['content']}")
    story.expect(answer.status_code == 200, "and the call that waited goes through")
    story.expect(model.EMAIL not in answer.text, "masked as every other")


def audit_records(story: Story) -> None:
    stage = story.stage
    # Three were refused for who asked or what; the others were answered.
    answered = 2 if stage.store else 1
    process.wait_until("the records of the exchanges", lambda: len(ended(story)) >= 4 + answered, timeout=20)
    records = ended(story)
    rows = [["decision", "reason", "rule", "who", "entities masked", "policy", "revision"]]
    for record in records:
        names = [f"portcullis.{name}" for name in ("decision", "reason", "rule", "identity.subject")]
        cells = [record.get(name, "-") for name in names]
        entities = " ".join(record.get("portcullis.response.entities", {})) or "-"
        rows.append([*cells, entities, record.get("portcullis.policy", "-"), record["portcullis.revision"][:12]])
    if stage.store:
        show.command(
            f'curl http://{stage.store.address}/api/records -H "authorization: Bearer $TOKEN"   # an auditor\'s'
        )
    else:
        show.command(f"tail {stage.sink.file.relative_to(process.ROOT)}   # what the collector passed on")
    show.table([[str(cell) for cell in row] for row in rows])

    revisions = {record.get("portcullis.revision") for record in records}
    story.expect(revisions == {stage.revision}, f"every record names the policies' commit {stage.revision[:12]}")
    outcomes = {(record.get("portcullis.decision"), record.get("portcullis.reason")) for record in records}
    expected = {("deny", "unauthenticated"), ("deny", "forbidden")}
    story.expect(expected <= outcomes, "each refusal says why")
    allowed = [record for record in records if record.get("portcullis.decision") == "allow"]
    story.expect(len(allowed) == answered, "what was answered is recorded as allowed")
    masked = {entity for record in allowed for entity in record.get("portcullis.response.entities", {})}
    wanted = {"EMAIL_ADDRESS"} if stage.real else {"EMAIL_ADDRESS", "CREDIT_CARD", "AWS_ACCESS_KEY"}
    story.expect(wanted <= masked, f"with what was masked: {', '.join(sorted(masked))}")
    if stage.store:
        story.expect(any(record.get("portcullis.approval") for record in allowed), "and who approved what")
    written = stage.records()
    hidden = [*model.SECRETS, UPSTREAM_KEY, WRITER, *story.tokens]
    story.expect(not any(value in written for value in hidden), "no record holds a secret, the credential or a token")


def replay(story: Story) -> None:
    """What was asked and answered, as it is kept: masked."""
    record = next(record for record in ended(story) if record.get("portcullis.approval"))
    assert story.stage.store
    exchange = record["portcullis.exchange"]
    path = f"/api/exchanges/{exchange}"
    show.command(f"curl http://{story.stage.store.address}{path}   # or open #/exchanges/{exchange} on its page")
    whole = story.stage.store.ask(story.stage.auditor(), "GET", path)
    story.expect(whole.status_code == 200, "an auditor reads the whole exchange")
    by = [who.rsplit("#")[-1] for who in record["portcullis.approval_by"]]
    for name, side in (("asked", "prompt"), ("answered", "response")):
        show.said(f"{name}: {said(whole.text, side)}")
    story.expect("Close the account" in said(whole.text, "prompt"), "what was asked")
    story.expect("<EMAIL_ADDRESS>" in said(whole.text, "response"), "what was answered, masked")
    story.expect(by == ["dora"], "who approved it")
    story.expect("portcullis.collector.read" in story.stage.records(), "and that the auditor read it is recorded too")


def said(text: str, side: str) -> str:
    """The texts of one side, in the order in which they were kept."""
    found = []

    def walk(value: Any) -> None:
        if isinstance(value, str) and value.startswith("{"):
            walk(json.loads(value))
        elif isinstance(value, dict):
            found.extend(piece["text"] for piece in value.get(f"portcullis.{side}.texts", []))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    for line in text.splitlines():
        walk(json.loads(line))
    return " ".join(found)


def tampered(story: Story) -> None:
    """Somebody changes a record behind the collector's back."""
    folder = story.stage.folder
    good, bad = folder / "records.jsonl", folder / "tampered.jsonl"
    good.write_text(story.stage.records())
    verified = verify(good, "--partial")
    story.expect(verified.returncode == 0, "the records are whole")
    lines = good.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if '\\"o9-huge\\"' in line)
    lines[at] = lines[at].replace("o9-huge", "o9-tiny")
    bad.write_text("".join(lines))
    show.line("   Now somebody makes o9-huge an o9-tiny in one of them.")
    verified = verify(bad, "--partial")
    story.expect(verified.returncode == 3, "audit verify says that a record was changed")
    story.expect("changed" in verified.stdout, "and which")


def verify(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    show.command(f"portcullis audit verify {' '.join(more)} {path.relative_to(process.ROOT)}")
    argv = [str(CLI), "audit", "verify", *more, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    for line in done.stdout.splitlines()[-6:]:
        show.line(f"   {line}")
    return done


def simulated(story: Story) -> None:
    """What another policy would have done to the calls of this story."""
    folder = story.stage.folder / "stricter"
    shutil.copytree(story.stage.policies, folder, ignore=shutil.ignore_patterns(".git", "*_test.yaml"))
    changed = 0
    for path in folder.rglob("*.yaml"):
        text = path.read_text()
        changed += text.count('"gpt-4o-mini", ')
        path.write_text(text.replace('"gpt-4o-mini", ', ""))
    records = story.stage.folder / "records.jsonl"
    records.write_text(story.stage.records())
    show.line("   A stricter set no longer has gpt-4o-mini among its models.")
    show.command(f"portcullis simulate --records {records.relative_to(process.ROOT)} stricter")
    argv = [str(CLI), "simulate", "--records", str(records), str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    for line in done.stdout.splitlines()[:14]:
        show.line(f"   {line}")
    story.expect(
        changed > 0 and "models" in done.stdout, "simulate says whose calls would be refused, and by which rule"
    )


STEPS: list[tuple[str, Callable[[Story], None]]] = [
    ("Without a token", no_token),
    ("With an expired token", expired_token),
    ("In the wrong group", wrong_group),
    ("Asking for a model the policy forbids, with the official OpenAI client", forbidden_model),
    ("Allowed, streamed, masked", streamed_answer),
    ("A call that a human must approve", approved_call),
    ("What the auditor sees", audit_records),
    ("One call, replayed", replay),
    ("A record that somebody changed", tampered),
    ("Another policy, against what happened", simulated),
]

# Steps that need our own collector.
OURS = {approved_call, replay, tampered, simulated}
