//! Approvals: state, unlike records, so rows change here. Each change and the record of it are one commit, which locks
//! the store: of all collectors, one at a time decides.
//!
//! The database refuses by itself what must not be: two approvals that answer for one call (`standing`), and an approval
//! that goes on from where it ended.

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::StoreError;
use super::alert::Note;
use super::append::{Appender, Writing};
use super::read::Reader;
use crate::approvals::{
    Approval, Approver, Asked, Ballot, Binding, Event, Exchange, Refusal, Spend, State, members,
};

/// Approvals that one commit notes the end of, and that one look at changes gives.
const MOST: i64 = 256;

/// How many approvals may be open at one time: those that are not spent, denied, or over.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// In all.
    pub all: u32,
    /// Of one caller.
    pub each: u32,
}

/// What is to happen.
#[derive(Debug)]
pub enum Deed {
    /// A call asks for an approval.
    Open {
        /// The id, should it be a new one.
        id: String,
        /// The call.
        asked: Arc<Asked>,
        /// How many there may be.
        room: Room,
    },
    /// Somebody says something.
    Vote {
        /// About this approval.
        id: String,
        /// Who.
        by: Approver,
        /// What.
        ballot: Ballot,
    },
    /// A call wants to be let through.
    Spend {
        /// On this approval.
        id: String,
        /// Which call.
        binding: Binding,
        /// Which exchange.
        exchange: Exchange,
    },
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// What was asked for.
    Well(Approval),
    /// It does not count.
    Refused(Refusal, Approval),
    /// Not by this exchange.
    NotSpent(Approval),
    /// There are too many already: in all, or of this caller.
    Full {
        /// Whether of this caller.
        caller: bool,
    },
    /// There is no such approval.
    Absent,
}

/// What others are told.
#[derive(Debug, Clone)]
pub struct News {
    /// As it is now.
    pub approval: Approval,
    /// What happened.
    pub events: Vec<Event>,
}

/// A row.
struct Row {
    number: i64,
    changed: i64,
    approval: Approval,
}

const COLUMNS: &str =
    "SELECT number, changed, id, opened, expires, state, exchange, votes, asked FROM approvals";

impl Appender {
    /// Does it; once this is back, it is on the disk.
    ///
    /// # Errors
    /// Nothing is to be counted on: it may have happened, and may not.
    pub async fn approval(&mut self, deed: &Deed) -> Result<(Done, Vec<News>), StoreError> {
        let mut writing = Writing::begin(self).await?;
        let (done, news) = match deed {
            Deed::Open { id, asked, room } => writing.open(id, asked, *room).await?,
            Deed::Vote { id, by, ballot } => writing.vote(id, by, ballot).await?,
            Deed::Spend { id, binding, exchange } => writing.spend(id, binding, exchange).await?,
        };
        if !news.is_empty() {
            writing.tell(&news).await?;
            writing.commit().await?;
        }
        Ok((done, news))
    }

    /// Notes what is over, and forgets what was before a time.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn expire_approvals(&mut self, now: i64, forget: i64) -> Result<Vec<News>, StoreError> {
        let sql = "SELECT COUNT(*) FROM approvals WHERE expires <= $1 AND state IN ('pending', 'approved')";
        let due: i64 = sqlx::query(sql).bind(now).fetch_one(&self.pool).await?.try_get(0)?;
        let sql =
            "SELECT COUNT(*) FROM approvals WHERE expires <= $1 AND state NOT IN ('pending', 'approved')";
        let old: i64 = sqlx::query(sql).bind(forget).fetch_one(&self.pool).await?.try_get(0)?;
        if due == 0 && old == 0 {
            return Ok(Vec::new());
        }
        let mut writing = Writing::begin(self).await?;
        let news = writing.expire(forget).await?;
        writing.tell(&news).await?;
        writing.commit().await?;
        Ok(news)
    }
}

impl Writing<'_> {
    async fn open(
        &mut self,
        id: &str,
        asked: &Arc<Asked>,
        room: Room,
    ) -> Result<(Done, Vec<News>), StoreError> {
        let mut news = Vec::new();
        if let Some(mut row) = standing(&mut self.transaction, &asked.binding).await? {
            if row.approval.answers(self.now) {
                return Ok((Done::Well(row.approval), news));
            }
            let events = if row.approval.expire(self.now) { vec![Event::Expired] } else { Vec::new() };
            self.update(&row, events.len()).await?;
            if !events.is_empty() {
                news.push(News { approval: row.approval, events });
            }
        }
        if let Some(full) = self.full(&asked.caller.id, room).await? {
            return Ok((full, news));
        }
        let approval = Approval::open(id.to_owned(), Arc::clone(asked), self.now);
        self.insert_approval(&approval, news.len()).await?;
        news.push(News { approval: approval.clone(), events: vec![Event::Opened] });
        Ok((Done::Well(approval), news))
    }

    async fn full(&mut self, caller: &str, room: Room) -> Result<Option<Done>, StoreError> {
        let sql = "SELECT COUNT(*) FROM approvals WHERE expires > $1 AND state IN ('pending', 'approved')";
        let all = sqlx::query(sql).bind(self.now).fetch_one(&mut *self.transaction).await?;
        let sql = "SELECT COUNT(*) FROM approvals WHERE caller = $1 AND expires > $2 \
             AND state IN ('pending', 'approved')";
        let each = sqlx::query(sql).bind(caller.to_owned()).bind(self.now);
        let each = each.fetch_one(&mut *self.transaction).await?;
        let (all, each): (i64, i64) = (all.try_get(0)?, each.try_get(0)?);
        let caller = each >= i64::from(room.each);
        Ok((caller || all >= i64::from(room.all)).then_some(Done::Full { caller }))
    }

    async fn vote(
        &mut self,
        id: &str,
        by: &Approver,
        ballot: &Ballot,
    ) -> Result<(Done, Vec<News>), StoreError> {
        let Some(mut row) = of(&mut self.transaction, id).await? else {
            return Ok((Done::Absent, Vec::new()));
        };
        match row.approval.vote(self.now, by, ballot.clone()) {
            Ok(events) => self.changed(row, events).await,
            Err(refusal) => Ok((Done::Refused(refusal, row.approval), Vec::new())),
        }
    }

    async fn spend(
        &mut self,
        id: &str,
        binding: &Binding,
        exchange: &Exchange,
    ) -> Result<(Done, Vec<News>), StoreError> {
        let Some(mut row) = of(&mut self.transaction, id).await? else {
            return Ok((Done::Absent, Vec::new()));
        };
        match row.approval.spend(self.now, binding, exchange) {
            Spend::Now => self.changed(row, vec![Event::Spent]).await,
            Spend::Before => Ok((Done::Well(row.approval), Vec::new())),
            Spend::No => Ok((Done::NotSpent(row.approval), Vec::new())),
        }
    }

    async fn changed(&mut self, row: Row, events: Vec<Event>) -> Result<(Done, Vec<News>), StoreError> {
        self.update(&row, events.len()).await?;
        let news = News { approval: row.approval.clone(), events };
        Ok((Done::Well(row.approval), vec![news]))
    }

    async fn expire(&mut self, forget: i64) -> Result<Vec<News>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE expires <= $1 AND state IN ('pending', 'approved') ORDER BY number LIMIT $2"
        );
        let due = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now).bind(MOST);
        let mut news = Vec::new();
        for row in due.fetch_all(&mut *self.transaction).await? {
            let mut row = read(&row)?;
            row.approval.expire(self.now);
            self.update(&row, news.len().saturating_add(1)).await?;
            news.push(News { approval: row.approval, events: vec![Event::Expired] });
        }
        let sql = "DELETE FROM approvals WHERE number IN (SELECT number FROM approvals WHERE expires <= $1 \
             AND state NOT IN ('pending', 'approved') ORDER BY number LIMIT $2)";
        sqlx::query(sql).bind(forget).bind(MOST).execute(&mut *self.transaction).await?;
        Ok(news)
    }

    /// The records of what happened.
    async fn tell(&mut self, news: &[News]) -> Result<(), StoreError> {
        let notes = news.iter().flat_map(|one| {
            let note =
                |event: &Event| Note { event: event.record(), members: members(&one.approval, *event) };
            one.events.iter().map(note)
        });
        let notes = notes.collect();
        self.note(notes).await.map(drop)
    }

    /// `records`: how many there will be of this commit, this change's own included.
    fn number(&self, records: usize) -> i64 {
        self.last.saturating_add(i64::try_from(records).unwrap_or(i64::MAX))
    }

    async fn insert_approval(&mut self, approval: &Approval, before: usize) -> Result<(), StoreError> {
        let number = self.number(before.saturating_add(1));
        let sql = "INSERT INTO approvals (number, changed, id, binding, standing, caller, opened, expires, state, \
             votes, asked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let binding = approval.asked.binding.as_str().to_owned();
        let insert = sqlx::query(sql).bind(number).bind(number).bind(approval.id.clone());
        let insert = insert.bind(binding.clone()).bind(binding).bind(approval.asked.caller.id.clone());
        let insert = insert.bind(approval.opened).bind(approval.expires).bind(approval.noted().name());
        let insert = insert.bind(votes(approval)).bind(approval.asked.document());
        insert.execute(&mut *self.transaction).await?;
        Ok(())
    }

    async fn update(&mut self, row: &Row, records: usize) -> Result<(), StoreError> {
        let approval = &row.approval;
        let standing = approval.answers(self.now).then(|| approval.asked.binding.as_str().to_owned());
        let exchange = match approval.noted() {
            State::Spent(exchange) => Some(exchange.as_str().to_owned()),
            _ => None,
        };
        let sql = "UPDATE approvals SET changed = $1, standing = $2, state = $3, exchange = $4, votes = $5 \
             WHERE number = $6 AND changed = $7";
        let update = sqlx::query(sql).bind(self.number(records)).bind(standing).bind(approval.noted().name());
        let update = update.bind(exchange).bind(votes(approval)).bind(row.number).bind(row.changed);
        let done = update.execute(&mut *self.transaction).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Unfit) }
    }
}

/// A page of approvals.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Of this state alone.
    pub state: Option<&'static str>,
    /// Opened before the one of this number.
    pub before: i64,
    /// Most of them.
    pub most: i64,
    /// What is over by then.
    pub now: i64,
}

impl Reader {
    /// An approval.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn approval(&self, id: &str) -> Result<Option<Approval>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(of(&mut connection, id).await?.map(|row| row.approval))
    }

    /// The approval that answers for a call.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn standing(&self, binding: &Binding, now: i64) -> Result<Option<Approval>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let row = standing(&mut connection, binding).await?;
        Ok(row.map(|row| row.approval).filter(|approval| approval.answers(now)))
    }

    /// The next approvals, newest first, with their numbers.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn approvals(&self, page: Page) -> Result<Vec<(i64, Approval)>, StoreError> {
        // Whether it is over is judged by the time, for that may not have been noted yet.
        let of_state = match page.state {
            None => "$2 = $2",
            Some("pending") => "state = 'pending' AND expires > $2",
            Some("approved") => "state = 'approved' AND expires > $2",
            Some("expired") => "(state = 'expired' OR state IN ('pending', 'approved') AND expires <= $2)",
            Some("denied") => "state = 'denied' AND $2 = $2",
            Some(_) => "state = 'spent' AND $2 = $2",
        };
        let sql = format!("{COLUMNS} WHERE number < $1 AND {of_state} ORDER BY number DESC LIMIT $3");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(page.before).bind(page.now).bind(page.most);
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| read(row).map(|row| (row.number, row.approval))).collect()
    }

    /// Ids of approvals that changed behind a number of arrival, and the last such number.
    ///
    /// # Errors
    /// The database cannot.
    pub async fn changed_approvals(&self, after: i64) -> Result<(Vec<String>, i64), StoreError> {
        let sql = "SELECT id, changed FROM approvals WHERE changed > $1 ORDER BY changed LIMIT $2";
        let (mut ids, mut last) = (Vec::new(), after);
        for row in sqlx::query(sql).bind(after).bind(MOST).fetch_all(&self.pool).await? {
            ids.push(row.try_get(0)?);
            last = row.try_get(1)?;
        }
        Ok((ids, last))
    }
}

async fn of(connection: &mut AnyConnection, id: &str) -> Result<Option<Row>, StoreError> {
    let sql = format!("{COLUMNS} WHERE id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_owned()).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

async fn standing(connection: &mut AnyConnection, binding: &Binding) -> Result<Option<Row>, StoreError> {
    let sql = format!("{COLUMNS} WHERE standing = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(binding.as_str().to_owned());
    let row = query.fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

fn votes(approval: &Approval) -> String {
    serde_json::to_string(approval.votes()).unwrap_or_default()
}

fn read(row: &AnyRow) -> Result<Row, StoreError> {
    let (id, times): (String, (i64, i64)) = (row.try_get(2)?, (row.try_get(3)?, row.try_get(4)?));
    let (state, exchange): (String, Option<String>) = (row.try_get(5)?, row.try_get(6)?);
    let (votes, asked): (String, String) = (row.try_get(7)?, row.try_get(8)?);
    let exchange = exchange.map(Exchange::try_from).transpose().map_err(|_| StoreError::Approval)?;
    let state = State::named(&state, exchange).ok_or(StoreError::Approval)?;
    let votes = serde_json::from_str(&votes).map_err(|_| StoreError::Approval)?;
    let asked: Asked = serde_json::from_str(&asked).map_err(|_| StoreError::Approval)?;
    let approval = Approval::kept(id, Arc::new(asked), times, state, votes);
    Ok(Row { number: row.try_get(0)?, changed: row.try_get(1)?, approval })
}
