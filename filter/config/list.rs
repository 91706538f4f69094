//! Lists of a tree while they are read, and lists of nothing but texts, which are kept without a node for each.
//!
//! A dictionary of 100,000 words is such a list: as nodes it would take fifty times what its words do.

use std::rc::Rc;

use serde::ser::{Serialize, Serializer};

use super::node::{Node, Value};
use super::set::Place;
use crate::texts::Texts;

/// A list of nothing but texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextList {
    texts: Rc<Texts>,
    /// Line and column of each, where they are known.
    lines: Rc<[(u32, u32)]>,
}

impl TextList {
    /// The texts.
    pub fn texts(&self) -> &Rc<Texts> {
        &self.texts
    }

    /// Where one of them stood, in a list that stood at a place.
    pub fn place(&self, at: usize, list: &Place) -> Place {
        let (line, column) = self.lines.get(at).copied().unwrap_or((list.line, list.column));
        Place { file: Rc::clone(&list.file), line, column, key: list.key.item(at) }
    }

    /// The same list with a node for each text.
    pub(super) fn nodes<'t>(&'t self, list: &'t Place) -> impl Iterator<Item = Node> + 't {
        let node = |(at, text): (usize, &str)| Node::new(Value::Text(text.to_owned()), self.place(at, list));
        self.texts.iter().enumerate().map(node)
    }
}

impl Serialize for TextList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(serializer)
    }
}

/// The items of a list that is being read.
#[derive(Debug, Default)]
pub struct Items {
    nodes: Vec<Node>,
    /// As long as there are only texts, these.
    texts: Texts,
    lines: Vec<(u32, u32)>,
}

impl Items {
    /// Takes the next item.
    pub fn push(&mut self, node: Node) {
        match &node.value {
            Value::Text(text) if self.nodes.is_empty() => {
                self.texts.push(text);
                // Lines are known of all items or of none.
                if node.place.line > 0 {
                    self.lines.push((node.place.line, node.place.column));
                }
            }
            _ => {
                if !self.texts.is_empty() {
                    let before = std::mem::take(self).texts();
                    let list = Place { file: Rc::clone(&node.place.file), ..Place::default() };
                    self.nodes.extend(before.nodes(&list));
                }
                self.nodes.push(node);
            }
        }
    }

    /// The list.
    pub fn into_value(self) -> Value {
        if self.texts.is_empty() { Value::List(self.nodes) } else { Value::Texts(self.texts()) }
    }

    fn texts(mut self) -> TextList {
        self.texts.shrink_to_fit();
        TextList { texts: Rc::new(self.texts), lines: self.lines.into() }
    }
}

impl FromIterator<Node> for Items {
    fn from_iter<I: IntoIterator<Item = Node>>(all: I) -> Self {
        let mut items = Self::default();
        all.into_iter().for_each(|node| items.push(node));
        items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(line: u32) -> Place {
        Place { file: "f".into(), line, column: line.saturating_mul(2), ..Place::default() }
    }

    proptest! {
        #[test]
        fn a_list_says_the_same_with_nodes_and_without(items in prop::collection::vec(prop::option::of(".{0,4}"), 0..6), lines: bool) {
            let line = |at: usize| if lines { u32::try_from(at).unwrap() + 3 } else { 0 };
            let value = |item: &Option<String>| item.as_ref().map_or(Value::Null, |text| Value::Text(text.clone()));
            let nodes = items.iter().enumerate().map(|(at, item)| Node::new(value(item), place(line(at))));
            let nodes: Vec<Node> = nodes.collect();
            let list = Node::new(nodes.iter().cloned().collect::<Items>().into_value(), place(line(0)));
            let only_texts = !items.is_empty() && items.iter().all(Option::is_some);
            prop_assert_eq!(matches!(list.value, Value::Texts(_)), only_texts);
            prop_assert_eq!(list.each().count(), nodes.len());
            for (at, (kept, node)) in list.each().zip(&nodes).enumerate() {
                prop_assert_eq!(&kept.value, &node.value);
                prop_assert_eq!((kept.place.line, kept.place.column), (node.place.line, node.place.column));
                if only_texts {
                    prop_assert_eq!(&kept.place.key, &list.place.key.item(at));
                }
            }
            prop_assert_eq!(serde_json::to_string(&list).unwrap(), serde_json::to_string(&items).unwrap());
        }
    }
}
