//! Budgets: who is let in, what is set aside, what is settled, and what callers are told.

mod admission;
mod settling;
mod streams;
mod told;

use serde_json::{Value, json};

use super::{ISSUER, QUESTION, Rig, bundle, set};
use crate::exchange::buckets::{self, Tune};
use crate::exchange::{Exchange, Worker};
use crate::host::memory::Memory;
use crate::host::{Flow, Side};
use crate::policy::budget::{Fingerprint, Rate};

const SSE: [(&str, &str); 1] = [("content-type", "text/event-stream")];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn rig(budgets: Value) -> Rig {
    with(budgets, |_| {})
}

fn with(budgets: Value, change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        let policy = &mut set["policies"][0];
        policy["budgets"] = budgets;
        policy["limits"] = json!({ "max_output_tokens": 100 });
        policy.as_object_mut().unwrap().remove("mask");
        change(set);
    })
}

fn tokens(limit: u64) -> Value {
    json!([{ "name": "mine", "key": "identity.id", "tokens": limit, "per": "1m" }])
}

impl Rig {
    /// A request with this body; none if it was let in, else the code of the refusal.
    fn tried(&self, body: &str) -> (Exchange, Option<String>) {
        let mut exchange = self.ask(&["rag-users"]);
        let mut flow = exchange.request_head(&self.host, false);
        if self.host.answers.borrow().is_empty() {
            flow = self.send(&mut exchange, body);
        }
        let refused = (flow == Flow::Pause).then(|| self.code());
        (exchange, refused)
    }

    fn admitted(&self, body: &str) -> Exchange {
        let (exchange, refused) = self.tried(body);
        assert_eq!(refused, None);
        exchange
    }

    /// What of the only budget can be taken.
    fn left(&self) -> u64 {
        self.host.answers.borrow_mut().clear();
        let policy = self.worker.guard.lanes[1].policy.as_ref().unwrap();
        let rate = policy.budgets.first_rate();
        let of = Fingerprint::of(&["p", "mine", &format!("{}#alice", ISSUER)]);
        buckets::change(&self.host, of, Tune::Kept(rate), |bucket| bucket.left()).unwrap()
    }

    fn ended(&self, exchange: &mut Exchange, status: &str, body: &str) {
        self.answer(exchange, status, &JSON);
        self.piece(exchange, body, true);
        exchange.finish(&self.host);
    }

    fn told(&self, name: &str) -> Option<String> {
        self.host.header(Side::Response, name)
    }

    fn sent_body(&self) -> Value {
        serde_json::from_slice(&self.host.request_body.borrow()).unwrap()
    }

    /// A request to another path than that of chat, with this body.
    fn posted(&self, path: &str, body: &str) -> Exchange {
        let bearer = format!("Bearer {}", self.token(&["rag-users"]));
        self.head("POST", path, &[("authorization", &bearer), ("content-type", "application/json")]);
        let mut exchange = Exchange::begin(std::rc::Rc::clone(&self.worker), 7);
        exchange.request_head(&self.host, false);
        assert_eq!(self.send(&mut exchange, body), Flow::Continue, "{:?}", self.host.answers.borrow());
        exchange
    }

    /// The same set with other budgets, on the same proxy.
    fn updated(self, budgets: Value) -> Self {
        let mut set = set(&self.key);
        let policy = &mut set["policies"][0];
        policy["budgets"] = budgets;
        policy["limits"] = json!({ "max_output_tokens": 100 });
        policy.as_object_mut().unwrap().remove("mask");
        let worker = Worker::start(&self.host, &bundle(&set, true)).unwrap();
        Self { worker: std::rc::Rc::new(worker), ..self }
    }
}

fn answered(usage: Value) -> String {
    json!({ "choices": [{ "index": 0, "message": { "content": "four byte words" } }], "usage": usage })
        .to_string()
}
