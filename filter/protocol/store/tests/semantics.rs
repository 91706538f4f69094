//! Models of the stores' filter languages: whatever a caller's filter is, under the policy's it finds of the caller's own
//! rows those that it found before, and no others.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::narrowed::sent;
use super::*;

/// A row's metadata.
type Row = Vec<(&'static str, String)>;

fn field<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.iter().find(|(field, _)| *field == name).map(|(_, text)| text.as_str())
}

/// Pinecone's and Chroma's language.
fn fields(filter: &Value, row: &Row) -> bool {
    filter.as_object().unwrap().iter().all(|(key, value)| match key.as_str() {
        "$and" => value.as_array().unwrap().iter().all(|one| fields(one, row)),
        "$or" => value.as_array().unwrap().iter().any(|one| fields(one, row)),
        name => {
            let has = field(row, name);
            match value.as_object() {
                None => has == value.as_str(),
                Some(operators) => operators.iter().all(|(operator, value)| match operator.as_str() {
                    "$eq" => has == value.as_str(),
                    "$ne" => has != value.as_str(),
                    "$in" => value.as_array().unwrap().iter().any(|one| has == one.as_str()),
                    "$nin" => value.as_array().unwrap().iter().all(|one| has != one.as_str()),
                    other => panic!("{other}"),
                }),
            }
        }
    })
}

/// Qdrant's.
fn conditions(filter: &Value, row: &Row) -> bool {
    let list = |key: &str| filter.get(key).and_then(Value::as_array);
    let one = |condition: &Value| match condition.get("key").and_then(Value::as_str) {
        None => conditions(condition, row),
        Some(name) => {
            let (has, of) = (field(row, name), &condition["match"]);
            match (of.get("value"), of.get("any"), of.get("except")) {
                (Some(value), ..) => has == value.as_str(),
                (_, Some(any), _) => any.as_array().unwrap().iter().any(|one| has == one.as_str()),
                (.., Some(not)) => {
                    has.is_some() && not.as_array().unwrap().iter().all(|one| has != one.as_str())
                }
                _ => panic!("{of}"),
            }
        }
    };
    list("must").is_none_or(|list| list.iter().all(one))
        && list("should").is_none_or(|list| list.is_empty() || list.iter().any(one))
        && list("must_not").is_none_or(|list| !list.iter().any(one))
}

/// OpenSearch's.
fn clause(query: &Value, row: &Row) -> bool {
    let (kind, of) = query.as_object().unwrap().iter().next().unwrap();
    let list = |key: &str| of.get(key).and_then(Value::as_array);
    match kind.as_str() {
        "match_all" => true,
        "term" => {
            let (name, value) = of.as_object().unwrap().iter().next().unwrap();
            field(row, name) == value.get("value").unwrap_or(value).as_str()
        }
        "terms" => {
            let (name, values) = of.as_object().unwrap().iter().next().unwrap();
            values.as_array().unwrap().iter().any(|value| field(row, name) == value.as_str())
        }
        "bool" => {
            let must = list("must").into_iter().chain(list("filter")).flatten().all(|one| clause(one, row));
            let not = list("must_not").is_none_or(|list| !list.iter().any(|one| clause(one, row)));
            let alone = list("must").is_none() && list("filter").is_none();
            let should = list("should").is_none_or(|list| !alone || list.iter().any(|one| clause(one, row)));
            must && not && should
        }
        other => panic!("{other}"),
    }
}

/// Weaviate's, of fields of one value.
fn object(filter: &Value, row: &Row) -> bool {
    let operands = || filter["operands"].as_array().unwrap().iter();
    let value = filter.get("valueText").and_then(Value::as_str);
    let has = || field(row, filter["path"][0].as_str().unwrap());
    match filter["operator"].as_str().unwrap() {
        "And" => operands().all(|one| object(one, row)),
        "Or" => operands().any(|one| object(one, row)),
        "Not" => !operands().any(|one| object(one, row)),
        "Equal" => has() == value,
        "NotEqual" => has() != value,
        other => panic!("{other}"),
    }
}

/// A value of GraphQL as JSON: a reader of its own. `None`: it is none.
fn graph(text: &str) -> Option<Value> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                out.push('"');
                loop {
                    match chars.next()? {
                        '\\' => out.extend(['\\', chars.next()?]),
                        '"' => break,
                        other => out.push(other),
                    }
                }
                out.push('"');
            }
            char if char.is_ascii_alphabetic() => {
                let mut name = char.to_string();
                while let Some(next) = chars.next_if(|next| next.is_ascii_alphanumeric()) {
                    name.push(next);
                }
                out.push_str(&json!(name).to_string());
            }
            other => out.push(other),
        }
    }
    serde_json::from_str(&out).ok()
}

/// A filter as GraphQL.
fn as_graph(filter: &Value) -> String {
    match filter {
        Value::Object(fields) => {
            let one = |(name, value): (&String, &Value)| match (name.as_str(), value.as_str()) {
                ("operator", Some(word)) => format!("operator:{word}"),
                _ => format!("{name}:{}", as_graph(value)),
            };
            format!("{{{}}}", fields.iter().map(one).collect::<Vec<_>>().join(","))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(as_graph).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// Milvus's: a reader of its own, by the precedence of its grammar. `None`: it is no expression.
struct Reader<'t, 'r> {
    text: &'t [u8],
    at: usize,
    row: &'r Row,
}

impl Reader<'_, '_> {
    fn whole(text: &str, row: &Row) -> Option<bool> {
        let mut reader = Reader { text: text.as_bytes(), at: 0, row };
        let holds = reader.or()?;
        reader.space();
        (reader.at == text.len()).then_some(holds)
    }

    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let is = self.text[self.at..].starts_with(token.as_bytes());
        self.at += if is { token.len() } else { 0 };
        is
    }

    fn or(&mut self) -> Option<bool> {
        let mut holds = self.and()?;
        while self.eat("or") || self.eat("||") {
            holds |= self.and()?;
        }
        Some(holds)
    }

    fn and(&mut self) -> Option<bool> {
        let mut holds = self.unary()?;
        while self.eat("and") || self.eat("&&") {
            holds &= self.unary()?;
        }
        Some(holds)
    }

    fn unary(&mut self) -> Option<bool> {
        if self.eat("not") || (!self.text[self.at..].starts_with(b"!=") && self.eat("!")) {
            return self.unary().map(|holds| !holds);
        }
        if self.eat("(") {
            let holds = self.or()?;
            return self.eat(")").then_some(holds);
        }
        let left = self.operand()?;
        if self.eat("==") {
            return Some(left == self.operand()?);
        }
        if self.eat("!=") {
            return Some(left != self.operand()?);
        }
        if self.eat("in") && self.eat("[") {
            let mut holds = false;
            loop {
                holds |= left == self.operand()?;
                if self.eat("]") {
                    return Some(holds);
                }
                if !self.eat(",") {
                    return None;
                }
            }
        }
        None
    }

    fn operand(&mut self) -> Option<Option<String>> {
        self.space();
        let first = *self.text.get(self.at)?;
        if !matches!(first, b'"' | b'\'') {
            let len = self.text[self.at..]
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count();
            let name = std::str::from_utf8(&self.text[self.at..self.at + len]).ok()?;
            self.at += len;
            return (len > 0).then(|| {
                field(self.row, name)
                    .map(str::to_owned)
                    .or_else(|| first.is_ascii_digit().then(|| name.to_owned()))
            });
        }
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match *self.text.get(self.at)? {
                byte if byte == first => {
                    self.at += 1;
                    return Some(Some(String::from_utf8(text).ok()?));
                }
                b'\\' => {
                    text.push(*self.text.get(self.at + 1)?);
                    self.at += 2;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }
}

/// Texts that mean something in one language or another.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("acme".to_owned()),
        Just("evil".to_owned()),
        Just("*".to_owned()),
        Just("$ne".to_owned()),
        Just("\"}]},{\"key\":\"x".to_owned()),
        Just("acme\" or tenant != \"".to_owned()),
        Just("') or ('a' == 'a".to_owned()),
        Just("\\".to_owned()),
        Just("Zo\u{eb} \u{2028}".to_owned()),
        "[a-c\"'\\\\(){}\\[\\]]{0,6}",
    ]
}

fn row() -> impl Strategy<Value = Row> {
    (text(), text()).prop_map(|(tenant, a)| vec![("tenant", tenant), ("a", a)])
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("tenant"), Just("a")]
}

fn field_filter() -> impl Strategy<Value = Value> {
    let leaf = (name(), text(), 0..5usize).prop_map(|(name, text, kind)| match kind {
        0 => json!({ name: text }),
        1 => json!({ name: { "$eq": text } }),
        2 => json!({ name: { "$ne": text } }),
        3 => json!({ name: { "$in": [text, "evil"] } }),
        _ => json!({ name: { "$nin": [text] } }),
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (prop::collection::vec(inner, 1..3), any::<bool>())
            .prop_map(|(all, and)| json!({ (if and { "$and" } else { "$or" }): all }))
    })
}

fn condition_filter() -> impl Strategy<Value = Value> {
    let leaf = (name(), text(), 0..3usize).prop_map(|(name, text, kind)| match kind {
        0 => json!({ "key": name, "match": { "value": text } }),
        1 => json!({ "key": name, "match": { "any": [text, "evil"] } }),
        _ => json!({ "key": name, "match": { "except": [text] } }),
    });
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        (prop::collection::vec(inner, 1..3), 0..3usize)
            .prop_map(|(all, kind)| json!({ (["must", "should", "must_not"][kind]): all }))
    });
    (prop::collection::vec(inner, 1..3), 0..3usize)
        .prop_map(|(all, kind)| json!({ (["must", "should", "must_not"][kind]): all }))
}

fn clause_filter() -> impl Strategy<Value = Value> {
    let leaf = (name(), text(), 0..3usize).prop_map(|(name, text, kind)| match kind {
        0 => json!({ "term": { name: text } }),
        1 => json!({ "terms": { name: [text, "evil"] } }),
        _ => json!({ "match_all": {} }),
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (prop::collection::vec(inner, 1..3), 0..4usize).prop_map(
            |(all, kind)| json!({ "bool": { (["must", "should", "must_not", "filter"][kind]): all } }),
        )
    })
}

fn object_filter() -> impl Strategy<Value = Value> {
    let leaf = (name(), text(), any::<bool>()).prop_map(|(name, text, not)| {
        json!({ "operator": if not { "NotEqual" } else { "Equal" }, "path": [name], "valueText": text })
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (prop::collection::vec(inner, 1..3), 0..3usize)
            .prop_map(|(all, kind)| json!({ "operator": (["And", "Or", "Not"][kind]), "operands": all }))
    })
}

/// A document under the filter of a tenant: the filter that goes upstream. `None`: it does not.
fn graph_under(filter: &str, tenant: &str) -> Option<String> {
    let fields = [("tenant".to_owned(), tenant.to_owned())];
    let body = json!({ "query": format!("{{Get{{Doc(where:{filter}){{a}}}}}}") }).to_string();
    let (_, goes) = sent("weaviate", "POST", "/v1/graphql", &body, &limits(&fields)).ok()?;
    let goes: Value = serde_json::from_str(&goes).unwrap();
    let document = goes["query"].as_str().unwrap();
    let filter = document.strip_prefix("{Get{Doc(where:").and_then(|rest| rest.strip_suffix("){a}}}"));
    Some(filter.unwrap_or_else(|| panic!("{document}")).to_owned())
}

fn expression_filter() -> impl Strategy<Value = String> {
    let quote = |text: String| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let leaf = (name(), text(), 0..4usize).prop_map(move |(name, text, kind)| match kind {
        0 => format!("{name} == {}", quote(text)),
        1 => format!("{name} != {}", expression::quoted(&text).unwrap_or_else(|_| "\"\"".to_owned())),
        2 => format!("{name} in [{}, \"evil\"]", quote(text)),
        _ => "1 == 1".to_owned(),
    });
    leaf.prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), inner, 0..4usize).prop_map(|(left, right, kind)| match kind {
            0 => format!("{left} or {right}"),
            1 => format!("{left} and {right}"),
            2 => format!("not ({left})"),
            _ => format!("({left}) || {right}"),
        })
    })
}

/// The body of a document that goes upstream; `None`: it is refused.
fn sent_or_refused(body: &str, limits: &Limits<'_>) -> Option<String> {
    let view = read("weaviate", "POST", "/v1/graphql", body).1.ok()?;
    let narrowed = narrow(&view, false, limits, "", body.as_bytes()).ok()?;
    Some(narrowed.body.map_or_else(|| body.to_owned(), |body| String::from_utf8(body).unwrap()))
}

/// Whether the model can judge a filter.
fn complete(filter: &Value) -> bool {
    match filter["operator"].as_str() {
        Some("And" | "Or") => filter["operands"].as_array().is_some_and(|all| all.iter().all(complete)),
        Some("Equal") => filter["path"][0].is_string(),
        _ => false,
    }
}

fn limits(fields: &[(String, String)]) -> Limits<'_> {
    Limits {
        collection: None,
        namespaces: None,
        filter: fields,
        max_top_k: None,
        drop_vectors: false,
        clamp: true,
    }
}

fn under(protocol: &str, path: &str, key: &str, filter: &Value, tenant: &str) -> Option<Value> {
    let fields = [("tenant".to_owned(), tenant.to_owned())];
    let body = json!({ key: filter }).to_string();
    let goes = sent(protocol, "POST", path, &body, &limits(&fields)).ok()?.1;
    Some(serde_json::from_str::<Value>(&goes).unwrap()[key].clone())
}

proptest! {
    #[test]
    fn fields_find_of_the_own_rows_what_they_found(filter in field_filter(), row in row(), tenant in text()) {
        for (protocol, path, key) in [
            ("pinecone", "/query", "filter"),
            ("chroma", "/api/v2/tenants/t/databases/d/collections/c/get", "where"),
        ] {
            let narrowed = under(protocol, path, key, &filter, &tenant).unwrap();
            let own = field(&row, "tenant") == Some(&tenant);
            prop_assert_eq!(fields(&narrowed, &row), own && fields(&filter, &row));
        }
    }

    #[test]
    fn conditions_find_of_the_own_rows_what_they_found(filter in condition_filter(), row in row(), tenant in text()) {
        let narrowed = under("qdrant", "/collections/c/points/scroll", "filter", &filter, &tenant).unwrap();
        let own = field(&row, "tenant") == Some(&tenant);
        prop_assert_eq!(conditions(&narrowed, &row), own && conditions(&filter, &row));
    }

    #[test]
    fn clauses_find_of_the_own_rows_what_they_found(filter in clause_filter(), row in row(), tenant in text()) {
        let narrowed = under("opensearch", "/docs/_search", "query", &filter, &tenant).unwrap();
        let own = field(&row, "tenant") == Some(&tenant);
        prop_assert_eq!(clause(&narrowed, &row), own && clause(&filter, &row));
    }

    #[test]
    fn objects_found_are_own_ones_that_were_found(filter in object_filter(), row in row(), tenant in text()) {
        prop_assume!(tenant.trim() == tenant);
        let own = field(&row, "tenant") == Some(&tenant);
        let expected = own && object(&filter, &row);
        let narrowed = graph_under(&as_graph(&filter), &tenant).unwrap();
        let read = graph(&narrowed).unwrap_or_else(|| panic!("{narrowed}"));
        prop_assert_eq!(object(&read, &row), expected, "{}", narrowed);
        let fields = [("tenant".to_owned(), tenant)];
        let body = json!({ "match": { "class": "Doc", "where": filter } }).to_string();
        let goes = sent("weaviate", "DELETE", "/v1/batch/objects", &body, &limits(&fields)).unwrap().1;
        let goes: Value = serde_json::from_str(&goes).unwrap();
        prop_assert_eq!(object(&goes["match"]["where"], &row), expected);
    }

    /// A caller may write what they like: what goes upstream is no filter, or finds own rows only.
    #[test]
    fn no_text_breaks_out_of_a_document(
        pieces in prop::collection::vec(prop_oneof![
            Just("{".to_owned()), Just("}".to_owned()), Just("[".to_owned()), Just("]".to_owned()), Just("\"".to_owned()),
            Just("\\".to_owned()), Just(")".to_owned()), Just("(".to_owned()), Just("#".to_owned()), Just("\n".to_owned()),
            Just("operator:Or".to_owned()), Just("operands:".to_owned()), Just(",".to_owned()), Just("{Get{Doc{a}}}".to_owned()),
            Just("path:[\"tenant\"]".to_owned()), Just("operator:Equal".to_owned()), Just("valueText:\"evil\"".to_owned()),
            Just("...".to_owned()), Just("\"\"\"".to_owned()), Just("){a}}} {Get{Doc(where:".to_owned()), text(),
        ], 0..14),
        row in row(),
    ) {
        let filter = pieces.concat();
        let fields = [("tenant".to_owned(), "acme".to_owned())];
        let body = json!({ "query": format!("{{Get{{Doc(where:{filter}){{a}}}}}}") }).to_string();
        if let Some(sent) = sent_or_refused(&body, &limits(&fields)) {
            let own = r#"path:["tenant"],operator:Equal,valueText:"acme""#;
            // What is read as one filter is one; as several, each of them is narrowed.
            for item in read("weaviate", "POST", "/v1/graphql", &sent).1.unwrap().items {
                let filter = item.filter.value().cloned().unwrap_or_default();
                prop_assert!(filter.contains(own), "{}", sent);
            }
            let goes: Value = serde_json::from_str(&sent).unwrap();
            let document = goes["query"].as_str().unwrap();
            if let Some(filter) = document.strip_prefix("{Get{Doc(where:").and_then(|rest| rest.strip_suffix("){a}}}"))
                && let Some(read) = graph(filter)
                && complete(&read)
                && object(&read, &row)
            {
                prop_assert_eq!(field(&row, "tenant"), Some("acme"), "{}", document);
            }
        }
    }

    #[test]
    fn expressions_find_of_the_own_rows_what_they_found(filter in expression_filter(), row in row(), tenant in text()) {
        let narrowed = under("milvus", "/v2/vectordb/entities/query", "filter", &json!(filter), &tenant).unwrap();
        let own = field(&row, "tenant") == Some(&tenant);
        let before = Reader::whole(&filter, &row).unwrap();
        prop_assert_eq!(Reader::whole(narrowed.as_str().unwrap(), &row), Some(own && before), "{}", narrowed);
    }

    /// A caller may write what they like: what goes upstream is no expression, or finds own rows only.
    #[test]
    fn no_text_breaks_out_of_the_filter(
        pieces in prop::collection::vec(prop_oneof![
            Just("(".to_owned()), Just(")".to_owned()), Just("\"".to_owned()), Just("'".to_owned()), Just("\\".to_owned()),
            Just(" or ".to_owned()), Just("tenant".to_owned()), Just(" == ".to_owned()), Just("1".to_owned()), Just("[".to_owned()),
            Just("]".to_owned()), Just(" in ".to_owned()), Just("not ".to_owned()), Just("r".to_owned()), Just(",".to_owned()), text(),
        ], 0..12),
        row in row(),
    ) {
        let filter = json!(pieces.concat());
        if let Some(narrowed) = under("milvus", "/v2/vectordb/entities/query", "filter", &filter, "acme")
            && Reader::whole(narrowed.as_str().unwrap(), &row) == Some(true)
        {
            prop_assert_eq!(field(&row, "tenant"), Some("acme"), "{}", narrowed);
        }
    }

    #[test]
    fn a_value_is_one_condition_whatever_it_is(tenant in ".{1,12}", row in row()) {
        let own = field(&row, "tenant") == Some(&tenant);
        let none = json!({});
        prop_assert_eq!(fields(&under("pinecone", "/query", "filter", &none, &tenant).unwrap(), &row), own);
        let path = "/collections/c/points/scroll";
        prop_assert_eq!(conditions(&under("qdrant", path, "filter", &none, &tenant).unwrap(), &row), own);
        prop_assert_eq!(clause(&under("opensearch", "/docs/_search", "query", &none, &tenant).unwrap(), &row), own);
        let path = "/v2/vectordb/entities/query";
        match under("milvus", path, "filter", &json!(""), &tenant) {
            Some(narrowed) => prop_assert_eq!(Reader::whole(narrowed.as_str().unwrap(), &row), Some(own)),
            None => prop_assert!(tenant.chars().any(char::is_control)),
        }
        match graph_under("{}", &tenant) {
            Some(narrowed) => prop_assert_eq!(object(&graph(&narrowed).unwrap(), &row), own, "{}", narrowed),
            None => prop_assert!(tenant.trim() != tenant),
        }
    }
}
