//! What the filter may ask of its proxy.
//!
//! Everything but `plugin` sees Envoy through [`Host`] alone, so that an exchange runs the same in a unit test,
//! in the command line and in the module. No call panics: what the proxy cannot do comes back as `None`, an
//! empty list or an error.

pub mod memory;

use std::time::Duration;

/// A header: name in lower case, value as the bytes that came (they need not be UTF-8).
pub type Header = (Vec<u8>, Vec<u8>);

/// The direction a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// From the caller to the upstream.
    Request,
    /// From the upstream to the caller.
    Response,
}

/// What the proxy shall do after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on with what there is.
    Continue,
    /// Hold everything until resumed or answered.
    Pause,
}

/// Names a call under way.
pub type CallId = u32;

/// An HTTP call to a cluster of the proxy.
#[derive(Debug, Clone)]
pub struct Call {
    /// Envoy's name of the cluster.
    pub cluster: String,
    /// With `:method`, `:path` and `:authority`.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// Always above zero: without one a call may hang for ever.
    pub timeout: Duration,
}

/// Why a call could not be made; no answer will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The proxy knows no such cluster.
    #[error("the proxy has no cluster of that name")]
    UnknownCluster,
    /// No endpoint, or an open circuit breaker.
    #[error("the cluster takes no calls now (no endpoint, or its circuit breaker is open)")]
    Unavailable,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The call broke before a whole answer came.
    Broken,
    /// A whole answer. Envoy itself answers 503 and 504 for unreachable and slow clusters.
    Answer {
        /// `:status`.
        status: u16,
        /// Without `:status`; trailers come last.
        headers: Vec<Header>,
        /// May be empty.
        body: Vec<u8>,
    },
}

/// An answer that the filter gives itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalAnswer {
    /// HTTP status; 200 with a `grpc_status`.
    pub status: u16,
    /// Without pseudo headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// Set to answer a gRPC call; the body is then its message.
    pub grpc_status: Option<u32>,
    /// One word for the proxy's access log (`%RESPONSE_CODE_DETAILS%`).
    pub details: String,
}

/// Digest of a native signature check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// For operators, in the course of things.
    Info,
    /// For operators, to look at.
    Warn,
    /// For operators, to act on.
    Error,
}

/// Labels that a metric has at most.
pub const MOST_LABELS: usize = 4;

/// A metric: its name with its labels, as `portcullis_decisions_total` and `policy="chat"`.
///
/// Labels come from the policy set and from tables alone, never from callers: the proxy never frees a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Metric<'v> {
    /// Name, as operators read it.
    pub name: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Their values, in the same order; those behind the last label are empty.
    pub values: [&'v str; MOST_LABELS],
}

impl Metric<'_> {
    /// Its labels with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.labels.iter().copied().zip(self.values)
    }
}

/// A value that all workers of a proxy share, and the number that stands for it as it is now.
pub type Shared = (Vec<u8>, u32);

/// The proxy, as seen by one exchange or by the worker's root.
pub trait Host {
    /// Nanoseconds since 1970, when the event under way came: it stands still until the next one.
    fn now(&self) -> u64;
    /// Nanoseconds since 1970 at this moment, for whoever measures what something takes.
    fn clock(&self) -> u64 {
        self.now()
    }
    /// Fills with random bytes; false where the proxy has none.
    fn random(&self, into: &mut [u8]) -> bool;
    /// Writes a line to the proxy's log.
    fn log(&self, level: Level, message: &str);
    /// A variable of the proxy process's environment, where the operator let it through.
    fn env(&self, name: &str) -> Option<String>;
    /// An attribute, as raw bytes. Request attributes are there in the request's head only.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
    /// Sets a filter state that Envoy's access log can print as `%FILTER_STATE(wasm.<name>:PLAIN)%`.
    fn set_state(&self, name: &str, value: &[u8]);

    /// All headers with pseudo headers first; empty once they are gone.
    fn headers(&self, side: Side) -> Vec<Header>;
    /// Sets a header to one value, whatever it had before.
    fn set_header(&self, side: Side, name: &str, value: &[u8]);
    /// Adds a value to a header.
    fn add_header(&self, side: Side, name: &str, value: &[u8]);
    /// Removes a header with all its values.
    fn remove_header(&self, side: Side, name: &str);
    /// All trailers.
    fn trailers(&self, side: Side) -> Vec<Header>;
    /// Sets a trailer to one value.
    fn set_trailer(&self, side: Side, name: &str, value: &[u8]);
    /// Removes a trailer with all its values.
    fn remove_trailer(&self, side: Side, name: &str);
    /// The first `size` bytes of what is buffered of the body.
    fn body(&self, side: Side, size: usize) -> Vec<u8>;
    /// Puts `with` in the place of the first `size` bytes of what is buffered.
    /// False when the buffer is gone: then `with` went nowhere.
    fn set_body(&self, side: Side, size: usize, with: &[u8]) -> bool;

    /// Answers the caller at once; nothing more goes upstream. The event must then end with [`Flow::Pause`].
    fn respond(&self, answer: &LocalAnswer);
    /// Lets a paused request or response go on.
    fn resume(&self, side: Side);
    /// Breaks the exchange off: the caller sees a truncated answer, never a wrong one.
    fn reset(&self);

    /// Asks for the worker's next turn at once, for what only it can do.
    fn hasten(&self);
    /// Calls a service; the reply comes as an event with the same id.
    fn call(&self, call: &Call) -> Result<CallId, CallError>;
    /// Verifies by the proxy's own cryptography. `key` is a DER SubjectPublicKeyInfo, ECDSA signatures are DER.
    /// `None`: the proxy cannot do it, ask another verifier.
    fn verify_signature(&self, digest: Digest, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool>;

    /// A value that all workers share; `None`: nobody has set it. A key is never freed: there must be a fixed number.
    fn shared(&self, key: &str) -> Option<Shared>;
    /// Sets it; `seen`: if it is still the one of that number. False: it is another by now, or cannot be set. A key that
    /// nobody has set is set in any case: two who find it missing would both succeed.
    fn share(&self, key: &str, value: &[u8], seen: Option<u32>) -> bool;

    /// Adds to a counter.
    fn count(&self, metric: &Metric<'_>, by: u64);
    /// Sets a gauge. All workers of a proxy share it: the last one to set it wins.
    fn gauge(&self, metric: &Metric<'_>, value: u64);
    /// Moves a gauge that all workers of a proxy add up in.
    fn shift(&self, metric: &Metric<'_>, by: i64);
    /// Records a value in a histogram.
    fn record(&self, metric: &Metric<'_>, value: u64);
}
