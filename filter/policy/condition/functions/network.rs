//! Networks, by the names that Kubernetes gave CEL for them.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{Fault, Meter, Outcome, Value, text};

const NO_NETWORK: Fault<'static> = Fault::Other("cidr() of something that is no network");
const NO_ADDRESS: Fault<'static> = Fault::Other("containsIP() of something that is no address");

/// Whether a text is a network.
pub(super) fn reads(text: &str) -> bool {
    text.parse::<IpNet>().is_ok()
}

pub(super) fn cidr<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let network = text(args, 0)?.parse().map_err(|_| NO_NETWORK)?;
    Ok(Value::Network(Arc::new(network)))
}

pub(super) fn contains_ip<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let Some(Value::Network(network)) = args.first() else { return Err(Fault::Type) };
    let address: IpAddr = text(args, 1)?.parse().map_err(|_| NO_ADDRESS)?;
    // An IPv4 peer of an IPv6 socket is the same peer.
    Ok(Value::Bool(network.contains(&address.to_canonical())))
}
