//! One case, played on a proxy of memory by the code that runs in the module.

use std::rc::Rc;

use portcullis::config::Problem;
use portcullis::config::set::{
    Audit, Bundle, Capture, ClusterRef, Compression, Delivery, Encoding, Issuer, Located, TemplatePart,
};
use portcullis::exchange::{Exchange, Worker};
use portcullis::host::memory::Memory;
use portcullis::host::{CallId, Flow, Header, Reply, Shared, Side};
use portcullis::policy::budget::service::StandIn;
use serde_json::Value;

use super::case::{Case, Given};
use super::token::Signer;

/// How often the worker looks after what is under way, at most, until a record must have come.
const TICKS: u64 = 40;
/// Time between two looks, in nanoseconds.
const TICK: u64 = 50_000_000;
/// The cluster of records where the set has none.
const AUDIT: &str = "audit";

/// A set, ready to be played.
pub struct Stage {
    worker: Rc<Worker>,
    signer: Signer,
    issuers: Vec<Issuer>,
    audit: String,
    rates: Option<String>,
    /// The cluster of the service that asks humans, and its path there: the collector may be both.
    approvals: Option<(String, String)>,
    env: std::collections::HashMap<String, String>,
}

/// A message as it came out.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// `:path` of a request.
    pub path: String,
    /// Of an answer.
    pub status: u16,
    /// Without pseudo headers.
    pub headers: Vec<Header>,
    /// What came through.
    pub body: Vec<u8>,
}

/// What came of a case.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What went upstream; `None`: nothing.
    pub request: Option<Sent>,
    /// What the caller got.
    pub answer: Sent,
    /// Whether the answer was broken off.
    pub broken: bool,
    /// The end record; empty where an exchange is not recorded.
    pub record: serde_json::Map<String, Value>,
    /// What the filter logged.
    pub log: Vec<String>,
}

impl Stage {
    /// Compiles a set as the module does, for callers of tests, with these values in its environment.
    ///
    /// # Errors
    /// What `check` would say.
    pub fn set(
        mut bundle: Bundle,
        given: &std::collections::BTreeMap<String, String>,
    ) -> Result<Self, Vec<Problem>> {
        let signer = Signer::for_all(&mut bundle);
        stand_for_secrets(&mut bundle);
        let audit = bundle.set.audit.get_or_insert_with(records);
        // Records are read here, whatever the collector reads.
        (audit.encoding, audit.compression) = (Encoding::Json, Compression::None);
        let audit = audit.cluster.cluster.value.clone();
        let rates =
            bundle.set.rate_limit_service.as_ref().map(|service| service.cluster.cluster.value.clone());
        let approvals = bundle.set.approvals.as_mut().map(|service| {
            // Nobody can sign for the approvers of cases.
            service.public_key = None;
            let path = service.cluster.path.clone().unwrap_or_else(|| "/v1/approvals".to_owned());
            (service.cluster.cluster.value.clone(), path)
        });
        let names = bundle.set.env_names();
        let mut env: std::collections::HashMap<String, String> =
            names.into_iter().map(|name| (name.to_owned(), stand_in(name))).collect();
        env.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
        let host = Memory { env: env.clone(), ..Memory::default() };
        let worker = Rc::new(Worker::of(&host, &bundle)?);
        Ok(Self { worker, signer, issuers: bundle.set.issuers, audit, rates, approvals, env })
    }

    /// Plays a case.
    ///
    /// # Errors
    /// The case speaks of what the set has not.
    pub fn play(&self, case: &Case) -> Result<Outcome, String> {
        let mut kept = Kept::default();
        for _ in 1..case.repeat {
            kept = self.play_once(case, kept)?.1;
        }
        self.play_once(case, kept).map(|(outcome, _)| outcome)
    }

    /// One of the calls of a case.
    fn play_once(&self, case: &Case, kept: Kept) -> Result<(Outcome, Kept), String> {
        let host = Memory { env: self.env.clone(), shared: kept.shared.into(), ..Memory::default() };
        host.now.set(case.time);
        host.request.replace(self.head(case)?);
        host.properties
            .borrow_mut()
            .extend(case.proxy.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut run =
            Run { stage: self, case, host, counted: kept.counted, answered: 0, outcome: Outcome::default() };
        run.play();
        Ok((run.outcome, Kept { shared: run.host.shared.take(), counted: run.counted }))
    }

    fn head(&self, case: &Case) -> Result<Vec<Header>, String> {
        let asked = &case.request;
        let mut headers = vec![
            header(":method", &asked.method),
            header(":path", &asked.path),
            header(":authority", &asked.authority),
            header(":scheme", "http"),
        ];
        if let Some(caller) = &case.identity {
            let token = self.signer.token(&self.issuers, caller, case.time)?;
            headers.push(match &caller.header {
                None => header("authorization", &format!("Bearer {token}")),
                Some(name) if name == "authorization" => header(name, &format!("Bearer {token}")),
                Some(name) => header(name, &token),
            });
        }
        headers.extend(asked.headers.iter().map(|(name, value)| header(name, value)));
        Ok(headers)
    }
}

/// What one call of a case leaves for the next.
#[derive(Default)]
struct Kept {
    /// What workers share.
    shared: std::collections::HashMap<String, Shared>,
    /// What the rate limit service counted.
    counted: StandIn,
}

/// How long until an exchange asks a service again.
const MOMENT: std::time::Duration = std::time::Duration::from_secs(2);
/// What a case has the service say that asks humans.
const VERDICTS: [&[u8]; 3] = [b"PENDING", b"APPROVED", b"DENIED"];

fn header(name: &str, value: &str) -> Header {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// Records are read by cases whether the set sends them anywhere or not.
fn records() -> Audit {
    Audit {
        cluster: ClusterRef {
            cluster: Located { value: AUDIT.to_owned(), ..Located::default() },
            authority: None,
            path: None,
            timeout: std::time::Duration::from_secs(1),
            headers: Vec::new(),
        },
        capture: Capture::None,
        recipients: Vec::new(),
        mask: Vec::new(),
        delivery: Delivery::Async,
        encoding: Encoding::Json,
        compression: Compression::None,
        signing_key: None,
    }
}

/// No case asks a service for a secret: it is a variable like any other, named `secret:NAME`.
fn stand_for_secrets(bundle: &mut Bundle) {
    let values = bundle.set.connections.iter_mut().flat_map(|connection| &mut connection.credentials);
    for part in values.flat_map(|credential| &mut credential.value.parts) {
        if let TemplatePart::Secret(name) = part {
            *part = TemplatePart::Env(format!("secret:{name}"));
        }
    }
    bundle.set.secrets.clear();
}

/// What a variable has that no case gives: long enough for a key, and to be known again.
fn stand_in(name: &str) -> String {
    format!("value-of-{name}-0123456789abcdef0123456789abcdef")
}

/// A case under way.
struct Run<'s> {
    stage: &'s Stage,
    case: &'s Case,
    host: Memory,
    /// What stands in for the rate limit service, where the case has none.
    counted: StandIn,
    /// Calls that have their reply.
    answered: usize,
    outcome: Outcome,
}

impl Run<'_> {
    fn play(&mut self) {
        let mut exchange = Exchange::begin(Rc::clone(&self.stage.worker), 1);
        if self.ask(&mut exchange) {
            self.reply(&mut exchange);
        }
        let details = if self.outcome.request.is_some() { "via_upstream" } else { "" };
        self.host
            .properties
            .borrow_mut()
            .insert("response.code_details".to_owned(), details.as_bytes().to_vec());
        exchange.finish(&self.host);
        self.collect();
        self.outcome.log = self.host.lines.take();
    }

    /// The request's half; whether it went upstream.
    fn ask(&mut self, exchange: &mut Exchange) -> bool {
        let given = &self.case.request;
        let mut flow = exchange.request_head(&self.host, given.body.is_empty());
        let mut sent = Vec::new();
        let mut left = pieces(given);
        loop {
            flow = self.settle(exchange, Side::Request, flow);
            if self.refused() {
                return false;
            }
            if flow == Flow::Continue {
                sent.append(&mut self.host.request_body.borrow_mut());
            }
            let Some(piece) = left.next() else { break };
            self.host.request_body.borrow_mut().extend_from_slice(piece);
            let size = self.host.request_body.borrow().len();
            flow = exchange.request_body(&self.host, size, left.len() == 0);
        }
        if flow == Flow::Pause {
            return false;
        }
        self.outcome.request = Some(message(&self.host.request.borrow(), sent));
        true
    }

    /// The answer's half.
    fn reply(&mut self, exchange: &mut Exchange) {
        let given = &self.case.answer;
        let status = header(":status", &given.status.to_string());
        let headers = given.headers.iter().map(|(name, value)| header(name, value));
        self.host.response.replace(std::iter::once(status).chain(headers).collect());
        let mut flow = exchange.response_head(&self.host, given.body.is_empty());
        let mut sent = Vec::new();
        let mut left = pieces(given);
        loop {
            flow = self.settle(exchange, Side::Response, flow);
            if self.refused() {
                return;
            }
            if flow == Flow::Continue {
                sent.append(&mut self.host.response_body.borrow_mut());
            }
            if self.host.resets.get() > 0 {
                self.outcome.broken = true;
                break;
            }
            let Some(piece) = left.next() else { break };
            self.host.response_body.borrow_mut().extend_from_slice(piece);
            let size = self.host.response_body.borrow().len();
            flow = exchange.response_body(&self.host, size, left.len() == 0);
        }
        self.outcome.answer = message(&self.host.response.borrow(), sent);
    }

    /// Answers the calls that an event made; whether the side goes on after them.
    fn settle(&mut self, exchange: &mut Exchange, side: Side, flow: Flow) -> Flow {
        loop {
            while self.host.hastened.take() {
                self.record_first(exchange);
            }
            let open = self.open_calls();
            if open.is_empty() && !(side == Side::Request && self.tries_again(exchange)) {
                break;
            }
            for (call, cluster) in open {
                let reply = match self.asks_humans(call) {
                    true => self.approver_of(call, &cluster),
                    false if cluster == self.stage.audit => continue,
                    false => self.answer_of(call, &cluster),
                };
                exchange.reply(&self.host, call, &reply);
            }
        }
        let resumed = self.host.resumed.take().contains(&side);
        if resumed { Flow::Continue } else { flow }
    }

    /// Gives the worker the turn that an exchange asked for, which waits until the collector has its record.
    fn record_first(&mut self, exchange: &mut Exchange) {
        let mut woken = self.stage.worker.tick(&self.host);
        for (call, cluster) in self.open_calls() {
            if cluster == self.stage.audit {
                woken.extend(self.stage.worker.reply(&self.host, call, &self.collector()));
            }
        }
        if !woken.is_empty() {
            exchange.wake(&self.host);
        }
    }

    /// The collector takes records, unless the case says otherwise.
    fn collector(&self) -> Reply {
        let given = self.case.services.get(&self.stage.audit);
        if given.is_some_and(|given| !VERDICTS.contains(&given.body.as_slice())) {
            return self.service(&self.stage.audit);
        }
        Reply::Answer { status: 200, headers: Vec::new(), body: b"{}".to_vec() }
    }

    fn open_calls(&mut self) -> Vec<(CallId, String)> {
        let calls = self.host.calls.borrow();
        let open: Vec<_> =
            calls.iter().skip(self.answered).map(|(id, call)| (*id, call.cluster.clone())).collect();
        self.answered = calls.len();
        open
    }

    /// What a service answers; one that the case does not speak of is down.
    fn service(&self, cluster: &str) -> Reply {
        match self.case.services.get(cluster) {
            None => Reply::Broken,
            Some(given) => Reply::Answer {
                status: given.status,
                headers: given.headers.iter().map(|(name, value)| header(name, value)).collect(),
                body: given.body.clone(),
            },
        }
    }

    /// What a service answers to this call.
    fn answer_of(&mut self, call: CallId, cluster: &str) -> Reply {
        if self.stage.rates.as_deref() != Some(cluster) {
            return self.service(cluster);
        }
        let granted = |body| Reply::Answer { status: 200, headers: vec![header("grpc-status", "0")], body };
        match self.case.services.get(cluster).map(|given| given.body.as_slice()) {
            None => {}
            Some(b"OK") => return granted(StandIn::verdict(false)),
            Some(b"OVER_LIMIT") => return granted(StandIn::verdict(true)),
            Some(_) => return self.service(cluster),
        }
        let calls = self.host.calls.borrow();
        let body = calls.iter().find(|(id, _)| *id == call).map(|(_, call)| call.body.as_slice());
        match body.and_then(|body| self.counted.answer(body, self.case.time)) {
            Some(body) => granted(body),
            None => Reply::Broken,
        }
    }

    /// Lets a moment go by in which the exchange may ask again for an approval, where the service did not say; whether it
    /// did.
    fn tries_again(&mut self, exchange: &mut Exchange) -> bool {
        let refused = !self.host.answers.borrow().is_empty();
        let gone = self.host.resumed.borrow().contains(&Side::Request);
        let asked = self.host.calls.borrow().last().map(|(call, _)| *call);
        if refused || gone || !asked.is_some_and(|call| self.asks_humans(call)) {
            return false;
        }
        let moment = u64::try_from(MOMENT.as_nanos()).unwrap_or(u64::MAX);
        self.host.now.set(self.host.now.get().saturating_add(moment));
        let woken = self.stage.worker.tick(&self.host);
        if !woken.is_empty() {
            exchange.wake(&self.host);
        }
        !woken.is_empty()
    }

    /// Whether a call is for the service that asks humans.
    fn asks_humans(&self, call: CallId) -> bool {
        let Some((cluster, path)) = &self.stage.approvals else { return false };
        let calls = self.host.calls.borrow();
        let Some((_, call)) = calls.iter().find(|(id, _)| *id == call) else { return false };
        let asked = call.headers.iter().find(|(name, _)| name == ":path");
        call.cluster == *cluster && asked.is_some_and(|(_, asked)| asked.starts_with(path.as_str()))
    }

    /// What the humans say whom a rule asks: nothing, unless the case says otherwise.
    fn approver_of(&mut self, call: CallId, cluster: &str) -> Reply {
        let state = match self.case.services.get(cluster).map(|given| given.body.as_slice()) {
            None | Some(b"PENDING") => "pending",
            Some(b"APPROVED") => "approved",
            Some(b"DENIED") => "denied",
            Some(_) => return self.service(cluster),
        };
        let calls = self.host.calls.borrow();
        let Some((_, call)) = calls.iter().find(|(id, _)| *id == call) else { return Reply::Broken };
        if call.body.is_empty() {
            // The wait for an answer goes by.
            let waited = u64::try_from(call.timeout.as_nanos()).unwrap_or(u64::MAX);
            self.host.now.set(self.host.now.get().saturating_add(waited));
        }
        let asked: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
        // To be spent is all that is asked of an approval without rules.
        let spent = state == "approved" && asked.get("ttl").is_none() && !call.body.is_empty();
        let body = serde_json::json!({
            "id": "apr_test",
            "state": if spent { "spent" } else { state },
            "exchange": asked.get("exchange"),
            "by": ["approver"],
        });
        Reply::Answer { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    /// Whether the filter answered itself; the caller then has that.
    fn refused(&mut self) -> bool {
        let answers = self.host.answers.borrow();
        let Some(answer) = answers.last() else { return false };
        let headers = answer.headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone()));
        self.outcome.answer = Sent {
            path: String::new(),
            status: answer.status,
            headers: headers.collect(),
            body: answer.body.clone(),
        };
        true
    }

    /// Lets the worker send its records, and keeps that of the exchange's end.
    fn collect(&mut self) {
        let worker = &self.stage.worker;
        for _ in 0..TICKS {
            self.host.now.set(self.host.now.get().saturating_add(TICK));
            worker.tick(&self.host);
            for (call, cluster) in self.open_calls() {
                let reply = if cluster == self.stage.audit {
                    self.keep_records(call);
                    Reply::Answer { status: 200, headers: Vec::new(), body: b"{}".to_vec() }
                } else {
                    self.answer_of(call, &cluster)
                };
                worker.reply(&self.host, call, &reply);
            }
            if !self.outcome.record.is_empty() {
                return;
            }
        }
    }

    fn keep_records(&mut self, wanted: CallId) {
        let calls = self.host.calls.borrow();
        let Some((_, call)) = calls.iter().find(|(id, _)| *id == wanted) else { return };
        for record in crate::records::of_batch(&call.body) {
            if record.get("event.name").and_then(Value::as_str) == Some("portcullis.exchange.end") {
                self.outcome.record = record;
            }
        }
    }
}

fn message(headers: &[Header], body: Vec<u8>) -> Sent {
    let pseudo = |wanted: &[u8]| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    Sent {
        path: pseudo(b":path"),
        status: pseudo(b":status").parse().unwrap_or_default(),
        headers: headers.iter().filter(|(name, _)| !name.starts_with(b":")).cloned().collect(),
        body,
    }
}

fn pieces(given: &Given) -> std::slice::Chunks<'_, u8> {
    given.body.chunks(given.pieces.unwrap_or(given.body.len()).max(1))
}
