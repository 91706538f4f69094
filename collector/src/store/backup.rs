//! A copy of the database while it is written, and whether the copy is whole.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::{AnyPool, Row as _};

use super::StoreError;
use super::database::{Database, Kind};
use crate::entry::digest;

/// Records that are looked at together.
const PAGE: i64 = 500;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Records.
    pub records: i64,
    /// The number of the last one's arrival.
    pub last: i64,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is a server's.
    #[error("a PostgreSQL database is backed up by its own tools: pg_dump, or a base backup with its log")]
    Server,
    /// The file is there, or cannot be made.
    #[error("cannot make {0}: {1}; name a file that is not there")]
    File(PathBuf, std::io::Error),
    /// The name is no text.
    #[error("{0} is no name that the database takes: it has to be UTF-8")]
    Name(PathBuf),
    /// The database does not do it.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What was copied is damaged.
    #[error("the copy does not hold: {0}. It is left where it is, to be looked at")]
    Damaged(String),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Database {
    /// Copies it into a file of its own, and reads the copy from its beginning to its end: every body against its hash.
    ///
    /// # Errors
    /// There is no copy, or it does not hold.
    pub async fn back_up(&self, to: &Path) -> Result<Copied, BackupError> {
        if self.kind != Kind::Sqlite {
            return Err(BackupError::Server);
        }
        let name = to.to_str().ok_or_else(|| BackupError::Name(to.to_owned()))?;
        let made = |error| BackupError::File(to.to_owned(), error);
        // It holds prompts: for nobody but who makes it.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(made)?;
        if let Err(error) = self.copy(name).await {
            let _ = std::fs::remove_file(to);
            return Err(error);
        }
        file.sync_all().map_err(made)?;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(made)?;
        let copy: Self = format!("sqlite:{name}").parse().map_err(|_| BackupError::Name(to.to_owned()))?;
        let pool = copy.reading().await?;
        let verified = verify(&pool).await;
        pool.close().await;
        verified
    }

    async fn copy(&self, to: &str) -> Result<(), BackupError> {
        let pool = self.copying().await?;
        let done = sqlx::query("VACUUM INTO $1").bind(to.to_owned()).execute(&pool).await;
        pool.close().await;
        done?;
        Ok(())
    }
}

async fn verify(pool: &AnyPool) -> Result<Copied, BackupError> {
    let sound: String = sqlx::query("PRAGMA integrity_check(1)").fetch_one(pool).await?.try_get(0)?;
    if sound != "ok" {
        return Err(BackupError::Damaged(sound));
    }
    let store = sqlx::query("SELECT last FROM store WHERE one = 1").fetch_optional(pool).await?;
    let last: i64 = store.ok_or(StoreError::Unfit)?.try_get(0)?;
    let mut copied = Copied { records: 0, last };
    let mut after = 0_i64;
    loop {
        let sql = "SELECT id, hash, body FROM records WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = sqlx::query(sql).bind(after).bind(PAGE).fetch_all(pool).await?;
        if rows.is_empty() {
            return Ok(copied);
        }
        for row in rows {
            let (id, hash, body): (i64, Vec<u8>, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if digest(&body) != hash {
                return Err(BackupError::Damaged(format!("record {id} is not the one that was kept")));
            }
            after = id;
            copied.records = copied.records.saturating_add(1);
        }
    }
}
