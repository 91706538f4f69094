//! Records out for good: of chains the beginning, with everything that was derived of it. One commit, which locks the
//! store, says first what goes, and takes it away then; it is bounded, so that records that come do not wait for long.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row as _};

use super::append::{Appender, Writing};
use super::cut::{Bound, Cut, Row, Whole, cut};
use super::database::Kind;
use super::removed::{self, Removed, Why};
use super::{StoreError, gaps, values};
use crate::index::{Indexed, Rank};

/// Records that one commit removes, if they are not of one exchange.
const MOST: i64 = 512;
/// Records that one commit removes at all.
const MOST_OF_ONE: i64 = 4096;
/// Bytes of bodies that one commit removes, if there is more than one.
const MOST_BYTES: i64 = 4 << 20;
/// So many of the store's own records are not worth a record that says that they went.
const FEW: usize = 16;
/// How long an exchange without an end is taken to be under way, in nanoseconds.
const UNDER_WAY: i64 = 3_600_000_000_000;

/// What went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// Records.
    pub records: i64,
    /// Bytes of their bodies.
    pub bytes: i64,
}

/// What is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Old {
    /// Up to this number of arrival.
    pub until: i64,
    /// And arrived before this time.
    pub before: i64,
    /// Why it is to go.
    pub why: Why,
}

impl Gone {
    /// With what else went.
    pub fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What goes of one chain.
struct Going {
    told: Removed,
    rows: Vec<Row>,
    times: BTreeMap<i64, i64>,
}

impl Appender {
    /// Removes from the beginning of these chains what is old, within the bounds of one commit.
    ///
    /// # Errors
    /// Nothing is removed.
    pub async fn remove(&mut self, chains: &[i64], old: Old) -> Result<Gone, StoreError> {
        let mut writing = Writing::begin(self).await?;
        let (mut going, mut gone) = (Vec::new(), Gone::default());
        for chain in chains {
            let room = MOST.saturating_sub(gone.records);
            if room <= 0 || gone.bytes >= MOST_BYTES {
                break;
            }
            if let Some(one) = writing.going(*chain, old, room).await? {
                one.rows.iter().for_each(|row| gone.add(Gone { records: 1, bytes: row.bytes }));
                going.push(one);
            }
        }
        let own = writing.own;
        // To say that the store's own records went takes one: for a few of them alone that makes no room.
        let idle = |one: &Going| one.told.name == own && one.rows.len() < FEW && old.why == Why::Size;
        if going.iter().all(idle) {
            return Ok(Gone::default());
        }
        writing.tell_removed(&going, gone.records).await?;
        for one in &going {
            writing.take_away(one).await?;
        }
        writing.commit().await?;
        Ok(gone)
    }
}

impl Writing<'_> {
    /// What may go of a chain, `None`: nothing.
    async fn going(&mut self, chain: i64, old: Old, room: i64) -> Result<Option<Going>, StoreError> {
        let gap = sqlx::query("SELECT MIN(first) FROM gaps WHERE chain = $1 AND alerted = 0").bind(chain);
        let gap: Option<i64> = gap.fetch_one(&mut *self.transaction).await?.try_get(0)?;
        for (most, across) in [(room, false), (MOST_OF_ONE, true)] {
            let (rows, all) = self.beginning(chain, most).await?;
            let exchanges = self.wholes(&rows).await?;
            let bound = Bound { until: old.until, before: old.before, gap, all, across };
            match cut(&rows, &exchanges, bound) {
                Cut::Nothing => return Ok(None),
                Cut::More => continue,
                Cut::Until(last) => {
                    let times = exchanges.into_iter().map(|(id, whole)| (id, whole.time)).collect();
                    return self
                        .of_cut(chain, rows, last, old.why)
                        .await
                        .map(|(told, rows)| Some(Going { told, rows, times }));
                }
            }
        }
        Ok(None)
    }

    /// The first rows of a chain, and whether they are all.
    async fn beginning(&mut self, chain: i64, most: i64) -> Result<(Vec<Row>, bool), StoreError> {
        let sql = "SELECT seq, id, hash, exchange, octet_length(body), arrived FROM records WHERE chain = $1 \
             ORDER BY seq, hash LIMIT $2";
        let found = sqlx::query(sql).bind(chain).bind(most).fetch_all(&mut *self.transaction).await?;
        let mut all = i64::try_from(found.len()).is_ok_and(|found| found < most);
        let (mut rows, mut bytes) = (Vec::new(), 0_i64);
        for row in &found {
            let row = Row {
                seq: row.try_get(0)?,
                id: row.try_get(1)?,
                hash: row.try_get(2)?,
                exchange: row.try_get(3)?,
                bytes: row.try_get(4)?,
                arrived: row.try_get(5)?,
            };
            bytes = bytes.saturating_add(row.bytes);
            // Always two, so that there is a number that is here as a whole.
            if bytes > MOST_BYTES && rows.len() > 1 {
                all = false;
                break;
            }
            rows.push(row);
        }
        Ok((rows, all))
    }

    /// The exchanges of rows.
    async fn wholes(&mut self, rows: &[Row]) -> Result<BTreeMap<i64, Whole>, StoreError> {
        let ids: BTreeSet<i64> = rows.iter().filter_map(|row| row.exchange).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let mut wholes = BTreeMap::new();
        for chunk in values::chunks(&ids) {
            let head = "SELECT e.id, e.time, e.rank, MAX(r.id), MAX(r.seq), MAX(r.arrived) FROM exchanges e \
                 JOIN records r ON r.exchange = e.id WHERE e.id IN (";
            let sql = values::statement(head, chunk.len(), 1, ") GROUP BY e.id, e.time, e.rank");
            let mut select = sqlx::query(AssertSqlSafe(sql));
            for id in chunk {
                select = select.bind(*id);
            }
            for row in select.fetch_all(&mut *self.transaction).await? {
                let (id, rank, arrived): (i64, i64, i64) =
                    (row.try_get(0)?, row.try_get(2)?, row.try_get(5)?);
                let open = rank != Rank::End as i64 && arrived > self.now.saturating_sub(UNDER_WAY);
                let (time, last, seq) = (row.try_get(1)?, row.try_get(3)?, row.try_get(4)?);
                let whole = Whole { id: last, arrived, seq, time, open };
                wholes.insert(id, whole);
            }
        }
        Ok(wholes)
    }

    /// What is told of a cut, and the rows that go.
    async fn of_cut(
        &mut self,
        chain: i64,
        mut rows: Vec<Row>,
        last: i64,
        why: Why,
    ) -> Result<(Removed, Vec<Row>), StoreError> {
        let next = "SELECT body FROM records WHERE chain = $1 AND seq > $2 ORDER BY seq, id LIMIT 1";
        let next = sqlx::query(next).bind(chain).bind(last).fetch_optional(&mut *self.transaction).await?;
        let next: Option<String> = next.map(|row| row.try_get(0)).transpose()?;
        rows.retain(|row| row.seq <= last);
        let records = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let mut told = match removed::of(&mut self.transaction, chain).await? {
            Some(before) => before,
            None => removed::none(&mut self.transaction, chain).await?,
        };
        // Of one number there can be more bodies than one commit removes.
        if told.last < last {
            (told.last, told.hash) = (last, head(&rows, last, next.as_deref()));
        }
        told.records = told.records.saturating_add(records);
        told.why = why.name().to_owned();
        Ok((told, rows))
    }

    /// Writes what goes, into its table and into the store's own chain; there too what nothing would tell of any more.
    async fn tell_removed(&mut self, going: &[Going], records: i64) -> Result<(), StoreError> {
        let mut told: Vec<Removed> = going.iter().map(|one| one.told.clone()).collect();
        let name = self.own;
        let own = self.chain(name).await?;
        if let Some(last) = told.iter().find(|one| one.chain == own).map(|one| one.last) {
            let again = removed::told_until(&mut self.transaction, last, &told).await?;
            told.extend(again);
        }
        self.say_removed(&told, records).await
    }

    /// Says in the store's own chain what was removed of these chains.
    pub(super) async fn say_removed(&mut self, told: &[Removed], records: i64) -> Result<(), StoreError> {
        let said = self.note(removed::notes(told, records)).await?;
        for one in told {
            removed::write(&mut self.transaction, one, said).await?;
        }
        Ok(())
    }

    /// Takes away what was told of.
    async fn take_away(&mut self, going: &Going) -> Result<(), StoreError> {
        let Going { told, rows, times } = going;
        gaps::close(&mut self.transaction, told.chain, (1, told.last)).await?;
        self.unmark(rows, times).await?;
        let of_exchange: Vec<i64> =
            rows.iter().filter(|row| row.exchange.is_some()).map(|row| row.id).collect();
        self.delete(
            "DELETE FROM texts WHERE rowid IN (",
            "DELETE FROM texts WHERE record IN (",
            &of_exchange,
        )
        .await?;
        let all: Vec<i64> = rows.iter().map(|row| row.id).collect();
        const RECORDS: &str = "DELETE FROM records WHERE id IN (";
        self.delete(RECORDS, RECORDS, &all).await?;
        let bytes = rows.iter().fold(0_i64, |sum, row| sum.saturating_add(row.bytes));
        self.bytes = self.bytes.saturating_sub(bytes).max(0);
        let exchanges: Vec<i64> = times.keys().copied().collect();
        const HEAD: &str = "DELETE FROM exchanges WHERE NOT EXISTS \
             (SELECT 1 FROM records r WHERE r.exchange = exchanges.id) AND id IN (";
        self.delete(HEAD, HEAD, &exchanges).await
    }

    /// Takes away what exchanges were searched by, as far as these records say it, and values that nothing has any more.
    async fn unmark(&mut self, rows: &[Row], times: &BTreeMap<i64, i64>) -> Result<(), StoreError> {
        let mut marks = BTreeSet::new();
        let ids: Vec<i64> = rows.iter().filter(|row| row.exchange.is_some()).map(|row| row.id).collect();
        for chunk in values::chunks(&ids) {
            let head = "SELECT event, body, exchange FROM records WHERE id IN (";
            let mut select = sqlx::query(AssertSqlSafe(values::statement(head, chunk.len(), 1, ")")));
            for id in chunk {
                select = select.bind(*id);
            }
            for row in select.fetch_all(&mut *self.transaction).await? {
                let (event, body, exchange): (String, String, i64) =
                    (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                let record = serde_json::from_str::<Map<String, Value>>(&body).ok();
                let indexed = record.and_then(|record| Indexed::of(&event, &record));
                if let (Some(indexed), Some(time)) = (indexed, times.get(&exchange)) {
                    marks.extend(indexed.marks.into_iter().map(|mark| (mark, *time, exchange)));
                }
            }
        }
        let mut terms = BTreeMap::new();
        let mut keys = Vec::new();
        for (mark, time, exchange) in marks {
            let term = match terms.get(&mark) {
                Some(term) => *term,
                None => {
                    let term = self.known_term(&mark).await?;
                    terms.insert(mark, term);
                    term
                }
            };
            keys.extend(term.map(|term| (term, time, exchange)));
        }
        for chunk in values::chunks(&keys) {
            let head = "DELETE FROM marks WHERE (term, time, exchange) IN (";
            let mut delete = sqlx::query(AssertSqlSafe(values::statement(head, chunk.len(), 3, ")")));
            for (term, time, exchange) in chunk {
                delete = delete.bind(*term).bind(*time).bind(*exchange);
            }
            delete.execute(&mut *self.transaction).await?;
        }
        let terms: Vec<i64> = terms.into_values().flatten().collect();
        const HEAD: &str =
            "DELETE FROM terms WHERE NOT EXISTS (SELECT 1 FROM marks m WHERE m.term = terms.id) AND id IN (";
        for chunk in values::chunks(&terms) {
            let mut delete = sqlx::query(AssertSqlSafe(values::statement(HEAD, chunk.len(), 1, ")")));
            for term in chunk {
                delete = delete.bind(*term);
            }
            if delete.execute(&mut *self.transaction).await?.rows_affected() > 0 {
                // Whoever remembers numbers of values forgets them, in every collector.
                self.forgotten = self.forgotten.saturating_add(1);
            }
        }
        Ok(())
    }

    async fn known_term(&mut self, mark: &(i64, String)) -> Result<Option<i64>, StoreError> {
        if let Some(term) = self.terms.get(mark) {
            return Ok(Some(*term));
        }
        let select = sqlx::query("SELECT id FROM terms WHERE kind = $1 AND value = $2");
        let select = select.bind(mark.0).bind(mark.1.clone());
        Ok(select.fetch_optional(&mut *self.transaction).await?.map(|row| row.try_get(0)).transpose()?)
    }

    /// `ids` close what the heads begin.
    async fn delete(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        let head = if self.kind == Kind::Sqlite { sqlite } else { postgres };
        for chunk in values::chunks(ids) {
            let mut delete = sqlx::query(AssertSqlSafe(values::statement(head, chunk.len(), 1, ")")));
            for id in chunk {
                delete = delete.bind(*id);
            }
            delete.execute(&mut *self.transaction).await?;
        }
        Ok(())
    }
}

/// The hash of the last record that goes: of several bodies under its number, the one that the `next` record names.
fn head(rows: &[Row], last: i64, next: Option<&str>) -> Vec<u8> {
    let mut of_last: Vec<&Row> = rows.iter().filter(|row| row.seq == last).collect();
    of_last.sort_by_key(|row| row.id);
    let named = of_last
        .iter()
        .find(|row| next.is_some_and(|next| next.contains(&portcullis::audit::trace::to_hex(&row.hash))));
    named.or(of_last.first()).map(|row| row.hash.clone()).unwrap_or_default()
}
