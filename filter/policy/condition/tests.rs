//! What conditions answer, what is refused, and what stops.

use proptest::prelude::*;

use super::*;
use crate::policy::testing::{Given, TestFacts, typical};
use crate::policy::variables::Fact;

fn compile(source: &str) -> Condition {
    Condition::compile(source, Phase::Body).unwrap_or_else(|error| panic!("{source}: {error} at {}", error.offset))
}

fn ask(source: &str) -> Result<bool, EvalError> {
    compile(source).evaluate(&typical())
}

fn refused(source: &str) -> ConditionError {
    match Condition::compile(source, Phase::Body) {
        Err(error) => error,
        Ok(_) => panic!("{source} compiles"),
    }
}

/// Checks a refusal: the piece of text that is marked, a part of the message and a part of the help.
#[track_caller]
fn refuses(source: &str, marked: &str, message: &str, help: &str) {
    let error = refused(source);
    let piece = source.get(error.offset..error.offset + error.len);
    assert_eq!(piece, Some(marked), "{source}: {error}");
    assert!(error.message.contains(message), "{source}: {error}");
    assert!(error.help.as_deref().unwrap_or("").contains(help), "{source}: {error}");
}

#[test]
fn conditions_are_true_where_cel_says_so() {
    for source in [
        "true",
        "!false",
        "\"rag-users\" in identity.groups",
        "!(\"admins\" in identity.groups)",
        "identity.groups.exists(g, g.startsWith(\"rag-\"))",
        "identity.groups.all(g, size(g) > 3)",
        "identity.groups.exists_one(g, g == \"engineers\")",
        "identity.groups.filter(g, g.endsWith(\"s\")).size() == 2",
        "identity.groups.map(g, g + \"!\") == [\"rag-users!\", \"engineers!\"]",
        "identity.groups.map(g, g.startsWith(\"rag\"), size(g)) == [9]",
        "identity.groups[1] == \"engineers\"",
        "identity.groups == [\"rag-users\", \"engineers\"]",
        "[\"rag-users\", \"engineers\"] == identity.groups",
        "identity.groups + [\"x\"] != identity.groups",
        "llm.model in [\"\", \"gpt-4o-mini\", \"gpt-4o\"]",
        "!(llm.model in [\"\", \"gpt-4o-mini\"])",
        "llm.model in [\"gpt-\" + \"4o\"]",
        "[] == []",
        "llm.prompt_chars > 100 && llm.prompt_chars <= 120",
        "llm.prompt_chars + 1 == 121 && llm.prompt_chars % 7 == 1 && -llm.prompt_chars < 0",
        "llm.stream ? llm.n == 0 : false",
        "llm.tools.exists(t, t.startsWith(\"db_\"))",
        "llm.tools.exists(t, t in identity.groups) == false",
        "llm.tools.all(t, identity.groups.all(g, t != g))",
        "prompt.text.matches(\"(?i)ignore (all|any|previous) .*instructions\")",
        "matches(prompt.text, \"Zo.$\")",
        "prompt.text.lowerAscii().contains(\"ignore all\")",
        "size(prompt.text) == 44",
        "\"EMAIL_ADDRESS\" in prompt.entities",
        "identity.claims.tenant == \"acme\"",
        "identity.claims[\"tenant\"] == \"acme\"",
        "identity.claims[\"https://example.com/team\"] == request.headers[\"x-team\"]",
        "identity.claims.level >= 3 && identity.claims.level < 3.5 && identity.claims.score == 1.5",
        "!identity.claims.admin",
        "identity.claims.none == null",
        "identity.claims.big > 9",
        "\"writer\" in identity.claims.realm_access.roles",
        "identity.claims.realm_access.roles == [\"reader\", \"writer\"]",
        "identity.claims.realm_access == identity.claims.realm_access",
        "has(identity.claims.realm_access.roles)",
        "!has(identity.claims.absent)",
        "!has(identity.claims.absent) || identity.claims.absent == 1",
        "has(identity.claims.absent) ? identity.claims.absent == 1 : true",
        "\"tenant\" in identity.claims && !(\"absent\" in identity.claims)",
        "identity.claims.exists(name, name == \"tenant\")",
        "request.headers.exists(name, name.startsWith(\"x-\")) && size(request.headers) == 2",
        "request.headers[\"user-agent\"].startsWith(\"openai/\")",
        "has(request.headers.cookie) == false",
        "\"x-team\" in request.headers",
        "request.time - 1600000000 > 0",
        "int(\"12\") == 12 && string(12) == \"12\" && int(1.9) == 1 && string(true ? \"a\" : \"b\") == \"a\"",
        "int(identity.claims.level) == 3",
        "\"Zoë\" > \"Zoe\" && \"a\" < \"b\"",
        "[1, 2] != [1, 3] && 1 == 1.0",
        "false && 1 / 0 == 1 ? false : true",
        "true || identity.claims.absent == 1",
        "llm.model // the model\n == \"gpt-4o\"",
        "identity.groups.exists(x, identity.groups.exists(x, x == \"engineers\"))",
    ] {
        assert_eq!(ask(source), Ok(true), "{source}");
    }
}

#[test]
fn what_fails_to_evaluate_says_what_kind_of_failure_and_no_value() {
    for (source, error) in [
        ("identity.claims.absent == \"x\"", EvalError::Missing("`absent`".into())),
        ("identity.claims[llm.model] == \"x\"", EvalError::Missing("an entry".into())),
        ("request.headers[\"cookie\"] == \"x\"", EvalError::Missing("`cookie`".into())),
        ("identity.groups[7] == \"x\"", EvalError::Missing("an element of a list".into())),
        ("identity.claims.tenant > 3", EvalError::Type),
        ("identity.claims.tenant", EvalError::Type),
        ("identity.claims.tenant.contains(identity.claims.level)", EvalError::Type),
        ("identity.claims.level.startsWith(\"3\")", EvalError::Type),
        ("identity.claims.level in identity.claims.level", EvalError::Type),
        ("identity.claims.tenant.deeper == 1", EvalError::Type),
        ("identity.claims.level.exists(x, x == 1)", EvalError::Type),
        ("identity.claims.tenant + 1 == 2", EvalError::Type),
        ("size(identity.claims.level) == 1", EvalError::Type),
        ("llm.n / llm.images == 1", EvalError::Other("division by zero")),
        ("llm.n % llm.images == 1", EvalError::Other("division by zero")),
        ("9223372036854775807 + llm.prompt_chars > 0", EvalError::Other("a number is too large")),
        ("int(llm.model) == 4", EvalError::Other("int() of something that is no integer")),
        ("int(1e30) == 4", EvalError::Other("int() of something that is no integer")),
    ] {
        assert_eq!(ask(source), Err(error), "{source}");
    }
}

#[test]
fn a_fact_that_is_not_known_is_named() {
    let facts = typical().set(Variable::LlmModel, Given::Missing);
    let error = compile("llm.model == \"x\"").evaluate(&facts);
    assert_eq!(error, Err(EvalError::Missing("`llm.model`".into())));
}

#[test]
fn names_are_checked_and_the_near_miss_is_suggested() {
    refuses("llm.modle == \"x\"", "llm.modle", "unknown name `llm.modle`", "`llm.model`");
    refuses("true && llm.modle == \"x\"", "llm.modle", "unknown name", "`llm.model`");
    refuses("ident.id == \"x\"", "ident.id", "unknown name `ident.id`", "");
    refuses("identty.id == \"x\"", "identty.id", "unknown name", "`identity.id`");
    refuses("model == \"x\"", "model", "unknown name `model`", "`llm.model`");
    refuses("llm.colour == \"x\"", "llm.colour", "unknown name", "operation, model");
    refuses("llm == \"x\"", "llm", "group of names", "`llm.operation`");
    refuses(".llm.model == \"x\"", ".llm.model", "unknown name", "");
    refuses("[1].exists(x, y == 1)", "y", "unknown name `y`", "");
    refuses("int == 1", "int", "unknown name `int`", "");
    refuses("llm.model.name == \"x\"", "llm.model.name", "string has no field `name`", "");
}

#[test]
fn names_of_a_later_release_are_refused_as_such() {
    refuses("llm.prompt_tokens > 3", "llm.prompt_tokens", "`llm.prompt_tokens` is not yet supported", "");
    refuses("vector.top_k > 3", "vector.top_k", "`vector.top_k` is not yet supported", "");
    refuses("vector.anything == 3", "vector.anything", "not yet supported", "");
    refuses("size(vector) == 3", "vector", "not yet supported", "");
}

#[test]
fn types_are_checked() {
    refuses("llm.model > 3", "llm.model > 3", "string cannot be compared with int", "");
    refuses("llm.model == 3", "llm.model == 3", "string is never equal to int", "");
    refuses("llm.model == null", "llm.model == null", "never equal to null", "empty");
    refuses("llm.model", "llm.model", "gives string", "compare");
    refuses("llm.n + 1", "llm.n + 1", "gives int", "");
    refuses("!llm.model", "llm.model", "this is string where bool is needed", "");
    refuses("llm.stream && llm.n", "llm.n", "this is int", "");
    refuses("llm.n ? true : false", "llm.n", "this is int", "");
    refuses("llm.model + 1 == \"x\"", "llm.model + 1", "`+` does not go with string and int", "");
    refuses("llm.n + 1.0 == 2.0", "llm.n + 1.0", "does not go with int and double", "3.0");
    refuses("-llm.model == \"x\"", "-", "string cannot be negated", "");
    refuses("identity.groups == \"x\"", "identity.groups == \"x", "never equal", "`element in list`");
    refuses("\"x\" in llm.model", "\"x\" in llm.model", "`in` needs a list", "text.contains(part)");
    refuses("3 in identity.groups", "3 in identity.groups", "int is never in list(string)", "");
    refuses("3 in request.headers", "3 in request.headers", "never in map", "");
    refuses("identity.groups[\"x\"] == \"x\"", "identity.groups[\"x", "no entry at string", "");
    refuses("identity.groups.admins", "identity.groups.admins", "has no field `admins`", "");
    refuses("llm.model.exists(x, true)", "llm.model", "string is no list", "");
    refuses("llm.tools.exists(t, t)", "t", "this is string", "");
    refuses("llm.tools.exists(t, t > 3)", "t > 3", "string cannot be compared with int", "");
    refuses("llm.tools.exists(t, t.modle == 1)", "t.modle", "string has no field", "");
    refuses("request.headers == identity.claims", "request.headers == identity.claims", "whole maps", "");
    refuses("llm.tools.exists(llm, llm == \"x\")", "exists(", "hides the name", "another name");
}

#[test]
fn functions_are_checked() {
    refuses("llm.model.startWith(\"x\")", "startWith(", "unknown function `startWith`", "`startsWith`");
    refuses("bogus()", "bogus", "unknown function `bogus`", "");
    refuses("llm.model.lower() == \"x\"", "lower(", "unknown function `lower`", "`lowerAscii`");
    refuses("timestamp(\"x\") == 3", "timestamp", "unknown function", "");
    refuses("llm.n.startsWith(\"x\")", "llm.n", "`startsWith` needs a string here, and this is int", "");
    refuses("llm.model.contains(3)", "3", "needs a string here, and this is int", "");
    refuses("llm.tools.contains(\"x\")", "llm.tools", "needs a string here, and this is list(string)", "in list");
    refuses("startsWith(llm.model, \"x\")", "startsWith", "called wrongly", "text.startsWith(prefix)");
    refuses("llm.model.contains()", "contains(", "called wrongly", "text.contains(part)");
    refuses("size(llm.n) == 1", "llm.n", "needs a string, list or map here", "");
    refuses("int(llm.stream) == 1", "llm.stream", "needs a string or number here", "");
    refuses("llm.tools.exists(t)", "exists(", "called wrongly", "list.exists(x, condition)");
    refuses("has(llm.model)", "llm", "has(llm.model) is always true", "compare");
}

#[test]
fn patterns_are_compiled_at_load() {
    refuses("prompt.text.matches(\"(\")", "\"(\"", "the pattern is not valid: unclosed group", "");
    refuses("prompt.text.matches(llm.model)", "llm.model", "must be written out", "contains(part)");
    refuses("prompt.text.matches(\"a\" + \"b\")", "\"a\" + \"b\"", "must be written out", "");
    refuses("prompt.text.matches(\"(\\\\w{500}){50}\")", "\"(\\\\w{500}){50}\"", "compiles to more than", "");
    refuses("prompt.text.matches(3)", "3", "needs a string here", "");
}

#[test]
fn header_names_with_capitals_are_refused() {
    refuses("request.headers[\"X-Team\"] == \"x\"", "\"X-Team\"", "lower case", "`x-team`");
    refuses("\"X-Team\" in request.headers", "\"X-Team\"", "lower case", "`x-team`");
    refuses("has(request.headers.Cookie)", "request.headers", "lower case", "`cookie`");
}

#[test]
fn what_is_not_supported_is_said() {
    refuses("3u == 3", "3u", "unsigned numbers are not supported", "");
    refuses("b\"x\" == b\"y\"", "b\"x\"", "bytes are not supported", "");
    refuses("{\"a\": 1}[\"a\"] == 1", "{\"a\": 1", "a map written out is not supported", "");
    assert!(refused("Message{field: 1} == 1").message.contains("not supported"));
}

#[test]
fn broken_syntax_is_refused_at_its_place() {
    refuses("", "", "is empty", "`true`");
    refuses("  // nothing", "", "ends too early", "");
    refuses("llm.model ==", "", "ends too early", "");
    refuses("llm.model = \"x\"", "=", "", "");
    refuses("llm.model == \"x", "\"x", "unterminated string literal", "");
    refuses("llm.stream & llm.stream", "&", "expected '&&'", "");
    refuses("llm.stream and llm.stream", "and", "", "");
    refuses("(llm.stream", "", "", "");
    refuses("llm.stream)", ")", "", "");
    refuses("\"é\" == \"e\" && 1 ==", "", "ends too early", "");
    refuses("has(llm)", "llm", "has() takes a field", "");
    refuses("llm.n == 99999999999999999999", "99999999999999999999", "invalid int", "");
    refuses("llm.n == é", "\u{e9}", "", "");
    refuses("llm.?model == \"x\"", ".", "", "");
}

#[test]
fn body_names_are_refused_where_only_the_head_is_known() {
    let error = Condition::compile("llm.model == \"x\"", Phase::Head).unwrap_err();
    assert!(error.message.contains("only with the body"), "{error}");
    assert!(Condition::compile("identity.id == \"x\"", Phase::Head).is_ok());
}

#[test]
fn a_condition_knows_what_it_reads() {
    let condition = compile("\"X\" in prompt.entities || identity.groups.exists(g, g == llm.model)");
    let reads: Vec<_> = condition.reads().iter().map(|variable| variable.name()).collect();
    assert_eq!(reads, ["identity.groups", "llm.model", "prompt.entities"]);
    assert!(condition.reads_body() && condition.reads_entities());
    let head = compile("identity.claims.tenant == request.headers[\"x-tenant\"]");
    assert!(!head.reads_body() && !head.reads_entities());
}

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
        "size(".repeat(700) + "\"\"" + &")".repeat(700) + " == 1",
        "[1].exists(x, ".repeat(200) + "true" + &")".repeat(200),
        "{1:".repeat(900) + "1" + &"}".repeat(900),
        "identity.claims.a".to_owned() + &".lowerAscii()".repeat(200) + " == \"\"",
    ] {
        let error = refused(&deep);
        assert!(error.message.contains("deeper than 64 levels"), "{deep:.40}: {error}");
        assert!(error.offset <= deep.len());
    }
}

#[test]
fn long_flat_conditions_are_fine() {
    let many = vec!["llm.model == \"x\""; 200].join(" || ");
    assert_eq!(ask(&many), Ok(false));
    let models: Vec<_> = (0..400).map(|index| format!("\"m{index}\"")).collect();
    assert_eq!(ask(&format!("!(llm.model in [{}])", models.join(", "))), Ok(true));
    assert_eq!(ask(&(vec!["1"; 50].join(" + ") + " == 50")), Ok(true));
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
        "llm.tools.filter(a, llm.tools.filter(b, llm.tools.filter(c, a == b)) == []) == []",
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
    let facts = typical().set(Variable::LlmTools, Given::List(tools)).text(Variable::PromptText, &"a".repeat(1 << 20));
    for source in [
        "llm.tools.exists(t, prompt.text.contains(t))",
        "llm.tools.exists(t, prompt.text.matches(\"b$\"))",
        "llm.tools.exists(t, size(prompt.text) == 3)",
        "llm.tools.exists(t, prompt.text.lowerAscii() == t)",
        "llm.tools.exists(t, prompt.text + t == t)",
        "llm.tools.exists(t, string(prompt.text) == t)",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Err(EvalError::Cost), "{source}");
    }
    assert_eq!(compile("prompt.text.matches(\"b$\") || prompt.text.contains(\"b\")").evaluate(&facts), Ok(false));
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

/// Runs in a thread whose stack is a quarter of the module's.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

const STACK: usize = 256 << 10;

#[test]
fn the_deepest_conditions_that_load_fit_a_small_stack() {
    on_a_small_stack(|| {
        for source in deepest() {
            let condition = compile(&source);
            let _ = condition.evaluate(&typical());
        }
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
    ways.iter().filter_map(|way| (1..80).map(way).filter(fits).last()).collect()
}

/// Pieces that make text look like a condition often enough to get past the parser.
fn condition_like() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "llm.model", "llm.tools", "llm.n", "llm.stream", "identity.groups", "identity.claims", "identity.claims.a",
        "request.headers", "prompt.text", "x", "y", "1", "0", "-9223372036854775808", "2.5", "\"a\"", "'b'", "true",
        "false", "null", "[", "]", "(", ")", "{", "}", ",", ".", "?", ":", " + ", " - ", " * ", " / ", " % ", " == ",
        " != ", " < ", " >= ", " in ", " && ", " || ", "!", "-", ".size()", "size(", ".contains(", ".matches(",
        ".exists(x, ", ".all(y, ", ".map(x, ", ".filter(y, ", ".exists_one(x, ", "has(", "int(", "string(", "é", "\\",
        "\"", "`", "//", "\n", "b'", "r\"", "0x", "1u", "1e", "in", "as", "@v0", "@tick", "[0]", "[\"a\"]", ".?",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

/// Conditions that mostly compile.
fn well_formed() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "true", "llm.stream", "llm.model == \"gpt-4o\"", "identity.claims.a", "identity.claims.a == 1",
        "identity.claims.a.b > 2", "\"a\" in identity.claims.a", "\"a\" in identity.groups", "has(identity.claims.a)",
        "llm.n / llm.images > 0", "identity.groups[0] == \"a\"", "prompt.text.matches(\"a+\")",
        "request.headers[\"a\"].contains(\"b\")", "size(identity.claims.a) > 1", "int(identity.claims.a) == 3",
        "identity.claims.a + identity.claims.b == \"ab\"", "-identity.claims.a < 3", "x == x", "x",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || !({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            inner.clone().prop_map(|a| format!("identity.groups.exists(x, {a})")),
            inner.clone().prop_map(|a| format!("identity.claims.a.all(x, {a})")),
            inner.clone().prop_map(|a| format!("llm.tools.filter(x, {a}) == llm.tools")),
            inner.clone().prop_map(|a| format!("size(identity.claims.map(x, {a})) > 1")),
            inner.prop_map(|a| format!("llm.tools.exists_one(x, {a})")),
        ]
    })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
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
fn try_it(source: &str, facts: &TestFacts) {
    match Condition::compile(source, Phase::Body) {
        Ok(condition) => {
            let _ = condition.evaluate(facts);
            let _ = condition.evaluate(&Wrong);
        }
        Err(error) => {
            assert!(source.get(error.offset..error.offset + error.len).is_some(), "{source:?}: {error:?}");
        }
    }
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
        on_a_small_stack(move || try_it(&source, &facts));
    }

    #[test]
    fn no_facts_panic_or_overflow(source in well_formed(), facts in facts()) {
        on_a_small_stack(move || try_it(&source, &facts));
    }
}
