//! `portcullis-collector`: the store of audit records.
//!
//! | file | idea |
//! |---|---|
//! | [`options`] | flags and environment |
//! | [`server`] | connections: how many, how long, how they end |
//! | [`http`] | which address does what |
//! | [`access`] | who may do what |
//! | [`otlp`] | the bytes of OTLP: requests in, answers out |
//! | [`body`] | bodies within bounds: on the wire, expanded, and all together |
//! | [`entry`] | a log record that is an audit record |
//! | [`index`] | what of a record is searched |
//! | [`ingest`] | `POST /v1/logs` |
//! | [`grpc`] | the same over gRPC |
//! | [`writer`] | the one task that writes: what waits together is committed together |
//! | [`store`] | the database: append, chains, gaps |
//! | [`retention`] | what is old, or too much, goes |
//! | [`metrics`] | numbers, and whether it is well |
//! | [`outgoing`] | requests that the collector makes itself |
//! | [`query`] | the addresses that read |
//! | [`console`] | the page |
//! | [`approvals`] | a human says yes or no before a call goes out |

mod access;
mod approvals;
mod body;
mod console;
mod entry;
mod grpc;
mod http;
mod index;
mod ingest;
mod metrics;
mod options;
mod otlp;
mod outgoing;
mod query;
mod retention;
mod server;
mod store;
mod writer;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options = options::Options::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false).init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &options::Options) -> Result<(), server::ServeError> {
    // Decoding is what blocks; more threads than cores only cost memory.
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(threads.saturating_mul(2))
        .build()
        .map_err(server::ServeError::Runtime)?;
    match &options.command {
        None => runtime.block_on(server::serve(options)),
        Some(options::Command::Backup { to }) => {
            let copied =
                runtime.block_on(options.database.back_up(to)).map_err(server::ServeError::Backup)?;
            println!("{} records, up to number {}, in {}", copied.records, copied.last, to.display());
            Ok(())
        }
    }
}
