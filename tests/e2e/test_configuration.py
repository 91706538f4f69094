"""Sets that are refused, sets that change while streams run, and what operators read of both."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

import policies as sets
from guard import Guard, cli, completion, delta, finish, plugin, question, text_of
from known import record_of
from parts import process
from parts.idp import Idp
from parts.upstream import Answer, Delay, Wait, json_answer

CHAT = "/v1/chat/completions"
EMAIL = "alice.liddell" + "@" + "corp.example"


def forgive(guard: Guard) -> None:
    """Envoy calls it critical when a module refuses its configuration: these tests make it. Any other fault stays one."""
    assert guard.envoy
    others = [line for line in guard.faults() if "failed to load" not in line]
    assert others == []
    guard.reset()


def digest(part: Any) -> str:
    """sha256 over canonical JSON (RFC 8785), which for plain ASCII is this."""
    return "sha256:" + hashlib.sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def told(text: str) -> list[str]:
    """The problems in what `check` prints, or in a log, without their places in files."""
    return re.findall(r"error: (?:\S+?\.yaml:\d+:\d+: )?(.+)", text)


def spoilt(issuer: str, where: str, key: str, value: Any) -> sets.Set:
    made = sets.chat(issuer)
    {"set": made, "policy": sets.policy(made), "connection": sets.connection(made), "issuer": made["issuers"][0]}[
        where
    ][key] = value
    return made


FAULTS: dict[str, tuple[str, str, Any]] = {
    "an unknown key": ("policy", "alow", "true"),
    "a condition that is none": ("policy", "allow", '"rag-users" in identity.grups'),
    "an entity nobody detects": ("policy", "mask", {"response": {"entities": ["SHOE_SIZE"]}}),
    "a mode that is none": ("set", "mode", "enforced"),
    "a policy that is not there": ("connection", "policy", "rag-chatt"),
    "a version to come": ("set", "version", 2),
    "what comes later": (
        "policy",
        "budgets",
        [{"name": "x", "key": "all", "requests": 1, "per": "1m", "scope": "global"}],
    ),
    "an issuer without an audience": ("issuer", "audiences", []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_set_is_refused_in_the_words_of_check_and_the_old_one_stays(fault: str, guard: Guard, idp: Idp) -> None:
    bad = spoilt(idp.issuer, *FAULTS[fault])
    checked = cli("check", guard.write(bad), check=False)
    assert checked.returncode == 1
    problems = told(checked.stdout + checked.stderr)
    assert problems

    # `bundle` refuses it likewise: the bad set gets in by hand, with digests that are right.
    made = guard.bootstrap(sets.chat(idp.issuer))
    bundle = json.loads(plugin(made)["configuration"]["value"])
    digests = {policy["name"]: digest(policy) for policy in bad["policies"]}
    bundle |= {"set": bad, "digest": digest(bad), "policies": digests}
    plugin(made)["configuration"]["value"] = json.dumps(bundle)
    assert guard.envoy and not guard.envoy.update(made["static_resources"]["listeners"])
    log = guard.log()
    for problem in problems:
        assert problem in log, f"{problem!r} is not in Envoy's log"
    assert guard.chat(guard.token()).status_code == 200
    forgive(guard)


def test_a_set_that_was_changed_after_its_bundle_was_made_is_refused(guard: Guard, idp: Idp) -> None:
    made = guard.bootstrap(sets.chat(idp.issuer))
    configuration = plugin(made)["configuration"]
    configuration["value"] = configuration["value"].replace("rag-users", "marketing")
    assert guard.envoy and not guard.envoy.update(made["static_resources"]["listeners"])
    assert "is not the digest of the set" in guard.log()
    assert guard.chat(guard.token("bob")).status_code == 403
    forgive(guard)


@pytest.mark.parametrize(
    "configuration", ["", "{", "[]", "null", "version: 1", '{"format": 2, "set": {}}', "\x00", "[" * 50_000]
)
def test_what_is_no_bundle_is_refused_and_harms_nothing(configuration: str, guard: Guard, idp: Idp) -> None:
    made = guard.bootstrap(sets.chat(idp.issuer))
    plugin(made)["configuration"]["value"] = configuration
    assert guard.envoy and not guard.envoy.update(made["static_resources"]["listeners"])
    assert guard.chat(guard.token()).status_code == 200
    forgive(guard)


def test_a_credential_that_is_not_there_is_told_by_name(guard: Guard, idp: Idp) -> None:
    bad = sets.chat(idp.issuer)
    sets.connection(bad)["credential"]["value"] = "Bearer ${env:NOT_THERE}"
    assert not guard.update(bad)
    assert "`NOT_THERE` is not set" in guard.log()
    assert guard.chat(guard.token()).status_code == 200
    forgive(guard)


def test_at_a_static_start_a_bad_set_keeps_envoy_from_starting(start_guard: Callable[..., Guard], idp: Idp) -> None:
    bad = sets.chat(idp.issuer)
    sets.connection(bad)["credential"]["value"] = "Bearer ${env:NOT_THERE}"
    guard = start_guard(bad, wait=False, listeners_by_file=False)
    assert guard.envoy and guard.envoy.process
    assert guard.envoy.process.wait_exit(60) != 0
    assert "`NOT_THERE` is not set" in guard.log()
    guard.envoy.running = False


def test_a_stream_ends_under_the_set_it_began_with(start_guard: Callable[..., Guard], idp: Idp) -> None:
    guard = start_guard()
    go_on = threading.Event()
    event = lambda text: f"data: {text}\n\n".encode()  # noqa: E731
    guard.upstream.answer = Answer(
        pieces=[
            event(delta(f"One {EMAIL} ")),
            Wait(go_on),
            event(delta(f"two {EMAIL}.")),
            event(finish()),
            event("[DONE]"),
        ]
    )
    newer = sets.chat(idp.issuer)
    del sets.policy(newer)["mask"]
    sets.policy(newer)["rules"] = [{"name": "closed", "deny": "true"}]
    with guard.client(guard.token()) as client, client.stream("POST", CHAT, json=question(stream=True)) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_bytes()
        seen = next(pieces)
        assert guard.update(newer)
        process.wait_until("the new set decides", lambda: guard.chat(guard.token()).status_code == 403)
        go_on.set()
        seen += b"".join(pieces)
    assert EMAIL.encode() not in seen
    assert text_of(seen).endswith(".") and b"[DONE]" in seen
    assert len(guard.upstream.requests) == 1


def test_a_better_set_takes_effect_without_a_call_lost(start_guard: Callable[..., Guard], idp: Idp) -> None:
    guard = start_guard()
    token, statuses, stop = guard.token(), [], threading.Event()

    def call() -> None:
        while not stop.is_set():
            statuses.append(guard.chat(token).status_code)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        for number in range(3):
            rule = {"name": f"r{number}", "deny": 'llm.model == "gpt-5"'}
            assert guard.update(spoilt(idp.issuer, "policy", "rules", [rule]))
            done = len(statuses)
            process.wait_until("calls go on", lambda done=done: len(statuses) > done + 2)
    finally:
        stop.set()
        caller.join()
    assert set(statuses) == {200}


def test_under_load_each_call_is_judged_and_recorded_by_one_set_and_none_is_lost(
    start_guard: Callable[..., Guard], idp: Idp
) -> None:
    """Good sets and bad ones come while six callers ask for whole answers and streams; half of the streams last longer
    than a set."""
    guard = start_guard(concurrency=2)
    marks = {"replace": "<EMAIL_ADDRESS>", "redact": "Ask ."}
    versions = {operator: masked(idp.issuer, operator) for operator in marks}
    bad = spoilt(idp.issuer, "connection", "credential", {"header": "authorization", "value": "${env:NOT_THERE}"})
    assert guard.update(versions["replace"])
    whole = json_answer(completion(f"Ask {EMAIL}."))
    cut = EMAIL.index("@")
    pieces = [delta(f"Ask {EMAIL[:cut]}"), delta(f"{EMAIL[cut:]}."), finish(), "[DONE]"]
    events = [f"data: {piece}\n\n".encode() for piece in pieces]
    streamed = Answer(pieces=[events[0], Delay(0.4), *events[1:]])
    guard.upstream.answer = lambda received: streamed if b'"stream":true' in received.body.replace(b" ", b"") else whole
    token, stop, answers = guard.token(), threading.Event(), []

    def call(streams: bool) -> None:
        while not stop.is_set():
            reply = guard.chat(token, stream=streams)
            text = text_of(reply.content) if streams else reply.json()["choices"][0]["message"]["content"]
            answers.append((reply.status_code, reply.headers["x-portcullis-exchange"], text))

    callers = [threading.Thread(target=call, args=(at % 2 == 0,)) for at in range(6)]
    for caller in callers:
        caller.start()
    try:
        for at in range(10):
            operator = ("redact", "replace")[at % 2]
            assert guard.update(versions[operator])
            assert not guard.update(bad)
            done = len(answers)
            process.wait_until("calls go on", lambda done=done: len(answers) > done + 6)
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert {status for status, _, _ in answers} == {200}
    assert {text for _, _, text in answers} == {f"Ask {marks['replace']}.", marks["redact"]}
    digests = {digest(sets.policy(version)): operator for operator, version in versions.items()}
    for _, exchange, text in answers:
        ends = [record_of(guard.sink, exchange, event) for event in ("start", "end")]
        (operator,) = {digests[record["portcullis.policy_digest"]] for record in ends}
        assert marks[operator] in text, "what was recorded is what was done"
        assert ends[1]["portcullis.response.operators"] == {operator: 1}
    counts = Counter(record.attributes.get("portcullis.exchange") for record in guard.sink.events("exchange."))
    assert all(counts[exchange] == 2 for _, exchange, _ in answers), "no set recorded a call of another"
    forgive(guard)


def masked(issuer: str, operator: str) -> sets.Set:
    made = sets.chat(issuer)
    sets.policy(made)["mask"]["response"]["operator"] = operator
    return made


# What operators and auditors read.


# Every secret that a set can have, by the variable of Envoy's environment that holds it.
SECRETS = {
    "IN_HEADER": "header-secret-51c7a0d2",
    "IN_QUERY": "query/secret&7e4b19f6",
    "FOR_OTHERS": "others-secret-90aa3b1c",
    "AUDIT_KEY": "audit-secret-2f8d6e07",
    "RATES_KEY": "rates-secret-c4419b5e",
    "PSEUDONYMS": "pseudonym-secret-0d3f7a86-b2e5",
}


def full_of_secrets(issuer: str) -> sets.Set:
    """A set that has a secret wherever one can stand."""
    made = sets.chat(issuer)
    sets.connection(made)["credential"] = [
        {"header": "authorization", "value": "Bearer ${env:OPENAI_API_KEY}"},
        {"header": "x-org-key", "value": "${env:FOR_OTHERS}", "when": '"others" in identity.groups'},
        {"header": "x-org-key", "value": "${env:IN_HEADER}"},
        {"query": "sig", "value": "${env:IN_QUERY}"},
    ]
    made["audit"]["headers"] = {"x-audit-key": "${env:AUDIT_KEY}"}
    nobody = {"cluster": "rates", "headers": {"x-rates-key": "${env:RATES_KEY}"}, "on_failure": "allow"}
    made["rate_limit_service"] = nobody | {"refunds": True, "timeout": "200ms"}
    policy = sets.policy(made)
    policy["budgets"] = [{"name": "ours", "key": "identity.id", "requests": 1000, "per": "1m", "scope": "global"}]
    policy["mask"]["response"] |= {"operator": "pseudonym", "key": "${env:PSEUDONYMS}"}
    return made


def test_no_secret_and_no_token_in_dumps_statistics_logs_or_records(
    start_guard: Callable[..., Guard], idp: Idp
) -> None:
    nowhere = {"rates": f"127.0.0.1:{process.free_port()}"}
    guard = start_guard(full_of_secrets(idp.issuer), env=SECRETS, clusters=nowhere)
    good, bad = guard.token(), guard.token("bob")
    encoded = quote(SECRETS["IN_QUERY"], safe="")
    echoed = [SECRETS["IN_HEADER"], SECRETS["IN_QUERY"], SECRETS["FOR_OTHERS"], encoded]
    guard.upstream.answer = json_answer(completion(f"{EMAIL} and {sets.CREDENTIAL} {' '.join(echoed)}"))
    answers = [
        guard.chat(good),
        guard.chat(bad),
        guard.chat(good + "x"),
        guard.chat(good, model="gpt-5"),
        guard.chat(None, headers={"x-api-key": good}),
    ]
    answers.append(guard.chat(good, model="sk-secret-model"))
    guard.sink.wait_for(lambda record: record.event.endswith("end") and "sk-secret-model" in record.body)
    assert guard.envoy
    places = {
        "config_dump": guard.envoy.admin_get("/config_dump?include_eds"),
        "stats": guard.envoy.admin_get("/stats"),
        "prometheus": guard.envoy.prometheus(),
        "clusters": guard.envoy.admin_get("/clusters"),
        "log": guard.envoy.log_text(),
        "records": guard.sink.file.read_text(),
        "exports": repr([{**export.headers, "x-audit-key": ""} for export in guard.sink.exports]),
        "answers": "".join(answer.text + repr(answer.headers.multi_items()) for answer in answers),
    }
    secrets = {
        "the credential": sets.CREDENTIAL,
        "a token": good,
        "its signature": good.rsplit(".", 1)[1],
        "another": bad.rsplit(".", 1)[1],
        "a masked value": EMAIL,
        "the credential of a query, encoded": encoded,
        **SECRETS,
    }
    (sent, *_) = guard.upstream.requests
    assert (sent.header("x-org-key"), sent.path) == (SECRETS["IN_HEADER"], f"/v1/chat/completions?sig={encoded}")
    assert {export.headers["x-audit-key"] for export in guard.sink.exports} == {SECRETS["AUDIT_KEY"]}
    found = [(place, name) for place, text in places.items() for name, secret in secrets.items() if secret in text]
    assert found == []
    for name in ("OPENAI_API_KEY", *SECRETS):
        assert name in places["config_dump"], "the dump is the right one: it names the variable"


def test_metrics_have_labels_that_operators_can_read(start_guard: Callable[..., Guard]) -> None:
    guard = start_guard()
    guard.upstream.answer = json_answer(completion(f"Ask {EMAIL}."))
    guard.chat(guard.token())
    guard.chat(guard.token("bob"))
    guard.chat(guard.token(), model="gpt-5")
    guard.chat(None)
    with guard.client() as client:
        client.get("/v1/%zz")

    def value(name: str, **labels: str) -> float:
        total = 0.0
        for line in guard.envoy.prometheus().splitlines():
            found = re.fullmatch(r"(\w+)\{(.*)\} ([0-9.e+]+)", line)
            if found and found[1] == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', found[2])).items():
                total += float(found[3])
        return total

    decisions = "portcullis_decisions_total"
    process.wait_until("all are counted", lambda: value(decisions) >= 5)
    assert value(decisions, policy="rag-chat", connection="chat", decision="allow") == 1
    assert value(decisions, policy="rag-chat", decision="deny") == 4
    assert value(decisions, policy="rag-chat", decision="deny", reason="token_missing") == 1
    assert value("portcullis_rules_total", rule="models", outcome="deny") == 1
    assert value("portcullis_masked_total", policy="rag-chat", entity="EMAIL_ADDRESS") == 1
    assert value("portcullis_key_set_fetches_total", issuer="corp", outcome="ok") >= 1


def test_callers_cannot_make_new_metrics(start_guard: Callable[..., Guard]) -> None:
    """The proxy never forgets a metric: a caller who could name one could fill its memory."""
    guard = start_guard()

    def names() -> set[str]:
        return {line.split(": ")[0] for line in guard.envoy.admin_get("/stats?filter=portcullis").splitlines()}

    def calls(mark: str) -> None:
        with guard.client() as client:
            client.post(
                f"/v1/{mark}",
                json=question(model=mark),
                headers={"authorization": f"Bearer {guard.token()}", "x-mark": mark},
            )
            client.post(
                CHAT,
                json=question(mark, model=mark),
                headers={"authorization": f"Bearer {guard.token(claims={'sub': mark})}"},
            )
            client.post(CHAT, headers={"authorization": f"Bearer {mark}.a.b"})
            client.request("MARK" + mark.upper(), CHAT, headers={"host": mark})

    calls("first")
    process.wait_until("the records are delivered", lambda: any("outcome=delivered" in name for name in names()))
    before = names()
    for number in range(5):
        calls(f"mark{number}")
    assert names() == before
