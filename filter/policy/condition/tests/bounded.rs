//! Nothing that loads can hold a worker or kill the VM, whatever the facts; nothing that does not load can either.

use proptest::prelude::*;

use super::*;
use crate::policy::testing::TestFacts;
use crate::policy::variables::Fact;

#[test]
fn long_and_deep_conditions_are_refused_before_anything_recurses() {
    let long = "true || ".repeat(600) + "true";
    refuses(&long, &long[MAX_LENGTH..=MAX_LENGTH], "longer than 4096 bytes", "several rules");
    for deep in [
        vec!["1"; 1000].join("+") + " == 1000",
        "(".repeat(1000) + "true" + &")".repeat(1000),
        "[".repeat(1000) + &"]".repeat(1000) + " == []",
        "!-".repeat(1000) + "1",
        "true ? true : ".repeat(200) + "false",
        "identity.claims".to_owned() + &".a".repeat(1000) + " == 1",
        "identity.claims".to_owned() + &"[0]".repeat(1000) + " == 1",
        "size(".repeat(600) + "\"\"" + &")".repeat(600) + " == 1",
        "[1].exists(x, ".repeat(200) + "true" + &")".repeat(200),
        "{1:".repeat(900) + "1" + &"}".repeat(900),
        "identity.claims.a".to_owned() + &".lowerAscii()".repeat(200) + " == \"\"",
    ] {
        let error = refused(&deep);
        assert!(error.message.contains("deeper than 48 levels"), "{deep:.40}: {error}");
        assert!(error.offset <= deep.len());
    }
}

#[test]
fn long_flat_conditions_are_fine() {
    let many = vec!["llm.model == \"x\""; 200].join(" || ");
    assert_eq!(ask(&many), Ok(false));
    let models: Vec<_> = (0..400).map(|index| format!("\"m{index}\"")).collect();
    assert_eq!(ask(&format!("!(llm.model in [{}])", models.join(", "))), Ok(true));
    assert_eq!(ask(&(vec!["1"; 40].join(" + ") + " == 40")), Ok(true));
}

#[test]
fn three_nested_loops_over_a_hundred_tools_stop() {
    let tools: Vec<String> = (0..100).map(|index| format!("tool{index}")).collect();
    let facts = typical().set(Variable::LlmTools, Given::List(tools));
    for source in [
        "llm.tools.exists(a, llm.tools.exists(b, llm.tools.exists(c, a + b == c)))",
        "llm.tools.all(a, llm.tools.all(b, llm.tools.all(c, a + b != c)))",
        "llm.tools.exists_one(a, llm.tools.exists_one(b, llm.tools.exists_one(c, a + b == c)))",
        "llm.tools.map(a, llm.tools.map(b, llm.tools.map(c, a + b + c))) == []",
        "llm.tools.filter(a, llm.tools.filter(b, llm.tools.filter(c, a == b) == [\"x\"]) == [\"x\"]) == []",
        "llm.tools.map(a, a != \"\", llm.tools.map(b, b != \"\", llm.tools.map(c, c))) == []",
        "llm.tools.exists(a, llm.tools.exists(b, llm.tools.exists(c, a + b == c))) || true",
        "!llm.tools.all(a, llm.tools.map(b, llm.tools.filter(c, a == b)) == [] && false)",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Err(EvalError::Cost), "{source}");
    }
    let two = "llm.tools.filter(t, t.endsWith(\"7\")).all(a, llm.tools.exists(b, a == b))";
    assert_eq!(compile(two).evaluate(&facts), Ok(true));
}

#[test]
fn work_on_text_is_bounded_too() {
    let tools: Vec<String> = (0..100).map(|index| format!("tool{index}")).collect();
    let facts = typical()
        .set(Variable::LlmTools, Given::List(tools))
        .text(Variable::PromptText, &"a".repeat(1 << 20));
    for source in [
        "llm.tools.exists(t, prompt.text.contains(t))",
        "llm.tools.exists(t, prompt.text.matches(\"b$\"))",
        "llm.tools.exists(t, size(prompt.text) == 3)",
        "llm.tools.exists(t, prompt.text.lowerAscii() == t)",
        "llm.tools.exists(t, prompt.text + t == t)",
        "llm.tools.all(t, prompt.text.startsWith(prompt.text))",
        "llm.tools.all(t, prompt.text.endsWith(prompt.text))",
        "llm.tools.exists(t, [prompt.text].exists(p, p in [prompt.text]) && false)",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Err(EvalError::Cost), "{source}");
    }
    assert_eq!(
        compile("prompt.text.matches(\"b$\") || prompt.text.contains(\"b\")").evaluate(&facts),
        Ok(false)
    );
}

#[test]
fn reading_long_claims_over_and_over_is_bounded() {
    let names: Vec<String> = (0..5000).map(|index| format!("n{index}")).collect();
    let tools: Vec<String> = (0..200).map(|index| format!("tool{index}")).collect();
    let facts =
        typical().claims(serde_json::json!({ "names": names })).set(Variable::LlmTools, Given::List(tools));
    for source in [
        "llm.tools.exists(t, t in identity.claims.names)",
        "llm.tools.exists(t, identity.claims.names + [t] == [t])",
        "llm.tools.exists(t, identity.claims.names == identity.claims.names && false)",
        "llm.tools.exists(t, identity.claims.names.exists(n, n == \"\"))",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Err(EvalError::Cost), "{source}");
    }
    assert_eq!(compile("\"n4999\" in identity.claims.names").evaluate(&facts), Ok(true));
}

#[test]
fn comparing_long_names_over_and_over_is_bounded() {
    let alike: Vec<String> = (0..100).map(|index| format!("{}{index:03}", "a".repeat(10_000))).collect();
    let facts =
        typical().claims(serde_json::json!({ "names": alike })).set(Variable::LlmTools, Given::List(alike));
    for source in [
        "llm.tools.all(t, t in llm.tools)",
        "identity.claims.names.all(n, n in llm.tools)",
        "sets.contains(llm.tools, identity.claims.names)",
        "llm.tools.all(t, llm.tools == identity.claims.names)",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Err(EvalError::Cost), "{source}");
    }
}

#[test]
fn what_is_only_lent_costs_nothing() {
    let facts = typical()
        .claims(serde_json::json!({ "names": vec!["n"; 5000] }))
        .list(Variable::LlmTools, &["tool"; 900])
        .text(Variable::PromptText, &"a".repeat(1 << 20));
    for source in [
        "llm.tools.exists(t, string(prompt.text) == t)",
        "llm.tools.exists(t, size(identity.claims.names) == 1)",
        "llm.tools.exists(t, prompt.text == t || identity.claims.names == [t])",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Ok(false), "{source}");
    }
}

#[test]
fn one_evaluation_s_cost_is_not_the_next_one_s() {
    let tools: Vec<String> = (0..100).map(|index| format!("tool{index}")).collect();
    let facts = typical().set(Variable::LlmTools, Given::List(tools));
    let dear = compile("llm.tools.all(a, llm.tools.all(b, a != \"\"))");
    let cheap = compile("llm.tools.all(a, a != \"\")");
    for _ in 0..20 {
        assert_eq!(dear.evaluate(&facts), Err(EvalError::Cost));
        assert_eq!(cheap.evaluate(&facts), Ok(true));
    }
}

#[test]
fn errors_hold_no_value_of_the_request() {
    let secret = "s3cret-value";
    let facts = typical()
        .text(Variable::LlmModel, secret)
        .claims(serde_json::json!({ "tenant": secret, "deep": { "x": secret } }));
    for source in [
        "identity.claims[llm.model] == 1",
        "identity.claims.tenant > 1",
        "identity.claims.tenant + 1 == 1",
        "int(llm.model) == 1",
        "identity.claims.deep.startsWith(\"x\")",
        "identity.claims.tenant",
    ] {
        let error = compile(source).evaluate(&facts).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{source}: {error:?}");
    }
}

/// Runs in a thread with so much stack.
pub(super) fn on_a_stack<T: Send + 'static>(size: usize, run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(size).spawn(run).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// In the module evaluation fits a quarter of the stack.
const STACK: usize = 256 << 10;

#[test]
fn the_deepest_conditions_that_load_fit_a_small_stack() {
    on_a_stack(256 << 10, || {
        let conditions: Vec<_> = deepest().iter().map(|source| compile(source)).collect();
        on_a_stack(STACK, move || {
            for condition in &conditions {
                let _ = condition.evaluate(&typical());
            }
        });
    });
}

/// For each way of nesting, the deepest that still compiles.
fn deepest() -> Vec<String> {
    let ways: [fn(usize) -> String; 8] = [
        |n| vec!["1"; n].join("+") + " == 1",
        |n| "(1+".repeat(n) + "1" + &")".repeat(n) + " == 1",
        |n| "!(true && ".repeat(n) + "true" + &")".repeat(n),
        |n| "true ? ".repeat(n) + "true" + &" : true".repeat(n),
        |n| "false ? true : ".repeat(n) + "false",
        |n| "[1].exists(x, ".repeat(n) + "true" + &")".repeat(n),
        |n| "identity.claims".to_owned() + &".a".repeat(n) + " == 1",
        |n| "size([".repeat(n) + &"])".repeat(n) + " == 1",
    ];
    let fits = |source: &String| Condition::compile(source, Phase::Body).is_ok();
    ways.iter().filter_map(|way| (1..80).map(way).rfind(fits)).collect()
}

/// Pieces that make text look like a condition often enough to get past the parser.
fn condition_like() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "llm.model",
        "llm.tools",
        "llm.n",
        "llm.stream",
        "identity.groups",
        "identity.claims",
        "identity.claims.a",
        "request.headers",
        "prompt.text",
        "x",
        "y",
        "1",
        "0",
        "-9223372036854775808",
        "2.5",
        "\"a\"",
        "'b'",
        "true",
        "false",
        "null",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ".",
        "?",
        ":",
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
        " == ",
        " != ",
        " < ",
        " >= ",
        " in ",
        " && ",
        " || ",
        "!",
        "-",
        ".size()",
        "size(",
        ".contains(",
        ".matches(",
        ".exists(x, ",
        ".all(y, ",
        ".map(x, ",
        ".filter(y, ",
        ".exists_one(x, ",
        "has(",
        "int(",
        "string(",
        "é",
        "\\",
        "\"",
        "`",
        "//",
        "\n",
        "b'",
        "r\"",
        "0x",
        "1u",
        "1e",
        "in",
        "as",
        "@v0",
        "@tick",
        "[0]",
        "[\"a\"]",
        ".?",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

/// Conditions that mostly compile.
fn well_formed() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "true",
        "llm.stream",
        "llm.model == \"gpt-4o\"",
        "identity.claims.a",
        "identity.claims.a == 1",
        "identity.claims.a.b > 2",
        "\"a\" in identity.claims.a",
        "\"a\" in identity.groups",
        "has(identity.claims.a)",
        "llm.n / llm.images > 0",
        "identity.groups[0] == \"a\"",
        "prompt.text.matches(\"a+\")",
        "request.headers[\"a\"].contains(\"b\")",
        "size(identity.claims.a) > 1",
        "int(identity.claims.a) == 3",
        "identity.claims.a + identity.claims.b == \"ab\"",
        "-identity.claims.a < 3",
        "x == x",
        "x",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || !({b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            inner.clone().prop_map(|a| format!("identity.groups.exists(x, {a})")),
            inner.clone().prop_map(|a| format!("identity.claims.a.all(x, {a})")),
            inner.clone().prop_map(|a| format!("llm.tools.filter(x, {a}) == llm.tools")),
            inner.clone().prop_map(|a| format!("size(identity.claims.map(x, {a})) > 1")),
            inner.prop_map(|a| format!("llm.tools.exists_one(x, {a})")),
        ]
    })
}

pub(super) fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ab]{0,3}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn facts()(
        a in json(), b in json(), groups in prop::collection::vec("[ab]{0,2}", 0..4),
        tools in prop::collection::vec("\\PC{0,4}", 0..40), model in "\\PC{0,8}", text in "\\PC{0,30}",
        n in any::<i64>(), images in -1i64..2, absent in prop::option::of(prop::sample::select(
            crate::policy::variables::TABLE.iter().map(|entry| entry.variable).collect::<Vec<_>>())),
    ) -> TestFacts {
        let facts = TestFacts::default()
            .claims(serde_json::json!({ "a": a, "b": b }))
            .set(Variable::IdentityGroups, Given::List(groups))
            .set(Variable::LlmTools, Given::List(tools))
            .set(Variable::LlmModel, Given::Str(model))
            .set(Variable::PromptText, Given::Str(text))
            .set(Variable::LlmN, Given::Int(n))
            .set(Variable::LlmImages, Given::Int(images));
        match absent {
            Some(variable) => facts.set(variable, Given::Missing),
            None => facts,
        }
    }
}

/// Compiles, and if that goes well evaluates; a refusal must point into the text, at whole characters.
fn try_it(source: String, facts: TestFacts) {
    on_a_stack(256 << 10, move || match Condition::compile(&source, Phase::Body) {
        Ok(condition) => on_a_stack(STACK, move || {
            let _ = condition.evaluate(&facts);
            let _ = condition.evaluate(&Wrong);
        }),
        Err(error) => {
            assert!(source.get(error.offset..error.offset + error.len).is_some(), "{source:?}: {error:?}");
        }
    });
}

/// Facts of other types than the table promises.
struct Wrong;

impl Facts for Wrong {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        match variable.name().len() % 4 {
            0 => Fact::Int(i64::MIN),
            1 => Fact::Bool(true),
            2 => Fact::List(&[]),
            _ => Fact::Str("a"),
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_overflows(source in prop_oneof![".{0,200}", condition_like()], facts in facts()) {
        try_it(source, facts);
    }

    #[test]
    fn no_facts_panic_or_overflow(source in well_formed(), facts in facts()) {
        try_it(source, facts);
    }
}
