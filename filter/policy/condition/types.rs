//! Types as far as they can be known when a set loads.

use std::fmt;

use crate::policy::variables::Shape;

/// The type of an expression. [`Type::Dyn`] is one that only evaluation knows (a claim).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Double,
    Text,
    Null,
    Dyn,
    /// What `cidr` gives.
    Network,
    /// What `semver` gives.
    Version,
    List(Box<Type>),
    /// Keys are always text.
    Map(Box<Type>),
}

impl Type {
    pub(super) fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    pub(super) fn is_dyn(&self) -> bool {
        *self == Type::Dyn
    }

    /// Whether a value of this type can ever equal one of the other. Numbers compare across their types.
    pub(super) fn comparable(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::List(a), Type::List(b)) => a.comparable(b),
            (a, b) => a == b || (a.is_number() && b.is_number()),
        }
    }

    /// The type of something that is either of two.
    pub(super) fn join(self, other: Type) -> Type {
        if self == other { self } else { Type::Dyn }
    }
}

impl From<Shape> for Type {
    fn from(shape: Shape) -> Type {
        match shape {
            Shape::Text => Type::Text,
            Shape::Int => Type::Int,
            Shape::Bool => Type::Bool,
            Shape::TextList => Type::list(Type::Text),
            Shape::TextMap => Type::Map(Box::new(Type::Text)),
            Shape::JsonMap => Type::Map(Box::new(Type::Dyn)),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Double => f.write_str("double"),
            Type::Text => f.write_str("string"),
            Type::Null => f.write_str("null"),
            Type::Dyn => f.write_str("dyn"),
            Type::Network => f.write_str("network"),
            Type::Version => f.write_str("version"),
            Type::List(of) => write!(f, "list({of})"),
            Type::Map(of) => write!(f, "map(string, {of})"),
        }
    }
}
