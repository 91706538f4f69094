//! The evaluator against the interpreter of the `cel` crate, which shares nothing with it but the parser.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::bounded::{json, on_a_stack};
use super::*;
use crate::policy::testing::TestFacts;

/// What both sides are asked about.
#[derive(Debug, Clone)]
struct World {
    claims: Json,
    groups: Vec<String>,
    tools: Vec<String>,
    model: String,
    n: i64,
}

impl World {
    fn facts(&self) -> TestFacts {
        TestFacts::default()
            .claims(self.claims.clone())
            .set(Variable::IdentityGroups, Given::List(self.groups.clone()))
            .set(Variable::LlmTools, Given::List(self.tools.clone()))
            .set(Variable::LlmModel, Given::Str(self.model.clone()))
            .set(Variable::LlmN, Given::Int(self.n))
    }

    /// What `cel`'s interpreter says; `None`: that there is no answer.
    fn interpreted(&self, source: &str) -> Option<bool> {
        let mut context = cel::Context::default();
        let identity = serde_json::json!({ "groups": self.groups, "claims": self.claims });
        let llm = serde_json::json!({ "tools": self.tools, "model": self.model, "n": self.n });
        context.add_variable_from_value("identity", value(&identity));
        context.add_variable_from_value("llm", value(&llm));
        match cel::Program::compile(source).unwrap().execute(&context) {
            Ok(cel::Value::Bool(holds)) => Some(holds),
            _ => None,
        }
    }
}

fn value(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(bool) => cel::Value::Bool(*bool),
        Json::String(text) => cel::Value::String(Arc::new(text.clone())),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => cel::Value::Int(int),
            (_, Some(uint)) => cel::Value::UInt(uint),
            _ => cel::Value::Float(number.as_f64().unwrap()),
        },
        Json::Array(elements) => cel::Value::List(Arc::new(elements.iter().map(value).collect())),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, of)| (key.clone(), value(of)));
            entries.collect::<HashMap<_, _>>().into()
        }
    }
}

prop_compose! {
    fn world()(
        a in json(), b in json(), i in -3_i64..4, t in "[ab]{0,2}", l in prop::collection::vec("[ab]{0,2}", 0..4),
        groups in prop::collection::vec("[ab]{0,2}", 0..4), tools in prop::collection::vec("[ab]{0,2}", 0..4),
        model in "[abé]{0,3}", n in prop_oneof![-3_i64..4, any::<i64>()],
    ) -> World {
        World { claims: serde_json::json!({ "a": a, "b": b, "i": i, "t": t, "l": l }), groups, tools, model, n }
    }
}

fn one_of(pieces: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(pieces).prop_map(str::to_owned).boxed()
}

fn unknown() -> BoxedStrategy<String> {
    one_of(&[
        "identity.claims.a",
        "identity.claims.b",
        "identity.claims.absent",
        "identity.claims[llm.model]",
        "identity.claims.a.b",
        "identity.claims.a[0]",
        "identity.claims.l[1]",
        "null",
        "1.5",
    ])
}

fn number() -> BoxedStrategy<String> {
    let leaf =
        one_of(&["0", "1", "-2", "llm.n", "identity.claims.i", "size(llm.model)", "size(identity.groups)"]);
    leaf.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), prop::sample::select(&["+", "-", "*", "/", "%"]), inner)
            .prop_map(|(a, sign, b)| format!("({a} {sign} {b})"))
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    let leaf = one_of(&[
        "\"a\"",
        "\"\"",
        "\"é\"",
        "llm.model",
        "identity.claims.t",
        "llm.tools[0]",
        "identity.groups[1]",
    ]);
    leaf.prop_recursive(1, 3, 2, |inner| (inner.clone(), inner).prop_map(|(a, b)| format!("({a} + {b})")))
        .boxed()
}

fn list() -> BoxedStrategy<String> {
    let leaf =
        one_of(&["identity.groups", "llm.tools", "identity.claims.l", "[\"a\", \"b\"]", "[llm.model]", "[]"]);
    let mapped = leaf.clone().prop_map(|list| format!("{list}.map(m, m + \"b\")"));
    let filtered = leaf.clone().prop_map(|list| format!("{list}.filter(f, f != \"a\")"));
    let both = leaf.clone().prop_map(|list| format!("{list}.map(e, e.startsWith(\"a\"), e)"));
    let joined = (leaf.clone(), leaf.clone()).prop_map(|(a, b)| format!("({a} + {b})"));
    prop_oneof![3 => leaf, 1 => mapped, 1 => filtered, 1 => both, 1 => joined].boxed()
}

fn condition() -> impl Strategy<Value = String> {
    let equal = || prop::sample::select(&["==", "!="]);
    let order = || prop::sample::select(&["<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (number(), order(), number()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (text(), order(), text()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (unknown(), order(), number()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (text(), equal(), text()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (list(), equal(), list()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (unknown(), equal(), unknown()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (unknown(), equal(), text()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (text(), list()).prop_map(|(a, b)| format!("{a} in {b}")),
        (text(), prop::sample::select(&["contains", "startsWith", "endsWith"]), text())
            .prop_map(|(a, name, b)| format!("{a}.{name}({b})")),
        one_of(&["has(identity.claims.a)", "has(identity.claims.absent)", "has(identity.claims.a.b)"]),
        one_of(&["\"a\" in identity.claims", "identity.claims.exists(k, k == \"t\")", "identity.claims.a"]),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let inside = || prop_oneof![
            1 => one_of(&["x == \"a\"", "x in identity.groups", "x < llm.model", "llm.n / size(x) > 0", "x + \"a\" == llm.model"]),
            1 => inner.clone(),
        ];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            (list(), prop::sample::select(&["exists", "all", "exists_one"]), inside())
                .prop_map(|(list, name, a)| format!("{list}.{name}(x, {a})")),
            (list(), inside(), number()).prop_map(|(list, a, n)| format!("size({list}.filter(x, {a})) > {n}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_condition_holds_where_the_interpreter_of_cel_says_so(source in condition(), world in world()) {
        let Ok(condition) = Condition::compile(&source, Phase::Body) else { return Ok(()) };
        let ours = condition.evaluate(&world.facts());
        prop_assume!(ours != Err(EvalError::Cost));
        let asked = source.clone();
        let theirs = on_a_stack(16 << 20, move || world.interpreted(&asked));
        prop_assert_eq!(ours.clone().ok(), theirs, "{}: {:?}", source, ours);
    }
}
