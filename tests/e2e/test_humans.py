"""Calls that wait for a human: a real Envoy, our own collector, and people with tokens of a real identity provider."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import CLI, Guard, completion, question
from parts import process
from parts.idp import Idp
from parts.store import WRITER, Store
from parts.upstream import json_answer

TOOL = {"type": "function", "function": {"name": "db_read", "parameters": {"type": "object"}}}
WAIT = 5.0


def policy_set(issuer: str, **approvals: Any) -> sets.Set:
    made = sets.chat(issuer)
    usual = sets.policy(made)
    usual["rules"] = [
        {"name": "db-tools", "approve": 'llm.tools.exists(t, t.startsWith("db_"))', "approvers": ["dba"]},
        {"name": "many", "approve": "llm.n == 2", "quorum": 2},
    ]
    usual["budgets"] = [{"name": "calls", "key": "identity.id", "requests": 1000, "per": "1h"}]
    made["approvals"] = {
        "cluster": "approvals",
        "timeout": "2s",
        "wait": f"{WAIT:g}s",
        "ttl": "10m",
        "ignore": ["/metadata/request_time"],
        "headers": {"authorization": "Bearer ${env:APPROVALS_TOKEN}"},
    } | approvals
    return made


@pytest.fixture(scope="module")
def store(idp: Idp, run_folder: Path) -> Iterator[Store]:
    folder = run_folder / "humans-store"
    folder.mkdir()
    store = Store(folder, idp.issuer).start()
    yield store
    store.stop()


def options(store: Store, **more: Any) -> dict[str, Any]:
    return {"clusters": {"approvals": store.address}, "env": {"APPROVALS_TOKEN": WRITER}} | more


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp, store: Store) -> Guard:
    return start_guard(policy_set(idp.issuer), **options(store, concurrency=2))


def person(idp: Idp, name: str, *groups: str) -> str:
    return idp.token(claims={"sub": name, "groups": list(groups)})


@pytest.fixture(scope="module")
def dba(idp: Idp) -> str:
    return person(idp, "dora", "approvers", "dba")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def asking(text: str, **more: Any) -> dict[str, Any]:
    return question(text, tools=[TOOL]) | more


def post(guard: Guard, token: str, body: dict[str, Any]) -> httpx.Response:
    with guard.client(token) as client:
        return client.post("/v1/chat/completions", json=body)


def opened(store: Store, dba: str, text: str) -> dict[str, Any]:
    """The approval that waits with this text in its prompt."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [each for each in store.waiting(dba) if text in each["prompt"]["text"]]
        return bool(found)

    process.wait_until(f"an approval of {text!r}", there)
    assert len(found) == 1
    return found[0]


def held(
    pool: ThreadPoolExecutor, guard: Guard, store: Store, dba: str, token: str, text: str, **more: Any
) -> tuple[Future[httpx.Response], dict[str, Any]]:
    call = pool.submit(post, guard, token, asking(text, **more))
    return call, opened(store, dba, text.split("@")[0].rsplit(" ", 1)[0])


def test_a_call_waits_until_its_approver_says_yes(
    guard: Guard, store: Store, dba: str, token: str, pool: ThreadPoolExecutor
) -> None:
    guard.upstream.answer = json_answer(completion("done"))
    call, approval = held(pool, guard, store, dba, token, "Drop the table of a@example.com, please")
    assert guard.upstream.requests == []
    assert approval["prompt"]["text"].startswith("Drop the table of <EMAIL_ADDRESS>")
    assert approval["caller"]["subject"] == "alice"
    assert [rule["rule"] for rule in approval["rules"]] == ["db-tools"]
    assert store.decide(dba, approval["id"], "approve", "looks fine").status_code == 200
    answer = call.result(10)
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "done")
    assert len(guard.upstream.requests) == 1
    end = guard.sink.wait_for(lambda record: record.event == "portcullis.exchange.end")
    assert end.attributes["portcullis.approval"] == approval["id"]
    assert [by.rsplit("#")[-1] for by in end.json()["portcullis.approval_by"]] == ["dora"]


def test_a_conflict_names_the_approval_and_the_same_request_goes_through_once_it_is_approved(
    guard: Guard, store: Store, dba: str, token: str
) -> None:
    guard.upstream.answer = json_answer(completion("done"))
    client = guard.openai(token)
    with pytest.raises(openai.ConflictError) as refused:
        client.chat.completions.create(**asking("Read the ledger", metadata={"request_time": "1"}))
    approval = refused.value.response.headers["x-portcullis-approval"]
    assert refused.value.code == "approval_pending"
    assert refused.value.response.headers["x-should-retry"] == "true"
    assert guard.upstream.requests == []
    assert store.decide(dba, approval, "approve").status_code == 200
    done = client.chat.completions.create(**asking("Read the ledger", metadata={"request_time": "2"}))
    assert done.choices[0].message.content == "done"
    with pytest.raises(openai.ConflictError) as again:
        client.chat.completions.create(**asking("Read the ledger", metadata={"request_time": "3"}))
    assert again.value.response.headers["x-portcullis-approval"] != approval, "an approval is for one call"
    assert len(guard.upstream.requests) == 1


def test_an_official_client_comes_back_by_itself_until_somebody_said_yes(
    guard: Guard, store: Store, dba: str, token: str, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai._base_client.SyncAPIClient, "_sleep_for_retry", lambda *_, **__: None, raising=True)
    guard.upstream.answer = json_answer(completion("done"))
    client = guard.openai(token).with_options(max_retries=5)
    call = pool.submit(lambda: client.chat.completions.create(**asking("Patience")))
    approval = opened(store, dba, "Patience")
    time.sleep(WAIT + 1)
    assert store.decide(dba, approval["id"], "approve").status_code == 200
    assert call.result(30).choices[0].message.content == "done"
    assert len(guard.upstream.requests) == 1


def test_a_denied_call_says_why_and_is_not_asked_about_again(
    guard: Guard, store: Store, dba: str, token: str, pool: ThreadPoolExecutor
) -> None:
    call, approval = held(pool, guard, store, dba, token, "Delete everything")
    assert store.decide(dba, approval["id"], "deny", "Not on a Friday.").status_code == 200
    for answer in (call.result(10), post(guard, token, asking("Delete everything"))):
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["type"]) == (403, "approval_denied", "permission_error")
        assert "Not on a Friday." in error["message"]
        assert answer.headers["x-portcullis-approval"] == approval["id"]
    with pytest.raises(openai.PermissionDeniedError):
        guard.openai(token).chat.completions.create(**asking("Delete everything"))
    assert guard.upstream.requests == []


def test_nobody_approves_their_own_call_nor_without_the_rules_group(
    guard: Guard, store: Store, idp: Idp, dba: str, pool: ThreadPoolExecutor
) -> None:
    both = person(idp, "dora", "rag-users", "approvers", "dba")
    call, approval = held(pool, guard, store, dba, both, "For myself")
    assert store.decide(both, approval["id"], "approve").status_code == 403
    stranger = person(idp, "mallory", "approvers")
    assert store.decide(stranger, approval["id"], "approve").status_code == 403
    assert store.decide(person(idp, "eve", "dba"), approval["id"], "approve").status_code == 403
    assert call.result(10).status_code == 409
    assert guard.upstream.requests == []


def test_a_quorum_is_as_many_people_as_it_says(
    guard: Guard, store: Store, idp: Idp, dba: str, token: str, pool: ThreadPoolExecutor
) -> None:
    guard.upstream.answer = json_answer(completion("done"))
    call = pool.submit(post, guard, token, question("Two of us", n=2))
    approval = opened(store, dba, "Two of us")
    assert store.decide(dba, approval["id"], "approve").status_code == 200
    store.decide(dba, approval["id"], "approve")
    time.sleep(0.3)
    assert guard.upstream.requests == []
    assert store.decide(person(idp, "carl", "approvers"), approval["id"], "approve").status_code == 200
    assert call.result(10).status_code == 200


def test_an_approval_lets_one_call_through_of_many_on_two_workers(
    guard: Guard, store: Store, dba: str, token: str, pool: ThreadPoolExecutor
) -> None:
    guard.upstream.answer = json_answer(completion("done"))
    calls = [pool.submit(post, guard, token, asking("Only once")) for _ in range(12)]
    approval = opened(store, dba, "Only once")
    time.sleep(0.3)
    assert store.decide(dba, approval["id"], "approve").status_code == 200
    statuses = sorted(call.result(20).status_code for call in calls)
    assert statuses == [200] + [409] * 11
    assert len(guard.upstream.requests) == 1


def test_what_is_changed_on_a_retry_is_another_call(
    guard: Guard, store: Store, idp: Idp, dba: str, token: str, pool: ThreadPoolExecutor
) -> None:
    guard.upstream.answer = json_answer(completion("done"))
    call, approval = held(pool, guard, store, dba, token, "Read one row")
    assert call.result(10).status_code == 409
    assert store.decide(dba, approval["id"], "approve").status_code == 200
    others = [
        (token, asking("Read one row", temperature=1)),
        (token, asking("Read one row; and all others")),
        (person(idp, "bob", "rag-users"), asking("Read one row")),
    ]
    for caller, body in others:
        assert post(guard, caller, body).status_code == 409
    with guard.client(token) as client:
        answer = client.post("/v1/chat/completions?stream=1", json=asking("Read one row"))
        assert answer.status_code == 409
        answer = client.post("/v1/chat/completions", json=asking("Read one row"), headers={"openai-beta": "tools=v9"})
        assert answer.status_code == 409
    assert guard.upstream.requests == []
    assert post(guard, token, asking("Read one row")).status_code == 200


def test_other_calls_go_on_while_some_wait(
    guard: Guard, store: Store, dba: str, token: str, pool: ThreadPoolExecutor
) -> None:
    guard.upstream.answer = json_answer(completion("quick"))
    before = store.count(dba)
    waiting = [pool.submit(post, guard, token, asking(f"Slow {n}")) for n in range(10)]
    process.wait_until("ten approvals", lambda: store.count(dba) >= before + 10)
    assert not all(call.done() for call in waiting)
    for _ in range(20):
        assert guard.chat(token).status_code == 200
    assert {call.result(20).status_code for call in waiting} == {409}


def test_a_service_that_dies_and_comes_back_lets_nothing_through_unasked_and_loses_no_yes(
    start_guard: StartGuard, idp: Idp, run_folder: Path, dba: str, pool: ThreadPoolExecutor
) -> None:
    folder = run_folder / "humans-dying"
    folder.mkdir()
    store = Store(folder, idp.issuer).start()
    guard = start_guard(policy_set(idp.issuer, wait="20s"), **options(store))
    guard.upstream.answer = json_answer(completion("done"))
    token = guard.token()
    try:
        call, approval = held(pool, guard, store, dba, token, "Through a restart")
        assert store.process is not None
        store.process.signal(signal.SIGKILL)
        store.process.wait_exit()
        store.start()
        assert store.decide(dba, approval["id"], "approve").status_code == 200
        assert call.result(20).status_code == 200
        assert len(guard.upstream.requests) == 1
        store.stop()
        began = time.time()
        answer = post(guard, token, asking("While it is down"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "guard_unavailable")
        assert time.time() - began < 15
        assert len(guard.upstream.requests) == 1
        store.start()
        assert post(guard, token, question("Nothing asked")).status_code == 200
    finally:
        store.stop()


def test_a_verdict_must_be_signed_where_the_set_has_a_key(
    start_guard: StartGuard, idp: Idp, store: Store, dba: str, pool: ThreadPoolExecutor
) -> None:
    argv = [str(CLI), "audit", "public-key"]
    printed = subprocess.run(argv, input=store.seed, capture_output=True, text=True, check=True).stdout.strip()
    guard = start_guard(policy_set(idp.issuer, public_key=printed), **options(store))
    guard.upstream.answer = json_answer(completion("done"))
    call, approval = held(pool, guard, store, dba, guard.token(), "Signed")
    assert store.decide(dba, approval["id"], "approve").status_code == 200
    assert call.result(10).status_code == 200
    other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    guard = start_guard(policy_set(idp.issuer, public_key=other), **options(store))
    call, approval = held(pool, guard, store, dba, guard.token(), "Signed by another")
    assert store.decide(dba, approval["id"], "approve").status_code == 200
    assert call.result(20).status_code == 503
    assert guard.upstream.requests == []


class Liar(threading.Thread):
    """A service that says yes to everything, in its own way."""

    def __init__(self, answers: dict[str, Any]):
        super().__init__(daemon=True)
        import http.server

        liar = self
        self.answers = answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked = json.loads(body) if body else {}
                said = liar.answers["spend" if self.path.endswith("/spend") else "open"]
                status, said = said(asked) if callable(said) else (200, said)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def run(self) -> None:
        self.server.serve_forever(0.05)


YES = {"id": "apr_1", "state": "approved"}
LIES: dict[str, dict[str, Any]] = {
    "spent before it is asked to be": {"open": {"id": "apr_1", "state": "spent"}, "spend": YES},
    "approved for ever": {"open": YES, "spend": YES},
    "spent by another": {"open": YES, "spend": {"id": "apr_1", "state": "spent", "exchange": "x"}},
    "another approval": {
        "open": YES,
        "spend": lambda asked: (200, {"id": "apr_2", "state": "spent", "exchange": asked["exchange"]}),
    },
    "an error that looks like a yes": {
        "open": YES,
        "spend": lambda asked: (500, {"id": "apr_1", "state": "spent", "exchange": asked["exchange"]}),
    },
    "nothing": {"open": b"", "spend": b""},
    "no JSON": {"open": b"{", "spend": b"["},
    "megabytes": {"open": b"[" * (4 << 20), "spend": YES},
    "an id that is a path": {"open": {"id": "../../v1/logs", "state": "approved"}, "spend": YES},
    "an id that is a header": {"open": {"id": "a\r\nx: y", "state": "approved"}, "spend": YES},
}


@pytest.fixture(scope="module")
def lied_to(start_guard: StartGuard, idp: Idp) -> Iterator[tuple[Guard, Liar]]:
    liar = Liar({"open": YES, "spend": YES})
    liar.start()
    guard = start_guard(policy_set(idp.issuer), clusters={"approvals": liar.address}, env={"APPROVALS_TOKEN": WRITER})
    yield guard, liar
    liar.server.shutdown()


@pytest.mark.parametrize("lie", LIES)
def test_a_service_that_lies_lets_nothing_through(lied_to: tuple[Guard, Liar], lie: str) -> None:
    guard, liar = lied_to
    liar.answers = LIES[lie]
    answer = post(guard, guard.token(), asking("Let me"))
    assert answer.status_code in (409, 503), answer.text
    assert guard.upstream.requests == []


def test_a_refusal_leaves_a_record_with_the_approval(guard: Guard, token: str) -> None:
    answer = post(guard, token, asking("On record"))
    exchange = answer.headers["x-portcullis-exchange"]
    end = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.exchange") == exchange)
    assert end.attributes["portcullis.reason"] == "approval_pending"
    assert end.attributes["portcullis.approval"] == answer.headers["x-portcullis-approval"]
