//! Where records go.

use super::node::Node;
use super::read;
use super::set::{Audit, Capture, Delivery};

pub(super) fn read(node: &Node) -> Option<Audit> {
    Some(Audit { cluster: read::cluster(node)?, capture: Capture::None, delivery: Delivery::Async })
}
