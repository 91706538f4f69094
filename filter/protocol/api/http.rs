//! Any other API over HTTP: every path and method, refusals as problem details (RFC 9457).

use super::{ANY, Api, Body, Family, Root, Shape, row};
use crate::protocol::{answers, problem};

/// Any API.
pub static HTTP: Api = Api {
    name: "http",
    title: "Any other API over HTTP",
    family: Family::Other,
    root: Root::Host,
    token_headers: &[("authorization", "Bearer ")],
    operations: &[row("call", ANY, "**", Body::Any), row("call", ANY, "", Body::Any)],
    asking_headers: &[],
    refusals: Shape {
        content_type: problem::CONTENT_TYPE,
        body: |told| problem::body(told.status, told.code, told.message),
        header: None,
        ending: None,
        about: "problem details (RFC 9457)",
    },
    answers: &answers::EVERYTHING,
};
