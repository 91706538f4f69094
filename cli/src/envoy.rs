//! A whole Envoy around the module.

use clap::Args;
use portcullis::config::Problem;
use portcullis::config::node::Node;
use portcullis::config::set::Bundle;

/// What `render envoy` is told.
#[derive(Debug, Args)]
pub struct Options {}

/// The bootstrap.
pub fn render(_bundle: &Bundle, _root: &Node, _options: &Options) -> Result<String, Vec<Problem>> {
    Err(Vec::new())
}
