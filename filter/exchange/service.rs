//! A service that the filter calls through a cluster of its proxy: key servers, the collector, recognisers.

use std::time::Duration;

use super::environment::{Env, fill};
use crate::config::Problem;
use crate::config::set::ClusterRef;
use crate::host::Call;

/// Where a service is, and what goes with every call to it.
#[derive(Debug)]
pub struct Service {
    cluster: String,
    /// `:authority`, where the set says it.
    authority: Option<String>,
    /// Path, where the set says it.
    path: Option<String>,
    /// How long one call may take.
    pub timeout: Duration,
    headers: Vec<(String, String)>,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// As the service knows itself.
    pub scheme: &'a str,
    /// `:authority` where the set says none; `None`: the cluster's name.
    pub authority: Option<&'a str>,
    /// Path.
    pub path: &'a str,
    /// Other headers.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Asked<'_> {
    /// A question with a body.
    pub const POST: Self = Self { method: "POST", scheme: "http", authority: None, path: "/", headers: &[] };
}

impl Service {
    /// Compiles a reference; `env` is `None` away from any proxy: nothing is called from there, so headers are left out.
    pub fn compile(service: &ClusterRef, env: Option<&Env<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut secrets = Vec::new();
        let headers = service.headers.iter().filter_map(|(name, value)| Some((name, value, env?)));
        let headers = headers.map(|(name, value, env)| {
            fill(value, env, &mut secrets, problems).map(|value| (name.clone(), value))
        });
        Some(Self {
            headers: headers.collect::<Option<_>>()?,
            cluster: service.cluster.value.clone(),
            authority: service.authority.clone(),
            path: service.path.clone(),
            timeout: service.timeout,
        })
    }

    /// The path that the set says, or else this.
    pub fn path_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.path.as_deref().unwrap_or(usual)
    }

    /// A call to it.
    pub fn call(&self, asked: &Asked<'_>, body: Vec<u8>) -> Call {
        let authority = self.authority.as_deref().or(asked.authority).unwrap_or(&self.cluster);
        let pseudo = [
            (":method", asked.method),
            (":scheme", asked.scheme),
            (":authority", authority),
            (":path", asked.path),
        ];
        let fixed = pseudo.iter().chain(asked.headers).map(|(name, value)| ((*name).into(), (*value).into()));
        Call {
            cluster: self.cluster.clone(),
            headers: fixed.chain(self.headers.iter().cloned()).collect(),
            body,
            timeout: self.timeout,
        }
    }
}
