//! What a table of the format can say of a key: one engine (`check`) reads it, and the reference page is written from it.

use std::time::Duration;

use super::grammar::{self, Fault};
use super::masks;

/// A map with known keys.
pub(super) struct Section {
    /// Heading in the reference.
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the test that writes the reference page"))]
    pub title: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [Key],
}

/// A key of a section.
pub(super) struct Key {
    /// As written.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether it must stand, and what holds where it does not.
    pub need: Need,
    /// What it means, in a sentence.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(dead_code, reason = "the reference and the schema are made natively")
    )]
    pub about: &'static str,
}

/// Whether a key must stand.
pub(super) enum Need {
    /// It must.
    Required,
    /// It need not; what holds then, as the reference says it.
    Optional(
        #[cfg_attr(not(test), allow(dead_code, reason = "read by the test that writes the reference page"))]
        &'static str,
    ),
}

/// What a value is.
pub(super) enum Kind {
    /// Text that a grammar accepts.
    Text(&'static Form),
    /// The number of the format's version.
    Version,
    /// A boolean.
    Flag,
    /// A duration within bounds.
    Duration(Duration, Duration),
    /// A size within bounds, in bytes.
    Size(u64, u64),
    /// A number between 0 and 1.
    Share,
    /// A whole number within bounds.
    Count(u64, u64),
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A map from header names to templates.
    Headers,
    /// A map from names of fields to text.
    Fields,
    /// A map from names to digests.
    Digests,
    /// A JSON Web Key Set.
    KeySet,
    /// A list that is not empty.
    List(&'static Kind),
    /// One value, or a list of them that is not empty.
    OneOrMany(&'static Kind),
    /// One of some words, or a map.
    ChoiceOr(&'static [&'static str], &'static Section),
    /// A map from names to maps.
    Named(&'static Form, &'static Section),
    /// A map that is judged elsewhere.
    Map,
    /// A map.
    Section(&'static Section),
}

/// A grammar of text.
pub(super) struct Form {
    /// As messages and the reference name it.
    pub name: &'static str,
    /// Accepts or says why not.
    pub check: fn(&str) -> Result<(), Fault>,
    /// Whether the value may hold a secret, which no message repeats.
    pub secret: bool,
}

const fn form(name: &'static str, check: fn(&str) -> Result<(), Fault>) -> Form {
    Form { name, check, secret: false }
}

pub(super) const NAME: Form = form("a name", grammar::name);
pub(super) const TEXT: Form = form("text", |text| grammar::literal(text).map(drop));
pub(super) const CONDITION: Form = form("a CEL condition", grammar::condition);
pub(super) const BUDGET_KEY: Form = form("a CEL expression", grammar::key);
pub(super) const TEMPLATE: Form =
    Form { name: "text with `${env:NAME}`", check: |text| grammar::template(text).map(drop), secret: true };
pub(super) const CREDENTIAL_VALUE: Form = Form {
    name: "text with `${env:NAME}` or `${secret:NAME}`",
    check: |text| grammar::credential(text).map(drop),
    secret: true,
};
pub(super) const PREFIX: Form = form("text", grammar::token_prefix);
pub(super) const HEADER: Form = form("a header's name", |text| grammar::header(text).map(drop));
pub(super) const METHOD: Form = form("a request method", grammar::method);
pub(super) const AUTHORITY: Form = form("a host, or host:port", grammar::authority);
pub(super) const PATH_PREFIX: Form = form("a path", grammar::path_prefix);
pub(super) const PATH: Form = form("a path", grammar::path);
pub(super) const URI: Form = form("an absolute URI", |text| grammar::uri(text).map(drop));
pub(super) const RESOURCE_URI: Form = form("an absolute URI", |text| grammar::resource(text).map(drop));
pub(super) const SCOPE_TOKEN: Form = form("a scope", grammar::scope);
pub(super) const CLAIM: Form = form("a dotted path", |text| grammar::claim_path(text).map(drop));
pub(super) const JSON_PATH: Form = form("a JSON path", grammar::json_path);
pub(super) const ENTITY: Form = form("an entity", grammar::entity);
pub(super) const POINTER: Form = form("a JSON pointer", grammar::json_pointer);
pub(super) const PUBLIC_KEY: Form = form("a public key in base64", |text| grammar::filled(text, "key"));
pub(super) const RECIPIENT: Form = form("a recipient of age", |text| grammar::filled(text, "recipient"));
pub(super) const PATTERN: Form = form("a pattern", |text| grammar::filled(text, "pattern"));
pub(super) const CLASS: Form = form("a class of bytes such as `[0-9]`, or nothing", |_| Ok(()));
pub(super) const WORD: Form = form("a word", |text| grammar::filled(text, "word"));
pub(super) const CHARACTER: Form = form("a character", masks::character);
pub(super) const SCOPE: Form = form("text with `${identity.…}`", |text| masks::scope(text).map(drop));
pub(super) const TEXT_TEMPLATE: Form =
    form("text with `${…}`", |text| grammar::text_template(text).map(drop));
pub(super) const REVISION: Form = form("a revision", grammar::revision);
