//! The queries of a request, each with where its parts stand, so that what a rule judges is what is narrowed.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::protocol::RequestError;

use super::asks::{Asks, Query, Written};
use super::graph::{Made, Room};
use super::viewer::Viewer;

/// Most of them that rules have to judge one by one, for they are not alike.
pub const MOST_UNLIKE: usize = 256;

/// What the path names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Where {
    /// Collections.
    pub collections: Vec<String>,
    /// Parts of them.
    pub namespaces: Vec<String>,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// In the body: of strings what is between the quotes.
    Body(Range<usize>),
    /// In the query string, from its first byte.
    Param(Range<usize>),
    /// In the path, or around the query.
    Elsewhere,
}

/// What stands at one of a query's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Slot<T> {
    /// No such key.
    #[default]
    Absent,
    /// `null`, here.
    Null(Range<usize>),
    /// A value.
    Given(T, Spot),
}

impl<T> Slot<T> {
    /// The value.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Given(value, _) => Some(value),
            Self::Absent | Self::Null(_) => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A query of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub query: &'static Query,
    /// The collections that it names.
    pub collections: Vec<String>,
    /// The parts of them that it names.
    pub namespaces: Slot<Vec<String>>,
    /// How many hits it wants.
    pub top_k: Slot<u64>,
    /// Its filter: as it came, or what it means where it is text.
    pub filter: Slot<String>,
    /// Whether it wants vectors, as it came.
    pub vectors: Slot<String>,
    /// The columns that it wants, with where each stands.
    pub columns: Vec<(String, Range<usize>)>,
    /// Path of what reads rows that its filter does not narrow.
    pub unnarrowed: Option<String>,
    /// Its object, where it has one.
    pub object: Option<Range<usize>>,
    /// Where its arguments go, where it is one of GraphQL.
    pub arguments: Option<Room>,
    /// Vectors that its document asks for, with what stands in their place where they are not asked for.
    pub cuts: Vec<(Range<usize>, &'static str)>,
    /// The query around it.
    pub outer: Option<usize>,
    pub(super) database: Option<String>,
    /// Whether it is of what the store keeps, of a collection that only the store knows.
    pub(super) kept: bool,
    /// Whether it says its collection where the path may have said it.
    pub(super) classed: bool,
}

/// What rules are asked about: a query, of one collection and one part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The operation, where it may be another than the request's; else empty.
    pub operation: &'static str,
    /// The collection; empty where none is named.
    pub collection: String,
    /// The part of it; empty where none is named.
    pub namespace: String,
    /// Hits that are asked for, or the store's own default; 0 where the operation has no such bound.
    pub top_k: u64,
    /// The caller's filter; empty where there is none.
    pub filter: String,
}

/// A request to a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreView {
    /// Its queries; never empty.
    pub items: Vec<Item>,
    /// The same as rules judge them, each once.
    pub parts: Vec<Part>,
    /// Path of something that the store keeps of an earlier request and that is read on.
    pub reference: Option<String>,
}

impl StoreView {
    /// Reads a request: its body, its query string (without `?`), and what its path names.
    ///
    /// # Errors
    /// [`RequestError`]: not strict JSON, or something that the table does not know.
    pub fn read(asks: &'static Asks, at: Where, query: &str, body: &[u8]) -> Result<Self, RequestError> {
        let mut viewer = Viewer::new(asks, at);
        viewer.params(query, asks.params)?;
        viewer.body(&asks.body, body)?;
        let reference = viewer.reference.take();
        let items = viewer.settle()?;
        let parts = parts(&items)?;
        Ok(Self { items, parts, reference })
    }
}

impl StoreView {
    /// The collections and the parts of them that are asked, each once.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        let each = |name: fn(&Part) -> &String| -> Vec<String> {
            let names: BTreeSet<&String> =
                self.parts.iter().map(name).filter(|name| !name.is_empty()).collect();
            names.into_iter().cloned().collect()
        };
        (each(|part| &part.collection), each(|part| &part.namespace))
    }
}

impl Item {
    pub(super) fn new(query: &'static Query, outer: Option<usize>) -> Self {
        Self {
            query,
            collections: Vec::new(),
            namespaces: Slot::Absent,
            top_k: Slot::Absent,
            filter: Slot::Absent,
            vectors: Slot::Absent,
            columns: Vec::new(),
            unnarrowed: None,
            object: None,
            arguments: None,
            cuts: Vec::new(),
            outer,
            database: None,
            kept: false,
            classed: false,
        }
    }

    /// A query of a document in GraphQL.
    pub(super) fn made(made: Made, outer: Option<usize>) -> Self {
        let mut item = Self::new(made.query, outer);
        item.collections.extend(Some(made.class).filter(|class| !class.is_empty()));
        let body = |at| Spot::Body(at);
        item.namespaces = made.tenant.map_or(Slot::Absent, |(name, at)| Slot::Given(vec![name], body(at)));
        item.top_k = made.limit.map_or(Slot::Absent, |(limit, at)| Slot::Given(limit, body(at)));
        item.filter = made.filter.map_or(Slot::Absent, |(text, at)| Slot::Given(text, body(at)));
        item.arguments = made.room;
        item
    }

    /// What holds here because it is said around.
    pub(super) fn inherit(&mut self, outer: &Self) -> Result<(), RequestError> {
        if self.collections.is_empty() {
            self.collections.clone_from(&outer.collections);
            self.database = self.database.take().or_else(|| outer.database.clone());
        }
        if self.classed && !outer.collections.is_empty() && outer.collections != self.collections {
            return Err(RequestError::Duplicate { path: "the class".to_owned() });
        }
        let around = outer.outer.is_none();
        if self.namespaces.is_absent() {
            let same = around || self.query.namespace == Some(Written::Elsewhere);
            if let Some(names) = outer.namespaces.value().filter(|_| same) {
                self.namespaces = Slot::Given(names.clone(), Spot::Elsewhere);
            }
        } else if around && outer.namespaces.value().is_some() {
            return Err(RequestError::Duplicate { path: "the namespace".to_owned() });
        }
        // Of what is around a query, only the query string bounds it.
        if let Slot::Given(_, Spot::Param(_)) = outer.top_k {
            if self.top_k.value().is_some() {
                return Err(RequestError::Duplicate { path: "the number of hits".to_owned() });
            }
            self.top_k.clone_from(&outer.top_k);
        }
        if self.unnarrowed.is_none() {
            self.unnarrowed.clone_from(&outer.unnarrowed);
        }
        Ok(())
    }

    /// Hits that are asked for, or come unasked; `None`: the operation has no such bound.
    pub fn hits(&self) -> Option<u64> {
        let bound = self.query.top_k?;
        Some(self.top_k.value().copied().unwrap_or(bound.default))
    }

    /// Whether it says by itself which part of a collection it means.
    pub fn says_namespace(&self) -> bool {
        self.query.namespace != Some(Written::Elsewhere) || self.outer.is_none()
    }
}

/// The queries as rules judge them.
fn parts(items: &[Item]) -> Result<Vec<Part>, RequestError> {
    let mut parts = BTreeSet::new();
    let none = [String::new()];
    for item in items {
        let names = item.namespaces.value().map_or(&[][..], Vec::as_slice);
        let names = if names.is_empty() { &none } else { names };
        let collections = if item.collections.is_empty() { &none[..] } else { &item.collections };
        for collection in collections {
            for namespace in names {
                parts.insert(Part {
                    operation: item.query.operation,
                    collection: collection.clone(),
                    namespace: namespace.clone(),
                    top_k: item.hits().unwrap_or_default(),
                    filter: item.filter.value().cloned().unwrap_or_default(),
                });
                if parts.len() > MOST_UNLIKE {
                    let reason = "too many queries that are not alike";
                    return Err(RequestError::Schema { path: "the body".to_owned(), reason });
                }
            }
        }
    }
    Ok(parts.into_iter().collect())
}
