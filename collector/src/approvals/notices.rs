//! Notifications: who is told of what. They never hold anything up: each receiver has a bounded queue, and what finds it
//! full is lost, which the log says. Whoever approves sees everything that waits on the page.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use tokio::sync::mpsc;

use super::record::list_of_rules;
use super::send::{Client, Unsent};
use super::state::{Approval, Event};
use super::view::seconds;
use crate::store::now;

/// Most notifications that wait for one receiver.
const WAITING: usize = 1024;
/// The wait after the first failure, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// How long a decision is told; that somebody is needed is told as long as that holds.
const STALE: i64 = 3_600_000_000_000;

/// Who is told, and how.
pub enum Receiver {
    /// A program of the operator's own: JSON, signed.
    Webhook {
        /// Its address.
        url: String,
        /// What signatures are made with.
        secret: Vec<u8>,
    },
    /// Slack, or what takes its incoming webhooks.
    Slack {
        /// Its address, which is a secret.
        url: String,
    },
}

/// Where notifications are handed over.
#[derive(Default)]
pub struct Notices {
    outlets: Vec<(mpsc::Sender<Notice>, Form)>,
    /// Where the page is.
    page: String,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Webhook,
    Slack,
}

/// A notification on its way.
struct Notice {
    /// Id of the delivery: the same at each attempt.
    id: String,
    body: String,
    /// When it is of no more use.
    until: i64,
}

/// Delivers to one receiver, one after the other.
pub struct Deliverer {
    queue: mpsc::Receiver<Notice>,
    receiver: Receiver,
    client: Client,
}

impl Notices {
    /// To these receivers; links lead to the page at `page`.
    pub fn to(receivers: Vec<Receiver>, page: &str, client: &Client) -> (Self, Vec<Deliverer>) {
        let mut notices = Self { outlets: Vec::new(), page: page.trim_end_matches('/').to_owned() };
        let deliverers = receivers.into_iter().map(|receiver| {
            let (sender, queue) = mpsc::channel(WAITING);
            let form = match receiver {
                Receiver::Webhook { .. } => Form::Webhook,
                Receiver::Slack { .. } => Form::Slack,
            };
            notices.outlets.push((sender, form));
            Deliverer { queue, receiver, client: client.clone() }
        });
        let deliverers = deliverers.collect();
        (notices, deliverers)
    }

    /// Tells of it, where it is something to tell.
    pub fn tell(&self, approval: &Approval, event: Event) {
        let told = match event {
            Event::Voted | Event::Spent => false,
            // Whoever decided knows, and whoever waited can ask again.
            Event::Expired => !approval.is_approved(),
            Event::Opened | Event::BrokenGlass | Event::Approved | Event::Denied => true,
        };
        if !told {
            return;
        }
        for (queue, form) in &self.outlets {
            let body = match form {
                Form::Webhook => webhook(approval, event, &self.page),
                Form::Slack => slack(approval, event, &self.page),
            };
            let until = match event {
                Event::Opened => approval.expires,
                _ => now().saturating_add(STALE),
            };
            let id = format!("{}-{}", approval.id, event.name());
            if queue.try_send(Notice { id, body, until }).is_err() {
                tracing::error!(approval = %approval.id, "a notification is lost: too many wait for their receiver");
            }
        }
    }
}

impl Deliverer {
    /// Delivers until nobody can hand over any more.
    pub async fn run(mut self) {
        while let Some(notice) = self.queue.recv().await {
            if now() >= notice.until {
                tracing::error!(delivery = %notice.id, "a notification is given up: it is of no more use");
                continue;
            }
            let mut wait = FIRST;
            while let Err(error) = self.attempt(&notice).await {
                if !error.may_pass() || now() >= notice.until {
                    tracing::error!(delivery = %notice.id, %error, "a notification is given up");
                    break;
                }
                tracing::warn!(delivery = %notice.id, %error, "a notification did not arrive, and is tried again");
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(LONGEST);
            }
        }
    }

    async fn attempt(&self, notice: &Notice) -> Result<(), Unsent> {
        let Notice { id, body, .. } = notice;
        match &self.receiver {
            Receiver::Slack { url } => self.client.post(url, &[], body).await,
            Receiver::Webhook { url, secret } => {
                let timestamp = now().div_euclid(1_000_000_000).to_string();
                let signature = format!("sha256={}", signed(secret, &timestamp, body));
                let headers = [
                    ("x-portcullis-delivery", id.as_str()),
                    ("x-portcullis-timestamp", &timestamp),
                    ("x-portcullis-signature", &signature),
                ];
                self.client.post(url, &headers, body).await
            }
        }
    }
}

/// HMAC-SHA256 of the timestamp, a full stop and the body, in hexadecimal digits.
fn signed(secret: &[u8], timestamp: &str, body: &str) -> String {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    portcullis::audit::trace::to_hex(&mac.finalize().into_bytes())
}

fn link(approval: &Approval, page: &str) -> String {
    format!("{page}/#/approvals/{}", approval.id)
}

/// Who, which rules, until when; nothing of what was said to the model, and no words of people.
fn webhook(approval: &Approval, event: Event, page: &str) -> String {
    let asked = &approval.asked;
    let mut told = json!({
        "id": approval.id, "state": approval.noted().name(), "expires": seconds(approval.expires),
        "caller": asked.caller.id, "exchange": asked.exchange.as_str(), "connection": asked.shown.connection,
        "policy": asked.shown.policy, "rules": list_of_rules(approval), "url": link(approval, page),
    });
    let decided = !matches!(event, Event::Opened | Event::Expired);
    if let (true, Some(told)) = (decided, told.as_object_mut()) {
        told.insert("by".to_owned(), json!(approval.by()));
    }
    let kind = format!("approval.{}", event.name());
    json!({ "type": kind, "time": seconds(now()), "approval": told }).to_string()
}

fn slack(approval: &Approval, event: Event, page: &str) -> String {
    let caller = code(&approval.asked.caller.id);
    let rules: Vec<String> = list_of_rules(approval).iter().map(|rule| code(rule)).collect();
    let by: Vec<String> = approval.by().into_iter().map(code).collect();
    let (rules, by) = (rules.join(", "), by.join(", "));
    let mut text = match event {
        Event::Opened => format!("A call of {caller} waits for approval ({rules})"),
        Event::Denied => format!("The call of {caller} was denied by {by} ({rules})"),
        Event::Expired => format!("Nobody decided in time about the call of {caller} ({rules})"),
        Event::BrokenGlass => {
            format!(":rotating_light: The glass was broken by {by} for a call of {caller} ({rules})")
        }
        _ => format!("The call of {caller} was approved by {by} ({rules})"),
    };
    if event == Event::Opened {
        let until = seconds(approval.expires);
        let epoch = approval.expires.div_euclid(1_000_000_000);
        let _ = write!(text, ", until <!date^{epoch}^{{date_short_pretty}} {{time}}|{until}>");
    }
    let _ = write!(text, ". <{}|Look at it>", escaped(&link(approval, page)));
    json!({ "text": text }).to_string()
}

/// A text from outside, in which nothing is markup.
fn code(text: &str) -> String {
    format!("`{}`", escaped(&text.replace('`', "'")))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
