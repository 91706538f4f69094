//! What expressions are worth.
//!
//! Values are lent wherever they lie already: text and lists of the request, objects of the token, constants of the
//! policy. Only what a condition makes itself (`a + b`, `map`, `split`) is owned, and shared when it is used twice. A
//! list or a map is never copied to be walked, counted or searched.

use std::ops::Deref;
use std::sync::Arc;

use ipnet::IpNet;
use semver::Version;
use serde_json::Value as Json;

use super::fault::Fault;
use crate::order;
use crate::policy::variables::{Fact, Variable};

/// A value of CEL, as far as conditions have them. Cheap to clone.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number of a claim, above what an int holds.
    UInt(u64),
    Double(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
    /// What `cidr` gives.
    Network(Arc<IpNet>),
    /// What `semver` gives.
    Version(Arc<Version>),
}

/// A text, lent or made.
#[derive(Clone)]
pub(super) enum Text<'a> {
    Lent(&'a str),
    Made(Arc<str>),
}

/// A list, wherever it lies.
#[derive(Clone)]
pub(super) enum List<'a> {
    Texts(&'a [String]),
    Json(&'a [Json]),
    Lent(&'a [Value<'a>]),
    Made(Arc<[Value<'a>]>),
}

/// A map, looked up where it lies.
#[derive(Clone, Copy)]
pub(super) enum Map<'a> {
    Pairs(&'a [(String, String)]),
    Object(&'a serde_json::Map<String, Json>),
}

impl<'a> Value<'a> {
    /// What a variable is worth.
    pub(super) fn of(fact: Fact<'a>, variable: Variable) -> Result<Self, Fault<'a>> {
        Ok(match fact {
            Fact::Str(text) => Value::Text(Text::Lent(text)),
            Fact::Int(int) => Value::Int(int),
            Fact::Bool(bool) => Value::Bool(bool),
            Fact::List(list) => Value::List(List::Texts(list)),
            Fact::Map(pairs) => Value::Map(Map::Pairs(pairs)),
            Fact::Json(object) => Value::Map(Map::Object(object)),
            Fact::Missing => return Err(Fault::Fact(variable)),
        })
    }

    /// A text that was just made.
    pub(super) fn made(text: impl Into<Arc<str>>) -> Self {
        Value::Text(Text::Made(text.into()))
    }

    /// The same value, lent by a constant of the policy.
    pub(super) fn lend(&'a self) -> Value<'a> {
        match self {
            Value::Text(text) => Value::Text(Text::Lent(text)),
            Value::List(List::Made(list)) => Value::List(List::Lent(list)),
            other => other.clone(),
        }
    }

    fn json(value: &'a Json) -> Self {
        match value {
            Json::Null => Value::Null,
            Json::Bool(bool) => Value::Bool(*bool),
            Json::String(text) => Value::Text(Text::Lent(text)),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Value::Int(int),
                (None, Some(uint)) => Value::UInt(uint),
                // NaN, which no JSON has, compares to nothing.
                (None, None) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::Array(elements) => Value::List(List::Json(elements)),
            Json::Object(object) => Value::Map(Map::Object(object)),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Lent(text) => text,
            Text::Made(text) => text,
        }
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            List::Texts(list) => list.len(),
            List::Json(list) => list.len(),
            List::Lent(list) => list.len(),
            List::Made(list) => list.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            List::Texts(list) => list.get(index).map(|text| Value::Text(Text::Lent(text))),
            List::Json(list) => list.get(index).map(Value::json),
            List::Lent(list) => list.get(index).map(Value::lend),
            List::Made(list) => list.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    pub(super) fn get(self, key: &str) -> Option<Value<'a>> {
        match self {
            Map::Pairs(pairs) => {
                let (_, value) = pairs.iter().find(|(name, _)| name == key)?;
                Some(Value::Text(Text::Lent(value)))
            }
            Map::Object(object) => object.get(key).map(Value::json),
        }
    }

    pub(super) fn has(self, key: &str) -> bool {
        match self {
            Map::Pairs(pairs) => pairs.iter().any(|(name, _)| name == key),
            Map::Object(object) => object.contains_key(key),
        }
    }

    /// An upper bound of how many keys there are, known at once.
    pub(super) fn at_most(self) -> usize {
        match self {
            Map::Pairs(pairs) => pairs.len(),
            Map::Object(object) => object.len(),
        }
    }

    /// The keys, each once.
    pub(super) fn keys(self) -> Vec<&'a str> {
        match self {
            Map::Pairs(pairs) => {
                let mut keys: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
                order::sort(&mut keys);
                keys.dedup();
                keys
            }
            Map::Object(object) => object.keys().map(String::as_str).collect(),
        }
    }
}
