//! Flags and environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use portcullis::audit::signature::Witness;

use crate::access::AccessOptions;
use crate::approvals::ApprovalOptions;
use crate::retention::KeepOptions;
use crate::server::ServeError;
use crate::store::Database;

/// Takes audit records, keeps them, checks their chains.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis-collector",
    version,
    after_help = "In the environment alone: PORTCULLIS_COLLECTOR_WRITER_TOKEN (what filters send), PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN (for demonstrations), PORTCULLIS_COLLECTOR_CLIENT_SECRET and PORTCULLIS_COLLECTOR_SESSION_KEY (for browsers), PORTCULLIS_COLLECTOR_APPROVALS_KEY (what verdicts are signed with), PORTCULLIS_COLLECTOR_APPROVALS_WEBHOOK_SECRET (what notifications are signed with). Every flag can stand in the environment instead. Exit codes: 0 stopped on request, 1 could not start or go on, 2 wrong arguments."
)]
pub struct Options {
    /// What else there is to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Address and port to listen on; port 0: any that is free.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_LISTEN",
        default_value = "127.0.0.1:4318",
        value_name = "ADDRESS:PORT",
        value_parser = address
    )]
    pub listen: SocketAddr,
    /// Address and port to take records over gRPC on, such as 127.0.0.1:4317; left out: none.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_LISTEN_GRPC", value_name = "ADDRESS:PORT", value_parser = address)]
    pub listen_grpc: Option<SocketAddr>,
    /// Where records are kept: `sqlite:FILE`, or `postgres://USER:PASSWORD@HOST/DATABASE` for several collectors.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_DATABASE",
        global = true,
        default_value = "sqlite:portcullis-audit.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Database,
    /// Listen where other machines can connect, though nobody is asked who they are.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_ALLOW_UNAUTHENTICATED")]
    pub allow_unauthenticated: bool,
    /// Most bytes of a request's body as it comes.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_MAX_BODY_BYTES",
        default_value_t = 4 << 20,
        value_name = "BYTES"
    )]
    pub max_body_bytes: usize,
    /// Most bytes of a request's body once it is decompressed.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_MAX_EXPANDED_BYTES",
        default_value_t = 16 << 20,
        value_name = "BYTES"
    )]
    pub max_expanded_bytes: usize,
    /// Most bytes of bodies that are being taken at one time; what comes beyond is asked to come again.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_MAX_PENDING_BYTES",
        default_value_t = 64 << 20,
        value_name = "BYTES"
    )]
    pub max_pending_bytes: usize,
    /// Most connections at one time.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_MAX_CONNECTIONS", default_value_t = 1024, value_name = "COUNT")]
    pub max_connections: usize,
    /// How long a record that is not there is waited for before that is an alarm, in seconds.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_GAP_SECONDS", default_value_t = 60, value_name = "SECONDS")]
    pub gap_seconds: u32,
    /// A public key that anchors must be signed under, in base64, as `portcullis audit public-key` prints it. May be
    /// given several times.
    #[arg(
        long = "anchor-key",
        env = "PORTCULLIS_COLLECTOR_ANCHOR_KEYS",
        value_delimiter = ',',
        value_name = "KEY",
        value_parser = witness
    )]
    pub anchor_keys: Vec<Witness>,
    /// Who is let in.
    #[command(flatten)]
    pub access: AccessOptions,
    /// Of approvals.
    #[command(flatten)]
    pub approvals: ApprovalOptions,
    /// How long anything is kept.
    #[command(flatten)]
    pub keep: KeepOptions,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copies a SQLite database into a file, also while a collector writes it, and reads the copy to its end.
    Backup {
        /// The file; it must not be there.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

impl Options {
    /// Whether the addresses fit: one that other machines reach is for a collector that asks who is there.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, asks: bool) -> Result<(), ServeError> {
        let mut open = [Some(self.listen), self.listen_grpc].into_iter().flatten();
        match open.find(|address| !address.ip().is_loopback()) {
            Some(address) if !self.allow_unauthenticated && !asks => Err(ServeError::Unprotected(address)),
            _ => Ok(()),
        }
    }

    /// How long a gap is waited out.
    pub fn gap(&self) -> Duration {
        Duration::from_secs(self.gap_seconds.into())
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected ADDRESS:PORT with an IP address, such as 127.0.0.1:4318".to_owned())
}

fn witness(text: &str) -> Result<Witness, String> {
    Witness::of_public(text)
        .map_err(|error| format!("{error}; `portcullis audit public-key` prints the one of a signing key"))
}
