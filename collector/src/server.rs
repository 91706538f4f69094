//! Connections: how many, how long, how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::select_all;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::access::tls::{Tls, TlsError};
use crate::access::{Access, AccessError, ledger};
use crate::approvals::{ApprovalError, Service};
use crate::body::Bounds;
use crate::http::{App, Routers, routers};
use crate::options::Options;
use crate::retention::retention;
use crate::store::{Appender, BackupError, Reader, StoreError};
use crate::writer::{Turns, writer};

/// How long the head of a request may take to come, also on a connection that is idle. Envoy gives up idle connections
/// after an hour; were the collector to do it first, a record that is just then sent would have to come again.
const HEAD: Duration = Duration::from_secs(75 * 60);
/// How long a connection may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Messages on one connection of gRPC that are being taken at one time.
const STREAMS: u32 = 64;
/// How often somebody who is silent on such a connection is asked for a sign of life, and how long that may take.
const SILENCE: Duration = Duration::from_secs(60);
const SIGN: Duration = Duration::from_secs(20);
/// Longest head there, and what may be on its way unread in one message.
const LONGEST_HEAD: u32 = 16 << 10;
const WINDOW: u32 = 256 << 10;
/// How long requests may go on once the collector was asked to stop.
const LAST: Duration = Duration::from_secs(10);
/// How long notifications may go on then.
const MOMENT: Duration = Duration::from_secs(2);
/// Most readers that follow live at one time; each looks at the database a few times a second.
const FOLLOWERS: usize = 64;
/// The wait after a connection could not be taken, for want of files perhaps.
const BREATH: Duration = Duration::from_millis(50);

/// Why the collector does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody is asked who they are.
    #[error(
        "{0} can be reached by other machines, and the collector does not ask who is there: name an --issuer or set PORTCULLIS_COLLECTOR_WRITER_TOKEN, listen on 127.0.0.1, or say --allow-unauthenticated where a proxy or the network does the asking"
    )]
    Unprotected(SocketAddr),
    /// The address is taken, or not ours.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// No threads.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// No signals.
    #[error("cannot hear signals: {0}")]
    Signals(std::io::Error),
    /// The store cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Approvals cannot be served.
    #[error("{0}")]
    Approvals(#[from] ApprovalError),
    /// Nobody can be asked.
    #[error("{0}")]
    Access(#[from] AccessError),
    /// No copy.
    #[error("{0}")]
    Backup(BackupError),
    /// No TLS.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// Serves until it is told to stop.
///
/// # Errors
/// It cannot start.
pub async fn serve(options: &Options) -> Result<(), ServeError> {
    let mut stops = Stops::new()?;
    let (stop, stopping) = watch::channel(false);
    let page = options.approvals.public_url.as_deref();
    let (access, mut keys) = Access::of(&options.access, options.allow_unauthenticated, page, &stopping)?;
    options.check(access.asks())?;
    let tls = options.access.tls()?;
    let appender = Appender::open(&options.database, options.anchor_keys.clone()).await?;
    let reader = Reader::open(&options.database).await?;
    let bounds = Bounds::new(options.max_body_bytes, options.max_expanded_bytes, options.max_pending_bytes);
    let (approvals, deeds, mut helpers) =
        Service::start(&options.approvals, options.keep.keep(), reader.clone(), stopping.clone()).await?;
    let (ledger, reads) = ledger();
    let (retention, removals) = retention(options.keep, reader.clone());
    let (inlet, writer) = writer(appender, options.gap(), Turns { deeds, reads, removals });
    helpers.spawn(retention.run(stopping.clone()));
    let followers = Arc::new(Semaphore::new(FOLLOWERS));
    let app = App { bounds, inlet, reader: reader.clone(), stopping, followers, access, approvals };
    let entrances = entrances(options, routers(app, ledger)).await?;
    let writing = tokio::spawn(writer.run());
    for Entrance { listener, spoken, .. } in &entrances {
        let address = listener.local_addr().unwrap_or(options.listen);
        match spoken {
            Spoken::Http => tracing::info!(%address, "listening"),
            Spoken::Grpc => tracing::info!(%address, "listening for gRPC"),
        }
    }
    connections(entrances, tls, options.max_connections, &mut stops, &stop).await;
    // The last handle on the writer went with the connections.
    if writing.await.is_err() {
        tracing::error!("the writer broke off");
    }
    // Nothing more comes: what is on its way has a moment.
    let _ = tokio::time::timeout(MOMENT, async { while helpers.join_next().await.is_some() {} }).await;
    helpers.shutdown().await;
    keys.shutdown().await;
    reader.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    /// HTTP/1.1
    Http,
    /// HTTP/2
    Grpc,
}

impl Spoken {
    /// As TLS agrees on it.
    fn name(self) -> &'static [u8] {
        match self {
            Self::Http => b"http/1.1",
            Self::Grpc => b"h2",
        }
    }
}

/// Where connections come in.
struct Entrance {
    listener: TcpListener,
    spoken: Spoken,
    app: Router,
}

/// One that came in.
struct Arrival {
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    spoken: Spoken,
    app: Router,
}

impl Entrance {
    async fn at(address: SocketAddr, spoken: Spoken, app: Router) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| ServeError::Listen(address, error))?;
        Ok(Self { listener, spoken, app })
    }
}

/// Where connections come in. Nothing else holds on to what is served: with the last of it the writer ends.
async fn entrances(options: &Options, routers: Routers) -> Result<Vec<Entrance>, ServeError> {
    let Routers { http, grpc } = routers;
    let mut entrances = Vec::new();
    if let Some(address) = options.listen_grpc {
        entrances.push(Entrance::at(address, Spoken::Grpc, grpc).await?);
    }
    entrances.push(Entrance::at(options.listen, Spoken::Http, http).await?);
    Ok(entrances)
}

/// Takes connections until it is told to stop, then lets requests end.
async fn connections(
    entrances: Vec<Entrance>,
    tls: Option<Tls>,
    most: usize,
    stops: &mut Stops,
    stop: &watch::Sender<bool>,
) {
    let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            asked = stops.asked() => match asked {
                Asked::Stop => break,
                Asked::Renew => tls.iter().for_each(Tls::renew),
            },
            taken = take(&entrances, &room) => match taken {
                Some(arrival) => {
                    let tls = tls.as_ref().map(|tls| tls.acceptor(arrival.spoken.name()));
                    _ = open.spawn(converse(arrival, tls, graceful.watcher(), stop.subscribe()));
                }
                None => tokio::time::sleep(BREATH).await,
            },
            Some(_) = open.join_next() => (),
        }
    }
    drop(entrances);
    stop.send_replace(true);
    tracing::info!("stopping: no more connections, requests end");
    if tokio::time::timeout(LAST, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests that did not end in time are broken off");
    }
    open.shutdown().await;
}

async fn take(entrances: &[Entrance], room: &Arc<Semaphore>) -> Option<Arrival> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    let coming = entrances.iter().map(|entrance| Box::pin(entrance.listener.accept()));
    let (came, at, _) = select_all(coming).await;
    let (Entrance { spoken, app, .. }, (stream, _)) = (entrances.get(at)?, came.ok()?);
    // An answer is one small packet.
    let _ = stream.set_nodelay(true);
    Some(Arrival { stream, permit, spoken: *spoken, app: app.clone() })
}

/// One connection, to its end.
async fn converse(
    arrival: Arrival,
    tls: Option<TlsAcceptor>,
    watcher: Watcher,
    stopping: watch::Receiver<bool>,
) {
    let Arrival { stream, permit, spoken, app } = arrival;
    match (tls, spoken) {
        (Some(tls), _) => {
            if let Some(Ok(stream)) = soon(tls.accept(stream), stopping).await {
                answer(stream, spoken, app, watcher).await;
            }
        }
        // Whoever speaks gRPC says something at once.
        (None, Spoken::Grpc) => {
            if let Some(Ok(())) = soon(stream.readable(), stopping).await {
                answer(stream, spoken, app, watcher).await;
            }
        }
        (None, Spoken::Http) => answer(stream, spoken, app, watcher).await,
    }
    drop(permit);
}

/// What a connection begins with, if that comes soon.
async fn soon<T>(what: impl Future<Output = T>, mut stopping: watch::Receiver<bool>) -> Option<T> {
    tokio::select! {
        came = tokio::time::timeout(HANDSHAKE, what) => came.ok(),
        _ = stopping.changed() => None,
    }
}

async fn answer<S>(stream: S, spoken: Spoken, app: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, service) = (TokioIo::new(stream), TowerToHyperService::new(app));
    // How a connection breaks is the caller's affair.
    match spoken {
        Spoken::Http => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD);
            let _ = watcher.watch(http.serve_connection(stream, service)).await;
        }
        Spoken::Grpc => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new()).keep_alive_interval(SILENCE).keep_alive_timeout(SIGN);
            http.max_concurrent_streams(STREAMS).max_header_list_size(LONGEST_HEAD);
            http.initial_stream_window_size(WINDOW);
            let _ = watcher.watch(http.serve_connection(stream, service)).await;
        }
    }
}

/// What a signal asks for.
enum Asked {
    Stop,
    /// The certificate is to be read anew.
    Renew,
}

/// Signals.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Stops {
    fn new() -> Result<Self, ServeError> {
        let on = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Renew,
        }
    }
}
