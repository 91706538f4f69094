//! Text of a policy in which `${…}` stands: put together for one request, and then taken literally.

use super::condition::{Condition, EvalError, Expression};
use super::variables::{Facts, Variable};

/// Text with expressions in it.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// A part of a [`Template`].
#[derive(Debug, Clone)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// The value of an expression, which is never read as anything but text.
    Value(Expression),
}

/// Text that was put together: what the policy wrote, and what a request gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As the policy wrote it.
    Written(String),
    /// As the request gave it.
    Given(String),
}

impl Template {
    /// Its pieces for one request.
    ///
    /// # Errors
    /// An expression that fails, or gives nothing.
    pub fn pieces(&self, facts: &dyn Facts) -> Result<Vec<Piece>, EvalError> {
        let piece = |part: &Part| match part {
            Part::Text(text) => Ok(Piece::Written(text.clone())),
            Part::Value(expression) => expression.evaluate(facts).map(Piece::Given),
        };
        self.parts.iter().map(piece).collect()
    }

    /// What its expressions read, one after the other.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        self.conditions().flat_map(Condition::reads).copied()
    }

    /// What stands in it, as conditions with names and bounds.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value(expression) => Some(expression.condition()),
        })
    }

    /// Its text for one request.
    ///
    /// # Errors
    /// As for [`Self::pieces`].
    pub fn fill(&self, facts: &dyn Facts) -> Result<String, EvalError> {
        let pieces = self.pieces(facts)?;
        Ok(pieces.iter().map(|(Piece::Written(text) | Piece::Given(text))| text.as_str()).collect())
    }

    /// The same for people to read: of each value at most `most` characters, and `…` where there were more.
    ///
    /// # Errors
    /// As for [`Self::pieces`].
    pub fn told(&self, facts: &dyn Facts, most: usize) -> Result<String, EvalError> {
        let mut told = String::new();
        for piece in self.pieces(facts)? {
            match piece {
                Piece::Written(text) => told.push_str(&text),
                Piece::Given(text) => match text.char_indices().nth(most) {
                    Some((end, _)) => {
                        told.push_str(text.get(..end).unwrap_or_default());
                        told.push('…');
                    }
                    None => told.push_str(&text),
                },
            }
        }
        Ok(told)
    }
}

/// A name or a pattern of names: `*` stands for any text without `/`, `:` and `,` where the policy wrote it, and for itself
/// where a request gave it. Behind those stores have names of another realm (a database's, another cluster's), and other
/// names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// What a name begins with.
    start: String,
    /// What stands behind each star, in order.
    rest: Vec<String>,
}

impl Glob {
    /// The pattern that these pieces are.
    pub fn new(pieces: &[Piece]) -> Self {
        let mut glob = Self { start: String::new(), rest: Vec::new() };
        for piece in pieces {
            match piece {
                Piece::Given(text) => glob.push(text),
                Piece::Written(text) => {
                    for (at, literal) in text.split('*').enumerate() {
                        if at > 0 {
                            glob.rest.push(String::new());
                        }
                        glob.push(literal);
                    }
                }
            }
        }
        glob
    }

    fn push(&mut self, text: &str) {
        self.rest.last_mut().unwrap_or(&mut self.start).push_str(text);
    }

    /// Whether it holds for a name.
    pub fn matches(&self, name: &str) -> bool {
        let realms = |text: &str| text.matches(['/', ':', ',']).count();
        let written =
            self.rest.iter().fold(realms(&self.start), |sum, text| sum.saturating_add(realms(text)));
        if realms(name) != written {
            return false;
        }
        let Some(mut name) = name.strip_prefix(self.start.as_str()) else { return false };
        let Some((last, middle)) = self.rest.split_last() else { return name.is_empty() };
        for literal in middle {
            let Some((_, behind)) = name.split_once(literal.as_str()) else { return false };
            name = behind;
        }
        name.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::testing::typical;

    fn template(parts: &[&str]) -> Template {
        let part = |part: &&str| match part.strip_prefix('$') {
            Some(expression) => Part::Value(Expression::compile(expression).unwrap()),
            None => Part::Text((*part).to_owned()),
        };
        Template { parts: parts.iter().map(part).collect() }
    }

    #[test]
    fn a_template_is_filled_or_fails() {
        let facts = typical();
        assert_eq!(template(&["a-", "$identity.claims.tenant"]).fill(&facts).as_deref(), Ok("a-acme"));
        assert_eq!(template(&["$identity.subject + \"!\""]).fill(&facts).as_deref(), Ok("alice!"));
        assert!(template(&["$identity.claims.absent"]).fill(&facts).is_err());
        assert!(template(&["$identity.claims.level"]).fill(&facts).is_err(), "a number is no text");
        assert!(template(&["x", "$source.principal"]).fill(&facts).is_err(), "nothing is no text");
    }

    #[test]
    fn an_expression_gives_text_and_is_known_with_the_head() {
        for wrong in ["identity.groups", "1 + 1", "identity.id == \"x\"", "vector.collection", "nothing", ""]
        {
            assert!(Expression::compile(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_star_is_one_only_where_the_policy_wrote_it() {
        let written = |text: &str| Piece::Written(text.to_owned());
        let given = |text: &str| Piece::Given(text.to_owned());
        let glob = Glob::new(&[written("a-*-"), given("*"), written("z")]);
        assert!(glob.matches("a-x-*z") && glob.matches("a--*z"));
        assert!(!glob.matches("a-x-yz") && !glob.matches("a-x-*z2") && !glob.matches("b-x-*z"));
        assert!(Glob::new(&[written("*")]).matches(""));
        assert!(!Glob::new(&[written("docs-*")]).matches("docs-x:secret"));
        assert!(!Glob::new(&[written("docs*")]).matches("docs,secret"));
        assert!(!Glob::new(&[written("*")]).matches("other/docs"));
        assert!(Glob::new(&[written("other/*")]).matches("other/docs"));
        assert!(!Glob::new(&[written("ab*ba")]).matches("aba"));
        assert!(Glob::new(&[written("a*b*c")]).matches("a1b2b3c"));
    }

    proptest! {
        #[test]
        fn a_given_text_matches_itself_alone(text in "[a*b]{0,6}", other in "[a*b]{0,6}") {
            let glob = Glob::new(&[Piece::Given(text.clone())]);
            prop_assert_eq!(glob.matches(&other), text == other);
        }

        #[test]
        fn a_star_stands_for_any_text(parts in prop::collection::vec("[ab]{0,2}", 1..4), fill in "[ab]{0,3}") {
            let glob = Glob::new(&[Piece::Written(parts.join("*"))]);
            prop_assert!(glob.matches(&parts.join(&fill)));
        }
    }
}
