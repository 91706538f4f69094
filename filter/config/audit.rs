//! Where records go.

use super::node::Node;
use super::read;
use super::set::{Audit, Capture, Delivery};

const DELIVERIES: &[(&str, Delivery)] =
    &[("async", Delivery::Async), ("before_forward", Delivery::BeforeForward)];

pub(super) fn read(node: &Node) -> Option<Audit> {
    let delivery = read::choice(node, "delivery", DELIVERIES).unwrap_or_default();
    let signing_key = node.get("signing_key").and_then(read::template);
    Some(Audit { cluster: read::cluster(node)?, capture: Capture::None, delivery, signing_key })
}
