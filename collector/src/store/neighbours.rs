//! What stands around a run of new records of one chain.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::StoreError;

/// A record that is there already.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// Its number.
    pub seq: i64,
    /// sha256 of its body.
    pub hash: Vec<u8>,
    /// The body.
    pub body: String,
}

/// Around the run, and in its place.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// The records of the highest number before; several where there are several bodies under it.
    pub before: Vec<Neighbour>,
    /// Under numbers of the run.
    pub within: Vec<Neighbour>,
    /// The record of the lowest number behind.
    pub after: Option<Neighbour>,
}

impl Neighbours {
    /// Records that stand before the run too, all under one number.
    pub fn behind(&mut self, staged: Vec<Neighbour>) {
        let number = |records: &[Neighbour]| records.first().map(|record| record.seq);
        if number(&staged) > number(&self.before) {
            self.before = staged;
        } else if number(&staged) == number(&self.before) {
            self.before.extend(staged);
        }
    }
}

/// More bodies than this under one number show nothing more.
const MOST: i64 = 8;

/// Reads them. `first` and `last` are numbers of the chain.
///
/// # Errors
/// The database cannot.
pub async fn read(
    connection: &mut AnyConnection,
    chain: i64,
    first: i64,
    last: i64,
) -> Result<Neighbours, StoreError> {
    let behind = sqlx::query("SELECT MAX(seq) FROM records WHERE chain = $1").bind(chain);
    let highest: Option<i64> = behind.fetch_one(&mut *connection).await?.try_get(0)?;
    let Some(highest) = highest else { return Ok(Neighbours::default()) };
    let mut found = Neighbours::default();
    let sql = "SELECT seq, hash, body FROM records WHERE chain = $1 AND seq = \
         (SELECT MAX(seq) FROM records WHERE chain = $2 AND seq < $3) ORDER BY id LIMIT $4";
    let before = sqlx::query(sql).bind(chain).bind(chain).bind(first).bind(MOST);
    found.before = neighbours(before.fetch_all(&mut *connection).await?)?;
    if highest < first {
        return Ok(found);
    }
    let most = last.saturating_sub(first).saturating_add(1).saturating_mul(MOST);
    let sql = "SELECT seq, hash, body FROM records WHERE chain = $1 AND seq >= $2 AND seq <= $3 \
         ORDER BY seq, id LIMIT $4";
    let within = sqlx::query(sql).bind(chain).bind(first).bind(last).bind(most);
    found.within = neighbours(within.fetch_all(&mut *connection).await?)?;
    let sql = "SELECT seq, hash, body FROM records WHERE chain = $1 AND seq > $2 ORDER BY seq, id LIMIT 1";
    let after = sqlx::query(sql).bind(chain).bind(last);
    found.after = neighbours(after.fetch_all(connection).await?)?.pop();
    Ok(found)
}

fn neighbours(rows: Vec<AnyRow>) -> Result<Vec<Neighbour>, StoreError> {
    let one = |row: AnyRow| -> Result<Neighbour, StoreError> {
        Ok(Neighbour { seq: row.try_get(0)?, hash: row.try_get(1)?, body: row.try_get(2)? })
    };
    rows.into_iter().map(one).collect()
}
