//! What the log says of a service that may be down: a line when it goes wrong, and one when it is well again, however often
//! it is called in between.

use std::cell::Cell;
use std::fmt::Display;

use crate::host::{Host, Level};

/// How a service is.
#[derive(Debug)]
pub(super) struct Health {
    /// What is said of it when it goes wrong; the reason follows.
    wrong: &'static str,
    /// What is said when it is well again.
    well: &'static str,
    down: Cell<bool>,
}

impl Health {
    /// Of a service that is well.
    pub const fn new(wrong: &'static str, well: &'static str) -> Self {
        Self { wrong, well, down: Cell::new(false) }
    }

    /// Notes how a call to it ended: well, or why not.
    pub fn note(&self, host: &dyn Host, fault: Option<&dyn Display>) {
        if fault.is_some() == self.down.replace(fault.is_some()) {
            return;
        }
        match fault {
            Some(why) => host.log(Level::Warn, &format!("{}: {why}", self.wrong)),
            None => host.log(Level::Info, self.well),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::Memory;

    #[test]
    fn a_service_that_stays_down_is_one_line() {
        let (host, health) = (Memory::default(), Health::new("it is down", "it is well"));
        health.note(&host, None);
        health.note(&host, Some(&"no answer"));
        health.note(&host, Some(&"status 503"));
        health.note(&host, None);
        health.note(&host, None);
        let lines: Vec<String> = host.lines.borrow().clone();
        assert_eq!(lines, ["it is down: no answer", "it is well"]);
    }
}
