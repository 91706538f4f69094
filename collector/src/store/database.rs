//! Which database, and how it is opened.

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyPool, Executor as _};

use super::StoreError;

/// How long a connection of the pool is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that read.
const READERS: u32 = 4;

/// What stands in a path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');

/// A database, not yet opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    /// Which kind.
    pub kind: Kind,
    url: String,
}

/// Kinds of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file, for one collector.
    Sqlite,
    /// A server, for any number.
    Postgres,
}

/// Never shows a password.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.kind).finish()
    }
}

impl FromStr for Database {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() || path.starts_with(":memory:") {
                return Err("names no file: records in memory are not kept");
            }
            let path = utf8_percent_encode(path, PATH);
            return Ok(Self { kind: Kind::Sqlite, url: format!("sqlite:{path}") });
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self { kind: Kind::Postgres, url: text.to_owned() });
        }
        Err("is `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`")
    }
}

/// What every connection to SQLite is told. `FULL` waits for the disk at each commit.
const WRITING: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";
const READING: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;";
const COPYING: &str = "PRAGMA busy_timeout = 10000; PRAGMA trusted_schema = OFF;";
const READING_ONLY: &str = "SET default_transaction_read_only = on; SET statement_timeout = '30s'";
/// A collector that stands still in the middle of a commit must not hold up the others.
const WRITING_IN_TIME: &str = "SET idle_in_transaction_session_timeout = '30s'; SET synchronous_commit = on";

impl Database {
    /// The connection that writes; it makes the file.
    ///
    /// # Errors
    /// There is no such database.
    pub async fn writing(&self) -> Result<AnyPool, StoreError> {
        let (mode, told) = match self.kind {
            Kind::Sqlite => ("?mode=rwc", WRITING),
            Kind::Postgres => ("", WRITING_IN_TIME),
        };
        self.pool(mode, told, 1).await
    }

    /// Connections that can only read.
    ///
    /// # Errors
    /// There is no such database.
    pub async fn reading(&self) -> Result<AnyPool, StoreError> {
        let (mode, told) = match self.kind {
            Kind::Sqlite => ("?mode=rw", READING),
            Kind::Postgres => ("", READING_ONLY),
        };
        self.pool(mode, told, READERS).await
    }

    /// A connection that copies: the file must be there.
    ///
    /// # Errors
    /// There is no such database.
    pub async fn copying(&self) -> Result<AnyPool, StoreError> {
        self.pool("?mode=rw", COPYING, 1).await
    }

    async fn pool(&self, mode: &str, told: &'static str, most: u32) -> Result<AnyPool, StoreError> {
        install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(most).acquire_timeout(PATIENCE).after_connect(
            move |connection, _| {
                Box::pin(async move { connection.execute(sqlx::raw_sql(told)).await.map(|_| ()) })
            },
        );
        options.connect(&format!("{}{mode}", self.url)).await.map_err(|error| self.unopened(error))
    }

    /// A file is named. An address may hold a password.
    fn unopened(&self, error: sqlx::Error) -> StoreError {
        match (self.kind, self.url.strip_prefix("sqlite:")) {
            (Kind::Sqlite, Some(path)) => {
                let file = percent_decode_str(path).decode_utf8_lossy().into_owned();
                StoreError::File { file, error }
            }
            _ => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_nothing_is_refused() {
        for text in ["", "sqlite:", "sqlite::memory:", "audit.db", "mysql://x"] {
            assert!(text.parse::<Database>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_a_path_whatever_stands_in_it() {
        let database: Database = "sqlite:/tmp/a b?mode=memory#x.db".parse().unwrap();
        assert_eq!(database.url, "sqlite:/tmp/a%20b%3Fmode%3Dmemory%23x.db");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_is_named() {
        let database: Database = "sqlite:/nonexistent/a b.db".parse().unwrap();
        let told = database.writing().await.unwrap_err().to_string();
        assert!(told.starts_with("the database file /nonexistent/a b.db cannot be opened: "), "{told}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let database: Database = "postgres://me:secret@localhost/audit".parse().unwrap();
        assert!(!format!("{database:?}").contains("secret"));
    }
}
