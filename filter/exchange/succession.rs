//! A worker's place among the chains of its proxy: see [`succession`](crate::audit::succession).

use super::worker::Worker;
use crate::audit::succession::{EVERY, Register};
use crate::host::Host;

/// The register, among what the workers of a proxy share.
const KEY: &str = "portcullis.chains";
/// How often a register is written again that another worker wrote meanwhile.
const TRIES: usize = 4;

/// Makes the register, where there is none.
pub(super) fn prepare(host: &dyn Host) {
    if host.shared(KEY).is_none() {
        host.share(KEY, &[], None);
    }
}

impl Worker {
    /// Says where the chain stands, from time to time.
    pub(super) fn say_where(&self, host: &dyn Host) {
        let now = host.now();
        let due = now.saturating_sub(self.said_where.get()) >= EVERY;
        if due && self.collector.is_some() {
            self.said_where.set(now);
            self.register(host, false);
        }
    }

    /// Says that the chain is over.
    pub(super) fn end_chain(&self, host: &dyn Host) {
        if self.collector.is_some() {
            self.register(host, true);
        }
    }

    fn register(&self, host: &dyn Host, over: bool) {
        let Some(head) = self.recorder.borrow().head() else { return };
        change(host, |register| register.note(head.clone(), host.now(), over));
    }

    /// Has the next record name a chain that ended, if there is one.
    pub(super) fn succeed(&self, host: &dyn Host) {
        let own = self.recorder.borrow().chain_id().to_owned();
        let head = change(host, |register| register.take(&own, host.now()));
        if let Some(head) = head.flatten() {
            self.recorder.borrow_mut().succeed(head);
        }
    }
}

/// Changes the register; `None`: it could not be, and nothing was.
fn change<T>(host: &dyn Host, change: impl Fn(&mut Register) -> T) -> Option<T> {
    for _ in 0..TRIES {
        let (bytes, seen) = host.shared(KEY)?;
        let before = Register::read(&bytes);
        let mut register = before.clone();
        let outcome = change(&mut register);
        if register == before || host.share(KEY, &register.write(), Some(seen)) {
            return Some(outcome);
        }
    }
    None
}
