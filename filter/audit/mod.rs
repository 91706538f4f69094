//! Records of what happened, the chain that binds them, and their way to a collector.
//!
//! The module does no input or output and reads no clock: the caller hands in times (nanoseconds since 1970) and
//! answers, and takes batches out. It knows neither the proxy nor the exchange.
//!
//! | file | idea |
//! |---|---|
//! | [`value`] | what a field may hold: text of bounded length, numbers that JSON keeps exact |
//! | [`record`] | the records themselves, one declaration a field |
//! | [`captured`] | what is kept of prompt and answer, in pieces |
//! | [`names`] | the names of all fields, in their order |
//! | [`fields`] | the body, written from those declarations |
//! | [`canonical`] | canonical JSON (RFC 8785), piece by piece |
//! | [`otlp`] | the same fields as an OpenTelemetry log record, and the envelope of a batch |
//! | [`trace`] | `traceparent` |
//! | [`chain`] | each record names the hash of the one before |
//! | [`succession`] | which chain goes on from one that ended |
//! | [`signature`] | anchors that are signed |
//! | [`seal`] | texts that auditors alone can read |
//! | [`projection`] | whether a record's attributes say what its body says |
//! | [`verify`] | what a list of records shows: missing, changed, reordered, doubled |
//! | [`loss`] | which records were lost, as the next record declares it |
//! | [`retry`] | what a collector's answer means |
//! | [`queue`] | [`queue::Recorder`]: chain, bounded queue, batches and retries of one root context |
//!
//! What always holds: the body and the attributes of a record are written from one list of fields, so they cannot
//! disagree; every text from outside is cut at a bound, so a record, and with it the queue, is bounded; no field can
//! hold a token or a query string; a record that is lost is declared, by its sequence number, in a later one.

pub mod canonical;
pub mod captured;
pub mod chain;
pub mod fields;
pub mod loss;
pub mod names;
pub mod otlp;
pub mod projection;
pub mod queue;
pub mod record;
pub mod retry;
pub mod seal;
pub mod signature;
pub mod succession;
pub mod trace;
pub mod value;
pub mod verify;

#[cfg(test)]
mod docs_test;
#[cfg(test)]
mod queue_laws_tests;
#[cfg(test)]
mod samples_tests;

pub use captured::{Captured, Part, PartRecord, Pieces, Sealed};
pub use queue::{Batch, Fate, Limits, Recorded, Recorder, Stats, Ticket};
pub use record::{Decision, EndRecord, Facts, Outcome, Record, StartRecord};
pub use retry::Answer;
pub use trace::TraceParent;
pub use value::{Count, Members, Name, Path, Seconds, Tally, Text, Texts};
