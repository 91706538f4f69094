//! What requests ask of vector stores: read strictly along the same tables and by the same engine as those of models
//! ([`crate::protocol::request`]), judged query by query, and narrowed in place.
//!
//! | file | holds |
//! |---|---|
//! | [`asks`] | what tables of stores have beside those of models |
//! | [`view`] | the queries of a request, each with where its parts stand |
//! | `viewer` | how they are found |
//! | [`params`] | parameters of a query string, read as strictly as a body |
//! | [`narrow`] | a request changed so that it reads no more than a policy lets it |
//! | [`language`] | the filter languages of the stores: a caller's filter and the policy's, both of which must hold |
//! | [`expression`] | Milvus's filters, which are text |
//! | [`graphql`], [`graph`], [`graph_table`] | GraphQL's tokens, Weaviate's documents of them, and what these may hold |
//! | `pinecone`, `qdrant`, … | the tables |

pub mod asks;
pub mod chroma;
pub mod expression;
pub mod graph;
pub mod graph_table;
pub mod graphql;
pub mod language;
pub mod milvus;
pub mod narrow;
pub mod opensearch;
pub mod params;
pub mod pinecone;
pub mod qdrant;
#[cfg(test)]
mod tests;
pub mod view;
mod viewer;
pub mod weaviate;

pub use asks::{Asks, Documents, Language, Query, Reach, TopK, Vectors, Written};
pub use narrow::{Excess, Limits, Narrowed, narrow};
pub use view::{Item, Part, Slot, Spot, StoreView, Where};
