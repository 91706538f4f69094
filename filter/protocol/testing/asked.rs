//! What is read of a request, for tests of tables.

use serde_json::Value;

use crate::protocol::request::{Request, RequestError, RequestView, Role};

/// A request and the model that its path names.
#[derive(Clone, Copy)]
pub struct Asked(pub &'static Request, pub &'static str);

impl Asked {
    /// The view of a body.
    pub fn view(self, body: &Value) -> RequestView {
        let view = RequestView::read(self.0, self.1, body.to_string().as_bytes());
        view.unwrap_or_else(|error| panic!("{error} in {body}"))
    }

    /// Its texts, each with who says it.
    pub fn said(self, body: &Value) -> Vec<(Role, String)> {
        let parts = RequestView::parts(self.0, self.1, body.to_string().as_bytes());
        let parts = parts.unwrap_or_else(|error| panic!("{error} in {body}"));
        parts.into_iter().map(|part| (part.role, part.text)).collect()
    }

    /// That these are its texts, in some order.
    pub fn says(self, body: &Value, expected: &[(Role, &str)]) {
        let mut seen = self.said(body);
        let mut expected: Vec<_> = expected.iter().map(|(role, text)| (*role, (*text).to_owned())).collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "{body}");
    }

    /// The path of what cannot be read.
    pub fn fault(self, body: &Value) -> String {
        match RequestView::read(self.0, self.1, body.to_string().as_bytes()) {
            Err(RequestError::Schema { path, .. }) => path,
            other => panic!("{body}: {other:?}"),
        }
    }
}
