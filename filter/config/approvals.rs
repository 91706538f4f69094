//! Who asks the humans whom rules ask.

use super::node::Node;
use super::set::Approvals;
use super::{audit, read, tables};

#[inline(never)]
pub(super) fn read(node: &Node) -> Option<Approvals> {
    Some(Approvals {
        cluster: read::cluster(node)?,
        wait: read::duration(node, "wait", tables::APPROVAL_WAIT),
        ttl: read::duration(node, "ttl", tables::APPROVAL_TTL),
        ignore: read::located_texts(node, "ignore"),
        mask: audit::entities(node),
        public_key: read::located(node, "public_key"),
    })
}
