//! Records over gRPC, as a client of others sends them, are taken under the same bounds and by the same guard as over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest as Request, ExportLogsServiceResponse as Response,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use support::http::request;
use support::otlp::{message, records};
use support::place::Place;
use support::provider::Provider;
use support::worker::{Worker, log_records};
use support::{Collector, on_every_database};

on_every_database!(records_arrive_as_they_do_over_http, nothing_acknowledged_is_lost_when_it_is_killed,);

const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const WRITER: &str = "a-token-of-workers-that-nobody-guesses";

/// A collector, and where it takes gRPC.
fn start(place: &Place, more: &[&str], environment: &[(&str, &str)]) -> (Collector, SocketAddr) {
    // Somebody else may take the port first: then another one.
    for _ in 0..5 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = free.to_string();
        let options = [&["--listen-grpc", &address], more].concat();
        let started = std::panic::catch_unwind(|| Collector::start_with(place, &options, environment));
        if let Ok(collector) = started {
            return (collector, free);
        }
    }
    panic!("no port is free");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn plain(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

async fn call(
    channel: Channel,
    gzip: bool,
    token: Option<&str>,
    path: &'static str,
    message: Request,
) -> Result<Response, Status> {
    let mut client = Grpc::new(channel).accept_compressed(CompressionEncoding::Gzip);
    if gzip {
        client = client.send_compressed(CompressionEncoding::Gzip);
    }
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let mut request = tonic::Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let codec = ProstCodec::<Request, Response>::default();
    client.unary(request, PathAndQuery::from_static(path), codec).await.map(tonic::Response::into_inner)
}

async fn export(
    channel: &Channel,
    gzip: bool,
    token: Option<&str>,
    message: Request,
) -> Result<Response, Status> {
    call(channel.clone(), gzip, token, EXPORT, message).await
}

fn records_arrive_as_they_do_over_http(place: &Place) {
    let (collector, address) = start(place, &[], &[]);
    let mut worker = Worker::new(1);
    let runtime = runtime();
    let mut sent = Vec::new();
    runtime.block_on(async {
        let channel = plain(address);
        for gzip in [false, true] {
            let batch = worker.batch(20);
            worker.taken(&batch);
            sent.extend(log_records(&batch.body));
            for _ in 0..2 {
                let taken = export(&channel, gzip, None, message(&batch.body)).await.unwrap();
                assert_eq!(taken.partial_success, None);
            }
        }
        // Of others, and ones that cannot be read.
        let mut mixed = message(&worker.batch(1).body);
        records(&mut mixed).take(1).for_each(|record| record.body = None);
        mixed.resource_logs[0].scope_logs[0].log_records.push(LogRecord::default());
        let partial = export(&channel, false, None, mixed).await.unwrap().partial_success.unwrap();
        assert_eq!(partial.rejected_log_records, 2);
        let words = partial.error_message;
        assert!(words.contains("no audit records") && words.contains("cannot be read"), "{words}");
    });
    let records = collector.records();
    let kept = records.of_workers();
    assert_eq!(kept.len(), sent.len() + 1);
    let bodies: Vec<_> = sent.iter().map(|log| log["body"]["stringValue"].as_str().unwrap()).collect();
    assert_eq!(kept[..sent.len()], bodies, "to the byte");
}

fn nothing_acknowledged_is_lost_when_it_is_killed(place: &Place) {
    let mut acknowledged = Vec::new();
    for life in 0..6 {
        let (mut collector, address) = start(place, &[], &[]);
        let over = AtomicBool::new(false);
        let taken = std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let (mut worker, mut taken) = (Worker::new(life + 1), Vec::new());
                runtime().block_on(async {
                    let channel = plain(address);
                    while !over.load(Ordering::Relaxed) {
                        let batch = worker.batch(3);
                        if export(&channel, life % 2 == 0, None, message(&batch.body)).await.is_ok() {
                            taken.extend(support::worker::ids(&batch.body));
                        }
                        worker.taken(&batch);
                    }
                });
                taken
            });
            std::thread::sleep(std::time::Duration::from_millis(100));
            collector.kill();
            over.store(true, Ordering::Relaxed);
            sending.join().unwrap()
        });
        acknowledged.extend(taken);
    }
    assert!(!acknowledged.is_empty());
    let collector = Collector::start(place, &[]);
    let kept: std::collections::BTreeSet<String> =
        collector.records().0.iter().map(|(body, _)| support::worker::id(body)).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !kept.contains(*id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

fn code(answer: Result<Response, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), status.message().to_owned())
}

#[test]
fn bounds_are_those_of_http_and_errors_are_statuses() {
    let place = Place::sqlite();
    let bounds =
        ["--max-body-bytes", "20000", "--max-expanded-bytes", "30000", "--max-pending-bytes", "65536"];
    let (collector, address) = start(&place, &bounds, &[]);
    let long = |bytes: usize| {
        let mut worker = Worker::new(1);
        let mut one = message(&worker.batch(1).body);
        one.resource_logs[0].schema_url = "x".repeat(bytes);
        one
    };
    runtime().block_on(async {
        let channel = plain(address);
        assert!(export(&channel, false, None, long(10)).await.is_ok());
        let (status, words) = code(export(&channel, false, None, long(20_000)).await);
        assert!(status == Code::ResourceExhausted && words.contains("longer than 20000 bytes"), "{words}");
        // Small on the wire.
        assert!(export(&channel, true, None, long(20_000)).await.is_ok());
        assert_eq!(code(export(&channel, true, None, long(200_000)).await).0, Code::ResourceExhausted);
        let (status, words) =
            code(call(channel.clone(), false, None, "/no.such.Service/Method", long(1)).await);
        assert_eq!((status, words.as_str()), (Code::Unimplemented, "there is no such method"));
        assert!(export(&channel, false, None, long(10)).await.is_ok(), "the connection goes on");
    });
    // Of bytes that are no records.
    let scope = ScopeLogs { log_records: vec![LogRecord::default(); 9000], ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let wrong = Request { resource_logs: vec![resource] };
    runtime().block_on(async {
        assert_eq!(code(export(&plain(address), true, None, wrong).await).0, Code::ResourceExhausted);
    });
    drop(collector);
    let (collector, address) = start(&place, &["--max-pending-bytes", "0"], &[]);
    runtime().block_on(async {
        let status = export(&plain(address), false, None, long(10)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        // `google.rpc.RetryInfo`: to come again after a second.
        let details = String::from_utf8_lossy(status.details()).into_owned();
        assert!(details.contains("google.rpc.RetryInfo"), "{details:?}");
    });
    assert!(collector.records().taken() > 0);
}

#[test]
fn who_sends_must_be_a_writer() {
    let place = Place::sqlite();
    let provider = Provider::start();
    let issuer = format!("{},audience=audit,auditor=auditors,writer=workers", provider.issuer());
    let environment = [("PORTCULLIS_COLLECTOR_WRITER_TOKEN", WRITER)];
    let (mut collector, address) = start(&place, &["--issuer", &issuer], &environment);
    let mut worker = Worker::new(1);
    let batch = worker.batch(1);
    let (auditor, writer) = (provider.bearer("eve", &["auditors"]), provider.bearer("w", &["workers"]));
    runtime().block_on(async {
        let channel = plain(address);
        for (token, wanted) in [
            (None, Code::Unauthenticated),
            (Some("no-such-token-at-all-anywhere"), Code::Unauthenticated),
            (Some(auditor.as_str()), Code::PermissionDenied),
        ] {
            let (status, words) = code(export(&channel, false, token, message(&batch.body)).await);
            assert_eq!(status, wanted, "{words}");
            assert!(!words.is_empty());
        }
        for token in [WRITER, writer.as_str()] {
            assert!(export(&channel, true, Some(token), message(&batch.body)).await.is_ok());
        }
    });
    // Nothing else is served there, and no other protocol.
    let answer = request(address, "GET", "/api/records", &[], b"");
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn it_is_taken_over_tls_and_a_connection_that_stays_holds_up_no_stop() {
    let place = Place::sqlite();
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("tls.pem"), directory.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = ["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let (mut collector, address) = start(&place, &options, &[]);
    let mut worker = Worker::new(1);
    let runtime = runtime();
    let channel = runtime.block_on(async {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(made.cert.pem()));
        let secure = Endpoint::from_shared(format!("https://localhost:{}", address.port())).unwrap();
        let channel = secure.tls_config(tls.domain_name("localhost")).unwrap().connect_lazy();
        let batch = message(&worker.batch(1).body);
        assert!(export(&channel, true, None, batch.clone()).await.is_ok());
        // Without TLS nothing is taken there.
        assert!(export(&plain(address), false, None, batch).await.is_err());
        channel
    });
    assert_eq!(collector.stop(), 0);
    drop(channel);
}

#[test]
fn where_other_machines_reach_it_somebody_has_to_be_asked() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis-collector"))
        .args(["--listen-grpc", "0.0.0.0:0", "--database", "sqlite:/no/such/folder/x.db"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("0.0.0.0:0 can be reached"), "{said}");
}
