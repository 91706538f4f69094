//! Numbers of a chain that are not there. A record may come late, or be declared as lost by a later one, so a gap becomes
//! an alarm only after a time.

use sqlx::{AnyConnection, Row as _};

use super::StoreError;
use super::alert::Alert;

/// A gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    first: i64,
    last: i64,
    since: i64,
    alerted: i64,
}

/// Most gaps that one commit raises the alarm for.
const MOST: i64 = 100;

/// Notes a gap.
///
/// # Errors
/// The database cannot.
pub async fn open(
    connection: &mut AnyConnection,
    chain: i64,
    range: (i64, i64),
    now: i64,
) -> Result<(), StoreError> {
    let (first, last) = range;
    insert(connection, chain, Gap { first, last, since: now, alerted: 0 }).await
}

/// These numbers are there now, or declared as lost. Gives those that the alarm was raised for.
///
/// # Errors
/// The database cannot.
pub async fn close(
    connection: &mut AnyConnection,
    chain: i64,
    range: (i64, i64),
) -> Result<Vec<(i64, i64)>, StoreError> {
    let (first, last) = range;
    let sql = "SELECT first, last, since, alerted FROM gaps WHERE chain = $1 AND first <= $2 AND last >= $3";
    let overlapping = sqlx::query(sql).bind(chain).bind(last).bind(first).fetch_all(&mut *connection).await?;
    let mut alerted = Vec::new();
    for row in overlapping {
        let gap = Gap {
            first: row.try_get(0)?,
            last: row.try_get(1)?,
            since: row.try_get(2)?,
            alerted: row.try_get(3)?,
        };
        let delete = sqlx::query("DELETE FROM gaps WHERE chain = $1 AND first = $2");
        delete.bind(chain).bind(gap.first).execute(&mut *connection).await?;
        let left =
            [Gap { last: first.saturating_sub(1), ..gap }, Gap { first: last.saturating_add(1), ..gap }];
        for gap in left.into_iter().filter(|gap| gap.first <= gap.last) {
            insert(connection, chain, gap).await?;
        }
        if gap.alerted > 0 {
            alerted.push((gap.first.max(first), gap.last.min(last)));
        }
    }
    Ok(alerted)
}

/// Those that were waited for long enough: each once.
///
/// # Errors
/// The database cannot.
pub async fn due(connection: &mut AnyConnection, before: i64) -> Result<Vec<Alert>, StoreError> {
    let sql = "SELECT g.chain, g.first, g.last, c.chain FROM gaps g JOIN chains c ON c.id = g.chain \
         WHERE g.alerted = 0 AND g.since <= $1 ORDER BY g.since LIMIT $2";
    let rows = sqlx::query(sql).bind(before).bind(MOST).fetch_all(&mut *connection).await?;
    let mut alerts = Vec::new();
    for row in rows {
        let (chain, first, last): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let name: String = row.try_get(3)?;
        let mark = sqlx::query("UPDATE gaps SET alerted = 1 WHERE chain = $1 AND first = $2");
        mark.bind(chain).bind(first).execute(&mut *connection).await?;
        alerts.push(Alert::range("missing", &name, first, last));
    }
    Ok(alerts)
}

async fn insert(connection: &mut AnyConnection, chain: i64, gap: Gap) -> Result<(), StoreError> {
    let sql = "INSERT INTO gaps (chain, first, last, since, alerted) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (chain, first) DO NOTHING";
    let insert = sqlx::query(sql).bind(chain).bind(gap.first).bind(gap.last).bind(gap.since);
    insert.bind(gap.alerted).execute(connection).await?;
    Ok(())
}
