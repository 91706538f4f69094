//! What an answer says of itself: its model, why it ended, what it cost.

use super::bytes::same;
use super::json::table::{Fact, Mark};

/// Longest label that is remembered.
const MAX_LABEL: usize = 256;

/// Tokens as the provider reports them; `None` where it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: Option<u64>,
    /// Tokens of the answer.
    pub completion: Option<u64>,
    /// Both, as the provider sums them.
    pub total: Option<u64>,
    /// Of the prompt's, those from the provider's cache.
    pub cached: Option<u64>,
    /// Of the answer's, those of hidden reasoning.
    pub reasoning: Option<u64>,
}

/// How far the work on an answer is, as the provider says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Work {
    /// It does not say.
    #[default]
    Untold,
    /// It goes on, or has not begun.
    Pending,
    /// It is over.
    Over,
}

/// What was read on the way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) usage: Usage,
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) finish: String,
    pub(crate) failed: bool,
    pub(crate) work: Work,
}

impl Facts {
    pub(crate) fn enter(&mut self, mark: Mark) {
        self.failed |= mark == Mark::Failure;
    }

    pub(crate) fn read(&mut self, fact: Fact, value: &[u8]) {
        match fact {
            Fact::Id => label(&mut self.id, value),
            Fact::Model => label(&mut self.model, value),
            Fact::Finish | Fact::Reason if !is_end(value) => {}
            Fact::Finish | Fact::Reason => label(&mut self.finish, value),
            Fact::PromptTokens => count(&mut self.usage.prompt, value),
            Fact::CompletionTokens => count(&mut self.usage.completion, value),
            Fact::TotalTokens => count(&mut self.usage.total, value),
            Fact::CachedTokens => count(&mut self.usage.cached, value),
            Fact::ReasoningTokens => count(&mut self.usage.reasoning, value),
            Fact::Status => self.work = work(value),
            Fact::Object | Fact::Created | Fact::Kind | Fact::Done => {}
            Fact::Index(_) | Fact::Named(_) | Fact::Own | Fact::Sequence => {}
        }
    }
}

/// Whether a fact is a number that only counts: it says nothing of the document around it.
pub(crate) fn is_count(fact: Fact) -> bool {
    matches!(
        fact,
        Fact::PromptTokens
            | Fact::CompletionTokens
            | Fact::TotalTokens
            | Fact::CachedTokens
            | Fact::ReasoningTokens
    )
}

/// Whether a reason says that something ended: some servers send an empty one with every event.
pub(crate) fn is_end(reason: &[u8]) -> bool {
    !matches!(reason, b"" | b"null" | b"FINISH_REASON_UNSPECIFIED")
}

/// Remembers a label as it was written; labels with escapes are nobody's names.
fn label(into: &mut String, value: &[u8]) {
    if same(into.as_bytes(), value) || value.len() > MAX_LABEL {
        return;
    }
    if let Ok(value) = std::str::from_utf8(value) {
        into.clear();
        into.push_str(value);
    }
}

fn work(status: &[u8]) -> Work {
    match status {
        b"queued" | b"in_progress" => Work::Pending,
        _ => Work::Over,
    }
}

fn count(into: &mut Option<u64>, value: &[u8]) {
    let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    // More than can be counted is no less than that.
    let parsed = parsed.or_else(|| is_whole(value).then_some(u64::MAX));
    *into = parsed.or(*into);
}

fn is_whole(number: &[u8]) -> bool {
    !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}
