//! Exchanges out: by what they are searched by, newest first.

use portcullis::audit::value::rfc3339;
use serde_json::{Map, Value, json};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _};

use super::StoreError;
use super::database::Kind;
use super::read::{Kept, Reader, kept};
use crate::index::SHOWN;

/// What is looked for; all of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Not before, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// Before.
    pub until: Option<i64>,
    /// Numbers of kinds, and values.
    pub marks: Vec<(i64, String)>,
    /// Kind of decision, which an end may have changed.
    pub decision: Option<String>,
    /// Words, all of them in one record.
    pub text: Option<String>,
    /// Behind this place.
    pub behind: Option<Place>,
    /// Most exchanges.
    pub most: i64,
}

/// A place in the order: time and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Of the exchange.
    pub id: i64,
}

/// An exchange.
#[derive(Debug)]
pub struct Found {
    /// Where it stands.
    pub place: Place,
    /// What a list shows of it.
    pub shown: Value,
}

/// A value to be bound.
enum Bound {
    Number(i64),
    Text(String),
}

/// SQL that grows: texts of the program, values bound.
#[derive(Default)]
struct Sql {
    text: String,
    bound: Vec<Bound>,
}

impl Sql {
    fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn bind(&mut self, value: Bound) -> &mut Self {
        self.bound.push(value);
        self.text.push_str(&format!("${}", self.bound.len()));
        self
    }

    /// A value beside the one that leads.
    fn other(&mut self, number: usize) -> &mut Self {
        self.text.push_str(&format!("o{number}"));
        self
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.bind(Bound::Number(number))
    }

    fn query(self) -> Query<'static, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(self.text));
        self.bound.into_iter().fold(query, |query, value| match value {
            Bound::Number(number) => query.bind(number),
            Bound::Text(text) => query.bind(text),
        })
    }
}

impl Reader {
    /// The next exchanges.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn exchanges(&self, search: &Search) -> Result<Vec<Found>, StoreError> {
        let Some(terms) = terms(&self.pool, &search.marks).await? else { return Ok(Vec::new()) };
        if self.kind == Kind::Sqlite
            && let Some(text) = &search.text
        {
            let Some(words) = matched(text) else { return Ok(Vec::new()) };
            if self.is_common(&words).await? {
                return self.of_common(search, &terms, &words).await;
            }
        }
        self.searched(search, &terms).await
    }

    /// The same, by the numbers of the values, in one statement.
    pub(super) async fn searched(&self, search: &Search, terms: &[i64]) -> Result<Vec<Found>, StoreError> {
        let Some(sql) = statement(self.kind, search, terms) else { return Ok(Vec::new()) };
        let rows = sql.query().fetch_all(&self.pool).await?;
        rows.iter().map(found).collect()
    }

    /// The next records of an exchange, in the order of their arrival.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn of_exchange(&self, exchange: &str, after: i64, most: i64) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT r.id, r.hash, r.said, r.body FROM exchanges e JOIN records r ON r.exchange = e.id \
             WHERE e.exchange = $1 AND r.id > $2 ORDER BY r.id LIMIT $3";
        let rows = sqlx::query(sql).bind(exchange.to_owned()).bind(after).bind(most);
        rows.fetch_all(&self.pool).await?.iter().map(kept).collect()
    }

    /// The records of exchanges, by their numbers.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn of_found(&self, id: i64, after: i64, most: i64) -> Result<Vec<Kept>, StoreError> {
        let sql =
            "SELECT id, hash, said, body FROM records WHERE exchange = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows = sqlx::query(sql).bind(id).bind(after).bind(most);
        rows.fetch_all(&self.pool).await?.iter().map(kept).collect()
    }
}

/// Numbers of values; `None`: there is no exchange of one of them.
async fn terms(pool: &AnyPool, marks: &[(i64, String)]) -> Result<Option<Vec<i64>>, StoreError> {
    let mut terms = Vec::new();
    for (kind, value) in marks {
        let select = sqlx::query("SELECT id FROM terms WHERE kind = $1 AND value = $2");
        match select.bind(*kind).bind(value.clone()).fetch_optional(pool).await? {
            Some(row) => terms.push(row.try_get(0)?),
            None => return Ok(None),
        }
    }
    Ok(Some(terms))
}

/// `None`: nothing can be found.
fn statement(kind: Kind, search: &Search, terms: &[i64]) -> Option<Sql> {
    let mut sql = Sql::default();
    sql.push(
        "SELECT e.id, e.time, e.exchange, e.rank, e.user_id, e.connection, e.policy, e.revision, e.decision, \
         e.reason, e.rule, e.model, e.outcome, c.chain FROM ",
    );
    // The first value leads: its exchanges stand in the order that is asked for. SQLite keeps to the order of a cross join.
    let (time, id) = match terms.split_first() {
        None => {
            sql.push("exchanges e JOIN chains c ON c.id = e.chain WHERE 1 = 1");
            ("e.time", "e.id")
        }
        Some((first, others)) => {
            sql.push("marks m");
            for number in 0..others.len() {
                sql.push(" CROSS JOIN marks ").other(number);
            }
            sql.push(" CROSS JOIN exchanges e CROSS JOIN chains c WHERE e.id = m.exchange AND c.id = e.chain AND m.term = ");
            sql.number(*first);
            for (number, term) in others.iter().enumerate() {
                sql.push(" AND ").other(number).push(".time = m.time AND ");
                sql.other(number).push(".exchange = m.exchange AND ");
                sql.other(number).push(".term = ").number(*term);
            }
            ("m.time", "m.exchange")
        }
    };
    for (word, bound) in [(" >= ", search.since), (" < ", search.until)] {
        if let Some(bound) = bound {
            sql.push(" AND ").push(time).push(word).number(bound);
        }
    }
    if let Some(place) = search.behind {
        sql.push(" AND (").push(time).push(", ").push(id).push(") < (");
        sql.number(place.time).push(", ").number(place.id).push(")");
    }
    if let Some(decision) = &search.decision {
        sql.push(" AND e.decision = ").bind(Bound::Text(decision.clone()));
    }
    if let Some(text) = &search.text {
        words(&mut sql, kind, text)?;
    }
    sql.push(" ORDER BY ").push(time).push(" DESC, ").push(id).push(" DESC LIMIT ").number(search.most);
    Some(sql)
}

fn split(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// As SQLite is asked for words: of letters and digits alone, so that a word is no operator. `None`: there is no word.
fn matched(text: &str) -> Option<String> {
    let words: Vec<String> = split(text).iter().map(|word| format!("\"{word}\"")).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// All words of a text, in one record of the exchange.
fn words(sql: &mut Sql, kind: Kind, text: &str) -> Option<()> {
    let words = split(text);
    if words.is_empty() {
        return None;
    }
    match kind {
        Kind::Sqlite => {
            sql.push(" AND e.id IN (SELECT r.exchange FROM texts t JOIN records r ON r.id = t.rowid WHERE texts MATCH ");
            sql.bind(Bound::Text(matched(text)?)).push(")");
        }
        Kind::Postgres => {
            sql.push(" AND e.id IN (SELECT r.exchange FROM texts t JOIN records r ON r.id = t.record WHERE t.words @@ plainto_tsquery('simple', ");
            sql.bind(Bound::Text(words.join(" "))).push("))");
        }
    }
    Some(())
}

fn found(row: &AnyRow) -> Result<Found, StoreError> {
    let place = Place { id: row.try_get(0)?, time: row.try_get(1)? };
    let (exchange, rank, chain): (String, i64, String) = (row.try_get(2)?, row.try_get(3)?, row.try_get(13)?);
    let mut shown = Map::new();
    let time = rfc3339(u64::try_from(place.time).unwrap_or_default());
    shown.insert("portcullis.exchange".to_owned(), json!(exchange));
    shown.insert("portcullis.chain.id".to_owned(), json!(chain));
    shown.insert("time".to_owned(), json!(time));
    shown.insert("ended".to_owned(), json!(rank == crate::index::Rank::End as i64));
    for (at, name) in SHOWN.iter().enumerate() {
        if let Some(value) = row.try_get::<Option<String>, _>(at.saturating_add(4))? {
            shown.insert((*name).to_owned(), json!(value));
        }
    }
    Ok(Found { place, shown: Value::Object(shown) })
}
