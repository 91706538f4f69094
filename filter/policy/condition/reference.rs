//! What `docs/policy-reference.md` says of conditions, from the tables that the checker and the evaluator work with.

use super::functions::{FUNCTIONS, MACROS};
use super::pattern::PATTERN_SIZE;
use super::{MAX_DEPTH, MAX_LENGTH, MAX_TEXT, MAX_TURNS};
use crate::pages;
use crate::policy::rules::MAX_SAID;
use crate::policy::variables;

const ABOUT: &[(&str, &str)] = &[
    ("size", "Characters of a text, elements of a list, entries of a map."),
    ("contains", "Whether the text holds the part."),
    ("startsWith", "Whether it begins so."),
    ("endsWith", "Whether it ends so."),
    (
        "matches",
        "Whether the pattern is found anywhere in the text. Rust's `regex` syntax (RE2's, in the main). A pattern that is written out is compiled when the set loads. Any other is compiled for each evaluation, which can do so four times: it has at most 128 bytes and compiles to at most 64 KiB, or the condition fails.",
    ),
    ("lowerAscii", "The text with `A` to `Z` in lower case."),
    ("upperAscii", "The text with `a` to `z` in upper case."),
    ("lower", "The text in lower case, letters of every script."),
    ("trim", "The text without white space at its ends."),
    ("split", "The pieces of the text between the separators; with an empty separator, its characters."),
    ("join", "The texts of the list with the separator between each two."),
    ("string", "A number as text."),
    ("int", "A number cut off at the point, or text read as a whole number; else the condition fails."),
    ("sets.contains", "Whether the first list has every element of the second."),
    ("sets.equivalent", "Whether each list has every element of the other."),
    ("sets.intersects", "Whether the lists have an element in common."),
    (
        "cidr",
        "The network of a text, IPv4 or IPv6; a text that is none fails the condition, and one that is written out is refused when the set loads.",
    ),
    (
        "containsIP",
        "Whether the address (a text, such as `source.address`) is in the network; a text that is no address fails the condition.",
    ),
    (
        "semver",
        "The version of a text, by Semantic Versioning 2.0.0; a text that is none fails, as for `cidr`.",
    ),
    (
        "compareTo",
        "-1, 0 or 1: whether the version is below, like or above the other; what stands behind a `+` does not count.",
    ),
    ("isGreaterThan", "Whether the version is above the other."),
    ("isLessThan", "Whether it is below it."),
    ("major", "The first number of the version."),
    ("minor", "The second."),
    ("now", "The same as `request.time`."),
    ("getDayOfWeek", "The day of the week of a time in UTC: 0 is Sunday."),
    ("getHours", "The hour of it in UTC, 0 to 23."),
    ("getMinutes", "The minute of it, 0 to 59."),
    (
        "has",
        "Whether a claim or a header is there. For entries of `identity.claims` and `request.headers` only.",
    ),
    ("exists", "Whether the condition holds for an element."),
    ("all", "Whether it holds for every element."),
    ("exists_one", "Whether it holds for exactly one."),
    ("existsOne", "The same."),
    ("filter", "The elements for which it holds."),
    ("map", "The list of the values."),
];

fn about(name: &str) -> String {
    let (_, about) = ABOUT.iter().find(|(of, _)| *of == name).unwrap();
    (*about).to_owned()
}

/// The chapter on conditions.
pub(crate) fn markdown() -> String {
    let functions = FUNCTIONS.iter().map(|function| (function.name, function.usage));
    let rows =
        functions.chain(MACROS.iter().copied()).map(|(name, usage)| vec![pages::words([usage]), about(name)]);
    let functions = pages::table(&["function", "gives"], rows.collect::<Vec<_>>());
    let variables = variables::markdown();
    let (text, pattern) = (MAX_TEXT >> 20, PATTERN_SIZE >> 20);
    format!(
        r#"
## Conditions

`allow`, `deny`, `approve` and `flag` hold a condition in [CEL](https://cel.dev) that gives true or false. It is compiled when the set loads: an
unknown name or function, a wrong type or a bad pattern is an error there, with its place.

A name is one of the table below. What a request lacks is empty or zero, so a condition need not ask whether it is there: an operation
without a model has the model `""`, and so has a body that passed unread because `uninspected` lets its kind pass. Only entries of
`identity.claims` and `request.headers` can be absent. Reading an absent one fails; `has()` asks first:
`has(identity.claims.tenant) && identity.claims.tenant == "a"`.

A condition that reads a name known with the `body` waits for the whole body, if it can refuse; the others are decided with the headers.

{variables}
Operators: `==` `!=` `<` `<=` `>` `>=`, `&&` `||` `!`, `? :`, `in`, `[ ]`, `+` `-` `*` `/` `%`. Values: text, whole numbers, numbers with a
point, `true`, `false`, `null`, lists. Text with text and lists with lists are joined by `+`. Not supported: maps written out, bytes,
unsigned numbers, timestamps, durations.

{functions}
Bounds. A condition is at most {MAX_LENGTH} bytes long and nests at most {MAX_DEPTH} levels deep; chains of `&&` and `||` and lists may be
long. A pattern compiles to at most {pattern} MiB. One evaluation may take {MAX_TURNS} turns of loops, all its loops together, and work on {text} MiB
of text; one that runs out fails.

## Order of judgement

1. `allow`. False: refused with `forbidden`. It is judged before any body is read, unless it reads a name of the body.
2. The `deny` rules, in order. The first that holds answers, with `forbidden`, its `message`, and its name in record and metrics.
3. The `flag` rules, in order. Each that holds is recorded. On a refused request none is judged.
4. The `approve` rules. Every one that holds is needed, and the record names them all (`portcullis.approvals`). What the rest of the policy
   refuses (its bounds on vector stores, values that its mask blocks) is refused before anybody is asked.

An `allow`, `deny` or `approve` that fails (a claim that is not there, a bound overrun, a wrong type) refuses with `policy_error`, and so does
one whose message fails or has an empty value in it. A `flag` that fails is recorded. As in CEL, `true || failure` is true and
`false && failure` is false. A `deny` or `approve` of mode `monitor` never refuses, whether it holds or fails.

What an `approve` of mode `enforce` holds for waits for a human ([approvals.md](approvals.md)). Where the set names nobody who asks them, it is
refused with 409 `approval_pending`, however often it is tried; `portcullis check` warns of such rules.

A `message` is for the caller. What stands in its `${{…}}` is CEL that gives text, over the names of conditions but for `prompt`: a message says
which rule refuses, never what was found in a text. The value is literal text in the protocol's own JSON, whatever it holds; of each at most
{MAX_SAID} characters are told. A message that reads a name known with the `body` makes its rule wait for the body.

## Monitor

`mode: monitor`, on the set, a policy or a rule, decides and records what `enforce` would have answered (`portcullis.would` in the record,
the decision `would_refuse` in the metrics), and changes, delays and refuses nothing. What would be masked is counted. One thing holds in
every mode, for it belongs to the connection: the caller's token never goes upstream, and the credential is injected only for a verified
caller for whom `allow` is true. In an answer to such a request the credential itself is covered with stars.
"#
    )
}

#[test]
fn every_function_is_told_and_nothing_else() {
    let told: Vec<&str> = ABOUT.iter().map(|(name, _)| *name).collect();
    let names = FUNCTIONS.iter().map(|function| function.name).chain(MACROS.iter().map(|(name, _)| *name));
    assert_eq!(told, names.collect::<Vec<_>>());
}
