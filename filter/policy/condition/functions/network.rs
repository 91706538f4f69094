//! Networks, by the names that Kubernetes gave CEL for them.

use std::net::IpAddr;

use cel::common::types::DYN_TYPE;
use cel::common::value::{CowVal, StaticVal, Val};
use ipnet::IpNet;

use super::{Failure, Outcome, boolean, failed, text, wrong_type};

/// A network of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Network(IpNet);

impl Val for Network {
    fn get_type(&self) -> &cel::common::types::Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static cel::common::types::Type {
        &DYN_TYPE
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self.0.trunc() == other.0.trunc())
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Network {}

/// Whether a text is a network.
pub(super) fn reads(text: &str) -> bool {
    text.parse::<IpNet>().is_ok()
}

pub(super) fn cidr<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let network = text(&args, 0)?.parse().map_err(|_| failed(Failure::Network))?;
    Ok(CowVal::owned(Network(network)))
}

pub(super) fn contains_ip<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let network = args.first().and_then(|value| value.downcast_ref::<Network>()).ok_or_else(wrong_type)?;
    let address: IpAddr = text(&args, 1)?.parse().map_err(|_| failed(Failure::Address))?;
    // An IPv4 peer of an IPv6 socket is the same peer.
    Ok(boolean(network.0.contains(&address.to_canonical())))
}
