//! The queries of a request, each with where its parts stand, so that what a rule judges is what is narrowed.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::protocol::RequestError;
use crate::protocol::request::reader::{Event, Visit, read_place};
use crate::protocol::request::table::{Fact, Mark, OnNumber, OnString, Place};

use super::asks::{Asks, Documents, Query, Written};
use super::graph::{self, Made, Room};
use super::graphql::Source;
use super::params::{self, Param};
use super::weaviate::{self, class_name, class_of};

/// Most queries of one request.
const MOST: usize = 1024;
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

    fn is_absent(&self) -> bool {
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
    database: Option<String>,
    /// Whether it is of what the store keeps, of a collection that only the store knows.
    kept: bool,
    /// Whether it says its collection where the path may have said it.
    classed: bool,
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

struct Viewer<'b> {
    /// What is around every query, then the queries as they begin.
    items: Vec<Item>,
    /// Those that are under way, the innermost last.
    open: Vec<usize>,
    body: &'b [u8],
    /// Where the document under way begins.
    base: usize,
    /// What came twice, under two names.
    twice: Option<&'static str>,
    many: bool,
    /// Path of what the store keeps of an earlier request.
    reference: Option<String>,
    /// What else is wrong.
    fault: Option<RequestError>,
    /// Whether the next of the steps under way is to a collection.
    step: bool,
}

impl Viewer<'_> {
    fn new(asks: &'static Asks, at: Where) -> Self {
        let mut around = Item::new(asks.query, None);
        around.collections = at.collections;
        if !at.namespaces.is_empty() {
            around.namespaces = Slot::Given(at.namespaces, Spot::Elsewhere);
        }
        Self {
            items: vec![around],
            open: vec![0],
            body: &[],
            base: 0,
            twice: None,
            many: false,
            reference: None,
            fault: None,
            step: false,
        }
    }

    fn params(&mut self, query: &str, table: &'static [(&'static str, Param)]) -> Result<(), RequestError> {
        let Some(item) = self.items.first_mut() else { return Ok(()) };
        for given in params::read(query, table)? {
            let spot = Spot::Param(given.at);
            match given.param {
                Param::Pass | Param::Many => {}
                Param::TopK => {
                    let number = given.value.parse().map_err(|_| RequestError::Schema {
                        path: format!("the parameter {}", given.name),
                        reason: "expected a whole number",
                    })?;
                    item.top_k = Slot::Given(number, spot);
                }
                Param::Namespace => item.namespaces = Slot::Given(vec![given.value.into_owned()], spot),
                Param::Collection => item.collections = vec![given.value.into_owned()],
                Param::Class => item.collections = vec![class_name(&given.value)],
                Param::Vectors => item.vectors = Slot::Given(given.value.into_owned(), spot),
                Param::Unnarrowed => item.unnarrowed = Some(format!("the parameter {}", given.name)),
            }
        }
        Ok(())
    }
}

impl<'b> Viewer<'b> {
    fn body(&mut self, documents: &Documents, body: &'b [u8]) -> Result<(), RequestError> {
        self.body = body;
        match documents {
            Documents::None if body.is_empty() => Ok(()),
            Documents::None => {
                Err(RequestError::Schema { path: "the body".to_owned(), reason: "this operation has none" })
            }
            Documents::Optional(_) if body.is_empty() => Ok(()),
            Documents::One(place) | Documents::Optional(place) => read_place(place, "", body, self),
            Documents::Pairs(first, second) => {
                // A blank line might be one of a pair.
                for (at, line) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
                    read_place(if at % 2 == 0 { first } else { second }, "", line, self)?;
                    self.base = self.base.saturating_add(line.len());
                }
                Ok(())
            }
            Documents::Actions(action, more, alone) => self.actions(action, more, alone, body),
            Documents::Lines(place) => {
                for line in body.split_inclusive(|byte| *byte == b'\n') {
                    if !line.trim_ascii().is_empty() {
                        read_place(place, "", line, self)?;
                    }
                    self.base = self.base.saturating_add(line.len());
                }
                Ok(())
            }
        }
    }
}

impl<'b> Viewer<'b> {
    /// Lines that make a query each, with a line behind, but for queries that stand alone. A blank line might be one of
    /// either.
    fn actions(
        &mut self,
        action: &'static Place,
        more: &'static Place,
        alone: &'static Query,
        body: &'b [u8],
    ) -> Result<(), RequestError> {
        let mut lines = body.split_inclusive(|byte| *byte == b'\n');
        while let Some(line) = lines.next() {
            let before = self.items.len();
            read_place(action, "", line, self)?;
            self.base = self.base.saturating_add(line.len());
            let is_alone = match self.items.get(before..) {
                Some([one]) => std::ptr::eq(one.query, alone),
                _ if self.many => return Ok(()),
                _ => {
                    let reason = "expected one of index, create, update and delete";
                    return Err(RequestError::Schema { path: "a line of the body".to_owned(), reason });
                }
            };
            self.merge(before);
            if !is_alone {
                let line = lines.next().unwrap_or_default();
                read_place(more, "", line, self)?;
                self.base = self.base.saturating_add(line.len());
            }
        }
        Ok(())
    }

    /// Forgets the last query where there is another like it, for nothing is written into it.
    fn merge(&mut self, last: usize) {
        let Some((known, [one])) = self.items.split_at_checked(last) else { return };
        let alike = |other: &&Item| {
            std::ptr::eq(other.query, one.query)
                && other.collections == one.collections
                && other.outer == one.outer
        };
        if known.iter().find(alike).is_some() {
            self.items.truncate(last);
        }
    }
}

impl Viewer<'_> {
    /// The queries, each with what it has from around it.
    fn settle(self) -> Result<Vec<Item>, RequestError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if let Some(name) = self.twice {
            return Err(RequestError::Duplicate { path: name.to_owned() });
        }
        if self.many {
            return Err(RequestError::Schema { path: "the body".to_owned(), reason: "too many queries" });
        }
        let around = self.items;
        let queries = around.len() > 1;
        let mut settled: Vec<Item> = Vec::new();
        for (index, item) in around.iter().enumerate() {
            if queries && index == 0 {
                continue;
            }
            let mut item = item.clone();
            let mut outer = item.outer;
            while let Some(other) = outer.and_then(|at| around.get(at)) {
                item.inherit(other)?;
                outer = other.outer;
            }
            if item.kept {
                item.collections.clear();
            }
            if let Some(database) = item.database.take().filter(|name| !matches!(&**name, "" | "default")) {
                item.collections.iter_mut().for_each(|name| *name = format!("{database}/{name}"));
            }
            // The first is what is around all, and none of them where there are others.
            item.outer = item.outer.and_then(|at| at.checked_sub(1));
            settled.push(item);
        }
        Ok(settled)
    }

    fn item(&mut self) -> Option<&mut Item> {
        self.open.last().and_then(|at| self.items.get_mut(*at))
    }

    fn spot(&self, at: &Range<usize>) -> Range<usize> {
        at.start.saturating_add(self.base)..at.end.saturating_add(self.base)
    }

    fn text(&self, at: &Range<usize>) -> String {
        String::from_utf8_lossy(self.body.get(at.clone()).unwrap_or_default()).into_owned()
    }

    /// Fills a slot of the query under way.
    fn fill<T>(&mut self, name: &'static str, slot: fn(&mut Item) -> &mut Slot<T>, with: Slot<T>) {
        let mut twice = false;
        if let Some(item) = self.item() {
            let slot = slot(item);
            twice = !slot.is_absent();
            *slot = with;
        }
        if twice {
            self.twice.get_or_insert(name);
        }
    }

    fn begin(&mut self, query: &'static Query) {
        if self.items.len() > MOST {
            self.many = true;
            return;
        }
        let outer = self.open.last().copied();
        self.open.push(self.items.len());
        self.items.push(Item::new(query, outer));
    }

    fn over(&mut self, mark: Mark, at: Range<usize>) {
        match mark {
            Mark::Query(_) if self.many => {}
            Mark::Query(_) => {
                if let Some(item) = self.item() {
                    item.object = Some(at);
                }
                self.open.pop();
            }
            Mark::Filter => {
                let text = self.text(&at);
                self.fill("filter", |item| &mut item.filter, Slot::Given(text, Spot::Body(at)));
            }
            Mark::Vectors => {
                let text = self.text(&at);
                self.fill("vectors", |item| &mut item.vectors, Slot::Given(text, Spot::Body(at)));
            }
            // Its names have been told.
            Mark::Namespace => {
                if let Some(item) = self.item() {
                    match &mut item.namespaces {
                        Slot::Given(_, spot) => *spot = Spot::Body(at),
                        slot => *slot = Slot::Given(Vec::new(), Spot::Body(at)),
                    }
                }
            }
            _ => {}
        }
    }

    fn collection(&mut self, name: &str) {
        if let Some(item) = self.item().filter(|item| !item.collections.iter().any(|known| known == name)) {
            item.collections.push(name.to_owned());
        }
    }

    fn said(&mut self, fact: Fact, text: String, at: Range<usize>) {
        match fact {
            Fact::Collection => self.collection(&text),
            Fact::Collections => text.split(',').for_each(|name| self.collection(name)),
            Fact::Class => {
                self.collection(&class_name(&text));
                if let Some(item) = self.item() {
                    item.classed = true;
                }
            }
            Fact::Beacon => match class_of(&text) {
                Some(class) => self.collection(&class),
                None => self.refuse("the address of an object", "it names no class"),
            },
            Fact::Step => {
                if self.step {
                    self.refer(class_name(&text));
                }
                self.step = !self.step;
            }
            Fact::Graph => self.graph(&at),
            Fact::Database => {
                if let Some(item) = self.item() {
                    item.database = Some(text);
                }
            }
            Fact::Namespace => {
                if let Some(item) = self.item() {
                    match &mut item.namespaces {
                        Slot::Given(names, _) => names.push(text),
                        slot => *slot = Slot::Given(vec![text], Spot::Body(at)),
                    }
                }
            }
            Fact::Expression => {
                self.fill("filter", |item| &mut item.filter, Slot::Given(text, Spot::Body(at)));
            }
            Fact::Include => {
                if let Some(item) = self.item() {
                    item.columns.push((text, at));
                }
            }
            _ => {}
        }
    }

    /// Objects that others refer to.
    fn refer(&mut self, collection: String) {
        if self.items.len() > MOST {
            self.many = true;
            return;
        }
        let item = Item::new(&weaviate::REFERRED, self.open.last().copied());
        self.items.push(Item { collections: vec![collection], ..item });
    }

    /// A document in GraphQL, which stands here.
    fn graph(&mut self, at: &Range<usize>) {
        let text = self.text(at);
        let document = match graph::read(&Source::new(&text, at.start)) {
            Ok(document) => document,
            Err(reason) => return self.refuse("the document in `query`", reason),
        };
        let outer = self.open.last().copied();
        let from = self.items.len();
        for made in document.made {
            if self.items.len() > MOST {
                self.many = true;
                return;
            }
            self.items.push(Item::made(made, outer));
        }
        if let Some(item) = self.items.get_mut(from) {
            item.cuts = document.cuts;
        }
    }

    fn refuse(&mut self, path: &str, reason: &'static str) {
        self.fault.get_or_insert(RequestError::Schema { path: path.to_owned(), reason });
    }

    fn null(&mut self, place: &'static Place, at: Range<usize>) {
        if place.number == OnNumber::Read(Fact::TopK) {
            self.fill("limit", |item| &mut item.top_k, Slot::Null(at));
        } else if place.mark == Some(Mark::Filter) || place.string == OnString::Read(Fact::Expression) {
            self.fill("filter", |item| &mut item.filter, Slot::Null(at));
        } else if place.mark == Some(Mark::Namespace) {
            self.fill("namespace", |item| &mut item.namespaces, Slot::Null(at));
        } else if place.mark == Some(Mark::Vectors) {
            self.fill("vectors", |item| &mut item.vectors, Slot::Null(at));
        }
    }
}

impl Visit for Viewer<'_> {
    fn met(&mut self, event: Event<'_>, at: Range<usize>) {
        let at = self.spot(&at);
        match event {
            Event::Marked(Mark::Query(query)) => self.begin(query),
            Event::Marked(Mark::Steps) => self.step = false,
            Event::Span(mark) => self.over(mark, at),
            Event::Said(fact, text) => self.said(fact, text.into_owned(), at),
            Event::Counted(Fact::TopK, _, Some(number)) => {
                self.fill("limit", |item| &mut item.top_k, Slot::Given(number, Spot::Body(at)));
            }
            Event::Reference(path) => {
                if let Some(item) = self.item() {
                    item.kept = true;
                }
                self.reference.get_or_insert(path);
            }
            Event::Unnarrowed(path) => {
                if let Some(item) = self.item() {
                    item.unnarrowed.get_or_insert(path);
                }
            }
            Event::Null(place, _) => self.null(place, at),
            _ => {}
        }
    }
}

impl Item {
    fn new(query: &'static Query, outer: Option<usize>) -> Self {
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
    fn made(made: Made, outer: Option<usize>) -> Self {
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
    fn inherit(&mut self, outer: &Self) -> Result<(), RequestError> {
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
