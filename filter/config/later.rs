//! What the format has and this release does not do yet: refused by name, never ignored.

/// A key that a later release brings.
pub(super) struct Later {
    /// Path of the key.
    pub path: &'static str,
    /// What it is.
    pub what: &'static str,
}

const fn later(path: &'static str, what: &'static str) -> Later {
    Later { path, what }
}

/// All of them. Shorter lists are better lists: whoever builds one takes its line out.
pub(super) const LATER: &[Later] = &[later("approvals", "the service that asks a human")];

/// What a key at this path would be.
pub(super) fn key(path: &str) -> Option<&'static Later> {
    LATER.iter().find(|later| later.path == path)
}
