//! What may be asked. Each address has a table of its parameters, which reads requests and describes itself, so that the
//! two cannot differ.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::index::{KINDS, Kind, clean};
use crate::store::{Place, Search};

/// Most exchanges on a page.
const MOST: i64 = 1000;
/// Exchanges on a page.
const PAGE: i64 = 50;
/// Most words, and most bytes of them.
const MOST_WORDS: usize = 32;
const LONGEST_WORDS: usize = 256;
/// Most parameters of a request.
const MOST_PARAMETERS: usize = 32;

/// A parameter.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it asks.
    pub what: &'static str,
    is: Is,
}

/// What its value is.
#[derive(Clone, Copy)]
enum Is {
    Mark(Kind),
    Since,
    Until,
    Words,
    Cursor,
    Limit,
    Format,
    After,
    Last,
    Of,
    Prefix,
}

/// How exchanges are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A page.
    #[default]
    Json,
    /// All, one a line.
    Ndjson,
    /// All their records, one a line.
    Records,
}

/// What was asked.
#[derive(Debug, Default)]
pub struct Asked {
    /// Which exchanges.
    pub search: Search,
    /// How they are written.
    pub format: Format,
    /// Behind this number of arrival.
    pub after: Option<i64>,
    /// Up to this one.
    pub last: Option<i64>,
    /// Whether a number of exchanges was asked for.
    pub limited: bool,
    /// The number of a kind of values.
    pub of: Option<i64>,
    /// What they begin with.
    pub prefix: String,
}

const fn parameter(name: &'static str, is: Is, what: &'static str) -> Parameter {
    Parameter { name, what, is }
}

/// Of `GET /api/exchanges`.
pub const EXCHANGES: [Parameter; 15] = [
    parameter("since", Is::Since, "Not before this time (RFC 3339)."),
    parameter("until", Is::Until, "Before this time (RFC 3339)."),
    parameter("subject", Is::Mark(Kind::Subject), "The caller's `sub` claim."),
    parameter("group", Is::Mark(Kind::Group), "One of the caller's groups; several: all of them."),
    parameter("connection", Is::Mark(Kind::Connection), "The connection of the policy set."),
    parameter("policy", Is::Mark(Kind::Policy), "The policy that judged."),
    parameter("revision", Is::Mark(Kind::Revision), "The commit of the policy repository."),
    parameter("decision", Is::Mark(Kind::Decision), "`allow`, `deny` or `error`: what was done at last."),
    parameter("rule", Is::Mark(Kind::Rule), "A rule that decided, flagged or asks a human, or would have."),
    parameter("entity", Is::Mark(Kind::Entity), "An entity found in prompt or answer; several: all of them."),
    parameter("model", Is::Mark(Kind::Model), "The model asked for, or the one that answered."),
    parameter(
        "text",
        Is::Words,
        "Words of prompt or answer, where they are captured: all of them in one record. At most 32 words and 256 bytes.",
    ),
    parameter("cursor", Is::Cursor, "`next` of the page before."),
    parameter(
        "limit",
        Is::Limit,
        "Most exchanges, 1 to 1000; 50 if left out, with `ndjson` and `records` all.",
    ),
    parameter(
        "format",
        Is::Format,
        "`json`: a page. `ndjson`: all, one a line. `records`: the records of all, one a line, as `portcullis simulate` reads them.",
    ),
];

/// Of `GET /api/records`.
pub const RECORDS: [Parameter; 2] = [
    parameter("after", Is::After, "Behind the record of this number of arrival."),
    parameter("last", Is::Last, "Up to the record of this number of arrival."),
];

/// Of `GET /api/live`.
pub const LIVE: [Parameter; 1] = [parameter(
    "after",
    Is::After,
    "Behind the record of this number of arrival; left out: what comes from now on. The header `last-event-id` says the same.",
)];

/// Of `GET /api/overview`.
pub const OVERVIEW: [Parameter; 2] = [
    parameter("since", Is::Since, "Not before this time (RFC 3339); left out: a day before `until`."),
    parameter("until", Is::Until, "Before this time (RFC 3339); left out: now."),
];

/// Of `GET /api/values`.
pub const VALUES: [Parameter; 2] = [
    parameter(
        "of",
        Is::Of,
        "Of which parameter of `/api/exchanges`: `subject`, `group`, `connection`, `policy`, `revision`, `decision`, `rule`, `entity` or `model`.",
    ),
    parameter("prefix", Is::Prefix, "What they begin with."),
];

impl Asked {
    /// Of a query.
    ///
    /// # Errors
    /// What is wrong, in words. No value is repeated.
    pub fn of(table: &[Parameter], query: Option<&str>) -> Result<Self, String> {
        let mut asked = Self { search: Search { most: PAGE, ..Search::default() }, ..Self::default() };
        let mut given = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let parameter = table.iter().find(|parameter| parameter.name == name);
            let parameter = parameter.ok_or_else(|| unknown(table))?;
            let again = given.contains(&name);
            if again && !matches!(parameter.is, Is::Mark(_)) || given.len() >= MOST_PARAMETERS {
                return Err(format!(
                    "{} is given more than once, or there are more than {MOST_PARAMETERS} parameters",
                    parameter.name
                ));
            }
            given.push(name);
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value)
                .decode_utf8()
                .map_err(|_| format!("{} is no UTF-8", parameter.name))?;
            asked
                .take(parameter, &value)
                .ok_or_else(|| format!("{} cannot be read. {}", parameter.name, parameter.what))?;
        }
        Ok(asked)
    }

    fn take(&mut self, parameter: &Parameter, value: &str) -> Option<()> {
        let time = || i64::try_from(value.parse::<Timestamp>().ok()?.as_nanosecond()).ok();
        let number = || value.parse::<i64>().ok().filter(|number| *number >= 0);
        let search = &mut self.search;
        match parameter.is {
            Is::Mark(kind) => {
                let number = number_of(kind)?;
                let value = clean(value);
                if kind == Kind::Decision {
                    search.decision = Some(value.clone());
                }
                search.marks.push((number, value));
            }
            Is::Since => search.since = Some(time()?),
            Is::Until => search.until = Some(time()?),
            Is::Words => {
                let many = value.split_whitespace().nth(MOST_WORDS).is_some();
                search.text = (!many && value.len() <= LONGEST_WORDS).then(|| Some(clean(value)))?;
            }
            Is::Cursor => search.behind = Some(Place::read(value)?),
            Is::Limit => {
                search.most = number().filter(|most| (1..=MOST).contains(most))?;
                self.limited = true;
            }
            Is::Format => {
                self.format = match value {
                    "json" => Format::Json,
                    "ndjson" => Format::Ndjson,
                    "records" => Format::Records,
                    _ => return None,
                }
            }
            Is::After => self.after = Some(number()?),
            Is::Last => self.last = Some(number()?),
            Is::Of => self.of = Some(of(value)?),
            Is::Prefix => self.prefix = clean(value),
        }
        Some(())
    }
}

/// The number of the kind that a parameter is compared with.
fn of(name: &str) -> Option<i64> {
    EXCHANGES.iter().find(|parameter| parameter.name == name).and_then(|parameter| match parameter.is {
        Is::Mark(kind) => number_of(kind),
        _ => None,
    })
}

fn number_of(kind: Kind) -> Option<i64> {
    KINDS.iter().find(|(of, _, _)| *of == kind).map(|(_, number, _)| *number)
}

fn unknown(table: &[Parameter]) -> String {
    let names: Vec<&str> = table.iter().map(|parameter| parameter.name).collect();
    format!("there is a parameter that is none of {}", names.join(", "))
}

impl Place {
    /// As a cursor.
    pub fn write(self) -> String {
        format!("{}-{}", self.time, self.id)
    }

    fn read(cursor: &str) -> Option<Self> {
        let (time, id) = cursor.rsplit_once('-')?;
        Some(Self { time: time.parse().ok()?, id: id.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_without_repeating_it() {
        for query in [
            "since=secret",
            "limit=0",
            "limit=1001",
            "cursor=secret",
            "secret=1",
            "format=secret",
            "since=2026-01-01T00:00:00Z&since=2026-01-01T00:00:00Z",
            "text=%ff",
        ] {
            let wrong = Asked::of(&EXCHANGES, Some(query)).unwrap_err();
            assert!(!wrong.contains("secret"), "{wrong}");
        }
        assert!(Asked::of(&EXCHANGES, Some(&"group=a&".repeat(33))).is_err());
    }

    #[test]
    fn a_cursor_reads_as_it_was_written() {
        for place in
            [Place { time: 0, id: 1 }, Place { time: -5, id: 7 }, Place { time: i64::MAX, id: i64::MAX }]
        {
            assert_eq!(Place::read(&place.write()), Some(place));
        }
    }

    #[test]
    fn values_are_decoded_once() {
        let asked = Asked::of(&EXCHANGES, Some("group=a%20b%2526&text=x+y&decision=deny")).unwrap();
        assert_eq!(asked.search.marks, [(2, "a b%26".to_owned()), (6, "deny".to_owned())]);
        assert_eq!(
            (asked.search.text.as_deref(), asked.search.decision.as_deref()),
            (Some("x y"), Some("deny"))
        );
    }
}
