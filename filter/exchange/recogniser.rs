//! Asking a recogniser: a service that finds in whole texts what no pattern can, such as names.
//!
//! The API is that of Presidio's analyzer (`POST /analyze`): a text goes out, findings with their places in characters
//! come back. It sees the answer as the patterns left it, so that what they mask reaches nobody else either.
//!
//! In enforce the answer is held, head and body, until the findings are there and masked; a recogniser that does not
//! answer in time, or not as it should, refuses the exchange. Monitor holds nothing: the texts are asked about when the
//! answer has gone, and the record of its end waits for what comes back ([`later`](super::later)).

use serde::{Deserialize, Serialize};

use super::environment::Env;
use super::service::{Asked, Service};
use crate::config::Problem;
use crate::config::set;
use crate::host::{Call, Reply};
use crate::mask::recognised::Finding;
use crate::mask::text::Entity;

/// A service that finds what no pattern can.
pub struct Recogniser {
    /// Name within the set.
    pub name: String,
    /// What it finds: the service's name of it, and ours.
    pub entities: Vec<(String, Entity)>,
    /// Largest answer that is held for it, in bytes.
    pub max_bytes: usize,
    service: Service,
    language: String,
    min_score: f64,
}

/// Why a recogniser's reply is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// The call could not be made, or broke off.
    #[error("it cannot be reached")]
    Unreached,
    /// It answered with an error.
    #[error("it answered with status {0}")]
    Status(u16),
    /// It answered something else than findings.
    #[error("it answered no list of findings")]
    Unreadable,
}

#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
    language: &'a str,
    entities: Vec<&'a str>,
    score_threshold: f64,
}

#[derive(Deserialize)]
struct Found {
    entity_type: String,
    start: usize,
    end: usize,
    #[serde(default = "certain")]
    score: f64,
}

fn certain() -> f64 {
    1.0
}

impl Recogniser {
    /// Compiles a recogniser. `number` gives our entity for a name; `env` is `None` away from any proxy.
    #[inline(never)]
    pub fn compile(
        written: &set::Recogniser,
        number: &dyn Fn(&str) -> Option<Entity>,
        env: Option<&Env<'_>>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let named = |entity: &set::Located<String>| Some((entity.value.clone(), number(&entity.value)?));
        Some(Self {
            name: written.name.value.clone(),
            entities: written.entities.iter().filter_map(named).collect(),
            max_bytes: usize::try_from(written.max_bytes).unwrap_or(usize::MAX),
            service: Service::compile(&written.cluster, env, problems)?,
            language: written.language.clone(),
            min_score: written.min_score,
        })
    }

    /// The call that asks for those of its entities that `wanted` holds.
    pub fn ask(&self, text: &str, wanted: &dyn Fn(Entity) -> bool) -> Call {
        let asked = self.entities.iter().filter(|(_, entity)| wanted(*entity));
        let question = Question {
            text,
            language: &self.language,
            entities: asked.map(|(name, _)| name.as_str()).collect(),
            score_threshold: self.min_score,
        };
        let asked = Asked {
            path: self.service.path_or("/analyze"),
            headers: &[("content-type", "application/json"), ("accept", "application/json")],
            ..Asked::POST
        };
        self.service.call(&asked, serde_json::to_vec(&question).unwrap_or_default())
    }

    /// What it found, as far as it was wanted and is sure enough.
    pub fn findings(&self, reply: &Reply, wanted: &dyn Fn(Entity) -> bool) -> Result<Vec<Finding>, Silence> {
        let body = match reply {
            Reply::Broken => return Err(Silence::Unreached),
            Reply::Answer { status: 200, body, .. } => body,
            Reply::Answer { status, .. } => return Err(Silence::Status(*status)),
        };
        let found: Vec<Found> = serde_json::from_slice(body).map_err(|_| Silence::Unreadable)?;
        let known = |found: &Found| {
            let named = self.entities.iter().find(|(name, _)| *name == found.entity_type);
            named.map(|(_, entity)| *entity).filter(|entity| wanted(*entity))
        };
        Ok(found
            .iter()
            .filter(|found| found.score >= self.min_score)
            .filter_map(|found| Some(Finding { start: found.start, end: found.end, entity: known(found)? }))
            .collect())
    }
}
