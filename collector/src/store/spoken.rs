//! Words that very many records hold, in SQLite: to find all of these and to sort them would take longer than anybody waits.
//! So exchanges are walked in their order instead, some at a time, and asked whether one of their records holds the words.
//! PostgreSQL chooses between the two by itself.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, Row as _};

use super::StoreError;
use super::read::Reader;
use super::search::{Found, Search};
use super::values;

/// So many records are found and sorted in time.
const FEW: i64 = 20_000;
/// Exchanges that are asked at first, and at most, at one time.
const FIRST: i64 = 128;
const MOST: i64 = 4096;
/// Records that are asked as one run may stand so far apart: to begin in the index anew takes longer than to pass by what
/// is between them. Few in a test, so that there are runs at all.
const APART: i64 = if cfg!(test) { 2 } else { 128 };

impl Reader {
    /// Whether more records hold the words than are found and sorted in time.
    pub(super) async fn is_common(&self, words: &str) -> Result<bool, StoreError> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM texts WHERE texts MATCH $1 LIMIT $2)";
        let count = sqlx::query(sql).bind(words.to_owned()).bind(FEW.saturating_add(1));
        Ok(count.fetch_one(&self.pool).await?.try_get::<i64, _>(0)? > FEW)
    }

    /// The next exchanges of a search, of which a record holds the words.
    pub(super) async fn of_common(
        &self,
        search: &Search,
        terms: &[i64],
        words: &str,
    ) -> Result<Vec<Found>, StoreError> {
        let most = usize::try_from(search.most).unwrap_or(usize::MAX);
        let mut walk = Search { text: None, most: FIRST, ..search.clone() };
        let mut all = Vec::new();
        while all.len() < most {
            let found = self.searched(&walk, terms).await?;
            let Some(last) = found.last().map(|last| last.place) else { break };
            let ended = i64::try_from(found.len()).is_ok_and(|count| count < walk.most);
            let holding = self.holding(&found, words).await?;
            all.extend(found.into_iter().filter(|one| holding.contains(&one.place.id)));
            if ended {
                break;
            }
            walk.behind = Some(last);
            walk.most = walk.most.saturating_mul(2).min(MOST);
        }
        all.truncate(most);
        Ok(all)
    }

    /// Those of some exchanges that hold the words.
    async fn holding(&self, found: &[Found], words: &str) -> Result<HashSet<i64>, StoreError> {
        let ids: Vec<i64> = found.iter().map(|one| one.place.id).collect();
        let mut records = Vec::new();
        for chunk in values::chunks(&ids) {
            let head = "SELECT id, exchange FROM records WHERE exchange IN (";
            let mut select = sqlx::query(AssertSqlSafe(values::statement(head, chunk.len(), 1, ")")));
            for id in chunk {
                select = select.bind(*id);
            }
            for row in select.fetch_all(&self.pool).await? {
                records.push((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?));
            }
        }
        records.sort_unstable();
        let mut holding = HashSet::new();
        for some in values::chunks(&runs(&records)) {
            let head = "SELECT t.rowid FROM (";
            let tail = ") run CROSS JOIN texts t WHERE t.rowid >= run.column1 AND t.rowid <= run.column2 AND texts MATCH ";
            let sql = values::statement(head, some.len(), 2, tail);
            let words_at = some.len().saturating_mul(2).saturating_add(1);
            let mut select = sqlx::query(AssertSqlSafe(format!("{sql}${words_at}")));
            for (first, last) in some {
                select = select.bind(*first).bind(*last);
            }
            for row in select.bind(words.to_owned()).fetch_all(&self.pool).await? {
                holding.insert(row.try_get::<i64, _>(0)?);
            }
        }
        Ok(records.into_iter().filter(|(id, _)| holding.contains(id)).map(|(_, exchange)| exchange).collect())
    }
}

/// The first and the last of each run of records, which come in order.
fn runs(records: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let runs = records.chunk_by(|(one, _), (next, _)| next.saturating_sub(*one) <= APART);
    runs.filter_map(|run| Some((run.first()?.0, run.last()?.0))).collect()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use serde_json::json;

    use super::super::append::Appender;
    use super::super::search::Place;
    use super::*;
    use crate::entry::Entry;
    use crate::otlp::Log;

    const WORDS: [&str; 5] = ["invoice", "contract", "handbook", "server", "budget"];

    /// An exchange of two records, which come far apart, at a time that has nothing to do with when it came.
    fn entries(number: usize, seq: usize) -> Entry {
        let chain = format!("{:032x}", number % 3 + 1);
        let (word, other) = (WORDS[number % 5], WORDS[number / 5 % 5]);
        let second = (number * 7919) % 1000;
        let event = if seq.is_multiple_of(2) { "end" } else { "start" };
        let text = if event == "start" { word } else { other };
        let body = json!({
            "event.name": format!("portcullis.exchange.{event}"), "portcullis.chain.id": chain,
            "portcullis.chain.seq": seq, "portcullis.record": format!("{chain}-{seq}"),
            "portcullis.exchange": format!("x-{number}"), "portcullis.identity.subject": format!("user-{}", number % 7),
            "portcullis.prompt.texts": [{ "of": 1, "text": format!("the {text} of all") }],
            "time": format!("2026-11-01T00:{:02}:{:02}Z", second / 60, second % 60),
        });
        let attributes = vec![("portcullis.chain.id".to_owned(), json!({ "stringValue": chain }))];
        Entry::of(Log { body: Some(body.to_string()), attributes }, "own").unwrap()
    }

    #[test]
    fn records_near_each_other_are_one_run() {
        let of = |ids: &[i64]| runs(&ids.iter().map(|id| (*id, 0)).collect::<Vec<_>>());
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[7]), [(7, 7)]);
        assert_eq!(
            of(&[1, 2, 2 + APART, 3 + 2 * APART, 4 + 2 * APART]),
            [(1, 2 + APART), (3 + 2 * APART, 4 + 2 * APART)]
        );
    }

    #[tokio::test]
    async fn a_walk_finds_what_one_statement_finds() {
        let directory = tempfile::tempdir().unwrap();
        let database: super::super::Database =
            format!("sqlite:{}", directory.path().join("audit.db").display()).parse().unwrap();
        let mut appender = Appender::open(&database, Vec::new()).await.unwrap();
        let mut all: Vec<Entry> = (0..600).map(|n| entries(n, n * 2 + 1)).collect();
        all.extend((0..600).map(|n| entries(n, n * 2 + 2)));
        for some in all.chunks(400) {
            appender.append(&some.iter().collect::<Vec<_>>(), 0).await.unwrap();
        }
        let reader = Reader::open(&database).await.unwrap();
        let since = "2026-11-01T00:05:00Z".parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64;
        let subject = vec![(1, "user-3".to_owned())];
        let base = Search { most: 25, ..Search::default() };
        let searches = [
            base.clone(),
            Search { most: 1000, ..base.clone() },
            Search { most: 3, marks: subject.clone(), ..base.clone() },
            Search { since: Some(since), until: Some(since + 120_000_000_000), ..base.clone() },
            Search { marks: subject, since: Some(since), most: 1000, ..base },
        ];
        let mut found = 0;
        for text in ["invoice", "of all", "handbook the", "contract budget", "nothing"] {
            for search in &searches {
                let search = Search { text: Some(text.to_owned()), ..search.clone() };
                let terms = match search.marks.is_empty() {
                    true => Vec::new(),
                    false => vec![term(&reader).await],
                };
                let words: Vec<String> = text.split(' ').map(|word| format!("\"{word}\"")).collect();
                let mut behind = None;
                loop {
                    let search = Search { behind, ..search.clone() };
                    let one = reader.searched(&search, &terms).await.unwrap();
                    let other = reader.of_common(&search, &terms, &words.join(" ")).await.unwrap();
                    let places = |found: &[Found]| found.iter().map(|one| one.place).collect::<Vec<Place>>();
                    assert_eq!(places(&one), places(&other), "{search:?}");
                    found += one.len();
                    behind = one.last().map(|last| last.place);
                    if behind.is_none() {
                        break;
                    }
                }
            }
        }
        assert!(found > 2000, "{found}");
    }

    async fn term(reader: &Reader) -> i64 {
        let row = sqlx::query("SELECT id FROM terms WHERE kind = 1 AND value = 'user-3'");
        row.fetch_one(&reader.pool).await.unwrap().try_get(0).unwrap()
    }
}
