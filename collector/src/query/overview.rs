//! `GET /api/overview`: what happened in a time, in numbers, each of which leads to its exchanges.
//!
//! All is bounded: so many exchanges are counted, the newest; so many end records are read. The answer says how far
//! back that went.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use portcullis::audit::value::rfc3339;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::parameters::{Asked, OVERVIEW};
use super::{unclear, unread};
use crate::http::App;
use crate::index::{KINDS, Kind};
use crate::store::{Decided, Missing, Reader, Span, StoreError, now};

/// Most exchanges that are counted.
const MOST: i64 = 100_000;
/// Most end records that are read.
const READ: i64 = 1000;
/// Most values of a table.
const TOP: i64 = 10;
/// Most alarms, and most gaps.
const MOST_ALARMS: i64 = 50;
/// Most pieces of the time, give or take one.
const PIECES: i64 = 96;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Pieces that people count in.
const WIDTHS: [i64; 9] = [
    60 * SECOND,
    300 * SECOND,
    900 * SECOND,
    1800 * SECOND,
    3600 * SECOND,
    7200 * SECOND,
    4 * 3600 * SECOND,
    8 * 3600 * SECOND,
    DAY,
];

/// One at a time: readers of exchanges come first.
static TURN: Semaphore = Semaphore::const_new(1);

/// The last day, or a time.
pub async fn overview(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = match Asked::of(&OVERVIEW, request.uri().query()) {
        Ok(asked) => asked,
        Err(wrong) => return unclear(&wrong),
    };
    let until = asked.search.until.unwrap_or_else(now).max(0);
    let since = asked.search.since.unwrap_or_else(|| until.saturating_sub(DAY)).max(0);
    if since >= until {
        return unclear("since must be before until");
    }
    let _turn = TURN.acquire().await;
    match of(&app.reader, Span { since, until }).await {
        Ok(overview) => ([(CONTENT_TYPE, "application/json")], overview.to_string()).into_response(),
        Err(error) => unread(&error),
    }
}

async fn of(reader: &Reader, asked: Span) -> Result<Value, StoreError> {
    let span = reader.narrowed(asked, MOST).await?;
    let width = width(asked);
    let decided = reader.decided(span, width).await?;
    let refused = reader.refusing_budgets(span, TOP).await?;
    let read = Read::of(&reader.ends(span, READ).await?);
    Ok(json!({
        "since": time(asked.since),
        "until": time(asked.until),
        "from": time(span.since),
        "width": width.checked_div(SECOND),
        "decisions": pieces(asked, width, &decided),
        "rules": top(reader, Kind::Rule, span).await?,
        "entities": top(reader, Kind::Entity, span).await?,
        "subjects": top(reader, Kind::Subject, span).await?,
        "models": top(reader, Kind::Model, span).await?,
        "budgets": read.budgets(refused),
        "read": { "exchanges": read.exchanges, "whole": read.exchanges < READ,
            "entities": read.entities, "input_tokens": read.input, "output_tokens": read.output },
        "missing": reader.missing(MOST_ALARMS).await?.iter().map(missing).collect::<Vec<_>>(),
        "alarms": reader.alarms(asked, MOST_ALARMS).await?.iter().map(|body| parsed(body)).collect::<Vec<_>>(),
    }))
}

/// The smallest that makes no more pieces than are shown.
fn width(span: Span) -> i64 {
    let length = span.until.saturating_sub(span.since);
    let pieces = |width: i64| length.checked_div(width).unwrap_or(i64::MAX);
    WIDTHS.into_iter().find(|width| pieces(*width) <= PIECES).unwrap_or_else(|| {
        let days = pieces(DAY).checked_div(PIECES).unwrap_or_default();
        DAY.saturating_mul(days.saturating_add(1))
    })
}

/// Every piece of the time, also those in which nothing happened.
fn pieces(span: Span, width: i64, decided: &[Decided]) -> Vec<Value> {
    let number = |time: i64| time.checked_div(width).unwrap_or_default();
    let mut counts: BTreeMap<i64, Map<String, Value>> = BTreeMap::new();
    for one in decided {
        counts.entry(one.piece).or_default().insert(one.decision.clone(), json!(one.exchanges));
    }
    let all = number(span.since)..=number(span.until.saturating_sub(1));
    all.map(|piece| {
        let mut counted = counts.remove(&piece).unwrap_or_default();
        counted.insert("time".to_owned(), json!(time(piece.saturating_mul(width))));
        Value::Object(counted)
    })
    .collect()
}

async fn top(reader: &Reader, kind: Kind, span: Span) -> Result<Value, StoreError> {
    let Some((_, number, _)) = KINDS.iter().find(|(of, _, _)| *of == kind) else { return Ok(json!([])) };
    let values = reader.commonest(*number, span, TOP).await?;
    Ok(values
        .into_iter()
        .map(|(value, exchanges)| json!({ "value": value, "exchanges": exchanges }))
        .collect())
}

/// What end records say that no index holds.
#[derive(Default)]
struct Read {
    exchanges: i64,
    input: u64,
    output: u64,
    /// Values found, by entity.
    entities: BTreeMap<String, u64>,
    used: BTreeMap<String, u64>,
}

impl Read {
    fn of(bodies: &[String]) -> Self {
        let mut read = Self::default();
        for body in bodies {
            let record = parsed(body);
            let number = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or_default();
            read.exchanges = read.exchanges.saturating_add(1);
            read.input = read.input.saturating_add(number("gen_ai.usage.input_tokens"));
            read.output = read.output.saturating_add(number("gen_ai.usage.output_tokens"));
            add(&mut read.used, record.get("portcullis.budget.used"));
            add(&mut read.entities, record.get("portcullis.prompt.entities"));
            add(&mut read.entities, record.get("portcullis.response.entities"));
        }
        read
    }

    /// Those that refused first.
    fn budgets(&self, refused: Vec<(String, i64)>) -> Vec<Value> {
        let mut used = self.used.clone();
        let mut budgets: Vec<Value> = refused
            .into_iter()
            .map(|(name, refused)| json!({ "used": used.remove(&name), "name": name, "refused": refused }))
            .collect();
        let others = used.into_iter().take(usize::try_from(TOP).unwrap_or_default());
        budgets.extend(others.map(|(name, used)| json!({ "name": name, "refused": 0, "used": used })));
        budgets
    }
}

/// Most names that are summed up: the filter sends a few.
const MOST_NAMES: usize = 256;

fn add(sums: &mut BTreeMap<String, u64>, counts: Option<&Value>) {
    for (name, count) in counts.and_then(Value::as_object).into_iter().flatten() {
        if sums.len() >= MOST_NAMES && !sums.contains_key(name) {
            continue;
        }
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.saturating_add(count.as_u64().unwrap_or_default());
    }
}

fn missing(gap: &Missing) -> Value {
    json!({ "chain": gap.chain, "first": gap.first, "last": gap.last, "since": time(gap.since), "alarmed": gap.alarmed })
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}

fn time(nanoseconds: i64) -> String {
    rfc3339(u64::try_from(nanoseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_any_length_has_a_bounded_number_of_pieces() {
        for (since, until) in
            [(0, 1), (0, 3600 * SECOND), (5, DAY), (0, 30 * DAY), (0, 900 * DAY), (0, i64::MAX)]
        {
            let span = Span { since, until };
            let pieces = pieces(span, width(span), &[]);
            assert!((1..=98).contains(&pieces.len()), "{span:?}: {}", pieces.len());
        }
        assert_eq!(width(Span { since: 0, until: DAY }), 900 * SECOND);
    }

    #[test]
    fn what_a_forged_record_counts_is_bounded() {
        let many: Map<String, Value> = (0..1000).map(|n| (n.to_string(), json!(u64::MAX))).collect();
        let body = json!({ "portcullis.budget.used": many, "gen_ai.usage.input_tokens": "many" }).to_string();
        let read = Read::of(&[body.clone(), body, "[]".to_owned()]);
        assert_eq!((read.exchanges, read.used.len(), read.input), (3, 256, 0));
        assert_eq!(read.budgets(vec![("0".to_owned(), 2)]).len(), 11);
    }
}
