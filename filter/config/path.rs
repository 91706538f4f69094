//! The path of a key, such as `policies[0].rules[2].deny`.
//!
//! Every value of a tree has one, and hardly any is ever read: so a path is a step below another, and is written out only
//! where somebody is told of it.

use std::fmt;
use std::rc::Rc;

use super::problem::shown;

/// The path of a key; by default the empty one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Path(Option<Rc<Step>>);

#[derive(PartialEq, Eq)]
struct Step {
    above: Path,
    last: Last,
}

#[derive(PartialEq, Eq)]
enum Last {
    Key(Box<str>),
    Item(usize),
}

impl Path {
    /// Whether it leads nowhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The path of a key below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.below(Last::Key(key.into()))
    }

    /// The path of an item of a list, from 0.
    #[must_use]
    pub fn item(&self, at: usize) -> Self {
        self.below(Last::Item(at))
    }

    fn below(&self, last: Last) -> Self {
        Self(Some(Rc::new(Step { above: self.clone(), last })))
    }
}

/// A path of one key; of an empty text the empty path.
impl From<&str> for Path {
    fn from(key: &str) -> Self {
        if key.is_empty() { Self::default() } else { Self::default().key(key) }
    }
}

impl fmt::Display for Path {
    /// Trees are no deeper than [`super::node::MAX_DEPTH`], and so are paths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return Ok(()) };
        step.above.fmt(f)?;
        match &step.last {
            Last::Item(at) => write!(f, "[{at}]"),
            Last::Key(key) if !plain(key) => write!(f, "[{}]", shown(key)),
            Last::Key(key) if step.above.is_empty() => f.write_str(key),
            Last::Key(key) => write!(f, ".{key}"),
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl PartialEq<&str> for Path {
    fn eq(&self, written: &&str) -> bool {
        let own = self.to_string();
        own.as_str() == *written
    }
}

/// Whether a key can stand in a path as it is.
fn plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_it_is_known() {
        let path = Path::default().key("policies").item(1).key("rules").item(0);
        assert_eq!(path, "policies[1].rules[0]");
        assert_eq!(path.key("a.b").key("").key("c\nd"), "policies[1].rules[0][`a.b`][``][`c\\nd`]");
        assert_eq!(Path::from("mode"), "mode");
        assert!(Path::from("").is_empty() && !path.is_empty());
        assert_eq!(Path::from("a").item(0), Path::from("a").item(0));
        assert_ne!(Path::from("a").item(0), Path::from("b").item(0));
    }
}
