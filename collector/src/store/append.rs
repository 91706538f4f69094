//! Records in: all of one commit in one transaction, which locks the store.

use std::collections::{BTreeMap, HashMap, HashSet};

use portcullis::audit::signature::Witness;
use portcullis::audit::trace::to_hex;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Row as _, Transaction};

use super::alert::{Alert, Note, Own};
use super::database::{Database, Kind};
use super::index::{Exchanges, MOST_TERMS, Terms, texts};
use super::neighbours::Neighbour;
use super::removed::{self, Removed};
use super::{StoreError, check, gaps, neighbours, now, schema, values};
use crate::entry::Entry;
use crate::index::Indexed;

/// Most alarms of one commit; more are counted.
const MOST_ALERTS: usize = 256;

/// What a commit did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Records that are new.
    pub kept: usize,
    /// Records that were there already.
    pub doubled: usize,
    /// Alarms.
    pub alerts: usize,
}

/// The one that writes.
pub struct Appender {
    pub(super) pool: AnyPool,
    kind: Kind,
    own: String,
    witnesses: Vec<Witness>,
    /// Short numbers of chains that are known to be in the database.
    chains: HashMap<String, i64>,
    terms: Terms,
    /// As the store had it when the numbers of terms were remembered.
    forgotten: i64,
}

/// A row of `records`.
struct New<'a> {
    chain: i64,
    seq: i64,
    hash: Vec<u8>,
    said: Option<&'a str>,
    time: i64,
    event: &'a str,
    indexed: Option<&'a Indexed>,
    body: &'a str,
}

/// Most chains whose numbers are remembered.
const MOST_CHAINS: usize = 65_536;

impl Appender {
    /// Opens the database and makes its tables.
    ///
    /// # Errors
    /// It cannot be used.
    pub async fn open(database: &Database, witnesses: Vec<Witness>) -> Result<Self, StoreError> {
        let pool = database.writing().await?;
        let own = schema::prepare(&pool, database.kind).await?;
        let (chains, terms) = (HashMap::new(), Terms::new());
        Ok(Self { pool, kind: database.kind, own, witnesses, chains, terms, forgotten: 0 })
    }

    /// The chain that the collector itself writes.
    pub fn own_chain(&self) -> &str {
        &self.own
    }

    /// Closes the database.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// Keeps records and what they show; once this is back, they are on the disk. `unreadable` could not be kept.
    ///
    /// # Errors
    /// Nothing is kept.
    pub async fn append(&mut self, entries: &[&Entry], unreadable: usize) -> Result<Counts, StoreError> {
        let mut writing = Writing::begin(self).await?;
        let mut alerts = Vec::new();
        if let Some(count) = i64::try_from(unreadable).ok().filter(|count| *count > 0) {
            alerts.push(Alert::count("unreadable", count));
        }
        let mut by_chain: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            by_chain.entry(&entry.chain).or_default().push(entry);
        }
        let mut new = Vec::new();
        for (name, mut of_chain) in by_chain {
            let chain = writing.chain(name).await?;
            of_chain.sort_by_key(|entry| entry.seq);
            for run in runs(&of_chain) {
                writing.run(chain, run, &mut new, &mut alerts).await?;
            }
        }
        // Each chain's records are in its order; between chains the order is that of arrival.
        let kept = new.len();
        writing.finish(new, alerts).await.map(|alerts| Counts {
            kept,
            doubled: entries.len().saturating_sub(kept),
            alerts,
        })
    }

    /// Keeps records of the collector itself; once this is back, they are on the disk.
    ///
    /// # Errors
    /// None of them is kept.
    pub async fn note(&mut self, notes: Vec<Note>) -> Result<(), StoreError> {
        let mut writing = Writing::begin(self).await?;
        writing.note(notes).await?;
        writing.commit().await
    }

    /// Raises the alarm for gaps that are older than `before`.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn sweep(&mut self, before: i64) -> Result<Counts, StoreError> {
        let sql = "SELECT COUNT(*) FROM gaps WHERE alerted = 0 AND since <= $1";
        let due: i64 = sqlx::query(sql).bind(before).fetch_one(&self.pool).await?.try_get(0)?;
        if due == 0 {
            return Ok(Counts::default());
        }
        let mut writing = Writing::begin(self).await?;
        let due = gaps::due(&mut writing.transaction, before).await?;
        let alerts = writing.finish(Vec::new(), due).await?;
        Ok(Counts { alerts, ..Counts::default() })
    }
}

/// Records of consecutive numbers; those of one number stand together.
fn runs<'e, 'a>(sorted: &'e [&'a Entry]) -> impl Iterator<Item = &'e [&'a Entry]> {
    sorted.chunk_by(|one, next| next.seq.saturating_sub(one.seq) <= 1)
}

/// What this commit has of a chain already, under the highest number there: it is not in the database yet. Runs of a
/// chain come in its order, one chain after the other.
fn staged(new: &[New<'_>], chain: i64) -> Vec<Neighbour> {
    let of_chain = || new.iter().rev().take_while(move |record| record.chain == chain);
    let highest = of_chain().next().map(|record| record.seq);
    of_chain()
        .take_while(|record| Some(record.seq) == highest)
        .map(|record| Neighbour { seq: record.seq, hash: record.hash.clone(), body: record.body.to_owned() })
        .collect()
}

/// One commit on its way.
pub(super) struct Writing<'a> {
    pub(super) transaction: Transaction<'static, Any>,
    witnesses: &'a [Witness],
    pub(super) own: &'a str,
    known: &'a mut HashMap<String, i64>,
    /// Chains that this commit is the first to know of.
    found: HashMap<String, i64>,
    /// The same of terms.
    pub(super) terms: &'a mut Terms,
    found_terms: Terms,
    /// Chains that come back after all their records were removed.
    back: Vec<Removed>,
    /// How often numbers of terms were given up.
    pub(super) forgotten: i64,
    /// Of all bodies.
    pub(super) bytes: i64,
    /// Number of the last record that arrived.
    pub(super) last: i64,
    exchanges: i64,
    pub(super) now: i64,
    pub(super) kind: Kind,
}

impl<'a> Writing<'a> {
    pub(super) async fn begin(appender: &'a mut Appender) -> Result<Self, StoreError> {
        let Appender { pool, kind, own, witnesses, chains, terms, forgotten: before } = appender;
        let (mut transaction, locking) = match kind {
            Kind::Sqlite => (
                pool.begin_with("BEGIN IMMEDIATE").await?,
                "SELECT version, last, exchanges, bytes, forgotten FROM store WHERE one = 1",
            ),
            Kind::Postgres => (
                pool.begin().await?,
                "SELECT version, last, exchanges, bytes, forgotten FROM store WHERE one = 1 FOR UPDATE",
            ),
        };
        let row = sqlx::query(locking).fetch_optional(&mut *transaction).await?.ok_or(StoreError::Unfit)?;
        let version: i64 = row.try_get(0)?;
        if version != schema::VERSION {
            return Err(StoreError::Version(version));
        }
        let forgotten: i64 = row.try_get(4)?;
        if terms.len() > MOST_TERMS || forgotten != *before {
            terms.clear();
            *before = forgotten;
        }
        if chains.len() > MOST_CHAINS {
            chains.clear();
        }
        let found = HashMap::new();
        Ok(Self {
            transaction,
            witnesses,
            own,
            known: chains,
            found,
            terms,
            found_terms: Terms::new(),
            back: Vec::new(),
            forgotten,
            bytes: row.try_get(3)?,
            last: row.try_get(1)?,
            exchanges: row.try_get(2)?,
            now: now(),
            kind: *kind,
        })
    }

    /// The short number of a chain.
    pub(super) async fn chain(&mut self, name: &str) -> Result<i64, StoreError> {
        if let Some(id) = self.known.get(name).or_else(|| self.found.get(name)) {
            return Ok(*id);
        }
        let connection: &mut AnyConnection = &mut self.transaction;
        let known = sqlx::query("SELECT id FROM chains WHERE chain = $1").bind(name);
        let id = match known.fetch_optional(&mut *connection).await? {
            Some(row) => row.try_get(0)?,
            None => {
                let highest = sqlx::query("SELECT COALESCE(MAX(id), 0) + 1 FROM chains");
                let id: i64 = highest.fetch_one(&mut *connection).await?.try_get(0)?;
                let insert = sqlx::query("INSERT INTO chains (id, chain) VALUES ($1, $2)");
                insert.bind(id).bind(name).execute(connection).await?;
                id
            }
        };
        self.found.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Takes what is new of a run, and judges it.
    async fn run<'e>(
        &mut self,
        chain: i64,
        run: &[&'e Entry],
        new: &mut Vec<New<'e>>,
        alerts: &mut Vec<Alert>,
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let mut around = neighbours::read(&mut self.transaction, chain, first.seq, last.seq).await?;
        around.behind(staged(new, chain));
        // What was removed stands before everything that is there.
        let removed = match around.before.is_empty() {
            true => removed::of(&mut self.transaction, chain).await?,
            false => None,
        };
        let gone = removed.as_ref().map_or(0, |removed| removed.last);
        let run = run.get(run.partition_point(|entry| entry.seq <= gone)..).unwrap_or_default();
        let Some(first) = run.first() else { return Ok(()) };
        let mut there: HashSet<(i64, &[u8])> =
            around.within.iter().map(|within| (within.seq, within.hash.as_slice())).collect();
        let fresh: Vec<&Entry> =
            run.iter().copied().filter(|entry| there.insert((entry.seq, &entry.hash))).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let shown = check::run(&fresh, &around, removed.as_ref().map(Removed::removal), self.witnesses);
        if around.within.is_empty() && around.after.is_none() {
            self.back.extend(removed);
        }
        alerts.extend(shown.alerts);
        if around.after.is_none() {
            for range in shown.missing.iter().filter(|(_, missing)| *missing < first.seq) {
                gaps::open(&mut self.transaction, chain, *range, self.now).await?;
            }
        } else {
            let filled = gaps::close(&mut self.transaction, chain, (first.seq, last.seq)).await?;
            alerts.extend(
                filled.iter().map(|(one, other)| Alert::range("arrived", &first.chain, *one, *other)),
            );
        }
        for range in fresh.iter().flat_map(|entry| &entry.dropped) {
            let declared = gaps::close(&mut self.transaction, chain, *range).await?;
            let declared = declared.iter();
            alerts.extend(declared.map(|(one, other)| Alert::range("declared", &first.chain, *one, *other)));
        }
        new.extend(fresh.into_iter().map(|entry| New {
            chain,
            seq: entry.seq,
            hash: entry.hash.clone(),
            said: entry.said.as_deref(),
            time: entry.time,
            event: &entry.event,
            indexed: entry.indexed.as_ref(),
            body: &entry.body,
        }));
        Ok(())
    }

    /// Writes it all, and the alarms behind it. Gives how many there are.
    async fn finish(mut self, new: Vec<New<'_>>, mut alerts: Vec<Alert>) -> Result<usize, StoreError> {
        if alerts.len() > MOST_ALERTS {
            let more = alerts.len().saturating_sub(MOST_ALERTS);
            alerts.truncate(MOST_ALERTS);
            alerts.push(Alert::count("more", i64::try_from(more).unwrap_or(i64::MAX)));
        }
        self.insert(&new).await?;
        self.note(alerts.iter().map(Alert::note).collect()).await?;
        let back = std::mem::take(&mut self.back);
        self.say_removed(&back, 0).await?;
        self.commit().await?;
        alerts.iter().for_each(Alert::tell);
        Ok(alerts.len())
    }

    /// Once this is back, it is all on the disk.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let sql = "UPDATE store SET last = $1, exchanges = $2, bytes = $3, forgotten = $4 WHERE one = 1";
        let store = sqlx::query(sql).bind(self.last).bind(self.exchanges);
        let store = store.bind(self.bytes).bind(self.forgotten);
        store.execute(&mut *self.transaction).await?;
        self.transaction.commit().await?;
        self.known.extend(self.found);
        self.terms.extend(self.found_terms);
        Ok(())
    }

    /// Goes on with the collector's own chain. Gives the number of the first of these records.
    pub(super) async fn note(&mut self, notes: Vec<Note>) -> Result<i64, StoreError> {
        if notes.is_empty() {
            return Ok(0);
        }
        let name = self.own;
        let chain = self.chain(name).await?;
        let sql = "SELECT seq, hash FROM records WHERE chain = $1 ORDER BY seq DESC LIMIT 1";
        let mut own = Own { chain: name.to_owned(), seq: 0, head: None };
        if let Some(row) = sqlx::query(sql).bind(chain).fetch_optional(&mut *self.transaction).await? {
            let hash: Vec<u8> = row.try_get(1)?;
            (own.seq, own.head) = (row.try_get(0)?, Some(to_hex(&hash)));
        }
        let first = own.seq.saturating_add(1);
        let bodies = notes.into_iter().map(|note| {
            let event = note.event;
            let body = own.next(self.now, note);
            (own.seq, crate::entry::digest(&body), event, body)
        });
        let bodies: Vec<_> = bodies.collect();
        let rows = bodies.iter().map(|(seq, hash, event, body)| New {
            chain,
            seq: *seq,
            hash: hash.clone(),
            said: None,
            time: self.now,
            event,
            indexed: None,
            body,
        });
        let rows: Vec<_> = rows.collect();
        self.insert(&rows).await?;
        Ok(first)
    }

    async fn insert(&mut self, rows: &[New<'_>]) -> Result<(), StoreError> {
        let of: Vec<_> = rows.iter().filter_map(|row| Some((row.chain, row.time, row.indexed?))).collect();
        let exchanges = Exchanges::gather(&mut self.transaction, &of, &mut self.exchanges).await?;
        exchanges.write(&mut self.transaction, self.terms, &mut self.found_terms).await?;
        let mut said = Vec::new();
        const HEAD: &str =
            "INSERT INTO records (id, chain, seq, hash, said, time, arrived, event, exchange, body)";
        // Where so many bodies stand under one number that not all of them were looked at.
        const TAIL: &str = " ON CONFLICT (chain, seq, hash) DO NOTHING";
        for chunk in values::chunks(rows) {
            let sql = values::statement(HEAD, chunk.len(), 10, TAIL);
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            let (before, mut bytes) = (self.last, 0_i64);
            for row in chunk {
                bytes = bytes.saturating_add(i64::try_from(row.body.len()).unwrap_or(i64::MAX));
                self.last = self.last.saturating_add(1);
                insert = insert.bind(self.last).bind(row.chain).bind(row.seq).bind(row.hash.clone());
                insert = insert.bind(row.said.map(str::to_owned)).bind(row.time).bind(self.now);
                let exchange = row.indexed.and_then(|one| exchanges.id(row.chain, &one.exchange));
                insert = insert.bind(row.event.to_owned()).bind(exchange).bind(row.body.to_owned());
                if let Some(text) = row.indexed.map(|one| one.text.as_str()).filter(|text| !text.is_empty()) {
                    said.push((self.last, text));
                }
            }
            let done = insert.execute(&mut *self.transaction).await?.rows_affected();
            if u64::try_from(chunk.len()) != Ok(done) {
                let sql =
                    "SELECT CAST(COALESCE(SUM(octet_length(body)), 0) AS BIGINT) FROM records WHERE id > $1";
                let kept = sqlx::query(sql).bind(before).fetch_one(&mut *self.transaction).await?;
                bytes = kept.try_get(0)?;
            }
            self.bytes = self.bytes.saturating_add(bytes);
        }
        texts(&mut self.transaction, self.kind, &said).await
    }
}
