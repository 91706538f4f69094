//! What requests ask of vector stores: read strictly along the same tables and by the same engine as those of models
//! ([`crate::protocol::request`]), judged query by query, and narrowed in place.
//!
//! | file | holds |
//! |---|---|
//! | [`asks`] | what tables of stores have beside those of models |
//! | [`view`] | the queries of a request, each with where its parts stand |
//! | [`params`] | parameters of a query string, read as strictly as a body |

//! | `pinecone`, `qdrant`, … | the tables |

pub mod asks;
pub mod chroma;
pub mod milvus;
pub mod params;
pub mod pinecone;
pub mod qdrant;
#[cfg(test)]
mod tests;
pub mod view;

pub use asks::{Asks, Documents, Language, Query, Reach, TopK, Vectors, Written};
pub use view::{Item, Part, Slot, Spot, StoreView, Where};
