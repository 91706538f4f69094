//! Recognisers: services that find what no pattern can.

use super::node::Node;
use super::problem::{Problem, elsewhere, shown};
use super::read;
use super::set::{Located, Recogniser};
use super::tables;

#[inline(never)]
pub(super) fn read_all(nodes: &[Node], problems: &mut Vec<Problem>) -> Vec<Recogniser> {
    let all: Vec<Recogniser> = nodes.iter().filter_map(read).collect();
    let mut seen: Vec<&Located<String>> = Vec::new();
    for entity in all.iter().flat_map(|recogniser| &recogniser.entities) {
        match seen.iter().find(|known| known.value == entity.value) {
            Some(first) => {
                let message =
                    format!("{} is found already at {}", shown(&entity.value), elsewhere(&first.place));
                let help = "an entity has one recogniser: take it out of the other one";
                problems.push(Problem::error(&entity.place, message).help(help));
            }
            None => seen.push(entity),
        }
    }
    all
}

fn read(node: &Node) -> Option<Recogniser> {
    Some(Recogniser {
        name: read::located(node, "name")?,
        cluster: read::cluster(node)?,
        entities: read::located_texts(node, "entities"),
        language: read::text(node, "language").unwrap_or_else(|| "en".to_owned()),
        min_score: read::share(node, "min_score", tables::MIN_SCORE),
        max_bytes: read::size(node, "max_bytes", tables::RECOGNISED),
    })
}
