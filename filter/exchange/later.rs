//! Monitor and recognisers: records that wait for an answer that nobody else waits for.
//!
//! An exchange in monitor is over before its recogniser has read the answer, so the record of its end is kept here until
//! the findings are in it. The root asks, on its tick: a stream that is gone gets no replies. What cannot wait (too many
//! questions, a worker that leaves) is recorded as it is, and says that the recogniser was not asked.

use std::collections::VecDeque;
use std::rc::Rc;

use super::metrics;
use super::recogniser::Recogniser;
use super::worker::Worker;
use crate::audit::{EndRecord, Record};
use crate::host::{CallId, Host, Reply};
use crate::mask::Entities;

/// Questions under way at once, and most that wait: each holds an answer's texts.
const ASKED: usize = 4;
const OPEN: usize = 16;

/// A record that waits for what a recogniser finds.
pub(super) struct Question {
    pub(super) recogniser: Rc<Recogniser>,
    /// Of what it finds, what the policy masks.
    pub(super) wanted: Entities,
    pub(super) text: String,
    /// Name of the policy.
    pub(super) policy: String,
    pub(super) record: Box<EndRecord>,
}

/// The questions of one worker.
#[derive(Default)]
pub(super) struct Later {
    open: VecDeque<Question>,
    asked: Vec<(CallId, Question)>,
}

impl Worker {
    /// Keeps a record until its recogniser has answered.
    pub(super) fn record_later(&self, host: &dyn Host, question: Question) {
        if self.is_leaving() || self.later.borrow().open.len() >= OPEN {
            return self.give_up(host, question, "was not asked: too much waits");
        }
        self.later.borrow_mut().open.push_back(question);
    }

    /// Asks the next questions. Only from the root.
    pub(super) fn ask_later(&self, host: &dyn Host) {
        while self.later.borrow().asked.len() < ASKED {
            let Some(question) = self.later.borrow_mut().open.pop_front() else { return };
            let call = question.recogniser.ask(&question.text, &|entity| question.wanted.contains(entity));
            match host.call(&call) {
                Ok(id) => self.later.borrow_mut().asked.push((id, question)),
                Err(error) => self.give_up(host, question, &error.to_string()),
            }
        }
    }

    /// Takes the reply to a call, if it is one of these.
    pub(super) fn answered_later(&self, host: &dyn Host, call: CallId, reply: &Reply) {
        let at = self.later.borrow().asked.iter().position(|(id, _)| *id == call);
        let Some(at) = at else { return };
        let (_, mut question) = self.later.borrow_mut().asked.swap_remove(at);
        match question.recogniser.findings(reply, &|entity| question.wanted.contains(entity)) {
            Ok(findings) => {
                for finding in &findings {
                    let name = self.guard.catalogue.name(finding.entity);
                    question.record.answered.response_entities.add(name, 1);
                    question.record.answered.response_operators.add("none", 1);
                    host.count(&metrics::masked(&question.policy, "response", name, "none"), 1);
                }
                self.record(host, &Record::End(question.record));
            }
            Err(silence) => self.give_up(host, question, &silence.to_string()),
        }
    }

    /// Records what waits as it is: the worker leaves.
    pub(super) fn record_now(&self, host: &dyn Host) {
        let Later { open, asked } = self.later.take();
        for question in asked.into_iter().map(|(_, question)| question).chain(open) {
            self.give_up(host, question, "was not waited for: the configuration was replaced");
        }
    }

    fn give_up(&self, host: &dyn Host, mut question: Question, why: &str) {
        host.count(&metrics::error("recogniser"), 1);
        let error = format!("recogniser {}: {why}", question.recogniser.name);
        question.record.facts.rule_errors.push(error);
        self.record(host, &Record::End(question.record));
    }
}
