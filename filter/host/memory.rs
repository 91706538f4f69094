//! A proxy made of memory: it holds what Envoy would hold and writes down what it was asked to do.
//!
//! Unit tests run exchanges on it, and so does the command where it tries policies. It is not part of the module.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use super::{Call, CallError, CallId, Digest, Header, Host, Level, LocalAnswer, Metric, Shared, Side};

/// The proxy. Fields are what is set up before an exchange, or looked at after it.
#[derive(Default)]
pub struct Memory {
    /// Nanoseconds since 1970.
    pub now: Cell<u64>,
    /// Variables of the environment.
    pub env: HashMap<String, String>,
    /// Attributes by their path, joined with dots.
    pub properties: RefCell<HashMap<String, Vec<u8>>>,
    /// The request's headers, pseudo headers first.
    pub request: RefCell<Vec<Header>>,
    /// The answer's headers.
    pub response: RefCell<Vec<Header>>,
    /// Trailers of either side.
    pub trailers: RefCell<Vec<Header>>,
    /// What is buffered of the request's body.
    pub request_body: RefCell<Vec<u8>>,
    /// What is buffered of the answer's body.
    pub response_body: RefCell<Vec<u8>>,
    /// Answers that the filter gave itself.
    pub answers: RefCell<Vec<LocalAnswer>>,
    /// Sides that were let go on.
    pub resumed: RefCell<Vec<Side>>,
    /// How often the exchange was broken off.
    pub resets: Cell<u32>,
    /// Calls made, with their ids.
    pub calls: RefCell<Vec<(CallId, Call)>>,
    /// Why no call can be made.
    pub refuse_calls: Cell<Option<CallError>>,
    /// Whether the worker's next turn was asked for.
    pub hastened: Cell<bool>,
    /// Metrics by their written names.
    pub counts: RefCell<BTreeMap<String, u64>>,
    /// What workers share, each with its number.
    pub shared: RefCell<HashMap<String, Shared>>,
    /// So many times a value that workers share is another when it is to be set.
    pub raced: Cell<u32>,
    /// Filter state.
    pub state: RefCell<HashMap<String, Vec<u8>>>,
    /// The log.
    pub lines: RefCell<Vec<String>>,
    /// So much time passes between two looks at the clock.
    pub step: Cell<u64>,
    /// When the clock was looked at last.
    pub looked: Cell<u64>,
    /// The last byte of chance: each is one more than that before.
    pub random: Cell<u8>,
}

impl Memory {
    fn map(&self, side: Side) -> &RefCell<Vec<Header>> {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    fn buffer(&self, side: Side) -> &RefCell<Vec<u8>> {
        match side {
            Side::Request => &self.request_body,
            Side::Response => &self.response_body,
        }
    }

    /// The first value of a header as text.
    pub fn header(&self, side: Side, name: &str) -> Option<String> {
        let map = self.map(side).borrow();
        let found = map.iter().find(|(key, _)| key == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

fn written(metric: &Metric<'_>) -> String {
    let labels: Vec<String> = metric.pairs().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}{{{}}}", metric.name, labels.join(","))
}

impl Host for Memory {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn clock(&self) -> u64 {
        self.looked.set(self.looked.get().saturating_add(self.step.get()));
        self.now.get().saturating_add(self.looked.get())
    }

    fn random(&self, into: &mut [u8]) -> bool {
        for byte in into {
            self.random.set(self.random.get().wrapping_add(1));
            *byte = self.random.get();
        }
        true
    }

    fn log(&self, _: Level, message: &str) {
        self.lines.borrow_mut().push(message.to_owned());
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.properties.borrow().get(&path.join(".")).cloned()
    }

    fn set_state(&self, name: &str, value: &[u8]) {
        self.state.borrow_mut().insert(name.to_owned(), value.to_vec());
    }

    fn headers(&self, side: Side) -> Vec<Header> {
        self.map(side).borrow().clone()
    }

    fn set_header(&self, side: Side, name: &str, value: &[u8]) {
        self.remove_header(side, name);
        self.add_header(side, name, value);
    }

    fn add_header(&self, side: Side, name: &str, value: &[u8]) {
        self.map(side).borrow_mut().push((name.as_bytes().to_vec(), value.to_vec()));
    }

    fn remove_header(&self, side: Side, name: &str) {
        self.map(side).borrow_mut().retain(|(key, _)| key != name.as_bytes());
    }

    fn trailers(&self, _: Side) -> Vec<Header> {
        self.trailers.borrow().clone()
    }

    fn set_trailer(&self, _: Side, name: &str, value: &[u8]) {
        let mut trailers = self.trailers.borrow_mut();
        trailers.retain(|(key, _)| key != name.as_bytes());
        trailers.push((name.as_bytes().to_vec(), value.to_vec()));
    }

    fn remove_trailer(&self, _: Side, name: &str) {
        self.trailers.borrow_mut().retain(|(key, _)| key != name.as_bytes());
    }

    fn body(&self, side: Side, size: usize) -> Vec<u8> {
        let body = self.buffer(side).borrow();
        body.get(..size.min(body.len())).unwrap_or_default().to_vec()
    }

    fn set_body(&self, side: Side, size: usize, with: &[u8]) -> bool {
        let mut body = self.buffer(side).borrow_mut();
        let size = size.min(body.len());
        body.splice(..size, with.iter().copied());
        true
    }

    fn respond(&self, answer: &LocalAnswer) {
        self.answers.borrow_mut().push(answer.clone());
    }

    fn resume(&self, side: Side) {
        self.resumed.borrow_mut().push(side);
    }

    fn reset(&self) {
        self.resets.set(self.resets.get().saturating_add(1));
    }

    fn hasten(&self) {
        self.hastened.set(true);
    }

    fn call(&self, call: &Call) -> Result<CallId, CallError> {
        if let Some(error) = self.refuse_calls.get() {
            return Err(error);
        }
        let id = u32::try_from(self.calls.borrow().len()).unwrap_or(u32::MAX).saturating_add(1);
        self.calls.borrow_mut().push((id, call.clone()));
        Ok(id)
    }

    fn verify_signature(&self, _: Digest, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }

    fn shared(&self, key: &str) -> Option<Shared> {
        self.shared.borrow().get(key).cloned()
    }

    fn share(&self, key: &str, value: &[u8], seen: Option<u32>) -> bool {
        if seen.is_some() && self.raced.get() > 0 {
            self.raced.set(self.raced.get().saturating_sub(1));
            return false;
        }
        let mut shared = self.shared.borrow_mut();
        let known = shared.get(key).map(|(_, number)| *number);
        if seen.is_some() && known.is_some() && known != seen {
            return false;
        }
        shared.insert(key.to_owned(), (value.to_vec(), known.unwrap_or_default().wrapping_add(1)));
        true
    }

    fn count(&self, metric: &Metric<'_>, by: u64) {
        let mut counts = self.counts.borrow_mut();
        let value = counts.entry(written(metric)).or_default();
        *value = value.saturating_add(by);
    }

    fn gauge(&self, metric: &Metric<'_>, value: u64) {
        self.counts.borrow_mut().insert(written(metric), value);
    }

    fn shift(&self, metric: &Metric<'_>, by: i64) {
        let mut counts = self.counts.borrow_mut();
        let value = counts.entry(written(metric)).or_default();
        *value = value.saturating_add_signed(by);
    }

    fn record(&self, metric: &Metric<'_>, value: u64) {
        self.counts.borrow_mut().insert(written(metric), value);
    }
}
