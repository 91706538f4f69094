//! The tables.
//!
//! | table | a row is |
//! |---|---|
//! | `store` | the store itself; the one row that every commit locks |
//! | `chains` | a chain, under a short number |
//! | `records` | a record, under the number of its arrival. Never updated. Two bodies under one number of a chain are both kept: at least one is forged, and both are evidence |
//! | `exchanges` | an exchange, under the number of its arrival, as the record that tells most of it says |
//! | `terms` | a value that is searched for, under a short number |
//! | `marks` | an exchange that has a value; in the order of time |
//! | `texts` | what was said, word by word; the words' places alone |
//! | `approvals` | an approval, under the number of the record that says it was opened. `standing` is its binding while it answers for its call |
//! | `removed` | what of a chain was removed in time: everything up to a number. It stays when the chain is gone |
//! | `gaps` | numbers of a chain that are not there, and since when that is known |

use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _, Row as _};

use super::StoreError;
use super::database::Kind;

/// Of these tables.
pub const VERSION: i64 = 2;

const SQLITE: &str = "
CREATE TABLE IF NOT EXISTS store (
  one INTEGER PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL, chain TEXT NOT NULL, last BIGINT NOT NULL,
  exchanges BIGINT NOT NULL, bytes BIGINT NOT NULL DEFAULT 0, forgotten BIGINT NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS chains (id INTEGER PRIMARY KEY, chain TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, chain BIGINT NOT NULL REFERENCES chains (id), seq BIGINT NOT NULL, hash BLOB NOT NULL,
  said TEXT, time BIGINT NOT NULL, arrived BIGINT NOT NULL, event TEXT NOT NULL, exchange BIGINT,
  body TEXT NOT NULL, UNIQUE (chain, seq, hash));
CREATE INDEX IF NOT EXISTS records_exchange ON records (exchange) WHERE exchange IS NOT NULL;
CREATE TABLE IF NOT EXISTS gaps (
  chain BIGINT NOT NULL REFERENCES chains (id), first BIGINT NOT NULL, last BIGINT NOT NULL, since BIGINT NOT NULL,
  alerted BIGINT NOT NULL, PRIMARY KEY (chain, first));
CREATE TABLE IF NOT EXISTS removed (
  chain INTEGER PRIMARY KEY REFERENCES chains (id), last BIGINT NOT NULL, hash BLOB NOT NULL, records BIGINT NOT NULL,
  why TEXT NOT NULL, said BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (
  id INTEGER PRIMARY KEY, chain BIGINT NOT NULL REFERENCES chains (id), exchange TEXT NOT NULL, time BIGINT NOT NULL,
  rank BIGINT NOT NULL, user_id TEXT, connection TEXT, policy TEXT, revision TEXT, decision TEXT, reason TEXT, rule TEXT,
  model TEXT, outcome TEXT, UNIQUE (exchange, chain));
CREATE INDEX IF NOT EXISTS exchanges_time ON exchanges (time, id);
CREATE TABLE IF NOT EXISTS terms (
  id INTEGER PRIMARY KEY, kind BIGINT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE IF NOT EXISTS marks (
  term BIGINT NOT NULL, time BIGINT NOT NULL, exchange BIGINT NOT NULL, PRIMARY KEY (term, time, exchange)) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (text, content = '', contentless_delete = 1);
CREATE TRIGGER IF NOT EXISTS records_stay BEFORE UPDATE ON records
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER IF NOT EXISTS records_go BEFORE DELETE ON records
  WHEN OLD.seq > COALESCE((SELECT last FROM removed WHERE chain = OLD.chain), 0)
  BEGIN SELECT RAISE(ABORT, 'records are removed by retention alone'); END;
CREATE TABLE IF NOT EXISTS approvals (
  number INTEGER PRIMARY KEY, changed BIGINT NOT NULL, id TEXT NOT NULL UNIQUE, binding TEXT NOT NULL, standing TEXT UNIQUE,
  caller TEXT NOT NULL, opened BIGINT NOT NULL, expires BIGINT NOT NULL, state TEXT NOT NULL, exchange TEXT,
  votes TEXT NOT NULL, asked TEXT NOT NULL,
  CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'spent')),
  CHECK ((state = 'spent') = (exchange IS NOT NULL)));
CREATE INDEX IF NOT EXISTS approvals_changed ON approvals (changed);
CREATE INDEX IF NOT EXISTS approvals_state ON approvals (state, number);
CREATE INDEX IF NOT EXISTS approvals_expires ON approvals (expires);
CREATE INDEX IF NOT EXISTS approvals_open ON approvals (expires) WHERE state IN ('pending', 'approved');
CREATE INDEX IF NOT EXISTS approvals_caller ON approvals (caller) WHERE state IN ('pending', 'approved');
CREATE TRIGGER IF NOT EXISTS approvals_end BEFORE UPDATE ON approvals
  WHEN OLD.state IN ('denied', 'expired', 'spent') AND (NEW.state <> OLD.state OR NEW.exchange IS NOT OLD.exchange)
  BEGIN SELECT RAISE(ABORT, 'an approval that is over stays so'); END;
";

const POSTGRES: &str = "
CREATE TABLE IF NOT EXISTS store (
  one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL, chain TEXT NOT NULL, last BIGINT NOT NULL,
  exchanges BIGINT NOT NULL, bytes BIGINT NOT NULL DEFAULT 0, forgotten BIGINT NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS chains (id BIGINT PRIMARY KEY, chain TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
  id BIGINT PRIMARY KEY, chain BIGINT NOT NULL REFERENCES chains (id), seq BIGINT NOT NULL, hash BYTEA NOT NULL,
  said TEXT, time BIGINT NOT NULL, arrived BIGINT NOT NULL, event TEXT NOT NULL, exchange BIGINT,
  body TEXT NOT NULL, UNIQUE (chain, seq, hash));
CREATE INDEX IF NOT EXISTS records_exchange ON records (exchange) WHERE exchange IS NOT NULL;
CREATE TABLE IF NOT EXISTS gaps (
  chain BIGINT NOT NULL REFERENCES chains (id), first BIGINT NOT NULL, last BIGINT NOT NULL, since BIGINT NOT NULL,
  alerted BIGINT NOT NULL, PRIMARY KEY (chain, first));
CREATE TABLE IF NOT EXISTS removed (
  chain BIGINT PRIMARY KEY REFERENCES chains (id), last BIGINT NOT NULL, hash BYTEA NOT NULL, records BIGINT NOT NULL,
  why TEXT NOT NULL, said BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (
  id BIGINT PRIMARY KEY, chain BIGINT NOT NULL REFERENCES chains (id), exchange TEXT NOT NULL, time BIGINT NOT NULL,
  rank BIGINT NOT NULL, user_id TEXT, connection TEXT, policy TEXT, revision TEXT, decision TEXT, reason TEXT, rule TEXT,
  model TEXT, outcome TEXT, UNIQUE (exchange, chain));
CREATE INDEX IF NOT EXISTS exchanges_time ON exchanges (time, id);
CREATE TABLE IF NOT EXISTS terms (
  id BIGINT PRIMARY KEY, kind BIGINT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE IF NOT EXISTS marks (
  term BIGINT NOT NULL, time BIGINT NOT NULL, exchange BIGINT NOT NULL, PRIMARY KEY (term, time, exchange));
CREATE TABLE IF NOT EXISTS texts (record BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
CREATE INDEX IF NOT EXISTS texts_words ON texts USING gin (words);
CREATE OR REPLACE FUNCTION records_stay() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'records are never changed'; END $$;
CREATE OR REPLACE TRIGGER records_stay BEFORE UPDATE ON records FOR EACH ROW EXECUTE FUNCTION records_stay();
CREATE OR REPLACE TRIGGER records_remain BEFORE TRUNCATE ON records FOR EACH STATEMENT EXECUTE FUNCTION records_stay();
CREATE OR REPLACE FUNCTION records_go() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN
    IF OLD.seq > COALESCE((SELECT last FROM removed WHERE chain = OLD.chain), 0) THEN
      RAISE EXCEPTION 'records are removed by retention alone';
    END IF;
    RETURN OLD;
  END $$;
CREATE OR REPLACE TRIGGER records_go BEFORE DELETE ON records FOR EACH ROW EXECUTE FUNCTION records_go();
CREATE TABLE IF NOT EXISTS approvals (
  number BIGINT PRIMARY KEY, changed BIGINT NOT NULL, id TEXT NOT NULL UNIQUE, binding TEXT NOT NULL, standing TEXT UNIQUE,
  caller TEXT NOT NULL, opened BIGINT NOT NULL, expires BIGINT NOT NULL, state TEXT NOT NULL, exchange TEXT,
  votes TEXT NOT NULL, asked TEXT NOT NULL,
  CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'spent')),
  CHECK ((state = 'spent') = (exchange IS NOT NULL)));
CREATE INDEX IF NOT EXISTS approvals_changed ON approvals (changed);
CREATE INDEX IF NOT EXISTS approvals_state ON approvals (state, number);
CREATE INDEX IF NOT EXISTS approvals_expires ON approvals (expires);
CREATE INDEX IF NOT EXISTS approvals_open ON approvals (expires) WHERE state IN ('pending', 'approved');
CREATE INDEX IF NOT EXISTS approvals_caller ON approvals (caller) WHERE state IN ('pending', 'approved');
CREATE OR REPLACE FUNCTION approvals_end() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'an approval that is over stays so'; END $$;
CREATE OR REPLACE TRIGGER approvals_end BEFORE UPDATE ON approvals FOR EACH ROW
  WHEN (OLD.state IN ('denied', 'expired', 'spent')
    AND (NEW.state <> OLD.state OR NEW.exchange IS DISTINCT FROM OLD.exchange))
  EXECUTE FUNCTION approvals_end();
";

/// From version 1, which had no retention.
const SECOND: &str = "
ALTER TABLE store ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0;
UPDATE store SET version = 2, bytes = (SELECT COALESCE(SUM(octet_length(body)), 0) FROM records);
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
    let version =
        sqlx::query("SELECT version FROM store WHERE one = 1").fetch_optional(&mut *transaction).await?;
    if version.map(|row| row.try_get::<i64, _>(0)).transpose()? == Some(1) {
        transaction.execute(sqlx::raw_sql(SECOND)).await?;
    }
    let chain = own_chain(&mut transaction).await?;
    transaction.commit().await?;
    Ok(chain)
}

async fn own_chain(connection: &mut AnyConnection) -> Result<String, StoreError> {
    let mut new = [0; 16];
    getrandom::fill(&mut new)?;
    sqlx::query(
        "INSERT INTO store (one, version, chain, last, exchanges) VALUES (1, $1, $2, 0, 0) ON CONFLICT (one) DO NOTHING",
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
