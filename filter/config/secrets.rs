//! Secrets that services keep, for credentials to hold.

use super::node::Node;
use super::read;
use super::set::Secret;
use super::tables;

#[inline(never)]
pub(super) fn read(node: &Node) -> Option<Secret> {
    Some(Secret {
        name: read::located(node, "name")?,
        cluster: read::cluster(node)?,
        token: node.get("token").and_then(read::template),
        field: read::text(node, "field").unwrap_or_else(|| "value".to_owned()),
        refresh: read::duration(node, "refresh", tables::SECRET_REFRESH),
        keep: read::duration(node, "keep", tables::SECRET_KEEP),
    })
}
