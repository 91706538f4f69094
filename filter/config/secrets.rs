//! Secrets that services keep, for credentials to hold.

use super::grammar::write_duration;
use super::node::Node;
use super::problem::Problem;
use super::read;
use super::set::Secret;
use super::tables;

#[inline(never)]
pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Secret> {
    let refresh = read::duration(node, "refresh", tables::SECRET_REFRESH);
    let keep = read::duration(node, "keep", tables::SECRET_KEEP);
    if keep < refresh {
        let place = node.get("keep").or_else(|| node.get("refresh")).map_or(&node.place, |node| &node.place);
        let (keep, refresh) = (write_duration(keep), write_duration(refresh));
        let message =
            format!("`keep` ({keep}) is shorter than `refresh` ({refresh}): in between there is no value");
        problems.push(Problem::error(place, message).help(format!("keep values for {refresh} at least")));
    }
    Some(Secret {
        name: read::located(node, "name")?,
        cluster: read::cluster(node)?,
        token: node.get("token").and_then(read::template),
        field: read::text(node, "field").unwrap_or_else(|| "value".to_owned()),
        refresh,
        keep,
    })
}
