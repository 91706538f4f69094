//! Votes of several people at once, in real databases.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::asked::Asked;
use super::desk::{Desk, Herald, desk};
use super::new_id;
use super::notices::Notices;
use super::place::Place;
use super::state::{Approval, Approver, Ballot, Refusal, State};
use super::waiting::Bell;
use crate::access::ledger;
use crate::retention::{KeepOptions, retention};
use crate::store::{Appender, Deed, Done, Reader, Room, now};
use crate::writer::{Inlet, Turns, writer};

/// A collector without its addresses; the inlet keeps it alive.
async fn collector(place: &Place) -> (Desk, Inlet) {
    let appender = Appender::open(&place.url().parse().unwrap(), Vec::new()).await.unwrap();
    let herald = Herald { bell: Arc::new(Bell::default()), notices: Notices::default() };
    let (desk, deeds) = desk(herald, Duration::from_secs(3600));
    let reader = Reader::open(&place.url().parse().unwrap()).await.unwrap();
    let keep = KeepOptions { keep_days: None, keep_bytes: None };
    let turns = Turns { deeds, reads: ledger().1, removals: retention(keep, reader).1 };
    let (inlet, writer) = writer(appender, Duration::from_secs(60), turns);
    tokio::spawn(writer.run());
    (desk, inlet)
}

async fn open(desk: &Desk, rules: serde_json::Value) -> Approval {
    let id = new_id().unwrap();
    let asked = json!({ "binding": format!("{:0>64}", id.replace("apr_", "")), "exchange": "x", "caller": { "id": "alice" },
        "rules": rules, "ttl": 900 });
    let asked = Arc::new(Asked::of(asked.to_string().as_bytes()).unwrap());
    match desk.ask(Deed::Open { id, asked, room: Room { all: 100, each: 100 } }).await.unwrap() {
        Done::Well(approval) => approval,
        other => panic!("{other:?}"),
    }
}

fn person(id: &str, groups: &[&str]) -> Approver {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Approver { id: id.to_owned(), name: id.to_owned(), groups }
}

async fn vote(desk: &Desk, id: &str, by: Approver, ballot: Ballot) -> Result<Approval, Refusal> {
    match desk.ask(Deed::Vote { id: id.to_owned(), by, ballot }).await.unwrap() {
        Done::Well(approval) => Ok(approval),
        Done::Refused(refusal, _) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

async fn a_quorum_is_counted_once_however_many_vote_at_once(place: Place) {
    let (one, _alive) = collector(&place).await;
    // Another collector, where the database is for several.
    let (other, _alive) = match place {
        Place::Sqlite(_) => (one.clone(), None),
        Place::Postgres(_) => {
            let (desk, inlet) = collector(&place).await;
            (desk, Some(inlet))
        }
    };
    for _ in 0..10 {
        let approval = open(&one, json!([{ "rule": "r", "approvers": ["dba"], "quorum": 3 }])).await;
        let votes = (0..8).map(|voter| {
            let (desk, id) = (if voter % 2 == 0 { &one } else { &other }, &approval.id);
            // Each person twice, as one who presses a button twice.
            vote(desk, id, person(&format!("p{}", voter / 2), &["dba"]), Ballot::Approve(None))
        });
        let votes = futures_util::future::join_all(votes).await;
        assert_eq!(votes.iter().filter(|vote| vote.is_ok()).count(), 3, "{votes:?}");
        let again = vote(&one, &approval.id, person("late", &["dba"]), Ballot::Deny("no".to_owned())).await;
        assert_eq!(again, Err(Refusal::Over("approved")));
    }
}

async fn groups_and_ones_own_call_are_judged_in_the_database_too(place: Place) {
    let (desk, _alive) = collector(&place).await;
    let reader = Reader::open(&place.url().parse().unwrap()).await.unwrap();
    let rules = json!([{ "rule": "a", "approvers": ["dba"], "quorum": 1 }, { "rule": "b", "approvers": ["sec"], "quorum": 1 }]);
    let approval = open(&desk, rules.clone()).await;
    let yes = || Ballot::Approve(Some("fine \u{0} \u{1f600}".to_owned()));
    let id = &approval.id;
    assert_eq!(vote(&desk, id, person("alice", &["dba", "sec"]), yes()).await, Err(Refusal::Own));
    assert_eq!(vote(&desk, id, person("mallory", &["web"]), yes()).await, Err(Refusal::Stranger));
    let half = vote(&desk, id, person("bob", &["dba"]), yes()).await.unwrap();
    assert_eq!(half.state(now()), State::Pending);
    assert_eq!(vote(&desk, id, person("bob", &["dba", "sec"]), yes()).await, Err(Refusal::Again));
    assert_eq!(
        vote(&desk, id, person("carol", &["sec"]), yes()).await.unwrap().state(now()),
        State::Approved
    );
    let kept = reader.approval(id).await.unwrap().unwrap();
    assert_eq!((kept.votes().len(), kept.by().into_iter().collect::<Vec<_>>()), (2, vec!["bob", "carol"]));
    let own = open(&desk, rules).await;
    let broken = vote(&desk, &own.id, person("alice", &[]), Ballot::BreakGlass("fire".to_owned())).await;
    assert_eq!(broken.unwrap().state(now()), State::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_counted_once_in_sqlite() {
    a_quorum_is_counted_once_however_many_vote_at_once(Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_counted_once_in_postgres() {
    a_quorum_is_counted_once_however_many_vote_at_once(Place::postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_ones_own_call_are_judged_in_sqlite() {
    groups_and_ones_own_call_are_judged_in_the_database_too(Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_ones_own_call_are_judged_in_postgres() {
    groups_and_ones_own_call_are_judged_in_the_database_too(Place::postgres()).await;
}
