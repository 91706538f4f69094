//! A condition as it is evaluated: a tree of what is to be done, in which every name is resolved.
//!
//! | as written | as evaluated |
//! |---|---|
//! | `llm.model` | [`Node::Fact`]: asked for when evaluation comes to it |
//! | `identity.claims.tenant` | [`Node::Index`] with a constant |
//! | `["a", "b"]`, `cidr("…")`, `semver("…")` | [`Node::Constant`], made when the set loads |
//! | `text.matches("…")` | [`Node::Matches`], compiled when the set loads |
//! | `now()` | the fact `request.time` |
//! | `list.exists(x, …)` and the other macros | [`Node::Loop`]; `x` is a place, counted from the innermost loop |

use super::arithmetic::Operator;
use super::functions::Run;
use super::pattern::Pattern;
use super::value::Value;
use crate::policy::variables::Variable;

/// What is to be evaluated.
pub(super) enum Node {
    Constant(Value<'static>),
    Fact(Variable),
    /// The element of the loop that is so many loops further out.
    Element(usize),
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    /// `a ? b : c`
    Conditional(Box<[Node; 3]>),
    Negate(Box<Node>),
    Equal {
        sides: Box<[Node; 2]>,
        /// Whether `!=` is meant.
        not: bool,
    },
    Order(Order, Box<[Node; 2]>),
    Arithmetic(Operator, Box<[Node; 2]>),
    /// Element, then container.
    In(Box<[Node; 2]>),
    /// Container, then index.
    Index(Box<[Node; 2]>),
    /// Whether a map has an entry.
    Has(Box<Node>, Box<str>),
    List(Vec<Node>),
    Call(Run, Vec<Node>),
    Matches(Box<Node>, Pattern),
    Loop(Box<Loop>),
}

/// `<`, `<=`, `>`, `>=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One loop.
pub(super) struct Loop {
    /// What it walks: a list, or the keys of a map.
    pub(super) over: Node,
    /// What it makes of it.
    pub(super) gives: Gives,
}

/// What a loop makes of its turns.
pub(super) enum Gives {
    /// Whether one holds.
    Exists(Node),
    /// Whether all hold.
    All(Node),
    /// Whether exactly one holds.
    ExistsOne(Node),
    /// A list of what each turn gives, of the turns that count.
    List {
        /// Whether a turn counts; `None`: each does.
        counts: Option<Node>,
        element: Node,
    },
}
