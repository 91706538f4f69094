"""Envoy bootstraps without Portcullis: bare, or with filters to compare with. Portcullis's own come from its command
`render envoy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import process

_FILTERS = "type.googleapis.com/envoy.extensions.filters"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"},
}


def socket_address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def cluster(name: str, address: str, *, http2: bool = False) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": socket_address(address)}}
    made: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        make_http2(made)
    return made


def make_http2(cluster: dict[str, Any]) -> None:
    """Makes a cluster speak HTTP/2 to its endpoints."""
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    cluster.setdefault("typed_extension_protocol_options", {})[kind] = {
        "@type": f"type.googleapis.com/{kind}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }


def wasm_filter(path: Path, *, name: str = "wasm", configuration: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "typed_config": {
            "@type": f"{_FILTERS}.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": name,
                "failure_policy": "FAIL_RELOAD",
                "allow_on_headers_stop_iteration": True,
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": str(path)}},
                },
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
            },
        },
    }


def bootstrap(
    upstream: str, *filters: dict[str, Any], http2: bool = False, clusters: dict[str, str] | None = None
) -> Any:
    """One listener whose every path leads to `upstream`, through the filters in order."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}
    connection_manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*filters, ROUTER],
    }
    chain = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connection_manager}]
    listener = {
        "name": "in",
        "address": socket_address(f"127.0.0.1:{process.free_port()}"),
        "filter_chains": [{"filters": chain}],
    }
    return {
        "admin": {"address": socket_address(f"127.0.0.1:{process.free_port()}")},
        "static_resources": {
            "listeners": [listener],
            "clusters": [
                cluster("upstream", upstream, http2=http2),
                *(cluster(name, address) for name, address in (clusters or {}).items()),
            ],
        },
    }
