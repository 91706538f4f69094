//! Where records go, and how much they hold.

use super::node::Node;
use super::problem::Problem;
use super::read;
use super::set::{Audit, Capture, Compression, Delivery, Encoding, Located};

const DELIVERIES: &[(&str, Delivery)] =
    &[("async", Delivery::Async), ("before_forward", Delivery::BeforeForward)];

const ENCODINGS: &[(&str, Encoding)] = &[("json", Encoding::Json), ("protobuf", Encoding::Protobuf)];

const COMPRESSIONS: &[(&str, Compression)] = &[("none", Compression::None), ("gzip", Compression::Gzip)];

const CAPTURES: &[(&str, Capture)] =
    &[("none", Capture::None), ("masked", Capture::Masked), ("full", Capture::Full)];

/// What is masked where the set does not say.
const MASK: [&str; 2] = ["PII", "SECRETS"];

#[inline(never)]
pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Audit> {
    let delivery = read::choice(node, "delivery", DELIVERIES).unwrap_or_default();
    let encoding = read::choice(node, "encoding", ENCODINGS).unwrap_or_default();
    let compression = read::choice(node, "compression", COMPRESSIONS).unwrap_or_default();
    let signing_key = node.get("signing_key").and_then(read::template);
    let capture = read::choice(node, "capture", CAPTURES).unwrap_or_default();
    let mask = mask(node, capture, problems);
    let recipients = recipients(node, capture, problems);
    Some(Audit {
        cluster: read::cluster(node)?,
        capture,
        mask,
        recipients,
        delivery,
        encoding,
        compression,
        signing_key,
    })
}

fn recipients(node: &Node, capture: Capture, problems: &mut Vec<Problem>) -> Vec<Located<String>> {
    match (node.get("recipients"), capture) {
        (None, Capture::Full) => {
            let place = node.get("capture").map_or(&node.place, |capture| &capture.place);
            let problem = Problem::error(place, "has nobody who could read what is kept as it came");
            let help = "name the auditors' public keys in `recipients`: `age-keygen` makes them";
            problems.push(problem.help(help));
        }
        (Some(written), Capture::None | Capture::Masked) => {
            let problem = Problem::error(&written.place, "has no effect without `capture: full`");
            problems.push(problem.help("what is masked is not sealed"));
        }
        _ => {}
    }
    // A list that is empty has been refused.
    read::located_texts(node, "recipients")
}

fn mask(node: &Node, capture: Capture, problems: &mut Vec<Problem>) -> Vec<Located<String>> {
    if let (Some(written), Capture::None) = (node.get("mask"), capture) {
        let problem = Problem::error(&written.place, "has no effect without `capture: masked` or `full`");
        problems.push(problem.help("records hold no texts that it could mask"));
    }
    entities(node)
}

/// The entities that `mask` names, or else the usual ones.
pub(super) fn entities(node: &Node) -> Vec<Located<String>> {
    let named = |name: &str| Located { value: name.to_owned(), place: node.place.clone() };
    match node.get("mask") {
        // A list that is empty has been refused.
        Some(_) => read::located_texts(node, "mask"),
        None => MASK.into_iter().map(named).collect(),
    }
}
