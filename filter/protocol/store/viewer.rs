//! How a request to a store is read: what the engine meets on the way makes its queries.

use std::ops::Range;

use crate::protocol::RequestError;
use crate::protocol::request::reader::{Event, Visit, read_place};
use crate::protocol::request::table::{Fact, Mark, OnNumber, OnString, Place};

use super::asks::{Asks, Documents, Query};
use super::graph;
use super::graphql::Source;
use super::params::{self, Param};
use super::view::{Item, Slot, Spot, Where};
use super::weaviate::{self, class_name, class_of};

/// Most queries of one request.
const MOST: usize = 1024;

/// What has been read of a request so far.
pub(super) struct Viewer<'b> {
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
    pub(super) reference: Option<String>,
    /// What else is wrong.
    fault: Option<RequestError>,
    /// Whether the next of the steps under way is to a collection.
    step: bool,
}

impl Viewer<'_> {
    pub(super) fn new(asks: &'static Asks, at: Where) -> Self {
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

    pub(super) fn params(
        &mut self,
        query: &str,
        table: &'static [(&'static str, Param)],
    ) -> Result<(), RequestError> {
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
    pub(super) fn body(&mut self, documents: &Documents, body: &'b [u8]) -> Result<(), RequestError> {
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
    pub(super) fn settle(self) -> Result<Vec<Item>, RequestError> {
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
