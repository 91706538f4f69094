//! The chain: each record names the hash of the body before it.
//!
//! A body holds the chain's id, its own place and the hash of its predecessor, so its own hash covers all three. The
//! hash is over the bytes of the body as text, which survives whatever re-encoding a collector does around it.

use sha2::{Digest as _, Sha256};

use super::fields::Fields;
use super::loss::Losses;
use super::names::Place;
use super::record::{Content, Link};
use super::trace::to_hex;
use super::value::{Count, Text, rfc3339};

/// The last record of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Id of the chain.
    pub chain: String,
    /// The record's number.
    pub seq: u64,
    /// Hash of its body.
    pub hash: String,
}

/// Where a chain stands.
#[derive(Debug)]
pub struct Chain {
    id: String,
    last: u64,
    chained: u64,
    head: Option<String>,
    /// Of a chain that ended, and that the next record is to name.
    ended: Option<Head>,
}

/// A record that would be the chain's next.
pub(super) struct Draft<'a> {
    pub seq: u64,
    pub fields: Fields<'a>,
    pub body: String,
    pub hash: String,
}

impl Chain {
    /// A new chain; the id must be random.
    pub fn new(id: [u8; 16]) -> Self {
        Self { id: to_hex(&id), last: 0, chained: 0, head: None, ended: None }
    }

    /// The id, 32 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The hash of the last chained body.
    pub fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// The last chained record's number.
    pub fn last_chained(&self) -> u64 {
        self.chained
    }

    /// Has the next record name a chain that ended.
    pub fn succeed(&mut self, ended: Head) {
        self.ended = Some(ended);
    }

    /// Gives a number to a record that is lost before it is chained.
    pub fn skip(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// What the next record will bind to.
    pub(super) fn link(&self, losses: &Losses) -> Link {
        let seq = self.last.saturating_add(1);
        Link {
            chain: Text::from(self.id.as_str()),
            seq: Count::from(seq),
            previous: self.head.as_deref().map(Text::from),
            record: Text::from(format!("{}-{seq}", self.id)),
            dropped: (!losses.is_empty()).then(|| Count::from(losses.count())),
            losses: losses.clone(),
            predecessor: self
                .ended
                .as_ref()
                .map(|Head { chain, seq, .. }| Text::from(format!("{chain}-{seq}"))),
            predecessor_hash: self.ended.as_ref().map(|ended| Text::from(ended.hash.as_str())),
        }
    }

    /// The next record, not yet chained.
    pub(super) fn draft<'a>(link: &'a Link, now: u64, content: Content<'a>) -> Draft<'a> {
        let mut fields = Fields::default();
        content.put(&mut fields);
        link.put(&mut fields);
        fields.text(const { Place::of("time") }, rfc3339(now));
        let body = fields.body();
        let hash = hash(&body);
        Draft { seq: link.seq.get(), fields, body, hash }
    }

    /// Makes the draft with this number and hash the head.
    pub(super) fn commit(&mut self, seq: u64, hash: String) {
        self.last = seq;
        self.chained = seq;
        self.head = Some(hash);
        self.ended = None;
    }
}

/// sha256 over the bytes of a body, 64 hex digits.
pub fn hash(body: &str) -> String {
    to_hex(&Sha256::digest(body.as_bytes()))
}
