//! What was removed of chains because its time was over, and the records that say so.
//!
//! A row is cumulative: of a chain, every number up to a last one, and the hash of that one. The row stays when the whole
//! chain is gone, so that what comes late is known. What a record says of it must be there as long as a record of its
//! chain is, so it is said anew before the record that said it goes.

use portcullis::audit::trace::to_hex;
use portcullis::audit::verify::{RETENTION, Removal};
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::StoreError;
use super::alert::Note;

/// Chains that one record tells of.
const MOST: usize = 256;

/// Why records are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They are older than they are to be kept.
    Age,
    /// There is more than there is room for.
    Size,
}

impl Why {
    /// As records and rows say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Size => "size",
        }
    }
}

/// A row: everything of a chain up to a number.
#[derive(Debug, Clone)]
pub struct Removed {
    /// Short number of the chain.
    pub chain: i64,
    /// Its id.
    pub name: String,
    /// The highest number.
    pub last: i64,
    /// sha256 of the record that had it.
    pub hash: Vec<u8>,
    /// How many records there were.
    pub records: i64,
    /// Why the last of them went.
    pub why: String,
}

impl Removed {
    /// As the verifier knows it.
    pub fn removal(&self) -> Removal {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Removal {
            last: number(self.last),
            hash: to_hex(&self.hash),
            records: number(self.records),
            why: self.why.clone(),
        }
    }
}

/// Of a chain.
///
/// # Errors
/// The database cannot.
pub async fn of(connection: &mut AnyConnection, chain: i64) -> Result<Option<Removed>, StoreError> {
    let sql = "SELECT d.chain, c.chain, d.last, d.hash, d.records, d.why FROM removed d \
         JOIN chains c ON c.id = d.chain WHERE d.chain = $1";
    let row = sqlx::query(sql).bind(chain).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Of a chain of which nothing was removed yet.
///
/// # Errors
/// The database cannot.
pub async fn none(connection: &mut AnyConnection, chain: i64) -> Result<Removed, StoreError> {
    let name = sqlx::query("SELECT chain FROM chains WHERE id = $1").bind(chain);
    let name = name.fetch_one(connection).await?.try_get(0)?;
    Ok(Removed { chain, name, last: 0, hash: Vec::new(), records: 0, why: String::new() })
}

/// Those that no record would tell of any more were the store's `own` chain removed up to `last`, though there are records
/// of theirs. `but`: chains that are told of anyway.
///
/// # Errors
/// The database cannot.
pub async fn told_until(
    connection: &mut AnyConnection,
    last: i64,
    but: &[Removed],
) -> Result<Vec<Removed>, StoreError> {
    let sql = "SELECT d.chain, c.chain, d.last, d.hash, d.records, d.why FROM removed d \
         JOIN chains c ON c.id = d.chain WHERE d.said <= $1 \
         AND EXISTS (SELECT 1 FROM records r WHERE r.chain = d.chain) ORDER BY d.chain";
    let rows = sqlx::query(sql).bind(last).fetch_all(connection).await?;
    let mut all: Vec<Removed> = rows.iter().map(read).collect::<Result<_, _>>()?;
    all.retain(|one| but.iter().all(|other| other.chain != one.chain));
    Ok(all)
}

/// Writes a row; the record number `said` of the store's own chain, or one behind it, tells of it.
///
/// # Errors
/// The database cannot.
pub async fn write(connection: &mut AnyConnection, row: &Removed, said: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO removed (chain, last, hash, records, why, said) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (chain) DO UPDATE SET last = excluded.last, hash = excluded.hash, records = excluded.records, \
         why = excluded.why, said = excluded.said";
    let write = sqlx::query(sql).bind(row.chain).bind(row.last).bind(row.hash.clone());
    let write = write.bind(row.records).bind(row.why.clone()).bind(said);
    write.execute(connection).await?;
    Ok(())
}

/// Records that tell of them; `records`: how many go with it.
pub fn notes(of: &[Removed], records: i64) -> Vec<Note> {
    let of_some = |(at, some): (usize, &[Removed])| {
        let mut members = Map::new();
        members.insert("portcullis.retention.chains".to_owned(), some.iter().map(said).collect());
        // Counted once.
        let records = if at == 0 { records } else { 0 };
        members.insert("portcullis.retention.records".to_owned(), json!(records));
        Note { event: RETENTION, members }
    };
    of.chunks(MOST).enumerate().map(of_some).collect()
}

fn said(row: &Removed) -> Value {
    json!({ "chain": row.name, "first": 1, "last": row.last, "hash": to_hex(&row.hash), "records": row.records,
        "why": row.why })
}

fn read(row: &AnyRow) -> Result<Removed, StoreError> {
    Ok(Removed {
        chain: row.try_get(0)?,
        name: row.try_get(1)?,
        last: row.try_get(2)?,
        hash: row.try_get(3)?,
        records: row.try_get(4)?,
        why: row.try_get(5)?,
    })
}
