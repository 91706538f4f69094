//! What rules see of a request to Weaviate, and what becomes of it under a policy's limits.

use super::narrowed::{open, sent};
use super::*;

const ALL: u64 = u64::MAX;

/// A body of `/graphql` with this document.
fn asking(document: &str) -> String {
    serde_json::json!({ "query": document }).to_string()
}

fn seen(document: &str) -> Vec<String> {
    parts("weaviate", "POST", "/v1/graphql", &asking(document))
}

fn why(document: &str) -> String {
    refused("weaviate", "POST", "/v1/graphql", &asking(document))
}

/// The document that goes upstream.
fn goes(document: &str, limits: &Limits<'_>) -> Result<String, Excess> {
    let (_, body) = sent("weaviate", "POST", "/v1/graphql", &asking(document), limits)?;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    Ok(body["query"].as_str().unwrap().to_owned())
}

fn tenant() -> Vec<(String, String)> {
    vec![("tenant".to_owned(), "acme".to_owned())]
}

#[test]
fn every_class_of_a_document_is_a_query() {
    let document = r#"{
        Get {
            a: Doc(limit: 3, tenant: "acme", where: {path: ["n"], operator: Equal, valueInt: 1}) { text }
            b: Doc(nearVector: {vector: [0.1, 2e1]}, limit: 7) { text _additional { id distance } }
            Secret(bm25: {query: "x"}) { text }
        }
        Aggregate { Doc(where: {}) { meta { count } text { topOccurrences(limit: 5) { value } } } }
    }"#;
    assert_eq!(
        seen(document),
        [
            "Doc||0|{}".to_owned(),
            "Doc||7|".to_owned(),
            r#"Doc|acme|3|{path: ["n"], operator: Equal, valueInt: 1}"#.to_owned(),
            format!("Secret||{ALL}|"),
        ]
    );
    assert_eq!(seen("{Explore(nearText:{concepts:[\"x\"]},limit:4){beacon className}}"), ["||4|"]);
    let told = "{Get{Doc(limit:1){_additional{generate(groupedResult:{task:\"t\",properties:[\"a\"]}){error} rerank(query:\"q\"){score} summary(properties:[\"a\"]){result}}}}}";
    assert_eq!(seen(told), ["Doc||1|"]);
    assert_eq!(seen("{ __typename }"), ["||0|"]);
}

#[test]
fn all_operations_are_judged_whichever_is_named() {
    let document = "query A { Get { Doc(limit: 1) { a } } } query B { Get { Secret(limit: 2) { a } } }";
    let body = serde_json::json!({ "query": document, "operationName": "A" }).to_string();
    assert_eq!(parts("weaviate", "POST", "/v1/graphql", &body), ["Doc||1|", "Secret||2|"]);
}

#[test]
fn every_document_of_a_batch_is_read() {
    let body = format!("[{},{}]", asking("{Get{A(limit:1){x}}}"), asking("{Get{B(limit:2){x}}}"));
    assert_eq!(parts("weaviate", "POST", "/v1/graphql/batch", &body), ["A||1|", "B||2|"]);
    assert!(refused("weaviate", "POST", "/v1/graphql", &body).contains("expected an object"));
    assert!(refused("weaviate", "POST", "/v1/graphql/batch", "[{}]").contains("query: missing"));
}

#[test]
fn objects_that_others_refer_to_are_seen() {
    let by = |inner: &str| seen(&format!("{{Get{{Doc(limit:1){inner}}}}}"));
    let both = ["Author||0|", "Doc||1|"];
    assert_eq!(by("{of { ... on Author { name } } }"), both);
    assert_eq!(by("{of { deep { ... on Author { name } } } }"), both);
    let used = "{Get{Doc(limit:1){of{...f}}}} fragment f on Author { name }";
    assert_eq!(seen(used), both);
    let nested = "{Get{Doc(limit:1){...f}}} fragment f on Doc { of { ... on Author { name } } }";
    assert_eq!(seen(nested), both);
    assert_eq!(seen("{Get{Doc(limit:1){...f}}} fragment f on Doc { text }"), ["Doc||1|"]);
    let filtered = r#"{Get{Doc(limit:1,where:{operator:And,operands:[{path:["of","Author","name"],operator:Equal,valueText:"x"}]}){a}}}"#;
    assert_eq!(seen(filtered).len(), 2);
    assert!(seen(filtered)[0].starts_with("Author|"));
    let grouped = r#"{Aggregate{Doc(groupBy:["of","Author","name"]){meta{count}}}}"#;
    assert_eq!(seen(grouped), ["Author||0|", "Doc||0|"]);
    let sorted = r#"{Get{Doc(limit:1,sort:[{path:["of","Author","name"],order:asc}]){a}}}"#;
    assert_eq!(seen(sorted), both);
    assert_eq!(by("{place { latitude longitude } }"), ["Doc||1|"], "an object is no reference");
}

#[test]
fn what_cannot_be_told_from_a_document_is_refused() {
    let cases = [
        ("mutation { Get { Doc { a } } }", "only queries are read"),
        ("subscription { Get { Doc { a } } }", "only queries are read"),
        ("{ Merge { Doc { a } } }", "only Get, Aggregate and Explore are read"),
        ("{ __schema { types { name } } }", "only Get, Aggregate and Explore are read"),
        ("{ ...f } fragment f on WeaviateObj { Get { Doc { a } } }", "a fragment here"),
        ("{ Get { ...f } } fragment f on GetObjectsObj { Doc { a } }", "a fragment here"),
        ("{ Get { ... on GetObjectsObj { Doc { a } } } }", "a fragment here"),
        ("{ Get { Doc { ... { a } } } }", "expected a name"),
        ("{ Get { Doc { ...f } } }", "a fragment that is nowhere"),
        ("{ Get { Doc { a } } } fragment f on Doc { a } fragment f on Doc { b }", "comes twice"),
        ("{ Get { Doc @include(if: true) { a } } }", "expected what is asked of each object"),
        ("{ Get @skip(if: false) { Doc { a } } }", "expected a brace"),
        ("query Q($a: Int) @x { Get { Doc { a } } }", "expected a brace"),
        ("{ Get { Doc { a @include(if: true) } } }", "expected a field"),
        ("{ Get { Doc(limit: 1, limit: 2) { a } } }", "a name that comes twice"),
        ("{ Get { Doc(where: {operator: And, operator: Or}) { a } } }", "a name that comes twice"),
        ("{ Get { Doc(limit: -1) { a } } }", "no whole number"),
        ("{ Get { Doc(limit: 1.5) { a } } }", "no whole number"),
        ("{ Get { Doc(limit: \"1\") { a } } }", "written out"),
        ("query Q($n: Int) { Get { Doc(limit: $n) { a } } }", "written out"),
        ("query Q($t: String) { Get { Doc(tenant: $t) { a } } }", "written out"),
        ("query Q($w: W) { Get { Doc(where: $w) { a } } }", "written out"),
        ("query Q($w: W) { Get { Doc(where: {operator: And, operands: [$w]}) { a } } }", "written out"),
        ("query Q($p: [String]) { Get { Doc(where: {path: $p}) { a } } }", "written out"),
        ("query Q($p: String) { Get { Doc(where: {path: [\"a\", $p]}) { a } } }", "written out"),
        ("query Q($o: O) { Get { Doc(where: {operator: $o}) { a } } }", "expected a name"),
        ("query Q($m: M) { Get { Doc(nearText: {concepts: [\"a\"], moveTo: $m}) { a } } }", "written out"),
        ("query Q($m: M) { Get { Doc(nearObject: $m) { a } } }", "written out"),
        (
            "{ Get { Doc(nearObject: {beacon: \"weaviate://localhost/Secret/1\"}) { a } } }",
            "more than its id",
        ),
        ("{ Get { Doc(where: null) { a } } }", "written out"),
        ("{ Get { Doc(tenant: null) { a } } }", "written out"),
        ("{ Get { Doc(where: [{}]) { a } } }", "written out"),
        ("{ Get { Doc(where: {nots: {}}) { a } } }", "a filter with a key"),
        ("{ Get { Doc(cluster: \"x\") { a } } }", "not known of this API"),
        ("{ Get { Doc() { a } } }", "expected a name"),
        ("{ Get { Doc { a(limit: 1) } } }", "expected a field"),
        ("{ Get { Things { Doc(limit: 1) { a } } } }", "expected a field"),
        ("{ Get { Doc { _additional { raw } } } }", "not known of this API"),
        ("{ Get { Doc { _additional { ...f } } } } fragment f on X { vector }", "a fragment here"),
        ("{ Get { Doc } }", "expected what is asked"),
        (
            "{ Get { Doc { _additional { generate(singleResult: {prompt: \"{a}\", openai: {baseURL: \"https://x\"}}) { singleResult } } } } }",
            "a name that is not known",
        ),
        ("{ Get { Doc { _additional { generate(openai: {}) { error } } } } }", "a name that is not known"),
        ("{ Get { Doc(tenant: \"\"\"acme\"\"\") { a } } }", "a block string"),
        ("{ Get { Doc(tenant: \"\\ud800\") { a } } }", "half a surrogate"),
        ("{ Get { Doc { a } }", "expected a field"),
        ("{ Get { Doc { a } } } }", "only queries are read"),
        ("{}", "expected a field"),
        ("\u{feff}{ Get { Doc { a } } }", "stands in strings alone"),
    ];
    for (document, told) in cases {
        assert!(why(document).contains(told), "{document}: {}", why(document));
    }
    let deep = format!("{{Get{{Doc{}{}}}}}", "{a".repeat(70), "}".repeat(70));
    assert!(why(&deep).contains("nested too deeply"));
    let deep = format!("{{Get{{Doc(where:{}{}){{a}}}}}}", "{operands:[".repeat(70), "]}".repeat(70));
    assert!(why(&deep).contains("nested too deeply"));
    for body in [
        r#"{"query":"{Get{A{x}}}","query":"{Get{B{x}}}"}"#,
        r#"{"query":"{Get{A{x}}}","Query":"{Get{B{x}}}"}"#,
        r#"{"query":"{Get{A{x}}}","extensions":{}}"#,
        r#"{"query":null}"#,
        r#"{"query":"{Get{A{x}}}"}{"query":"{Get{B{x}}}"}"#,
    ] {
        refused("weaviate", "POST", "/v1/graphql", body);
    }
    refused("weaviate", "POST", "/v1/graphql?query=%7BGet%7D", &asking("{Get{A{x}}}"));
}

#[test]
fn variables_stand_where_nothing_is_judged() {
    let document =
        "query Q($v: [Float]! = [1, 2], $q: String) { Get { Doc(limit: 2, nearVector: {vector: $v},
        where: {path: [\"a\"], operator: Like, valueText: $q}) { a } } }";
    assert_eq!(seen(document), ["Doc||2|{path: [\"a\"], operator: Like, valueText: $q}"]);
}

#[test]
fn a_document_is_narrowed_where_it_stands() {
    let fields = tenant();
    let names = ["a\"cme".to_owned()];
    let filter = Limits { filter: &fields, ..open() };
    let own = r#"{path:["tenant"],operator:Equal,valueText:"acme"}"#;
    let within = Limits { namespaces: Some(&names), max_top_k: Some(5), ..open() };
    let cases = [
        (&filter, "{Get{Doc{a}}}", format!("{{Get{{Doc(where:{own}){{a}}}}}}")),
        (&filter, "{Get{Doc(limit:1){a}}}", format!("{{Get{{Doc(where:{own},limit:1){{a}}}}}}")),
        (
            &filter,
            "{Get{Doc( # (\n where: { # }\n } ){a}}}",
            format!("{{Get{{Doc( # (\n where: {own} ){{a}}}}}}"),
        ),
        (
            &filter,
            "{Get{x:Doc(where:{path:[\"a\"] operator:Equal valueText:\"}\\\"])\"}){a}}}",
            format!(
                "{{Get{{x:Doc(where:{{operator:And,operands:[{{path:[\"a\"] operator:Equal valueText:\"}}\\\"])\"}},{own}]}}){{a}}}}}}"
            ),
        ),
        (
            &filter,
            "{Aggregate{Doc{meta{count}}} Get{A{x} A{x}}}",
            format!(
                "{{Aggregate{{Doc(where:{own}){{meta{{count}}}}}} Get{{A(where:{own}){{x}} A(where:{own}){{x}}}}}}"
            ),
        ),
        (&within, "{Get{Doc{a}}}", r#"{Get{Doc(tenant:"a\"cme",limit:5){a}}}"#.to_owned()),
        (
            &within,
            r#"{Get{Doc(limit: 10, tenant: "a\u0022cme"){a}}}"#,
            r#"{Get{Doc(limit: 5, tenant: "a\u0022cme"){a}}}"#.to_owned(),
        ),
        (
            &within,
            r#"{Get{Doc(limit:5,tenant:""){a}}}"#,
            r#"{Get{Doc(limit:5,tenant:"a\"cme"){a}}}"#.to_owned(),
        ),
    ];
    for (limits, came, expected) in cases {
        assert_eq!(goes(came, limits), Ok(expected), "{came}");
    }
    // Bytes that came with escapes keep them.
    let came =
        r#"{ "query" : "{\n\tGet { Doc(bm25: {query: \"\u00e9\\\"\"}) { a } } }" , "variables":null }"#;
    let (_, body) = sent("weaviate", "POST", "/v1/graphql", came, &filter).unwrap();
    let expected =
        came.replacen("Doc(", r#"Doc(where:{path:[\"tenant\"],operator:Equal,valueText:\"acme\"},"#, 1);
    assert_eq!(body, expected);
    let untouched = Limits { max_top_k: Some(5), drop_vectors: true, ..open() };
    let came = " {\"query\" : \"{ \\u0047et{Doc(limit:5){a}}}\"}\n";
    assert_eq!(sent("weaviate", "POST", "/v1/graphql", came, &untouched).unwrap().1, came);
}

#[test]
fn vectors_are_not_asked_for_in_a_document() {
    let limits = Limits { drop_vectors: true, ..open() };
    let cases = [
        ("{id vector}", "{id }"),
        ("{vector}", "{id}"),
        ("{v:vector}", "{id}"),
        ("{vector vectors{a b}}", "{id }"),
        ("{vectors { title } distance}", "{ distance}"),
        ("{featureProjection(dimensions:2){vector} id}", "{ id}"),
        ("{group{hits{a _additional{vector distance}} id}}", "{group{hits{a _additional{ distance}} id}}"),
    ];
    for (came, expected) in cases {
        let document = |inner: &str| format!("{{Get{{Doc{{a _additional{inner}}}}}}}");
        assert_eq!(goes(&document(came), &limits), Ok(document(expected)), "{came}");
        let other = |inner: &str| format!("{{Get{{Doc{{of{{... on A{{_additional{inner}}}}}}}}}}}");
        assert_eq!(goes(&other(came), &limits), Ok(other(expected)), "{came}");
        let used = |inner: &str| {
            format!(
                "{{Aggregate{{B{{meta{{count}}}}}}Get{{Doc{{...f}}Doc{{...f}}}}}} fragment f on Doc{{_additional{inner}}}"
            )
        };
        assert_eq!(goes(&used(came), &limits), Ok(used(expected)), "{came}");
    }
    let get = |path: &str| sent("weaviate", "GET", path, "", &limits).unwrap().0;
    assert_eq!(get("/v1/objects/Doc/1?include=vector"), "/v1/objects/Doc/1?");
    assert_eq!(
        get("/v1/objects?limit=1&include=vector,classification&class=Doc"),
        "/v1/objects?limit=1&include=classification&class=Doc"
    );
    assert_eq!(get("/v1/objects?limit=1&incl%75de=Vector"), "/v1/objects?limit=1&");
    assert_eq!(get("/v1/objects?include=classification"), "/v1/objects?include=classification");
}

#[test]
fn objects_over_rest_are_of_their_class_and_tenant() {
    let part = |method: &str, path: &str, body: &str| parts("weaviate", method, path, body);
    assert_eq!(part("GET", "/v1/objects/doc/1?tenant=acme", ""), ["Doc|acme|0|"]);
    assert_eq!(part("GET", "/v1/objects?class=doc&limit=3", ""), ["Doc||3|"]);
    assert_eq!(part("GET", "/v1/objects", ""), [format!("||{ALL}|")]);
    assert_eq!(
        part("POST", "/v1/objects", r#"{"class":"doc","tenant":"t","properties":{"class":"x"}}"#),
        ["Doc|t|0|"]
    );
    assert_eq!(part("PATCH", "/v1/objects/Doc/1", r#"{"properties":{}}"#), ["Doc||0|"]);
    let differs = refused("weaviate", "PUT", "/v1/objects/Doc/1", r#"{"class":"Secret"}"#);
    assert!(differs.contains("the class comes twice"), "{differs}");
    let batch = r#"{"objects":[{"class":"A","tenant":"t"},{"class":"B"}]}"#;
    assert_eq!(part("POST", "/v1/batch/objects", batch), ["A|t|0|", "B||0|"]);
    let references = r#"[{"from":"weaviate://localhost/A/1/of","to":"weaviate://localhost/B/2"}]"#;
    assert_eq!(part("POST", "/v1/batch/references", references), ["A||0|", "B||0|"]);
    let one = r#"{"beacon":"weaviate://localhost/B/2"}"#;
    let path = "/v1/objects/A/1/references/of";
    assert_eq!(part("POST", path, one), ["A||0|", "B||0|"]);
    assert_eq!(part("PUT", path, &format!("[{one}]")), ["A||0|", "B||0|"]);
    let bare = refused("weaviate", "POST", path, r#"{"beacon":"weaviate://localhost/2"}"#);
    assert!(bare.contains("it names no class"), "{bare}");
    let delete = r#"{"match":{"class":"Doc","where":{"operator":"Equal","path":["a"],"valueText":"x"}}}"#;
    let filter = r#"{"operator":"Equal","path":["a"],"valueText":"x"}"#;
    assert_eq!(part("DELETE", "/v1/batch/objects?tenant=t", delete), [format!("Doc|t|0|{filter}")]);
    let through = delete.replace(r#"["a"]"#, r#"["of","Author","a"]"#);
    let found = part("DELETE", "/v1/batch/objects", &through);
    assert!(found.len() == 2 && found[0] == "Author||0|", "{found:?}");
    for (body, told) in [
        (delete.replace("operator", "Operator"), "other letters"),
        (delete.replace("\"where\"", "\"Where\""), "other letters"),
        (delete.replace("\"match\"", "\"output\""), "missing"),
    ] {
        let why = refused("weaviate", "DELETE", "/v1/batch/objects", &body);
        assert!(why.contains(told), "{body}: {why}");
    }
    assert_eq!(part("POST", "/v1/schema", r#"{"class":"Doc","properties":[]}"#), ["Doc||0|"]);
    assert_eq!(
        part("POST", "/v1/schema/Doc/tenants", r#"[{"name":"a"},{"name":"b"}]"#),
        ["Doc|a|0|", "Doc|b|0|"]
    );
    assert_eq!(part("DELETE", "/v1/schema/Doc/tenants", r#"["a"]"#), ["Doc|a|0|"]);
    assert_eq!(part("GET", "/v1/schema/Doc/tenants/a", ""), ["Doc|a|0|"]);
    assert_eq!(part("GET", "/v1/meta", ""), ["||0|"]);
}

#[test]
fn requests_over_rest_are_narrowed() {
    let fields = tenant();
    let names = ["acme".to_owned()];
    let within = Limits { namespaces: Some(&names), max_top_k: Some(5), ..open() };
    let rest = |method: &str, path: &str, body: &str, limits: &Limits<'_>| {
        sent("weaviate", method, path, body, limits)
    };
    let path = |method: &str, path: &str, body: &str| rest(method, path, body, &within).unwrap().0;
    let body = |method: &str, path: &str, body: &str| rest(method, path, body, &within).unwrap().1;
    assert_eq!(path("GET", "/v1/objects?class=Doc", ""), "/v1/objects?class=Doc&tenant=acme&limit=5");
    assert_eq!(path("GET", "/v1/objects?limit=900&tenant=acme", ""), "/v1/objects?limit=5&tenant=acme");
    assert_eq!(path("DELETE", "/v1/objects/Doc/1", ""), "/v1/objects/Doc/1?tenant=acme");
    assert_eq!(body("POST", "/v1/objects", r#"{"class":"Doc"}"#), r#"{"tenant":"acme","class":"Doc"}"#);
    assert_eq!(
        body("POST", "/v1/batch/objects", r#"{"objects":[{"class":"A"},{"class":"B","tenant":"acme"}]}"#),
        r#"{"objects":[{"tenant":"acme","class":"A"},{"class":"B","tenant":"acme"}]}"#
    );
    let one = r#"{"beacon":"weaviate://localhost/B/2"}"#;
    assert_eq!(
        path("POST", "/v1/objects/A/1/references/of", one),
        "/v1/objects/A/1/references/of?tenant=acme"
    );
    let match_of = |filter: &str| format!(r#"{{"match":{{"class":"Doc"{filter}}}}}"#);
    assert_eq!(path("DELETE", "/v1/batch/objects", &match_of("")), "/v1/batch/objects?tenant=acme");
    let filter = Limits { filter: &fields, ..open() };
    let own = r#"{"operator":"Equal","path":["a"],"valueText":"x"}"#;
    assert_eq!(
        rest("DELETE", "/v1/batch/objects", &match_of(&format!(r#","where":{own}"#)), &filter).unwrap().1,
        match_of(&format!(
            r#","where":{{"operator":"And","operands":[{own},{{"path":["tenant"],"operator":"Equal","valueText":"acme"}}]}}"#
        ))
    );
    for filtered in ["", r#","where":{ }"#, r#","where":null"#] {
        assert_eq!(rest("DELETE", "/v1/batch/objects", &match_of(filtered), &filter), Err(Excess::Deletion));
    }
    for (method, path, body) in [
        ("GET", "/v1/objects/Doc/1", ""),
        ("GET", "/v1/objects?class=Doc", ""),
        ("HEAD", "/v1/objects/Doc/1", ""),
        ("POST", "/v1/objects", r#"{"class":"Doc"}"#),
        ("DELETE", "/v1/objects/Doc/1", ""),
        ("DELETE", "/v1/schema/Doc", ""),
        ("GET", "/v1/schema/Doc/tenants", ""),
        (
            "POST",
            "/v1/batch/references",
            r#"[{"from":"weaviate://localhost/A/1/of","to":"weaviate://localhost/B/2"}]"#,
        ),
    ] {
        assert_eq!(rest(method, path, body, &filter), Err(Excess::Unfiltered), "{method} {path}");
    }
    let read = |document: &str, limits: &Limits<'_>| goes(document, limits);
    for document in [
        "{Get{Doc{of{...on A{b}}}}}",
        "{Explore(nearText:{concepts:[\"x\"]}){beacon}}",
        r#"{Get{Doc(where:{path:["of","A","b"],operator:Equal,valueText:"x"}){a}}}"#,
    ] {
        assert_eq!(read(document, &filter), Err(Excess::Unfiltered), "{document}");
    }
    for (method, path, body, excess) in [
        ("GET", "/v1/objects/Doc/1?tenant=other", "", Excess::Namespace),
        ("POST", "/v1/objects", r#"{"class":"Doc","tenant":"other"}"#, Excess::Namespace),
        ("POST", "/v1/schema/Doc/tenants", r#"[{"name":"acme"},{"name":"other"}]"#, Excess::Namespace),
        ("GET", "/v1/schema/Doc/tenants", "", Excess::NoNamespace),
        ("DELETE", "/v1/schema/Doc", "", Excess::NoNamespace),
        ("POST", "/v1/graphql", r#"{"query":"{Get{Doc(tenant:\"other\"){a}}}"}"#, Excess::Namespace),
        ("POST", "/v1/graphql", r#"{"query":"{Get{Doc{of{...on A{b}}}}}"}"#, Excess::NoNamespace),
    ] {
        assert_eq!(rest(method, path, body, &within), Err(excess), "{method} {path} {body}");
    }
    let may = |name: &str| name == "Doc";
    let classes = Limits { collection: Some(&may), ..open() };
    for (method, path, body, excess) in [
        ("GET", "/v1/objects", "", Excess::NoCollection),
        ("GET", "/v1/objects/1", "", Excess::NoCollection),
        ("GET", "/v1/schema", "", Excess::NoCollection),
        ("GET", "/v1/objects/secret/1", "", Excess::Collection),
        ("POST", "/v1/graphql", r#"{"query":"{Get{Doc{of{...on A{b}}}}}"}"#, Excess::Collection),
        ("POST", "/v1/graphql", r#"{"query":"{Get{Doc{a}A{a}}}"}"#, Excess::Collection),
        (
            "POST",
            "/v1/graphql",
            r#"{"query":"{Explore(nearText:{concepts:[\"x\"]}){beacon}}"}"#,
            Excess::NoCollection,
        ),
        (
            "POST",
            "/v1/objects/Doc/1/references/of",
            r#"{"beacon":"weaviate://localhost/A/2"}"#,
            Excess::Collection,
        ),
    ] {
        assert_eq!(rest(method, path, body, &classes), Err(excess), "{method} {path} {body}");
    }
    assert!(rest("GET", "/v1/objects/doc/1", "", &classes).is_ok());
    assert!(rest("GET", "/v1/meta", "", &classes).is_ok());
}

#[test]
fn a_value_with_spaces_around_it_is_no_filter() {
    for value in [" acme", "acme\n", "\u{2003}acme"] {
        let fields = [("tenant".to_owned(), value.to_owned())];
        let limits = Limits { filter: &fields, ..open() };
        assert!(matches!(goes("{Get{Doc{a}}}", &limits), Err(Excess::Filter(_))), "{value:?}");
    }
}
