//! What is to go next: how much there is, and which chains the oldest records are of. It is only looked at here, on the
//! connections that read; what really goes is decided in the commit that removes it.

use std::collections::BTreeSet;

use sqlx::Row as _;

use super::StoreError;
use super::database::Kind;
use super::read::{Kept, Reader, kept};

/// Records that are looked at together.
const MOST: i64 = 1000;

/// Chains that some of the oldest records are of.
#[derive(Debug, PartialEq, Eq)]
pub struct Oldest {
    /// Their short numbers.
    pub chains: Vec<i64>,
    /// The number of arrival of the last record that was looked at.
    pub seen: i64,
}

impl Reader {
    /// How many bytes there are: of SQLite the pages that hold something, as it says itself; of PostgreSQL, whose files do
    /// not shrink, the bodies.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn content(&self) -> Result<i64, StoreError> {
        let sql = match self.kind {
            Kind::Sqlite => {
                "SELECT (p.page_count - f.freelist_count) * s.page_size \
                 FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s"
            }
            Kind::Postgres => "SELECT bytes FROM store WHERE one = 1",
        };
        let row = sqlx::query(sql).fetch_optional(&self.pool).await?;
        Ok(row.ok_or(StoreError::Unfit)?.try_get(0)?)
    }

    /// The number of arrival of the first record that is there.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn first(&self) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query("SELECT MIN(id) FROM records").fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// The number of arrival of the last record that arrived before a time; of several collectors, as their clocks are.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn arrived_before(&self, time: i64) -> Result<i64, StoreError> {
        let Some(first) = self.first().await? else { return Ok(0) };
        // What is old is at or before `old`, what is young is behind `young`.
        let (mut old, mut young) = (first.saturating_sub(1), self.last().await?);
        while old < young {
            let middle = old.saturating_add(young.saturating_sub(old).saturating_add(1) / 2);
            let sql = "SELECT arrived FROM records WHERE id <= $1 ORDER BY id DESC LIMIT 1";
            let row = sqlx::query(sql).bind(middle).fetch_optional(&self.pool).await?;
            let arrived: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
            match arrived {
                Some(arrived) if arrived >= time => young = middle.saturating_sub(1),
                _ => old = middle,
            }
        }
        Ok(old)
    }

    /// The chains of the next records behind one, up to another one; `None`: there are no more.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn oldest(&self, after: i64, until: i64) -> Result<Option<Oldest>, StoreError> {
        let sql = "SELECT id, chain FROM records WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";
        let rows = sqlx::query(sql).bind(after).bind(until).bind(MOST).fetch_all(&self.pool).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let seen = last.try_get(0)?;
        let chains: BTreeSet<i64> = rows.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
        Ok(Some(Oldest { chains: chains.into_iter().collect(), seen }))
    }

    /// The next records of the store's own chain that arrived behind one.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn own(&self, after: i64, most: i64) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT id, hash, said, body FROM records WHERE id > $1 AND chain = \
             (SELECT c.id FROM chains c JOIN store s ON s.chain = c.chain WHERE s.one = 1) ORDER BY id LIMIT $2";
        let rows = sqlx::query(sql).bind(after).bind(most).fetch_all(&self.pool).await?;
        rows.iter().map(kept).collect()
    }

    /// Whether anything was removed since the record of this number arrived.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn removed_since(&self, after: i64) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM records WHERE id > $1 AND event = $2 LIMIT 1";
        let event = portcullis::audit::verify::RETENTION;
        Ok(sqlx::query(sql).bind(after).bind(event).fetch_optional(&self.pool).await?.is_some())
    }
}
