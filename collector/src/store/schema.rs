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

use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::StoreError;
use super::database::Kind;

/// Of these tables.
pub const VERSION: i64 = 2;

/// In the order in which they refer to each other.
const TABLES: &str = include_str!("schema/tables.sql");

/// How a database says what the tables leave open.
struct Dialect {
    /// A number that is a row's key; of SQLite the row's own.
    key: &'static str,
    bytes: &'static str,
    /// Of a table that is nothing but its key.
    rowless: &'static str,
    /// What it has besides, once the tables are there.
    own: &'static str,
}

const SQLITE: Dialect = Dialect {
    key: "INTEGER PRIMARY KEY",
    bytes: "BLOB",
    rowless: " WITHOUT ROWID",
    own: include_str!("schema/sqlite.sql"),
};

const POSTGRES: Dialect = Dialect {
    key: "BIGINT PRIMARY KEY",
    bytes: "BYTEA",
    rowless: "",
    own: include_str!("schema/postgres.sql"),
};

impl Dialect {
    fn tables(&self) -> String {
        let tables = TABLES.replace("$KEY", self.key).replace("$BYTES", self.bytes);
        tables.replace("$ROWLESS", self.rowless) + self.own
    }
}

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
    let dialect = match kind {
        Kind::Sqlite => SQLITE,
        Kind::Postgres => {
            transaction.execute(sqlx::raw_sql(LOCK)).await?;
            POSTGRES
        }
    };
    // Of constants alone.
    transaction.execute(sqlx::raw_sql(AssertSqlSafe(dialect.tables()))).await?;
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
