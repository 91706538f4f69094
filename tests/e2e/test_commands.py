"""What the command says of a set holds on a real Envoy: tests of policies, and recorded calls judged again."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import policies as sets
from conftest import StartGuard
from guard import WASM, Guard, cli, completion, plugin
from known import EMAIL, end_of
from parts import process
from parts.idp import Idp
from parts.upstream import Answer, json_answer

EXAMPLE = process.ROOT / "policies" / "rag-chat"
CASES: list[dict[str, Any]] = yaml.safe_load((EXAMPLE / "chat_test.yaml").read_text())["tests"]
NAMES = [case["name"] for case in CASES]

SHORT = {
    "decision": "portcullis.decision",
    "reason": "portcullis.reason",
    "rule": "portcullis.rule",
}


def written(value: Any) -> Any:
    """A value of a test file, with what is repeated written out."""
    if isinstance(value, dict) and value.keys() == {"repeat", "times"}:
        return value["repeat"] * value["times"]
    if isinstance(value, dict):
        return {key: written(item) for key, item in value.items()}
    return [written(item) for item in value] if isinstance(value, list) else value


def compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@pytest.fixture(scope="module")
def example(start_guard: StartGuard, idp: Idp) -> Guard:
    """The example set that the tests stand beside, with this run's identity provider."""
    made = {}
    for file in ("set.yaml", "policy.yaml"):
        made |= yaml.safe_load((EXAMPLE / file).read_text())
    made["issuers"][0]["issuer"] = idp.issuer
    return start_guard(made)


def upstream_answer(case: dict[str, Any]) -> Answer:
    given = case.get("answer", {})
    if "events" in given:
        body = "".join(f"data: {compact(event)}\n\n" for event in given["events"]).encode()
        size = given.get("pieces", len(body))
        return Answer(pieces=[body[at : at + size] for at in range(0, len(body), size)])
    body = given.get("body", {})
    kind = "text/plain" if isinstance(body, str) else "application/json"
    data = compact(body).encode()
    return Answer(headers=(("content-type", kind), ("content-length", str(len(data)))), pieces=[data])


def ask(guard: Guard, case: dict[str, Any]) -> httpx.Response:
    asked = case["request"]
    token = None
    if "identity" in case:
        token = guard.token(claims={"groups": case["identity"].get("groups", [])})
    body = written(asked["body"]) if "body" in asked else None
    kind = {} if body is None else {"content-type": "text/plain" if isinstance(body, str) else "application/json"}
    with guard.client(token) as client:
        return client.request(
            asked.get("method", "GET" if body is None else "POST"),
            asked["path"],
            headers=kind | asked.get("headers", {}),
            content=None if body is None else compact(body).encode(),
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_test_of_a_policy_holds_on_envoy_as_it_does_in_the_command(name: str, example: Guard) -> None:
    case = CASES[NAMES.index(name)]
    expect = case["expect"]
    example.upstream.answer = upstream_answer(case)
    reply = ask(example, case)
    sent = example.upstream.requests
    if "forwarded" in expect:
        assert bool(sent) == expect["forwarded"]
    if expect.get("request", {}).get("unchanged"):
        assert sent[0].body == compact(written(case["request"]["body"])).encode()
    answer = expect.get("answer", {})
    assert reply.status_code == answer.get("status", reply.status_code)
    assert [value for value in answer.get("lacks", []) if value in reply.text] == []
    if "events" in answer:
        events = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
        assert [json.loads(event) if event != "[DONE]" else event for event in events] == answer["events"]
    fields = {SHORT[key]: value for key, value in expect.items() if key in SHORT} | expect.get("record", {})
    if "flags" in expect:
        fields["portcullis.flags"] = expect["flags"] or None
    if fields:
        record = end_of(example.sink, reply.headers["x-portcullis-exchange"])
        assert {field: record.get(field) for field in fields} == fields


@pytest.fixture
def recorded(guard: Guard, token: str, tmp_path: Path) -> Iterator[Path]:
    """Three calls, and the batches that the collector got of them: answered, answered and masked, refused."""
    guard.upstream.answer = json_answer(completion(f"Ask {EMAIL.text}."))
    replies = [guard.chat(token), guard.chat(token, model="gpt-4o"), guard.chat(token, model="gpt-5")]
    assert [reply.status_code for reply in replies] == [200, 200, 403]
    for reply in replies:
        end_of(guard.sink, reply.headers["x-portcullis-exchange"])
    file = tmp_path / "records.jsonl"
    file.write_bytes(b"".join(export.data + b"\n" for export in guard.sink.exports))
    yield file


def simulated(guard: Guard, policies: sets.Set, records: Path) -> tuple[int, dict[str, Any]]:
    done = cli("simulate", "--format", "json", "--records", records, guard.write(policies), check=False)
    return done.returncode, json.loads(done.stdout)


def test_recorded_calls_are_decided_by_the_same_set_as_they_were(guard: Guard, recorded: Path) -> None:
    code, told = simulated(guard, guard.policies, recorded)
    assert (code, told["judged"], told["same"], told["exchanges"]) == (0, 3, True, [])


def test_recorded_calls_are_decided_otherwise_by_another_set(guard: Guard, recorded: Path) -> None:
    other = copy.deepcopy(guard.policies)
    policy = sets.policy(other)
    policy["rules"] = [{"name": "small", "deny": 'llm.model == "gpt-4o"'}]
    policy["mask"]["response"]["entities"] = ["SECRETS"]
    code, told = simulated(guard, other, recorded)
    assert code == 3
    changes = {row["change"]: len(row["exchanges"]) for row in told["changes"]}
    assert changes == {
        "allow -> forbidden (rag-chat/small)": 1,
        "forbidden (models) -> allow": 1,
        "no longer masked in responses: EMAIL_ADDRESS": 1,
    }


@pytest.fixture(scope="module")
def gateway(start_guard: StartGuard, tmp_path_factory: pytest.TempPathFactory) -> Guard:
    """An Envoy with what `render istio` adds to a gateway's: its listener (without the mesh's certificates, for there is no
    mesh here) and its clusters, in the place of those of `render envoy`."""

    def change(made: dict[str, Any]) -> None:
        parts = made["static_resources"]
        (listener,) = parts["listeners"]
        address = listener["address"]["socket_address"]
        clusters = [f"--cluster={cluster['name']}={where(cluster)}" for cluster in parts["clusters"]]
        file = tmp_path_factory.mktemp("istio") / "set.yaml"
        file.write_text(json.dumps(json.loads(plugin(made)["configuration"]["value"])["set"]))
        done = cli("render", "istio", file, "--image=none", "--upstream=upstream", *clusters)
        documents = list(yaml.safe_load_all(done.stdout))
        (patches,) = [document["spec"]["configPatches"] for document in documents if document["kind"] == "EnvoyFilter"]
        added = {
            kind: [one["patch"]["value"] for one in patches if one["applyTo"] == kind]
            for kind in ("LISTENER", "CLUSTER")
        }
        parts["clusters"] = added["CLUSTER"]
        parts["listeners"] = added["LISTENER"]
        (mine,) = added["LISTENER"]
        chain = mine["filter_chains"][0]
        assert chain.pop("transport_socket")["typed_config"]["require_client_certificate"] is True
        mine["address"]["socket_address"] = address
        config = plugin(made)
        assert config["vm_config"]["code"] == {"local": {"filename": "/etc/portcullis/portcullis.wasm"}}
        config["vm_config"]["code"]["local"]["filename"] = str(WASM)

    return start_guard(change=change, listeners_by_file=False)


def where(cluster: dict[str, Any]) -> str:
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    return f"{endpoint['address']}:{endpoint['port_value']}"


def test_what_is_rendered_for_a_gateway_of_istio_guards_on_envoy(gateway: Guard) -> None:
    token = gateway.token()
    gateway.upstream.answer = json_answer(completion(f"Ask {EMAIL.text}."))
    reply = gateway.chat(token)
    assert reply.status_code == 200
    assert EMAIL.text not in reply.text
    assert gateway.upstream.requests[0].header("authorization") == f"Bearer {sets.CREDENTIAL}"
    assert gateway.chat(token, model="gpt-5").status_code == 403
    assert end_of(gateway.sink, reply.headers["x-portcullis-exchange"])["portcullis.connection"] == "chat"
