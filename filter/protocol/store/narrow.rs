//! A request changed so that it reads no more than a policy lets it. What is not changed keeps its bytes.

use std::ops::Range;

use super::asks::{Language, Reach, Vectors, Written};
use super::graph::Room;
use super::language::{Both, both, inner, quoted};
use super::view::{Item, Slot, Spot, StoreView};
use crate::protocol::patch::Patch;

/// What a policy lets a request read.
pub struct Limits<'p> {
    /// Whether a collection may be asked; `None`: all may.
    pub collection: Option<&'p dyn Fn(&str) -> bool>,
    /// The parts of collections that may be asked; `None`: all may.
    pub namespaces: Option<&'p [String]>,
    /// Fields, and what each must be in every row.
    pub filter: &'p [(String, String)],
    /// Most hits of a query.
    pub max_top_k: Option<u64>,
    /// Whether vectors are left out.
    pub drop_vectors: bool,
    /// Whether a larger bound and a missing namespace are set right; else they are refused.
    pub clamp: bool,
}

/// Why a request reads more than it may. Each is a sentence for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Another collection.
    #[error("the policy does not let you use this collection")]
    Collection,
    /// No collection is named, so that it is of several or of all.
    #[error("the policy lets you use certain collections, and this request names none")]
    NoCollection,
    /// Another part of a collection.
    #[error("the policy does not let you use this namespace")]
    Namespace,
    /// No part of a collection is named.
    #[error("the policy lets you use certain namespaces, and this request names none")]
    NoNamespace,
    /// Too many hits.
    #[error("the policy lets you ask for at most {0} hits")]
    TopK(u64),
    /// The policy filters rows, and here the store takes no filter.
    #[error("the policy lets you see certain rows only, and this operation takes no filter")]
    Unfiltered,
    /// The same of a part of a request.
    #[error("the policy lets you see certain rows only, and {0} reads others")]
    Unnarrowed(String),
    /// A deletion of everything that may be seen.
    #[error("a deletion must have a filter of its own here: it would delete every row that you may see")]
    Deletion,
    /// Vectors are asked for, and in a way that cannot be taken out.
    #[error("the policy lets no vectors out: ask for none")]
    Vectors,
    /// A filter that cannot be read.
    #[error("the filter cannot be read: {0}")]
    Filter(&'static str),
    /// There is nothing in the request where a limit could be written.
    #[error("the policy limits this request, which has no body for it")]
    NoBody,
}

/// A request's parts after they were narrowed; `None`: as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The query string.
    pub query: Option<String>,
}

/// Narrows a request that [`StoreView::read`] has read of this body and query string; `deletes`: it deletes.
///
/// # Errors
/// [`Excess`]: it reads more than it may, and cannot be narrowed.
pub fn narrow(
    view: &StoreView,
    deletes: bool,
    limits: &Limits<'_>,
    query: &str,
    body: &[u8],
) -> Result<Narrowed, Excess> {
    let (body, params) = (Edited::new(body), Patch::new(query.as_bytes()));
    let mut writer = Writer { limits, deletes, body, query, params, added: Vec::new() };
    for (at, item) in view.items.iter().enumerate() {
        let near = |other: &&Item| other.outer == Some(at) && other.query.reach == NEAR;
        writer.item(item, view.items.iter().any(|other| near(&other)))?;
    }
    let Writer { body, params, added, .. } = writer;
    let query = (!params.is_empty() || !added.is_empty()).then(|| {
        let mut changed = String::from_utf8(params.apply()).unwrap_or_default();
        for pair in added {
            if !changed.is_empty() {
                changed.push('&');
            }
            changed.push_str(&pair);
        }
        changed
    });
    Ok(Narrowed { body: (!body.patch.is_empty()).then(|| body.patch.apply()), query })
}

/// Elasticsearch's neighbours, within a search.
const NEAR: Reach = Reach::Filtered("filter", Language::Clause);

/// A body, and what is changed of it.
struct Edited<'a> {
    bytes: &'a [u8],
    patch: Patch<'a>,
}

impl<'a> Edited<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, patch: Patch::new(bytes) }
    }
}

struct Writer<'a> {
    limits: &'a Limits<'a>,
    deletes: bool,
    body: Edited<'a>,
    query: &'a str,
    params: Patch<'a>,
    added: Vec<String>,
}

impl Writer<'_> {
    /// `near`: it finds neighbours beside what its query finds.
    fn item(&mut self, item: &Item, near: bool) -> Result<(), Excess> {
        if item.query.reach == Reach::Service {
            return Ok(());
        }
        self.collections(item)?;
        // What a query's object lacks is written into it at once.
        let mut keys: Vec<String> = Vec::new();
        self.namespaces(item, &mut keys)?;
        self.top_k(item, &mut keys)?;
        // Without a query, neighbours alone are found: with one, all that it finds would be.
        if !near || item.filter.value().is_some() || item.unnarrowed.is_some() {
            self.filter(item, &mut keys)?;
        }
        self.vectors(item)?;
        self.insert(item, &keys)
    }

    fn collections(&self, item: &Item) -> Result<(), Excess> {
        let Some(may) = self.limits.collection else { return Ok(()) };
        if item.collections.is_empty() {
            return Err(Excess::NoCollection);
        }
        if item.collections.iter().all(|name| may(name)) { Ok(()) } else { Err(Excess::Collection) }
    }

    fn namespaces(&mut self, item: &Item, keys: &mut Vec<String>) -> Result<(), Excess> {
        let Some(may) = self.limits.namespaces else { return Ok(()) };
        let named = item.namespaces.value().map_or(&[][..], Vec::as_slice);
        if !matches!(named, []) && named != [String::new()] {
            return if named.iter().all(|name| may.contains(name)) { Ok(()) } else { Err(Excess::Namespace) };
        }
        if item.query.reach == Reach::Schema || !item.says_namespace() {
            return Ok(());
        }
        let ([only], true, Some(at)) = (may, self.limits.clamp, item.query.namespace) else {
            return Err(Excess::NoNamespace);
        };
        let text = match at {
            Written::List(_) => format!("[{}]", quoted(only)),
            Written::Param(_) => percent(only),
            _ => quoted(only),
        };
        if at == Written::Elsewhere {
            return Err(Excess::NoNamespace);
        }
        self.write(item, &item.namespaces, at, text, keys);
        Ok(())
    }

    fn top_k(&mut self, item: &Item, keys: &mut Vec<String>) -> Result<(), Excess> {
        let (Some(most), Some(bound), Some(hits)) = (self.limits.max_top_k, item.query.top_k, item.hits())
        else {
            return Ok(());
        };
        if hits <= most {
            return Ok(());
        }
        if !self.limits.clamp || bound.at == Written::Elsewhere {
            return Err(Excess::TopK(most));
        }
        self.write(item, &item.top_k, bound.at, most.to_string(), keys);
        Ok(())
    }

    fn filter(&mut self, item: &Item, keys: &mut Vec<String>) -> Result<(), Excess> {
        let fields = self.limits.filter;
        if fields.is_empty() {
            return Ok(());
        }
        let (key, language) = match item.query.reach {
            Reach::Service | Reach::Schema | Reach::Within => return Ok(()),
            Reach::Unfiltered => return Err(Excess::Unfiltered),
            Reach::Filtered(key, language) => (key, language),
        };
        if let Some(path) = &item.unnarrowed {
            return Err(Excess::Unnarrowed(path.clone()));
        }
        let own = item.filter.value().map(String::as_str);
        let narrowed = both(language, own, fields).map_err(Excess::Filter)?;
        if (self.deletes || item.query.operation == "delete") && matches!(narrowed, Both::Alone(_)) {
            return Err(Excess::Deletion);
        }
        let is_text = language == Language::Expression;
        match (narrowed, &item.filter) {
            (Both::Around(before, behind), Slot::Given(_, Spot::Body(at))) => {
                self.body.patch.put(at.start..at.start, item.written(before));
                self.body.patch.put(at.end..at.end, item.written(behind));
            }
            (Both::Alone(filter), Slot::Given(_, Spot::Body(at))) => {
                self.body.patch.put(at.clone(), item.written(filter));
            }
            (Both::Alone(filter), slot) => {
                let filter = if is_text { format!("\"{filter}\"") } else { filter };
                self.write(item, slot, Written::Key(key), filter, keys);
            }
            (Both::Around(..), _) => return Err(Excess::Unfiltered),
        }
        Ok(())
    }

    fn vectors(&mut self, item: &Item) -> Result<(), Excess> {
        if !self.limits.drop_vectors {
            return Ok(());
        }
        for (at, instead) in &item.cuts {
            self.body.patch.put(at.clone(), *instead);
        }
        match item.query.vectors {
            // What comes in any case is left out of the answer.
            Vectors::Never | Vectors::Always | Vectors::Field | Vectors::Cut => Ok(()),
            Vectors::Listed(names) => {
                if let Slot::Given(text, Spot::Param(at)) = &item.vectors {
                    self.unlist(text, names, at);
                }
                Ok(())
            }
            Vectors::Flag => match &item.vectors {
                Slot::Absent | Slot::Null(_) => Ok(()),
                Slot::Given(text, _) if text == "false" => Ok(()),
                Slot::Given(_, Spot::Body(at)) => {
                    self.body.patch.put(at.clone(), "false");
                    Ok(())
                }
                Slot::Given(..) => Err(Excess::Vectors),
            },
            Vectors::Column(name) => {
                let mut asked = item.columns.iter().filter(|(column, _)| column == name);
                match (asked.next(), asked.next()) {
                    (None, _) => Ok(()),
                    (Some((_, at)), None) => {
                        self.body.patch.put(with_comma(self.body.bytes, at), "");
                        Ok(())
                    }
                    (Some(_), Some(_)) => Err(Excess::Vectors),
                }
            }
        }
    }

    /// Leaves names out of a parameter's list, and the parameter where nothing is left.
    fn unlist(&mut self, text: &str, names: &[&str], at: &Range<usize>) {
        let out = |one: &&str| names.iter().any(|name| one.trim().eq_ignore_ascii_case(name));
        let kept: Vec<&str> = text.split(',').filter(|one| !out(one)).collect();
        if kept.len() == text.split(',').count() {
            return;
        }
        if !kept.is_empty() {
            return self.params.put(at.clone(), percent(&kept.join(",")));
        }
        let before = self.query.get(..at.start).unwrap_or_default();
        let from = before.rfind('&').map_or(0, |and| and.saturating_add(1));
        self.params.put(from..at.end, "");
    }

    /// Writes a value to where it stands, or to where it should.
    fn write<T>(&mut self, item: &Item, slot: &Slot<T>, at: Written, text: String, keys: &mut Vec<String>) {
        match (slot, at) {
            (Slot::Given(_, Spot::Body(range)) | Slot::Null(range), _) => {
                self.body.patch.put(range.clone(), item.written(text));
            }
            (Slot::Given(_, Spot::Param(range)), _) => self.params.put(range.clone(), text),
            (_, Written::Key(key)) if item.arguments.is_some() => keys.push(format!("{key}:{text}")),
            (_, Written::Key(key) | Written::List(key)) => keys.push(format!("{}:{text}", quoted(key))),
            (_, Written::Param(name)) => {
                let pair = format!("{name}={text}");
                if !self.added.contains(&pair) {
                    self.added.push(pair);
                }
            }
            (_, Written::Elsewhere) => {}
        }
    }

    fn insert(&mut self, item: &Item, keys: &[String]) -> Result<(), Excess> {
        if keys.is_empty() {
            return Ok(());
        }
        if let Some(Room { at, within }) = item.arguments {
            let arguments = keys.join(",");
            let text = if within { format!("{arguments},") } else { format!("({arguments})") };
            self.body.patch.put(at..at, item.written(text));
            return Ok(());
        }
        let object = item.object.as_ref().ok_or(Excess::NoBody)?;
        if self.body.patch.enter(object.start, keys) { Ok(()) } else { Err(Excess::NoBody) }
    }
}

impl Item {
    /// What is written into it, as it stands in the body: GraphQL stands in a JSON string.
    fn written(&self, text: String) -> String {
        if self.arguments.is_some() { inner(&text) } else { text }
    }
}

/// A string of a list, with its quotes, and with the comma that parts it from another.
fn with_comma(body: &[u8], text: &Range<usize>) -> Range<usize> {
    let blank = |byte: &&u8| byte.is_ascii_whitespace();
    let (from, to) = (text.start.saturating_sub(1), text.end.saturating_add(1));
    let behind = body.get(to..).unwrap_or_default();
    let spaces = behind.iter().take_while(blank).count();
    if behind.get(spaces) == Some(&b',') {
        return from..to.saturating_add(spaces).saturating_add(1);
    }
    let before = body.get(..from).unwrap_or_default();
    let spaces = before.iter().rev().take_while(blank).count();
    let comma = from.saturating_sub(spaces).saturating_sub(1);
    if body.get(comma) == Some(&b',') { comma..to } else { from..to }
}

/// A text as a value of a query string.
fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
