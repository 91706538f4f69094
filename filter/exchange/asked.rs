//! What is asked of a vector store: read from path, query string and body, query by query.

use super::Exchange;
use super::refusal::Refusal;
use crate::config::set::Kind;
use crate::protocol::RequestError;
use crate::protocol::store::{Asks, StoreView};
use crate::urlpath;

impl Exchange {
    /// Reads a request to a store. What cannot be read is refused where the policy judges what is asked, and is in the
    /// record in any case.
    pub(super) fn read_asked(&mut self, asks: &'static Asks, body: Vec<u8>) -> Result<(), Refusal> {
        match self.asked(asks, &body) {
            Ok(asked) => {
                let refers = asked.reference.is_some();
                self.inquiry.asked = Some(asked);
                self.inquiry.body = body;
                match refers && self.policy().is_some_and(|policy| policy.reads_view) {
                    true => self.uninspected(Kind::Reference),
                    false => Ok(()),
                }
            }
            Err(error) => {
                self.inquiry.unreadable = true;
                if self.policy().is_some_and(|policy| policy.reads_view) {
                    return self.unreadable(error);
                }
                self.inquiry.uninspected.insert(Kind::Schema);
                Ok(())
            }
        }
    }

    fn asked(&self, asks: &'static Asks, body: &[u8]) -> Result<StoreView, RequestError> {
        let fault = |path: &str, reason| RequestError::Schema { path: path.to_owned(), reason };
        let (Some(lane), Some(operation)) = (&self.lane, self.inquiry.operation) else {
            return Err(fault("the request", "of no connection"));
        };
        let Some(api) = lane.api else { return Err(fault("the request", "of no API")) };
        let mut names = self.inquiry.head.headers.iter().map(|(name, _)| name);
        if names.any(|name| std::str::from_utf8(name).is_ok_and(|name| api.asks_by(name))) {
            return Err(fault("the headers", "one of them asks for what the body must say"));
        }
        let prefixes = lane.connection.matches.iter().filter_map(|one| one.path_prefix.as_deref());
        let named = api.named(operation, &self.inquiry.path, prefixes);
        let named = named.ok_or_else(|| fault("the path", "not UTF-8"))?;
        // What is taken out of the query before it goes upstream asks for nothing there.
        let path = self.stripped_path();
        StoreView::read(asks, named, urlpath::split(&path).1.unwrap_or_default(), body)
    }
}
