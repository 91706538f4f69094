//! Records out.

use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::StoreError;
use super::database::{Database, Kind};

/// Reads records.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) kind: Kind,
    pub(super) pool: AnyPool,
}

/// A record as it is kept.
#[derive(Debug)]
pub struct Kept {
    /// Number of its arrival.
    pub id: i64,
    /// The hash that it came with, or that its body had when it came.
    pub hash: String,
    /// The record.
    pub body: String,
}

impl Reader {
    /// Opens a database that has its tables.
    ///
    /// # Errors
    /// It cannot be used.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self { kind: database.kind, pool: database.reading().await? })
    }

    /// The number of the last record that arrived.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn last(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT last FROM store WHERE one = 1").fetch_optional(&self.pool).await?;
        Ok(row.ok_or(StoreError::Unfit)?.try_get(0)?)
    }

    /// The next records behind one, in the order of their arrival, up to another one.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn records(&self, after: i64, until: i64, most: i64) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT id, hash, said, body FROM records WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";
        let rows = sqlx::query(sql).bind(after).bind(until).bind(most).fetch_all(&self.pool).await?;
        rows.into_iter().map(|row| kept(&row)).collect()
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

pub(super) fn kept(row: &AnyRow) -> Result<Kept, StoreError> {
    let (hash, said): (Vec<u8>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
    let hash = said.unwrap_or_else(|| portcullis::audit::trace::to_hex(&hash));
    Ok(Kept { id: row.try_get(0)?, hash, body: row.try_get(3)? })
}
