//! The database: one schema on SQLite and on PostgreSQL.
//!
//! | file | idea |
//! |---|---|
//! | [`database`] | which one, and how it is opened |
//! | [`schema`] | its tables |
//! | [`append`] | records in, one transaction a commit |
//! | [`neighbours`] | what stands around new records of a chain |
//! | [`check`] | what new records show about their chain |
//! | [`gaps`] | numbers that are not there |
//! | [`alert`] | the collector's own records |
//! | [`approvals`] | approvals: state, with a record of every change |
//! | [`removal`] | records out for good, once their time is over |
//! | [`cut`] | how much of a chain may go |
//! | [`removed`] | what went, and the records that say so |
//! | [`oldest`] | what is to go next |
//! | [`backup`] | a copy of it all, and whether it is whole |
//! | [`index`] | what exchanges are searched by, in |
//! | [`read`] | records out |
//! | [`search`] | exchanges out |
//! | [`spoken`] | by words that very many of them hold |
//! | [`overview`] | numbers about them |
//! | [`values`] | rows of placeholders |
//!
//! What always holds: every value is bound, and no text from outside is a piece of SQL; one commit at a time, whatever
//! the number of collectors, for each locks the one row of `store`; records are never changed, none goes before it is said
//! which, and an approval that is over stays so, which the database itself refuses to break.

mod alert;
mod append;
mod approvals;
mod backup;
mod check;
mod cut;
mod database;
mod gaps;
mod index;
mod neighbours;
mod oldest;
mod overview;
mod read;
mod removal;
mod removed;
mod schema;
mod search;
mod spoken;
mod values;

pub use alert::Note;
pub use append::Appender;
pub use approvals::{Deed, Done, News, Page, Room};
pub use backup::BackupError;
pub use database::Database;
pub use overview::{Decided, Missing, Span};
pub use read::{Kept, Reader};
pub use removal::{Gone, Old};
pub use removed::Why;
pub use search::{Found, Place, Search};

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It said so, or cannot be reached.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its file cannot be opened.
    #[error(
        "the database file {file} cannot be opened: {error}; its directory must be there, and may be written to"
    )]
    File {
        /// As it was given.
        file: String,
        /// Why.
        error: sqlx::Error,
    },
    /// There is no chance to be had for the id of a chain.
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// Its tables are of another release.
    #[error("the database has tables of version {0}, this release knows version {known}: use the release that made them", known = schema::VERSION)]
    Version(i64),
    /// Its tables do not hold what they must.
    #[error("the database holds no row in table `store`: it was changed by other hands; restore a backup")]
    Unfit,
    /// A row of `approvals` cannot be read.
    #[error(
        "the database holds an approval that cannot be read: it was changed by other hands; restore a backup"
    )]
    Approval,
}

impl StoreError {
    /// Whether it is about what was written, so that something else may well be written.
    pub fn is_of_content(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(_)))
    }
}

/// Nanoseconds since 1970.
pub fn now() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
