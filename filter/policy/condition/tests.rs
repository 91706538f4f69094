//! What conditions answer and what is refused.

use super::*;
use crate::policy::testing::{Given, typical};

mod against_cel;
mod bounded;
mod helpers;

fn compile(source: &str) -> Condition {
    Condition::compile(source, Phase::Body)
        .unwrap_or_else(|error| panic!("{source}: {error} at {}", error.offset))
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
    refuses("llm.model == gpt", "gpt", "unknown name `gpt`", "put a text in quotes: `\"gpt\"`");
    refuses("llm.model.beginsWith(\"a\")", "beginsWith(", "unknown function", "`startsWith`");
    refuses("beginsWith(llm.model, \"a\")", "beginsWith", "unknown function", "`startsWith`");
    refuses("llm == \"x\"", "llm", "group of names", "`llm.operation`");
    refuses(".llm.model == \"x\"", ".llm.model", "unknown name", "");
    refuses("[1].exists(x, y == 1)", "y", "unknown name `y`", "");
    refuses("int == 1", "int", "unknown name `int`", "");
    refuses("llm.model.name == \"x\"", "llm.model.name", "string has no field `name`", "");
}

#[test]
fn names_of_a_later_release_are_refused_as_such() {}

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
    refuses("identity.groups == \"x\"", "identity.groups == \"x\"", "never equal", "`element in list`");
    refuses("\"x\" in llm.model", "\"x\" in llm.model", "`in` needs a list", "text.contains(part)");
    refuses("3 in identity.groups", "3 in identity.groups", "int is never in list(string)", "");
    refuses("3 in request.headers", "3 in request.headers", "never in map", "");
    refuses("identity.groups[\"x\"] == \"x\"", "identity.groups[\"x\"", "no entry at string", "");
    refuses("identity.groups.admins", "identity.groups.admins", "has no field `admins`", "");
    refuses("llm.model.exists(x, true)", "llm.model", "string is no list", "");
    refuses("llm.tools.exists(t, t)", "t", "this is string", "");
    refuses("llm.tools.exists(t, t > 3)", "t > 3", "string cannot be compared with int", "");
    refuses("llm.tools.exists(t, t.modle == 1)", "t.modle", "string has no field", "");
    refuses("request.headers == identity.claims", "request.headers == identity.claims", "whole maps", "");
    refuses("llm.tools.exists(llm, llm == \"x\")", "llm", "hides the name", "another name");
}

#[test]
fn functions_are_checked() {
    refuses("llm.model.startWith(\"x\")", "startWith(", "unknown function `startWith`", "`startsWith`");
    refuses("llm.tools.any(t, t == \"x\")", "any(", "unknown function `any`", "`exists`");
    refuses("bogus()", "bogus", "unknown function `bogus`", "");
    refuses("llm.model.toLower() == \"x\"", "toLower(", "unknown function `toLower`", "`lower`");
    refuses("timestamp(\"x\") == 3", "timestamp", "unknown function", "");
    refuses("llm.n.startsWith(\"x\")", "llm.n", "`startsWith` needs a string here, and this is int", "");
    refuses("llm.model.contains(3)", "3", "needs a string here, and this is int", "");
    refuses(
        "llm.tools.contains(\"x\")",
        "llm.tools",
        "needs a string here, and this is list(string)",
        "in list",
    );
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
    refuses("prompt.text.matches(llm.n)", "llm.n", "needs a string here, and this is int", "");
    refuses("prompt.text.matches(\"(\\\\w{500}){50}\")", "\"(\\\\w{500}){50}\"", "compiles to more than", "");
    refuses("prompt.text.matches(3)", "3", "needs a string here", "");
}

#[test]
fn header_names_with_capitals_are_refused() {
    refuses("request.headers[\"X-Team\"] == \"x\"", "\"X-Team\"", "lower case", "`x-team`");
    refuses("\"X-Team\" in request.headers", "\"X-Team\"", "lower case", "`x-team`");
    refuses("has(request.headers.Cookie)", "has(request.headers", "lower case", "`cookie`");
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
    refuses("llm.model = \"x\"", "=", "`=` gives a value", "`==`");
    refuses("llm.model == \"x", "\"x", "unterminated string literal", "");
    refuses("llm.stream & llm.stream", "&", "expected '&&'", "");
    refuses("llm.stream and llm.stream", "and", "`and` is no operator here", "write `&&`");
    refuses("(llm.stream AND llm.stream)", "AND", "", "write `&&`");
    refuses("llm.stream or llm.stream", "or", "", "write `||`");
    refuses("not llm.stream", "not", "", "write `!x`");
    refuses("not (llm.stream)", "not", "unknown function `not`", "write `!x`");
    refuses("llm.stream && not llm.stream", "not", "", "write `!x`");
    refuses("\"${env:X}\" == llm.model && ${env:X}", "$", "unexpected character", "where a secret does");
    refuses("llm.model == gpt-4o", "4o", "", "put a text in quotes");
    refuses("(llm.stream", "", "", "");
    refuses("llm.stream)", ")", "", "");
    refuses("\"é\" == \"e\" && 1 ==", "", "ends too early", "");
    assert_eq!(refused("true &&\n has(llm)").offset, 13);
    refuses("true &&\n has(llm)", "", "has() takes a field", "");
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
    assert!(condition.reads_body());
    let head = compile("identity.claims.tenant == request.headers[\"x-tenant\"]");
    assert!(!head.reads_body());
}
