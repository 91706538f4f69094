//! The tables.
//!
//! | table | a row is |
//! |---|---|
//! | `store` | the store itself; the one row that every commit locks |
//! | `chains` | a chain, under a short number |
//! | `records` | a record, under the number of its arrival. Never updated. Two bodies under one number of a chain are both kept: at least one is forged, and both are evidence |
//! | `gaps` | numbers of a chain that are not there, and since when that is known |

use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _, Row as _};

use super::StoreError;
use super::database::Kind;

/// Of these tables.
pub const VERSION: i64 = 1;

const SQLITE: &str = "
CREATE TABLE IF NOT EXISTS store (
  one INTEGER PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL, chain TEXT NOT NULL, last BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS chains (id INTEGER PRIMARY KEY, chain TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, chain BIGINT NOT NULL REFERENCES chains (id), seq BIGINT NOT NULL, hash BLOB NOT NULL,
  said TEXT, time BIGINT NOT NULL, arrived BIGINT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (chain, seq, hash));
CREATE TABLE IF NOT EXISTS gaps (
  chain BIGINT NOT NULL REFERENCES chains (id), first BIGINT NOT NULL, last BIGINT NOT NULL, since BIGINT NOT NULL,
  alerted BIGINT NOT NULL, PRIMARY KEY (chain, first));
CREATE TRIGGER IF NOT EXISTS records_stay BEFORE UPDATE ON records
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
";

const POSTGRES: &str = "
CREATE TABLE IF NOT EXISTS store (
  one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL, chain TEXT NOT NULL, last BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS chains (id BIGINT PRIMARY KEY, chain TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
  id BIGINT PRIMARY KEY, chain BIGINT NOT NULL REFERENCES chains (id), seq BIGINT NOT NULL, hash BYTEA NOT NULL,
  said TEXT, time BIGINT NOT NULL, arrived BIGINT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (chain, seq, hash));
CREATE TABLE IF NOT EXISTS gaps (
  chain BIGINT NOT NULL REFERENCES chains (id), first BIGINT NOT NULL, last BIGINT NOT NULL, since BIGINT NOT NULL,
  alerted BIGINT NOT NULL, PRIMARY KEY (chain, first));
CREATE OR REPLACE FUNCTION records_stay() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'records are never changed'; END $$;
CREATE OR REPLACE TRIGGER records_stay BEFORE UPDATE ON records FOR EACH ROW EXECUTE FUNCTION records_stay();
";

/// Several collectors may start on one database at once. Any number that nobody else locks.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7021885420155461)";

/// Makes what is not there. Gives the id of the chain that the collector itself writes.
///
/// # Errors
/// The database does not allow it, or has tables of another release.
pub async fn prepare(pool: &AnyPool, kind: Kind) -> Result<String, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut transaction = match kind {
        Kind::Sqlite => connection.begin_with("BEGIN IMMEDIATE").await?,
        Kind::Postgres => connection.begin().await?,
    };
    let tables = match kind {
        Kind::Sqlite => SQLITE,
        Kind::Postgres => {
            transaction.execute(sqlx::raw_sql(LOCK)).await?;
            POSTGRES
        }
    };
    transaction.execute(sqlx::raw_sql(tables)).await?;
    let chain = own_chain(&mut transaction).await?;
    transaction.commit().await?;
    Ok(chain)
}

async fn own_chain(connection: &mut AnyConnection) -> Result<String, StoreError> {
    let mut new = [0; 16];
    getrandom::fill(&mut new)?;
    sqlx::query(
        "INSERT INTO store (one, version, chain, last) VALUES (1, $1, $2, 0) ON CONFLICT (one) DO NOTHING",
    )
    .bind(VERSION)
    .bind(portcullis::audit::trace::to_hex(&new))
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT version, chain FROM store WHERE one = 1").fetch_one(connection).await?;
    match row.try_get(0)? {
        VERSION => Ok(row.try_get(1)?),
        other => Err(StoreError::Version(other)),
    }
}
