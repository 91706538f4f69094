//! Exchanges, and what they are searched by, written in the commit of their records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::database::Kind;
use super::{StoreError, values};
use crate::index::{Indexed, Rank, SHOWN};

/// Numbers of terms that are known to be in the database.
pub type Terms = HashMap<(i64, String), i64>;

/// Most terms whose numbers are remembered.
pub const MOST_TERMS: usize = 65_536;

/// One exchange, as this commit knows it.
struct Known {
    id: i64,
    time: i64,
    is_new: bool,
    rank: Rank,
    shown: Vec<Option<String>>,
    marks: BTreeSet<(i64, String)>,
    touched: bool,
}

/// The exchanges of one commit.
#[derive(Default)]
pub struct Exchanges(BTreeMap<(i64, String), Known>);

/// A record of an exchange: its chain's number, its time, what is searched.
pub type Of<'a> = (i64, i64, &'a Indexed);

impl Exchanges {
    /// Finds out which of these exchanges are known; `last` is the greatest number of one.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn gather(
        connection: &mut AnyConnection,
        records: &[Of<'_>],
        last: &mut i64,
    ) -> Result<Self, StoreError> {
        let keys: BTreeSet<(&str, i64)> =
            records.iter().map(|(chain, _, indexed)| (indexed.exchange.as_str(), *chain)).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let mut known: HashMap<(i64, String), (i64, i64)> = HashMap::new();
        for chunk in values::chunks(&keys) {
            let head = "SELECT id, chain, exchange, time FROM exchanges WHERE (exchange, chain) IN (";
            let sql = values::statement(head, chunk.len(), 2, ")");
            let mut select = sqlx::query(AssertSqlSafe(sql));
            for (exchange, chain) in chunk {
                select = select.bind((*exchange).to_owned()).bind(*chain);
            }
            for row in select.fetch_all(&mut *connection).await? {
                known.insert((row.try_get(1)?, row.try_get(2)?), (row.try_get(0)?, row.try_get(3)?));
            }
        }
        let mut exchanges = BTreeMap::new();
        for (chain, time, indexed) in records {
            let key = (*chain, indexed.exchange.clone());
            let entry = exchanges.entry(key.clone()).or_insert_with(|| {
                let before = known.get(&key);
                if before.is_none() {
                    *last = last.saturating_add(1);
                }
                let (id, time) = before.copied().unwrap_or((*last, *time));
                let (marks, shown) = (BTreeSet::new(), Vec::new());
                Known { id, time, is_new: before.is_none(), rank: Rank::Part, shown, marks, touched: false }
            });
            entry.add(indexed);
        }
        Ok(Self(exchanges))
    }

    /// The number of a record's exchange.
    pub fn id(&self, chain: i64, exchange: &str) -> Option<i64> {
        self.0.get(&(chain, exchange.to_owned())).map(|known| known.id)
    }

    /// Writes them.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn write(
        &self,
        connection: &mut AnyConnection,
        known: &Terms,
        found: &mut Terms,
    ) -> Result<(), StoreError> {
        self.rows(connection).await?;
        let mut marks = Vec::new();
        for exchange in self.0.values() {
            for mark in &exchange.marks {
                let term = term(connection, mark, known, found).await?;
                marks.push((term, exchange.time, exchange.id));
            }
        }
        marks.sort_unstable();
        for chunk in values::chunks(&marks) {
            let head = "INSERT INTO marks (term, time, exchange)";
            let sql = values::statement(head, chunk.len(), 3, " ON CONFLICT DO NOTHING");
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (term, time, exchange) in chunk {
                insert = insert.bind(*term).bind(*time).bind(*exchange);
            }
            insert.execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn rows(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        const HEAD: &str = "INSERT INTO exchanges (id, chain, exchange, time, rank, \
             user_id, connection, policy, revision, decision, reason, rule, model, outcome)";
        const TAIL: &str = " ON CONFLICT (id) DO UPDATE SET rank = excluded.rank, user_id = excluded.user_id, \
             connection = excluded.connection, policy = excluded.policy, revision = excluded.revision, \
             decision = excluded.decision, reason = excluded.reason, rule = excluded.rule, model = excluded.model, \
             outcome = excluded.outcome WHERE excluded.rank >= exchanges.rank";
        let changed = self.0.iter().filter(|(_, known)| known.is_new || known.touched);
        let changed: Vec<_> = changed.collect();
        for chunk in values::chunks(&changed) {
            let sql = values::statement(HEAD, chunk.len(), 5_usize.saturating_add(SHOWN.len()), TAIL);
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for ((chain, exchange), known) in chunk {
                insert = insert.bind(known.id).bind(*chain).bind(exchange.clone()).bind(known.time);
                insert = insert.bind(known.rank as i64);
                for at in 0..SHOWN.len() {
                    insert = insert.bind(known.shown.get(at).cloned().flatten());
                }
            }
            insert.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

impl Known {
    fn add(&mut self, indexed: &Indexed) {
        if indexed.rank > Rank::Part && indexed.rank >= self.rank {
            (self.rank, self.shown, self.touched) = (indexed.rank, indexed.shown.clone(), true);
        }
        self.marks.extend(indexed.marks.iter().cloned());
    }
}

/// The number of a value.
async fn term(
    connection: &mut AnyConnection,
    mark: &(i64, String),
    known: &Terms,
    found: &mut Terms,
) -> Result<i64, StoreError> {
    if let Some(id) = known.get(mark).or_else(|| found.get(mark)) {
        return Ok(*id);
    }
    let (kind, value) = mark;
    let select = sqlx::query("SELECT id FROM terms WHERE kind = $1 AND value = $2");
    let id = match select.bind(*kind).bind(value.clone()).fetch_optional(&mut *connection).await? {
        Some(row) => row.try_get(0)?,
        None => {
            let highest = sqlx::query("SELECT COALESCE(MAX(id), 0) + 1 FROM terms");
            let id: i64 = highest.fetch_one(&mut *connection).await?.try_get(0)?;
            let insert = sqlx::query("INSERT INTO terms (id, kind, value) VALUES ($1, $2, $3)");
            insert.bind(id).bind(*kind).bind(value.clone()).execute(connection).await?;
            id
        }
    };
    found.insert(mark.clone(), id);
    Ok(id)
}

/// Writes what was said, under the numbers of the records.
///
/// # Errors
/// The database cannot.
pub async fn texts(
    connection: &mut AnyConnection,
    kind: Kind,
    texts: &[(i64, &str)],
) -> Result<(), StoreError> {
    let (head, tail) = match kind {
        Kind::Sqlite => ("INSERT INTO texts (rowid, text)", ""),
        Kind::Postgres => (
            "INSERT INTO texts (record, words) SELECT v.record, to_tsvector('simple', v.text) FROM (",
            ") AS v (record, text)",
        ),
    };
    for chunk in values::chunks(texts) {
        let mut insert = sqlx::query(AssertSqlSafe(values::statement(head, chunk.len(), 2, tail)));
        for (record, text) in chunk {
            // Both databases then find the same words: PostgreSQL would take an address for one.
            let words = text.replace(|c: char| !c.is_alphanumeric(), " ");
            insert = insert.bind(*record).bind(words);
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}
