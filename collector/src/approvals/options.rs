//! Flags of approvals. Secrets stand in the environment alone, where no list of processes shows them.

use std::time::Duration;

use clap::Args;
use portcullis::audit::signature::Signer;

use super::notices::Receiver;
use super::send::address;
use crate::store::Room;

/// The key that verdicts are signed with.
const KEY: &str = "PORTCULLIS_COLLECTOR_APPROVALS_KEY";
/// What signatures of notifications are made with.
const SECRET: &str = "PORTCULLIS_COLLECTOR_APPROVALS_WEBHOOK_SECRET";
/// Shortest secret, in bytes.
const SHORTEST_SECRET: usize = 16;

/// Who is told, how many there may be, how long they are known.
#[derive(Debug, Args)]
#[command(next_help_heading = "Approvals")]
pub struct ApprovalOptions {
    /// Address of the page, as people reach it: links in notifications lead there.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_PUBLIC_URL", value_name = "URL", value_parser = address)]
    pub public_url: Option<String>,
    /// Where notifications of approvals go, signed with PORTCULLIS_COLLECTOR_APPROVALS_WEBHOOK_SECRET.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_APPROVALS_WEBHOOK",
        value_name = "URL",
        hide_env_values = true,
        value_parser = address
    )]
    pub approvals_webhook: Option<String>,
    /// A Slack incoming webhook, or what takes the same: where notifications of approvals go too.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_APPROVALS_SLACK",
        value_name = "URL",
        hide_env_values = true,
        value_parser = address
    )]
    pub approvals_slack: Option<String>,
    /// Most open approvals: pending, or approved and not spent.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_MAX_APPROVALS", default_value_t = 10_000, value_name = "COUNT")]
    pub max_approvals: u32,
    /// Most of them of one caller.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_MAX_APPROVALS_PER_CALLER",
        default_value_t = 100,
        value_name = "COUNT"
    )]
    pub max_approvals_per_caller: u32,
    /// Most requests that wait for a decision; each has a connection.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_MAX_APPROVAL_WAITS",
        default_value_t = 512,
        value_name = "COUNT"
    )]
    pub max_approval_waits: usize,
    /// How long approvals that are over are shown, in days; at most as long as records are kept. Their records stay.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_APPROVALS_KEEP_DAYS", default_value_t = 30, value_name = "DAYS")]
    pub approvals_keep_days: u32,
}

/// Why flags do not fit.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Links would lead nowhere.
    #[error("notifications hold links: --public-url has to say where people reach the page")]
    Page,
    /// Nothing to sign with.
    #[error(
        "--approvals-webhook needs {SECRET}: at least {SHORTEST_SECRET} bytes of chance (`openssl rand -hex 32`)"
    )]
    Secret,
    /// No key.
    #[error("{KEY} {0}; make one with `openssl rand -base64 32`")]
    Key(portcullis::audit::signature::KeyError),
    /// No UTF-8.
    #[error("{0} is no text")]
    Text(&'static str),
}

impl ApprovalOptions {
    /// Who is told.
    ///
    /// # Errors
    /// Something is missing for that.
    pub fn receivers(&self) -> Result<Vec<Receiver>, Unfit> {
        let mut receivers = Vec::new();
        if let Some(url) = self.approvals_webhook.clone() {
            let secret = environment(SECRET)?.filter(|secret| secret.len() >= SHORTEST_SECRET);
            receivers.push(Receiver::Webhook { url, secret: secret.ok_or(Unfit::Secret)?.into_bytes() });
        }
        if let Some(url) = self.approvals_slack.clone() {
            receivers.push(Receiver::Slack { url });
        }
        if !receivers.is_empty() && self.public_url.is_none() {
            return Err(Unfit::Page);
        }
        Ok(receivers)
    }

    /// What verdicts are signed with.
    ///
    /// # Errors
    /// It is no key.
    pub fn key(&self) -> Result<Option<Signer>, Unfit> {
        environment(KEY)?.map(|seed| Signer::of_seed(&seed).map_err(Unfit::Key)).transpose()
    }

    /// How many there may be.
    pub fn room(&self) -> Room {
        Room { all: self.max_approvals, each: self.max_approvals_per_caller }
    }

    /// How long approvals that are over are known.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.approvals_keep_days).saturating_mul(24 * 60 * 60))
    }
}

fn environment(name: &'static str) -> Result<Option<String>, Unfit> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(|value| value.into_string().map_err(|_| Unfit::Text(name))).transpose()
}
