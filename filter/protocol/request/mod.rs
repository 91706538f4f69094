//! What requests ask for: read strictly along a provider's [`table`], judged by rules as a [`RequestView`], and changed in
//! place on the way upstream.
//!
//! | file | holds |
//! |---|---|
//! | [`table`] | what tables are made of, and how to write one |
//! | `reader` | the engine: follows a body along its table and tells what it meets |
//! | `strings`, `keys`, `known` | JSON strings as they came; keys that come twice; keys and their spellings |
//! | `view` | what is told, as rules see it |
//! | `edit` | what is told, masked |
//! | `bounds` | what is told, bounded |
//! | `tokens` | how many tokens a text is, near enough |
//! | `error` | why a request cannot be judged |

mod bounds;
mod edit;
mod error;
mod keys;
mod known;
pub(in crate::protocol) mod reader;
pub(in crate::protocol) mod strings;
pub mod table;
#[cfg(test)]
mod tests;
pub mod tokens;
mod view;

pub use bounds::{Bounded, Bounds, REPORTS, bound};
pub use edit::{MaskedPrompt, mask_prompt};
pub use error::RequestError;
pub use table::{Request, Role};
pub use view::{Part, RequestView};
