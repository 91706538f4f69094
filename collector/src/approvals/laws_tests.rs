//! Every order of events, with every answer lost: filters that open, ask and spend, people who vote, time that goes by.
//!
//! The database does what a request asks, one at a time; its answer comes or is lost, be it that the collector died
//! between the two. Whoever hears nothing may ask again, as often as it likes, or never. (A request that is lost on its
//! way is one that was not sent yet.) Worlds in which all is the same are looked at once, so the search ends.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::asked::{Asked, Binding, Exchange};
use super::state::{Approval, Approver, Ballot, Cast, Spend, State, Vote};

const SECOND: i64 = 1_000_000_000;
/// Seconds that an approval lives, and that the world does.
const LIFE: i64 = 1;
const END: i64 = 2;
/// Approvals that a world has room for.
const ROOM: usize = 2;

/// What one world is like.
struct Scene {
    /// Rules: groups, quorum.
    rules: &'static [(&'static [&'static str], u32)],
    /// Exchanges, each of the first call or of the second.
    exchanges: &'static [u8],
    /// Who votes, with which groups, and how.
    voters: &'static [(&'static str, &'static [&'static str], &'static str)],
}

const SCENES: [Scene; 6] = [
    Scene {
        rules: &[(&["dba"], 1)],
        exchanges: &[0, 0],
        voters: &[("bob", &["dba"], "yes"), ("carol", &["dba"], "no")],
    },
    Scene {
        rules: &[(&["dba"], 1)],
        exchanges: &[0, 0],
        voters: &[("alice", &["dba"], "yes"), ("bob", &["dba"], "yes"), ("mallory", &["web"], "yes")],
    },
    Scene {
        rules: &[(&["dba"], 1), (&["sec"], 1)],
        exchanges: &[0, 0],
        voters: &[("bob", &["dba"], "yes"), ("carol", &["sec"], "yes"), ("mallory", &["web"], "no")],
    },
    Scene {
        rules: &[(&[], 2)],
        exchanges: &[0, 0],
        voters: &[("alice", &[], "yes"), ("bob", &[], "yes"), ("carol", &[], "yes")],
    },
    Scene {
        rules: &[(&["dba"], 2)],
        exchanges: &[0, 0],
        voters: &[("alice", &[], "break"), ("bob", &["dba"], "yes"), ("bob", &["dba"], "no")],
    },
    Scene {
        rules: &[(&["dba"], 1)],
        exchanges: &[0, 1],
        voters: &[("bob", &["dba"], "yes"), ("carol", &["dba"], "yes")],
    },
];

/// What a filter does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Open,
    Ask(usize),
    Spend(usize),
    Through,
    Over,
}

/// What becomes of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lost,
    Answered,
}

#[derive(Clone)]
struct World {
    /// What the database holds.
    book: Vec<Approval>,
    now: i64,
    filters: Vec<Next>,
    /// What each asks.
    asked: Arc<Vec<Arc<Asked>>>,
    /// Exchanges that were let through, or would have been had the answer come.
    through: Vec<BTreeSet<usize>>,
}

/// What was seen on the way: that the search tries what it says.
#[derive(Debug, Default)]
struct Seen {
    worlds: usize,
    through: usize,
    denied: usize,
    expired_approved: usize,
    again: usize,
    refused: usize,
    reopened: usize,
}

fn binding(call: u8) -> Binding {
    format!("{call:064x}").try_into().unwrap()
}

fn exchange(filter: usize) -> Exchange {
    format!("exchange-{filter}").try_into().unwrap()
}

fn asked(scene: &Scene, filter: usize) -> Arc<Asked> {
    let rules = scene.rules.iter().enumerate().map(|(at, (approvers, quorum))| {
        serde_json::json!({ "rule": format!("r{at}"), "approvers": approvers, "quorum": quorum })
    });
    let rules = rules.collect::<Vec<_>>();
    let body = serde_json::json!({
        "binding": binding(scene.exchanges[filter]).as_str(), "exchange": exchange(filter).as_str(),
        "caller": { "id": "alice" }, "rules": rules, "ttl": LIFE,
    });
    Arc::new(Asked::of(body.to_string().as_bytes()).unwrap())
}

fn said(vote: &Vote) -> [u8; 2] {
    let what = match vote.cast {
        Cast::Approve { .. } => 0,
        Cast::Deny { .. } => 1,
        Cast::BreakGlass { .. } => 2,
    };
    [vote.by.as_bytes()[0], what]
}

impl World {
    fn new(scene: &Scene) -> Self {
        Self {
            book: Vec::new(),
            now: 0,
            filters: vec![Next::Open; scene.exchanges.len()],
            asked: Arc::new((0..scene.exchanges.len()).map(|filter| asked(scene, filter)).collect()),
            through: Vec::new(),
        }
    }

    /// All that tells two worlds apart.
    fn key(&self) -> Vec<u8> {
        let mut key = vec![u8::try_from(self.now / SECOND).unwrap()];
        for filter in &self.filters {
            let (next, of) = match *filter {
                Next::Open => (0, 0),
                Next::Ask(of) => (1, of),
                Next::Spend(of) => (2, of),
                Next::Through => (3, 0),
                Next::Over => (4, 0),
            };
            key.extend([next, u8::try_from(of).unwrap()]);
        }
        for (approval, through) in self.book.iter().zip(&self.through) {
            key.push(255);
            key.push(u8::try_from(approval.opened / SECOND).unwrap());
            key.extend(approval.asked.binding.as_str().bytes().last());
            key.extend(approval.noted().name().bytes().take(1));
            key.extend(through.iter().map(|filter| u8::try_from(*filter).unwrap()));
            // Who said what, in whatever order.
            let mut votes: Vec<[u8; 2]> = approval.votes().iter().map(said).collect();
            votes.sort_unstable();
            key.extend(votes.concat());
        }
        key
    }

    /// As the database does it: what answers for the call, or a new one.
    fn open(&mut self, filter: usize) -> usize {
        let asked = Arc::clone(&self.asked[filter]);
        let now = self.now;
        let there = self.book.iter().position(|one| one.asked.binding == asked.binding && one.answers(now));
        there.unwrap_or_else(|| {
            self.book.push(Approval::open(format!("apr_{}", self.book.len()), asked, now));
            self.through.push(BTreeSet::new());
            self.book.len() - 1
        })
    }

    /// What a filter does once it knows the state.
    fn after(&self, of: usize) -> Next {
        match self.book[of].state(self.now) {
            State::Pending => Next::Ask(of),
            State::Approved => Next::Spend(of),
            State::Denied => Next::Over,
            State::Expired | State::Spent(_) => Next::Open,
        }
    }

    fn filter(&mut self, scene: &Scene, filter: usize, fate: Fate, seen: &mut Seen) {
        let next = match self.filters[filter] {
            Next::Open => {
                let before = self.book.len();
                let of = self.open(filter);
                seen.reopened += usize::from(before > 0 && self.book.len() > before);
                self.after(of)
            }
            Next::Ask(of) => self.after(of),
            Next::Spend(of) => self.spend(scene, filter, of, seen),
            Next::Through | Next::Over => return,
        };
        if fate == Fate::Answered {
            self.filters[filter] = next;
        }
    }

    /// A filter that spends whatever there is, in a state of its own or of another call.
    fn grab(&mut self, scene: &Scene, filter: usize, of: usize, seen: &mut Seen) {
        self.spend(scene, filter, of, seen);
    }

    fn spend(&mut self, scene: &Scene, filter: usize, of: usize, seen: &mut Seen) -> Next {
        let before = self.book[of].clone();
        let call = binding(scene.exchanges[filter]);
        match self.book[of].spend(self.now, &call, &exchange(filter)) {
            Spend::Now => {
                assert!(rightly(scene, &before), "spent though nobody may say so: {before:?}");
                assert!(self.now < before.opened + LIFE * SECOND, "spent though it is over: {before:?}");
                assert_eq!(before.asked.binding, call, "spent by another call: {before:?}");
                seen.through += 1;
            }
            Spend::Before => seen.again += 1,
            Spend::No => {
                seen.refused += 1;
                let next = self.after(of);
                return if next == Next::Spend(of) { Next::Over } else { next };
            }
        }
        self.through[of].insert(filter);
        assert_eq!(self.through[of].len(), 1, "spent by two: {:?}", self.book[of]);
        Next::Through
    }

    fn vote(&mut self, scene: &Scene, voter: usize, of: usize, seen: &mut Seen) {
        let (who, groups, how) = scene.voters[voter];
        let approver = Approver {
            id: who.to_owned(),
            name: who.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        let ballot = match how {
            "yes" => Ballot::Approve(None),
            "no" => Ballot::Deny("no".to_owned()),
            _ => Ballot::BreakGlass("fire".to_owned()),
        };
        let _ = self.book[of].vote(self.now, &approver, ballot);
        seen.denied += usize::from(*self.book[of].noted() == State::Denied);
    }

    fn expire(&mut self, seen: &mut Seen) {
        for approval in &mut self.book {
            let approved = *approval.noted() == State::Approved;
            seen.expired_approved += usize::from(approval.expire(self.now) && approved);
        }
    }
}

/// Judged anew from who said what: whoever the rules ask has said yes, nobody said no.
fn rightly(scene: &Scene, approval: &Approval) -> bool {
    let groups = |who: &str| scene.voters.iter().find(|(name, _, _)| *name == who).unwrap().1;
    let votes = approval.votes();
    if votes.iter().any(|vote| matches!(vote.cast, Cast::Deny { .. })) {
        return false;
    }
    if votes.iter().any(|vote| matches!(vote.cast, Cast::BreakGlass { .. })) {
        return true;
    }
    scene.rules.iter().all(|(asked, quorum)| {
        let who: BTreeSet<&str> = votes.iter().map(|vote| vote.by.as_str()).collect();
        let counts = |who: &&&str| {
            **who != "alice" && (asked.is_empty() || groups(who).iter().any(|group| asked.contains(group)))
        };
        who.iter().filter(counts).count() >= usize::try_from(*quorum).unwrap()
    })
}

/// What is over stays over.
fn onwards(before: &World, after: &World) {
    for (before, after) in before.book.iter().zip(&after.book) {
        match before.noted() {
            State::Denied | State::Expired | State::Spent(_) => assert_eq!(before.noted(), after.noted()),
            State::Approved => assert!(*after.noted() != State::Pending && *after.noted() != State::Denied),
            State::Pending => (),
        }
    }
    // Of one call, one approval at most answers.
    for (at, one) in after.book.iter().enumerate().filter(|(_, one)| one.answers(after.now)) {
        let more = after.book.iter().skip(at + 1).filter(|more| more.answers(after.now));
        assert!(more.clone().all(|more| more.asked.binding != one.asked.binding), "two answer for one call");
    }
}

fn explore(scene: &Scene) -> Seen {
    let mut seen = Seen::default();
    let start = World::new(scene);
    let mut known = HashSet::from([start.key()]);
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        seen.worlds += 1;
        let mut go = |change: &dyn Fn(&mut World, &mut Seen), seen: &mut Seen| {
            let mut next = world.clone();
            change(&mut next, seen);
            onwards(&world, &next);
            if next.book.len() <= ROOM && known.insert(next.key()) {
                open.push(next);
            }
        };
        for filter in 0..world.filters.len() {
            for fate in [Fate::Lost, Fate::Answered] {
                go(&|next, seen| next.filter(scene, filter, fate, seen), &mut seen);
            }
            for of in 0..world.book.len() {
                go(&|next, seen| next.grab(scene, filter, of, seen), &mut seen);
            }
        }
        for voter in 0..scene.voters.len() {
            for of in 0..world.book.len() {
                // An answer tells a voter nothing that changes what comes: lost or not is the same.
                go(&|next, seen| next.vote(scene, voter, of, seen), &mut seen);
            }
        }
        go(&|next, seen| next.expire(seen), &mut seen);
        if world.now < END * SECOND {
            go(&|next, _| next.now += SECOND, &mut seen);
        }
    }
    seen
}

#[test]
fn in_no_order_is_an_approval_spent_twice_or_unapproved_or_late() {
    let all: Vec<Seen> = SCENES.iter().map(explore).collect();
    for seen in &all {
        println!("{seen:?}");
        assert!(
            seen.through > 0 && seen.again > 0 && seen.refused > 0 && seen.expired_approved > 0,
            "{seen:?}"
        );
    }
    assert!(all.iter().any(|seen| seen.denied > 0) && all.iter().any(|seen| seen.reopened > 0));
}
