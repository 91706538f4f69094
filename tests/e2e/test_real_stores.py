"""What a mandatory filter lets through of real stores: a caller's own rows, of those that the caller's own filter finds.

Chroma answers through Envoy, to its official client. Milvus (its release that comes as a Python package has another
REST API than the one that is guarded) is asked what it makes of the filters that reach a scripted upstream.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import chromadb
import httpx
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard
from parts import process
from parts.idp import Idp
from parts.stores import Chroma, Milvus, no_network_of_its_own

TENANTS = ["acme", "b%", 'acme" or tenant != "', "back\\slash", "it's", "tänant\u2028", '["acme"]', "${identity.id}"]
"""Claims; some mean something in a filter, and must not."""
ROWS = [
    {"tenant": tenant, "n": at, "tag": tag}
    for tenant in TENANTS
    for at, tag in enumerate(["red", "blue", "100%", 'quo"te', "red"])
]


def policy_set(issuer: str, protocol: str) -> sets.Set:
    made = sets.chat(issuer)
    match = {"path_prefix": "/api" if protocol == "chroma" else f"/{protocol}"}
    made["connections"] = [deepcopy(sets.connection(made)) | {"name": protocol, "protocol": protocol, "match": match}]
    limits = {"operations": ["query", "fetch"], "filter": {"tenant": "${identity.claims.tenant}"}, "max_top_k": 1000}
    policy = sets.policy(made)
    policy["vector"] = limits
    del policy["rules"], policy["mask"]
    return made


def key(row: dict[str, Any]) -> str:
    return json.dumps({name: row[name] for name in ("tenant", "n", "tag")}, sort_keys=True)


# Chroma.


@pytest.fixture(scope="module")
def chroma(run_folder: Path) -> Iterator[Chroma]:
    folder = run_folder / "chroma"
    folder.mkdir()
    store = Chroma(folder).start()
    yield store
    store.stop()


def direct(store: Chroma) -> chromadb.api.ClientAPI:
    return chromadb.HttpClient(host="127.0.0.1", port=store.port)


@pytest.fixture(scope="module")
def docs(chroma: Chroma) -> chromadb.Collection:
    """The collection, as who owns the store sees it."""
    docs = direct(chroma).create_collection("docs", embedding_function=None)
    docs.add(
        ids=[str(at) for at in range(len(ROWS))],
        embeddings=[[1.0, float(row["n"])] for row in ROWS],
        metadatas=ROWS,
        documents=[f"{row['tag']} {row['n']}" for row in ROWS],
    )
    return docs


@pytest.fixture(scope="module")
def guarded(chroma: Chroma, docs: chromadb.Collection, start_guard: StartGuard, idp: Idp) -> Guard:
    assert docs.count() == len(ROWS)
    return start_guard(policy_set(idp.issuer, "chroma"), clusters={"upstream": chroma.address})


def as_tenant(guard: Guard, tenant: str) -> chromadb.Collection:
    host, port = "127.0.0.1", int(guard.url.rpartition(":")[2])
    headers = {"authorization": f"Bearer {guard.token(claims={'tenant': tenant})}"}
    return chromadb.HttpClient(host=host, port=port, headers=headers).get_collection("docs", embedding_function=None)


def wheres(chance: random.Random, depth: int = 2) -> dict[str, Any]:
    if depth and chance.random() < 0.6:
        return {chance.choice(["$and", "$or"]): [wheres(chance, depth - 1), wheres(chance, depth - 1)]}
    return chance.choice(
        [
            {"tenant": chance.choice(TENANTS)},
            {"tenant": {"$ne": chance.choice(TENANTS)}},
            {"tenant": {"$in": chance.sample(TENANTS, 3)}},
            {"tenant": {"$nin": chance.sample(TENANTS, 2)}},
            {"n": {chance.choice(["$gt", "$lte"]): chance.randint(0, 4)}},
            {"tag": {"$nin": ["red"]}},
            {"tag": chance.choice(["red", 'quo"te', "100%"])},
        ]
    )


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_client_of_chroma_finds_its_own_rows_whatever_it_filters_by(
    guarded: Guard, docs: chromadb.Collection, tenant: str
) -> None:
    chance, mine = random.Random(tenant), as_tenant(guarded, tenant)
    for where in [None, *(wheres(chance) for _ in range(15))]:
        wanted = sorted(key(row) for row in docs.get(where=where)["metadatas"] if row["tenant"] == tenant)
        assert sorted(key(row) for row in mine.get(where=where)["metadatas"]) == wanted, where
        found = mine.query(query_embeddings=[[1.0, 1.0], [1.0, 3.0]], n_results=1000, where=where)
        for rows in found["metadatas"]:
            assert sorted(key(row) for row in rows) == wanted, where


def test_what_a_client_of_chroma_asks_by_id_or_by_text_is_its_own(guarded: Guard, docs: chromadb.Collection) -> None:
    mine = as_tenant(guarded, "acme")
    everything = docs.get()["ids"]
    assert {row["tenant"] for row in mine.get(ids=everything)["metadatas"]} == {"acme"}
    found = mine.get(where_document={"$or": [{"$contains": "red"}, {"$not_contains": "red"}]})
    assert {row["tenant"] for row in found["metadatas"]} == {"acme"}


def test_a_store_at_its_root_is_reached_below_a_prefix(
    chroma: Chroma, docs: chromadb.Collection, start_guard: StartGuard, idp: Idp
) -> None:
    made = policy_set(idp.issuer, "chroma")
    sets.connection(made, "chroma")["match"] = {"path_prefix": "/chroma"}
    guard = start_guard(made, clusters={"upstream": chroma.address}, upstreams=["chroma=upstream/"])
    headers = {"authorization": f"Bearer {guard.token(claims={'tenant': 'acme'})}"}
    mine = chromadb.HttpClient(host=f"{guard.url}/chroma", headers=headers).get_collection(
        "docs", embedding_function=None
    )
    wanted = sorted(key(row) for row in docs.get()["metadatas"] if row["tenant"] == "acme")
    assert sorted(key(row) for row in mine.get()["metadatas"]) == wanted


# Milvus.


@pytest.fixture(scope="module")
def milvus(run_folder: Path) -> Iterator[Milvus]:
    if why := no_network_of_its_own():
        pytest.skip(f"Milvus listens on every address, and this machine gives it no network of its own: {why}")
    folder = run_folder / "milvus"
    folder.mkdir()
    store = Milvus(folder).start()
    store.ask("/v1/vector/collections/create", {"collectionName": "docs", "dimension": 2})
    rows = [row | {"vector": [1.0, row["n"]]} for row in ROWS]
    made = store.ask("/v1/vector/insert", {"collectionName": "docs", "data": rows})
    assert made["data"]["insertCount"] == len(ROWS), made
    # Inserted is not yet searchable.
    process.wait_until(
        "the inserted rows", lambda: len(rows_of(store, "n >= 0") or []) == len(ROWS), timeout=60, every=0.2
    )
    yield store
    store.stop()


def rows_of(store: Milvus, expression: str) -> list[str] | None:
    """The rows that a filter finds; `None`: it is none."""
    body = {"collectionName": "docs", "filter": expression, "outputFields": ["tenant", "n", "tag"], "limit": 1000}
    answer = store.ask("/v1/vector/query", body)
    return sorted(key(row) for row in answer["data"]) if answer["code"] == 200 else None


@pytest.fixture(scope="module")
def scripted(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer, "milvus"))


def text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def filters(chance: random.Random, depth: int = 2) -> str:
    if depth and chance.random() < 0.6:
        left, right = filters(chance, depth - 1), filters(chance, depth - 1)
        return chance.choice(
            [f"{left} or {right}", f"({left}) and {right}", f"not ({left})", f"{left} || !({right})", f"({left})"]
        )
    return chance.choice(
        [
            f"tenant == {text(chance.choice(TENANTS))}",
            f"tenant != {text(chance.choice(TENANTS))}",
            f"tenant in [{text(TENANTS[0])}, {text(TENANTS[2])}]",
            f"tenant not in [{text(TENANTS[1])}]",
            f"n > {chance.randint(0, 3)}",
            f"0 <= n < {chance.randint(1, 5)}",
            'tag like "red%"',
            f"tag == {text(chance.choice(['red', 'quo' + chr(34) + 'te', '100%']))}",
            "n % 2 == 0",
            f"$meta['tenant'] != {text('acme')}",
            "exists tenant",
        ]
    )


BREAKING_OUT = [
    "n >= 0) or (n >= 0",
    'n >= 0 or tenant != "acme"',
    "n >= 0 // ",
    "n >= 0 /* ",
    'tag == "\\"',
    'tag == "\\\\" or n >= 0 or tag == "',
    "tag == 'it\\'s' or n >= 0",
    "n >= 0 or\ntrue",
    "not not (n >= 0)",
    "true or n >= 0",
    "n >= 0 || \u00a0n >= 0",
    "n >= 0;n >= 0",
]


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_filter_for_milvus_finds_what_it_found_of_the_callers_own_rows(
    scripted: Guard, milvus: Milvus, tenant: str
) -> None:
    chance, client = random.Random(tenant), scripted.client(scripted.token(claims={"tenant": tenant}))
    reached = 0
    for expression in ["", *BREAKING_OUT, *(filters(chance) for _ in range(30))]:
        sent = narrowed(scripted, client, expression)
        if sent is None:
            continue
        plain, found = rows_of(milvus, expression or "n >= 0"), rows_of(milvus, sent)
        own = None if plain is None else [row for row in plain if json.loads(row)["tenant"] == tenant]
        reached += plain is not None
        assert found == own, (expression, sent)
    assert reached > 20


def narrowed(guard: Guard, client: httpx.Client, expression: str) -> str | None:
    """The filter that reaches the store; `None`: the request does not."""
    guard.reset()
    body = {"collectionName": "docs", "filter": expression, "outputFields": ["tenant"]}
    answer = client.post("/milvus/v2/vectordb/entities/query", json=body)
    if answer.status_code in (400, 403, 415):
        assert guard.upstream.requests == []
        return None
    assert answer.status_code == 200, answer.text
    (request,) = guard.upstream.wait_for(1)
    return json.loads(request.body)["filter"]
