//! The upstream: answers at once with a fixed completion, or with the stream that a request names; and the audit sink.
//!
//! A thread a connection, blocking: with few connections nothing is cheaper, and its cost is the same for every variant.

use std::collections::HashMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::answers::{self, Text};
use crate::figures::now;
use crate::wire::Wire;

/// Hundreds of streams at once each have a thread.
pub const STACK: usize = 128 * 1024;

/// A stream that a client prepared before it asked for it.
pub enum Plan {
    /// Events without a pause, `batch` of them in a write, until the client leaves: of a token each, or of four
    /// characters each and as small as can be.
    Flood { batch: usize, tiny: bool },
    /// One event that goes on and on.
    Endless,
    /// Events in the rhythm of a model.
    Paced(Rhythm),
    /// The client writes the upstream's side itself, and gives the connection back when it is done.
    Lent { give: Sender<TcpStream>, back: Receiver<()> },
}

/// A paced stream: `first` after the head comes the first event, then one `every` so long.
#[derive(Clone)]
pub struct Rhythm {
    pub first: Duration,
    pub every: Duration,
    /// One place an event: when it was written.
    pub written: Arc<Vec<AtomicU64>>,
}

/// The prepared streams, by number.
#[derive(Clone, Default)]
pub struct Plans(Arc<Mutex<HashMap<u64, Plan>>>);

impl Plans {
    pub fn add(&self, plan: Plan) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, plan);
        number
    }

    fn take(&self, number: u64) -> Option<Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }
}

/// Listens on a free port of this machine and serves every connection in a thread of its own.
fn listen(serve: impl Fn(Wire) -> io::Result<()> + Send + Sync + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // An error only means that the other side left; what it should have had, the client counts.
            let _ = thread::Builder::new()
                .stack_size(STACK)
                .spawn(move || Wire::new(socket).and_then(|wire| serve(wire)));
        }
    });
    Ok(port)
}

/// Starts the upstream; gives its port.
pub fn start(plans: Plans) -> io::Result<u16> {
    let whole = answers::whole();
    let (flood, tiny) = (flood_cycle(), tiny_cycle());
    listen(move |mut wire| {
        let mut request = Vec::new();
        loop {
            let head = wire.head()?;
            wire.body(head, &mut request)?;
            match head.stream.and_then(|number| plans.take(number)) {
                None => wire.write(&whole)?,
                Some(Plan::Flood { batch, tiny: false }) => pour(&mut wire, &flood, batch)?,
                Some(Plan::Flood { batch, tiny: true }) => pour(&mut wire, &tiny, batch)?,
                Some(Plan::Endless) => never_end(&mut wire)?,
                Some(Plan::Paced(rhythm)) => pace(&mut wire, &rhythm)?,
                Some(Plan::Lent { give, back }) => {
                    let _ = give.send(wire.socket().try_clone()?);
                    let _ = back.recv();
                }
            }
        }
    })
}

/// Starts the audit sink, which takes every record; `taken` counts requests and bytes.
pub fn start_sink(taken: Arc<[AtomicU64; 2]>) -> io::Result<u16> {
    listen(move |mut wire| {
        let mut records = Vec::new();
        loop {
            let head = wire.head()?;
            wire.body(head, &mut records)?;
            taken[0].fetch_add(1, Ordering::Relaxed);
            taken[1].fetch_add(records.len() as u64, Ordering::Relaxed);
            wire.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")?;
        }
    })
}

/// Every token of the mixed text as an event, one after the other; the flood goes round in it.
fn flood_cycle() -> Vec<Vec<u8>> {
    Text::Mixed.tokens().iter().enumerate().map(|(at, token)| answers::event(at + 1, token)).collect()
}

fn tiny_cycle() -> Vec<Vec<u8>> {
    Text::Mixed.fours().iter().map(|text| answers::tiny_event(text)).collect()
}

/// Text without an end to its event, until nobody takes it any more.
fn never_end(wire: &mut Wire) -> io::Result<()> {
    wire.write(answers::STREAM_HEAD)?;
    let begin = answers::ENDLESS;
    wire.write(format!("{:x}\r\n{begin}\r\n", begin.len()).as_bytes())?;
    let text = ENDLESS_WORD.repeat((16 << 10) / ENDLESS_WORD.len());
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    loop {
        wire.write(chunk.as_bytes())?;
    }
}

/// What an endless event is made of; none of it may reach a client.
pub const ENDLESS_WORD: &str = "endless ";

fn pour(wire: &mut Wire, cycle: &[Vec<u8>], batch: usize) -> io::Result<()> {
    wire.write(answers::STREAM_HEAD)?;
    wire.write(&answers::event(0, ""))?;
    let mut events = cycle.iter().cycle();
    let mut write = Vec::new();
    loop {
        write.clear();
        events.by_ref().take(batch).for_each(|event| write.extend_from_slice(event));
        wire.write(&write)?;
    }
}

fn pace(wire: &mut Wire, rhythm: &Rhythm) -> io::Result<()> {
    let tokens = Text::Prose.tokens();
    wire.write(answers::STREAM_HEAD)?;
    thread::sleep(rhythm.first);
    let mut token = tokens.iter().cycle();
    for (number, written) in rhythm.written.iter().enumerate() {
        if number > 0 {
            thread::sleep(rhythm.every);
        }
        let text = if number == 0 { "" } else { token.next().map_or("", String::as_str) };
        let event = answers::event(number, text);
        written.store(now(), Ordering::Release);
        wire.write(&event)?;
    }
    wire.write(&answers::stream_end())
}
