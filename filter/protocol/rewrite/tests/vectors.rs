//! Vectors in what stores answer: left out where a policy says so, and nothing else with them.

use proptest::prelude::*;

use super::*;
use crate::protocol::api::{APIS, Api};
use crate::protocol::json::table::Table;

/// A protocol, what a store answers, and what a caller gets.
const ANSWERED: &[(&str, &str, &str)] = &[
    (
        "pinecone",
        r#"{"matches":[{"id":"a","score":0.5,"values":[1.5, -2e-3],"sparseValues":{"indices":[1],"values":[0.5]},"metadata":{"values":[3]}}],"namespace":"n"}"#,
        r#"{"matches":[{"id":"a","score":0.5,"values":[],"sparseValues":null,"metadata":{"values":[3]}}],"namespace":"n"}"#,
    ),
    (
        "pinecone",
        r#"{"vectors":{"a":{"id":"a","values":[0.1]},"values":{"values":[0.2]}},"usage":{"readUnits":1}}"#,
        r#"{"vectors":{"a":{"id":"a","values":[0]},"values":{"values":[0]}},"usage":{"readUnits":1}}"#,
    ),
    (
        "qdrant",
        r#"{"result":{"points":[{"id":1,"vector":[0.1,0.2],"payload":{"vector":[1]}},{"id":2,"vector":{"named":[1],"sparse":{"indices":[7],"values":[1.0]}}}]},"time":0.1}"#,
        r#"{"result":{"points":[{"id":1,"vector":null,"payload":{"vector":[1]}},{"id":2,"vector":null}]},"time":0.1}"#,
    ),
    (
        "qdrant",
        r#"{"result":[{"points":[{"vector":[[1],[2]]}]},{"groups":[{"id":1,"hits":[{"vector":"AAAA"}],"lookup":{"vector":[1]}}]}]}"#,
        r#"{"result":[{"points":[{"vector":null}]},{"groups":[{"id":1,"hits":[{"vector":null}],"lookup":{"vector":null}}]}]}"#,
    ),
    (
        "chroma",
        r#"{"ids":[["a"]],"embeddings":[[[0.1, 0.2]]],"distances":[[0.5]],"metadatas":[[{"embeddings":1,"n":[2]}]]}"#,
        r#"{"ids":[["a"]],"embeddings":null,"distances":[[0.5]],"metadatas":[[{"embeddings":1,"n":[2]}]]}"#,
    ),
    (
        "milvus",
        r#"{"code":0,"data":[{"id":1,"distance":0.5,"vector":[1.0],"my_emb":[0.1,-2 ,true,"x",[3]],"year":2020,"meta":{"a":[1],"b":1}}]}"#,
        r#"{"code":0,"data":[{"id":1,"distance":0.5,"vector":null,"my_emb":[null,null ,true,"x",[null]],"year":2020,"meta":{"a":[null],"b":1}}]}"#,
    ),
    (
        "milvus",
        r#"{"code":0,"data":[[{"embedding":{"1":0.5}}],[{"embeddings":"AAAA"}]]}"#,
        r#"{"code":0,"data":[[{"embedding":null}],[{"embeddings":null}]]}"#,
    ),
    (
        "opensearch",
        r#"{"took":1,"hits":{"total":{"value":1},"hits":[{"_id":"a","_score":1.5,"sort":[5],"_source":{"n":7,"deep":{"v":[0.1,0.2]}},"fields":{"v":[[1,2]]}}]}}"#,
        r#"{"took":1,"hits":{"total":{"value":1},"hits":[{"_id":"a","_score":1.5,"sort":[5],"_source":{"n":7,"deep":{"v":[null,null]}},"fields":{"v":[[null,null]]}}]}}"#,
    ),
    (
        "opensearch",
        r#"{"_index":"i","_id":"a","_source":{"v":[1,2],"n":3},"aggregations":{"x":{"value":[1,{"y":[2]}],"doc_count":4}}}"#,
        r#"{"_index":"i","_id":"a","_source":{"v":[null,null],"n":3},"aggregations":{"x":{"value":[null,{"y":[null]}],"doc_count":4}}}"#,
    ),
    (
        "weaviate",
        r#"{"data":{"Get":{"Doc":[{"n":1,"_additional":{"id":"a","vector":[1,2],"v":[3],"vectors":{"t":[4]}},"a":{"vector":[5]},"to":[{"_additional":{"vector":[6]}}]}]},"got":{"Doc":[{"x":{"y":[7]}}]}}}"#,
        r#"{"data":{"Get":{"Doc":[{"n":1,"_additional":{"id":"a","vector":null,"v":[null],"vectors":null},"a":{"vector":[null]},"to":[{"_additional":{"vector":null}}]}]},"got":{"Doc":[{"x":{"y":[null]}}]}}}"#,
    ),
    (
        "weaviate",
        r#"{"objects":[{"id":"a","class":"C","vector":[1],"vectors":{"t":[2]},"properties":{"n":[3],"m":4}}],"totalResults":1}"#,
        r#"{"objects":[{"id":"a","class":"C","vector":null,"vectors":null,"properties":{"n":[null],"m":4}}],"totalResults":1}"#,
    ),
];

fn api(name: &str) -> &'static Api {
    APIS.into_iter().find(|api| api.name == name).unwrap()
}

/// What goes out of an answer in which nothing is masked, in pieces of these sizes.
fn without(table: &'static Table, kind: BodyKind, answer: &[u8], sizes: &[usize]) -> String {
    let rewriter = ResponseRewriter::new(kind, table, Nothing).without_drops().without_vectors();
    pushed(rewriter, answer, sizes)
}

fn pushed(mut rewriter: ResponseRewriter<Nothing>, answer: &[u8], sizes: &[usize]) -> String {
    let (mut out, mut rest) = (Vec::new(), answer);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at((*size).clamp(1, rest.len()));
        rewriter.push(piece, false, &mut out).unwrap();
        rest = more;
    }
    rewriter.push(b"", true, &mut out).unwrap();
    assert_eq!(rewriter.held(), 0);
    String::from_utf8(out).unwrap()
}

#[test]
fn vectors_are_left_out_and_every_other_byte_stays() {
    for (name, answer, expected) in ANSWERED {
        let table = api(name).answers;
        for size in [1, 2, 3, 7, answer.len()] {
            let seen = without(table, BodyKind::Json, answer.as_bytes(), &[size]);
            assert_eq!(seen, *expected, "{name} in pieces of {size}");
        }
        let kept = ResponseRewriter::new(BodyKind::Json, table, Nothing).without_drops();
        assert_eq!(pushed(kept, answer.as_bytes(), &[5]), *answer, "{name}: where they are kept");
    }
}

#[test]
fn lines_and_events_are_left_without_them_too() {
    for (name, answer, expected) in ANSWERED {
        let table = api(name).answers;
        let lines = |text: &str| format!("{text}\n{text}\n");
        assert_eq!(
            without(table, BodyKind::JsonLines, lines(answer).as_bytes(), &[9]),
            lines(expected),
            "{name}"
        );
        let events = |text: &str| format!("data: {text}\n\n").repeat(3);
        let whole = without(table, BodyKind::EventStream, events(answer).as_bytes(), &[usize::MAX]);
        assert_eq!(whole, events(expected), "{name}");
        assert_eq!(without(table, BodyKind::EventStream, events(answer).as_bytes(), &[11]), whole, "{name}");
    }
}

#[test]
fn a_key_with_escapes_is_the_key_and_one_that_comes_twice_is_no_answer() {
    let table = api("qdrant").answers;
    let seen = without(table, BodyKind::Json, br#"{"result":{"v\u0065ctor":[1]}}"#, &[4]);
    assert_eq!(seen, r#"{"result":{"v\u0065ctor":null}}"#);
    let mut rewriter = ResponseRewriter::new(BodyKind::Json, table, Nothing).without_vectors();
    let twice = br#"{"result":{"vector":[1],"v\u0065ctor":[2]}}"#;
    assert!(rewriter.push(twice, true, &mut Vec::new()).is_err());
}

#[test]
fn a_document_that_is_the_whole_answer_is_left_without_them() {
    let operations = api("opensearch").operations.iter();
    let tables: Vec<_> = operations.filter_map(|operation| operation.answers).collect();
    assert!(!tables.is_empty());
    for table in tables {
        assert_eq!(
            without(table, BodyKind::Json, br#"{"v":[1,2],"n":3}"#, &[3]),
            r#"{"v":[null,null],"n":3}"#
        );
    }
}

/// A document with the numbers of its arrays set to null.
fn emptied(value: &Value, within: bool) -> Value {
    match value {
        Value::Number(_) if within => Value::Null,
        Value::Array(items) => items.iter().map(|item| emptied(item, true)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), emptied(value, false))).collect()
        }
        other => other.clone(),
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-z\"\\\\é]{0,4}".prop_map(Value::String),
        any::<i32>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn of_fields_without_a_known_name_no_number_of_an_array_stays(value in document(), sizes in prop::collection::vec(1usize..20, 1..6)) {
        let answer = |value: Value| json!({ "hits": { "hits": [{ "_id": "a", "_source": { "zz": value } }] } });
        let seen = without(api("opensearch").answers, BodyKind::Json, answer(value.clone()).to_string().as_bytes(), &sizes);
        prop_assert_eq!(seen, answer(emptied(&value, false)).to_string());
    }

    #[test]
    fn a_vector_of_any_form_is_left_out_whole(vector in document(), sizes in prop::collection::vec(1usize..20, 1..6)) {
        let answer = |vector: Value| json!({ "result": [{ "id": 1, "vector": vector, "score": 0.5 }] });
        let seen = without(api("qdrant").answers, BodyKind::Json, answer(vector).to_string().as_bytes(), &sizes);
        prop_assert_eq!(seen, answer(Value::Null).to_string());
    }

    #[test]
    fn masks_and_vectors_do_not_hinder_each_other(text in "[a-z ]{0,5}", numbers in prop::collection::vec(any::<i16>(), 0..5), sizes in prop::collection::vec(1usize..20, 1..6)) {
        let answer = |text: &str, vector: Value| json!({ "result": [{ "payload": { "t": text }, "vector": vector }] }).to_string();
        let text = format!("{text}SECRET{text}");
        let mut rewriter = ResponseRewriter::new(BodyKind::Json, api("qdrant").answers, Simple).without_vectors();
        let (mut out, came) = (Vec::new(), answer(&text, json!(numbers)));
        let mut rest = came.as_bytes();
        for size in sizes.iter().cycle() {
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            rewriter.push(piece, more.is_empty(), &mut out).unwrap();
            rest = more;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(String::from_utf8(out).unwrap(), answer(&masked(&text), Value::Null));
    }
}
