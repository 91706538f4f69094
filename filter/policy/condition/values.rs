//! Facts as values that `cel` evaluates over, copying as little as can be.
//!
//! Text is borrowed. A map is not built: it is looked up where it lies. A list is built only where a condition
//! walks it; for `x in list`, which is what conditions mostly do with one, it is searched where it lies.

use std::fmt;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, LIST_TYPE, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, Val};
use serde_json::Value as Json;

use super::meter;
use crate::policy::variables::Fact;

/// A fact as a value; `None`: it is missing.
pub(super) fn whole<'a>(fact: Fact<'a>) -> Option<Box<dyn Val + 'a>> {
    Some(match fact {
        Fact::Str(text) => Box::new(CelString::from(text)),
        Fact::Int(int) => Box::new(CelInt::from(int)),
        Fact::Bool(bool) => Box::new(CelBool::from(bool)),
        Fact::List(list) => {
            let elements =
                list.iter().map(|text| Box::new(CelString::from(text.as_str())) as Box<dyn Val + 'a>);
            Box::new(CelList::from(elements.collect::<Vec<_>>()))
        }
        Fact::Map(pairs) => Box::new(Entries::new(Store::Pairs(pairs))),
        Fact::Json(object) => Box::new(Entries::new(Store::Object(object))),
        Fact::Missing => return None,
    })
}

/// A list fact of which only membership is asked.
pub(super) fn members<'a>(fact: Fact<'a>) -> Option<Box<dyn Val + 'a>> {
    match fact {
        Fact::List(list) => Some(Box::new(Members(list))),
        other => whole(other),
    }
}

fn json(value: &Json) -> Box<dyn Val + '_> {
    match value {
        Json::Null => Box::new(CelNull),
        Json::Bool(bool) => Box::new(CelBool::from(*bool)),
        Json::String(text) => Box::new(CelString::from(text.as_str())),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Box::new(CelInt::from(int)),
            (None, Some(uint)) => Box::new(CelUInt::from(uint)),
            // NaN, which no JSON has, compares to nothing.
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Json::Array(elements) => {
            meter::elements(elements.len());
            Box::new(CelList::from(elements.iter().map(json).collect::<Vec<_>>()))
        }
        Json::Object(object) => Box::new(Entries::new(Store::Object(object))),
    }
}

/// Answers `x in list`.
#[derive(Clone)]
struct Members<'a>(&'a [String]);

/// Values never reach a log by way of `{:?}`.
impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("list")
    }
}

impl Val for Members<'_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl Container for Members<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let text = value.downcast_ref::<CelString>().map(CelString::inner);
        Ok(text.is_some_and(|text| self.0.iter().any(|member| member == text)))
    }
}

/// Where a map lies.
#[derive(Clone, Copy)]
enum Store<'a> {
    Pairs(&'a [(String, String)]),
    Object(&'a serde_json::Map<String, Json>),
}

impl<'a> Store<'a> {
    fn get(self, key: &str) -> Option<Box<dyn Val + 'a>> {
        match self {
            Store::Pairs(pairs) => {
                let (_, value) = pairs.iter().find(|(name, _)| name == key)?;
                Some(Box::new(CelString::from(value.as_str())))
            }
            Store::Object(object) => object.get(key).map(json),
        }
    }

    fn has(self, key: &str) -> bool {
        match self {
            Store::Pairs(pairs) => pairs.iter().any(|(name, _)| name == key),
            Store::Object(object) => object.contains_key(key),
        }
    }

    fn keys(self) -> Vec<CelString<'a>> {
        match self {
            Store::Pairs(pairs) => {
                let mut keys: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
                keys.sort_unstable();
                keys.dedup();
                keys.into_iter().map(CelString::from).collect()
            }
            Store::Object(object) => object.keys().map(|key| CelString::from(key.as_str())).collect(),
        }
    }
}

/// A map that is looked up where it lies.
struct Entries<'a> {
    store: Store<'a>,
    /// Made when something walks or counts them.
    keys: OnceLock<Vec<CelString<'a>>>,
}

impl<'a> Entries<'a> {
    fn new(store: Store<'a>) -> Entries<'a> {
        Entries { store, keys: OnceLock::new() }
    }

    fn keys(&self) -> &[CelString<'a>] {
        self.keys.get_or_init(|| {
            let keys = self.store.keys();
            meter::elements(keys.len());
            keys
        })
    }
}

/// Values never reach a log by way of `{:?}`.
impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("map")
    }
}

impl Val for Entries<'_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let (Some(sizer), Some(indexer)) = (other.as_sizer(), other.as_indexer()) else { return false };
        usize::try_from(*sizer.size().inner()).is_ok_and(|size| size == self.keys().len())
            && self.keys().iter().all(|key| {
                let theirs = indexer.get(key).ok();
                self.store.get(key).zip(theirs).is_some_and(|(ours, theirs)| ours.equals(theirs.as_ref()))
            })
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Entries::new(self.store))
    }
}

fn key_of(key: &dyn Val) -> Result<&str, ExecutionError> {
    let wrong = || ExecutionError::UnexpectedType { got: String::new(), want: String::new() };
    key.downcast_ref::<CelString>().map(CelString::inner).ok_or_else(wrong)
}

impl Container for Entries<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.store.has(key_of(key)?))
    }
}

impl Indexer for Entries<'_> {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key_of(key)?;
        self.store.get(key).map(CowVal::Owned).ok_or_else(|| ExecutionError::no_such_key(key))
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key_of(key)?;
        let value: Option<Box<dyn Val + 'v>> = self.store.get(key).map(|value| value as _);
        value.ok_or_else(|| ExecutionError::no_such_key(key))
    }
}

impl Sizer for Entries<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.keys().len()).unwrap_or(i64::MAX))
    }
}

impl Iterable for Entries<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Keys(self.keys().iter()))
    }
}

struct Keys<'b, 'a>(std::slice::Iter<'b, CelString<'a>>);

impl<'b, 'a: 'v, 'v> Iterator<'b, 'v> for Keys<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|key| key as &'b (dyn Val + 'v))
    }
}
