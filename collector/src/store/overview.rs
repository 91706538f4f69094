//! Numbers about exchanges of a time. Each statement is bounded: it reads so many exchanges or records, and no more.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::StoreError;
use super::alert::ALERT;
use super::database::Kind;
use super::read::Reader;
use crate::index::Rank;

/// Newest records of the collector's own chain among which alarms are looked for.
const OWN: i64 = 10_000;
/// Longest body that numbers are read from; what the filter sends is a fraction of that.
const LONGEST_BODY: i64 = 128 << 10;

/// A time, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Not before.
    pub since: i64,
    /// Before.
    pub until: i64,
}

/// How many exchanges of a piece of the time had a decision.
#[derive(Debug, PartialEq, Eq)]
pub struct Decided {
    /// Number of the piece, since 1970.
    pub piece: i64,
    /// `allow`, `deny`, `error`, or `other`.
    pub decision: String,
    /// How many.
    pub exchanges: i64,
}

/// Numbers of a chain that are not there.
#[derive(Debug)]
pub struct Missing {
    /// Id of the chain.
    pub chain: String,
    /// The lowest.
    pub first: i64,
    /// The highest.
    pub last: i64,
    /// Since when that is known.
    pub since: i64,
    /// Whether the alarm was raised.
    pub alarmed: bool,
}

impl Reader {
    /// Where a time must begin in order to hold so many exchanges at most.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn narrowed(&self, span: Span, most: i64) -> Result<Span, StoreError> {
        let sql = "SELECT time FROM exchanges WHERE time >= $1 AND time < $2 ORDER BY time DESC, id DESC LIMIT 1 OFFSET $3";
        let row = sqlx::query(sql).bind(span.since).bind(span.until).bind(most);
        let Some(row) = row.fetch_optional(&self.pool).await? else { return Ok(span) };
        let beyond: i64 = row.try_get(0)?;
        Ok(Span { since: beyond.saturating_add(1), ..span })
    }

    /// Decisions, by pieces of the time.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn decided(&self, span: Span, piece: i64) -> Result<Vec<Decided>, StoreError> {
        let sql = "SELECT piece, decision, COUNT(*) FROM (SELECT time / $3 AS piece, \
             CASE WHEN decision IN ('allow', 'deny', 'error') THEN decision ELSE 'other' END AS decision \
             FROM exchanges WHERE time >= $1 AND time < $2) AS of_time GROUP BY piece, decision ORDER BY piece, decision";
        let rows = sqlx::query(sql).bind(span.since).bind(span.until).bind(piece.max(1));
        let decided = |row: &AnyRow| {
            Ok(Decided { piece: row.try_get(0)?, decision: row.try_get(1)?, exchanges: row.try_get(2)? })
        };
        rows.fetch_all(&self.pool).await?.iter().map(decided).collect()
    }

    /// The values of a kind that most exchanges have, and how many.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn commonest(
        &self,
        kind: i64,
        span: Span,
        most: i64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT t.value, COUNT(*) FROM terms t JOIN marks m ON m.term = t.id \
             WHERE t.kind = $1 AND m.time >= $2 AND m.time < $3 GROUP BY t.value ORDER BY COUNT(*) DESC, t.value LIMIT $4";
        let rows = sqlx::query(sql).bind(kind).bind(span.since).bind(span.until).bind(most);
        rows.fetch_all(&self.pool).await?.iter().map(pair).collect()
    }

    /// Budgets that refused, and how many exchanges.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn refusing_budgets(&self, span: Span, most: i64) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT rule, COUNT(*) FROM exchanges WHERE time >= $1 AND time < $2 AND reason = 'rate_limited' \
             AND rule IS NOT NULL GROUP BY rule ORDER BY COUNT(*) DESC, rule LIMIT $3";
        let rows = sqlx::query(sql).bind(span.since).bind(span.until).bind(most);
        rows.fetch_all(&self.pool).await?.iter().map(pair).collect()
    }

    /// End records of the newest exchanges.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn ends(&self, span: Span, most: i64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT r.body FROM exchanges e JOIN records r ON r.exchange = e.id \
             WHERE e.time >= $1 AND e.time < $2 AND e.rank = $3 AND r.event = 'portcullis.exchange.end' \
             AND LENGTH(r.body) <= $4 ORDER BY e.time DESC, e.id DESC LIMIT $5";
        let rows = sqlx::query(sql).bind(span.since).bind(span.until).bind(Rank::End as i64);
        let rows = rows.bind(LONGEST_BODY).bind(most).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The newest alarms: their records.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn alarms(&self, span: Span, most: i64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT body FROM (SELECT seq, event, time, body FROM records WHERE chain = \
             (SELECT c.id FROM chains c JOIN store s ON s.chain = c.chain WHERE s.one = 1) ORDER BY seq DESC LIMIT $1) AS own \
             WHERE event = $2 AND time >= $3 AND time < $4 ORDER BY seq DESC LIMIT $5";
        let rows = sqlx::query(sql).bind(OWN).bind(ALERT).bind(span.since).bind(span.until).bind(most);
        rows.fetch_all(&self.pool).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// What is not there now, whenever it was to come.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn missing(&self, most: i64) -> Result<Vec<Missing>, StoreError> {
        let sql = "SELECT c.chain, g.first, g.last, g.since, g.alerted FROM gaps g JOIN chains c ON c.id = g.chain \
             ORDER BY g.alerted DESC, g.since DESC LIMIT $1";
        let missing = |row: &AnyRow| {
            let alarmed = row.try_get::<i64, _>(4)? > 0;
            let (first, last, since) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            Ok(Missing { chain: row.try_get(0)?, first, last, since, alarmed })
        };
        sqlx::query(sql).bind(most).fetch_all(&self.pool).await?.iter().map(missing).collect()
    }

    /// Values of a kind that begin so.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn values(&self, kind: i64, prefix: &str, most: i64) -> Result<Vec<String>, StoreError> {
        // Only SQLite's order is that of the letters, whatever the database was told about languages.
        let sql = match self.kind {
            Kind::Sqlite => {
                "SELECT value FROM terms WHERE kind = $1 AND value >= $2 AND value < $2 || $4 ORDER BY value LIMIT $3"
            }
            Kind::Postgres => {
                "SELECT value FROM terms WHERE kind = $1 AND starts_with(value, $2) ORDER BY value LIMIT $3"
            }
        };
        let mut rows = sqlx::query(sql).bind(kind).bind(prefix.to_owned()).bind(most);
        if self.kind == Kind::Sqlite {
            rows = rows.bind("\u{10ffff}");
        }
        rows.fetch_all(&self.pool).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

fn pair(row: &AnyRow) -> Result<(String, i64), StoreError> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}
