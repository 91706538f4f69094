//! Operations whose requests are read. Which operation a request asks for says [`crate::protocol::api`].

/// An operation whose request has a JSON body that [`super::RequestView`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST chat/completions`.
    Chat,
    /// `POST completions`, the older form.
    Completions,
    /// `POST embeddings`.
    Embedding,
}
