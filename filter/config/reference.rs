//! The page `docs/policy-reference.md`, written from the tables of the format.
//!
//! The test below fails where the page is not what the tables say; `UPDATE_DOCS=1 cargo test` writes it.

use std::fmt::Write;

use super::grammar::{write_duration, write_size};
use super::schema::{Key, Kind, Need, Section};
use super::tables::SET;
use crate::pages;
use crate::policy::condition::reference;

const INTRODUCTION: &str = "# Policy reference

<!-- Written from the tables in filter/config and filter/policy by `UPDATE_DOCS=1 cargo test`. -->

A policy set is one YAML file, or the `*.yaml` and `*.yml` files of one directory (in any case, not `*_test.yaml`), read in the order of
their names and put together: lists are joined, everything else stands once. `version` may stand in each file. Directories are passed
over; a file that cannot be read, such as a link that leads nowhere, is an error.
`portcullis check DIR` says everything that is wrong with it, `portcullis bundle DIR` prints what Envoy loads.
`policies/rag-chat` is a set to start from.

Unknown keys are errors. Tags, anchors, aliases and keys given twice are refused. Durations are whole numbers with `ms`, `s`, `m` or
`h`; sizes are bytes, or whole numbers with `Ki`, `Mi`, `Gi`, `k`, `M` or `G`. A name is 1 to 64 letters, digits, `-`, `_` or `.`.
`${env:NAME}` is replaced by a variable of Envoy's environment where a secret stands: in a credential's `value`, the `headers` of a cluster, the
`key` of pseudonyms, `client_secret`, `token` and `signing_key`; `${identity.…}` stands in the scope of pseudonyms. `${…}` with any CEL that gives text stands in a rule's `message`, and, known with the headers,
in `collections`, `namespaces` and `filter` of `vector`. Its value is taken literally, and must not be empty. `$${` is a literal `${`. Header names are tokens (RFC 9110), neither pseudo-headers nor headers of the connection itself.
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, &SET, "");
    page.push_str(&reference::markdown());
    page
}

/// One table, then those of the maps in it.
fn section(page: &mut String, section: &Section, path: &str) {
    let title = format!("\n## {}\n\n", section.title);
    // What several keys have is told where it comes first.
    if page.contains(&title) {
        return;
    }
    page.push_str(&title);
    if !path.is_empty() {
        let _ = write!(page, "`{path}`\n\n");
    }
    page.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in section.keys {
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, kind(&key.kind), default(key), key.about);
    }
    for key in section.keys {
        let below = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        if let Some((inner, mark)) = inner(&key.kind) {
            self::section(page, inner, &format!("{below}{mark}"));
        }
    }
}

fn inner(kind: &Kind) -> Option<(&'static Section, &'static str)> {
    match kind {
        Kind::Section(section) | Kind::ChoiceOr(_, section) => Some((section, "")),
        Kind::List(item) | Kind::OneOrMany(item) => inner(item).map(|(section, _)| (section, "[]")),
        Kind::Named(_, section) => Some((section, ".NAME")),
        _ => None,
    }
}

fn default(key: &Key) -> &'static str {
    match key.need {
        Need::Required => "required",
        Need::Optional(default) => default,
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) => form.name.to_owned(),
        Kind::Version => "a whole number".to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Duration(least, most) => {
            format!("duration, {} to {}", write_duration(*least), write_duration(*most))
        }
        Kind::Size(least, most) => format!("size, {} to {}", write_size(*least), write_size(*most)),
        Kind::Share => "a number between 0 and 1".to_owned(),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Count(least, most) => format!("a whole number, {least} to {most}"),
        Kind::Named(form, section) => {
            format!("map from {} to {}", form.name, self::kind(&Kind::Section(section)))
        }
        Kind::Headers => "header names with values".to_owned(),
        Kind::Fields => "fields with text with `${…}`".to_owned(),
        Kind::Digests | Kind::Map => "a map".to_owned(),
        Kind::KeySet => "a JSON Web Key Set".to_owned(),
        Kind::List(item) => format!("list of: {}", self::kind(item)),
        Kind::OneOrMany(item) => format!("{}, or a list of them", self::kind(item)),
        Kind::ChoiceOr(words, section) => {
            format!("{}, or {}", self::kind(&Kind::Choice(words)), self::kind(&Kind::Section(section)))
        }
        Kind::Section(section) => {
            format!("[map](#{})", section.title.to_lowercase().replace(' ', "-"))
        }
    }
}

#[test]
fn the_reference_page_says_what_the_tables_say() {
    pages::whole("policy-reference.md", &page());
}
