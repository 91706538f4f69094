"""Vector stores on a real Envoy: a caller reads their own rows, whatever a request asks for, and the store sees what was judged."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import httpx
import opensearchpy
import pinecone
import pytest
from pinecone.exceptions import ForbiddenException

import policies as sets
from conftest import StartGuard
from guard import Guard
from parts.idp import Idp
from parts.upstream import Answer, json_answer

TENANT = 'acme" or tenant != "'
"""A claim that means something in a filter, and must not."""

LIMITS = {
    "rows": {
        "operations": ["query", "fetch", "delete"],
        "collections": ["docs"],
        "filter": {"tenant": "${identity.claims.tenant}"},
        "max_top_k": 20,
    },
    "namespaces": {"namespaces": ["${identity.claims.tenant}"], "max_top_k": 20, "vectors": "drop"},
    "objects": {
        "operations": ["query", "fetch", "delete"],
        "collections": ["Doc"],
        "filter": {"tenant": "${identity.claims.tenant}"},
        "max_top_k": 20,
        "vectors": "drop",
    },
    "documents": {"operations": ["query", "upsert"], "collections": ["docs"]},
}
GUARDED = {
    "qdrant": "rows",
    "chroma": "rows",
    "milvus": "rows",
    "pinecone": "namespaces",
    "weaviate": "objects",
    "opensearch": "documents",
}
"""Stores, each with its policy."""

QDRANT = "/qdrant/collections/docs/points"
CHROMA = "/chroma/api/v2/tenants/t/databases/d/collections/docs"
MILVUS = "/milvus/v2/vectordb/entities"


def policy_set(issuer: str, **policy: Any) -> sets.Set:
    made = sets.chat(issuer)
    chat = sets.connection(made)
    usual = sets.policy(made) | {"rules": [{"name": "large", "deny": "vector.top_k == 666"}]} | policy
    made["policies"] = [usual | {"name": name, "vector": limits} for name, limits in LIMITS.items()]
    made["connections"] = [
        deepcopy(chat) | {"name": name, "protocol": name, "match": {"path_prefix": f"/{name}"}, "policy": policy}
        for name, policy in GUARDED.items()
    ]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


@pytest.fixture(scope="module")
def caller(guard: Guard) -> httpx.Client:
    return guard.client(guard.token(claims={"tenant": TENANT}))


def sent(guard: Guard) -> tuple[str, bytes]:
    """The one request that went upstream, which is whole and of the length it says."""
    (request,) = guard.upstream.wait_for(1)
    length = request.header("content-length")
    assert length is None or int(length) == len(request.body)
    return request.path, request.body


def mine(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "match": {"value": value}}


def test_every_query_of_a_batch_reaches_the_store_narrowed(guard: Guard, caller: httpx.Client) -> None:
    guard.reset()
    searches = [{"query": [0.5], "limit": 100}, {"prefetch": [{"query": [1]}], "query": [1], "filter": {"should": []}}]
    assert caller.post(f"{QDRANT}/query/batch", json={"searches": searches}).status_code == 200
    path, body = sent(guard)
    assert path == f"{QDRANT}/query/batch"
    own = mine("tenant", TENANT)
    assert json.loads(body)["searches"] == [
        {"query": [0.5], "limit": 20, "filter": {"must": [own]}},
        {
            "prefetch": [{"query": [1], "filter": {"must": [own]}}],
            "query": [1],
            "filter": {"must": [{"should": []}, own]},
        },
    ]


def test_a_claim_is_a_value_in_each_stores_language(guard: Guard, caller: httpx.Client) -> None:
    guard.reset()
    assert caller.post(f"{CHROMA}/query", json={"query_embeddings": [[1]], "where": {"a": 1}}).status_code == 200
    assert json.loads(sent(guard)[1])["where"] == {"$and": [{"a": 1}, {"tenant": {"$eq": TENANT}}]}
    guard.reset()
    search = {"collectionName": "docs", "data": [[1]], "filter": 'a == "b" or c > 1'}
    assert caller.post(f"{MILVUS}/search", json=search).status_code == 200
    quoted = TENANT.replace('"', '\\"')
    sent_body = json.loads(sent(guard)[1])
    assert sent_body["filter"] == f'(a == "b" or c > 1) and tenant == "{quoted}"'
    assert sent_body["limit"] == 20


REFUSED = {
    "another collection": ("POST", "/qdrant/collections/other/points/query", {"query": [1]}, 403),
    "a lookup in another": ("POST", f"{QDRANT}/query", {"query": 1, "lookup_from": {"collection": "other"}}, 403),
    "rows by id": ("POST", QDRANT, {"ids": [1]}, 403),
    "one row by id": ("GET", f"{QDRANT}/1", None, 403),
    "an upsert": ("PUT", QDRANT, {"points": []}, 403),
    "a deletion by id": ("POST", f"{QDRANT}/delete", {"points": [1]}, 403),
    "a deletion of everything": ("POST", f"{QDRANT}/delete", {"filter": {}}, 403),
    "all collections": ("GET", "/qdrant/collections", None, 403),
    "what is not known": ("POST", f"{QDRANT}/query", {"query": [1], "filters": {}}, 415),
    "administration": ("PUT", "/qdrant/collections/docs", {"init_from": {"collection": "other"}}, 403),
    "a rule": ("POST", f"{QDRANT}/query", {"query": [1], "limit": 666}, 403),
    "a filter that breaks out": (
        "POST",
        f"{MILVUS}/query",
        {"collectionName": "docs", "filter": "a == 1) or (1 == 1"},
        400,
    ),
    "another database": ("POST", f"{MILVUS}/query", {"collectionName": "docs", "dbName": "x"}, 403),
    "a count of all": ("GET", f"{CHROMA}/count", None, 403),
    "a query string": ("POST", f"{CHROMA}/get?limit=5", {}, 415),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_reads_more_is_refused_and_never_reaches_the_store(guard: Guard, caller: httpx.Client, name: str) -> None:
    guard.reset()
    method, path, body, status = REFUSED[name]
    answer = caller.request(method, path, json=body) if body is not None else caller.request(method, path)
    assert answer.status_code == status, answer.text
    assert guard.upstream.requests == []


def test_bytes_that_two_readers_read_differently_are_refused(guard: Guard, caller: httpx.Client) -> None:
    guard.reset()
    json_type = {"content-type": "application/json"}
    for body in [
        b'{"query":[1],"limit":5,"limit":6}',
        b'{"query":[1],"limit":5,"top":6}',
        b'{"query":[1],"filter":{"must":[],"must":[]}}',
        b'{"query":[1],"Filter":{}}',
        b'{"query":[1]}{"query":[1]}',
    ]:
        assert caller.post(f"{QDRANT}/search", content=body, headers=json_type).status_code in (400, 415), body
    other = {"collectionName": "docs", "filter": "a == 1"}
    assert caller.post(f"{MILVUS}/query", json=other, headers={"db-name": "other"}).status_code == 415
    assert guard.upstream.requests == []


def test_a_client_of_pinecone_is_kept_to_its_namespace(guard: Guard) -> None:
    guard.reset()
    guard.upstream.answer = json_answer('{"matches":[],"namespace":"x"}')
    key = guard.token(claims={"tenant": "acme"})
    index = pinecone.Pinecone(api_key=key).Index(host=f"{guard.url}/pinecone")
    index.query(vector=[0.5], top_k=100, include_values=True)
    body = json.loads(sent(guard)[1])
    assert (body["namespace"], body["topK"], body["includeValues"]) == ("acme", 20, False)
    guard.reset()
    with pytest.raises(ForbiddenException):
        index.query(vector=[0.5], top_k=3, namespace="other")
    assert guard.upstream.requests == []
    with guard.client(key) as client:
        assert client.get("/pinecone/vectors/list?limit=99&prefix=a").status_code == 200
    assert sent(guard)[0] == "/pinecone/vectors/list?limit=20&prefix=a&namespace=acme"


def test_a_caller_without_the_claim_is_refused(guard: Guard) -> None:
    guard.reset()
    with guard.client(guard.token()) as client:
        assert client.post(f"{QDRANT}/query", json={"query": [1]}).status_code == 403
    assert guard.upstream.requests == []


def test_monitor_changes_no_byte(start_guard: StartGuard, idp: Idp) -> None:
    guard = start_guard(policy_set(idp.issuer, mode="monitor"))
    body = b'{ "query": [1.50], "limit": 100, "with_vector": true }'
    with guard.client(guard.token(claims={"tenant": "acme"})) as client:
        answer = client.post(f"{QDRANT}/query", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert sent(guard) == (f"{QDRANT}/query", body)


HIT = '{"result":{"points":[ {"id":1,"score":0.50,"vector":[0.25, 1e-3],"payload":{"text":"a@example.com","n":[1]}} ]}}'


def vectorless(issuer: str, **policy: Any) -> sets.Set:
    """No mask, no credential: what changes in an answer changes for its vectors."""
    made = policy_set(issuer, **policy)
    for one in made["policies"]:
        one.pop("mask")
        one["vector"] = {"vectors": "drop"}
    for one in made["connections"]:
        one.pop("credential")
        one["match"] = {"path_prefix": f"/{one['name']}"}
    # What a rule reads of a request would not pass where none can be read.
    for one in made["policies"]:
        one["rules"] = [{"name": "no", "deny": 'request.method == "PATCH"'}]
    return made


@pytest.fixture(scope="module")
def vectors_guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(vectorless(idp.issuer))


VECTORS = {
    "qdrant": (f"{QDRANT}/query", HIT, HIT.replace("[0.25, 1e-3]", "null")),
    "chroma": (
        f"{CHROMA}/get",
        '{"ids":["a"],"embeddings":[[0.5,0.25]],"documents":["a@example.com"],"metadatas":[{"n":1}]}',
        '{"ids":["a"],"embeddings":null,"documents":["a@example.com"],"metadatas":[{"n":1}]}',
    ),
    "milvus": (
        f"{MILVUS}/query",
        '{"code":0,"data":[{"id":1,"vector":[0.5],"other":[0.25, 1],"year":2020}]}',
        '{"code":0,"data":[{"id":1,"vector":null,"other":[null, null],"year":2020}]}',
    ),
    "opensearch": (
        "/opensearch/docs/_search",
        '{"hits":{"hits":[{"_id":"a","sort":[1],"_source":{"v":[0.5,-1],"n":2}}]}}',
        '{"hits":{"hits":[{"_id":"a","sort":[1],"_source":{"v":[null,null],"n":2}}]}}',
    ),
    "weaviate": (
        "/weaviate/v1/graphql",
        '{"data":{"Get":{"Doc":[{"n":1,"_additional":{"id":"a","vector":[1],"renamed":[2]}}]}}}',
        '{"data":{"Get":{"Doc":[{"n":1,"_additional":{"id":"a","vector":null,"renamed":[null]}}]}}}',
    ),
}
ASKED = {
    "milvus": {"collectionName": "docs"},
    "weaviate": {"query": "{Get{Doc{n}}}"},
    "opensearch": {"query": {"match_all": {}}},
}


@pytest.mark.parametrize("store", VECTORS)
def test_an_answer_comes_without_vectors_and_every_other_byte_is_the_stores(vectors_guard: Guard, store: str) -> None:
    path, answer, expected = VECTORS[store]
    vectors_guard.upstream.answer = json_answer(answer)
    with vectors_guard.client(vectors_guard.token()) as client:
        seen = client.post(path, json=ASKED.get(store, {}))
    assert (seen.status_code, seen.text) == (200, expected)


def test_a_client_of_pinecone_reads_records_without_their_vectors(vectors_guard: Guard) -> None:
    record = '{"id":"a","values":[0.5,0.25],"sparseValues":{"indices":[1],"values":[0.5]},"metadata":{"n":1}}'
    index = pinecone.Pinecone(api_key=vectors_guard.token()).Index(host=f"{vectors_guard.url}/pinecone")
    vectors_guard.upstream.answer = json_answer(f'{{"vectors":{{"a":{record}}},"namespace":""}}')
    fetched = index.fetch(ids=["a"]).vectors["a"]
    assert (list(fetched.values), fetched.sparse_values, fetched.metadata) == ([0], None, {"n": 1})
    hit = record.removesuffix("}") + ',"score":0.5}'
    vectors_guard.upstream.answer = json_answer(f'{{"matches":[{hit}],"namespace":""}}')
    (match,) = index.query(vector=[0.5], top_k=1, include_values=True).matches
    assert (list(match.values or []), match.sparse_values, match.id) == ([], None, "a")


def test_an_answer_that_cannot_be_read_is_refused_where_it_may_hold_vectors(start_guard: StartGuard, idp: Idp) -> None:
    guard = start_guard(vectorless(idp.issuer, uninspected="allow"))
    guard.upstream.answer = Answer(headers=(("content-type", "application/cbor"),), pieces=[b"\x00"])
    with guard.client(guard.token()) as client:
        assert client.post(f"{QDRANT}/query", json={"query": [1]}).status_code == 502


WEAVIATE = "/weaviate/v1/graphql"
MINE = f'{{path:["tenant"],operator:Equal,valueText:{json.dumps(TENANT)}}}'
"""GraphQL's strings are JSON's."""


def documents(body: bytes) -> Any:
    """The document of a request to Weaviate, or those of a batch."""
    asked = json.loads(body)
    return [one["query"] for one in asked] if isinstance(asked, list) else asked["query"]


def test_each_class_of_a_document_reaches_weaviate_narrowed(guard: Guard, caller: httpx.Client) -> None:
    guard.reset()
    asked = """query A($q: String) {
        Get {  # { a comment }
            a: Doc(limit: 500, bm25: {query: $q}) { text _additional { id v: vector } }
            b: Doc(where: {path: ["n"], operator: Equal, valueText: "]}) {\\u0022"}) { ...f }
        }
        Aggregate { Doc { meta { count } } }
    } fragment f on Doc { text _additional { vectors { title } } }"""
    answer = caller.post(WEAVIATE, json={"query": asked, "variables": {"q": "}"}, "operationName": "A"})
    assert answer.status_code == 200, answer.text
    path, body = sent(guard)
    assert (path, json.loads(body)["variables"]) == (WEAVIATE, {"q": "}"})
    expected = asked.replace("(limit: 500, bm25", f"(where:{MINE},limit: 20, bm25").replace("id v: vector", "id ")
    own = '{path: ["n"], operator: Equal, valueText: "]}) {\\u0022"}'
    expected = expected.replace(f"(where: {own}", f"(limit:20,where: {{operator:And,operands:[{own},{MINE}]}}")
    expected = expected.replace("Doc { meta", f"Doc(where:{MINE}) {{ meta").replace("vectors { title }", "id")
    assert documents(body) == expected
    guard.reset()
    batch = [{"query": "{Get{Doc{a}}}"}, {"query": "{Get{Doc(limit:3){b}}}"}]
    assert caller.post(f"{WEAVIATE}/batch", json=batch).status_code == 200
    assert documents(sent(guard)[1]) == [
        f"{{Get{{Doc(limit:20,where:{MINE}){{a}}}}}}",
        f"{{Get{{Doc(where:{MINE},limit:3){{b}}}}}}",
    ]


HIDDEN = {
    "another class": ({"query": "{Get{Doc{a}Secret{a}}}"}, 403),
    "another class under another operation": (
        {"query": "query A{Get{Doc{a}}}query B{Get{Secret{a}}}", "operationName": "A"},
        403,
    ),
    "a class under an alias": ({"query": "{Get{Doc:Secret{a}}}"}, 403),
    "what a hit refers to": ({"query": "{Get{Doc{of{...on Secret{a}}}}}"}, 403),
    "what a fragment refers to": ({"query": "{Get{Doc{...f}}}fragment f on Doc{of{...on Doc{a}}}"}, 403),
    "every class": ({"query": '{Explore(nearText:{concepts:["x"]}){beacon}}'}, 403),
    "a filter in a variable": ({"query": "query Q($w:W){Get{Doc(where:$w){a}}}", "variables": {"w": {}}}, 415),
    "a block string": ({"query": '{Get{Doc(tenant:"""x"""){a}}}'}, 415),
    "a directive": ({"query": "{Get{Doc{a @skip(if:true)}}}"}, 415),
    "a mutation": ({"query": "mutation{Get{Doc{a}}}"}, 415),
    "introspection": ({"query": "{__schema{types{name}}}"}, 415),
    "an argument twice": ({"query": "{Get{Doc(limit:1,limit:900){a}}}"}, 415),
    "a batch in the wrong place": ([{"query": "{Get{Doc{a}}}"}], 415),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_document_hides_never_reaches_weaviate(guard: Guard, caller: httpx.Client, name: str) -> None:
    guard.reset()
    body, status = HIDDEN[name]
    answer = caller.post(WEAVIATE, json=body)
    assert answer.status_code == status, answer.text
    assert guard.upstream.requests == []


def test_documents_that_two_readers_read_differently_are_refused(guard: Guard, caller: httpx.Client) -> None:
    guard.reset()
    json_type = {"content-type": "application/json"}
    for body in [
        b'{"query":"{Get{Doc{a}}}","query":"{Get{Secret{a}}}"}',
        b'{"query":"{Get{Doc{a}}}","Query":"{Get{Secret{a}}}"}',
        b'{"query":"{Get{Doc{a}}}","\\u0071uery":"{Get{Secret{a}}}"}',
        b'{"query":"{Get{Doc{a}}}"}{"query":"{Get{Secret{a}}}"}',
    ]:
        assert caller.post(WEAVIATE, content=body, headers=json_type).status_code in (400, 415), body
    assert caller.get(f"{WEAVIATE}?query=%7BGet%7BDoc%7Ba%7D%7D%7D").status_code in (403, 415)
    assert guard.upstream.requests == []


def test_objects_of_weaviate_over_rest(guard: Guard, caller: httpx.Client) -> None:
    guard.reset()
    match = {"class": "doc", "where": {"path": ["n"], "operator": "Equal", "valueInt": 1}}
    assert caller.request("DELETE", "/weaviate/v1/batch/objects", json={"match": match}).status_code == 200
    own = {"path": ["tenant"], "operator": "Equal", "valueText": TENANT}
    narrowed = json.loads(sent(guard)[1])["match"]
    assert narrowed == {"class": "doc", "where": {"operator": "And", "operands": [match["where"], own]}}
    guard.reset()
    everything = {"match": {"class": "Doc"}}
    assert caller.request("DELETE", "/weaviate/v1/batch/objects", json=everything).status_code == 403
    assert caller.get("/weaviate/v1/objects/Doc/1").status_code == 403
    assert caller.get("/weaviate/v1/objects/secret/1").status_code == 403
    assert caller.post("/weaviate/v1/objects", json={"class": "Doc"}).status_code == 403
    assert guard.upstream.requests == []
    assert caller.get("/weaviate/v1/meta").status_code == 200


def searcher(guard: Guard, below: str = "/opensearch") -> opensearchpy.OpenSearch:
    key = guard.token(claims={"tenant": "acme"})
    return opensearchpy.OpenSearch(f"{guard.url}{below}", headers={"authorization": f"Bearer {key}"}, max_retries=0)


def test_a_client_of_opensearch_writes_where_it_may_and_deletes_nothing(guard: Guard) -> None:
    guard.reset()
    guard.upstream.answer = json_answer(
        '{"took":1,"errors":false,"items":[{"index":{"_index":"docs","_id":"1","status":201}}]}'
    )
    client = searcher(guard)
    written = [{"index": {"_index": "docs", "_id": "1"}}, {"text": "a"}, {"create": {"_id": "2"}}, {"text": "b"}]
    assert client.bulk(body=written, index="docs")["errors"] is False
    path, body = sent(guard)
    assert path == "/opensearch/docs/_bulk" and len(body.splitlines()) == 4
    guard.reset()
    with pytest.raises(opensearchpy.AuthorizationException):
        client.bulk(body=[*written, {"delete": {"_id": "1"}}], index="docs")
    with pytest.raises(opensearchpy.AuthorizationException):
        client.bulk(body=[{"index": {"_index": "secret"}}, {"text": "a"}], index="docs")
    assert guard.upstream.requests == []


def test_a_client_of_opensearch_opens_a_scroll_and_reads_on_where_references_may_pass(
    start_guard: StartGuard, idp: Idp
) -> None:
    page = '{"_scroll_id":"s1","took":1,"hits":{"total":{"value":1,"relation":"eq"},"hits":[]}}'
    pit = {"pit": {"id": "p1", "keep_alive": "1m"}, "query": {"match_all": {}}}

    def started(**policy: Any) -> tuple[Guard, opensearchpy.OpenSearch]:
        made = policy_set(idp.issuer, **policy)
        made["connections"] = [one for one in made["connections"] if one["name"] == "opensearch"]
        # Below a prefix, a search without an index could as well be one of an index of that name.
        made["connections"][0]["match"] = {"path_prefix": "/"}
        made["policies"] = [one for one in made["policies"] if one["name"] == "documents"]
        if policy:
            limits = {"operations": ["query"], "filter": {"tenant": "${identity.claims.tenant}"}}
            made["policies"][0]["vector"] = limits
        guard = start_guard(made)
        guard.upstream.answer = json_answer(page)
        return guard, searcher(guard, "")

    guard, client = started()
    assert client.search(index="docs", body={}, scroll="1m")["_scroll_id"] == "s1"
    sent(guard)
    guard.reset()
    for read_on in (lambda: client.scroll(scroll_id="s1"), lambda: client.search(body=pit)):
        with pytest.raises(opensearchpy.TransportError) as refused:
            read_on()
        assert refused.value.status_code == 415
    assert guard.upstream.requests == []
    guard, client = started(uninspected={"allow": ["reference"]})
    assert client.scroll(scroll_id="s1")["_scroll_id"] == "s1"
    sent(guard)
    guard.reset()
    guard.upstream.answer = json_answer(page)
    client.search(body=pit)
    narrowed = json.loads(sent(guard)[1])["query"]["bool"]["filter"]
    assert narrowed == [{"term": {"tenant": {"value": "acme"}}}]
